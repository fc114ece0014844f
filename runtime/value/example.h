// An example that runs: what its compiled control flow, its lists and the trace share, and how it fails.
//
// Run-time errors (index out of range, recursion too deep, ...) leave the example's fiber for good through
// example_fail: everything the example owns lies in arenas, so nothing leaks. Functions that can fail take the
// position of the operation in the model's source.
#ifndef NN_RUNTIME_VALUE_EXAMPLE_H
#define NN_RUNTIME_VALUE_EXAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/value/value.h"

struct fiber;
struct trace;

// The layout is known to compiled code (offsets of the first members). Everything else about an example is
// runtime's.
struct example {
  char *stack_limit;          // a frame below this address is too deep
  struct trace *trace;        // shared by the minibatch
  struct value_arena *arena;  // lists and data made by the example; reset per minibatch
  uint32_t number;            // of the example in its data set: key of random draws
  uint32_t ordinal;           // emits so far: key of random draws
  struct fiber *fiber;        // that runs it: host_start sets it and stack_limit
  const char *error;          // set by example_fail; in the arena
  struct ir_loc error_loc;
  // Loops and recursion pay one unit of fuel a turn. When it is used up the next two are looked at, and the
  // tank is filled again. All zero: no limit.
  int64_t fuel;         // 0 at the start
  uint64_t step_limit;  // turns that the example may make; 0: any number
  uint64_t steps;       // of them paid for so far
  // NULL, or a flag: the example ends with the error "interrupted" once it is not 0.
  const volatile int *interrupt;
};

// Ends the running example with an error at this position of the model's source. Called by compiled code, and
// by the trace for whatever goes wrong there.
_Noreturn void example_fail(struct example *, const struct ir_loc *loc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Memory that counts against the arena's limit. Never NULL: fails the example.
void *example_alloc(struct example *, const struct ir_loc *, size_t bytes);
// The same for an array; `count` may be any number.
void *example_alloc_array(struct example *, const struct ir_loc *, uint64_t count, size_t size);

// ------------------------------------------------------------------------------- called by compiled code

void example_tick(struct example *, const struct ir_loc *);
_Noreturn void example_fail_depth(struct example *, const struct ir_loc *);
_Noreturn void example_fail_division(struct example *, const struct ir_loc *);
_Noreturn void example_fail_float(struct example *, const struct ir_loc *, double value);
// `set` is the name of a vocab or enum.
_Noreturn void example_fail_index(struct example *, const struct ir_loc *, int64_t value, int64_t size,
                                  const char *set);
_Noreturn void example_fail_range(struct example *, const struct ir_loc *, int64_t value, int64_t size);
_Noreturn void example_fail_subscript(struct example *, const struct ir_loc *, int64_t value, int64_t length);

struct value_data *value_data_make(struct example *, const struct ir_loc *, uint64_t tag, uint32_t n_slots,
                                   const uint64_t *slots);

// value_lists.c
struct value_list *value_list_make(struct example *, const struct ir_loc *, uint32_t width, uint64_t length,
                                   const uint64_t *slots);
struct value_list *value_list_set(struct example *, const struct ir_loc *, const struct value_list *,
                                  int64_t index, const uint64_t *element);
const struct value_list *value_list_push(struct example *, const struct ir_loc *, const struct value_list *,
                                         const uint64_t *element);
struct value_list *value_list_pop(struct example *, const struct ir_loc *, const struct value_list *);
const struct value_list *value_list_slice(struct example *, const struct ir_loc *, const struct value_list *,
                                          int64_t from, int64_t to);
const struct value_list *value_list_reverse(struct example *, const struct ir_loc *,
                                            const struct value_list *);
const struct value_list *value_list_concat(struct example *, const struct ir_loc *, const struct value_list *,
                                           const struct value_list *);
struct value_list *value_list_zip(struct example *, const struct ir_loc *, const struct value_list *,
                                  const struct value_list *);

#endif

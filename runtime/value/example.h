// An example that runs: what its compiled control flow, its lists and the trace share, and how it fails.
//
// Run-time errors (index out of range, recursion too deep, ...) leave the example's fiber for good through
// example_fail: everything the example owns lies in its heap, so nothing leaks. Functions that can fail take the
// position of the operation in the model's source.
#ifndef NN_RUNTIME_VALUE_EXAMPLE_H
#define NN_RUNTIME_VALUE_EXAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/value/heap.h"
#include "runtime/value/value.h"

struct fiber;
struct trace;
struct vocab;

// What one example may take; 0: any amount. None depends on the minibatch: shared instances count for nobody,
// and waits for their values for whoever has to wait.
struct example_limits {
  uint64_t turns;      // of loops and recursion
  uint64_t bytes;      // of its lists and data, its trace and its tensors
  uint64_t instances;  // of blocks
  uint64_t waits;      // for values that decide
};

// What the examples of a minibatch take together. One that finds no room any more is told apart from one that takes
// too much itself: it fails as `crowded`, and may succeed in a smaller minibatch.
struct example_room {
  uint64_t limit;  // bytes; 0: any amount
  uint64_t used;   // by the trace and the tensors; by lists and data: heaps.held
  struct heap_pool heaps;
};

// What `print` shall write; in the example's heap.
struct example_print {
  struct example_print *next;
  uint32_t number;  // of the instruction
  struct ir_loc loc;
  const struct value_shape *shape;  // of the slots
  uint64_t slots[];
};

// The layout is known to compiled code (offsets of the first members). Everything else about an example is
// runtime's.
struct example {
  char *stack_limit;          // a frame below this address is too deep
  struct trace *trace;        // shared by the minibatch
  struct value_arena *arena;  // for the message of an error; reset per minibatch
  uint32_t number;            // of the example in its data set: key of random draws
  uint32_t ordinal;           // emits so far: key of random draws
  struct fiber *fiber;        // that runs it: host_start sets it and stack_limit
  const char *error;          // set by example_fail; in the arena
  struct ir_loc error_loc;
  // Loops and recursion pay one unit of fuel a turn. When it is used up the limits and the flag are looked at,
  // and the tank is filled again.
  int64_t fuel;                         // 0 at the start
  uint64_t steps;                       // turns paid for so far
  const struct example_limits *limits;  // shared
  struct example_room *room;            // shared by the minibatch
  // NULL, or a flag: the example ends with the error "interrupted" once it is not 0.
  const volatile int *interrupt;
  struct heap heap;  // lists and data that it has made
  uint64_t bytes;    // of its trace and its tensors
  uint64_t instances, waits;
  bool crowded;  // it failed, but only for want of room
  struct example_print *prints, *last_print;
  struct vocab *const *sets;  // [dim] the names in vocabs and enums; shared, NULL for other dims
  // Draws of host code: their key beside the number, and how many there have been.
  uint64_t draws_key;
  uint32_t n_draws;
  struct value_memo *memo;  // what memo functions gave; in the heap, NULL at the start
  uint64_t copied;          // elements of lists copied because somebody else sees the list, too
};

// Ends the running example with an error at this position of the model's source. Called by compiled code, and
// by the trace for whatever goes wrong there.
_Noreturn void example_fail(struct example *, const struct ir_loc *loc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same for an example that would have gone on in a smaller minibatch.
_Noreturn void example_fail_crowded(struct example *, const struct ir_loc *loc, const char *what);
// Fails the example when `bytes` more are more than it may take, or than there is room for.
void example_charge(struct example *, const struct ir_loc *loc, uint64_t bytes);

// Memory of the example's heap, which counts against its limit. Never NULL: fails the example.
void *example_alloc(struct example *, const struct ir_loc *, size_t bytes);

// ------------------------------------------------------------------------------- called by compiled code

void example_tick(struct example *, const struct ir_loc *);
_Noreturn void example_fail_depth(struct example *, const struct ir_loc *);
_Noreturn void example_fail_division(struct example *, const struct ir_loc *);
_Noreturn void example_fail_float(struct example *, const struct ir_loc *, double value);
// `set` is the name of a vocab or enum.
_Noreturn void example_fail_index(struct example *, const struct ir_loc *, int64_t value, int64_t size,
                                  const char *set);
_Noreturn void example_fail_range(struct example *, const struct ir_loc *, int64_t value, int64_t size);
_Noreturn void example_fail_text(struct example *, const struct ir_loc *, const char *text);
_Noreturn void example_fail_subscript(struct example *, const struct ir_loc *, int64_t value, int64_t length);

// value_memo.c, around the body of a function declared `memo`: the results for these arguments, with a reference of the
// caller's to each; or NULL, and then `made` is what value_memo_keep is given with the results when they have been computed.
struct memo_entry;
const uint64_t *value_memo_find(struct example *, const struct ir_loc *, uint32_t function,
                                const struct value_shape *, const uint64_t *args,
                                const struct value_shape *result_shape, struct memo_entry **made);
void value_memo_keep(struct memo_entry *, const uint64_t *results);
// Forgets all that was kept. An example that ends need not: it goes with the heap.
void value_memo_clear(struct example *);

struct value_data *value_data_make(struct example *, const struct ir_loc *, uint32_t tag,
                                   const struct value_shape *, const uint64_t *slots);

// value_count.c: references to lists, data and texts. The last one that is given up gives the memory back, and what the value
// refers to.
void value_retain(void *value);
void value_release_list(struct example *, struct value_list *);
void value_release_data(struct example *, struct value_data *);
void value_release_buffer(struct example *, struct value_buffer *);
// `slot` may be 0: a place that was vacated.
void value_release_text(struct example *, struct value_text *);
void value_release_slot(struct example *, uint64_t slot, enum value_kind);
// If nobody else sees the list or data, the place where it holds `value` gives up its reference and holds nothing. The
// caller has a reference to the value, too, and lets nobody look at the place until it is filled again.
void value_vacate_element(struct value_list *, int64_t index, uint32_t slot, void *value);
void value_vacate_slot(struct value_data *, uint32_t slot, void *value);

// value_lists.c: operations take over the references to lists that they are given, unless those are const, and to
// what the slots of elements refer to. `shape` is that of the result's elements.
struct value_list *value_list_make(struct example *, const struct ir_loc *, const struct value_shape *,
                                   uint64_t length, const uint64_t *slots);
// A list of so many elements that are not counted, whose slots are the caller's to fill.
struct value_list *value_list_room(struct example *, const struct ir_loc *, const struct value_shape *,
                                   uint64_t length);
struct value_list *value_list_set(struct example *, const struct ir_loc *, const struct value_shape *,
                                  struct value_list *, int64_t index, const uint64_t *element);
struct value_list *value_list_push(struct example *, const struct ir_loc *, const struct value_shape *,
                                   struct value_list *, const uint64_t *element);
struct value_list *value_list_pop(struct example *, const struct ir_loc *, struct value_list *);
struct value_list *value_list_slice(struct example *, const struct ir_loc *, struct value_list *,
                                    int64_t from, int64_t to);
struct value_list *value_list_reverse(struct example *, const struct ir_loc *, const struct value_shape *,
                                      struct value_list *);
// The list when it has n elements, n times its element when it has one.
struct value_list *value_list_spread(struct example *, const struct ir_loc *, const struct value_shape *,
                                     struct value_list *, int64_t n);
struct value_list *value_list_concat(struct example *, const struct ir_loc *, const struct value_shape *,
                                     struct value_list *, struct value_list *);
struct value_list *value_list_zip(struct example *, const struct ir_loc *, const struct value_shape *,
                                  const struct value_list *, const struct value_list *);

#endif

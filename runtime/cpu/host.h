// Compiled host code: the control flow of one example as native functions, and what that code calls back.
//
// host_compile translates every function of a module that is reachable from its entries through LLVM. Slots are
// 64 bits: int and float as they are, bool 0/1, index as its position, tensor as a value id (struct trace), acc, list
// and data as pointers into the example arena. Entries get a C wrapper of type host_entry_fn.
//
// An example runs on a fiber (fiber.h) when its entry decides; otherwise all examples of a minibatch run one after the
// other on one large stack. Compiled functions check the stack limit on entry, so that deep recursion ends in an error
// and not in a crash. Run-time errors (index out of range, recursion too deep, ...) leave the fiber for good through
// host_fail: everything the example owns lies in arenas, so nothing leaks.
#ifndef NN_RUNTIME_CPU_HOST_H
#define NN_RUNTIME_CPU_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"

struct jit;
struct trace;
struct example;

typedef void host_entry_fn(struct example *, const uint64_t *args, uint64_t *results);

// The layout is known to compiled code (offsets of the first members). Everything else about an example is runtime's.
struct example {
  char *stack_limit;       // a frame below this address is too deep
  struct trace *trace;     // shared by the minibatch
  struct host_arena *arena;// lists and data made by the example; reset per minibatch
  uint32_t number;         // of the example in its data set: key of random draws
  uint32_t ordinal;        // emits so far: key of random draws
  struct fiber *fiber;
  const char *error;       // set by host_fail; in the arena
  struct ir_loc error_loc;
};

// Data and lists as compiled code and the data readers build them.
struct host_data { uint64_t tag; uint64_t slots[]; };          // slots: the constructor's flattened fields
// An immutable view of a buffer. Appending writes in place when the view ends where the buffer's used part ends, so
// that a loop of pushes is linear; older views never see it.
struct host_list { struct host_buffer *buffer; uint64_t offset, length; };   // in elements
struct host_buffer { uint64_t used, capacity, width; uint64_t slots[]; };    // used, capacity in elements; width: slots each

struct host_code {
  host_entry_fn **entries;     // [ir_module.functions index], NULL for functions that are no entry
  bool *decides;               // [ir_module.functions index]
};

// Compiles (or loads from the disk cache) the module's host functions with these sizes: [ir_module.dims index].
struct host_code *host_compile(struct jit *, const struct ir_module *, const int64_t *dims, char **error);
void host_code_free(struct host_code *);

// Called by the data readers and by compiled code alike: values in an arena.
struct host_data *host_data_new(struct host_arena *, uint64_t tag, uint32_t n_slots, const uint64_t *slots);
struct host_list *host_list_new(struct host_arena *, uint32_t width, uint64_t length, const uint64_t *slots);

// Arena of host values: bump allocation, grows by itself, reset keeps the memory.
struct host_arena *host_arena_new(void);
void *host_arena_alloc(struct host_arena *, size_t bytes);     // 16-byte aligned, never NULL: ends the process with a message when memory is exhausted
void host_arena_reset(struct host_arena *);
void host_arena_free(struct host_arena *);

#endif

// Compiled host code: the control flow of one example as native functions, and what that code calls back.
//
// host_compile translates every function of a module that is reachable from its entries through LLVM. Slots
// are 64 bits: int and float as they are, bool 0/1, index as its position, tensor as a value id (struct
// trace), acc, list and data as pointers into the example arena. Entries get a C wrapper of type
// host_entry_fn.
//
// An example runs on a fiber (fiber.h) when its entry decides; otherwise all examples of a minibatch run one
// after the other on one large stack. Compiled functions check the stack limit on entry, so that deep
// recursion ends in an error and not in a crash. Run-time errors (index out of range, recursion too deep,
// ...) leave the fiber for good through host_fail: everything the example owns lies in arenas, so nothing
// leaks.
#ifndef NN_RUNTIME_CPU_HOST_H
#define NN_RUNTIME_CPU_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"

struct fiber;
struct fiber_pool;
struct host_arena;
struct jit;
struct trace;
struct example;

typedef void host_entry_fn(struct example *, const uint64_t *args, uint64_t *results);

// The layout is known to compiled code (offsets of the first members). Everything else about an example is
// runtime's.
struct example {
  char *stack_limit;       // a frame below this address is too deep
  struct trace *trace;     // shared by the minibatch
  struct host_arena *arena; // lists and data made by the example; reset per minibatch
  uint32_t number;         // of the example in its data set: key of random draws
  uint32_t ordinal;        // emits so far: key of random draws
  struct fiber *fiber;     // that runs it: host_start sets it and stack_limit
  const char *error;       // set by host_fail; in the arena
  struct ir_loc error_loc;
  // Loops and recursion pay one unit of fuel a turn. When it is used up the next two are looked at, and the
  // tank is filled again. All zero: no limit.
  int64_t fuel;            // 0 at the start
  uint64_t step_limit;     // turns that the example may make; 0: any number
  uint64_t steps;          // of them paid for so far
  // NULL, or a flag: the example ends with the error "interrupted" once it is not 0.
  const volatile int *interrupt;
};

// Data and lists as compiled code and the data readers build them.
struct host_data {
  uint64_t tag;              // number of the constructor
  uint64_t slots[];          // its flattened fields
};
// An immutable view of a buffer. Appending writes in place when the view ends where the buffer's used part
// ends, so that a loop of pushes is linear; older views never see it.
struct host_list {
  struct host_buffer *buffer;
  uint64_t offset, length;   // in elements
};
struct host_buffer {
  uint64_t used, capacity;   // in elements
  uint64_t width;            // slots of an element
  uint64_t slots[];
};

struct host_code {
  host_entry_fn **entries;     // [ir_module.functions index], NULL for functions that are no entry
  bool *decides;               // [ir_module.functions index]
};

// Compiles (or loads from the disk cache) the module's host functions with these sizes: [ir_module.dims
// index]. The module must have passed `blocks` and ir_verify. NULL with *error (malloc'd) when a size
// overflows or code generation fails. The functions live as long as the jit.
struct host_code *host_compile(struct jit *, const struct ir_module *, const int64_t *dims, char **error);
void host_code_free(struct host_code *);

// The same code as LLVM IR or assembly (malloc'd), for nnc --emit=llvm|asm.
char *host_text(struct jit *, const struct ir_module *, const int64_t *dims, bool assembly, char **error);

// ------------------------------------------------------------------------------ running an example

// One run of an entry. Lies in the caller's memory and must stay there until host_finish.
struct host_run {
  host_entry_fn *entry;
  struct example *example;
  const uint64_t *args;        // as many as the entry has flattened parameters
  uint64_t *results;           // as many as it has results; not written when it fails
  struct fiber *fiber;
};

enum host_outcome {
  HOST_WAITS,      // in trace_read; host_continue when the value is there
  HOST_DONE,       // the results are written
  HOST_FAILED,     // example->error and error_loc tell why
  HOST_NO_MEMORY,  // there was none for a stack; nothing has run
};

// Runs an entry up to its first decision or its end, on a small stack when it `decides`, otherwise on the
// pool's large one. The first four members of `run` must be set; sets the example's fiber and stack_limit.
enum host_outcome host_start(struct fiber_pool *, struct host_run *run, bool decides);
enum host_outcome host_continue(struct host_run *run);
// Gives the stack back, whatever state the run is in; an example that still waits is dropped. Call it once.
void host_finish(struct host_run *run);

// Ends the running example with an error at this position of the model's source. Called by compiled code, and
// by the trace for whatever goes wrong there.
_Noreturn void host_fail(struct example *, const struct ir_loc *loc, const char *format, ...)
  __attribute__((format(printf, 3, 4)));

// ------------------------------------------------------------------------------------------ values

// Values made outside of examples, by the readers of data. The slots are copied.
struct host_data *host_data_new(struct host_arena *, uint64_t tag, uint32_t n_slots, const uint64_t *slots);
struct host_list *host_list_new(struct host_arena *, uint32_t width, uint64_t length, const uint64_t *slots);

// Arena of host values: bump allocation, grows by itself, reset keeps the memory.
struct host_arena *host_arena_new(void);
// 16-byte aligned, never NULL: ends the process with a message when memory is exhausted.
void *host_arena_alloc(struct host_arena *, size_t bytes);
void host_arena_reset(struct host_arena *);
void host_arena_free(struct host_arena *);
// The most that running examples may take from it before one of them fails with an error that says so;
// host_arena_alloc itself goes beyond. 0: the default, 4 GiB or half of the machine's memory, the lesser.
void host_arena_set_limit(struct host_arena *, size_t bytes);
// Handed out since the last reset.
size_t host_arena_bytes(const struct host_arena *);

#endif

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
// ...) leave the fiber for good through example_fail: everything the example owns lies in arenas, so nothing
// leaks.
#ifndef NN_RUNTIME_HOST_HOST_H
#define NN_RUNTIME_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/value/example.h"

struct fiber_pool;
struct jit;

typedef void host_entry_fn(struct example *, const uint64_t *args, uint64_t *results);

struct host_code {
  host_entry_fn **entries;  // [ir_module.functions index], NULL for functions that are no entry
  bool *decides;            // [ir_module.functions index]
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
  const uint64_t *args;  // as many as the entry has flattened parameters
  uint64_t *results;     // as many as it has results; not written when it fails
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

#endif

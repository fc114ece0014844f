// Fibers: functions with a stack of their own that can be suspended anywhere and resumed later. An example
// whose control flow waits for a tensor's value is one.
//
// A switch costs some ten nanoseconds: on x86-64 and aarch64 it is a few instructions of assembly
// (fiber_x86_64.S, fiber_aarch64.S), elsewhere, or with NN_FIBER_UCONTEXT defined, swapcontext. Stacks come
// from a pool and are used again, because touching fresh memory costs far more than the switch.
//
// There is no guard page below every stack (the kernel limits the number of mappings). Code that may recurse
// compares its frame with fiber_stack_limit; what lies below the limit is room for the functions it calls
// that do not check.
//
// A pool and its fibers belong to one thread at a time. A fiber may resume others.
#ifndef NN_RUNTIME_VALUE_FIBER_H
#define NN_RUNTIME_VALUE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber;
struct fiber_pool;

typedef void fiber_fn(void *argument);

enum fiber_state {
  FIBER_READY,    // made, never resumed
  FIBER_RUNNING,  // now, or it has resumed another that is
  FIBER_SUSPENDED,
  FIBER_DONE,  // its function has returned
  FIBER_LEFT,  // fiber_leave: ended before its function returned
};

enum fiber_size {
  FIBER_SMALL,  // one of many
  FIBER_LARGE,  // for deep recursion; one or a few at a time
};

struct fiber_options {
  size_t small_bytes;  // of address space for each stack; 0: 64 MiB
  size_t large_bytes;  // 0: 1 GiB
};
// Address space costs nothing until it is touched, so the defaults are generous; they are 256 KiB and 64 MiB
// where it is limited (ulimit -v, strict overcommit, AddressSanitizer). What the system refuses is halved and
// tried again.

// Bytes below fiber_stack_limit: for functions that do not check and for a signal handler's frame, which
// saves all vector and matrix registers (11 KiB on processors with AMX).
#define FIBER_HEADROOM ((size_t)32 * 1024)

// `options` may be NULL. NULL when memory is exhausted.
struct fiber_pool *fiber_pool_new(const struct fiber_options *options);
// Unmaps all stacks, also those of fibers that were not released.
void fiber_pool_free(struct fiber_pool *pool);

// A fiber that will run function(argument). NULL when the system gives no memory for another stack.
struct fiber *fiber_new(struct fiber_pool *pool, enum fiber_size size, fiber_fn *function, void *argument);
// Runs a fiber that is READY or SUSPENDED until it suspends itself or ends; its state then: SUSPENDED, DONE
// or LEFT.
enum fiber_state fiber_resume(struct fiber *fiber);
// Within a fiber: back to whoever resumed it, until it is resumed again.
void fiber_suspend(struct fiber *self);
// Within a fiber: ends it. Its frames are dropped without running anything.
_Noreturn void fiber_leave(struct fiber *self);
// Gives the stack back to the pool; the fiber must not be RUNNING. One that is SUSPENDED is dropped as by
// fiber_leave.
void fiber_release(struct fiber *fiber);

// The lowest address at which a function that checks may begin its frame.
char *fiber_stack_limit(const struct fiber *fiber);
// Address space of its stack, for messages.
size_t fiber_stack_bytes(const struct fiber *fiber);

#endif

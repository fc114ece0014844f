// Running examples on fibers. The contract is in host.h.
#include "runtime/host/host.h"

#include "runtime/batch/trace.h"
#include "runtime/host/host_runtime.h"
#include "runtime/value/fiber.h"

static void run_entry(void *argument) {
  struct host_run *run = argument;
  run->entry(run->example, run->args, run->results);
}

enum host_outcome host_continue(struct host_run *run) {
  switch (fiber_resume(run->fiber)) {
  case FIBER_SUSPENDED: return HOST_WAITS;
  case FIBER_DONE: return HOST_DONE;
  default:
    // What it made is forgotten at once: one that ran out of memory must not take others with it. But for what it
    // printed, unless it found no room among others and runs once more.
    if (run->example->crowded)
      run->example->prints = run->example->last_print = NULL;
    if (!run->example->prints)
      heap_clear(&run->example->heap);
    return HOST_FAILED;
  }
}

enum host_outcome host_start(struct fiber_pool *pool, struct host_run *run, bool decides) {
  run->fiber = fiber_new(pool, decides ? FIBER_SMALL : FIBER_LARGE, run_entry, run);
  if (!run->fiber)
    return HOST_NO_MEMORY;
  run->example->fiber = run->fiber;
  run->example->stack_limit = fiber_stack_limit(run->fiber);
  return host_continue(run);
}

void host_finish(struct host_run *run) {
  if (!run->fiber)
    return;
  run->example->fiber = NULL;
  fiber_release(run->fiber);
  run->fiber = NULL;
}

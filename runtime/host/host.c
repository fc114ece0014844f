// Running examples on fibers. The contract is in host.h.
#include "runtime/host/host.h"

#include <stdlib.h>
#include <string.h>

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
  default: return HOST_FAILED;
  }
}

// Frees what a failed example allocated, save its message: one that ran out of memory must not take others
// with it. Only for examples that ran from start to end in one go: values of the others lie among each other.
static void forget_values(struct example *example, struct value_arena_mark mark) {
  char *message = strdup(example->error);
  value_arena_rewind(example->arena, mark);
  if (message) {
    size_t bytes = strlen(message) + 1;
    example->error = memcpy(value_arena_alloc(example->arena, bytes), message, bytes);
  } else {
    example->error = "out of memory";
  }
  free(message);
}

enum host_outcome host_start(struct fiber_pool *pool, struct host_run *run, bool decides) {
  run->fiber = fiber_new(pool, decides ? FIBER_SMALL : FIBER_LARGE, run_entry, run);
  if (!run->fiber)
    return HOST_NO_MEMORY;
  run->example->fiber = run->fiber;
  run->example->stack_limit = fiber_stack_limit(run->fiber);
  struct value_arena_mark mark = value_arena_mark(run->example->arena);
  enum host_outcome outcome = host_continue(run);
  if (outcome == HOST_FAILED && !decides)
    forget_values(run->example, mark);
  return outcome;
}

void host_finish(struct host_run *run) {
  if (!run->fiber)
    return;
  run->example->fiber = NULL;
  fiber_release(run->fiber);
  run->fiber = NULL;
}

int64_t host_read_index(struct example *example, const struct ir_loc *loc, uint32_t value, int64_t size) {
  double position = trace_read(example, value);
  // What is read decides where memory is read later, so a kernel's word is not enough.
  if (!(position >= 0 && position < (double)size))
    example_fail(example, loc, "the position %g that was read is out of range", position);
  return (int64_t)position;
}

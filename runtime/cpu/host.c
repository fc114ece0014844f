// Running examples, their errors and their memory. The contract is in host.h.
#include "runtime/cpu/host.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cpu/fiber.h"
#include "runtime/cpu/host_runtime.h"
#include "runtime/trace.h"

// Turns between two looks at the interrupt flag: some hundred microseconds of a loop that emits.
#define FUEL_TANK 4096

// ----------------------------------------------------------------------------------------- running

static void run_entry(void *argument) {
  struct host_run *run = argument;
  run->entry(run->example, run->args, run->results);
}

enum host_outcome host_continue(struct host_run *run) {
  switch (fiber_resume(run->fiber)) {
  case FIBER_SUSPENDED:
    return HOST_WAITS;
  case FIBER_DONE:
    return HOST_DONE;
  default:
    return HOST_FAILED;
  }
}

// Frees what a failed example allocated, save its message: one that ran out of memory must not take others
// with it. Only for examples that ran from start to end in one go: values of the others lie among each other.
static void forget_values(struct example *example, struct host_arena_mark mark) {
  char *message = strdup(example->error);
  host_arena_rewind(example->arena, mark);
  if (message) {
    size_t bytes = strlen(message) + 1;
    example->error = memcpy(host_arena_alloc(example->arena, bytes), message, bytes);
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
  struct host_arena_mark mark = host_arena_mark(run->example->arena);
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

// ------------------------------------------------------------------------------------------ errors

static const char *format_message(struct host_arena *arena, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  size_t bytes = length < 0 ? 1 : (size_t)length + 1;
  char *text = host_arena_alloc(arena, bytes);
  text[0] = '\0';
  vsnprintf(text, bytes, format, again);
  va_end(again);
  return text;
}

_Noreturn void host_fail(struct example *example, const struct ir_loc *loc, const char *format, ...) {
  va_list args;
  va_start(args, format);
  example->error = format_message(example->arena, format, args);
  va_end(args);
  example->error_loc = loc ? *loc : (struct ir_loc){0};
  fiber_leave(example->fiber);
}

_Noreturn void host_fail_depth(struct example *example, const struct ir_loc *loc) {
  double bytes = (double)fiber_stack_bytes(example->fiber);
  bool large = bytes >= 1 << 20;
  host_fail(example, loc, "recursion too deep: the stack of %.0f %s is full",
            bytes / (large ? 1 << 20 : 1 << 10), large ? "MiB" : "KiB");
}

_Noreturn void host_fail_division(struct example *example, const struct ir_loc *loc) {
  host_fail(example, loc, "division by zero");
}

_Noreturn void host_fail_float(struct example *example, const struct ir_loc *loc, double value) {
  host_fail(example, loc, "%g cannot be an int: it is %s", value,
            value != value ? "not a number" : "out of range");
}

_Noreturn void host_fail_index(struct example *example, const struct ir_loc *loc, int64_t value, int64_t size,
                               const char *set) {
  host_fail(example, loc, "%" PRId64 " is no index of %s, which has %" PRId64 " %s", value, set, size,
            size == 1 ? "entry" : "entries");
}

_Noreturn void host_fail_range(struct example *example, const struct ir_loc *loc, int64_t value,
                               int64_t size) {
  host_fail(example, loc, "index %" PRId64 " is out of range: it must be at least 0 and less than %" PRId64,
            value, size);
}

_Noreturn void host_fail_subscript(struct example *example, const struct ir_loc *loc, int64_t value,
                                   int64_t length) {
  if (length == 0)
    host_fail(example, loc, "index %" PRId64 " is out of range: the list is empty", value);
  host_fail(example, loc, "index %" PRId64 " is out of range: the list has %" PRId64 " element%s", value,
            length, length == 1 ? "" : "s");
}

// The tank holds what is left of the turns granted before; each grant is counted in `steps` at once.
void host_tick(struct example *example, const struct ir_loc *loc) {
  // Examples of less than a tank are let to their end: a minibatch of them is soon done.
  if (example->steps && example->interrupt && *example->interrupt)
    host_fail(example, loc, "interrupted");
  int64_t grant = FUEL_TANK;
  if (example->step_limit) {
    if (example->steps >= example->step_limit)
      host_fail(example, loc,
                "more than %" PRIu64 " turns of loops and recursion: is there one without an end?",
                example->step_limit);
    uint64_t left = example->step_limit - example->steps;
    grant = left < FUEL_TANK ? (int64_t)left : FUEL_TANK;
  }
  example->steps += (uint64_t)grant;
  example->fuel = grant - 1;  // this turn is paid for
}

int64_t host_read_index(struct example *example, const struct ir_loc *loc, uint32_t value, int64_t size) {
  double position = trace_read(example, value);
  // What is read decides where memory is read later, so a kernel's word is not enough.
  if (!(position >= 0 && position < (double)size))
    host_fail(example, loc, "the position %g that was read is out of range", position);
  return (int64_t)position;
}

// ------------------------------------------------------------------------------------------ memory

void *host_alloc(struct example *example, const struct ir_loc *loc, size_t bytes) {
  struct host_arena *arena = example->arena;
  size_t used = host_arena_bytes(arena), limit = host_arena_limit(arena);
  if (used >= limit || bytes > limit - used)
    host_fail(example, loc, "the lists and data of this minibatch need more than %zu MiB", limit >> 20);
  void *memory = host_arena_try(arena, bytes);
  if (!memory)
    host_fail(example, loc, "out of memory: %zu bytes for a list", bytes);
  return memory;
}

void *host_alloc_array(struct example *example, const struct ir_loc *loc, uint64_t count, size_t size) {
  uint64_t bytes;
  if (__builtin_mul_overflow(count, (uint64_t)size, &bytes) || bytes > SIZE_MAX / 2)
    bytes = SIZE_MAX / 2;  // beyond any limit
  return host_alloc(example, loc, (size_t)bytes);
}

struct host_data *host_data_make(struct example *example, const struct ir_loc *loc, uint64_t tag,
                                 uint32_t n_slots, const uint64_t *slots) {
  struct host_data *data = host_alloc(example, loc, sizeof *data + n_slots * sizeof *slots);
  data->tag = tag;
  memcpy(data->slots, slots, n_slots * sizeof *slots);
  return data;
}

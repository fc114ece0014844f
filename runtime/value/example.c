// Examples: their errors, their turns and their memory. The contract is in example.h.
#include "runtime/value/example.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/value/fiber.h"

// Turns between two looks at the interrupt flag: some hundred microseconds of a loop that emits.
#define FUEL_TANK 4096

// ------------------------------------------------------------------------------------------ errors

static const char *format_message(struct value_arena *arena, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  size_t bytes = length < 0 ? 1 : (size_t)length + 1;
  char *text = value_arena_try(arena, bytes);
  if (!text) {
    va_end(again);
    return "out of memory";
  }
  text[0] = '\0';
  vsnprintf(text, bytes, format, again);
  va_end(again);
  return text;
}

_Noreturn void example_fail(struct example *example, const struct ir_loc *loc, const char *format, ...) {
  va_list args;
  va_start(args, format);
  example->error = format_message(example->arena, format, args);
  va_end(args);
  example->error_loc = loc ? *loc : (struct ir_loc){0};
  fiber_leave(example->fiber);
}

_Noreturn void example_fail_depth(struct example *example, const struct ir_loc *loc) {
  double bytes = (double)fiber_stack_bytes(example->fiber);
  bool large = bytes >= 1 << 20;
  example_fail(example, loc, "recursion too deep: the stack of %.0f %s is full",
               bytes / (large ? 1 << 20 : 1 << 10), large ? "MiB" : "KiB");
}

_Noreturn void example_fail_division(struct example *example, const struct ir_loc *loc) {
  example_fail(example, loc, "division by zero");
}

_Noreturn void example_fail_float(struct example *example, const struct ir_loc *loc, double value) {
  example_fail(example, loc, "%g cannot be an int: it is %s", value,
               value != value ? "not a number" : "out of range");
}

_Noreturn void example_fail_index(struct example *example, const struct ir_loc *loc, int64_t value,
                                  int64_t size, const char *set) {
  example_fail(example, loc, "%" PRId64 " is no index of %s, which has %" PRId64 " %s", value, set, size,
               size == 1 ? "entry" : "entries");
}

_Noreturn void example_fail_range(struct example *example, const struct ir_loc *loc, int64_t value,
                                  int64_t size) {
  example_fail(example, loc,
               "index %" PRId64 " is out of range: it must be at least 0 and less than %" PRId64, value,
               size);
}

_Noreturn void example_fail_subscript(struct example *example, const struct ir_loc *loc, int64_t value,
                                      int64_t length) {
  if (length == 0)
    example_fail(example, loc, "index %" PRId64 " is out of range: the list is empty", value);
  example_fail(example, loc, "index %" PRId64 " is out of range: the list has %" PRId64 " element%s", value,
               length, length == 1 ? "" : "s");
}

_Noreturn void example_fail_text(struct example *example, const struct ir_loc *loc, const char *text) {
  example_fail(example, loc, "%s", text);
}

// The tank holds what is left of the turns granted before; each grant is counted in `steps` at once.
void example_tick(struct example *example, const struct ir_loc *loc) {
  // Examples of less than a tank are let to their end: a minibatch of them is soon done.
  if (example->steps && example->interrupt && *example->interrupt)
    example_fail(example, loc, "interrupted");
  int64_t grant = FUEL_TANK;
  uint64_t limit = example->limits->turns;
  if (limit) {
    if (example->steps >= limit)
      example_fail(example, loc,
                   "more than %" PRIu64
                   " turns of loops and recursion: is there one without an end? (--turns)",
                   limit);
    uint64_t left = limit - example->steps;
    grant = left < FUEL_TANK ? (int64_t)left : FUEL_TANK;
  }
  example->steps += (uint64_t)grant;
  example->fuel = grant - 1;  // this turn is paid for
}

// ------------------------------------------------------------------------------------------ memory

_Noreturn void example_fail_crowded(struct example *example, const struct ir_loc *loc, const char *what) {
  example->crowded = true;
  example_fail(example, loc, "%s", what);
}

static bool exceeds(uint64_t limit, uint64_t used, uint64_t more) {
  return limit && (more > limit || used > limit - more);
}

void example_charge(struct example *example, const struct ir_loc *loc, uint64_t bytes) {
  uint64_t limit = example->limits->bytes;
  if (exceeds(limit, example->bytes + example->heap.held, bytes))
    example_fail(example, loc, "the example needs more than %" PRIu64 " MiB of memory (--memory)",
                 limit >> 20);
  struct example_room *room = example->room;
  if (!exceeds(room->limit, room->used + room->heaps.held, bytes))
    return;
  example->crowded = true;
  example_fail(example, loc,
               "the example alone needs more than the %" PRIu64 " MiB of a minibatch (--minibatch-memory)",
               room->limit >> 20);
}

void *example_alloc(struct example *example, const struct ir_loc *loc, size_t bytes) {
  struct heap *heap = &example->heap;
  void *memory = heap_reuse(heap, bytes);
  if (memory)
    return memory;
  example_charge(example, loc, heap_growth(heap, bytes));
  memory = heap_alloc(heap, bytes);
  if (!memory)
    example_fail_crowded(example, loc, "out of memory for a list");
  return memory;
}

struct value_data *value_data_make(struct example *example, const struct ir_loc *loc, uint32_t tag,
                                   const struct value_shape *shape, const uint64_t *slots) {
  size_t bytes = shape->width * sizeof *slots;
  struct value_data *data = example_alloc(example, loc, sizeof *data + bytes);
  *data = (struct value_data){.count = 1, .tag = tag, .shape = shape};
  memcpy(data->slots, slots, bytes);
  return data;
}

// Decisions of compiled host code: positions, lists of numbers, and the order of such lists.
#include <inttypes.h>
#include <string.h>

#include "runtime/batch/trace.h"
#include "runtime/host/host_runtime.h"

// What is read decides where memory is read later, so a kernel's word is not enough.
static int64_t checked_position(struct example *example, const struct ir_loc *loc, double position,
                                int64_t size) {
  if (!(position >= 0 && position < (double)size))
    example_fail(example, loc, "the position %g that was read is out of range", position);
  return (int64_t)position;
}

int64_t host_read_index(struct example *example, const struct ir_loc *loc, uint32_t value, int64_t size) {
  return checked_position(example, loc, trace_read(example, loc, value), size);
}

// ------------------------------------------------------------------------------------------------ many numbers

struct value_list *host_read_values(struct example *example, const struct ir_loc *loc,
                                    const struct value_shape *shape, uint32_t value, int64_t elements,
                                    uint32_t ragged) {
  uint64_t n = (uint64_t)elements * (ragged ? trace_length(example->trace, value) : 1);
  trace_await(example, loc, value);
  struct value_list *list = value_list_room(example, loc, shape, n);
  double numbers[64];
  for (uint64_t i = 0; i < n; i += sizeof numbers / sizeof *numbers) {
    uint64_t part = n - i < sizeof numbers / sizeof *numbers ? n - i : sizeof numbers / sizeof *numbers;
    trace_elements(example, value, i, part, numbers);
    memcpy(list->buffer->slots + i, numbers, part * sizeof *numbers);
  }
  return list;
}

struct value_list *host_read_indices(struct example *example, const struct ir_loc *loc,
                                     const struct value_shape *shape, uint32_t value, int64_t elements,
                                     uint32_t ragged, int64_t size) {
  struct value_list *list = host_read_values(example, loc, shape, value, elements, ragged);
  for (uint64_t i = 0; i < list->length; i++) {
    double position;
    memcpy(&position, &list->buffer->slots[i], sizeof position);
    list->buffer->slots[i] = (uint64_t)checked_position(example, loc, position, size);
  }
  return list;
}

// ------------------------------------------------------------------------------------------------------- order

struct order {
  const uint64_t *numbers;  // bits of doubles
  bool largest;
};

static double number_at(const struct order *order, uint64_t place) {
  double number;
  memcpy(&number, &order->numbers[place], sizeof number);
  return number;
}

// Whether place a comes before place b. No two places are equal.
static bool comes_before(const struct order *order, uint64_t a, uint64_t b) {
  double x = number_at(order, a), y = number_at(order, b);
  bool x_is_nan = x != x, y_is_nan = y != y;
  if (x_is_nan != y_is_nan)
    return x_is_nan;
  if (x_is_nan || x == y)
    return a < b;
  return order->largest ? x > y : x < y;
}

// A heap of n places with the one that comes last on top; `place` goes where the top was.
static void sift(const struct order *order, uint64_t *heap, uint64_t n, uint64_t place) {
  uint64_t at = 0;
  for (uint64_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && comes_before(order, heap[child], heap[child + 1]))
      child++;
    if (!comes_before(order, place, heap[child]))
      break;
    heap[at] = heap[child];
  }
  heap[at] = place;
}

static void add(const struct order *order, uint64_t *heap, uint64_t n, uint64_t place) {
  uint64_t at = n;
  for (uint64_t parent; at > 0 && comes_before(order, heap[parent = (at - 1) / 2], place); at = parent)
    heap[at] = heap[parent];
  heap[at] = place;
}

struct value_list *host_list_argmax(struct example *example, const struct ir_loc *loc,
                                    const struct value_shape *shape, const struct value_list *list,
                                    int64_t columns, uint32_t by_columns) {
  struct order order = {list->buffer->slots + list->offset, true};
  uint64_t n = columns > 0 ? (uint64_t)columns : 1, rows = list->length / n;
  uint64_t lines = by_columns ? n : rows, length = by_columns ? rows : n;
  uint64_t from = by_columns ? 1 : n, step = by_columns ? n : 1;
  struct value_list *places = value_list_room(example, loc, shape, length ? lines : 0);
  for (uint64_t line = 0; line < places->length; line++) {
    uint64_t best = line * from;
    for (uint64_t i = 1; i < length; i++)
      if (comes_before(&order, line * from + i * step, best))
        best = line * from + i * step;
    places->buffer->slots[line] = (best - line * from) / step;
  }
  return places;
}

// The k first ones, in a heap while the others are looked at: n log k steps.
struct value_list *host_list_order(struct example *example, const struct ir_loc *loc,
                                   const struct value_shape *shape, const struct value_list *list, int64_t k,
                                   uint32_t largest) {
  if (k < 0 || (uint64_t)k > list->length)
    example_fail(example, loc, "%" PRId64 " elements are wanted where there are %" PRIu64, k, list->length);
  struct order order = {list->buffer->slots + list->offset, largest != 0};
  struct value_list *first = value_list_room(example, loc, shape, (uint64_t)k);
  uint64_t *heap = first->buffer->slots, n = (uint64_t)k;
  for (uint64_t i = 0; i < list->length; i++) {
    if (i < n)
      add(&order, heap, i, i);
    else if (n > 0 && comes_before(&order, i, heap[0]))
      sift(&order, heap, n, i);
  }
  while (n > 1) {
    uint64_t last = heap[0];
    n--;
    sift(&order, heap, n, heap[n]);
    heap[n] = last;
  }
  return first;
}

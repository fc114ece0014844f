// Lists of host values; see struct value_list in host.h for how they lie in memory.
//
// Operations that make a list of another take over the caller's reference to it. Who has the only reference to a
// view whose buffer nobody else sees changes both in place; otherwise the elements are copied, once: the copy is
// nobody else's.
//
// A view that ends where the used part of its buffer ends may append there even when other views share the buffer,
// because none of them can see the next place. So a loop of pushes is linear although every older version is kept.
// Two pushes to the same version, or a push after a pop of a shared one, find the place taken and copy.
//
// Values of the data set are not counted, and their buffers are full (value_list_new): an example never writes into
// them.
#include <inttypes.h>
#include <string.h>

#include "runtime/value/example.h"

#define CAPACITY_FIRST 8

static uint64_t *slots_of(const struct value_list *list) {
  return list->buffer->slots + list->offset * list->buffer->width;
}

static void copy_slots(uint64_t *to, const uint64_t *from, uint64_t n) {
  if (n)
    memcpy(to, from, n * sizeof *to);
}

static bool is_alone(const struct value_list *list) { return list->count == 1 && list->buffer->count == 1; }

static struct value_list *make_view(struct example *example, const struct ir_loc *loc,
                                    struct value_buffer *buffer, uint64_t offset, uint64_t length) {
  struct value_list *list = example_alloc(example, loc, sizeof *list);
  *list = (struct value_list){.count = 1, .buffer = buffer, .offset = offset, .length = length};
  return list;
}

// A buffer without elements yet.
static struct value_buffer *make_buffer(struct example *example, const struct ir_loc *loc,
                                        const struct value_shape *shape, uint64_t capacity) {
  uint64_t slots;
  if (__builtin_mul_overflow(capacity, (uint64_t)shape->width, &slots) || slots > INT64_MAX / 16)
    slots = INT64_MAX / 16;  // beyond any limit
  struct value_buffer *buffer = example_alloc(example, loc,
                                              sizeof(struct value_buffer) + (size_t)slots * sizeof(uint64_t));
  *buffer = (struct value_buffer){.count = 1, .width = shape->width, .shape = shape, .capacity = capacity};
  return buffer;
}

static void retain_elements(const struct value_shape *shape, const uint64_t *slots, uint64_t n) {
  if (!shape->n_counted)
    return;
  for (uint64_t i = 0; i < n; i++, slots += shape->width)
    for (uint32_t c = 0; c < shape->n_counted; c++)
      value_retain((void *)(uintptr_t)slots[VALUE_COUNTED_SLOT(shape->counted[c])]);
}

static void release_elements(struct example *example, const struct value_shape *shape, const uint64_t *slots,
                             uint64_t n) {
  if (!shape->n_counted)
    return;
  for (uint64_t i = 0; i < n; i++, slots += shape->width)
    for (uint32_t c = 0; c < shape->n_counted; c++)
      value_release_slot(example, slots[VALUE_COUNTED_SLOT(shape->counted[c])],
                         VALUE_COUNTED_KIND(shape->counted[c]));
}

// Elements that came behind the view in a buffer that is its alone.
static void drop_tail(struct example *example, const struct value_list *list) {
  struct value_buffer *buffer = list->buffer;
  uint64_t end = list->offset + list->length;
  if (end == buffer->used)
    return;
  release_elements(example, buffer->shape, buffer->slots + end * buffer->width, buffer->used - end);
  buffer->used = end;
}

// A copy of the view's elements in a buffer of their own with room for more; the old buffer is given up by the view,
// whose header is its caller's alone or is left to be given up.
static struct value_buffer *copy_buffer(struct example *example, const struct ir_loc *loc,
                                        const struct value_shape *shape, const struct value_list *list,
                                        uint64_t capacity) {
  struct value_buffer *copy = make_buffer(example, loc, shape, capacity);
  copy_slots(copy->slots, slots_of(list), list->length * shape->width);
  copy->used = list->length;
  example->copied += list->length;
  retain_elements(shape, copy->slots, list->length);
  return copy;
}

// The reference to a list for one to another buffer: a view of `length` elements from `offset` on.
static struct value_list *view_instead(struct example *example, const struct ir_loc *loc,
                                       struct value_list *list, struct value_buffer *buffer, uint64_t offset,
                                       uint64_t length) {
  struct value_list *view = list;
  if (list->count == 1) {
    if (list->buffer != buffer)
      value_release_buffer(example, list->buffer);
    *list = (struct value_list){.count = 1, .buffer = buffer, .offset = offset, .length = length};
  } else {
    if (list->buffer == buffer && buffer->count > 0)
      buffer->count++;
    view = make_view(example, loc, buffer, offset, length);
    value_release_list(example, list);
  }
  return view;
}

// ------------------------------------------------------------------------------------------- operations

struct value_list *value_list_room(struct example *example, const struct ir_loc *loc,
                                   const struct value_shape *shape, uint64_t length) {
  struct value_buffer *buffer = make_buffer(example, loc, shape, length);
  buffer->used = length;
  return make_view(example, loc, buffer, 0, length);
}

struct value_list *value_list_make(struct example *example, const struct ir_loc *loc,
                                   const struct value_shape *shape, uint64_t length, const uint64_t *slots) {
  struct value_list *list = value_list_room(example, loc, shape, length);
  copy_slots(list->buffer->slots, slots, length * shape->width);
  return list;
}

struct value_list *value_list_set(struct example *example, const struct ir_loc *loc,
                                  const struct value_shape *shape, struct value_list *list, int64_t index,
                                  const uint64_t *element) {
  if ((uint64_t)index >= list->length)
    example_fail_subscript(example, loc, index, (int64_t)list->length);
  if (!is_alone(list)) {
    struct value_buffer *copy = copy_buffer(example, loc, shape, list, list->length);
    list = view_instead(example, loc, list, copy, 0, list->length);
  }
  uint64_t *place = slots_of(list) + (uint64_t)index * shape->width;
  release_elements(example, shape, place, 1);
  copy_slots(place, element, shape->width);
  return list;
}

// Room for n more elements behind the list's, with the view that will show them all: their slots are the caller's to
// fill.
static struct value_list *extend(struct example *example, const struct ir_loc *loc,
                                 const struct value_shape *shape, struct value_list *list, uint64_t n) {
  uint64_t length, end = list->offset + list->length;
  // Elements of no width take no memory, so their number is not limited by it.
  if (__builtin_add_overflow(list->length, n, &length) || length > INT64_MAX / 2)
    example_fail(example, loc, "the list would have more than %" PRId64 " elements", INT64_MAX / 2);
  struct value_buffer *buffer = list->buffer;
  if (is_alone(list))
    drop_tail(example, list);
  if (buffer->count > 0 && end == buffer->used && n <= buffer->capacity - buffer->used) {
    buffer->used += n;
    return view_instead(example, loc, list, buffer, list->offset, length);
  }
  uint64_t capacity = 2 * length < CAPACITY_FIRST ? CAPACITY_FIRST : 2 * length;
  struct value_buffer *larger;
  if (is_alone(list) && list->offset == 0) {  // the elements move
    larger = make_buffer(example, loc, shape, capacity);
    copy_slots(larger->slots, slots_of(list), list->length * shape->width);
    buffer->used = 0;
  } else {
    larger = copy_buffer(example, loc, shape, list, capacity);
  }
  larger->used = length;
  return view_instead(example, loc, list, larger, 0, length);
}

struct value_list *value_list_push(struct example *example, const struct ir_loc *loc,
                                   const struct value_shape *shape, struct value_list *list,
                                   const uint64_t *element) {
  list = extend(example, loc, shape, list, 1);
  copy_slots(slots_of(list) + (list->length - 1) * shape->width, element, shape->width);
  return list;
}

struct value_list *value_list_concat(struct example *example, const struct ir_loc *loc,
                                     const struct value_shape *shape, struct value_list *a,
                                     struct value_list *b) {
  if (b->length == 0) {
    value_release_list(example, b);
    return a;
  }
  if (a->length == 0) {
    value_release_list(example, a);
    return b;
  }
  uint64_t n = b->length, before = a->length;
  a = extend(example, loc, shape, a, n);
  uint64_t *place = slots_of(a) + before * shape->width;
  copy_slots(place, slots_of(b), n * shape->width);
  retain_elements(shape, place, n);
  value_release_list(example, b);
  return a;
}

// A view of some of a list's elements. When it is the only one, what lies behind them is given up.
static struct value_list *narrow(struct example *example, const struct ir_loc *loc, struct value_list *list,
                                 uint64_t from, uint64_t length) {
  list = view_instead(example, loc, list, list->buffer, list->offset + from, length);
  if (is_alone(list))
    drop_tail(example, list);
  return list;
}

struct value_list *value_list_pop(struct example *example, const struct ir_loc *loc,
                                  struct value_list *list) {
  if (list->length == 0)
    example_fail(example, loc, "pop of an empty list");
  return narrow(example, loc, list, 0, list->length - 1);
}

struct value_list *value_list_slice(struct example *example, const struct ir_loc *loc,
                                    struct value_list *list, int64_t from, int64_t to) {
  if (from < 0 || from > to || (uint64_t)to > list->length)
    example_fail(example, loc,
                 "slice %" PRId64 "..%" PRId64 " is out of range: the list has %" PRIu64 " element%s", from,
                 to, list->length, list->length == 1 ? "" : "s");
  if (from == 0 && (uint64_t)to == list->length)
    return list;
  return narrow(example, loc, list, (uint64_t)from, (uint64_t)(to - from));
}

struct value_list *value_list_reverse(struct example *example, const struct ir_loc *loc,
                                      const struct value_shape *shape, struct value_list *list) {
  if (list->length < 2)
    return list;
  if (!is_alone(list)) {
    struct value_buffer *copy = copy_buffer(example, loc, shape, list, list->length);
    list = view_instead(example, loc, list, copy, 0, list->length);
  }
  uint64_t width = shape->width, *low = slots_of(list), *high = low + (list->length - 1) * width;
  for (; low < high; low += width, high -= width) {
    for (uint64_t i = 0; i < width; i++) {
      uint64_t slot = low[i];
      low[i] = high[i];
      high[i] = slot;
    }
  }
  return list;
}

struct value_list *value_list_spread(struct example *example, const struct ir_loc *loc,
                                     const struct value_shape *shape, struct value_list *list, int64_t n) {
  if (n < 0 || list->length == (uint64_t)n)
    return list;
  if (list->length != 1)
    example_fail(example, loc,
                 "batches of %" PRId64 " and of %" PRIu64
                 " elements do not go together: the sizes are equal, "
                 "or one of them is 1",
                 n, list->length);
  struct value_buffer *buffer = make_buffer(example, loc, shape, (uint64_t)n);
  for (int64_t i = 0; i < n; i++)
    copy_slots(buffer->slots + (uint64_t)i * shape->width, slots_of(list), shape->width);
  buffer->used = (uint64_t)n;
  retain_elements(shape, buffer->slots, (uint64_t)n);
  return view_instead(example, loc, list, buffer, 0, (uint64_t)n);
}

struct value_list *value_list_zip(struct example *example, const struct ir_loc *loc,
                                  const struct value_shape *shape, const struct value_list *a,
                                  const struct value_list *b) {
  if (a->length != b->length)
    example_fail(example, loc, "zip of lists of different lengths, %" PRIu64 " and %" PRIu64, a->length,
                 b->length);
  uint64_t a_width = a->buffer->width, b_width = b->buffer->width, width = a_width + b_width;
  struct value_buffer *buffer = make_buffer(example, loc, shape, a->length);
  const uint64_t *from_a = slots_of(a), *from_b = slots_of(b);
  for (uint64_t i = 0; width && i < a->length; i++) {
    copy_slots(buffer->slots + i * width, from_a + i * a_width, a_width);
    copy_slots(buffer->slots + i * width + a_width, from_b + i * b_width, b_width);
  }
  buffer->used = a->length;
  retain_elements(shape, buffer->slots, a->length);
  return make_view(example, loc, buffer, 0, a->length);
}

// Lists of host values. A list is an immutable view of a buffer; see struct value_list in value.h.
//
// Growing in place: a view that ends where the used part of its buffer ends may take the next free place,
// because no other view can see it. So a loop of pushes is linear, and every older view stays what it was.
// Two pushes to the same view, or a push after a pop, find the place taken and copy. Buffers of the data set
// are made full (value_list_new), so an example never writes into them.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/value/example.h"

#define CAPACITY_FIRST 8

static const uint64_t *slots_of(const struct value_list *list) {
  return list->buffer->slots + list->offset * list->buffer->width;
}

static void copy_slots(uint64_t *to, const uint64_t *from, uint64_t n) {
  if (n)
    memcpy(to, from, n * sizeof *to);
}

static struct value_list *make_view(struct example *example, const struct ir_loc *loc,
                                    struct value_buffer *buffer, uint64_t offset, uint64_t length) {
  struct value_list *list = example_alloc(example, loc, sizeof *list);
  *list = (struct value_list){buffer, offset, length};
  return list;
}

static struct value_buffer *make_buffer(struct example *example, const struct ir_loc *loc, uint64_t width,
                                        uint64_t used, uint64_t capacity) {
  // One more element's worth of bytes than needed covers the header, and an overflow stays one.
  size_t element = (size_t)(width ? width : 1) * sizeof(uint64_t);
  uint64_t header = (sizeof(struct value_buffer) + element - 1) / element;
  struct value_buffer *buffer = example_alloc_array(example, loc, (width ? capacity : 0) + header, element);
  buffer->used = used;
  buffer->capacity = capacity;
  buffer->width = width;
  return buffer;
}

struct value_list *value_list_make(struct example *example, const struct ir_loc *loc, uint32_t width,
                                   uint64_t length, const uint64_t *slots) {
  struct value_buffer *buffer = make_buffer(example, loc, width, length, length);
  copy_slots(buffer->slots, slots, length * width);
  return make_view(example, loc, buffer, 0, length);
}

struct value_list *value_list_set(struct example *example, const struct ir_loc *loc,
                                  const struct value_list *list, int64_t index, const uint64_t *element) {
  if ((uint64_t)index >= list->length)
    example_fail_subscript(example, loc, index, (int64_t)list->length);
  uint64_t width = list->buffer->width;
  struct value_list *result = value_list_make(example, loc, (uint32_t)width, list->length, slots_of(list));
  copy_slots(result->buffer->slots + (uint64_t)index * width, element, width);
  return result;
}

// A view of the elements of both, which lie at `slots`. The first part is shared where that is possible.
static const struct value_list *append(struct example *example, const struct ir_loc *loc,
                                       const struct value_list *list, uint64_t n, const uint64_t *slots) {
  struct value_buffer *buffer = list->buffer;
  uint64_t width = buffer->width, offset = list->offset, length;
  // Elements of no width take no memory, so their number is not limited by it.
  if (__builtin_add_overflow(list->length, n, &length) || length > INT64_MAX / 2)
    example_fail(example, loc, "the list would have more than %" PRId64 " elements", INT64_MAX / 2);
  bool ends_last = list->offset + list->length == buffer->used;
  if (ends_last && n <= buffer->capacity - buffer->used) {
    copy_slots(buffer->slots + buffer->used * width, slots, n * width);
    buffer->used += n;
  } else {
    uint64_t capacity = 2 * length < CAPACITY_FIRST ? CAPACITY_FIRST : 2 * length;
    struct value_buffer *copy = make_buffer(example, loc, width, length, capacity);
    copy_slots(copy->slots, slots_of(list), list->length * width);
    copy_slots(copy->slots + list->length * width, slots, n * width);
    buffer = copy;
    offset = 0;
  }
  return make_view(example, loc, buffer, offset, length);
}

const struct value_list *value_list_push(struct example *example, const struct ir_loc *loc,
                                         const struct value_list *list, const uint64_t *element) {
  return append(example, loc, list, 1, element);
}

const struct value_list *value_list_concat(struct example *example, const struct ir_loc *loc,
                                           const struct value_list *a, const struct value_list *b) {
  if (b->length == 0)
    return a;
  if (a->length == 0)
    return b;
  return append(example, loc, a, b->length, slots_of(b));
}

struct value_list *value_list_pop(struct example *example, const struct ir_loc *loc,
                                  const struct value_list *list) {
  if (list->length == 0)
    example_fail(example, loc, "pop of an empty list");
  return make_view(example, loc, list->buffer, list->offset, list->length - 1);
}

const struct value_list *value_list_slice(struct example *example, const struct ir_loc *loc,
                                          const struct value_list *list, int64_t from, int64_t to) {
  if (from < 0 || from > to || (uint64_t)to > list->length)
    example_fail(example, loc,
                 "slice %" PRId64 "..%" PRId64 " is out of range: the list has %" PRIu64 " element%s", from,
                 to, list->length, list->length == 1 ? "" : "s");
  if (from == 0 && (uint64_t)to == list->length)
    return list;
  return make_view(example, loc, list->buffer, list->offset + (uint64_t)from, (uint64_t)(to - from));
}

const struct value_list *value_list_reverse(struct example *example, const struct ir_loc *loc,
                                            const struct value_list *list) {
  if (list->length < 2)
    return list;
  uint64_t width = list->buffer->width;
  struct value_buffer *buffer = make_buffer(example, loc, width, list->length, list->length);
  const uint64_t *from = slots_of(list);
  for (uint64_t i = 0; width && i < list->length; i++)
    copy_slots(buffer->slots + i * width, from + (list->length - 1 - i) * width, width);
  return make_view(example, loc, buffer, 0, list->length);
}

struct value_list *value_list_zip(struct example *example, const struct ir_loc *loc,
                                  const struct value_list *a, const struct value_list *b) {
  if (a->length != b->length)
    example_fail(example, loc, "zip of lists of different lengths, %" PRIu64 " and %" PRIu64, a->length,
                 b->length);
  uint64_t a_width = a->buffer->width, b_width = b->buffer->width, width = a_width + b_width;
  struct value_buffer *buffer = make_buffer(example, loc, width, a->length, a->length);
  const uint64_t *from_a = slots_of(a), *from_b = slots_of(b);
  for (uint64_t i = 0; width && i < a->length; i++) {
    copy_slots(buffer->slots + i * width, from_a + i * a_width, a_width);
    copy_slots(buffer->slots + i * width + a_width, from_b + i * b_width, b_width);
  }
  return make_view(example, loc, buffer, 0, a->length);
}

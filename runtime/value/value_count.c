// The counts of lists, data and texts: references made and given up, and what becomes of values that nobody refers to any
// more. Where compiled code calls this is decided by host_ownership.c.
#include <string.h>

#include "runtime/value/example.h"
#include "runtime/value/value_text.h"

// Values whose count has come to zero wait in a list of their own until what they hold has been given up, too, so that
// a long chain of data needs no stack. The list goes through the first word of each, count and tag, which nobody reads
// any more; the lowest bits say what it is.
static void set_next(void *value, uint64_t next) { memcpy(value, &next, sizeof next); }

static uint64_t next_of(const void *value) {
  uint64_t next;
  memcpy(&next, value, sizeof next);
  return next;
}

void value_retain(void *value) {
  int32_t *count = value;
  // Counts that overflow become negative: such a value is never given up.
  if (*count > 0)
    *count = (int32_t)((uint32_t)*count + 1);
}

// Takes from the count of a value in a slot; 0 is the place of one that has been vacated.
static void give_up(uint64_t slot, enum value_kind kind, uint64_t *dead) {
  int32_t *count = (void *)(uintptr_t)slot;
  if (!count || *count <= 0 || --*count > 0)
    return;
  set_next(count, *dead);
  *dead = slot | (uint64_t)kind;
}

static void give_up_slots(const struct value_shape *shape, const uint64_t *slots, uint64_t *dead) {
  for (uint32_t i = 0; i < shape->n_counted; i++)
    give_up(slots[VALUE_COUNTED_SLOT(shape->counted[i])], VALUE_COUNTED_KIND(shape->counted[i]), dead);
}

static void give_up_buffer(struct example *example, struct value_buffer *buffer, uint64_t *dead) {
  if (buffer->count <= 0 || --buffer->count > 0)
    return;
  const struct value_shape *shape = buffer->shape;
  for (uint64_t i = 0; shape->n_counted && i < buffer->used; i++)
    give_up_slots(shape, buffer->slots + i * shape->width, dead);
  heap_free(&example->heap, buffer,
            sizeof *buffer + (size_t)buffer->capacity * shape->width * sizeof *buffer->slots);
}

static void bury(struct example *example, uint64_t dead) {
  while (dead) {
    void *value = (void *)(uintptr_t)(dead & ~UINT64_C(3));
    enum value_kind kind = (enum value_kind)(dead & 3);
    dead = next_of(value);
    switch (kind) {
    case VALUE_LIST:
      give_up_buffer(example, ((struct value_list *)value)->buffer, &dead);
      heap_free(&example->heap, value, sizeof(struct value_list));
      break;
    case VALUE_DATA: {
      struct value_data *data = value;
      give_up_slots(data->shape, data->slots, &dead);
      heap_free(&example->heap, data, sizeof *data + data->shape->width * sizeof *data->slots);
      break;
    }
    case VALUE_TEXT:
      heap_free(&example->heap, value, value_text_memory((size_t)((struct value_text *)value)->length));
      break;
    }
  }
}

void value_release_slot(struct example *example, uint64_t slot, enum value_kind kind) {
  uint64_t dead = 0;
  give_up(slot, kind, &dead);
  bury(example, dead);
}

void value_release_list(struct example *example, struct value_list *list) {
  value_release_slot(example, (uintptr_t)list, VALUE_LIST);
}

void value_release_data(struct example *example, struct value_data *data) {
  value_release_slot(example, (uintptr_t)data, VALUE_DATA);
}

void value_release_text(struct example *example, struct value_text *text) {
  value_release_slot(example, (uintptr_t)text, VALUE_TEXT);
}

void value_release_buffer(struct example *example, struct value_buffer *buffer) {
  uint64_t dead = 0;
  give_up_buffer(example, buffer, &dead);
  bury(example, dead);
}

// `value` is held by the caller besides, so its count stays above zero.
static void vacate(uint64_t *place, const void *value) {
  if (*place != (uintptr_t)value)
    return;
  int32_t *count = (int32_t *)value;
  if (*count > 1) {
    --*count;
    *place = 0;
  }
}

void value_vacate_element(struct value_list *list, int64_t index, uint32_t slot, void *value) {
  struct value_buffer *buffer = list->buffer;
  if (list->count == 1 && buffer->count == 1)
    vacate(buffer->slots + (list->offset + (uint64_t)index) * buffer->width + slot, value);
}

void value_vacate_slot(struct value_data *data, uint32_t slot, void *value) {
  if (data->count == 1)
    vacate(data->slots + slot, value);
}

// The heap and the arena of host values, and lists against plain arrays: whatever is done to a list, every list made
// before stays what it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/value/example.h"

static uint64_t next_random(uint64_t *state) {  // xorshift64*, Vigna 2016
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(2685821657736338717);
}

// ------------------------------------------------------------------------------------------- lists

#define LONGEST 40
#define MOST_WIDTH 3

struct model {              // the slow reference: an array of its own per list
  struct value_list *list;  // a reference
  uint64_t length;
  uint64_t slots[LONGEST * MOST_WIDTH];
};

static void check_list(const struct model *model, uint64_t width) {
  const struct value_list *list = model->list;
  assert_int_equal(list->length, model->length);
  assert_int_equal(list->buffer->width, width);
  assert_true(list->offset + list->length <= list->buffer->used);
  assert_true(list->buffer->used <= list->buffer->capacity);
  const uint64_t *slots = list->buffer->slots + list->offset * width;
  for (uint64_t i = 0; i < model->length * width; i++)
    assert_true(slots[i] == model->slots[i]);
}

struct scene {
  struct example example;
  struct value_shape shape;
  uint64_t width, random;
};

// A reference more, for an operation to take over.
static struct value_list *another(const struct model *model) {
  value_retain(model->list);
  return model->list;
}

static uint64_t below(struct scene *s, uint64_t n) { return next_random(&s->random) % n; }

static void change_length(struct scene *s, const struct model *a, struct model *to) {
  uint64_t width = s->width, element[MOST_WIDTH];
  for (uint64_t i = 0; i < width; i++)
    element[i] = next_random(&s->random);
  if (a->length > 0 && below(s, 2) == 0) {
    to->list = value_list_pop(&s->example, NULL, to->list);
    to->length = a->length - 1;
  } else if (a->length < LONGEST) {
    to->list = value_list_push(&s->example, NULL, &s->shape, to->list, element);
    memcpy(to->slots + a->length * width, element, width * sizeof *element);
    to->length = a->length + 1;
  }
}

static void set_element(struct scene *s, const struct model *a, struct model *to) {
  if (a->length == 0)
    return;
  uint64_t width = s->width, at = below(s, a->length), element[MOST_WIDTH];
  for (uint64_t i = 0; i < width; i++)
    to->slots[at * width + i] = element[i] = next_random(&s->random);
  to->list = value_list_set(&s->example, NULL, &s->shape, to->list, (int64_t)at, element);
}

static void cut(struct scene *s, const struct model *a, struct model *to) {
  uint64_t from = below(s, a->length + 1), end = from + below(s, a->length - from + 1);
  to->list = value_list_slice(&s->example, NULL, to->list, (int64_t)from, (int64_t)end);
  to->length = end - from;
  memcpy(to->slots, a->slots + from * s->width, to->length * s->width * sizeof *a->slots);
}

static void reverse(struct scene *s, const struct model *a, struct model *to) {
  to->list = value_list_reverse(&s->example, NULL, &s->shape, to->list);
  for (uint64_t i = 0; i < a->length; i++)
    memcpy(to->slots + i * s->width, a->slots + (a->length - 1 - i) * s->width, s->width * sizeof *a->slots);
}

static void join(struct scene *s, const struct model *a, const struct model *b, struct model *to) {
  if (a->length + b->length > LONGEST)
    return;
  to->list = value_list_concat(&s->example, NULL, &s->shape, to->list, another(b));
  memcpy(to->slots + a->length * s->width, b->slots, b->length * s->width * sizeof *a->slots);
  to->length = a->length + b->length;
}

static void zip_and_take(struct scene *s, const struct model *a, const struct model *b) {
  if (a->length != b->length)
    return;
  struct value_shape shape = {.width = 2 * (uint32_t)s->width};
  struct value_list *zipped = value_list_zip(&s->example, NULL, &shape, a->list, b->list);
  assert_int_equal(zipped->length, a->length);
  for (uint64_t i = 0; i < a->length * s->width; i++) {
    uint64_t row = i / s->width, column = i % s->width;
    const uint64_t *slots = zipped->buffer->slots + (zipped->offset + row) * 2 * s->width;
    assert_true(slots[column] == a->slots[i] && slots[s->width + column] == b->slots[i]);
  }
  value_release_list(&s->example, zipped);
}

// 64 lists; each step makes one of them anew from others. All are compared every so often.
static void run_scene(uint64_t width, uint64_t seed) {
  enum { LISTS = 64, STEPS = 4000 };
  static const struct example_limits limits = {0};
  struct example_room room = {.heaps.scribbles = true};
  struct value_arena *data = value_arena_new();
  struct scene s = {.width = width, .shape.width = (uint32_t)width, .random = seed};
  s.example.room = &room;
  s.example.heap.pool = &room.heaps;
  s.example.limits = &limits;
  struct model *models = calloc(LISTS, sizeof *models);
  assert_non_null(models);
  struct value_list *empty = value_list_new(data, (uint32_t)width, 0, NULL);
  for (int i = 0; i < LISTS; i++)
    models[i].list = empty;
  for (int step = 0; step < STEPS; step++) {
    struct model *from = &models[below(&s, LISTS)], *place = &models[below(&s, LISTS)];
    const struct model before = *from, other = models[below(&s, LISTS)], *a = &before, *b = &other;
    struct model made = before;
    // Half of the time the new list replaces the old one: changed in place unless a third one shares its elements.
    if (below(&s, 2)) {
      place = from;
      from->list = empty;
    } else {
      value_retain(made.list);
    }
    switch (below(&s, 10)) {
    case 0: set_element(&s, a, &made); break;
    case 1: cut(&s, a, &made); break;
    case 2: reverse(&s, a, &made); break;
    case 3: join(&s, a, b, &made); break;
    case 4: zip_and_take(&s, a, b); break;
    default: change_length(&s, a, &made);
    }
    value_release_list(&s.example, place->list);
    *place = made;
    for (int i = 0; step % 16 == 0 && i < LISTS; i++)
      check_list(&models[i], width);
  }
  for (int i = 0; i < LISTS; i++)
    value_release_list(&s.example, models[i].list);
  assert_int_equal(s.example.heap.live, 0);
  free(models);
  heap_clear(&s.example.heap);
  heap_pool_clear(&room.heaps);
  value_arena_free(data);
}

static void test_lists_are_values(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 10; seed++)
    for (uint64_t width = 0; width <= MOST_WIDTH; width++)
      run_scene(width, seed * 7919 + width);
}

// The lists of a data set are shared by examples, minibatches and threads: nothing may ever be written into
// them.
static void test_lists_of_a_data_set(void **state) {
  (void)state;
  static const struct example_limits limits = {0};
  static const struct value_shape shape = {.width = 1};
  struct example_room room = {0};
  struct value_arena *data = value_arena_new();
  struct example example = {.room = &room, .heap.pool = &room.heaps, .limits = &limits};
  uint64_t slots[] = {1, 2, 3}, element = 4;
  struct value_list *list = value_list_new(data, 1, 3, slots), before_list = *list;
  struct value_buffer before = *list->buffer;
  size_t bytes = value_arena_bytes(data);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(value_list_push(&example, NULL, &shape, list, &element)->length, 4);
    assert_int_equal(value_list_concat(&example, NULL, &shape, list, list)->length, 6);
    assert_int_equal(value_list_set(&example, NULL, &shape, list, 0, &element)->buffer->slots[0], 4);
    assert_int_equal(value_list_reverse(&example, NULL, &shape, list)->buffer->slots[0], 3);
    assert_int_equal(value_list_pop(&example, NULL, list)->length, 2);
    assert_int_equal(value_list_slice(&example, NULL, list, 1, 2)->length, 1);
    value_retain(list);
    value_release_list(&example, list);
    heap_clear(&example.heap);
  }
  assert_memory_equal(list, &before_list, sizeof before_list);
  assert_memory_equal(list->buffer, &before, sizeof before);
  assert_memory_equal(list->buffer->slots, slots, sizeof slots);
  assert_int_equal(value_arena_bytes(data), bytes);
  heap_pool_clear(&room.heaps);
  value_arena_free(data);
}

// --------------------------------------------------------------------------------------- the heap

// Blocks of all sizes, given back in any order, keep what was written into them; the heap takes no more than what is
// in use at once, and some.
static void test_heap(void **state) {
  (void)state;
  enum { BLOCKS = 500, STEPS = 20000 };
  struct heap_pool heaps = {0};
  struct heap heap = {.pool = &heaps};
  struct {
    unsigned char *memory;
    size_t bytes;
  } *blocks = calloc(BLOCKS, sizeof *blocks);
  assert_non_null(blocks);
  uint64_t random = 7;
  size_t in_use = 0, most = 0;
  for (int step = 0; step < STEPS; step++) {
    size_t at = next_random(&random) % BLOCKS, bytes = blocks[at].bytes;
    for (size_t i = 0; i < bytes; i++)
      assert_int_equal(blocks[at].memory[i], at % 251);
    if (blocks[at].memory)
      heap_free(&heap, blocks[at].memory, bytes);
    in_use -= bytes;
    bytes = next_random(&random) % (step % 50 ? 700 : 150000);
    blocks[at].memory = heap_alloc(&heap, bytes);
    assert_true((uintptr_t)blocks[at].memory % 16 == 0);
    memset(blocks[at].memory, (int)(at % 251), bytes);
    blocks[at].bytes = bytes;
    in_use += bytes;
    most = in_use > most ? in_use : most;
    assert_true(heap.live >= in_use && heap.live <= in_use * 5 / 4 + BLOCKS * 16);
    assert_int_equal(heap.held, heaps.held);
  }
  assert_true(heap.held < 2 * most);
  heap_clear(&heap);
  assert_int_equal(heaps.held, 0);
  heap_pool_clear(&heaps);
  free(blocks);
}

// A block given back is the next one of its size.
static void test_heap_reuses(void **state) {
  (void)state;
  struct heap_pool heaps = {0};
  struct heap heap = {.pool = &heaps};
  for (size_t bytes = 1; bytes < 60000; bytes += bytes / 3 + 1) {
    void *a = heap_alloc(&heap, bytes), *b = heap_alloc(&heap, bytes);
    heap_free(&heap, a, bytes);
    heap_free(&heap, b, bytes);
    size_t held = heap.held;
    for (int i = 0; i < 1000; i++) {
      void *c = heap_alloc(&heap, bytes);
      assert_ptr_equal(c, b);
      heap_free(&heap, c, bytes);
    }
    assert_int_equal(heap.held, held);
  }
  assert_int_equal(heap.live, 0);
  heap_clear(&heap);
  heap_pool_clear(&heaps);
}

// --------------------------------------------------------------------------------------- the arena

static void test_arena(void **state) {
  (void)state;
  struct value_arena *arena = value_arena_new();
  assert_int_equal(value_arena_bytes(arena), 0);
  char *first = NULL;
  for (int round = 0; round < 3; round++) {
    uint64_t random = 5;
    size_t sum = 0;
    char *last = NULL;
    for (int i = 0; i < 2000; i++) {
      size_t bytes = next_random(&random) % (i % 100 == 0 ? 300000 : 200);
      char *memory = value_arena_alloc(arena, bytes);
      assert_true((uintptr_t)memory % 16 == 0 && memory != last);
      memset(memory, i, bytes);
      sum += bytes;
      last = bytes ? memory : last;
      if (i == 0) {
        assert_true(round == 0 || memory == first);  // the memory is used again
        first = memory;
      }
    }
    assert_true(value_arena_bytes(arena) >= sum && value_arena_bytes(arena) <= sum + 2000 * 16);
    value_arena_reset(arena);
    assert_int_equal(value_arena_bytes(arena), 0);
  }
  value_arena_free(arena);
  value_arena_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lists_are_values),
      cmocka_unit_test(test_lists_of_a_data_set),
      cmocka_unit_test(test_arena),
      cmocka_unit_test(test_heap),
      cmocka_unit_test(test_heap_reuses),
  };
  return cmocka_run_group_tests_name("host values", tests, NULL, NULL);
}

// The arena of host values, and lists against plain arrays: whatever is done to a list, every list made
// before stays what it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/batch/trace.h"
#include "runtime/host/host_runtime.h"
#include "runtime/value/example.h"

// The runtime's trace is not linked; lists and the arena never reach it.
uint32_t trace_emit_reduce(struct example *example, uint32_t kind, uint32_t elements, uint32_t n,
                           const uint32_t *values) {
  (void)example, (void)kind, (void)elements, (void)n, (void)values;
  fail();
  return 0;
}

double trace_read(struct example *example, uint32_t value) {
  (void)example, (void)value;
  fail();
  return 0;
}

static uint64_t next_random(uint64_t *state) {  // xorshift64*, Vigna 2016
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(2685821657736338717);
}

// ------------------------------------------------------------------------------------------- lists

#define LONGEST 40
#define MOST_WIDTH 3

struct model {  // the slow reference: an array of its own per list
  const struct value_list *list;
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
  uint64_t width, random;
};

static uint64_t below(struct scene *s, uint64_t n) { return next_random(&s->random) % n; }

static void change_length(struct scene *s, const struct model *a, struct model *to) {
  uint64_t width = s->width, element[MOST_WIDTH];
  for (uint64_t i = 0; i < width; i++)
    element[i] = next_random(&s->random);
  if (a->length > 0 && below(s, 2) == 0) {
    to->list = value_list_pop(&s->example, NULL, a->list);
    to->length = a->length - 1;
  } else if (a->length < LONGEST) {
    to->list = value_list_push(&s->example, NULL, a->list, element);
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
  to->list = value_list_set(&s->example, NULL, a->list, (int64_t)at, element);
}

static void cut(struct scene *s, const struct model *a, struct model *to) {
  uint64_t from = below(s, a->length + 1), end = from + below(s, a->length - from + 1);
  to->list = value_list_slice(&s->example, NULL, a->list, (int64_t)from, (int64_t)end);
  to->length = end - from;
  memcpy(to->slots, a->slots + from * s->width, to->length * s->width * sizeof *a->slots);
}

static void reverse(struct scene *s, const struct model *a, struct model *to) {
  to->list = value_list_reverse(&s->example, NULL, a->list);
  for (uint64_t i = 0; i < a->length; i++)
    memcpy(to->slots + i * s->width, a->slots + (a->length - 1 - i) * s->width, s->width * sizeof *a->slots);
}

static void join(struct scene *s, const struct model *a, const struct model *b, struct model *to) {
  if (a->length + b->length > LONGEST)
    return;
  to->list = value_list_concat(&s->example, NULL, a->list, b->list);
  memcpy(to->slots + a->length * s->width, b->slots, b->length * s->width * sizeof *a->slots);
  to->length = a->length + b->length;
}

static void zip_and_take(struct scene *s, const struct model *a, const struct model *b) {
  if (a->length != b->length)
    return;
  const struct value_list *zipped = value_list_zip(&s->example, NULL, a->list, b->list);
  assert_int_equal(zipped->length, a->length);
  for (uint64_t i = 0; i < a->length * s->width; i++) {
    uint64_t row = i / s->width, column = i % s->width;
    const uint64_t *slots = zipped->buffer->slots + (zipped->offset + row) * 2 * s->width;
    assert_true(slots[column] == a->slots[i] && slots[s->width + column] == b->slots[i]);
  }
}

// 64 lists; each step makes one of them anew from others. All are compared every so often.
static void run_scene(uint64_t width, uint64_t seed) {
  enum { LISTS = 64, STEPS = 4000 };
  struct scene s = {.width = width, .random = seed};
  s.example.arena = value_arena_new();
  struct model *models = calloc(LISTS, sizeof *models);
  assert_non_null(models);
  for (int i = 0; i < LISTS; i++)
    models[i].list = value_list_new(s.example.arena, (uint32_t)width, 0, NULL);
  for (int step = 0; step < STEPS; step++) {
    const struct model *a = &models[below(&s, LISTS)], *b = &models[below(&s, LISTS)];
    struct model made = *a;
    switch (below(&s, 10)) {
    case 0: set_element(&s, a, &made); break;
    case 1: cut(&s, a, &made); break;
    case 2: reverse(&s, a, &made); break;
    case 3: join(&s, a, b, &made); break;
    case 4: zip_and_take(&s, a, b); break;
    default: change_length(&s, a, &made);
    }
    models[below(&s, LISTS)] = made;
    for (int i = 0; step % 16 == 0 && i < LISTS; i++)
      check_list(&models[i], width);
  }
  free(models);
  value_arena_free(s.example.arena);
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
  struct value_arena *data = value_arena_new();
  struct example example = {.arena = value_arena_new()};
  uint64_t slots[] = {1, 2, 3}, element = 4;
  const struct value_list *list = value_list_new(data, 1, 3, slots);
  struct value_buffer before = *list->buffer;
  size_t bytes = value_arena_bytes(data);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(value_list_push(&example, NULL, list, &element)->length, 4);
    assert_int_equal(value_list_concat(&example, NULL, list, list)->length, 6);
    assert_int_equal(value_list_set(&example, NULL, list, 0, &element)->buffer->slots[0], 4);
    value_arena_reset(example.arena);
  }
  assert_memory_equal(list->buffer, &before, sizeof before);
  assert_memory_equal(list->buffer->slots, slots, sizeof slots);
  assert_int_equal(value_arena_bytes(data), bytes);
  value_arena_free(example.arena);
  value_arena_free(data);
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

static void test_arena_gives_back(void **state) {
  (void)state;
  struct value_arena *arena = value_arena_new();
  void *a = value_arena_alloc(arena, 100), *b = value_arena_alloc(arena, 50);
  value_arena_untake(arena, a, 100);  // not the latest: stays
  assert_true((char *)value_arena_alloc(arena, 8) > (char *)b);
  void *c = value_arena_alloc(arena, 1000);
  value_arena_untake(arena, c, 1000);
  assert_ptr_equal(value_arena_alloc(arena, 16), c);
  value_arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lists_are_values),
      cmocka_unit_test(test_lists_of_a_data_set),
      cmocka_unit_test(test_arena),
      cmocka_unit_test(test_arena_gives_back),
  };
  return cmocka_run_group_tests_name("host values", tests, NULL, NULL);
}

// The containers that everything else is built of: maps and hash indexes against plain arrays, and
// arrays that grow.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/base/array.h"
#include "compiler/base/hash_index.h"
#include "compiler/base/map.h"

enum { N = 3000, N_KEYS = 700 };

static void texts_are_keys(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  struct map map = {0};
  static char names[N_KEYS][16];
  static int values[N];
  int *expected[N_KEYS] = {0};
  for (int k = 0; k < N_KEYS; k++)
    snprintf(names[k], sizeof names[k], k % 2 ? "name%d" : "%dname", k);
  assert_null(map_get_text(&map, "name1"));
  uint32_t random = 1;
  size_t count = 0;
  for (int i = 0; i < N; i++) {
    random = random * 1664525u + 1013904223u;
    int k = (int)(random >> 8) % N_KEYS;
    char copy[16];  // the same text elsewhere is the same key
    strcpy(copy, names[k]);
    assert_ptr_equal(map_get_text(&map, copy), expected[k]);
    count += !expected[k];
    expected[k] = &values[i];
    map_put_text(&arena, &map, names[k], &values[i]);
    assert_int_equal(map.count, count);
  }
  for (int k = 0; k < N_KEYS; k++)
    assert_ptr_equal(map_get_text(&map, names[k]), expected[k]);
  assert_null(map_get_text(&map, ""));
  arena_free(&arena);
}

static void addresses_are_keys(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  struct map map = {0};
  static char keys[N];
  for (int i = 0; i < N; i++) {
    assert_null(map_get(&map, &keys[i]));
    map_put(&arena, &map, &keys[i], &keys[N - 1 - i]);
  }
  for (int i = 0; i < N; i++) {
    assert_ptr_equal(map_get(&map, &keys[i]), &keys[N - 1 - i]);
    assert_ptr_equal(map.items[i].key, &keys[i]);  // in the order of their first put
  }
  map_put(&arena, &map, &keys[5], NULL);
  assert_null(map_get(&map, &keys[5]));
  assert_int_equal(map.count, N);
  arena_free(&arena);
}

struct numbers {
  const uint32_t *items;
  uint32_t wanted;
};

static bool is_number(const void *context, uint32_t item) {
  const struct numbers *numbers = context;
  return numbers->items[item] == numbers->wanted;
}

// Items come and go in any order, with few hashes, so that searches are long and go past what is taken out.
static void items_are_taken_out(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  struct hash_index index = hash_index_new(&arena);
  static uint32_t items[N_KEYS];
  static bool there[N_KEYS];
  for (uint32_t k = 0; k < N_KEYS; k++)
    items[k] = k * 7919;
  uint32_t random = 1;
  for (int i = 0; i < 40 * N; i++) {
    random = random * 1664525u + 1013904223u;
    uint32_t k = (random >> 8) % N_KEYS, hash = items[k] % 97;
    uint32_t found = hash_index_find(&index, hash, is_number, &(struct numbers){items, items[k]});
    assert_int_equal(found, there[k] ? k : HASH_INDEX_NONE);
    if (there[k])
      hash_index_remove(&index, hash, k);
    else
      hash_index_add(&index, hash, k);
    there[k] = !there[k];
    if (i % (10 * N) == 0) {
      hash_index_clear(&index);
      memset(there, 0, sizeof there);
    }
  }
  for (uint32_t k = 0; k < N_KEYS; k++)
    assert_int_equal(hash_index_find(&index, items[k] % 97, is_number, &(struct numbers){items, items[k]}),
                     there[k] ? k : HASH_INDEX_NONE);
  arena_free(&arena);
}

static void arrays_grow(void **state) {
  (void)state;
  int *items = NULL;
  size_t capacity = 0, grown = 0;
  for (int i = 0; i < 100000; i++) {
    size_t before = capacity;
    assert_true(array_reserve(&items, sizeof *items, (size_t)i + 1, &capacity));
    assert_true(capacity > (size_t)i);
    grown += capacity != before;
    items[i] = i;
  }
  assert_true(grown < 20);  // by doubling
  for (int i = 0; i < 100000; i++)
    assert_int_equal(items[i], i);
  // What cannot be had changes nothing.
  int *kept = items;
  size_t was = capacity;
  assert_false(array_reserve(&items, sizeof *items, SIZE_MAX, &capacity));
  assert_false(array_reserve(&items, sizeof *items, SIZE_MAX / 2, &capacity));
  assert_ptr_equal(items, kept);
  assert_int_equal(capacity, was);
  free(items);

  char(*wide)[1000] = NULL;
  uint32_t small = 0;
  assert_true(array_reserve_u32(&wide, sizeof *wide, 1, &small));
  assert_true(small >= 1);
  assert_false(array_reserve_u32(&wide, sizeof *wide, (uint64_t)UINT32_MAX + 1, &small));
  assert_true(array_reserve_u32(&wide, sizeof *wide, 50, &small));
  assert_true(small >= 50);
  memset(wide, 7, 50 * sizeof *wide);
  free(wide);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_are_keys),
      cmocka_unit_test(addresses_are_keys),
      cmocka_unit_test(items_are_taken_out),
      cmocka_unit_test(arrays_grow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

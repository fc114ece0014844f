// Index maps against coordinates taken apart point by point, for maps made at random.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/kernel/index_map.h"

static int64_t elements(const struct index_shape *shape) {
  int64_t n = 1;
  for (uint32_t i = 0; i < shape->rank; i++)
    n *= shape->size[i];
  return n;
}

static uint32_t state;

static uint32_t below(uint32_t n) {
  state = state * 1664525u + 1013904223u;
  return (state >> 16) % n;
}

// A value of which the space takes some axes in any order, each in part or whole, and from others one element.
static struct index_map random_map(const struct index_shape *space, struct index_shape *value) {
  struct index_map map = {.rank = below(IR_MAX_RANK + 1)};
  bool taken[IR_MAX_RANK] = {false};
  bool in_order = below(2);
  uint32_t next = 0;
  value->rank = map.rank;
  for (uint32_t i = 0; i < map.rank; i++) {
    uint32_t axis = in_order ? next : below(IR_MAX_RANK);
    map.axis[i] = INDEX_FIXED;
    value->size[i] = 1 + below(3);
    map.begin[i] = below((uint32_t)value->size[i]);
    if (axis >= space->rank || taken[axis] || below(8) == 0)
      continue;
    taken[axis] = true;
    next = axis + 1 + (below(6) == 0);
    map.axis[i] = (int8_t)axis;
    map.begin[i] = below(3) == 0;
    value->size[i] = space->size[axis] + map.begin[i] + (below(4) == 0);
  }
  return map;
}

static struct index_shape random_shape(void) {
  struct index_shape shape = {.rank = below(IR_MAX_RANK + 1)};
  for (uint32_t i = 0; i < shape.rank; i++)
    shape.size[i] = 1 + below(4);
  return shape;
}

static void coordinates_of(const struct index_shape *shape, int64_t element, int64_t *c) {
  for (uint32_t i = shape->rank; i-- > 0; element /= shape->size[i])
    c[i] = element % shape->size[i];
}

static int64_t element_at(const struct index_map *map, const struct index_shape *value, const int64_t *c,
                          int64_t *own) {
  int64_t element = 0;
  for (uint32_t i = 0; i < map->rank; i++) {
    own[i] = map->begin[i] + (map->axis[i] == INDEX_FIXED ? 0 : c[map->axis[i]]);
    assert_in_range(own[i], 0, value->size[i] - 1);
    element = element * value->size[i] + own[i];
  }
  return element;
}

#define N_MAPS 20000

static void strides_and_groups_give_the_element(void **unused) {
  (void)unused;
  for (state = 0; state < N_MAPS * 7u;) {
    uint32_t seed = state;
    struct index_shape space = random_shape(), value;
    struct index_map map = random_map(&space, &value);
    struct index_strides strides = index_map_strides(&map, &space, &value);
    struct index_groups groups = index_group(&space, index_mergeable(&map, &space, &value, INDEX_MERGE_ALL));
    struct index_groups same = index_group_like(&space, &groups);
    assert_true(index_groups_equal(&groups, &same));
    bool identity = map.rank == space.rank, repeats = false;
    int64_t n = elements(&space), last = -1;
    for (int64_t point = 0; point < n; point++) {
      int64_t c[IR_MAX_RANK], own[IR_MAX_RANK];
      coordinates_of(&space, point, c);
      int64_t expected = element_at(&map, &value, c, own), by_axes = strides.offset,
              by_groups = strides.offset;
      for (uint32_t i = 0; i < space.rank; i++)
        by_axes += strides.stride[i] * c[i];
      // The point taken apart by the groups, which go over all points in the same order.
      int64_t rest = point;
      for (uint32_t i = groups.n; i-- > 0; rest /= groups.size[i])
        by_groups += index_group_stride(&strides, &groups, space.rank, i) * (rest % groups.size[i]);
      assert_int_equal(by_axes, expected);
      assert_int_equal(by_groups, expected);
      identity = identity && expected == last + 1;
      last = expected;
    }
    for (uint32_t i = 0; i < space.rank; i++) {
      bool followed = false;
      for (uint32_t j = 0; j < map.rank; j++)
        followed |= map.axis[j] == (int)i;
      repeats |= space.size[i] > 1 && !followed;
    }
    assert_int_equal(index_map_repeats(&map, &space), repeats);
    if (index_map_is_identity(&map, &space, &value))
      assert_true(identity && elements(&value) == n && groups.n == 1);
    state = seed + 7;
  }
}

static void composition_is_one_after_the_other(void **unused) {
  (void)unused;
  for (uint32_t seed = 0; seed < N_MAPS; seed++) {
    state = seed;
    struct index_shape space = random_shape(), middle, value;
    struct index_map first = random_map(&space, &middle), second = random_map(&middle, &value);
    struct index_map both = index_map_compose(&first, &second);
    for (int64_t point = 0; point < elements(&space); point++) {
      int64_t c[IR_MAX_RANK], between[IR_MAX_RANK], end[IR_MAX_RANK];
      coordinates_of(&space, point, c);
      element_at(&first, &middle, c, between);
      int64_t expected = element_at(&second, &value, between, end);
      assert_int_equal(element_at(&both, &value, c, end), expected);
    }
  }
}

// What is beneath an expression decides: a view of a view steps as one only where both do.
static void merging_follows_what_is_beneath(void **unused) {
  (void)unused;
  uint32_t n_merged = 0;
  for (uint32_t seed = 0; seed < N_MAPS; seed++) {
    state = seed;
    struct index_shape space = random_shape(), middle, value;
    struct index_map first = random_map(&space, &middle), second = random_map(&middle, &value);
    struct index_map both = index_map_compose(&first, &second);
    uint8_t beneath = index_mergeable(&second, &middle, &value, INDEX_MERGE_ALL);
    struct index_groups groups = index_group(&space, index_mergeable(&first, &space, &middle, beneath));
    struct index_strides strides = index_map_strides(&both, &space, &value);
    n_merged += groups.n < space.rank;
    for (int64_t point = 0; point < elements(&space); point++) {
      int64_t c[IR_MAX_RANK], own[IR_MAX_RANK], by_groups = strides.offset, rest = point;
      coordinates_of(&space, point, c);
      for (uint32_t i = groups.n; i-- > 0; rest /= groups.size[i])
        by_groups += index_group_stride(&strides, &groups, space.rank, i) * (rest % groups.size[i]);
      assert_int_equal(by_groups, element_at(&both, &value, c, own));
    }
  }
  assert_true(n_merged > N_MAPS / 10);
}

static void an_axis_stands_apart(void **unused) {
  (void)unused;
  struct index_shape space = {4, {2, 1, 3, 5}};
  struct index_groups groups = index_group(&space, index_apart(&space, INDEX_MERGE_ALL, 2));
  assert_int_equal(groups.n, 3);
  assert_int_equal(groups.group[0], 0);
  assert_int_equal(groups.group[1], INDEX_FIXED);
  assert_int_equal(groups.group[2], 1);
  assert_int_equal(groups.group[3], 2);
  groups = index_group(&space, INDEX_MERGE_ALL);
  assert_int_equal(groups.n, 1);
  assert_int_equal(groups.inner[0], 15);
  assert_int_equal(groups.inner[2], 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(strides_and_groups_give_the_element),
                                     cmocka_unit_test(composition_is_one_after_the_other),
                                     cmocka_unit_test(merging_follows_what_is_beneath),
                                     cmocka_unit_test(an_axis_stands_apart)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

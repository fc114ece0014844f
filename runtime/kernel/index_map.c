// Index maps: composition, strides, and axes that form one.
#include "runtime/kernel/index_map.h"

#include <assert.h>

#include "compiler/base/hash_index.h"

struct index_map index_map_identity(uint32_t rank) {
  struct index_map map = {.rank = rank};
  for (uint32_t i = 0; i < rank; i++)
    map.axis[i] = (int8_t)i;
  return map;
}

bool index_map_equal(const struct index_map *a, const struct index_map *b) {
  bool equal = a->rank == b->rank;
  for (uint32_t i = 0; i < a->rank && equal; i++)
    equal = a->axis[i] == b->axis[i] && a->begin[i] == b->begin[i];
  return equal;
}

uint64_t index_map_hash(uint64_t seed, const struct index_map *map) {
  for (uint32_t i = 0; i < map->rank; i++)
    seed = hash_mix(seed, (uint64_t)map->begin[i] * (IR_MAX_RANK + 1) + (uint64_t)(map->axis[i] + 1));
  return seed;
}

struct index_map index_map_compose(const struct index_map *first, const struct index_map *second) {
  struct index_map map = *second;
  for (uint32_t i = 0; i < second->rank; i++) {
    if (second->axis[i] == INDEX_FIXED)
      continue;
    map.axis[i] = first->axis[second->axis[i]];
    map.begin[i] += first->begin[second->axis[i]];
  }
  return map;
}

// The axis of the value that follows an axis of the space, or INDEX_FIXED.
static int follower(const struct index_map *map, uint32_t axis) {
  for (uint32_t i = 0; i < map->rank; i++)
    if (map->axis[i] == (int)axis)
      return (int)i;
  return INDEX_FIXED;
}

bool index_map_repeats(const struct index_map *map, const struct index_shape *space) {
  for (uint32_t i = 0; i < space->rank; i++)
    if (space->size[i] > 1 && follower(map, i) == INDEX_FIXED)
      return true;
  return false;
}

bool index_map_is_identity(const struct index_map *map, const struct index_shape *space,
                           const struct index_shape *value) {
  bool same = map->rank == space->rank && value->rank == space->rank;
  for (uint32_t i = 0; i < map->rank && same; i++)
    same = map->axis[i] == (int)i && map->begin[i] == 0 && value->size[i] == space->size[i];
  return same;
}

struct index_strides index_map_strides(const struct index_map *map, const struct index_shape *space,
                                       const struct index_shape *value) {
  struct index_strides strides = {0};
  int64_t step = 1;
  for (uint32_t i = map->rank; i-- > 0; step *= value->size[i]) {
    strides.offset += map->begin[i] * step;
    if (map->axis[i] != INDEX_FIXED && space->size[map->axis[i]] > 1)
      strides.stride[map->axis[i]] += step;
  }
  return strides;
}

// ---------------------------------------------------------------------------------------------- axes that are one

static uint32_t next_long_axis(const struct index_shape *shape, uint32_t after) {
  uint32_t i = after + 1;
  while (i < shape->rank && shape->size[i] == 1)
    i++;
  return i;
}

// Whether axis i of the space and the next one, j, step through the value as one axis would.
static bool steps_as_one(const struct index_map *map, const struct index_shape *space,
                         const struct index_shape *value, uint8_t value_mergeable, uint32_t i, uint32_t j) {
  int outer = follower(map, i), inner = follower(map, j);
  if (outer == INDEX_FIXED || inner == INDEX_FIXED)
    return outer == inner;
  return outer < inner && next_long_axis(value, (uint32_t)outer) == (uint32_t)inner &&
         value->size[inner] == space->size[j] && map->begin[inner] == 0 && (value_mergeable >> outer & 1);
}

uint8_t index_mergeable(const struct index_map *map, const struct index_shape *space,
                        const struct index_shape *value, uint8_t value_mergeable) {
  uint8_t mergeable = INDEX_MERGE_ALL;
  for (uint32_t i = 0; i < space->rank; i++) {
    uint32_t next = next_long_axis(space, i);
    if (next < space->rank && !steps_as_one(map, space, value, value_mergeable, i, next))
      mergeable &= (uint8_t) ~(1u << i);
  }
  return mergeable;
}

uint8_t index_apart(const struct index_shape *space, uint8_t mergeable, uint32_t axis) {
  for (uint32_t i = 0; i <= axis; i++)
    if (i == axis || next_long_axis(space, i) == axis)
      mergeable &= (uint8_t) ~(1u << i);
  return mergeable;
}

// How far it is from one point of each axis to the next, within its group.
static void set_inner(struct index_groups *groups, const struct index_shape *space) {
  int64_t points[IR_MAX_RANK] = {1, 1, 1, 1};  // [group] of its axes from here on
  for (uint32_t i = space->rank; i-- > 0;) {
    int group = groups->group[i];
    groups->inner[i] = group == INDEX_FIXED ? 1 : points[group];
    if (group != INDEX_FIXED)
      points[group] *= space->size[i];
  }
}

struct index_groups index_group(const struct index_shape *space, uint8_t mergeable) {
  struct index_groups groups = {.n = 1, .size = {1}};
  bool joins = true;
  for (uint32_t i = 0; i < space->rank; i++) {
    groups.group[i] = INDEX_FIXED;
    if (space->size[i] == 1)
      continue;
    if (!joins)
      groups.size[groups.n++] = 1;
    groups.group[i] = (int8_t)(groups.n - 1);
    groups.size[groups.n - 1] *= space->size[i];
    joins = mergeable >> i & 1;
  }
  set_inner(&groups, space);
  return groups;
}

struct index_groups index_group_like(const struct index_shape *space, const struct index_groups *like) {
  struct index_groups groups = {.n = like->n};
  uint32_t group = 0;
  int64_t points = 1;
  for (uint32_t i = 0; i < like->n; i++)
    groups.size[i] = like->size[i];
  for (uint32_t i = 0; i < space->rank; i++) {
    groups.group[i] = INDEX_FIXED;
    if (space->size[i] == 1)
      continue;
    if (points == like->size[group]) {
      group++;
      points = 1;
    }
    points *= space->size[i];
    assert(group < like->n && points <= like->size[group] && "the space has no such groups");
    groups.group[i] = (int8_t)group;
  }
  set_inner(&groups, space);
  return groups;
}

bool index_groups_equal(const struct index_groups *a, const struct index_groups *b) {
  bool equal = a->n == b->n;
  for (uint32_t i = 0; i < a->n && equal; i++)
    equal = a->size[i] == b->size[i];
  return equal;
}

int64_t index_group_stride(const struct index_strides *strides, const struct index_groups *groups,
                           uint32_t rank, uint32_t group) {
  for (uint32_t i = rank; i-- > 0;)
    if (groups->group[i] == (int)group)
      return strides->stride[i];
  return 0;
}

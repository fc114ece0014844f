// Which element of an operand an element of a result needs, for every operation that works by element: one
// description of broadcasts, slices, joins, paddings, permutations and reductions over an axis. It knows of no
// device: a planner asks whether two accesses are the same and which axes form one, a generator turns a map into
// an offset and strides and those into addresses.
//
// A *space* is what a loop runs over: the points (c0, c1, ...) with 0 <= ci < its size. For an element-wise result
// the space is the result's shape; for a reduction it is the operand's shape, and the axis that is reduced
// is one of it. A *map* gives for each point of a space the element of a value:
//
//   coordinate k of the value = begin[k] + (axis[k] == INDEX_FIXED ? 0 : c[axis[k]])
//
//   element-wise       axis = 0, 1, ..; begin = 0           (the identity)
//   scalar operand     the value has no axes                (every point needs its only element)
//   broadcast          axes of the space that no coordinate follows
//   slice of axis k    begin[k] = where it begins
//   part p of a join   begin[k] = - where the part begins; holds where the coordinate lies in the part. Padding likewise
//   permutation        axis = the permutation
//
// Maps of that form are closed under composition, exactly: that is why they keep coordinates rather than strides.
// All sizes are known; a value's elements lie densely, the last axis innermost.
//
// Axes that every map beneath an expression treats as one are *merged*, so that a whole tensor is one loop over its
// elements wherever nothing tells its axes apart. Axes of one element belong to no group.
#ifndef NN_RUNTIME_KERNEL_INDEX_MAP_H
#define NN_RUNTIME_KERNEL_INDEX_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/ir/ir.h"

#define INDEX_FIXED (-1)

// Sizes of a space or a value.
struct index_shape {
  uint32_t rank;
  int64_t size[IR_MAX_RANK];
};

struct index_map {
  uint32_t rank;               // of the value
  int8_t axis[IR_MAX_RANK];    // [axis of the value] of the space, or INDEX_FIXED
  int64_t begin[IR_MAX_RANK];  // [axis of the value]
};

// The same as arithmetic: element = offset + sum of stride[i] * c[i].
struct index_strides {
  int64_t offset;
  int64_t stride[IR_MAX_RANK];  // [axis of the space]; 0: all its points need the same element
};

// The axes of a space as loops: runs of neighbouring axes, outermost first. There is at least one.
struct index_groups {
  uint32_t n;
  int64_t size[IR_MAX_RANK];  // [group]
  int8_t group[IR_MAX_RANK];  // [axis], INDEX_FIXED for axes of one element: their coordinate is 0
  // [axis] points of its group's axes after it: one step along the axis is that many
  int64_t inner[IR_MAX_RANK];
};

struct index_map index_map_identity(uint32_t rank);
bool index_map_equal(const struct index_map *, const struct index_map *);
uint64_t index_map_hash(uint64_t seed, const struct index_map *);
// From the space of `first`, whose value is the space of `second`, to the value of `second`.
struct index_map index_map_compose(const struct index_map *first, const struct index_map *second);
// Whether points of the space, of which there are several, need the same element of the value.
bool index_map_repeats(const struct index_map *, const struct index_shape *space);
// Point for point the elements of the value in their order, all of them.
bool index_map_is_identity(const struct index_map *, const struct index_shape *space,
                           const struct index_shape *value);
struct index_strides index_map_strides(const struct index_map *, const struct index_shape *space,
                                       const struct index_shape *value);

// Masks of axes: bit i says that axis i and the next one with more than one element can be one; so of axes of one
// element, too, which may be a part of a longer one. `value_mergeable` is that of the value's own axes, all ones where it
// lies in memory.
#define INDEX_MERGE_ALL 0xffu
uint8_t index_mergeable(const struct index_map *, const struct index_shape *space,
                        const struct index_shape *value, uint8_t value_mergeable);
// The same mask where an axis stands alone.
uint8_t index_apart(const struct index_shape *space, uint8_t mergeable, uint32_t axis);
struct index_groups index_group(const struct index_shape *space, uint8_t mergeable);
// The grouping of a space whose groups have the sizes of `like`, which is as fine as the space allows or coarser.
struct index_groups index_group_like(const struct index_shape *space, const struct index_groups *like);
bool index_groups_equal(const struct index_groups *, const struct index_groups *);  // in number and sizes
// One step of a group, in elements of the value.
int64_t index_group_stride(const struct index_strides *, const struct index_groups *, uint32_t rank,
                           uint32_t group);

#endif

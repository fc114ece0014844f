// The parameters of a bound model as every device sees them: names, sizes, which of them are lookup tables, and the
// values that they begin with. Their values lie on the device (device.h).
//
// A *family* (ir_param with a count) has members of equal shape; a plain parameter is a family of one. Members are
// numbered through: those of the first family come first. Values are row-major.
#ifndef NN_RUNTIME_KERNEL_PARAM_SHAPES_H
#define NN_RUNTIME_KERNEL_PARAM_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/nn.h"

struct param_shape {
  uint32_t rank;
  int64_t sizes[IR_MAX_RANK];
  int64_t rows, columns;  // as a matrix: sizes[0] and the product of the others; a scalar or vector: 1 row
  size_t elements;        // of a member
  // adjoint blocks reach it through d_row alone: only the rows that were looked up have a gradient
  bool sparse;
  uint32_t first, n_members;  // members first .. first + n_members - 1 of all
};

struct param_shapes {
  const struct ir_module *module;
  uint32_t n;
  struct param_shape *list;  // [ir_module.params]
  uint32_t n_members;
  char **names;        // [member] "stack.0.W"
  uint32_t *families;  // [member] its place in `list`
  uint64_t n_elements;
};

nn_status *param_shapes_init(struct param_shapes *, const struct ir_module *, const int64_t *dims);
void param_shapes_free(struct param_shapes *);

static inline const struct param_shape *param_shapes_of(const struct param_shapes *shapes, uint32_t member) {
  return &shapes->list[shapes->families[member]];
}

// Elements [first, first + n) of what a member begins with: drawn from the seed and its name, whatever the device and the
// pieces.
void param_shapes_draw(const struct param_shapes *, uint64_t seed, uint32_t member, size_t first, size_t n,
                       double *to);

#endif

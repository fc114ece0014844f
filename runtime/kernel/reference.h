// Slow and obvious evaluation of one instance of a block in double precision: what every kernel, pass and
// derivative is compared with. It knows the operations from their definitions alone and shares no code with
// the generators.
#ifndef NN_RUNTIME_KERNEL_REFERENCE_H
#define NN_RUNTIME_KERNEL_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/ir/ir.h"

// An SSA value while a block runs: the elements of a tensor, or a host scalar in `integer` or `number`.
struct reference_value {
  const struct ir_type *type;
  double *elements;  // owned by the run unless `borrowed`
  bool borrowed;
  int64_t n;  // elements
  int64_t integer;
  double number;
};

// Tensors are dense and row-major, without padding. Arrays named [param] have an entry for each of the
// block's parameters and use those of the kind in question; in an adjoint block saved values and gradients of
// the results are parameters too. All arrays belong to the caller, who sizes them by reference_elements.
struct reference {
  const int64_t *dims;           // [ir_module.dims]
  const int64_t *sizes;          // [number - 1] run-time sizes; ragged blocks only
  const double *const *tensors;  // [param] a list: stacked
  const int64_t *integers;       // [param] index or int
  const double *numbers;         // [param] float
  const double *const *params;   // [ir_module.params] the members of a family one after the other
  bool dropout;                  // false: dropout is the identity
  uint64_t seed, epoch;
  uint32_t example, ordinal;
  bool
      same_draws;  // all sites draw alike: for runs of a program before and after its sites are numbered anew
  double *const *outputs;          // [output], forward blocks
  double *const *input_gradients;  // [param], added to; adjoint blocks. NULL: not wanted
  double *const *param_gradients;  // [ir_module.params], added to; adjoint blocks. NULL: not wanted
  // Instead of `params`, where not NULL: elements [first, first + n) of a member. Of a table only the rows that are
  // looked up are asked for.
  void (*read_param)(void *context, uint32_t param, int64_t member, int64_t first, int64_t n, double *to);
  // Called after every instruction with a result, where not NULL; `values` by value id.
  void (*observe)(void *context, const struct ir_instr *, const struct reference_value *values);
  void *context;
  bool single;  // every result is rounded to a float
};

// Number of elements of a tensor type. Sizes must be bound and positive, and none a run-time size.
int64_t reference_elements(const struct ir_type *tensor, const int64_t *dims);
int64_t reference_size(const struct size *, const int64_t *dims);

// Runs the block. `const` data is read only; nothing of the module is changed.
void reference_run(const struct ir_module *, const struct ir_block *, const struct reference *);

#endif

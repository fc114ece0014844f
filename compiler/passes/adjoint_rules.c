// Derivatives that are no formula over elements: products, movement of elements, parameters as operands.
#include <assert.h>

#include "compiler/base/arena.h"
#include "compiler/passes/adjoint.h"

// ---------------------------------------------------------------------------------------------- products

static const struct ir_instr *definition(const struct ir_value *value, enum ir_op op) {
  return value->def && value->def->op == op ? value->def : NULL;
}

static struct ir_value *member_of(const struct adjoint *adjoint, const struct ir_instr *param) {
  return param->n_operands ? adjoint_twin(adjoint, param->operands[0]) : NULL;
}

// The gradient outer(rows, columns) of a matrix, as it lies in memory. For a parameter, or rows of one, the
// two vectors are handed to the runtime, which takes one product over the minibatch.
static void add_outer(struct adjoint *adjoint, const struct ir_value *matrix, struct ir_value *rows,
                      struct ir_value *columns) {
  const struct ir_instr *param = definition(matrix, IR_OP_PARAM), *slice = definition(matrix, IR_OP_SLICE);
  if (!param && slice && (param = definition(slice->operands[0], IR_OP_PARAM))) {
    uint32_t axis = ir_axis(slice);
    struct ir_value **padded = axis == 0 ? &rows : &columns;
    const struct ir_type *whole = ir_type_tensor(adjoint->module, 1,
                                                 slice->operands[0]->type->shape.sizes + axis);
    *padded = ir_build_pad(&adjoint->build, *padded, slice->size, whole, 0);
  }
  if (param)
    ir_build_d_outer(&adjoint->build, param->symbol, rows, columns, member_of(adjoint, param));
  else
    adjoint_add(adjoint, matrix, ir_build_binary(&adjoint->build, IR_OP_OUTER, rows, columns));
}

// y = A @ b or y = a @ B: one operand is a vector.
static void product_with_vector(struct adjoint *adjoint, const struct ir_instr *product, uint32_t operand,
                                struct ir_value *dy) {
  bool matrix_first = product->operands[0]->type->shape.rank == 2;
  bool transposed = matrix_first ? product->transpose_a : product->transpose_b;
  const struct ir_value *matrix = product->operands[matrix_first ? 0 : 1];
  const struct ir_value *vector = product->operands[matrix_first ? 1 : 0];
  // Whether dy runs along the rows of the matrix as it lies in memory; the vector runs along the columns
  // then.
  bool dy_along_rows = matrix_first != transposed;
  if ((operand == 0) == matrix_first) {
    struct ir_value *x = adjoint_twin(adjoint, vector);
    add_outer(adjoint, matrix, dy_along_rows ? dy : x, dy_along_rows ? x : dy);
    return;
  }
  struct ir_value *m = adjoint_twin(adjoint, matrix);
  adjoint_add(adjoint, vector, ir_build_matmul(&adjoint->build, m, dy_along_rows, dy, false));
}

// The gradient of an operand that was the same along the first dimensions of the result.
static struct ir_value *summed_to(struct ir_builder *build, struct ir_value *gradient, uint32_t rank) {
  while (gradient->type->shape.rank > rank)
    gradient = ir_build_over(build, IR_OP_SUM, gradient, 1);
  return gradient;
}

// All rows of matrices as one matrix.
static struct ir_value *rows_of(struct adjoint *adjoint, struct ir_value *a) {
  const struct ir_shape *shape = &a->type->shape;
  const struct size *sizes[2] = {shape->sizes[0], shape->sizes[shape->rank - 1]};
  for (uint32_t i = 1; sizes[0] && i + 1 < shape->rank; i++)
    sizes[0] = size_mul(adjoint->module->arena, sizes[0], shape->sizes[i]);
  assert(sizes[0]);  // the sizes of the whole can be multiplied
  return ir_build_reshape(&adjoint->build, a, ir_type_tensor(adjoint->module, 2, sizes));
}

// Y = A' @ B' where ' is the transpose asked for: dA' = dY @ B'^T, dB' = A'^T @ dY.
static void product_of_matrices(struct adjoint *adjoint, const struct ir_instr *product, uint32_t operand,
                                struct ir_value *dy) {
  bool ta = product->transpose_a, tb = product->transpose_b;
  struct ir_value *a = adjoint_twin(adjoint, product->operands[0]),
                  *b = adjoint_twin(adjoint, product->operands[1]);
  struct ir_builder *build = &adjoint->build;
  // One matrix for all: one product over all rows.
  if (operand == 1 && b->type->shape.rank == 2 && a->type->shape.rank > 2 && !ta &&
      !ir_type_is_ragged(a->type)) {
    a = rows_of(adjoint, a);
    dy = rows_of(adjoint, dy);
  }
  struct ir_value *gradient;
  if (operand == 0)
    gradient = ta ? ir_build_matmul(build, b, tb, dy, true) : ir_build_matmul(build, dy, false, b, !tb);
  else
    gradient = tb ? ir_build_matmul(build, dy, true, a, ta) : ir_build_matmul(build, a, !ta, dy, false);
  adjoint_add(adjoint, product->operands[operand],
              summed_to(build, gradient, product->operands[operand]->type->shape.rank));
}

static void differentiate_outer(struct adjoint *adjoint, const struct ir_instr *outer, uint32_t operand,
                                struct ir_value *dy) {
  struct ir_value *other = adjoint_twin(adjoint, outer->operands[1 - operand]);
  adjoint_add(adjoint, outer->operands[operand],
              ir_build_matmul(&adjoint->build, dy, operand == 1, other, false));
}

// ---------------------------------------------------------------------------------------------- movement

static void differentiate_concat(struct adjoint *adjoint, const struct ir_instr *concat, uint32_t operand,
                                 struct ir_value *dy) {
  struct arena *arena = adjoint->module->arena;
  uint32_t axis = ir_axis(concat);
  const struct size *offset = size_constant(arena, 0);
  for (uint32_t i = 0; i < operand; i++)
    offset = size_add(arena, offset, concat->operands[i]->type->shape.sizes[axis]);
  assert(offset);  // the whole, which is larger, has a size
  const struct size *length = concat->operands[operand]->type->shape.sizes[axis];
  adjoint_add(adjoint, concat->operands[operand], ir_build_slice(&adjoint->build, dy, offset, length, axis));
}

static void differentiate_slice(struct adjoint *adjoint, const struct ir_instr *slice, struct ir_value *dy) {
  struct forward_value *value = adjoint_value(adjoint, slice->operands[0]);
  struct gradient_part *part = arena_new(adjoint->scratch, struct gradient_part);
  *part = (struct gradient_part){slice->size, slice->length, ir_axis(slice), dy, false, value->parts};
  value->parts = part;
}

static void differentiate_lookup(struct adjoint *adjoint, const struct ir_instr *lookup,
                                 struct ir_value *dy) {
  const struct ir_value *matrix = lookup->operands[0];
  const struct ir_instr *param = definition(matrix, IR_OP_PARAM);
  struct ir_value *index = adjoint_twin(adjoint, lookup->operands[1]);
  if (param)
    ir_build_d_row(&adjoint->build, param->symbol, dy, index, member_of(adjoint, param));
  else
    adjoint_add(adjoint, matrix, ir_build_put(&adjoint->build, dy, index, matrix->type, 0));
}

static void differentiate_mean(struct adjoint *adjoint, const struct ir_instr *mean, struct ir_value *dy) {
  const struct ir_value *a = mean->operands[0];
  struct ir_builder *build = &adjoint->build;
  // The number of elements; a size is known only when the model is bound.
  struct ir_value *count = ir_build_over(build, IR_OP_SUM, ir_build_constant(build, 1, a->type), mean->axis);
  struct ir_value *share = ir_build_binary(build, IR_OP_DIV, dy, count);
  adjoint_add(adjoint, a,
              a->type->shape.rank == 0 ? share : ir_build_broadcast(build, share, a->type, mean->axis));
}

void adjoint_special(struct adjoint *adjoint, const struct ir_instr *forward, uint32_t operand,
                     struct ir_value *dy) {
  const struct ir_value *a = forward->operands[operand];
  switch (forward->op) {
  case IR_OP_MATMUL:
    if (forward->operands[0]->type->shape.rank >= 2 && forward->operands[1]->type->shape.rank >= 2)
      product_of_matrices(adjoint, forward, operand, dy);
    else
      product_with_vector(adjoint, forward, operand, dy);
    return;
  case IR_OP_OUTER: differentiate_outer(adjoint, forward, operand, dy); return;
  case IR_OP_CONCAT: differentiate_concat(adjoint, forward, operand, dy); return;
  case IR_OP_SLICE: differentiate_slice(adjoint, forward, dy); return;
  case IR_OP_LOOKUP: differentiate_lookup(adjoint, forward, dy); return;
  case IR_OP_MEAN: differentiate_mean(adjoint, forward, dy); return;
  case IR_OP_DROPOUT:
    // The same draw once more: what was dropped gets no gradient, the rest is scaled alike.
    adjoint_add(adjoint, a, ir_build_dropout(&adjoint->build, dy, forward->number, forward->site));
    return;
  case IR_OP_PAD:
    adjoint_add(adjoint, a,
                ir_build_slice(&adjoint->build, dy, forward->size, a->type->shape.sizes[ir_axis(forward)],
                               ir_axis(forward)));
    return;
  case IR_OP_PERMUTE:
    adjoint_add(
        adjoint, a,
        ir_build_permute(&adjoint->build, dy, ir_order_inverse(forward->integer, a->type->shape.rank)));
    return;
  case IR_OP_RESHAPE: adjoint_add(adjoint, a, ir_build_reshape(&adjoint->build, dy, a->type)); return;
  case IR_OP_TAKE:
  case IR_OP_WINDOW:
    adjoint_add(adjoint, a,
                ir_build_put(&adjoint->build, dy, adjoint_twin(adjoint, forward->operands[1]), a->type,
                             ir_axis(forward)));
    return;
  case IR_OP_PUT: {
    struct ir_value *at = adjoint_twin(adjoint, forward->operands[1]);
    const struct size *length = ir_indexed_length(forward);
    adjoint_add(adjoint, a,
                length ? ir_build_window(&adjoint->build, dy, at, length, ir_axis(forward))
                       : ir_build_take(&adjoint->build, dy, at, ir_axis(forward)));
    return;
  }
  default: assert(!"a derivative written @ has a rule here");
  }
}

// ----------------------------------------------------------------------------------- gradients of slices

// Whether a size cannot be negative, whatever the values of its atoms.
static bool is_never_negative(const struct size *size) {
  for (uint32_t i = 0; i < size->n_terms; i++)
    if (size->terms[i].coefficient < 0)
      return false;
  return true;
}

// The unused part along the axis that begins at or next after `at` for certain; *gap: how much is left out.
static struct gradient_part *next_part(struct adjoint *adjoint, struct gradient_part *parts, uint32_t axis,
                                       const struct size *at, const struct size **gap) {
  struct gradient_part *best = NULL;
  int64_t nearest = 0;
  for (struct gradient_part *part = parts; part; part = part->next) {
    bool considered = !part->used && part->axis == axis;
    const struct size *distance = !considered ? NULL : size_sub(adjoint->module->arena, part->offset, at);
    if (!distance || !is_never_negative(distance))
      continue;
    int64_t estimate = adjoint_estimate(adjoint->module, distance);
    if (best && estimate >= nearest)
      continue;
    best = part;
    nearest = estimate;
    *gap = distance;
  }
  return best;
}

static struct ir_value *zeros(struct adjoint *adjoint, const struct ir_type *whole, uint32_t axis,
                              const struct size *length) {
  const struct size *sizes[IR_MAX_RANK];
  for (uint32_t i = 0; i < whole->shape.rank; i++)
    sizes[i] = i == axis ? length : whole->shape.sizes[i];
  return ir_build_constant(&adjoint->build, 0, ir_type_tensor(adjoint->module, whole->shape.rank, sizes));
}

// Parts that lie one after the other along the axis, with zeros between them, as one concat. NULL when fewer than two
// do.
static struct ir_value *lay_in_line(struct adjoint *adjoint, const struct ir_type *whole, uint32_t axis,
                                    struct gradient_part *parts, uint32_t n_parts) {
  struct arena *arena = adjoint->module->arena;
  struct ir_value **pieces = arena_new_array(adjoint->scratch, struct ir_value *, 2 * (size_t)n_parts + 1);
  struct gradient_part **taken = arena_new_array(adjoint->scratch, struct gradient_part *, n_parts);
  const struct size *at = size_constant(arena, 0), *gap = NULL;
  uint32_t n = 0, n_taken = 0;
  for (struct gradient_part *part; (part = next_part(adjoint, parts, axis, at, &gap));) {
    const struct size *end = size_add(arena, part->offset, part->length);
    if (!end)
      break;
    if (gap->n_terms > 0)
      pieces[n++] = zeros(adjoint, whole, axis, gap);
    pieces[n++] = part->value;
    part->used = true;
    taken[n_taken++] = part;
    at = end;
  }
  const struct size *rest = size_sub(arena, whole->shape.sizes[axis], at);
  if (n_taken < 2 || !rest || !is_never_negative(rest)) {
    for (uint32_t i = 0; i < n_taken; i++)
      taken[i]->used = false;
    return NULL;
  }
  if (rest->n_terms > 0)
    pieces[n++] = zeros(adjoint, whole, axis, rest);
  return ir_build_concat(&adjoint->build, n, pieces, axis);
}

struct ir_value *adjoint_join_parts(struct adjoint *adjoint, const struct ir_value *forward) {
  struct gradient_part *parts = adjoint_value(adjoint, forward)->parts;
  uint32_t n = 0;
  for (const struct gradient_part *part = parts; part; part = part->next)
    n++;
  if (n == 0)
    return NULL;
  struct ir_value *sum = NULL;
  for (uint32_t axis = 0; axis < forward->type->shape.rank; axis++) {
    struct ir_value *line = lay_in_line(adjoint, forward->type, axis, parts, n);
    sum = sum && line ? ir_build_binary(&adjoint->build, IR_OP_ADD, sum, line) : sum ? sum : line;
  }
  for (struct gradient_part *part = parts; part; part = part->next) {
    if (part->used)
      continue;
    struct ir_value *padded = ir_build_pad(&adjoint->build, part->value, part->offset, forward->type,
                                           part->axis);
    sum = sum ? ir_build_binary(&adjoint->build, IR_OP_ADD, sum, padded) : padded;
  }
  adjoint_value(adjoint, forward)->parts = NULL;
  return sum;
}

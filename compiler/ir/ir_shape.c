// Shape rules of the tensor operations: one function per name in the column `shape` of ops.def.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "compiler/base/arena.h"
#include "compiler/ir/ir.h"

struct inference {
  struct ir_module *module;
  const struct ir_instr *instr;
  const char *why;
};

typedef const struct ir_type *shape_rule(struct inference *in);

static const struct ir_type *mismatch(struct inference *in, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Says what is wrong, after the operation's name; gives NULL.
static const struct ir_type *mismatch(struct inference *in, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *what = arena_vprintf(in->module->arena, format, args);
  va_end(args);
  in->why = arena_printf(in->module->arena, "%s: %s", ir_op_infos[in->instr->op].name, what);
  return NULL;
}

static const struct ir_type *operand(const struct inference *in, uint32_t i) {
  return in->instr->operands[i]->type;
}

static const char *text(struct inference *in, const struct ir_type *type) {
  return ir_type_text(in->module, in->module->arena, type);
}

static const struct ir_type *tensor(struct inference *in, uint32_t rank, const struct size *first,
                                    const struct size *second) {
  const struct size *sizes[2] = {first, second};
  return ir_type_tensor(in->module, rank, sizes);
}

// ------------------------------------------------------------------------------------------- rules

static const struct ir_type *no_such_axis(struct inference *in) {
  return mismatch(in, "%s has no dim %" PRIu32, text(in, operand(in, 0)), in->instr->axis - 1);
}

static const struct ir_type *shape_same(struct inference *in) {
  const struct ir_type *result = operand(in, 0);
  if (in->instr->axis > result->shape.rank)
    return no_such_axis(in);
  for (int i = 1; i < ir_op_infos[in->instr->op].arity; i++) {
    const struct ir_type *other = operand(in, (uint32_t)i);
    if (result->shape.rank == 0)
      result = other;
    else if (other->shape.rank != 0 && !ir_type_equal(result, other))
      return mismatch(in, "shapes %s and %s differ", text(in, result), text(in, other));
  }
  return result;
}

// `a` without the axis that is reduced.
static const struct ir_type *without_axis(struct inference *in) {
  const struct ir_type *a = operand(in, 0);
  const struct size *sizes[IR_MAX_RANK];
  uint32_t n = 0;
  for (uint32_t i = 0; i < a->shape.rank; i++)
    if (i + 1 != in->instr->axis)
      sizes[n++] = a->shape.sizes[i];
  return ir_type_tensor(in->module, n, sizes);
}

static const struct ir_type *shape_scalar(struct inference *in) {
  enum ir_op op = in->instr->op;
  if (op == IR_OP_DOT && !ir_type_equal(operand(in, 0), operand(in, 1)))
    return mismatch(in, "shapes %s and %s differ", text(in, operand(in, 0)), text(in, operand(in, 1)));
  bool wants_vector = op == IR_OP_PICK || op == IR_OP_NLL || op == IR_OP_ARGMAX;
  if (wants_vector && operand(in, 0)->shape.rank != 1)
    return mismatch(in, "a vector is needed, not %s", text(in, operand(in, 0)));
  if (in->instr->axis > operand(in, 0)->shape.rank)
    return no_such_axis(in);
  return in->instr->axis > 0 ? without_axis(in) : ir_type_tensor(in->module, 0, NULL);
}

static const struct ir_type *shape_vector(struct inference *in) {
  if (in->instr->axis > operand(in, 0)->shape.rank)
    return no_such_axis(in);
  if (in->instr->axis == 0 && operand(in, 0)->shape.rank != 1)
    return mismatch(in, "a vector is needed, not %s", text(in, operand(in, 0)));
  return operand(in, 0);
}

static const struct ir_type *shape_matmul(struct inference *in) {
  const struct ir_type *a = operand(in, 0), *b = operand(in, 1);
  bool ta = in->instr->transpose_a, tb = in->instr->transpose_b;
  uint32_t ra = a->shape.rank, rb = b->shape.rank;
  if (ra < 1 || ra > 2 || rb < 1 || rb > 2 || ra + rb < 3)
    return mismatch(in, "%s @ %s: one side must be a matrix, the other a matrix or vector", text(in, a),
                    text(in, b));
  if ((ta && ra == 1) || (tb && rb == 1))
    return mismatch(in, "a vector is never transposed: %s @ %s", text(in, a), text(in, b));
  const struct size *inner_a = a->shape.sizes[ra == 2 && !ta], *inner_b = b->shape.sizes[rb == 2 && tb];
  if (!size_equal(inner_a, inner_b))
    return mismatch(in, "inner sizes of %s%s and %s%s differ: %s and %s", text(in, a),
                    ta ? " (transposed)" : "", text(in, b), tb ? " (transposed)" : "",
                    size_text(in->module->arena, inner_a), size_text(in->module->arena, inner_b));
  const struct size *rows = a->shape.sizes[ta], *columns = b->shape.sizes[!tb];
  if (ra == 1)
    return tensor(in, 1, columns, NULL);
  return rb == 1 ? tensor(in, 1, rows, NULL) : tensor(in, 2, rows, columns);
}

static const struct ir_type *shape_outer(struct inference *in) {
  const struct ir_type *a = operand(in, 0), *b = operand(in, 1);
  if (a->shape.rank != 1 || b->shape.rank != 1)
    return mismatch(in, "two vectors are needed, not %s and %s", text(in, a), text(in, b));
  return tensor(in, 2, a->shape.sizes[0], b->shape.sizes[0]);
}

static const struct ir_type *shape_concat(struct inference *in) {
  const struct ir_type *first = operand(in, 0);
  uint32_t rank = first->shape.rank;
  if (rank < 1 || rank > 2)
    return mismatch(in, "vectors or matrices are needed, not %s", text(in, first));
  const struct size *total = first->shape.sizes[0];
  for (uint32_t i = 1; i < in->instr->n_operands; i++) {
    const struct ir_type *other = operand(in, i);
    if (other->shape.rank != rank || (rank == 2 && !size_equal(first->shape.sizes[1], other->shape.sizes[1])))
      return mismatch(in, "%s and %s cannot be joined", text(in, first), text(in, other));
    total = size_add(in->module->arena, total, other->shape.sizes[0]);
    if (!total)
      return mismatch(in, "the joined size is out of range");
  }
  return tensor(in, rank, total, rank == 2 ? first->shape.sizes[1] : NULL);
}

static const struct ir_type *shape_slice(struct inference *in) {
  const struct ir_type *a = operand(in, 0);
  const struct ir_instr *instr = in->instr;
  struct arena *arena = in->module->arena;
  if (a->shape.rank < 1 || a->shape.rank > 2)
    return mismatch(in, "a vector or a matrix is needed, not %s", text(in, a));
  if (!instr->size || !instr->length)
    return mismatch(in, "offset or length is missing");
  const struct size *end = size_add(arena, instr->size, instr->length);
  const struct size *rest = end ? size_sub(arena, a->shape.sizes[0], end) : NULL;
  if (!rest)
    return mismatch(in, "the end of the part is out of range");
  int64_t left, offset, length;
  // What only the values of dims can tell is checked when they are bound.
  if ((size_is_constant(rest, &left) && left < 0) || (size_is_constant(instr->size, &offset) && offset < 0) ||
      (size_is_constant(instr->length, &length) && length < 0))
    return mismatch(in, "offset %s, length %s do not lie in %s", size_text(arena, instr->size),
                    size_text(arena, instr->length), text(in, a));
  return tensor(in, a->shape.rank, instr->length, a->shape.rank == 2 ? a->shape.sizes[1] : NULL);
}

static const struct ir_type *shape_transpose(struct inference *in) {
  const struct ir_type *a = operand(in, 0);
  if (a->shape.rank != 2)
    return mismatch(in, "a matrix is needed, not %s", text(in, a));
  return tensor(in, 2, a->shape.sizes[1], a->shape.sizes[0]);
}

static const struct ir_type *shape_row(struct inference *in) {
  const struct ir_type *a = operand(in, 0);
  if (a->shape.rank != 2)
    return mismatch(in, "a matrix is needed, not %s", text(in, a));
  return tensor(in, 1, a->shape.sizes[1], NULL);
}

// The shape is written in the instruction.
static const struct ir_type *shape_attr(struct inference *in) {
  (void)in;
  return NULL;
}

// No result.
static const struct ir_type *shape_none(struct inference *in) {
  (void)in;
  return NULL;
}

// --------------------------------------------------------------------------------------- the table

static shape_rule *const rules[IR_N_OPS] = {
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  [IR_OP_##ENUM] = shape_##shape,
#include "compiler/ir/ops.def"
#undef OP
};

bool ir_broadcasts(const struct ir_type *a, const struct ir_type *result, uint32_t axis) {
  if (axis == 0)
    return a->shape.rank == 0;
  bool fits = axis <= result->shape.rank && result->shape.rank == a->shape.rank + 1;
  for (uint32_t i = 0; i < a->shape.rank && fits; i++)
    fits = size_equal(a->shape.sizes[i], result->shape.sizes[i + (i + 1 >= axis)]);
  return fits;
}

bool ir_shape_is_written(enum ir_op op) { return rules[op] == shape_attr; }

static bool operands_are_tensors(struct inference *in) {
  const struct ir_instr *instr = in->instr;
  int arity = ir_op_infos[instr->op].arity;
  uint32_t n = arity < 0 ? instr->n_operands : (uint32_t)arity;
  if (instr->n_operands < n || (arity < 0 && n == 0)) {
    mismatch(in, "an operand is missing");
    return false;
  }
  for (uint32_t i = 0; i < n; i++) {
    if (operand(in, i)->kind != IR_TENSOR) {
      mismatch(in, "a tensor is needed, not %s", text(in, operand(in, i)));
      return false;
    }
  }
  return true;
}

const struct ir_type *ir_infer(struct ir_module *module, const struct ir_instr *instr, const char **why) {
  struct inference in = {module, instr, NULL};
  const struct ir_type *type = NULL;
  if (operands_are_tensors(&in))
    type = rules[instr->op](&in);
  if (why)
    *why = in.why;
  return type;
}

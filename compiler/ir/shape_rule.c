// The rules of the column `shape` of ops.def: one function for each name in it.
#include "compiler/ir/shape_rule.h"

#include <string.h>

struct asking {
  const struct shape_question *q;
  struct ir_shape *result;
  struct shape_fault *fault;
};

typedef bool shape_rule(struct asking *);

static const struct ir_shape *operand(const struct asking *in, uint32_t i) { return in->q->operands[i]; }

static bool give(struct asking *in, uint32_t rank, const struct size *first, const struct size *second) {
  *in->result = (struct ir_shape){rank, {first, second}};
  return true;
}

static bool give_shape(struct asking *in, const struct ir_shape *shape) {
  *in->result = *shape;
  return true;
}

static bool refuse(struct asking *in, enum shape_fault_kind kind, uint32_t i, uint32_t other) {
  *in->fault = (struct shape_fault){.kind = kind, .operand = i, .other = other};
  return false;
}

static bool has_rank(struct asking *in, uint32_t i, uint32_t least, uint32_t most) {
  if (operand(in, i)->rank >= least && operand(in, i)->rank <= most)
    return true;
  refuse(in, SHAPE_RANK, i, 0);
  in->fault->least = least;
  in->fault->most = most;
  return false;
}

static bool has_axis(struct asking *in) {
  return in->q->axis <= operand(in, 0)->rank || refuse(in, SHAPE_AXIS, 0, 0);
}

static bool equal(const struct ir_shape *a, const struct ir_shape *b) {
  bool same = a->rank == b->rank;
  for (uint32_t i = 0; same && i < a->rank; i++)
    same = size_equal(a->sizes[i], b->sizes[i]);
  return same;
}

// Whether `part` is the last dimensions of `whole`; a scalar is none of them.
static bool is_end_of(const struct ir_shape *part, const struct ir_shape *whole) {
  bool same = part->rank <= whole->rank;
  for (uint32_t i = 0; same && i < part->rank; i++)
    same = size_equal(part->sizes[i], whole->sizes[whole->rank - part->rank + i]);
  return same;
}

static bool shape_same(struct asking *in) {
  uint32_t chosen = 0;
  for (uint32_t i = 0; i < in->q->n; i++) {
    if (!has_rank(in, i, 0, IR_MAX_RANK))
      return false;
    if (operand(in, i)->rank > operand(in, chosen)->rank)
      chosen = i;
  }
  if (!has_axis(in))
    return false;
  for (uint32_t i = in->q->n; i-- > 0;)
    if (!is_end_of(operand(in, i), operand(in, chosen)))
      return refuse(in, SHAPE_DIFFERS, i > chosen ? i : chosen, i > chosen ? chosen : i);
  return give_shape(in, operand(in, chosen));
}

// A scalar, or the first operand without the axis that is reduced.
static bool shape_scalar(struct asking *in) {
  enum ir_op op = in->q->op;
  bool wants_vector = op == IR_OP_PICK || op == IR_OP_NLL || op == IR_OP_ARGMAX;
  if (in->q->n == 0)
    return give(in, 0, NULL, NULL);
  for (uint32_t i = 0; op == IR_OP_DOT && i < 2; i++)
    if (!has_rank(in, i, 1, IR_MAX_RANK))
      return false;
  if (op == IR_OP_DOT && !equal(operand(in, 0), operand(in, 1)))
    return refuse(in, SHAPE_DIFFERS, 1, 0);
  if (!has_rank(in, 0, wants_vector, wants_vector ? 1 : IR_MAX_RANK) || !has_axis(in))
    return false;
  const struct ir_shape *a = operand(in, 0);
  give(in, 0, NULL, NULL);
  for (uint32_t i = 0; in->q->axis > 0 && i < a->rank; i++)
    if (i + 1 != in->q->axis)
      in->result->sizes[in->result->rank++] = a->sizes[i];
  return true;
}

static bool shape_vector(struct asking *in) {
  uint32_t most = in->q->axis > 0 ? IR_MAX_RANK : 1;
  return has_rank(in, 0, in->q->axis == 0, most) && has_axis(in) && give_shape(in, operand(in, 0));
}

// A matrix of the last two dimensions for each choice of those before: the operand that has fewer of these is the same
// along the first ones.
static bool lead_alike(struct asking *in) {
  const struct ir_shape *a = operand(in, 0), *b = operand(in, 1);
  for (uint32_t i = 3; i <= a->rank && i <= b->rank; i++) {
    const struct size *leads[2] = {a->sizes[a->rank - i], b->sizes[b->rank - i]};
    if (size_equal(leads[0], leads[1]))
      continue;
    refuse(in, SHAPE_LEAD, 0, 1);
    memcpy(in->fault->inner, leads, sizeof leads);
    return false;
  }
  return true;
}

static bool shape_matmul(struct asking *in) {
  const struct ir_shape *a = operand(in, 0), *b = operand(in, 1);
  bool ta = in->q->transpose_a, tb = in->q->transpose_b;
  uint32_t ra = a->rank, rb = b->rank;
  bool is_one = ra >= 2 && rb >= 2 && ra <= IR_MAX_RANK && rb <= IR_MAX_RANK;
  if (!is_one && !(ra == 1 && rb == 2) && !(ra == 2 && rb == 1))
    return refuse(in, SHAPE_PRODUCT, 0, 1);
  if ((ta && ra == 1) || (tb && rb == 1))
    return refuse(in, SHAPE_TURNED, tb && rb == 1, 0);
  const struct size *inner_a = a->sizes[ra - 1 - ta], *inner_b = b->sizes[rb == 1 ? 0 : rb - 2 + tb];
  if (!size_equal(inner_a, inner_b)) {
    refuse(in, SHAPE_INNER, 0, 1);
    in->fault->inner[0] = inner_a;
    in->fault->inner[1] = inner_b;
    return false;
  }
  if (ra == 1)
    return give(in, 1, b->sizes[!tb], NULL);
  if (rb == 1)
    return give(in, 1, a->sizes[ta], NULL);
  if (!lead_alike(in))
    return false;
  give_shape(in, ra >= rb ? a : b);
  in->result->sizes[in->result->rank - 2] = a->sizes[ra - 2 + ta];
  in->result->sizes[in->result->rank - 1] = b->sizes[rb - 1 - tb];
  return true;
}

static bool shape_outer(struct asking *in) {
  return has_rank(in, 0, 1, 1) && has_rank(in, 1, 1, 1) &&
         give(in, 2, operand(in, 0)->sizes[0], operand(in, 1)->sizes[0]);
}

// The axis that a movement goes along.
static uint32_t along(const struct asking *in) { return in->q->axis > 0 ? in->q->axis - 1 : 0; }

static bool shape_concat(struct asking *in) {
  const struct ir_shape *first = operand(in, 0);
  const struct size *total = NULL;
  if (!has_rank(in, 0, 1, IR_MAX_RANK) || !has_axis(in))
    return false;
  for (uint32_t i = 0; i < in->q->n; i++) {
    const struct ir_shape *part = operand(in, i);
    if (!has_rank(in, i, 1, IR_MAX_RANK))
      return false;
    bool joins = part->rank == first->rank;
    for (uint32_t k = 0; joins && k < part->rank; k++)
      joins = k == along(in) || size_equal(first->sizes[k], part->sizes[k]);
    if (!joins)
      return refuse(in, SHAPE_JOIN, i, 0);
    const struct size *here = part->sizes[along(in)];
    total = i == 0 ? here : size_add(in->q->arena, total, here);
    if (!total)
      return refuse(in, SHAPE_TOO_LARGE, i, 0);
  }
  give_shape(in, first);
  in->result->sizes[along(in)] = total;
  return true;
}

static bool is_negative(const struct size *size) {
  int64_t value;
  return size_is_constant(size, &value) && value < 0;
}

static bool shape_slice(struct asking *in) {
  const struct ir_shape *a = operand(in, 0);
  const struct size *offset = in->q->offset, *length = in->q->length;
  if (!has_rank(in, 0, 1, IR_MAX_RANK) || !has_axis(in))
    return false;
  if (!offset || !length)
    return refuse(in, SHAPE_NO_BOUNDS, 0, 0);
  const struct size *end = size_add(in->q->arena, offset, length);
  const struct size *rest = end ? size_sub(in->q->arena, a->sizes[along(in)], end) : NULL;
  if (!rest)
    return refuse(in, SHAPE_TOO_LARGE, 0, 0);
  // What only the values of dims can tell is checked when they are bound.
  if (is_negative(rest) || is_negative(offset) || is_negative(length))
    return refuse(in, SHAPE_BOUNDS, 0, 0);
  give_shape(in, a);
  in->result->sizes[along(in)] = length;
  return true;
}

static bool shape_transpose(struct asking *in) {
  const struct ir_shape *a = operand(in, 0);
  return has_rank(in, 0, 2, 2) && give(in, 2, a->sizes[1], a->sizes[0]);
}

static bool shape_permute(struct asking *in) {
  const struct ir_shape *a = operand(in, 0);
  uint32_t seen = 0;
  if (!has_rank(in, 0, 0, IR_MAX_RANK))
    return false;
  for (uint32_t i = 0; i < a->rank; i++)
    seen |= 1u << ir_order(in->q->order, i);  // IR_NO_AXIS is beyond any
  if (seen != (1u << a->rank) - 1 || in->q->order >> 4 * a->rank != 0)
    return refuse(in, SHAPE_ORDER, 0, 0);
  in->result->rank = a->rank;
  for (uint32_t i = 0; i < a->rank; i++)
    in->result->sizes[i] = a->sizes[ir_order(in->q->order, i)];
  return true;
}

static bool without_axis(struct asking *in, uint32_t axis) {
  const struct ir_shape *a = operand(in, 0);
  in->result->rank = 0;
  for (uint32_t i = 0; i < a->rank; i++)
    if (i != axis)
      in->result->sizes[in->result->rank++] = a->sizes[i];
  return true;
}

static bool shape_row(struct asking *in) { return has_rank(in, 0, 2, IR_MAX_RANK) && without_axis(in, 0); }

static bool shape_take(struct asking *in) {
  return has_rank(in, 0, 2, IR_MAX_RANK) && has_axis(in) && without_axis(in, along(in));
}

static bool shape_window(struct asking *in) {
  const struct ir_shape *a = operand(in, 0);
  if (!has_rank(in, 0, 1, IR_MAX_RANK) || !has_axis(in))
    return false;
  if (!in->q->length)
    return refuse(in, SHAPE_NO_BOUNDS, 0, 0);
  const struct size *whole = a->sizes[along(in)];
  const struct size *rest = size_is_runtime(whole) ? NULL : size_sub(in->q->arena, whole, in->q->length);
  int64_t length;
  if (!rest || is_negative(rest) || (size_is_constant(in->q->length, &length) && length < 1))
    return refuse(in, SHAPE_BOUNDS, 0, 0);
  give_shape(in, a);
  in->result->sizes[along(in)] = in->q->length;
  return true;
}

// The shape is written in the instruction.
#define shape_attr NULL
// No result.
#define shape_none NULL

static shape_rule *const rules[IR_N_OPS] = {
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  [IR_OP_##ENUM] = shape_##shape,
#include "compiler/ir/ops.def"
#undef OP
};

bool shape_of_result(const struct shape_question *question, struct ir_shape *result,
                     struct shape_fault *fault) {
  return rules[question->op](&(struct asking){question, result, fault});
}

bool ir_shape_is_written(enum ir_op op) {
  return rules[op] == NULL && ir_is_tensor_op(op) && ir_op_infos[op].class != IR_CLASS_SINK;
}

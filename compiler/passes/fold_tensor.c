// Simplification of tensor expressions. The rules for the rules:
//
//   1. The value stays what IEEE 754 makes it, for every value of the operands: infinities and NaN, too. So
//      x * 1, x / 1, x - 0 and -(-x) may go, but 0 * x may not: it is NaN where x is infinite or NaN, and a
//      product of matrices or a dot product with a zero operand is the same. Nor may x - x or x / x.
//   2. Only the sign of a zero may change, where nothing but a zero was added: x + 0, 0 - x, -(a - b). The sum
//      of a loop begins with such a zero, and the order of its terms is free anyhow.
//   3. No arithmetic is done here that a kernel would round in its own precision; what is known of a constant
//      is what the operation gives whatever the precision (the mean or the maximum of equal elements, the
//      movement of equal elements, the sum of zeros).
//   4. No operation is repeated, and the result is nearer to a block's parameters or to a flag of a product.
#include "compiler/passes/fold.h"

#include "compiler/base/arena.h"

static struct ir_instr *definition(const struct ir_value *value, enum ir_op op) {
  return value->def && value->def->op == op ? value->def : NULL;
}

static bool is_constant(const struct ir_value *value, double number) {
  const struct ir_instr *made = definition(value, IR_OP_CONSTANT);
  return made && made->number == number;
}

static bool same_type(const struct ir_value *a, const struct ir_type *type) {
  return ir_type_equal(a->type, type);
}

static struct size_parts {
  const struct size *begin, *end;
} part_of(struct ir_builder *build, const struct ir_instr *slice) {
  return (struct size_parts){slice->size, size_add(build->module->arena, slice->size, slice->length)};
}

// The definition, if it moves along the axis that `instr` moves along.
static struct ir_instr *moved_alike(const struct ir_value *value, enum ir_op op,
                                    const struct ir_instr *instr) {
  struct ir_instr *made = definition(value, op);
  return made && ir_axis(made) == ir_axis(instr) ? made : NULL;
}

// ------------------------------------------------------------------------------------------ element-wise

// The side that remains when the other is neutral, provided that it has the result's shape.
static struct ir_value *unless_broadcast(struct ir_value *value, const struct ir_type *type) {
  return same_type(value, type) ? value : NULL;
}

static struct ir_value *fold_binary(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0], *b = instr->operands[1];
  const struct ir_type *type = instr->results[0]->type;
  switch (instr->op) {
  case IR_OP_ADD:
    if (is_constant(b, 0))
      return unless_broadcast(a, type);
    return is_constant(a, 0) ? unless_broadcast(b, type) : NULL;
  case IR_OP_SUB:
    if (is_constant(b, 0))
      return unless_broadcast(a, type);
    return is_constant(a, 0) && same_type(b, type) ? ir_build_value(build, IR_OP_NEG, 1, &b, type) : NULL;
  case IR_OP_MUL:
    if (is_constant(b, 1))
      return unless_broadcast(a, type);
    return is_constant(a, 1) ? unless_broadcast(b, type) : NULL;
  case IR_OP_DIV: return is_constant(b, 1) ? unless_broadcast(a, type) : NULL;
  default: return NULL;
  }
}

static struct ir_value *fold_negation(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0];
  if (definition(a, IR_OP_NEG))
    return a->def->operands[0];
  if (definition(a, IR_OP_CONSTANT))
    return ir_build_constant(build, -a->def->number, a->type);
  if (definition(a, IR_OP_SUB) && same_type(a->def->operands[0], a->type) &&
      same_type(a->def->operands[1], a->type)) {
    struct ir_value *swapped[] = {a->def->operands[1], a->def->operands[0]};
    return ir_build_value(build, IR_OP_SUB, 2, swapped, a->type);
  }
  return NULL;
}

// ---------------------------------------------------------------------------------------------- products

// An operand that is itself a transposed matrix: the product's flag says so instead. In place.
static void absorb_transpose(struct ir_instr *instr, uint32_t which, bool *flag) {
  for (struct ir_instr *made; (made = definition(instr->operands[which], IR_OP_TRANSPOSE));) {
    instr->operands[which] = made->operands[0];
    *flag = !*flag;
  }
}

// The flags of a product, in place.
static void absorb_transposes(struct ir_instr *instr) {
  absorb_transpose(instr, 0, &instr->transpose_a);
  absorb_transpose(instr, 1, &instr->transpose_b);
}

// ---------------------------------------------------------------------------------------------- movement

// slice(concat(...)): of the operands whose boundaries it keeps, or inside a single one.
static struct ir_value *fold_slice_of_concat(struct ir_builder *build, const struct ir_instr *instr,
                                             const struct ir_instr *concat) {
  struct arena *arena = build->module->arena;
  struct size_parts part = part_of(build, instr);
  const struct size *at = size_constant(arena, 0);
  uint32_t first = UINT32_MAX;
  for (uint32_t i = 0; i < concat->n_operands && part.end; i++) {
    const struct size *next = size_add(arena, at, concat->operands[i]->type->shape.sizes[ir_axis(concat)]);
    if (!next)
      return NULL;
    if (size_equal(at, part.begin)) {
      first = i;
    }
    if (first != UINT32_MAX && size_equal(next, part.end)) {
      if (first == i)
        return concat->operands[i];
      return ir_build_concat(build, i - first + 1, concat->operands + first, ir_axis(concat));
    }
    // Inside one operand: both distances to its ends must be known not to be negative.
    const struct size *before = size_sub(arena, part.begin, at), *after = size_sub(arena, next, part.end);
    int64_t lead, tail;
    if (before && after && size_is_constant(before, &lead) && size_is_constant(after, &tail) && lead >= 0 &&
        tail >= 0)
      return ir_build_slice(build, concat->operands[i], before, instr->length, ir_axis(concat));
    at = next;
  }
  return NULL;
}

static struct ir_value *fold_slice(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0];
  int64_t offset;
  if (same_type(a, instr->results[0]->type) && size_is_constant(instr->size, &offset) && offset == 0)
    return a;
  if (definition(a, IR_OP_CONSTANT))
    return ir_build_constant(build, a->def->number, instr->results[0]->type);
  if (moved_alike(a, IR_OP_SLICE, instr)) {
    const struct size *sum = size_add(build->module->arena, instr->size, a->def->size);
    return sum ? ir_build_slice(build, a->def->operands[0], sum, instr->length, ir_axis(instr)) : NULL;
  }
  return moved_alike(a, IR_OP_CONCAT, instr) ? fold_slice_of_concat(build, instr, a->def) : NULL;
}

// Adjacent parts of one value stand for one longer part.
static bool adjacent(struct ir_builder *build, const struct ir_instr *concat, uint32_t i) {
  const struct ir_instr *a = moved_alike(concat->operands[i], IR_OP_SLICE, concat),
                        *b = moved_alike(concat->operands[i + 1], IR_OP_SLICE, concat);
  if (!a || !b || a->operands[0] != b->operands[0])
    return false;
  const struct size *end = part_of(build, a).end;
  return end && size_equal(end, b->size);
}

static struct ir_value *join(struct ir_builder *build, const struct ir_value *left,
                             const struct ir_value *right) {
  const struct size *length = size_add(build->module->arena, left->def->length, right->def->length);
  return length ? ir_build_slice(build, left->def->operands[0], left->def->size, length, ir_axis(left->def))
                : NULL;
}

static bool equal_constants(const struct ir_instr *concat) {
  const struct ir_instr *first = definition(concat->operands[0], IR_OP_CONSTANT);
  for (uint32_t i = 0; i < concat->n_operands; i++)
    if (!first || !is_constant(concat->operands[i], first->number))
      return false;
  return true;
}

static struct ir_value *fold_concat(struct ir_builder *build, const struct ir_instr *instr) {
  if (instr->n_operands == 1)
    return instr->operands[0];
  if (equal_constants(instr))
    return ir_build_constant(build, instr->operands[0]->def->number, instr->results[0]->type);
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    const struct ir_instr *inner = moved_alike(instr->operands[i], IR_OP_CONCAT, instr);
    bool joins = i + 1 < instr->n_operands && adjacent(build, instr, i);
    if (!inner && !joins)
      continue;
    // Flattened, or the pair joined; what is left is found when the new one is folded in its turn.
    uint32_t n = 0, most = instr->n_operands + (inner ? inner->n_operands : 0);
    struct ir_value **parts = arena_new_array(build->module->arena, struct ir_value *, most);
    for (uint32_t k = 0; k < i; k++)
      parts[n++] = instr->operands[k];
    for (uint32_t k = 0; inner && k < inner->n_operands; k++)
      parts[n++] = inner->operands[k];
    if (!inner && !(parts[n++] = join(build, instr->operands[i], instr->operands[i + 1])))
      return NULL;
    for (uint32_t k = inner ? i + 1 : i + 2; k < instr->n_operands; k++)
      parts[n++] = instr->operands[k];
    return n == 1 ? parts[0] : ir_build_concat(build, n, parts, ir_axis(instr));
  }
  return NULL;
}

static struct ir_value *fold_scalar(struct ir_builder *build, const struct ir_instr *instr) {
  const struct ir_instr *made = definition(instr->operands[0], IR_CONST_FLOAT);
  return made ? ir_build_constant(build, made->number, instr->results[0]->type) : NULL;
}

// Orders one after the other are one.
static struct ir_value *fold_permute(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0];
  uint32_t rank = a->type->shape.rank;
  bool is_identity = true;
  int64_t order = 0;
  for (uint32_t i = 0; i < rank; i++)
    is_identity = is_identity && ir_order(instr->integer, i) == i;
  if (is_identity)
    return a;
  if (definition(a, IR_OP_CONSTANT))
    return ir_build_constant(build, a->def->number, instr->results[0]->type);
  if (!definition(a, IR_OP_PERMUTE))
    return NULL;
  for (uint32_t i = 0; i < rank; i++)
    order = ir_order_with(order, i, ir_order(a->def->integer, ir_order(instr->integer, i)));
  return ir_build_permute(build, a->def->operands[0], order);
}

static struct ir_value *fold_reshape(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0];
  const struct ir_type *type = instr->results[0]->type;
  if (same_type(a, type))
    return a;
  if (definition(a, IR_OP_CONSTANT))
    return ir_build_constant(build, a->def->number, type);
  return definition(a, IR_OP_RESHAPE) ? ir_build_reshape(build, a->def->operands[0], type) : NULL;
}

static struct ir_value *fold_broadcast(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0];
  if (same_type(a, instr->results[0]->type))
    return a;
  return definition(a, IR_OP_CONSTANT) ? ir_build_constant(build, a->def->number, instr->results[0]->type)
                                       : NULL;
}

// Of a scalar; of a constant, where the number of elements does not matter.
static struct ir_value *fold_reduction(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0];
  if (a->type->shape.rank == 0)
    return a;
  const struct ir_instr *made = definition(a, IR_OP_CONSTANT);
  if (!made || (instr->op == IR_OP_SUM && made->number != 0))
    return NULL;
  return ir_build_constant(build, made->number, instr->results[0]->type);
}

struct ir_value *fold_tensor(struct ir_builder *build, struct ir_instr *instr) {
  struct ir_value *a = instr->n_operands ? instr->operands[0] : NULL;
  switch (instr->op) {
  case IR_OP_ADD:
  case IR_OP_SUB:
  case IR_OP_MUL:
  case IR_OP_DIV: return fold_binary(build, instr);
  case IR_OP_NEG: return fold_negation(build, instr);
  case IR_OP_MATMUL: absorb_transposes(instr); return NULL;
  case IR_OP_SLICE: return fold_slice(build, instr);
  case IR_OP_CONCAT: return fold_concat(build, instr);
  case IR_OP_SCALAR: return fold_scalar(build, instr);
  case IR_OP_PERMUTE: return fold_permute(build, instr);
  case IR_OP_RESHAPE: return fold_reshape(build, instr);
  case IR_OP_BROADCAST: return fold_broadcast(build, instr);
  case IR_OP_DROPOUT: return instr->number == 0 ? a : NULL;
  case IR_OP_STOP: return definition(a, IR_OP_STOP) ? a : NULL;
  case IR_OP_TRANSPOSE:
    if (definition(a, IR_OP_CONSTANT))
      return ir_build_constant(build, a->def->number, instr->results[0]->type);
    return definition(a, IR_OP_TRANSPOSE) ? a->def->operands[0] : NULL;
  case IR_OP_SUM:
  case IR_OP_MEAN:
  case IR_OP_AMAX: return fold_reduction(build, instr);
  default: return NULL;
  }
}

#include "tests/operations/op_variants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N_AXES (IR_MAX_RANK + 1)  // none written, and each

// Those besides the axis.
static uint32_t others(enum ir_op op) {
  switch (op) {
  case IR_OP_MATMUL: return 4;
  case IR_OP_SLICE:
  case IR_OP_PERMUTE:
  case IR_OP_RESHAPE: return 3;
  case IR_OP_PAD:
  case IR_OP_PUT:
  case IR_OP_DROPOUT: return 2;
  default: return 1;
  }
}

uint32_t op_variants(enum ir_op op) {
  return others(op) * ((ir_op_infos[op].attributes & IR_ATTR_AXIS) ? N_AXES : 1);
}

static void set_slice(struct arena *arena, struct ir_instr *instr, uint32_t variant) {
  const struct ir_shape *a = &instr->operands[0]->type->shape;
  const struct size *one = size_constant(arena, 1);
  instr->size = size_constant(arena, variant == 1);
  instr->length = ir_axis(instr) < a->rank ? a->sizes[ir_axis(instr)] : one;
  if (variant > 0)  // all of it, or all but the first or the last
    instr->length = size_sub(arena, instr->length, one);
}

// Reversed, the first at the end, the first two exchanged.
static int64_t order_of(uint32_t rank, uint32_t variant) {
  int64_t order = 0;
  for (uint32_t i = 0; i < rank; i++) {
    uint32_t exchanged = i < 2 && rank > 1 ? 1 - i : i;
    order = ir_order_with(order, i, variant == 0 ? rank - 1 - i : variant == 1 ? (i + 1) % rank : exchanged);
  }
  return order;
}

void op_set_variant(struct ir_module *module, struct ir_instr *instr, uint32_t variant) {
  struct arena *arena = module->arena;
  module->n_sites = 1;
  if (ir_op_infos[instr->op].attributes & IR_ATTR_AXIS) {
    instr->axis = variant % N_AXES;
    variant /= N_AXES;
  }
  switch (instr->op) {
  case IR_OP_MATMUL:
    instr->transpose_a = variant & 1;
    instr->transpose_b = variant & 2;
    break;
  case IR_OP_SLICE: set_slice(arena, instr, variant); break;
  case IR_OP_WINDOW:  // all but one element
    set_slice(arena, instr, 1);
    instr->size = NULL;
    break;
  case IR_OP_PAD: instr->size = size_constant(arena, 2 * variant); break;
  case IR_OP_PERMUTE: instr->integer = order_of(instr->operands[0]->type->shape.rank, variant); break;
  case IR_OP_DROPOUT: instr->number = variant == 0 ? 0.4 : 0.9; break;
  case IR_OP_CONSTANT: instr->number = 1.25; break;
  default: break;
  }
}

// The operand with an axis more.
static const struct ir_type *with_axis(struct ir_module *module, const struct ir_type *a, uint32_t axis) {
  const struct size *sizes[IR_MAX_RANK];
  if (axis > a->shape.rank + 1 || a->shape.rank == IR_MAX_RANK)
    return NULL;
  for (uint32_t i = 0; i <= a->shape.rank; i++)
    sizes[i] = i + 1 == axis ? size_constant(module->arena, 3) : a->shape.sizes[i - (i + 1 > axis)];
  return ir_type_tensor(module, a->shape.rank + 1, sizes);
}

static const struct ir_type *padded(struct ir_module *module, const struct ir_instr *instr) {
  struct ir_shape shape = instr->operands[0]->type->shape;
  uint32_t axis = ir_axis(instr);
  if (axis >= shape.rank)
    return NULL;
  shape.sizes[axis] = size_add(module->arena, shape.sizes[axis], size_constant(module->arena, 3));
  return ir_type_tensor(module, shape.rank, shape.sizes);
}

// All in one row, the first two sizes exchanged, one more dimension.
static const struct ir_type *reshaped(struct ir_module *module, const struct ir_type *a, uint32_t variant) {
  struct ir_shape shape = a->shape;
  const struct size *all = size_constant(module->arena, 1);
  for (uint32_t i = 0; i < shape.rank; i++)
    all = size_mul(module->arena, all, shape.sizes[i]);
  if (variant == 0)
    return ir_type_tensor(module, 1, &all);
  if (variant == 2 && shape.rank < IR_MAX_RANK) {
    shape.sizes[shape.rank] = size_constant(module->arena, 1);
    return ir_type_tensor(module, shape.rank + 1, shape.sizes);
  }
  if (shape.rank < 2 || variant == 2)
    return NULL;
  shape.sizes[0] = a->shape.sizes[1];
  shape.sizes[1] = a->shape.sizes[0];
  return ir_type_tensor(module, shape.rank, shape.sizes);
}

const struct ir_type *op_written_shape(struct ir_module *module, const struct ir_instr *instr,
                                       uint32_t variant, const struct ir_type *chosen) {
  const struct ir_type *a = instr->n_operands > 0 ? instr->operands[0]->type : NULL;
  switch (instr->op) {
  case IR_OP_BROADCAST:
    if (instr->axis > 0)
      return with_axis(module, a, instr->axis);
    return a->shape.rank == 0 ? chosen : NULL;
  case IR_OP_CONSTANT: return chosen;
  case IR_OP_ONEHOT: return chosen->shape.rank == 1 ? chosen : NULL;
  case IR_OP_PAD: return padded(module, instr);
  case IR_OP_RESHAPE: return reshaped(module, a, variant);
  case IR_OP_PUT:  // of one dimension less, or shorter
    if (variant / N_AXES > 0)
      return padded(module, instr);
    return a->shape.rank > 0 ? with_axis(module, a, ir_axis(instr) + 1) : NULL;
  case IR_OP_STACK: return NULL;  // blocks that have it are compared in their own test
  default: fail_msg("%s has a written shape: add a case", ir_op_infos[instr->op].name); return NULL;
  }
}

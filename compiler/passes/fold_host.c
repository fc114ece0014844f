// Folding of host instructions.
#include "compiler/passes/fold.h"

#include <math.h>

#include "compiler/base/arena.h"

static bool constant_int(const struct ir_value *value, int64_t *out) {
  if (!value->def ||
      (value->def->op != IR_CONST_INT && value->def->op != IR_CONST_BOOL && value->def->op != IR_CONST_INDEX))
    return false;
  *out = value->def->integer;
  return true;
}

static bool constant_float(const struct ir_value *value, double *out) {
  if (!value->def || value->def->op != IR_CONST_FLOAT)
    return false;
  *out = value->def->number;
  return true;
}

static struct ir_value *make_int(struct ir_builder *build, const struct ir_type *type, int64_t integer) {
  enum ir_op op = type->kind == IR_BOOL    ? IR_CONST_BOOL
                  : type->kind == IR_INDEX ? IR_CONST_INDEX
                                           : IR_CONST_INT;
  struct ir_value *value = ir_build_value(build, op, 0, NULL, type);
  value->def->integer = integer;
  return value;
}

static struct ir_value *make_float(struct ir_builder *build, const struct ir_type *type, double number) {
  struct ir_value *value = ir_build_value(build, IR_CONST_FLOAT, 0, NULL, type);
  value->def->number = number;
  return value;
}

// Unsigned arithmetic wraps as the IR's does. false: not foldable, for example a division by zero.
static bool evaluate_int(enum ir_op op, int64_t a, int64_t b, int64_t *out) {
  switch (op) {
  case IR_IADD: *out = (int64_t)((uint64_t)a + (uint64_t)b); return true;
  case IR_ISUB: *out = (int64_t)((uint64_t)a - (uint64_t)b); return true;
  case IR_IMUL: *out = (int64_t)((uint64_t)a * (uint64_t)b); return true;
  case IR_IDIV:
    if (b == 0 || b == -1)
      return false;
    *out = a / b;
    return true;
  case IR_IMOD:
    if (b == 0 || b == -1)
      return false;
    *out = a % b;
    return true;
  case IR_IEQ: *out = a == b; return true;
  case IR_INE: *out = a != b; return true;
  case IR_ILT: *out = a < b; return true;
  case IR_ILE: *out = a <= b; return true;
  default: return false;
  }
}

static bool evaluate_float(enum ir_op op, double a, double b, double *out) {
  switch (op) {
  case IR_FADD: *out = a + b; return true;
  case IR_FSUB: *out = a - b; return true;
  case IR_FMUL: *out = a * b; return true;
  case IR_FDIV: *out = a / b; return true;
  default: return false;
  }
}

static bool compare_floats(enum ir_op op, double a, double b, int64_t *out) {
  switch (op) {
  case IR_FEQ: *out = a == b; return true;
  case IR_FNE: *out = a != b; return true;
  case IR_FLT: *out = a < b; return true;
  case IR_FLE: *out = a <= b; return true;
  default: return false;
  }
}

// x + 0, x - 0, x * 1, x / 1.
static bool right_is_neutral(enum ir_op op, int64_t b) {
  return (b == 0 && (op == IR_IADD || op == IR_ISUB)) || (b == 1 && (op == IR_IMUL || op == IR_IDIV));
}

static struct ir_value *fold_binary(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0], *b = instr->operands[1];
  const struct ir_type *type = instr->results[0]->type;
  int64_t ia, ib, integer;
  double fa, fb, number;
  bool a_known = constant_int(a, &ia), b_known = constant_int(b, &ib);
  if (a_known && b_known && evaluate_int(instr->op, ia, ib, &integer))
    return make_int(build, type, integer);
  if (b_known && right_is_neutral(instr->op, ib))
    return a;
  if (a_known && ((instr->op == IR_IADD && ia == 0) || (instr->op == IR_IMUL && ia == 1)))
    return b;
  if (constant_float(a, &fa) && constant_float(b, &fb)) {
    if (evaluate_float(instr->op, fa, fb, &number))
      return make_float(build, type, number);
    if (compare_floats(instr->op, fa, fb, &integer))
      return make_int(build, type, integer);
  }
  return NULL;
}

static struct ir_value *fold_unary(struct ir_builder *build, const struct ir_instr *instr) {
  struct ir_value *a = instr->operands[0];
  const struct ir_type *type = instr->results[0]->type;
  int64_t integer;
  double number;
  switch (instr->op) {
  case IR_NOT:
    if (constant_int(a, &integer))
      return make_int(build, type, !integer);
    return a->def && a->def->op == IR_NOT ? a->def->operands[0] : NULL;
  case IR_INEG:
    return constant_int(a, &integer) ? make_int(build, type, (int64_t)(0 - (uint64_t)integer)) : NULL;
  case IR_FNEG: return constant_float(a, &number) ? make_float(build, type, -number) : NULL;
  // Only what is the same number on every machine.
  case IR_FSQRT: return constant_float(a, &number) ? make_float(build, type, sqrt(number)) : NULL;
  case IR_FABS: return constant_float(a, &number) ? make_float(build, type, fabs(number)) : NULL;
  case IR_FFLOOR: return constant_float(a, &number) ? make_float(build, type, floor(number)) : NULL;
  case IR_FCEIL: return constant_float(a, &number) ? make_float(build, type, ceil(number)) : NULL;
  case IR_FROUND: return constant_float(a, &number) ? make_float(build, type, round(number)) : NULL;
  case IR_INT_TO_FLOAT: return constant_int(a, &integer) ? make_float(build, type, (double)integer) : NULL;
  case IR_INDEX_TO_INT: return constant_int(a, &integer) ? make_int(build, type, integer) : NULL;
  case IR_INT_TO_INDEX:
    if (a->def && a->def->op == IR_INDEX_TO_INT && ir_type_equal(a->def->operands[0]->type, type))
      return a->def->operands[0];
    return NULL;
  default: return NULL;
  }
}

static struct ir_value *fold_data(struct ir_builder *build, const struct ir_instr *instr) {
  const struct ir_instr *made = instr->operands[0]->def;
  if (!made || made->op != IR_DATA_NEW)
    return NULL;
  if (instr->op == IR_DATA_TAG)
    return make_int(build, instr->results[0]->type, made->constructor);
  bool fits = made->constructor == instr->constructor && (uint64_t)instr->integer < made->n_operands;
  return fits ? made->operands[instr->integer] : NULL;
}

static struct ir_value *fold_list_length(struct ir_builder *build, const struct ir_instr *instr) {
  const struct ir_instr *made = instr->operands[0]->def;
  if (!made)
    return NULL;
  if (made->op == IR_LIST_NEW)
    return make_int(build, instr->results[0]->type, made->integer);
  if (made->op == IR_LIST_REVERSE || made->op == IR_LIST_SET)
    return ir_build_value(build, IR_LIST_LEN, 1, &made->operands[0], instr->results[0]->type);
  return NULL;
}

struct ir_value *fold_host(struct ir_builder *build, const struct ir_instr *instr) {
  int64_t integer, bound;
  if (instr->n_results != 1)
    return NULL;
  switch (instr->op) {
  case IR_SIZE:
    return size_is_constant(instr->size, &integer) ? make_int(build, instr->results[0]->type, integer) : NULL;
  case IR_CHECK_RANGE:
    if (constant_int(instr->operands[0], &integer) && constant_int(instr->operands[1], &bound) &&
        integer >= 0 && integer < bound)
      return instr->operands[0];
    return NULL;
  case IR_DATA_TAG:
  case IR_DATA_GET: return fold_data(build, instr);
  case IR_LIST_LEN: return fold_list_length(build, instr);
  case IR_BATCH_LEN:
    if (instr->operands[0] == instr->operands[1])
      return instr->operands[0];
    return constant_int(instr->operands[0], &integer) ? instr->operands[integer == 1] : NULL;
  default: break;
  }
  if (instr->op >= IR_IADD && instr->op <= IR_FLE && instr->n_operands == 2)
    return fold_binary(build, instr);
  return instr->n_operands == 1 ? fold_unary(build, instr) : NULL;
}

bool fold_host_results(struct ir_builder *build, struct ir_instr *instr) {
  (void)build;
  if (instr->op != IR_LIST_GET)
    return false;
  // An element of a list that was just written down.
  const struct ir_instr *made = instr->operands[0]->def;
  int64_t at;
  if (!made || made->op != IR_LIST_NEW || !constant_int(instr->operands[1], &at) || at < 0 ||
      at >= made->integer)
    return false;
  for (uint32_t r = 0; r < instr->n_results; r++)
    value_replace(instr->results[r], value_resolve(made->operands[(uint64_t)at * instr->n_results + r]));
  return true;
}

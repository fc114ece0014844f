// The column `derivatives` of ops.def: every formula is built into a block, evaluated by the slow evaluator
// below, and compared with central differences of the operation itself.
#include "tests/ir/ir_testing.h"

#include <math.h>

#include "compiler/base/arena.h"
#include "compiler/ir/derivative.h"
#include "compiler/ir/op_value.h"

#define MAX_ELEMENTS 8

struct tensor {
  uint32_t n;  // elements; 1 broadcasts
  double x[MAX_ELEMENTS];
};

// ---------------------------------------------------------------------------------- slow evaluator

static double at(const struct tensor *t, uint32_t i) { return t->x[t->n == 1 ? 0 : i]; }

static uint32_t largest(const struct tensor *a) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < a->n; i++)
    if (a->x[i] > a->x[best])
      best = i;
  return best;
}

static double sum_of_exp(const struct tensor *a) {
  double sum = 0;
  for (uint32_t i = 0; i < a->n; i++)
    sum += exp(a->x[i]);
  return sum;
}

static double reduce(enum ir_op op, const struct tensor *a, const struct tensor *b, uint32_t index) {
  double sum = 0;
  for (uint32_t i = 0; i < a->n; i++)
    sum += op == IR_OP_DOT ? a->x[i] * b->x[i] : a->x[i];
  switch (op) {
  case IR_OP_SUM:
  case IR_OP_DOT: return sum;
  case IR_OP_AMAX: return a->x[largest(a)];
  case IR_OP_LOGSUMEXP: return log(sum_of_exp(a));
  case IR_OP_PICK: return a->x[index];
  case IR_OP_NLL: return log(sum_of_exp(a)) - a->x[index];
  default: fail_msg("the evaluator lacks %s", ir_op_infos[op].name); return 0;
  }
}

static uint32_t elements(const struct ir_type *type) {
  int64_t n = 1, size;
  for (uint32_t i = 0; i < type->shape.rank; i++) {
    assert_true(size_is_constant(type->shape.sizes[i], &size));
    n *= size;
  }
  assert_in_range(n, 1, MAX_ELEMENTS);
  return (uint32_t)n;
}

static struct tensor transpose(const struct tensor *a, const struct ir_type *type) {
  int64_t rows, columns;
  assert_true(size_is_constant(type->shape.sizes[0], &rows) &&
              size_is_constant(type->shape.sizes[1], &columns));
  struct tensor result = {.n = a->n};
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < columns; k++)
      result.x[k * rows + i] = a->x[i * columns + k];
  return result;
}

static struct tensor evaluate_op(const struct ir_instr *instr, const struct tensor *a, const struct tensor *b,
                                 uint32_t index) {
  struct tensor y = {.n = elements(instr->results[0]->type)};
  if (instr->op == IR_OP_TRANSPOSE)
    return transpose(a, instr->operands[0]->type);
  for (uint32_t i = 0; i < y.n; i++) {
    switch (ir_op_infos[instr->op].class) {
    case IR_CLASS_REDUCE: y.x[i] = reduce(instr->op, a, b, index); break;
    case IR_CLASS_ELEMENTWISE: y.x[i] = op_value(instr->op, at(a, i), b ? at(b, i) : 0); break;
    default:
      switch (instr->op) {
      case IR_OP_SOFTMAX: y.x[i] = exp(a->x[i]) / sum_of_exp(a); break;
      case IR_OP_LOG_SOFTMAX: y.x[i] = a->x[i] - log(sum_of_exp(a)); break;
      case IR_OP_MAX_SHARE: y.x[i] = largest(a) == i; break;
      case IR_OP_BROADCAST: y.x[i] = a->x[0]; break;
      case IR_OP_CONSTANT: y.x[i] = instr->number; break;
      case IR_OP_ONEHOT: y.x[i] = i == index; break;
      default: fail_msg("the evaluator lacks %s", ir_op_infos[instr->op].name);
      }
    }
  }
  return y;
}

// Evaluates a block in which every index is the same; `values` has the parameters' and gets all others.
static void evaluate(const struct ir_block *block, struct tensor *values, uint32_t index) {
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    bool two = ir_op_infos[instr->op].arity == 2;
    const struct tensor *a = instr->n_operands ? &values[instr->operands[0]->id] : NULL;
    values[instr->results[0]->id] = evaluate_op(instr, a, two ? &values[instr->operands[1]->id] : NULL,
                                                index);
  }
}

// -------------------------------------------------------------------------------------- comparison

enum { A, B, I, Y, DY };  // parameters of the block with the gradient, in this order

struct setting {
  struct ir_module *module;
  struct ir_block *block;
  const struct derivatives *table;
  uint32_t asked;  // mask of names
};

static struct ir_value *give(void *context, enum derivative_name name) {
  struct setting *setting = context;
  assert_false(setting->asked & 1u << name);  // once each
  setting->asked |= 1u << name;
  return setting->block->params[name];
}

static const double inputs[2][MAX_ELEMENTS] = {{0.7, 1.3, 0.2, 2.1, 0.9, 1.7},
                                               {1.1, 0.4, 0.6, 1.9, 0.3, 0.8}};
static const double weights[MAX_ELEMENTS] = {0.3, -0.8, 1.2, 0.5, -0.4, 0.9};  // dy

// sum(dy * op(a, b)) with one element of one operand moved by delta.
static double objective(const struct ir_instr *forward, const struct tensor *operands, uint32_t operand,
                        uint32_t element, double delta) {
  struct tensor moved[2] = {operands[0], operands[1]};
  moved[operand].x[element] += delta;
  bool two = ir_op_infos[forward->op].arity == 2;
  struct tensor y = evaluate_op(forward, &moved[0], two ? &moved[1] : NULL, 1);
  double sum = 0;
  for (uint32_t i = 0; i < y.n; i++)
    sum += y.x[i] * weights[i];
  return sum;
}

static void compare(const struct ir_instr *forward, const struct tensor *operands, uint32_t operand,
                    const struct tensor *gradient) {
  for (uint32_t i = 0; i < operands[operand].n; i++) {
    const double h = 1e-5;
    double numeric =
        (objective(forward, operands, operand, i, h) - objective(forward, operands, operand, i, -h)) /
        (2 * h);
    double ours = gradient ? gradient->x[i] : 0;
    if (fabs(numeric - ours) > 1e-8 * (1 + fabs(numeric)))
      fail_msg("%s, operand %u, element %u: formula %.12g, differences %.12g", ir_op_infos[forward->op].name,
               operand, i, ours, numeric);
  }
}

static void check_operand(struct setting *setting, const struct ir_instr *forward, uint32_t operand) {
  struct ir_module *m = setting->module;
  setting->block = ir_add_block(m, "gradient", IR_BLOCK_ADJOINT);
  setting->asked = 0;
  const struct ir_type *type_a = forward->operands[0]->type, *type_y = forward->results[0]->type;
  bool two = ir_op_infos[forward->op].arity == 2;
  ir_add_block_param(m, setting->block, type_a);
  ir_add_block_param(m, setting->block, two ? forward->operands[1]->type : type_a);
  ir_add_block_param(m, setting->block, ir_type_simple(m, IR_INT));
  ir_add_block_param(m, setting->block, type_y);
  ir_add_block_param(m, setting->block, type_y);
  struct ir_builder builder = ir_builder_in_block(m, setting->block, (struct ir_loc){0});
  struct ir_value *gradient = derivative_build(setting->table, &builder, forward, operand, give, setting);
  // Nothing is kept for an adjoint that it does not read: of a sum the shape, not the value.
  switch (forward->op) {
  case IR_OP_SUM: assert_int_equal(setting->asked, 1 << DERIVATIVE_DY); break;
  case IR_OP_PICK: assert_int_equal(setting->asked, 1 << DERIVATIVE_DY | 1 << DERIVATIVE_I); break;
  case IR_OP_TANH: assert_int_equal(setting->asked, 1 << DERIVATIVE_DY | 1 << DERIVATIVE_Y); break;
  default: break;
  }

  struct tensor values[64] = {0};
  assert_in_range(setting->block->n_values, DY + 1, 64);
  for (uint32_t k = 0; k < 2; k++) {
    values[k].n = elements(setting->block->params[k]->type);
    memcpy(values[k].x, inputs[k], sizeof inputs[k]);
  }
  values[Y] = evaluate_op(forward, &values[A], two ? &values[B] : NULL, 1);
  values[DY].n = values[Y].n;
  memcpy(values[DY].x, weights, sizeof weights);
  evaluate(setting->block, values, 1);
  if (gradient)
    assert_true(ir_type_equal(gradient->type, forward->operands[operand]->type));
  compare(forward, values, operand, gradient ? &values[gradient->id] : NULL);
}

static int check_forms(struct setting *setting, enum ir_op op, const struct ir_type *a,
                       const struct ir_type *b) {
  struct ir_module *m = setting->module;
  struct ir_block *block = ir_add_block(m, "forward", IR_BLOCK_FORWARD);
  struct ir_builder builder = ir_builder_in_block(m, block, (struct ir_loc){0});
  struct ir_value *operands[2] = {ir_add_block_param(m, block, a)};
  uint32_t n = 1;
  if (ir_op_infos[op].takes_index)
    operands[n++] = ir_add_block_param(m, block, ir_type_simple(m, IR_INT));
  else if (ir_op_infos[op].arity == 2)
    operands[n++] = ir_add_block_param(m, block, b);
  const struct ir_value *result = ir_build_tensor(&builder, op, n, operands);
  int checked = 0;
  for (uint32_t k = 0; k < (uint32_t)ir_op_infos[op].arity; k++) {
    if (derivative_kind(setting->table, op, k) == DERIVATIVE_FORMULA) {
      check_operand(setting, result->def, k);
      checked++;
    }
  }
  return checked;
}

static void test_formulas_against_differences(void **state) {
  (void)state;
  struct ir_module *m = ir_module_new("test");
  struct setting setting = {.module = m, .table = derivatives_new(m->arena)};
  const struct size *sizes[2] = {size_constant(m->arena, 2), size_constant(m->arena, 3)};
  const struct ir_type *scalar = ir_type_tensor(m, 0, NULL), *vector = ir_type_tensor(m, 1, sizes + 1),
                       *matrix = ir_type_tensor(m, 2, sizes);
  int checked = 0;
  for (enum ir_op op = IR_FIRST_TENSOR_OP; op < IR_N_OPS; op++) {
    if (ir_op_infos[op].arity < 1 || op == IR_OP_BROADCAST)
      continue;
    bool formula = false;
    for (uint32_t k = 0; k < (uint32_t)ir_op_infos[op].arity; k++)
      formula = formula || derivative_kind(setting.table, op, k) == DERIVATIVE_FORMULA;
    if (!formula)
      continue;
    checked += check_forms(&setting, op, op == IR_OP_TRANSPOSE ? matrix : vector, vector);
    if (ir_op_infos[op].class == IR_CLASS_ELEMENTWISE) {
      checked += check_forms(&setting, op, scalar, scalar);
      checked += check_forms(&setting, op, vector, scalar);
      checked += check_forms(&setting, op, scalar, matrix);
    }
  }
  assert_true(checked > 60);
  ir_module_free(m);
}

// ---------------------------------------------------------------------------------- text and kinds

static void expect_gradient(enum ir_op op, uint32_t operand, const char *expected) {
  struct ir_module *m = ir_module_new("test");
  struct setting setting = {.module = m, .table = derivatives_new(m->arena)};
  const struct size *three = size_constant(m->arena, 3);
  const struct ir_type *vector = ir_type_tensor(m, 1, &three);
  struct ir_block *forward = ir_add_block(m, "f", IR_BLOCK_FORWARD);
  struct ir_builder builder = ir_builder_in_block(m, forward, (struct ir_loc){0});
  struct ir_value *operands[2] = {ir_add_block_param(m, forward, vector),
                                  ir_add_block_param(m, forward, vector)};
  struct ir_value *y = ir_build_tensor(&builder, op, (uint32_t)ir_op_infos[op].arity, operands);
  setting.block = ir_add_block(m, "g", IR_BLOCK_FORWARD);
  for (int i = 0; i <= DY; i++)
    ir_add_block_param(m, setting.block,
                       i == I             ? ir_type_simple(m, IR_INT)
                       : i == A || i == B ? vector
                                          : y->type);
  builder.block = setting.block;
  struct ir_value *gradient = derivative_build(setting.table, &builder, y->def, operand, give, &setting);
  assert_non_null(gradient);
  setting.block->n_outputs = setting.block->n_results = 1;
  setting.block->outputs = &gradient;
  char *error = NULL;
  if (!ir_verify(m, &error))
    fail_msg("%s", error);
  char *text = ir_print_block(m, setting.block);
  const char *body = strchr(text, '\n') + 1;
  assert_string_equal(body, expected);
  free(text);
  ir_module_free(m);
}

static void test_built_instructions(void **state) {
  (void)state;
  expect_gradient(IR_OP_TANH, 0,
                  "  %5 = mul %3, %3 : f32[3]\n"
                  "  %6 = constant 1 : f32\n"
                  "  %7 = sub %6, %5 : f32[3]\n"
                  "  %8 = mul %4, %7 : f32[3]\n"
                  "  return %8\n}\n");
  expect_gradient(IR_OP_ADD, 1, "  return %4\n}\n");  // dy itself
  expect_gradient(IR_OP_DIV, 1,
                  "  %5 = mul %4, %3 : f32[3]\n"
                  "  %6 = div %5, %1 : f32[3]\n"
                  "  %7 = neg %6 : f32[3]\n"
                  "  return %7\n}\n");
  expect_gradient(IR_OP_SUM, 0, "  %5 = broadcast %4 : f32[3]\n  return %5\n}\n");
}

static void test_kinds(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  const struct derivatives *table = derivatives_new(&arena);
  assert_int_equal(derivative_kind(table, IR_OP_ARGMAX, 0), DERIVATIVE_NONE);
  assert_int_equal(derivative_kind(table, IR_OP_STOP, 0), DERIVATIVE_NONE);
  assert_int_equal(derivative_kind(table, IR_OP_D_INPUT, 0), DERIVATIVE_NONE);
  assert_int_equal(derivative_kind(table, IR_OP_MATMUL, 0), DERIVATIVE_SPECIAL);
  assert_int_equal(derivative_kind(table, IR_OP_MATMUL, 1), DERIVATIVE_SPECIAL);
  assert_int_equal(derivative_kind(table, IR_OP_CONCAT, 17), DERIVATIVE_SPECIAL);
  assert_int_equal(derivative_kind(table, IR_OP_GT, 1), DERIVATIVE_NONE);
  arena_free(&arena);
}

// Expressions of the column `value`, read and computed here, and as the C compiler understands them.

static void *number_of(void *context, double number) {
  double *made = arena_new(context, double);
  *made = number;
  return made;
}

static void *routine_of(void *context, enum ir_op op, void *a, void *b) {
  assert_null(ir_op_infos[op].value);
  return number_of(context, op_value(op, *(double *)a, b ? *(double *)b : 0));
}

static void values_are_read_as_compiled(void **state) {
  (void)state;
  static const double points[] = {-2.5, -1, -0.0, 0, 0.25, 1, 3, INFINITY, NAN};
  size_t n = sizeof points / sizeof *points;
  struct arena arena;
  arena_init(&arena);
  const struct op_value_maker maker = {number_of, routine_of, &arena};
  for (enum ir_op op = IR_FIRST_TENSOR_OP; op < IR_N_OPS; op++)
    for (size_t i = 0; ir_op_infos[op].class == IR_CLASS_ELEMENTWISE && i < n * n; i++) {
      double a = points[i / n], b = points[i % n], compiled = op_value(op, a, b);
      const double *made = op_value_make(op, &maker, &a, ir_op_infos[op].arity > 1 ? &b : NULL);
      if (isnan(compiled) ? !isnan(*made) : memcmp(made, &compiled, sizeof compiled) != 0)
        fail_msg("%s(%g, %g): %g, compiled %g", ir_op_infos[op].name, a, b, *made, compiled);
    }
  arena_free(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_read_as_compiled),
      cmocka_unit_test(test_formulas_against_differences),
      cmocka_unit_test(test_built_instructions),
      cmocka_unit_test(test_kinds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

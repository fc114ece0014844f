// Constant expressions: arguments of layers and initialisers, the probability of dropout, and numbers that
// stand beside tensors. What only a run may report (a division by zero) has no constant value.
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "compiler/lower/lower_internal.h"

static struct lower_constant of_int(int64_t value) { return (struct lower_constant){TYPE_INT, value, 0}; }

static struct lower_constant of_bool(bool value) { return (struct lower_constant){TYPE_BOOL, value, 0}; }

static struct lower_constant of_float(double value) { return (struct lower_constant){TYPE_FLOAT, 0, value}; }

double lower_constant_number(struct lower_constant value) {
  return value.kind == TYPE_FLOAT ? value.number : (double)value.integer;
}

// -1, 0 or 1; 2 when one is not a number.
static int compare(struct lower_constant a, struct lower_constant b) {
  if (a.kind != TYPE_FLOAT)
    return (a.integer > b.integer) - (a.integer < b.integer);
  if (isnan(a.number) || isnan(b.number))
    return 2;
  return (a.number > b.number) - (a.number < b.number);
}

// Integers wrap, as at run time.
static bool int_arithmetic(enum ast_binary_op op, int64_t a, int64_t b, int64_t *value) {
  switch (op) {
  case AST_BINARY_ADD: *value = (int64_t)((uint64_t)a + (uint64_t)b); return true;
  case AST_BINARY_SUBTRACT: *value = (int64_t)((uint64_t)a - (uint64_t)b); return true;
  case AST_BINARY_MULTIPLY: *value = (int64_t)((uint64_t)a * (uint64_t)b); return true;
  case AST_BINARY_DIVIDE:
  case AST_BINARY_REMAINDER:
    if (b == 0 || (a == INT64_MIN && b == -1))
      return false;
    *value = op == AST_BINARY_DIVIDE ? a / b : a % b;
    return true;
  default: return false;
  }
}

static bool float_arithmetic(enum ast_binary_op op, double a, double b, double *value) {
  switch (op) {
  case AST_BINARY_ADD: *value = a + b; return true;
  case AST_BINARY_SUBTRACT: *value = a - b; return true;
  case AST_BINARY_MULTIPLY: *value = a * b; return true;
  case AST_BINARY_DIVIDE: *value = a / b; return true;
  default: return false;
  }
}

static bool comparison(enum ast_binary_op op, int order, bool *value) {
  switch (op) {
  case AST_BINARY_EQUAL: *value = order == 0; return true;
  case AST_BINARY_NOT_EQUAL: *value = order != 0; return true;
  case AST_BINARY_LESS: *value = order == -1; return true;
  case AST_BINARY_LESS_EQUAL: *value = order == -1 || order == 0; return true;
  case AST_BINARY_GREATER: *value = order == 1; return true;
  case AST_BINARY_GREATER_EQUAL: *value = order == 1 || order == 0; return true;
  default: return false;
  }
}

// *value is the left side's.
static bool operation(const struct lower_node *self, const struct ast_expr *expr,
                      struct lower_constant *value) {
  enum ast_binary_op op = expr->binary.op;
  struct lower_constant a = *value, b;
  if ((op == AST_BINARY_AND && !a.integer) || (op == AST_BINARY_OR && a.integer)) {
    *value = a;
    return true;
  }
  if (!lower_constant(self, expr->binary.right, &b) || a.kind != b.kind)
    return false;
  if (op == AST_BINARY_AND || op == AST_BINARY_OR) {
    *value = b;
    return true;
  }
  bool truth;
  if (comparison(op, compare(a, b), &truth)) {
    *value = of_bool(truth);
    return true;
  }
  value->kind = a.kind;
  return a.kind == TYPE_FLOAT ? float_arithmetic(op, a.number, b.number, &value->number)
                              : int_arithmetic(op, a.integer, b.integer, &value->integer);
}

static bool binary(const struct lower_node *self, const struct ast_expr *expr, struct lower_constant *value) {
  const struct ast_expr *op = expr;
  while (op->binary.left->kind == AST_EXPR_BINARY)
    op = op->binary.left;
  if (!lower_constant(self, op->binary.left, value))
    return false;
  for (; operation(self, op, value); op = op->outer)
    if (op == expr)
      return true;
  return false;
}

static bool unary(const struct lower_node *self, const struct ast_expr *expr, struct lower_constant *value) {
  if (!lower_constant(self, expr->unary.operand, value))
    return false;
  if (expr->unary.op == AST_UNARY_NOT)
    value->integer = !value->integer;
  else if (value->kind == TYPE_FLOAT)
    value->number = -value->number;
  else
    value->integer = (int64_t)(0 - (uint64_t)value->integer);
  return true;
}

// float(n), int(x)
static bool conversion(const struct lower_node *self, const struct ast_call *call,
                       struct lower_constant *value) {
  if (call->kind != AST_CALL_BUILTIN)
    return false;
  enum builtin_kind kind = call->target.builtin->kind;
  if ((kind != BUILTIN_FLOAT && kind != BUILTIN_INT) || !lower_constant(self, call->args[0], value))
    return false;
  if (kind == BUILTIN_FLOAT) {
    *value = of_float(lower_constant_number(*value));
    return true;
  }
  // The bounds are exact: the range of int64_t is [-2^63, 2^63).
  if (value->kind == TYPE_FLOAT && !(value->number >= -0x1p63 && value->number < 0x1p63))
    return false;
  *value = of_int(value->kind == TYPE_FLOAT ? (int64_t)value->number : value->integer);
  return true;
}

bool lower_constant(const struct lower_node *self, const struct ast_expr *expr,
                    struct lower_constant *value) {
  switch (expr->kind) {
  case AST_EXPR_INT: *value = of_int(expr->integer); return true;
  case AST_EXPR_FLOAT: *value = of_float(expr->floating); return true;
  case AST_EXPR_BOOL: *value = of_bool(expr->boolean); return true;
  case AST_EXPR_UNARY: return unary(self, expr, value);
  case AST_EXPR_BINARY: return binary(self, expr, value);
  case AST_EXPR_CALL: return conversion(self, &expr->call.resolved, value);
  case AST_EXPR_NAME: {
    if (expr->name.ref.kind != AST_REF_LAYER_PARAM)
      return false;
    const struct ast_layer_param *param = expr->name.ref.layer_param;
    if (param->kind == AST_LAYER_PARAM_DIM || param->kind == AST_LAYER_PARAM_INDEX)
      return false;
    *value = self->args[param->index].value;
    return true;
  }
  default: return false;
  }
}

struct lower_constant lower_required_constant(struct lower *lower, const struct lower_node *self,
                                              const struct ast_expr *expr) {
  struct lower_constant value = {TYPE_INT, 0, 0};
  bool known = lower_constant(self, expr, &value);
  if (!known || !isfinite(lower_constant_number(value))) {
    diag_error(lower->sink, DIAG_CONSTANT_VALUE, expr->span,
               known ? "this constant is too large" : "this constant has no value");
    lower_fail(lower);
  }
  return value;
}

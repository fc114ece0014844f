// The column `value` of ops.def: expressions compiled as C, for numbers, and read as formulas, for everything else.
#include "compiler/ir/op_value.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "compiler/ir/formula.h"

// -------------------------------------------------------------------------------------------------- numbers

// The routines by the names that they have in expressions; the others are C's own.
#define abs(a) fabs(a)
static double max(double a, double b) { return b > a || isnan(b) ? b : a; }
static double min(double a, double b) { return b < a || isnan(b) ? b : a; }
static double gt(double a, double b) { return isnan(a) || isnan(b) ? NAN : a > b; }
static double sigmoid(double a) { return 1 / (1 + exp(-a)); }

// A row that is an expression defines value_ENUM here; one that is a routine declares it.
#define BODY_ROUTINE ;
#define BODY_AS(...)                                                                                         \
  {                                                                                                          \
    (void)b;                                                                                                 \
    return __VA_ARGS__;                                                                                      \
  }
#define VALUE_OF_ELEMENTWISE(ENUM, value) static double value_##ENUM(double a, double b) BODY_##value
#define VALUE_OF_PRODUCT(ENUM, value)
#define VALUE_OF_REDUCE(ENUM, value)
#define VALUE_OF_ROWWISE(ENUM, value)
#define VALUE_OF_MOVE(ENUM, value)
#define VALUE_OF_SOURCE(ENUM, value)
#define VALUE_OF_SINK(ENUM, value)
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  VALUE_OF_##class(ENUM, value)
#include "compiler/ir/ops.def"
#undef OP

// value_ENUM for each routine: a row without one does not compile.
#define ROUTINE(ENUM, expression)                                                                            \
  static double value_##ENUM(double a, double b) {                                                           \
    (void)b;                                                                                                 \
    return expression;                                                                                       \
  }
ROUTINE(NEG, -a)
ROUTINE(EXP, exp(a))
ROUTINE(LOG, log(a))
ROUTINE(LOG1P, log1p(a))
ROUTINE(EXPM1, expm1(a))
ROUTINE(ERF, erf(a))
ROUTINE(ERFC, erfc(a))
ROUTINE(SQRT, sqrt(a))
ROUTINE(TANH, tanh(a))
ROUTINE(SIGMOID, sigmoid(a))
ROUTINE(ABS, abs(a))
ROUTINE(ADD, a + b)
ROUTINE(SUB, a - b)
ROUTINE(MUL, a *b)
ROUTINE(DIV, a / b)
ROUTINE(MAX, max(a, b))
ROUTINE(MIN, min(a, b))
ROUTINE(GT, gt(a, b))

static double (*const values[IR_N_OPS])(double a, double b) = {
#undef VALUE_OF_ELEMENTWISE
#define VALUE_OF_ELEMENTWISE(ENUM, value) [IR_OP_##ENUM] = value_##ENUM,
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  VALUE_OF_##class(ENUM, value)
#include "compiler/ir/ops.def"
#undef OP
};

double op_value(enum ir_op op, double a, double b) {
  assert(values[op] != NULL);
  return values[op](a, b);
}

// ------------------------------------------------------------------------------------------- everything else

struct making {
  const struct op_value_maker *maker;
  void *a, *b;
};

static void *make_number(void *context, double number) {
  const struct making *making = context;
  return making->maker->number(making->maker->context, number);
}

static void *make_name(void *context, const char *word) {
  const struct making *making = context;
  return strcmp(word, "a") == 0 ? making->a : strcmp(word, "b") == 0 ? making->b : NULL;
}

static void *make_call(void *context, enum ir_op op, uint32_t n, void *const *args) {
  const struct making *making = context;
  const struct ir_op_info *info = &ir_op_infos[op];
  if (info->class != IR_CLASS_ELEMENTWISE || info->value != NULL || info->arity != (int)n)
    return NULL;
  return making->maker->routine(making->maker->context, op, args[0], n > 1 ? args[1] : NULL);
}

void *op_value_make(enum ir_op op, const struct op_value_maker *maker, void *a, void *b) {
  const struct ir_op_info *info = &ir_op_infos[op];
  assert(info->class == IR_CLASS_ELEMENTWISE);
  if (info->value == NULL)
    return maker->routine(maker->context, op, a, b);
  struct making making = {maker, a, b};
  const char *end;
  void *made = formula_read(op, info->value, &end,
                            &(struct formula_reader){make_number, make_name, make_call, &making});
  if (*end != '\0')
    formula_mistake(op, info->value, "the end expected", end);
  return made;
}

// Formulas of ops.def as trees, and trees as instructions.
#include "compiler/ir/derivative.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/ir/formula.h"

#define MAX_OPERANDS 2  // of an operation whose operands have a formula each
#define N_NAMES (DERIVATIVE_DY + 1)

enum node_kind { NODE_NUMBER, NODE_NAME, NODE_OPERATION };

struct node {
  enum node_kind kind;
  union {
    double number;
    enum derivative_name name;
    struct {
      enum ir_op op;
      const struct node *args[2];     // the second may be NULL
      enum derivative_name shape_of;  // second argument of broadcast and onehot: A or B
    } operation;
  };
};

struct formula {
  enum derivative_kind kind;
  const struct node *tree;
};

struct derivatives {
  struct formula formulas[IR_N_OPS][MAX_OPERANDS];
};

// ----------------------------------------------------------------------------------------- reading

static void *read_number(void *context, double number) {
  struct node *node = arena_new(context, struct node);
  node->kind = NODE_NUMBER;
  node->number = number;
  return node;
}

static void *read_name(void *context, const char *word) {
  static const char *const names[N_NAMES] = {"a", "b", "i", "y", "dy"};
  for (int i = 0; i < N_NAMES; i++) {
    if (strcmp(names[i], word) == 0) {
      struct node *node = arena_new(context, struct node);
      node->kind = NODE_NAME;
      node->name = (enum derivative_name)i;
      return node;
    }
  }
  return NULL;
}

static void *read_call(void *context, enum ir_op op, uint32_t n, void *const *args) {
  struct node *node = arena_new(context, struct node);
  node->kind = NODE_OPERATION;
  node->operation.op = op;
  node->operation.args[0] = args[0];
  if (op == IR_OP_BROADCAST || op == IR_OP_ONEHOT) {
    const struct node *like = n == 2 ? args[1] : NULL;
    if (!like || like->kind != NODE_NAME || like->name > DERIVATIVE_B)
      return NULL;
    node->operation.shape_of = like->name;
    return node;
  }
  node->operation.args[1] = n == 2 ? args[1] : NULL;
  return ir_op_infos[op].arity == (int)n ? node : NULL;
}

static void read_row(struct derivatives *table, struct arena *arena, enum ir_op op) {
  const struct formula_reader reader = {read_number, read_name, read_call, arena};
  const char *text = ir_op_infos[op].derivatives, *next = text;
  struct formula *formulas = table->formulas[op];
  int arity = ir_op_infos[op].arity, n = 0;
  if (*text == '\0')  // sources, sinks, host operations
    return;
  if (strcmp(text, "@") == 0) {  // stands for every operand
    formulas[0].kind = formulas[1].kind = DERIVATIVE_SPECIAL;
    return;
  }
  do {
    next += *next == ';';
    if (n == MAX_OPERANDS)
      formula_mistake(op, text, "more formulas than operands", next);
    const struct node *tree = formula_read(op, next, &next, &reader);
    bool is_zero = tree->kind == NODE_NUMBER && tree->number == 0;
    formulas[n++] = is_zero ? (struct formula){.kind = DERIVATIVE_NONE}
                            : (struct formula){DERIVATIVE_FORMULA, tree};
  } while (*next == ';');
  if (n != arity)
    formula_mistake(op, text, "not one formula per operand", next);
}

const struct derivatives *derivatives_new(struct arena *arena) {
  struct derivatives *table = arena_new(arena, struct derivatives);
  for (int op = 0; op < IR_N_OPS; op++)
    read_row(table, arena, (enum ir_op)op);
  return table;
}

static const struct formula *formula_of(const struct derivatives *table, enum ir_op op, uint32_t operand) {
  int arity = ir_op_infos[op].arity;
  assert(arity < 0 || operand < MAX_OPERANDS);
  return &table->formulas[op][arity < 0 ? 0 : operand];
}

enum derivative_kind derivative_kind(const struct derivatives *table, enum ir_op op, uint32_t operand) {
  return formula_of(table, op, operand)->kind;
}

// ---------------------------------------------------------------------------------------- building

// A subexpression: a number as long as it is one, so that trivial operations fold.
struct term {
  struct ir_value *value;  // NULL: the number
  double number;
};

struct construction {
  struct ir_builder *builder;
  const struct ir_instr *forward;
  derivative_value_fn *value;
  void *context;
  struct ir_value *names[N_NAMES];  // asked for so far
};

static struct term constant(double number) { return (struct term){NULL, number}; }

static bool is_constant(struct term term, double number) { return !term.value && term.number == number; }

static struct ir_value *materialise(struct construction *c, struct term term) {
  return term.value ? term.value : ir_build_scalar_constant(c->builder, term.number);
}

static struct term negate(struct construction *c, struct term a) {
  if (!a.value)
    return constant(-a.number);
  return (struct term){ir_build_unary(c->builder, IR_OP_NEG, a.value), 0};
}

// Both are numbers.
static struct term fold(enum ir_op op, double a, double b) {
  switch (op) {
  case IR_OP_ADD: return constant(a + b);
  case IR_OP_SUB: return constant(a - b);
  case IR_OP_MUL: return constant(a * b);
  case IR_OP_DIV: return constant(a / b);
  default: assert(op == IR_OP_GT); return constant(a > b ? 1 : 0);
  }
}

// What lacks the axis of the row's operation is the same along it. Scalars go with every shape.
static struct ir_value *along_axis(struct construction *c, struct ir_value *a, const struct ir_type *shape) {
  uint32_t axis = c->forward->axis;
  if (axis == 0 || a->type->shape.rank == 0 || a->type->shape.rank == shape->shape.rank)
    return a;
  return ir_build_broadcast(c->builder, a, shape, axis);
}

static struct term build_binary(struct construction *c, enum ir_op op, struct term a, struct term b) {
  bool foldable = op == IR_OP_ADD || op == IR_OP_SUB || op == IR_OP_MUL || op == IR_OP_DIV || op == IR_OP_GT;
  if (!a.value && !b.value && foldable)
    return fold(op, a.number, b.number);
  if (op == IR_OP_MUL && (is_constant(a, 0) || is_constant(b, 0)))
    return constant(0);
  if (op == IR_OP_DIV && is_constant(a, 0))
    return constant(0);
  if ((op == IR_OP_ADD && is_constant(b, 0)) || (op == IR_OP_SUB && is_constant(b, 0)) ||
      (op == IR_OP_MUL && is_constant(b, 1)) || (op == IR_OP_DIV && is_constant(b, 1)))
    return a;
  if ((op == IR_OP_ADD && is_constant(a, 0)) || (op == IR_OP_MUL && is_constant(a, 1)))
    return b;
  if (op == IR_OP_SUB && is_constant(a, 0))
    return negate(c, b);
  struct ir_value *left = materialise(c, a), *right = materialise(c, b);
  if (left->type->shape.rank > right->type->shape.rank)
    right = along_axis(c, right, left->type);
  else
    left = along_axis(c, left, right->type);
  return (struct term){ir_build_binary(c->builder, op, left, right), 0};
}

static struct term build_name(struct construction *c, enum derivative_name name) {
  if (!c->names[name])
    c->names[name] = c->value(c->context, name);
  return (struct term){c->names[name], 0};
}

static struct term build(struct construction *c, const struct node *node) {
  if (node->kind == NODE_NUMBER)
    return constant(node->number);
  if (node->kind == NODE_NAME)
    return build_name(c, node->name);
  enum ir_op op = node->operation.op;
  struct term a = build(c, node->operation.args[0]);
  if (node->operation.args[1])
    return build_binary(c, op, a, build(c, node->operation.args[1]));
  if (op == IR_OP_NEG)
    return negate(c, a);
  const struct ir_type *shape = c->forward->operands[node->operation.shape_of]->type;
  if (op == IR_OP_ONEHOT)
    return (struct term){ir_build_onehot(c->builder, a.value, shape), 0};
  if (op == IR_OP_BROADCAST)
    return (struct term){ir_build_broadcast(c->builder, materialise(c, a), shape, c->forward->axis), 0};
  uint32_t axis = (ir_op_infos[op].attributes & IR_ATTR_AXIS) ? c->forward->axis : 0;
  return (struct term){ir_build_over(c->builder, op, materialise(c, a), axis), 0};
}

struct ir_value *derivative_build(const struct derivatives *table, struct ir_builder *builder,
                                  const struct ir_instr *forward, uint32_t operand,
                                  derivative_value_fn *value, void *context) {
  const struct formula *formula = formula_of(table, forward->op, operand);
  assert(formula->kind == DERIVATIVE_FORMULA);
  struct construction c = {.builder = builder, .forward = forward, .value = value, .context = context};
  struct term gradient = build(&c, formula->tree);
  if (is_constant(gradient, 0))
    return NULL;
  const struct ir_type *shape = forward->operands[operand]->type;
  if (!gradient.value)
    return ir_build_constant(builder, gradient.number, shape);
  uint32_t rank = gradient.value->type->shape.rank;
  if (shape->shape.rank == 0 && rank > 0)  // the scalar was used by every element
    return ir_build_unary(builder, IR_OP_SUM, gradient.value);
  if (shape->shape.rank > 0 && rank == 0)
    return ir_build_broadcast(builder, gradient.value, shape, 0);
  for (; rank > shape->shape.rank; rank--)  // each element was used along the first dimensions
    gradient.value = ir_build_over(builder, IR_OP_SUM, gradient.value, 1);
  gradient.value = along_axis(&c, gradient.value, shape);
  assert(ir_type_equal(gradient.value->type, shape));
  return gradient.value;
}

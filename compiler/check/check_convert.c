// How numbers become what is wanted: a host number a scalar tensor, an integer literal a float.
//
// The conversions reach into what is written where the value stands: elements of lists, items of tuples, branches, arms
// and blocks, and for a literal also signs, sums, differences and products of literals. (Not quotients: `1 / 2` is 0,
// and would be 0.5.) The node of a literal itself becomes a float, so that nothing after the checker needs to know.
#include "compiler/check/checker.h"

// The type of the value that the expression gives, its own conversion included.
static const struct type *type_of_value(struct checker *checker, const struct ast_expr *expr) {
  const struct type *type = type_resolve(expr->type);
  if (expr->conversion == AST_CONVERT_NONE)
    return type;
  if (expr->conversion != AST_CONVERT_TO_BATCH)
    type = &type_scalar;
  return expr->conversion == AST_CONVERT_TO_SCALAR
             ? type
             : type_batch(checker->arena, type, size_constant(checker->arena, 1));
}

// Whether somewhere in `actual` a number stands where `wanted` has another sort of number.
static bool differs(const struct type *actual, const struct type *wanted) {
  actual = type_resolve(actual);
  wanted = type_resolve(wanted);
  if (type_is_scalar(wanted))
    return type_is_host_number(actual);
  if (wanted->kind == TYPE_BATCH)
    return actual->kind != TYPE_BATCH && actual->kind != TYPE_ERROR && actual->kind != TYPE_NEVER &&
           (differs(actual, wanted->batch.element) || type_equal(actual, wanted->batch.element));
  if (wanted->kind == TYPE_FLOAT)
    return actual->kind == TYPE_INT;
  if (wanted->kind == TYPE_LIST && actual->kind == TYPE_LIST)
    return differs(actual->list.element, wanted->list.element);
  if (wanted->kind != TYPE_TUPLE || actual->kind != TYPE_TUPLE || wanted->tuple.count != actual->tuple.count)
    return false;
  for (size_t i = 0; i < wanted->tuple.count; i++)
    if (differs(actual->tuple.items[i], wanted->tuple.items[i]))
      return true;
  return false;
}

// ---- Literals ------------------------------------------------------------------------------------------

static bool is_integer_literal(const struct ast_expr *expr) {
  if (type_resolve(expr->type)->kind != TYPE_INT)
    return false;
  for (; expr->kind == AST_EXPR_BINARY; expr = expr->binary.left) {
    enum ast_binary_op op = expr->binary.op;
    bool is_exact = op == AST_BINARY_ADD || op == AST_BINARY_SUBTRACT || op == AST_BINARY_MULTIPLY;
    if (!is_exact || !is_integer_literal(expr->binary.right))
      return false;
  }
  if (expr->kind == AST_EXPR_UNARY)
    return expr->unary.op == AST_UNARY_NEGATE && is_integer_literal(expr->unary.operand);
  return expr->kind == AST_EXPR_INT;
}

static void make_float(struct ast_expr *expr) {
  for (; expr->kind == AST_EXPR_BINARY; expr = expr->binary.left) {
    make_float(expr->binary.right);
    expr->type = &type_float;
  }
  if (expr->kind == AST_EXPR_UNARY) {
    make_float(expr->unary.operand);
  } else {
    expr->kind = AST_EXPR_FLOAT;
    expr->floating = (double)expr->integer;
  }
  expr->type = &type_float;
}

// ---- Values inside values ------------------------------------------------------------------------------

// Values of one type that stand side by side: elements, branches, arms.
struct converted {
  const struct type *wanted;
  const struct type *type;  // of the first one; NULL before
  bool failed;              // one of them keeps another sort of number
};

static void convert_one(struct checker *checker, struct converted *all, struct ast_expr *value) {
  const struct type *type = value ? check_convert(checker, value, all->wanted) : &type_never;
  if (type->kind == TYPE_NEVER)
    return;
  all->failed |= differs(type, all->wanted);
  if (!all->type)
    all->type = type;
}

// What the branches give; NULL when they cannot all become what is wanted.
static const struct type *convert_branches(struct checker *checker, struct ast_expr *expr,
                                           const struct type *wanted) {
  struct converted all = {.wanted = wanted};
  if (expr->kind == AST_EXPR_BLOCK) {
    convert_one(checker, &all, expr->block->value);
  } else if (expr->kind == AST_EXPR_IF) {
    convert_one(checker, &all, expr->conditional.then_block->value);
    convert_one(checker, &all, expr->conditional.else_branch);
  } else {
    for (size_t i = 0; i < expr->match.arms.count; i++)
      convert_one(checker, &all, expr->match.arms.items[i].body);
  }
  return all.failed ? NULL : all.type;
}

static const struct type *convert_elements(struct checker *checker, struct ast_expr *expr,
                                           const struct type *wanted) {
  struct converted all = {.wanted = wanted->list.element};
  if (expr->kind == AST_EXPR_COMPREHENSION)
    convert_one(checker, &all, expr->comprehension.element);
  for (size_t i = 0; expr->kind == AST_EXPR_LIST && i < expr->items.count; i++)
    convert_one(checker, &all, expr->items.items[i]);
  return all.failed || !all.type ? NULL : type_list(checker->arena, all.type, NULL);
}

static const struct type *convert_items(struct checker *checker, struct ast_expr *expr,
                                        const struct type *wanted) {
  const struct type **items = arena_new_array(checker->arena, const struct type *, expr->items.count);
  for (size_t i = 0; i < expr->items.count; i++)
    items[i] = check_convert(checker, expr->items.items[i], wanted->tuple.items[i]);
  return type_tuple(checker->arena, expr->items.count, items);
}

const struct type *check_convert(struct checker *checker, struct ast_expr *expr, const struct type *wanted) {
  if (!differs(type_of_value(checker, expr), wanted))
    return type_of_value(checker, expr);
  wanted = type_resolve(wanted);
  if (wanted->kind == TYPE_BATCH && check_to_batch(checker, expr, wanted))
    return type_of_value(checker, expr);
  const struct type *type = NULL;
  if (type_is_scalar(wanted)) {
    expr->conversion = AST_CONVERT_TO_SCALAR;
    return &type_scalar;
  }
  switch (expr->kind) {
  case AST_EXPR_INT:
  case AST_EXPR_UNARY:
  case AST_EXPR_BINARY:
    if (is_integer_literal(expr))
      make_float(expr);
    break;
  case AST_EXPR_LIST:
  case AST_EXPR_COMPREHENSION: type = convert_elements(checker, expr, wanted); break;
  case AST_EXPR_TUPLE: type = convert_items(checker, expr, wanted); break;
  case AST_EXPR_IF:
  case AST_EXPR_MATCH:
  case AST_EXPR_BLOCK: type = convert_branches(checker, expr, wanted); break;
  default: break;
  }
  if (type)
    check_set_type(checker, &expr->type, type);
  return type_resolve(expr->type);
}

// ---- What several values have in common ----------------------------------------------------------------

static const struct type *common_tuple(struct checker *checker, const struct type *a, const struct type *b) {
  const struct type **items = NULL;
  for (size_t i = 0; i < a->tuple.count; i++) {
    const struct type *item = check_common(checker, a->tuple.items[i], b->tuple.items[i]);
    if (!items && item != type_resolve(a->tuple.items[i])) {
      items = arena_new_array(checker->arena, const struct type *, a->tuple.count);
      for (size_t k = 0; k < i; k++)
        items[k] = a->tuple.items[k];
    }
    if (items)
      items[i] = item;
  }
  return items ? type_tuple(checker->arena, a->tuple.count, items) : a;
}

const struct type *check_common(struct checker *checker, const struct type *a, const struct type *b) {
  a = type_resolve(a);
  b = type_resolve(b);
  if (a->kind == TYPE_VARIABLE || ((type_is_host_number(a) || b->kind == TYPE_BATCH) && differs(a, b)))
    return b;
  if (a->kind == TYPE_TUPLE && b->kind == TYPE_TUPLE && a->tuple.count == b->tuple.count)
    return common_tuple(checker, a, b);
  if (a->kind != TYPE_LIST || b->kind != TYPE_LIST)
    return a;
  const struct type *element = check_common(checker, a->list.element, b->list.element);
  return element == type_resolve(a->list.element) ? a : type_list(checker->arena, element, NULL);
}

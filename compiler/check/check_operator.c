// Operators, the conversion of host numbers beside tensors, and constant expressions.
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "compiler/check/checker.h"

// ---- Reports -------------------------------------------------------------------------------------------

static struct diag *report_operands(struct checker *checker, enum diag_code code, struct span span,
                                    const struct ast_expr *left, const struct ast_expr *right,
                                    const char *message) {
  const struct type *a = type_resolve(left->type), *b = type_resolve(right->type);
  struct diag *d = diag_error(checker->sink, code, span, "%s: %s and %s", message, check_text(checker, a),
                              check_text(checker, b));
  diag_label(d, left->span, "this is %s", check_text(checker, a));
  diag_label(d, right->span, "this is %s", check_text(checker, b));
  return d;
}

// An int as a float, as it may be written: a literal that stands beside a float is one already.
static const char *text_as_float(struct checker *checker, const struct ast_expr *integer,
                                 bool is_beside_float) {
  if (integer->kind == AST_EXPR_INT)
    return arena_printf(checker->arena, "%" PRId64 "%s", integer->integer, is_beside_float ? "" : ".0");
  const char *text = integer->kind == AST_EXPR_NAME ? integer->name.name.text : "...";
  return arena_printf(checker->arena, "float(%s)", text);
}

const char *check_suggest_float_quotient(struct checker *checker, const struct ast_expr *expr) {
  if (expr->kind != AST_EXPR_BINARY || expr->binary.op != AST_BINARY_DIVIDE ||
      type_resolve(expr->type)->kind != TYPE_INT)
    return NULL;
  return arena_printf(checker->arena, "a quotient of ints is cut to an int; of floats: `%s / %s`",
                      text_as_float(checker, expr->binary.left, false),
                      text_as_float(checker, expr->binary.right, true));
}

static void help_mixed_numbers(struct checker *checker, struct diag *d, const struct ast_expr *integer) {
  const struct ast_ref *ref = ast_expr_ref(integer);
  const char *quotient = check_suggest_float_quotient(checker, integer);
  if (quotient)
    diag_help(d, "%s", quotient);
  else if (ref && ref->kind == AST_REF_LOCAL && ref->local->kind == AST_LOCAL_VAR)
    diag_help(d, "ints and floats do not mix; to add up floats begin with one: `var %s = 0.0`",
              ref->local->name.text);
  else
    diag_help(d, "ints and floats do not mix; convert the int: `float(n)`");
}

static void help_generic(struct checker *checker, struct diag *d, const struct type *generic,
                         const char *op) {
  const char *name = check_text(checker, generic);
  bool is_equality = strcmp(op, "==") == 0 || strcmp(op, "!=") == 0;
  if (generic->generic->bound == AST_BOUND_NUMBER)
    diag_help(d,
              "two numbers of the one type `%s` can be added, multiplied and compared; `float(x)` makes a "
              "float of either sort",
              name);
  else if (is_equality)
    diag_help(d, "say that its values can be compared: `%s: equal`", name);
  else
    diag_help(d,
              "what is done with values of a type variable is a parameter, `f: fn(%s) -> ...`; or say that "
              "it is %s: `%s: %s`",
              name, strchr("<>", *op) ? "a number or a text" : "a number", name,
              strchr("<>", *op) ? "ordered" : "number");
}

static void help_text(struct checker *checker, struct diag *d, const struct type *a, const struct type *b) {
  const struct type *other = a->kind == TYPE_TEXT ? b : a;
  if (other->kind == TYPE_INDEX)
    diag_help(d, "the text of an index is `text(i)`, the index of a text `%s(s)`",
              check_text(checker, other));
  else if (type_is_host_number(other) || other->kind == TYPE_BOOL)
    diag_help(d, "as a text it is `text(x)`");
  else
    diag_note(d, "texts can be compared and joined: `s == t`, `s < t`, `s + t`");
}

static const struct type *wrong_operands(struct checker *checker, const struct ast_expr *left,
                                         const struct ast_expr *right, struct span span, const char *text) {
  const struct type *a = type_resolve(left->type), *b = type_resolve(right->type);
  struct diag *d = report_operands(checker, DIAG_WRONG_OPERANDS, span, left, right,
                                   arena_printf(checker->arena, "`%s` is not defined for these types", text));
  if (strcmp(text, "%") == 0 && type_is_host_number(a) && type_is_host_number(b))
    diag_note(d, "`%%` is the remainder of ints");
  else if (type_is_host_number(a) && type_is_host_number(b) && a->kind != b->kind)
    help_mixed_numbers(checker, d, a->kind == TYPE_INT ? left : right);
  else if (strcmp(text, "@") == 0 && (type_is_host_number(a) || type_is_host_number(b)))
    diag_help(d, "a number multiplies by `*`");
  else if (a->kind == TYPE_TEXT || b->kind == TYPE_TEXT)
    help_text(checker, d, a, b);
  else if (a->kind == TYPE_INDEX || b->kind == TYPE_INDEX)
    diag_help(d, "the position of an index in its set is `int(i)`");
  else if (a->kind == TYPE_GENERIC || b->kind == TYPE_GENERIC)
    help_generic(checker, d, a->kind == TYPE_GENERIC ? a : b, text);
  else if (a->kind == TYPE_LIST && strcmp(text, "+") == 0)
    diag_help(d, "an element is added by `push(xs, x)`; `xs + ys` joins two lists of one type");
  else if (a->kind == TYPE_LIST && strchr("-*/", text[0]))
    diag_help(d, "a list is computed element by element: `[x %s y for x in xs]`", text);
  else if (a->kind == TYPE_DATA || b->kind == TYPE_DATA)
    diag_help(d, "take data apart with `match`, or read its fields");
  return &type_error;
}

// ---- The rule of an operation ------------------------------------------------------------------------

_Static_assert(TYPE_MAX_RANK == IR_MAX_RANK, "a type's sizes are those of a shape");

const struct type *check_shape(struct checker *checker, enum ir_op op, size_t count,
                               const struct type *const *types, uint32_t axis, struct shape_fault *fault) {
  struct ir_shape *shapes = arena_new_array(checker->arena, struct ir_shape, count), result;
  const struct ir_shape **operands = arena_new_array(checker->arena, const struct ir_shape *, count);
  for (size_t i = 0; i < count; i++) {
    const struct type *type = type_resolve(types[i]);
    operands[i] = &shapes[i];
    shapes[i].rank = SHAPE_NO_TENSOR;
    if (type->kind != TYPE_TENSOR)
      continue;
    shapes[i].rank = (uint32_t)type->tensor.rank;
    memcpy(shapes[i].sizes, type->tensor.sizes, type->tensor.rank * sizeof *type->tensor.sizes);
  }
  const struct shape_question question = {
      .arena = checker->arena, .op = op, .n = (uint32_t)count, .operands = operands, .axis = axis};
  if (!shape_of_result(&question, &result, fault))
    return NULL;
  return type_tensor(checker->arena, result.rank, result.sizes);
}

static const struct type *shape_of_two(struct checker *checker, enum ir_op op, const struct ast_expr *left,
                                       const struct ast_expr *right, struct shape_fault *fault) {
  return check_shape(checker, op, 2, (const struct type *const[]){left->type, right->type}, 0, fault);
}

// The dimension that `small` lacks and `large` has, when it is one.
static bool lacks_dimension(const struct type *small, const struct type *large, size_t *axis) {
  for (*axis = 0; small->tensor.rank + 1 == large->tensor.rank && *axis < large->tensor.rank; ++*axis) {
    bool same = true;
    for (size_t i = 0; i < small->tensor.rank && same; i++)
      same = size_equal(small->tensor.sizes[i], large->tensor.sizes[i + (i >= *axis)]);
    if (same)
      return true;
  }
  return false;
}

static const char *operand_text(const struct ast_expr *expr, const char *otherwise) {
  return expr->kind == AST_EXPR_NAME ? expr->name.name.text : otherwise;
}

static void help_broadcast(struct diag *d, const struct ast_expr *left, const struct ast_expr *right) {
  const struct type *a = type_resolve(left->type), *b = type_resolve(right->type);
  bool is_left = a->tensor.rank < b->tensor.rank;
  size_t axis;
  if (lacks_dimension(is_left ? a : b, is_left ? b : a, &axis))
    diag_help(d, "along another dimension: `broadcast(%s, %s, dim: %d)` has the shape of the other side",
              operand_text(is_left ? left : right, is_left ? "a" : "b"),
              operand_text(is_left ? right : left, is_left ? "b" : "a"), (int)axis);
}

static const struct type *wrong_shapes(struct checker *checker, const struct ast_expr *left,
                                       const struct ast_expr *right, struct span span, const char *text) {
  const struct type *a = type_resolve(left->type), *b = type_resolve(right->type);
  struct diag *d = report_operands(checker, DIAG_SHAPES_DIFFER, span, left, right,
                                   arena_printf(checker->arena,
                                                a->tensor.rank == b->tensor.rank
                                                    ? "`%s` needs equal shapes"
                                                    : "`%s` needs equal shapes, or one that is "
                                                      "the last dimensions of the other",
                                                text));
  check_label_type_sizes(checker, d, a, b);
  help_broadcast(d, left, right);
  struct shape_fault fault;
  if (strcmp(text, "*") == 0 && shape_of_two(checker, IR_OP_MATMUL, left, right, &fault))
    diag_help(d, "`*` multiplies element by element; the matrix product is `W @ x`");
  if (a->tensor.rank == b->tensor.rank)
    diag_note(d, "sizes are compared as polynomials, whatever values they are given later");
  return &type_error;
}

const char *check_suggest_product(struct checker *checker, const struct ast_expr *expr,
                                  const struct type *wanted) {
  if (expr->kind != AST_EXPR_BINARY || expr->binary.op != AST_BINARY_MULTIPLY)
    return NULL;
  struct shape_fault fault;
  const struct type *product = shape_of_two(checker, IR_OP_MATMUL, expr->binary.left, expr->binary.right,
                                            &fault);
  return product && type_equal(product, wanted)
             ? "`*` multiplies element by element; the matrix product is `W @ x`"
             : NULL;
}

// ---- Element-wise --------------------------------------------------------------------------------------

// An integer literal beside a float is one.
static void convert_beside_float(struct checker *checker, struct ast_expr *left, struct ast_expr *right) {
  if (type_resolve(left->type)->kind == TYPE_FLOAT)
    check_convert(checker, right, &type_float);
  else if (type_resolve(right->type)->kind == TYPE_FLOAT)
    check_convert(checker, left, &type_float);
}

// One side of an operation: of a batch its element, and beside that so of a list of numbers.
static const struct type *operand_element(struct checker *checker, struct ast_expr *operand,
                                          const struct ast_expr *other) {
  const struct type *type = check_element(checker, operand);
  bool is_batch = other->kind == AST_EXPR_ELEMENT || type_resolve(other->type)->kind == TYPE_BATCH;
  if (is_batch && type->kind == TYPE_LIST && type_is_host_number(type->list.element))
    return check_list_element(checker, operand);
  return type;
}

const struct type *check_elementwise(struct checker *checker, struct ast_expr *left, struct ast_expr *right,
                                     struct span span, const char *text) {
  const struct type *a = operand_element(checker, left, right), *b = operand_element(checker, right, left);
  if (a->kind == TYPE_VARIABLE || b->kind == TYPE_VARIABLE) {
    type_unify(a, b);
    a = type_resolve(a);
    b = type_resolve(b);
  }
  if (a->kind == TYPE_ERROR || b->kind == TYPE_ERROR)
    return &type_error;
  convert_beside_float(checker, left, right);
  a = type_resolve(left->type);
  b = type_resolve(right->type);
  if (type_is_number(a) && type_equal(a, b) && !(a->kind == TYPE_GENERIC && strcmp(text, "%") == 0))
    return a;
  if (a->kind == TYPE_TENSOR && type_is_host_number(b)) {
    right->conversion = AST_CONVERT_TO_SCALAR;
    return a;
  }
  if (b->kind == TYPE_TENSOR && type_is_host_number(a)) {
    left->conversion = AST_CONVERT_TO_SCALAR;
    return b;
  }
  if (a->kind != TYPE_TENSOR || b->kind != TYPE_TENSOR)
    return wrong_operands(checker, left, right, span, text);
  struct shape_fault fault;
  const struct type *type = shape_of_two(checker, IR_OP_ADD, left, right, &fault);
  return type ? type : wrong_shapes(checker, left, right, span, text);
}

// ---- Unary ---------------------------------------------------------------------------------------------

const struct type *check_unary(struct checker *checker, struct ast_expr *expr) {
  struct ast_expr *operand = expr->unary.operand;
  if (expr->unary.op == AST_UNARY_NOT) {
    struct check_wanted why = {"the operand of `!`", SPAN_NONE, NULL};
    check_against(checker, operand, &type_bool, &why);
    return &type_bool;
  }
  check_known(checker, operand, NULL);
  const struct type *type = check_element(checker, operand);
  if (type->kind == TYPE_ERROR || type->kind == TYPE_TENSOR || type_is_number(type))
    return type;
  struct diag *d = diag_error(checker->sink, DIAG_WRONG_OPERANDS, expr->span, "`-` is not defined for %s",
                              check_text(checker, type));
  check_label_operand(checker, d, operand);
  return &type_error;
}

// ---- Comparison ----------------------------------------------------------------------------------------

static const struct type *compared_tensor(struct checker *checker, const struct ast_expr *expr) {
  const struct ast_expr *left = expr->binary.left, *right = expr->binary.right;
  struct diag *d = report_operands(checker, DIAG_TENSOR_COMPARED, expr->binary.op_span, left, right,
                                   "tensors cannot be compared");
  diag_note(
      d,
      "a tensor's value is not known while the control flow of an example runs; that is what lets examples "
      "run as a batch");
  bool both = type_is_scalar(left->type) && type_is_scalar(right->type);
  if (both || type_is_host_number(left->type) || type_is_host_number(right->type))
    diag_help(d, "`value(x)` waits for a scalar and gives its number: `value(x) %s %s`",
              ast_binary_op_text(expr->binary.op), both ? "value(y)" : "0.5");
  else
    diag_help(d, "`value(sum(a))` or `argmax(a)` give host values that can be compared");
  return &type_error;
}

// A member of an enum, whose name may be that of another enum's: the other side tells which is meant.
static bool is_member(struct checker *checker, const struct ast_expr *expr) {
  if (expr->kind != AST_EXPR_NAME)
    return false;
  enum ast_ref_kind kind = names_find(&checker->names, expr->name.name.text).kind;
  return kind == AST_REF_ENUM_MEMBER ||
         (kind == AST_REF_NONE && names_is_ambiguous(&checker->names, expr->name.name.text));
}

// What says nothing about its own type: the other side is checked first and tells it.
static bool waits_for_other(struct checker *checker, const struct ast_expr *expr) {
  return is_member(checker, expr) || (expr->kind == AST_EXPR_LIST && expr->items.count == 0);
}

static bool is_structure(const struct type *type) {
  return type->kind == TYPE_LIST || type->kind == TYPE_TUPLE || type->kind == TYPE_DATA;
}

// Lists, tuples and data, or values of a type variable: equal, or not.
static void check_equality(struct checker *checker, const struct ast_expr *expr, const struct type *type) {
  const char *where, *op = ast_binary_op_text(expr->binary.op);
  const struct type *found = check_incomparable(checker, type, &where);
  if (!found)
    return;
  if (found->kind == TYPE_GENERIC && found == type) {
    wrong_operands(checker, expr->binary.left, expr->binary.right, expr->binary.op_span, op);
    return;
  }
  struct diag *d = diag_error(checker->sink, DIAG_TENSOR_COMPARED, expr->binary.op_span,
                              "`%s` does not compare %s: %s is %s", op, check_text(checker, type),
                              where ? where : "a part of it", check_text(checker, found));
  check_label_operand(checker, d, expr->binary.left);
  check_help_incomparable(checker, d, found);
}

static const struct type *check_comparison(struct checker *checker, struct ast_expr *expr) {
  struct ast_expr *left = expr->binary.left, *right = expr->binary.right;
  const struct type *a, *b;
  if (waits_for_other(checker, left)) {
    b = check_known(checker, right, NULL);
    a = check_known(checker, left, b->kind == TYPE_INDEX || is_structure(b) ? b : NULL);
  } else {
    a = check_known(checker, left, NULL);
    b = check_known(checker, right, a->kind == TYPE_INDEX || is_structure(a) ? a : NULL);
  }
  bool is_equality = expr->binary.op == AST_BINARY_EQUAL || expr->binary.op == AST_BINARY_NOT_EQUAL;
  if (a->kind == TYPE_ERROR || b->kind == TYPE_ERROR)
    return &type_bool;
  convert_beside_float(checker, left, right);
  if (is_structure(a) && is_structure(b)) {
    check_convert(checker, right, a);
    check_convert(checker, left, right->type);
  }
  a = type_resolve(left->type);
  b = type_resolve(right->type);
  if (a->kind == TYPE_TENSOR || b->kind == TYPE_TENSOR)
    compared_tensor(checker, expr);
  else if (!type_unify(a, b))
    wrong_operands(checker, left, right, expr->binary.op_span, ast_binary_op_text(expr->binary.op));
  else if (is_equality && (is_structure(a) || a->kind == TYPE_GENERIC))
    check_equality(checker, expr, a);
  else if (!type_is_ordered(a) && !(is_equality && (a->kind == TYPE_BOOL || a->kind == TYPE_INDEX)))
    wrong_operands(checker, left, right, expr->binary.op_span, ast_binary_op_text(expr->binary.op));
  // What the comparison gives is clear even where its operands are wrong.
  return &type_bool;
}

// ---- Matrix product ------------------------------------------------------------------------------------

static const struct type *wrong_product(struct checker *checker, const struct ast_expr *expr,
                                        const struct size *inner, const struct size *outer) {
  const struct ast_expr *left = expr->binary.left, *right = expr->binary.right;
  const struct type *a = type_resolve(left->type), *b = type_resolve(right->type);
  struct diag *d = report_operands(checker, DIAG_MATMUL_SHAPES, expr->binary.op_span, left, right,
                                   "these shapes do not multiply");
  diag_note(d, "the left side has rows of `%s` elements and the right side columns of `%s`",
            size_text(checker->arena, inner), size_text(checker->arena, outer));
  check_label_sizes(checker, d, inner, outer);
  if (a->tensor.rank == 2 && size_equal(a->tensor.sizes[0], outer))
    diag_help(d, "transpose the left matrix: `transpose(A) @ x`");
  else if (b->tensor.rank == 2 && size_equal(b->tensor.sizes[1], inner))
    diag_help(d, "transpose the right matrix: `x @ transpose(A)`");
  return &type_error;
}

// The type with a dimension of one element put in, or taken out.
static const struct type *with_one(struct checker *checker, const struct type *type, size_t axis) {
  const struct size *sizes[TYPE_MAX_RANK] = {NULL};
  for (size_t i = 0; i <= type->tensor.rank; i++)
    sizes[i] = i == axis ? size_constant(checker->arena, 1) : type->tensor.sizes[i - (i > axis)];
  return type_tensor(checker->arena, type->tensor.rank + 1, sizes);
}

static const struct type *without(struct checker *checker, const struct type *type, size_t axis) {
  const struct size *sizes[TYPE_MAX_RANK];
  for (size_t i = 0, n = 0; i < type->tensor.rank; i++)
    if (i != axis)
      sizes[n++] = type->tensor.sizes[i];
  return type_tensor(checker->arena, type->tensor.rank - 1, sizes);
}

// A vector beside more than a matrix is one of one row or column.
static const struct type *product_type(struct checker *checker, const struct type *a, const struct type *b,
                                       struct shape_fault *fault) {
  size_t rank_a = a->tensor.rank, rank_b = b->tensor.rank;
  bool is_row = rank_a == 1 && rank_b > 2, is_column = rank_b == 1 && rank_a > 2;
  const struct type *types[] = {is_row ? with_one(checker, a, 0) : a,
                                is_column ? with_one(checker, b, 1) : b};
  const struct type *type = check_shape(checker, IR_OP_MATMUL, 2, types, 0, fault);
  if (type && (is_row || is_column))
    type = without(checker, type, type->tensor.rank - (is_row ? 2 : 1));
  return type;
}

static const struct type *check_matmul(struct checker *checker, struct ast_expr *expr) {
  struct ast_expr *left = expr->binary.left, *right = expr->binary.right;
  check_known(checker, left, NULL);
  check_known(checker, right, NULL);
  const struct type *a = check_element(checker, left), *b = check_element(checker, right);
  if (a->kind == TYPE_ERROR || b->kind == TYPE_ERROR)
    return &type_error;
  if (a->kind != TYPE_TENSOR || b->kind != TYPE_TENSOR)
    return wrong_operands(checker, left, right, expr->binary.op_span, "@");
  struct shape_fault fault;
  const struct type *type = product_type(checker, a, b, &fault);
  if (type)
    return type;
  size_t rank_a = a->tensor.rank, rank_b = b->tensor.rank;
  if (fault.kind == SHAPE_PRODUCT) {
    struct diag *d = report_operands(checker, DIAG_MATMUL_SHAPES, expr->binary.op_span, left, right,
                                     "`@` takes a matrix and a matrix or vector");
    if (rank_a == 1 && rank_b == 1)
      diag_help(d, "the inner product of two vectors is `dot(a, b)`");
    else if (rank_a == 0 || rank_b == 0)
      diag_help(d, "a scalar multiplies by `*`");
    return &type_error;
  }
  if (fault.kind == SHAPE_LEAD) {
    struct diag *d = report_operands(checker, DIAG_MATMUL_SHAPES, expr->binary.op_span, left, right,
                                     "these shapes do not multiply");
    diag_note(d,
              "each is a matrix for every choice of the dimensions before its last two, which differ: `%s` "
              "and `%s`",
              size_text(checker->arena, fault.inner[0]), size_text(checker->arena, fault.inner[1]));
    check_label_sizes(checker, d, fault.inner[0], fault.inner[1]);
    return &type_error;
  }
  assert(fault.kind == SHAPE_INNER);
  return wrong_product(checker, expr, fault.inner[0], fault.inner[1]);
}

// ---- Binary --------------------------------------------------------------------------------------------

static const struct type *check_logic(struct checker *checker, struct ast_expr *expr) {
  const char *op = ast_binary_op_text(expr->binary.op);
  struct check_wanted left = {arena_printf(checker->arena, "the left side of `%s`", op), SPAN_NONE, NULL};
  struct check_wanted right = {arena_printf(checker->arena, "the right side of `%s`", op), SPAN_NONE, NULL};
  check_against(checker, expr->binary.left, &type_bool, &left);
  check_against(checker, expr->binary.right, &type_bool, &right);
  return &type_bool;
}

static const struct type *check_add(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  struct ast_expr *left = expr->binary.left, *right = expr->binary.right;
  hint = hint && type_resolve(hint)->kind == TYPE_LIST ? hint : NULL;
  const struct type *a = check_value(checker, left, hint);
  const struct type *b = check_value(checker, right, a->kind == TYPE_LIST ? a : hint);
  if (a->kind == TYPE_LIST && b->kind == TYPE_LIST) {
    if (type_unify(a, b))
      return type_has_error(a) || type_has_error(b) ? &type_error : a;
    struct diag *d = report_operands(checker, DIAG_WRONG_OPERANDS, expr->binary.op_span, left, right,
                                     "these lists hold different types");
    check_label_type_sizes(checker, d, a, b);
    return &type_error;
  }
  if (a->kind == TYPE_TEXT && b->kind == TYPE_TEXT)
    return a;
  return check_elementwise(checker, left, right, expr->binary.op_span, "+");
}

// `1 / 2` is 0: hardly ever what is meant.
static void warn_of_cut_quotient(struct checker *checker, const struct ast_expr *expr) {
  const struct ast_expr *left = expr->binary.left, *right = expr->binary.right;
  if (left->kind != AST_EXPR_INT || right->kind != AST_EXPR_INT || right->integer == 0 ||
      left->integer % right->integer == 0)
    return;
  struct diag *d = diag_warning(checker->sink, DIAG_QUOTIENT_CUT, expr->span,
                                "this quotient of ints is %" PRId64, left->integer / right->integer);
  diag_help(d, "with a fraction it is `%" PRId64 ".0 / %" PRId64 "`", left->integer, right->integer);
}

static const struct type *check_arithmetic(struct checker *checker, struct ast_expr *expr) {
  struct ast_expr *left = expr->binary.left, *right = expr->binary.right;
  const struct type *a = check_known(checker, left, NULL), *b = check_known(checker, right, NULL);
  const char *text = ast_binary_op_text(expr->binary.op);
  if (expr->binary.op == AST_BINARY_DIVIDE)
    warn_of_cut_quotient(checker, expr);
  if (expr->binary.op != AST_BINARY_REMAINDER)
    return check_elementwise(checker, left, right, expr->binary.op_span, text);
  if (a->kind == TYPE_ERROR || b->kind == TYPE_ERROR)
    return &type_error;
  if (a->kind != TYPE_INT || b->kind != TYPE_INT)
    return wrong_operands(checker, left, right, expr->binary.op_span, text);
  return &type_int;
}

static const struct type *check_one(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  switch (expr->binary.op) {
  case AST_BINARY_OR:
  case AST_BINARY_AND: return check_logic(checker, expr);
  case AST_BINARY_EQUAL:
  case AST_BINARY_NOT_EQUAL:
  case AST_BINARY_LESS:
  case AST_BINARY_LESS_EQUAL:
  case AST_BINARY_GREATER:
  case AST_BINARY_GREATER_EQUAL: return check_comparison(checker, expr);
  case AST_BINARY_ADD: return check_add(checker, expr, hint);
  case AST_BINARY_SUBTRACT:
  case AST_BINARY_MULTIPLY:
  case AST_BINARY_DIVIDE:
  case AST_BINARY_REMAINDER: return check_arithmetic(checker, expr);
  case AST_BINARY_MATMUL: return check_matmul(checker, expr);
  }
  return &type_error;
}

// A chain of operators from the first one on: each finds its left side checked. The hint is for operands of `+`.
const struct type *check_binary(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  struct ast_expr *op = ast_first_of_chain(expr), *hinted = expr;
  while (hinted != op && hinted->binary.op == AST_BINARY_ADD)
    hinted = hinted->binary.left;
  const struct type *here = NULL;
  for (;; op = op->outer) {
    here = op == hinted ? hint : here;
    struct check_lift lift;
    check_open_lift(checker, &lift);
    const struct type *type = check_one(checker, op, here);
    type = check_close_lift(checker, &lift, op, type);
    if (op == expr)
      return type;
    check_set_type(checker, &op->type, type);
    checker->checked_left = op;
  }
}

// ---- Constant expressions ------------------------------------------------------------------------------

// The part that is not constant; NULL when all of it is. The expression has been checked.
static const struct ast_expr *not_constant(const struct ast_expr *expr) {
  const struct ast_expr *culprit = NULL;
  switch (expr->kind) {
  case AST_EXPR_INT:
  case AST_EXPR_FLOAT:
  case AST_EXPR_BOOL: return NULL;
  case AST_EXPR_NAME:
    return expr->name.ref.kind == AST_REF_LAYER_PARAM && !expr->name.ref.layer_param->size ? NULL : expr;
  case AST_EXPR_UNARY: return not_constant(expr->unary.operand);
  case AST_EXPR_BINARY:
    for (; expr->kind == AST_EXPR_BINARY; expr = expr->binary.left) {
      const struct ast_expr *right = not_constant(expr->binary.right);
      culprit = right ? right : culprit;
    }
    return not_constant(expr) ? not_constant(expr) : culprit;  // the first in the text
  case AST_EXPR_CALL: {
    const struct ast_call *call = &expr->call.resolved;
    bool converts = call->kind == AST_CALL_BUILTIN && (call->target.builtin->kind == BUILTIN_FLOAT ||
                                                       call->target.builtin->kind == BUILTIN_INT);
    return converts ? not_constant(call->args[0]) : expr;
  }
  default: return expr;
  }
}

bool check_constant(struct checker *checker, struct ast_expr *expr, const struct type *wanted,
                    const char *what) {
  const struct type *type = check_value(checker, expr, wanted);
  if (type->kind == TYPE_ERROR)
    return false;
  const struct ast_expr *culprit = not_constant(expr);
  if (culprit) {
    struct diag *d = diag_error(checker->sink, DIAG_NOT_CONSTANT, culprit->span, "%s must be constant", what);
    diag_note(d, "it is made of literals and of int, float and bool parameters of the layer around it");
    return false;
  }
  struct check_wanted why = {what, SPAN_NONE, NULL};
  return check_fits(checker, expr, wanted, &why);
}

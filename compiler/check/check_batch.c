// The batch axis: what is done to each element of a batch.
//
// An operation whose operands are batches, f32[D; n], is checked as if they were their elements, f32[D], and so is a call
// of a function that takes elements. What it gives then becomes a batch again. In the tree such an operand becomes an
// ELEMENT, and the operation a LIFT around what the parser built. A LIFT whose operand is a LIFT is one loop with it
// (compiler/lower/lower_batch.c).
//
// Sizes of batches go together where they are equal or one of them is 1, as in DyNet. Those that are known for each example
// only are compared when it runs.
#include "compiler/check/checker.h"

// Batched operations inside each other, in one expression: a chain that is longer is not what people write.
#define MAX_NESTING 1000

void check_open_lift(struct checker *checker, struct check_lift *lift) {
  *lift = (struct check_lift){.edges = checker->edges.count, .outer = checker->lift};
  checker->lift = lift;
}

static const struct type *report_sizes(struct checker *checker, const struct ast_expr *a,
                                       const struct ast_expr *b, const struct size *first,
                                       const struct size *second) {
  const char *left = size_text(checker->arena, first), *right = size_text(checker->arena, second);
  struct diag *d = diag_error(checker->sink, DIAG_BATCH_SIZES, b->span,
                              "batches of %s and of %s elements do not go together", left, right);
  diag_primary_label(d, "this has %s", right);
  diag_label(d, a->span, "this has %s", left);
  check_label_operand(checker, d, a);
  check_label_operand(checker, d, b);
  check_label_sizes(checker, d, first, second);
  diag_note(d, "the sizes are equal, or one of them is 1");
  return &type_error;
}

// `operand` becomes the element that the lift is at; false where its size does not go with the others.
static bool enter(struct checker *checker, struct ast_expr *operand, const struct type *element,
                  const struct size *size) {
  struct check_lift *lift = checker->lift;
  const struct size *common = lift->size ? type_common_batch(lift->size, size) : size;
  if (!common) {
    report_sizes(checker, lift->first, operand, lift->size, size);
    return false;
  }
  struct ast_expr *of = arena_new(checker->arena, struct ast_expr);
  *of = *operand;
  check_set_type(checker, &of->type, operand->type);
  if (of->kind == AST_EXPR_BINARY && of->binary.left->kind == AST_EXPR_BINARY)
    of->binary.left->outer = of;
  *operand = (struct ast_expr){
      .kind = AST_EXPR_ELEMENT, .depth = of->depth, .outer = of->outer, .span = of->span, .lift = {.of = of}};
  check_set_type(checker, &operand->type, element);
  lift->size = common;
  lift->first = lift->first ? lift->first : operand;
  unsigned nesting = of->kind == AST_EXPR_LIFT ? of->lift.nesting : 0;
  lift->nesting = nesting > lift->nesting ? nesting : lift->nesting;
  return true;
}

const struct type *check_element(struct checker *checker, struct ast_expr *operand) {
  const struct type *type = type_resolve(operand->type);
  if (type->kind != TYPE_BATCH || !checker->lift || operand->conversion != AST_CONVERT_NONE)
    return type;
  if (!enter(checker, operand, type->batch.element, type->batch.size))
    operand->type = &type_error;
  return type_resolve(operand->type);
}

const struct type *check_list_element(struct checker *checker, struct ast_expr *list) {
  const struct type *type = type_resolve(list->type);
  const struct size *size = list->kind == AST_EXPR_LIST
                                ? size_constant(checker->arena, (int64_t)list->items.count)
                                : check_length_of(checker, list);
  if (!enter(checker, list, type->list.element, size))
    list->type = &type_error;
  checker->lift->has_lists = true;
  return type_resolve(list->type);
}

// What is given for each element, taken together: host values and lists as a list, a tuple as a tuple of what its items become.
static const struct type *together(struct checker *checker, const struct type *type,
                                   const struct size *size) {
  type = type_resolve(type);
  switch (type->kind) {
  case TYPE_INT:
  case TYPE_BOOL:
  case TYPE_FLOAT:
  case TYPE_INDEX:
  case TYPE_LIST: return type_list(checker->arena, type, NULL);
  case TYPE_TUPLE: {
    const struct type **items = arena_new_array(checker->arena, const struct type *, type->tuple.count);
    for (size_t i = 0; i < type->tuple.count; i++)
      items[i] = together(checker, type->tuple.items[i], size);
    return type_tuple(checker->arena, type->tuple.count, items);
  }
  case TYPE_ERROR: return type;
  default: return type_batch(checker->arena, type, size);
  }
}

static bool has_batch(const struct type *type) {
  type = type_resolve(type);
  if (type->kind == TYPE_TUPLE)
    for (size_t i = 0; i < type->tuple.count; i++)
      if (has_batch(type->tuple.items[i]))
        return true;
  return type->kind == TYPE_LIST ? has_batch(type->list.element) : type->kind == TYPE_BATCH;
}

// What a call in `expr` was noted by is where the call is now.
static void move_edges(struct checker *checker, size_t first, const struct ast_expr *from,
                       const struct ast_expr *to) {
  for (size_t i = first; i < checker->edges.count; i++)
    if (checker->edges.items[i].call == &from->call.resolved)
      checker->edges.items[i].call = &to->call.resolved;
}

const struct type *check_close_lift(struct checker *checker, struct check_lift *lift, struct ast_expr *expr,
                                    const struct type *type) {
  checker->lift = lift->outer;
  if (!lift->size || type_resolve(type)->kind == TYPE_ERROR)
    return type;
  if (has_batch(type)) {
    struct diag *d = diag_error(checker->sink, DIAG_BATCH_SIZES, expr->span,
                                "this gives a batch for each element of another one");
    diag_primary_label(d, "each is %s", check_text(checker, type));
    check_label_operand(checker, d, lift->first);
    diag_help(d, "a function that is done to each element of a batch takes and gives single values");
    return &type_error;
  }
  if (lift->nesting >= MAX_NESTING) {
    struct diag *d = diag_error(checker->sink, DIAG_BATCH_SIZES, expr->span,
                                "more than %d operations on batches in one expression", MAX_NESTING);
    diag_help(d, "bind a part of it: `let a = ...`");
    return &type_error;
  }
  struct ast_expr *of = arena_new(checker->arena, struct ast_expr);
  *of = *expr;
  of->conversion = AST_CONVERT_NONE;
  check_set_type(checker, &of->type, type);
  if (of->kind == AST_EXPR_BINARY && of->binary.left->kind == AST_EXPR_BINARY)
    of->binary.left->outer = of;
  if (of->kind == AST_EXPR_CALL)
    move_edges(checker, lift->edges, expr, of);
  *expr = (struct ast_expr){.kind = AST_EXPR_LIFT,
                            .depth = of->depth,
                            .outer = of->outer,
                            .span = of->span,
                            .lift = {.of = of, .size = lift->size, .nesting = lift->nesting + 1}};
  return together(checker, type, lift->size);
}

bool check_to_batch(struct checker *checker, struct ast_expr *expr, const struct type *wanted) {
  if (expr->conversion == AST_CONVERT_TO_BATCH || expr->conversion == AST_CONVERT_TO_SCALAR_BATCH)
    return true;
  const struct type *type = type_resolve(expr->type);
  if (type->kind == TYPE_BATCH || type->kind == TYPE_ERROR || type->kind == TYPE_NEVER)
    return type->kind == TYPE_BATCH;
  type = check_convert(checker, expr, wanted->batch.element);
  if (!type_unify(wanted->batch.element, type))
    return false;
  expr->conversion = expr->conversion == AST_CONVERT_TO_SCALAR ? AST_CONVERT_TO_SCALAR_BATCH
                                                               : AST_CONVERT_TO_BATCH;
  return true;
}

// ---- Builtin functions ---------------------------------------------------------------------------------

// A tensor's batch, for what folds it.
static const struct type *folded(struct checker *checker, const struct builtin *builtin,
                                 const struct ast_expr *arg) {
  const struct type *type = type_resolve(arg->type);
  if (type->kind == TYPE_BATCH && type_resolve(type->batch.element)->kind == TYPE_TENSOR)
    return type->batch.element;
  return check_wrong_argument(checker, builtin, arg, "a batch of tensors, f32[...; n]");
}

static const struct type *check_moment(struct checker *checker, const struct ast_expr *expr,
                                       const struct builtin *builtin) {
  const struct ast_call *call = &expr->call.resolved;
  const struct ast_expr *power = call->args[1];
  if (power->kind != AST_EXPR_INT || power->integer < 1 || power->integer > 16) {
    diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, power->span,
               "the power of `moment_batches` is a literal from 1 to 16");
    return &type_error;
  }
  return folded(checker, builtin, call->args[0]);
}

static const struct type *concat(struct checker *checker, const struct ast_expr *expr,
                                 const struct builtin *builtin) {
  const struct ast_call *call = &expr->call.resolved;
  const struct type *first = type_resolve(call->args[0]->type);
  if (first->kind == TYPE_LIST && call->arg_count == 1) {
    const struct type *element = type_resolve(first->list.element);
    if (element->kind == TYPE_TENSOR || element->kind == TYPE_DATA)
      return type_batch(checker->arena, element, check_length_of(checker, call->args[0]));
  }
  const struct type *element = first->kind == TYPE_BATCH ? type_resolve(first->batch.element) : first;
  if (element->kind != TYPE_TENSOR && element->kind != TYPE_DATA)
    return check_wrong_argument(checker, builtin, call->args[0],
                                "tensors or data, batches of them, or a list of them");
  const struct size *one = size_constant(checker->arena, 1), *sum = NULL;
  bool is_known = true;
  for (size_t i = 0; i < call->arg_count; i++) {
    struct check_wanted why = {"what is joined to a batch", call->args[0]->span,
                               arena_printf(checker->arena, "this is %s", check_text(checker, first))};
    const struct type *type = type_resolve(call->args[i]->type);
    const struct size *size = type->kind == TYPE_BATCH ? type->batch.size : one;
    const struct type *batch = type_batch(checker->arena, element, size);
    if (!check_fits(checker, call->args[i], type->kind == TYPE_BATCH ? batch : element, &why))
      return &type_error;
    check_to_batch(checker, call->args[i], batch);
    is_known &= !size_is_runtime(size);
    sum = !is_known ? NULL : sum ? size_add(checker->arena, sum, size) : size;
  }
  if (!sum)
    sum = check_runtime_size(checker, "_", expr->span);
  return type_batch(checker->arena, element, sum);
}

static const struct type *check_pick(struct checker *checker, const struct ast_expr *expr,
                                     const struct builtin *builtin) {
  struct ast_expr *const *args = expr->call.resolved.args;
  const struct type *type = type_resolve(args[0]->type), *index = type_resolve(args[1]->type);
  if (type->kind != TYPE_BATCH)
    return check_wrong_argument(checker, builtin, args[0], "a batch, T[; n]");
  if (index->kind == TYPE_INT)
    return type->batch.element;
  if (index->kind == TYPE_LIST && type_resolve(index->list.element)->kind == TYPE_INT)
    return type_batch(checker->arena, type->batch.element, check_length_of(checker, args[1]));
  return check_wrong_argument(checker, builtin, args[1], "a position, an int, or a list of positions");
}

static const struct type *to_batch(struct checker *checker, const struct ast_expr *expr,
                                   const struct builtin *builtin) {
  const struct ast_expr *arg = expr->call.resolved.args[0];
  const struct type *type = type_resolve(arg->type);
  if (type->kind == TYPE_LIST)
    return concat(checker, expr, builtin);
  if (type->kind != TYPE_TENSOR)
    return check_wrong_argument(checker, builtin, arg, "a tensor or a list of tensors");
  if (type->tensor.rank != 1 && type->tensor.rank != 2)
    return check_wrong_rank(checker, builtin, arg, "a vector or a matrix");
  const struct type *element = type->tensor.rank == 1
                                   ? &type_scalar
                                   : type_tensor(checker->arena, 1, &type->tensor.sizes[1]);
  return type_batch(checker->arena, element, type->tensor.sizes[0]);
}

const struct type *check_batch_call(struct checker *checker, const struct ast_expr *expr,
                                    const struct builtin *builtin) {
  switch (builtin->kind) {
  case BUILTIN_MOMENT_BATCHES: return check_moment(checker, expr, builtin);
  case BUILTIN_CONCAT_TO_BATCH: return concat(checker, expr, builtin);
  case BUILTIN_PICK_BATCH: return check_pick(checker, expr, builtin);
  case BUILTIN_TO_BATCH: return to_batch(checker, expr, builtin);
  default: return folded(checker, builtin, expr->call.resolved.args[0]);
  }
}

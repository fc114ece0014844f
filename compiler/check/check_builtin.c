// Calls of builtin functions: which row of the table, and its types.
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "compiler/check/checker.h"

// More parts than this are a mistake; the result is a tuple.
#define MAX_SPLIT 64

// ---- Reports -------------------------------------------------------------------------------------------

const struct type *check_wrong_argument(struct checker *checker, const struct builtin *builtin,
                                        const struct ast_expr *arg, const char *wanted) {
  const struct type *type = type_resolve(arg->type);
  struct diag *d = diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, arg->span, "`%s` takes %s, not %s",
                              builtin->name, wanted, check_text(checker, type));
  check_label_operand(checker, d, arg);
  diag_note(d, "`%s`: %s", builtin_usage(builtin), builtin->doc);
  if (builtin->kind == BUILTIN_FLOAT && type_is_scalar(type))
    diag_help(d, "`value(x)` waits for a scalar tensor and gives its number");
  if (builtin->kind == BUILTIN_LIST_ARGMAX && type->kind == TYPE_LIST && type_is_scalar(type->list.element))
    diag_help(d, "`pick_best(xs)` of `std.seq` decides among scores");
  if (builtin->kind == BUILTIN_LIST_MIN && type->kind == TYPE_LIST &&
      type_resolve(type->list.element)->kind == TYPE_TENSOR)
    diag_help(d, "of tensors: `-max([-a for a in xs])`");
  if ((builtin->kind == BUILTIN_TENSOR || builtin->kind == BUILTIN_LIST_SAMPLE) && type->kind == TYPE_LIST &&
      type_resolve(type->list.element)->kind == TYPE_INT)
    diag_help(d, "make them floats: `[float(n) for n in xs]`");
  if (builtin->kind == BUILTIN_LIST_SAMPLE && type->kind == TYPE_LIST && type_is_scalar(type->list.element))
    diag_help(d, "make a vector of them: `sample(tensor(xs))`");
  return &type_error;
}

const struct type *check_wrong_rank(struct checker *checker, const struct builtin *builtin,
                                    const struct ast_expr *arg, const char *wanted) {
  struct diag *d = diag_error(checker->sink, DIAG_WRONG_RANK, arg->span, "`%s` takes %s, not %s",
                              builtin->name, wanted, check_text(checker, arg->type));
  check_label_operand(checker, d, arg);
  return &type_error;
}

// ---- Which row -----------------------------------------------------------------------------------------

static bool takes(const struct builtin *builtin, size_t args) {
  return args == builtin_arg_count(builtin) || (builtin->is_variadic && args > builtin_arg_count(builtin));
}

static bool takes_dim(const struct builtin *row) {
  return row->kind == BUILTIN_RESHAPE || row->kind == BUILTIN_ARGMAX || row->kind == BUILTIN_ARGMIN ||
         (row->kind == BUILTIN_OP && row->op == IR_OP_PICK) ||
         (ir_is_tensor_op(row->op) && (ir_op_infos[row->op].attributes & IR_ATTR_AXIS));
}

// Whether some row of the name takes `dim`.
static bool goes_over_dim(const struct builtin *row) {
  while (row && !takes_dim(row))
    row = builtin_next(row);
  return row;
}

// Reports a wrong number of arguments; otherwise false when no row of the name takes so many.
static bool check_count(struct checker *checker, const struct ast_expr *expr, const struct builtin *first) {
  size_t count = expr->call.resolved.arg_count;
  const char *usages = "";
  for (const struct builtin *row = first; row; row = builtin_next(row)) {
    if (takes(row, count))
      return true;
    bool is_known = false;
    for (const struct builtin *other = first; other != row; other = builtin_next(other))
      is_known |= builtin_arg_count(other) == builtin_arg_count(row);
    if (!is_known)
      usages = arena_printf(checker->arena, "%s%s`%s`", usages, row == first ? "" : " or ",
                            builtin_usage(row));
  }
  struct diag *d = diag_error(checker->sink, DIAG_ARGUMENT_COUNT, expr->span, "`%s` does not take %s",
                              first->name, check_count_text(checker, count, "argument"));
  diag_help(d, "write %s", usages);
  if (goes_over_dim(first) && first->kind != BUILTIN_BROADCAST && first->kind != BUILTIN_RESHAPE)
    diag_note(d, "`%s(a, dim: 1)` goes over the dimension 1 of a tensor, the columns of a matrix",
              first->name);
  return false;
}

static bool suits(const struct builtin *builtin, const struct type *type) {
  switch (builtin->kind) {
  case BUILTIN_LIST_SUM:
  case BUILTIN_LIST_MEAN:
  case BUILTIN_LIST_MAX:
  case BUILTIN_LIST_MIN:
  case BUILTIN_LIST_ARGMAX:
  case BUILTIN_LIST_ARGMIN:
  case BUILTIN_LIST_ARGSORT:
  case BUILTIN_LIST_SAMPLE: return type->kind == TYPE_LIST;
  case BUILTIN_LIST_SAMPLES:
  case BUILTIN_LIST_TOPK: return type->kind == TYPE_LIST || type->kind == TYPE_INT;
  case BUILTIN_HOST_ABS:
  case BUILTIN_HOST_MATH: return false;  // chosen before
  case BUILTIN_HOST_MAX:
  case BUILTIN_HOST_MIN: return type_is_number(type);
  case BUILTIN_SPLIT: return type->kind != TYPE_TEXT;
  default: return true;
  }
}

// Host numbers on both sides for HOST_MAX and HOST_MIN: one tensor makes it element-wise. All arguments of
// functions with several rows are plain.
static const struct builtin *choose(const struct ast_expr *expr, const struct builtin *first) {
  const struct ast_call *call = &expr->call.resolved;
  if (!builtin_next(first))
    return first;
  bool are_numbers = call->arg_count > 0, are_ints = true;
  for (size_t i = 0; i < call->arg_count; i++) {
    are_numbers &= type_is_host_number(call->args[i]->type);
    are_ints &= type_resolve(call->args[i]->type)->kind == TYPE_INT;
  }
  for (const struct builtin *row = first; row && are_numbers; row = builtin_next(row))
    if ((row->kind == BUILTIN_HOST_MATH || (row->kind == BUILTIN_HOST_ABS && are_ints)) &&
        takes(row, call->arg_count))
      return row;
  if (first->kind == BUILTIN_SPLIT_TEXT && type_resolve(call->args[0]->type)->kind != TYPE_TEXT)
    return builtin_next(first);
  for (const struct builtin *row = first; row; row = builtin_next(row)) {
    bool suited = takes(row, call->arg_count);
    for (size_t i = 0; i < call->arg_count && suited; i++)
      suited = suits(row, type_resolve(call->args[i]->type));
    if (suited)
      return row;
  }
  while (!takes(first, call->arg_count))
    first = builtin_next(first);
  return first;
}

// ---- Lists ---------------------------------------------------------------------------------------------

static const struct type *list_argument(struct checker *checker, const struct builtin *builtin,
                                        const struct ast_expr *arg) {
  const struct type *type = type_resolve(arg->type);
  if (type->kind == TYPE_LIST || type->kind == TYPE_ERROR)
    return type;
  return check_wrong_argument(checker, builtin, arg, "a list");
}

static const struct type *check_push(struct checker *checker, const struct builtin *builtin,
                                     struct ast_expr *const *args) {
  const struct type *list = list_argument(checker, builtin, args[0]);
  if (list->kind == TYPE_ERROR) {
    check_value(checker, args[1], NULL);
    return list;
  }
  struct check_wanted why = {"the new element", args[0]->span,
                             arena_printf(checker->arena, "this is %s", check_text(checker, list))};
  return check_against(checker, args[1], list->list.element, &why) ? list : &type_error;
}

static const struct type *check_zip(struct checker *checker, const struct ast_expr *expr,
                                    const struct builtin *builtin, struct ast_expr *const *args) {
  size_t count = expr->call.resolved.arg_count;
  const struct type **items = arena_new_array(checker->arena, const struct type *, count);
  bool failed = false;
  for (size_t i = 0; i < count; i++) {
    const struct type *list = list_argument(checker, builtin, args[i]);
    failed |= list->kind == TYPE_ERROR;
    items[i] = list->kind == TYPE_LIST ? list->list.element : list;
  }
  if (failed)
    return &type_error;
  const struct type *list = type_list(checker->arena, type_tuple(checker->arena, count, items), NULL);
  return check_weight(checker, list, expr->span);
}

static const struct type *check_list_fold(struct checker *checker, const struct builtin *builtin,
                                          const struct ast_expr *arg) {
  bool takes_numbers = builtin->kind != BUILTIN_LIST_MEAN;
  bool takes_tensors = builtin->op != IR_N_OPS;
  bool gives_place = builtin->kind == BUILTIN_LIST_ARGMAX || builtin->kind == BUILTIN_LIST_ARGMIN;
  const char *wanted = !takes_numbers  ? "a list of tensors"
                       : takes_tensors ? "a list of tensors or numbers"
                       : gives_place   ? "a list of numbers or vectors"
                                       : "a list of numbers";
  const struct type *list = type_resolve(arg->type);
  if (list->kind != TYPE_LIST)
    return check_wrong_argument(checker, builtin, arg, wanted);
  const struct type *element = type_resolve(list->list.element);
  if (element->kind == TYPE_ERROR)
    return element;
  if (gives_place && element->kind == TYPE_TENSOR && element->tensor.rank == 1)
    return type_list(checker->arena, check_index_type(checker, element->tensor.sizes[0]), NULL);
  if ((takes_tensors && element->kind == TYPE_TENSOR) || (takes_numbers && type_is_number(element)))
    return gives_place ? &type_int : element;
  return check_wrong_argument(checker, builtin, arg, wanted);
}

// ---- Host values ---------------------------------------------------------------------------------------

static const struct type *check_host(struct checker *checker, const struct builtin *builtin,
                                     const struct ast_expr *arg) {
  const struct type *type = type_resolve(arg->type);
  switch (builtin->kind) {
  case BUILTIN_FLOAT:
    if (type->kind != TYPE_INT && type->kind != TYPE_BOOL && type->kind != TYPE_TEXT &&
        type->kind != TYPE_GENERIC)
      check_wrong_argument(checker, builtin, arg, "an int, a bool or a text");
    else if (!type_is_number(type) && type->kind == TYPE_GENERIC)
      check_wrong_argument(checker, builtin, arg, "a number");
    return &type_float;
  case BUILTIN_INT:
    if (type->kind != TYPE_INDEX && type->kind != TYPE_BOOL && type->kind != TYPE_TEXT &&
        !type_is_host_number(type))
      check_wrong_argument(checker, builtin, arg, "an index, a float, a bool or a text");
    return &type_int;
  case BUILTIN_VALUE:
    if (type->kind != TYPE_TENSOR)
      check_wrong_argument(checker, builtin, arg, "a scalar tensor");
    else if (type->tensor.rank != 0)
      check_wrong_rank(checker, builtin, arg, "a scalar");
    return &type_float;
  default: return &type_error;
  }
}

// ARGMAX, ARGMIN: of a vector, or of each line of a matrix along one of its dimensions.
static const struct type *check_place(struct checker *checker, const struct builtin *builtin,
                                      const struct ast_expr *arg, uint32_t axis) {
  const struct type *type = type_resolve(arg->type);
  if (type->kind != TYPE_TENSOR)
    return check_wrong_argument(checker, builtin, arg, "a vector");
  if (type->tensor.rank != 1 && (axis == 0 || type->tensor.rank > 2))
    return check_wrong_rank(checker, builtin, arg,
                            axis ? "a vector or a matrix" : "a vector (or a matrix and `dim: k`)");
  const struct type *place = check_index_type(checker, type->tensor.sizes[axis ? axis - 1 : 0]);
  return type->tensor.rank == 1 ? place : type_list(checker->arena, place, NULL);
}

// Decisions that give many numbers, and the same of lists of floats.
static const struct type *check_numbers(struct checker *checker, const struct ast_expr *expr,
                                        const struct builtin *builtin) {
  struct arena *arena = checker->arena;
  struct ast_expr *const *args = expr->call.resolved.args;
  const struct type *type = type_resolve(args[0]->type), *place = &type_int;
  bool of_list = builtin->kind == BUILTIN_LIST_TOPK || builtin->kind == BUILTIN_LIST_ARGSORT ||
                 builtin->kind == BUILTIN_LIST_SAMPLE || builtin->kind == BUILTIN_LIST_SAMPLES;
  if (expr->call.resolved.arg_count > 1 && type_resolve(args[1]->type)->kind != TYPE_INT)
    return check_wrong_argument(checker, builtin, args[1], "an int as the number of elements");
  if (of_list && type_resolve(type->list.element)->kind != TYPE_FLOAT)
    return check_wrong_argument(checker, builtin, args[0], "a vector or a list of floats");
  if (!of_list) {
    size_t most = builtin->kind == BUILTIN_VALUES ? 2 : 1;
    const char *wanted = most == 2 ? "a vector or a matrix" : "a vector";
    if (type->kind != TYPE_TENSOR)
      return check_wrong_argument(checker, builtin, args[0], wanted);
    if (type->tensor.rank == 0 || type->tensor.rank > most)
      return check_wrong_rank(checker, builtin, args[0], wanted);
    place = check_index_type(checker, type->tensor.sizes[0]);
  }
  switch (builtin->kind) {
  case BUILTIN_VALUES: {
    const struct type *row = type_list(arena, &type_float, NULL);
    return type->tensor.rank == 1 ? row : type_list(arena, row, NULL);
  }
  case BUILTIN_SAMPLE:
  case BUILTIN_LIST_SAMPLE: return place;
  case BUILTIN_TOPK:
  case BUILTIN_LIST_TOPK: {
    const struct type **items = arena_new_array(arena, const struct type *, 2);
    items[0] = place;
    items[1] = &type_float;
    return type_list(arena, type_tuple(arena, 2, items), NULL);
  }
  default: return type_list(arena, place, NULL);  // ARGSORT, SAMPLES
  }
}

// ---- Tensors of lists ----------------------------------------------------------------------------------

// The list that tells how long this one is: what a comprehension without a condition runs over, what is reversed, the
// first of those that are zipped.
static const struct ast_expr *measure_of(const struct ast_expr *list) {
  for (;;) {
    if (list->kind == AST_EXPR_COMPREHENSION && !list->comprehension.condition) {
      list = list->comprehension.sequence;
      continue;
    }
    if (list->kind != AST_EXPR_CALL || list->call.resolved.kind != AST_CALL_BUILTIN)
      return list;
    enum builtin_kind kind = list->call.resolved.target.builtin->kind;
    if (kind != BUILTIN_REVERSED && kind != BUILTIN_ZIP)
      return list;
    list = list->call.resolved.args[0];
  }
}

// The local that the expression names, when it is bound once.
static const struct ast_local *unchanging(const struct ast_expr *list) {
  bool names = list->kind == AST_EXPR_NAME && list->name.ref.kind == AST_REF_LOCAL;
  return names && list->name.ref.local->kind != AST_LOCAL_VAR ? list->name.ref.local : NULL;
}

// The size that stands for the length of a list. Lists that have the length of one that never changes, a parameter or
// what `let` binds, have one size. Every other one has a size of its own.
const struct size *check_length_of(struct checker *checker, const struct ast_expr *list) {
  const struct ast_local *local = NULL;
  const struct ast_expr *measure = measure_of(list);
  // From list to list, as long as they do not change.
  for (const struct ast_local *next; (next = unchanging(measure)) != NULL;) {
    local = next;
    const struct ast_expr *value = map_get(&checker->let_lists, local);
    if (!value)
      break;
    measure = measure_of(value);
  }
  const struct size_symbol *known = local ? map_get(&checker->lengths, local) : NULL;
  if (!known) {
    const char *text = local ? arena_printf(checker->arena, "len(%s)", local->name.text) : "len(...)";
    known = check_new_symbol(checker, SIZE_RUNTIME, (struct ast_ref){0},
                             (struct ast_name){.text = text, .span = measure->span}, false);
    if (local)
      map_put(checker->arena, &checker->lengths, local, (void *)(uintptr_t)known);
  }
  return check_symbol_size(checker, known);
}

// A list of tensors: one dimension more, of as many as are written, as the place wants, or as the list has.
static const struct type *stack_of(struct checker *checker, const struct ast_expr *call,
                                   const struct builtin *builtin, const struct type *element,
                                   const struct type *wanted) {
  const struct ast_expr *list = call->call.resolved.args[0];
  const struct type *batch = type_resolve(list->type);
  if (element->tensor.rank == TYPE_MAX_RANK)
    return check_wrong_rank(checker, builtin, list, "a list of tensors of three dimensions at most");
  const struct size *sizes[TYPE_MAX_RANK] = {NULL};
  if (list->kind == AST_EXPR_LIST)
    sizes[0] = size_constant(checker->arena, (int64_t)list->items.count);
  else if (wanted && wanted->tensor.rank == element->tensor.rank + 1)
    sizes[0] = wanted->tensor.sizes[0];
  else if (batch->kind == TYPE_BATCH)
    sizes[0] = batch->batch.size;
  else
    sizes[0] = check_length_of(checker, list);
  for (size_t i = 0; i < element->tensor.rank; i++) {
    if (size_is_runtime(element->tensor.sizes[i]))
      return check_wrong_argument(checker, builtin, list,
                                  "a list of tensors whose sizes are known before any example is");
    sizes[i + 1] = element->tensor.sizes[i];
  }
  return type_tensor(checker->arena, element->tensor.rank + 1, sizes);
}

static const struct type *tensor_of_list(struct checker *checker, const struct ast_expr *call,
                                         const struct builtin *builtin, const struct type *wanted) {
  const struct ast_expr *list = call->call.resolved.args[0];
  const struct type *type = type_resolve(list->type);
  const struct type *element = type_resolve(type->kind == TYPE_BATCH ? type->batch.element
                                                                     : type->list.element);
  if (element->kind == TYPE_ERROR)
    return element;
  if (element->kind == TYPE_TENSOR)
    return stack_of(checker, call, builtin, element, wanted);
  if (element->kind != TYPE_FLOAT)
    return check_wrong_argument(checker, builtin, list, "numbers, scalars, or a list of floats or tensors");
  if (wanted)
    return wanted;
  const struct size *length = list->kind == AST_EXPR_LIST
                                  ? size_constant(checker->arena, (int64_t)list->items.count)
                                  : check_length_of(checker, list);
  return type_tensor(checker->arena, 1, &length);
}

// Numbers and scalars one by one. If one of them is a scalar, all become scalars.
static const struct type *check_tensor(struct checker *checker, const struct ast_expr *call,
                                       const struct builtin *builtin, const struct type *wanted) {
  struct ast_expr *const *args = call->call.resolved.args;
  size_t count = call->call.resolved.arg_count;
  bool is_list = count == 1 && (type_resolve(args[0]->type)->kind == TYPE_LIST ||
                                type_resolve(args[0]->type)->kind == TYPE_BATCH);
  if (is_list)
    return tensor_of_list(checker, call, builtin, wanted);
  bool has_tensor = false;
  for (size_t i = 0; i < count; i++) {
    if (!type_is_host_number(args[i]->type) && !type_is_scalar(args[i]->type))
      return check_wrong_argument(checker, builtin, args[i],
                                  "numbers, scalars, or a list of floats or tensors");
    has_tensor |= type_is_scalar(args[i]->type);
  }
  for (size_t i = 0; i < count; i++)
    if (has_tensor && type_is_host_number(args[i]->type))
      args[i]->conversion = AST_CONVERT_TO_SCALAR;
  const struct size *length = size_constant(checker->arena, (int64_t)count);
  return type_tensor(checker->arena, 1, &length);
}

// ---- Tensors -------------------------------------------------------------------------------------------

static bool is_tensor(struct checker *checker, const struct builtin *builtin, const struct ast_expr *arg,
                      size_t min_rank, size_t max_rank) {
  static const char *const sorts[3][3] = {{"a scalar", "a scalar or a vector", "a tensor"},
                                          {NULL, "a vector", "a vector or a matrix"},
                                          {NULL, NULL, "a matrix"}};
  const char *wanted = max_rank > 2 ? (min_rank > 1   ? "a tensor of two dimensions or more"
                                       : min_rank > 0 ? "a tensor with dimensions"
                                                      : "a tensor")
                                    : sorts[min_rank][max_rank];
  const struct type *type = type_resolve(arg->type);
  if (type->kind != TYPE_TENSOR)
    check_wrong_argument(checker, builtin, arg, wanted);
  else if (type->tensor.rank < min_rank || type->tensor.rank > max_rank)
    check_wrong_rank(checker, builtin, arg, wanted);
  else
    return true;
  return false;
}

// The dimension that a movement goes along: `dim`, or the first.
static size_t along(const struct ast_expr *expr) {
  uint32_t axis = expr->call.resolved.axis;
  return axis > 0 ? axis - 1 : 0;
}

static const struct type *with_size(struct checker *checker, const struct type *type, size_t axis,
                                    const struct size *size) {
  const struct size *sizes[TYPE_MAX_RANK];
  for (size_t i = 0; i < type->tensor.rank; i++)
    sizes[i] = i == axis ? size : type->tensor.sizes[i];
  return type_tensor(checker->arena, type->tensor.rank, sizes);
}

static const struct type *check_split(struct checker *checker, const struct ast_expr *expr,
                                      const struct builtin *builtin, struct ast_expr *const *args) {
  const struct ast_expr *parts = args[1];
  size_t axis = along(expr);
  if (!is_tensor(checker, builtin, args[0], 1, TYPE_MAX_RANK))
    return &type_error;
  if (parts->kind != AST_EXPR_INT || parts->integer < 1 || parts->integer > MAX_SPLIT) {
    struct diag *d = diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, parts->span,
                                "the number of parts must be a literal from 1 to %d", MAX_SPLIT);
    diag_note(d, "it decides how many values `split` gives: `let (a, b) = split(x, 2)`");
    return &type_error;
  }
  const struct type *type = type_resolve(args[0]->type);
  const struct size *whole = type->tensor.sizes[axis];
  const struct size *part = size_is_runtime(whole) ? NULL
                                                   : size_divide(checker->arena, whole, parts->integer);
  if (!part) {
    const char *size = size_text(checker->arena, whole);
    struct diag *d = diag_error(checker->sink, DIAG_SPLIT_UNEVEN, args[0]->span,
                                "`%s` elements do not divide into %" PRId64 " equal parts", size,
                                parts->integer);
    diag_primary_label(d, "this is %s", check_text(checker, type));
    check_label_operand(checker, d, args[0]);
    check_label_sizes(checker, d, whole, NULL);
    diag_note(d, "the size must be %" PRId64 " times another one, whatever values dims are given",
              parts->integer);
    return &type_error;
  }
  const struct type *items[MAX_SPLIT];
  for (int64_t i = 0; i < parts->integer; i++)
    items[i] = with_size(checker, type, axis, part);
  return type_tuple(checker->arena, (size_t)parts->integer, items);
}

// slice(a, i, n): written as bounds, so that `a[i..i+n]` and it mean the same.
static const struct type *check_slice_call(struct checker *checker, struct ast_expr *expr,
                                           const struct builtin *builtin, struct ast_expr *const *args) {
  const struct type *type = type_resolve(args[0]->type);
  if (check_mentions_local(checker, args[1])) {
    if (!is_tensor(checker, builtin, args[0], 1, TYPE_MAX_RANK))
      return &type_error;
    const struct size *window = check_window(checker, expr, args[1], args[2], args[0], along(expr));
    args[2]->type = &type_int;
    return window ? with_size(checker, type, along(expr), window) : &type_error;
  }
  const struct size *offset = check_size_expr(checker, args[1], "the beginning of a slice");
  const struct size *length = check_size_expr(checker, args[2], "the length of a slice");
  if (!offset || !length || !is_tensor(checker, builtin, args[0], 1, TYPE_MAX_RANK))
    return &type_error;
  args[1]->type = args[2]->type = &type_int;
  const struct size *end = size_add(checker->arena, offset, length);
  if (!end || !check_slice_bounds(checker, expr, args[0], type, along(expr), offset, end))
    return &type_error;
  struct size_binding *bindings = arena_new_array(checker->arena, struct size_binding, 2);
  bindings[0] = (struct size_binding){.size = offset, .origin = args[1]->span};
  bindings[1] = (struct size_binding){.size = length, .origin = args[2]->span};
  expr->call.resolved.bindings = bindings;
  expr->call.resolved.binding_count = 2;
  return with_size(checker, type, along(expr), length);
}

// Elements of the dimensions that are known before any example is, and how many of the others lead. NULL: one of the
// others comes later, or there are too many elements.
static const struct size *known_elements(struct checker *checker, size_t rank,
                                         const struct size *const *sizes, size_t *n_led) {
  const struct size *n = size_constant(checker->arena, 1);
  for (*n_led = 0; *n_led < rank && size_is_runtime(sizes[*n_led]);)
    ++*n_led;
  for (size_t i = *n_led; n && i < rank; i++)
    n = size_is_runtime(sizes[i]) ? NULL : size_mul(checker->arena, n, sizes[i]);
  return n;
}

static const struct type *check_reshape(struct checker *checker, const struct ast_expr *expr,
                                        const struct builtin *builtin, struct ast_expr *const *args) {
  const struct type *type = type_resolve(args[0]->type);
  size_t kept = along(expr), rank = kept + expr->call.resolved.arg_count - 1;
  const struct size *sizes[TYPE_MAX_RANK];
  bool failed = !is_tensor(checker, builtin, args[0], 0, TYPE_MAX_RANK);
  if (rank > TYPE_MAX_RANK) {
    diag_error(checker->sink, DIAG_RANK_TOO_HIGH, expr->span,
               "a tensor of %zu dimensions; at most %d are supported", rank, TYPE_MAX_RANK);
    return &type_error;
  }
  for (size_t i = 0; i < rank; i++) {
    if (i < kept && failed)
      continue;
    sizes[i] = i < kept ? type->tensor.sizes[i]
                        : check_size_expr(checker, args[i - kept + 1], "this argument of `reshape`");
    failed |= !sizes[i];
    if (i >= kept)
      args[i - kept + 1]->type = &type_int;
  }
  if (failed)
    return &type_error;
  const struct type *result = type_tensor(checker->arena, rank, sizes);
  size_t led, led_result;
  const struct size *n = known_elements(checker, type->tensor.rank, type->tensor.sizes, &led),
                    *n_result = known_elements(checker, rank, sizes, &led_result);
  bool fits = n && n_result && size_equal(n, n_result) && led == led_result;
  for (size_t i = 0; fits && i < led; i++)
    fits = size_equal(sizes[i], type->tensor.sizes[i]);
  if (fits)
    return result;
  struct diag *d = diag_error(checker->sink, DIAG_SHAPES_DIFFER, expr->span, "`reshape` cannot make %s of %s",
                              check_text(checker, result), check_text(checker, type));
  check_label_operand(checker, d, args[0]);
  if (n && n_result && led == led_result && !size_equal(n, n_result))
    diag_note(d, "the one has `%s` elements%s and the other `%s`", size_text(checker->arena, n_result),
              led > 0 ? " a row" : "", size_text(checker->arena, n));
  if (led > 0 || led_result > 0) {
    diag_note(d, "a size that is known for each example only comes first and stays as it is");
    diag_help(d, "`reshape(a, n, m, dim: 1)` keeps the first dimension");
  } else {
    diag_note(d, "sizes are compared as polynomials, whatever values they are given later");
  }
  return &type_error;
}

static const struct type *check_permute(struct checker *checker, const struct ast_expr *expr,
                                        const struct builtin *builtin, struct ast_expr *const *args) {
  const struct type *type = type_resolve(args[0]->type);
  size_t rank = expr->call.resolved.arg_count - 1;
  if (!is_tensor(checker, builtin, args[0], 1, TYPE_MAX_RANK))
    return &type_error;
  const struct size *sizes[TYPE_MAX_RANK];
  unsigned seen = 0;
  bool fits = rank == type->tensor.rank;
  for (size_t i = 0; i < rank; i++) {
    const struct ast_expr *axis = args[i + 1];
    args[i + 1]->type = &type_int;
    fits = fits && axis->kind == AST_EXPR_INT && axis->integer >= 0 && (size_t)axis->integer < rank &&
           !(seen & 1u << axis->integer);
    if (!fits)
      break;
    seen |= 1u << axis->integer;
    sizes[i] = type->tensor.sizes[axis->integer];
  }
  if (fits)
    return type_tensor(checker->arena, rank, sizes);
  struct diag *d = diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, expr->span,
                              "`permute` names each dimension of %s once", check_text(checker, type));
  check_label_operand(checker, d, args[0]);
  diag_note(d, "they are literals from 0 to %d, in the order of the result", (int)type->tensor.rank - 1);
  return &type_error;
}

// Words for what the rule of the row says against an argument.
static void wrong_shape(struct checker *checker, const struct builtin *builtin, struct ast_expr *const *args,
                        uint32_t axis, const struct shape_fault *fault) {
  const struct ast_expr *arg = args[fault->operand], *other = args[fault->other];
  const struct type *type = type_resolve(arg->type);
  bool is_tensor_of_rows = ir_op_infos[builtin->op].class == IR_CLASS_ROWWISE && type->kind == TYPE_TENSOR &&
                           type->tensor.rank > 1;
  if (fault->kind == SHAPE_RANK && is_tensor_of_rows) {
    struct diag *d = diag_error(checker->sink, DIAG_WRONG_RANK, arg->span, "`%s` takes a vector, not %s",
                                builtin->name, check_text(checker, type));
    check_label_operand(checker, d, arg);
    diag_help(d, "`%s(a, dim: %d)` is over the last dimension of a tensor", builtin->name,
              (int)type->tensor.rank - 1);
  } else if (fault->kind == SHAPE_RANK) {
    is_tensor(checker, builtin, arg, fault->least, fault->most);
  } else if (fault->kind == SHAPE_TOO_LARGE) {
    diag_error(checker->sink, DIAG_SIZE_OVERFLOW, arg->span, "the size of the result is too large");
  } else if (fault->kind == SHAPE_DIFFERS) {
    struct diag *d = diag_error(checker->sink, DIAG_SHAPES_DIFFER, arg->span,
                                "`%s` needs equal shapes: %s and %s", builtin->name,
                                check_text(checker, other->type), check_text(checker, type));
    diag_label(d, other->span, "this is %s", check_text(checker, other->type));
    diag_primary_label(d, "this is %s", check_text(checker, type));
    check_label_type_sizes(checker, d, type_resolve(other->type), type);
  } else {
    assert(fault->kind == SHAPE_JOIN);  // check_axis and check_elementwise have seen to the others
    struct diag *d = diag_error(checker->sink, DIAG_SHAPES_DIFFER, arg->span,
                                "`concat` joins tensors of equal sizes but for that of dimension %d",
                                (int)(axis > 0 ? axis - 1 : 0));
    diag_primary_label(d, "this is %s", check_text(checker, type));
    diag_label(d, other->span, "this is %s", check_text(checker, other->type));
    check_label_type_sizes(checker, d, type_resolve(other->type), type);
  }
}

// What the rule of the row gives for the arguments that are its operands.
static const struct type *check_by_rule(struct checker *checker, const struct ast_expr *expr,
                                        const struct builtin *builtin, struct ast_expr *const *args) {
  const struct ast_call *call = &expr->call.resolved;
  int arity = ir_op_infos[builtin->op].arity;
  size_t count = arity < 0 ? call->arg_count : (size_t)arity;
  const struct type **types = arena_new_array(checker->arena, const struct type *, count);
  for (size_t i = 0; i < count; i++)
    types[i] = args[i]->type;
  struct shape_fault fault;
  const struct type *type = check_shape(checker, builtin->op, count, types, call->axis, &fault);
  if (!type)
    wrong_shape(checker, builtin, args, call->axis, &fault);
  return type ? type : &type_error;
}

static const struct type *check_dropout(struct checker *checker, const struct ast_expr *expr,
                                        const struct builtin *builtin, struct ast_expr *const *args) {
  struct ast_expr *p = args[1];
  if (check_constant(checker, p, &type_float, "the probability of `dropout`")) {
    if (p->kind == AST_EXPR_UNARY || (p->kind == AST_EXPR_FLOAT && p->floating >= 1))
      diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, p->span,
                 "a probability of dropping must be in [0, 1)");
  }
  return check_by_rule(checker, expr, builtin, args);
}

// `dim: k`, a literal position among the dimensions of the first argument.
static bool check_axis(struct checker *checker, const struct ast_expr *dim, const struct builtin *builtin,
                       const struct ast_expr *arg, uint32_t *axis) {
  const struct type *type = type_resolve(arg->type);
  if (!takes_dim(builtin) || type->kind != TYPE_TENSOR) {
    struct diag *d = diag_error(checker->sink, DIAG_NAMED_ARGUMENT, dim->span,
                                "`%s` of %s goes over no dimension", builtin->name,
                                check_text(checker, type));
    check_label_operand(checker, d, arg);
    return false;
  }
  if (dim->kind == AST_EXPR_INT && dim->integer >= 0 && (size_t)dim->integer < type->tensor.rank) {
    *axis = (uint32_t)dim->integer + 1;
    return true;
  }
  int64_t position;
  struct diag *d = check_is_literal(dim, &position)
                       ? diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, dim->span,
                                    "%s has no such dimension", check_text(checker, type))
                       : diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, dim->span,
                                    "`dim` must be a literal: the type of the result depends on it");
  check_label_operand(checker, d, arg);
  if (type->tensor.rank == 0)
    diag_note(d, "a scalar has no dimensions");
  else
    diag_note(d, "`dim` is a literal from 0, the first dimension, to %d, the last one",
              (int)type->tensor.rank - 1);
  return false;
}

static const struct type *check_binary_op(struct checker *checker, const struct ast_expr *expr,
                                          const struct builtin *builtin, struct ast_expr *const *args) {
  const struct type *a = type_resolve(args[0]->type), *b = type_resolve(args[1]->type);
  if (builtin->op != IR_OP_DOT || a->kind != TYPE_TENSOR || b->kind != TYPE_TENSOR) {
    const struct type *type = check_elementwise(checker, args[0], args[1], expr->call.callee->span,
                                                builtin->name);
    if (builtin->op != IR_OP_DOT || type->kind == TYPE_ERROR)
      return builtin->op == IR_OP_DOT ? &type_scalar : type;
  }
  return check_by_rule(checker, expr, builtin, args);
}

// A list made a tensor, end to end with something: its size would be computed from one that is known for each example only.
static bool joins_lengths(struct checker *checker, const struct ast_expr *expr,
                          struct ast_expr *const *args) {
  for (size_t i = 0; i < expr->call.resolved.arg_count; i++) {
    const struct type *type = type_resolve(args[i]->type);
    if (type->kind != TYPE_TENSOR || type->tensor.rank <= along(expr) ||
        !size_is_runtime(type->tensor.sizes[along(expr)]))
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, args[i]->span,
                                "`concat` cannot join what `tensor` made of a list");
    diag_label(d, args[i]->span, "this is %s", check_text(checker, type));
    diag_help(d, "join the lists before: `tensor(xs + ys)`");
    return true;
  }
  return false;
}

// broadcast(a, b, dim: k): a's shape is b's without dimension k; without `dim`, its last dimensions.
static const struct type *check_broadcast(struct checker *checker, const struct ast_expr *expr,
                                          const struct builtin *builtin, struct ast_expr *const *args) {
  const struct type *a = type_resolve(args[0]->type), *b = type_resolve(args[1]->type);
  uint32_t axis = expr->call.resolved.axis;
  if (type_is_host_number(a)) {
    args[0]->conversion = AST_CONVERT_TO_SCALAR;
    a = &type_scalar;
  }
  for (size_t i = 0; i < 2; i++)
    if ((i ? b : a)->kind != TYPE_TENSOR)
      return check_wrong_argument(checker, builtin, args[i], "two tensors");
  const struct size *sizes[TYPE_MAX_RANK];
  size_t n = 0;
  for (size_t i = axis > 0 ? 0 : b->tensor.rank - a->tensor.rank;
       a->tensor.rank <= b->tensor.rank && i < b->tensor.rank; i++)
    if (i + 1 != axis)
      sizes[n++] = b->tensor.sizes[i];
  const struct type *wanted = type_tensor(checker->arena, n, sizes);
  if (a->tensor.rank <= b->tensor.rank && type_equal(a, wanted))
    return b;
  struct diag *d = diag_error(checker->sink, DIAG_SHAPES_DIFFER, args[0]->span,
                              "`broadcast` cannot give %s the shape of %s", check_text(checker, a),
                              check_text(checker, b));
  diag_primary_label(d, "this is %s", check_text(checker, a));
  diag_label(d, args[1]->span, "this is %s", check_text(checker, b));
  check_label_operand(checker, d, args[0]);
  if (axis > 0)
    diag_note(d, "without dimension %d it is %s", (int)axis - 1, check_text(checker, wanted));
  else
    diag_note(
        d,
        "the dimensions of the one are to be the last ones of the other; `dim: k` names one that it lacks");
  return &type_error;
}

// A row of ops.def whose arguments are tensors, already checked and without errors.
// pick(a, i, dim: k): of any dimension.
static const struct type *check_pick(struct checker *checker, const struct ast_expr *expr,
                                     const struct builtin *builtin, struct ast_expr *const *args) {
  const struct type *type = type_resolve(args[0]->type);
  if (!is_tensor(checker, builtin, args[0], 1, TYPE_MAX_RANK)) {
    check_value(checker, args[1], NULL);
    return type->kind == TYPE_TENSOR ? &type_scalar : &type_error;
  }
  check_index_into(checker, args[1], args[0], type, along(expr));
  const struct size *sizes[TYPE_MAX_RANK];
  for (size_t i = 0, n = 0; i < type->tensor.rank; i++)
    if (i != along(expr))
      sizes[n++] = type->tensor.sizes[i];
  return type_tensor(checker->arena, type->tensor.rank - 1, sizes);
}

static const struct type *check_op(struct checker *checker, struct ast_expr *expr,
                                   const struct builtin *builtin, struct ast_expr *const *args) {
  const struct ir_op_info *info = &ir_op_infos[builtin->op];
  if (info->arity == 2)
    return check_binary_op(checker, expr, builtin, args);
  if (info->class == IR_CLASS_ELEMENTWISE && type_is_host_number(args[0]->type)) {
    args[0]->conversion = AST_CONVERT_TO_SCALAR;
    return &type_scalar;
  }
  if (builtin->op == IR_OP_CONCAT && joins_lengths(checker, expr, args))
    return &type_error;
  const struct type *type = check_by_rule(checker, expr, builtin, args);
  if (!info->takes_index)
    return type;
  if (type->kind == TYPE_ERROR)
    check_value(checker, args[1], NULL);
  else
    check_index_into(checker, args[1], args[0], type_resolve(args[0]->type), 0);
  // What a reduction gives is clear even where its operand is wrong.
  return info->class == IR_CLASS_REDUCE ? &type_scalar : type;
}

// ---- Texts ---------------------------------------------------------------------------------------------

static bool check_text_argument(struct checker *checker, const struct builtin *builtin,
                                const struct ast_expr *arg) {
  if (type_resolve(arg->type)->kind == TYPE_TEXT)
    return true;
  check_wrong_argument(checker, builtin, arg, "a text");
  return false;
}

static const struct type *check_join_texts(struct checker *checker, const struct builtin *builtin,
                                           struct ast_expr *const *args) {
  const struct type *list = type_resolve(args[0]->type);
  if (list->kind != TYPE_LIST || !type_unify(list->list.element, &type_string))
    check_wrong_argument(checker, builtin, args[0], "a list of texts");
  check_text_argument(checker, builtin, args[1]);
  return &type_string;
}

static const struct type *check_text_of(struct checker *checker, const struct builtin *builtin,
                                        const struct ast_expr *arg) {
  const struct type *type = type_resolve(arg->type);
  if (!type_is_host_number(type) && type->kind != TYPE_BOOL && type->kind != TYPE_INDEX)
    check_wrong_argument(checker, builtin, arg, "a number, a bool or an index");
  return &type_string;
}

static const struct type *check_is_unknown(struct checker *checker, const struct builtin *builtin,
                                           const struct ast_expr *arg) {
  const struct type *type = type_resolve(arg->type);
  bool is_open = type->kind == TYPE_INDEX && type->index->ref.kind == AST_REF_VOCAB &&
                 !type->index->ref.vocab->closed;
  if (!is_open)
    check_wrong_argument(checker, builtin, arg, "an index of a vocab that is not closed");
  return &type_bool;
}

// `len(Word)`: NULL where the argument is no vocab or enum.
static const struct type *check_len_of_set(struct checker *checker, struct ast_expr *expr,
                                           const struct builtin *builtin) {
  struct ast_call *call = &expr->call.resolved;
  if (builtin->kind != BUILTIN_LEN || call->arg_count != 1 || !check_members(checker, call->args[0]))
    return NULL;
  call->target = (struct ast_ref){AST_REF_BUILTIN, {.builtin = builtin}};
  expr->call.callee->name.ref = call->target;
  return &type_int;
}

// ---- For people ----------------------------------------------------------------------------------------

static const struct type *check_print(struct checker *checker, struct ast_expr *const *args, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (args[i]->kind == AST_EXPR_TEXT)
      args[i]->type = &type_unit;
    else
      check_known(checker, args[i], NULL);
  }
  return &type_unit;
}

static const struct type *check_assert(struct checker *checker, const struct ast_expr *expr,
                                       struct ast_expr *const *args) {
  size_t count = expr->call.resolved.arg_count;
  struct check_wanted why = {"the condition of `assert`", SPAN_NONE, NULL};
  check_against(checker, args[0], &type_bool, &why);
  if (count > 1 && args[1]->kind == AST_EXPR_TEXT)
    args[1]->type = &type_unit;
  for (size_t i = 1; i < count; i++) {
    if (args[i]->type == &type_unit && args[i]->kind == AST_EXPR_TEXT)
      continue;
    if (args[i]->kind != AST_EXPR_TEXT && check_value(checker, args[i], NULL)->kind == TYPE_ERROR)
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, args[i]->span,
                                "the message of `assert` is one text: `assert(c, \"message\")`");
    diag_help(d, "`print(...)` before it shows values");
    break;
  }
  return &type_unit;
}

// ---- All -----------------------------------------------------------------------------------------------

// Arguments that are not simply values: their own checks look at them.
static size_t plain_args(const struct builtin *builtin, size_t count) {
  if (builtin->kind == BUILTIN_PUSH || builtin_takes_sizes(builtin))
    return 1;
  if (builtin->kind == BUILTIN_PRINT || builtin->kind == BUILTIN_ASSERT)
    return 0;
  if (builtin->kind != BUILTIN_OP)
    return count;
  return builtin->is_variadic ? count : builtin->arg_count;
}

// Whether a batch among the arguments is taken element by element.
static bool is_lifted(const struct builtin *builtin, size_t arg_count) {
  switch (builtin->kind) {
  case BUILTIN_TENSOR: return arg_count > 1;
  case BUILTIN_LEN:
  case BUILTIN_PUSH:
  case BUILTIN_POP:
  case BUILTIN_LAST:
  case BUILTIN_REVERSED:
  case BUILTIN_ZIP:
  case BUILTIN_PRINT:
  case BUILTIN_ASSERT:
  case BUILTIN_FLOAT:
  case BUILTIN_INT:
  case BUILTIN_SUM_BATCHES:
  case BUILTIN_MEAN_BATCHES:
  case BUILTIN_MOMENT_BATCHES:
  case BUILTIN_STD_BATCHES:
  case BUILTIN_CONCAT_TO_BATCH:
  case BUILTIN_PICK_BATCH:
  case BUILTIN_TO_BATCH: return false;
  default: return true;
  }
}

// What an argument is wanted to be where a certain result is: of functions that only hand lists on.
static const struct type *argument_hint(struct checker *checker, const struct builtin *builtin, size_t i,
                                        const struct type *result) {
  result = result ? type_resolve(result) : NULL;
  if (builtin->kind == BUILTIN_TENSOR || (builtin->kind == BUILTIN_LIST_SAMPLE && i == 0))
    return type_list(checker->arena, &type_float, NULL);
  if (!result)
    return NULL;
  switch (builtin->kind) {
  case BUILTIN_PUSH:
  case BUILTIN_POP:
  case BUILTIN_REVERSED: return result;
  case BUILTIN_LAST: return type_list(checker->arena, result, NULL);
  case BUILTIN_ZIP: {
    const struct type *tuple = result->kind == TYPE_LIST ? type_resolve(result->list.element) : result;
    bool has_item = tuple->kind == TYPE_TUPLE && i < tuple->tuple.count;
    return has_item ? type_list(checker->arena, tuple->tuple.items[i], NULL) : NULL;
  }
  default: return NULL;
  }
}

static bool check_plain_args(struct checker *checker, const struct builtin *builtin,
                             struct ast_expr *const *args, size_t count, const struct type *hint) {
  bool failed = false;
  for (size_t i = 0; i < plain_args(builtin, count); i++) {
    const struct type *wanted = argument_hint(checker, builtin, i, hint);
    const struct type *type = builtin->kind == BUILTIN_LEN ? check_receiver(checker, args[i])
                                                           : check_known(checker, args[i], wanted);
    failed |= type->kind == TYPE_ERROR;
  }
  return !failed;
}

// What the function gives whatever its arguments are, so that an error in them stays one error.
static const struct type *result_despite_errors(const struct builtin *builtin) {
  switch (builtin->kind) {
  case BUILTIN_LEN:
  case BUILTIN_FIND_TEXT:
  case BUILTIN_INT: return &type_int;
  case BUILTIN_TEXT:
  case BUILTIN_JOIN: return &type_string;
  case BUILTIN_IS_UNKNOWN: return &type_bool;
  case BUILTIN_FLOAT:
  case BUILTIN_VALUE: return &type_float;
  default: return &type_error;
  }
}

static const struct type *check_draw(struct checker *checker, const struct builtin *builtin,
                                     struct ast_expr *arg) {
  if (builtin->kind == BUILTIN_BERNOULLI && type_is_host_number(arg->type)) {
    arg->conversion = AST_CONVERT_TO_SCALAR;
    return &type_scalar;
  }
  const struct type *type = type_resolve(arg->type);
  return type->kind == TYPE_TENSOR ? type : check_wrong_argument(checker, builtin, arg, "a tensor");
}

static const struct type *check_row(struct checker *checker, struct ast_expr *expr,
                                    const struct builtin *builtin, struct ast_expr *const *args,
                                    const struct type *hint) {
  const struct type *wanted = hint ? type_resolve(hint) : NULL;
  if (wanted && (wanted->kind != TYPE_TENSOR || wanted->tensor.rank == 0))
    wanted = NULL;
  switch (builtin->kind) {
  case BUILTIN_LEN:
    if (type_resolve(args[0]->type)->kind != TYPE_BATCH && type_resolve(args[0]->type)->kind != TYPE_TEXT)
      list_argument(checker, builtin, args[0]);
    return &type_int;
  case BUILTIN_PUSH: return check_push(checker, builtin, args);
  case BUILTIN_POP:
  case BUILTIN_REVERSED: return list_argument(checker, builtin, args[0]);
  case BUILTIN_LAST: {
    const struct type *list = list_argument(checker, builtin, args[0]);
    return list->kind == TYPE_LIST ? type_resolve(list->list.element) : list;
  }
  case BUILTIN_ZIP: return check_zip(checker, expr, builtin, args);
  case BUILTIN_SUM_BATCHES:
  case BUILTIN_MEAN_BATCHES:
  case BUILTIN_MOMENT_BATCHES:
  case BUILTIN_STD_BATCHES:
  case BUILTIN_CONCAT_TO_BATCH:
  case BUILTIN_PICK_BATCH:
  case BUILTIN_TO_BATCH: return check_batch_call(checker, expr, builtin);
  case BUILTIN_LIST_SUM:
  case BUILTIN_LIST_MEAN:
  case BUILTIN_LIST_MAX:
  case BUILTIN_LIST_MIN:
  case BUILTIN_LIST_ARGMAX:
  case BUILTIN_LIST_ARGMIN: return check_list_fold(checker, builtin, args[0]);
  case BUILTIN_TENSOR: return check_tensor(checker, expr, builtin, wanted);
  case BUILTIN_FLOAT:
  case BUILTIN_INT:
  case BUILTIN_VALUE: return check_host(checker, builtin, args[0]);
  case BUILTIN_ARGMAX:
  case BUILTIN_ARGMIN: return check_place(checker, builtin, args[0], expr->call.resolved.axis);
  case BUILTIN_VALUES:
  case BUILTIN_TOPK:
  case BUILTIN_LIST_TOPK:
  case BUILTIN_ARGSORT:
  case BUILTIN_LIST_ARGSORT:
  case BUILTIN_SAMPLE:
  case BUILTIN_LIST_SAMPLE:
  case BUILTIN_SAMPLES:
  case BUILTIN_LIST_SAMPLES: return check_numbers(checker, expr, builtin);
  case BUILTIN_RANDOM: return &type_float;
  case BUILTIN_HOST_MAX:
  case BUILTIN_HOST_MIN:
    return check_elementwise(checker, args[0], args[1], expr->call.callee->span, builtin->name);
  case BUILTIN_HOST_ABS:
    if (type_resolve(args[0]->type)->kind != TYPE_INT)
      return check_wrong_argument(checker, builtin, args[0], "a number or a tensor");
    return &type_int;
  case BUILTIN_HOST_MATH:
    for (size_t i = 0; i < expr->call.resolved.arg_count; i++)
      if (!type_is_host_number(args[i]->type))
        check_wrong_argument(checker, builtin, args[i], "a number");
    return &type_float;
  case BUILTIN_NORMAL:
  case BUILTIN_UNIFORM:
  case BUILTIN_GUMBEL: return &type_scalar;
  case BUILTIN_GUMBEL_LIKE:
  case BUILTIN_BERNOULLI: return check_draw(checker, builtin, args[0]);
  case BUILTIN_TEXT: return check_text_of(checker, builtin, args[0]);
  case BUILTIN_IS_UNKNOWN: return check_is_unknown(checker, builtin, args[0]);
  case BUILTIN_JOIN: return check_join_texts(checker, builtin, args);
  case BUILTIN_CHARS:
  case BUILTIN_SPLIT_TEXT:
  case BUILTIN_FIND_TEXT:
  case BUILTIN_LOWER:
  case BUILTIN_UPPER:
  case BUILTIN_NFC:
  case BUILTIN_NFD:
  case BUILTIN_NFKC:
  case BUILTIN_NFKD:
    for (size_t i = 0; i < expr->call.resolved.arg_count; i++)
      check_text_argument(checker, builtin, args[i]);
    return builtin->op == IR_TEXT_FIND    ? &type_int
           : builtin->op == IR_TEXT_SPLIT ? type_list(checker->arena, &type_string, NULL)
                                          : &type_string;
  case BUILTIN_PRINT: return check_print(checker, args, expr->call.resolved.arg_count);
  case BUILTIN_ASSERT: return check_assert(checker, expr, args);
  case BUILTIN_AMAX:
  case BUILTIN_AMIN: return check_op(checker, expr, builtin, args);
  case BUILTIN_BROADCAST: return check_broadcast(checker, expr, builtin, args);
  case BUILTIN_SPLIT: return check_split(checker, expr, builtin, args);
  case BUILTIN_RESHAPE: return check_reshape(checker, expr, builtin, args);
  case BUILTIN_PERMUTE: return check_permute(checker, expr, builtin, args);
  case BUILTIN_OP:
    if (builtin->op == IR_OP_SLICE)
      return check_slice_call(checker, expr, builtin, args);
    if (builtin->op == IR_OP_DROPOUT)
      return check_dropout(checker, expr, builtin, args);
    if (builtin->op == IR_OP_PICK)
      return check_pick(checker, expr, builtin, args);
    return check_op(checker, expr, builtin, args);
  case BUILTIN_KIND_COUNT: break;
  }
  return &type_error;
}

// Other libraries' names for it.
static bool means_dim(const char *name) {
  static const char *const names[] = {"axis", "axes", "dims", "dimension", "reduction_indices"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0)
      return true;
  return false;
}

static void help_dim(struct diag *d, const struct builtin *builtin, const struct ast_expr *value) {
  if (value->kind == AST_EXPR_INT)
    diag_help(d, "write `%s(a, dim: %" PRId64 ")`", builtin->name, value->integer);
  else
    diag_help(d, "a dimension is named by its position, a literal from 0: `%s(a, dim: 0)`", builtin->name);
}

const struct type *check_builtin_call(struct checker *checker, struct ast_expr *expr,
                                      const struct builtin *first, const struct type *hint) {
  const struct ast_args *given = &expr->call.args;
  struct ast_call *call = &expr->call.resolved;
  call->kind = AST_CALL_BUILTIN;
  call->args = arena_new_array(checker->arena, struct ast_expr *, given->count);
  call->arg_count = given->count;
  call->arg_count = 0;
  const struct ast_expr *dim = NULL;
  for (size_t i = 0; i < given->count; i++) {
    if (!given->items[i].name.text) {
      call->args[call->arg_count++] = given->items[i].value;
      continue;
    }
    if (!dim && strcmp(given->items[i].name.text, "dim") == 0) {
      dim = given->items[i].value;
      continue;
    }
    struct diag *d = diag_error(checker->sink, DIAG_NAMED_ARGUMENT, given->items[i].name.span,
                                dim && strcmp(given->items[i].name.text, "dim") == 0
                                    ? "`dim` is given twice"
                                    : "the arguments of builtin functions have no names, but for `dim`");
    if (!dim && goes_over_dim(first) && means_dim(given->items[i].name.text))
      help_dim(d, first, given->items[i].value);
    else
      diag_help(d, "write `%s`", builtin_usage(first));
    check_args_anyway(checker, expr);
    return result_despite_errors(first);
  }
  if (!check_count(checker, expr, first)) {
    check_args_anyway(checker, expr);
    return result_despite_errors(first);
  }
  const struct type *length = check_len_of_set(checker, expr, first);
  if (length)
    return length;
  if (!check_plain_args(checker, first, call->args, call->arg_count, hint)) {
    for (size_t i = plain_args(first, call->arg_count); i < call->arg_count && !builtin_takes_sizes(first);
         i++)
      check_value(checker, call->args[i], NULL);
    return result_despite_errors(first);
  }
  if (is_lifted(first, call->arg_count))
    for (size_t i = 0; i < plain_args(first, call->arg_count); i++)
      if (check_element(checker, call->args[i])->kind == TYPE_ERROR)
        return result_despite_errors(first);
  const struct builtin *row = choose(expr, first);
  call->target = (struct ast_ref){AST_REF_BUILTIN, {.builtin = row}};
  expr->call.callee->name.ref = call->target;
  // Of broadcast it is a dimension of what has the shape.
  const struct ast_expr *of = call->args[row->kind == BUILTIN_BROADCAST];
  if (dim && !check_axis(checker, dim, row, of, &call->axis))
    return result_despite_errors(first);
  return check_row(checker, expr, row, call->args, hint);
}

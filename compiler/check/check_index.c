// Elements, slices, fields and tuple items.
#include <inttypes.h>
#include <string.h>

#include "compiler/base/nearest.h"
#include "compiler/check/checker.h"

// ---- Index ---------------------------------------------------------------------------------------------

const struct type *check_index_type(struct checker *checker, const struct size *dimension) {
  const struct size_symbol *symbol = sizes_as_index(dimension);
  return symbol ? type_index(checker->arena, symbol) : &type_int;
}

bool check_index_into(struct checker *checker, struct ast_expr *index, const struct ast_expr *base,
                      const struct type *tensor, size_t axis) {
  const struct size *dimension = tensor->tensor.sizes[axis];
  const struct type *wanted = check_index_type(checker, dimension);
  const struct type *actual = check_value(checker, index, wanted);
  if (actual->kind == TYPE_ERROR)
    return true;
  // A list of indices makes a batch.
  if (actual->kind == TYPE_LIST && checker->lift && type_equal(actual->list.element, wanted)) {
    check_list_element(checker, index);
    return true;
  }
  if (type_unify(wanted, actual)) {
    check_literal_index(checker, index, base, axis);
    return true;
  }
  const char *which = axis > 0 ? arena_printf(checker->arena, "dimension %zu of ", axis) : "";
  struct diag *d = diag_error(checker->sink, DIAG_WRONG_INDEX, index->span,
                              "%s%s is indexed by %s, not by %s", which, check_text(checker, tensor),
                              check_text(checker, wanted), check_text(checker, actual));
  diag_label(d, base->span, "this is %s", check_text(checker, tensor));
  check_label_operand(checker, d, base);
  check_label_sizes(checker, d, dimension, NULL);
  if (wanted->kind == TYPE_INT && actual->kind == TYPE_INDEX)
    diag_help(d, "give the tensor the dimension `%s`, or index it by `int(...)`",
              check_text(checker, actual));
  else if (wanted->kind == TYPE_INDEX && actual->kind == TYPE_TENSOR)
    diag_help(d, "`argmax(x)` gives the index of the largest element");
  else if (wanted->kind == TYPE_INDEX)
    diag_note(d, "a value of %s comes from the data%s or from `argmax`", check_text(checker, wanted),
              wanted->index->ref.kind == AST_REF_ENUM ? ", from its names" : "");
  return false;
}

// The name of what is indexed, for a suggestion.
static const char *name_of(const struct ast_expr *base) {
  return base->kind == AST_EXPR_NAME ? base->name.name.text : "xs";
}

bool check_is_literal(const struct ast_expr *expr, int64_t *value) {
  bool is_negated = expr->kind == AST_EXPR_UNARY && expr->unary.op == AST_UNARY_NEGATE;
  const struct ast_expr *literal = is_negated ? expr->unary.operand : expr;
  if (literal->kind != AST_EXPR_INT)
    return false;
  *value = is_negated ? -literal->integer : literal->integer;
  return true;
}

static void report_negative(struct checker *checker, const struct ast_expr *index,
                            const struct ast_expr *base, size_t axis, int64_t value) {
  const struct type *type = type_resolve(base->type);
  struct diag *d = diag_error(checker->sink, DIAG_SLICE_RANGE, index->span, "a negative index");
  diag_note(d, "elements are counted from 0, and not from the end");
  if (type->kind == TYPE_TENSOR) {
    const struct size *from_end = size_add(checker->arena, type->tensor.sizes[axis],
                                           size_constant(checker->arena, value));
    if (from_end)
      diag_help(d, "from the end it is `%s[%s%s]`", name_of(base), axis > 0 ? ".., " : "",
                size_text(checker->arena, from_end));
  } else if (value == -1 && type->kind == TYPE_LIST) {
    diag_help(d, "the last element is `last(%s)`, or `%s[len(%s) - 1]`", name_of(base), name_of(base),
              name_of(base));
  } else {
    diag_help(d, "from the end it is `%s[len(%s) - %" PRId64 "]`", name_of(base), name_of(base), -value);
  }
}

void check_literal_index(struct checker *checker, const struct ast_expr *index, const struct ast_expr *base,
                         size_t axis) {
  const struct type *type = type_resolve(base->type);
  const struct size *count = type->kind == TYPE_TENSOR ? type->tensor.sizes[axis]
                             : type->kind == TYPE_LIST ? type->list.length
                                                       : NULL;
  int64_t value, length;
  if (!check_is_literal(index, &value))
    return;
  if (value < 0)
    report_negative(checker, index, base, axis, value);
  else if (count && size_is_constant(count, &length) && value >= length)
    diag_error(checker->sink, DIAG_SLICE_RANGE, index->span,
               type->kind == TYPE_TENSOR ? "index %" PRId64 " of a dimension of %" PRId64
                                         : "index %" PRId64 " of a list of %" PRId64 " layers",
               value, length);
}

const struct type *check_index(struct checker *checker, struct ast_expr *expr) {
  struct ast_expr *base = expr->index.base, *index = expr->index.index;
  check_receiver(checker, base);
  const struct type *type = check_element(checker, base);
  struct check_wanted why = {"the index of a list", SPAN_NONE, NULL};
  if (type->kind == TYPE_LIST) {
    if (check_against(checker, index, &type_int, &why))
      check_literal_index(checker, index, base, 0);
    return type_resolve(type->list.element);
  }
  if (type->kind == TYPE_TEXT) {
    why.what = "the index of a text";
    if (check_against(checker, index, &type_int, &why))
      check_literal_index(checker, index, base, 0);
    return type;
  }
  if (type->kind == TYPE_TENSOR && type->tensor.rank > 0) {
    check_index_into(checker, index, base, type, 0);
    return type_tensor(checker->arena, type->tensor.rank - 1, &type->tensor.sizes[1]);
  }
  check_value(checker, index, NULL);
  if (type->kind == TYPE_ERROR)
    return type;
  struct diag *d = diag_error(checker->sink, DIAG_NOT_INDEXED, expr->span, "%s has no elements to index",
                              check_text(checker, type));
  check_label_operand(checker, d, base);
  if (type->kind == TYPE_TUPLE)
    diag_help(d, "the items of a tuple are `t.0`, `t.1`, ...");
  else
    diag_note(d, "lists and texts are indexed, and tensors with dimensions");
  return &type_error;
}

// ---- Slice ---------------------------------------------------------------------------------------------

bool check_slice_bounds(struct checker *checker, const struct ast_expr *expr, const struct ast_expr *base,
                        const struct type *tensor, size_t axis, const struct size *low,
                        const struct size *high) {
  const struct size *dimension = tensor->tensor.sizes[axis];
  if (size_is_runtime(dimension)) {
    struct diag *d = diag_error(checker->sink, DIAG_SLICE_RANGE, expr->span,
                                "nothing tells that this slice lies within the tensor");
    diag_label(d, base->span, "this is %s", check_text(checker, tensor));
    diag_help(d, "slice the list before: `tensor(xs[a..b])`");
    return false;
  }
  const struct size *length = size_sub(checker->arena, high, low);
  const struct size *rest = size_sub(checker->arena, dimension, high);
  int64_t value;
  const char *problem = NULL;
  if (length && size_is_constant(length, &value) && value <= 0)
    problem = "this slice has no elements";
  else if (size_is_constant(low, &value) && value < 0)
    problem = "this slice begins before the first element";
  else if (rest && size_is_constant(rest, &value) && value < 0)
    problem = "this slice ends after the last element";
  if (!problem)
    return length != NULL;
  struct diag *d = diag_error(checker->sink, DIAG_SLICE_RANGE, expr->span, "%s", problem);
  diag_primary_label(d, "from `%s` up to, but not including, `%s`", size_text(checker->arena, low),
                     size_text(checker->arena, high));
  diag_label(d, base->span, "this is %s", check_text(checker, tensor));
  return false;
}

// Whether the expression hangs on what is known only when an example runs, or is a quotient that no size is: an int.
bool check_mentions_local(struct checker *checker, const struct ast_expr *expr) {
  switch (expr->kind) {
  case AST_EXPR_INT: return false;
  case AST_EXPR_NAME: return names_find(&checker->names, expr->name.name.text).kind == AST_REF_LOCAL;
  case AST_EXPR_UNARY: return check_mentions_local(checker, expr->unary.operand);
  case AST_EXPR_BINARY: {
    bool mentions = false;
    for (; expr->kind == AST_EXPR_BINARY && !mentions; expr = expr->binary.left) {
      bool divides = expr->binary.op == AST_BINARY_DIVIDE || expr->binary.op == AST_BINARY_REMAINDER;
      mentions = check_mentions_local(checker, expr->binary.right) ||
                 (divides && expr->binary.right->kind != AST_EXPR_INT);
    }
    return mentions || check_mentions_local(checker, expr);
  }
  case AST_EXPR_FIELD: return check_mentions_local(checker, expr->field.base);
  default: return true;
  }
}

// Written alike, and without a call: one value.
static bool is_same(const struct ast_expr *a, const struct ast_expr *b) {
  if (a->kind != b->kind)
    return false;
  switch (a->kind) {
  case AST_EXPR_INT: return a->integer == b->integer;
  case AST_EXPR_NAME: return strcmp(a->name.name.text, b->name.name.text) == 0;
  case AST_EXPR_UNARY: return a->unary.op == b->unary.op && is_same(a->unary.operand, b->unary.operand);
  case AST_EXPR_BINARY:
    return a->binary.op == b->binary.op && is_same(a->binary.left, b->binary.left) &&
           is_same(a->binary.right, b->binary.right);
  case AST_EXPR_FIELD:
    return strcmp(a->field.name.text, b->field.name.text) == 0 && is_same(a->field.base, b->field.base);
  case AST_EXPR_INDEX:
    return is_same(a->index.base, b->index.base) && is_same(a->index.index, b->index.index);
  default: return false;
  }
}

// What is added to the beginning of a range to give its end; NULL: something else is there.
static const struct ast_expr *length_of(struct checker *checker, const struct ast_expr *low,
                                        const struct ast_expr *high) {
  if (high->kind != AST_EXPR_BINARY || high->binary.op != AST_BINARY_ADD)
    return NULL;
  const struct ast_expr *left = high->binary.left, *right = high->binary.right;
  if (is_same(low, left) && !check_mentions_local(checker, right))
    return right;
  return is_same(low, right) && !check_mentions_local(checker, left) ? left : NULL;
}

const struct size *check_window(struct checker *checker, const struct ast_expr *expr, struct ast_expr *start,
                                const struct ast_expr *length, const struct ast_expr *base, size_t axis) {
  const struct type *tensor = type_resolve(base->type);
  struct check_wanted why = {"the beginning of a slice", SPAN_NONE, NULL};
  bool fits = check_against(checker, start, &type_int, &why);
  const struct size *size = check_size_expr(checker, length, "the length of a slice");
  const struct size *zero = size_constant(checker->arena, 0);
  return size && fits && check_slice_bounds(checker, expr, base, tensor, axis, zero, size) ? size : NULL;
}

// A range of a dimension: between sizes, or of a known length from an int on.
static bool check_range_of(struct checker *checker, const struct ast_expr *expr, struct ast_expr *low,
                           struct ast_expr *high, const struct ast_expr *base, size_t axis,
                           struct ast_range_sizes *sizes) {
  const struct type *tensor = type_resolve(base->type);
  *sizes = (struct ast_range_sizes){NULL, NULL};
  if (!check_mentions_local(checker, low) && !check_mentions_local(checker, high)) {
    sizes->low = check_size_expr(checker, low, "the beginning of a tensor's slice");
    const struct size *end = check_size_expr(checker, high, "the end of a tensor's slice");
    if (!sizes->low || !end || !check_slice_bounds(checker, expr, base, tensor, axis, sizes->low, end))
      return false;
    low->type = high->type = &type_int;
    sizes->length = size_sub(checker->arena, end, sizes->low);
    return true;
  }
  const struct ast_expr *length = length_of(checker, low, high);
  if (length) {
    high->type = &type_int;
    return (sizes->length = check_window(checker, expr, low, length, base, axis)) != NULL;
  }
  check_value(checker, low, &type_int);
  check_value(checker, high, &type_int);
  struct diag *d = diag_error(checker->sink, DIAG_SLICE_RANGE, expr->span,
                              "the length of this slice is not known before any example is");
  diag_label(d, base->span, "this is %s", check_text(checker, tensor));
  diag_help(d, "a slice that begins at an int has a size for its length: `%s[%si..i + 2]`", name_of(base),
            axis > 0 ? ".., " : "");
  return false;
}

static const struct type *slice_tensor(struct checker *checker, struct ast_expr *expr,
                                       const struct type *type) {
  if (!check_range_of(checker, expr, expr->slice.low, expr->slice.high, expr->slice.base, 0,
                      &expr->slice.sizes))
    return &type_error;
  const struct size *sizes[TYPE_MAX_RANK] = {expr->slice.sizes.length};
  for (size_t i = 1; i < type->tensor.rank; i++)
    sizes[i] = type->tensor.sizes[i];
  return type_tensor(checker->arena, type->tensor.rank, sizes);
}

static const struct type *report_parts(struct checker *checker, const struct ast_expr *expr,
                                       const struct type *type) {
  const struct ast_exprs *items = &expr->part.items;
  for (size_t i = 0; i < items->count; i++)
    if (items->items[i]->kind != AST_EXPR_RANGE)
      check_value(checker, items->items[i], NULL);
  if (type->kind == TYPE_ERROR)
    return type;
  if (type->kind == TYPE_LIST) {
    struct diag *d = diag_error(checker->sink, DIAG_SEVERAL_INDICES, expr->span, "a list has one index");
    check_label_operand(checker, d, expr->part.base);
    diag_help(d, "write `a[i][j]`");
    return &type_error;
  }
  bool has_some = type->kind == TYPE_TENSOR && type->tensor.rank > 0;
  struct diag *d = has_some
                       ? diag_error(checker->sink, DIAG_NOT_INDEXED, expr->span,
                                    "%s has %s, and %zu are named", check_text(checker, type),
                                    check_count_text(checker, type->tensor.rank, "dimension"), items->count)
                       : diag_error(checker->sink, DIAG_NOT_INDEXED, expr->span,
                                    "%s has no elements to index", check_text(checker, type));
  check_label_operand(checker, d, expr->part.base);
  return &type_error;
}

const struct type *check_part(struct checker *checker, struct ast_expr *expr) {
  const struct ast_expr *base = expr->part.base;
  const struct ast_exprs *items = &expr->part.items;
  check_receiver(checker, expr->part.base);
  const struct type *type = check_element(checker, expr->part.base);
  if (type->kind != TYPE_TENSOR || type->tensor.rank < items->count)
    return report_parts(checker, expr, type);
  expr->part.ranges = arena_new_array(checker->arena, struct ast_range_sizes, items->count);
  const struct size *sizes[TYPE_MAX_RANK];
  size_t n = 0;
  bool failed = false;
  for (size_t i = 0; i < type->tensor.rank; i++) {
    struct ast_expr *item = i < items->count ? items->items[i] : NULL;
    if (item && item->kind != AST_EXPR_RANGE) {
      failed |= !check_index_into(checker, item, base, type, i);
      continue;
    }
    sizes[n] = type->tensor.sizes[i];
    if (item && item->range.low) {
      failed |= !check_range_of(checker, item, item->range.low, item->range.high, base, i,
                                &expr->part.ranges[i]);
      sizes[n] = expr->part.ranges[i].length;
    }
    if (item)
      item->type = &type_unit;
    n++;
  }
  return failed ? &type_error : type_tensor(checker->arena, n, sizes);
}

// A negative literal as a bound of a list's slice.
static void check_literal_bound(struct checker *checker, const struct ast_expr *bound,
                                const struct ast_expr *base) {
  int64_t value;
  if (!check_is_literal(bound, &value) || value >= 0)
    return;
  struct diag *d = diag_error(checker->sink, DIAG_SLICE_RANGE, bound->span, "a negative bound of a slice");
  diag_note(d, "elements are counted from 0, and not from the end");
  diag_help(d, "from the end it is `len(%s) - %" PRId64 "`", name_of(base), -value);
}

const struct type *check_slice(struct checker *checker, struct ast_expr *expr) {
  check_known(checker, expr->slice.base, NULL);
  const struct type *type = check_element(checker, expr->slice.base);
  if (type->kind == TYPE_TENSOR && type->tensor.rank > 0)
    return slice_tensor(checker, expr, type);
  struct check_wanted why = {"a bound of a slice", SPAN_NONE, NULL};
  check_against(checker, expr->slice.low, &type_int, &why);
  check_against(checker, expr->slice.high, &type_int, &why);
  if (type->kind == TYPE_LIST || type->kind == TYPE_TEXT) {
    check_literal_bound(checker, expr->slice.low, expr->slice.base);
    check_literal_bound(checker, expr->slice.high, expr->slice.base);
  }
  if (type->kind == TYPE_LIST || type->kind == TYPE_TEXT || type->kind == TYPE_ERROR)
    return type;
  struct diag *d = diag_error(checker->sink, DIAG_NOT_INDEXED, expr->span, "%s cannot be sliced",
                              check_text(checker, type));
  check_label_operand(checker, d, expr->slice.base);
  diag_note(d, "lists and texts are sliced, and tensors along their first dimension");
  return &type_error;
}

// ---- Fields of data ------------------------------------------------------------------------------------

static size_t find_field(const struct ast_constructor *constructor, const char *name) {
  size_t i = 0;
  while (i < constructor->fields.count && strcmp(constructor->fields.items[i].name.text, name) != 0)
    i++;
  return i;
}

static void report_no_field(struct checker *checker, const struct ast_name *name, const struct type *type) {
  const struct ast_data *data = type->data.decl;
  struct {
    const char **items;
    size_t count, capacity;
  } names = {0};
  for (size_t k = 0; k < data->constructors.count; k++)
    for (size_t i = 0; i < data->constructors.items[k]->fields.count; i++)
      arena_push(checker->arena, &names, data->constructors.items[k]->fields.items[i].name.text);
  struct diag *d = diag_error(checker->sink, DIAG_UNKNOWN_FIELD, name->span, "%s has no field `%s`",
                              check_text(checker, type), name->text);
  diag_label(d, data->name.span, "`%s` is declared here", data->name.text);
  const char *near = nearest_name(name->text, names.items, names.count);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  else if (names.count > 0 && data->constructors.count == 1)
    diag_note(d, "it has %s", check_names_text(checker, names.items, names.count));
}

static const struct type *report_partial_field(struct checker *checker, const struct ast_name *name,
                                               const struct type *data, const struct ast_constructor *with,
                                               const struct ast_constructor *without) {
  size_t i = find_field(without, name->text);
  bool has_other_type = i < without->fields.count;
  struct diag *d = diag_error(checker->sink, DIAG_FIELD_NOT_COMMON, name->span,
                              has_other_type ? "the field `%s` has different types in `%s` and `%s`"
                                             : "the field `%s` is in `%s` but not in `%s`",
                              name->text, with->name.text, without->name.text);
  diag_label(d, with->fields.items[find_field(with, name->text)].name.span, "in `%s` it is %s",
             with->name.text,
             check_text(checker, type_field(checker->arena, data, with, find_field(with, name->text))));
  if (has_other_type)
    diag_label(d, without->fields.items[i].name.span, "in `%s` it is %s", without->name.text,
               check_text(checker, type_field(checker->arena, data, without, i)));
  else
    diag_label(d, without->name.span, "no `%s` here", name->text);
  diag_help(d, "take the value apart with `match`");
  return &type_error;
}

static const struct type *data_field(struct checker *checker, struct ast_expr *expr,
                                     const struct type *data) {
  const struct ast_constructors *constructors = &data->data.decl->constructors;
  const struct ast_name *name = &expr->field.name;
  const struct ast_constructor *with = NULL;
  for (size_t k = 0; k < constructors->count && !with; k++)
    if (find_field(constructors->items[k], name->text) < constructors->items[k]->fields.count)
      with = constructors->items[k];
  if (!with) {
    report_no_field(checker, name, data);
    return &type_error;
  }
  const struct type *type = type_field(checker->arena, data, with, find_field(with, name->text));
  expr->field.kind = AST_FIELD_DATA;
  expr->field.data_fields = arena_new_array(checker->arena, unsigned, constructors->count);
  for (size_t k = 0; k < constructors->count; k++) {
    size_t i = find_field(constructors->items[k], name->text);
    bool has = i < constructors->items[k]->fields.count;
    if (!has || !type_equal(type, type_field(checker->arena, data, constructors->items[k], i)))
      return report_partial_field(checker, name, data, with, constructors->items[k]);
    expr->field.data_fields[k] = (unsigned)i;
  }
  return type ? type : &type_error;
}

// ---- Members of layers ---------------------------------------------------------------------------------

struct ast_ref check_find_member(const struct ast_layer *layer, const char *name) {
  for (size_t i = 0; i < layer->layer_params.count; i++)
    if (strcmp(layer->layer_params.items[i]->name.text, name) == 0)
      return (struct ast_ref){AST_REF_LAYER_PARAM, {.layer_param = layer->layer_params.items[i]}};
  for (size_t i = 0; i < layer->params.count; i++)
    if (strcmp(layer->params.items[i]->name.text, name) == 0)
      return (struct ast_ref){AST_REF_PARAM, {.param = layer->params.items[i]}};
  for (size_t i = 0; i < layer->instances.count; i++)
    if (strcmp(layer->instances.items[i]->name.text, name) == 0)
      return (struct ast_ref){AST_REF_INSTANCE, {.instance = layer->instances.items[i]}};
  for (size_t i = 0; i < layer->fns.count; i++)
    if (strcmp(layer->fns.items[i]->name.text, name) == 0)
      return (struct ast_ref){AST_REF_FN, {.fn = layer->fns.items[i]}};
  return (struct ast_ref){AST_REF_NONE, {NULL}};
}

void check_report_no_member(struct checker *checker, const struct ast_name *name, const struct type *type) {
  const struct ast_layer *layer = type->layer.decl;
  size_t count = 0;
  const char **names = arena_new_array(checker->arena, const char *,
                                       layer->layer_params.count + layer->members.count);
  for (size_t i = 0; i < layer->layer_params.count; i++)
    names[count++] = layer->layer_params.items[i]->name.text;
  for (size_t i = 0; i < layer->members.count; i++)
    names[count++] = ast_decl_name(layer->members.items[i]).text;
  struct diag *d = diag_error(checker->sink, DIAG_UNKNOWN_FIELD, name->span, "the layer `%s` has no `%s`",
                              layer->name.text, name->text);
  diag_label(d, layer->name.span, "`%s` is declared here", layer->name.text);
  const char *near = nearest_name(name->text, names, count);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  else if (count > 0)
    diag_note(d, "it has %s", check_names_text(checker, names, count));
}

static const struct type *member_type(const struct ast_ref *ref) {
  switch (ref->kind) {
  case AST_REF_PARAM: return ref->param->type->type;
  case AST_REF_INSTANCE: return ref->instance->type;
  case AST_REF_LAYER_PARAM:
    return ref->layer_param->kind == AST_LAYER_PARAM_INDEX ? NULL : ref->layer_param->type;
  default: return NULL;
  }
}

static const struct type *layer_member(struct checker *checker, struct ast_expr *expr,
                                       const struct type *layer) {
  const struct ast_name *name = &expr->field.name;
  struct ast_ref ref = check_find_member(layer->layer.decl, name->text);
  if (ref.kind == AST_REF_NONE) {
    check_report_no_member(checker, name, layer);
    return &type_error;
  }
  expr->field.kind = AST_FIELD_MEMBER;
  expr->field.ref = ref;
  if (ref.kind == AST_REF_PARAM)
    check_note_param(checker);
  const struct type *type = member_type(&ref);
  if (!type) {
    struct diag *d = diag_error(checker->sink, DIAG_NOT_A_VALUE, name->span, "`%s` is %s, not a value",
                                name->text, check_ref_text(checker, &ref));
    diag_label(d, names_declared_at(&ref), "declared here");
    if (ref.kind == AST_REF_FN)
      diag_help(d, "call it: `.%s(...)`", name->text);
    return &type_error;
  }
  size_t count;
  const struct size_binding *bindings = type_layer_bindings(checker->arena, layer, &count);
  type = type_substitute(checker->arena, type, bindings, count);
  return type ? type : &type_error;
}

// ---- Field, item ---------------------------------------------------------------------------------------

const struct type *check_field(struct checker *checker, struct ast_expr *expr) {
  if (check_foreign_field(checker, expr->field.base, &expr->field.name) || check_report_path(checker, expr))
    return &type_error;
  check_receiver(checker, expr->field.base);
  const struct type *type = check_element(checker, expr->field.base);
  if (type->kind == TYPE_DATA)
    return data_field(checker, expr, type);
  if (type->kind == TYPE_LAYER)
    return layer_member(checker, expr, type);
  if (type->kind == TYPE_ERROR)
    return type;
  struct diag *d = diag_error(checker->sink, DIAG_UNKNOWN_FIELD, expr->field.name.span,
                              "%s has no field `%s`", check_text(checker, type), expr->field.name.text);
  check_label_operand(checker, d, expr->field.base);
  const char *habit = check_member_habit(type, expr->field.name.text);
  if (habit)
    diag_help(d, "%s", habit);
  else if (type->kind == TYPE_TUPLE)
    diag_help(d, "the items of a tuple are `t.0`, `t.1`, ...");
  else if (type->kind == TYPE_LIST)
    diag_help(d, "choose an element first: `xs[i].%s`", expr->field.name.text);
  else if (builtin_find(expr->field.name.text))
    diag_help(d, "write `%s(%s)`", expr->field.name.text, name_of(expr->field.base));
  return &type_error;
}

const struct type *check_project(struct checker *checker, struct ast_expr *expr) {
  const struct type *type = check_known(checker, expr->project.base, NULL);
  if (type->kind == TYPE_ERROR)
    return type;
  if (type->kind == TYPE_TUPLE && expr->project.index < type->tuple.count)
    return type_resolve(type->tuple.items[expr->project.index]);
  struct diag *d = diag_error(checker->sink, DIAG_NO_SUCH_ITEM, expr->project.index_span, "%s has no item %u",
                              check_text(checker, type), expr->project.index);
  check_label_operand(checker, d, expr->project.base);
  if (type->kind == TYPE_TUPLE)
    diag_note(d, "items are counted from 0");
  else
    diag_note(d, "only tuples have numbered items");
  return &type_error;
}

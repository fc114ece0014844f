// Sizes and types as they are written.
#include <inttypes.h>
#include <string.h>

#include "compiler/check/checker.h"
#include "compiler/diag/habits.h"

// ---- Sizes ---------------------------------------------------------------------------------------------

static void report_overflow(struct checker *checker, struct span span) {
  struct diag *d = diag_error(checker->sink, DIAG_SIZE_OVERFLOW, span, "this size is too large");
  diag_note(d, "a coefficient must fit 64 bits, and a size has at most 256 terms");
}

static const struct size *size_of_name(struct checker *checker, struct ast_size *size) {
  struct ast_ref ref = names_find(&checker->names, size->name.name.text);
  const char *name = size->name.name.text;
  size->name.ref = ref;
  switch (ref.kind) {
  case AST_REF_DIM:
    if (!ref.dim->size && checker->in_dim) {
      struct diag *d = diag_error(checker->sink, DIAG_DIM_ORDER, size->span,
                                  "`%s` is not known yet where it is used", name);
      diag_label(d, ref.dim->name.span, "`%s` is declared here", name);
      diag_help(d, "a dim may use the dims declared before it only");
    }
    return ref.dim->size;
  case AST_REF_SIZE_VAR: return ref.size_var->size;
  case AST_REF_VOCAB:
    if (checker->in_dim)
      break;
    return ref.vocab->size;
  case AST_REF_ENUM: return ref.enumeration->size;
  case AST_REF_LAYER_PARAM:
    if (ref.layer_param->size)
      return ref.layer_param->size;
    break;
  case AST_REF_NONE:
    if (!strchr(name, '.') || names_is_path(&checker->names, name)) {
      names_report_unknown(&checker->names, &size->name.name, NAMES_SIZES);
      return NULL;
    }
    diag_error(checker->sink, DIAG_NOT_A_SIZE, size->span, "`%s` is not a size but a field", name);
    return NULL;
  default: break;
  }
  struct diag *d = diag_error(checker->sink, DIAG_NOT_A_SIZE, size->span, "`%s` is not a size but %s", name,
                              check_ref_text(checker, &ref));
  diag_label(d, names_declared_at(&ref), "declared here");
  diag_note(
      d, "sizes are known before any example is seen: they are made of integers, dims, vocabs, enums, size "
         "variables and layer parameters");
  if (ref.kind == AST_REF_VOCAB)
    diag_help(
        d,
        "how many strings it has is known when the data have been read; where a size stands, write the vocab "
        "itself: `f32[%s]`",
        name);
  return NULL;
}

static const struct size *divide(struct checker *checker, struct ast_size *size, const struct size *left,
                                 const struct size *right) {
  int64_t dividend, divisor;
  bool is_remainder = size->kind == AST_SIZE_REMAINDER;
  if (!size_is_constant(right, &divisor) || divisor <= 0) {
    struct diag *d = diag_error(checker->sink, DIAG_DIVISION_OF_SIZES, size->op.right->span,
                                "a size is divided by a positive number only");
    diag_primary_label(d, "this is `%s`", size_text(checker->arena, right));
    return NULL;
  }
  if (size_is_constant(left, &dividend))
    return size_constant(checker->arena, is_remainder ? dividend % divisor : dividend / divisor);
  const struct size *quotient = size_divide(checker->arena, left, divisor);
  if (quotient)
    return is_remainder ? size_constant(checker->arena, 0) : quotient;
  struct diag *d = diag_error(checker->sink, DIAG_DIVISION_OF_SIZES, size->span,
                              "`%s` is not always divisible by %" PRId64, size_text(checker->arena, left),
                              divisor);
  check_label_sizes(checker, d, left, NULL);
  diag_note(d, "sizes are compared as polynomials, and the dims in them may be given other values later");
  if (size_as_atom(left))
    diag_help(d, "declare the part as a dim of its own and this as %" PRId64 " times it", divisor);
  return NULL;
}

static bool is_operation(const struct ast_size *size) {
  return size->kind != AST_SIZE_INT && size->kind != AST_SIZE_NAME;
}

// The left side has been checked.
static const struct size *check_operation(struct checker *checker, struct ast_size *size) {
  const struct size *left = size->op.left->size, *right = NULL, *result = NULL;
  if (size->op.right)
    right = check_size(checker, size->op.right);
  if (!left || (size->op.right && !right))
    return NULL;
  switch (size->kind) {
  case AST_SIZE_NEGATE: result = size_sub(checker->arena, size_constant(checker->arena, 0), left); break;
  case AST_SIZE_ADD: result = size_add(checker->arena, left, right); break;
  case AST_SIZE_SUBTRACT: result = size_sub(checker->arena, left, right); break;
  case AST_SIZE_MULTIPLY: result = size_mul(checker->arena, left, right); break;
  default: return size->size = divide(checker, size, left, right);
  }
  if (!result)
    report_overflow(checker, size->span);
  return size->size = result;
}

const struct size *check_size(struct checker *checker, struct ast_size *size) {
  struct ast_size *part = size;
  while (is_operation(part))
    part = part->op.left;
  part->size = part->kind == AST_SIZE_INT ? size_constant(checker->arena, part->integer)
                                          : size_of_name(checker, part);
  while (part != size) {
    part = part->outer;
    part->size = check_operation(checker, part);
  }
  return size->size;
}

const struct size *check_size_expr(struct checker *checker, const struct ast_expr *expr, const char *what) {
  const struct ast_expr *culprit = expr;
  struct ast_size *size = ast_size_from_expr(checker->arena, expr, &culprit);
  if (size)
    return check_size(checker, size);
  struct diag *d = diag_error(checker->sink, DIAG_NOT_A_SIZE, culprit->span, "%s is not a size", what);
  diag_note(
      d, "sizes are known before any example is seen: they are made of integers, dims, vocabs, enums, size "
         "variables and layer parameters with `+`, `-` and `*`");
  return NULL;
}

// ---- Types ---------------------------------------------------------------------------------------------

static bool check_dimension(struct checker *checker, struct ast_size *dimension) {
  const struct size *size = check_size(checker, dimension);
  int64_t value;
  if (!size)
    return false;
  if (!check_default_of_size(size, &value) || value >= 1)
    return true;
  struct diag *d = diag_error(checker->sink, DIAG_SIZE_NOT_POSITIVE, dimension->span,
                              "a dimension of %" PRId64 " elements", value);
  diag_help(d, "every dimension has at least 1 element");
  return false;
}

const struct type *check_tensor_type(struct checker *checker, const struct ast_sizes *sizes,
                                     struct span span) {
  const struct size *dimensions[TYPE_MAX_RANK];
  bool failed = false;
  if (sizes->count > TYPE_MAX_RANK) {
    diag_error(checker->sink, DIAG_RANK_TOO_HIGH, span,
               "a tensor of %zu dimensions; at most %d are supported", sizes->count, TYPE_MAX_RANK);
    return &type_error;
  }
  for (size_t i = 0; i < sizes->count; i++) {
    if (check_dimension(checker, sizes->items[i]))
      dimensions[i] = sizes->items[i]->size;
    else
      failed = true;
  }
  if (failed)
    return &type_error;
  return sizes->count == 0 ? &type_scalar : type_tensor(checker->arena, sizes->count, dimensions);
}

static const struct type *builtin_type(const char *name) {
  return strcmp(name, "int") == 0     ? &type_int
         : strcmp(name, "bool") == 0  ? &type_bool
         : strcmp(name, "float") == 0 ? &type_float
         : strcmp(name, "text") == 0  ? &type_string
                                      : NULL;
}

static const struct type *data_type(struct checker *checker, struct ast_type *type, struct ast_data *data) {
  const struct ast_sizes *sizes = &type->named.sizes;
  if (sizes->count != data->size_vars.count) {
    struct diag *d = diag_error(checker->sink, DIAG_SIZE_ARGUMENTS, type->span, "`%s` takes %s, not %zu",
                                data->name.text, check_count_text(checker, data->size_vars.count, "size"),
                                sizes->count);
    diag_label(d, data->name.span, "declared here");
    return &type_error;
  }
  const struct size **args = arena_new_array(checker->arena, const struct size *, sizes->count);
  bool failed = false;
  for (size_t i = 0; i < sizes->count; i++) {
    args[i] = check_size(checker, sizes->items[i]);
    failed |= !args[i];
  }
  return failed ? &type_error : type_data(checker->arena, data, args);
}

static const struct type *named_type(struct checker *checker, struct ast_type *type) {
  const struct ast_name *name = &type->named.name;
  if (strcmp(name->text, "f32") == 0)
    return check_tensor_type(checker, &type->named.sizes, type->span);
  const struct type *result = builtin_type(name->text);
  struct ast_ref ref = {0};
  if (!result) {
    struct ast_ref value = names_find(&checker->names, name->text);
    ref = names_find_data(&checker->names, name->text);
    if (ref.kind == AST_REF_NONE || value.kind == AST_REF_TYPE_VAR)
      ref = value;
    type->named.ref = ref;
  }
  switch (ref.kind) {
  case AST_REF_DATA: return data_type(checker, type, ref.data);
  case AST_REF_VOCAB: result = ref.vocab->type; break;
  case AST_REF_ENUM: result = ref.enumeration->type; break;
  case AST_REF_TYPE_VAR: result = type_generic(checker->arena, ref.type_var); break;
  case AST_REF_LAYER_PARAM:
    if (ref.layer_param->kind == AST_LAYER_PARAM_INDEX)
      result = ref.layer_param->type;
    break;
  case AST_REF_NONE:
    if (!result) {
      names_report_unknown(&checker->names, name, NAMES_TYPES);
      return &type_error;
    }
    break;
  default: break;
  }
  if (!result) {
    struct diag *d = diag_error(checker->sink, DIAG_NOT_A_TYPE, name->span, "`%s` is not a type but %s",
                                name->text, check_ref_text(checker, &ref));
    diag_label(d, names_declared_at(&ref), "declared here");
    if (ref.kind == AST_REF_DIM || ref.kind == AST_REF_SIZE_VAR || ref.kind == AST_REF_LAYER_PARAM)
      diag_help(d, "a vector of that many elements is `f32[%s]`, a number is `int`", name->text);
    const char *habit = ref.kind == AST_REF_BUILTIN ? habit_advice(HABIT_TYPES, name->text) : NULL;
    if (habit)
      diag_help(d, "%s", habit);
    if (ref.kind == AST_REF_LAYER)
      diag_help(d, "instances of layers are not passed around; a function uses them by name");
    return &type_error;
  }
  if (type->named.sizes.count > 0) {
    struct diag *d = diag_error(checker->sink, DIAG_SIZE_ARGUMENTS, type->span, "`%s` takes no sizes",
                                name->text);
    diag_label(d, names_declared_at(&ref), "declared here");
    return &type_error;
  }
  return result;
}

static const struct type *tuple_type(struct checker *checker, struct ast_type *type) {
  const struct type **items = arena_new_array(checker->arena, const struct type *, type->items.count);
  bool failed = false;
  for (size_t i = 0; i < type->items.count; i++) {
    items[i] = check_type(checker, type->items.items[i]);
    failed |= items[i]->kind == TYPE_ERROR;
  }
  if (failed)
    return &type_error;
  return check_weight(checker, type_tuple(checker->arena, type->items.count, items), type->span);
}

static const struct type *fn_type(struct checker *checker, struct ast_type *type) {
  size_t count = type->fn.params.count;
  const struct type **params = arena_new_array(checker->arena, const struct type *, count);
  const struct type *result = &type_unit;
  bool failed = false;
  for (size_t i = 0; i < count; i++) {
    params[i] = check_type(checker, type->fn.params.items[i]);
    failed |= params[i]->kind == TYPE_ERROR;
  }
  if (type->fn.result)
    result = check_type(checker, type->fn.result);
  if (failed || result->kind == TYPE_ERROR)
    return &type_error;
  return check_weight(checker, type_fn(checker->arena, count, params, result), type->span);
}

const struct type *check_param_type(struct checker *checker, struct ast_type *type) {
  if (type->kind != AST_TYPE_FN)
    return check_type(checker, type);
  return type->type = fn_type(checker, type);
}

// Tensors and data have a batch axis; of host values it is a list.
static const struct type *batch_type(struct checker *checker, struct ast_type *type,
                                     const struct type *element) {
  const struct size *size;
  if (type->named.batch)
    size = check_dimension(checker, type->named.batch) ? type->named.batch->size : NULL;
  else
    size = check_runtime_size(checker, "_", type->span);
  if (element->kind == TYPE_ERROR || !size)
    return &type_error;
  if (element->kind == TYPE_TENSOR || element->kind == TYPE_DATA || element->kind == TYPE_GENERIC)
    return type_batch(checker->arena, element, size);
  struct diag *d = diag_error(checker->sink, DIAG_NOT_A_TYPE, type->span, "%s has no batch axis",
                              check_text(checker, element));
  diag_help(d, "several of them are a list, `[%s]`", check_text(checker, element));
  return &type_error;
}

const struct type *check_type(struct checker *checker, struct ast_type *type) {
  const struct type *element;
  switch (type->kind) {
  case AST_TYPE_NAMED:
    type->type = named_type(checker, type);
    if (type->named.has_batch)
      type->type = batch_type(checker, type, type->type);
    break;
  case AST_TYPE_TUPLE: type->type = tuple_type(checker, type); break;
  case AST_TYPE_LIST:
    element = check_type(checker, type->element);
    type->type = element->kind == TYPE_ERROR ? element : type_list(checker->arena, element, NULL);
    break;
  case AST_TYPE_FN: {
    struct diag *d = diag_error(checker->sink, DIAG_FUNCTION_AS_VALUE, type->span,
                                "a function cannot be kept or given back");
    diag_note(d, "only a parameter of a function has such a type: functions are compiled for the functions "
                 "that they are given");
    fn_type(checker, type);
    type->type = &type_error;
    break;
  }
  }
  return type->type;
}

// Types: making, comparing, substituting and printing them.
#include "compiler/check/types.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/arena.h"

const struct type type_error = {.kind = TYPE_ERROR, .weight = 1};
const struct type type_never = {.kind = TYPE_NEVER, .weight = 1};
const struct type type_int = {.kind = TYPE_INT, .weight = 1};
const struct type type_bool = {.kind = TYPE_BOOL, .weight = 1};
const struct type type_float = {.kind = TYPE_FLOAT, .weight = 1};
const struct type type_string = {.kind = TYPE_TEXT, .weight = 1};
const struct type type_unit = {.kind = TYPE_TUPLE, .weight = 1};
const struct type type_scalar = {.kind = TYPE_TENSOR, .weight = 1};

// ---- Constructors --------------------------------------------------------------------------------------

static struct type *new_type(struct arena *arena, enum type_kind kind) {
  struct type *type = arena_new(arena, struct type);
  type->kind = kind;
  type->weight = 1;
  return type;
}

static void add_weight(struct type *type, const struct type *part) {
  uint32_t weight = type_resolve(part)->weight;
  type->weight = weight > TYPE_MAX_WEIGHT ? TYPE_MAX_WEIGHT + 1 : type->weight + weight;
  if (type->weight > TYPE_MAX_WEIGHT)
    type->weight = TYPE_MAX_WEIGHT + 1;
}

const struct type *type_tensor(struct arena *arena, size_t rank, const struct size *const *sizes) {
  assert(rank <= TYPE_MAX_RANK);
  struct type *type = new_type(arena, TYPE_TENSOR);
  type->tensor.rank = rank;
  for (size_t i = 0; i < rank; i++)
    type->tensor.sizes[i] = sizes[i];
  return type;
}

const struct type *type_index(struct arena *arena, const struct size_symbol *symbol) {
  struct type *type = new_type(arena, TYPE_INDEX);
  type->index = symbol;
  return type;
}

const struct type *type_list(struct arena *arena, const struct type *element, const struct size *length) {
  struct type *type = new_type(arena, TYPE_LIST);
  type->list.element = element;
  type->list.length = length;
  add_weight(type, element);
  return type;
}

const struct type *type_tuple(struct arena *arena, size_t count, const struct type *const *items) {
  const struct type **copy = arena_new_array(arena, const struct type *, count);
  struct type *type = new_type(arena, TYPE_TUPLE);
  type->tuple.count = count;
  type->tuple.items = copy;
  for (size_t i = 0; i < count; i++) {
    copy[i] = items[i];
    add_weight(type, items[i]);
  }
  return type;
}

const struct type *type_batch(struct arena *arena, const struct type *element, const struct size *size) {
  struct type *type = new_type(arena, TYPE_BATCH);
  type->batch.element = element;
  type->batch.size = size;
  add_weight(type, element);
  return type;
}

const struct type *type_data(struct arena *arena, struct ast_data *decl, const struct size *const *sizes) {
  size_t count = decl->size_vars.count;
  const struct size **copy = arena_new_array(arena, const struct size *, count);
  for (size_t i = 0; i < count; i++)
    copy[i] = sizes[i];
  struct type *type = new_type(arena, TYPE_DATA);
  type->data.decl = decl;
  type->data.sizes = copy;
  return type;
}

const struct type *type_layer(struct arena *arena, struct ast_layer *decl,
                              const struct type_layer_arg *args) {
  size_t count = decl->layer_params.count;
  struct type_layer_arg *copy = arena_new_array(arena, struct type_layer_arg, count);
  for (size_t i = 0; i < count; i++)
    copy[i] = args[i];
  struct type *type = new_type(arena, TYPE_LAYER);
  type->layer.decl = decl;
  type->layer.args = copy;
  return type;
}

const struct type *type_fn(struct arena *arena, size_t count, const struct type *const *params,
                           const struct type *result) {
  const struct type **copy = arena_new_array(arena, const struct type *, count);
  struct type *type = new_type(arena, TYPE_FN);
  type->fn.count = count;
  type->fn.params = copy;
  type->fn.result = result;
  for (size_t i = 0; i < count; i++) {
    copy[i] = params[i];
    add_weight(type, params[i]);
  }
  add_weight(type, result);
  return type;
}

const struct type *type_generic(struct arena *arena, const struct ast_type_var *var) {
  struct type *type = new_type(arena, TYPE_GENERIC);
  type->generic = var;
  return type;
}

struct type *type_variable(struct arena *arena, struct span origin) {
  struct type *type = new_type(arena, TYPE_VARIABLE);
  type->variable.origin = origin;
  return type;
}

// ---- Questions -----------------------------------------------------------------------------------------

const struct type *type_resolve(const struct type *type) {
  while (type->kind == TYPE_VARIABLE && type->variable.bound)
    type = type->variable.bound;
  return type;
}

bool type_has_variables(const struct type *type) {
  switch (type->kind) {
  case TYPE_VARIABLE: return true;
  case TYPE_LIST: return type_has_variables(type->list.element);
  case TYPE_BATCH: return type_has_variables(type->batch.element);
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      if (type_has_variables(type->tuple.items[i]))
        return true;
    return false;
  case TYPE_FN:
    for (size_t i = 0; i < type->fn.count; i++)
      if (type_has_variables(type->fn.params[i]))
        return true;
    return type_has_variables(type->fn.result);
  default: return false;
  }
}

bool type_has_layer(const struct type *type) {
  type = type_resolve(type);
  switch (type->kind) {
  case TYPE_LAYER: return true;
  case TYPE_LIST: return type_has_layer(type->list.element);
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      if (type_has_layer(type->tuple.items[i]))
        return true;
    return false;
  default: return false;
  }
}

bool type_has_error(const struct type *type) {
  type = type_resolve(type);
  switch (type->kind) {
  case TYPE_ERROR: return true;
  case TYPE_LIST: return type_has_error(type->list.element);
  case TYPE_BATCH: return type_has_error(type->batch.element);
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      if (type_has_error(type->tuple.items[i]))
        return true;
    return false;
  case TYPE_FN:
    for (size_t i = 0; i < type->fn.count; i++)
      if (type_has_error(type->fn.params[i]))
        return true;
    return type_has_error(type->fn.result);
  default: return false;
  }
}

bool type_is_unit(const struct type *type) {
  type = type_resolve(type);
  return type->kind == TYPE_TUPLE && type->tuple.count == 0;
}

bool type_is_scalar(const struct type *type) {
  type = type_resolve(type);
  return type->kind == TYPE_TENSOR && type->tensor.rank == 0;
}

bool type_is_host_number(const struct type *type) {
  type = type_resolve(type);
  return type->kind == TYPE_INT || type->kind == TYPE_FLOAT;
}

bool type_is_number(const struct type *type) {
  type = type_resolve(type);
  return type_is_host_number(type) ||
         (type->kind == TYPE_GENERIC && type->generic->bound == AST_BOUND_NUMBER);
}

bool type_is_ordered(const struct type *type) {
  type = type_resolve(type);
  return type_is_number(type) || type->kind == TYPE_TEXT ||
         (type->kind == TYPE_GENERIC && type->generic->bound == AST_BOUND_ORDERED);
}

// ---- Equality and unification --------------------------------------------------------------------------

static bool occurs(const struct type *variable, const struct type *type) {
  type = type_resolve(type);
  if (type == variable)
    return true;
  if (type->kind == TYPE_LIST)
    return occurs(variable, type->list.element);
  if (type->kind == TYPE_BATCH)
    return occurs(variable, type->batch.element);
  if (type->kind == TYPE_TUPLE)
    for (size_t i = 0; i < type->tuple.count; i++)
      if (occurs(variable, type->tuple.items[i]))
        return true;
  return false;
}

// A variable, or a list (of lists) of one.
static bool is_open_list(const struct type *type) {
  while (type_resolve(type)->kind == TYPE_LIST)
    type = type_resolve(type)->list.element;
  return type_resolve(type)->kind == TYPE_VARIABLE;
}

static bool is_open(const struct type *type) {
  type = type_resolve(type);
  if (type->kind == TYPE_TUPLE)
    for (size_t i = 0; i < type->tuple.count; i++)
      if (is_open(type->tuple.items[i]))
        return true;
  return type->kind == TYPE_LIST ? is_open(type->list.element) : type->kind == TYPE_VARIABLE;
}

// Types that are still open are accepted only as lists: tuples of variables bound to tuples of variables
// could describe a type of exponential size in a few lines.
static bool bind(const struct type *variable, const struct type *type) {
  if (occurs(variable, type) || type_has_layer(type) || type->weight > TYPE_MAX_WEIGHT)
    return false;
  if (is_open(type) && !is_open_list(type))
    return false;
  // Variables are the one mutable kind of type; the constness of types is for everybody else.
  ((struct type *)(uintptr_t)variable)->variable.bound = type;
  return true;
}

static bool sizes_agree(const struct size *const *a, const struct size *const *b, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!size_equal(a[i], b[i]))
      return false;
  return true;
}

const struct size *type_common_batch(const struct size *a, const struct size *b) {
  int64_t value;
  if (size_equal(a, b) || (size_is_constant(b, &value) && value == 1))
    return a;
  if (size_is_constant(a, &value) && value == 1)
    return b;
  return size_is_runtime(b) ? a : size_is_runtime(a) ? b : NULL;
}

static bool layer_args_agree(const struct type *a, const struct type *b) {
  for (size_t i = 0; i < a->layer.decl->layer_params.count; i++) {
    const struct size *left = a->layer.args[i].size, *right = b->layer.args[i].size;
    if (left && right && !size_equal(left, right))
      return false;
  }
  return true;
}

static bool agree(const struct type *a, const struct type *b, bool binding) {
  a = type_resolve(a);
  b = type_resolve(b);
  if (a == b || a->kind == TYPE_ERROR || b->kind == TYPE_ERROR)
    return true;
  if (binding && a->kind == TYPE_VARIABLE)
    return bind(a, b);
  if (binding && b->kind == TYPE_VARIABLE)
    return bind(b, a);
  if (a->kind != b->kind)
    return false;
  switch (a->kind) {
  case TYPE_ERROR:
  case TYPE_NEVER:
  case TYPE_INT:
  case TYPE_BOOL:
  case TYPE_FLOAT:
  case TYPE_TEXT: return true;
  case TYPE_TENSOR:
    return a->tensor.rank == b->tensor.rank && sizes_agree(a->tensor.sizes, b->tensor.sizes, a->tensor.rank);
  case TYPE_INDEX: return a->index == b->index;
  case TYPE_LIST: return agree(a->list.element, b->list.element, binding);
  case TYPE_BATCH:
    return type_common_batch(a->batch.size, b->batch.size) &&
           agree(a->batch.element, b->batch.element, binding);
  case TYPE_TUPLE:
    if (a->tuple.count != b->tuple.count)
      return false;
    for (size_t i = 0; i < a->tuple.count; i++)
      if (!agree(a->tuple.items[i], b->tuple.items[i], binding))
        return false;
    return true;
  case TYPE_DATA:
    return a->data.decl == b->data.decl &&
           sizes_agree(a->data.sizes, b->data.sizes, a->data.decl->size_vars.count);
  case TYPE_LAYER: return a->layer.decl == b->layer.decl && layer_args_agree(a, b);
  case TYPE_FN:
    if (a->fn.count != b->fn.count)
      return false;
    for (size_t i = 0; i < a->fn.count; i++)
      if (!agree(a->fn.params[i], b->fn.params[i], binding))
        return false;
    return agree(a->fn.result, b->fn.result, binding);
  case TYPE_GENERIC: return a->generic == b->generic;
  case TYPE_VARIABLE: return false;
  }
  return false;
}

bool type_equal(const struct type *a, const struct type *b) { return agree(a, b, false); }

bool type_unify(const struct type *a, const struct type *b) { return agree(a, b, true); }

// ---- Substitution --------------------------------------------------------------------------------------

struct rewrite {
  struct arena *arena;
  const struct size_binding *bindings;
  size_t count;
};

static const struct type *rewrite(const struct rewrite *how, const struct type *type);

static bool rewrite_sizes(const struct rewrite *how, const struct size *const *from, const struct size **to,
                          size_t count) {
  for (size_t i = 0; i < count; i++) {
    to[i] = sizes_substitute(how->arena, from[i], how->bindings, how->count);
    if (!to[i])
      return false;
  }
  return true;
}

static const struct type *rewrite_index(const struct rewrite *how, const struct type *type) {
  for (size_t i = 0; i < how->count; i++)
    if (how->bindings[i].symbol == type->index && how->bindings[i].index)
      return how->bindings[i].index;
  return type;
}

static const struct type *rewrite_tuple(const struct rewrite *how, const struct type *type) {
  const struct type **items = arena_new_array(how->arena, const struct type *, type->tuple.count);
  for (size_t i = 0; i < type->tuple.count; i++) {
    items[i] = rewrite(how, type->tuple.items[i]);
    if (!items[i])
      return NULL;
  }
  return type_tuple(how->arena, type->tuple.count, items);
}

static const struct type *rewrite_list(const struct rewrite *how, const struct type *type) {
  const struct type *element = rewrite(how, type->list.element);
  const struct size *length = type->list.length;
  if (length)
    length = sizes_substitute(how->arena, length, how->bindings, how->count);
  if (!element || (type->list.length && !length))
    return NULL;
  return type_list(how->arena, element, length);
}

static const struct type *rewrite_batch(const struct rewrite *how, const struct type *type) {
  const struct type *element = rewrite(how, type->batch.element);
  const struct size *size = sizes_substitute(how->arena, type->batch.size, how->bindings, how->count);
  return element && size ? type_batch(how->arena, element, size) : NULL;
}

static const struct type *rewrite_layer(const struct rewrite *how, const struct type *type) {
  size_t count = type->layer.decl->layer_params.count;
  struct type_layer_arg *args = arena_new_array(how->arena, struct type_layer_arg, count);
  for (size_t i = 0; i < count; i++) {
    const struct type_layer_arg *arg = &type->layer.args[i];
    if (arg->size) {
      args[i].size = sizes_substitute(how->arena, arg->size, how->bindings, how->count);
      if (!args[i].size)
        return NULL;
    }
    if (arg->index)
      args[i].index = rewrite(how, arg->index);
  }
  return type_layer(how->arena, type->layer.decl, args);
}

static const struct type *rewrite_fn(const struct rewrite *how, const struct type *type) {
  const struct type **params = arena_new_array(how->arena, const struct type *, type->fn.count);
  for (size_t i = 0; i < type->fn.count; i++) {
    params[i] = rewrite(how, type->fn.params[i]);
    if (!params[i])
      return NULL;
  }
  const struct type *result = rewrite(how, type->fn.result);
  return result ? type_fn(how->arena, type->fn.count, params, result) : NULL;
}

static const struct type *rewrite_generic(const struct rewrite *how, const struct type *type) {
  for (size_t i = 0; i < how->count; i++)
    if (how->bindings[i].type_var == type->generic && how->bindings[i].type)
      return how->bindings[i].type;
  return type;
}

// NULL on overflow of a size. Also removes bound variables.
static const struct type *rewrite(const struct rewrite *how, const struct type *type) {
  type = type_resolve(type);
  const struct size *sizes[TYPE_MAX_RANK];
  switch (type->kind) {
  case TYPE_TENSOR:
    if (type->tensor.rank == 0)
      return type;
    if (!rewrite_sizes(how, type->tensor.sizes, sizes, type->tensor.rank))
      return NULL;
    return type_tensor(how->arena, type->tensor.rank, sizes);
  case TYPE_INDEX: return rewrite_index(how, type);
  case TYPE_LIST: return rewrite_list(how, type);
  case TYPE_BATCH: return rewrite_batch(how, type);
  case TYPE_TUPLE: return rewrite_tuple(how, type);
  case TYPE_DATA: {
    size_t count = type->data.decl->size_vars.count;
    if (count == 0)
      return type;
    const struct size **args = arena_new_array(how->arena, const struct size *, count);
    return rewrite_sizes(how, type->data.sizes, args, count) ? type_data(how->arena, type->data.decl, args)
                                                             : NULL;
  }
  case TYPE_LAYER: return rewrite_layer(how, type);
  case TYPE_FN: return rewrite_fn(how, type);
  case TYPE_GENERIC: return rewrite_generic(how, type);
  default: return type;
  }
}

const struct type *type_substitute(struct arena *arena, const struct type *type,
                                   const struct size_binding *bindings, size_t count) {
  struct rewrite how = {arena, bindings, count};
  return rewrite(&how, type);
}

const struct type *type_zonk(struct arena *arena, const struct type *type) {
  if (!type_has_variables(type))
    return type;
  struct rewrite how = {arena, NULL, 0};
  return rewrite(&how, type);
}

const struct size_binding *type_layer_bindings(struct arena *arena, const struct type *layer, size_t *count) {
  assert(layer->kind == TYPE_LAYER);
  const struct ast_layer_params *params = &layer->layer.decl->layer_params;
  struct size_binding *bindings = arena_new_array(arena, struct size_binding, params->count);
  for (size_t i = 0; i < params->count; i++) {
    const struct type_layer_arg *arg = &layer->layer.args[i];
    if (!arg->size)
      continue;
    bindings[i] = (struct size_binding){.symbol = size_symbol_of(size_as_atom(params->items[i]->size)),
                                        .size = arg->size,
                                        .index = arg->index};
  }
  *count = params->count;
  return bindings;
}

static const struct size_binding *data_bindings(struct arena *arena, const struct type *data, size_t *count) {
  assert(data->kind == TYPE_DATA);
  const struct ast_size_vars *vars = &data->data.decl->size_vars;
  struct size_binding *bindings = arena_new_array(arena, struct size_binding, vars->count);
  for (size_t i = 0; i < vars->count; i++)
    bindings[i] = (struct size_binding){.symbol = size_symbol_of(size_as_atom(vars->items[i]->size)),
                                        .size = data->data.sizes[i]};
  *count = vars->count;
  return bindings;
}

const struct type *type_field(struct arena *arena, const struct type *data,
                              const struct ast_constructor *constructor, size_t field) {
  size_t count;
  const struct size_binding *bindings = data_bindings(arena, data, &count);
  return type_substitute(arena, constructor->fields.items[field].type->type, bindings, count);
}

// ---- Text ----------------------------------------------------------------------------------------------

static const char *sizes_text(struct arena *arena, const struct size *const *sizes, size_t count) {
  const char *text = "";
  for (size_t i = 0; i < count; i++)
    text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", size_text(arena, sizes[i]));
  return text;
}

static const char *tuple_text(struct arena *arena, const struct type *type) {
  const char *text = "(";
  for (size_t i = 0; i < type->tuple.count; i++) {
    text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", type_text(arena, type->tuple.items[i]));
    if (strlen(text) > 300)
      return arena_printf(arena, "%s, ...)", text);
  }
  return arena_printf(arena, "%s)", text);
}

static const char *fn_text(struct arena *arena, const struct type *type) {
  const char *text = "fn(";
  for (size_t i = 0; i < type->fn.count; i++)
    text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", type_text(arena, type->fn.params[i]));
  if (type_is_unit(type->fn.result))
    return arena_printf(arena, "%s)", text);
  return arena_printf(arena, "%s) -> %s", text, type_text(arena, type->fn.result));
}

static const char *layer_text(struct arena *arena, const struct type *type) {
  const char *text = arena_printf(arena, "%s(", type->layer.decl->unique);
  for (size_t i = 0; i < type->layer.decl->layer_params.count; i++) {
    const struct size *size = type->layer.args[i].size;
    text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", size ? size_text(arena, size) : "_");
  }
  return arena_printf(arena, "%s)", text);
}

// f32[D; n], State[H; n], Tree[; n]. A size without a name is that of the list of an expression.
static const char *batch_text(struct arena *arena, const struct type *type) {
  const char *element = type_text(arena, type->batch.element), *size = size_text(arena, type->batch.size);
  size_t length = strlen(element);
  if (length == 0 || element[length - 1] != ']' || element[0] == '[')
    return arena_printf(arena, "%s[; %s]", element, size);
  return arena_printf(arena, "%.*s; %s]", (int)length - 1, element, size);
}

const char *type_text(struct arena *arena, const struct type *type) {
  type = type_resolve(type);
  switch (type->kind) {
  case TYPE_ERROR: return "?";
  case TYPE_NEVER: return "nothing";
  case TYPE_INT: return "int";
  case TYPE_BOOL: return "bool";
  case TYPE_FLOAT: return "float";
  case TYPE_TEXT: return "text";
  case TYPE_TENSOR:
    if (type->tensor.rank == 0)
      return "f32";
    return arena_printf(arena, "f32[%s]", sizes_text(arena, type->tensor.sizes, type->tensor.rank));
  case TYPE_INDEX: return type->index->atom.name;
  case TYPE_LIST: return arena_printf(arena, "[%s]", type_text(arena, type->list.element));
  case TYPE_BATCH: return batch_text(arena, type);
  case TYPE_TUPLE: return tuple_text(arena, type);
  case TYPE_DATA:
    if (type->data.decl->size_vars.count == 0)
      return type->data.decl->unique;
    return arena_printf(arena, "%s[%s]", type->data.decl->unique,
                        sizes_text(arena, type->data.sizes, type->data.decl->size_vars.count));
  case TYPE_LAYER: return layer_text(arena, type);
  case TYPE_FN: return fn_text(arena, type);
  case TYPE_GENERIC: return type->generic->name.text;
  case TYPE_VARIABLE: return "_";
  }
  return "?";
}

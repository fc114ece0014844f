// Sizes, types and data of the front end to those of the module.
#include <assert.h>

#include "compiler/lower/lower_internal.h"

// ---- Sizes --------------------------------------------------------------------------------------------

struct substitution {
  const struct lower *lower;
  const struct lower_env *env;
};

static const struct size *atom_size(void *context, const struct size_atom *atom) {
  const struct substitution *s = context;
  const struct ast_ref *ref = &size_symbol_of(atom)->ref;
  if (atom->kind == SIZE_RUNTIME)
    return ir_runtime_size(s->lower->module, 0);
  switch (ref->kind) {
  case AST_REF_SIZE_VAR: return s->env->sizes[ref->size_var->index];
  case AST_REF_LAYER_PARAM: return s->env->self->args[ref->layer_param->index].size;
  default: assert(atom->id < s->lower->n_atoms); return s->lower->atom_sizes[atom->id];
  }
}

// Every atom is replaced, so the result knows the module's atoms only.
const struct size *lower_size(struct lower *lower, const struct lower_env *env, const struct size *size) {
  struct substitution s = {lower, env};
  size = lower_checked_size(lower, size_substitute(lower->module->arena, size, atom_size, &s));
  if (size_is_runtime(size) && !size_as_atom(size)) {
    struct diag *d = diag_error(lower->sink, DIAG_SIZE_UNSOLVED, lower->where,
                                "a size here is computed from the length of a list");
    diag_note(d,
              "a size that is known for each example only stands alone: it is no part of a sum or a product");
    lower_fail(lower);
  }
  return size;
}

// ---- Data ---------------------------------------------------------------------------------------------

// How values of a data type are kept.
struct lower_layout {
  enum { LAYOUT_OPEN, LAYOUT_RECORD, LAYOUT_BOX } kind;  // OPEN: being computed
  uint32_t width;                                        // of a record
};

static const struct lower_layout *layout_of(struct lower *lower, const struct ast_data *data, int depth);

// Adds a field's slots to *width; stops counting when they are too many. A record that contains itself, also
// in a list, is found here and becomes a box.
static void add_width(struct lower *lower, const struct ast_type *type, int depth, uint32_t *width) {
  if (*width > LOWER_MAX_RECORD_WIDTH)
    return;
  if (type->kind == AST_TYPE_TUPLE) {
    for (size_t i = 0; i < type->items.count; i++)
      add_width(lower, type->items.items[i], depth, width);
    return;
  }
  uint32_t inside = 0;
  if (type->kind == AST_TYPE_LIST)
    add_width(lower, type->element, depth, &inside);
  const struct lower_layout *layout = NULL;
  if (type->kind == AST_TYPE_NAMED && type->named.ref.kind == AST_REF_DATA)
    layout = layout_of(lower, type->named.ref.data, depth + 1);
  if (type->kind == AST_TYPE_NAMED && type->named.has_batch)
    layout = NULL;  // a list of them
  *width += layout && layout->kind == LAYOUT_RECORD ? layout->width : 1;
}

static const struct lower_layout *layout_of(struct lower *lower, const struct ast_data *data, int depth) {
  struct lower_layout *layout = map_get(&lower->layouts, data);
  if (layout) {
    if (layout->kind == LAYOUT_OPEN)
      layout->kind = LAYOUT_BOX;
    return layout;
  }
  layout = arena_new(lower->arena, struct lower_layout);
  map_put(lower->arena, &lower->layouts, data, layout);
  if (data->constructors.count != 1 || depth > LOWER_MAX_RECORD_DEPTH) {
    layout->kind = LAYOUT_BOX;
    return layout;
  }
  const struct ast_data_fields *fields = &data->constructors.items[0]->fields;
  for (size_t i = 0; i < fields->count; i++)
    add_width(lower, fields->items[i].type, depth, &layout->width);
  if (layout->kind == LAYOUT_OPEN)
    layout->kind = layout->width <= LOWER_MAX_RECORD_WIDTH ? LAYOUT_RECORD : LAYOUT_BOX;
  return layout;
}

bool lower_is_record(struct lower *lower, const struct ast_data *data) {
  return layout_of(lower, data, 0)->kind == LAYOUT_RECORD;
}

bool lower_same_sizes(size_t n, const struct size *const *a, const struct size *const *b) {
  for (size_t i = 0; i < n; i++)
    if (!size_equal(a[i], b[i]))
      return false;
  return true;
}

uint64_t lower_hash_sizes(uint64_t hash, size_t n, const struct size *const *sizes) {
  for (size_t i = 0; i < n; i++)
    hash = hash_mix(hash, size_hash(sizes[i]));
  return hash;
}

// The same for equal types.
uint64_t lower_hash_type(uint64_t hash, const struct ir_type *type) {
  hash = hash_mix(hash, (uint64_t)type->kind);
  switch (type->kind) {
  case IR_TENSOR: return lower_hash_sizes(hash, type->shape.rank, type->shape.sizes);
  case IR_INDEX: return hash_mix(hash, type->dim);
  case IR_DATA: return hash_mix(hash, type->data);
  case IR_LIST: return lower_hash_type(hash, type->element);
  case IR_TUPLE:
    for (uint32_t i = 0; i < type->tuple.n; i++)
      hash = lower_hash_type(hash, type->tuple.fields[i].type);
    return hash;
  default: return hash;
  }
}

// A data type with its sizes chosen.
struct lower_data {
  const struct ast_data *decl;
  const struct size **sizes;
  uint32_t id;  // in module->datas
};

struct wanted_data {
  const struct lower *lower;
  const struct ast_data *decl;
  const struct size **sizes;
};

static bool is_wanted_data(const void *context, uint32_t item) {
  const struct wanted_data *wanted = context;
  const struct lower_data *data = wanted->lower->datas.items[item];
  return data->decl == wanted->decl &&
         lower_same_sizes(wanted->decl->size_vars.count, data->sizes, wanted->sizes);
}

static const struct size **data_sizes(struct lower *lower, const struct lower_env *env,
                                      const struct type *type) {
  size_t n = type->data.decl->size_vars.count;
  const struct size **sizes = arena_new_array(lower->arena, const struct size *, n);
  for (size_t i = 0; i < n; i++)
    sizes[i] = lower_size(lower, env, type->data.sizes[i]);
  return sizes;
}

static struct ir_field *fields_of(struct lower *lower, const struct lower_env *env,
                                  const struct ast_constructor *constructor) {
  size_t n = constructor->fields.count;
  struct ir_field *fields = arena_new_array(lower->module->arena, struct ir_field, n);
  for (size_t i = 0; i < n; i++) {
    const struct ast_data_field *field = &constructor->fields.items[i];
    fields[i].name = arena_strdup(lower->module->arena, field->name.text);
    fields[i].type = lower_type(lower, env, field->type->type);
  }
  return fields;
}

static const char *data_name(struct lower *lower, const struct ast_data *decl,
                             const struct size *const *sizes) {
  const char *name = decl->unique;
  for (size_t i = 0; i < decl->size_vars.count; i++)
    name = arena_printf(lower->arena, "%s%s%s", name, i ? ", " : "[", size_text(lower->arena, sizes[i]));
  return decl->size_vars.count ? arena_printf(lower->arena, "%s]", name) : name;
}

// The fields are filled in when the id is known: they may be of the same type.
static uint32_t boxed_data(struct lower *lower, const struct ast_data *decl, const struct size **sizes) {
  struct wanted_data wanted = {lower, decl, sizes};
  uint64_t hash = hash_mix(0, (uint64_t)(uintptr_t)decl);
  hash = lower_hash_sizes(hash, decl->size_vars.count, sizes);
  uint32_t found = hash_index_find(&lower->data_index, hash, is_wanted_data, &wanted);
  if (found != HASH_INDEX_NONE)
    return lower->datas.items[found]->id;
  if (lower->datas.count == LOWER_MAX_DATAS) {
    diag_error(lower->sink, DIAG_TOO_MANY_INSTANCES, decl->name.span,
               "more than %d instances of data types are needed", LOWER_MAX_DATAS);
    lower_fail(lower);
  }
  for (size_t i = 0; i < decl->size_vars.count; i++) {
    if (!size_is_runtime(sizes[i]))
      continue;
    struct diag *d = diag_error(
        lower->sink, DIAG_SIZE_UNSOLVED, lower->where,
        "a value of `%s` cannot hold a tensor whose size is known for each example only", decl->name.text);
    diag_help(d, "let it hold the list, and make a tensor of that where it is used");
    lower_fail(lower);
  }
  struct arena *arena = lower->module->arena;
  struct ir_data *ir = ir_add_data(lower->module, data_name(lower, decl, sizes));
  struct lower_data *data = arena_new(lower->arena, struct lower_data);
  *data = (struct lower_data){decl, sizes, lower->module->n_datas - 1};
  hash_index_add(&lower->data_index, hash, (uint32_t)lower->datas.count);
  arena_push(lower->arena, &lower->datas, data);
  uint32_t id = data->id;
  struct lower_env env = {.sizes = sizes};
  ir->n_constructors = (uint32_t)decl->constructors.count;
  ir->constructors = arena_new_array(arena, struct ir_constructor, ir->n_constructors);
  for (uint32_t i = 0; i < ir->n_constructors; i++) {
    const struct ast_constructor *constructor = decl->constructors.items[i];
    ir->constructors[i].name = arena_strdup(arena, constructor->name.text);
    ir->constructors[i].n_fields = (uint32_t)constructor->fields.count;
    ir->constructors[i].fields = fields_of(lower, &env, constructor);
  }
  return id;
}

static const struct ir_type *data_type(struct lower *lower, const struct lower_env *env,
                                       const struct type *type) {
  const struct ast_data *decl = type->data.decl;
  const struct size **sizes = data_sizes(lower, env, type);
  if (!lower_is_record(lower, decl))
    return ir_type_data(lower->module, boxed_data(lower, decl, sizes));
  const struct ast_constructor *constructor = decl->constructors.items[0];
  struct lower_env inner = {.sizes = sizes};
  const struct ir_field *fields = fields_of(lower, &inner, constructor);
  const char *name = arena_strdup(lower->module->arena, constructor->name.text);
  return ir_type_tuple(lower->module, name, (uint32_t)constructor->fields.count, fields);
}

// ---- Types --------------------------------------------------------------------------------------------

uint32_t lower_index_dim(const struct lower *lower, const struct lower_env *env, const struct type *type) {
  const struct size_symbol *symbol = type->index;
  if (symbol->ref.kind == AST_REF_LAYER_PARAM)
    return env->self->args[symbol->ref.layer_param->index].dim;
  return lower->atom_dims[symbol->atom.id];
}

static const struct ir_type *tensor_type(struct lower *lower, const struct lower_env *env,
                                         const struct type *type) {
  const struct size *sizes[TYPE_MAX_RANK];
  for (size_t i = 0; i < type->tensor.rank; i++)
    sizes[i] = lower_size(lower, env, type->tensor.sizes[i]);
  return ir_type_tensor(lower->module, (uint32_t)type->tensor.rank, sizes);
}

static const struct ir_type *tuple_type(struct lower *lower, const struct lower_env *env,
                                        const struct type *type) {
  size_t n = type->tuple.count;
  struct ir_field *fields = arena_new_array(lower->module->arena, struct ir_field, n);
  for (size_t i = 0; i < n; i++)
    fields[i].type = lower_type(lower, env, type->tuple.items[i]);
  return ir_type_tuple(lower->module, NULL, (uint32_t)n, fields);
}

const struct ir_type *lower_type(struct lower *lower, const struct lower_env *env, const struct type *type) {
  struct ir_module *module = lower->module;
  switch (type->kind) {
  case TYPE_INT: return ir_type_simple(module, IR_INT);
  case TYPE_BOOL: return ir_type_simple(module, IR_BOOL);
  case TYPE_FLOAT: return ir_type_simple(module, IR_FLOAT);
  case TYPE_TEXT: return ir_type_simple(module, IR_TEXT);
  case TYPE_TENSOR: return tensor_type(lower, env, type);
  case TYPE_INDEX: return ir_type_index(module, lower_index_dim(lower, env, type));
  case TYPE_LIST: return ir_type_list(module, lower_type(lower, env, type->list.element));
  case TYPE_BATCH: return ir_type_list(module, lower_type(lower, env, type->batch.element));
  case TYPE_TUPLE: return tuple_type(lower, env, type);
  case TYPE_NEVER: return ir_type_tuple(module, NULL, 0, NULL);
  case TYPE_DATA: return data_type(lower, env, type);
  case TYPE_GENERIC: return env->types[type->generic->index];
  case TYPE_ERROR:
  case TYPE_LAYER:
  case TYPE_FN:
  case TYPE_VARIABLE: break;
  }
  assert(!"no value has this type");
  return NULL;
}

const struct ir_type **lower_flatten(struct lower *lower, const struct ir_type *type) {
  const struct ir_type **types = arena_new_array(lower->arena, const struct ir_type *, ir_type_width(type));
  ir_type_flatten(type, types);
  return types;
}

// Entry points: functions that are run on data. What the data give and what such a function takes is the same but for
// tensors: data give lists of floats, so a function that takes tensors gets a second one in front of it, which makes
// tensors of them.
#include <string.h>

#include "compiler/lower/lower_internal.h"

// ---- Which functions -----------------------------------------------------------------------------------

// Whether values of the type can be read from data: there is no tensor in its data types.
static bool is_data(struct lower *lower, struct map *seen, const struct type *type, bool may_be_tensor) {
  switch (type->kind) {
  case TYPE_INT:
  case TYPE_BOOL:
  case TYPE_FLOAT:
  case TYPE_TEXT:
  case TYPE_INDEX: return true;
  case TYPE_TENSOR: return may_be_tensor;
  case TYPE_LIST: return is_data(lower, seen, type->list.element, may_be_tensor);
  case TYPE_BATCH: return is_data(lower, seen, type->batch.element, may_be_tensor);
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      if (!is_data(lower, seen, type->tuple.items[i], may_be_tensor))
        return false;
    return true;
  case TYPE_DATA: {
    const struct ast_constructors *constructors = &type->data.decl->constructors;
    if (map_get(seen, type->data.decl))
      return true;
    map_put(lower->arena, seen, type->data.decl, lower);
    for (size_t c = 0; c < constructors->count; c++)
      for (size_t i = 0; i < constructors->items[c]->fields.count; i++)
        if (!is_data(lower, seen, constructors->items[c]->fields.items[i].type->type, false))
          return false;
    return true;
  }
  default: return false;
  }
}

// Functions of tensors that others call are their parts, and those of other files are libraries: they are no entries,
// unless their name says so.
static bool is_entry(struct lower *lower, const struct ast_fn *fn, bool is_main) {
  if (fn->test)
    return false;
  bool is_named = fn->is_metric || fn->total_of || strcmp(fn->name.text, "loss") == 0 ||
                  strcmp(fn->name.text, "predict") == 0;
  struct map seen = {0};
  for (size_t i = 0; i < fn->params.count; i++)
    if (!is_data(lower, &seen, fn->params.items[i].local->type, is_named || (is_main && !fn->is_called)))
      return false;
  return fn->size_vars.count == 0 && fn->type_vars.count == 0;
}

// ---- Tensors of data -----------------------------------------------------------------------------------

// The schema of a parameter: as its type, but that a scalar tensor is a float.
static const struct ir_type *schema_type(struct ir_module *module, const struct ir_type *type) {
  if (type->kind == IR_TENSOR && type->shape.rank == 0)
    return ir_type_simple(module, IR_FLOAT);
  if (type->kind == IR_LIST)
    return ir_type_list(module, schema_type(module, type->element));
  if (type->kind != IR_TUPLE || type->tuple.name)
    return type;
  struct ir_field *fields = arena_new_array(module->arena, struct ir_field, type->tuple.n);
  for (uint32_t i = 0; i < type->tuple.n; i++)
    fields[i] = (struct ir_field){type->tuple.fields[i].name,
                                  schema_type(module, type->tuple.fields[i].type)};
  return ir_type_tuple(module, NULL, type->tuple.n, fields);
}

// Whether there is a tensor in it: then it is not what data give.
static bool holds_tensor(const struct ir_type *type) {
  if (type->kind == IR_LIST)
    return holds_tensor(type->element);
  for (uint32_t i = 0; type->kind == IR_TUPLE && i < type->tuple.n; i++)
    if (holds_tensor(type->tuple.fields[i].type))
      return true;
  return type->kind == IR_TENSOR;
}

static struct ssa_values make_tensors(struct lower_fn *fn, const struct ir_type *type,
                                      struct ssa_values data);

static struct ssa_values make_element(struct lower_fn *fn, struct ssa_values element, const void *type) {
  return make_tensors(fn, type, element);
}

// The slots of a value of the type, from those that data give.
static struct ssa_values make_tensors(struct lower_fn *fn, const struct ir_type *type,
                                      struct ssa_values data) {
  if (!holds_tensor(type))
    return data;
  if (type->kind == IR_TENSOR)
    return lower_one(fn, type->shape.rank == 0 ? lower_to_scalar(fn, data.items[0])
                                               : lower_list_tensor(fn, IR_LIST_VECTOR, data.items[0], type));
  if (type->kind == IR_LIST)
    return lower_one(fn, lower_map_list(fn, data.items[0], type, make_element, type->element));
  struct ssa_values all = {ir_type_width(type), NULL};
  all.items = arena_new_array(fn->arena, struct ir_value *, all.n);
  uint32_t at = 0;
  for (uint32_t i = 0; i < type->tuple.n; i++) {
    uint32_t width = ir_type_width(type->tuple.fields[i].type);
    struct ssa_values part = make_tensors(fn, type->tuple.fields[i].type,
                                          (struct ssa_values){width, data.items + at});
    memcpy(all.items + at, part.items, width * sizeof *part.items);
    at += width;
  }
  return all;
}

// A batch of a size that is written has so many elements, or one that stands for all.
static struct ir_value *of_batch_size(struct lower_fn *fn, const struct type *type, struct ir_value *list) {
  if (type->kind != TYPE_BATCH || size_is_runtime(type->batch.size))
    return list;
  struct ir_value *n = lower_size_value(fn, lower_size(fn->lower, &fn->env, type->batch.size));
  return ir_build_value(&fn->ssa.build, IR_LIST_SPREAD, 2, (struct ir_value *[]){list, n}, list->type);
}

// A function of the same name that makes tensors of what it gets, and calls the entry with them.
static uint32_t wrap(struct lower *lower, const struct lower_instance *callee, const struct ir_entry *entry,
                     const struct ir_type *const *types) {
  struct ir_module *module = lower->module;
  const char *name = arena_printf(lower->arena, "%s.of_data", callee->function->name);
  struct ir_function *function = ir_add_function(module, name);
  for (uint32_t i = 0; i < entry->n_params; i++) {
    const struct ir_type **slots = lower_flatten(lower, ir_data_type(module, entry->params[i].type));
    for (uint32_t k = 0; k < ir_type_width(entry->params[i].type); k++)
      ir_add_function_param(module, function, slots[k]);
  }
  function->n_results = callee->function->n_results;
  function->results = callee->function->results;
  struct lower_fn fn = {.lower = lower, .arena = lower->arena, .instance = callee};
  ssa_init(&fn.ssa, lower->arena, module, function);
  struct ir_value **args = arena_new_array(lower->arena, struct ir_value *, callee->function->n_params);
  uint32_t at = 0;
  for (uint32_t i = 0; i < entry->n_params; i++) {
    uint32_t width = ir_type_width(types[i]);
    lower_at(&fn, callee->fn->params.items[i].span);
    struct ssa_values made = make_tensors(&fn, types[i], (struct ssa_values){width, function->params + at});
    memcpy(args + at, made.items, width * sizeof *args);
    args[at] = of_batch_size(&fn, callee->fn->params.items[i].local->type, args[at]);
    at += width;
  }
  lower_at(&fn, callee->fn->name.span);
  const struct ir_instr *call = ir_build_call(&fn.ssa.build, callee->function->id, at, args);
  ssa_return(&fn.ssa, (struct ssa_values){call->n_results, call->results});
  ssa_finish(&fn.ssa);
  return function->id;
}

// ---- All -----------------------------------------------------------------------------------------------

static void add_entry(struct lower *lower, const struct ast_fn *fn) {
  struct lower_env env = {0};
  struct ir_module *module = lower->module;
  lower->where = fn->name.span;
  const struct lower_instance *instance = lower_instantiate(lower, fn, &env, NULL, fn->name.span);
  struct ir_entry *entry = ir_add_entry(module, fn->name.text);
  entry->is_metric = fn->is_metric;
  entry->n_params = (uint32_t)fn->params.count;
  entry->params = arena_new_array(module->arena, struct ir_field, entry->n_params);
  const struct ir_type **types = arena_new_array(lower->arena, const struct ir_type *, entry->n_params);
  bool has_tensors = false;
  for (uint32_t i = 0; i < entry->n_params; i++) {
    types[i] = lower_type(lower, &env, fn->params.items[i].local->type);
    entry->params[i].name = arena_strdup(module->arena, fn->params.items[i].local->name.text);
    entry->params[i].type = schema_type(module, types[i]);
    has_tensors |= holds_tensor(types[i]);
  }
  entry->function = has_tensors ? wrap(lower, instance, entry, types) : instance->function->id;
  entry->result = lower_result_type(lower, fn, &env);
}

// The functions of one test take the model's place.
static void lower_test(struct lower *lower) {
  const struct ast_files *files = &lower->program->files;
  const struct ast_decls *decls = &files->items[files->count - 1]->decls;
  for (size_t i = 0; i < decls->count; i++) {
    const struct ast_test *test = decls->items[i]->kind == AST_DECL_FN ? decls->items[i]->fn->test : NULL;
    if (test && strcmp(test->name.text, lower->program->test) == 0)
      add_entry(lower, decls->items[i]->fn);
  }
}

// ---- What vocabs are counted in ------------------------------------------------------------------------

static bool holds_text(const struct lower *lower, const struct ir_type *type, bool *seen) {
  if (type->kind == IR_LIST)
    return holds_text(lower, type->element, seen);
  for (uint32_t i = 0; type->kind == IR_TUPLE && i < type->tuple.n; i++)
    if (holds_text(lower, type->tuple.fields[i].type, seen))
      return true;
  if (type->kind != IR_DATA || seen[type->data])
    return type->kind == IR_TEXT;
  const struct ir_data *data = lower->module->datas[type->data];
  seen[type->data] = true;
  for (uint32_t c = 0; c < data->n_constructors; c++)
    for (uint32_t i = 0; i < data->constructors[c].n_fields; i++)
      if (holds_text(lower, data->constructors[c].fields[i].type, seen))
        return true;
  return false;
}

static void check_source(struct lower *lower, const struct ast_name *source) {
  const struct ir_module *module = lower->module;
  bool is_param = false;
  for (uint32_t e = 0; e < module->n_entries; e++)
    for (uint32_t p = 0; p < module->entries[e]->n_params; p++) {
      const struct ir_field *param = &module->entries[e]->params[p];
      if (strcmp(param->name, source->text) != 0)
        continue;
      is_param = true;
      if (holds_text(lower, param->type, arena_new_array(lower->arena, bool, module->n_datas)))
        return;
    }
  struct diag *d = diag_error(lower->sink, DIAG_VOCAB_OPTION, source->span,
                              is_param ? "the parameter `%s` has no texts" : "no entry has a parameter `%s`",
                              source->text);
  diag_note(d,
            "`of` names a parameter of a function that is run on data, whose texts are counted: `%s: [text]`",
            source->text);
  lower_fail(lower);
}

static void check_sources(struct lower *lower) {
  const struct ast_files *files = &lower->program->files;
  for (size_t f = 0; f < files->count; f++) {
    const struct ast_decls *decls = &files->items[f]->decls;
    for (size_t i = 0; i < decls->count; i++)
      for (size_t k = 0; decls->items[i]->kind == AST_DECL_VOCAB && k < decls->items[i]->vocab->sources.count;
           k++)
        check_source(lower, &decls->items[i]->vocab->sources.items[k]);
  }
}

void lower_entries(struct lower *lower) {
  const struct ast_files *files = &lower->program->files;
  if (lower->program->test) {
    lower_test(lower);
    return;
  }
  for (size_t f = 0; f < files->count; f++) {
    const struct ast_decls *decls = &files->items[f]->decls;
    bool is_main = f + 1 == files->count;
    for (size_t i = 0; i < decls->count; i++)
      if (decls->items[i]->kind == AST_DECL_FN && decls->items[i]->fn->is_entry &&
          is_entry(lower, decls->items[i]->fn, is_main))
        add_entry(lower, decls->items[i]->fn);
  }
  check_sources(lower);
}

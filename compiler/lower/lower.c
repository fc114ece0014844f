// Lowering of a program: the order of its parts.
#include "compiler/lower/lower.h"

#include <assert.h>
#include <string.h>

#include "compiler/lower/lower_internal.h"

void lower_fail(struct lower *lower) {
  assert(diag_has_errors(lower->sink));
  longjmp(lower->failed, 1);
}

const struct size *lower_checked_size(struct lower *lower, const struct size *size) {
  if (!size) {
    diag_error(lower->sink, DIAG_SIZE_TOO_LARGE, lower->where, "a size that occurs here is too large");
    lower_fail(lower);
  }
  return size;
}

// ---- Function instances -------------------------------------------------------------------------------

static bool same_env(const struct ast_fn *fn, const struct lower_env *a, const struct lower_env *b) {
  if (a->self != b->self)
    return false;
  if (!lower_same_sizes(fn->size_vars.count, a->sizes, b->sizes))
    return false;
  for (size_t i = 0; i < fn->type_vars.count; i++)
    if (!ir_type_equal(a->types[i], b->types[i]))
      return false;
  for (size_t i = 0; a->functions && i < fn->params.count; i++)
    if (a->functions[i] != b->functions[i])
      return false;
  return true;
}

// `encode`, `cell.step`, `norm[4*H]`, `map[int, float](half)`.
static const char *instance_name(struct lower *lower, const struct ast_fn *fn, const struct lower_env *env) {
  const char *name = fn->unique;
  if (env->self)
    name = arena_printf(lower->arena, "%s.%s", env->self->path, fn->name.text);
  const char *separator = "[";
  for (size_t i = 0; i < fn->size_vars.count; i++, separator = ", ")
    name = arena_printf(lower->arena, "%s%s%s", name, separator, size_text(lower->arena, env->sizes[i]));
  for (size_t i = 0; i < fn->type_vars.count; i++, separator = ", ")
    name = arena_printf(lower->arena, "%s%s%s", name, separator,
                        ir_type_text(lower->module, lower->arena, env->types[i]));
  if (*separator == ',')
    name = arena_printf(lower->arena, "%s]", name);
  separator = "(";
  for (size_t i = 0; env->functions && i < fn->params.count; i++) {
    if (!env->functions[i])
      continue;
    name = arena_printf(lower->arena, "%s%s%s", name, separator,
                        lower_function_name(lower, env->functions[i]));
    separator = ", ";
  }
  return *separator == ',' ? arena_printf(lower->arena, "%s)", name) : name;
}

const struct ir_type *lower_result_type(struct lower *lower, const struct ast_fn *fn,
                                        const struct lower_env *env) {
  const struct ir_type *type = lower_type(lower, env, fn->result_type);
  if (!fn->is_metric)
    return type;
  if (type->kind != IR_TUPLE)
    return type;
  struct ir_field *fields = arena_new_array(lower->arena, struct ir_field, type->tuple.n);
  for (uint32_t i = 0; i < type->tuple.n; i++) {
    fields[i] = type->tuple.fields[i];
    if (fields[i].type->kind == IR_TENSOR)
      fields[i].type = ir_type_simple(lower->module, IR_FLOAT);
  }
  return ir_type_tuple(lower->module, NULL, type->tuple.n, fields);
}

static void declare_slots(struct lower *lower, struct ir_function *function, const struct ir_type *type) {
  const struct ir_type **types = lower_flatten(lower, type);
  for (uint32_t i = 0; i < ir_type_width(type); i++)
    ir_add_function_param(lower->module, function, types[i]);
}

static void declare_captured(struct lower *lower, struct ir_function *function,
                             const struct lower_function *argument) {
  for (uint32_t i = 0; i < argument->n_slots; i++)
    ir_add_function_param(lower->module, function, argument->slots[i]);
}

static void declare_results(struct lower *lower, struct ir_function *function, const struct ir_type *result) {
  function->n_results = ir_type_width(result);
  function->results = arena_new_array(lower->module->arena, const struct ir_type *, function->n_results);
  ir_type_flatten(result, function->results);
}

static struct ir_function *declare_function(struct lower *lower, const struct ast_fn *fn,
                                            const struct lower_env *env) {
  struct ir_module *module = lower->module;
  struct ir_function *function = ir_add_function(module, instance_name(lower, fn, env));
  function->memo = fn->is_memo;
  for (uint32_t i = 0; env->self && i < env->self->n_lists; i++)
    ir_add_function_param(module, function, ir_type_simple(module, IR_INT));
  for (size_t i = 0; i < fn->params.count; i++) {
    if (env->functions && env->functions[i])
      declare_captured(lower, function, env->functions[i]);
    else
      declare_slots(lower, function, lower_type(lower, env, fn->params.items[i].local->type));
  }
  declare_results(lower, function, lower_result_type(lower, fn, env));
  return function;
}

// What came along begins with the place of the layer around it in lists.
static struct ir_function *declare_own(struct lower *lower, const struct lower_function *own) {
  struct ir_function *function = ir_add_function(lower->module, lower_function_name(lower, own));
  declare_captured(lower, function, own);
  for (size_t i = 0; i + 1 < own->n_types; i++)
    declare_slots(lower, function, own->types[i]);
  declare_results(lower, function, own->types[own->n_types - 1]);
  return function;
}

static struct lower_instance *new_instance(struct lower *lower, const struct ast_fn *fn, struct span use) {
  if (lower->n_instances++ == LOWER_MAX_INSTANCES) {
    struct diag *diag = diag_error(lower->sink, DIAG_TOO_MANY_INSTANCES, use,
                                   "more than %d instances of functions are needed", LOWER_MAX_INSTANCES);
    diag_primary_label(diag, "this call needs another instance of `%s`", fn->name.text);
    lower_fail(lower);
  }
  struct lower_instance *instance = arena_new(lower->arena, struct lower_instance);
  instance->fn = fn;
  instance->use = use;
  *lower->open_end = instance;
  lower->open_end = &instance->next_open;
  return instance;
}

struct wanted_instance {
  const struct lower *lower;
  const struct ast_fn *fn;
  const struct lower_env *env;
};

static bool is_wanted_instance(const void *context, uint32_t item) {
  const struct wanted_instance *wanted = context;
  const struct lower_instance *instance = wanted->lower->instances.items[item];
  return instance->fn == wanted->fn && same_env(wanted->fn, &instance->env, wanted->env);
}

static uint64_t hash_instance(const struct ast_fn *fn, const struct lower_env *env) {
  uint64_t hash = hash_mix(hash_mix(0, (uint64_t)(uintptr_t)fn), (uint64_t)(uintptr_t)env->self);
  hash = lower_hash_sizes(hash, fn->size_vars.count, env->sizes);
  for (size_t i = 0; i < fn->type_vars.count; i++)
    hash = lower_hash_type(hash, env->types[i]);
  for (size_t i = 0; env->functions && i < fn->params.count; i++)
    hash = hash_mix(hash, (uint64_t)(uintptr_t)env->functions[i]);
  return hash;
}

struct lower_instance *lower_instantiate(struct lower *lower, const struct ast_fn *fn,
                                         const struct lower_env *env, const struct lower_instance *user,
                                         struct span use) {
  assert(!fn->layer == !env->self);
  struct wanted_instance wanted = {lower, fn, env};
  uint64_t hash = hash_instance(fn, env);
  uint32_t found = hash_index_find(&lower->instance_index, hash, is_wanted_instance, &wanted);
  if (found != HASH_INDEX_NONE)
    return lower->instances.items[found];
  struct lower_instance *instance = new_instance(lower, fn, use);
  instance->env = *env;
  instance->user = user;
  instance->function = declare_function(lower, fn, env);
  hash_index_add(&lower->instance_index, hash, (uint32_t)lower->instances.count);
  arena_push(lower->arena, &lower->instances, instance);
  return instance;
}

struct lower_instance *lower_instantiate_own(struct lower *lower, const struct lower_function *own,
                                             const struct lower_instance *user, struct span use) {
  struct lower_instance *instance = map_get(&lower->bodies, own);
  if (instance)
    return instance;
  instance = new_instance(lower, own->around->fn, use);
  instance->env = own->around->env;
  instance->user = user;
  instance->own = own;
  instance->function = declare_own(lower, own);
  map_put(lower->arena, &lower->bodies, own, instance);
  return instance;
}

// ---- Sizes --------------------------------------------------------------------------------------------

static struct span span_of(const struct lower *lower, struct ir_loc loc) {
  const struct source_set *sources = lower->sink->sources;
  for (uint32_t file = 1; loc.line && file <= sources->count; file++)
    if (lower->files[file] == loc.file + 1) {
      uint32_t at = source_offset(sources, file, (struct source_position){loc.line, loc.column});
      return (struct span){file, at, at + 1};
    }
  return SPAN_NONE;
}

// What was written is checked before; here sizes of generic code have become those of its uses.
static void check_sizes(struct lower *lower) {
  const struct ir_module *module = lower->module;
  int64_t *dims = arena_new_array(lower->arena, int64_t, module->n_dims);
  for (uint32_t i = 0; i < module->n_dims; i++)
    if (module->dims[i]->value)
      size_evaluate_by_id(module->dims[i]->value, dims, &dims[i]);
  struct ir_small_size found;
  if (!ir_find_small_size(module, dims, &found))
    return;
  struct diag *diag = diag_error(lower->sink, DIAG_SIZE_BELOW_ONE,
                                 found.param ? lower->param_spans.items[found.number]
                                             : span_of(lower, found.loc),
                                 "a size of %s%s%s is %lld, it must be at least 1", found.param ? "`" : "",
                                 found.param ? found.param->name : "what is computed here",
                                 found.param ? "`" : "", (long long)found.value);
  const char *values = ir_size_values(module, lower->arena, found.size, dims);
  if (*values)
    diag_note(diag, "it is `%s`, with %s", size_text(lower->arena, found.size), values);
  lower_fail(lower);
}

// ---- The program --------------------------------------------------------------------------------------

static void lower_all(struct lower *lower) {
  lower_declarations(lower);
  lower_entries(lower);
  for (; lower->open; lower->open = lower->open->next_open)
    lower_body(lower, lower->open);
  check_sizes(lower);
  lower_equal_bodies(lower);
  ir_analyse_decides(lower->module, lower->arena);
}

// The module owns memory of its own, so running out of memory must not jump past it.
struct ir_module *lower_program(struct arena *arena, struct diag_sink *sink,
                                const struct ast_program *program, const char *name) {
  struct lower *lower = arena_new(arena, struct lower);
  jmp_buf *outer = arena->on_out_of_memory, *out_of_memory = arena_new(arena, jmp_buf);
  *lower = (struct lower){.arena = arena, .sink = sink, .program = program};
  lower->open_end = &lower->open;
  lower->data_index = hash_index_new(arena);
  lower->instance_index = hash_index_new(arena);
  lower->equality_index = hash_index_new(arena);
  lower->files = arena_new_array(arena, uint32_t, sink->sources->count + 1);
  lower->module = ir_module_new(name);
  if (!lower->module)
    arena_out_of_memory(arena);
  if (outer && setjmp(*out_of_memory)) {
    arena->on_out_of_memory = outer;
    ir_module_free(lower->module);
    longjmp(*outer, 1);
  }
  if (setjmp(lower->failed)) {
    arena->on_out_of_memory = outer;
    ir_module_free(lower->module);
    return NULL;
  }
  if (outer)
    arena->on_out_of_memory = lower->module->arena->on_out_of_memory = out_of_memory;
  lower_all(lower);
  arena->on_out_of_memory = outer;
  lower->module->arena->on_out_of_memory = NULL;
  return lower->module;
}

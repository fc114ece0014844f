/* Scopes: what a name stands for, and which one was meant when it stands for nothing. */
#include "compiler/check/names.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/check/builtins.h"
#include "compiler/diag/habits.h"

/* ---- Declarations -------------------------------------------------------------------------------------- */

static bool is_builtin_type(const char *text) {
  static const char *const builtin_types[] = {"int", "bool", "float", "f32"};
  for (size_t i = 0; i < sizeof builtin_types / sizeof builtin_types[0]; i++)
    if (strcmp(text, builtin_types[i]) == 0)
      return true;
  return false;
}

static bool is_fill(const char *text) { return strcmp(text, "zeros") == 0 || strcmp(text, "ones") == 0; }

static void report_duplicate(struct names *names, const struct ast_name *name, struct span first) {
  struct diag *d = diag_error(names->sink, DIAG_DUPLICATE_NAME, name->span, "`%s` is declared twice",
                              name->text);
  diag_primary_label(d, "declared again here");
  diag_label(d, first, "first declared here");
}

static void report_reserved(struct names *names, const struct ast_name *name, const char *meaning) {
  struct diag *d = diag_error(names->sink, DIAG_RESERVED_NAME, name->span, "`%s` is the name of %s",
                              name->text, meaning);
  diag_help(d, "choose another name");
}

static void declare(struct names *names, size_t file, struct ast_name name, struct ast_ref ref) {
  if (is_builtin_type(name.text)) {
    report_reserved(names, &name, "a builtin type");
    return;
  }
  if (is_fill(name.text) || builtin_find(name.text)) {
    report_reserved(names, &name, "a builtin function");
    return;
  }
  struct map *map = ref.kind == AST_REF_DATA ? &names->datas : &names->values;
  const struct declared *other = map_get_text(map, name.text);
  if (!other && ref.kind == AST_REF_DATA) {
    other = map_get_text(&names->values, name.text);
    if (other && other->ref.kind == AST_REF_CONSTRUCTOR && other->ref.constructor->parent == ref.data)
      other = NULL;
  } else if (!other) {
    other = map_get_text(&names->datas, name.text);
    if (other && ref.kind == AST_REF_CONSTRUCTOR && ref.constructor->parent == other->ref.data)
      other = NULL;
  }
  if (other) {
    report_duplicate(names, &name, other->name.span);
    return;
  }
  struct declared *declared = arena_new(names->arena, struct declared);
  *declared = (struct declared){ref, name, file};
  map_put_text(names->arena, map, name.text, declared);
}

static void declare_decl(struct names *names, size_t file, const struct ast_decl *decl) {
  switch (decl->kind) {
  case AST_DECL_DIM:
    declare(names, file, decl->dim->name, (struct ast_ref){AST_REF_DIM, {.dim = decl->dim}});
    break;
  case AST_DECL_VOCAB:
    declare(names, file, decl->vocab->name, (struct ast_ref){AST_REF_VOCAB, {.vocab = decl->vocab}});
    break;
  case AST_DECL_ENUM:
    declare(names, file, decl->enumeration->name,
            (struct ast_ref){AST_REF_ENUM, {.enumeration = decl->enumeration}});
    for (size_t i = 0; i < decl->enumeration->members.count; i++) {
      struct ast_enum_member *member = decl->enumeration->members.items[i];
      declare(names, file, member->name, (struct ast_ref){AST_REF_ENUM_MEMBER, {.enum_member = member}});
    }
    break;
  case AST_DECL_DATA:
    declare(names, file, decl->data->name, (struct ast_ref){AST_REF_DATA, {.data = decl->data}});
    for (size_t i = 0; i < decl->data->constructors.count; i++) {
      struct ast_constructor *constructor = decl->data->constructors.items[i];
      declare(names, file, constructor->name,
              (struct ast_ref){AST_REF_CONSTRUCTOR, {.constructor = constructor}});
    }
    break;
  case AST_DECL_PARAM:
    declare(names, file, decl->param->name, (struct ast_ref){AST_REF_PARAM, {.param = decl->param}});
    break;
  case AST_DECL_INSTANCE:
    declare(names, file, decl->instance->name,
            (struct ast_ref){AST_REF_INSTANCE, {.instance = decl->instance}});
    break;
  case AST_DECL_LAYER:
    declare(names, file, decl->layer->name, (struct ast_ref){AST_REF_LAYER, {.layer = decl->layer}});
    break;
  case AST_DECL_FN:
    if (decl->fn->test)
      break;
    declare(names, file, decl->fn->name, (struct ast_ref){AST_REF_FN, {.fn = decl->fn}});
    break;
  }
}

/* Imported files come before their importers, so that what they see is known already. */
static void find_visible_files(struct names *names) {
  const struct ast_files *files = &names->program->files;
  names->sees = arena_new_array(names->arena, bool, files->count * files->count);
  for (size_t i = 0; i < files->count; i++) {
    bool *row = &names->sees[i * files->count];
    row[i] = true;
    for (size_t j = 0; j < files->items[i]->imports.count; j++)
      for (size_t k = 0; k < i; k++)
        if (files->items[k] == files->items[i]->imports.items[j]->file)
          for (size_t m = 0; m <= k; m++)
            row[m] |= names->sees[k * files->count + m];
  }
}

void names_init(struct names *names, struct arena *arena, struct diag_sink *sink,
                const struct ast_program *program) {
  *names = (struct names){.arena = arena, .sink = sink, .program = program};
  find_visible_files(names);
  for (size_t i = 0; i < program->files.count; i++) {
    const struct ast_decls *decls = &program->files.items[i]->decls;
    for (size_t k = 0; k < decls->count; k++)
      declare_decl(names, i, decls->items[k]);
  }
}

/* ---- Where we are -------------------------------------------------------------------------------------- */

void names_enter_file(struct names *names, size_t file) { names->file = file; }

static void add_member(struct names *names, struct ast_name name, struct ast_ref ref) {
  const struct declared *other = map_get_text(&names->members, name.text);
  if (other) {
    report_duplicate(names, &name, other->name.span);
    return;
  }
  struct declared *declared = arena_new(names->arena, struct declared);
  *declared = (struct declared){ref, name, names->file};
  map_put_text(names->arena, &names->members, name.text, declared);
}

void names_enter_layer(struct names *names, const struct ast_layer *layer) {
  names->members = (struct map){0};
  if (!layer)
    return;
  for (size_t i = 0; i < layer->layer_params.count; i++) {
    struct ast_layer_param *param = layer->layer_params.items[i];
    add_member(names, param->name, (struct ast_ref){AST_REF_LAYER_PARAM, {.layer_param = param}});
  }
  for (size_t i = 0; i < layer->members.count; i++) {
    const struct ast_decl *member = layer->members.items[i];
    struct ast_ref ref = {AST_REF_FN, {.fn = member->fn}};
    if (member->kind == AST_DECL_PARAM)
      ref = (struct ast_ref){AST_REF_PARAM, {.param = member->param}};
    else if (member->kind == AST_DECL_INSTANCE)
      ref = (struct ast_ref){AST_REF_INSTANCE, {.instance = member->instance}};
    add_member(names, ast_decl_name(member), ref);
  }
}

void names_enter_body(struct names *names, const struct ast_size_vars *size_vars,
                      const struct ast_type_vars *type_vars) {
  assert(names->bound.count == 0);
  names->size_vars = size_vars;
  names->type_vars = type_vars;
  names->reported = (struct map){0};
  names->scope_depth = 0;
}

/* ---- Locals -------------------------------------------------------------------------------------------- */

struct local_binding {
  struct ast_local *local;
  struct local_binding *hidden; /* the binding of the same name that is visible again when this scope ends */
  size_t depth;
};

void names_open_scope(struct names *names) { names->scope_depth++; }

void names_close_scope(struct names *names) {
  assert(names->scope_depth > 0);
  while (names->bound.count > 0) {
    const struct local_binding *binding = names->bound.items[names->bound.count - 1];
    if (binding->depth < names->scope_depth)
      break;
    map_put_text(names->arena, &names->locals, binding->local->name.text, binding->hidden);
    names->bound.count--;
  }
  names->scope_depth--;
}

void names_bind(struct names *names, struct ast_local *local) {
  if (is_fill(local->name.text))
    report_reserved(names, &local->name, "a builtin function");
  struct local_binding *hidden = map_get_text(&names->locals, local->name.text);
  if (hidden && hidden->depth == names->scope_depth)
    report_duplicate(names, &local->name, hidden->local->name.span);
  struct local_binding *binding = arena_new(names->arena, struct local_binding);
  *binding = (struct local_binding){local, hidden, names->scope_depth};
  map_put_text(names->arena, &names->locals, local->name.text, binding);
  arena_push(names->arena, &names->bound, binding);
}

/* ---- Lookup -------------------------------------------------------------------------------------------- */

static bool is_visible(const struct names *names, const struct declared *declared) {
  return names->sees[names->file * names->program->files.count + declared->file];
}

struct ast_ref names_find_data(const struct names *names, const char *text) {
  const struct declared *declared = map_get_text(&names->datas, text);
  return declared && is_visible(names, declared) ? declared->ref : (struct ast_ref){AST_REF_NONE, {NULL}};
}

struct ast_ref names_find(const struct names *names, const char *text) {
  const struct local_binding *binding = map_get_text(&names->locals, text);
  if (binding)
    return (struct ast_ref){AST_REF_LOCAL, {.local = binding->local}};
  for (size_t i = 0; names->size_vars && i < names->size_vars->count; i++)
    if (strcmp(names->size_vars->items[i]->name.text, text) == 0)
      return (struct ast_ref){AST_REF_SIZE_VAR, {.size_var = names->size_vars->items[i]}};
  for (size_t i = 0; names->type_vars && i < names->type_vars->count; i++)
    if (strcmp(names->type_vars->items[i]->name.text, text) == 0)
      return (struct ast_ref){AST_REF_TYPE_VAR, {.type_var = names->type_vars->items[i]}};
  const struct declared *declared = map_get_text(&names->members, text);
  if (declared)
    return declared->ref;
  declared = map_get_text(&names->values, text);
  if (declared && is_visible(names, declared))
    return declared->ref;
  const struct builtin *builtin = builtin_find(text);
  if (builtin)
    return (struct ast_ref){AST_REF_BUILTIN, {.builtin = builtin}};
  return names_find_data(names, text);
}

struct span names_declared_at(const struct ast_ref *ref) {
  switch (ref->kind) {
  case AST_REF_NONE:
  case AST_REF_BUILTIN: return SPAN_NONE;
  case AST_REF_LOCAL: return ref->local->name.span;
  case AST_REF_DIM: return ref->dim->name.span;
  case AST_REF_SIZE_VAR: return ref->size_var->name.span;
  case AST_REF_TYPE_VAR: return ref->type_var->name.span;
  case AST_REF_LAYER_PARAM: return ref->layer_param->name.span;
  case AST_REF_VOCAB: return ref->vocab->name.span;
  case AST_REF_ENUM: return ref->enumeration->name.span;
  case AST_REF_ENUM_MEMBER: return ref->enum_member->name.span;
  case AST_REF_DATA: return ref->data->name.span;
  case AST_REF_CONSTRUCTOR: return ref->constructor->name.span;
  case AST_REF_PARAM: return ref->param->name.span;
  case AST_REF_INSTANCE: return ref->instance->name.span;
  case AST_REF_LAYER: return ref->layer->name.span;
  case AST_REF_FN: return ref->fn->name.span;
  }
  return SPAN_NONE;
}

/* ---- Unknown names ------------------------------------------------------------------------------------- */

struct candidates {
  const char **items;
  size_t count;
  size_t capacity;
};

static bool is_wanted(const struct ast_ref *ref, enum names_wanted wanted) {
  switch (ref->kind) {
  case AST_REF_DATA: return wanted == NAMES_TYPES;
  case AST_REF_VOCAB:
  case AST_REF_ENUM: return wanted == NAMES_TYPES || wanted == NAMES_SIZES;
  case AST_REF_LAYER_PARAM: return wanted != NAMES_CONSTRUCTORS;
  case AST_REF_DIM:
  case AST_REF_SIZE_VAR: return wanted == NAMES_SIZES || wanted == NAMES_VALUES;
  case AST_REF_CONSTRUCTOR:
  case AST_REF_ENUM_MEMBER: return wanted == NAMES_CONSTRUCTORS || wanted == NAMES_VALUES;
  default: return wanted == NAMES_VALUES;
  }
}

static void collect(const struct names *names, const struct map *map, enum names_wanted wanted,
                    struct candidates *candidates) {
  for (size_t i = 0; i < map->count; i++) {
    const struct declared *declared = map->items[i].value;
    if (declared && is_visible(names, declared) && is_wanted(&declared->ref, wanted))
      arena_push(names->arena, candidates, declared->name.text);
  }
}

static const char *nearest(const struct names *names, const char *text, enum names_wanted wanted) {
  struct candidates candidates = {0};
  if (wanted == NAMES_VALUES) {
    for (size_t i = names->bound.count; i-- > 0;)
      arena_push(names->arena, &candidates, names->bound.items[i]->local->name.text);
    for (size_t i = 0; i < builtin_count(); i++)
      if (builtin_at(i)->name)
        arena_push(names->arena, &candidates, builtin_at(i)->name);
    /* A keyword may have been meant, too: `retrun`. */
    static const char *const words[] = {"return", "break", "continue", "true", "false"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
      arena_push(names->arena, &candidates, words[i]);
  }
  if (wanted == NAMES_VALUES || wanted == NAMES_SIZES)
    for (size_t i = 0; names->size_vars && i < names->size_vars->count; i++)
      arena_push(names->arena, &candidates, names->size_vars->items[i]->name.text);
  if (wanted == NAMES_TYPES) {
    for (size_t i = 0; names->type_vars && i < names->type_vars->count; i++)
      arena_push(names->arena, &candidates, names->type_vars->items[i]->name.text);
    static const char *const builtin_types[] = {"int", "bool", "float", "f32"};
    for (size_t i = 0; i < sizeof builtin_types / sizeof builtin_types[0]; i++)
      arena_push(names->arena, &candidates, builtin_types[i]);
    collect(names, &names->datas, wanted, &candidates);
  }
  collect(names, &names->members, wanted, &candidates);
  collect(names, &names->values, wanted, &candidates);
  return diag_nearest(text, candidates.items, candidates.count);
}

static const struct declared *find_unseen(const struct names *names, const char *text,
                                          enum names_wanted wanted) {
  const struct declared *declared = map_get_text(&names->values, text);
  if (!declared || wanted == NAMES_TYPES) {
    const struct declared *data = map_get_text(&names->datas, text);
    declared = data ? data : declared;
  }
  return declared;
}

struct diag *names_report_unknown(struct names *names, const struct ast_name *name,
                                  enum names_wanted wanted) {
  if (map_get_text(&names->reported, name->text))
    return NULL;
  map_put_text(names->arena, &names->reported, name->text, names);
  void *size_vars = (void *)(uintptr_t)names->size_vars;
  if (size_vars && map_get_text(&names->reported_for, name->text) == size_vars)
    return NULL;
  map_put_text(names->arena, &names->reported_for, name->text, size_vars);
  const struct declared *unseen = find_unseen(names, name->text, wanted);
  if (unseen) {
    struct diag *d = diag_error(names->sink, DIAG_NAME_NOT_IMPORTED, name->span,
                                "`%s` is declared in a file that is not imported here", name->text);
    diag_label(d, unseen->name.span, "declared here");
    diag_help(d, "import that file");
    return d;
  }
  static const char *const sorts[] = {"name", "type", "size", "constructor"};
  struct diag *d = diag_error(names->sink, wanted == NAMES_TYPES ? DIAG_UNKNOWN_TYPE : DIAG_UNKNOWN_NAME,
                              name->span, "there is no %s `%s` here", sorts[wanted], name->text);
  const char *habit = wanted == NAMES_VALUES  ? habit_advice(HABIT_VALUES, name->text)
                      : wanted == NAMES_TYPES ? habit_advice(HABIT_TYPES, name->text)
                                              : NULL;
  const char *module = d && !habit ? stdlib_module_of(names->arena, names->program->stdlib, name->text)
                                   : NULL;
  const char *near = d && !habit && !module ? nearest(names, name->text, wanted) : NULL;
  if (habit)
    diag_help(d, "%s", habit);
  else if (module)
    diag_help(d, "it is in the standard library: `import std.%s`", module);
  else if (near)
    diag_help(d, "did you mean `%s`?", near);
  else if (wanted == NAMES_SIZES)
    diag_help(d, "declare it by `dim %s = ...`, or as a size that the arguments imply: `fn f[%s](...)`",
              name->text, name->text);
  return d;
}

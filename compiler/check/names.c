// Scopes: what a name stands for, and which one was meant when it stands for nothing.
#include "compiler/check/names.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/check/builtins.h"

static void report_duplicate(struct names *names, const struct ast_name *name, struct span first) {
  struct diag *d = diag_error(names->sink, DIAG_DUPLICATE_NAME, name->span, "`%s` is declared twice",
                              name->text);
  diag_primary_label(d, "declared again here");
  diag_label(d, first, "first declared here");
}

void names_init(struct names *names, struct arena *arena, struct diag_sink *sink,
                const struct ast_program *program) {
  *names = (struct names){.arena = arena, .sink = sink, .program = program};
  modules_init(&names->modules, arena, sink, program);
  modules_check_listed(&names->modules);
}

// ---- Where we are --------------------------------------------------------------------------------------

void names_enter_file(struct names *names, size_t file) { names->file = file; }

static void report_fill(struct names *names, const struct ast_name *name) {
  if (!builtin_is_fill(name->text))
    return;
  struct diag *d = diag_error(names->sink, DIAG_RESERVED_NAME, name->span,
                              "`%s` is the name of a builtin function", name->text);
  diag_note(d, "`%s[n]` always means a tensor of this size", name->text);
  diag_help(d, "choose another name");
}

static void add_member(struct names *names, struct ast_name name, struct ast_ref ref) {
  report_fill(names, &name);
  const struct declared *other = map_get_text(&names->members, name.text);
  if (other) {
    report_duplicate(names, &name, other->name.span);
    return;
  }
  struct declared *declared = arena_new(names->arena, struct declared);
  *declared = (struct declared){ref, name, NULL};
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

// ---- Locals --------------------------------------------------------------------------------------------

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

// A parameter of the function, a member of the layer or a declaration of the file that the name hides from here on.
// Names of other files are not meant: one would have to know them all. Each that is hidden is spoken of once.
static void note_shadow(struct names *names, const struct ast_local *local,
                        const struct local_binding *hidden) {
  const char *text = local->name.text;
  const struct declared *member = map_get_text(&names->members, text);
  const struct entry *own = modules_own(&names->modules, names->file, text);
  struct shadow shadow = {local->name, SPAN_NONE, NULL};
  const void *key = NULL;
  if (text[0] == '_' || names->program->files.items[names->file]->is_stdlib)
    return;
  while (hidden && hidden->local->kind != AST_LOCAL_PARAMETER)
    hidden = hidden->hidden;
  if (hidden) {
    key = hidden->local;
    shadow.hidden = hidden->local->name.span;
    shadow.what = "the parameter of this name";
  } else if (member) {
    key = member;
    shadow.hidden = member->name.span;
    shadow.what = "a member of the layer";
  } else if (own && own->value) {
    key = own;
    shadow.hidden = own->value->name.span;
    shadow.what = arena_printf(names->arena, "the %s of this name", ast_ref_kind_name(own->value->ref.kind));
  }
  if (!key || map_get(&names->shadowed, key))
    return;
  map_put(names->arena, &names->shadowed, key, names);
  arena_push(names->arena, &names->shadows, shadow);
}

void names_warn_shadows(struct names *names) {
  for (size_t i = 0; i < names->shadows.count; i++) {
    const struct shadow *shadow = &names->shadows.items[i];
    struct diag *d = diag_warning(names->sink, DIAG_SHADOWED_NAME, shadow->name.span, "`%s` hides %s",
                                  shadow->name.text, shadow->what);
    diag_label(d, shadow->hidden, "this cannot be reached where `%s` is visible", shadow->name.text);
    diag_help(d, "give one of them another name");
  }
}

void names_bind(struct names *names, struct ast_local *local) {
  report_fill(names, &local->name);
  struct local_binding *hidden = map_get_text(&names->locals, local->name.text);
  if (hidden && hidden->depth == names->scope_depth)
    report_duplicate(names, &local->name, hidden->local->name.span);
  note_shadow(names, local, hidden);
  struct local_binding *binding = arena_new(names->arena, struct local_binding);
  *binding = (struct local_binding){local, hidden, names->scope_depth};
  map_put_text(names->arena, &names->locals, local->name.text, binding);
  arena_push(names->arena, &names->bound, binding);
}

// ---- Lookup --------------------------------------------------------------------------------------------

static const struct ast_ref no_ref = {AST_REF_NONE, {NULL}};

// What the meaning stands for, data types last; NONE when it is ambiguous.
static struct ast_ref ref_of_meaning(const struct meaning *meaning, bool wants_data) {
  const struct entry *entry = meaning->entry;
  if (!entry || meaning->other)
    return no_ref;
  if (entry->data && (wants_data || !entry->value))
    return entry->data->ref;
  return entry->value && !wants_data && !entry->value->next ? entry->value->ref : no_ref;
}

static struct ast_ref find_declared(struct names *names, size_t file, const char *text, bool wants_data) {
  struct ast_ref ref = ref_of_meaning(modules_find(&names->modules, file, text), wants_data);
  if (ref.kind != AST_REF_NONE)
    modules_use(&names->modules, file, text);
  return ref;
}

// An enum or data type by a name without dots, seen from the file.
static struct ast_ref find_parent(struct names *names, size_t file, const char *text) {
  struct ast_ref ref = find_declared(names, file, text, true);
  return ref.kind == AST_REF_NONE ? find_declared(names, file, text, false) : ref;
}

// X, or the member of a type: T.X.
static struct ast_ref find_in_file(struct names *names, size_t file, const char *text, bool wants_data) {
  const char *dot = strchr(text, '.');
  if (!dot)
    return find_declared(names, file, text, wants_data);
  struct ast_ref parent = find_parent(names, file, arena_strndup(names->arena, text, (size_t)(dot - text)));
  return modules_member(&parent, dot + 1);
}

// What a path means: a member of a type that is visible here, or what a module offers.
static struct ast_ref find_qualified(struct names *names, const char *path, bool wants_data) {
  struct ast_ref ref = find_in_file(names, names->file, path, wants_data);
  if (ref.kind != AST_REF_NONE)
    return ref;
  struct qualified qualified = modules_split(&names->modules, names->file, path);
  if (!qualified.import || qualified.other || !*qualified.rest || *qualified.rest == '_')
    return no_ref;
  qualified.import->is_used = true;
  return find_in_file(names, modules_file_of(&names->modules, qualified.import), qualified.rest, wants_data);
}

struct ast_ref names_find_data(struct names *names, const char *text) {
  return strchr(text, '.') ? find_qualified(names, text, true)
                           : find_declared(names, names->file, text, true);
}

struct ast_ref names_find(struct names *names, const char *text) {
  if (strchr(text, '.'))
    return find_qualified(names, text, false);
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
  const struct builtin *builtin = builtin_find(text);
  if (builtin)
    return (struct ast_ref){AST_REF_BUILTIN, {.builtin = builtin}};
  return find_declared(names, names->file, text, false);
}

struct ast_ref names_find_case(struct names *names, const char *text, const struct ast_ref *type) {
  struct ast_ref ref = names_find(names, text);
  bool may_be_other = ref.kind == AST_REF_NONE || ref.kind == AST_REF_ENUM_MEMBER ||
                      ref.kind == AST_REF_CONSTRUCTOR;
  struct ast_ref member = may_be_other && !strchr(text, '.') ? modules_member(type, text) : no_ref;
  if (member.kind == AST_REF_NONE)
    return ref;
  modules_use(&names->modules, names->file, text);
  return member;
}

// What has members that a dot leads to, and so is not the name of a module where it stands before one.
static bool has_members(enum ast_ref_kind kind) {
  return kind == AST_REF_LOCAL || kind == AST_REF_SIZE_VAR || kind == AST_REF_LAYER_PARAM ||
         kind == AST_REF_PARAM || kind == AST_REF_INSTANCE;
}

bool names_is_path(struct names *names, const char *path) {
  size_t length = strcspn(path, ".");
  return !has_members(names_find(names, arena_strndup(names->arena, path, length)).kind);
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

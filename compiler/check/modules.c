// What files declare, and what they see of each other.
#include "compiler/check/modules.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/base/nearest.h"
#include "compiler/check/builtins.h"

// ---- Declarations --------------------------------------------------------------------------------------

static void report_reserved(struct modules *modules, const struct ast_name *name, const char *meaning) {
  struct diag *d = diag_error(modules->sink, DIAG_RESERVED_NAME, name->span, "`%s` is the name of %s",
                              name->text, meaning);
  diag_help(d, "choose another name");
}

static bool is_reserved(struct modules *modules, const struct ast_name *name) {
  bool is_type = builtin_is_type(name->text);
  bool is_function = builtin_is_fill(name->text) || builtin_find(name->text);
  if (is_type || is_function)
    report_reserved(modules, name, is_type ? "a builtin type" : "a builtin function");
  return is_type || is_function;
}

// The enum or data type that it is a member of; NULL for anything else.
static const void *parent_of(const struct ast_ref *ref) {
  return ref->kind == AST_REF_ENUM_MEMBER   ? (const void *)ref->enum_member->parent
         : ref->kind == AST_REF_CONSTRUCTOR ? (const void *)ref->constructor->parent
                                            : NULL;
}

// A declaration of the entry that one more under the same name, `ref`, cannot stand beside; NULL: there is none.
static const struct declared *conflict(const struct entry *entry, const struct ast_ref *ref) {
  const void *parent = parent_of(ref);
  if (entry->data && (ref->kind == AST_REF_DATA || parent != entry->data->ref.data))
    return entry->data;
  for (const struct declared *value = entry->value; value; value = value->next) {
    const void *other = parent_of(&value->ref);
    if (ref->kind == AST_REF_DATA ? other != ref->data : !parent || !other || parent == other)
      return value;
  }
  return NULL;
}

static void declare(struct modules *modules, size_t file, struct ast_name name, struct ast_ref ref) {
  if (is_reserved(modules, &name))
    return;
  struct entry *entry = map_get_text(&modules->tables[file], name.text);
  const struct declared *other = entry ? conflict(entry, &ref) : NULL;
  if (other) {
    struct diag *d = diag_error(modules->sink, DIAG_DUPLICATE_NAME, name.span, "`%s` is declared twice",
                                name.text);
    diag_primary_label(d, "declared again here");
    diag_label(d, other->name.span, "first declared here");
    return;
  }
  if (!entry) {
    entry = arena_new(modules->arena, struct entry);
    entry->file = file;
    map_put_text(modules->arena, &modules->tables[file], name.text, entry);
  }
  struct declared *declared = arena_new(modules->arena, struct declared);
  *declared = (struct declared){ref, name, NULL};
  if (ref.kind == AST_REF_DATA) {
    entry->data = declared;
    return;
  }
  struct declared **end = &entry->value;
  while (*end)
    end = &(*end)->next;
  *end = declared;
}

// What the declaration's own name stands for.
static struct ast_ref ref_of(const struct ast_decl *decl) {
  switch (decl->kind) {
  case AST_DECL_DIM: return (struct ast_ref){AST_REF_DIM, {.dim = decl->dim}};
  case AST_DECL_VOCAB: return (struct ast_ref){AST_REF_VOCAB, {.vocab = decl->vocab}};
  case AST_DECL_ENUM: return (struct ast_ref){AST_REF_ENUM, {.enumeration = decl->enumeration}};
  case AST_DECL_DATA: return (struct ast_ref){AST_REF_DATA, {.data = decl->data}};
  case AST_DECL_PARAM: return (struct ast_ref){AST_REF_PARAM, {.param = decl->param}};
  case AST_DECL_INSTANCE: return (struct ast_ref){AST_REF_INSTANCE, {.instance = decl->instance}};
  case AST_DECL_LAYER: return (struct ast_ref){AST_REF_LAYER, {.layer = decl->layer}};
  case AST_DECL_FN: return (struct ast_ref){AST_REF_FN, {.fn = decl->fn}};
  }
  assert(!"a declaration of unknown kind");
  return (struct ast_ref){0};
}

static void declare_decl(struct modules *modules, size_t file, const struct ast_decl *decl) {
  if (decl->kind == AST_DECL_FN && decl->fn->test)  // nothing calls it
    return;
  declare(modules, file, ast_decl_name(decl), ref_of(decl));
  for (size_t i = 0; decl->kind == AST_DECL_ENUM && i < decl->enumeration->members.count; i++) {
    struct ast_enum_member *member = decl->enumeration->members.items[i];
    declare(modules, file, member->name, (struct ast_ref){AST_REF_ENUM_MEMBER, {.enum_member = member}});
  }
  for (size_t i = 0; decl->kind == AST_DECL_DATA && i < decl->data->constructors.count; i++) {
    struct ast_constructor *constructor = decl->data->constructors.items[i];
    declare(modules, file, constructor->name,
            (struct ast_ref){AST_REF_CONSTRUCTOR, {.constructor = constructor}});
  }
}

// ---- Unique names --------------------------------------------------------------------------------------

static const char **unique_of(const struct ast_decl *decl) {
  switch (decl->kind) {
  case AST_DECL_DIM: return &decl->dim->unique;
  case AST_DECL_VOCAB: return &decl->vocab->unique;
  case AST_DECL_ENUM: return &decl->enumeration->unique;
  case AST_DECL_DATA: return &decl->data->unique;
  case AST_DECL_PARAM: return &decl->param->unique;
  case AST_DECL_INSTANCE: return &decl->instance->unique;
  case AST_DECL_LAYER: return &decl->layer->unique;
  case AST_DECL_FN: return &decl->fn->unique;
  }
  assert(!"a declaration of unknown kind");
  return NULL;
}

static bool is_declared_elsewhere(const struct modules *modules, size_t file, const char *text) {
  for (size_t i = 0; i < modules->program->files.count; i++)
    if (i != file && modules_own(modules, i, text))
      return true;
  return false;
}

// The file's name, which begins unlike the path of any layer instance. `import` is no name.
static const char *prefix_of(const struct modules *modules, size_t file) {
  const char *module = modules->program->files.items[file]->module;
  const char *head = arena_strndup(modules->arena, module, strcspn(module, "."));
  for (size_t i = 0; i < modules->program->files.count; i++) {
    const struct entry *entry = modules_own(modules, i, head);
    if (entry && entry->value && entry->value->ref.kind == AST_REF_INSTANCE)
      return arena_printf(modules->arena, "import.%s", module);
  }
  return module;
}

// Two files of one name, from different folders of the search path, are told apart by a number.
static const char *make_unique(struct modules *modules, struct map *taken, size_t file, const char *text) {
  bool is_main = file + 1 == modules->program->files.count;
  const char *unique = text;
  if (!is_main && is_declared_elsewhere(modules, file, text)) {
    const char *prefix = prefix_of(modules, file);
    unique = arena_printf(modules->arena, "%s.%s", prefix, text);
    for (size_t i = 2; map_get_text(taken, unique); i++)
      unique = arena_printf(modules->arena, "%s.%zu.%s", prefix, i, text);
  }
  map_put_text(modules->arena, taken, unique, modules);
  return unique;
}

// ---- The program ---------------------------------------------------------------------------------------

struct file_number {
  size_t number;
};

struct entry *modules_own(const struct modules *modules, size_t file, const char *text) {
  return map_get_text(&modules->tables[file], text);
}

size_t modules_file_of(const struct modules *modules, const struct ast_import *import) {
  const struct file_number *file = map_get(&modules->files, import->file);
  return file->number;
}

void modules_init(struct modules *modules, struct arena *arena, struct diag_sink *sink,
                  const struct ast_program *program) {
  const struct ast_files *files = &program->files;
  *modules = (struct modules){.arena = arena, .sink = sink, .program = program};
  modules->tables = arena_new_array(arena, struct map, files->count);
  modules->found = arena_new_array(arena, struct map, files->count);
  for (size_t i = 0; i < files->count; i++) {
    struct file_number *number = arena_new(arena, struct file_number);
    number->number = i;
    map_put(arena, &modules->files, files->items[i], number);
    for (size_t k = 0; k < files->items[i]->decls.count; k++)
      declare_decl(modules, i, files->items[i]->decls.items[k]);
  }
  struct map taken = {0};
  for (size_t i = files->count; i-- > 0;)  // the main file's names remain as they are
    for (size_t k = 0; k < files->items[i]->decls.count; k++) {
      const struct ast_decl *decl = files->items[i]->decls.items[k];
      *unique_of(decl) = make_unique(modules, &taken, i, ast_decl_name(decl).text);
    }
}

// ---- Lookup --------------------------------------------------------------------------------------------

static struct ast_listed *find_listed(struct ast_import *import, const char *text) {
  for (size_t i = 0; i < import->listed.count; i++)
    if (strcmp(import->listed.items[i].name.text, text) == 0)
      return &import->listed.items[i];
  return NULL;
}

// Whether the import makes the name visible without a qualifier.
static bool brings_in(struct ast_import *import, const char *text) {
  return import->is_listed ? find_listed(import, text) != NULL : !import->alias.text;
}

static void add(struct meaning *meaning, struct entry *entry, struct ast_import *import) {
  if (!entry || meaning->entry == entry || meaning->other)
    return;
  if (!meaning->entry) {
    meaning->entry = entry;
    meaning->import = import;
  } else {
    meaning->other = entry;
    meaning->other_import = import;
  }
}

const struct meaning *modules_find(struct modules *modules, size_t file, const char *text) {
  struct meaning *meaning = map_get_text(&modules->found[file], text);
  if (meaning)
    return meaning;
  meaning = arena_new(modules->arena, struct meaning);
  map_put_text(modules->arena, &modules->found[file], text, meaning);
  meaning->entry = modules_own(modules, file, text);
  if (meaning->entry || text[0] == '_')
    return meaning;
  struct ast_imports *imports = &modules->program->files.items[file]->imports;
  for (size_t i = 0; i < imports->count; i++)
    if (brings_in(imports->items[i], text))
      add(meaning, modules_own(modules, modules_file_of(modules, imports->items[i]), text),
          imports->items[i]);
  bool is_found = meaning->entry != NULL;
  for (size_t i = 0; !is_found && i < imports->count; i++) {
    if (!brings_in(imports->items[i], text))
      continue;
    const struct meaning *passed = modules_find(modules, modules_file_of(modules, imports->items[i]), text);
    add(meaning, passed->entry, imports->items[i]);
    add(meaning, passed->other, imports->items[i]);
  }
  return meaning;
}

static void use(struct modules *modules, struct ast_import *import, const char *text) {
  if (!import)
    return;
  struct ast_listed *listed = find_listed(import, text);
  if (listed ? listed->is_used
             : import->is_used && modules_own(modules, modules_file_of(modules, import), text))
    return;
  if (listed)
    listed->is_used = true;
  import->is_used = true;
  modules_use(modules, modules_file_of(modules, import), text);  // which may only pass it on
}

void modules_use(struct modules *modules, size_t file, const char *text) {
  const struct meaning *meaning = modules_find(modules, file, text);
  if (meaning->entry)
    meaning->entry->is_used = true;
  use(modules, meaning->import, text);
  use(modules, meaning->other_import, text);
}

struct ast_ref modules_member(const struct ast_ref *type, const char *name) {
  void *found = type->kind == AST_REF_ENUM   ? map_get_text(&type->enumeration->by_name, name)
                : type->kind == AST_REF_DATA ? map_get_text(&type->data->by_name, name)
                                             : NULL;
  if (!found)
    return (struct ast_ref){AST_REF_NONE, {NULL}};
  if (type->kind == AST_REF_ENUM)
    return (struct ast_ref){AST_REF_ENUM_MEMBER, {.enum_member = found}};
  return (struct ast_ref){AST_REF_CONSTRUCTOR, {.constructor = found}};
}

// ---- Paths ---------------------------------------------------------------------------------------------

static const char *dotted(const struct modules *modules, const struct ast_import *import) {
  const char *text = import->path.items[0].text;
  for (size_t i = 1; i < import->path.count; i++)
    text = arena_printf(modules->arena, "%s.%s", text, import->path.items[i].text);
  return text;
}

static const char *short_name(const struct ast_import *import) {
  return import->alias.text ? import->alias.text : import->path.items[import->path.count - 1].text;
}

// What follows `module.` in the path, "" when the path is the module itself; NULL when it begins otherwise.
static const char *behind(const char *path, const char *module) {
  size_t length = strlen(module);
  if (strncmp(path, module, length) != 0 || (path[length] != '.' && path[length] != '\0'))
    return NULL;
  return path[length] ? path + length + 1 : "";
}

static void split_at(struct qualified *qualified, struct ast_import *import, const char *path,
                     const char *module) {
  const char *rest = behind(path, module);
  if (!rest || (qualified->import && strlen(rest) > strlen(qualified->rest)))
    return;
  bool is_same = qualified->import && strlen(rest) == strlen(qualified->rest);
  if (is_same && qualified->import->file != import->file)
    qualified->other = import;
  else if (!is_same)
    *qualified = (struct qualified){import, NULL, module, rest};
}

struct qualified modules_split(const struct modules *modules, size_t file, const char *path) {
  struct qualified qualified = {0};
  const struct ast_imports *imports = &modules->program->files.items[file]->imports;
  for (size_t i = 0; i < imports->count; i++) {
    split_at(&qualified, imports->items[i], path, short_name(imports->items[i]));
    if (!imports->items[i]->alias.text && imports->items[i]->path.count > 1)
      split_at(&qualified, imports->items[i], path, dotted(modules, imports->items[i]));
  }
  return qualified;
}

const char *modules_qualifier(const struct modules *modules, size_t file, const struct ast_import *import) {
  const char *name = short_name(import);
  return modules_split(modules, file, name).other ? dotted(modules, import) : name;
}

// ---- Imports -------------------------------------------------------------------------------------------

static void check_listed(struct modules *modules, struct ast_import *import) {
  size_t target = modules_file_of(modules, import);
  for (size_t i = 0; i < import->listed.count; i++) {
    struct ast_listed *listed = &import->listed.items[i];
    const struct ast_listed *first = find_listed(import, listed->name.text);
    if (first != listed) {
      struct diag *d = diag_error(modules->sink, DIAG_DUPLICATE_NAME, listed->name.span,
                                  "`%s` is listed twice", listed->name.text);
      diag_label(d, first->name.span, "it stands here, too");
    } else if (listed->name.text[0] == '_' || !modules_find(modules, target, listed->name.text)->entry) {
      modules_report_not_in(modules, import, &listed->name, listed->name.text);
    }
  }
}

void modules_check_listed(struct modules *modules) {
  const struct ast_files *files = &modules->program->files;
  for (size_t i = 0; i < files->count; i++)
    for (size_t k = 0; k < files->items[i]->imports.count; k++)
      check_listed(modules, files->items[i]->imports.items[k]);
}

struct diag *modules_report_not_in(struct modules *modules, const struct ast_import *import,
                                   const struct ast_name *name, const char *member) {
  size_t target = modules_file_of(modules, import);
  const struct entry *own = modules_own(modules, target, member);
  if (own && member[0] == '_') {
    struct diag *d = diag_error(modules->sink, DIAG_PRIVATE_NAME, name->span, "`%s` belongs to `%s` alone",
                                member, dotted(modules, import));
    diag_label(d, own->value ? own->value->name.span : own->data->name.span, "declared here");
    diag_help(d, "a name that other files may use does not begin with `_`");
    return d;
  }
  const struct map *table = &modules->tables[target];
  const char **names = arena_new_array(modules->arena, const char *, table->count);
  size_t count = 0;
  for (size_t i = 0; i < table->count; i++) {
    const char *text = table->items[i].key;
    if (text[0] != '_')
      names[count++] = text;
  }
  struct diag *d = diag_error(modules->sink, DIAG_NOT_IN_MODULE, name->span, "`%s` has no `%s`",
                              dotted(modules, import), member);
  const char *near = nearest_name(member, names, count);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  return d;
}

static void warn_unused_import(struct modules *modules, const struct ast_import *import) {
  if (!import->is_used) {
    struct diag *d = diag_warning(modules->sink, DIAG_UNUSED_IMPORT, import->span, "nothing of `%s` is used",
                                  dotted(modules, import));
    diag_help(d, "remove the import");
    return;
  }
  for (size_t i = 0; i < import->listed.count; i++)
    if (!import->listed.items[i].is_used)
      diag_warning(modules->sink, DIAG_UNUSED_IMPORT, import->listed.items[i].name.span,
                   "`%s` is imported and never used", import->listed.items[i].name.text);
}

void modules_warn_unused(struct modules *modules) {
  const struct ast_files *files = &modules->program->files;
  for (size_t i = 0; i < files->count; i++) {
    // A file without declarations is there for what it passes on.
    if (files->items[i]->is_stdlib || files->items[i]->decls.count == 0)
      continue;
    for (size_t k = 0; k < files->items[i]->imports.count; k++)
      warn_unused_import(modules, files->items[i]->imports.items[k]);
    for (size_t k = 0; k < modules->tables[i].count; k++) {
      const struct entry *entry = modules->tables[i].items[k].value;
      const struct declared *declared = entry->value ? entry->value : entry->data;
      if (declared->name.text[0] != '_' || entry->is_used)
        continue;
      struct diag *d = diag_warning(modules->sink, DIAG_UNUSED_NAME, declared->name.span,
                                    "`%s` is never used", declared->name.text);
      diag_note(d, "its name begins with `_`, so no other file can use it");
    }
  }
}

// Messages about names that stand for nothing, or for more than one thing.
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/base/nearest.h"
#include "compiler/check/builtins.h"
#include "compiler/check/names.h"
#include "compiler/diag/habits.h"

// ---- Ambiguous names -----------------------------------------------------------------------------------

// How the file writes what an entry declares, so that nothing else is meant.
static const char *qualified_text(struct names *names, const struct ast_import *import, const char *text) {
  return import ? arena_printf(names->arena, "%s.%s", modules_qualifier(&names->modules, names->file, import),
                               text)
                : text;
}

static struct span entry_span(const struct entry *entry) {
  return entry->value ? entry->value->name.span : entry->data->name.span;
}

static const char *parent_name(const struct ast_ref *member) {
  return member->kind == AST_REF_ENUM_MEMBER ? member->enum_member->parent->name.text
                                             : member->constructor->parent->name.text;
}

static struct diag *report_several_files(struct names *names, const struct ast_name *name,
                                         const struct meaning *meaning) {
  struct diag *d = diag_error(names->sink, DIAG_AMBIGUOUS_NAME, name->span,
                              "`%s` is declared in two files that are imported here", name->text);
  diag_label(d, entry_span(meaning->entry), "one is declared here");
  diag_label(d, entry_span(meaning->other), "the other one here");
  diag_help(d, "write `%s` or `%s`, or import one of the files with a list of names",
            qualified_text(names, meaning->import, name->text),
            qualified_text(names, meaning->other_import, name->text));
  return d;
}

static struct diag *report_several_types(struct names *names, const struct ast_name *name,
                                         const struct declared *first) {
  const struct declared *second = first->next;
  struct diag *d = diag_error(names->sink, DIAG_AMBIGUOUS_NAME, name->span,
                              "`%s` belongs to `%s` and to `%s`", name->text, parent_name(&first->ref),
                              parent_name(&second->ref));
  diag_label(d, first->name.span, "one is declared here");
  diag_label(d, second->name.span, "the other one here");
  diag_help(d, "write `%s.%s` or `%s.%s`", parent_name(&first->ref), name->text, parent_name(&second->ref),
            name->text);
  return d;
}

bool names_is_ambiguous(struct names *names, const char *text) {
  const struct meaning *meaning = modules_find(&names->modules, names->file, text);
  return meaning->other || (meaning->entry && meaning->entry->value && meaning->entry->value->next);
}

// NULL when the name is not ambiguous.
static struct diag *report_ambiguous(struct names *names, const struct ast_name *name) {
  const struct meaning *meaning = modules_find(&names->modules, names->file, name->text);
  modules_use(&names->modules, names->file, name->text);
  if (meaning->other)
    return report_several_files(names, name, meaning);
  if (meaning->entry && meaning->entry->value && meaning->entry->value->next)
    return report_several_types(names, name, meaning->entry->value);
  return NULL;
}

// The part of a path behind its last dot.
static struct span span_of_last(const struct ast_name *path) {
  uint32_t length = (uint32_t)strlen(strrchr(path->text, '.') + 1);
  return (struct span){path->span.file, path->span.hi - length, path->span.hi};
}

// ---- Paths ---------------------------------------------------------------------------------------------

static struct diag *report_no_member(struct names *names, const struct ast_name *path, const char *base,
                                     const struct ast_ref *type, const char *member) {
  bool is_enum = type->kind == AST_REF_ENUM;
  size_t count = is_enum ? type->enumeration->members.count : type->data->constructors.count;
  const char **members = arena_new_array(names->arena, const char *, count);
  for (size_t i = 0; i < count; i++)
    members[i] = is_enum ? type->enumeration->members.items[i]->name.text
                         : type->data->constructors.items[i]->name.text;
  struct diag *d = diag_error(names->sink, DIAG_UNKNOWN_FIELD, span_of_last(path), "%s `%s` has no %s `%s`",
                              is_enum ? "the enum" : "the type", base, is_enum ? "member" : "constructor",
                              member);
  diag_label(d, names_declared_at(type), "declared here");
  const char *near = nearest_name(member, members, count);
  if (near)
    diag_help(d, "did you mean `%s.%s`?", base, near);
  return d;
}

static struct diag *report_path(struct names *names, const struct ast_name *name) {
  struct qualified qualified = modules_split(&names->modules, names->file, name->text);
  const char *member = strrchr(name->text, '.') + 1;
  const char *base = arena_strndup(names->arena, name->text, (size_t)(member - 1 - name->text));
  struct ast_ref parent = names_find_data(names, base);
  if (parent.kind == AST_REF_NONE)
    parent = names_find(names, base);
  if (parent.kind == AST_REF_ENUM || parent.kind == AST_REF_DATA)
    return report_no_member(names, name, base, &parent, member);
  if (qualified.import && qualified.other) {
    struct diag *d = diag_error(names->sink, DIAG_AMBIGUOUS_NAME, name->span,
                                "two imports can be called `%s`", qualified.module);
    diag_label(d, qualified.import->span, "one is here");
    diag_label(d, qualified.other->span, "the other one here");
    diag_help(d, "write the whole path, or name one of them: `import ... as ...`");
    return d;
  }
  if (qualified.import && *qualified.rest) {
    const char *first = arena_strndup(names->arena, qualified.rest, strcspn(qualified.rest, "."));
    const struct meaning *meaning = modules_find(&names->modules,
                                                 modules_file_of(&names->modules, qualified.import), first);
    qualified.import->is_used = true;
    if (!meaning->entry || *first == '_')
      return modules_report_not_in(&names->modules, qualified.import, name, first);
    if (meaning->entry->value && meaning->entry->value->next && !strchr(qualified.rest, '.'))
      return report_several_types(names, name, meaning->entry->value);
  }
  struct diag *d = diag_error(names->sink, DIAG_UNKNOWN_NAME, name->span,
                              "`%s` is no name that is known here", name->text);
  diag_note(d, "a name with dots is one of an imported file, `import a.b` and `b.x`, or a member of an enum "
               "or data type, "
               "`Action.Shift`");
  return d;
}

// ---- Unknown names -------------------------------------------------------------------------------------

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

static void collect(struct names *names, const struct declared *declared, enum names_wanted wanted,
                    struct candidates *candidates) {
  if (declared && is_wanted(&declared->ref, wanted))
    arena_push(names->arena, candidates, declared->name.text);
}

// What is visible by its bare name, of all files.
static void collect_declared(struct names *names, enum names_wanted wanted, struct candidates *candidates) {
  for (size_t i = 0; i < names->program->files.count; i++) {
    const struct map *table = &names->modules.tables[i];
    for (size_t k = 0; k < table->count; k++) {
      const struct entry *entry = table->items[k].value;
      if (modules_find(&names->modules, names->file, table->items[k].key)->entry != entry)
        continue;
      collect(names, entry->data, wanted, candidates);
      collect(names, entry->value, wanted, candidates);
    }
  }
}

static const char *nearest(struct names *names, const char *text, enum names_wanted wanted) {
  struct candidates candidates = {0};
  if (wanted == NAMES_VALUES) {
    for (size_t i = names->bound.count; i-- > 0;)
      arena_push(names->arena, &candidates, names->bound.items[i]->local->name.text);
    for (size_t i = 0; i < builtin_count(); i++)
      if (builtin_at(i)->name)
        arena_push(names->arena, &candidates, builtin_at(i)->name);
    // A keyword may have been meant, too: `retrun`.
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
    for (size_t i = 0; builtin_types[i]; i++)
      arena_push(names->arena, &candidates, builtin_types[i]);
  }
  for (size_t i = 0; i < names->members.count; i++)
    collect(names, names->members.items[i].value, wanted, &candidates);
  collect_declared(names, wanted, &candidates);
  return nearest_name(text, candidates.items, candidates.count);
}

// An entry of this name in a file that is not visible here, or only with a qualifier.
static const struct entry *find_unseen(const struct names *names, const char *text) {
  for (size_t i = names->program->files.count; i-- > 0;)
    if (modules_own(&names->modules, i, text))
      return modules_own(&names->modules, i, text);
  return NULL;
}

static struct diag *report_unseen(struct names *names, const struct ast_name *name,
                                  const struct entry *entry) {
  struct ast_imports *imports = &names->program->files.items[names->file]->imports;
  for (size_t i = 0; *name->text != '_' && i < imports->count; i++) {
    struct ast_import *import = imports->items[i];
    if (modules_find(&names->modules, modules_file_of(&names->modules, import), name->text)->entry != entry)
      continue;
    struct diag *d = diag_error(names->sink, DIAG_NAME_NOT_IMPORTED, name->span,
                                "`%s` is imported with a qualifier only", name->text);
    diag_label(d, import->span, "it is imported here");
    diag_help(d, "write `%s`", qualified_text(names, import, name->text));
    import->is_used = true;
    return d;
  }
  bool is_private = *name->text == '_';
  struct diag *d = diag_error(names->sink, is_private ? DIAG_PRIVATE_NAME : DIAG_NAME_NOT_IMPORTED,
                              name->span,
                              is_private ? "`%s` belongs to the file that declares it"
                                         : "`%s` is declared in a file that is not imported here",
                              name->text);
  diag_label(d, entry_span(entry), "declared here");
  diag_help(d, is_private ? "a name that other files may use does not begin with `_`" : "import that file");
  return d;
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
  if (strchr(name->text, '.'))
    return report_path(names, name);
  if (names_is_ambiguous(names, name->text))
    return report_ambiguous(names, name);
  const struct entry *unseen = find_unseen(names, name->text);
  if (unseen)
    return report_unseen(names, name, unseen);
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

// Patterns against the types they take apart, and `match`.
#include <ctype.h>
#include <string.h>

#include "compiler/base/nearest.h"
#include "compiler/check/checker.h"

// ---- After an error ------------------------------------------------------------------------------------

// Binds all names of a pattern that failed, so that their uses are not reported as well.
static void bind_anyway(struct checker *checker, struct ast_pattern *pattern) {
  pattern->type = &type_error;
  switch (pattern->kind) {
  case AST_PATTERN_NAME:
    if (pattern->name.ref.kind == AST_REF_CONSTRUCTOR || pattern->name.ref.kind == AST_REF_ENUM_MEMBER)
      return;
    pattern->name.local->type = &type_error;
    pattern->name.ref = (struct ast_ref){AST_REF_LOCAL, {.local = pattern->name.local}};
    names_bind(&checker->names, pattern->name.local);
    return;
  case AST_PATTERN_CONSTRUCTOR:
    for (size_t i = 0; i < pattern->constructor.args.count; i++)
      bind_anyway(checker, pattern->constructor.args.items[i]);
    return;
  case AST_PATTERN_TUPLE:
    for (size_t i = 0; i < pattern->items.count; i++)
      bind_anyway(checker, pattern->items.items[i]);
    return;
  default: return;
  }
}

static bool mismatch(struct checker *checker, struct ast_pattern *pattern, const struct type *type,
                     const char *what) {
  struct diag *d = diag_error(checker->sink, DIAG_PATTERN_TYPE, pattern->span, "%s cannot match %s", what,
                              check_text(checker, type));
  if (type->kind == TYPE_DATA)
    diag_label(d, type->data.decl->name.span, "`%s` is declared here", type->data.decl->name.text);
  if (type->kind == TYPE_FLOAT)
    diag_help(d, "floats are compared with `if`");
  else if (type->kind == TYPE_TENSOR)
    diag_help(d, "tensors have no known value here; `value(x)` and `argmax(x)` give host values");
  else if (type->kind == TYPE_BATCH)
    diag_help(d, "match one value in a function, and call that for the batch");
  else if (type->kind == TYPE_LIST)
    diag_help(d, "lists are taken apart by `xs[i]`, `last(xs)`, `pop(xs)` and `len(xs)`");
  bind_anyway(checker, pattern);
  return false;
}

// ---- Names ---------------------------------------------------------------------------------------------

static bool match_members(struct checker *checker, struct ast_pattern *pattern, const struct type *type,
                          const struct ast_ref *ref) {
  const char *name = pattern->name.name.text;
  pattern->name.ref = *ref;
  if (ref->kind == AST_REF_ENUM_MEMBER) {
    const struct ast_enum *parent = ref->enum_member->parent;
    if (type->kind == TYPE_INDEX && type_equal(type, parent->type))
      return true;
    return mismatch(checker, pattern, type,
                    arena_printf(checker->arena, "`%s` of the enum `%s`", name, parent->name.text));
  }
  const struct ast_constructor *constructor = ref->constructor;
  if (type->kind != TYPE_DATA || type->data.decl != constructor->parent)
    return mismatch(
        checker, pattern, type,
        arena_printf(checker->arena, "`%s` of the data type `%s`", name, constructor->parent->name.text));
  if (constructor->fields.count == 0)
    return true;
  struct diag *d = diag_error(checker->sink, DIAG_PATTERN_FIELDS, pattern->span, "`%s` has %s", name,
                              check_count_text(checker, constructor->fields.count, "field"));
  diag_label(d, constructor->name.span, "declared here");
  const char *blanks = "_";
  for (size_t i = 1; i < constructor->fields.count && i < 8; i++)
    blanks = arena_printf(checker->arena, "%s, _", blanks);
  diag_help(d, "write `%s(%s)`", name, blanks);
  pattern->type = &type_error;
  return false;
}

static bool is_enum(const struct type *type) {
  return type->kind == TYPE_INDEX && type->index->ref.kind == AST_REF_ENUM;
}

// The members of an enum, the constructors of a data type.
static const char **case_names(struct checker *checker, const struct type *type, size_t *count) {
  *count = is_enum(type) ? type->index->ref.enumeration->members.count : type->data.decl->constructors.count;
  const char **names = arena_new_array(checker->arena, const char *, *count);
  for (size_t i = 0; i < *count; i++)
    names[i] = is_enum(type) ? type->index->ref.enumeration->members.items[i]->name.text
                             : type->data.decl->constructors.items[i]->name.text;
  return names;
}

static struct diag *report_no_case(struct checker *checker, struct span span, const char *name,
                                   const struct type *type) {
  size_t count;
  const char **names = case_names(checker, type, &count);
  struct diag *d = diag_error(checker->sink, DIAG_UNKNOWN_NAME, span, "%s has no %s `%s`",
                              check_text(checker, type), is_enum(type) ? "member" : "constructor", name);
  const char *near = nearest_name(name, names, count);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
  else
    diag_note(d, "it has %s", check_names_text(checker, names, count));
  return near ? NULL : d;
}

// A capital letter in a pattern for data or an enum is meant as one of its names, not as a new variable.
static bool report_misspelt(struct checker *checker, struct ast_pattern *pattern, const struct type *type) {
  const char *name = pattern->name.name.text;
  bool is_data = type->kind == TYPE_DATA && type->data.decl->constructors.count > 1;
  if (!isupper((unsigned char)name[0]) || (!is_enum(type) && !is_data))
    return false;
  diag_help(report_no_case(checker, pattern->span, name, type),
            "a name that binds begins with a small letter");
  bind_anyway(checker, pattern);
  return true;
}

// `sbu` where the enum has `sub` matches everything.
static void warn_of_binding(struct checker *checker, struct ast_local *local, const struct type *type) {
  const struct ast_name *name = &local->name;
  if (!is_enum(type))
    return;
  size_t count;
  const char **names = case_names(checker, type, &count);
  const char *near = nearest_name(name->text, names, count);
  if (!near)
    return;
  struct diag *d = diag_warning(checker->sink, DIAG_SUSPECT_BINDING, name->span,
                                "`%s` is a new name here, which matches every %s", name->text,
                                check_text(checker, type));
  diag_help(d, "did you mean `%s`? `_` matches everything, too", near);
  local->is_used = true;  // that it is not would follow from this
}

// Not two functions of different files: a pattern may bind their name.
static bool is_ambiguous_case(struct checker *checker, const char *text) {
  struct names *names = &checker->names;
  if (!names_is_ambiguous(names, text))
    return false;
  const struct meaning *meaning = modules_find(&names->modules, names->file, text);
  const struct declared *value = meaning->entry->value;
  return value && (value->ref.kind == AST_REF_CONSTRUCTOR || value->ref.kind == AST_REF_ENUM_MEMBER);
}

static void report_no_constructor(struct checker *checker, const struct ast_name *name,
                                  const struct ast_ref *ref) {
  struct diag *d = diag_error(checker->sink, DIAG_PATTERN_TYPE, name->span, "`%s` is %s, not a constructor",
                              name->text, check_ref_text(checker, ref));
  diag_label(d, names_declared_at(ref), "declared here");
}

static bool match_name(struct checker *checker, struct ast_pattern *pattern, const struct type *type) {
  const struct ast_name *name = &pattern->name.name;
  struct ast_ref ref = check_find_case(checker, name->text, type);
  bool is_path = strchr(name->text, '.') != NULL;
  if (is_path && ref.kind == AST_REF_NONE) {
    names_report_unknown(&checker->names, name, NAMES_CONSTRUCTORS);
    return false;
  }
  if (ref.kind == AST_REF_NONE && is_ambiguous_case(checker, name->text)) {
    names_report_unknown(&checker->names, name, NAMES_CONSTRUCTORS);
    bind_anyway(checker, pattern);
    return false;
  }
  if (is_path && ref.kind != AST_REF_CONSTRUCTOR && ref.kind != AST_REF_ENUM_MEMBER) {
    report_no_constructor(checker, name, &ref);
    return false;
  }
  if (ref.kind == AST_REF_DATA)
    ref.kind = AST_REF_NONE;
  if (ref.kind == AST_REF_CONSTRUCTOR || ref.kind == AST_REF_ENUM_MEMBER)
    return match_members(checker, pattern, type, &ref);
  if (report_misspelt(checker, pattern, type))
    return false;
  struct ast_local *local = pattern->name.local;
  warn_of_binding(checker, local, type);
  pattern->name.ref = (struct ast_ref){AST_REF_LOCAL, {.local = local}};
  check_set_type(checker, &local->type, type);
  names_bind(&checker->names, local);
  return true;
}

// ---- Constructors, tuples ------------------------------------------------------------------------------

static bool match_constructor(struct checker *checker, struct ast_pattern *pattern, const struct type *type) {
  const struct ast_name *name = &pattern->constructor.name;
  const struct ast_patterns *args = &pattern->constructor.args;
  struct ast_ref ref = check_find_case(checker, name->text, type);
  pattern->constructor.ref = ref;
  if (ref.kind != AST_REF_CONSTRUCTOR) {
    bool is_unknown = ref.kind == AST_REF_NONE && !strchr(name->text, '.') &&
                      !names_is_ambiguous(&checker->names, name->text);
    if (is_unknown && type->kind == TYPE_DATA) {
      report_no_case(checker, name->span, name->text, type);
    } else if (ref.kind == AST_REF_NONE) {
      names_report_unknown(&checker->names, name, NAMES_CONSTRUCTORS);
    } else {
      report_no_constructor(checker, name, &ref);
    }
    bind_anyway(checker, pattern);
    return false;
  }
  const struct ast_constructor *constructor = ref.constructor;
  if (type->kind != TYPE_DATA || type->data.decl != constructor->parent)
    return mismatch(checker, pattern, type,
                    arena_printf(checker->arena, "`%s` of the data type `%s`", name->text,
                                 constructor->parent->name.text));
  if (args->count != constructor->fields.count) {
    struct diag *d = diag_error(checker->sink, DIAG_PATTERN_FIELDS, pattern->span, "`%s` has %s, not %zu",
                                name->text, check_count_text(checker, constructor->fields.count, "field"),
                                args->count);
    diag_label(d, constructor->name.span, "declared here");
    diag_help(d, "`_` stands for a field that is not needed");
    bind_anyway(checker, pattern);
    return false;
  }
  bool matched = true;
  for (size_t i = 0; i < args->count; i++) {
    const struct type *field = type_field(checker->arena, type, constructor, i);
    matched &= check_pattern(checker, args->items[i], field ? field : &type_error);
  }
  return matched;
}

static bool match_tuple(struct checker *checker, struct ast_pattern *pattern, const struct type *type) {
  size_t count = pattern->items.count;
  if (type->kind != TYPE_TUPLE)
    return mismatch(checker, pattern, type, "a tuple");
  if (type->tuple.count != count) {
    struct diag *d = diag_error(checker->sink, DIAG_PATTERN_FIELDS, pattern->span, "%s for a tuple of %zu",
                                check_count_text(checker, count, "pattern"), type->tuple.count);
    diag_primary_label(d, "the value is %s", check_text(checker, type));
    diag_help(d, "`_` stands for an item that is not needed");
    bind_anyway(checker, pattern);
    return false;
  }
  bool matched = true;
  for (size_t i = 0; i < count; i++)
    matched &= check_pattern(checker, pattern->items.items[i], type->tuple.items[i]);
  return matched;
}

bool check_pattern(struct checker *checker, struct ast_pattern *pattern, const struct type *type) {
  type = type_resolve(type);
  check_set_type(checker, &pattern->type, type);
  if (type->kind == TYPE_ERROR) {
    bind_anyway(checker, pattern);
    return false;
  }
  switch (pattern->kind) {
  case AST_PATTERN_WILDCARD: return true;
  case AST_PATTERN_NAME: return match_name(checker, pattern, type);
  case AST_PATTERN_CONSTRUCTOR: return match_constructor(checker, pattern, type);
  case AST_PATTERN_TUPLE: return match_tuple(checker, pattern, type);
  case AST_PATTERN_INT: return type->kind == TYPE_INT || mismatch(checker, pattern, type, "an integer");
  case AST_PATTERN_BOOL: return type->kind == TYPE_BOOL || mismatch(checker, pattern, type, "a bool");
  }
  return false;
}

// ---- Every value, every arm ----------------------------------------------------------------------------

static void report_complex(struct checker *checker, struct span span) {
  struct diag *d = diag_error(checker->sink, DIAG_MATCH_TOO_COMPLEX, span,
                              "these patterns are too many to be checked");
  diag_help(d, "match in two steps, one inside the other");
}

void check_irrefutable(struct checker *checker, struct ast_pattern *pattern, const char *what) {
  const struct ast_pattern *patterns[] = {pattern};
  const char *example;
  if (pattern->kind == AST_PATTERN_NAME && pattern->name.ref.kind == AST_REF_LOCAL)
    return;
  switch (match_is_exhaustive(match_matrix(checker->arena, pattern->type, patterns, 1), &example)) {
  case MATCH_YES: return;
  case MATCH_TOO_COMPLEX: report_complex(checker, pattern->span); return;
  case MATCH_NO: break;
  }
  struct diag *d = diag_error(checker->sink, DIAG_REFUTABLE_PATTERN, pattern->span,
                              "the pattern of %s must match every value", what);
  diag_primary_label(d, "`%s` is not matched", example);
  diag_help(d, "use `match`");
}

static void check_arms(struct checker *checker, struct ast_expr *expr) {
  const struct ast_match_arms *arms = &expr->match.arms;
  const struct ast_pattern **patterns = arena_new_array(checker->arena, const struct ast_pattern *,
                                                        arms->count);
  for (size_t i = 0; i < arms->count; i++)
    patterns[i] = arms->items[i].pattern;
  const struct type *type = type_resolve(expr->match.scrutinee->type);
  const struct match_matrix *matrix = match_matrix(checker->arena, type, patterns, arms->count);
  for (size_t i = 1; i < arms->count; i++) {
    enum match_answer answer = match_is_reachable(matrix, i);
    if (answer == MATCH_TOO_COMPLEX) {
      report_complex(checker, expr->match.scrutinee->span);
      return;
    }
    if (answer == MATCH_YES)
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_UNREACHABLE_ARM, patterns[i]->span,
                                "this arm is never reached");
    diag_label(d, span_join(patterns[0]->span, patterns[i - 1]->span),
               "everything that it matches is matched here");
    diag_help(d, "remove it, or move it up");
  }
  const char *example;
  enum match_answer answer = match_is_exhaustive(matrix, &example);
  if (answer == MATCH_TOO_COMPLEX) {
    report_complex(checker, expr->match.scrutinee->span);
  } else if (answer == MATCH_NO) {
    struct diag *d = diag_error(checker->sink, DIAG_NOT_EXHAUSTIVE, expr->match.scrutinee->span,
                                "this `match` does not cover `%s`", example);
    diag_primary_label(d, "this is %s", check_text(checker, type));
    if (type->kind == TYPE_DATA)
      diag_label(d, type->data.decl->name.span, "`%s` is declared here", type->data.decl->name.text);
    else if (type->kind == TYPE_INDEX)
      diag_label(d, type->index->declared, "`%s` is declared here", type->index->atom.name);
    diag_help(d, "add an arm `%s => ...`", example);
  }
}

const struct type *check_match(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  const struct ast_match_arms *arms = &expr->match.arms;
  const struct type *type = check_known(checker, expr->match.scrutinee, NULL);
  struct check_branch *branches = arena_new_array(checker->arena, struct check_branch, arms->count);
  bool matched = true;
  for (size_t i = 0; i < arms->count; i++) {
    struct ast_expr *body = arms->items[i].body;
    names_open_scope(&checker->names);
    matched &= check_pattern(checker, arms->items[i].pattern, type);
    const struct type *result = check_expr(checker, body, hint);
    names_close_scope(&checker->names);
    struct span span = body->kind == AST_EXPR_BLOCK && body->block->value ? body->block->value->span
                                                                          : body->span;
    branches[i] = (struct check_branch){body, NULL, result, span};
  }
  if (matched && type->kind != TYPE_ERROR)
    check_arms(checker, expr);
  if (arms->count == 0)
    return &type_error;
  return check_join(checker, branches, arms->count, hint, "arms of this `match`");
}

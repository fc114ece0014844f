// What is written before a dot in other languages and means nothing here: libraries, `torch.tanh(x)`, and
// vocabs, `Word.the`. And members that values have elsewhere, `xs.append(x)`.
#include <string.h>

#include "compiler/check/checker.h"
#include "compiler/diag/habits.h"
#include "compiler/syntax/stdlib_index.h"

// ---- Libraries -----------------------------------------------------------------------------------------

// The first name of a.b.c; NULL when it begins with something else.
static const struct ast_expr *root_of(const struct ast_expr *expr) {
  while (expr->kind == AST_EXPR_FIELD)
    expr = expr->field.base;
  return expr->kind == AST_EXPR_NAME ? expr : NULL;
}

static bool report_library(struct checker *checker, const struct ast_expr *base,
                           const struct ast_name *member) {
  const struct ast_expr *root = root_of(base);
  const char *advice = root ? habit_advice(HABIT_LIBRARIES, root->name.name.text) : NULL;
  if (!advice || names_find(&checker->names, root->name.name.text).kind != AST_REF_NONE)
    return false;
  struct diag *d = diag_error(checker->sink, DIAG_UNKNOWN_NAME, span_join(root->span, member->span),
                              "there is no library `%s` here", root->name.name.text);
  struct ast_ref ref = names_find(&checker->names, member->text);
  const char *habit = habit_advice(HABIT_VALUES, member->text);
  const char *module = stdlib_module_of(checker->arena, checker->program->stdlib, member->text);
  if (ref.kind == AST_REF_BUILTIN)
    diag_help(d, "it is builtin: `%s`", builtin_usage(ref.builtin));
  else if (ref.kind != AST_REF_NONE)
    diag_help(d, "write `%s`", member->text);
  else if (habit)
    diag_help(d, "%s", habit);
  else if (module)
    diag_help(d, "`%s` is in the standard library: `import std.%s`", member->text, module);
  else
    diag_help(d, "%s", advice);
  return true;
}

// ---- Vocabs --------------------------------------------------------------------------------------------

static bool report_vocab(struct checker *checker, const struct ast_expr *base,
                         const struct ast_name *member) {
  struct ast_ref ref = {AST_REF_NONE, {NULL}};
  if (base->kind == AST_EXPR_NAME)
    ref = names_find(&checker->names, base->name.name.text);
  if (ref.kind != AST_REF_VOCAB)
    return false;
  struct diag *d = diag_error(checker->sink, DIAG_NOT_A_VALUE, span_join(base->span, member->span),
                              "`%s` is a vocab, not a value", base->name.name.text);
  diag_label(d, names_declared_at(&ref), "declared here");
  diag_help(d, "the entry of a text is `%s(\"%s\")`; a set whose members are known is an `enum`",
            base->name.name.text, member->text);
  return true;
}

bool check_foreign_field(struct checker *checker, const struct ast_expr *base,
                         const struct ast_name *member) {
  return report_library(checker, base, member) || report_vocab(checker, base, member);
}

// ---- Members -------------------------------------------------------------------------------------------

const char *check_member_habit(const struct type *type, const char *member) {
  type = type_resolve(type);
  enum habit_place place = type->kind == TYPE_LIST     ? HABIT_LISTS
                           : type->kind == TYPE_TENSOR ? HABIT_TENSORS
                                                       : HABIT_OTHERS;
  return type_has_layer(type) ? NULL : habit_advice(place, member);
}

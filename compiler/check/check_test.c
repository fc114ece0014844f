// Tests: what stands in `param` and `vocab`, and which values `expect` compares.
#include <string.h>

#include "compiler/check/checker.h"

// The parameter that a setting names: `W`, `cell.W`, `stack[0].W`.
static bool names_a_param(const struct ast_expr *target) {
  const struct ast_ref *ref = target->kind == AST_EXPR_FIELD ? &target->field.ref : ast_expr_ref(target);
  if (!ref || ref->kind != AST_REF_PARAM)
    return false;
  for (const struct ast_expr *at = target; at->kind != AST_EXPR_NAME;) {
    if (at->kind == AST_EXPR_FIELD)
      at = at->field.base;
    else if (at->kind == AST_EXPR_INDEX && at->index.index->kind == AST_EXPR_INT)
      at = at->index.base;
    else
      return false;
  }
  return true;
}

static void check_setting(struct checker *checker, const struct ast_setting *setting) {
  const struct ast_expr *target = setting->pair->items.items[0];
  if (target->type && type_resolve(target->type)->kind == TYPE_ERROR)
    return;
  if (!names_a_param(target))
    diag_help(diag_error(checker->sink, DIAG_TEST, target->span, "this is no parameter"),
              "a test sets parameters by name: `param cell.W = ...`, `param stack[0].W = ...`");
}

static void check_vocab(struct checker *checker, const struct ast_test_vocab *vocab) {
  struct ast_ref ref = names_find(&checker->names, vocab->name.text);
  if (ref.kind != AST_REF_NONE && ref.kind != AST_REF_VOCAB)
    diag_error(checker->sink, DIAG_TEST, vocab->name.span, "`%s` is no vocab", vocab->name.text);
}

static bool is_ordered(const struct type *type) {
  return type->kind == TYPE_ERROR || type_is_host_number(type) || type_is_scalar(type);
}

static void check_expectation(struct checker *checker, const struct ast_expectation *expectation) {
  const struct type *pair = expectation->pair->type ? type_resolve(expectation->pair->type) : &type_error;
  const struct type *type = pair->kind == TYPE_LIST ? type_resolve(pair->list.element) : &type_error;
  if (expectation->is_condition && type->kind != TYPE_BOOL && type->kind != TYPE_ERROR)
    diag_help(diag_error(checker->sink, DIAG_EXPECTATION, expectation->pair->items.items[0]->span,
                         "a condition is a bool, and this is %s", check_text(checker, type)),
              "compare it: `expect a == b`");
  bool is_equality = expectation->op == AST_BINARY_EQUAL || expectation->op == AST_BINARY_NOT_EQUAL;
  if (!is_equality && !is_ordered(type))
    diag_error(checker->sink, DIAG_EXPECTATION, expectation->span, "`%s` compares numbers, and this is %s",
               ast_binary_op_text(expectation->op), check_text(checker, type));
}

bool check_is_pair(const struct checker *checker, const struct ast_stmt *let) {
  const struct ast_test *test = checker->fn ? checker->fn->test : NULL;
  return let->let.expectation || (test && test->setup == checker->fn);
}

const char *check_pair_text(const struct checker *checker) {
  bool is_setup = checker->fn == checker->fn->test->setup;
  return is_setup ? "parameter and its value" : "two sides of this expectation";
}

void check_tests(struct checker *checker) {
  for (size_t f = 0; f < checker->program->files.count; f++) {
    const struct ast_decls *decls = &checker->program->files.items[f]->decls;
    struct map seen = {0};
    names_enter_file(&checker->names, f);
    for (size_t i = 0; i < decls->count; i++) {
      struct ast_test *test = decls->items[i]->kind == AST_DECL_FN ? decls->items[i]->fn->test : NULL;
      if (!test || decls->items[i]->fn != test->body)
        continue;
      const struct ast_test *before = map_get_text(&seen, test->name.text);
      if (before)
        diag_label(diag_error(checker->sink, DIAG_DUPLICATE_NAME, test->name.span,
                              "the test `%s` is there already", test->name.text),
                   before->name.span, "here");
      map_put_text(checker->arena, &seen, test->name.text, test);
      for (size_t k = 0; k < test->vocabs.count; k++)
        check_vocab(checker, &test->vocabs.items[k]);
      for (size_t k = 0; k < test->settings.count; k++)
        check_setting(checker, &test->settings.items[k]);
      for (size_t k = 0; k < test->expectations.count; k++)
        check_expectation(checker, &test->expectations.items[k]);
    }
  }
}

// Builders of tests. A test becomes one or two functions: what is expected is bound to names that no source can write,
// and these are the function's result.
#include <string.h>

#include "compiler/syntax/parser.h"

struct ast_test *build_settings(struct parser *p) {
  return arena_new(p->arena, struct ast_test);
}

// `other` may be NULL.
static struct ast_expr *build_pair(struct parser *p, struct span span, struct ast_expr *one,
                                   struct ast_expr *other) {
  struct ast_exprs items = {0};
  arena_push(p->arena, &items, one);
  if (other)
    arena_push(p->arena, &items, other);
  return build_list(p, span, items);
}

void build_param_setting(struct parser *p, struct ast_test *test, struct span span, struct ast_expr *target,
                         struct ast_expr *value) {
  struct span whole = span_join(span, value->span);
  struct ast_setting setting = {whole, build_pair(p, whole, target, value)};
  arena_push(p->arena, &test->settings, setting);
}

void build_vocab_setting(struct parser *p, struct ast_test *test, struct ast_name name,
                         struct ast_names entries) {
  (void)p;
  struct ast_test_vocab vocab = {name, entries};
  arena_push(p->arena, &test->vocabs, vocab);
}

// `let NAME = value`
static struct ast_stmt *bind(struct parser *p, struct ast_name name, struct ast_expr *value) {
  return build_let(p, name.span, build_name_pattern(p, name), NULL, value);
}

// Names with blanks are nobody else's, and with a `_` nobody need use them.
static struct ast_name hidden_name(struct parser *p, const char *what, size_t number, struct span span) {
  return build_name(arena_printf(p->arena, "_ %s %zu", what, number), span);
}

// A function whose result are these names.
static struct ast_fn *add_function(struct parser *p, struct span span, struct ast_test *test,
                                   struct ast_name name, struct ast_stmts stmts, struct ast_names results) {
  struct ast_block *block = build_block(p, span, stmts);
  if (block->value) {  // the last statement's, which is not used
    struct ast_stmt *last = build_expr_stmt(p, block->value);
    arena_push(p->arena, &block->stmts, last);
    block->value = NULL;
  }
  struct ast_exprs values = {0};
  for (size_t i = 0; i < results.count; i++) {
    struct ast_expr *value = build_name_expr(p, results.items[i]);
    arena_push(p->arena, &values, value);
  }
  if (values.count > 0)
    block->value = values.count == 1 ? values.items[0] : build_tuple(p, span, values);
  struct ast_decl *decl = build_fn(p, span, false, name, (struct ast_vars){0}, (struct ast_fn_params){0},
                                   NULL, block);
  decl->fn->test = test;
  arena_push(p->arena, &p->file->decls, decl);
  return decl->fn;
}

void build_test_setup(struct parser *p, struct ast_test *test) {
  struct ast_stmts stmts = {0};
  struct ast_names results = {0};
  p->pending_expectations = (struct ast_expectations){0};
  for (size_t i = 0; i < test->settings.count; i++) {
    struct ast_setting *setting = &test->settings.items[i];
    struct ast_name name = hidden_name(p, "setting", i, setting->span);
    struct ast_stmt *stmt = bind(p, name, setting->pair);
    arena_push(p->arena, &stmts, stmt);
    arena_push(p->arena, &results, name);
  }
  if (test->settings.count > 0) {
    struct span span = span_join(test->settings.items[0].span, test->settings.items[results.count - 1].span);
    test->setup = add_function(p, span, test, build_name("the settings", span), stmts, results);
  }
}

static bool is_comparison(enum ast_binary_op op) {
  switch (op) {
  case AST_BINARY_EQUAL:
  case AST_BINARY_NOT_EQUAL:
  case AST_BINARY_LESS:
  case AST_BINARY_LESS_EQUAL:
  case AST_BINARY_GREATER:
  case AST_BINARY_GREATER_EQUAL: return true;
  default: return false;
  }
}

static void check_tolerance(struct parser *p, const struct ast_expectation *expectation,
                            struct ast_name word) {
  const struct ast_expr *tolerance = expectation->tolerance;
  if (strcmp(word.text, "within") != 0) {
    diag_help(
        parser_error(p, DIAG_EXPECTATION, word.span, "an expectation ends with its value or with `within`"),
        "write `expect a == b within 1e-6`");
    return;
  }
  bool is_negative = tolerance->kind == AST_EXPR_UNARY && tolerance->unary.op == AST_UNARY_NEGATE;
  bool is_number = tolerance->kind == AST_EXPR_FLOAT || tolerance->kind == AST_EXPR_INT;
  if (!is_number)
    diag_help(parser_error(p, DIAG_EXPECTATION, tolerance->span, "the tolerance is %s",
                           is_negative ? "negative" : "no number"),
              "write a literal that is not negative, such as `1e-6`");
  else if (expectation->is_condition || expectation->op != AST_BINARY_EQUAL)
    diag_help(parser_error(p, DIAG_EXPECTATION, word.span, "only `==` has a tolerance"),
              "write `expect a == b within 1e-6`");
}

struct ast_stmt *build_expect(struct parser *p, struct span span, struct ast_expr *value,
                              struct ast_name word, struct ast_expr *tolerance) {
  bool compares = value->kind == AST_EXPR_BINARY && is_comparison(value->binary.op);
  struct ast_expectation *expectation = arena_new(p->arena, struct ast_expectation);
  *expectation = (struct ast_expectation){
      .span = span,
      .op = compares ? value->binary.op : AST_BINARY_EQUAL,
      .is_condition = !compares,
      .pair = compares ? build_pair(p, span, value->binary.left, value->binary.right)
                       : build_pair(p, span, value, NULL),
      .tolerance = tolerance,
  };
  if (word.text)
    check_tolerance(p, expectation, word);
  struct ast_name name = hidden_name(p, "expectation", p->pending_expectations.count, span);
  struct ast_stmt *stmt = bind(p, name, expectation->pair);
  stmt->span = span;
  stmt->let.expectation = expectation;
  arena_push(p->arena, &p->pending_expectations, *expectation);
  return stmt;
}

// `let all = [entry for entry in Word]`, and for each name `let cat = all[len(all) - k]`: whether an <unk> stands
// before them is the vocab's own affair.
static void bind_entries(struct parser *p, struct ast_stmts *stmts, const struct ast_test_vocab *vocab,
                         size_t number) {
  struct span span = vocab->name.span;
  struct ast_name all = hidden_name(p, "vocab", number, span), entry = hidden_name(p, "entry", number, span);
  struct ast_expr *list = build_comprehension(p, span, build_name_expr(p, entry),
                                              build_name_pattern(p, entry), build_name_expr(p, vocab->name),
                                              NULL);
  struct ast_stmt *stmt = bind(p, all, list);
  arena_push(p->arena, stmts, stmt);
  for (size_t i = 0; i < vocab->entries.count; i++) {
    struct ast_name name = vocab->entries.items[i];
    struct ast_args args = build_args_push(p, (struct ast_args){0},
                                           (struct ast_arg){.value = build_name_expr(p, all)});
    struct ast_expr *length = build_call(p, name.span, build_name_expr(p, build_name("len", name.span)),
                                         args);
    struct ast_expr *back = build_int(p, name.span, (int64_t)(vocab->entries.count - i));
    struct ast_exprs index = {0};
    struct ast_expr *at = build_binary(p, AST_BINARY_SUBTRACT, name.span, length, back);
    arena_push(p->arena, &index, at);
    stmt = bind(p, name, build_subscript(p, name.span, build_name_expr(p, all), index));
    // Not every test needs all of its words.
    build_set_pattern_kind(stmt->let.pattern, AST_LOCAL_FOR);
    arena_push(p->arena, stmts, stmt);
  }
}

void build_test(struct parser *p, struct span span, struct ast_name name, struct ast_test *test,
                struct ast_stmts stmts) {
  struct ast_stmts all = {0};
  struct ast_names results = {0};
  test->name = name;
  test->stmts = stmts;
  test->expectations = p->pending_expectations;
  p->pending_expectations = (struct ast_expectations){0};
  for (size_t i = 0; i < test->vocabs.count; i++)
    bind_entries(p, &all, &test->vocabs.items[i], i);
  for (size_t i = 0; i < stmts.count; i++)
    arena_push(p->arena, &all, stmts.items[i]);
  for (size_t i = 0; i < test->expectations.count; i++) {
    struct ast_name result = hidden_name(p, "expectation", i, test->expectations.items[i].span);
    arena_push(p->arena, &results, result);
  }
  test->body = add_function(
      p, span, test, build_name(arena_printf(p->arena, "test %s", name.text), name.span), all, results);
}

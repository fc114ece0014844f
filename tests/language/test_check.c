// The checker on programs without errors.
//
// In check/NAME.nn the types of local names stand at the end of their line, `//: a: f32[H]; b: int`, worked
// out by hand. What check.h promises to lowering is tested on every program of the repository that checks:
// nothing is left unresolved, unknown or in error.
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/check/builtins.h"
#include "compiler/check/check.h"
#include "compiler/nnc.h"
#include "compiler/syntax/parse.h"

// "path:line:column".
static const char *describe(const struct source_set *set, struct span span) {
  struct source_position position = source_position(set, span.file, span.lo);
  return arena_printf(set->arena, "%s:%u:%u", source_get(set, span.file)->path, position.line,
                      position.column);
}

struct program {
  struct arena arena;
  struct source_set sources;
  struct diag_sink sink;
  struct ast_program *ast;
};

static void open_program(struct program *program, const char *path) {
  static const char *const stdlib[] = {"stdlib"};
  const struct parse_options options = {.stdlib_dirs = stdlib, .stdlib_dir_count = 1};
  const char *error = NULL;
  arena_init(&program->arena);
  source_set_init(&program->sources, &program->arena);
  diag_sink_init(&program->sink, &program->arena, &program->sources);
  struct source_file *file = source_load(&program->sources, path, FILE_REGULAR_ONLY, &error);
  assert_non_null(file);
  program->ast = parse_program(&program->arena, &program->sink, &program->sources, file, &options);
  if (!program->ast || !check_program(&program->arena, &program->sink, program->ast)) {
    diag_render_all(&program->sink, stderr, false);
    fail_msg("%s has errors", path);
  }
}

static void close_program(struct program *program) { arena_free(&program->arena); }

// ---- Types of local names ------------------------------------------------------------------------------

// The types stated on this line for the name, in turn; the first one that has not been used. NULL: none.
static char *stated_type(struct program *program, struct span name_span, const char *name) {
  struct source_position at = source_position(&program->sources, name_span.file, name_span.lo);
  size_t length;
  const char *line = source_line(&program->sources, name_span.file, at.line, &length);
  char *text = arena_strndup(&program->arena, line, length);
  char *mark = strstr(text, "//:");
  if (!mark)
    return NULL;
  for (char *entry = strtok(mark + 3, ";"); entry; entry = strtok(NULL, ";")) {
    entry += strspn(entry, " ");
    size_t name_length = strlen(name);
    if (strncmp(entry, name, name_length) == 0 && entry[name_length] == ':') {
      entry += name_length + 1;
      entry += strspn(entry, " ");
      entry[strcspn(entry, "\r\n")] = '\0';
      while (*entry && entry[strlen(entry) - 1] == ' ')
        entry[strlen(entry) - 1] = '\0';
      return entry;
    }
  }
  return NULL;
}

static size_t compare_locals(struct program *program, const struct ast_fn *fn) {
  size_t compared = 0;
  for (size_t i = 0; i < fn->locals.count; i++) {
    const struct ast_local *local = fn->locals.items[i];
    const char *stated = stated_type(program, local->name.span, local->name.text);
    if (!stated)
      continue;
    assert_non_null(local->type);
    const char *found = type_text(&program->arena, local->type);
    if (strcmp(stated, found) != 0)
      fail_msg("%s: `%s` should be %s, is %s", describe(&program->sources, local->name.span),
               local->name.text, stated, found);
    compared++;
  }
  return compared;
}

static size_t count_stated(const struct source_file *source) {
  size_t count = 0;
  for (const char *at = source->text; (at = strstr(at, "//:")); at++) {
    count++;
    for (const char *c = at; *c && *c != '\n'; c++)
      count += *c == ';';
  }
  return count;
}

static void check_stated_types(const char *path) {
  struct program program;
  open_program(&program, path);
  const struct ast_file *file = program.ast->files.items[program.ast->files.count - 1];
  size_t compared = 0;
  for (size_t i = 0; i < file->decls.count; i++) {
    const struct ast_decl *decl = file->decls.items[i];
    if (decl->kind == AST_DECL_FN)
      compared += compare_locals(&program, decl->fn);
    for (size_t k = 0; decl->kind == AST_DECL_LAYER && k < decl->layer->fns.count; k++)
      compared += compare_locals(&program, decl->layer->fns.items[k]);
  }
  if (compared != count_stated(file->source))
    fail_msg("%s: %zu types are stated and %zu compared", path, count_stated(file->source), compared);
  close_program(&program);
}

static void each_path(const char *pattern, void visit(const char *path)) {
  glob_t found;
  assert_int_equal(glob(pattern, 0, NULL, &found), 0);
  for (size_t i = 0; i < found.gl_pathc; i++)
    visit(found.gl_pathv[i]);
  globfree(&found);
}

static void locals_have_the_stated_types(void **state) {
  (void)state;
  each_path("tests/language/check/*.nn", check_stated_types);
}

// ---- What lowering relies on ---------------------------------------------------------------------------

static const char *where;  // of the test, for messages; set before each assertion

static void assert_known(const struct type *type) {
  if (!type)
    fail_msg("%s: no type", where);
  switch (type->kind) {
  case TYPE_ERROR:
  case TYPE_VARIABLE: fail_msg("%s: an unknown type", where); break;
  case TYPE_LIST: assert_known(type->list.element); break;
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      assert_known(type->tuple.items[i]);
    break;
  case TYPE_FN:
    for (size_t i = 0; i < type->fn.count; i++)
      assert_known(type->fn.params[i]);
    assert_known(type->fn.result);
    break;
  default: break;
  }
}

static void walk_expr(struct program *program, const struct ast_expr *expr);
static void walk_block(struct program *program, const struct ast_block *block);

static void walk_pattern(const struct ast_pattern *pattern) {
  assert_known(pattern->type);
  if (pattern->kind == AST_PATTERN_NAME) {
    enum ast_ref_kind kind = pattern->name.ref.kind;
    assert_true(kind == AST_REF_LOCAL || kind == AST_REF_CONSTRUCTOR || kind == AST_REF_ENUM_MEMBER);
    if (kind == AST_REF_LOCAL)
      assert_known(pattern->name.local->type);
  } else if (pattern->kind == AST_PATTERN_CONSTRUCTOR) {
    assert_int_equal(pattern->constructor.ref.kind, AST_REF_CONSTRUCTOR);
    for (size_t i = 0; i < pattern->constructor.args.count; i++)
      walk_pattern(pattern->constructor.args.items[i]);
  } else if (pattern->kind == AST_PATTERN_TUPLE) {
    for (size_t i = 0; i < pattern->items.count; i++)
      walk_pattern(pattern->items.items[i]);
  }
}

// Arguments that are sizes, and the bounds of slices of tensors, are not values.
static bool has_size_args(const struct ast_call *call) {
  return call->kind == AST_CALL_BUILTIN && builtin_takes_sizes(call->target.builtin);
}

static void walk_function(struct program *program, const struct ast_expr *arg) {
  assert_known(arg->type);
  assert_int_equal(arg->type->kind, TYPE_FN);
  if (arg->function->handed)
    return;
  assert_int_equal(arg->function->params.count, arg->type->fn.count);
  for (size_t i = 0; i < arg->type->fn.count; i++)
    assert_known(arg->function->params.items[i]->type);
  walk_expr(program, arg->kind == AST_EXPR_FN ? arg->fn.body : arg->function->call);
}

static void walk_call(struct program *program, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  assert_true(call->kind != AST_CALL_NONE && call->kind != AST_CALL_LAYER);
  assert_int_equal(call->arg_count + (call->axis ? 1 : 0), expr->call.args.count);  // `dim: k`
  if (call->kind == AST_CALL_METHOD && call->receiver) {
    walk_expr(program, call->receiver);
    assert_int_equal(call->receiver->type->kind, TYPE_LAYER);
  }
  for (size_t i = 0; i < call->arg_count; i++) {
    if (call->args[i]->function)
      walk_function(program, call->args[i]);
    else if (i == 0 || !has_size_args(call))
      walk_expr(program, call->args[i]);
  }
  size_t size_vars = 0, type_vars = 0;
  if (call->kind == AST_CALL_FN || call->kind == AST_CALL_METHOD) {
    size_vars = call->target.fn->size_vars.count;
    type_vars = call->target.fn->type_vars.count;
  }
  if (call->kind == AST_CALL_CONSTRUCTOR)
    size_vars = call->target.constructor->parent->size_vars.count;
  else if (has_size_args(call) && call->target.builtin->kind == BUILTIN_OP && call->binding_count > 0)
    size_vars = 2;  // a slice; one that begins at an int has none
  assert_int_equal(call->binding_count, size_vars + type_vars);
  for (size_t i = 0; i < size_vars; i++)
    assert_non_null(call->bindings[i].size);
  for (size_t i = 0; i < type_vars; i++)
    assert_known(call->bindings[size_vars + i].type);
}

static void walk_name(const struct ast_expr *expr) {
  switch (expr->name.ref.kind) {
  case AST_REF_LOCAL:
  case AST_REF_DIM:
  case AST_REF_SIZE_VAR:
  case AST_REF_LAYER_PARAM:
  case AST_REF_ENUM_MEMBER:
  case AST_REF_CONSTRUCTOR:
  case AST_REF_PARAM:
  case AST_REF_INSTANCE: break;
  case AST_REF_VOCAB:
  case AST_REF_ENUM:  // the sequence of a loop
    assert_int_equal(expr->type->kind, TYPE_LIST);
    assert_int_equal(expr->type->list.element->kind, TYPE_INDEX);
    break;
  default: fail_msg("%s: a name that is no value", where);
  }
}

static void walk_slice(struct program *program, const struct ast_expr *expr) {
  walk_expr(program, expr->slice.base);
  if (expr->slice.base->type->kind == TYPE_TENSOR) {
    assert_non_null(expr->slice.sizes.length);
  } else {
    walk_expr(program, expr->slice.low);
    walk_expr(program, expr->slice.high);
  }
}

static void walk_field(struct program *program, const struct ast_expr *expr) {
  walk_expr(program, expr->field.base);
  if (expr->field.kind == AST_FIELD_DATA)
    assert_non_null(expr->field.data_fields);
  else
    assert_true(expr->field.kind == AST_FIELD_MEMBER && expr->field.ref.kind != AST_REF_NONE);
}

static void walk_binary(struct program *program, const struct ast_expr *expr) {
  const struct ast_expr *left = expr->binary.left, *right = expr->binary.right;
  walk_expr(program, left);
  walk_expr(program, right);
  enum type_kind a = left->conversion ? TYPE_TENSOR : left->type->kind;
  enum type_kind b = right->conversion ? TYPE_TENSOR : right->type->kind;
  if (a != b)
    fail_msg("%s: operands of different kinds", where);
}

static void walk_expr(struct program *program, const struct ast_expr *expr) {
  where = describe(&program->sources, expr->span);
  assert_known(expr->type);
  if (expr->conversion == AST_CONVERT_TO_SCALAR)
    assert_true(type_is_host_number(expr->type));
  switch (expr->kind) {
  case AST_EXPR_NAME: walk_name(expr); break;
  case AST_EXPR_UNARY: walk_expr(program, expr->unary.operand); break;
  case AST_EXPR_BINARY: walk_binary(program, expr); break;
  case AST_EXPR_RANGE:
    walk_expr(program, expr->range.low);
    walk_expr(program, expr->range.high);
    break;
  case AST_EXPR_CALL: walk_call(program, expr); break;
  case AST_EXPR_INDEX:
    walk_expr(program, expr->index.base);
    walk_expr(program, expr->index.index);
    break;
  case AST_EXPR_SLICE: walk_slice(program, expr); break;
  case AST_EXPR_PART:
    walk_expr(program, expr->part.base);
    for (size_t i = 0; i < expr->part.items.count; i++)
      if (expr->part.items.items[i]->kind != AST_EXPR_RANGE)
        walk_expr(program, expr->part.items.items[i]);
    break;
  case AST_EXPR_FIELD: walk_field(program, expr); break;
  case AST_EXPR_PROJECT:
    walk_expr(program, expr->project.base);
    assert_true(expr->project.index < expr->project.base->type->tuple.count);
    break;
  case AST_EXPR_TUPLE:
  case AST_EXPR_LIST:
    for (size_t i = 0; i < expr->items.count; i++)
      walk_expr(program, expr->items.items[i]);
    break;
  case AST_EXPR_COMPREHENSION:
    walk_expr(program, expr->comprehension.sequence);
    walk_pattern(expr->comprehension.pattern);
    walk_expr(program, expr->comprehension.element);
    if (expr->comprehension.condition)
      walk_expr(program, expr->comprehension.condition);
    break;
  case AST_EXPR_IF:
    walk_expr(program, expr->conditional.condition);
    walk_block(program, expr->conditional.then_block);
    if (expr->conditional.else_branch)
      walk_expr(program, expr->conditional.else_branch);
    break;
  case AST_EXPR_MATCH:
    walk_expr(program, expr->match.scrutinee);
    for (size_t i = 0; i < expr->match.arms.count; i++) {
      walk_pattern(expr->match.arms.items[i].pattern);
      walk_expr(program, expr->match.arms.items[i].body);
    }
    break;
  case AST_EXPR_BLOCK: walk_block(program, expr->block); break;
  default: break;
  }
}

static void walk_stmt(struct program *program, const struct ast_stmt *stmt) {
  where = describe(&program->sources, stmt->span);
  switch (stmt->kind) {
  case AST_STMT_LET:
    walk_expr(program, stmt->let.value);
    walk_pattern(stmt->let.pattern);
    break;
  case AST_STMT_VAR:
    walk_expr(program, stmt->var.value);
    assert_known(stmt->var.local->type);
    break;
  case AST_STMT_ASSIGN:
    walk_expr(program, stmt->assign.target);
    walk_expr(program, stmt->assign.value);
    break;
  case AST_STMT_FOR:
    walk_expr(program, stmt->for_loop.sequence);
    walk_pattern(stmt->for_loop.pattern);
    walk_block(program, stmt->for_loop.body);
    break;
  case AST_STMT_WHILE:
    walk_expr(program, stmt->while_loop.condition);
    walk_block(program, stmt->while_loop.body);
    break;
  case AST_STMT_RETURN:
    if (stmt->value)
      walk_expr(program, stmt->value);
    break;
  case AST_STMT_EXPR: walk_expr(program, stmt->expression); break;
  default: break;
  }
}

static void walk_block(struct program *program, const struct ast_block *block) {
  for (size_t i = 0; i < block->stmts.count; i++)
    walk_stmt(program, block->stmts.items[i]);
  if (block->value)
    walk_expr(program, block->value);
}

static void walk_fn(struct program *program, const struct ast_fn *fn) {
  where = describe(&program->sources, fn->name.span);
  assert_known(fn->result_type);
  for (size_t i = 0; i < fn->params.count; i++)
    assert_known(fn->params.items[i].local->type);
  walk_block(program, fn->body);
}

static void walk_instance(struct program *program, const struct ast_instance *instance) {
  where = describe(&program->sources, instance->name.span);
  assert_known(instance->type);
  assert_true(type_has_layer(instance->type));
  const struct ast_expr *value = instance->value;
  const struct type *type = instance->type;
  while (type->kind == TYPE_LIST) {
    assert_non_null(type->list.length);
    value = value->kind == AST_EXPR_LIST ? value->items.items[0] : value->comprehension.element;
    type = type->list.element;
  }
  assert_int_equal(value->call.resolved.kind, AST_CALL_LAYER);
  const struct ast_layer *layer = value->call.resolved.target.layer;
  assert_ptr_equal(layer, type->layer.decl);
  assert_int_equal(value->call.resolved.binding_count, layer->layer_params.count);
  for (size_t i = 0; i < layer->layer_params.count; i++) {
    const struct size_binding *binding = &value->call.resolved.bindings[i];
    assert_true((binding->size != NULL) == (layer->layer_params.items[i]->size != NULL));
    assert_true((binding->index != NULL) == (layer->layer_params.items[i]->kind == AST_LAYER_PARAM_INDEX));
    assert_true((binding->size == NULL) == (binding->value != NULL));
  }
}

static void walk_decl(struct program *program, const struct ast_decl *decl) {
  switch (decl->kind) {
  case AST_DECL_DIM: assert_non_null(decl->dim->size); break;
  case AST_DECL_VOCAB: assert_known(decl->vocab->type); break;
  case AST_DECL_ENUM: assert_known(decl->enumeration->type); break;
  case AST_DECL_DATA: assert_known(decl->data->type); break;
  case AST_DECL_PARAM: assert_int_equal(decl->param->type->type->kind, TYPE_TENSOR); break;
  case AST_DECL_INSTANCE: walk_instance(program, decl->instance); break;
  case AST_DECL_FN: walk_fn(program, decl->fn); break;
  case AST_DECL_LAYER:
    for (size_t i = 0; i < decl->layer->members.count; i++)
      walk_decl(program, decl->layer->members.items[i]);
    break;
  }
}

static void walk_program(const char *path) {
  struct program program;
  open_program(&program, path);
  for (size_t i = 0; i < program.ast->files.count; i++)
    for (size_t k = 0; k < program.ast->files.items[i]->decls.count; k++)
      walk_decl(&program, program.ast->files.items[i]->decls.items[k]);
  close_program(&program);
}

static void trees_are_complete(void **state) {
  (void)state;
  each_path("stdlib/*.nn", walk_program);
  each_path("examples/*/*.nn", walk_program);
  each_path("tests/language/check/*.nn", walk_program);
  each_path("tests/language/lowering/*.nn", walk_program);
  each_path("tests/language/programs/*.nn", walk_program);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(locals_have_the_stated_types),
      cmocka_unit_test(trees_are_complete),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

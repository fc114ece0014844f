// Makes the nodes of the syntax tree.
#include "compiler/syntax/ast.h"

#include <assert.h>
#include <string.h>

struct ast_name ast_decl_name(const struct ast_decl *decl) {
  switch (decl->kind) {
  case AST_DECL_DIM: return decl->dim->name;
  case AST_DECL_VOCAB: return decl->vocab->name;
  case AST_DECL_ENUM: return decl->enumeration->name;
  case AST_DECL_DATA: return decl->data->name;
  case AST_DECL_PARAM: return decl->param->name;
  case AST_DECL_INSTANCE: return decl->instance->name;
  case AST_DECL_LAYER: return decl->layer->name;
  case AST_DECL_FN: return decl->fn->name;
  }
  assert(!"a declaration of unknown kind");
  return (struct ast_name){0};
}

const char *ast_ref_kind_name(enum ast_ref_kind kind) {
  switch (kind) {
  case AST_REF_NONE: return "unknown name";
  case AST_REF_LOCAL: return "local variable";
  case AST_REF_DIM: return "dim";
  case AST_REF_SIZE_VAR: return "size variable";
  case AST_REF_TYPE_VAR: return "type variable";
  case AST_REF_LAYER_PARAM: return "layer parameter";
  case AST_REF_VOCAB: return "vocab";
  case AST_REF_ENUM: return "enum";
  case AST_REF_ENUM_MEMBER: return "enum member";
  case AST_REF_DATA: return "data type";
  case AST_REF_CONSTRUCTOR: return "constructor";
  case AST_REF_PARAM: return "parameter";
  case AST_REF_INSTANCE: return "layer instance";
  case AST_REF_LAYER: return "layer";
  case AST_REF_FN: return "function";
  case AST_REF_BUILTIN: return "built-in function";
  }
  assert(!"a reference of unknown kind");
  return "";
}

const char *const ast_fill_names[AST_FILL_COUNT] = {
#define FILL(ENUM, name) [AST_FILL_##ENUM] = name,
#include "compiler/syntax/fills.def"
#undef FILL
};

enum ast_fill ast_fill_find(const char *name) {
  int kind = 0;
  while (kind < AST_FILL_COUNT && strcmp(ast_fill_names[kind], name) != 0)
    kind++;
  return (enum ast_fill)kind;
}

const char *ast_binary_op_text(enum ast_binary_op op) {
  static const char *const texts[] = {
      [AST_BINARY_OR] = "||",        [AST_BINARY_AND] = "&&",           [AST_BINARY_EQUAL] = "==",
      [AST_BINARY_NOT_EQUAL] = "!=", [AST_BINARY_LESS] = "<",           [AST_BINARY_LESS_EQUAL] = "<=",
      [AST_BINARY_GREATER] = ">",    [AST_BINARY_GREATER_EQUAL] = ">=", [AST_BINARY_ADD] = "+",
      [AST_BINARY_SUBTRACT] = "-",   [AST_BINARY_MULTIPLY] = "*",       [AST_BINARY_DIVIDE] = "/",
      [AST_BINARY_REMAINDER] = "%",  [AST_BINARY_MATMUL] = "@",
  };
  return texts[op];
}

const char *ast_unary_op_text(enum ast_unary_op op) { return op == AST_UNARY_NEGATE ? "-" : "!"; }

static bool size_kind_of(enum ast_binary_op op, enum ast_size_kind *kind) {
  switch (op) {
  case AST_BINARY_ADD: *kind = AST_SIZE_ADD; return true;
  case AST_BINARY_SUBTRACT: *kind = AST_SIZE_SUBTRACT; return true;
  case AST_BINARY_MULTIPLY: *kind = AST_SIZE_MULTIPLY; return true;
  case AST_BINARY_DIVIDE: *kind = AST_SIZE_DIVIDE; return true;
  case AST_BINARY_REMAINDER: *kind = AST_SIZE_REMAINDER; return true;
  default: return false;
  }
}

// a + b * c - ...: from the first operator on, each the left side of the next.
static bool convert_chain(struct arena *arena, const struct ast_expr *expr, const struct ast_expr **culprit,
                          struct ast_size *size) {
  const struct ast_expr *op = expr;
  for (;; op = op->binary.left) {
    if (!size_kind_of(op->binary.op, &size->kind)) {
      if (culprit)
        *culprit = op;
      return false;
    }
    if (op->binary.left->kind != AST_EXPR_BINARY)
      break;
  }
  struct ast_size *left = ast_size_from_expr(arena, op->binary.left, culprit);
  for (;; op = op->outer) {
    struct ast_size *made = op == expr ? size : arena_new(arena, struct ast_size);
    made->span = op->span;
    size_kind_of(op->binary.op, &made->kind);
    made->op.left = left;
    made->op.right = left ? ast_size_from_expr(arena, op->binary.right, culprit) : NULL;
    if (!made->op.right)
      return false;
    left->outer = made;
    if (op == expr)
      return true;
    left = made;
  }
}

const char *ast_dotted_text(struct arena *arena, const struct ast_expr *expr) {
  if (expr->kind == AST_EXPR_NAME)
    return expr->name.name.text;
  const char *base = expr->kind == AST_EXPR_FIELD ? ast_dotted_text(arena, expr->field.base) : NULL;
  return base ? arena_printf(arena, "%s.%s", base, expr->field.name.text) : NULL;
}

static bool convert_size(struct arena *arena, const struct ast_expr *expr, const struct ast_expr **culprit,
                         struct ast_size *size) {
  switch (expr->kind) {
  case AST_EXPR_INT:
    size->kind = AST_SIZE_INT;
    size->integer = expr->integer;
    return true;
  case AST_EXPR_NAME:
    size->kind = AST_SIZE_NAME;
    size->name.name = expr->name.name;
    size->name.ref = expr->name.ref;
    return true;
  case AST_EXPR_FIELD:
    size->kind = AST_SIZE_NAME;
    size->name.name = (struct ast_name){ast_dotted_text(arena, expr), expr->span};
    if (size->name.name.text)
      return true;
    break;
  case AST_EXPR_UNARY:
    if (expr->unary.op != AST_UNARY_NEGATE)
      break;
    size->kind = AST_SIZE_NEGATE;
    size->op.left = ast_size_from_expr(arena, expr->unary.operand, culprit);
    if (size->op.left)
      size->op.left->outer = size;
    return size->op.left != NULL;
  case AST_EXPR_BINARY: return convert_chain(arena, expr, culprit, size);
  default: break;
  }
  if (culprit)
    *culprit = expr;
  return false;
}

struct ast_size *ast_size_from_expr(struct arena *arena, const struct ast_expr *expr,
                                    const struct ast_expr **culprit) {
  struct ast_size *size = arena_new(arena, struct ast_size);
  size->span = expr->span;
  return convert_size(arena, expr, culprit, size) ? size : NULL;
}

struct ast_expr *ast_first_of_chain(struct ast_expr *expr) {
  assert(expr->kind == AST_EXPR_BINARY);
  while (expr->binary.left->kind == AST_EXPR_BINARY)
    expr = expr->binary.left;
  return expr;
}

const struct ast_ref *ast_expr_ref(const struct ast_expr *expr) {
  return expr->kind == AST_EXPR_NAME && expr->name.ref.kind != AST_REF_NONE ? &expr->name.ref : NULL;
}

const char *ast_type_bound_text(enum ast_type_bound bound) {
  static const char *const texts[] = {"type", "equal", "ordered", "number"};
  return texts[bound];
}

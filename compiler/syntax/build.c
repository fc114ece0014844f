// Builders of expressions, patterns, types and statements: what the grammar's actions call. A builder makes one node,
// checks what the grammar does not express (what can be assigned to, what is a size) and keeps track of depth.
#include <string.h>

#include "compiler/syntax/parser.h"

struct ast_name build_name(const char *text, struct span span) {
  return (struct ast_name){text, span};
}

// ---- Expressions --------------------------------------------------------------------------------------------

static unsigned deeper(unsigned depth, unsigned child) { return child > depth ? child : depth; }

static unsigned depth_of(const struct ast_expr *expr) { return expr ? expr->depth : 0; }

static unsigned depth_of_all(const struct ast_exprs *exprs) {
  unsigned depth = 0;
  for (size_t i = 0; i < exprs->count; i++)
    depth = deeper(depth, exprs->items[i]->depth);
  return depth;
}

// `child_depth` is that of the deepest child.
static struct ast_expr *new_expr(struct parser *p, enum ast_expr_kind kind, struct span span,
                                 unsigned child_depth) {
  struct ast_expr *expr = arena_new(p->arena, struct ast_expr);
  expr->kind = kind;
  expr->span = span;
  expr->depth = child_depth + 1;
  if (expr->depth > PARSE_DEPTH_LIMIT)
    parser_refuse_depth(p, span);
  return expr;
}

struct ast_expr *build_int(struct parser *p, struct span span, int64_t value) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_INT, span, 0);
  expr->integer = value;
  return expr;
}

struct ast_expr *build_float(struct parser *p, struct span span, double value) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_FLOAT, span, 0);
  expr->floating = value;
  return expr;
}

struct ast_expr *build_text(struct parser *p, struct span span, const char *text) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_TEXT, span, 0);
  expr->text = text;
  return expr;
}

struct ast_expr *build_bool(struct parser *p, struct span span, bool value) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_BOOL, span, 0);
  expr->boolean = value;
  return expr;
}

struct ast_expr *build_name_expr(struct parser *p, struct ast_name name) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_NAME, name.span, 0);
  expr->name.name = name;
  return expr;
}

struct ast_expr *build_unary(struct parser *p, struct span span, enum ast_unary_op op,
                             struct ast_expr *operand) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_UNARY, span, operand->depth);
  expr->unary.op = op;
  expr->unary.operand = operand;
  return expr;
}

struct ast_expr *build_binary(struct parser *p, enum ast_binary_op op, struct span op_span,
                              struct ast_expr *left, struct ast_expr *right) {
  // A chain of operators is as deep as its deepest operand.
  unsigned left_depth = left->kind == AST_EXPR_BINARY ? left->depth - 1 : left->depth;
  struct ast_expr *expr = new_expr(p, AST_EXPR_BINARY, span_join(left->span, right->span),
                                   deeper(left_depth, right->depth));
  left->outer = expr;
  expr->binary.op = op;
  expr->binary.op_span = op_span;
  expr->binary.left = left;
  expr->binary.right = right;
  return expr;
}

struct ast_expr *build_parenthesised(struct span span, struct ast_expr *expr) {
  expr->span = span;
  return expr;
}

struct ast_expr *build_range(struct parser *p, struct ast_expr *low, struct ast_expr *high) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_RANGE, span_join(low->span, high->span),
                                   deeper(low->depth, high->depth));
  expr->range.low = low;
  expr->range.high = high;
  return expr;
}

struct ast_args build_args_push(struct parser *p, struct ast_args args, struct ast_arg arg) {
  if (!arg.name.text && args.count && args.items[args.count - 1].name.text) {
    struct diag *diag = parser_error(p, DIAG_POSITIONAL_AFTER_NAMED, arg.value->span,
                                     "a positional argument follows a named one");
    diag_label(diag, args.items[args.count - 1].name.span, "named argument");
  }
  arena_push(p->arena, &args, arg);
  return args;
}

struct ast_expr *build_call(struct parser *p, struct span span, struct ast_expr *callee,
                            struct ast_args args) {
  unsigned depth = callee->depth;
  for (size_t i = 0; i < args.count; i++)
    depth = deeper(depth, args.items[i].value->depth);
  struct ast_expr *expr = new_expr(p, AST_EXPR_CALL, span, depth);
  expr->call.callee = callee;
  expr->call.args = args;
  return expr;
}

static struct ast_expr *build_fill(struct parser *p, struct span span, enum ast_fill kind,
                                   struct ast_exprs items) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_FILL, span, depth_of_all(&items));
  expr->fill.kind = kind;
  for (size_t i = 0; i < items.count; i++)
    arena_push(p->arena, &expr->fill.sizes, build_size(p, items.items[i]));
  return expr;
}

struct ast_expr *build_whole(struct parser *p, struct span span) {
  return new_expr(p, AST_EXPR_RANGE, span, 0);
}

struct ast_expr *build_subscript(struct parser *p, struct span span, struct ast_expr *base,
                                 struct ast_exprs items) {
  enum ast_fill fill = base->kind == AST_EXPR_NAME ? ast_fill_find(base->name.name.text) : AST_FILL_COUNT;
  if (fill != AST_FILL_COUNT)
    return build_fill(p, span, fill, items);
  struct ast_expr *item = items.items[0];
  if (items.count > 1 || (item->kind == AST_EXPR_RANGE && !item->range.low)) {
    struct ast_expr *part = new_expr(p, AST_EXPR_PART, span, deeper(base->depth, depth_of_all(&items)));
    part->part.base = base;
    part->part.items = items;
    return part;
  }
  unsigned depth = deeper(base->depth, item->depth);
  struct ast_expr *expr;
  if (item->kind == AST_EXPR_RANGE) {
    expr = new_expr(p, AST_EXPR_SLICE, span, depth);
    expr->slice.base = base;
    expr->slice.low = item->range.low;
    expr->slice.high = item->range.high;
  } else {
    expr = new_expr(p, AST_EXPR_INDEX, span, depth);
    expr->index.base = base;
    expr->index.index = item;
  }
  return expr;
}

struct ast_expr *build_field(struct parser *p, struct span span, struct ast_expr *base,
                             struct ast_name name) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_FIELD, span, base->depth);
  expr->field.base = base;
  expr->field.name = name;
  return expr;
}

struct ast_expr *build_project(struct parser *p, struct span span, struct ast_expr *base, int64_t index,
                               struct span index_span) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_PROJECT, span, base->depth);
  expr->project.base = base;
  if (index > INT32_MAX) {
    parser_error(p, DIAG_NUMBER_OUT_OF_RANGE, index_span, "no tuple has so many parts");
    index = 0;
  }
  expr->project.index = (unsigned)index;
  expr->project.index_span = index_span;
  return expr;
}

struct ast_expr *build_tuple(struct parser *p, struct span span, struct ast_exprs items) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_TUPLE, span, depth_of_all(&items));
  expr->items = items;
  return expr;
}

struct ast_expr *build_list(struct parser *p, struct span span, struct ast_exprs items) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_LIST, span, depth_of_all(&items));
  expr->items = items;
  return expr;
}

struct ast_expr *build_comprehension(struct parser *p, struct span span, struct ast_expr *element,
                                     struct ast_pattern *pattern, struct ast_expr *sequence,
                                     struct ast_expr *condition) {
  unsigned depth = deeper(deeper(element->depth, sequence->depth), depth_of(condition));
  struct ast_expr *expr = new_expr(p, AST_EXPR_COMPREHENSION, span, depth);
  build_set_pattern_kind(pattern, AST_LOCAL_FOR);
  expr->comprehension.element = element;
  expr->comprehension.pattern = pattern;
  expr->comprehension.sequence = sequence;
  expr->comprehension.condition = condition;
  return expr;
}

struct ast_expr *build_if(struct parser *p, struct span span, struct ast_expr *condition,
                          struct ast_block *then_block, struct ast_expr *else_branch) {
  unsigned depth = deeper(deeper(condition->depth, then_block->depth), depth_of(else_branch));
  struct ast_expr *expr = new_expr(p, AST_EXPR_IF, span, depth);
  expr->conditional.condition = condition;
  expr->conditional.then_block = then_block;
  expr->conditional.else_branch = else_branch;
  return expr;
}

struct ast_match_arm build_arm(struct parser *p, struct span span, struct ast_pattern *pattern,
                               struct ast_expr *body) {
  (void)p;
  return (struct ast_match_arm){pattern, body, span};
}

struct ast_expr *build_match(struct parser *p, struct span span, struct ast_expr *scrutinee,
                             struct ast_match_arms arms) {
  unsigned depth = scrutinee->depth;
  for (size_t i = 0; i < arms.count; i++)
    depth = deeper(depth, arms.items[i].body->depth);
  struct ast_expr *expr = new_expr(p, AST_EXPR_MATCH, span, depth);
  expr->match.scrutinee = scrutinee;
  expr->match.arms = arms;
  return expr;
}

struct ast_expr *build_block_expr(struct parser *p, struct ast_block *block) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_BLOCK, block->span, block->depth);
  expr->block = block;
  return expr;
}

struct ast_expr *build_fn_expr(struct parser *p, struct span span, struct ast_fn_params params,
                               struct ast_block *body) {
  struct ast_expr *expr = new_expr(p, AST_EXPR_FN, span, body->depth + 1);
  expr->fn.params = params;
  expr->fn.body = build_block_expr(p, body);
  return expr;
}

// ---- Patterns -----------------------------------------------------------------------------------------------

static struct ast_local *new_local(struct parser *p, enum ast_local_kind kind, struct ast_name name) {
  struct ast_local *local = arena_new(p->arena, struct ast_local);
  local->kind = kind;
  local->name = name;
  arena_push(p->arena, &p->pending_locals, local);
  return local;
}

static struct ast_pattern *new_pattern(struct parser *p, enum ast_pattern_kind kind, struct span span) {
  struct ast_pattern *pattern = arena_new(p->arena, struct ast_pattern);
  pattern->kind = kind;
  pattern->span = span;
  return pattern;
}

struct ast_pattern *build_wildcard_pattern(struct parser *p, struct span span) {
  return new_pattern(p, AST_PATTERN_WILDCARD, span);
}

struct ast_pattern *build_name_pattern(struct parser *p, struct ast_name name) {
  struct ast_pattern *pattern = new_pattern(p, AST_PATTERN_NAME, name.span);
  pattern->name.name = name;
  pattern->name.local = new_local(p, AST_LOCAL_MATCH, name);
  return pattern;
}

struct ast_pattern *build_constructor_pattern(struct parser *p, struct span span, struct ast_name name,
                                              struct ast_patterns args) {
  struct ast_pattern *pattern = new_pattern(p, AST_PATTERN_CONSTRUCTOR, span);
  pattern->constructor.name = name;
  pattern->constructor.args = args;
  return pattern;
}

struct ast_pattern *build_int_pattern(struct parser *p, struct span span, int64_t value) {
  struct ast_pattern *pattern = new_pattern(p, AST_PATTERN_INT, span);
  pattern->integer = value;
  return pattern;
}

struct ast_pattern *build_bool_pattern(struct parser *p, struct span span, bool value) {
  struct ast_pattern *pattern = new_pattern(p, AST_PATTERN_BOOL, span);
  pattern->boolean = value;
  return pattern;
}

struct ast_pattern *build_tuple_pattern(struct parser *p, struct span span, struct ast_patterns items) {
  struct ast_pattern *pattern = new_pattern(p, AST_PATTERN_TUPLE, span);
  pattern->items = items;
  return pattern;
}

void build_set_pattern_kind(struct ast_pattern *pattern, enum ast_local_kind kind) {
  switch (pattern->kind) {
  case AST_PATTERN_NAME: pattern->name.local->kind = kind; break;
  case AST_PATTERN_CONSTRUCTOR:
    for (size_t i = 0; i < pattern->constructor.args.count; i++)
      build_set_pattern_kind(pattern->constructor.args.items[i], kind);
    break;
  case AST_PATTERN_TUPLE:
    for (size_t i = 0; i < pattern->items.count; i++)
      build_set_pattern_kind(pattern->items.items[i], kind);
    break;
  case AST_PATTERN_WILDCARD:
  case AST_PATTERN_INT:
  case AST_PATTERN_BOOL: break;
  }
}

// ---- Types and sizes ----------------------------------------------------------------------------------------

struct ast_size *build_size(struct parser *p, const struct ast_expr *expr) {
  const struct ast_expr *culprit;
  struct ast_size *size = ast_size_from_expr(p->arena, expr, &culprit);
  if (size)
    return size;
  diag_note(parser_error(p, DIAG_INVALID_SIZE, culprit->span, "this cannot be part of a size"),
            "sizes are made of integers, names, `+`, `-` and `*`");
  size = arena_new(p->arena, struct ast_size);
  size->kind = AST_SIZE_INT;
  size->span = expr->span;
  size->integer = 1;
  return size;
}

static struct ast_type *new_type(struct parser *p, enum ast_type_kind kind, struct span span) {
  struct ast_type *type = arena_new(p->arena, struct ast_type);
  type->kind = kind;
  type->span = span;
  return type;
}

struct ast_type *build_named_type(struct parser *p, struct span span, struct ast_name name,
                                  struct ast_exprs sizes) {
  struct ast_type *type = new_type(p, AST_TYPE_NAMED, span);
  type->named.name = name;
  for (size_t i = 0; i < sizes.count; i++)
    arena_push(p->arena, &type->named.sizes, build_size(p, sizes.items[i]));
  return type;
}

struct ast_type *build_batch_type(struct parser *p, struct ast_type *type, struct ast_expr *size) {
  type->named.has_batch = true;
  type->named.batch = size ? build_size(p, size) : NULL;
  return type;
}

struct ast_type *build_list_type(struct parser *p, struct span span, struct ast_type *element) {
  struct ast_type *type = new_type(p, AST_TYPE_LIST, span);
  type->element = element;
  return type;
}

struct ast_type *build_tuple_type(struct parser *p, struct span span, struct ast_types items) {
  struct ast_type *type = new_type(p, AST_TYPE_TUPLE, span);
  type->items = items;
  return type;
}

struct ast_type *build_fn_type(struct parser *p, struct span span, struct ast_types params,
                               struct ast_type *result) {
  struct ast_type *type = new_type(p, AST_TYPE_FN, span);
  type->fn.params = params;
  type->fn.result = result;
  return type;
}

// ---- Statements ---------------------------------------------------------------------------------------------

static struct ast_stmt *new_stmt(struct parser *p, enum ast_stmt_kind kind, struct span span,
                                 unsigned depth) {
  struct ast_stmt *stmt = arena_new(p->arena, struct ast_stmt);
  stmt->kind = kind;
  stmt->span = span;
  stmt->depth = depth;
  return stmt;
}

struct ast_stmt *build_let(struct parser *p, struct span span, struct ast_pattern *pattern,
                           struct ast_type *annotation, struct ast_expr *value) {
  struct ast_stmt *stmt = new_stmt(p, AST_STMT_LET, span, value->depth);
  build_set_pattern_kind(pattern, AST_LOCAL_LET);
  if (annotation && pattern->kind != AST_PATTERN_NAME) {
    diag_help(parser_error(p, DIAG_SYNTAX, annotation->span, "only a single name can have a type here"),
              "bind the whole value to a name first, and take it apart afterwards");
  }
  stmt->let.pattern = pattern;
  stmt->let.annotation = annotation;
  stmt->let.value = value;
  return stmt;
}

struct ast_stmt *build_var(struct parser *p, struct span span, struct ast_name name,
                           struct ast_type *annotation, struct ast_expr *value) {
  struct ast_stmt *stmt = new_stmt(p, AST_STMT_VAR, span, value->depth);
  stmt->var.local = new_local(p, AST_LOCAL_VAR, name);
  stmt->var.annotation = annotation;
  stmt->var.value = value;
  return stmt;
}

struct ast_stmt *build_assign(struct parser *p, struct span span, struct ast_expr *target,
                              struct ast_expr *value) {
  const struct ast_expr *base = target;
  while (base->kind == AST_EXPR_INDEX)
    base = base->index.base;
  if (base->kind == AST_EXPR_PART) {
    struct diag *diag = parser_error(p, DIAG_SEVERAL_INDICES, base->span, "one index at a time");
    diag_help(diag, "write `a[i][j]`");
  } else if (base->kind != AST_EXPR_NAME) {
    struct diag *diag = parser_error(p, DIAG_INVALID_ASSIGNMENT, target->span, "this cannot be assigned to");
    if (target->kind == AST_EXPR_FIELD)
      diag_help(diag, "records do not change; build a new one");
    else
      diag_note(diag, "the left side of `=` is a variable, or an element of a list variable");
  }
  struct ast_stmt *stmt = new_stmt(p, AST_STMT_ASSIGN, span, deeper(target->depth, value->depth));
  stmt->assign.target = target;
  stmt->assign.value = value;
  return stmt;
}

struct ast_stmt *build_for(struct parser *p, struct span span, struct ast_pattern *pattern,
                           struct ast_expr *sequence, struct ast_block *body) {
  struct ast_stmt *stmt = new_stmt(p, AST_STMT_FOR, span, deeper(sequence->depth, body->depth));
  build_set_pattern_kind(pattern, AST_LOCAL_FOR);
  stmt->for_loop.pattern = pattern;
  stmt->for_loop.sequence = sequence;
  stmt->for_loop.body = body;
  return stmt;
}

struct ast_stmt *build_while(struct parser *p, struct span span, struct ast_expr *condition,
                             struct ast_block *body) {
  struct ast_stmt *stmt = new_stmt(p, AST_STMT_WHILE, span, deeper(condition->depth, body->depth));
  stmt->while_loop.condition = condition;
  stmt->while_loop.body = body;
  return stmt;
}

struct ast_stmt *build_return(struct parser *p, struct span span, struct ast_expr *value) {
  struct ast_stmt *stmt = new_stmt(p, AST_STMT_RETURN, span, depth_of(value));
  stmt->value = value;
  return stmt;
}

struct ast_stmt *build_break(struct parser *p, struct span span) {
  return new_stmt(p, AST_STMT_BREAK, span, 0);
}

struct ast_stmt *build_continue(struct parser *p, struct span span) {
  return new_stmt(p, AST_STMT_CONTINUE, span, 0);
}

struct ast_stmt *build_expr_stmt(struct parser *p, struct ast_expr *expression) {
  struct ast_stmt *stmt = new_stmt(p, AST_STMT_EXPR, expression->span, expression->depth);
  stmt->expression = expression;
  return stmt;
}

struct ast_block *build_block(struct parser *p, struct span span, struct ast_stmts stmts) {
  struct ast_block *block = arena_new(p->arena, struct ast_block);
  block->span = span;
  for (size_t i = 0; i < stmts.count; i++)
    block->depth = deeper(block->depth, stmts.items[i]->depth);
  block->depth++;
  if (block->depth > PARSE_DEPTH_LIMIT)
    parser_refuse_depth(p, span);
  if (stmts.count && stmts.items[stmts.count - 1]->kind == AST_STMT_EXPR)
    block->value = stmts.items[--stmts.count]->expression;
  block->stmts = stmts;
  return block;
}

// Prints a syntax tree as source text that parses back to it.
#include "compiler/syntax/ast_print.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct printer {
  FILE *out;
  int indent;
  bool all_parentheses;
};

// Binding strength, as in nn.y. An operand weaker than its place needs parentheses.
enum strength {
  STRENGTH_ANY,
  STRENGTH_OR,
  STRENGTH_AND,
  STRENGTH_COMPARE,
  STRENGTH_RANGE,
  STRENGTH_ADD,
  STRENGTH_MULTIPLY,
  STRENGTH_PREFIX,
  STRENGTH_POSTFIX,
  STRENGTH_PRIMARY,
};

static void print_expr(struct printer *p, const struct ast_expr *expr, enum strength least);
static void print_block(struct printer *p, const struct ast_block *block);

static void new_line(struct printer *p) { fprintf(p->out, "\n%*s", p->indent * 2, ""); }

// ---- Sizes and types ----------------------------------------------------------------------------------------

static enum strength size_strength(const struct ast_size *size) {
  switch (size->kind) {
  case AST_SIZE_ADD:
  case AST_SIZE_SUBTRACT: return STRENGTH_ADD;
  case AST_SIZE_MULTIPLY:
  case AST_SIZE_DIVIDE:
  case AST_SIZE_REMAINDER: return STRENGTH_MULTIPLY;
  case AST_SIZE_NEGATE: return STRENGTH_PREFIX;
  case AST_SIZE_INT:
  case AST_SIZE_NAME: break;
  }
  return STRENGTH_PRIMARY;
}

static const char *size_op_text(enum ast_size_kind kind) {
  switch (kind) {
  case AST_SIZE_ADD: return " + ";
  case AST_SIZE_SUBTRACT: return " - ";
  case AST_SIZE_MULTIPLY: return "*";
  case AST_SIZE_DIVIDE: return " / ";
  default: assert(kind == AST_SIZE_REMAINDER); return " % ";
  }
}

static void print_size(struct printer *p, const struct ast_size *size, enum strength least);

static bool is_operation(const struct ast_size *size) {
  return size->kind != AST_SIZE_INT && size->kind != AST_SIZE_NAME && size->kind != AST_SIZE_NEGATE;
}

static bool needs_parentheses(const struct printer *p, enum strength own, enum strength least) {
  return own < least || (p->all_parentheses && own < STRENGTH_PRIMARY);
}

static void print_when(struct printer *p, bool condition, char c) {
  if (condition)
    fputc(c, p->out);
}

// Operations that are each the left side of the next.
static void print_size_chain(struct printer *p, const struct ast_size *size) {
  const struct ast_size *op = size;
  for (; is_operation(op->op.left); op = op->op.left)
    print_when(p, needs_parentheses(p, size_strength(op->op.left), size_strength(op)), '(');
  print_size(p, op->op.left, size_strength(op));
  for (;; op = op->outer) {
    fputs(size_op_text(op->kind), p->out);
    print_size(p, op->op.right, size_strength(op) + 1);
    if (op == size)
      return;
    print_when(p, needs_parentheses(p, size_strength(op), size_strength(op->outer)), ')');
  }
}

static void print_size(struct printer *p, const struct ast_size *size, enum strength least) {
  bool parentheses = needs_parentheses(p, size_strength(size), least);
  print_when(p, parentheses, '(');
  switch (size->kind) {
  case AST_SIZE_INT: fprintf(p->out, "%" PRId64, size->integer); break;
  case AST_SIZE_NAME: fputs(size->name.name.text, p->out); break;
  case AST_SIZE_NEGATE:
    fputc('-', p->out);
    print_size(p, size->op.left, STRENGTH_PREFIX);
    break;
  default: print_size_chain(p, size); break;
  }
  print_when(p, parentheses, ')');
}

static void print_size_list(struct printer *p, const struct ast_sizes *sizes) {
  for (size_t i = 0; i < sizes->count; i++) {
    if (i)
      fputs(", ", p->out);
    print_size(p, sizes->items[i], STRENGTH_ANY);
  }
}

static void print_sizes(struct printer *p, const struct ast_sizes *sizes) {
  fputc('[', p->out);
  print_size_list(p, sizes);
  fputc(']', p->out);
}

// [D; n]
static void print_batch_sizes(struct printer *p, const struct ast_type *type) {
  fputc('[', p->out);
  print_size_list(p, &type->named.sizes);
  fputs("; ", p->out);
  if (type->named.batch)
    print_size(p, type->named.batch, STRENGTH_ANY);
  else
    fputc('_', p->out);
  fputc(']', p->out);
}

static void print_result(struct printer *p, const struct ast_type *result);

static void print_type(struct printer *p, const struct ast_type *type) {
  switch (type->kind) {
  case AST_TYPE_NAMED:
    fputs(type->named.name.text, p->out);
    if (type->named.has_batch)
      print_batch_sizes(p, type);
    else if (type->named.sizes.count)
      print_sizes(p, &type->named.sizes);
    break;
  case AST_TYPE_LIST:
    fputc('[', p->out);
    print_type(p, type->element);
    fputc(']', p->out);
    break;
  case AST_TYPE_TUPLE:
    fputc('(', p->out);
    for (size_t i = 0; i < type->items.count; i++) {
      if (i)
        fputs(", ", p->out);
      print_type(p, type->items.items[i]);
    }
    fputc(')', p->out);
    break;
  case AST_TYPE_FN:
    fputs("fn(", p->out);
    for (size_t i = 0; i < type->fn.params.count; i++) {
      if (i)
        fputs(", ", p->out);
      print_type(p, type->fn.params.items[i]);
    }
    fputc(')', p->out);
    print_result(p, type->fn.result);
    break;
  }
}

static void print_result(struct printer *p, const struct ast_type *result) {
  if (!result)
    return;
  fputs(" -> ", p->out);
  print_type(p, result);
}

// ---- Patterns -----------------------------------------------------------------------------------------------

static void print_pattern(struct printer *p, const struct ast_pattern *pattern);

static void print_patterns(struct printer *p, const struct ast_patterns *patterns) {
  fputc('(', p->out);
  for (size_t i = 0; i < patterns->count; i++) {
    if (i)
      fputs(", ", p->out);
    print_pattern(p, patterns->items[i]);
  }
  fputc(')', p->out);
}

static void print_pattern(struct printer *p, const struct ast_pattern *pattern) {
  switch (pattern->kind) {
  case AST_PATTERN_WILDCARD: fputc('_', p->out); break;
  case AST_PATTERN_NAME: fputs(pattern->name.name.text, p->out); break;
  case AST_PATTERN_CONSTRUCTOR:
    fputs(pattern->constructor.name.text, p->out);
    print_patterns(p, &pattern->constructor.args);
    break;
  case AST_PATTERN_INT: fprintf(p->out, "%" PRId64, pattern->integer); break;
  case AST_PATTERN_BOOL: fputs(pattern->boolean ? "true" : "false", p->out); break;
  case AST_PATTERN_TUPLE: print_patterns(p, &pattern->items); break;
  }
}

// ---- Expressions --------------------------------------------------------------------------------------------

static enum strength binary_strength(enum ast_binary_op op) {
  switch (op) {
  case AST_BINARY_OR: return STRENGTH_OR;
  case AST_BINARY_AND: return STRENGTH_AND;
  case AST_BINARY_EQUAL:
  case AST_BINARY_NOT_EQUAL:
  case AST_BINARY_LESS:
  case AST_BINARY_LESS_EQUAL:
  case AST_BINARY_GREATER:
  case AST_BINARY_GREATER_EQUAL: return STRENGTH_COMPARE;
  case AST_BINARY_ADD:
  case AST_BINARY_SUBTRACT: return STRENGTH_ADD;
  case AST_BINARY_MULTIPLY:
  case AST_BINARY_DIVIDE:
  case AST_BINARY_REMAINDER:
  case AST_BINARY_MATMUL: break;
  }
  return STRENGTH_MULTIPLY;
}

static enum strength strength_of(const struct ast_expr *expr) {
  switch (expr->kind) {
  case AST_EXPR_UNARY: return STRENGTH_PREFIX;
  case AST_EXPR_BINARY: return binary_strength(expr->binary.op);
  case AST_EXPR_RANGE: return STRENGTH_RANGE;
  default: return STRENGTH_PRIMARY;
  }
}

// The shortest decimal that reads back as the same double, recognisable as a float.
static void print_float(struct printer *p, double value) {
  char text[40];
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value)
      break;
  }
  fputs(text, p->out);
  if (!strpbrk(text, ".e"))
    fputs(".0", p->out);
}

static void print_exprs(struct printer *p, const char *open, const struct ast_exprs *exprs,
                        const char *close) {
  fputs(open, p->out);
  for (size_t i = 0; i < exprs->count; i++) {
    if (i)
      fputs(", ", p->out);
    print_expr(p, exprs->items[i], STRENGTH_ANY);
  }
  fputs(close, p->out);
}

static void print_args(struct printer *p, const struct ast_args *args) {
  fputc('(', p->out);
  for (size_t i = 0; i < args->count; i++) {
    if (i)
      fputs(", ", p->out);
    if (args->items[i].name.text)
      fprintf(p->out, "%s: ", args->items[i].name.text);
    print_expr(p, args->items[i].value, STRENGTH_ANY);
  }
  fputc(')', p->out);
}

// The operand of a call, subscript or field. `1.x` would be read as a number.
static void print_base(struct printer *p, const struct ast_expr *base) {
  bool is_number = base->kind == AST_EXPR_INT || base->kind == AST_EXPR_FLOAT;
  if (is_number)
    fputc('(', p->out);
  print_expr(p, base, STRENGTH_POSTFIX);
  if (is_number)
    fputc(')', p->out);
}

// Of the left side. Comparisons do not chain, so neither operand may be one.
static enum strength left_strength(const struct ast_expr *op) {
  enum strength own = binary_strength(op->binary.op);
  return own == STRENGTH_COMPARE ? own + 1 : own;
}

static void print_binary(struct printer *p, const struct ast_expr *expr) {
  const struct ast_expr *op = expr;
  for (; op->binary.left->kind == AST_EXPR_BINARY; op = op->binary.left)
    print_when(p, needs_parentheses(p, strength_of(op->binary.left), left_strength(op)), '(');
  print_expr(p, op->binary.left, left_strength(op));
  for (;; op = op->outer) {
    fprintf(p->out, " %s ", ast_binary_op_text(op->binary.op));
    print_expr(p, op->binary.right, strength_of(op) + 1);
    if (op == expr)
      return;
    print_when(p, needs_parentheses(p, strength_of(op), left_strength(op->outer)), ')');
  }
}

static void print_comprehension(struct printer *p, const struct ast_expr *expr) {
  fputc('[', p->out);
  print_expr(p, expr->comprehension.element, STRENGTH_ANY);
  fputs(" for ", p->out);
  print_pattern(p, expr->comprehension.pattern);
  fputs(" in ", p->out);
  print_expr(p, expr->comprehension.sequence, STRENGTH_ANY);
  if (expr->comprehension.condition) {
    fputs(" if ", p->out);
    print_expr(p, expr->comprehension.condition, STRENGTH_ANY);
  }
  fputc(']', p->out);
}

static void print_if(struct printer *p, const struct ast_expr *expr) {
  fputs("if ", p->out);
  print_expr(p, expr->conditional.condition, STRENGTH_ANY);
  fputc(' ', p->out);
  print_block(p, expr->conditional.then_block);
  if (expr->conditional.else_branch) {
    fputs(" else ", p->out);
    print_expr(p, expr->conditional.else_branch, STRENGTH_ANY);
  }
}

static void print_match(struct printer *p, const struct ast_expr *expr) {
  fputs("match ", p->out);
  print_expr(p, expr->match.scrutinee, STRENGTH_ANY);
  fputs(" {", p->out);
  p->indent++;
  for (size_t i = 0; i < expr->match.arms.count; i++) {
    new_line(p);
    print_pattern(p, expr->match.arms.items[i].pattern);
    fputs(" => ", p->out);
    print_expr(p, expr->match.arms.items[i].body, STRENGTH_ANY);
  }
  p->indent--;
  new_line(p);
  fputc('}', p->out);
}

static void print_fn_params(struct printer *p, const struct ast_fn_params *params) {
  for (size_t i = 0; i < params->count; i++) {
    fprintf(p->out, "%s%s", i ? ", " : "", params->items[i].local->name.text);
    if (!params->items[i].type)
      continue;
    fputs(": ", p->out);
    print_type(p, params->items[i].type);
  }
}

static void print_text(struct printer *p, const char *text) {
  fputc('"', p->out);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\' || *text == '\n')
      fputc('\\', p->out);
    fputc(*text == '\n' ? 'n' : *text, p->out);
  }
  fputc('"', p->out);
}

static void print_bare_expr(struct printer *p, const struct ast_expr *expr) {
  switch (expr->kind) {
  case AST_EXPR_INT: fprintf(p->out, "%" PRId64, expr->integer); break;
  case AST_EXPR_FLOAT: print_float(p, expr->floating); break;
  case AST_EXPR_BOOL: fputs(expr->boolean ? "true" : "false", p->out); break;
  case AST_EXPR_TEXT: print_text(p, expr->text); break;
  case AST_EXPR_NAME: fputs(expr->name.name.text, p->out); break;
  case AST_EXPR_UNARY:
    fputs(ast_unary_op_text(expr->unary.op), p->out);
    print_expr(p, expr->unary.operand, STRENGTH_PREFIX);
    break;
  case AST_EXPR_BINARY: print_binary(p, expr); break;
  case AST_EXPR_RANGE:
    if (expr->range.low)
      print_expr(p, expr->range.low, STRENGTH_RANGE + 1);
    fputs("..", p->out);
    if (expr->range.high)
      print_expr(p, expr->range.high, STRENGTH_RANGE + 1);
    break;
  case AST_EXPR_CALL:
    print_base(p, expr->call.callee);
    print_args(p, &expr->call.args);
    break;
  case AST_EXPR_INDEX:
    print_base(p, expr->index.base);
    fputc('[', p->out);
    print_expr(p, expr->index.index, STRENGTH_ANY);
    fputc(']', p->out);
    break;
  case AST_EXPR_PART:
    print_base(p, expr->part.base);
    for (size_t i = 0; i < expr->part.items.count; i++) {
      fputs(i > 0 ? ", " : "[", p->out);
      print_expr(p, expr->part.items.items[i], STRENGTH_ANY);
    }
    fputc(']', p->out);
    break;
  case AST_EXPR_SLICE:
    print_base(p, expr->slice.base);
    fputc('[', p->out);
    print_expr(p, expr->slice.low, STRENGTH_RANGE + 1);
    fputs("..", p->out);
    print_expr(p, expr->slice.high, STRENGTH_RANGE + 1);
    fputc(']', p->out);
    break;
  case AST_EXPR_FIELD:
    print_base(p, expr->field.base);
    fprintf(p->out, ".%s", expr->field.name.text);
    break;
  case AST_EXPR_PROJECT:
    print_base(p, expr->project.base);
    fprintf(p->out, ".%u", expr->project.index);
    break;
  case AST_EXPR_FILL:
    fputs(ast_fill_names[expr->fill.kind], p->out);
    print_sizes(p, &expr->fill.sizes);
    break;
  case AST_EXPR_TUPLE: print_exprs(p, "(", &expr->items, ")"); break;
  case AST_EXPR_LIST: print_exprs(p, "[", &expr->items, "]"); break;
  case AST_EXPR_COMPREHENSION: print_comprehension(p, expr); break;
  case AST_EXPR_IF: print_if(p, expr); break;
  case AST_EXPR_MATCH: print_match(p, expr); break;
  case AST_EXPR_BLOCK: print_block(p, expr->block); break;
  case AST_EXPR_FN:
    fputs("fn(", p->out);
    print_fn_params(p, &expr->fn.params);
    fputs(") ", p->out);
    print_expr(p, expr->fn.body, STRENGTH_ANY);
    break;
  case AST_EXPR_LIFT:
  case AST_EXPR_ELEMENT: print_expr(p, expr->lift.of, STRENGTH_ANY); break;
  }
}

static void print_expr(struct printer *p, const struct ast_expr *expr, enum strength least) {
  bool parentheses = needs_parentheses(p, strength_of(expr), least);
  print_when(p, parentheses, '(');
  print_bare_expr(p, expr);
  print_when(p, parentheses, ')');
}

// ---- Statements ---------------------------------------------------------------------------------------------

static void print_annotation(struct printer *p, const struct ast_type *annotation) {
  if (!annotation)
    return;
  fputs(": ", p->out);
  print_type(p, annotation);
}

static void print_binding(struct printer *p, const struct ast_type *annotation,
                          const struct ast_expr *value) {
  print_annotation(p, annotation);
  fputs(" = ", p->out);
  print_expr(p, value, STRENGTH_ANY);
}

static void print_expectation(struct printer *p, const struct ast_expectation *expectation) {
  const struct ast_exprs *pair = &expectation->pair->items;
  fputs("expect ", p->out);
  print_expr(p, pair->items[0], expectation->is_condition ? STRENGTH_ANY : STRENGTH_COMPARE + 1);
  if (!expectation->is_condition) {
    fprintf(p->out, " %s ", ast_binary_op_text(expectation->op));
    print_expr(p, pair->items[1], STRENGTH_COMPARE + 1);
  }
  if (expectation->tolerance) {
    fputs(" within ", p->out);
    print_expr(p, expectation->tolerance, STRENGTH_ANY);
  }
}

static void print_stmt(struct printer *p, const struct ast_stmt *stmt) {
  switch (stmt->kind) {
  case AST_STMT_LET:
    if (stmt->let.expectation) {
      print_expectation(p, stmt->let.expectation);
      break;
    }
    fputs("let ", p->out);
    print_pattern(p, stmt->let.pattern);
    print_binding(p, stmt->let.annotation, stmt->let.value);
    break;
  case AST_STMT_VAR:
    fprintf(p->out, "var %s", stmt->var.local->name.text);
    print_binding(p, stmt->var.annotation, stmt->var.value);
    break;
  case AST_STMT_ASSIGN:
    print_expr(p, stmt->assign.target, STRENGTH_ANY);
    print_binding(p, NULL, stmt->assign.value);
    break;
  case AST_STMT_FOR:
    fputs("for ", p->out);
    print_pattern(p, stmt->for_loop.pattern);
    fputs(" in ", p->out);
    print_expr(p, stmt->for_loop.sequence, STRENGTH_ANY);
    fputc(' ', p->out);
    print_block(p, stmt->for_loop.body);
    break;
  case AST_STMT_WHILE:
    fputs("while ", p->out);
    print_expr(p, stmt->while_loop.condition, STRENGTH_ANY);
    fputc(' ', p->out);
    print_block(p, stmt->while_loop.body);
    break;
  case AST_STMT_RETURN:
    fputs(stmt->value ? "return " : "return", p->out);
    if (stmt->value)
      print_expr(p, stmt->value, STRENGTH_ANY);
    break;
  case AST_STMT_BREAK: fputs("break", p->out); break;
  case AST_STMT_CONTINUE: fputs("continue", p->out); break;
  case AST_STMT_EXPR: print_expr(p, stmt->expression, STRENGTH_ANY); break;
  }
}

// Short enough to stand between its braces on one line: a value without blocks inside.
static bool is_inline(const struct ast_block *block) {
  if (block->stmts.count || !block->value)
    return false;
  const struct ast_expr *value = block->value;
  return value->depth <= 8 && value->kind != AST_EXPR_IF && value->kind != AST_EXPR_MATCH;
}

static void print_block(struct printer *p, const struct ast_block *block) {
  if (!block->value && block->stmts.count == 0) {
    fputs("{}", p->out);
    return;
  }
  if (is_inline(block)) {
    fputs("{ ", p->out);
    print_expr(p, block->value, STRENGTH_ANY);
    fputs(" }", p->out);
    return;
  }
  fputc('{', p->out);
  p->indent++;
  for (size_t i = 0; i < block->stmts.count; i++) {
    new_line(p);
    print_stmt(p, block->stmts.items[i]);
  }
  if (block->value) {
    new_line(p);
    print_expr(p, block->value, STRENGTH_ANY);
  }
  p->indent--;
  new_line(p);
  fputc('}', p->out);
}

// ---- Declarations -------------------------------------------------------------------------------------------

// Type variables come after sizes; `types` may be NULL.
static void print_vars(struct printer *p, const struct ast_size_vars *sizes,
                       const struct ast_type_vars *types) {
  const char *separator = "[";
  for (size_t i = 0; i < sizes->count; i++, separator = ", ")
    fprintf(p->out, "%s%s", separator, sizes->items[i]->name.text);
  for (size_t i = 0; types && i < types->count; i++, separator = ", ")
    fprintf(p->out, "%s%s: %s", separator, types->items[i]->name.text,
            ast_type_bound_text(types->items[i]->bound));
  if (*separator == ',')
    fputc(']', p->out);
}

static void print_vocab(struct printer *p, const struct ast_vocab *vocab) {
  fprintf(p->out, "vocab %s", vocab->name.text);
  for (size_t i = 0; i < vocab->options.count; i++) {
    const struct ast_vocab_option *option = &vocab->options.items[i];
    fprintf(p->out, "%s%s", i ? ", " : "(", option->name.text);
    if (option->value) {
      fputs(" = ", p->out);
      print_expr(p, option->value, STRENGTH_ANY);
    }
  }
  if (vocab->options.count)
    fputc(')', p->out);
}

static void print_data(struct printer *p, const struct ast_data *data) {
  fprintf(p->out, "data %s", data->name.text);
  print_vars(p, &data->size_vars, NULL);
  for (size_t i = 0; i < data->constructors.count; i++) {
    const struct ast_constructor *constructor = data->constructors.items[i];
    fprintf(p->out, "%s%s", i ? "\n  | " : " = ", constructor->name.text);
    for (size_t k = 0; k < constructor->fields.count; k++) {
      fprintf(p->out, "%s%s: ", k ? ", " : "(", constructor->fields.items[k].name.text);
      print_type(p, constructor->fields.items[k].type);
    }
    if (constructor->fields.count)
      fputc(')', p->out);
  }
}

static void print_param(struct printer *p, const struct ast_param *param) {
  fprintf(p->out, "param %s: ", param->name.text);
  print_type(p, param->type);
  if (!param->initialiser)
    return;
  fprintf(p->out, " = %s", param->initialiser->name.text);
  if (param->initialiser->args.count)
    print_exprs(p, "(", &param->initialiser->args, ")");
}

static void print_fn(struct printer *p, const struct ast_fn *fn) {
  fprintf(p->out, "%s%s %s", fn->is_memo ? "memo " : "", fn->is_metric ? "metric" : "fn", fn->name.text);
  print_vars(p, &fn->size_vars, &fn->type_vars);
  fputc('(', p->out);
  print_fn_params(p, &fn->params);
  fputc(')', p->out);
  print_result(p, fn->result);
  fputc(' ', p->out);
  print_block(p, fn->body);
  if (!fn->total)
    return;
  fputs(" total(", p->out);
  print_fn_params(p, &fn->total->params);
  fputs(") ", p->out);
  print_block(p, fn->total->body);
}

static void print_test(struct printer *p, const struct ast_test *test) {
  fprintf(p->out, "test %s {", test->name.text);
  p->indent++;
  for (size_t i = 0; i < test->vocabs.count; i++) {
    new_line(p);
    fprintf(p->out, "vocab %s {", test->vocabs.items[i].name.text);
    for (size_t k = 0; k < test->vocabs.items[i].entries.count; k++)
      fprintf(p->out, "%s%s", k ? ", " : " ", test->vocabs.items[i].entries.items[k].text);
    fputs(" }", p->out);
  }
  for (size_t i = 0; i < test->settings.count; i++) {
    const struct ast_exprs *pair = &test->settings.items[i].pair->items;
    new_line(p);
    fputs("param ", p->out);
    print_expr(p, pair->items[0], STRENGTH_POSTFIX);
    print_binding(p, NULL, pair->items[1]);
  }
  for (size_t i = 0; i < test->stmts.count; i++) {
    new_line(p);
    print_stmt(p, test->stmts.items[i]);
  }
  p->indent--;
  new_line(p);
  fputc('}', p->out);
}

static void print_decl(struct printer *p, const struct ast_decl *decl);

static void print_layer(struct printer *p, const struct ast_layer *layer) {
  static const char *const kinds[] = {
      [AST_LAYER_PARAM_DIM] = "dim",     [AST_LAYER_PARAM_INDEX] = "index", [AST_LAYER_PARAM_INT] = "int",
      [AST_LAYER_PARAM_FLOAT] = "float", [AST_LAYER_PARAM_BOOL] = "bool",
  };
  fprintf(p->out, "layer %s(", layer->name.text);
  for (size_t i = 0; i < layer->layer_params.count; i++) {
    const struct ast_layer_param *param = layer->layer_params.items[i];
    fprintf(p->out, "%s%s: %s", i ? ", " : "", param->name.text, kinds[param->kind]);
  }
  fputs(") {", p->out);
  p->indent++;
  for (size_t i = 0; i < layer->members.count; i++) {
    new_line(p);
    print_decl(p, layer->members.items[i]);
  }
  p->indent--;
  new_line(p);
  fputc('}', p->out);
}

static void print_decl(struct printer *p, const struct ast_decl *decl) {
  switch (decl->kind) {
  case AST_DECL_DIM:
    fprintf(p->out, "dim %s = ", decl->dim->name.text);
    print_size(p, decl->dim->value, STRENGTH_ANY);
    break;
  case AST_DECL_VOCAB: print_vocab(p, decl->vocab); break;
  case AST_DECL_ENUM:
    fprintf(p->out, "enum %s {", decl->enumeration->name.text);
    for (size_t i = 0; i < decl->enumeration->members.count; i++)
      fprintf(p->out, "%s%s", i ? ", " : " ", decl->enumeration->members.items[i]->name.text);
    fputs(decl->enumeration->members.count ? " }" : "}", p->out);
    break;
  case AST_DECL_DATA: print_data(p, decl->data); break;
  case AST_DECL_PARAM: print_param(p, decl->param); break;
  case AST_DECL_INSTANCE:
    fprintf(p->out, "let %s", decl->instance->name.text);
    print_binding(p, NULL, decl->instance->value);
    break;
  case AST_DECL_LAYER: print_layer(p, decl->layer); break;
  case AST_DECL_FN:
    if (decl->fn->test)
      print_test(p, decl->fn->test);
    else
      print_fn(p, decl->fn);
    break;
  }
}

// ---- Entry points -------------------------------------------------------------------------------------------

static struct printer begin(FILE *out, const struct ast_print_options *options) {
  return (struct printer){out, 0, options && options->all_parentheses};
}

static void print_import(const struct ast_import *import, FILE *out) {
  fputs("import ", out);
  for (size_t i = 0; i < import->path.count; i++)
    fprintf(out, "%s%s", i ? "." : "", import->path.items[i].text);
  if (import->alias.text)
    fprintf(out, " as %s", import->alias.text);
  for (size_t i = 0; i < import->listed.count; i++)
    fprintf(out, "%s%s", i ? ", " : " { ", import->listed.items[i].name.text);
  if (import->is_listed)
    fputs(import->listed.count ? " }" : " { }", out);
}

void ast_print_file(const struct ast_file *file, FILE *out, const struct ast_print_options *options) {
  struct printer p = begin(out, options);
  for (size_t i = 0; i < file->imports.count; i++) {
    print_import(file->imports.items[i], out);
    fputc('\n', out);
  }
  for (size_t i = 0; i < file->decls.count; i++) {
    const struct ast_decl *decl = file->decls.items[i];
    // it is printed with the test's other function
    if (decl->kind == AST_DECL_FN && decl->fn->test && decl->fn == decl->fn->test->setup)
      continue;
    // and this with its metric
    if (decl->kind == AST_DECL_FN && decl->fn->total_of)
      continue;
    bool is_long = decl->kind == AST_DECL_FN || decl->kind == AST_DECL_LAYER || decl->kind == AST_DECL_DATA;
    bool is_first = i == 0 && file->imports.count == 0;
    if (!is_first && (is_long || i == 0 || file->decls.items[i - 1]->kind != decl->kind))
      fputc('\n', out);
    print_decl(&p, decl);
    fputc('\n', out);
  }
}

// Function bodies: blocks, statements, and whether a function always gives its result.
#include <string.h>

#include "compiler/check/checker.h"

// ---- let, var, assignment ------------------------------------------------------------------------------

static struct check_wanted wanted_by_annotation(struct checker *checker, const struct ast_name *name,
                                                const struct ast_type *annotation) {
  return (struct check_wanted){arena_printf(checker->arena, "the value of `%s`", name->text),
                               annotation->span, "declared with this type"};
}

static bool check_let(struct checker *checker, struct ast_stmt *stmt) {
  struct ast_pattern *pattern = stmt->let.pattern;
  const struct type *type;
  if (stmt->let.annotation) {
    type = check_type(checker, stmt->let.annotation);
    struct check_wanted why = wanted_by_annotation(checker, &pattern->name.name, stmt->let.annotation);
    check_against(checker, stmt->let.value, type, &why);
  } else {
    checker->pair = check_is_pair(checker, stmt) ? stmt->let.value : NULL;
    type = check_value(checker, stmt->let.value, NULL);
  }
  if (check_pattern(checker, pattern, type))
    check_irrefutable(checker, pattern, "`let`");
  if (pattern->kind == AST_PATTERN_NAME && pattern->name.ref.kind == AST_REF_LOCAL &&
      type_resolve(type)->kind == TYPE_LIST)
    map_put(checker->arena, &checker->let_lists, pattern->name.ref.local, stmt->let.value);
  return true;
}

static bool check_var(struct checker *checker, struct ast_stmt *stmt) {
  struct ast_local *local = stmt->var.local;
  const struct type *type;
  if (stmt->var.annotation) {
    type = check_type(checker, stmt->var.annotation);
    struct check_wanted why = wanted_by_annotation(checker, &local->name, stmt->var.annotation);
    check_against(checker, stmt->var.value, type, &why);
  } else {
    type = check_value(checker, stmt->var.value, NULL);
  }
  check_set_type(checker, &local->type, type);
  names_bind(&checker->names, local);
  return true;
}

static void report_immutable(struct checker *checker, const struct ast_expr *target,
                             const struct ast_ref *ref) {
  const char *name = target->name.name.text;
  struct diag *d = diag_error(checker->sink, DIAG_ASSIGN_IMMUTABLE, target->span,
                              "`%s` cannot be assigned to", name);
  if (ref->kind != AST_REF_LOCAL) {
    diag_label(d, names_declared_at(ref), "`%s` is %s", name, check_ref_text(checker, ref));
    if (ref->kind == AST_REF_PARAM)
      diag_help(d,
                "parameters change in training only; their first values are given by `param %s: ... = ...`",
                name);
    return;
  }
  switch (ref->local->kind) {
  case AST_LOCAL_LET:
    diag_label(d, ref->local->name.span, "declared by `let`");
    diag_help(d, "declare it by `var %s = ...`", name);
    break;
  case AST_LOCAL_PARAMETER:
    diag_label(d, ref->local->name.span, "a parameter of the function");
    diag_help(d, "copy it first: `var %s = %s`", name, name);
    break;
  default:
    diag_label(d, ref->local->name.span, "bound here");
    diag_help(d, "copy it first: `var %s = %s`", name, name);
    break;
  }
}

// The type of what an assignment replaces; type_error after an error.
static const struct type *check_target(struct checker *checker, struct ast_expr *target) {
  if (target->kind == AST_EXPR_NAME) {
    struct ast_ref ref = names_find(&checker->names, target->name.name.text);
    target->name.ref = ref;
    target->type = &type_error;
    if (ref.kind == AST_REF_NONE) {
      struct diag *d = names_report_unknown(&checker->names, &target->name.name, NAMES_VALUES);
      if (d && !d->help)
        diag_help(d, "declare it first: `var %s = ...`", target->name.name.text);
      return &type_error;
    }
    if (ref.kind != AST_REF_LOCAL || ref.local->kind != AST_LOCAL_VAR) {
      report_immutable(checker, target, &ref);
      return &type_error;
    }
    const struct ast_expr *captor = check_captor(checker, ref.local);
    if (captor) {
      struct diag *d = diag_error(checker->sink, DIAG_ASSIGN_IMMUTABLE, target->span,
                                  "`%s` cannot be assigned to here", target->name.name.text);
      diag_label(d, ref.local->name.span, "declared outside the function that is written here");
      diag_note(d, "such a function takes along the values of what it reads");
      diag_help(d, "give the new value back, or use a `for`");
      return &type_error;
    }
    ref.local->is_assigned = true;
    arena_push(checker->arena, &checker->fn->assigned, ref.local);
    check_set_type(checker, &target->type, ref.local->type);
    return type_resolve(ref.local->type);
  }
  const struct type *base = check_target(checker, target->index.base);
  struct check_wanted why = {"the index of a list", SPAN_NONE, NULL};
  target->type = &type_error;
  if (base->kind == TYPE_LIST) {
    if (check_against(checker, target->index.index, &type_int, &why))
      check_literal_index(checker, target->index.index, target->index.base, 0);
    check_set_type(checker, &target->type, base->list.element);
    return type_resolve(base->list.element);
  }
  check_value(checker, target->index.index, NULL);
  if (base->kind == TYPE_ERROR)
    return base;
  struct diag *d = diag_error(checker->sink, DIAG_ASSIGN_IMMUTABLE, target->span,
                              "an element of %s cannot be assigned to", check_text(checker, base));
  check_label_operand(checker, d, target->index.base);
  diag_note(d, base->kind == TYPE_TENSOR ? "tensors are computed as a whole"
                                         : "only lists have elements to assign to");
  return &type_error;
}

static bool check_assign(struct checker *checker, struct ast_stmt *stmt) {
  struct ast_expr *target = stmt->assign.target, *root = target;
  const struct type *type = check_target(checker, target);
  while (root->kind == AST_EXPR_INDEX)
    root = root->index.base;
  if (type->kind == TYPE_ERROR) {
    check_value(checker, stmt->assign.value, NULL);
    return true;
  }
  struct check_wanted why = {arena_printf(checker->arena, "the new value of `%s`", root->name.name.text),
                             root->name.ref.local->name.span, "its first value decides its type"};
  check_against(checker, stmt->assign.value, type, &why);
  return true;
}

// ---- Loops ---------------------------------------------------------------------------------------------

struct ast_assigned check_begin_assigned(const struct checker *checker) {
  return (struct ast_assigned){checker->fn ? checker->fn->assigned.count : 0, 0};
}

struct ast_assigned check_end_assigned(const struct checker *checker, struct ast_assigned begun) {
  begun.count = checker->fn ? checker->fn->assigned.count - begun.first : 0;
  return begun;
}

static void check_loop_body(struct checker *checker, struct ast_block *block);

static bool check_for(struct checker *checker, struct ast_stmt *stmt) {
  const struct type *element = check_sequence(checker, stmt->for_loop.sequence);
  names_open_scope(&checker->names);
  if (check_pattern(checker, stmt->for_loop.pattern, element)) {
    check_irrefutable(checker, stmt->for_loop.pattern, "`for`");
  }
  struct ast_assigned assigned = check_begin_assigned(checker);
  bool outer_break = checker->loop_has_break;
  checker->loop_depth++;
  check_loop_body(checker, stmt->for_loop.body);
  checker->loop_depth--;
  checker->loop_has_break = outer_break;
  stmt->for_loop.assigned = check_end_assigned(checker, assigned);
  names_close_scope(&checker->names);
  return true;
}

// `while true` without a `break` is never left.
static bool check_while(struct checker *checker, struct ast_stmt *stmt) {
  struct ast_expr *condition = stmt->while_loop.condition;
  struct check_wanted why = {"the condition of `while`", SPAN_NONE, NULL};
  struct ast_assigned assigned = check_begin_assigned(checker);
  check_against(checker, condition, &type_bool, &why);
  bool outer_break = checker->loop_has_break;
  checker->loop_has_break = false;
  checker->loop_depth++;
  check_loop_body(checker, stmt->while_loop.body);
  checker->loop_depth--;
  bool is_endless = condition->kind == AST_EXPR_BOOL && condition->boolean && !checker->loop_has_break;
  checker->loop_has_break = outer_break;
  stmt->while_loop.assigned = check_end_assigned(checker, assigned);
  return !is_endless;
}

static bool check_jump(struct checker *checker, const struct ast_stmt *stmt) {
  bool is_break = stmt->kind == AST_STMT_BREAK;
  if (checker->loop_depth == 0)
    diag_error(checker->sink, DIAG_OUTSIDE_LOOP, stmt->span, "`%s` outside a loop",
               is_break ? "break" : "continue");
  if (is_break)
    checker->loop_has_break = true;
  return false;
}

// ---- Results -------------------------------------------------------------------------------------------

static struct check_wanted wanted_by_result(struct checker *checker) {
  const struct ast_fn *fn = checker->fn;
  return (struct check_wanted){arena_printf(checker->arena, "the result of `%s`", fn->name.text),
                               fn->result ? fn->result->span : fn->name.span,
                               fn->result ? "its result type" : "no result type: it gives `()`"};
}

static bool wants_result(const struct checker *checker) {
  const struct type *wanted = checker->fn->result_type;
  return checker->fn->is_metric || checker->fn->total_of ||
         (wanted->kind != TYPE_ERROR && !type_is_unit(wanted));
}

static void report_missing_result(struct checker *checker, const struct ast_block *body) {
  struct check_wanted why = wanted_by_result(checker);
  struct span end = body->span;
  end.lo = end.hi > 0 ? end.hi - 1 : end.hi;
  struct diag *d = diag_error(checker->sink, DIAG_MISSING_RESULT, end, "`%s` can end without a result",
                              checker->fn->name.text);
  diag_primary_label(d, "the end is reached here");
  if (checker->fn->is_metric)
    diag_help(d, "end with what is summed: `(correct, 1)`");
  else if (checker->fn->total_of)
    diag_help(d, "end with the metric's value: a number, or a table `[(class, number)]`");
  else
    diag_label(d, why.declared, "it must give %s", check_text(checker, checker->fn->result_type));
}

// The value of a `return`, or of the function's body. A last `if` or `match` whose branches all return has no
// value and needs none.
static void check_result(struct checker *checker, struct ast_expr *value, const struct ast_block *body) {
  const struct type *wanted = checker->fn->result_type;
  if (check_expr(checker, value, wanted)->kind == TYPE_NEVER)
    return;
  const struct type *type = check_used(checker, value);
  if (type->kind == TYPE_ERROR)
    return;
  struct check_wanted why = wanted_by_result(checker);
  if (checker->fn->test)
    check_set_type(checker, &checker->fn->result_type, type);
  else if (body && type_is_unit(type) && wants_result(checker))
    report_missing_result(checker, body);
  else if (checker->fn->is_metric)
    check_metric_result(checker, value, type);
  else if (checker->fn->total_of)
    check_total_result(checker, value, type);
  else
    check_fits(checker, value, wanted, &why);
}

static bool check_return(struct checker *checker, struct ast_stmt *stmt) {
  if (checker->open_function) {
    struct diag *d = diag_error(checker->sink, DIAG_RETURN_IN_PLACE, stmt->span,
                                "`return` in a function that is written as an argument");
    diag_help(d, "it gives the value of its last expression; declare it with a name where it returns early");
    if (stmt->value)
      check_value(checker, stmt->value, NULL);
    return false;
  }
  if (checker->fn->test) {
    diag_help(diag_error(checker->sink, DIAG_TEST, stmt->span, "a test has no result"),
              "call a function that returns");
    if (stmt->value)
      check_value(checker, stmt->value, NULL);
    return true;
  } else if (stmt->value) {
    check_result(checker, stmt->value, NULL);
  } else if (wants_result(checker)) {
    struct check_wanted why = wanted_by_result(checker);
    struct diag *d = diag_error(checker->sink, DIAG_MISSING_RESULT, stmt->span, "`return` without a value");
    diag_label(d, why.declared, "`%s` gives %s", checker->fn->name.text,
               checker->fn->is_metric || checker->fn->total_of
                   ? "a value"
                   : check_text(checker, checker->fn->result_type));
  }
  return false;
}

// ---- Blocks --------------------------------------------------------------------------------------------

bool check_unused(struct checker *checker, const struct ast_expr *expr, const struct type *type) {
  type = type_resolve(type);
  if (type->kind == TYPE_NEVER)
    return false;
  if (type->kind == TYPE_ERROR || type_is_unit(type))
    return true;
  struct diag *d = diag_error(checker->sink, DIAG_VALUE_UNUSED, expr->span,
                              "nothing is done with this value");
  diag_primary_label(d, "this is %s", check_text(checker, type));
  bool has_args = expr->kind == AST_EXPR_CALL && expr->call.args.count > 0;
  const struct ast_expr *list = has_args ? expr->call.args.items[0].value : NULL;
  if (type->kind == TYPE_LIST && list && list->kind == AST_EXPR_NAME) {
    diag_note(d, "lists are values: functions give a new list and leave the old one alone");
    diag_help(d, "assign it: `%s = ...`", list->name.name.text);
  } else {
    diag_help(d, "write `let _ = ...` to drop a value");
  }
  return true;
}

static bool check_expr_stmt(struct checker *checker, struct ast_expr *expr) {
  return check_unused(checker, expr, check_expr(checker, expr, NULL));
}

// Whether what follows the statement can be reached.
static bool check_stmt(struct checker *checker, struct ast_stmt *stmt) {
  switch (stmt->kind) {
  case AST_STMT_LET: return check_let(checker, stmt);
  case AST_STMT_VAR: return check_var(checker, stmt);
  case AST_STMT_ASSIGN: return check_assign(checker, stmt);
  case AST_STMT_FOR: return check_for(checker, stmt);
  case AST_STMT_WHILE: return check_while(checker, stmt);
  case AST_STMT_RETURN: return check_return(checker, stmt);
  case AST_STMT_BREAK:
  case AST_STMT_CONTINUE: return check_jump(checker, stmt);
  case AST_STMT_EXPR: return check_expr_stmt(checker, stmt->expression);
  }
  return true;
}

static bool is_jump(const struct ast_stmt *stmt) {
  return stmt->kind == AST_STMT_BREAK || stmt->kind == AST_STMT_CONTINUE;
}

// Statements only; whether the end is reached.
static bool check_stmts(struct checker *checker, struct ast_block *block) {
  bool reached = true;
  for (size_t i = 0; i < block->stmts.count; i++) {
    bool goes_on = check_stmt(checker, block->stmts.items[i]);
    bool is_last = i + 1 == block->stmts.count;
    bool is_jump_to_nowhere = is_jump(block->stmts.items[i]) && checker->loop_depth == 0;
    if (reached && !goes_on && (!is_last || block->value) && !is_jump_to_nowhere) {
      struct span next = is_last ? block->value->span : block->stmts.items[i + 1]->span;
      struct diag *d = diag_error(checker->sink, DIAG_UNREACHABLE_CODE, next, "this is never reached");
      diag_label(d, block->stmts.items[i]->span, "nothing goes on after this");
    }
    reached &= goes_on;
  }
  return reached;
}

const struct type *check_block(struct checker *checker, struct ast_block *block, const struct type *hint) {
  names_open_scope(&checker->names);
  bool reached = check_stmts(checker, block);
  const struct type *type = &type_unit;
  if (block->value)
    type = check_expr(checker, block->value, hint);
  names_close_scope(&checker->names);
  return reached ? type : &type_never;
}

// Its value, if any, must be ().
static void check_loop_body(struct checker *checker, struct ast_block *block) {
  names_open_scope(&checker->names);
  check_stmts(checker, block);
  if (block->value)
    check_expr_stmt(checker, block->value);
  names_close_scope(&checker->names);
}

// ---- Functions -----------------------------------------------------------------------------------------

static void check_body(struct checker *checker, struct ast_block *body) {
  names_open_scope(&checker->names);
  bool reached = check_stmts(checker, body);
  if (body->value)
    check_result(checker, body->value, body);
  else if (reached && wants_result(checker))
    report_missing_result(checker, body);
  names_close_scope(&checker->names);
}

// Empty lists about whose elements nothing was said. Only where nothing else is wrong: an error may have kept
// the use that would have told from being looked at.
static void report_open_lists(struct checker *checker) {
  for (size_t i = 0; i < checker->variables.count; i++) {
    const struct type *variable = checker->variables.items[i];
    if (variable->variable.bound)
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_UNKNOWN_ELEMENT, variable->variable.origin,
                                "nothing tells what this list holds");
    diag_help(d, "write the type: `let xs: [T] = []`");
  }
}

static void close_types(struct checker *checker) {
  for (size_t i = 0; i < checker->open_slots.count; i++) {
    const struct type **slot = checker->open_slots.items[i];
    *slot = type_zonk(checker->arena, *slot);
  }
  checker->open_slots.count = 0;
  checker->variables.count = 0;
}

static void visit_body(struct checker *checker, struct ast_decl *decl) {
  if (decl->kind != AST_DECL_FN)
    return;
  struct ast_fn *fn = decl->fn;
  size_t errors = checker->sink->error_count;
  checker->fn = fn;
  names_enter_body(&checker->names, &fn->size_vars, &fn->type_vars);
  names_open_scope(&checker->names);
  if (fn->total_of)
    check_metric_total(checker, fn);
  for (size_t i = 0; i < fn->params.count; i++)
    names_bind(&checker->names, fn->params.items[i].local);
  check_body(checker, fn->body);
  names_close_scope(&checker->names);
  if (checker->sink->error_count == errors)
    report_open_lists(checker);
  close_types(checker);
  if (!fn->result_type)
    fn->result_type = &type_error;
  checker->fn = NULL;
}

void check_bodies(struct checker *checker) { check_each_decl(checker, visit_body); }

// Arguments that are functions. A named one, `f` or `cell.step` or `max`, is checked as a call of it with bindings in
// place of the arguments: whatever can be called so can be handed over, conversions included. `fn(x) { ... }` is
// checked in place; what it reads of the bindings around it goes along by value.
#include "compiler/check/checker.h"

// An FN expression whose body is being checked.
struct open_function {
  struct ast_expr *expr;
  struct open_function *outer;
};

// ---- What a function written in place reads ------------------------------------------------------------

// Bindings made by the checker have no place in the text; they stay where they are made.
static bool is_outside(const struct ast_local *local, const struct ast_expr *expr) {
  struct span at = local->name.span;
  return at.file != 0 && (at.file != expr->span.file || at.lo < expr->span.lo || at.hi > expr->span.hi);
}

void check_note_local(struct checker *checker, struct ast_local *local) {
  local->is_used = true;
  for (struct open_function *open = checker->open_function; open; open = open->outer) {
    struct ast_locals *captures = &open->expr->fn.captures;
    if (!is_outside(local, open->expr))
      return;
    size_t i = 0;
    while (i < captures->count && captures->items[i] != local)
      i++;
    if (i == captures->count)
      arena_push(checker->arena, captures, local);
  }
}

const struct ast_expr *check_captor(const struct checker *checker, const struct ast_local *local) {
  const struct open_function *open = checker->open_function;
  return open && is_outside(local, open->expr) ? open->expr : NULL;
}

// ---- Functions written in place ------------------------------------------------------------------------

static bool bind_own_params(struct checker *checker, struct ast_expr *arg, const struct type *const *types,
                            const char *what) {
  const struct ast_fn_params *params = &arg->fn.params;
  bool fits = true;
  for (size_t i = 0; i < params->count; i++) {
    const struct ast_fn_param *param = &params->items[i];
    const struct type *type = types[i];
    if (param->type) {
      const struct type *declared = check_type(checker, param->type);
      if (!type_unify(declared, type)) {
        struct diag *d = diag_error(checker->sink, DIAG_WRONG_TYPE, param->span,
                                    "`%s` must be %s: %s is called with that", param->local->name.text,
                                    check_text(checker, type), what);
        diag_primary_label(d, "this is %s", check_text(checker, declared));
        fits = false;
      }
      if (declared->kind == TYPE_ERROR)
        fits = false;
    }
    check_set_type(checker, &param->local->type, type);
    names_bind(&checker->names, param->local);
    arena_push(checker->arena, &arg->function->params, param->local);
  }
  return fits;
}

static const struct type *check_own(struct checker *checker, struct ast_expr *arg, size_t count,
                                    const struct type *const *types, const struct type *hint,
                                    const char *what) {
  if (arg->fn.params.count != count) {
    struct diag *d = diag_error(checker->sink, DIAG_ARGUMENT_COUNT, arg->span,
                                "%s is called with %s, not %zu", what,
                                check_count_text(checker, count, "argument"), arg->fn.params.count);
    diag_help(d, "`_name` names one that is not needed");
    return &type_error;
  }
  struct open_function open = {arg, checker->open_function};
  unsigned loop_depth = checker->loop_depth;
  bool loop_has_break = checker->loop_has_break;
  checker->open_function = &open;
  checker->loop_depth = 0;
  names_open_scope(&checker->names);
  bool fits = bind_own_params(checker, arg, types, what);
  size_t errors = checker->sink->error_count;
  const struct type *type = type_resolve(check_expr(checker, arg->fn.body, hint));
  bool was_reported = type->kind == TYPE_NEVER && checker->sink->error_count > errors;
  type = was_reported ? &type_error : check_used(checker, arg->fn.body);
  names_close_scope(&checker->names);
  checker->open_function = open.outer;
  checker->loop_depth = loop_depth;
  checker->loop_has_break = loop_has_break;
  return fits ? type : &type_error;
}

// ---- Parameters handed on ------------------------------------------------------------------------------

static const struct type *hand_on(struct checker *checker, struct ast_expr *arg, struct ast_local *local,
                                  size_t count, const struct type *const *types, const char *what) {
  const struct type *type = local->type;
  bool fits = type->fn.count == count;
  for (size_t i = 0; i < count && fits; i++)
    fits = type_unify(type->fn.params[i], types[i]);
  arg->name.ref = (struct ast_ref){AST_REF_LOCAL, {.local = local}};
  arg->function->handed = local;
  check_note_local(checker, local);
  if (fits)
    return type->fn.result;
  const char *text = "";
  for (size_t i = 0; i < count; i++)
    text = arena_printf(checker->arena, "%s%s%s", text, i ? ", " : "", check_text(checker, types[i]));
  struct diag *d = diag_error(checker->sink, DIAG_WRONG_TYPE, arg->span, "%s is called with (%s)", what,
                              text);
  diag_primary_label(d, "this is %s", check_text(checker, type));
  diag_label(d, local->name.span, "declared here");
  diag_help(d, "convert in between: `fn(x) { %s(...) }`", local->name.text);
  return &type_error;
}

// ---- Named functions -----------------------------------------------------------------------------------

static const struct type *call_named(struct checker *checker, struct ast_expr *arg, size_t count,
                                     const struct type *const *types, const struct type *hint,
                                     const char *what) {
  struct ast_expr *callee = arena_new(checker->arena, struct ast_expr);
  struct ast_expr *call = arena_new(checker->arena, struct ast_expr);
  *callee = *arg;
  callee->function = NULL;
  call->kind = AST_EXPR_CALL;
  call->span = arg->span;
  call->call.callee = callee;
  arg->function->call = call;
  names_open_scope(&checker->names);
  for (size_t i = 0; i < count; i++) {
    struct ast_local *local = arena_new(checker->arena, struct ast_local);
    // No name of a program has a blank.
    *local = (struct ast_local){.kind = AST_LOCAL_PARAMETER, .index = (unsigned)i};
    local->name = (struct ast_name){arena_printf(checker->arena, "argument %zu", i + 1), SPAN_NONE};
    check_set_type(checker, &local->type, types[i]);
    names_bind(&checker->names, local);
    arena_push(checker->arena, &arg->function->params, local);
    struct ast_expr *value = arena_new(checker->arena, struct ast_expr);
    value->kind = AST_EXPR_NAME;
    value->span = arg->span;
    value->name.name = local->name;
    arena_push(checker->arena, &call->call.args, ((struct ast_arg){.value = value}));
  }
  size_t before = checker->sink->count;
  const struct type *type = check_value(checker, call, hint);
  names_close_scope(&checker->names);
  bool is_wrong = checker->sink->count > before && checker->sink->items[before]->span.lo == arg->span.lo;
  if (is_wrong) {
    const char *text = "";
    for (size_t i = 0; i < count; i++)
      text = arena_printf(checker->arena, "%s%s%s", text, i ? ", " : "", check_text(checker, types[i]));
    diag_note(checker->sink->items[before], "%s is called with (%s)", what, text);
  }
  return type;
}

const struct type *check_function_argument(struct checker *checker, struct ast_expr *arg, size_t count,
                                           const struct type *const *types, const struct type *hint,
                                           const char *what) {
  arg->function = arena_new(checker->arena, struct ast_function);
  if (arg->kind == AST_EXPR_FN)
    return check_own(checker, arg, count, types, hint, what);
  if (arg->kind == AST_EXPR_NAME || check_qualify(checker, arg)) {
    struct ast_ref ref = names_find(&checker->names, arg->name.name.text);
    if (ref.kind == AST_REF_LOCAL && ref.local->type && ref.local->type->kind == TYPE_FN)
      return hand_on(checker, arg, ref.local, count, types, what);
    return call_named(checker, arg, count, types, hint, what);
  }
  if (arg->kind == AST_EXPR_FIELD)
    return call_named(checker, arg, count, types, hint, what);
  const struct type *type = check_value(checker, arg, NULL);
  if (type->kind != TYPE_ERROR) {
    struct diag *d = diag_error(checker->sink, DIAG_FUNCTION_WANTED, arg->span, "%s is a function, not %s",
                                what, check_text(checker, type));
    diag_help(d, "name one, `f` or `cell.step`, or write it here: `fn(x) { ... }`");
  }
  return &type_error;
}

const struct type *check_function_result(struct checker *checker, struct ast_expr *arg,
                                         const struct type *wanted, const struct type *actual) {
  struct ast_expr *value = arg->kind == AST_EXPR_FN ? arg->fn.body : arg->function->call;
  return value ? check_convert(checker, value, wanted) : actual;
}

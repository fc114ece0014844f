// Calls of functions, methods and constructors: arguments in order, sizes solved, the result's type.
#include <string.h>

#include "compiler/base/nearest.h"
#include "compiler/check/checker.h"
#include "compiler/diag/habits.h"

// ---- Arguments in order --------------------------------------------------------------------------------

void check_args_anyway(struct checker *checker, struct ast_expr *call) {
  for (size_t i = 0; i < call->call.args.count; i++)
    check_expr(checker, call->call.args.items[i].value, NULL);
}

static size_t find_param(const struct ast_name *const *params, size_t count, const char *name) {
  size_t i = 0;
  while (i < count && strcmp(params[i]->text, name) != 0)
    i++;
  return i;
}

static void report_no_param(struct checker *checker, const struct ast_name *name, const char *target,
                            struct span declared, const struct ast_name *const *params, size_t count) {
  const char **names = arena_new_array(checker->arena, const char *, count);
  for (size_t i = 0; i < count; i++)
    names[i] = params[i]->text;
  struct diag *d = diag_error(checker->sink, DIAG_NAMED_ARGUMENT, name->span, "`%s` has no parameter `%s`",
                              target, name->text);
  diag_label(d, declared, "declared here");
  const char *near = nearest_name(name->text, names, count);
  if (near)
    diag_help(d, "did you mean `%s`?", near);
}

static void report_missing_args(struct checker *checker, const struct ast_expr *call, const char *target,
                                struct span declared, const struct ast_name *const *params, size_t count) {
  const char *missing = "";
  size_t missing_count = 0;
  for (size_t i = 0; i < count; i++)
    if (!call->call.resolved.args[i] && ++missing_count <= 6)
      missing = arena_printf(checker->arena, "%s%s`%s`", missing, missing_count > 1 ? ", " : "",
                             params[i]->text);
  struct diag *d = diag_error(checker->sink, DIAG_ARGUMENT_COUNT, call->span, "`%s` takes %s, not %zu",
                              target, check_count_text(checker, count, "argument"), call->call.args.count);
  diag_primary_label(d, "missing: %s%s", missing, missing_count > 6 ? ", ..." : "");
  diag_label(d, declared, "declared here");
}

bool check_arrange_args(struct checker *checker, struct ast_expr *call, const char *target,
                        struct span declared, const struct ast_name *const *params, size_t count) {
  const struct ast_args *given = &call->call.args;
  if (given->count > count) {
    struct diag *d = diag_error(checker->sink, DIAG_ARGUMENT_COUNT, given->items[count].value->span,
                                "`%s` takes %s, not %zu", target,
                                check_count_text(checker, count, "argument"), given->count);
    diag_label(d, declared, "declared here");
    return false;
  }
  struct ast_expr **args = arena_new_array(checker->arena, struct ast_expr *, count);
  for (size_t i = 0; i < given->count; i++) {
    const struct ast_name *name = &given->items[i].name;
    size_t at = name->text ? find_param(params, count, name->text) : i;
    if (at == count) {
      report_no_param(checker, name, target, declared, params, count);
      return false;
    }
    if (args[at]) {
      struct diag *d = diag_error(checker->sink, DIAG_NAMED_ARGUMENT, name->span, "`%s` is given twice",
                                  name->text);
      diag_label(d, args[at]->span, "given here first");
      return false;
    }
    args[at] = given->items[i].value;
  }
  call->call.resolved.args = args;
  call->call.resolved.arg_count = count;
  if (given->count == count)
    return true;
  report_missing_args(checker, call, target, declared, params, count);
  return false;
}

// ---- Solving sizes and types ---------------------------------------------------------------------------

// An equation between a dimension of a parameter's type and one of an argument's, that waits for other sizes.
struct equation {
  const struct size *pattern;
  const struct size *actual;
  size_t arg;
};

// A part of a parameter's type and the not yet known type of `[]` that must fit it.
struct later {
  const struct type *pattern;
  const struct type *actual;
};

struct solver {
  struct checker *checker;
  struct size_binding *bindings;  // of the target's size variables, then of its type variables
  size_t count;
  struct span origin;  // of the current argument
  size_t arg;
  struct {
    struct equation *items;
    size_t count, capacity;
  } postponed;
  struct {
    struct later *items;
    size_t count, capacity;
  } later;
};

static bool match_sizes(struct solver *solver, const struct size *const *patterns,
                        const struct size *const *actuals, size_t count) {
  for (size_t i = 0; i < count; i++) {
    switch (sizes_solve(solver->checker->arena, patterns[i], actuals[i], solver->bindings, solver->count,
                        solver->origin)) {
    case SIZES_SOLVED:
    case SIZES_EQUAL: break;
    case SIZES_DIFFERENT: return false;
    case SIZES_POSTPONED:
      arena_push(solver->checker->arena, &solver->postponed,
                 ((struct equation){patterns[i], actuals[i], solver->arg}));
      break;
    }
  }
  return true;
}

// A type variable is what it is met with first.
static bool match_generic(struct solver *solver, const struct type *pattern, const struct type *actual) {
  struct size_binding *binding = NULL;
  for (size_t i = 0; i < solver->count && !binding; i++)
    if (solver->bindings[i].type_var == pattern->generic)
      binding = &solver->bindings[i];
  if (!binding)
    return type_unify(pattern, actual);
  if (binding->type)
    return type_unify(binding->type, actual);
  check_set_type(solver->checker, &binding->type, actual);
  binding->origin = solver->origin;
  return true;
}

static bool match_batch_sizes(struct solver *solver, const struct size *pattern, const struct size *actual);

// The pattern's size and type variables are unknowns; everything else in it means the same as in the actual type.
static bool match_type(struct solver *solver, const struct type *pattern, const struct type *actual) {
  actual = type_resolve(actual);
  if (actual->kind == TYPE_ERROR || pattern->kind == TYPE_ERROR)
    return true;
  if (pattern->kind == TYPE_GENERIC)
    return match_generic(solver, pattern, actual);
  if (actual->kind == TYPE_VARIABLE) {
    arena_push(solver->checker->arena, &solver->later, ((struct later){pattern, actual}));
    return true;
  }
  if (pattern->kind != actual->kind)
    return false;
  switch (pattern->kind) {
  case TYPE_TENSOR:
    return pattern->tensor.rank == actual->tensor.rank &&
           match_sizes(solver, pattern->tensor.sizes, actual->tensor.sizes, pattern->tensor.rank);
  case TYPE_DATA:
    return pattern->data.decl == actual->data.decl &&
           match_sizes(solver, pattern->data.sizes, actual->data.sizes, pattern->data.decl->size_vars.count);
  case TYPE_LIST: return match_type(solver, pattern->list.element, actual->list.element);
  case TYPE_BATCH:
    return match_type(solver, pattern->batch.element, actual->batch.element) &&
           match_batch_sizes(solver, pattern->batch.size, actual->batch.size);
  case TYPE_TUPLE:
    if (pattern->tuple.count != actual->tuple.count)
      return false;
    for (size_t i = 0; i < pattern->tuple.count; i++)
      if (!match_type(solver, pattern->tuple.items[i], actual->tuple.items[i]))
        return false;
    return true;
  default: return type_unify(pattern, actual);
  }
}

static bool is_one(const struct size *size) {
  int64_t value;
  return size_is_constant(size, &value) && value == 1;
}

// Sizes of batches need only go together. A variable that was 1 becomes what a longer one has.
static bool match_batch_sizes(struct solver *solver, const struct size *pattern, const struct size *actual) {
  struct arena *arena = solver->checker->arena;
  for (size_t i = 0; i < solver->count; i++) {
    struct size_binding *binding = &solver->bindings[i];
    if (binding->symbol && binding->size && size_as_atom(pattern) == &binding->symbol->atom &&
        is_one(binding->size))
      binding->size = NULL;
  }
  if (sizes_solve(arena, pattern, actual, solver->bindings, solver->count, solver->origin) != SIZES_DIFFERENT)
    return true;
  const struct size *known = sizes_substitute(arena, pattern, solver->bindings, solver->count);
  return known && type_common_batch(known, actual);
}

// An argument that is a batch where one value is wanted: the function is done to each element. So does a list of host
// values beside one that is a batch.
static void take_element(struct checker *checker, struct ast_expr *arg, const struct type *pattern) {
  const struct type *actual = type_resolve(arg->type);
  if (pattern->kind == TYPE_BATCH || pattern->kind == TYPE_GENERIC || pattern->kind == TYPE_FN)
    return;
  if (actual->kind == TYPE_BATCH)
    check_element(checker, arg);
  else if (actual->kind == TYPE_LIST && pattern->kind != TYPE_LIST && checker->lift->size &&
           type_equal(actual->list.element, pattern))
    check_list_element(checker, arg);
}

// A value where a batch is wanted is one of a single element.
static bool match_single(struct solver *solver, struct ast_expr *arg, const struct type *pattern) {
  struct arena *arena = solver->checker->arena;
  const struct type *element = pattern->batch.element;
  if (type_is_scalar(element) && type_is_host_number(arg->type))
    arg->conversion = AST_CONVERT_TO_SCALAR_BATCH;
  else if (match_type(solver, element, arg->type))
    arg->conversion = AST_CONVERT_TO_BATCH;
  else
    return false;
  struct size_binding *open = sizes_determined(arena, pattern->batch.size, solver->bindings, solver->count);
  if (open && size_as_atom(pattern->batch.size))
    open->size = size_constant(arena, 1);
  return true;
}

static bool is_solved(const struct size_binding *binding) { return binding->size || binding->type; }

// The bindings that have been solved, in front of an array of the same length.
static struct size_binding *solved(const struct solver *solver, size_t *count) {
  struct size_binding *known = arena_new_array(solver->checker->arena, struct size_binding, solver->count);
  *count = 0;
  for (size_t i = 0; i < solver->count; i++)
    if (is_solved(&solver->bindings[i]))
      known[(*count)++] = solver->bindings[i];
  return known;
}

// The type with the sizes and types solved so far put in; NULL on overflow.
static const struct type *apply(const struct solver *solver, const struct type *type) {
  size_t count;
  const struct size_binding *known = solved(solver, &count);
  return type_substitute(solver->checker->arena, type, known, count);
}

// ---- What is called ------------------------------------------------------------------------------------

// A function, method or constructor, seen alike.
struct callee {
  const char *name;
  const struct ast_name *declared;
  const struct ast_size_vars *size_vars;
  const struct ast_type_vars *type_vars;  // NULL of a constructor
  size_t count;
  const struct ast_name **params;
  const struct type **types;      // of the parameters, the receiver's layer parameters replaced
  const struct span *type_spans;  // where they are declared
  const struct type *result;
  const struct type *receiver;  // of a method called on an instance; otherwise NULL
};

// Whether the variable stands in the type: it becomes another one, then.
static bool mentions(struct checker *checker, const struct type *pattern,
                     const struct size_binding *binding) {
  struct size_binding probe = {.symbol = binding->symbol, .type_var = binding->type_var};
  // A size that nobody writes: of batches, 1 is as good as every other.
  if (probe.symbol)
    probe.size = size_constant(checker->arena, INT32_MAX);
  else
    probe.type = &type_never;
  return !type_equal(pattern, type_substitute(checker->arena, pattern, &probe, 1));
}

static const char *variable_name(const struct size_binding *binding) {
  return binding->symbol ? binding->symbol->atom.name : binding->type_var->name.text;
}

static void label_bindings(struct checker *checker, struct diag *d, const struct solver *solver,
                           const struct type *pattern) {
  for (size_t i = 0; d && i < solver->count; i++) {
    const struct size_binding *binding = &solver->bindings[i];
    if (is_solved(binding) && mentions(checker, pattern, binding))
      diag_label(d, binding->origin, "this makes `%s` be %s", variable_name(binding),
                 binding->size ? size_text(checker->arena, binding->size)
                               : check_text(checker, binding->type));
  }
}

static void report_argument(const struct solver *solver, const struct callee *callee, struct ast_expr *arg,
                            size_t i) {
  struct checker *checker = solver->checker;
  const struct type *pattern = callee->types[i], *wanted = apply(solver, pattern);
  const struct type *actual = type_resolve(arg->type);
  if (!wanted || type_has_error(actual) || type_has_error(wanted))
    return;
  bool are_shapes = wanted->kind == TYPE_TENSOR && actual->kind == TYPE_TENSOR;
  struct diag *d = diag_error(checker->sink, are_shapes ? DIAG_WRONG_SHAPE : DIAG_WRONG_TYPE, arg->span,
                              "`%s` of `%s` must be %s, not %s", callee->params[i]->text, callee->name,
                              check_text(checker, wanted), check_text(checker, actual));
  diag_primary_label(d, "this is %s", check_text(checker, actual));
  label_bindings(checker, d, solver, pattern);
  if (callee->receiver)
    diag_label(d, callee->type_spans[i], "declared here; the layer is %s",
               check_text(checker, callee->receiver));
  else
    diag_label(d, callee->type_spans[i], "declared here");
  check_label_type_sizes(checker, d, wanted, actual);
  if (type_equal(wanted, actual))
    diag_note(d, "no size fits `%s`", check_text(checker, pattern));
  else if (check_suggest_conversion(checker, arg, wanted))
    diag_help(d, "%s", check_suggest_conversion(checker, arg, wanted));
}

// A variable of the callee that is not solved yet and stands in the type; NULL: none.
static const struct size_binding *open_variable(const struct solver *solver, const struct type *pattern) {
  for (size_t i = 0; i < solver->count; i++)
    if (!is_solved(&solver->bindings[i]) && mentions(solver->checker, pattern, &solver->bindings[i]))
      return &solver->bindings[i];
  return NULL;
}

// What a function that is an argument declares of its parameter `param`; NULL where it says nothing.
static const struct type *declared_param(struct checker *checker, struct ast_expr *arg, size_t param) {
  if (arg->kind == AST_EXPR_FN && param < arg->fn.params.count && arg->fn.params.items[param].type)
    return check_type(checker, arg->fn.params.items[param].type);
  if (arg->kind != AST_EXPR_NAME && !check_qualify(checker, arg))
    return NULL;
  struct ast_ref ref = names_find(&checker->names, arg->name.name.text);
  const struct type *type = ref.kind == AST_REF_LOCAL ? ref.local->type : NULL;
  if (type && type->kind == TYPE_FN)
    return param < type->fn.count ? type->fn.params[param] : NULL;
  bool is_plain = ref.kind == AST_REF_FN && ref.fn->size_vars.count == 0 && ref.fn->type_vars.count == 0;
  return is_plain && param < ref.fn->params.count ? ref.fn->params.items[param].local->type : NULL;
}

// What the functions among the arguments want where the callee has this type variable: in `fold(xs, 0, add)` it
// decides what sort of number 0 is.
static const struct type *wanted_by_functions(const struct solver *solver, const struct callee *callee,
                                              struct ast_expr *const *args, const struct ast_type_var *var) {
  for (size_t i = 0; i < callee->count; i++) {
    const struct type *type = callee->types[i];
    for (size_t k = 0; type->kind == TYPE_FN && k < type->fn.count; k++) {
      if (type->fn.params[k]->kind != TYPE_GENERIC || type->fn.params[k]->generic != var)
        continue;
      const struct type *wanted = declared_param(solver->checker, args[i], k);
      if (wanted && !type_has_error(wanted))
        return wanted;
    }
  }
  return NULL;
}

// An argument whose type is known by now is checked like any other value.
static bool check_argument(struct solver *solver, const struct callee *callee, struct ast_expr *const *args,
                           size_t i) {
  struct checker *checker = solver->checker;
  struct ast_expr *arg = args[i];
  const struct type *pattern = callee->types[i];
  solver->origin = arg->span;
  solver->arg = i;
  const struct type *hint = NULL;
  if (!open_variable(solver, pattern))
    hint = apply(solver, pattern);
  else if (pattern->kind == TYPE_GENERIC)
    hint = wanted_by_functions(solver, callee, args, pattern->generic);
  const struct type *actual = check_value(checker, arg, hint);
  if (actual->kind == TYPE_ERROR || pattern->kind == TYPE_ERROR)
    return false;
  take_element(checker, arg, pattern);
  if (pattern->kind == TYPE_BATCH && actual->kind != TYPE_BATCH) {
    if (match_single(solver, arg, pattern))
      return true;
    report_argument(solver, callee, arg, i);
    return false;
  }
  actual = check_convert(checker, arg, hint ? hint : pattern);
  if (match_type(solver, pattern, actual))
    return true;
  report_argument(solver, callee, arg, i);
  return false;
}

static void report_result(const struct solver *solver, const struct callee *callee,
                          const struct ast_expr *arg, size_t i, const struct type *actual) {
  struct checker *checker = solver->checker;
  const struct type *pattern = callee->types[i]->fn.result, *wanted = apply(solver, pattern);
  if (!wanted || type_has_error(actual) || type_has_error(wanted))
    return;
  struct diag *d = diag_error(checker->sink, DIAG_WRONG_TYPE, arg->span, "`%s` of `%s` must give %s, not %s",
                              callee->params[i]->text, callee->name, check_text(checker, wanted),
                              check_text(checker, actual));
  diag_primary_label(d, "this gives %s", check_text(checker, actual));
  label_bindings(checker, d, solver, pattern);
  diag_label(d, callee->type_spans[i], "declared here");
  check_label_type_sizes(checker, d, wanted, type_resolve(actual));
  if (type_is_host_number(wanted) && type_is_scalar(actual))
    diag_help(d, "where a sum of tensors begins with a number, give it a name: `let zero: f32 = 0`");
}

// An argument that is a function, when the types of all values are known.
static bool check_function(struct solver *solver, const struct callee *callee, struct ast_expr *arg,
                           size_t i) {
  struct checker *checker = solver->checker;
  const struct type *pattern = callee->types[i];
  size_t count = pattern->fn.count;
  const struct type **types = arena_new_array(checker->arena, const struct type *, count);
  const char *what = arena_printf(checker->arena, "`%s` of `%s`", callee->params[i]->text, callee->name);
  solver->origin = arg->span;
  solver->arg = i;
  for (size_t k = 0; k < count; k++) {
    const struct size_binding *open = open_variable(solver, pattern->fn.params[k]);
    types[k] = open ? NULL : apply(solver, pattern->fn.params[k]);
    if (types[k])
      continue;
    struct diag *d = diag_error(checker->sink, open ? DIAG_TYPE_UNSOLVED : DIAG_SIZE_OVERFLOW, arg->span,
                                open ? "nothing before tells what %s is called with"
                                     : "a size in what %s is called with is too large",
                                what);
    diag_label(d, callee->type_spans[i], "declared here");
    return false;
  }
  const struct type *hint = open_variable(solver, pattern->fn.result) ? NULL
                                                                      : apply(solver, pattern->fn.result);
  const struct type *actual = check_function_argument(checker, arg, count, types, hint, what);
  if (actual->kind == TYPE_ERROR)
    return false;
  actual = check_function_result(checker, arg, hint ? hint : pattern->fn.result, actual);
  if (!match_type(solver, pattern->fn.result, actual)) {
    report_result(solver, callee, arg, i, actual);
    return false;
  }
  const struct type *result = apply(solver, pattern->fn.result);
  check_set_type(checker, &arg->type, type_fn(checker->arena, count, types, result ? result : actual));
  return true;
}

// Equations that waited, as often as one of them solves something. False after a report.
static bool solve_postponed(struct solver *solver, const struct callee *callee,
                            struct ast_expr *const *args) {
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t i = 0; i < solver->postponed.count; i++) {
      struct equation *equation = &solver->postponed.items[i];
      solver->origin = args[equation->arg]->span;
      switch (sizes_solve(solver->checker->arena, equation->pattern, equation->actual, solver->bindings,
                          solver->count, solver->origin)) {
      case SIZES_POSTPONED: continue;
      case SIZES_DIFFERENT: report_argument(solver, callee, args[equation->arg], equation->arg); return false;
      case SIZES_SOLVED:
      case SIZES_EQUAL: break;
      }
      *equation = solver->postponed.items[--solver->postponed.count];
      progress = true;
      i--;
    }
  }
  return true;
}

// Sizes that no argument tells follow from the type that is wanted: `Empty` where State[H] is expected.
static void solve_from_hint(struct solver *solver, const struct callee *callee, const struct type *hint) {
  hint = hint ? type_resolve(hint) : NULL;
  if (!hint || hint->kind != TYPE_DATA || callee->result->kind != TYPE_DATA ||
      hint->data.decl != callee->result->data.decl)
    return;
  for (size_t i = 0; i < callee->result->data.decl->size_vars.count && i < solver->count; i++)
    if (solver->bindings[i].symbol && !solver->bindings[i].size)
      solver->bindings[i].size = hint->data.sizes[i];
}

static bool check_all_solved(struct solver *solver, const struct callee *callee, struct span span) {
  for (size_t i = 0; i < solver->count; i++) {
    const struct size_binding *binding = &solver->bindings[i];
    if (is_solved(binding))
      continue;
    const char *name = variable_name(binding);
    if (binding->symbol ? callee->size_vars->items[i]->is_undetermined : binding->type_var->is_undetermined)
      return false;
    struct diag *d = diag_error(solver->checker->sink,
                                binding->symbol ? DIAG_SIZE_UNSOLVED : DIAG_TYPE_UNSOLVED, span,
                                "nothing tells what `%s` of `%s` is", name, callee->name);
    diag_label(d, binding->symbol ? binding->symbol->declared : binding->type_var->name.span,
               "`%s` is declared here", name);
    if (callee->result->kind == TYPE_DATA)
      diag_help(d, "write the type of what it is stored in: `let x: %s = ...`",
                check_text(solver->checker, callee->result));
    return false;
  }
  return true;
}

static bool unify_later(struct solver *solver, const struct callee *callee, struct ast_expr *const *args) {
  for (size_t i = 0; i < solver->later.count; i++) {
    const struct type *type = apply(solver, solver->later.items[i].pattern);
    if (!type || !type_unify(type, solver->later.items[i].actual)) {
      for (size_t k = 0; k < callee->count; k++)
        if (type_has_variables(args[k]->type))
          report_argument(solver, callee, args[k], k);
      return false;
    }
  }
  return true;
}

static bool check_bounds(const struct solver *solver, const struct callee *callee, struct span span) {
  for (size_t i = 0; i < solver->count; i++) {
    const struct size_binding *binding = &solver->bindings[i];
    if (binding->type_var && !check_bound(solver->checker, binding->type_var, binding->type,
                                          binding->origin.file ? binding->origin : span, callee->name))
      return false;
  }
  return true;
}

static size_t variable_count(const struct callee *callee) {
  return callee->size_vars->count + (callee->type_vars ? callee->type_vars->count : 0);
}

// Checks the arranged arguments and gives the result's type; fills the call's bindings.
static const struct type *check_applied(struct checker *checker, struct ast_expr *expr,
                                        const struct callee *callee, struct ast_expr *const *args,
                                        const struct type *hint, struct size_binding **bindings_out) {
  size_t sizes = callee->size_vars->count, count = variable_count(callee);
  struct solver solver = {.checker = checker, .count = count};
  solver.bindings = arena_new_array(checker->arena, struct size_binding, count);
  for (size_t i = 0; i < count; i++) {
    if (i < sizes)
      solver.bindings[i].symbol = size_symbol_of(size_as_atom(callee->size_vars->items[i]->size));
    else
      solver.bindings[i].type_var = callee->type_vars->items[i - sizes];
  }
  bool failed = false;
  for (size_t i = 0; i < callee->count; i++)
    if (callee->types[i]->kind != TYPE_FN)
      failed |= !check_argument(&solver, callee, args, i);
  failed = failed || !solve_postponed(&solver, callee, args);
  for (size_t i = 0; i < callee->count; i++)
    if (callee->types[i]->kind == TYPE_FN)
      failed = failed || !check_function(&solver, callee, args[i], i);
  if (failed || !solve_postponed(&solver, callee, args)) {
    // The result may still be clear; otherwise nothing more is said about it.
    size_t known;
    solved(&solver, &known);
    const struct type *result = known == count ? apply(&solver, callee->result) : NULL;
    return result ? result : &type_error;
  }
  solve_from_hint(&solver, callee, hint);
  if (!check_all_solved(&solver, callee, expr->span) || !unify_later(&solver, callee, args) ||
      !check_bounds(&solver, callee, expr->span))
    return &type_error;
  *bindings_out = solver.bindings;
  const struct type *result = apply(&solver, callee->result);
  if (result)
    return result;
  diag_error(checker->sink, DIAG_SIZE_OVERFLOW, expr->span, "a size in the result of `%s` is too large",
             callee->name);
  return &type_error;
}

static const struct type *check_callee(struct checker *checker, struct ast_expr *expr,
                                       const struct callee *callee, const struct type *hint) {
  if (!check_arrange_args(checker, expr, callee->name, callee->declared->span, callee->params,
                          callee->count)) {
    check_args_anyway(checker, expr);
    return variable_count(callee) == 0 ? callee->result : &type_error;
  }
  struct ast_call *call = &expr->call.resolved;
  call->binding_count = variable_count(callee);
  return check_applied(checker, expr, callee, call->args, hint, &call->bindings);
}

// ---- Functions and methods -----------------------------------------------------------------------------

// `receiver` is the instance's type, or NULL. False when the signature has errors of its own.
static bool callee_of_fn(struct checker *checker, struct ast_fn *fn, const struct type *receiver,
                         struct callee *callee) {
  size_t count = fn->params.count, layer_count = 0;
  const struct size_binding *layer = NULL;
  if (receiver)
    layer = type_layer_bindings(checker->arena, receiver, &layer_count);
  const struct ast_name **params = arena_new_array(checker->arena, const struct ast_name *, count);
  const struct type **types = arena_new_array(checker->arena, const struct type *, count);
  struct span *spans = arena_new_array(checker->arena, struct span, count);
  for (size_t i = 0; i < count; i++) {
    params[i] = &fn->params.items[i].local->name;
    types[i] = type_substitute(checker->arena, fn->params.items[i].local->type, layer, layer_count);
    if (!types[i])
      types[i] = &type_error;
    spans[i] = fn->params.items[i].span;
  }
  const struct type *result = type_substitute(checker->arena, fn->result_type, layer, layer_count);
  *callee = (struct callee){.name = fn->name.text,
                            .declared = &fn->name,
                            .size_vars = &fn->size_vars,
                            .type_vars = &fn->type_vars,
                            .count = count,
                            .params = params,
                            .types = types,
                            .type_spans = spans,
                            .result = result ? result : &type_error,
                            .receiver = receiver};
  return true;
}

static void record_call(struct checker *checker, const struct ast_expr *expr, struct ast_fn *fn) {
  if (!checker->fn)
    return;
  fn->is_called |= fn != checker->fn;
  const struct size_binding *bindings = expr->call.resolved.bindings;
  size_t count = fn->size_vars.count;
  const struct size **sizes = arena_new_array(checker->arena, const struct size *, count);
  for (size_t i = 0; bindings && i < count; i++)
    sizes[i] = bindings[i].size;
  const struct use_edge edge = {.user = checker->fn,
                                .used = fn,
                                .fn = fn,
                                .user_vars = &checker->fn->size_vars,
                                .used_vars = &fn->size_vars,
                                .sizes = bindings ? sizes : NULL,
                                .user_fn = checker->fn,
                                .call = bindings ? &expr->call.resolved : NULL,
                                .span = expr->span};
  arena_push(checker->arena, &checker->edges, edge);
}

static const struct type *call_fn(struct checker *checker, struct ast_expr *expr, struct ast_fn *fn,
                                  struct ast_expr *receiver) {
  struct ast_call *call = &expr->call.resolved;
  call->kind = fn->layer ? AST_CALL_METHOD : AST_CALL_FN;
  call->target = (struct ast_ref){AST_REF_FN, {.fn = fn}};
  call->receiver = receiver;
  if (fn->is_metric) {
    struct diag *d = diag_error(checker->sink, DIAG_NOT_CALLABLE, expr->call.callee->span,
                                "the metric `%s` cannot be called", fn->name.text);
    diag_label(d, fn->name.span, "declared here");
    diag_help(d, "move what is needed twice into a function");
    check_args_anyway(checker, expr);
    return &type_error;
  }
  struct callee callee;
  callee_of_fn(checker, fn, receiver ? type_resolve(receiver->type) : NULL, &callee);
  const struct type *type = check_callee(checker, expr, &callee, NULL);
  record_call(checker, expr, fn);
  return type;
}

// ---- Parameters that are functions ---------------------------------------------------------------------

// Where the types of the parameter's own parameters are written.
static const struct ast_types *types_of_param(const struct ast_fn *fn, const struct ast_local *local) {
  for (size_t i = 0; i < fn->params.count; i++)
    if (fn->params.items[i].local == local)
      return &fn->params.items[i].type->fn.params;
  return NULL;
}

static const struct type *call_value(struct checker *checker, struct ast_expr *expr,
                                     struct ast_local *local) {
  static const struct ast_size_vars no_sizes;
  const struct type *type = local->type;
  const struct ast_types *written = types_of_param(checker->fn, local);
  size_t count = type->fn.count;
  const struct ast_name **params = arena_new_array(checker->arena, const struct ast_name *, count);
  const struct type **types = arena_new_array(checker->arena, const struct type *, count);
  struct span *spans = arena_new_array(checker->arena, struct span, count);
  for (size_t i = 0; i < count; i++) {
    struct ast_name *name = arena_new(checker->arena, struct ast_name);
    *name = (struct ast_name){arena_printf(checker->arena, "argument %zu", i + 1), SPAN_NONE};
    params[i] = name;
    types[i] = type->fn.params[i];
    spans[i] = written->items[i]->span;
  }
  const struct callee callee = {.name = local->name.text,
                                .declared = &local->name,
                                .size_vars = &no_sizes,
                                .count = count,
                                .params = params,
                                .types = types,
                                .type_spans = spans,
                                .result = type->fn.result};
  expr->call.resolved.kind = AST_CALL_VALUE;
  check_note_local(checker, local);
  return check_callee(checker, expr, &callee, NULL);
}

// ---- Constructors --------------------------------------------------------------------------------------

static struct callee callee_of_constructor(struct checker *checker,
                                           const struct ast_constructor *constructor) {
  size_t count = constructor->fields.count;
  const struct ast_name **params = arena_new_array(checker->arena, const struct ast_name *, count);
  const struct type **types = arena_new_array(checker->arena, const struct type *, count);
  struct span *spans = arena_new_array(checker->arena, struct span, count);
  for (size_t i = 0; i < count; i++) {
    const struct ast_data_field *field = &constructor->fields.items[i];
    params[i] = &field->name;
    types[i] = field->type->type;
    spans[i] = span_join(field->name.span, field->type->span);
  }
  return (struct callee){.name = constructor->name.text,
                         .declared = &constructor->name,
                         .size_vars = &constructor->parent->size_vars,
                         .count = count,
                         .params = params,
                         .types = types,
                         .type_spans = spans,
                         .result = constructor->parent->type};
}

const struct type *check_nullary(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  const struct ast_constructor *constructor = expr->name.ref.constructor;
  struct callee callee = callee_of_constructor(checker, constructor);
  struct size_binding *bindings = NULL;
  if (callee.count == 0)
    return check_applied(checker, expr, &callee, NULL, hint, &bindings);
  struct diag *d = diag_error(checker->sink, DIAG_ARGUMENT_COUNT, expr->span, "`%s` takes %s",
                              constructor->name.text, check_count_text(checker, callee.count, "argument"));
  diag_label(d, constructor->name.span, "declared here");
  return &type_error;
}

// ---- Entries of vocabs, members of enums -----------------------------------------------------------------

// `Word(s)` of a text, `Tag(i)` of an int.
static const struct type *call_set(struct checker *checker, struct ast_expr *expr) {
  struct ast_call *call = &expr->call.resolved;
  const struct ast_args *given = &expr->call.args;
  const struct type *index = type_resolve(check_members(checker, expr->call.callee));
  const char *name = check_text(checker, index);
  call->kind = AST_CALL_SET;
  if (given->count != 1 || given->items[0].name.text) {
    struct diag *d = diag_error(checker->sink, DIAG_ARGUMENT_COUNT, expr->span, "`%s` takes one text or int",
                                name);
    diag_help(d, "`%s(s)` is the index of a text, `%s(i)` that of a position", name, name);
    check_args_anyway(checker, expr);
    return index;
  }
  call->args = arena_new_array(checker->arena, struct ast_expr *, 1);
  call->args[0] = given->items[0].value;
  call->arg_count = 1;
  const struct type *type = check_value(checker, call->args[0], NULL);
  if (type->kind != TYPE_TEXT && type->kind != TYPE_INT && type->kind != TYPE_ERROR) {
    struct diag *d = diag_error(checker->sink, DIAG_BUILTIN_ARGUMENT, call->args[0]->span,
                                "`%s` takes a text or an int, not %s", name, check_text(checker, type));
    check_label_operand(checker, d, call->args[0]);
  }
  return index;
}

// ---- Calls ---------------------------------------------------------------------------------------------

// `dense(x)` is written `dense.apply(x)`: the first function is named.
static void help_call_member(struct checker *checker, struct diag *diag, const char *name,
                             const struct type *type) {
  type = type ? type_resolve(type) : &type_error;
  const char *functions = NULL;
  if (type->kind == TYPE_LAYER) {
    const struct ast_decls *members = &type->layer.decl->members;
    for (size_t i = 0; i < members->count; i++)
      if (members->items[i]->kind == AST_DECL_FN)
        functions = arena_printf(checker->arena, "%s%s`%s.%s(...)`", functions ? functions : "",
                                 functions ? ", " : "", name, members->items[i]->fn->name.text);
  }
  if (functions)
    diag_help(diag, "call one of its functions: %s", functions);
  else if (type->kind == TYPE_LIST)
    diag_help(diag, "choose an element first: `%s[i].f(...)`", name);
  else
    diag_help(diag, "call one of its functions: `%s.f(...)`", name);
}

static const struct type *not_callable(struct checker *checker, struct ast_expr *expr,
                                       const struct ast_ref *ref) {
  const struct ast_expr *callee = expr->call.callee;
  const char *name = callee->kind == AST_EXPR_NAME ? callee->name.name.text : callee->field.name.text;
  if (ref->kind == AST_REF_LOCAL && ref->local->type && type_has_error(ref->local->type)) {
    check_args_anyway(checker, expr);
    return &type_error;
  }
  struct diag *d;
  if (ref->kind == AST_REF_LAYER) {
    d = diag_error(checker->sink, DIAG_LAYER_AS_VALUE, expr->span,
                   "an instance of a layer cannot be made in a function");
    diag_help(d, "declare it at top level or in the layer: `let x = %s(...)`; its parameters exist once",
              name);
  } else {
    d = diag_error(checker->sink, DIAG_NOT_CALLABLE, callee->span, "`%s` is %s and cannot be called", name,
                   check_ref_text(checker, ref));
    if (ref->kind == AST_REF_INSTANCE)
      help_call_member(checker, d, name, ref->instance->type);
    else if (ref->kind == AST_REF_LOCAL && builtin_find(name))
      diag_note(d, "the local name hides the builtin function `%s`", name);
  }
  diag_label(d, names_declared_at(ref), "declared here");
  if (ref->kind != AST_REF_LAYER)
    check_args_anyway(checker, expr);
  return &type_error;
}

static const struct type *call_name(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  struct ast_expr *callee = expr->call.callee;
  struct ast_ref ref = check_find_case(checker, callee->name.name.text, hint);
  struct ast_call *call = &expr->call.resolved;
  callee->name.ref = call->target = ref;
  switch (ref.kind) {
  case AST_REF_NONE:
    names_report_unknown(&checker->names, &callee->name.name, NAMES_VALUES);
    check_args_anyway(checker, expr);
    return &type_error;
  case AST_REF_FN: return call_fn(checker, expr, ref.fn, NULL);
  case AST_REF_BUILTIN: return check_builtin_call(checker, expr, ref.builtin, hint);
  case AST_REF_CONSTRUCTOR: {
    call->kind = AST_CALL_CONSTRUCTOR;
    struct callee constructor = callee_of_constructor(checker, ref.constructor);
    return check_callee(checker, expr, &constructor, hint);
  }
  case AST_REF_VOCAB:
  case AST_REF_ENUM: return call_set(checker, expr);
  case AST_REF_LAYER_PARAM:
    if (ref.layer_param->kind == AST_LAYER_PARAM_INDEX)
      return call_set(checker, expr);
    break;
  case AST_REF_LOCAL:
    if (ref.local->type && ref.local->type->kind == TYPE_FN)
      return call_value(checker, expr, ref.local);
    check_note_local(checker, ref.local);
    break;
  default: break;
  }
  return not_callable(checker, expr, &ref);
}

static const struct type *call_field(struct checker *checker, struct ast_expr *expr,
                                     const struct type *hint) {
  struct ast_expr *callee = expr->call.callee, *base = callee->field.base;
  const struct ast_name *name = &callee->field.name;
  if (check_qualify(checker, callee))
    return call_name(checker, expr, hint);
  if (check_foreign_field(checker, base, name) || check_report_path(checker, callee)) {
    check_args_anyway(checker, expr);
    return &type_error;
  }
  const struct type *type = check_receiver(checker, base);
  if (type->kind == TYPE_LAYER) {
    struct ast_ref ref = check_find_member(type->layer.decl, name->text);
    callee->field.kind = AST_FIELD_MEMBER;
    callee->field.ref = ref;
    if (ref.kind == AST_REF_FN)
      return call_fn(checker, expr, ref.fn, base);
    if (ref.kind != AST_REF_NONE)
      return not_callable(checker, expr, &ref);
    check_report_no_member(checker, name, type);
  } else if (type->kind != TYPE_ERROR) {
    struct diag *d = diag_error(checker->sink, DIAG_NOT_CALLABLE, name->span, "%s has no function `%s`",
                                check_text(checker, type), name->text);
    check_label_operand(checker, d, base);
    struct ast_ref ref = names_find(&checker->names, name->text);
    const char *habit = check_member_habit(type, name->text);
    if (habit)
      diag_help(d, "%s", habit);
    else if (ref.kind == AST_REF_BUILTIN || (ref.kind == AST_REF_FN && !ref.fn->layer))
      diag_help(d, "write `%s(%s%s)`", name->text, base->kind == AST_EXPR_NAME ? base->name.name.text : "x",
                expr->call.args.count > 0 ? ", ..." : "");
    else if (type->kind == TYPE_LIST && type_has_layer(type))
      diag_help(d, "choose an element first: `xs[i].%s(...)`", name->text);
  }
  check_args_anyway(checker, expr);
  return &type_error;
}

const struct type *check_call(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  struct ast_expr *callee = expr->call.callee;
  if (callee->kind == AST_EXPR_NAME)
    return call_name(checker, expr, hint);
  if (callee->kind == AST_EXPR_FIELD)
    return call_field(checker, expr, hint);
  const struct type *type = check_value(checker, callee, NULL);
  check_args_anyway(checker, expr);
  if (type->kind == TYPE_ERROR)
    return type;
  struct diag *d = diag_error(checker->sink, DIAG_NOT_CALLABLE, callee->span, "%s cannot be called",
                              check_text(checker, type));
  if (callee->kind == AST_EXPR_FILL && callee->fill.kind == AST_FILL_NORMAL)
    diag_help(d, "of another mean and standard deviation: `mean + std * normal[n]`");
  if (callee->kind == AST_EXPR_FILL && callee->fill.kind == AST_FILL_UNIFORM)
    diag_help(d, "between other bounds: `low + (high - low) * uniform[n]`");
  return &type_error;
}

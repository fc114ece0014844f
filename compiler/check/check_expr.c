// Expressions: which check belongs to which kind, literals and names, lists, branches, and how a value fits
// where it is wanted. Operators, indexing and calls have files of their own.
#include "compiler/check/checker.h"

#include <string.h>

// ---- A value where one is wanted -----------------------------------------------------------------------

const struct type *check_used(struct checker *checker, struct ast_expr *expr) {
  const struct type *type = type_resolve(expr->type);
  if (type->kind == TYPE_NEVER) {
    struct diag *d = diag_error(checker->sink, DIAG_UNREACHABLE_CODE, expr->span, "this never has a value");
    diag_note(d, "every way through it returns or leaves the loop, so what uses its value is never reached");
    return &type_error;
  }
  if (type_has_layer(type)) {
    struct diag *d = diag_error(checker->sink, DIAG_LAYER_AS_VALUE, expr->span,
                                "a layer instance is not a value");
    diag_primary_label(d, "this is %s", check_text(checker, type));
    diag_help(d, "call its functions, `cell.step(s, x)`, or read its parameters, `cell.W`");
    return &type_error;
  }
  if (type->kind == TYPE_FN) {
    struct diag *d = diag_error(checker->sink, DIAG_FUNCTION_AS_VALUE, expr->span,
                                "a function is not a value");
    diag_primary_label(d, "this is %s", check_text(checker, type));
    diag_help(d, "call it, or hand it on as an argument");
    return &type_error;
  }
  return type;
}

const struct type *check_value(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  check_expr(checker, expr, hint);
  return check_used(checker, expr);
}

const struct type *check_receiver(struct checker *checker, struct ast_expr *expr) {
  const struct type *type = type_resolve(check_expr(checker, expr, NULL));
  return type->kind == TYPE_NEVER ? check_used(checker, expr) : type;
}

static const struct type *report_open(struct checker *checker, const struct ast_expr *expr,
                                      const struct type *type) {
  struct diag *d = diag_error(checker->sink, DIAG_UNKNOWN_ELEMENT, expr->span,
                              "the type of this is not known yet");
  diag_label(d, type->variable.origin, "nothing told before what this list holds");
  diag_help(d, "write the type where the list is made: `var xs: [T] = []`");
  return &type_error;
}

const struct type *check_known(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  const struct type *type = check_value(checker, expr, hint);
  return type->kind == TYPE_VARIABLE ? report_open(checker, expr, type) : type;
}

const char *check_suggest_conversion(struct checker *checker, const struct ast_expr *expr,
                                     const struct type *wanted) {
  const struct type *actual = type_resolve(expr->type);
  if (wanted->kind == TYPE_FLOAT && actual->kind == TYPE_INT) {
    const char *quotient = check_suggest_float_quotient(checker, expr);
    return quotient ? quotient : "convert it: `float(...)`";
  }
  if (wanted->kind == TYPE_INT && (actual->kind == TYPE_FLOAT || actual->kind == TYPE_INDEX))
    return "convert it: `int(...)`";
  if (type_is_scalar(actual)) {
    if (wanted->kind == TYPE_FLOAT)
      return "`value(x)` waits for a scalar tensor and gives its number";
    if (wanted->kind == TYPE_INT)
      return "`int(value(x))` waits for a scalar tensor and gives its number, cut to an integer";
    if (wanted->kind == TYPE_BOOL)
      return "`value(x)` waits for a scalar tensor and gives its number, which can be compared: `value(x) > "
             "0.5`";
  }
  if (wanted->kind == TYPE_INDEX && actual->kind == TYPE_TENSOR)
    return "`argmax(x)` gives the index of the largest element";
  if (wanted->kind == TYPE_BOOL && actual->kind == TYPE_INT)
    return "compare it: `n != 0`";
  if (wanted->kind == TYPE_LIST && type_equal(wanted->list.element, actual))
    return "a list of this one element is written `[x]`";
  return NULL;
}

static const char *special_help(struct checker *checker, const struct ast_expr *expr,
                                const struct type *wanted, const struct check_wanted *why) {
  const struct type *actual = type_resolve(expr->type);
  if (wanted->kind == TYPE_FLOAT && type_is_scalar(actual) && why->declared_text &&
      strcmp(why->declared_text, "its first value decides its type") == 0)
    return "to collect tensors, declare the variable as one: `var x: f32 = 0`";
  if (type_is_unit(wanted) && why->declared_text && strstr(why->declared_text, "no result type"))
    return arena_printf(checker->arena, "declare it: `-> %s`", check_text(checker, actual));
  const char *product = check_suggest_product(checker, expr, wanted);
  return product ? product : check_suggest_conversion(checker, expr, wanted);
}

// The declared place is worth a label unless it is the expression itself.
static void report_mismatch(struct checker *checker, struct ast_expr *expr, const struct type *wanted,
                            const struct check_wanted *why) {
  const struct type *actual = type_resolve(expr->type);
  wanted = type_resolve(wanted);
  if (type_has_error(actual) || type_has_error(wanted))
    return;
  bool are_shapes = wanted->kind == TYPE_TENSOR && actual->kind == TYPE_TENSOR;
  enum diag_code code = are_shapes ? DIAG_WRONG_SHAPE : DIAG_WRONG_TYPE;
  struct diag *d = diag_error(checker->sink, code, expr->span, "%s must be %s, not %s", why->what,
                              check_text(checker, wanted), check_text(checker, actual));
  diag_primary_label(d, "this is %s", check_text(checker, actual));
  if (why->declared_text)
    diag_label(d, why->declared, "%s", why->declared_text);
  check_label_type_sizes(checker, d, wanted, actual);
  const char *help = special_help(checker, expr, wanted, why);
  if (help)
    diag_help(d, "%s", help);
}

bool check_fits(struct checker *checker, struct ast_expr *expr, const struct type *wanted,
                const struct check_wanted *why) {
  const struct type *actual = check_convert(checker, expr, wanted);
  if (type_unify(wanted, actual))
    return type_resolve(wanted)->kind != TYPE_ERROR && actual->kind != TYPE_ERROR;
  report_mismatch(checker, expr, wanted, why);
  return false;
}

bool check_against(struct checker *checker, struct ast_expr *expr, const struct type *wanted,
                   const struct check_wanted *why) {
  if (check_value(checker, expr, wanted)->kind == TYPE_ERROR)
    return false;
  return check_fits(checker, expr, wanted, why);
}

// ---- Branches ------------------------------------------------------------------------------------------

static struct ast_expr *branch_value(const struct check_branch *branch) {
  return branch->expr ? branch->expr : branch->block->value;
}

static void report_branches(struct checker *checker, const struct check_branch *first,
                            const struct check_branch *other, const char *what) {
  if (type_has_error(first->type) || type_has_error(other->type))
    return;
  struct diag *d = diag_error(checker->sink, DIAG_BRANCHES_DISAGREE, other->span,
                              "the %s have different types", what);
  diag_primary_label(d, "this is %s", check_text(checker, other->type));
  diag_label(d, first->span, "this is %s", check_text(checker, first->type));
  const struct type *a = type_resolve(first->type), *b = type_resolve(other->type);
  check_label_type_sizes(checker, d, a, b);
  if (type_is_unit(a) || type_is_unit(b))
    diag_help(d, "a block gives the value of its last expression; without one it gives ()");
  else if (type_is_host_number(a) && type_is_host_number(b))
    diag_help(d, "convert the int: `float(n)`");
}

// The type that all branches can become; the hint's where there is one.
static const struct type *join_target(struct checker *checker, const struct check_branch *branches,
                                      size_t count, const struct type *hint) {
  const struct type *target = hint;
  for (size_t i = 0; i < count; i++) {
    const struct type *type = type_resolve(branches[i].type);
    if (type->kind != TYPE_NEVER && type->kind != TYPE_ERROR)
      target = target ? check_common(checker, target, type) : type;
  }
  return target;
}

const struct type *check_join(struct checker *checker, struct check_branch *branches, size_t count,
                              const struct type *hint, const char *what) {
  const struct type *target = join_target(checker, branches, count, hint);
  const struct check_branch *first = NULL;
  bool failed = false;
  for (size_t i = 0; i < count; i++) {
    struct check_branch *branch = &branches[i];
    branch->type = type_resolve(branch->type);
    failed |= branch->type->kind == TYPE_ERROR;
    if (branch->type->kind == TYPE_NEVER || branch->type->kind == TYPE_ERROR)
      continue;
    if (branch_value(branch))
      branch->type = check_convert(checker, branch_value(branch), target);
    if (!first) {
      first = branch;
    } else if (!type_unify(first->type, branch->type)) {
      report_branches(checker, first, branch, what);
      return &type_error;
    }
  }
  if (failed)
    return &type_error;
  return first ? first->type : &type_never;
}

// An `if` without `else` gives (). One whose block has a value was meant to give that; so nothing more is said.
static const struct type *check_lone_if(struct checker *checker, const struct ast_block *block,
                                        const struct type *type) {
  type = type_resolve(type);
  if (!block->value || type->kind == TYPE_NEVER || type_is_unit(type))
    return &type_unit;
  if (type->kind == TYPE_ERROR || block->value->kind == AST_EXPR_CALL) {
    check_unused(checker, block->value, type);
    return &type_unit;
  }
  struct diag *d = diag_error(checker->sink, DIAG_VALUE_UNUSED, block->value->span,
                              "nothing is done with this value");
  diag_primary_label(d, "this is %s", check_text(checker, type));
  diag_note(d, "an `if` without `else` has no value");
  diag_help(d, "give the other value: `else { ... }`, or `return` this one");
  return &type_error;
}

static const struct type *check_if(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  struct check_wanted why = {"the condition of `if`", SPAN_NONE, NULL};
  check_against(checker, expr->conditional.condition, &type_bool, &why);
  struct ast_block *then_block = expr->conditional.then_block;
  struct ast_expr *else_branch = expr->conditional.else_branch;
  const struct type *then_type = check_block(checker, then_block, else_branch ? hint : NULL);
  struct span then_span = then_block->value ? then_block->value->span : then_block->span;
  if (!else_branch)
    return check_lone_if(checker, then_block, then_type);
  const struct type *else_type = check_expr(checker, else_branch, hint);
  struct span else_span = else_branch->span;
  if (else_branch->kind == AST_EXPR_BLOCK && else_branch->block->value)
    else_span = else_branch->block->value->span;
  struct check_branch branches[] = {{NULL, then_block, then_type, then_span},
                                    {else_branch, NULL, else_type, else_span}};
  return check_join(checker, branches, 2, hint, "branches of this `if`");
}

// ---- Lists ---------------------------------------------------------------------------------------------

static const struct type *element_hint(const struct type *hint) {
  hint = hint ? type_resolve(hint) : NULL;
  return hint && hint->kind == TYPE_LIST ? hint->list.element : NULL;
}

static const struct type *check_list(struct checker *checker, struct ast_expr *expr,
                                     const struct type *hint) {
  const struct type *element = element_hint(hint);
  size_t count = expr->items.count;
  if (count == 0) {
    if (element)
      return hint;
    const struct type *variable = type_variable(checker->arena, expr->span);
    arena_push(checker->arena, &checker->variables, variable);
    return type_list(checker->arena, variable, NULL);
  }
  struct check_branch *branches = arena_new_array(checker->arena, struct check_branch, count);
  for (size_t i = 0; i < count; i++) {
    struct ast_expr *item = expr->items.items[i];
    branches[i] = (struct check_branch){item, NULL, check_value(checker, item, element), item->span};
  }
  const char *what = expr == checker->pair ? check_pair_text(checker) : "elements of this list";
  const struct type *type = check_join(checker, branches, count, element, what);
  if (type->kind == TYPE_ERROR)
    return type;
  return check_weight(checker, type_list(checker->arena, type, NULL), expr->span);
}

static const struct type *check_tuple(struct checker *checker, struct ast_expr *expr,
                                      const struct type *hint) {
  size_t count = expr->items.count;
  const struct type **items = arena_new_array(checker->arena, const struct type *, count);
  hint = hint ? type_resolve(hint) : NULL;
  bool is_hinted = hint && hint->kind == TYPE_TUPLE && hint->tuple.count == count;
  bool failed = false;
  for (size_t i = 0; i < count; i++) {
    struct ast_expr *item = expr->items.items[i];
    const struct type *wanted = is_hinted ? type_resolve(hint->tuple.items[i]) : NULL;
    items[i] = check_value(checker, item, wanted);
    if (wanted)
      items[i] = check_convert(checker, item, wanted);
    failed |= items[i]->kind == TYPE_ERROR;
  }
  if (failed)
    return &type_error;
  return check_weight(checker, type_tuple(checker->arena, count, items), expr->span);
}

const struct type *check_members(struct checker *checker, struct ast_expr *expr) {
  if (expr->kind != AST_EXPR_NAME && !check_qualify(checker, expr))
    return NULL;
  struct ast_ref ref = names_find(&checker->names, expr->name.name.text);
  const struct type *index = NULL;
  if (ref.kind == AST_REF_VOCAB)
    index = ref.vocab->type;
  else if (ref.kind == AST_REF_ENUM)
    index = ref.enumeration->type;
  else if (ref.kind == AST_REF_LAYER_PARAM && ref.layer_param->kind == AST_LAYER_PARAM_INDEX)
    index = ref.layer_param->type;
  if (!index)
    return NULL;
  expr->name.ref = ref;
  expr->type = type_list(checker->arena, index, NULL);
  return index;
}

// Its elements or rows, by their positions.
static void help_run_through_tensor(struct checker *checker, struct diag *d, const struct ast_expr *expr) {
  const struct size *dimension = type_resolve(expr->type)->tensor.sizes[0];
  const char *name = expr->kind == AST_EXPR_NAME ? expr->name.name.text : "a";
  diag_help(d, "run through the positions of its %s: `for i in %s%s`, and write `%s[i]`",
            type_resolve(expr->type)->tensor.rank == 1 ? "elements" : "rows",
            sizes_as_index(dimension) ? "" : "0..", size_text(checker->arena, dimension), name);
}

const struct type *check_sequence(struct checker *checker, struct ast_expr *expr) {
  if (expr->kind == AST_EXPR_RANGE) {
    struct check_wanted why = {"a bound of a range", SPAN_NONE, NULL};
    check_against(checker, expr->range.low, &type_int, &why);
    check_against(checker, expr->range.high, &type_int, &why);
    expr->type = type_list(checker->arena, &type_int, NULL);
    return &type_int;
  }
  const struct type *members = check_members(checker, expr);
  if (members)
    return members;
  const struct type *type = check_receiver(checker, expr);
  if (type->kind == TYPE_LIST)
    return type_resolve(type->list.element);
  if (type->kind == TYPE_BATCH)
    return type->batch.element;
  if (type->kind == TYPE_TEXT)
    return type;
  if (type->kind == TYPE_VARIABLE)
    return report_open(checker, expr, type);
  if (type->kind == TYPE_ERROR)
    return type;
  struct diag *d = diag_error(checker->sink, DIAG_NOT_A_SEQUENCE, expr->span, "%s cannot be run through",
                              check_text(checker, type));
  check_label_operand(checker, d, expr);
  if (type->kind == TYPE_INT)
    diag_help(d, "count with a range: `for i in 0..n`");
  else if (type->kind == TYPE_TENSOR && (type->tensor.rank == 1 || type->tensor.rank == 2))
    help_run_through_tensor(checker, d, expr);
  else
    diag_note(d, "`for` and comprehensions run over lists, ranges, texts, vocabs and enums");
  return &type_error;
}

static const struct type *check_comprehension(struct checker *checker, struct ast_expr *expr,
                                              const struct type *hint) {
  const struct type *item = check_sequence(checker, expr->comprehension.sequence);
  names_open_scope(&checker->names);
  if (check_pattern(checker, expr->comprehension.pattern, item))
    check_irrefutable(checker, expr->comprehension.pattern, "a comprehension");
  struct ast_assigned assigned = check_begin_assigned(checker);
  if (expr->comprehension.condition) {
    struct check_wanted why = {"the condition of a comprehension", SPAN_NONE, NULL};
    check_against(checker, expr->comprehension.condition, &type_bool, &why);
  }
  const struct type *wanted = element_hint(hint);
  struct ast_expr *element = expr->comprehension.element;
  struct check_branch branch = {element, NULL, check_value(checker, element, wanted), element->span};
  const struct type *type = check_join(checker, &branch, 1, wanted, "elements of this list");
  expr->comprehension.assigned = check_end_assigned(checker, assigned);
  names_close_scope(&checker->names);
  if (type->kind == TYPE_ERROR || item->kind == TYPE_ERROR)
    return &type_error;
  return check_weight(checker, type_list(checker->arena, type, NULL), expr->span);
}

// ---- Names ---------------------------------------------------------------------------------------------

bool check_qualify(struct checker *checker, struct ast_expr *expr) {
  const char *text = expr->kind == AST_EXPR_FIELD ? ast_dotted_text(checker->arena, expr) : NULL;
  if (!text || !names_is_path(&checker->names, text) ||
      names_find(&checker->names, text).kind == AST_REF_NONE)
    return false;
  struct ast_name name = {text, expr->span};
  expr->kind = AST_EXPR_NAME;
  expr->name.name = name;
  expr->name.ref = (struct ast_ref){AST_REF_NONE, {NULL}};
  return true;
}

bool check_report_path(struct checker *checker, const struct ast_expr *expr) {
  const char *text = ast_dotted_text(checker->arena, expr);
  if (!text || !names_is_path(&checker->names, text))
    return false;
  const char *base = ast_dotted_text(checker->arena, expr->field.base);
  enum ast_ref_kind kind = names_find(&checker->names, base).kind;
  bool is_type = kind == AST_REF_ENUM || kind == AST_REF_DATA ||
                 names_find_data(&checker->names, base).kind != AST_REF_NONE;
  bool is_value = kind != AST_REF_NONE && expr->field.base->kind == AST_EXPR_FIELD;
  struct qualified qualified = modules_split(&checker->names.modules, checker->names.file, text);
  if (!is_type && (is_value || !qualified.import || !*qualified.rest))
    return false;
  struct ast_name name = {text, expr->span};
  names_report_unknown(&checker->names, &name, NAMES_VALUES);
  return true;
}

struct ast_ref check_find_case(struct checker *checker, const char *text, const struct type *type) {
  struct ast_ref wanted = {AST_REF_NONE, {NULL}};
  type = type ? type_resolve(type) : NULL;
  if (type && type->kind == TYPE_INDEX)
    wanted = type->index->ref;
  else if (type && type->kind == TYPE_DATA)
    wanted = (struct ast_ref){AST_REF_DATA, {.data = type->data.decl}};
  return names_find_case(&checker->names, text, &wanted);
}

static const struct type *not_a_value(struct checker *checker, const struct ast_expr *expr,
                                      const struct ast_ref *ref) {
  const char *name = expr->name.name.text;
  struct diag *d = diag_error(checker->sink, DIAG_NOT_A_VALUE, expr->span, "`%s` is %s, not a value", name,
                              check_ref_text(checker, ref));
  diag_label(d, names_declared_at(ref), "declared here");
  switch (ref->kind) {
  case AST_REF_FN: diag_help(d, "call it: `%s(...)`", name); break;
  case AST_REF_BUILTIN: diag_help(d, "call it: `%s`", builtin_usage(ref->builtin)); break;
  case AST_REF_LAYER: diag_help(d, "make an instance at top level: `let x = %s(...)`", name); break;
  case AST_REF_VOCAB:
  case AST_REF_ENUM:
    diag_note(d, "its name stands for a type and for a size, and not for a number");
    diag_help(d, "the number of its entries or members: `len(%s)`", name);
    break;
  default: break;
  }
  return &type_error;
}

static const struct type *check_name(struct checker *checker, struct ast_expr *expr,
                                     const struct type *hint) {
  struct ast_ref ref = check_find_case(checker, expr->name.name.text, hint);
  expr->name.ref = ref;
  switch (ref.kind) {
  case AST_REF_NONE:
    names_report_unknown(&checker->names, &expr->name.name, NAMES_VALUES);
    return &type_error;
  case AST_REF_LOCAL: check_note_local(checker, ref.local); return ref.local->type;
  case AST_REF_DIM:
  case AST_REF_SIZE_VAR: return &type_int;
  case AST_REF_LAYER_PARAM:
    if (ref.layer_param->kind != AST_LAYER_PARAM_INDEX)
      return ref.layer_param->type;
    break;
  case AST_REF_ENUM_MEMBER: return ref.enum_member->parent->type;
  case AST_REF_CONSTRUCTOR: return check_nullary(checker, expr, hint);
  case AST_REF_PARAM: check_note_param(checker); return ref.param->type->type;
  case AST_REF_INSTANCE: return ref.instance->type ? ref.instance->type : &type_error;
  default: break;
  }
  return not_a_value(checker, expr, &ref);
}

// ---- All kinds -----------------------------------------------------------------------------------------

static const struct type *range_as_value(struct checker *checker, struct ast_expr *expr) {
  check_sequence(checker, expr);
  struct diag *d = diag_error(checker->sink, DIAG_RANGE_AS_VALUE, expr->span, "a range is not a value");
  diag_help(d, "a list of these integers is `[i for i in a..b]`");
  return &type_error;
}

static const struct type *fn_as_value(struct checker *checker, struct ast_expr *expr) {
  struct diag *d = diag_error(checker->sink, DIAG_FUNCTION_AS_VALUE, expr->span, "a function is not a value");
  diag_note(d, "it can be written only as an argument of a function whose parameter is a function");
  return &type_error;
}

static const struct type *type_of(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  switch (expr->kind) {
  case AST_EXPR_INT: return &type_int;
  case AST_EXPR_FLOAT: return &type_float;
  case AST_EXPR_BOOL: return &type_bool;
  case AST_EXPR_TEXT: return &type_string;
  case AST_EXPR_NAME: return check_name(checker, expr, hint);
  case AST_EXPR_UNARY: return check_unary(checker, expr);
  case AST_EXPR_BINARY: return check_binary(checker, expr, hint);
  case AST_EXPR_RANGE: return range_as_value(checker, expr);
  case AST_EXPR_CALL: return check_call(checker, expr, hint);
  case AST_EXPR_INDEX: return check_index(checker, expr);
  case AST_EXPR_SLICE: return check_slice(checker, expr);
  case AST_EXPR_PART: return check_part(checker, expr);
  case AST_EXPR_FIELD:
    return check_qualify(checker, expr) ? check_name(checker, expr, hint) : check_field(checker, expr);
  case AST_EXPR_PROJECT: return check_project(checker, expr);
  case AST_EXPR_FILL: return check_tensor_type(checker, &expr->fill.sizes, expr->span);
  case AST_EXPR_TUPLE: return check_tuple(checker, expr, hint);
  case AST_EXPR_LIST: return check_list(checker, expr, hint);
  case AST_EXPR_COMPREHENSION: return check_comprehension(checker, expr, hint);
  case AST_EXPR_IF: return check_if(checker, expr, hint);
  case AST_EXPR_MATCH: return check_match(checker, expr, hint);
  case AST_EXPR_BLOCK: return check_block(checker, expr->block, hint);
  case AST_EXPR_FN: return fn_as_value(checker, expr);
  case AST_EXPR_LIFT:
  case AST_EXPR_ELEMENT: return expr->type;  // made by the checker
  }
  return &type_error;
}

const struct type *check_expr(struct checker *checker, struct ast_expr *expr, const struct type *hint) {
  if (expr == checker->checked_left) {
    checker->checked_left = NULL;
    return expr->type;
  }
  struct check_lift lift;
  check_open_lift(checker, &lift);
  const struct type *type = type_of(checker, expr, hint);
  check_set_type(checker, &expr->type, check_close_lift(checker, &lift, expr, type));
  return expr->type;
}

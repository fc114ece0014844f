// Calls: functions, methods, constructors, builtins.
#include <assert.h>
#include <stdlib.h>

#include "compiler/base/text.h"
#include "compiler/lower/lower_internal.h"

// ---- Functions and methods ----------------------------------------------------------------------------

static const struct size *const *call_sizes(struct lower_fn *fn, const struct ast_call *call) {
  size_t count = call->target.fn->size_vars.count;
  const struct size **sizes = arena_new_array(fn->arena, const struct size *, count);
  for (size_t i = 0; i < count; i++)
    sizes[i] = lower_size(fn->lower, &fn->env, call->bindings[i].size);
  return sizes;
}

static const struct ir_type *const *call_types(struct lower_fn *fn, const struct ast_call *call) {
  size_t sizes = call->target.fn->size_vars.count, count = call->target.fn->type_vars.count;
  const struct ir_type **types = arena_new_array(fn->arena, const struct ir_type *, count);
  for (size_t i = 0; i < count; i++)
    types[i] = lower_type_here(fn, call->bindings[sizes + i].type);
  return types;
}

// The arguments' slots; for one that is a function what goes along with it.
static struct ssa_values call_args(struct lower_fn *fn, const struct ast_call *call, struct lower_env *env) {
  const struct lower_function **functions = NULL;
  struct {
    struct ir_value **items;
    size_t count, capacity;
  } all = {0};
  for (size_t i = 0; i < call->arg_count; i++) {
    struct ssa_values values;
    if (call->args[i]->function) {
      struct lower_closure closure = lower_closure(fn, call->args[i]);
      if (!functions)
        functions = arena_new_array(fn->arena, const struct lower_function *, call->arg_count);
      functions[i] = closure.which;
      values = closure.captured;
    } else {
      values = lower_expr(fn, call->args[i]);
    }
    for (uint32_t k = 0; k < values.n; k++)
      arena_push(fn->arena, &all, values.items[k]);
  }
  env->functions = functions;
  return (struct ssa_values){(uint32_t)all.count, all.items};
}

// A method is told first where its instance is in lists.
static struct ssa_values lower_function_call(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct lower_ref self = {0};
  if (call->kind == AST_CALL_METHOD)
    self = fn->receiver ? *fn->receiver : call->receiver ? lower_layer_ref(fn, call->receiver) : fn->self;
  struct lower_env env = {.self = self.node};
  struct ssa_values args = call_args(fn, call, &env);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  env.sizes = call_sizes(fn, call);
  env.types = call_types(fn, call);
  const struct lower_instance *callee = lower_instantiate(fn->lower, call->target.fn, &env, fn->instance,
                                                          expr->span);
  struct ir_value **operands = arena_new_array(fn->arena, struct ir_value *, (size_t)self.n_indices + args.n);
  for (uint32_t i = 0; i < self.n_indices; i++)
    operands[i] = self.indices[i];
  for (uint32_t i = 0; i < args.n; i++)
    operands[self.n_indices + i] = args.items[i];
  const struct ir_instr *instr = ir_build_call(&fn->ssa.build, callee->function->id, self.n_indices + args.n,
                                               operands);
  return (struct ssa_values){instr->n_results, instr->results};
}

// A record is its fields.
static struct ssa_values lower_constructor(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ssa_values fields = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  if (type->kind == IR_TUPLE)
    return fields;
  lower_at(fn, expr->span);
  uint32_t constructor = call->target.constructor->index;
  return lower_one(fn, ir_build_data_new(&fn->ssa.build, type->data, constructor, fields.n, fields.items));
}

// ---- Builtins on lists and numbers --------------------------------------------------------------------

// The list operations whose result's type is the expression's: operands as written, flattened.
static struct ssa_values lower_simple(struct lower_fn *fn, const struct ast_expr *expr, enum ir_op op) {
  const struct ast_call *call = &expr->call.resolved;
  struct ssa_values args = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  if (ir_type_is_ragged(type) && type->shape.rank != 1) {
    struct diag *d = diag_error(fn->lower->sink, DIAG_SIZE_UNSOLVED, expr->span,
                                "the elements of this list have a size that is known for each example only");
    diag_note(d, "of such tensors only vectors can be summed as a list");
    lower_fail(fn->lower);
  }
  return lower_one(fn, ir_build_value(&fn->ssa.build, op, args.n, args.items, type));
}

static struct ssa_values lower_len(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_expr *arg = expr->call.resolved.args[0];
  if (lower_is_set(arg))
    return lower_one(fn, lower_set_size(fn, arg));
  if (!lower_is_layer(arg))
    return lower_simple(fn, expr, type_resolve(arg->type)->kind == TYPE_TEXT ? IR_TEXT_LEN : IR_LIST_LEN);
  const struct lower_node *element = lower_layer_ref(fn, arg).node->element;
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  return lower_one(fn, lower_size_value(fn, element->lists[element->n_lists - 1]));
}

void lower_choose(struct lower_fn *fn, struct ir_value *a, struct ir_value *b, bool larger,
                  struct ssa_label **first, struct ssa_label **second) {
  struct ssa *ssa = &fn->ssa;
  enum ir_op less = a->type->kind == IR_FLOAT ? IR_FLT : IR_ILT;
  *first = ssa_label(ssa);
  *second = ssa_label(ssa);
  struct ssa_label *otherwise = less == IR_FLT ? ssa_label(ssa) : *first;
  ssa_branch(ssa, ir_build_host2(&ssa->build, less, larger ? a : b, larger ? b : a), *second, otherwise);
  if (otherwise == *first)
    return;
  // A NaN in b fails the comparison; one in a stays.
  struct ssa_label *unequal = ssa_label(ssa);
  ssa_enter(ssa, otherwise, 0, NULL);
  ssa_branch(ssa, ir_build_host2(&ssa->build, IR_FEQ, b, b), *first, unequal);
  ssa_enter(ssa, unequal, 0, NULL);
  ssa_branch(ssa, ir_build_host2(&ssa->build, IR_FEQ, a, a), *second, *first);
}

// Lists are joined one after the other; what is in between is never seen.
static struct ssa_values lower_zip(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  const struct ast_call *call = &expr->call.resolved;
  struct ssa_values lists = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  struct ir_value *zipped = lists.items[0];
  for (uint32_t i = 1; i < lists.n; i++) {
    const struct ir_type *tuple = ir_type_tuple(build->module, NULL, i + 1, type->element->tuple.fields);
    zipped = ir_build_value(build, IR_LIST_ZIP, 2, (struct ir_value *[]){zipped, lists.items[i]},
                            ir_type_list(build->module, tuple));
  }
  return lower_one(fn, zipped);
}

static struct ssa_values lower_last(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *list = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *length = ir_build_host1(build, IR_LIST_LEN, list);
  struct ir_value *index = ir_build_host2(build, IR_ISUB, length, ir_build_int(build, 1));
  struct ir_instr *get = ir_build_list_get(build, list, index);
  return (struct ssa_values){get->n_results, get->results};
}

// The smaller or the larger of two numbers: there is no instruction for it. Of equals, the first; NaN where
// either is NaN.
static struct ssa_values choice(struct lower_fn *fn, struct ir_value *a, struct ir_value *b, bool larger) {
  struct ssa *ssa = &fn->ssa;
  struct ssa_label *first, *second, *end = ssa_label(ssa);
  lower_choose(fn, a, b, larger, &first, &second);
  ssa_enter(ssa, second, 0, NULL);
  ssa_jump(ssa, end, lower_one(fn, b));
  ssa_enter(ssa, first, 0, NULL);
  ssa_jump(ssa, end, lower_one(fn, a));
  return ssa_enter(ssa, end, 1, &a->type);
}

static struct ssa_values lower_choice(struct lower_fn *fn, const struct ast_expr *expr, bool larger) {
  struct ssa_values args = lower_exprs(fn, expr->call.resolved.args, 2);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  return choice(fn, args.items[0], args.items[1], larger);
}

// abs(n) of an int
static struct ssa_values lower_abs(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_value *a = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  return choice(fn, a, ir_build_host1(&fn->ssa.build, IR_INEG, a), true);
}

static struct ssa_values lower_math(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  const struct ast_call *call = &expr->call.resolved;
  struct ssa_values args = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  for (uint32_t i = 0; i < args.n; i++)
    if (args.items[i]->type->kind == IR_INT)
      args.items[i] = ir_build_host1(build, IR_INT_TO_FLOAT, args.items[i]);
  const struct ir_type *type = ir_type_simple(fn->lower->module, IR_FLOAT);
  return lower_one(fn, ir_build_value(build, call->target.builtin->op, args.n, args.items, type));
}

static struct ir_value *bool_to_int(struct lower_fn *fn, struct ir_value *truth) {
  struct ssa *ssa = &fn->ssa;
  struct ssa_label *yes = ssa_label(ssa), *no = ssa_label(ssa), *end = ssa_label(ssa);
  ssa_branch(ssa, truth, yes, no);
  ssa_enter(ssa, yes, 0, NULL);
  ssa_jump(ssa, end, lower_one(fn, ir_build_int(&ssa->build, 1)));
  ssa_enter(ssa, no, 0, NULL);
  ssa_jump(ssa, end, lower_one(fn, ir_build_int(&ssa->build, 0)));
  const struct ir_type *type = ir_type_simple(fn->lower->module, IR_INT);
  return ssa_enter(ssa, end, 1, &type).items[0];
}

// int(x) of an index, a float, a bool or an int; float(x) of an int, a bool or a float.
static struct ssa_values lower_number(struct lower_fn *fn, const struct ast_expr *expr, bool to_float) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *a = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  enum ir_type_kind from = a->type->kind;
  if (from == IR_TEXT)
    return lower_one(fn, ir_build_value(build, IR_TEXT_TO, 1, &a, lower_type_here(fn, expr->type)));
  if (from == (to_float ? IR_FLOAT : IR_INT))
    return lower_one(fn, a);
  if (to_float)
    return lower_one(fn, ir_build_host1(build, IR_INT_TO_FLOAT, a));
  if (from == IR_BOOL)
    return lower_one(fn, bool_to_int(fn, a));
  return lower_one(fn, ir_build_host1(build, from == IR_FLOAT ? IR_FLOAT_TO_INT : IR_INDEX_TO_INT, a));
}

// ---- Texts --------------------------------------------------------------------------------------------

static struct ssa_values lower_map_text(struct lower_fn *fn, const struct ast_expr *expr,
                                        enum ir_text_map map) {
  struct ssa_values mapped = lower_simple(fn, expr, IR_TEXT_MAP);
  if (fn->ssa.reachable)
    mapped.items[0]->def->integer = map;
  return mapped;
}

struct ir_value *lower_chars(struct lower_fn *fn, struct ir_value *text) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *operands[] = {text, ir_build_text(build, "")};
  return ir_build_value(build, IR_TEXT_SPLIT, 2, operands, ir_type_list(build->module, text->type));
}

static struct ssa_values lower_chars_call(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_value *text = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  return lower_one(fn, lower_chars(fn, text));
}

// The entry that unknown strings become is the first.
static struct ssa_values lower_is_unknown(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *index = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  index = ir_build_host1(build, IR_INDEX_TO_INT, index);
  return lower_one(fn, ir_build_host2(build, IR_IEQ, index, ir_build_int(build, 0)));
}

// `Word(s)` of a text or an int.
static struct ssa_values lower_set_call(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_value *value = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  enum ir_op op = value->type->kind == IR_TEXT ? IR_TEXT_TO : IR_INT_TO_INDEX;
  return lower_one(fn, ir_build_value(&fn->ssa.build, op, 1, &value, lower_type_here(fn, expr->type)));
}

// ---- For people ---------------------------------------------------------------------------------------

// The text of a value: a place for each slot, with the signs of tuples and records between them.
static void write_places(const struct ir_type *type, FILE *out) {
  if (type->kind != IR_TUPLE) {
    fputc(IR_TEXT_VALUE, out);
    return;
  }
  fprintf(out, "%s(", type->tuple.name ? type->tuple.name : "");
  for (uint32_t i = 0; i < type->tuple.n; i++) {
    fputs(i ? ", " : "", out);
    if (type->tuple.fields[i].name)
      fprintf(out, "%s: ", type->tuple.fields[i].name);
    write_places(type->tuple.fields[i].type, out);
  }
  fputc(')', out);
}

static const char *print_template(struct lower_fn *fn, const struct ast_call *call) {
  struct text text;
  FILE *out = text_open(&text);
  if (!out)
    arena_out_of_memory(fn->arena);
  for (size_t i = 0; i < call->arg_count; i++) {
    fputs(i ? " " : "", out);
    if (call->args[i]->kind == AST_EXPR_TEXT)
      fputs(call->args[i]->text, out);
    else
      write_places(lower_type_here(fn, call->args[i]->type), out);
  }
  char *written = text_close(&text);
  if (!written)
    arena_out_of_memory(fn->arena);
  const char *kept = arena_strdup(fn->lower->module->arena, written);
  free(written);
  return kept;
}

static struct ssa_values lower_print(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ast_expr **values = arena_new_array(fn->arena, struct ast_expr *, call->arg_count);
  size_t n = 0;
  for (size_t i = 0; i < call->arg_count; i++)
    if (call->args[i]->kind != AST_EXPR_TEXT)
      values[n++] = call->args[i];
  struct ssa_values slots = lower_exprs(fn, values, n);
  if (!fn->ssa.reachable)
    return LOWER_NONE;
  lower_at(fn, expr->span);
  struct ir_instr *print = ir_build(&fn->ssa.build, IR_PRINT, slots.n, slots.items, 0, NULL);
  print->text = print_template(fn, call);
  print->integer = fn->lower->module->n_prints++;
  return LOWER_NONE;
}

static struct ssa_values lower_assert(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ir_value *condition = lower_scalar(fn, call->args[0]);
  if (!fn->ssa.reachable)
    return LOWER_NONE;
  lower_at(fn, expr->span);
  const char *colon = call->arg_count > 1 ? ": " : "",
             *message = call->arg_count > 1 ? call->args[1]->text : "";
  ir_build(&fn->ssa.build, IR_REQUIRE, 1, &condition, 0, NULL)->text =
      arena_printf(fn->lower->module->arena, "assertion failed%s%s", colon, message);
  return LOWER_NONE;
}

// ---- Tensors of lists ---------------------------------------------------------------------------------

struct ir_value *lower_list_tensor(struct lower_fn *fn, enum ir_op op, struct ir_value *list,
                                   const struct ir_type *type) {
  struct arena *arena = fn->lower->module->arena;
  struct ir_value *tensor = ir_build_value(&fn->ssa.build, op, 1, &list, type);
  const struct size *length = type->shape.sizes[0];
  for (uint32_t i = 1; i < type->shape.rank && op == IR_LIST_VECTOR; i++)
    length = lower_checked_size(fn->lower, size_mul(arena, length, type->shape.sizes[i]));
  tensor->def->length = length;
  // Nobody wants the gradient of data, so no adjoint shall compute it.
  return op == IR_LIST_VECTOR ? ir_build_unary(&fn->ssa.build, IR_OP_STOP, tensor) : tensor;
}

// tensor(xs), or tensor(a, b, ...): a list first, of floats or, if one is a tensor, of scalars.
static struct ssa_values lower_tensor(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ir_builder *build = &fn->ssa.build;
  struct ssa_values args = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *list = args.items[0];
  if (list->type->kind != IR_LIST) {
    for (uint32_t i = 0; i < args.n; i++)
      if (args.items[i]->type->kind == IR_INT)
        args.items[i] = ir_build_host1(build, IR_INT_TO_FLOAT, args.items[i]);
    const struct ir_type *type = ir_type_list(build->module, args.items[0]->type);
    list = ir_build_value(build, IR_LIST_NEW, args.n, args.items, type);
    list->def->integer = args.n;
  }
  const struct ir_type *type = lower_type_here(fn, expr->type);
  const struct size_atom *own = size_as_atom(expr->type->tensor.sizes[0]);
  if (ir_type_is_ragged(type) && !(own && own->kind == SIZE_RUNTIME)) {
    struct diag *d = diag_error(fn->lower->sink, DIAG_SIZE_UNSOLVED, expr->span,
                                "this list would have to be as long as another one");
    diag_note(d, "the function is used with a tensor whose size is known for each example only");
    diag_help(d, "take the two lists together: `tensor([y for (x, y) in zip(xs, ys)])` is as long as `xs`");
    lower_fail(fn->lower);
  }
  // The rows of a stack stay where they are, and are read as one tensor. That there are any is checked here, whether or not
  // it is ever read.
  if (ir_type_is_ragged(type) && type->shape.rank > 1) {
    ir_build(build, IR_LIST_STACK, 1, &list, 0, NULL)->length = type->shape.sizes[0];
    return lower_one(fn, ir_build_value(build, IR_OP_STACK, 1, &list, type));
  }
  enum ir_op op = list->type->element->kind == IR_FLOAT ? IR_LIST_VECTOR : IR_LIST_STACK;
  return lower_one(fn, lower_list_tensor(fn, op, list, type));
}

// ---- Decisions ----------------------------------------------------------------------------------------

// What a list of floats, or the elements of a vector, are to be for an operation of host code.
static struct ir_value *lower_numbers(struct lower_fn *fn, struct ir_value *value) {
  struct ir_builder *build = &fn->ssa.build;
  if (value->type->kind != IR_TENSOR)
    return value;
  return ir_build_value(build, IR_READ_VALUES, 1, &value,
                        ir_type_list(build->module, ir_type_simple(build->module, IR_FLOAT)));
}

// Where the largest element of a vector is, or the smallest.
static struct ssa_values read_place(struct lower_fn *fn, struct ir_value *vector, bool smallest,
                                    const struct ir_type *place) {
  struct ir_builder *build = &fn->ssa.build;
  if (smallest)
    vector = ir_build_unary(build, IR_OP_NEG, vector);
  vector = ir_build_unary(build, IR_OP_ARGMAX, vector);
  return lower_one(fn, ir_build_value(build, IR_READ_INDEX, 1, &vector, place));
}

static struct ssa_values lower_decision(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_value *a = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  enum builtin_kind kind = expr->call.resolved.target.builtin->kind;
  return kind == BUILTIN_VALUE ? lower_one(fn, ir_build_value(&fn->ssa.build, IR_READ_VALUE, 1, &a, type))
                               : read_place(fn, a, kind == BUILTIN_ARGMIN, type);
}

// argmax(X, dim: k): where the largest of each row is (1) or of each column (0).
static struct ssa_values lower_places(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  const struct ast_call *call = &expr->call.resolved;
  struct ir_value *a = lower_scalar(fn, call->args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *columns = lower_size_value(fn, a->type->shape.sizes[1]);
  if (call->target.builtin->kind == BUILTIN_ARGMIN)
    a = ir_build_unary(build, IR_OP_NEG, a);
  struct ir_value *numbers = lower_numbers(fn, a);
  struct ir_value *places = ir_build_value(build, IR_LIST_ARGMAX, 2, (struct ir_value *[]){numbers, columns},
                                           lower_type_here(fn, expr->type));
  places->def->integer = call->axis == 1;
  return lower_one(fn, places);
}

static struct ssa_values place_in(struct lower_fn *fn, struct ssa_values vector, const void *expr) {
  const struct ast_expr *call = expr;
  bool smallest = call->call.resolved.target.builtin->kind == BUILTIN_LIST_ARGMIN;
  return read_place(fn, vector.items[0], smallest, lower_type_here(fn, call->type)->element);
}

// argmax(xs) of vectors: a loop, which waits once (passes/fission.c).
static struct ssa_values lower_places_in_list(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_value *list = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  return lower_one(fn, lower_map_list(fn, list, lower_type_here(fn, expr->type), place_in, expr));
}

// values(x): of a matrix its rows, which are parts of one list and share its memory.
static struct ssa_values lower_values(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_value *a = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  if (a->type->shape.rank == 1)
    return lower_one(fn, lower_numbers(fn, a));
  struct ir_value *width = lower_size_value(fn, a->type->shape.sizes[1]);
  return lower_one(fn, lower_rows(fn, lower_numbers(fn, a), width, lower_type_here(fn, expr->type)));
}

// The first `k` elements of a list of floats, or all of them, as places.
static struct ir_value *lower_order(struct lower_fn *fn, struct ir_value *list, struct ir_value *k,
                                    bool largest, const struct ir_type *place) {
  struct ir_builder *build = &fn->ssa.build;
  k = k ? k : ir_build_host1(build, IR_LIST_LEN, list);
  struct ir_value *order = ir_build_value(build, IR_LIST_ORDER, 2, (struct ir_value *[]){list, k},
                                          ir_type_list(build->module, place));
  order->def->integer = largest;
  return order;
}

// A place and the number there.
static struct ssa_values element_at(struct lower_fn *fn, struct ssa_values place, const void *list) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *at = place.items[0];
  if (at->type->kind == IR_INDEX)
    at = ir_build_host1(build, IR_INDEX_TO_INT, at);
  struct ir_value **pair = arena_new_array(fn->arena, struct ir_value *, 2);
  pair[0] = place.items[0];
  pair[1] = ir_build_list_get(build, *(struct ir_value *const *)list, at)->results[0];
  return (struct ssa_values){2, pair};
}

// random(), sample(p), sample(p, k).
static struct ssa_values lower_host_draw(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ssa_values args = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  if (args.n > 0)
    args.items[0] = lower_numbers(fn, args.items[0]);
  return lower_one(fn, ir_build_value(&fn->ssa.build, call->target.builtin->op, args.n, args.items,
                                      lower_type_here(fn, expr->type)));
}

// topk and argsort, of a tensor or of a list of floats.
static struct ssa_values lower_ordered(struct lower_fn *fn, const struct ast_expr *expr, bool largest) {
  const struct ast_call *call = &expr->call.resolved;
  struct ssa_values args = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *list = lower_numbers(fn, args.items[0]);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  if (!largest)
    return lower_one(fn, lower_order(fn, list, NULL, false, type->element));
  struct ir_value *order = lower_order(fn, list, args.items[1], true, type->element->tuple.fields[0].type);
  return lower_one(fn, lower_map_list(fn, order, type, element_at, &list));
}

// ---- All calls ----------------------------------------------------------------------------------------

static struct ssa_values lower_builtin(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct builtin *builtin = expr->call.resolved.target.builtin;
  switch (builtin->kind) {
  case BUILTIN_OP:
  case BUILTIN_AMAX: return lower_tensor_call(fn, expr);
  case BUILTIN_AMIN: return lower_smallest(fn, expr);
  case BUILTIN_BROADCAST: return lower_broadcast(fn, expr);
  case BUILTIN_RESHAPE: return lower_reshape(fn, expr);
  case BUILTIN_PERMUTE: return lower_permute(fn, expr);
  case BUILTIN_SPLIT: return lower_split(fn, expr);
  case BUILTIN_NORMAL:
  case BUILTIN_UNIFORM:
  case BUILTIN_GUMBEL:
  case BUILTIN_GUMBEL_LIKE:
  case BUILTIN_BERNOULLI: return lower_draw(fn, expr);
  case BUILTIN_LEN: return lower_len(fn, expr);
  case BUILTIN_LAST: return lower_last(fn, expr);
  case BUILTIN_LIST_SUM:
    return type_is_number(expr->type) ? lower_sum_of_numbers(fn, expr) : lower_simple(fn, expr, builtin->op);
  case BUILTIN_LIST_MAX:
    return type_is_number(expr->type) ? lower_best_of_numbers(fn, expr, true, false)
                                      : lower_simple(fn, expr, builtin->op);
  case BUILTIN_LIST_MIN: return lower_best_of_numbers(fn, expr, false, false);
  case BUILTIN_LIST_ARGMAX:
  case BUILTIN_LIST_ARGMIN:
    if (expr->type->kind == TYPE_LIST)
      return lower_places_in_list(fn, expr);
    return lower_best_of_numbers(fn, expr, builtin->kind == BUILTIN_LIST_ARGMAX, true);
  case BUILTIN_PUSH:
  case BUILTIN_POP:
  case BUILTIN_REVERSED:
  case BUILTIN_LIST_MEAN: return lower_simple(fn, expr, builtin->op);
  case BUILTIN_SUM_BATCHES:
  case BUILTIN_MEAN_BATCHES: return lower_simple(fn, expr, builtin->op);
  case BUILTIN_MOMENT_BATCHES:
  case BUILTIN_STD_BATCHES:
  case BUILTIN_CONCAT_TO_BATCH:
  case BUILTIN_PICK_BATCH:
  case BUILTIN_TO_BATCH: return lower_batch_call(fn, expr);
  case BUILTIN_ZIP: return lower_zip(fn, expr);
  case BUILTIN_TENSOR: return lower_tensor(fn, expr);
  case BUILTIN_FLOAT: return lower_number(fn, expr, true);
  case BUILTIN_INT: return lower_number(fn, expr, false);
  case BUILTIN_TEXT:
  case BUILTIN_SPLIT_TEXT:
  case BUILTIN_JOIN:
  case BUILTIN_FIND_TEXT: return lower_simple(fn, expr, builtin->op);
  case BUILTIN_CHARS: return lower_chars_call(fn, expr);
  case BUILTIN_LOWER: return lower_map_text(fn, expr, IR_TEXT_LOWER);
  case BUILTIN_UPPER: return lower_map_text(fn, expr, IR_TEXT_UPPER);
  case BUILTIN_NFC: return lower_map_text(fn, expr, IR_TEXT_NFC);
  case BUILTIN_NFD: return lower_map_text(fn, expr, IR_TEXT_NFD);
  case BUILTIN_NFKC: return lower_map_text(fn, expr, IR_TEXT_NFKC);
  case BUILTIN_NFKD: return lower_map_text(fn, expr, IR_TEXT_NFKD);
  case BUILTIN_IS_UNKNOWN: return lower_is_unknown(fn, expr);
  case BUILTIN_PRINT: return lower_print(fn, expr);
  case BUILTIN_ASSERT: return lower_assert(fn, expr);
  case BUILTIN_HOST_ABS: return lower_abs(fn, expr);
  case BUILTIN_HOST_MATH: return lower_math(fn, expr);
  case BUILTIN_HOST_MAX: return lower_choice(fn, expr, true);
  case BUILTIN_HOST_MIN: return lower_choice(fn, expr, false);
  case BUILTIN_ARGMAX:
  case BUILTIN_ARGMIN:
    return expr->type->kind == TYPE_LIST ? lower_places(fn, expr) : lower_decision(fn, expr);
  case BUILTIN_VALUE: return lower_decision(fn, expr);
  case BUILTIN_RANDOM:
  case BUILTIN_SAMPLE:
  case BUILTIN_LIST_SAMPLE:
  case BUILTIN_SAMPLES:
  case BUILTIN_LIST_SAMPLES: return lower_host_draw(fn, expr);
  case BUILTIN_VALUES: return lower_values(fn, expr);
  case BUILTIN_TOPK:
  case BUILTIN_LIST_TOPK: return lower_ordered(fn, expr, true);
  case BUILTIN_ARGSORT:
  case BUILTIN_LIST_ARGSORT: return lower_ordered(fn, expr, false);
  case BUILTIN_KIND_COUNT: break;
  }
  assert(!"an unknown builtin");
  return LOWER_NONE;
}

struct ssa_values lower_call(struct lower_fn *fn, const struct ast_expr *expr) {
  switch (expr->call.resolved.kind) {
  case AST_CALL_BUILTIN: return lower_builtin(fn, expr);
  case AST_CALL_CONSTRUCTOR: return lower_constructor(fn, expr);
  case AST_CALL_FN:
  case AST_CALL_METHOD: return lower_function_call(fn, expr);
  case AST_CALL_VALUE: return lower_value_call(fn, expr);
  case AST_CALL_SET: return lower_set_call(fn, expr);
  case AST_CALL_LAYER:
  case AST_CALL_NONE: break;
  }
  assert(!"a layer is made in a declaration only");
  return LOWER_NONE;
}

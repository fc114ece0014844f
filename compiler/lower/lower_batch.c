// The batch axis. A batch is the list of its elements, and what is done to it is a loop over them, so that the runtime
// batches the elements as it batches everything else, with the same bits.
//
// A LIFT is one loop with all LIFTs among its operands that are as long: `tanh(W @ x + b)` is one. (A field costs nothing,
// and is read in the loop however long its batch is.) What belongs to no element is evaluated before the loop, once.
#include <assert.h>

#include "compiler/lower/lower_internal.h"

// What was evaluated before the loop: the value of an operand, or the list that an ELEMENT is read from.
struct lower_prepared {
  struct ssa_values values;
  bool is_list;  // of an ELEMENT
};

const struct ssa_values *lower_prepared(const struct lower_fn *fn, const struct ast_expr *expr) {
  if (fn->prepared.count == 0)
    return NULL;
  const struct lower_prepared *prepared = map_get(&fn->prepared, expr);
  return prepared && !prepared->is_list ? &prepared->values : NULL;
}

// ---- Before the loop ----------------------------------------------------------------------------------

struct lift {
  struct lower_fn *fn;
  const struct size *size;
  struct {
    struct lower_prepared **items;
    size_t count, capacity;
  } lists;
};

// Whether the expression costs nothing and is best seen where it is used: names, literals, and what is computed from
// parameters alone, which belongs into a block with what it is used for.
static bool stays(const struct ast_expr *expr) {
  switch (expr->kind) {
  case AST_EXPR_INT:
  case AST_EXPR_FLOAT:
  case AST_EXPR_BOOL:
  case AST_EXPR_TEXT:
  case AST_EXPR_NAME:
  case AST_EXPR_FN: return true;
  case AST_EXPR_FILL: return !ast_fill_draws(expr->fill.kind);
  case AST_EXPR_UNARY:
    return expr->unary.operand->kind == AST_EXPR_INT || expr->unary.operand->kind == AST_EXPR_FLOAT;
  case AST_EXPR_FIELD: return expr->field.kind == AST_FIELD_MEMBER;
  case AST_EXPR_CALL: {
    const struct ast_call *call = &expr->call.resolved;
    if (call->kind != AST_CALL_BUILTIN || call->target.builtin->op != IR_OP_TRANSPOSE)
      return false;
    const struct ast_expr *arg = call->args[0];
    return (arg->kind == AST_EXPR_NAME && arg->name.ref.kind == AST_REF_PARAM) ||
           (arg->kind == AST_EXPR_FIELD && arg->field.kind == AST_FIELD_MEMBER);
  }
  default: return false;
  }
}

static void prepare_operands(struct lift *lift, const struct ast_expr *expr);

static void prepare(struct lift *lift, const struct ast_expr *operand) {
  struct lower_fn *fn = lift->fn;
  if (!fn->ssa.reachable || !operand->type || operand->function)
    return;
  map_put(fn->arena, &fn->prepared, operand, NULL);
  if (operand->kind == AST_EXPR_ELEMENT) {
    const struct ast_expr *of = operand->lift.of;
    bool is_one_loop = of->kind == AST_EXPR_LIFT && of->conversion == AST_CONVERT_NONE &&
                       (size_equal(of->lift.size, lift->size) || of->lift.of->kind == AST_EXPR_FIELD);
    if (is_one_loop) {
      prepare_operands(lift, of->lift.of);
      return;
    }
  } else if (stays(operand)) {
    return;
  }
  struct lower_prepared *prepared = arena_new(fn->arena, struct lower_prepared);
  prepared->is_list = operand->kind == AST_EXPR_ELEMENT;
  prepared->values = lower_expr(fn, prepared->is_list ? operand->lift.of : operand);
  map_put(fn->arena, &fn->prepared, operand, prepared);
  if (prepared->is_list)
    arena_push(fn->arena, &lift->lists, prepared);
}

// The operands of an operation, in the order in which it evaluates them.
static void prepare_operands(struct lift *lift, const struct ast_expr *expr) {
  switch (expr->kind) {
  case AST_EXPR_UNARY: prepare(lift, expr->unary.operand); break;
  case AST_EXPR_BINARY:
    prepare(lift, expr->binary.left);
    prepare(lift, expr->binary.right);
    break;
  case AST_EXPR_INDEX:
    prepare(lift, expr->index.base);
    prepare(lift, expr->index.index);
    break;
  case AST_EXPR_SLICE:
    prepare(lift, expr->slice.base);
    if (!expr->slice.sizes.low)
      prepare(lift, expr->slice.low);
    break;
  case AST_EXPR_PART:
    prepare(lift, expr->part.base);
    for (size_t i = 0; i < expr->part.items.count; i++) {
      const struct ast_expr *item = expr->part.items.items[i];
      if (item->kind != AST_EXPR_RANGE)
        prepare(lift, item);
      else if (item->range.low && !expr->part.ranges[i].low)
        prepare(lift, item->range.low);
    }
    break;
  case AST_EXPR_FIELD: prepare(lift, expr->field.base); break;
  case AST_EXPR_CALL: {
    const struct ast_call *call = &expr->call.resolved;
    const struct builtin *builtin = call->kind == AST_CALL_BUILTIN ? call->target.builtin : NULL;
    // Behind the first ones stand sizes and positions of dimensions.
    size_t values = call->arg_count;
    if (builtin && builtin_takes_sizes(builtin))
      values = builtin->op == IR_OP_SLICE && call->binding_count == 0 ? 2 : 1;
    for (size_t i = 0; i < values; i++)
      prepare(lift, call->args[i]);
    break;
  }
  default: assert(!"an operation"); break;
  }
}

static struct ir_value *align(struct lift *lift) {
  struct lower_fn *fn = lift->fn;
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *n = NULL, *first = lift->lists.items[0]->values.items[0];
  bool are_one = true;
  for (size_t i = 0; i < lift->lists.count; i++)
    are_one &= lift->lists.items[i]->values.items[0] == first;
  for (size_t i = 0; i < (are_one ? 1 : lift->lists.count); i++) {
    struct ir_value *length = ir_build_host1(build, IR_LIST_LEN, lift->lists.items[i]->values.items[0]);
    n = n ? ir_build_host2(build, IR_BATCH_LEN, n, length) : length;
  }
  for (size_t i = 0; i < lift->lists.count && !are_one; i++) {
    struct ssa_values *list = &lift->lists.items[i]->values;
    struct ir_value *operands[] = {list->items[0], n};
    *list = lower_one(fn, ir_build_value(build, IR_LIST_SPREAD, 2, operands, operands[0]->type));
  }
  return n;
}

// ---- The loop -----------------------------------------------------------------------------------------

// Inside of the loop, which `fn->turn` counts.
struct ssa_values lower_element(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct lower_prepared *prepared = map_get(&fn->prepared, expr);
  if (!prepared)
    return lower_expr(fn, expr->lift.of->lift.of);
  struct ir_instr *get = ir_build_list_get(&fn->ssa.build, prepared->values.items[0], fn->turn);
  return (struct ssa_values){get->n_results, get->results};
}

// The lists that a value of this type is collected in, a tuple's items in one each.
static void open_lists(struct lower_fn *fn, const struct type *type, struct ssa_values *lists) {
  type = type_resolve(type);
  if (type->kind == TYPE_TUPLE) {
    for (size_t i = 0; i < type->tuple.count; i++)
      open_lists(fn, type->tuple.items[i], lists);
    return;
  }
  const struct ir_type *list = ir_type_list(fn->lower->module, lower_type_here(fn, type));
  lists->items[lists->n++] = ir_build_value(&fn->ssa.build, IR_LIST_NEW, 0, NULL, list);
}

struct ssa_values lower_lift(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_expr *of = expr->lift.of;
  struct lift lift = {.fn = fn, .size = expr->lift.size};
  prepare_operands(&lift, of);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *n = align(&lift);
  struct ssa_values lists = {0, arena_new_array(fn->arena, struct ir_value *, TYPE_MAX_WEIGHT)};
  open_lists(fn, of->type, &lists);
  struct lower_counted loop;
  lower_begin_counted(fn, n, lists, &loop);
  struct ir_value *around = fn->turn;
  fn->turn = loop.i;
  struct ssa_values element = lower_expr(fn, of), all = {0, lists.items};
  fn->turn = around;
  lower_at(fn, expr->span);
  uint32_t slot = 0;
  for (uint32_t k = 0; k < loop.collected.n && fn->ssa.reachable; k++) {
    struct ir_value *list = loop.collected.items[k];
    uint32_t width = ir_type_width(list->type->element);
    all.items[all.n++] = lower_push(fn, list, (struct ssa_values){width, element.items + slot});
    slot += width;
  }
  lower_end_counted(fn, &loop, fn->ssa.reachable ? all : loop.collected);
  return loop.collected;
}

// ---- Builtin functions --------------------------------------------------------------------------------

struct power {
  int64_t exponent;
  struct ir_value *mean;  // taken off before; or NULL
};

static struct ssa_values raise(struct lower_fn *fn, struct ssa_values element, const void *context) {
  struct ir_builder *build = &fn->ssa.build;
  const struct power *power = context;
  struct ir_value *x = element.items[0], *result;
  if (power->mean)
    x = ir_build_binary(build, IR_OP_SUB, x, power->mean);
  result = x;
  for (int64_t i = 1; i < power->exponent; i++)
    result = ir_build_binary(build, IR_OP_MUL, result, x);
  return lower_one(fn, result);
}

// The mean of the elements' powers.
static struct ir_value *moment(struct lower_fn *fn, struct ir_value *list, const struct power *power) {
  if (power->exponent > 1 || power->mean)
    list = lower_map_list(fn, list, list->type, raise, power);
  return ir_build_value(&fn->ssa.build, IR_LIST_MEAN, 1, &list, list->type->element);
}

static struct ssa_values pick(struct lower_fn *fn, struct ssa_values index, const void *context) {
  struct ir_instr *get = ir_build_list_get(&fn->ssa.build, (struct ir_value *)(uintptr_t)context,
                                           index.items[0]);
  return (struct ssa_values){get->n_results, get->results};
}

// A tensor's rows, or its scalars, as a list.
static struct ir_value *to_list(struct lower_fn *fn, struct ir_value *tensor) {
  if (tensor->type->kind == IR_LIST)
    return tensor;
  if (tensor->def && (tensor->def->op == IR_OP_STACK || tensor->def->op == IR_LIST_STACK))
    return tensor->def->operands[0];
  struct ir_builder *build = &fn->ssa.build;
  struct ir_shape shape = tensor->type->shape;
  const struct ir_type *element = ir_type_tensor(build->module, shape.rank - 1, shape.sizes + 1);
  const struct ir_type *type = ir_type_list(build->module, element);
  struct ir_value *n = lower_size_value(fn, shape.sizes[0]);
  struct lower_counted loop;
  lower_begin_counted(fn, n, lower_one(fn, ir_build_value(build, IR_LIST_NEW, 0, NULL, type)), &loop);
  struct ir_value *row = lower_take(fn, tensor, loop.i, 0);
  struct ir_value *pushed = lower_push(fn, loop.collected.items[0], lower_one(fn, row));
  lower_end_counted(fn, &loop, lower_one(fn, pushed));
  return loop.collected.items[0];
}

struct ssa_values lower_batch_call(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  const struct ast_call *call = &expr->call.resolved;
  enum builtin_kind kind = call->target.builtin->kind;
  size_t values = kind == BUILTIN_MOMENT_BATCHES ? 1 : call->arg_count;
  struct ssa_values args = lower_exprs(fn, call->args, values);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *a = args.items[0];
  struct power power = {.exponent = 2};
  switch (kind) {
  case BUILTIN_MOMENT_BATCHES:
    power.exponent = call->args[1]->integer;
    return lower_one(fn, moment(fn, a, &power));
  case BUILTIN_STD_BATCHES:
    power.mean = ir_build_value(build, IR_LIST_MEAN, 1, &a, a->type->element);
    return lower_one(fn, ir_build_unary(build, IR_OP_SQRT, moment(fn, a, &power)));
  case BUILTIN_CONCAT_TO_BATCH:
    for (uint32_t i = 1; i < args.n; i++)
      a = ir_build_value(build, IR_LIST_CONCAT, 2, (struct ir_value *[]){a, args.items[i]}, a->type);
    return lower_one(fn, a);
  case BUILTIN_PICK_BATCH:
    if (args.items[1]->type->kind == IR_LIST)
      return lower_one(fn, lower_map_list(fn, args.items[1], a->type, pick, a));
    return pick(fn, lower_one(fn, args.items[1]), a);
  default: return lower_one(fn, to_list(fn, a));
  }
}

// Tensor operations and parameters.
#include <assert.h>

#include "compiler/lower/lower_internal.h"

// Member (i, j) of a family in two lists is i * lists[1] + j.
static struct ir_value *member_number(struct lower_fn *fn, const struct lower_ref *ref) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *member = ref->indices[0];
  for (uint32_t i = 1; i < ref->n_indices; i++) {
    member = ir_build_host2(build, IR_IMUL, member, lower_size_value(fn, ref->node->lists[i]));
    member = ir_build_host2(build, IR_IADD, member, ref->indices[i]);
  }
  return member;
}

struct ir_value *lower_param(struct lower_fn *fn, uint32_t param, const struct lower_ref *ref) {
  return ir_build_param(&fn->ssa.build, param, ref->n_indices ? member_number(fn, ref) : NULL);
}

struct ir_value *lower_to_scalar(struct lower_fn *fn, struct ir_value *host) {
  struct ir_builder *build = &fn->ssa.build;
  if (host->type->kind != IR_FLOAT)
    host = ir_build_host1(build, IR_INT_TO_FLOAT, host);
  return ir_build_value(build, IR_OP_SCALAR, 1, &host, ir_type_tensor(build->module, 0, NULL));
}

// What is drawn depends on no value: of a size that is known, on nothing at all.
static struct ir_value *draw(struct lower_fn *fn, enum ir_op op, struct ir_value *like) {
  struct ir_builder *build = &fn->ssa.build;
  if (!ir_type_is_ragged(like->type))
    like = ir_build_constant(build, 0, like->type);
  return ir_build_draw(build, op, like, fn->lower->module->n_sites++);
}

// -log(-log(u)). Where it is large u is taken from its small side, 1 - u, where numbers are dense.
static struct ir_value *gumbel(struct lower_fn *fn, struct ir_value *like) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *x = draw(fn, IR_OP_UNIFORM_LIKE, like);
  static const enum ir_op steps[] = {IR_OP_NEG, IR_OP_LOG1P, IR_OP_NEG, IR_OP_LOG, IR_OP_NEG};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    x = ir_build_unary(build, steps[i], x);
  return x;
}

struct ir_value *lower_fill(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ir_type *type = lower_type_here(fn, expr->type);
  enum ast_fill kind = expr->fill.kind;
  if (ir_type_is_ragged(type) && ast_fill_draws(kind)) {
    struct diag *d = diag_error(fn->lower->sink, DIAG_SIZE_UNSOLVED, expr->span,
                                "this size is known for each example only");
    diag_note(d, "the function is used with what `tensor` made of a list");
    diag_help(d, "draw in the shape of a tensor: `%s_like(a)`", ast_fill_names[kind]);
    lower_fail(fn->lower);
  }
  if (ir_type_is_ragged(type))
    lower_runtime_size(fn, expr->span);
  struct ir_value *constant = ir_build_constant(&fn->ssa.build, kind == AST_FILL_ONES, type);
  switch (kind) {
  case AST_FILL_NORMAL: return draw(fn, IR_OP_NORMAL_LIKE, constant);
  case AST_FILL_UNIFORM: return draw(fn, IR_OP_UNIFORM_LIKE, constant);
  case AST_FILL_GUMBEL: return gumbel(fn, constant);
  default: return constant;
  }
}

// The builtins that draw. Without an argument one number is drawn.
struct ssa_values lower_draw(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *like = call->arg_count > 0 ? lower_scalar(fn, call->args[0]) : NULL;
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  if (!like)
    like = ir_build_constant(build, 0, ir_type_tensor(build->module, 0, NULL));
  const struct builtin *builtin = call->target.builtin;
  switch (builtin->kind) {
  case BUILTIN_GUMBEL:
  case BUILTIN_GUMBEL_LIKE: return lower_one(fn, gumbel(fn, like));
  case BUILTIN_BERNOULLI:
    return lower_one(fn, ir_build_binary(build, IR_OP_GT, like, draw(fn, IR_OP_UNIFORM_LIKE, like)));
  default: return lower_one(fn, draw(fn, builtin->op, like));
  }
}

// A part of, or something behind, a dimension whose size is known at run time only.
static void refuse_runtime_axis(struct lower_fn *fn, const struct ir_value *a, uint32_t axis,
                                struct span span) {
  if (a->type->kind != IR_TENSOR || a->type->shape.rank <= axis ||
      !size_is_runtime(a->type->shape.sizes[axis]))
    return;
  struct diag *d =
      diag_error(fn->lower->sink, DIAG_SIZE_UNSOLVED, span,
                 "this takes apart or joins a dimension whose size is known for each example only");
  diag_note(d, "the function is used with what `tensor` made of a list");
  diag_help(d, "take parts of the list, or join lists, before they are made a tensor");
  lower_fail(fn->lower);
}

struct ir_value *lower_range(struct lower_fn *fn, struct ir_value *a, const struct ast_range_sizes *sizes,
                             struct ir_value *start, uint32_t axis) {
  struct lower *lower = fn->lower;
  refuse_runtime_axis(fn, a, axis, lower->where);
  const struct size *length = lower_size(lower, &fn->env, sizes->length);
  if (sizes->low)
    return ir_build_slice(&fn->ssa.build, a, lower_size(lower, &fn->env, sizes->low), length, axis);
  struct ir_builder *build = &fn->ssa.build;
  const struct size *more =
      lower_checked_size(lower, size_sub(lower->module->arena, a->type->shape.sizes[axis], length));
  const struct size *limit =
      lower_checked_size(lower, size_add(lower->module->arena, more, size_constant(lower->module->arena, 1)));
  struct ir_value *operands[] = {start, ir_build_size(build, limit)};
  start = ir_build_value(build, IR_CHECK_RANGE, 2, operands, start->type);
  return ir_build_window(build, a, start, length, axis);
}

// a[i, .., j..k]
struct ssa_values lower_part(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_exprs *items = &expr->part.items;
  struct ir_value *a = lower_scalar(fn, expr->part.base);
  struct ir_value **at = arena_new_array(fn->arena, struct ir_value *, items->count);
  for (size_t i = 0; i < items->count && fn->ssa.reachable; i++) {
    const struct ast_expr *item = items->items[i];
    bool is_range = item->kind == AST_EXPR_RANGE;
    bool begins_at_int = is_range && item->range.low && !expr->part.ranges[i].low;
    if (!is_range || begins_at_int)
      at[i] = lower_scalar(fn, is_range ? item->range.low : item);
  }
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  uint32_t axis = 0;
  for (size_t i = 0; i < items->count; i++) {
    const struct ast_expr *item = items->items[i];
    if (item->kind != AST_EXPR_RANGE) {
      a = lower_take(fn, a, at[i], axis);
      continue;
    }
    if (item->range.low)
      a = lower_range(fn, a, &expr->part.ranges[i], at[i], axis);
    axis++;
  }
  return lower_one(fn, a);
}

// The dimension that a movement goes along: `dim`, or the first.
static uint32_t along(const struct ast_call *call) { return call->axis > 0 ? call->axis - 1 : 0; }

// split(a, k): k slices of equal length.
struct ssa_values lower_split(struct lower_fn *fn, const struct ast_expr *expr) {
  struct lower *lower = fn->lower;
  struct ir_value *a = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  uint32_t k = (uint32_t)expr->type->tuple.count, axis = along(&expr->call.resolved);
  refuse_runtime_axis(fn, a, axis, expr->span);
  struct ssa_values parts = {k, arena_new_array(fn->arena, struct ir_value *, k)};
  const struct size *offset = size_constant(lower->module->arena, 0);
  for (uint32_t i = 0; i < k; i++) {
    const struct size *length = lower_size(lower, &fn->env, expr->type->tuple.items[i]->tensor.sizes[axis]);
    parts.items[i] = ir_build_slice(&fn->ssa.build, a, offset, length, axis);
    offset = lower_checked_size(lower, size_add(lower->module->arena, offset, length));
  }
  return parts;
}

static struct ssa_values lower_dropout(struct lower_fn *fn, const struct ast_expr *expr) {
  struct lower *lower = fn->lower;
  const struct ast_call *call = &expr->call.resolved;
  double p = lower_constant_number(lower_required_constant(lower, fn->env.self, call->args[1]));
  if (!(p >= 0 && p < 1)) {
    diag_error(lower->sink, DIAG_CONSTANT_VALUE, call->args[1]->span,
               "the share that is dropped is %g; it must be at least 0 and less than 1", p);
    lower_fail(lower);
  }
  struct ir_value *a = lower_scalar(fn, call->args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  return lower_one(fn, ir_build_dropout(&fn->ssa.build, a, p, lower->module->n_sites++));
}

// The shape is written, also where the number of a size is not known yet: it is then that of a dimension of `a`.
struct ssa_values lower_broadcast(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  struct ssa_values operands = lower_exprs(fn, expr->call.resolved.args, 2);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *a = operands.items[0];
  const struct ir_type *whole = operands.items[1]->type;
  uint32_t axis = expr->call.resolved.axis, rank = whole->shape.rank;
  uint32_t n = axis > 0 ? 1 : rank - a->type->shape.rank;
  for (uint32_t i = 0; i < n; i++)
    if (size_is_runtime(whole->shape.sizes[axis > 0 ? axis - 1 : i]))
      lower_runtime_size(fn, expr->span);
  if (a->type->shape.rank == 0 && axis == 0)
    return lower_one(fn, rank == 0 ? a : ir_build_broadcast(build, a, whole, 0));
  for (uint32_t i = n; i-- > 0;) {
    const struct ir_type *type = ir_type_tensor(build->module, rank - i, whole->shape.sizes + i);
    a = ir_build_broadcast(build, a, type, axis > 0 ? axis : 1);
  }
  return lower_one(fn, a);
}

static struct ssa_values lower_slice_call(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ir_value *a = lower_scalar(fn, call->args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  refuse_runtime_axis(fn, a, along(call), expr->span);
  if (call->binding_count == 0) {  // from an int on
    struct ast_range_sizes sizes = {NULL, expr->type->tensor.sizes[along(call)]};
    struct ir_value *start = lower_scalar(fn, call->args[1]);
    if (!fn->ssa.reachable)
      return lower_undefined(fn, expr->type);
    lower_at(fn, expr->span);
    return lower_one(fn, lower_range(fn, a, &sizes, start, along(call)));
  }
  const struct size *offset = lower_size(fn->lower, &fn->env, call->bindings[0].size);
  const struct size *length = lower_size(fn->lower, &fn->env, call->bindings[1].size);
  return lower_one(fn, ir_build_slice(&fn->ssa.build, a, offset, length, along(call)));
}

// Dimensions that the function does not know to be of run-time size keep their place.
struct ssa_values lower_reshape(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_value *a = lower_scalar(fn, expr->call.resolved.args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  uint32_t led = 0;
  while (led < a->type->shape.rank && led < type->shape.rank && size_is_runtime(a->type->shape.sizes[led]) &&
         size_is_runtime(type->shape.sizes[led]))
    led++;
  // For the function two sizes may be equal that an example tells apart.
  const struct type *from = expr->call.resolved.args[0]->type;
  bool fits = true;
  for (uint32_t i = 0; i < led; i++)
    fits = fits && size_equal(from->tensor.sizes[i], expr->type->tensor.sizes[i]);
  for (uint32_t i = led; i < IR_MAX_RANK; i++)
    fits = fits && !(i < a->type->shape.rank && size_is_runtime(a->type->shape.sizes[i])) &&
           !(i < type->shape.rank && size_is_runtime(type->shape.sizes[i]));
  if (fits)
    return lower_one(fn, ir_build_reshape(&fn->ssa.build, a, type));
  struct diag *d = diag_error(fn->lower->sink, DIAG_SIZE_UNSOLVED, expr->span,
                              "`reshape` of a tensor with a size that is known for each example only");
  diag_note(d, "such a size comes first and stays as it is");
  lower_fail(fn->lower);
}

struct ssa_values lower_permute(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ir_value *a = lower_scalar(fn, call->args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  int64_t order = 0;
  for (size_t i = 1; i < call->arg_count; i++)
    order = ir_order_with(order, (uint32_t)i - 1, (uint32_t)call->args[i]->integer);
  bool turns = call->arg_count == 3 && call->args[1]->integer == 1;
  return lower_one(fn, turns ? ir_build_unary(&fn->ssa.build, IR_OP_TRANSPOSE, a)
                             : ir_build_permute(&fn->ssa.build, a, order));
}

// A vector as a matrix of one row or, as axis 1, of one column.
static struct ir_value *as_matrix(struct lower_fn *fn, struct ir_value *vector, uint32_t axis) {
  struct ir_module *module = fn->lower->module;
  const struct size *one = size_constant(module->arena, 1), *n = vector->type->shape.sizes[0];
  const struct size *sizes[2] = {axis == 0 ? one : n, axis == 0 ? n : one};
  return ir_build_broadcast(&fn->ssa.build, vector, ir_type_tensor(module, 2, sizes), axis + 1);
}

// a @ b. A vector goes with many matrices as a matrix, whose only row or column is taken out of the result.
struct ir_value *lower_product(struct lower_fn *fn, struct ir_value *a, struct ir_value *b) {
  struct ir_builder *build = &fn->ssa.build;
  uint32_t rank_a = a->type->shape.rank, rank_b = b->type->shape.rank;
  if (rank_a == 1 && rank_b > 2)
    return ir_build_over(build, IR_OP_SUM, ir_build_matmul(build, as_matrix(fn, a, 0), false, b, false),
                         rank_b - 1);
  if (rank_b == 1 && rank_a > 2)
    return ir_build_over(build, IR_OP_SUM, ir_build_matmul(build, a, false, as_matrix(fn, b, 1), false),
                         rank_a);
  return ir_build_matmul(build, a, false, b, false);
}

// max and min of a tensor and a host number, which takes no share of the gradient where the two are equal. The tensor
// comes first.
static enum ir_op with_number(enum ir_op op, const struct ast_call *call, struct ir_value **operands) {
  if (op != IR_OP_MAX && op != IR_OP_MIN)
    return op;
  bool is_first = call->args[0]->conversion == AST_CONVERT_TO_SCALAR;
  if (!is_first && call->args[1]->conversion != AST_CONVERT_TO_SCALAR)
    return op;
  struct ir_value *tensor = operands[is_first], *number = operands[!is_first];
  operands[0] = tensor;
  operands[1] = number;
  return op == IR_OP_MAX ? IR_OP_AT_LEAST : IR_OP_AT_MOST;
}

// An int that an operation takes as a position is any number: the check stands before the operation, which by
// itself never fails. The indices of vocabs and enums are in range by their type.
struct ir_value *lower_position(struct lower_fn *fn, const struct ir_value *indexed, struct ir_value *index,
                                uint32_t axis) {
  if (index->type->kind != IR_INT)
    return index;
  if (size_is_runtime(indexed->type->shape.sizes[axis]))  // seen when it is emitted
    return index;
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *operands[] = {index, ir_build_size(build, indexed->type->shape.sizes[axis])};
  return ir_build_value(build, IR_CHECK_RANGE, 2, operands, index->type);
}

struct ir_value *lower_take(struct lower_fn *fn, struct ir_value *a, struct ir_value *index, uint32_t axis) {
  if (axis == 0 && a->def && a->def->op == IR_OP_STACK)  // a row of it is an element of the list
    return ir_build_list_get(&fn->ssa.build, a->def->operands[0], index)->results[0];
  return ir_build_take(&fn->ssa.build, a, lower_position(fn, a, index, axis), axis);
}

// An operation of the table: its operands as written.
struct ssa_values lower_tensor_call(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  enum ir_op op = call->target.builtin->op;
  assert(ir_is_tensor_op(op));
  if (op == IR_OP_DROPOUT)
    return lower_dropout(fn, expr);
  if (op == IR_OP_SLICE)
    return lower_slice_call(fn, expr);
  if (ir_op_infos[op].random)
    return lower_draw(fn, expr);
  struct ssa_values operands = lower_exprs(fn, call->args, call->arg_count);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  for (uint32_t i = 0; op == IR_OP_CONCAT && i < operands.n; i++)
    refuse_runtime_axis(fn, operands.items[i], along(call), expr->span);
  if (op == IR_OP_CONCAT)
    return lower_one(fn, ir_build_concat(&fn->ssa.build, operands.n, operands.items, along(call)));
  op = with_number(op, call, operands.items);
  if (op == IR_OP_PICK)
    return lower_one(fn, lower_take(fn, operands.items[0], operands.items[1], along(call)));
  if (ir_op_infos[op].takes_index)
    operands.items[operands.n - 1] = lower_position(fn, operands.items[0], operands.items[operands.n - 1], 0);
  if (call->axis > 0)
    return lower_one(fn, ir_build_over(&fn->ssa.build, op, operands.items[0], call->axis));
  return lower_one(fn, ir_build_tensor(&fn->ssa.build, op, operands.n, operands.items));
}

// min(a): the largest element of -a, negated, which rounds nothing.
struct ssa_values lower_smallest(struct lower_fn *fn, const struct ast_expr *expr) {
  const struct ast_call *call = &expr->call.resolved;
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *a = lower_scalar(fn, call->args[0]);
  if (!fn->ssa.reachable)
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  a = ir_build_over(build, IR_OP_AMAX, ir_build_unary(build, IR_OP_NEG, a), call->axis);
  return lower_one(fn, ir_build_unary(build, IR_OP_NEG, a));
}

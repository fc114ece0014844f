/* Loops: `for`, `while` and comprehensions. */
#include <assert.h>

#include "compiler/lower_internal.h"

/* What a loop runs over: the ints from low to high, and what each of them stands for. */
struct sequence {
  enum { OVER_INTS, OVER_LIST, OVER_LAYERS } kind;
  struct ir_value *low, *high;
  struct ir_value *list;
  struct lower_ref layers;
};

static bool open_sequence(struct lower_fn *fn, const struct ast_expr *expr, struct sequence *sequence) {
  struct ir_builder *build = &fn->ssa.build;
  *sequence = (struct sequence){.kind = OVER_INTS};
  if (expr->kind == AST_EXPR_RANGE) {
    sequence->low = lower_scalar(fn, expr->range.low);
    if (fn->ssa.reachable)
      sequence->high = lower_scalar(fn, expr->range.high);
    return fn->ssa.reachable;
  }
  if (lower_is_layer(expr)) {
    sequence->kind = OVER_LAYERS;
    sequence->layers = lower_layer_ref(fn, expr);
    const struct lower_node *element = sequence->layers.node->element;
    sequence->high = lower_size_value(fn, element->lists[element->n_lists - 1]);
  } else {
    sequence->kind = OVER_LIST;
    sequence->list = lower_scalar(fn, expr);
    if (!fn->ssa.reachable)
      return false;
    sequence->high =
        ir_build_value(build, IR_LIST_LEN, 1, &sequence->list, ir_type_simple(build->module, IR_INT));
  }
  sequence->low = ir_build_int(build, 0);
  return fn->ssa.reachable;
}

static void bind_element(struct lower_fn *fn, const struct sequence *sequence,
                         const struct ast_pattern *pattern, struct ir_value *i) {
  switch (sequence->kind) {
  case OVER_INTS: lower_bind_pattern(fn, pattern, lower_one(fn, i)); break;
  case OVER_LAYERS:
    if (pattern->kind == AST_PATTERN_NAME)
      lower_bind_layer(fn, pattern->name.local, lower_element_ref(sequence->layers, i));
    break;
  case OVER_LIST: {
    struct ir_instr *get = ir_build_list_get(&fn->ssa.build, sequence->list, i);
    lower_bind_pattern(fn, pattern, (struct ssa_values){get->n_results, get->results});
    break;
  }
  }
}

/* A loop over a sequence. The list that a comprehension collects, if any, goes round with the counter. */
struct counted_loop {
  struct ssa_label *head, *next, *exit;
  struct ir_value *i;
  struct ir_value *list; /* NULL for a `for` */
  uint32_t scope;
};

static struct ssa_values carried(struct lower_fn *fn, struct ir_value *i, struct ir_value *list) {
  struct ir_value **items = arena_new_array(fn->arena, struct ir_value *, 2);
  items[0] = i;
  items[1] = list;
  return (struct ssa_values){list ? 2 : 1, items};
}

/* Begins the body, with the pattern bound. */
static void begin_loop(struct lower_fn *fn, const struct sequence *sequence,
                       const struct ast_pattern *pattern, struct ir_value *list, struct counted_loop *loop) {
  struct ssa *ssa = &fn->ssa;
  loop->scope = ssa->n_variables;
  loop->next = ssa_label(ssa);
  loop->exit = ssa_label(ssa);
  struct ssa_label *body = ssa_label(ssa);
  struct ssa_values params;
  loop->head = ssa_enter_loop(ssa, carried(fn, sequence->low, list), &params);
  loop->i = params.items[0];
  loop->list = list ? params.items[1] : NULL;
  struct ir_value *more = ir_build_host2(&ssa->build, IR_ILT, loop->i, sequence->high);
  ssa_branch(ssa, more, body, loop->exit);
  ssa_enter(ssa, body, 0, NULL);
  bind_element(fn, sequence, pattern, loop->i);
}

/* Ends the body; `list` is what was collected so far. Goes on after the loop. */
static void end_loop(struct lower_fn *fn, struct counted_loop *loop, struct ir_value *list) {
  struct ssa *ssa = &fn->ssa;
  struct ssa_values collected = list ? lower_one(fn, list) : LOWER_NONE;
  ssa_jump(ssa, loop->next, collected);
  const struct ir_type *type = list ? list->type : NULL;
  struct ssa_values params = ssa_enter(ssa, loop->next, collected.n, &type);
  if (ssa->reachable) {
    struct ir_value *one = ir_build_int(&ssa->build, 1);
    struct ir_value *i = ir_build_host2(&ssa->build, IR_IADD, loop->i, one);
    ssa_jump(ssa, loop->head, carried(fn, i, list ? params.items[0] : NULL));
  }
  ssa_enter(ssa, loop->exit, 0, NULL);
  ssa->n_variables = loop->scope;
}

static void loop_body(struct lower_fn *fn, struct ssa_label *next, struct ssa_label *exit,
                      const struct ast_block *body) {
  struct lower_loop loop = {next, exit, fn->loop};
  fn->loop = &loop;
  lower_block(fn, body);
  fn->loop = loop.outer;
}

void lower_for(struct lower_fn *fn, const struct ast_stmt *stmt) {
  struct sequence sequence;
  struct counted_loop loop;
  if (!open_sequence(fn, stmt->for_loop.sequence, &sequence))
    return;
  lower_at(fn, stmt->span);
  begin_loop(fn, &sequence, stmt->for_loop.pattern, NULL, &loop);
  loop_body(fn, loop.next, loop.exit, stmt->for_loop.body);
  lower_at(fn, stmt->span);
  end_loop(fn, &loop, NULL);
}

/* [element for pattern in sequence if condition] */
struct ssa_values lower_comprehension(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ssa *ssa = &fn->ssa;
  struct sequence sequence;
  struct counted_loop loop;
  if (!open_sequence(fn, expr->comprehension.sequence, &sequence))
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  struct ir_value *empty = ir_build_value(&ssa->build, IR_LIST_NEW, 0, NULL, type);
  begin_loop(fn, &sequence, expr->comprehension.pattern, empty, &loop);
  if (expr->comprehension.condition) {
    struct ir_value *condition = lower_scalar(fn, expr->comprehension.condition);
    struct ssa_label *take = ssa_label(ssa), *skip = ssa_label(ssa);
    ssa_branch(ssa, condition, take, skip);
    ssa_enter(ssa, skip, 0, NULL);
    ssa_jump(ssa, loop.next, lower_one(fn, loop.list));
    ssa_enter(ssa, take, 0, NULL);
  }
  struct ssa_values element = lower_expr(fn, expr->comprehension.element);
  struct ir_value *list = loop.list;
  if (ssa->reachable) {
    lower_at(fn, expr->span);
    struct ir_value **operands = arena_new_array(fn->arena, struct ir_value *, (size_t)element.n + 1);
    operands[0] = loop.list;
    for (uint32_t i = 0; i < element.n; i++)
      operands[i + 1] = element.items[i];
    list = ir_build_value(&ssa->build, IR_LIST_PUSH, element.n + 1, operands, type);
  }
  end_loop(fn, &loop, list);
  return lower_one(fn, loop.list);
}

static bool is_true(const struct lower_fn *fn, const struct ast_expr *condition) {
  struct lower_constant value;
  return lower_constant(fn->env.self, condition, &value) && value.integer;
}

void lower_while(struct lower_fn *fn, const struct ast_stmt *stmt) {
  struct ssa *ssa = &fn->ssa;
  struct ssa_values none;
  struct ssa_label *exit = ssa_label(ssa), *body = ssa_label(ssa);
  struct ssa_label *head = ssa_enter_loop(ssa, LOWER_NONE, &none);
  /* `while true` ends by `break` or `return` alone: the checker takes it so, too. */
  if (is_true(fn, stmt->while_loop.condition))
    ssa_jump(ssa, body, LOWER_NONE);
  else
    ssa_branch(ssa, lower_scalar(fn, stmt->while_loop.condition), body, exit);
  ssa_enter(ssa, body, 0, NULL);
  loop_body(fn, head, exit, stmt->while_loop.body);
  lower_at(fn, stmt->span);
  ssa_jump(ssa, head, LOWER_NONE);
  ssa_enter(ssa, exit, 0, NULL);
}

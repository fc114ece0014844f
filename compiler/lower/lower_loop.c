// Loops: `for`, `while` and comprehensions.
#include <assert.h>

#include "compiler/lower/lower_internal.h"

// What a loop runs over: the ints from low to high, and what each of them stands for.
struct sequence {
  enum { OVER_INTS, OVER_LIST, OVER_LAYERS, OVER_MEMBERS } kind;
  struct ir_value *low, *high;
  struct ir_value *list;
  const struct ir_type *index;  // of the members of a vocab or enum
  struct lower_ref layers;
};

bool lower_is_set(const struct ast_expr *expr) {
  return expr->kind == AST_EXPR_NAME &&
         (expr->name.ref.kind == AST_REF_VOCAB || expr->name.ref.kind == AST_REF_ENUM ||
          (expr->name.ref.kind == AST_REF_LAYER_PARAM &&
           expr->name.ref.layer_param->kind == AST_LAYER_PARAM_INDEX));
}

struct ir_value *lower_set_size(struct lower_fn *fn, const struct ast_expr *set) {
  const struct type *index = type_resolve(type_resolve(set->type)->list.element);
  const struct size *count = size_from_atom(fn->arena, &index->index->atom);
  return lower_size_value(fn, lower_size(fn->lower, &fn->env, count));
}

static bool open_sequence(struct lower_fn *fn, const struct ast_expr *expr, struct sequence *sequence) {
  struct ir_builder *build = &fn->ssa.build;
  *sequence = (struct sequence){.kind = OVER_INTS};
  if (expr->kind == AST_EXPR_RANGE) {
    sequence->low = lower_scalar(fn, expr->range.low);
    if (fn->ssa.reachable)
      sequence->high = lower_scalar(fn, expr->range.high);
    return fn->ssa.reachable;
  }
  if (lower_is_set(expr)) {
    sequence->kind = OVER_MEMBERS;
    sequence->index = lower_type_here(fn, type_resolve(type_resolve(expr->type)->list.element));
    sequence->high = lower_set_size(fn, expr);
  } else if (lower_is_layer(expr)) {
    sequence->kind = OVER_LAYERS;
    sequence->layers = lower_layer_ref(fn, expr);
    const struct lower_node *element = sequence->layers.node->element;
    sequence->high = lower_size_value(fn, element->lists[element->n_lists - 1]);
  } else {
    sequence->kind = OVER_LIST;
    sequence->list = lower_scalar(fn, expr);
    if (!fn->ssa.reachable)
      return false;
    if (sequence->list->type->kind == IR_TEXT)
      sequence->list = lower_chars(fn, sequence->list);
    sequence->high = ir_build_value(build, IR_LIST_LEN, 1, &sequence->list,
                                    ir_type_simple(build->module, IR_INT));
  }
  sequence->low = ir_build_int(build, 0);
  return fn->ssa.reachable;
}

static void bind_element(struct lower_fn *fn, const struct sequence *sequence,
                         const struct ast_pattern *pattern, struct ir_value *i) {
  switch (sequence->kind) {
  case OVER_INTS: lower_bind_pattern(fn, pattern, lower_one(fn, i)); break;
  case OVER_MEMBERS:
    i = ir_build_value(&fn->ssa.build, IR_INT_TO_INDEX, 1, &i, sequence->index);
    lower_bind_pattern(fn, pattern, lower_one(fn, i));
    break;
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

// The slots of the variables that are assigned to in a loop and declared before it.
static struct ssa_slots assigned_slots(struct lower_fn *fn, struct ast_assigned assigned) {
  struct ssa_slots slots = {0};
  uint32_t loop = ++fn->n_loops;
  struct ast_local *const *locals = fn->instance->fn->assigned.items;
  for (size_t i = assigned.first; i < assigned.first + assigned.count; i++) {
    struct lower_local *local = &fn->locals[locals[i]->index];
    // What the loop declares has no variable yet.
    if (local->kind != LOCAL_VARIABLE || local->variable.loop == loop)
      continue;
    local->variable.loop = loop;
    for (uint32_t k = 0; k < local->variable.n; k++)
      arena_push(fn->arena, &slots, local->variable.first + k);
  }
  return slots;
}

static struct ssa_values carried(struct lower_fn *fn, struct ir_value *i, struct ssa_values collected) {
  struct ir_value **items = arena_new_array(fn->arena, struct ir_value *, (size_t)collected.n + 1);
  items[0] = i;
  for (uint32_t k = 0; k < collected.n; k++)
    items[k + 1] = collected.items[k];
  return (struct ssa_values){collected.n + 1, items};
}

static void begin_counted(struct lower_fn *fn, struct ir_value *low, struct ir_value *high,
                          struct ast_assigned assigned, struct ssa_values collected,
                          struct lower_counted *loop) {
  struct ssa *ssa = &fn->ssa;
  loop->scope = ssa->n_variables;
  loop->next = ssa_label(ssa);
  loop->exit = ssa_label(ssa);
  struct ssa_label *body = ssa_label(ssa);
  struct ssa_values params;
  loop->head = ssa_enter_loop(ssa, carried(fn, low, collected), assigned_slots(fn, assigned), &params);
  loop->i = params.items[0];
  loop->collected = (struct ssa_values){collected.n, params.items + 1};
  struct ir_value *more = ir_build_host2(&ssa->build, IR_ILT, loop->i, high);
  ssa_branch(ssa, more, body, loop->exit);
  ssa_enter(ssa, body, 0, NULL);
}

void lower_begin_counted(struct lower_fn *fn, struct ir_value *n, struct ssa_values collected,
                         struct lower_counted *loop) {
  struct ir_value *zero = ir_build_int(&fn->ssa.build, 0);
  begin_counted(fn, zero, n, (struct ast_assigned){0}, collected, loop);
}

void lower_end_counted(struct lower_fn *fn, struct lower_counted *loop, struct ssa_values collected) {
  struct ssa *ssa = &fn->ssa;
  ssa_jump(ssa, loop->next, collected);
  const struct ir_type **types = arena_new_array(fn->arena, const struct ir_type *, collected.n);
  for (uint32_t k = 0; k < collected.n; k++)
    types[k] = collected.items[k]->type;
  struct ssa_values params = ssa_enter(ssa, loop->next, collected.n, types);
  if (ssa->reachable) {
    struct ir_value *one = ir_build_int(&ssa->build, 1);
    struct ir_value *i = ir_build_host2(&ssa->build, IR_IADD, loop->i, one);
    ssa_jump(ssa, loop->head, carried(fn, i, params));
  }
  ssa_enter(ssa, loop->exit, 0, NULL);
  ssa->n_variables = loop->scope;
}

// Over a sequence, with one thing collected or none (NULL).
static void begin_loop(struct lower_fn *fn, const struct sequence *sequence, struct ast_assigned assigned,
                       struct ir_value *collected, struct lower_counted *loop) {
  struct ssa_values none = LOWER_NONE;
  begin_counted(fn, sequence->low, sequence->high, assigned, collected ? lower_one(fn, collected) : none,
                loop);
}

static void end_loop(struct lower_fn *fn, struct lower_counted *loop, struct ir_value *collected) {
  struct ssa_values none = LOWER_NONE;
  lower_end_counted(fn, loop, collected ? lower_one(fn, collected) : none);
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
  struct lower_counted loop;
  if (!open_sequence(fn, stmt->for_loop.sequence, &sequence))
    return;
  lower_at(fn, stmt->span);
  begin_loop(fn, &sequence, stmt->for_loop.assigned, NULL, &loop);
  bind_element(fn, &sequence, stmt->for_loop.pattern, loop.i);
  loop_body(fn, loop.next, loop.exit, stmt->for_loop.body);
  lower_at(fn, stmt->span);
  end_loop(fn, &loop, NULL);
}

struct ir_value *lower_push(struct lower_fn *fn, struct ir_value *list, struct ssa_values element) {
  struct ir_value **operands = arena_new_array(fn->arena, struct ir_value *, (size_t)element.n + 1);
  operands[0] = list;
  for (uint32_t i = 0; i < element.n; i++)
    operands[i + 1] = element.items[i];
  return ir_build_value(&fn->ssa.build, IR_LIST_PUSH, element.n + 1, operands, list->type);
}

// [element for pattern in sequence if condition]
struct ssa_values lower_comprehension(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ssa *ssa = &fn->ssa;
  struct sequence sequence;
  struct lower_counted loop;
  if (!open_sequence(fn, expr->comprehension.sequence, &sequence))
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  const struct ir_type *type = lower_type_here(fn, expr->type);
  struct ir_value *empty = ir_build_value(&ssa->build, IR_LIST_NEW, 0, NULL, type);
  begin_loop(fn, &sequence, expr->comprehension.assigned, empty, &loop);
  bind_element(fn, &sequence, expr->comprehension.pattern, loop.i);
  if (expr->comprehension.condition) {
    struct ir_value *condition = lower_scalar(fn, expr->comprehension.condition);
    struct ssa_label *take = ssa_label(ssa), *skip = ssa_label(ssa);
    ssa_branch(ssa, condition, take, skip);
    ssa_enter(ssa, skip, 0, NULL);
    ssa_jump(ssa, loop.next, lower_one(fn, loop.collected.items[0]));
    ssa_enter(ssa, take, 0, NULL);
  }
  struct ssa_values element = lower_expr(fn, expr->comprehension.element);
  struct ir_value *list = loop.collected.items[0];
  if (ssa->reachable) {
    lower_at(fn, expr->span);
    list = lower_push(fn, loop.collected.items[0], element);
  }
  end_loop(fn, &loop, list);
  return lower_one(fn, loop.collected.items[0]);
}

struct ir_value *lower_map_list(struct lower_fn *fn, struct ir_value *list, const struct ir_type *type,
                                struct ssa_values (*make)(struct lower_fn *, struct ssa_values element,
                                                          const void *context),
                                const void *context) {
  struct ir_builder *build = &fn->ssa.build;
  struct sequence sequence = {.kind = OVER_LIST, .list = list, .low = ir_build_int(build, 0)};
  struct lower_counted loop;
  sequence.high = ir_build_host1(build, IR_LIST_LEN, list);
  begin_loop(fn, &sequence, (struct ast_assigned){0}, ir_build_value(build, IR_LIST_NEW, 0, NULL, type),
             &loop);
  struct ir_instr *get = ir_build_list_get(build, list, loop.i);
  struct ssa_values element = make(fn, (struct ssa_values){get->n_results, get->results}, context);
  end_loop(fn, &loop, lower_push(fn, loop.collected.items[0], element));
  return loop.collected.items[0];
}

struct ir_value *lower_rows(struct lower_fn *fn, struct ir_value *list, struct ir_value *n,
                            const struct ir_type *type) {
  struct ir_builder *build = &fn->ssa.build;
  struct ir_value *length = ir_build_host1(build, IR_LIST_LEN, list);
  struct sequence sequence = {
      .kind = OVER_INTS, .low = ir_build_int(build, 0), .high = ir_build_host2(build, IR_IDIV, length, n)};
  struct lower_counted loop;
  begin_loop(fn, &sequence, (struct ast_assigned){0}, ir_build_value(build, IR_LIST_NEW, 0, NULL, type),
             &loop);
  struct ir_value *from = ir_build_host2(build, IR_IMUL, loop.i, n);
  struct ir_value *slice[] = {list, from, ir_build_host2(build, IR_IADD, from, n)};
  struct ir_value *row = ir_build_value(build, IR_LIST_SLICE, 3, slice, list->type);
  end_loop(fn, &loop, lower_push(fn, loop.collected.items[0], lower_one(fn, row)));
  return loop.collected.items[0];
}

// sum(xs) of ints or floats.
struct ssa_values lower_sum_of_numbers(struct lower_fn *fn, const struct ast_expr *expr) {
  struct ir_builder *build = &fn->ssa.build;
  struct sequence sequence;
  struct lower_counted loop;
  if (!open_sequence(fn, expr->call.resolved.args[0], &sequence))
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  bool is_float = lower_type_here(fn, expr->type)->kind == IR_FLOAT;
  struct ir_value *zero = is_float ? ir_build_float(build, 0) : ir_build_int(build, 0);
  begin_loop(fn, &sequence, (struct ast_assigned){0}, zero, &loop);
  struct ir_value *element = ir_build_list_get(build, sequence.list, loop.i)->results[0];
  end_loop(fn, &loop, ir_build_host2(build, is_float ? IR_FADD : IR_IADD, loop.collected.items[0], element));
  return lower_one(fn, loop.collected.items[0]);
}

struct ssa_values lower_best_of_numbers(struct lower_fn *fn, const struct ast_expr *expr, bool largest,
                                        bool place) {
  struct ssa *ssa = &fn->ssa;
  struct ir_builder *build = &ssa->build;
  struct sequence sequence;
  struct lower_counted loop;
  if (!open_sequence(fn, expr->call.resolved.args[0], &sequence))
    return lower_undefined(fn, expr->type);
  lower_at(fn, expr->span);
  struct ir_value *is_any = ir_build_host2(build, IR_ILT, sequence.low, sequence.high);
  const char *name = expr->call.resolved.target.builtin->name;
  ir_build(build, IR_REQUIRE, 1, &is_any, 0, NULL)->text = arena_printf(fn->lower->module->arena,
                                                                        "%s of an empty list", name);
  // What is collected is the place: the number there is read again, which costs nothing.
  struct ir_value *first = sequence.low;
  sequence.low = ir_build_int(build, 1);
  begin_loop(fn, &sequence, (struct ast_assigned){0}, first, &loop);
  struct ir_value *so_far = ir_build_list_get(build, sequence.list, loop.collected.items[0])->results[0];
  struct ir_value *element = ir_build_list_get(build, sequence.list, loop.i)->results[0];
  struct ssa_label *stays, *changes;
  lower_choose(fn, so_far, element, largest, &stays, &changes);
  ssa_enter(ssa, stays, 0, NULL);
  ssa_jump(ssa, loop.next, lower_one(fn, loop.collected.items[0]));
  ssa_enter(ssa, changes, 0, NULL);
  end_loop(fn, &loop, loop.i);
  return place ? lower_one(fn, loop.collected.items[0])
               : lower_one(fn, ir_build_list_get(build, sequence.list, loop.collected.items[0])->results[0]);
}

static bool is_true(const struct lower_fn *fn, const struct ast_expr *condition) {
  struct lower_constant value;
  return lower_constant(fn->env.self, condition, &value) && value.integer;
}

void lower_while(struct lower_fn *fn, const struct ast_stmt *stmt) {
  struct ssa *ssa = &fn->ssa;
  struct ssa_values none;
  struct ssa_label *exit = ssa_label(ssa), *body = ssa_label(ssa);
  struct ssa_label *head = ssa_enter_loop(ssa, LOWER_NONE, assigned_slots(fn, stmt->while_loop.assigned),
                                          &none);
  // `while true` ends by `break` or `return` alone: the checker takes it so, too.
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

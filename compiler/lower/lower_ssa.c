/* From variables to SSA values while the control flow is being built. */
#include "compiler/lower/lower_ssa.h"

#include <assert.h>
#include <string.h>

static struct ir_bb *new_bb(struct ssa *ssa) {
  struct ir_bb *bb = arena_new(ssa->build.module->arena, struct ir_bb);
  bb->id = ssa->build.function->n_bbs++;
  return bb;
}

/* From here on instructions go to `bb`. Blocks of unreachable code are not part of the layout. */
static void start_bb(struct ssa *ssa, struct ir_bb *bb, bool reachable) {
  ssa->build.bb = bb;
  ssa->reachable = reachable;
  if (!reachable)
    return;
  if (ssa->last_bb)
    ssa->last_bb->next = bb;
  else
    ssa->build.function->entry = bb;
  ssa->last_bb = bb;
}

void ssa_init(struct ssa *ssa, struct arena *scratch, struct ir_module *module,
              struct ir_function *function) {
  *ssa = (struct ssa){.scratch = scratch};
  ssa->build = (struct ir_builder){.module = module, .function = function};
  start_bb(ssa, new_bb(ssa), true);
}

struct ir_value *ssa_undefined(struct ssa *ssa, const struct ir_type *type) {
  assert(!ssa->reachable);
  struct ir_value *value = arena_new(ssa->build.module->arena, struct ir_value);
  value->type = type;
  return value;
}

/* ---- Variables ---------------------------------------------------------------------------------------- */

uint32_t ssa_declare(struct ssa *ssa, struct ssa_values values) {
  uint32_t first = ssa->n_variables, needed = first + values.n;
  if (needed > ssa->variable_capacity) {
    uint32_t grown = ssa->variable_capacity * 2 > needed ? ssa->variable_capacity * 2 : needed;
    ssa->variables = arena_grow_array(ssa->scratch, ssa->variables, first, grown, sizeof *ssa->variables);
    ssa->variable_capacity = grown;
  }
  ssa->n_variables = needed;
  ssa_write(ssa, first, values);
  return first;
}

static struct ir_value **copy_values(struct arena *arena, uint32_t n, struct ir_value *const *values) {
  struct ir_value **copy = arena_new_array(arena, struct ir_value *, n);
  if (n)
    memcpy(copy, values, n * sizeof *copy);
  return copy;
}

struct ssa_values ssa_read(struct ssa *ssa, uint32_t first, uint32_t n) {
  assert(first + n <= ssa->n_variables);
  return (struct ssa_values){n, copy_values(ssa->scratch, n, ssa->variables + first)};
}

void ssa_write(struct ssa *ssa, uint32_t first, struct ssa_values values) {
  assert(first + values.n <= ssa->n_variables);
  for (uint32_t i = 0; i < values.n; i++)
    ssa->variables[first + i] = values.items[i];
}

/* ---- Jumps -------------------------------------------------------------------------------------------- */

struct ssa_label *ssa_label(struct ssa *ssa) {
  struct ssa_label *label = arena_new(ssa->scratch, struct ssa_label);
  label->bb = new_bb(ssa);
  label->n_variables = ssa->n_variables;
  return label;
}

/* Edges into a loop's head carry every variable. */
static void complete_loop_edge(struct ssa *ssa, struct ssa_label *label, const struct ssa_edge *edge) {
  uint32_t n = edge->args.n + label->n_variables;
  assert(n == label->bb->n_params);
  struct ir_value **args = arena_new_array(ssa->scratch, struct ir_value *, n);
  for (uint32_t i = 0; i < n; i++)
    args[i] = i < edge->args.n ? edge->args.items[i] : edge->variables[i - edge->args.n];
  ir_set_target(ssa->build.module, edge->jump, edge->which, label->bb, n, args);
}

static void add_edge(struct ssa *ssa, struct ssa_label *label, struct ir_instr *jump, uint32_t which,
                     struct ssa_values args) {
  assert(ssa->n_variables >= label->n_variables);
  struct ssa_edge edge = {jump, which, args, NULL};
  edge.variables = copy_values(ssa->scratch, label->n_variables, ssa->variables);
  if (label->is_loop)
    complete_loop_edge(ssa, label, &edge);
  else
    arena_push(ssa->scratch, &label->edges, edge);
}

/* Ends the block with a terminator of so many targets; NULL in unreachable code. */
static struct ir_instr *terminate(struct ssa *ssa, enum ir_op op, struct ssa_values operands,
                                  uint32_t n_targets) {
  if (!ssa->reachable)
    return NULL;
  struct ir_instr *jump = ir_instr_new(ssa->build.module, op, operands.n, operands.items, 0, NULL, n_targets,
                                       &ssa->build.function->n_values);
  jump->loc = ssa->build.loc;
  ir_append(ssa->build.bb, jump);
  return jump;
}

/* Whatever follows a jump is unreachable. */
static void leave(struct ssa *ssa) {
  if (ssa->reachable)
    start_bb(ssa, new_bb(ssa), false);
}

void ssa_jump(struct ssa *ssa, struct ssa_label *label, struct ssa_values args) {
  struct ir_instr *jump = terminate(ssa, IR_BR, (struct ssa_values){0, NULL}, 1);
  if (jump)
    add_edge(ssa, label, jump, 0, args);
  leave(ssa);
}

void ssa_branch(struct ssa *ssa, struct ir_value *condition, struct ssa_label *yes, struct ssa_label *no) {
  struct ir_instr *jump = terminate(ssa, IR_BRIF, (struct ssa_values){1, &condition}, 2);
  if (jump) {
    add_edge(ssa, yes, jump, 0, (struct ssa_values){0, NULL});
    add_edge(ssa, no, jump, 1, (struct ssa_values){0, NULL});
  }
  leave(ssa);
}

void ssa_switch(struct ssa *ssa, struct ir_value *value, uint32_t n, struct ssa_label *const *labels) {
  struct ir_instr *jump = terminate(ssa, IR_SWITCH, (struct ssa_values){1, &value}, n);
  for (uint32_t i = 0; jump && i < n; i++)
    add_edge(ssa, labels[i], jump, i, (struct ssa_values){0, NULL});
  leave(ssa);
}

void ssa_return(struct ssa *ssa, struct ssa_values values) {
  terminate(ssa, IR_RETURN, values, 0);
  leave(ssa);
}

static struct ir_value *add_param(struct ssa *ssa, struct ir_bb *bb, const struct ir_type *type) {
  return ir_add_bb_param(ssa->build.module, ssa->build.function, bb, type);
}

static bool variable_differs(const struct ssa_label *label, uint32_t variable) {
  for (size_t e = 1; e < label->edges.count; e++)
    if (label->edges.items[e].variables[variable] != label->edges.items[0].variables[variable])
      return true;
  return false;
}

struct ssa_values ssa_enter(struct ssa *ssa, struct ssa_label *label, uint32_t n,
                            const struct ir_type *const *types) {
  assert(!ssa->reachable && !label->is_loop);
  size_t n_edges = label->edges.count;
  start_bb(ssa, label->bb, n_edges > 0);
  ssa->n_variables = label->n_variables;
  struct ssa_values params = {n, arena_new_array(ssa->scratch, struct ir_value *, n)};
  for (uint32_t i = 0; i < n; i++)
    params.items[i] = add_param(ssa, label->bb, types[i]);
  if (n_edges == 0)
    return params;

  uint32_t *merged = arena_new_array(ssa->scratch, uint32_t, label->n_variables), n_merged = 0;
  for (uint32_t v = 0; v < label->n_variables; v++) {
    ssa->variables[v] = label->edges.items[0].variables[v];
    if (variable_differs(label, v)) {
      ssa->variables[v] = add_param(ssa, label->bb, ssa->variables[v]->type);
      merged[n_merged++] = v;
    }
  }
  struct ir_value **args = arena_new_array(ssa->scratch, struct ir_value *, n + n_merged);
  for (size_t e = 0; e < n_edges; e++) {
    const struct ssa_edge *edge = &label->edges.items[e];
    assert(edge->args.n == n);
    for (uint32_t i = 0; i < n; i++)
      args[i] = edge->args.items[i];
    for (uint32_t i = 0; i < n_merged; i++)
      args[n + i] = edge->variables[merged[i]];
    ir_set_target(ssa->build.module, edge->jump, edge->which, label->bb, n + n_merged, args);
  }
  return params;
}

struct ssa_label *ssa_enter_loop(struct ssa *ssa, struct ssa_values args, struct ssa_values *params) {
  struct ssa_label *head = ssa_label(ssa);
  params->n = args.n;
  params->items = arena_new_array(ssa->scratch, struct ir_value *, args.n);
  for (uint32_t i = 0; i < args.n; i++)
    params->items[i] = add_param(ssa, head->bb, args.items[i]->type);
  for (uint32_t v = 0; v < head->n_variables; v++)
    add_param(ssa, head->bb, ssa->variables[v]->type);
  bool reachable = ssa->reachable;
  ssa_jump(ssa, head, args);
  head->is_loop = true;
  if (reachable)
    complete_loop_edge(ssa, head, &head->edges.items[0]);
  start_bb(ssa, head->bb, reachable);
  for (uint32_t v = 0; v < head->n_variables; v++)
    ssa->variables[v] = head->bb->params[args.n + v];
  return head;
}

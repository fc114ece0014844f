// From variables to SSA values while the control flow is being built.
#include "compiler/lower/lower_ssa.h"

#include <assert.h>
#include <stdlib.h>

static struct ir_bb *new_bb(struct ssa *ssa) {
  struct ir_bb *bb = arena_new(ssa->build.module->arena, struct ir_bb);
  bb->id = ssa->build.function->n_bbs++;
  return bb;
}

// From here on instructions go to `bb`. Blocks of unreachable code are not part of the layout.
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

// ---- Variables ----------------------------------------------------------------------------------------

enum { FAN_BITS = 2, FAN = 1 << FAN_BITS };

// On the lowest level the items are values, above it nodes.
struct ssa_state_node {
  uint32_t time;  // of its making
  void *items[FAN];
};

static uint32_t digit(uint32_t variable, uint32_t level) {
  return (variable >> (level * FAN_BITS)) & (FAN - 1);
}

static struct ir_value *state_get(struct ssa_state state, uint32_t variable) {
  const struct ssa_state_node *node = state.root;
  for (uint32_t level = state.height - 1; level > 0; level--)
    node = node->items[digit(variable, level)];
  return node->items[digit(variable, 0)];
}

// The node, or a copy of it when jumps may share it.
static struct ssa_state_node *own_node(struct ssa *ssa, struct ssa_state_node *node) {
  if (node && node->time == ssa->time)
    return node;
  struct ssa_state_node *own = arena_new(ssa->scratch, struct ssa_state_node);
  if (node)
    *own = *node;
  own->time = ssa->time;
  return own;
}

static void state_set(struct ssa *ssa, uint32_t variable, struct ir_value *value) {
  struct ssa_state *state = &ssa->state;
  while (state->height == 0 || (uint64_t)variable >> (state->height * FAN_BITS) != 0) {
    struct ssa_state_node *root = own_node(ssa, NULL);
    root->items[0] = state->root;
    *state = (struct ssa_state){root, state->height + 1};
  }
  struct ssa_state_node *node = state->root = own_node(ssa, state->root);
  for (uint32_t level = state->height - 1; level > 0; level--) {
    void **item = &node->items[digit(variable, level)];
    node = *item = own_node(ssa, *item);
  }
  node->items[digit(variable, 0)] = value;
}

// Appends the variables below `n` whose values differ, those that both have.
static void find_differences(struct arena *scratch, const struct ssa_state_node *a,
                             const struct ssa_state_node *b, uint32_t level, uint32_t first, uint32_t n,
                             struct ssa_slots *different) {
  if (a == b || !a || !b)
    return;
  for (uint32_t i = 0; i < FAN; i++) {
    uint32_t variable = first + (i << (level * FAN_BITS));
    if (variable >= n)
      return;
    if (level > 0)
      find_differences(scratch, a->items[i], b->items[i], level - 1, variable, n, different);
    else if (a->items[i] != b->items[i])
      arena_push(scratch, different, variable);
  }
}

// The tree of a state at this height, which has all variables that the caller wants to know of.
static const struct ssa_state_node *root_at(struct ssa_state state, uint32_t height) {
  const struct ssa_state_node *root = state.root;
  for (; state.height > height; state.height--)
    root = root->items[0];
  return root;
}

static int compare_slots(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

// Ascending, each once.
static void sort_slots(struct ssa_slots *slots) {
  if (slots->count > 1)
    qsort(slots->items, slots->count, sizeof *slots->items, compare_slots);
  size_t kept = 0;
  for (size_t i = 0; i < slots->count; i++)
    if (kept == 0 || slots->items[kept - 1] != slots->items[i])
      slots->items[kept++] = slots->items[i];
  slots->count = kept;
}

// The variables that do not have the same value at all jumps to a label.
static struct ssa_slots merged_variables(struct ssa *ssa, const struct ssa_label *label) {
  struct ssa_slots merged = {0};
  struct ssa_state first = label->edges.items[0].state;
  for (size_t e = 1; e < label->edges.count; e++) {
    struct ssa_state other = label->edges.items[e].state;
    uint32_t height = first.height < other.height ? first.height : other.height;
    if (height > 0)
      find_differences(ssa->scratch, root_at(first, height), root_at(other, height), height - 1, 0,
                       label->n_variables, &merged);
  }
  sort_slots(&merged);
  return merged;
}

uint32_t ssa_declare(struct ssa *ssa, struct ssa_values values) {
  uint32_t first = ssa->n_variables;
  ssa->n_variables = first + values.n;
  ssa_write(ssa, first, values);
  return first;
}

struct ssa_values ssa_read(struct ssa *ssa, uint32_t first, uint32_t n) {
  assert(first + n <= ssa->n_variables);
  struct ssa_values values = {n, arena_new_array(ssa->scratch, struct ir_value *, n)};
  for (uint32_t i = 0; i < n; i++)
    values.items[i] = state_get(ssa->state, first + i);
  return values;
}

void ssa_write(struct ssa *ssa, uint32_t first, struct ssa_values values) {
  assert(first + values.n <= ssa->n_variables);
  for (uint32_t i = 0; i < values.n; i++)
    state_set(ssa, first + i, values.items[i]);
}

// ---- Jumps --------------------------------------------------------------------------------------------

struct ssa_label *ssa_label(struct ssa *ssa) {
  struct ssa_label *label = arena_new(ssa->scratch, struct ssa_label);
  label->bb = new_bb(ssa);
  label->n_variables = ssa->n_variables;
  return label;
}

// The arguments of a jump with these variables after its own.
static void complete_edge(struct ssa *ssa, const struct ssa_label *label, const struct ssa_edge *edge,
                          const struct ssa_slots *variables) {
  uint32_t n = edge->args.n + (uint32_t)variables->count;
  assert(n == label->bb->n_params);
  struct ir_value **args = arena_new_array(ssa->scratch, struct ir_value *, n);
  for (uint32_t i = 0; i < n; i++)
    args[i] = i < edge->args.n ? edge->args.items[i]
                               : state_get(edge->state, variables->items[i - edge->args.n]);
  ir_set_target(ssa->build.module, edge->jump, edge->which, label->bb, n, args);
}

static void add_edge(struct ssa *ssa, struct ssa_label *label, struct ir_instr *jump, uint32_t which,
                     struct ssa_values args) {
  assert(ssa->n_variables >= label->n_variables);
  struct ssa_edge edge = {jump, which, args, ssa->state};
  ssa->time++;  // the edge shares the tree from now on
  if (label->is_loop)
    complete_edge(ssa, label, &edge, &label->assigned);
  else
    arena_push(ssa->scratch, &label->edges, edge);
}

// Ends the block with a terminator of so many targets; NULL in unreachable code.
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

// Whatever follows a jump is unreachable.
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

  struct ssa_slots merged = merged_variables(ssa, label);
  ssa->state = label->edges.items[0].state;
  for (size_t i = 0; i < merged.count; i++) {
    const struct ir_type *type = state_get(ssa->state, merged.items[i])->type;
    state_set(ssa, merged.items[i], add_param(ssa, label->bb, type));
  }
  for (size_t e = 0; e < n_edges; e++) {
    assert(label->edges.items[e].args.n == n);
    complete_edge(ssa, label, &label->edges.items[e], &merged);
  }
  return params;
}

struct ssa_label *ssa_enter_loop(struct ssa *ssa, struct ssa_values args, struct ssa_slots assigned,
                                 struct ssa_values *params) {
  struct ssa_label *head = ssa_label(ssa);
  head->assigned = assigned;
  sort_slots(&head->assigned);
  params->n = args.n;
  params->items = arena_new_array(ssa->scratch, struct ir_value *, args.n);
  for (uint32_t i = 0; i < args.n; i++)
    params->items[i] = add_param(ssa, head->bb, args.items[i]->type);
  for (size_t i = 0; i < head->assigned.count; i++)
    add_param(ssa, head->bb, state_get(ssa->state, head->assigned.items[i])->type);
  bool reachable = ssa->reachable;
  ssa_jump(ssa, head, args);
  head->is_loop = true;
  if (reachable)
    complete_edge(ssa, head, &head->edges.items[0], &head->assigned);
  start_bb(ssa, head->bb, reachable);
  for (size_t i = 0; i < head->assigned.count; i++)
    state_set(ssa, head->assigned.items[i], head->bb->params[args.n + i]);
  return head;
}

// In which steps what has memory is computed.
//
// Requires: kernel_memory.c's decisions. Fills the steps.
//
// Steps are ordered by phase, the number of packed products that must come before: first the products of a
// phase, then its other steps, which work row by row and form a segment. Within a window of a segment, targets
// of equal size that do not wait for one another are computed in one loop.
#include <assert.h>
#include <string.h>

#include "runtime/cpu/kernel_plan.h"

// Targets whose expressions are cut at different places make each other's code longer: a loop takes them while
// targets times cuts are no more than this.
#define MAX_LOOP_REGIONS 64

// ------------------------------------------------------------------------------------------------------ places

static int64_t padded(int64_t elements) { return (int64_t)nn_row_elements((size_t)elements); }

static struct place row_place(enum place_kind kind, uint32_t index, int64_t elements) {
  return (struct place){.kind = kind, .index = index, .stride = padded(elements), .extent = padded(elements)};
}

struct place graph_place(struct graph *graph, struct node *node) {
  if (node->memory)
    return node->place;
  switch (node->op) {
  case NODE_INPUT: return row_place(PLACE_INPUT, node->index, node->n);
  case NODE_SAVED: return row_place(PLACE_SAVED, node->index, node->n);
  case NODE_GRADIENT: return row_place(PLACE_GRADIENT, node->index, node->n);
  case IR_OP_PARAM:
    // Followed by NN_LANES readable elements: no vector load within the parameter goes too far.
    return (struct place){
        .kind = PLACE_PARAM, .index = graph_use(graph, node, KERNEL_NATURAL), .extent = INT64_MAX / 2};
  case IR_OP_RESHAPE: return graph_place(graph, node->operands[0]);
  case NODE_VIEW: {
    if (!node_is_run(node))
      return (struct place){.kind = PLACE_NONE};
    struct index_shape space = node_shape(node), value = node_shape(node->operands[0]);
    struct place place = graph_place(graph, node->operands[0]);
    place.offset += index_map_strides(&node->map, &space, &value).offset;
    return place;
  }
  case NODE_SHIFTED: {
    const struct node *from = node->operands[0];
    struct place place = graph_place(graph, node->operands[0]);
    if (place.kind == PLACE_NONE || place.n_at == IR_MAX_RANK)
      return (struct place){.kind = PLACE_NONE};
    if (place.kind != PLACE_PARAM)
      place.extent = 0;  // which element is not known: a load that may go too far is masked
    int64_t stride = 1;
    for (uint32_t i = node->axis + 1; i < from->rank; i++)
      stride *= from->size[i];
    place.at[place.n_at++] = (struct place_index){node->at, from->size[node->axis] - node->length + 1,
                                                  stride};
    return place;
  }
  default: return (struct place){.kind = PLACE_NONE};
  }
}

// Where a result lies from the beginning; of what is drawn whole groups are written, so it is copied there.
static bool is_placed(const struct node *node) {
  return !node->memory || node_is_draws(node) || node->place.kind != PLACE_NONE;
}

static struct place draws_buffer(struct graph *graph, const struct node *node) {
  int64_t elements = (node->n + DRAWS_GROUP - 1) / DRAWS_GROUP * DRAWS_GROUP;
  size_t bytes = node->op == NODE_DRAWS ? 4 : nn_element_bytes(graph->element);
  return plan_buffer(graph, (size_t)elements * bytes, elements);
}

// Results lie where they are wanted, everything else in scratch memory.
static void assign_places(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    if (!is_placed(graph->outputs[i]))
      graph->outputs[i]->place = row_place(PLACE_OUTPUT, i, graph->outputs[i]->n);
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    if (!is_placed(graph->sink_nodes[i]))
      graph->sink_nodes[i]->place = row_place(PLACE_SINK, i, graph->sink_nodes[i]->n);
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    if (!node->live || !node->memory || node->place.kind != PLACE_NONE)
      continue;
    node->place = node_is_draws(node) ? draws_buffer(graph, node) : plan_element_buffer(graph, node->n);
  }
}

// ------------------------------------------------------------------------------------------------------- steps

static struct step *add_step(struct graph *graph, enum step_kind kind, struct node *node, uint32_t window) {
  if (graph->n_steps == graph->steps_capacity) {
    uint32_t capacity = graph->steps_capacity ? graph->steps_capacity * 2 : 16;
    graph->steps = arena_grow_array(graph->arena, graph->steps, graph->n_steps, capacity,
                                    sizeof *graph->steps);
    graph->steps_capacity = capacity;
  }
  struct step *step = arena_new(graph->arena, struct step);
  *step = (struct step){.kind = kind, .window = window, .node = node};
  if (node != NULL) {
    node->step = graph->n_steps;
    node->ready = node->joinable = graph->n_steps + 1;
  }
  graph->steps[graph->n_steps++] = step;
  return step;
}

// Which steps may compute an expression of the node's operands: known, because operands come first.
static void set_readiness(struct node *node) {
  for (uint32_t i = 0; i < node->n_operands; i++) {
    const struct node *operand = node->operands[i];
    uint32_t joinable = plan_is_aligned(node, operand) ? operand->joinable : operand->ready;
    node->ready = operand->ready > node->ready ? operand->ready : node->ready;
    node->joinable = joinable > node->joinable ? joinable : node->joinable;
  }
}

static void add_to_group(struct graph *graph, struct step *group, struct target target) {
  if (group->n_targets == group->targets_capacity) {
    uint32_t capacity = group->targets_capacity ? group->targets_capacity * 2 : 4;
    group->targets = arena_grow_array(graph->arena, group->targets, group->n_targets, capacity,
                                      sizeof *group->targets);
    group->targets_capacity = capacity;
  }
  group->targets[group->n_targets++] = target;
  group->cuts += target.node->cuts;
}

static bool takes(const struct step *group, const struct node *node) {
  uint64_t cuts = (uint64_t)group->cuts + node->cuts;
  return cuts == 0 || cuts * (group->n_targets + 1) <= MAX_LOOP_REGIONS;
}

// The first loop of the reader from step `earliest` on that takes the node, or a new one.
static uint32_t find_group(struct graph *graph, uint32_t number, const struct node *node, uint32_t earliest) {
  struct reader *reader = &graph->readers[number];
  uint32_t low = 0, high = reader->n_groups;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (reader->groups[middle] < earliest)
      low = middle + 1;
    else
      high = middle;
  }
  for (; low < reader->n_groups; low++)
    if (takes(graph->steps[reader->groups[low]], node))
      return reader->groups[low];
  struct step *step = add_step(graph, STEP_GROUP, NULL, node->window);
  step->groups = reader->loops;
  step->scalar = node_is_scalar(node);
  if (reader->n_groups == reader->groups_capacity) {
    uint32_t capacity = reader->groups_capacity ? reader->groups_capacity * 2 : 4;
    reader->groups = arena_grow_array(graph->arena, reader->groups, reader->n_groups, capacity,
                                      sizeof *reader->groups);
    reader->groups_capacity = capacity;
  }
  reader->groups[reader->n_groups++] = graph->n_steps - 1;
  return graph->n_steps - 1;
}

static void place_in_group(struct node *node, uint32_t step) {
  node->step = step;
  node->ready = step + 1;
  node->joinable = node->joinable > step ? node->joinable : step;
}

// The loop `step` computes a virtual node. What another loop of its reader computes, too, and is expensive, the
// earlier of them keeps.
static void claim(struct graph *graph, struct node *node, uint32_t step) {
  if (plan_lies_in_memory(node) || node_is_scalar(node) || node->cost <= PLAN_CHEAP ||
      node->claimed == step + 1)
    return;
  if (node->claimed != 0) {
    uint32_t first = node->claimed - 1 < step ? node->claimed - 1 : step;
    node->memory = true;
    node->place = plan_element_buffer(graph, node->n);
    place_in_group(node, first);
    add_to_group(graph, graph->steps[first], (struct target){TARGET_STORE, node, node->place});
    return;
  }
  node->claimed = step + 1;
  for (uint32_t i = 0; i < node->n_operands; i++)
    if (plan_is_aligned(node, node->operands[i]))
      claim(graph, node->operands[i], step);
}

// Puts a target into the first loop that is late enough. It computes its node or reads it.
static void add_target(struct graph *graph, uint32_t window_begin, struct target target, bool computes) {
  struct node *node = target.node;
  uint32_t earliest = node->joinable > window_begin ? node->joinable : window_begin;
  uint32_t step = find_group(graph, plan_reader(graph, node), node, earliest);
  add_to_group(graph, graph->steps[step], target);
  if (computes)
    place_in_group(node, step);
  if (node_is_scalar(node))
    return;
  for (uint32_t i = 0; computes && i < node->n_operands; i++)
    if (plan_is_aligned(node, node->operands[i]))
      claim(graph, node->operands[i], step);
  if (!computes)
    claim(graph, node, step);
}

static void add_product(struct graph *graph, struct node *node) {
  struct node *x, *param;
  enum kernel_layout layout;
  plan_packed_product(node, &x, &param, &layout);
  struct step *step = add_step(graph, STEP_PRODUCT, node, node->window);
  step->x = x;
  step->weights = graph_use(graph, param, layout);
  step->rows = x->rank >= 2 ? x->n / x->size[x->rank - 1] : 1;
  step->inner = x->n / step->rows;
  step->columns = node->n / step->rows;
  step->result = node->place;
  graph->flops += 2.0 * (double)step->rows * (double)step->inner * (double)step->columns;
  if (step->rows > 1 && step->columns % NN_LANES != 0)
    step->result = plan_element_buffer(graph, step->rows * padded(step->columns));
}

static bool needs_unpadding(const struct step *step) {
  return step->kind == STEP_PRODUCT && step->rows > 1 && step->columns % NN_LANES != 0;
}

static enum step_kind row_step_kind(const struct node *node) {
  switch (node->op) {
  case IR_OP_MATMUL: return STEP_MATMUL;
  case IR_OP_OUTER: return STEP_OUTER;
  case IR_OP_PUT: return STEP_PUT;
  case NODE_DRAWS:
  case NODE_NORMAL:
  case NODE_UNIFORM: return STEP_DRAWS;
  default: return STEP_REDUCE;
  }
}

// The products of the windows [from, to), which are those of one phase.
static void plan_products(struct graph *graph, uint32_t from, uint32_t to) {
  uint32_t begin = graph->n_steps;
  for (uint32_t i = graph->windows[from].begin; i < graph->windows[to - 1].end; i++)
    if (graph->order[i]->live && plan_is_packed(graph->order[i]))
      add_product(graph, graph->order[i]);
  uint32_t end = graph->n_steps;
  for (uint32_t i = begin; i < end; i++) {
    const struct step *product = graph->steps[i];
    if (!needs_unpadding(product))
      continue;
    struct step *step = add_step(graph, STEP_UNPAD, product->node, from);
    step->rows = product->rows;
    step->columns = product->columns;
    step->result = product->result;
  }
}

static void plan_row_step(struct graph *graph, struct node *node) {
  add_step(graph, row_step_kind(node), node, node->window);
  if (node->op != IR_OP_MATMUL)
    return;
  const struct node *a = node->operands[0];
  graph->flops += 2.0 * (double)node->n * (double)a->size[a->rank - 1 - node->transpose_a];
}

// What a window has to hand on besides: copies of results that lie elsewhere, and additions to the inputs'
// gradients. Lists of positions by window.
struct extras {
  uint32_t *begin;  // [window + 1]
  uint32_t *items;
};

static struct extras list_extras(struct graph *graph, uint32_t n,
                                 struct node *(*node_of)(const struct graph *, uint32_t)) {
  struct extras extras = {arena_new_array(graph->arena, uint32_t, graph->n_windows + 2),
                          arena_new_array(graph->arena, uint32_t, n)};
  for (uint32_t i = 0; i < n; i++)
    extras.begin[node_of(graph, i)->window + 2]++;
  for (uint32_t i = 0; i < graph->n_windows; i++)
    extras.begin[i + 2] += extras.begin[i + 1];
  for (uint32_t i = 0; i < n; i++)
    extras.items[extras.begin[node_of(graph, i)->window + 1]++] = i;
  return extras;
}

static struct node *output_node(const struct graph *graph, uint32_t i) { return graph->outputs[i]; }
static struct node *sink_node(const struct graph *graph, uint32_t i) { return graph->sink_nodes[i]; }
static struct node *add_node(const struct graph *graph, uint32_t i) { return graph->adds[i].node; }

struct handed_on {
  struct extras outputs, sinks, adds;
};

static void copy_result(struct graph *graph, uint32_t begin, struct node *node, enum place_kind kind,
                        uint32_t i) {
  if (!node->memory || node->place.kind != kind || node->place.index != i)
    add_target(graph, begin, (struct target){TARGET_STORE, node, row_place(kind, i, node->n)}, false);
}

static void plan_window(struct graph *graph, uint32_t window, const struct handed_on *extras) {
  uint32_t begin = graph->n_steps;
  for (uint32_t i = graph->windows[window].begin; i < graph->windows[window].end; i++) {
    struct node *node = graph->order[i];
    if (!node->live || plan_is_packed(node))
      continue;
    if (node->memory && plan_is_row_step(node)) {
      plan_row_step(graph, node);
      continue;
    }
    set_readiness(node);
    if (node->memory)
      add_target(graph, begin, (struct target){TARGET_STORE, node, node->place}, true);
  }
  for (uint32_t i = extras->outputs.begin[window]; i < extras->outputs.begin[window + 1]; i++) {
    uint32_t output = extras->outputs.items[i];
    copy_result(graph, begin, graph->outputs[output], PLACE_OUTPUT, output);
  }
  for (uint32_t i = extras->sinks.begin[window]; i < extras->sinks.begin[window + 1]; i++) {
    uint32_t sink = extras->sinks.items[i];
    copy_result(graph, begin, graph->sink_nodes[sink], PLACE_SINK, sink);
  }
  for (uint32_t i = extras->adds.begin[window]; i < extras->adds.begin[window + 1]; i++)
    add_target(graph, begin, graph->adds[extras->adds.items[i]], false);
}

static void plan_steps(struct graph *graph) {
  const struct handed_on extras = {list_extras(graph, graph->n_outputs, output_node),
                                   list_extras(graph, graph->n_sink_buffers, sink_node),
                                   list_extras(graph, graph->n_adds, add_node)};
  for (uint32_t from = 0, to; from < graph->n_windows; from = to) {
    for (to = from + 1; to < graph->n_windows && graph->windows[to].phase == graph->windows[from].phase;)
      to++;
    plan_products(graph, from, to);
    for (uint32_t window = from; window < to; window++)
      plan_window(graph, window, &extras);
  }
}

// Asks for the place of everything that is read in memory, so that the uses of parameters in their natural
// layout are known when the plan is ready.
static void note_uses(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i], *x = NULL, *param = NULL;
    enum kernel_layout layout;
    plan_packed_product(node, &x, &param, &layout);
    for (uint32_t j = 0; node->live && j < node->n_operands; j++)
      if ((node->operands[j] != param || x == param) && plan_lies_in_memory(node->operands[j]))
        graph_place(graph, node->operands[j]);
  }
  for (uint32_t i = 0; i < graph->n_steps; i++)
    for (uint32_t j = 0; j < graph->steps[i]->n_targets; j++)
      if (plan_lies_in_memory(graph->steps[i]->targets[j].node))
        graph_place(graph, graph->steps[i]->targets[j].node);
}

void graph_plan(struct graph *graph) {
  plan_memory(graph);
  assign_places(graph);
  plan_steps(graph);
  note_uses(graph);
  plan_scratch(graph);
}

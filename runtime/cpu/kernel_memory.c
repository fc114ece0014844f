// Which nodes get memory.
//
// Requires: the graph's nodes, outputs, adds and sinks.
//
// A virtual node costs nothing but its code where one loop needs it. It gets memory when it is expensive and
// several loops need it, or one loop needs it at several places. A *reader* stands for loops that read
// expressions: targets of one window and size share one, every other step is a reader of its own.
//
// Nodes are ordered by phase, the number of packed products that come before, and within a phase by id, so that
// operands come first; a virtual node belongs to the phase of its first use. That order is cut into windows, and
// an expensive node that is used in another window than its own gets memory. So no function becomes large, and
// every walk over virtual nodes ends within a window. All passes go once over that order, forwards (what
// follows from operands) or backwards (what follows from users).
#include <string.h>

#include "runtime/cpu/kernel_plan.h"

// LLVM takes 20 us an instruction in functions of this size, and 2 to 4 times that in ones ten times as large.
#define MAX_WINDOW_WEIGHT 1500
// Concatenations and paddings within an expression cut its loop into regions, each with code for all of it.
#define MAX_CUTS GRAPH_MAX_PARTS

// ---------------------------------------------------------------------------------------------- kinds of nodes

bool plan_packed_product(const struct node *node, struct node **x, struct node **param,
                         enum kernel_layout *layout) {
  if (node->op != IR_OP_MATMUL)
    return false;
  struct node *a = node->operands[0], *b = node->operands[1];
  if (b->op == IR_OP_PARAM && b->rank == 2 && !node->transpose_a) {
    *x = a;
    *param = b;
    *layout = node->transpose_b ? KERNEL_PACKED : KERNEL_PACKED_TRANSPOSED;
    return true;
  }
  if (a->op == IR_OP_PARAM && a->rank == 2 && b->rank == 1) {
    *x = b;
    *param = a;
    *layout = node->transpose_a ? KERNEL_PACKED_TRANSPOSED : KERNEL_PACKED;
    return true;
  }
  return false;
}

bool plan_is_packed(const struct node *node) {
  struct node *x, *param;
  enum kernel_layout layout;
  return plan_packed_product(node, &x, &param, &layout);
}

bool plan_is_row_step(const struct node *node) {
  return node->op == IR_OP_MATMUL || node->op == IR_OP_OUTER || node->op == IR_OP_PUT ||
         node_is_draws(node) || node_is_reduction(node);
}

bool plan_lies_in_memory(const struct node *node) {
  switch (node->op) {
  case NODE_INPUT:
  case NODE_SAVED:
  case NODE_GRADIENT:
  case IR_OP_PARAM: return true;
  case IR_OP_RESHAPE: return node->memory || plan_lies_in_memory(node->operands[0]);
  case NODE_VIEW: return node->memory || (node_is_run(node) && plan_lies_in_memory(node->operands[0]));
  case NODE_SHIFTED: return plan_lies_in_memory(node->operands[0]);
  default: return node->memory;
  }
}

// Each element of the node needs one of each operand: node_map says which.
static bool is_by_element(const struct node *node) {
  return node_is_elementwise(node) || node->op == NODE_VIEW || node->op == IR_OP_CONCAT ||
         node->op == IR_OP_PAD;
}

// Of an element-wise node that is all but scalar operands.
bool plan_is_aligned(const struct node *node, const struct node *operand) {
  return node_is_elementwise(node) && node_is_scalar(node) == node_is_scalar(operand);
}

// ------------------------------------------------------------------------------------------------------- order

static void mark_live(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    graph->outputs[i]->live = true;
  for (uint32_t i = 0; i < graph->n_adds; i++)
    graph->adds[i].node->live = true;
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    graph->sink_nodes[i]->live = true;
  for (uint32_t i = graph->n_nodes; i-- > 0;)
    for (uint32_t j = 0; graph->nodes[i]->live && j < graph->nodes[i]->n_operands; j++)
      graph->nodes[i]->operands[j]->live = true;
}

static void set_phases(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    for (uint32_t j = 0; j < node->n_operands; j++)
      if (node->operands[j]->phase > node->phase)
        node->phase = node->operands[j]->phase;
    node->phase += plan_is_packed(node);
  }
}

// Virtual nodes move to the phase of their first use.
static void sink_into_phases(struct graph *graph) {
  uint32_t *uses = arena_new_array(graph->arena, uint32_t, graph->n_nodes);
  memset(uses, 0xff, graph->n_nodes * sizeof *uses);
  for (uint32_t i = 0; i < graph->n_adds; i++)
    uses[graph->adds[i].node->id] = 0;
  for (uint32_t i = graph->n_nodes; i-- > 0;) {
    struct node *node = graph->nodes[i];
    if (!node->live)
      continue;
    if (!plan_lies_in_memory(node) && uses[i] > node->phase)
      node->phase = uses[i];
    for (uint32_t j = 0; j < node->n_operands; j++)
      if (uses[node->operands[j]->id] > node->phase)
        uses[node->operands[j]->id] = node->phase;
  }
}

static void set_order(struct graph *graph) {
  uint32_t n_phases = 1;
  for (uint32_t i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i]->phase >= n_phases)
      n_phases = graph->nodes[i]->phase + 1;
  uint32_t *at = arena_new_array(graph->arena, uint32_t, n_phases + 1);
  for (uint32_t i = 0; i < graph->n_nodes; i++)
    at[graph->nodes[i]->phase + 1]++;
  for (uint32_t i = 0; i < n_phases; i++)
    at[i + 1] += at[i];
  graph->order = arena_new_array(graph->arena, struct node *, graph->n_nodes);
  for (uint32_t i = 0; i < graph->n_nodes; i++)
    graph->order[at[graph->nodes[i]->phase]++] = graph->nodes[i];
}

// ----------------------------------------------------------------------------------------------------- windows

// Of a vector whose elements do not lie side by side in an operand.
#define SCATTERED_WEIGHT 40

// Whether neighbours of the last axis are neighbours in the operand, or the same.
static bool is_scattered(const struct node *node) {
  if (node->op != NODE_VIEW || node_is_scalar(node->operands[0]))
    return false;
  struct index_shape space = node_shape(node), value = node_shape(node->operands[0]);
  struct index_groups groups = index_group(&space, 0);
  struct index_strides strides = index_map_strides(&node->map, &space, &value);
  return index_group_stride(&strides, &groups, space.rank, groups.n - 1) > 1;
}

// Instructions that compute a vector or a number, roughly.
static uint32_t own_weight(const struct node *node) {
  if (node_is_draws(node))
    return node->op == NODE_NORMAL ? 900 : 400;
  if (plan_is_row_step(node))
    return 40;
  if (is_scattered(node))
    return SCATTERED_WEIGHT;
  if (node_is_leaf(node) || !node_is_elementwise(node))
    return !node_is_leaf(node);
  int cost = node->op < IR_N_OPS ? ir_op_infos[node->op].cost : 2;
  return cost > 2 ? (uint32_t)cost : 2;
}

// Of the loop over a part of a concatenation or padding.
#define PART_WEIGHT 24

// A group's code stands twice, for whole vectors and for the rest.
static void set_weights(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    bool vector = !node_is_scalar(node) && !plan_is_row_step(node);
    bool joins = node->op == IR_OP_CONCAT || node->op == IR_OP_PAD;
    node->weight = own_weight(node) * (vector ? 2 + node->cuts : 1) + (node->memory ? 4 : 0) +
                   (joins ? PART_WEIGHT * node->n_operands : 0);
  }
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    graph->outputs[i]->weight += 8;
  for (uint32_t i = 0; i < graph->n_adds; i++)
    graph->adds[i].node->weight += 16;
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    graph->sink_nodes[i]->weight += 8;
}

static void add_window(struct graph *graph, uint32_t phase, uint32_t begin) {
  if (graph->n_windows == graph->windows_capacity) {
    uint32_t capacity = graph->windows_capacity ? graph->windows_capacity * 2 : 8;
    graph->windows = arena_grow_array(graph->arena, graph->windows, graph->n_windows, capacity,
                                      sizeof *graph->windows);
    graph->windows_capacity = capacity;
  }
  graph->windows[graph->n_windows++] = (struct window){.phase = phase, .begin = begin, .end = begin};
}

static void set_windows(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->order[i];
    uint32_t weight = node->live ? node->weight : 0;
    const struct window *last = graph->n_windows > 0 ? &graph->windows[graph->n_windows - 1] : NULL;
    if (last == NULL || last->phase != node->phase || last->weight + weight > MAX_WINDOW_WEIGHT)
      add_window(graph, node->phase, i);
    node->window = graph->n_windows - 1;
    graph->windows[node->window].end = i + 1;
    graph->windows[node->window].weight += weight;
  }
}

// ---------------------------------------------------------------------------------------- what must have memory

static void require_memory(struct node *node) {
  if (!plan_lies_in_memory(node))
    node->memory = true;
}

// Those of the node's place.
static uint32_t count_indices(const struct node *node) {
  uint32_t n = 0;
  for (; !node->memory && (node->op == NODE_SHIFTED || node->op == NODE_VIEW || node->op == IR_OP_RESHAPE);
       node = node->operands[0])
    n += node->op == NODE_SHIFTED;
  return n;
}

static void require_by_operation(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    bool needed = node->op == IR_OP_MATMUL || node->op == IR_OP_OUTER || node->op == IR_OP_PUT ||
                  node->op == IR_OP_PICK || node->op == NODE_SHIFTED || node->op == IR_OP_RESHAPE;
    // A place has no room for more indices.
    if (node->live && node->op == NODE_SHIFTED && count_indices(node->operands[0]) == IR_MAX_RANK)
      node->operands[0]->memory = true;
    for (uint32_t j = 0; node->live && needed && j < node->n_operands; j++)
      require_memory(node->operands[j]);
    node->memory |= node->live && plan_is_row_step(node);
  }
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    require_memory(graph->outputs[i]);
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    require_memory(graph->sink_nodes[i]);
}

// An estimate, but 0 only where there are none.
static uint32_t count_cuts(const struct node *node) {
  uint64_t cuts = node->op == IR_OP_PAD ? 2 : node->op == IR_OP_CONCAT ? node->n_operands : 0;
  for (uint32_t i = 0; i < node->n_operands; i++)
    cuts += node->operands[i]->memory ? 0 : node->operands[i]->cuts;
  if (node->op == NODE_VIEW && cuts > 0 && node->n < node->operands[0]->n)
    cuts = (uint64_t)((double)cuts * (double)node->n / (double)node->operands[0]->n) + 1;
  return cuts > UINT32_MAX ? UINT32_MAX : (uint32_t)cuts;
}

// How the axes of a node can be one where it is computed, see index_map.h.
static uint8_t axes_mergeable(const struct node *node) {
  uint8_t mergeable = INDEX_MERGE_ALL;
  struct index_shape space = node_shape(node);
  for (uint32_t i = 0; is_by_element(node) && i < node->n_operands; i++) {
    if (node_is_scalar(node->operands[i]))
      continue;
    struct index_map map = node_map(node, i);
    struct index_shape value = node_shape(node->operands[i]);
    mergeable &= index_mergeable(&map, &space, &value, node->operands[i]->mergeable);
  }
  return mergeable;
}

// What the reductions want of a node.
enum wanted {
  WANTED_WHOLE = 1 << 0,  // as a single loop
  WANTED_SUMMED =
      1 << 1,  // not in pieces: the order of a sum must not depend on whether its terms happen to be
               // kept for another reason
};

static uint8_t *list_wanted(struct graph *graph) {
  uint8_t *wanted = arena_new_array(graph->arena, uint8_t, graph->n_nodes);
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    const struct node *node = graph->nodes[i];
    if (!node->live || !node_is_reduction(node))
      continue;
    uint32_t operand = node->operands[0]->id;
    wanted[operand] |= node_is_scalar(node) ? WANTED_WHOLE : 0;
    wanted[operand] |= node->op == IR_OP_SUM || node->op == NODE_SUM_BUT_ONE ? WANTED_SUMMED : 0;
  }
  return wanted;
}

// Where a loop over the node's elements has to be cut, or takes several loops, and memory where that would be too
// often.
static void set_cuts(struct graph *graph) {
  const uint8_t *wanted = list_wanted(graph);
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    node->mergeable = INDEX_MERGE_ALL;
    if (!node->live || node_is_scalar(node) || !is_by_element(node) ||
        (plan_lies_in_memory(node) && !node->memory))
      continue;
    node->cuts = count_cuts(node);
    // Parts that are cut themselves are kept, rather than all their pieces standing in one loop.
    for (uint32_t j = 0; node->cuts > MAX_CUTS && node->op == IR_OP_CONCAT && j < node->n_operands; j++)
      node->operands[j]->memory |= node->operands[j]->cuts > 0;
    node->cuts = count_cuts(node);
    struct index_shape shape = node_shape(node);
    uint8_t mergeable = axes_mergeable(node);
    node->memory |= node->cuts > MAX_CUTS || (node->cuts > 0 && (wanted[i] & WANTED_SUMMED)) ||
                    ((wanted[i] & WANTED_WHOLE) && index_group(&shape, mergeable).n > 1);
    node->mergeable = node->memory ? INDEX_MERGE_ALL : mergeable;
  }
}

// ------------------------------------------------------------------------------------------------------- costs

// Moves are address arithmetic here.
static int own_cost(const struct node *node) {
  if (!node_is_elementwise(node))
    return 0;
  return node->op < IR_N_OPS ? ir_op_infos[node->op].cost : 1;
}

static void set_costs(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    if (plan_lies_in_memory(node))
      continue;
    node->cost = own_cost(node);
    // Numbers of the row are computed once, however many elements use them.
    for (uint32_t j = 0; j < node->n_operands && node->cost <= PLAN_CHEAP; j++)
      if (node_is_scalar(node) == node_is_scalar(node->operands[j]))
        node->cost += node->operands[j]->cost;
  }
}

// ----------------------------------------------------------------------------------------------------- readers

struct reader_key {
  const struct graph *graph;
  uint32_t window;
  struct index_groups loops;
  bool scalar;
};

static bool is_reader(const void *context, uint32_t item) {
  const struct reader_key *key = context;
  const struct reader *reader = &key->graph->readers[item];
  return reader->window == key->window && reader->scalar == key->scalar &&
         index_groups_equal(&reader->loops, &key->loops);
}

uint32_t plan_reader(struct graph *graph, const struct node *target) {
  struct index_shape shape = node_shape(target);
  struct reader_key key = {graph, target->window, index_group(&shape, axes_mergeable(target)),
                           node_is_scalar(target)};
  uint64_t hash = hash_mix(key.window, key.scalar);
  for (uint32_t i = 0; i < key.loops.n; i++)
    hash = hash_mix(hash, (uint64_t)key.loops.size[i]);
  uint32_t found = hash_index_find(&graph->reader_index, hash, is_reader, &key);
  if (found != HASH_INDEX_NONE)
    return found;
  if (graph->n_readers == graph->readers_capacity) {
    uint32_t capacity = graph->readers_capacity ? graph->readers_capacity * 2 : 8;
    graph->readers = arena_grow_array(graph->arena, graph->readers, graph->n_readers, capacity,
                                      sizeof *graph->readers);
    graph->readers_capacity = capacity;
  }
  graph->readers[graph->n_readers] =
      (struct reader){.window = key.window, .loops = key.loops, .scalar = key.scalar};
  hash_index_add(&graph->reader_index, hash, graph->n_readers);
  return graph->n_readers++;
}

// How a reader comes to an operand.
struct approach {
  uint32_t reader;  // + 1; numbers of the row: the window + 1, since all steps of a window share them
  uint32_t window;
  struct index_map map;  // from the reader's space
  bool several, crooked, repeated;
};

static void note_access(struct node *node, struct approach approach) {
  if (plan_lies_in_memory(node) || node_is_leaf(node))
    return;
  if (node_is_scalar(node))
    approach.reader = approach.window + 1;
  if (node->access.n_users++ == 0) {
    node->access.reader = approach.reader;
    node->access.map = approach.map;
  }
  node->access.several |= approach.several || node->access.reader != approach.reader ||
                          !index_map_equal(&node->access.map, &approach.map) ||
                          node->window != approach.window;
  node->access.crooked |= approach.crooked;
  node->access.repeated |= approach.repeated;
}

static void note_operands(const struct node *node, struct approach from) {
  struct index_shape space = node_space(node);
  for (uint32_t i = 0; i < node->n_operands; i++) {
    struct approach approach = from;
    struct index_shape value = node_shape(node->operands[i]);
    struct index_map map = node_map(node, i);
    approach.map = index_map_compose(&from.map, &map);
    approach.crooked |= !index_map_is_identity(&map, &space, &value);
    approach.repeated |= index_map_repeats(&map, &space);
    if (node_is_scalar(node->operands[i]))
      approach.crooked = approach.repeated = false;
    note_access(node->operands[i], approach);
  }
}

static struct approach approach_of(struct graph *graph, const struct node *target) {
  return (struct approach){.reader = plan_reader(graph, target) + 1,
                           .window = target->window,
                           .map = index_map_identity(target->rank)};
}

// Whether it would be computed several times. Nodes that a loop needs at other places than it computes are
// beyond what kernel_plan.c can share between the loops of a reader.
static bool repeats_work(const struct node *node) {
  return node->cost > PLAN_CHEAP && (node->access.several || node->access.repeated ||
                                     (node->access.crooked && node->access.n_users > 1));
}

static void choose_memory(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_adds; i++)
    note_access(graph->adds[i].node, approach_of(graph, graph->adds[i].node));
  for (uint32_t i = graph->n_nodes; i-- > 0;) {
    struct node *node = graph->order[i];
    if (!node->live || node_is_leaf(node))
      continue;
    if (!plan_lies_in_memory(node) && repeats_work(node))
      node->memory = true;
    struct approach approach = {node->access.reader,  node->window,         node->access.map,
                                node->access.several, node->access.crooked, node->access.repeated};
    if (node->memory && plan_is_row_step(node))
      approach = (struct approach){.reader = 0x80000000u | node->id,
                                   .window = node->window,
                                   .map = index_map_identity(node_space(node).rank)};
    else if (node->memory)
      approach = approach_of(graph, node);
    note_operands(node, approach);
  }
}

void plan_memory(struct graph *graph) {
  graph->reader_index = hash_index_new(graph->arena);
  mark_live(graph);
  set_phases(graph);
  require_by_operation(graph);
  set_cuts(graph);
  sink_into_phases(graph);
  set_order(graph);
  set_weights(graph);
  set_windows(graph);
  set_costs(graph);
  choose_memory(graph);
}

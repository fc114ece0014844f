// Which nodes get memory, and in which steps they are computed.
//
// Requires: the graph's nodes, outputs, adds and sinks. Fills the plan part of nodes and graph.
//
// Steps are ordered by phase, the number of packed products that must come before: first the products of a
// phase, then its other steps, which work row by row and form a segment. Within a segment, targets of equal
// size that do not wait for one another are computed in one loop.
#include <assert.h>
#include <string.h>

#include "runtime/cpu/gemm.h"
#include "runtime/kernel/kernel_graph.h"

// Weights are streamed once per tile, and what a tile produces must stay in the second-level cache beside
// them: measured for a Tree-LSTM node of 128 and 256 units, anything from 56 to 168 rows does.
#define TILE_ROWS 112
#define MAX_TILE_BYTES ((size_t)1 << 20)
// Recomputing a virtual node costs more than this many simple operations: better stored once.
#define CHEAP 2

// -------------------------------------------------------------------------------------------------- products

// A packed product: its row operand and how the parameter must lie. false: it is worked row by row.
static bool is_packed_product(const struct node *node, const struct node **x, const struct node **param,
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

static bool is_packed(const struct node *node) {
  const struct node *x, *param;
  enum kernel_layout layout;
  return is_packed_product(node, &x, &param, &layout);
}

// -------------------------------------------------------------------------------------------------- visiting

static struct reach reach_operand(const struct node *node, uint32_t i, struct reach reach) {
  const struct node *operand = node->operands[i];
  bool by_element = node_is_elementwise(node) || node->op == IR_OP_SLICE || node->op == IR_OP_CONCAT ||
                    node->op == IR_OP_PAD;
  if (!by_element || (node_is_scalar(operand) && !node_is_scalar(node))) {
    reach.through_scalar = true;
    return reach;
  }
  if (node->op == IR_OP_SLICE)
    reach.shift += node->offset;
  if (node->op == IR_OP_PAD)
    reach.shift -= node->offset;
  for (uint32_t j = 0; node->op == IR_OP_CONCAT && j < i; j++)
    reach.shift -= node->operands[j]->n;
  return reach;
}

void graph_visit_operands(struct node *node, struct reach reach, graph_visit_fn *visit, void *context) {
  for (uint32_t i = 0; i < node->n_operands; i++)
    graph_visit(node->operands[i], reach_operand(node, i, reach), visit, context);
}

void graph_visit(struct node *node, struct reach reach, graph_visit_fn *visit, void *context) {
  if (node->memory)
    visit(context, node, reach);
  else
    graph_visit_operands(node, reach, visit, context);
}

static void mark_live(struct node *node) {
  if (node->live)
    return;
  node->live = true;
  for (uint32_t i = 0; i < node->n_operands; i++)
    mark_live(node->operands[i]);
}

static void mark_all_live(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    mark_live(graph->outputs[i]);
  for (uint32_t i = 0; i < graph->n_adds; i++)
    mark_live(graph->adds[i].node);
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    mark_live(graph->sink_nodes[i]);
}

// ----------------------------------------------------------------------------------------- what needs memory

static bool lies_in_memory(const struct node *node) {
  switch (node->op) {
  case NODE_INPUT:
  case NODE_SAVED:
  case NODE_GRADIENT:
  case IR_OP_PARAM: return true;
  case IR_OP_SLICE: return node->memory || lies_in_memory(node->operands[0]);
  case IR_OP_LOOKUP:
    return node->memory || (lies_in_memory(node->operands[0]) && node->operands[0]->op != IR_OP_LOOKUP);
  default: return node->memory;
  }
}

static void require_memory(struct node *node) {
  if (!lies_in_memory(node))
    node->memory = true;
}

static bool is_row_step(const struct node *node) {
  return node->op == IR_OP_MATMUL || node->op == IR_OP_OUTER || node->op == IR_OP_PUT ||
         node->op == IR_OP_TRANSPOSE || node->op == NODE_DRAWS || node_is_reduction(node);
}

// Whether a virtual node is computed in parts that begin at other places than multiples of a vector.
static bool has_seams(const struct node *node) {
  if (lies_in_memory(node) || node_is_scalar(node))
    return false;
  if (node->op == IR_OP_CONCAT || node->op == IR_OP_PAD)
    return true;
  bool by_element = node_is_elementwise(node) || node->op == IR_OP_SLICE;
  for (uint32_t i = 0; by_element && i < node->n_operands; i++)
    if (has_seams(node->operands[i]))
      return true;
  return false;
}

static void require_operands(struct node *node) {
  bool needed = node->op == IR_OP_MATMUL || node->op == IR_OP_OUTER || node->op == IR_OP_PUT ||
                node->op == IR_OP_TRANSPOSE || node->op == IR_OP_PICK || node->op == IR_OP_LOOKUP;
  for (uint32_t i = 0; needed && i < node->n_operands; i++)
    require_memory(node->operands[i]);
  // The order of a sum must not depend on whether its terms happen to be kept for another reason.
  if (node->op == IR_OP_SUM && has_seams(node->operands[0]))
    require_memory(node->operands[0]);
  if (is_row_step(node))
    node->memory = true;
}

static int own_cost(const struct node *node) {
  switch (node->op) {
  case IR_OP_EXP:
  case IR_OP_LOG:
  case IR_OP_TANH:
  case IR_OP_SIGMOID: return 10;
  case IR_OP_DIV:
  case IR_OP_SQRT: return 4;
  case IR_OP_DROPOUT: return 2;
  default: return node_is_elementwise(node) ? 1 : 0;
  }
}

static void set_costs(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    node->cost = 0;
    if (lies_in_memory(node) || node_is_scalar(node))
      continue;
    node->cost = own_cost(node);
    for (uint32_t j = 0; j < node->n_operands && node->cost < 1000; j++)
      node->cost += node->operands[j]->cost;
  }
}

static void set_phases(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    node->phase = 0;
    for (uint32_t j = 0; j < node->n_operands; j++)
      if (node->operands[j]->phase > node->phase)
        node->phase = node->operands[j]->phase;
    node->phase += is_packed(node);
  }
}

// One way in which steps read expressions: targets of one phase and size will share a loop, everything else
// is alone.
struct reader {
  uint32_t phase;
  int64_t n;
  bool scalar;
};

struct sharing {
  struct graph *graph;
  uint32_t n_readers;
  struct reader *readers;
  bool changed;
};

static uint32_t reader_of(struct sharing *sharing, const struct node *target) {
  struct reader wanted = {target->phase, target->n, node_is_scalar(target)};
  uint32_t i = 0;
  for (; i < sharing->n_readers; i++)
    if (sharing->readers[i].phase == wanted.phase && sharing->readers[i].n == wanted.n &&
        sharing->readers[i].scalar == wanted.scalar)
      return i + 1;
  sharing->readers[sharing->n_readers++] = wanted;
  return i + 1;
}

static uint32_t lone_reader(const struct node *node) { return 0x80000000u | node->id; }

// Gives memory to expensive virtual nodes that another reader has met.
static void note_reader(struct sharing *sharing, struct node *node, uint32_t reader) {
  if (lies_in_memory(node) || node_is_scalar(node) || node_is_leaf(node))
    return;
  if (node->user == reader)
    return;
  if (node->user != 0 && node->cost > CHEAP) {
    node->memory = true;
    sharing->changed = true;
    return;
  }
  node->user = reader;
  for (uint32_t i = 0; i < node->n_operands; i++)
    note_reader(sharing, node->operands[i], reader);
}

static void note_operands(struct sharing *sharing, struct node *node, uint32_t reader) {
  for (uint32_t i = 0; i < node->n_operands; i++)
    note_reader(sharing, node->operands[i], reader);
}

static void note_readers(struct sharing *sharing) {
  struct graph *graph = sharing->graph;
  for (uint32_t i = 0; i < graph->n_nodes; i++)
    graph->nodes[i]->user = 0;
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    if (!node->live || !node->memory)
      continue;
    note_operands(sharing, node, is_row_step(node) ? lone_reader(node) : reader_of(sharing, node));
  }
  for (uint32_t i = 0; i < graph->n_adds; i++)
    note_reader(sharing, graph->adds[i].node, reader_of(sharing, graph->adds[i].node));
}

static void choose_memory(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i]->live)
      require_operands(graph->nodes[i]);
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    require_memory(graph->outputs[i]);
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    require_memory(graph->sink_nodes[i]);
  struct sharing sharing = {.graph = graph, .changed = true};
  sharing.readers = arena_new_array(graph->arena, struct reader, graph->n_nodes + graph->n_adds);
  while (sharing.changed) {
    sharing.changed = false;
    sharing.n_readers = 0;
    set_costs(graph);
    note_readers(&sharing);
  }
}

// ---------------------------------------------------------------------------------------------------- places

static int64_t padded(int64_t elements) { return (int64_t)nn_row_elements((size_t)elements); }

static struct place row_place(enum place_kind kind, uint32_t index, int64_t elements) {
  return (struct place){.kind = kind, .index = index, .stride = padded(elements), .extent = padded(elements)};
}

static struct place new_buffer(struct graph *graph, size_t bytes, int64_t extent) {
  if (graph->n_buffers == graph->buffers_capacity) {
    uint32_t capacity = graph->buffers_capacity ? graph->buffers_capacity * 2 : 8;
    graph->buffers = arena_grow_array(graph->arena, graph->buffers, graph->n_buffers, capacity,
                                      sizeof *graph->buffers);
    graph->buffers_capacity = capacity;
  }
  graph->buffers[graph->n_buffers] = (struct buffer){.row_bytes = (bytes + 63) / 64 * 64};
  return (struct place){.kind = PLACE_BUFFER, .index = graph->n_buffers++, .extent = extent};
}

static struct place element_buffer(struct graph *graph, int64_t elements) {
  return new_buffer(graph, (size_t)padded(elements) * nn_element_bytes(graph->element), padded(elements));
}

struct place graph_place(struct graph *graph, const struct node *node) {
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
  case IR_OP_SLICE: {
    struct place place = graph_place(graph, node->operands[0]);
    place.offset += node->offset;
    return place;
  }
  case IR_OP_LOOKUP: {
    const struct node *from = node->operands[0];
    struct place place = graph_place(graph, from);
    if (place.kind == PLACE_NONE || place.indexed)
      return (struct place){.kind = PLACE_NONE};
    if (place.kind != PLACE_PARAM)
      place.extent = 0;  // which row is not known: a load that may go too far is masked
    place.indexed = true;
    place.at = node->at;
    place.at_limit = from->size[0];
    place.at_stride = from->n / from->size[0];
    return place;
  }
  default: return (struct place){.kind = PLACE_NONE};
  }
}

// Results lie where they are wanted, everything else in scratch memory.
static void assign_places(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    if (graph->outputs[i]->memory && graph->outputs[i]->place.kind == PLACE_NONE)
      graph->outputs[i]->place = row_place(PLACE_OUTPUT, i, graph->outputs[i]->n);
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    if (graph->sink_nodes[i]->memory && graph->sink_nodes[i]->place.kind == PLACE_NONE)
      graph->sink_nodes[i]->place = row_place(PLACE_SINK, i, graph->sink_nodes[i]->n);
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    if (!node->live || !node->memory || node->place.kind != PLACE_NONE)
      continue;
    if (node->op == NODE_DRAWS)
      node->place = new_buffer(graph, (size_t)(node->n + 63) / 64 * 64 * 4, (node->n + 63) / 64 * 64);
    else
      node->place = element_buffer(graph, node->n);
  }
}

// ----------------------------------------------------------------------------------------------------- steps

struct planner {
  struct graph *graph;
  uint32_t phase_begin;  // first step of the current segment
  const struct node *wanted;
  bool wanted_scalar;
  uint32_t earliest;  // step that may compute what is being placed
};

static struct step *add_step(struct graph *graph, enum step_kind kind, struct node *node, uint32_t phase) {
  if (graph->n_steps == graph->steps_capacity) {
    uint32_t capacity = graph->steps_capacity ? graph->steps_capacity * 2 : 16;
    graph->steps = arena_grow_array(graph->arena, graph->steps, graph->n_steps, capacity,
                                    sizeof *graph->steps);
    graph->steps_capacity = capacity;
  }
  struct step *step = arena_new(graph->arena, struct step);
  *step = (struct step){.kind = kind, .phase = phase, .node = node};
  if (node != NULL)
    node->step = graph->n_steps;
  graph->steps[graph->n_steps++] = step;
  return step;
}

static void note_dependency(void *context, struct node *memory, struct reach reach) {
  struct planner *planner = context;
  const struct step *step = planner->graph->steps[memory->step];
  // Element by element, a target may read what the same loop has just computed.
  bool together = step->kind == STEP_GROUP && !reach.through_scalar && reach.shift == 0 &&
                  memory->n == planner->wanted->n && node_is_scalar(memory) == planner->wanted_scalar;
  uint32_t earliest = memory->step + !together;
  if (earliest > planner->earliest)
    planner->earliest = earliest;
}

// Puts a target into the first loop that is late enough.
static void add_target(struct planner *planner, enum target_kind kind, struct node *node, struct place place,
                       bool computes_node) {
  struct graph *graph = planner->graph;
  planner->wanted = node;
  planner->wanted_scalar = node_is_scalar(node);
  planner->earliest = planner->phase_begin;
  struct reach reach = {0, false};
  if (computes_node)
    graph_visit_operands(node, reach, note_dependency, planner);
  else
    graph_visit(node, reach, note_dependency, planner);
  struct step *step = NULL;
  uint32_t number = planner->earliest;
  for (; number < graph->n_steps && step == NULL; number++) {
    struct step *candidate = graph->steps[number];
    if (candidate->kind == STEP_GROUP && candidate->n == node->n && candidate->scalar == node_is_scalar(node))
      step = candidate;
  }
  if (step == NULL) {
    step = add_step(graph, STEP_GROUP, NULL, node->phase);
    step->n = node->n;
    step->scalar = node_is_scalar(node);
    step->targets =
        arena_new_array(graph->arena, struct target *,
                        graph->n_nodes + graph->n_outputs + graph->n_adds + graph->n_sink_buffers);
    number = graph->n_steps;
  }
  if (computes_node)
    node->step = number - 1;
  struct target *target = arena_new(graph->arena, struct target);
  *target = (struct target){kind, node, place};
  step->targets[step->n_targets++] = target;
}

static void add_product(struct graph *graph, struct node *node) {
  const struct node *x, *param;
  enum kernel_layout layout;
  is_packed_product(node, &x, &param, &layout);
  struct step *step = add_step(graph, STEP_PRODUCT, node, node->phase);
  step->x = (struct node *)(uintptr_t)x;
  step->weights = graph_use(graph, param, layout);
  step->rows = x->rank == 2 ? x->size[0] : 1;
  step->inner = x->n / step->rows;
  step->columns = node->n / step->rows;
  step->result = node->place;
  graph->flops += 2.0 * (double)step->rows * (double)step->inner * (double)step->columns;
  if (step->rows > 1 && step->columns % NN_LANES != 0)
    step->result = element_buffer(graph, step->rows * padded(step->columns));
}

static bool needs_unpadding(const struct step *step) {
  return step->kind == STEP_PRODUCT && step->rows > 1 && step->columns % NN_LANES != 0;
}

static enum step_kind row_step_kind(const struct node *node) {
  switch (node->op) {
  case IR_OP_MATMUL: return STEP_MATMUL;
  case IR_OP_OUTER: return STEP_OUTER;
  case IR_OP_PUT: return STEP_PUT;
  case IR_OP_TRANSPOSE: return STEP_TRANSPOSE;
  case NODE_DRAWS: return STEP_DRAWS;
  default: return STEP_REDUCE;
  }
}

static void plan_products(struct graph *graph, uint32_t phase) {
  uint32_t begin = graph->n_steps;
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    if (node->live && node->phase == phase && is_packed(node))
      add_product(graph, node);
  }
  uint32_t end = graph->n_steps;
  for (uint32_t i = begin; i < end; i++) {
    const struct step *product = graph->steps[i];
    if (!needs_unpadding(product))
      continue;
    struct step *step = add_step(graph, STEP_UNPAD, product->node, phase);
    step->rows = product->rows;
    step->columns = product->columns;
    step->result = product->result;
  }
}

static void plan_rows(struct graph *graph, uint32_t phase) {
  struct planner planner = {.graph = graph, .phase_begin = graph->n_steps};
  for (uint32_t i = 0; i < graph->n_nodes; i++) {
    struct node *node = graph->nodes[i];
    if (!node->live || !node->memory || node->phase != phase || is_packed(node))
      continue;
    if (is_row_step(node)) {
      add_step(graph, row_step_kind(node), node, phase);
      if (node->op == IR_OP_MATMUL)
        graph->flops += 2.0 * (double)node->n * (double)node->operands[0]->n /
                        (double)(node->operands[0]->rank == 1 ? 1
                                                              : node->operands[0]->size[node->transpose_a]);
    } else {
      add_target(&planner, TARGET_STORE, node, node->place, true);
    }
  }
  // Copies of what lies elsewhere, and what is added to the inputs' gradients.
  for (uint32_t i = 0; i < graph->n_outputs; i++) {
    struct node *node = graph->outputs[i];
    bool there = node->memory && node->place.kind == PLACE_OUTPUT && node->place.index == i;
    if (node->phase == phase && !there)
      add_target(&planner, TARGET_STORE, node, row_place(PLACE_OUTPUT, i, node->n), false);
  }
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++) {
    struct node *node = graph->sink_nodes[i];
    bool there = node->memory && node->place.kind == PLACE_SINK && node->place.index == i;
    if (node->phase == phase && !there)
      add_target(&planner, TARGET_STORE, node, row_place(PLACE_SINK, i, node->n), false);
  }
  for (uint32_t i = 0; i < graph->n_adds; i++)
    if (graph->adds[i].node->phase == phase)
      add_target(&planner, TARGET_ADD, graph->adds[i].node, graph->adds[i].place, false);
}

// --------------------------------------------------------------------------------------------------- scratch

struct segment_use {
  struct graph *graph;
  uint32_t segment;
};

static void use_buffer(struct graph *graph, struct place place, uint32_t segment) {
  if (place.kind != PLACE_BUFFER)
    return;
  struct buffer *buffer = &graph->buffers[place.index];
  buffer->per_row |= buffer->segment != 0 && buffer->segment != segment;
  buffer->segment = segment;
}

static void use_memory(void *context, struct node *memory, struct reach reach) {
  (void)reach;
  struct segment_use *use = context;
  use_buffer(use->graph, memory->place, use->segment);
}

static void note_buffers(struct graph *graph, const struct step *step) {
  struct segment_use use = {graph, step->segment};
  struct reach reach = {0, false};
  if (step->node != NULL) {
    use_buffer(graph, step->node->place, step->segment);
    graph_visit_operands(step->node, reach, use_memory, &use);
  }
  use_buffer(graph, step->result, step->segment);
  for (uint32_t i = 0; i < step->n_targets; i++) {
    struct target *target = step->targets[i];
    use_buffer(graph, target->place, step->segment);
    if (target->node->memory)
      use_memory(&use, target->node, reach);
    graph_visit_operands(target->node, reach, use_memory, &use);
  }
}

// Numbers the segments: a product is one of its own, so that what it reads and writes is kept for the whole
// tile.
static void lay_out_scratch(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_steps; i++) {
    struct step *step = graph->steps[i];
    bool product = step->kind == STEP_PRODUCT;
    bool fresh = i == 0 || product || graph->steps[i - 1]->kind == STEP_PRODUCT;
    graph->n_segments += fresh;
    step->segment = graph->n_segments;
    note_buffers(graph, step);
  }
  size_t tile_bytes = 0, pointers = 0;
  for (uint32_t i = 0; i < graph->n_buffers; i++)
    tile_bytes += graph->buffers[i].per_row ? graph->buffers[i].row_bytes : 0;
  for (uint32_t i = 0; i < graph->n_steps; i++)
    if (graph->steps[i]->kind == STEP_PRODUCT) {
      graph->tile_rows = TILE_ROWS;
      size_t wanted = (size_t)graph->steps[i]->rows * sizeof(void *);
      pointers = wanted > pointers ? wanted : pointers;
    }
  if (graph->tile_rows > 0 && tile_bytes + pointers > MAX_TILE_BYTES / TILE_ROWS)
    graph->tile_rows = (int64_t)(MAX_TILE_BYTES / (tile_bytes + pointers));
  if (graph->tile_rows == 0 && pointers > 0)
    graph->tile_rows = 1;
  graph->scratch_bytes = (pointers * (size_t)graph->tile_rows + 63) / 64 * 64;
  for (uint32_t i = 0; i < graph->n_buffers; i++) {
    struct buffer *buffer = &graph->buffers[i];
    buffer->offset = graph->scratch_bytes;
    graph->scratch_bytes += buffer->row_bytes * (buffer->per_row ? (size_t)graph->tile_rows : 1);
  }
}

// ------------------------------------------------------------------------------------------ parameters' uses

// Asks for the place of everything that is read in memory, so that the uses of parameters in their natural
// layout are known when the plan is ready.
static void note_reads(struct graph *graph, struct node *node) {
  if (node->memory)
    return;
  if (lies_in_memory(node)) {
    graph_place(graph, node);
    return;
  }
  for (uint32_t i = 0; i < node->n_operands; i++)
    note_reads(graph, node->operands[i]);
}

static void note_operand_reads(struct graph *graph, struct node *node) {
  for (uint32_t i = 0; i < node->n_operands; i++)
    note_reads(graph, node->operands[i]);
}

static void note_uses(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_steps; i++) {
    const struct step *step = graph->steps[i];
    if (step->kind == STEP_PRODUCT)
      note_reads(graph, step->x);
    else if (step->node != NULL && step->kind != STEP_UNPAD)
      note_operand_reads(graph, step->node);
    for (uint32_t j = 0; j < step->n_targets; j++) {
      struct node *node = step->targets[j]->node;
      note_reads(graph, node);
      if (node->memory)
        note_operand_reads(graph, node);
    }
  }
}

void graph_plan(struct graph *graph) {
  mark_all_live(graph);
  set_phases(graph);
  choose_memory(graph);
  assign_places(graph);
  uint32_t last = 0;
  for (uint32_t i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i]->live && graph->nodes[i]->phase > last)
      last = graph->nodes[i]->phase;
  for (uint32_t phase = 0; phase <= last; phase++) {
    plan_products(graph, phase);
    plan_rows(graph, phase);
  }
  note_uses(graph);
  lay_out_scratch(graph);
}

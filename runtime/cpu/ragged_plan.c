// Ragged blocks: where each value lives.
#include <string.h>

#include "runtime/cpu/ragged.h"

// An element is computed again where that costs no more than this: as much as reading it from memory.
#define CHEAP 2
// More than anything that is worth computing again.
#define DEAR IR_COST_OPAQUE

static bool is_leaf(const struct node *node) {
  return node->op == NODE_INPUT || node->op == NODE_SAVED || node->op == NODE_GRADIENT ||
         node->op == IR_OP_PARAM;
}

// What no expression computes.
static bool is_opaque(const struct node *node) {
  return node_is_reduction(node) || node->op == IR_OP_MATMUL || node->op == IR_OP_CONCAT ||
         node->op == IR_OP_PAD || node->op == IR_OP_PUT || node_is_draws(node);
}

bool ragged_factors(const struct node *node, struct node *operands[2]) {
  bool product = node->op == IR_OP_MATMUL;
  const struct node *of = node;
  if (node->op == IR_OP_SUM) {
    of = node->operands[0];
    product = of->op == IR_OP_MUL && of->operands[0]->rank == of->rank && of->operands[1]->rank == of->rank;
    of = product ? of : node;
  }
  operands[0] = of->operands[0];
  operands[1] = product ? of->operands[1] : NULL;
  return product;
}

// What the code for a node reads.
static uint32_t read_by(const struct node *node, struct node **operands) {
  if (node->op == IR_OP_SUM)
    return ragged_factors(node, operands) ? 2 : 1;
  for (uint32_t i = 0; i < node->n_operands; i++)
    operands[i] = node->operands[i];
  return node->n_operands;
}

static bool spreads(const struct node *view) {
  for (uint32_t i = 0; i < view->rank; i++) {
    bool followed = view->size[i] == 1;
    for (uint32_t k = 0; k < view->map.rank && !followed; k++)
      followed = view->map.axis[k] == (int)i;
    if (!followed)
      return true;
  }
  return false;
}

// Whether the node reads an element of its operand several times.
static bool repeats(const struct node *node, uint32_t operand) {
  if (node->op == NODE_VIEW)
    return spreads(node);
  if (node->op == IR_OP_MATMUL)
    return node->operands[1 - operand]->rank >= 2;
  return node->op == IR_OP_OUTER || node->op == IR_OP_ARGMAX;
}

// Of an element, if everything that can be were virtual.
static int cost_of(struct ragged *r, const struct node *node) {
  if (is_leaf(node) || node_is_scalar(node) || is_opaque(node) || node->op == IR_OP_RESHAPE)
    return 0;
  int cost = node->op < IR_N_OPS && node->op != IR_OP_OUTER ? ir_op_infos[node->op].cost
                                                            : node->op != NODE_VIEW;
  for (uint32_t i = 0; i < node->n_operands; i++)
    cost += ragged_of(r, node->operands[i])->cost;
  return cost < DEAR ? cost : DEAR;
}

// What ragged_values.c, ragged_fold.c and ragged_codegen.c have code for.
static bool has_code(const struct node *node) {
  switch (node->op) {
  case NODE_HOST:
  case NODE_COUNT:
  case NODE_VIEW:
  case NODE_DRAWS:
  case NODE_NORMAL:
  case NODE_UNIFORM:
  case NODE_SUM_BUT_ONE:
  case IR_OP_SUM:
  case IR_OP_AMAX:
  case IR_OP_MATMUL:
  case IR_OP_OUTER:
  case IR_OP_CONSTANT:
  case IR_OP_ONEHOT:
  case IR_OP_RESHAPE:
  case NODE_SHIFTED:
  case IR_OP_CONCAT:
  case IR_OP_PAD:
  case IR_OP_PUT: return true;
  case IR_OP_PICK:
  case IR_OP_ARGMAX: return node_is_scalar(node) && node->operands[0]->rank == 1;
  default: return is_leaf(node) || node_is_elementwise(node);
  }
}

static void settle(struct ragged *r, struct node *node) {
  if (!has_code(node))
    graph_fail(r->graph, "%s has no code beside sizes that are known at run time",
               node->op < IR_N_OPS ? ir_op_infos[node->op].name : "an operation");
  struct ragged_value *value = ragged_of(r, node);
  bool computed = node_is_elementwise(node) || node->op == IR_OP_OUTER;
  if (is_leaf(node))
    value->home = RAGGED_LEAF;
  else if (node_is_draws(node))
    value->home = RAGGED_STORED;
  else if (node_is_scalar(node))
    value->home = RAGGED_NUMBER;
  else if (is_opaque(node) || (computed && value->cost > CHEAP && (value->uses > 1 || value->repeated)) ||
           (computed && value->place.kind != PLACE_NONE && value->cost > 0) || value->dense)
    value->home = RAGGED_STORED;
  bool is_virtual = value->home == RAGGED_VIRTUAL;
  struct node *operands[GRAPH_MAX_PARTS];
  uint32_t n = read_by(node, operands);
  for (uint32_t i = 0; i < n; i++) {
    struct ragged_value *operand = ragged_of(r, operands[i]);
    uint64_t uses = operand->uses + (uint64_t)(is_virtual ? value->uses : 1);
    operand->live = true;
    operand->uses = uses < UINT32_MAX ? (uint32_t)uses : UINT32_MAX;
    operand->dense |= node->op == IR_OP_RESHAPE;
    operand->repeated |= repeats(node, i) || (is_virtual && value->repeated);
  }
}

static void want(struct ragged *r, struct node *node, enum place_kind kind, uint32_t index) {
  struct ragged_value *value = ragged_of(r, node);
  value->live = true;
  value->uses++;
  // Whole groups are drawn: more than there is room for in a result.
  if (kind != PLACE_NONE && value->place.kind == PLACE_NONE && !node_is_draws(node))
    value->place = (struct place){.kind = kind, .index = index};
}

// ---------------------------------------------------------------------------------------------- scratch memory

static size_t item_bytes(const struct graph *graph, const struct node *node) {
  return node->op == NODE_DRAWS ? 4 : nn_element_bytes(graph->element);
}

// Each begins at a multiple of 64 bytes; draws come DRAWS_GROUP at a time.
static void take_scratch(struct ragged *r, const struct node *node) {
  struct kernel_scratch_term term = {.bytes = (size_t)node->n * item_bytes(r->graph, node)};
  uint32_t n = 0;
  for (uint32_t i = 0; i < node->rank; i++) {
    if (node->size[i] > 0)
      continue;
    if (n == 2)
      graph_fail(r->graph, "a tensor of more than two sizes that are known at run time");
    term.sizes[n++] = (uint32_t)-node->size[i];
  }
  r->graph->scratch_bytes += 64 + (node_is_draws(node) ? DRAWS_GROUP * item_bytes(r->graph, node) : 0) +
                             (n == 0 ? term.bytes : 0);
  for (uint32_t i = 0; n > 0 && i < r->n_terms; i++)
    if (memcmp(r->terms[i].sizes, term.sizes, sizeof term.sizes) == 0) {
      r->terms[i].bytes += term.bytes;
      return;
    }
  if (n > 0)
    r->terms[r->n_terms++] = term;
}

// ------------------------------------------------------------------------------------------------------- lanes

static unsigned apart_of(struct ragged *r, const struct node *node, int axis) {
  unsigned sum = 0;
  if (is_leaf(node) || is_opaque(node))
    return axis + 1 < (int)node->rank;
  switch (node->op) {
  case NODE_VIEW:
    for (uint32_t k = 0; k < node->map.rank; k++)
      if (node->map.axis[k] == axis)
        return ragged_apart(r, node->operands[0], (int)k);
    return 0;
  case IR_OP_RESHAPE: return axis + 1 < (int)node->rank;
  case NODE_SHIFTED: return ragged_apart(r, node->operands[0], axis);
  case IR_OP_OUTER: return ragged_apart(r, node->operands[axis], 0);
  default:
    for (uint32_t i = 0; i < node->n_operands; i++)
      sum += ragged_apart(r, node->operands[i], axis);
    return sum;
  }
}

unsigned ragged_apart(struct ragged *r, const struct node *node, int axis) {
  if (axis < 0 || node_is_scalar(node))
    return 0;
  int8_t *known = &ragged_of(r, node)->apart[axis];
  if (*known == 0) {
    unsigned apart = apart_of(r, node, axis);
    *known = (int8_t)(1 + (apart < 100 ? apart : 100));
  }
  return (unsigned)*known - 1;
}

// -------------------------------------------------------------------------------------------------------- plan

// What the executor cannot place.
static void check_sizes(struct graph *graph, const struct ir_value *value, const char *what) {
  uint32_t n = 0;
  for (uint32_t i = 0; value->type->kind == IR_TENSOR && i < value->type->shape.rank; i++)
    n += size_is_runtime(value->type->shape.sizes[i]);
  if (n > 1)
    graph_fail(graph, "%s with more than one size that is known at run time", what);
}

static void check_interface(struct graph *graph) {
  for (uint32_t i = 0; i < graph->forward->n_params; i++)
    check_sizes(graph, graph->forward->params[i], "an input");
  for (uint32_t i = 0; i < graph->forward->n_outputs; i++)
    check_sizes(graph, graph->forward->outputs[i], "a result or saved value");
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    for (uint32_t k = 0; k < graph->sink_nodes[i]->rank; k++)
      if (graph->sink_nodes[i]->size[k] < 0)
        graph_fail(graph, "the gradient of a parameter whose size is known at run time");
}

// The operations of a sum of products that is not ragged; of one that is nobody knows here.
static double flops_of(const struct node *node) {
  if (node->op != IR_OP_MATMUL)
    return 0;
  const struct node *a = node->operands[0];
  int64_t inner = a->size[a->rank - 1 - node->transpose_a];
  for (uint32_t i = 0; i < node->rank; i++)
    if (node->size[i] < 0)
      return 0;
  return inner < 0 ? 0 : 2.0 * (double)inner * (double)node->n;
}

struct ragged *ragged_plan(struct graph *graph) {
  struct ragged *r = arena_new(graph->arena, struct ragged);
  r->graph = graph;
  check_interface(graph);
  r->values = arena_new_array(graph->arena, struct ragged_value, graph->n_nodes);
  r->terms = arena_new_array(graph->arena, struct kernel_scratch_term, graph->n_nodes);
  for (uint32_t i = 0; i < graph->n_nodes; i++)
    r->values[i].cost = cost_of(r, graph->nodes[i]);
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    want(r, graph->outputs[i], PLACE_OUTPUT, i);
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    want(r, graph->sink_nodes[i], PLACE_SINK, i);
  for (uint32_t i = 0; i < graph->n_adds; i++)
    want(r, graph->adds[i].node, PLACE_NONE, 0);
  for (uint32_t i = graph->n_nodes; i-- > 0;) {
    struct node *node = graph->nodes[i];
    if (!r->values[i].live)
      continue;
    settle(r, node);
    graph->flops += flops_of(node);
    if (node->op == IR_OP_PARAM)
      graph_use(graph, node, KERNEL_NATURAL);
    if (r->values[i].home != RAGGED_STORED || r->values[i].place.kind != PLACE_NONE)
      continue;
    r->values[i].place.kind = PLACE_BUFFER;
    take_scratch(r, node);
  }
  return r;
}

// From a block to nodes with sizes.
#include "runtime/kernel/kernel_graph.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Far beyond any row; keeps all later arithmetic within 64 bits.
#define MAX_ELEMENTS ((int64_t)1 << 31)

void graph_fail(struct graph *graph, const char *format, ...) {
  va_list args;
  va_start(args, format);
  graph->error = arena_vprintf(graph->arena, format, args);
  va_end(args);
  longjmp(*graph->on_error, 1);
}

// ----------------------------------------------------------------------------------------------------- sizes

// A run-time size is kept as its number, negated. What is multiplied leaves it out.
static int64_t static_part(int64_t size) { return size < 0 ? 1 : size; }

static int64_t size_of(struct graph *graph, const struct size *size) {
  int64_t value;
  if (!size_evaluate_by_id(size, graph->dims, &value))
    graph_fail(graph, "the size %s is too large", size_text(graph->arena, size));
  return value;
}

static void set_shape(struct graph *graph, struct node *node, const struct ir_type *type) {
  node->rank = type->shape.rank;
  node->n = 1;
  for (uint32_t i = 0; i < node->rank; i++) {
    node->size[i] = -(int64_t)ir_runtime_number(type->shape.sizes[i]);
    if (node->size[i] < 0)
      continue;
    node->size[i] = size_of(graph, type->shape.sizes[i]);
    if (node->size[i] < 1)
      graph_fail(graph, "the size %s is %" PRId64 ", it must be at least 1",
                 size_text(graph->arena, type->shape.sizes[i]), node->size[i]);
    if (node->size[i] > MAX_ELEMENTS / node->n)
      graph_fail(graph, "a tensor of more than %" PRId64 " elements", MAX_ELEMENTS);
    node->n *= node->size[i];
  }
}

// ----------------------------------------------------------------------------------------------------- nodes

bool node_is_elementwise(const struct node *node) {
  return node->op < IR_N_OPS ? ir_op_infos[node->op].class == IR_CLASS_ELEMENTWISE : node->op == NODE_FINITE;
}

bool node_is_reduction(const struct node *node) {
  return node->op == IR_OP_SUM || node->op == IR_OP_AMAX || node->op == IR_OP_ARGMAX ||
         node->op == NODE_SUM_BUT_ONE;
}

bool node_is_leaf(const struct node *node) {
  return node->op == NODE_INPUT || node->op == NODE_SAVED || node->op == NODE_GRADIENT ||
         node->op == NODE_HOST || node->op == IR_OP_PARAM || node->op == IR_OP_CONSTANT ||
         node->op == IR_OP_ONEHOT;
}

bool node_is_draws(const struct node *node) {
  return node->op == NODE_DRAWS || node->op == NODE_NORMAL || node->op == NODE_UNIFORM;
}

struct index_shape node_shape(const struct node *node) {
  struct index_shape shape = {.rank = node->rank};
  memcpy(shape.size, node->size, sizeof shape.size);
  return shape;
}

struct index_shape node_space(const struct node *node) {
  return node_shape(node_is_reduction(node) ? node->operands[0] : node);
}

struct index_map node_map(const struct node *node, uint32_t operand) {
  if (node->op == NODE_VIEW || node->op == IR_OP_PAD)
    return node->map;
  struct index_map map = index_map_identity(node->operands[operand]->rank);
  if (node->op == IR_OP_CONCAT)
    map.begin[node->axis] = -node->part_begin[operand];
  return map;
}

struct index_map node_result_map(const struct node *node) {
  struct index_map map = index_map_identity(node->rank);
  for (uint32_t i = node->axis; node_is_reduction(node) && i < node->rank; i++)
    map.axis[i] = (int8_t)(i + 1);
  return map;
}

bool node_is_run(const struct node *node) {
  const struct node *operand = node->operands[0];
  if (node->op != NODE_VIEW || node_is_scalar(operand))
    return false;
  struct index_shape space = node_shape(node), value = node_shape(operand);
  struct index_groups groups = index_group(&space,
                                           index_mergeable(&node->map, &space, &value, INDEX_MERGE_ALL));
  struct index_strides strides = index_map_strides(&node->map, &space, &value);
  return groups.n == 1 && (node->n == 1 || index_group_stride(&strides, &groups, space.rank, 0) == 1);
}

static bool same_node(const struct node *a, const struct node *b) {
  if (a->op != b->op || a->n_operands != b->n_operands || a->rank != b->rank || a->n != b->n ||
      a->axis != b->axis || a->length != b->length || !index_map_equal(&a->map, &b->map) ||
      memcmp(&a->number, &b->number, sizeof a->number) != 0 || a->index != b->index ||
      a->member != b->member || a->integer != b->integer || a->transpose_a != b->transpose_a ||
      a->transpose_b != b->transpose_b || a->list != b->list || a->at.input != b->at.input ||
      a->at.constant != b->at.constant)
    return false;
  for (uint32_t i = 0; i < a->rank; i++)
    if (a->size[i] != b->size[i])
      return false;
  for (uint32_t i = 0; i < a->n_operands; i++)
    if (a->operands[i] != b->operands[i])
      return false;
  return true;
}

static uint64_t hash_node(const struct node *node) {
  uint64_t number;
  memcpy(&number, &node->number, sizeof number);
  uint64_t hash = hash_mix((uint64_t)node->op, (uint64_t)node->n);
  hash = index_map_hash(hash, &node->map);
  hash = hash_mix(hash, number);
  hash = hash_mix(hash, (uint64_t)node->index << 32 | (uint32_t)node->member);
  hash = hash_mix(hash, (uint64_t)node->at.constant ^ (uint64_t)(uint32_t)node->at.input << 32);
  for (uint32_t i = 0; i < node->n_operands; i++)
    hash = hash_mix(hash, node->operands[i]->id);
  return hash;
}

struct wanted {
  const struct graph *graph;
  const struct node *node;
};

static bool is_wanted(const void *context, uint32_t item) {
  const struct wanted *wanted = context;
  return same_node(wanted->graph->nodes[item], wanted->node);
}

static void note_parts(struct graph *graph, struct node *node) {
  node->part_begin = arena_new_array(graph->arena, int64_t, node->n_operands);
  for (uint32_t i = 1; i < node->n_operands; i++)
    node->part_begin[i] = node->part_begin[i - 1] + node->operands[i - 1]->size[node->axis];
}

// Adds a node, or gives the equal one that is there.
static struct node *intern(struct graph *graph, const struct node *wanted) {
  uint64_t hash = hash_node(wanted);
  uint32_t found = hash_index_find(&graph->index, hash, is_wanted, &(struct wanted){graph, wanted});
  if (found != HASH_INDEX_NONE)
    return graph->nodes[found];
  if (graph->n_nodes == graph->nodes_capacity) {
    uint32_t capacity = graph->nodes_capacity ? graph->nodes_capacity * 2 : 64;
    graph->nodes = arena_grow_array(graph->arena, graph->nodes, graph->n_nodes, capacity,
                                    sizeof *graph->nodes);
    graph->nodes_capacity = capacity;
  }
  struct node *node = arena_new(graph->arena, struct node);
  *node = *wanted;
  node->id = graph->n_nodes;
  node->operands = arena_new_array(graph->arena, struct node *, wanted->n_operands);
  if (wanted->n_operands > 0)
    memcpy(node->operands, wanted->operands, wanted->n_operands * sizeof *node->operands);
  if (node->op == IR_OP_CONCAT)
    note_parts(graph, node);
  hash_index_add(&graph->index, hash, node->id);
  graph->nodes[graph->n_nodes++] = node;
  return node;
}

static struct node new_node(int op, uint32_t n_operands, struct node *const *operands) {
  return (struct node){.op = op,
                       .n_operands = n_operands,
                       .operands = (struct node **)(uintptr_t)operands,
                       .rank = 0,
                       .n = 1,
                       .member = -1,
                       .at = {-1, 0}};
}

static void shape_like(struct node *node, const struct node *like) {
  node->rank = like->rank;
  node->n = like->n;
  memcpy(node->size, like->size, sizeof node->size);
}

static struct node *simplified(struct graph *graph, struct node *node);

static struct node *view(struct graph *graph, struct node *a, const struct node *like, struct index_map map) {
  struct node node = new_node(NODE_VIEW, 1, &a);
  shape_like(&node, like);
  node.map = map;
  return simplified(graph, &node);
}

// What has the last dimensions of `like`, the same along the first ones. Scalars go with every shape as they are.
static struct node *repeated(struct graph *graph, struct node *a, const struct node *like) {
  if (node_is_scalar(a) || a->rank == like->rank)
    return a;
  struct index_map map = index_map_identity(a->rank);
  for (uint32_t i = 0; i < a->rank; i++)
    map.axis[i] = (int8_t)(like->rank - a->rank + i);
  return view(graph, a, like, map);
}

// An element-wise operation or a reduction: the shape follows from the operands.
struct node *graph_node(struct graph *graph, int op, uint32_t n_operands, struct node *const *operands) {
  struct node *same[2], node = new_node(op, n_operands, operands);
  if (node_is_elementwise(&node)) {
    assert(n_operands <= 2);
    const struct node *largest = operands[n_operands - 1];
    if (operands[0]->rank >= largest->rank)
      largest = operands[0];
    shape_like(&node, largest);
    for (uint32_t i = 0; i < n_operands; i++)
      same[i] = repeated(graph, operands[i], largest);
    node.operands = same;
  }
  return intern(graph, &node);
}

static struct node *unary(struct graph *graph, int op, struct node *a) {
  return graph_node(graph, op, 1, &a);
}

static struct node *binary(struct graph *graph, int op, struct node *a, struct node *b) {
  return graph_node(graph, op, 2, (struct node *[]){a, b});
}

static struct node *constant(struct graph *graph, double value) {
  struct node node = new_node(IR_OP_CONSTANT, 0, NULL);
  node.number = value;
  return intern(graph, &node);
}

// -------------------------------------------------------------------------------------- composite operations

// Reductions and what is made of them go over all elements, or over one axis: `over` is 1 + that axis, or 0.

// The shape that is left when axis `over` - 1 is gone, and the map from it to `a`'s elements at the beginning of that.
static struct index_map drop_axis(struct node *node, const struct node *a, uint32_t over) {
  struct index_map map = {.rank = a->rank};
  node->rank = 0;
  node->n = a->n / static_part(a->size[over - 1]);
  for (uint32_t i = 0; i < a->rank; i++) {
    map.axis[i] = i + 1 == over ? INDEX_FIXED : (int8_t)node->rank;
    if (i + 1 != over)
      node->size[node->rank++] = a->size[i];
  }
  return map;
}

static struct node *reduce(struct graph *graph, int op, struct node *a, uint32_t over) {
  if (over == 0)
    return unary(graph, op, a);
  struct node node = new_node(op, 1, &a);
  struct index_map map = drop_axis(&node, a, over);
  node.axis = over - 1;
  if (a->size[node.axis] != 1)
    return intern(graph, &node);
  struct node *only = view(graph, a, &node, map);
  return op == NODE_SUM_BUT_ONE ? binary(graph, IR_OP_SUB, only, constant(graph, 1)) : only;
}

// A result of reduce() where it meets what was reduced.
static struct node *spread(struct graph *graph, struct node *a, const struct node *like, uint32_t over) {
  if (over == 0)
    return a;
  struct index_map map = index_map_identity(a->rank);
  for (uint32_t i = over - 1; i < a->rank; i++)
    map.axis[i] = (int8_t)(i + 1);
  return view(graph, a, like, map);
}

// What normalised exponentials have in common: exp(a - largest) and its sum. Infinite largest elements are left out of
// the difference, where they would give NaN.
struct exponentials {
  struct node *top, *shifted, *powers;
};

static struct exponentials exponentials_of(struct graph *graph, struct node *a, uint32_t over) {
  struct exponentials e;
  e.top = unary(graph, NODE_FINITE, reduce(graph, IR_OP_AMAX, a, over));
  e.shifted = binary(graph, IR_OP_SUB, a, spread(graph, e.top, a, over));
  e.powers = unary(graph, IR_OP_EXP, e.shifted);
  return e;
}

static struct node *pick(struct graph *graph, struct node *a, struct node_index at) {
  struct node node = new_node(IR_OP_PICK, 1, &a);
  node.at = at;
  return intern(graph, &node);
}

// Draws for each element of `like`.
static struct node *draws(struct graph *graph, int op, const struct node *like, uint32_t site) {
  struct node node = new_node(op, 0, NULL);
  shape_like(&node, like);
  node.index = site;
  return intern(graph, &node);
}

static struct node *max_share(struct graph *graph, struct node *a, uint32_t over) {
  struct node *top = spread(graph, reduce(graph, IR_OP_AMAX, a, over), a, over);
  struct node *largest = binary(graph, IR_OP_SUB, constant(graph, 1), binary(graph, IR_OP_GT, top, a));
  struct node *n = reduce(graph, IR_OP_SUM, largest, over);
  return binary(graph, IR_OP_DIV, largest, spread(graph, n, a, over));
}

// The number of elements that are reduced.
static struct node *count(struct graph *graph, const struct node *a, uint32_t over) {
  struct node node = new_node(NODE_COUNT, 0, NULL);
  node.number = (double)(over > 0 ? static_part(a->size[over - 1]) : a->n);
  for (uint32_t i = 0; i < a->rank; i++)
    if (a->size[i] < 0 && (over == 0 || over - 1 == i))
      node.map.begin[node.map.rank++] = -a->size[i];
  return node.map.rank > 0 ? intern(graph, &node) : constant(graph, node.number);
}

static struct node *mean(struct graph *graph, struct node *a, uint32_t over) {
  return binary(graph, IR_OP_DIV, reduce(graph, IR_OP_SUM, a, over), count(graph, a, over));
}

// What an operation is expanded from: its operands and attributes.
struct expanded {
  struct node *const *operands;
  struct node_index at;
  uint32_t over;
  uint32_t site;
};

// expand_ENUM for each reduction, product and row-wise operation of ops.def: the nodes that it consists of, or NULL
// where it is a node itself, with a step in the planner and the generators. A row without one does not compile.
typedef struct node *expand_fn(struct graph *, const struct expanded *);

#define EXPAND(ENUM, expression)                                                                             \
  static struct node *expand_##ENUM(struct graph *graph, const struct expanded *x) {                         \
    struct node *a = x->operands[0];                                                                         \
    (void)graph;                                                                                             \
    return expression;                                                                                       \
  }

// One of the powers is 1; the log1p of the others keeps them however small they are.
static struct node *log_sum(struct graph *graph, const struct exponentials *e, uint32_t over) {
  return unary(graph, IR_OP_LOG1P, reduce(graph, NODE_SUM_BUT_ONE, e->powers, over));
}

static struct node *expand_LOGSUMEXP(struct graph *graph, const struct expanded *x) {
  struct exponentials e = exponentials_of(graph, x->operands[0], x->over);
  return binary(graph, IR_OP_ADD, e.top, log_sum(graph, &e, x->over));
}

static struct node *expand_NLL(struct graph *graph, const struct expanded *x) {
  struct exponentials e = exponentials_of(graph, x->operands[0], 0);
  struct node *log = log_sum(graph, &e, 0), *picked = pick(graph, x->operands[0], x->at);
  return binary(graph, IR_OP_SUB, log, binary(graph, IR_OP_SUB, picked, e.top));
}

static struct node *expand_SOFTMAX(struct graph *graph, const struct expanded *x) {
  struct exponentials e = exponentials_of(graph, x->operands[0], x->over);
  struct node *sum = reduce(graph, IR_OP_SUM, e.powers, x->over);
  struct node *share = binary(graph, IR_OP_DIV, constant(graph, 1), sum);
  return binary(graph, IR_OP_MUL, e.powers, spread(graph, share, x->operands[0], x->over));
}

static struct node *expand_LOG_SOFTMAX(struct graph *graph, const struct expanded *x) {
  struct exponentials e = exponentials_of(graph, x->operands[0], x->over);
  struct node *log = log_sum(graph, &e, x->over);
  return binary(graph, IR_OP_SUB, e.shifted, spread(graph, log, x->operands[0], x->over));
}

EXPAND(DOT, unary(graph, IR_OP_SUM, binary(graph, IR_OP_MUL, a, x->operands[1])))
EXPAND(SUM, reduce(graph, IR_OP_SUM, a, x->over))
EXPAND(AMAX, reduce(graph, IR_OP_AMAX, a, x->over))
EXPAND(MEAN, mean(graph, a, x->over))
EXPAND(MAX_SHARE, max_share(graph, a, x->over))
EXPAND(NORMAL_LIKE, draws(graph, NODE_NORMAL, a, x->site))
EXPAND(UNIFORM_LIKE, draws(graph, NODE_UNIFORM, a, x->site))
EXPAND(STOP, a)
#define expand_MATMUL NULL
#define expand_OUTER NULL
#define expand_ARGMAX NULL
#define expand_PICK NULL

static expand_fn *const expansions[IR_N_OPS] = {
#define EXPANSION_OF_ELEMENTWISE(ENUM)
#define EXPANSION_OF_PRODUCT(ENUM) [IR_OP_##ENUM] = expand_##ENUM,
#define EXPANSION_OF_REDUCE(ENUM) [IR_OP_##ENUM] = expand_##ENUM,
#define EXPANSION_OF_ROWWISE(ENUM) [IR_OP_##ENUM] = expand_##ENUM,
#define EXPANSION_OF_MOVE(ENUM)
#define EXPANSION_OF_SOURCE(ENUM)
#define EXPANSION_OF_SINK(ENUM)
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  EXPANSION_OF_##class(ENUM)
#include "compiler/ir/ops.def"
#undef OP
    [IR_OP_STOP] = expand_STOP,
};

// ----------------------------------------------------------------------------------- parameters of the block

static int32_t param_number(struct graph *graph, const struct ir_value *value) {
  int32_t number = graph->param_numbers[value->id];
  if (number >= 0)
    return number;
  graph_fail(graph, "block %s: an operand must be one of the block's parameters", graph->forward->name);
}

// A host operand as an integer.
static struct node_index index_of(struct graph *graph, const struct ir_value *value) {
  if (value->def != NULL) {
    const struct ir_instr *def = value->def;
    return (struct node_index){-1, def->op == IR_SIZE ? size_of(graph, def->size) : def->integer};
  }
  return (struct node_index){(int32_t)graph->positions[param_number(graph, value)], 0};
}

static void bind_params(struct graph *graph) {
  const struct ir_block *block = graph->block;
  bool adjoint = block->kind == IR_BLOCK_ADJOINT;
  graph->n_results = graph->forward->n_results;
  graph->n_saved = graph->forward->n_outputs - graph->forward->n_results;
  graph->positions = arena_new_array(graph->arena, uint32_t, block->n_params);
  graph->param_numbers = arena_new_array(graph->arena, int32_t, block->n_values);
  memset(graph->param_numbers, 0xff, block->n_values * sizeof *graph->param_numbers);
  for (uint32_t i = 0; i < block->n_params; i++) {
    const struct ir_type *type = block->params[i]->type;
    graph->param_numbers[block->params[i]->id] = (int32_t)i;
    if (type->kind == IR_LIST) {
      graph->positions[i] = graph->n_tensors++;
      continue;
    }
    if (type->kind != IR_TENSOR) {
      graph->positions[i] = type->kind == IR_FLOAT ? graph->n_numbers++ : graph->n_integers++;
      continue;
    }
    uint32_t after_inputs = i - graph->forward->n_params;
    struct node node = new_node(NODE_INPUT, 0, NULL);
    if (!adjoint || i < graph->forward->n_params) {
      graph->positions[i] = graph->n_tensors++;
    } else {
      bool saved = after_inputs < graph->n_saved;
      node.op = saved ? NODE_SAVED : NODE_GRADIENT;
      graph->positions[i] = saved ? after_inputs : after_inputs - graph->n_saved;
    }
    node.index = graph->positions[i];
    set_shape(graph, &node, type);
    graph->values[block->params[i]->id] = intern(graph, &node);
  }
}

// -------------------------------------------------------------------------------------- primitive operations

static bool dropout_is_active(const struct graph *graph) {
  return graph->variant == KERNEL_TRAIN || graph->variant == KERNEL_ADJOINT;
}

static struct node *dropout(struct graph *graph, const struct ir_instr *instr, struct node *a) {
  if (!dropout_is_active(graph) || instr->number <= 0)
    return a;
  struct node *operands[2] = {a, draws(graph, NODE_DRAWS, a, instr->site)};
  struct node node = new_node(IR_OP_DROPOUT, 2, operands);
  shape_like(&node, a);
  node.number = instr->number;
  return intern(graph, &node);
}

static struct node *host_scalar(struct graph *graph, const struct ir_value *value) {
  if (value->def != NULL && value->def->op == IR_CONST_FLOAT)
    return constant(graph, value->def->number);
  if (value->def != NULL)
    return constant(graph, (double)index_of(graph, value).constant);
  struct node node = new_node(NODE_HOST, 0, NULL);
  node.index = graph->positions[param_number(graph, value)];
  node.integer = value->type->kind != IR_FLOAT;
  return intern(graph, &node);
}

static void check_range(struct graph *graph, const struct ir_instr *instr, int64_t from, int64_t length,
                        int64_t limit) {
  if (length < 0 || limit < 0)
    graph_fail(graph, "%s along an axis whose size is known at run time", ir_op_infos[instr->op].name);
  if (from < 0 || length < 1 || from > limit - length)
    graph_fail(graph, "%s: elements %" PRId64 " to %" PRId64 " do not lie in an axis of %" PRId64,
               ir_op_infos[instr->op].name, from, from + length - 1, limit);
}

static void make_view(struct node *node, struct index_map map) {
  node->op = NODE_VIEW;
  node->map = map;
}

// The other of a matrix's two ways to lie; of each of several matrices.
static bool is_transpose(const struct node *node) {
  bool is_one = node->op == NODE_VIEW && node->rank >= 2 && node->map.rank == node->rank &&
                node->n == node->operands[0]->n;
  for (uint32_t i = 0; is_one && i < node->rank; i++) {
    uint32_t axis = i + 2 < node->rank ? i : 2 * node->rank - 3 - i;
    is_one = node->map.axis[i] == (int)axis && node->size[axis] == node->operands[0]->size[i];
  }
  return is_one;
}

// Shapes that differ in axes of one element alone: a view. A scalar has no axis to look along, and is none.
static bool only_adds_or_drops_axes(const struct node *node, struct index_map *map) {
  const struct node *from = node->operands[0];
  uint32_t at = 0;
  *map = (struct index_map){.rank = from->rank};
  for (uint32_t i = 0; i < from->rank; i++) {
    map->axis[i] = INDEX_FIXED;
    if (from->size[i] == 1)
      continue;
    while (at < node->rank && node->size[at] == 1)
      at++;
    if (at == node->rank || node->size[at] != from->size[i])
      return false;
    map->axis[i] = (int8_t)at++;
  }
  while (at < node->rank && node->size[at] == 1)
    at++;
  return at == node->rank && !node_is_scalar(node);
}

static void set_attributes(struct graph *graph, const struct ir_instr *instr, struct node *node) {
  uint32_t axis = ir_axis(instr);
  switch (instr->op) {
  case IR_OP_SLICE: {
    int64_t offset = size_of(graph, instr->size);
    check_range(graph, instr, offset, node->size[axis], node->operands[0]->size[axis]);
    make_view(node, index_map_identity(node->rank));
    node->map.begin[axis] = offset;
    break;
  }
  case IR_OP_PAD: {
    int64_t offset = size_of(graph, instr->size);
    check_range(graph, instr, offset, node->operands[0]->size[axis], node->size[axis]);
    node->map = index_map_identity(node->rank);
    node->map.begin[axis] = -offset;
    break;
  }
  case IR_OP_PUT:
    node->axis = axis;
    node->length = node->rank == node->operands[0]->rank ? node->operands[0]->size[axis] : 1;
    if (node->length > 1)
      check_range(graph, instr, 0, node->length, node->size[axis]);
    break;
  case IR_OP_PERMUTE: {
    struct index_map map = {.rank = node->rank};
    for (uint32_t i = 0; i < node->rank; i++)
      map.axis[ir_order(instr->integer, i)] = (int8_t)i;
    make_view(node, map);
    break;
  }
  case IR_OP_RESHAPE: {
    struct index_map map;
    if (only_adds_or_drops_axes(node, &map))
      make_view(node, map);
    break;
  }
  case IR_OP_TRANSPOSE:
    make_view(node, index_map_identity(2));
    node->map.axis[0] = 1;
    node->map.axis[1] = 0;
    break;
  case IR_OP_BROADCAST:
    make_view(node, index_map_identity(node->operands[0]->rank));
    for (uint32_t i = instr->axis - 1; instr->axis > 0 && i < node->map.rank; i++)
      node->map.axis[i] = (int8_t)(i + 1);
    break;
  case IR_OP_CONCAT:
    if (node->size[axis] < 0 && node->n_operands > 1)
      graph_fail(graph, "concat along an axis whose size is known at run time");
    node->axis = axis;
    break;
  case IR_OP_STACK:
    node->op = NODE_INPUT;
    node->index = graph->positions[param_number(graph, instr->operands[0])];
    node->list = true;
    break;
  case IR_OP_CONSTANT: node->number = instr->number; break;
  case IR_OP_PARAM:
    node->index = instr->symbol;
    node->member = instr->n_operands > 0 ? param_number(graph, instr->operands[0]) : -1;
    break;
  case IR_OP_MATMUL:
    node->transpose_a = instr->transpose_a;
    node->transpose_b = instr->transpose_b;
    // A transposed operand is read where it lies.
    for (int i = 0; i < 2; i++)
      if (is_transpose(node->operands[i])) {
        node->operands[i] = node->operands[i]->operands[0];
        *(i == 0 ? &node->transpose_a : &node->transpose_b) ^= true;
      }
    break;
  default: break;
  }
}

// A concatenation of many parts becomes one of concatenations, so that no loop has code for all of them.
static struct node *join(struct graph *graph, const struct node *wanted) {
  struct node whole = *wanted;
  while (whole.n_operands > GRAPH_MAX_PARTS) {
    uint32_t n = (whole.n_operands + GRAPH_MAX_PARTS - 1) / GRAPH_MAX_PARTS;
    struct node **joined = arena_new_array(graph->arena, struct node *, n);
    for (uint32_t i = 0; i < n; i++) {
      struct node run = *wanted;
      run.operands = whole.operands + i * GRAPH_MAX_PARTS;
      run.n_operands = i + 1 < n ? GRAPH_MAX_PARTS : whole.n_operands - i * GRAPH_MAX_PARTS;
      run.size[wanted->axis] = 0;
      for (uint32_t j = 0; j < run.n_operands; j++)
        run.size[wanted->axis] += run.operands[j]->size[wanted->axis];
      run.n = wanted->n / wanted->size[wanted->axis] * run.size[wanted->axis];
      joined[i] = run.n_operands == 1 ? run.operands[0] : intern(graph, &run);
    }
    whole.operands = joined;
    whole.n_operands = n;
  }
  return intern(graph, &whole);
}

// A view of a view, of all in its place and the like: look through it, so that less needs memory.
static struct node *simplified(struct graph *graph, struct node *node) {
  if (node->op == NODE_VIEW || node->op == IR_OP_PAD) {
    struct node *from = node->operands[0];
    struct index_shape space = node_shape(node), value = node_shape(from);
    if (index_map_is_identity(&node->map, &space, &value))
      return from;
    if (node->op == NODE_VIEW && from->op == NODE_VIEW) {
      struct node whole = *node;
      whole.operands = &from->operands[0];
      whole.map = index_map_compose(&node->map, &from->map);
      return simplified(graph, &whole);
    }
  }
  if (node->op == IR_OP_RESHAPE) {
    struct node *from = node->operands[0];
    bool same = from->rank == node->rank;
    for (uint32_t i = 0; i < node->rank && same; i++)
      same = from->size[i] == node->size[i];
    if (same)
      return from;
    if (from->op == IR_OP_RESHAPE) {
      struct node whole = *node;
      whole.operands = &from->operands[0];
      return simplified(graph, &whole);
    }
  }
  if (node->op == IR_OP_CONCAT)
    return node->n_operands == 1 ? node->operands[0] : join(graph, node);
  return intern(graph, node);
}

// What a lookup, or a window, gives.
static struct node *taken(struct graph *graph, const struct ir_instr *instr, struct node *from,
                          struct node_index at) {
  struct node shifted = new_node(NODE_SHIFTED, 1, &from), node = new_node(NODE_VIEW, 1, &from);
  set_shape(graph, &node, instr->results[0]->type);
  shape_like(&shifted, from);
  shifted.axis = ir_axis(instr);
  shifted.at = at;
  shifted.length = node.rank == from->rank ? node.size[shifted.axis] : 1;
  if (from->size[shifted.axis] > 0 && shifted.length > from->size[shifted.axis])
    check_range(graph, instr, 0, shifted.length, from->size[shifted.axis]);
  if (shifted.length != from->size[shifted.axis])  // otherwise there is nothing to choose
    from = intern(graph, &shifted);
  node.map = index_map_identity(from->rank);
  for (uint32_t i = 0, k = 0; i < from->rank; i++)
    node.map.axis[i] = node.rank < from->rank && i == shifted.axis ? INDEX_FIXED : (int8_t)k++;
  return simplified(graph, &node);
}

static struct node *convert(struct graph *graph, const struct ir_instr *instr) {
  const struct ir_op_info *info = &ir_op_infos[instr->op];
  uint32_t n = info->arity < 0 ? instr->n_operands : (uint32_t)info->arity;
  struct node **operands = arena_new_array(graph->arena, struct node *, n);
  for (uint32_t i = 0; i < n; i++)
    operands[i] = graph->values[instr->operands[i]->id];
  struct node_index at = info->takes_index ? index_of(graph, instr->operands[n]) : (struct node_index){-1, 0};
  if (instr->op == IR_OP_SCALAR)
    return host_scalar(graph, instr->operands[0]);
  if (instr->op == IR_OP_LOOKUP || instr->op == IR_OP_TAKE || instr->op == IR_OP_WINDOW)
    return taken(graph, instr, operands[0], at);
  if (instr->op == IR_OP_DROPOUT)
    return dropout(graph, instr, operands[0]);
  if (expansions[instr->op] != NULL) {
    uint32_t over = n > 0 && operands[0]->rank > 1 ? instr->axis
                                                   : 0;  // of a vector all is the same as one axis
    return expansions[instr->op](graph, &(struct expanded){operands, at, over, instr->site});
  }
  if (info->class == IR_CLASS_ELEMENTWISE)
    return graph_node(graph, instr->op, n, operands);
  struct node node = new_node(instr->op, n, operands);
  set_shape(graph, &node, instr->results[0]->type);
  node.at = at;
  set_attributes(graph, instr, &node);
  return simplified(graph, &node);
}

// ----------------------------------------------------------------------------------------- results and sinks

uint32_t graph_use(struct graph *graph, struct node *param, enum kernel_layout layout) {
  if (param->use[layout] != 0)
    return param->use[layout] - 1;
  if (graph->n_uses == graph->uses_capacity) {
    uint32_t capacity = graph->uses_capacity ? graph->uses_capacity * 2 : 8;
    graph->uses = arena_grow_array(graph->arena, graph->uses, graph->n_uses, capacity, sizeof *graph->uses);
    graph->uses_capacity = capacity;
  }
  graph->uses[graph->n_uses] = (struct kernel_param){param->index, param->member, layout};
  param->use[layout] = ++graph->n_uses;
  return graph->n_uses - 1;
}

// Where the executor finds a row operand of a weight gradient: in place when it is a whole row that it knows.
static struct kernel_row sink_row(struct graph *graph, struct node *node) {
  struct kernel_row row = {KERNEL_PLACE_SINK, node->index, (uint32_t)node->n};
  switch (node->op) {
  case NODE_INPUT: row.place = KERNEL_PLACE_INPUT; return row;
  case NODE_SAVED: row.place = KERNEL_PLACE_SAVED; return row;
  case NODE_GRADIENT: row.place = KERNEL_PLACE_GRADIENT; return row;
  default: break;
  }
  if (node->sink != 0) {
    row.index = node->sink - 1;
    return row;
  }
  if (graph->n_sink_buffers == graph->sink_capacity) {
    uint32_t capacity = graph->sink_capacity ? graph->sink_capacity * 2 : 8;
    graph->sink_nodes = arena_grow_array(graph->arena, graph->sink_nodes, graph->n_sink_buffers, capacity,
                                         sizeof *graph->sink_nodes);
    graph->sink_capacity = capacity;
  }
  row.index = graph->n_sink_buffers;
  graph->sink_nodes[graph->n_sink_buffers++] = node;
  node->sink = graph->n_sink_buffers;
  return row;
}

static void add_sink(struct graph *graph, const struct ir_instr *instr) {
  struct node *a = graph->values[instr->operands[0]->id];
  if (instr->op == IR_OP_D_INPUT) {
    uint32_t input = graph->positions[instr->integer];
    int64_t extent = (int64_t)nn_row_elements((size_t)a->n);
    struct place place = {.kind = PLACE_INPUT_GRADIENT, .index = input, .extent = extent};
    graph->adds[graph->n_adds++] = (struct target){TARGET_ADD, a, place};
    return;
  }
  uint32_t values = instr->op == IR_OP_D_OUTER ? 2 : 1, hosts = values + ir_op_infos[instr->op].takes_index;
  struct kernel_sink sink = {.param = instr->symbol, .member = -1, .index = -1, .a = sink_row(graph, a)};
  sink.kind = instr->op == IR_OP_D_OUTER ? KERNEL_SINK_OUTER
              : instr->op == IR_OP_D_ROW ? KERNEL_SINK_ROW
                                         : KERNEL_SINK_PARAM;
  if (values == 2)
    sink.b = sink_row(graph, graph->values[instr->operands[1]->id]);
  if (hosts > values)
    sink.index = param_number(graph, instr->operands[values]);
  if (instr->n_operands > hosts)
    sink.member = param_number(graph, instr->operands[hosts]);
  graph->sinks[graph->n_sinks++] = sink;
}

static void collect_outputs(struct graph *graph) {
  const struct ir_block *block = graph->block;
  if (block->kind == IR_BLOCK_ADJOINT)
    return;
  graph->n_outputs = graph->variant == KERNEL_INFER ? block->n_results : block->n_outputs;
  graph->outputs = arena_new_array(graph->arena, struct node *, graph->n_outputs);
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    graph->outputs[i] = graph->values[block->outputs[i]->id];
}

void graph_build(struct graph *graph) {
  const struct ir_block *block = graph->block;
  graph->index = hash_index_new(graph->arena);
  graph->values = arena_new_array(graph->arena, struct node *, block->n_values);
  bind_params(graph);
  uint32_t n_sinks = 0;
  for (const struct ir_instr *instr = block->first; instr != NULL; instr = instr->next)
    n_sinks += instr->n_results == 0;
  graph->adds = arena_new_array(graph->arena, struct target, n_sinks);
  graph->sinks = arena_new_array(graph->arena, struct kernel_sink, n_sinks);
  for (const struct ir_instr *instr = block->first; instr != NULL; instr = instr->next) {
    if (instr->n_results == 0)
      add_sink(graph, instr);
    else if (ir_is_tensor_op(instr->op))
      graph->values[instr->results[0]->id] = convert(graph, instr);
  }
  collect_outputs(graph);
}

// Which forward values are kept for the adjoint.
//
// A value that the adjoint uses is either saved, or recomputed from block inputs and saved values.
// Products, reductions, transcendental functions and random draws are not recomputed. Among all choices the
// one with the fewest saved bytes is a minimum cut: every path from an operation that is not recomputed to
// a value that is used must meet a saved value, and saving a value costs its elements. (Ford & Fulkerson;
// the cut nearest to the uses is taken, so that of equally small ones the one with the least recomputation
// is found.)
//
// A value of several run-time sizes has no place outside its block (kernel.h), so that it is never saved but always
// recomputed.
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/passes/adjoint.h"

// A vocab's size is known only when a model is bound.
#define TYPICAL_VOCAB 10000
// Nor is the length of a list.
#define TYPICAL_RUNTIME 32
// Rows are padded to this many elements.
#define LANES 16
#define UNLIMITED INT64_MAX

static int64_t estimate_atom(void *context, const struct size_atom *atom) {
  const struct ir_module *module = context;
  if (atom->kind == SIZE_RUNTIME)
    return TYPICAL_RUNTIME;
  const struct ir_dim *dim = module->dims[atom->id];
  int64_t value;
  if (atom->kind == SIZE_VOCAB || !dim->value || !size_evaluate(dim->value, estimate_atom, context, &value))
    return TYPICAL_VOCAB;
  return value;
}

int64_t adjoint_estimate(const struct ir_module *module, const struct size *size) {
  int64_t value;
  return size_evaluate(size, estimate_atom, (void *)module, &value) ? value : INT64_MAX / 4;
}

static bool has_place(const struct ir_type *type) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < type->shape.rank; i++)
    n += size_is_runtime(type->shape.sizes[i]);
  return n < 2;
}

static int64_t cost_of(const struct ir_module *module, const struct ir_type *type) {
  int64_t elements = 1;
  if (!has_place(type))
    return UNLIMITED;
  for (uint32_t i = 0; i < type->shape.rank; i++)
    if (__builtin_mul_overflow(elements, adjoint_estimate(module, type->shape.sizes[i]), &elements) ||
        elements > INT64_MAX / 4)
      return INT64_MAX / 4;
  return (elements + LANES - 1) / LANES * LANES;
}

// A saved element is written, read, and takes memory from the forward pass to the backward one: a few operations
// on what is there anyway cost less.
#define MAX_RECOMPUTED_COST 4

static bool is_recomputable(const struct ir_instr *instr) {
  const struct ir_op_info *info = &ir_op_infos[instr->op];
  if (instr->n_results > 0 && instr->results[0]->type->kind == IR_TENSOR &&
      !has_place(instr->results[0]->type))
    return true;
  return info->cost <= MAX_RECOMPUTED_COST && !info->random;
}

// The flow network. Node k is copy k; it stands for two, joined by an edge whose capacity is the cost of
// saving: `in` 2k and `out` 2k + 1. Operations that are not recomputed are sources, values that the adjoint
// uses are sinks.
struct edge {
  uint32_t to;
  int64_t left;   // residual capacity
  uint32_t twin;  // the edge back
  uint32_t next;  // of the same node; 0: none
};

struct network {
  struct arena *arena;
  uint32_t n;          // nodes: 2 per copy, then source and sink
  uint32_t *first;     // [node] edge, 0: none
  struct edge *edges;  // from 1
  uint32_t n_edges, capacity;
};

static uint32_t push_edge(struct network *net, uint32_t from, uint32_t to, int64_t left) {
  if (net->n_edges == net->capacity) {
    uint32_t grown = net->capacity ? 2 * net->capacity : 64;
    net->edges = arena_grow_array(net->arena, net->edges, net->n_edges, grown, sizeof *net->edges);
    net->capacity = grown;
    net->n_edges = net->n_edges ? net->n_edges : 1;
  }
  uint32_t edge = net->n_edges++;
  net->edges[edge] = (struct edge){to, left, 0, net->first[from]};
  net->first[from] = edge;
  return edge;
}

static void add_edge(struct network *net, uint32_t from, uint32_t to, int64_t capacity) {
  uint32_t there = push_edge(net, from, to, capacity), back = push_edge(net, to, from, 0);
  net->edges[there].twin = back;
  net->edges[back].twin = there;
}

// Dinic's algorithm (1970): all shortest ways at once, then those that are longer. Blocks have very many ways of
// a few lengths, so that the work is near linear.
struct search {
  struct network *net;
  uint32_t source, sink;
  uint32_t *level;    // [node] distance from the source + 1; 0: not reached
  uint32_t *current;  // [node] edge to go on with
  uint32_t *way;      // edges from the source
  uint32_t *queue;
};

// false: the sink cannot be reached.
static bool find_levels(struct search *s) {
  memset(s->level, 0, s->net->n * sizeof *s->level);
  memcpy(s->current, s->net->first, s->net->n * sizeof *s->current);
  uint32_t head = 0, tail = 0;
  s->queue[tail++] = s->source;
  s->level[s->source] = 1;
  while (head < tail) {
    uint32_t node = s->queue[head++];
    for (uint32_t e = s->net->first[node]; e; e = s->net->edges[e].next) {
      uint32_t to = s->net->edges[e].to;
      if (s->net->edges[e].left == 0 || s->level[to])
        continue;
      s->level[to] = s->level[node] + 1;
      s->queue[tail++] = to;
    }
  }
  return s->level[s->sink] != 0;
}

// Sends as much as fits along the way found; gives the length of what is left of it before the first full edge.
static uint32_t send(struct search *s, uint32_t length) {
  struct edge *edges = s->net->edges;
  int64_t least = UNLIMITED;
  for (uint32_t i = 0; i < length; i++)
    least = edges[s->way[i]].left < least ? edges[s->way[i]].left : least;
  uint32_t kept = length;
  for (uint32_t i = length; i-- > 0;) {
    struct edge *edge = &edges[s->way[i]];
    if (edge->left != UNLIMITED)
      edge->left -= least;
    if (edges[edge->twin].left != UNLIMITED)
      edges[edge->twin].left += least;
    kept = edge->left == 0 ? i : kept;
  }
  return kept;
}

// Depth-first, without recursion: a node that leads nowhere is not met again.
static void send_all(struct search *s) {
  const struct edge *edges = s->net->edges;
  uint32_t length = 0, node = s->source;
  for (;;) {
    if (node == s->sink) {
      length = send(s, length);
      node = length > 0 ? edges[s->way[length - 1]].to : s->source;
      continue;
    }
    uint32_t *e = &s->current[node];
    while (*e && (edges[*e].left == 0 || s->level[edges[*e].to] != s->level[node] + 1))
      *e = edges[*e].next;
    if (*e) {
      s->way[length++] = *e;
      node = edges[*e].to;
    } else if (length == 0) {
      return;
    } else {
      node = edges[edges[s->way[--length]].twin].to;
      s->current[node] = edges[s->current[node]].next;
    }
  }
}

static void saturate(struct network *net, uint32_t source, uint32_t sink) {
  struct search s = {net,
                     source,
                     sink,
                     arena_new_array(net->arena, uint32_t, net->n),
                     arena_new_array(net->arena, uint32_t, net->n),
                     arena_new_array(net->arena, uint32_t, net->n),
                     arena_new_array(net->arena, uint32_t, net->n)};
  while (find_levels(&s))
    send_all(&s);
}

// [node] whether the sink can still be reached from it.
static bool *find_sink_side(const struct network *net, uint32_t sink) {
  bool *reaches = arena_new_array(net->arena, bool, net->n);
  uint32_t *queue = arena_new_array(net->arena, uint32_t, net->n);
  uint32_t head = 0, tail = 0;
  queue[tail++] = sink;
  reaches[sink] = true;
  while (head < tail) {
    uint32_t node = queue[head++];
    for (uint32_t e = net->first[node]; e; e = net->edges[e].next) {
      const struct edge *into = &net->edges[net->edges[e].twin];
      if (into->left == 0 || reaches[net->edges[e].to])
        continue;
      reaches[net->edges[e].to] = true;
      queue[tail++] = net->edges[e].to;
    }
  }
  return reaches;
}

#define NO_COPY UINT32_MAX

static bool is_linked(const struct ir_block *block, const struct ir_instr *instr) {
  return instr->prev || block->first == instr;
}

// [value id] the copy whose twin it is.
static uint32_t *number_copies(struct arena *scratch, const struct ir_block *adjoint, uint32_t n_copies,
                               const struct adjoint_copy *copies) {
  uint32_t *copy_of = arena_new_array(scratch, uint32_t, adjoint->n_values);
  memset(copy_of, 0xff, adjoint->n_values * sizeof *copy_of);
  for (uint32_t k = 0; k < n_copies; k++)
    if (is_linked(adjoint, copies[k].twin->def))
      copy_of[copies[k].twin->id] = k;
  return copy_of;
}

void adjoint_choose_saved(const struct ir_module *module, struct arena *scratch, struct ir_block *adjoint,
                          uint32_t n_copies, const struct adjoint_copy *copies, bool *keep) {
  const uint32_t *copy_of = number_copies(scratch, adjoint, n_copies, copies);
  uint32_t source = 2 * n_copies, sink = source + 1;
  struct network net = {.arena = scratch, .n = sink + 1};
  net.first = arena_new_array(scratch, uint32_t, net.n);
  for (const struct ir_instr *instr = adjoint->first; instr; instr = instr->next) {
    uint32_t own = instr->n_results ? copy_of[instr->results[0]->id] : NO_COPY;
    if (own != NO_COPY) {
      add_edge(&net, 2 * own, 2 * own + 1, cost_of(module, instr->results[0]->type));
      if (!is_recomputable(instr))
        add_edge(&net, source, 2 * own, UNLIMITED);
    }
    // A use by a copy that is not recomputed asks for nothing: either that one is saved, or it is not used.
    if (own != NO_COPY && !is_recomputable(instr))
      continue;
    for (uint32_t i = 0; i < instr->n_operands; i++) {
      uint32_t operand = copy_of[instr->operands[i]->id];
      if (operand != NO_COPY)
        add_edge(&net, 2 * operand + 1, own == NO_COPY ? sink : 2 * own, UNLIMITED);
    }
  }
  saturate(&net, source, sink);
  const bool *reaches = find_sink_side(&net, sink);
  for (uint32_t k = 0; k < n_copies; k++)
    keep[k] = is_linked(adjoint, copies[k].twin->def) && !reaches[2 * k] && reaches[2 * k + 1];
}

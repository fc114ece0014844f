// Loops over a row's elements.
#include <stdlib.h>

#include "runtime/cpu/kernel_emit.h"

static LLVMValueRef word(struct emission *e, int64_t value) { return codegen_word(&e->cg, value); }

// ------------------------------------------------------------------------------------------------------- cuts

// Where the loops over an expression are cut: in any order, with repetitions, until sorted.
struct cutting {
  struct emission *e;
  const struct emit_frame *frame;
  struct emit_cuts *cuts;
  uint32_t capacity[IR_MAX_RANK];
};

static void cut(struct cutting *c, uint32_t group, int64_t at) {
  struct emit_cuts *cuts = c->cuts;
  if (cuts->n[group] == c->capacity[group]) {
    uint32_t capacity = c->capacity[group] ? c->capacity[group] * 2 : 16;
    cuts->at[group] = arena_grow_array(c->e->graph->arena, cuts->at[group], cuts->n[group], capacity,
                                       sizeof *cuts->at[group]);
    c->capacity[group] = capacity;
  }
  cuts->at[group][cuts->n[group]++] = at;
}

static int by_position(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void sort_cuts(struct emit_cuts *cuts, uint32_t group) {
  int64_t *at = cuts->at[group];
  qsort(at, cuts->n[group], sizeof *at, by_position);
  uint32_t n = 0;
  for (uint32_t i = 0; i < cuts->n[group]; i++)
    if (n == 0 || at[n - 1] != at[i])
      at[n++] = at[i];
  cuts->n[group] = n;
}

struct cuts_key {
  const struct emission *e;
  const struct known_cuts *wanted;
  uint32_t n_groups;
};

static bool is_looked_at(const void *context, uint32_t item) {
  const struct cuts_key *key = context;
  const struct known_cuts *known = &key->e->cuts_known[item], *wanted = key->wanted;
  bool same = known->node == wanted->node && index_map_equal(&known->map, &wanted->map);
  for (uint32_t i = 0; i < key->n_groups && same; i++)
    same = known->box.begin[i] == wanted->box.begin[i] && known->box.end[i] == wanted->box.end[i];
  return same;
}

// Whether a node's elements in a box have been looked at; from now on they have.
static bool has_been_looked_at(struct cutting *c, struct known_cuts wanted) {
  struct emission *e = c->e;
  uint64_t hash = index_map_hash(wanted.node->id, &wanted.map);
  for (uint32_t i = 0; i < c->frame->groups.n; i++)
    hash = hash_mix(hash_mix(hash, (uint64_t)wanted.box.begin[i]), (uint64_t)wanted.box.end[i]);
  struct cuts_key key = {e, &wanted, c->frame->groups.n};
  if (hash_index_find(&e->cuts_index, hash, is_looked_at, &key) != HASH_INDEX_NONE)
    return true;
  if (e->n_cuts_known == e->cuts_capacity) {
    uint32_t capacity = e->cuts_capacity ? e->cuts_capacity * 2 : 32;
    e->cuts_known = arena_grow_array(e->graph->arena, e->cuts_known, e->n_cuts_known, capacity,
                                     sizeof *e->cuts_known);
    e->cuts_capacity = capacity;
  }
  hash_index_add(&e->cuts_index, hash, e->n_cuts_known);
  e->cuts_known[e->n_cuts_known++] = wanted;
  return false;
}

// An operand as part of a concatenation, or within a padding: where it lies in the box along `axis` of the node. false: not
// at all.
static bool narrow(struct cutting *c, const struct node *node, const struct index_map *map, uint32_t axis,
                   int64_t begin, int64_t length, struct emit_box *box) {
  int follows = map->axis[axis];
  int group = follows == INDEX_FIXED ? INDEX_FIXED : c->frame->groups.group[follows];
  begin -= map->begin[axis];
  if (group == INDEX_FIXED)
    return begin <= 0 && 0 < begin + length;
  if (length == node->size[axis])
    return true;
  int64_t step = c->frame->groups.inner[follows], end = (begin + length) * step;
  int64_t from = begin * step > box->begin[group] ? begin * step : box->begin[group];
  int64_t to = end < box->end[group] ? end : box->end[group];
  if (from >= to)
    return false;
  cut(c, (uint32_t)group, from);
  cut(c, (uint32_t)group, to);
  box->begin[group] = from;
  box->end[group] = to;
  return true;
}

// Cuts the box where what `node` reads changes.
static void find_cuts(struct cutting *c, struct node *node, const struct index_map *map,
                      const struct emit_box *box) {
  if (node->cuts == 0 || node_is_scalar(node) || emit_is_read(c->e, node) ||
      has_been_looked_at(c, (struct known_cuts){node, *map, *box}))
    return;
  for (uint32_t i = 0; i < node->n_operands; i++) {
    struct index_map own = node_map(node, i), whole = index_map_compose(map, &own);
    struct emit_box part = *box;
    bool reads = true;
    for (uint32_t j = 0; j < node->rank && reads; j++)
      if (node->op == IR_OP_PAD || (node->op == IR_OP_CONCAT && j == node->axis))
        reads = narrow(c, node, map, j, -own.begin[j], node->operands[i]->size[j], &part);
    if (reads)
      find_cuts(c, node->operands[i], &whole, &part);
  }
}

void emit_find_cuts(struct emission *e, uint32_t n, struct node *const *nodes,
                    const struct emit_frame *frames, struct emit_cuts *cuts) {
  *cuts = (struct emit_cuts){0};
  struct cutting c = {.e = e, .cuts = cuts};
  e->n_cuts_known = 0;
  hash_index_clear(&e->cuts_index);
  struct emit_box box = {{0}, {0}};
  for (uint32_t i = 0; i < frames[0].groups.n; i++) {
    box.end[i] = frames[0].groups.size[i];
    cut(&c, i, 0);
    cut(&c, i, box.end[i]);
  }
  for (uint32_t i = 0; i < n; i++) {
    struct index_map map = index_map_identity(nodes[i]->rank);
    c.frame = &frames[i];
    find_cuts(&c, nodes[i], &map, &box);
  }
  for (uint32_t i = 0; i < frames[0].groups.n; i++)
    sort_cuts(cuts, i);
}

// ------------------------------------------------------------------------------------------------------ loops

struct loop_body {
  uint32_t group;
  enum emit_stride stride;
  unsigned n_carried;
  LLVMValueRef *carried;
  emit_body_fn *body;
  void *context;
};

static void emit_chunk(struct emission *e, const struct loop_body *b, LLVMValueRef index, int64_t known,
                       unsigned valid) {
  e->at[b->group] = index;
  if (b->stride == EMIT_CHUNKS) {
    e->inner = b->group;
    e->index = index;
    e->known_index = known;
    e->valid = valid;
  }
  bool is_outermost = !e->in_chunk;
  e->n_vectors = 0;
  hash_index_clear(&e->vector_index);
  e->in_chunk = true;
  b->body(e, b->context, b->carried);
  e->in_chunk = !is_outermost;
}

static void emit_region(struct emission *e, const struct loop_body *b) {
  int64_t begin = e->box.begin[b->group], end = e->box.end[b->group];
  int64_t step = b->stride == EMIT_CHUNKS ? e->cg.lanes : 1, whole = (end - begin) / step * step;
  if (whole == step) {
    emit_chunk(e, b, word(e, begin), begin, e->cg.lanes);
  } else if (whole > 0) {
    struct codegen_loop loop;
    codegen_loop_begin(&e->cg, &loop, word(e, begin), word(e, begin + whole), word(e, step), b->n_carried,
                       b->carried);
    for (unsigned i = 0; i < b->n_carried; i++)
      b->carried[i] = loop.carried[i];
    emit_chunk(e, b, loop.index, -1, e->cg.lanes);
    codegen_loop_end(&e->cg, &loop, b->carried);
    for (unsigned i = 0; i < b->n_carried; i++)
      b->carried[i] = loop.carried[i];
  }
  if (begin + whole < end)
    emit_chunk(e, b, word(e, begin + whole), begin + whole, (unsigned)(end - begin - whole));
}

void emit_loop(struct emission *e, const struct emit_cuts *cuts, uint32_t group, enum emit_stride stride,
               unsigned n_carried, LLVMValueRef *carried, emit_body_fn *body, void *context) {
  struct loop_body b = {group, stride, n_carried, carried, body, context};
  for (uint32_t i = 0; i + 1 < cuts->n[group]; i++) {
    e->box.begin[group] = cuts->at[group][i];
    e->box.end[group] = cuts->at[group][i + 1];
    emit_region(e, &b);
  }
}

struct nest {
  const struct emit_cuts *cuts;
  uint32_t n_groups;
  const uint32_t *groups;
  enum emit_stride last;
  emit_body_fn *body;
  void *context;
};

static void emit_nest(struct emission *e, void *context, LLVMValueRef *carried) {
  struct nest nest = *(const struct nest *)context;
  if (nest.n_groups == 0) {
    nest.body(e, nest.context, carried);
    return;
  }
  uint32_t group = *nest.groups++;
  nest.n_groups--;
  emit_loop(e, nest.cuts, group, nest.n_groups == 0 ? nest.last : EMIT_SINGLY, 0, NULL, emit_nest, &nest);
}

void emit_loops(struct emission *e, const struct emit_cuts *cuts, uint32_t n_groups, const uint32_t *groups,
                enum emit_stride last, emit_body_fn *body, void *context) {
  struct nest nest = {cuts, n_groups, groups, last, body, context};
  emit_nest(e, &nest, NULL);
}

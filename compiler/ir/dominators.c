// Lengauer and Tarjan, "A Fast Algorithm for Finding Dominators in a Flowgraph" (TOPLAS 1979), the version with
// path compression alone: O(m log n). The simpler iterations over reverse postorder take a step for each level
// of the tree at every join, which a `match` with thousands of arms has thousands of.
#include "compiler/ir/dominators.h"

#include "compiler/base/arena.h"

#define NONE UINT32_MAX

// Nodes are named by their number in the depth-first walk.
struct finder {
  uint32_t n;
  uint32_t *number;    // [node] NONE: not seen
  uint32_t *node;      // [number]
  uint32_t *parent;    // [number] in the walk's tree
  uint32_t *semi;      // [number] semidominator
  uint32_t *label;     // [number] the one with the least semidominator on the compressed path
  uint32_t *ancestor;  // [number] in the forest, NONE: a root
  uint32_t *path;      // scratch
};

static void walk(struct arena *arena, struct finder *f, const uint32_t *first, const uint32_t *to) {
  uint32_t *stack = arena_new_array(arena, uint32_t, f->n), *edge = arena_new_array(arena, uint32_t, f->n);
  uint32_t depth = 0, seen = 0;
  for (uint32_t v = 0; v < f->n; v++)
    f->number[v] = NONE;
  f->number[0] = seen;
  f->node[seen++] = 0;
  edge[0] = first[0];
  stack[depth++] = 0;
  while (depth > 0) {
    uint32_t v = stack[depth - 1];
    if (edge[v] == first[v + 1]) {
      depth--;
      continue;
    }
    uint32_t w = to[edge[v]++];
    if (f->number[w] != NONE)
      continue;
    f->parent[seen] = f->number[v];
    f->number[w] = seen;
    f->node[seen++] = w;
    edge[w] = first[w];
    stack[depth++] = w;
  }
}

// The node with the least semidominator between `v` and its root; the path to it is shortened.
static uint32_t evaluate(struct finder *f, uint32_t v) {
  if (f->ancestor[v] == NONE)
    return v;
  uint32_t depth = 0;
  for (uint32_t at = v; f->ancestor[f->ancestor[at]] != NONE; at = f->ancestor[at])
    f->path[depth++] = at;
  while (depth-- > 0) {
    uint32_t at = f->path[depth], above = f->ancestor[at];
    if (f->semi[f->label[above]] < f->semi[f->label[at]])
      f->label[at] = f->label[above];
    f->ancestor[at] = f->ancestor[above];
  }
  return f->label[v];
}

// Predecessors, by number: counting sort of the edges.
static void find_preds(const struct finder *f, const uint32_t *first, const uint32_t *to, uint32_t *begin,
                       uint32_t *preds) {
  for (uint32_t v = 0; v < f->n; v++)
    for (uint32_t e = first[v]; e < first[v + 1]; e++)
      begin[f->number[to[e]] + 2]++;
  for (uint32_t i = 0; i < f->n; i++)
    begin[i + 2] += begin[i + 1];
  for (uint32_t i = 0; i < f->n; i++)
    for (uint32_t v = f->node[i], e = first[v]; e < first[v + 1]; e++)
      preds[begin[f->number[to[e]] + 1]++] = i;
}

uint32_t *dominators_find(struct arena *arena, uint32_t n, const uint32_t *first, const uint32_t *to) {
  struct finder f = {n,
                     arena_new_array(arena, uint32_t, n),
                     arena_new_array(arena, uint32_t, n),
                     arena_new_array(arena, uint32_t, n),
                     arena_new_array(arena, uint32_t, n),
                     arena_new_array(arena, uint32_t, n),
                     arena_new_array(arena, uint32_t, n),
                     arena_new_array(arena, uint32_t, n)};
  walk(arena, &f, first, to);
  uint32_t *begin = arena_new_array(arena, uint32_t, (size_t)n + 2);
  uint32_t *preds = arena_new_array(arena, uint32_t, first[n]);
  find_preds(&f, first, to, begin, preds);
  uint32_t *idom = arena_new_array(arena, uint32_t, n);    // [number]
  uint32_t *bucket = arena_new_array(arena, uint32_t, n);  // [number] first node whose semidominator it is
  uint32_t *next = arena_new_array(arena, uint32_t, n);    // of the same bucket
  for (uint32_t i = 0; i < n; i++) {
    f.semi[i] = f.label[i] = i;
    f.ancestor[i] = bucket[i] = next[i] = NONE;
  }
  for (uint32_t w = n; w-- > 1;) {
    for (uint32_t p = begin[w]; p < begin[w + 1]; p++) {
      uint32_t u = evaluate(&f, preds[p]);
      f.semi[w] = f.semi[u] < f.semi[w] ? f.semi[u] : f.semi[w];
    }
    next[w] = bucket[f.semi[w]];
    bucket[f.semi[w]] = w;
    uint32_t parent = f.parent[w];
    f.ancestor[w] = parent;
    for (uint32_t v = bucket[parent]; v != NONE; v = next[v]) {
      uint32_t u = evaluate(&f, v);
      idom[v] = f.semi[u] < f.semi[v] ? u : parent;
    }
    bucket[parent] = NONE;
  }
  for (uint32_t w = 1; w < n; w++)
    if (idom[w] != f.semi[w])
      idom[w] = idom[idom[w]];
  uint32_t *result = arena_new_array(arena, uint32_t, n);
  for (uint32_t w = 0; w < n; w++)
    result[f.node[w]] = f.node[idom[w]];
  return result;
}

struct dominator_tree dominators_number(struct arena *arena, uint32_t n, const uint32_t *idom) {
  struct dominator_tree tree = {arena_new_array(arena, uint32_t, n), arena_new_array(arena, uint32_t, n)};
  uint32_t *next = arena_new_array(arena, uint32_t, n);  // number of the next child
  for (uint32_t v = n; v-- > 0;) {
    tree.below[v]++;
    if (v > 0)
      tree.below[idom[v]] += tree.below[v];
  }
  next[0] = 1;
  for (uint32_t v = 1; v < n; v++) {
    tree.order[v] = next[idom[v]];
    next[idom[v]] += tree.below[v];
    next[v] = tree.order[v] + 1;
  }
  return tree;
}

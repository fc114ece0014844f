// Views of one function's control flow and of the module's call graph. They are computed where a pass needs
// them, live in its scratch arena, and are stale as soon as the graph they describe changes.
#ifndef NN_COMPILER_PASSES_CFG_H
#define NN_COMPILER_PASSES_CFG_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/ir/ir.h"

struct arena;

#define CFG_NONE UINT32_MAX

struct cfg_preds {
  uint32_t n;
  uint32_t *from;  // positions; one per edge, so that a predecessor may stand twice
};

// A natural loop: all basic blocks from which a back edge to `header` is reached without passing it.
struct cfg_loop {
  uint32_t header;  // position
  uint32_t parent;  // the loop around it, or CFG_NONE
  uint32_t depth;   // 1: outermost
  uint32_t order;   // number in preorder of the tree of loops
  uint32_t inside;  // loops in it, itself included
};

// Basic blocks are named by their position in reverse postorder; the entry is 0. Unreachable ones have none.
struct cfg {
  uint32_t n;
  struct ir_bb **bbs;       // [position]
  uint32_t *position;       // [bb->id], CFG_NONE: unreachable
  uint32_t *idom;           // [position] immediate dominator; the entry is its own
  uint32_t *order, *below;  // [position] preorder number in the dominator tree, size of the subtree
  uint32_t *jump;           // [position] far up the dominator tree (cfg_common_dominator)
  struct cfg_preds *preds;  // [position]
  uint32_t n_loops;         // an outer loop comes before those inside it
  struct cfg_loop *loops;
  uint32_t *loop;  // [position] innermost loop, or CFG_NONE
};

// Renumbers the function first (ir_renumber), so that value and basic-block ids are dense.
struct cfg *cfg_build(struct arena *, struct ir_function *);
bool cfg_dominates(const struct cfg *, uint32_t a, uint32_t b);
// The nearest basic block that dominates both.
uint32_t cfg_common_dominator(const struct cfg *, uint32_t a, uint32_t b);
// Whether loop `outer` (CFG_NONE: the whole function) is `inner` or lies around it.
bool cfg_loop_contains(const struct cfg *, uint32_t outer, uint32_t inner);
// [position] the basic block that every way on passes next (immediate postdominator), CFG_NONE: the end. Of `loop` alone,
// where it is one: the ways through a turn, which ends at edges to the header and out of the loop. NULL where some way never
// ends.
uint32_t *cfg_postdominators(struct arena *, const struct cfg *, uint32_t loop);
// [value id] position of the basic block that defines a value; 0 for the function's parameters.
uint32_t *cfg_definitions(struct arena *, const struct cfg *, const struct ir_function *);

// The basic blocks of a loop, those of inner loops too, in reverse postorder.
struct cfg_body {
  uint32_t n;
  uint32_t *at;  // positions
};
struct cfg_body *cfg_bodies(struct arena *, const struct cfg *);  // [loop]

// Strongly connected components of a graph with nodes 0..n-1: successors of v are to[first[v]..first[v +
// 1]). Component numbers are in reverse topological order: every edge that leaves a component leads to a
// smaller number.
struct components {
  uint32_t n;
  uint32_t *of;  // [node]
  bool *cyclic;  // [component] it has an edge inside
};
struct components *components_find(struct arena *, uint32_t n, const uint32_t *first, const uint32_t *to);
// The nodes by rising component number: those that a node leads to come first, but for cycles.
uint32_t *components_order(struct arena *, const struct components *, uint32_t n);

// Builder of such a graph: edges in any order, then graph_finish.
struct graph {
  uint32_t n_nodes, n_edges, capacity;
  uint32_t *edge_from, *edge_to;
  uint32_t *first, *to;  // after graph_finish
};
struct graph *graph_new(struct arena *, uint32_t n_nodes);
void graph_add(struct arena *, struct graph *, uint32_t from, uint32_t to);
void graph_finish(struct arena *, struct graph *);

// Components of the call graph: functions that call each other, directly or not, share one.
struct components *call_components(struct arena *, const struct ir_module *);
// Whether a call from `caller` to `callee` stays in one recursion.
static inline bool call_is_recursive(const struct components *calls, uint32_t caller, uint32_t callee) {
  return calls->of[caller] == calls->of[callee];
}

#endif

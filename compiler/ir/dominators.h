// Dominators of a graph with one entry.
#ifndef NN_COMPILER_IR_DOMINATORS_H
#define NN_COMPILER_IR_DOMINATORS_H

#include <stdbool.h>
#include <stdint.h>

struct arena;

// Successors of node v are to[first[v]..first[v + 1]); node 0 is the entry and leads to all others.
// [node] its immediate dominator; the entry's is the entry.
uint32_t *dominators_find(struct arena *, uint32_t n, const uint32_t *first, const uint32_t *to);

// Preorder of the tree, so that questions take constant time. Every node must come after its dominator, as in
// reverse postorder.
struct dominator_tree {
  uint32_t *order;  // [node] preorder number
  uint32_t *below;  // [node] nodes in its subtree, itself included
};
struct dominator_tree dominators_number(struct arena *, uint32_t n, const uint32_t *idom);

static inline bool dominator_tree_holds(const struct dominator_tree *tree, uint32_t a, uint32_t b) {
  return tree->order[b] >= tree->order[a] && tree->order[b] - tree->order[a] < tree->below[a];
}

#endif

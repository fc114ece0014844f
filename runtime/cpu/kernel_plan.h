// What the files of the planner share: kernel_memory.c (what gets memory), kernel_plan.c (steps) and
// kernel_scratch.c (where it lies).
#ifndef NN_RUNTIME_CPU_KERNEL_PLAN_H
#define NN_RUNTIME_CPU_KERNEL_PLAN_H

#include "runtime/kernel/kernel_graph.h"

// Recomputing a virtual node costs more than this many simple operations: better stored once.
#define PLAN_CHEAP 2

// Loops over elements, or numbers of the row, in one window: targets of one reader share them where none of them
// waits for another.
struct reader {
  uint32_t window;
  struct index_groups loops;
  bool scalar;
  uint32_t n_groups, groups_capacity;
  uint32_t *groups;  // steps, ascending
};

// kernel_memory.c. Requires the graph's nodes, outputs, adds and sinks; sets phases, windows and what has memory.
void plan_memory(struct graph *);
// The reader of a target in the node's window, as a position in graph->readers.
uint32_t plan_reader(struct graph *, const struct node *target);
// A packed product: its row operand and how the parameter must lie. false: it is worked row by row.
bool plan_packed_product(const struct node *node, struct node **x, struct node **param,
                         enum kernel_layout *layout);
bool plan_is_packed(const struct node *);
// Computed by a step of its own.
bool plan_is_row_step(const struct node *);
// In memory, be it its own or part of another's.
bool plan_lies_in_memory(const struct node *);
// Element i of the node needs element i of the operand, and nothing else of it.
bool plan_is_aligned(const struct node *, const struct node *operand);

// kernel_scratch.c
struct place plan_buffer(struct graph *, size_t bytes, int64_t extent);
struct place plan_element_buffer(struct graph *, int64_t elements);
// Requires the steps.
void plan_scratch(struct graph *);

#endif

// The CPU's generator of kernels for ragged blocks: loop nests with run-time bounds, one instance after the other. It
// stands beside the planner of static blocks and shares with it the graph (kernel_graph.h), what the arguments hold
// (kernel_emit.h) and the values of operations. Private to it and to kernel_codegen.c.
//
// Every value of the block is one of these:
//   leaf      lies in memory: inputs, lists of rows, saved values, gradients, parameters. Read in place.
//   number    a scalar: in a register while its instance is worked on.
//   stored    computed by a loop nest of its own into scratch memory, an output or a sink, dense and row-major.
//   virtual   computed again wherever it is read: views, and what is element-wise as far as that is cheap or happens
//             once.
//
// Same bits: how a sum is taken depends on the operations alone, not on what is stored, so that it is the same
// in every variant. Sums are chains of STRETCH terms, which are summed in turn.
#ifndef NN_RUNTIME_CPU_RAGGED_H
#define NN_RUNTIME_CPU_RAGGED_H

#include "runtime/cpu/kernel_emit.h"

enum ragged_home { RAGGED_VIRTUAL, RAGGED_LEAF, RAGGED_NUMBER, RAGGED_STORED };

struct ragged_value {  // of a node
  enum ragged_home home;
  bool live;
  bool repeated;  // read several times for one of its elements
  bool dense;     // its elements are wanted one after the other in memory
  uint32_t uses;  // times that code for an element is emitted where it is virtual
  int cost;       // of an element computed from leaves and what is always stored, in simple operations
  int8_t apart
      [IR_MAX_RANK];  // [axis] whether lanes along it would be gathered: number of leaves + 1, 0: not asked yet
  struct place place;  // stored: an output, a sink or scratch memory
  // While an instance is worked on.
  LLVMValueRef base;    // leaf, stored: the first element; a list: the offset of its first row
  LLVMValueRef number;  // a number's value
  LLVMValueRef index;   // of an operation that takes one: int64
};

struct ragged {
  struct emission e;
  struct graph *graph;
  struct ragged_value *values;  // [node id]
  uint32_t n_terms;             // see struct kernel
  struct kernel_scratch_term *terms;
  // While an instance is worked on.
  LLVMValueRef sizes[IR_MAX_RUNTIME + 1];  // [number] int64
  LLVMValueRef mask;                       // of the lanes that count, NULL: all
};

// ragged_plan.c: after graph_build. Sets graph->scratch_bytes.
struct ragged *ragged_plan(struct graph *);
static inline struct ragged_value *ragged_of(const struct ragged *r, const struct node *node) {
  return &r->values[node->id];
}
// What a sum of products multiplies; false where it is none. Then a sum's operand is in operands[0].
bool ragged_factors(const struct node *, struct node *operands[2]);
// Leaves whose elements along an axis do not lie side by side.
unsigned ragged_apart(struct ragged *, const struct node *, int axis);

// ragged_codegen.c: the code; its entry is the function `kernel`.
void ragged_emit(struct ragged *, LLVMModuleRef, const struct cpu_features *);

// ragged_values.c: an element of a node, or `lanes` of them along the axis `lane`, -1: one. What does not depend on
// that axis is given as one.
struct ragged_point {
  LLVMValueRef at[IR_MAX_RANK];
  int lane;
};
LLVMValueRef ragged_element(struct ragged *, const struct node *, const struct ragged_point *);
LLVMValueRef ragged_computed(struct ragged *, const struct node *, const struct ragged_point *);  // not read
LLVMValueRef ragged_size(const struct ragged *, int64_t size);
LLVMValueRef ragged_elements(const struct ragged *, const struct node *);
// The element's number within a dense value, or, from axis `first` on, within a part of it.
LLVMValueRef ragged_position(const struct ragged *, const struct node *, const struct ragged_point *,
                             uint32_t first);
LLVMValueRef ragged_list_row(struct ragged *, LLVMValueRef arena, LLVMValueRef offsets, LLVMValueRef term);
LLVMValueRef ragged_load(struct ragged *, LLVMValueRef address);  // a vector, as masked
void ragged_store(struct ragged *, LLVMValueRef value, LLVMValueRef address);
LLVMValueRef ragged_wide(const struct ragged *, LLVMValueRef value);  // a vector at any rate

// ragged_loops.c: [0, size) in units of one or, with `lanes`, of a vector, `width` of them at a time, then the rest. The
// last vector is masked.
typedef void ragged_block_fn(struct ragged *, void *context, LLVMValueRef first, unsigned width);
void ragged_blocks(struct ragged *, int64_t size, bool lanes, unsigned width, ragged_block_fn *,
                   void *context);
// Every element of a shape: the last axis in lanes.
typedef void ragged_point_fn(struct ragged *, void *context, const struct ragged_point *);
void ragged_each(struct ragged *, const struct node *shape, ragged_point_fn *, void *context);

// ragged_fold.c: a reduction or a product, into its number or what is at its base.
void ragged_fold(struct ragged *, const struct node *);

#endif

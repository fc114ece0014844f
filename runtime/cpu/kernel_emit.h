// LLVM code for a planned kernel. Private to the kernel generator.
//
// The function walks over the rows in tiles. For each tile a packed product is one call; the steps of a
// segment are worked through row by row. Two memos keep a value from being emitted twice: of numbers and
// addresses of the row, valid in the whole body of the row loop, and of vectors, valid in one chunk of a loop
// over elements.
#ifndef NN_RUNTIME_CPU_KERNEL_EMIT_H
#define NN_RUNTIME_CPU_KERNEL_EMIT_H

#include "runtime/cpu/codegen.h"
#include "runtime/kernel/kernel_graph.h"

struct known_base {  // address of a row's first element
  struct place place;
  LLVMValueRef address;
};

struct known_vector {
  const struct node *node;
  int64_t shift;
  LLVMValueRef value;
};

struct emission {
  struct codegen cg;
  struct graph *graph;
  // Pointers from kernel_args, loaded at the entry.
  LLVMValueRef values, gradients, scratch, examples, ordinals, key;
  LLVMValueRef *rows, *indices, *numbers, *params, *outputs, *output_gradients, *sinks;
  // Rows.
  LLVMValueRef tile, tile_rows;  // first row of the tile, number of rows
  LLVMValueRef row, local;       // current row in the batch and in the tile
  uint32_t step;                 // being emitted
  LLVMValueRef *scalars;         // [node] memo of the row
  uint32_t n_bases, bases_capacity;
  struct known_base *bases;  // memo of the row
  bool in_chunk;
  // Elements: lanes [0, valid) of a chunk that begins at `index`.
  LLVMValueRef index;
  int64_t known_index;  // -1: not known while compiling
  unsigned valid;
  int64_t region_begin, region_end;
  uint32_t n_vectors, vectors_capacity;
  struct known_vector *vectors;  // memo of the chunk
};

// kernel_emit_values.c: numbers, addresses and vectors.
void emit_begin_row(struct emission *, LLVMValueRef row, LLVMValueRef local);
LLVMValueRef emit_base(struct emission *, struct place);
// Address of element `element` (int64) of a place of the row.
LLVMValueRef emit_address(struct emission *, struct place, LLVMValueRef element);
LLVMValueRef emit_index(struct emission *, struct node_index, int64_t limit);  // int64, within [0, limit)
LLVMValueRef emit_scalar(struct emission *, struct node *);
// Emits what the row's memo must hold before a loop over elements may evaluate the node.
void emit_prepare(struct emission *, struct node *);
LLVMValueRef emit_vector(struct emission *, struct node *, int64_t shift);
// As emit_scalar and emit_vector, but computes the node even when it has a place.
LLVMValueRef emit_computed_scalar(struct emission *, struct node *);
LLVMValueRef emit_computed_vector(struct emission *, struct node *, int64_t shift);
// Loads and stores the chunk of a place.
LLVMValueRef emit_load_chunk(struct emission *, struct place, int64_t shift);
void emit_store_chunk(struct emission *, struct place, LLVMValueRef value, bool may_fill_padding);

// A loop over elements [0, n) in chunks, split where the expressions of `nodes` change their form (parts of a
// concatenation, ends of a padding). `body` finds the chunk in the emission and updates the carried values.
typedef void emit_body_fn(struct emission *, void *context, LLVMValueRef *carried);
void emit_elements(struct emission *, int64_t n, uint32_t n_nodes, struct node *const *nodes,
                   unsigned n_carried, LLVMValueRef *carried, emit_body_fn *body, void *context);

// kernel_emit_steps.c: one step, for the current row; products for the tile.
void emit_row_step(struct emission *, const struct step *);
void emit_product(struct emission *, const struct step *);

// kernel_emit.c: the whole function, named `kernel`.
void emit_kernel(struct graph *, LLVMModuleRef, const struct cpu_features *);

#endif

// LLVM code for a planned kernel. Private to the kernel generator.
//
// The function `kernel` walks over the rows in tiles. For each tile a packed product is one call; the steps of a
// segment are worked through row by row. Where a segment has several windows, each is a function of its own that
// does one row, and where there are many segments and products, runs of them are functions that do one tile.
//
// Memos keep a value from being emitted twice: of what kernel_args holds, valid in a function; of numbers and
// addresses of the row, valid in the body of a loop over rows; of vectors, valid in one chunk of a loop over
// elements.
#ifndef NN_RUNTIME_CPU_KERNEL_EMIT_H
#define NN_RUNTIME_CPU_KERNEL_EMIT_H

#include "runtime/cpu/codegen.h"
#include "runtime/kernel/kernel_graph.h"

struct known {
  LLVMValueRef value;
  uint32_t round;  // in which it is valid
};

struct known_base {  // address of a row's first element
  struct place place;
  LLVMValueRef address;
};

struct known_vector {
  const struct node *node;
  struct index_map map;
  LLVMValueRef value;
};

// Part of the loops over elements: of each group, [begin, end).
struct emit_box {
  int64_t begin[IR_MAX_RANK], end[IR_MAX_RANK];
};

// Where loops over elements have been looked at for cuts.
struct known_cuts {
  const struct node *node;
  struct index_map map;
  struct emit_box box;
};

// The space of an expression and the loops over it; targets of one loop have spaces of their own.
struct emit_frame {
  struct index_shape space;
  struct index_groups groups;
};

// Arrays of pointers that kernel_args holds.
enum emit_array {
  EMIT_ROWS,
  EMIT_INDICES,
  EMIT_NUMBERS,
  EMIT_PARAMS,
  EMIT_OUTPUTS,
  EMIT_OUTPUT_GRADIENTS,
  EMIT_SINKS,
  EMIT_TERMS,  // and what else ragged blocks have
  EMIT_SIZES,
  EMIT_OUTPUT_ROWS,
  EMIT_GRADIENT_ROWS,
  EMIT_N_ARRAYS,
};

struct emission {
  struct codegen cg;
  struct graph *graph;
  // The function being filled.
  uint32_t n_functions;         // so far; the round of what it loads
  LLVMValueRef args, scratch;   // its parameters
  LLVMBasicBlockRef arguments;  // its block of loads from args, still open
  LLVMBasicBlockRef body, done;
  struct known values, gradients, examples, ordinals, key;
  struct known arrays[EMIT_N_ARRAYS], *elements[EMIT_N_ARRAYS];
  // Rows.
  LLVMValueRef tile, tile_rows;  // first row of the tile, number of rows
  LLVMValueRef row, local;       // current row in the batch and in the tile
  uint32_t row_round;            // of the memos of the row
  uint32_t step;                 // being emitted
  struct known *scalars;         // [node] memo of the row
  uint32_t *prepared;            // [node] step that has done so + 1
  uint32_t n_bases, bases_capacity;
  struct known_base *bases;  // memo of the row
  struct hash_index base_index;
  bool in_chunk;
  // Elements: lanes [0, valid) of a chunk that begins at `index` of the group `inner`.
  struct emit_frame frame;       // of what is being evaluated
  LLVMValueRef at[IR_MAX_RANK];  // [group] where the loops are; of `inner`, `index`
  struct emit_box box;           // within which no expression changes its form
  uint32_t inner;
  LLVMValueRef index;
  int64_t known_index;  // -1: not known while compiling
  unsigned valid;
  uint32_t n_vectors, vectors_capacity;
  struct known_vector *vectors;  // memo of the chunk
  struct hash_index vector_index;
  uint32_t n_cuts_known, cuts_capacity;
  struct known_cuts *cuts_known;  // memo of the loop
  struct hash_index cuts_index;
};

// kernel_values.c: an element-wise operation on numbers or vectors; b NULL with one operand.
LLVMValueRef emit_value(const struct codegen *, int op, LLVMValueRef a, LLVMValueRef b);

// kernel_emit_args.c: functions, and what kernel_args holds.
// A new function with parameters (args, a, b, scratch); the builder stands in its body.
LLVMValueRef emit_function_begin(struct emission *, const char *name, bool internal);
void emit_function_end(struct emission *);
LLVMValueRef emit_values_base(struct emission *);
LLVMValueRef emit_gradients_base(struct emission *);
LLVMValueRef emit_array_element(struct emission *, enum emit_array, uint32_t i);
LLVMValueRef emit_examples(struct emission *);
LLVMValueRef emit_ordinals(struct emission *);
LLVMValueRef emit_key(struct emission *);  // of random draws

// kernel_emit_values.c: numbers, addresses and vectors.
void emit_begin_row(struct emission *, LLVMValueRef row, LLVMValueRef local);
LLVMValueRef emit_base(struct emission *, struct place);
// Address of element `element` (int64) of a place of the row.
LLVMValueRef emit_address(struct emission *, struct place, LLVMValueRef element);
LLVMValueRef emit_index(struct emission *, struct node_index, int64_t limit);  // int64, within [0, limit)
LLVMValueRef emit_index_below(struct emission *, struct node_index, LLVMValueRef limit);
LLVMValueRef emit_host_number(struct emission *, const struct node *);
// Elements of a dropout, whose draws are `words`.
LLVMValueRef emit_dropout(struct emission *, const struct node *, LLVMValueRef a, LLVMValueRef words);
LLVMValueRef emit_scalar(struct emission *, struct node *);
// The node is in memory already while the current step is worked: it is read. Otherwise it is computed.
bool emit_is_read(const struct emission *, const struct node *);
// Emits what the row's memo must hold before a loop over elements may evaluate the node.
void emit_prepare(struct emission *, struct node *);
// The elements of a node that the chunk needs; `map`: from the frame's space to them.
LLVMValueRef emit_vector(struct emission *, struct node *, const struct index_map *map);
// Loads and stores the chunk of a value that lies at a place.
LLVMValueRef emit_load_chunk(struct emission *, struct place, const struct index_map *map,
                             const struct index_shape *value);
void emit_store_chunk(struct emission *, struct place, const struct index_map *map,
                      const struct index_shape *place_shape, LLVMValueRef value, bool may_fill_padding);
// Address of the element at the point where the loops are, but for the group `inner`.
LLVMValueRef emit_point(struct emission *, struct place, const struct index_map *map,
                        const struct index_shape *value);

// kernel_emit_loops.c: loops over elements, split where expressions change their form (parts of a concatenation, ends
// of a padding).
struct emit_cuts {
  uint32_t n[IR_MAX_RANK];
  int64_t *at[IR_MAX_RANK];  // [group] ascending, from 0 to its size
};
void emit_find_cuts(struct emission *, uint32_t n, struct node *const *nodes, const struct emit_frame *frames,
                    struct emit_cuts *);
// `body` evaluates at the point or the chunk that it finds in the emission, and updates the carried values.
typedef void emit_body_fn(struct emission *, void *context, LLVMValueRef *carried);
// The loop over one group, in chunks or one by one.
enum emit_stride { EMIT_CHUNKS, EMIT_SINGLY };
void emit_loop(struct emission *, const struct emit_cuts *, uint32_t group, enum emit_stride,
               unsigned n_carried, LLVMValueRef *carried, emit_body_fn *body, void *context);
// The loops over the groups of a list, one by one but for the last.
void emit_loops(struct emission *, const struct emit_cuts *, uint32_t n_groups, const uint32_t *groups,
                enum emit_stride last, emit_body_fn *body, void *context);

// kernel_emit_draws.c: what a node draws, `groups` groups of DRAWS_GROUP elements, at `to`.
void emit_draw_groups(struct emission *, const struct node *draws, LLVMValueRef groups, LLVMValueRef to);

// kernel_emit_steps.c: one step, for the current row; products for the tile.
void emit_row_step(struct emission *, const struct step *);
void emit_product(struct emission *, const struct step *);

// kernel_emit.c: the whole code; its entry is the function `kernel`.
struct emission emission_new(struct graph *);
void emit_kernel(struct graph *, LLVMModuleRef, const struct cpu_features *);

#endif

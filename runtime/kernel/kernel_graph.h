// The kernel generator's own view of a block: a graph of nodes with known sizes, and the plan of how to
// compute them. Private to kernel_graph.c and the kernel generator of a device.
//
// Four steps lead from a block to code, each linear in the graph:
//   kernel_graph.c   rewrites the block's operations as nodes. Equal nodes are one; composite operations
//                    (softmax, nll, mean, ...) become the primitive ones that they consist of.
//   kernel_memory.c  decides which nodes get memory. All others are virtual: they are computed in registers
//                    where a step needs them. Element-wise operations, views (slices, broadcasts, transposes),
//                    concatenations and paddings are virtual unless that would repeat much work.
//   kernel_plan.c    decides in which steps what has memory is computed; kernel_scratch.c where it lies.
//   kernel_emit*.c   turn the steps into LLVM code.
// Of a block with run-time sizes the first step alone is taken; see cpu/ragged.h.
#ifndef NN_RUNTIME_KERNEL_KERNEL_GRAPH_H
#define NN_RUNTIME_KERNEL_KERNEL_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/base/arena.h"
#include "compiler/base/hash_index.h"
#include "runtime/kernel/index_map.h"
#include "runtime/kernel/kernel.h"

// Besides the operations of ops.def. The composite ones and sinks do not occur as nodes; nor do stop_gradient and
// those that are views.
enum node_kind {
  NODE_INPUT = IR_N_OPS,  // tensor input `index`
  NODE_SAVED,             // saved value `index` of the forward block
  NODE_GRADIENT,          // gradient of result `index`
  NODE_HOST,         // host number as a scalar: float input `index`, or index input `index` when `integer`
  NODE_DRAWS,        // random words of dropout site `index`, one per element
  NODE_NORMAL,       // standard normal numbers of site `index`
  NODE_UNIFORM,      // numbers between 0 and 1 of site `index`
  NODE_FINITE,       // the scalar operand, or 0 when it is infinite
  NODE_SUM_BUT_ONE,  // sum of the elements, less 1; those below 1 keep their digits beside one that is 1
  NODE_COUNT,        // a number: `number` times the run-time sizes numbered map.begin[0..map.rank)
  // The operand from element `at` of `axis` on: of its shape, but only what still lies in the operand may be read. Views
  // of it are what lookups and windows give.
  NODE_SHIFTED,
  NODE_VIEW,  // each element is one of the operand's: `map`. slice, transpose, broadcast
};

// Parts of a concatenation.
#define GRAPH_MAX_PARTS 32

// A host integer: an index or int input of the block, or a constant.
struct node_index {
  int32_t input;  // position among the block's index and int parameters; -1: `constant`
  int64_t constant;
};

enum place_kind {
  PLACE_NONE,
  PLACE_INPUT,  // row of tensor input `index`
  PLACE_SAVED,
  PLACE_GRADIENT,
  PLACE_OUTPUT,
  PLACE_SINK,            // row of buffer `index` among the kernel's arguments
  PLACE_PARAM,           // use `index` of a parameter, natural layout
  PLACE_BUFFER,          // graph.buffers[index] in the scratch memory
  PLACE_INPUT_GRADIENT,  // gradient row of tensor input `index`
};

// Where a node's elements lie: at the start of a row, plus `offset` elements, plus what indices choose.
struct place {
  enum place_kind kind;
  uint32_t index;
  int64_t offset;
  int64_t stride;  // elements from one row of the batch to the next, where rows lie together
  int64_t extent;  // elements that may be read from the start of the row on
  // And more: each index counts its own steps.
  uint32_t n_at;
  struct place_index {
    struct node_index at;
    int64_t limit;   // what it is below
    int64_t stride;  // elements from one to the next
  } at[IR_MAX_RANK];
};

struct node {
  int op;       // enum ir_op or enum node_kind
  uint32_t id;  // operands have smaller ones
  uint32_t n_operands;
  struct node **operands;
  uint32_t rank;
  int64_t size[IR_MAX_RANK];  // ragged blocks: below 0, a run-time size by its number
  int64_t n;                  // elements; ragged blocks: product of the sizes that are known
  // attributes
  struct index_map map;  // VIEW, PAD: of the operand
  uint32_t
      axis;  // CONCAT, SHIFTED, PUT; reductions to a shape of less rank: the operand's axis that they go over
  double number;   // CONSTANT: value. DROPOUT: probability
  uint32_t index;  // INPUT, ...: number. PARAM: in the module. What is drawn: site
  int32_t member;  // PARAM: block parameter that chooses the member of a family, -1: none
  bool integer;    // HOST
  bool list;       // INPUT: rows of a list, stacked
  bool transpose_a, transpose_b;
  struct node_index at;  // SHIFTED, PICK, PUT, ONEHOT
  int64_t length;        // SHIFTED, PUT: elements from there on
  int64_t *part_begin;   // CONCAT: [operand] where it begins along the axis
  uint32_t use[3];       // PARAM: [layout] use of it + 1, 0: none yet
  uint32_t sink;         // its sink buffer + 1, 0: none
  // plan: memory
  bool live;        // something wanted depends on it
  bool memory;      // has a place of its own, filled by a step
  uint32_t phase;   // number of packed products that come before it; of a virtual node: before its first use
  uint32_t window;  // that holds its code, see struct window
  uint32_t weight;  // of its code, in instructions
  uint32_t cuts;    // places where a loop over a virtual node's elements changes its form
  uint8_t mergeable;  // its axes that are one for whoever reads it, see index_map.h
  int cost;           // of computing an element, or a number, of a virtual node anew
  struct {
    uint32_t reader;       // see kernel_memory.c, 0: none yet
    struct index_map map;  // from the reader's elements
    uint32_t n_users;
    bool several;   // other readers, or other maps
    bool crooked;   // a reader of another shape, or another element of it
    bool repeated;  // several elements of a reader need the same one
  } access;
  // plan: steps
  struct place place;
  uint32_t step;      // that computes it, when `memory`
  uint32_t ready;     // first step that may read any of its elements
  uint32_t joinable;  // first step whose loop may read element i while it computes element i
  uint32_t claimed;   // group that computes it as a virtual node + 1, 0: none yet
  uint32_t visited;   // mark of walks
};

// Scratch memory: a row for each row of the tile or, when it is only used while one row is worked on, a
// single one.
struct buffer {
  size_t row_bytes;      // a multiple of 64
  uint32_t first, last;  // steps that use it
  uint32_t segment;      // that uses it, 0: none yet
  bool per_row;
  size_t offset;  // in the scratch memory
};

enum target_kind { TARGET_STORE, TARGET_ADD };
struct target {  // what a group computes and where that goes
  enum target_kind kind;
  struct node *node;
  struct place place;
};

enum step_kind {
  STEP_PRODUCT,  // rows of the tile times packed weights
  STEP_GROUP,    // element-wise, several targets of equal size in one loop
  STEP_REDUCE,
  STEP_DRAWS,
  STEP_OUTER,
  STEP_PUT,
  STEP_MATMUL,  // product with no packed parameter, row by row
  STEP_UNPAD,   // result of a packed product of matrices, from padded to dense rows
};
struct step {
  enum step_kind kind;
  uint32_t window;             // all but products
  struct node *node;           // all but groups
  bool scalar;                 // group: of scalars
  struct index_groups groups;  // group: the loops over each target's elements
  uint32_t n_targets, targets_capacity;
  struct target *targets;
  uint32_t cuts;  // group: of its targets
  // packed products
  struct node *x;                // its rows
  uint32_t weights;              // use of the parameter
  int64_t rows, inner, columns;  // per instance; length of the sums; columns of the result
  struct place result;           // padded rows
  uint32_t segment;              // steps of one segment are worked through row by row
};

// Nodes in the order in which they are computed are cut into windows of limited weight, each in one phase. A
// window's code stands in a function of its own when there are several, because the time that LLVM takes grows
// faster than a function.
struct window {
  uint32_t phase;
  uint32_t begin, end;  // into graph.order
  uint32_t weight;
};

struct graph {
  struct arena *arena;
  const struct ir_module *module;
  const struct ir_block *block, *forward;  // block is `forward` or its adjoint
  enum kernel_variant variant;
  enum nn_element element;
  const int64_t *dims;
  jmp_buf *on_error;
  const char *error;

  uint32_t n_nodes, nodes_capacity;
  struct node **nodes;
  struct hash_index index;                                        // of the nodes, by what they compute
  struct node **values;                                           // [value id of the block]
  int32_t *param_numbers;                                         // [value id of the block] parameter, or -1
  uint32_t n_tensors, n_integers, n_numbers, n_saved, n_results;  // of the block's parameters
  uint32_t *positions;                                            // [block parameter] among those of its kind

  // Results wanted: outputs of a forward kernel; sinks of an adjoint.
  uint32_t n_outputs;
  struct node **outputs;
  uint32_t n_adds;
  struct target *adds;  // gradients of inputs
  uint32_t n_sink_buffers, sink_capacity;
  struct node **sink_nodes;  // [buffer]
  uint32_t n_sinks;
  struct kernel_sink *sinks;
  uint32_t n_uses, uses_capacity;
  struct kernel_param *uses;

  // Plan
  struct node **order;  // [n_nodes] by phase, then by id: operands come first
  uint32_t n_windows, windows_capacity;
  struct window *windows;
  uint32_t n_readers, readers_capacity;
  struct reader *readers;  // loops that several targets may share
  struct hash_index reader_index;
  uint32_t n_buffers, buffers_capacity;
  struct buffer *buffers;
  uint32_t n_steps, steps_capacity;
  struct step **steps;
  uint32_t n_segments;
  int64_t tile_rows;  // 0: all rows are one tile, there is no packed product
  size_t pointers_offset, scratch_bytes;
  double flops;
};

// Leaves through graph->on_error with a message for the user.
_Noreturn void graph_fail(struct graph *, const char *format, ...) __attribute__((format(printf, 2, 3)));

// kernel_graph.c. The graph's first members, up to on_error, are set by the caller.
void graph_build(struct graph *);
struct node *graph_node(struct graph *, int op, uint32_t n_operands, struct node *const *operands);
static inline bool node_is_scalar(const struct node *node) { return node->rank == 0; }
bool node_is_elementwise(const struct node *);
bool node_is_reduction(const struct node *);
bool node_is_leaf(const struct node *);
// What is drawn, in groups of DRAWS_GROUP elements: whatever holds it has room for whole groups.
bool node_is_draws(const struct node *);
#define DRAWS_GROUP 64
struct index_shape node_shape(const struct node *);
// What the code for a node runs over: its elements; of a reduction, its operand's.
struct index_shape node_space(const struct node *);
// From that space to an operand that is needed by element.
struct index_map node_map(const struct node *, uint32_t operand);
// From that space to the node's own elements.
struct index_map node_result_map(const struct node *);
// A view whose elements lie one after the other in its operand.
bool node_is_run(const struct node *);
// A use of a parameter in that layout; the same use twice is one.
uint32_t graph_use(struct graph *, struct node *param, enum kernel_layout);

// kernel_plan.c
void graph_plan(struct graph *);
// The place of a node that is in memory, be it its own or part of another's. PLACE_NONE: virtual.
struct place graph_place(struct graph *, struct node *);

#endif

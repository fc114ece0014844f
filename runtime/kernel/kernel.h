// The contract between the executor (runtime/cpu/execute.c) and the kernel generator
// (runtime/cpu/kernel_codegen.c): what a compiled block is and what it is called with.
//
// Rows. Every tensor value of an example is one row: its elements in row-major order, padded to a multiple of
// NN_LANES elements, so that vector code needs no remainder loop. What lies in the padding is arbitrary:
// whoever reads a row must not let it matter. A row's place is a 32-bit offset in units of NN_LANES elements
// from the base of the values arena; the gradient of a row lies at the same offset from the base of the
// gradients arena. A batch of n instances has the rows of output o contiguous, row r at outputs[o] + r *
// stride(o).
//
// Ragged blocks (ir_block_is_ragged) have values whose sizes are known for each instance only, `?1`, `?2`, ... in the
// block. An input may be a list of rows, which the block stacks; the rows lie wherever they were computed. A tensor with
// a run-time size is one row too, dense, as long as its instance makes it; it has at most one such size where it goes
// in or out of a block. Lengths are data: they compile nothing, and instances of any lengths share a batch.
//
// Same bits: the result of a row depends on nothing but the row's inputs: not on n, on the row's position, on
// the range a call was given or on the variant. Every output element of a product is a chain of fused
// multiply-adds in ascending k, or the sum of such chains for fixed stretches of k, however many rows are computed
// together.
#ifndef NN_RUNTIME_KERNEL_KERNEL_H
#define NN_RUNTIME_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/batch/row.h"

enum kernel_variant {
  KERNEL_INFER,     // results only; dropout is the identity
  KERNEL_TRAIN,     // results and saved values; dropout active
  KERNEL_GRADIENT,  // as KERNEL_TRAIN but dropout is the identity: for `grad` and gradient checks
  KERNEL_ADJOINT,   // the adjoint block of KERNEL_TRAIN
  KERNEL_ADJOINT_GRADIENT,
};

// How a kernel wants a parameter laid out. The parameter itself is row-major without padding between rows
// ("natural", followed by at least NN_LANES readable elements). Packed copies are made and cached by params.c
// through kernel_pack, and renewed after an update.
enum kernel_layout {
  KERNEL_NATURAL,
  KERNEL_PACKED,             // of W [n, k] for W @ x: panels over n
  KERNEL_PACKED_TRANSPOSED,  // of W [n, k] for x @ W (and so for the adjoint of W @ x): panels over k
};

struct kernel_param {  // one use of a parameter
  uint32_t param;      // into ir_module.params
  int32_t member;      // block parameter that holds the family member, -1: member 0
  enum kernel_layout layout;
};

// Where a row operand of a weight gradient lies.
enum kernel_place {
  KERNEL_PLACE_SINK,      // a sink buffer of this kernel
  KERNEL_PLACE_INPUT,     // tensor input `index` of the forward block: by row offsets
  KERNEL_PLACE_SAVED,     // saved value `index`: contiguous
  KERNEL_PLACE_GRADIENT,  // gradient of result `index`: contiguous
};
struct kernel_row {
  enum kernel_place place;
  uint32_t index;
  uint32_t elements;
};

enum kernel_sink_kind {
  KERNEL_SINK_OUTER,  // d param += sum over rows of outer(a, b): one product per minibatch
  KERNEL_SINK_PARAM,  // d param += sum over rows of a
  KERNEL_SINK_ROW,    // d param[index[r]] += a
};
struct kernel_sink {
  enum kernel_sink_kind kind;
  uint32_t param;
  int32_t member;  // as in kernel_param
  int32_t index;   // SINK_ROW: block parameter that holds the row number
  struct kernel_row a, b;
};

// What a kernel is called with. Arrays are indexed by the position among the block's parameters of that kind,
// in order: tensors, indices and ints (including family members), floats. Rows [begin, end) of a batch may be
// computed by different threads at once, each with its own scratch; an adjoint adds to gradient rows of its
// inputs, so the executor splits it only when no two rows of the batch have an input in common.
struct kernel_args {
  const char *values;            // base of the values arena
  char *gradients;               // base of the gradients arena; adjoints only
  const uint32_t *const *rows;   // [tensor input][row] offsets; of a list: [term]
  const uint32_t *const *terms;  // [tensor input][row] first term of a list, in `rows`; NULL: no list
  const int32_t *const *sizes;   // [number - 1][row] run-time sizes; ragged blocks
  // [index or int input][row]; beyond what it chooses from: the last of that
  const int32_t *const *indices;
  const double *const *numbers;         // [float input][row]
  const void *const *params;            // [use], as kernel.params asks for
  void *const *outputs;                 // forward: [output] first row. adjoint: [saved] first row (read only)
  const void *const *output_gradients;  // adjoint: [result] first row of its gradient
  void *const *sinks;                   // adjoint: [sink buffer] first row
  // Where the rows of a ragged output (adjoint: saved value), or the gradients of a ragged result, begin, in units of
  // NN_LANES elements behind outputs[o] and output_gradients[o]; NULL where all rows are equally long.
  const uint32_t *const *output_rows, *const *gradient_rows;
  const uint32_t *examples, *ordinals;  // random blocks: [row] the draw's key, beside seed, epoch and site
  uint64_t seed, epoch;
  const struct kernel *kernel;  // the one whose run is called
};
typedef void kernel_fn(const struct kernel_args *args, int64_t begin, int64_t end, void *scratch);

struct kernel {
  kernel_fn *run;
  size_t scratch_bytes;       // per thread, 64-byte aligned
  uint32_t n_outputs;         // written by this variant
  uint32_t *output_elements;  // [output] without padding; of a ragged one per unit of its run-time size
  uint32_t n_params;
  struct kernel_param *params;
  uint32_t n_sink_buffers;
  uint32_t *sink_elements;  // [buffer]; row stride nn_row_elements of it
  uint32_t n_sinks;
  struct kernel_sink *sinks;
  double flops_per_row;  // of matrix products, 2 per multiply-add; for reports
  // Ragged blocks: scratch besides scratch_bytes.
  uint32_t n_scratch_terms;
  struct kernel_scratch_term *scratch_terms;
};

// `bytes` for each combination of two run-time sizes; number 0 stands for a size of 1.
struct kernel_scratch_term {
  size_t bytes;
  uint32_t sizes[2];
};

// Scratch that a call needs whose rows have at most these run-time sizes: [number - 1]. SIZE_MAX: beyond any memory.
size_t kernel_scratch(const struct kernel *, const int32_t *largest);

// Values of the sizes a kernel is specialised on: [ir_module.dims index].
struct kernel_sizes {
  const int64_t *dims;
};

// The run-time size of a tensor that goes in or out of a block, a list's of what it is stacked to: its number, 0 where
// there is none; *elements, where it is wanted: the product of the other sizes.
uint32_t kernel_runtime_size(const struct ir_block *, const struct ir_value *, const int64_t *dims,
                             int64_t *elements);

struct jit;  // runtime/jit/jit.h

// Compiles a block (or loads it from the disk cache). `block` is a forward block; adjoint variants compile
// block->adjoint. NULL with *error (malloc'd) when sizes are too large or code generation fails. Safe to call
// from several threads at once. The kernel and its code live until jit_free.
struct kernel *kernel_compile(struct jit *, const struct ir_module *, const struct ir_block *block,
                              enum kernel_variant, enum nn_element, const struct kernel_sizes *,
                              char **error);
void kernel_free(struct kernel *);

// Bytes of a packed copy of a [rows, columns] matrix, and the packing itself.
size_t kernel_packed_bytes(enum kernel_layout, enum nn_element, int64_t rows, int64_t columns);
void kernel_pack(enum kernel_layout, enum nn_element, int64_t rows, int64_t columns, const void *natural,
                 void *packed);

// LLVM IR or assembly of a kernel as text (malloc'd), for nnc --emit=llvm|asm.
char *kernel_text(const struct ir_module *, const struct ir_block *, enum kernel_variant, enum nn_element,
                  const struct kernel_sizes *, bool assembly, char **error);

#endif

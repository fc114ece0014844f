// Where the rows of batches lie, and the operands of every batch in the form that kernels read.
//
// The results of a batch are contiguous rows of the values arena, and the gradients of these rows lie at the
// same offsets of the gradients arena. What a batch saves for its adjoint lies apart, in the saved arena, so
// that the gradients arena has no holes. Operands are transposed from the trace: an array per operand with an
// entry for each row of the batch.
#ifndef NN_RUNTIME_BATCH_PLAN_H
#define NN_RUNTIME_BATCH_PLAN_H

#include "runtime/batch/row.h"
#include "runtime/batch/schedule.h"
#include "runtime/batch/trace.h"
#include "runtime/nn.h"

// What plan and executor must know of a block, evaluated for the bound sizes.
struct plan_block {
  uint32_t n_params;
  uint16_t *slots;  // [param] position among the parameters of its kind (tensors; indices and ints; floats)
  uint32_t n_results;  // outputs that are results; the rest is saved for the adjoint
  uint32_t n_outputs;
  uint32_t *elements;  // [output]; per unit of its run-time size where it has one
  uint32_t *units;     // [output] of a row, in NN_LANES elements; no run-time size
  uint32_t *sizes;     // [output] number of its run-time size, 0: none
  uint32_t n_sizes;    // of the block
};

struct plan_batch {
  uint32_t *outputs;      // [output] offset of the first row: results in the values arena, then saved values
  const uint32_t **rows;  // [tensor operand][row] offsets in the values arena
  const int32_t **indices;              // [index or int operand][row]
  const double **numbers;               // [float operand][row]
  const uint32_t *examples, *ordinals;  // [row], random blocks only
  // Ragged blocks: as in struct kernel_args. NULL elsewhere.
  const uint32_t **operand_terms;  // [tensor operand]
  const int32_t **sizes;           // [number - 1][row]
  const uint32_t **output_rows;    // [output]
  // Lists: the terms of row r are terms[first_term[r], first_term[r + 1]). Vectors: the elements of row r begin at
  // trace.data[terms[r]].
  const uint32_t *first_term, *terms;
};

// Entries of rows[tensor] of a batch of `count` rows.
static inline uint32_t plan_operand_rows(const struct plan_batch *batch, uint32_t tensor, uint32_t count) {
  const uint32_t *terms = batch->operand_terms ? batch->operand_terms[tensor] : NULL;
  return terms ? terms[count] : count;
}

struct plan {
  struct value_arena *memory;  // of the arrays above
  struct plan_batch *batches;  // [schedule batch]
  uint32_t n_batches, capacity;
  // Of each arena, in NN_LANES elements: what the rows placed so far take.
  uint32_t values_units, saved_units;
};

nn_status *plan_init(struct plan *);
void plan_free(struct plan *);
void plan_reset(struct plan *);

// Plans the batches of the schedule that have no plan yet: all values that they read, save each other's, have
// rows. Gives every result its row (trace.value_row). With `saving`, rows for saved values too. `blocks`:
// [block of the module].
nn_status *plan_extend(struct plan *, const struct plan_block *blocks, struct trace *,
                       const struct schedule *, bool saving);

#endif

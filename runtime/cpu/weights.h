// Gradients of parameters from what the adjoint kernels of a whole minibatch left in their sinks.
//
// All rows that a *group* of batches (equal block, equal family members) left behind are taken together: one
// matrix product for each weight, one sum of rows for each bias. Row operands that do not lie together
// already are copied together first. Additions to one parameter happen in a fixed order, and a product is cut
// into panels at fixed places, so that the number of threads changes no bit.
#ifndef NN_RUNTIME_CPU_WEIGHTS_H
#define NN_RUNTIME_CPU_WEIGHTS_H

#include "runtime/cpu/execute.h"
#include "runtime/cpu/flow.h"

struct sink_group {
  const struct kernel *kernel;  // of the adjoint
  uint32_t block;
  const struct flow *flow;
  uint32_t n_rows;  // of all its batches
  uint32_t n_batches;
  uint32_t *batches;  // in the order of the schedule
  uint32_t *buffers;  // [sink buffer] offset of its first row in executor.sinks
};

// `results`: [row] which of a row's results have a gradient, as flow.h has it. Rows of a table are touched by rows with
// such results alone.
nn_status *weights_accumulate(struct executor *, const struct sink_group *groups, uint32_t n_groups,
                              const uint64_t *results);

#endif

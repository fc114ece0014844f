// Which gradients of a block's results reach which of its operands: what an example's own dataflow touches, read
// off the adjoint block.
#ifndef NN_RUNTIME_CPU_FLOW_H
#define NN_RUNTIME_CPU_FLOW_H

#include "runtime/kernel/kernel.h"

// Sets of results are words; results beyond the 63rd share a bit.
static inline uint64_t flow_result(uint32_t result) { return (uint64_t)1 << (result < 63 ? result : 63); }

struct flow {
  uint64_t *inputs;  // [tensor operand] results from which a gradient reaches it
  uint64_t *sinks;   // [kernel sink] results that it comes from; of rows, others are all of them
};

// Of a block's adjoint and its kernel. NULL without memory; one piece, to be released with free.
struct flow *flow_new(const struct ir_block *block, const struct kernel *adjoint);

#endif

// A block's adjoint against central finite differences of its forward, both by the slow reference in double
// precision.
#ifndef NN_TESTS_PASSES_BLOCK_CHECK_H
#define NN_TESTS_PASSES_BLOCK_CHECK_H

#include <stdbool.h>

#include "compiler/ir/ir.h"

struct block_check {
  const int64_t *dims;  // [ir_module.dims]
  double low, high;     // values of inputs and parameters are drawn from here
  uint64_t seed;
  bool dropout;
};

enum block_verdict {
  BLOCK_GOOD,
  BLOCK_OUT_OF_DOMAIN,  // the forward is not finite for such values: nothing to compare
  BLOCK_WRONG,          // *message says where; the caller frees it
};

// `block` is a forward block of the module after the pass `adjoint`. A random weighting of the results is
// differentiated by every element of every tensor input and parameter. Without an adjoint all differences
// must be zero.
enum block_verdict block_check(const struct ir_module *, const struct ir_block *block,
                               const struct block_check *, char **message);

#endif

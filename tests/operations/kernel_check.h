// Compiled kernels of a block against the slow reference, row by row.
#ifndef NN_TESTS_OPERATIONS_KERNEL_CHECK_H
#define NN_TESTS_OPERATIONS_KERNEL_CHECK_H

#include "compiler/ir/ir.h"
#include "runtime/jit/jit.h"
#include "runtime/kernel/kernel.h"

struct kernel_check {
  struct jit *jit;
  const struct ir_module *module;
  const struct ir_block *block;  // forward; with its adjoint, that is checked too
  const int64_t *dims;
  double low, high;  // range of the random inputs and parameters
  int64_t rows;
  bool only_bits;  // leave out the comparison with the reference
};

// Runs all variants in both precisions. The memory that kernels get is filled with NaN wherever they must not
// depend on it and ends at an unmapped page. Fails the running cmocka test where
//   - a result, saved value, gradient or sink differs from the reference,
//   - a row's bits depend on the other rows, on its position, on how the range is split or on the variant.
void kernel_check(const struct kernel_check *);

// A JIT without a cache on disk, and a file's module with its adjoints, verified. Fail the running test when anything goes
// wrong.
struct jit *kernel_check_jit(enum cpu_simd);
struct ir_module *kernel_check_module(const char *path);

#endif

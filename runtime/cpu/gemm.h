// Matrix products with packed weights: C[m, n] = X[m, k] W, for the few rows that a batch has.
//
// The work is done by micro-kernels that gemm_codegen.c emits for this processor: a block of a few rows times
// a few vectors of columns, kept in registers over GEMM_STRETCH steps of k. Each element of C is one chain of fused
// multiply-adds in ascending k that starts at zero for each stretch. GEMM_PART steps are one part, its stretches added up
// in their order, and parts are added up so that nothing is lost, whatever block an element falls into: so a row's bits
// depend on that row alone, and an element is off by at most GEMM_STRETCH + GEMM_PART / GEMM_STRETCH units in the last
// place of the sum of its terms' magnitudes, however long rows are.
//
// Packed layout: columns in panels of GEMM_PANEL_BYTES, [panel][k][column within the panel], the last panel
// filled up with zeros. It is the same on all processors.
#ifndef NN_RUNTIME_CPU_GEMM_H
#define NN_RUNTIME_CPU_GEMM_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/cpu/loops.h"
#include "runtime/kernel/kernel.h"

#define GEMM_PANEL_BYTES 128
#define GEMM_MAX_ROWS 14  // 28 accumulators, two vectors of weights and a broadcast fill 32 registers
#define GEMM_WIDTHS 4     // vectors of columns: 1, 2, 4, 8
#define GEMM_STRETCH 512
#define GEMM_PART 4096

static inline int64_t gemm_panel_columns(enum nn_element e) {
  return GEMM_PANEL_BYTES / (int64_t)nn_element_bytes(e);
}
static inline int64_t gemm_panels(enum nn_element e, int64_t columns) {
  return (columns + gemm_panel_columns(e) - 1) / gemm_panel_columns(e);
}

// One block: rows x[0..) of k elements, weights from the first panel's first wanted column, the block's
// corner of C, to which the product is written.
typedef void gemm_micro_fn(const void *const *x, const void *weights, void *c, int64_t k, int64_t panel_bytes,
                           int64_t c_row_bytes);

struct gemm_table {
  enum nn_element element;
  const struct loops *loops;
  int64_t vector_bytes;
  int max_rows;                        // of one block
  int width_limit[GEMM_MAX_ROWS + 1];  // [rows] largest width, as an exponent of two
  gemm_micro_fn
      *micro[GEMM_MAX_ROWS + 1][GEMM_WIDTHS];  // [rows][width exponent], NULL where not worth having
};

struct jit;
// The table of this jit, compiled with the first call. NULL with *error when code generation fails.
const struct gemm_table *gemm_table_get(struct jit *, enum nn_element, char **error);

// Called by compiled kernels. `x` are m row pointers; C's rows are c_row_bytes apart and are written in whole
// vectors: up to a multiple of 16 elements.
void gemm_run(const struct gemm_table *, const void *const *x, int64_t m, int64_t k, int64_t columns,
              const void *packed, void *c, int64_t c_row_bytes);

#endif

// Rows: how tensor values lie in memory.
//
// Every tensor value of an example is one row: its elements in row-major order, padded to a multiple of
// NN_LANES elements, so that vector code needs no remainder loop. What lies in the padding is arbitrary:
// whoever reads a row must not let it matter.
#ifndef NN_RUNTIME_BATCH_ROW_H
#define NN_RUNTIME_BATCH_ROW_H

#include <stddef.h>

#define NN_LANES 16

enum nn_element { NN_F32, NN_F64 };
static inline size_t nn_element_bytes(enum nn_element e) { return e == NN_F32 ? 4 : 8; }
static inline size_t nn_row_elements(size_t elements) {
  return (elements + NN_LANES - 1) / NN_LANES * NN_LANES;
}

#endif

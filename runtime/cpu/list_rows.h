// Rows made of lists: sum, mean and largest element of rows, rows one behind the other, numbers; with their adjoints.
// The terms of a row are taken in an order that depends on their number alone (loops.h), so that a row's bits depend
// on nothing else.
#ifndef NN_RUNTIME_CPU_LIST_ROWS_H
#define NN_RUNTIME_CPU_LIST_ROWS_H

#include "runtime/cpu/loops.h"
#include "runtime/cpu/row_arena.h"

struct list_rows {
  uint32_t kind;  // TRACE_LIST_*, TRACE_LIST_STACK, TRACE_LIST_VECTOR
  enum nn_element element;
  const struct loops *loops;
  uint32_t elements;           // of a row, without padding
  uint32_t output;             // offset of the first result row
  const uint32_t *first_term;  // [row + 1] into terms
  const uint32_t *terms;       // offsets; vectors: [row] into data, in elements
  const char *data;            // vectors: trace.data
  const void **pointers;       // sums, forward: room for the terms of the longest row
  const struct row_arena *values;
  const struct row_arena *gradients;  // the adjoint only
};

// Rows [begin, end). Threads may share the rows out.
void list_rows_forward(const struct list_rows *, uint32_t begin, uint32_t end);
// Adds to the gradients of the terms. Terms may be shared between rows: one thread at a time.
void list_rows_backward(const struct list_rows *, uint32_t begin, uint32_t end);

#endif

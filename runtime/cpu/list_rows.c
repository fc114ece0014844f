// Sums, means and maxima over lists of rows, and their adjoints.
#include "runtime/cpu/list_rows.h"

#include <math.h>
#include <string.h>

#include "runtime/batch/trace.h"

static size_t row_bytes(const struct list_rows *rows) {
  return nn_row_elements(rows->elements) * nn_element_bytes(rows->element);
}

static char *output_row(const struct list_rows *rows, const struct row_arena *arena, uint32_t row) {
  return row_arena_at(arena, rows->output) + row * row_bytes(rows);
}

static void largest_row(const struct list_rows *rows, uint32_t row) {
  char *to = output_row(rows, rows->values, row);
  size_t n = rows->elements;
  uint32_t begin = rows->first_term[row], end = rows->first_term[row + 1];
  memcpy(to, row_arena_at(rows->values, rows->terms[begin]), n * nn_element_bytes(rows->element));
  for (uint32_t t = begin + 1; t < end; t++)
    rows->loops->maximum(to, row_arena_at(rows->values, rows->terms[t]), n);
}

static void sum_row(const struct list_rows *rows, uint32_t row) {
  char *to = output_row(rows, rows->values, row);
  uint32_t begin = rows->first_term[row], end = rows->first_term[row + 1];
  for (uint32_t t = begin; t < end; t++)
    rows->pointers[t - begin] = row_arena_at(rows->values, rows->terms[t]);
  rows->loops->sum_terms(to, 0, rows->pointers, end - begin, rows->elements);
  if (rows->kind == TRACE_LIST_MEAN)
    rows->loops->scale(to, 1.0 / (end - begin), rows->elements);
}

// The terms are rows of equal length and lie one behind the other in the result, without padding.
static void stack_row(const struct list_rows *rows, uint32_t row) {
  char *to = output_row(rows, rows->values, row);
  uint32_t begin = rows->first_term[row], end = rows->first_term[row + 1];
  size_t bytes = end > begin ? rows->elements / (end - begin) * nn_element_bytes(rows->element) : 0;
  for (uint32_t t = begin; t < end; t++, to += bytes)
    memcpy(to, row_arena_at(rows->values, rows->terms[t]), bytes);
}

static void vector_row(const struct list_rows *rows, uint32_t row) {
  size_t size = nn_element_bytes(rows->element);
  if (rows->elements)
    memcpy(output_row(rows, rows->values, row), rows->data + rows->terms[row] * size, rows->elements * size);
}

void list_rows_forward(const struct list_rows *rows, uint32_t begin, uint32_t end) {
  size_t used = rows->elements * nn_element_bytes(rows->element);
  for (uint32_t row = begin; row < end; row++) {
    switch (rows->kind) {
    case TRACE_LIST_MAX: largest_row(rows, row); break;
    case TRACE_LIST_STACK: stack_row(rows, row); break;
    case TRACE_LIST_VECTOR: vector_row(rows, row); break;
    default: sum_row(rows, row);
    }
    // Padding must be finite, and what it held before may not be.
    memset(output_row(rows, rows->values, row) + used, 0, row_bytes(rows) - used);
  }
}

static double element(const struct list_rows *rows, const char *row, size_t i) {
  return rows->element == NN_F32 ? (double)((const float *)row)[i] : ((const double *)row)[i];
}

static void add_to_element(const struct list_rows *rows, char *row, size_t i, double value) {
  if (rows->element == NN_F32)
    ((float *)row)[i] += (float)value;
  else
    ((double *)row)[i] += value;
}

// The terms that equal the result share its gradient; where the result is NaN, so are all gradients.
static void max_backward_element(const struct list_rows *rows, uint32_t row, size_t i) {
  uint32_t first = rows->first_term[row], last = rows->first_term[row + 1], n_equal = 0;
  double largest = element(rows, output_row(rows, rows->values, row), i);
  for (uint32_t t = first; t < last; t++)
    n_equal += element(rows, row_arena_at(rows->values, rows->terms[t]), i) == largest;
  double share = element(rows, output_row(rows, rows->gradients, row), i) / n_equal;
  if (isnan(largest))
    share = NAN;
  for (uint32_t t = first; t < last; t++)
    if (isnan(share) || element(rows, row_arena_at(rows->values, rows->terms[t]), i) == largest)
      add_to_element(rows, row_arena_at(rows->gradients, rows->terms[t]), i, share);
}

static void max_backward_row(const struct list_rows *rows, uint32_t row) {
  for (size_t i = 0; i < rows->elements; i++)
    max_backward_element(rows, row, i);
}

static void stack_backward_row(const struct list_rows *rows, uint32_t row) {
  const char *gradient = output_row(rows, rows->gradients, row);
  uint32_t begin = rows->first_term[row], end = rows->first_term[row + 1];
  size_t n = end > begin ? rows->elements / (end - begin) : 0;
  for (uint32_t t = begin; t < end; t++, gradient += n * nn_element_bytes(rows->element))
    rows->loops->add_scaled(row_arena_at(rows->gradients, rows->terms[t]), gradient, 1, n);
}

void list_rows_backward(const struct list_rows *rows, uint32_t begin, uint32_t end) {
  for (uint32_t row = begin; row < end; row++) {
    if (rows->kind == TRACE_LIST_MAX) {
      max_backward_row(rows, row);
      continue;
    }
    if (rows->kind == TRACE_LIST_STACK) {
      stack_backward_row(rows, row);
      continue;
    }
    const char *gradient = output_row(rows, rows->gradients, row);
    uint32_t first = rows->first_term[row], last = rows->first_term[row + 1];
    double factor = rows->kind == TRACE_LIST_MEAN ? 1.0 / (last - first) : 1;
    for (uint32_t t = first; t < last; t++) {
      char *to = row_arena_at(rows->gradients, rows->terms[t]);
      if (rows->elements == 1) {
        if (rows->element == NN_F32)
          *(float *)to += (float)factor * *(const float *)gradient;
        else
          *(double *)to += factor * *(const double *)gradient;
      } else {
        rows->loops->add_scaled(to, gradient, factor, rows->elements);
      }
    }
  }
}

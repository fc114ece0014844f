// Sums, means and maxima over lists of rows, and their adjoints.
#include "runtime/cpu/reduce.h"

#include <math.h>
#include <string.h>

#include "runtime/batch/trace.h"

static size_t row_bytes(const struct reduction *reduction) {
  return nn_row_elements(reduction->elements) * nn_element_bytes(reduction->element);
}

static char *output_row(const struct reduction *reduction, const struct row_arena *arena, uint32_t row) {
  return row_arena_at(arena, reduction->output) + row * row_bytes(reduction);
}

static void largest_row(const struct reduction *reduction, uint32_t row) {
  char *to = output_row(reduction, reduction->values, row);
  size_t n = reduction->elements;
  uint32_t begin = reduction->first_term[row], end = reduction->first_term[row + 1];
  memcpy(to, row_arena_at(reduction->values, reduction->terms[begin]),
         n * nn_element_bytes(reduction->element));
  for (uint32_t t = begin + 1; t < end; t++)
    reduction->loops->maximum(to, row_arena_at(reduction->values, reduction->terms[t]), n);
}

static void sum_row(const struct reduction *reduction, uint32_t row) {
  char *to = output_row(reduction, reduction->values, row);
  uint32_t begin = reduction->first_term[row], end = reduction->first_term[row + 1];
  for (uint32_t t = begin; t < end; t++)
    reduction->pointers[t - begin] = row_arena_at(reduction->values, reduction->terms[t]);
  reduction->loops->sum_terms(to, 0, reduction->pointers, end - begin, reduction->elements);
  if (reduction->kind == TRACE_REDUCE_MEAN)
    reduction->loops->scale(to, 1.0 / (end - begin), reduction->elements);
}

// The terms are rows of equal length and lie one behind the other in the result, without padding.
static void stack_row(const struct reduction *reduction, uint32_t row) {
  char *to = output_row(reduction, reduction->values, row);
  uint32_t begin = reduction->first_term[row], end = reduction->first_term[row + 1];
  size_t bytes = end > begin ? reduction->elements / (end - begin) * nn_element_bytes(reduction->element) : 0;
  for (uint32_t t = begin; t < end; t++, to += bytes)
    memcpy(to, row_arena_at(reduction->values, reduction->terms[t]), bytes);
}

static void vector_row(const struct reduction *reduction, uint32_t row) {
  size_t size = nn_element_bytes(reduction->element);
  if (reduction->elements)
    memcpy(output_row(reduction, reduction->values, row), reduction->data + reduction->terms[row] * size,
           reduction->elements * size);
}

void reduce_forward(const struct reduction *reduction, uint32_t begin, uint32_t end) {
  size_t used = reduction->elements * nn_element_bytes(reduction->element);
  for (uint32_t row = begin; row < end; row++) {
    switch (reduction->kind) {
    case TRACE_REDUCE_MAX: largest_row(reduction, row); break;
    case TRACE_STACK: stack_row(reduction, row); break;
    case TRACE_VECTOR: vector_row(reduction, row); break;
    default: sum_row(reduction, row);
    }
    // Padding must be finite, and what it held before may not be.
    memset(output_row(reduction, reduction->values, row) + used, 0, row_bytes(reduction) - used);
  }
}

static double element(const struct reduction *reduction, const char *row, size_t i) {
  return reduction->element == NN_F32 ? (double)((const float *)row)[i] : ((const double *)row)[i];
}

static void add_to_element(const struct reduction *reduction, char *row, size_t i, double value) {
  if (reduction->element == NN_F32)
    ((float *)row)[i] += (float)value;
  else
    ((double *)row)[i] += value;
}

// The terms that equal the result share its gradient; where the result is NaN, so are all gradients.
static void max_backward_element(const struct reduction *reduction, uint32_t row, size_t i) {
  uint32_t first = reduction->first_term[row], last = reduction->first_term[row + 1], n_equal = 0;
  double largest = element(reduction, output_row(reduction, reduction->values, row), i);
  for (uint32_t t = first; t < last; t++)
    n_equal += element(reduction, row_arena_at(reduction->values, reduction->terms[t]), i) == largest;
  double share = element(reduction, output_row(reduction, reduction->gradients, row), i) / n_equal;
  if (isnan(largest))
    share = NAN;
  for (uint32_t t = first; t < last; t++)
    if (isnan(share) ||
        element(reduction, row_arena_at(reduction->values, reduction->terms[t]), i) == largest)
      add_to_element(reduction, row_arena_at(reduction->gradients, reduction->terms[t]), i, share);
}

static void max_backward_row(const struct reduction *reduction, uint32_t row) {
  for (size_t i = 0; i < reduction->elements; i++)
    max_backward_element(reduction, row, i);
}

static void stack_backward_row(const struct reduction *reduction, uint32_t row) {
  const char *gradient = output_row(reduction, reduction->gradients, row);
  uint32_t begin = reduction->first_term[row], end = reduction->first_term[row + 1];
  size_t n = end > begin ? reduction->elements / (end - begin) : 0;
  for (uint32_t t = begin; t < end; t++, gradient += n * nn_element_bytes(reduction->element))
    reduction->loops->add_scaled(row_arena_at(reduction->gradients, reduction->terms[t]), gradient, 1, n);
}

void reduce_backward(const struct reduction *reduction, uint32_t begin, uint32_t end) {
  for (uint32_t row = begin; row < end; row++) {
    if (reduction->kind == TRACE_REDUCE_MAX) {
      max_backward_row(reduction, row);
      continue;
    }
    if (reduction->kind == TRACE_STACK) {
      stack_backward_row(reduction, row);
      continue;
    }
    const char *gradient = output_row(reduction, reduction->gradients, row);
    uint32_t first = reduction->first_term[row], last = reduction->first_term[row + 1];
    double factor = reduction->kind == TRACE_REDUCE_MEAN ? 1.0 / (last - first) : 1;
    for (uint32_t t = first; t < last; t++) {
      char *to = row_arena_at(reduction->gradients, reduction->terms[t]);
      if (reduction->elements == 1) {
        if (reduction->element == NN_F32)
          *(float *)to += (float)factor * *(const float *)gradient;
        else
          *(double *)to += factor * *(const double *)gradient;
      } else {
        reduction->loops->add_scaled(to, gradient, factor, reduction->elements);
      }
    }
  }
}

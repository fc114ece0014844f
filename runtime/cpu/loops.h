// Element-wise loops over long arrays, outside compiled kernels: updates of parameters, sums of rows. Each
// exists for both element types and is compiled for several families of vector instructions; loops_for picks
// the one for this processor.
//
// Every element is computed by itself, and sums over rows are taken in an order that depends on the number of rows
// alone, so that splitting the elements among threads changes no bit. However many rows, a sum is right to some
// units in the last place: see SUM_RUN.
#ifndef NN_RUNTIME_CPU_LOOPS_H
#define NN_RUNTIME_CPU_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/jit/cpu_features.h"
#include "runtime/kernel/kernel.h"

// One step of an optimiser. g is multiplied by `scale` (clipping) first; coupled decay adds decay * w to it.
struct loops_step {
  double rate, scale, decay;
  double momentum;                  // MOMENTUM: m = momentum * m + g; w -= rate * m
  double epsilon;                   // ADAGRAD: h += g * g; w -= rate * g / (sqrt(h) + epsilon)
  double beta1, beta2;              // ADAM: see loops_template.h
  double correction1, correction2;  // 1 - beta1^t, 1 - beta2^t
};

// Terms of a part of loops_rest.
enum { LOOPS_TERMS_F32 = 5, LOOPS_TERMS_F64 = 10, LOOPS_MOST_TERMS = LOOPS_TERMS_F64 };

// Adam's steps without a gradient: see idle.h. Of x = sqrt(v), the sum over parts of
//   sum over n of part[1 + n] (-z)^n / y  with  y = part[0] x + epsilon,  z = part[0] x / y.
struct loops_rest {
  uint32_t n_parts;
  const double *parts;  // [part][1 + terms]
};
// w = keep * (w - m * before(v)) + first * m * after(second * v),  m *= first,  v *= second.
struct loops_idle {
  struct loops_rest before, after;
  double epsilon, keep, first, second;
};

struct loops {
  void (*add)(void *to, const void *from, size_t n);
  void (*add_scaled)(void *to, const void *from, double factor, size_t n);
  void (*scale)(void *x, double factor, size_t n);
  void (*maximum)(void *to, const void *from, size_t n);
  // to[j] = or += the sum over rows of from[row * stride + j], j < n.
  void (*sum_rows)(void *to, int add, const void *from, size_t rows, size_t stride, size_t n);
  // The same of rows that lie anywhere; n_terms > 0.
  void (*sum_terms)(void *to, int add, const void *const *terms, size_t n_terms, size_t n);
  // sum += x; what rounding loses goes to `lost`. keep_lost ends such a sum: sum += lost.
  void (*add_kept)(void *sum, void *lost, const void *x, size_t n);
  void (*keep_lost)(void *sum, const void *lost, size_t n);
  double (*sum_squares)(const void *x, size_t n);
  int (*is_finite)(const void *x, size_t n);
  void (*sgd)(const struct loops_step *, void *w, const void *g, size_t n);
  void (*momentum)(const struct loops_step *, void *w, const void *g, void *m, size_t n);
  void (*adagrad)(const struct loops_step *, void *w, const void *g, void *h, size_t n);
  void (*adam)(const struct loops_step *, void *w, const void *g, void *m, void *v, size_t n);
  // (w, m) = the matrix, by rows, times (w, m).
  void (*turn)(void *w, void *m, const double *matrix, size_t n);
  void (*adam_idle)(const struct loops_idle *, void *w, void *m, void *v, size_t n);
};

const struct loops *loops_for(enum nn_element element, enum cpu_simd simd);

#endif

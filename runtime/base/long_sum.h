// Sums over an epoch, of as many numbers as there are examples: what each addition's rounding loses is added up by itself
// (Neumaier 1974, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", algorithm IV), so that the
// error does not grow with their number.
#ifndef NN_RUNTIME_BASE_LONG_SUM_H
#define NN_RUNTIME_BASE_LONG_SUM_H

#include <math.h>

// Begins as zeros.
struct long_sum {
  double sum, lost;
};

static inline void long_sum_add(struct long_sum *s, double x) {
  const double total = s->sum + x;
  s->lost += fabs(s->sum) >= fabs(x) ? (s->sum - total) + x : (x - total) + s->sum;
  s->sum = total;
}

// What was lost of an infinite sum is no number.
static inline double long_sum_value(const struct long_sum *s) {
  return isfinite(s->sum) ? s->sum + s->lost : s->sum;
}

#endif

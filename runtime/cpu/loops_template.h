// The bodies of loops.c, included once for each element type and family of instructions: REAL is the type,
// LOOP(name) the function's name, TARGET its attributes, SQRT the square root.

TARGET static void LOOP(add)(void *to_, const void *from_, size_t n) {
  REAL *restrict to = to_;
  const REAL *restrict from = from_;
  for (size_t i = 0; i < n; i++)
    to[i] += from[i];
}

TARGET static void LOOP(add_scaled)(void *to_, const void *from_, double factor_, size_t n) {
  REAL *restrict to = to_;
  const REAL *restrict from = from_;
  const REAL factor = (REAL)factor_;
  for (size_t i = 0; i < n; i++)
    to[i] += factor * from[i];
}

TARGET static void LOOP(scale)(void *x_, double factor_, size_t n) {
  REAL *restrict x = x_;
  const REAL factor = (REAL)factor_;
  for (size_t i = 0; i < n; i++)
    x[i] *= factor;
}

// NaN where either is.
TARGET static void LOOP(maximum)(void *to_, const void *from_, size_t n) {
  REAL *restrict to = to_;
  const REAL *restrict from = from_;
  for (size_t i = 0; i < n; i++)
    to[i] = from[i] > to[i] || from[i] != from[i] ? from[i] : to[i];
}

// Sums of many rows: runs of SUM_RUN rows are added up one row after the other, and the sums of the runs so that
// nothing is lost: the rounding error of each addition, which is a number of the same format, is added up by itself
// (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B; Ogita, Rump & Oishi 2005, algorithm 4.1). SUM_TILE
// columns are in registers.
#ifndef SUM_RUN
#define SUM_RUN 16
#define SUM_TILE 64
#endif

TARGET static inline void LOOP(keep)(REAL *restrict sum, REAL *restrict lost, const REAL *restrict x,
                                     size_t n) {
  for (size_t c = 0; c < n; c++) {
    const REAL total = sum[c] + x[c], part = total - sum[c];
    lost[c] += (sum[c] - (total - part)) + (x[c] - part);
    sum[c] = total;
  }
}

// What was lost of an infinite sum is no number.
TARGET static inline REAL LOOP(whole)(REAL sum, REAL lost) { return lost - lost == 0 ? sum + lost : sum; }

// Inlined, because a compiler that knows n keeps the sums in registers.
TARGET static inline __attribute__((always_inline)) void LOOP(sum_tile)(REAL *restrict to, int add,
                                                                        const REAL *from, size_t stride,
                                                                        const void *const *terms, size_t at,
                                                                        size_t rows, size_t n) {
  REAL sum[SUM_TILE], lost[SUM_TILE], part[SUM_TILE];
  for (size_t c = 0; c < n; c++)
    sum[c] = lost[c] = 0;
  for (size_t begin = 0; begin < rows; begin += SUM_RUN) {
    const size_t end = begin + SUM_RUN < rows ? begin + SUM_RUN : rows;
    const REAL *first = terms ? (const REAL *)terms[begin] + at : from + begin * stride + at;
    for (size_t c = 0; c < n; c++)
      part[c] = first[c];
    for (size_t r = begin + 1; r < end; r++) {
      const REAL *row = terms ? (const REAL *)terms[r] + at : from + r * stride + at;
      for (size_t c = 0; c < n; c++)
        part[c] += row[c];
    }
    if (begin == 0)
      for (size_t c = 0; c < n; c++)
        sum[c] = part[c];
    else
      LOOP(keep)(sum, lost, part, n);
  }
  for (size_t c = 0; c < n; c++) {
    const REAL all = rows > SUM_RUN ? LOOP(whole)(sum[c], lost[c]) : sum[c];
    to[at + c] = add ? to[at + c] + all : all;
  }
}

TARGET static void LOOP(sum_any)(REAL *to, int add, const REAL *from, size_t stride, const void *const *terms,
                                 size_t rows, size_t n) {
  size_t at = 0;
  for (; at + SUM_TILE <= n; at += SUM_TILE)
    LOOP(sum_tile)(to, add, from, stride, terms, at, rows, SUM_TILE);
  for (; at + 16 <= n; at += 16)
    LOOP(sum_tile)(to, add, from, stride, terms, at, rows, 16);
  if (n - at == 1)
    LOOP(sum_tile)(to, add, from, stride, terms, at, rows, 1);
  else if (at < n)
    LOOP(sum_tile)(to, add, from, stride, terms, at, rows, n - at);
}

TARGET static void LOOP(sum_rows)(void *to, int add, const void *from, size_t rows, size_t stride, size_t n) {
  LOOP(sum_any)(to, add, from, stride, NULL, rows, n);
}

TARGET static void LOOP(sum_terms)(void *to, int add, const void *const *terms, size_t n_terms, size_t n) {
  LOOP(sum_any)(to, add, NULL, 0, terms, n_terms, n);
}

TARGET static void LOOP(add_kept)(void *sum, void *lost, const void *x, size_t n) {
  LOOP(keep)(sum, lost, x, n);
}

TARGET static void LOOP(keep_lost)(void *sum_, const void *lost_, size_t n) {
  REAL *restrict sum = sum_;
  const REAL *restrict lost = lost_;
  for (size_t i = 0; i < n; i++)
    sum[i] = LOOP(whole)(sum[i], lost[i]);
}

// In double, and in LANES sums that do not depend on how the compiler vectorises.
TARGET static double LOOP(sum_squares)(const void *x_, size_t n) {
  enum { LANES = 16 };
  const REAL *restrict x = x_;
  double sums[LANES] = {0}, sum = 0;
  size_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (size_t l = 0; l < LANES; l++)
      sums[l] += (double)x[i + l] * (double)x[i + l];
  for (; i < n; i++)
    sums[0] += (double)x[i] * (double)x[i];
  for (size_t l = 0; l < LANES; l++)
    sum += sums[l];
  return sum;
}

// By the bits: an exponent of all ones is an infinity or no number.
TARGET static int LOOP(is_finite)(const void *x_, size_t n) {
  typedef BITS __attribute__((may_alias)) bits;
  const bits *x = x_, special = (bits)EXPONENT;
  bits found = 0;
  for (size_t i = 0; i < n; i++)
    found |= (x[i] & special) == special;
  return !found;
}

TARGET static void LOOP(sgd)(const struct loops_step *step, void *w_, const void *g_, size_t n) {
  REAL *restrict w = w_;
  const REAL *restrict g = g_;
  const REAL rate = (REAL)step->rate, scale = (REAL)step->scale, decay = (REAL)step->decay;
  for (size_t i = 0; i < n; i++)
    w[i] -= rate * (scale * g[i] + decay * w[i]);
}

TARGET static void LOOP(momentum)(const struct loops_step *step, void *w_, const void *g_, void *m_,
                                  size_t n) {
  REAL *restrict w = w_, *restrict m = m_;
  const REAL *restrict g = g_;
  const REAL rate = (REAL)step->rate, scale = (REAL)step->scale, decay = (REAL)step->decay;
  const REAL momentum = (REAL)step->momentum;
  for (size_t i = 0; i < n; i++) {
    m[i] = momentum * m[i] + (scale * g[i] + decay * w[i]);
    w[i] -= rate * m[i];
  }
}

TARGET static void LOOP(adagrad)(const struct loops_step *step, void *w_, const void *g_, void *h_,
                                 size_t n) {
  REAL *restrict w = w_, *restrict h = h_;
  const REAL *restrict g = g_;
  const REAL rate = (REAL)step->rate, scale = (REAL)step->scale, decay = (REAL)step->decay;
  const REAL epsilon = (REAL)step->epsilon;
  for (size_t i = 0; i < n; i++) {
    REAL gradient = scale * g[i] + decay * w[i];
    h[i] += gradient * gradient;
    w[i] -= rate * gradient / (SQRT(h[i]) + epsilon);
  }
}

// Kingma & Ba 2015, algorithm 1, with the decoupled decay of Loshchilov & Hutter 2019:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
//   w -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) + rate decay w.
TARGET static void LOOP(adam)(const struct loops_step *step, void *w_, const void *g_, void *m_, void *v_,
                              size_t n) {
  REAL *restrict w = w_, *restrict m = m_, *restrict v = v_;
  const REAL *restrict g = g_;
  const REAL scale = (REAL)step->scale, epsilon = (REAL)step->epsilon;
  const REAL keep = (REAL)(1 - step->rate * step->decay);
  const REAL beta1 = (REAL)step->beta1, gain1 = (REAL)(1 - step->beta1);
  const REAL beta2 = (REAL)step->beta2, gain2 = (REAL)(1 - step->beta2);
  const REAL rate = (REAL)(step->rate / step->correction1), root = (REAL)(1 / sqrt(step->correction2));
  for (size_t i = 0; i < n; i++) {
    REAL gradient = scale * g[i];
    m[i] = beta1 * m[i] + gain1 * gradient;
    v[i] = beta2 * v[i] + gain2 * gradient * gradient;
    w[i] = keep * w[i] - rate * m[i] / (SQRT(v[i]) * root + epsilon);
  }
}

TARGET static void LOOP(turn)(void *w_, void *m_, const double *matrix, size_t n) {
  REAL *restrict w = w_, *restrict m = m_;
  const REAL ww = (REAL)matrix[0], wm = (REAL)matrix[1], mw = (REAL)matrix[2], mm = (REAL)matrix[3];
  for (size_t i = 0; i < n; i++) {
    const REAL weight = ww * w[i] + wm * m[i];
    m[i] = mw * w[i] + mm * m[i];
    w[i] = weight;
  }
}

TARGET static inline void LOOP(add_rest)(const struct loops_rest *rest, REAL epsilon, const REAL *restrict x,
                                         REAL *restrict sum, size_t n) {
  for (uint32_t p = 0; p < rest->n_parts; p++) {
    REAL part[TERMS + 1];
    for (size_t t = 0; t <= TERMS; t++)
      part[t] = (REAL)rest->parts[p * (TERMS + 1) + t];
    for (size_t i = 0; i < n; i++) {
      const REAL scaled = part[0] * x[i], inverse = 1 / (scaled + epsilon), z = scaled * inverse;
      REAL value = part[TERMS];
      for (size_t t = TERMS; t-- > 1;)
        value = part[t] - z * value;
      sum[i] += value * inverse;
    }
  }
}

TARGET static inline void LOOP(adam_idle_tile)(const struct loops_idle *idle, REAL *restrict w,
                                               REAL *restrict m, REAL *restrict v, size_t n) {
  REAL x[SUM_TILE], before[SUM_TILE], after[SUM_TILE];
  const REAL epsilon = (REAL)idle->epsilon, keep = (REAL)idle->keep, first = (REAL)idle->first,
             second = (REAL)idle->second;
  for (size_t i = 0; i < n; i++) {
    x[i] = SQRT(v[i]);
    before[i] = after[i] = 0;
  }
  LOOP(add_rest)(&idle->before, epsilon, x, before, n);
  const REAL root = SQRT(second);
  for (size_t i = 0; i < n; i++) {
    v[i] *= second;
    x[i] *= root;
  }
  LOOP(add_rest)(&idle->after, epsilon, x, after, n);
  for (size_t i = 0; i < n; i++) {
    const REAL moment = first * m[i];
    w[i] = keep * (w[i] - m[i] * before[i]) + moment * after[i];
    m[i] = moment;
  }
}

TARGET static void LOOP(adam_idle)(const struct loops_idle *idle, void *w_, void *m_, void *v_, size_t n) {
  REAL *restrict w = w_, *restrict m = m_, *restrict v = v_;
  size_t at = 0;
  for (; at + SUM_TILE <= n; at += SUM_TILE)
    LOOP(adam_idle_tile)(idle, w + at, m + at, v + at, SUM_TILE);
  if (at < n)
    LOOP(adam_idle_tile)(idle, w + at, m + at, v + at, n - at);
}

static const struct loops LOOP(table) = {
    LOOP(add),      LOOP(add_scaled), LOOP(scale),       LOOP(maximum),   LOOP(sum_rows), LOOP(sum_terms),
    LOOP(add_kept), LOOP(keep_lost),  LOOP(sum_squares), LOOP(is_finite), LOOP(sgd),      LOOP(momentum),
    LOOP(adagrad),  LOOP(adam),       LOOP(turn),        LOOP(adam_idle)};

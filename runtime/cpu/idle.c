#include "runtime/cpu/idle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"

// So many steps are soon made one by one.
#define FEW_STEPS 2
// Adam: steps beyond this many are not looked at together.
#define MOST_TERMS 8192
// What a moment has shrunk to below this changes no bit of anything any more.
#define VANISHED 0x1p-100

// Steps with one learning rate: from step `first` on, until the next run's.
struct run {
  uint32_t first;
  double rate;
};

// Adam: what the steps after one step would do to a row, for ever.
struct series {
  size_t at;         // of its first part in `parts`
  uint32_t n_parts;  // 0: there is no such form
  uint32_t n_steps;  // after which nothing moves any more
};

struct idle {
  struct idle_rule rule;
  const struct loops *loops;
  void *zeros;  // a gradient
  uint32_t now, oldest;
  struct run *runs;
  size_t n_runs, runs_capacity;
  struct series *series;  // [step - oldest], up to `now` - 1, at the rate of the step after it
  size_t n_series, series_capacity;
  double *parts;
  size_t n_parts, parts_capacity;
  struct series last;  // of the steps after `now`, at the last rate; in last_parts
  double *last_parts;
  double *a, *d;  // [MOST_TERMS] scratch
};

static double rounded(const struct idle *idle, double x) {
  return idle->rule.element == NN_F32 ? (double)(float)x : x;
}

bool idle_does_nothing(const struct idle_rule *rule) {
  return rule->decay == 0 && (rule->algorithm == NN_SGD || rule->algorithm == NN_ADAGRAD);
}

struct idle *idle_new(const struct idle_rule *rule, const struct loops *loops, size_t columns,
                      uint32_t steps) {
  struct idle *idle = calloc(1, sizeof *idle);
  if (!idle)
    return NULL;
  idle->rule = *rule;
  idle->loops = loops;
  idle->now = idle->oldest = steps;
  idle->zeros = calloc(columns + 64, sizeof(double));
  bool is_adam = rule->algorithm == NN_ADAM;
  if (is_adam) {
    idle->a = malloc(MOST_TERMS * sizeof *idle->a);
    idle->d = malloc(MOST_TERMS * sizeof *idle->d);
    idle->last_parts = malloc(MOST_TERMS * (LOOPS_MOST_TERMS + 1) * sizeof *idle->last_parts);
  }
  if (idle->zeros && (!is_adam || (idle->a && idle->d && idle->last_parts)))
    return idle;
  idle_free(idle);
  return NULL;
}

void idle_free(struct idle *idle) {
  if (!idle)
    return;
  free(idle->zeros);
  free(idle->runs);
  free(idle->series);
  free(idle->parts);
  free(idle->last_parts);
  free(idle->a);
  free(idle->d);
  free(idle);
}

uint32_t idle_now(const struct idle *idle) { return idle->now; }

bool idle_is_long(const struct idle *idle, uint64_t rows) {
  uint64_t most = rows / 8 < 4096 ? 4096 : rows / 8;
  return idle->now - idle->oldest > most || idle->now > INT32_MAX - 2;
}

void idle_forget(struct idle *idle) {
  idle->oldest = idle->now;
  idle->n_series = idle->n_parts = 0;
  if (idle->n_runs > 1) {
    idle->runs[0] = idle->runs[idle->n_runs - 1];
    idle->n_runs = 1;
  }
}

// ------------------------------------------------------------------------------------------ learning rates

// The run that a step belongs to.
static size_t run_of(const struct idle *idle, uint32_t step) {
  size_t low = 0, high = idle->n_runs;
  while (low + 1 < high) {
    size_t middle = low + (high - low) / 2;
    if (idle->runs[middle].first <= step)
      low = middle;
    else
      high = middle;
  }
  return low;
}

static uint32_t end_of_run(const struct idle *idle, size_t run) {
  return run + 1 < idle->n_runs ? idle->runs[run + 1].first : idle->now + 1;
}

// What one step's decay leaves of a weight.
static double kept(const struct idle *idle, double rate) {
  return idle->rule.algorithm == NN_ADAM ? rounded(idle, 1 - rate * idle->rule.decay)
                                         : 1 - rounded(idle, rate) * rounded(idle, idle->rule.decay);
}

// What the decay of steps (from, to] leaves of a weight.
static double shrinkage(const struct idle *idle, uint32_t from, uint32_t to) {
  double left = 1;
  if (idle->rule.decay == 0 || from == to)
    return left;
  for (size_t run = run_of(idle, from + 1); run < idle->n_runs && idle->runs[run].first <= to; run++) {
    uint32_t begin = idle->runs[run].first > from + 1 ? idle->runs[run].first : from + 1;
    uint32_t end = end_of_run(idle, run) < to + 1 ? end_of_run(idle, run) : to + 1;
    left *= pow(kept(idle, idle->runs[run].rate), end - begin);
  }
  return left;
}

// --------------------------------------------------------------------------------------------------- Adam

static uint32_t terms_of(const struct idle *idle) {
  return idle->rule.element == NN_F32 ? LOOPS_TERMS_F32 : LOOPS_TERMS_F64;
}

// Relative to the whole movement; the rounding of one step is larger.
static double tolerance(const struct idle *idle) { return idle->rule.element == NN_F32 ? 0x1p-26 : 0x1p-54; }

// Numerators a and denominators d of the steps after step s, and their number; 0 where the sum does not end.
static uint32_t list_terms(const struct idle *idle, uint32_t s, double rate) {
  double beta1 = rounded(idle, idle->rule.beta1), root = sqrt(rounded(idle, idle->rule.beta2)),
         keep = kept(idle, rate), ratio = beta1 / (keep * root);
  if (!(keep > 0 && ratio < 0.9999))
    return 0;
  double power1 = pow(idle->rule.beta1, s), power2 = pow(idle->rule.beta2, s), factor = 1, scale = 1, sum = 0;
  for (uint32_t j = 0; j < MOST_TERMS; j++) {
    power1 *= idle->rule.beta1;
    power2 *= idle->rule.beta2;
    factor *= beta1 / keep;
    scale *= root;
    idle->a[j] = rate / (1 - power1) * factor;
    idle->d[j] = scale / sqrt(1 - power2);
    double size = idle->a[j] / idle->d[j];
    if (j > 0 && size / (1 - ratio) <= tolerance(idle) * sum)
      return j;
    sum += size;
  }
  return 0;
}

// One part of the series: the steps [begin, end) about their mean denominator. part[0] is the mean, part[1 + n] the
// sum of a (d / mean - 1)^n. Returns whether what the expansion leaves out is no more than `allowed`.
static bool expand(const struct idle *idle, uint32_t begin, uint32_t end, double allowed, double *part) {
  uint32_t n = terms_of(idle);
  double sum = 0, mean = 0, widest = 0, left_out = 0;
  for (uint32_t j = begin; j < end; j++) {
    sum += idle->a[j];
    mean += idle->a[j] * idle->d[j];
  }
  mean = sum > 0 ? mean / sum : idle->d[begin];
  for (uint32_t t = 0; t <= n; t++)
    part[t] = t ? 0 : mean;
  for (uint32_t j = begin; j < end; j++) {
    double distance = idle->d[j] / mean - 1, power = idle->a[j];
    if (fabs(distance) > widest)
      widest = fabs(distance);
    for (uint32_t t = 0; t < n; t++, power *= distance)
      part[1 + t] += power;
    left_out += fabs(power);
  }
  return end - begin == 1 || (widest < 1 && left_out / (mean * (1 - widest)) <= allowed);
}

static void make_series(const struct idle *idle, uint32_t s, double rate, struct series *series,
                        double *parts) {
  *series = (struct series){.n_steps = list_terms(idle, s, rate)};
  double whole = 0;
  for (uint32_t j = 0; j < series->n_steps; j++)
    whole += idle->a[j] / idle->d[j];
  for (uint32_t begin = 0, end; begin < series->n_steps; begin = end, series->n_parts++) {
    end = series->n_steps;
    double *part = parts + (size_t)series->n_parts * (terms_of(idle) + 1);
    while (!expand(idle, begin, end, tolerance(idle) * whole, part))
      end = begin + (end - begin + 1) / 2;
  }
}

static bool keep_series(struct idle *idle, double rate) {
  size_t width = terms_of(idle) + 1;
  // That of the last step was made for its rate; it is right when the rate has not changed.
  if (idle->n_runs == 0 || idle->runs[idle->n_runs - 1].rate != rate || idle->last.n_parts == 0)
    make_series(idle, idle->now, rate, &idle->last, idle->last_parts);
  size_t n = idle->last.n_parts * width;
  if (!array_reserve(&idle->series, sizeof *idle->series, idle->n_series + 1, &idle->series_capacity) ||
      !array_reserve(&idle->parts, sizeof *idle->parts, idle->n_parts + n, &idle->parts_capacity))
    return false;
  if (n)
    memcpy(idle->parts + idle->n_parts, idle->last_parts, n * sizeof *idle->parts);
  idle->series[idle->n_series] = idle->last;
  idle->series[idle->n_series++].at = idle->n_parts;
  idle->n_parts += n;
  make_series(idle, idle->now + 1, rate, &idle->last, idle->last_parts);
  return true;
}

bool idle_note_step(struct idle *idle, double rate) {
  if (!array_reserve(&idle->runs, sizeof *idle->runs, idle->n_runs + 1, &idle->runs_capacity))
    return false;
  if (idle->rule.algorithm == NN_ADAM && !keep_series(idle, rate))
    return false;
  idle->now++;
  if (idle->n_runs == 0 || idle->runs[idle->n_runs - 1].rate != rate)
    idle->runs[idle->n_runs++] = (struct run){idle->now, rate};
  return true;
}

// ------------------------------------------------------------------------------------------------ catching up

// Steps (from, to] one by one, as they would have been made.
static void step_by_step(const struct idle *idle, uint32_t from, uint32_t to, void *w, void *m, void *v,
                         size_t n) {
  const struct idle_rule *rule = &idle->rule;
  struct loops_step step = {.scale = 1,
                            .decay = rule->decay,
                            .momentum = rule->momentum,
                            .epsilon = rule->epsilon,
                            .beta1 = rule->beta1,
                            .beta2 = rule->beta2};
  for (uint32_t t = from + 1; t <= to; t++) {
    step.rate = idle->runs[run_of(idle, t)].rate;
    switch (rule->algorithm) {
    case NN_SGD: idle->loops->sgd(&step, w, idle->zeros, n); break;
    case NN_MOMENTUM: idle->loops->momentum(&step, w, idle->zeros, m, n); break;
    case NN_ADAGRAD: idle->loops->adagrad(&step, w, idle->zeros, m, n); break;
    case NN_ADAM:
      step.correction1 = 1 - pow(rule->beta1, t);
      step.correction2 = 1 - pow(rule->beta2, t);
      idle->loops->adam(&step, w, idle->zeros, m, v, n);
      break;
    }
  }
}

// 2 x 2, row by row, of the vector (w, m).
struct matrix {
  double ww, wm, mw, mm;
};

static struct matrix times(struct matrix a, struct matrix b) {
  return (struct matrix){a.ww * b.ww + a.wm * b.mw, a.ww * b.wm + a.wm * b.mm, a.mw * b.ww + a.mm * b.mw,
                         a.mw * b.wm + a.mm * b.mm};
}

static void catch_momentum(const struct idle *idle, uint32_t from, void *w, void *m, size_t n) {
  double momentum = rounded(idle, idle->rule.momentum), decay = rounded(idle, idle->rule.decay);
  struct matrix all = {1, 0, 0, 1};
  for (size_t run = run_of(idle, from + 1); run < idle->n_runs; run++) {
    uint32_t begin = idle->runs[run].first > from + 1 ? idle->runs[run].first : from + 1;
    double rate = rounded(idle, idle->runs[run].rate);
    struct matrix power = {1 - rate * decay, -rate * momentum, decay, momentum};
    for (uint32_t left = end_of_run(idle, run) - begin; left > 0; left >>= 1, power = times(power, power))
      if (left & 1)
        all = times(power, all);
  }
  if (decay == 0 && all.mm < VANISHED)
    all.mm = 0;
  idle->loops->turn(w, m, (const double[]){all.ww, all.wm, all.mw, all.mm}, n);
}

static double vanishing(double power) { return power < VANISHED ? 0 : power; }

static void catch_adam(const struct idle *idle, uint32_t from, void *w, void *m, void *v, size_t n) {
  const struct series *series = &idle->series[from - idle->oldest];
  uint32_t steps = idle->now - from;
  double beta1 = rounded(idle, idle->rule.beta1), beta2 = rounded(idle, idle->rule.beta2);
  bool has_form = series->n_parts > 0;
  // Without a form the first moment must vanish by itself.
  double most = has_form ? series->n_steps : beta1 > 0 ? ceil(log(VANISHED) / log(beta1)) : 1;
  uint32_t moving = steps < most ? steps : (uint32_t)most;
  bool steady = run_of(idle, from + 1) == run_of(idle, from + moving);
  bool ends = has_form && moving == series->n_steps;
  uint32_t parts = series->n_parts + (ends ? 0 : idle->last.n_parts);
  // A step costs a square root and a division, a part a division.
  if (!has_form || !steady || (!ends && idle->last.n_parts == 0) || moving <= FEW_STEPS ||
      moving <= parts / 2) {
    step_by_step(idle, from, from + moving, w, m, v, n);
    uint32_t rest = steps - moving;
    if (rest == 0)
      return;
    idle->loops->scale(w, shrinkage(idle, from + moving, idle->now), n);
    idle->loops->scale(m, vanishing(pow(beta1, rest)), n);
    idle->loops->scale(v, vanishing(pow(beta2, rest)), n);
    return;
  }
  struct loops_rest before = {series->n_parts, idle->parts + series->at},
                    after = {idle->last.n_parts, idle->last_parts};
  struct loops_idle how = {.before = before,
                           .after = ends ? (struct loops_rest){0, NULL} : after,
                           .epsilon = idle->rule.epsilon,
                           .keep = shrinkage(idle, from, idle->now),
                           .first = vanishing(pow(beta1, steps)),
                           .second = vanishing(pow(beta2, steps))};
  idle->loops->adam_idle(&how, w, m, v, n);
}

void idle_catch_up(const struct idle *idle, uint32_t from, void *w, void *m, void *v, size_t n) {
  uint32_t steps = idle->now - from;
  if (steps == 0)
    return;
  if (steps <= FEW_STEPS || idle->rule.algorithm == NN_ADAGRAD) {
    step_by_step(idle, from, idle->now, w, m, v, n);
    return;
  }
  switch (idle->rule.algorithm) {
  case NN_SGD: idle->loops->scale(w, shrinkage(idle, from, idle->now), n); break;
  case NN_MOMENTUM: catch_momentum(idle, from, w, m, n); break;
  default: catch_adam(idle, from, w, m, v, n); break;
  }
}

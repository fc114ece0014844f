// What models draw: the distributions, that draws do not depend on each other, and what they depend on. Seeds are fixed,
// so that what passes once does so always.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/value/value.h"
#include "tests/runtime/rig.h"

// ------------------------------------------------------------------------------------------------ distributions

enum { WIDTH = 1000, EXAMPLES = 1000, N = WIDTH * EXAMPLES };

static const char many_model[] =
    "import std.random\n"
    "dim N = 1000\n"
    "fn shifted(n: int) -> f32[N] { (normal_of(3 * ones[N], log(4) * ones[N]) - 3) / 2 }\n"
    "fn normals(n: int) -> f32[N] { normal[N] }\n"
    "fn uniforms(n: int) -> f32[N] { uniform[N] }\n"
    "fn gumbels(n: int) -> f32[N] { gumbel[N] }\n"
    "fn coins(n: int) -> f32[N] { bernoulli(0.3 * ones[N]) }\n"
    "fn others(n: int) -> f32[N] { let _a = sum(normal[N]) + 1\n 2 * normal[N] / 2 }\n"
    "fn twice(n: int) -> f32[2*N] { concat(normal[N], normal[N]) }\n"
    "fn loss(n: int) -> f32 { sum(normals(n)) }\n";

// The elements of the results of all examples, one after the other.
static double *draw(struct rig *rig, const char *entry, nn_mode mode, size_t width) {
  rig_run(rig, entry, mode);
  double *x = malloc(rig->n * width * sizeof *x);
  for (size_t i = 0; i < rig->n; i++)
    for (size_t k = 0; k < width; k++)
      x[i * width + k] = session_element(rig->session, (uint32_t)rig->session->examples[i].run.results[0], k);
  return x;
}

static void open_many(struct rig *rig, nn_precision precision) {
  rig_open(rig, many_model, "loss", &(struct rig_options){.precision = precision, .n_examples = EXAMPLES});
}

static double normal_cdf(double x) { return 0.5 * erfc(-x * sqrt(0.5)); }
static double uniform_cdf(double x) { return x; }
static double gumbel_cdf(double x) { return exp(-exp(-x)); }

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// The largest distance between the distribution of the sample and its own (Kolmogorov & Smirnov). It exceeds
// 1.63 / sqrt(n) once in a hundred times.
static double ks_distance(double *x, size_t n, double (*cdf)(double)) {
  double *sorted = malloc(n * sizeof *sorted), largest = 0;
  memcpy(sorted, x, n * sizeof *x);
  qsort(sorted, n, sizeof *sorted, by_size);
  for (size_t i = 0; i < n; i++) {
    double p = cdf(sorted[i]);
    largest = fmax(largest, fmax(p - (double)i / (double)n, (double)(i + 1) / (double)n - p));
  }
  free(sorted);
  return largest;
}

static const struct distribution {
  const char *entry;
  double (*cdf)(double);
  double mean, variance, third, fourth;  // central moments; the last two by powers of the standard deviation
  double least, most;                    // beyond these one draw in 10^10 lies
} distributions[] = {
    {"normals", normal_cdf, 0, 1, 0, 3, -6.5, 6.5},
    {"uniforms", uniform_cdf, 0.5, 1.0 / 12, 0, 1.8, 0, 1},
    {"gumbels", gumbel_cdf, 0.57721566490153286, 1.6449340668482264, 1.1395470994046487, 5.4, -3.2, 23},
    {"shifted", normal_cdf, 0, 1, 0, 3, -6.5, 6.5},
};

// How far the mean of the k-th powers of a standardised sample may be from theirs: by four and a half of its own
// standard deviations, of which the law has the 2k-th moment.
static void check_moments(const struct distribution *d, const double *x) {
  double sums[5] = {0};
  for (size_t i = 0; i < N; i++) {
    double z = (x[i] - d->mean) / sqrt(d->variance), power = 1;
    if (!(x[i] > d->least && x[i] < d->most))
      fail_msg("%s: %.17g was drawn", d->entry, x[i]);
    for (int k = 1; k <= 4; k++)
      sums[k] += power *= z;
  }
  static const double spread[][5] = {{0, 1, 1.4143, 3.873, 9.798},
                                     {0, 1, 0.8945, 1.964, 2.401},
                                     {0, 1, 2.1, 9.5, 43},
                                     {0, 1, 1.4143, 3.873, 9.798}};
  const double expected[] = {1, 0, 1, d->third, d->fourth};
  for (int k = 1; k <= 4; k++) {
    double error = (sums[k] / N - expected[k]) * sqrt(N) / spread[d - distributions][k];
    if (fabs(error) > 4.5)
      fail_msg("%s: moment %d is %g instead of %g", d->entry, k, sums[k] / N, expected[k]);
  }
}

static void distributions_are_theirs(void **state) {
  (void)state;
  for (int precision = 0; precision < 2; precision++) {
    struct rig rig;
    open_many(&rig, precision ? NN_PRECISION_F64 : NN_PRECISION_F32);
    for (size_t d = 0; d < sizeof distributions / sizeof *distributions; d++) {
      double *x = draw(&rig, distributions[d].entry, NN_INFER, WIDTH);
      check_moments(&distributions[d], x);
      double distance = ks_distance(x, N, distributions[d].cdf);
      if (distance > 1.63 / sqrt(N))
        fail_msg("%s: distance %g", distributions[d].entry, distance);
      free(x);
    }
    double *coins = draw(&rig, "coins", NN_INFER, WIDTH), ones = 0;
    for (size_t i = 0; i < N; i++) {
      assert_true(coins[i] == 0 || coins[i] == 1);
      ones += coins[i];
    }
    assert_true(fabs(ones / N - 0.3) < 4.5 * sqrt(0.21 / N));
    free(coins);
    rig_close(&rig);
  }
}

// The precision rounds what is drawn, and nothing more.
static void precisions_draw_alike(void **state) {
  (void)state;
  struct rig narrow, wide;
  open_many(&narrow, NN_PRECISION_F32);
  open_many(&wide, NN_PRECISION_F64);
  for (size_t d = 0; d < sizeof distributions / sizeof *distributions; d++) {
    double *x = draw(&narrow, distributions[d].entry, NN_INFER, WIDTH),
           *y = draw(&wide, distributions[d].entry, NN_INFER, WIDTH);
    // As many digits as there are of a number close to 1: of a normal number that is close to 0, and of a Gumbel number
    // that is small, fewer remain.
    for (size_t i = 0; i < N; i++)
      if (fabs(distributions[d].cdf(x[i]) - distributions[d].cdf(y[i])) > 1.4e-4 ||
          (y[i] > 0 && fabs(x[i] - y[i]) > 3.5e-4))
        fail_msg("%s: %.9g in f32, %.17g in f64", distributions[d].entry, x[i], y[i]);
    free(x);
    free(y);
  }
  rig_close(&narrow);
  rig_close(&wide);
}

// Of x[i] and y[i + lag], standardised: a sum of n products, whose standard deviation is 1 / sqrt(n).
static void assert_uncorrelated(const double *x, const double *y, size_t lag, const char *what) {
  double plain = 0, squares = 0;
  size_t n = N - lag;
  for (size_t i = 0; i < n; i++) {
    plain += x[i] * y[i + lag];
    squares += (x[i] * x[i] - 1) * (y[i + lag] * y[i + lag] - 1) / 2;
  }
  if (fabs(plain) > 4 * sqrt((double)n) || fabs(squares) > 4 * sqrt((double)n))
    fail_msg("%s: correlations %g and of the squares %g", what, plain / (double)n, squares / (double)n);
}

// ------------------------------------------------------------------------------------------------ draws of host code

static const char host_model[] =
    "import std.list\nimport std.random\n"
    "fn relaxed(n: int) -> [int] { let x = tensor(0, 1, 2)\n [argmax(gumbel_softmax(x, 0.5)) for _ in 0..10] "
    "}\n"
    "fn floats(n: int) -> [float] { [random() for _ in 0..1000] }\n"
    "fn positions(n: int) -> [int] { [sample([0.5, 0, 2, 1.5]) for _ in 0..1000] }\n"
    "fn indices(n: int) -> [int] { let p = tensor(0, 1, 3)\n [sample(p) for _ in 0..10] }\n"
    "fn pairs(n: int) -> [int] {\n"
    "  var found: [int] = []\n"
    "  for _ in 0..500 {\n"
    "    let pair = sample([1, 2, 0, 4], 2)\n"
    "    found = push(found, 4 * pair[0] + pair[1])\n"
    "  }\n"
    "  found\n"
    "}\n"
    // beside a batch once, in the shape of a batch for each of its elements
    "fn batches(n: int) -> [int] {\n"
    "  let x = to_batch(zeros[3, 4])\n"
    "  [distinct(x + normal[4]), distinct(x + normal()), distinct(x + normal_like(x)), distinct(bernoulli(x "
    "+ 0.5)),\n"
    "   distinct(0 * x + random())]\n"
    "}\n"
    "fn distinct[n](x: f32[4; n]) -> int {\n"
    "  var seen: [[float]] = []\n"
    "  for y in x { if !contains(seen, values(y)) { seen = push(seen, values(y)) } }\n"
    "  len(seen)\n"
    "}\n"
    "fn loss(n: int) -> f32 { random() + float(n) }\n";

// The elements of the lists of all examples, one after the other.
static uint64_t *draw_lists(struct rig *rig, const char *entry, size_t length) {
  rig_run(rig, entry, NN_INFER);
  uint64_t *x = malloc(rig->n * length * sizeof *x);
  for (size_t i = 0; i < rig->n; i++) {
    assert_null(nn_session_error(rig->session, i));
    const struct value_list *list = (void *)(uintptr_t)rig->session->examples[i].run.results[0];
    assert_int_equal(list->length, length);
    memcpy(x + i * length, list->buffer->slots + list->offset, length * sizeof *x);
  }
  return x;
}

// How often each of `n` was drawn, against their probabilities: chi squared (Pearson), which exceeds its mean, the number
// of those that occur less 1, by five of its standard deviations once in some thousand times.
static void check_counts(const char *what, const uint64_t *x, size_t n_drawn, const double *p, size_t n) {
  double distance = 0, freedom = -1;
  for (size_t i = 0; i < n; i++) {
    double count = 0, expected = p[i] * (double)n_drawn;
    for (size_t k = 0; k < n_drawn; k++)
      count += x[k] == i;
    if (p[i] == 0 && count > 0)
      fail_msg("%s: %zu was drawn, which cannot be", what, i);
    distance += p[i] > 0 ? (count - expected) * (count - expected) / expected : 0;
    freedom += p[i] > 0;
  }
  if (distance > freedom + 5 * sqrt(2 * freedom))
    fail_msg("%s: chi squared is %g with %g degrees of freedom", what, distance, freedom);
}

static void host_draws_are_theirs(void **state) {
  (void)state;
  struct rig rig;
  rig_open(&rig, host_model, "loss", &(struct rig_options){.n_examples = EXAMPLES});
  uint64_t *x = draw_lists(&rig, "floats", WIDTH);
  double *floats = malloc(N * sizeof *floats), *centred = malloc(N * sizeof *floats);
  memcpy(floats, x, N * sizeof *floats);
  check_moments(&distributions[1], floats);
  assert_true(ks_distance(floats, N, uniform_cdf) < 1.63 / sqrt(N));
  for (size_t i = 0; i < N; i++)
    centred[i] = (floats[i] - 0.5) * sqrt(12);
  assert_uncorrelated(centred, centred, 1, "neighbours");
  assert_uncorrelated(centred, centred, WIDTH, "examples");
  free(floats);
  free(centred);
  free(x);
  x = draw_lists(&rig, "positions", WIDTH);
  check_counts("sample", x, N, (double[]){0.125, 0, 0.5, 0.375}, 4);
  free(x);
  x = draw_lists(&rig, "indices", 10);
  check_counts("sample of a tensor", x, (size_t)10 * EXAMPLES, (double[]){0, 0.25, 0.75}, 3);
  free(x);
  x = draw_lists(&rig, "relaxed", 10);
  double e = exp(1), total = 1 + e + e * e;
  check_counts("gumbel_softmax", x, (size_t)10 * EXAMPLES, (double[]){1 / total, e / total, e * e / total},
               3);
  free(x);
  x = draw_lists(&rig, "batches", 5);
  size_t several = 0;
  for (size_t i = 0; i < EXAMPLES; i++) {
    assert_int_equal(x[5 * i], 1);
    assert_int_equal(x[5 * i + 1], 1);
    assert_int_equal(x[5 * i + 2], 3);
    several += x[5 * i + 3] > 1;
    assert_int_equal(x[5 * i + 4], 1);
  }
  assert_true(several > EXAMPLES / 2);
  free(x);
  // The second is drawn with the weights of those that are left.
  double pairs[16] = {0}, weights[] = {1, 2, 0, 4};
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < 4; k++)
      pairs[4 * i + k] = i == k ? 0 : weights[i] / 7 * weights[k] / (7 - weights[i]);
  x = draw_lists(&rig, "pairs", 500);
  check_counts("sample without replacement", x, (size_t)500 * EXAMPLES, pairs, 16);
  free(x);
  rig_close(&rig);
}

// ------------------------------------------------------------------------------------------------- independence

static void draws_are_independent(void **state) {
  (void)state;
  struct rig rig;
  open_many(&rig, NN_PRECISION_F32);
  double *x = draw(&rig, "normals", NN_INFER, WIDTH), *y;
  // Neighbours, those that share words and counters, and other examples.
  static const size_t lags[] = {1, 2, 4, 8, 15, 16, 17, 32, 48, 64, 128, WIDTH, 2 * WIDTH};
  for (size_t i = 0; i < sizeof lags / sizeof *lags; i++)
    assert_uncorrelated(x, x, lags[i], "elements or examples");
  y = draw(&rig, "others", NN_INFER, WIDTH);
  assert_uncorrelated(x, y, 0, "sites");
  free(y);
  double *twice = draw(&rig, "twice", NN_INFER, 2 * WIDTH);
  y = malloc(2 * N * sizeof *y);
  for (size_t i = 0; i < EXAMPLES; i++)
    for (size_t k = 0; k < 2 * WIDTH; k++)
      y[k / WIDTH * N + i * WIDTH + k % WIDTH] = twice[i * 2 * WIDTH + k];
  assert_uncorrelated(y, y + N, 0, "two draws of one function");
  free(twice);
  free(y);
  for (uint64_t epoch = 1; epoch < 3; epoch++) {
    rig_check(nn_training_begin_epoch(rig.model, epoch, rig.n, false));
    y = draw(&rig, "normals", NN_TRAIN, WIDTH);
    assert_uncorrelated(x, y, 0, "epochs");
    free(x);
    x = y;
  }
  free(x);
  rig_close(&rig);
}

// ---------------------------------------------------------------------------------------- what they depend on

// Control flow of every kind; each execution draws anew.
static const char *const programs[] = {
    // a loop, a function that is called twice, a generic one, a comprehension
    "dim H = 5\nvocab Word\nparam E: f32[Word, H]\nparam s: f32[H] = constant(0.5)\n"
    "fn noisy[n](x: f32[n], scale: f32[n]) -> f32[n] { x + scale * normal_like(x) }\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  var h = zeros[H]\n"
    "  for w in words { h = tanh(noisy(h, s) + noisy(E[w], exp(s)) + s * gumbel[H]) }\n"
    "  let xs = [noisy(E[w], s) for w in words]\n"
    "  sum(square(h)) + sum(square(mean(xs))) + square(normal() * s[1])\n"
    "}\n",
    // recursion, and branches that draw or do not
    "dim H = 4\ndata Tree = Leaf(x: float) | Node(left: Tree, right: Tree)\nparam W: f32[H, H]\nparam b: "
    "f32[H]\n"
    "fn encode(t: Tree) -> f32[H] {\n"
    "  match t {\n"
    "    Leaf(x) => if x > 0 { b + x * uniform[H] } else { b * x }\n"
    "    Node(left, right) => tanh(W @ encode(left) + encode(right) + b * normal[H])\n"
    "  }\n"
    "}\n"
    "fn loss(t: Tree) -> f32 { sum(square(encode(t))) }\n",
    // decisions about what was drawn
    "dim H = 4\nvocab Word\nparam E: f32[Word, H]\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  var total: f32 = 0\n"
    "  for w in words {\n"
    "    let i = argmax(E[w] + gumbel[H])\n"
    "    total = total + if i > 1 { sum(square(E[w])) } else { sum(E[w] * normal[H]) }\n"
    "  }\n"
    "  total\n"
    "}\n",
    // host code that draws, in what decides and between decisions
    "dim H = 4\nvocab Word\nparam E: f32[Word, H]\n"
    "fn walk(w: Word, depth: int) -> f32 {\n"
    "  if depth == 0 || random() < 0.25 { E[w][depth % 4] } else { E[w][sample([1, 2, 0, 1])] * walk(w, "
    "depth - 1) }\n"
    "}\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  var total: f32 = 0\n"
    "  for w in words {\n"
    "    for i in sample(exp(E[w]), 2) { total = total + E[w][i] * random() }\n"
    "    total = total + walk(words[sample([1.0 for _ in words])], 3)\n"
    "    total = total + dot(E[w], normal[H]) * float(sample(exp(E[w])))\n"
    "  }\n"
    "  square(total)\n"
    "}\n",
    // tensors as long as a list
    "dim H = 4\nvocab Word\nparam E: f32[Word, H]\nparam q: f32[H]\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  let X = tensor([E[w] for w in words])\n"
    "  let noisy = X + 0.5 * normal_like(X)\n"
    "  let s = softmax(noisy @ q + gumbel_like(noisy @ q))\n"
    "  sum(square(s @ X)) + sum(square(X) * uniform_like(X)) + square(normal() * q[0])\n"
    "}\n",
};
enum { N_PROGRAMS = sizeof programs / sizeof *programs };

static void same_bits_everywhere(void **state) {
  (void)state;
  for (size_t p = 0; p < N_PROGRAMS; p++)
    rig_same_bits(programs[p]);
}

// Noise is a number like others: what stands beside it has a gradient.
static void gradients_beside_noise(void **state) {
  (void)state;
  for (size_t p = 0; p < N_PROGRAMS; p++)
    if (p != 2 && p != 3)  // their decisions are steps
      assert_true(rig_right_gradients(programs[p]));
}

static double *losses(struct rig *rig, nn_mode mode) {
  double *values = calloc(rig->n, sizeof *values);
  rig_run(rig, "loss", mode);
  for (size_t i = 0; i < rig->n; i++)
    values[i] = nn_session_number(rig->session, i);
  return values;
}

static size_t count_equal(const double *a, const double *b, size_t n) {
  size_t equal = 0;
  for (size_t i = 0; i < n; i++)
    equal += memcmp(&a[i], &b[i], sizeof *a) == 0;
  return equal;
}

// Each epoch of training draws anew, also when it is taken up later; evaluation always draws the same.
static void epochs_matter_in_training_alone(void **state) {
  (void)state;
  enum { N_EXAMPLES = 20 };
  for (size_t p = 0; p < N_PROGRAMS; p++) {
    struct rig rig;
    rig_open(&rig, programs[p], "loss", &(struct rig_options){.n_examples = N_EXAMPLES});
    double *before = losses(&rig, NN_INFER), *trained[2];
    for (uint64_t epoch = 1; epoch <= 2; epoch++) {
      rig_check(nn_training_begin_epoch(rig.model, epoch, N_EXAMPLES, false));
      trained[epoch - 1] = losses(&rig, NN_TRAIN);
    }
    double *after = losses(&rig, NN_INFER), *gradient = losses(&rig, NN_GRADIENT);
    assert_int_equal(count_equal(before, after, N_EXAMPLES), N_EXAMPLES);
    assert_int_equal(count_equal(before, gradient, N_EXAMPLES), N_EXAMPLES);
    assert_true(count_equal(before, trained[0], N_EXAMPLES) < N_EXAMPLES / 2);
    assert_true(count_equal(trained[0], trained[1], N_EXAMPLES) < N_EXAMPLES / 2);
    rig_close(&rig);
    // Another process, which begins with the second epoch, in another order and in small minibatches.
    rig_open(&rig, programs[p], "loss", &(struct rig_options){.n_examples = N_EXAMPLES, .threads = 2});
    rig_check(nn_training_begin_epoch(rig.model, 2, N_EXAMPLES, true));
    const size_t *examples;
    for (size_t n; (n = nn_training_next(rig.model, 3, &examples)) > 0;) {
      rig_check(nn_session_run(rig.session, rig_entry(&rig, "loss"), rig.data, examples, n, NN_TRAIN));
      for (size_t i = 0; i < n; i++) {
        double loss = nn_session_number(rig.session, i);
        assert_memory_equal(&loss, &trained[1][examples[i]], sizeof loss);
      }
    }
    rig_close(&rig);
    double *all[] = {before, trained[0], trained[1], after, gradient};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
      free(all[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(distributions_are_theirs),
      cmocka_unit_test(precisions_draw_alike),
      cmocka_unit_test(draws_are_independent),
      cmocka_unit_test(host_draws_are_theirs),
      cmocka_unit_test(same_bits_everywhere),
      cmocka_unit_test(gradients_beside_noise),
      cmocka_unit_test(epochs_matter_in_training_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

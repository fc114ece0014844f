// Optimisers against steps worked by hand, sparse against dense, and what is refused.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/runtime/rig.h"

// The gradient of w[k] is how often the example's words are k, times x.
static const char counts_model[] =
    "vocab Word\n"
    "param w: f32[Word] = constant(0.5)\n"
    "param v: f32[Word] = constant(0.25)\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  var terms: [f32] = [sum(w) * 0]\n"
    "  for word in words { terms = push(terms, pick(w, word) + 2 * pick(v, word)) }\n"
    "  sum(terms)\n"
    "}\n";

static const char lookup_model[] =
    "dim H = 5\n"
    "vocab Word\n"
    "param E: f32[Word, H] = normal(0.5)\n"
    "param o: f32[H] = normal(0.5)\n"
    "fn loss(words: [Word]) -> f32 { sum([square(dot(E[word], o) - 1) for word in words]) }\n";

struct setup {
  struct rig rig;
  nn_optimiser *optimiser;
  double *w, *g;  // of the parameter `w`: values after the last step, and the gradient by counting
  size_t n;
};

static void open_setup(struct setup *setup, const nn_optimiser_options *options) {
  struct rig_options how = {.precision = NN_PRECISION_F64, .stand_in = true, .n_examples = 3};
  *setup = (struct setup){0};
  rig_open(&setup->rig, counts_model, "loss", &how);
  rig_check(nn_optimiser_new(setup->rig.model, options, &setup->optimiser));
  nn_param_info info = nn_model_param(setup->rig.model, 0);
  assert_string_equal(info.name, "w");
  setup->w = param_values(setup->rig.model, 0);
  setup->n = info.elements;
  setup->g = calloc(setup->n, sizeof *setup->g);
  for (size_t i = 0; i < setup->rig.n; i++) {
    const struct value_list *words = (const struct value_list *)(uintptr_t)setup->rig.data->slots[i];
    for (uint64_t k = 0; k < words->length; k++)
      setup->g[words->buffer->slots[words->offset + k]] += 1;
  }
}

static void close_setup(struct setup *setup) {
  nn_optimiser_free(setup->optimiser);
  rig_close(&setup->rig);
  free(setup->w);
  free(setup->g);
}

static void read_values(struct setup *setup) {
  free(setup->w);
  setup->w = param_values(setup->rig.model, 0);
}

static void step(struct setup *setup) {
  rig_run(&setup->rig, "loss", NN_TRAIN);
  rig_check(nn_session_backward(setup->rig.session, 1));
  rig_check(nn_optimiser_step(setup->optimiser, setup->rig.session));
  read_values(setup);
}

static void expect(const struct setup *setup, const double *w) {
  for (size_t i = 0; i < setup->n; i++)
    if (fabs(setup->w[i] - w[i]) > 1e-14)
      fail_msg("element %zu: %.17g, expected %.17g", i, setup->w[i], w[i]);
}

static void start_values(const struct setup *setup, double *w) {
  for (size_t i = 0; i < setup->n; i++)
    w[i] = 0.5;
}

static void test_sgd(void **state) {
  (void)state;
  nn_optimiser_options options = nn_optimiser_default(NN_SGD);
  options.rate = 0.25;
  options.decay = 0.125;
  struct setup setup;
  open_setup(&setup, &options);
  double w[8];
  start_values(&setup, w);
  for (int t = 0; t < 3; t++) {
    step(&setup);
    for (size_t i = 0; i < setup.n; i++)
      w[i] -= 0.25 * (setup.g[i] + 0.125 * w[i]);
    expect(&setup, w);
  }
  close_setup(&setup);
}

static void test_momentum(void **state) {
  (void)state;
  nn_optimiser_options options = nn_optimiser_default(NN_MOMENTUM);
  struct setup setup;
  open_setup(&setup, &options);
  double w[8];
  start_values(&setup, w);
  // With a constant gradient the velocity after t steps is g (1 - 0.9^t) / 0.1.
  for (int t = 1; t <= 4; t++) {
    step(&setup);
    for (size_t i = 0; i < setup.n; i++)
      w[i] -= 0.01 * setup.g[i] * (1 - pow(0.9, t)) / 0.1;
    expect(&setup, w);
  }
  close_setup(&setup);
}

static void test_adagrad(void **state) {
  (void)state;
  nn_optimiser_options options = nn_optimiser_default(NN_ADAGRAD);
  options.rate = 0.5;
  struct setup setup;
  open_setup(&setup, &options);
  double w[8];
  start_values(&setup, w);
  // With a constant gradient the t-th step is rate / sqrt(t), whatever the gradient.
  for (int t = 1; t <= 4; t++) {
    step(&setup);
    for (size_t i = 0; i < setup.n; i++)
      if (setup.g[i] > 0)
        w[i] -= 0.5 * setup.g[i] / (setup.g[i] * sqrt(t) + 1e-10);
    expect(&setup, w);
  }
  close_setup(&setup);
}

static void test_adam(void **state) {
  (void)state;
  nn_optimiser_options options = nn_optimiser_default(NN_ADAM);
  options.decay = 0.5;
  struct setup setup;
  open_setup(&setup, &options);
  double w[8];
  start_values(&setup, w);
  // With a constant gradient both corrected moments are exact from the first step on: g and g^2.
  for (int t = 1; t <= 4; t++) {
    step(&setup);
    for (size_t i = 0; i < setup.n; i++) {
      w[i] -= 0.001 * 0.5 * w[i];
      if (setup.g[i] > 0)
        w[i] -= 0.001 * setup.g[i] / (setup.g[i] + 1e-8);
    }
    for (size_t i = 0; i < setup.n; i++)
      assert_true(fabs(setup.w[i] - w[i]) < 1e-12);
  }
  close_setup(&setup);
}

// The norm is over all parameters: v's gradient is twice w's.
static void test_clipping(void **state) {
  (void)state;
  nn_optimiser_options options = nn_optimiser_default(NN_SGD);
  options.rate = 1;
  options.clip = 0.75;
  struct setup setup;
  open_setup(&setup, &options);
  double w[8], squares = 0;
  start_values(&setup, w);
  for (size_t i = 0; i < setup.n; i++)
    squares += 5 * setup.g[i] * setup.g[i];
  step(&setup);
  assert_true(fabs(nn_optimiser_norm(setup.optimiser) - sqrt(squares)) < 1e-12);
  for (size_t i = 0; i < setup.n; i++)
    w[i] -= setup.g[i] * 0.75 / sqrt(squares);
  expect(&setup, w);
  close_setup(&setup);
  options.clip = 1e9;
  open_setup(&setup, &options);
  start_values(&setup, w);
  step(&setup);
  for (size_t i = 0; i < setup.n; i++)
    w[i] -= setup.g[i];
  expect(&setup, w);
  close_setup(&setup);
}

// --------------------------------------------------------------------------------------------- lookup tables

// Five steps of Adam over a table; the words of each step are given. Returns a copy of the table.
static double *train_table(nn_sparse sparse, bool as_dense, int threads) {
  struct rig_options how = {
      .precision = NN_PRECISION_F64, .stand_in = true, .n_examples = 10, .threads = threads};
  struct rig rig;
  rig_open(&rig, lookup_model, "loss", &how);
  nn_param_info info = nn_model_param(rig.model, 0);
  assert_string_equal(info.name, "E");
  assert_true(info.sparse);
  if (as_dense)
    rig.model->params.list[0].sparse = false;
  nn_optimiser_options options = nn_optimiser_default(NN_ADAM);
  options.sparse = sparse;
  options.rate = 0.05;
  options.clip = 0.5;
  nn_optimiser *optimiser;
  rig_check(nn_optimiser_new(rig.model, &options, &optimiser));
  for (size_t i = 0; i < 5; i++) {
    double loss;
    size_t failed;
    rig_check(nn_session_train(rig.session, optimiser, rig_entry(&rig, "loss"), rig.data,
                               &rig.examples[2 * i], 2, NN_LOSS_MEAN, &loss, &failed));
    assert_int_equal(failed, 0);
  }
  double *table = param_values(rig.model, 0);
  nn_optimiser_free(optimiser);
  rig_close(&rig);
  return table;
}

static void test_sparse(void **state) {
  (void)state;
  double *lazy = train_table(NN_SPARSE_LAZY, false, 1), *exact = train_table(NN_SPARSE_EXACT, false, 1);
  double *dense = train_table(NN_SPARSE_LAZY, true, 1), *threaded = train_table(NN_SPARSE_LAZY, false, 3);
  // Exact is what a dense gradient gives, to the order in which the norm is summed.
  for (int i = 0; i < 40; i++)
    assert_true(fabs(exact[i] - dense[i]) < 1e-12);
  assert_memory_equal(lazy, threaded, 40 * sizeof *lazy);
  // Lazy leaves rows alone that exact still moves by their first moment.
  bool differ = false;
  for (int i = 0; i < 40; i++)
    differ |= fabs(lazy[i] - exact[i]) > 1e-6;
  assert_true(differ);
  free(lazy);
  free(exact);
  free(dense);
  free(threaded);
}

// ---- exact against dense: the same model trained with a table whose gradient is called sparse, and with one whose
// gradient is called dense, which updates every element in every step.

// Its gradients stay between 1 and 3 and vary with the weights, so that rounding is not magnified.
static const char slope_model[] =
    "dim H = 5\n"
    "vocab Word\n"
    "param E: f32[Word, H] = normal(0.5)\n"
    "fn loss(words: [Word]) -> f32 { sum([2 * sum(E[w]) + sum(sqrt(square(E[w]) + 1)) for w in words]) }\n";

struct course {
  nn_algorithm algorithm;
  double rate, decay, momentum, beta1, beta2, clip;
  bool schedule;  // the rate changes every few steps
  size_t steps;
  nn_precision precision;
};

enum { TABLE = 8 * 5 };

// Most steps look up one or two rows; each of the others is left alone for stretches of many lengths.
static void words_of_step(size_t step, uint64_t words[2]) {
  static const size_t periods[] = {1, 2, 5, 17, 60, 211, 700, 100000};
  words[0] = words[1] = 0;
  for (size_t row = 1; row < 8; row++)
    if (step % periods[row] == row % periods[row])
      words[1] = row;
}

// table[] after the course; looked at on the way when `look`.
static void run_course(const struct course *course, bool dense, bool look, nn_autobatch autobatch,
                       int threads, double *table) {
  struct rig_options how = {.precision = course->precision,
                            .stand_in = true,
                            .n_examples = 1,
                            .threads = threads,
                            .autobatch = autobatch};
  struct rig rig;
  rig_open(&rig, slope_model, "loss", &how);
  if (dense)
    rig.model->params.list[0].sparse = false;
  nn_optimiser_options options = nn_optimiser_default(course->algorithm);
  options.rate = course->rate;
  options.decay = course->decay;
  options.clip = course->clip;
  if (course->momentum > 0)
    options.momentum = course->momentum;
  if (course->beta1 > 0)
    options.beta1 = course->beta1;
  if (course->beta2 > 0)
    options.beta2 = course->beta2;
  nn_optimiser *optimiser;
  rig_check(nn_optimiser_new(rig.model, &options, &optimiser));
  for (size_t step = 0; step < course->steps; step++) {
    uint64_t words[2];
    words_of_step(step, words);
    rig_set_words(&rig, 0, 2, words);
    if (course->schedule && step % 40 == 0)
      nn_optimiser_set_rate(optimiser, course->rate * (1 + (double)(step / 40 % 5)));
    double loss;
    size_t failed;
    rig_check(nn_session_train(rig.session, optimiser, rig_entry(&rig, "loss"), rig.data, rig.examples, 1,
                               NN_LOSS_MEAN, &loss, &failed));
    assert_int_equal(failed, 0);
    if (look && step % 97 == 0)
      free(param_values(rig.model, 0));
  }
  double *values = param_values(rig.model, 0);
  memcpy(table, values, TABLE * sizeof *table);
  free(values);
  nn_optimiser_free(optimiser);
  rig_close(&rig);
}

static void expect_near(const double *a, const double *b, double tolerance, const char *what) {
  for (size_t i = 0; i < TABLE; i++)
    if (!(fabs(a[i] - b[i]) <= tolerance * (1 + fabs(b[i]))))
      fail_msg("%s: element %zu: %.17g, dense %.17g: %.2g", what, i, a[i], b[i], fabs(a[i] - b[i]));
}

static void test_exact_is_dense(void **state) {
  (void)state;
  static const struct course courses[] = {
      {.algorithm = NN_SGD, .rate = 0.02},
      {.algorithm = NN_SGD, .rate = 0.02, .decay = 0.1},
      {.algorithm = NN_SGD, .rate = 0.02, .decay = 0.1, .schedule = true},
      {.algorithm = NN_SGD, .rate = 0.02, .decay = 60},  // more than all of it in one step
      {.algorithm = NN_MOMENTUM, .rate = 0.01},
      {.algorithm = NN_MOMENTUM, .rate = 0.01, .decay = 0.05, .clip = 0.1},
      {.algorithm = NN_MOMENTUM, .rate = 0.0004, .decay = 0.01, .momentum = 0.99, .schedule = true},
      {.algorithm = NN_ADAGRAD, .rate = 0.05},
      {.algorithm = NN_ADAGRAD, .rate = 0.05, .decay = 0.01},
      {.algorithm = NN_ADAM, .rate = 0.01},
      {.algorithm = NN_ADAM, .rate = 0.01, .decay = 0.1, .clip = 0.5},
      {.algorithm = NN_ADAM, .rate = 0.01, .decay = 0.1, .schedule = true},
      {.algorithm = NN_ADAM, .rate = 0.002, .beta1 = 0.8, .beta2 = 0.9},
      {.algorithm = NN_ADAM,
       .rate = 0.002,
       .beta1 = 0.95,
       .beta2 = 0.8},  // the first moment outlives the second
      {.algorithm = NN_ADAM, .rate = 0.002, .beta1 = 0.99, .beta2 = 0.9999},
  };
  for (size_t c = 0; c < sizeof courses / sizeof *courses; c++) {
    for (int precision = 0; precision < 2; precision++) {
      struct course course = courses[c];
      course.steps = precision ? 900 : 500;
      course.precision = precision ? NN_PRECISION_F64 : NN_PRECISION_F32;
      double exact[TABLE], dense[TABLE], looked[TABLE];
      char what[64];
      snprintf(what, sizeof what, "course %zu, %s", c, precision ? "f64" : "f32");
      run_course(&course, true, false, NN_AUTOBATCH_AUTO, 1, dense);
      run_course(&course, false, false, NN_AUTOBATCH_AUTO, 1, exact);
      run_course(&course, false, true, NN_AUTOBATCH_AUTO, 1, looked);
      double tolerance = precision ? 1e-12 : 2e-5;
      expect_near(exact, dense, tolerance, what);
      expect_near(looked, dense, tolerance, what);
      // The same bits in every mode and with every number of threads.
      double again[TABLE];
      run_course(&course, false, false, c % 2 ? NN_AUTOBATCH_OFF : NN_AUTOBATCH_AGENDA, 1 + (int)c % 3,
                 again);
      assert_memory_equal(again, exact, sizeof exact);
    }
  }
}

// A row that no example looks up does not move, even with decay.
static void test_lazy_rows(void **state) {
  (void)state;
  struct rig_options how = {.precision = NN_PRECISION_F64, .stand_in = true, .n_examples = 2};
  struct rig rig;
  rig_open(&rig, lookup_model, "loss", &how);
  double *before = param_values(rig.model, 0);
  bool used[8] = {0};
  for (size_t i = 0; i < rig.n; i++) {
    const struct value_list *words = (const struct value_list *)(uintptr_t)rig.data->slots[i];
    for (uint64_t k = 0; k < words->length; k++)
      used[words->buffer->slots[words->offset + k]] = true;
  }
  for (int algorithm = NN_SGD; algorithm <= NN_ADAM; algorithm++) {
    nn_optimiser_options options = nn_optimiser_default((nn_algorithm)algorithm);
    options.decay = 0.1;
    options.sparse = NN_SPARSE_LAZY;
    nn_optimiser *optimiser;
    rig_check(nn_optimiser_new(rig.model, &options, &optimiser));
    double loss;
    size_t failed;
    rig_check(nn_session_train(rig.session, optimiser, rig_entry(&rig, "loss"), rig.data, rig.examples, rig.n,
                               NN_LOSS_SUM, &loss, &failed));
    nn_optimiser_free(optimiser);
  }
  double *after = param_values(rig.model, 0);
  for (int row = 0; row < 8; row++)
    for (int i = 0; i < 5; i++)
      assert_int_equal(after[row * 5 + i] != before[row * 5 + i], used[row]);
  free(before);
  free(after);
  rig_close(&rig);
}

// Which rows are touched is a matter of the example's own dataflow: a row that was looked up and from whose value no
// loss follows has no gradient, whatever runs in the same batch. `c` is looked up by the first two of them and used by
// none of them; in the last one the value is used behind stop_gradient.
static const char *const untouched_models[] = {
    "vocab Word\nparam E: f32[Word, 2] = ones\n"
    "fn loss(ws: [Word]) -> f32 {\n"
    "  let hs = [tanh(E[w]) for w in ws]\n"
    "  var total: f32 = 0\n"
    "  for i in 1..len(ws) { total = total + dot(hs[i - 1], hs[i]) }\n"
    "  total\n"
    "}\n",
    "vocab Word\nparam E: f32[Word, 2] = ones\n"
    "fn loss(ws: [Word]) -> f32 {\n"
    "  var all: [(f32[2], f32[2])] = []\n"
    "  for w in ws { let x = tanh(E[w])\n all = push(all, (x, sqrt(E[w] - 1))) }\n"
    "  if len(ws) > 1 { dot(all[0].0, all[1].0) } else { 0 * float(len(all)) }\n"
    "}\n",
    "vocab Word\nparam E: f32[Word, 2] = ones\n"
    "fn loss(ws: [Word]) -> f32 {\n"
    "  let hs = [tanh(E[w]) for w in ws]\n"
    "  if len(ws) > 1 { dot(hs[0], hs[1]) } else { sum(stop_gradient(hs[0])) }\n"
    "}\n",
};

static void test_untouched_rows(void **state) {
  (void)state;
  static const nn_autobatch policies[] = {NN_AUTOBATCH_OFF, NN_AUTOBATCH_DEPTH, NN_AUTOBATCH_AGENDA,
                                          NN_AUTOBATCH_AUTO};
  for (size_t m = 0; m < 3; m++) {
    for (int how = 0; how < 8; how++) {
      struct rig_options options = {
          .stand_in = true, .n_examples = 2, .autobatch = policies[how % 4], .threads = 1 + how / 4};
      struct rig rig;
      rig_open(&rig, untouched_models[m], "loss", &options);
      rig_set_words(&rig, 0, 2, (const uint64_t[]){1, 1});
      rig_set_words(&rig, 1, 1, (const uint64_t[]){3});
      nn_optimiser_options sgd = nn_optimiser_default(NN_SGD);
      sgd.rate = 0.5;
      sgd.decay = 0.1;
      sgd.sparse = NN_SPARSE_LAZY;
      nn_optimiser *optimiser;
      rig_check(nn_optimiser_new(rig.model, &sgd, &optimiser));
      double loss;
      size_t failed;
      rig_check(nn_session_train(rig.session, optimiser, rig_entry(&rig, "loss"), rig.data, rig.examples, 2,
                                 NN_LOSS_MEAN, &loss, &failed));
      double *E = param_values(rig.model, 0);
      assert_true(E[2] != 1 && E[3] != 1 && isfinite(E[2]));
      assert_true(E[6] == 1 && E[7] == 1);
      free(E);
      nn_optimiser_free(optimiser);
      rig_close(&rig);
    }
  }
}

// A gradient that is not finite changes nothing, with and without clipping.
static void test_not_finite(void **state) {
  (void)state;
  for (int clip = 0; clip < 2; clip++) {
    nn_optimiser_options options = nn_optimiser_default(NN_MOMENTUM);
    options.clip = clip;
    struct setup setup;
    open_setup(&setup, &options);
    step(&setup);
    double w[8];
    memcpy(w, setup.w, setup.n * sizeof *w);
    for (int infinite = 0; infinite < 2; infinite++) {
      rig_run(&setup.rig, "loss", NN_TRAIN);
      rig_check(nn_session_backward(setup.rig.session, 1));
      const double bad = infinite ? -INFINITY : NAN;
      struct device *device = setup.rig.model->device;
      rig_check(device->ops->write_param(device, DEVICE_GRADIENTS, 0, setup.n - 1, 1, &bad));
      nn_status *status = nn_optimiser_step(setup.optimiser, setup.rig.session);
      assert_int_equal(nn_status_code(status), NN_NOT_FINITE);
      nn_status_free(status);
      read_values(&setup);
      assert_memory_equal(w, setup.w, setup.n * sizeof *w);
    }
    step(&setup);
    for (size_t i = 0; i < setup.n; i++)
      assert_true(isfinite(setup.w[i]));
    close_setup(&setup);
  }
}

// The loss falls, in both precisions.
static void test_learning(void **state) {
  (void)state;
  for (int precision = 0; precision < 2; precision++) {
    struct rig_options how = {
        .precision = (nn_precision)precision, .stand_in = true, .n_examples = 10, .threads = 2};
    struct rig rig;
    rig_open(&rig, rig_tree_model, "loss", &how);
    nn_optimiser_options options = nn_optimiser_default(NN_ADAM);
    options.rate = 0.02;
    nn_optimiser *optimiser;
    rig_check(nn_optimiser_new(rig.model, &options, &optimiser));
    double first = 0, loss = 0;
    size_t failed;
    for (int t = 0; t < 80; t++) {
      rig_check(nn_session_train(rig.session, optimiser, rig_entry(&rig, "loss"), rig.data, rig.examples,
                                 rig.n, NN_LOSS_MEAN, &loss, &failed));
      if (t == 0)
        first = loss;
    }
    assert_true(loss < 0.6 * first);
    nn_optimiser_free(optimiser);
    rig_close(&rig);
  }
}

static void test_refused(void **state) {
  (void)state;
  struct rig_options how = {.stand_in = true};
  struct rig rig;
  rig_open(&rig, lookup_model, "loss", &how);
  nn_optimiser *optimiser = NULL;
  nn_optimiser_options bad[3] = {nn_optimiser_default(NN_ADAM), nn_optimiser_default(NN_SGD),
                                 nn_optimiser_default(NN_MOMENTUM)};
  bad[0].beta1 = 1;
  bad[1].rate = -1;
  bad[2].decay = NAN;
  for (int i = 0; i < 3; i++) {
    nn_status *status = nn_optimiser_new(rig.model, &bad[i], &optimiser);
    assert_int_equal(nn_status_code(status), NN_INVALID);
    nn_status_free(status);
  }
  rig_check(nn_optimiser_new(rig.model, NULL, &optimiser));
  nn_status *status = nn_optimiser_step(optimiser, rig.session);
  assert_int_equal(nn_status_code(status), NN_INVALID);
  nn_status_free(status);
  nn_algorithm algorithm;
  assert_true(nn_algorithm_parse("adagrad", &algorithm) && algorithm == NN_ADAGRAD);
  assert_false(nn_algorithm_parse("adagra", &algorithm));
  nn_optimiser_free(optimiser);
  rig_close(&rig);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sgd),
      cmocka_unit_test(test_momentum),
      cmocka_unit_test(test_adagrad),
      cmocka_unit_test(test_adam),
      cmocka_unit_test(test_clipping),
      cmocka_unit_test(test_sparse),
      cmocka_unit_test(test_lazy_rows),
      cmocka_unit_test(test_learning),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_exact_is_dense),
      cmocka_unit_test(test_untouched_rows),
      cmocka_unit_test(test_not_finite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

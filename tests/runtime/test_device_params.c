// What every device must do with parameters (runtime/kernel/device.h), for each device of this build: keep what is
// written, give gradients that are known, and make the steps of every optimiser as a plain loop in double makes them.
// Only functions of the device are used, so that a device with a memory of its own passes or fails like the processor.
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

// A table, which has gradients by rows, a vector and a family; every gradient but that of a row that no example looks
// up lies between 0.2 and 40, so that steps are not ruled by rounding.
static const char steps_model[] =
    "dim H = 5\n"
    "vocab Word\n"
    "layer Part(N: dim) {\n"
    "  param p: f32[N, N] = normal(0.5)\n"
    "  fn apply() -> f32 { sum(sqrt(square(p) + 1)) + 2 * sum(p) }\n"
    "}\n"
    "param E: f32[Word, H] = normal(0.5)\n"
    "param o: f32[H] = ones\n"
    "let parts = [Part(H) for i in 0..2]\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  let terms = [2 * sum(E[w]) + sum(sqrt(square(E[w]) + 1)) + sum(square(o)) for w in words]\n"
    "  sum(terms) + parts[0].apply() + parts[1].apply()\n"
    "}\n";

static const nn_precision precisions[] = {NN_PRECISION_F32, NN_PRECISION_F64};

static void open_on(struct rig *rig, const char *device, const char *source, nn_precision precision) {
  const struct rig_options options = {.precision = precision, .device = device, .threads = 2};
  rig_open(rig, source, "loss", &options);
}

static struct device *device_of(const struct rig *rig) { return rig->model->device; }

static size_t elements_of(const struct rig *rig, uint32_t member) {
  return param_shapes_of(&rig->model->params, member)->elements;
}

static double *read_all(const struct rig *rig, enum device_array array, uint32_t member) {
  size_t n = elements_of(rig, member);
  double *numbers = calloc(n, sizeof *numbers);
  rig_check(device_read_numbers(device_of(rig), array, member, 0, n, numbers));
  return numbers;
}

static nn_status *write_number(const struct rig *rig, enum device_array array, uint32_t member, size_t at,
                               double number) {
  float narrow = (float)number;
  const void *from = rig->model->element == NN_F64 ? (const void *)&number : &narrow;
  return device_of(rig)->ops->write_param(device_of(rig), array, member, at, 1, from);
}

static void refused(nn_status *status, nn_code code) {
  assert_int_equal(nn_status_code(status), code);
  nn_status_free(status);
}

static void for_each_device(void (*check)(const char *device, nn_precision)) {
  for (size_t d = 0; d < nn_device_count(); d++)
    for (int p = 0; p < 2; p++)
      check(nn_device_name(d), precisions[p]);
}

// ------------------------------------------------------------------------------------------------- arrays

// Numbers that differ from element to element and from member to member, and are exact in single precision.
static double pattern(uint32_t member, size_t i) { return (double)(member * 1000 + i) * 0.25 - 3; }

static void write_pieces(const struct rig *rig, enum device_array array, uint32_t member, size_t piece) {
  const struct device_ops *ops = device_of(rig)->ops;
  double wide[64];
  float narrow[64];
  for (size_t at = 0, n, all = elements_of(rig, member); at < all; at += n) {
    n = all - at < piece ? all - at : piece;
    for (size_t i = 0; i < n; i++) {
      wide[i] = pattern(member, at + i);
      narrow[i] = (float)wide[i];
    }
    rig_check(ops->write_param(device_of(rig), array, member, at, n,
                               rig->model->element == NN_F64 ? (const void *)wide : narrow));
  }
}

static void expect_pattern(const struct rig *rig, enum device_array array, uint32_t member, size_t piece) {
  double numbers[64];
  for (size_t at = 0, n, all = elements_of(rig, member); at < all; at += n) {
    n = all - at < piece ? all - at : piece;
    rig_check(device_read_numbers(device_of(rig), array, member, at, n, numbers));
    for (size_t i = 0; i < n; i++)
      assert_true(numbers[i] == pattern(member, at + i));
  }
}

static void keeps_what_is_written(const char *device, nn_precision precision) {
  static const enum device_array arrays[] = {DEVICE_VALUES, DEVICE_GRADIENTS, DEVICE_MOMENT_1,
                                             DEVICE_MOMENT_2};
  static const size_t pieces[] = {1, 7, 64};
  for (int p = 0; p < 3; p++) {
    struct rig rig;
    open_on(&rig, device, steps_model, precision);
    const nn_optimiser_options adam = nn_optimiser_default(NN_ADAM);
    uint32_t n_members = rig.model->params.n_members;
    rig_check(device_of(&rig)->ops->begin_updates(device_of(&rig), &adam, 0));
    for (int a = 0; a < 4; a++) {
      for (uint32_t m = 0; m < n_members; m++)
        write_pieces(&rig, arrays[a], m, pieces[p]);
      for (uint32_t m = 0; m < n_members; m++)
        expect_pattern(&rig, arrays[a], m, pieces[2 - p]);
    }
    // One array is not another, one element not its neighbour.
    rig_check(write_number(&rig, DEVICE_VALUES, 0, 3, 77));
    double *values = read_all(&rig, DEVICE_VALUES, 0);
    assert_true(values[2] == pattern(0, 2) && values[3] == 77 && values[4] == pattern(0, 4));
    free(values);
    expect_pattern(&rig, DEVICE_GRADIENTS, 0, 64);
    expect_pattern(&rig, DEVICE_MOMENT_1, 0, 64);
    device_of(&rig)->ops->end_updates(device_of(&rig));
    rig_close(&rig);
  }
}

static void test_written(void **state) {
  (void)state;
  for_each_device(keeps_what_is_written);
}

// Another device of the same kind in the model's place, on which nothing has run yet; *kept is the model's own.
static void open_unused(struct rig *rig, struct device **kept) {
  *kept = rig->model->device;
  rig_check((*kept)->ops->open(&rig->model->device_model, &rig->model->device));
}

static void close_unused(struct rig *rig, struct device *kept) {
  kept->ops->close(rig->model->device);
  rig->model->device = kept;
}

// First values are those of the seed, in whatever pieces they are read, and when some of them were written first.
static void first_values(const char *device, nn_precision precision) {
  struct rig rig;
  struct device *kept;
  open_on(&rig, device, steps_model, precision);
  open_unused(&rig, &kept);
  const struct param_shapes *shapes = &rig.model->params;
  rig_check(write_number(&rig, DEVICE_VALUES, 0, 6, 99));
  for (uint32_t m = 0; m < shapes->n_members; m++) {
    size_t n = elements_of(&rig, m);
    double *got = calloc(n, sizeof *got), *expected = calloc(n, sizeof *expected);
    for (size_t at = 0; at < n; at += 3)
      rig_check(
          device_read_numbers(device_of(&rig), DEVICE_VALUES, m, at, n - at < 3 ? n - at : 3, got + at));
    param_shapes_draw(shapes, rig.model->options.seed, m, 0, n, expected);
    for (size_t i = 0; i < n; i++) {
      double first = precision == NN_PRECISION_F64 ? expected[i] : (double)(float)expected[i];
      assert_true(got[i] == (m == 0 && i == 6 ? 99 : first));
    }
    free(got);
    free(expected);
  }
  close_unused(&rig, kept);
  rig_close(&rig);
}

static void test_first_values(void **state) {
  (void)state;
  for_each_device(first_values);
}

static void refuses(const char *device, nn_precision precision) {
  struct rig rig;
  double numbers[8] = {0};
  open_on(&rig, device, steps_model, precision);
  const struct device_ops *ops = device_of(&rig)->ops;
  uint32_t n_members = rig.model->params.n_members;
  size_t n = elements_of(&rig, 0);
  refused(ops->read_param(device_of(&rig), DEVICE_VALUES, n_members, 0, 1, numbers), NN_INVALID);
  refused(ops->read_param(device_of(&rig), DEVICE_VALUES, 0, n, 1, numbers), NN_INVALID);
  refused(ops->write_param(device_of(&rig), DEVICE_VALUES, 0, n - 1, 2, numbers), NN_INVALID);
  refused(ops->write_param(device_of(&rig), DEVICE_VALUES, 0, SIZE_MAX, 2, numbers), NN_INVALID);
  refused(ops->read_param(device_of(&rig), DEVICE_GRADIENTS, 0, 0, 1, numbers), NN_INVALID);
  for (int algorithm = -1; algorithm <= (int)NN_ADAM; algorithm++) {
    int moments = algorithm < (int)NN_MOMENTUM ? 0 : algorithm == (int)NN_ADAM ? 2 : 1;
    if (algorithm >= 0) {
      const nn_optimiser_options options = nn_optimiser_default((nn_algorithm)algorithm);
      rig_check(ops->begin_updates(device_of(&rig), &options, 0));
    }
    for (int k = 0; k < 2; k++) {
      enum device_array array = k ? DEVICE_MOMENT_2 : DEVICE_MOMENT_1;
      nn_code code = k < moments ? NN_OK : NN_INVALID;
      refused(ops->read_param(device_of(&rig), array, 0, 0, 1, numbers), code);
      refused(ops->write_param(device_of(&rig), array, 0, 0, 1, numbers), code);
    }
    if (algorithm >= 0)
      ops->end_updates(device_of(&rig));
  }
  rig_close(&rig);
}

static void test_refused(void **state) {
  (void)state;
  for_each_device(refuses);
}

// ------------------------------------------------------------------------------------------------- gradients

static const char known_model[] =
    "vocab Word\n"
    "param w: f32[Word] = normal(1)\n"
    "param E: f32[Word, 3] = normal(1)\n"
    "param M: f32[2, 3] = normal(1)\n"
    "fn loss(words: [Word]) -> f32 { sum([pick(w, a) + 2 * sum(E[a]) + sum(M @ E[a]) for a in words]) }\n";

static void expect_known(const struct rig *rig, const double *counts, double scale) {
  double *w = read_all(rig, DEVICE_GRADIENTS, 0), *e = read_all(rig, DEVICE_GRADIENTS, 1),
         *m = read_all(rig, DEVICE_GRADIENTS, 2), *E = read_all(rig, DEVICE_VALUES, 1),
         *M = read_all(rig, DEVICE_VALUES, 2);
  double tolerance = rig->model->element == NN_F32 ? 1e-5 : 1e-13;
  for (int a = 0; a < 8; a++) {
    assert_true(fabs(w[a] - scale * counts[a]) <= tolerance * scale * 100);
    for (int j = 0; j < 3; j++)
      assert_true(fabs(e[a * 3 + j] - scale * counts[a] * (2 + M[j] + M[3 + j])) <= tolerance * scale * 100);
  }
  for (int i = 0; i < 6; i++) {
    double sum = 0;
    for (int a = 0; a < 8; a++)
      sum += counts[a] * E[a * 3 + i % 3];
    assert_true(fabs(m[i] - scale * sum) <= tolerance * scale * 100);
  }
  double *all[] = {w, e, m, E, M};
  for (int i = 0; i < 5; i++)
    free(all[i]);
}

static void known_gradients(const char *device, nn_precision precision) {
  struct rig rig;
  open_on(&rig, device, known_model, precision);
  double counts[8] = {0};
  for (size_t i = 0; i < rig.n; i++) {
    // Row 5 has no gradient.
    const uint64_t words[] = {i % 5, i % 3, 6, 7};
    rig_set_words(&rig, i, 4, words);
    for (int k = 0; k < 4; k++)
      counts[words[k]] += 1;
  }
  const struct device_ops *ops = device_of(&rig)->ops;
  uint32_t *seeds = calloc(rig.n, sizeof *seeds);
  rig_run(&rig, "loss", NN_GRADIENT);
  for (size_t i = 0; i < rig.n; i++)
    seeds[i] = rig.session->examples[i].seed;
  struct device_run *run = rig.session->run;
  const struct minibatch *minibatch = &rig.session->minibatch;
  rig_check(ops->backward(run, minibatch, seeds, (uint32_t)rig.n, 0.5, false));
  expect_known(&rig, counts, 0.5);
  rig_check(ops->backward(run, minibatch, seeds, (uint32_t)rig.n, 1, true));
  expect_known(&rig, counts, 1.5);
  rig_check(ops->backward(run, minibatch, seeds, (uint32_t)rig.n, 1, false));
  expect_known(&rig, counts, 1);
  // Of no example: all are 0.
  rig_check(ops->backward(run, minibatch, seeds, 0, 1, false));
  expect_known(&rig, (const double[8]){0}, 1);
  free(seeds);
  rig_close(&rig);
}

static void test_known_gradients(void **state) {
  (void)state;
  for_each_device(known_gradients);
}

// ------------------------------------------------------------------------------------------------- steps

enum { MEMBERS = 4, MOST = 64 };

// The plain loop.
struct plain {
  uint32_t n_members;
  double w[MEMBERS][MOST], m[MEMBERS][MOST], v[MEMBERS][MOST];
};

static void step_element(const nn_optimiser_options *o, double rate, double t, double g, double *w, double *m,
                         double *v) {
  if (o->algorithm != NN_ADAM)
    g += o->decay * *w;
  switch (o->algorithm) {
  case NN_SGD: *w -= rate * g; break;
  case NN_MOMENTUM:
    *m = o->momentum * *m + g;
    *w -= rate * *m;
    break;
  case NN_ADAGRAD:
    *m += g * g;
    *w -= rate * g / (sqrt(*m) + o->epsilon);
    break;
  case NN_ADAM:
    *m = o->beta1 * *m + (1 - o->beta1) * g;
    *v = o->beta2 * *v + (1 - o->beta2) * g * g;
    *w -= rate *
          (o->decay * *w + *m / (1 - pow(o->beta1, t)) / (sqrt(*v / (1 - pow(o->beta2, t))) + o->epsilon));
  }
}

static bool row_has_gradient(const double *g, size_t row, size_t columns) {
  for (size_t i = 0; i < columns; i++)
    if (g[row * columns + i] != 0)
      return true;
  return false;
}

static void plain_step(struct plain *plain, const struct rig *rig, const nn_optimiser_options *options,
                       const struct device_step *step, double *g[MEMBERS], double norm) {
  double scale = step->clip > 0 && norm > step->clip ? step->clip / norm : 1;
  for (uint32_t p = 0; p < plain->n_members; p++) {
    const struct param_shape *shape = param_shapes_of(&rig->model->params, p);
    size_t columns = (size_t)shape->columns;
    for (size_t i = 0; i < shape->elements; i++)
      if (!shape->sparse || options->sparse == NN_SPARSE_EXACT ||
          row_has_gradient(g[p], i / columns, columns))
        step_element(options, step->rate, (double)step->number, scale * g[p][i], &plain->w[p][i],
                     &plain->m[p][i], &plain->v[p][i]);
  }
}

static void expect_array(const struct rig *rig, enum device_array array, uint32_t member,
                         const double *expected) {
  double tolerance = rig->model->element == NN_F32 ? 4e-6 : 1e-13;
  double *got = read_all(rig, array, member);
  for (size_t i = 0; i < elements_of(rig, member); i++)
    if (!(fabs(got[i] - expected[i]) <= tolerance * (1 + fabs(expected[i]))))
      fail_msg("%s: array %d of '%s' at %zu is %.17g, and %.17g by the plain loop", device_of(rig)->ops->name,
               (int)array, rig->model->params.names[member], i, got[i], expected[i]);
  free(got);
}

static void expect_plain(const struct rig *rig, const struct plain *plain, nn_algorithm algorithm) {
  for (uint32_t p = 0; p < plain->n_members; p++) {
    expect_array(rig, DEVICE_VALUES, p, plain->w[p]);
    if (algorithm != NN_SGD)
      expect_array(rig, DEVICE_MOMENT_1, p, plain->m[p]);
    if (algorithm == NN_ADAM)
      expect_array(rig, DEVICE_MOMENT_2, p, plain->v[p]);
  }
}

// Two examples of two words each, so that some rows have no gradient, for many steps in a row.
static void run_step(struct rig *rig, size_t step) {
  rig_set_words(rig, 0, 2, (const uint64_t[]){step % 2, 2});
  rig_set_words(rig, 1, 2, (const uint64_t[]){2, step % 9 == 4 ? 3 : 1});
  rig_check(nn_session_run(rig->session, rig_entry(rig, "loss"), rig->data, rig->examples, 2, NN_TRAIN));
  rig_check(nn_session_backward(rig->session, 0.5));
}

static void make_steps(struct rig *rig, const nn_optimiser_options *options, bool look) {
  const struct device_ops *ops = device_of(rig)->ops;
  struct plain plain = {.n_members = rig->model->params.n_members};
  assert_true(plain.n_members == MEMBERS);
  for (uint32_t p = 0; p < MEMBERS; p++) {
    assert_true(elements_of(rig, p) <= MOST);
    rig_check(device_read_numbers(device_of(rig), DEVICE_VALUES, p, 0, elements_of(rig, p), plain.w[p]));
  }
  rig_check(ops->begin_updates(device_of(rig), options, 0));
  for (uint64_t number = 1; number <= 24; number++) {
    run_step(rig, number);
    double *g[MEMBERS], squares = 0;
    for (uint32_t p = 0; p < MEMBERS; p++) {
      g[p] = read_all(rig, DEVICE_GRADIENTS, p);
      for (size_t i = 0; i < elements_of(rig, p); i++)
        squares += g[p][i] * g[p][i];
    }
    const struct device_step step = {
        .rate = options->rate * (number > 10 ? 0.5 : 1), .clip = options->clip, .number = number};
    struct device_step_result result;
    rig_check(ops->update(device_of(rig), &step, &result));
    assert_true(result.finite);
    if (options->clip > 0)
      assert_true(fabs(result.norm - sqrt(squares)) <= 1e-6 * result.norm);
    plain_step(&plain, rig, options, &step, g, sqrt(squares));
    if (look)
      expect_plain(rig, &plain, options->algorithm);
    for (uint32_t p = 0; p < MEMBERS; p++)
      free(g[p]);
  }
  expect_plain(rig, &plain, options->algorithm);
  ops->end_updates(device_of(rig));
  for (uint32_t p = 0; p < MEMBERS; p++)
    expect_array(rig, DEVICE_VALUES, p, plain.w[p]);
}

static void steps_are_plain(const char *device, nn_precision precision) {
  for (int how = 0; how < 64; how++) {
    nn_optimiser_options options = nn_optimiser_default((nn_algorithm)(how % 4));
    options.rate = options.algorithm == NN_SGD ? 0.01 : 0.002;
    options.sparse = how & 4 ? NN_SPARSE_LAZY : NN_SPARSE_EXACT;
    options.decay = how & 8 ? 0.1 : 0;
    options.clip = how & 16 ? 0.7 : 0;
    struct rig rig;
    open_on(&rig, device, steps_model, precision);
    assert_true(rig.model->params.list[0].sparse && !rig.model->params.list[1].sparse);
    make_steps(&rig, &options, how & 32);
    rig_close(&rig);
  }
}

static void test_steps(void **state) {
  (void)state;
  for_each_device(steps_are_plain);
}

// Steps without a pass before them: gradients that were written, on values that nobody has asked for.
static void steps_of_written(const char *device, nn_precision precision) {
  struct rig rig;
  struct device *kept;
  open_on(&rig, device, steps_model, precision);
  open_unused(&rig, &kept);
  const struct device_ops *ops = device_of(&rig)->ops;
  nn_optimiser_options sgd = nn_optimiser_default(NN_SGD);
  sgd.sparse = NN_SPARSE_LAZY;
  sgd.decay = 0.5;
  rig_check(ops->begin_updates(device_of(&rig), &sgd, 0));
  struct device_step_result result;
  const struct device_step step = {.rate = 0.25, .clip = 100, .number = 1};
  refused(ops->update(device_of(&rig), &step, &result), NN_INVALID);
  double first[40];
  param_shapes_draw(&rig.model->params, rig.model->options.seed, 0, 0, 40, first);
  rig_check(write_number(&rig, DEVICE_GRADIENTS, 0, 12, 3));
  rig_check(write_number(&rig, DEVICE_GRADIENTS, 2, 7, 4));
  rig_check(ops->update(device_of(&rig), &step, &result));
  assert_true(result.finite && fabs(result.norm - 5) < 1e-12);
  double *table = read_all(&rig, DEVICE_VALUES, 0);
  for (int i = 0; i < 40; i++) {
    double expected = i / 5 != 2 ? first[i] : first[i] - 0.25 * ((i == 12 ? 3 : 0) + 0.5 * first[i]);
    assert_true(fabs(table[i] - expected) < 1e-6);
  }
  free(table);
  ops->end_updates(device_of(&rig));
  close_unused(&rig, kept);
  rig_close(&rig);
}

static void test_steps_of_written(void **state) {
  (void)state;
  for_each_device(steps_of_written);
}

// ------------------------------------------------------------------------------------------------- not finite

static void expect_unchanged(const struct rig *rig, double *before[3][MEMBERS]) {
  for (int a = 0; a < 3; a++)
    for (uint32_t p = 0; p < MEMBERS; p++) {
      double *now = read_all(rig, a ? (a == 1 ? DEVICE_MOMENT_1 : DEVICE_MOMENT_2) : DEVICE_VALUES, p);
      assert_memory_equal(now, before[a][p], elements_of(rig, p) * sizeof *now);
      free(now);
    }
}

static void not_finite(const char *device, nn_precision precision) {
  static const double bad[] = {NAN, INFINITY, -INFINITY, 1e200};
  struct rig rig;
  open_on(&rig, device, steps_model, precision);
  const struct device_ops *ops = device_of(&rig)->ops;
  nn_optimiser_options adam = nn_optimiser_default(NN_ADAM);
  adam.decay = 0.1;
  rig_check(ops->begin_updates(device_of(&rig), &adam, 0));
  struct device_step step = {.rate = 0.01, .number = 1};
  struct device_step_result result;
  uint32_t member;
  run_step(&rig, 1);
  rig_check(ops->update(device_of(&rig), &step, &result));
  assert_true(result.finite && isnan(result.norm));
  step.number = 2;
  double *before[3][MEMBERS];
  for (uint32_t p = 0; p < MEMBERS; p++) {
    before[0][p] = read_all(&rig, DEVICE_VALUES, p);
    before[1][p] = read_all(&rig, DEVICE_MOMENT_1, p);
    before[2][p] = read_all(&rig, DEVICE_MOMENT_2, p);
  }
  for (int b = 0; b < 4; b++) {
    // The last overflows only where its square is taken, and only in double precision is a number.
    if (b == 3 && precision == NN_PRECISION_F32)
      continue;
    for (uint32_t p = 0; p < MEMBERS; p++)
      for (int clip = b == 3; clip < 2; clip++) {
        run_step(&rig, 2);
        rig_check(ops->find_not_finite(device_of(&rig), DEVICE_GRADIENTS, &member));
        assert_int_equal(member, MEMBERS);
        // In a table, of a row that has a gradient.
        rig_check(write_number(&rig, DEVICE_GRADIENTS, p, p ? elements_of(&rig, p) - 1 : 10, bad[b]));
        rig_check(ops->find_not_finite(device_of(&rig), DEVICE_GRADIENTS, &member));
        assert_int_equal(member, b == 3 ? MEMBERS : p);
        step.clip = clip;
        rig_check(ops->update(device_of(&rig), &step, &result));
        assert_false(result.finite);
        assert_true(b == 3 ? isinf(result.norm) : !isfinite(result.norm));
        expect_unchanged(&rig, before);
      }
  }
  run_step(&rig, 2);
  rig_check(ops->update(device_of(&rig), &step, &result));
  assert_true(result.finite);
  // Values likewise.
  rig_check(ops->find_not_finite(device_of(&rig), DEVICE_VALUES, &member));
  assert_int_equal(member, MEMBERS);
  rig_check(write_number(&rig, DEVICE_VALUES, 2, 9, NAN));
  rig_check(ops->find_not_finite(device_of(&rig), DEVICE_VALUES, &member));
  assert_int_equal(member, 2);
  ops->end_updates(device_of(&rig));
  for (int a = 0; a < 3; a++)
    for (uint32_t p = 0; p < MEMBERS; p++)
      free(before[a][p]);
  rig_close(&rig);
}

static void test_not_finite(void **state) {
  (void)state;
  for_each_device(not_finite);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_written),    cmocka_unit_test(test_first_values),
      cmocka_unit_test(test_refused),    cmocka_unit_test(test_known_gradients),
      cmocka_unit_test(test_steps),      cmocka_unit_test(test_steps_of_written),
      cmocka_unit_test(test_not_finite),
  };
  return cmocka_run_group_tests_name("device parameters", tests, NULL, NULL);
}

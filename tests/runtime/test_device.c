// What every device must do (runtime/kernel/device.h), for each device of this build: against the slow reference in
// double precision, and against itself with the minibatch cut otherwise, in another order and in several threads.
// Only functions of the device are used, so that a device with a memory of its own passes or fails like the
// processor.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/runtime/rig.h"

static const struct model {
  const char *name, *source;
} models[] = {{"tree", rig_tree_model}, {"tagger", rig_tagger_model}, {"expert", rig_expert_model}};
enum { N_MODELS = sizeof models / sizeof *models };

static void open_on(struct rig *rig, const char *device, const char *source, nn_precision precision) {
  const struct rig_options options = {.precision = precision, .device = device, .threads = 2};
  rig_open(rig, source, "loss", &options);
}

// The slow reference, with the same parameters and data.
static void open_reference(struct rig *rig, const char *source) {
  const struct rig_options options = {.precision = NN_PRECISION_F64, .stand_in = true};
  rig_open(rig, source, "loss", &options);
}

static const struct device_ops *ops_of(const struct rig *rig) { return rig->model->device->ops; }

static bool is_near(double a, double b, double tolerance) {
  return fabs(a - b) <= tolerance * (1 + fabs(a) + fabs(b));
}

static void for_each_device(void (*check)(const char *device, const struct model *, nn_precision)) {
  for (size_t d = 0; d < nn_device_count(); d++)
    for (int m = 0; m < N_MODELS; m++) {
      check(nn_device_name(d), &models[m], NN_PRECISION_F32);
      check(nn_device_name(d), &models[m], NN_PRECISION_F64);
    }
}

// ------------------------------------------------------------------------------------------------- rows

// Elements of a value: those of its instance's block or reduction.
static uint32_t elements_of(const struct rig *rig, uint32_t value) {
  const struct trace *trace = &rig->session->minibatch.trace;
  const struct trace_instance *instance = &trace->instances[trace->value_instance[value]];
  if (trace_is_list(instance->block))
    return trace->keys[instance->key].elements;
  return rig->model->blocks[instance->block]
      .elements[value - trace->rows[trace_row_of(trace, value)].first_value];
}

static double *read_value(const struct rig *rig, uint32_t value, uint32_t n) {
  double *elements = calloc(n, sizeof *elements);
  ops_of(rig)->read_row(rig->session->run, rig->session->minibatch.trace.value_row[value], 0, n, elements);
  return elements;
}

// Equal programs over equal data leave equal traces, so value v of one is value v of the other.
static void rows_equal_reference(const char *device, const struct model *model, nn_precision precision) {
  struct rig rig, slow;
  open_on(&rig, device, model->source, precision);
  open_reference(&slow, model->source);
  rig_run(&rig, "loss", NN_GRADIENT);
  rig_run(&slow, "loss", NN_GRADIENT);
  uint32_t n_values = rig.session->minibatch.trace.n_values;
  assert_int_equal(n_values, slow.session->minibatch.trace.n_values);
  assert_true(n_values > 20);
  double tolerance = precision == NN_PRECISION_F32 ? 1e-5 : 1e-13;
  for (uint32_t v = 0; v < n_values; v++) {
    uint32_t n = elements_of(&rig, v);
    double *got = read_value(&rig, v, n), *expected = read_value(&slow, v, n), last;
    for (uint32_t e = 0; e < n; e++)
      if (!is_near(got[e], expected[e], tolerance))
        fail_msg("%s, %s: value %u[%u] is %.17g, and %.17g by the reference", device, model->name, v, e,
                 got[e], expected[e]);
    ops_of(&rig)->read_row(rig.session->run, rig.session->minibatch.trace.value_row[v], n - 1, 1, &last);
    assert_true(last == got[n - 1]);
    free(got);
    free(expected);
  }
  rig_close(&rig);
  rig_close(&slow);
}

static void test_rows(void **state) {
  (void)state;
  for_each_device(rows_equal_reference);
}

// ------------------------------------------------------------------------------------------------- same bits

static void run_some(struct rig *rig, size_t first, size_t n, double *losses) {
  rig_check(
      nn_session_run(rig->session, rig_entry(rig, "loss"), rig->data, rig->examples + first, n, NN_INFER));
  for (size_t i = 0; i < n; i++)
    losses[first + i] = nn_session_number(rig->session, i);
}

static void cut_otherwise(const char *device, const struct model *model, nn_precision precision) {
  struct rig rig;
  open_on(&rig, device, model->source, precision);
  double *whole = calloc(rig.n, sizeof *whole), *parts = calloc(rig.n, sizeof *parts);
  run_some(&rig, 0, rig.n, whole);
  for (size_t size = 1; size < rig.n; size += 3) {
    for (size_t at = 0; at < rig.n; at += size)
      run_some(&rig, at, at + size < rig.n ? size : rig.n - at, parts);
    assert_memory_equal(whole, parts, rig.n * sizeof *whole);
  }
  free(whole);
  free(parts);
  rig_close(&rig);
}

static void test_same_bits(void **state) {
  (void)state;
  for_each_device(cut_otherwise);
}

// Several runs of one device at once.
struct reader {
  struct rig *rig;
  const double *expected;
  int wrong;
};

static void *infer(void *argument) {
  struct reader *reader = argument;
  struct rig mine = *reader->rig;
  double *losses = calloc(mine.n, sizeof *losses);
  // cmocka's assertions belong to the main thread.
  nn_status *status = nn_session_new(mine.model, &mine.session);
  for (int round = 0; !status && round < 20; round++) {
    status = nn_session_run(mine.session, rig_entry(&mine, "loss"), mine.data, mine.examples, mine.n,
                            NN_INFER);
    for (size_t i = 0; !status && i < mine.n; i++)
      reader->wrong += nn_session_number(mine.session, i) != reader->expected[i];
  }
  reader->wrong += status != NULL;
  nn_status_free(status);
  nn_session_free(mine.session);
  free(losses);
  return NULL;
}

static void several_runs(const char *device, const struct model *model, nn_precision precision) {
  enum { THREADS = 4 };
  struct rig rig;
  open_on(&rig, device, model->source, precision);
  double *expected = calloc(rig.n, sizeof *expected);
  run_some(&rig, 0, rig.n, expected);
  pthread_t threads[THREADS];
  struct reader readers[THREADS];
  for (int t = 0; t < THREADS; t++) {
    readers[t] = (struct reader){&rig, expected, 0};
    assert_int_equal(pthread_create(&threads[t], NULL, infer, &readers[t]), 0);
  }
  for (int t = 0; t < THREADS; t++) {
    pthread_join(threads[t], NULL);
    assert_int_equal(readers[t].wrong, 0);
  }
  free(expected);
  rig_close(&rig);
}

static void test_several_runs(void **state) {
  (void)state;
  for_each_device(several_runs);
}

// ------------------------------------------------------------------------------------------------- choosing

static void test_choosing(void **state) {
  (void)state;
  assert_true(nn_device_count() >= 1);
  assert_null(nn_device_name(nn_device_count()));
  struct rig rig;
  open_on(&rig, NULL, rig_tree_model, NN_PRECISION_F32);
  assert_string_equal(ops_of(&rig)->name, nn_device_name(0));
  rig_close(&rig);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_several_runs),
      cmocka_unit_test(test_choosing),
  };
  return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}

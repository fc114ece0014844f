// The state of training is all that a run needs: another model that takes it up goes on with the same bits, and
// draws, orders and steps as the first one does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/runtime/rig.h"

enum { N = 12, BATCH = 3, ARRAYS = 3 };

static const enum device_array arrays[ARRAYS] = {DEVICE_VALUES, DEVICE_MOMENT_1, DEVICE_MOMENT_2};
static const int n_arrays[] = {[NN_SGD] = 1, [NN_MOMENTUM] = 2, [NN_ADAGRAD] = 2, [NN_ADAM] = 3};

static void open_one(struct rig *rig, nn_precision precision) {
  struct rig_options options = {.precision = precision, .n_examples = N};
  rig_open(rig, rig_tagger_model, "loss", &options);
}

// Minibatches until the epoch ends, `most` of them.
static void train(struct rig *rig, nn_optimiser *optimiser, int most) {
  const size_t *examples;
  for (size_t n; most-- > 0 && (n = nn_training_next(rig->model, BATCH, &examples)) > 0;) {
    double loss;
    size_t failed;
    rig_check(nn_session_train(rig->session, optimiser, rig_entry(rig, "loss"), rig->data, examples, n,
                               NN_LOSS_MEAN, &loss, &failed));
    assert_int_equal(failed, 0);
  }
}

static void *read_array(const struct rig *rig, enum device_array array, uint32_t member, size_t *bytes) {
  struct device *device = rig->model->device;
  size_t n = param_shapes_of(&rig->model->params, member)->elements;
  *bytes = n * nn_element_bytes(rig->model->element);
  void *elements = malloc(*bytes);
  rig_check(device->ops->read_param(device, array, member, 0, n, elements));
  return elements;
}

// As training_state.h says.
static nn_optimiser *take_up(struct rig *to, const struct rig *from) {
  const struct training_state *state = &from->model->training;
  nn_optimiser *optimiser;
  to->model->training.steps = state->steps;
  rig_check(nn_optimiser_new(to->model, &state->optimiser, &optimiser));
  struct device *device = to->model->device;
  for (uint32_t p = 0; p < from->model->params.n_members; p++)
    for (int a = 0; a < n_arrays[state->optimiser.algorithm]; a++) {
      size_t bytes;
      void *elements = read_array(from, arrays[a], p, &bytes);
      rig_check(device->ops->write_param(device, arrays[a], p, 0,
                                         bytes / nn_element_bytes(to->model->element), elements));
      free(elements);
    }
  const size_t *passed;
  rig_check(nn_training_begin_epoch(to->model, state->epoch, state->n, state->shuffled));
  assert_int_equal(nn_training_next(to->model, state->done, &passed), state->done);
  return optimiser;
}

static void expect_equal(const struct rig *a, const struct rig *b) {
  const struct training_state *x = &a->model->training, *y = &b->model->training;
  assert_int_equal(x->steps, y->steps);
  assert_true(x->optimiser.rate == y->optimiser.rate);
  assert_true(x->epoch == y->epoch && x->done == y->done && x->n == y->n && x->shuffled == y->shuffled);
  assert_memory_equal(x->order, y->order, x->n * sizeof *x->order);
  for (uint32_t p = 0; p < a->model->params.n_members; p++)
    for (int k = 0; k < n_arrays[x->optimiser.algorithm]; k++) {
      size_t bytes;
      void *of_a = read_array(a, arrays[k], p, &bytes), *of_b = read_array(b, arrays[k], p, &bytes);
      assert_memory_equal(of_a, of_b, bytes);
      free(of_a);
      free(of_b);
    }
}

static void goes_on(const nn_optimiser_options *options, nn_precision precision) {
  struct rig first, second;
  nn_optimiser *one, *other;
  open_one(&first, precision);
  open_one(&second, precision);
  rig_check(nn_optimiser_new(first.model, options, &one));
  rig_check(nn_training_begin_epoch(first.model, 1, N, true));
  train(&first, one, N);
  nn_optimiser_set_rate(one, options->rate / 2);
  rig_check(nn_training_begin_epoch(first.model, 2, N, true));
  train(&first, one, 2);
  other = take_up(&second, &first);
  expect_equal(&first, &second);
  train(&first, one, N);
  train(&second, other, N);
  for (uint64_t epoch = 3; epoch < 5; epoch++) {
    rig_check(nn_training_begin_epoch(first.model, epoch, N, true));
    rig_check(nn_training_begin_epoch(second.model, epoch, N, true));
    train(&first, one, N);
    train(&second, other, N);
  }
  expect_equal(&first, &second);
  nn_optimiser_free(one);
  nn_optimiser_free(other);
  rig_close(&first);
  rig_close(&second);
}

static void test_goes_on(void **state) {
  (void)state;
  for (int how = 0; how < 32; how++) {
    nn_optimiser_options options = nn_optimiser_default((nn_algorithm)(how % 4));
    options.sparse = how & 4 ? NN_SPARSE_LAZY : NN_SPARSE_EXACT;
    options.decay = how & 8 ? 0.05 : 0;
    options.clip = how & 8 ? 0.5 : 0;
    goes_on(&options, how & 16 ? NN_PRECISION_F64 : NN_PRECISION_F32);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_goes_on)};
  return cmocka_run_group_tests_name("training state", tests, NULL, NULL);
}

// Minibatches through the whole runtime: the same bits whatever the batching and the threads, gradients
// against central finite differences, examples that fail.
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
enum { N_MODELS = 3 };

static const nn_autobatch policies[] = {NN_AUTOBATCH_OFF, NN_AUTOBATCH_DEPTH, NN_AUTOBATCH_AGENDA,
                                        NN_AUTOBATCH_AUTO};

#ifdef RIG_STAND_IN
static const bool stand_in = true;
#else
static const bool stand_in = false;
#endif

// --------------------------------------------------------------------------------------------- the same bits

static double *losses(struct rig *rig, nn_mode mode) {
  double *values = calloc(rig->n, sizeof *values);
  rig_run(rig, "loss", mode);
  for (size_t i = 0; i < rig->n; i++) {
    assert_null(nn_session_error(rig->session, i));
    values[i] = nn_session_number(rig->session, i);
  }
  return values;
}

static void assert_same_bits(const double *a, const double *b, size_t n, const char *what) {
  for (size_t i = 0; i < n; i++)
    if (memcmp(&a[i], &b[i], sizeof *a) != 0)
      fail_msg("%s: example %zu: %.17g and %.17g", what, i, a[i], b[i]);
}

// Every example alone and unbatched is what all else is compared with.
static void batched_equals_unbatched(const struct model *model, nn_precision precision) {
  struct rig_options options = {.precision = precision, .autobatch = NN_AUTOBATCH_OFF, .stand_in = stand_in};
  struct rig alone;
  rig_open(&alone, model->source, "loss", &options);
  double *expected = calloc(alone.n, sizeof *expected);
  for (size_t i = 0; i < alone.n; i++) {
    rig_check(nn_session_run(alone.session, rig_entry(&alone, "loss"), alone.data, &i, 1, NN_INFER));
    expected[i] = nn_session_number(alone.session, 0);
    assert_true(isfinite(expected[i]) && expected[i] > 0);
  }
  for (size_t p = 0; p < 4; p++) {
    for (int threads = 1; threads <= 3; threads++) {
      char what[64];
      snprintf(what, sizeof what, "%s, policy %zu, %d threads", model->name, p, threads);
      struct rig rig;
      options.autobatch = policies[p];
      options.threads = threads;
      rig_open(&rig, model->source, "loss", &options);
      double *inferred = losses(&rig, NN_INFER), *again = losses(&rig, NN_GRADIENT);
      assert_same_bits(inferred, expected, rig.n, what);
      assert_same_bits(again, expected, rig.n, what);
      free(inferred);
      free(again);
      rig_close(&rig);
    }
  }
  free(expected);
  rig_close(&alone);
}

static void test_same_bits(void **state) {
  (void)state;
  for (int m = 0; m < N_MODELS; m++) {
    batched_equals_unbatched(&models[m], NN_PRECISION_F32);
    batched_equals_unbatched(&models[m], NN_PRECISION_F64);
  }
}

// Runs the examples, in this order, as minibatches of at most `batch` in training mode; loss[example].
static void train_losses(struct rig *rig, const size_t *order, size_t batch, double *loss) {
  for (size_t at = 0, n; at < rig->n; at += n) {
    n = rig->n - at < batch ? rig->n - at : batch;
    rig_check(nn_session_run(rig->session, rig_entry(rig, "loss"), rig->data, order + at, n, NN_TRAIN));
    for (size_t i = 0; i < n; i++)
      loss[order[at + i]] = nn_session_number(rig->session, i);
  }
}

// Draws of dropout belong to the epoch and the example, not to the minibatch, the order or what ran before.
static void test_dropout(void **state) {
  (void)state;
  enum { N = 20 };
  static const size_t batches[] = {1, 3, 7, 64};
  struct rig_options options = {.stand_in = stand_in, .n_examples = N};
  struct rig rig;
  rig_open(&rig, rig_tagger_model, "loss", &options);
  double first[N], second[N], again[N];
  rig_check(nn_training_begin_epoch(rig.model, 1, N, false));
  train_losses(&rig, rig.examples, 1, first);
  rig_check(nn_training_begin_epoch(rig.model, 2, N, false));
  train_losses(&rig, rig.examples, N, second);
  double *plain = losses(&rig, NN_GRADIENT);
  rig_close(&rig);
  size_t changed = 0, other = 0;
  for (size_t i = 0; i < N; i++) {
    changed += first[i] != second[i];
    other += first[i] != plain[i];
  }
  free(plain);
  assert_true(changed > N / 2);
  assert_true(other > N / 2);
  for (size_t c = 0; c < 16; c++) {
    options.autobatch = policies[c % 4];
    options.threads = 1 + (int)c / 4 % 3;
    rig_open(&rig, rig_tagger_model, "loss", &options);
    for (uint64_t epoch = 2; epoch >= 1; epoch--) {
      const size_t *order;
      rig_check(nn_training_begin_epoch(rig.model, epoch, N, c % 2));
      assert_int_equal(nn_training_next(rig.model, SIZE_MAX, &order), N);
      train_losses(&rig, order, batches[c / 4], again);
      assert_same_bits(again, epoch == 1 ? first : second, N, "dropout");
    }
    rig_close(&rig);
  }
}

// The gradient of a minibatch is the sum of the gradients of its examples with dropout too: the masks are the same
// in the backward pass.
static void test_dropout_gradients(void **state) {
  (void)state;
  enum { N = 12 };
  struct rig_options options = {.precision = NN_PRECISION_F64, .stand_in = stand_in, .n_examples = N};
  struct rig rig;
  rig_open(&rig, rig_tagger_model, "loss", &options);
  rig_check(nn_training_begin_epoch(rig.model, 3, N, false));
  size_t elements = nn_model_param(rig.model, 0).elements;
  double *sum = calloc(elements, sizeof *sum), largest = 0;
  for (size_t i = 0; i < N; i++) {
    rig_check(nn_session_run(rig.session, rig_entry(&rig, "loss"), rig.data, &i, 1, NN_TRAIN));
    rig_check(nn_session_backward(rig.session, 1));
    double *gradients = param_gradients(rig.model, 0);
    for (size_t e = 0; e < elements; e++)
      sum[e] += gradients[e];
    free(gradients);
  }
  rig_run(&rig, "loss", NN_TRAIN);
  rig_check(nn_session_backward(rig.session, 1));
  double *whole = param_gradients(rig.model, 0);
  for (size_t e = 0; e < elements; e++) {
    assert_true(fabs(whole[e] - sum[e]) <= 1e-12 * (1 + fabs(sum[e])));
    largest = fmax(largest, fabs(sum[e]));
  }
  assert_true(largest > 0.01);
  free(whole);
  free(sum);
  rig_close(&rig);
}

// An epoch goes through the data once; its order depends on the seed and its number alone.
static void test_position(void **state) {
  (void)state;
  struct rig_options options = {.stand_in = stand_in, .n_examples = 10};
  struct rig rig;
  rig_open(&rig, rig_tree_model, "loss", &options);
  const size_t *part;
  assert_int_equal(nn_training_next(rig.model, 4, &part), 0);
  assert_int_equal(nn_training_epoch(rig.model), 0);
  size_t orders[3][10];
  static const uint64_t epochs[] = {1, 2, 1};
  for (int e = 0; e < 3; e++) {
    rig_check(nn_training_begin_epoch(rig.model, epochs[e], 10, true));
    assert_int_equal(nn_training_epoch(rig.model), epochs[e]);
    bool seen[10] = {0};
    size_t at = 0;
    for (size_t n; (n = nn_training_next(rig.model, 4, &part)); at += n) {
      assert_int_equal(n, at < 8 ? 4 : 2);
      for (size_t i = 0; i < n; i++) {
        assert_false(seen[part[i]]);
        seen[part[i]] = true;
        orders[e][at + i] = part[i];
      }
    }
    assert_int_equal(at, 10);
  }
  assert_memory_equal(orders[0], orders[2], sizeof orders[0]);
  assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
  nn_status *status = nn_training_begin_epoch(rig.model, 0, 10, true);
  assert_int_equal(nn_status_code(status), NN_INVALID);
  nn_status_free(status);
  rig_close(&rig);
}

// ------------------------------------------------------------------------------------------------- gradients

static double total_loss(struct rig *rig) {
  double *values = losses(rig, NN_GRADIENT), sum = 0;
  for (size_t i = 0; i < rig->n; i++)
    sum += values[i];
  free(values);
  return sum;
}

// A few elements of every parameter. Decisions make the loss piecewise smooth; the step is too small to cross
// a border in these examples.
static void gradients_are_right(const struct model *model, nn_autobatch policy, int threads) {
  struct rig_options options = {.precision = NN_PRECISION_F64,
                                .autobatch = policy,
                                .threads = threads,
                                .stand_in = stand_in,
                                .n_examples = 6};
  struct rig rig;
  rig_open(&rig, model->source, "loss", &options);
  rig_run(&rig, "loss", NN_GRADIENT);
  rig_check(nn_session_backward(rig.session, 1));
  double largest = 0;
  for (size_t p = 0; p < nn_model_param_count(rig.model); p++) {
    nn_param_info info = nn_model_param(rig.model, p);
    size_t n = info.elements, step = n / 7 + 1;
    double *gradients = param_gradients(rig.model, p);
    for (size_t e = 0; e < n; e += step) {
      double value = param_value(rig.model, p, e), h = 1e-5, plus = value + h, minus = value - h;
      param_set(rig.model, p, e, 1, &plus);
      double above = total_loss(&rig);
      param_set(rig.model, p, e, 1, &minus);
      double below = total_loss(&rig);
      param_set(rig.model, p, e, 1, &value);
      double expected = (above - below) / (2 * h), error = fabs(gradients[e] - expected);
      if (error > 1e-6 * (1 + fabs(expected)))
        fail_msg("%s: %s[%zu]: %.9g, finite differences say %.9g", model->name, info.name, e, gradients[e],
                 expected);
      if (fabs(expected) > largest)
        largest = fabs(expected);
    }
    free(gradients);
  }
  assert_true(largest > 0.01);  // not all zero
  rig_close(&rig);
}

static void test_gradients(void **state) {
  (void)state;
  for (int m = 0; m < N_MODELS; m++)
    gradients_are_right(&models[m], NN_AUTOBATCH_AUTO, 1);
  gradients_are_right(&models[0], NN_AUTOBATCH_OFF, 1);
  gradients_are_right(&models[1], NN_AUTOBATCH_AGENDA, 2);
}

// The gradient of the minibatch is the sum of the gradients of its examples, whatever the threads.
static void test_gradients_add_up(void **state) {
  (void)state;
  for (int m = 0; m < N_MODELS; m++) {
    struct rig_options options = {.precision = NN_PRECISION_F64, .stand_in = stand_in, .threads = 1};
    struct rig whole, parts;
    rig_open(&whole, models[m].source, "loss", &options);
    options.threads = 3;
    rig_open(&parts, models[m].source, "loss", &options);
    size_t n_params = nn_model_param_count(whole.model);
    double **sums = calloc(n_params, sizeof *sums);
    for (size_t p = 0; p < n_params; p++) {
      sums[p] = calloc(nn_model_param(parts.model, p).elements, sizeof **sums);
    }
    for (size_t i = 0; i < parts.n; i++) {
      rig_check(nn_session_run(parts.session, rig_entry(&parts, "loss"), parts.data, &i, 1, NN_GRADIENT));
      rig_check(nn_session_backward(parts.session, 0.5));
      for (size_t p = 0; p < n_params; p++) {
        double *gradients = param_gradients(parts.model, p);
        for (size_t e = 0; e < nn_model_param(parts.model, p).elements; e++)
          sums[p][e] += gradients[e];
        free(gradients);
      }
    }
    rig_run(&whole, "loss", NN_GRADIENT);
    rig_check(nn_session_backward(whole.session, 0.5));
    for (size_t p = 0; p < n_params; p++) {
      double *gradients = param_gradients(whole.model, p);
      for (size_t e = 0; e < nn_model_param(whole.model, p).elements; e++)
        assert_true(fabs(gradients[e] - sums[p][e]) <= 1e-12 * (1 + fabs(sums[p][e])));
      free(gradients);
      free(sums[p]);
    }
    free(sums);
    rig_close(&whole);
    rig_close(&parts);
  }
}

// Gradients too have the same bits for any number of threads.
static void test_gradient_bits(void **state) {
  (void)state;
  for (int m = 0; m < N_MODELS; m++) {
    struct rig_options options = {.stand_in = stand_in, .n_examples = 40};
    struct rig rigs[3];
    for (int t = 0; t < 3; t++) {
      options.threads = t + 1;
      rig_open(&rigs[t], models[m].source, "loss", &options);
      rig_run(&rigs[t], "loss", NN_TRAIN);
      rig_check(nn_session_backward(rigs[t].session, 1));
    }
    for (size_t p = 0; p < nn_model_param_count(rigs[0].model); p++) {
      double *one = param_gradients(rigs[0].model, p);
      for (int t = 1; t < 3; t++) {
        double *more = param_gradients(rigs[t].model, p);
        assert_memory_equal(one, more, nn_model_param(rigs[0].model, p).elements * sizeof *one);
        free(more);
      }
      free(one);
    }
    for (int t = 0; t < 3; t++)
      rig_close(&rigs[t]);
  }
}

// -------------------------------------------------------------------------------------- decisions and errors

static void test_decisions(void **state) {
  (void)state;
  struct rig_options options = {.stand_in = stand_in, .n_examples = 30};
  struct rig rig;
  rig_open(&rig, rig_tagger_model, "loss", &options);
  rig_run(&rig, "predict", NN_INFER);
  nn_stats stats = nn_session_stats(rig.session);
  // Sentences have at most five words: one flush for each, and one for the rest.
  assert_true(stats.flushes <= 6);
  assert_true(stats.decisions >= rig.n);
  for (size_t i = 0; i < rig.n; i++) {
    char *all = nn_session_json(rig.session, i);
    assert_non_null(strstr(all, "w"));
    free(all);
  }
  // A decision needs its own scores only: the losses stay pending until the end.
  rig_run(&rig, "loss", NN_INFER);
  size_t last = nn_session_batch_count(rig.session) - 1;
  uint32_t flushes = nn_session_batch(rig.session, last).flush;
  assert_true(flushes >= 4);
  for (size_t b = 0; b <= last; b++)
    if (nn_session_batch(rig.session, b).phase > 0)
      assert_int_equal(nn_session_batch(rig.session, b).flush, flushes);
  rig_close(&rig);
}

static void test_failing_examples(void **state) {
  (void)state;
  struct rig_options options = {.stand_in = stand_in, .n_examples = 30};
  struct rig rig;
  rig_open(&rig, rig_tagger_model, "loss", &options);
  rig_run(&rig, "third", NN_INFER);
  size_t failed = 0;
  for (size_t i = 0; i < rig.n; i++) {
    const char *error = nn_session_error(rig.session, i);
    const struct value_list *words =
        (const struct value_list *)(uintptr_t)rig.data->slots[i * rig.data->width];
    assert_int_equal(error != NULL, words->length < 3);
    if (error) {
      failed++;
      assert_non_null(strstr(error, "out of range"));
      assert_ptr_equal(strstr(error, "test.nn:39:"), error);
      assert_true(nn_session_number(rig.session, i) == 0);
    } else {
      assert_true(nn_session_number(rig.session, i) == (double)words->buffer->slots[words->offset + 2]);
    }
  }
  assert_true(failed > 0 && failed < rig.n);
  rig_close(&rig);
}

static const char endless_model[] =
    "vocab Word\n"
    "fn down(n: int) -> int { 1 + down(n + 1) }\n"
    "fn turn(words: [Word]) -> int {\n"
    "  var i = 0\n"
    "  while len(words) != 3 { i = i + 1 }\n"
    "  len(words)\n"
    "}\n"
    "fn fall(words: [Word]) -> int { if len(words) == 3 { 3 } else { down(0) } }\n";

// Loops and recursion without an end fail by themselves or when they are told to; the other examples have
// results.
static void test_limits(void **state) {
  (void)state;
  static const struct {
    const char *entry, *message;
    uint64_t turns;
    int interrupt;
  } cases[] = {
      {"turn", "more than 5000 turns", 5000, 0}, {"turn", "interrupted", 0, 1}, {"fall", "too deep", 0, 0}};
  struct rig_options options = {.stand_in = stand_in, .n_examples = 20};
  struct rig rig;
  rig_open(&rig, endless_model, "turn", &options);
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    nn_limits limits = nn_limits_default();
    limits.turns = cases[c].turns;
    nn_session_set_limits(rig.session, &limits, &cases[c].interrupt);
    rig_run(&rig, cases[c].entry, NN_INFER);
    size_t failed = 0;
    for (size_t i = 0; i < rig.n; i++) {
      const struct value_list *words = (const struct value_list *)(uintptr_t)rig.data->slots[i];
      const char *error = nn_session_error(rig.session, i);
      // An interrupted minibatch ends everywhere.
      assert_true(error || words->length == 3);
      if (error)
        assert_non_null(strstr(error, cases[c].message));
      else
        assert_true(nn_session_number(rig.session, i) == 3);
      failed += error != NULL;
    }
    assert_true(failed > 0);
  }
  rig_close(&rig);
}

// Sessions in several threads share a model as long as they only infer; kernels are compiled by whoever comes
// first.
struct reader {
  struct rig *rig;
  double losses[12];
  bool failed;
};

static void *infer(void *argument) {
  struct reader *reader = argument;
  nn_session *session = NULL;
  nn_status *status = nn_session_new(reader->rig->model, &session);
  for (int round = 0; round < 20 && !status; round++) {
    status = nn_session_run(session, rig_entry(reader->rig, "loss"), reader->rig->data, reader->rig->examples,
                            12, NN_INFER);
    for (size_t i = 0; i < 12 && !status; i++)
      reader->losses[i] = nn_session_number(session, i);
  }
  reader->failed = status != NULL;
  nn_status_free(status);
  nn_session_free(session);
  return NULL;
}

static void test_sessions_in_threads(void **state) {
  (void)state;
  struct rig_options options = {.stand_in = stand_in};
  struct rig rig;
  rig_open(&rig, rig_tree_model, "loss", &options);
  struct reader readers[4];
  pthread_t threads[4];
  for (int t = 0; t < 4; t++) {
    readers[t] = (struct reader){.rig = &rig};
    assert_int_equal(pthread_create(&threads[t], NULL, infer, &readers[t]), 0);
  }
  for (int t = 0; t < 4; t++)
    pthread_join(threads[t], NULL);
  double *expected = losses(&rig, NN_INFER);
  for (int t = 0; t < 4; t++) {
    assert_false(readers[t].failed);
    assert_same_bits(readers[t].losses, expected, 12, "threads");
  }
  free(expected);
  rig_close(&rig);
}

// What `graph` and `explain` show is the run that was.
static void test_views(void **state) {
  (void)state;
  struct rig_options options = {.stand_in = stand_in};
  struct rig rig;
  rig_open(&rig, rig_tree_model, "loss", &options);
  rig_run(&rig, "loss", NN_INFER);
  size_t n_batches = nn_session_batch_count(rig.session), n_nodes = nn_session_node_count(rig.session),
         rows = 0, results = 0;
  size_t needed = 0;
  for (size_t b = 0; b < n_batches; b++) {
    nn_batch batch = nn_session_batch(rig.session, b);
    rows += batch.rows;
    bool again = false;
    for (size_t k = 0; k < b; k++)
      again |= strcmp(nn_session_batch(rig.session, k).key, batch.key) == 0;
    assert_int_equal(again, batch.reason[0] != '\0');
    needed += strstr(batch.reason, "it needs results of batch") != NULL;
  }
  assert_int_equal(rows, n_nodes);
  assert_true(needed >= 2);  // a level of the trees after the other
  assert_true(nn_session_batch_lower_bound(rig.session) <= n_batches);
  for (size_t i = 0; i < n_nodes; i++) {
    nn_node node = nn_session_node(rig.session, i);
    results += node.result;
    assert_true(node.example < rig.n && node.batch < n_batches && node.shape[0] == '{');
    for (uint32_t k = 0; k < node.n_inputs; k++) {
      uint32_t from = node.inputs[k];
      assert_true(from < i);
      nn_node other = nn_session_node(rig.session, from);
      assert_true(other.batch < node.batch);
      assert_int_equal(other.example, node.example);
      node = nn_session_node(rig.session, i);
    }
  }
  assert_true(results > 0 && results <= rig.n);
  nn_stats stats = nn_session_stats(rig.session);
  assert_int_equal(stats.nodes, n_nodes);
  assert_int_equal(stats.batches, n_batches);
  assert_int_equal(stats.examples, rig.n);
  rig_close(&rig);
}

static void test_misuse(void **state) {
  (void)state;
  struct rig_options options = {.stand_in = stand_in};
  struct rig rig;
  rig_open(&rig, rig_tree_model, "loss", &options);
  size_t far = 1000;
  nn_status *status = nn_session_run(rig.session, rig_entry(&rig, "loss"), rig.data, &far, 1, NN_INFER);
  assert_int_equal(nn_status_code(status), NN_INVALID);
  nn_status_free(status);
  rig_run(&rig, "loss", NN_INFER);
  status = nn_session_backward(rig.session, 1);
  assert_int_equal(nn_status_code(status), NN_INVALID);
  nn_status_free(status);
  rig_run(&rig, "scores", NN_TRAIN);
  status = nn_session_backward(rig.session, 1);
  assert_int_equal(nn_status_code(status), NN_INVALID);
  nn_status_free(status);
  // Nothing is broken by it.
  rig_run(&rig, "loss", NN_TRAIN);
  rig_check(nn_session_backward(rig.session, 1));
  rig_check(nn_session_run(rig.session, rig_entry(&rig, "loss"), rig.data, rig.examples, 0, NN_TRAIN));
  rig_check(nn_session_backward(rig.session, 1));
  rig_close(&rig);
}

static void test_metric_and_results(void **state) {
  (void)state;
  struct rig_options options = {.stand_in = stand_in};
  struct rig rig;
  rig_open(&rig, rig_tree_model, "loss", &options);
  double sum = 0, weight = 0, right = 0;
  size_t failed = 7;
  rig_check(nn_session_metric(rig.session, rig_entry(&rig, "accuracy"), rig.data, rig.examples, rig.n, &sum,
                              &weight, &failed));
  assert_int_equal(failed, 0);
  assert_true(weight == (double)rig.n);
  rig_run(&rig, "predict", NN_INFER);
  for (size_t i = 0; i < rig.n; i++) {
    const struct value_data *tree = (const struct value_data *)(uintptr_t)rig.data->slots[i];
    right += nn_session_number(rig.session, i) == (double)tree->slots[0];
  }
  assert_true(sum == right);
  rig_run(&rig, "scores", NN_INFER);
  char *text = nn_session_json(rig.session, 3);
  double first, rest[6];
  assert_int_equal(sscanf(text, "[%lf, %lf, %lf, %lf, %lf, %lf, %lf]", &first, &rest[0], &rest[1], &rest[2],
                          &rest[3], &rest[4], &rest[5]),
                   7);
  assert_true(first == nn_session_number(rig.session, 3) ||
              fabs(first - nn_session_number(rig.session, 3)) < 1e-6);
  free(text);
  rig_close(&rig);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits),           cmocka_unit_test(test_dropout),
      cmocka_unit_test(test_dropout_gradients),   cmocka_unit_test(test_position),
      cmocka_unit_test(test_gradients),           cmocka_unit_test(test_gradients_add_up),
      cmocka_unit_test(test_gradient_bits),       cmocka_unit_test(test_decisions),
      cmocka_unit_test(test_failing_examples),    cmocka_unit_test(test_misuse),
      cmocka_unit_test(test_metric_and_results),  cmocka_unit_test(test_limits),
      cmocka_unit_test(test_sessions_in_threads), cmocka_unit_test(test_views),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

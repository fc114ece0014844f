// Every example through the whole system: its gradients against central finite differences in f64, f32 against f64, and
// the same bits alone, in any batch, under any --autobatch, with any number of threads.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "runtime/model/model.h"
#include "runtime/nn.h"
#include "tests/runtime/param_values.h"

static const struct example_model {
  const char *path, *data;
} models[] = {
    {"examples/treelstm/treelstm.nn", "examples/treelstm/dev.txt"},
    {"examples/bilstm-tagger/bilstm-tagger.nn", "examples/bilstm-tagger/dev.tsv"},
    {"examples/chars-tagger/chars-tagger.nn", "examples/chars-tagger/dev.conllu"},
    {"examples/greedy-tagger/greedy-tagger.nn", "examples/greedy-tagger/dev.tsv"},
    {"examples/rnnlm/rnnlm.nn", "examples/rnnlm/dev.txt"},
    {"examples/cbow/cbow.nn", "examples/cbow/dev.jsonl"},
    {"examples/pointer/pointer.nn", "examples/pointer/dev.jsonl"},
    {"examples/listops/listops.nn", "examples/listops/dev.jsonl"},
    {"examples/crf/crf.nn", "examples/crf/dev.tsv"},
    {"examples/parser/parser.nn", "examples/parser/dev.jsonl"},
    {"examples/vae/vae.nn", "examples/vae/dev.jsonl"},
    {"examples/batched-rnnlm/batched-rnnlm.nn", "examples/batched-rnnlm/dev.jsonl"},
    {"examples/transformer/transformer.nn", "examples/transformer/dev.tsv"},
    {"examples/graph/graph.nn", "examples/graph/dev.jsonl"},
    {"examples/experts/experts.nn", "examples/experts/dev.jsonl"},
    {"examples/seq2seq/seq2seq.nn", "examples/seq2seq/dev.tsv"},
    {"examples/circuits/circuits.nn", "examples/circuits/dev.jsonl"},
};
enum { N_MODELS = sizeof models / sizeof *models, N_EXAMPLES = 24 };

struct running {
  nn_model *model;
  nn_session *session;
  nn_dataset *data;
  size_t loss;
  size_t examples[N_EXAMPLES];
};

static void check(nn_status *status) {
  if (status)
    fail_msg("%s", nn_status_message(status));
}

static void start(struct running *run, const struct example_model *which, nn_precision precision,
                  nn_autobatch autobatch, int threads) {
  struct nnc_options how = {.path = which->path};
  struct nnc_result result;
  if (!nnc_compile(&how, &result)) {
    nnc_render(&result, stderr, false);
    fail();
  }
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  check(model_from_module(module, &run->model));
  assert_true(nn_model_find_entry(run->model, "loss", &run->loss));
  check(nn_model_build_vocabs(run->model, &which->data, 1, &run->loss, 1, NULL));
  nn_options options = nn_options_default();
  options.precision = precision;
  options.autobatch = autobatch;
  options.threads = threads;
  options.seed = 7;
  check(nn_model_bind(run->model, &options));
  check(nn_session_new(run->model, &run->session));
  check(nn_dataset_load(run->model, which->data, &run->loss, 1, NULL, &run->data));
  assert_true(nn_dataset_size(run->data) >= N_EXAMPLES);
  for (size_t i = 0; i < N_EXAMPLES; i++)
    run->examples[i] = i;
}

static void stop(struct running *run) {
  nn_dataset_free(run->data);
  nn_session_free(run->session);
  nn_model_free(run->model);
}

// The sum of the losses of the first n examples, as one minibatch.
static double loss_of(struct running *run, size_t n) {
  check(nn_session_run(run->session, run->loss, run->data, run->examples, n, NN_GRADIENT));
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    if (nn_session_error(run->session, i))
      fail_msg("%s", nn_session_error(run->session, i));
    sum += nn_session_number(run->session, i);
  }
  return sum;
}

// Five points: the error is of order step^4, which lets the step be large enough that differences of losses keep their
// digits.
static double finite_difference(struct running *run, size_t param, size_t at, double step, size_t n) {
  static const double offsets[4] = {-2, -1, 1, 2};
  double kept = param_value(run->model, param, at), sums[4];
  for (int s = 0; s < 4; s++) {
    double moved = kept + offsets[s] * step;
    param_set(run->model, param, at, 1, &moved);
    sums[s] = loss_of(run, n);
  }
  param_set(run->model, param, at, 1, &kept);
  return (sums[0] - 8 * sums[1] + 8 * sums[2] - sums[3]) / (12 * step);
}

// The element with the largest gradient and two others of a parameter.
static void check_param(struct running *run, const char *path, size_t param, size_t n,
                        const double *gradient) {
  const nn_param_info info = nn_model_param(run->model, param);
  // Smaller steps are for losses with decisions: a difference across the place where a decision changes is none.
  static const double steps[] = {3e-4, 3e-5, 3e-6};
  double largest = 0, numeric = 0;
  size_t places[3] = {0, info.elements / 3, info.elements * 2 / 3};
  for (size_t i = 0; i < info.elements; i++)
    if (fabs(gradient[i]) > largest)
      largest = fabs(gradient[i]), places[0] = i;
  for (int k = 0; k < 3; k++) {
    size_t at = places[k];
    bool agrees = false;
    for (size_t s = 0; s < sizeof steps / sizeof *steps && !agrees; s++) {
      numeric = finite_difference(run, param, at, steps[s], n);
      double scale = fmax(fmax(fabs(numeric), fabs(gradient[at])), 0.01 * largest);
      agrees = fabs(numeric - gradient[at]) <= 1e-6 * fmax(scale, 1e-3);
    }
    if (!agrees)
      fail_msg("%s: %s[%zu]: gradient %.12g, finite difference %.12g", path, info.name, at, gradient[at],
               numeric);
  }
}

static void gradients_match_finite_differences(void **state) {
  (void)state;
  for (int m = 0; m < N_MODELS; m++) {
    struct running run;
    enum { N = 4 };
    start(&run, &models[m], NN_PRECISION_F64, NN_AUTOBATCH_AUTO, 1);
    loss_of(&run, N);
    check(nn_session_backward(run.session, 1));
    assert_true(nn_model_param_count(run.model) > 0);
    for (size_t p = 0; p < nn_model_param_count(run.model); p++) {
      double *gradient = param_gradients(run.model, p);
      check_param(&run, models[m].path, p, N, gradient);
      free(gradient);
    }
    stop(&run);
  }
}

static void single_precision_agrees_with_double(void **state) {
  (void)state;
  for (int m = 0; m < N_MODELS; m++) {
    struct running narrow, wide;
    start(&narrow, &models[m], NN_PRECISION_F32, NN_AUTOBATCH_AUTO, 1);
    start(&wide, &models[m], NN_PRECISION_F64, NN_AUTOBATCH_AUTO, 1);
    // The same start: f32 values are exact in f64.
    for (size_t p = 0; p < nn_model_param_count(wide.model); p++) {
      double *values = param_values(narrow.model, p);
      param_set(wide.model, p, 0, nn_model_param(wide.model, p).elements, values);
      free(values);
    }
    double x = loss_of(&narrow, N_EXAMPLES), y = loss_of(&wide, N_EXAMPLES);
    if (fabs(x - y) > 1e-4 * fabs(y))
      fail_msg("%s: loss %.9g in f32, %.9g in f64", models[m].path, x, y);
    check(nn_session_backward(narrow.session, 1));
    check(nn_session_backward(wide.session, 1));
    for (size_t p = 0; p < nn_model_param_count(wide.model); p++) {
      double *a = param_gradients(narrow.model, p), *b = param_gradients(wide.model, p);
      double difference = 0, norm = 0;
      for (size_t k = 0; k < nn_model_param(wide.model, p).elements; k++) {
        difference += (a[k] - b[k]) * (a[k] - b[k]);
        norm += b[k] * b[k];
      }
      if (sqrt(difference) > 1e-4 * sqrt(norm))
        fail_msg("%s: %s: gradients differ by %.3g of their norm", models[m].path,
                 nn_model_param(wide.model, p).name, sqrt(difference / norm));
      free(a);
      free(b);
    }
    stop(&narrow);
    stop(&wide);
  }
}

// The loss of each example when minibatches have `batch` examples.
static void losses(struct running *run, size_t batch, double *out) {
  for (size_t at = 0; at < N_EXAMPLES; at += batch) {
    size_t n = at + batch <= N_EXAMPLES ? batch : N_EXAMPLES - at;
    check(nn_session_run(run->session, run->loss, run->data, run->examples + at, n, NN_INFER));
    for (size_t i = 0; i < n; i++)
      out[at + i] = nn_session_number(run->session, i);
  }
}

static void same_bits_in_any_batch(void **state) {
  (void)state;
  static const nn_autobatch modes[] = {NN_AUTOBATCH_OFF, NN_AUTOBATCH_DEPTH, NN_AUTOBATCH_AGENDA,
                                       NN_AUTOBATCH_AUTO};
  static const size_t batches[] = {1, 5, N_EXAMPLES};
  for (int m = 0; m < N_MODELS; m++) {
    double expected[N_EXAMPLES], got[N_EXAMPLES];
    for (int threads = 1; threads <= 3; threads += 2) {
      struct running run;
      start(&run, &models[m], NN_PRECISION_F32, NN_AUTOBATCH_OFF, threads);
      if (threads == 1)
        losses(&run, 1, expected);
      for (size_t k = 0; k < sizeof modes / sizeof *modes; k++) {
        nn_session_set_autobatch(run.session, modes[k]);
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
          losses(&run, batches[b], got);
          for (size_t i = 0; i < N_EXAMPLES; i++)
            if (memcmp(&got[i], &expected[i], sizeof *got))
              fail_msg("%s: example %zu: %.17g alone, %.17g with --autobatch %d --batch %zu --threads %d",
                       models[m].path, i, expected[i], got[i], (int)modes[k], batches[b], threads);
        }
      }
      stop(&run);
    }
    double distinct = 0;
    for (size_t i = 1; i < N_EXAMPLES; i++)
      distinct += expected[i] != expected[0];
    assert_true(distinct > 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradients_match_finite_differences),
      cmocka_unit_test(single_precision_agrees_with_double),
      cmocka_unit_test(same_bits_in_any_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// The layers and functions of the standard library against formulas written out here, in double precision:
// the entries of stdlib_values.nn on parameters filled with arbitrary numbers.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "runtime/model/model.h"
#include "runtime/nn.h"
#include "tests/runtime/param_values.h"

#define PROGRAM "tests/language/stdlib_values.nn"

enum { D = 3, H = 4, MOST_VALUES = 64 };

struct rig {
  nn_model *model;
  nn_session *session;
  nn_dataset *data;
  double expected[MOST_VALUES];  // of the entry under test, in the order of its result
  size_t n_expected;
  double **values;  // [parameter]
};

static void check(nn_status *status) {
  if (status)
    fail_msg("%s", nn_status_message(status));
}

// ---- The model ----------------------------------------------------------------------------------------

// Numbers in [-1.5, 1.5) without pattern, the same in every run.
static double arbitrary(uint64_t n) {
  n = (n + 1) * 0x9e3779b97f4a7c15u;
  n = (n ^ (n >> 31)) * 0xbf58476d1ce4e5b9u;
  return (double)(n >> 40) / (1 << 24) * 3 - 1.5;
}

static void fill_params(struct rig *rig) {
  uint64_t n = 0;
  rig->values = calloc(nn_model_param_count(rig->model), sizeof *rig->values);
  for (size_t p = 0; p < nn_model_param_count(rig->model); p++) {
    size_t elements = nn_model_param(rig->model, p).elements;
    rig->values[p] = calloc(elements, sizeof **rig->values);
    for (size_t i = 0; i < elements; i++)
      rig->values[p][i] = arbitrary(n++);
    param_set(rig->model, p, 0, elements, rig->values[p]);
  }
}

// One record, which every entry takes.
static void write_data(char *path) {
  int file = mkstemps(path, (int)strlen(".jsonl"));
  assert_true(file >= 0);
  static const char record[] = "{\"n\": 0}\n";
  assert_int_equal(write(file, record, sizeof record - 1), sizeof record - 1);
  close(file);
}

static int set_up(void **state) {
  struct rig *rig = calloc(1, sizeof *rig);
  const char *stdlib[] = {"stdlib"};
  struct nnc_options how = {.path = PROGRAM, .stdlib_dirs = stdlib, .stdlib_dir_count = 1};
  struct nnc_result result;
  if (!nnc_compile(&how, &result)) {
    nnc_render(&result, stderr, false);
    fail();
  }
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  check(model_from_module(module, &rig->model));
  nn_options options = nn_options_default();
  options.precision = NN_PRECISION_F64;
  options.cache_dir = "";
  check(nn_model_bind(rig->model, &options));
  fill_params(rig);
  check(nn_session_new(rig->model, &rig->session));
  char path[] = "/tmp/nn-stdlib-XXXXXX.jsonl";
  write_data(path);
  size_t entry;
  assert_true(nn_model_find_entry(rig->model, "losses", &entry));
  check(nn_dataset_load(rig->model, path, &entry, 1, NULL, &rig->data));
  unlink(path);
  *state = rig;
  return 0;
}

static int tear_down(void **state) {
  struct rig *rig = *state;
  nn_dataset_free(rig->data);
  nn_session_free(rig->session);
  for (size_t p = 0; p < nn_model_param_count(rig->model); p++)
    free(rig->values[p]);
  free(rig->values);
  nn_model_free(rig->model);
  free(rig);
  return 0;
}

static const double *param(const struct rig *rig, const char *name) {
  return rig->values[param_find(rig->model, name)];
}

// `layer.name`
static const double *member(const struct rig *rig, const char *layer, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "%s.%s", layer, name);
  return param(rig, path);
}

// ---- Results ------------------------------------------------------------------------------------------

static void expect(struct rig *rig, size_t n, const double *values) {
  assert_true(rig->n_expected + n <= MOST_VALUES);
  memcpy(rig->expected + rig->n_expected, values, n * sizeof *values);
  rig->n_expected += n;
}

// The next number of a JSON text, whatever stands around it; false at the end.
static bool next_number(char **at, double *value) {
  while (**at) {
    if (**at == '"') {
      *at = strchr(*at + 1, '"') + 1;
      continue;
    }
    char *end;
    *value = strtod(*at, &end);
    if (end != *at) {
      *at = end;
      return true;
    }
    ++*at;
  }
  return false;
}

// Runs an entry and compares its result with what is expected.
static void compare(struct rig *rig, const char *name) {
  size_t entry, example = 0;
  assert_true(nn_model_find_entry(rig->model, name, &entry));
  check(nn_session_run(rig->session, entry, rig->data, &example, 1, NN_INFER));
  if (nn_session_error(rig->session, 0))
    fail_msg("%s: %s", name, nn_session_error(rig->session, 0));
  char *json = nn_session_json(rig->session, 0), *at = json;
  double value;
  size_t n = 0;
  for (; next_number(&at, &value); n++) {
    if (n == rig->n_expected)
      fail_msg("%s gives more than %zu numbers: %s", name, n, json);
    // Vector mathematics is exact to a few units in the last place.
    if (!(fabs(value - rig->expected[n]) <= 1e-12 * fmax(1, fabs(value))))
      fail_msg("%s: number %zu is %.15g, not %.15g", name, n, value, rig->expected[n]);
  }
  if (n != rig->n_expected)
    fail_msg("%s gives %zu numbers, not %zu: %s", name, n, rig->n_expected, json);
  free(json);
  rig->n_expected = 0;
}

// ---- Arithmetic ---------------------------------------------------------------------------------------

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

// Row `row` of a matrix with n columns times x.
static double row_times(const double *matrix, size_t row, size_t n, const double *x) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += matrix[row * n + i] * x[i];
  return sum;
}

static double inner(size_t n, const double *a, const double *b) { return row_times(a, 0, n, b); }

struct state {
  double h[H], c[H];
};

static void expect_state(struct rig *rig, const struct state *s) {
  expect(rig, H, s->h);
  expect(rig, H, s->c);
}

static struct state state_of(const double *h, const double *c) {
  struct state s;
  memcpy(s.h, h, sizeof s.h);
  memcpy(s.c, c, sizeof s.c);
  return s;
}

// ---- Recurrent layers ---------------------------------------------------------------------------------

static struct state lstm(const struct rig *rig, const char *layer, const struct state *s, size_t n,
                         const double *x) {
  const double *W = member(rig, layer, "W"), *U = member(rig, layer, "U"), *b = member(rig, layer, "b");
  struct state next;
  for (size_t j = 0; j < H; j++) {
    double gates[4];
    for (size_t q = 0; q < 4; q++)
      gates[q] = row_times(W, q * H + j, n, x) + row_times(U, q * H + j, H, s->h) + b[q * H + j];
    next.c[j] = sigmoid(gates[0]) * tanh(gates[3]) + sigmoid(gates[1]) * s->c[j];
    next.h[j] = sigmoid(gates[2]) * tanh(next.c[j]);
  }
  return next;
}

static void test_lstm(void **state) {
  struct rig *rig = *state;
  const double *x = param(rig, "x"), *y = param(rig, "y"), *z = param(rig, "z");
  struct state s = state_of(param(rig, "h"), param(rig, "c")), zero = {0};
  s = lstm(rig, "lstm", &s, D, x);
  expect_state(rig, &s);
  compare(rig, "lstm_step");

  s = lstm(rig, "lstm", &zero, D, x);
  s = lstm(rig, "lstm", &s, D, y);
  expect_state(rig, &s);
  compare(rig, "lstm_fold");

  const double *forth[3] = {x, y, z};
  struct state left = zero, right[4] = {0};
  for (int i = 2; i >= 0; i--)
    right[i] = lstm(rig, "bilstm.bwd", &right[i + 1], D, forth[i]);
  for (int i = 0; i < 3; i++) {
    left = lstm(rig, "bilstm.fwd", &left, D, forth[i]);
    expect(rig, H, left.h);
    expect(rig, H, right[i].h);
  }
  compare(rig, "bilstm_run");

  struct state layers[3] = {0};
  for (int i = 0; i < 2; i++) {
    layers[0] = lstm(rig, "stacked.first", &layers[0], D, forth[i]);
    layers[1] = lstm(rig, "stacked.rest.0", &layers[1], H, layers[0].h);
    layers[2] = lstm(rig, "stacked.rest.1", &layers[2], H, layers[1].h);
    expect(rig, H, layers[2].h);
  }
  compare(rig, "stacked_run");
}

static void gru(const struct rig *rig, const double *h, const double *x, double *next) {
  const double *W = param(rig, "gru.W"), *U = param(rig, "gru.U"), *b = param(rig, "gru.b");
  const double *bu = param(rig, "gru.bu");
  double result[H];
  for (size_t j = 0; j < H; j++) {
    double r = sigmoid(row_times(W, j, D, x) + b[j] + row_times(U, j, H, h));
    double z = sigmoid(row_times(W, H + j, D, x) + b[H + j] + row_times(U, H + j, H, h));
    double n =
        tanh(row_times(W, 2 * H + j, D, x) + b[2 * H + j] + r * (row_times(U, 2 * H + j, H, h) + bu[j]));
    result[j] = (1 - z) * n + z * h[j];
  }
  memcpy(next, result, sizeof result);
}

static void test_gru_and_rnn(void **state) {
  struct rig *rig = *state;
  const double *inputs[2] = {param(rig, "x"), param(rig, "y")};
  double h[H];
  gru(rig, param(rig, "h"), inputs[0], h);
  expect(rig, H, h);
  compare(rig, "gru_step");

  memset(h, 0, sizeof h);
  gru(rig, h, inputs[0], h);
  gru(rig, h, inputs[1], h);
  expect(rig, H, h);
  expect(rig, H, h);
  compare(rig, "gru_fold");

  double old[H] = {0};
  for (int i = 0; i < 2; i++) {
    for (size_t j = 0; j < H; j++)
      h[j] = tanh(row_times(param(rig, "rnn.W"), j, D, inputs[i]) +
                  row_times(param(rig, "rnn.U"), j, H, old) + param(rig, "rnn.b")[j]);
    memcpy(old, h, sizeof h);
    expect(rig, H, h);
  }
  compare(rig, "rnn_run");
}

static void test_dense(void **state) {
  struct rig *rig = *state;
  const double *x = param(rig, "x");
  double dense[H], linear[H], hidden[H], output[2];
  for (size_t j = 0; j < H; j++) {
    dense[j] = row_times(param(rig, "dense.W"), j, D, x) + param(rig, "dense.b")[j];
    linear[j] = row_times(param(rig, "linear.W"), j, D, x);
    hidden[j] = tanh(row_times(param(rig, "mlp.hidden.W"), j, D, x) + param(rig, "mlp.hidden.b")[j]);
  }
  for (size_t j = 0; j < 2; j++)
    output[j] = row_times(param(rig, "mlp.output.W"), j, H, hidden) + param(rig, "mlp.output.b")[j];
  expect(rig, H, dense);
  expect(rig, H, linear);
  expect(rig, 2, output);
  compare(rig, "dense_apply");
}

static void test_numbers(void **state) {
  struct rig *rig = *state;
  static const double given[D] = {0.5, -1, 2};
  const double *W = param(rig, "numbers.W");
  double sums[H];
  for (int j = 0; j < H; j++) {
    sums[j] = param(rig, "numbers.b")[j];
    for (int i = 0; i < D; i++)
      sums[j] += given[i] * W[i * H + j];
  }
  expect(rig, H, sums);
  compare(rig, "numbers_apply");
}

// ---- Trees --------------------------------------------------------------------------------------------

// The gates i, o, u of unit j and what is kept of the children.
static void tree_unit(struct state *s, size_t j, const double *gates, double kept) {
  s->c[j] = sigmoid(gates[0]) * tanh(gates[2]) + kept;
  s->h[j] = sigmoid(gates[1]) * tanh(s->c[j]);
}

static void test_binary_tree(void **state) {
  struct rig *rig = *state;
  struct state l = state_of(param(rig, "h"), param(rig, "c")), r = state_of(param(rig, "g"), param(rig, "k")),
               s;
  const double *b = param(rig, "binary.b"), *bf = param(rig, "binary.bf");
  double gates[3], both[2 * H];
  for (size_t j = 0; j < H; j++) {
    for (size_t q = 0; q < 3; q++)
      gates[q] = row_times(param(rig, "binary.W"), q * H + j, D, param(rig, "x")) + b[q * H + j];
    tree_unit(&s, j, gates, 0);
  }
  expect_state(rig, &s);
  compare(rig, "binary_leaf");

  memcpy(both, l.h, sizeof l.h);
  memcpy(both + H, r.h, sizeof r.h);
  for (size_t j = 0; j < H; j++) {
    for (size_t q = 0; q < 3; q++)
      gates[q] = row_times(param(rig, "binary.U"), q * H + j, 2 * H, both) + b[q * H + j];
    tree_unit(&s, j, gates,
              sigmoid(row_times(param(rig, "binary.F1"), j, H, l.h) + bf[j]) * l.c[j] +
                  sigmoid(row_times(param(rig, "binary.F2"), j, H, r.h) + bf[j]) * r.c[j]);
  }
  expect_state(rig, &s);
  compare(rig, "binary_node");
}

static struct state childsum(const struct rig *rig, size_t n, const struct state *children) {
  const double *x = param(rig, "x");
  double h[H] = {0}, gates[3];
  struct state s;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < H; j++)
      h[j] += children[i].h[j];
  for (size_t j = 0; j < H; j++) {
    double kept = 0;
    for (size_t i = 0; i < n; i++)
      kept += children[i].c[j] * sigmoid(row_times(param(rig, "childsum.Wf"), j, D, x) +
                                         row_times(param(rig, "childsum.Uf"), j, H, children[i].h) +
                                         param(rig, "childsum.bf")[j]);
    for (size_t q = 0; q < 3; q++)
      gates[q] = row_times(param(rig, "childsum.W"), q * H + j, D, x) +
                 row_times(param(rig, "childsum.U"), q * H + j, H, h) + param(rig, "childsum.b")[q * H + j];
    tree_unit(&s, j, gates, kept);
  }
  return s;
}

static void test_childsum_tree(void **state) {
  struct rig *rig = *state;
  const double *g = param(rig, "g"), *h = param(rig, "h"), *k = param(rig, "k"), *c = param(rig, "c");
  struct state children[3] = {state_of(h, c), state_of(g, k), state_of(c, g)};
  struct state s = childsum(rig, 3, children);
  expect_state(rig, &s);
  compare(rig, "childsum_node");
  s = childsum(rig, 0, NULL);
  expect_state(rig, &s);
  compare(rig, "childsum_leaf");
}

// ---- Attention, normalisation -------------------------------------------------------------------------

static void expect_weighted(struct rig *rig, size_t n, const double *scores, const double *const *values) {
  double total = 0, mean[H] = {0};
  for (int i = 0; i < 3; i++)
    total += exp(scores[i]);
  for (int i = 0; i < 3; i++)
    for (size_t j = 0; j < n; j++)
      mean[j] += exp(scores[i]) / total * values[i][j];
  expect(rig, n, mean);
}

static void test_attention(void **state) {
  struct rig *rig = *state;
  const double *keys[3] = {param(rig, "x"), param(rig, "y"), param(rig, "z")};
  const double *values[3] = {param(rig, "g"), param(rig, "h"), param(rig, "k")};
  double scores[3] = {0};
  for (int i = 0; i < 3; i++)
    for (size_t j = 0; j < 5; j++)
      scores[i] += param(rig, "attention.v")[j] * tanh(row_times(param(rig, "attention.Q"), j, H, values[1]) +
                                                       row_times(param(rig, "attention.K"), j, D, keys[i]));
  expect_weighted(rig, D, scores, keys);
  compare(rig, "attention_apply");

  for (int i = 0; i < 3; i++)
    scores[i] = 0.5 * inner(D, keys[0], keys[i]);
  expect_weighted(rig, H, scores, values);
  compare(rig, "attend_values");
}

static void test_scores_in_lists(void **state) {
  struct rig *rig = *state;
  const double *h = param(rig, "h");
  double total = 0;
  for (size_t j = 0; j < H; j++)
    total += exp(h[j]);
  for (size_t j = 0; j < H; j++)
    expect(rig, 1, (double[]){exp(h[j]) / total});
  expect(rig, 4, (double[]){log(total), log(total) - h[0], log(total) - h[3], 0});
  compare(rig, "list_scores");

  // The others of the leading one come to exp(-60) and to what is 0 beside that.
  double others = exp(h[0] - h[1] - 60);
  double all = 1060 + h[1] + log1p(others);
  expect(rig, 4, (double[]){all, all - (1000 + h[0]), 1e26 * log1p(others), all - h[2]});
  compare(rig, "list_extremes");

  expect(rig, 4, (double[]){0, 1, 1, 1});
  compare(rig, "list_best");
}

static void test_norms(void **state) {
  struct rig *rig = *state;
  const double *h = param(rig, "h");
  double mean = 0, variance = 0, layer[H], rms[H];
  for (size_t j = 0; j < H; j++)
    mean += h[j] / H;
  for (size_t j = 0; j < H; j++)
    variance += (h[j] - mean) * (h[j] - mean) / H;
  for (size_t j = 0; j < H; j++) {
    layer[j] = param(rig, "layer_norm.gain")[j] * (h[j] - mean) / sqrt(variance + 1e-5) +
               param(rig, "layer_norm.bias")[j];
    rms[j] = param(rig, "rms_norm.gain")[j] * h[j] / sqrt(inner(H, h, h) / H + 1e-5);
  }
  expect(rig, H, layer);
  expect(rig, H, rms);
  compare(rig, "norms");
}

// ---- Functions ----------------------------------------------------------------------------------------

static double softplus(double x) { return log(1 + exp(x)); }

static double silu(double x) { return x / (1 + exp(-x)); }

static double gelu(double x) { return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * pow(x, 3)))); }

static double leaky_relu(double x) { return x > 0 ? x : 0.1 * x; }

static double elu(double x) { return x > 0 ? x : exp(x) - 1; }

static double hard_sigmoid(double x) { return x <= -3 ? 0 : x >= 3 ? 1 : x / 6 + 0.5; }

static void test_activations(void **state) {
  struct rig *rig = *state;
  double (*const functions[])(double) = {softplus, silu, gelu, leaky_relu, elu, hard_sigmoid};
  for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
    for (size_t j = 0; j < H; j++)
      expect(rig, 1, (double[]){functions[f](param(rig, "h")[j])});
  compare(rig, "activations");
}

static void test_losses(void **state) {
  struct rig *rig = *state;
  const double *x = param(rig, "x"), *y = param(rig, "y"), *h = param(rig, "h");
  double squared = 0, total = 0, entropy = 0;
  for (size_t i = 0; i < D; i++)
    squared += (x[i] - y[i]) * (x[i] - y[i]);
  for (size_t j = 0; j < H; j++)
    total += exp(h[j]);
  for (size_t j = 0; j < H; j++)
    entropy -= exp(h[j]) / total * log(exp(h[j]) / total);
  const double losses[] = {
      squared,
      squared / D,
      -log(sigmoid(x[0])),
      -log(1 - sigmoid(x[0])),
      fmax(0, 1.5 - (x[0] - y[0])),
      entropy,
      inner(D, x, y) / sqrt(inner(D, x, x) * inner(D, y, y)),
  };
  expect(rig, sizeof losses / sizeof *losses, losses);
  compare(rig, "losses");
}

static void test_distributions(void **state) {
  struct rig *rig = *state;
  const double *x = param(rig, "x"), *y = param(rig, "y"), *z = param(rig, "z");
  double divergence = 0, density = 0, of_pixels = 0, of_zeros = 0;
  for (size_t i = 0; i < D; i++) {
    divergence += 0.5 * (exp(y[i]) + x[i] * x[i] - 1 - y[i]);
    density -= log(exp(-(x[i] - y[i]) * (x[i] - y[i]) / (2 * exp(z[i]))) / sqrt(2 * acos(-1) * exp(z[i])));
    double p = sigmoid(x[i]), pixel = sigmoid(y[i]);
    of_pixels -= pixel * log(p) + (1 - pixel) * log(1 - p);
    of_zeros -= log(1 - p);
  }
  const double distributions[] = {divergence, density, of_pixels, of_zeros, 1};
  expect(rig, sizeof distributions / sizeof *distributions, distributions);
  compare(rig, "distributions");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lstm),
      cmocka_unit_test(test_gru_and_rnn),
      cmocka_unit_test(test_dense),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_binary_tree),
      cmocka_unit_test(test_childsum_tree),
      cmocka_unit_test(test_scores_in_lists),
      cmocka_unit_test(test_attention),
      cmocka_unit_test(test_norms),
      cmocka_unit_test(test_activations),
      cmocka_unit_test(test_losses),
      cmocka_unit_test(test_distributions),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

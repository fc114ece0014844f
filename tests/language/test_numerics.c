// Every element-wise operation and every function of the standard library at nasty points (kinks, near cancellation, near
// overflow and underflow, infinities, NaN), value and derivative, in both precisions and with every family of instructions
// that the processor has, against formulas in long double written out here; and the rule for NaN. A new function is a row.
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
#include "runtime/jit/jit.h"
#include "runtime/model/model.h"
#include "runtime/nn.h"
#include "tests/runtime/param_values.h"

typedef long double real;

// Rows of the parameter X hold one number in all columns, those of V three, those of N zeros and a NaN in turn; Z is 0.
enum { COLUMNS = 19, WIDE = 37 };

static const double points[] = {0,     1e-40, -1e-40, 1e-30, -1e-30, 1e-8, -1e-8, 3e-5,     -3e-5,     1e-3,
                                -1e-3, 0.1,   -0.1,   0.5,   -0.5,   1,    -1,    2.5,      -2.5,      3,
                                -3,    4.5,   -4.5,   6,     -6,     9,    -9,    13,       -13,       17,
                                -17,   20,    -20,    30,    -30,    50,   -50,   87,       -87,       100,
                                -100,  700,   -700,   1000,  -1000,  1e5,  -1e5,  1e10,     -1e10,     1e18,
                                -1e18, 3e19,  -3e19,  1e30,  -1e30,  1e37, -1e37, INFINITY, -INFINITY, NAN};
enum { N_POINTS = sizeof points / sizeof *points };

static const double triples[][3] = {
    {20, 0, 0},          {0, 20, -20},      {200, 0, -200},   {1e30, 1e30, 0},     {-1e30, 0, 1},
    {0, 0, 0},           {-INFINITY, 0, 1}, {88.5, 88.7, 80}, {-90, -100, -200},   {1e-30, 2e-30, -1e-30},
    {1e18, -2e18, 3e18}, {1e-12, 1, 1e5},   {3, 3, -1},       {1e6, 1e6 + 1, 1e6}, {-INFINITY, 5, -INFINITY},
    {0.25, -0.75, 1.25}, {17, 0, -1e4}};
enum { N_TRIPLES = sizeof triples / sizeof *triples };

// ---- Formulas of one number ----

static real sigmoid(real x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static real d_sigmoid(real x) { return sigmoid(x) * sigmoid(-x); }
static real d_log(real x) { return 1 / x; }
static real d_log1p(real x) { return 1 / (1 + x); }
static real d_sqrt(real x) { return 0.5L / sqrtl(x); }
static real square(real x) { return x * x; }
static real d_square(real x) { return 2 * x; }
static real d_tanh(real x) { return 1 / (coshl(x) * coshl(x)); }
static real relu(real x) { return x < 0 ? 0 : x; }
static real d_relu(real x) { return x > 0; }
static real sign(real x) { return (x > 0) - (x < 0); }
static real d_erf(real x) { return M_2_SQRTPIl * expl(-x * x); }
static real d_erfc(real x) { return -d_erf(x); }
static real softplus(real x) { return relu(x) + log1pl(expl(-fabsl(x))); }
static real log_sigmoid(real x) { return -softplus(-x); }
static real d_log_sigmoid(real x) { return sigmoid(-x); }
static real silu(real x) { return x == -INFINITY ? 0 : x * sigmoid(x); }
static real d_silu(real x) { return sigmoid(x) + (fabsl(x) > 1e4L ? 0 : x * d_sigmoid(x)); }
static real gelu_argument(real x) { return 2 * sqrtl(M_2_PIl / 1) / sqrtl(1) * (x + 0.044715L * x * x * x); }
static real gelu(real x) { return x < -100 ? 0 : x > 100 ? x : x * sigmoid(gelu_argument(x)); }
static real d_gelu(real x) {
  if (fabsl(x) > 100)
    return x > 0;
  real z = gelu_argument(x), dz = 2 * sqrtl(M_2_PIl) * (1 + 3 * 0.044715L * x * x);
  return sigmoid(z) + x * d_sigmoid(z) * dz;
}
static real gelu_exact(real x) { return x == -INFINITY ? 0 : x * erfcl(-x * M_SQRT1_2l) / 2; }
static real d_gelu_exact(real x) {
  return erfcl(-x * M_SQRT1_2l) / 2 +
         (fabsl(x) > 100 ? 0 : x * expl(-x * x / 2) * M_SQRT1_2l * M_2_SQRTPIl / 2);
}
static real leaky_relu(real x) { return x > 0 ? x : (real)0.1 * x; }
static real d_leaky_relu(real x) { return x > 0 ? 1 : (real)0.1; }
static real elu(real x) { return x > 0 ? x : expm1l(x); }
static real d_elu(real x) { return x > 0 ? 1 : expl(x); }
static real hard_sigmoid(real x) { return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6; }
static real d_hard_sigmoid(real x) { return x > -3 && x < 3 ? (real)1 / 6 : 0; }
static real at_most_3(real x) { return x > 3 ? 3 : x; }
static real d_at_most_3(real x) { return x <= 3; }
static real d_at_least_0(real x) { return x >= 0; }
static real d_max_half(real x) { return x > 0 ? 1 : x == 0 ? 0.5L : 0; }
static real min0(real x) { return x < 0 ? x : 0; }
static real d_min_half(real x) { return d_max_half(-x); }
static real against(real x) { return softplus(-x); }
static real d_against(real x) { return -sigmoid(-x); }
static real hinge(real x) { return x >= 1 ? 0 : 1 - x; }
static real d_hinge(real x) { return x < 1 ? -1 : 0; }
static real reciprocal(real x) { return 1 / x; }
static real d_reciprocal(real x) { return -1 / (x * x); }
static real one(real x) { return (void)x, 1; }
static real minus(real x) { return -x; }
static real minus_one(real x) { return -one(x); }
static real itself(real x) { return x; }

struct row {
  const char *text;  // of the entry's result, a number; x is the row of X
  real (*value)(real), (*derivative)(real);
  double tolerance;  // in units of the precision relative to the exact number
  // The derivative's error may be as large beside a number of this size: it is made of the value, as PyTorch's.
  double slack;
};

static const struct row rows[] = {
    {"exp(x)[17]", expl, expl, 2, 0},
    {"log(x)[17]", logl, d_log, 2, 0},
    {"log1p(x)[17]", log1pl, d_log1p, 2, 0},
    {"expm1(x)[17]", expm1l, expl, 3, 0},
    {"sqrt(x)[17]", sqrtl, d_sqrt, 2, 0},
    {"square(x)[17]", square, d_square, 2, 0},
    {"tanh(x)[17]", tanhl, d_tanh, 4, 1},
    {"sigmoid(x)[17]", sigmoid, d_sigmoid, 4, 0.5},
    {"relu(x)[17]", relu, d_relu, 0, 0},
    {"abs(x)[17]", fabsl, sign, 0, 0},
    {"erf(x)[17]", erfl, d_erf, 4, 1e-6},
    {"erfc(x)[17]", erfcl, d_erfc, 8, 1e-6},
    {"(-x)[17]", minus, minus_one, 0, 0},
    {"(x + Z)[17]", itself, one, 0, 0},
    {"(1 / x)[17]", reciprocal, d_reciprocal, 3, 0},
    {"max(x, 0)[17]", relu, d_at_least_0, 0, 0},
    {"max(0, x)[17]", relu, d_at_least_0, 0, 0},
    {"max(x[17], 0)", relu, d_at_least_0, 0, 0},
    {"min(x, 3)[17]", at_most_3, d_at_most_3, 0, 0},
    {"min(3, x)[17]", at_most_3, d_at_most_3, 0, 0},
    {"max(x, Z)[17]", relu, d_max_half, 0, 0},
    {"max(Z, x)[17]", relu, d_max_half, 0, 0},
    {"min(x, Z)[17]", min0, d_min_half, 0, 0},
    {"min(Z, x)[17]", min0, d_min_half, 0, 0},
    {"max([x, Z])[17]", relu, d_max_half, 0, 0},
    {"max([Z, x])[17]", relu, d_max_half, 0, 0},
    {"sum(max(concat(x[17..18], Z[0..1])))", relu, d_max_half, 0, 0},
    {"softplus(x)[17]", softplus, sigmoid, 5, 0},
    {"log_sigmoid(x)[17]", log_sigmoid, d_log_sigmoid, 5, 0},
    {"silu(x)[17]", silu, d_silu, 6, 4},
    {"gelu(x)[17]", gelu, d_gelu, 500, 1e-2},
    {"gelu_exact(x)[17]", gelu_exact, d_gelu_exact, 200, 1e-2},
    {"leaky_relu(x, 0.1)[17]", leaky_relu, d_leaky_relu, 2, 0},
    {"elu(x)[17]", elu, d_elu, 3, 0},
    {"hard_sigmoid(x)[17]", hard_sigmoid, d_hard_sigmoid, 4, 1},
    {"binary_nll(x[17], true)", against, d_against, 5, 0},
    {"binary_nll(x[17], false)", softplus, sigmoid, 5, 0},
    {"hinge(x[17], 0, 1)", hinge, d_hinge, 1, 0},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

// ---- Formulas of three numbers: the value, and the derivatives in d ----

static real log_sum(const real *v, real *d) {
  real top = fmaxl(v[0], fmaxl(v[1], v[2])), rest = 0;
  int first = v[0] == top ? 0 : v[1] == top ? 1 : 2;
  for (int i = 0; i < 3; i++)
    rest += i == first ? 0 : expl(v[i] - top);
  for (int i = 0; i < 3; i++)
    d[i] = expl(v[i] - top) / (1 + rest);
  return top + log1pl(rest);
}

static real nll(const real *v, real *d) {
  real p[3], top = fmaxl(v[0], fmaxl(v[1], v[2])), rest = 0;
  log_sum(v, p);
  int first = v[0] == top ? 0 : v[1] == top ? 1 : 2;
  for (int i = 0; i < 3; i++)
    rest += i == first ? 0 : expl(v[i] - top);
  memcpy(d, p, sizeof p);
  d[0] = -(p[1] + p[2]);
  return (top - v[0]) + log1pl(rest);
}

static real log_softmax(const real *v, real *d) {
  real value = nll(v, d);
  for (int i = 0; i < 3; i++)
    d[i] = -d[i];
  return -value;
}

static real softmax(const real *v, real *d) {
  real p[3];
  log_sum(v, p);
  for (int i = 0; i < 3; i++)
    d[i] = i == 0 ? p[0] * (p[1] + p[2]) : -p[0] * p[i];
  return p[0];
}

static real entropy(const real *v, real *d) {
  real p[3], sum = 0, unused[3];
  log_sum(v, p);
  real logs[3];
  for (int i = 0; i < 3; i++) {
    real turned[3] = {v[i], v[(i + 1) % 3], v[(i + 2) % 3]};
    logs[i] = -nll(turned, unused);
    sum -= p[i] == 0 ? 0 : p[i] * logs[i];
  }
  for (int i = 0; i < 3; i++)
    d[i] = p[i] == 0 ? 0 : -p[i] * (logs[i] + sum);
  return sum;
}

static real largest(const real *v, real *d) {
  real top = fmaxl(v[0], fmaxl(v[1], v[2]));
  int n = (v[0] == top) + (v[1] == top) + (v[2] == top);
  for (int i = 0; i < 3; i++)
    d[i] = v[i] == top ? 1.0L / n : 0;
  return top;
}

// With the vector 1, 2, 3.
static real cosine(const real *v, real *d) {
  real norm = sqrtl(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]), other = sqrtl(14);
  real top = fmaxl(fabsl(v[0]), fmaxl(fabsl(v[1]), fabsl(v[2])));
  real length = top < 1e-8L ? 1e-8L * fmaxl(1, norm / 1e-8L) : norm;
  real value = (v[0] + 2 * v[1] + 3 * v[2]) / (length * other);
  for (int i = 0; i < 3; i++)
    d[i] = (i + 1) / (length * other) - (length == norm ? value * v[i] / (norm * norm) : 0);
  return value;
}

static real standardised(const real *v, real *d) {
  real mean = (v[0] + v[1] + v[2]) / 3, c[3], variance = 0;
  for (int i = 0; i < 3; i++)
    c[i] = v[i] - mean, variance += c[i] * c[i] / 3;
  real root = sqrtl(variance + (real)1e-5);
  for (int i = 0; i < 3; i++)
    d[i] = ((i == 0) - 1.0L / 3) / root - c[0] * c[i] / (3 * root * root * root);
  return c[0] / root;
}

// Values 1, 2, 4 weighted by the softmax of the scores.
static real weighted(const real *v, real *d) {
  static const real values[] = {1, 2, 4};
  real p[3], mean = 0;
  log_sum(v, p);
  for (int i = 0; i < 3; i++)
    mean += p[i] * values[i];
  for (int i = 0; i < 3; i++)
    d[i] = p[i] * (values[i] - mean);
  return mean;
}

static real sum_squared_error(const real *v, real *d) {
  static const real other[] = {1, 2, 3};
  real sum = 0;
  for (int i = 0; i < 3; i++) {
    sum += (v[i] - other[i]) * (v[i] - other[i]);
    d[i] = 2 * (v[i] - other[i]);
  }
  return sum;
}

struct triple_row {
  const char *text;
  real (*formula)(const real *v, real *d);
  double tolerance, slack;
  double most;     // elements beyond are not tried: |v| squared overflows, or differences have no digits left
  bool by_length;  // the derivative is a difference of vectors as long as 1 / |v|
};

static const struct triple_row triple_rows[] = {
    {"logsumexp(v)", log_sum, 4, 0, INFINITY, false},
    {"nll(v, 0)", nll, 4, 0, INFINITY, false},
    {"pick(log_softmax(v), 0)", log_softmax, 100, 0, INFINITY, false},
    {"pick(softmax(v), 0)", softmax, 8, 1, INFINITY, false},
    {"entropy(v)", entropy, 16, 2, INFINITY, false},
    {"max(v)", largest, 1, 0, INFINITY, false},
    {"sum(max([v[0..1], v[1..2], v[2..3]]))", largest, 1, 0, INFINITY, false},
    {"cosine(v, O)", cosine, 12, 1, 1e36, true},
    {"cosine(O, v)", cosine, 12, 1, 1e36, true},
    {"standardise(v)[0]", standardised, 16, 1, 1000, false},
    {"sum(weighted_mean([v[0], v[1], v[2]], [O[0..1], O[1..2], 4 * ones[1]]))", weighted, 16, 1, INFINITY,
     false},
    {"squared_error(v, O)", sum_squared_error, 4, 0, 1e15, false},
};
enum { N_TRIPLE_ROWS = sizeof triple_rows / sizeof *triple_rows };

// ---- NaN: rows of N have a NaN at the example's number; y is such a row, at i, and w is 0 ----

static const char *const nan_rows[] = {
    "max(y, 2)[i]",
    "max(2, y)[i]",
    "min(y, 2)[i]",
    "min(2, y)[i]",
    "max(y, w)[i]",
    "max(w, y)[i]",
    "min(y, w)[i]",
    "min(w, y)[i]",
    "relu(y)[i]",
    "abs(y)[i]",
    "max(y)",
    "logsumexp(y)",
    "nll(y, 3)",
    "softmax(y)[5]",
    "log_softmax(y)[5]",
    "sum(y)",
    "mean(y)",
    "dot(y, w)",
    "max([y, w])[i]",
    "max([w, y])[i]",
    "max([w, y, w])[i]",
    "sum([w, y])[i]",
    "mean([y, w])[i]",
    "hinge(y[i], 0, 1)",
    "hard_sigmoid(y)[i]",
    "softplus(y)[i]",
    "elu(y)[i]",
    "leaky_relu(y, 0.1)[i]",
    "gelu(y)[i]",
    "gelu_exact(y)[i]",
    "silu(y)[i]",
    "log_sigmoid(y)[i]",
    "binary_nll(y[i], true)",
    "entropy(y)",
    "cosine(y, w + 1)",
    "standardise(y)[5]",
    "0 * y[i]",
    "max(y - y)",
    "max(relu(y))",
    "max(concat(w, y))",
};
enum { N_NAN_ROWS = sizeof nan_rows / sizeof *nan_rows };

// Host numbers: results that are NaN, and one that says what argmax chooses. Constants, which the compiler folds, too.
static const char *const host_nan_rows[] = {
    "max(value(y[i]), 2.0)", "max(2.0, value(y[i]))", "min(value(y[i]), 2.0)", "min(2.0, value(y[i]))",
    "max(0.0 / 0.0, 2.0)",   "max(2.0, 0.0 / 0.0)",   "min(0.0 / 0.0, 2.0)",   "min(2.0, 0.0 / 0.0)",
};
enum { N_HOST_NAN_ROWS = sizeof host_nan_rows / sizeof *host_nan_rows };

// ---- The model ----

struct rig {
  nn_model *model;
  nn_session *session;
  nn_dataset *data;
  nn_precision precision;
  const char *simd;
};

static void check(nn_status *status) {
  if (status)
    fail_msg("%s", nn_status_message(status));
}

static char *make_program(void) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  fputs("import std.activation\nimport std.attention\nimport std.loss\nimport std.norm\n", out);
  fprintf(out, "param X: f32[%d, %d]\nparam V: f32[%d, 3]\nparam N: f32[%d, %d]\nparam Z: f32[%d] = zeros\n",
          N_POINTS, COLUMNS, N_TRIPLES, WIDE, WIDE, COLUMNS);
  fprintf(out, "param w: f32[%d] = zeros\nparam O: f32[3]\n", WIDE);
  for (int i = 0; i < N_ROWS; i++)
    fprintf(out, "fn x%d(i: int) -> f32 { let x = X[i]\n %s }\n", i, rows[i].text);
  for (int i = 0; i < N_TRIPLE_ROWS; i++)
    fprintf(out, "fn v%d(i: int) -> f32 { let v = V[i]\n %s }\n", i, triple_rows[i].text);
  for (int i = 0; i < N_NAN_ROWS; i++)
    fprintf(out, "fn n%d(i: int) -> f32 { let y = N[i]\n %s }\n", i, nan_rows[i]);
  for (int i = 0; i < N_HOST_NAN_ROWS; i++)
    fprintf(out, "fn h%d(i: int) -> float { let y = N[i]\n %s }\n", i, host_nan_rows[i]);
  fputs("fn place(i: int) -> int { argmax(N[i]) }\n", out);
  fclose(out);
  return text;
}

static void set(struct rig *rig, const char *name, size_t i, double value) {
  param_set(rig->model, param_find(rig->model, name), i, 1, &value);
}

static void fill(struct rig *rig) {
  for (size_t i = 0; i < N_POINTS * COLUMNS; i++)
    set(rig, "X", i, points[i / COLUMNS]);
  for (size_t i = 0; i < N_TRIPLES * 3; i++)
    set(rig, "V", i, triples[i / 3][i % 3]);
  for (size_t i = 0; i < WIDE * WIDE; i++)
    set(rig, "N", i, i / WIDE == i % WIDE ? NAN : -0.5 * (double)(i % WIDE));
  for (size_t i = 0; i < 3; i++)
    set(rig, "O", i, (double)i + 1);
}

static void load_numbers(struct rig *rig, size_t n) {
  char path[] = "/tmp/nn-numerics-XXXXXX.jsonl";
  int file = mkstemps(path, (int)strlen(".jsonl"));
  assert_true(file >= 0);
  for (size_t i = 0; i < n; i++)
    assert_true(dprintf(file, "{\"i\": %zu}\n", i) > 0);
  close(file);
  size_t entry;
  assert_true(nn_model_find_entry(rig->model, "place", &entry));
  check(nn_dataset_load(rig->model, path, &entry, 1, NULL, &rig->data));
  unlink(path);
}

static void open_rig(struct rig *rig, nn_precision precision, const char *simd) {
  *rig = (struct rig){.precision = precision, .simd = simd};
  setenv("NN_SIMD", simd, 1);
  char *program = make_program();
  const char *stdlib[] = {"stdlib"};
  struct nnc_options how = {.path = "numerics.nn",
                            .text = program,
                            .text_length = strlen(program),
                            .stdlib_dirs = stdlib,
                            .stdlib_dir_count = 1};
  struct nnc_result result;
  if (!nnc_compile(&how, &result)) {
    nnc_render(&result, stderr, false);
    fail();
  }
  check(model_from_module(nnc_take_module(&result), &rig->model));
  nnc_result_free(&result);
  free(program);
  nn_options options = nn_options_default();
  options.precision = precision;
  options.cache_dir = "";
  options.threads = 1;
  check(nn_model_bind(rig->model, &options));
  fill(rig);
  check(nn_session_new(rig->model, &rig->session));
  load_numbers(rig, (size_t)N_POINTS + WIDE);
}

static void close_rig(struct rig *rig) {
  nn_dataset_free(rig->data);
  nn_session_free(rig->session);
  nn_model_free(rig->model);
  unsetenv("NN_SIMD");
}

static void run(struct rig *rig, char kind, int row, size_t n, bool backward) {
  char name[16];
  snprintf(name, sizeof name, "%c%d", kind, row);
  size_t entry, examples[(int)N_POINTS + WIDE];
  assert_true(nn_model_find_entry(rig->model, kind == 'p' ? "place" : name, &entry));
  for (size_t i = 0; i < n; i++)
    examples[i] = i;
  check(nn_session_run(rig->session, entry, rig->data, examples, n, backward ? NN_GRADIENT : NN_INFER));
  for (size_t i = 0; i < n; i++)
    if (nn_session_error(rig->session, i))
      fail_msg("%s: %s", name, nn_session_error(rig->session, i));
  if (backward)
    check(nn_session_backward(rig->session, 1));
}

static double *gradients(const struct rig *rig, const char *name) {
  return param_gradients(rig->model, param_find(rig->model, name));
}

static double *values(const struct rig *rig, const char *name) {
  return param_values(rig->model, param_find(rig->model, name));
}

// ---- Comparison ----

static int n_wrong;

static void compare(const struct rig *rig, const char *text, const char *what, const char *at, double got,
                    real exact, double tolerance, double slack) {
  bool narrow = rig->precision == NN_PRECISION_F32;
  real unit = narrow ? 0x1p-24L : 0x1p-53L, least = narrow ? 0x1p-149L : 0x1p-1074L;
  double rounded = narrow ? (double)(float)exact : (double)exact;
  bool right;
  if (isnan(exact))
    right = isnan(got);
  else if (isinf(rounded))
    right = got == rounded;
  else
    right = fabsl(got - exact) <=
            2 * tolerance * unit * (fabsl(exact) + slack) + (tolerance > 0 ? 64 * least : 0);
  if (right)
    return;
  n_wrong++;
  print_error("%s %s: the %s of %s at %s is %.10g, not %.10Lg\n", narrow ? "f32" : "f64", rig->simd, what,
              text, at, got, exact);
}

// Linear operations do not look at the value.
static real derivative_at(const struct row *row, real x) {
  bool linear = row->derivative == one || row->derivative == minus_one;
  return isnan(x) && !linear ? NAN : row->derivative(x);
}

static void check_row(struct rig *rig, int r) {
  const struct row *row = &rows[r];
  run(rig, 'x', r, N_POINTS, true);
  double *d = gradients(rig, "X"), *xs = values(rig, "X");
  for (size_t i = 0; i < N_POINTS; i++) {
    double x = xs[i * COLUMNS + 17];
    char at[32];
    snprintf(at, sizeof at, "%g", x);
    compare(rig, row->text, "value", at, nn_session_number(rig->session, i), isnan(x) ? NAN : row->value(x),
            row->tolerance, 0);
    if (!isinf(x))
      compare(rig, row->text, "derivative", at, d[i * COLUMNS + 17], derivative_at(row, x), row->tolerance,
              row->slack);
  }
  free(d);
  free(xs);
}

static void check_triple_row(struct rig *rig, int r) {
  const struct triple_row *row = &triple_rows[r];
  run(rig, 'v', r, N_TRIPLES, true);
  double *gradient = gradients(rig, "V"), *vs = values(rig, "V");
  for (size_t i = 0; i < N_TRIPLES; i++) {
    real v[3], d[3];
    real top = 1e-8;
    bool tried = true;
    for (size_t j = 0; j < 3; j++) {
      v[j] = vs[i * 3 + j];
      top = fmaxl(top, fabsl(v[j]));
      tried = tried && (isinf(row->most) || fabsl(v[j]) <= row->most);
    }
    if (!tried)
      continue;
    char at[64];
    snprintf(at, sizeof at, "(%Lg, %Lg, %Lg)", v[0], v[1], v[2]);
    real value = row->formula(v, d);
    compare(rig, row->text, "value", at, nn_session_number(rig->session, i), value, row->tolerance,
            row->slack);
    for (size_t j = 0; j < 3; j++)
      compare(rig, row->text, "derivative", at, gradient[i * 3 + j], d[j], row->tolerance,
              row->by_length ? (double)(row->slack / top) : row->slack);
  }
  free(gradient);
  free(vs);
}

static void check_nan(struct rig *rig) {
  for (int r = 0; r < N_NAN_ROWS; r++) {
    run(rig, 'n', r, WIDE, true);
    double *d = gradients(rig, "N");
    for (size_t i = 0; i < WIDE; i++) {
      bool value_is = isnan(nn_session_number(rig->session, i)), derivative_is = isnan(d[i * WIDE + i]);
      // Linear ones do not look at the value.
      bool linear = strstr(nan_rows[r], "sum(") || strstr(nan_rows[r], "mean(") ||
                    strstr(nan_rows[r], "dot(") || strstr(nan_rows[r], "0 * y");
      if (value_is && (derivative_is || linear))
        continue;
      n_wrong++;
      print_error("%s: a NaN at %zu does not reach the %s of %s\n", rig->simd, i,
                  value_is ? "derivative" : "value", nan_rows[r]);
    }
    free(d);
  }
  for (int r = 0; r < N_HOST_NAN_ROWS; r++) {
    run(rig, 'h', r, WIDE, false);
    for (size_t i = 0; i < WIDE; i++)
      if (!isnan(nn_session_number(rig->session, i))) {
        n_wrong++;
        print_error("a NaN does not reach %s\n", host_nan_rows[r]);
      }
  }
  run(rig, 'p', 0, WIDE, false);
  for (size_t i = 0; i < WIDE; i++)
    assert_true(nn_session_number(rig->session, i) == (double)i);
}

// ---- The tests ----

// Whether the processor has the family.
static bool has(const char *simd) {
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = "", .simd = cpu_simd_find(simd)}, &error);
  bool has = jit_cpu(jit)->simd == cpu_simd_find(simd);
  jit_free(jit);
  return has;
}

// One for each family and precision.
enum { MAX_RIGS = 16 };
static struct rig rigs[MAX_RIGS];
static int n_rigs;

static int set_up(void **state) {
  (void)state;
  for (enum cpu_simd simd = CPU_SIMD_BASE128; simd <= CPU_SIMD_AVX512; simd++)
    for (int precision = 0; has(cpu_simd_name(simd)) && precision < 2; precision++)
      open_rig(&rigs[n_rigs++], precision ? NN_PRECISION_F64 : NN_PRECISION_F32, cpu_simd_name(simd));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  while (n_rigs > 0)
    close_rig(&rigs[--n_rigs]);
  return 0;
}

static void test_functions_of_a_number(void **state) {
  (void)state;
  n_wrong = 0;
  for (int i = 0; i < n_rigs; i++)
    for (int r = 0; r < N_ROWS; r++)
      check_row(&rigs[i], r);
  assert_int_equal(n_wrong, 0);
}

static void test_functions_of_a_vector(void **state) {
  (void)state;
  n_wrong = 0;
  for (int i = 0; i < n_rigs; i++)
    for (int r = 0; r < N_TRIPLE_ROWS; r++)
      check_triple_row(&rigs[i], r);
  assert_int_equal(n_wrong, 0);
}

static void test_nan_propagates(void **state) {
  (void)state;
  n_wrong = 0;
  for (int i = 0; i < n_rigs; i++)
    check_nan(&rigs[i]);
  assert_int_equal(n_wrong, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_functions_of_a_number),
                                     cmocka_unit_test(test_functions_of_a_vector),
                                     cmocka_unit_test(test_nan_propagates)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

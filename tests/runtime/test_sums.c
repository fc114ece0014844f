// Sums over very many terms keep their digits in f32, wherever they are taken: within kernels, over lists, and in the
// gradients of values, biases, weights and rows of tables. The right values are worked out by hand in double; adding
// one term after the other is off by per cents. Forward sums have the same bits however examples are run. Gradients
// and sums within kernels are looked at again under every family of vector instructions, and the gradients of weights
// with every set of OpenBLAS's kernels that this processor has, each in a process of its own.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/jit/cpu_features.h"

#include "tests/runtime/rig.h"

static const char model[] =
    "dim N = 50000\n"
    "dim L = 200000\n"
    "dim K = 3\n"
    "vocab Word\n"
    "param s: f32 = constant(0.1)\n"
    "param b: f32[K] = constant(0.1)\n"
    "param W: f32[2, K] = constant(0.1)\n"
    "param E: f32[5, K] = constant(0.1)\n"
    "param wide: f32[L] = constant(0.1)\n"
    "param long: f32[2, L] = constant(0.1)\n"
    "param peak: f32[1] = zeros\n"
    "param peaks: f32[1, 3] = zeros\n"
    "param p: f32[2, L] = normal(0.0001)\n"
    "param q: f32[L] = normal(0.0001)\n"
    "param u: f32[L, 3] = normal(0.0001)\n"
    "dim R = 7\n"
    "dim C = 37\n"
    "param V: f32[R, C] = normal(1)\n"
    "param X: f32[1009, C] = normal(1)\n"
    "param Y: f32[997, R] = normal(1)\n"
    "fn list(ws: [Word]) -> f32 { sum([s * 1 for i in 0..N]) }\n"
    "fn rows(ws: [Word]) -> f32 { sum(sum([b * 1 for i in 0..N])) }\n"
    "fn average(ws: [Word]) -> f32 { sum(mean([b * 1 for i in 0..N])) }\n"
    "fn loop(ws: [Word]) -> f32 {\n"
    "  var total: f32 = 0\n"
    "  for i in 0..N { total = total + s * 1 }\n"
    "  total\n"
    "}\n"
    "fn row(ws: [Word]) -> f32 { sum(wide) }\n"
    "fn product(ws: [Word]) -> f32 { sum(long @ wide) }\n"
    "fn inner(ws: [Word]) -> f32 { dot(wide, wide) }\n"
    "fn powers(ws: [Word]) -> f32 { logsumexp(concat(wide - 12, peak)) }\n"
    "fn powers_over(ws: [Word]) -> f32 { sum(logsumexp(concat((u + 0.1) - 12, peaks), dim: 0)) }\n"
    "fn over(ws: [Word]) -> f32 { sum(sum((u + 0.1), dim: 0)) }\n"
    "fn along(ws: [Word]) -> f32 { sum((p + 0.1) @ (q + 0.1)) }\n"
    "fn columns(ws: [Word]) -> f32 { sum(transpose((u + 0.1)) @ (q + 0.1)) }\n"
    "fn strides(ws: [Word]) -> f32 { sum(transpose((u + 0.1)) @ transpose(p + 0.1)) }\n"
    "fn bias(ws: [Word]) -> f32 { sum([sum(b * 0.1) for i in 0..N]) }\n"
    "fn table(ws: [Word]) -> f32 { sum([sum(E[i % 2] * 0.1) for i in 0..N]) }\n"
    "fn weight(ws: [Word]) -> f32 { sum([sum(W @ (b + float(i) * 0)) for i in 0..N]) }\n"
    "fn scattered(ws: [Word]) -> f32 { sum([dot(Y[i % 997], V @ X[i % 1009]) for i in 0..N]) }\n"
    "fn shared(ws: [Word]) -> f32 {\n"
    "  let h = tanh(b)\n"
    "  sum([sum(h * (0.1 + 0 * float(i))) for i in 0..N])\n"
    "}\n"
    "fn terms(ws: [Word]) -> f32 {\n"
    "  let h = tanh(s)\n"
    "  0.1 * sum([h for i in 0..N])\n"
    "}\n";

static struct rig rig;

static int open_rig(void **state) {
  (void)state;
  struct rig_options options = {.n_examples = 1};
  rig_open(&rig, model, "list", &options);
  return 0;
}

static int close_rig(void **state) {
  (void)state;
  rig_close(&rig);
  return 0;
}

// Products and gradients of one value are sums of chains of some hundred additions, which lose a digit more.
static void expect(const char *what, double got, double wanted) {
  bool is_chain = strstr("product weight shared terms", what) != NULL;
  double allowed = is_chain ? 1e-5 : 6e-7;
  if (!(fabs(got - wanted) <= allowed * fabs(wanted)))
    fail_msg("%s: %.9g, not %.9g: off by %.1e", what, got, wanted, fabs(got / wanted - 1));
}

static const double tenth = 0.1f;
enum { N = 50000, L = 200000 };

static void test_forward(void **state) {
  (void)state;
  const struct {
    const char *entry;
    double wanted;
  } cases[] = {{"list", tenth * N},          {"rows", 3 * tenth * N},
               {"average", 3 * tenth},       {"loop", tenth * N},
               {"row", tenth * L},           {"product", 2 * tenth * tenth * L},
               {"inner", tenth * tenth * L}, {"powers", log1p(L * exp(tenth - 12))}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    double first = 0;
    for (int how = 0; how < 2; how++) {
      nn_session_set_autobatch(rig.session, how ? NN_AUTOBATCH_DEPTH : NN_AUTOBATCH_AUTO);
      rig_run(&rig, cases[c].entry, how ? NN_GRADIENT : NN_INFER);
      double got = nn_session_number(rig.session, 0);
      expect(cases[c].entry, got, cases[c].wanted);
      if (how)
        assert_memory_equal(&first, &got, sizeof got);
      first = got;
    }
  }
}

static double near(double x) { return (double)((float)x + 0.1f); }

// Terms near a tenth, within kernels: along rows, along columns, and between both. A sum's units in the last place
// become larger than the differences among its terms, so that their rounding errors do not cancel.
static void test_random_rows(void **state) {
  (void)state;
  double *p = param_values(rig.model, param_find(rig.model, "p")),
         *q = param_values(rig.model, param_find(rig.model, "q")),
         *u = param_values(rig.model, param_find(rig.model, "u"));
  double along = 0, columns = 0, strides = 0, over = 0, powers[3] = {0};
  for (size_t i = 0; i < L; i++) {
    double in_p = near(p[i]) + near(p[L + i]), in_u = 0;
    for (size_t c = 0; c < 3; c++) {
      in_u += near(u[3 * i + c]);
      powers[c] += exp(near(u[3 * i + c]) - 12);
    }
    along += in_p * near(q[i]);
    columns += in_u * near(q[i]);
    strides += in_u * in_p;
    over += in_u;
  }
  const struct {
    const char *entry;
    double wanted;
  } cases[] = {{"along", along},
               {"columns", columns},
               {"strides", strides},
               {"over", over},
               {"powers_over", log1p(powers[0]) + log1p(powers[1]) + log1p(powers[2])}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    rig_run(&rig, cases[c].entry, NN_INFER);
    expect(cases[c].entry, nn_session_number(rig.session, 0), cases[c].wanted);
  }
  free(p);
  free(q);
  free(u);
}

static void expect_gradient(const char *entry, const char *param, size_t element, double wanted) {
  rig_run(&rig, entry, NN_GRADIENT);
  rig_check(nn_session_backward(rig.session, 1));
  double *gradients = param_gradients(rig.model, param_find(rig.model, param));
  expect(entry, gradients[element], wanted);
  free(gradients);
}

static void test_gradients(void **state) {
  (void)state;
  double slope = 1 - tanh(tenth) * tanh(tenth);
  const struct {
    const char *entry, *param;
    size_t element;
    double wanted;
  } cases[] = {{"list", "s", 0, N},
               {"bias", "b", 1, tenth * N},
               {"table", "E", 0, tenth * N / 2},
               {"table", "E", 5, tenth * N / 2},
               {"table", "E", 6, 0},
               {"shared", "b", 0, slope * tenth * N},
               {"terms", "s", 0, slope * tenth * N}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
    expect_gradient(cases[c].entry, cases[c].param, cases[c].element, cases[c].wanted);
}

static void test_weights(void **state) {
  (void)state;
  expect_gradient("weight", "W", 4, tenth * N);
  expect_gradient("weight", "b", 2, 2 * tenth * N);
}

// Terms of both signs that differ: an error is measured by the sum of their magnitudes.
static void test_random_weights(void **state) {
  (void)state;
  enum { R = 7, C = 37 };
  rig_run(&rig, "scattered", NN_GRADIENT);
  rig_check(nn_session_backward(rig.session, 1));
  double *x = param_values(rig.model, param_find(rig.model, "X")),
         *y = param_values(rig.model, param_find(rig.model, "Y")),
         *got = param_gradients(rig.model, param_find(rig.model, "V"));
  for (size_t r = 0; r < R; r++)
    for (size_t c = 0; c < C; c++) {
      double wanted = 0, magnitude = 0;
      for (size_t i = 0; i < N; i++) {
        double term = y[i % 997 * R + r] * x[i % 1009 * C + c];
        wanted += term;
        magnitude += fabs(term);
      }
      double error = fabs(got[r * C + c] - wanted) / magnitude;
      if (!(error <= 1e-6))
        fail_msg("element %zu, %zu is %.9g, not %.9g: off by %.1e of its terms' magnitudes", r, c,
                 got[r * C + c], wanted, error);
    }
  free(x);
  free(y);
  free(got);
}

// ------------------------------------------------------------------------------------------------ other ways

enum tests { ALL, KERNELS, WEIGHTS, N_TESTS };
static const char *const names[N_TESTS] = {"all", "kernels", "weights"};

// Runs these tests in another process, with a variable of its environment set.
static void run_with(const char *variable, const char *value, enum tests tests) {
  pid_t child = fork();
  if (child == 0) {
    setenv(variable, value, 1);
    execl("/proc/self/exe", "test_sums", names[tests], (char *)NULL);
    _exit(126);
  }
  int status = 0;
  assert_true(child > 0 && waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fail_msg("with %s=%s", variable, value);
}

static void test_every_simd(void **state) {
  (void)state;
  for (enum cpu_simd simd = CPU_SIMD_BASE128; simd <= CPU_SIMD_AVX512; simd++)
    if (cpu_features_get(simd).simd == simd)
      run_with("NN_SIMD", cpu_simd_name(simd), KERNELS);
}

// Kernels that need more than this processor has are not asked for: OpenBLAS might take them.
static void test_every_blas(void **state) {
  (void)state;
#if defined(__x86_64__)
  const struct {
    const char *name;
    enum cpu_simd simd;
  } cores[] = {{"PRESCOTT", CPU_SIMD_BASE128}, {"NEHALEM", CPU_SIMD_AVX2}, {"SANDYBRIDGE", CPU_SIMD_AVX2},
               {"HASWELL", CPU_SIMD_AVX2},     {"ZEN", CPU_SIMD_AVX2},     {"SKYLAKEX", CPU_SIMD_AVX512}};
  for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
    if (cores[i].simd <= cpu_features_get(CPU_SIMD_HOST).simd)
      run_with("OPENBLAS_CORETYPE", cores[i].name, WEIGHTS);
  // Processors that have these instructions were made after the kernels' own ones.
  if (__builtin_cpu_supports("avx512bf16"))
    run_with("OPENBLAS_CORETYPE", "COOPERLAKE", WEIGHTS);
  if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni"))
    run_with("OPENBLAS_CORETYPE", "SAPPHIRERAPIDS", WEIGHTS);
#endif
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward),       cmocka_unit_test(test_every_simd),
                                     cmocka_unit_test(test_every_blas),    cmocka_unit_test(test_random_rows),
                                     cmocka_unit_test(test_gradients),     cmocka_unit_test(test_weights),
                                     cmocka_unit_test(test_random_weights)};
  const struct CMUnitTest *kernels = tests + 3, *weights = tests + 5;
  if (argc > 1 && strcmp(argv[1], names[KERNELS]) == 0)
    return _cmocka_run_group_tests(names[KERNELS], kernels, 4, open_rig, close_rig);
  if (argc > 1 && strcmp(argv[1], names[WEIGHTS]) == 0)
    return _cmocka_run_group_tests(names[WEIGHTS], weights, 2, open_rig, close_rig);
  return cmocka_run_group_tests(tests, open_rig, close_rig);
}

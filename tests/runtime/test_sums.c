// Sums over very many terms keep their digits in f32, wherever they are taken: within kernels, over lists, and in the
// gradients of values, biases, weights and rows of tables. The right values are worked out by hand in double; adding
// one term after the other is off by per cents. Forward sums have the same bits however examples are run.
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

static const char model[] =
    "dim N = 400000\n"
    "dim L = 1000000\n"
    "dim K = 3\n"
    "vocab Word\n"
    "param s: f32 = constant(0.1)\n"
    "param b: f32[K] = constant(0.1)\n"
    "param W: f32[2, K] = constant(0.1)\n"
    "param E: f32[5, K] = constant(0.1)\n"
    "param wide: f32[L] = constant(0.1)\n"
    "param long: f32[2, L] = constant(0.1)\n"
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
    "fn bias(ws: [Word]) -> f32 { sum([sum(b * 0.1) for i in 0..N]) }\n"
    "fn table(ws: [Word]) -> f32 { sum([sum(E[i % 2] * 0.1) for i in 0..N]) }\n"
    "fn weight(ws: [Word]) -> f32 { sum([sum(W @ (b + float(i) * 0)) for i in 0..N]) }\n"
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
enum { N = 400000, L = 1000000 };

static void test_forward(void **state) {
  (void)state;
  const struct {
    const char *entry;
    double wanted;
  } cases[] = {{"list", tenth * N},         {"rows", 3 * tenth * N}, {"average", 3 * tenth},
               {"loop", tenth * N},         {"row", tenth * L},      {"product", 2 * tenth * tenth * L},
               {"inner", tenth * tenth * L}};
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
               {"weight", "W", 4, tenth * N},
               {"weight", "b", 2, 2 * tenth * N},
               {"shared", "b", 0, slope * tenth * N},
               {"terms", "s", 0, slope * tenth * N}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    rig_run(&rig, cases[c].entry, NN_GRADIENT);
    rig_check(nn_session_backward(rig.session, 1));
    bool found = false;
    for (size_t p = 0; p < nn_model_param_count(rig.model) && !found; p++) {
      nn_param_info info = nn_model_param(rig.model, p);
      if (strcmp(info.name, cases[c].param) != 0)
        continue;
      found = true;
      expect(cases[c].entry, ((const float *)info.gradients)[cases[c].element], cases[c].wanted);
    }
    assert_true(found);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward), cmocka_unit_test(test_gradients)};
  return cmocka_run_group_tests(tests, open_rig, close_rig);
}

// Memo functions: each thing is computed once, with the values and gradients of the functions without memory.
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

#define N_EXAMPLES 12
// %s: `memo` or nothing. Each node has two parents, so that 2^depth ways lead to the bottom.
static const char program[] =
    "dim H = 5\nvocab Word\nparam E: f32[Word, H] = normal(0.6)\nparam W: f32[H, H]\nparam U: f32[H, H]\n"
    "param u: f32[H] = normal(0.5)\n"
    "%s fn node(words: [Word], i: int, j: int) -> (f32[H], f32) {\n"
    "  if i == 0 { (E[words[j %% len(words)]], 0.5) } else {\n"
    "    let (a, x) = node(words, i - 1, j)\n"
    "    let (b, y) = node(words, i - 1, j + 1)\n"
    "    (tanh(W @ a + U @ b), 0.5 * (x + y) + dot(u, a))\n"
    "  }\n"
    "}\n"
    "%s fn best(words: [Word], i: int) -> int {\n"
    "  if i == 0 { 0 } else { best(words, i - 1) + argmax(node(words, i, 0).0) + best(words, i - 1) }\n"
    "}\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  let (h, x) = node(words, 7, 0)\n"
    "  sum(h * u) + x + float(best(words, 5)) * 0.01\n"
    "}\n";

static const char *text_of(const char *memo) {
  static char text[2048];
  snprintf(text, sizeof text, program, memo, memo);
  return text;
}

static void test_same_bits(void **state) {
  (void)state;
  rig_same_bits(text_of("memo"));
}

static void test_gradients(void **state) {
  (void)state;
  assert_true(rig_right_gradients(text_of("memo")));
}

static void test_same_values_in_fewer_nodes(void **state) {
  (void)state;
  double losses[2][N_EXAMPLES];
  size_t nodes[2];
  for (int m = 0; m < 2; m++) {
    struct rig_options options = {.precision = NN_PRECISION_F64, .n_examples = N_EXAMPLES};
    struct rig rig;
    rig_open(&rig, text_of(m ? "memo" : ""), "loss", &options);
    rig_run(&rig, "loss", NN_INFER);
    for (size_t i = 0; i < N_EXAMPLES; i++) {
      assert_null(nn_session_error(rig.session, i));
      losses[m][i] = nn_session_number(rig.session, i);
    }
    nodes[m] = nn_session_node_count(rig.session);
    rig_close(&rig);
  }
  for (size_t i = 0; i < N_EXAMPLES; i++)
    assert_true(fabs(losses[0][i] - losses[1][i]) <= 1e-12 * (1 + fabs(losses[0][i])));
  // Of 7 levels 28 nodes above the bottom, and 8 at it; of each no more than three blocks, and five decisions.
  assert_true(nodes[1] <= N_EXAMPLES * (3 * 36 + 10));
  assert_true(nodes[0] > 3 * nodes[1]);
}

// Arguments that nothing comes of tell draws apart all the same.
static void test_draws(void **state) {
  (void)state;
  struct rig_options options = {.n_examples = 1};
  struct rig rig;
  rig_open(&rig,
           "dim H = 2\nvocab Word\nparam p: f32[H]\n"
           "memo fn noise(x: f32[H], who: int) -> f32 { sum(x) + normal() }\n"
           "fn loss(words: [Word]) -> f32 { noise(p, 1) - noise(p, 2) }\n"
           "fn alike(words: [Word]) -> f32 { noise(p, 1) - noise(p, 1) }\n",
           "loss", &options);
  rig_run(&rig, "loss", NN_INFER);
  assert_true(nn_session_number(rig.session, 0) != 0);
  rig_run(&rig, "alike", NN_INFER);
  assert_true(nn_session_number(rig.session, 0) == 0);
  rig_close(&rig);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_gradients),
      cmocka_unit_test(test_same_values_in_fewer_nodes),
      cmocka_unit_test(test_draws),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// Models over tensors that `tensor` makes of lists: the same bits however examples are run, gradients against finite
// differences, the same values as the same model over lists, and what fails an example.
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

#define HEAD                                                                                                 \
                                                                                                             \
  "dim D = 6\ndim H = 19\nvocab Word\n"                                                                      \
  "param E: f32[Word, D] = normal(0.6)\nparam Q: f32[D, D]\nparam W: f32[D, H]\nparam v: f32[H] = "          \
  "normal(0.5)\n"                                                                                            \
  "param u: f32[D] = normal(0.5)\n"                                                                          \
  "fn attend[m, k, n](q: f32[k], K: f32[m, k], V: f32[m, n]) -> f32[n] { softmax(K @ q / sqrt(k)) @ V }\n"

// A word list of each example is 1 to 5 words long; the models make longer ones of it.
static const char self_attention[] = HEAD "fn loss(words: [Word]) -> f32 {\n"
                                          "  let xs = [E[w] for w in words + words + words + words + words]\n"
                                          "  let X = tensor(xs)\n"
                                          "  sum(mean([tanh(attend(Q @ x, X, X)) for x in xs]) * u)\n"
                                          "}\n";

// The same without a tensor of run-time size.
static const char self_attention_of_lists[] = HEAD
    "fn by_lists(q: f32[D], xs: [f32[D]]) -> f32[D] {\n"
    "  let scores = [dot(x, q) / sqrt(D) for x in xs]\n"
    "  let top = stop_gradient(max(scores))\n"
    "  let weights = [exp(s - top) for s in scores]\n"
    "  sum([w * x for (w, x) in zip(weights, xs)]) / sum(weights)\n"
    "}\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  let xs = [E[w] for w in words + words + words + words + words]\n"
    "  sum(mean([tanh(by_lists(Q @ x, xs)) for x in xs]) * u)\n"
    "}\n";

static const char pointer[] = HEAD
    "fn scores[m](q: f32[D], X: f32[m, D]) -> f32[m] { tanh(X @ W) @ v + X @ q }\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  let X = tensor([E[w] for w in words + words + words + words])\n"
    "  var q = mean([E[w] for w in words])\n"
    "  var total: f32 = 0\n"
    "  for i in 0..2 {\n"
    "    let s = scores(q, X)\n"
    "    q = softmax(s) @ X + X[argmax(s)] * 0.5\n"
    "    total = total + nll(s, len(words) - 1) + pick(log_softmax(s), i) + logsumexp(s) + max(s)\n"
    "  }\n"
    "  total + sum(mean(X, dim: 1)) + sum(max(X, dim: 0) * u) + mean(X) + sum(softmax(X, dim: 1) @ u)\n"
    "}\n";

// Two lengths in one block; vectors of floats and of scalars; a product of two stacks.
static const char two_lists[] = HEAD
    "fn loss(words: [Word], numbers: [float]) -> f32 {\n"
    "  let doubled = words + words\n  let ws = [w for w in reversed(doubled)]\n  let again = ws\n"
    "  let A = tensor([E[w] for w in words + words + words])\n"
    "  let B = tensor([E[w] * 0.5 for w in ws])\n"
    "  let weights = tensor([0.1 * x for (w, x) in zip(ws, numbers + numbers)])\n"
    "  let parts = tensor([dot(u, E[w]) for w in reversed(again)])\n"
    "  let P = softmax(A @ transpose(B), dim: 1)\n"
    "  let C = transpose(A) @ (P @ B)\n"
    "  sum(C @ u) + dot(weights * parts, parts) + sum(weights @ B) + sum(sum(P, dim: 0) * parts)\n"
    "}\n";

// Handed through recursion, bound anew in loops, kept in lists.
static const char handed_on[] = HEAD
    "fn walk[m](X: f32[m, D], s: f32[m], n: int) -> f32[D] {\n"
    "  if n == 0 { s @ X } else { tanh(walk(X, softmax(s), n - 1) + (s @ X) * u) }\n"
    "}\n"
    "fn loss(words: [Word]) -> f32 {\n"
    "  var total: f32 = 0\n"
    "  for n in 1..4 {\n"
    "    let X = tensor([E[w] for w in words[0..min(n, len(words))]])\n"
    "    let s = if n == 2 { X @ u } else { tanh(X @ u) }\n"
    "    total = total + sum(walk(X, s, n)) + sum(s)\n"
    "  }\n"
    "  total\n"
    "}\n";

// Vectors of run-time length in lists and sums.
static const char lists_of_vectors[] = HEAD
    "fn loss(words: [Word]) -> f32 {\n"
    "  let X = tensor([E[w] for w in words + words + words + words])\n"
    "  let scores = [tanh(X @ E[w]) for w in words]\n"
    "  var total = X @ u\n"
    "  for s in scores { total = total + s * s }\n"
    "  sum(softmax(sum(scores)) @ X) + sum(max(scores) * mean(scores)) + dot(total, scores[0])\n"
    "}\n";

static const char *const models[] = {lists_of_vectors, self_attention, pointer, two_lists, handed_on};
#define N_MODELS (sizeof models / sizeof *models)

static void test_same_bits(void **state) {
  (void)state;
  for (size_t m = 0; m < N_MODELS; m++)
    rig_same_bits(models[m]);
}

static void test_gradients(void **state) {
  (void)state;
  for (size_t m = 0; m < N_MODELS; m++)
    assert_true(rig_right_gradients(models[m]));
}

static void test_same_as_lists(void **state) {
  (void)state;
  double losses[2][12];
  for (int m = 0; m < 2; m++) {
    struct rig_options options = {.precision = NN_PRECISION_F64, .n_examples = 12};
    struct rig rig;
    rig_open(&rig, m ? self_attention_of_lists : self_attention, "loss", &options);
    rig_run(&rig, "loss", NN_INFER);
    for (size_t i = 0; i < rig.n; i++)
      losses[m][i] = nn_session_number(rig.session, i);
    rig_close(&rig);
  }
  for (int i = 0; i < 12; i++)
    assert_true(fabs(losses[0][i] - losses[1][i]) <= 1e-14 * (1 + fabs(losses[1][i])));
}

static const struct {
  const char *body, *error;
} failing[] = {
    {"sum(tensor([E[w] for w in words[0..0]]))", "a list without elements is made a tensor"},
    {"sum(tensor([1.5 for w in words[0..0]]))", "a list without elements is made a tensor"},
    {"pick(tensor([E[w] for w in words]) @ u, len(words))", "out of range"},
    {"sum(tensor([E[w] for w in words])[len(words)])", "out of range"},
};

static void test_failures(void **state) {
  (void)state;
  for (size_t f = 0; f < sizeof failing / sizeof *failing; f++) {
    char model[4096];
    snprintf(model, sizeof model, HEAD "fn loss(words: [Word]) -> f32 {\n  %s\n}\n", failing[f].body);
    struct rig_options options = {.n_examples = 3};
    struct rig rig;
    rig_open(&rig, model, "loss", &options);
    rig_run(&rig, "loss", NN_INFER);
    rig_failed(&rig, failing[f].body, failing[f].error);
    rig_close(&rig);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_gradients),
      cmocka_unit_test(test_same_as_lists),
      cmocka_unit_test(test_failures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

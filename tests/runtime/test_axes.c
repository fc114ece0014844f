// Models over the dimensions of tensors, of sizes that are known and of those that an example tells: the same bits however
// examples are run, and gradients against finite differences.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/runtime/rig.h"

// One to five words; `S` is a tensor as long as they are, `X` one of a fixed size, `B` one of three dimensions.
#define HEAD                                                                                                 \
  "dim N = 3\ndim D = 2*N\nvocab Word\n"                                                                     \
  "param E: f32[Word, D] = normal(0.6)\nparam W: f32[D, D]\nparam b: f32[D] = normal(0.5)\n"                 \
  "param v: f32[N] = normal(0.5)\nparam P: f32[N, D] = normal(0.4)\nparam T: f32[2, N, D] = normal(0.4)\n"

static const struct {
  const char *name, *functions, *body;
} models[] = {
    {"broadcast between ranks", "",
     "  sum(tanh(S @ W + b)) + sum(tanh(X * b - 1) * X) + sum(tanh(B / (2 + square(X))) * max(b, B)) +\n"
     "    sum(square(b - S) * min(b, S)) + sum(tanh(B + b) * B)\n"},
    {"broadcast along a dimension",
     "fn norm[m, k](X: f32[m, k]) -> f32[m, k] {\n"
     "  let c = X - broadcast(mean(X, dim: 1), X, dim: 1)\n"
     "  c / sqrt(broadcast(mean(square(c), dim: 1), c, dim: 1) + 0.01)\n}\n",
     "  sum(tanh(norm(S) * b)) + sum(square(norm(X)) * P) + sum(tanh(X + broadcast(v, X, dim: 1))) +\n"
     "    sum(tanh(B * broadcast(v, X, dim: 1))) + sum(broadcast(sum(B, dim: 1), B, dim: 1) * B) +\n"
     "    sum(broadcast(b, B) * B) + sum(broadcast(v[0], X) * X)\n"},
    {"parts along a dimension", "",
     "  let (l, r) = split(S, 2, dim: 1)\n  let (p, q) = split(B, 2, dim: 2)\n"
     "  let wide = concat(S, l * r, S * 2, dim: 1)\n"
     "  sum(tanh(l) * r) + sum(square(slice(tanh(S), 1, 4, dim: 1))) + sum(tanh(wide) * wide) +\n"
     "    sum(tanh(concat(X, X * b, dim: 1))) + sum(tanh(p * q)) + sum(tanh(concat(B, B * B, dim: 1)) * 2) "
     "+\n"
     "    sum(slice(B, 1, 2, dim: 1) * slice(B, 0, 2, dim: 1)) + sum(square(slice(W, 1, 3, dim: 1))) +\n"
     "    sum(slice(concat(B, B, dim: 0), 1, 2) * concat(p, q * q, dim: 2)) + sum(tanh(B[1..2])) +\n"
     "    sum(tanh(slice(W, 1, 3, dim: 1) @ slice(b, 0, 3) + b))\n"},
    {"other shapes", "fn heads[m](X: f32[m, D]) -> f32[m, 2, N] { reshape(X, m, 2, N) }\n",
     "  let H = heads(S)\n  let Z = heads(tanh(S @ W))\n"
     "  sum(tanh(permute(H, 1, 0, 2)) * permute(Z, 1, 0, 2)) + sum(tanh(max(Z, dim: 2)) * min(Z, dim: 2)) +\n"
     "    sum(square(softmax(H, dim: 0))) + sum(tanh(reshape(Z, D, dim: 1) * b)) +\n"
     "    sum(tanh(permute(Z * H, 2, 1, 0))) + sum(tanh(reshape(B, 2*N, D) @ W)) +\n"
     "    sum(tanh(reshape(B, D*D)) * reshape(tanh(W), D*D)) + sum(permute(B, 2, 0, 1) * reshape(tanh(B), D, "
     "2, N)) +\n"
     "    sum(tanh(reshape(X * b, N, 1, N, 2) * reshape(b, N, 2))) + sum(reshape(permute(X * X, 1, 0), "
     "2*N*N))\n"},
    {"products of many matrices",
     "fn heads[m](X: f32[m, D]) -> f32[2, m, N] { permute(reshape(X, 2, N, dim: 1), 1, 0, 2) }\n"
     "fn attend[m](X: f32[m, D]) -> f32[m, D] {\n"
     "  let K = heads(X @ W)\n  let V = heads(X)\n"
     "  let A = softmax(V @ permute(K, 0, 2, 1), dim: 2)\n"
     "  reshape(permute(A @ V, 1, 0, 2), D, dim: 1)\n}\n",
     "  let C = permute(tanh(B), 0, 2, 1)\n"
     "  sum(tanh(attend(S)) * b) + sum(tanh(attend(X)) * b) + sum(tanh(B @ W)) + sum(tanh(B @ C)) +\n"
     "    sum(tanh(C @ (B * B))) + sum(tanh(X @ C) * 2) + sum(tanh(B @ b)) + sum(tanh(v @ B)) +\n"
     "    sum(square(heads(S) @ slice(W, 0, N))) + sum(tanh(transpose(X) @ B)) + sum(heads(S) @ v)\n"},
    {"elements and windows", "param F: f32[Word, 2, N] = normal(0.5)\n",
     "  let n = len(words)\n  var total: f32 = 0\n"
     "  for i in 0..2 {\n"
     "    total = total + sum(tanh(B[i, .., n] * X[.., i])) + X[i, n] * S[n / 2, i] + sum(tanh(S)[.., i]) +\n"
     "      sum(tanh(B[.., i..i+2] * X[i])) + sum(tanh(W[i..i+2, n - 1..n - 1 + 1])) + b[n] * b[i] +\n"
     "      sum(square(slice(S, i, 3, dim: 1))) + sum(tanh(B * B)[i, 1, i..i+2] * v[1..3]) + pick(X, i)[n] "
     "+\n"
     "      sum(tanh(T[.., .., i])) + sum(tanh(F[words[0]] * F[words[n - 1], .., 0..N])) +\n"
     "      sum(F[words[0], i] * X[.., i..i+1][.., 0]) + sum(tanh(B[i..i+1][0, i..i+1, n..n+1] * "
     "b[i..i+1]))\n"
     "  }\n  total\n"},
};
#define N_MODELS (sizeof models / sizeof *models)

static const char *text_of(size_t m) {
  static char text[8192];
  snprintf(text, sizeof text,
           HEAD "%sfn loss(words: [Word]) -> f32 {\n"
                "  let S = tensor([E[w] for w in words])\n  let X = tanh(P * E[words[0]])\n"
                "  let B = T * E[words[len(words) - 1]]\n%s}\n",
           models[m].functions, models[m].body);
  return text;
}

static void test_same_bits(void **state) {
  (void)state;
  for (size_t m = 0; m < N_MODELS; m++)
    rig_same_bits(text_of(m));
}

static void test_gradients(void **state) {
  (void)state;
  for (size_t m = 0; m < N_MODELS; m++)
    if (!rig_right_gradients(text_of(m)))
      fail_msg("%s: values explode", models[m].name);
}

// Positions that are out of range fail the example and nothing else, at the place where they stand.
static void test_failures(void **state) {
  (void)state;
  static const char *const bodies[] = {"X[0, n + 5]",
                                       "X[n + 2, 0]",
                                       "sum(X[.., n + 5])",
                                       "sum(X[n..n+3])",
                                       "sum(B[0, .., n+5..n+5+1])",
                                       "S[n, 0]",
                                       "sum(slice(W, n + 1, 5))",
                                       "sum(B[n + 1])",
                                       "sum(pick(X, n + 5, dim: 1))",
                                       "sum(X[0 - n])"};
  for (size_t f = 0; f < sizeof bodies / sizeof *bodies; f++) {
    char model[4096];
    snprintf(model, sizeof model,
             HEAD "fn loss(words: [Word]) -> f32 {\n  let n = len(words)\n"
                  "  let S = tensor([E[w] for w in words])\n  let X = tanh(P * E[words[0]])\n"
                  "  let B = T * E[words[0]]\n  %s\n}\n",
             bodies[f]);
    struct rig_options options = {.n_examples = 3};
    struct rig rig;
    rig_open(&rig, model, "loss", &options);
    rig_run(&rig, "loss", NN_INFER);
    rig_failed(&rig, bodies[f], "out of range");
    rig_failed(&rig, bodies[f], "test.nn:15:");
    rig_close(&rig);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits), cmocka_unit_test(test_gradients),
                                     cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

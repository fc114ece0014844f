// The batch axis: each model in the manual form, with batches, and in the automatic form, with lists. Both have the same
// bits forward and the same gradients; what goes together and what does not; batches however examples are run.
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
#define HEAD                                                                                                 \
  "dim D = 6\ndim H = 5\nvocab Word\nenum Tag { A, B, C }\n"                                                 \
  "param E: f32[Word, D] = normal(0.6)\nparam W: f32[H, D]\nparam U: f32[H, H]\n"                            \
  "param b: f32[H] = normal(0.5)\nparam V: f32[Tag, H]\nparam u: f32[H] = normal(0.5)\n"                     \
  "data State = State(h: f32[H], c: f32[H])\n"                                                               \
  "fn step(s: State, x: f32[D]) -> State {\n"                                                                \
  "  let g = tanh(W @ x + U @ s.h + b)\n  State(g, g * sigmoid(s.c))\n}\n"                                   \
  "fn score(s: State) -> (f32[H], f32) { (s.h * s.c, dot(u, s.h)) }\n"                                       \
  "fn cost(x: f32[H], t: Tag, scale: float) -> f32 { nll(V @ x, t) * scale }\n"                              \
  "fn tag_of(w: Word) -> Tag { argmax(V @ (W @ E[w])) }\n"

// Each pair: the manual form, then the automatic one.
static const char *const pairs[][2] = {
    // Every operation that has two sides, with 1/1, n/1, 1/n and n/n elements.
    {"fn both(x: f32[H; _], y: f32[H; _]) -> f32 {\n"
     "  sum_batches(sum(x + y) + sum(x - y * y) + sum(x * y) + dot(x, y) + sum(max(x, y)) + sum(min(x, y)) "
     "+\n"
     "    sum(x / (1 + square(y))) + sum(tanh(concat(x, y))))\n}\n"
     "fn loss(words: [Word]) -> f32 {\n"
     "  let n = tanh(W @ E[words])\n  let m = sigmoid(W @ E[reversed(words)])\n"
     "  let one = W @ E[words[0..1]]\n  let single = W @ E[words[0]]\n"
     "  both(n, m) + both(n, one) + both(one, n) + both(one, one) + both(single, n) + both(n, single) +\n"
     "    both(single, one) + both(b, single)\n}\n",
     "fn pair(x: f32[H], y: f32[H]) -> f32 {\n"
     "  sum(x + y) + sum(x - y * y) + sum(x * y) + dot(x, y) + sum(max(x, y)) + sum(min(x, y)) +\n"
     "    sum(x / (1 + square(y))) + sum(tanh(concat(x, y)))\n}\n"
     "fn both(xs: [f32[H]], ys: [f32[H]]) -> f32 {\n"
     "  if len(xs) == len(ys) { sum([pair(x, y) for (x, y) in zip(xs, ys)]) }\n"
     "  else if len(xs) == 1 { sum([pair(xs[0], y) for y in ys]) }\n"
     "  else { sum([pair(x, ys[0]) for x in xs]) }\n}\n"
     "fn loss(words: [Word]) -> f32 {\n"
     "  let n = [tanh(W @ E[w]) for w in words]\n  let m = [sigmoid(W @ E[w]) for w in reversed(words)]\n"
     "  let one = [W @ E[words[0]]]\n  let single = W @ E[words[0]]\n"
     "  both(n, m) + both(n, one) + both(one, n) + both(one, one) + both([single], n) + both(n, [single]) +\n"
     "    both([single], one) + both([b], [single])\n}\n"},
    // A recurrent network over columns of words, with functions that know nothing of batches.
    {"fn loss(words: [Word]) -> f32 {\n"
     "  let columns = [words, reversed(words), words]\n"
     "  var s: State[; _] = State(b, tanh(u))\n  var costs: [f32] = []\n"
     "  for column in columns {\n"
     "    s = step(s, E[column])\n"
     "    let (x, y) = score(s)\n"
     "    costs = costs + [mean_batches(cost(x, [tag_of(w) for w in column], 0.5)), mean_batches(y)]\n"
     "  }\n"
     "  sum(costs)\n}\n",
     "fn loss(words: [Word]) -> f32 {\n"
     "  let columns = [words, reversed(words), words]\n"
     "  let costs = [one([column[i] for column in columns]) for i in 0..len(words)]\n"
     "  sum([mean([cost[k] for cost in costs]) for k in 0..6])\n}\n"
     "fn one(words: [Word]) -> [f32] {\n"
     "  var s = State(b, tanh(u))\n  var costs: [f32] = []\n"
     "  for w in words {\n"
     "    s = step(s, E[w])\n"
     "    let (x, y) = score(s)\n"
     "    costs = costs + [cost(x, tag_of(w), 0.5), y]\n"
     "  }\n"
     "  costs\n}\n"},
    // What folds, joins and takes apart.
    {"fn loss(words: [Word]) -> f32 {\n"
     "  let x = W @ E[words]\n"
     "  let all = concat_to_batch(x, b, 2 * x, u)\n"
     "  let picked = pick_batch(all, [len(words), 0, len(all) - 1])\n"
     "  let rows = to_batch(U)\n  let two = tensor(dot(u, x), 0.5)\n"
     "  sum(sum_batches(all) * mean_batches(picked)) + sum(moment_batches(x, 3)) + sum(std_batches(all) * u) "
     "+\n"
     "    sum(tensor(all) @ u) + dot(pick_batch(x, 0), u) + sum_batches(dot(rows, u)) +\n"
     "    sum_batches(sum(square(two)))\n}\n",
     ""},
    // Decisions for each element; numbers of the data for each element; parts of vectors.
    {"fn loss(words: [Word], weights: [float]) -> f32 {\n"
     "  let x = V @ (tanh(W @ E[words]) * weights)\n"
     "  let tags = argmax(x)\n"
     "  let (front, back) = (split(x[0..2], 2), x[0..2])\n"
     "  let certain = [v for v in value(max(x)) if v > 0.5]\n"
     "  sum_batches(nll(x, tags) * weights + x[tags] - pick(x, A) + -logsumexp(back) + front.1[0]) + "
     "len(certain)\n}\n",
     "fn loss(words: [Word], weights: [float]) -> f32 {\n"
     "  let xs = [V @ (tanh(W @ E[w]) * k) for (w, k) in zip(words, weights)]\n"
     "  let tags = [argmax(x) for x in xs]\n"
     "  let certain = [v for v in [value(max(x)) for x in xs] if v > 0.5]\n"
     "  sum([nll(x, t) * k + x[t] - pick(x, A) + -logsumexp(x[0..2]) + split(x[0..2], 2).1[0] for (x, t, k) "
     "in zip(xs, "
     "tags, weights)]) +\n"
     "    len(certain)\n}\n"},
};
#define N_PAIRS (sizeof pairs / sizeof *pairs)

static const char *program(size_t pair, int form) {
  static char text[8192];
  snprintf(text, sizeof text, "%s%s", HEAD, pairs[pair][form]);
  return text;
}

static void test_same_bits(void **state) {
  (void)state;
  for (size_t p = 0; p < N_PAIRS; p++)
    rig_same_bits(program(p, 0));
}

static void test_gradients(void **state) {
  (void)state;
  for (size_t p = 0; p < N_PAIRS; p++)
    assert_true(rig_right_gradients(program(p, 0)));
}

// The losses and all gradients of a form, in one array.
static double *results(const char *source, size_t *n) {
  struct rig_options options = {.n_examples = N_EXAMPLES};
  struct rig rig;
  rig_open(&rig, source, "loss", &options);
  rig_run(&rig, "loss", NN_TRAIN);
  rig_check(nn_session_backward(rig.session, 1));
  size_t capacity = 100000;
  double *all = calloc(capacity, sizeof *all);
  *n = 0;
  for (size_t i = 0; i < rig.n; i++) {
    assert_null(nn_session_error(rig.session, i));
    all[(*n)++] = nn_session_number(rig.session, i);
  }
  for (size_t p = 0; p < nn_model_param_count(rig.model); p++) {
    nn_param_info info = nn_model_param(rig.model, p);
    assert_true(*n + info.elements <= capacity);
    double *gradients = param_gradients(rig.model, p);
    memcpy(all + *n, gradients, info.elements * sizeof *all);
    *n += info.elements;
    free(gradients);
  }
  rig_close(&rig);
  return all;
}

static void test_same_as_automatic(void **state) {
  (void)state;
  for (size_t p = 0; p < N_PAIRS; p++) {
    if (!*pairs[p][1])
      continue;
    size_t n[2];
    double *manual = results(program(p, 0), &n[0]), *automatic = results(program(p, 1), &n[1]);
    assert_int_equal(n[0], n[1]);
    double largest = 0;
    for (size_t i = N_EXAMPLES; i < n[0]; i++)
      largest = fmax(largest, fabs(manual[i]));
    // Losses have the same bits; gradients are sums, whose terms may come in another order.
    for (size_t i = 0; i < n[0]; i++)
      if (i < N_EXAMPLES ? memcmp(&manual[i], &automatic[i], sizeof *manual) != 0
                         : fabs(manual[i] - automatic[i]) > 1e-6 * largest)
        fail_msg("pair %zu: number %zu is %.17g and %.17g", p, i, manual[i], automatic[i]);
    free(manual);
    free(automatic);
  }
}

static const struct {
  const char *body, *error;
} failing[] = {
    {"let _x = E[words] + E[words + words + words]\n  0", "elements do not go together"},
    {"sum_batches(dot(E[words], concat_to_batch(E[words], E[words], E[words])))",
     "elements do not go together"},
    {"sum(sum_batches(E[words[0..0]]))", "empty list"},
    {"sum(pick_batch(E[words], len(words)))", "index 2 is out of range: the list has 2 elements"},
};

static void test_failures(void **state) {
  (void)state;
  const uint64_t words[] = {1, 2};
  for (size_t f = 0; f < sizeof failing / sizeof *failing; f++) {
    char model[4096];
    snprintf(model, sizeof model, HEAD "fn loss(words: [Word]) -> f32 {\n  %s\n}\n", failing[f].body);
    struct rig_options options = {.n_examples = 1};
    struct rig rig;
    rig_open(&rig, model, "loss", &options);
    rig_set_words(&rig, 0, 2, words);
    rig_run(&rig, "loss", NN_INFER);
    rig_failed(&rig, failing[f].body, failing[f].error);
    rig_close(&rig);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_gradients),
      cmocka_unit_test(test_same_as_automatic),
      cmocka_unit_test(test_failures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

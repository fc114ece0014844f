#include "tests/growth/shapes.h"

#include <stdio.h>
#include <stdlib.h>

static char *made;
static size_t made_length;

// One program is written at a time.
static FILE *begin(void) { return open_memstream(&made, &made_length); }

static char *end(FILE *out) {
  fclose(out);
  return made;
}

static FILE *begin_chain(const char *first) {
  FILE *out = begin();
  fprintf(out, "dim D = 20\nparam p: f32[D] = normal(0.3)\nfn f(x: f32[D]) -> f32[D] {\n  let x0 = %s\n",
          first);
  return out;
}

static char *end_chain(FILE *out, uint32_t n) {
  fprintf(out, "  x%u\n}\nfn loss(a: int) -> f32 { sum(f(p)) }\n", n);
  return end(out);
}

static char *tanh_chain(uint32_t n) {
  FILE *out = begin_chain("x");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "  let x%u = tanh(x%u * p) + x%u\n", i + 1, i, i);
  return end_chain(out, n);
}

static char *square_chain(uint32_t n) {
  FILE *out = begin_chain("x * 0.001");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "  let x%u = x%u + x%u * x%u\n", i + 1, i, i, i);
  return end_chain(out, n);
}

// Steps of the classical method for a logistic equation.
static char *runge_kutta(uint32_t n) {
  FILE *out = begin_chain("x");
  for (uint32_t i = 0; i < n; i++) {
    fprintf(out, "  let a%u = x%u * (1.0 - x%u)\n  let u%u = x%u + a%u * 0.005\n", i, i, i, i, i, i);
    fprintf(out, "  let b%u = u%u * (1.0 - u%u)\n  let v%u = x%u + b%u * 0.005\n", i, i, i, i, i, i);
    fprintf(out, "  let c%u = v%u * (1.0 - v%u)\n  let w%u = x%u + c%u * 0.01\n", i, i, i, i, i, i);
    fprintf(out, "  let d%u = w%u * (1.0 - w%u)\n", i, i, i);
    fprintf(out, "  let x%u = x%u + (a%u + b%u * 2.0 + c%u * 2.0 + d%u) * 0.0016\n", i + 1, i, i, i, i, i);
  }
  return end_chain(out, n);
}

static char *softmax_chain(uint32_t n) {
  FILE *out = begin_chain("x");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "  let x%u = softmax(x%u) + p * x%u\n", i + 1, i, i);
  return end_chain(out, n);
}

// Every step reads its operand at two other places.
static char *rotations(uint32_t n) {
  FILE *out = begin_chain("x");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "  let x%u = concat(x%u[1..D], x%u[0..1]) * p + x%u\n", i + 1, i, i, i);
  return end_chain(out, n);
}

static char *product_chain(uint32_t n) {
  FILE *out = begin();
  fprintf(out, "dim D = 20\nparam p: f32[D] = normal(0.3)\nparam W: f32[D, D] = normal(0.1)\n"
               "fn f(x: f32[D]) -> f32[D] {\n  let x0 = x\n");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "  let x%u = tanh(W @ x%u) + x%u\n", i + 1, i, i);
  return end_chain(out, n);
}

// Layers of eight values, each of two of the layer before.
static char *wide_dag(uint32_t n) {
  FILE *out = begin_chain("x");
  for (uint32_t j = 0; j < 8; j++)
    fprintf(out, "  let v0_%u = x * 0.%u\n", j, j + 1);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t j = 0; j < 8; j++)
      fprintf(out, "  let v%u_%u = tanh(v%u_%u) * v%u_%u\n", i + 1, j, i, j, i, (j * 3 + 1) % 8);
  fprintf(out, "  let x%u = x0", n);
  for (uint32_t j = 0; j < 8; j++)
    fprintf(out, " + v%u_%u", n, j);
  fprintf(out, "\n");
  return end_chain(out, n);
}

static void write_tree(FILE *out, uint32_t from, uint32_t to) {
  if (to - from == 1) {
    fprintf(out, "tanh(x0 * %u.5)", from);
    return;
  }
  uint32_t middle = from + (to - from) / 2;
  fprintf(out, "(");
  write_tree(out, from, middle);
  fprintf(out, " + ");
  write_tree(out, middle, to);
  fprintf(out, ")");
}

static char *tree(uint32_t n) {
  FILE *out = begin_chain("x");
  fprintf(out, "  let x%u = ", n);
  write_tree(out, 0, n);
  fprintf(out, "\n");
  return end_chain(out, n);
}

// Numbers, not vectors.
static char *number_chain(uint32_t n) {
  FILE *out = begin();
  fprintf(out, "param p: f32[20] = normal(0.3)\nfn loss(a: int) -> f32 {\n  let x0 = sum(p)\n");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "  let x%u = tanh(x%u) * 0.5 + x%u * x0\n", i + 1, i, i);
  fprintf(out, "  x%u\n}\n", n);
  return end(out);
}

static char *concatenation(uint32_t n) {
  FILE *out = begin_chain("x");
  fprintf(out, "  let s = sum(x)\n  let y = concat(x * (s * 0.0)");
  for (uint32_t i = 1; i < n; i++)
    fprintf(out, ", x * (s * %u.0)", i);
  fprintf(out, ")\n  let x%u = x * sum(y * y)\n", n);
  return end_chain(out, n);
}

static char *sum_of_parameters(uint32_t n) {
  FILE *out = begin();
  fprintf(out, "dim D = 20\n");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "param w%u: f32[D] = normal(0.1)\n", i);
  fprintf(out, "fn loss(a: int) -> f32 {\n  var s = sum(tanh(w0))\n");
  for (uint32_t i = 1; i < n; i++)
    fprintf(out, "  s = s + sum(tanh(w%u))\n", i);
  fprintf(out, "  s\n}\n");
  return end(out);
}

// --------------------------------------------------------------------------------------------------- at random

static uint32_t state;

static uint32_t below(uint32_t n) {  // Numerical Recipes' linear congruential generator, its high bits
  state = state * 1664525u + 1013904223u;
  return (uint32_t)((uint64_t)(state >> 8) * n >> 24);
}

// Prefers late values now and then, so that there are long chains and long lives.
static uint32_t earlier(uint32_t n) { return below(3) == 0 ? below(n) : n - 1 - below(n < 6 ? n : 6); }

char *shape_random(uint32_t n, uint32_t seed) {
  state = seed;
  FILE *out = begin();
  fprintf(out, "dim D = 20\nparam p: f32[D] = normal(0.3)\nparam W: f32[D, D] = normal(0.1)\n"
               "param V: f32[D, 2 * D] = normal(0.1)\nfn loss(a: int) -> f32 {\n"
               "  let x0 = tanh(p)\n  let y0 = concat(x0, p)\n  let s0 = sum(x0)\n");
  // Vectors x of D and y of 2 D elements, and numbers s; n of each in the end.
  for (uint32_t i = 1; i <= n; i++) {
    uint32_t a = earlier(i), b = earlier(i), c = earlier(i);
    static const char *const xs[] = {
        "tanh(x%u * 1.5 + x%u)",     "x%u * sigmoid(x%u)",   "softmax(x%u) - x%u * 0.5",
        "tanh(W @ x%u) + x%u * 0.1", "relu(x%u) - x%u * x0", "x%u / (x%u * x%u + 1.0)",
    };
    fprintf(out, "  let x%u = ", i);
    switch (below(9)) {
    case 0: fprintf(out, "y%u[0..D] * 0.5 + y%u[D..2 * D] * x%u", a, b, c); break;
    case 1: fprintf(out, "tanh(V @ y%u)", a); break;
    case 2: fprintf(out, "x%u * s%u", a, b); break;
    default: fprintf(out, xs[below(6)], a, b, b); break;
    }
    fprintf(out, "\n  let y%u = ", i);
    switch (below(4)) {
    case 0: fprintf(out, "tanh(y%u) + concat(x%u, x%u * 0.5)", a, b, c); break;
    case 1: fprintf(out, "concat(y%u[3..D + 3], x%u)", a, i); break;
    case 2: fprintf(out, "tanh(y%u * y%u)", a, b); break;
    default: fprintf(out, "concat(x%u * 0.1, x%u[1..D], x%u[0..1])", i, b, c); break;
    }
    fprintf(out, "\n  let s%u = ", i);
    switch (below(4)) {
    case 0: fprintf(out, "tanh(sum(x%u * x%u))", i, a); break;
    case 1: fprintf(out, "tanh(s%u + 0.1) * s%u", a, b); break;
    case 2: fprintf(out, "tanh(sum(y%u))", i); break;
    default: fprintf(out, "tanh(max(x%u) + s%u * s%u)", a, b, c); break;
    }
    fprintf(out, "\n");
  }
  fprintf(out, "  sum(x%u * 0.3) + sum(y%u) + s%u\n}\n", n, n, n);
  return end(out);
}

// ------------------------------------------------------------------------------------------------- control flow

static char *branches(uint32_t n) {
  FILE *out = begin();
  fprintf(out, "dim D = 20\nparam p: f32[D] = normal(0.3)\nfn loss(a: int) -> f32 {\n  var x = p\n");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "  if a > %u { x = x * %u.0 }\n", i, i + 1);
  fprintf(out, "  sum(x)\n}\n");
  return end(out);
}

static char *functions(uint32_t n) {
  FILE *out = begin();
  fprintf(out, "dim D = 20\nparam p: f32[D] = normal(0.3)\nparam W: f32[D, D]\n"
               "fn g0(x: f32[D]) -> f32[D] { x }\n");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "fn g%u(x: f32[D]) -> f32[D] { g%u(tanh(W @ x)) }\n", i + 1, i);
  fprintf(out, "fn loss(a: int) -> f32 { sum(g%u(p)) }\n", n);
  return end(out);
}

static char *layers(uint32_t n) {
  FILE *out = begin();
  fprintf(out, "dim D = 20\nparam p: f32[D] = normal(0.3)\nlayer Step(A: dim) {\n  param W: f32[A, A]\n"
               "  fn apply(x: f32[A]) -> f32[A] { tanh(W @ x) + x }\n}\n");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "let l%u = Step(D)\n", i);
  fprintf(out, "fn loss(a: int) -> f32 {\n  var x = p\n");
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "  x = l%u.apply(x)\n", i);
  fprintf(out, "  sum(x)\n}\n");
  return end(out);
}

const struct shape shapes[] = {
    {"tanh", "x = tanh(x * p) + x", tanh_chain, {125, 250, 500}},
    {"square", "x = x + x * x", square_chain, {125, 250, 500}},
    {"runge-kutta", "steps of a logistic equation", runge_kutta, {25, 50, 100}},
    {"softmax", "x = softmax(x) + p * x", softmax_chain, {50, 100, 200}},
    {"rotations", "x = concat(x[1..D], x[0..1]) * p + x", rotations, {125, 250, 500}},
    {"products", "x = tanh(W @ x) + x", product_chain, {75, 150, 300}},
    {"dag", "layers of eight, each of two before", wide_dag, {32, 64, 128}},
    {"tree", "sum of tanh(x * i) as a balanced tree", tree, {250, 500, 1000}},
    {"numbers", "x = tanh(x) * 0.5 + x * x0 on numbers", number_chain, {250, 500, 1000}},
    {"concat", "n parts", concatenation, {125, 250, 500}},
    {"parameters", "sum of n sum(tanh(w_i))", sum_of_parameters, {125, 250, 500}},
    {"branches", "n ifs on an int", branches, {100, 200, 400}},
    {"functions", "each calls the one before", functions, {100, 200, 400}},
    {"layers", "n layers in a row", layers, {100, 200, 400}},
    {NULL, NULL, NULL, {0}},
};
const uint32_t n_block_shapes = 11;

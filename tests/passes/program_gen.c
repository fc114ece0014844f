// Random programs for the tests of passes.
#include "tests/passes/program_gen.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct generator {
  FILE *out;
  uint64_t state;
  int depth;        // of statements
  int n_functions;  // f0, f1, ... that may be called
  bool recursive;   // inside `tree`: its own recursion may be used
  bool has_words;   // a list `words` is in scope
};

static uint32_t pick(struct generator *g, uint32_t n) {
  uint64_t z = g->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ z >> 31) >> 33) % n;
}

static void put(struct generator *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct generator *g, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(g->out, format, args);
  va_end(args);
}

static void line(struct generator *g) { put(g, "\n%*s", 2 * g->depth, ""); }

static void scalar(struct generator *g, int size);

// A vector f32[H].
static void vector(struct generator *g, int size) {
  switch (size <= 0 ? pick(g, 4) : pick(g, 15)) {
  case 0: put(g, "v0"); return;
  case 1: put(g, "v1"); return;
  case 2: put(g, "b"); return;
  case 3: put(g, "E[w]"); return;
  case 4:
  case 5:
    put(g, "(W%u @ (", pick(g, 3));
    vector(g, size - 1);
    put(g, "))");
    return;
  case 6:
  case 7:
    put(g, "%s(", pick(g, 2) ? "tanh" : "sigmoid");
    vector(g, size - 1);
    put(g, ")");
    return;
  case 8:
  case 9:
  case 10:
    put(g, "(");
    vector(g, size - 1);
    put(g, " %c ", "+-*"[pick(g, 3)]);
    vector(g, size - 1);
    put(g, ")");
    return;
  case 11:
    put(g, "slice(concat(");
    vector(g, size - 1);
    put(g, ", ");
    vector(g, size - 1);
    put(g, "), %s, H)", pick(g, 2) ? "H" : "1");
    return;
  case 12: put(g, "xs[k %% len(xs)]"); return;
  case 13: put(g, "%s(xs)", pick(g, 2) ? "sum" : "mean"); return;
  default:
    put(g, "(");
    scalar(g, size - 1);
    put(g, " * ");
    vector(g, size - 1);
    put(g, ")");
  }
}

static void scalar(struct generator *g, int size) {
  switch (size <= 0 ? pick(g, 2) : pick(g, 7)) {
  case 0: put(g, "s0"); return;
  case 1: put(g, "s1"); return;
  case 2:
    put(g, "nll(C @ (");
    vector(g, size - 1);
    put(g, "), w)");
    return;
  case 3:
    put(g, "dot(");
    vector(g, size - 1);
    put(g, ", ");
    vector(g, size - 1);
    put(g, ")");
    return;
  case 4:
    put(g, "tanh(");
    scalar(g, size - 1);
    put(g, ")");
    return;
  default:
    put(g, "(");
    scalar(g, size - 1);
    put(g, " %c ", "+-"[pick(g, 2)]);
    scalar(g, size - 1);
    put(g, ")");
  }
}

static void condition(struct generator *g) {
  switch (pick(g, 4)) {
  case 0: put(g, "k %% %u == %u", 2 + pick(g, 2), pick(g, 2)); return;
  case 1: put(g, "len(xs) > %u", 1 + pick(g, 3)); return;
  case 2:
    put(g, "value(");
    scalar(g, 2);
    put(g, ") > 0.25");
    return;
  default:
    put(g, "argmax(C @ (");
    vector(g, 1);
    put(g, ")) == w");
  }
}

static void body(struct generator *g, int n, int size);

static void loop(struct generator *g, int size) {
  if (g->has_words && pick(g, 2))
    put(g, "for w in words {");
  else
    put(g, "for i in 0..%u {", 1 + pick(g, 3));
  g->depth++;
  line(g);
  put(g, "k = k + 1");
  body(g, 1 + (int)pick(g, 3), size - 1);
  g->depth--;
  line(g);
  put(g, "}");
}

static void branch(struct generator *g, int size) {
  put(g, "if ");
  condition(g);
  put(g, " {");
  g->depth++;
  body(g, 1 + (int)pick(g, 2), size - 1);
  g->depth--;
  line(g);
  put(g, "}");
  if (pick(g, 2)) {
    put(g, " else {");
    g->depth++;
    body(g, 1, size - 1);
    g->depth--;
    line(g);
    put(g, "}");
  }
}

static void use_call(struct generator *g) {
  put(g, "{ let (p, q) = ");
  if (g->recursive && pick(g, 2)) {
    put(g, "tree(t, ");
    vector(g, 1);
  } else {
    put(g, "f%u(w, ", pick(g, (uint32_t)g->n_functions));
    vector(g, 1);
  }
  put(g, "); ");
  if (pick(g, 4))
    put(g, "v%u = p; ", pick(g, 2));
  if (pick(g, 3))
    put(g, "s%u = s%u + q; ", pick(g, 2), pick(g, 2));
  put(g, "}");
}

static void statement(struct generator *g, int size) {
  line(g);
  switch (pick(g, size > 0 ? 10 : 6)) {
  case 0:
  case 1:
    put(g, "v%u = ", pick(g, 2));
    vector(g, 3);
    return;
  case 2:
  case 3:
    put(g, "s0 = s0 + ");
    scalar(g, 3);
    return;
  case 4:
    put(g, "s1 = ");
    scalar(g, 2);
    return;
  case 5:
    put(g, "xs = push(xs, ");
    vector(g, 2);
    put(g, ")");
    return;
  case 6:
  case 7: loop(g, size); return;
  case 8: branch(g, size); return;
  default:
    if (g->n_functions > 0)
      put(g, "if true "), use_call(g);
    else
      put(g, "s0 = s0 * 0.5");
  }
}

static void body(struct generator *g, int n, int size) {
  for (int i = 0; i < n; i++)
    statement(g, size);
}

static void variables(struct generator *g) {
  put(g, "\n  var v0 = x\n  var v1 = W0 @ E[w]\n  var s0 = sum(zeros[H])"
         "\n  var s1 = dot(x, b)\n  var xs = [x]\n  var k = 0");
}

static void function(struct generator *g, int which) {
  put(g, "\nfn f%d(w: Word, x: f32[H]) -> (f32[H], f32) {", which);
  g->depth = 1;
  variables(g);
  body(g, 2 + (int)pick(g, 3), 2);
  put(g, "\n  (v0, s0)\n}\n");
  g->n_functions++;
}

// Recursion over a tree, from below, from above, or both.
static void tree(struct generator *g) {
  bool down = pick(g, 2);
  put(g, "\nfn tree(t: Tree, x: f32[H]) -> (f32[H], f32) {\n  match t {\n    Leaf(w) => {");
  g->depth = 3;
  put(g, "\n      if true {");
  variables(g);
  body(g, 2, 1);
  put(g, "\n      return (v0, s0) }\n      (x, sum(zeros[H]))\n    }\n    Node(left, right, w) => {");
  variables(g);
  put(g, "\n      let (l, p) = tree(left, %s)\n      let (r, q) = tree(right, %s)",
      down ? "tanh(W1 @ x + E[w])" : "x", down ? "v1" : "x");
  put(g, "\n      v0 = %s\n      s0 = p + q", pick(g, 2) ? "tanh(W1 @ l + W2 @ r)" : "l + r");
  body(g, 1 + (int)pick(g, 3), 1);
  put(g, "\n      (v0, s0)\n    }\n  }\n}\n");
}

char *program_generate(uint64_t seed) {
  char *text = NULL;
  size_t length = 0;
  struct generator g = {.out = open_memstream(&text, &length), .state = seed};
  put(&g, "dim H = 3\nvocab Word\ndata Tree = Leaf(word: Word) | Node(left: Tree, right: Tree, word: Word)\n"
          "param E: f32[Word, H]\nparam C: f32[Word, H]\nparam W0: f32[H, H]\nparam W1: f32[H, H]\n"
          "param W2: f32[H, H]\nparam b: f32[H]\n");
  int n = 1 + (int)pick(&g, 3);
  for (int i = 0; i < n; i++)
    function(&g, i);
  tree(&g);
  put(&g, "\nfn loss(words: [Word], t: Tree, w: Word) -> f32 {\n  let x = E[w]");
  g.depth = 1;
  g.recursive = g.has_words = true;
  variables(&g);
  body(&g, 3 + (int)pick(&g, 3), 2);
  put(&g, "\n  let (v, s) = tree(t, v0)\n  s0 + s1 + s + dot(v, v1)\n}\n");
  put(&g, "\nfn predict(words: [Word], t: Tree) -> Word { argmax(C @ tree(t, b).0) }\n");
  fclose(g.out);
  return text;
}

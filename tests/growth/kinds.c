#include "tests/growth/kinds.h"

#include <stddef.h>
#include <string.h>

static void declarations(FILE *out) {
  fputs("dim H = 8\nvocab Word\nparam E: f32[Word, H] = normal(0.1)\nparam W: f32[H, H]\n", out);
}

// ---- Kinds of programs: each writes one of size n ------------------------------------------------------

static void chain_of_functions(FILE *out, int n) {
  declarations(out);
  fputs("fn g0(x: f32[H]) -> f32[H] { tanh(x) }\n", out);
  for (int i = 1; i < n; i++)
    fprintf(out, "fn g%d(x: f32[H]) -> f32[H] { g%d(W @ x) }\n", i, i - 1);
  fprintf(out, "fn loss(w: Word) -> f32 { sum(g%d(E[w])) }\n", n - 1);
}

static void functions_called_twice(FILE *out, int n) {
  declarations(out);
  fputs("fn g0(x: f32[H]) -> f32[H] { tanh(x) }\nfn g1(x: f32[H]) -> f32[H] { g0(W @ x) }\n", out);
  for (int i = 2; i < n; i++)
    fprintf(out, "fn g%d(x: f32[H]) -> f32[H] { g%d(W @ x) + g%d(x) }\n", i, i - 1, i / 2);
  fprintf(out, "fn loss(w: Word) -> f32 { sum(g%d(E[w])) }\n", n - 1);
}

static void entries(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word) -> f32 { sum(E[w]) }\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "fn e%d(w: Word) -> f32 { sum(tanh(E[w] * %d.0)) }\n", i, i);
}

static void ifs_on_ints(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, k: int) -> f32 {\n  var a = k\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  if a %% %d == 0 { a = a + %d } else { a = a - 1 }\n", i + 2, i);
  fputs("  sum(E[w]) * a\n}\n", out);
}

static void ifs_on_tensors(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, k: int) -> f32 {\n  var t: f32 = 0\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  if k > %d { t = t + sum(tanh(E[w])) } else { t = t + sum(tanh(W @ E[w])) }\n", i);
  fputs("  t\n}\n", out);
}

static void lets(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word) -> f32 {\n  let x0 = E[w]\n", out);
  for (int i = 1; i <= n; i++)
    fprintf(out, "  let x%d = tanh(x%d * %d.0) + x0\n", i, i - 1, i);
  fprintf(out, "  sum(x%d)\n}\n", n);
}

static void sums(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word) -> f32 {\n  var t: f32 = 0\n  let x = E[w]\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  t = t + sum(tanh(x * %d.0))\n", i + 1);
  fputs("  t\n}\n", out);
}

static void sum_in_one_expression(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, k: int) -> f32 {\n  sum(E[w]", out);
  for (int i = 1; i < n; i++)
    fputs(i % 3 == 0 ? " + E[w]" : i % 3 == 1 ? " - E[w] * 0.5" : " + tanh(E[w])", out);
  fputs(") * (k", out);
  for (int i = 1; i < n; i++)
    fprintf(out, i % 2 ? " + %d" : " - k * %d", i);
  fputs(")\n}\n", out);
}

static void chain_of_conditions(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, k: int) -> f32 {\n  if k > 0", out);
  for (int i = 1; i < n; i++)
    fprintf(out, " && k * k > %d", i);
  fputs(" { sum(E[w]) } else { 0 }\n}\n", out);
}

static void size_of_many_terms(FILE *out, int n) {
  declarations(out);
  fputs("dim D = H", out);
  for (int i = 1; i < n; i++)
    fputs(i % 2 ? " + 2 * H" : " - H", out);
  fputs("\nparam p: f32[D]\nfn loss(w: Word) -> f32 { sum(E[w]) + sum(p) }\n", out);
}

static void loops(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(ws: [Word]) -> f32 {\n  var t: f32 = 0\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  for w in ws { t = t + sum(tanh(E[w] * %d.0)) }\n", i + 1);
  fputs("  t\n}\n", out);
}

static void variables(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, k: int) -> f32 {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  var v%d = k + %d\n", i, i);
  for (int i = 0; i < n; i++)
    fprintf(out, "  if k > %d { v%d = v%d * 2 }\n", i, i, i);
  fputs("  var s = 0\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  s = s + v%d\n", i);
  fputs("  sum(E[w]) * s\n}\n", out);
}

static void variables_and_loops(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, ks: [int]) -> f32 {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  var v%d = len(ks) + %d\n", i, i);
  for (int i = 0; i < n; i++)
    fprintf(out, "  for k in ks { if k > %d { v%d = v%d * k } }\n", i, i, i);
  fputs("  var s = 0\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  s = s + v%d\n", i);
  fputs("  sum(E[w]) * s\n}\n", out);
}

static void variables_and_arms(FILE *out, int n) {
  declarations(out);
  fputs("data T = A(k: int) | B(k: int) | C\nfn loss(w: Word, t: T) -> f32 {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  var v%d = %d\n", i, i);
  for (int i = 0; i < n; i++)
    fprintf(out, "  match t {\n    A(k) => { v%d = k }\n    B(%d) => { v%d = 1 }\n    _ => {}\n  }\n", i, i,
            i);
  fputs("  var s = 0\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  s = s + v%d\n", i);
  fputs("  sum(E[w]) * s\n}\n", out);
}

static void variables_and_decisions(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, k: int) -> f32 {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  var x%d = E[w]\n", i);
  for (int i = 0; i < n; i++)
    fprintf(out, "  if value(sum(x%d)) > %d.0 { x%d = tanh(W @ x%d) }\n", i / 2, i, i, i);
  fprintf(out, "  var t: f32 = 0\n");
  for (int i = 0; i < n; i++)
    fprintf(out, "  t = t + sum(x%d)\n", i);
  fputs("  t\n}\n", out);
}

static void constructors(FILE *out, int n) {
  declarations(out);
  fputs("data T = C0(a: int, b: Word)", out);
  for (int i = 1; i < n; i++)
    fprintf(out, "\n  | C%d(a: int, b: Word)", i);
  fputs("\nfn f(t: T) -> int {\n  match t {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "    C%d(a, _) => a + %d\n", i, i);
  fputs("  }\n}\nfn loss(w: Word, t: T) -> f32 { sum(E[w]) * f(t) }\n", out);
}

static void nested_patterns(FILE *out, int n) {
  declarations(out);
  fputs("data T = C0(a: int, b: Word)", out);
  for (int i = 1; i < n; i++)
    fprintf(out, "\n  | C%d(a: int, b: Word)", i);
  fputs("\nfn f(t: T) -> int {\n  match t {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "    C%d(1, _) => %d\n    C%d(_, w) => 2\n", i, i, i);
  fputs("  }\n}\nfn loss(w: Word, t: T) -> f32 { sum(E[w]) * f(t) }\n", out);
}

// A value may hold so many others that the program of the larger size is just allowed.
static void fields(FILE *out, int size) {
  int n = size / 4;
  declarations(out);
  fputs("data T = C(f0: int", out);
  for (int i = 1; i < n; i++)
    fprintf(out, ", f%d: int", i);
  fputs(")\nfn f(t: T) -> int {\n  match t {\n    C(a0", out);
  for (int i = 1; i < n; i++)
    fprintf(out, i % 2 ? ", %d" : ", a%d", i);
  fputs(") => a0", out);
  for (int i = 2; i < n; i += 2)
    fprintf(out, " + a%d", i);
  fputs("\n    C(1", out);
  for (int i = 1; i < n; i++)
    fputs(i == 1 ? ", b1" : ", _", out);
  fputs(") => b1\n    _ => t.f0", out);
  for (int i = 1; i < n; i++)
    fprintf(out, " - t.f%d", i);
  fputs("\n  }\n}\nfn loss(w: Word, t: T) -> f32 { sum(E[w]) * f(t) }\n", out);
}

// The type of a value may have so many parts that the program of the larger size is just allowed.
static void wide_patterns(FILE *out, int size) {
  int n = size / 16;
  declarations(out);
  fputs("fn f(a: int) -> int {\n  match (a", out);
  for (int i = 1; i < n; i++)
    fprintf(out, ", (a + %d, true)", i);
  fputs(") {\n    (0", out);
  for (int i = 1; i < n; i++)
    fprintf(out, ", (%d, true)", i);
  fputs(") => 1\n    (1", out);
  for (int i = 1; i < n; i++)
    fprintf(out, ", (_x%d, _)", i);
  fputs(") => _x1\n    _ => 2\n  }\n}\nfn loss(w: Word, a: int) -> f32 { sum(E[w]) * f(a) }\n", out);
}

static void members(FILE *out, int n) {
  declarations(out);
  fputs("enum T { M0", out);
  for (int i = 1; i < n; i++)
    fprintf(out, ", M%d", i);
  fputs(" }\nparam C: f32[T, H]\nfn f(t: T) -> int {\n  match t {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "    M%d => %d\n", i, i);
  fputs("  }\n}\nfn loss(w: Word, t: T) -> f32 { nll(C @ E[w], t) * f(t) }\n", out);
}

static void integers(FILE *out, int n) {
  declarations(out);
  fputs("fn f(t: int) -> int {\n  match t {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "    %d => %d\n", i, i * 7 % 11);
  fputs("    _ => 0\n  }\n}\nfn loss(w: Word, k: int) -> f32 { sum(E[w]) * f(k) }\n", out);
}

static void pairs(FILE *out, int n) {
  declarations(out);
  fputs("fn f(t: int, u: int) -> int {\n  match (t, u) {\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "    (%d, %d) => %d\n", i, i * 3, i * 7 % 11);
  fputs("    _ => 0\n  }\n}\nfn loss(w: Word, k: int) -> f32 { sum(E[w]) * f(k, k) }\n", out);
}

static void comprehensions(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(ws: [Word]) -> f32 {\n  let x0 = [E[w] for w in ws]\n", out);
  for (int i = 1; i <= n; i++)
    fprintf(out, "  let x%d = [tanh(%sx * %d.0) for x in x%d]\n", i, i % 8 ? "" : "W @ ", i, i - 1);
  fprintf(out, "  sum(sum(x%d))\n}\n", n);
}

// Comprehensions within each other, as deep as the parser lets them be, one after the other.
static void nested_comprehensions(FILE *out, int n) {
  enum { DEPTH = 5 };
  declarations(out);
  fputs("fn loss(ks: [int]) -> f32 {\n  var t: f32 = 0\n", out);
  for (int i = 0; i < n / DEPTH; i++) {
    fputs("  let y", out);
    fprintf(out, "%d = ", i);
    for (int d = 0; d < DEPTH; d++)
      fputc('[', out);
    fprintf(out, "a * %d + b - c * d + e", i);
    for (int d = 0; d < DEPTH; d++)
      fprintf(out, " for %c in ks]", 'a' + d);
    fprintf(out, "\n  t = t + len(y%d)\n", i);
  }
  fputs("  t\n}\n", out);
}

static void layers(FILE *out, int n) {
  declarations(out);
  fputs("layer D(In: dim, Out: dim) {\n  param W: f32[Out, In]\n  param b: f32[Out] = zeros\n"
        "  fn f(x: f32[In]) -> f32[Out] { tanh(W @ x + b) }\n}\n",
        out);
  for (int i = 0; i < n; i++)
    fprintf(out, "let l%d = D(H, H)\n", i);
  fputs("fn loss(w: Word) -> f32 {\n  var x = E[w]\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  x = l%d.f(x)\n", i);
  fputs("  sum(x)\n}\n", out);
}

static void sizes(FILE *out, int n) {
  declarations(out);
  for (int i = 0; i < n; i++)
    fprintf(out, "dim D%d = %d\nparam p%d: f32[D%d]\n", i, i + 1, i, i);
  fputs("fn f[m](x: f32[m]) -> f32 { sum(tanh(x)) }\nfn loss(w: Word) -> f32 {\n  var t: f32 = sum(E[w])\n",
        out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  t = t + f(p%d)\n", i);
  fputs("  t\n}\n", out);
}

static void elements(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, k: int) -> f32 {\n  let x = E[w]\n  let xs = [x", out);
  for (int i = 0; i < n; i++)
    fprintf(out, ",\n    x * %d.0", i);
  fputs("]\n  sum(sum(xs))\n}\n", out);
}

static void recursion(FILE *out, int n) {
  declarations(out);
  for (int i = 0; i < n; i++)
    fprintf(out, "fn g%d(k: int, x: f32[H]) -> f32[H] { if k > %d { x } else { tanh(W @ g%d(k + 1, x)) } }\n",
            i, i, (i + 1) % n);
  fputs("fn loss(w: Word, k: int) -> f32 { sum(g0(k, E[w])) }\n", out);
}

static void decisions(FILE *out, int n) {
  declarations(out);
  fputs("fn loss(w: Word, k: int) -> f32 {\n  var x = E[w]\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  if value(sum(x)) > %d.0 { x = tanh(W @ x) }\n", i);
  fputs("  sum(x)\n}\n", out);
}

const struct program_kind program_kinds[] = {
    {"chain_of_functions", chain_of_functions},
    {"functions_called_twice", functions_called_twice},
    {"entries", entries},
    {"ifs_on_ints", ifs_on_ints},
    {"ifs_on_tensors", ifs_on_tensors},
    {"lets", lets},
    {"sums", sums},
    {"sum_in_one_expression", sum_in_one_expression},
    {"chain_of_conditions", chain_of_conditions},
    {"size_of_many_terms", size_of_many_terms},
    {"loops", loops},
    {"variables", variables},
    {"variables_and_loops", variables_and_loops},
    {"variables_and_arms", variables_and_arms},
    {"variables_and_decisions", variables_and_decisions},
    {"constructors", constructors},
    {"nested_patterns", nested_patterns},
    {"fields", fields},
    {"wide_patterns", wide_patterns},
    {"members", members},
    {"integers", integers},
    {"pairs", pairs},
    {"comprehensions", comprehensions},
    {"nested_comprehensions", nested_comprehensions},
    {"layers", layers},
    {"sizes", sizes},
    {"elements", elements},
    {"recursion", recursion},
    {"decisions", decisions},
    {NULL, NULL},
};

const struct program_kind *program_kind_find(const char *name) {
  for (const struct program_kind *kind = program_kinds; kind->name != NULL; kind++)
    if (strcmp(kind->name, name) == 0)
      return kind;
  return NULL;
}

char *program_kind_text(const struct program_kind *kind, int n) {
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  kind->write(out, n);
  fclose(out);
  return text;
}

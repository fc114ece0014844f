#include "tests/runtime/list_program_gen.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

// Functions that no program can make fail or grow without end: places are wrapped, lengths and depths are cut.
static const char prelude[] =
    "data Box = Leaf(xs: [int], n: int) | Pair(a: Box, b: [Box])\n"
    "fn wrap(i: int, n: int) -> int { (i % n + n) % n }\n"
    "fn cut(xs: [int], n: int) -> [int] { if len(xs) > n { xs[0..n] } else { xs } }\n"
    "fn tail(xs: [int]) -> [int] { if len(xs) > 0 { xs[1..len(xs)] } else { xs } }\n"
    "fn less(xs: [int]) -> [int] { if len(xs) > 0 { pop(xs) } else { xs } }\n"
    "fn at(xs: [int], i: int) -> int { if len(xs) > 0 { xs[wrap(i, len(xs))] } else { i } }\n"
    "fn row(g: [[int]], i: int) -> [int] { if len(g) > 0 { g[wrap(i, len(g))] } else { [i] } }\n"
    "fn few(g: [[int]]) -> [[int]] { if len(g) > 9 { g[0..9] } else { g } }\n"
    "fn some(p: [([int], int)]) -> [([int], int)] { if len(p) > 4 { p[0..4] } else { p } }\n"
    "fn with(xs: [int], i: int, e: int) -> [int] {\n"
    "  var ys = xs\n"
    "  if len(ys) > 0 { ys[wrap(i, len(ys))] = e }\n"
    "  ys\n"
    "}\n"
    "fn prune(t: Box, d: int) -> Box {\n"
    "  match t {\n"
    "    Leaf(xs, n) => Leaf(cut(xs, 9), n % 1000)\n"
    "    Pair(a, b) => if d == 0 { Leaf([d], d) } else { Pair(prune(a, d - 1), [prune(x, d - 1) for x in b]) "
    "}\n"
    "  }\n"
    "}\n"
    "fn inner(t: Box) -> [int] {\n"
    "  match t {\n"
    "    Leaf(xs, n) => push(xs, n)\n"
    "    Pair(a, b) => inner(a)\n"
    "  }\n"
    "}\n"
    "fn grow(t: Box, e: int) -> Box {\n"
    "  match t {\n"
    "    Leaf(xs, n) => Leaf(push(xs, e), n + 1)\n"
    "    Pair(a, b) => Pair(grow(a, e), b)\n"
    "  }\n"
    "}\n"
    "fn swap(t: Box) -> Box {\n"
    "  match t {\n"
    "    Leaf(xs, n) => Leaf(reversed(xs), n)\n"
    "    Pair(a, b) => if len(b) > 0 { Pair(b[0], push(b, a)) } else { a }\n"
    "  }\n"
    "}\n"
    "fn sizes(g: [[int]]) -> int { sum([len(xs) for xs in g]) }\n";

struct gen {
  FILE *out;
  uint64_t state;
  unsigned n_functions;  // that can be called
  unsigned n_names;
  unsigned loops;  // around the statement
};

static unsigned pick(struct gen *g, unsigned n) {  // splitmix64, Steele et al. 2014
  uint64_t z = g->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (unsigned)((z ^ z >> 31) >> 33) % n;
}

// %i, %l, %g, %t, %p stand for an expression of type int, [int], [[int]], Box, [([int], int)]; %v, %w, %x, %y for a
// variable of the last four; %n for the name that was made last.
static void write(struct gen *g, unsigned depth, const char *text);

static void write_int(struct gen *g, unsigned depth) {
  static const char *const leaves[] = {"0", "1", "3", "-2", "7", "i", "j", "len(a)", "len(h)", "len(p)"};
  static const char *const others[] = {"%i + %i", "%i - j",  "at(%l, %i)", "len(%l)",
                                       "sum(%l)", "len(%g)", "sizes(%g)"};
  if (depth == 0 || pick(g, 2))
    fputs(leaves[pick(g, 10)], g->out);
  else
    write(g, depth - 1, others[pick(g, 7)]);
}

static void write_list(struct gen *g, unsigned depth) {
  static const char *const others[] = {"push(%l, %i)",     "[%i, %i]",         "tail([j])",
                                       "reversed(%l)",     "cut(%l + %l, 20)", "cut(%l, %i % 5 + 5)",
                                       "tail(%l)",         "row(%g, %i)",      "inner(%t)",
                                       "with(%l, %i, %i)", "less(%l)",         "[x + 1 for x in %l]",
                                       "push(%v, %i)",     "with(%v, i, %i)"};
  if (depth == 0 || pick(g, 3) == 0)
    fputs(pick(g, 2) ? "a" : "b", g->out);
  else
    write(g, depth - 1, others[pick(g, 14)]);
}

static void write_lists(struct gen *g, unsigned depth) {
  static const char *const others[] = {
      "push(%g, %l)",         "[%l, %l]",         "reversed(%g)",
      "few(%g + %g)",         "few(%g)",          "[push(x, %i) for x in %g]",
      "[x for (x, y) in %p]", "few(push(%w, %v))"};
  if (depth == 0 || pick(g, 3) == 0)
    fputs(pick(g, 2) ? "g" : "h", g->out);
  else
    write(g, depth - 1, others[pick(g, 8)]);
}

static void write_box(struct gen *g, unsigned depth) {
  static const char *const others[] = {"Leaf(%l, %i)", "Pair(%t, [%t, %t])",
                                       "grow(%t, %i)", "swap(%t)",
                                       "prune(%t, 2)", "Pair(%t, [Leaf(x, %i) for x in few(%g)])",
                                       "grow(%x, %i)"};
  if (depth == 0 || pick(g, 3) == 0)
    fputs(pick(g, 2) ? "t" : "u", g->out);
  else
    write(g, depth - 1, others[pick(g, 7)]);
}

static void write_pairs(struct gen *g, unsigned depth) {
  static const char *const others[] = {"push(%p, (%l, %i))", "[(%l, %i)]", "reversed(%p)",
                                       "zip(few(%g), few(%g))"};
  if (depth == 0 || pick(g, 3) == 0)
    fputs("p", g->out);
  else
    write(g, depth - 1, others[pick(g, 3)]);
}

static void write(struct gen *g, unsigned depth, const char *text) {
  for (; *text; text++) {
    if (*text != '%' || text[1] == ' ') {
      fputc(*text, g->out);
      continue;
    }
    switch (*++text) {
    case 'i': write_int(g, depth); break;
    case 'l': write_list(g, depth); break;
    case 'g': write_lists(g, depth); break;
    case 't': write_box(g, depth); break;
    case 'p': write_pairs(g, depth); break;
    case 'v': fputs(pick(g, 2) ? "a" : "b", g->out); break;
    case 'w': fputs(pick(g, 2) ? "g" : "h", g->out); break;
    case 'x': fputs(pick(g, 2) ? "t" : "u", g->out); break;
    case 'n': fprintf(g->out, "n%u", g->n_names); break;
    default: fputc(*text, g->out);
    }
  }
}

// In these each letter after % that is a variable must be the same one throughout: there is a text for each.
static const char *const statements[] = {
    "a = %l",
    "b = %l",
    "g = few(%g)",
    "h = few(%g)",
    "t = prune(%t, 3)",
    "u = prune(%t, 3)",
    "p = %p",
    "i = %i % 1000",
    "a = cut(push(a, %i), 30)",
    "b = cut(push(b, %i), 30)",
    "if len(a) > 0 { a[wrap(%i, len(a))] = %i }",
    "if len(b) > 0 { b[wrap(%i, len(b))] = %i }",
    "if len(a) > 0 { a = pop(a) }",
    "if len(b) > 1 { b = b[1..len(b) - 1] }",
    "let %n = a; a = b; b = %n",
    "let %n = g\n if len(g) > 0 { g[wrap(%i, len(g))] = %l }\n h = few(%n)",
    "if len(g) > 0 { let %n = wrap(%i, len(g)); g[%n] = cut(push(g[%n], %i), 20) }",
    "if len(h) > 0 { let %n = wrap(%i, len(h)); h[%n] = cut(push(h[%n], len(h[0])), 20) }",
    "if len(g) > 0 { let %n = wrap(%i, len(g)); if len(g[%n]) > 0 { g[%n][wrap(%i, len(g[%n]))] = %i } }",
    "if len(h) > 1 { let %n = wrap(%i, len(h) - 1); if len(h[%n]) > 0 { h[%n][0] = h[%n][0] + len(h[%n + 1]) "
    "} }",
    "if len(g) > 0 { let %n = wrap(%i, len(g)); a = g[%n]; g[%n] = less(g[%n]) }",
    "if len(g) > 0 { let %n = wrap(%i, len(g)); if i > j { g[%n] = push(less(g[%n]), j) } else { g[%n] = "
    "tail(g[%n]) } }",
    "if len(h) > 0 { let %n = wrap(%i, len(h)); var m = h[%n]; for k in 0..3 { m = cut(push(m, k), 25) }; "
    "h[%n] = m }",
    "if len(p) > 0 { let %n = wrap(%i, len(p)); let (m, k) = p[%n]; p[%n] = (cut(push(m, %i), 20), k + 1) }",
    "if len(p) > 0 { let %n = wrap(%i, len(p)); let (m, k) = p[%n]; p[%n] = (tail(m), %i); b = m }",
    "if len(p) > 8 { p = p[3..8] }",
    "t = match t { Leaf(xs, n) => Leaf(cut(push(xs, %i), 20), n + 1), Pair(x, y) => Pair(x, "
    "push(y[0..min(len(y), 3)], Leaf(%l, %i))) }",
    "u = match u { Leaf(xs, n) => Leaf(cut(xs + %l, 20), len(xs)), Pair(x, y) => if len(y) > 0 { y[len(y) - "
    "1] } else { x } }",
    "t = prune(Pair(u, [t, u]), 3)",
    "let %n = match t { Leaf(xs, n) => [xs, %v], Pair(x, y) => [inner(z) for z in y] }\n g = few(%n)",
};

static void indent(struct gen *g) { fprintf(g->out, "%*s", (int)(2 * g->loops + 2), ""); }

static void write_statement(struct gen *g);

static void write_body(struct gen *g, unsigned most) {
  g->loops++;
  for (unsigned n = 1 + pick(g, most); n > 0; n--)
    write_statement(g);
  g->loops--;
  indent(g);
}

static void write_call(struct gen *g) {
  unsigned name = ++g->n_names;
  fprintf(g->out, "let n%u = f%u(", name, pick(g, g->n_functions));
  write(g, 1, "%l, few(%g), prune(%t, 2), some(%p), %i % 100)\n");
  indent(g);
  fprintf(g->out, "a = n%u.0; g = n%u.1; t = n%u.2; p = n%u.3; j = n%u.4 %% 1000\n", name, name, name, name,
          name);
}

static void write_statement(struct gen *g) {
  indent(g);
  unsigned kind = pick(g, g->loops < 2 ? 20 : 15);
  if (kind == 0 && g->n_functions > 0 && g->loops < 2) {
    write_call(g);
  } else if (kind < 15) {
    g->n_names++;
    write(g, 2, statements[pick(g, sizeof statements / sizeof *statements)]);
    fputc('\n', g->out);
  } else if (kind == 15) {
    fprintf(g->out, "for k in 0..%u {\n", 1 + pick(g, 4));
    write_body(g, 3);
    fputs("}\n", g->out);
  } else if (kind == 16) {
    write(g, 1, "for k in cut(%l, 4) {\n");
    write_body(g, 3);
    fputs("}\n", g->out);
  } else if (kind == 17) {
    write(g, 1, "for xs in few(%g) {\n");
    write_body(g, 3);
    write(g, 1, "  a = cut(push(xs, %i), 20)\n");
    indent(g);
    fputs("}\n", g->out);
  } else if (kind == 18) {
    write(g, 1, "while true {\n");
    write_body(g, 3);
    write(g, 1, "  i = i + 1\n  if i > %i || i > 8 { break }\n");
    indent(g);
    fputs("}\n", g->out);
  } else {
    write(g, 1, "if %i > %i {\n");
    write_body(g, 3);
    fputs("} else {\n", g->out);
    write_body(g, 3);
    fputs("}\n", g->out);
  }
}

static void write_function(struct gen *g, const char *name) {
  fprintf(g->out,
          "fn %s(a0: [int], g0: [[int]], t0: Box, p0: [([int], int)], n: int) -> ([int], [[int]], Box, "
          "[([int], int)], "
          "int, [int], [[int]], Box) {\n",
          name);
  fputs("  var a = a0; var g = g0; var t = t0; var p = p0; var i = n\n"
        "  var b = [n, 2, 3]; var h = [[n], b]; var u = Leaf(b, 0); var j = len(a0)\n",
        g->out);
  for (unsigned s = 4 + pick(g, 7); s > 0; s--)
    write_statement(g);
  fputs("  (a, g, t, p, i + j, b, h, u)\n}\n", g->out);
}

char *list_program_generate(uint64_t seed) {
  char *text = NULL;
  size_t length;
  struct gen g = {.out = open_memstream(&text, &length), .state = seed};
  if (!g.out)
    return NULL;
  fputs(prelude, g.out);
  for (unsigned n = pick(&g, 3); g.n_functions < n; g.n_functions++) {
    char name[16];
    snprintf(name, sizeof name, "f%u", g.n_functions);
    write_function(&g, name);
  }
  write_function(&g, "predict");
  fclose(g.out);
  return text;
}

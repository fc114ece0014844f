// The parser and the printer of syntax trees: how operators group, where statements end, that printing is a fixpoint
// which keeps the meaning, for every model and library file of the project, and what no input may do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/syntax/ast_print.h"
#include "compiler/syntax/parse.h"

struct session {
  struct arena arena;
  struct source_set sources;
  struct diag_sink sink;
};

static void begin(struct session *s) {
  arena_init(&s->arena);
  source_set_init(&s->sources, &s->arena);
  diag_sink_init(&s->sink, &s->arena, &s->sources);
}

static void end(struct session *s) { arena_free(&s->arena); }

static struct ast_file *parse_bytes(struct session *s, const char *text, size_t length) {
  return parse_file(&s->arena, &s->sink, source_add_text(&s->sources, "test.nn", text, length));
}

static struct ast_file *parse_text(struct session *s, const char *text) {
  return parse_bytes(s, text, strlen(text));
}

static char *print(const struct ast_file *file, bool all_parentheses) {
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  struct ast_print_options options = {all_parentheses};
  ast_print_file(file, out, &options);
  fclose(out);
  return text;
}

static struct ast_file *parse_ok(struct session *s, const char *text) {
  struct ast_file *file = parse_text(s, text);
  if (!file) {
    diag_render_all(&s->sink, stderr, false);
    fail_msg("does not parse:\n%s", text);
  }
  return file;
}

// ---- Grouping -----------------------------------------------------------------------------------------------

static const struct {
  const char *text;
  const char *grouped;
} grouping[] = {
    {"a || b && c", "(a || (b && c))"},
    {"a && b == c", "(a && (b == c))"},
    {"a == b + c", "(a == (b + c))"},
    {"0..n - 1", "(0..(n - 1))"},
    {"a - b - c", "((a - b) - c)"},
    {"a - (b - c)", "(a - (b - c))"},
    {"a * b @ c", "((a * b) @ c)"},
    {"a / (b @ c)", "(a / (b @ c))"},
    {"-a * b", "((-a) * b)"},
    {"-a.b", "(-a.b)"},
    {"!a && b", "((!a) && b)"},
    {"--a", "(-(-a))"},
    {"a + b * c % d", "(a + ((b * c) % d))"},
    {"f(a)(b)[c].d.0", "f(a)(b)[c].d.0"},
    {"t.0.1", "t.0.1"},
    {"t.0.h", "t.0.h"},
    {"x[1..n]", "x[1..n]"},
    {"x[i + 1..n]", "x[(i + 1)..n]"},
    {"zeros[4*H, In + 1]", "zeros[(4*H), (In + 1)]"},
    {"1_000 + 0.5", "(1000 + 0.5)"},
    {"1e-3 + 2.", "(0.001 + 2.0)"},
    {"1..2", "(1..2)"},
    {"(a < b) == c", "((a < b) == c)"},
    {"()", "()"},
    {"(a)", "a"},
    {"(a, b,)", "(a, b)"},
    {"[]", "[]"},
    {"[a, b,]", "[a, b]"},
    {"[x for (x, _) in zip(a, b) if x > 0]", "[x for (x, _) in zip(a, b) if (x > 0)]"},
    {"State(h: a, c: b)", "State(h: a, c: b)"},
    {"f(a, b: c)", "f(a, b: c)"},
    {"if a { b } else if c { d } else { e } + 1", "(if a { b } else if c { d } else { e } + 1)"},
    {"(1).x", "(1).x"},
};

static void operators_group(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof grouping / sizeof *grouping; i++) {
    struct session s;
    begin(&s);
    char text[256];
    snprintf(text, sizeof text, "fn f() { return %s }", grouping[i].text);
    struct ast_file *file = parse_ok(&s, text);
    char *printed;
    size_t length;
    FILE *out = open_memstream(&printed, &length);
    ast_print_file(file, out, &(struct ast_print_options){true});
    fclose(out);
    char expected[256];
    snprintf(expected, sizeof expected, "fn f() {\n  return %s\n}\n", grouping[i].grouped);
    assert_string_equal(printed, expected);
    free(printed);
    end(&s);
  }
}

// ---- Where statements end -----------------------------------------------------------------------------------

// Each body and how many statements it has, its value included.
static const struct {
  const char *body;
  size_t statements;
} bodies[] = {
    {"", 0},
    {"\n\n", 0},
    {";;", 0},
    {"a", 1},
    {"a; b", 2},
    {"\n a\n\n b\n", 2},
    {"a +\n b", 1},
    {"a\n + b", 0 /* refused: a line cannot begin with a binary operator other than - */},
    {"a\n - b", 2},
    {"(a\n + b)", 1},
    {"f(a,\n b\n)", 1},
    {"[a\n, b\n]", 1},
    {"x\n .y\n .0\n .z", 1},
    {"a\n || b", 1},
    {"if a { b }\n else { c }", 1},
    {"if a { b } // why\n // not\n\n else { c }", 1},
    {"if a { b }\n elsewhere", 2},
    {"return\n x", 2},
    {"return x", 1},
    {"break\n continue\n", 2},
    {"f(match a { B => 1\n C => { x\n y } })\n z", 2},
    {"let x = 1 // one\n let y = 2", 2},
    {"let _ = a\r\n b\r\n", 2},
    {"x = 1\n xs[0] = 2\n xs[0][1] = 3", 3},
    {"var x: [f32[3*H]] = []\n while x { x = y }\n for (a, _) in b { }", 3},
};

static void newlines_end_statements(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    struct session s;
    begin(&s);
    char text[256];
    snprintf(text, sizeof text, "fn f() {%s}", bodies[i].body);
    struct ast_file *file = parse_text(&s, text);
    bool is_refused = strchr(bodies[i].body, '+') && bodies[i].statements == 0;
    if (!file != is_refused)
      fail_msg("%s: %s", bodies[i].body, file ? "accepted" : "refused");
    if (file) {
      const struct ast_block *body = file->decls.items[0]->fn->body;
      assert_int_equal(body->stmts.count + (body->value != NULL), bodies[i].statements);
    }
    end(&s);
  }
}

// ---- What the tree holds ------------------------------------------------------------------------------------

static void bindings_are_numbered(void **state) {
  (void)state;
  struct session s;
  begin(&s);
  struct ast_file *file = parse_ok(&s, "layer L(n: dim) {\n"
                                       "  let parts = [M(i) for i in 0..3]\n"
                                       "  fn f(a: int, b: [int]) -> int {\n"
                                       "    var x = a\n"
                                       "    for (i, _) in b { let Pair(p, 1) = i }\n"
                                       "    match x { y => [z for z in b] }\n"
                                       "  }\n"
                                       "}\n");
  const struct ast_layer *layer = file->decls.items[0]->layer;
  assert_int_equal(layer->instances.items[0]->locals.count, 1);
  assert_ptr_equal(layer->instances.items[0]->layer, layer);
  const struct ast_fn *fn = layer->fns.items[0];
  assert_ptr_equal(fn->layer, layer);
  static const struct {
    const char *name;
    enum ast_local_kind kind;
  } expected[] = {
      {"a", AST_LOCAL_PARAMETER}, {"b", AST_LOCAL_PARAMETER}, {"x", AST_LOCAL_VAR}, {"i", AST_LOCAL_FOR},
      {"p", AST_LOCAL_LET},       {"y", AST_LOCAL_MATCH},     {"z", AST_LOCAL_FOR},
  };
  assert_int_equal(fn->locals.count, sizeof expected / sizeof *expected);
  for (size_t i = 0; i < fn->locals.count; i++) {
    assert_int_equal(fn->locals.items[i]->index, i);
    assert_string_equal(fn->locals.items[i]->name.text, expected[i].name);
    assert_int_equal(fn->locals.items[i]->kind, expected[i].kind);
  }
  end(&s);
}

static void spans_cover_the_text(void **state) {
  (void)state;
  static const char text[] = "fn f() { let x = (a + b) * c[i] }";
  struct session s;
  begin(&s);
  struct ast_file *file = parse_ok(&s, text);
  const struct ast_expr *product = file->decls.items[0]->fn->body->stmts.items[0]->let.value;
  const struct ast_expr *parts[] = {product, product->binary.left, product->binary.right};
  static const char *const expected[] = {"(a + b) * c[i]", "(a + b)", "c[i]"};
  for (size_t i = 0; i < 3; i++) {
    size_t length = parts[i]->span.hi - parts[i]->span.lo;
    assert_int_equal(length, strlen(expected[i]));
    assert_memory_equal(text + parts[i]->span.lo, expected[i], length);
  }
  end(&s);
}

// ---- Printing -----------------------------------------------------------------------------------------------

static void check_fixpoint(const char *path, const struct ast_file *original) {
  struct session s;
  begin(&s);
  char *once = print(original, false);
  struct ast_file *again = parse_text(&s, once);
  if (!again) {
    diag_render_all(&s.sink, stderr, false);
    fail_msg("%s: its printed form does not parse", path);
  }
  char *twice = print(again, false);
  assert_string_equal(once, twice);
  // Equal texts could still mean something else than the original: compare how the operators group.
  char *meant = print(original, true);
  char *read = print(again, true);
  assert_string_equal(meant, read);
  free(once);
  free(twice);
  free(meant);
  free(read);
  end(&s);
}

static size_t check_fixpoint_of_all(const char *pattern, bool must_parse) {
  glob_t found;
  size_t checked = 0;
  if (glob(pattern, 0, NULL, &found) != 0)
    return 0;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    struct session s;
    begin(&s);
    const char *error;
    struct source_file *source = source_load(&s.sources, found.gl_pathv[i], FILE_REGULAR_ONLY, &error);
    assert_non_null(source);
    struct ast_file *file = parse_file(&s.arena, &s.sink, source);
    if (!file && must_parse) {
      diag_render_all(&s.sink, stderr, false);
      fail_msg("%s does not parse", found.gl_pathv[i]);
    }
    if (file) {
      check_fixpoint(found.gl_pathv[i], file);
      checked++;
    }
    end(&s);
  }
  globfree(&found);
  return checked;
}

static void printing_is_a_fixpoint(void **state) {
  (void)state;
  assert_true(check_fixpoint_of_all("tests/language/*.nn", true) > 0);
  assert_true(check_fixpoint_of_all("stdlib/*.nn", true) > 0);
  check_fixpoint_of_all("examples/*/*.nn", true);
  check_fixpoint_of_all("tests/*/*.nn", false);
  for (size_t i = 0; i < sizeof grouping / sizeof *grouping; i++) {
    struct session s;
    begin(&s);
    char text[256];
    snprintf(text, sizeof text, "fn f() { %s }", grouping[i].text);
    check_fixpoint(text, parse_ok(&s, text));
    end(&s);
  }
}

// A position is found from one asked for before; it must not depend on that one.
static void positions_in_any_order(void **state) {
  (void)state;
  struct session s;
  begin(&s);
  static const char text[] =
      "a\xc3\xbc = 1\n\n\t\xe4\xb8\xad\xe6\x96\x87 bcd efg hij\r\nlast \xf0\x9f\x98\x80 line";
  uint32_t length = sizeof text - 1;
  struct source_file *file = source_add_text(&s.sources, "test.nn", text, length);
  for (uint32_t step = 1; step < length; step++) {
    for (uint32_t k = 0, at = 0; k <= length; k++, at = (at + step) % (length + 1)) {
      uint32_t line = 1, column = 1;
      for (uint32_t i = 0; i < at; i++) {
        column += (text[i] & 0xC0) != 0x80;
        if (text[i] == '\n')
          line++, column = 1;
      }
      struct source_position found = source_position(&s.sources, file->id, at);
      assert_int_equal(found.line, line);
      assert_int_equal(found.column, column);
    }
  }
  end(&s);
}

// The fragments of the language reference that are marked as code.
static void the_reference_parses(void **state) {
  (void)state;
  struct session s;
  begin(&s);
  const char *error;
  struct source_file *reference = source_load(&s.sources, "grammar/LANGUAGE.md", FILE_REGULAR_ONLY, &error);
  assert_non_null(reference);
  size_t fragments = 0;
  const char *at = reference->text;
  while ((at = strstr(at, "\n```nn\n"))) {
    at += strlen("\n```nn\n");
    const char *fence = strstr(at, "\n```\n");
    assert_non_null(fence);
    char *fragment = arena_strndup(&s.arena, at, (size_t)(fence + 1 - at));
    check_fixpoint("grammar/LANGUAGE.md", parse_ok(&s, fragment));
    fragments++;
    at = fence;
  }
  assert_true(fragments > 0);
  end(&s);
}

// ---- Bad input ----------------------------------------------------------------------------------------------

// Prefix repeated, middle, suffix repeated: every way to nest.
static const struct {
  const char *prefix;
  const char *middle;
  const char *suffix;
} nests[] = {
    {"(", "x", ")"},
    {"[", "x", "]"},
    {"f(", "x", ")"},
    {"-", "x", ""},
    {"!", "x", ""},
    {"x * (", "x", ")"},
    {"x", "", "[0]"},
    {"x", "", ".f"},
    {"if x {", "x", "}"},
    {"if x {} else ", "if x {}", ""},
    {"match x { _ => ", "x", "}"},
    {"(", "", ""},
    {"{", "", ""},
    {"[x for x in ", "x", "]"},
    {"for x in y {", "", "}"},
    {"x[", "0", "]"},
    {"let x: ", "", ""},
    {"", "", ")"},
};

static char *repeat(const char *prefix, const char *middle, const char *suffix, size_t times) {
  size_t size = (strlen(prefix) + strlen(suffix)) * times + strlen(middle) + 64;
  char *text = malloc(size);
  char *at = text + sprintf(text, "fn f() { ");
  for (size_t i = 0; i < times; i++)
    at = stpcpy(at, prefix);
  at = stpcpy(at, middle);
  for (size_t i = 0; i < times; i++)
    at = stpcpy(at, suffix);
  stpcpy(at, " }\n");
  return text;
}

static void deep_nesting_is_an_error(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof nests / sizeof *nests; i++) {
    char *text = repeat(nests[i].prefix, nests[i].middle, nests[i].suffix, 100000);
    struct session s;
    begin(&s);
    assert_null(parse_text(&s, text));
    assert_true(diag_has_errors(&s.sink));
    end(&s);
    free(text);
  }
}

static void moderate_nesting_is_not(void **state) {
  (void)state;
  struct session s;
  begin(&s);
  char *text = repeat("(x + ", "x", ")", 200);
  check_fixpoint("nested parentheses", parse_ok(&s, text));
  free(text);
  text = repeat("x + ", "x", "", 100000);
  check_fixpoint("long sum", parse_ok(&s, text));
  free(text);
  text = repeat("x || x && x == x + x * ", "x", "", 10000);
  check_fixpoint("long chain of many operators", parse_ok(&s, text));
  free(text);
  end(&s);
}

static void bytes_that_are_no_text(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t length;
    enum diag_code code;
  } cases[] = {
      {"dim A = 1\0", 10, DIAG_NUL_BYTE},
      {"\xFF\xFE\x64\0", 4, DIAG_INVALID_UTF8},
      {"// \xC0\x80\n", 6, DIAG_INVALID_UTF8},        // overlong
      {"// \xED\xA0\x80\n", 7, DIAG_INVALID_UTF8},    // surrogate
      {"// \xF4\x90\x80\x80", 7, DIAG_INVALID_UTF8},  // beyond U+10FFFF
      {"// \xE2\x82", 5, DIAG_INVALID_UTF8},          // cut off
      {"dim \xE2\x82\xAC = 1", 11, DIAG_INVALID_CHARACTER},
      {"dim A = 1\x1B", 10, DIAG_INVALID_CHARACTER},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct session s;
    begin(&s);
    assert_null(parse_bytes(&s, cases[i].bytes, cases[i].length));
    assert_int_equal(s.sink.count, 1);
    assert_int_equal(s.sink.items[0]->code, cases[i].code);
    end(&s);
  }
  struct session s;
  begin(&s);
  parse_ok(&s, "\xEF\xBB\xBF// a byte order mark, \xE2\x82\xAC\r\ndim A = 1\r\n\r\nvocab W\r\n");
  parse_ok(&s, "");
  parse_ok(&s, "// nothing");
  end(&s);
}

// How many errors a text gives: one for each mistake in it.
static const struct {
  const char *text;
  size_t errors;
} mistakes[] = {
    {"fn f() {\n let x = \n let y = 3 3\n z\n}\nfn g() { ] }\nfn h() { a b }\n", 4},
    {"fn f(x int) {\n let y = 1\n if y { z }\n}\nfn g() { }\n", 1},
    {"fn f() {\n for x xs {\n  a\n  b\n }\n c\n}\nfn g() { 1 2 }", 2},
    {"fn f() {\n if a {\n  b\n}\n\nfn g() {\n let = 2\n}\n", 2},
    {"fn f() {\n g(a, b\n let x = 3 3\n}\nfn g() { }\n", 2},
    {"layer L() {\n fn f( {\n  a\n }\n param\n fn g() { 1 + }\n}\nenum E { A B }\n", 4},
    {"layer L() {\n fn f() {\n  a\n\n fn g() {\n  b\n }\n}\nfn h() { a b }\n", 2},
    {"match\n foo\n bar\nfn f() { }\n", 1},
    {"fn f() {\n match x {\n  A => 1 2\n  B b => c\n  C => d\n }\n}\n", 2},
    {"fn f() { a }\n}\nfn g() { b }\n", 1},
    {"fn f() { x ? y 's' }\n", 2},
    {"fn f() {\n  g(h[1, 2)\n  k(3\n}\n", 2},
    {"fn f() { a < b < c }\n", 1},
    {"fn f(", 1},
    {"layer L() {\n \"fn f() {\n  var x = 1\n  let y = 2\n }\n}\n", 3},
    {"fn f() {\n match x {\n  A 1\n  let y = 2\n  return\n }\n}\n", 3},
    {"data T = A(x: ) | B\nvocab V(\ndim D 3\nparam\nlet", 5},
};

static void one_error_for_each_mistake(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    struct session s;
    begin(&s);
    assert_null(parse_text(&s, mistakes[i].text));
    if (s.sink.error_count != mistakes[i].errors) {
      diag_render_all(&s.sink, stderr, false);
      fail_msg("%zu errors, not %zu, in:\n%s", s.sink.error_count, mistakes[i].errors, mistakes[i].text);
    }
    end(&s);
  }
}

// Every prefix and every file with one byte left out: no crash, and an error or a tree.
static void mutilated_files(void **state) {
  (void)state;
  struct session s;
  begin(&s);
  const char *error;
  struct source_file *whole = source_load(&s.sources, "tests/language/syntax.nn", FILE_REGULAR_ONLY, &error);
  assert_non_null(whole);
  char *text = malloc(whole->length);
  for (uint32_t i = 0; i < whole->length; i++) {
    struct session inner;
    begin(&inner);
    bool parsed = parse_bytes(&inner, whole->text, i) != NULL;
    assert_true(parsed != diag_has_errors(&inner.sink));
    end(&inner);
    begin(&inner);
    memcpy(text, whole->text, i);
    memcpy(text + i, whole->text + i + 1, whole->length - i - 1);
    parsed = parse_bytes(&inner, text, whole->length - 1) != NULL;
    assert_true(parsed != diag_has_errors(&inner.sink));
    end(&inner);
  }
  free(text);
  end(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(operators_group),
      cmocka_unit_test(newlines_end_statements),
      cmocka_unit_test(bindings_are_numbered),
      cmocka_unit_test(spans_cover_the_text),
      cmocka_unit_test(positions_in_any_order),
      cmocka_unit_test(printing_is_a_fixpoint),
      cmocka_unit_test(the_reference_parses),
      cmocka_unit_test(deep_nesting_is_an_error),
      cmocka_unit_test(moderate_nesting_is_not),
      cmocka_unit_test(bytes_that_are_no_text),
      cmocka_unit_test(one_error_for_each_mistake),
      cmocka_unit_test(mutilated_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

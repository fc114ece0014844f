// `nnc fmt`: layout as it should be, golden (`test_format --update` accepts what it is now); and for every .nn file of the
// project and random programs, that it stays the same program with the same comments, that formatting again changes
// nothing, and that blanks and empty lines of the author's make no difference.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/nnc.h"
#include "compiler/syntax/ast_print.h"
#include "compiler/syntax/parse.h"
#include "tests/fuzz/programs/program.h"

#define CASES "tests/language/format/*.nn"

// Files that are there because they do not parse, or for their layout.
static const char *const other_folders[] = {"tests/errors/", "tests/language/format/"};

// The formatted text, malloc'd; NULL: it has errors, or, with a message, was refused.
static char *format(const char *path, const char *text, bool must_parse) {
  struct nnc_options options = {.path = path, .text = text, .text_length = text ? strlen(text) : 0};
  struct nnc_result result;
  const char *formatted;
  size_t length;
  char *copy = NULL;
  if (nnc_format(&options, &result, &formatted, &length))
    copy = strndup(formatted, length);
  if (result.failure || (must_parse && !copy)) {
    nnc_render(&result, stderr, false);
    fail_msg("%s is not formatted:\n%s", path, text ? text : "");
  }
  nnc_result_free(&result);
  return copy;
}

// The tree as text, malloc'd. Imports are not followed.
static char *tree_of(const char *path, const char *text) {
  struct arena arena;
  struct source_set sources;
  struct diag_sink sink;
  arena_init(&arena);
  source_set_init(&sources, &arena);
  diag_sink_init(&sink, &arena, &sources);
  const struct ast_file *file = parse_file(&arena, &sink,
                                           source_add_text(&sources, path, text, strlen(text)));
  if (!file)
    fail_msg("%s has syntax errors when formatted:\n%s", path, text);
  char *tree;
  size_t length;
  FILE *out = open_memstream(&tree, &length);
  ast_print_file(file, out, &(struct ast_print_options){true});
  fclose(out);
  arena_free(&arena);
  return tree;
}

static char *read_file(const char *path) {
  FILE *in = fopen(path, "rb");
  if (!in)
    return NULL;
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  for (int c; (c = fgetc(in)) != EOF;)
    fputc(c, out);
  fclose(in);
  fclose(out);
  return text;
}

// ---- Golden cases -------------------------------------------------------------------------------------------

static bool updates;

static void cases_are_laid_out(void **state) {
  (void)state;
  glob_t files;
  assert_int_equal(glob(CASES, 0, NULL, &files), 0);
  for (size_t i = 0; i < files.gl_pathc; i++) {
    const char *path = files.gl_pathv[i];
    char expected_path[256];
    snprintf(expected_path, sizeof expected_path, "%.*s.expected", (int)strlen(path) - 3, path);
    char *text = read_file(path), *got = format(path, text, true);
    if (updates) {
      FILE *out = fopen(expected_path, "wb");
      assert_non_null(out);
      fputs(got, out);
      fclose(out);
    }
    char *expected = read_file(expected_path);
    if (!expected || strcmp(got, expected) != 0)
      fail_msg("%s is laid out so:\n%s", path, got);
    free(expected);
    free(got);
    free(text);
  }
  globfree(&files);
}

static const struct {
  const char *text, *formatted;
} lines[] = {
    {"", ""},
    {"\n\n", ""},
    {"// only a comment", "// only a comment\n"},
    {"\xEF\xBB\xBF"
     "dim D=1\r\n\r\n\r\n// two  \r\ndim E=2",
     "dim D = 1\n\n// two\ndim E = 2\n"},
    {"dim D = 1;", "dim D = 1\n"},
    {";;dim D = 1;;dim E = 2;;", "dim D = 1; dim E = 2\n"},
    {"fn f() { 1.. 2; (1) .x; t .0 .. 1; 2. ..3; (1 .. 2) }",
     "fn f() { 1..2; (1).x; t.0..1; 2. ..3; (1..2) }\n"},
    {"fn f() { 0..n-1; 0..n- -1; a*b..c@d-e(f-g) ; a<b..c - 1; [1 - 2..3]+x }",
     "fn f() { 0..n-1; 0..n - -1; a*b..c@d-e(f - g); a < b..c-1; [1-2..3] + x }\n"},
    {"fn f() { a[2 * i]; a[g(2*i)]; a[(2 * i)]; (2*i); g(2*i) }",
     "fn f() { a[2*i]; a[g(2 * i)]; a[(2*i)]; (2 * i); g(2 * i) }\n"},
    {"fn f() { (if a{b}else{c})(d); if a{b}else{c}- 1;- 1 }",
     "fn f() { (if a { b } else { c })(d); if a { b } else { c } - 1; -1 }\n"},
    {"fn f() {\n1// close\n23    // far\n}\n", "fn f() {\n  1 // close\n  23    // far\n}\n"},
    {"fn f() {\n\"\xc3\xa4\xc3\xb6\"  // a\n\"ab\"  // b\n\"\xc3\xa4\"// c\n}\n",
     "fn f() {\n  \"\xc3\xa4\xc3\xb6\"  // a\n  \"ab\"  // b\n  \"\xc3\xa4\" // c\n}\n"},
};

static void lines_are_laid_out(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    char *got = format("test.nn", lines[i].text, true);
    assert_string_equal(got, lines[i].formatted);
    free(got);
  }
}

static void errors_change_nothing(void **state) {
  (void)state;
  static const char *const wrong[] = {"fn f( {", "dim D = 1 2", "fn f() { x + }", "dim D = \"1\"",
                                      "dim \xFF = 1"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct nnc_options options = {.path = "test.nn", .text = wrong[i], .text_length = strlen(wrong[i])};
    struct nnc_result result;
    const char *formatted;
    size_t length;
    assert_false(nnc_format(&options, &result, &formatted, &length));
    assert_null(formatted);
    assert_null(result.failure);
    assert_true(result.sink.error_count > 0);
    nnc_result_free(&result);
  }
}

// ---- Every file ---------------------------------------------------------------------------------------------

static uint32_t random_state;

static uint32_t pick(uint32_t n) {
  random_state = random_state * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)random_state * n >> 32);
}

static bool is_loose(char c) { return c && strchr("()[]{},:+*/@%<>=|-", c); }
static bool is_bracket(char c) { return c && strchr("()[]{},", c); }

static void put_blanks(FILE *out, uint32_t count) {
  while (count-- > 0)
    fputc(pick(5) ? ' ' : '\t', out);
}

// A text in quotation marks, as it is; gives what follows it.
static const char *copy_quoted(const char *at, FILE *out) {
  const char *end = at + 1;
  while (*end && *end != '"' && *end != '\n')
    end += *end == '\\' && end[1] ? 2 : 1;
  end += *end == '"';
  fwrite(at, 1, (size_t)(end - at), out);
  return end;
}

// The text with other blanks: of each run another number, none where the tokens stay apart without, some beside
// brackets and commas, more empty lines where there are some, other line ends. Line breaks and comments stay.
static char *scramble(const char *text) {
  char *scrambled;
  size_t size;
  FILE *out = open_memstream(&scrambled, &size);
  bool crlf = pick(4) == 0;
  char before = '\n';
  for (const char *at = text; *at;) {
    if (*at == ' ' || before == '\n') {
      at += strspn(at, " ");
      bool may_vanish = before == '\n' || is_loose(before) || is_loose(*at);
      put_blanks(out, (may_vanish ? 0 : 1) + pick(4));
      before = ' ';
      if (*at == '\0')
        break;
    }
    if (strncmp(at, "//", 2) == 0) {
      size_t length = strcspn(at, "\n");
      fwrite(at, 1, length, out);
      at += length;
      continue;
    }
    if (*at == '"') {
      at = copy_quoted(at, out);
      before = '"';
      continue;
    }
    if (is_bracket(*at))
      put_blanks(out, pick(2));
    if (*at == '\n') {
      put_blanks(out, pick(2));
      fputs(crlf ? "\r\n" : "\n", out);
      for (uint32_t i = at[1] == '\n' ? pick(3) : 0; i > 0; i--)
        fputs(crlf ? " \r\n" : "\n", out);
    } else {
      fputc(*at, out);
    }
    if (is_bracket(*at))
      put_blanks(out, pick(2));
    before = *at++;
  }
  fclose(out);
  return scrambled;
}

// Without the blanks before comments behind code, whose column is the author's.
static char *without_columns(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++) {
    if (from[0] == '/' && from[1] == '/') {
      while (to > text && to[-1] == ' ')
        to--;
      while (*from && *from != '\n')
        *to++ = *from++;
    }
    *to++ = *from;
  }
  *to = '\0';
  return text;
}

// The text with line breaks and comments put behind commas and opening brackets inside brackets.
static char *break_lines(const char *text) {
  char *broken;
  size_t size, depth = 0;
  char open[512] = {'{'};
  int number = 0;
  FILE *out = open_memstream(&broken, &size);
  for (const char *at = text; *at; at++) {
    if (strncmp(at, "//", 2) == 0) {
      size_t length = strcspn(at, "\n");
      fwrite(at, 1, length, out);
      at += length - 1;
      continue;
    }
    if (*at == '"') {
      at = copy_quoted(at, out) - 1;
      continue;
    }
    fputc(*at, out);
    if (strchr("([{", *at))
      open[++depth] = *at;
    else if (strchr(")]}", *at) && depth > 0)
      depth--;
    if (open[depth] != '{' && strchr("([,", *at) && pick(4) == 0) {
      if (pick(3) == 0)
        fprintf(out, "// %d", number++);
      fputs(pick(4) ? "\n" : "\n\n\n // in between\n", out);
    }
  }
  fclose(out);
  return broken;
}

static size_t count_of(const char *text, const char *what) {
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, what)); at++)
    count++;
  return count;
}

static void check_text(const char *path, const char *text, bool is_formatted) {
  char *once = format(path, text, false);
  if (!once)
    return;
  if (is_formatted && strcmp(text, once) != 0)
    fail_msg("%s would be formatted to:\n%s", path, once);
  char *twice = format(path, once, true);
  assert_string_equal(once, twice);
  char *tree = tree_of(path, text), *tree_once = tree_of(path, once);
  assert_string_equal(tree, tree_once);
  without_columns(twice);
  for (int i = 0; i < 3; i++) {
    char *scrambled = scramble(text), *got = without_columns(format(path, scrambled, true));
    if (strcmp(got, twice) != 0)
      fail_msg("%s is formatted otherwise when it has these blanks:\n%s", path, scrambled);
    char *broken = break_lines(scrambled), *laid_out = format(path, broken, true);
    char *tree_broken = tree_of(path, laid_out);
    assert_string_equal(tree, tree_broken);
    assert_int_equal(count_of(broken, "//"), count_of(laid_out, "//"));
    free(tree_broken);
    free(laid_out);
    free(broken);
    free(got);
    free(scrambled);
  }
  free(tree_once);
  free(tree);
  free(twice);
  free(once);
}

static size_t n_files, n_formatted;

static int check_file(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)walk;
  size_t length = strlen(path);
  if (type != FTW_F || length < 3 || strcmp(path + length - 3, ".nn") != 0)
    return 0;
  bool is_formatted = true;
  for (size_t i = 0; i < sizeof other_folders / sizeof *other_folders; i++)
    is_formatted &= strncmp(path, other_folders[i], strlen(other_folders[i])) != 0;
  char *text = read_file(path);
  assert_non_null(text);
  random_state = (uint32_t)length;
  check_text(path, text, is_formatted);
  free(text);
  n_files++;
  n_formatted += is_formatted;
  return 0;
}

static void every_file(void **state) {
  (void)state;
  static const char *const folders[] = {"stdlib", "examples", "tests"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    assert_int_equal(nftw(folders[i], check_file, 8, FTW_PHYS), 0);
  assert_true(n_files > 100 && n_formatted > 40);
}

// The fragments of the documents that are marked as code.
static void documents(void **state) {
  (void)state;
  static const char *const paths[] = {"README.md", "grammar/LANGUAGE.md", "grammar/TUTORIAL.md",
                                      "grammar/COST.md"};
  size_t fragments = 0;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    char *text = read_file(paths[i]);
    for (char *at = text; (at = strstr(at, "\n```nn")); fragments++) {
      char *begin = strchr(at + 1, '\n') + 1, *end = strstr(begin - 1, "\n```\n");
      assert_non_null(end);
      char *fragment = strndup(begin, (size_t)(end + 1 - begin));
      check_text(paths[i], fragment, true);
      free(fragment);
      at = end + 1;
    }
    free(text);
  }
  assert_true(fragments > 5);
}

static void random_programs(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    program_print(out, program_make(seed));
    fclose(out);
    program_free_all();
    random_state = (uint32_t)seed;
    check_text("random.nn", text, false);
    free(text);
  }
}

// A long file takes time in proportion: this would not end otherwise.
static void long_files(void **state) {
  (void)state;
  char *text;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  fputs("fn f() -> int {\n", out);
  for (int i = 0; i < 20000; i++)
    fputs("let x=[ 0..n-1 , (2 * k) ]// a comment\n", out);
  fputs("}\nfn g() { [", out);
  for (int i = 0; i < 20000; i++)
    fputs("0..n-1,", out);
  fputs("0] }\n", out);
  fclose(out);
  free(format("long.nn", text, true));
  free(text);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cases_are_laid_out),
      cmocka_unit_test(lines_are_laid_out),
      cmocka_unit_test(errors_change_nothing),
      cmocka_unit_test(every_file),
      cmocka_unit_test(documents),
      cmocka_unit_test(random_programs),
      cmocka_unit_test(long_files),
  };
  updates = argc > 1 && strcmp(argv[1], "--update") == 0;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

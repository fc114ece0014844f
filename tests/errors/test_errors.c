// Golden tests of what the compiler tells its user: NAME.nn is compiled and what it prints is compared, to the byte,
// with NAME.expected. A new case is a new .nn file; `test_errors --update` writes the .expected files, whose
// changes are then read in the diff. A first line `// options: -D H=0` gives definitions. Files that cases import lie
// in folders below and are no cases of their own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/nnc.h"

#define CASES "tests/errors/*.nn"
#define MAX_DEFINITIONS 8

// Codes without a case: what causes them cannot lie in a repository.
static const enum diag_code untestable[] = {DIAG_FILE_UNREADABLE};

// NULL when it cannot be read.
static char *read_file(const char *path, size_t *length) {
  FILE *in = fopen(path, "rb");
  if (!in)
    return NULL;
  char *text;
  FILE *out = open_memstream(&text, length);
  int c;
  while ((c = fgetc(in)) != EOF)
    fputc(c, out);
  fclose(in);
  fclose(out);
  return text;
}

static char *expected_path(const char *path) {
  char *expected;
  if (asprintf(&expected, "%.*s.expected", (int)(strlen(path) - strlen(".nn")), path) < 0)
    abort();
  return expected;
}

// The definitions on an options line; names point into `line`, which is changed.
static size_t parse_options_line(char *line, struct nnc_definition *definitions) {
  static const char mark[] = "// options:";
  size_t count = 0;
  if (strncmp(line, mark, sizeof mark - 1) != 0)
    return 0;
  line[strcspn(line, "\n")] = '\0';
  for (char *word = strtok(line + sizeof mark - 1, " "); word; word = strtok(NULL, " ")) {
    char *equals = strchr(word, '=');
    // the `-D` itself
    if (!equals)
      continue;
    assert_true(count < MAX_DEFINITIONS);
    *equals = '\0';
    definitions[count++] = (struct nnc_definition){word, strtoll(equals + 1, NULL, 10)};
  }
  return count;
}

// What compiling the file prints.
static char *compile(const char *path, size_t *length) {
  struct nnc_definition definitions[MAX_DEFINITIONS];
  char *source = read_file(path, length);
  static const char *const stdlib[] = {"stdlib"};
  struct nnc_options options = {
      .path = path,
      .stop_after = NNC_STAGE_LOWERED,
      .definitions = definitions,
      .definition_count = parse_options_line(source, definitions),
      .stdlib_dirs = stdlib,
      .stdlib_dir_count = 1,
      .only_these_stdlibs = true,
  };
  struct nnc_result result;
  nnc_compile(&options, &result);
  char *text;
  FILE *out = open_memstream(&text, length);
  nnc_render(&result, out, false);
  fclose(out);
  nnc_result_free(&result);
  free(source);
  return text;
}

static void update(const char *path) {
  char *expected = expected_path(path);
  size_t length;
  char *text = compile(path, &length);
  FILE *out = fopen(expected, "wb");
  if (!out || fwrite(text, 1, length, out) != length || fclose(out) != 0) {
    perror(expected);
    exit(1);
  }
  free(text);
  free(expected);
}

static void messages_are_as_expected(void **state) {
  (void)state;
  glob_t cases;
  assert_int_equal(glob(CASES, 0, NULL, &cases), 0);
  size_t failures = 0;
  for (size_t i = 0; i < cases.gl_pathc; i++) {
    char *path = expected_path(cases.gl_pathv[i]);
    size_t length;
    size_t expected_length = 0;
    char *text = compile(cases.gl_pathv[i], &length);
    char *expected = read_file(path, &expected_length);
    if (!expected || length != expected_length || memcmp(text, expected, length) != 0) {
      fprintf(stderr, "---- %s should print\n%s---- but prints\n%s", cases.gl_pathv[i],
              expected ? expected : "(there is no .expected file)\n", text);
      failures++;
    }
    free(text);
    free(expected);
    free(path);
  }
  globfree(&cases);
  if (failures)
    fail_msg("%zu cases differ; `test_errors --update` accepts what they print", failures);
}

// A case that prints nothing guards nothing.
static void every_code_has_a_case(void **state) {
  (void)state;
  bool seen[DIAG_CODE_COUNT] = {false};
  glob_t cases;
  assert_int_equal(glob("tests/errors/*.expected", 0, NULL, &cases), 0);
  for (size_t i = 0; i < cases.gl_pathc; i++) {
    size_t length;
    char *text = read_file(cases.gl_pathv[i], &length);
    if (length == 0)
      fail_msg("%s is empty", cases.gl_pathv[i]);
    for (const char *at = text; (at = strstr(at, "[NN")); at++) {
      enum diag_code code;
      if (diag_code_from_number(atoi(at + 3), &code))
        seen[code] = true;
    }
    free(text);
  }
  globfree(&cases);
  for (size_t i = 0; i < sizeof untestable / sizeof *untestable; i++)
    seen[untestable[i]] = true;
  size_t missing = 0;
  for (int code = 0; code < DIAG_CODE_COUNT; code++) {
    if (!seen[code]) {
      const struct diag_code_info *info = diag_code_info((enum diag_code)code);
      fprintf(stderr, "no case for NN%04d: %s\n", info->number, info->title);
      missing++;
    }
  }
  if (missing)
    fail_msg("%zu error codes without a case in tests/errors", missing);
}

static void codes_are_well_formed(void **state) {
  (void)state;
  for (int code = 0; code < DIAG_CODE_COUNT; code++) {
    const struct diag_code_info *info = diag_code_info((enum diag_code)code);
    enum diag_code found;
    assert_true(diag_code_from_number(info->number, &found));
    assert_int_equal(found, code);  // fails where a number is used twice
    assert_true(*info->title && info->title[strlen(info->title) - 1] != '.');
    assert_true(*info->explanation && info->explanation[strlen(info->explanation) - 1] == '\n');
    for (const char *line = info->explanation; *line; line += strcspn(line, "\n") + 1) {
      if (strcspn(line, "\n") > 100)
        fail_msg("NN%04d: a line of the explanation is too long", info->number);
    }
  }
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--update") == 0) {
    glob_t cases;
    if (glob(CASES, 0, NULL, &cases) != 0)
      return 1;
    for (size_t i = 0; i < cases.gl_pathc; i++)
      update(cases.gl_pathv[i]);
    globfree(&cases);
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_are_as_expected),
      cmocka_unit_test(every_code_has_a_case),
      cmocka_unit_test(codes_are_well_formed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

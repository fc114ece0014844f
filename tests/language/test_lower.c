// Lowering: every example and the standard library give IR that verifies and survives printing and parsing;
// the IR of the small programs in lowering/ is compared with FILE.ir (NN_UPDATE=1 writes those anew: read the
// difference); limits end with a diagnostic.
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler/nnc.h"

static struct ir_module *lower(struct nnc_result *result, const char *path, const char *text) {
  const char *stdlib[] = {"stdlib"};
  struct nnc_options options = {.path = path,
                                .text = text,
                                .text_length = text ? strlen(text) : 0,
                                .stop_after = NNC_STAGE_LOWERED,
                                .stdlib_dirs = stdlib,
                                .stdlib_dir_count = 1};
  nnc_compile(&options, result);
  return result->module;
}

static void assert_verifies(const struct ir_module *module, const char *path) {
  char *error = NULL;
  if (!ir_verify(module, &error))
    fail_msg("%s: %s", path, error);
}

// The text of a module that also survives being parsed and printed again.
static char *checked_text(const struct ir_module *module, const char *path) {
  assert_verifies(module, path);
  char *text = ir_print(module), *error = NULL;
  struct ir_module *parsed = ir_parse(text, strlen(text), &error);
  if (!parsed)
    fail_msg("%s: its IR does not parse: %s", path, error);
  assert_verifies(parsed, path);
  char *again = ir_print(parsed);
  assert_string_equal(text, again);
  free(again);
  ir_module_free(parsed);
  return text;
}

static char *lowered_text(const char *path) {
  struct nnc_result result;
  if (!lower(&result, path, NULL)) {
    nnc_render(&result, stderr, false);
    fail_msg("%s is not lowered", path);
  }
  char *text = checked_text(result.module, path);
  nnc_result_free(&result);
  return text;
}

static void each_file(const char *pattern, void visit(const char *path, const char *text)) {
  glob_t found;
  assert_int_equal(glob(pattern, 0, NULL, &found), 0);
  for (size_t i = 0; i < found.gl_pathc; i++) {
    char *text = lowered_text(found.gl_pathv[i]);
    visit(found.gl_pathv[i], text);
    free(text);
  }
  globfree(&found);
}

static void expect_entries(const char *path, const char *text) {
  if (!strstr(text, "\nentry loss(") || !strstr(text, "\nentry predict(") || !strstr(text, "\nmetric "))
    fail_msg("%s lacks loss, predict or a metric", path);
}

static void test_examples(void **state) {
  (void)state;
  each_file("examples/*/*.nn", expect_entries);
}

// By themselves, files of the library have nothing to train or to predict.
static void expect_no_entries(const char *path, const char *text) {
  if (strstr(text, "\nentry loss(") || strstr(text, "\nentry predict(") || strstr(text, "\nmetric "))
    fail_msg("%s is a model", path);
}

static void test_stdlib_alone(void **state) {
  (void)state;
  each_file("stdlib/*.nn", expect_no_entries);
}

static char *read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return NULL;
  char *text = NULL;
  size_t length = 0;
  FILE *copy = open_memstream(&text, &length);
  for (int c; (c = getc(file)) != EOF;)
    putc(c, copy);
  fclose(file);
  fclose(copy);
  return text;
}

static void compare_with_golden(const char *path, const char *text) {
  char golden[256];
  snprintf(golden, sizeof golden, "%.*s.ir", (int)(strlen(path) - strlen(".nn")), path);
  if (getenv("NN_UPDATE")) {
    FILE *file = fopen(golden, "wb");
    fputs(text, file);
    fclose(file);
  }
  char *expected = read_file(golden);
  if (!expected)
    fail_msg("%s is missing", golden);
  assert_string_equal(text, expected);
  free(expected);
}

static void test_golden(void **state) {
  (void)state;
  each_file("tests/language/lowering/*.nn", compare_with_golden);
}

// ---- Limits -------------------------------------------------------------------------------------------

static void expect_error(const char *text, enum diag_code code) {
  struct nnc_result result;
  assert_null(lower(&result, "test.nn", text));
  if (result.sink.count != 1 || result.sink.items[0]->code != code) {
    nnc_render(&result, stderr, false);
    fail_msg("expected exactly the error NN%04d", diag_code_info(code)->number);
  }
  nnc_result_free(&result);
}

// L0 has two parameters, each further layer two of the one before: 2^20 instances.
static void test_too_many_layers(void **state) {
  (void)state;
  char text[4096] = "layer L0(N: dim) { param W: f32[N] }\n";
  for (int i = 1; i <= 20; i++) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "layer L%d(N: dim) { let a = L%d(N); let b = L%d(N) }\n", i,
             i - 1, i - 1);
  }
  strcat(text, "let top = L20(3)\n");
  expect_error(text, DIAG_TOO_MANY_INSTANCES);
}

// f0 of every size from 1 to 2^20: each function calls the next with its size and with that and a power of
// two more.
static void test_too_many_functions(void **state) {
  (void)state;
  char text[8192] = "param start: f32[1]\nfn f0[n](x: f32[n]) -> f32 { sum(x) }\n";
  for (int i = 1; i <= 20; i++) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used,
             "fn f%d[n](x: f32[n]) -> f32 { f%d(x) + f%d(concat(x, zeros[%d])) }\n", i, i - 1, i - 1,
             1 << (i - 1));
  }
  strcat(text, "fn loss() -> f32 { f20(start) }\n");
  expect_error(text, DIAG_TOO_MANY_INSTANCES);
}

static void test_constants(void **state) {
  (void)state;
  expect_error("layer A(n: int) { param W: f32[3] }\nlet a = A(1 / 0)\n", DIAG_CONSTANT_VALUE);
  expect_error("layer A(p: float) {\n  param U: f32[3]\n  fn f(x: f32[3]) -> f32[3] { dropout(x, p) + U "
               "}\n}\nlet a = A(1.5)\n"
               "fn loss() -> f32 { sum(a.f(zeros[3])) }\n",
               DIAG_CONSTANT_VALUE);
}

static void test_lists_of_layers(void **state) {
  (void)state;
  expect_error("layer A(p: float) { param W: f32[3] }\nlet a = [A(0.1), A(0.2)]\n", DIAG_LIST_OF_LAYERS);
  expect_error("layer A(N: dim) { param W: f32[N] }\n"
               "layer B(N: dim) { let a = [[[A(N) for _ in 0..2] for _ in 0..2] for _ in 0..2] }\n"
               "let b = [[B(3) for _ in 0..2] for _ in 0..2]\n",
               DIAG_LIST_OF_LAYERS);
}

static void test_size_overflow(void **state) {
  (void)state;
  char text[4096] = "fn f0[n](x: f32[n]) -> int { n }\n";
  for (int i = 1; i <= 5; i++) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "fn f%d[n](x: f32[n]) -> int { f%d(zeros[1000000*n*n]) }\n", i,
             i - 1);
  }
  strcat(text, "fn run() -> int { f5(zeros[10]) }\n");
  expect_error(text, DIAG_SIZE_TOO_LARGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_examples),
      cmocka_unit_test(test_stdlib_alone),
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_too_many_layers),
      cmocka_unit_test(test_too_many_functions),
      cmocka_unit_test(test_constants),
      cmocka_unit_test(test_lists_of_layers),
      cmocka_unit_test(test_size_overflow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Memory runs out in the front end: for every N the Nth allocation fails, and nothing leaks (under AddressSanitizer),
 * crashes, or is passed off as a mistake of the user's.
 *
 * Linked with --wrap, so that the front end's allocations come here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "compiler/nnc.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* Allocations until one fails; negative: none does. */
static long countdown = -1;

static bool fails_now(void) {
  return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t size) {
  return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
  return fails_now() ? NULL : __real_realloc(old, size);
}

/* True when no allocation failed any more. */
static bool compile_with_fault(const char *text, long at, bool has_errors) {
  static const char *const stdlib[] = {"stdlib"};
  struct nnc_options options = {
      .path = "test.nn",
      .text = text,
      .text_length = strlen(text),
      .stop_after = NNC_STAGE_CHECKED,
      .stdlib_dirs = stdlib,
      .stdlib_dir_count = 1,
      .only_these_stdlibs = true,
  };
  struct nnc_result result;
  countdown = at;
  bool ok = nnc_compile(&options, &result);
  bool was_reached = countdown == 0;
  countdown = -1;
  if (was_reached) {
    assert_false(ok);
    assert_non_null(result.failure);
  } else {
    assert_null(result.failure);
    assert_true(ok != has_errors);
  }
  nnc_result_free(&result);
  return !was_reached;
}

/* A program that needs many chunks of the arena. */
static char *long_program(const char *statement) {
  static const char head[] = "import std.lstm\nfn f(a: int) -> int {\n";
  size_t repeat = 2000;
  char *text = malloc(sizeof head + repeat * strlen(statement) + 8);
  char *end = stpcpy(text, head);
  for (size_t i = 0; i < repeat; i++)
    end = stpcpy(end, statement);
  stpcpy(end, "  a\n}\n");
  return text;
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  static const struct {
    const char *statement;
    bool has_errors;
  } programs[] = {
      {"  let _ = [a + 1, a * (2 - a)]\n", false},
      {"  let = 3\n", true},
      {"  let _ = unknown\n", true},
  };
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    char *text = long_program(programs[i].statement);
    long at = 1;
    while (!compile_with_fault(text, at, programs[i].has_errors))
      at++;
    assert_true(at > 2); /* otherwise this tests little */
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

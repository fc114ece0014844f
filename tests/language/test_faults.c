// Memory runs out in the compiler: for every N the Nth allocation fails, and nothing leaks (under
// AddressSanitizer), crashes, or is passed off as a mistake of the user's. The same for reading a module back.
//
// Linked with --wrap, so that the compiler's allocations come here.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "compiler/ir/ir.h"
#include "compiler/nnc.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

// Allocations until one fails; negative: none does.
static long countdown = -1;

static bool fails_now(void) { return countdown > 0 && --countdown == 0; }

void *__wrap_malloc(size_t size) { return fails_now() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t count, size_t size) { return fails_now() ? NULL : __real_calloc(count, size); }

void *__wrap_realloc(void *old, size_t size) { return fails_now() ? NULL : __real_realloc(old, size); }

struct program {
  const char *head, *statement, *tail;
  size_t repeat;  // of the statement
  enum nnc_stage until;
  bool has_errors;
};

// True when no allocation failed any more.
static bool compile_with_fault(const struct program *program, const char *text, long at) {
  static const char *const stdlib[] = {"stdlib"};
  struct nnc_options options = {
      .path = "test.nn",
      .text = text,
      .text_length = strlen(text),
      .stop_after = program->until,
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
    assert_true(ok != program->has_errors);
  }
  nnc_result_free(&result);
  return !was_reached;
}

static char *text_of(const struct program *program) {
  size_t bytes = strlen(program->head) + program->repeat * strlen(program->statement) +
                 strlen(program->tail) + 1;
  char *text = malloc(bytes);
  char *end = stpcpy(text, program->head);
  for (size_t i = 0; i < program->repeat; i++)
    end = stpcpy(end, program->statement);
  stpcpy(end, program->tail);
  return text;
}

static const struct program model = {"import std.lstm\n"
                                     "dim H = 8\n"
                                     "vocab Word\n"
                                     "param E: f32[Word, H]\n"
                                     "let cell = LSTM(H, H)\n"
                                     "fn loss(words: [Word]) -> f32 {\n"
                                     "  var s = cell.start()\n"
                                     "  var total: f32 = 0\n"
                                     "  for word in words {\n"
                                     "    s = cell.step(s, E[word])\n",
                                     "    total = total + nll(E @ tanh(s.h * E[word]), word)\n",
                                     "  }\n"
                                     "  total\n"
                                     "}\n",
                                     20,
                                     NNC_STAGE_ALL,
                                     false};

// Each needs many chunks of the arena.
static void every_allocation_fails_once(void **state) {
  (void)state;
  static const char head[] = "import std.lstm\nfn f(a: int) -> int {\n", tail[] = "  a\n}\n";
  const struct program programs[] = {
      {head, "  let _ = [a + 1, a * (2 - a)]\n", tail, 2000, NNC_STAGE_CHECKED, false},
      {head, "  let = 3\n", tail, 2000, NNC_STAGE_CHECKED, true},
      {head, "  let _ = unknown\n", tail, 2000, NNC_STAGE_CHECKED, true},
      model,
  };
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    char *text = text_of(&programs[i]);
    long at = 1;
    while (!compile_with_fault(&programs[i], text, at))
      at++;
    assert_true(at > 2);  // otherwise this tests little
    free(text);
  }
}

// True when no allocation failed any more.
static bool format_with_fault(const char *text, long at) {
  struct nnc_options options = {.path = "test.nn", .text = text, .text_length = strlen(text)};
  struct nnc_result result;
  const char *formatted;
  size_t length;
  countdown = at;
  bool ok = nnc_format(&options, &result, &formatted, &length);
  bool was_reached = countdown == 0;
  countdown = -1;
  assert_true(ok != was_reached);
  assert_true(ok == !result.failure);
  if (was_reached)
    assert_string_equal(result.failure, "out of memory");
  nnc_result_free(&result);
  return !was_reached;
}

static void files_are_formatted_with_faults(void **state) {
  (void)state;
  struct program longer = model;
  longer.repeat = 1000;
  char *text = text_of(&longer);
  long at = 1;
  while (!format_with_fault(text, at))
    at++;
  assert_true(at > 5);
  free(text);
}

// True when no allocation failed any more.
static bool read_with_fault(const char *text, long at) {
  char *error = NULL;
  countdown = at;
  struct ir_module *module = ir_parse(text, strlen(text), &error);
  bool valid = module && ir_verify(module, &error);
  bool was_reached = countdown == 0;
  countdown = -1;
  assert_true(valid != was_reached);
  if (was_reached)
    assert_string_equal(error, "out of memory");
  free(error);
  ir_module_free(module);
  return !was_reached;
}

static void modules_are_read_with_faults(void **state) {
  (void)state;
  char *text = text_of(&model);
  struct nnc_options options = {.path = "test.nn", .text = text, .text_length = strlen(text)};
  struct nnc_result result;
  assert_true(nnc_compile(&options, &result));
  char *module = ir_print(result.module);
  nnc_result_free(&result);
  long at = 1;
  while (!read_with_fault(module, at))
    at++;
  assert_true(at > 8);
  free(module);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_allocation_fails_once),
      cmocka_unit_test(files_are_formatted_with_faults),
      cmocka_unit_test(modules_are_read_with_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// Every row of habits.def is met where it says: a program that has the word there gets the advice, as the help of an
// error. A new row needs no test of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/check/builtins.h"
#include "compiler/diag/habits.h"
#include "compiler/nnc.h"

static const struct row {
  enum habit_place place;
  const char *word, *advice;
} rows[] = {
#define HABIT(place, word, advice) {HABIT_##place, word, advice},
#include "compiler/diag/habits.def"
#undef HABIT
};

#define IN_BODY "fn f(n: int, b: bool, x: f32[3], xs: [int]) -> int {\n  %s\n  n\n}\n"

// A program with the word (`%1$s`) where the place is.
static const char *const programs[] = {
    [HABIT_VALUES] = "let _ = %1$s",
    [HABIT_TYPES] = "let y: %1$s = n",
    [HABIT_LIBRARIES] = "let _ = %1$s.unheard_of(x)",
    [HABIT_LISTS] = "let _ = xs.%1$s",
    [HABIT_TENSORS] = "let _ = x.%1$s",
    [HABIT_OTHERS] = "let _ = n.%1$s",
    [HABIT_DECLARATIONS] = "%1$s",
    [HABIT_STATEMENTS] = "%1$s n",
    [HABIT_TYPED] = "%1$s n = 1",
    [HABIT_BINDINGS] = "let %1$s y = 1",
};

// The same called, where that is another path.
static const char *const calls[] = {
    [HABIT_VALUES] = "let _ = %1$s(n)",   [HABIT_LIBRARIES] = "let _ = %1$s.part.Unheard(x, n)",
    [HABIT_LISTS] = "let _ = xs.%1$s(n)", [HABIT_TENSORS] = "let _ = x.%1$s(n)",
    [HABIT_OTHERS] = "let _ = b.%1$s()",  [HABIT_STATEMENTS] = "let _ = b %1$s b",
    [HABIT_BINDINGS] = "var %1$s y = 1",
};

static bool gives(const char *text, const char *advice) {
  struct nnc_options options = {.path = "habit.nn",
                                .text = text,
                                .text_length = strlen(text),
                                .stop_after = NNC_STAGE_CHECKED,
                                .only_these_stdlibs = true};
  struct nnc_result result;
  bool found = false;
  assert_false(nnc_compile(&options, &result));
  for (size_t i = 0; i < result.sink.count; i++)
    found |= result.sink.items[i]->help && strcmp(result.sink.items[i]->help, advice) == 0;
  if (!found)
    nnc_render(&result, stderr, false);
  nnc_result_free(&result);
  return found;
}

// The number of failures, 0 or 1.
static size_t expect(const struct row *row, const char *const *forms) {
  if (!forms[row->place])
    return 0;
  char statement[200], text[400];
  snprintf(statement, sizeof statement, forms[row->place], row->word);
  bool is_toplevel = row->place == HABIT_DECLARATIONS;
  snprintf(text, sizeof text, is_toplevel ? "%s x\n" : IN_BODY, statement);
  if (gives(text, row->advice))
    return 0;
  print_error("`%s` does not get the advice \"%s\" here:\n%s", row->word, row->advice, text);
  return 1;
}

static void every_row_is_met(void **state) {
  (void)state;
  size_t failures = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    failures += expect(&rows[i], programs);
    failures += expect(&rows[i], calls);
  }
  assert_int_equal(failures, 0);
}

// A word that has become builtin needs no row any more, and two rows for one word are one too many.
static void rows_are_needed(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].place == HABIT_VALUES && builtin_find(rows[i].word))
      fail_msg("`%s` is builtin: its row can go", rows[i].word);
    for (size_t k = 0; k < i; k++)
      if (rows[k].place == rows[i].place && strcmp(rows[k].word, rows[i].word) == 0)
        fail_msg("`%s` has two rows", rows[i].word);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_is_met),
      cmocka_unit_test(rows_are_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

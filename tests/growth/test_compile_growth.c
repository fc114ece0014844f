// The compiler's work grows in proportion to the program: programs of each kind at two sizes, the second four times
// the first, by counts that do not depend on the machine. `test_compile_growth KIND N` writes the program to standard
// output, for a profiler.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "tests/growth/kinds.h"
#include "tests/growth/work.h"

enum { SMALL = 1000, TIMES = 4 };

// A factor of 4 is linear and some 5 is n log n, with room for arrays that double; quadratic work gives up to 16.
#define MOST_GROWTH 6.0

static struct work compile(const struct program_kind *kind, int n) {
  char *text = program_kind_text(kind, n);
  struct nnc_options options = {.path = "growth.nn", .text = text, .text_length = strlen(text)};
  struct nnc_result result;
  work_begin();
  bool compiled = nnc_compile(&options, &result);
  struct work work = work_end();
  if (!compiled) {
    nnc_render(&result, stderr, false);
    fail_msg("%s of size %d does not compile", kind->name, n);
  }
  nnc_result_free(&result);
  free(text);
  return work;
}

static void grows_with_the_program(void **state) {
  const struct program_kind *kind = *state;
  struct work small = compile(kind, SMALL), large = compile(kind, TIMES * SMALL);
  const struct {
    const char *what;
    uint64_t small, large;
  } rows[] = {
      {"steps", small.steps, large.steps},
      {"bytes allocated", small.bytes, large.bytes},
      {"bytes at once", small.peak_bytes, large.peak_bytes},
  };
  print_message("%-24s", kind->name);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    print_message("%12llu %s x %4.2f", (unsigned long long)rows[i].small, rows[i].what,
                  (double)rows[i].large / (double)rows[i].small);
  print_message("\n");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if ((double)rows[i].large > MOST_GROWTH * (double)rows[i].small)
      fail_msg("%s: from %d to %d, %llu %s become %llu", kind->name, SMALL, TIMES * SMALL,
               (unsigned long long)rows[i].small, rows[i].what, (unsigned long long)rows[i].large);
}

int main(int argc, char **argv) {
  if (argc == 3) {
    const struct program_kind *kind = program_kind_find(argv[1]);
    if (kind == NULL) {
      fprintf(stderr, "there is no kind %s\n", argv[1]);
      return 2;
    }
    kind->write(stdout, atoi(argv[2]));
    return 0;
  }
  struct CMUnitTest tests[64];
  size_t n = 0;
  for (const struct program_kind *kind = program_kinds; kind->name != NULL; kind++)
    tests[n++] = (struct CMUnitTest){kind->name, grows_with_the_program, NULL, NULL, (void *)(uintptr_t)kind};
  return _cmocka_run_group_tests("compile_growth", tests, n, NULL, NULL);
}

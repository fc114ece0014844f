// What programs do when they run: the files in programs/ state calls and what must come of them.
//
//   // expect f(1, [2, 3]) = (5, true)       the entry's arguments and result
//   // expect f(0) fails 12:9 division by zero   it fails with this message at line:column of this file
//   // reads 1 2.5                           what the decisions of the following calls get, in turn
//
// Each file goes through the whole compiler and runs as native code; tensors are computed nowhere: blocks are
// only written down.
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "tests/runtime/host_fixture.h"

#define MOST_READS 16
#define FEWEST_FILES 8

struct script {
  const char *path;
  unsigned line;
  struct fixture *fixture;
  double reads[MOST_READS];
  unsigned n_expectations;
};

static struct fixture *compile(struct jit *jit, const char *path) {
  const char *stdlib[] = {"stdlib"};
  struct nnc_options options = {.path = path, .stdlib_dirs = stdlib, .stdlib_dir_count = 1};
  struct nnc_result result;
  if (!nnc_compile(&options, &result)) {
    nnc_render(&result, stderr, false);
    fail_msg("%s does not compile", path);
  }
  char *text = ir_print(result.module);
  struct fixture *fixture = fixture_new(jit, path, text, strlen(text));
  free(text);
  nnc_result_free(&result);
  return fixture;
}

static void expect(struct script *s, char *text) {
  char *value = strstr(text, " = "), *failure = strstr(text, " fails ");
  char *end = failure ? failure : value;
  if (!end)
    fail_msg("%s:%u: neither ` = ` nor ` fails `", s->path, s->line);
  const char *wanted = strchr(end + 1, ' ') + 1;
  *end = '\0';
  fixture_run(s->fixture, text);
  bool failed = s->fixture->outcome == HOST_FAILED;
  // The file's number is of no interest.
  const char *got = failed ? strchr(s->fixture->error, ':') + 1 : s->fixture->results;
  if (failed != (failure != NULL) || strcmp(got, wanted) != 0)
    fail_msg("%s:%u: %s gives\n%s, not\n%s", s->path, s->line, text, got, wanted);
  s->n_expectations++;
}

static void set_reads(struct script *s, const char *at) {
  char *end;
  size_t n = 0;
  for (double value = strtod(at, &end); end != at && n < MOST_READS; value = strtod(at = end, &end))
    s->reads[n++] = value;
  s->fixture->reads = s->reads;
  s->fixture->n_reads = n;
}

static void run_script(struct jit *jit, const char *path) {
  struct script s = {.path = path, .fixture = compile(jit, path)};
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  char line[1024];
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = '\0';
    s.line++;
    if (strncmp(line, "// expect ", 10) == 0)
      expect(&s, line + 10);
    else if (strncmp(line, "// reads ", 9) == 0)
      set_reads(&s, line + 9);
  }
  fclose(file);
  if (s.n_expectations == 0)
    fail_msg("%s expects nothing", path);
  fixture_free(s.fixture);
}

static void test_programs(void **state) {
  (void)state;
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = ""}, &error);
  if (!jit)
    fail_msg("%s", error);
  glob_t found;
  assert_int_equal(glob("tests/language/programs/*.nn", 0, NULL, &found), 0);
  assert_true(found.gl_pathc >= FEWEST_FILES);
  for (size_t i = 0; i < found.gl_pathc; i++)
    run_script(jit, found.gl_pathv[i]);
  globfree(&found);
  jit_free(jit);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_programs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

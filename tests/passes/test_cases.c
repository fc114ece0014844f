// Modules before and after some passes. The first line of cases/NAME.ir names the passes, `; run simplify
// dce`; what they make of the module is in cases/NAME.out. `test_passes_cases --update` accepts what they
// make now.
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/ir/ir.h"
#include "compiler/passes/passes.h"

static bool update;

static char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return NULL;
  char *text = NULL;
  size_t length = 0;
  FILE *copy = open_memstream(&text, &length);
  for (int byte; (byte = getc(file)) != EOF;)
    putc(byte, copy);
  fclose(copy);
  fclose(file);
  return text;
}

static void run_pass(struct ir_module *module, const char *path, const char *name) {
  for (const struct pass *pass = passes; pass->name; pass++) {
    if (strcmp(pass->name, name) != 0)
      continue;
    struct arena scratch;
    arena_init(&scratch);
    pass->function(module, &scratch);
    arena_free(&scratch);
    char *error = NULL;
    if (!ir_verify(module, &error))
      fail_msg("%s: after the pass %s: %s\n%s", path, name, error, ir_print(module));
    return;
  }
  fail_msg("%s: there is no pass %s", path, name);
}

// A copy of the first line's words after `; run`.
static void run_passes(struct ir_module *module, const char *path, const char *text) {
  if (strncmp(text, "; run ", 6) != 0)
    fail_msg("%s does not begin with `; run PASS...`", path);
  char *names = strndup(text + 6, strcspn(text + 6, "\n")), *rest = names;
  for (char *name; (name = strsep(&rest, " "));)
    run_pass(module, path, name);
  free(names);
}

static bool check_case(const char *path) {
  char *text = read_text(path), *error = NULL;
  assert_non_null(text);
  struct ir_module *module = ir_parse(text, strlen(text), &error);
  if (!module || !ir_verify(module, &error))
    fail_msg("%s:%s", path, error);
  run_passes(module, path, text);
  char wanted_path[512], *is = ir_print(module);
  snprintf(wanted_path, sizeof wanted_path, "%.*s.out", (int)strlen(path) - 3, path);
  char *wanted = read_text(wanted_path);
  bool equal = wanted && strcmp(is, wanted) == 0;
  if (!equal && update) {
    FILE *file = fopen(wanted_path, "wb");
    assert_non_null(file);
    fputs(is, file);
    fclose(file);
  } else if (!equal) {
    fprintf(stderr, "%s has become\n%s", path, is);
  }
  free(text);
  free(is);
  free(wanted);
  ir_module_free(module);
  return equal || update;
}

static void modules_become_what_they_shall(void **state) {
  (void)state;
  glob_t found;
  if (glob("tests/passes/cases/*.ir", 0, NULL, &found) != 0)
    fail_msg("no cases");
  bool good = true;
  for (size_t i = 0; i < found.gl_pathc; i++)
    good = check_case(found.gl_pathv[i]) && good;
  globfree(&found);
  assert_true(good);
}

int main(int argc, char **argv) {
  update = argc > 1 && strcmp(argv[1], "--update") == 0;
  const struct CMUnitTest tests[] = {cmocka_unit_test(modules_become_what_they_shall)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

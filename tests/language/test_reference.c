// The language reference is true: its fragments that are marked as code compile, all the way and without a word. So
// does every file of the standard library.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/nnc.h"

#define FENCE_OPEN "\n```nn\n"
#define FENCE_CLOSE "\n```\n"

static void compile(const char *path, const char *text, size_t length) {
  static const char *const stdlib[] = {"stdlib"};
  struct nnc_options options = {
      .path = path,
      .text = text,
      .text_length = length,
      .stdlib_dirs = stdlib,
      .stdlib_dir_count = 1,
      .only_these_stdlibs = true,
  };
  struct nnc_result result;
  bool ok = nnc_compile(&options, &result);
  nnc_render(&result, stderr, false);
  if (!ok || result.sink.count)
    fail_msg("%s does not compile cleanly:\n%.*s", path, text ? (int)length : 0, text ? text : "");
  nnc_result_free(&result);
}

static void fragments_compile(void **state) {
  (void)state;
  struct arena arena;
  struct source_set sources;
  arena_init(&arena);
  source_set_init(&sources, &arena);
  const char *error;
  const struct source_file *reference = source_load(&sources, "grammar/LANGUAGE.md", FILE_REGULAR_ONLY,
                                                    &error);
  assert_non_null(reference);
  size_t fragments = 0;
  const char *at = reference->text;
  while ((at = strstr(at, FENCE_OPEN))) {
    at += strlen(FENCE_OPEN);
    const char *fence = strstr(at, FENCE_CLOSE);
    assert_non_null(fence);
    compile("grammar/LANGUAGE.md", at, (size_t)(fence + 1 - at));
    fragments++;
    at = fence;
  }
  assert_true(fragments > 0);
  arena_free(&arena);
}

static void the_library_compiles(void **state) {
  (void)state;
  glob_t files;
  assert_int_equal(glob("stdlib/*.nn", 0, NULL, &files), 0);
  for (size_t i = 0; i < files.gl_pathc; i++)
    compile(files.gl_pathv[i], NULL, 0);
  globfree(&files);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fragments_compile),
      cmocka_unit_test(the_library_compiles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

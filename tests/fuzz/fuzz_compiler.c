// libFuzzer: any text through the whole compiler. Nothing may crash, a refused program has at least one error, and the
// module of an accepted one verifies, prints and reads back.
//
//   fuzz_compiler -dict=tests/fuzz/nn.dict corpus/ stdlib/ tests/language/programs/ tests/errors/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/nnc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_module(const struct ir_module *module) {
  char *error = NULL;
  if (!ir_verify(module, &error)) {
    fprintf(stderr, "the module does not verify: %s\n", error);
    abort();
  }
  char *text = ir_print(module);
  struct ir_module *again = text ? ir_parse(text, strlen(text), &error) : NULL;
  if (!again) {
    fprintf(stderr, "the module does not read back: %s\n%s", error, text);
    abort();
  }
  ir_module_free(again);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const stdlib[] = {"stdlib"};
  struct nnc_options options = {
      .path = "input.nn",
      .text = (const char *)data,
      .text_length = size,
      .stdlib_dirs = stdlib,
      .stdlib_dir_count = 1,
      .only_these_stdlibs = true,
  };
  if (!data)
    return 0;
  struct nnc_result result;
  bool ok = nnc_compile(&options, &result);
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  nnc_render(&result, out, true);
  fclose(out);
  // A failure that is no diagnostic is a broken pass.
  if (result.failure || ok == diag_has_errors(&result.sink)) {
    fwrite(text, 1, length, stderr);
    abort();
  }
  free(text);
  if (ok)
    check_module(result.module);
  nnc_result_free(&result);
  return 0;
}

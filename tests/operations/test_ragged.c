// Kernels of blocks with run-time sizes: instances of different lengths in one batch.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/passes/passes.h"
#include "tests/ir/ir_testing.h"
#include "tests/operations/kernel_check.h"

static struct jit *new_jit(enum cpu_simd simd) {
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = "", .simd = simd}, &error);
  if (jit == NULL)
    fail_msg("%s", error);
  return jit;
}

static struct ir_module *with_adjoints(const char *name, const char *text) {
  char *error = NULL;
  struct ir_module *module = parse_text(name, text);
  struct arena scratch;
  arena_init(&scratch);
  pass_adjoint(module, &scratch);
  arena_free(&scratch);
  if (!ir_verify(module, &error))
    fail_msg("%s: %s", name, error);
  return module;
}

static struct ir_module *read_module(const char *path) {
  char *text = read_text(path);
  struct ir_module *module = with_adjoints(path, text);
  free(text);
  return module;
}

// Each length once, and the next batch begins anew.
enum { ROWS = 9 };

static void check_sizes(struct jit *jit, const struct ir_module *module, const int64_t *sizes) {
  int64_t dims[64];
  for (uint32_t d = 0; d < module->n_dims; d++)
    dims[d] = sizes[d % 2];
  for (uint32_t b = 0; b < module->n_blocks; b++)
    kernel_check(&(struct kernel_check){.jit = jit,
                                        .module = module,
                                        .block = module->blocks[b],
                                        .dims = dims,
                                        .low = -1.2,
                                        .high = 1.3,
                                        .rows = ROWS});
}

static void blocks_agree_with_reference(void **state) {
  (void)state;
  static const int64_t sets[][2] = {{17, 33}, {3, 4}, {64, 16}};
  struct ir_module *module = read_module("tests/operations/blocks/ragged.ir");
  for (enum cpu_simd simd = CPU_SIMD_BASE128; simd <= CPU_SIMD_AVX512; simd++) {
    struct jit *jit = new_jit(simd);
    // The sizes matter to each instruction set alike.
    size_t n = simd == cpu_features_get(CPU_SIMD_HOST).simd ? sizeof sets / sizeof *sets : 1;
    for (size_t i = 0; jit_cpu(jit)->simd == simd && i < n; i++)
      check_sizes(jit, module, sets[i]);
    jit_free(jit);
  }
  ir_module_free(module);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_agree_with_reference),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

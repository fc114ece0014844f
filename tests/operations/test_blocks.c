// Kernels of blocks of several operations: those written for this test and those of other tests' files.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/ir/arena.h"
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

static struct ir_module *read_module(const char *path) {
  char *text = read_text(path), *error = NULL;
  struct ir_module *module = parse_text(path, text);
  free(text);
  struct arena scratch;
  arena_init(&scratch);
  pass_adjoint(module, &scratch);
  arena_free(&scratch);
  if (!ir_verify(module, &error))
    fail_msg("%s: %s", path, error);
  return module;
}

// Small sizes, some that are no multiple of any vector, some that are.
static void check_file(struct jit *jit, const char *path, int64_t rows) {
  static const int64_t sets[][2] = {{17, 33}, {3, 4}, {64, 16}};
  struct ir_module *module = read_module(path);
  // The sizes matter to each instruction set alike.
  size_t n_sets = jit_cpu(jit)->simd == cpu_features_get(CPU_SIMD_HOST).simd ? sizeof sets / sizeof *sets : 1;
  for (size_t set = 0; set < n_sets; set++) {
    int64_t dims[64];
    for (uint32_t d = 0; d < module->n_dims; d++)
      dims[d] = sets[set][d % 2];
    for (uint32_t b = 0; b < module->n_blocks; b++)
      kernel_check(&(struct kernel_check){.jit = jit,
                                          .module = module,
                                          .block = module->blocks[b],
                                          .dims = dims,
                                          .low = -1.2,
                                          .high = 1.3,
                                          .rows = rows});
  }
  ir_module_free(module);
}

static const char *const files[] = {
  "tests/operations/blocks/cells.ir",   "tests/operations/blocks/fusion.ir", "tests/passes/adjoints/cells.ir",
  "tests/passes/adjoints/parameters.ir", "tests/passes/adjoints/parts.ir",
};

static void blocks_agree_with_reference(void **state) {
  (void)state;
  for (enum cpu_simd simd = CPU_SIMD_BASE128; simd <= CPU_SIMD_AVX512; simd++) {
    struct jit *jit = new_jit(simd);
    if (jit_cpu(jit)->simd == simd)
      for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_file(jit, files[i], 1 + 10 * (int64_t)(i % 2));
    jit_free(jit);
  }
}

// Every number of rows up to three blocks of the micro-kernels, and more than one tile.
static void rows_keep_their_bits(void **state) {
  (void)state;
  struct jit *jit = new_jit(CPU_SIMD_HOST);
  struct ir_module *module = read_module("tests/operations/blocks/cells.ir");
  int64_t dims[64];
  for (uint32_t d = 0; d < module->n_dims; d++)
    dims[d] = 20 + 13 * d;
  for (uint32_t b = 0; b < module->n_blocks; b++)
    for (int64_t rows = 1; rows <= 200; rows += rows < 41 ? 1 : 53)
      kernel_check(&(struct kernel_check){.jit = jit,
                                          .module = module,
                                          .block = module->blocks[b],
                                          .dims = dims,
                                          .low = -1.2,
                                          .high = 1.3,
                                          .rows = rows,
                                          .only_bits = true});
  ir_module_free(module);
  jit_free(jit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(blocks_agree_with_reference),
    cmocka_unit_test(rows_keep_their_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

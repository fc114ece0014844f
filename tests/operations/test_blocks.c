// Kernels of blocks of several operations: those written for this test and those of other tests' files.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ir/ir_testing.h"
#include "tests/operations/kernel_check.h"

// Small sizes, some that are no multiple of any vector, some that are.
static void check_file(struct jit *jit, const char *path, int64_t rows) {
  static const int64_t sets[][2] = {{17, 33}, {3, 4}, {64, 16}};
  struct ir_module *module = kernel_check_module(path);
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
    "tests/operations/blocks/cells.ir", "tests/operations/blocks/fusion.ir",
    "tests/passes/adjoints/cells.ir",   "tests/passes/adjoints/parameters.ir",
    "tests/passes/adjoints/parts.ir",
};

static void blocks_agree_with_reference(void **state) {
  (void)state;
  for (enum cpu_simd simd = CPU_SIMD_BASE128; simd <= CPU_SIMD_AVX512; simd++) {
    struct jit *jit = kernel_check_jit(simd);
    if (jit_cpu(jit)->simd == simd)
      for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_file(jit, files[i], 1 + 10 * (int64_t)(i % 2));
    jit_free(jit);
  }
}

// Every number of rows up to three blocks of the micro-kernels, and more than one tile.
static void rows_keep_their_bits(void **state) {
  (void)state;
  struct jit *jit = kernel_check_jit(CPU_SIMD_HOST);
  struct ir_module *module = kernel_check_module("tests/operations/blocks/cells.ir");
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

// ------------------------------------------------------------------------------------------- what goes wrong

static const struct ir_block *block_named(const struct ir_module *module, const char *name) {
  for (uint32_t i = 0; i < module->n_blocks; i++)
    if (strcmp(module->blocks[i]->name, name) == 0)
      return module->blocks[i];
  fail_msg("no block @%s", name);
  return NULL;
}

static void unsuitable_sizes_are_errors(void **state) {
  (void)state;
  static const struct {
    const char *block;
    int64_t dims[2];
    const char *message;
  } rows[] = {
      {"plain", {0, 8}, "the size A is 0"},
      {"plain", {-5, 8}, "the size A is -5"},
      {"plain", {1 << 20, 1 << 20}, "more than 2147483648 elements"},
      {"shared", {INT64_MAX, 8}, "the size 2*A is too large"},
      {"plain", {2, 2}, "do not lie in an axis of 2"},  // a slice of two elements at offset 1
  };
  struct jit *jit = kernel_check_jit(CPU_SIMD_HOST);
  struct ir_module *module = kernel_check_module("tests/operations/blocks/fusion.ir");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char *error = NULL;
    const struct kernel_sizes sizes = {rows[i].dims};
    const struct ir_block *block = block_named(module, rows[i].block);
    assert_null(kernel_compile(jit, module, block, KERNEL_TRAIN, NN_F32, &sizes, &error));
    if (strstr(error, rows[i].message) == NULL)
      fail_msg("'%s' does not say '%s'", error, rows[i].message);
    free(error);
  }
  ir_module_free(module);
  jit_free(jit);
}

static void a_block_without_adjoint_has_no_adjoint_kernel(void **state) {
  (void)state;
  struct jit *jit = kernel_check_jit(CPU_SIMD_HOST);
  struct ir_module *module = kernel_check_module("tests/passes/adjoints/parameters.ir");
  int64_t dims[] = {3, 4, 3, 3};
  const struct kernel_sizes sizes = {dims};
  char *error = NULL;
  assert_null(
      kernel_compile(jit, module, block_named(module, "chosen"), KERNEL_ADJOINT, NN_F32, &sizes, &error));
  assert_string_equal(error, "the block has no adjoint");
  free(error);
  ir_module_free(module);
  jit_free(jit);
}

// --------------------------------------------------------------------------------------------------- threads

struct work {
  struct jit *jit;
  const struct ir_module *module;
  const int64_t *dims;
  kernel_fn *functions[8];
};

static void *compile_all(void *argument) {
  struct work *work = argument;
  const struct kernel_sizes sizes = {work->dims};
  for (uint32_t i = 0; i < work->module->n_blocks && i < 8; i++) {
    char *error = NULL;
    struct kernel *kernel = kernel_compile(work->jit, work->module, work->module->blocks[i], KERNEL_TRAIN,
                                           NN_F32, &sizes, &error);
    work->functions[i] = kernel != NULL ? kernel->run : NULL;
    kernel_free(kernel);
  }
  return NULL;
}

static void threads_get_the_same_code(void **state) {
  (void)state;
  enum { THREADS = 4 };
  int64_t dims[64];
  for (int i = 0; i < 64; i++)
    dims[i] = 9 + i;
  struct ir_module *module = kernel_check_module("tests/operations/blocks/fusion.ir");
  struct jit *jit = kernel_check_jit(CPU_SIMD_HOST);
  struct work work[THREADS];
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    work[i] = (struct work){.jit = jit, .module = module, .dims = dims};
    assert_int_equal(pthread_create(&threads[i], NULL, compile_all, &work[i]), 0);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  for (uint32_t b = 0; b < module->n_blocks; b++) {
    assert_non_null(work[0].functions[b]);
    for (int i = 1; i < THREADS; i++)
      assert_ptr_equal(work[i].functions[b], work[0].functions[b]);
  }
  ir_module_free(module);
  jit_free(jit);
}

static void gives_text(void **state) {
  (void)state;
  struct ir_module *module = kernel_check_module("tests/operations/blocks/cells.ir");
  int64_t dims[64] = {20, 33, 7};
  const struct kernel_sizes sizes = {dims};
  const struct ir_block *block = block_named(module, "tree_node");
  char *error = NULL;
  char *llvm = kernel_text(module, block, KERNEL_INFER, NN_F32, &sizes, false, &error);
  char *assembly = kernel_text(module, block, KERNEL_ADJOINT, NN_F64, &sizes, true, &error);
  assert_non_null(strstr(llvm, "define void @kernel(ptr"));
  assert_non_null(strstr(llvm, "call void @nn_gemm_run("));
  assert_non_null(strstr(assembly, "kernel:"));
  free(llvm);
  free(assembly);
  ir_module_free(module);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_agree_with_reference),
      cmocka_unit_test(rows_keep_their_bits),
      cmocka_unit_test(unsuitable_sizes_are_errors),
      cmocka_unit_test(a_block_without_adjoint_has_no_adjoint_kernel),
      cmocka_unit_test(threads_get_the_same_code),
      cmocka_unit_test(gives_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// Kernels of blocks with run-time sizes: instances of different lengths in one batch.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ir/ir_testing.h"
#include "tests/operations/kernel_check.h"

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
  static const int64_t sets[][2] = {{3, 33}, {64, 4}};
  struct ir_module *module = kernel_check_module("tests/operations/blocks/ragged.ir");
  for (enum cpu_simd simd = CPU_SIMD_BASE128; simd <= CPU_SIMD_AVX512; simd++) {
    struct jit *jit = kernel_check_jit(simd);
    // The sizes matter to each instruction set alike.
    size_t n = simd == cpu_features_get(CPU_SIMD_HOST).simd ? sizeof sets / sizeof *sets : 1;
    for (size_t i = 0; jit_cpu(jit)->simd == simd && i < n; i++)
      check_sizes(jit, module, sets[i]);
    jit_free(jit);
  }
  ir_module_free(module);
}

// ------------------------------------------------------------------------------------------- what goes wrong

static void what_is_not_supported_is_an_error(void **state) {
  (void)state;
  static const struct {
    const char *block, *message;
  } rows[] = {
      {"block @b(%0: f32[?1]) -> (f32[A]) {\n"
       "  %1 = slice %0 offset 0 length A : f32[A]\n  return %1\n}\n",
       "block b: slice along an axis whose size is known at run time"},
      {"block @b(%0: f32[?1, ?2]) -> (f32) {\n  %1 = sum %0 : f32\n  return %1\n}\n",
       "block b: an input with more than one size that is known at run time"},
      {"block @b(%0: f32[?1], %1: f32[?2]) -> (f32[?1, ?2]) {\n"
       "  %2 = outer %0, %1 : f32[?1, ?2]\n  return %2\n}\n",
       "block b: a result or saved value with more than one size that is known at run time"},
      {"block @b(%0: f32[?1], %1: f32[?2], %2: f32[?3]) -> (f32) {\n"
       "  %3 = outer %0, %1 : f32[?1, ?2]\n"
       "  %4 = broadcast %3 dim 2 : f32[?1, ?2, ?3]\n"
       "  %5 = broadcast %2 dim 0 : f32[?2, ?3]\n"
       "  %6 = broadcast %5 dim 0 : f32[?1, ?2, ?3]\n"
       "  %7 = mul %4, %6 : f32[?1, ?2, ?3]\n"
       "  %8 = softmax %7 dim 2 : f32[?1, ?2, ?3]\n"
       "  %9 = amax %8 : f32\n  %10 = mul %8, %9 : f32[?1, ?2, ?3]\n  %11 = sum %10 : f32\n  return %11\n}\n",
       "block b: a tensor of more than two sizes that are known at run time"},
  };
  struct jit *jit = kernel_check_jit(CPU_SIMD_HOST);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[2048], *error = NULL;
    snprintf(text, sizeof text, "module m\ndim A = 4\n%s", rows[i].block);
    struct ir_module *module = parse_text("text", text);
    if (!ir_verify(module, &error))
      fail_msg("%s", error);
    const struct kernel_sizes sizes = {(const int64_t[]){4}};
    assert_null(kernel_compile(jit, module, module->blocks[0], KERNEL_INFER, NN_F32, &sizes, &error));
    assert_string_equal(error, rows[i].message);
    free(error);
    ir_module_free(module);
  }
  jit_free(jit);
}

// Nothing checks a kernel's index: one that is out of range chooses the last element, and no address beyond it.
static void an_index_out_of_range_chooses_the_last(void **state) {
  (void)state;
  static const char text[] = "module m\nblock @b(%0: f32[?1], %1: int) -> (f32) {\n"
                             "  %2 = pick %0, %1 : f32\n  return %2\n}\n";
  struct jit *jit = kernel_check_jit(CPU_SIMD_HOST);
  struct ir_module *module = parse_text("text", text);
  char *error = NULL;
  const struct kernel_sizes sizes = {(const int64_t[]){0}};
  struct kernel *kernel = kernel_compile(jit, module, module->blocks[0], KERNEL_INFER, NN_F32, &sizes,
                                         &error);
  assert_non_null(kernel);
  enum { N = 5 };
  const float values[NN_LANES] = {10, 11, 12};
  const int32_t lengths[N] = {3, 3, 3, 3, 3}, indices[N] = {1, 3, -1, INT32_MAX, INT32_MIN};
  const uint32_t offsets[N] = {0};
  float outputs[N * NN_LANES];
  char scratch[4096] __attribute__((aligned(64)));
  assert_true(kernel_scratch(kernel, lengths) <= sizeof scratch);
  const struct kernel_args args = {.values = (const char *)values,
                                   .rows = (const uint32_t *const[]){offsets},
                                   .sizes = (const int32_t *const[]){lengths},
                                   .indices = (const int32_t *const[]){indices},
                                   .outputs = (void *const[]){outputs},
                                   .output_rows = (const uint32_t *const[]){NULL}};
  kernel->run(&args, 0, N, scratch);
  for (int i = 0; i < N; i++)
    assert_float_equal(outputs[i * NN_LANES], i == 0 ? 11 : 12, 0);
  kernel_free(kernel);
  ir_module_free(module);
  jit_free(jit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_not_supported_is_an_error),
      cmocka_unit_test(an_index_out_of_range_chooses_the_last),
      cmocka_unit_test(blocks_agree_with_reference),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// runtime/cpu/vector_math.c against the C library in higher precision, over the whole range of numbers.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/cpu/codegen.h"
#include "runtime/cpu/vector_math.h"
#include "runtime/jit/jit.h"

#define MANY 4096

typedef LLVMValueRef emit_fn(const struct codegen *, LLVMValueRef);
typedef long double exact_fn(long double);

static long double exact_sigmoid(long double x) {
  return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
}

struct routine {
  const char *name;
  emit_fn *emit;
  exact_fn *exact;
  double worst[2];  // in units in the last place: f32, f64
};

static const struct routine routines[] = {
    {"exp", vector_math_exp, expl, {1.2, 1.5}},
    {"log", vector_math_log, logl, {1.0, 1.0}},
    {"log1p", vector_math_log1p, log1pl, {1.0, 1.0}},
    {"expm1", vector_math_expm1, expm1l, {2.0, 2.0}},
    {"erf", vector_math_erf, erfl, {2.6, 2.6}},
    {"erfc", vector_math_erfc, erfcl, {6.0, 6.0}},
    {"tanh", vector_math_tanh, tanhl, {3.0, 3.0}},
    {"sigmoid", vector_math_sigmoid, exact_sigmoid, {3.0, 3.0}},
};

struct recipe {
  const struct jit *jit;
  const struct routine *routine;
  enum nn_element element;
  unsigned lanes;  // 0: a whole register
};

// void apply(const real *x, real *y, int64 n), n a positive multiple of the lanes.
static bool build_apply(void *context, LLVMModuleRef module, char **error) {
  (void)error;
  struct recipe *recipe = context;
  struct codegen cg;
  codegen_init(&cg, module, jit_cpu(recipe->jit), recipe->element);
  unsigned lanes = recipe->lanes ? recipe->lanes : cg.lanes;
  LLVMTypeRef types[] = {cg.pointer, cg.pointer, cg.int64};
  LLVMValueRef f = codegen_function(&cg, "apply", LLVMFunctionType(cg.void_type, types, 3, 0), false);
  jit_set_attributes(recipe->jit, f);
  struct codegen_loop loop;
  codegen_loop_begin(&cg, &loop, codegen_word(&cg, 0), LLVMGetParam(f, 2), codegen_word(&cg, lanes), 0, NULL);
  LLVMValueRef x = codegen_load(&cg, codegen_lanes(&cg, cg.real, lanes),
                                codegen_at(&cg, cg.real, LLVMGetParam(f, 0), loop.index));
  codegen_store(&cg, recipe->routine->emit(&cg, x), codegen_at(&cg, cg.real, LLVMGetParam(f, 1), loop.index));
  codegen_loop_end(&cg, &loop, NULL);
  LLVMBuildRetVoid(cg.builder);
  codegen_free(&cg);
  return true;
}

typedef void apply_fn(const void *x, void *y, int64_t n);

static apply_fn *compile(struct jit *jit, const struct routine *routine, enum nn_element element,
                         unsigned lanes) {
  static const char *const symbols[] = {"apply"};
  struct recipe recipe = {jit, routine, element, lanes};
  char key[64], *error = NULL;
  snprintf(key, sizeof key, "%s %d %u", routine->name, (int)element, lanes);
  struct jit_request request = {
      .key = key, .build = build_apply, .context = &recipe, .n_symbols = 1, .symbols = symbols};
  void *address;
  if (!jit_compile(jit, &request, &address, &error))
    fail_msg("%s", error);
  return (apply_fn *)(uintptr_t)address;
}

// |y - exact| in units in the last place of the element type at `exact`.
static double error_in_ulp(long double y, long double exact, enum nn_element element) {
  if (isnan(exact))
    return isnan(y) ? 0 : INFINITY;
  bool overflows = element == NN_F32 ? isinf((float)exact) : isinf((double)exact);
  if (overflows || isinf(y))
    return overflows && isinf(y) && (y > 0) == (exact > 0) ? 0 : INFINITY;
  int bits = element == NN_F32 ? 24 : 53, least = element == NN_F32 ? -148 : -1073, exponent;
  frexpl(exact, &exponent);
  int unit = exponent - bits < least - 1 ? least - 1 : exponent - bits;
  return (double)(fabsl(y - exact) / ldexpl(1, unit));
}

struct sample {
  double worst, at;
};

static void measure_f32(apply_fn *apply, exact_fn *exact, struct sample *sample) {
  static float x[MANY], y[MANY];
  // An odd stride over all bit patterns: signs, denormal numbers, infinities and NaN included.
  uint32_t bits = 0;
  for (int round = 0; round < 250; round++) {
    for (int i = 0; i < MANY; i++, bits += 1747)
      memcpy(&x[i], &bits, sizeof bits);
    apply(x, y, MANY);
    for (int i = 0; i < MANY; i++) {
      double e = error_in_ulp(y[i], exact(x[i]), NN_F32);
      if (!(e <= sample->worst))
        *sample = (struct sample){e, x[i]};
    }
  }
}

static void measure_f64(apply_fn *apply, exact_fn *exact, struct sample *sample) {
  static double x[MANY], y[MANY];
  uint64_t bits = 0;
  for (int round = 0; round < 100; round++) {
    for (int i = 0; i < MANY; i++, bits += 0x9E3779B97F4A7C15u) {
      memcpy(&x[i], &bits, sizeof bits);
      if (i % 2)  // where the interesting values are
        x[i] = (double)(int64_t)bits * 0x1p-63 * (i % 4 == 1 ? 40 : 800);
    }
    apply(x, y, MANY);
    for (int i = 0; i < MANY; i++) {
      double e = error_in_ulp(y[i], exact(x[i]), NN_F64);
      if (!(e <= sample->worst))
        *sample = (struct sample){e, x[i]};
    }
  }
}

static void is_accurate(void **state) {
  (void)state;
  char *error = NULL;
  for (enum cpu_simd simd = CPU_SIMD_BASE128; simd <= CPU_SIMD_AVX512; simd++) {
    struct jit *jit = jit_new(&(struct jit_options){.cache_dir = "", .simd = simd}, &error);
    if (jit_cpu(jit)->simd == simd)
      for (size_t i = 0; i < sizeof routines / sizeof *routines; i++)
        for (int element = NN_F32; element <= NN_F64; element++) {
          struct sample sample = {0, 0};
          apply_fn *apply = compile(jit, &routines[i], (enum nn_element)element, 0);
          (element == NN_F32 ? measure_f32 : measure_f64)(apply, routines[i].exact, &sample);
          print_message("%-8s f%d %-8s %5.2f ulp at %.9g\n", cpu_simd_name(simd), element == NN_F32 ? 32 : 64,
                        routines[i].name, sample.worst, sample.at);
          // Without fused multiply-add the argument reduction is a little worse.
          assert_true(sample.worst <= routines[i].worst[element] + (jit_cpu(jit)->fma ? 0 : 1));
        }
    jit_free(jit);
  }
}

static void scalar_code_gives_the_same_bits(void **state) {
  (void)state;
  static float x[MANY], vector[MANY], scalar[MANY];
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = ""}, &error);
  for (int i = 0; i < MANY; i++)
    x[i] = (float)(i - MANY / 2) * 0.0673f;
  for (size_t i = 0; i < sizeof routines / sizeof *routines; i++) {
    compile(jit, &routines[i], NN_F32, 0)(x, vector, MANY);
    compile(jit, &routines[i], NN_F32, 1)(x, scalar, MANY);
    for (int j = 0; j < MANY; j++)
      assert_true(memcmp(&vector[j], &scalar[j], sizeof(float)) == 0 ||
                  (isnan(vector[j]) && isnan(scalar[j])));
  }
  jit_free(jit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_accurate),
      cmocka_unit_test(scalar_code_gives_the_same_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

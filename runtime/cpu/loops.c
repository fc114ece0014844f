// The compiler vectorises these loops; at -O2 it would not, or only for the oldest processor.
#if !defined(__clang__)  // which vectorises at -O2
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")
#endif

#include "runtime/cpu/loops.h"

#include <math.h>
#include <stdint.h>

#define TARGET
#define REAL float
#define TERMS LOOPS_TERMS_F32
#define BITS uint32_t
#define EXPONENT UINT32_C(0x7F800000)
#define SQRT sqrtf
#define LOOP(name) name##_f32
#include "runtime/cpu/loops_template.h"
#undef REAL
#undef TERMS
#undef BITS
#undef EXPONENT
#undef SQRT
#undef LOOP
#define REAL double
#define TERMS LOOPS_TERMS_F64
#define BITS uint64_t
#define EXPONENT UINT64_C(0x7FF0000000000000)
#define SQRT sqrt
#define LOOP(name) name##_f64
#include "runtime/cpu/loops_template.h"
#undef REAL
#undef TERMS
#undef BITS
#undef EXPONENT
#undef SQRT
#undef LOOP
#undef TARGET

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,fma")))
#define REAL float
#define TERMS LOOPS_TERMS_F32
#define BITS uint32_t
#define EXPONENT UINT32_C(0x7F800000)
#define SQRT sqrtf
#define LOOP(name) name##_f32_avx2
#include "runtime/cpu/loops_template.h"
#undef REAL
#undef TERMS
#undef BITS
#undef EXPONENT
#undef SQRT
#undef LOOP
#define REAL double
#define TERMS LOOPS_TERMS_F64
#define BITS uint64_t
#define EXPONENT UINT64_C(0x7FF0000000000000)
#define SQRT sqrt
#define LOOP(name) name##_f64_avx2
#include "runtime/cpu/loops_template.h"
#undef REAL
#undef TERMS
#undef BITS
#undef EXPONENT
#undef SQRT
#undef LOOP
#undef TARGET

#if defined(__clang__)
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl"), min_vector_width(512)))
#else
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")))
#endif
#define REAL float
#define TERMS LOOPS_TERMS_F32
#define BITS uint32_t
#define EXPONENT UINT32_C(0x7F800000)
#define SQRT sqrtf
#define LOOP(name) name##_f32_avx512
#include "runtime/cpu/loops_template.h"
#undef REAL
#undef TERMS
#undef BITS
#undef EXPONENT
#undef SQRT
#undef LOOP
#define REAL double
#define TERMS LOOPS_TERMS_F64
#define BITS uint64_t
#define EXPONENT UINT64_C(0x7FF0000000000000)
#define SQRT sqrt
#define LOOP(name) name##_f64_avx512
#include "runtime/cpu/loops_template.h"
#undef REAL
#undef TERMS
#undef BITS
#undef EXPONENT
#undef SQRT
#undef LOOP
#undef TARGET
#endif

const struct loops *loops_for(enum nn_element element, enum cpu_simd simd) {
#if defined(__x86_64__)
  if (simd == CPU_SIMD_AVX512)
    return element == NN_F32 ? &table_f32_avx512 : &table_f64_avx512;
  if (simd == CPU_SIMD_AVX2)
    return element == NN_F32 ? &table_f32_avx2 : &table_f64_avx2;
#endif
  (void)simd;
  return element == NN_F32 ? &table_f32 : &table_f64;
}

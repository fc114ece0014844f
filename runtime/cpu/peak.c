// Measures the processor's peak rate of multiply-adds.
#include "runtime/cpu/peak.h"

#include <sched.h>
#include <string.h>

#include "runtime/base/clock.h"

// Enough chains to hide the latency of a fused multiply-add (4 cycles, 2 a cycle), few enough for 16 registers.
enum { CHAINS = 12, ROUNDS = 100000 };
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll_count(12)")
#else
#define UNROLL _Pragma("GCC unroll 12")
#endif

// The loop is the same for every width; only the vector type and the instruction set differ.
#define DEFINE_LOOP(name, isa, type, bytes)                                                                  \
  typedef type name##_vector __attribute__((vector_size(bytes)));                                            \
  isa __attribute__((noinline)) static void name(type *sink) {                                               \
    name##_vector x[CHAINS], a, b;                                                                           \
    memset(&a, 0, sizeof a);                                                                                 \
    memset(&b, 0, sizeof b);                                                                                 \
    a += (type)0.999;                                                                                        \
    b += (type)0.001;                                                                                        \
    UNROLL for (int i = 0; i < CHAINS; i++) x[i] = b * (type)i;                                              \
    for (int round = 0; round < ROUNDS; round++) {                                                           \
      UNROLL for (int i = 0; i < CHAINS; i++) x[i] = x[i] * a + b;                                           \
    }                                                                                                        \
    UNROLL for (int i = 0; i < CHAINS; i++) *sink += x[i][0];                                                \
  }

#if defined(__x86_64__)
DEFINE_LOOP(f32_512, __attribute__((target("avx512f"))), float, 64)
DEFINE_LOOP(f64_512, __attribute__((target("avx512f"))), double, 64)
DEFINE_LOOP(f32_256, __attribute__((target("avx2,fma"))), float, 32)
DEFINE_LOOP(f64_256, __attribute__((target("avx2,fma"))), double, 32)
#endif
DEFINE_LOOP(f32_128, , float, 16)
DEFINE_LOOP(f64_128, , double, 16)

double cpu_peak_gflops(bool f64) {
  void (*single)(float *) = f32_128;
  void (*twice)(double *) = f64_128;
  int bytes = 16;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f"))
    single = f32_512, twice = f64_512, bytes = 64;
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    single = f32_256, twice = f64_256, bytes = 32;
#endif
  double best = 0, lanes = bytes / (f64 ? 8.0 : 4.0);
  for (int i = 0; i < 30; i++) {
    float f = 0;
    double d = 0, started = clock_seconds();
    if (f64)
      twice(&d);
    else
      single(&f);
    __asm__ volatile("" ::"x"(f), "x"(d));
    double rate = 2.0 * CHAINS * ROUNDS * lanes / (clock_seconds() - started) * 1e-9;
    if (rate > best)
      best = rate;
  }
  return best;
}

int cpu_cores(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

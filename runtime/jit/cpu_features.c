// Asks the processor what it can do.
#include "runtime/jit/cpu_features.h"

#include <string.h>

static const char *const simd_names[] = {"host", "base128", "fma128", "avx2", "avx512"};

static enum cpu_simd host_simd(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
    return CPU_SIMD_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return CPU_SIMD_AVX2;
  return CPU_SIMD_BASE128;
#elif defined(__aarch64__)
  return CPU_SIMD_FMA128;
#else
  return CPU_SIMD_BASE128;
#endif
}

struct cpu_features cpu_features_get(enum cpu_simd wanted) {
  enum cpu_simd simd = host_simd();
  // fma128 is no subset of an x86 processor's families that LLVM could be held to.
  if (wanted != CPU_SIMD_HOST && wanted < simd && (wanted != CPU_SIMD_FMA128))
    simd = wanted;
  switch (simd) {
  case CPU_SIMD_AVX512: return (struct cpu_features){simd, 64, 32, true};
  case CPU_SIMD_AVX2: return (struct cpu_features){simd, 32, 16, true};
  case CPU_SIMD_FMA128: return (struct cpu_features){simd, 16, 32, true};
  default: return (struct cpu_features){CPU_SIMD_BASE128, 16, 16, false};
  }
}

enum cpu_simd cpu_simd_find(const char *name) {
  for (int i = CPU_SIMD_BASE128; name != NULL && i <= CPU_SIMD_AVX512; i++)
    if (strcmp(name, simd_names[i]) == 0)
      return (enum cpu_simd)i;
  return CPU_SIMD_HOST;
}

const char *cpu_simd_name(enum cpu_simd simd) { return simd_names[simd]; }

const char *cpu_simd_restriction(enum cpu_simd simd) {
#if defined(__x86_64__) || defined(__i386__)
  if (simd == CPU_SIMD_AVX2)
    return ",-avx512f";
  if (simd == CPU_SIMD_BASE128)
    return ",-avx,-fma";
#else
  (void)simd;
#endif
  return "";
}

const char *cpu_openblas_core(void) {
#if defined(__x86_64__)
  switch (host_simd()) {
  case CPU_SIMD_AVX512: return "SKYLAKEX";
  case CPU_SIMD_AVX2: return "HASWELL";
  default: return NULL;
  }
#else
  return NULL;
#endif
}

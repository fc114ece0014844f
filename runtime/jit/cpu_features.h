// What the code generators need to know of the processor they run on.
#ifndef NN_RUNTIME_JIT_CPU_FEATURES_H
#define NN_RUNTIME_JIT_CPU_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

// Families of vector instructions that the generators distinguish. Ordered: a processor has all that are
// smaller within its architecture.
enum cpu_simd {
  CPU_SIMD_HOST,     // in options only: the best there is
  CPU_SIMD_BASE128,  // SSE2 or anything with 128-bit vectors and without fused multiply-add
  CPU_SIMD_FMA128,   // 128-bit vectors with fused multiply-add (NEON)
  CPU_SIMD_AVX2,     // 256-bit vectors with fused multiply-add, 16 registers
  CPU_SIMD_AVX512,   // 512-bit vectors, 32 registers
};

struct cpu_features {
  enum cpu_simd simd;
  unsigned vector_bytes;      // 16, 32 or 64
  unsigned vector_registers;  // 16 or 32
  bool fma;
};

// The features of this processor, or of a smaller family when `wanted` asks for one that this processor also
// has.
struct cpu_features cpu_features_get(enum cpu_simd wanted);
// The family of that name (`avx512`, `avx2`, `fma128`, `base128`), or CPU_SIMD_HOST for NULL and any other
// text.
enum cpu_simd cpu_simd_find(const char *name);
const char *cpu_simd_name(enum cpu_simd);
// What to append to LLVM's list of host features so that it keeps within the family; "" when nothing.
const char *cpu_simd_restriction(enum cpu_simd);
// The value of OPENBLAS_CORETYPE that suits this processor, or NULL when OpenBLAS is to choose by itself.
const char *cpu_openblas_core(void);

#endif

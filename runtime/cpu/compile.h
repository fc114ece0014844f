// Kernels that are compiled while a caller waits who may be asked to stop: LLVM cannot be stopped within a kernel, but
// need not be waited for.
#ifndef NN_RUNTIME_CPU_COMPILE_H
#define NN_RUNTIME_CPU_COMPILE_H

#include "runtime/cpu/cpu.h"

struct compile_item {
  uint32_t block;
  enum kernel_variant variant;
};

// Compiles them all, by all threads. `interrupt`: NULL, or a flag; NN_INTERRUPTED soon after it is not 0, while what has
// been begun goes on behind the caller's back, until compile_wait at the latest.
nn_status *compile_kernels(struct cpu *, const struct compile_item *, uint32_t n,
                           const volatile int *interrupt);
// Waits for what interrupted callers left behind. Nobody compiles any more.
void compile_wait(struct cpu *);

#endif

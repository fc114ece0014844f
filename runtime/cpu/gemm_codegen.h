// The micro-kernels of gemm.h as LLVM code.
#ifndef NN_RUNTIME_CPU_GEMM_CODEGEN_H
#define NN_RUNTIME_CPU_GEMM_CODEGEN_H

#include "runtime/cpu/codegen.h"
#include "runtime/cpu/gemm.h"

// Emits `void name(gemm_micro_fn's parameters)` for blocks of `rows` rows and `vectors` vectors of columns.
void gemm_codegen_micro(struct codegen *, const char *name, int rows, int vectors);

#endif

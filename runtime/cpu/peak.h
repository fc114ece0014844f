// The processor's peak rate of multiply-adds, measured: what `nnrun bench` compares the matrix products with.
#ifndef NN_RUNTIME_CPU_PEAK_H
#define NN_RUNTIME_CPU_PEAK_H

#include <stdbool.h>

// GFLOP/s of one core, two operations per multiply-add: the best of several short runs of nothing but independent fused
// multiply-adds on the widest registers this processor has.
double cpu_peak_gflops(bool f64);
// Cores this process may use.
int cpu_cores(void);

#endif

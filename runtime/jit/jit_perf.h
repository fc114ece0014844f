// Names of compiled functions for perf(1): with $NN_PERF set, a line for each goes to /tmp/perf-PID.map,
// where perf looks for the symbols of code made at run time. Part of jit.c's implementation.
#ifndef NN_RUNTIME_JIT_JIT_PERF_H
#define NN_RUNTIME_JIT_JIT_PERF_H

#include <stdbool.h>
#include <stddef.h>

bool jit_perf_wanted(void);
// Bytes of a function in an ELF object, 0 when it is not found there.
size_t jit_perf_size(const void *object, size_t bytes, const char *symbol);
void jit_perf_note(const void *address, size_t bytes, const char *label, const char *symbol);

#endif

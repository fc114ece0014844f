// OpenBLAS, opened at run time: the products of the deferred weight gradients.
//
// Debian 12's OpenBLAS 0.3.21 does not know newer processors by their model number and falls back to SSE3
// kernels, at a third to a quarter of the speed. Which kernels it takes is decided when the library is
// loaded, from the environment variable OPENBLAS_CORETYPE; so it is loaded here, with that variable set to
// what the processor's features allow unless the user has set it. It computes on the calling thread only: the
// executor shares the work out itself.
#ifndef NN_RUNTIME_CPU_BLAS_H
#define NN_RUNTIME_CPU_BLAS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/kernel/kernel.h"

struct blas;

// Never fails: without the library (or when memory runs out) products are computed by plain loops. Sets and
// restores an environment variable, so no other thread may use the environment at the time of the first call
// in a process.
//
// `threads`: how many may compute products at once. Where memory is limited (ulimit -v) the library might wait for it
// for ever; whether it works is then tried in a child process first, and room for all threads is taken at once.
struct blas *blas_open(int threads);
// Why the library is not used although memory is not exhausted, for the user; NULL otherwise.
const char *blas_problem(const struct blas *);
void blas_close(struct blas *);

// c [m, n] = transpose(a) b, or += when `accumulate`: a [k, m] with rows `lda` elements apart, b [k, n]
// `ldb`, c `ldc`. May be called by several threads at once.
void blas_product(const struct blas *, enum nn_element, bool accumulate, size_t m, size_t n, size_t k,
                  const void *a, size_t lda, const void *b, size_t ldb, void *c, size_t ldc);

#endif

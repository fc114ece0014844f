// Finds and opens OpenBLAS with the right kernels.
#include "runtime/cpu/blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/jit/cpu_features.h"

struct blas {
  void *library;  // counted by the dynamic loader: every open has its own
  __typeof__(&cblas_sgemm) sgemm;
  __typeof__(&cblas_dgemm) dgemm;
  const char *core;
};

static void *load(void) {
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"};
  const char *type = getenv("OPENBLAS_CORETYPE") ? NULL : cpu_openblas_core();
  if (type)
    setenv("OPENBLAS_CORETYPE", type, 1);
  void *library = NULL;
  for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (type)
    unsetenv("OPENBLAS_CORETYPE");
  return library;
}

struct blas *blas_open(void) {
  struct blas *blas = calloc(1, sizeof *blas);
  if (!blas)
    return NULL;
  blas->core = "none";
  blas->library = load();
  if (!blas->library)
    return blas;
  // POSIX lets an object pointer become a function pointer, ISO C does not: hence the copies.
  void *sgemm = dlsym(blas->library, "cblas_sgemm"), *dgemm = dlsym(blas->library, "cblas_dgemm");
  void *set_threads = dlsym(blas->library, "openblas_set_num_threads");
  void *core_name = dlsym(blas->library, "openblas_get_corename");
  if (!sgemm || !dgemm || !set_threads)
    return blas;
  __typeof__(&openblas_set_num_threads) threads;
  memcpy(&threads, &set_threads, sizeof threads);
  threads(1);
  memcpy(&blas->sgemm, &sgemm, sizeof sgemm);
  memcpy(&blas->dgemm, &dgemm, sizeof dgemm);
  blas->core = "unknown";
  if (core_name) {
    __typeof__(&openblas_get_corename) name;
    memcpy(&name, &core_name, sizeof name);
    blas->core = name();
  }
  return blas;
}

void blas_close(struct blas *blas) {
  if (!blas)
    return;
  if (blas->library)
    dlclose(blas->library);
  free(blas);
}

const char *blas_core(const struct blas *blas) { return blas ? blas->core : "none"; }

// Row k of a and b after the other: every row of c is a sum of scaled rows of b, which the compiler
// vectorises.
#define DEFINE_PLAIN(name, type)                                                                             \
  static void name(bool accumulate, size_t m, size_t n, size_t k, const type *a, size_t lda, const type *b,  \
                   size_t ldb, type *restrict c, size_t ldc) {                                               \
    for (size_t i = 0; i < m; i++) {                                                                         \
      if (!accumulate)                                                                                       \
        memset(c + i * ldc, 0, n * sizeof *c);                                                               \
      for (size_t r = 0; r < k; r++) {                                                                       \
        const type scale = a[r * lda + i], *row = b + r * ldb;                                               \
        for (size_t j = 0; j < n; j++)                                                                       \
          c[i * ldc + j] += scale * row[j];                                                                  \
      }                                                                                                      \
    }                                                                                                        \
  }
DEFINE_PLAIN(plain_f32, float)
DEFINE_PLAIN(plain_f64, double)

void blas_product(const struct blas *blas, enum nn_element element, bool accumulate, size_t m, size_t n,
                  size_t k, const void *a, size_t lda, const void *b, size_t ldb, void *c, size_t ldc) {
  if (!blas || !blas->sgemm) {
    if (element == NN_F32)
      plain_f32(accumulate, m, n, k, a, lda, b, ldb, c, ldc);
    else
      plain_f64(accumulate, m, n, k, a, lda, b, ldb, c, ldc);
  } else if (element == NN_F32) {
    blas->sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb,
                accumulate, c, (int)ldc);
  } else {
    blas->dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb,
                accumulate, c, (int)ldc);
  }
}

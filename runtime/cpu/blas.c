// Finds and opens OpenBLAS with the right kernels.
#include "runtime/cpu/blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/jit/cpu_features.h"

// Exported by OpenBLAS for its own parts: a buffer for one thread's product. Buffers that were freed are kept and used
// again, so that a process that once had as many as threads never needs another one.
typedef void *alloc_fn(int unused);
typedef void free_fn(void *);
enum { MOST_BUFFERS = 64 };

struct blas {
  void *library;  // counted by the dynamic loader: every open has its own
  __typeof__(&cblas_sgemm) sgemm;
  __typeof__(&cblas_dgemm) dgemm;
  const char *problem;
};

// ------------------------------------------------------------------------------------------------ the library

// Sets an environment variable for a while; `old` is what it was (malloc'd) or NULL.
static bool set_for_now(const char *name, const char *value, char **old) {
  const char *now = getenv(name);
  *old = now ? strdup(now) : NULL;
  return (!now || *old) && setenv(name, value, 1) == 0;
}

static void set_back(const char *name, char *old) {
  if (old)
    setenv(name, old, 1);
  else
    unsetenv(name);
  free(old);
}

static void *load(void) {
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"};
  const char *type = getenv("OPENBLAS_CORETYPE") ? NULL : cpu_openblas_core();
  char *no_type = NULL, *old_threads = NULL;
  if (type)
    set_for_now("OPENBLAS_CORETYPE", type, &no_type);
  // Otherwise it starts a thread a core when it is loaded, and where it cannot, sends the process SIGINT.
  bool threads_set = set_for_now("OPENBLAS_NUM_THREADS", "1", &old_threads);
  void *library = NULL;
  for (size_t i = 0; threads_set && !library && i < sizeof names / sizeof *names; i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (threads_set)
    set_back("OPENBLAS_NUM_THREADS", old_threads);
  if (type)
    set_back("OPENBLAS_CORETYPE", no_type);
  return library;
}

// Makes the library keep `n` buffers. Where memory is refused it does not come back: see is_limited.
static bool reserve(void *library, int n) {
  void *alloc_symbol = dlsym(library, "blas_memory_alloc"), *free_symbol = dlsym(library, "blas_memory_free");
  if (!alloc_symbol || !free_symbol || n > MOST_BUFFERS)
    return false;
  alloc_fn *alloc;
  free_fn *release;
  memcpy(&alloc, &alloc_symbol, sizeof alloc);
  memcpy(&release, &free_symbol, sizeof release);
  void *buffers[MOST_BUFFERS];
  for (int i = 0; i < n; i++)
    buffers[i] = alloc(0);
  for (int i = 0; i < n; i++)
    release(buffers[i]);
  return true;
}

// ------------------------------------------------------------------------------------------------ limits

// Whether the system may refuse address space. OpenBLAS (0.3.21, memory.c: blas_memory_alloc) then asks again for ever.
static bool is_limited(void) {
  struct rlimit limit;
  if ((getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) ||
      (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY))
    return true;
  int setting = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
  char digit = '0';
  bool strict = setting >= 0 && read(setting, &digit, 1) == 1 && digit == '2';
  if (setting >= 0)
    close(setting);
  return strict;
}

// In a child of its own: loads the library and takes what this process is going to take. Asking for ever takes
// processor time, of which the child has one second.
static void try_in_child(int n_buffers) {
  setrlimit(RLIMIT_CPU, &(struct rlimit){1, 1});
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0)
    dup2(nowhere, STDERR_FILENO);
  void *library = load();
  _exit(library && reserve(library, n_buffers) ? 0 : 1);
}

// Whether the library works within the limits of this process, found out where failing does no harm.
static bool works_within_limits(int n_buffers) {
  pid_t child = fork();
  if (child == 0)
    try_in_child(n_buffers);
  int status = 1;
  while (child > 0 && waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return false;
  return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// ------------------------------------------------------------------------------------------------ opening

static void find_functions(struct blas *blas) {
  // POSIX lets an object pointer become a function pointer, ISO C does not: hence the copies.
  void *sgemm = dlsym(blas->library, "cblas_sgemm"), *dgemm = dlsym(blas->library, "cblas_dgemm");
  void *set_threads = dlsym(blas->library, "openblas_set_num_threads");
  if (!sgemm || !dgemm || !set_threads)
    return;
  __typeof__(&openblas_set_num_threads) threads;
  memcpy(&threads, &set_threads, sizeof threads);
  threads(1);
  memcpy(&blas->sgemm, &sgemm, sizeof sgemm);
  memcpy(&blas->dgemm, &dgemm, sizeof dgemm);
}

struct blas *blas_open(int threads) {
  struct blas *blas = calloc(1, sizeof *blas);
  if (!blas)
    return NULL;
  bool limited = is_limited();
  if (limited && !works_within_limits(threads)) {
    blas->problem =
        "the limit on memory (ulimit -v) leaves OpenBLAS no room: weight gradients take longer without it";
    return blas;
  }
  blas->library = load();
  if (blas->library && limited)
    reserve(blas->library, threads);
  if (blas->library)
    find_functions(blas);
  return blas;
}

const char *blas_problem(const struct blas *blas) { return blas->problem; }

void blas_close(struct blas *blas) {
  if (!blas)
    return;
  if (blas->library)
    dlclose(blas->library);
  free(blas);
}

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

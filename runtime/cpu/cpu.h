// The processor as a device (runtime/kernel/device.h): one bound model's parameters, kernels and thread team.
#ifndef NN_RUNTIME_CPU_CPU_H
#define NN_RUNTIME_CPU_CPU_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/base/threads.h"
#include "runtime/cpu/loops.h"
#include "runtime/cpu/params.h"
#include "runtime/kernel/device.h"

struct blas;
struct compile_job;
struct flow;
struct updates;

#define CPU_VARIANTS (KERNEL_ADJOINT_GRADIENT + 1)

typedef struct kernel *cpu_compile_fn(struct jit *, const struct ir_module *, const struct ir_block *,
                                      enum kernel_variant, enum nn_element, const struct kernel_sizes *,
                                      char **error);

struct cpu {
  struct device device;  // first: the address that others know
  const struct device_model *model;
  enum nn_element element;
  struct params params;
  struct updates *updates;  // NULL: no optimiser
  enum cpu_simd simd;
  const struct loops *loops;
  struct blas *blas;                  // NULL until the first backward pass
  struct threads *threads;            // shared by all runs
  char threads_note[96];              // said when there are fewer than were asked for; "" otherwise
  _Atomic(struct kernel *) *kernels;  // [block][variant], compiled on first use
  struct flow **flows;                // [block] NULL until its first backward pass
  struct compile_job *left_behind;    // by callers who were interrupted: see compile.h
  pthread_mutex_t left_lock;
  // kernel_compile and kernel_free; tests put slow stand-ins here.
  cpu_compile_fn *compile;
  void (*release)(struct kernel *);
};

extern const struct device_ops cpu_device;

static inline struct cpu *cpu_of(struct device *device) { return (struct cpu *)device; }

// The kernel of a block, NULL when it has not been compiled.
static inline struct kernel *cpu_kernel(const struct cpu *cpu, uint32_t block, enum kernel_variant variant) {
  return atomic_load_explicit(&cpu->kernels[(size_t)block * CPU_VARIANTS + variant], memory_order_acquire);
}
// Compiles it unless it is there. May be called by several threads at once.
nn_status *cpu_compile_kernel(struct cpu *, uint32_t block, enum kernel_variant);

#endif

// A model within the runtime: the module, what it is bound to, and the code compiled for it.
#ifndef NN_RUNTIME_MODEL_MODEL_H
#define NN_RUNTIME_MODEL_MODEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "compiler/ir/ir.h"
#include "runtime/batch/plan.h"
#include "runtime/batch/trace.h"
#include "runtime/cpu/loops.h"
#include "runtime/cpu/params.h"
#include "runtime/data/vocab.h"
#include "runtime/host/host.h"
#include "runtime/kernel/kernel.h"
#include "runtime/model/training_state.h"
#include "runtime/nn.h"

#define MODEL_VARIANTS (KERNEL_ADJOINT_GRADIENT + 1)

typedef struct kernel *model_compile_fn(struct jit *, const struct ir_module *, const struct ir_block *,
                                        enum kernel_variant, enum nn_element, const struct kernel_sizes *,
                                        char **error);

struct nn_model {
  struct ir_module *module;
  char **entry_parameters, **entry_results;  // schema texts
  struct vocab **vocabs;                     // [dim] NULL where the dim is no vocab
  int64_t *metadata_dims;                    // [dim] of a checkpoint; -1: not given
  // From here on: after nn_model_bind.
  bool bound;
  nn_options options;  // its pointers are not kept
  enum nn_element element;
  enum cpu_simd simd;
  const struct loops *loops;
  int64_t *dims;  // [dim]
  struct params params;
  struct training_state training;
  struct jit *jit;
  struct blas *blas;
  struct host_code *host;
  struct trace_block *trace_blocks;   // [block]
  struct plan_block *blocks;          // [block]
  _Atomic(struct kernel *) *kernels;  // [block][variant], compiled on first use
  // kernel_compile and kernel_free; tests put slow stand-ins here.
  model_compile_fn *compile;
  void (*release)(struct kernel *);
};

// A model of a module in memory; takes the module over, also when it fails.
nn_status *model_from_module(struct ir_module *, nn_model **model);

// The kernel of a block, NULL when it has not been compiled.
static inline struct kernel *model_kernel(const nn_model *model, uint32_t block,
                                          enum kernel_variant variant) {
  return atomic_load_explicit(&model->kernels[(size_t)block * MODEL_VARIANTS + variant],
                              memory_order_acquire);
}
// Compiles it unless it is there. May be called by several threads at once.
nn_status *model_compile_kernel(nn_model *, uint32_t block, enum kernel_variant);

// The text of a type as a model's author writes it: `[Word]`, `(f32[4*H], int)`. malloc'd, NULL without
// memory.
char *model_type_text(const struct ir_module *, const struct ir_type *);
// Number of elements of a tensor type with the bound sizes; 0 when it overflows.
uint64_t model_elements(const nn_model *, const struct ir_type *tensor);

#endif

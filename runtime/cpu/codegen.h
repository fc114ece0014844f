// Short helpers over LLVM's C API for the generators of numeric code. Included by generators only: it needs
// LLVM's headers.
//
// Arithmetic helpers take values of the element type or vectors of it, of any number of lanes, and give the
// same type; the number of lanes is read off the value, so one routine serves scalar and vector code. None of
// them sets fast-math flags: what a kernel computes must not depend on what the optimiser happens to see
// together.
#ifndef NN_RUNTIME_CPU_CODEGEN_H
#define NN_RUNTIME_CPU_CODEGEN_H

#include <llvm-c/Core.h>

#include "runtime/jit/cpu_features.h"
#include "runtime/kernel/kernel.h"

struct codegen {
  LLVMContextRef context;
  LLVMModuleRef module;
  LLVMBuilderRef builder;
  LLVMValueRef function;  // being filled
  struct cpu_features cpu;
  enum nn_element element;
  unsigned lanes;  // elements in a vector register
  LLVMTypeRef real, int64, int32, pointer, void_type;
};

void codegen_init(struct codegen *, LLVMModuleRef, const struct cpu_features *, enum nn_element);
void codegen_free(struct codegen *);

// A new function; the builder stands in its entry block.
LLVMValueRef codegen_function(struct codegen *, const char *name, LLVMTypeRef type, bool internal);

// Types, and constants like a value or of `lanes` lanes (1: scalar).
LLVMTypeRef codegen_lanes(const struct codegen *, LLVMTypeRef scalar, unsigned lanes);
unsigned codegen_lanes_of(LLVMValueRef);
LLVMTypeRef codegen_int_like(const struct codegen *, LLVMValueRef);  // integers of the element's width
LLVMValueRef codegen_real(const struct codegen *, unsigned lanes, double);
LLVMValueRef codegen_real_like(const struct codegen *, LLVMValueRef, double);
LLVMValueRef codegen_int_constant(LLVMTypeRef scalar_or_vector, int64_t);
LLVMValueRef codegen_word(const struct codegen *, int64_t);
LLVMValueRef codegen_iota(const struct codegen *, unsigned lanes);  // int32: 0, 1, 2, ...
LLVMValueRef codegen_prefix_mask(const struct codegen *, unsigned lanes, unsigned valid);
LLVMValueRef codegen_splat(const struct codegen *, LLVMValueRef scalar, unsigned lanes);

// An intrinsic overloaded on the type of its first operand.
LLVMValueRef codegen_intrinsic(const struct codegen *, const char *name, unsigned n, LLVMValueRef *operands);
// a * b + c: fused where the processor can.
LLVMValueRef codegen_fma(const struct codegen *, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
// The larger and the smaller, of equals a; NaN where either is NaN.
LLVMValueRef codegen_maximum(const struct codegen *, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef codegen_minimum(const struct codegen *, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef codegen_select_gt(const struct codegen *, LLVMValueRef a, LLVMValueRef b, LLVMValueRef yes,
                               LLVMValueRef no);

// Addresses and memory. Offsets are int64 values; element alignment is assumed, no more.
LLVMValueRef codegen_at(const struct codegen *, LLVMTypeRef item, LLVMValueRef base, LLVMValueRef index);
LLVMValueRef codegen_at_byte(const struct codegen *, LLVMValueRef base, LLVMValueRef offset);
LLVMValueRef codegen_load(const struct codegen *, LLVMTypeRef type, LLVMValueRef address);
void codegen_store(const struct codegen *, LLVMValueRef value, LLVMValueRef address);
// Only the first `valid` lanes are touched; the others read as zero.
LLVMValueRef codegen_load_prefix(const struct codegen *, LLVMTypeRef vector, LLVMValueRef address,
                                 unsigned valid);
void codegen_store_prefix(const struct codegen *, LLVMValueRef value, LLVMValueRef address, unsigned valid);
// Only the lanes of a mask, a vector of int1, are touched. Lanes that do not lie side by side: by their addresses.
LLVMValueRef codegen_load_masked(const struct codegen *, LLVMTypeRef vector, LLVMValueRef address,
                                 LLVMValueRef mask);
void codegen_store_masked(const struct codegen *, LLVMValueRef value, LLVMValueRef address,
                          LLVMValueRef mask);
LLVMValueRef codegen_gather(const struct codegen *, LLVMTypeRef vector, LLVMValueRef addresses,
                            LLVMValueRef mask);

// Counted loops: `for (i = from; i < to; i += step)` with values carried from one iteration to the next.
//   codegen_loop_begin(cg, &loop, from, to, step, n, initial)   the body may use loop.index and
//   loop.carried[...] codegen_loop_end(cg, &loop, next)                           afterwards
//   loop.carried[...] are the final values
// The body runs at least once: the caller knows that from < to. With codegen_loop_begin_guarded it may not
// run at all.
#define CODEGEN_CARRIED 40
struct codegen_loop {
  LLVMBasicBlockRef before, body, after;
  LLVMValueRef index, to, step;
  bool guarded;
  unsigned n;
  LLVMValueRef carried[CODEGEN_CARRIED], initial[CODEGEN_CARRIED];
};
void codegen_loop_begin(struct codegen *, struct codegen_loop *, LLVMValueRef from, LLVMValueRef to,
                        LLVMValueRef step, unsigned n, const LLVMValueRef *initial);
void codegen_loop_begin_guarded(struct codegen *, struct codegen_loop *, LLVMValueRef from, LLVMValueRef to,
                                LLVMValueRef step, unsigned n, const LLVMValueRef *initial);
void codegen_loop_end(struct codegen *, struct codegen_loop *, const LLVMValueRef *next);

// Sum, or largest, of a vector's lanes by halves.
LLVMValueRef codegen_sum_lanes(const struct codegen *, LLVMValueRef vector);
// The sums of n vectors, a power of two that is at most the number of their lanes, as one vector; each as above.
LLVMValueRef codegen_sum_lanes_of(const struct codegen *, LLVMValueRef *vectors, unsigned n);
LLVMValueRef codegen_max_lanes(const struct codegen *, LLVMValueRef vector);
LLVMValueRef codegen_min_lanes_int(const struct codegen *, LLVMValueRef vector);

#endif

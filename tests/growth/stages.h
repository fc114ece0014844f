// The stages of compilation one by one, with their CPU times and what they make.
#ifndef NN_TESTS_GROWTH_STAGES_H
#define NN_TESTS_GROWTH_STAGES_H

#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/jit/jit.h"
#include "runtime/kernel/kernel.h"

struct stage_times {  // seconds
  double front, passes, slowest_pass;
  const char *slowest_name;
  double graph, plan, emit, llvm;
};

// Of all kernels together; sizes of what the largest of them has.
struct kernel_counts {
  uint64_t operations;  // of the blocks
  uint64_t nodes, steps, targets, instructions;
  uint64_t scratch_bytes, largest_function;
  uint64_t unshared_bytes;  // of scratch memory, that buffers in use at different times might share
};

double stage_seconds(void);  // of the calling thread

// From text to a finished module, which the caller frees. The text must be right: the process ends otherwise.
struct ir_module *stages_compile(const char *text, struct stage_times *);
// The values of the module's dims; it has no vocabularies.
void stages_sizes(const struct ir_module *, int64_t *dims);
// Graph, plan and code of one kernel, without LLVM's part; added to the times and counts.
void stages_generate(struct jit *, const struct ir_module *, const struct ir_block *, enum kernel_variant,
                     struct stage_times *, struct kernel_counts *);
// The same for the forward and the adjoint kernel of every block, and LLVM's part when `with_llvm`.
void stages_kernels(struct jit *, const struct ir_module *, bool with_llvm, struct stage_times *,
                    struct kernel_counts *);

#endif

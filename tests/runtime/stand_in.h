// Kernels that evaluate blocks by the slow reference, behind the contract of generated ones: for tests of the
// runtime that must not depend on code generation. Weight gradients are handed over row by row and summed
// (KERNEL_SINK_PARAM), so products over a minibatch are left to tests with real kernels.
#ifndef NN_TESTS_RUNTIME_STAND_IN_H
#define NN_TESTS_RUNTIME_STAND_IN_H

#include "runtime/model/model.h"

// To be put into nn_model.compile and nn_model.release before the model is bound.
struct kernel *stand_in_compile(struct jit *, const struct ir_module *, const struct ir_block *,
                                enum kernel_variant, enum nn_element, const struct kernel_sizes *,
                                char **error);
void stand_in_free(struct kernel *);

#endif

// What is used, and removal of the rest.
#ifndef NN_COMPILER_PASSES_DCE_H
#define NN_COMPILER_PASSES_DCE_H

#include <stdbool.h>

#include "compiler/ir/ir.h"

struct arena;

// [value id] whether a value reaches a branch or a returned result. results: which results count, NULL: all.
// needed_params: [function][parameter] which arguments of a call count, NULL: all. Ids must be dense.
bool *live_values(struct arena *scratch, const struct ir_function *function, const bool *results,
                  bool *const *needed_params);

// Removes what is not live. Renumbers.
void dce_function(struct arena *scratch, struct ir_function *function);

// Instructions of a block whose results reach neither an output nor a sink go. Renumbers.
void dce_block(struct arena *scratch, struct ir_block *block);

#endif

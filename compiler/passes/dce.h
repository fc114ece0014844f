// What is used, and removal of the rest.
#ifndef NN_COMPILER_PASSES_DCE_H
#define NN_COMPILER_PASSES_DCE_H

#include <stdbool.h>

#include "compiler/ir/ir.h"

struct arena;

// How much of a value is needed.
enum liveness {
  DEAD,
  LENGTH,  // of a list: its length only
  LIVE,
};

// [value id] what a branch, a returned result or an instruction that may fail needs of a value. results: which
// results count, NULL: all. needed_params: [function][parameter] which arguments of a call count, NULL: all.
// fails: of this function (failure_find).
unsigned char *live_values(struct arena *scratch, const struct ir_function *function, const bool *fails,
                           const bool *results, bool *const *needed_params);

// Removes what is not live. Functions must know whether they fail (failure_analyse). Renumbers.
void dce_function(struct arena *scratch, struct ir_module *module, struct ir_function *function);

// Instructions of a block whose results reach neither an output nor a sink go. Renumbers.
void dce_block(struct arena *scratch, struct ir_block *block);

#endif

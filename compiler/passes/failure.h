// What can end an example: run-time errors, and control flow that may go on for too long.
//
// That an example fails is part of what its program means, whether or not anything uses the value that could
// not be made. So an instruction that may fail stays, and so does a call of a function that may. Whatever is
// proven not to fail can go with its last use.
#ifndef NN_COMPILER_PASSES_FAILURE_H
#define NN_COMPILER_PASSES_FAILURE_H

#include <stdbool.h>

#include "compiler/ir/ir.h"

struct arena;

// Sets `fails` of every function: it holds an instruction that may fail, a loop, or a call of such a function,
// or lies on a recursion. Loops and recursions are limited in turns and stack. Renumbers.
void failure_analyse(struct ir_module *, struct arena *scratch);

// [n-th instruction, in layout order] whether it may end the example. Functions must know whether they fail.
// Renumbers.
bool *failure_find(struct arena *scratch, const struct ir_module *, struct ir_function *);

#endif

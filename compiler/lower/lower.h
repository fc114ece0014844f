// Typed syntax tree to IR.
//
// What is generic in the language is specific in the IR: a function is instantiated for every layer instance
// that it is a method of and for every choice of its size variables that a run can reach, starting from the
// entry points. Sizes stay symbolic, as polynomials over the module's dims.
#ifndef NN_COMPILER_LOWER_LOWER_H
#define NN_COMPILER_LOWER_LOWER_H

#include "compiler/base/arena.h"
#include "compiler/diag/diag.h"
#include "compiler/ir/ir.h"
#include "compiler/syntax/ast.h"

// The module of a program that check_program accepted; the caller frees it with ir_module_free. `name` is the
// module's. NULL when a limit is exceeded or a constant has an impossible value; the sink says which. Scratch
// memory and diagnostics lie in `arena`.
struct ir_module *lower_program(struct arena *arena, struct diag_sink *sink,
                                const struct ast_program *program, const char *name);

#endif

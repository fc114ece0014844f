// What the pass `simplify` does to single instructions. Each returns the value that stands for the
// instruction's only result from now on, or NULL when there is nothing better; new instructions go to the
// builder. Operands must be resolved.
#ifndef NN_COMPILER_PASSES_FOLD_H
#define NN_COMPILER_PASSES_FOLD_H

#include "compiler/passes/rewrite.h"

// fold_host.c: constants, data and lists taken apart where they were made.
struct ir_value *fold_host(struct ir_builder *, const struct ir_instr *);
// Multiple results: list.get and the like. true: all results were replaced (value_replace).
bool fold_host_results(struct ir_builder *, struct ir_instr *);

// fold_tensor.c: identities that leave the value as it is (up to the sign of a zero).
struct ir_value *fold_tensor(struct ir_builder *, struct ir_instr *);

// The same over the straight line of a block, with common subexpressions; then everything without use goes.
// Renumbers.
void simplify_block(struct ir_module *, struct arena *scratch, struct ir_block *);

// cse.c: the pure instructions met so far, to find an equal one among.
// Operands must be resolved, and values have ids of their own.
struct cse;
struct cse *cse_new(struct arena *);
// An earlier equal instruction, or NULL; then this one is put in.
struct ir_instr *cse_find(struct cse *, struct ir_instr *);
// What is put in after the mark is taken out again.
size_t cse_mark(const struct cse *);
void cse_return_to(struct cse *, size_t mark);

#endif

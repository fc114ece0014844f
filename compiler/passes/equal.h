// Equality of instructions: what `cse` and `share` look for.
#ifndef NN_COMPILER_PASSES_EQUAL_H
#define NN_COMPILER_PASSES_EQUAL_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/ir/ir.h"

// Same operation, attributes, result types, and operands with the same ids: of one function or block, or of two
// that are numbered alike. Sites of draws are not compared, nor are positions and targets.
bool instrs_equal(const struct ir_instr *a, const struct ir_instr *b);
// Equal for equal instructions, and hardly ever for others.
uint64_t instr_hash(const struct ir_instr *instr);
uint64_t type_hash(const struct ir_type *type);

#endif

// The attributes that operations of the table are tested with, one combination after the other: for every test that goes
// over the table. A new attribute is a case here, or the build of the tests says so.
#ifndef NN_TESTS_OPERATIONS_OP_VARIANTS_H
#define NN_TESTS_OPERATIONS_OP_VARIANTS_H

#include "compiler/ir/ir.h"

uint32_t op_variants(enum ir_op op);
// Sets the attributes of an instruction that has its operands. Variants need not suit them: the shape rule tells.
void op_set_variant(struct ir_module *, struct ir_instr *, uint32_t variant);
// A result type of an operation whose shape is written; NULL when the operands do not suit. `chosen`: of what takes any.
const struct ir_type *op_written_shape(struct ir_module *, const struct ir_instr *, uint32_t variant,
                                       const struct ir_type *chosen);

#endif

// The column `derivatives` of ops.def, parsed into trees and turned into instructions.
//
// The adjoint pass asks, for one operand of one forward instruction, for the gradient that the result's
// gradient gives it. A formula names the operands a and b, the index operand i, the result y and its gradient
// dy; the pass supplies these through a callback, so that only the forward values which are really needed are
// recomputed or saved.
//
// Formulas are those of formula.h. In broadcast(x, a) and onehot(i, a) the last argument stands for its shape only:
// its value is not asked for.
#ifndef NN_COMPILER_IR_DERIVATIVE_H
#define NN_COMPILER_IR_DERIVATIVE_H

#include "compiler/ir/ir_builder.h"

enum derivative_kind {
  DERIVATIVE_NONE,  // `0`, or an operation without derivatives (sources, sinks, host operations)
  DERIVATIVE_FORMULA,
  DERIVATIVE_SPECIAL,  // `@`: a function of the adjoint pass
};

enum derivative_name { DERIVATIVE_A, DERIVATIVE_B, DERIVATIVE_I, DERIVATIVE_Y, DERIVATIVE_DY };

struct derivatives;  // the parsed table

// Parses the whole table into the arena. A mistake in a formula is a bug: it aborts and names the row.
const struct derivatives *derivatives_new(struct arena *arena);

// Operand counts value operands from 0. For operations of any arity (concat) every operand is alike.
enum derivative_kind derivative_kind(const struct derivatives *, enum ir_op op, uint32_t operand);

// The value that stands for `name` where the builder works. It may append instructions through the builder,
// and is called at most once per name in one derivative_build.
typedef struct ir_value *derivative_value_fn(void *context, enum derivative_name name);

// Appends the gradient of value operand `operand` of the forward instruction `forward`, whose kind must be
// DERIVATIVE_FORMULA, and gives it, with the operand's shape; NULL when it is zero. Types and shapes of a, b
// and y are read from `forward`; its values are not used otherwise. Multiplications by 1, additions of 0 and
// the like are folded.
struct ir_value *derivative_build(const struct derivatives *, struct ir_builder *,
                                  const struct ir_instr *forward, uint32_t operand,
                                  derivative_value_fn *value, void *context);

#endif

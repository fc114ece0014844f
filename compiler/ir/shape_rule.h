// The shapes of tensor operations: the one rule of the column `shape` of ops.def, which the checker, the verifier and
// the builder all ask. It says which operand is wrong and why; the words are the caller's.
#ifndef NN_COMPILER_IR_SHAPE_RULE_H
#define NN_COMPILER_IR_SHAPE_RULE_H

#include "compiler/ir/ir.h"

// The rank of an operand that is no tensor: more than any operation takes.
#define SHAPE_NO_TENSOR (IR_MAX_RANK + 1)

struct shape_question {
  struct arena *arena;  // sizes are made in it
  enum ir_op op;
  uint32_t n;  // value operands; as many as the operation takes
  const struct ir_shape *const *operands;
  // Attributes, as in ir_instr; zero where the operation has none.
  uint32_t axis;
  bool transpose_a, transpose_b;
  const struct size *offset, *length;
  int64_t order;
};

enum shape_fault_kind {
  SHAPE_RANK,     // the operand has less than `least` or more than `most` dimensions
  SHAPE_AXIS,     // the operand has no such axis
  SHAPE_DIFFERS,  // it and `other` must have one shape, or it the last dimensions of that, where that is allowed
  SHAPE_JOIN,     // it cannot be joined to `other`
  SHAPE_PRODUCT,    // operands 0 and 1: both must be of two dimensions at least, or a matrix and a vector
  SHAPE_LEAD,       // operands 0 and 1 differ in sizes before their matrices: inner[0] and inner[1]
  SHAPE_TURNED,     // a vector is never transposed
  SHAPE_INNER,      // operands 0 and 1 have other numbers of terms: inner[0] and inner[1]
  SHAPE_TOO_LARGE,  // a size of the result is out of range; with this operand, where there are several
  SHAPE_BOUNDS,     // the part does not lie in the operand
  SHAPE_NO_BOUNDS,  // offset or length is missing
  SHAPE_ORDER,      // the order does not name each of its dimensions once
};

struct shape_fault {
  enum shape_fault_kind kind;
  uint32_t operand, other, least, most;
  const struct size *inner[2];
};

// The shape of the result; false: there is none, and *fault tells why. Not for operations whose shape is written.
bool shape_of_result(const struct shape_question *, struct ir_shape *result, struct shape_fault *);

// ir_infer that also tells the fault, where the operands have the shapes at all that it speaks of.
const struct ir_type *ir_infer_or_fault(struct ir_module *, const struct ir_instr *, const char **why,
                                        struct shape_fault *fault);

#endif

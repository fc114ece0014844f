// The values of element-wise operations: the column `value` of ops.def.
#ifndef NN_COMPILER_IR_OP_VALUE_H
#define NN_COMPILER_IR_OP_VALUE_H

#include "compiler/ir/ir.h"

// What makes values of some kind: code, text, numbers.
struct op_value_maker {
  void *(*number)(void *context, double);
  // The value of a row that is a ROUTINE; b is NULL where there is one operand.
  void *(*routine)(void *context, enum ir_op, void *a, void *b);
  void *context;
};

// Makes the value of any element-wise operation.
void *op_value_make(enum ir_op, const struct op_value_maker *, void *a, void *b);

// The value as a number, slowly and obviously: the table's expressions as the C compiler understands them. `b` is not
// looked at where there is one operand.
double op_value(enum ir_op, double a, double b);

#endif

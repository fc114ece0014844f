// The values of element-wise operations as LLVM code: value_ENUM for each such row of ops.def. A row without one
// does not compile.
#include <math.h>

#include "runtime/cpu/kernel_emit.h"
#include "runtime/cpu/vector_math.h"

typedef LLVMValueRef value_fn(const struct codegen *, LLVMValueRef a, LLVMValueRef b);

static LLVMValueRef zero_like(const struct codegen *cg, LLVMValueRef a) {
  return codegen_real_like(cg, a, 0);
}

// `b` is NULL where there is one operand.
#define VALUE(ENUM, expression)                                                                              \
  static LLVMValueRef value_##ENUM(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b) {               \
    (void)b;                                                                                                 \
    return expression;                                                                                       \
  }

VALUE(NEG, LLVMBuildFNeg(cg->builder, a, ""))
VALUE(EXP, vector_math_exp(cg, a))
VALUE(LOG, vector_math_log(cg, a))
VALUE(LOG1P, vector_math_log1p(cg, a))
VALUE(EXPM1, vector_math_expm1(cg, a))
VALUE(ERF, vector_math_erf(cg, a))
VALUE(ERFC, vector_math_erfc(cg, a))
VALUE(SQRT, codegen_intrinsic(cg, "llvm.sqrt", 1, &a))
VALUE(SQUARE, LLVMBuildFMul(cg->builder, a, a, ""))
VALUE(TANH, vector_math_tanh(cg, a))
VALUE(SIGMOID, vector_math_sigmoid(cg, a))
VALUE(RELU, codegen_select_gt(cg, zero_like(cg, a), a, zero_like(cg, a), a))
VALUE(ABS, codegen_intrinsic(cg, "llvm.fabs", 1, &a))
VALUE(ADD, LLVMBuildFAdd(cg->builder, a, b, ""))
VALUE(SUB, LLVMBuildFSub(cg->builder, a, b, ""))
VALUE(MUL, LLVMBuildFMul(cg->builder, a, b, ""))
VALUE(DIV, LLVMBuildFDiv(cg->builder, a, b, ""))
VALUE(MAX, codegen_maximum(cg, a, b))
VALUE(AT_LEAST, codegen_maximum(cg, a, b))
VALUE(MIN, codegen_minimum(cg, a, b))
VALUE(AT_MOST, codegen_minimum(cg, a, b))

static LLVMValueRef value_GT(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef unordered = LLVMBuildFCmp(cg->builder, LLVMRealUNO, a, b, "");
  LLVMValueRef otherwise = LLVMBuildSelect(cg->builder, unordered, codegen_real_like(cg, a, NAN),
                                           zero_like(cg, a), "");
  return codegen_select_gt(cg, a, b, codegen_real_like(cg, a, 1), otherwise);
}

// The graph has no such node, and nodes of its own kind for the other: see kernel_emit_values.c.
#define value_STOP NULL
#define value_DROPOUT NULL

static LLVMValueRef finite_or_zero(const struct codegen *cg, LLVMValueRef a) {
  LLVMValueRef size = codegen_intrinsic(cg, "llvm.fabs", 1, &a);
  LLVMValueRef limit = codegen_real_like(cg, a, INFINITY);
  LLVMValueRef infinite = LLVMBuildFCmp(cg->builder, LLVMRealOEQ, size, limit, "");
  return LLVMBuildSelect(cg->builder, infinite, zero_like(cg, a), a, "");
}

static value_fn *const values[IR_N_OPS] = {
#define VALUE_OF_ELEMENTWISE(ENUM) [IR_OP_##ENUM] = value_##ENUM,
#define VALUE_OF_PRODUCT(ENUM)
#define VALUE_OF_REDUCE(ENUM)
#define VALUE_OF_ROWWISE(ENUM)
#define VALUE_OF_MOVE(ENUM)
#define VALUE_OF_SOURCE(ENUM)
#define VALUE_OF_SINK(ENUM)
#define OP(ENUM, name, arity, class, cost, flags, shape, derivatives, user, doc) VALUE_OF_##class(ENUM)
#include "compiler/ir/ops.def"
#undef OP
};

LLVMValueRef emit_value(const struct codegen *cg, int op, LLVMValueRef a, LLVMValueRef b) {
  return op == NODE_FINITE ? finite_or_zero(cg, a) : values[op](cg, a, b);
}

// The values of element-wise operations as LLVM code: the expressions of ops.def over the routines that are here,
// value_ENUM for each row that is one. A routine that is missing does not compile.
#include <math.h>

#include "compiler/ir/op_value.h"
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
VALUE(TANH, vector_math_tanh(cg, a))
VALUE(SIGMOID, vector_math_sigmoid(cg, a))
VALUE(ABS, codegen_intrinsic(cg, "llvm.fabs", 1, &a))
VALUE(ADD, LLVMBuildFAdd(cg->builder, a, b, ""))
VALUE(SUB, LLVMBuildFSub(cg->builder, a, b, ""))
VALUE(MUL, LLVMBuildFMul(cg->builder, a, b, ""))
VALUE(DIV, LLVMBuildFDiv(cg->builder, a, b, ""))
VALUE(MAX, codegen_maximum(cg, a, b))
VALUE(MIN, codegen_minimum(cg, a, b))

static LLVMValueRef value_GT(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef unordered = LLVMBuildFCmp(cg->builder, LLVMRealUNO, a, b, "");
  LLVMValueRef otherwise = LLVMBuildSelect(cg->builder, unordered, codegen_real_like(cg, a, NAN),
                                           zero_like(cg, a), "");
  return codegen_select_gt(cg, a, b, codegen_real_like(cg, a, 1), otherwise);
}

static LLVMValueRef finite_or_zero(const struct codegen *cg, LLVMValueRef a) {
  LLVMValueRef size = codegen_intrinsic(cg, "llvm.fabs", 1, &a);
  LLVMValueRef limit = codegen_real_like(cg, a, INFINITY);
  LLVMValueRef infinite = LLVMBuildFCmp(cg->builder, LLVMRealOEQ, size, limit, "");
  return LLVMBuildSelect(cg->builder, infinite, zero_like(cg, a), a, "");
}

#define ROUTINE_AS(...) NOTHING_OF
#define NOTHING_OF(ENUM)
#define ROUTINE_ROUTINE(ENUM) [IR_OP_##ENUM] = value_##ENUM,
#define ROUTINE_NONE(ENUM)

static value_fn *const routines[IR_N_OPS] = {
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  ROUTINE_##value(ENUM)
#include "compiler/ir/ops.def"
#undef OP
};

struct making {
  const struct codegen *cg;
  LLVMValueRef like;
};

static void *make_number(void *context, double number) {
  const struct making *making = context;
  return codegen_real_like(making->cg, making->like, number);
}

static void *make_routine(void *context, enum ir_op op, void *a, void *b) {
  return routines[op](((const struct making *)context)->cg, a, b);
}

LLVMValueRef emit_value(const struct codegen *cg, int op, LLVMValueRef a, LLVMValueRef b) {
  if (op == NODE_FINITE)
    return finite_or_zero(cg, a);
  struct making making = {cg, a};
  return op_value_make((enum ir_op)op, &(struct op_value_maker){make_number, make_routine, &making}, a, b);
}

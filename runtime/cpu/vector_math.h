// Exponentials and their kin as inline LLVM code on vectors or scalars, accurate over the whole range.
//
// Largest errors, measured against higher precision by tests/operations/test_vector_math.c, in units in the
// last place, in f32 and in f64: exp 1.0, log 0.8, log1p 0.8, expm1 1.8, tanh 2.5, sigmoid 2.3, erf 2.4, erfc 5.6.
// Infinities, NaN and denormal numbers are treated as libm treats them, except that the sign of a zero may be lost.
#ifndef NN_RUNTIME_CPU_VECTOR_MATH_H
#define NN_RUNTIME_CPU_VECTOR_MATH_H

#include "runtime/cpu/codegen.h"

LLVMValueRef vector_math_exp(const struct codegen *, LLVMValueRef x);
LLVMValueRef vector_math_log(const struct codegen *, LLVMValueRef x);
// The same of what is certain to be positive, finite and not denormal.
LLVMValueRef vector_math_log_positive(const struct codegen *, LLVMValueRef x);
LLVMValueRef vector_math_log1p(const struct codegen *, LLVMValueRef x);
LLVMValueRef vector_math_expm1(const struct codegen *, LLVMValueRef x);
LLVMValueRef vector_math_tanh(const struct codegen *, LLVMValueRef x);
LLVMValueRef vector_math_sigmoid(const struct codegen *, LLVMValueRef x);
LLVMValueRef vector_math_erf(const struct codegen *, LLVMValueRef x);
LLVMValueRef vector_math_erfc(const struct codegen *, LLVMValueRef x);
// Of |x| <= pi/4.
void vector_math_sincos(const struct codegen *, LLVMValueRef x, LLVMValueRef *sine, LLVMValueRef *cosine);

#endif

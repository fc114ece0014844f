// Functions of a kernel, and what they load from kernel_args: where they begin, and only what they use.
#include <stddef.h>

#include "runtime/cpu/kernel_emit.h"

// ---------------------------------------------------------------------------------------------------- functions

LLVMValueRef emit_function_begin(struct emission *e, const char *name, bool internal) {
  struct codegen *cg = &e->cg;
  LLVMTypeRef types[] = {cg->pointer, cg->int64, cg->int64, cg->pointer};
  LLVMValueRef f = codegen_function(cg, name, LLVMFunctionType(cg->void_type, types, 4, 0), internal);
  e->n_functions++;
  e->args = LLVMGetParam(f, 0);
  e->scratch = LLVMGetParam(f, 3);
  e->arguments = LLVMAppendBasicBlockInContext(cg->context, f, "arguments");
  e->body = LLVMAppendBasicBlockInContext(cg->context, f, "body");
  e->done = LLVMAppendBasicBlockInContext(cg->context, f, "done");
  if (internal) {
    LLVMBuildBr(cg->builder, e->arguments);
  } else {  // of no rows there is nothing to load
    LLVMValueRef some = LLVMBuildICmp(cg->builder, LLVMIntSLT, LLVMGetParam(f, 1), LLVMGetParam(f, 2), "");
    LLVMBuildCondBr(cg->builder, some, e->arguments, e->done);
  }
  LLVMPositionBuilderAtEnd(cg->builder, e->done);
  LLVMBuildRetVoid(cg->builder);
  LLVMPositionBuilderAtEnd(cg->builder, e->body);
  return f;
}

void emit_function_end(struct emission *e) {
  LLVMBuildBr(e->cg.builder, e->done);
  LLVMPositionBuilderAtEnd(e->cg.builder, e->arguments);
  LLVMBuildBr(e->cg.builder, e->body);
}

// ---------------------------------------------------------------------------------------------------- arguments

// Moves the builder to the function's loads; gives the place to go back to.
static LLVMBasicBlockRef go_to_arguments(struct emission *e) {
  LLVMBasicBlockRef here = LLVMGetInsertBlock(e->cg.builder);
  LLVMPositionBuilderAtEnd(e->cg.builder, e->arguments);
  return here;
}

static LLVMValueRef keep(struct emission *e, struct known *known, LLVMValueRef value,
                         LLVMBasicBlockRef back_to) {
  LLVMPositionBuilderAtEnd(e->cg.builder, back_to);
  *known = (struct known){value, e->n_functions};
  return value;
}

static LLVMValueRef argument(struct emission *e, struct known *known, size_t offset, LLVMTypeRef type) {
  if (known->round == e->n_functions)
    return known->value;
  LLVMBasicBlockRef here = go_to_arguments(e);
  LLVMValueRef address = codegen_at_byte(&e->cg, e->args, codegen_word(&e->cg, (int64_t)offset));
  return keep(e, known, LLVMBuildLoad2(e->cg.builder, type, address, ""), here);
}

LLVMValueRef emit_values_base(struct emission *e) {
  return argument(e, &e->values, offsetof(struct kernel_args, values), e->cg.pointer);
}

LLVMValueRef emit_gradients_base(struct emission *e) {
  return argument(e, &e->gradients, offsetof(struct kernel_args, gradients), e->cg.pointer);
}

LLVMValueRef emit_examples(struct emission *e) {
  return argument(e, &e->examples, offsetof(struct kernel_args, examples), e->cg.pointer);
}

LLVMValueRef emit_ordinals(struct emission *e) {
  return argument(e, &e->ordinals, offsetof(struct kernel_args, ordinals), e->cg.pointer);
}

static const size_t array_offsets[] = {
    [EMIT_ROWS] = offsetof(struct kernel_args, rows),
    [EMIT_INDICES] = offsetof(struct kernel_args, indices),
    [EMIT_NUMBERS] = offsetof(struct kernel_args, numbers),
    [EMIT_PARAMS] = offsetof(struct kernel_args, params),
    [EMIT_OUTPUTS] = offsetof(struct kernel_args, outputs),
    [EMIT_OUTPUT_GRADIENTS] = offsetof(struct kernel_args, output_gradients),
    [EMIT_SINKS] = offsetof(struct kernel_args, sinks),
    [EMIT_TERMS] = offsetof(struct kernel_args, terms),
    [EMIT_SIZES] = offsetof(struct kernel_args, sizes),
    [EMIT_OUTPUT_ROWS] = offsetof(struct kernel_args, output_rows),
    [EMIT_GRADIENT_ROWS] = offsetof(struct kernel_args, gradient_rows),
};

LLVMValueRef emit_array_element(struct emission *e, enum emit_array array, uint32_t i) {
  struct known *known = &e->elements[array][i];
  if (known->round == e->n_functions)
    return known->value;
  LLVMValueRef base = argument(e, &e->arrays[array], array_offsets[array], e->cg.pointer);
  LLVMBasicBlockRef here = go_to_arguments(e);
  LLVMValueRef address = codegen_at(&e->cg, e->cg.pointer, base, codegen_word(&e->cg, i));
  return keep(e, known, codegen_load(&e->cg, e->cg.pointer, address), here);
}

// draws_key in LLVM code.
static LLVMValueRef draws_key(struct emission *e, LLVMValueRef seed, LLVMValueRef epoch) {
  LLVMBuilderRef b = e->cg.builder;
  LLVMTypeRef type = e->cg.int64;
  LLVMValueRef golden = LLVMConstInt(type, 0x9E3779B97F4A7C15u, 0);
  LLVMValueRef z = LLVMBuildAdd(b, LLVMBuildAdd(b, LLVMBuildMul(b, seed, golden, ""), epoch, ""), golden, "");
  z = LLVMBuildXor(b, z, LLVMBuildLShr(b, z, LLVMConstInt(type, 30, 0), ""), "");
  z = LLVMBuildMul(b, z, LLVMConstInt(type, 0xBF58476D1CE4E5B9u, 0), "");
  z = LLVMBuildXor(b, z, LLVMBuildLShr(b, z, LLVMConstInt(type, 27, 0), ""), "");
  z = LLVMBuildMul(b, z, LLVMConstInt(type, 0x94D049BB133111EBu, 0), "");
  return LLVMBuildXor(b, z, LLVMBuildLShr(b, z, LLVMConstInt(type, 31, 0), ""), "");
}

LLVMValueRef emit_key(struct emission *e) {
  if (e->key.round == e->n_functions)
    return e->key.value;
  struct known number = {0};
  LLVMValueRef seed = argument(e, &number, offsetof(struct kernel_args, seed), e->cg.int64);
  number.round = 0;
  LLVMValueRef epoch = argument(e, &number, offsetof(struct kernel_args, epoch), e->cg.int64);
  LLVMBasicBlockRef here = go_to_arguments(e);
  return keep(e, &e->key, draws_key(e, seed, epoch), here);
}

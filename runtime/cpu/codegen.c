// Short helpers over LLVM's C API for numeric code.
#include "runtime/cpu/codegen.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define MAX_LANES 64

void codegen_init(struct codegen *cg, LLVMModuleRef module, const struct cpu_features *cpu,
                  enum nn_element element) {
  LLVMContextRef context = LLVMGetModuleContext(module);
  *cg = (struct codegen){
      .context = context,
      .module = module,
      .builder = LLVMCreateBuilderInContext(context),
      .cpu = *cpu,
      .element = element,
      .lanes = cpu->vector_bytes / (unsigned)nn_element_bytes(element),
      .real = element == NN_F32 ? LLVMFloatTypeInContext(context) : LLVMDoubleTypeInContext(context),
      .int64 = LLVMInt64TypeInContext(context),
      .int32 = LLVMInt32TypeInContext(context),
      .pointer = LLVMPointerTypeInContext(context, 0),
      .void_type = LLVMVoidTypeInContext(context),
  };
}

void codegen_free(struct codegen *cg) { LLVMDisposeBuilder(cg->builder); }

LLVMValueRef codegen_function(struct codegen *cg, const char *name, LLVMTypeRef type, bool internal) {
  cg->function = LLVMAddFunction(cg->module, name, type);
  if (internal)
    LLVMSetLinkage(cg->function, LLVMInternalLinkage);
  LLVMPositionBuilderAtEnd(cg->builder, LLVMAppendBasicBlockInContext(cg->context, cg->function, "entry"));
  return cg->function;
}

// --------------------------------------------------------------------------------------- types and constants

LLVMTypeRef codegen_lanes(const struct codegen *cg, LLVMTypeRef scalar, unsigned lanes) {
  (void)cg;
  return lanes == 1 ? scalar : LLVMVectorType(scalar, lanes);
}

static unsigned lanes_of_type(LLVMTypeRef type) {
  return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetVectorSize(type) : 1;
}

unsigned codegen_lanes_of(LLVMValueRef value) { return lanes_of_type(LLVMTypeOf(value)); }

LLVMTypeRef codegen_int_like(const struct codegen *cg, LLVMValueRef value) {
  return codegen_lanes(cg, cg->element == NN_F32 ? cg->int32 : cg->int64, codegen_lanes_of(value));
}

static LLVMValueRef repeated(LLVMValueRef scalar, unsigned lanes) {
  if (lanes == 1)
    return scalar;
  LLVMValueRef all[MAX_LANES];
  assert(lanes <= MAX_LANES);
  for (unsigned i = 0; i < lanes; i++)
    all[i] = scalar;
  return LLVMConstVector(all, lanes);
}

LLVMValueRef codegen_real(const struct codegen *cg, unsigned lanes, double value) {
  return repeated(LLVMConstReal(cg->real, value), lanes);
}

LLVMValueRef codegen_real_like(const struct codegen *cg, LLVMValueRef like, double value) {
  return codegen_real(cg, codegen_lanes_of(like), value);
}

LLVMValueRef codegen_int_constant(LLVMTypeRef type, int64_t value) {
  unsigned lanes = lanes_of_type(type);
  LLVMTypeRef scalar = lanes == 1 ? type : LLVMGetElementType(type);
  return repeated(LLVMConstInt(scalar, (unsigned long long)value, 1), lanes);
}

LLVMValueRef codegen_word(const struct codegen *cg, int64_t value) {
  return LLVMConstInt(cg->int64, (unsigned long long)value, 1);
}

LLVMValueRef codegen_iota(const struct codegen *cg, unsigned lanes) {
  LLVMValueRef all[MAX_LANES];
  assert(lanes <= MAX_LANES);
  for (unsigned i = 0; i < lanes; i++)
    all[i] = LLVMConstInt(cg->int32, i, 0);
  return lanes == 1 ? all[0] : LLVMConstVector(all, lanes);
}

LLVMValueRef codegen_prefix_mask(const struct codegen *cg, unsigned lanes, unsigned valid) {
  LLVMValueRef all[MAX_LANES];
  assert(lanes <= MAX_LANES);
  for (unsigned i = 0; i < lanes; i++)
    all[i] = LLVMConstInt(LLVMInt1TypeInContext(cg->context), i < valid, 0);
  return lanes == 1 ? all[0] : LLVMConstVector(all, lanes);
}

LLVMValueRef codegen_splat(const struct codegen *cg, LLVMValueRef scalar, unsigned lanes) {
  if (lanes == 1)
    return scalar;
  LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), lanes);
  LLVMValueRef one = LLVMBuildInsertElement(cg->builder, LLVMGetPoison(type), scalar,
                                            LLVMConstInt(cg->int32, 0, 0), "");
  return LLVMBuildShuffleVector(cg->builder, one, LLVMGetPoison(type),
                                LLVMConstNull(LLVMVectorType(cg->int32, lanes)), "");
}

// ------------------------------------------------------------------------------------------------ arithmetic

LLVMValueRef codegen_intrinsic(const struct codegen *cg, const char *name, unsigned n,
                               LLVMValueRef *operands) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LLVMTypeRef overload = LLVMTypeOf(operands[0]);
  LLVMValueRef function = LLVMGetIntrinsicDeclaration(cg->module, id, &overload, 1);
  LLVMTypeRef type = LLVMIntrinsicGetType(cg->context, id, &overload, 1);
  return LLVMBuildCall2(cg->builder, type, function, operands, n, "");
}

LLVMValueRef codegen_fma(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
  // Without the instruction the intrinsic would become a call of libm for every lane.
  if (!cg->cpu.fma)
    return LLVMBuildFAdd(cg->builder, LLVMBuildFMul(cg->builder, a, b, ""), c, "");
  return codegen_intrinsic(cg, "llvm.fma", 3, (LLVMValueRef[]){a, b, c});
}

LLVMValueRef codegen_select_gt(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b, LLVMValueRef yes,
                               LLVMValueRef no) {
  return LLVMBuildSelect(cg->builder, LLVMBuildFCmp(cg->builder, LLVMRealOGT, a, b, ""), yes, no, "");
}

// `chosen`, by a comparison that a NaN fails, unless b is NaN. That of a gets through: a is chosen then.
static LLVMValueRef unless_nan(const struct codegen *cg, LLVMValueRef b, LLVMValueRef chosen) {
  LLVMValueRef is_nan = LLVMBuildFCmp(cg->builder, LLVMRealUNO, b, b, "");
  if (LLVMIsConstant(is_nan) && LLVMIsNull(is_nan))
    return chosen;
  return LLVMBuildSelect(cg->builder, is_nan, b, chosen, "");
}

LLVMValueRef codegen_maximum(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b) {
  return unless_nan(cg, b, codegen_select_gt(cg, b, a, b, a));
}

LLVMValueRef codegen_minimum(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b) {
  return unless_nan(cg, b, codegen_select_gt(cg, a, b, b, a));
}

// ---------------------------------------------------------------------------------------------------- memory

LLVMValueRef codegen_at(const struct codegen *cg, LLVMTypeRef item, LLVMValueRef base, LLVMValueRef index) {
  return LLVMBuildInBoundsGEP2(cg->builder, item, base, &index, 1, "");
}

LLVMValueRef codegen_at_byte(const struct codegen *cg, LLVMValueRef base, LLVMValueRef offset) {
  return codegen_at(cg, LLVMInt8TypeInContext(cg->context), base, offset);
}

static unsigned alignment_of(const struct codegen *cg, LLVMTypeRef type) {
  LLVMTypeRef scalar = lanes_of_type(type) == 1 ? type : LLVMGetElementType(type);
  if (scalar == cg->int32)
    return 4;
  return scalar == cg->real ? (unsigned)nn_element_bytes(cg->element) : 8;
}

LLVMValueRef codegen_load(const struct codegen *cg, LLVMTypeRef type, LLVMValueRef address) {
  LLVMValueRef load = LLVMBuildLoad2(cg->builder, type, address, "");
  LLVMSetAlignment(load, alignment_of(cg, type));
  return load;
}

void codegen_store(const struct codegen *cg, LLVMValueRef value, LLVMValueRef address) {
  LLVMSetAlignment(LLVMBuildStore(cg->builder, value, address), alignment_of(cg, LLVMTypeOf(value)));
}

static LLVMValueRef call_masked(const struct codegen *cg, const char *name, LLVMTypeRef vector,
                                LLVMTypeRef addresses, unsigned n, LLVMValueRef *operands) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LLVMTypeRef overloads[2] = {vector, addresses};
  LLVMValueRef function = LLVMGetIntrinsicDeclaration(cg->module, id, overloads, 2);
  return LLVMBuildCall2(cg->builder, LLVMIntrinsicGetType(cg->context, id, overloads, 2), function, operands,
                        n, "");
}

LLVMValueRef codegen_load_masked(const struct codegen *cg, LLVMTypeRef vector, LLVMValueRef address,
                                 LLVMValueRef mask) {
  LLVMValueRef alignment = LLVMConstInt(cg->int32, alignment_of(cg, vector), 0);
  LLVMValueRef operands[] = {address, alignment, mask, LLVMConstNull(vector)};
  return call_masked(cg, "llvm.masked.load", vector, cg->pointer, 4, operands);
}

void codegen_store_masked(const struct codegen *cg, LLVMValueRef value, LLVMValueRef address,
                          LLVMValueRef mask) {
  LLVMTypeRef vector = LLVMTypeOf(value);
  LLVMValueRef alignment = LLVMConstInt(cg->int32, alignment_of(cg, vector), 0);
  LLVMValueRef operands[] = {value, address, alignment, mask};
  call_masked(cg, "llvm.masked.store", vector, cg->pointer, 4, operands);
}

LLVMValueRef codegen_gather(const struct codegen *cg, LLVMTypeRef vector, LLVMValueRef addresses,
                            LLVMValueRef mask) {
  LLVMValueRef alignment = LLVMConstInt(cg->int32, alignment_of(cg, vector), 0);
  LLVMValueRef operands[] = {addresses, alignment, mask, LLVMConstNull(vector)};
  return call_masked(cg, "llvm.masked.gather", vector, LLVMTypeOf(addresses), 4, operands);
}

LLVMValueRef codegen_load_prefix(const struct codegen *cg, LLVMTypeRef vector, LLVMValueRef address,
                                 unsigned valid) {
  unsigned lanes = lanes_of_type(vector);
  return lanes == valid ? codegen_load(cg, vector, address)
                        : codegen_load_masked(cg, vector, address, codegen_prefix_mask(cg, lanes, valid));
}

void codegen_store_prefix(const struct codegen *cg, LLVMValueRef value, LLVMValueRef address,
                          unsigned valid) {
  unsigned lanes = codegen_lanes_of(value);
  if (lanes == valid)
    codegen_store(cg, value, address);
  else
    codegen_store_masked(cg, value, address, codegen_prefix_mask(cg, lanes, valid));
}

// ----------------------------------------------------------------------------------------------------- loops

static void begin(struct codegen *cg, struct codegen_loop *loop, bool guarded, LLVMValueRef from,
                  LLVMValueRef to, LLVMValueRef step, unsigned n, const LLVMValueRef *initial) {
  assert(n <= CODEGEN_CARRIED);
  *loop = (struct codegen_loop){
      .before = LLVMGetInsertBlock(cg->builder),
      .body = LLVMAppendBasicBlockInContext(cg->context, cg->function, "loop"),
      .after = LLVMAppendBasicBlockInContext(cg->context, cg->function, "after"),
      .to = to,
      .step = step,
      .guarded = guarded,
      .n = n,
  };
  if (guarded)
    LLVMBuildCondBr(cg->builder, LLVMBuildICmp(cg->builder, LLVMIntSLT, from, to, ""), loop->body,
                    loop->after);
  else
    LLVMBuildBr(cg->builder, loop->body);
  LLVMPositionBuilderAtEnd(cg->builder, loop->body);
  loop->index = LLVMBuildPhi(cg->builder, cg->int64, "");
  LLVMAddIncoming(loop->index, &from, &loop->before, 1);
  for (unsigned i = 0; i < n; i++) {
    loop->initial[i] = initial[i];
    loop->carried[i] = LLVMBuildPhi(cg->builder, LLVMTypeOf(initial[i]), "");
    LLVMAddIncoming(loop->carried[i], &loop->initial[i], &loop->before, 1);
  }
}

void codegen_loop_begin(struct codegen *cg, struct codegen_loop *loop, LLVMValueRef from, LLVMValueRef to,
                        LLVMValueRef step, unsigned n, const LLVMValueRef *initial) {
  begin(cg, loop, false, from, to, step, n, initial);
}

void codegen_loop_begin_guarded(struct codegen *cg, struct codegen_loop *loop, LLVMValueRef from,
                                LLVMValueRef to, LLVMValueRef step, unsigned n, const LLVMValueRef *initial) {
  begin(cg, loop, true, from, to, step, n, initial);
}

void codegen_loop_end(struct codegen *cg, struct codegen_loop *loop, const LLVMValueRef *next) {
  LLVMValueRef index = LLVMBuildNSWAdd(cg->builder, loop->index, loop->step, "");
  LLVMBasicBlockRef latch = LLVMGetInsertBlock(cg->builder);
  LLVMBuildCondBr(cg->builder, LLVMBuildICmp(cg->builder, LLVMIntSLT, index, loop->to, ""), loop->body,
                  loop->after);
  LLVMMoveBasicBlockAfter(loop->after, latch);
  LLVMAddIncoming(loop->index, &index, &latch, 1);
  LLVMPositionBuilderAtEnd(cg->builder, loop->after);
  for (unsigned i = 0; i < loop->n; i++) {
    LLVMValueRef value = next[i];
    LLVMAddIncoming(loop->carried[i], &value, &latch, 1);
    if (loop->guarded) {
      loop->carried[i] = LLVMBuildPhi(cg->builder, LLVMTypeOf(value), "");
      LLVMAddIncoming(loop->carried[i], (LLVMValueRef[]){loop->initial[i], value},
                      (LLVMBasicBlockRef[]){loop->before, latch}, 2);
    } else {
      loop->carried[i] = value;
    }
  }
}

// ----------------------------------------------------------------------------------------------------- lanes

// Lanes [from, from + count) of a vector.
static LLVMValueRef part(const struct codegen *cg, LLVMValueRef vector, unsigned from, unsigned count) {
  LLVMValueRef all[MAX_LANES];
  for (unsigned i = 0; i < count; i++)
    all[i] = LLVMConstInt(cg->int32, from + i, 0);
  return LLVMBuildShuffleVector(cg->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                LLVMConstVector(all, count), "");
}

typedef LLVMValueRef combine_fn(const struct codegen *, LLVMValueRef, LLVMValueRef);

static LLVMValueRef fold(const struct codegen *cg, LLVMValueRef vector, combine_fn *combine) {
  unsigned lanes = codegen_lanes_of(vector);
  if (lanes == 1)
    return vector;
  for (; lanes > 1; lanes /= 2)
    vector = combine(cg, part(cg, vector, 0, lanes / 2), part(cg, vector, lanes / 2, lanes / 2));
  return LLVMBuildExtractElement(cg->builder, vector, LLVMConstInt(cg->int32, 0, 0), "");
}

static LLVMValueRef add(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b) {
  return LLVMBuildFAdd(cg->builder, a, b, "");
}

static LLVMValueRef smaller_int(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b) {
  return LLVMBuildSelect(cg->builder, LLVMBuildICmp(cg->builder, LLVMIntSLT, b, a, ""), b, a, "");
}

LLVMValueRef codegen_sum_lanes(const struct codegen *cg, LLVMValueRef vector) {
  return fold(cg, vector, add);
}

static LLVMValueRef larger(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b) {
  return codegen_select_gt(cg, b, a, b, a);
}

// Whether a lane is NaN is asked of all lanes at once: the steps of the fold wait for each other, and a comparison of
// their own would make each of them three times as long.
// One half of each group of `size` lanes of a, then of b.
static LLVMValueRef halves(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b, unsigned size,
                           unsigned half) {
  LLVMValueRef all[MAX_LANES];
  unsigned n = 0, lanes = codegen_lanes_of(a) * (a == b ? 1 : 2);
  for (unsigned i = 0; i < lanes; i++)
    if (i % size / (size / 2) == half)
      all[n++] = LLVMConstInt(cg->int32, i, 0);
  return LLVMBuildShuffleVector(cg->builder, a, b, LLVMConstVector(all, n), "");
}

LLVMValueRef codegen_sum_lanes_of(const struct codegen *cg, LLVMValueRef *vectors, unsigned n) {
  unsigned size = codegen_lanes_of(vectors[0]);
  for (; n > 1; n /= 2, size /= 2)
    for (unsigned i = 0; i < n / 2; i++)
      vectors[i] = add(cg, halves(cg, vectors[2 * i], vectors[2 * i + 1], size, 0),
                       halves(cg, vectors[2 * i], vectors[2 * i + 1], size, 1));
  for (; size > 1; size /= 2)
    vectors[0] = add(cg, halves(cg, vectors[0], vectors[0], size, 0),
                     halves(cg, vectors[0], vectors[0], size, 1));
  return vectors[0];
}

LLVMValueRef codegen_max_lanes(const struct codegen *cg, LLVMValueRef vector) {
  unsigned lanes = codegen_lanes_of(vector);
  if (lanes == 1)
    return vector;
  LLVMTypeRef bits = LLVMIntTypeInContext(cg->context, lanes);
  LLVMValueRef is_nan =
      LLVMBuildBitCast(cg->builder, LLVMBuildFCmp(cg->builder, LLVMRealUNO, vector, vector, ""), bits, "");
  LLVMValueRef any = LLVMBuildICmp(cg->builder, LLVMIntNE, is_nan, LLVMConstNull(bits), "");
  return LLVMBuildSelect(cg->builder, any, codegen_real(cg, 1, NAN), fold(cg, vector, larger), "");
}

LLVMValueRef codegen_min_lanes_int(const struct codegen *cg, LLVMValueRef vector) {
  return fold(cg, vector, smaller_int);
}

// Random words of dropouts, and normal and uniform numbers, as LLVM code; see runtime/kernel/draws.h.
#include <math.h>

#include "runtime/cpu/kernel_emit.h"
#include "runtime/cpu/vector_math.h"
#include "runtime/kernel/draws.h"

static LLVMValueRef word(struct emission *e, int64_t value) { return codegen_word(&e->cg, value); }

struct philox {
  LLVMValueRef c[4];
};

// Both halves of the product of 32-bit lanes with a constant.
static void multiply_wide(struct codegen *cg, LLVMValueRef x, uint32_t factor, LLVMValueRef *high,
                          LLVMValueRef *low) {
  unsigned lanes = codegen_lanes_of(x);
  LLVMTypeRef wide = codegen_lanes(cg, cg->int64, lanes), narrow = LLVMTypeOf(x);
  LLVMValueRef product = LLVMBuildMul(cg->builder, LLVMBuildZExt(cg->builder, x, wide, ""),
                                      codegen_int_constant(wide, factor), "");
  *low = LLVMBuildTrunc(cg->builder, product, narrow, "");
  *high = LLVMBuildTrunc(cg->builder, LLVMBuildLShr(cg->builder, product, codegen_int_constant(wide, 32), ""),
                         narrow, "");
}

static void philox_round(struct codegen *cg, struct philox *p, LLVMValueRef k0, LLVMValueRef k1) {
  LLVMValueRef high0, low0, high1, low1;
  multiply_wide(cg, p->c[0], PHILOX_M0, &high0, &low0);
  multiply_wide(cg, p->c[2], PHILOX_M1, &high1, &low1);
  unsigned lanes = codegen_lanes_of(low0);
  LLVMValueRef x0 = LLVMBuildXor(cg->builder, LLVMBuildXor(cg->builder, high1, p->c[1], ""),
                                 codegen_splat(cg, k0, lanes), "");
  LLVMValueRef x2 = LLVMBuildXor(cg->builder, LLVMBuildXor(cg->builder, high0, p->c[3], ""),
                                 codegen_splat(cg, k1, lanes), "");
  *p = (struct philox){{x0, low1, x2, low0}};
}

static LLVMValueRef load_key(struct emission *e, LLVMValueRef array) {
  return codegen_load(&e->cg, e->cg.int32, codegen_at(&e->cg, e->cg.int32, array, e->row));
}

// The words of `lanes` neighbouring counters from `first` on.
static struct philox draw_words(struct emission *e, uint32_t site, LLVMValueRef first, unsigned lanes) {
  struct codegen *cg = &e->cg;
  LLVMValueRef key = emit_key(e), key0 = LLVMBuildTrunc(cg->builder, key, cg->int32, "");
  LLVMValueRef key1 = LLVMBuildTrunc(cg->builder, LLVMBuildLShr(cg->builder, key, word(e, 32), ""), cg->int32,
                                     "");
  struct philox p = {{
      LLVMBuildAdd(cg->builder, codegen_splat(cg, first, lanes), codegen_iota(cg, lanes), ""),
      codegen_int_constant(codegen_lanes(cg, cg->int32, lanes), site),
      codegen_splat(cg, load_key(e, emit_ordinals(e)), lanes),
      codegen_splat(cg, load_key(e, emit_examples(e)), lanes),
  }};
  for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
    LLVMValueRef k0 = LLVMBuildAdd(cg->builder, key0, LLVMConstInt(cg->int32, round * PHILOX_W0, 0), "");
    LLVMValueRef k1 = LLVMBuildAdd(cg->builder, key1, LLVMConstInt(cg->int32, round * PHILOX_W1, 0), "");
    philox_round(cg, &p, k0, k1);
  }
  return p;
}

static LLVMValueRef real(const struct codegen *cg, LLVMValueRef like, double value) {
  return codegen_real_like(cg, like, value);
}

// draws_unit. In f32 the largest words would be rounded to 1.
static LLVMValueRef unit(const struct codegen *cg, LLVMValueRef words) {
  LLVMValueRef x = LLVMBuildUIToFP(cg->builder, words, codegen_lanes(cg, cg->real, codegen_lanes_of(words)),
                                   "");
  x = codegen_fma(cg, x, real(cg, x, 0x1p-32), real(cg, x, 0x1p-33));
  if (cg->element == NN_F64)
    return x;
  LLVMValueRef last = real(cg, x, 1 - 0x1p-24);
  return codegen_select_gt(cg, x, last, last, x);
}

// See draws_normal. The angle is a number of quarter turns and what is left, at most an eighth: no digit of the word is
// lost, and sine and cosine need no reduction.
static void box_muller(const struct codegen *cg, LLVMValueRef a, LLVMValueRef b, LLVMValueRef *cosine,
                       LLVMValueRef *sine) {
  LLVMBuilderRef builder = cg->builder;
  LLVMTypeRef words = LLVMTypeOf(b);
  LLVMValueRef square = vector_math_log_positive(cg, unit(cg, a));
  square = LLVMBuildFMul(builder, square, real(cg, square, -2), "");
  LLVMValueRef radius = codegen_intrinsic(cg, "llvm.sqrt", 1, &square);
  LLVMValueRef eighth = codegen_int_constant(words, 1 << 29), thirty = codegen_int_constant(words, 30);
  LLVMValueRef quarters = LLVMBuildLShr(builder, LLVMBuildAdd(builder, b, eighth, ""), thirty, "");
  LLVMValueRef rest = LLVMBuildSub(builder, b, LLVMBuildShl(builder, quarters, thirty, ""), "");
  LLVMValueRef x = LLVMBuildSIToFP(builder, rest, LLVMTypeOf(radius), "");
  x = codegen_fma(cg, x, real(cg, x, M_PI * 0x1p-31), real(cg, x, M_PI * 0x1p-32));
  LLVMValueRef s, c;
  vector_math_sincos(cg, x, &s, &c);
  s = LLVMBuildFMul(builder, s, radius, "");
  c = LLVMBuildFMul(builder, c, radius, "");
  LLVMValueRef zero = LLVMConstNull(words), one = codegen_int_constant(words, 1);
  LLVMValueRef odd = LLVMBuildICmp(builder, LLVMIntNE, LLVMBuildAnd(builder, quarters, one, ""), zero, "");
  LLVMValueRef swapped[] = {LLVMBuildSelect(builder, odd, s, c, ""), LLVMBuildSelect(builder, odd, c, s, "")};
  // The cosine is negative in the quarters 1 and 2, the sine in 2 and 3.
  for (int i = 0; i < 2; i++) {
    LLVMValueRef half = LLVMBuildAdd(builder, quarters, i == 0 ? one : zero, "");
    half = LLVMBuildAnd(builder, half, codegen_int_constant(words, 2), "");
    LLVMValueRef negative = LLVMBuildICmp(builder, LLVMIntNE, half, zero, "");
    *(i == 0 ? cosine : sine) = LLVMBuildSelect(builder, negative, LLVMBuildFNeg(builder, swapped[i], ""),
                                                swapped[i], "");
  }
}

// The group of elements that begins at 4 * `counter`.
static void draw_group(struct emission *e, const struct node *draws, LLVMValueRef counter, LLVMValueRef to) {
  struct codegen *cg = &e->cg;
  unsigned lanes = cg->cpu.vector_bytes / 4;
  LLVMValueRef first = LLVMBuildTrunc(cg->builder, counter, cg->int32, "");
  LLVMValueRef at = LLVMBuildMul(cg->builder, counter, word(e, 4), "");
  for (unsigned part = 0; part < NN_LANES; part += lanes) {
    LLVMValueRef begin = LLVMBuildAdd(cg->builder, first, LLVMConstInt(cg->int32, part, 0), "");
    struct philox p = draw_words(e, draws->index, begin, lanes);
    for (unsigned i = 0; i < 4 && draws->op == NODE_UNIFORM; i++)
      p.c[i] = unit(cg, p.c[i]);
    for (unsigned i = 0; i < 4 && draws->op == NODE_NORMAL; i += 2)
      box_muller(cg, p.c[i], p.c[i + 1], &p.c[i], &p.c[i + 1]);
    for (unsigned i = 0; i < 4; i++) {
      LLVMValueRef element = LLVMBuildAdd(cg->builder, at, word(e, i * NN_LANES + part), "");
      LLVMTypeRef item = draws->op == NODE_DRAWS ? cg->int32 : cg->real;
      codegen_store(cg, p.c[i], codegen_at(cg, item, to, element));
    }
  }
}

void emit_draw_groups(struct emission *e, const struct node *draws, LLVMValueRef groups, LLVMValueRef to) {
  struct codegen_loop loop;
  LLVMValueRef end = LLVMBuildMul(e->cg.builder, groups, word(e, NN_LANES), "");
  codegen_loop_begin(&e->cg, &loop, word(e, 0), end, word(e, NN_LANES), 0, NULL);
  draw_group(e, draws, loop.index, to);
  codegen_loop_end(&e->cg, &loop, NULL);
}

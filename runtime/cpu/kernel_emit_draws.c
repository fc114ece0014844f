// Random words of dropouts as LLVM code; see runtime/kernel/draws.h.
#include "runtime/cpu/kernel_emit.h"
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

// Words of the group of 64 elements that begins at 4 * `counter`; see draws_dropout_word.
static void draw_group(struct emission *e, uint32_t site, LLVMValueRef counter, LLVMValueRef words) {
  struct codegen *cg = &e->cg;
  unsigned lanes = cg->cpu.vector_bytes / 4;
  LLVMValueRef key = emit_key(e), key0 = LLVMBuildTrunc(cg->builder, key, cg->int32, "");
  LLVMValueRef key1 = LLVMBuildTrunc(cg->builder, LLVMBuildLShr(cg->builder, key, word(e, 32), ""), cg->int32,
                                     "");
  LLVMValueRef first = LLVMBuildTrunc(cg->builder, counter, cg->int32, "");
  for (unsigned half = 0; half < NN_LANES; half += lanes) {
    LLVMValueRef begin = LLVMBuildAdd(cg->builder, first, LLVMConstInt(cg->int32, half, 0), "");
    struct philox p = {{
        LLVMBuildAdd(cg->builder, codegen_splat(cg, begin, lanes), codegen_iota(cg, lanes), ""),
        codegen_int_constant(codegen_lanes(cg, cg->int32, lanes), site),
        codegen_splat(cg, load_key(e, emit_ordinals(e)), lanes),
        codegen_splat(cg, load_key(e, emit_examples(e)), lanes),
    }};
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
      LLVMValueRef k0 = LLVMBuildAdd(cg->builder, key0, LLVMConstInt(cg->int32, round * PHILOX_W0, 0), "");
      LLVMValueRef k1 = LLVMBuildAdd(cg->builder, key1, LLVMConstInt(cg->int32, round * PHILOX_W1, 0), "");
      philox_round(cg, &p, k0, k1);
    }
    LLVMValueRef at = LLVMBuildMul(cg->builder, counter, word(e, 4), "");
    for (unsigned i = 0; i < 4; i++) {
      LLVMValueRef element = LLVMBuildAdd(cg->builder, at, word(e, i * NN_LANES + half), "");
      codegen_store(cg, p.c[i], codegen_at(cg, cg->int32, words, element));
    }
  }
}

void emit_draw_words(struct emission *e, uint32_t site, LLVMValueRef groups, LLVMValueRef words) {
  struct codegen_loop loop;
  LLVMValueRef end = LLVMBuildMul(e->cg.builder, groups, word(e, NN_LANES), "");
  codegen_loop_begin(&e->cg, &loop, word(e, 0), end, word(e, NN_LANES), 0, NULL);
  draw_group(e, site, loop.index, words);
  codegen_loop_end(&e->cg, &loop, NULL);
}

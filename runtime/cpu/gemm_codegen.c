// Emits the micro-kernels.
#include "runtime/cpu/gemm_codegen.h"

#include <assert.h>

// Larger blocks prefetch weights this far ahead: 16 steps of k, which they take about as long to work through
// as the second-level cache to answer. With few rows the loads alone keep the cache busy.
#define PREFETCH_BYTES 2048
#define PREFETCH_MIN_ROWS 6
// Blocks of few rows do several steps of k in one turn of the loop, which hides its bookkeeping. Large ones
// need no help and would only spill.
#define UNROLL 4
#define UNROLL_MAX_ROWS 4
#define MAX_ROWS GEMM_MAX_ROWS
#define MAX_VECTORS 8

struct block {
  struct codegen *cg;
  int rows, vectors;
  LLVMTypeRef vector;
  unsigned vector_bytes;
  LLVMValueRef x[MAX_ROWS];  // row pointers
  LLVMValueRef weights;      // the first panel's first wanted column
  LLVMValueRef panel_bytes;
};

static LLVMValueRef byte_offset(struct codegen *cg, LLVMValueRef base, int64_t bytes) {
  return bytes == 0 ? base : codegen_at_byte(cg, base, codegen_word(cg, bytes));
}

// The weights of vector j at `at`, which points into the first panel.
static LLVMValueRef load_weights(struct block *block, LLVMValueRef at, int j) {
  struct codegen *cg = block->cg;
  int in_panel = GEMM_PANEL_BYTES / (int)block->vector_bytes;
  if (j >= in_panel)
    at = codegen_at_byte(cg, at,
                         LLVMBuildMul(cg->builder, block->panel_bytes, codegen_word(cg, j / in_panel), ""));
  return codegen_load(cg, block->vector, byte_offset(cg, at, j % in_panel * (int64_t)block->vector_bytes));
}

static void prefetch(struct codegen *cg, LLVMValueRef address) {
  LLVMTypeRef type = cg->int32;
  LLVMValueRef read = LLVMConstInt(type, 0, 0), keep = LLVMConstInt(type, 3, 0),
               data = LLVMConstInt(type, 1, 0);
  codegen_intrinsic(cg, "llvm.prefetch", 4, (LLVMValueRef[]){address, read, keep, data});
}

// One step of k: accumulators[i * vectors + j] += x[i][k + ahead] * weights[k + ahead][j].
static void step(struct block *block, LLVMValueRef k, LLVMValueRef at, int ahead,
                 LLVMValueRef *accumulators) {
  struct codegen *cg = block->cg;
  LLVMValueRef w[MAX_VECTORS];
  for (int j = 0; j < block->vectors; j++)
    w[j] = load_weights(block, byte_offset(cg, at, (int64_t)ahead * GEMM_PANEL_BYTES), j);
  int used_bytes = block->vectors * (int)block->vector_bytes;
  for (int line = 0; block->rows >= PREFETCH_MIN_ROWS && line < used_bytes && line < GEMM_PANEL_BYTES;
       line += 64)
    prefetch(cg, byte_offset(cg, at, (int64_t)ahead * GEMM_PANEL_BYTES + PREFETCH_BYTES + line));
  for (int i = 0; i < block->rows; i++) {
    LLVMValueRef address = codegen_at(cg, cg->real, block->x[i], k);
    address = byte_offset(cg, address, ahead * (int64_t)nn_element_bytes(cg->element));
    LLVMValueRef x = codegen_splat(cg, codegen_load(cg, cg->real, address), codegen_lanes_of(w[0]));
    for (int j = 0; j < block->vectors; j++)
      accumulators[i * block->vectors + j] = codegen_fma(cg, x, w[j], accumulators[i * block->vectors + j]);
  }
}

// Turns of `unroll` steps while k < to; carries the accumulators and, last, the place in the weights.
static void loop_over_k(struct block *block, LLVMValueRef from, LLVMValueRef to, int unroll,
                        LLVMValueRef *carried) {
  struct codegen *cg = block->cg;
  unsigned n = (unsigned)(block->rows * block->vectors);
  struct codegen_loop loop;
  codegen_loop_begin_guarded(cg, &loop, from, to, codegen_word(cg, unroll), n + 1, carried);
  LLVMValueRef next[CODEGEN_CARRIED];
  for (unsigned i = 0; i <= n; i++)
    next[i] = loop.carried[i];
  for (int ahead = 0; ahead < unroll; ahead++)
    step(block, loop.index, loop.carried[n], ahead, next);
  next[n] = byte_offset(cg, loop.carried[n], (int64_t)unroll * GEMM_PANEL_BYTES);
  codegen_loop_end(cg, &loop, next);
  for (unsigned i = 0; i <= n; i++)
    carried[i] = loop.carried[i];
}

static void no_alias(struct codegen *cg, unsigned parameter) {
  unsigned kind = LLVMGetEnumAttributeKindForName("noalias", 7);
  LLVMAddAttributeAtIndex(cg->function, parameter + 1, LLVMCreateEnumAttribute(cg->context, kind, 0));
}

void gemm_codegen_micro(struct codegen *cg, const char *name, int rows, int vectors) {
  assert(rows <= MAX_ROWS && vectors <= MAX_VECTORS && rows * vectors < CODEGEN_CARRIED);
  LLVMTypeRef types[] = {cg->pointer, cg->pointer, cg->pointer, cg->int64, cg->int64, cg->int64};
  LLVMValueRef f = codegen_function(cg, name, LLVMFunctionType(cg->void_type, types, 6, 0), false);
  no_alias(cg, 2);
  LLVMValueRef k = LLVMGetParam(f, 3), c = LLVMGetParam(f, 2);
  struct block block = {.cg = cg,
                        .rows = rows,
                        .vectors = vectors,
                        .vector = codegen_lanes(cg, cg->real, cg->lanes),
                        .vector_bytes = cg->cpu.vector_bytes,
                        .weights = LLVMGetParam(f, 1),
                        .panel_bytes = LLVMGetParam(f, 4)};
  for (int i = 0; i < rows; i++)
    block.x[i] = codegen_load(cg, cg->pointer, byte_offset(cg, LLVMGetParam(f, 0), i * 8));
  LLVMValueRef carried[CODEGEN_CARRIED];
  for (int i = 0; i < rows * vectors; i++)
    carried[i] = LLVMConstNull(block.vector);
  carried[rows * vectors] = block.weights;
  LLVMValueRef done = codegen_word(cg, 0);
  if (rows <= UNROLL_MAX_ROWS) {
    done = LLVMBuildAnd(cg->builder, k, codegen_word(cg, -UNROLL), "");
    loop_over_k(&block, codegen_word(cg, 0), done, UNROLL, carried);
  }
  loop_over_k(&block, done, k, 1, carried);
  for (int i = 0; i < rows; i++) {
    LLVMValueRef row =
        codegen_at_byte(cg, c, LLVMBuildMul(cg->builder, LLVMGetParam(f, 5), codegen_word(cg, i), ""));
    for (int j = 0; j < vectors; j++)
      codegen_store(cg, carried[i * vectors + j], byte_offset(cg, row, j * (int64_t)block.vector_bytes));
  }
  LLVMBuildRetVoid(cg->builder);
}

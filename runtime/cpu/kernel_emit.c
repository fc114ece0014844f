// The function of a kernel: its arguments, its tiles, its segments.
#include <stddef.h>

#include "runtime/cpu/kernel_emit.h"

static LLVMValueRef argument(struct emission *e, LLVMValueRef args, size_t offset, LLVMTypeRef type) {
  LLVMValueRef address = codegen_at_byte(&e->cg, args, codegen_word(&e->cg, (int64_t)offset));
  return LLVMBuildLoad2(e->cg.builder, type, address, "");
}

// The elements of an array of pointers.
static LLVMValueRef *pointers(struct emission *e, LLVMValueRef args, size_t offset, uint32_t n) {
  LLVMValueRef *all = arena_new_array(e->graph->arena, LLVMValueRef, n);
  if (n == 0)
    return all;
  LLVMValueRef array = argument(e, args, offset, e->cg.pointer);
  for (uint32_t i = 0; i < n; i++)
    all[i] = codegen_load(&e->cg, e->cg.pointer,
                          codegen_at(&e->cg, e->cg.pointer, array, codegen_word(&e->cg, i)));
  return all;
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

static bool has_draws(const struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_steps; i++)
    if (graph->steps[i]->kind == STEP_DRAWS)
      return true;
  return false;
}

static void load_arguments(struct emission *e, LLVMValueRef args) {
  const struct graph *graph = e->graph;
  struct codegen *cg = &e->cg;
  bool adjoint = graph->block->kind == IR_BLOCK_ADJOINT;
#define ARGUMENT(field, type) argument(e, args, offsetof(struct kernel_args, field), type)
#define POINTERS(field, n) pointers(e, args, offsetof(struct kernel_args, field), n)
  e->values = ARGUMENT(values, cg->pointer);
  e->gradients = adjoint ? ARGUMENT(gradients, cg->pointer) : NULL;
  e->rows = POINTERS(rows, graph->n_tensors);
  e->indices = POINTERS(indices, graph->n_integers);
  e->numbers = POINTERS(numbers, graph->n_numbers);
  e->params = POINTERS(params, graph->n_uses);
  e->outputs = POINTERS(outputs, adjoint ? graph->n_saved : graph->n_outputs);
  e->output_gradients = POINTERS(output_gradients, adjoint ? graph->n_results : 0);
  e->sinks = POINTERS(sinks, graph->n_sink_buffers);
  if (has_draws(graph)) {
    e->examples = ARGUMENT(examples, cg->pointer);
    e->ordinals = ARGUMENT(ordinals, cg->pointer);
    e->key = draws_key(e, ARGUMENT(seed, cg->int64), ARGUMENT(epoch, cg->int64));
  }
#undef ARGUMENT
#undef POINTERS
}

// The steps [from, ...) of one segment, row by row; gives the first step after it.
static uint32_t emit_segment(struct emission *e, uint32_t from) {
  struct codegen *cg = &e->cg;
  const struct graph *graph = e->graph;
  struct codegen_loop loop;
  codegen_loop_begin(cg, &loop, codegen_word(cg, 0), e->tile_rows, codegen_word(cg, 1), 0, NULL);
  emit_begin_row(e, LLVMBuildAdd(cg->builder, e->tile, loop.index, ""), loop.index);
  uint32_t i = from;
  for (; i < graph->n_steps && graph->steps[i]->segment == graph->steps[from]->segment; i++) {
    e->step = i;
    emit_row_step(e, graph->steps[i]);
  }
  codegen_loop_end(cg, &loop, NULL);
  return i;
}

static void emit_tile(struct emission *e) {
  const struct graph *graph = e->graph;
  for (uint32_t i = 0; i < graph->n_steps;) {
    if (graph->steps[i]->kind == STEP_PRODUCT) {
      e->step = i;
      emit_product(e, graph->steps[i]);
      i++;
    } else {
      i = emit_segment(e, i);
    }
  }
}

// Tiles of nearly equal size. The builder stands where there is at least one row.
static void emit_tiles(struct emission *e, LLVMValueRef begin, LLVMValueRef end) {
  struct codegen *cg = &e->cg;
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef n = LLVMBuildSub(b, end, begin, ""), rows = n;
  if (e->graph->tile_rows > 0) {
    LLVMValueRef limit = codegen_word(cg, e->graph->tile_rows), one = codegen_word(cg, 1);
    LLVMValueRef tiles = LLVMBuildUDiv(b, LLVMBuildAdd(b, n, LLVMBuildSub(b, limit, one, ""), ""), limit, "");
    rows = LLVMBuildUDiv(b, LLVMBuildAdd(b, n, LLVMBuildSub(b, tiles, one, ""), ""), tiles, "");
  }
  struct codegen_loop loop;
  codegen_loop_begin(cg, &loop, begin, end, rows, 0, NULL);
  LLVMValueRef left = LLVMBuildSub(b, end, loop.index, "");
  e->tile = loop.index;
  e->tile_rows = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, left, rows, ""), left, rows, "");
  emit_tile(e);
  codegen_loop_end(cg, &loop, NULL);
}

void emit_kernel(struct graph *graph, LLVMModuleRef module, const struct cpu_features *cpu) {
  struct emission e = {.graph = graph};
  struct codegen *cg = &e.cg;
  codegen_init(cg, module, cpu, graph->element);
  e.scalars = arena_new_array(graph->arena, LLVMValueRef, graph->n_nodes);
  LLVMTypeRef types[] = {cg->pointer, cg->int64, cg->int64, cg->pointer};
  LLVMValueRef f = codegen_function(cg, "kernel", LLVMFunctionType(cg->void_type, types, 4, 0), false);
  LLVMBasicBlockRef work = LLVMAppendBasicBlockInContext(cg->context, f, "work");
  LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(cg->context, f, "done");
  LLVMValueRef begin = LLVMGetParam(f, 1), end = LLVMGetParam(f, 2);
  LLVMBuildCondBr(cg->builder, LLVMBuildICmp(cg->builder, LLVMIntSLT, begin, end, ""), work, done);
  LLVMPositionBuilderAtEnd(cg->builder, done);
  LLVMBuildRetVoid(cg->builder);
  LLVMPositionBuilderAtEnd(cg->builder, work);
  e.scratch = LLVMGetParam(f, 3);
  load_arguments(&e, LLVMGetParam(f, 0));
  if (graph->n_steps > 0)
    emit_tiles(&e, begin, end);
  LLVMBuildBr(cg->builder, done);
  codegen_free(cg);
}

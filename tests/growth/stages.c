#include "tests/growth/stages.h"

#include <llvm-c/Core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/nnc.h"
#include "compiler/passes/passes.h"
#include "runtime/cpu/kernel_emit.h"
#include "runtime/kernel/kernel_graph.h"
#include "runtime/kernel/reference.h"

double stage_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static _Noreturn void give_up(const char *why) {
  fprintf(stderr, "%s\n", why != NULL ? why : "out of memory");
  exit(1);
}

static void run_passes(struct ir_module *module, struct stage_times *times) {
  struct arena scratch;
  arena_init(&scratch);
  for (const struct pass *pass = passes; pass->name; pass++) {
    double start = stage_seconds();
    pass->function(module, &scratch);
    double taken = stage_seconds() - start;
    arena_free(&scratch);
    times->passes += taken;
    if (taken > times->slowest_pass) {
      times->slowest_pass = taken;
      times->slowest_name = pass->name;
    }
  }
}

struct ir_module *stages_compile(const char *text, struct stage_times *times) {
  struct nnc_options options = {
      .path = "shape.nn", .text = text, .text_length = strlen(text), .stop_after = NNC_STAGE_LOWERED};
  struct nnc_result result;
  double start = stage_seconds();
  if (!nnc_compile(&options, &result)) {
    nnc_render(&result, stderr, false);
    exit(1);
  }
  times->front += stage_seconds() - start;
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  run_passes(module, times);
  return module;
}

static int64_t dim_value(void *context, const struct size_atom *atom) {
  const struct ir_module *module = context;
  int64_t value = 0;
  size_evaluate(module->dims[atom->id]->value, dim_value, context, &value);
  return value;
}

void stages_sizes(const struct ir_module *module, int64_t *dims) {
  for (uint32_t i = 0; i < module->n_dims; i++)
    if (!size_evaluate(module->dims[i]->value, dim_value, (void *)(uintptr_t)module, &dims[i]))
      give_up("a dim without a value");
}

static void count_code(LLVMModuleRef module, struct kernel_counts *counts) {
  for (LLVMValueRef f = LLVMGetFirstFunction(module); f != NULL; f = LLVMGetNextFunction(f)) {
    uint64_t n = 0;
    for (LLVMBasicBlockRef bb = LLVMGetFirstBasicBlock(f); bb != NULL; bb = LLVMGetNextBasicBlock(bb))
      for (LLVMValueRef i = LLVMGetFirstInstruction(bb); i != NULL; i = LLVMGetNextInstruction(i))
        n++;
    counts->instructions += n;
    counts->largest_function = n > counts->largest_function ? n : counts->largest_function;
  }
}

static bool same_kind(const struct buffer *a, const struct buffer *b) {
  return a->row_bytes == b->row_bytes && a->per_row == b->per_row;
}

// The most buffers of a kind that are in use at one step.
static uint64_t most_in_use(const struct graph *graph, const struct buffer *kind) {
  uint64_t most = 0;
  for (uint32_t step = 0; step < graph->n_steps; step++) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < graph->n_buffers; i++) {
      const struct buffer *b = &graph->buffers[i];
      n += b->segment != 0 && b->first <= step && step <= b->last && same_kind(b, kind);
    }
    most = n > most ? n : most;
  }
  return most;
}

static uint64_t unshared_bytes(const struct graph *graph) {
  uint64_t needed = 0, begin = graph->scratch_bytes;
  for (uint32_t i = 0; i < graph->n_buffers; i++) {
    const struct buffer *b = &graph->buffers[i];
    if (b->segment == 0)
      continue;
    begin = b->offset < begin ? b->offset : begin;
    bool counted = false;
    for (uint32_t j = 0; j < i && !counted; j++)
      counted = graph->buffers[j].segment != 0 && same_kind(&graph->buffers[j], b);
    if (!counted)
      needed += most_in_use(graph, b) * b->row_bytes * (b->per_row ? (uint64_t)graph->tile_rows : 1);
  }
  return graph->scratch_bytes - begin - needed;
}

static void count_graph(const struct graph *graph, struct kernel_counts *counts) {
  for (const struct ir_instr *instr = graph->block->first; instr != NULL; instr = instr->next)
    counts->operations++;
  counts->nodes += graph->n_nodes;
  counts->steps += graph->n_steps;
  for (uint32_t i = 0; i < graph->n_steps; i++)
    counts->targets += graph->steps[i]->n_targets;
  if (graph->scratch_bytes > counts->scratch_bytes)
    counts->scratch_bytes = graph->scratch_bytes;
  counts->unshared_bytes += unshared_bytes(graph);
}

void stages_generate(struct jit *jit, const struct ir_module *module, const struct ir_block *block,
                     enum kernel_variant variant, struct stage_times *times, struct kernel_counts *counts) {
  int64_t dims[64] = {0};
  stages_sizes(module, dims);
  struct arena arena;
  arena_init(&arena);
  struct graph graph = {.arena = &arena,
                        .module = module,
                        .block = variant == KERNEL_ADJOINT ? block->adjoint : block,
                        .forward = block,
                        .variant = variant,
                        .element = NN_F32,
                        .dims = dims};
  jmp_buf on_error;
  if (setjmp(on_error) != 0)
    give_up(graph.error);
  graph.on_error = &on_error;
  double start = stage_seconds();
  graph_build(&graph);
  times->graph += stage_seconds() - start;
  start = stage_seconds();
  graph_plan(&graph);
  times->plan += stage_seconds() - start;
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef code = LLVMModuleCreateWithNameInContext("growth", context);
  start = stage_seconds();
  emit_kernel(&graph, code, jit_cpu(jit));
  times->emit += stage_seconds() - start;
  count_graph(&graph, counts);
  count_code(code, counts);
  LLVMDisposeModule(code);
  LLVMContextDispose(context);
  arena_free(&arena);
}

static void one_kernel(struct jit *jit, const struct ir_module *module, const struct ir_block *block,
                       enum kernel_variant variant, bool with_llvm, struct stage_times *times,
                       struct kernel_counts *counts) {
  double start = stage_seconds();
  stages_generate(jit, module, block, variant, times, counts);
  double generated = stage_seconds() - start;
  if (!with_llvm)
    return;
  int64_t dims[64] = {0};
  stages_sizes(module, dims);
  char *error = NULL;
  start = stage_seconds();
  struct kernel *kernel = kernel_compile(jit, module, block, variant, NN_F32, &(struct kernel_sizes){dims},
                                         &error);
  if (kernel == NULL)
    give_up(error);
  double rest = stage_seconds() - start - generated;
  times->llvm += rest > 0 ? rest : 0;
  kernel_free(kernel);
}

void stages_kernels(struct jit *jit, const struct ir_module *module, bool with_llvm,
                    struct stage_times *times, struct kernel_counts *counts) {
  for (uint32_t i = 0; i < module->n_blocks; i++) {
    const struct ir_block *block = module->blocks[i];
    if (block->kind == IR_BLOCK_ADJOINT)
      continue;
    one_kernel(jit, module, block, KERNEL_TRAIN, with_llvm, times, counts);
    if (block->adjoint != NULL)
      one_kernel(jit, module, block, KERNEL_ADJOINT, with_llvm, times, counts);
  }
}

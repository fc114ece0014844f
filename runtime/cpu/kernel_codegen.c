// Kernels of blocks: from a block and its sizes to a native function and the description that the executor
// needs.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/text.h"
#include "runtime/cpu/gemm.h"
#include "runtime/cpu/kernel_emit.h"
#include "runtime/cpu/ragged.h"
#include "runtime/jit/jit.h"
#include "runtime/kernel/kernel_graph.h"

struct compilation {
  const struct jit *jit;
  struct graph graph;
  struct ragged *ragged;  // NULL: all sizes are known
};

static bool is_adjoint(enum kernel_variant variant) {
  return variant == KERNEL_ADJOINT || variant == KERNEL_ADJOINT_GRADIENT;
}

static bool build(void *context, LLVMModuleRef module, char **error) {
  struct compilation *compilation = context;
  struct graph *graph = &compilation->graph;
  jmp_buf on_error, *outer = graph->on_error;
  if (setjmp(on_error) != 0) {
    graph->on_error = outer;
    *error = strdup(graph->error != NULL ? graph->error : "out of memory");
    return false;
  }
  graph->on_error = graph->arena->on_out_of_memory = &on_error;
  if (compilation->ragged)
    ragged_emit(compilation->ragged, module, jit_cpu(compilation->jit));
  else
    emit_kernel(graph, module, jit_cpu(compilation->jit));
  for (LLVMValueRef f = LLVMGetFirstFunction(module); f != NULL; f = LLVMGetNextFunction(f))
    if (!LLVMIsDeclaration(f))
      jit_set_attributes(compilation->jit, f);
  graph->on_error = graph->arena->on_out_of_memory = outer;
  return true;
}

// Everything that the code depends on: the block's text and the values of the sizes in it. The values of all
// dims stand for those, because a kernel is compiled when all of them are bound. NULL without memory.
static char *cache_key(const struct graph *graph, enum kernel_variant variant,
                       const struct kernel_sizes *sizes) {
  char *text = ir_print_block(graph->module, graph->block);
  struct text key;
  FILE *out = text != NULL ? text_open(&key) : NULL;
  if (out == NULL) {
    free(text);
    return NULL;
  }
  fprintf(out, "kernel %d %d\n%s\n", (int)variant, (int)graph->element, text);
  for (uint32_t i = 0; i < graph->module->n_dims; i++)
    fprintf(out, "%s %" PRId64 "\n", graph->module->dims[i]->atom.name, sizes->dims[i]);
  free(text);
  return text_close(&key);
}

static void *copied(const void *items, size_t count, size_t size) {
  void *copy = calloc(count ? count : 1, size);
  if (copy != NULL && count > 0)
    memcpy(copy, items, count * size);
  return copy;
}

// What the executor needs to know of the kernel; `run` is still missing.
static struct kernel *describe(const struct compilation *compilation) {
  const struct graph *graph = &compilation->graph;
  const struct ragged *ragged = compilation->ragged;
  struct kernel *kernel = calloc(1, sizeof *kernel);
  if (kernel == NULL)
    return NULL;
  kernel->scratch_bytes = graph->scratch_bytes;
  kernel->flops_per_row = graph->flops;
  kernel->n_outputs = graph->n_outputs;
  kernel->n_params = graph->n_uses;
  kernel->n_sink_buffers = graph->n_sink_buffers;
  kernel->n_sinks = graph->n_sinks;
  kernel->output_elements = calloc(graph->n_outputs + 1, sizeof *kernel->output_elements);
  kernel->sink_elements = calloc(graph->n_sink_buffers + 1, sizeof *kernel->sink_elements);
  kernel->params = copied(graph->uses, graph->n_uses, sizeof *graph->uses);
  kernel->sinks = copied(graph->sinks, graph->n_sinks, sizeof *graph->sinks);
  kernel->n_scratch_terms = ragged ? ragged->n_terms : 0;
  kernel->scratch_terms = copied(ragged ? ragged->terms : NULL, kernel->n_scratch_terms,
                                 sizeof *kernel->scratch_terms);
  if (kernel->scratch_terms == NULL || kernel->output_elements == NULL || kernel->sink_elements == NULL ||
      kernel->params == NULL || kernel->sinks == NULL) {
    kernel_free(kernel);
    return NULL;
  }
  for (uint32_t i = 0; i < graph->n_outputs; i++)
    kernel->output_elements[i] = (uint32_t)graph->outputs[i]->n;
  for (uint32_t i = 0; i < graph->n_sink_buffers; i++)
    kernel->sink_elements[i] = (uint32_t)graph->sink_nodes[i]->n;
  return kernel;
}

void kernel_free(struct kernel *kernel) {
  if (kernel == NULL)
    return;
  free(kernel->output_elements);
  free(kernel->sink_elements);
  free(kernel->scratch_terms);
  free(kernel->params);
  free(kernel->sinks);
  free(kernel);
}

// Fills and plans the graph; false with *error when sizes do not fit.
static bool prepare(struct compilation *compilation, const struct ir_module *module,
                    const struct ir_block *block, enum kernel_variant variant, enum nn_element element,
                    const struct kernel_sizes *sizes, struct arena *arena, char **error) {
  struct graph *graph = &compilation->graph;
  *graph = (struct graph){
      .arena = arena,
      .module = module,
      .forward = block,
      .block = is_adjoint(variant) ? block->adjoint : block,
      .variant = variant,
      .element = element,
      .dims = sizes->dims,
  };
  if (graph->block == NULL) {
    *error = strdup("the block has no adjoint");
    return false;
  }
  jmp_buf on_error;
  if (setjmp(on_error) != 0) {
    const char *why = graph->error != NULL ? graph->error : "out of memory";
    if (asprintf(error, "block %s: %s", block->name, why) < 0)
      *error = NULL;
    return false;
  }
  graph->on_error = arena->on_out_of_memory = &on_error;
  graph_build(graph);
  if (ir_block_is_ragged(block))
    compilation->ragged = ragged_plan(graph);
  else
    graph_plan(graph);
  graph->on_error = arena->on_out_of_memory = NULL;
  return true;
}

static bool define_runtime(struct jit *jit, enum nn_element element, char **error) {
  return gemm_table_get(jit, element, error) != NULL &&
         jit_define(jit, "nn_gemm_run", (void *)(uintptr_t)gemm_run, error);
}

static const char *const symbols[] = {"kernel"};
static const char *const variant_names[] = {"infer", "train", "gradient", "adjoint", "adjoint_gradient"};

struct kernel *kernel_compile(struct jit *jit, const struct ir_module *module, const struct ir_block *block,
                              enum kernel_variant variant, enum nn_element element,
                              const struct kernel_sizes *sizes, char **error) {
  struct arena arena;
  arena_init(&arena);
  struct compilation compilation = {.jit = jit};
  struct kernel *kernel = NULL;
  void *address = NULL;
  char *key = NULL;
  *error = NULL;
  if (prepare(&compilation, module, block, variant, element, sizes, &arena, error) &&
      define_runtime(jit, element, error)) {
    key = cache_key(&compilation.graph, variant, sizes);
    kernel = describe(&compilation);
    char label[256];
    snprintf(label, sizeof label, "%s.%s", block->name, variant_names[variant]);
    struct jit_request request = {.key = key,
                                  .build = build,
                                  .context = &compilation,
                                  .n_symbols = 1,
                                  .symbols = symbols,
                                  .label = label};
    if (key == NULL || kernel == NULL || !jit_compile(jit, &request, &address, error)) {
      if (*error == NULL)
        *error = strdup("out of memory");
      kernel_free(kernel);
      kernel = NULL;
    }
  }
  if (kernel != NULL)
    kernel->run = (kernel_fn *)(uintptr_t)address;
  free(key);
  arena_free(&arena);
  return kernel;
}

char *kernel_text(const struct ir_module *module, const struct ir_block *block, enum kernel_variant variant,
                  enum nn_element element, const struct kernel_sizes *sizes, bool assembly, char **error) {
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = ""}, error);
  if (jit == NULL)
    return NULL;
  struct arena arena;
  arena_init(&arena);
  struct compilation compilation = {.jit = jit};
  struct jit_request request = {
      .key = "", .build = build, .context = &compilation, .n_symbols = 1, .symbols = symbols};
  char *text = NULL;
  if (prepare(&compilation, module, block, variant, element, sizes, &arena, error))
    text = jit_text(jit, &request, assembly, error);
  arena_free(&arena);
  jit_free(jit);
  return text;
}

// Run by hand: how fast the kernels of a Tree-LSTM node are, forward and adjoint, for batches of various
// sizes.
//   bench_kernels [MODULE.ir [BLOCK [H...]]]
// The share of the peak is that of a loop of fused multiply-adds, timed in turn with the kernel, because
// neighbours on a shared machine disturb both alike.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/base/arena.h"
#include "compiler/ir/ir.h"
#include "compiler/passes/passes.h"
#include "runtime/cpu/peak.h"
#include "runtime/jit/jit.h"
#include "runtime/kernel/kernel.h"
#include "runtime/kernel/reference.h"

enum { MAX_ARRAYS = 64, ROUNDS = 15 };

static double cpu_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *zeroed(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
  if (memory == NULL)
    exit(1);
  memset(memory, 0, (bytes + 127) / 64 * 64);
  return memory;
}

static float *filled(size_t n, float scale) {
  float *x = zeroed((n + NN_LANES) * sizeof *x);
  for (size_t i = 0; i < n; i++)
    x[i] = scale * (float)((int)(i * 2654435761u >> 16 & 255) - 128) / 128;
  return x;
}

struct bench {
  struct jit *jit;
  struct ir_module *module;
  const struct ir_block *block;
  int64_t dims[64];
  int64_t rows;
};

// Rows of the inputs lie scattered, as those of a tree's children do.
static void set_arguments(struct bench *b, const struct kernel *kernel, struct kernel_args *args) {
  size_t row = 0, rows = (size_t)b->rows;
  const uint32_t **offsets = zeroed(MAX_ARRAYS * sizeof *offsets);
  uint32_t tensors = 0;
  int32_t **indices = zeroed(MAX_ARRAYS * sizeof *indices);
  uint32_t n_indices = 0;
  for (uint32_t i = 0; i < b->block->n_params; i++) {
    const struct ir_type *type = b->block->params[i]->type;
    if (type->kind != IR_TENSOR) {
      indices[n_indices++] = zeroed(rows * sizeof(int32_t));
      continue;
    }
    size_t units = nn_row_elements((size_t)reference_elements(type, b->dims)) / NN_LANES;
    uint32_t *at = zeroed(rows * sizeof *at);
    for (size_t r = 0; r < rows; r++)
      at[r] = (uint32_t)(row + (r * 7919 % rows) * units);
    offsets[tensors++] = at;
    row += rows * units;
  }
  const void **params = zeroed(MAX_ARRAYS * sizeof *params);
  for (uint32_t i = 0; i < kernel->n_params; i++) {
    const struct ir_type *type = b->module->params[kernel->params[i].param]->type;
    int64_t n = reference_elements(type, b->dims), first = reference_size(type->shape.sizes[0], b->dims);
    void *packed = zeroed(kernel_packed_bytes(kernel->params[i].layout, NN_F32, first, n / first));
    kernel_pack(kernel->params[i].layout, NN_F32, first, n / first, filled((size_t)n, 0.1f), packed);
    params[i] = packed;
  }
  *args = (struct kernel_args){.values = (const char *)filled(row * NN_LANES, 1),
                               .rows = offsets,
                               .params = params,
                               .indices = (const int32_t *const *)indices,
                               .gradients = (char *)filled(row * NN_LANES, 0),
                               .examples = zeroed(rows * 4),
                               .ordinals = zeroed(rows * 4)};
  void **outputs = zeroed(MAX_ARRAYS * sizeof *outputs), **sinks = zeroed(MAX_ARRAYS * sizeof *sinks);
  const void **gradients = zeroed(MAX_ARRAYS * sizeof *gradients);
  bool adjoint = kernel->n_outputs == 0;
  const struct ir_block *block = b->block;
  for (uint32_t i = 0; i < block->n_outputs; i++) {
    size_t n = nn_row_elements((size_t)reference_elements(block->outputs[i]->type, b->dims)) * rows;
    if (!adjoint)
      outputs[i] = filled(n, 1);
    else if (i < block->n_results)
      gradients[i] = filled(n, 1);
    else
      outputs[i - block->n_results] = filled(n, 1);
  }
  for (uint32_t i = 0; i < kernel->n_sink_buffers; i++)
    sinks[i] = filled(nn_row_elements(kernel->sink_elements[i]) * rows, 0);
  args->outputs = outputs;
  args->output_gradients = gradients;
  args->sinks = sinks;
}

static void measure(struct bench *b, enum kernel_variant variant, const char *name) {
  char *error = NULL;
  const struct kernel_sizes sizes = {b->dims};
  double start = cpu_seconds();
  struct kernel *kernel = kernel_compile(b->jit, b->module, b->block, variant, NN_F32, &sizes, &error);
  double compiled = cpu_seconds() - start;
  if (kernel == NULL) {
    fprintf(stderr, "%s\n", error);
    exit(1);
  }
  struct kernel_args args;
  set_arguments(b, kernel, &args);
  void *scratch = zeroed(kernel->scratch_bytes);
  double flops = kernel->flops_per_row * (double)b->rows, best = 1e9, share = 0;
  long repeats = 1 + (long)(4e7 / (flops + 2e4 * (double)b->rows));
  double peak = 1;
  for (int round = 0; round < ROUNDS; round++) {
    if (round % 8 == 0)
      peak = cpu_peak_gflops(false);
    start = cpu_seconds();
    for (long i = 0; i < repeats; i++)
      kernel->run(&args, 0, b->rows, scratch);
    double seconds = (cpu_seconds() - start) / (double)repeats;
    best = seconds < best ? seconds : best;
    double here = flops / seconds * 1e-9 / peak;
    share = here > share ? here : share;
  }
  printf("  %-8s n %4lld  %9.2f us  %7.1f GFLOP/s  %5.1f %% of the peak   compiled in %.1f ms, scratch %zu "
         "KiB\n",
         name, (long long)b->rows, best * 1e6, flops / best * 1e-9, share * 100, compiled * 1e3,
         kernel->scratch_bytes >> 10);
  kernel_free(kernel);
}

static struct ir_module *read_module(const char *path) {
  FILE *file = fopen(path, "rb");
  char *text = NULL, *error = NULL;
  size_t length = 0;
  FILE *copy = open_memstream(&text, &length);
  for (int c; file != NULL && (c = getc(file)) != EOF;)
    putc(c, copy);
  fclose(copy);
  struct ir_module *module = ir_parse(text, length, &error);
  if (module == NULL) {
    fprintf(stderr, "%s:%s\n", path, error);
    exit(1);
  }
  struct arena scratch;
  arena_init(&scratch);
  pass_adjoint(module, &scratch);
  arena_free(&scratch);
  return module;
}

int main(int argc, char **argv) {
  static const int64_t rows[] = {1, 2, 4, 8, 16, 32, 64, 256, 1024};
  static const char *const default_sizes[] = {"128", "256"};
  char *error = NULL;
  struct bench b = {.jit = jit_new(NULL, &error),
                    .module = read_module(argc > 1 ? argv[1] : "tests/operations/blocks/cells.ir")};
  const char *name = argc > 2 ? argv[2] : "tree_node";
  const char *const *sizes = argc > 3 ? (const char *const *)argv + 3 : default_sizes;
  int n_sizes = argc > 3 ? argc - 3 : 2;
  for (uint32_t i = 0; i < b.module->n_blocks; i++)
    if (strcmp(b.module->blocks[i]->name, name) == 0)
      b.block = b.module->blocks[i];
  if (b.block == NULL || b.jit == NULL) {
    fprintf(stderr, "no block @%s\n", name);
    return 1;
  }
  for (int s = 0; s < n_sizes; s++) {
    for (uint32_t d = 0; d < b.module->n_dims; d++)
      b.dims[d] = atoll(sizes[s]);
    printf("@%s, all sizes %s\n", name, sizes[s]);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
      b.rows = rows[r];
      measure(&b, KERNEL_TRAIN, "forward");
      measure(&b, KERNEL_ADJOINT, "adjoint");
    }
  }
  jit_free(b.jit);
  return 0;
}

// The processor's table of device functions, and its life.
#include "runtime/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/status.h"
#include "runtime/cpu/blas.h"
#include "runtime/cpu/compile.h"
#include "runtime/cpu/execute.h"
#include "runtime/cpu/update.h"
#include "runtime/jit/jit.h"

static void close_cpu(struct device *device) {
  struct cpu *cpu = cpu_of(device);
  if (!cpu)
    return;
  compile_wait(cpu);
  pthread_mutex_destroy(&cpu->left_lock);
  for (size_t i = 0; cpu->kernels && i < (size_t)cpu->model->module->n_blocks * CPU_VARIANTS; i++)
    if (cpu->kernels[i])
      cpu->release(cpu->kernels[i]);
  free(cpu->kernels);
  for (size_t i = 0; cpu->flows && i < cpu->model->module->n_blocks; i++)
    free(cpu->flows[i]);
  free(cpu->flows);
  update_end(device);
  params_free(&cpu->params);
  threads_free(cpu->threads);
  blas_close(cpu->blas);
  free(cpu);
}

static nn_status *fill_cpu(struct cpu *cpu) {
  const struct device_model *model = cpu->model;
  cpu->simd = jit_cpu(model->jit)->simd;
  cpu->loops = loops_for(cpu->element, cpu->simd);
  int wanted = model->threads > 0 ? model->threads : threads_cores();
  cpu->threads = threads_new(wanted);
  cpu->kernels = calloc((size_t)model->module->n_blocks * CPU_VARIANTS + 1, sizeof *cpu->kernels);
  cpu->flows = calloc((size_t)model->module->n_blocks + 1, sizeof(struct flow *));
  if (!cpu->threads || !cpu->kernels || !cpu->flows)
    return status_no_memory();
  if (threads_count(cpu->threads) < wanted)
    snprintf(cpu->threads_note, sizeof cpu->threads_note,
             "the system allows only %d of %d threads (ulimit -u, -v)", threads_count(cpu->threads), wanted);
  return params_init(&cpu->params, model);
}

static nn_status *open_cpu(const struct device_model *model, struct device **device) {
  struct cpu *cpu = calloc(1, sizeof *cpu);
  if (!cpu)
    return status_no_memory();
  *cpu = (struct cpu){.device = {&cpu_device, model},
                      .model = model,
                      .element = model->element,
                      .compile = kernel_compile,
                      .release = kernel_free};
  pthread_mutex_init(&cpu->left_lock, NULL);
  nn_status *status = fill_cpu(cpu);
  if (status)
    close_cpu(&cpu->device);
  else
    *device = &cpu->device;
  return status;
}

static const char *note(const struct device *device, nn_note note) {
  const struct cpu *cpu = (const struct cpu *)device;
  switch (note) {
  case NN_NOTE_THREADS: return *cpu->threads_note ? cpu->threads_note : NULL;
  case NN_NOTE_PRODUCTS: return cpu->blas ? blas_problem(cpu->blas) : NULL;
  default: return NULL;
  }
}

nn_status *cpu_compile_kernel(struct cpu *cpu, uint32_t number, enum kernel_variant variant) {
  if (cpu_kernel(cpu, number, variant))
    return NULL;
  char *error = NULL;
  const struct device_model *model = cpu->model;
  const struct kernel_sizes sizes = {model->dims};
  struct kernel *kernel = cpu->compile(model->jit, model->module, model->module->blocks[number], variant,
                                       cpu->element, &sizes, &error);
  if (!kernel)
    return status_take(NN_COMPILE, error);
  struct kernel *expected = NULL;
  if (!atomic_compare_exchange_strong(&cpu->kernels[(size_t)number * CPU_VARIANTS + variant], &expected,
                                      kernel))
    cpu->release(kernel);  // another thread was first
  return NULL;
}

const struct device_ops cpu_device = {.name = "cpu",
                                      .open = open_cpu,
                                      .close = close_cpu,
                                      .note = note,
                                      .read_param = params_read,
                                      .write_param = params_write,
                                      .find_not_finite = params_find_not_finite,
                                      .begin_updates = update_begin,
                                      .end_updates = update_end,
                                      .update = update_step,
                                      .run_new = execute_new,
                                      .run_free = execute_free,
                                      .begin = execute_begin,
                                      .forward = execute_forward,
                                      .backward = execute_backward,
                                      .read_row = execute_read_row};

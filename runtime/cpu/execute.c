// Runs batches forward: compiles kernels, calls them, shares rows out among threads.
#include "runtime/cpu/execute.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/status.h"
#include "runtime/cpu/compile.h"
#include "runtime/cpu/list_rows.h"
#include "runtime/cpu/settle.h"
#include "runtime/value/value.h"

// ---------------------------------------------------------------------------------------------------- life

static nn_status *fill_executor(struct executor *executor) {
  uint32_t n_blocks = executor->cpu->model->module->n_blocks;
  executor->memory = value_arena_new();
  executor->run.forward = calloc((size_t)n_blocks + 1, sizeof *executor->run.forward);
  executor->run.adjoint = calloc((size_t)n_blocks + 1, sizeof *executor->run.adjoint);
  executor->scratch = calloc((size_t)threads_count(executor->cpu->threads), sizeof *executor->scratch);
  if (!executor->memory || !executor->run.forward || !executor->run.adjoint || !executor->scratch)
    return status_no_memory();
  return NULL;
}

nn_status *execute_new(struct device *device, struct device_run **run) {
  struct cpu *cpu = cpu_of(device);
  struct executor *executor = calloc(1, sizeof *executor);
  if (!executor)
    return status_no_memory();
  // A job costs its start, some microseconds, and the wait for the slowest thread.
  *executor = (struct executor){.run.device = device, .cpu = cpu, .worth_splitting = 20000, .chunk_rows = 16};
  struct row_arena *arenas[] = {&executor->values, &executor->saved, &executor->gradients, &executor->sinks};
  for (size_t i = 0; i < sizeof arenas / sizeof *arenas; i++)
    row_arena_init(arenas[i], nn_element_bytes(cpu->element));
  nn_status *status = fill_executor(executor);
  if (status) {
    execute_free(&executor->run);
    return status;
  }
  params_initialise(&cpu->params, cpu->threads);
  *run = &executor->run;
  return NULL;
}

void execute_free(struct device_run *run) {
  if (!run)
    return;
  struct executor *executor = executor_of(run);
  if (executor->scratch)
    for (int i = 0; i < threads_count(executor->cpu->threads); i++)
      free(executor->scratch[i]);
  free(executor->scratch);
  if (executor->memory)
    value_arena_free(executor->memory);
  row_arena_free(&executor->values);
  row_arena_free(&executor->saved);
  row_arena_free(&executor->gradients);
  row_arena_free(&executor->sinks);
  free(executor->copies);
  free(executor->tasks);
  free(executor->marks);
  free(run->forward);
  free(run->adjoint);
  free(executor);
}

void execute_begin(struct device_run *run, enum kernel_variant variant, uint64_t epoch) {
  struct executor *executor = executor_of(run);
  executor->variant = variant;
  executor->epoch = epoch;
}

void execute_read_row(const struct device_run *run, uint32_t row, size_t first, size_t n, double *to) {
  const struct executor *executor = (const struct executor *)run;
  const char *from = row_arena_at(&executor->values, row);
  for (size_t i = 0; i < n; i++)
    to[i] = executor->cpu->element == NN_F32 ? (double)((const float *)from)[first + i]
                                             : ((const double *)from)[first + i];
}

static enum kernel_variant adjoint_of(enum kernel_variant variant) {
  return variant == KERNEL_GRADIENT ? KERNEL_ADJOINT_GRADIENT : KERNEL_ADJOINT;
}

// ----------------------------------------------------------------------------------------------- compilation

static void want(struct executor *executor, struct compile_item *items, uint32_t *n, uint32_t block,
                 enum kernel_variant variant) {
  if (cpu_kernel(executor->cpu, block, variant))
    return;
  for (uint32_t i = 0; i < *n; i++)
    if (items[i].block == block && items[i].variant == variant)
      return;
  items[(*n)++] = (struct compile_item){.block = block, .variant = variant};
}

// Kernels of the batches, and of their adjoints when there will be a backward pass: all at once, by all
// threads.
static nn_status *compile_missing(struct executor *executor, uint32_t begin, uint32_t end) {
  bool training = executor->variant != KERNEL_INFER;
  struct compile_item *items = NULL;
  uint32_t n = 0, n_blocks = executor->cpu->model->module->n_blocks;
  for (uint32_t b = begin; b < end; b++) {
    uint32_t block = executor->minibatch->schedule.batches[b].block;
    if (trace_is_list(block))
      continue;
    bool adjoint = training && executor->cpu->model->module->blocks[block]->adjoint;
    if (cpu_kernel(executor->cpu, block, executor->variant) &&
        (!adjoint || cpu_kernel(executor->cpu, block, adjoint_of(executor->variant))))
      continue;
    if (!items)
      items = value_arena_alloc(executor->memory, (size_t)n_blocks * 2 * sizeof *items);
    want(executor, items, &n, block, executor->variant);
    if (adjoint)
      want(executor, items, &n, block, adjoint_of(executor->variant));
  }
  if (n == 0)
    return NULL;
  double start = clock_seconds();
  executor->run.compiling = 1;
  nn_status *status = compile_kernels(executor->cpu, items, n, executor->run.interrupt);
  executor->run.compiling = 0;
  executor->run.compile_seconds += clock_seconds() - start;
  return status;
}

// ------------------------------------------------------------------------------------------- calling kernels

nn_status *execute_member(const struct executor *executor, uint32_t batch, uint32_t param, int32_t member,
                          uint32_t *which) {
  *which = 0;
  if (member < 0)
    return NULL;
  uint32_t block = executor->minibatch->schedule.batches[batch].block;
  int32_t chosen =
      executor->minibatch->plan.batches[batch].indices[executor->cpu->model->blocks[block].slots[member]][0];
  if (chosen < 0 || (uint32_t)chosen >= executor->cpu->params.list[param].shape->n_members)
    return status_new(NN_DATA, "block `%s` asks for member %d of `%s`, which has %u",
                      executor->cpu->model->module->blocks[block]->name, chosen,
                      executor->cpu->model->module->params[param]->name,
                      executor->cpu->params.list[param].shape->n_members);
  *which = (uint32_t)chosen;
  return NULL;
}

nn_status *execute_params(struct executor *executor, uint32_t batch, const struct kernel *kernel,
                          const void ***params) {
  *params = value_arena_alloc(executor->memory, (kernel->n_params + 1) * sizeof **params);
  for (uint32_t i = 0; i < kernel->n_params; i++) {
    const struct kernel_param *use = &kernel->params[i];
    uint32_t which;
    STATUS_TRY(execute_member(executor, batch, use->param, use->member, &which));
    (*params)[i] = params_packed(&executor->cpu->params, use->param, which, use->layout);
    if (!(*params)[i])
      return status_no_memory();
  }
  return NULL;
}

uint32_t execute_row_elements(const struct plan_block *block) {
  uint64_t elements = 0;
  for (uint32_t o = 0; o < block->n_outputs; o++)
    elements += block->elements[o];
  return elements > UINT32_MAX ? UINT32_MAX : (uint32_t)elements;
}

static nn_status *reserve_scratch(struct executor *executor, size_t bytes) {
  if (bytes <= executor->scratch_bytes)
    return NULL;
  bytes = (bytes + 4095) / 4096 * 4096;
  for (int i = 0; i < threads_count(executor->cpu->threads); i++) {
    free(executor->scratch[i]);
    executor->scratch[i] = aligned_alloc(64, bytes);
    if (!executor->scratch[i]) {
      executor->scratch_bytes = 0;
      return status_no_memory();
    }
  }
  executor->scratch_bytes = bytes;
  return NULL;
}

struct rows_job {
  const struct kernel *kernel;
  const struct kernel_args *args;
  char **scratch;
  uint32_t begin, end, chunk;
};

static void run_chunk(void *context, uint32_t item, int thread) {
  const struct rows_job *job = context;
  uint32_t begin = job->begin + item * job->chunk, end = begin + job->chunk;
  if (end > job->end)
    end = job->end;
  job->kernel->run(job->args, begin, end, job->scratch[thread]);
}

static uint32_t chunk_rows(const struct executor *executor, const struct kernel *kernel, uint32_t count,
                           uint32_t elements_per_row) {
  double work = (double)count * (kernel->flops_per_row / 100 + elements_per_row / 2.0);
  uint32_t threads = (uint32_t)threads_count(executor->cpu->threads);
  if (threads == 1 || work < executor->worth_splitting)
    return count;
  uint32_t pieces = work > 8 * executor->worth_splitting ? threads * 4 : threads;
  uint32_t chunk = (count + pieces - 1) / pieces, rows = executor->chunk_rows;
  return (chunk + rows - 1) / rows * rows;
}

// The largest of each run-time size among rows [begin, end): what the scratch memory must do for.
static const int32_t *largest_sizes(struct executor *executor, const struct kernel_args *args, uint32_t begin,
                                    uint32_t end) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < args->kernel->n_scratch_terms; i++)
    for (uint32_t k = 0; k < 2; k++)
      if (args->kernel->scratch_terms[i].sizes[k] > n)
        n = args->kernel->scratch_terms[i].sizes[k];
  int32_t *largest = value_arena_alloc(executor->memory, (n + (size_t)1) * sizeof *largest);
  for (uint32_t k = 0; k < n; k++) {
    largest[k] = 0;
    for (uint32_t r = begin; r < end; r++)
      if (args->sizes[k][r] > largest[k])
        largest[k] = args->sizes[k][r];
  }
  return largest;
}

nn_status *execute_rows(struct executor *executor, const struct kernel *kernel,
                        const struct kernel_args *args, uint32_t begin, uint32_t end,
                        uint32_t elements_per_row, bool may_split, struct device_tally *tally) {
  size_t scratch = kernel->n_scratch_terms ? kernel_scratch(kernel, largest_sizes(executor, args, begin, end))
                                           : kernel->scratch_bytes;
  if (scratch > SIZE_MAX / 2)
    return status_no_memory();
  STATUS_TRY(reserve_scratch(executor, scratch + 64));
  double start = executor->run.profile ? clock_seconds() : 0;
  uint32_t count = end - begin;
  struct rows_job job = {kernel, args, executor->scratch, begin, end, count};
  if (may_split)
    job.chunk = chunk_rows(executor, kernel, count, elements_per_row);
  if (job.chunk >= count)
    kernel->run(args, begin, end, executor->scratch[0]);
  else
    threads_run(executor->cpu->threads, (count + job.chunk - 1) / job.chunk, run_chunk, &job);
  if (executor->run.profile)
    tally->seconds += clock_seconds() - start;
  tally->calls++;
  tally->rows += count;
  tally->flops += kernel->flops_per_row * count;
  executor->run.flops += kernel->flops_per_row * count;
  return NULL;
}

// --------------------------------------------------------------------------------------------------- forward

void execute_describe_list_rows(const struct executor *executor, uint32_t number,
                                struct list_rows *list_rows) {
  const struct batch *batch = &executor->minibatch->schedule.batches[number];
  const struct plan_batch *plan = &executor->minibatch->plan.batches[number];
  *list_rows = (struct list_rows){.kind = batch->block,
                                  .element = executor->cpu->element,
                                  .loops = executor->cpu->loops,
                                  .elements = executor->minibatch->trace.keys[batch->key].elements,
                                  .output = plan->outputs[0],
                                  .first_term = plan->first_term,
                                  .terms = plan->terms,
                                  .data = executor->minibatch->trace.data,
                                  .values = &executor->values,
                                  .gradients = &executor->gradients};
}

static void run_list_rows(struct executor *executor, uint32_t number) {
  struct list_rows list_rows;
  execute_describe_list_rows(executor, number, &list_rows);
  uint32_t count = executor->minibatch->schedule.batches[number].count;
  uint32_t longest = 0;
  for (uint32_t r = 0; r < count; r++)
    if (list_rows.first_term[r + 1] - list_rows.first_term[r] > longest)
      longest = list_rows.first_term[r + 1] - list_rows.first_term[r];
  list_rows.pointers = value_arena_alloc(executor->memory,
                                         (longest + (size_t)1) * sizeof *list_rows.pointers);
  double start = executor->run.profile ? clock_seconds() : 0;
  list_rows_forward(&list_rows, 0, count);
  if (executor->run.profile)
    executor->run.reductions.seconds += clock_seconds() - start;
  executor->run.reductions.calls++;
  executor->run.reductions.rows += count;
}

// Lets rows that the batch is going to read make the steps of the optimiser that they have passed over.
static nn_status *settle(struct executor *executor, uint32_t number) {
  struct params *params = &executor->cpu->params;
  if (!params->idle)
    return NULL;
  const struct batch *batch = &executor->minibatch->schedule.batches[number];
  const struct plan_batch *plan = &executor->minibatch->plan.batches[number];
  const uint16_t *slots = executor->cpu->model->blocks[batch->block].slots;
  const struct reads *reads = params->reads[batch->block];
  for (uint32_t i = 0; i < reads->n; i++) {
    const struct read *read = &reads->list[i];
    uint32_t which;
    STATUS_TRY(execute_member(executor, number, read->param, read->member, &which));
    if (read->whole)
      settle_member(params, read->param, which, executor->cpu->threads);
    else if (read->index < 0)
      STATUS_TRY(settle_rows(params, read->param, which, &read->row, 1, NULL));
    else
      STATUS_TRY(settle_rows(params, read->param, which, plan->indices[slots[read->index]], batch->count,
                             executor->cpu->threads));
  }
  return NULL;
}

static nn_status *run_batch(struct executor *executor, uint32_t number) {
  const struct batch *batch = &executor->minibatch->schedule.batches[number];
  const struct plan_batch *plan = &executor->minibatch->plan.batches[number];
  if (trace_is_list(batch->block)) {
    run_list_rows(executor, number);
    return NULL;
  }
  const struct plan_block *block = &executor->cpu->model->blocks[batch->block];
  const struct kernel *kernel = cpu_kernel(executor->cpu, batch->block, executor->variant);
  const void **params;
  STATUS_TRY(settle(executor, number));
  STATUS_TRY(execute_params(executor, number, kernel, &params));
  void **outputs = value_arena_alloc(executor->memory, (kernel->n_outputs + 1) * sizeof *outputs);
  for (uint32_t o = 0; o < kernel->n_outputs; o++) {
    const struct row_arena *arena = o < block->n_results ? &executor->values : &executor->saved;
    outputs[o] = row_arena_at(arena, plan->outputs[o]);
  }
  const struct kernel_args args = {.values = executor->values.base,
                                   .rows = plan->rows,
                                   .terms = plan->operand_terms,
                                   .sizes = plan->sizes,
                                   .output_rows = plan->output_rows,
                                   .indices = plan->indices,
                                   .numbers = plan->numbers,
                                   .params = params,
                                   .outputs = outputs,
                                   .examples = plan->examples,
                                   .ordinals = plan->ordinals,
                                   .seed = executor->cpu->model->seed,
                                   .epoch = executor->epoch,
                                   .kernel = kernel};
  return execute_rows(executor, kernel, &args, 0, batch->count, execute_row_elements(block), true,
                      &executor->run.forward[batch->block]);
}

static nn_status *run_forward_pass(struct device_run *run, const struct minibatch *minibatch, uint32_t begin,
                                   uint32_t end) {
  struct executor *executor = executor_of(run);
  executor->minibatch = minibatch;
  value_arena_reset(executor->memory);
  if (!row_arena_reserve(&executor->values, minibatch->plan.values_units) ||
      !row_arena_reserve(&executor->saved, minibatch->plan.saved_units))
    return status_new(NN_NO_MEMORY, "the minibatch needs more memory for its values than there is");
  STATUS_TRY(compile_missing(executor, begin, end));
  for (uint32_t b = begin; b < end; b++)
    STATUS_TRY(run_batch(executor, b));
  return NULL;
}

nn_status *execute_forward(struct device_run *run, const struct minibatch *minibatch, uint32_t begin,
                           uint32_t end) {
  struct executor *executor = executor_of(run);
  jmp_buf exhausted;
  if (setjmp(exhausted) != 0) {
    value_arena_catch(executor->memory, NULL);
    return status_no_memory();
  }
  value_arena_catch(executor->memory, &exhausted);
  nn_status *status = run_forward_pass(run, minibatch, begin, end);
  value_arena_catch(executor->memory, NULL);
  return status;
}

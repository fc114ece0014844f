// The backward pass: the forward schedule reversed, then the gradients of the parameters.
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/status.h"
#include "runtime/cpu/execute.h"
#include "runtime/cpu/reduce.h"
#include "runtime/cpu/weights.h"
#include "runtime/value/value.h"

struct backward {
  struct executor *executor;
  bool *live;  // [batch] a gradient may reach it
  struct sink_group *groups;
  uint32_t n_groups;
  uint32_t *group_of;   // [batch] UINT32_MAX: leaves nothing in sinks
  uint32_t *group_row;  // [batch] its first row within the group
};

static void *array(struct executor *executor, size_t n, size_t element) {
  return value_arena_alloc(executor->memory, (n ? n : 1) * element);
}

static const struct kernel *adjoint_kernel(const struct executor *executor, uint32_t block) {
  enum kernel_variant variant = executor->variant == KERNEL_GRADIENT ? KERNEL_ADJOINT_GRADIENT
                                                                     : KERNEL_ADJOINT;
  return cpu_kernel(executor->cpu, block, variant);
}

static bool is_differentiable(const struct executor *executor, uint32_t block) {
  return trace_is_reduction(block) || executor->cpu->model->module->blocks[block]->adjoint;
}

// Batches that a gradient can reach: those of the seeds, and those that computed an operand of one that is
// reached.
static void find_live(struct backward *backward, const uint32_t *seeds, uint32_t n_seeds) {
  const struct executor *executor = backward->executor;
  const struct schedule *schedule = &executor->minibatch->schedule;
  const struct trace *trace = &executor->minibatch->trace;
  uint32_t *batch_of = array(backward->executor, trace->n_instances, sizeof *batch_of);
  backward->live = array(backward->executor, schedule->n_batches, sizeof *backward->live);
  memset(backward->live, 0, schedule->n_batches * sizeof *backward->live);
  for (uint32_t b = 0; b < schedule->n_batches; b++)
    for (uint32_t i = 0; i < schedule->batches[b].count; i++)
      batch_of[schedule->order[schedule->batches[b].first + i]] = b;
  for (uint32_t s = 0; s < n_seeds; s++)
    backward->live[batch_of[trace->value_instance[seeds[s]]]] = true;
  for (uint32_t b = schedule->n_batches; b-- > 0;) {
    const struct batch *batch = &schedule->batches[b];
    if (!backward->live[b])
      continue;
    if (!is_differentiable(executor, batch->block)) {
      backward->live[b] = false;
      continue;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
      const uint32_t *args;
      const uint16_t *map;
      uint32_t n = trace_operands(trace, &trace->instances[schedule->order[batch->first + i]], &args, &map);
      for (uint32_t t = 0; t < n; t++)
        backward->live[batch_of[trace->value_instance[args[map ? map[t] : t]]]] = true;
    }
  }
}

// Batches of equal key share their sinks.
static nn_status *make_groups(struct backward *backward) {
  struct executor *executor = backward->executor;
  const struct schedule *schedule = &executor->minibatch->schedule;
  uint32_t n = schedule->n_batches, n_keys = executor->minibatch->trace.n_keys;
  uint32_t *group_of_key = array(executor, n_keys, sizeof *group_of_key);
  memset(group_of_key, 0xff, n_keys * sizeof *group_of_key);
  backward->group_of = array(executor, n, sizeof *backward->group_of);
  backward->group_row = array(executor, n, sizeof *backward->group_row);
  backward->groups = array(executor, n_keys, sizeof *backward->groups);
  for (uint32_t b = 0; b < n; b++) {
    const struct batch *batch = &schedule->batches[b];
    backward->group_of[b] = UINT32_MAX;
    if (!backward->live[b] || trace_is_reduction(batch->block))
      continue;
    const struct kernel *kernel = adjoint_kernel(executor, batch->block);
    if (kernel->n_sinks == 0)
      continue;
    if (group_of_key[batch->key] == UINT32_MAX) {
      group_of_key[batch->key] = backward->n_groups;
      backward->groups[backward->n_groups++] = (struct sink_group){.kernel = kernel, .block = batch->block};
    }
    struct sink_group *group = &backward->groups[group_of_key[batch->key]];
    backward->group_of[b] = group_of_key[batch->key];
    backward->group_row[b] = group->n_rows;
    group->n_rows += batch->count;
    group->n_batches++;
  }
  for (uint32_t g = 0; g < backward->n_groups; g++) {
    struct sink_group *group = &backward->groups[g];
    group->batches = array(executor, group->n_batches, sizeof *group->batches);
    group->n_batches = 0;
    group->buffers = array(executor, group->kernel->n_sink_buffers, sizeof *group->buffers);
    for (uint32_t i = 0; i < group->kernel->n_sink_buffers; i++) {
      uint64_t units = nn_row_elements(group->kernel->sink_elements[i]) / NN_LANES;
      if (!row_arena_alloc(&executor->sinks, group->n_rows, units, &group->buffers[i]))
        return status_no_memory();
    }
  }
  for (uint32_t b = 0; b < n; b++) {
    if (backward->group_of[b] == UINT32_MAX)
      continue;
    struct sink_group *group = &backward->groups[backward->group_of[b]];
    group->batches[group->n_batches++] = b;
  }
  return NULL;
}

// -------------------------------------------------------------------------------------------------- one
// batch

// Whether two rows of the batch add to the gradient of one value; then a single thread must run it.
static bool shares_rows(struct executor *executor, uint32_t number) {
  if (threads_count(executor->cpu->threads) == 1)
    return true;
  const struct batch *batch = &executor->minibatch->schedule.batches[number];
  const struct plan_batch *plan = &executor->minibatch->plan.batches[number];
  uint32_t n_tensors = executor->minibatch->trace.blocks[batch->block].n_tensors;
  size_t wanted = executor->minibatch->plan.values_units + (size_t)1;
  if (wanted > executor->n_marks) {
    free(executor->marks);
    executor->marks = calloc(wanted * 2, sizeof *executor->marks);
    executor->n_marks = executor->marks ? wanted * 2 : 0;
    executor->mark = 0;
    if (!executor->marks)
      return true;
  }
  if (++executor->mark == 0) {  // wrapped around
    memset(executor->marks, 0, executor->n_marks * sizeof *executor->marks);
    executor->mark = 1;
  }
  // A row that meets itself, as two operands of one instance, is no conflict; it is found all the same, and
  // rare.
  for (uint32_t t = 0; t < n_tensors; t++) {
    for (uint32_t r = 0; r < batch->count; r++) {
      uint32_t *mark = &executor->marks[plan->rows[t][r]];
      if (*mark == executor->mark)
        return true;
      *mark = executor->mark;
    }
  }
  return false;
}

static nn_status *run_adjoint(struct backward *backward, uint32_t number) {
  struct executor *executor = backward->executor;
  const struct batch *batch = &executor->minibatch->schedule.batches[number];
  const struct plan_batch *plan = &executor->minibatch->plan.batches[number];
  const struct plan_block *block = &executor->cpu->model->blocks[batch->block];
  const struct kernel *kernel = adjoint_kernel(executor, batch->block);
  const void **params;
  STATUS_TRY(execute_params(executor, number, kernel, &params));
  void **saved = array(executor, block->n_outputs - block->n_results, sizeof *saved);
  const void **gradients = array(executor, block->n_results, sizeof *gradients);
  void **sinks = array(executor, kernel->n_sink_buffers, sizeof *sinks);
  for (uint32_t o = block->n_results; o < block->n_outputs; o++)
    saved[o - block->n_results] = row_arena_at(&executor->saved, plan->outputs[o]);
  for (uint32_t o = 0; o < block->n_results; o++)
    gradients[o] = row_arena_at(&executor->gradients, plan->outputs[o]);
  for (uint32_t i = 0; i < kernel->n_sink_buffers && backward->group_of[number] != UINT32_MAX; i++) {
    uint32_t base = backward->groups[backward->group_of[number]].buffers[i];
    uint32_t units = (uint32_t)(nn_row_elements(kernel->sink_elements[i]) / NN_LANES);
    sinks[i] = row_arena_at(&executor->sinks, base + backward->group_row[number] * units);
  }
  const struct kernel_args args = {.values = executor->values.base,
                                   .gradients = executor->gradients.base,
                                   .rows = plan->rows,
                                   .indices = plan->indices,
                                   .numbers = plan->numbers,
                                   .params = params,
                                   .outputs = saved,
                                   .output_gradients = gradients,
                                   .sinks = sinks,
                                   .examples = plan->examples,
                                   .ordinals = plan->ordinals,
                                   .seed = executor->cpu->model->seed,
                                   .epoch = executor->epoch,
                                   .kernel = kernel};
  return execute_rows(executor, kernel, &args, batch->count, execute_row_elements(block) * 2,
                      !shares_rows(executor, number), &executor->run.adjoint[batch->block]);
}

static nn_status *run_batches(struct backward *backward) {
  struct executor *executor = backward->executor;
  for (uint32_t b = executor->minibatch->schedule.n_batches; b-- > 0;) {
    if (!backward->live[b])
      continue;
    if (trace_is_reduction(executor->minibatch->schedule.batches[b].block)) {
      struct reduction reduction;
      execute_describe_reduction(executor, b, &reduction);
      reduce_backward(&reduction, 0, executor->minibatch->schedule.batches[b].count);
    } else {
      STATUS_TRY(run_adjoint(backward, b));
    }
  }
  return NULL;
}

// ---------------------------------------------------------------------------------------------------- the
// pass

static nn_status *seed(struct executor *executor, const uint32_t *seeds, uint32_t n_seeds, double scale) {
  if (!row_arena_reserve(&executor->gradients, executor->minibatch->plan.values_units))
    return status_no_memory();
  if (executor->minibatch->plan.values_units)
    memset(executor->gradients.base, 0, executor->minibatch->plan.values_units * executor->gradients.unit);
  for (uint32_t s = 0; s < n_seeds; s++) {
    char *row = row_arena_at(&executor->gradients, executor->minibatch->trace.value_row[seeds[s]]);
    if (executor->cpu->element == NN_F32)
      *(float *)row += (float)scale;
    else
      *(double *)row += scale;
  }
  return NULL;
}

nn_status *execute_backward(struct device_run *run, const struct minibatch *minibatch, const uint32_t *seeds,
                            uint32_t n_seeds, double scale, bool adding) {
  struct executor *executor = executor_of(run);
  executor->minibatch = minibatch;
  value_arena_reset(executor->memory);
  row_arena_reset(&executor->sinks);
  if (!adding)
    params_clear_gradients(&executor->cpu->params);
  struct backward backward = {.executor = executor};
  STATUS_TRY(seed(executor, seeds, n_seeds, scale));
  find_live(&backward, seeds, n_seeds);
  STATUS_TRY(make_groups(&backward));
  STATUS_TRY(run_batches(&backward));
  double start = clock_seconds();
  STATUS_TRY(weights_accumulate(executor, backward.groups, backward.n_groups));
  if (!params_settle_gradients(&executor->cpu->params))
    return status_no_memory();
  executor->run.weights_seconds += clock_seconds() - start;
  return NULL;
}

// The backward pass: the forward schedule reversed, then the gradients of the parameters.
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/status.h"
#include "runtime/cpu/execute.h"
#include "runtime/cpu/flow.h"
#include "runtime/cpu/list_rows.h"
#include "runtime/cpu/weights.h"
#include "runtime/value/value.h"

// Gradients of a value that so many uses add to one after the other lose no digits worth having. The uses beyond them
// add to rows of their own, FAN each, that are summed up when all are done: see make_clones.
enum { FAN = 256 };

struct backward {
  struct executor *executor;
  uint32_t *reached;  // [value] how many gradients are added to its own; 0: it has none
  uint64_t *results;  // [row] which of its results have a gradient, see flow.h
  uint32_t *live;     // [batch] how many of its rows have results with a gradient
  uint32_t *clones;   // [value] first of the further rows of one with more than FAN uses, 0: it has none
  uint32_t *given;    // [value] gradients added so far; NULL: there are no clones
  uint32_t *sizes;    // [value] units of one that has clones
  uint32_t units;     // of values and clones
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
  return trace_is_list(block) || executor->cpu->model->module->blocks[block]->adjoint;
}

static nn_status *flow_of(const struct executor *executor, uint32_t block, const struct flow **flow) {
  struct flow **known = &executor->cpu->flows[block];
  if (!*known)
    *known = flow_new(executor->cpu->model->module->blocks[block], adjoint_kernel(executor, block));
  *flow = *known;
  return *known ? NULL : status_no_memory();
}

// Results of a row that have a gradient, from `reached`.
static uint64_t reached_results(const uint32_t *reached, uint32_t n) {
  uint64_t live = 0;
  for (uint32_t r = 0; r < n; r++)
    if (reached[r])
      live |= flow_result(r);
  return live;
}

static void reach_tensors(struct backward *backward, uint32_t row, const struct flow *flow, uint64_t live) {
  const struct trace *trace = &backward->executor->minibatch->trace;
  uint32_t n_tensors = trace->blocks[trace->instances[trace->rows[row].instance].block].n_tensors;
  for (uint32_t t = 0; t < n_tensors; t++) {
    const uint32_t *values;
    uint32_t n = flow->inputs[t] & live ? trace_tensor(trace, row, t, &values) : 0;
    for (uint32_t i = 0; i < n; i++)
      backward->reached[values[i]]++;
  }
}

// Which values a gradient reaches, from the seeds on through operands. It is each example's own dataflow that
// says so: neither the batch that a row runs in nor what else is in it.
static nn_status *find_live(struct backward *backward, const uint32_t *seeds, uint32_t n_seeds) {
  struct executor *executor = backward->executor;
  const struct schedule *schedule = &executor->minibatch->schedule;
  const struct trace *trace = &executor->minibatch->trace;
  backward->reached = array(executor, trace->n_values, sizeof *backward->reached);
  backward->live = array(executor, schedule->n_batches, sizeof *backward->live);
  memset(backward->reached, 0, trace->n_values * sizeof *backward->reached);
  backward->results = array(executor, trace->n_rows, sizeof *backward->results);
  memset(backward->results, 0, trace->n_rows * sizeof *backward->results);
  memset(backward->live, 0, schedule->n_batches * sizeof *backward->live);
  for (uint32_t s = 0; s < n_seeds; s++)
    backward->reached[seeds[s]]++;
  for (uint32_t b = schedule->n_batches; b-- > 0;) {
    const struct batch *batch = &schedule->batches[b];
    const struct flow *flow = NULL;
    if (!is_differentiable(executor, batch->block))
      continue;
    if (!trace_is_list(batch->block))
      STATUS_TRY(flow_of(executor, batch->block, &flow));
    uint32_t n_values = flow ? trace->blocks[batch->block].n_values : 1;
    for (uint32_t i = 0; i < batch->count; i++) {
      uint32_t number = schedule->order[batch->first + i], n;
      uint64_t live = reached_results(backward->reached + trace->rows[number].first_value, n_values);
      if (!live)
        continue;
      backward->results[number] = live;
      backward->live[b]++;
      const uint32_t *args;
      const uint16_t *map;
      if (flow && trace->blocks[batch->block].ragged) {
        reach_tensors(backward, number, flow, live);
        continue;
      }
      n = trace_operands(trace, number, &args, &map);
      for (uint32_t t = 0; t < n; t++)
        if (!flow || flow->inputs[t] & live)
          backward->reached[args[map ? map[t] : t]]++;
    }
  }
  return NULL;
}

static uint32_t value_units(const struct backward *backward, uint32_t value) {
  const struct trace *trace = &backward->executor->minibatch->trace;
  const struct trace_instance *instance = &trace->instances[trace->value_instance[value]];
  if (trace_is_list(instance->block))
    return (uint32_t)(nn_row_elements(trace->keys[instance->key].elements) / NN_LANES);
  uint32_t result = value - trace->rows[trace_row_of(trace, value)].first_value;
  const struct plan_block *block = &backward->executor->cpu->model->blocks[instance->block];
  if (block->sizes[result])
    return (uint32_t)(nn_row_elements((uint64_t)block->elements[result] * trace_length(trace, value)) /
                      NN_LANES);
  return block->units[result];
}

// Rows beyond the plan's for values with many uses. The value is copied there, because a gradient lies at the
// offset of what it is the gradient of.
static nn_status *make_clones(struct backward *backward) {
  struct executor *executor = backward->executor;
  const struct trace *trace = &executor->minibatch->trace;
  uint64_t units = executor->minibatch->plan.values_units;
  for (uint32_t v = 0; v < trace->n_values; v++)
    if (backward->reached[v] > FAN)
      units += (uint64_t)(backward->reached[v] - 1) / FAN * value_units(backward, v);
  if (units > UINT32_MAX)
    return status_new(NN_NO_MEMORY, "the minibatch needs more memory for its gradients than there is");
  backward->units = (uint32_t)units;
  if (units == executor->minibatch->plan.values_units)
    return NULL;
  if (!row_arena_reserve(&executor->values, units))
    return status_no_memory();
  backward->clones = array(executor, trace->n_values, sizeof *backward->clones);
  backward->given = array(executor, trace->n_values, sizeof *backward->given);
  backward->sizes = array(executor, trace->n_values, sizeof *backward->sizes);
  memset(backward->clones, 0, trace->n_values * sizeof *backward->clones);
  memset(backward->given, 0, trace->n_values * sizeof *backward->given);
  uint32_t at = executor->minibatch->plan.values_units;
  for (uint32_t v = 0; v < trace->n_values; v++) {
    if (backward->reached[v] <= FAN)
      continue;
    uint32_t size = backward->sizes[v] = value_units(backward, v);
    backward->clones[v] = at;
    for (uint32_t c = (backward->reached[v] - 1) / FAN; c > 0; c--, at += size)
      memcpy(row_arena_at(&executor->values, at), row_arena_at(&executor->values, trace->value_row[v]),
             size * executor->values.unit);
  }
  return NULL;
}

// The row that the next use of a value reads and adds its gradient to.
static uint32_t next_row(struct backward *backward, uint32_t value) {
  const struct trace *trace = &backward->executor->minibatch->trace;
  uint32_t use = backward->clones[value] ? backward->given[value]++ / FAN : 0;
  return use ? backward->clones[value] + (use - 1) * backward->sizes[value] : trace->value_row[value];
}

// Adds up what the clones of the batch's results got.
static void collect_clones(struct backward *backward, const struct batch *batch) {
  struct executor *executor = backward->executor;
  const struct trace *trace = &executor->minibatch->trace;
  for (uint32_t i = 0; i < batch->count; i++) {
    uint32_t first = trace->rows[executor->minibatch->schedule.order[batch->first + i]].first_value;
    uint32_t n = trace_is_list(batch->block) ? 1 : trace->blocks[batch->block].n_values;
    for (uint32_t v = first; v < first + n; v++) {
      if (!backward->clones[v])
        continue;
      uint32_t n_clones = (backward->reached[v] - 1) / FAN, size = backward->sizes[v];
      executor->cpu->loops->sum_rows(row_arena_at(&executor->gradients, trace->value_row[v]), 1,
                                     row_arena_at(&executor->gradients, backward->clones[v]), n_clones,
                                     (size_t)size * NN_LANES, (size_t)size * NN_LANES);
    }
  }
}

// The rows of an operand of a batch, or the terms of its reductions: those of the plan, unless some are cloned.
static const uint32_t *operand_rows(struct backward *backward, const struct batch *batch, uint32_t operand,
                                    const uint32_t *planned, uint32_t n_rows) {
  const struct minibatch *minibatch = backward->executor->minibatch;
  const struct trace *trace = &minibatch->trace;
  uint32_t *rows = array(backward->executor, n_rows, sizeof *rows), at = 0;
  for (uint32_t r = 0; r < batch->count; r++) {
    uint32_t number = minibatch->schedule.order[batch->first + r];
    const uint32_t *values;
    // Only uses with a gradient were counted.
    const struct flow *flow = backward->executor->cpu->flows[batch->block];
    bool adds = flow->inputs[operand] & backward->results[number];
    for (uint32_t n = trace_tensor(trace, number, operand, &values), i = 0; i < n; i++, at++)
      rows[at] = adds ? next_row(backward, values[i]) : planned[at];
  }
  return rows;
}

static const uint32_t *term_rows(struct backward *backward, const struct batch *batch, uint32_t n_terms) {
  const struct minibatch *minibatch = backward->executor->minibatch;
  const struct trace *trace = &minibatch->trace;
  uint32_t *rows = array(backward->executor, n_terms, sizeof *rows), at = 0;
  for (uint32_t r = 0; r < batch->count; r++) {
    uint32_t number = minibatch->schedule.order[batch->first + r];
    const uint32_t *args = trace->args + trace->rows[number].args;
    bool adds = backward->results[number] != 0;
    for (uint32_t t = 0; t < args[0]; t++)
      rows[at++] = adds ? next_row(backward, args[2 + t]) : trace->value_row[args[2 + t]];
  }
  return rows;
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
    if (!backward->live[b] || trace_is_list(batch->block))
      continue;
    const struct kernel *kernel = adjoint_kernel(executor, batch->block);
    if (kernel->n_sinks == 0)
      continue;
    if (group_of_key[batch->key] == UINT32_MAX) {
      group_of_key[batch->key] = backward->n_groups;
      backward->groups[backward->n_groups++] = (struct sink_group){
          .kernel = kernel, .block = batch->block, .flow = executor->cpu->flows[batch->block]};
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

// ------------------------------------------------------------------------------------------------- one batch

// Whether two rows of the batch add to the gradient of one value; then a single thread must run it.
static bool shares_rows(const struct backward *backward, uint32_t number, const uint32_t *const *rows) {
  struct executor *executor = backward->executor;
  if (threads_count(executor->cpu->threads) == 1)
    return true;
  const struct batch *batch = &executor->minibatch->schedule.batches[number];
  uint32_t n_tensors = executor->minibatch->trace.blocks[batch->block].n_tensors;
  size_t wanted = backward->units + (size_t)1;
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
  // A row that meets itself, as two operands of its own, is no conflict; it is found all the same, and
  // rare.
  for (uint32_t t = 0; t < n_tensors; t++) {
    uint32_t n = plan_operand_rows(&executor->minibatch->plan.batches[number], t, batch->count);
    for (uint32_t r = 0; r < n; r++) {
      uint32_t *mark = &executor->marks[rows[t][r]];
      if (*mark == executor->mark)
        return true;
      *mark = executor->mark;
    }
  }
  return false;
}

// A batch of which not every row has a gradient: the others are passed over, since 0 times an infinite derivative is
// no number.
static nn_status *run_live_rows(struct backward *backward, const struct batch *batch,
                                const struct kernel *kernel, const struct kernel_args *args) {
  struct executor *executor = backward->executor;
  const struct minibatch *minibatch = executor->minibatch;
  for (uint32_t begin = 0, end; begin < batch->count; begin = end) {
    bool live = false, next;
    for (end = begin; end < batch->count; end++) {
      next = backward->results[minibatch->schedule.order[batch->first + end]] != 0;
      if (end > begin && next != live)
        break;
      live = next;
    }
    for (uint32_t i = 0; i < kernel->n_sink_buffers && !live; i++) {
      size_t stride = nn_row_elements(kernel->sink_elements[i]) * nn_element_bytes(executor->cpu->element);
      memset((char *)args->sinks[i] + begin * stride, 0, (end - begin) * stride);
    }
    if (live)
      STATUS_TRY(
          execute_rows(executor, kernel, args, begin, end, 0, false, &executor->run.adjoint[batch->block]));
  }
  return NULL;
}

static nn_status *run_adjoint(struct backward *backward, uint32_t number) {
  struct executor *executor = backward->executor;
  const struct batch *batch = &executor->minibatch->schedule.batches[number];
  const struct plan_batch *plan = &executor->minibatch->plan.batches[number];
  const struct plan_block *block = &executor->cpu->model->blocks[batch->block];
  const struct kernel *kernel = adjoint_kernel(executor, batch->block);
  const void **params;
  STATUS_TRY(execute_params(executor, number, kernel, &params));
  const uint32_t *const *rows = plan->rows;
  uint32_t n_tensors = executor->minibatch->trace.blocks[batch->block].n_tensors;
  if (backward->given) {
    const uint32_t **chosen = array(executor, n_tensors, sizeof *chosen);
    for (uint32_t t = 0; t < n_tensors; t++)
      chosen[t] = operand_rows(backward, batch, t, plan->rows[t], plan_operand_rows(plan, t, batch->count));
    rows = chosen;
  }
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
                                   .rows = rows,
                                   .terms = plan->operand_terms,
                                   .sizes = plan->sizes,
                                   .output_rows = plan->output_rows ? plan->output_rows + block->n_results
                                                                    : NULL,
                                   .gradient_rows = plan->output_rows,
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
  if (backward->live[number] < batch->count)
    return run_live_rows(backward, batch, kernel, &args);
  return execute_rows(executor, kernel, &args, 0, batch->count, execute_row_elements(block) * 2,
                      !shares_rows(backward, number, rows), &executor->run.adjoint[batch->block]);
}

static nn_status *run_batches(struct backward *backward) {
  struct executor *executor = backward->executor;
  for (uint32_t b = executor->minibatch->schedule.n_batches; b-- > 0;) {
    if (!backward->live[b])
      continue;
    if (backward->given)
      collect_clones(backward, &executor->minibatch->schedule.batches[b]);
    if (trace_is_list(executor->minibatch->schedule.batches[b].block)) {
      struct list_rows list_rows;
      execute_describe_list_rows(executor, b, &list_rows);
      const struct batch *batch = &executor->minibatch->schedule.batches[b];
      if (backward->given)
        list_rows.terms = term_rows(backward, batch, list_rows.first_term[batch->count]);
      list_rows_backward(&list_rows, 0, executor->minibatch->schedule.batches[b].count);
    } else {
      STATUS_TRY(run_adjoint(backward, b));
    }
  }
  return NULL;
}

// -------------------------------------------------------------------------------------------------- the pass

static nn_status *seed(const struct backward *backward, const uint32_t *seeds, uint32_t n_seeds,
                       double scale) {
  struct executor *executor = backward->executor;
  if (!row_arena_reserve(&executor->gradients, backward->units))
    return status_no_memory();
  if (backward->units)
    memset(executor->gradients.base, 0, backward->units * executor->gradients.unit);
  for (uint32_t s = 0; s < n_seeds; s++) {
    char *row = row_arena_at(&executor->gradients, executor->minibatch->trace.value_row[seeds[s]]);
    if (executor->cpu->element == NN_F32)
      *(float *)row += (float)scale;
    else
      *(double *)row += scale;
  }
  return NULL;
}

static nn_status *run_backward_pass(struct device_run *run, const struct minibatch *minibatch,
                                    const uint32_t *seeds, uint32_t n_seeds, double scale, bool adding) {
  struct executor *executor = executor_of(run);
  executor->minibatch = minibatch;
  value_arena_reset(executor->memory);
  row_arena_reset(&executor->sinks);
  if (!adding)
    params_clear_gradients(&executor->cpu->params);
  struct backward backward = {.executor = executor};
  STATUS_TRY(find_live(&backward, seeds, n_seeds));
  STATUS_TRY(make_clones(&backward));
  STATUS_TRY(seed(&backward, seeds, n_seeds, scale));
  STATUS_TRY(make_groups(&backward));
  STATUS_TRY(run_batches(&backward));
  double start = clock_seconds();
  STATUS_TRY(weights_accumulate(executor, backward.groups, backward.n_groups, backward.results));
  if (!params_settle_gradients(&executor->cpu->params))
    return status_no_memory();
  executor->run.weights_seconds += clock_seconds() - start;
  return NULL;
}

nn_status *execute_backward(struct device_run *run, const struct minibatch *minibatch, const uint32_t *seeds,
                            uint32_t n_seeds, double scale, bool adding) {
  struct executor *executor = executor_of(run);
  jmp_buf exhausted;
  if (setjmp(exhausted) != 0) {
    value_arena_catch(executor->memory, NULL);
    return status_no_memory();
  }
  value_arena_catch(executor->memory, &exhausted);
  nn_status *status = run_backward_pass(run, minibatch, seeds, n_seeds, scale, adding);
  value_arena_catch(executor->memory, NULL);
  return status;
}

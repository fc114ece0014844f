// Places the rows of batches and transposes their operands.
#include "runtime/batch/plan.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/base/status.h"

nn_status *plan_init(struct plan *plan) {
  *plan = (struct plan){.memory = value_arena_new()};
  if (!plan->memory)
    return status_no_memory();
  return NULL;
}

void plan_free(struct plan *plan) {
  if (plan->memory)
    value_arena_free(plan->memory);
  free(plan->batches);
  *plan = (struct plan){0};
}

void plan_reset(struct plan *plan) {
  value_arena_reset(plan->memory);
  plan->n_batches = 0;
  plan->values_units = plan->saved_units = 0;
}

static void *array(struct plan *plan, size_t n, size_t element) {
  return value_arena_alloc(plan->memory, (n ? n : 1) * element);
}

// Room for `rows` rows of `units` units each, behind what is used; false when the 32-bit offsets are exhausted.
static bool place_rows(uint32_t *used, uint64_t rows, uint64_t units, uint32_t *offset) {
  uint64_t wanted;
  if (__builtin_mul_overflow(rows, units, &wanted) || wanted >= UINT32_MAX - *used)
    return false;
  *offset = *used;
  *used += (uint32_t)wanted;
  return true;
}

static void place_results(struct trace *trace, const uint32_t *order, uint32_t count, uint32_t result,
                          uint32_t base, uint32_t units) {
  for (uint32_t r = 0; r < count; r++, base += units)
    trace->value_row[trace->rows[order[r]].first_value + result] = base;
}

static nn_status *too_large(void) {
  return status_new(NN_NO_MEMORY, "the minibatch needs more memory for its values than there is");
}

// The rows of an output that are not equally long, one behind the other.
static bool place_ragged(struct plan *plan, uint32_t *used, uint32_t count, uint32_t elements,
                         const int32_t *sizes, uint32_t *base, const uint32_t **rows) {
  uint32_t *offsets = array(plan, count, sizeof *offsets);
  *base = *used;
  for (uint32_t r = 0; r < count; r++)
    if (!place_rows(used, 1, nn_row_elements((uint64_t)elements * (uint32_t)sizes[r]) / NN_LANES,
                    &offsets[r]))
      return false;
  for (uint32_t r = 0; r < count; r++)
    offsets[r] -= *base;
  *rows = offsets;
  return true;
}

static nn_status *plan_ragged_outputs(struct plan *plan, const struct plan_block *block, struct trace *trace,
                                      const uint32_t *order, uint32_t count, uint32_t n,
                                      struct plan_batch *batch) {
  batch->output_rows = array(plan, block->n_outputs, sizeof *batch->output_rows);
  memset(batch->output_rows, 0, block->n_outputs * sizeof *batch->output_rows);
  for (uint32_t o = 0; o < n; o++) {
    uint32_t *used = o < block->n_results ? &plan->values_units : &plan->saved_units;
    if (!block->sizes[o])
      continue;
    if (!place_ragged(plan, used, count, block->elements[o], batch->sizes[block->sizes[o] - 1],
                      &batch->outputs[o], &batch->output_rows[o]))
      return too_large();
    for (uint32_t r = 0; o < block->n_results && r < count; r++)
      trace->value_row[trace->rows[order[r]].first_value + o] = batch->outputs[o] + batch->output_rows[o][r];
  }
  return NULL;
}

static nn_status *plan_outputs(struct plan *plan, const struct plan_block *block, struct trace *trace,
                               const uint32_t *order, uint32_t count, bool saving, struct plan_batch *batch) {
  uint32_t n = saving ? block->n_outputs : block->n_results;
  batch->outputs = array(plan, n, sizeof *batch->outputs);
  for (uint32_t o = 0; o < n; o++) {
    uint32_t *used = o < block->n_results ? &plan->values_units : &plan->saved_units;
    if (block->n_sizes && block->sizes[o])
      continue;
    if (!place_rows(used, count, block->units[o], &batch->outputs[o]))
      return too_large();
    if (o < block->n_results)
      place_results(trace, order, count, o, batch->outputs[o], block->units[o]);
  }
  return block->n_sizes ? plan_ragged_outputs(plan, block, trace, order, count, n, batch) : NULL;
}

// Transposes the arguments of the batch's rows, an operand at a time.
static void plan_operands(struct plan *plan, const struct trace *trace, const struct trace_block *block,
                          const uint32_t *order, uint32_t count, struct plan_batch *batch) {
  uint32_t **rows = array(plan, block->n_tensors, sizeof *rows);
  int32_t **indices = array(plan, block->n_indices, sizeof *indices);
  double **numbers = array(plan, block->n_numbers, sizeof *numbers);
  uint32_t *args = array(plan, count, sizeof *args);  // [row] where its words begin
  for (uint32_t r = 0; r < count; r++)
    args[r] = trace->rows[order[r]].args;
  for (uint32_t t = 0; t < block->n_tensors; t++) {
    const uint32_t *words = trace->args + block->tensor_words[t];
    // plan_ragged
    if (block->ragged && block->ragged->is_list[t])
      continue;
    rows[t] = array(plan, count, sizeof **rows);
    for (uint32_t r = 0; r < count; r++)
      rows[t][r] = trace->value_row[words[args[r]]];
  }
  for (uint32_t t = 0; t < block->n_indices; t++) {
    const uint32_t *words = trace->args + block->index_words[t];
    indices[t] = array(plan, count, sizeof **indices);
    for (uint32_t r = 0; r < count; r++)
      indices[t][r] = (int32_t)words[args[r]];
  }
  for (uint32_t t = 0; t < block->n_numbers; t++) {
    const uint32_t *words = trace->args + block->number_words[t];
    numbers[t] = array(plan, count, sizeof **numbers);
    for (uint32_t r = 0; r < count; r++)
      memcpy(&numbers[t][r], &words[args[r]], sizeof **numbers);
  }
  if (block->random) {
    const uint32_t *words = trace->args + block->n_args - 2;
    uint32_t *examples = array(plan, count, sizeof *examples),
             *ordinals = array(plan, count, sizeof *ordinals);
    for (uint32_t r = 0; r < count; r++) {
      examples[r] = words[args[r]];
      ordinals[r] = words[args[r] + 1];
    }
    batch->examples = examples;
    batch->ordinals = ordinals;
  }
  batch->rows = (const uint32_t **)rows;
  batch->indices = (const int32_t **)indices;
  batch->numbers = (const double **)numbers;
}

// The run-time sizes of the batch's rows, and the terms of their lists in place of the rows that plan_operands made.
static nn_status *plan_ragged(struct plan *plan, const struct trace *trace, const struct trace_block *block,
                              const uint32_t *order, uint32_t count, struct plan_batch *batch) {
  const struct trace_ragged *ragged = block->ragged;
  int32_t **sizes = array(plan, ragged->n_sizes, sizeof *sizes);
  for (uint32_t k = 0; k < ragged->n_sizes; k++) {
    sizes[k] = array(plan, count, sizeof **sizes);
    for (uint32_t r = 0; r < count; r++)
      sizes[k][r] = (int32_t)trace_sizes(trace, order[r])[k];
  }
  batch->sizes = (const int32_t **)sizes;
  batch->operand_terms = array(plan, block->n_tensors, sizeof *batch->operand_terms);
  for (uint32_t t = 0; t < block->n_tensors; t++) {
    batch->operand_terms[t] = NULL;
    if (!ragged->is_list[t])
      continue;
    const int32_t *lengths = sizes[ragged->tensor_sizes[t] - 1];
    uint32_t *first = array(plan, (size_t)count + 1, sizeof *first), at = 0;
    for (uint32_t r = 0; r < count; r++) {
      first[r] = at;
      if (__builtin_add_overflow(at, (uint32_t)lengths[r], &at))
        return too_large();
    }
    first[count] = at;
    uint32_t *terms = array(plan, at, sizeof *terms);
    for (uint32_t r = 0; r < count; r++) {
      const uint32_t *operands;
      trace_tensor(trace, order[r], t, &operands);
      for (int32_t i = 0; i < lengths[r]; i++)
        terms[first[r] + (uint32_t)i] = trace->value_row[operands[i]];
    }
    batch->operand_terms[t] = first;
    batch->rows[t] = terms;
  }
  return NULL;
}

static nn_status *plan_list(struct plan *plan, struct trace *trace, const uint32_t *order, uint32_t count,
                            struct plan_batch *batch) {
  bool is_data = trace->instances[trace->rows[order[0]].instance].block == TRACE_LIST_VECTOR;
  size_t n_terms = is_data ? count : 0;
  for (uint32_t r = 0; r < count; r++)
    n_terms += trace->args[trace->rows[order[r]].args];
  if (n_terms > UINT32_MAX)
    return too_large();
  uint32_t *first = array(plan, (size_t)count + 1, sizeof *first),
           *terms = array(plan, n_terms, sizeof *terms);
  uint32_t at = 0;
  for (uint32_t r = 0; r < count; r++) {
    const uint32_t *args = trace->args + trace->rows[order[r]].args;
    first[r] = at;
    for (uint32_t t = 0; t < args[0]; t++)
      terms[at++] = trace->value_row[args[2 + t]];
    if (is_data)
      terms[r] = args[2];
  }
  first[count] = at;
  batch->first_term = first;
  batch->terms = terms;
  uint32_t elements = trace->args[trace->rows[order[0]].args + 1];
  uint32_t units = (uint32_t)(nn_row_elements(elements) / NN_LANES);
  batch->outputs = array(plan, 1, sizeof *batch->outputs);
  if (!place_rows(&plan->values_units, count, units, &batch->outputs[0]))
    return too_large();
  place_results(trace, order, count, 0, batch->outputs[0], units);
  return NULL;
}

static nn_status *extend(struct plan *plan, const struct plan_block *blocks, struct trace *trace,
                         const struct schedule *schedule, bool saving) {
  if (!array_reserve_u32(&plan->batches, sizeof *plan->batches, schedule->n_batches, &plan->capacity))
    return status_no_memory();
  for (; plan->n_batches < schedule->n_batches; plan->n_batches++) {
    const struct batch *source = &schedule->batches[plan->n_batches];
    struct plan_batch *batch = &plan->batches[plan->n_batches];
    const uint32_t *order = schedule->order + source->first;
    *batch = (struct plan_batch){0};
    if (trace_is_list(source->block)) {
      STATUS_TRY(plan_list(plan, trace, order, source->count, batch));
      continue;
    }
    plan_operands(plan, trace, &trace->blocks[source->block], order, source->count, batch);
    if (trace->blocks[source->block].ragged)
      STATUS_TRY(plan_ragged(plan, trace, &trace->blocks[source->block], order, source->count, batch));
    STATUS_TRY(plan_outputs(plan, &blocks[source->block], trace, order, source->count, saving, batch));
  }
  return NULL;
}

nn_status *plan_extend(struct plan *plan, const struct plan_block *blocks, struct trace *trace,
                       const struct schedule *schedule, bool saving) {
  jmp_buf exhausted;
  if (setjmp(exhausted) != 0) {
    value_arena_catch(plan->memory, NULL);
    return status_no_memory();
  }
  value_arena_catch(plan->memory, &exhausted);
  nn_status *status = extend(plan, blocks, trace, schedule, saving);
  value_arena_catch(plan->memory, NULL);
  return status;
}

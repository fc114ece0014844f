// Flushes: which pending instances are scheduled, by which policy, in which order of phases.
#include "runtime/batch/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/value/value.h"

bool schedule_init(struct schedule *schedule) {
  *schedule = (struct schedule){.scratch = value_arena_new()};
  return schedule->scratch != NULL;
}

void schedule_free(struct schedule *schedule) {
  free(schedule->order);
  free(schedule->batches);
  for (uint32_t p = 0; p < schedule->phases_capacity; p++) {
    free(schedule->phases[p].instances);
    free(schedule->phases[p].rows);
  }
  free(schedule->phases);
  free(schedule->local);
  if (schedule->scratch)
    value_arena_free(schedule->scratch);
  *schedule = (struct schedule){0};
}

void schedule_reset(struct schedule *schedule) {
  schedule->n_order = schedule->n_batches = schedule->n_flushes = 0;
  for (uint32_t p = 0; p < schedule->n_phases; p++)
    schedule->phases[p].n = schedule->phases[p].n_rows = 0;
  schedule->n_phases = schedule->n_seen = schedule->n_rows_seen = 0;
}

static bool add_phase(struct schedule *schedule, uint32_t phase) {
  uint32_t before = schedule->phases_capacity;
  if (!array_reserve_u32(&schedule->phases, sizeof *schedule->phases, phase + 1, &schedule->phases_capacity))
    return false;
  size_t more = schedule->phases_capacity - before;
  memset(schedule->phases + before, 0, more * sizeof *schedule->phases);
  if (phase >= schedule->n_phases)
    schedule->n_phases = phase + 1;
  return true;
}

// Distributes the instances that the trace has grown by among the phases, and the rows.
static bool take_new(struct schedule *schedule, const struct trace *trace) {
  for (; schedule->n_seen < trace->n_instances; schedule->n_seen++) {
    uint32_t phase = trace->instances[schedule->n_seen].phase;
    if (phase >= schedule->n_phases && !add_phase(schedule, phase))
      return false;
    struct schedule_pending *pending = &schedule->phases[phase];
    if (pending->n == pending->capacity && !array_reserve_u32(&pending->instances, sizeof *pending->instances,
                                                              pending->n + 1, &pending->capacity))
      return false;
    pending->instances[pending->n++] = schedule->n_seen;
  }
  for (; schedule->n_rows_seen < trace->n_rows; schedule->n_rows_seen++) {
    uint32_t phase = trace->instances[trace->rows[schedule->n_rows_seen].instance].phase;
    struct schedule_pending *pending = &schedule->phases[phase];
    if (pending->n_rows == pending->rows_capacity &&
        !array_reserve_u32(&pending->rows, sizeof *pending->rows, pending->n_rows + 1,
                           &pending->rows_capacity))
      return false;
    pending->rows[pending->n_rows++] = schedule->n_rows_seen;
  }
  return true;
}

// A batch without rows; NULL without memory.
static struct batch *add_batch(struct schedule *schedule, const struct trace_instance *head) {
  if (!array_reserve_u32(&schedule->batches, sizeof *schedule->batches, schedule->n_batches + 1,
                         &schedule->batches_capacity))
    return NULL;
  struct batch *batch = &schedule->batches[schedule->n_batches++];
  *batch = (struct batch){.block = head->block,
                          .key = head->key,
                          .first = schedule->n_order,
                          .phase = head->phase,
                          .level = head->level,
                          .flush = schedule->n_flushes};
  return batch;
}

// The batches of a phase, and its rows distributed among them.
static bool append_order(struct schedule *schedule, const struct trace *trace,
                         const struct schedule_graph *graph, const struct schedule_order *order,
                         const struct schedule_pending *pending) {
  uint32_t *ends = value_arena_alloc(schedule->scratch,
                                     graph->n * sizeof *ends);  // [batch] of its rows so far
  uint32_t *batch_of = value_arena_alloc(schedule->scratch, graph->n * sizeof *batch_of);  // [node]
  for (uint32_t b = 0; b < order->n_batches; b++) {
    const uint32_t *nodes = order->nodes + order->starts[b];
    uint32_t count = order->starts[b + 1] - order->starts[b];
    struct batch *batch = add_batch(schedule, &trace->instances[graph->instances[nodes[0]]]);
    if (!batch)
      return false;
    for (uint32_t i = 0; i < count; i++) {
      batch->count += graph->n_rows[nodes[i]];
      if (graph->levels[nodes[i]] < batch->level)
        batch->level = graph->levels[nodes[i]];
      batch_of[nodes[i]] = b;
    }
    ends[b] = batch->first;
    schedule->n_order += batch->count;
  }
  for (uint32_t i = 0; i < pending->n_rows; i++) {
    uint32_t row = pending->rows[i];
    schedule->order[ends[batch_of[schedule->local[trace->rows[row].instance]]]++] = row;
  }
  return true;
}

static uint64_t sum_of_direct_chains(struct schedule *schedule, const struct trace *trace,
                                     const struct schedule_graph *graph) {
  uint32_t *longest = value_arena_alloc(schedule->scratch, (graph->n_keys + 1) * sizeof *longest);
  memset(longest, 0, graph->n_keys * sizeof *longest);
  for (uint32_t i = 0; i < graph->n; i++) {
    uint32_t chain = trace->instances[graph->instances[i]].chain, *most = &longest[graph->keys[i]];
    if (chain > *most)
      *most = chain;
  }
  uint64_t sum = 0;
  for (uint32_t k = 0; k < graph->n_keys; k++)
    sum += longest[k];
  return sum;
}

static void auto_order(struct schedule *schedule, const struct trace *trace, struct schedule_graph *graph,
                       struct schedule_order *best) {
  schedule_by_depth(schedule, graph, best);
  // Chains through instances of one key alone are known from tracing. Where they account for all batches, as
  // in plain recurrences and trees, the graph need not be looked at.
  if (best->n_batches == sum_of_direct_chains(schedule, trace, graph))
    return;
  schedule_graph_link(schedule, trace, graph);
  uint32_t *heights = value_arena_alloc(schedule->scratch, graph->n * sizeof *heights);
  struct schedule_order order;
  if (schedule_graph_heights(schedule, graph, heights)) {
    uint64_t bound = schedule_graph_bound(schedule, graph, heights);
    if (best->n_batches == bound)
      return;
    schedule_ready_sets(schedule, graph, heights, &order);
    if (order.n_batches < best->n_batches)
      *best = order;
    if (best->n_batches == bound)
      return;
  }
  schedule_ready_sets(schedule, graph, NULL, &order);
  if (order.n_batches < best->n_batches)
    *best = order;
}

static bool schedule_phase(struct schedule *schedule, const struct trace *trace, nn_autobatch policy,
                           const struct schedule_pending *pending) {
  struct schedule_graph graph;
  struct schedule_order order;
  schedule_graph_make(schedule, trace, pending->n, pending->instances, &graph);
  switch (policy) {
  case NN_AUTOBATCH_DEPTH: schedule_by_depth(schedule, &graph, &order); break;
  case NN_AUTOBATCH_AGENDA:
    schedule_graph_link(schedule, trace, &graph);
    schedule_ready_sets(schedule, &graph, NULL, &order);
    break;
  default: auto_order(schedule, trace, &graph, &order);
  }
  return append_order(schedule, trace, &graph, &order, pending);
}

// Every row alone.
static bool schedule_off(struct schedule *schedule, const struct trace *trace,
                         const struct schedule_pending *pending) {
  for (uint32_t i = 0; i < pending->n_rows; i++) {
    uint32_t row = pending->rows[i];
    struct batch *batch = add_batch(schedule, &trace->instances[trace->rows[row].instance]);
    if (!batch)
      return false;
    batch->count = 1;
    schedule->order[schedule->n_order++] = row;
  }
  return true;
}

static bool flush(struct schedule *schedule, struct trace *trace, nn_autobatch policy, uint32_t max_phase) {
  value_arena_reset(schedule->scratch);
  trace_close(trace);
  if (!take_new(schedule, trace) ||
      !array_reserve_u32(&schedule->order, sizeof *schedule->order, trace->n_rows,
                         &schedule->order_capacity) ||
      !array_reserve_u32(&schedule->local, sizeof *schedule->local, trace->n_instances,
                         &schedule->local_capacity))
    return false;
  for (uint32_t p = 0; p < schedule->n_phases && p <= max_phase; p++) {
    struct schedule_pending *pending = &schedule->phases[p];
    if (pending->n == 0)
      continue;
    if (!(policy == NN_AUTOBATCH_OFF ? schedule_off(schedule, trace, pending)
                                     : schedule_phase(schedule, trace, policy, pending)))
      return false;
    pending->n = pending->n_rows = 0;
  }
  schedule->n_flushes++;
  return true;
}

bool schedule_flush(struct schedule *schedule, struct trace *trace, nn_autobatch policy, uint32_t max_phase) {
  jmp_buf exhausted;
  if (setjmp(exhausted) != 0) {
    value_arena_catch(schedule->scratch, NULL);
    return false;
  }
  value_arena_catch(schedule->scratch, &exhausted);
  bool done = flush(schedule, trace, policy, max_phase);
  value_arena_catch(schedule->scratch, NULL);
  return done;
}

static int compare_words(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

// The instances of rows, each once, in the order of the trace.
static uint32_t instances_of(const struct trace *trace, uint32_t n, const uint32_t *rows,
                             uint32_t *instances) {
  for (uint32_t i = 0; i < n; i++)
    instances[i] = trace->rows[rows[i]].instance;
  qsort(instances, n, sizeof *instances, compare_words);
  uint32_t n_different = 0;
  for (uint32_t i = 0; i < n; i++)
    if (i == 0 || instances[i] != instances[i - 1])
      instances[n_different++] = instances[i];
  return n_different;
}

static void lower_bound(struct schedule *schedule, const struct trace *trace, uint64_t *bound) {
  *bound = 0;
  for (uint32_t b = 0; b < schedule->n_batches;) {
    uint32_t end = b, first = schedule->batches[b].first, n = 0;
    for (; end < schedule->n_batches && schedule->batches[end].flush == schedule->batches[b].flush; end++)
      n += schedule->batches[end].count;
    value_arena_reset(schedule->scratch);
    uint32_t *instances = value_arena_alloc(schedule->scratch, n * sizeof *instances);
    n = instances_of(trace, n, schedule->order + first, instances);
    struct schedule_graph graph;
    schedule_graph_make(schedule, trace, n, instances, &graph);
    schedule_graph_link(schedule, trace, &graph);
    uint32_t *heights = value_arena_alloc(schedule->scratch, n * sizeof *heights);
    *bound += schedule_graph_heights(schedule, &graph, heights)
                  ? schedule_graph_bound(schedule, &graph, heights)
                  : graph.n_keys;
    b = end;
  }
}

bool schedule_lower_bound(struct schedule *schedule, const struct trace *trace, uint64_t *bound) {
  jmp_buf exhausted;
  if (setjmp(exhausted) != 0) {
    value_arena_catch(schedule->scratch, NULL);
    return false;
  }
  value_arena_catch(schedule->scratch, &exhausted);
  lower_bound(schedule, trace, bound);
  value_arena_catch(schedule->scratch, NULL);
  return true;
}

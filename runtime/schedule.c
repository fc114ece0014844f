#include "runtime/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/cpu/host.h"

bool schedule_init(struct schedule *schedule) {
  *schedule = (struct schedule){.scratch = host_arena_new()};
  return schedule->scratch != NULL;
}

void schedule_free(struct schedule *schedule) {
  free(schedule->order);
  free(schedule->batches);
  free(schedule->pending);
  free(schedule->local);
  if (schedule->scratch) host_arena_free(schedule->scratch);
  *schedule = (struct schedule){0};
}

void schedule_reset(struct schedule *schedule) {
  schedule->n_order = schedule->n_batches = schedule->n_flushes = 0;
  schedule->n_pending = schedule->n_seen = 0;
}

static bool reserve(void *array, size_t element, uint32_t wanted, uint32_t *capacity) {
  if (wanted <= *capacity) return true;
  size_t grown = *capacity ? *capacity : 256;
  while (grown < wanted) grown *= 2;
  void *old;
  memcpy(&old, array, sizeof old);
  void *new = realloc(old, grown * element);
  if (!new) return false;
  memcpy(array, &new, sizeof new);
  *capacity = (uint32_t)grown;
  return true;
}

static bool take_new(struct schedule *schedule, const struct trace *trace) {
  uint32_t more = trace->n_instances - schedule->n_seen;
  if (!reserve(&schedule->pending, sizeof *schedule->pending, schedule->n_pending + more,
               &schedule->pending_capacity))
    return false;
  while (schedule->n_seen < trace->n_instances) schedule->pending[schedule->n_pending++] = schedule->n_seen++;
  return true;
}

static bool append_batch(struct schedule *schedule, const struct trace *trace,
                         const struct schedule_graph *graph, const uint32_t *nodes, uint32_t count) {
  if (!reserve(&schedule->batches, sizeof *schedule->batches, schedule->n_batches + 1,
               &schedule->batches_capacity))
    return false;
  const struct trace_instance *head = &trace->instances[graph->instances[nodes[0]]];
  struct batch *batch = &schedule->batches[schedule->n_batches++];
  *batch = (struct batch){.block = head->block,
                          .key = head->key,
                          .first = schedule->n_order,
                          .count = count,
                          .phase = head->phase,
                          .level = head->level,
                          .flush = schedule->n_flushes};
  for (uint32_t i = 0; i < count; i++) {
    uint32_t level = graph->levels[nodes[i]];
    if (level < batch->level) batch->level = level;
    schedule->order[schedule->n_order++] = graph->instances[nodes[i]];
  }
  return true;
}

static bool append_order(struct schedule *schedule, const struct trace *trace,
                         const struct schedule_graph *graph, const struct schedule_order *order) {
  for (uint32_t i = 0; i < order->n_batches; i++) {
    const uint32_t *nodes = order->nodes + order->starts[i];
    if (!append_batch(schedule, trace, graph, nodes, order->starts[i + 1] - order->starts[i])) return false;
  }
  return true;
}

static uint64_t sum_of_direct_chains(struct schedule *schedule, const struct trace *trace,
                                     const struct schedule_graph *graph) {
  uint32_t *longest = host_arena_alloc(schedule->scratch, (graph->n_keys + 1) * sizeof *longest);
  memset(longest, 0, graph->n_keys * sizeof *longest);
  for (uint32_t i = 0; i < graph->n; i++) {
    uint32_t chain = trace->instances[graph->instances[i]].chain, *most = &longest[graph->keys[i]];
    if (chain > *most) *most = chain;
  }
  uint64_t sum = 0;
  for (uint32_t k = 0; k < graph->n_keys; k++) sum += longest[k];
  return sum;
}

static void auto_order(struct schedule *schedule, const struct trace *trace, struct schedule_graph *graph,
                       struct schedule_order *best) {
  schedule_by_depth(schedule, graph, best);
  // Chains through instances of one key alone are known from tracing. Where they account for all batches, as
  // in plain recurrences and trees, the graph need not be looked at.
  if (best->n_batches == sum_of_direct_chains(schedule, trace, graph)) return;
  schedule_graph_link(schedule, trace, graph);
  uint32_t *heights = host_arena_alloc(schedule->scratch, graph->n * sizeof *heights);
  struct schedule_order order;
  if (schedule_graph_heights(schedule, graph, heights)) {
    uint64_t bound = schedule_graph_bound(schedule, graph, heights);
    if (best->n_batches == bound) return;
    schedule_ready_sets(schedule, graph, heights, &order);
    if (order.n_batches < best->n_batches) *best = order;
    if (best->n_batches == bound) return;
  }
  schedule_ready_sets(schedule, graph, NULL, &order);
  if (order.n_batches < best->n_batches) *best = order;
}

static bool schedule_phase(struct schedule *schedule, const struct trace *trace, nn_autobatch policy,
                           uint32_t n, const uint32_t *instances) {
  struct schedule_graph graph;
  struct schedule_order order;
  schedule_graph_make(schedule, trace, n, instances, &graph);
  switch (policy) {
  case NN_AUTOBATCH_DEPTH:
    schedule_by_depth(schedule, &graph, &order);
    break;
  case NN_AUTOBATCH_AGENDA:
    schedule_graph_link(schedule, trace, &graph);
    schedule_ready_sets(schedule, &graph, NULL, &order);
    break;
  default:
    auto_order(schedule, trace, &graph, &order);
  }
  return append_order(schedule, trace, &graph, &order);
}

// Every instance alone. The order of the trace is a topological one, whatever the phases.
static bool schedule_off(struct schedule *schedule, const struct trace *trace, uint32_t n,
                         const uint32_t *instances) {
  for (uint32_t i = 0; i < n; i++) {
    uint32_t zero = 0, level = trace->instances[instances[i]].level;
    struct schedule_graph graph = {.n = 1, .instances = instances + i, .levels = &level};
    if (!append_batch(schedule, trace, &graph, &zero, 1)) return false;
  }
  return true;
}

// Moves the pending instances of phases up to max_phase to `taken`, by phase and otherwise in their order.
// starts[p] is where phase p begins.
static uint32_t take_phases(struct schedule *schedule, const struct trace *trace, uint32_t max_phase,
                            uint32_t **taken, uint32_t **starts, uint32_t *n_phases) {
  uint32_t last = 0, n = 0;
  for (uint32_t i = 0; i < schedule->n_pending; i++) {
    uint32_t phase = trace->instances[schedule->pending[i]].phase;
    if (phase > max_phase) continue;
    n++;
    if (phase > last) last = phase;
  }
  *n_phases = last + 1;
  *starts = host_arena_alloc(schedule->scratch, (last + 2) * sizeof **starts);
  *taken = host_arena_alloc(schedule->scratch, (n + 1) * sizeof **taken);
  uint32_t *fill = host_arena_alloc(schedule->scratch, (last + 2) * sizeof *fill);
  memset(*starts, 0, (last + 2) * sizeof **starts);
  for (uint32_t i = 0; i < schedule->n_pending; i++) {
    uint32_t phase = trace->instances[schedule->pending[i]].phase;
    if (phase <= max_phase) (*starts)[phase + 1]++;
  }
  for (uint32_t p = 0; p <= last; p++) (*starts)[p + 1] += (*starts)[p];
  memcpy(fill, *starts, (last + 2) * sizeof *fill);
  uint32_t left = 0;
  for (uint32_t i = 0; i < schedule->n_pending; i++) {
    uint32_t instance = schedule->pending[i], phase = trace->instances[instance].phase;
    if (phase <= max_phase)
      (*taken)[fill[phase]++] = instance;
    else
      schedule->pending[left++] = instance;
  }
  schedule->n_pending = left;
  return n;
}

bool schedule_flush(struct schedule *schedule, const struct trace *trace, nn_autobatch policy,
                    uint32_t max_phase) {
  host_arena_reset(schedule->scratch);
  if (!take_new(schedule, trace) ||
      !reserve(&schedule->order, sizeof *schedule->order, trace->n_instances, &schedule->order_capacity) ||
      !reserve(&schedule->local, sizeof *schedule->local, trace->n_instances, &schedule->local_capacity))
    return false;
  uint32_t *taken, *starts, n_phases;
  if (policy == NN_AUTOBATCH_OFF) {
    uint32_t left = 0, n = 0;
    taken = host_arena_alloc(schedule->scratch, (schedule->n_pending + 1) * sizeof *taken);
    for (uint32_t i = 0; i < schedule->n_pending; i++) {
      uint32_t instance = schedule->pending[i];
      if (trace->instances[instance].phase <= max_phase)
        taken[n++] = instance;
      else
        schedule->pending[left++] = instance;
    }
    schedule->n_pending = left;
    if (!schedule_off(schedule, trace, n, taken)) return false;
  } else {
    take_phases(schedule, trace, max_phase, &taken, &starts, &n_phases);
    for (uint32_t p = 0; p < n_phases; p++) {
      uint32_t n = starts[p + 1] - starts[p];
      if (n && !schedule_phase(schedule, trace, policy, n, taken + starts[p])) return false;
    }
  }
  schedule->n_flushes++;
  return true;
}

static int compare_words(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

bool schedule_lower_bound(struct schedule *schedule, const struct trace *trace, uint64_t *bound) {
  *bound = 0;
  for (uint32_t b = 0; b < schedule->n_batches;) {
    uint32_t end = b, first = schedule->batches[b].first, n = 0;
    for (; end < schedule->n_batches && schedule->batches[end].flush == schedule->batches[b].flush; end++)
      n += schedule->batches[end].count;
    host_arena_reset(schedule->scratch);
    uint32_t *instances = host_arena_alloc(schedule->scratch, n * sizeof *instances);
    memcpy(instances, schedule->order + first, n * sizeof *instances);
    qsort(instances, n, sizeof *instances, compare_words);
    struct schedule_graph graph;
    schedule_graph_make(schedule, trace, n, instances, &graph);
    schedule_graph_link(schedule, trace, &graph);
    uint32_t *heights = host_arena_alloc(schedule->scratch, n * sizeof *heights);
    *bound += schedule_graph_heights(schedule, &graph, heights)
                  ? schedule_graph_bound(schedule, &graph, heights)
                  : graph.n_keys;
    b = end;
  }
  return true;
}

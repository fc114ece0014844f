// The graph of the instances that are scheduled together, and the chains of equal keys in it.
#include <string.h>

#include "runtime/batch/schedule.h"
#include "runtime/value/value.h"

static uint32_t *words(struct schedule *schedule, size_t n) {
  return value_arena_alloc(schedule->scratch, n * sizeof(uint32_t));
}

// The node of an instance, or n when it is not of the graph.
static inline uint32_t node_of(const struct schedule *schedule, const struct schedule_graph *graph,
                               uint32_t instance) {
  uint32_t node = schedule->local[instance];
  return node < graph->n && graph->instances[node] == instance ? node : graph->n;
}

static void number_keys(struct schedule *schedule, const struct trace *trace, struct schedule_graph *graph) {
  uint32_t *dense = words(schedule, trace->n_keys + 1);
  memset(dense, 0xff, (trace->n_keys + 1) * sizeof *dense);
  graph->n_keys = 0;
  for (uint32_t i = 0; i < graph->n; i++) {
    uint32_t key = trace->instances[graph->instances[i]].key;
    if (dense[key] == UINT32_MAX)
      dense[key] = graph->n_keys++;
    graph->keys[i] = dense[key];
  }
}

void schedule_graph_make(struct schedule *schedule, const struct trace *trace, uint32_t n,
                         const uint32_t *instances, struct schedule_graph *graph) {
  *graph = (struct schedule_graph){.n = n,
                                   .instances = instances,
                                   .keys = words(schedule, n),
                                   .levels = words(schedule, n),
                                   .n_rows = words(schedule, n)};
  for (uint32_t i = 0; i < n; i++) {
    schedule->local[instances[i]] = i;
    graph->levels[i] = trace->instances[instances[i]].level;
    graph->n_rows[i] = trace->instances[instances[i]].n_rows;
  }
  number_keys(schedule, trace, graph);
}

void schedule_graph_link(struct schedule *schedule, const struct trace *trace, struct schedule_graph *graph) {
  uint32_t n = graph->n;
  graph->n_waits = words(schedule, n);
  graph->first_user = words(schedule, (size_t)n + 1);
  memset(graph->first_user, 0, ((size_t)n + 1) * sizeof *graph->first_user);
  // By counting: first how many users each node has, then their places.
  for (uint32_t i = 0; i < n; i++) {
    const struct trace_instance *instance = &trace->instances[graph->instances[i]];
    graph->n_waits[i] = 0;
    for (uint32_t w = 0; w < instance->n_waits; w++) {
      uint32_t from = node_of(schedule, graph, trace->waits[instance->first_wait + w]);
      if (from == n)
        continue;
      graph->first_user[from + 1]++;
      graph->n_waits[i]++;
    }
  }
  for (uint32_t i = 0; i < n; i++)
    graph->first_user[i + 1] += graph->first_user[i];
  graph->users = words(schedule, (size_t)graph->first_user[n] + 1);
  uint32_t *fill = words(schedule, (size_t)n + 1);
  memcpy(fill, graph->first_user, ((size_t)n + 1) * sizeof *fill);
  for (uint32_t i = 0; i < n; i++) {
    const struct trace_instance *instance = &trace->instances[graph->instances[i]];
    for (uint32_t w = 0; w < instance->n_waits; w++) {
      uint32_t from = node_of(schedule, graph, trace->waits[instance->first_wait + w]);
      if (from < n)
        graph->users[fill[from]++] = i;
    }
  }
}

// Chains are held as vectors of 16-bit lengths, one for each key, saturating: LANES of them are one machine
// operation.
enum { LANES = 16, MOST_KEYS = 64, MOST_LENGTHS = 1 << 26 };

static inline void raise(uint16_t *restrict to, const uint16_t *restrict from, uint32_t width) {
  for (uint32_t k = 0; k < width; k += LANES)
    for (uint32_t l = 0; l < LANES; l++)
      to[k + l] = to[k + l] > from[k + l] ? to[k + l] : from[k + l];
}

bool schedule_graph_heights(struct schedule *schedule, const struct schedule_graph *graph,
                            uint32_t *heights) {
  uint32_t width = (graph->n_keys + LANES - 1) / LANES * LANES;
  if (graph->n_keys > MOST_KEYS || (uint64_t)graph->n * width > MOST_LENGTHS)
    return false;
  size_t bytes = (size_t)graph->n * width * sizeof(uint16_t);
  // [node][key] longest chain of that key from the node on, itself counted.
  uint16_t *chains = value_arena_alloc(schedule->scratch, bytes);
  for (uint32_t i = graph->n; i-- > 0;) {
    uint16_t *own = chains + (size_t)i * width;
    memset(own, 0, width * sizeof *own);
    for (uint32_t u = graph->first_user[i]; u < graph->first_user[i + 1]; u++)
      raise(own, chains + (size_t)graph->users[u] * width, width);
    uint16_t *mine = &own[graph->keys[i]];
    if (*mine < UINT16_MAX)
      ++*mine;
    heights[i] = *mine;
  }
  return true;
}

uint64_t schedule_graph_bound(struct schedule *schedule, const struct schedule_graph *graph,
                              const uint32_t *heights) {
  uint32_t *longest = words(schedule, graph->n_keys + 1);
  memset(longest, 0, graph->n_keys * sizeof *longest);
  for (uint32_t i = 0; i < graph->n; i++)
    if (heights[i] > longest[graph->keys[i]])
      longest[graph->keys[i]] = heights[i];
  uint64_t bound = 0;
  for (uint32_t k = 0; k < graph->n_keys; k++)
    bound += longest[k];
  return bound;
}

// Stable counting sort of `nodes` by `by[node]`, all below `range`.
static void sort(struct schedule *schedule, uint32_t n, const uint32_t *nodes, const uint32_t *by,
                 uint32_t range, uint32_t *sorted) {
  uint32_t *fill = words(schedule, (size_t)range + 1);
  memset(fill, 0, ((size_t)range + 1) * sizeof *fill);
  for (uint32_t i = 0; i < n; i++)
    fill[by[nodes[i]] + 1]++;
  for (uint32_t r = 0; r < range; r++)
    fill[r + 1] += fill[r];
  for (uint32_t i = 0; i < n; i++)
    sorted[fill[by[nodes[i]]]++] = nodes[i];
}

void schedule_by_depth(struct schedule *schedule, const struct schedule_graph *graph,
                       struct schedule_order *order) {
  uint32_t n = graph->n, top = 0;
  uint32_t *natural = words(schedule, n), *by_key = words(schedule, n);
  for (uint32_t i = 0; i < n; i++) {
    natural[i] = i;
    if (graph->levels[i] > top)
      top = graph->levels[i];
  }
  order->nodes = words(schedule, n);
  order->starts = words(schedule, (size_t)n + 1);
  order->n_batches = 0;
  sort(schedule, n, natural, graph->keys, graph->n_keys, by_key);
  sort(schedule, n, by_key, graph->levels, top + 1, order->nodes);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t node = order->nodes[i], before = i ? order->nodes[i - 1] : 0;
    if (i == 0 || graph->levels[node] != graph->levels[before] || graph->keys[node] != graph->keys[before])
      order->starts[order->n_batches++] = i;
  }
  order->starts[order->n_batches] = n;
}

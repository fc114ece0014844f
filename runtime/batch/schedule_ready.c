// The policies that keep a set of ready nodes for each key: `agenda`, and the look-ahead of `auto`.
#include <string.h>

#include "runtime/batch/schedule.h"
#include "runtime/value/value.h"

#define NONE UINT32_MAX

struct key_state {
  uint32_t first, last;  // ready nodes, a list through `next`
  uint32_t n_ready;
  double mean_level;  // of all its rows, taken at the start
  // Look-ahead: the rows of each height that have not run.
  uint32_t *left, *ready;  // [height]
  uint32_t top;            // largest height with left > 0; 0 when all have run
};

struct ready_sets {
  const struct schedule_graph *graph;
  const uint32_t *heights;  // NULL: agenda
  struct key_state *keys;
  uint32_t *next;   // [node]
  uint32_t *waits;  // [node] operands that have not run
};

static void add_ready(struct ready_sets *sets, uint32_t node) {
  struct key_state *key = &sets->keys[sets->graph->keys[node]];
  sets->next[node] = NONE;
  if (key->n_ready++)
    sets->next[key->last] = node;
  else
    key->first = node;
  key->last = node;
  if (sets->heights)
    key->ready[sets->heights[node]] += sets->graph->n_rows[node];
}

static void count_heights(struct schedule *schedule, struct ready_sets *sets) {
  const struct schedule_graph *graph = sets->graph;
  for (uint32_t i = 0; i < graph->n; i++) {
    struct key_state *key = &sets->keys[graph->keys[i]];
    if (sets->heights[i] > key->top)
      key->top = sets->heights[i];
  }
  for (uint32_t k = 0; k < graph->n_keys; k++) {
    struct key_state *key = &sets->keys[k];
    size_t bytes = ((size_t)key->top + 1) * sizeof *key->left;
    key->left = value_arena_alloc(schedule->scratch, bytes);
    key->ready = value_arena_alloc(schedule->scratch, bytes);
    memset(key->left, 0, bytes);
    memset(key->ready, 0, bytes);
  }
  for (uint32_t i = 0; i < graph->n; i++)
    sets->keys[graph->keys[i]].left[sets->heights[i]] += graph->n_rows[i];
}

static void open_sets(struct schedule *schedule, const struct schedule_graph *graph, const uint32_t *heights,
                      struct ready_sets *sets) {
  *sets = (struct ready_sets){.graph = graph, .heights = heights};
  sets->keys = value_arena_alloc(schedule->scratch, graph->n_keys * sizeof *sets->keys);
  sets->next = value_arena_alloc(schedule->scratch, graph->n * sizeof *sets->next);
  sets->waits = value_arena_alloc(schedule->scratch, graph->n * sizeof *sets->waits);
  memcpy(sets->waits, graph->n_waits, graph->n * sizeof *sets->waits);
  memset(sets->keys, 0, graph->n_keys * sizeof *sets->keys);
  uint32_t *counts = value_arena_alloc(schedule->scratch, graph->n_keys * sizeof *counts);
  memset(counts, 0, graph->n_keys * sizeof *counts);
  for (uint32_t i = 0; i < graph->n; i++) {
    sets->keys[graph->keys[i]].mean_level += (double)graph->levels[i] * graph->n_rows[i];
    counts[graph->keys[i]] += graph->n_rows[i];
  }
  for (uint32_t k = 0; k < graph->n_keys; k++)
    sets->keys[k].mean_level /= counts[k];
  if (heights)
    count_heights(schedule, sets);
  for (uint32_t i = 0; i < graph->n; i++)
    if (sets->waits[i] == 0)
      add_ready(sets, i);
}

// Share of the rows at the top of the key's longest chains that are ready: 1 when a batch of the key now
// shortens its longest chain, so that nothing is lost against the lower bound.
static double share_of_top(const struct key_state *key) {
  return (double)key->ready[key->top] / key->left[key->top];
}

static uint32_t choose(const struct ready_sets *sets) {
  uint32_t best = NONE;
  double best_share = -1;
  for (uint32_t k = 0; k < sets->graph->n_keys; k++) {
    const struct key_state *key = &sets->keys[k];
    if (key->n_ready == 0)
      continue;
    double share = sets->heights ? share_of_top(key) : 0;
    if (best != NONE && share < best_share)
      continue;
    if (best != NONE && share == best_share && key->mean_level >= sets->keys[best].mean_level)
      continue;
    best = k;
    best_share = share;
  }
  return best;
}

// Runs all ready nodes of a key: moves them to the order and makes their users ready.
static void run_key(struct ready_sets *sets, uint32_t number, struct schedule_order *order, uint32_t *at) {
  const struct schedule_graph *graph = sets->graph;
  struct key_state *key = &sets->keys[number];
  uint32_t begin = *at;
  for (uint32_t node = key->first, left = key->n_ready; left > 0; node = sets->next[node], left--)
    order->nodes[(*at)++] = node;
  key->n_ready = 0;
  for (uint32_t i = begin; i < *at; i++) {
    uint32_t node = order->nodes[i];
    if (sets->heights) {
      key->left[sets->heights[node]] -= graph->n_rows[node];
      key->ready[sets->heights[node]] -= graph->n_rows[node];
    }
    for (uint32_t u = graph->first_user[node]; u < graph->first_user[node + 1]; u++)
      if (--sets->waits[graph->users[u]] == 0)
        add_ready(sets, graph->users[u]);
  }
  if (sets->heights)
    while (key->top > 0 && key->left[key->top] == 0)
      key->top--;
}

void schedule_ready_sets(struct schedule *schedule, const struct schedule_graph *graph,
                         const uint32_t *heights, struct schedule_order *order) {
  struct ready_sets sets;
  open_sets(schedule, graph, heights, &sets);
  order->nodes = value_arena_alloc(schedule->scratch, graph->n * sizeof *order->nodes);
  order->starts = value_arena_alloc(schedule->scratch, ((size_t)graph->n + 1) * sizeof *order->starts);
  order->n_batches = 0;
  uint32_t at = 0;
  while (at < graph->n) {
    order->starts[order->n_batches++] = at;
    run_key(&sets, choose(&sets), order, &at);
  }
  order->starts[order->n_batches] = graph->n;
}

// Dominators of random graphs against what the word means: a node dominates another when nothing leads from the
// entry to the other once it is taken away.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/ir/dominators.h"

enum { MOST_NODES = 24, MOST_EDGES = 80, N_GRAPHS = 3000 };

static uint64_t state = 1;

static uint32_t pick(uint32_t n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % n;
}

struct graph {
  uint32_t n, n_edges;
  uint32_t from[MOST_EDGES], to[MOST_EDGES];
};

// Marks what the entry leads to without passing `without`.
static void reach(const struct graph *graph, uint32_t without, bool *seen) {
  memset(seen, 0, MOST_NODES * sizeof *seen);
  seen[0] = without != 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t e = 0; e < graph->n_edges; e++) {
      if (seen[graph->from[e]] && !seen[graph->to[e]] && graph->to[e] != without)
        seen[graph->to[e]] = changed = true;
    }
  }
}

// Every node hangs on an earlier one, so that all are reached; the other edges go anywhere.
static struct graph random_graph(void) {
  struct graph graph = {.n = 1 + pick(MOST_NODES)};
  for (uint32_t v = 1; v < graph.n; v++) {
    graph.from[graph.n_edges] = pick(v);
    graph.to[graph.n_edges++] = v;
  }
  for (uint32_t k = pick(MOST_EDGES - MOST_NODES); k > 0; k--) {
    graph.from[graph.n_edges] = pick(graph.n);
    graph.to[graph.n_edges++] = pick(graph.n);
  }
  return graph;
}

static void check_graph(const struct graph *graph) {
  struct arena arena;
  arena_init(&arena);
  uint32_t first[MOST_NODES + 1], to[MOST_EDGES], placed = 0;
  for (uint32_t v = 0; v < graph->n; v++) {
    first[v] = placed;
    for (uint32_t e = 0; e < graph->n_edges; e++)
      if (graph->from[e] == v)
        to[placed++] = graph->to[e];
  }
  first[graph->n] = placed;
  const uint32_t *idom = dominators_find(&arena, graph->n, first, to);
  assert_int_equal(idom[0], 0);
  for (uint32_t a = 0; a < graph->n; a++) {
    bool seen[MOST_NODES];
    reach(graph, a, seen);
    for (uint32_t b = 0; b < graph->n; b++) {
      uint32_t up = b;
      while (up != a && up != 0)
        up = idom[up];
      if ((up == a) != !seen[b])
        fail_msg("graph of %u nodes: does %u dominate %u?", graph->n, a, b);
    }
  }
  arena_free(&arena);
}

static void random_graphs(void **unused) {
  (void)unused;
  for (int i = 0; i < N_GRAPHS; i++) {
    const struct graph graph = random_graph();
    check_graph(&graph);
  }
}

// Joins that each have a way from every step before: what an iteration over the tree is quadratic in.
static void long_chains(void **unused) {
  (void)unused;
  enum { N = 200000 };
  struct arena arena;
  arena_init(&arena);
  uint32_t *first = arena_new_array(&arena, uint32_t, N + 1), *to = arena_new_array(&arena, uint32_t, 2 * N);
  for (uint32_t v = 0; v < N; v++) {
    first[v] = 2 * v;
    to[2 * v] = v + 1 < N ? v + 1 : N - 1;
    to[2 * v + 1] = N - 1;
  }
  first[N] = 2 * N;
  const uint32_t *idom = dominators_find(&arena, N, first, to);
  assert_int_equal(idom[N - 1], 0);
  for (uint32_t v = 1; v + 1 < N; v++)
    assert_int_equal(idom[v], v - 1);
  const struct dominator_tree tree = dominators_number(&arena, N, idom);
  assert_true(dominator_tree_holds(&tree, 1, N - 2));
  assert_false(dominator_tree_holds(&tree, 1, N - 1));
  assert_int_equal(tree.below[0], N);
  arena_free(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs), cmocka_unit_test(long_chains)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

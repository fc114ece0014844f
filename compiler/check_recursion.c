/* Every generic function is compiled once for each set of sizes it is called with; this makes sure that there
 * are finitely many. Within a circle of calls (a strongly connected component of the call graph) each size
 * that is handed on must be one of the caller's own size variables as it is, or contain none of them: then no
 * new sizes arise.
 */
#include <stdlib.h>

#include "compiler/checker.h"

struct call_node {
  struct ast_fn *fn;
  size_t first_edge, edge_count; /* in the edges sorted by caller */
  size_t order;                  /* when it was met, from 1; 0: not yet */
  size_t low;                    /* the earliest node on the stack that can be reached */
  size_t component;              /* from 1; 0: not known yet */
  size_t next_edge;              /* of the walk */
};

struct call_graph {
  struct arena *arena;
  struct call_node *nodes; /* sorted by fn */
  size_t count;
  const struct call_edge *edges; /* sorted by caller */
  size_t edge_count;
  size_t *stack, stack_count; /* of components that are not complete */
  size_t *path, path_count;   /* of the walk */
  size_t met, components;
};

static int compare_pointers(const void *a, const void *b) {
  uintptr_t left = (uintptr_t)a, right = (uintptr_t)b;
  return (left > right) - (left < right);
}

static int compare_edges(const void *a, const void *b) {
  return compare_pointers(((const struct call_edge *)a)->caller, ((const struct call_edge *)b)->caller);
}

static int compare_nodes(const void *a, const void *b) {
  return compare_pointers(((const struct call_node *)a)->fn, ((const struct call_node *)b)->fn);
}

/* NULL for a function without calls of its own: it is in no circle. */
static struct call_node *node_of(const struct call_graph *graph, struct ast_fn *fn) {
  struct call_node key = {.fn = fn};
  return bsearch(&key, graph->nodes, graph->count, sizeof key, compare_nodes);
}

static void build(struct call_graph *graph, struct checker *checker) {
  graph->arena = checker->arena;
  graph->edge_count = checker->edges.count;
  graph->edges = checker->edges.items;
  qsort(checker->edges.items, graph->edge_count, sizeof *graph->edges, compare_edges);
  graph->nodes = arena_new_array(graph->arena, struct call_node, graph->edge_count);
  for (size_t i = 0; i < graph->edge_count; i++) {
    if (i == 0 || graph->edges[i].caller != graph->edges[i - 1].caller)
      graph->nodes[graph->count++] = (struct call_node){.fn = graph->edges[i].caller, .first_edge = i};
    graph->nodes[graph->count - 1].edge_count++;
  }
  graph->stack = arena_new_array(graph->arena, size_t, graph->count);
  graph->path = arena_new_array(graph->arena, size_t, graph->count);
}

static void enter(struct call_graph *graph, size_t i) {
  graph->nodes[i].order = graph->nodes[i].low = ++graph->met;
  graph->stack[graph->stack_count++] = i;
  graph->path[graph->path_count++] = i;
}

/* All calls of the node have been followed. */
static void leave(struct call_graph *graph, size_t i) {
  struct call_node *node = &graph->nodes[i];
  graph->path_count--;
  if (graph->path_count > 0) {
    struct call_node *caller = &graph->nodes[graph->path[graph->path_count - 1]];
    caller->low = node->low < caller->low ? node->low : caller->low;
  }
  if (node->low != node->order)
    return;
  graph->components++;
  for (size_t member = SIZE_MAX; member != i;) {
    member = graph->stack[--graph->stack_count];
    graph->nodes[member].component = graph->components;
  }
}

/* Tarjan's algorithm, without recursion: call chains can be as long as the program. */
static void find_components(struct call_graph *graph) {
  for (size_t start = 0; start < graph->count; start++) {
    if (graph->nodes[start].order == 0)
      enter(graph, start);
    while (graph->path_count > 0) {
      size_t i = graph->path[graph->path_count - 1];
      struct call_node *node = &graph->nodes[i];
      if (node->next_edge == node->edge_count) {
        leave(graph, i);
        continue;
      }
      struct call_node *callee = node_of(graph, graph->edges[node->first_edge + node->next_edge++].callee);
      if (callee && callee->order == 0)
        enter(graph, (size_t)(callee - graph->nodes));
      else if (callee && callee->component == 0)
        node->low = callee->order < node->low ? callee->order : node->low;
    }
  }
}

static bool mentions_own_variables(const struct ast_fn *fn, const struct size *size) {
  for (size_t i = 0; i < fn->size_vars.count; i++)
    if (size_mentions(size, size_as_atom(fn->size_vars.items[i]->size)))
      return true;
  return false;
}

static void check_edge(struct checker *checker, const struct call_edge *edge) {
  const struct ast_call *call = &edge->call->call.resolved;
  for (size_t i = 0; call->bindings && i < call->binding_count; i++) {
    const struct size_binding *binding = &call->bindings[i];
    if (size_as_atom(binding->size) || !mentions_own_variables(edge->caller, binding->size))
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_SIZE_RECURSION, edge->call->span,
                                "this recursive call hands on another size, `%s`",
                                size_text(checker->arena, binding->size));
    diag_label(d, binding->symbol->declared, "`%s` would become `%s`, and so on without end",
               binding->symbol->atom.name, size_text(checker->arena, binding->size));
    diag_note(d, "a function is compiled for each of its sizes, so there must be finitely many");
    diag_help(d, "hand on `%s` as it is, or a size made of dims", binding->symbol->atom.name);
    return;
  }
}

void check_recursion(struct checker *checker) {
  struct call_graph graph = {0};
  if (checker->edges.count == 0)
    return;
  build(&graph, checker);
  find_components(&graph);
  for (size_t i = 0; i < graph.edge_count; i++) {
    const struct call_node *caller = node_of(&graph, graph.edges[i].caller);
    const struct call_node *callee = node_of(&graph, graph.edges[i].callee);
    if (callee && callee->component == caller->component)
      check_edge(checker, &graph.edges[i]);
  }
}

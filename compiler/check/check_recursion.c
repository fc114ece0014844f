// Every generic function is compiled, and every generic data type laid out, once for each set of sizes it is
// used with; this makes sure that there are finitely many. Within a circle of uses (a strongly connected
// component of the graph of calls, or of data types in fields) each size that is handed on must be one of the
// user's own size variables as it is, or contain none of them: then no new sizes arise.
#include <stdlib.h>

#include "compiler/check/checker.h"

struct use_node {
  const void *user;
  size_t first_edge, edge_count;  // in the edges sorted by user
  size_t order;                   // when it was met, from 1; 0: not yet
  size_t low;                     // the earliest node on the stack that can be reached
  size_t component;               // from 1; 0: not known yet
  size_t next_edge;               // of the walk
};

struct use_graph {
  struct arena *arena;
  struct use_node *nodes;  // sorted by user
  size_t count;
  const struct use_edge *edges;  // sorted by user
  size_t edge_count;
  size_t *stack, stack_count;  // of components that are not complete
  size_t *path, path_count;    // of the walk
  size_t met, components;
};

static int compare_pointers(const void *a, const void *b) {
  uintptr_t left = (uintptr_t)a, right = (uintptr_t)b;
  return (left > right) - (left < right);
}

static int compare_edges(const void *a, const void *b) {
  return compare_pointers(((const struct use_edge *)a)->user, ((const struct use_edge *)b)->user);
}

static int compare_nodes(const void *a, const void *b) {
  return compare_pointers(((const struct use_node *)a)->user, ((const struct use_node *)b)->user);
}

// NULL for what uses nothing: it is in no circle.
static struct use_node *node_of(const struct use_graph *graph, const void *user) {
  struct use_node key = {.user = user};
  return bsearch(&key, graph->nodes, graph->count, sizeof key, compare_nodes);
}

static void build(struct use_graph *graph, struct checker *checker) {
  graph->arena = checker->arena;
  graph->edge_count = checker->edges.count;
  graph->edges = checker->edges.items;
  qsort(checker->edges.items, graph->edge_count, sizeof *graph->edges, compare_edges);
  graph->nodes = arena_new_array(graph->arena, struct use_node, graph->edge_count);
  for (size_t i = 0; i < graph->edge_count; i++) {
    if (i == 0 || graph->edges[i].user != graph->edges[i - 1].user)
      graph->nodes[graph->count++] = (struct use_node){.user = graph->edges[i].user, .first_edge = i};
    graph->nodes[graph->count - 1].edge_count++;
  }
  graph->stack = arena_new_array(graph->arena, size_t, graph->count);
  graph->path = arena_new_array(graph->arena, size_t, graph->count);
}

static void enter(struct use_graph *graph, size_t i) {
  graph->nodes[i].order = graph->nodes[i].low = ++graph->met;
  graph->stack[graph->stack_count++] = i;
  graph->path[graph->path_count++] = i;
}

// All that the node uses has been followed.
static void leave(struct use_graph *graph, size_t i) {
  struct use_node *node = &graph->nodes[i];
  graph->path_count--;
  if (graph->path_count > 0) {
    struct use_node *user = &graph->nodes[graph->path[graph->path_count - 1]];
    user->low = node->low < user->low ? node->low : user->low;
  }
  if (node->low != node->order)
    return;
  graph->components++;
  for (size_t member = SIZE_MAX; member != i;) {
    member = graph->stack[--graph->stack_count];
    graph->nodes[member].component = graph->components;
  }
}

// Tarjan's algorithm, without recursion: chains of uses can be as long as the program.
static void find_components(struct use_graph *graph) {
  for (size_t start = 0; start < graph->count; start++) {
    if (graph->nodes[start].order == 0)
      enter(graph, start);
    while (graph->path_count > 0) {
      size_t i = graph->path[graph->path_count - 1];
      struct use_node *node = &graph->nodes[i];
      if (node->next_edge == node->edge_count) {
        leave(graph, i);
        continue;
      }
      struct use_node *used = node_of(graph, graph->edges[node->first_edge + node->next_edge++].used);
      if (used && used->order == 0)
        enter(graph, (size_t)(used - graph->nodes));
      else if (used && used->component == 0)
        node->low = used->order < node->low ? used->order : node->low;
    }
  }
}

static bool mentions_any(const struct ast_size_vars *vars, const struct size *size) {
  for (size_t i = 0; i < vars->count; i++)
    if (size_mentions(size, size_as_atom(vars->items[i]->size)))
      return true;
  return false;
}

static bool mentions_variable(const struct ast_fn *fn, const struct type *type) {
  type = type_resolve(type);
  switch (type->kind) {
  case TYPE_GENERIC: return true;
  case TYPE_LIST: return mentions_variable(fn, type->list.element);
  case TYPE_BATCH:
    return mentions_variable(fn, type->batch.element) || mentions_any(&fn->size_vars, type->batch.size);
  case TYPE_TUPLE:
    for (size_t i = 0; i < type->tuple.count; i++)
      if (mentions_variable(fn, type->tuple.items[i]))
        return true;
    return false;
  case TYPE_TENSOR:
    for (size_t i = 0; i < type->tensor.rank; i++)
      if (mentions_any(&fn->size_vars, type->tensor.sizes[i]))
        return true;
    return false;
  case TYPE_DATA:
    for (size_t i = 0; i < type->data.decl->size_vars.count; i++)
      if (mentions_any(&fn->size_vars, type->data.sizes[i]))
        return true;
    return false;
  default: return false;
  }
}

// A type may contain sizes as they are; only a type around a variable is a new one each time.
static bool grows(const struct ast_fn *fn, const struct type *type) {
  type = type_resolve(type);
  if (type->kind == TYPE_LIST || type->kind == TYPE_TUPLE || type->kind == TYPE_BATCH)
    return mentions_variable(fn, type);
  if (type->kind == TYPE_TENSOR)
    for (size_t i = 0; i < type->tensor.rank; i++)
      if (!size_as_atom(type->tensor.sizes[i]) && mentions_any(&fn->size_vars, type->tensor.sizes[i]))
        return true;
  if (type->kind == TYPE_DATA)
    for (size_t i = 0; i < type->data.decl->size_vars.count; i++)
      if (!size_as_atom(type->data.sizes[i]) && mentions_any(&fn->size_vars, type->data.sizes[i]))
        return true;
  return false;
}

static bool takes_function(const struct ast_fn *fn) {
  for (size_t i = 0; i < fn->params.count; i++)
    if (fn->params.items[i].local->type->kind == TYPE_FN)
      return true;
  return false;
}

static void check_types_of_edge(struct checker *checker, const struct use_edge *edge) {
  size_t sizes = edge->used_vars->count;
  for (size_t i = sizes; i < edge->call->binding_count; i++) {
    const struct size_binding *binding = &edge->call->bindings[i];
    if (!binding->type || !grows(edge->user_fn, binding->type))
      continue;
    const char *text = check_text(checker, binding->type), *name = binding->type_var->name.text;
    struct diag *d = diag_error(checker->sink, DIAG_TYPE_RECURSION, edge->span,
                                "this recursion hands on another type, `%s`", text);
    diag_label(d, binding->type_var->name.span, "`%s` would become `%s`, and so on without end", name, text);
    diag_note(d, "functions are compiled for each of their types, so there must be finitely many");
    diag_help(d, "hand on `%s` as it is; a data type can hold what nests without end", name);
    return;
  }
  // What is written in place is another function in each instance of the user.
  for (size_t i = 0; i < edge->call->arg_count && takes_function(edge->user_fn); i++) {
    const struct ast_expr *arg = edge->call->args[i];
    if (arg->kind != AST_EXPR_FN)
      continue;
    struct diag *d = diag_error(checker->sink, DIAG_TYPE_RECURSION, arg->span,
                                "this recursion hands on another function each time");
    diag_note(d,
              "functions are compiled for the functions that they are given, so there must be finitely many");
    diag_help(d, "hand on the parameter as it is, or a function with a name");
    return;
  }
}

static void check_edge(struct checker *checker, const struct use_edge *edge) {
  if (edge->call)
    check_types_of_edge(checker, edge);
  for (size_t i = 0; edge->sizes && i < edge->used_vars->count; i++) {
    if (size_as_atom(edge->sizes[i]) || !mentions_any(edge->user_vars, edge->sizes[i]))
      continue;
    const struct ast_name *name = &edge->used_vars->items[i]->name;
    const char *size = size_text(checker->arena, edge->sizes[i]);
    struct diag *d = diag_error(checker->sink, DIAG_SIZE_RECURSION, edge->span,
                                "this recursion hands on another size, `%s`", size);
    diag_label(d, name->span, "`%s` would become `%s`, and so on without end", name->text, size);
    diag_note(d,
              "functions are compiled and data laid out for each of their sizes, so there must be finitely "
              "many");
    diag_help(d, "hand on `%s` as it is, or a size made of dims", name->text);
    return;
  }
}

void check_recursion(struct checker *checker) {
  struct use_graph graph = {0};
  if (checker->edges.count == 0)
    return;
  build(&graph, checker);
  find_components(&graph);
  for (size_t i = 0; i < graph.edge_count; i++) {
    const struct use_node *user = node_of(&graph, graph.edges[i].user);
    const struct use_node *used = node_of(&graph, graph.edges[i].used);
    if (used && used->component == user->component)
      check_edge(checker, &graph.edges[i]);
  }
}

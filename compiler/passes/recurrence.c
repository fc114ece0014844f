// The analysis goes over the components of the call graph from callers to callees. Inside one component,
// calls connect arguments with parameters and results with results; a call that leaves it counts as one
// operation. So a function that is called twice in a row does not make a cycle of its two calls.
#include "compiler/passes/recurrence.h"

#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/rewrite.h"

#define MOST_RECURRENCES 62

struct view {
  struct ir_function *function;
  struct cfg *cfg;
  // First node of its values, and of its results; nodes count per component of the call graph.
  uint32_t base, results;
  bool *elsewhere;  // [result] some caller outside the component feeds a recurrence around the call with it
};

struct analysis {
  struct ir_module *module;
  struct arena *scratch;
  const struct components *calls;
  struct view *views;           // [function]
  struct function_flow *flows;  // [function]
  // Of the component being analysed:
  uint32_t n_members;
  uint32_t *members;
  uint32_t n_nodes;
  struct graph *graph;
  const struct components *cycles;
  recurrence_set *bits;  // [cycle] its own bit, 0: no recurrence
};

static uint32_t node_of(const struct view *view, const struct ir_value *value) {
  return view->base + value->id;
}

static bool is_internal(const struct analysis *a, const struct view *view, const struct ir_instr *instr) {
  return instr->op == IR_CALL && call_is_recursive(a->calls, view->function->id, instr->symbol);
}

static bool may_hold_tensors(const struct ir_type *type) {
  return type->kind == IR_TENSOR || type->kind == IR_ACC || type->kind == IR_LIST || type->kind == IR_DATA;
}

// Whether a value on a cycle makes it a recurrence.
static bool computes(const struct analysis *a, const struct view *view, const struct ir_instr *instr,
                     const struct ir_value *result) {
  switch (instr->op) {
  case IR_LIST_SUM:
  case IR_LIST_MEAN:
  case IR_LIST_MAX:
  case IR_LIST_STACK:
  case IR_ACC_SUM:
  case IR_EMIT: return true;
  case IR_CALL: return !is_internal(a, view, instr) && may_hold_tensors(result->type);
  default: return ir_is_tensor_op(instr->op) && ir_op_infos[instr->op].class != IR_CLASS_SOURCE;
  }
}

// ------------------------------------------------------------------------------------------------- edges

static void edges_of_instr(struct analysis *a, const struct view *view, const struct ir_instr *instr) {
  // How long a list is does not depend on what tensors are in it.
  if (instr->op == IR_LIST_LEN)
    return;
  const struct view *callee = is_internal(a, view, instr) ? &a->views[instr->symbol] : NULL;
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    uint32_t from = node_of(view, instr->operands[i]);
    if (instr->op == IR_RETURN)
      graph_add(a->scratch, a->graph, from, view->results + i);
    else if (callee)
      graph_add(a->scratch, a->graph, from, node_of(callee, callee->function->params[i]));
    for (uint32_t r = 0; !callee && r < instr->n_results; r++)
      graph_add(a->scratch, a->graph, from, node_of(view, instr->results[r]));
  }
  for (uint32_t r = 0; callee && r < instr->n_results; r++)
    graph_add(a->scratch, a->graph, callee->results + r, node_of(view, instr->results[r]));
  for (uint32_t t = 0; t < instr->n_targets; t++) {
    const struct ir_target *target = &instr->targets[t];
    for (uint32_t i = 0; i < target->n_args; i++)
      graph_add(a->scratch, a->graph, node_of(view, target->args[i]), node_of(view, target->bb->params[i]));
  }
}

static void build_graph(struct analysis *a) {
  a->n_nodes = 0;
  for (uint32_t m = 0; m < a->n_members; m++) {
    struct view *view = &a->views[a->members[m]];
    view->base = a->n_nodes;
    view->results = view->base + view->function->n_values;
    a->n_nodes = view->results + view->function->n_results;
  }
  a->graph = graph_new(a->scratch, a->n_nodes);
  for (uint32_t m = 0; m < a->n_members; m++) {
    const struct view *view = &a->views[a->members[m]];
    for_each_instr (view->function, bb, instr)
      edges_of_instr(a, view, instr);
  }
  graph_finish(a->scratch, a->graph);
  a->cycles = components_find(a->scratch, a->n_nodes, a->graph->first, a->graph->to);
}

static void number_recurrences(struct analysis *a) {
  a->bits = arena_new_array(a->scratch, recurrence_set, a->cycles->n);
  uint32_t n = 0;
  for (uint32_t m = 0; m < a->n_members; m++) {
    const struct view *view = &a->views[a->members[m]];
    for_each_instr (view->function, bb, instr) {
      for (uint32_t r = 0; r < instr->n_results; r++) {
        uint32_t cycle = a->cycles->of[node_of(view, instr->results[r])];
        if (!a->cycles->cyclic[cycle] || a->bits[cycle] || !computes(a, view, instr, instr->results[r]))
          continue;
        a->bits[cycle] = (recurrence_set)1 << (n < MOST_RECURRENCES ? n : MOST_RECURRENCES);
        n++;
      }
    }
  }
}

// ---------------------------------------------------------------------------- where recurrences go round

static recurrence_set bits_of(const struct analysis *a, const struct view *view,
                              const struct ir_value *value) {
  return a->bits[a->cycles->of[node_of(view, value)]];
}

// Recurrences that pass a function's parameters or results go round everywhere in the recursion.
static recurrence_set interprocedural(const struct analysis *a) {
  recurrence_set set = 0;
  for (uint32_t m = 0; m < a->n_members; m++) {
    const struct view *view = &a->views[a->members[m]];
    for (uint32_t i = 0; i < view->function->n_params; i++)
      set |= bits_of(a, view, view->function->params[i]);
    for (uint32_t i = 0; i < view->function->n_results; i++)
      set |= a->bits[a->cycles->of[view->results + i]];
  }
  return set;
}

static void find_around(struct analysis *a, const struct view *view, recurrence_set everywhere) {
  recurrence_set *around = a->flows[view->function->id].around;
  const struct cfg *cfg = view->cfg;
  recurrence_set *by_loop = arena_new_array(a->scratch, recurrence_set, cfg->n_loops);
  recurrence_set in_loops = everywhere, in_function = 0;
  // An outer loop comes before those inside it.
  for (uint32_t l = 0; l < cfg->n_loops; l++) {
    const struct ir_bb *header = cfg->bbs[cfg->loops[l].header];
    if (cfg->loops[l].parent != CFG_NONE)
      by_loop[l] = by_loop[cfg->loops[l].parent];
    for (uint32_t i = 0; i < header->n_params; i++)
      by_loop[l] |= bits_of(a, view, header->params[i]);
    in_loops |= by_loop[l];
  }
  // A cycle without a header is irreducible: taken to go round everywhere.
  for (const struct ir_bb *bb = view->function->entry; bb; bb = bb->next)
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
      for (uint32_t r = 0; r < instr->n_results; r++)
        in_function |= bits_of(a, view, instr->results[r]);
  everywhere |= in_function & ~in_loops;
  for (uint32_t b = 0; b < cfg->n; b++)
    around[cfg->bbs[b]->id] = everywhere | (cfg->loop[b] == CFG_NONE ? 0 : by_loop[cfg->loop[b]]);
}

// ------------------------------------------------------------------------------------------- propagation

// Whether the example may wait here for the operands: a decision, or a function that may decide by them.
static bool waits(const struct analysis *a, const struct view *view, const struct ir_instr *instr) {
  return !is_internal(a, view, instr) && instr_may_wait(a->module, instr);
}

// Starting points of `feeds` besides the recurrences: results used elsewhere, and decisions, since whatever
// goes round a decision waits for it.
static void seed_feeds(struct analysis *a, const struct view *view, recurrence_set *feeds) {
  for (uint32_t i = 0; i < view->function->n_results; i++)
    if (view->elsewhere[i])
      feeds[a->cycles->of[view->results + i]] |= FEEDS_ELSEWHERE;
  const recurrence_set *around = a->flows[view->function->id].around;
  for_each_instr (view->function, bb, instr)
    for (uint32_t i = 0; i < instr->n_operands && waits(a, view, instr); i++)
      feeds[a->cycles->of[node_of(view, instr->operands[i])]] |= around[bb->id];
}

// Component numbers fall along edges: one sweep each way.
static void propagate(struct analysis *a, recurrence_set *depends, recurrence_set *feeds) {
  const uint32_t *order = components_order(a->scratch, a->cycles, a->n_nodes);
  for (uint32_t k = 0; k < a->n_nodes; k++) {
    uint32_t v = order[k], c = a->cycles->of[v];
    feeds[c] |= a->bits[c];
    for (uint32_t e = a->graph->first[v]; e < a->graph->first[v + 1]; e++)
      feeds[c] |= feeds[a->cycles->of[a->graph->to[e]]];
  }
  for (uint32_t k = a->n_nodes; k-- > 0;) {
    uint32_t v = order[k], c = a->cycles->of[v];
    depends[c] |= a->bits[c];
    for (uint32_t e = a->graph->first[v]; e < a->graph->first[v + 1]; e++)
      depends[a->cycles->of[a->graph->to[e]]] |= depends[c];
  }
}

// Tells callees outside the component which of their results go round a recurrence of their callers.
static void tell_callees(struct analysis *a, const struct view *view) {
  const struct function_flow *flow = &a->flows[view->function->id];
  for_each_instr (view->function, bb, instr) {
    if (instr->op != IR_CALL || is_internal(a, view, instr))
      continue;
    recurrence_set wanted = flow->around[bb->id] | FEEDS_ELSEWHERE;
    for (uint32_t i = 0; i < instr->n_results; i++)
      if (flow->values[instr->results[i]->id].feeds & wanted)
        a->views[instr->symbol].elsewhere[i] = true;
  }
}

static void analyse_component(struct analysis *a) {
  build_graph(a);
  number_recurrences(a);
  recurrence_set everywhere = interprocedural(a);
  recurrence_set *depends = arena_new_array(a->scratch, recurrence_set, a->cycles->n);
  recurrence_set *feeds = arena_new_array(a->scratch, recurrence_set, a->cycles->n);
  for (uint32_t m = 0; m < a->n_members; m++) {
    find_around(a, &a->views[a->members[m]], everywhere);
    seed_feeds(a, &a->views[a->members[m]], feeds);
  }
  propagate(a, depends, feeds);
  for (uint32_t m = 0; m < a->n_members; m++) {
    const struct view *view = &a->views[a->members[m]];
    struct value_flow *values = a->flows[view->function->id].values;
    for (uint32_t v = 0; v < view->function->n_values; v++) {
      uint32_t c = a->cycles->of[view->base + v];
      values[v] = (struct value_flow){depends[c], feeds[c]};
    }
    tell_callees(a, view);
  }
}

struct function_flow *recurrence_analyse(struct ir_module *module, struct arena *scratch) {
  uint32_t n = module->n_functions;
  struct analysis a = {.module = module, .scratch = scratch, .calls = call_components(scratch, module)};
  a.views = arena_new_array(scratch, struct view, n);
  a.flows = arena_new_array(scratch, struct function_flow, n);
  a.members = arena_new_array(scratch, uint32_t, n);
  for (uint32_t f = 0; f < n; f++) {
    struct ir_function *function = module->functions[f];
    struct cfg *cfg = cfg_build(scratch, function);
    a.views[f] = (struct view){function, cfg, 0, 0, arena_new_array(scratch, bool, function->n_results)};
    a.flows[f].n_values = function->n_values;
    a.flows[f].values = arena_new_array(scratch, struct value_flow, function->n_values);
    a.flows[f].around = arena_new_array(scratch, recurrence_set, function->n_bbs);
  }
  // Callers first: from the component with the highest number down.
  const uint32_t *order = components_order(scratch, a.calls, n);
  for (uint32_t end = n, begin; end > 0; end = begin) {
    begin = end;
    while (begin > 0 && a.calls->of[order[begin - 1]] == a.calls->of[order[end - 1]])
      begin--;
    a.n_members = end - begin;
    memcpy(a.members, order + begin, a.n_members * sizeof *a.members);
    analyse_component(&a);
  }
  return a.flows;
}

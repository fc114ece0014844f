// Analyses of a function's control flow: order, dominators, loops, liveness.
#include "compiler/passes/cfg.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/ir/dominators.h"

// --------------------------------------------------------------------------------- order of basic blocks

struct walk {
  struct ir_bb *bb;
  uint32_t next_target;
};

// Depth-first without recursion: generated code may have very long chains.
static void order_bbs(struct arena *arena, struct ir_function *function, struct cfg *cfg) {
  struct walk *stack = arena_new_array(arena, struct walk, function->n_bbs);
  struct ir_bb **postorder = arena_new_array(arena, struct ir_bb *, function->n_bbs);
  bool *seen = arena_new_array(arena, bool, function->n_bbs);
  uint32_t depth = 0, n = 0;
  stack[depth++].bb = function->entry;
  seen[function->entry->id] = true;
  while (depth > 0) {
    struct walk *top = &stack[depth - 1];
    const struct ir_instr *end = top->bb->last;
    if (top->next_target == end->n_targets) {
      postorder[n++] = top->bb;
      depth--;
      continue;
    }
    struct ir_bb *to = end->targets[top->next_target++].bb;
    if (!seen[to->id]) {
      seen[to->id] = true;
      stack[depth++] = (struct walk){to, 0};
    }
  }
  cfg->n = n;
  cfg->bbs = arena_new_array(arena, struct ir_bb *, n);
  cfg->position = arena_new_array(arena, uint32_t, function->n_bbs);
  memset(cfg->position, 0xff, function->n_bbs * sizeof *cfg->position);
  for (uint32_t i = 0; i < n; i++) {
    cfg->bbs[i] = postorder[n - 1 - i];
    cfg->position[cfg->bbs[i]->id] = i;
  }
}

static void find_preds(struct arena *arena, struct cfg *cfg) {
  cfg->preds = arena_new_array(arena, struct cfg_preds, cfg->n);
  for (uint32_t i = 0; i < cfg->n; i++)
    for (uint32_t t = 0; t < cfg->bbs[i]->last->n_targets; t++)
      cfg->preds[cfg->position[cfg->bbs[i]->last->targets[t].bb->id]].n++;
  for (uint32_t i = 0; i < cfg->n; i++) {
    cfg->preds[i].from = arena_new_array(arena, uint32_t, cfg->preds[i].n);
    cfg->preds[i].n = 0;
  }
  for (uint32_t i = 0; i < cfg->n; i++) {
    for (uint32_t t = 0; t < cfg->bbs[i]->last->n_targets; t++) {
      struct cfg_preds *preds = &cfg->preds[cfg->position[cfg->bbs[i]->last->targets[t].bb->id]];
      preds->from[preds->n++] = i;
    }
  }
}

// -------------------------------------------------------------------------------------------- dominators

static void find_dominators(struct arena *arena, struct cfg *cfg) {
  uint32_t n_edges = 0;
  for (uint32_t i = 0; i < cfg->n; i++)
    n_edges += cfg->bbs[i]->last->n_targets;
  uint32_t *first = arena_new_array(arena, uint32_t, (size_t)cfg->n + 1);
  uint32_t *to = arena_new_array(arena, uint32_t, n_edges);
  uint32_t e = 0;
  for (uint32_t i = 0; i < cfg->n; i++) {
    first[i] = e;
    for (uint32_t t = 0; t < cfg->bbs[i]->last->n_targets; t++)
      to[e++] = cfg->position[cfg->bbs[i]->last->targets[t].bb->id];
  }
  first[cfg->n] = e;
  cfg->idom = dominators_find(arena, cfg->n, first, to);
  struct dominator_tree tree = dominators_number(arena, cfg->n, cfg->idom);
  cfg->order = tree.order;
  cfg->below = tree.below;
}

// Pointers up the dominator tree over which any ancestor is O(log n) steps away: Myers, "An Applicative
// Random-Access Stack" (1983).
static void find_jumps(struct arena *arena, struct cfg *cfg) {
  cfg->jump = arena_new_array(arena, uint32_t, cfg->n);
  uint32_t *depth = arena_new_array(arena, uint32_t, cfg->n);
  for (uint32_t i = 1; i < cfg->n; i++) {
    uint32_t up = cfg->idom[i], far = cfg->jump[up];
    depth[i] = depth[up] + 1;
    cfg->jump[i] = depth[up] - depth[far] == depth[far] - depth[cfg->jump[far]] ? cfg->jump[far] : up;
  }
}

bool cfg_dominates(const struct cfg *cfg, uint32_t a, uint32_t b) {
  return cfg->order[b] >= cfg->order[a] && cfg->order[b] - cfg->order[a] < cfg->below[a];
}

uint32_t cfg_common_dominator(const struct cfg *cfg, uint32_t a, uint32_t b) {
  while (!cfg_dominates(cfg, a, b))
    a = cfg_dominates(cfg, cfg->jump[a], b) ? cfg->idom[a] : cfg->jump[a];
  return a;
}

// ------------------------------------------------------------------------------------------------- loops

static uint32_t outermost(const struct cfg *cfg, uint32_t loop) {
  while (cfg->loops[loop].parent != CFG_NONE)
    loop = cfg->loops[loop].parent;
  return loop;
}

// Walks backwards from the back edges of `header`. Inner loops are known already and are crossed at once.
static void collect_loop(struct cfg *cfg, uint32_t *stack, uint32_t header) {
  uint32_t depth = 0, loop = CFG_NONE;
  for (uint32_t p = 0; p < cfg->preds[header].n; p++) {
    uint32_t pred = cfg->preds[header].from[p];
    if (!cfg_dominates(cfg, header, pred))
      continue;
    if (loop == CFG_NONE) {
      loop = cfg->n_loops++;
      cfg->loops[loop] = (struct cfg_loop){.header = header, .parent = CFG_NONE};
    }
    stack[depth++] = pred;
  }
  if (loop == CFG_NONE)
    return;
  while (depth > 0) {
    uint32_t at = stack[--depth];
    if (cfg->loop[at] != CFG_NONE) {
      uint32_t inner = outermost(cfg, cfg->loop[at]);
      if (inner == loop)
        continue;
      cfg->loops[inner].parent = loop;
      at = cfg->loops[inner].header;
    } else {
      cfg->loop[at] = loop;
    }
    if (at == header)
      continue;
    for (uint32_t p = 0; p < cfg->preds[at].n; p++)
      stack[depth++] = cfg->preds[at].from[p];
  }
  cfg->loop[header] = loop;
}

// Loops were found from the inside out; turns them round.
static void reverse_loops(struct cfg *cfg) {
  uint32_t last = cfg->n_loops - 1;
  for (uint32_t i = 0; i < cfg->n_loops / 2; i++) {
    struct cfg_loop swap = cfg->loops[i];
    cfg->loops[i] = cfg->loops[last - i];
    cfg->loops[last - i] = swap;
  }
  for (uint32_t i = 0; i < cfg->n_loops; i++) {
    struct cfg_loop *loop = &cfg->loops[i];
    if (loop->parent != CFG_NONE)
      loop->parent = last - loop->parent;
    loop->depth = loop->parent == CFG_NONE ? 1 : cfg->loops[loop->parent].depth + 1;
  }
  for (uint32_t i = 0; i < cfg->n; i++)
    if (cfg->loop[i] != CFG_NONE)
      cfg->loop[i] = last - cfg->loop[i];
}

// Numbers the loops so that those inside a loop follow it without a gap.
static void number_loops(struct arena *arena, struct cfg *cfg) {
  uint32_t *next = arena_new_array(arena, uint32_t, cfg->n_loops), top = 0;  // number of the next loop inside
  for (uint32_t l = cfg->n_loops; l-- > 0;) {
    struct cfg_loop *loop = &cfg->loops[l];
    loop->inside++;
    if (loop->parent != CFG_NONE)
      cfg->loops[loop->parent].inside += loop->inside;
  }
  for (uint32_t l = 0; l < cfg->n_loops; l++) {
    struct cfg_loop *loop = &cfg->loops[l];
    uint32_t *number = loop->parent == CFG_NONE ? &top : &next[loop->parent];
    loop->order = *number;
    *number += loop->inside;
    next[l] = loop->order + 1;
  }
}

static void find_loops(struct arena *arena, struct cfg *cfg) {
  uint32_t n_edges = 0;
  for (uint32_t i = 0; i < cfg->n; i++)
    n_edges += cfg->preds[i].n;
  cfg->loops = arena_new_array(arena, struct cfg_loop, cfg->n);
  cfg->loop = arena_new_array(arena, uint32_t, cfg->n);
  memset(cfg->loop, 0xff, cfg->n * sizeof *cfg->loop);
  uint32_t *stack = arena_new_array(arena, uint32_t, 2 * (size_t)n_edges + 1);
  for (uint32_t i = cfg->n; i-- > 0;)
    collect_loop(cfg, stack, i);
  if (cfg->n_loops > 0)
    reverse_loops(cfg);
  number_loops(arena, cfg);
}

bool cfg_loop_contains(const struct cfg *cfg, uint32_t outer, uint32_t inner) {
  if (outer == CFG_NONE)
    return true;
  return inner != CFG_NONE && cfg->loops[inner].order - cfg->loops[outer].order < cfg->loops[outer].inside;
}

struct cfg *cfg_build(struct arena *arena, struct ir_function *function) {
  ir_renumber(function);
  struct cfg *cfg = arena_new(arena, struct cfg);
  order_bbs(arena, function, cfg);
  find_preds(arena, cfg);
  find_dominators(arena, cfg);
  find_jumps(arena, cfg);
  find_loops(arena, cfg);
  return cfg;
}

// ------------------------------------------------------------------------------------------- postdominators

struct backwards {
  const struct cfg *cfg;
  struct arena *arena;
  uint32_t loop;
  uint32_t *order;  // [position] rank from the end, which is before all; 0: not reached
  uint32_t *visited, n_visited;
  uint32_t *next;
};

static bool is_within(const struct backwards *w, uint32_t b) {
  return cfg_loop_contains(w->cfg, w->loop, w->cfg->loop[b]);
}

static bool is_header(const struct backwards *w, uint32_t b) {
  return w->loop != CFG_NONE && b == w->cfg->loops[w->loop].header;
}

// Where an edge leads, or CFG_NONE for the end.
static uint32_t way_of(const struct backwards *w, const struct ir_target *target) {
  uint32_t to = w->cfg->position[target->bb->id];
  return is_header(w, to) || !is_within(w, to) ? CFG_NONE : to;
}

static bool reaches_end(const struct backwards *w, uint32_t b) {
  const struct ir_instr *end = w->cfg->bbs[b]->last;
  for (uint32_t t = 0; t < end->n_targets; t++)
    if (way_of(w, &end->targets[t]) == CFG_NONE)
      return true;
  return end->n_targets == 0;
}

// Depth first against the edges.
static void walk_back(struct backwards *w, uint32_t from) {
  struct frame {
    uint32_t b, next;
  } *stack = arena_new_array(w->arena, struct frame, w->cfg->n);
  uint32_t depth = 0;
  stack[depth++] = (struct frame){from, 0};
  w->order[from] = 1;
  while (depth > 0) {
    struct frame *top = &stack[depth - 1];
    const struct cfg_preds *preds = &w->cfg->preds[top->b];
    if (is_header(w, top->b) || top->next == preds->n) {
      w->visited[w->n_visited++] = top->b;
      depth--;
      continue;
    }
    uint32_t before = preds->from[top->next++];
    if (is_within(w, before) && !w->order[before]) {
      w->order[before] = 1;
      stack[depth++] = (struct frame){before, 0};
    }
  }
}

// The first basic block that both ways pass.
static uint32_t meet(const struct backwards *w, uint32_t a, uint32_t b) {
  while (a != b) {
    if (a == CFG_NONE || b == CFG_NONE)
      return CFG_NONE;
    if (w->order[a] > w->order[b])
      a = w->next[a];
    else
      b = w->next[b];
  }
  return a;
}

static uint32_t meet_ways(const struct backwards *w, const bool *known, uint32_t b) {
  const struct ir_instr *end = w->cfg->bbs[b]->last;
  uint32_t found = CFG_NONE;
  bool any = false;
  for (uint32_t t = 0; t < end->n_targets; t++) {
    uint32_t way = way_of(w, &end->targets[t]);
    if (way != CFG_NONE && !known[way])
      continue;
    found = any ? meet(w, found, way) : way;
    any = true;
  }
  return found;
}

// Cooper, Harvey & Kennedy (2001), against the edges.
uint32_t *cfg_postdominators(struct arena *arena, const struct cfg *cfg, uint32_t loop) {
  struct backwards w = {cfg,
                        arena,
                        loop,
                        arena_new_array(arena, uint32_t, cfg->n),
                        arena_new_array(arena, uint32_t, cfg->n),
                        0,
                        arena_new_array(arena, uint32_t, cfg->n)};
  bool *known = arena_new_array(arena, bool, cfg->n);
  uint32_t n = 0;
  for (uint32_t b = 0; b < cfg->n; b++) {
    n += is_within(&w, b);
    if (is_within(&w, b) && reaches_end(&w, b) && !w.order[b])
      walk_back(&w, b);
  }
  if (w.n_visited < n)
    return NULL;
  for (uint32_t i = 0; i < n; i++)
    w.order[w.visited[i]] = n - i;
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t i = n; i-- > 0;) {
      uint32_t b = w.visited[i], found = meet_ways(&w, known, b);
      changed = changed || !known[b] || w.next[b] != found;
      known[b] = true;
      w.next[b] = found;
    }
  }
  return w.next;
}

struct cfg_body *cfg_bodies(struct arena *arena, const struct cfg *cfg) {
  struct cfg_body *bodies = arena_new_array(arena, struct cfg_body, cfg->n_loops);
  for (int fill = 0; fill < 2; fill++) {
    for (uint32_t b = 0; b < cfg->n; b++) {
      for (uint32_t l = cfg->loop[b]; l != CFG_NONE; l = cfg->loops[l].parent) {
        if (fill)
          bodies[l].at[bodies[l].n] = b;
        bodies[l].n++;
      }
    }
    for (uint32_t l = 0; l < cfg->n_loops && !fill; l++)
      bodies[l] = (struct cfg_body){0, arena_new_array(arena, uint32_t, bodies[l].n)};
  }
  return bodies;
}

uint32_t *cfg_definitions(struct arena *arena, const struct cfg *cfg, const struct ir_function *function) {
  uint32_t *at = arena_new_array(arena, uint32_t, function->n_values);
  for (uint32_t i = 0; i < cfg->n; i++) {
    for (uint32_t p = 0; p < cfg->bbs[i]->n_params; p++)
      at[cfg->bbs[i]->params[p]->id] = i;
    for (const struct ir_instr *instr = cfg->bbs[i]->first; instr; instr = instr->next)
      for (uint32_t r = 0; r < instr->n_results; r++)
        at[instr->results[r]->id] = i;
  }
  return at;
}

// ------------------------------------------------------------------------------------------------ graphs

struct graph *graph_new(struct arena *arena, uint32_t n_nodes) {
  struct graph *graph = arena_new(arena, struct graph);
  graph->n_nodes = n_nodes;
  return graph;
}

void graph_add(struct arena *arena, struct graph *graph, uint32_t from, uint32_t to) {
  if (graph->n_edges == graph->capacity) {
    uint32_t grown = graph->capacity ? 2 * graph->capacity : 64;
    graph->edge_from = arena_grow_array(arena, graph->edge_from, graph->n_edges, grown, sizeof(uint32_t));
    graph->edge_to = arena_grow_array(arena, graph->edge_to, graph->n_edges, grown, sizeof(uint32_t));
    graph->capacity = grown;
  }
  graph->edge_from[graph->n_edges] = from;
  graph->edge_to[graph->n_edges++] = to;
}

void graph_finish(struct arena *arena, struct graph *graph) {
  graph->first = arena_new_array(arena, uint32_t, (size_t)graph->n_nodes + 2);
  graph->to = arena_new_array(arena, uint32_t, graph->n_edges);
  // Counting sort; first[] is one ahead until every edge is placed.
  for (uint32_t e = 0; e < graph->n_edges; e++)
    graph->first[graph->edge_from[e] + 2]++;
  for (uint32_t v = 0; v < graph->n_nodes; v++)
    graph->first[v + 2] += graph->first[v + 1];
  for (uint32_t e = 0; e < graph->n_edges; e++)
    graph->to[graph->first[graph->edge_from[e] + 1]++] = graph->edge_to[e];
}

struct visit {
  uint32_t node, next_edge;
};

// Tarjan's algorithm with a stack of its own.
struct tarjan {
  struct components *found;
  const uint32_t *first, *to;
  uint32_t *order, *low;  // [node] 0: not seen
  bool *open;             // [node] seen, and its component is not complete
  uint32_t *pending;      // open nodes, in the order in which they were seen
  struct visit *stack;
  uint32_t n_pending, depth, clock;
};

static void enter(struct tarjan *t, uint32_t node) {
  t->order[node] = t->low[node] = ++t->clock;
  t->open[node] = true;
  t->pending[t->n_pending++] = node;
  t->stack[t->depth++] = (struct visit){node, t->first[node]};
}

// Follows one edge; false when the node on top has none left.
static bool advance(struct tarjan *t) {
  struct visit *top = &t->stack[t->depth - 1];
  if (top->next_edge == t->first[top->node + 1])
    return false;
  uint32_t next = t->to[top->next_edge++];
  if (!t->order[next])
    enter(t, next);
  else if (t->open[next] && t->order[next] < t->low[top->node])
    t->low[top->node] = t->order[next];
  return true;
}

static void close_component(struct tarjan *t, uint32_t root) {
  struct components *found = t->found;
  uint32_t size = 0, member;
  do {
    member = t->pending[--t->n_pending];
    t->open[member] = false;
    found->of[member] = found->n;
    size++;
  } while (member != root);
  bool cyclic = size > 1;
  for (uint32_t e = t->first[root]; e < t->first[root + 1] && !cyclic; e++)
    cyclic = t->to[e] == root;
  found->cyclic[found->n++] = cyclic;
}

static void leave(struct tarjan *t) {
  uint32_t node = t->stack[--t->depth].node;
  if (t->depth > 0) {
    uint32_t *low = &t->low[t->stack[t->depth - 1].node];
    *low = t->low[node] < *low ? t->low[node] : *low;
  }
  if (t->low[node] == t->order[node])
    close_component(t, node);
}

struct components *components_find(struct arena *arena, uint32_t n, const uint32_t *first,
                                   const uint32_t *to) {
  struct components *found = arena_new(arena, struct components);
  found->of = arena_new_array(arena, uint32_t, n);
  found->cyclic = arena_new_array(arena, bool, n);
  struct tarjan t = {.found = found, .first = first, .to = to};
  t.order = arena_new_array(arena, uint32_t, n);
  t.low = arena_new_array(arena, uint32_t, n);
  t.open = arena_new_array(arena, bool, n);
  t.pending = arena_new_array(arena, uint32_t, n);
  t.stack = arena_new_array(arena, struct visit, n);
  for (uint32_t root = 0; root < n; root++) {
    if (t.order[root])
      continue;
    enter(&t, root);
    while (t.depth > 0)
      if (!advance(&t))
        leave(&t);
  }
  return found;
}

uint32_t *components_order(struct arena *arena, const struct components *components, uint32_t n) {
  uint32_t *next = arena_new_array(arena, uint32_t, (size_t)components->n + 1);
  uint32_t *order = arena_new_array(arena, uint32_t, n);
  for (uint32_t v = 0; v < n; v++)
    next[components->of[v] + 1]++;
  for (uint32_t c = 0; c < components->n; c++)
    next[c + 1] += next[c];
  for (uint32_t v = 0; v < n; v++)
    order[next[components->of[v]]++] = v;
  return order;
}

struct components *call_components(struct arena *arena, const struct ir_module *module) {
  struct graph *graph = graph_new(arena, module->n_functions);
  for (uint32_t f = 0; f < module->n_functions; f++)
    for (const struct ir_bb *bb = module->functions[f]->entry; bb; bb = bb->next)
      for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
        if (instr->op == IR_CALL)
          graph_add(arena, graph, f, instr->symbol);
  graph_finish(arena, graph);
  return components_find(arena, graph->n_nodes, graph->first, graph->to);
}

// Sums still to be taken.
//
// Requires   verified host functions, simplified: a loop's parameters that never change are gone.
// Does       finds tensor values that go round a loop or a recursion and on their way meet only additions,
//            such as `total = total + nll(...)` or `la + lb + nll(...)`. They become IR_ACC: terms enter by
//            acc.of, additions become acc.add, uses outside the cycle go through acc.sum. The sum is then
//            one reduction over all terms, and what computes a term no longer lies on the recurrence.
// Preserves  results, up to the order of additions, which is that of the terms. Entries keep their
//            signatures; one whose results change gets a wrapper.
//
// The analysis is optimistic: every candidate is taken for a sum until a use inside the cycle contradicts.
#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

struct use {
  struct ir_instr *user;
  uint32_t at;  // position of the user's basic block in its function's cfg
  struct use *next;
};

// A call of a function from within its recursion.
struct call_site {
  const struct ir_instr *call;
  const struct view *caller;
  struct call_site *next;
};

// One function, seen by the analysis. Nodes of the module-wide flow graph: a function's values from `base`
// on by id, then its results.
struct view {
  struct ir_function *function;
  struct cfg *cfg;
  uint32_t *defined_at;    // [value id] position of the basic block
  struct use **uses;       // [value id]
  uint32_t base, results;  // first node of its values, of its results
  bool recursive;
  struct call_site *calls;  // of it
};

struct node_info {
  bool sum;  // candidate, and then: becomes IR_ACC
};

// What a cycle of candidates is made of.
struct cycle {
  bool adds;             // some addition is on it, or on a cycle of candidates that leads to it
  bool interprocedural;  // it passes a function's parameter or result
  bool looping;          // it passes a parameter of a loop's header
};

struct accumulator {
  struct ir_module *module;
  struct arena *scratch;
  const struct components *calls;
  struct view *views;  // [function]
  uint32_t n_nodes;
  struct node_info *nodes;
  const struct components *flow;  // over the candidates
  struct cycle *cycles;           // [component of flow]
};

static uint32_t node_of(const struct view *view, const struct ir_value *value) {
  return view->base + value->id;
}

static bool same_shapes(const struct ir_instr *add) {
  const struct ir_type *type = add->results[0]->type;
  return !ir_type_is_ragged(type) && ir_type_equal(add->operands[0]->type, type) &&
         ir_type_equal(add->operands[1]->type, type);
}

// A sum may flow through this operand: both of an addition, the left one of a subtraction.
static bool is_summand(const struct ir_instr *instr, uint32_t operand) {
  return (instr->op == IR_OP_ADD || (instr->op == IR_OP_SUB && operand == 0)) && same_shapes(instr);
}

// ------------------------------------------------------------------------------------------------ set-up

static void add_use(struct accumulator *acc, struct view *view, struct ir_value *value, struct ir_instr *user,
                    uint32_t at) {
  struct use **list = &view->uses[value->id];
  if (*list && (*list)->user == user)
    return;
  struct use *use = arena_new(acc->scratch, struct use);
  *use = (struct use){user, at, *list};
  *list = use;
}

static void collect_uses(struct accumulator *acc, struct view *view) {
  for (uint32_t b = 0; b < view->cfg->n; b++) {
    for (struct ir_instr *instr = view->cfg->bbs[b]->first; instr; instr = instr->next) {
      for (uint32_t i = 0; i < instr->n_operands; i++)
        add_use(acc, view, instr->operands[i], instr, b);
      for (uint32_t t = 0; t < instr->n_targets; t++)
        for (uint32_t i = 0; i < instr->targets[t].n_args; i++)
          add_use(acc, view, instr->targets[t].args[i], instr, b);
    }
  }
}

static bool stays_in_recursion(const struct accumulator *acc, const struct view *view,
                               const struct ir_instr *call) {
  // What a memo function gives is used again as it is: a sum still to be taken would be taken as often.
  return call->op == IR_CALL && !acc->module->functions[call->symbol]->memo &&
         call_is_recursive(acc->calls, view->function->id, call->symbol);
}

static void collect_calls(struct accumulator *acc, const struct view *view) {
  for_each_instr (view->function, bb, instr) {
    if (!stays_in_recursion(acc, view, instr))
      continue;
    struct call_site *site = arena_new(acc->scratch, struct call_site);
    *site = (struct call_site){instr, view, acc->views[instr->symbol].calls};
    acc->views[instr->symbol].calls = site;
  }
}

static void set_up_views(struct accumulator *acc) {
  acc->views = arena_new_array(acc->scratch, struct view, acc->module->n_functions);
  for (uint32_t f = 0; f < acc->module->n_functions; f++) {
    struct view *view = &acc->views[f];
    view->function = acc->module->functions[f];
    rewrite_layout(acc->scratch, view->function);
    view->cfg = cfg_build(acc->scratch, view->function);
    view->defined_at = cfg_definitions(acc->scratch, view->cfg, view->function);
    view->uses = arena_new_array(acc->scratch, struct use *, view->function->n_values);
    view->recursive = acc->calls->cyclic[acc->calls->of[f]];
    view->base = acc->n_nodes;
    view->results = view->base + view->function->n_values;
    acc->n_nodes = view->results + view->function->n_results;
    collect_uses(acc, view);
    collect_calls(acc, view);
  }
}

static void mark_tensors(struct accumulator *acc, const struct view *view, uint32_t n,
                         struct ir_value *const *values) {
  for (uint32_t i = 0; i < n; i++)
    acc->nodes[node_of(view, values[i])].sum = values[i]->type->kind == IR_TENSOR;
}

static void find_candidates(struct accumulator *acc, const struct view *view) {
  if (view->recursive && !view->function->memo) {
    mark_tensors(acc, view, view->function->n_params, view->function->params);
    for (uint32_t i = 0; i < view->function->n_results; i++)
      acc->nodes[view->results + i].sum = view->function->results[i]->kind == IR_TENSOR;
  }
  for (uint32_t b = 0; b < view->cfg->n; b++) {
    mark_tensors(acc, view, view->cfg->bbs[b]->n_params, view->cfg->bbs[b]->params);
    for (const struct ir_instr *instr = view->cfg->bbs[b]->first; instr; instr = instr->next)
      if (stays_in_recursion(acc, view, instr) || (instr->n_results == 1 && is_summand(instr, 0)))
        mark_tensors(acc, view, instr->n_results, instr->results);
  }
}

// ------------------------------------------------------------------------------------------ flow of sums

static void flow_edge(struct accumulator *acc, struct graph *graph, uint32_t from, uint32_t to) {
  if (acc->nodes[from].sum && acc->nodes[to].sum)
    graph_add(acc->scratch, graph, from, to);
}

static void flow_of_instr(struct accumulator *acc, struct graph *graph, const struct view *view,
                          const struct ir_instr *instr) {
  const struct view *callee = stays_in_recursion(acc, view, instr) ? &acc->views[instr->symbol] : NULL;
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    uint32_t from = node_of(view, instr->operands[i]);
    if (instr->op == IR_RETURN)
      flow_edge(acc, graph, from, view->results + i);
    else if (callee)
      flow_edge(acc, graph, from, node_of(callee, callee->function->params[i]));
    else if (instr->n_results == 1 && is_summand(instr, i))
      flow_edge(acc, graph, from, node_of(view, instr->results[0]));
  }
  for (uint32_t i = 0; callee && i < instr->n_results; i++)
    flow_edge(acc, graph, callee->results + i, node_of(view, instr->results[i]));
  for (uint32_t t = 0; t < instr->n_targets; t++) {
    const struct ir_target *target = &instr->targets[t];
    for (uint32_t i = 0; i < target->n_args; i++)
      flow_edge(acc, graph, node_of(view, target->args[i]), node_of(view, target->bb->params[i]));
  }
}

static bool is_loop_header(const struct cfg *cfg, uint32_t at) {
  return cfg->loop[at] != CFG_NONE && cfg->loops[cfg->loop[at]].header == at;
}

static void describe_cycles(struct accumulator *acc) {
  acc->cycles = arena_new_array(acc->scratch, struct cycle, acc->flow->n);
  for (uint32_t f = 0; f < acc->module->n_functions; f++) {
    const struct view *view = &acc->views[f];
    for (uint32_t i = 0; i < view->function->n_params; i++)
      acc->cycles[acc->flow->of[view->base + view->function->params[i]->id]].interprocedural = true;
    for (uint32_t i = 0; i < view->function->n_results; i++)
      acc->cycles[acc->flow->of[view->results + i]].interprocedural = true;
    for (uint32_t b = 0; b < view->cfg->n; b++) {
      for (uint32_t i = 0; i < view->cfg->bbs[b]->n_params && is_loop_header(view->cfg, b); i++)
        acc->cycles[acc->flow->of[node_of(view, view->cfg->bbs[b]->params[i])]].looping = true;
      for (const struct ir_instr *instr = view->cfg->bbs[b]->first; instr; instr = instr->next)
        if (instr->n_results == 1 && is_summand(instr, 0))
          acc->cycles[acc->flow->of[node_of(view, instr->results[0])]].adds = true;
    }
  }
}

// What only hands on a sum, such as the result of a function that has the sum so far as a parameter, is
// one, too. Component numbers fall along edges.
static void hand_on_adds(struct accumulator *acc, const struct graph *graph) {
  const uint32_t *order = components_order(acc->scratch, acc->flow, graph->n_nodes);
  for (uint32_t k = graph->n_nodes; k-- > 0;) {
    uint32_t node = order[k];
    for (uint32_t e = graph->first[node]; e < graph->first[node + 1]; e++)
      if (acc->cycles[acc->flow->of[node]].adds)
        acc->cycles[acc->flow->of[graph->to[e]]].adds = true;
  }
}

static void find_cycles(struct accumulator *acc) {
  struct graph *graph = graph_new(acc->scratch, acc->n_nodes);
  for (uint32_t f = 0; f < acc->module->n_functions; f++)
    for_each_instr (acc->views[f].function, bb, instr)
      flow_of_instr(acc, graph, &acc->views[f], instr);
  graph_finish(acc->scratch, graph);
  acc->flow = components_find(acc->scratch, graph->n_nodes, graph->first, graph->to);
  describe_cycles(acc);
  hand_on_adds(acc, graph);
}

// ---------------------------------------------------------------------------------------- contradictions

static bool in_cycle(const struct accumulator *acc, uint32_t node, uint32_t cycle) {
  return acc->nodes[node].sum && acc->flow->of[node] == cycle;
}

static bool is_sum(const struct accumulator *acc, uint32_t node) {
  return acc->nodes[node].sum && acc->flow->cyclic[acc->flow->of[node]];
}

// Whether a basic block is run again and again while the cycle goes round.
static bool is_inside(const struct accumulator *acc, const struct view *view, uint32_t at, uint32_t cycle) {
  if (acc->cycles[cycle].interprocedural)
    return true;  // candidates of a recursion are used in functions of that recursion only
  for (uint32_t loop = view->cfg->loop[at]; loop != CFG_NONE; loop = view->cfg->loops[loop].parent) {
    const struct ir_bb *header = view->cfg->bbs[view->cfg->loops[loop].header];
    for (uint32_t i = 0; i < header->n_params; i++)
      if (in_cycle(acc, node_of(view, header->params[i]), cycle))
        return true;
  }
  return false;
}

// Whether every way in which `user` takes the value leaves it a sum, or takes it out of the cycle for good.
static bool agrees(const struct accumulator *acc, const struct view *view, const struct ir_value *value,
                   const struct use *use, uint32_t cycle) {
  const struct ir_instr *user = use->user;
  const struct view *callee = stays_in_recursion(acc, view, user) ? &acc->views[user->symbol] : NULL;
  bool inside = is_inside(acc, view, use->at, cycle);
  for (uint32_t i = 0; i < user->n_operands; i++) {
    if (user->operands[i] != value)
      continue;
    bool stays = user->op == IR_RETURN ? is_sum(acc, view->results + i)
                 : callee              ? is_sum(acc, node_of(callee, callee->function->params[i]))
                                       : user->n_results == 1 && is_summand(user, i) &&
                                is_sum(acc, node_of(view, user->results[0]));
    if (inside && !stays)
      return false;
  }
  for (uint32_t t = 0; t < user->n_targets; t++) {
    const struct ir_target *target = &user->targets[t];
    uint32_t to = view->cfg->position[target->bb->id];
    for (uint32_t i = 0; i < target->n_args; i++)
      if (target->args[i] == value && !is_sum(acc, node_of(view, target->bb->params[i])) &&
          is_inside(acc, view, to, cycle))
        return false;
  }
  return true;
}

// How often one run of `user` takes the value round the cycle. Only one edge of a branch is taken.
static uint32_t times_kept(const struct accumulator *acc, const struct view *view,
                           const struct ir_value *value, const struct ir_instr *user, uint32_t cycle) {
  const struct view *callee = stays_in_recursion(acc, view, user) ? &acc->views[user->symbol] : NULL;
  uint32_t times = 0;
  for (uint32_t i = 0; i < user->n_operands; i++) {
    if (user->operands[i] != value)
      continue;
    if (user->op == IR_RETURN)
      times += in_cycle(acc, view->results + i, cycle);
    else if (callee)
      times += in_cycle(acc, node_of(callee, callee->function->params[i]), cycle);
    else if (user->n_results == 1)
      times += in_cycle(acc, node_of(view, user->results[0]), cycle);
  }
  for (uint32_t t = 0; t < user->n_targets; t++) {
    uint32_t by_edge = 0;
    for (uint32_t i = 0; i < user->targets[t].n_args; i++)
      by_edge += user->targets[t].args[i] == value &&
                 in_cycle(acc, node_of(view, user->targets[t].bb->params[i]), cycle);
    times = by_edge > times ? by_edge : times;
  }
  return times;
}

static bool carries(const struct ir_target *target, const struct ir_value *value) {
  for (uint32_t i = 0; i < target->n_args; i++)
    if (target->args[i] == value)
      return true;
  return false;
}

// Whether control can go on from a use to a basic block without passing the value's definition. From the use
// on an edge of a branch it goes on along that edge.
static bool goes_on_to(const struct accumulator *acc, const struct view *view, const struct ir_value *value,
                       const struct use *from, uint32_t to) {
  const struct cfg *cfg = view->cfg;
  bool *seen = arena_new_array(acc->scratch, bool, cfg->n);
  uint32_t *pending = arena_new_array(acc->scratch, uint32_t, cfg->n);
  uint32_t n = 0;
  seen[view->defined_at[value->id]] = true;
  pending[n++] = from->at;
  for (bool first = true; n > 0; first = false) {
    const struct ir_instr *end = cfg->bbs[pending[--n]]->last;
    for (uint32_t t = 0; t < end->n_targets; t++) {
      uint32_t next = cfg->position[end->targets[t].bb->id];
      if (seen[next] || (first && from->user == end && !carries(&end->targets[t], value)))
        continue;
      if (next == to)
        return true;
      seen[next] = true;
      pending[n++] = next;
    }
  }
  return false;
}

// A sum that goes round the cycle twice, as in `t = t + t`, would have its terms doubled in every round.
static bool is_doubled(const struct accumulator *acc, const struct view *view, const struct ir_value *value,
                       uint32_t cycle) {
  for (const struct use *a = view->uses[value->id]; a; a = a->next) {
    uint32_t times = times_kept(acc, view, value, a->user, cycle);
    if (times > 1)
      return true;
    for (const struct use *b = a->next; b && times == 1; b = b->next)
      if (times_kept(acc, view, value, b->user, cycle) &&
          (a->at == b->at || goes_on_to(acc, view, value, a, b->at) ||
           goes_on_to(acc, view, value, b, a->at)))
        return true;
  }
  return false;
}

static bool value_contradicts(const struct accumulator *acc, const struct view *view,
                              const struct ir_value *value) {
  uint32_t cycle = acc->flow->of[node_of(view, value)];
  const struct cycle *about = &acc->cycles[cycle];
  if (!acc->flow->cyclic[cycle] || !about->adds || !(about->interprocedural || about->looping))
    return true;
  for (const struct use *use = view->uses[value->id]; use; use = use->next)
    if (!agrees(acc, view, value, use, cycle))
      return true;
  return is_doubled(acc, view, value, cycle);
}

// A result is a sum when every call in the recursion takes it as one.
static bool result_contradicts(const struct accumulator *acc, uint32_t f, uint32_t result) {
  uint32_t cycle = acc->flow->of[acc->views[f].results + result];
  if (!acc->flow->cyclic[cycle] || !acc->cycles[cycle].adds)
    return true;
  for (const struct call_site *site = acc->views[f].calls; site; site = site->next) {
    const struct ir_value *value = site->call->results[result];
    if (site->caller->uses[value->id] && !is_sum(acc, node_of(site->caller, value)))
      return true;
  }
  return false;
}

static bool drop_value(struct accumulator *acc, const struct view *view, const struct ir_value *value) {
  struct node_info *node = &acc->nodes[node_of(view, value)];
  if (!node->sum || !value_contradicts(acc, view, value))
    return false;
  node->sum = false;
  return true;
}

// Drops candidates that a use contradicts; true when there were any.
static bool drop_contradictions(struct accumulator *acc) {
  bool dropped = false;
  for (uint32_t f = 0; f < acc->module->n_functions; f++) {
    const struct view *view = &acc->views[f];
    for (uint32_t i = 0; i < view->function->n_params; i++)
      dropped = drop_value(acc, view, view->function->params[i]) || dropped;
    for (uint32_t i = 0; i < view->function->n_results; i++) {
      if (acc->nodes[view->results + i].sum && result_contradicts(acc, f, i)) {
        acc->nodes[view->results + i].sum = false;
        dropped = true;
      }
    }
    for (struct ir_bb *bb = view->function->entry; bb; bb = bb->next) {
      for (uint32_t i = 0; i < bb->n_params; i++)
        dropped = drop_value(acc, view, bb->params[i]) || dropped;
      for (struct ir_instr *instr = bb->first; instr; instr = instr->next)
        for (uint32_t i = 0; i < instr->n_results; i++)
          dropped = drop_value(acc, view, instr->results[i]) || dropped;
    }
  }
  return dropped;
}

// --------------------------------------------------------------------------------------------- rewriting

// Parameters of later basic blocks that take in a sum hold one themselves, unless they go round a loop of
// their own: that they are no candidates means that the loop wants their value.
static void follow_sums(struct accumulator *acc, struct view *view) {
  for (bool changed = true; changed;) {
    changed = false;
    for (struct ir_bb *bb = view->function->entry; bb; bb = bb->next) {
      for (uint32_t t = 0; t < bb->last->n_targets; t++) {
        const struct ir_target *target = &bb->last->targets[t];
        for (uint32_t i = 0; i < target->n_args; i++) {
          struct ir_value *arg = target->args[i], *param = target->bb->params[i];
          if (arg->type->kind == IR_ACC && param->type->kind == IR_TENSOR &&
              !is_loop_header(view->cfg, view->cfg->position[target->bb->id])) {
            param->type = ir_type_acc(acc->module, param->type);
            changed = true;
          }
        }
      }
    }
  }
}

static void retype(struct accumulator *acc, const struct view *view, uint32_t n, struct ir_value **values) {
  for (uint32_t i = 0; i < n; i++)
    if (acc->nodes[node_of(view, values[i])].sum)
      values[i]->type = ir_type_acc(acc->module, values[i]->type);
}

// Types first: after this every value and signature says whether it is a sum.
static void retype_function(struct accumulator *acc, struct view *view) {
  struct ir_function *function = view->function;
  retype(acc, view, function->n_params, function->params);
  for (uint32_t i = 0; i < function->n_results; i++)
    if (acc->nodes[view->results + i].sum)
      function->results[i] = ir_type_acc(acc->module, function->results[i]);
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    retype(acc, view, bb->n_params, bb->params);
    for (struct ir_instr *instr = bb->first; instr; instr = instr->next)
      if (instr->op != IR_CALL)
        retype(acc, view, instr->n_results, instr->results);
  }
}

static void retype_calls(struct accumulator *acc, struct view *view) {
  for_each_instr (view->function, bb, instr) {
    if (instr->op != IR_CALL)
      continue;
    const struct ir_function *callee = acc->module->functions[instr->symbol];
    for (uint32_t i = 0; i < instr->n_results; i++)
      instr->results[i]->type = callee->results[i];
  }
}

// The value in the kind that its user wants; conversions stand right before the user.
static struct ir_value *as_kind(struct ir_builder *build, struct ir_value *value, enum ir_type_kind kind) {
  if (value->type->kind == kind || (value->type->kind != IR_ACC && value->type->kind != IR_TENSOR))
    return value;
  if (kind == IR_ACC)
    return ir_build_value(build, IR_ACC_OF, 1, &value, ir_type_acc(build->module, value->type));
  const struct ir_type *sum = ir_type_tensor(build->module, value->type->shape.rank,
                                             value->type->shape.sizes);
  return ir_build_value(build, IR_ACC_SUM, 1, &value, sum);
}

static enum ir_type_kind wanted_kind(const struct accumulator *acc, const struct ir_function *function,
                                     const struct ir_instr *user, uint32_t operand) {
  switch (user->op) {
  case IR_RETURN: return function->results[operand]->kind;
  case IR_CALL: return acc->module->functions[user->symbol]->params[operand]->type->kind;
  case IR_ACC_ADD:
  case IR_ACC_SUM: return IR_ACC;
  default: return IR_TENSOR;
  }
}

static bool needs_conversion(const struct ir_target *target) {
  for (uint32_t i = 0; i < target->n_args; i++)
    if (target->args[i]->type->kind != target->bb->params[i]->type->kind)
      return true;
  return false;
}

// Conversions for an edge. Where there are other edges they get a basic block of their own: a sum that
// leaves a loop by the branch in its header must not be taken in every round.
static void convert_edge(struct accumulator *acc, struct ir_function *function, struct ir_bb *from,
                         struct ir_instr *end, struct ir_target *target) {
  if (!needs_conversion(target))
    return;
  struct ir_builder build = build_before(acc->module, function, from, end);
  if (end->n_targets > 1) {
    struct ir_bb *between = ir_add_bb(acc->module, function);
    build = ir_builder_at(acc->module, function, between, end->loc);
    ir_build_br(&build, target->bb, target->n_args, target->args);
    build.before = between->last;
    *target = (struct ir_target){between, 0, NULL};
    target = &between->last->targets[0];
  }
  for (uint32_t i = 0; i < target->n_args; i++)
    target->args[i] = as_kind(&build, target->args[i], target->bb->params[i]->type->kind);
}

static void convert_operands(struct accumulator *acc, struct ir_function *function, struct ir_bb *bb,
                             struct ir_instr *instr) {
  struct ir_builder build = build_before(acc->module, function, bb, instr);
  bool is_sum = instr->n_results == 1 && instr->results[0]->type->kind == IR_ACC;
  if (is_sum && instr->op == IR_OP_SUB) {
    struct ir_value *right = as_kind(&build, instr->operands[1], IR_TENSOR);
    instr->operands[1] = ir_build_unary(&build, IR_OP_NEG, right);
    instr->op = IR_ACC_ADD;
  } else if (is_sum && instr->op == IR_OP_ADD) {
    instr->op = IR_ACC_ADD;
  }
  for (uint32_t i = 0; i < instr->n_operands; i++)
    instr->operands[i] = as_kind(&build, instr->operands[i], wanted_kind(acc, function, instr, i));
  for (uint32_t t = 0; t < instr->n_targets; t++)
    convert_edge(acc, function, bb, instr, &instr->targets[t]);
}

// `acc.sum(a) + x` is one sum, too; in order, because each makes room for the next.
static void join_sums(struct accumulator *acc, struct ir_function *function) {
  ir_renumber(function);
  const uint32_t *uses = count_uses(acc->scratch, function);
  uint32_t n_known = function->n_values;
  for_each_instr (function, bb, instr) {
    if (instr->op != IR_OP_ADD || !same_shapes(instr))
      continue;
    bool is_sum[2];
    for (int i = 0; i < 2; i++) {
      const struct ir_value *part = instr->operands[i];
      is_sum[i] = part->def && part->def->op == IR_ACC_SUM && part->id < n_known && uses[part->id] == 1;
    }
    if (!is_sum[0] && !is_sum[1])
      continue;
    struct ir_builder build = build_before(acc->module, function, bb, instr);
    struct ir_value *parts[2];
    for (int i = 0; i < 2; i++)
      parts[i] = is_sum[i] ? instr->operands[i]->def->operands[0]
                           : as_kind(&build, instr->operands[i], IR_ACC);
    instr->operands[0] = ir_build_value(&build, IR_ACC_ADD, 2, parts, parts[0]->type);
    instr->n_operands = 1;
    instr->op = IR_ACC_SUM;
  }
}

// A term that is the constant zero adds nothing.
static void drop_zero_terms(struct ir_function *function) {
  for_each_instr (function, bb, instr) {
    if (instr->op != IR_ACC_ADD)
      continue;
    for (uint32_t i = 0; i < 2; i++) {
      const struct ir_instr *of = value_resolve(instr->operands[i])->def;
      if (!of || of->op != IR_ACC_OF || !of->operands[0]->def)
        continue;
      const struct ir_instr *term = of->operands[0]->def;
      if (term->op == IR_OP_CONSTANT && term->number == 0) {
        value_replace(instr->results[0], instr->operands[1 - i]);
        break;
      }
    }
  }
  rewrite_uses(function);
}

// ----------------------------------------------------------------------------------------------- entries

static bool returns_sums(const struct ir_function *function) {
  for (uint32_t i = 0; i < function->n_results; i++)
    if (function->results[i]->kind == IR_ACC)
      return true;
  for (uint32_t i = 0; i < function->n_params; i++)
    if (function->params[i]->type->kind == IR_ACC)
      return true;
  return false;
}

static struct ir_value *plain(struct ir_builder *build, struct ir_value *value) {
  return as_kind(build, value, value->type->kind == IR_ACC ? IR_TENSOR : value->type->kind);
}

static const struct ir_type *plain_type(struct ir_module *module, const struct ir_type *type) {
  return type->kind == IR_ACC ? ir_type_tensor(module, type->shape.rank, type->shape.sizes) : type;
}

// A function with tensors where the entry has sums.
static struct ir_function *wrap(struct accumulator *acc, const struct ir_function *inner) {
  struct ir_module *module = acc->module;
  struct ir_function *outer = ir_add_function(module, arena_printf(acc->scratch, "%s.entry", inner->name));
  struct ir_builder build = ir_builder_at(module, outer, ir_add_bb(module, outer), inner->entry->first->loc);
  struct ir_value **args = arena_new_array(acc->scratch, struct ir_value *, inner->n_params);
  for (uint32_t i = 0; i < inner->n_params; i++) {
    const struct ir_type *type = plain_type(module, inner->params[i]->type);
    args[i] = as_kind(&build, ir_add_function_param(module, outer, type), inner->params[i]->type->kind);
  }
  struct ir_instr *call = ir_build_call(&build, inner->id, inner->n_params, args);
  outer->n_results = inner->n_results;
  outer->results = arena_new_array(module->arena, const struct ir_type *, inner->n_results);
  struct ir_value **results = arena_new_array(acc->scratch, struct ir_value *, inner->n_results);
  for (uint32_t i = 0; i < inner->n_results; i++) {
    outer->results[i] = plain_type(module, inner->results[i]);
    results[i] = plain(&build, call->results[i]);
  }
  ir_build_return(&build, inner->n_results, results);
  return outer;
}

static void rewrite_module(struct accumulator *acc) {
  struct ir_module *module = acc->module;
  uint32_t n = module->n_functions;
  for (uint32_t f = 0; f < n; f++)
    retype_function(acc, &acc->views[f]);
  for (uint32_t f = 0; f < n; f++) {
    retype_calls(acc, &acc->views[f]);
    follow_sums(acc, &acc->views[f]);
  }
  for (uint32_t f = 0; f < n; f++) {
    struct ir_function *function = module->functions[f];
    for_each_instr (function, bb, instr)
      convert_operands(acc, function, bb, instr);
    join_sums(acc, function);
    drop_zero_terms(function);
    rewrite_layout(acc->scratch, function);
  }
  for (uint32_t e = 0; e < module->n_entries; e++)
    if (returns_sums(module->functions[module->entries[e]->function]))
      module->entries[e]->function = wrap(acc, module->functions[module->entries[e]->function])->id;
}

void pass_accumulate(struct ir_module *module, struct arena *scratch) {
  struct accumulator acc = {.module = module, .scratch = scratch, .calls = call_components(scratch, module)};
  set_up_views(&acc);
  acc.nodes = arena_new_array(scratch, struct node_info, acc.n_nodes);
  for (uint32_t f = 0; f < module->n_functions; f++)
    find_candidates(&acc, &acc.views[f]);
  do
    find_cycles(&acc);
  while (drop_contradictions(&acc));
  rewrite_module(&acc);
}

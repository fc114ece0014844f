// Which instruction takes over which reference to a list or data value.
#include "runtime/host/host_ownership.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"

#define NONE UINT32_MAX
// Blocks that the search behind a vacated place looks at before it gives up; a longer way costs a copy.
#define BLOCKS_SEARCHED 1000
// Levels of nested lists and data that are vacated at once.
#define DEEPEST_NESTING 16

// ------------------------------------------------------------------------------------------ what consumes

// Whether an instruction takes over the reference in this operand. Operands that are not counted do not matter.
static bool consumes(const struct ir_instr *instr, uint32_t operand, bool *const *owned_params) {
  switch (instr->op) {
  case IR_DATA_NEW:
  case IR_LIST_NEW:
  case IR_LIST_SET:
  case IR_LIST_PUSH:
  case IR_LIST_POP:
  case IR_LIST_SLICE:
  case IR_LIST_REVERSE:
  case IR_LIST_SPREAD:
  case IR_LIST_CONCAT:
  case IR_RETURN: return true;
  case IR_CALL: return owned_params[instr->symbol] && owned_params[instr->symbol][operand];
  default: return false;
  }
}

static bool is_get(const struct ir_instr *instr) {
  return instr && (instr->op == IR_LIST_GET || instr->op == IR_DATA_GET);
}

// ----------------------------------------------------------------------------------------- owned parameters

// A parameter is owned when the function consumes it or what it reads out of it: then it may be the last to hold
// it, and change it in place.
struct params_search {
  const struct ir_module *module;
  bool **owned;
  uint32_t *queue, n_queued;  // functions to look at
  bool *queued;
  uint32_t *first_caller, *callers;  // [function] into callers: functions that call it
  uint32_t *params;  // [ir_value.id] of the function being looked at: what param_of found; UNKNOWN
};

#define UNKNOWN (NONE - 1)

// The parameter that a value is or was read out of, through any number of reads; NONE.
static uint32_t param_of(struct params_search *search, const struct ir_value *value) {
  const struct ir_value *root = value;
  while (search->params[root->id] == UNKNOWN && is_get(root->def))
    root = root->def->operands[0];
  uint32_t param = search->params[root->id] == UNKNOWN ? NONE : search->params[root->id];
  for (; search->params[value->id] == UNKNOWN; value = value->def->operands[0]) {
    search->params[value->id] = param;
    if (value == root)
      break;
  }
  return param;
}

static void number_params(struct params_search *search, const struct ir_function *function) {
  for (uint32_t v = 0; v < function->n_values; v++)
    search->params[v] = UNKNOWN;
  for (uint32_t i = 0; i < function->n_params; i++)
    search->params[function->params[i]->id] = i;
}

static bool own(struct params_search *search, const struct ir_function *function,
                const struct ir_value *value) {
  // A memo function's arguments stay with what it is remembered by.
  if (!host_is_counted(value->type) || function->memo)
    return false;
  uint32_t param = param_of(search, value);
  if (param == NONE || search->owned[function->id][param])
    return false;
  return search->owned[function->id][param] = true;
}

// true when a parameter has become owned.
static bool look_at_function(struct params_search *search, const struct ir_function *function) {
  bool changed = false;
  number_params(search, function);
  for (const struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next) {
      for (uint32_t i = 0; i < instr->n_operands; i++)
        if (consumes(instr, i, search->owned))
          changed |= own(search, function, instr->operands[i]);
      for (uint32_t t = 0; t < instr->n_targets; t++)
        for (uint32_t i = 0; i < instr->targets[t].n_args; i++)
          changed |= own(search, function, instr->targets[t].args[i]);
    }
  }
  return changed;
}

static void enqueue(struct params_search *search, uint32_t function) {
  if (search->queued[function])
    return;
  search->queued[function] = true;
  search->queue[search->n_queued++] = function;
}

// Calls visit(search, caller, callee) for every call instruction of a marked function.
static void each_call(struct params_search *search,
                      void (*visit)(struct params_search *, uint32_t caller, uint32_t callee)) {
  for (uint32_t f = 0; f < search->module->n_functions; f++)
    for (const struct ir_bb *bb = search->owned[f] ? search->module->functions[f]->entry : NULL; bb;
         bb = bb->next)
      for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
        if (instr->op == IR_CALL)
          visit(search, f, instr->symbol);
}

static void count_caller(struct params_search *search, uint32_t caller, uint32_t callee) {
  (void)caller;
  search->first_caller[callee + 1]++;
}

static void add_caller(struct params_search *search, uint32_t caller, uint32_t callee) {
  search->callers[--search->first_caller[callee + 1]] = caller;
}

// Afterwards the callers of f are callers[first_caller[f + 1]] up to callers[first_caller[f + 2]].
static bool list_callers(struct params_search *search) {
  uint32_t n = search->module->n_functions;
  search->first_caller = calloc((size_t)n + 2, sizeof *search->first_caller);
  if (!search->first_caller)
    return false;
  each_call(search, count_caller);
  for (uint32_t f = 0; f <= n; f++)
    search->first_caller[f + 1] += search->first_caller[f];
  search->callers = calloc((size_t)search->first_caller[n] + 1, sizeof *search->callers);
  if (!search->callers)
    return false;
  each_call(search, add_caller);
  return true;
}

static bool search_params(struct params_search *search, const bool *reachable) {
  uint32_t n = search->module->n_functions;
  search->queue = calloc((size_t)n + 1, sizeof *search->queue);
  search->queued = calloc((size_t)n + 1, sizeof *search->queued);
  uint32_t most_values = 0;
  for (uint32_t f = 0; f < n; f++)
    if (search->module->functions[f]->n_values > most_values)
      most_values = search->module->functions[f]->n_values;
  search->params = calloc((size_t)most_values + 1, sizeof *search->params);
  if (!search->queue || !search->queued || !search->params)
    return false;
  for (uint32_t f = 0; f < n; f++) {
    if (!reachable[f])
      continue;
    search->owned[f] = calloc((size_t)search->module->functions[f]->n_params + 1, sizeof *search->owned[f]);
    if (!search->owned[f])
      return false;
    enqueue(search, f);
  }
  if (!list_callers(search))
    return false;
  while (search->n_queued > 0) {
    uint32_t f = search->queue[--search->n_queued];
    search->queued[f] = false;
    if (!look_at_function(search, search->module->functions[f]))
      continue;
    for (uint32_t c = search->first_caller[f + 1]; c < search->first_caller[f + 2]; c++)
      enqueue(search, search->callers[c]);
  }
  return true;
}

bool **host_owned_params(const struct ir_module *module, const bool *reachable) {
  struct params_search search = {.module = module};
  search.owned = calloc((size_t)module->n_functions + 1, sizeof *search.owned);
  bool ok = search.owned && search_params(&search, reachable);
  free(search.queue);
  free(search.queued);
  free(search.first_caller);
  free(search.callers);
  free(search.params);
  if (ok)
    return search.owned;
  host_owned_params_free(module, search.owned);
  return NULL;
}

void host_owned_params_free(const struct ir_module *module, bool **owned) {
  for (uint32_t f = 0; owned && f < module->n_functions; f++)
    free(owned[f]);
  free(owned);
}

// ------------------------------------------------------------------------------------- values and their uses

struct use {
  uint32_t value;  // into counted
  uint32_t instr;
  uint32_t bb;
  const struct ir_instr *at;
};

struct counted {
  const struct ir_value *value;
  uint32_t bb, instr;  // of its definition; parameters: the first instruction of the block
  uint32_t parent;     // of a value read out of another: that one; NONE
  bool owned;
  bool only_seen;              // never consumed, nor anything that is read out of it
  bool is_param;               // of the function
  uint32_t first_use, n_uses;  // into uses, in order; an instruction counts once
};

// Values in ascending order.
struct value_set {
  uint32_t *items;
  uint32_t n, capacity;
};

struct analysis {
  const struct ir_function *function;
  uint32_t n_bbs;
  const struct ir_bb *const *bbs;
  bool *const *owned_params;
  struct host_actions *actions;
  uint32_t *order;        // [ir_bb.id] position in bbs; NONE
  uint32_t *first_instr;  // [position in bbs], and one more
  uint32_t *index;        // [ir_value.id] into counted; NONE
  uint32_t *def_bb;       // [ir_value.id] position in bbs of the definition; function parameters 0
  struct counted *counted;
  uint32_t n_counted;
  struct use *uses;
  uint32_t n_uses;
  // [position in bbs] What is live at the beginning of a block, without its own parameters; what is over one of its edges
  // without being handed on as an argument. They take what lifetimes are long.
  struct value_set *live_in, *live_over;
  uint32_t *first_pred, *preds;  // [position in bbs] into preds: blocks with an edge to it
  uint32_t *stamps, stamp;       // [position in bbs] of the search
  uint32_t *stack;
  uint32_t *handed, n_handed;      // by the terminator being looked at
  uint32_t *unwanted, n_unwanted;  // behind the edge being looked at
  bool *is_handed;                 // [value], all false between terminators
  uint32_t *times_handed;          // [value] over the edge being looked at, all 0 between edges
  uint32_t *times_consumed;        // [value] by the instruction being looked at, all 0 between instructions
  bool *is_looked_at;              // [value] by that instruction, besides; all false between instructions
  bool ok;
};

static uint32_t index_of(const struct analysis *a, const struct ir_value *value) {
  return a->index[value->id];
}

static bool is_in(const struct value_set *set, uint32_t value) {
  uint32_t low = 0, high = set->n;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (set->items[middle] < value)
      low = middle + 1;
    else
      high = middle;
  }
  return low < set->n && set->items[low] == value;
}

static void add_counted(struct analysis *a, const struct ir_value *value, uint32_t bb, uint32_t instr) {
  a->def_bb[value->id] = bb;
  if (!host_is_counted(value->type))
    return;
  const struct ir_instr *def = is_get(value->def) ? value->def : NULL;
  a->index[value->id] = a->n_counted;
  a->counted[a->n_counted++] = (struct counted){.value = value,
                                                .bb = bb,
                                                .instr = instr,
                                                .parent = def ? index_of(a, def->operands[0]) : NONE,
                                                .owned = true,
                                                .only_seen = true};
}

static void find_values(struct analysis *a) {
  uint32_t n = 0;
  for (uint32_t b = 0; b < a->n_bbs; b++) {
    const struct ir_bb *bb = a->bbs[b];
    a->order[bb->id] = b;
    a->first_instr[b] = n;
    for (uint32_t i = 0; b == 0 && i < a->function->n_params; i++) {
      uint32_t before = a->n_counted;
      add_counted(a, a->function->params[i], 0, 0);
      if (a->n_counted == before)
        continue;
      a->counted[before].is_param = true;
      a->counted[before].owned = a->owned_params[a->function->id][i];
    }
    for (uint32_t i = 0; i < bb->n_params; i++)
      add_counted(a, bb->params[i], b, n);
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next, n++)
      for (uint32_t i = 0; i < instr->n_results; i++)
        add_counted(a, instr->results[i], b, n);
  }
  a->first_instr[a->n_bbs] = n;
}

// Calls visit for every counted operand and argument, in order; those of one instruction follow each other.
static void each_operand(struct analysis *a, void (*visit)(struct analysis *, uint32_t value, uint32_t instr,
                                                           uint32_t bb, const struct ir_instr *)) {
  for (uint32_t b = 0, n = 0; b < a->n_bbs; b++) {
    for (const struct ir_instr *instr = a->bbs[b]->first; instr; instr = instr->next, n++) {
      for (uint32_t i = 0; i < instr->n_operands; i++)
        if (index_of(a, instr->operands[i]) != NONE)
          visit(a, index_of(a, instr->operands[i]), n, b, instr);
      for (uint32_t t = 0; t < instr->n_targets; t++)
        for (uint32_t i = 0; i < instr->targets[t].n_args; i++)
          if (index_of(a, instr->targets[t].args[i]) != NONE)
            visit(a, index_of(a, instr->targets[t].args[i]), n, b, instr);
    }
  }
}

static void count_use(struct analysis *a, uint32_t value, uint32_t instr, uint32_t bb,
                      const struct ir_instr *at) {
  (void)instr, (void)bb, (void)at;
  a->counted[value].first_use++;  // how many, until they have their place
  a->n_uses++;
}

static void add_use(struct analysis *a, uint32_t value, uint32_t instr, uint32_t bb,
                    const struct ir_instr *at) {
  struct counted *counted = &a->counted[value];
  struct use *use = &a->uses[counted->first_use + counted->n_uses];
  if (counted->n_uses && use[-1].instr == instr)
    return;
  *use = (struct use){value, instr, bb, at};
  counted->n_uses++;
}

static bool find_uses(struct analysis *a) {
  each_operand(a, count_use);
  a->uses = calloc((size_t)a->n_uses + 1, sizeof *a->uses);
  if (!a->uses)
    return false;
  uint32_t place = 0;
  for (uint32_t v = 0; v < a->n_counted; v++) {
    uint32_t n = a->counted[v].first_use;
    a->counted[v].first_use = place;
    place += n;
  }
  each_operand(a, add_use);
  return true;
}

// The first use of a value at or after an instruction; NULL.
static const struct use *use_from(const struct analysis *a, uint32_t value, uint32_t instr) {
  const struct counted *counted = &a->counted[value];
  const struct use *uses = a->uses + counted->first_use;
  uint32_t low = 0, high = counted->n_uses;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (uses[middle].instr < instr)
      low = middle + 1;
    else
      high = middle;
  }
  return low < counted->n_uses ? &uses[low] : NULL;
}

// ----------------------------------------------------------------------------------------------- liveness

// Afterwards the blocks with an edge to b are preds[first_pred[b]] up to preds[first_pred[b + 1]].
static bool find_preds(struct analysis *a) {
  uint32_t n = 0;
  for (uint32_t b = 0; b < a->n_bbs; b++)
    n += a->bbs[b]->last->n_targets;
  a->first_pred = calloc((size_t)a->n_bbs + 2, sizeof *a->first_pred);
  a->preds = calloc((size_t)n + 1, sizeof *a->preds);
  if (!a->first_pred || !a->preds)
    return false;
  for (uint32_t b = 0; b < a->n_bbs; b++)
    for (uint32_t t = 0; t < a->bbs[b]->last->n_targets; t++)
      a->first_pred[a->order[a->bbs[b]->last->targets[t].bb->id] + 2]++;
  for (uint32_t b = 0; b < a->n_bbs; b++)
    a->first_pred[b + 2] += a->first_pred[b + 1];
  for (uint32_t b = 0; b < a->n_bbs; b++)
    for (uint32_t t = 0; t < a->bbs[b]->last->n_targets; t++)
      a->preds[a->first_pred[a->order[a->bbs[b]->last->targets[t].bb->id] + 1]++] = b;
  return true;
}

// Adds a value that is none of those before it. false without memory; *is_new: it was not there.
static bool add_last(struct value_set *set, uint32_t value, bool *is_new) {
  *is_new = !set->n || set->items[set->n - 1] != value;
  if (!*is_new)
    return true;
  if (!array_reserve_u32(&set->items, sizeof *set->items, (uint64_t)set->n + 1, &set->capacity))
    return false;
  set->items[set->n++] = value;
  return true;
}

// The value is live at the beginning of the block: a block on the stack is one whose predecessors are still to be told.
static bool enters(struct analysis *a, uint32_t value, uint32_t bb, uint32_t *n) {
  bool is_new, ok = add_last(&a->live_in[bb], value, &is_new);
  if (ok && is_new)
    a->stack[(*n)++] = bb;
  return ok;
}

// From each value's uses backwards to its definition, one value after the other.
static bool find_live(struct analysis *a) {
  if (!find_preds(a))
    return false;
  for (uint32_t value = 0; value < a->n_counted; value++) {
    const struct counted *counted = &a->counted[value];
    uint32_t n = 0;
    for (uint32_t u = 0; u < counted->n_uses; u++) {
      uint32_t bb = a->uses[counted->first_use + u].bb;
      if ((counted->bb != bb || counted->is_param) && !enters(a, value, bb, &n))
        return false;
    }
    while (n > 0) {
      uint32_t bb = a->stack[--n];
      for (uint32_t p = a->first_pred[bb]; p < a->first_pred[bb + 1]; p++) {
        uint32_t from = a->preds[p];
        bool is_new;
        if (!add_last(&a->live_over[from], value, &is_new))
          return false;
        if ((counted->bb != from || counted->is_param) && !enters(a, value, from, &n))
          return false;
      }
    }
  }
  return true;
}

static bool is_live_after(const struct analysis *a, uint32_t value, uint32_t bb, uint32_t instr) {
  if (is_in(&a->live_over[bb], value))
    return true;
  const struct use *use = use_from(a, value, instr + 1);
  return use && use->bb == bb;
}

// ------------------------------------------------------------------------------------------------- borrowing

// Whether a value read out of another needs no reference of its own, because the owned value at the root outlives it
// and nothing happens to it in between: all uses are in the block, only look, and the instructions up to the last one
// touch no other counted value. So nothing can be given up or vacated on the way.
static bool lives_shortly(const struct analysis *a, uint32_t value, uint32_t root) {
  const struct counted *counted = &a->counted[value];
  const struct use *uses = a->uses + counted->first_use;
  if (counted->n_uses == 0)
    return false;
  const struct use *last = &uses[counted->n_uses - 1];
  if (uses[0].bb != counted->bb || last->bb != counted->bb)
    return false;
  if (!is_live_after(a, root, counted->bb, last->instr))
    return false;
  uint32_t n = counted->instr;
  for (const struct ir_instr *instr = counted->value->def->next; n++ < last->instr; instr = instr->next) {
    if (instr->op == IR_CALL || instr->n_targets)
      return false;
    for (uint32_t i = 0; i < instr->n_operands; i++) {
      uint32_t operand = index_of(a, instr->operands[i]);
      if (operand == NONE)
        continue;
      if (operand != value && operand != counted->parent && operand != root)
        return false;
      if (consumes(instr, i, a->owned_params))
        return false;
    }
  }
  return true;
}

static void find_only_seen(struct analysis *a) {
  for (uint32_t b = 0; b < a->n_bbs; b++) {
    for (const struct ir_instr *instr = a->bbs[b]->first; instr; instr = instr->next) {
      for (uint32_t i = 0; i < instr->n_operands; i++)
        if (index_of(a, instr->operands[i]) != NONE &&
            (instr->n_targets || consumes(instr, i, a->owned_params)))
          a->counted[index_of(a, instr->operands[i])].only_seen = false;
      for (uint32_t t = 0; t < instr->n_targets; t++)
        for (uint32_t i = 0; i < instr->targets[t].n_args; i++)
          if (index_of(a, instr->targets[t].args[i]) != NONE)
            a->counted[index_of(a, instr->targets[t].args[i])].only_seen = false;
    }
  }
  for (uint32_t v = a->n_counted; v-- > 0;)
    if (a->counted[v].parent != NONE && !a->counted[v].only_seen)
      a->counted[a->counted[v].parent].only_seen = false;
}

static void find_borrowed(struct analysis *a) {
  find_only_seen(a);
  for (uint32_t v = 0; v < a->n_counted; v++) {
    struct counted *counted = &a->counted[v];
    if (counted->parent == NONE)
      continue;
    uint32_t root = counted->parent;
    while (!a->counted[root].owned && a->counted[root].parent != NONE)
      root = a->counted[root].parent;
    counted->owned = a->counted[root].owned && !(counted->only_seen && lives_shortly(a, v, root));
  }
}

// ------------------------------------------------------------------------------------------------- actions

static void act(struct analysis *a, enum host_action_kind kind, uint32_t instr, uint32_t when,
                uint32_t value) {
  struct host_actions *actions = a->actions;
  if (!array_reserve_u32(&actions->items, sizeof *actions->items, actions->n + 1, &actions->capacity)) {
    a->ok = false;
    return;
  }
  actions->items[actions->n++] = (struct host_action){kind, instr, when, a->counted[value].value};
}

static bool same_index(const struct ir_value *x, const struct ir_value *y) {
  if (x == y)
    return true;
  return x->def && y->def && x->def->op == IR_CONST_INT && y->def->op == IR_CONST_INT &&
         x->def->integer == y->def->integer;
}

// Whether an instruction that uses the outer value cannot see the place that `get` read.
static bool overlooks(const struct analysis *a, const struct use *use, const struct ir_instr *get) {
  const struct ir_instr *at = use->at;
  if (get->op == IR_DATA_GET)
    return at->op == IR_DATA_TAG || (at->op == IR_DATA_GET && at->integer != get->integer);
  if (at->op == IR_LIST_LEN)
    return true;
  if (at->op != IR_LIST_SET || !same_index(at->operands[1], get->operands[1]))
    return false;
  for (uint32_t i = 1; i < at->n_operands; i++)
    if (index_of(a, at->operands[i]) == use->value)
      return false;
  return true;
}

// What one search behind a place knows.
struct search {
  uint32_t value;  // the outer one
  const struct ir_instr *get;
  bool found;  // a use, and for a list one that fills the place again
};

// Looks at the uses of the outer value in a block from an instruction on.
static bool overlooks_in_block(const struct analysis *a, struct search *search, uint32_t bb, uint32_t instr) {
  const struct counted *outer = &a->counted[search->value];
  const struct use *end = a->uses + outer->first_use + outer->n_uses;
  for (const struct use *use = use_from(a, search->value, instr); use && use < end && use->bb == bb; use++) {
    if (!overlooks(a, use, search->get))
      return false;
    search->found |= use->at->op != IR_LIST_LEN;
  }
  return true;
}

// Puts the block on the stack when the outer value is live there.
static bool visit(struct analysis *a, const struct search *search, uint32_t bb, uint32_t *n) {
  if (a->stamps[bb] == a->stamp || !is_in(&a->live_in[bb], search->value))
    return true;
  // Behind the definition of the place's number it may be another place.
  const struct ir_value *index = search->get->op == IR_LIST_GET ? search->get->operands[1] : NULL;
  bool is_fixed = !index || (index->def && index->def->op == IR_CONST_INT);
  if (!is_fixed && a->def_bb[index->id] == bb)
    return false;
  a->stamps[bb] = a->stamp;
  a->stack[(*n)++] = bb;
  return true;
}

// Whether from an instruction on (`when` 0: with it, 1: behind it), or over edge `when - 2` of it, nothing looks at
// the place that `value` was read from before its outer value is gone or the place is filled again.
static bool is_unseen(struct analysis *a, uint32_t value, uint32_t bb, uint32_t instr, uint32_t when) {
  struct search search = {.value = a->counted[value].parent, .get = a->counted[value].value->def};
  const struct ir_instr *last = a->bbs[bb]->last;
  uint32_t n = 0, n_visited = 0;
  a->stamp++;
  if (when < 2 && !overlooks_in_block(a, &search, bb, instr + when))
    return false;
  for (uint32_t t = 0; t < last->n_targets; t++) {
    if (when >= 2 && t != when - 2)
      continue;
    for (uint32_t i = 0; i < last->targets[t].n_args; i++)
      if (index_of(a, last->targets[t].args[i]) == search.value)
        return false;
    if (!visit(a, &search, a->order[last->targets[t].bb->id], &n))
      return false;
  }
  while (n > 0) {
    uint32_t at = a->stack[--n];
    if (++n_visited > BLOCKS_SEARCHED || !overlooks_in_block(a, &search, at, a->first_instr[at]))
      return false;
    for (uint32_t t = 0; t < a->bbs[at]->last->n_targets; t++)
      if (!visit(a, &search, a->order[a->bbs[at]->last->targets[t].bb->id], &n))
        return false;
  }
  return search.found;
}

// Before an owned value is consumed or given up: takes it out of the value that it was read from, and that one out of
// the one it was read from, as far as nothing sees it.
static void vacate(struct analysis *a, uint32_t value, uint32_t bb, uint32_t instr, uint32_t when) {
  uint32_t chain[DEEPEST_NESTING], n = 0;
  while (n < DEEPEST_NESTING) {
    const struct counted *counted = &a->counted[value];
    if (counted->parent == NONE || !counted->owned || !a->counted[counted->parent].owned)
      break;
    if (!is_unseen(a, value, bb, instr, when))
      break;
    chain[n++] = value;
    value = counted->parent;
  }
  while (n > 0)
    act(a, HOST_VACATE, instr, when, chain[--n]);
}

// How often an instruction takes over each of its operands, and whether it looks at it besides.
static void count_operands(struct analysis *a, const struct ir_instr *instr) {
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    uint32_t value = index_of(a, instr->operands[i]);
    if (value == NONE)
      continue;
    if (consumes(instr, i, a->owned_params))
      a->times_consumed[value]++;
    else
      a->is_looked_at[value] = true;
  }
}

static void act_before(struct analysis *a, const struct ir_instr *instr, uint32_t n, uint32_t bb) {
  count_operands(a, instr);
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    uint32_t value = index_of(a, instr->operands[i]);
    if (value == NONE || !a->times_consumed[value])
      continue;
    uint32_t consumed = a->times_consumed[value];
    a->times_consumed[value] = 0;  // once for all of its places
    bool kept = !a->counted[value].owned || a->is_looked_at[value] || is_live_after(a, value, bb, n);
    for (uint32_t k = kept ? 0 : 1; k < consumed; k++)
      act(a, HOST_RETAIN, n, 0, value);
    if (!kept)
      vacate(a, value, bb, n, 0);
  }
}

static void act_after(struct analysis *a, const struct ir_instr *instr, uint32_t n, uint32_t bb) {
  for (uint32_t i = 0; i < instr->n_results; i++) {
    uint32_t value = index_of(a, instr->results[i]);
    if (value == NONE || !a->counted[value].owned)
      continue;
    bool live = is_live_after(a, value, bb, n);
    // What is read has no reference of its own yet; everything else is made with one.
    if (is_get(instr) && live)
      act(a, HOST_RETAIN, n, 1, value);
    if (!is_get(instr) && !live)
      act(a, HOST_RELEASE, n, 1, value);
  }
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    uint32_t value = index_of(a, instr->operands[i]);
    if (value == NONE || !a->is_looked_at[value])
      continue;
    a->is_looked_at[value] = false;
    if (!a->counted[value].owned || is_live_after(a, value, bb, n))
      continue;
    vacate(a, value, bb, n, 1);
    act(a, HOST_RELEASE, n, 1, value);
  }
}

static void release_on_edge(struct analysis *a, uint32_t value, uint32_t bb, uint32_t n, uint32_t t) {
  vacate(a, value, bb, n, 2 + t);
  act(a, HOST_RELEASE, n, 2 + t, value);
}

// Values that are there at the end of a block, and not wanted behind this edge.
static void find_unwanted(struct analysis *a, const struct ir_instr *last, uint32_t bb, uint32_t t) {
  uint32_t to = a->order[last->targets[t].bb->id];
  for (uint32_t i = 0; i < a->live_over[bb].n; i++) {
    uint32_t value = a->live_over[bb].items[i];
    if (a->counted[value].owned && !is_in(&a->live_in[to], value) && !a->times_handed[value])
      a->unwanted[a->n_unwanted++] = value;
  }
  // Handed on over another edge only.
  for (uint32_t i = 0; i < a->n_handed; i++) {
    uint32_t value = a->handed[i];
    if (!is_in(&a->live_over[bb], value) && !a->times_handed[value])
      a->unwanted[a->n_unwanted++] = value;
  }
}

// The owned values that a terminator hands on over some edge.
static void find_handed(struct analysis *a, const struct ir_instr *last) {
  a->n_handed = 0;
  for (uint32_t t = 0; t < last->n_targets; t++) {
    for (uint32_t i = 0; i < last->targets[t].n_args; i++) {
      uint32_t value = index_of(a, last->targets[t].args[i]);
      if (value == NONE || !a->counted[value].owned || a->is_handed[value])
        continue;
      a->is_handed[value] = true;
      a->handed[a->n_handed++] = value;
    }
  }
  for (uint32_t i = 0; i < a->n_handed; i++)
    a->is_handed[a->handed[i]] = false;
}

static void act_on_edge(struct analysis *a, const struct ir_instr *last, uint32_t n, uint32_t bb,
                        uint32_t t) {
  const struct ir_target *target = &last->targets[t];
  uint32_t to = a->order[target->bb->id];
  for (uint32_t i = 0; i < target->n_args; i++)
    if (index_of(a, target->args[i]) != NONE)
      a->times_handed[index_of(a, target->args[i])]++;
  if (last->n_targets > 1)
    find_unwanted(a, last, bb, t);
  for (uint32_t i = 0; i < target->n_args; i++) {
    uint32_t value = index_of(a, target->args[i]);
    if (value == NONE || !a->times_handed[value])
      continue;
    uint32_t wanted = a->times_handed[value];
    a->times_handed[value] = 0;  // once for all of its places
    bool kept = !a->counted[value].owned || is_in(&a->live_in[to], value);
    for (uint32_t k = kept ? 0 : 1; k < wanted; k++)
      act(a, HOST_RETAIN, n, 2 + t, value);
    if (!kept && wanted == 1)
      vacate(a, value, bb, n, 2 + t);
  }
  for (uint32_t i = 0; i < a->n_unwanted; i++)
    release_on_edge(a, a->unwanted[i], bb, n, t);
  a->n_unwanted = 0;
}

// Parameters that nothing uses.
static void release_params(struct analysis *a, uint32_t bb) {
  const struct ir_bb *block = a->bbs[bb];
  uint32_t n = a->first_instr[bb];
  for (uint32_t i = 0; i < block->n_params; i++) {
    uint32_t value = index_of(a, block->params[i]);
    if (value == NONE || is_in(&a->live_over[bb], value))
      continue;
    if (a->counted[value].n_uses == 0)
      act(a, HOST_RELEASE, n, 0, value);
  }
}

static void find_actions(struct analysis *a) {
  for (uint32_t b = 0, n = 0; b < a->n_bbs; b++) {
    release_params(a, b);
    for (const struct ir_instr *instr = a->bbs[b]->first; instr; instr = instr->next, n++) {
      act_before(a, instr, n, b);
      if (!ir_is_terminator(instr->op))
        act_after(a, instr, n, b);
      for (uint32_t i = 0; i < instr->n_operands; i++)
        if (index_of(a, instr->operands[i]) != NONE)
          a->is_looked_at[index_of(a, instr->operands[i])] = false;
      if (instr->n_targets > 1)
        find_handed(a, instr);
      for (uint32_t t = 0; t < instr->n_targets; t++)
        act_on_edge(a, instr, n, b, t);
    }
  }
}

// ---------------------------------------------------------------------------------------------- the analysis

static uint32_t *make_numbers(size_t n) {
  uint32_t *numbers = malloc((n + 1) * sizeof *numbers);
  for (size_t i = 0; numbers && i <= n; i++)
    numbers[i] = NONE;
  return numbers;
}

static bool analyse(struct analysis *a) {
  size_t n_bbs = a->n_bbs, n_values = a->function->n_values;
  a->order = make_numbers(a->function->n_bbs);
  a->first_instr = make_numbers(n_bbs);
  a->index = make_numbers(n_values);
  a->def_bb = make_numbers(n_values);
  a->counted = calloc(n_values + 1, sizeof *a->counted);
  a->stamps = calloc(n_bbs + 1, sizeof *a->stamps);
  a->stack = calloc(n_bbs + 1, sizeof *a->stack);
  if (!a->order || !a->first_instr || !a->index || !a->def_bb || !a->counted || !a->stamps || !a->stack)
    return false;
  find_values(a);
  if (a->n_counted == 0)
    return true;
  a->live_in = calloc(n_bbs, sizeof *a->live_in);
  a->live_over = calloc(n_bbs, sizeof *a->live_over);
  a->handed = calloc(a->n_counted, sizeof *a->handed);
  a->unwanted = calloc(a->n_counted, sizeof *a->unwanted);
  a->is_handed = calloc(a->n_counted, sizeof *a->is_handed);
  a->times_handed = calloc(a->n_counted, sizeof *a->times_handed);
  a->times_consumed = calloc(a->n_counted, sizeof *a->times_consumed);
  a->is_looked_at = calloc(a->n_counted, sizeof *a->is_looked_at);
  if (!a->live_in || !a->live_over || !a->handed || !a->unwanted || !a->is_handed || !a->times_handed ||
      !a->times_consumed || !a->is_looked_at || !find_uses(a) || !find_live(a))
    return false;
  find_borrowed(a);
  a->ok = true;
  find_actions(a);
  return a->ok;
}

bool host_ownership(const struct ir_function *function, uint32_t n_bbs, const struct ir_bb *const *bbs,
                    bool *const *owned_params, struct host_actions *actions) {
  *actions = (struct host_actions){0};
  struct analysis a = {
      .function = function, .n_bbs = n_bbs, .bbs = bbs, .owned_params = owned_params, .actions = actions};
  bool ok = analyse(&a);
  free(a.order);
  free(a.first_instr);
  free(a.index);
  free(a.def_bb);
  free(a.counted);
  free(a.uses);
  for (uint32_t b = 0; b < n_bbs; b++) {
    free(a.live_in ? a.live_in[b].items : NULL);
    free(a.live_over ? a.live_over[b].items : NULL);
  }
  free(a.live_in);
  free(a.live_over);
  free(a.first_pred);
  free(a.preds);
  free(a.stamps);
  free(a.stack);
  free(a.handed);
  free(a.unwanted);
  free(a.is_handed);
  free(a.times_handed);
  free(a.times_consumed);
  free(a.is_looked_at);
  if (!ok)
    host_actions_free(actions);
  return ok;
}

void host_actions_free(struct host_actions *actions) {
  free(actions->items);
  *actions = (struct host_actions){0};
}

// Functions cut down to what is asked of them.
//
// Requires   verified host functions.
// Does       a call that uses only some results of a function calls a variant without the others, so that
//            `predict` does not compute the losses that its encoder also returns; parameters that a
//            function ignores go; functions that no entry reaches go.
// Preserves  entries and their signatures, run-time errors: a function that may fail is called for that alone.
// Leaves     every remaining function reachable; function numbers change.
//
// A memo function keeps all results: variants would each remember, and compute, for themselves. It keeps all parameters, too.
//
// In a recursion a variant is closed: it has every result that its own recursive calls use, and calls
// nothing but itself. Otherwise the outermost call of a tree would run other code than the inner ones, and
// its blocks would not join theirs in a batch.
#include <stdio.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/dce.h"
#include "compiler/passes/failure.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// A function asked for in more ways than this is not cut any further.
#define MOST_VARIANTS 6

struct variant {
  uint32_t of;    // the function
  bool **wanted;  // [place in the recursion][result] which ones it and the others keep
  struct ir_function *made;
  struct variant *next;  // of the same function
};

// A component of the call graph.
struct recursion {
  uint32_t n;
  uint32_t *members;  // functions
};

struct demand {
  struct ir_module *module;
  struct arena *scratch;
  const struct components *calls;
  struct recursion *recursions;  // [component]
  uint32_t *place;               // [function] among the members of its recursion
  uint32_t n_functions;          // before variants were added
  bool **fails;                  // [function] which of its instructions may (failure_find)
  struct variant **variants;     // [function]
  struct variant **pending;
  uint32_t n_pending, capacity;
};

static bool all_set(const bool *set, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    if (!set[i])
      return false;
  return true;
}

// Adds to what is wanted of the recursion of `f` what its calls there use. true: it grew.
static bool close_over_calls(struct demand *d, uint32_t f, bool **wanted) {
  struct ir_function *function = d->module->functions[f];
  const unsigned char *live = live_values(d->scratch, function, d->fails[f], wanted[d->place[f]], NULL);
  bool grew = false;
  for_each_instr (function, bb, instr) {
    if (instr->op != IR_CALL || !call_is_recursive(d->calls, f, instr->symbol))
      continue;
    bool *callee = wanted[d->place[instr->symbol]];
    for (uint32_t i = 0; i < instr->n_results; i++) {
      if (live[instr->results[i]->id] && !callee[i])
        callee[i] = grew = true;
    }
  }
  return grew;
}

// The results that a variant of `f` needs when `asked` are used, and the other functions of its recursion
// with it.
static bool **close_demand(struct demand *d, uint32_t f, const bool *asked) {
  const struct recursion *recursion = &d->recursions[d->calls->of[f]];
  bool **wanted = arena_new_array(d->scratch, bool *, recursion->n);
  for (uint32_t k = 0; k < recursion->n; k++)
    wanted[k] = arena_new_array(d->scratch, bool, d->module->functions[recursion->members[k]]->n_results);
  memcpy(wanted[d->place[f]], asked, d->module->functions[f]->n_results * sizeof *asked);
  if (!d->calls->cyclic[d->calls->of[f]])
    return wanted;
  for (bool grew = true; grew;) {
    grew = false;
    for (uint32_t k = 0; k < recursion->n; k++)
      grew = close_over_calls(d, recursion->members[k], wanted) || grew;
  }
  return wanted;
}

static void find_recursions(struct demand *d) {
  uint32_t n = d->module->n_functions;
  uint32_t *order = components_order(d->scratch, d->calls, n);
  d->recursions = arena_new_array(d->scratch, struct recursion, d->calls->n);
  d->place = arena_new_array(d->scratch, uint32_t, n);
  for (uint32_t i = 0; i < n; i++) {
    struct recursion *recursion = &d->recursions[d->calls->of[order[i]]];
    if (recursion->n == 0)
      recursion->members = order + i;
    d->place[order[i]] = recursion->n++;
  }
}

static const char *variant_name(struct demand *d, const struct ir_function *function, const bool *results) {
  if (all_set(results, function->n_results))
    return function->name;
  char *name = arena_alloc(d->scratch,
                           strlen(function->name) + sizeof ".only" + 11 * (size_t)function->n_results);
  char *end = name + sprintf(name, "%s.only", function->name);
  for (uint32_t i = 0; i < function->n_results; i++)
    if (results[i])
      end += sprintf(end, "_%u", i);
  return name;
}

static void keep_results(struct ir_function *function, const bool *keep) {
  uint32_t kept = 0;
  for_each_instr (function, bb, instr) {
    if (instr->op != IR_RETURN)
      continue;
    uint32_t n = 0;
    for (uint32_t i = 0; i < instr->n_operands; i++)
      if (keep[i])
        instr->operands[n++] = instr->operands[i];
    instr->n_operands = n;
  }
  for (uint32_t i = 0; i < function->n_results; i++)
    if (keep[i])
      function->results[kept++] = function->results[i];
  function->n_results = kept;
}

// Always a copy: other variants are still to be made from the original. The draws of a variant are those of
// the function: a draw's key has the instance's number as well.
static struct ir_function *make_variant(struct demand *d, struct ir_function *function, const bool *results) {
  struct ir_function *made = ir_add_function(d->module, variant_name(d, function, results));
  struct ir_value **args = arena_new_array(d->scratch, struct ir_value *, function->n_params);
  for (uint32_t i = 0; i < function->n_params; i++)
    args[i] = ir_add_function_param(d->module, made, function->params[i]->type);
  clone_body(d->module, d->scratch, function, made, args, false);
  made->n_results = function->n_results;
  made->results = arena_new_array(d->module->arena, const struct ir_type *, function->n_results);
  if (made->n_results)
    memcpy(made->results, function->results, function->n_results * sizeof *made->results);
  made->fails = function->fails;
  made->memo = function->memo;
  keep_results(made, results);
  dce_function(d->scratch, d->module, made);
  return made;
}

static void push_pending(struct demand *d, struct variant *variant) {
  if (d->n_pending == d->capacity) {
    uint32_t grown = d->capacity ? 2 * d->capacity : 16;
    d->pending = arena_grow_array(d->scratch, d->pending, d->n_pending, grown, sizeof *d->pending);
    d->capacity = grown;
  }
  d->pending[d->n_pending++] = variant;
}

static struct variant *find_variant(struct demand *d, uint32_t f, bool **wanted) {
  struct ir_function *function = d->module->functions[f];
  uint32_t n = 0;
  for (struct variant *v = d->variants[f]; v; v = v->next, n++)
    if (memcmp(v->wanted[d->place[f]], wanted[d->place[f]], function->n_results * sizeof **wanted) == 0)
      return v;
  if (n >= MOST_VARIANTS && !all_set(wanted[d->place[f]], function->n_results)) {
    bool *all = arena_new_array(d->scratch, bool, function->n_results);
    memset(all, true, function->n_results * sizeof *all);
    return find_variant(d, f, close_demand(d, f, all));
  }
  struct variant *variant = arena_new(d->scratch, struct variant);
  *variant = (struct variant){f, wanted, make_variant(d, function, wanted[d->place[f]]), d->variants[f]};
  d->variants[f] = variant;
  push_pending(d, variant);
  return variant;
}

// Sends a call to the variant that fits.
static void redirect_call(struct demand *d, const struct variant *caller, struct ir_instr *call,
                          const uint32_t *uses) {
  bool **wanted = caller->wanted;
  if (!call_is_recursive(d->calls, caller->of, call->symbol)) {
    bool *asked = arena_new_array(d->scratch, bool, call->n_results);
    for (uint32_t i = 0; i < call->n_results; i++)
      asked[i] = uses[call->results[i]->id] > 0 || d->module->functions[call->symbol]->memo;
    wanted = close_demand(d, call->symbol, asked);
  }
  const struct variant *variant = find_variant(d, call->symbol, wanted);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < call->n_results; i++)
    if (variant->wanted[d->place[call->symbol]][i])
      call->results[kept++] = call->results[i];
  call->n_results = kept;
  call->symbol = variant->made->id;
}

static void redirect_calls(struct demand *d, const struct variant *variant) {
  const uint32_t *uses = count_uses(d->scratch, variant->made);
  for_each_instr (variant->made, bb, instr)
    if (instr->op == IR_CALL)
      redirect_call(d, variant, instr, uses);
}

// -------------------------------------------------------------------------------------------- parameters

static void keep_params(struct ir_function *function, const bool *keep) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < function->n_params; i++)
    if (keep[i])
      function->params[kept++] = function->params[i];
  function->n_params = kept;
}

static void keep_args(struct ir_instr *call, const bool *keep) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < call->n_operands; i++)
    if (keep[i])
      call->operands[kept++] = call->operands[i];
  call->n_operands = kept;
}

// Functions whose bodies are to be looked at again, each once at a time.
struct worklist {
  uint32_t *functions, first, n, size;  // a ring
  bool *waits;
};

static void add_work(struct worklist *work, uint32_t f) {
  if (work->waits[f])
    return;
  work->waits[f] = true;
  work->functions[(work->first + work->n++) % work->size] = f;
}

static uint32_t take_work(struct worklist *work) {
  uint32_t f = work->functions[work->first];
  work->first = (work->first + 1) % work->size;
  work->n--;
  work->waits[f] = false;
  return f;
}

// Edges from functions to their callers.
static const struct graph *find_callers(struct ir_module *module, struct arena *scratch) {
  struct graph *graph = graph_new(scratch, module->n_functions);
  for (uint32_t f = 0; f < module->n_functions; f++)
    for_each_instr (module->functions[f], bb, instr)
      if (instr->op == IR_CALL)
        graph_add(scratch, graph, instr->symbol, f);
  graph_finish(scratch, graph);
  return graph;
}

// Optimistic: a parameter that is only handed on to itself in a recursion is not needed.
static bool **find_needed_params(struct ir_module *module, struct arena *scratch) {
  uint32_t n = module->n_functions;
  bool **needed = arena_new_array(scratch, bool *, n), **fails = arena_new_array(scratch, bool *, n);
  for (uint32_t f = 0; f < n; f++) {
    fails[f] = failure_find(scratch, module, module->functions[f]);
    needed[f] = arena_new_array(scratch, bool, module->functions[f]->n_params);
    // What a memo function is remembered by: other arguments are another draw, even where nothing else comes of them.
    memset(needed[f], module->functions[f]->memo, module->functions[f]->n_params * sizeof *needed[f]);
  }
  for (uint32_t e = 0; e < module->n_entries; e++) {
    uint32_t f = module->entries[e]->function;
    memset(needed[f], true, module->functions[f]->n_params * sizeof *needed[f]);
  }
  // Callees first, so that only recursions are looked at more than once.
  struct worklist work = {arena_new_array(scratch, uint32_t, n), 0, 0, n, arena_new_array(scratch, bool, n)};
  const uint32_t *order = components_order(scratch, call_components(scratch, module), n);
  const struct graph *callers = find_callers(module, scratch);
  for (uint32_t k = 0; k < n; k++)
    add_work(&work, order[k]);
  while (work.n > 0) {
    uint32_t f = take_work(&work);
    const struct ir_function *function = module->functions[f];
    const unsigned char *live = live_values(scratch, function, fails[f], NULL, needed);
    bool changed = false;
    for (uint32_t i = 0; i < function->n_params; i++)
      if (live[function->params[i]->id] && !needed[f][i])
        needed[f][i] = changed = true;
    for (uint32_t e = callers->first[f]; changed && e < callers->first[f + 1]; e++)
      add_work(&work, callers->to[e]);
  }
  return needed;
}

static void drop_params(struct ir_module *module, struct arena *scratch) {
  bool **needed = find_needed_params(module, scratch);
  for (uint32_t f = 0; f < module->n_functions; f++) {
    for_each_instr (module->functions[f], bb, instr)
      if (instr->op == IR_CALL)
        keep_args(instr, needed[instr->symbol]);
  }
  for (uint32_t f = 0; f < module->n_functions; f++) {
    // First what still names a parameter that is not needed goes.
    dce_function(scratch, module, module->functions[f]);
    keep_params(module->functions[f], needed[f]);
    ir_renumber(module->functions[f]);
  }
}

// -------------------------------------------------------------------------------------------- the module

void pass_demand(struct ir_module *module, struct arena *scratch) {
  struct demand d = {.module = module,
                     .scratch = scratch,
                     .calls = call_components(scratch, module),
                     .n_functions = module->n_functions,
                     .variants = arena_new_array(scratch, struct variant *, module->n_functions)};
  find_recursions(&d);
  failure_analyse(module, scratch);
  d.fails = arena_new_array(scratch, bool *, module->n_functions);
  for (uint32_t f = 0; f < module->n_functions; f++) {
    dce_function(scratch, module, module->functions[f]);
    d.fails[f] = failure_find(scratch, module, module->functions[f]);
  }
  for (uint32_t e = 0; e < module->n_entries; e++) {
    uint32_t f = module->entries[e]->function;
    bool *all = arena_new_array(scratch, bool, module->functions[f]->n_results);
    memset(all, true, module->functions[f]->n_results * sizeof *all);
    module->entries[e]->function = find_variant(&d, f, close_demand(&d, f, all))->made->id;
  }
  // The list grows while it is walked.
  for (uint32_t i = 0; i < d.n_pending; i++)
    redirect_calls(&d, d.pending[i]);
  rewrite_drop_functions(module, scratch);
  drop_params(module, scratch);
}

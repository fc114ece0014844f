// The tensor work of a decision is asked for before earlier decisions wait: `if value(x) > 0 { ... }` and `if value(y) > 0 {
// ... }` behind it wait once. Loops are fission.c's part, and the order within a basic block is outline.c's.
//
// Requires   verified host functions with tensor operations in them, simplified, without dead code.
// Does       moves what a decision waits for, tensor operations and what chooses their rows, up past branches between
//            which the example may wait, to a basic block behind which the decision is met anyway.
// Preserves  values, the control-flow graph, which example fails and how: what may fail moves only past what cannot, and
//            is not seen. Work is done in vain only where the example fails on the way.
#include <stdlib.h>

#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/failure.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// No further up than so many basic blocks of the decision's way, and so many on all ways: what waits there is long over.
#define MOST_BBS 32
#define MOST_BETWEEN 256

struct request {
  struct ir_module *module;
  struct arena *scratch;
  struct ir_function *function;
  const struct cfg *cfg;
  const uint32_t *after;  // postdominators
  uint32_t *at;           // [value id] position of the defining basic block
  const bool *fails;      // [value id]
  const bool *waits;      // [position] the example may wait there
  uint32_t *n_effects;    // [position] how many instructions there may fail or are seen
  // What a decision needs below a basic block; [value id] in which search it was met.
  struct {
    struct needed {
      struct ir_instr *instr;
      uint32_t number;
    } * items;
    size_t count, capacity;
  } slice;
  uint32_t *met, n_searches;
  uint32_t *seen, n_decisions;  // [position] for which decision it was last found to lie between
  uint32_t *pending;            // positions, of the walk between
  uint32_t n_failing;           // instructions of the slice that may
  const uint32_t *number;       // [value id] of its instruction in the program
};

static bool can_move(const struct ir_instr *instr) { return instr_is_pure(instr) && !ir_is_read(instr->op); }

static bool fails(const struct request *r, const struct ir_instr *instr) {
  return instr->n_results > 0 && r->fails[instr->results[0]->id];
}

// Collects what makes `value` below basic block `to`. false: something of it must stay there.
static bool collect(struct request *r, struct ir_value *value, uint32_t to) {
  struct {
    struct ir_value **items;
    size_t count, capacity;
  } pending = {0};
  for (;;) {
    if (r->met[value->id] != r->n_searches && !cfg_dominates(r->cfg, r->at[value->id], to)) {
      struct ir_instr *instr = value->def;
      if (!instr || !can_move(instr))
        return false;
      struct needed needed = {instr, r->number[value->id]};
      arena_push(r->scratch, &r->slice, needed);
      r->n_failing += fails(r, instr);
      for (uint32_t i = 0; i < instr->n_results; i++)
        r->met[instr->results[i]->id] = r->n_searches;
      for (uint32_t i = 0; i < instr->n_operands; i++)
        arena_push(r->scratch, &pending, instr->operands[i]);
    }
    if (pending.count == 0)
      return true;
    value = pending.items[--pending.count];
  }
}

static bool is_on_all_ways(const struct request *r, uint32_t from, uint32_t to) {
  for (uint32_t n = 0; from != CFG_NONE && from != to && n < MOST_BBS; n++)
    from = r->after[from];
  return from == to;
}

// The basic blocks between a candidate and the decision's, which is not among them.
struct between {
  uint32_t n_pending, n_seen;
  bool waits;
  uint32_t n_effects;  // there, and before the decision in its own
};

// false: these are too many.
static bool extend(const struct request *r, struct between *w, uint32_t from, uint32_t to) {
  const struct cfg_preds *preds = &r->cfg->preds[from];
  for (;;) {
    for (uint32_t p = 0; p < preds->n; p++) {
      uint32_t b = preds->from[p];
      if (r->seen[b] == r->n_decisions)
        continue;
      r->seen[b] = r->n_decisions;
      if (++w->n_seen > MOST_BETWEEN)
        return false;
      w->waits = w->waits || r->waits[b];
      if (b == to)
        continue;
      w->n_effects += r->n_effects[b];
      r->pending[w->n_pending++] = b;
    }
    if (w->n_pending == 0)
      return true;
    preds = &r->cfg->preds[r->pending[--w->n_pending]];
  }
}

static int by_number(const void *a, const void *b) {
  const struct needed *x = a, *y = b;
  return (x->number > y->number) - (x->number < y->number);
}

// In the order of the program, which is that of their failures, and has operands first.
static void move_slice(struct request *r, uint32_t to) {
  struct ir_bb *bb = r->cfg->bbs[to];
  qsort(r->slice.items, r->slice.count, sizeof *r->slice.items, by_number);
  for (size_t i = 0; i < r->slice.count; i++) {
    struct ir_instr *instr = r->slice.items[i].instr;
    uint32_t from = r->at[instr->results[0]->id];
    r->n_effects[from] -= fails(r, instr);
    r->n_effects[to] += fails(r, instr);
    ir_remove(r->cfg->bbs[from], instr);
    ir_insert_before(bb, bb->last, instr);
    for (uint32_t k = 0; k < instr->n_results; k++)
      r->at[instr->results[k]->id] = to;
  }
}

static bool has_work(const struct request *r) {
  for (size_t i = 0; i < r->slice.count; i++)
    if (ir_is_tensor_op(r->slice.items[i].instr->op))
      return true;
  return false;
}

static bool search(struct request *r, const struct ir_instr *decision, uint32_t to) {
  r->n_searches++;
  r->slice.count = 0;
  r->n_failing = 0;
  return collect(r, decision->operands[0], to);
}

static void request_early(struct request *r, const struct ir_instr *decision, uint32_t b) {
  if (b == 0 || !search(r, decision, r->cfg->idom[b]) || !has_work(r))
    return;
  struct between between = {0};
  r->seen[b] = ++r->n_decisions;
  for (const struct ir_instr *instr = r->cfg->bbs[b]->first; instr != decision; instr = instr->next)
    between.n_effects += instr->n_results > 0 ? fails(r, instr) : 1;
  uint32_t best = CFG_NONE, loop = r->cfg->loop[b];
  for (uint32_t a = b, n = 0; a != 0 && n < MOST_BBS; n++) {
    uint32_t up = r->cfg->idom[a];
    between.n_effects += a != b ? r->n_effects[a] : 0;
    if (!cfg_loop_contains(r->cfg, loop, r->cfg->loop[up]))
      break;
    if (!extend(r, &between, a, up))
      break;
    a = up;
    if (r->cfg->loop[a] != loop || !is_on_all_ways(r, a, b))
      continue;
    if (!search(r, decision, a))
      break;
    // What may fail passes nothing but itself.
    if (r->n_failing > 0 && r->n_failing < between.n_effects)
      break;
    if (between.waits)
      best = a;
    between.waits = false;
  }
  if (best != CFG_NONE && search(r, decision, best))
    move_slice(r, best);
}

static void request_in_function(struct ir_module *module, struct arena *scratch,
                                struct ir_function *function) {
  rewrite_layout(scratch, function);
  const bool *may_fail = failure_find(scratch, module, function);
  const struct cfg *cfg = cfg_build(scratch, function);
  bool *waits = arena_new_array(scratch, bool, cfg->n);
  bool *value_fails = arena_new_array(scratch, bool, function->n_values);
  uint32_t *number = arena_new_array(scratch, uint32_t, function->n_values);
  uint32_t *n_effects = arena_new_array(scratch, uint32_t, cfg->n);
  uint32_t n = 0, n_waits = 0;
  for_each_instr (function, bb, instr) {
    bool wait = instr_may_wait(module, instr);
    waits[cfg->position[bb->id]] |= wait;
    n_waits += wait;
    n_effects[cfg->position[bb->id]] += may_fail[n];
    for (uint32_t i = 0; i < instr->n_results; i++) {
      value_fails[instr->results[i]->id] = may_fail[n];
      number[instr->results[i]->id] = n;
    }
    n++;
  }
  struct request r = {.module = module,
                      .scratch = scratch,
                      .function = function,
                      .cfg = cfg,
                      .at = cfg_definitions(scratch, cfg, function),
                      .fails = value_fails,
                      .waits = waits,
                      .n_effects = n_effects,
                      .number = number,
                      .seen = arena_new_array(scratch, uint32_t, cfg->n),
                      .pending = arena_new_array(scratch, uint32_t, cfg->n),
                      .met = arena_new_array(scratch, uint32_t, function->n_values)};
  r.after = n_waits > 1 ? cfg_postdominators(scratch, cfg, CFG_NONE) : NULL;
  if (!r.after)
    return;
  for (uint32_t b = 0; b < cfg->n; b++)
    for (const struct ir_instr *instr = cfg->bbs[b]->first; instr; instr = instr->next)
      if (ir_is_read(instr->op))
        request_early(&r, instr, b);
  ir_renumber(function);
}

void pass_request(struct ir_module *module, struct arena *scratch) {
  ir_analyse_decides(module, scratch);
  failure_analyse(module, scratch);
  for (uint32_t f = 0; f < module->n_functions; f++)
    if (module->functions[f]->decides)
      request_in_function(module, scratch, module->functions[f]);
}

// Loops that read a decision in each turn are split in two: the first emits the tensor work of all turns, the second
// reads. So the example waits once where it would have waited in each turn: `[argmax(f(x)) for x in xs]`,
// `if value(f(x)) > 0 { n = n + 1 }`.
//
// Requires   verified host functions with tensor operations in them, simplified, without sums to be put off (acc).
// Does       splits loops, outermost first; what is left of a loop behind the first decisions may be split again, so
//            that a second decision that hangs on the first waits once, too.
// Preserves  values; which example fails, with which error and what it has printed before.
// Leaves     modules that it changed simplified and without dead code.
//
// What belongs to the second loop: whatever depends on a decision that may wait, by its operands or because a branch
// on one leads to it. The rest is early. The first loop makes what is early, as far as the second needs it; the
// tensors among it, and what calls gave, it keeps in lists, one for each such value, which the second loop reads
// in the same order: its control flow is that of the loop as it was. Host values are made again, and so are parts and rows
// of parameters, which blocks read where they lie.
//
// Legal is this where
//   - the loop has one way back and one way out, and no decision says how often it turns;
//   - not both loops may fail, or print: if only the first may, it fails before anything happens in the second; if
//     only the second may, its order stays. Values have no identity, so that nothing else can be seen;
//   - what is kept can be an element of a list: tensors of run-time size are vectors.
// It is worth it where some decision's tensor is made in the loop and is early. What limits allow (turns, instances,
// memory) may be used up in another order: turns count in both loops.
#include "compiler/passes/fission.h"

#include "compiler/base/arena.h"
#include "compiler/passes/failure.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// Functions grow no further than by this, so that nests of loops do not double with each level.
#define MOST_GROWTH 6
#define ALWAYS_FITS 400
#define MOST_SPLITS 16  // of a function
#define MOST_LOOPS 64   // that are looked at: each costs the size of the function

// ------------------------------------------------------------------------------------------------ the loop

// The loop's basic blocks, way back and way out. false: there are several.
static bool find_shape(struct fission *f, uint32_t loop) {
  const struct cfg *cfg = f->cfg;
  f->header = cfg->loops[loop].header;
  f->latch = f->exit = CFG_NONE;
  f->bbs = arena_new_array(f->scratch, uint32_t, cfg->n);
  f->is_in = arena_new_array(f->scratch, bool, cfg->n);
  f->n_bbs = 0;
  for (uint32_t b = 0; b < cfg->n; b++) {
    f->is_in[b] = cfg_loop_contains(cfg, loop, cfg->loop[b]);
    if (f->is_in[b])
      f->bbs[f->n_bbs++] = b;
  }
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    const struct ir_instr *end = cfg->bbs[f->bbs[i]]->last;
    if (end->op == IR_RETURN)
      return false;
    for (uint32_t t = 0; t < end->n_targets; t++) {
      uint32_t to = cfg->position[end->targets[t].bb->id];
      uint32_t *only = to == f->header ? &f->latch : !f->is_in[to] ? &f->exit : NULL;
      if (only && *only != CFG_NONE)
        return false;
      if (only)
        *only = f->bbs[i];
    }
  }
  return f->latch != CFG_NONE && f->exit != CFG_NONE;
}

// ------------------------------------------------------------------------------------------- what is dependent

static bool may_wait(const struct fission *f, const struct ir_instr *instr) {
  return instr_may_wait(f->module, instr) && !map_get(&f->notes->ready, instr);
}

// Marks what an edge of `b`'s branch leads to before the ways meet again.
static bool hold(struct fission *f, uint32_t b) {
  uint32_t *pending = arena_new_array(f->scratch, uint32_t, f->n_bbs), n = 0;
  bool grew = false, *seen = arena_new_array(f->scratch, bool, f->cfg->n);
  uint32_t from = b;
  for (;;) {
    const struct ir_instr *end = f->cfg->bbs[from]->last;
    for (uint32_t t = 0; t < end->n_targets; t++) {
      uint32_t to = f->cfg->position[end->targets[t].bb->id];
      if (to == f->next[b] || to == f->header || !f->is_in[to] || seen[to])
        continue;
      seen[to] = true;
      grew = grew || !f->held[to];
      f->held[to] = true;
      pending[n++] = to;
    }
    if (n == 0)
      return grew;
    from = pending[--n];
  }
}

static bool set_dependent(struct fission *f, const struct ir_value *value) {
  bool grew = !f->values[value->id].dependent;
  f->values[value->id].dependent = true;
  return grew;
}

static bool spread_in(struct fission *f, uint32_t b) {
  const struct ir_bb *bb = f->cfg->bbs[b];
  bool grew = false;
  for (uint32_t i = 0; i < bb->n_params && f->held[b]; i++)
    grew = set_dependent(f, bb->params[i]) || grew;
  for (const struct ir_instr *instr = bb->first; instr; instr = instr->next) {
    bool dependent = f->held[b] || may_wait(f, instr);
    for (uint32_t i = 0; i < instr->n_operands; i++)
      dependent = dependent || f->values[instr->operands[i]->id].dependent;
    for (uint32_t r = 0; r < instr->n_results && dependent; r++)
      grew = set_dependent(f, instr->results[r]) || grew;
  }
  if (fission_branches_late(f, bb->last) && !f->held[b])
    grew = hold(f, b) || grew;
  return grew;
}

// Parameters that edges give what is dependent, or something else on each way from where it is decided.
static bool spread_along(struct fission *f, uint32_t b) {
  const struct ir_instr *end = f->cfg->bbs[b]->last;
  bool late = f->held[b] || fission_branches_late(f, end), grew = false;
  for (uint32_t t = 0; t < end->n_targets; t++) {
    const struct ir_target *target = &end->targets[t];
    if (!f->is_in[f->cfg->position[target->bb->id]])
      continue;
    for (uint32_t i = 0; i < target->n_args; i++) {
      struct ir_value *param = target->bb->params[i], *arg = target->args[i];
      bool differs = late && f->through[param->id] && f->through[param->id] != arg;
      if (late)
        f->through[param->id] = arg;
      if (differs || f->values[arg->id].dependent)
        grew = set_dependent(f, param) || grew;
    }
  }
  return grew;
}

// false: decisions say how often the loop turns.
static bool find_dependent(struct fission *f) {
  for (bool grew = true; grew;) {
    grew = false;
    for (uint32_t i = 0; i < f->n_bbs; i++) {
      grew = spread_in(f, f->bbs[i]) || grew;
      grew = spread_along(f, f->bbs[i]) || grew;
    }
  }
  // A branch of the turn's ends, or one whose ways meet only there.
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    uint32_t b = f->bbs[i];
    if (fission_branches_late(f, f->cfg->bbs[b]->last) && f->next[b] == CFG_NONE)
      return false;
  }
  return !f->held[f->exit] && !f->held[f->latch] && !f->held[f->header];
}

// Whether some decision would no longer wait in each turn.
static bool is_worth_it(const struct fission *f) {
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    for (const struct ir_instr *instr = f->cfg->bbs[f->bbs[i]]->first; instr; instr = instr->next) {
      if (!ir_is_read(instr->op) || !may_wait(f, instr))
        continue;
      const struct fission_value *tensor = &f->values[instr->operands[0]->id];
      if (tensor->inside && !tensor->dependent)
        return true;
    }
  }
  return false;
}

// ------------------------------------------------------------------------------------------- what goes where

// Parts of what is there, and rows of parameters: every block that uses them has them anew.
static bool is_remade(const struct ir_instr *instr) {
  if (!ir_is_tensor_op(instr->op))
    return false;
  const struct ir_op_info *op = &ir_op_infos[instr->op];
  return op->class == IR_CLASS_SOURCE || (op->class == IR_CLASS_MOVE && op->cost == 0);
}

// Whether the second loop is given what the first made.
static bool is_kept(const struct fission *f, const struct ir_value *value) {
  const struct ir_instr *def = value->def;
  if (def && !ir_is_tensor_op(def->op) && !instr_is_pure(def))
    return true;
  return value->type->kind == IR_TENSOR && !(def && (is_remade(def) || map_get(&f->notes->safe, def)));
}

bool fission_leaves_early(const struct fission *f, const struct ir_value *value) {
  if (f->values[value->id].dependent)
    return false;
  return is_kept(f, value) || value->type->kind == IR_LIST || value->type->kind == IR_DATA;
}

// Values that were found to be needed, whose own operands are still to be looked at.
struct needs {
  struct fission *f;
  struct need {
    const struct ir_value *value;
    bool late;
  } * items;
  size_t count, capacity;
};

// `kept`: the second loop is given it in any case.
static void need(struct needs *n, const struct ir_value *value, bool late, bool kept) {
  struct fission *f = n->f;
  struct fission_value *v = &f->values[value->id];
  if (!v->inside)
    return;
  if (late && !v->dependent && (kept || is_kept(f, value))) {
    if (!v->kept)
      v->kept = ++f->n_kept;
    late = false;
  }
  bool *known = late ? &v->late : &v->early;
  if (*known)
    return;
  *known = true;
  struct need item = {value, late};
  arena_push(f->scratch, n, item);
}

static uint32_t param_number(const struct ir_bb *bb, const struct ir_value *param) {
  uint32_t k = 0;
  while (bb->params[k] != param)
    k++;
  return k;
}

static void need_args(struct needs *n, const struct ir_value *param, bool late) {
  const struct cfg *cfg = n->f->cfg;
  uint32_t b = n->f->at[param->id], k = param_number(cfg->bbs[b], param);
  for (uint32_t p = 0; p < cfg->preds[b].n; p++) {
    const struct ir_instr *end = cfg->bbs[cfg->preds[b].from[p]]->last;
    for (uint32_t t = 0; t < end->n_targets; t++)
      if (end->targets[t].bb == cfg->bbs[b])
        need(n, end->targets[t].args[k], late, false);
  }
}

static void spread_needs(struct needs *n) {
  while (n->count > 0) {
    struct need item = n->items[--n->count];
    const struct ir_instr *def = item.value->def;
    if (!def)
      need_args(n, item.value, item.late);
    bool kept = def && item.late && may_wait(n->f, def) && ir_is_read(def->op);
    for (uint32_t i = 0; def && i < def->n_operands; i++)
      need(n, def->operands[i], item.late, kept);
  }
}

static void need_all(struct needs *n, uint32_t n_values, struct ir_value *const *values, bool late) {
  for (uint32_t i = 0; i < n_values; i++)
    need(n, values[i], late, false);
}

// What the loops must make whatever else they do.
static void need_in(struct needs *n, uint32_t b) {
  const struct fission *f = n->f;
  const struct ir_bb *bb = f->cfg->bbs[b];
  for (uint32_t i = 0; i < bb->n_params; i++)
    if (f->values[bb->params[i]->id].dependent)
      need(n, bb->params[i], true, false);
  for (const struct ir_instr *instr = bb->first; instr != bb->last; instr = instr->next) {
    if (instr->n_results == 0)
      need_all(n, instr->n_operands, instr->operands, true);
    else if (f->values[instr->results[0]->id].dependent)
      need_all(n, instr->n_results, instr->results, true);
    else if (!instr_is_pure(instr))  // a call may draw: it is made once, in its place
      need_all(n, instr->n_results, instr->results, false);
  }
  need_all(n, bb->last->n_operands, bb->last->operands, true);
  if (!f->held[b] && !fission_branches_late(f, bb->last))
    need_all(n, bb->last->n_operands, bb->last->operands, false);
  for (uint32_t t = 0; t < bb->last->n_targets; t++) {
    const struct ir_target *target = &bb->last->targets[t];
    if (f->is_in[f->cfg->position[target->bb->id]])
      continue;
    for (uint32_t i = 0; i < target->n_args; i++)
      need(n, target->args[i], !fission_leaves_early(f, target->args[i]), false);
  }
}

static void find_needs(struct fission *f) {
  struct needs n = {.f = f};
  for (uint32_t i = 0; i < f->n_bbs; i++)
    need_in(&n, f->bbs[i]);
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    const struct ir_bb *bb = f->cfg->bbs[f->bbs[i]];
    for (uint32_t k = 0; k < bb->n_params; k++)
      if (f->values[bb->params[k]->id].outside)
        need(&n, bb->params[k], !fission_leaves_early(f, bb->params[k]), false);
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
      for (uint32_t r = 0; r < instr->n_results; r++)
        if (f->values[instr->results[r]->id].outside)
          need(&n, instr->results[r], !fission_leaves_early(f, instr->results[r]), false);
  }
  spread_needs(&n);
  // What may fail does so in the second loop, unless the first needs what it makes.
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    for (const struct ir_instr *instr = f->cfg->bbs[f->bbs[i]]->first; instr; instr = instr->next) {
      if (instr->n_results == 0 || !f->values[instr->results[0]->id].fails)
        continue;
      bool early = false;
      for (uint32_t r = 0; r < instr->n_results; r++)
        early = early || f->values[instr->results[r]->id].early;
      if (!early)
        need_all(&n, instr->n_results, instr->results, true);
    }
    spread_needs(&n);
  }
}

// ------------------------------------------------------------------------------------------- what is legal

static bool fits_list(const struct ir_type *type) {
  return type->kind != IR_ACC && !(ir_type_is_ragged(type) && type->shape.rank != 1);
}

// Whether each loop may fail, and what is kept can be. `checks`: [position] something without results may fail there.
static bool is_legal(const struct fission *f, const bool *checks) {
  bool early_fails = false, late_fails = false;
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    const struct ir_bb *bb = f->cfg->bbs[f->bbs[i]];
    late_fails = late_fails || checks[f->bbs[i]];
    for (uint32_t k = 0; k < bb->n_params; k++)
      if (f->values[bb->params[k]->id].kept && !fits_list(bb->params[k]->type))
        return false;
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next) {
      bool early = false, fails = false;
      for (uint32_t r = 0; r < instr->n_results; r++) {
        const struct fission_value *value = &f->values[instr->results[r]->id];
        early = early || value->early;
        fails = fails || value->fails;
        if (value->kept && !fits_list(instr->results[r]->type))
          return false;
      }
      early_fails = early_fails || (fails && early);
      late_fails = late_fails || (fails && !early);
    }
  }
  return !(early_fails && late_fails);
}

// ------------------------------------------------------------------------------------------------ driver

// What is known of every value before anything is found out.
static void describe_values(struct fission *f, const bool *fails, bool *checks) {
  f->values = arena_new_array(f->scratch, struct fission_value, f->function->n_values);
  f->through = arena_new_array(f->scratch, struct ir_value *, f->function->n_values);
  f->held = arena_new_array(f->scratch, bool, f->cfg->n);
  uint32_t n = 0;
  for_each_instr (f->function, bb, instr) {
    bool may_fail = fails[n++] && !map_get(&f->notes->safe, instr);
    uint32_t b = f->cfg->position[bb->id];
    bool inside = b != CFG_NONE && f->is_in[b];
    if (instr->n_results == 0 && inside && may_fail)
      checks[b] = true;
    for (uint32_t r = 0; r < instr->n_results; r++) {
      f->values[instr->results[r]->id].inside = inside;
      f->values[instr->results[r]->id].fails = may_fail;
    }
  }
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    const struct ir_bb *bb = f->cfg->bbs[f->bbs[i]];
    for (uint32_t k = 0; k < bb->n_params; k++)
      f->values[bb->params[k]->id].inside = true;
  }
  for_each_instr (f->function, bb, instr) {
    uint32_t b = f->cfg->position[bb->id];
    if (b == CFG_NONE || f->is_in[b])
      continue;
    for (uint32_t i = 0; i < instr->n_operands; i++)
      f->values[instr->operands[i]->id].outside = true;
    for (uint32_t t = 0; t < instr->n_targets; t++)
      for (uint32_t i = 0; i < instr->targets[t].n_args; i++)
        f->values[instr->targets[t].args[i]->id].outside = true;
  }
}

static bool split_loop(struct fission *f, uint32_t loop, const bool *fails) {
  if (!find_shape(f, loop))
    return false;
  f->next = cfg_postdominators(f->scratch, f->cfg, loop);
  if (!f->next)
    return false;
  bool *checks = arena_new_array(f->scratch, bool, f->cfg->n);
  f->n_kept = 0;
  describe_values(f, fails, checks);
  if (!find_dependent(f) || !is_worth_it(f))
    return false;
  find_needs(f);
  if (!is_legal(f, checks))
    return false;
  fission_build(f);
  return true;
}

// [loop] whether the example may wait in it.
static bool *find_waiting(const struct fission *f) {
  bool *waiting = arena_new_array(f->scratch, bool, f->cfg->n_loops);
  for (uint32_t b = 0; b < f->cfg->n; b++) {
    uint32_t loop = f->cfg->loop[b];
    if (loop == CFG_NONE || waiting[loop])
      continue;
    bool waits = false;
    for (const struct ir_instr *instr = f->cfg->bbs[b]->first; instr && !waits; instr = instr->next)
      waits = may_wait(f, instr) && instr->op != IR_CALL;
    for (; waits && loop != CFG_NONE && !waiting[loop]; loop = f->cfg->loops[loop].parent)
      waiting[loop] = true;
  }
  return waiting;
}

// Whether a loop was split: the function is another one then.
static bool split_one(struct ir_module *module, struct arena *scratch, struct ir_function *function,
                      struct fission_notes *notes, uint32_t *n_loops) {
  rewrite_layout(scratch, function);
  const struct cfg *cfg = cfg_build(scratch, function);
  struct fission f = {.module = module,
                      .scratch = scratch,
                      .function = function,
                      .notes = notes,
                      .cfg = cfg,
                      .at = cfg_definitions(scratch, cfg, function)};
  const bool *waiting = find_waiting(&f), *fails = NULL;
  for (uint32_t loop = 0; loop < cfg->n_loops; loop++) {
    if (!waiting[loop] || ++*n_loops > MOST_LOOPS)
      continue;
    fails = fails ? fails : failure_find(scratch, module, function);
    if (split_loop(&f, loop, fails))
      return true;
  }
  return false;
}

static bool split_function(struct ir_module *module, struct arena *scratch, struct ir_function *function) {
  struct fission_notes notes = {0};
  uint32_t most = MOST_GROWTH * function_size(function) + ALWAYS_FITS, n = 0, n_loops = 0;
  while (n < MOST_SPLITS && function_size(function) <= most &&
         split_one(module, scratch, function, &notes, &n_loops))
    n++;
  return n > 0;
}

void pass_fission(struct ir_module *module, struct arena *scratch) {
  ir_analyse_decides(module, scratch);
  failure_analyse(module, scratch);
  bool changed = false;
  for (uint32_t f = 0; f < module->n_functions; f++)
    if (module->functions[f]->decides)
      changed = split_function(module, scratch, module->functions[f]) || changed;
  if (!changed)
    return;
  pass_simplify(module, scratch);
  pass_dce(module, scratch);
}

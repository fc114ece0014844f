// Moving tensor work.
//
// Requires   verified host functions with tensor operations in them, simplified.
// Does       moves loop-invariant tensor work before its loop, so that one instance serves all rounds; then
//            moves every tensor operation down to the only branch that uses it, so that the other branches
//            have no instance of it.
// Preserves  values, the control-flow graph.
//
// Sources stay where they are, and movement of elements leaves a loop only together with work that wants
// it: the block that uses such a value repeats the movement for nothing.
#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// --------------------------------------------------------------------------------- out of loops, upwards

struct mover {
  struct ir_module *module;
  struct ir_function *function;
  struct cfg *cfg;
  uint32_t *at;  // [value id] position of the defining basic block
};

static bool is_work(const struct ir_instr *instr) {
  enum ir_class class = ir_op_infos[instr->op].class;
  return class == IR_CLASS_ELEMENTWISE || class == IR_CLASS_PRODUCT || class == IR_CLASS_REDUCE ||
         class == IR_CLASS_ROWWISE;
}

// The only basic block outside the loop that leads to its header, or CFG_NONE.
static uint32_t preheader(const struct cfg *cfg, uint32_t loop) {
  uint32_t found = CFG_NONE, header = cfg->loops[loop].header;
  for (uint32_t p = 0; p < cfg->preds[header].n; p++) {
    uint32_t from = cfg->preds[header].from[p];
    if (cfg_loop_contains(cfg, loop, cfg->loop[from]))
      continue;
    if (found != CFG_NONE)
      return CFG_NONE;
    found = from;
  }
  return found;
}

static void move_instr(struct mover *m, struct ir_instr *instr, uint32_t from, uint32_t to,
                       struct ir_instr *before) {
  ir_remove(m->cfg->bbs[from], instr);
  ir_insert_before(m->cfg->bbs[to], before, instr);
  for (uint32_t r = 0; r < instr->n_results; r++)
    m->at[instr->results[r]->id] = to;
}

static bool is_inside(const struct mover *m, uint32_t loop, const struct ir_value *value) {
  return cfg_loop_contains(m->cfg, loop, m->cfg->loop[m->at[value->id]]);
}

// What is known of values while one loop is emptied: by the loop's number + 1, so that nothing need be cleared.
struct emptying {
  uint32_t *invariant;  // [value id] a tensor value of the loop that is the same in every round
  uint32_t *wanted;     // [value id] moved, or needed by what is
};

// What draws does so anew each round.
static void find_invariant(struct mover *m, const struct cfg_body *body, uint32_t loop, struct emptying *e) {
  for (uint32_t k = 0; k < body->n; k++) {
    for (const struct ir_instr *instr = m->cfg->bbs[body->at[k]]->first; instr; instr = instr->next) {
      if (!ir_is_tensor_op(instr->op) || ir_op_infos[instr->op].random)
        continue;
      bool same = true;
      for (uint32_t i = 0; i < instr->n_operands; i++)
        same = same &&
               (e->invariant[instr->operands[i]->id] == loop + 1 || !is_inside(m, loop, instr->operands[i]));
      if (same)
        e->invariant[instr->results[0]->id] = loop + 1;
    }
  }
}

static bool is_invariant(const struct emptying *e, const struct ir_instr *instr, uint32_t loop) {
  return instr->n_results == 1 && e->invariant[instr->results[0]->id] == loop + 1;
}

// Backwards, so that what an operation needs is known to be wanted before it is met.
static void mark_wanted(struct mover *m, const struct cfg_body *body, uint32_t loop, struct emptying *e) {
  for (uint32_t k = body->n; k-- > 0;) {
    for (const struct ir_instr *instr = m->cfg->bbs[body->at[k]]->last; instr; instr = instr->prev) {
      if (!is_invariant(e, instr, loop))
        continue;
      uint32_t id = instr->results[0]->id;
      if (is_work(instr))
        e->wanted[id] = loop + 1;
      for (uint32_t i = 0; e->wanted[id] == loop + 1 && i < instr->n_operands; i++)
        e->wanted[instr->operands[i]->id] = loop + 1;
    }
  }
}

static void empty_loop(struct mover *m, const struct cfg_body *body, uint32_t loop, struct emptying *e) {
  uint32_t to = preheader(m->cfg, loop);
  if (to == CFG_NONE)
    return;
  find_invariant(m, body, loop, e);
  mark_wanted(m, body, loop, e);
  for (uint32_t k = 0; k < body->n; k++) {
    uint32_t b = body->at[k];
    for (struct ir_instr *instr = m->cfg->bbs[b]->first, *next; instr; instr = next) {
      next = instr->next;
      if (is_invariant(e, instr, loop) && e->wanted[instr->results[0]->id] == loop + 1)
        move_instr(m, instr, b, to, m->cfg->bbs[to]->last);
    }
  }
}

static void empty_loops(struct mover *m, struct arena *scratch) {
  const struct cfg_body *bodies = cfg_bodies(scratch, m->cfg);
  struct emptying e = {arena_new_array(scratch, uint32_t, m->function->n_values),
                       arena_new_array(scratch, uint32_t, m->function->n_values)};
  // Inner loops come last in the list; what leaves them may leave the next one, too.
  for (uint32_t loop = m->cfg->n_loops; loop-- > 0;)
    empty_loop(m, &bodies[loop], loop, &e);
}

// ------------------------------------------------------------------------------ into branches, downwards

struct use {
  const struct ir_instr *user;
  uint32_t at;  // of a user without results; otherwise its result tells, for it may have moved
  struct use *next;
};

static void add_uses(struct arena *scratch, struct use **uses, uint32_t n, struct ir_value *const *values,
                     const struct ir_instr *user, uint32_t at) {
  for (uint32_t i = 0; i < n; i++) {
    struct use *use = arena_new(scratch, struct use);
    *use = (struct use){user, at, uses[values[i]->id]};
    uses[values[i]->id] = use;
  }
}

static struct use **find_uses(struct mover *m, struct arena *scratch) {
  struct use **uses = arena_new_array(scratch, struct use *, m->function->n_values);
  for (uint32_t b = 0; b < m->cfg->n; b++) {
    for (const struct ir_instr *instr = m->cfg->bbs[b]->first; instr; instr = instr->next) {
      add_uses(scratch, uses, instr->n_operands, instr->operands, instr, b);
      for (uint32_t t = 0; t < instr->n_targets; t++)
        add_uses(scratch, uses, instr->targets[t].n_args, instr->targets[t].args, instr, b);
    }
  }
  return uses;
}

// The deepest basic block that precedes all uses and is not run more often than `from`.
static uint32_t place_for(const struct mover *m, const struct use *uses, uint32_t from) {
  uint32_t to = CFG_NONE;
  for (const struct use *use = uses; use; use = use->next) {
    uint32_t at = use->user->n_results > 0 ? m->at[use->user->results[0]->id] : use->at;
    to = to == CFG_NONE ? at : cfg_common_dominator(m->cfg, to, at);
  }
  if (to == CFG_NONE)
    return from;
  // Out of the loops that it lies in without `from`, by way of their headers.
  while (to != from && !cfg_loop_contains(m->cfg, m->cfg->loop[to], m->cfg->loop[from]))
    to = m->cfg->idom[m->cfg->loops[m->cfg->loop[to]].header];
  return to;
}

static bool uses_value(const struct ir_instr *instr, const struct ir_value *value) {
  for (uint32_t i = 0; i < instr->n_operands; i++)
    if (instr->operands[i] == value)
      return true;
  return ir_is_terminator(instr->op);
}

static void sink_all(struct mover *m, struct arena *scratch) {
  struct use **uses = find_uses(m, scratch);
  for (uint32_t b = m->cfg->n; b-- > 0;) {
    for (struct ir_instr *instr = m->cfg->bbs[b]->last, *previous; instr; instr = previous) {
      previous = instr->prev;
      if (!ir_is_tensor_op(instr->op) || instr->n_results != 1)
        continue;
      uint32_t to = place_for(m, uses[instr->results[0]->id], b);
      if (to == b)
        continue;
      struct ir_instr *before = m->cfg->bbs[to]->first;
      while (!uses_value(before, instr->results[0]))
        before = before->next;
      move_instr(m, instr, b, to, before);
    }
  }
}

static void move_in_function(struct ir_module *module, struct arena *scratch, struct ir_function *function) {
  rewrite_layout(scratch, function);
  struct mover m = {module, function, cfg_build(scratch, function), NULL};
  m.at = cfg_definitions(scratch, m.cfg, function);
  empty_loops(&m, scratch);
  sink_all(&m, scratch);
  ir_renumber(function);
}

void pass_motion(struct ir_module *module, struct arena *scratch) {
  for (uint32_t f = 0; f < module->n_functions; f++)
    move_in_function(module, scratch, module->functions[f]);
}

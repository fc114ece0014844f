// Dead code.
//
// Requires   verified host functions and blocks.
// Does       removes instructions whose results reach no terminator's decision and no returned value,
//            basic-block parameters that only such instructions use, and the arguments of their edges; the
//            same in blocks.
// Preserves  signatures and results of every function and block, the control-flow graph.
//
// Marking starts from what must stay, so that values which only keep each other alive around a loop go,
// too.
#include "compiler/passes/dce.h"
#include "compiler/base/arena.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

struct marker {
  bool *live;  // [value id]
  struct ir_value **pending;
  uint32_t n_pending;
  bool *const *needed_params;  // as in live_values
};

static void mark(struct marker *m, struct ir_value *value) {
  if (m->live[value->id])
    return;
  m->live[value->id] = true;
  m->pending[m->n_pending++] = value;
}

static void mark_operands(struct marker *m, const struct ir_instr *instr, const bool *wanted) {
  for (uint32_t i = 0; i < instr->n_operands; i++)
    if (!wanted || wanted[i])
      mark(m, instr->operands[i]);
}

static bool any_live(const bool *live, const struct ir_instr *instr) {
  for (uint32_t i = 0; i < instr->n_results; i++)
    if (live[instr->results[i]->id])
      return true;
  return false;
}

// Where a basic block's parameters get their values from: [value id of the parameter].
struct source {
  struct ir_value *arg;
  struct source *next;
};

static struct source **find_sources(struct arena *scratch, const struct ir_function *function) {
  struct source **sources = arena_new_array(scratch, struct source *, function->n_values);
  for (const struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (uint32_t t = 0; t < bb->last->n_targets; t++) {
      const struct ir_target *target = &bb->last->targets[t];
      for (uint32_t i = 0; i < target->n_args; i++) {
        struct source **list = &sources[target->bb->params[i]->id];
        struct source *source = arena_new(scratch, struct source);
        *source = (struct source){target->args[i], *list};
        *list = source;
      }
    }
  }
  return sources;
}

bool *live_values(struct arena *scratch, const struct ir_function *function, const bool *results,
                  bool *const *needed_params) {
  struct marker m = {arena_new_array(scratch, bool, function->n_values),
                     arena_new_array(scratch, struct ir_value *, function->n_values), 0, needed_params};
  struct source **sources = find_sources(scratch, function);
  for (const struct ir_bb *bb = function->entry; bb; bb = bb->next)
    mark_operands(&m, bb->last, bb->last->op == IR_RETURN ? results : NULL);
  while (m.n_pending > 0) {
    const struct ir_value *value = m.pending[--m.n_pending];
    if (value->def)
      mark_operands(&m, value->def,
                    value->def->op == IR_CALL && needed_params ? needed_params[value->def->symbol] : NULL);
    for (const struct source *source = sources[value->id]; source; source = source->next)
      mark(&m, source->arg);
  }
  return m.live;
}

void dce_function(struct arena *scratch, struct ir_function *function) {
  ir_renumber(function);
  const bool *live = live_values(scratch, function, NULL, NULL);
  bool *drop = arena_new_array(scratch, bool, function->n_values);
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (uint32_t i = 0; i < bb->n_params; i++)
      drop[bb->params[i]->id] = !live[bb->params[i]->id];
    for (struct ir_instr *instr = bb->first, *next; instr; instr = next) {
      next = instr->next;
      if (instr_is_removable(instr) && !any_live(live, instr))
        ir_remove(bb, instr);
    }
  }
  rewrite_drop_params(function, drop);
  ir_renumber(function);
}

void dce_block(struct arena *scratch, struct ir_block *block) {
  ir_block_renumber(block);
  bool *live = arena_new_array(scratch, bool, block->n_values);
  for (uint32_t i = 0; i < block->n_outputs; i++)
    live[block->outputs[i]->id] = true;
  for (struct ir_instr *instr = block->last, *previous; instr; instr = previous) {
    previous = instr->prev;
    if (instr_is_removable(instr) && !any_live(live, instr)) {
      ir_block_remove(block, instr);
      continue;
    }
    for (uint32_t i = 0; i < instr->n_operands; i++)
      live[instr->operands[i]->id] = true;
  }
  ir_block_renumber(block);
}

void pass_dce(struct ir_module *module, struct arena *scratch) {
  for (uint32_t f = 0; f < module->n_functions; f++)
    dce_function(scratch, module->functions[f]);
}

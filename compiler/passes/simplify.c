// Simplification of host functions.
//
// Requires   verified host functions; tensor operations may stand in them or in blocks.
// Does       folds host constants, data and lists taken apart where they were made (fold_host.c), branches,
//            tensor expressions (fold_tensor.c), makes equal pure instructions one (cse.c); merges chains
//            of basic blocks, threads jumps through empty ones, drops basic-block parameters that always
//            have one value.
// Preserves  results of every function, signatures. Forward values stay what they were, up to the sign of a
//            zero.
// Leaves     instructions without uses; `dce` removes them. Basic blocks in reverse postorder.
#include <assert.h>

#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/fold.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// Each round exposes a little more to the next; what is not found in these is not worth finding.
#define MOST_ROUNDS 12

// ------------------------------------------------------------------------------------------ instructions

static bool fold_instr(struct ir_module *module, struct ir_function *function, struct ir_bb *bb,
                       struct ir_instr *instr) {
  for (uint32_t i = 0; i < instr->n_operands; i++)
    instr->operands[i] = value_resolve(instr->operands[i]);
  struct ir_builder build = build_before(module, function, bb, instr);
  if (fold_host_results(&build, instr))
    return true;
  struct ir_value *better = ir_is_tensor_op(instr->op) ? fold_tensor(&build, instr)
                                                       : fold_host(&build, instr);
  if (!better)
    return false;
  value_replace(instr->results[0], better);
  return true;
}

static bool fold_instrs(struct ir_module *module, struct ir_function *function) {
  bool changed = false;
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (struct ir_instr *instr = bb->first, *next; instr; instr = next) {
      next = instr->next;
      if (!fold_instr(module, function, bb, instr))
        continue;
      ir_remove(bb, instr);
      changed = true;
    }
  }
  rewrite_uses(function);
  return changed;
}

// ---------------------------------------------------------------------------------------------- branches

static bool targets_equal(const struct ir_target *a, const struct ir_target *b) {
  if (a->bb != b->bb)
    return false;
  for (uint32_t i = 0; i < a->n_args; i++)
    if (a->args[i] != b->args[i])
      return false;
  return true;
}

static void become_branch(struct ir_instr *end, struct ir_target target) {
  end->op = IR_BR;
  end->n_operands = 0;
  end->n_targets = 1;
  end->targets[0] = target;
}

static bool fold_branch(struct ir_instr *end) {
  if (end->op != IR_BRIF && end->op != IR_SWITCH)
    return false;
  bool all_equal = true;
  for (uint32_t t = 1; t < end->n_targets; t++)
    all_equal = all_equal && targets_equal(&end->targets[0], &end->targets[t]);
  if (all_equal) {
    become_branch(end, end->targets[0]);
    return true;
  }
  const struct ir_instr *made = end->operands[0]->def;
  if (!made)
    return false;
  if (made->op == IR_CONST_BOOL || made->op == IR_CONST_INT) {
    uint32_t last = end->n_targets - 1;
    uint32_t taken = end->op == IR_BRIF                           ? !made->integer
                     : made->integer >= 0 && made->integer < last ? (uint32_t)made->integer
                                                                  : last;
    become_branch(end, end->targets[taken]);
    return true;
  }
  if (made->op == IR_NOT && end->op == IR_BRIF) {
    struct ir_target swap = end->targets[0];
    end->targets[0] = end->targets[1];
    end->targets[1] = swap;
    end->operands[0] = made->operands[0];
    return true;
  }
  return false;
}

// An edge to a basic block that only branches on leads to where that leads.
static bool thread_edge(struct ir_module *module, struct ir_instr *end, uint32_t t) {
  const struct ir_bb *through = end->targets[t].bb;
  const struct ir_instr *on = through->first;
  if (through->n_params > 0 || on->op != IR_BR || on->targets[0].bb == through)
    return false;
  const struct ir_target *target = &on->targets[0];
  ir_set_target(module, end, t, target->bb, target->n_args, target->args);
  return true;
}

static bool simplify_branches(struct ir_module *module, struct ir_function *function) {
  bool changed = false;
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (uint32_t t = 0; t < bb->last->n_targets; t++)
      changed = thread_edge(module, bb->last, t) || changed;
    changed = fold_branch(bb->last) || changed;
  }
  return changed;
}

// --------------------------------------------------------------------------------------------- the graph

static void absorb(struct ir_bb *bb, struct ir_bb *next) {
  for (uint32_t i = 0; i < next->n_params; i++)
    value_replace(next->params[i], bb->last->targets[0].args[i]);
  ir_remove(bb, bb->last);
  for (struct ir_instr *instr; (instr = next->first);) {
    ir_remove(next, instr);
    ir_append(bb, instr);
  }
}

// A basic block that is the only way to its successor takes it in.
static bool merge_chains(struct arena *scratch, struct ir_function *function) {
  struct cfg *cfg = cfg_build(scratch, function);
  bool changed = false;
  for (uint32_t i = 0; i < cfg->n; i++) {
    struct ir_bb *bb = cfg->bbs[i];
    // taken in already
    if (bb->first == NULL)
      continue;
    while (bb->last->op == IR_BR) {
      struct ir_bb *next = bb->last->targets[0].bb;
      uint32_t at = cfg->position[next->id];
      if (next == bb || at == 0 || cfg->preds[at].n != 1)
        break;
      absorb(bb, next);
      changed = true;
    }
  }
  if (!changed)
    return false;
  // What was taken in has neither instructions nor edges to it. Parameters keep their notes until uses are
  // rewritten.
  for (struct ir_bb **link = &function->entry; *link;) {
    if ((*link)->first == NULL)
      *link = (*link)->next;
    else
      link = &(*link)->next;
  }
  rewrite_uses(function);
  return true;
}

// --------------------------------------------------------------------------------- common subexpressions

static bool share_in(struct cse *cse, struct ir_bb *bb) {
  bool changed = false;
  for (struct ir_instr *instr = bb->first, *next; instr; instr = next) {
    next = instr->next;
    if (!instr_is_pure(instr) || instr->n_results == 0)
      continue;
    for (uint32_t i = 0; i < instr->n_operands; i++)
      instr->operands[i] = value_resolve(instr->operands[i]);
    const struct ir_instr *earlier = cse_find(cse, instr);
    if (!earlier)
      continue;
    for (uint32_t r = 0; r < instr->n_results; r++)
      value_replace(instr->results[r], earlier->results[r]);
    ir_remove(bb, instr);
    changed = true;
  }
  return changed;
}

// A basic block of the dominator tree whose subtree is being walked.
struct scope {
  uint32_t end;  // preorder number after the subtree's last
  size_t mark;   // the table before it
};

// Walks the dominator tree, so that what is found always dominates.
static bool share_subexpressions(struct arena *scratch, struct ir_function *function) {
  struct cfg *cfg = cfg_build(scratch, function);
  struct cse *cse = cse_new(scratch);
  struct ir_bb **preorder = arena_new_array(scratch, struct ir_bb *, cfg->n);
  for (uint32_t i = 0; i < cfg->n; i++)
    preorder[cfg->order[i]] = cfg->bbs[i];
  struct scope *scopes = arena_new_array(scratch, struct scope, cfg->n);
  uint32_t depth = 0;
  bool changed = false;
  for (uint32_t i = 0; i < cfg->n; i++) {
    for (; depth > 0 && scopes[depth - 1].end <= i; depth--)
      cse_return_to(cse, scopes[depth - 1].mark);
    scopes[depth++] = (struct scope){i + cfg->below[cfg->position[preorder[i]->id]], cse_mark(cse)};
    changed = share_in(cse, preorder[i]) || changed;
  }
  rewrite_uses(function);
  return changed;
}

// ------------------------------------------------------------------------------------------------ driver

static void simplify_function(struct ir_module *module, struct arena *scratch, struct ir_function *function) {
  for (int round = 0; round < MOST_ROUNDS; round++) {
    rewrite_layout(scratch, function);
    bool changed = fold_instrs(module, function);
    changed = simplify_branches(module, function) || changed;
    rewrite_layout(scratch, function);
    changed = rewrite_drop_constant_params(scratch, function) || changed;
    changed = merge_chains(scratch, function) || changed;
    changed = share_subexpressions(scratch, function) || changed;
    if (!changed)
      break;
  }
  rewrite_layout(scratch, function);
}

void pass_simplify(struct ir_module *module, struct arena *scratch) {
  for (uint32_t f = 0; f < module->n_functions; f++)
    simplify_function(module, scratch, module->functions[f]);
}

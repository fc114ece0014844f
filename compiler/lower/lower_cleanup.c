// ssa_finish: what building leaves behind is removed.
//
// Requires: every basic block of the layout is reachable and ends with a terminator; notes are NULL.
// Leaves:   no basic-block parameter that always has one value, none that nothing needs, no block that only
// one unconditional jump leads to; ids dense in layout order.
#include <assert.h>

#include "compiler/lower/lower_ssa.h"

struct incoming {
  struct ir_target **items;  // the targets of terminators that lead to this block
  size_t count, capacity;
};

static void find_incoming(struct arena *scratch, struct ir_function *function) {
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next)
    bb->note = arena_new(scratch, struct incoming);
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    assert(bb->last && ir_is_terminator(bb->last->op));
    for (uint32_t t = 0; t < bb->last->n_targets; t++) {
      struct incoming *incoming = bb->last->targets[t].bb->note;
      arena_push(scratch, incoming, &bb->last->targets[t]);
    }
  }
}

// ---- Parameters with one value ------------------------------------------------------------------------

// While these are looked for, a value's note is what it stands for.
static struct ir_value *resolve(struct ir_value *value) {
  while (value->note)
    value = value->note;
  return value;
}

// The one value that parameter k has, apart from itself; NULL when there are several.
static struct ir_value *only_value(const struct ir_bb *bb, uint32_t k) {
  const struct incoming *incoming = bb->note;
  struct ir_value *only = NULL;
  for (size_t e = 0; e < incoming->count; e++) {
    struct ir_value *value = resolve(incoming->items[e]->args[k]);
    if (value == bb->params[k] || value == only)
      continue;
    if (only)
      return NULL;
    only = value;
  }
  return only;
}

static bool forward_params(struct ir_bb *bb) {
  bool changed = false;
  for (uint32_t k = 0; k < bb->n_params; k++) {
    if (!bb->params[k]->note) {
      bb->params[k]->note = only_value(bb, k);
      changed |= bb->params[k]->note != NULL;
    }
  }
  return changed;
}

static void resolve_all(uint32_t n, struct ir_value **values) {
  for (uint32_t i = 0; i < n; i++)
    values[i] = resolve(values[i]);
}

static void resolve_uses(struct ir_function *function) {
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (struct ir_instr *instr = bb->first; instr; instr = instr->next)
      resolve_all(instr->n_operands, instr->operands);
    for (uint32_t t = 0; t < bb->last->n_targets; t++)
      resolve_all(bb->last->targets[t].n_args, bb->last->targets[t].args);
  }
}

// ---- Dropping parameters ------------------------------------------------------------------------------

typedef bool drop_rule(const struct ir_value *param);

static uint32_t compact(uint32_t n, struct ir_value **values, struct ir_value *const *params,
                        drop_rule *drop) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < n; i++)
    if (!drop(params[i]))
      values[kept++] = values[i];
  return kept;
}

static void drop_params(struct ir_function *function, drop_rule *drop) {
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    struct incoming *incoming = bb->note;
    for (size_t e = 0; e < incoming->count; e++) {
      struct ir_target *target = incoming->items[e];
      target->n_args = compact(target->n_args, target->args, bb->params, drop);
    }
  }
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < bb->n_params; k++) {
      struct ir_value *param = bb->params[k];
      if (!drop(param))
        bb->params[kept++] = param;
      param->note = NULL;
    }
    bb->n_params = kept;
  }
}

static bool stands_for_another(const struct ir_value *param) { return param->note != NULL; }

// ---- Parameters that nothing needs --------------------------------------------------------------------

// While these are looked for, the note of every basic block's parameter is one of these; other values have
// none.
struct need {
  struct ir_bb *bb;
  uint32_t k;
  bool needed;
};

struct needs {
  struct need **items;
  size_t count, capacity;
};

static void require(struct arena *scratch, struct needs *open, uint32_t n, struct ir_value *const *values) {
  for (uint32_t i = 0; i < n; i++) {
    struct need *need = values[i]->note;
    if (need && !need->needed) {
      need->needed = true;
      arena_push(scratch, open, need);
    }
  }
}

static void find_needed(struct arena *scratch, struct ir_function *function) {
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (uint32_t k = 0; k < bb->n_params; k++) {
      struct need *need = arena_new(scratch, struct need);
      *need = (struct need){bb, k, false};
      bb->params[k]->note = need;
    }
  }
  struct needs open = {0};
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next)
    for (struct ir_instr *instr = bb->first; instr; instr = instr->next)
      require(scratch, &open, instr->n_operands, instr->operands);
  while (open.count) {
    const struct need *need = open.items[--open.count];
    const struct incoming *incoming = need->bb->note;
    for (size_t e = 0; e < incoming->count; e++)
      require(scratch, &open, 1, &incoming->items[e]->args[need->k]);
  }
}

static bool is_not_needed(const struct ir_value *param) {
  const struct need *need = param->note;
  return !need->needed;
}

// ---- Blocks that follow each other --------------------------------------------------------------------

static bool can_absorb(const struct ir_bb *bb) {
  if (bb->last->op != IR_BR)
    return false;
  const struct ir_bb *next = bb->last->targets[0].bb;
  const struct incoming *incoming = next->note;
  return incoming->count == 1 && next->n_params == 0 && next != bb;
}

// `next` is emptied; unlink_empty takes it out of the layout.
static void absorb(struct ir_bb *bb) {
  struct ir_bb *next = bb->last->targets[0].bb;
  ir_remove(bb, bb->last);
  while (next->first) {
    struct ir_instr *instr = next->first;
    ir_remove(next, instr);
    ir_append(bb, instr);
  }
}

static void join_blocks(struct ir_function *function) {
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next)
    while (bb->first && can_absorb(bb))
      absorb(bb);
  struct ir_bb **link = &function->entry;
  while (*link) {
    if ((*link)->first)
      link = &(*link)->next;
    else
      *link = (*link)->next;
  }
}

void ssa_finish(struct ssa *ssa) {
  struct ir_function *function = ssa->build.function;
  find_incoming(ssa->scratch, function);
  bool changed;
  do {
    changed = false;
    for (struct ir_bb *bb = function->entry; bb; bb = bb->next)
      changed |= forward_params(bb);
  } while (changed);
  resolve_uses(function);
  drop_params(function, stands_for_another);
  find_needed(ssa->scratch, function);
  drop_params(function, is_not_needed);
  join_blocks(function);
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next)
    bb->note = NULL;
  ir_renumber(function);
}

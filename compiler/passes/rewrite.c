// Changes that passes make to the IR: replacing, moving, copying.
#include "compiler/passes/rewrite.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"

bool instr_is_pure(const struct ir_instr *instr) {
  return instr_is_removable(instr) && instr->op != IR_CALL && instr->op != IR_EMIT;
}

bool instr_is_removable(const struct ir_instr *instr) {
  return !ir_is_terminator(instr->op) && ir_op_infos[instr->op].class != IR_CLASS_SINK &&
         !ir_is_host_draw(instr->op);
}

bool instr_may_wait(const struct ir_module *module, const struct ir_instr *instr) {
  return instr->op == IR_CALL ? module->functions[instr->symbol]->decides : ir_is_read(instr->op);
}

const struct ir_instr *value_made_by(const struct ir_value *value, enum ir_op op) {
  return value->def && value->def->op == op ? value->def : NULL;
}

bool value_is_int(const struct ir_value *value, int64_t *integer) {
  const struct ir_instr *made = value_made_by(value, IR_CONST_INT);
  if (made)
    *integer = made->integer;
  return made != NULL;
}

bool value_is_next(const struct ir_value *value, const struct ir_value *counter) {
  const struct ir_instr *add = value_made_by(value, IR_IADD);
  int64_t step;
  return add && add->operands[0] == counter && value_is_int(add->operands[1], &step) && step == 1;
}

bool value_is_pushed(const struct ir_value *value, const struct ir_value *list) {
  const struct ir_instr *push = value_made_by(value, IR_LIST_PUSH);
  return push && push->operands[0] == list;
}

// ------------------------------------------------------------------------------------------- replacement

void value_replace(struct ir_value *old, struct ir_value *by) {
  assert(!old->note);
  by = value_resolve(by);
  if (by != old)
    old->note = by;
}

struct ir_value *value_resolve(struct ir_value *value) {
  while (value->note)
    value = value->note;
  return value;
}

static void resolve_all(uint32_t n, struct ir_value **values) {
  for (uint32_t i = 0; i < n; i++)
    values[i] = value_resolve(values[i]);
}

static void clear_notes(uint32_t n, struct ir_value *const *values) {
  for (uint32_t i = 0; i < n; i++)
    values[i]->note = NULL;
}

void rewrite_uses(struct ir_function *function) {
  for_each_instr (function, bb, instr) {
    resolve_all(instr->n_operands, instr->operands);
    for (uint32_t t = 0; t < instr->n_targets; t++)
      resolve_all(instr->targets[t].n_args, instr->targets[t].args);
  }
  clear_notes(function->n_params, function->params);
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    clear_notes(bb->n_params, bb->params);
    for (struct ir_instr *instr = bb->first; instr; instr = instr->next)
      clear_notes(instr->n_results, instr->results);
  }
}

void rewrite_block_uses(struct ir_block *block) {
  for (struct ir_instr *instr = block->first; instr; instr = instr->next)
    resolve_all(instr->n_operands, instr->operands);
  resolve_all(block->n_outputs, block->outputs);
  clear_notes(block->n_params, block->params);
  for (struct ir_instr *instr = block->first; instr; instr = instr->next)
    clear_notes(instr->n_results, instr->results);
}

// ----------------------------------------------------------------------------------------------- removal

void rewrite_drop_params(struct ir_function *function, const bool *drop) {
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (uint32_t t = 0; t < bb->last->n_targets; t++) {
      struct ir_target *target = &bb->last->targets[t];
      uint32_t kept = 0;
      for (uint32_t i = 0; i < target->n_args; i++)
        if (!drop[target->bb->params[i]->id])
          target->args[kept++] = target->args[i];
      target->n_args = kept;
    }
  }
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < bb->n_params; i++)
      if (!drop[bb->params[i]->id])
        bb->params[kept++] = bb->params[i];
    bb->n_params = kept;
  }
}

// The only value that a parameter ever has besides itself.
struct incoming {
  struct ir_value *only;
  bool several;
};

static void note_incoming(struct incoming *incoming, const struct ir_target *target) {
  for (uint32_t i = 0; i < target->n_args; i++) {
    struct ir_value *param = target->bb->params[i];
    struct incoming *in = &incoming[param->id];
    if (target->args[i] == param)
      continue;
    if (!in->only)
      in->only = target->args[i];
    in->several = in->several || in->only != target->args[i];
  }
}

bool rewrite_drop_constant_params(struct arena *scratch, struct ir_function *function) {
  ir_renumber(function);
  struct incoming *incoming = arena_new_array(scratch, struct incoming, function->n_values);
  bool *drop = arena_new_array(scratch, bool, function->n_values);
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next)
    for (uint32_t t = 0; t < bb->last->n_targets; t++)
      note_incoming(incoming, &bb->last->targets[t]);
  bool changed = false;
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (uint32_t i = 0; i < bb->n_params; i++) {
      struct ir_value *param = bb->params[i];
      struct ir_value *only = incoming[param->id].several ? NULL : incoming[param->id].only;
      if (!only || value_resolve(only) == param)
        continue;
      value_replace(param, only);
      drop[param->id] = changed = true;
    }
  }
  if (changed) {
    rewrite_drop_params(function, drop);
    rewrite_uses(function);
  }
  return changed;
}

void rewrite_layout(struct arena *scratch, struct ir_function *function) {
  struct cfg *cfg = cfg_build(scratch, function);
  for (uint32_t i = 0; i < cfg->n; i++)
    cfg->bbs[i]->next = i + 1 < cfg->n ? cfg->bbs[i + 1] : NULL;
  ir_renumber(function);
}

static uint32_t mark_reached(bool *reached, uint32_t *pending, uint32_t n, uint32_t f) {
  if (!reached[f])
    pending[n++] = f;
  reached[f] = true;
  return n;
}

static bool *find_reached(struct ir_module *module, struct arena *scratch) {
  bool *reached = arena_new_array(scratch, bool, module->n_functions);
  uint32_t *pending = arena_new_array(scratch, uint32_t, module->n_functions), n = 0;
  for (uint32_t e = 0; e < module->n_entries; e++)
    n = mark_reached(reached, pending, n, module->entries[e]->function);
  while (n > 0) {
    const struct ir_function *function = module->functions[pending[--n]];
    for_each_instr (function, bb, instr)
      if (instr->op == IR_CALL)
        n = mark_reached(reached, pending, n, instr->symbol);
  }
  return reached;
}

void rewrite_drop_functions(struct ir_module *module, struct arena *scratch) {
  const bool *reached = find_reached(module, scratch);
  uint32_t *renamed = arena_new_array(scratch, uint32_t, module->n_functions);
  uint32_t kept = 0;
  for (uint32_t f = 0; f < module->n_functions; f++) {
    if (!reached[f])
      continue;
    renamed[f] = kept;
    module->functions[f]->id = kept;
    module->functions[kept++] = module->functions[f];
  }
  module->n_functions = kept;
  for (uint32_t f = 0; f < kept; f++) {
    for_each_instr (module->functions[f], bb, instr)
      if (instr->op == IR_CALL)
        instr->symbol = renamed[instr->symbol];
  }
  for (uint32_t e = 0; e < module->n_entries; e++)
    module->entries[e]->function = renamed[module->entries[e]->function];
}

// ------------------------------------------------------------------------------------------------ counts

static void count(uint32_t *uses, uint32_t n, struct ir_value *const *values) {
  for (uint32_t i = 0; i < n; i++)
    uses[values[i]->id]++;
}

uint32_t *count_uses(struct arena *arena, const struct ir_function *function) {
  uint32_t *uses = arena_new_array(arena, uint32_t, function->n_values);
  for_each_instr (function, bb, instr) {
    count(uses, instr->n_operands, instr->operands);
    for (uint32_t t = 0; t < instr->n_targets; t++)
      count(uses, instr->targets[t].n_args, instr->targets[t].args);
  }
  return uses;
}

uint32_t function_size(const struct ir_function *function) {
  uint32_t size = 0;
  for_each_instr (function, bb, instr)
    size++;
  return size;
}

// ------------------------------------------------------------------------------------------------ copies

struct ir_instr *instr_clone(struct ir_module *module, const struct ir_instr *instr, uint32_t *n_values) {
  struct ir_instr *copy = ir_instr_new(module, instr->op, instr->n_operands, instr->operands, 0, NULL,
                                       instr->n_targets, n_values);
  struct ir_value **operands = copy->operands;
  struct ir_target *targets = copy->targets;
  *copy = *instr;
  copy->operands = operands;
  copy->targets = targets;
  copy->prev = copy->next = NULL;
  copy->results = arena_new_array(module->arena, struct ir_value *, instr->n_results);
  for (uint32_t i = 0; i < instr->n_results; i++) {
    copy->results[i] = arena_new(module->arena, struct ir_value);
    *copy->results[i] = (struct ir_value){(*n_values)++, instr->results[i]->type, copy, NULL};
  }
  return copy;
}

struct cloner {
  struct ir_module *module;
  struct ir_function *into;
  struct ir_value **values;  // [id in `from`]
  struct ir_bb **bbs;        // [id in `from`]
  bool fresh_sites;
};

static void clone_instr(struct cloner *c, const struct ir_instr *instr, struct ir_bb *into) {
  struct ir_instr *copy = instr_clone(c->module, instr, &c->into->n_values);
  for (uint32_t i = 0; i < instr->n_results; i++)
    c->values[instr->results[i]->id] = copy->results[i];
  if (ir_op_infos[copy->op].random && c->fresh_sites)
    copy->site = c->module->n_sites++;
  ir_append(into, copy);
}

// Operands may be defined further down in the layout, so they are mapped when every value has its copy.
static void map_operands(struct cloner *c, const struct ir_instr *instr, struct ir_instr *copy) {
  for (uint32_t i = 0; i < copy->n_operands; i++)
    copy->operands[i] = c->values[copy->operands[i]->id];
  for (uint32_t t = 0; t < instr->n_targets; t++) {
    const struct ir_target *target = &instr->targets[t];
    ir_set_target(c->module, copy, t, c->bbs[target->bb->id], target->n_args, target->args);
    for (uint32_t i = 0; i < target->n_args; i++)
      copy->targets[t].args[i] = c->values[target->args[i]->id];
  }
}

struct ir_bb *clone_body(struct ir_module *module, struct arena *scratch, struct ir_function *from,
                         struct ir_function *into, struct ir_value *const *args, bool fresh_sites) {
  ir_renumber(from);
  struct cloner c = {module, into, arena_new_array(scratch, struct ir_value *, from->n_values),
                     arena_new_array(scratch, struct ir_bb *, from->n_bbs), fresh_sites};
  for (uint32_t i = 0; i < from->n_params; i++)
    c.values[from->params[i]->id] = args[i];
  for (const struct ir_bb *bb = from->entry; bb; bb = bb->next) {
    struct ir_bb *copy = ir_add_bb(module, into);
    c.bbs[bb->id] = copy;
    for (uint32_t i = 0; i < bb->n_params; i++)
      c.values[bb->params[i]->id] = ir_add_bb_param(module, into, copy, bb->params[i]->type);
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
      clone_instr(&c, instr, copy);
  }
  for (const struct ir_bb *bb = from->entry; bb; bb = bb->next) {
    struct ir_instr *copy = c.bbs[bb->id]->first;
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next, copy = copy->next)
      map_operands(&c, instr, copy);
  }
  return c.bbs[from->entry->id];
}

// -------------------------------------------------------------------------------------- new instructions

struct ir_builder build_before(struct ir_module *module, struct ir_function *function, struct ir_bb *bb,
                               struct ir_instr *at) {
  struct ir_builder build = ir_builder_at(module, function, bb, at ? at->loc : (struct ir_loc){0});
  build.before = at;
  return build;
}

struct ir_builder build_before_in_block(struct ir_module *module, struct ir_block *block,
                                        struct ir_instr *at) {
  struct ir_builder build = ir_builder_in_block(module, block, at ? at->loc : block->loc);
  build.before = at;
  return build;
}

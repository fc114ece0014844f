// The second half of the pass `fission`: the two loops that take the place of one.
//
// Both are copies of the loop. The first leaves out what is late and goes past what a decision leads to; every basic block
// of it has the lists of what is kept as parameters. Those of the second have places in these lists instead, one for
// each basic block that keeps something: it is reached as often in both. Parameters that never change are taken away
// again.
#include "compiler/base/arena.h"
#include "compiler/passes/fission.h"
#include "compiler/passes/rewrite.h"

struct halves {
  struct fission *f;
  struct ir_bb *before, *between;               // the lists and places begin; the first loop has ended
  struct ir_bb **early, **late;                 // [position]
  struct ir_value **early_value, **late_value;  // [value id]
  uint32_t *place_of;                           // [position] of a basic block that keeps something: its place
  uint32_t n_places;
  struct ir_value **start_lists, **start_places;  // in `before`
  // [position][number] what the lists and the places are at the end of a basic block; first what they are at its
  // beginning.
  struct ir_value ***lists, ***places;
  const struct ir_type **list_types;
};

// ------------------------------------------------------------------------------------------------ the outline

static void number_places(struct halves *h) {
  const struct fission *f = h->f;
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    const struct ir_bb *bb = f->cfg->bbs[f->bbs[i]];
    bool keeps = false;
    for (uint32_t k = 0; k < bb->n_params; k++) {
      uint32_t kept = f->values[bb->params[k]->id].kept;
      keeps = keeps || kept;
      if (kept)
        h->list_types[kept - 1] = ir_type_list(f->module, bb->params[k]->type);
    }
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next) {
      for (uint32_t r = 0; r < instr->n_results; r++) {
        uint32_t kept = f->values[instr->results[r]->id].kept;
        keeps = keeps || kept;
        if (kept)
          h->list_types[kept - 1] = ir_type_list(f->module, instr->results[r]->type);
      }
    }
    h->place_of[f->bbs[i]] = keeps ? h->n_places++ : CFG_NONE;
  }
}

// Whether a parameter is one of the copy's, too.
static bool stays(const struct fission *f, const struct ir_value *param, bool late) {
  const struct fission_value *value = &f->values[param->id];
  return late ? value->late && !value->kept : value->early;
}

static struct ir_bb *copy_bb(struct halves *h, uint32_t b, bool late) {
  struct fission *f = h->f;
  const struct ir_bb *bb = f->cfg->bbs[b];
  struct ir_bb *copy = ir_add_bb(f->module, f->function);
  struct ir_value **values = late ? h->late_value : h->early_value;
  for (uint32_t i = 0; i < bb->n_params; i++)
    if (stays(f, bb->params[i], late))
      values[bb->params[i]->id] = ir_add_bb_param(f->module, f->function, copy, bb->params[i]->type);
  uint32_t n = late ? h->n_places : f->n_kept;
  struct ir_value **own = arena_new_array(f->scratch, struct ir_value *, n);
  for (uint32_t i = 0; i < n; i++)
    own[i] = ir_add_bb_param(f->module, f->function, copy,
                             late ? ir_type_simple(f->module, IR_INT) : h->list_types[i]);
  (late ? h->places : h->lists)[b] = own;
  return copy;
}

static void begin(struct halves *h) {
  struct fission *f = h->f;
  struct arena *scratch = f->scratch;
  uint32_t n = f->cfg->n, n_values = f->function->n_values;
  h->early = arena_new_array(scratch, struct ir_bb *, n);
  h->late = arena_new_array(scratch, struct ir_bb *, n);
  h->early_value = arena_new_array(scratch, struct ir_value *, n_values);
  h->late_value = arena_new_array(scratch, struct ir_value *, n_values);
  h->place_of = arena_new_array(scratch, uint32_t, n);
  h->lists = arena_new_array(scratch, struct ir_value **, n);
  h->places = arena_new_array(scratch, struct ir_value **, n);
  h->list_types = arena_new_array(scratch, const struct ir_type *, f->n_kept);
  number_places(h);
  const struct ir_bb *header = f->cfg->bbs[f->header];
  h->before = ir_add_bb(f->module, f->function);
  for (uint32_t i = 0; i < header->n_params; i++)
    ir_add_bb_param(f->module, f->function, h->before, header->params[i]->type);
  struct ir_builder build = ir_builder_at(f->module, f->function, h->before, header->first->loc);
  h->start_lists = arena_new_array(scratch, struct ir_value *, f->n_kept);
  h->start_places = arena_new_array(scratch, struct ir_value *, h->n_places);
  for (uint32_t i = 0; i < f->n_kept; i++)
    h->start_lists[i] = ir_build_value(&build, IR_LIST_NEW, 0, NULL, h->list_types[i]);
  for (uint32_t i = 0; i < h->n_places; i++)
    h->start_places[i] = ir_build_int(&build, 0);
  for (uint32_t i = 0; i < f->n_bbs; i++)
    if (!f->held[f->bbs[i]])
      h->early[f->bbs[i]] = copy_bb(h, f->bbs[i], false);
  h->between = ir_add_bb(f->module, f->function);
  for (uint32_t i = 0; i < f->n_bbs; i++)
    h->late[f->bbs[i]] = copy_bb(h, f->bbs[i], true);
}

// ------------------------------------------------------------------------------------------------ instructions

static struct ir_value *mapped(const struct halves *h, struct ir_value *value, bool late) {
  if (!fission_is_inside(h->f, value))
    return value;
  return (late ? h->late_value : h->early_value)[value->id];
}

static struct ir_instr *copy_instr(struct halves *h, const struct ir_instr *instr, struct ir_bb *into,
                                   bool late) {
  struct fission *f = h->f;
  struct ir_instr *copy = instr_clone(f->module, instr, &f->function->n_values);
  for (uint32_t i = 0; i < copy->n_operands; i++)
    copy->operands[i] = mapped(h, copy->operands[i], late);
  ir_append(into, copy);
  return copy;
}

static void keep(struct halves *h, struct ir_builder *build, uint32_t b, const struct ir_value *value) {
  uint32_t kept = h->f->values[value->id].kept;
  if (!kept)
    return;
  struct ir_value **list = &h->lists[b][kept - 1];
  *list = ir_build_value(build, IR_LIST_PUSH, 2, (struct ir_value *[]){*list, h->early_value[value->id]},
                         (*list)->type);
}

static void take(struct halves *h, struct ir_builder *build, uint32_t b, const struct ir_value *value) {
  struct fission *f = h->f;
  uint32_t kept = f->values[value->id].kept;
  if (!kept)
    return;
  struct ir_value *list = h->lists[f->exit][kept - 1];
  struct ir_instr *get = ir_build_list_get(build, list, h->places[b][h->place_of[b]]);
  map_put(f->scratch, &f->notes->safe, get, get);
  h->late_value[value->id] = get->results[0];
}

static void fill_early(struct halves *h, uint32_t b) {
  struct fission *f = h->f;
  const struct ir_bb *bb = f->cfg->bbs[b];
  struct ir_builder build = ir_builder_at(f->module, f->function, h->early[b], bb->first->loc);
  for (uint32_t i = 0; i < bb->n_params; i++)
    keep(h, &build, b, bb->params[i]);
  for (const struct ir_instr *instr = bb->first; instr != bb->last; instr = instr->next) {
    bool early = false;
    for (uint32_t r = 0; r < instr->n_results; r++)
      early = early || f->values[instr->results[r]->id].early;
    if (!early)
      continue;
    struct ir_instr *copy = copy_instr(h, instr, h->early[b], false);
    if (map_get(&f->notes->ready, instr))
      map_put(f->scratch, &f->notes->ready, copy, copy);
    if (map_get(&f->notes->safe, instr))
      map_put(f->scratch, &f->notes->safe, copy, copy);
    build.loc = instr->loc;
    for (uint32_t r = 0; r < instr->n_results; r++) {
      h->early_value[instr->results[r]->id] = copy->results[r];
      keep(h, &build, b, instr->results[r]);
    }
  }
}

static void fill_late(struct halves *h, uint32_t b) {
  struct fission *f = h->f;
  const struct ir_bb *bb = f->cfg->bbs[b];
  struct ir_builder build = ir_builder_at(f->module, f->function, h->late[b], bb->first->loc);
  for (uint32_t i = 0; i < bb->n_params; i++)
    take(h, &build, b, bb->params[i]);
  for (const struct ir_instr *instr = bb->first; instr != bb->last; instr = instr->next) {
    build.loc = instr->loc;
    bool late = instr->n_results == 0;
    for (uint32_t r = 0; r < instr->n_results; r++) {
      const struct fission_value *value = &f->values[instr->results[r]->id];
      late = late || (value->late && !value->kept);
      take(h, &build, b, instr->results[r]);
    }
    if (!late)
      continue;
    bool ready = map_get(&f->notes->ready, instr) ||
                 (ir_is_read(instr->op) && f->values[instr->operands[0]->id].kept);
    struct ir_instr *copy = copy_instr(h, instr, h->late[b], true);
    if (ready)
      map_put(f->scratch, &f->notes->ready, copy, copy);
    if (map_get(&f->notes->safe, instr))
      map_put(f->scratch, &f->notes->safe, copy, copy);
    for (uint32_t r = 0; r < instr->n_results; r++)
      if (!f->values[instr->results[r]->id].kept)
        h->late_value[instr->results[r]->id] = copy->results[r];
  }
  if (h->place_of[b] == CFG_NONE)
    return;
  struct ir_value **place = &h->places[b][h->place_of[b]];
  *place = ir_build_host2(&build, IR_IADD, *place, ir_build_int(&build, 1));
}

// ------------------------------------------------------------------------------------------------ edges

static struct ir_instr *add_end(struct halves *h, struct ir_bb *bb, const struct ir_instr *like,
                                enum ir_op op, uint32_t n_operands, struct ir_value *const *operands,
                                uint32_t n_targets) {
  struct fission *f = h->f;
  struct ir_instr *end = ir_instr_new(f->module, op, n_operands, operands, 0, NULL, n_targets,
                                      &f->function->n_values);
  end->loc = like->loc;
  ir_append(bb, end);
  return end;
}

// Those arguments of an edge that the copy takes, and its own behind them. `args` NULL: those that basic block `to`
// has when it is reached past what is held.
static void set_edge(struct halves *h, struct ir_instr *end, uint32_t t, uint32_t to,
                     struct ir_value *const *args, bool outer, bool late, struct ir_value *const *own) {
  struct fission *f = h->f;
  const struct ir_bb *bb = f->cfg->bbs[to];
  uint32_t n_own = late ? h->n_places : f->n_kept, n = 0;
  struct ir_value **all = arena_new_array(f->scratch, struct ir_value *, (size_t)bb->n_params + n_own);
  for (uint32_t i = 0; i < bb->n_params; i++) {
    if (!stays(f, bb->params[i], late))
      continue;
    struct ir_value *arg = args ? args[i] : f->through[bb->params[i]->id];
    all[n++] = outer ? arg : mapped(h, arg, late);
  }
  for (uint32_t i = 0; i < n_own; i++)
    all[n++] = own[i];
  ir_set_target(f->module, end, t, (late ? h->late : h->early)[to], n, all);
}

static void end_early(struct halves *h, uint32_t b) {
  struct fission *f = h->f;
  const struct ir_instr *old = f->cfg->bbs[b]->last;
  if (fission_branches_late(f, old)) {
    struct ir_instr *end = add_end(h, h->early[b], old, IR_BR, 0, NULL, 1);
    set_edge(h, end, 0, fission_landing(f, f->next[b]), NULL, false, false, h->lists[b]);
    return;
  }
  struct ir_value *condition = old->n_operands ? mapped(h, old->operands[0], false) : NULL;
  struct ir_instr *end = add_end(h, h->early[b], old, old->op, old->n_operands, &condition, old->n_targets);
  for (uint32_t t = 0; t < old->n_targets; t++) {
    uint32_t to = f->cfg->position[old->targets[t].bb->id];
    if (!f->is_in[to]) {
      ir_set_target(f->module, end, t, h->between, 0, NULL);
      continue;
    }
    uint32_t landing = fission_landing(f, to);
    set_edge(h, end, t, landing, landing == to ? old->targets[t].args : NULL, false, false, h->lists[b]);
  }
}

static struct ir_value *leaving(const struct halves *h, struct ir_value *value) {
  return mapped(h, value, !fission_leaves_early(h->f, value));
}

static void end_late(struct halves *h, uint32_t b) {
  struct fission *f = h->f;
  const struct ir_instr *old = f->cfg->bbs[b]->last;
  struct ir_value *condition = old->n_operands ? mapped(h, old->operands[0], true) : NULL;
  struct ir_instr *end = add_end(h, h->late[b], old, old->op, old->n_operands, &condition, old->n_targets);
  for (uint32_t t = 0; t < old->n_targets; t++) {
    const struct ir_target *target = &old->targets[t];
    uint32_t to = f->cfg->position[target->bb->id];
    if (f->is_in[to]) {
      set_edge(h, end, t, to, target->args, false, true, h->places[b]);
      continue;
    }
    struct ir_value **args = arena_new_array(f->scratch, struct ir_value *, target->n_args);
    for (uint32_t i = 0; i < target->n_args; i++)
      args[i] = leaving(h, target->args[i]);
    ir_set_target(f->module, end, t, target->bb, target->n_args, args);
  }
}

// ------------------------------------------------------------------------------------------------ the two loops

static void replace_outside(struct halves *h, struct ir_value *value) {
  if (h->f->values[value->id].outside)
    value_replace(value, leaving(h, value));
}

void fission_build(struct fission *f) {
  struct halves h = {.f = f};
  struct ir_bb *header = f->cfg->bbs[f->header];
  begin(&h);
  for (uint32_t i = 0; i < f->n_bbs; i++)
    if (!f->held[f->bbs[i]])
      fill_early(&h, f->bbs[i]);
  for (uint32_t i = 0; i < f->n_bbs; i++)
    fill_late(&h, f->bbs[i]);
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    if (!f->held[f->bbs[i]])
      end_early(&h, f->bbs[i]);
    end_late(&h, f->bbs[i]);
  }
  struct ir_instr *end = add_end(&h, h.before, header->last, IR_BR, 0, NULL, 1);
  set_edge(&h, end, 0, f->header, h.before->params, true, false, h.start_lists);
  end = add_end(&h, h.between, header->last, IR_BR, 0, NULL, 1);
  set_edge(&h, end, 0, f->header, h.before->params, true, true, h.start_places);
  for (uint32_t p = 0; p < f->cfg->preds[f->header].n; p++) {
    uint32_t from = f->cfg->preds[f->header].from[p];
    struct ir_instr *before = f->cfg->bbs[from]->last;
    for (uint32_t t = 0; !f->is_in[from] && t < before->n_targets; t++)
      if (before->targets[t].bb == header)
        before->targets[t].bb = h.before;
  }
  for (uint32_t i = 0; i < f->n_bbs; i++) {
    const struct ir_bb *bb = f->cfg->bbs[f->bbs[i]];
    for (uint32_t k = 0; k < bb->n_params; k++)
      replace_outside(&h, bb->params[k]);
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
      for (uint32_t r = 0; r < instr->n_results; r++)
        replace_outside(&h, instr->results[r]);
  }
  rewrite_layout(f->scratch, f->function);
  rewrite_uses(f->function);
  // What a decision leads to would seem to change the others.
  while (rewrite_drop_constant_params(f->scratch, f->function)) {
  }
}

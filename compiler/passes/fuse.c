// Loops that follow each other and take the same number of turns become one.
//
// Requires   verified host functions, simplified, sums made IR_ACC.
// Does       learns how long the lists are that loops fill, one element a turn, and fuses
//                for x in xs { ys = push(ys, f(x)) }
//                for y in ys { zs = push(zs, g(y)) }
//            into one loop that computes f and g of an element together: one block of tensor work where there were two,
//            and one instance. What is between two loops goes before or behind them. Operations on batches, one loop each,
//            and comprehensions one after the other become one like this.
// Preserves  values, and which error an example ends with. So
//            - both loops count from 0 by one to the same number, and end by that alone;
//            - the second reads of the first only the element that the turn at hand has just made;
//            - at most one of them can fail or print, at most one draws random numbers, and what lies between does neither, but
//              that a check may go behind a second loop that cannot fail;
//            - neither waits for a decision (each turn would wait for itself), calls a function (which might), or carries
//              a tensor from turn to turn: a recurrence stays apart from what needs none.
#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/failure.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// More instructions between two loops are not moved: those that go behind the second lie between it and the third.
#define MOST_BETWEEN 100

// A loop of the form above; `head` is NULL for every other.
struct counted {
  struct ir_bb *head, *before, *body, *latch, *exit;
  struct ir_value *i, *n;
  uint32_t place;  // of i among the head's parameters
  bool plain;      // it may be fused
  bool fails, draws;
};

// The parameters of a fused loop's head, and what its two edges give them.
struct carried {
  struct ir_value **items;
  size_t count, capacity;
};

struct fuser {
  struct ir_module *module;
  struct ir_function *function;
  struct arena *scratch;
  struct cfg *cfg;
  struct counted *loops;  // [loop of cfg]
  uint32_t *at;           // [value id] position of the defining basic block
  uint32_t *into;         // [loop of cfg] the loop that it has become a part of; itself: none
  const struct ir_instr *
      *pushes;          // [value id] of a head's parameter: what adds its one element a turn; NULL: nothing
  uint32_t *filled_by;  // [value id] of it: the loop
};

// ---- Loops that count ----------------------------------------------------------------------------------

static bool is_zero(const struct ir_value *value) {
  int64_t integer;
  return value_is_int(value, &integer) && integer == 0;
}

static struct ir_value *edge_argument(const struct ir_bb *from, uint32_t k) {
  return from->last->targets[0].args[k];
}

static bool find_edges(const struct fuser *f, uint32_t l, struct counted *loop) {
  uint32_t header = f->cfg->loops[l].header;
  const struct cfg_preds *preds = &f->cfg->preds[header];
  loop->head = f->cfg->bbs[header];
  if (preds->n != 2)
    return false;
  for (uint32_t p = 0; p < 2; p++) {
    struct ir_bb *from = f->cfg->bbs[preds->from[p]];
    if (cfg_loop_contains(f->cfg, l, f->cfg->loop[preds->from[p]]))
      loop->latch = from;
    else
      loop->before = from;
  }
  return loop->latch && loop->before && loop->latch->last->op == IR_BR && loop->before->last->op == IR_BR;
}

static bool find_counter(struct counted *loop) {
  const struct ir_instr *end = loop->head->last;
  const struct ir_instr *less = end->op == IR_BRIF ? value_made_by(end->operands[0], IR_ILT) : NULL;
  if (!less || less != loop->head->first || less->next != end)
    return false;
  loop->i = less->operands[0];
  loop->n = less->operands[1];
  while (loop->place < loop->head->n_params && loop->head->params[loop->place] != loop->i)
    loop->place++;
  if (loop->place == loop->head->n_params || !is_zero(edge_argument(loop->before, loop->place)))
    return false;
  return value_is_next(edge_argument(loop->latch, loop->place), loop->i);
}

static bool is_counted(const struct fuser *f, uint32_t l, struct counted *loop) {
  *loop = (struct counted){0};
  if (!find_edges(f, l, loop) || !find_counter(loop))
    return false;
  loop->body = loop->head->last->targets[0].bb;
  loop->exit = loop->head->last->targets[1].bb;
  uint32_t body = f->cfg->position[loop->body->id], exit = f->cfg->position[loop->exit->id];
  return loop->body->n_params == 0 && f->cfg->preds[body].n == 1 && f->cfg->preds[exit].n == 1 &&
         cfg_loop_contains(f->cfg, l, f->cfg->loop[body]) &&
         !cfg_loop_contains(f->cfg, l, f->cfg->loop[exit]);
}

// Parameters that begin as an empty list and get one element each turn.
static void find_filled(struct fuser *f, uint32_t l) {
  const struct counted *loop = &f->loops[l];
  for (uint32_t k = 0; k < loop->head->n_params; k++) {
    const struct ir_value *param = loop->head->params[k];
    const struct ir_instr *first = value_made_by(edge_argument(loop->before, k), IR_LIST_NEW);
    const struct ir_value *last = edge_argument(loop->latch, k);
    if (!first || first->integer != 0 || !value_is_pushed(last, param))
      continue;
    f->pushes[param->id] = last->def;
    f->filled_by[param->id] = l;
  }
}

// Loops, from the inside out, that end by their counter alone.
static void find_loops(struct fuser *f) {
  f->loops = arena_new_array(f->scratch, struct counted, f->cfg->n_loops);
  f->into = arena_new_array(f->scratch, uint32_t, f->cfg->n_loops);
  bool *leaves = arena_new_array(f->scratch, bool, f->cfg->n_loops);
  for (uint32_t b = 0; b < f->cfg->n; b++)
    for (uint32_t l = f->cfg->loop[b]; l != CFG_NONE; l = f->cfg->loops[l].parent) {
      const struct ir_instr *end = f->cfg->bbs[b]->last;
      for (uint32_t t = 0; t < end->n_targets; t++) {
        uint32_t to = f->cfg->loop[f->cfg->position[end->targets[t].bb->id]];
        leaves[l] |= b != f->cfg->loops[l].header && !cfg_loop_contains(f->cfg, l, to);
      }
      leaves[l] |= end->n_targets == 0;
    }
  for (uint32_t l = 0; l < f->cfg->n_loops; l++) {
    f->into[l] = l;
    if (leaves[l] || !is_counted(f, l, &f->loops[l]))
      f->loops[l].head = NULL;
    else
      find_filled(f, l);
  }
}

// ---- Lengths -------------------------------------------------------------------------------------------

static bool is_not_negative(const struct ir_value *n) {
  const struct ir_instr *made = n->def;
  if (!made)
    return false;
  if (made->op == IR_BATCH_LEN)
    return is_not_negative(value_resolve(made->operands[0])) &&
           is_not_negative(value_resolve(made->operands[1]));
  return made->op == IR_LIST_LEN || made->op == IR_SIZE || (made->op == IR_CONST_INT && made->integer >= 0);
}

// The length of a list, seen from a basic block; NULL where nothing tells it.
static struct ir_value *length_of(const struct fuser *f, struct ir_value *list, uint32_t b) {
  list = value_resolve(list);
  if (list->def && list->def->op == IR_LIST_SPREAD)
    return value_resolve(list->def->operands[1]);
  if (list->def || !f->pushes[list->id])
    return NULL;
  uint32_t l = f->filled_by[list->id];
  struct ir_value *n = value_resolve(f->loops[l].n);
  return cfg_loop_contains(f->cfg, l, f->cfg->loop[b]) || !is_not_negative(n) ? NULL : n;
}

static struct ir_value *simpler(const struct fuser *f, const struct ir_instr *instr, uint32_t b) {
  switch (instr->op) {
  case IR_LIST_LEN: return length_of(f, instr->operands[0], b);
  case IR_BATCH_LEN: {
    struct ir_value *first = value_resolve(instr->operands[0]), *second = value_resolve(instr->operands[1]);
    return first == second ? first : NULL;
  }
  case IR_LIST_SPREAD: {
    struct ir_value *list = value_resolve(instr->operands[0]), *n = value_resolve(instr->operands[1]);
    const struct ir_instr *length = value_made_by(n, IR_LIST_LEN);
    bool is_its_own = length && value_resolve(length->operands[0]) == list;
    return is_its_own || length_of(f, list, b) == n ? list : NULL;
  }
  default: return NULL;
  }
}

// What is known makes no more of these instructions.
static void learn_lengths(struct fuser *f) {
  for (uint32_t b = 0; b < f->cfg->n; b++) {
    for (struct ir_instr *instr = f->cfg->bbs[b]->first, *next; instr; instr = next) {
      next = instr->next;
      struct ir_value *by = simpler(f, instr, b);
      if (!by)
        continue;
      value_replace(instr->results[0], by);
      ir_remove(f->cfg->bbs[b], instr);
    }
  }
}

// ---- What may be fused ---------------------------------------------------------------------------------

// A list is only filled: what it holds so far is not looked at.
static bool carries_nothing(const struct fuser *f, const struct counted *loop, const bool *read) {
  for (uint32_t k = 0; k < loop->head->n_params; k++) {
    const struct ir_value *param = loop->head->params[k];
    if (param->type->kind == IR_TENSOR || param->type->kind == IR_DATA)
      return false;
    if (param->type->kind == IR_LIST && (!f->pushes[param->id] || read[param->id]))
      return false;
  }
  return true;
}

static void look_at(struct counted *loop, const struct ir_instr *instr, bool fails) {
  loop->fails |= fails;
  loop->draws |= ir_op_infos[instr->op].random;
  if (instr->op == IR_CALL || instr->op == IR_EMIT || ir_is_read(instr->op))
    loop->plain = false;
}

// Marks the lists that are read inside of the loop that fills them.
static void find_reads(const struct fuser *f, const struct ir_instr *instr, uint32_t b, bool *read) {
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    const struct ir_value *list = instr->operands[i];
    if (list->type->kind != IR_LIST || list->def || !f->pushes[list->id] || instr == f->pushes[list->id])
      continue;
    if (cfg_loop_contains(f->cfg, f->filled_by[list->id], f->cfg->loop[b]))
      read[list->id] = true;
  }
}

static void classify(struct fuser *f) {
  const bool *fails = failure_find(f->scratch, f->module, f->function);
  bool *read = arena_new_array(f->scratch, bool, f->function->n_values);
  for (uint32_t l = 0; l < f->cfg->n_loops; l++)
    f->loops[l].plain = f->loops[l].head != NULL;
  uint32_t n = 0;
  for_each_instr (f->function, bb, instr) {
    uint32_t b = f->cfg->position[bb->id];
    bool may_fail = fails[n++];
    if (b == CFG_NONE)
      continue;
    find_reads(f, instr, b, read);
    for (uint32_t l = f->cfg->loop[b]; l != CFG_NONE; l = f->cfg->loops[l].parent)
      look_at(&f->loops[l], instr, may_fail);
  }
  for (uint32_t l = 0; l < f->cfg->n_loops; l++) {
    // One inside that may never end is a failure, too.
    for (uint32_t p = f->cfg->loops[l].parent; p != CFG_NONE; p = f->cfg->loops[p].parent)
      f->loops[p].fails |= !f->loops[l].head;
    f->loops[l].plain = f->loops[l].plain && carries_nothing(f, &f->loops[l], read);
  }
}

// ---- Fusing --------------------------------------------------------------------------------------------

static uint32_t root_of(const struct fuser *f, uint32_t loop) {
  while (f->into[loop] != loop)
    loop = f->into[loop];
  return loop;
}

// Whether the value is made in the fused loop.
static bool is_of(const struct fuser *f, uint32_t root, const struct ir_value *value) {
  uint32_t parent = f->cfg->loops[root].parent;
  uint32_t l = f->cfg->loop[f->at[value->id]];
  while (l != CFG_NONE && f->cfg->loops[l].parent != parent)
    l = f->cfg->loops[l].parent;
  return l != CFG_NONE && root_of(f, l) == root;
}

static bool uses_of(const struct fuser *f, uint32_t root, const struct ir_instr *instr) {
  for (uint32_t i = 0; i < instr->n_operands; i++)
    if (is_of(f, root, value_resolve(instr->operands[i])))
      return true;
  return false;
}

// The element that the fused loop has added to the list in the turn at hand, when the instruction reads that.
static const struct ir_instr *reads_turn(const struct fuser *f, uint32_t root, const struct counted *second,
                                         const struct ir_instr *instr) {
  const struct ir_value *list = instr->op == IR_LIST_GET ? value_resolve(instr->operands[0]) : NULL;
  if (!list || list->def || !f->pushes[list->id] || instr->operands[1] != second->i)
    return NULL;
  return root_of(f, f->filled_by[list->id]) == root ? f->pushes[list->id] : NULL;
}

static bool body_fits(const struct fuser *f, uint32_t root, const struct counted *second,
                      const struct cfg_body *body) {
  for (uint32_t k = 0; k < body->n; k++) {
    for (const struct ir_instr *instr = f->cfg->bbs[body->at[k]]->first; instr; instr = instr->next) {
      if (reads_turn(f, root, second, instr))
        continue;
      if (uses_of(f, root, instr))
        return false;
      for (uint32_t t = 0; t < instr->n_targets; t++)
        for (uint32_t i = 0; i < instr->targets[t].n_args; i++)
          if (is_of(f, root, value_resolve(instr->targets[t].args[i])))
            return false;
    }
  }
  return true;
}

// What lies between goes before the first loop, or behind the second when it needs the first.
static bool between_fits(const struct fuser *f, uint32_t root, uint32_t l, uint32_t *sinks) {
  const struct counted *second = &f->loops[l];
  const struct ir_bb *between = second->before;
  uint32_t n = 0;
  for (const struct ir_instr *instr = between->first; instr != between->last; instr = instr->next) {
    if (++n > MOST_BETWEEN)
      return false;
    // Of what may fail the failure comes later behind a loop that cannot fail, and that is all.
    bool sink = (ir_op_infos[instr->op].fails && !second->fails) || uses_of(f, root, instr);
    bool moves = instr_is_pure(instr) && (!ir_op_infos[instr->op].fails || !second->fails) &&
                 !ir_op_infos[instr->op].random && instr->op != IR_PRINT && !ir_is_read(instr->op);
    if (!moves)
      return false;
    for (uint32_t i = 0; i < instr->n_operands; i++)
      sink |= sinks[value_resolve(instr->operands[i])->id] == l + 1;
    for (uint32_t r = 0; r < instr->n_results; r++)
      sinks[instr->results[r]->id] = sink ? l + 1 : 0;
  }
  for (uint32_t k = 0; k < second->head->n_params; k++) {
    const struct ir_value *first = value_resolve(edge_argument(between, k));
    if (is_of(f, root, first) || sinks[first->id] == l + 1)
      return false;
  }
  return true;
}

static bool uses_sunk(const struct fuser *f, uint32_t l, const struct cfg_body *body, const uint32_t *sinks) {
  for (uint32_t k = 0; k < body->n; k++)
    for (const struct ir_instr *instr = f->cfg->bbs[body->at[k]]->first; instr; instr = instr->next) {
      for (uint32_t i = 0; i < instr->n_operands; i++)
        if (sinks[value_resolve(instr->operands[i])->id] == l + 1)
          return true;
      for (uint32_t t = 0; t < instr->n_targets; t++)
        for (uint32_t i = 0; i < instr->targets[t].n_args; i++)
          if (sinks[value_resolve(instr->targets[t].args[i])->id] == l + 1)
            return true;
    }
  return false;
}

static bool same_number(struct ir_value *a, struct ir_value *b) {
  a = value_resolve(a);
  b = value_resolve(b);
  const struct ir_instr *x = value_made_by(a, IR_SIZE), *y = value_made_by(b, IR_SIZE);
  int64_t i, j;
  return a == b || (value_is_int(a, &i) && value_is_int(b, &j) && i == j) ||
         (x && y && size_equal(x->size, y->size));
}

static void carry(struct fuser *f, struct carried *all, struct ir_value *const *more, uint32_t n,
                  uint32_t without) {
  for (uint32_t k = 0; k < n; k++)
    if (k != without)
      arena_push(f->module->arena, all, more[k]);
}

// params, first, next
static void carry_of(struct fuser *f, struct carried *all, const struct counted *loop, uint32_t without) {
  uint32_t n = loop->head->n_params;
  carry(f, &all[0], loop->head->params, n, without);
  carry(f, &all[1], loop->before->last->targets[0].args, n, without);
  carry(f, &all[2], loop->latch->last->targets[0].args, n, without);
}

static void fuse(struct fuser *f, uint32_t root, uint32_t l, const struct cfg_body *body,
                 const uint32_t *sinks, struct carried *all) {
  struct counted *first = &f->loops[root], *second = &f->loops[l];
  for (uint32_t k = 0; k < body->n; k++) {
    struct ir_bb *bb = f->cfg->bbs[body->at[k]];
    for (struct ir_instr *instr = bb->first, *next; instr; instr = next) {
      next = instr->next;
      const struct ir_instr *push = reads_turn(f, root, second, instr);
      if (!push)
        continue;
      for (uint32_t r = 0; r < instr->n_results; r++)
        value_replace(instr->results[r], push->operands[r + 1]);
      ir_remove(bb, instr);
    }
  }
  struct ir_bb *between = second->before;
  struct ir_instr *front = second->exit->first;
  for (struct ir_instr *instr = between->first, *next; instr != between->last; instr = next) {
    next = instr->next;
    // A check without a result stays behind what it is about.
    bool sink = instr->n_results == 0 || sinks[instr->results[0]->id] == l + 1;
    ir_remove(between, instr);
    ir_insert_before(sink ? second->exit : first->before, sink ? front : first->before->last, instr);
  }
  carry_of(f, all, second, second->place);
  // From the first body to the second, back, and out; what goes along these edges is set when nothing more is taken in.
  first->latch->last->targets[0] = (struct ir_target){.bb = second->body};
  second->latch->last->targets[0].bb = first->head;
  first->head->last->targets[1].bb = second->exit;
  value_replace(second->i, first->i);
  first->latch = second->latch;
  first->exit = second->exit;
  first->fails |= second->fails;
  first->draws |= second->draws;
  f->into[l] = root;
}

static void set_carried(struct counted *loop, const struct carried *all) {
  struct ir_target *in = &loop->before->last->targets[0], *back = &loop->latch->last->targets[0];
  loop->head->params = all[0].items;
  loop->head->n_params = in->n_args = back->n_args = (uint32_t)all[0].count;
  loop->head->params_room = 0;
  in->args = all[1].items;
  back->args = all[2].items;
}

static bool may_fuse(const struct fuser *f, uint32_t root, uint32_t l, const struct cfg_body *body,
                     uint32_t *sinks) {
  const struct counted *first = &f->loops[root], *second = &f->loops[l];
  if (!first->plain || !second->plain || (first->fails && second->fails) || (first->draws && second->draws) ||
      !same_number(first->n, second->n))
    return false;
  return body_fits(f, root, second, body) && between_fits(f, root, l, sinks) && !uses_sunk(f, l, body, sinks);
}

// The loop that begins where the loop at hand, with all that it has taken in, ends.
static uint32_t next_loop(const struct fuser *f, uint32_t root) {
  const struct ir_bb *exit = f->loops[root].exit;
  if (exit->last->op != IR_BR || exit->n_params > 0)
    return CFG_NONE;
  uint32_t to = f->cfg->position[exit->last->targets[0].bb->id], l = f->cfg->loop[to];
  bool is_head = l != CFG_NONE && f->cfg->loops[l].header == to && f->loops[l].head &&
                 f->loops[l].before == exit;
  return is_head ? l : CFG_NONE;
}

static void take_in(struct fuser *f, uint32_t l, const struct cfg_body *bodies, uint32_t *sinks) {
  struct carried all[3] = {{0}};
  for (uint32_t next = next_loop(f, l); next != CFG_NONE && may_fuse(f, l, next, &bodies[next], sinks);
       next = next_loop(f, l)) {
    if (all[0].count == 0)
      carry_of(f, all, &f->loops[l], UINT32_MAX);
    fuse(f, l, next, &bodies[next], sinks, all);
  }
  if (all[0].count > 0)
    set_carried(&f->loops[l], all);
}

static bool open_function(struct fuser *f, struct ir_module *module, struct arena *scratch,
                          struct ir_function *function) {
  rewrite_layout(scratch, function);
  *f = (struct fuser){module, function, scratch, .cfg = cfg_build(scratch, function)};
  if (f->cfg->n_loops < 2)
    return false;
  f->at = cfg_definitions(scratch, f->cfg, function);
  f->pushes = arena_new_array(scratch, const struct ir_instr *, function->n_values);
  f->filled_by = arena_new_array(scratch, uint32_t, function->n_values);
  find_loops(f);
  return true;
}

static void fuse_in_function(struct ir_module *module, struct arena *scratch, struct ir_function *function) {
  struct fuser f;
  if (!open_function(&f, module, scratch, function))
    return;
  learn_lengths(&f);
  rewrite_uses(function);
  open_function(&f, module, scratch, function);
  classify(&f);
  const struct cfg_body *bodies = cfg_bodies(scratch, f.cfg);
  uint32_t *sinks = arena_new_array(scratch, uint32_t, function->n_values);
  // In the order of the text, so that a loop has taken in those before it when it meets the next one.
  for (uint32_t b = 0; b < f.cfg->n; b++) {
    uint32_t l = f.cfg->loop[b];
    if (l != CFG_NONE && f.cfg->loops[l].header == b && f.loops[l].head && f.into[l] == l)
      take_in(&f, l, bodies, sinks);
  }
  rewrite_uses(function);
  rewrite_layout(scratch, function);
}

void pass_fuse(struct ir_module *module, struct arena *scratch) {
  failure_analyse(module, scratch);
  for (uint32_t f = 0; f < module->n_functions; f++)
    fuse_in_function(module, scratch, module->functions[f]);
}

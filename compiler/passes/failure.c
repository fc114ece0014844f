// Proofs that an instruction cannot fail look at what loops over lists and ranges are made of: a counter that
// begins at a constant, goes up by one, and is compared with a bound before each turn. In what only the turn
// reaches it lies between 0 and the bound.
#include "compiler/passes/failure.h"

#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/rewrite.h"

// A loop's counter, by the basic-block parameter that it is.
struct counter {
  const struct ir_value *bound;  // NULL: the value is no counter
  uint32_t body;                 // position of the basic block that the loop's turn begins with
  // Of a list that begins empty beside a counter from 0 and gets one element each turn: behind the loop it has as many as
  // this says. `body` is the loop's, too.
  const struct ir_value *length;
};

struct prover {
  const struct ir_module *module;
  const struct cfg *cfg;
  struct counter *counters;  // [value id]
};

// ------------------------------------------------------------------------------------------------ counters

// Whether every edge to the basic block gives its parameter k a constant of 0 or more, or its next value.
static bool counts_up(const struct prover *p, uint32_t at, uint32_t k) {
  const struct ir_bb *bb = p->cfg->bbs[at];
  const struct cfg_preds *preds = &p->cfg->preds[at];
  for (uint32_t i = 0; i < preds->n; i++) {
    const struct ir_instr *end = p->cfg->bbs[preds->from[i]]->last;
    for (uint32_t t = 0; t < end->n_targets; t++) {
      int64_t first;
      if (end->targets[t].bb != bb || value_is_next(end->targets[t].args[k], bb->params[k]))
        continue;
      if (!value_is_int(end->targets[t].args[k], &first) || first < 0)
        return false;
    }
  }
  return true;
}

// Whether every edge to the basic block gives its parameter k an empty list where the counter is 0, and an element more
// where that is its next value.
static bool is_filled(const struct prover *p, uint32_t at, uint32_t k, uint32_t counter) {
  const struct ir_bb *bb = p->cfg->bbs[at];
  const struct cfg_preds *preds = &p->cfg->preds[at];
  for (uint32_t i = 0; i < preds->n; i++) {
    const struct ir_instr *end = p->cfg->bbs[preds->from[i]]->last;
    for (uint32_t t = 0; t < end->n_targets; t++) {
      int64_t first;
      if (end->targets[t].bb != bb)
        continue;
      const struct ir_value *list = end->targets[t].args[k], *count = end->targets[t].args[counter];
      const struct ir_instr *made = value_made_by(list, IR_LIST_NEW);
      bool begins = made && made->integer == 0 && value_is_int(count, &first) && first == 0;
      if (!begins && !(value_is_pushed(list, bb->params[k]) && value_is_next(count, bb->params[counter])))
        return false;
    }
  }
  return true;
}

// `brif (ilt counter bound) body, exit` at the end of the basic block whose parameter the counter is.
static void find_counter(struct prover *p, uint32_t at) {
  const struct ir_bb *bb = p->cfg->bbs[at];
  const struct ir_instr *less = bb->last->op == IR_BRIF ? value_made_by(bb->last->operands[0], IR_ILT) : NULL;
  if (!less || bb->last->targets[0].bb == bb->last->targets[1].bb)
    return;
  uint32_t body = p->cfg->position[bb->last->targets[0].bb->id];
  for (uint32_t k = 0; k < bb->n_params; k++)
    if (bb->params[k] == less->operands[0] && p->cfg->preds[body].n == 1 && counts_up(p, at, k))
      p->counters[bb->params[k]->id] = (struct counter){less->operands[1], body, NULL};
  for (uint32_t c = 0; c < bb->n_params; c++)
    for (uint32_t k = 0; k < bb->n_params && p->counters[bb->params[c]->id].bound; k++)
      if (bb->params[k]->type->kind == IR_LIST && is_filled(p, at, k, c))
        p->counters[bb->params[k]->id] = (struct counter){NULL, body, less->operands[1]};
}

// ---------------------------------------------------------------------------------------------- the proofs

static bool same_number(const struct ir_value *a, const struct ir_value *b) {
  const struct ir_instr *x = value_made_by(a, IR_SIZE), *y = value_made_by(b, IR_SIZE);
  int64_t i, j;
  return a == b || (x && y && size_equal(x->size, y->size)) ||
         (value_is_int(a, &i) && value_is_int(b, &j) && i <= j);
}

static const struct ir_value *bound_of(const struct prover *p, const struct ir_value *index, uint32_t at) {
  const struct counter *counter = &p->counters[index->id];
  return counter->bound && cfg_dominates(p->cfg, counter->body, at) ? counter->bound : NULL;
}

// 0 <= index < the list's length.
static bool is_subscript(const struct prover *p, const struct ir_value *list, const struct ir_value *index,
                         uint32_t at) {
  const struct ir_value *bound = bound_of(p, index, at);
  const struct ir_instr *made = value_made_by(list, IR_LIST_NEW),
                        *length = bound ? value_made_by(bound, IR_LIST_LEN) : NULL;
  const struct ir_instr *spread = value_made_by(list, IR_LIST_SPREAD);
  const struct counter *filled = &p->counters[list->id];
  // In the loop's own turns the list is not full yet.
  if (bound && filled->length && same_number(bound, filled->length) &&
      !cfg_dominates(p->cfg, filled->body, at))
    return true;
  int64_t constant;
  return (length && length->operands[0] == list) || (bound && spread && spread->operands[1] == bound) ||
         (made && value_is_int(index, &constant) && constant >= 0 && constant < made->integer);
}

static bool is_in_range(const struct prover *p, const struct ir_instr *check, uint32_t at) {
  const struct ir_value *bound = bound_of(p, check->operands[0], at);
  int64_t index, n;
  // No size is below 1.
  if (value_is_int(check->operands[0], &index) && index == 0 && value_made_by(check->operands[1], IR_SIZE))
    return true;
  return (bound && same_number(bound, check->operands[1])) ||
         (value_is_int(check->operands[0], &index) && value_is_int(check->operands[1], &n) && index >= 0 &&
          index < n);
}

static bool is_index(const struct prover *p, const struct ir_instr *convert, uint32_t at) {
  const struct ir_value *from = convert->operands[0], *bound = bound_of(p, from, at);
  const struct ir_dim *dim = p->module->dims[convert->results[0]->type->dim];
  const struct ir_instr *size = bound ? value_made_by(bound, IR_SIZE) : NULL;
  int64_t index;
  if (size && size_as_atom(size->size) == &dim->atom)
    return true;
  if (value_is_int(from, &index))
    return dim->atom.kind == SIZE_ENUM && index >= 0 && index < dim->n_members;
  return value_made_by(from, IR_INDEX_TO_INT) &&
         ir_type_equal(from->def->operands[0]->type, convert->results[0]->type);
}

static bool is_not_empty(const struct ir_value *list) {
  const struct ir_instr *made = value_made_by(list, IR_LIST_NEW);
  return value_made_by(list, IR_LIST_PUSH) || (made && made->integer > 0);
}

// Whether a list has as many elements as its tensor needs.
static bool has_length(const struct ir_value *list, const struct size *length) {
  const struct ir_instr *made = value_made_by(list, IR_LIST_NEW);
  int64_t n;
  return made && size_is_constant(length, &n) && n == made->integer;
}

static bool is_proven(const struct prover *p, const struct ir_instr *instr, uint32_t at) {
  int64_t divisor;
  switch (instr->op) {
  case IR_IDIV:
  case IR_IMOD: return value_is_int(instr->operands[1], &divisor) && divisor != 0;
  case IR_FLOAT_TO_INT: {
    const struct ir_instr *made = value_made_by(instr->operands[0], IR_CONST_FLOAT);
    return made && made->number > -9e18 && made->number < 9e18;
  }
  case IR_INT_TO_INDEX: return is_index(p, instr, at);
  case IR_CHECK_RANGE: return is_in_range(p, instr, at);
  case IR_REQUIRE: {
    const struct ir_instr *made = value_made_by(instr->operands[0], IR_CONST_BOOL);
    return made && made->integer;
  }
  case IR_LIST_GET:
  case IR_LIST_SET: return is_subscript(p, instr->operands[0], instr->operands[1], at);
  case IR_LIST_POP:
  case IR_LIST_SUM:
  case IR_LIST_MEAN:
  case IR_LIST_MAX: return is_not_empty(instr->operands[0]);
  case IR_LIST_VECTOR:
  case IR_LIST_STACK: return has_length(instr->operands[0], instr->length);
  case IR_LIST_ZIP: return instr->operands[0] == instr->operands[1];
  case IR_LIST_SPREAD: {
    const struct ir_instr *length = value_made_by(instr->operands[1], IR_LIST_LEN);
    return length && length->operands[0] == instr->operands[0];
  }
  default: return false;
  }
}

bool *failure_find(struct arena *scratch, const struct ir_module *module, struct ir_function *function) {
  const struct cfg *cfg = cfg_build(scratch, function);
  struct prover p = {module, cfg, arena_new_array(scratch, struct counter, function->n_values)};
  for (uint32_t at = 0; at < cfg->n; at++)
    find_counter(&p, at);
  bool *fails = arena_new_array(scratch, bool, function_size(function));
  uint32_t n = 0;
  for (const struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    uint32_t at = cfg->position[bb->id];
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next, n++) {
      // is never reached
      if (at == CFG_NONE)
        continue;
      fails[n] = instr->op == IR_CALL ? module->functions[instr->symbol]->fails
                                      : ir_op_infos[instr->op].fails && !is_proven(&p, instr, at);
    }
  }
  return fails;
}

// --------------------------------------------------------------------------------------------- the functions

// By itself, apart from its calls. An edge that does not go down the layout may close a loop.
static bool fails_itself(struct arena *scratch, const struct ir_module *module,
                         struct ir_function *function) {
  bool *fails = failure_find(scratch, module, function);
  uint32_t n = 0;
  for_each_instr (function, bb, instr) {
    if (fails[n++] && instr->op != IR_CALL)
      return true;
    for (uint32_t t = 0; t < instr->n_targets; t++)
      if (instr->targets[t].bb->id <= bb->id)
        return true;
  }
  return false;
}

static bool calls_failing(const struct ir_module *module, const struct ir_function *function) {
  for_each_instr (function, bb, instr)
    if (instr->op == IR_CALL && module->functions[instr->symbol]->fails)
      return true;
  return false;
}

void failure_analyse(struct ir_module *module, struct arena *scratch) {
  uint32_t n = module->n_functions;
  const struct components *calls = call_components(scratch, module);
  const uint32_t *order = components_order(scratch, calls, n);  // callees first
  for (uint32_t i = 0; i < n; i++) {
    struct ir_function *function = module->functions[order[i]];
    function->fails = calls->cyclic[calls->of[order[i]]] || calls_failing(module, function) ||
                      fails_itself(scratch, module, function);
  }
}

// Dead code.
//
// Requires   verified host functions and blocks.
// Does       removes instructions whose results reach no terminator's decision, no returned value and no
//            instruction that may fail, basic-block parameters that only such instructions use, and the
//            arguments of their edges; the same in blocks.
//            An instruction that may fail stays (failure.h), but what it makes does not: of a list that is only
//            looked at for its length the elements are not made, and a reduction that nobody uses is a check
//            that its list is not empty.
// Preserves  signatures and results of every function and block, run-time errors, the control-flow graph.
//
// Marking starts from what must stay, so that values which only keep each other alive around a loop go,
// too.
#include "compiler/passes/dce.h"
#include "compiler/base/arena.h"
#include "compiler/passes/failure.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

struct marker {
  unsigned char *live;  // [value id] enum liveness
  struct ir_value **pending;
  uint32_t n_pending;
  bool *const *needed_params;  // as in live_values
};

static void mark(struct marker *m, struct ir_value *value, enum liveness needed) {
  if (value->type->kind != IR_LIST)
    needed = LIVE;
  if (m->live[value->id] >= needed)
    return;
  m->live[value->id] = needed;
  m->pending[m->n_pending++] = value;  // at most twice
}

static void mark_operands(struct marker *m, const struct ir_instr *instr, const bool *wanted) {
  for (uint32_t i = 0; i < instr->n_operands; i++)
    if (!wanted || wanted[i])
      mark(m, instr->operands[i], LIVE);
}

// How many of the first operands are lists of which the operation needs no more than the length to know whether
// it fails and how long a list it makes.
static uint32_t lists_of_length(const struct ir_instr *instr) {
  switch (instr->op) {
  case IR_LIST_LEN:
  case IR_LIST_GET:
  case IR_LIST_SET:
  case IR_LIST_PUSH:
  case IR_LIST_POP:
  case IR_LIST_SLICE:
  case IR_LIST_REVERSE:
  case IR_LIST_SPREAD:
  case IR_LIST_SUM:
  case IR_LIST_MEAN:
  case IR_LIST_MAX:
  case IR_LIST_VECTOR:
  case IR_LIST_STACK:
  case IR_LIST_ORDER: return 1;
  case IR_LIST_CONCAT:
  case IR_LIST_ZIP: return 2;
  default: return 0;
  }
}

// The operands from which on they are elements of a list that is made.
static uint32_t first_element(const struct ir_instr *instr) {
  switch (instr->op) {
  case IR_LIST_NEW: return 0;
  case IR_LIST_PUSH: return 1;
  case IR_LIST_SET: return 2;
  default: return instr->n_operands;
  }
}

// Whether something simple can stand for a value of this type that nobody looks at. A vocab may turn out empty.
static bool has_placeholder(const struct ir_type *type) {
  return type->kind != IR_DATA && type->kind != IR_ACC && type->kind != IR_INDEX;
}

// What it takes to know the length of the list that the instruction makes, and whether it fails.
static void mark_for_length(struct marker *m, const struct ir_instr *instr) {
  uint32_t n_lists = lists_of_length(instr), elements = first_element(instr);
  for (uint32_t i = 0; i < instr->n_operands; i++)
    if (i < elements || !has_placeholder(instr->operands[i]->type))
      mark(m, instr->operands[i], i < n_lists ? LENGTH : LIVE);
}

// Whether it takes only the lengths of its operands to know the length of what it makes.
static bool keeps_lengths(enum ir_op op) {
  switch (op) {
  case IR_LIST_NEW:
  case IR_LIST_SET:
  case IR_LIST_PUSH:
  case IR_LIST_POP:
  case IR_LIST_SLICE:
  case IR_LIST_REVERSE:
  case IR_LIST_SPREAD:
  case IR_LIST_CONCAT:
  case IR_LIST_ZIP: return true;
  default: return false;
  }
}

static enum liveness needed_of(const unsigned char *live, const struct ir_instr *instr) {
  enum liveness needed = DEAD;
  for (uint32_t i = 0; i < instr->n_results; i++)
    needed = live[instr->results[i]->id] > needed ? live[instr->results[i]->id] : needed;
  return needed;
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

static const bool *wanted_args(const struct marker *m, const struct ir_instr *instr) {
  return instr->op == IR_CALL && m->needed_params ? m->needed_params[instr->symbol] : NULL;
}

static void mark_roots(struct marker *m, const struct ir_function *function, const bool *fails,
                       const bool *results) {
  uint32_t n = 0;
  for_each_instr (function, bb, instr) {
    bool may_fail = fails[n++];
    if (ir_is_terminator(instr->op))
      mark_operands(m, instr, instr->op == IR_RETURN ? results : NULL);
    else if (may_fail && instr->op == IR_CALL)
      mark_operands(m, instr, wanted_args(m, instr));
    else if (may_fail)
      mark_for_length(m, instr);
  }
}

unsigned char *live_values(struct arena *scratch, const struct ir_function *function, const bool *fails,
                           const bool *results, bool *const *needed_params) {
  struct marker m = {arena_new_array(scratch, unsigned char, function->n_values),
                     arena_new_array(scratch, struct ir_value *, 2 * (size_t)function->n_values), 0,
                     needed_params};
  struct source **sources = find_sources(scratch, function);
  mark_roots(&m, function, fails, results);
  while (m.n_pending > 0) {
    const struct ir_value *value = m.pending[--m.n_pending];
    const struct ir_instr *def = value->def;
    if (def && (def->op == IR_LIST_LEN || (m.live[value->id] == LENGTH && keeps_lengths(def->op))))
      mark_for_length(&m, def);
    else if (def)
      mark_operands(&m, def, wanted_args(&m, def));
    for (const struct source *source = sources[value->id]; source; source = source->next)
      mark(&m, source->arg, m.live[value->id]);
  }
  return m.live;
}

// ------------------------------------------------------------------------------------------------- removal

// Stands for an element that is not made. At the function's start, where one instance serves all loops.
static struct ir_value *placeholder(struct ir_module *module, struct ir_function *function,
                                    const struct ir_type *type) {
  struct ir_builder build = build_before(module, function, function->entry, function->entry->first);
  switch (type->kind) {
  case IR_TENSOR: return ir_build_constant(&build, 0, type);
  case IR_FLOAT: return ir_build_float(&build, 0);
  case IR_BOOL: return ir_build_bool(&build, false);
  case IR_LIST: return ir_build_value(&build, IR_LIST_NEW, 0, NULL, type);
  case IR_TEXT: return ir_build_text(&build, "");
  default: return ir_build_int(&build, 0);
  }
}

// Elements that are not live although their list is made.
static void leave_out_elements(struct ir_module *module, struct ir_function *function,
                               const unsigned char *live, uint32_t n_known, struct ir_instr *instr) {
  for (uint32_t i = first_element(instr); i < instr->n_operands; i++) {
    const struct ir_value *element = instr->operands[i];
    if (element->id < n_known && !live[element->id])
      instr->operands[i] = placeholder(module, function, element->type);
  }
}

// What makes a tensor of a list: without its result it only looks at the length.
static bool takes_list_as_tensor(enum ir_op op) {
  return op == IR_LIST_SUM || op == IR_LIST_MEAN || op == IR_LIST_MAX || op == IR_LIST_VECTOR ||
         op == IR_LIST_STACK;
}

static void remove_dead(struct ir_module *module, struct ir_function *function, const unsigned char *live,
                        const bool *fails) {
  uint32_t n = 0, n_known = function->n_values;
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next) {
    for (struct ir_instr *instr = bb->first, *next; instr; instr = next) {
      next = instr->next;
      bool may_fail = fails[n++];
      if (instr_is_removable(instr) && !may_fail && needed_of(live, instr) == DEAD)
        ir_remove(bb, instr);
      else if (needed_of(live, instr) == DEAD && takes_list_as_tensor(instr->op))
        instr->n_results = 0;
      else if (needed_of(live, instr) != LIVE)
        leave_out_elements(module, function, live, n_known, instr);
    }
  }
}

void dce_function(struct arena *scratch, struct ir_module *module, struct ir_function *function) {
  const bool *fails = failure_find(scratch, module, function);
  const unsigned char *live = live_values(scratch, function, fails, NULL, NULL);
  bool *drop = arena_new_array(scratch, bool, function->n_values);
  for (struct ir_bb *bb = function->entry; bb; bb = bb->next)
    for (uint32_t i = 0; i < bb->n_params; i++)
      drop[bb->params[i]->id] = !live[bb->params[i]->id];
  rewrite_drop_params(function, drop);
  remove_dead(module, function, live, fails);
  ir_renumber(function);
}

static bool any_live(const bool *live, const struct ir_instr *instr) {
  for (uint32_t i = 0; i < instr->n_results; i++)
    if (live[instr->results[i]->id])
      return true;
  return false;
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
  failure_analyse(module, scratch);
  for (uint32_t f = 0; f < module->n_functions; f++)
    dce_function(scratch, module, module->functions[f]);
}

// Checks of functions and blocks: their structure, and that every use of a value is dominated by its
// definition.
#include <string.h>

#include "compiler/ir/dominators.h"
#include "compiler/ir/ir_verifier.h"

#define NONE UINT32_MAX

// Where a value is defined. Function parameters are at bb NONE and dominate everything.
struct definition {
  const struct ir_value *value;  // NULL: no value has this number
  uint32_t bb;                   // basic block's id
  uint32_t position;             // within it; 0 for its parameters
};

struct graph {
  struct arena *arena;             // emptied when the function is done
  uint32_t n_values, n_bbs;        // lengths of the arrays
  struct definition *definitions;  // by value id
  const struct ir_bb **bbs;        // by id; NULL: no such basic block
  uint32_t n_reached;
  uint32_t *order;             // ids of reachable basic blocks in reverse postorder
  uint32_t *rank;              // by id: position in `order`, NONE when not reachable
  struct dominator_tree tree;  // by rank
};

// --------------------------------------------------------------------------------------- structure

static bool define(struct ir_verifier *v, struct graph *g, const struct ir_value *value, uint32_t bb,
                   uint32_t position) {
  if (!value)
    return ir_verify_fail(v, "a value is missing");
  if (!ir_verify_type(v, value->type, false))
    return false;
  if (value->id >= g->n_values)
    return ir_verify_fail(v, "%%%u is not below the number of values, %u", value->id, g->n_values);
  if (g->definitions[value->id].value)
    return ir_verify_fail(v, "%%%u is defined twice", value->id);
  g->definitions[value->id] = (struct definition){value, bb, position};
  return true;
}

static bool define_results(struct ir_verifier *v, struct graph *g, const struct ir_instr *instr, uint32_t bb,
                           uint32_t position) {
  for (uint32_t i = 0; i < instr->n_results; i++) {
    if (!define(v, g, instr->results[i], bb, position))
      return false;
    if (instr->results[i]->def != instr)
      return ir_verify_fail(v, "%%%u does not know its instruction", instr->results[i]->id);
  }
  return true;
}

static bool define_params(struct ir_verifier *v, struct graph *g, uint32_t n, struct ir_value *const *params,
                          uint32_t bb) {
  for (uint32_t i = 0; i < n; i++) {
    if (!define(v, g, params[i], bb, 0))
      return false;
    if (params[i]->def)
      return ir_verify_fail(v, "the parameter %%%u has an instruction", params[i]->id);
  }
  return true;
}

static bool collect_bb(struct ir_verifier *v, struct graph *g, const struct ir_bb *bb) {
  if (bb->id >= g->n_bbs)
    return ir_verify_fail(v, "^%u is not below the number of basic blocks, %u", bb->id, g->n_bbs);
  if (g->bbs[bb->id])
    return ir_verify_fail(v, "^%u is there twice", bb->id);
  g->bbs[bb->id] = bb;
  if (!define_params(v, g, bb->n_params, bb->params, bb->id))
    return false;
  if (!bb->last || !ir_is_terminator(bb->last->op))
    return ir_verify_fail(v, "^%u does not end in a terminator", bb->id);
  uint32_t position = 1;
  for (const struct ir_instr *instr = bb->first; instr; instr = instr->next) {
    v->instr = instr;
    if (ir_is_terminator(instr->op) && instr->next)
      return ir_verify_fail(v, "a terminator within ^%u", bb->id);
    if ((instr->next ? instr->next->prev : bb->last) != instr)
      return ir_verify_fail(v, "the list of ^%u's instructions is broken", bb->id);
    if (!define_results(v, g, instr, bb->id, position++))
      return false;
  }
  v->instr = NULL;
  return true;
}

// Number of targets that an operation has: a switch has one or more.
static bool target_count_fits(const struct ir_instr *instr) {
  switch (instr->op) {
  case IR_BR: return instr->n_targets == 1;
  case IR_BRIF: return instr->n_targets == 2;
  case IR_SWITCH: return instr->n_targets >= 1;
  default: return instr->n_targets == 0;
  }
}

static bool check_target(struct ir_verifier *v, const struct graph *g, const struct ir_target *target) {
  const struct ir_bb *bb = target->bb;
  if (!bb || bb->id >= g->n_bbs || g->bbs[bb->id] != bb)
    return ir_verify_fail(v, "a target is not of this function");
  if (bb == v->function->entry)
    return ir_verify_fail(v, "the entry ^%u is no target", bb->id);
  if (target->n_args != bb->n_params)
    return ir_verify_fail(v, "^%u takes %u values, not %u", bb->id, bb->n_params, target->n_args);
  for (uint32_t i = 0; i < target->n_args; i++) {
    if (!target->args[i] || !target->args[i]->type)
      return ir_verify_fail(v, "an argument of ^%u is missing", bb->id);
    if (!ir_verify_agree(v, target->args[i]->type, bb->params[i]->type))
      return ir_verify_fail(v, "%%%u is %s, but ^%u takes %s", target->args[i]->id,
                            ir_verify_type_text(v, target->args[i]->type), bb->id,
                            ir_verify_type_text(v, bb->params[i]->type));
  }
  return true;
}

static bool check_targets(struct ir_verifier *v, const struct graph *g) {
  for (const struct ir_bb *bb = v->function->entry; bb; bb = bb->next) {
    for (const struct ir_instr *instr = bb->first; instr; instr = instr->next) {
      v->instr = instr;
      if (!target_count_fits(instr))
        return ir_verify_fail(v, "%s cannot have %u targets", ir_op_infos[instr->op].name, instr->n_targets);
      for (uint32_t i = 0; i < instr->n_targets; i++)
        if (!check_target(v, g, &instr->targets[i]))
          return false;
    }
  }
  v->instr = NULL;
  return true;
}

// -------------------------------------------------------------------------------------- dominators

// Fills `order` and `rank`, depth first without recursion.
static void order_bbs(struct graph *g, const struct ir_bb *entry) {
  uint32_t *stack = arena_new_array(g->arena, uint32_t, g->n_bbs);
  uint32_t *next_target = arena_new_array(g->arena, uint32_t, g->n_bbs);
  bool *seen = arena_new_array(g->arena, bool, g->n_bbs);
  uint32_t *postorder = arena_new_array(g->arena, uint32_t, g->n_bbs);
  uint32_t depth = 0;
  stack[depth++] = entry->id;
  seen[entry->id] = true;
  while (depth > 0) {
    uint32_t id = stack[depth - 1];
    const struct ir_instr *end = g->bbs[id]->last;
    if (next_target[id] == end->n_targets) {
      postorder[g->n_reached++] = id;
      depth--;
      continue;
    }
    uint32_t target = end->targets[next_target[id]++].bb->id;
    if (!seen[target]) {
      seen[target] = true;
      stack[depth++] = target;
    }
  }
  g->order = arena_new_array(g->arena, uint32_t, g->n_reached);
  g->rank = arena_new_array(g->arena, uint32_t, g->n_bbs);
  memset(g->rank, 0xff, g->n_bbs * sizeof *g->rank);
  for (uint32_t i = 0; i < g->n_reached; i++) {
    g->order[i] = postorder[g->n_reached - 1 - i];
    g->rank[g->order[i]] = i;
  }
}

static void find_dominators(struct graph *g) {
  uint32_t n_edges = 0, e = 0;
  for (uint32_t i = 0; i < g->n_reached; i++)
    n_edges += g->bbs[g->order[i]]->last->n_targets;
  uint32_t *first = arena_new_array(g->arena, uint32_t, (size_t)g->n_reached + 1);
  uint32_t *to = arena_new_array(g->arena, uint32_t, n_edges);
  for (uint32_t i = 0; i < g->n_reached; i++) {
    const struct ir_instr *end = g->bbs[g->order[i]]->last;
    first[i] = e;
    for (uint32_t t = 0; t < end->n_targets; t++)
      to[e++] = g->rank[end->targets[t].bb->id];
  }
  first[g->n_reached] = e;
  g->tree = dominators_number(g->arena, g->n_reached, dominators_find(g->arena, g->n_reached, first, to));
}

static bool dominates(const struct graph *g, uint32_t a, uint32_t b) {
  uint32_t i = g->rank[a], j = g->rank[b];
  return i != NONE && dominator_tree_holds(&g->tree, i, j);
}

static bool check_use(struct ir_verifier *v, const struct graph *g, const struct ir_value *value, uint32_t bb,
                      uint32_t position) {
  if (!value || value->id >= g->n_values || g->definitions[value->id].value != value)
    return ir_verify_fail(v, "an operand is not of this function");
  const struct definition *definition = &g->definitions[value->id];
  if (g->rank[bb] == NONE)  // what is not reachable is reached by every value
    return true;
  if (definition->bb == NONE || (definition->bb == bb && definition->position < position))
    return true;
  if (definition->bb == bb || !dominates(g, definition->bb, bb))
    return ir_verify_fail(v, "%%%u does not reach this use", value->id);
  return true;
}

static bool check_uses(struct ir_verifier *v, const struct graph *g, const struct ir_bb *bb) {
  uint32_t position = 1;
  for (const struct ir_instr *instr = bb->first; instr; instr = instr->next, position++) {
    v->instr = instr;
    for (uint32_t i = 0; i < instr->n_operands; i++)
      if (!check_use(v, g, instr->operands[i], bb->id, position))
        return false;
    for (uint32_t t = 0; t < instr->n_targets; t++)
      for (uint32_t i = 0; i < instr->targets[t].n_args; i++)
        if (!check_use(v, g, instr->targets[t].args[i], bb->id, position))
          return false;
    if (!ir_verify_instr(v, instr))
      return false;
  }
  v->instr = NULL;
  return true;
}

static bool check_tags(struct ir_verifier *v, const struct graph *g) {
  uint32_t *size = arena_new_array(g->arena, uint32_t, g->n_reached);
  uint32_t *position = arena_new_array(g->arena, uint32_t, g->n_bbs);
  struct ir_verify_tree tree = {g->n_reached, arena_new_array(g->arena, const struct ir_bb *, g->n_reached),
                                size, position};
  for (uint32_t i = 0; i < g->n_reached; i++) {
    tree.bbs[g->tree.order[i]] = g->bbs[g->order[i]];
    size[g->tree.order[i]] = g->tree.below[i];
    position[g->order[i]] = g->tree.order[i];
  }
  return ir_verify_tags(v, &tree, g->n_values);
}

static bool check_function(struct ir_verifier *v, struct graph *g, const struct ir_function *function) {
  g->n_values = function->n_values;
  g->n_bbs = function->n_bbs;
  g->definitions = arena_new_array(g->arena, struct definition, g->n_values);
  g->bbs = arena_new_array(g->arena, const struct ir_bb *, g->n_bbs);
  if (!function->entry)
    return ir_verify_fail(v, "it has no basic block");
  if (function->entry->n_params)
    return ir_verify_fail(v, "the entry ^%u has parameters", function->entry->id);
  if (!define_params(v, g, function->n_params, function->params, NONE))
    return false;
  for (const struct ir_bb *bb = function->entry; bb; bb = bb->next)
    if (!collect_bb(v, g, bb))
      return false;
  if (!check_targets(v, g))
    return false;
  order_bbs(g, function->entry);
  find_dominators(g);
  for (const struct ir_bb *bb = function->entry; bb; bb = bb->next)
    if (!check_uses(v, g, bb))
      return false;
  return check_tags(v, g);
}

bool ir_verify_function(struct ir_verifier *v, const struct ir_function *function) {
  struct graph g = {.arena = &v->body_arena};
  v->function = function;
  bool valid = check_function(v, &g, function);
  v->function = NULL;
  arena_free(g.arena);
  return valid;
}

// ------------------------------------------------------------------------------------------ blocks

static bool check_block_params(struct ir_verifier *v, const struct ir_block *block) {
  for (uint32_t i = 0; i < block->n_params; i++) {
    const struct ir_type *type = block->params[i]->type;
    enum ir_type_kind kind = type->kind;
    if (kind == IR_LIST && type->element->kind == IR_TENSOR && !ir_type_is_ragged(type->element))
      continue;
    if (kind != IR_TENSOR && kind != IR_INDEX && kind != IR_INT && kind != IR_FLOAT)
      return ir_verify_fail(v, "%%%u: a block takes tensors, lists of them, indices, ints and floats, not %s",
                            block->params[i]->id, ir_verify_type_text(v, block->params[i]->type));
  }
  return true;
}

static bool check_block_instr(struct ir_verifier *v, struct graph *g, const struct ir_instr *instr,
                              uint32_t position) {
  v->instr = instr;
  if (!ir_is_tensor_op(instr->op))
    return ir_verify_fail(v, "a host operation in a block");
  if (instr->n_targets)
    return ir_verify_fail(v, "%s cannot have %u targets", ir_op_infos[instr->op].name, instr->n_targets);
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    const struct ir_value *value = instr->operands[i];
    if (!value || value->id >= g->n_values)
      return ir_verify_fail(v, "an operand is not of this block");
    if (g->definitions[value->id].value != value)
      return ir_verify_fail(v, "%%%u does not reach this use", value->id);
  }
  // Defined only now: an instruction does not use its own results.
  if (!define_results(v, g, instr, 0, position) || !ir_verify_instr(v, instr))
    return false;
  v->instr = NULL;
  return true;
}

static bool check_outputs(struct ir_verifier *v, const struct graph *g, const struct ir_block *block) {
  for (uint32_t i = 0; i < block->n_outputs; i++) {
    const struct ir_value *output = block->outputs[i];
    if (output->id >= g->n_values || g->definitions[output->id].value != output)
      return ir_verify_fail(v, "output %u is not of this block", i);
    if (output->type->kind != IR_TENSOR)
      return ir_verify_fail(v, "output %u is no tensor", i);
  }
  return true;
}

static bool check_one_block(struct ir_verifier *v, struct graph *g, const struct ir_block *block) {
  g->n_values = block->n_values;
  g->definitions = arena_new_array(g->arena, struct definition, g->n_values);
  if (!define_params(v, g, block->n_params, block->params, 0) || !check_block_params(v, block))
    return false;
  bool random = false;
  uint32_t position = 1;
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    random = random || ir_op_infos[instr->op].random;
    if (!check_block_instr(v, g, instr, position++))
      return false;
  }
  if (block->kind == IR_BLOCK_FORWARD && random != block->random)
    return ir_verify_fail(v, random ? "it draws but is not marked random"
                                    : "it is marked random but does not draw");
  return check_outputs(v, g, block);
}

// An adjoint takes the forward block's parameters, then what was saved, then the gradients of the results.
static bool check_adjoint_signature(struct ir_verifier *v, const struct ir_block *forward,
                                    const struct ir_block *adjoint) {
  uint32_t n_own = forward->n_params, n_saved = forward->n_outputs - forward->n_results;
  if (adjoint->kind != IR_BLOCK_ADJOINT || adjoint->adjoint)
    return ir_verify_fail(v, "it is not marked as an adjoint");
  if (adjoint->n_outputs)
    return ir_verify_fail(v, "an adjoint returns nothing");
  if (adjoint->n_params != n_own + n_saved + forward->n_results)
    return ir_verify_fail(
        v, "it takes %u values; the block's %u parameters, %u saved and %u gradients are needed",
        adjoint->n_params, n_own, n_saved, forward->n_results);
  for (uint32_t i = 0; i < adjoint->n_params; i++) {
    const struct ir_value *twin = i < n_own             ? forward->params[i]
                                  : i < n_own + n_saved ? forward->outputs[forward->n_results + i - n_own]
                                                        : forward->outputs[i - n_own - n_saved];
    if (!adjoint->params[i] || !adjoint->params[i]->type ||
        !ir_type_equal(adjoint->params[i]->type, twin->type))
      return ir_verify_fail(v, "parameter %u is not %s as in the block", i,
                            ir_verify_type_text(v, twin->type));
  }
  return true;
}

static bool check_in_arena(struct ir_verifier *v, const struct ir_block *block) {
  struct graph g = {.arena = &v->body_arena};
  v->block = block;
  bool valid = check_one_block(v, &g, block);
  arena_free(g.arena);
  return valid;
}

bool ir_verify_block(struct ir_verifier *v, const struct ir_block *block) {
  bool valid = check_in_arena(v, block);
  if (valid && block->adjoint) {
    v->forward = block;
    v->block = block->adjoint;
    valid = check_adjoint_signature(v, block, block->adjoint) && check_in_arena(v, block->adjoint);
  }
  v->block = v->forward = NULL;
  return valid;
}

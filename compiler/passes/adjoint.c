// Adjoint blocks.
//
// Requires   blocks. Those that have an adjoint, or save values already, are left alone.
// Does       gives every other differentiable block the block that hands gradients of its results on to its
//            tensor inputs and to parameters (reverse mode over the straight line), and lists the values
//            that the forward block saves for it. Blocks without a parameter or a tensor input to
//            differentiate by get none.
// Preserves  results of blocks; outputs beyond them are new.
//
// The adjoint is first written as if everything were recomputed: a copy of the forward operations, then the
// derivatives over it. Simplification and removal of dead code leave of the copy what derivatives really
// use, and of that adjoint_save.c takes as saved values the cheapest set from which the rest is recomputed
// without expensive operations.
#include "compiler/passes/adjoint.h"

#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/passes/dce.h"
#include "compiler/passes/fold.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// ---------------------------------------------------------------------------------------------- the copy

static struct ir_value *copy_param(struct adjoint *adjoint, struct ir_value *param) {
  return ir_add_block_param(adjoint->module, adjoint->build.block, param->type);
}

static uint32_t value_operands(const struct ir_instr *instr) {
  int arity = ir_op_infos[instr->op].arity;
  return arity < 0 ? instr->n_operands : (uint32_t)arity;
}

// A derivative other than zero leads from the result to the operand.
static bool is_differentiable(const struct adjoint *adjoint, const struct ir_instr *instr, uint32_t operand) {
  return derivative_kind(adjoint->derivatives, instr->op, operand) != DERIVATIVE_NONE;
}

static void copy_op(struct adjoint *adjoint, const struct ir_instr *instr) {
  struct ir_block *block = adjoint->build.block;
  struct ir_instr *copy = instr_clone(adjoint->module, instr, &block->n_values);
  bool varies = instr->op == IR_OP_PARAM || instr->op == IR_OP_STACK;
  for (uint32_t i = 0; i < instr->n_operands; i++) {
    copy->operands[i] = adjoint_twin(adjoint, instr->operands[i]);
    varies = varies || (i < value_operands(instr) && is_differentiable(adjoint, instr, i) &&
                        adjoint_value(adjoint, instr->operands[i])->varies);
  }
  ir_block_append(block, copy);
  *adjoint_value(adjoint, instr->results[0]) = (struct forward_value){copy->results[0], varies, NULL, NULL};
}

// Parameters: those of the forward block; saved values come later; gradients of the results.
static void copy_forward(struct adjoint *adjoint) {
  const struct ir_block *forward = adjoint->forward;
  for (uint32_t i = 0; i < forward->n_params; i++) {
    struct ir_value *param = forward->params[i];
    *adjoint_value(adjoint, param) = (struct forward_value){copy_param(adjoint, param),
                                                            param->type->kind == IR_TENSOR, NULL, NULL};
  }
  for (uint32_t i = 0; i < forward->n_results; i++)
    copy_param(adjoint, forward->outputs[i]);
  for (const struct ir_instr *instr = forward->first; instr; instr = instr->next)
    copy_op(adjoint, instr);
}

// --------------------------------------------------------------------------------------- going backwards

void adjoint_add(struct adjoint *adjoint, const struct ir_value *forward, struct ir_value *contribution) {
  struct forward_value *value = adjoint_value(adjoint, forward);
  if (contribution && value->gradient)
    value->gradient = ir_build_binary(&adjoint->build, IR_OP_ADD, value->gradient, contribution);
  else if (contribution)
    value->gradient = contribution;
}

static struct ir_value *gradient_of(struct adjoint *adjoint, const struct ir_value *forward) {
  adjoint_add(adjoint, forward, adjoint_join_parts(adjoint, forward));
  return adjoint_value(adjoint, forward)->gradient;
}

struct formula_context {
  const struct adjoint *adjoint;
  const struct ir_instr *forward;
  struct ir_value *dy;
};

static struct ir_value *formula_value(void *context, enum derivative_name name) {
  const struct formula_context *formula = context;
  const struct ir_instr *forward = formula->forward;
  switch (name) {
  case DERIVATIVE_A: return adjoint_twin(formula->adjoint, forward->operands[0]);
  case DERIVATIVE_B: return adjoint_twin(formula->adjoint, forward->operands[1]);
  case DERIVATIVE_I: return adjoint_twin(formula->adjoint, forward->operands[value_operands(forward)]);
  case DERIVATIVE_Y: return adjoint_twin(formula->adjoint, forward->results[0]);
  case DERIVATIVE_DY: return formula->dy;
  }
  return NULL;
}

static void differentiate(struct adjoint *adjoint, const struct ir_instr *instr) {
  struct ir_value *dy = gradient_of(adjoint, instr->results[0]);
  if (!dy)
    return;
  adjoint->build.loc = instr->loc;
  if (instr->op == IR_OP_PARAM) {
    struct ir_value *member = instr->n_operands ? adjoint_twin(adjoint, instr->operands[0]) : NULL;
    ir_build_d_param(&adjoint->build, instr->symbol, dy, member);
    return;
  }
  if (instr->op == IR_OP_STACK) {
    adjoint_add(adjoint, instr->operands[0], dy);
    return;
  }
  for (uint32_t i = 0; i < value_operands(instr); i++) {
    if (!adjoint_value(adjoint, instr->operands[i])->varies)
      continue;
    enum derivative_kind kind = derivative_kind(adjoint->derivatives, instr->op, i);
    struct formula_context context = {adjoint, instr, dy};
    if (kind == DERIVATIVE_SPECIAL)
      adjoint_special(adjoint, instr, i, dy);
    else if (kind == DERIVATIVE_FORMULA)
      adjoint_add(adjoint, instr->operands[i],
                  derivative_build(adjoint->derivatives, &adjoint->build, instr, i, formula_value, &context));
  }
}

static void go_backwards(struct adjoint *adjoint) {
  const struct ir_block *forward = adjoint->forward;
  for (uint32_t i = 0; i < forward->n_results; i++)
    if (adjoint_value(adjoint, forward->outputs[i])->varies)
      adjoint_add(adjoint, forward->outputs[i], adjoint->build.block->params[forward->n_params + i]);
  for (const struct ir_instr *instr = forward->last; instr; instr = instr->prev)
    if (adjoint_value(adjoint, instr->results[0])->varies)
      differentiate(adjoint, instr);
  adjoint->build.loc = forward->loc;
  for (uint32_t i = 0; i < forward->n_params; i++) {
    struct ir_value *gradient = gradient_of(adjoint, forward->params[i]);
    if (gradient)
      ir_build_d_input(&adjoint->build, i, gradient);
  }
}

// ------------------------------------------------------------------------------------------ saved values

static struct adjoint_copy *list_copies(struct adjoint *adjoint, uint32_t *n) {
  uint32_t count = 0;
  for (const struct ir_instr *instr = adjoint->forward->first; instr; instr = instr->next)
    count++;
  struct adjoint_copy *copies = arena_new_array(adjoint->scratch, struct adjoint_copy, count);
  *n = 0;
  for (const struct ir_instr *instr = adjoint->forward->first; instr; instr = instr->next)
    copies[(*n)++] = (struct adjoint_copy){instr->results[0], adjoint_twin(adjoint, instr->results[0])};
  return copies;
}

// The values become further outputs of the forward block, and parameters of the adjoint before the gradients.
static void save(struct adjoint *adjoint, struct ir_block *forward, struct ir_block *block, uint32_t n_saved,
                 const struct adjoint_copy *const *saved) {
  struct ir_module *module = adjoint->module;
  uint32_t n_before = block->n_params - forward->n_results;
  struct ir_value **gradients = arena_new_array(adjoint->scratch, struct ir_value *, forward->n_results);
  memcpy(gradients, block->params + n_before, forward->n_results * sizeof *gradients);
  struct ir_value **outputs = arena_new_array(module->arena, struct ir_value *,
                                              (size_t)forward->n_outputs + n_saved);
  memcpy(outputs, forward->outputs, forward->n_outputs * sizeof *outputs);
  for (uint32_t i = 0; i < n_saved; i++) {
    outputs[forward->n_outputs++] = saved[i]->forward;
    value_replace(saved[i]->twin, ir_add_block_param(module, block, saved[i]->twin->type));
  }
  forward->outputs = outputs;
  memmove(block->params + n_before, block->params + n_before + forward->n_results,
          n_saved * sizeof *block->params);
  memcpy(block->params + n_before + n_saved, gradients, forward->n_results * sizeof *gradients);
}

static void save_values(struct adjoint *adjoint, struct ir_block *forward, struct ir_block *block) {
  uint32_t n, n_saved = 0;
  const struct adjoint_copy *copies = list_copies(adjoint, &n);
  bool *keep = arena_new_array(adjoint->scratch, bool, n);
  adjoint_choose_saved(adjoint->module, adjoint->scratch, block, n, copies, keep);
  const struct adjoint_copy **saved = arena_new_array(adjoint->scratch, const struct adjoint_copy *, n);
  for (uint32_t i = 0; i < n; i++)
    if (keep[i])
      saved[n_saved++] = &copies[i];
  if (n_saved > 0)
    save(adjoint, forward, block, n_saved, saved);
  rewrite_block_uses(block);
  // Copies that were replaced are no longer in use; their notes must not survive.
  dce_block(adjoint->scratch, block);
}

// ------------------------------------------------------------------------------------------------ driver

static bool has_sinks(const struct ir_block *block) {
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    if (ir_op_infos[instr->op].class == IR_CLASS_SINK)
      return true;
  return false;
}

static void make_adjoint(struct ir_module *module, struct arena *scratch,
                         const struct derivatives *derivatives, struct ir_block *forward) {
  ir_block_renumber(forward);
  struct ir_block *block = ir_add_block(module, forward->name, IR_BLOCK_ADJOINT);
  struct adjoint adjoint = {module,
                            scratch,
                            derivatives,
                            forward,
                            ir_builder_in_block(module, block, forward->loc),
                            arena_new_array(scratch, struct forward_value, forward->n_values)};
  copy_forward(&adjoint);
  go_backwards(&adjoint);
  if (!has_sinks(block))
    return;
  simplify_block(module, scratch, block);
  save_values(&adjoint, forward, block);
  block->id = forward->id;
  block->loc = forward->loc;
  block->deferred = forward->deferred;
  block->hoisted = forward->hoisted;
  block->uniform = forward->uniform;
  block->random = forward->random;
  forward->adjoint = block;
}

void pass_adjoint(struct ir_module *module, struct arena *scratch) {
  const struct derivatives *derivatives = derivatives_new(scratch);
  for (uint32_t b = 0; b < module->n_blocks; b++)
    if (!module->blocks[b]->adjoint && module->blocks[b]->n_outputs == module->blocks[b]->n_results)
      make_adjoint(module, scratch, derivatives, module->blocks[b]);
}

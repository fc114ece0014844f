// Inlining.
//
// Requires   verified host functions.
// Does       replaces a call by the callee's body when the two are not of one recursion, callees first, so
//            that a layer function such as LSTM.step ends in the loop or recursion that uses it: blocks
//            become as large as they can, and input projections can be told from recurrent ones.
// Preserves  entries and their signatures, results of every function.
// Leaves     functions that nobody calls any more; `demand` removes them.
//
// Almost every call is taken: models are small, and what a call hides costs batches at run time. Only size
// stops it.
#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// A callee of this many instructions is taken wherever it is called; a larger one only at its single call
// site.
#define SMALL_CALLEE 400
// No caller grows beyond this by inlining. An LSTM step is about 20 instructions; the largest example model
// is 300.
#define LARGEST_CALLER 4000

struct inliner {
  struct ir_module *module;
  struct arena *scratch;
  const struct components *calls;
  uint32_t *n_sites;  // [function] calls of it in the module
  uint32_t *sizes;    // [function] instructions
};

static uint32_t *count_call_sites(struct ir_module *module, struct arena *scratch) {
  uint32_t *n = arena_new_array(scratch, uint32_t, module->n_functions);
  for (uint32_t f = 0; f < module->n_functions; f++)
    for_each_instr (module->functions[f], bb, instr)
      if (instr->op == IR_CALL)
        n[instr->symbol]++;
  for (uint32_t e = 0; e < module->n_entries; e++)
    n[module->entries[e]->function]++;
  return n;
}

static bool wants_inlining(const struct inliner *in, const struct ir_function *caller,
                           const struct ir_instr *call) {
  if (call->op != IR_CALL || call_is_recursive(in->calls, caller->id, call->symbol))
    return false;
  // The body of a recursion in place of its first call would be a copy that is hardly ever run.
  if (in->calls->cyclic[in->calls->of[call->symbol]])
    return false;
  uint32_t size = in->sizes[call->symbol];
  if (size > SMALL_CALLEE && in->n_sites[call->symbol] > 1)
    return false;
  return in->sizes[caller->id] + size <= LARGEST_CALLER;
}

// Moves what follows `call` to a new basic block; the call's results become its parameters.
static struct ir_bb *split_after(struct inliner *in, struct ir_function *caller, struct ir_bb *bb,
                                 struct ir_instr *call) {
  struct ir_bb *rest = ir_add_bb(in->module, caller);
  for (uint32_t i = 0; i < call->n_results; i++)
    value_replace(call->results[i], ir_add_bb_param(in->module, caller, rest, call->results[i]->type));
  for (struct ir_instr *next; (next = call->next);) {
    ir_remove(bb, next);
    ir_append(rest, next);
  }
  return rest;
}

static void branch(struct inliner *in, struct ir_function *caller, struct ir_bb *from, struct ir_bb *to,
                   uint32_t n, struct ir_value *const *args, struct ir_loc loc) {
  struct ir_instr *br = ir_instr_new(in->module, IR_BR, 0, NULL, 0, NULL, 1, &caller->n_values);
  br->loc = loc;
  ir_set_target(in->module, br, 0, to, n, args);
  ir_append(from, br);
}

// Replacements of the call's results stay pending in the notes until the whole caller is done.
static void inline_call(struct inliner *in, struct ir_function *caller, struct ir_bb *bb,
                        struct ir_instr *call) {
  struct ir_function *callee = in->module->functions[call->symbol];
  struct ir_bb *rest = split_after(in, caller, bb, call);
  struct ir_bb *body = clone_body(in->module, in->scratch, callee, caller, call->operands, true);
  for (struct ir_bb *copy = body; copy; copy = copy->next) {
    struct ir_instr *end = copy->last;
    if (end->op != IR_RETURN)
      continue;
    ir_remove(copy, end);
    branch(in, caller, copy, rest, end->n_operands, end->operands, end->loc);
  }
  ir_remove(bb, call);
  branch(in, caller, bb, body, 0, NULL, call->loc);
  in->sizes[caller->id] += in->sizes[callee->id];
}

static void inline_into(struct inliner *in, struct ir_function *caller) {
  bool changed = false;
  // Both what follows a call and the callee's body go to the end of the layout, so this loop meets them
  // later; calls in a copied body were refused in the callee and are refused again, or fit now.
  for (struct ir_bb *bb = caller->entry; bb; bb = bb->next) {
    for (struct ir_instr *instr = bb->first; instr; instr = instr->next) {
      if (!wants_inlining(in, caller, instr))
        continue;
      inline_call(in, caller, bb, instr);
      changed = true;
      break;
    }
  }
  if (changed) {
    rewrite_uses(caller);
    rewrite_layout(in->scratch, caller);
    in->sizes[caller->id] = function_size(caller);
  }
}

void pass_inline(struct ir_module *module, struct arena *scratch) {
  struct inliner in = {module, scratch, call_components(scratch, module), count_call_sites(module, scratch),
                       arena_new_array(scratch, uint32_t, module->n_functions)};
  uint32_t n = module->n_functions;
  for (uint32_t f = 0; f < n; f++)
    in.sizes[f] = function_size(module->functions[f]);
  const uint32_t *order = components_order(scratch, in.calls, n);  // callees first
  for (uint32_t i = 0; i < n; i++)
    inline_into(&in, module->functions[order[i]]);
}

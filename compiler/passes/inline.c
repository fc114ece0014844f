// Inlining.
//
// Requires   verified host functions.
// Does       replaces a call by the callee's body when the two are not of one recursion, callees first, so
//            that a layer function such as LSTM.step ends in the loop or recursion that uses it: blocks
//            become as large as they can, and input projections can be told from recurrent ones.
//            Functions that nobody calls any more go.
// Preserves  entries and their signatures, results of every function. Function numbers change.
//
// Almost every call is taken: models are small, and what a call hides costs batches at run time. Only size
// stops it: of the callee, of the caller, and of all copies together, so that the module and the time to compile
// it grow no faster than the program. A function that is called once is moved, not copied.
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
// All copies together take no more than this, and so many times the program as it was written.
#define FREE_GROWTH 20000
#define MOST_GROWTH 4

struct inliner {
  struct ir_module *module;
  struct arena *scratch;
  const struct components *calls;
  uint32_t *n_sites;  // [function] calls of it in the module, and entries
  uint32_t *sizes;    // [function] instructions
  bool *pending;      // [function] replacements of its values are noted and not carried out
  uint64_t growth;    // instructions that may still be copied
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
  // What is kept for the same arguments stays a function.
  if (call->op != IR_CALL || in->module->functions[call->symbol]->memo ||
      call_is_recursive(in->calls, caller->id, call->symbol))
    return false;
  // The body of a recursion in place of its first call would be a copy that is hardly ever run.
  if (in->calls->cyclic[in->calls->of[call->symbol]])
    return false;
  uint32_t size = in->sizes[call->symbol];
  if (in->n_sites[call->symbol] > 1 && (size > SMALL_CALLEE || size > in->growth))
    return false;
  return in->sizes[caller->id] + size <= LARGEST_CALLER;
}

// Moves what follows `call` to a new basic block; the call's results become its parameters.
static struct ir_bb *split_after(struct inliner *in, struct ir_function *caller, struct ir_bb *bb,
                                 struct ir_instr *call) {
  struct ir_bb *rest = ir_add_bb(in->module, caller);
  for (uint32_t i = 0; i < call->n_results; i++)
    value_replace(call->results[i], ir_add_bb_param(in->module, caller, rest, call->results[i]->type));
  ir_move_rest(bb, call, rest);
  return rest;
}

static void branch(struct inliner *in, struct ir_function *caller, struct ir_bb *from, struct ir_bb *to,
                   uint32_t n, struct ir_value *const *args, struct ir_loc loc) {
  struct ir_instr *br = ir_instr_new(in->module, IR_BR, 0, NULL, 0, NULL, 1, &caller->n_values);
  br->loc = loc;
  ir_set_target(in->module, br, 0, to, n, args);
  ir_append(from, br);
}

static void carry_out(struct inliner *in, struct ir_function *function) {
  if (!in->pending[function->id])
    return;
  rewrite_uses(function);
  rewrite_layout(in->scratch, function);
  in->pending[function->id] = false;
}

// The callee's own body, at the end of the caller: this was its only call.
static struct ir_bb *move_body(struct ir_function *callee, struct ir_function *caller,
                               struct ir_value *const *args) {
  struct ir_bb *body = callee->entry;
  for (uint32_t i = 0; i < callee->n_params; i++)
    value_replace(callee->params[i], args[i]);
  ir_append_bb(caller, body);
  callee->entry = callee->last_bb = NULL;
  return body;
}

static struct ir_bb *take_body(struct inliner *in, struct ir_function *callee, struct ir_function *caller,
                               struct ir_value *const *args) {
  if (in->n_sites[callee->id] == 1)
    return move_body(callee, caller, args);
  carry_out(in, callee);
  in->growth -= in->sizes[callee->id];
  for_each_instr (callee, bb, instr)
    if (instr->op == IR_CALL)
      in->n_sites[instr->symbol]++;
  return clone_body(in->module, in->scratch, callee, caller, args, true);
}

// Gives what follows the call. Replacements of the call's results stay pending in the notes.
static struct ir_bb *inline_call(struct inliner *in, struct ir_function *caller, struct ir_bb *bb,
                                 struct ir_instr *call) {
  struct ir_function *callee = in->module->functions[call->symbol];
  struct ir_bb *rest = split_after(in, caller, bb, call);
  struct ir_bb *body = take_body(in, callee, caller, call->operands);
  in->n_sites[callee->id]--;
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
  in->pending[caller->id] = true;
  return rest;
}

static bool inline_first(struct inliner *in, struct ir_function *caller, struct ir_bb **bb) {
  for (struct ir_instr *instr = (*bb)->first; instr; instr = instr->next) {
    if (wants_inlining(in, caller, instr)) {
      *bb = inline_call(in, caller, *bb, instr);
      return true;
    }
  }
  return false;
}

// Only the caller's own calls: those in a body that was taken in were refused there, and the caller is no smaller.
static void inline_into(struct inliner *in, struct ir_function *caller) {
  uint32_t n_own = 0;
  for (const struct ir_bb *bb = caller->entry; bb; bb = bb->next)
    n_own++;
  for (struct ir_bb *bb = caller->entry, *next; n_own > 0; bb = next, n_own--) {
    next = bb->next;
    while (inline_first(in, caller, &bb))
      continue;
  }
}

void pass_inline(struct ir_module *module, struct arena *scratch) {
  uint32_t n = module->n_functions;
  struct inliner in = {module,
                       scratch,
                       call_components(scratch, module),
                       count_call_sites(module, scratch),
                       arena_new_array(scratch, uint32_t, n),
                       arena_new_array(scratch, bool, n),
                       FREE_GROWTH};
  for (uint32_t f = 0; f < n; f++) {
    in.sizes[f] = function_size(module->functions[f]);
    in.growth += (uint64_t)MOST_GROWTH * in.sizes[f];
  }
  const uint32_t *order = components_order(scratch, in.calls, n);  // callees first
  for (uint32_t i = 0; i < n; i++)
    inline_into(&in, module->functions[order[i]]);
  for (uint32_t f = 0; f < n; f++)
    if (module->functions[f]->entry)
      carry_out(&in, module->functions[f]);
  rewrite_drop_functions(module, scratch);
}

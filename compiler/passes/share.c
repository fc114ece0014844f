// Equal blocks become one.
//
// Requires   blocks, their values numbered densely (ir_block_renumber). Those with adjoints are left alone.
// Does       joins blocks that differ in name and position only, from different functions, branches or
//            copies of one layer, so that their instances meet in one batch and one kernel is compiled;
//            drops blocks never emitted.
// Preserves  everything else. Block numbers change.
//
// Dropout sites may differ as long as they coincide at the same places: a draw's key has the instance's
// number, too.
#include "compiler/base/arena.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

static bool sizes_equal(const struct size *a, const struct size *b) {
  return a == b || (a && b && size_equal(a, b));
}

static bool instrs_equal(const struct ir_instr *a, const struct ir_instr *b) {
  if (a->op != b->op || a->n_operands != b->n_operands || a->n_results != b->n_results ||
      a->symbol != b->symbol || a->integer != b->integer || a->transpose_a != b->transpose_a ||
      a->transpose_b != b->transpose_b)
    return false;
  // A NaN keeps two blocks apart, which is safe.
  if (a->number != b->number || !sizes_equal(a->size, b->size) || !sizes_equal(a->length, b->length))
    return false;
  for (uint32_t i = 0; i < a->n_operands; i++)
    if (a->operands[i]->id != b->operands[i]->id)
      return false;
  for (uint32_t i = 0; i < a->n_results; i++)
    if (!ir_type_equal(a->results[i]->type, b->results[i]->type))
      return false;
  return true;
}

// Whether the dropouts before `a` and `b` share their sites with them alike.
static bool sites_alike(const struct ir_instr *a, const struct ir_instr *b) {
  for (const struct ir_instr *x = a->prev, *y = b->prev; x && y; x = x->prev, y = y->prev)
    if (x->op == IR_OP_DROPOUT && (x->site == a->site) != (y->site == b->site))
      return false;
  return true;
}

static bool values_equal(uint32_t n, struct ir_value *const *a, struct ir_value *const *b) {
  for (uint32_t i = 0; i < n; i++)
    if (a[i]->id != b[i]->id || !ir_type_equal(a[i]->type, b[i]->type))
      return false;
  return true;
}

static bool blocks_equal(const struct ir_block *a, const struct ir_block *b) {
  if (a->adjoint || b->adjoint || a->deferred != b->deferred || a->hoisted != b->hoisted ||
      a->uniform != b->uniform)
    return false;
  if (a->n_params != b->n_params || a->n_outputs != b->n_outputs || a->n_results != b->n_results ||
      a->n_values != b->n_values)
    return false;
  if (!values_equal(a->n_params, a->params, b->params) || !values_equal(a->n_outputs, a->outputs, b->outputs))
    return false;
  const struct ir_instr *x = a->first, *y = b->first;
  for (; x && y; x = x->next, y = y->next)
    if (!instrs_equal(x, y) || (x->op == IR_OP_DROPOUT && !sites_alike(x, y)))
      return false;
  return !x && !y;
}

static uint64_t mix(uint64_t hash, uint64_t word) { return (hash ^ word) * 0x9e3779b97f4a7c15u ^ hash >> 29; }

static uint64_t hash_of(const struct ir_block *block) {
  uint64_t hash = mix(block->n_params, block->n_outputs);
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    hash = mix(mix(hash, instr->op), instr->symbol);
    for (uint32_t i = 0; i < instr->n_operands; i++)
      hash = mix(hash, instr->operands[i]->id);
  }
  return hash;
}

// [block] the first block equal to it. Open addressing over at most twice as many slots as blocks.
static uint32_t *find_representatives(const struct ir_module *module, struct arena *scratch) {
  uint32_t n_slots = 16;
  while (n_slots < 2 * module->n_blocks)
    n_slots *= 2;
  uint32_t *slots = arena_new_array(scratch, uint32_t, n_slots);  // block + 1, 0: empty
  uint32_t *same = arena_new_array(scratch, uint32_t, module->n_blocks);
  for (uint32_t b = 0; b < module->n_blocks; b++) {
    const struct ir_block *block = module->blocks[b];
    uint32_t at = (uint32_t)(hash_of(block) >> 16) & (n_slots - 1);
    while (slots[at] && !blocks_equal(module->blocks[slots[at] - 1], block))
      at = (at + 1) & (n_slots - 1);
    if (!slots[at])
      slots[at] = b + 1;
    same[b] = slots[at] - 1;
  }
  return same;
}

void pass_share(struct ir_module *module, struct arena *scratch) {
  const uint32_t *same = find_representatives(module, scratch);
  bool *used = arena_new_array(scratch, bool, module->n_blocks);
  for (uint32_t f = 0; f < module->n_functions; f++) {
    for_each_instr (module->functions[f], bb, instr) {
      if (instr->op != IR_EMIT)
        continue;
      instr->symbol = same[instr->symbol];
      used[instr->symbol] = true;
    }
  }
  uint32_t *renamed = arena_new_array(scratch, uint32_t, module->n_blocks);
  uint32_t kept = 0;
  for (uint32_t b = 0; b < module->n_blocks; b++) {
    if (!used[b])
      continue;
    renamed[b] = kept;
    module->blocks[b]->id = kept;
    module->blocks[kept++] = module->blocks[b];
  }
  module->n_blocks = kept;
  for (uint32_t f = 0; f < module->n_functions; f++)
    for_each_instr (module->functions[f], bb, instr)
      if (instr->op == IR_EMIT)
        instr->symbol = renamed[instr->symbol];
}

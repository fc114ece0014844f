// Equal blocks become one.
//
// Requires   blocks, their values numbered densely (ir_block_renumber). Those with adjoints are left alone.
// Does       joins blocks that differ in name and position only, from different functions, branches or
//            copies of one layer, so that their instances meet in one batch and one kernel is compiled;
//            drops blocks never emitted.
// Preserves  everything else. Block numbers change.
//
// Sites of draws may differ as long as they coincide at the same places: a draw's key has the instance's
// number, too.
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/base/hash_index.h"
#include "compiler/passes/equal.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// The draws of a block, in order, each by the first one that has the same site: two blocks whose sites
// coincide at the same places agree.
struct draws {
  uint32_t n;
  uint32_t *first;
};

struct sites {
  uint32_t *block, *first;  // [site] last block that has it (+ 1), and its first draw there
};

static struct draws find_draws(struct arena *scratch, struct sites *sites, const struct ir_block *block) {
  struct draws draws = {0};
  if (!block->random)
    return draws;
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    draws.n += ir_op_infos[instr->op].random;
  draws.first = arena_new_array(scratch, uint32_t, draws.n);
  uint32_t n = 0;
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    if (!ir_op_infos[instr->op].random)
      continue;
    if (sites->block[instr->site] != block->id + 1) {
      sites->block[instr->site] = block->id + 1;
      sites->first[instr->site] = n;
    }
    draws.first[n++] = sites->first[instr->site];
  }
  return draws;
}

static bool draws_equal(const struct draws *a, const struct draws *b) {
  return a->n == b->n && (a->n == 0 || memcmp(a->first, b->first, a->n * sizeof *a->first) == 0);
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
    if (!instrs_equal(x, y))
      return false;
  return !x && !y;
}

static uint64_t hash_of(const struct ir_block *block, const struct draws *draws) {
  uint64_t hash = hash_mix(block->n_params, block->n_outputs);
  for (uint32_t i = 0; i < block->n_params; i++)
    hash = hash_mix(hash, type_hash(block->params[i]->type));
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    hash = hash_mix(hash, instr_hash(instr));
  for (uint32_t i = 0; i < block->n_outputs; i++)
    hash = hash_mix(hash, block->outputs[i]->id);
  for (uint32_t i = 0; i < draws->n; i++)
    hash = hash_mix(hash, draws->first[i]);
  return hash_mix(hash, (uint64_t)block->deferred * 4 + block->hoisted * 2 + block->uniform);
}

struct known {
  const struct ir_module *module;
  const struct draws *draws;  // [block]
};

struct wanted {
  const struct known *known;
  uint32_t block;
};

static bool is_wanted(const void *context, uint32_t item) {
  const struct wanted *wanted = context;
  const struct known *known = wanted->known;
  return draws_equal(&known->draws[item], &known->draws[wanted->block]) &&
         blocks_equal(known->module->blocks[item], known->module->blocks[wanted->block]);
}

// [block] the first block equal to it.
static uint32_t *find_representatives(const struct ir_module *module, struct arena *scratch) {
  uint32_t *same = arena_new_array(scratch, uint32_t, module->n_blocks);
  struct draws *draws = arena_new_array(scratch, struct draws, module->n_blocks);
  struct sites sites = {arena_new_array(scratch, uint32_t, module->n_sites),
                        arena_new_array(scratch, uint32_t, module->n_sites)};
  const struct known known = {module, draws};
  struct hash_index index = hash_index_new(scratch);
  for (uint32_t b = 0; b < module->n_blocks; b++) {
    draws[b] = find_draws(scratch, &sites, module->blocks[b]);
    uint64_t hash = hash_of(module->blocks[b], &draws[b]);
    same[b] = hash_index_find(&index, hash, is_wanted, &(struct wanted){&known, b});
    if (same[b] != HASH_INDEX_NONE)
      continue;
    hash_index_add(&index, hash, b);
    same[b] = b;
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

// Simplification inside one block; used for adjoints, whose formulas leave much to fold.
#include "compiler/base/arena.h"
#include "compiler/passes/dce.h"
#include "compiler/passes/fold.h"
#include "compiler/passes/rewrite.h"

#define MOST_ROUNDS 12

static bool round_of_folding(struct ir_module *module, struct arena *scratch, struct ir_block *block) {
  struct cse *cse = cse_new(scratch);
  bool changed = false;
  for (struct ir_instr *instr = block->first, *next; instr; instr = next) {
    next = instr->next;
    for (uint32_t i = 0; i < instr->n_operands; i++)
      instr->operands[i] = value_resolve(instr->operands[i]);
    if (!instr_is_pure(instr) || instr->n_results != 1)
      continue;
    struct ir_builder build = build_before_in_block(module, block, instr);
    struct ir_value *better = fold_tensor(&build, instr);
    if (!better) {
      const struct ir_instr *earlier = cse_find(cse, instr);
      better = earlier ? earlier->results[0] : NULL;
    }
    if (!better)
      continue;
    value_replace(instr->results[0], better);
    ir_block_remove(block, instr);
    changed = true;
  }
  rewrite_block_uses(block);
  return changed;
}

void simplify_block(struct ir_module *module, struct arena *scratch, struct ir_block *block) {
  for (int round = 0; round < MOST_ROUNDS; round++)
    if (!round_of_folding(module, scratch, block))
      break;
  dce_block(scratch, block);
}

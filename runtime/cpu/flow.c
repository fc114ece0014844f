#include "runtime/cpu/flow.h"

#include <stdlib.h>

// The results whose gradients a value of the adjoint is made from.
static void follow(const struct ir_block *adjoint, uint64_t *from) {
  for (const struct ir_instr *instr = adjoint->first; instr; instr = instr->next) {
    uint64_t all = 0;
    for (uint32_t i = 0; i < instr->n_operands; i++)
      all |= from[instr->operands[i]->id];
    for (uint32_t i = 0; i < instr->n_results; i++)
      from[instr->results[i]->id] = all;
  }
}

static bool is_row_of(const struct ir_block *adjoint, const struct ir_instr *instr,
                      const struct kernel_sink *sink) {
  if (instr->op != IR_OP_D_ROW || instr->symbol != sink->param)
    return false;
  if (sink->index < 0 || instr->operands[1] != adjoint->params[sink->index])
    return false;
  return sink->member < 0 || (instr->n_operands > 2 && instr->operands[2] == adjoint->params[sink->member]);
}

struct flow *flow_new(const struct ir_block *block, const struct kernel *kernel) {
  const struct ir_block *adjoint = block->adjoint;
  size_t words = block->n_params + (size_t)kernel->n_sinks + 1;
  struct flow *flow = calloc(1, sizeof *flow + words * sizeof(uint64_t));
  uint64_t *from = calloc((size_t)adjoint->n_values + 1, sizeof *from);
  if (!flow || !from) {
    free(flow);
    free(from);
    return NULL;
  }
  flow->inputs = (uint64_t *)(flow + 1);
  flow->sinks = flow->inputs + block->n_params;
  uint32_t first_gradient = adjoint->n_params - block->n_results;
  for (uint32_t r = 0; r < block->n_results; r++)
    from[adjoint->params[first_gradient + r]->id] |= flow_result(r);
  follow(adjoint, from);
  for (const struct ir_instr *instr = adjoint->first; instr; instr = instr->next) {
    uint32_t tensor = 0;
    if (instr->op == IR_OP_D_INPUT) {
      for (int64_t i = 0; i < instr->integer; i++)
        tensor += block->params[i]->type->kind == IR_TENSOR || block->params[i]->type->kind == IR_LIST;
      flow->inputs[tensor] |= from[instr->operands[0]->id];
    }
    for (uint32_t s = 0; s < kernel->n_sinks; s++)
      if (is_row_of(adjoint, instr, &kernel->sinks[s]))
        flow->sinks[s] |= from[instr->operands[0]->id];
  }
  // A row that no single instruction accounts for is touched whenever the block is reached.
  for (uint32_t s = 0; s < kernel->n_sinks; s++)
    if (flow->sinks[s] == 0)
      flow->sinks[s] = UINT64_MAX;
  free(from);
  return flow;
}

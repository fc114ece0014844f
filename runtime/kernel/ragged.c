// What all devices ask of blocks with run-time sizes.
#include <string.h>

#include "runtime/kernel/kernel.h"

// What a list is stacked to; NULL when the block does not use it.
static const struct ir_type *stacked_type(const struct ir_block *block, const struct ir_value *list) {
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    if (instr->op == IR_OP_STACK && instr->operands[0] == list)
      return instr->results[0]->type;
  return NULL;
}

uint32_t kernel_runtime_size(const struct ir_block *block, const struct ir_value *value, const int64_t *dims,
                             int64_t *elements) {
  const struct ir_type *type = value->type->kind == IR_LIST ? stacked_type(block, value) : value->type;
  uint32_t number = 0;
  int64_t product = 1, size;
  for (uint32_t i = 0; type && type->kind == IR_TENSOR && i < type->shape.rank; i++) {
    uint32_t own = ir_runtime_number(type->shape.sizes[i]);
    if (own)
      number = own;
    else if (elements && (!size_evaluate_by_id(type->shape.sizes[i], dims, &size) ||
                          __builtin_mul_overflow(product, size, &product)))
      product = INT64_MAX;
  }
  if (elements)
    *elements = product;
  return number;
}

size_t kernel_scratch(const struct kernel *kernel, const int32_t *largest) {
  size_t sum = kernel->scratch_bytes;
  for (uint32_t i = 0; i < kernel->n_scratch_terms; i++) {
    const struct kernel_scratch_term *term = &kernel->scratch_terms[i];
    size_t bytes = term->bytes;
    for (uint32_t k = 0; k < 2; k++)
      if (term->sizes[k] && __builtin_mul_overflow(bytes, (size_t)largest[term->sizes[k] - 1], &bytes))
        return SIZE_MAX;
    if (__builtin_add_overflow(sum, bytes, &sum))
      return SIZE_MAX;
  }
  return sum;
}

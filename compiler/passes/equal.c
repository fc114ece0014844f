#include "compiler/passes/equal.h"

#include <string.h>

#include "compiler/base/hash_index.h"

static bool sizes_equal(const struct size *a, const struct size *b) {
  return a == b || (a && b && size_equal(a, b));
}

// Bits, so that 0 and -0 differ and a NaN equals itself.
static uint64_t bits_of(double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}

bool instrs_equal(const struct ir_instr *a, const struct ir_instr *b) {
  if (a->op != b->op || a->n_operands != b->n_operands || a->n_results != b->n_results ||
      a->integer != b->integer || a->symbol != b->symbol || a->constructor != b->constructor ||
      a->transpose_a != b->transpose_a || a->transpose_b != b->transpose_b || a->axis != b->axis)
    return false;
  if (bits_of(a->number) != bits_of(b->number) || !sizes_equal(a->size, b->size) ||
      !sizes_equal(a->length, b->length))
    return false;
  if (a->text != b->text && (!a->text || !b->text || strcmp(a->text, b->text) != 0))
    return false;
  for (uint32_t i = 0; i < a->n_operands; i++)
    if (a->operands[i]->id != b->operands[i]->id)
      return false;
  for (uint32_t i = 0; i < a->n_results; i++)
    if (!ir_type_equal(a->results[i]->type, b->results[i]->type))
      return false;
  return true;
}

static uint64_t hash_of_size(const struct size *size) { return size ? size_hash(size) : 1; }

// Of a tuple or list only what it is: a hash that is the same for two of them costs a comparison.
uint64_t type_hash(const struct ir_type *type) {
  uint64_t hash = type->kind;
  switch (type->kind) {
  case IR_INDEX: return hash_mix(hash, type->dim);
  case IR_DATA: return hash_mix(hash, type->data);
  case IR_TENSOR:
  case IR_ACC:
    for (uint32_t i = 0; i < type->shape.rank; i++)
      hash = hash_mix(hash, hash_of_size(type->shape.sizes[i]));
    return hash;
  default: return hash;
  }
}

uint64_t instr_hash(const struct ir_instr *instr) {
  uint64_t hash = hash_mix(instr->op, (uint64_t)instr->integer);
  hash = hash_mix(hash_mix(hash, instr->symbol), instr->constructor);
  hash = hash_mix(hash, bits_of(instr->number));
  hash = hash_mix(hash, (uint64_t)instr->axis * 4 + (uint64_t)instr->transpose_a * 2 + instr->transpose_b);
  hash = hash_mix(hash_mix(hash, hash_of_size(instr->size)), hash_of_size(instr->length));
  for (uint32_t i = 0; i < instr->n_operands; i++)
    hash = hash_mix(hash, instr->operands[i]->id);
  for (uint32_t i = 0; i < instr->n_results; i++)
    hash = hash_mix(hash, type_hash(instr->results[i]->type));
  return hash;
}

// Common subexpressions: a hash table of pure instructions by operation, attributes and operands.
#include "compiler/base/arena.h"
#include "compiler/passes/fold.h"

#define N_BUCKETS 1024  // a power of two; functions have tens to thousands of instructions

struct entry {
  struct ir_instr *instr;
  struct entry *next;
};

struct cse {
  struct arena *arena;
  struct entry *buckets[N_BUCKETS];
};

struct cse *cse_new(struct arena *arena) {
  struct cse *cse = arena_new(arena, struct cse);
  cse->arena = arena;
  return cse;
}

static uint64_t mix(uint64_t hash, uint64_t word) { return (hash ^ word) * 0x9e3779b97f4a7c15u ^ hash >> 29; }

static uint64_t hash_of(const struct ir_instr *instr) {
  uint64_t hash = mix(instr->op, (uint64_t)instr->integer);
  hash = mix(mix(hash, instr->symbol), instr->constructor);
  for (uint32_t i = 0; i < instr->n_operands; i++)
    hash = mix(hash, instr->operands[i]->id);
  return hash ^ hash >> 32;
}

static bool sizes_equal(const struct size *a, const struct size *b) {
  return a == b || (a && b && size_equal(a, b));
}

// Bits, so that 0 and -0 differ and a NaN equals itself.
static bool numbers_equal(double a, double b) {
  union {
    double number;
    uint64_t bits;
  } x = {a}, y = {b};
  return x.bits == y.bits;
}

static bool instrs_equal(const struct ir_instr *a, const struct ir_instr *b) {
  if (a->op != b->op || a->n_operands != b->n_operands || a->n_results != b->n_results ||
      a->integer != b->integer || a->symbol != b->symbol || a->constructor != b->constructor ||
      a->site != b->site || a->transpose_a != b->transpose_a || a->transpose_b != b->transpose_b)
    return false;
  if (!numbers_equal(a->number, b->number) || !sizes_equal(a->size, b->size) ||
      !sizes_equal(a->length, b->length))
    return false;
  for (uint32_t i = 0; i < a->n_operands; i++)
    if (a->operands[i] != b->operands[i])
      return false;
  for (uint32_t i = 0; i < a->n_results; i++)
    if (!ir_type_equal(a->results[i]->type, b->results[i]->type))
      return false;
  return true;
}

struct ir_instr *cse_find(struct cse *cse, struct ir_instr *instr,
                          bool (*good)(void *context, const struct ir_instr *earlier), void *context) {
  struct entry **bucket = &cse->buckets[hash_of(instr) & (N_BUCKETS - 1)];
  for (struct entry *entry = *bucket; entry; entry = entry->next)
    if (instrs_equal(entry->instr, instr) && (!good || good(context, entry->instr)))
      return entry->instr;
  struct entry *entry = arena_new(cse->arena, struct entry);
  *entry = (struct entry){instr, *bucket};
  *bucket = entry;
  return NULL;
}

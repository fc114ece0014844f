// Common subexpressions: a hash table of pure instructions by operation, attributes and operands.
//
// The table is as large as what may be put in, and what was put in last is taken out first, so that a walk over
// the dominator tree holds in it exactly what dominates where it is.
#include "compiler/base/arena.h"
#include "compiler/passes/equal.h"
#include "compiler/passes/fold.h"

struct entry {
  struct ir_instr *instr;
  uint32_t bucket;
  struct entry *next;    // of the bucket
  struct entry *before;  // put in before this one
};

struct cse {
  struct arena *arena;
  struct entry **buckets;
  uint32_t mask;  // number of buckets less one
  struct entry *last;
};

struct cse *cse_new(struct arena *arena, uint32_t n_instrs) {
  struct cse *cse = arena_new(arena, struct cse);
  uint32_t n = 16;
  while (n < n_instrs && n < UINT32_MAX / 2)
    n *= 2;
  *cse = (struct cse){arena, arena_new_array(arena, struct entry *, n), n - 1, NULL};
  return cse;
}

struct ir_instr *cse_find(struct cse *cse, struct ir_instr *instr) {
  uint64_t hash = hash_mix(instr_hash(instr), instr->site);
  uint32_t bucket = (uint32_t)(hash >> 20) & cse->mask;
  for (struct entry *entry = cse->buckets[bucket]; entry; entry = entry->next)
    if (entry->instr->site == instr->site && instrs_equal(entry->instr, instr))
      return entry->instr;
  struct entry *entry = arena_new(cse->arena, struct entry);
  *entry = (struct entry){instr, bucket, cse->buckets[bucket], cse->last};
  cse->buckets[bucket] = cse->last = entry;
  return NULL;
}

const struct entry *cse_mark(const struct cse *cse) { return cse->last; }

void cse_return_to(struct cse *cse, const struct entry *mark) {
  for (; cse->last != mark; cse->last = cse->last->before)
    cse->buckets[cse->last->bucket] = cse->last->next;
}

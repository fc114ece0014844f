// Common subexpressions: pure instructions by operation, attributes and operands.
//
// What was put in last is taken out first, so that a walk over the dominator tree holds in it exactly what dominates
// where it is.
#include "compiler/base/arena.h"
#include "compiler/base/hash_index.h"
#include "compiler/passes/equal.h"
#include "compiler/passes/fold.h"

struct entry {
  struct ir_instr *instr;
  uint64_t hash;
};

struct cse {
  struct arena *arena;
  struct hash_index index;  // of `items`
  struct {
    struct entry *items;
    size_t count, capacity;
  } entries;
};

struct cse *cse_new(struct arena *arena) {
  struct cse *cse = arena_new(arena, struct cse);
  *cse = (struct cse){.arena = arena, .index = hash_index_new(arena)};
  return cse;
}

struct wanted {
  const struct cse *cse;
  const struct ir_instr *instr;
};

static bool is_wanted(const void *context, uint32_t item) {
  const struct wanted *wanted = context;
  const struct ir_instr *instr = wanted->cse->entries.items[item].instr;
  return instr->site == wanted->instr->site && instrs_equal(instr, wanted->instr);
}

struct ir_instr *cse_find(struct cse *cse, struct ir_instr *instr) {
  uint64_t hash = hash_mix(instr_hash(instr), instr->site);
  uint32_t found = hash_index_find(&cse->index, hash, is_wanted, &(struct wanted){cse, instr});
  if (found != HASH_INDEX_NONE)
    return cse->entries.items[found].instr;
  hash_index_add(&cse->index, hash, (uint32_t)cse->entries.count);
  arena_push(cse->arena, &cse->entries, ((struct entry){instr, hash}));
  return NULL;
}

size_t cse_mark(const struct cse *cse) { return cse->entries.count; }

void cse_return_to(struct cse *cse, size_t mark) {
  while (cse->entries.count > mark) {
    uint32_t last = (uint32_t)--cse->entries.count;
    hash_index_remove(&cse->index, cse->entries.items[last].hash, last);
  }
}

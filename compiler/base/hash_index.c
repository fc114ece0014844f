#include "compiler/base/hash_index.h"

#include "compiler/base/arena.h"

// The hash may be weak in its low bits: they are the product's high ones.
static uint32_t first_slot(const struct hash_index *index, uint64_t hash) {
  return (uint32_t)((hash * 0x9e3779b97f4a7c15u) >> 32) & (index->capacity - 1);
}

uint32_t hash_index_find(const struct hash_index *index, uint64_t hash, hash_index_equal *equal,
                         const void *context) {
  if (index->capacity == 0)
    return HASH_INDEX_NONE;
  for (uint32_t slot = first_slot(index, hash);; slot = (slot + 1) & (index->capacity - 1)) {
    const struct hash_entry *entry = &index->entries[slot];
    if (entry->round != index->round)
      return HASH_INDEX_NONE;
    if (entry->hash == hash && equal(context, entry->item))
      return entry->item;
  }
}

static void put(struct hash_index *index, uint64_t hash, uint32_t item) {
  uint32_t slot = first_slot(index, hash);
  while (index->entries[slot].round == index->round)
    slot = (slot + 1) & (index->capacity - 1);
  index->entries[slot] = (struct hash_entry){hash, item, index->round};
}

bool hash_index_reserve(struct hash_index *index) {
  uint32_t n_old = index->capacity, capacity = n_old > 0 ? n_old * 2 : 16;
  if ((index->n + 1) * 2 <= n_old)
    return true;
  if (capacity < n_old)
    return false;
  struct hash_entry *old = index->entries,
                    *entries = arena_try_alloc(index->arena, capacity * sizeof *entries);
  if (!entries)
    return false;
  index->capacity = capacity;
  index->entries = entries;
  for (uint32_t i = 0; i < n_old; i++)
    if (old[i].round == index->round)
      put(index, old[i].hash, old[i].item);
  return true;
}

void hash_index_add(struct hash_index *index, uint64_t hash, uint32_t item) {
  if (!hash_index_reserve(index))
    arena_out_of_memory(index->arena);
  put(index, hash, item);
  index->n++;
}

// Entries behind the gap move into it when their own search would stop there (Knuth, vol. 3, 6.4, algorithm R).
void hash_index_remove(struct hash_index *index, uint64_t hash, uint32_t item) {
  uint32_t mask = index->capacity - 1, gap = first_slot(index, hash);
  while (index->entries[gap].item != item)
    gap = (gap + 1) & mask;
  for (uint32_t slot = (gap + 1) & mask; index->entries[slot].round == index->round;
       slot = (slot + 1) & mask) {
    uint32_t first = first_slot(index, index->entries[slot].hash);
    if (((slot - first) & mask) < ((slot - gap) & mask))
      continue;
    index->entries[gap] = index->entries[slot];
    gap = slot;
  }
  index->entries[gap].round = index->round - 1;
  index->n--;
}

void hash_index_clear(struct hash_index *index) {
  index->n = 0;
  index->round++;
}

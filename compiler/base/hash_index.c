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

void hash_index_add(struct hash_index *index, uint64_t hash, uint32_t item) {
  if ((index->n + 1) * 2 > index->capacity) {
    struct hash_entry *old = index->entries;
    uint32_t n_old = index->capacity;
    index->capacity = n_old > 0 ? n_old * 2 : 16;
    index->entries = arena_new_array(index->arena, struct hash_entry, index->capacity);
    for (uint32_t i = 0; i < n_old; i++)
      if (old[i].round == index->round)
        put(index, old[i].hash, old[i].item);
  }
  put(index, hash, item);
  index->n++;
}

void hash_index_clear(struct hash_index *index) {
  index->n = 0;
  index->round++;
}

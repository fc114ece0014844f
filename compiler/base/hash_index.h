// Finds items that the caller keeps in an array, by hash: open addressing over positions in that array.
//
// The table lives in an arena and never shrinks; clearing it costs nothing. Allocation fails as the arena's does, but not
// in hash_index_reserve, after which an item is added without any.
#ifndef NN_BASE_HASH_INDEX_H
#define NN_BASE_HASH_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct arena;

#define HASH_INDEX_NONE UINT32_MAX

struct hash_index {
  struct arena *arena;
  uint32_t n, capacity;  // capacity: a power of two, or 0
  uint32_t round;        // entries of earlier rounds are gone
  struct hash_entry {
    uint64_t hash;
    uint32_t item, round;
  } * entries;
};

// Mixes a word into a hash (the multiplier is 2^64 divided by the golden ratio).
static inline uint64_t hash_mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

// `arena` must be set in a zeroed index, or by this.
static inline struct hash_index hash_index_new(struct arena *arena) {
  return (struct hash_index){.arena = arena, .round = 1};
}

// Whether the item at that position is the one that is looked for.
typedef bool hash_index_equal(const void *context, uint32_t item);

// The position of an equal item with that hash, or HASH_INDEX_NONE.
uint32_t hash_index_find(const struct hash_index *, uint64_t hash, hash_index_equal *, const void *context);
// Adds an item that is not there.
void hash_index_add(struct hash_index *, uint64_t hash, uint32_t item);
// Room for one more item. False without memory; then nothing has changed.
bool hash_index_reserve(struct hash_index *);
// Takes out an item that is there, with the hash that it was added with.
void hash_index_remove(struct hash_index *, uint64_t hash, uint32_t item);
// Forgets all items.
void hash_index_clear(struct hash_index *);

#endif

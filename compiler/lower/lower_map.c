/* Pointer to pointer, open addressing; never shrinks, nothing is removed. */
#include <stdint.h>

#include "compiler/lower/lower_internal.h"

static struct lower_map_entry *find(const struct lower_map *map, const void *key) {
  /* Fibonacci hashing: the low bits of an address say little. */
  size_t i = (size_t)(((uint64_t)(uintptr_t)key * 11400714819323198485u) >> 32) & (map->capacity - 1);
  while (map->entries[i].key && map->entries[i].key != key)
    i = (i + 1) & (map->capacity - 1);
  return &map->entries[i];
}

void *lower_map_get(const struct lower_map *map, const void *key) {
  return map->capacity ? find(map, key)->value : NULL;
}

void lower_map_put(struct arena *arena, struct lower_map *map, const void *key, void *value) {
  if (map->count * 2 >= map->capacity) {
    struct lower_map grown = {.capacity = map->capacity ? map->capacity * 2 : 16, .count = map->count};
    grown.entries = arena_new_array(arena, struct lower_map_entry, grown.capacity);
    for (size_t i = 0; i < map->capacity; i++)
      if (map->entries[i].key)
        *find(&grown, map->entries[i].key) = map->entries[i];
    *map = grown;
  }
  struct lower_map_entry *entry = find(map, key);
  map->count += entry->key == NULL;
  *entry = (struct lower_map_entry){key, value};
}

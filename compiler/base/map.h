// Maps from text or from addresses to pointers, over a hash index: in an arena, nothing is removed, the items in the
// order in which they were first put. A zeroed map is empty. Allocation fails as the arena's does.
#ifndef NN_COMPILER_BASE_MAP_H
#define NN_COMPILER_BASE_MAP_H

#include <stddef.h>

#include "compiler/base/hash_index.h"

struct map_item {
  const void *key;
  void *value;
};

struct map {
  struct hash_index index;
  struct map_item *items;
  size_t count, capacity;
};

// By address. NULL when the key is not there. A map is used by address or by text, not both.
void *map_get(const struct map *map, const void *key);
// Adds the key or replaces its value; the key stays the caller's.
void map_put(struct arena *arena, struct map *map, const void *key, void *value);

// By text: equal strings are one key.
void *map_get_text(const struct map *map, const char *key);
void map_put_text(struct arena *arena, struct map *map, const char *key, void *value);

#endif

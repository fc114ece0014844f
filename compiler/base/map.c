#include "compiler/base/map.h"

#include <string.h>

#include "compiler/base/arena.h"

// What is looked for, and where.
struct search {
  const struct map *map;
  const void *key;
};

static bool is_address(const void *context, uint32_t item) {
  const struct search *search = context;
  return search->map->items[item].key == search->key;
}

static bool is_text(const void *context, uint32_t item) {
  const struct search *search = context;
  return strcmp(search->map->items[item].key, search->key) == 0;
}

static uint64_t hash_of_address(const void *key) { return hash_mix(0, (uint64_t)(uintptr_t)key); }

static uint64_t hash_of_text(const char *key) {
  // FNV-1a, 64 bits (Fowler, Noll, Vo).
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *key; key++)
    hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
  return hash;
}

static struct map_item *find(const struct map *map, uint64_t hash, hash_index_equal *equal, const void *key) {
  const struct search search = {map, key};
  uint32_t item = hash_index_find(&map->index, hash, equal, &search);
  return item == HASH_INDEX_NONE ? NULL : &map->items[item];
}

static void put(struct arena *arena, struct map *map, uint64_t hash, hash_index_equal *equal,
                struct map_item item) {
  struct map_item *there = find(map, hash, equal, item.key);
  if (there) {
    there->value = item.value;
    return;
  }
  if (!map->index.arena)
    map->index = hash_index_new(arena);
  hash_index_add(&map->index, hash, (uint32_t)map->count);
  arena_push(arena, map, item);
}

void *map_get(const struct map *map, const void *key) {
  const struct map_item *item = find(map, hash_of_address(key), is_address, key);
  return item ? item->value : NULL;
}

void map_put(struct arena *arena, struct map *map, const void *key, void *value) {
  put(arena, map, hash_of_address(key), is_address, (struct map_item){key, value});
}

void *map_get_text(const struct map *map, const char *key) {
  const struct map_item *item = find(map, hash_of_text(key), is_text, key);
  return item ? item->value : NULL;
}

void map_put_text(struct arena *arena, struct map *map, const char *key, void *value) {
  put(arena, map, hash_of_text(key), is_text, (struct map_item){key, value});
}

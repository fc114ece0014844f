// The disk cache of compiled objects: one file per key in one folder. Part of jit.c's implementation.
//
// Several processes may use one folder: files are written under a temporary name and renamed, and a file that
// vanishes or is damaged counts as absent. No call reports an error, because a cache that fails only costs
// time.
#ifndef NN_RUNTIME_JIT_JIT_CACHE_H
#define NN_RUNTIME_JIT_JIT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jit_key {
  uint64_t low, high;
};

struct jit_cache {
  char *folder;    // NULL: disabled
  uint64_t limit;  // bytes
};

// `folder` as in struct jit_options.
void jit_cache_init(struct jit_cache *, const char *folder, uint64_t limit);
void jit_cache_free(struct jit_cache *);
// The object (malloc'd), or NULL when there is none.
void *jit_cache_read(const struct jit_cache *, struct jit_key, size_t *bytes);
void jit_cache_write(const struct jit_cache *, struct jit_key, const void *object, size_t bytes);
// Removes the entries used longest ago until what is left fits in three quarters of the limit; does nothing
// while the limit is kept.
void jit_cache_trim(const struct jit_cache *);

#endif

// The disk cache of compiled objects: one file per key in one folder. Part of jit.c's implementation.
//
// Several processes may use one folder: files are written under a temporary name and renamed, and a file that
// vanishes or is damaged counts as absent. No call reports an error, because a cache that fails only costs
// time.
//
// What is read is executed, so it must be the user's own: the folder and each entry belong to the effective user,
// nobody else may write to them, and neither is a link. The folder is opened once, and all goes through that
// descriptor. (A checksum guards against damage only: whoever can write an entry can write its checksum.)
#ifndef NN_RUNTIME_JIT_JIT_CACHE_H
#define NN_RUNTIME_JIT_JIT_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jit_key {
  uint64_t low, high;
};

struct jit_cache {
  int folder;                // -1: disabled
  uint64_t limit;            // bytes
  atomic_int problem_state;  // 0: none, 1: being written, 2: `problem` stands
  char problem[512];
};

// `folder` as in struct jit_options.
void jit_cache_init(struct jit_cache *, const char *folder, uint64_t limit);
void jit_cache_free(struct jit_cache *);
// Neither reads nor writes any more.
void jit_cache_disable(struct jit_cache *, const char *why);
// Why the folder or an entry was not used, when the user should know: NULL or the first such message.
const char *jit_cache_problem(const struct jit_cache *);
// The object (malloc'd), or NULL when there is none.
void *jit_cache_read(struct jit_cache *, struct jit_key, size_t *bytes);
void jit_cache_write(struct jit_cache *, struct jit_key, const void *object, size_t bytes);
// Removes what killed processes left half-written, and the entries used longest ago until what is left fits in three
// quarters of the limit; no entry while the limit is kept.
void jit_cache_trim(const struct jit_cache *);

#endif

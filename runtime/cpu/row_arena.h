// Memory for the rows of a minibatch: one mapping that grows, addressed by 32-bit offsets in units of
// NN_LANES elements.
//
// Growing may move the mapping, so pointers are made from offsets right before use. Reset keeps the memory.
// Fresh pages are zero; pages that were used before hold what they held.
#ifndef NN_RUNTIME_CPU_ROW_ARENA_H
#define NN_RUNTIME_CPU_ROW_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct row_arena {
  char *base;
  size_t mapped;  // bytes
  size_t unit;    // bytes of NN_LANES elements
  uint32_t used;  // units
};

void row_arena_init(struct row_arena *, size_t element_bytes);
void row_arena_free(struct row_arena *);
static inline void row_arena_reset(struct row_arena *arena) { arena->used = 0; }

// Room for `rows` rows of `units` units each; false when memory or the 32-bit offsets are exhausted.
bool row_arena_alloc(struct row_arena *, uint64_t rows, uint64_t units, uint32_t *offset);
// Makes sure that the first `units` units are mapped.
bool row_arena_reserve(struct row_arena *, uint64_t units);

static inline char *row_arena_at(const struct row_arena *arena, uint32_t offset) {
  return arena->base + (size_t)offset * arena->unit;
}

#endif

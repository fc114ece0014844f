// Rows of a minibatch in one growing mapping.
#include "runtime/cpu/row_arena.h"

#include <sys/mman.h>

#include "runtime/batch/row.h"

// Kernels may read a whole vector past the last element of a row; a page of slack covers any such read.
enum { SLACK = 4096, FIRST = 1 << 20 };

void row_arena_init(struct row_arena *arena, size_t element_bytes) {
  *arena = (struct row_arena){.unit = element_bytes * NN_LANES};
}

void row_arena_free(struct row_arena *arena) {
  if (arena->base)
    munmap(arena->base, arena->mapped);
  arena->base = NULL;
  arena->mapped = 0;
  arena->used = 0;
}

bool row_arena_reserve(struct row_arena *arena, uint64_t units) {
  if (units > UINT32_MAX - 1)
    return false;
  size_t bytes = (size_t)units * arena->unit + SLACK;
  if (bytes <= arena->mapped)
    return true;
  size_t grown = arena->mapped ? arena->mapped * 2 : FIRST;
  while (grown < bytes)
    grown *= 2;
  void *base = arena->base ? mremap(arena->base, arena->mapped, grown, MREMAP_MAYMOVE)
                           : mmap(NULL, grown, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return false;
  // Rows are visited all over the mapping: small pages would miss the TLB on every one.
  madvise(base, grown, MADV_HUGEPAGE);
  arena->base = base;
  arena->mapped = grown;
  return true;
}

bool row_arena_alloc(struct row_arena *arena, uint64_t rows, uint64_t units, uint32_t *offset) {
  uint64_t wanted;
  if (__builtin_mul_overflow(rows, units, &wanted) || wanted > UINT32_MAX)
    return false;
  if (!row_arena_reserve(arena, arena->used + wanted))
    return false;
  *offset = arena->used;
  arena->used += (uint32_t)wanted;
  return true;
}

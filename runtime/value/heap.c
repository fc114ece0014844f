// Blocks by size class, in chunks from a pool.
#include "runtime/value/heap.h"

#include <stdlib.h>
#include <string.h>

#define UNIT ((size_t)16)
#define LARGEST_CLASS ((size_t)64 << 10)
#define CHUNK_FIRST_LOG2 12
#define CHUNK_MOST_LOG2 18
#define POOL_BYTES_KEPT ((size_t)256 << 20)
// Chunks double: an example with little wastes little, one with much has few of them.

struct heap_chunk {
  struct heap_chunk *next;
  unsigned log2;  // of its bytes, this header included
  _Alignas(16) char memory[];
};

struct heap_large {
  struct heap_large *next, **link;  // `link` is what points here
  size_t bytes;
  _Alignas(16) char memory[];
};

// The class of a request and, in *bytes, the size of its blocks. Larger requests than LARGEST_CLASS have none.
static unsigned class_of(size_t *bytes) {
  size_t units = *bytes ? (*bytes + UNIT - 1) / UNIT : 1;
  if (units <= 16) {
    *bytes = units * UNIT;
    return (unsigned)units - 1;
  }
  unsigned shift = 61 - (unsigned)__builtin_clzll(units - 1);  // leaves three bits of units - 1
  size_t step = (units - 1) >> shift;                          // 4 to 7
  *bytes = (step + 1) << shift << 4;
  return 16 + (shift - 2) * 4 + (unsigned)(step - 4);
}

static bool is_large(size_t bytes) { return bytes > LARGEST_CLASS; }

// log2 of the next chunk, with room for `bytes`.
static unsigned chunk_log2(const struct heap *heap, size_t bytes) {
  unsigned log2 = heap->chunks ? heap->chunks->log2 + 1 : CHUNK_FIRST_LOG2;
  if (log2 > CHUNK_MOST_LOG2)
    log2 = CHUNK_MOST_LOG2;
  while (((size_t)1 << log2) < bytes + sizeof(struct heap_chunk))
    log2++;
  return log2;
}

size_t heap_growth(const struct heap *heap, size_t bytes) {
  if (is_large(bytes))
    return bytes + sizeof(struct heap_large);
  class_of(&bytes);
  return (size_t)1 << chunk_log2(heap, bytes);
}

static void hold(struct heap *heap, size_t bytes) {
  heap->held += bytes;
  heap->pool->held += bytes;
}

static void *alloc_large(struct heap *heap, size_t bytes) {
  if (bytes > SIZE_MAX / 2)
    return NULL;
  struct heap_large *large = malloc(sizeof *large + bytes);
  if (!large)
    return NULL;
  *large = (struct heap_large){heap->large, &heap->large, bytes};
  if (large->next)
    large->next->link = &large->next;
  heap->large = large;
  heap->live += bytes;
  hold(heap, bytes + sizeof *large);
  return large->memory;
}

static bool add_chunk(struct heap *heap, size_t bytes) {
  unsigned log2 = chunk_log2(heap, bytes);
  struct heap_chunk **free_chunks = &heap->pool->free[log2 - CHUNK_FIRST_LOG2], *chunk = *free_chunks;
  if (chunk) {
    *free_chunks = chunk->next;
    heap->pool->kept -= (size_t)1 << log2;
  } else {
    chunk = malloc((size_t)1 << log2);
    if (!chunk)
      return false;
    chunk->log2 = log2;
  }
  chunk->next = heap->chunks;
  heap->chunks = chunk;
  hold(heap, (size_t)1 << log2);
  heap->next = chunk->memory;
  heap->end = (char *)chunk + ((size_t)1 << log2);
  return true;
}

void *heap_reuse(struct heap *heap, size_t bytes) {
  if (is_large(bytes))
    return NULL;
  unsigned class = class_of(&bytes);
  void *memory = heap->free[class];
  if (memory) {
    heap->free[class] = *(void **)memory;
  } else {
    if (bytes > (size_t)(heap->end - heap->next))
      return NULL;
    memory = heap->next;
    heap->next += bytes;
  }
  heap->live += bytes;
  return memory;
}

void *heap_alloc(struct heap *heap, size_t bytes) {
  if (is_large(bytes))
    return alloc_large(heap, bytes);
  void *memory = heap_reuse(heap, bytes);
  if (memory)
    return memory;
  size_t rounded = bytes;
  class_of(&rounded);
  return add_chunk(heap, rounded) ? heap_reuse(heap, bytes) : NULL;
}

static void free_large(struct heap *heap, struct heap_large *large) {
  *large->link = large->next;
  if (large->next)
    large->next->link = large->link;
  heap->held -= large->bytes + sizeof *large;
  heap->pool->held -= large->bytes + sizeof *large;
  free(large);
}

void heap_free(struct heap *heap, void *memory, size_t bytes) {
  if (is_large(bytes)) {
    heap->live -= bytes;
    free_large(heap, (struct heap_large *)((char *)memory - offsetof(struct heap_large, memory)));
    return;
  }
  unsigned class = class_of(&bytes);
  heap->live -= bytes;
  if (heap->pool->scribbles)
    memset(memory, 0xdb, bytes);
  *(void **)memory = heap->free[class];
  heap->free[class] = memory;
}

void heap_clear(struct heap *heap) {
  struct heap_pool *pool = heap->pool;
  while (heap->large)
    free_large(heap, heap->large);
  while (heap->chunks) {
    struct heap_chunk *chunk = heap->chunks;
    heap->chunks = chunk->next;
    size_t bytes = (size_t)1 << chunk->log2;
    pool->held -= bytes;
    if (pool->kept + bytes > POOL_BYTES_KEPT) {
      free(chunk);
      continue;
    }
    struct heap_chunk **free_chunks = &pool->free[chunk->log2 - CHUNK_FIRST_LOG2];
    chunk->next = *free_chunks;
    *free_chunks = chunk;
    pool->kept += bytes;
  }
  *heap = (struct heap){.pool = pool};
}

void heap_pool_clear(struct heap_pool *pool) {
  for (size_t i = 0; i < sizeof pool->free / sizeof *pool->free; i++) {
    while (pool->free[i]) {
      struct heap_chunk *chunk = pool->free[i];
      pool->free[i] = chunk->next;
      free(chunk);
    }
  }
  pool->kept = 0;
}

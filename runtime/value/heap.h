// Memory of the lists and data that one running example makes: blocks are given back as soon as nothing refers
// to them, and used again by size class.
//
// Every example has a heap of its own, so that what one takes has a limit that does not depend on its minibatch,
// and so that an example that failed can be forgotten as a whole. Heaps take chunks from a pool, which belongs
// to a session and keeps them from minibatch to minibatch. A pool and its heaps belong to one thread at a time.
#ifndef NN_RUNTIME_VALUE_HEAP_H
#define NN_RUNTIME_VALUE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Blocks of up to 64 KiB: by 16 bytes up to 256, then four classes a doubling. Larger ones are the system's.
enum { HEAP_CLASSES = 48 };

struct heap_chunk;
struct heap_large;

struct heap_pool {
  struct heap_chunk *free[8];  // by size, 4 KiB doubling
  size_t kept;                 // bytes of these
  size_t held;                 // by all heaps together
  bool scribbles;              // over blocks that are given back: for tests
};

// All zero but for the pool: empty.
struct heap {
  struct heap_pool *pool;
  char *next, *end;           // free part of the newest chunk
  struct heap_chunk *chunks;  // newest first
  struct heap_large *large;
  void *free[HEAP_CLASSES];  // blocks given back, linked through their first word
  size_t live;               // bytes handed out and not given back, as rounded
  size_t held;               // bytes taken from the pool and the system
};

// 16-byte aligned, contents undefined. heap_reuse: from what the heap holds already, NULL when it must take more;
// heap_growth says how much. heap_alloc takes it: NULL when the system has no memory.
void *heap_reuse(struct heap *, size_t bytes);
size_t heap_growth(const struct heap *, size_t bytes);
void *heap_alloc(struct heap *, size_t bytes);
// `bytes` as they were asked for.
void heap_free(struct heap *, void *, size_t bytes);
// Forgets everything that was allocated.
void heap_clear(struct heap *);

// Gives the memory back to the system. Every heap must have been cleared.
void heap_pool_clear(struct heap_pool *);

#endif

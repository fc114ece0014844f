// Bump allocation in chunks, and arrays and texts within it.
#include "compiler/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Large enough that a model of ordinary size needs a handful of chunks, small enough not to matter in a test.
#define CHUNK_BYTES ((size_t)64 * 1024)
#define ALIGNMENT alignof(max_align_t)

struct arena_chunk {
  struct arena_chunk *next;
  size_t used;
  size_t capacity;
  alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *arena) { *arena = (struct arena){0}; }

void arena_free(struct arena *arena) {
  struct arena_chunk *chunk = arena->chunks;
  while (chunk) {
    struct arena_chunk *next = chunk->next;
    free(chunk);
    chunk = next;
  }
  arena->chunks = NULL;
  arena->total_bytes = 0;
}

_Noreturn void arena_out_of_memory(struct arena *arena) {
  if (arena->on_out_of_memory)
    longjmp(*arena->on_out_of_memory, 1);
  fputs("out of memory\n", stderr);
  exit(EXIT_FAILURE);
}

bool arena_attempt(struct arena *arena, void (*body)(void *context), void *context) {
  jmp_buf here, *outer = arena->on_out_of_memory;
  if (setjmp(here) != 0) {
    arena->on_out_of_memory = outer;
    return false;
  }
  arena->on_out_of_memory = &here;
  body(context);
  arena->on_out_of_memory = outer;
  return true;
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t bytes) {
  size_t capacity = bytes > CHUNK_BYTES / 4 ? bytes : CHUNK_BYTES;
  if (capacity > SIZE_MAX - sizeof(struct arena_chunk))
    return NULL;
  // calloc gives zeroed pages for nothing, which is what arena_alloc promises.
  struct arena_chunk *chunk = calloc(1, sizeof *chunk + capacity);
  if (!chunk)
    return NULL;
  chunk->capacity = capacity;
  if (capacity != CHUNK_BYTES && arena->chunks) {
    // An outsize allocation has a chunk to itself, behind the one being filled.
    chunk->next = arena->chunks->next;
    arena->chunks->next = chunk;
  } else {
    chunk->next = arena->chunks;
    arena->chunks = chunk;
  }
  return chunk;
}

void *arena_try_alloc(struct arena *arena, size_t bytes) {
  if (bytes > SIZE_MAX - ALIGNMENT)
    return NULL;
  size_t rounded = bytes ? (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
  struct arena_chunk *chunk = arena->chunks;
  if (!chunk || chunk->capacity - chunk->used < rounded) {
    chunk = add_chunk(arena, rounded);
    if (!chunk)
      return NULL;
  }
  void *memory = chunk->bytes + chunk->used;
  chunk->used += rounded;
  arena->total_bytes += rounded;
  return memory;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
  void *memory = arena_try_alloc(arena, bytes);
  if (!memory)
    arena_out_of_memory(arena);
  return memory;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes))
    arena_out_of_memory(arena);
  return arena_alloc(arena, bytes);
}

void *arena_grow_array(struct arena *arena, const void *old, size_t old_count, size_t new_count,
                       size_t size) {
  assert(new_count >= old_count);
  void *grown = arena_alloc_array(arena, new_count, size);
  if (old_count)
    memcpy(grown, old, old_count * size);
  return grown;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length) {
  char *copy = arena_alloc(arena, length + 1);
  memcpy(copy, text, length);
  return copy;
}

char *arena_strdup(struct arena *arena, const char *text) { return arena_strndup(arena, text, strlen(text)); }

char *arena_vprintf(struct arena *arena, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  if (length < 0) {
    va_end(again);
    arena_out_of_memory(arena);
  }
  char *text = arena_try_alloc(arena, (size_t)length + 1);
  if (text)
    vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  if (!text)
    arena_out_of_memory(arena);
  return text;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = arena_vprintf(arena, format, args);
  va_end(args);
  return text;
}

// The arena of host values, and values built outside of examples: by the readers of data. The contract is in
// value.h.
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/value/value.h"

#define ARENA_ALIGN 16
#define CHUNK_BYTES_FIRST ((size_t)64 << 10)
#define CHUNK_BYTES_MOST ((size_t)16 << 20)
// A reset keeps this much; what one unusual minibatch needed beyond it goes back to the system.
#define ARENA_BYTES_KEPT ((size_t)256 << 20)

struct chunk {
  struct chunk *next;  // filled after this one
  size_t bytes;        // of memory
  _Alignas(ARENA_ALIGN) char memory[];
};

struct value_arena {
  char *next, *end;  // free part of the current chunk
  struct chunk *first, *current;
  size_t before;  // handed out from the chunks before the current one
  jmp_buf *on_out_of_memory;
};

struct value_arena *value_arena_new(void) {
  return calloc(1, sizeof(struct value_arena));
}

void value_arena_catch(struct value_arena *arena, jmp_buf *on_out_of_memory) {
  arena->on_out_of_memory = on_out_of_memory;
}

size_t value_arena_bytes(const struct value_arena *arena) {
  return arena->current ? arena->before + (size_t)(arena->next - arena->current->memory) : 0;
}

static void enter_chunk(struct value_arena *arena, struct chunk *chunk) {
  arena->current = chunk;
  arena->next = chunk->memory;
  arena->end = chunk->memory + chunk->bytes;
}

static void free_chunks(struct chunk *chunk) {
  while (chunk) {
    struct chunk *next = chunk->next;
    free(chunk);
    chunk = next;
  }
}

// A chunk with room for `bytes`, after the current one. false when memory is exhausted.
static bool add_chunk(struct value_arena *arena, size_t bytes) {
  struct chunk *current = arena->current;
  arena->before = value_arena_bytes(arena);
  struct chunk **link = current ? &current->next : &arena->first;
  // Chunks kept by a reset come first; those too small for this request are passed over, and reached again
  // only after the next reset.
  while (*link && (*link)->bytes < bytes)
    link = &(*link)->next;
  if (!*link) {
    size_t size = current ? 2 * current->bytes : CHUNK_BYTES_FIRST;
    size = size > CHUNK_BYTES_MOST ? CHUNK_BYTES_MOST : size;
    size = size < bytes ? bytes : size;
    struct chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
      return false;
    *chunk = (struct chunk){.bytes = size};
    *link = chunk;
  }
  enter_chunk(arena, *link);
  return true;
}

// NULL when memory is exhausted.
static void *try_alloc(struct value_arena *arena, size_t bytes) {
  bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
  if (bytes > (size_t)(arena->end - arena->next) && !add_chunk(arena, bytes))
    return NULL;
  void *memory = arena->next;
  arena->next += bytes;
  return memory;
}

void *value_arena_try(struct value_arena *arena, size_t bytes) {
  return bytes <= SIZE_MAX / 2 ? try_alloc(arena, bytes) : NULL;
}

void *value_arena_alloc(struct value_arena *arena, size_t bytes) {
  void *memory = value_arena_try(arena, bytes);
  if (memory)
    return memory;
  if (arena->on_out_of_memory)
    longjmp(*arena->on_out_of_memory, 1);
  fputs("nn: out of memory\n", stderr);
  abort();
}

void value_arena_reset(struct value_arena *arena) {
  size_t kept = 0;
  for (struct chunk **link = &arena->first; *link; link = &(*link)->next) {
    kept += (*link)->bytes;
    if (kept > ARENA_BYTES_KEPT) {
      free_chunks(*link);
      *link = NULL;
      break;
    }
  }
  arena->before = 0;
  if (arena->first)
    enter_chunk(arena, arena->first);
  else
    arena->current = NULL, arena->next = arena->end = NULL;
}

void value_arena_free(struct value_arena *arena) {
  if (!arena)
    return;
  free_chunks(arena->first);
  free(arena);
}

// ------------------------------------------------------------------------------------------ values

struct value_data *value_data_new(struct value_arena *arena, uint64_t tag, uint32_t n_slots,
                                  const uint64_t *slots) {
  struct value_data *data = value_arena_try(arena, sizeof *data + n_slots * sizeof *slots);
  if (!data)
    return NULL;
  *data = (struct value_data){.tag = (uint32_t)tag};
  if (n_slots)
    memcpy(data->slots, slots, n_slots * sizeof *slots);
  return data;
}

// The buffer is full from the start: whoever appends has to copy, so lists of a data set never change.
struct value_list *value_list_new(struct value_arena *arena, uint32_t width, uint64_t length,
                                  const uint64_t *slots) {
  struct value_list *list = value_arena_try(arena, sizeof *list);
  size_t bytes = length * width * sizeof *slots;
  struct value_buffer *buffer = value_arena_try(arena, sizeof *buffer + bytes);
  if (!list || !buffer)
    return NULL;
  *buffer = (struct value_buffer){.used = length, .capacity = length, .width = width};
  if (bytes)
    memcpy(buffer->slots, slots, bytes);
  *list = (struct value_list){.buffer = buffer, .length = length};
  return list;
}

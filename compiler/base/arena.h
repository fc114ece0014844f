// A bump arena: everything that lives as long as one compilation (sources, tokens, AST, types, diagnostics) is
// allocated here and released at once by arena_free. A module of the IR has an arena of its own, and a pass one
// for its scratch.
//
// Errors: allocation never returns NULL. When memory runs out, control goes to `on_out_of_memory` by longjmp
// when one is set (nnc_compile sets it and returns a status); otherwise the process ends with a message.
// Because all that the front end owns lies in the arena, that jump leaks nothing.
#ifndef NN_COMPILER_BASE_ARENA_H
#define NN_COMPILER_BASE_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
  struct arena_chunk *chunks;  // newest first; the newest is the one being filled
  size_t total_bytes;          // handed out so far, for statistics and limits
  jmp_buf *on_out_of_memory;   // may be NULL
};

void arena_init(struct arena *arena);
// Calls body(context); false when memory ran out in it, and `body` was left where it did. `on_out_of_memory` is
// afterwards what it was.
bool arena_attempt(struct arena *arena, void (*body)(void *context), void *context);
// Releases every allocation; the arena can be used again.
void arena_free(struct arena *arena);

// Zeroed memory, aligned for any type. A size of 0 gives a valid pointer.
void *arena_alloc(struct arena *arena, size_t bytes);
// The same, but NULL when memory runs out: for code that holds something which the jump would leak.
void *arena_try_alloc(struct arena *arena, size_t bytes);
// count * size with an overflow check.
void *arena_alloc_array(struct arena *arena, size_t count, size_t size);
// What allocation does when there is no memory, for code that has its own reasons to say so.
_Noreturn void arena_out_of_memory(struct arena *arena);
// A larger copy of an array; the old one stays until arena_free. New elements are zero.
void *arena_grow_array(struct arena *arena, const void *old, size_t old_count, size_t new_count, size_t size);

char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

// `struct foo *foo = arena_new(arena, struct foo);`
#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_new_array(arena, type, count) ((type *)arena_alloc_array((arena), (count), sizeof(type)))

// Appends to any struct that has `items`, `count` and `capacity` (see AST_LIST in ast.h).
#define arena_push(arena, list, item)                                                                        \
  do {                                                                                                       \
    if ((list)->count == (list)->capacity) {                                                                 \
      size_t grown_ = (list)->capacity ? (list)->capacity * 2 : 4;                                           \
      (list)->items = arena_grow_array((arena), (list)->items, (list)->count, grown_,                        \
                                       sizeof *(list)->items);                                               \
      (list)->capacity = grown_;                                                                             \
    }                                                                                                        \
    (list)->items[(list)->count++] = (item);                                                                 \
  } while (0)

#endif

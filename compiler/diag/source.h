// Source files and positions in them. A position is a byte offset; line and column are computed only when a
// diagnostic is rendered.
#ifndef NN_COMPILER_DIAG_SOURCE_H
#define NN_COMPILER_DIAG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/base/arena.h"
#include "compiler/base/files.h"

// Bytes [lo, hi) of one file. File 0 is "nowhere" (the command line, a builtin).
struct span {
  uint32_t file;
  uint32_t lo;
  uint32_t hi;
};

#define SPAN_NONE ((struct span){0, 0, 0})

// The smallest span that covers both (of one file; otherwise `a`). SPAN_NONE is neutral.
struct span span_join(struct span a, struct span b);
// The empty span just after / at the beginning of `a`.
struct span span_after(struct span a);
struct span span_before(struct span a);

struct source_file {
  uint32_t id;       // 1, 2, ... ; index in the set + 1
  const char *path;  // as shown to the user
  const char *name;  // as stored in modules, where no building machine's folders belong; at first the path
  const char *text;  // NUL-terminated after `length` bytes; may also contain NULs
  uint32_t length;
  uint32_t *line_starts;  // made on first use
  uint32_t line_count;
  // a place whose column is known, so that long lines are not counted through each time
  uint32_t known_offset;
  uint32_t known_column;  // 0: none yet
};

// Every file of a compilation. Owned by the arena given to source_set_init.
struct source_set {
  struct arena *arena;
  struct source_file **items;  // items[i]->id == i + 1
  size_t count;
  size_t capacity;
};

// 1-based line; 1-based column in code points (a tab counts as one).
struct source_position {
  uint32_t line;
  uint32_t column;
};

// The longest file accepted: positions are 32-bit and flex takes int lengths.
#define SOURCE_LENGTH_LIMIT (64u * 1024 * 1024)

void source_set_init(struct source_set *set, struct arena *arena);
// Reads a file. NULL when that fails; then *error is a message in the arena ("No such file or directory").
struct source_file *source_load(struct source_set *set, const char *path, enum file_accepted accepted,
                                const char **error);
// A copy of text that is already in memory; `path` is only for show.
struct source_file *source_add_text(struct source_set *set, const char *path, const char *text,
                                    size_t length);
// NULL for file 0.
struct source_file *source_get(const struct source_set *set, uint32_t file);

struct source_position source_position(const struct source_set *set, uint32_t file, uint32_t offset);
// The other way; the end of the line when it is shorter.
uint32_t source_offset(const struct source_set *set, uint32_t file, struct source_position position);
// The line's bytes, without its newline. `line` is 1-based.
const char *source_line(const struct source_set *set, uint32_t file, uint32_t line, size_t *length);

#endif

// Source files in memory, and from byte offsets to lines and columns.
#include "compiler/diag/source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct span span_join(struct span a, struct span b) {
  if (a.file == 0)
    return b;
  if (b.file != a.file)
    return a;
  return (struct span){a.file, a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

struct span span_after(struct span a) {
  return (struct span){a.file, a.hi, a.hi};
}

struct span span_before(struct span a) {
  return (struct span){a.file, a.lo, a.lo};
}

void source_set_init(struct source_set *set, struct arena *arena) {
  *set = (struct source_set){.arena = arena};
}

static struct source_file *add_file(struct source_set *set, const char *path, const char *text,
                                    size_t length) {
  struct source_file *file = arena_new(set->arena, struct source_file);
  file->path = file->name = arena_strdup(set->arena, path);
  file->text = text;
  file->length = (uint32_t)length;
  arena_push(set->arena, set, file);
  file->id = (uint32_t)set->count;
  return file;
}

// Reads everything, whatever the size that stat reports: it is 0 for pipes. The stream stays open. NULL without an
// error: there is no memory.
static const char *read_stream(struct arena *arena, FILE *stream, size_t size_hint, size_t *length,
                               const char **error) {
  size_t capacity = size_hint < SOURCE_LENGTH_LIMIT ? size_hint + 1 : SOURCE_LENGTH_LIMIT + 1;
  if (capacity < 4096)
    capacity = 4096;
  size_t used = 0;
  char *buffer = arena_try_alloc(arena, capacity + 1);
  while (buffer) {
    size_t got = fread(buffer + used, 1, capacity - used, stream);
    used += got;
    if (got == 0 || used > SOURCE_LENGTH_LIMIT)
      break;
    if (used < capacity)
      continue;
    char *larger = arena_try_alloc(arena, capacity * 2 + 1);
    if (larger)
      memcpy(larger, buffer, used);
    buffer = larger;
    capacity *= 2;
  }
  if (!buffer)
    return NULL;
  if (used > SOURCE_LENGTH_LIMIT) {
    *error = "the file is larger than 64 MiB";
    return NULL;
  }
  buffer[used] = '\0';
  *length = used;
  return buffer;
}

struct source_file *source_load(struct source_set *set, const char *path, enum file_accepted accepted,
                                const char **error) {
  const char *problem = NULL;
  int descriptor = file_open(path, accepted, &problem);
  FILE *stream = descriptor >= 0 ? fdopen(descriptor, "rb") : NULL;
  struct stat status;
  if (!stream || fstat(descriptor, &status) != 0) {
    *error = arena_strdup(set->arena, descriptor < 0 ? problem : strerror(errno));
    if (stream)
      fclose(stream);
    else if (descriptor >= 0)
      close(descriptor);
    return NULL;
  }
  size_t length = 0;
  *error = NULL;
  const char *text = read_stream(set->arena, stream, status.st_size > 0 ? (size_t)status.st_size : 0, &length,
                                 error);
  if (text && ferror(stream)) {
    *error = "reading it failed";
    text = NULL;
  }
  fclose(stream);
  if (!text && !*error)
    arena_out_of_memory(set->arena);
  return text ? add_file(set, path, text, length) : NULL;
}

struct source_file *source_add_text(struct source_set *set, const char *path, const char *text,
                                    size_t length) {
  assert(length <= SOURCE_LENGTH_LIMIT);
  return add_file(set, path, arena_strndup(set->arena, text, length), length);
}

struct source_file *source_get(const struct source_set *set, uint32_t file) {
  return file >= 1 && file <= set->count ? set->items[file - 1] : NULL;
}

static void index_lines(struct arena *arena, struct source_file *file) {
  if (file->line_starts)
    return;
  uint32_t lines = 1;
  for (uint32_t i = 0; i < file->length; i++)
    lines += file->text[i] == '\n';
  uint32_t *starts = arena_new_array(arena, uint32_t, lines);
  uint32_t line = 1;
  for (uint32_t i = 0; i < file->length; i++) {
    if (file->text[i] == '\n')
      starts[line++] = i + 1;
  }
  file->line_count = lines;
  file->line_starts = starts;
}

// The 0-based line that holds the offset.
static uint32_t line_of(const struct source_file *file, uint32_t offset) {
  uint32_t low = 0;
  uint32_t high = file->line_count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (file->line_starts[middle] <= offset)
      low = middle;
    else
      high = middle;
  }
  return low;
}

static uint32_t code_points(const struct source_file *file, uint32_t from, uint32_t to) {
  uint32_t count = 0;
  for (uint32_t i = from; i < to; i++)  // a continuation byte belongs to the code point that has been counted
    count += ((unsigned char)file->text[i] & 0xC0) != 0x80;
  return count;
}

struct source_position source_position(const struct source_set *set, uint32_t file_id, uint32_t offset) {
  struct source_file *file = source_get(set, file_id);
  if (!file)
    return (struct source_position){0, 0};
  index_lines(set->arena, file);
  if (offset > file->length)
    offset = file->length;
  uint32_t line = line_of(file, offset);
  uint32_t start = file->line_starts[line], column;
  bool is_near = file->known_column && file->known_offset >= start &&
                 line_of(file, file->known_offset) == line;
  if (is_near && offset >= file->known_offset)
    column = file->known_column + code_points(file, file->known_offset, offset);
  else if (is_near && file->known_offset - offset < offset - start)
    column = file->known_column - code_points(file, offset, file->known_offset);
  else
    column = 1 + code_points(file, start, offset);
  file->known_offset = offset;
  file->known_column = column;
  return (struct source_position){line + 1, column};
}

uint32_t source_offset(const struct source_set *set, uint32_t file, struct source_position position) {
  size_t length, at = 0;
  const char *line = source_line(set, file, position.line, &length);
  for (uint32_t column = 1; at < length && column < position.column; column++)
    for (at++; at < length && ((unsigned char)line[at] & 0xC0) == 0x80; at++)
      ;
  return line[0] ? (uint32_t)(line + at - source_get(set, file)->text) : 0;
}

const char *source_line(const struct source_set *set, uint32_t file_id, uint32_t line, size_t *length) {
  struct source_file *file = source_get(set, file_id);
  *length = 0;
  if (!file)
    return "";
  index_lines(set->arena, file);
  if (line < 1 || line > file->line_count)
    return "";
  uint32_t start = file->line_starts[line - 1];
  uint32_t end = line < file->line_count ? file->line_starts[line] - 1 : file->length;
  if (end > start && file->text[end - 1] == '\r')
    end--;
  *length = end - start;
  return file->text + start;
}

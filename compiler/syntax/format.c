// Formatting: layout and, before anybody sees the result, the proof that nothing but layout has changed.
#include "compiler/syntax/format.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/base/text.h"
#include "compiler/syntax/ast_print.h"
#include "compiler/syntax/format_layout.h"
#include "compiler/syntax/parse.h"

// The tree with every group in parentheses, malloc'd; NULL without memory.
static char *print_tree(const struct ast_file *file) {
  struct text text;
  FILE *out = text_open(&text);
  if (!out)
    return NULL;
  ast_print_file(file, out, &(struct ast_print_options){.all_parentheses = true});
  return text_close(&text);
}

static bool same_tree(struct arena *arena, const struct ast_file *a, const struct ast_file *b) {
  char *one = print_tree(a), *other = print_tree(b);
  bool has_memory = one && other, same = has_memory && strcmp(one, other) == 0;
  free(one);
  free(other);
  if (!has_memory)
    arena_out_of_memory(arena);
  return same;
}

// The comments, in order, are the same.
static bool same_comments(const struct format_layout *a, const struct format_layout *b) {
  size_t i = 0, k = 0;
  for (;; i++, k++) {
    while (i < a->lines.count && !a->lines.items[i].comment)
      i++;
    while (k < b->lines.count && !b->lines.items[k].comment)
      k++;
    if (i == a->lines.count || k == b->lines.count)
      return i == a->lines.count && k == b->lines.count;
    const struct format_line *one = &a->lines.items[i], *other = &b->lines.items[k];
    if (one->comment_length != other->comment_length ||
        memcmp(one->comment, other->comment, one->comment_length) != 0)
      return false;
  }
}

static const char *lay_out(struct format_layout *layout, size_t *length) {
  format_indent(layout);
  return format_write(layout, length);
}

// Why the text must not take the place of the file; NULL: it may.
static const char *find_difference(struct arena *arena, struct source_set *sources, const char *path,
                                   const struct ast_file *file, const struct format_layout *layout,
                                   const char *text, size_t length) {
  if (length > SOURCE_LENGTH_LIMIT)
    return "the formatted text is larger than 64 MiB";
  struct source_file *again = source_add_text(sources, path, text, length);
  struct diag_sink sink;
  diag_sink_init(&sink, arena, sources);
  const struct ast_file *reread = parse_file(arena, &sink, again);
  if (!reread)
    return "the formatted text would have a syntax error";
  if (!same_tree(arena, file, reread))
    return "the formatted text would be another program";
  struct format_layout second = format_read(arena, again);
  if (!same_comments(layout, &second))
    return "a comment would be lost";
  size_t second_length;
  const char *second_text = lay_out(&second, &second_length);
  if (second_length != length || memcmp(text, second_text, length) != 0)
    return "the formatted text would change when it is formatted again";
  return NULL;
}

const char *format_file(struct arena *arena, struct diag_sink *sink, struct source_file *source,
                        size_t *length, const char **failure) {
  *failure = NULL;
  const struct ast_file *file = parse_file(arena, sink, source);
  if (!file)
    return NULL;
  struct format_layout layout = format_read(arena, source);
  const char *text = lay_out(&layout, length);
  *failure = find_difference(arena, sink->sources, source->path, file, &layout, text, *length);
  return *failure ? NULL : text;
}

// Plain text: a sentence a line, its tokens separated by blanks. It fills one column, a list; a blank line is
// skipped.
#include <string.h>

#include "runtime/data/reader.h"

static bool begin(struct reader *reader) {
  for (uint32_t i = 0; i < reader->request->n_columns; i++)
    if (reader_is_scalar_list(reader->request->columns[i].type))
      return true;
  reader_fail(reader, 1, 1,
              "plain text fills a parameter that is a list of tokens, such as `words: [Word]`, and the "
              "entry has none; give the format with --format");
  return false;
}

static enum reader_result next(struct reader *reader) {
  do {
    if (!reader_line(reader))
      return READER_END;
  } while (reader_line_is_blank(reader));
  reader->record_line = reader->line_number;
  uint32_t i = 0;
  while (!reader_is_scalar_list(reader->request->columns[i].type))
    i++;
  const struct dataset_column *column = &reader->request->columns[i];
  const struct ir_type *element = column->type->element;
  reader->n_stack = 0;
  for (size_t at = 0; at < reader->length;) {
    at += strspn(reader->line + at, " \t");
    size_t length = strcspn(reader->line + at, " \t");
    if (!length) {
      if (at < reader->length)
        return reader_fail(reader, reader->line_number, at + 1, "a NUL byte in a text");
      break;
    }
    uint64_t slot;
    if (!reader_scalar(reader, element, reader->line + at, length, reader->line_number, at + 1, &slot))
      return READER_BAD;
    reader_push(reader, slot);
    at += length;
  }
  reader->present[i] = true;
  reader->row[column->first_slot] = reader_list(reader, element, 0);
  return READER_RECORD;
}

const struct reader_format reader_text = {"text", "txt text", begin, next, NULL};

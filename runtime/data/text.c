// Plain text: a sentence a line, its tokens separated by blanks. It fills one column, a list; a blank line is
// skipped.
#include <string.h>

#include "runtime/data/reader.h"

static uint32_t column_of(const struct reader *reader) {
  uint32_t i = 0;
  while (i < reader->request->n_columns && !reader_is_scalar_list(reader->request->columns[i].type))
    i++;
  return i;
}

static bool begin(struct reader *reader) {
  uint32_t column = column_of(reader);
  if (column == reader->request->n_columns)
    return reader_refuse(
        reader, 0, 0,
        "plain text fills a parameter that is a list of tokens, such as `words: [Word]`, and the "
        "entry has none; give the format with --format");
  return reader_fills_one(reader, column, "plain text fills");
}

static enum reader_result next(struct reader *reader) {
  do {
    enum reader_line line = reader_line(reader);
    if (line != LINE_TEXT)
      return line == LINE_END ? READER_END : READER_BAD;
  } while (reader_line_is_blank(reader));
  uint32_t i = column_of(reader);
  const struct dataset_column *column = &reader->request->columns[i];
  const struct ir_type *element = column->type->element;
  for (size_t at = 0;;) {
    at += strspn(reader->line + at, " \t");
    if (at == reader->length)
      break;
    size_t length = strcspn(reader->line + at, " \t");
    uint64_t slot;
    if (!reader_scalar(reader, element, reader->line + at, length, reader->line_number, at + 1, &slot) ||
        !reader_push(reader, slot))
      return READER_BAD;
    at += length;
  }
  reader->record_line = reader->line_number;
  return reader_list(reader, element, 0, &reader->row[column->first_slot]) ? READER_RECORD : READER_BAD;
}

const struct reader_format reader_text = {"text", "txt text", false, begin, next, NULL};

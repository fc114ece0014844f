// Plain text: a sentence a line, its tokens separated by blanks. It fills one column, a list of tokens; or else a text or
// a list of characters, which a line gives with its blanks. A blank line is skipped.
#include <string.h>

#include "runtime/data/reader.h"

static uint32_t column_of(const struct reader *reader) {
  const struct dataset_request *request = reader->request;
  for (uint32_t i = 0; i < request->n_columns; i++)
    if (reader_is_token_list(reader->request->module, request->columns[i].type))
      return i;
  uint32_t i = 0;
  while (i < request->n_columns && !reader_is_line(request->module, request->columns[i].type))
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
  reader->column = column;
  reader->record_line = reader->line_number;
  if (!reader_is_token_list(reader->request->module, column->type)) {
    if (!reader_token(reader, column->type, reader->line, reader->length, reader->line_number, 1))
      return READER_BAD;
    memcpy(reader->row + column->first_slot, reader->stack, column->width * sizeof *reader->row);
    return READER_RECORD;
  }
  const struct ir_type *element = column->type->element;
  for (size_t at = 0;;) {
    at += strspn(reader->line + at, " \t");
    if (at == reader->length)
      break;
    size_t length = strcspn(reader->line + at, " \t");
    if (!reader_token(reader, element, reader->line + at, length, reader->line_number, at + 1))
      return READER_BAD;
    at += length;
  }
  return reader_list(reader, element, 0, &reader->row[column->first_slot]) ? READER_RECORD : READER_BAD;
}

const struct reader_format reader_text = {"text", "txt text", false, begin, next, NULL};

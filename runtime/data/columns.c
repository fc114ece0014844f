// Columns separated by tabs.
//
// tsv     When every parameter is a list: a token a line, sentences separated by blank lines, column k of the
// file the
//         k-th element of a list. When one is not: an example a line, and a list is blank-separated within
//         its field. A first line that names a parameter is a header; without one the columns are the
//         parameters in order, or as
//         `--format tsv:words,_,tags` says.
// conllu  Universal Dependencies (https://universaldependencies.org/format.html): comments, multiword tokens
// and empty
//         nodes are passed over. A parameter takes the column of its name or of a usual name for it (words:
//         FORM, tags: UPOS, heads: HEAD, relations: DEPREL).
#include <stdlib.h>
#include <string.h>

#include "runtime/data/reader.h"

enum { MAX_COLUMNS = 256 };

struct field {
  size_t at, length;
};

struct columns {
  int32_t *source;  // [column of the request] field of the line, -1: not in the file
  bool by_token;    // a token a line
  bool conllu;
  bool bound;  // the first line has been seen, and `source` is known
};

static size_t split(const struct reader *reader, struct field *out) {
  size_t n = 0, at = 0;
  for (;;) {
    size_t length = strcspn(reader->line + at, "\t");
    if (n < MAX_COLUMNS)
      out[n] = (struct field){at, length};
    n++;
    at += length;
    if (at >= reader->length || n > MAX_COLUMNS)
      return n;
    at++;
  }
}

static bool begin_common(struct reader *reader, bool conllu) {
  const struct dataset_request *request = reader->request;
  struct columns *columns = reader->state = calloc(1, sizeof *columns);
  if (!columns)
    abort();
  columns->source = malloc((request->n_columns + 1) * sizeof *columns->source);
  if (!columns->source)
    abort();
  columns->conllu = conllu;
  columns->by_token = true;
  for (uint32_t i = 0; i < request->n_columns; i++) {
    const struct ir_type *type = request->columns[i].type;
    columns->source[i] = -1;
    if (type->kind != IR_LIST)
      columns->by_token = false;
    char what[128];
    if (!reader_is_scalar(type->kind == IR_LIST ? type->element : type)) {
      reader_fail(reader, 1, 1, "columns cannot give parameter `%s`, %s; use jsonl", request->columns[i].name,
                  reader_type_text(reader, type, what, sizeof what));
      return false;
    }
  }
  if (conllu && !columns->by_token) {
    reader_fail(reader, 1, 1, "CoNLL-U has a token a line, so every parameter must be a list");
    return false;
  }
  return true;
}

// --------------------------------------------------------------------------- which column is which

static void bind_conllu(struct reader *reader) {
  static const char *const names[10][6] = {{"id", "ids"},
                                           {"form", "forms", "word", "words", "token", "tokens"},
                                           {"lemma", "lemmas"},
                                           {"upos", "tag", "tags", "pos"},
                                           {"xpos", "xtags"},
                                           {"feats", "features"},
                                           {"head", "heads"},
                                           {"deprel", "deprels", "relation", "relations", "labels"},
                                           {"deps"},
                                           {"misc"}};
  struct columns *columns = reader->state;
  for (uint32_t i = 0; i < reader->request->n_columns; i++)
    for (int c = 0; c < 10; c++)
      for (int k = 0; k < 6 && names[c][k]; k++)
        if (!strcmp(names[c][k], reader->request->columns[i].name))
          columns->source[i] = c;
}

static bool is_name(const struct reader *reader, struct field field, const char *name) {
  return strlen(name) == field.length && !memcmp(reader->line + field.at, name, field.length);
}

// `words,_,tags` as given with the format.
static void bind_given(struct reader *reader) {
  struct columns *columns = reader->state;
  int32_t c = 0;
  for (const char *at = reader->columns; at; c++) {
    size_t length = strcspn(at, ",");
    // A name that is no column here may be another entry's parameter: the same format serves all of them.
    for (uint32_t i = 0; i < reader->request->n_columns; i++) {
      const char *name = reader->request->columns[i].name;
      if (strlen(name) == length && !memcmp(name, at, length))
        columns->source[i] = c;
    }
    at = at[length] ? at + length + 1 : NULL;
  }
}

// A first line that names a parameter is a header; where the columns are given, one that has their names.
static bool is_header(const struct reader *reader, const struct field *fields, size_t n) {
  const struct columns *columns = reader->state;
  bool some = false, all = true;
  for (uint32_t i = 0; i < reader->request->n_columns; i++) {
    const char *name = reader->request->columns[i].name;
    int32_t given = columns->source[i];
    for (size_t c = 0; c < n; c++)
      some = some || is_name(reader, fields[c], name);
    if (given >= 0)
      all = all && (size_t)given < n && is_name(reader, fields[given], name);
  }
  return some && all;
}

// From the first line.
static void bind_tsv(struct reader *reader, const struct field *fields, size_t n, bool header) {
  struct columns *columns = reader->state;
  for (uint32_t i = 0; i < reader->request->n_columns; i++) {
    if (!header && i < n)
      columns->source[i] = (int32_t)i;
    for (size_t c = 0; header && c < n; c++)
      if (is_name(reader, fields[c], reader->request->columns[i].name))
        columns->source[i] = (int32_t)c;
  }
}

// ----------------------------------------------------------------------------------- reading lines

static bool is_comment_or_range(const struct reader *reader, const struct field *fields) {
  return reader->line[0] == '#' || memchr(reader->line + fields[0].at, '-', fields[0].length) ||
         memchr(reader->line + fields[0].at, '.', fields[0].length);
}

// Tokens of one list, collected over the lines of a sentence: list i's slots lie interleaved on the stack,
// one row of n_columns slots a token, until the sentence is complete.
static bool token_line(struct reader *reader, const struct field *fields, size_t n) {
  const struct columns *columns = reader->state;
  for (uint32_t i = 0; i < reader->request->n_columns; i++) {
    uint64_t slot = 0;
    int32_t c = columns->source[i];
    if (c >= 0 && (size_t)c >= n) {
      reader_fail(reader, reader->line_number, reader->length + 1,
                  "this line has %zu column%s; `%s` is column %d", n, n == 1 ? "" : "s",
                  reader->request->columns[i].name, c + 1);
      return false;
    }
    if (c >= 0 &&
        !reader_scalar(reader, reader->request->columns[i].type->element, reader->line + fields[c].at,
                       fields[c].length, reader->line_number, fields[c].at + 1, &slot))
      return false;
    reader_push(reader, slot);
  }
  return true;
}

static void finish_sentence(struct reader *reader) {
  const struct columns *columns = reader->state;
  uint32_t n_columns = reader->request->n_columns;
  size_t n = n_columns ? reader->n_stack / n_columns : 0;
  for (uint32_t i = 0; i < n_columns; i++) {
    size_t base = reader->n_stack;
    for (size_t k = 0; k < n; k++)
      reader_push(reader, reader->stack[k * n_columns + i]);
    reader->row[reader->request->columns[i].first_slot] =
        reader_list(reader, reader->request->columns[i].type->element, base);
    reader->present[i] = columns->source[i] >= 0;
  }
}

static bool list_field(struct reader *reader, const struct ir_type *element, struct field field,
                       uint64_t *slot) {
  size_t base = reader->n_stack;
  for (size_t at = 0; at < field.length;) {
    const char *text = reader->line + field.at + at;
    size_t length = strcspn(text, " \t");
    uint64_t value;
    if (length &&
        !reader_scalar(reader, element, text, length, reader->line_number, field.at + at + 1, &value))
      return false;
    if (length)
      reader_push(reader, value);
    at += length + 1;
  }
  *slot = reader_list(reader, element, base);
  return true;
}

static enum reader_result example_line(struct reader *reader, const struct field *fields, size_t n) {
  const struct columns *columns = reader->state;
  for (uint32_t i = 0; i < reader->request->n_columns; i++) {
    const struct dataset_column *column = &reader->request->columns[i];
    int32_t c = columns->source[i];
    if (c < 0)
      continue;
    if ((size_t)c >= n)
      return reader_fail(reader, reader->line_number, reader->length + 1,
                         "this line has %zu column%s; `%s` is column %d", n, n == 1 ? "" : "s", column->name,
                         c + 1);
    reader->present[i] = true;
    uint64_t *slot = &reader->row[column->first_slot];
    bool ok = column->type->kind == IR_LIST
                  ? list_field(reader, column->type->element, fields[c], slot)
                  : reader_scalar(reader, column->type, reader->line + fields[c].at, fields[c].length,
                                  reader->line_number, fields[c].at + 1, slot);
    if (!ok)
      return READER_BAD;
  }
  return READER_RECORD;
}

// Behind a bad line of a sentence: the sentence's end.
static enum reader_result skip_sentence(struct reader *reader) {
  while (reader_line(reader) && !reader_line_is_blank(reader)) {
  }
  return READER_BAD;
}

static enum reader_result next(struct reader *reader) {
  struct columns *columns = reader->state;
  struct field fields[MAX_COLUMNS];
  reader->n_stack = 0;
  bool in_sentence = false;
  while (reader_line(reader)) {
    if (reader_line_is_blank(reader)) {
      if (in_sentence)
        break;
      continue;
    }
    size_t n = split(reader, fields);
    if (n > MAX_COLUMNS)
      return reader_fail(reader, reader->line_number, 1, "more than %d columns", MAX_COLUMNS);
    if (columns->conllu && is_comment_or_range(reader, fields))
      continue;
    if (!columns->bound) {
      if (columns->conllu)
        bind_conllu(reader);
      else if (reader->columns)
        bind_given(reader);
      bool header = !columns->conllu && is_header(reader, fields, n);
      if (!columns->conllu && !reader->columns)
        bind_tsv(reader, fields, n, header);
      columns->bound = true;
      if (header)
        continue;
    }
    if (!in_sentence)
      reader->record_line = reader->line_number;
    if (!columns->by_token)
      return example_line(reader, fields, n);
    in_sentence = true;
    if (!token_line(reader, fields, n))
      return skip_sentence(reader);
  }
  if (!in_sentence)
    return READER_END;
  finish_sentence(reader);
  return READER_RECORD;
}

static bool begin_tsv(struct reader *reader) { return begin_common(reader, false); }
static bool begin_conllu(struct reader *reader) { return begin_common(reader, true); }

static void end(struct reader *reader) {
  struct columns *columns = reader->state;
  if (columns)
    free(columns->source);
}

const struct reader_format reader_tsv = {"tsv", "tsv tab conll", begin_tsv, next, end};
const struct reader_format reader_conllu = {"conllu", "conllu", begin_conllu, next, end};

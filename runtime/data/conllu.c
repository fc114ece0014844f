// CoNLL-U, Universal Dependencies (https://universaldependencies.org/format.html): ten columns; comments, multiword
// tokens and empty nodes are passed over. A parameter takes the column of its name or of a usual name for it (words:
// FORM, tags: UPOS, heads: HEAD, relations: DEPREL).
#include <stdlib.h>
#include <string.h>

#include "compiler/base/nearest.h"
#include "runtime/data/columns.h"

enum { N_FIELDS = 10 };

static const char *const names[N_FIELDS][6] = {{"id", "ids"},
                                               {"form", "forms", "word", "words", "token", "tokens"},
                                               {"lemma", "lemmas"},
                                               {"upos", "tag", "tags", "pos"},
                                               {"xpos", "xtags"},
                                               {"feats", "features"},
                                               {"head", "heads"},
                                               {"deprel", "deprels", "relation", "relations", "labels"},
                                               {"deps"},
                                               {"misc"}};

static bool bind(struct reader *reader) {
  struct columns *columns = reader->state;
  char wanted[160];
  const char *all[N_FIELDS * 6];
  size_t n = 0;
  for (int c = 0; c < N_FIELDS; c++)
    for (int k = 0; k < 6 && names[c][k]; k++)
      all[n++] = names[c][k];
  for (uint32_t i = 0; i < reader->request->n_columns; i++) {
    const struct dataset_column *column = &reader->request->columns[i];
    for (int c = 0; c < N_FIELDS; c++)
      for (int k = 0; k < 6 && names[c][k]; k++)
        if (!strcmp(names[c][k], column->name))
          columns->source[i] = c;
    if (columns->source[i] >= 0)
      continue;
    const char *near = nearest_name(column->name, all, n);
    return reader_refuse(
        reader, 0, 0,
        "CoNLL-U has no column for `%s`%s%s%s%s It has words, lemmas, tags, xtags, features, heads, "
        "relations, deps and misc; --format tsv:... names columns freely",
        column->name, reader_wanted(column, wanted, sizeof wanted), near ? "; did you mean `" : ".",
        near ? near : "", near ? "`?" : "");
  }
  columns->is_bound = true;
  columns->n_fields = N_FIELDS;
  return true;
}

static bool begin(struct reader *reader) {
  if (!columns_begin(reader, sizeof(struct columns)))
    return false;
  const struct columns *columns = reader->state;
  if (!columns->by_token)
    return reader_refuse(reader, 0, 0, "CoNLL-U has a token a line, so every parameter must be a list");
  return bind(reader);
}

enum id { ID_WORD, ID_PASSED_OVER, ID_WRONG };

// `3` is a word and must follow the one before it; `3-4` is a range of words, `3.1` an empty node.
static enum id id_of(struct reader *reader, struct field field, size_t expected) {
  const char *text = reader->line + field.at;
  size_t n = strspn(text, "0123456789");
  if (n && n + 1 < field.length && (text[n] == '-' || text[n] == '.') &&
      n + 1 + strspn(text + n + 1, "0123456789") == field.length)
    return ID_PASSED_OVER;
  if (!n || n != field.length) {
    reader_fail(reader, reader->line_number, field.at + 1, "expected a number of a word (ID), found `%.*s`",
                reader_shown(text, field.length), text);
    return ID_WRONG;
  }
  if (strtoull(text, NULL, 10) == expected)
    return ID_WORD;
  reader_fail(reader, reader->line_number, field.at + 1, "expected word %zu of the sentence, found %.*s%s",
              expected, reader_shown(text, field.length), text,
              n == 1 && *text == '1' ? ": sentences are separated by a blank line" : "");
  return ID_WRONG;
}

static bool check_count(struct reader *reader, size_t n) {
  if (n == N_FIELDS)
    return true;
  reader_fail(reader, reader->line_number, reader->length + 1,
              "this line has %zu column%s, and CoNLL-U has %d, separated by tabs; for others give --format "
              "tsv:... or "
              "conll:... with their names",
              n, n == 1 ? "" : "s", N_FIELDS);
  return false;
}

static enum reader_result next(struct reader *reader) {
  struct field fields[MAX_COLUMNS];
  size_t n_words = 0;
  for (;;) {
    enum reader_line line = reader_line(reader);
    bool is_blank = line == LINE_TEXT && reader_line_is_blank(reader);
    if (line == LINE_BAD)
      return columns_skip_sentence(reader);
    if (line == LINE_END && !n_words)
      return READER_END;
    if (is_blank && !n_words)
      continue;
    if (line == LINE_END || is_blank)
      return columns_finish_sentence(reader) ? READER_RECORD : READER_BAD;
    if (*reader->line == '#')
      continue;
    if (!check_count(reader, columns_split(reader, fields)))
      return columns_skip_sentence(reader);
    enum id id = id_of(reader, fields[0], n_words + 1);
    if (id == ID_PASSED_OVER)
      continue;
    if (id == ID_WRONG)
      return columns_skip_sentence(reader);
    if (!n_words++)
      reader->record_line = reader->line_number;
    if (!columns_token(reader, fields))
      return columns_skip_sentence(reader);
  }
}

const struct reader_format reader_conllu = {"conllu", "conllu", false, begin, next, columns_end};

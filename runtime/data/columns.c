// Fields of a line, and the values that they give; and the formats tsv and conll.
//
// tsv    Fields are separated by a tab each; there is no quoting, a `"` is a character like others. When every
//        parameter is a list: a token a line, sentences separated by blank lines, column k of the file the k-th
//        element of a list. When one is not: an example a line, and a list is blank-separated within its field.
// conll  A token a line, fields separated by blanks as in the CoNLL shared tasks, or by tabs where the first
//        line has some. Lines of -DOCSTART- separate documents, and are no tokens.
// Which column is which parameter: columns_bind.c.
#include "runtime/data/columns.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// ------------------------------------------------------------------------------------------ fields

static size_t too_many(struct reader *reader) {
  reader_fail(reader, reader->line_number, 1, "more than %d columns", MAX_COLUMNS);
  return MAX_COLUMNS + 1;
}

static size_t split_at_blanks(struct reader *reader, struct field *out) {
  size_t n = 0;
  for (size_t at = 0;; n++) {
    at += strspn(reader->line + at, " \t");
    if (at == reader->length)
      return n;
    if (n == MAX_COLUMNS)
      return too_many(reader);
    out[n] = (struct field){at, strcspn(reader->line + at, " \t")};
    at += out[n].length;
  }
}

size_t columns_split(struct reader *reader, struct field *out) {
  const struct columns *columns = reader->state;
  if (columns->blanks)
    return split_at_blanks(reader, out);
  size_t n = 0;
  for (size_t at = 0;; n++) {
    const char *tab = memchr(reader->line + at, '\t', reader->length - at);
    size_t end = tab ? (size_t)(tab - reader->line) : reader->length;
    if (n == MAX_COLUMNS)
      return too_many(reader);
    out[n] = (struct field){at, end - at};
    if (!tab)
      return n + 1;
    at = end + 1;
  }
}

// A line has as many fields as the first. False with the error set.
static bool check_count(struct reader *reader, size_t n) {
  const struct columns *columns = reader->state;
  if (n == columns->n_fields)
    return true;
  reader_fail(
      reader, reader->line_number, reader->length + 1, "this line has %zu column%s, and line %u has %zu%s", n,
      n == 1 ? "" : "s", columns->first_line, columns->n_fields,
      !columns->blanks && n == 1 && strchr(reader->line, ' ') ? "; columns are separated by tabs" : "");
  return false;
}

bool columns_begin(struct reader *reader, size_t size) {
  const struct dataset_request *request = reader->request;
  struct columns *columns = reader->state = calloc(1, size);
  if (columns)
    columns->source = malloc((request->n_columns + 1) * sizeof *columns->source);
  if (!columns || !columns->source)
    return reader_refuse(reader, 0, 0, "out of memory");
  columns->by_token = true;
  for (uint32_t i = 0; i < request->n_columns; i++) {
    const struct ir_type *type = request->columns[i].type;
    columns->source[i] = -1;
    if (!reader_is_token_list(reader->request->module, type))
      columns->by_token = false;
    char what[128];
    if (type->kind != IR_TENSOR && !reader_is_token(reader->request->module, type) &&
        !reader_is_token_list(reader->request->module, type))
      return reader_refuse(reader, 0, 0, "columns cannot give parameter `%s`, %s; use jsonl",
                           request->columns[i].name, reader_type_text(reader, type, what, sizeof what));
  }
  return true;
}

void columns_end(struct reader *reader) {
  struct columns *columns = reader->state;
  if (columns)
    free(columns->source);
}

// ------------------------------------------------------------------------------------------ values

// A field of one token, whose slots are pushed. An empty one is a value that was forgotten, not a word without letters,
// unless a text is wanted or characters are.
static bool token_field(struct reader *reader, uint32_t i, const struct ir_type *type, struct field field) {
  const struct columns *columns = reader->state;
  reader->column = &reader->request->columns[i];
  if (field.length || type->kind == IR_TEXT || type->kind == IR_LIST)
    return reader_token(reader, type, reader->line + field.at, field.length, reader->line_number,
                        field.at + 1);
  reader_fail(reader, reader->line_number, field.at + 1, "column %d, `%s`, is empty", columns->source[i] + 1,
              reader->request->columns[i].name);
  return false;
}

// Tokens of the lists, collected over the lines of a sentence: their slots lie interleaved on the stack, those of one
// token after the other, until the sentence is complete.
bool columns_token(struct reader *reader, const struct field *fields) {
  const struct columns *columns = reader->state;
  for (uint32_t i = 0; i < reader->request->n_columns; i++)
    if (!token_field(reader, i, reader->request->columns[i].type->element, fields[columns->source[i]]))
      return false;
  return true;
}

bool columns_finish_sentence(struct reader *reader) {
  const struct dataset_request *request = reader->request;
  size_t width = 0, first = 0;  // of a token; of its slots in the column
  for (uint32_t i = 0; i < request->n_columns; i++)
    width += ir_type_width(request->columns[i].type->element);
  size_t n = width ? reader->n_stack / width : 0;
  for (uint32_t i = 0; i < request->n_columns; i++) {
    const struct dataset_column *column = &request->columns[i];
    size_t base = reader->n_stack, own = ir_type_width(column->type->element);
    for (size_t k = 0; k < n * own; k++)
      if (!reader_push(reader, reader->stack[k / own * width + first + k % own]))
        return false;
    if (!reader_list(reader, column->type->element, base, &reader->row[column->first_slot]))
      return false;
    first += own;
  }
  return true;
}

enum reader_result columns_skip_sentence(struct reader *reader) {
  for (enum reader_line line; (line = reader_line(reader)) != LINE_END;)
    if (line == LINE_TEXT && reader_line_is_blank(reader))
      break;
  return READER_BAD;
}

// Pushes the values of a field, which blanks separate.
static bool push_values(struct reader *reader, const struct ir_type *type, struct field field) {
  for (size_t at = 0; at < field.length;) {
    const char *text = reader->line + field.at + at;
    size_t length = strcspn(text, " \t");
    if (length && !reader_token(reader, type, text, length, reader->line_number, field.at + at + 1))
      return false;
    at += length + 1;
  }
  return true;
}

static bool list_field(struct reader *reader, const struct ir_type *element, struct field field,
                       uint64_t *slot) {
  size_t base = reader->n_stack;
  return push_values(reader, element, field) && reader_list(reader, element, base, slot);
}

// A tensor's numbers, row by row.
static bool tensor_field(struct reader *reader, const struct ir_type *type, struct field field,
                         uint64_t *slot) {
  static const struct ir_type number = {.kind = IR_FLOAT};
  int64_t wanted = 1;
  for (uint32_t i = 0; i < type->shape.rank && wanted >= 0; i++) {
    int64_t n = reader_size(reader, type->shape.sizes[i]);
    if (n < 0 || __builtin_mul_overflow(wanted, n, &wanted))
      wanted = -1;
  }
  size_t base = reader->n_stack;
  if (!push_values(reader, &number, field))
    return false;
  size_t found = reader->n_stack - base;
  if (wanted < 0 || found == (uint64_t)wanted)
    return reader_list(reader, &number, base, slot);
  reader_fail(reader, reader->line_number, field.at + 1, "%zu numbers where %" PRId64 " are wanted", found,
              wanted);
  return false;
}

static bool example_field(struct reader *reader, uint32_t i, struct field field, uint64_t *slots) {
  const struct dataset_column *column = &reader->request->columns[i];
  size_t base = reader->n_stack;
  if (!token_field(reader, i, column->type, field))
    return false;
  memcpy(slots, reader->stack + base, column->width * sizeof *slots);
  reader->n_stack = base;
  return true;
}

static enum reader_result example_line(struct reader *reader, const struct field *fields) {
  const struct columns *columns = reader->state;
  for (uint32_t i = 0; i < reader->request->n_columns; i++) {
    const struct dataset_column *column = &reader->request->columns[i];
    struct field field = fields[columns->source[i]];
    uint64_t *slot = &reader->row[column->first_slot];
    const struct ir_type *type = column->type;
    reader->column = column;
    if (type->kind == IR_TENSOR                          ? !tensor_field(reader, type, field, slot)
        : reader_is_token(reader->request->module, type) ? !example_field(reader, i, field, slot)
                                                         : !list_field(reader, type->element, field, slot))
      return READER_BAD;
  }
  return READER_RECORD;
}

// -------------------------------------------------------------------------------- tsv and conll

struct tsv {
  struct columns columns;
  bool is_conll;
};

// The next line that is a token or an example, or a blank one. LINE_BAD with the error set.
static enum reader_line next_line(struct reader *reader, struct field *fields, size_t *n) {
  static const char mark[] = "-DOCSTART-";
  struct tsv *tsv = reader->state;
  struct columns *columns = &tsv->columns;
  for (;;) {
    enum reader_line line = reader_line(reader);
    // Without the first line nobody knows which column is which.
    if (line == LINE_BAD && !columns->is_bound)
      reader->is_fatal = true;
    *n = 0;
    if (line != LINE_TEXT || reader_line_is_blank(reader))
      return line;
    if (tsv->is_conll && !columns->is_bound)
      columns->blanks = !strchr(reader->line, '\t');
    *n = columns_split(reader, fields);
    if (*n > MAX_COLUMNS)
      return LINE_BAD;
    if (tsv->is_conll && fields->length == sizeof mark - 1 &&
        !memcmp(reader->line + fields->at, mark, fields->length)) {
      *n = 0;
      return LINE_TEXT;
    }
    bool header = false;
    if (!columns->is_bound && !columns_bind(reader, fields, *n, &header))
      return LINE_BAD;
    if (!header)
      return check_count(reader, *n) ? LINE_TEXT : LINE_BAD;
  }
}

static enum reader_result next(struct reader *reader) {
  const struct columns *columns = reader->state;
  struct field fields[MAX_COLUMNS];
  size_t n;
  bool in_sentence = false;
  for (;;) {
    enum reader_line line = next_line(reader, fields, &n);
    if (line == LINE_BAD)
      return columns->by_token ? columns_skip_sentence(reader) : READER_BAD;
    if (line == LINE_END && !in_sentence)
      return READER_END;
    if (line == LINE_TEXT && !n && !in_sentence)
      continue;
    if (line == LINE_END || !n)
      return columns_finish_sentence(reader) ? READER_RECORD : READER_BAD;
    if (!in_sentence)
      reader->record_line = reader->line_number;
    if (!columns->by_token)
      return example_line(reader, fields);
    in_sentence = true;
    if (!columns_token(reader, fields))
      return columns_skip_sentence(reader);
  }
}

static bool begin(struct reader *reader) {
  return columns_begin(reader, sizeof(struct tsv)) && (!reader->columns || columns_bind_given(reader));
}

static bool begin_conll(struct reader *reader) {
  if (!begin(reader))
    return false;
  struct tsv *tsv = reader->state;
  tsv->is_conll = true;
  return tsv->columns.by_token ||
         reader_refuse(reader, 0, 0,
                       "conll has a token a line, so every parameter must be a list; use tsv or jsonl");
}

const struct reader_format reader_tsv = {"tsv", "tsv tab", true, begin, next, columns_end};
const struct reader_format reader_conll = {"conll", "conll", true, begin_conll, next, columns_end};

// JSON: a record is an object with a key per column. One a line (JSON lines), or over several lines, or in an array.
//
//   int, float, bool   number, number, true/false
//   vocab, enum        string; an integer stands for its digits
//   list               array
//   tuple              array; a record also an object with its fields' names
//   sum type           {"Constructor": fields} with the fields as an object or an array; a constructor without fields
//                      may be written "Constructor"
//
// When the first record ends with its line, so does every other.
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/json_lex.h"

struct jsonl {
  struct json_lex lex;
  bool in_array;  // of records
  struct json_items array;
  size_t indent;    // of the first record of the array
  bool is_decided;  // one record has been read
  bool *seen;       // [column] in this record
  char *keys;       // of the record, each ended by a NUL, for messages
  size_t keys_length, n_keys, keys_capacity;
};

// ------------------------------------------------------------------------------------------ errors

__attribute__((noinline, format(printf, 4, 5))) static bool fail(struct reader *reader,
                                                                 const struct reader_place *place,
                                                                 const struct json_token *at,
                                                                 const char *format, ...) {
  char message[768];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  reader->place = place;
  reader_fail(reader, at->line, at->column, "%s", message);
  reader->place = NULL;
  return false;
}

__attribute__((noinline)) static bool expected(struct reader *reader, const struct reader_place *place,
                                               const struct ir_type *type, const struct json_token *token) {
  char what[128], found[32];
  if (token->kind == JSON_LEX_BAD || token->kind == JSON_LEX_END || token->kind == JSON_LEX_COMMA ||
      token->kind == JSON_LEX_COLON || token->kind == JSON_LEX_CLOSE_ARRAY ||
      token->kind == JSON_LEX_CLOSE_OBJECT)
    return json_skip(&((struct jsonl *)reader->state)->lex, token);  // says that this is no value
  return fail(reader, place, token, "expected %s, found %s",
              reader_type_text(reader, type, what, sizeof what), json_token_text(token, found, sizeof found));
}

// `is no constructor of Expr, which is {"Number": ...} or "Nothing"`
__attribute__((noinline)) static bool fail_constructor(struct reader *reader,
                                                       const struct reader_place *place,
                                                       const struct ir_type *type,
                                                       const struct json_token *token) {
  enum { SHOWN = 6, MOST = 256 };
  const struct ir_data *data = reader->request->module->datas[type->data];
  const char *names[MOST];
  char forms[256] = "", found[32], what[128], name[64], near[160];
  uint32_t n = data->n_constructors, shown = n < SHOWN ? n : SHOWN, listed = n < MOST ? n : MOST;
  for (uint32_t i = 0; i < shown; i++) {
    const struct ir_constructor *constructor = &data->constructors[i];
    size_t at = strlen(forms);
    const char *joint = i == 0 ? "" : i + 1 == n ? " or " : ", ";
    snprintf(forms + at, sizeof forms - at, constructor->n_fields ? "%s{\"%.24s\": ...}" : "%s\"%.24s\"",
             joint, constructor->name);
  }
  for (uint32_t i = 0; i < listed; i++)
    names[i] = data->constructors[i].name;
  const char *more = shown < n ? ", ..." : "";
  reader_type_text(reader, type, what, sizeof what);
  if (token->kind != JSON_LEX_STRING)
    return fail(reader, place, token, "expected %s, which is %s%s, found %s", what, forms, more,
                json_token_text(token, found, sizeof found));
  snprintf(name, sizeof name, "%.*s", reader_shown(token->text, token->length), token->text);
  reader_choices(name, "", names, listed, near, sizeof near);
  // Only the suggestion: the forms follow.
  char *end = strchr(near, '?');
  near[end ? end + 1 - near : 0] = 0;
  return fail(reader, place, token, "`%s` is no constructor of %s, which is %s%s%s", name, data->name, forms,
              more, near);
}

__attribute__((noinline)) static bool fail_field(struct reader *reader, const struct reader_place *place,
                                                 uint32_t n, const struct ir_field *fields,
                                                 const struct json_token *key) {
  enum { MOST = 256 };
  const char *names[MOST];
  char name[64], choices[320];
  uint32_t listed = n < MOST ? n : MOST;
  for (uint32_t i = 0; i < listed; i++)
    names[i] = fields[i].name ? fields[i].name : "";
  snprintf(name, sizeof name, "%.*s", reader_shown(key->text, key->length), key->text);
  return fail(reader, place, key, "there is no field `%s`%s", name,
              reader_choices(name, "there are", names, listed, choices, sizeof choices));
}

// A value of an array behind that of the last field.
__attribute__((noinline)) static bool fail_value(struct reader *reader, const struct reader_place *place,
                                                 uint32_t n, const struct ir_field *fields,
                                                 const struct json_token *value) {
  char list[300] = "";
  for (uint32_t i = 0; i < n && fields[i].name; i++) {
    size_t at = strlen(list);
    snprintf(list + at, sizeof list - at, "%s`%s`", at ? ", " : ": ", fields[i].name);
  }
  return fail(reader, place, value, "value %u is one too many for %u field%s%s", n + 1, n, n == 1 ? "" : "s",
              list);
}

// ------------------------------------------------------------------------------------------ values

static bool convert(struct reader *, const struct reader_place *, const struct ir_type *,
                    const struct json_token *);

static uint32_t width_of(uint32_t n, const struct ir_field *fields) {
  uint32_t width = 0;
  for (uint32_t i = 0; i < n; i++)
    width += ir_type_width(fields[i].type);
  return width;
}

// The field of a key; the one behind `*cursor` most often. n: there is none.
static uint32_t field_of(uint32_t n, const struct ir_field *fields, uint32_t *cursor,
                         const struct json_token *key) {
  for (uint32_t k = 0; k < n; k++) {
    uint32_t i = (*cursor + k) % n;
    if (fields[i].name && strlen(fields[i].name) == key->length &&
        !memcmp(fields[i].name, key->text, key->length))
      return *cursor = i + 1, i;
  }
  return n;
}

// Whether the first key of an object is the name of its type's only constructor around the fields. A field of that
// name is a field.
static bool is_wrapping(uint32_t n, const struct ir_field *fields, const char *constructor,
                        const struct json_token *key) {
  uint32_t cursor = 0;
  return constructor && strlen(constructor) == key->length && !memcmp(constructor, key->text, key->length) &&
         field_of(n, fields, &cursor, key) == n;
}

// One field of an object: its value's slots take their place in the row that begins at `base`.
static bool convert_member(struct reader *reader, const struct reader_place *place,
                           const struct ir_field *fields, uint32_t i, size_t base) {
  struct jsonl *jsonl = reader->state;
  struct reader_place inner = {place, fields[i].name, 0};
  struct json_token value = json_next(&jsonl->lex);
  size_t top = reader->n_stack;
  if (!convert(reader, &inner, fields[i].type, &value))
    return false;
  memcpy(reader->stack + base + width_of(i, fields), reader->stack + top,
         (reader->n_stack - top) * sizeof *reader->stack);
  reader->n_stack = top;
  return true;
}

static bool push_zeros(struct reader *reader, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!reader_push(reader, 0))
      return false;
  return true;
}

static bool convert_fields(struct reader *, const struct reader_place *, uint32_t, const struct ir_field *,
                           const char *constructor, const struct json_token *);

// The fields of an object, in any order. A flag for each of them, and then their row, lie on the stack meanwhile.
static bool convert_object(struct reader *reader, const struct reader_place *place, uint32_t n,
                           const struct ir_field *fields, const char *constructor,
                           const struct json_token *open) {
  struct jsonl *jsonl = reader->state;
  struct json_items items = json_items_of(&jsonl->lex, open);
  struct json_token key;
  size_t flags = reader->n_stack, base = flags + n, width = width_of(n, fields);
  uint32_t cursor = 0;
  int more;
  if (!push_zeros(reader, n + width))
    return false;
  while ((more = json_next_item(&jsonl->lex, &items, &key)) > 0) {
    if (items.n == 1 && is_wrapping(n, fields, constructor, &key)) {
      struct reader_place inner = {place, constructor, 0};
      struct json_token value = json_next(&jsonl->lex);
      reader->n_stack = flags;
      if (!convert_fields(reader, &inner, n, fields, NULL, &value))
        return false;
      more = json_next_item(&jsonl->lex, &items, &key);
      return more > 0
                 ? fail(reader, place, &key, "only `%s` may stand in this object, and there is `%.*s`, too",
                        constructor, reader_shown(key.text, key.length), key.text)
                 : more == 0;
    }
    uint32_t i = field_of(n, fields, &cursor, &key);
    if (i == n)
      return fail_field(reader, place, n, fields, &key);
    if (!convert_member(reader, place, fields, i, base))
      return false;
    reader->stack[flags + i] = 1;
  }
  for (uint32_t i = 0; i < n && more == 0; i++)
    if (!reader->stack[flags + i])
      return fail(reader, place, open, "lacks the field %s", fields[i].name);
  if (width)
    memmove(reader->stack + flags, reader->stack + base, width * sizeof *reader->stack);
  reader->n_stack = flags + width;
  return more == 0;
}

static bool convert_array(struct reader *reader, const struct reader_place *place, uint32_t n,
                          const struct ir_field *fields, const struct json_token *open) {
  struct jsonl *jsonl = reader->state;
  struct json_items items = json_items_of(&jsonl->lex, open);
  struct json_token value;
  int more;
  while ((more = json_next_item(&jsonl->lex, &items, &value)) > 0) {
    uint32_t i = (uint32_t)items.n - 1;
    struct reader_place inner = {place, NULL, i};
    if (i >= n)
      return fail_value(reader, place, n, fields, &value);
    if (!convert(reader, &inner, fields[i].type, &value))
      return false;
  }
  if (more == 0 && items.n < n)
    return fail(reader, place, open, "lacks the field %s",
                fields[items.n].name ? fields[items.n].name : "behind the last one");
  return more == 0;
}

// Fields in order, from an object or an array; pushes their slots.
static bool convert_fields(struct reader *reader, const struct reader_place *place, uint32_t n,
                           const struct ir_field *fields, const char *constructor,
                           const struct json_token *token) {
  if (token->kind == JSON_LEX_OPEN_OBJECT)
    return convert_object(reader, place, n, fields, constructor, token);
  if (token->kind == JSON_LEX_OPEN_ARRAY)
    return convert_array(reader, place, n, fields, token);
  char found[32];
  if (token->kind == JSON_LEX_BAD)
    return false;
  return fail(reader, place, token, "expected its fields as an object or an array, found %s",
              json_token_text(token, found, sizeof found));
}

static bool push_data(struct reader *reader, uint64_t tag, size_t base) {
  uint64_t slot;
  if (!reader_data(reader, tag, (uint32_t)(reader->n_stack - base), reader->stack + base, &slot))
    return false;
  reader->n_stack = base;
  return reader_push(reader, slot);
}

static uint32_t constructor_of(const struct ir_data *data, const struct json_token *name) {
  uint32_t tag = 0;
  while (tag < data->n_constructors && (strlen(data->constructors[tag].name) != name->length ||
                                        memcmp(data->constructors[tag].name, name->text, name->length)))
    tag++;
  return tag;
}

// {"Node": fields}
static bool convert_constructed(struct reader *reader, const struct reader_place *place,
                                const struct ir_type *type, const struct json_token *open) {
  struct jsonl *jsonl = reader->state;
  const struct ir_data *data = reader->request->module->datas[type->data];
  struct json_items items = json_items_of(&jsonl->lex, open);
  struct json_token key;
  size_t base = reader->n_stack;
  int more = json_next_item(&jsonl->lex, &items, &key);
  if (more <= 0)
    return more == 0 && fail_constructor(reader, place, type, open);
  uint32_t tag = constructor_of(data, &key);
  if (tag == data->n_constructors)
    return fail_constructor(reader, place, type, &key);
  const struct ir_constructor *constructor = &data->constructors[tag];
  struct reader_place inner = {place, constructor->name, 0};
  struct json_token fields = json_next(&jsonl->lex);
  if (!convert_fields(reader, &inner, constructor->n_fields, constructor->fields, NULL, &fields))
    return false;
  more = json_next_item(&jsonl->lex, &items, &key);
  if (more > 0)
    return fail(reader, place, &key, "only `%s` may stand in this object, and there is `%.*s`, too",
                constructor->name, reader_shown(key.text, key.length), key.text);
  return more == 0 && push_data(reader, tag, base);
}

static bool convert_data(struct reader *reader, const struct reader_place *place, const struct ir_type *type,
                         const struct json_token *token) {
  const struct ir_data *data = reader->request->module->datas[type->data];
  bool is_container = token->kind == JSON_LEX_OPEN_OBJECT || token->kind == JSON_LEX_OPEN_ARRAY;
  size_t base = reader->n_stack;
  if (data->n_constructors == 1 && is_container) {
    const struct ir_constructor *only = data->constructors;
    return convert_fields(reader, place, only->n_fields, only->fields, only->name, token) &&
           push_data(reader, 0, base);
  }
  if (token->kind == JSON_LEX_OPEN_OBJECT)
    return convert_constructed(reader, place, type, token);
  if (token->kind != JSON_LEX_STRING)
    return is_container || token->kind > JSON_LEX_STRING ? fail_constructor(reader, place, type, token)
                                                         : expected(reader, place, type, token);
  uint32_t tag = constructor_of(data, token);
  if (tag == data->n_constructors)
    return fail_constructor(reader, place, type, token);
  struct reader_place inner = {place, data->constructors[tag].name, 0};
  if (data->constructors[tag].n_fields)
    return fail(reader, &inner, token, "lacks its fields");
  return push_data(reader, tag, base);
}

static bool convert_scalar(struct reader *reader, const struct reader_place *place,
                           const struct ir_type *type, const struct json_token *token) {
  uint64_t slot = 0;
  double real;
  bool is_index = type->kind == IR_INDEX &&
                  (token->kind == JSON_LEX_STRING || token->kind == JSON_LEX_INTEGER);
  bool is_int = type->kind == IR_INT && token->kind == JSON_LEX_INTEGER;
  bool is_text = type->kind == IR_TEXT && token->kind == JSON_LEX_STRING;
  if (is_index || is_int || is_text) {
    reader->place = place;
    bool ok = reader_scalar(reader, type, token->text, token->length, token->line, token->column, &slot);
    reader->place = NULL;
    if (!ok)
      return false;
  } else if (type->kind == IR_BOOL && (token->kind == JSON_LEX_TRUE || token->kind == JSON_LEX_FALSE)) {
    slot = token->kind == JSON_LEX_TRUE;
  } else if (type->kind == IR_FLOAT && (token->kind == JSON_LEX_INTEGER || token->kind == JSON_LEX_REAL)) {
    if (!reader_number(reader, token->text, token->length, &real))
      return fail(reader, place, token, "the number `%.*s` is too large",
                  reader_shown(token->text, token->length), token->text);
    memcpy(&slot, &real, sizeof slot);
  } else {
    return expected(reader, place, type, token);
  }
  return reader_push(reader, slot);
}

static bool convert_list(struct reader *reader, const struct reader_place *place, const struct ir_type *type,
                         const struct json_token *open) {
  struct jsonl *jsonl = reader->state;
  struct json_items items = json_items_of(&jsonl->lex, open);
  struct json_token value;
  size_t base = reader->n_stack;
  uint64_t slot;
  int more;
  while ((more = json_next_item(&jsonl->lex, &items, &value)) > 0) {
    struct reader_place inner = {place, NULL, items.n - 1};
    if (!convert(reader, &inner, type->element, &value))
      return false;
  }
  return more == 0 && reader_list(reader, type->element, base, &slot) && reader_push(reader, slot);
}

// Numbers of a tensor from dimension `axis` on: lists of lists, each as long as its dimension.
static bool convert_axis(struct reader *reader, const struct reader_place *place, const struct ir_type *type,
                         uint32_t axis, const struct json_token *open) {
  static const struct ir_type number = {.kind = IR_FLOAT};
  struct jsonl *jsonl = reader->state;
  if (axis == type->shape.rank)
    return convert_scalar(reader, place, &number, open);
  if (open->kind != JSON_LEX_OPEN_ARRAY) {
    struct ir_type rest = {.kind = IR_TENSOR, .shape = {.rank = type->shape.rank - axis}};
    for (uint32_t i = axis; i < type->shape.rank; i++)
      rest.shape.sizes[i - axis] = type->shape.sizes[i];
    return expected(reader, place, &rest, open);
  }
  struct json_items items = json_items_of(&jsonl->lex, open);
  struct json_token value;
  int64_t n = reader_size(reader, type->shape.sizes[axis]);
  int more;
  while ((more = json_next_item(&jsonl->lex, &items, &value)) > 0) {
    struct reader_place inner = {place, NULL, items.n - 1};
    if (n >= 0 && items.n > (uint64_t)n)
      return fail(reader, &inner, &value, "is one more than the %" PRId64 " that are wanted", n);
    if (!convert_axis(reader, &inner, type, axis + 1, &value))
      return false;
  }
  if (more == 0 && n >= 0 && items.n < (uint64_t)n)
    return fail(reader, place, open, "has %zu elements where %" PRId64 " are wanted", (size_t)items.n, n);
  return more == 0;
}

static bool convert_tensor(struct reader *reader, const struct reader_place *place,
                           const struct ir_type *type, const struct json_token *open) {
  static const struct ir_type number = {.kind = IR_FLOAT};
  size_t base = reader->n_stack;
  uint64_t slot;
  return convert_axis(reader, place, type, 0, open) && reader_list(reader, &number, base, &slot) &&
         reader_push(reader, slot);
}

// A string where characters, or a record of what a token gives, are wanted.
static bool convert_token(struct reader *reader, const struct reader_place *place, const struct ir_type *type,
                          const struct json_token *token) {
  reader->place = place;
  bool ok = reader_token(reader, type, token->text, token->length, token->line, token->column);
  reader->place = NULL;
  return ok;
}

// Pushes the slots of the value.
static bool convert(struct reader *reader, const struct reader_place *place, const struct ir_type *type,
                    const struct json_token *token) {
  if (token->kind == JSON_LEX_STRING && !reader_is_scalar(type) &&
      reader_is_token(reader->request->module, type))
    return convert_token(reader, place, type, token);
  switch (type->kind) {
  case IR_DATA: return convert_data(reader, place, type, token);
  case IR_TUPLE:
    if (token->kind != JSON_LEX_OPEN_ARRAY && !(token->kind == JSON_LEX_OPEN_OBJECT && type->tuple.name))
      return expected(reader, place, type, token);
    return convert_fields(reader, place, type->tuple.n, type->tuple.fields, type->tuple.name, token);
  case IR_LIST:
    return token->kind == JSON_LEX_OPEN_ARRAY ? convert_list(reader, place, type, token)
                                              : expected(reader, place, type, token);
  case IR_TENSOR: return convert_tensor(reader, place, type, token);
  default: return convert_scalar(reader, place, type, token);
  }
}

// ----------------------------------------------------------------------------------------- records

static bool keep_key(struct reader *reader, const struct json_token *key) {
  enum { MOST = 256 };
  struct jsonl *jsonl = reader->state;
  if (jsonl->n_keys == MOST)
    return true;
  if (!reader_reserve(reader, &jsonl->keys, &jsonl->keys_capacity, jsonl->keys_length + key->length + 1, 1))
    return false;
  memcpy(jsonl->keys + jsonl->keys_length, key->text, key->length);
  jsonl->keys_length += key->length;
  jsonl->keys[jsonl->keys_length++] = 0;
  jsonl->n_keys++;
  return true;
}

static bool fail_missing(struct reader *reader, const struct dataset_column *column,
                         const struct json_token *open) {
  const struct jsonl *jsonl = reader->state;
  const char *names[256], *at = jsonl->keys;
  char wanted[160], choices[400];
  for (size_t i = 0; i < jsonl->n_keys; i++, at += strlen(at) + 1)
    names[i] = at;
  reader_fail(reader, open->line, open->column, "this record has no `%s`%s%s", column->name,
              reader_wanted(column, wanted, sizeof wanted),
              reader_choices(column->name, "it has", names, jsonl->n_keys, choices, sizeof choices));
  return false;
}

static uint32_t column_of(const struct dataset_request *request, uint32_t *cursor,
                          const struct json_token *key) {
  for (uint32_t k = 0; k < request->n_columns; k++) {
    uint32_t i = (*cursor + k) % request->n_columns;
    const char *name = request->columns[i].name;
    if (strlen(name) == key->length && !memcmp(name, key->text, key->length))
      return *cursor = i + 1, i;
  }
  return request->n_columns;
}

static bool read_record(struct reader *reader, const struct json_token *open) {
  struct jsonl *jsonl = reader->state;
  const struct dataset_request *request = reader->request;
  struct json_items items = json_items_of(&jsonl->lex, open);
  struct json_token key;
  uint32_t cursor = 0;
  int more;
  memset(jsonl->seen, 0, request->n_columns * sizeof *jsonl->seen);
  jsonl->keys_length = jsonl->n_keys = 0;
  while ((more = json_next_item(&jsonl->lex, &items, &key)) > 0) {
    uint32_t i = column_of(request, &cursor, &key);
    if (!keep_key(reader, &key))
      return false;
    struct json_token value = json_next(&jsonl->lex);
    if (i == request->n_columns) {
      if (!json_skip(&jsonl->lex, &value))
        return false;
      continue;
    }
    const struct dataset_column *column = &request->columns[i];
    struct reader_place place = {NULL, column->name, 0};
    reader->n_stack = 0;
    reader->column = column;
    if (!convert(reader, &place, column->type, &value))
      return false;
    memcpy(reader->row + column->first_slot, reader->stack, column->width * sizeof *reader->row);
    jsonl->seen[i] = true;
  }
  for (uint32_t i = 0; more == 0 && i < request->n_columns; i++)
    if (!jsonl->seen[i])
      return fail_missing(reader, &request->columns[i], open);
  return more == 0;
}

// Nothing follows a record in its line.
static bool is_line_used_up(struct reader *reader) {
  struct jsonl *jsonl = reader->state;
  size_t at = jsonl->lex.at + strspn(reader->line + jsonl->lex.at, " \t");
  if (at == reader->length)
    return true;
  reader_fail(reader, reader->line_number, at + 1,
              "not JSON: expected the end of the line behind the record, found `%.*s`%s",
              reader_shown(reader->line + at, reader->length - at), reader->line + at,
              reader->line[at] == ',' ? " (commas separate records in an array only)" : "");
  return false;
}

// Behind a bad record: where the next one begins. In an array that is behind the value, if it is JSON at all; elsewhere
// it is the next line, of JSON lines, or the next that begins with `{`.
static enum reader_result resume(struct reader *reader) {
  struct jsonl *jsonl = reader->state;
  struct json_lex *lex = &jsonl->lex;
  lex->n_keys = 0;
  if (jsonl->in_array && json_close(lex, 1))
    return READER_BAD;
  lex->depth = jsonl->in_array;
  lex->in_line = false;
  lex->n_keys = 0;
  if (lex->one_line)
    return READER_BAD;
  bool is_new = reader->line_number > reader->record_line;  // this line may begin the next record
  for (enum reader_line line = LINE_TEXT; line != LINE_END; line = reader_line(reader), is_new = true) {
    size_t indent = reader->line ? strspn(reader->line, " \t") : 0;
    if (line != LINE_TEXT || !is_new || !reader->line || reader->line[indent] != '{' ||
        indent > (jsonl->in_array ? jsonl->indent : 0))
      continue;
    reader->line_pending = true;
    jsonl->array.n = 0;  // and no comma
    return READER_BAD;
  }
  jsonl->in_array = false;
  lex->depth = 0;
  return READER_BAD;
}

// The first token of the next record. 0: the end of the file; -1: bad.
static int begin_record(struct reader *reader, struct json_token *token) {
  struct jsonl *jsonl = reader->state;
  for (;;) {
    if (jsonl->in_array) {
      int more = json_next_item(&jsonl->lex, &jsonl->array, token);
      if (more)
        return more;
      jsonl->in_array = false;
      if (!is_line_used_up(reader))
        return -1;
      continue;
    }
    *token = json_next(&jsonl->lex);
    if (token->kind == JSON_LEX_BAD)
      return -1;
    if (token->kind != JSON_LEX_OPEN_ARRAY)
      return token->kind != JSON_LEX_END;
    jsonl->in_array = true;
    jsonl->indent = SIZE_MAX;
    jsonl->array = json_items_of(&jsonl->lex, token);
  }
}

static enum reader_result next(struct reader *reader) {
  struct jsonl *jsonl = reader->state;
  struct json_token token;
  char found[32];
  reader->record_line = reader->line_number;
  int more = begin_record(reader, &token);
  if (more == 0)
    return READER_END;
  reader->record_line = more < 0 ? reader->line_number : token.line;
  if (more < 0)
    return resume(reader);
  if (token.kind != JSON_LEX_OPEN_OBJECT) {
    if (json_skip(&jsonl->lex, &token))
      reader_fail(reader, token.line, token.column, "expected an object with a key per parameter, found %s",
                  json_token_text(&token, found, sizeof found));
    return resume(reader);
  }
  if (jsonl->in_array && jsonl->indent == SIZE_MAX)
    jsonl->indent = strspn(reader->line, " \t");
  if (!read_record(reader, &token) || (!jsonl->in_array && !is_line_used_up(reader)))
    return resume(reader);
  if (!jsonl->is_decided && !jsonl->in_array)
    jsonl->lex.one_line = token.line == reader->line_number;
  jsonl->is_decided = true;
  return READER_RECORD;
}

static bool begin(struct reader *reader) {
  struct jsonl *jsonl = reader->state = calloc(1, sizeof *jsonl);
  if (jsonl)
    jsonl->seen = calloc(reader->request->n_columns + 1, sizeof *jsonl->seen);
  if (!jsonl || !jsonl->seen)
    return reader_refuse(reader, 0, 0, "out of memory");
  jsonl->lex.reader = reader;
  return true;
}

static void end(struct reader *reader) {
  struct jsonl *jsonl = reader->state;
  if (!jsonl)
    return;
  json_lex_end(&jsonl->lex);
  free(jsonl->seen);
  free(jsonl->keys);
}

const struct reader_format reader_jsonl = {"jsonl", "jsonl ndjson json", false, begin, next, end};

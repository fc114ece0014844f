// JSON lines: one object a line, a key per column.
//
//   int, float, bool   number, number, true/false
//   vocab, enum        string; an integer stands for its digits
//   list               array
//   tuple              array; a record also an object with its fields' names
//   sum type           {"Constructor": fields} with the fields as an object or an array; a constructor
//   without fields
//                      may be written "Constructor"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/reader.h"

// Where in the record a value stands, for messages: `e.Apply.args[2]`. Links live on the stack of the
// recursion.
struct place {
  const struct place *parent;
  const char *name;  // NULL: an element
  size_t index;
};

static void print_place(const struct place *place, char *out, size_t size) {
  if (place->parent)
    print_place(place->parent, out, size);
  size_t n = strlen(out);
  if (place->name)
    snprintf(out + n, size - n, "%s%s", n ? "." : "", place->name);
  else
    snprintf(out + n, size - n, "[%zu]", place->index);
}

static const char *json_text(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT: return "an object";
  case JSON_ARRAY: return "an array";
  case JSON_STRING: return "a string";
  case JSON_INTEGER: return "an integer";
  case JSON_REAL: return "a number with a fraction";
  case JSON_NULL: return "null";
  default: return "a boolean";
  }
}

static bool fail(struct reader *reader, const struct place *place, const char *message, const char *detail) {
  char where[512] = "";
  print_place(place, where, sizeof where);
  reader_fail(reader, reader->line_number, 1, "at `%s`: %s%s", where, message, detail);
  return false;
}

static bool expected(struct reader *reader, const struct place *place, const struct ir_type *type,
                     const json_t *value) {
  char what[128], message[256];
  snprintf(message, sizeof message, "expected %s, found %s",
           reader_type_text(reader, type, what, sizeof what), json_text(value));
  return fail(reader, place, message, "");
}

static bool convert(struct reader *, const struct place *, const struct ir_type *, const json_t *);

// Fields in order, from an object or an array; pushes their slots.
static bool convert_fields(struct reader *reader, const struct place *place, uint32_t n,
                           const struct ir_field *fields, const json_t *value) {
  size_t given = json_is_object(value) ? json_object_size(value) : json_array_size(value);
  for (uint32_t i = 0; i < n; i++) {
    struct place inner = {place, json_is_object(value) ? fields[i].name : NULL, i};
    const json_t *field = json_is_object(value)
                              ? (fields[i].name ? json_object_get(value, fields[i].name) : NULL)
                              : json_array_get(value, i);
    if (!field)
      return fail(reader, place, "lacks the field ",
                  fields[i].name ? fields[i].name : "(it is a tuple: use an array)");
    if (!convert(reader, &inner, fields[i].type, field))
      return false;
  }
  return given == n || fail(reader, place, "has more fields than its type", "");
}

// The only key of an object with one; NULL otherwise.
static const char *only_key(const json_t *value) {
  return json_is_object(value) && json_object_size(value) == 1
             ? json_object_iter_key(json_object_iter((json_t *)value))
             : NULL;
}

// {"Node": fields} where `fields` alone would do, because the type has one constructor: the fields. A field of the
// constructor's name is a field.
static const json_t *without_constructor(const json_t *value, const char *constructor, uint32_t n,
                                         const struct ir_field *fields) {
  const char *key = only_key(value);
  if (!key || !constructor || strcmp(key, constructor))
    return value;
  for (uint32_t i = 0; i < n; i++)
    if (fields[i].name && !strcmp(fields[i].name, key))
      return value;
  const json_t *inner = json_object_get(value, key);
  return json_is_object(inner) || json_is_array(inner) ? inner : value;
}

// `expected a Tree, which is {"Leaf": ...} or {"Node": ...}, found an object with 3 keys`
static bool expected_constructor(struct reader *reader, const struct place *place, const struct ir_type *type,
                                 const json_t *value) {
  enum { SHOWN = 6 };
  const struct ir_data *data = reader->request->module->datas[type->data];
  char what[128], forms[256] = "", found[64];
  uint32_t shown = data->n_constructors < SHOWN ? data->n_constructors : SHOWN;
  for (uint32_t i = 0; i < shown; i++) {
    const struct ir_constructor *constructor = &data->constructors[i];
    size_t n = strlen(forms);
    const char *joint = i == 0 ? "" : i + 1 == data->n_constructors ? " or " : ", ";
    snprintf(forms + n, sizeof forms - n, constructor->n_fields ? "%s{\"%.24s\": ...}" : "%s\"%.24s\"", joint,
             constructor->name);
  }
  if (json_is_object(value))
    snprintf(found, sizeof found, "an object with %zu keys", json_object_size(value));
  else
    snprintf(found, sizeof found, "%s", json_text(value));
  char message[640];
  snprintf(message, sizeof message, "expected %s, which is %s%s, found %s",
           reader_type_text(reader, type, what, sizeof what), forms,
           shown < data->n_constructors ? ", ..." : "", found);
  return fail(reader, place, message, "");
}

static bool push_data(struct reader *reader, const struct place *place,
                      const struct ir_constructor *constructor, uint32_t tag, const json_t *fields) {
  size_t base = reader->n_stack;
  if (fields && !convert_fields(reader, place, constructor->n_fields, constructor->fields, fields))
    return false;
  struct value_data *made = value_data_new(reader->arena, tag, (uint32_t)(reader->n_stack - base),
                                           reader->stack + base);
  reader->n_stack = base;
  reader_push(reader, (uint64_t)(uintptr_t)made);
  return true;
}

static bool convert_data(struct reader *reader, const struct place *place, const struct ir_type *type,
                         const json_t *value) {
  const struct ir_data *data = reader->request->module->datas[type->data];
  const struct ir_constructor *only = data->n_constructors == 1 ? data->constructors : NULL;
  if (only && (json_is_object(value) || json_is_array(value)))
    return push_data(reader, place, only, 0,
                     without_constructor(value, only->name, only->n_fields, only->fields));
  const char *name = json_is_object(value) ? only_key(value) : json_string_value(value);
  if (!name)
    return expected_constructor(reader, place, type, value);
  for (uint32_t tag = 0; tag < data->n_constructors; tag++) {
    const struct ir_constructor *constructor = &data->constructors[tag];
    if (strcmp(constructor->name, name))
      continue;
    struct place inner = {place, name, 0};
    const json_t *fields = json_is_object(value) ? json_object_get(value, name) : NULL;
    if (fields && !json_is_object(fields) && !json_is_array(fields))
      return fail(reader, &inner, "expected its fields as an object or an array", "");
    if (!fields && constructor->n_fields)
      return fail(reader, &inner, "lacks its fields", "");
    return push_data(reader, &inner, constructor, tag, fields);
  }
  char message[160];
  snprintf(message, sizeof message, "%s has no constructor named ", data->name);
  return fail(reader, place, message, name);
}

static bool convert_scalar(struct reader *reader, const struct place *place, const struct ir_type *type,
                           const json_t *value) {
  uint64_t slot = 0;
  char digits[32];
  const char *token = json_string_value(value);
  size_t length = token ? json_string_length(value) : 0;
  if (type->kind == IR_INT && json_is_integer(value))
    slot = (uint64_t)json_integer_value(value);
  else if (type->kind == IR_BOOL && json_is_boolean(value))
    slot = json_is_true(value);
  else if (type->kind == IR_FLOAT && json_is_number(value))
    memcpy(&slot, &(double){json_number_value(value)}, sizeof slot);
  else if (type->kind == IR_INDEX && (token || json_is_integer(value))) {
    if (!token) {
      length = (size_t)snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
      token = digits;
    }
    if (!reader_scalar(reader, type, token, length, reader->line_number, 1, &slot))
      return false;
  } else {
    return expected(reader, place, type, value);
  }
  reader_push(reader, slot);
  return true;
}

// Pushes the slots of the value.
static bool convert(struct reader *reader, const struct place *place, const struct ir_type *type,
                    const json_t *value) {
  switch (type->kind) {
  case IR_DATA: return convert_data(reader, place, type, value);
  case IR_TUPLE:
    if (!json_is_array(value) && !(json_is_object(value) && type->tuple.name))
      return expected(reader, place, type, value);
    return convert_fields(reader, place, type->tuple.n, type->tuple.fields,
                          without_constructor(value, type->tuple.name, type->tuple.n, type->tuple.fields));
  case IR_LIST: {
    if (!json_is_array(value))
      return expected(reader, place, type, value);
    size_t base = reader->n_stack;
    for (size_t i = 0; i < json_array_size(value); i++) {
      struct place inner = {place, NULL, i};
      if (!convert(reader, &inner, type->element, json_array_get(value, i)))
        return false;
    }
    reader_push(reader, reader_list(reader, type->element, base));
    return true;
  }
  default: return convert_scalar(reader, place, type, value);
  }
}

static bool begin(struct reader *reader) {
  (void)reader;
  return true;
}

static enum reader_result next(struct reader *reader) {
  do {
    if (!reader_line(reader))
      return READER_END;
  } while (reader_line_is_blank(reader));
  reader->record_line = reader->line_number;
  json_error_t why;
  json_t *record = json_loadb(reader->line, reader->length, JSON_REJECT_DUPLICATES, &why);
  if (!record)
    return reader_fail(reader, reader->line_number, why.column > 0 ? (size_t)why.column : 1, "not JSON: %s",
                       why.text);
  enum reader_result result = READER_RECORD;
  if (!json_is_object(record))
    result = reader_fail(reader, reader->line_number, 1,
                         "expected an object with a key per parameter, found %s", json_text(record));
  for (uint32_t i = 0; i < reader->request->n_columns && result == READER_RECORD; i++) {
    const struct dataset_column *column = &reader->request->columns[i];
    const json_t *value = json_object_get(record, column->name);
    struct place place = {NULL, column->name, 0};
    if (!value)
      continue;
    reader->present[i] = true;
    reader->n_stack = 0;
    if (convert(reader, &place, column->type, value))
      memcpy(reader->row + column->first_slot, reader->stack, column->width * sizeof *reader->row);
    else
      result = READER_BAD;
  }
  json_decref(record);
  return result;
}

const struct reader_format reader_jsonl = {"jsonl", "jsonl ndjson json", begin, next, NULL};

// What messages of the readers say of types, names and columns.
#include <inttypes.h>
#include <string.h>

#include "compiler/base/nearest.h"
#include "runtime/data/reader.h"

void reader_print_place(const struct reader_place *place, char *out, size_t size) {
  *out = 0;
  if (place->parent)
    reader_print_place(place->parent, out, size);
  size_t n = strlen(out);
  if (place->name)
    snprintf(out + n, size - n, "%s%s", n ? "." : "", place->name);
  else
    snprintf(out + n, size - n, "[%zu]", place->index);
}

static const char *named(const char *name, char *buffer, size_t size) {
  snprintf(buffer, size, "%s %s", *name && strchr("AEIOUaeiou", *name) ? "an" : "a", name);
  return buffer;
}

const char *reader_type_text(const struct reader *reader, const struct ir_type *type, char *buffer,
                             size_t size) {
  const struct ir_module *module = reader->request->module;
  char part[128];
  switch (type->kind) {
  case IR_INT: snprintf(buffer, size, "an integer"); break;
  case IR_BOOL: snprintf(buffer, size, "true or false"); break;
  case IR_FLOAT: snprintf(buffer, size, "a number"); break;
  case IR_TEXT: snprintf(buffer, size, "a text"); break;
  case IR_INDEX: return named(module->dims[type->dim]->atom.name, buffer, size);
  case IR_DATA: return named(module->datas[type->data]->name, buffer, size);
  case IR_LIST:
    snprintf(buffer, size, "a list (each element %s)",
             reader_type_text(reader, type->element, part, sizeof part));
    break;
  case IR_TUPLE:
    if (type->tuple.name)
      return named(type->tuple.name, buffer, size);
    snprintf(buffer, size, "a tuple of %u", type->tuple.n);
    break;
  case IR_TENSOR: {
    int at = snprintf(buffer, size, type->shape.rank == 1 ? "a list of numbers" : "lists of numbers");
    for (uint32_t i = 0; i < type->shape.rank && at < (int)size - 1; i++) {
      int64_t n = reader_size(reader, type->shape.sizes[i]);
      at += snprintf(buffer + at, size - (size_t)at, n < 0 ? "%s?" : "%s%" PRId64, i ? " x " : ", ", n);
    }
    break;
  }
  default: snprintf(buffer, size, "a value that data cannot give"); break;
  }
  return buffer;
}

int reader_shown(const char *token, size_t length) {
  enum { MOST = 60 };
  if (length <= MOST)
    return (int)length;
  size_t n = MOST;
  while (n > MOST - 4 && ((unsigned char)token[n] & 0xc0) == 0x80)
    n--;
  return (int)n;
}

const char *reader_choices(const char *name, const char *title, const char *const *names, size_t n,
                           char *buffer, size_t size) {
  enum { SHOWN = 8 };
  const char *near = name ? nearest_name(name, names, n) : NULL;
  int at = 0;
  *buffer = 0;
  if (near)
    at = snprintf(buffer, size, "; did you mean `%.*s`?", reader_shown(near, strlen(near)), near);
  // A suggestion says enough where there are many.
  if (near && n > SHOWN)
    return buffer;
  for (size_t i = 0; i < n && i < SHOWN && at < (int)size - 1; i++) {
    const char *before = i ? ", " : title, *joint = i ? "" : near ? " " : "; ";
    at += snprintf(buffer + at, size - (size_t)at, "%s%s%s`%.*s`", joint, before, i ? "" : " ",
                   reader_shown(names[i], strlen(names[i])), names[i]);
  }
  if (n > SHOWN && at < (int)size - 1)
    snprintf(buffer + at, size - (size_t)at, " and %zu more", n - SHOWN);
  return buffer;
}

const char *reader_wanted(const struct dataset_column *column, char *buffer, size_t size) {
  if (column->entry)
    snprintf(buffer, size, ", which %s`%s` needs", column->entry->is_metric ? "metric " : "",
             column->entry->name);
  else
    *buffer = 0;
  return buffer;
}

bool reader_fills_one(struct reader *reader, uint32_t column, const char *what) {
  const struct dataset_request *request = reader->request;
  char wanted[160];
  for (uint32_t i = 0; i < request->n_columns; i++)
    if (i != column)
      return reader_refuse(reader, 0, 0, "%s one parameter, `%s`, and there is `%s`, too%s; use jsonl or tsv",
                           what, request->columns[column].name, request->columns[i].name,
                           reader_wanted(&request->columns[i], wanted, sizeof wanted));
  return true;
}

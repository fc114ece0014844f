// Lines, positions and errors of the readers; from text to slots.
#include "runtime/data/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/base/message.h"
#include "runtime/data/line_check.h"
#include "runtime/value/value_text.h"

bool reader_reserve(struct reader *reader, void *array, size_t *capacity, size_t needed, size_t size) {
  return array_reserve(array, size, needed, capacity) ||
         reader_refuse(reader, reader->line_number, 1, "out of memory");
}

// ------------------------------------------------------------------------------------------- lines

// The next line with its end, of *length bytes; 0: there is none.
static bool file_line(struct reader *reader, size_t *length) {
  ssize_t n = getline(&reader->line, &reader->line_capacity, reader->file);
  *length = n < 0 ? 0 : (size_t)n;
  // Without memory for a line getline sets neither.
  return n >= 0 || feof(reader->file) || ferror(reader->file) ||
         reader_refuse(reader, reader->line_number + 1, 1, "out of memory");
}

static bool memory_line(struct reader *reader, size_t *length) {
  size_t left = (size_t)(reader->text_end - reader->text);
  const char *end = memchr(reader->text, '\n', left);
  *length = end ? (size_t)(end - reader->text) + 1 : left;
  if (!reader_reserve(reader, &reader->line, &reader->line_capacity, *length + 1, 1))
    return false;
  memcpy(reader->line, reader->text, *length);
  reader->text += *length;
  return true;
}

enum reader_line reader_line(struct reader *reader) {
  if (reader->line_pending) {
    reader->line_pending = false;
    return LINE_TEXT;
  }
  size_t length, at;
  if (!(reader->file ? file_line(reader, &length) : memory_line(reader, &length)) || !length)
    return LINE_END;
  reader->line_number++;
  if (length && reader->line[length - 1] == '\n')
    length--;
  if (length && reader->line[length - 1] == '\r')
    length--;
  if (reader->line_number == 1 && length >= 3 && !memcmp(reader->line, "\xef\xbb\xbf", 3))
    memmove(reader->line, reader->line + 3, length -= 3);
  reader->line[length] = 0;
  reader->length = length;
  const char *fault;
  if (line_check(reader->line, length, reader->line_number == 1, &at, &fault))
    return LINE_TEXT;
  char message[160];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(message, sizeof message, fault, (unsigned char)reader->line[at]);
#pragma GCC diagnostic pop
  reader_fail(reader, reader->line_number, at + 1, "%s", message);
  return LINE_BAD;
}

bool reader_line_is_blank(const struct reader *reader) {
  return strspn(reader->line, " \t") == reader->length;
}

// ------------------------------------------------------------------------------------------ errors

static void set_error(struct reader *reader, uint32_t line, size_t column, const char *format, va_list args) {
  if (reader->error)
    return;
  char *message = NULL;
  if (vasprintf(&message, format, args) < 0)
    message = NULL;
  // What strings of a record hold, escape sequences of a terminal too, leaves a message one line.
  for (char *c = message; c && *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?';
  const char *text = message ? message : "out of memory";
  char place[512] = "";
  if (reader->place)
    reader_print_place(reader->place, place, sizeof place);
  if (line)
    message_set(&reader->error, "%s:%u:%zu: %s%s%s%s", reader->request->path, line, column,
                *place ? "at `" : "", place, *place ? "`: " : "", text);
  else
    message_set(&reader->error, "%s: %s", reader->request->path, text);
  free(message);
}

enum reader_result reader_fail(struct reader *reader, uint32_t line, size_t column, const char *format, ...) {
  va_list args;
  va_start(args, format);
  set_error(reader, line, column, format, args);
  va_end(args);
  return READER_BAD;
}

bool reader_refuse(struct reader *reader, uint32_t line, size_t column, const char *format, ...) {
  va_list args;
  va_start(args, format);
  set_error(reader, line, column, format, args);
  va_end(args);
  reader->is_fatal = true;
  return false;
}

// ----------------------------------------------------------------------------------------- scalars

int64_t reader_size(const struct reader *reader, const struct size *size) {
  int64_t value;
  const int64_t *dims = reader->request->dims;
  if (dims ? size_evaluate_by_id(size, dims, &value) : size_is_constant(size, &value))
    return value;
  return -1;
}

bool reader_is_scalar(const struct ir_type *type) {
  return type->kind == IR_INDEX || type->kind == IR_INT || type->kind == IR_FLOAT || type->kind == IR_BOOL ||
         type->kind == IR_TEXT;
}

static bool is_character(const struct ir_module *module, const struct ir_type *type) {
  return type->kind == IR_INDEX && module->dims[type->dim]->characters;
}

static bool are_tokens(const struct ir_module *module, uint32_t n, const struct ir_field *fields) {
  for (uint32_t i = 0; i < n; i++)
    if (!reader_is_token(module, fields[i].type))
      return false;
  return n > 0;
}

bool reader_is_token(const struct ir_module *module, const struct ir_type *type) {
  switch (type->kind) {
  case IR_LIST: return is_character(module, type->element);
  case IR_TUPLE: return type->tuple.name && are_tokens(module, type->tuple.n, type->tuple.fields);
  default: return reader_is_scalar(type);
  }
}

bool reader_is_line(const struct ir_module *module, const struct ir_type *type) {
  return type->kind == IR_TEXT || (type->kind == IR_LIST && is_character(module, type->element));
}

bool reader_is_token_list(const struct ir_module *module, const struct ir_type *type) {
  return type->kind == IR_LIST && !reader_is_token(module, type) && reader_is_token(module, type->element);
}

static bool fail_member(struct reader *reader, const struct ir_dim *set, const char *token, size_t length,
                        uint32_t line, size_t column) {
  char name[64], choices[320];
  snprintf(name, sizeof name, "%.*s", reader_shown(token, length), token);
  reader_fail(reader, line, column, "`%s` is no member of enum %s%s", name, set->atom.name,
              reader_choices(name, "it has", set->members, set->n_members, choices, sizeof choices));
  return false;
}

static bool fail_unseen(struct reader *reader, const struct vocab *vocab, const char *token, size_t length,
                        uint32_t line, size_t column) {
  enum { MOST = 64 };  // of a larger one the entries say nothing
  const char *names[MOST];
  size_t n = vocab_size(vocab) <= MOST ? vocab_size(vocab) : 0;
  for (size_t i = 0; i < n; i++)
    names[i] = vocab_entry(vocab, (int64_t)i);
  char name[64], choices[320];
  snprintf(name, sizeof name, "%.*s", reader_shown(token, length), token);
  reader_fail(reader, line, column,
              "`%s` is not in the closed vocabulary %s: it does not occur in the training data%s", name,
              vocab_name(vocab), reader_choices(name, "that has", names, n, choices, sizeof choices));
  return false;
}

static bool index_of(struct reader *reader, uint32_t dim, const char *token, size_t length, uint32_t line,
                     size_t column, uint64_t *slot) {
  const struct ir_dim *set = reader->request->module->dims[dim];
  if (set->atom.kind == SIZE_ENUM) {
    for (uint32_t i = 0; i < set->n_members; i++) {
      if (strlen(set->members[i]) == length && !memcmp(set->members[i], token, length)) {
        *slot = i;
        return true;
      }
    }
    return fail_member(reader, set, token, length, line, column);
  }
  struct vocab *vocab = reader->request->vocabs[dim];
  if (!vocab_is_frozen(vocab)) {
    *slot = 0;
    if (reader->counting)
      vocab_count(vocab, token, length);
    return true;
  }
  int64_t found = vocab_find(vocab, token, length);
  if (found == VOCAB_NO_MEMORY)
    return reader_refuse(reader, line, column, "out of memory");
  if (found < 0)
    return fail_unseen(reader, vocab, token, length, line, column);
  *slot = (uint64_t)found;
  return true;
}

// Counts a string in every vocabulary that is of the texts of the column which is read.
static void count_text(struct reader *reader, const char *token, size_t length) {
  const struct dataset_request *request = reader->request;
  for (uint32_t d = 0; reader->column && d < request->module->n_dims; d++) {
    const struct ir_dim *dim = request->module->dims[d];
    bool is_of = false;
    for (uint32_t i = 0; i < dim->n_sources && !is_of; i++)
      is_of = strcmp(dim->sources[i], reader->column->name) == 0;
    if (!is_of || vocab_is_frozen(request->vocabs[d]))
      continue;
    for (size_t at = 0, step; at < length; at += step) {
      step = dim->characters ? value_text_step(token + at, length - at) : length;
      vocab_count(request->vocabs[d], token + at, step);
    }
  }
}

static bool text_of(struct reader *reader, const char *token, size_t length, uint64_t *slot) {
  *slot = 0;
  if (reader->counting)
    count_text(reader, token, length);
  else
    *slot = (uint64_t)(uintptr_t)value_text_new(reader->arena, token, length);
  return reader->counting || *slot || reader_refuse(reader, reader->line_number, 1, "out of memory");
}

// Digits of the longest number that is looked at. A decimal expansion of a double has at most 1,075.
enum { LONGEST_NUMBER = 1200 };

bool reader_number(const struct reader *reader, const char *token, size_t length, double *value) {
  char text[LONGEST_NUMBER], *end;
  if (length == 0 || length >= sizeof text)
    return false;
  memcpy(text, token, length);
  text[length] = 0;
  errno = 0;
  *value = strtod_l(text, &end, reader->locale);
  // Too small a number is the nearest that there is, 0 included.
  bool overflows = errno == ERANGE && (*value > 1 || *value < -1);
  return end != text && !*end && !overflows;
}

static bool is_integer(const char *token, size_t length) {
  size_t at = length && (*token == '-' || *token == '+'), digits = at;
  while (at < length && token[at] >= '0' && token[at] <= '9')
    at++;
  return at > digits && at == length;
}

static bool integer(const char *token, size_t length, int64_t *value) {
  char text[64];
  if (!is_integer(token, length))
    return false;
  while (length >= sizeof text && *token == '0')
    token++, length--;
  if (length >= sizeof text)
    return false;
  memcpy(text, token, length);
  text[length] = 0;
  errno = 0;
  *value = strtoll(text, NULL, 10);
  return !errno;
}

static bool boolean(const char *token, size_t length, uint64_t *slot) {
  static const char *const words[] = {"false", "true", "0", "1"};
  for (uint64_t i = 0; i < 4; i++)
    if (strlen(words[i]) == length && !memcmp(words[i], token, length))
      return *slot = i % 2, true;
  return false;
}

bool reader_scalar(struct reader *reader, const struct ir_type *type, const char *token, size_t length,
                   uint32_t line, size_t column, uint64_t *slot) {
  if (type->kind == IR_INDEX)
    return index_of(reader, type->dim, token, length, line, column, slot);
  if (type->kind == IR_TEXT)
    return text_of(reader, token, length, slot);
  int64_t number;
  double real;
  if (type->kind == IR_INT && integer(token, length, &number))
    return *slot = (uint64_t)number, true;
  if (type->kind == IR_FLOAT && reader_number(reader, token, length, &real))
    return memcpy(slot, &real, sizeof real), true;
  if (type->kind == IR_BOOL && boolean(token, length, slot))
    return true;
  char what[128];
  const char *why = type->kind == IR_INT && is_integer(token, length) ? ", which does not fit 64 bits" : "";
  reader_fail(reader, line, column,
              length ? "expected %s, found `%.*s`%s" : "expected %s, found nothing%.*s%s",
              reader_type_text(reader, type, what, sizeof what), reader_shown(token, length), token, why);
  return false;
}

// ------------------------------------------------------------------------------------------ values

bool reader_push(struct reader *reader, uint64_t slot) {
  if (!reader_reserve(reader, &reader->stack, &reader->stack_capacity, reader->n_stack + 1,
                      sizeof *reader->stack))
    return false;
  reader->stack[reader->n_stack++] = slot;
  return true;
}

bool reader_list(struct reader *reader, const struct ir_type *element, size_t base, uint64_t *slot) {
  uint32_t width = ir_type_width(element);
  size_t n = width ? (reader->n_stack - base) / width : 0;
  *slot = 0;
  // Nothing may have been pushed yet, and then there is no stack.
  const uint64_t none = 0, *slots = n ? reader->stack + base : &none;
  reader->n_stack = base;
  if (!reader->counting)
    *slot = (uint64_t)(uintptr_t)value_list_new(reader->arena, width, n, slots);
  return reader->counting || *slot || reader_refuse(reader, reader->line_number, 1, "out of memory");
}

bool reader_data(struct reader *reader, uint64_t tag, uint32_t n_slots, const uint64_t *slots,
                 uint64_t *slot) {
  const uint64_t none = 0;
  *slot = 0;
  if (!reader->counting)
    *slot = (uint64_t)(uintptr_t)value_data_new(reader->arena, tag, n_slots, n_slots ? slots : &none);
  return reader->counting || *slot || reader_refuse(reader, reader->line_number, 1, "out of memory");
}

static bool characters(struct reader *reader, const struct ir_type *element, const char *token, size_t length,
                       uint32_t line, size_t column) {
  size_t base = reader->n_stack;
  uint64_t slot;
  for (size_t at = 0, step; at < length; at += step) {
    step = value_text_step(token + at, length - at);
    if (!index_of(reader, element->dim, token + at, step, line, column + at, &slot) ||
        !reader_push(reader, slot))
      return false;
  }
  return reader_list(reader, element, base, &slot) && reader_push(reader, slot);
}

bool reader_token(struct reader *reader, const struct ir_type *type, const char *token, size_t length,
                  uint32_t line, size_t column) {
  uint64_t slot;
  if (type->kind == IR_LIST)
    return characters(reader, type->element, token, length, line, column);
  if (type->kind != IR_TUPLE)
    return reader_scalar(reader, type, token, length, line, column, &slot) && reader_push(reader, slot);
  for (uint32_t i = 0; i < type->tuple.n; i++)
    if (!reader_token(reader, type->tuple.fields[i].type, token, length, line, column))
      return false;
  return true;
}

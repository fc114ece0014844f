// Lines, positions and errors of the readers; from text to slots.
#include "runtime/data/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/message.h"

void *reader_grow(void *array, size_t *capacity, size_t needed, size_t size) {
  if (needed <= *capacity)
    return array;
  while (*capacity < needed)
    *capacity = *capacity ? 2 * *capacity : 256;
  array = realloc(array, *capacity * size);
  if (array)
    return array;
  fputs("out of memory\n", stderr);
  abort();
}

bool reader_line(struct reader *reader) {
  if (reader->line_pending) {
    reader->line_pending = false;
    return true;
  }
  ssize_t n = getline(&reader->line, &reader->line_capacity, reader->file);
  if (n < 0)
    return false;
  reader->line_number++;
  size_t length = (size_t)n;
  if (length && reader->line[length - 1] == '\n')
    length--;
  if (length && reader->line[length - 1] == '\r')
    length--;
  if (reader->line_number == 1 && length >= 3 && !memcmp(reader->line, "\xef\xbb\xbf", 3))
    memmove(reader->line, reader->line + 3, length -= 3);
  reader->line[length] = 0;
  reader->length = length;
  return true;
}

bool reader_line_is_blank(const struct reader *reader) {
  return strspn(reader->line, " \t") == reader->length;
}

enum reader_result reader_fail(struct reader *reader, uint32_t line, size_t column, const char *format, ...) {
  if (reader->error)
    return READER_BAD;
  char *message = NULL;
  va_list args;
  va_start(args, format);
  if (vasprintf(&message, format, args) < 0)
    message = NULL;
  va_end(args);
  message_set(&reader->error, "%s:%u:%zu: %s", reader->request->path, line, column,
              message ? message : "out of memory");
  free(message);
  return READER_BAD;
}

bool reader_is_scalar(const struct ir_type *type) {
  return type->kind == IR_INDEX || type->kind == IR_INT || type->kind == IR_FLOAT || type->kind == IR_BOOL;
}

bool reader_is_scalar_list(const struct ir_type *type) {
  return type->kind == IR_LIST && reader_is_scalar(type->element);
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
  default: snprintf(buffer, size, "a value that data cannot give"); break;
  }
  return buffer;
}

// How a token is shown in a message: not all of a megabyte.
static int shown(size_t length) { return length > 60 ? 60 : (int)length; }

// Vocabularies are kept as JSON in checkpoints, which is UTF-8. Better to say so before training than after.
// Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
static bool is_utf8(const char *text, size_t length) {
  const unsigned char *c = (const unsigned char *)text, *end = c + length;
  while (c < end) {
    int more = *c < 0x80                 ? 0
               : *c >= 0xc2 && *c < 0xe0 ? 1
               : (*c & 0xf0) == 0xe0     ? 2
               : *c >= 0xf0 && *c < 0xf5 ? 3
                                         : -1;
    if (more < 0 || end - c <= more)
      return false;
    if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) || (*c == 0xf0 && c[1] < 0x90) ||
        (*c == 0xf4 && c[1] > 0x8f))
      return false;
    for (c++; more > 0; more--, c++)
      if ((*c & 0xc0) != 0x80)
        return false;
  }
  return true;
}

struct token {
  struct vocab *vocab;
  size_t length;  // of the text behind this
};

static void keep_token(struct reader *reader, struct vocab *vocab, const char *text, size_t length) {
  struct token token = {vocab, length};
  size_t at = reader->n_tokens;
  reader->tokens = reader_grow(reader->tokens, &reader->tokens_capacity, at + sizeof token + length, 1);
  memcpy(reader->tokens + at, &token, sizeof token);
  memcpy(reader->tokens + at + sizeof token, text, length);
  reader->n_tokens = at + sizeof token + length;
}

void reader_count_tokens(struct reader *reader) {
  for (size_t at = 0; at < reader->n_tokens;) {
    struct token token;
    memcpy(&token, reader->tokens + at, sizeof token);
    at += sizeof token;
    vocab_count(token.vocab, reader->tokens + at, token.length);
    at += token.length;
  }
  reader->n_tokens = 0;
}

void reader_discard_tokens(struct reader *reader) { reader->n_tokens = 0; }

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
    reader_fail(reader, line, column, "`%.*s` is no member of enum %s", shown(length), token, set->atom.name);
    return false;
  }
  struct vocab *vocab = reader->request->vocabs[dim];
  if (!vocab_is_frozen(vocab)) {
    *slot = 0;
    if (!is_utf8(token, length)) {
      reader_fail(reader, line, column, "this is not UTF-8");
      return false;
    }
    if (reader->counting)
      keep_token(reader, vocab, token, length);
    return true;
  }
  int64_t found = vocab_find(vocab, token, length);
  if (found < 0) {
    reader_fail(reader, line, column,
                "`%.*s` is not in the closed vocabulary %s: it does not occur in the training data",
                shown(length), token, set->atom.name);
    return false;
  }
  *slot = (uint64_t)found;
  return true;
}

bool reader_scalar(struct reader *reader, const struct ir_type *type, const char *token, size_t length,
                   uint32_t line, size_t column, uint64_t *slot) {
  if (type->kind == IR_INDEX)
    return index_of(reader, type->dim, token, length, line, column, slot);
  char text[64], *end = text, what[128];
  if (length > 0 && length < sizeof text) {
    memcpy(text, token, length);
    text[length] = 0;
    errno = 0;
    if (type->kind == IR_INT) {
      int64_t value = strtoll(text, &end, 10);
      if (!*end && !errno)
        return *slot = (uint64_t)value, true;
    } else if (type->kind == IR_FLOAT) {
      double value = strtod(text, &end);
      if (!*end && end != text)
        return memcpy(slot, &value, sizeof value), true;
    } else if (type->kind == IR_BOOL) {
      bool yes = !strcmp(text, "true") || !strcmp(text, "1"),
           no = !strcmp(text, "false") || !strcmp(text, "0");
      if (yes || no)
        return *slot = yes, true;
    }
  }
  reader_fail(reader, line, column, "expected %s, found `%.*s`",
              reader_type_text(reader, type, what, sizeof what), shown(length), token);
  return false;
}

void reader_push(struct reader *reader, uint64_t slot) {
  reader->stack = reader_grow(reader->stack, &reader->stack_capacity, reader->n_stack + 1,
                              sizeof *reader->stack);
  reader->stack[reader->n_stack++] = slot;
}

uint64_t reader_list(struct reader *reader, const struct ir_type *element, size_t base) {
  uint32_t width = ir_type_width(element);
  uint64_t n = width ? (reader->n_stack - base) / width : 0;
  struct value_list *list = value_list_new(reader->arena, width, n, reader->stack + base);
  reader->n_stack = base;
  return (uint64_t)(uintptr_t)list;
}

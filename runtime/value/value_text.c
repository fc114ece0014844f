// Texts: see value_text.h.
#include "runtime/value/value_text.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/value/vocab.h"

// ------------------------------------------------------------------------------------------- made outside of examples

size_t value_text_memory(size_t length) { return sizeof(struct value_text) + length + 1; }

static uint64_t count_characters(const char *bytes, size_t length) {
  uint64_t n = 0;
  for (size_t i = 0; i < length; i++)
    n += ((unsigned char)bytes[i] & 0xc0) != 0x80;
  return n;
}

void value_text_write(struct value_text *text, const char *bytes, size_t length) {
  *text = (struct value_text){.length = length, .characters = count_characters(bytes, length)};
  memcpy(text->bytes, bytes, length);
  text->bytes[length] = 0;
}

struct value_text *value_text_new(struct value_arena *arena, const char *bytes, size_t length) {
  struct value_text *text = value_arena_try(arena, value_text_memory(length));
  if (text)
    value_text_write(text, bytes, length);
  return text;
}

size_t value_text_step(const char *bytes, size_t left) {
  unsigned char first = left ? (unsigned char)*bytes : 0;
  size_t step = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return step < left ? step : left;
}

// Of the character `at` in a text.
static size_t step_at(const struct value_text *text, size_t at) {
  return value_text_step(text->bytes + at, (size_t)text->length - at);
}

// ------------------------------------------------------------------------------------------------------------- parts

// With a count of one, its bytes still to be written.
static struct value_text *make(struct example *example, const struct ir_loc *loc, uint64_t length,
                               uint64_t characters) {
  if (length > INT64_MAX / 2)
    length = INT64_MAX / 2;  // beyond any limit
  struct value_text *text = example_alloc(example, loc, value_text_memory((size_t)length));
  *text = (struct value_text){.count = 1, .length = length, .characters = characters};
  text->bytes[length] = 0;
  return text;
}

static struct value_text *copy(struct example *example, const struct ir_loc *loc, const char *bytes,
                               uint64_t length, uint64_t characters) {
  struct value_text *text = make(example, loc, length, characters);
  memcpy(text->bytes, bytes, (size_t)length);
  return text;
}

// A text of one byte, laid out as any other.
struct ascii_text {
  int32_t count;
  uint64_t length, characters;
  char bytes[2];
};
_Static_assert(offsetof(struct ascii_text, length) == offsetof(struct value_text, length) &&
                   offsetof(struct ascii_text, characters) == offsetof(struct value_text, characters) &&
                   offsetof(struct ascii_text, bytes) == offsetof(struct value_text, bytes),
               "a text of one byte is a text");

#define ASCII_1(c)                                                                                           \
  {                                                                                                          \
    .length = 1, .characters = 1, .bytes = {(char)(c), 0 }                                                   \
  }
#define ASCII_4(c) ASCII_1(c), ASCII_1((c) + 1), ASCII_1((c) + 2), ASCII_1((c) + 3)
#define ASCII_16(c) ASCII_4(c), ASCII_4((c) + 4), ASCII_4((c) + 8), ASCII_4((c) + 12)
static const struct ascii_text ascii[128] = {ASCII_16(0),  ASCII_16(16), ASCII_16(32), ASCII_16(48),
                                             ASCII_16(64), ASCII_16(80), ASCII_16(96), ASCII_16(112)};

static struct value_text *character(struct example *example, const struct ir_loc *loc,
                                    const struct value_text *text, size_t at) {
  unsigned char first = (unsigned char)text->bytes[at];
  if (first < 0x80)
    return (struct value_text *)(uintptr_t)&ascii[first];
  return copy(example, loc, text->bytes + at, step_at(text, at), 1);
}

// Where character `index` begins; `index` may be the number of characters.
static size_t offset_of(const struct value_text *text, uint64_t index) {
  if (text->characters == text->length)
    return (size_t)index;
  size_t at = 0;
  for (; index > 0; index--)
    at += step_at(text, at);
  return at;
}

struct value_text *value_text_get(struct example *example, const struct ir_loc *loc,
                                  const struct value_text *text, int64_t index) {
  if (index < 0 || (uint64_t)index >= text->characters)
    example_fail(example, loc, "index %" PRId64 " is out of range: the text has %" PRIu64 " character%s",
                 index, text->characters, text->characters == 1 ? "" : "s");
  return character(example, loc, text, offset_of(text, (uint64_t)index));
}

struct value_text *value_text_slice(struct example *example, const struct ir_loc *loc,
                                    struct value_text *text, int64_t from, int64_t to) {
  if (from < 0 || from > to || (uint64_t)to > text->characters)
    example_fail(example, loc,
                 "slice %" PRId64 "..%" PRId64 " is out of range: the text has %" PRIu64 " character%s", from,
                 to, text->characters, text->characters == 1 ? "" : "s");
  if (from == 0 && (uint64_t)to == text->characters) {
    value_retain(text);
    return text;
  }
  size_t begin = offset_of(text, (uint64_t)from), end = begin;
  if (text->characters == text->length)
    end += (size_t)(to - from);
  else
    for (int64_t i = from; i < to; i++)
      end += step_at(text, end);
  return copy(example, loc, text->bytes + begin, end - begin, (uint64_t)(to - from));
}

// -------------------------------------------------------------------------------------------------- joined and split

struct value_text *value_text_concat(struct example *example, const struct ir_loc *loc, struct value_text *a,
                                     struct value_text *b) {
  if (a->length == 0 || b->length == 0) {
    struct value_text *whole = a->length == 0 ? b : a;
    value_retain(whole);
    return whole;
  }
  struct value_text *text = make(example, loc, a->length + b->length, a->characters + b->characters);
  memcpy(text->bytes, a->bytes, (size_t)a->length);
  memcpy(text->bytes + a->length, b->bytes, (size_t)b->length);
  return text;
}

static const struct value_text *element(const struct value_list *list, uint64_t i) {
  return (const struct value_text *)(uintptr_t)list->buffer->slots[list->offset + i];
}

struct value_text *value_text_join(struct example *example, const struct ir_loc *loc,
                                   const struct value_list *list, const struct value_text *separator) {
  uint64_t length = 0, characters = 0;
  bool overflow = false;
  for (uint64_t i = 0; i < list->length; i++) {
    const struct value_text *part = element(list, i);
    overflow |= __builtin_add_overflow(length, part->length + (i ? separator->length : 0), &length);
    characters += part->characters + (i ? separator->characters : 0);
  }
  struct value_text *text = make(example, loc, overflow ? UINT64_MAX : length, characters);
  char *to = text->bytes;
  for (uint64_t i = 0; i < list->length; i++) {
    const struct value_text *part = element(list, i);
    if (i) {
      memcpy(to, separator->bytes, (size_t)separator->length);
      to += separator->length;
    }
    memcpy(to, part->bytes, (size_t)part->length);
    to += part->length;
  }
  return text;
}

static struct value_list *characters_of(struct example *example, const struct ir_loc *loc,
                                        const struct value_shape *shape, const struct value_text *text) {
  struct value_list *list = value_list_make(example, loc, shape, 0, NULL);
  for (size_t at = 0; at < text->length; at += step_at(text, at)) {
    uint64_t slot = (uintptr_t)character(example, loc, text, at);
    list = value_list_push(example, loc, shape, list, &slot);
  }
  return list;
}

struct value_list *value_text_split(struct example *example, const struct ir_loc *loc,
                                    const struct value_shape *shape, const struct value_text *text,
                                    const struct value_text *separator) {
  if (separator->length == 0)
    return characters_of(example, loc, shape, text);
  struct value_list *list = value_list_make(example, loc, shape, 0, NULL);
  const char *at = text->bytes, *end = text->bytes + text->length;
  for (;;) {
    const char *next = memmem(at, (size_t)(end - at), separator->bytes, (size_t)separator->length);
    size_t length = (size_t)((next ? next : end) - at);
    uint64_t slot = (uintptr_t)copy(example, loc, at, length, count_characters(at, length));
    list = value_list_push(example, loc, shape, list, &slot);
    if (!next)
      return list;
    at = next + separator->length;
  }
}

// ------------------------------------------------------------------------------------------------- search, comparison

int64_t value_text_find(const struct value_text *text, const struct value_text *wanted) {
  const char *found = memmem(text->bytes, (size_t)text->length, wanted->bytes, (size_t)wanted->length);
  return found ? (int64_t)count_characters(text->bytes, (size_t)(found - text->bytes)) : -1;
}

int64_t value_text_compare(const struct value_text *a, const struct value_text *b) {
  uint64_t common = a->length < b->length ? a->length : b->length;
  int order = memcmp(a->bytes, b->bytes, (size_t)common);
  if (order == 0)
    return a->length < b->length ? -1 : a->length > b->length;
  return order < 0 ? -1 : 1;
}

int64_t value_text_equal(const struct value_text *a, const struct value_text *b) {
  return a == b || (a->length == b->length && memcmp(a->bytes, b->bytes, (size_t)a->length) == 0);
}

// --------------------------------------------------------------------------------------------- case and normal forms

// Simple mappings, from a character to a character. Gives the bytes, which are written unless `to` is NULL.
static uint64_t map_characters(char *to, const char *bytes, uint64_t length,
                               utf8proc_int32_t (*map)(utf8proc_int32_t)) {
  utf8proc_uint8_t mapped[4];
  uint64_t n = 0;
  for (uint64_t at = 0; at < length; at += value_text_step(bytes + at, (size_t)(length - at))) {
    utf8proc_int32_t c;
    utf8proc_iterate((const utf8proc_uint8_t *)bytes + at, (utf8proc_ssize_t)(length - at), &c);
    size_t step = (size_t)utf8proc_encode_char(map(c), mapped);
    if (to)
      memcpy(to + n, mapped, step);
    n += step;
  }
  return n;
}

static struct value_text *change_case(struct example *example, const struct ir_loc *loc,
                                      const struct value_text *text,
                                      utf8proc_int32_t (*map)(utf8proc_int32_t)) {
  uint64_t length = map_characters(NULL, text->bytes, text->length, map);
  struct value_text *mapped = make(example, loc, length, text->characters);
  map_characters(mapped->bytes, text->bytes, text->length, map);
  return mapped;
}

static utf8proc_int32_t to_lower(utf8proc_int32_t c) { return utf8proc_tolower(c); }
static utf8proc_int32_t to_upper(utf8proc_int32_t c) { return utf8proc_toupper(c); }
static utf8proc_int32_t to_itself(utf8proc_int32_t c) { return c; }

// The characters are taken apart and, for the composed forms, put together again, in memory of the example's heap.
static struct value_text *normal_form(struct example *example, const struct ir_loc *loc,
                                      const struct value_text *text, utf8proc_option_t options) {
  const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text->bytes;
  utf8proc_ssize_t length = (utf8proc_ssize_t)text->length;
  utf8proc_ssize_t n = utf8proc_decompose(bytes, length, NULL, 0, options);
  if (n < 0)
    example_fail(example, loc, "%s", utf8proc_errmsg(n));
  size_t memory = ((size_t)n + 1) * sizeof(utf8proc_int32_t);
  utf8proc_int32_t *buffer = example_alloc(example, loc, memory);
  utf8proc_decompose(bytes, length, buffer, n, options);
  n = utf8proc_reencode(buffer, n, options);
  if (n < 0)
    example_fail(example, loc, "%s", utf8proc_errmsg(n));
  const char *mapped = (const char *)buffer;
  struct value_text *result = copy(example, loc, mapped, (uint64_t)n, count_characters(mapped, (size_t)n));
  heap_free(&example->heap, buffer, memory);
  return result;
}

struct value_text *value_text_map(struct example *example, const struct ir_loc *loc, struct value_text *text,
                                  uint32_t map) {
  bool is_case = map == IR_TEXT_LOWER || map == IR_TEXT_UPPER;
  if (!is_case && text->characters == text->length) {  // ASCII is in every normal form
    value_retain(text);
    return text;
  }
  switch (map) {
  case IR_TEXT_LOWER: return change_case(example, loc, text, to_lower);
  case IR_TEXT_UPPER: return change_case(example, loc, text, to_upper);
  case IR_TEXT_NFC: return normal_form(example, loc, text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  case IR_TEXT_NFD: return normal_form(example, loc, text, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  case IR_TEXT_NFKC:
    return normal_form(example, loc, text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  default: return normal_form(example, loc, text, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  }
}

char *value_text_normal(const char *bytes, size_t length, uint32_t normal, size_t *new_length) {
  utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
  char *composed = NULL, *result;
  *new_length = length;
  if (normal & (IR_NORMAL_NFC | IR_NORMAL_NFKC)) {
    options |= normal & IR_NORMAL_NFKC ? UTF8PROC_COMPAT : 0;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)bytes, (utf8proc_ssize_t)length,
                                      (utf8proc_uint8_t **)&composed, options);
    if (n < 0)
      return NULL;
    bytes = composed;
    length = (size_t)n;
  }
  utf8proc_int32_t (*map)(utf8proc_int32_t) = normal & IR_NORMAL_LOWER ? to_lower : to_itself;
  *new_length = (size_t)map_characters(NULL, bytes, length, map);
  result = malloc(*new_length + 1);
  if (result) {
    map_characters(result, bytes, length, map);
    result[*new_length] = 0;
  }
  free(composed);
  return result;
}

// ----------------------------------------------------------------------------------------------- numbers and indices

// Beyond this no text is a number of 64 bits that anybody writes: a decimal expansion of a double has at most 1,075
// digits.
enum { LONGEST_NUMBER = 1200 };

bool value_text_to_int(const char *bytes, size_t length, int64_t *value) {
  size_t at = length && (*bytes == '-' || *bytes == '+');
  bool is_negative = length && *bytes == '-';
  uint64_t number = 0, most = (uint64_t)INT64_MAX + is_negative;
  if (at == length)
    return false;
  for (; at < length; at++) {
    unsigned digit = (unsigned char)bytes[at] - (unsigned)'0';
    if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
        __builtin_add_overflow(number, digit, &number) || number > most)
      return false;
  }
  *value = (int64_t)(is_negative ? 0 - number : number);
  return true;
}

bool value_text_to_float(const char *bytes, size_t length, double *value) {
  char copied[LONGEST_NUMBER], *end;
  if (length == 0 || length >= sizeof copied || strchr(" \t\n\v\f\r", *bytes))
    return false;
  memcpy(copied, bytes, length);
  copied[length] = 0;
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);  // of the C library itself: nothing is allocated
  errno = 0;
  *value = strtod_l(copied, &end, plain);
  freelocale(plain);
  // Too small a number is the nearest that there is, 0 included.
  return end == copied + length && !(errno == ERANGE && (*value > 1 || *value < -1));
}

struct value_text *value_text_of_int(struct example *example, const struct ir_loc *loc, int64_t value) {
  char written[32];
  int n = snprintf(written, sizeof written, "%" PRId64, value);
  return copy(example, loc, written, (uint64_t)n, (uint64_t)n);
}

struct value_text *value_text_of_float(struct example *example, const struct ir_loc *loc, double value) {
  char written[40];
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(plain);
  int n = snprintf(written, sizeof written, "%s", isnan(value) ? "nan" : "");
  // The shortest decimal that is this number.
  for (int digits = 6; digits <= 17 && !isnan(value); digits++) {
    n = snprintf(written, sizeof written, "%.*g", digits, value);
    if (strtod(written, NULL) == value)
      break;
  }
  uselocale(before);
  freelocale(plain);
  return copy(example, loc, written, (uint64_t)n, (uint64_t)n);
}

struct value_text *value_text_of_index(struct example *example, uint32_t dim, int64_t index) {
  return (struct value_text *)(uintptr_t)vocab_text(example->sets[dim], index);
}

// Of a text that a message shows: not all of a megabyte, and no half character.
static int shown(const struct value_text *text) {
  size_t at = 0;
  while (at < text->length && at < 60)
    at += step_at(text, at);
  return (int)at;
}

int64_t value_text_parse_int(struct example *example, const struct ir_loc *loc,
                             const struct value_text *text) {
  int64_t value;
  if (!value_text_to_int(text->bytes, (size_t)text->length, &value))
    example_fail(example, loc, "`%.*s` is no int", shown(text), text->bytes);
  return value;
}

double value_text_parse_float(struct example *example, const struct ir_loc *loc,
                              const struct value_text *text) {
  double value;
  if (!value_text_to_float(text->bytes, (size_t)text->length, &value))
    example_fail(example, loc, "`%.*s` is no float", shown(text), text->bytes);
  return value;
}

int64_t value_text_parse_index(struct example *example, const struct ir_loc *loc,
                               const struct value_text *text, uint32_t dim) {
  const struct vocab *set = example->sets[dim];
  int64_t found = vocab_find(set, text->bytes, (size_t)text->length);
  if (found == VOCAB_NO_MEMORY)
    example_fail_crowded(example, loc, "out of memory for a text");
  if (found < 0)
    example_fail(example, loc, "`%.*s` is not in %s", shown(text), text->bytes, vocab_name(set));
  return found;
}

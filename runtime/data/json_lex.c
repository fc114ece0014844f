// Tokens of JSON, line by line, and the checks that hold for any JSON: see json_lex.h.
#include "runtime/data/json_lex.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void json_lex_end(struct json_lex *lex) {
  free(lex->text);
  free(lex->keys);
}

static struct json_token bad(struct json_lex *lex, size_t at, const char *message) {
  reader_fail(lex->reader, lex->reader->line_number, at + 1, "not JSON: %s", message);
  return (struct json_token){JSON_LEX_BAD, lex->reader->line_number, at + 1, "", 0};
}

// ----------------------------------------------------------------------------------------- strings

static int hex(const char *text) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    char c = text[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0)
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

static size_t put_utf8(char *out, uint32_t c) {
  if (c < 0x80)
    return out[0] = (char)c, 1;
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--, c >>= 6)
    out[i] = (char)(0x80 | (c & 0x3f));
  out[0] = (char)((0xf00 >> n) | c);
  return n;
}

// `\u` and four digits, two of them where it is half a character. What is wrong with it, or NULL; *used: its length.
static const char *unicode(const char *at, char *out, size_t *n, size_t *used) {
  int c = hex(at + 2), low = 0;
  *used = 6;
  if (c < 0)
    return "`\\u` takes four hexadecimal digits";
  if (c == 0)
    return "a NUL character in a string";
  if (c >= 0xd800 && c < 0xe000) {
    if (c >= 0xdc00 || at[6] != '\\' || at[7] != 'u' || (low = hex(at + 8)) < 0xdc00 || low >= 0xe000)
      return "half of a surrogate pair";
    *used = 12;
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  }
  *n += put_utf8(out + *n, (uint32_t)c);
  return NULL;
}

// A string with an escape at `at`: unescaped into lex->text. The line's NUL ends every look ahead.
static struct json_token escaped(struct json_lex *lex, size_t begin, size_t at) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *line = lex->reader->line;
  size_t n = at - begin, used;
  // Unescaped text is never longer.
  if (!reader_reserve(lex->reader, &lex->text, &lex->text_capacity, lex->reader->length - begin + 4, 1))
    return bad(lex, begin, "out of memory");
  memcpy(lex->text, line + begin, n);
  for (;; at += used) {
    const char *escape;
    if (line[at] == '"') {
      lex->at = at + 1;
      return (struct json_token){JSON_LEX_STRING, lex->reader->line_number, begin, lex->text, n};
    }
    used = 1;
    if (line[at] != '\\') {
      if (at == lex->reader->length)
        return bad(lex, begin - 1, "this string is not closed in its line");
      if (line[at] == '\t')
        return bad(lex, at, "a tab in a string: write `\\t`");
      lex->text[n++] = line[at];
    } else if (line[at + 1] == 'u') {
      const char *why = unicode(line + at, lex->text, &n, &used);
      if (why)
        return bad(lex, at, why);
    } else {
      escape = line[at + 1] ? strchr(from, line[at + 1]) : NULL;
      if (!escape)
        return bad(lex, at,
                   line[at + 1] ? "there is no such escape" : "this string is not closed in its line");
      lex->text[n++] = to[escape - from];
      used = 2;
    }
  }
}

static struct json_token string(struct json_lex *lex) {
  const char *line = lex->reader->line;
  size_t begin = lex->at + 1, at = begin + strcspn(line + begin, "\"\\\t");
  if (line[at] == '\\')
    return escaped(lex, begin, at);
  if (line[at] == '\t')
    return bad(lex, at, "a tab in a string: write `\\t`");
  if (line[at] != '"')
    return bad(lex, lex->at, "this string is not closed in its line");
  lex->at = at + 1;
  return (struct json_token){JSON_LEX_STRING, lex->reader->line_number, begin, line + begin, at - begin};
}

// ------------------------------------------------------------------------------------------ tokens

static size_t digits(const char *text) { return strspn(text, "0123456789"); }

static struct json_token number(struct json_lex *lex) {
  const char *begin = lex->reader->line + lex->at, *at = begin + (*begin == '-');
  enum json_kind kind = JSON_LEX_INTEGER;
  size_t n = digits(at);
  if (!strncmp(at, "Infinity", 8))
    return bad(lex, lex->at, "JSON has no Infinity");
  if (n == 0 || (n > 1 && *at == '0'))
    return bad(lex, lex->at, n ? "a number does not begin with 0" : "expected a digit behind `-`");
  at += n;
  if (*at == '.') {
    kind = JSON_LEX_REAL;
    if (!(n = digits(at + 1)))
      return bad(lex, lex->at, "expected a digit behind the point");
    at += 1 + n;
  }
  if (*at == 'e' || *at == 'E') {
    kind = JSON_LEX_REAL;
    at += at[1] == '+' || at[1] == '-' ? 2 : 1;
    if (!(n = digits(at)))
      return bad(lex, lex->at, "expected the digits of an exponent");
    at += n;
  }
  struct json_token token = {kind, lex->reader->line_number, lex->at + 1, begin, (size_t)(at - begin)};
  lex->at += token.length;
  return token;
}

static struct json_token word(struct json_lex *lex) {
  static const struct {
    const char *text, *help;
    enum json_kind kind;
  } words[] = {{"true", NULL, JSON_LEX_TRUE},
               {"false", NULL, JSON_LEX_FALSE},
               {"null", NULL, JSON_LEX_NULL},
               {"True", "write `true`", JSON_LEX_BAD},
               {"False", "write `false`", JSON_LEX_BAD},
               {"None", "write `null`", JSON_LEX_BAD},
               {"NaN", "JSON has no NaN", JSON_LEX_BAD},
               {"Infinity", "JSON has no Infinity", JSON_LEX_BAD}};
  const char *begin = lex->reader->line + lex->at;
  size_t n = strspn(begin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strlen(words[i].text) != n || memcmp(words[i].text, begin, n))
      continue;
    if (words[i].kind == JSON_LEX_BAD)
      return bad(lex, lex->at, words[i].help);
    lex->at += n;
    return (struct json_token){words[i].kind, lex->reader->line_number, lex->at - n + 1, begin, n};
  }
  char message[160];
  int shown = reader_shown(begin, n ? n : strlen(begin));
  if (*begin == '\'')
    return bad(lex, lex->at, "a string stands between `\"`, not `'`");
  snprintf(message, sizeof message, n ? "`%.*s` is no value; a string stands between `\"`" : "found `%.*s`",
           shown, begin);
  return bad(lex, lex->at, message);
}

// The next line, when a record may go on there.
static bool next_line(struct json_lex *lex, struct json_token *token) {
  struct reader *reader = lex->reader;
  if (lex->in_line && lex->one_line && lex->depth) {
    *token = bad(lex, lex->at, "the line ends within a record");
    return false;
  }
  enum reader_line line = reader_line(reader);
  lex->in_line = line == LINE_TEXT;
  lex->at = 0;
  *token = (struct json_token){line == LINE_END ? JSON_LEX_END : JSON_LEX_BAD, reader->line_number, 1, "", 0};
  return lex->in_line;
}

static struct json_token scan(struct json_lex *lex) {
  struct json_token token;
  for (;;) {
    if (lex->in_line) {
      const char *line = lex->reader->line;
      lex->at += strspn(line + lex->at, " \t");
      if (lex->at < lex->reader->length)
        break;
    }
    if (!next_line(lex, &token))
      return token;
  }
  const char *c = lex->reader->line + lex->at;
  token = (struct json_token){JSON_LEX_BAD, lex->reader->line_number, lex->at + 1, c, 1};
  switch (*c) {
  case '"': return string(lex);
  case '{': token.kind = JSON_LEX_OPEN_OBJECT; break;
  case '}': token.kind = JSON_LEX_CLOSE_OBJECT; break;
  case '[': token.kind = JSON_LEX_OPEN_ARRAY; break;
  case ']': token.kind = JSON_LEX_CLOSE_ARRAY; break;
  case ',': token.kind = JSON_LEX_COMMA; break;
  case ':': token.kind = JSON_LEX_COLON; break;
  default: return *c == '-' || (*c >= '0' && *c <= '9') ? number(lex) : word(lex);
  }
  lex->at++;
  bool opens = token.kind == JSON_LEX_OPEN_OBJECT || token.kind == JSON_LEX_OPEN_ARRAY;
  bool closes = token.kind == JSON_LEX_CLOSE_OBJECT || token.kind == JSON_LEX_CLOSE_ARRAY;
  if (opens && lex->depth++ == JSON_MOST_DEPTH)
    return bad(lex, lex->at - 1, "objects and arrays more than 2048 deep");
  if (closes && lex->depth)
    lex->depth--;
  return token;
}

struct json_token json_next(struct json_lex *lex) {
  struct json_token token = scan(lex);
  lex->is_stuck = token.kind == JSON_LEX_BAD || token.kind == JSON_LEX_END;
  return token;
}

const char *json_token_text(const struct json_token *token, char *buffer, size_t size) {
  switch (token->kind) {
  case JSON_LEX_END: return "the end of the file";
  case JSON_LEX_OPEN_OBJECT: return "an object";
  case JSON_LEX_OPEN_ARRAY: return "an array";
  case JSON_LEX_STRING: return "a string";
  case JSON_LEX_INTEGER: return "an integer";
  case JSON_LEX_REAL:
    return memchr(token->text, '.', token->length) ? "a number with a fraction" : "a number with an exponent";
  case JSON_LEX_TRUE:
  case JSON_LEX_FALSE: return "a boolean";
  case JSON_LEX_NULL: return "null";
  default: snprintf(buffer, size, "`%.*s`", (int)token->length, token->text); return buffer;
  }
}

// ------------------------------------------------------------------------------- objects and arrays

struct json_items json_items_of(const struct json_lex *lex, const struct json_token *open) {
  return (struct json_items){open->kind, open->line, open->column, 0, lex->n_keys};
}

// Keys of small objects are compared as they come, those of large ones when the object ends.
enum { FEW_KEYS = 32 };

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static int twice(struct json_lex *lex, uint32_t line, size_t column, const struct json_token *key) {
  if (key)
    reader_fail(lex->reader, line, column, "not JSON: the key `%.*s` occurs twice in an object",
                reader_shown(key->text, key->length), key->text);
  else
    reader_fail(lex->reader, line, column, "not JSON: a key occurs twice in this object");
  return -1;
}

static int keep_key(struct json_lex *lex, const struct json_items *items, const struct json_token *key) {
  uint64_t hash = XXH3_64bits(key->text, key->length);
  if (!reader_reserve(lex->reader, &lex->keys, &lex->keys_capacity, lex->n_keys + 1, sizeof *lex->keys))
    return -1;
  if (lex->n_keys - items->first_key < FEW_KEYS)
    for (size_t i = items->first_key; i < lex->n_keys; i++)
      if (lex->keys[i] == hash)
        return twice(lex, key->line, key->column, key);
  lex->keys[lex->n_keys++] = hash;
  return 1;
}

static int end_of_items(struct json_lex *lex, const struct json_items *items) {
  size_t n = lex->n_keys - items->first_key;
  uint64_t *keys = n ? lex->keys + items->first_key : NULL;
  lex->n_keys = items->first_key;
  if (n <= FEW_KEYS)
    return 0;
  qsort(keys, n, sizeof *keys, by_value);
  for (size_t i = 1; i < n; i++)
    if (keys[i - 1] == keys[i])
      return twice(lex, items->line, items->column, NULL);
  return 0;
}

static int expected(struct json_lex *lex, const struct json_items *items, const struct json_token *found,
                    const char *what) {
  struct reader *reader = lex->reader;
  char text[32];
  const char *container = items->open == JSON_LEX_OPEN_OBJECT ? "object" : "array";
  // A record that was cut off is blamed, not the one behind it.
  if (found->kind == JSON_LEX_END || (found->kind == JSON_LEX_OPEN_OBJECT && found->column == 1))
    reader_fail(reader, items->line, items->column, "not JSON: this %s is never closed", container);
  else
    reader_fail(reader, found->line, found->column, "not JSON: expected %s in an %s, found %s", what,
                container, json_token_text(found, text, sizeof text));
  return -1;
}

// The colon behind a key. It takes no room in lex->text, so the key stays where it is unless its line ends.
static int colon_behind(struct json_lex *lex, const struct json_items *items, struct json_token *key) {
  const char *line = lex->reader->line;
  lex->at += strspn(line + lex->at, " \t");
  if (line[lex->at] == ':') {
    lex->at++;
    return 1;
  }
  if (key->text != lex->text) {
    if (!reader_reserve(lex->reader, &lex->text, &lex->text_capacity, key->length + 1, 1))
      return -1;
    memcpy(lex->text, key->text, key->length);
    key->text = lex->text;
  }
  struct json_token colon = json_next(lex);
  if (colon.kind == JSON_LEX_COLON)
    return 1;
  return colon.kind == JSON_LEX_BAD ? -1 : expected(lex, items, &colon, "`:` behind a key");
}

int json_next_item(struct json_lex *lex, struct json_items *items, struct json_token *token) {
  bool is_object = items->open == JSON_LEX_OPEN_OBJECT;
  enum json_kind close = is_object ? JSON_LEX_CLOSE_OBJECT : JSON_LEX_CLOSE_ARRAY;
  *token = json_next(lex);
  if (token->kind == close)
    return end_of_items(lex, items);
  if (items->n) {
    if (token->kind != JSON_LEX_COMMA && token->kind != JSON_LEX_BAD)
      return expected(lex, items, token, is_object ? "`,` or `}`" : "`,` or `]`");
    *token = json_next(lex);
  }
  if (token->kind == JSON_LEX_BAD)
    return -1;
  if (!is_object && token->kind == JSON_LEX_CLOSE_ARRAY)
    return expected(lex, items, token, "a value behind the comma");
  if (!is_object)
    return token->kind == JSON_LEX_END ? expected(lex, items, token, "a value") : (int)(items->n++, 1);
  if (token->kind != JSON_LEX_STRING)
    return expected(lex, items, token, "a key");
  items->n++;
  if (keep_key(lex, items, token) < 0)
    return -1;
  return colon_behind(lex, items, token);
}

static bool unexpected(struct json_lex *lex, const struct json_token *token) {
  char text[32];
  reader_fail(lex->reader, token->line, token->column, "not JSON: expected a value, found %s",
              json_token_text(token, text, sizeof text));
  return false;
}

bool json_skip(struct json_lex *lex, const struct json_token *token) {
  switch (token->kind) {
  case JSON_LEX_OPEN_OBJECT:
  case JSON_LEX_OPEN_ARRAY: break;
  case JSON_LEX_BAD: return false;
  case JSON_LEX_END:
  case JSON_LEX_CLOSE_OBJECT:
  case JSON_LEX_CLOSE_ARRAY:
  case JSON_LEX_COMMA:
  case JSON_LEX_COLON: return unexpected(lex, token);
  default: return true;
  }
  struct json_items items = json_items_of(lex, token);
  struct json_token item;
  int more;
  while ((more = json_next_item(lex, &items, &item)) > 0) {
    if (token->kind == JSON_LEX_OPEN_OBJECT)
      item = json_next(lex);
    if (!json_skip(lex, &item))
      return false;
  }
  return more == 0;
}

bool json_close(struct json_lex *lex, uint32_t depth) {
  if (lex->is_stuck)
    return false;
  while (lex->depth > depth) {
    struct json_token token = json_next(lex);
    if (token.kind == JSON_LEX_BAD || token.kind == JSON_LEX_END)
      return false;
  }
  return true;
}

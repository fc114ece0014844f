// Reads JSON from memory, and writes its strings.
#include "runtime/data/json_text.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/data/line_check.h"

void json_text_open(struct json_text *json, const char *name, const char *text, size_t length) {
  *json = (struct json_text){.request = {.path = name}};
  json->reader = (struct reader){.request = &json->request, .text = text, .text_end = text + length};
  json->lex = (struct json_lex){.reader = &json->reader};
}

void json_text_close(struct json_text *json) {
  json_lex_end(&json->lex);
  free(json->reader.line);
  free(json->reader.error);
}

bool json_is_one_value(const char *text, bool *no_memory) {
  struct json_text json;
  json_text_open(&json, "a value", text, strlen(text));
  struct json_token token = json_next(&json.lex);
  bool ok = json_skip(&json.lex, &token) && json_next(&json.lex).kind == JSON_LEX_END;
  *no_memory = json.reader.is_fatal;
  json_text_close(&json);
  return ok;
}

// Whether what is left is an array of strings; *no_memory where that is why it is not.
static bool read_strings(struct json_text *json, struct json_strings *strings, bool *no_memory) {
  struct json_token token = json_next(&json->lex);
  if (token.kind != JSON_LEX_OPEN_ARRAY)
    return false;
  struct json_items items = json_items_of(&json->lex, &token);
  size_t capacity = 0;
  char *at = strings->bytes;
  int more;
  while ((more = json_next_item(&json->lex, &items, &token)) > 0) {
    if (token.kind != JSON_LEX_STRING)
      return false;
    if (!array_reserve(&strings->items, sizeof *strings->items, strings->n + 1, &capacity))
      return *no_memory = true, false;
    strings->items[strings->n++] = at;
    memcpy(at, token.text, token.length);
    at += token.length;
    *at++ = 0;
  }
  return more == 0 && json_next(&json->lex).kind == JSON_LEX_END;
}

bool json_strings_read(const char *text, struct json_strings *strings, bool *no_memory) {
  struct json_text json;
  json_text_open(&json, "a list", text, strlen(text));
  // A string is no longer than what is written for it, without one of its quotes.
  *strings = (struct json_strings){.bytes = malloc(strlen(text) + 1)};
  *no_memory = !strings->bytes;
  bool ok = strings->bytes && read_strings(&json, strings, no_memory);
  *no_memory |= json.reader.is_fatal;
  json_text_close(&json);
  if (!ok)
    json_strings_free(strings);
  return ok;
}

void json_strings_free(struct json_strings *strings) {
  free(strings->items);
  free(strings->bytes);
  *strings = (struct json_strings){0};
}

void json_write_string(FILE *out, const char *text) {
  const unsigned char *c = (const unsigned char *)text, *end = c + strlen(text);
  fputc('"', out);
  while (c < end) {
    size_t n = line_character(c, (size_t)(end - c));
    if (*c == '"' || *c == '\\')
      fprintf(out, "\\%c", *c);
    else if (*c < 0x20)
      fprintf(out, "\\u%04x", *c);
    else if (n)
      fwrite(c, 1, n, out);
    else
      fputs("\xef\xbf\xbd", out);
    c += n ? n : 1;
  }
  fputc('"', out);
}

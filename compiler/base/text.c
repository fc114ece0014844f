#include "compiler/base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

// Room for `length` more bytes and a zero.
static bool has_room(struct text *text, size_t length) {
  size_t needed;
  if (__builtin_add_overflow(text->length, length, &needed) || needed >= SIZE_MAX / 2)
    return false;
  if (needed < text->capacity)
    return true;
  size_t capacity = needed + needed / 2 + 64;
  char *grown = realloc(text->bytes, capacity);
  if (!grown)
    return false;
  text->bytes = grown;
  text->capacity = capacity;
  return true;
}

static ssize_t append(void *cookie, const char *bytes, size_t length) {
  struct text *text = cookie;
  text->failed = text->failed || !has_room(text, length);
  if (text->failed)
    return 0;  // an error to the stream
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  return (ssize_t)length;
}

FILE *text_open(struct text *text) {
  *text = (struct text){.out = NULL};
  text->out = fopencookie(text, "w", (cookie_io_functions_t){.write = append});
  // A buffer of its own, so that the stream allocates none.
  if (text->out)
    setvbuf(text->out, text->buffer, _IOFBF, sizeof text->buffer);
  return text->out;
}

char *text_close(struct text *text) {
  bool ok = fclose(text->out) == 0 && !text->failed && has_room(text, 0);
  text->out = NULL;
  if (!ok) {
    free(text->bytes);
    return NULL;
  }
  text->bytes[text->length] = 0;
  return text->bytes;
}

// Runs the lexer and the parser over one file.
#include "compiler/syntax/parse.h"

#include <string.h>

#include "compiler/syntax/parser.h"
#include "nn.tab.h"

// The length of the UTF-8 sequence at `text`, 0 when it is malformed, overlong, a surrogate or too large.
static size_t sequence_length(const unsigned char *text, size_t available) {
  unsigned char lead = text[0];
  if (lead < 0x80)
    return 1;
  size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || length > available)
    return 0;
  for (size_t i = 1; i < length; i++) {
    if ((text[i] & 0xC0) != 0x80)
      return 0;
  }
  bool is_overlong = (lead == 0xE0 && text[1] < 0xA0) || (lead == 0xF0 && text[1] < 0x90);
  bool is_surrogate = lead == 0xED && text[1] >= 0xA0;
  bool is_too_large = lead == 0xF4 && text[1] >= 0x90;
  return is_overlong || is_surrogate || is_too_large ? 0 : length;
}

// Whether the file is text at all; reports the first byte that is not.
static bool check_encoding(struct diag_sink *sink, const struct source_file *source) {
  const unsigned char *text = (const unsigned char *)source->text;
  for (uint32_t i = 0; i < source->length;) {
    struct span here = {source->id, i, i + 1};
    size_t length = sequence_length(text + i, source->length - i);
    if (length == 0) {
      bool is_utf16 = i == 0 && source->length >= 2 && (text[0] == 0xFF || text[0] == 0xFE);
      struct diag *diag = diag_error(sink, DIAG_INVALID_UTF8, here, "byte 0x%02X is not valid UTF-8",
                                     text[i]);
      if (is_utf16)
        diag_help(diag, "the file looks like UTF-16; save it as UTF-8");
      return false;
    }
    if (text[i] == '\0') {
      diag_error(sink, DIAG_NUL_BYTE, here, "the file contains a NUL byte");
      return false;
    }
    i += (uint32_t)length;
  }
  return true;
}

struct ast_file *parse_file(struct arena *arena, struct diag_sink *sink, struct source_file *source) {
  if (!check_encoding(sink, source))
    return NULL;
  struct parser parser = {.arena = arena, .sink = sink, .source = source, .at_line_start = true};
  parser.file = arena_new(arena, struct ast_file);
  parser.file->source = source;
  lexer_begin(&parser);
  int status = nn_yyparse(&parser);
  return status == 0 && !parser.failed ? parser.file : NULL;
}

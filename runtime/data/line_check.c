// The check of a line's bytes: eight at once where they are ASCII.
#include "runtime/data/line_check.h"

#include <stdint.h>
#include <string.h>

// Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte (RFC 3629, section 4).
size_t line_character(const unsigned char *c, size_t left) {
  size_t n = *c < 0x80                 ? 1
             : *c >= 0xc2 && *c < 0xe0 ? 2
             : (*c & 0xf0) == 0xe0     ? 3
             : *c >= 0xf0 && *c < 0xf5 ? 4
                                       : 0;
  if (n < 2 || n > left)
    return n == 1 ? 1 : 0;
  if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) || (*c == 0xf0 && c[1] < 0x90) ||
      (*c == 0xf4 && c[1] > 0x8f))
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((c[i] & 0xc0) != 0x80)
      return 0;
  return n;
}

static const char *fault_of(const unsigned char *c) {
  if (*c == 0)
    return "a NUL byte: this is no text, or UTF-16 (convert it: iconv -f UTF-16 -t UTF-8)";
  if (*c == '\r')
    return "a carriage return within a line: lines end with a line feed (convert the file: tr '\\r' '\\n')";
  if (*c < 0x20)
    return "a control character (byte 0x%02x) in a text";
  return "this is not UTF-8 (byte 0x%02x); convert the file: iconv -f latin1 -t UTF-8, or from what it is";
}

// Eight bytes at once: whether all of them are ASCII and none is below 0x20 (S. E. Anderson, "Bit Twiddling Hacks",
// "Determine if a word has a byte less than n").
static bool is_plain(const unsigned char *c) {
  uint64_t word, ones = ~(uint64_t)0 / 255;
  memcpy(&word, c, sizeof word);
  return !((word | ((word - ones * 0x20) & ~word)) & ones * 0x80);
}

bool line_check(const char *line, size_t length, bool is_first, size_t *at, const char **fault) {
  const unsigned char *c = (const unsigned char *)line;
  *at = 0;
  if (is_first && length >= 2 && (!memcmp(c, "\xff\xfe", 2) || !memcmp(c, "\xfe\xff", 2))) {
    *fault = "this is UTF-16; convert the file: iconv -f UTF-16 -t UTF-8";
    return false;
  }
  if (length >= 3 && !memcmp(c, "\xef\xbb\xbf", 3)) {
    *fault =
        "a byte order mark that is not at the beginning of the file (joined files keep theirs): remove it";
    return false;
  }
  for (size_t i = 0; i < length;) {
    if (length - i >= 8 && is_plain(c + i)) {
      i += 8;
      continue;
    }
    // The byte that is special, or up to eight that are not.
    for (size_t end = length - i < 8 ? length : i + 8; i < end;) {
      size_t n = c[i] < 0x20 ? c[i] == '\t' : line_character(c + i, length - i);
      if (!n) {
        *at = i;
        *fault = fault_of(c + i);
        return false;
      }
      i += n;
    }
  }
  return true;
}

// Which bytes a text file may hold: UTF-8 without control characters other than the tab.
#ifndef NN_RUNTIME_DATA_LINE_CHECK_H
#define NN_RUNTIME_DATA_LINE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

// Bytes of the UTF-8 character that begins here, of the `left` there are; 0: none does.
size_t line_character(const unsigned char *, size_t left);

// Whether all bytes of a line (without its end) are text. False with *at, the offset of the first byte that is
// not, and *fault: what it is and what helps, with `%02x` for the byte's value.
bool line_check(const char *line, size_t length, bool is_first, size_t *at, const char **fault);

#endif

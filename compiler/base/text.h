// Text that grows in memory, written through a FILE. What open_memstream is for, but memory that ran out is always
// known in the end: with glibc's a failed write need not be seen by ferror or fclose, and the text just lacks a part.
#ifndef NN_COMPILER_BASE_TEXT_H
#define NN_COMPILER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text {
  FILE *out;
  char *bytes;
  size_t length, capacity;
  bool failed;
  char buffer[1024];
};

// A stream to write to, or NULL without memory. The struct stays where it is until text_close.
FILE *text_open(struct text *);
// The text, malloc'd, with a final zero; NULL when memory ran out at any time since text_open.
char *text_close(struct text *);

#endif

// Programs of many kinds and any size, for tests and measurements of how the compiler's work grows.
#ifndef NN_TESTS_GROWTH_KINDS_H
#define NN_TESTS_GROWTH_KINDS_H

#include <stdio.h>

struct program_kind {
  const char *name;
  void (*write)(FILE *out, int n);  // the program with n of what the kind repeats
};

extern const struct program_kind program_kinds[];  // ends with the name NULL

const struct program_kind *program_kind_find(const char *name);  // NULL: there is none
char *program_kind_text(const struct program_kind *, int n);     // malloc'd

#endif

// Helpers of the tests in this folder.
#ifndef NN_TESTS_IR_IR_TESTING_H
#define NN_TESTS_IR_IR_TESTING_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/ir/ir.h"

// The whole file as a malloc'd string.
static inline char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    fail_msg("cannot open %s", path);
  char *text = NULL;
  size_t length = 0;
  FILE *copy = open_memstream(&text, &length);
  for (int c; (c = getc(file)) != EOF;)
    putc(c, copy);
  fclose(copy);
  fclose(file);
  return text;
}

// A module that must parse.
static inline struct ir_module *parse_text(const char *name, const char *text) {
  char *error = NULL;
  struct ir_module *module = ir_parse(text, strlen(text), &error);
  if (!module)
    fail_msg("%s:%s", name, error);
  return module;
}

// Calls `each` for every file with that ending in a folder, in the order of names; gives their number.
static inline int for_each_file(const char *folder, const char *ending, void (*each)(const char *path)) {
  struct dirent **entries;
  int n = scandir(folder, &entries, NULL, alphasort), matching = 0;
  for (int i = 0; i < n; i++) {
    size_t length = strlen(entries[i]->d_name), end = strlen(ending);
    if (length > end && strcmp(entries[i]->d_name + length - end, ending) == 0) {
      char path[512];
      snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
      each(path);
      matching++;
    }
    free(entries[i]);
  }
  if (n >= 0)
    free(entries);
  return matching;
}

#endif

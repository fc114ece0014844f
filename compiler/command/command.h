// What nnc does besides compiling: a command each, with options of its own.
#ifndef NN_COMPILER_COMMAND_COMMAND_H
#define NN_COMPILER_COMMAND_COMMAND_H

#include <argp.h>
#include <stdbool.h>

#include "compiler/nnc.h"

// Exit statuses: something failed, be it the program or a file that cannot be read or written; the command
// line is wrong.
enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

_Noreturn void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Options that commands share: rows of their argp tables, what the rows fill, and who fills it.
enum { KEY_COLOUR = 512, KEY_STDLIB };

// clang-format off
#define COMMAND_OPTIONS                                                                                      \
  {"color", KEY_COLOUR, "WHEN", 0, "auto, always or never", 1},                                              \
  {"colour", KEY_COLOUR, "WHEN", OPTION_ALIAS | OPTION_HIDDEN, NULL, 1},                                     \
  {NULL, 'h', NULL, OPTION_HIDDEN, NULL, -1}
#define SOURCE_OPTIONS                                                                                       \
  {"define", 'D', "NAME=INT", 0, "give the dim NAME another value; may be repeated", 1},                     \
  {"import-path", 'I', "DIR", 0,                                                                             \
   "look for imports in DIR, too, after the folder of the file that imports; may be repeated", 1},           \
  {"stdlib", KEY_STDLIB, "DIR", 0, "look for `import std.x` in DIR first; may be repeated", 1}
// clang-format on

struct source_options {
  bool colour;  // on standard error
  struct nnc_definition *definitions;
  size_t definition_count;
  const char **stdlib_dirs;
  size_t stdlib_dir_count;
  const char **import_dirs;
  size_t import_dir_count;
};

// For a command line of `argc` words.
struct source_options source_options_new(int argc);
void source_options_free(struct source_options *);
// Takes one of the shared options; ARGP_ERR_UNKNOWN for others. Names of definitions point into the text, which is
// changed.
error_t source_option(int key, char *text, struct argp_state *state, struct source_options *);
// Puts them into those of a compilation, which must not outlive them.
void source_options_use(const struct source_options *, struct nnc_options *);

// `nnc fmt`, `nnc test`: argv[0] is what messages begin with, and the arguments follow. They give the exit status.
int command_fmt(int argc, char **argv);
int command_test(int argc, char **argv);

#endif

/* What nnc does besides compiling: a command each, with options of its own. */
#ifndef NN_COMPILER_COMMAND_COMMAND_H
#define NN_COMPILER_COMMAND_COMMAND_H

#include <stdbool.h>

#include "compiler/nnc.h"

/* Exit statuses: something failed, be it the program or a file that cannot be read or written; the command
 * line is wrong. */
enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

_Noreturn void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What `--color=WHEN` says about standard error. */
bool parse_colour(const char *when);

/* `-D NAME=INT`; the name points into the text, which is changed. */
struct nnc_definition parse_definition(char *text);

/* `nnc fmt`, `nnc test`: argv[0] is what messages begin with, and the arguments follow. They give the exit status. */
int command_fmt(int argc, char **argv);
int command_test(int argc, char **argv);

#endif

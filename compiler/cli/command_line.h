// What the command lines of both programs have in common, around argp: options that do not exist are answered with
// those that were probably meant, and what was printed has arrived before the program says that all went well.
#ifndef NN_COMPILER_CLI_COMMAND_LINE_H
#define NN_COMPILER_CLI_COMMAND_LINE_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

// What an option is called elsewhere.
struct command_synonym {
  const char *name;
  const char *option;  // what it is called here; NULL: there is none ...
  const char *advice;  // ... and this is said
};

struct command_options {
  const struct argp_option *options;  // as for argp: up to an empty one
  const struct command_synonym *synonyms;
  size_t n_synonyms;
  // Which commands of the program have this option, as a text; NULL: none. May be NULL itself.
  const char *(*elsewhere)(const char *option);
};

// Before argp_parse, which knows no near misses: at the first long option that does not exist prints what may have been
// meant, and ends the program with argp_err_exit_status. argv[0] is what messages begin with.
void command_check_options(int argc, char *const *argv, const struct command_options *known);

// Makes exit() end with this status and a message when standard output could not be written, `--help >/dev/full`
// included. The program's name begins the message and must stay.
void command_watch_stdout(const char *program, int status);
// Writes what is pending; false when something printed was lost. errno tells why. Whoever asks says so; exit() then
// does not say it again.
bool command_flush_stdout(void);

#endif

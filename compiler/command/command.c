// What the commands of nnc share.
#include "compiler/command/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void usage_error(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("nnc: ", stderr);
  vfprintf(stderr, format, args);
  va_end(args);
  fputs("\nTry `nnc --help`.\n", stderr);
  exit(EXIT_USAGE);
}

static bool parse_colour(const char *when) {
  if (strcmp(when, "always") == 0)
    return true;
  if (strcmp(when, "never") == 0)
    return false;
  if (strcmp(when, "auto") != 0)
    usage_error("--color=%s: it is auto, always or never", when);
  const char *term = getenv("TERM");
  return isatty(STDERR_FILENO) && !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
}

static struct nnc_definition parse_definition(char *text) {
  char *equals = strchr(text, '=');
  if (!equals || equals == text || equals[1] == '\0')
    usage_error("-D %s: it has the form NAME=INT", text);
  *equals = '\0';
  char *end;
  errno = 0;
  long long value = strtoll(equals + 1, &end, 10);
  if (*end != '\0' || errno == ERANGE)
    usage_error("-D %s=%s: the value is no integer", text, equals + 1);
  return (struct nnc_definition){text, value};
}

struct source_options source_options_new(int argc) {
  // Each option takes at least one word, so there are no more of a kind than words.
  struct source_options options = {
      .colour = parse_colour("auto"),
      .definitions = calloc((size_t)argc, sizeof *options.definitions),
      .stdlib_dirs = calloc((size_t)argc, sizeof *options.stdlib_dirs),
      .import_dirs = calloc((size_t)argc, sizeof *options.import_dirs),
  };
  if (!options.definitions || !options.stdlib_dirs || !options.import_dirs)
    usage_error("out of memory");
  return options;
}

void source_options_free(struct source_options *options) {
  free(options->definitions);
  free(options->stdlib_dirs);
  free(options->import_dirs);
}

error_t source_option(int key, char *text, struct argp_state *state, struct source_options *options) {
  switch (key) {
  case 'h': argp_state_help(state, stdout, ARGP_HELP_STD_HELP); break;
  case 'D': options->definitions[options->definition_count++] = parse_definition(text); break;
  case 'I': options->import_dirs[options->import_dir_count++] = text; break;
  case KEY_STDLIB: options->stdlib_dirs[options->stdlib_dir_count++] = text; break;
  case KEY_COLOUR: options->colour = parse_colour(text); break;
  default: return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

void source_options_use(const struct source_options *options, struct nnc_options *compilation) {
  compilation->definitions = options->definitions;
  compilation->definition_count = options->definition_count;
  compilation->stdlib_dirs = options->stdlib_dirs;
  compilation->stdlib_dir_count = options->stdlib_dir_count;
  compilation->import_dirs = options->import_dirs;
  compilation->import_dir_count = options->import_dir_count;
}

/* What the commands of nnc share. */
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

bool parse_colour(const char *when) {
  if (strcmp(when, "always") == 0)
    return true;
  if (strcmp(when, "never") == 0)
    return false;
  if (strcmp(when, "auto") != 0)
    usage_error("--color=%s: it is auto, always or never", when);
  const char *term = getenv("TERM");
  return isatty(STDERR_FILENO) && !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
}

struct nnc_definition parse_definition(char *text) {
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

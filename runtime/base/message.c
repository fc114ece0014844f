// Error messages as malloc'd text.
#include "runtime/base/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool message_set(char **error, const char *format, ...) {
  if (!error || *error)
    return false;
  va_list args;
  va_start(args, format);
  if (vasprintf(error, format, args) < 0)
    *error = NULL;
  va_end(args);
  return false;
}

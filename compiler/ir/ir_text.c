// The C locale, reserved words and running out of memory, for printer and parser.
#include "compiler/ir/ir_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

locale_t ir_text_enter_c_locale(void) {
  // Never fails: the C library keeps this locale in static memory. Were it to, the program's own would stay.
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  return uselocale(c);
}

void ir_text_leave_c_locale(locale_t old) {
  locale_t c = uselocale(old);
  if (c != LC_GLOBAL_LOCALE && c != old)
    freelocale(c);
}

char *ir_text_message(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *message = NULL;
  if (vasprintf(&message, format, args) < 0)
    message = NULL;
  va_end(args);
  return message;
}

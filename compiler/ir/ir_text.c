// The C locale, reserved words and running out of memory, for printer and parser.
#include "compiler/ir/ir_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

locale_t ir_text_enter_c_locale(void) {
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c == (locale_t)0)
    ir_text_out_of_memory();
  return uselocale(c);
}

void ir_text_leave_c_locale(locale_t old) {
  locale_t c = uselocale(old);
  freelocale(c);
}

_Noreturn void ir_text_out_of_memory(void) {
  fputs("out of memory\n", stderr);
  exit(EXIT_FAILURE);
}

char *ir_text_message(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *message = NULL;
  if (vasprintf(&message, format, args) < 0)
    ir_text_out_of_memory();
  va_end(args);
  return message;
}

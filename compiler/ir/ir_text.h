// What the printer and the parser of the IR's text form share. Private to compiler/ir.
#ifndef NN_COMPILER_IR_IR_TEXT_H
#define NN_COMPILER_IR_IR_TEXT_H

#include <locale.h>
#include <stdbool.h>

#include "compiler/ir/ir.h"

extern const char *const ir_init_names[IR_INIT_IDENTITY + 1];
static inline bool ir_init_has_argument(enum ir_init init) {
  return init == IR_INIT_NORMAL || init == IR_INIT_UNIFORM || init == IR_INIT_CONSTANT;
}

// Numbers are written and read in the "C" locale, whatever the program that uses the library has set: for
// this thread only, until ir_text_leave_c_locale gets back what enter returned.
locale_t ir_text_enter_c_locale(void);
void ir_text_leave_c_locale(locale_t old);

// A malloc'd message; NULL without memory.
char *ir_text_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

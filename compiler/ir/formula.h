// Formulas over the operations of a table's row: the columns `value` and `derivatives` of ops.def.
//
// Grammar: numbers, names, + - * / and unary minus with the usual precedence, parentheses, and operations of ops.def
// as functions of one or two arguments. What a formula is made into is the reader's own: it is read bottom up, and
// every part is handed to the reader when its own parts have been.
#ifndef NN_COMPILER_IR_FORMULA_H
#define NN_COMPILER_IR_FORMULA_H

#include "compiler/ir/ir.h"

struct formula_reader {
  void *(*number)(void *context, double);
  // NULL: no such name.
  void *(*name)(void *context, const char *word);
  // An operator is its operation. NULL: not an operation that may stand here, or not of so many arguments.
  void *(*call)(void *context, enum ir_op, uint32_t n, void *const *args);
  void *context;
};

// Reads a formula of the row from `text` and gives what the reader made of it; *end is behind it, at the end of the
// text or a `;`. The tables are part of the program: a mistake in one aborts and names the row.
void *formula_read(enum ir_op row, const char *text, const char **end, const struct formula_reader *);
_Noreturn void formula_mistake(enum ir_op row, const char *text, const char *why, const char *at);

#endif

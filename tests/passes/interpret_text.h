// Texts in the interpreter: UTF-8 with a null byte behind it.
#ifndef NN_TESTS_PASSES_INTERPRET_TEXT_H
#define NN_TESTS_PASSES_INTERPRET_TEXT_H

#include "tests/passes/interpret.h"

// An operation of texts; false when it is a run-time error. Case is that of ASCII and normal forms are the text itself:
// what matters here is that a pass keeps them. Entry i of a vocab is "wi".
bool interpret_text(const struct interpreter *, const struct ir_instr *, const struct slot *operands,
                    struct slot *result);

#endif

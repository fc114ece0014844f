// `nnc --emit=llvm|asm`: the native code that a module becomes on this processor, as text.
#ifndef NN_COMPILER_COMMAND_NATIVE_H
#define NN_COMPILER_COMMAND_NATIVE_H

#include <stdbool.h>
#include <stdio.h>

#include "compiler/ir/ir.h"

// Sizes are the dims' defaults; a vocab, whose size only the data tells, counts as NATIVE_VOCAB_SIZE words.
#define NATIVE_VOCAB_SIZE 1000

// The control flow first, then each block's kernel for training and its adjoint's. false with *error (malloc'd) when
// code generation or writing fails.
bool native_print(const struct ir_module *module, bool assembly, FILE *out, char **error);

#endif

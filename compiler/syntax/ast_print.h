// The syntax tree as normalised source text: two-space indentation, only the parentheses that are needed, no
// comments. Printing, parsing and printing again gives the same text, and a tree of the same meaning.
#ifndef NN_COMPILER_SYNTAX_AST_PRINT_H
#define NN_COMPILER_SYNTAX_AST_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "compiler/syntax/ast.h"

struct ast_print_options {
  bool all_parentheses;  // around every operator, to see how something was read
};

// `options` may be NULL. Imports come first, then the declarations in order.
void ast_print_file(const struct ast_file *file, FILE *out, const struct ast_print_options *options);

#endif

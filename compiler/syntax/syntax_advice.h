// What a syntax error advises, when it looks like a slip that is known. Private to the parser.
#ifndef NN_COMPILER_SYNTAX_SYNTAX_ADVICE_H
#define NN_COMPILER_SYNTAX_SYNTAX_ADVICE_H

#include "compiler/syntax/parser.h"

// What could stand where the error is: names of symbols as in nn.y, and of groups ("an expression", "an operator").
struct expectation {
  const char **names;
  size_t count;
};

bool expectation_has(const struct expectation *e, const char *name);
// The bracket around the error; NULL at top level.
const struct bracket *parser_innermost_bracket(const struct parser *parser);
// NULL when nothing is known. The error is at parser->last.
const char *syntax_advice(struct parser *parser, const struct expectation *e);

#endif

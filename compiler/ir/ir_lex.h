// Tokens of the IR's text form. Private to compiler/ir.
#ifndef NN_COMPILER_IR_IR_LEX_H
#define NN_COMPILER_IR_IR_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ir_token_kind {
  IR_TOKEN_END,
  IR_TOKEN_NEWLINE,  // not within ( ) and [ ]; a run of empty lines gives several
  IR_TOKEN_NAME,     // identifier, with dots: data.get
  IR_TOKEN_STRING,   // "..."
  IR_TOKEN_SYMBOL,   // @name or @"..."
  IR_TOKEN_VALUE,    // %12
  IR_TOKEN_LABEL,    // ^3
  IR_TOKEN_NUMBER,   // 12, 0.5, 1e-3; a sign is a mark of its own
  IR_TOKEN_ARROW,    // ->
  IR_TOKEN_MARK,     // one character of ( ) [ ] { } , : = | + - * !
  IR_TOKEN_BAD,      // lexer.error says why
};

struct ir_token {
  enum ir_token_kind kind;
  char mark;         // MARK
  bool quoted;       // SYMBOL, STRING: the text between the quotes, escapes not yet undone
  const char *text;  // into the source, without sigil and quotes
  size_t length;
  uint32_t line, column;  // from 1; the column counts bytes
};

// Plain data: a copy is a lookahead.
struct ir_lexer {
  const char *next, *end, *line_start;
  uint32_t line;
  uint32_t depth;  // of ( and [
  const char *error;
};

void ir_lexer_init(struct ir_lexer *lexer, const char *text, size_t length);
struct ir_token ir_lex(struct ir_lexer *lexer);

#endif

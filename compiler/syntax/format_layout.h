// Private to the formatter: a file as lines of tokens and comments, and those lines as text.
#ifndef NN_COMPILER_SYNTAX_FORMAT_LAYOUT_H
#define NN_COMPILER_SYNTAX_FORMAT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/base/arena.h"
#include "compiler/diag/diag.h"
#include "compiler/diag/source.h"
#include "compiler/syntax/ast.h"

// A token as it is written.
struct format_piece {
  int kind;  // of nn.tab.h
  const char *text;
  uint32_t length;
  bool begins;     // behind a separator, which a newline can be, or a `{`
  bool is_unary;   // a sign, not a difference
  bool is_tight;   // an operator without blanks around it, whatever it stands in
  size_t partner;  // of a bracket: the other one
};

AST_LIST(format_pieces, struct format_piece);

// A line with something on it.
struct format_line {
  // Of the pieces; a line that is only a comment has none, and `first` are those behind it.
  size_t first, count;
  const char *comment;  // from its `//` on, without blanks behind it; NULL: none
  uint32_t comment_length;
  bool follows_blank;   // an empty line stands before it
  unsigned indent;      // columns from 0, as the author has them: of the line,
  unsigned code_end;    // behind its last token,
  unsigned comment_at;  // and of its comment
  unsigned new_indent;  // what they become
  unsigned new_end;
  const char *code;  // the tokens as text; characters of texts may have several bytes
  size_t code_length;
};

AST_LIST(format_lines, struct format_line);

struct format_layout {
  struct arena *arena;
  struct format_pieces pieces;
  struct format_lines lines;
};

// Reads the file, which has no syntax errors.
struct format_layout format_read(struct arena *arena, struct source_file *source);
// Fills in what lines become.
void format_indent(struct format_layout *layout);
// The text; *length bytes and a NUL.
const char *format_write(struct format_layout *layout, size_t *length);

#endif

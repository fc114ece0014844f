// Text to syntax tree: one file, or a file and everything it imports.
#ifndef NN_COMPILER_SYNTAX_PARSE_H
#define NN_COMPILER_SYNTAX_PARSE_H

#include "compiler/base/arena.h"
#include "compiler/diag/diag.h"
#include "compiler/diag/source.h"
#include "compiler/syntax/ast.h"

// Parses one file. Syntax errors go to the sink; then the result is NULL. Imports are not followed.
struct ast_file *parse_file(struct arena *arena, struct diag_sink *sink, struct source_file *source);

struct parse_options {
  const char *const *stdlib_dirs;  // where `import std.x` looks, in order
  size_t stdlib_dir_count;
  // where other imports look, in order, after the folder of the importing file
  const char *const *import_dirs;
  size_t import_dir_count;
};

// Parses `main_file` and its imports. NULL when there were errors; they are in the sink.
struct ast_program *parse_program(struct arena *arena, struct diag_sink *sink, struct source_set *sources,
                                  struct source_file *main_file, const struct parse_options *options);

#endif

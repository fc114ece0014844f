// The compiler as a library: one .nn file and what it imports, to an IR module and diagnostics.
//
//   struct nnc_options options = {.path = "model.nn"};
//   struct nnc_result result;
//   if (!nnc_compile(&options, &result))
//     nnc_render(&result, stderr, isatty(STDERR_FILENO));
//   struct ir_module *module = nnc_take_module(&result);
//   nnc_result_free(&result);
//
// There is no global state: compilations in different threads do not meet.
#ifndef NN_COMPILER_NNC_H
#define NN_COMPILER_NNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "compiler/base/arena.h"
#include "compiler/diag/diag.h"
#include "compiler/diag/source.h"
#include "compiler/ir/ir.h"
#include "compiler/syntax/ast.h"

// How far to go.
enum nnc_stage {
  NNC_STAGE_ALL,     // the finished module: blocks and adjoints
  NNC_STAGE_PARSED,  // the syntax tree, imports followed
  NNC_STAGE_CHECKED,
  NNC_STAGE_LOWERED,  // the module before any pass; every diagnostic that there is
};

// `-D NAME=VALUE`: the value of a dim of the program.
struct nnc_definition {
  const char *name;
  int64_t value;
};

// All members may be zero, except `path`. Everything is borrowed until nnc_compile returns.
struct nnc_options {
  const char *path;
  const char *text;  // the file's contents, when they do not come from `path`; not NULL then
  size_t text_length;
  enum nnc_stage stop_after;
  const struct nnc_definition *definitions;
  size_t definition_count;
  // Where `import std.x` looks before $NN_STDLIB, the installed and the source tree's library.
  const char *const *stdlib_dirs;
  size_t stdlib_dir_count;
  bool only_these_stdlibs;  // and nowhere else
  // Where other imports look, after the folder of the importing file and before those of $NN_PATH.
  const char *const *import_dirs;
  size_t import_dir_count;
  // Positions in the module name files as this machine does, for a program that runs at once; otherwise as
  // std/tree.nn and relative to the main file, so that the module is the same wherever it is made.
  bool keep_paths;
  const char *test;        // the module is that of this test of the main file, not the model's
  const char *dump_after;  // print the module after this pass ("all": every one) ...
  FILE *dump;              // ... to here; stderr when NULL
};

// Owned by the caller: nnc_result_free releases all of it, module included.
struct nnc_result {
  struct arena arena;
  struct source_set sources;
  struct diag_sink sink;        // errors and warnings in the program
  const char *failure;          // what else went wrong: an unreadable file, no memory, a bug. NULL if nothing
  struct ast_program *program;  // NULL when there are syntax errors
  struct ir_module *module;     // NULL when there are errors, or stopped before
};

// True when there were no errors; warnings may be in the sink. *result is to be freed in any case.
bool nnc_compile(const struct nnc_options *options, struct nnc_result *result);
// The file in the project's layout (compiler/syntax/format.h), without its imports: *text in the result's arena, of
// *length bytes. Of the options only the path and the text are read. False when it has syntax errors, or with a
// failure; then it is to be left alone.
bool nnc_format(const struct nnc_options *options, struct nnc_result *result, const char **text,
                size_t *length);
void nnc_result_free(struct nnc_result *result);
// The module becomes the caller's, who frees it with ir_module_free.
struct ir_module *nnc_take_module(struct nnc_result *result);
// The file that was named, last in the program. NULL without a program.
const struct ast_file *nnc_main_file(const struct nnc_result *result);
// Diagnostics and the failure, for people.
void nnc_render(const struct nnc_result *result, FILE *out, bool colour);

#endif

// Source text in the layout of the project: two-space indentation, one blank around operators, at most one empty line.
// Where lines break is the author's choice; so are comments, commas behind the last item and parentheses.
// `grammar/LANGUAGE.md` ("Layout") has the rules.
#ifndef NN_COMPILER_SYNTAX_FORMAT_H
#define NN_COMPILER_SYNTAX_FORMAT_H

#include <stddef.h>

#include "compiler/base/arena.h"
#include "compiler/diag/diag.h"
#include "compiler/diag/source.h"

// The text of the file, laid out; NUL-terminated after *length bytes, in the arena. NULL with the sink's diagnostics when
// the file has syntax errors; NULL with *failure when the result would not be the same program with the same comments, or
// would change when formatted again: then there is a bug, and the text is to be left alone.
const char *format_file(struct arena *arena, struct diag_sink *sink, struct source_file *source,
                        size_t *length, const char **failure);

#endif

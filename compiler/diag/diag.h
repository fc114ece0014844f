// Diagnostics: what the user did wrong, collected while compiling and rendered at the end, sorted by position.
//
//   struct diag *d = diag_error(sink, DIAG_SHAPE_MISMATCH, expr->span, "`%s` has shape %s", name, shape);
//   diag_label(d, local->span, "`%s` is bound here", name);
//   diag_note(d, "sizes are compared as polynomials");
//   diag_help(d, "transpose the matrix: `%s`", suggestion);
//
// Every function takes a NULL `struct diag *` and does nothing with it: diag_error returns NULL when it drops a
// diagnostic (one of the same code at the same place exists already, or the limit is reached). Codes are the rows
// of diag.def. All memory is the sink's arena.
#ifndef NN_COMPILER_DIAG_DIAG_H
#define NN_COMPILER_DIAG_DIAG_H

#include <stdbool.h>
#include <stdio.h>

#include "compiler/base/arena.h"
#include "compiler/diag/source.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

enum diag_code {
#define DIAG(name, number, title, explanation) DIAG_##name,
#include "compiler/diag/diag.def"
#undef DIAG
  DIAG_CODE_COUNT
};

struct diag_code_info {
  int number;               // 101 is shown as NN0101
  const char *title;        // one line
  const char *explanation;  // several paragraphs for `nnc explain`
};

struct diag_mark {
  struct span span;
  const char *text;  // may be empty
};

struct diag {
  struct diag_sink *sink;
  enum diag_severity severity;
  enum diag_code code;
  struct span span;           // the primary place
  const char *message;        // the header line
  const char *primary_label;  // beside the primary carets; may be NULL
  struct {
    struct diag_mark *items;
    size_t count, capacity;
  } labels;  // secondary places, of any file
  struct {
    const char **items;
    size_t count, capacity;
  } notes;
  const char *help;  // may be NULL
  size_t order;      // of creation, breaks ties when sorting
};

struct diag_sink {
  struct arena *arena;
  struct source_set *sources;
  struct diag **items;
  size_t count;
  size_t capacity;
  size_t error_count;  // including dropped ones that were not duplicates
  size_t warning_count;
  size_t limit;  // errors kept, and warnings; further ones are counted only
};

// Errors kept, and warnings, unless the sink's `limit` is set to something else: more than anybody reads.
#define DIAG_DEFAULT_LIMIT 20

void diag_sink_init(struct diag_sink *sink, struct arena *arena, struct source_set *sources);

struct diag *diag_error(struct diag_sink *sink, enum diag_code code, struct span span, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));
struct diag *diag_warning(struct diag_sink *sink, enum diag_code code, struct span span, const char *format,
                          ...) __attribute__((format(printf, 4, 5)));

// Text beside the primary carets.
void diag_primary_label(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A secondary place with its own text. SPAN_NONE is ignored.
void diag_label(struct diag *diag, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// `= note: ...` below the source lines.
void diag_note(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
// `= help: ...`, one per diagnostic; a later one replaces an earlier one.
void diag_help(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool diag_has_errors(const struct diag_sink *sink);

// Renders all, sorted by file and position, and a last line with the number of errors.
void diag_render_all(const struct diag_sink *sink, FILE *out, bool colour);

const struct diag_code_info *diag_code_info(enum diag_code code);
// The code of a number as in NN0101; false when there is none.
bool diag_code_from_number(int number, enum diag_code *code);

#endif

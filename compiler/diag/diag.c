// Collects diagnostics, in the order of the source and none twice.
#include "compiler/diag/diag.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct diag_code_info code_table[] = {
#define DIAG(name, number, title, explanation) [DIAG_##name] = {number, title, explanation},
#include "compiler/diag/diag.def"
#undef DIAG
};

const struct diag_code_info *diag_code_info(enum diag_code code) {
  assert(code < DIAG_CODE_COUNT);
  return &code_table[code];
}

bool diag_code_from_number(int number, enum diag_code *code) {
  for (size_t i = 0; i < DIAG_CODE_COUNT; i++) {
    if (code_table[i].number == number) {
      *code = (enum diag_code)i;
      return true;
    }
  }
  return false;
}

void diag_sink_init(struct diag_sink *sink, struct arena *arena, struct source_set *sources) {
  *sink = (struct diag_sink){.arena = arena, .sources = sources, .limit = DIAG_DEFAULT_LIMIT};
}

static bool same_span(struct span a, struct span b) {
  return a.file == b.file && a.lo == b.lo && a.hi == b.hi;
}

static bool is_duplicate(const struct diag_sink *sink, enum diag_code code, struct span span) {
  if (span.file == 0)
    return false;
  for (size_t i = 0; i < sink->count; i++) {
    if (sink->items[i]->code == code && same_span(sink->items[i]->span, span))
      return true;
  }
  return false;
}

static struct diag *add(struct diag_sink *sink, enum diag_severity severity, enum diag_code code,
                        struct span span, const char *format, va_list args) {
  if (is_duplicate(sink, code, span))
    return NULL;
  // Each severity has a limit of its own: warnings never crowd out an error.
  size_t *met = severity == DIAG_ERROR ? &sink->error_count : &sink->warning_count;
  if ((*met)++ >= sink->limit)
    return NULL;
  struct diag *diag = arena_new(sink->arena, struct diag);
  diag->sink = sink;
  diag->severity = severity;
  diag->code = code;
  diag->span = span;
  diag->message = arena_vprintf(sink->arena, format, args);
  diag->order = sink->count;
  arena_push(sink->arena, sink, diag);
  return diag;
}

struct diag *diag_error(struct diag_sink *sink, enum diag_code code, struct span span, const char *format,
                        ...) {
  va_list args;
  va_start(args, format);
  struct diag *diag = add(sink, DIAG_ERROR, code, span, format, args);
  va_end(args);
  return diag;
}

struct diag *diag_warning(struct diag_sink *sink, enum diag_code code, struct span span, const char *format,
                          ...) {
  va_list args;
  va_start(args, format);
  struct diag *diag = add(sink, DIAG_WARNING, code, span, format, args);
  va_end(args);
  return diag;
}

void diag_primary_label(struct diag *diag, const char *format, ...) {
  if (!diag)
    return;
  va_list args;
  va_start(args, format);
  diag->primary_label = arena_vprintf(diag->sink->arena, format, args);
  va_end(args);
}

void diag_label(struct diag *diag, struct span span, const char *format, ...) {
  if (!diag || span.file == 0)
    return;
  va_list args;
  va_start(args, format);
  struct diag_mark mark = {span, arena_vprintf(diag->sink->arena, format, args)};
  va_end(args);
  arena_push(diag->sink->arena, &diag->labels, mark);
}

void diag_note(struct diag *diag, const char *format, ...) {
  if (!diag)
    return;
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(diag->sink->arena, format, args);
  va_end(args);
  arena_push(diag->sink->arena, &diag->notes, text);
}

void diag_help(struct diag *diag, const char *format, ...) {
  if (!diag)
    return;
  va_list args;
  va_start(args, format);
  diag->help = arena_vprintf(diag->sink->arena, format, args);
  va_end(args);
}

bool diag_has_errors(const struct diag_sink *sink) { return sink->error_count > 0; }

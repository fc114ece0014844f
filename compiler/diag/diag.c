/* Collects diagnostics, in the order of the source and none twice. */
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
  if (severity == DIAG_ERROR)
    sink->error_count++;
  if (sink->count >= sink->limit)
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

/* The longest name that a suggestion is made for; beyond it a misspelling is not what went wrong. */
#define NEAREST_LIMIT 64

/* Letters put in, left out, exchanged for another or with their neighbour. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length) {
  size_t rows[3][NEAREST_LIMIT + 1];
  size_t *before = rows[0], *above = rows[1], *row = rows[2];
  for (size_t j = 0; j <= b_length; j++)
    row[j] = j;
  for (size_t i = 1; i <= a_length; i++) {
    size_t *reused = before;
    before = above;
    above = row;
    row = reused;
    row[0] = i;
    for (size_t j = 1; j <= b_length; j++) {
      size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
      best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
      best = above[j] + 1 < best ? above[j] + 1 : best;
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      row[j] = swapped && before[j - 2] + 1 < best ? before[j - 2] + 1 : best;
    }
  }
  return row[b_length];
}

const char *diag_nearest(const char *name, const char *const *candidates, size_t count) {
  size_t length = strlen(name);
  if (length > NEAREST_LIMIT)
    return NULL;
  /* One slip in three letters is still a misspelling; more is another word. */
  size_t best_distance = (length > 3 ? length / 3 : 1) + 1;
  const char *best = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t candidate_length = strlen(candidates[i]);
    if (candidate_length > NEAREST_LIMIT)
      continue;
    bool is_case = strcasecmp(name, candidates[i]) == 0;
    size_t distance = is_case ? 1 : edit_distance(name, length, candidates[i], candidate_length);
    if (distance < best_distance && (is_case || distance < length)) {
      best_distance = distance;
      best = candidates[i];
    }
  }
  return best;
}

// How diagnostics look:
//
//   error[NN0106]: expected an expression, found `}`
//     --> model.nn:3:11
//      |
//    3 |   let x = }
//      |           ^ text of the primary place
//      |
//      = note: ...
//      = help: ...
//
// Secondary places are underlined with dashes; places in other files follow under their own arrow.
#include "compiler/diag/diag.h"

#include <stdlib.h>
#include <string.h>

// Columns of a source line that are shown; a longer line is cut around its first mark.
#define LINE_WIDTH 160

#define BOLD "\033[1m"
#define RED "\033[1;31m"
#define YELLOW "\033[1;33m"
#define BLUE "\033[1;34m"
#define RESET "\033[0m"

struct painter {
  const struct source_set *sources;
  FILE *out;
  bool colour;
  int gutter;           // width of the line numbers
  const char *primary;  // colour of the primary marks
};

// One underlined place, resolved to a line and code-point columns [from, to).
struct placed_mark {
  uint32_t file;
  uint32_t line;
  uint32_t from;
  uint32_t to;
  bool is_primary;
  const char *text;
};

static void paint(const struct painter *p, const char *colour) {
  if (p->colour)
    fputs(colour, p->out);
}

static void gutter(const struct painter *p, uint32_t line) {
  paint(p, BLUE);
  if (line)
    fprintf(p->out, " %*u |", p->gutter, line);
  else
    fprintf(p->out, " %*s |", p->gutter, "");
  paint(p, RESET);
}

// The length of a well-formed UTF-8 sequence, 0 when it is none.
static size_t utf8_length(const unsigned char *text, size_t available) {
  unsigned char lead = text[0];
  size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length > available)
    return 0;
  for (size_t i = 1; i < length; i++) {
    if ((text[i] & 0xC0) != 0x80)
      return 0;
  }
  return length;
}

// A source line, made harmless for a terminal: control characters and stray bytes become U+FFFD. Shows `width`
// code points from `skip` on. Columns count as in source_position: every byte that is no continuation byte.
static void print_line(const struct painter *p, const char *text, size_t length, uint32_t skip,
                       uint32_t width) {
  uint32_t column = 0;
  size_t i = 0;
  while (i < length && column < skip + width) {
    const unsigned char *at = (const unsigned char *)text + i;
    size_t step = utf8_length(at, length - i);
    bool is_control = *at != '\t' && (*at < 0x20 || *at == 0x7F);
    // U+0080..U+009F are control characters too.
    is_control = is_control || (step == 2 && at[0] == 0xC2 && at[1] < 0xA0);
    bool is_stray_continuation = step == 0 && (*at & 0xC0) == 0x80;
    if (column >= skip && !is_stray_continuation) {
      if (step == 0 || is_control)
        fputs("\xEF\xBF\xBD", p->out);
      else
        fwrite(at, 1, step, p->out);
    }
    column += !is_stray_continuation;
    i += step ? step : 1;
  }
  fputc('\n', p->out);
}

// Blanks over the columns [from, to), with the line's own tabs so that what follows stands right whatever a tab's
// width.
static void print_padding(const struct painter *p, const char *text, size_t length, uint32_t from,
                          uint32_t to) {
  uint32_t column = 0;
  for (size_t i = 0; i < length && column < to; i++) {
    if (((unsigned char)text[i] & 0xC0) == 0x80)
      continue;
    if (column >= from)
      fputc(text[i] == '\t' ? '\t' : ' ', p->out);
    column++;
  }
  for (column = column > from ? column : from; column < to; column++)
    fputc(' ', p->out);
}

static uint32_t count_columns(const char *text, size_t length) {
  uint32_t columns = 0;
  for (size_t i = 0; i < length; i++)
    columns += ((unsigned char)text[i] & 0xC0) != 0x80;
  return columns;
}

// A source line and what of it is shown.
struct shown_line {
  const char *text;
  size_t length;
  uint32_t skip;  // columns cut off on the left
};

// The rows below a source line are built from left to right: the gutter, and then pieces at given columns.
static void begin_row(const struct painter *p, const struct shown_line *line) {
  gutter(p, 0);
  fputs(line->skip ? "     " : " ", p->out);
}

// Pads from column *at to where the mark begins, prints `count` signs in the mark's colour and moves *at.
static void print_signs(const struct painter *p, const struct shown_line *line, uint32_t *at,
                        const struct placed_mark *mark, char sign, uint32_t count) {
  print_padding(p, line->text, line->length, *at, mark->from);
  paint(p, mark->is_primary ? p->primary : BLUE);
  for (uint32_t i = 0; i < count; i++)
    fputc(sign, p->out);
  paint(p, RESET);
  *at = mark->from + count;
}

static bool has_text(const struct placed_mark *mark) { return mark->text && *mark->text; }

static void print_label(const struct painter *p, const struct placed_mark *mark) {
  paint(p, mark->is_primary ? p->primary : BLUE);
  fputs(mark->text, p->out);
  paint(p, RESET);
}

// Bars below the marks [0, count) that still wait for their text.
static void print_bars(const struct painter *p, const struct shown_line *line, uint32_t *at,
                       const struct placed_mark *marks, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (has_text(&marks[i]))
      print_signs(p, line, at, &marks[i], '|', 1);
  }
}

// Marks that do not overlap, sorted: one row of underlines, the last mark's text beside it and the others' below.
//
//    let d = W @ h
//            - ^ - this is f32[H]
//            |
//            this is f32[4*H, D]
static void print_marks(const struct painter *p, const struct shown_line *line,
                        const struct placed_mark *marks, size_t count) {
  uint32_t at = line->skip;
  begin_row(p, line);
  for (size_t i = 0; i < count; i++)
    print_signs(p, line, &at, &marks[i], marks[i].is_primary ? '^' : '-', marks[i].to - marks[i].from);
  const struct placed_mark *last = &marks[count - 1];
  if (has_text(last)) {
    fputc(' ', p->out);
    print_label(p, last);
  }
  fputc('\n', p->out);
  bool is_first = true;
  for (size_t i = count - 1; i-- > 0;) {
    if (!has_text(&marks[i]))
      continue;
    if (is_first) {
      begin_row(p, line);
      at = line->skip;
      print_bars(p, line, &at, marks, i + 1);
      fputc('\n', p->out);
    }
    is_first = false;
    begin_row(p, line);
    at = line->skip;
    print_bars(p, line, &at, marks, i);
    print_padding(p, line->text, line->length, at, marks[i].from);
    print_label(p, &marks[i]);
    fputc('\n', p->out);
  }
}

// The part of the mark that is shown; at least one column, so that an empty place is seen, too.
static void clip(const struct shown_line *line, struct placed_mark *mark) {
  uint32_t end = line->skip + LINE_WIDTH;
  if (mark->from < line->skip)
    mark->from = line->skip;
  if (mark->from > end)
    mark->from = end;
  if (mark->to > end)
    mark->to = end;
  if (mark->to <= mark->from)
    mark->to = mark->from + 1;
}

// A line and the marks on it, sorted. Marks that overlap the one before begin a row of their own.
static void print_marked_line(const struct painter *p, struct placed_mark *marks, size_t count) {
  struct shown_line line = {0};
  line.text = source_line(p->sources, marks[0].file, marks[0].line, &line.length);
  if (count_columns(line.text, line.length) > LINE_WIDTH && marks[0].from > LINE_WIDTH / 2)
    line.skip = marks[0].from - LINE_WIDTH / 2;
  gutter(p, marks[0].line);
  if (line.skip)
    fputs(" ... ", p->out);
  else if (line.length)
    fputc(' ', p->out);
  print_line(p, line.text, line.length, line.skip, LINE_WIDTH);
  for (size_t i = 0; i < count; i++)
    clip(&line, &marks[i]);
  for (size_t i = 0; i < count;) {
    size_t end = i + 1;
    while (end < count && marks[end].from >= marks[end - 1].to)
      end++;
    print_marks(p, &line, marks + i, end - i);
    i = end;
  }
}

static struct placed_mark place(const struct source_set *sources, struct span span, bool is_primary,
                                const char *text) {
  struct source_position from = source_position(sources, span.file, span.lo);
  struct source_position to = source_position(sources, span.file, span.hi);
  if (to.line != from.line) {
    // A mark over several lines is shown on its first one.
    size_t length;
    const char *line = source_line(sources, span.file, from.line, &length);
    to.column = count_columns(line, length) + 1;
  }
  return (struct placed_mark){span.file, from.line, from.column - 1, to.column - 1, is_primary, text};
}

// The primary file first, then by file, line and column; the primary mark before others that begin with it.
static int compare_marks(const void *a, const void *b) {
  const struct placed_mark *x = a;
  const struct placed_mark *y = b;
  if (x->file != y->file)
    return x->file < y->file ? -1 : 1;
  if (x->line != y->line)
    return x->line < y->line ? -1 : 1;
  if (x->from != y->from)
    return x->from < y->from ? -1 : 1;
  return (int)y->is_primary - (int)x->is_primary;
}

// All marks of one file, which are adjacent in `marks`.
static void print_file(const struct painter *p, struct placed_mark *marks, size_t count) {
  const struct placed_mark *anchor = &marks[0];
  for (size_t i = 0; i < count; i++) {
    if (marks[i].is_primary)
      anchor = &marks[i];
  }
  paint(p, BLUE);
  fprintf(p->out, " %*s%s ", p->gutter, "", anchor->is_primary ? "-->" : ":::");
  paint(p, RESET);
  fprintf(p->out, "%s:%u:%u\n", source_get(p->sources, anchor->file)->path, anchor->line, anchor->from + 1);
  gutter(p, 0);
  fputc('\n', p->out);
  for (size_t i = 0; i < count;) {
    size_t end = i + 1;
    while (end < count && marks[end].line == marks[i].line)
      end++;
    if (i > 0 && marks[i].line > marks[i - 1].line + 1) {
      paint(p, BLUE);
      fprintf(p->out, " %*s...\n", p->gutter, "");
      paint(p, RESET);
    }
    print_marked_line(p, marks + i, end - i);
    i = end;
  }
}

static void print_places(struct painter *p, const struct diag *diag) {
  size_t count = diag->labels.count + 1;
  struct placed_mark *marks = arena_new_array(diag->sink->arena, struct placed_mark, count);
  marks[0] = place(p->sources, diag->span, true, diag->primary_label);
  for (size_t i = 1; i < count; i++)
    marks[i] = place(p->sources, diag->labels.items[i - 1].span, false, diag->labels.items[i - 1].text);
  uint32_t last_line = 1;
  for (size_t i = 0; i < count; i++) {
    if (marks[i].line > last_line)
      last_line = marks[i].line;
  }
  p->gutter = snprintf(NULL, 0, "%u", last_line);
  qsort(marks, count, sizeof *marks, compare_marks);

  // The file of the primary place comes first, whatever its number.
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < count;) {
      size_t end = i + 1;
      while (end < count && marks[end].file == marks[i].file)
        end++;
      if ((marks[i].file == diag->span.file) == (pass == 0))
        print_file(p, marks + i, end - i);
      i = end;
    }
  }
}

static void print_footnote(const struct painter *p, const char *kind, const char *text) {
  paint(p, BLUE);
  fprintf(p->out, " %*s =", p->gutter, "");
  paint(p, RESET);
  paint(p, BOLD);
  fprintf(p->out, " %s:", kind);
  paint(p, RESET);
  fputc(' ', p->out);
  for (const char *c = text; *c; c++) {
    fputc(*c, p->out);
    if (*c == '\n')
      fprintf(p->out, " %*s         ", p->gutter, "");
  }
  fputc('\n', p->out);
}

static void render_one(const struct diag *diag, FILE *out, bool colour) {
  bool is_error = diag->severity == DIAG_ERROR;
  struct painter p = {diag->sink->sources, out, colour, 1, is_error ? RED : YELLOW};
  paint(&p, p.primary);
  fprintf(out, "%s[NN%04d]", is_error ? "error" : "warning", diag_code_info(diag->code)->number);
  paint(&p, RESET);
  paint(&p, BOLD);
  fprintf(out, ": %s", diag->message);
  paint(&p, RESET);
  fputc('\n', out);
  bool has_place = source_get(p.sources, diag->span.file) != NULL;
  if (has_place)
    print_places(&p, diag);
  if (has_place && (diag->notes.count || diag->help)) {
    gutter(&p, 0);
    fputc('\n', out);
  }
  for (size_t i = 0; i < diag->notes.count; i++)
    print_footnote(&p, "note", diag->notes.items[i]);
  if (diag->help)
    print_footnote(&p, "help", diag->help);
}

static int compare_diags(const void *a, const void *b) {
  const struct diag *x = *(const struct diag *const *)a;
  const struct diag *y = *(const struct diag *const *)b;
  if (x->span.file != y->span.file)
    return x->span.file < y->span.file ? -1 : 1;
  if (x->span.lo != y->span.lo)
    return x->span.lo < y->span.lo ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static void print_count(size_t count, size_t shown, const char *noun, FILE *out) {
  fprintf(out, "%zu %s%s", count, noun, count == 1 ? "" : "s");
  if (count > shown)
    fprintf(out, " (%zu shown)", shown);
}

static void print_summary(const struct diag_sink *sink, size_t shown_errors, FILE *out) {
  if (sink->error_count)
    print_count(sink->error_count, shown_errors, "error", out);
  if (sink->error_count && sink->warning_count)
    fputs(", ", out);
  if (sink->warning_count)
    print_count(sink->warning_count, sink->count - shown_errors, "warning", out);
  fputc('\n', out);
}

void diag_render_all(const struct diag_sink *sink, FILE *out, bool colour) {
  if (sink->count == 0)
    return;
  struct diag **sorted = arena_new_array(sink->arena, struct diag *, sink->count);
  memcpy(sorted, sink->items, sink->count * sizeof *sorted);
  qsort(sorted, sink->count, sizeof *sorted, compare_diags);
  size_t errors = 0;
  for (size_t i = 0; i < sink->count; i++) {
    render_one(sorted[i], out, colour);
    fputc('\n', out);
    errors += sorted[i]->severity == DIAG_ERROR;
  }
  print_summary(sink, errors, out);
}

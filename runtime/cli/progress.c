// The line on a terminal that tells how far training is.
#include "runtime/cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/base/clock.h"

// A terminal whose line can be rewritten.
static bool is_terminal(void) {
  const char *term = getenv("TERM");
  return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

void progress_begin(struct progress *progress, bool quiet, const char *label, size_t total) {
  double now = clock_seconds();
  *progress = (struct progress){.quiet = quiet,
                                .terminal = is_terminal(),
                                .started = now,
                                .shown = now,
                                .label = label,
                                .total = total};
}

static void print_duration(FILE *out, double seconds) {
  if (seconds < 90)
    fprintf(out, "%.0f s", seconds);
  else if (seconds < 5400)
    fprintf(out, "%.0f min", seconds / 60);
  else
    fprintf(out, "%.1f h", seconds / 3600);
}

static double seconds_left(const struct progress *progress, size_t done, double now) {
  double since = progress->whole_total ? progress->whole_started : progress->started;
  double all = (double)(progress->whole_total ? progress->whole_total : progress->total);
  double ready = (double)(done + progress->whole_done);
  return ready > 0 ? (all - ready) / ready * (now - since) : -1;
}

// As much of the text as fits the terminal: a longer line would break and could not be wiped.
static void print_line(const char *text, bool terminal) {
  struct winsize window;
  size_t width = strlen(text);
  if (terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 &&
      width >= window.ws_col)
    width = window.ws_col - 1u;
  fprintf(stderr, terminal ? "\r\033[K%.*s" : "%.*s\n", (int)width, text);
  fflush(stderr);
}

void progress_update(struct progress *progress, size_t done, const char *text) {
  double now = clock_seconds(), interval = progress->terminal ? 0.1 : 10;
  if (progress->quiet || now - progress->shown < interval)
    return;
  progress->shown = now;
  char *line = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&line, &size);
  if (!out)
    return;
  fprintf(out, "%s  %zu/%zu  %.0f examples/s", progress->label, done, progress->total,
          (double)done / (now - progress->started));
  double left = seconds_left(progress, done, now);
  if (left >= 0) {
    fputs("  ", out);
    print_duration(out, left);
    fputs(" left", out);
  }
  if (*text)
    fprintf(out, "  %s", text);
  if (fclose(out) == 0)
    print_line(line, progress->terminal);
  free(line);
}

void progress_end(struct progress *progress) {
  if (!progress->quiet && progress->terminal)
    fputs("\r\033[K", stderr);
}

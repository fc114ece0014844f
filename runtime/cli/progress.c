#include "runtime/cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

double progress_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_begin(struct progress *progress, bool quiet, const char *label, size_t total) {
  double now = progress_now();
  *progress = (struct progress){quiet, isatty(STDERR_FILENO), now, now, label, total};
}

static void print_duration(FILE *out, double seconds) {
  if (seconds < 90) fprintf(out, "%.0f s", seconds);
  else if (seconds < 5400) fprintf(out, "%.0f min", seconds / 60);
  else fprintf(out, "%.1f h", seconds / 3600);
}

void progress_update(struct progress *progress, size_t done, const char *text) {
  double now = progress_now(), interval = progress->terminal ? 0.1 : 10;
  if (progress->quiet || now - progress->shown < interval) return;
  progress->shown = now;
  double rate = (double)done / (now - progress->started);
  if (progress->terminal) fputs("\r\033[K", stderr);
  fprintf(stderr, "%s  %zu/%zu  %.0f examples/s  %s  ", progress->label, done, progress->total, rate, text);
  if (rate > 0) {
    print_duration(stderr, (double)(progress->total - done) / rate);
    fputs(" left", stderr);
  }
  if (!progress->terminal) fputc('\n', stderr);
  fflush(stderr);
}

void progress_end(struct progress *progress) {
  if (!progress->quiet && progress->terminal) fputs("\r\033[K", stderr);
}

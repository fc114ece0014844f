// Progress on standard error: one line that is rewritten on a terminal, a plain line now and then otherwise.
#ifndef NN_RUNTIME_CLI_PROGRESS_H
#define NN_RUNTIME_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
  bool quiet, terminal;
  double started, shown;  // monotonic seconds
  const char *label;      // "epoch 2/5"
  size_t total;
  // The whole of which this is a part, for the time left: seconds since it began, examples done before this
  // part and examples in all. Set after progress_begin; zero when there is no larger whole.
  double whole_started;
  size_t whole_done, whole_total;
};

void progress_begin(struct progress *, bool quiet, const char *label, size_t total);
// `text` stands behind the rate and may be empty: "loss 1.234".
void progress_update(struct progress *, size_t done, const char *text);
// Wipes the line on a terminal.
void progress_end(struct progress *);

#endif

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/run.h"

// The number behind the last colon of "file:17".
static json_int_t line_of(nn_dataset *data, size_t example) {
  const char *colon = strrchr(nn_dataset_position(data, example), ':');
  return colon ? strtoll(colon + 1, NULL, 10) : 0;
}

int cli_predict(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "predict", false, false);
  size_t n_failed = 0;
  for (size_t at = 0, size; at < run.n; at += size) {
    size = cli_batch_size(&run, at, run.n);
    cli_check(nn_session_run(run.session, run.entry, run.data, run.order + at, size, NN_INFER));
    for (size_t i = 0; i < size; i++) {
      const char *error = nn_session_error(run.session, i);
      char *result = error ? NULL : nn_session_json(run.session, i);
      json_t *quoted = error ? json_string(error) : NULL;
      char *text = quoted ? json_dumps(quoted, JSON_ENCODE_ANY) : NULL;
      printf("{\"line\": %lld, \"%s\": %s}\n", (long long)line_of(run.data, at + i), error ? "error" : nn_model_entry_name(run.model, run.entry),
             result ? result : text ? text : "null");
      if (error) n_failed++;
      free(result);
      free(text);
      json_decref(quoted);
    }
    if (ferror(stdout)) cli_fail("the results could not be written to standard output");
  }
  if (nn_dataset_skipped(run.data)) fprintf(stderr, "nnrun: %zu bad records skipped\n", nn_dataset_skipped(run.data));
  cli_run_end(&run);
  return n_failed ? 1 : 0;
}

// nnrun predict: results as JSON lines.
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/run.h"

static void print_string(const char *text) {
  json_t *string = json_string(text);
  char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
  fputs(quoted ? quoted : "null", stdout);
  free(quoted);
  json_decref(string);
}

// {"file": "new.txt", "line": 17, "predict": ...}; the file only when there are several.
static void print_example(const struct cli_run *run, size_t example, size_t i) {
  char *position = strdup(nn_dataset_position(run->data, example));
  if (!position)
    cli_fail("out of memory");
  char *colon = strrchr(position, ':');
  const char *line = colon ? colon + 1 : "0", *error = nn_session_error(run->session, i);
  if (colon)
    *colon = 0;
  putchar('{');
  if (run->options->n_data > 1) {
    fputs("\"file\": ", stdout);
    print_string(position);
    fputs(", ", stdout);
  }
  printf("\"line\": %s, ", line);
  free(position);
  print_string(error ? "error" : nn_model_entry_name(run->model, run->entry));
  fputs(": ", stdout);
  if (error) {
    print_string(error);
  } else {
    char *result = nn_session_json(run->session, i);
    if (!result)
      cli_fail("out of memory");
    fputs(result, stdout);
    free(result);
  }
  fputs("}\n", stdout);
}

int cli_predict(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "predict", false, false);
  size_t n_failed = 0, n_nan = 0, n_not_finite = 0;
  for (size_t at = 0, size; at < run.n; at += size) {
    size = cli_batch_size(&run, at, run.n);
    cli_check(nn_session_run(run.session, run.entry, run.data, run.order + at, size, NN_INFER));
    cli_end_if_interrupted(&run, run.order + at, size);
    for (size_t i = 0; i < size; i++) {
      print_example(&run, run.order[at + i], i);
      n_failed += nn_session_error(run.session, i) != NULL;
      n_nan += nn_session_finiteness(run.session, i) == NN_NAN;
    }
    n_not_finite += cli_report_not_finite(&run, run.entry, n_not_finite ? NULL : run.data, run.order + at,
                                          size);
    cli_check_stdout();  // who reads it need not wait, and nobody works for a full disk
  }
  int status = cli_status(&run, n_failed, run.n, "");
  if (n_not_finite)
    cli_warn("%zu of %zu results hold numbers that are not finite, written as null", n_not_finite, run.n);
  cli_run_end(&run);
  // An infinity may be meant, as in a logarithm of 0; what is no number is not.
  return n_nan ? 1 : status;
}

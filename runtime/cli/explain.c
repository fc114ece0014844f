#include <jansson.h>

#include "runtime/cli/run.h"

static void print_json(const struct cli_run *run, size_t n) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) {
    nn_batch batch = nn_session_batch(run->session, i);
    json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:s}", "block", batch.name, "key", batch.key, "rows",
                                          (int)batch.rows, "flush", (int)batch.flush, "phase", (int)batch.phase, "level",
                                          (int)batch.level, "reason", batch.reason));
  }
  json_t *out = json_pack("{s:I, s:I, s:I, s:o}", "nodes", (json_int_t)nn_session_node_count(run->session), "n_batches",
                          (json_int_t)n, "lower_bound", (json_int_t)nn_session_batch_lower_bound(run->session), "batches", list);
  json_dumpf(out, stdout, 0);
  putchar('\n');
  json_decref(out);
}

int cli_explain(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "loss", true, false);
  size_t size = cli_batch_size(&run, 0, run.n);
  nn_mode mode = options->mode == CLI_MODE_FORWARD ? NN_INFER : NN_TRAIN;
  cli_check(nn_session_run(run.session, run.entry, run.data, run.order, size, mode));
  cli_report_failures(&run, run.data, run.order, size);
  size_t n = nn_session_batch_count(run.session), nodes = nn_session_node_count(run.session);
  if (options->json) {
    print_json(&run, n);
  } else {
    printf("%zu examples, %zu instances, %zu batches (at least %zu are needed), mean batch size %.1f\n\n", size, nodes, n,
           nn_session_batch_lower_bound(run.session), n ? (double)nodes / (double)n : 0);
    printf("%5s %6s %5s %5s %5s  %-32s %s\n", "batch", "rows", "flush", "phase", "level", "block", "why not with the one before");
    for (size_t i = 0; i < n; i++) {
      nn_batch batch = nn_session_batch(run.session, i);
      printf("%5zu %6u %5u %5u %5u  %-32s %s\n", i, batch.rows, batch.flush, batch.phase, batch.level, batch.key, batch.reason);
    }
  }
  cli_run_end(&run);
  return 0;
}

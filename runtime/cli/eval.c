#include <jansson.h>
#include <stdlib.h>

#include "runtime/cli/run.h"

int cli_eval(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "loss", false, true);
  struct cli_score *scores;
  size_t n_failed, n_scores = cli_evaluate(&run, run.data, true, "eval", &scores, &n_failed);
  if (options->json) {
    json_t *out = json_pack("{s:I, s:I, s:I}", "examples", (json_int_t)run.n, "failed", (json_int_t)n_failed, "skipped",
                            (json_int_t)nn_dataset_skipped(run.data));
    for (size_t i = 0; i < n_scores; i++)
      json_object_set_new(out, scores[i].name, scores[i].weight != 0 ? json_real(scores[i].sum / scores[i].weight) : json_null());
    json_dumpf(out, stdout, 0);
    putchar('\n');
    json_decref(out);
  } else {
    printf("examples %zu\n", run.n);
    if (n_failed) printf("failed %zu\n", n_failed);
    if (nn_dataset_skipped(run.data)) printf("skipped %zu\n", nn_dataset_skipped(run.data));
    for (size_t i = 0; i < n_scores; i++) printf("%s %.6g\n", scores[i].name, scores[i].sum / scores[i].weight);
  }
  free(scores);
  cli_run_end(&run);
  return n_failed ? 1 : 0;
}

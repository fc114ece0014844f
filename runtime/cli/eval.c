// nnrun eval: loss and metrics of a checkpoint on data.
#include <stdio.h>
#include <stdlib.h>

#include "runtime/cli/run.h"

int cli_eval(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "loss", false, true);
  cli_want_examples(&run);
  struct cli_score *scores;
  size_t n_failed, n_not_finite = 0, n_scores = cli_evaluate(&run, run.data, "eval", &scores, &n_failed);
  for (size_t i = 0; i < n_scores; i++)
    n_not_finite += scores[i].n_not_finite;
  cli_end_if_interrupted(&run, NULL, 0);  // cli_evaluate has named the examples
  size_t n_skipped = nn_dataset_skipped(run.data);
  if (options->json) {
    json_t *out = json_pack("{s:I, s:I, s:I}", "examples", (json_int_t)run.n, "failed", (json_int_t)n_failed,
                            "skipped", (json_int_t)n_skipped);
    for (size_t i = 0; i < n_scores; i++)
      json_object_set_new(out, scores[i].name, cli_score_json(&scores[i]));
    cli_print_json(out);
  } else {
    printf("examples %zu\n", run.n);
    if (n_failed)
      printf("failed %zu\n", n_failed);
    if (n_skipped)
      printf("skipped %zu\n", n_skipped);
    char text[CLI_SCORE_TEXT];
    for (size_t i = 0; i < n_scores; i++)
      printf("%s%s%s\n", scores[i].name, scores[i].value.text ? "" : " ",
             scores[i].value.text ? scores[i].value.text : cli_score_text(&scores[i], 6, text));
  }
  cli_scores_free(scores, n_scores);
  int status = cli_status(&run, n_failed, run.n, " and count in nothing");
  cli_run_end(&run);
  return n_not_finite ? 1 : status;
}

// What the commands share: opening and binding a model as the options say, reading data, minibatches.
//
// These functions end the program with status 1 and a message on standard error when something fails; the commands
// are straight-line code.
#ifndef NN_RUNTIME_CLI_RUN_H
#define NN_RUNTIME_CLI_RUN_H

#include "runtime/cli/options.h"

struct cli_run {
  const struct cli_options *options;
  nn_model *model;
  nn_session *session;
  nn_dataset *data;      // of the first --data
  size_t entry;          // that runs
  size_t n_metrics, *metrics;
  size_t n_needed, *needed;  // entries whose parameters the data must give: the entry, then the metrics
  size_t *order;         // [examples of data] 0, 1, ...; training shuffles it
  size_t n;              // examples to run over
};

// Prints "nnrun: message" and ends with status 1. A NULL status does nothing.
void cli_check(nn_status *);
void cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

// Opens the model (a .nn file is compiled first) without binding it.
nn_model *cli_open_model(const struct cli_options *);
// Everything up to a session and the data in memory. `entry` is the usual entry of the command, such as "loss";
// vocabularies come from --weights, or from the data when `vocabs_from_data`; metrics are needed of the data when
// `with_metrics`.
void cli_run_begin(struct cli_run *, const struct cli_options *, const char *entry, bool vocabs_from_data,
                   bool with_metrics);
// Another file for the same entries.
nn_dataset *cli_read(const struct cli_run *, const char *path);
void cli_run_end(struct cli_run *);

// Size of the minibatch that begins at example `at`.
size_t cli_batch_size(const struct cli_run *, size_t at, size_t n);
// Reports the failed examples of the last run on standard error, the first few by name; returns their number.
size_t cli_report_failures(const struct cli_run *, nn_dataset *, const size_t *examples, size_t n);

struct cli_score {
  const char *name;
  double sum, weight;
};
// Mean loss (the entry that runs) and metrics over a data set: scores[0] is the loss when `with_loss`. Returns the number of
// scores; the array is malloc'd. *n_failed counts examples whose control flow failed.
size_t cli_evaluate(const struct cli_run *, nn_dataset *, bool with_loss, const char *label, struct cli_score **scores,
                    size_t *n_failed);

int cli_train(const struct cli_options *);
int cli_eval(const struct cli_options *);
int cli_predict(const struct cli_options *);
int cli_bench(const struct cli_options *);
int cli_grad(const struct cli_options *);
int cli_graph(const struct cli_options *);
int cli_explain(const struct cli_options *);
int cli_info(const struct cli_options *);

#endif

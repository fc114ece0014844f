// What the commands share: opening and binding a model as the options say, reading data, minibatches.
//
// These functions end the program with status 1 and a message on standard error when something fails; the
// commands are straight-line code.
#ifndef NN_RUNTIME_CLI_RUN_H
#define NN_RUNTIME_CLI_RUN_H

#include <jansson.h>

#include "runtime/base/long_sum.h"
#include "runtime/cli/interrupt.h"
#include "runtime/cli/options.h"

struct cli_run {
  const struct cli_options *options;
  nn_model *model;
  nn_session *session;
  nn_dataset *data;  // of every --data
  size_t entry;      // that runs
  size_t n_metrics, *metrics;
  size_t n_needed, *needed;  // entries whose parameters the data must give: the entry, then the metrics
  size_t *order;             // [examples of data] 0, 1, ...
  size_t n;                  // examples to run over
  unsigned notes_said;       // a set of nn_note
};

// Prints "nnrun: message" and ends with status 1. A NULL status does nothing.
void cli_check(nn_status *);
void cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
// The same without ending.
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Ends with status 1 unless everything that was printed reached standard output.
void cli_check_stdout(void);
// Fails now rather than after the work when a file cannot be made there. NULL is no file.
void cli_check_writable(const char *path);

// Opens the model (a .nn file is compiled first) without binding it.
nn_model *cli_open_model(const struct cli_options *);
// Binds it and loads --weights.
unsigned cli_bind(nn_model *, const struct cli_options *);
// Everything up to a session and the data in memory. `entry` is the usual entry of the command, such as
// "loss"; vocabularies come from --weights, or from the data when `vocabs_from_data`; metrics are needed of
// the data when `with_metrics`.
void cli_run_begin(struct cli_run *, const struct cli_options *, const char *entry, bool vocabs_from_data,
                   bool with_metrics);
// The same without the data: `data`, `order` and `n` are left to the caller.
void cli_run_open(struct cli_run *, const struct cli_options *, const char *entry, bool vocabs_from_data,
                  bool with_metrics);
// Fails when the data has no examples.
void cli_want_examples(const struct cli_run *);
// Another file for the same entries.
nn_dataset *cli_read(const struct cli_run *, const char *path);
void cli_run_end(struct cli_run *);
// As --optimiser and its options say.
nn_optimiser *cli_optimiser(const struct cli_options *, nn_model *);

// Says so when the last run was in parts, of which only one can be looked at.
void cli_warn_of_parts(const struct cli_run *);
// Ends with 128 + the signal, naming the failed examples of the last run, when a signal came (interrupt.h).
void cli_end_if_interrupted(const struct cli_run *, const size_t *examples, size_t n);
// Size of the minibatch that begins at example `at`.
size_t cli_batch_size(const struct cli_run *, size_t at, size_t n);
// Reports the failed examples of the last run on standard error, the first few by name; returns their number.
size_t cli_report_failures(const struct cli_run *, nn_dataset *, const size_t *examples, size_t n);

// The same for results of the last run, of this entry, that are not finite, with what made them so. NULL data: counts
// only.
size_t cli_report_not_finite(const struct cli_run *, size_t entry, nn_dataset *, const size_t *examples,
                             size_t n);
// The number as it is printed: nan has one spelling.
double cli_plain(double);

// The exit status of a command in which examples failed: 1, and 0 with --allow-failures. Says how many, of how many,
// and what became of them ("were left out").
int cli_status(const struct cli_run *, size_t n_failed, size_t n, const char *fate);

struct cli_score {
  const char *name;
  struct long_sum sum, weight;  // of the loss
  nn_totals *totals, *batch;    // of a metric: so far, and of the minibatch that runs
  nn_metric_value value;        // of a metric
  size_t n_not_finite;          // examples whose value is not finite
};
// The mean, or the metric; NaN when there was nothing, and of a table.
double cli_score_value(const struct cli_score *);
// As it is printed, on a line; "-" when there was nothing, NULL of a table.
enum { CLI_SCORE_TEXT = 32 };
const char *cli_score_text(const struct cli_score *, int digits, char text[static CLI_SCORE_TEXT]);
// A number, or a table as an object of objects.
json_t *cli_score_json(const struct cli_score *);
void cli_scores_free(struct cli_score *, size_t n);
// Mean loss (the entry that runs) and metrics over a data set: scores[0] is the loss. Returns the number of
// scores; the array is malloc'd. *n_failed counts examples whose control flow failed in the
// entry or a metric; they count in no score. What is not finite is reported when each score meets it first.
size_t cli_evaluate(const struct cli_run *, nn_dataset *, const char *label, struct cli_score **scores,
                    size_t *n_failed);

// How many digits of a number are printed: all that are sure, so that 0.1 is not 0.10000000000000001.
#define CLI_JSON_DIGITS JSON_REAL_PRECISION(15)
// A number; null when it is not finite, which JSON cannot write.
json_t *cli_json_number(double);
// Prints it on a line of standard output and frees it.
void cli_print_json(json_t *);

int cli_train(const struct cli_options *);
int cli_eval(const struct cli_options *);
int cli_predict(const struct cli_options *);
int cli_run_one(const struct cli_options *);
int cli_bench(const struct cli_options *);
int cli_grad(const struct cli_options *);
int cli_graph(const struct cli_options *);
int cli_explain(const struct cli_options *);
void cli_explain_reasons(void);  // the kinds of reasons that it gives
int cli_info(const struct cli_options *);

#endif

// nnrun train: epochs, evaluation, checkpoints.
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/cli/command_line.h"
#include "runtime/base/clock.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/run.h"

// A signal lets the minibatch come to its end, and the weights are saved.
static bool is_interrupted(void) { return *interrupt_signal() != 0; }

struct training {
  struct cli_run run;
  nn_dataset *dev;
  nn_optimiser *optimiser;
  FILE *metrics;
  bool metrics_lost;  // a line could not be written
  int64_t saved;      // last epoch whose weights are in --save, 0: none
  double started;
  size_t done;                          // examples since then
  size_t most_failed, most_dev_failed;  // of an epoch
  char dev_text[64];                    // of the last epoch, for the line of progress
};

struct epoch {
  int64_t number;
  struct long_sum loss;  // of all examples
  double seconds;
  size_t n_examples, n_failed, n_dev_failed;
};

// ------------------------------------------------------------------------------------------ saving

static const char *what_is_saved(const struct training *training, char *text, size_t size) {
  *text = 0;
  if (training->saved)
    snprintf(text, size, "; %s keeps the weights of epoch %lld", training->run.options->save,
             (long long)training->saved);
  return text;
}

// A checkpoint that cannot be written is tried again after the next epoch, if there is one.
static void save(struct training *training, int64_t number, bool last) {
  const struct cli_options *options = training->run.options;
  char saved[512];
  nn_status *status = nn_model_check_finite(training->run.model);
  if (nn_status_code(status) == NN_NOT_FINITE)
    cli_fail("epoch %lld: %s; try a smaller --rate, or --clip%s", (long long)number,
             nn_status_message(status), what_is_saved(training, saved, sizeof saved));
  cli_check(status);
  if (!options->save)
    return;
  status = nn_model_save(training->run.model, options->save);
  if (!status) {
    training->saved = number;
    return;
  }
  if (last)
    cli_fail("%s%s", nn_status_message(status), what_is_saved(training, saved, sizeof saved));
  cli_warn("%s; it will be tried again after the next epoch", nn_status_message(status));
  nn_status_free(status);
}

// ---------------------------------------------------------------------------------------- an epoch

// Ends training unless the minibatch went well. `at`: examples of the epoch before it.
static void check_minibatch(struct training *training, const char *label, size_t at, nn_status *status) {
  if (nn_status_code(status) != NN_NOT_FINITE)
    cli_check(status);
  if (!status)
    return;
  char saved[512];
  // Before the first update neither can be the cause.
  bool updated = at > 0 || training->done > 0;
  cli_fail("%s: %s%s%s", label, nn_status_message(status), updated ? "; try a smaller --rate, or --clip" : "",
           what_is_saved(training, saved, sizeof saved));
}

static double mean_loss(const struct epoch *epoch) {
  return long_sum_value(&epoch->loss) / (double)epoch->n_examples;
}

static struct epoch train_epoch(struct training *training, int64_t number) {
  struct cli_run *run = &training->run;
  cli_check(nn_training_begin_epoch(run->model, (uint64_t)number, run->n, run->options->shuffle));
  struct epoch epoch = {.number = number};
  struct progress progress;
  char label[64], text[160];
  snprintf(label, sizeof label, "epoch %lld/%lld", (long long)number, (long long)run->options->epochs);
  progress_begin(&progress, run->options->quiet, label, run->n);
  progress.whole_started = training->started;
  progress.whole_done = training->done;
  progress.whole_total = run->n * (size_t)run->options->epochs;
  const size_t *examples;
  for (size_t at = 0, size; !is_interrupted(); at += size) {
    size = nn_training_next(run->model, (size_t)run->options->batch, &examples);
    if (size == 0)
      break;
    double loss;
    size_t n_failed;
    nn_status *status = nn_session_train(run->session, training->optimiser, run->entry, run->data, examples,
                                         size, run->options->scale, &loss, &n_failed);
    if (nn_status_code(status) == NN_INTERRUPTED) {  // this minibatch is left out; what was learnt is kept
      nn_status_free(status);
      break;
    }
    check_minibatch(training, label, at, status);
    interrupt_keep();
    if (n_failed && !epoch.n_failed)
      cli_report_failures(run, run->data, examples, size);
    long_sum_add(&epoch.loss, loss);
    epoch.n_failed += n_failed;
    epoch.n_examples += size - n_failed;
    training->done += size;
    snprintf(text, sizeof text, "loss %.5g%s", epoch.n_examples ? mean_loss(&epoch) : 0, training->dev_text);
    progress_update(&progress, at + size, text);
  }
  progress_end(&progress);
  epoch.seconds = clock_seconds() - progress.started;
  if (epoch.n_examples == 0 && !is_interrupted())
    cli_fail("%s: every example failed; nothing was learnt", label);
  return epoch;
}

// --------------------------------------------------------------------------------------- reporting

static void write_metrics(struct training *training, const struct epoch *epoch,
                          const struct cli_score *scores, size_t n_scores) {
  json_t *line = json_pack("{s:I, s:f, s:f, s:f, s:I, s:I}", "epoch", (json_int_t)epoch->number, "loss",
                           mean_loss(epoch), "seconds", epoch->seconds, "examples_per_second",
                           (double)epoch->n_examples / epoch->seconds, "examples",
                           (json_int_t)epoch->n_examples, "failed", (json_int_t)epoch->n_failed);
  json_t *dev = json_object();
  for (size_t i = 0; i < n_scores; i++)
    json_object_set_new(dev, scores[i].name, cli_score_json(&scores[i]));
  if (epoch->n_dev_failed)
    json_object_set_new(line, "dev_failed", json_integer((json_int_t)epoch->n_dev_failed));
  if (n_scores)
    json_object_set(line, "dev", dev);
  json_decref(dev);
  bool written = json_dumpf(line, training->metrics, JSON_COMPACT | CLI_JSON_DIGITS) == 0 &&
                 fputc('\n', training->metrics) != EOF && fflush(training->metrics) == 0;
  json_decref(line);
  if (written || training->metrics_lost)
    return;
  training->metrics_lost = true;
  cli_warn("%s: the metrics could not be written: %s", training->run.options->metrics, strerror(errno));
}

static void report(struct training *training, const struct epoch *epoch, const struct cli_score *scores,
                   size_t n_scores) {
  double loss = mean_loss(epoch), rate = (double)epoch->n_examples / epoch->seconds;
  printf("epoch %lld  loss %.5g", (long long)epoch->number, loss);
  char text[CLI_SCORE_TEXT];
  for (size_t i = 0; i < n_scores; i++)
    if (cli_score_text(&scores[i], 5, text))  // a table is for `eval` and --metrics
      printf("  dev %s %s", scores[i].name, cli_score_text(&scores[i], 5, text));
  printf("  %.1f s  %.0f examples/s", epoch->seconds, rate);
  if (epoch->n_failed)
    printf("  %zu failed", epoch->n_failed);
  if (epoch->n_dev_failed)
    printf("  dev %zu failed", epoch->n_dev_failed);
  putchar('\n');
  // The first metric says most; without one the loss.
  const struct cli_score *shown = n_scores ? &scores[0] : NULL;
  for (size_t i = n_scores; i-- > 1;)
    if (!scores[i].value.text)
      shown = &scores[i];
  if (shown)
    snprintf(training->dev_text, sizeof training->dev_text, "  dev %.30s %s", shown->name,
             cli_score_text(shown, 4, text));
  if (training->metrics)
    write_metrics(training, epoch, scores, n_scores);
  char saved[512];
  if (!command_flush_stdout())
    cli_fail("standard output could not be written, so training ends after epoch %lld%s",
             (long long)epoch->number, what_is_saved(training, saved, sizeof saved));
}

static void evaluate_and_report(struct training *training, struct epoch *epoch) {
  struct cli_score *scores = NULL;
  size_t n_scores = 0;
  if (training->dev)
    n_scores = cli_evaluate(&training->run, training->dev, "dev", &scores, &epoch->n_dev_failed);
  if (epoch->n_failed > training->most_failed)
    training->most_failed = epoch->n_failed;
  if (epoch->n_dev_failed > training->most_dev_failed)
    training->most_dev_failed = epoch->n_dev_failed;
  if (!is_interrupted())
    report(training, epoch, scores, n_scores);
  cli_scores_free(scores, n_scores);
}

// ----------------------------------------------------------------------------------------- command

static void begin(struct training *training, const struct cli_options *options) {
  cli_check_writable(options->save);
  if (options->save && options->metrics && !strcmp(options->save, options->metrics))
    cli_fail("--save and --metrics name the same file, %s", options->save);
  cli_run_begin(&training->run, options, "loss", true, options->dev != NULL);
  cli_want_examples(&training->run);
  if (options->dev)
    training->dev = cli_read(&training->run, options->dev);
  if (options->metrics && !(training->metrics = fopen(options->metrics, "a")))
    cli_fail("%s: cannot be written: %s", options->metrics, strerror(errno));
  if (!options->save && !options->quiet)
    cli_warn("the weights will not be kept: there is no --save FILE");
  training->optimiser = cli_optimiser(options, training->run.model);
  training->started = clock_seconds();
}

static int end(struct training *training) {
  char saved[512];
  if (is_interrupted())
    cli_warn("interrupted%s", what_is_saved(training, saved, sizeof saved));
  if (training->metrics && fclose(training->metrics))
    training->metrics_lost = true;
  int status = cli_status(&training->run, training->most_failed, training->run.n,
                          " in an epoch, and taught nothing");
  if (training->dev)
    status |= cli_status(&training->run, training->most_dev_failed, nn_dataset_size(training->dev),
                         " in --dev, and count in nothing");
  if (is_interrupted())
    interrupt_leave(128 + *interrupt_signal());
  nn_optimiser_free(training->optimiser);
  nn_dataset_free(training->dev);
  cli_run_end(&training->run);
  return training->metrics_lost ? 1 : status;
}

int cli_train(const struct cli_options *options) {
  struct training training = {.saved = 0};
  begin(&training, options);
  // Weights are worth more than a closed pipe: see report.
  signal(SIGPIPE, SIG_IGN);
  for (int64_t number = 1; number <= options->epochs && !is_interrupted(); number++) {
    struct epoch epoch = train_epoch(&training, number);
    save(&training, number, is_interrupted() || number == options->epochs);
    if (!is_interrupted())
      evaluate_and_report(&training, &epoch);
  }
  return end(&training);
}

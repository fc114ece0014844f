#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/progress.h"
#include "runtime/cli/run.h"
#include "runtime/random.h"

// Set by the first Ctrl-C: the minibatch is finished and the weights are saved.
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}

static nn_optimiser *make_optimiser(const struct cli_options *options, nn_model *model) {
  nn_optimiser_options how = nn_optimiser_default(options->algorithm);
  if (options->rate >= 0) how.rate = options->rate;
  if (options->momentum >= 0) how.momentum = options->momentum;
  if (options->clip >= 0) how.clip = options->clip;
  if (options->decay >= 0) how.decay = options->decay;
  how.sparse = options->sparse;
  nn_optimiser *optimiser = NULL;
  cli_check(nn_optimiser_new(model, &how, &optimiser));
  return optimiser;
}

static void shuffle(size_t *order, size_t n, struct random_stream *random) {
  for (size_t i = n; i > 1; i--) {
    size_t j = (size_t)random_below(random, i), kept = order[i - 1];
    order[i - 1] = order[j];
    order[j] = kept;
  }
}

struct epoch {
  double loss, seconds;
  size_t n_examples, n_failed;
};

static struct epoch train_epoch(struct cli_run *run, nn_optimiser *optimiser, const char *label) {
  struct epoch epoch = {0};
  struct progress progress;
  double started = progress_now();
  progress_begin(&progress, run->options->quiet, label, run->n);
  for (size_t at = 0, size; at < run->n && !interrupted; at += size) {
    size = cli_batch_size(run, at, run->n);
    double loss;
    size_t n_failed;
    cli_check(nn_session_train(run->session, optimiser, run->entry, run->data, run->order + at, size,
                               run->options->scale, &loss, &n_failed));
    if (n_failed && !epoch.n_failed) cli_report_failures(run, run->data, run->order + at, size);
    epoch.loss += loss;
    epoch.n_failed += n_failed;
    epoch.n_examples += size - n_failed;
    char text[64];
    snprintf(text, sizeof text, "loss %.4f", epoch.loss / (double)epoch.n_examples);
    progress_update(&progress, at + size, text);
    if (!isfinite(loss)) {
      progress_end(&progress);
      cli_fail("the loss is not a finite number after %zu examples of %s; try a smaller --rate, or --clip", at + size, label);
    }
  }
  progress_end(&progress);
  epoch.seconds = progress_now() - started;
  return epoch;
}

static void report(const struct cli_run *run, int64_t number, const struct epoch *epoch, const struct cli_score *scores,
                   size_t n_scores) {
  double loss = epoch->loss / (double)epoch->n_examples, rate = (double)epoch->n_examples / epoch->seconds;
  printf("epoch %lld  loss %.4f", (long long)number, loss);
  for (size_t i = 0; i < n_scores; i++) printf("  dev %s %.4f", scores[i].name, scores[i].sum / scores[i].weight);
  printf("  %.1f s  %.0f examples/s\n", epoch->seconds, rate);
  fflush(stdout);
  if (!run->options->metrics) return;
  json_t *line = json_pack("{s:I, s:f, s:f, s:f, s:I, s:I}", "epoch", (json_int_t)number, "loss", loss, "seconds",
                           epoch->seconds, "examples_per_second", rate, "examples", (json_int_t)epoch->n_examples, "failed",
                           (json_int_t)epoch->n_failed);
  json_t *dev = json_object();
  for (size_t i = 0; i < n_scores; i++) json_object_set_new(dev, scores[i].name, json_real(scores[i].sum / scores[i].weight));
  if (n_scores) json_object_set(line, "dev", dev);
  json_decref(dev);
  FILE *file = fopen(run->options->metrics, "a");
  if (!file || json_dumpf(line, file, JSON_COMPACT) || fputc('\n', file) == EOF || fclose(file))
    cli_fail("%s: the metrics could not be written", run->options->metrics);
  json_decref(line);
}

int cli_train(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "loss", true, options->dev != NULL);
  if (run.n == 0) cli_fail("%s: no examples to train on", options->data[0]);
  nn_dataset *dev = options->dev ? cli_read(&run, options->dev) : NULL;
  nn_optimiser *optimiser = make_optimiser(options, run.model);
  struct random_stream random;
  random_open(&random, options->running.seed, "shuffle");
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  for (int64_t number = 1; number <= options->epochs && !interrupted; number++) {
    char label[64];
    snprintf(label, sizeof label, "epoch %lld/%lld", (long long)number, (long long)options->epochs);
    if (options->shuffle) shuffle(run.order, run.n, &random);
    struct epoch epoch = train_epoch(&run, optimiser, label);
    if (epoch.n_examples == 0 && !interrupted) cli_fail("every example failed; nothing was learnt");
    struct cli_score *scores = NULL;
    size_t n_scores = 0, n_failed = 0;
    if (dev && !interrupted) n_scores = cli_evaluate(&run, dev, true, "dev", &scores, &n_failed);
    if (!interrupted) report(&run, number, &epoch, scores, n_scores);
    free(scores);
    if (options->save) cli_check(nn_model_save(run.model, options->save));
  }
  if (interrupted) fprintf(stderr, "nnrun: interrupted%s%s\n", options->save ? "; the weights are in " : "", options->save ? options->save : "");
  nn_optimiser_free(optimiser);
  nn_dataset_free(dev);
  cli_run_end(&run);
  return interrupted ? 130 : 0;
}

#include "runtime/cli/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/nnc.h"
#include "runtime/cli/progress.h"
#include "runtime/model.h"

void cli_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("nnrun: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

void cli_check(nn_status *status) {
  if (status) cli_fail("%s", nn_status_message(status));
}

static bool has_suffix(const char *path, const char *suffix) {
  size_t n = strlen(path), m = strlen(suffix);
  return n >= m && !strcmp(path + n - m, suffix);
}

static nn_model *compile(const char *path) {
  struct nnc_options how = {.path = path};
  struct nnc_result result;
  bool compiled = nnc_compile(&how, &result);
  nnc_render(&result, stderr, isatty(STDERR_FILENO));  // warnings too
  if (!compiled) exit(1);
  nn_model *model = NULL;
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  cli_check(model_from_module(module, &model));
  return model;
}

nn_model *cli_open_model(const struct cli_options *options) {
  if (has_suffix(options->model, ".nn")) return compile(options->model);
  nn_model *model = NULL;
  cli_check(nn_model_open(options->model, &model));
  return model;
}

static void find_entries(struct cli_run *run, const char *usual, bool with_metrics) {
  const char *name = run->options->entry ? run->options->entry : usual;
  if (!nn_model_find_entry(run->model, name, &run->entry)) {
    fprintf(stderr, "nnrun: %s has no entry `%s`; it has", run->options->model, name);
    for (size_t i = 0; i < nn_model_entry_count(run->model); i++) fprintf(stderr, " %s", nn_model_entry_name(run->model, i));
    fputc('\n', stderr);
    exit(1);
  }
  run->needed = calloc(nn_model_entry_count(run->model) + 1, sizeof *run->needed);
  if (!run->needed) cli_fail("out of memory");
  run->needed[0] = run->entry;
  run->metrics = run->needed + 1;
  for (size_t i = 0; i < nn_model_entry_count(run->model); i++)
    if (nn_model_entry_is_metric(run->model, i)) run->metrics[run->n_metrics++] = i;
  run->n_needed = 1 + (with_metrics ? run->n_metrics : 0);
}

void cli_run_begin(struct cli_run *run, const struct cli_options *options, const char *entry, bool vocabs_from_data,
                   bool with_metrics) {
  *run = (struct cli_run){.options = options, .model = cli_open_model(options)};
  find_entries(run, entry, with_metrics);
  if (options->weights) cli_check(nn_model_load_metadata(run->model, options->weights));
  if (!nn_model_has_vocabs(run->model)) {
    if (!vocabs_from_data && options->command != CLI_BENCH && options->command != CLI_EXPLAIN && options->command != CLI_GRAPH)
      cli_fail("the model's vocabularies are not known: give the checkpoint that training saved with --weights");
    cli_check(nn_model_build_vocabs(run->model, options->data, options->n_data, run->needed, run->n_needed, &options->reading));
  }
  cli_check(nn_model_bind(run->model, &options->running));
  if (options->weights) cli_check(nn_model_load_weights(run->model, options->weights));
  cli_check(nn_session_new(run->model, &run->session));
  cli_check(nn_dataset_load(run->model, options->data[0], run->needed, run->n_needed, &options->reading, &run->data));
  run->n = nn_dataset_size(run->data);
  if (options->limit && (size_t)options->limit < run->n) run->n = (size_t)options->limit;
  run->order = malloc((nn_dataset_size(run->data) + 1) * sizeof *run->order);
  if (!run->order) cli_fail("out of memory");
  for (size_t i = 0; i < nn_dataset_size(run->data); i++) run->order[i] = i;
}

nn_dataset *cli_read(const struct cli_run *run, const char *path) {
  nn_dataset *data = NULL;
  cli_check(nn_dataset_load(run->model, path, run->needed, run->n_needed, &run->options->reading, &data));
  return data;
}

void cli_run_end(struct cli_run *run) {
  nn_session_free(run->session);
  nn_dataset_free(run->data);
  nn_model_free(run->model);
  free(run->needed);
  free(run->order);
}

size_t cli_batch_size(const struct cli_run *run, size_t at, size_t n) {
  size_t left = n - at, batch = (size_t)run->options->batch;
  return left < batch ? left : batch;
}

size_t cli_report_failures(const struct cli_run *run, nn_dataset *data, const size_t *examples, size_t n) {
  size_t n_failed = 0;
  for (size_t i = 0; i < n; i++) {
    const char *error = nn_session_error(run->session, i);
    if (!error) continue;
    if (n_failed++ < 3) fprintf(stderr, "nnrun: %s: %s\n", nn_dataset_position(data, examples[i]), error);
  }
  if (n_failed > 3) fprintf(stderr, "nnrun: and %zu more examples failed\n", n_failed - 3);
  return n_failed;
}

size_t cli_evaluate(const struct cli_run *run, nn_dataset *data, bool with_loss, const char *label, struct cli_score **out,
                    size_t *n_failed) {
  struct cli_score *scores = calloc(1 + run->n_metrics, sizeof *scores);
  size_t n = data == run->data ? run->n : nn_dataset_size(data), *examples = malloc((n + 1) * sizeof *examples);
  if (!scores || !examples) cli_fail("out of memory");
  for (size_t i = 0; i < n; i++) examples[i] = i;
  size_t n_scores = with_loss;
  if (with_loss) scores[0].name = nn_model_entry_name(run->model, run->entry);
  for (size_t i = 0; i < run->n_metrics; i++) scores[n_scores++].name = nn_model_entry_name(run->model, run->metrics[i]);
  struct progress progress;
  progress_begin(&progress, run->options->quiet, label, n);
  *n_failed = 0;
  for (size_t at = 0, size; at < n; at += size) {
    size = cli_batch_size(run, at, n);
    if (with_loss) {
      cli_check(nn_session_run(run->session, run->entry, data, examples + at, size, NN_INFER));
      size_t failed = cli_report_failures(run, data, examples + at, size);
      for (size_t i = 0; i < size; i++) scores[0].sum += nn_session_number(run->session, i);
      scores[0].weight += (double)(size - failed);
      *n_failed += failed;
    }
    for (size_t i = 0; i < run->n_metrics; i++) {
      size_t failed;
      struct cli_score *score = &scores[i + with_loss];
      cli_check(nn_session_metric(run->session, run->metrics[i], data, examples + at, size, &score->sum, &score->weight, &failed));
      if (!with_loss && i == 0) *n_failed += failed;
    }
    progress_update(&progress, at + size, "");
  }
  progress_end(&progress);
  free(examples);
  *out = scores;
  return n_scores;
}

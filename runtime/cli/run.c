// What the commands share: opening model, data and weights, running minibatches.
#include "runtime/cli/run.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/cli/command_line.h"
#include "compiler/nnc.h"
#include "runtime/cli/progress.h"
#include "runtime/model/model.h"

// ----------------------------------------------------------------------------------------- failing

static void print_message(const char *format, va_list args) {
  // Over a line of progress, if there is one.
  fputs(isatty(STDERR_FILENO) ? "\r\033[Knnrun: " : "nnrun: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
}

void cli_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  print_message(format, args);
  va_end(args);
  exit(1);
}

void cli_warn(const char *format, ...) {
  va_list args;
  va_start(args, format);
  print_message(format, args);
  va_end(args);
}

void cli_check(nn_status *status) {
  if (nn_status_code(status) == NN_INTERRUPTED && *interrupt_signal()) {
    cli_warn("%s", nn_status_message(status));
    interrupt_leave(128 + *interrupt_signal());
  }
  if (!status)
    return;
  cli_warn("%s", nn_status_message(status));
  nn_status_free(status);
  exit(1);
}

void cli_check_stdout(void) {
  if (!command_flush_stdout())
    cli_fail("standard output could not be written: %s", strerror(errno));
}

void cli_check_writable(const char *path) {
  struct stat info;
  if (!path)
    return;
  if (stat(path, &info) == 0) {
    if (S_ISDIR(info.st_mode))
      cli_fail("%s: cannot be written: it is a folder", path);
    if (access(path, W_OK))
      cli_fail("%s: cannot be written: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
      return;
  }
  // Files are replaced, so the folder must let itself be written.
  char *folder = strdup(path);
  if (!folder)
    cli_fail("out of memory");
  char *slash = strrchr(folder, '/');
  if (slash)
    slash[slash == folder] = 0;
  if (access(slash ? folder : ".", W_OK))
    cli_fail("%s: cannot be written: %s", path, strerror(errno));
  free(folder);
}

// ------------------------------------------------------------------------------------------ models

static bool has_suffix(const char *path, const char *suffix) {
  size_t n = strlen(path), m = strlen(suffix);
  return n >= m && !strcmp(path + n - m, suffix);
}

static nn_model *compile(const struct cli_options *options) {
  struct nnc_options how = {.path = options->model,
                            .keep_paths = true,
                            .import_dirs = options->import_dirs,
                            .import_dir_count = options->n_import_dirs};
  struct nnc_result result;
  bool compiled = nnc_compile(&how, &result);
  nnc_render(&result, stderr, isatty(STDERR_FILENO));  // warnings too
  if (!compiled)
    exit(1);
  nn_model *model = NULL;
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  cli_check(model_from_module(module, &model));
  return model;
}

nn_model *cli_open_model(const struct cli_options *options) {
  if (has_suffix(options->model, ".nn"))
    return compile(options);
  nn_model *model = NULL;
  cli_check(nn_model_open(options->model, &model));
  return model;
}

// Says what nn_model_note has to say, but for the notes in the set `said`; returns that set with the others.
static unsigned say_notes(const nn_model *model, unsigned said) {
  for (int note = 0; note < NN_NOTES; note++) {
    const char *text = said >> note & 1 ? NULL : nn_model_note(model, (nn_note)note);
    if (!text)
      continue;
    cli_warn("%s", text);
    said |= 1u << note;
  }
  return said;
}

static void append_dim(char *list, size_t size, const char *name, int64_t value, int64_t other) {
  size_t at = strlen(list);
  snprintf(list + at, size - at, "%s%s = %lld (not %lld)", at ? ", " : "", name, (long long)value,
           (long long)other);
}

// Dims that a checkpoint gives another value than the model's file does, and -D none; and those to which -D gives
// another than the checkpoint does, which no parameter depends on: its weights have been loaded.
static void report_dims(const nn_model *model, const struct cli_options *options) {
  char replaced[512] = "", overridden[512] = "";
  for (size_t i = 0; i < nn_model_dim_count(model); i++) {
    int64_t value, other;
    const char *name = nn_model_dim(model, i, &value);
    size_t k = 0;
    while (k < options->n_dims && strcmp(options->dims[k].name, name))
      k++;
    if (k < options->n_dims && nn_model_dim_is_overridden(model, i, &other))
      append_dim(overridden, sizeof overridden, name, value, other);
    else if (k == options->n_dims && nn_model_dim_is_replaced(model, i, &other))
      append_dim(replaced, sizeof replaced, name, value, other);
  }
  if (*replaced)
    cli_warn("%s: its dims are those that run, not the model's: %s", options->weights, replaced);
  if (*overridden)
    cli_warn("%s: -D replaces dims of it that no parameter's size depends on: %s", options->weights,
             overridden);
}

unsigned cli_bind(nn_model *model, const struct cli_options *options) {
  cli_check(nn_model_bind(model, &options->running));
  unsigned said = say_notes(model, 0);
  if (options->weights) {
    cli_check(nn_model_load_weights(model, options->weights));
    report_dims(model, options);
  }
  if (options->init) {
    char *report = NULL;
    cli_check(nn_model_init_weights(model, options->init, &report));
    cli_warn("%s", report);
    free(report);
  }
  return said;
}

// Said before the data is read, which would be blamed for what the entry lacks.
static void want_trainable(const struct cli_run *run) {
  const struct cli_options *options = run->options;
  bool trains = options->command == CLI_TRAIN || options->command == CLI_GRAD ||
                (options->command == CLI_BENCH && options->mode != CLI_MODE_FORWARD);
  if (!trains || nn_model_entry_is_trainable(run->model, run->entry))
    return;
  char list[300] = "";
  for (size_t i = 0; i < nn_model_entry_count(run->model); i++) {
    size_t at = strlen(list);
    if (nn_model_entry_is_trainable(run->model, i))
      snprintf(list + at, sizeof list - at, "%s`%s`", at ? ", " : "; there is ",
               nn_model_entry_name(run->model, i));
  }
  cli_fail("`%s` cannot be trained: its result is %s, and no f32%s",
           nn_model_entry_name(run->model, run->entry), nn_model_entry_result(run->model, run->entry), list);
}

// Of a model in source form nnc has said it.
static void warn_of_nothing_to_learn(const struct cli_run *run) {
  if (run->options->command == CLI_TRAIN && !has_suffix(run->options->model, ".nn") &&
      !nn_model_entry_learns(run->model, run->entry))
    cli_warn("`%s` uses no parameter: training changes nothing", nn_model_entry_name(run->model, run->entry));
}

static void find_entries(struct cli_run *run, const char *usual, bool with_metrics) {
  const char *name = run->options->entry ? run->options->entry : usual;
  if (!nn_model_find_entry(run->model, name, &run->entry)) {
    if (nn_model_entry_count(run->model) == 0)
      cli_fail("%s has no entry `%s`, nor any other: entries are functions at top level whose parameters are "
               "data, such as `fn loss(x: f32[3], y: float) -> f32 { ... }`",
               run->options->model, name);
    fprintf(stderr, "nnrun: %s has no entry `%s`; it has", run->options->model, name);
    for (size_t i = 0; i < nn_model_entry_count(run->model); i++)
      fprintf(stderr, "%s `%s`", i ? "," : "", nn_model_entry_name(run->model, i));
    fputs("\n", stderr);
    exit(1);
  }
  run->needed = calloc(nn_model_entry_count(run->model) + 1, sizeof *run->needed);
  if (!run->needed)
    cli_fail("out of memory");
  want_trainable(run);
  warn_of_nothing_to_learn(run);
  run->needed[0] = run->entry;
  run->metrics = run->needed + 1;
  for (size_t i = 0; i < nn_model_entry_count(run->model); i++)
    if (nn_model_entry_is_metric(run->model, i))
      run->metrics[run->n_metrics++] = i;
  run->n_needed = 1 + (with_metrics ? run->n_metrics : 0);
}

// -------------------------------------------------------------------------------------------- data

static void print_notes(const nn_dataset *data) {
  const char *notes = nn_dataset_notes(data);
  while (notes && *notes) {
    size_t length = strcspn(notes, "\n");
    cli_warn("%.*s", (int)length, notes);
    notes += length + (notes[length] == '\n');
  }
}

static void report_skipped(nn_dataset *data, const char *path) {
  size_t n = nn_dataset_skipped(data);
  if (n == 1)
    cli_warn("%s: 1 bad record skipped: %s", path, nn_dataset_first_skipped(data));
  if (n > 1)
    cli_warn("%s: %zu bad records skipped; the first: %s", path, n, nn_dataset_first_skipped(data));
}

static void read_data(struct cli_run *run) {
  const struct cli_options *options = run->options;
  run->data = NULL;
  for (size_t i = 0; i < options->n_data; i++) {
    if (run->data)
      cli_check(nn_dataset_append(run->model, run->data, options->data[i], &options->reading));
    else
      cli_check(nn_dataset_load(run->model, options->data[i], run->needed, run->n_needed, &options->reading,
                                &run->data));
  }
  print_notes(run->data);
  report_skipped(run->data, options->n_data > 1 ? "the data" : options->data[0]);
  run->n = nn_dataset_size(run->data);
  run->order = malloc((nn_dataset_size(run->data) + 1) * sizeof *run->order);
  if (!run->order)
    cli_fail("out of memory");
  for (size_t i = 0; i < nn_dataset_size(run->data); i++)
    run->order[i] = i;
}

void cli_run_open(struct cli_run *run, const struct cli_options *options, const char *entry,
                  bool vocabs_from_data, bool with_metrics) {
  *run = (struct cli_run){.options = options, .model = cli_open_model(options)};
  find_entries(run, entry, with_metrics);
  if (options->weights)
    cli_check(nn_model_load_metadata(run->model, options->weights));
  if (!nn_model_has_vocabs(run->model)) {
    if (!vocabs_from_data)
      cli_fail(
          "the model's vocabularies are not known: give the checkpoint that training saved with --weights");
    cli_check(nn_model_build_vocabs(run->model, options->data, options->n_data, run->needed, run->n_needed,
                                    &options->reading));
  }
  run->notes_said = cli_bind(run->model, options);
  if (!vocabs_from_data && !options->weights && nn_model_parameters(run->model) > 0)
    cli_warn("no --weights FILE: the parameters have their initial values");
  cli_check(nn_session_new(run->model, &run->session));
  nn_session_set_limits(run->session, &options->limits, interrupt_of_examples());
}

void cli_run_begin(struct cli_run *run, const struct cli_options *options, const char *entry,
                   bool vocabs_from_data, bool with_metrics) {
  cli_run_open(run, options, entry, vocabs_from_data, with_metrics);
  read_data(run);
  interrupt_watch(nn_session_compiling(run->session));
  interrupt_catch(options->command == CLI_TRAIN);
}

void cli_warn_of_parts(const struct cli_run *run) {
  uint64_t parts = nn_session_stats(run->session).parts;
  if (parts > 1)
    cli_warn(
        "the minibatch ran in %llu parts, for want of room (--minibatch-memory): only the last one is shown",
        (unsigned long long)parts);
}

void cli_want_examples(const struct cli_run *run) {
  if (run->n == 0)
    cli_fail("%s: no examples", run->options->data[0]);
}

nn_dataset *cli_read(const struct cli_run *run, const char *path) {
  nn_dataset *data = NULL;
  nn_data_options reading = run->options->reading;
  reading.limit = 0;  // it is for the data to run over
  cli_check(nn_dataset_load(run->model, path, run->needed, run->n_needed, &reading, &data));
  print_notes(data);
  report_skipped(data, path);
  if (nn_dataset_size(data) == 0)
    cli_fail("%s: no examples", path);
  return data;
}

void cli_run_end(struct cli_run *run) {
  say_notes(run->model, run->notes_said);  // what came up later
  interrupt_watch(NULL);
  nn_session_free(run->session);
  nn_dataset_free(run->data);
  nn_model_free(run->model);
  free(run->needed);
  free(run->order);
}

nn_optimiser *cli_optimiser(const struct cli_options *options, nn_model *model) {
  nn_optimiser_options how = nn_optimiser_default(options->algorithm);
  if (options->rate >= 0)
    how.rate = options->rate;
  if (options->momentum >= 0)
    how.momentum = options->momentum;
  if (options->clip >= 0)
    how.clip = options->clip;
  if (options->decay >= 0)
    how.decay = options->decay;
  how.sparse = options->sparse;
  nn_optimiser *optimiser = NULL;
  cli_check(nn_optimiser_new(model, &how, &optimiser));
  // In the options 0 stands for the default.
  if (options->rate == 0)
    nn_optimiser_set_rate(optimiser, 0);
  return optimiser;
}

// ----------------------------------------------------------------------------------------- running

size_t cli_batch_size(const struct cli_run *run, size_t at, size_t n) {
  size_t left = n - at, batch = (size_t)run->options->batch;
  return left < batch ? left : batch;
}

size_t cli_report_failures(const struct cli_run *run, nn_dataset *data, const size_t *examples, size_t n) {
  size_t n_failed = 0;
  for (size_t i = 0; i < n; i++) {
    const char *error = nn_session_error(run->session, i);
    if (!error)
      continue;
    if (n_failed++ < 3)
      cli_warn("%s: %s", nn_dataset_position(data, examples[i]), error);
  }
  if (n_failed > 3)
    cli_warn("and %zu more examples failed", n_failed - 3);
  return n_failed;
}

size_t cli_report_not_finite(const struct cli_run *run, size_t entry, nn_dataset *data,
                             const size_t *examples, size_t n) {
  size_t found = 0;
  for (size_t i = 0; i < n; i++) {
    nn_finiteness finiteness = nn_session_finiteness(run->session, i);
    if (finiteness == NN_FINITE || found++ >= 3 || !data)
      continue;
    char *origin = nn_session_origin(run->session, i);
    cli_warn("%s: `%s` is %s%s%s", nn_dataset_position(data, examples[i]),
             nn_model_entry_name(run->model, entry), finiteness == NN_NAN ? "nan" : "infinite",
             origin ? ": " : "", origin ? origin : "");
    free(origin);
  }
  if (found > 3 && data)
    cli_warn("and %zu more", found - 3);
  return found;
}

double cli_plain(double x) { return isnan(x) ? NAN : x; }

int cli_status(const struct cli_run *run, size_t n_failed, size_t n, const char *fate) {
  if (!n_failed)
    return 0;
  bool allowed = run->options->allow_failures;
  cli_warn("%zu of %zu example%s failed%s%s", n_failed, n, n == 1 ? "" : "s", fate,
           allowed ? "" : "; with --allow-failures the exit status is 0 all the same");
  return allowed ? 0 : 1;
}

void cli_end_if_interrupted(const struct cli_run *run, const size_t *examples, size_t n) {
  if (!*interrupt_signal())
    return;
  cli_report_failures(run, run->data, examples, n);
  cli_warn("interrupted");
  interrupt_leave(128 + *interrupt_signal());
}

double cli_score_value(const struct cli_score *score) {
  if (score->totals)
    return cli_plain(score->value.number);
  double weight = long_sum_value(&score->weight);
  return weight != 0 ? cli_plain(long_sum_value(&score->sum) / weight) : NAN;
}

static void note_not_finite(const struct cli_run *run, size_t entry, nn_dataset *data, const size_t *examples,
                            size_t n, struct cli_score *score) {
  score->n_not_finite += cli_report_not_finite(run, entry, score->n_not_finite ? NULL : data, examples, n);
}

const char *cli_score_text(const struct cli_score *score, int digits, char text[static CLI_SCORE_TEXT]) {
  if (score->value.text)
    return NULL;
  if (score->totals ? !score->value.is_known : long_sum_value(&score->weight) == 0)
    return "-";
  snprintf(text, CLI_SCORE_TEXT, "%.*g", digits, cli_score_value(score));
  return text;
}

json_t *cli_score_json(const struct cli_score *score) {
  json_t *table = score->value.json ? json_loads(score->value.json, JSON_DECODE_ANY, NULL) : NULL;
  return table ? table : cli_json_number(cli_score_value(score));
}

void cli_scores_free(struct cli_score *scores, size_t n) {
  for (size_t i = 0; scores && i < n; i++) {
    nn_totals_free(scores[i].totals);
    nn_totals_free(scores[i].batch);
    nn_metric_value_free(&scores[i].value);
  }
  free(scores);
}

// Marks the examples that failed in the last run, [n]. Returns the number of those that had not failed before.
static size_t mark_failed(const struct cli_run *run, bool *failed, size_t n) {
  size_t n_new = 0;
  for (size_t i = 0; i < n; i++) {
    bool fails = nn_session_error(run->session, i) != NULL;
    n_new += fails && !failed[i];
    failed[i] = failed[i] || fails;
  }
  return n_new;
}

// Takes the examples that failed out of a minibatch; returns how many stay.
static size_t drop_failed(size_t *examples, size_t n, const bool *failed) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (!failed[i])
      examples[kept++] = examples[i];
  return kept;
}

// One minibatch: the entry, then the metrics, added to the scores. Returns the number of examples that failed in any
// of them, which `failed`, [n], marks: when there are some, what was added does not count. `first`: says what failed
// and what is not finite.
static size_t evaluate_batch(const struct cli_run *run, nn_dataset *data, const size_t *examples, size_t n,
                             bool report, bool first, bool *failed, struct cli_score *scores) {
  memset(failed, 0, n * sizeof *failed);
  cli_check(nn_session_run(run->session, run->entry, data, examples, n, NN_INFER));
  size_t n_failed = mark_failed(run, failed, n);
  for (size_t i = 0; i < n; i++) {
    if (failed[i])
      continue;
    long_sum_add(&scores[0].sum, nn_session_number(run->session, i));
    long_sum_add(&scores[0].weight, 1);
  }
  if (n_failed && report)
    cli_report_failures(run, data, examples, n);
  if (first)
    note_not_finite(run, run->entry, data, examples, n, &scores[0]);
  for (size_t i = 0; i < run->n_metrics; i++) {
    size_t n_metric_failed;
    struct cli_score *score = &scores[1 + i];
    nn_totals_clear(score->batch);
    cli_check(nn_session_totals(run->session, score->batch, data, examples, n, &n_metric_failed));
    // An example that has a loss may still fail a metric.
    size_t n_new = mark_failed(run, failed, n);
    if (n_new && report)
      cli_report_failures(run, data, examples, n);
    n_failed += n_new;
    if (first)
      note_not_finite(run, run->metrics[i], data, examples, n, score);
  }
  return n_failed;
}

// The same for what of it fails in nothing, so that loss and metrics are about the same examples: it runs again without
// those that failed. `kept` is working memory, as `failed` is; `examples` is left in disorder.
static size_t evaluate_sound(const struct cli_run *run, nn_dataset *data, size_t *examples, size_t n,
                             bool report, bool *failed, struct cli_score *scores, struct cli_score *kept) {
  size_t n_scores = 1 + run->n_metrics, n_failed = 0;
  *kept = scores[0];
  for (bool first = true; n > 0 && !*interrupt_signal(); first = false) {
    size_t n_new = evaluate_batch(run, data, examples, n, report, first, failed, scores);
    if (!n_new) {
      for (size_t i = 1; i < n_scores; i++)
        cli_check(nn_totals_add(scores[i].totals, scores[i].batch));
      break;
    }
    scores[0].sum = kept->sum;
    scores[0].weight = kept->weight;
    n_failed += n_new;
    n = drop_failed(examples, n, failed);
  }
  return n_failed;
}

size_t cli_evaluate(const struct cli_run *run, nn_dataset *data, const char *label, struct cli_score **out,
                    size_t *n_failed) {
  size_t n = data == run->data ? run->n : nn_dataset_size(data), n_scores = 1 + run->n_metrics;
  struct cli_score *scores = calloc(n_scores, sizeof *scores), kept;
  size_t *examples = malloc((n + 1) * sizeof *examples);
  bool *failed = malloc(cli_batch_size(run, 0, n) + 1);
  if (!scores || !examples || !failed)
    cli_fail("out of memory");
  for (size_t i = 0; i < n; i++)
    examples[i] = i;
  scores[0].name = nn_model_entry_name(run->model, run->entry);
  for (size_t i = 0; i < run->n_metrics; i++) {
    scores[1 + i].name = nn_model_entry_name(run->model, run->metrics[i]);
    cli_check(nn_totals_new(run->model, run->metrics[i], &scores[1 + i].totals));
    cli_check(nn_totals_new(run->model, run->metrics[i], &scores[1 + i].batch));
  }
  struct progress progress;
  progress_begin(&progress, run->options->quiet, label, n);
  *n_failed = 0;
  for (size_t at = 0, size; at < n && !*interrupt_signal(); at += size) {
    size = cli_batch_size(run, at, n);
    *n_failed += evaluate_sound(run, data, examples + at, size, *n_failed == 0, failed, scores, &kept);
    progress_update(&progress, at + size, "");
  }
  progress_end(&progress);
  for (size_t i = 1; i < n_scores && !*interrupt_signal(); i++) {
    nn_status *status = nn_totals_value(run->session, scores[i].totals, &scores[i].value);
    if (status) {
      cli_warn("%s", nn_status_message(status));
      nn_status_free(status);
      scores[i].n_not_finite++;
    }
  }
  free(examples);
  free(failed);
  *out = scores;
  return n_scores;
}

// -------------------------------------------------------------------------------------------- JSON

json_t *cli_json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

void cli_print_json(json_t *value) {
  json_dumpf(value, stdout, CLI_JSON_DIGITS);
  putchar('\n');
  json_decref(value);
}

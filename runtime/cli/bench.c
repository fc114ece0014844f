// nnrun bench: how fast a model trains or infers, and where the time goes.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/run.h"
#include "runtime/cpu/peak.h"

// Minibatches that are run before the clock starts: kernels are compiled and arenas grow.
enum { WARM_UP = 3 };

static double cpu_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// Runs a minibatch. Returns the number of examples that failed in it, which did not do the work.
static size_t step(const struct cli_run *run, nn_optimiser *optimiser, size_t at, size_t size) {
  size_t n_failed = 0;
  const size_t *examples = run->order + at;
  if (run->options->mode == CLI_MODE_TRAIN) {
    double loss;
    cli_check(nn_session_train(run->session, optimiser, run->entry, run->data, examples, size,
                               run->options->scale, &loss, &n_failed));
    cli_end_if_interrupted(run, examples, size);
    return n_failed;
  }
  nn_mode mode = run->options->mode == CLI_MODE_FORWARD ? NN_INFER : NN_TRAIN;
  cli_check(nn_session_run(run->session, run->entry, run->data, examples, size, mode));
  cli_end_if_interrupted(run, examples, size);
  if (cli_report_not_finite(run, run->entry, run->data, examples, size))
    cli_fail("what is not finite takes its own time: nothing was measured");
  if (run->options->mode == CLI_MODE_BACKWARD)
    cli_check(nn_session_backward(run->session, 1));
  for (size_t i = 0; i < size; i++)
    n_failed += nn_session_error(run->session, i) != NULL;
  return n_failed;
}

struct result {
  size_t batch;
  int threads;
  uint64_t failed;  // examples, counted each time that they ran
  double wall, cpu, peak;
  nn_stats stats;
};

static struct result measure(const struct cli_run *run, nn_optimiser *optimiser) {
  struct result result = {.batch = cli_batch_size(run, 0, run->n), .threads = run->options->running.threads};
  if (result.threads < 1)
    result.threads = cpu_cores();
  size_t at = 0, batch = result.batch;
  bool is_reported = false;
  for (int i = 0; i < WARM_UP; i++, at = at + 2 * batch <= run->n ? at + batch : 0)
    if (step(run, optimiser, at, batch) && !is_reported)
      is_reported = cli_report_failures(run, run->data, run->order + at, batch);
  nn_session_reset_stats(run->session);
  double started = clock_seconds(), cpu = cpu_now();
  do {
    result.failed += step(run, optimiser, at, batch);
    at = at + 2 * batch <= run->n ? at + batch : 0;
    result.wall = clock_seconds() - started;
  } while (result.wall < run->options->seconds);
  result.cpu = cpu_now() - cpu;
  result.stats = nn_session_stats(run->session);
  result.peak = cpu_peak_gflops(run->options->running.precision == NN_PRECISION_F64) * result.threads;
  return result;
}

enum unit { COUNT, SHARE, GFLOPS };

struct row {
  const char *name, *text;
  enum unit unit;
  double value;
};

static void print_json(const struct cli_run *run, const struct result *r, const char *mode,
                       const struct row *rows, size_t n) {
  json_t *out = json_pack("{s:s, s:s, s:I, s:i, s:s, s:I, s:I, s:f}", "model", run->options->model, "mode",
                          mode, "batch", (json_int_t)r->batch, "threads", r->threads, "precision",
                          run->options->running.precision == NN_PRECISION_F64 ? "f64" : "f32", "minibatches",
                          (json_int_t)r->stats.minibatches, "failed", (json_int_t)r->failed, "seconds",
                          r->wall);
  for (size_t i = 0; i < n; i++)
    json_object_set_new(out, rows[i].name, cli_json_number(rows[i].value));
  cli_print_json(out);
}

static void print_text(const struct result *r, const char *mode, const struct row *rows, size_t n) {
  printf("%s, minibatches of %zu, %d thread%s: %llu minibatches in %.1f s\n", mode, r->batch, r->threads,
         r->threads == 1 ? "" : "s", (unsigned long long)r->stats.minibatches, r->wall);
  if (r->failed)
    printf("%-32s %10llu\n", "failed examples, not counted", (unsigned long long)r->failed);
  for (size_t i = 0; i < n; i++) {
    double value = rows[i].value;
    if (rows[i].unit == SHARE)
      printf("%-32s %10.1f %%\n", rows[i].text, 100 * value);
    else if (rows[i].unit == GFLOPS)
      printf("%-32s %10.1f GFLOP/s\n", rows[i].text, value);
    else
      printf("%-32s %10.*f\n", rows[i].text, value < 1000 ? 1 : 0, value);
  }
}

// Of nothing there is no mean: an entry without tensor work leaves no nodes and no batches.
static double mean(uint64_t sum, uint64_t count) { return count ? (double)sum / (double)count : 0; }

static void print(const struct cli_run *run, const struct result *r) {
  const nn_stats *s = &r->stats;
  double examples = (double)(s->examples - r->failed), gflops = (double)s->flops / r->wall * 1e-9,
         total = r->wall;
  double kernels = s->forward + s->backward + s->weights;
  const struct row rows[] = {
      {"examples_per_second", "examples/s by wall clock", COUNT, examples / r->wall},
      {"examples_per_cpu_second", "examples/s by CPU time", COUNT, examples / r->cpu},
      {"nodes_per_second", "trace nodes/s", COUNT, (double)s->nodes / r->wall},
      {"nodes_per_example", "trace nodes per example", COUNT, mean(s->nodes, s->examples - r->failed)},
      {"instances_per_example", "scheduled instances per example", COUNT,
       mean(s->instances, s->examples - r->failed)},
      {"batches_per_minibatch", "batches per minibatch", COUNT, mean(s->batches, s->minibatches)},
      {"mean_batch_size", "mean batch size", COUNT, mean(s->nodes, s->batches)},
      {"share_trace", "time: trace", SHARE, s->trace / total},
      {"share_schedule", "time: schedule and plan", SHARE, (s->schedule + s->plan) / total},
      {"share_kernels", "time: kernels", SHARE, kernels / total},
      {"share_forward", "  forward", SHARE, s->forward / total},
      {"share_backward", "  backward", SHARE, s->backward / total},
      {"share_weights", "  weight gradients", SHARE, s->weights / total},
      {"share_update", "time: update", SHARE, s->update / total},
      {"share_compile", "time: compiling", SHARE, s->compile / total},
      {"gflops", "matrix products", GFLOPS, gflops},
      {"peak_gflops", "measured peak of this machine", GFLOPS, r->peak},
      {"peak_share", "share of the peak", SHARE, gflops / r->peak},
  };
  static const char *const modes[] = {"forward", "backward", "train"};
  size_t n = sizeof rows / sizeof *rows;
  if (run->options->json)
    print_json(run, r, modes[run->options->mode], rows, n);
  else
    print_text(r, modes[run->options->mode], rows, n);
}

int cli_bench(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "loss", true, false);
  cli_want_examples(&run);
  nn_optimiser *optimiser = options->mode == CLI_MODE_TRAIN ? cli_optimiser(options, run.model) : NULL;
  struct result result = measure(&run, optimiser);
  if (result.failed == result.stats.examples)
    cli_fail("every example failed; there is nothing to measure");
  print(&run, &result);
  int status = cli_status(&run, result.failed, result.stats.examples, " and count in no rate");
  nn_optimiser_free(optimiser);
  cli_run_end(&run);
  return status;
}

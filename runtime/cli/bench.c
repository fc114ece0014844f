#include <jansson.h>
#include <stdlib.h>
#include <time.h>

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

static void step(const struct cli_run *run, nn_optimiser *optimiser, size_t at, size_t size) {
  const size_t *examples = run->order + at;
  if (run->options->mode == CLI_MODE_TRAIN) {
    double loss;
    size_t n_failed;
    cli_check(nn_session_train(run->session, optimiser, run->entry, run->data, examples, size, run->options->scale, &loss, &n_failed));
    return;
  }
  nn_mode mode = run->options->mode == CLI_MODE_FORWARD ? NN_INFER : NN_TRAIN;
  cli_check(nn_session_run(run->session, run->entry, run->data, examples, size, mode));
  if (run->options->mode == CLI_MODE_BACKWARD) cli_check(nn_session_backward(run->session, 1));
}

struct result {
  double wall, cpu, peak;
  nn_stats stats;
};

static struct result measure(const struct cli_run *run, nn_optimiser *optimiser) {
  struct result result = {0};
  struct progress progress;
  size_t at = 0, batch = (size_t)run->options->batch;
  if (run->n < batch) batch = run->n;
  for (int i = 0; i < WARM_UP; i++) step(run, optimiser, at, batch), at = at + 2 * batch <= run->n ? at + batch : 0;
  nn_session_reset_stats(run->session);
  progress_begin(&progress, run->options->quiet, "bench", run->n);
  double started = progress_now(), cpu = cpu_now();
  do {
    step(run, optimiser, at, batch);
    at = at + 2 * batch <= run->n ? at + batch : 0;
    result.wall = progress_now() - started;
    progress_update(&progress, at, "");
  } while (result.wall < run->options->seconds);
  result.cpu = cpu_now() - cpu;
  progress_end(&progress);
  result.stats = nn_session_stats(run->session);
  result.peak = cpu_peak_gflops(run->options->running.precision == NN_PRECISION_F64);
  return result;
}

static void print(const struct cli_run *run, const struct result *r) {
  const nn_stats *s = &r->stats;
  int threads = run->options->running.threads;
  if (threads < 1) threads = cpu_cores();
  double examples = (double)s->examples, gflops = (double)s->flops / r->wall * 1e-9;
  double total = r->wall, kernels = s->forward + s->backward + s->weights;
  struct {
    const char *name, *text;
    double value;
  } rows[] = {
      {"examples_per_second", "examples/s (wall clock)", examples / r->wall},
      {"examples_per_cpu_second", "examples/s (CPU time)", examples / r->cpu},
      {"nodes_per_second", "trace nodes/s", (double)s->nodes / r->wall},
      {"nodes_per_example", "trace nodes per example", (double)s->nodes / examples},
      {"batches_per_minibatch", "batches per minibatch", (double)s->batches / (double)s->minibatches},
      {"mean_batch_size", "mean batch size", (double)s->nodes / (double)s->batches},
      {"share_trace", "share of time: trace", s->trace / total},
      {"share_schedule", "share of time: schedule and plan", (s->schedule + s->plan) / total},
      {"share_kernels", "share of time: kernels", kernels / total},
      {"share_forward", "    forward", s->forward / total},
      {"share_backward", "    backward", s->backward / total},
      {"share_weights", "    weight gradients", s->weights / total},
      {"share_update", "share of time: update", s->update / total},
      {"gflops", "matrix products, GFLOP/s", gflops},
      {"peak_gflops", "measured peak, GFLOP/s", r->peak * threads},
      {"peak_share", "share of the peak", gflops / (r->peak * threads)},
  };
  static const char *const modes[] = {"forward", "backward", "train"};
  size_t n = sizeof rows / sizeof *rows;
  if (run->options->json) {
    json_t *out = json_pack("{s:s, s:s, s:I, s:i, s:I}", "model", run->options->model, "mode", modes[run->options->mode],
                            "batch", (json_int_t)run->options->batch, "threads", threads, "minibatches", (json_int_t)s->minibatches);
    for (size_t i = 0; i < n; i++) json_object_set_new(out, rows[i].name, json_real(rows[i].value));
    json_dumpf(out, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(out);
    return;
  }
  printf("%s, batch %lld, %d thread%s, %llu minibatches\n", modes[run->options->mode], (long long)run->options->batch, threads,
         threads == 1 ? "" : "s", (unsigned long long)s->minibatches);
  for (size_t i = 0; i < n; i++) printf("%-34s %12.4g\n", rows[i].text, rows[i].value);
}

int cli_bench(const struct cli_options *options) {
  struct cli_run run;
  cli_run_begin(&run, options, "loss", true, false);
  if (run.n == 0) cli_fail("%s: no examples", options->data[0]);
  nn_optimiser_options how = nn_optimiser_default(options->algorithm);
  if (options->rate >= 0) how.rate = options->rate;
  if (options->clip >= 0) how.clip = options->clip;
  how.sparse = options->sparse;
  nn_optimiser *optimiser = NULL;
  if (options->mode == CLI_MODE_TRAIN) cli_check(nn_optimiser_new(run.model, &how, &optimiser));
  struct result result = measure(&run, optimiser);
  print(&run, &result);
  nn_optimiser_free(optimiser);
  cli_run_end(&run);
  return 0;
}

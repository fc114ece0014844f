#include "runtime/cli/option_checks.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/cli/command_line.h"

// ---------------------------------------------------------------------------- options that do not exist

#define NO_DEVICE "models run on this computer's processor; --threads says on how many cores"

static const struct command_synonym synonyms[] = {
    {"lr", "rate", NULL},
    {"learning-rate", "rate", NULL},
    {"learning_rate", "rate", NULL},
    {"eta", "rate", NULL},
    {"batch-size", "batch", NULL},
    {"batch_size", "batch", NULL},
    {"batchsize", "batch", NULL},
    {"bs", "batch", NULL},
    {"minibatch", "batch", NULL},
    {"mb", "batch", NULL},
    {"epoch", "epochs", NULL},
    {"num-epochs", "epochs", NULL},
    {"num_epochs", "epochs", NULL},
    {"n-epochs", "epochs", NULL},
    {"max-epochs", "epochs", NULL},
    {"passes", "epochs", NULL},
    {"steps", NULL, "training is counted in passes over the data, --epochs"},
    {"max-steps", NULL, "training is counted in passes over the data, --epochs"},
    {"iterations", NULL, "training is counted in passes over the data, --epochs"},
    {"num-threads", "threads", NULL},
    {"num_threads", "threads", NULL},
    {"nthreads", "threads", NULL},
    {"jobs", "threads", NULL},
    {"workers", "threads", NULL},
    {"num-workers", "threads", NULL},
    {"cores", "threads", NULL},
    {"device", NULL, NO_DEVICE},
    {"gpu", NULL, NO_DEVICE},
    {"gpus", NULL, NO_DEVICE},
    {"cuda", NULL, NO_DEVICE},
    {"cpu", NULL, NO_DEVICE},
    {"optim", "optimiser", NULL},
    {"algorithm", "optimiser", NULL},
    {"trainer", "optimiser", NULL},
    {"adam", NULL, "it is `--optimiser adam`, the default"},
    {"sgd", NULL, "it is `--optimiser sgd`"},
    {"weight-decay", "decay", NULL},
    {"weight_decay", "decay", NULL},
    {"wd", "decay", NULL},
    {"l2", "decay", NULL},
    {"grad-clip", "clip", NULL},
    {"gradient-clip", "clip", NULL},
    {"clip-norm", "clip", NULL},
    {"clip-grad-norm", "clip", NULL},
    {"max-grad-norm", "clip", NULL},
    {"shuffle", NULL, "training shuffles its data unless there is --no-shuffle"},
    {"checkpoint", "weights", NULL},
    {"ckpt", "weights", NULL},
    {"load", "weights", NULL},
    {"restore", "weights", NULL},
    {"params", "weights", NULL},
    {"model", NULL, "the model is named without an option: `nnrun COMMAND MODEL`"},
    {"save-to", "save", NULL},
    {"output", "save", NULL},
    {"output-dir", "save", NULL},
    {"train", "data", NULL},
    {"train-data", "data", NULL},
    {"training-data", "data", NULL},
    {"input", "data", NULL},
    {"file", "data", NULL},
    {"dataset", "data", NULL},
    {"test", "data", NULL},
    {"valid", "dev", NULL},
    {"val", "dev", NULL},
    {"validation", "dev", NULL},
    {"eval-data", "dev", NULL},
    {"dev-data", "dev", NULL},
    {"log", "metrics", NULL},
    {"log-file", "metrics", NULL},
    {"logdir", "metrics", NULL},
    {"dtype", "precision", NULL},
    {"fp16", NULL, "the element types are --precision f32 and f64"},
    {"fp64", NULL, "it is `--precision f64`"},
    {"double", NULL, "it is `--precision f64`"},
    {"random-seed", "seed", NULL},
    {"rng-seed", "seed", NULL},
    {"function", "entry", NULL},
    {"fn", "entry", NULL},
    {"dim", "define", NULL},
    {"include", "import-path", NULL},
    {"set", "define", NULL},
    {"batching", "autobatch", NULL},
    {"auto-batch", "autobatch", NULL},
    {"max-examples", "limit", NULL},
    {"num-examples", "limit", NULL},
    {"subset", "limit", NULL},
    {"time", "seconds", NULL},
    {"duration", "seconds", NULL},
    {"cache", "cache-dir", NULL},
    {"no-cache", NULL, "it is `--cache-dir \"\"`"},
    {"silent", "quiet", NULL},
    {"no-progress", "quiet", NULL},
    {"verbose", NULL, "progress is shown on a terminal unless there is --quiet"},
    {"columns", NULL, "columns are named by the format: `--format tsv:words,_,tags`"},
    {"skip-errors", "skip-bad", NULL},
    {"ignore-errors", "skip-bad", NULL},
};

// What --output is depends on the command.
static const struct command_synonym outputs[] = {{"output", "out", NULL}, {"save", "out", NULL}};

void check_unknown_options(int argc, char *const *argv, const struct argp_option *valid,
                           const char *(*elsewhere)(const char *)) {
  bool has_out = false;
  for (const struct argp_option *option = valid; option->name || option->key || option->doc; option++)
    has_out |= option->key == KEY_OUT;
  struct command_synonym all[sizeof synonyms / sizeof *synonyms + sizeof outputs / sizeof *outputs];
  size_t n = 0;
  if (has_out) {
    memcpy(all, outputs, sizeof outputs);
    n = sizeof outputs / sizeof *outputs;
  }
  memcpy(all + n, synonyms, sizeof synonyms);
  n += sizeof synonyms / sizeof *synonyms;
  command_check_options(argc, argv, &(struct command_options){valid, all, n, elsewhere});
}

// ---------------------------------------------------------------------------- options without effect

#define UPDATES                                                                                              \
  (KEY_BIT(KEY_OPTIMISER) | KEY_BIT(KEY_RATE) | KEY_BIT(KEY_MOMENTUM) | KEY_BIT(KEY_CLIP) |                  \
   KEY_BIT(KEY_DECAY) | KEY_BIT(KEY_SPARSE))

static bool is_without_momentum(const struct cli_options *o) { return o->algorithm != NN_MOMENTUM; }
static bool is_without_update(const struct cli_options *o) {
  return o->command == CLI_BENCH && o->mode != CLI_MODE_TRAIN;
}
static bool is_forward(const struct cli_options *o) {
  return o->command == CLI_BENCH && o->mode == CLI_MODE_FORWARD;
}
static bool is_before_batches(const struct cli_options *o) { return o->before; }

// One row a reason: which options then change nothing.
static const struct {
  uint64_t keys;
  bool (*holds)(const struct cli_options *);
  const char *why;
} idle[] = {
    {UPDATES, is_without_update, "this --mode updates no weights"},
    {KEY_BIT(KEY_LOSS), is_forward, "this --mode computes no gradients"},
    {KEY_BIT(KEY_MOMENTUM), is_without_momentum, "it belongs to `--optimiser momentum`"},
    {KEY_BIT(KEY_AUTOBATCH), is_before_batches, "--before shows the trace without batches"},
};

static void refuse_idle(const struct cli_options *o, struct argp_state *state) {
  for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
    for (int key = KEY_DATA; key < KEY_DATA + 64; key++)
      if ((o->given & idle[i].keys & KEY_BIT(key)) && idle[i].holds(o))
        argp_error(state, "--%s has no effect: %s", option_name(key), idle[i].why);
}

// ---------------------------------------------------------------------------- outputs

static bool is_same_file(const struct stat *file, const char *path) {
  struct stat other;
  bool found = path && (strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &other) : stat(path, &other)) == 0;
  return found && file->st_dev == other.st_dev && file->st_ino == other.st_ino;
}

static void refuse_inputs(const struct cli_options *o, struct argp_state *state, const char *option,
                          const char *path) {
  struct stat file;
  if (!path || stat(path, &file) != 0 || !S_ISREG(file.st_mode))
    return;
  const struct {
    const char *path, *what;
  } inputs[] = {{o->model, "the model"},
                {o->dev, "the data of --dev"},
                {o->weights, "the checkpoint of --weights"},
                {o->init, "the checkpoint of --init"}};
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
    if (is_same_file(&file, inputs[i].path))
      argp_error(state, "--%s %s would overwrite %s, which is read: give another file", option, path,
                 inputs[i].what);
  for (size_t i = 0; i < o->n_data; i++)
    if (is_same_file(&file, o->data[i]))
      argp_error(state, "--%s %s would overwrite the data of --data, which is read: give another file",
                 option, path);
}

void check_options(const struct cli_options *options, struct argp_state *state) {
  refuse_idle(options, state);
  refuse_inputs(options, state, "out", options->out);
  refuse_inputs(options, state, "metrics", options->metrics);
  refuse_inputs(options, state, "save", options->save);
}

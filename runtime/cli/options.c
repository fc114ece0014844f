// The command line of nnrun.
#include "runtime/cli/options.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/option_checks.h"
#include "runtime/cli/run.h"

#define ONE(command) (1u << CLI_##command)
#define WITH_DATA (ONE(TRAIN) | ONE(EVAL) | ONE(PREDICT) | ONE(BENCH) | ONE(GRAD) | ONE(GRAPH) | ONE(EXPLAIN))
// They run an entry.
#define RUNS (WITH_DATA | ONE(RUN))
#define ALL (RUNS | ONE(INFO))
#define OPTIMISES (ONE(TRAIN) | ONE(BENCH))
// Run over all of the data, in minibatches.
#define RUNS_ALL (ONE(TRAIN) | ONE(EVAL) | ONE(PREDICT) | ONE(BENCH) | ONE(GRAD))

// More threads or larger dims than this are a slip of the finger.
enum { MOST_THREADS = 1024, MOST_MIB = 1 << 30 };

static const struct {
  const char *name;
  unsigned command;
  const char *summary;
  const char *doc;  // "before the options\vbehind them"
} commands[CLI_COMMANDS] = {
    [CLI_TRAIN] = {"train", ONE(TRAIN), "train a model on data and save its weights",
                   "Trains the entry `loss` and evaluates it and every metric on --dev after each epoch. "
                   "Vocabularies are those of the training data, or of --weights."
                   "\vWith --save the checkpoint is written after each epoch, before the evaluation, "
                   "atomically. Ctrl-C finishes the minibatch and saves; the exit status is then 130. "
                   "Examples that still "
                   "run two seconds later are ended, and where they were is said."},
    [CLI_EVAL] = {"eval", ONE(EVAL), "loss and metrics of a trained model on data",
                  "Prints the mean loss of an example and every metric."},
    [CLI_PREDICT] =
        {"predict", ONE(PREDICT), "results of a trained model, as JSON lines",
         "Runs the entry `predict` (or --entry) and prints one JSON object per example: the number "
         "of its line in the data and its result, or the error that its control flow ran into."
         "\vThe file is named, too, when there are several. The exit status is 1 when an example "
         "failed. `--data -` reads standard input, whose format must be given."},
    [CLI_RUN] =
        {"run", ONE(RUN), "one function on one example that is typed in",
         "Runs the entry `predict` (or --entry) on the VALUEs, one for each of its parameters in order, and "
         "prints these as they were read and the result, tensors with their shapes. "
         "Values are written as in the data formats: JSON; a bracketed tree; what can stand in a cell of a "
         "table, such as 3, cat, or a list's elements with blanks between them."
         "\vFor example: nnrun run tree.nn --weights tree.safetensors --entry loss '(3 (2 It) (4 works))'"},
    [CLI_BENCH] = {"bench", ONE(BENCH), "measure speed on data",
                   "Runs minibatches for --seconds and prints examples per second and where the time goes. "
                   "The first minibatches, in which kernels are compiled, do not count."},
    [CLI_GRAD] =
        {"grad", ONE(GRAD), "losses and summed gradients, to compare with other systems",
         "Prints each example's loss, one a line (nan: its control flow failed), and writes the "
         "gradients of the sum of the losses to --out, a safetensors file. Dropout is the identity."},
    [CLI_GRAPH] = {"graph", ONE(GRAPH), "the trace of an example as Graphviz DOT",
                   "Writes what an example's control flow left behind: a box per block instance, with the "
                   "block, its place in the model and the shapes of its results; instances that run as one "
                   "batch stand in one frame."
                   "\vTo look at it: nnrun graph MODEL --data FILE | dot -Tsvg >trace.svg"},
    [CLI_EXPLAIN] = {"explain", ONE(EXPLAIN), "the batches of a minibatch, and why instances did not join",
                     "Runs the first minibatch of the data and lists its batches in order, then the blocks: "
                     "where they stand in the model and what they compute."},
    [CLI_INFO] = {"info", ONE(INFO), "what a model or a checkpoint holds",
                  "Prints a model's entries, sizes, vocabularies and parameters, or those of a checkpoint."},
};

const char *cli_command_name(enum cli_command command) { return commands[command].name; }
const char *cli_command_summary(enum cli_command command) { return commands[command].summary; }

static const struct {
  struct argp_option option;
  unsigned commands;
} table[] = {
    {{NULL, 0, NULL, 0, "Data:", 1}, WITH_DATA},
    {{"data", KEY_DATA, "FILE", 0, "data to run over; may be repeated", 1}, WITH_DATA},
    {{"dev", KEY_DEV, "FILE", 0, "data to evaluate after each epoch", 1}, ONE(TRAIN)},
    {{"format", KEY_FORMAT, "FORMAT", 0,
      "ptb, jsonl, text, tsv, conll or conllu (default: by the name); tsv:a,_,b names the columns, "
      "tsv+header and "
      "tsv-header say whether the first line does",
      1},
     WITH_DATA},
    {{"skip-bad", KEY_SKIP_BAD, NULL, 0, "count bad records instead of stopping at the first", 1}, WITH_DATA},
    {{"limit", KEY_LIMIT, "N", 0, "the data is its first N examples, as if there were no more", 1}, RUNS_ALL},
    {{NULL, 0, NULL, 0, "Model:", 2}, ALL},
    {{"import-path", 'I', "DIR", 0, "look for imports of the .nn file in DIR, too", 2}, ALL},
    {{"define", 'D', "NAME=VALUE", 0, "bind a dim", 2}, ALL},
    {{"weights", KEY_WEIGHTS, "FILE", 0, "checkpoint to start from", 2}, ALL},
    {{"entry", KEY_ENTRY, "NAME", 0, "function to run instead of the usual one", 2}, RUNS},
    {{"precision", KEY_PRECISION, "f32|f64", 0, "element type (default f32)", 2}, RUNS},
    {{"seed", KEY_SEED, "N", 0, "seed of initial weights, shuffling and what the model draws (default 1)", 2},
     RUNS},
    {{NULL, 0, NULL, 0, "Training:", 3}, OPTIMISES},
    {{"epochs", KEY_EPOCHS, "N", 0, "passes over the data (default 5)", 3}, ONE(TRAIN)},
    {{"optimiser", KEY_OPTIMISER, "NAME", 0, "adam (default), sgd, momentum or adagrad", 3}, OPTIMISES},
    {{"optimizer", KEY_OPTIMISER, "NAME", OPTION_ALIAS | OPTION_HIDDEN, NULL, 3}, OPTIMISES},
    {{"rate", KEY_RATE, "X", 0, "learning rate (default: adam 0.001, sgd 0.1, momentum and adagrad 0.01)", 3},
     OPTIMISES},
    {{"momentum", KEY_MOMENTUM, "X", 0, "momentum (default 0.9)", 3}, OPTIMISES},
    {{"clip", KEY_CLIP, "NORM", 0, "scale gradients down to this global norm; 0: leave them", 3}, OPTIMISES},
    {{"decay", KEY_DECAY, "X", 0, "weight decay; decoupled with adam", 3}, OPTIMISES},
    {{"sparse", KEY_SPARSE, "lazy|exact", 0,
      "lookup tables: rows without a gradient move as the textbook says (default: exact), or stand still", 3},
     OPTIMISES},
    {{"loss", KEY_LOSS, "mean|sum", 0, "of the examples of a minibatch (default mean)", 3}, OPTIMISES},
    {{"no-shuffle", KEY_NO_SHUFFLE, NULL, 0, "keep the order of the data", 3}, ONE(TRAIN)},
    {{"init", KEY_INIT, "FILE", 0, "begin with what fits of another model's checkpoint", 3}, ONE(TRAIN)},
    {{"save", KEY_SAVE, "FILE", 0, "write the checkpoint here after each epoch", 3}, ONE(TRAIN)},
    {{"metrics", KEY_METRICS, "FILE", 0, "append one JSON object per epoch", 3}, ONE(TRAIN)},
    {{NULL, 0, NULL, 0, "Running:", 4}, ALL},
    {{"batch", KEY_BATCH, "N", 0, "examples per minibatch (default 64)", 4}, RUNS_ALL | ONE(EXPLAIN)},
    {{"batch", KEY_BATCH, "N", 0, "examples, as one minibatch (default 1)", 4}, ONE(GRAPH)},
    {{"threads", KEY_THREADS, "N", 0, "default: all cores", 4}, RUNS},
    {{"turns", KEY_TURNS, "N", 0,
      "turns of its loops and recursion after which an example fails (default 100000000; 0: never)", 4},
     RUNS},
    {{"memory", KEY_MEMORY, "MIB", 0,
      "memory that one example may take for lists, data, trace and tensors (default: a quarter of the "
      "machine's; 0: any)",
      4},
     RUNS},
    {{"instances", KEY_INSTANCES, "N", 0,
      "block instances after which an example fails (default 10000000; 0: never)", 4},
     RUNS},
    {{"waits", KEY_WAITS, "N", 0,
      "waits for values that decide after which an example fails (default 100000; 0: never)", 4},
     RUNS},
    {{"minibatch-memory", KEY_MINIBATCH_MEMORY, "MIB", 0,
      "memory that the examples of a minibatch take at once; beyond it they run in parts (default: half of "
      "the machine's; 0: any)",
      4},
     WITH_DATA},
    {{"allow-failures", KEY_ALLOW_FAILURES, NULL, 0,
      "examples whose control flow fails are left out, as always, and the exit status is 0 all the same", 4},
     WITH_DATA},
    {{"autobatch", KEY_AUTOBATCH, "MODE", 0, "auto (default), depth, agenda or off", 4}, RUNS},
    {{"cache-dir", KEY_CACHE, "DIR", 0,
      "of compiled code (default: $NN_CACHE_DIR, $XDG_CACHE_HOME/nn or ~/.cache/nn); empty: no cache", 4},
     ALL},
    {{"mode", KEY_MODE, "forward|backward|train", 0,
      "what to measure: forward; forward and backward; and update, too (default)", 4},
     ONE(BENCH)},
    {{"mode", KEY_MODE, "forward|train", 0, "of the entry (default forward)", 4}, ONE(EXPLAIN)},
    {{"seconds", KEY_SECONDS, "S", 0, "how long to measure (default 5)", 4}, ONE(BENCH)},
    {{"out", KEY_OUT, "FILE", 0, "write the gradients here", 4}, ONE(GRAD)},
    {{"out", KEY_OUT, "FILE", 0, "write here (default: standard output)", 4}, ONE(GRAPH)},
    {{"example", KEY_EXAMPLE, "N", 0, "number of the first example, from 0 (default 0)", 4}, ONE(GRAPH)},
    {{"rows", KEY_ROWS, NULL, 0,
      "draw each row by itself; otherwise those of an instance are one box, {32x12} of twelve", 4},
     ONE(GRAPH)},
    {{"before", KEY_BEFORE, NULL, 0, "show the trace without batches", 4}, ONE(GRAPH)},
    {{NULL, 0, NULL, 0, "Output:", 5},
     ONE(RUN) | ONE(EVAL) | ONE(BENCH) | ONE(EXPLAIN) | ONE(INFO) | ONE(TRAIN)},
    {{"reasons", KEY_REASONS, NULL, 0, "explain the codes of the reasons, and run nothing", 5}, ONE(EXPLAIN)},
    {{"json", KEY_JSON, NULL, 0, "print JSON", 5},
     ONE(RUN) | ONE(EVAL) | ONE(BENCH) | ONE(EXPLAIN) | ONE(INFO)},
    {{"full", KEY_FULL, NULL, 0, "show all elements of tensors", 5}, ONE(RUN)},
    {{"quiet", KEY_QUIET, NULL, 0, "no progress", 5}, ONE(TRAIN) | ONE(EVAL) | ONE(BENCH)},
    {{NULL, 'h', NULL, OPTION_HIDDEN, NULL, -1}, ALL},
};
#define N_TABLE (sizeof table / sizeof *table)

static int64_t integer(struct argp_state *state, const char *option, const char *text, int64_t low,
                       int64_t high) {
  char *end;
  errno = 0;
  int64_t value = strtoll(text, &end, 10);
  if (end != text && !*end && !errno && value >= low && value <= high)
    return value;
  if (high == INT64_MAX)
    argp_error(state, "%s takes an integer of at least %lld, not `%s`", option, (long long)low, text);
  argp_error(state, "%s takes an integer between %lld and %lld, not `%s`", option, (long long)low,
             (long long)high, text);
  return low;
}

static double number(struct argp_state *state, const char *option, const char *text, double low) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !isfinite(value) || value < low)
    argp_error(state, "%s takes a number of at least %g, not `%s`", option, low, text);
  return value;
}

static int choice(struct argp_state *state, const char *option, const char *text, const char *const *names) {
  for (int i = 0; names[i]; i++)
    if (!strcmp(names[i], text))
      return i;
  char list[256] = "";
  for (int i = 0; names[i]; i++) {
    if (i)
      strcat(list, names[i + 1] ? ", " : " or ");
    strcat(list, names[i]);
  }
  argp_error(state, "%s is %s, not `%s`", option, list, text);
  return 0;
}

static void define(struct argp_state *state, struct cli_options *options, char *text) {
  char *equals = strchr(text, '=');
  if (!equals || equals == text)
    argp_error(state, "-D takes NAME=VALUE, not `%s`", text);
  if (options->n_dims == CLI_MAX_DIMS)
    argp_error(state, "more than %d definitions", CLI_MAX_DIMS);
  *equals = 0;
  char name[300];
  snprintf(name, sizeof name, "-D %.200s", text);
  options->dims[options->n_dims++] = (nn_dim_value){text, integer(state, name, equals + 1, 1, INT32_MAX)};
}

static void add_import_dir(struct argp_state *state, struct cli_options *options, const char *text) {
  if (options->n_import_dirs == CLI_MAX_FILES)
    argp_error(state, "more than %d folders of imports", CLI_MAX_FILES);
  options->import_dirs[options->n_import_dirs++] = text;
}

static void set_training(int key, char *text, struct cli_options *o, struct argp_state *state) {
  static const char *const sparse[] = {"lazy", "exact", NULL}, *const loss[] = {"mean", "sum", NULL};
  switch (key) {
  case KEY_EPOCHS: o->epochs = integer(state, "--epochs", text, 1, INT32_MAX); break;
  case KEY_OPTIMISER:
    if (!nn_algorithm_parse(text, &o->algorithm))
      argp_error(state, "--optimiser is adam, sgd, momentum or adagrad, not `%s`", text);
    break;
  case KEY_RATE: o->rate = number(state, "--rate", text, 0); break;
  case KEY_MOMENTUM: o->momentum = number(state, "--momentum", text, 0); break;
  case KEY_CLIP: o->clip = number(state, "--clip", text, 0); break;
  case KEY_DECAY: o->decay = number(state, "--decay", text, 0); break;
  case KEY_SPARSE:
    o->sparse = choice(state, "--sparse", text, sparse) ? NN_SPARSE_EXACT : NN_SPARSE_LAZY;
    break;
  case KEY_LOSS: o->scale = choice(state, "--loss", text, loss) ? NN_LOSS_SUM : NN_LOSS_MEAN; break;
  case KEY_NO_SHUFFLE: o->shuffle = false; break;
  case KEY_INIT: o->init = text; break;
  case KEY_SAVE: o->save = text; break;
  default: o->metrics = text; break;
  }
}

static void set_looking(int key, char *text, struct cli_options *o, struct argp_state *state) {
  // `explain` looks at the trace, which the backward pass does not change.
  static const char *const bench[] = {"forward", "backward", "train", NULL}, *const explain[] = {
                                                                                 "forward", "train", NULL};
  switch (key) {
  case KEY_MODE:
    if (o->command == CLI_EXPLAIN)
      o->mode = choice(state, "--mode", text, explain) ? CLI_MODE_TRAIN : CLI_MODE_FORWARD;
    else
      o->mode = (enum cli_mode)choice(state, "--mode", text, bench);
    break;
  case KEY_SECONDS: o->seconds = number(state, "--seconds", text, 0.01); break;
  case KEY_OUT: o->out = text; break;
  case KEY_EXAMPLE: o->example = integer(state, "--example", text, 0, INT64_MAX); break;
  case KEY_LIMIT: o->reading.limit = (size_t)integer(state, "--limit", text, 1, INT64_MAX); break;
  case KEY_BEFORE: o->before = true; break;
  case KEY_ROWS: o->rows = true; break;
  case KEY_JSON: o->json = true; break;
  case KEY_FULL: o->full = true; break;
  default: o->quiet = true; break;
  }
}

static void check_end(const struct cli_options *o, struct argp_state *state) {
  if (o->init && o->weights)
    argp_error(state, "--weights is a whole checkpoint and --init a part of one: give one of them");
  if (!o->model)
    argp_error(state, "which model? Give a .nn or .nnb file");
  if (!o->n_data && commands[o->command].command & WITH_DATA)
    argp_error(state, "which data? Give --data FILE");
  check_options(o, state);
}

static error_t set(int key, char *text, struct argp_state *state) {
  static const char *const precisions[] = {"f32", "f64", NULL}, *const autobatch[] = {"auto", "off", "depth",
                                                                                      "agenda", NULL};
  struct cli_options *o = state->input;
  if (key >= KEY_DATA && key < KEY_DATA + 64)
    o->given |= KEY_BIT(key);
  switch (key) {
  case KEY_DATA:
    if (o->n_data == CLI_MAX_FILES)
      argp_error(state, "more than %d data files", CLI_MAX_FILES);
    o->data[o->n_data++] = text;
    break;
  case KEY_DEV: o->dev = text; break;
  case KEY_FORMAT: o->reading.format = text; break;
  case KEY_SKIP_BAD: o->reading.skip_bad = true; break;
  case 'D': define(state, o, text); break;
  case KEY_REASONS: cli_explain_reasons(); exit(0);
  case 'I': add_import_dir(state, o, text); break;
  case 'h': argp_state_help(state, stdout, ARGP_HELP_STD_HELP); break;
  case KEY_WEIGHTS: o->weights = text; break;
  case KEY_ENTRY: o->entry = text; break;
  case KEY_PRECISION:
    o->running.precision = choice(state, "--precision", text, precisions) ? NN_PRECISION_F64
                                                                          : NN_PRECISION_F32;
    break;
  case KEY_SEED: o->running.seed = (uint64_t)integer(state, "--seed", text, 0, INT64_MAX); break;
  case KEY_BATCH: o->batch = integer(state, "--batch", text, 1, INT32_MAX); break;
  case KEY_TURNS: o->limits.turns = (uint64_t)integer(state, "--turns", text, 0, INT64_MAX); break;
  case KEY_MEMORY: o->limits.memory = (uint64_t)integer(state, "--memory", text, 0, MOST_MIB) << 20; break;
  case KEY_INSTANCES:
    o->limits.instances = (uint64_t)integer(state, "--instances", text, 0, INT64_MAX);
    break;
  case KEY_WAITS: o->limits.waits = (uint64_t)integer(state, "--waits", text, 0, INT64_MAX); break;
  case KEY_MINIBATCH_MEMORY:
    o->limits.minibatch_memory = (uint64_t)integer(state, "--minibatch-memory", text, 0, MOST_MIB) << 20;
    break;
  case KEY_ALLOW_FAILURES: o->allow_failures = true; break;
  case KEY_THREADS: o->running.threads = (int)integer(state, "--threads", text, 1, MOST_THREADS); break;
  case KEY_AUTOBATCH:
    o->running.autobatch = (nn_autobatch)choice(state, "--autobatch", text, autobatch);
    break;
  case KEY_CACHE: o->running.cache_dir = text; break;
  case ARGP_KEY_ARG:
    if (o->model && o->command == CLI_RUN) {
      if (o->n_values == CLI_MAX_VALUES)
        argp_error(state, "more than %d values", CLI_MAX_VALUES);
      o->values[o->n_values++] = text;
      break;
    }
    if (o->model)
      argp_error(state, "one model at a time: `%s` and `%s`", o->model, text);
    o->model = text;
    break;
  case ARGP_KEY_END: check_end(o, state); break;
  default:
    if (key >= KEY_EPOCHS && key <= KEY_METRICS)
      set_training(key, text, o, state);
    else if (key >= KEY_MODE && key <= KEY_BEFORE)
      set_looking(key, text, o, state);
    else
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

const char *option_name(int key) {
  size_t i = 0;
  while (table[i].option.key != key)
    i++;
  return table[i].option.name;
}

// "train and bench": the commands that have the option. NULL: none. Until the next call.
static const char *commands_with(const char *option) {
  unsigned having = 0;
  for (size_t i = 0; i < N_TABLE; i++)
    if (table[i].option.name && !strcmp(table[i].option.name, option))
      having |= table[i].commands;
  static char text[CLI_COMMANDS * 16];
  char *at = text;
  *at = 0;
  for (int i = 0; i < CLI_COMMANDS; i++) {
    if (!(having & commands[i].command))
      continue;
    having &= ~commands[i].command;
    const char *before = at == text ? "" : having ? ", " : " and ";
    at += snprintf(at, sizeof text - (size_t)(at - text), "%s%s", before, commands[i].name);
  }
  return *text ? text : NULL;
}

void cli_options_parse(enum cli_command command, int argc, char **argv, struct cli_options *options) {
  *options = (struct cli_options){.command = command,
                                  .epochs = 5,
                                  .limits = nn_limits_default(),
                                  .batch = command == CLI_GRAPH ? 1 : 64,
                                  .algorithm = NN_ADAM,
                                  .rate = -1,
                                  .momentum = -1,
                                  .clip = -1,
                                  .decay = -1,
                                  .shuffle = true,
                                  .seconds = 5,
                                  .mode = command == CLI_BENCH ? CLI_MODE_TRAIN : CLI_MODE_FORWARD};
  options->running = nn_options_default();
  options->running.seed = 1;
  struct argp_option valid[N_TABLE + 1] = {0};
  size_t n = 0;
  for (size_t i = 0; i < N_TABLE; i++)
    if (table[i].commands & commands[command].command)
      valid[n++] = table[i].option;
  struct argp argp = {
      valid, set, command == CLI_RUN ? "MODEL VALUE..." : "MODEL", commands[command].doc, NULL, NULL, NULL};
  char name[64];
  snprintf(name, sizeof name, "nnrun %s", commands[command].name);
  argv[0] = name;
  argp_err_exit_status = 2;
  check_unknown_options(argc, argv, valid, commands_with);
  argp_parse(&argp, argc, argv, 0, NULL, options);
  options->running.dims = options->dims;
  options->running.n_dims = options->n_dims;
}

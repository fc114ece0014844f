// What is said about options besides their values: ones that do not exist, ones that would change nothing, and outputs
// that would replace an input.
#ifndef NN_CLI_OPTION_CHECKS_H
#define NN_CLI_OPTION_CHECKS_H

#include <argp.h>

#include "runtime/cli/options.h"

// The options, by argp's keys; -D is 'D'. `given` of struct cli_options has a bit for each.
// clang-format off
enum key {
  KEY_DATA = 256, KEY_DEV, KEY_FORMAT, KEY_SKIP_BAD, KEY_WEIGHTS, KEY_ENTRY, KEY_PRECISION, KEY_THREADS,
  KEY_AUTOBATCH, KEY_SEED, KEY_CACHE,
  // Training: set_training.
  KEY_EPOCHS, KEY_OPTIMISER, KEY_RATE, KEY_MOMENTUM, KEY_CLIP, KEY_DECAY, KEY_SPARSE, KEY_LOSS,
  KEY_NO_SHUFFLE, KEY_INIT, KEY_SAVE, KEY_METRICS,
  // Measuring and looking: set_looking.
  KEY_MODE, KEY_SECONDS, KEY_OUT, KEY_EXAMPLE, KEY_LIMIT, KEY_JSON, KEY_QUIET, KEY_FULL, KEY_ROWS, KEY_BEFORE,
  KEY_BATCH, KEY_TURNS, KEY_MEMORY, KEY_INSTANCES, KEY_WAITS, KEY_MINIBATCH_MEMORY,
  KEY_ALLOW_FAILURES, KEY_REASONS
};
// clang-format on

#define KEY_BIT(key) (UINT64_C(1) << ((key)-KEY_DATA))

// options.c: without its dashes.
const char *option_name(int key);

// Before argp: ends the program at an option that does not exist, with the one that was probably meant. `elsewhere`
// names the commands that have an option; NULL: none.
void check_unknown_options(int argc, char *const *argv, const struct argp_option *valid,
                           const char *(*elsewhere)(const char *));
// After argp has set everything: argp_error at an option without effect, or an output that is an input.
void check_options(const struct cli_options *options, struct argp_state *state);

#endif

// The command line of nnrun: one table of options, each valid for some of the commands, parsed by argp.
#ifndef NN_RUNTIME_CLI_OPTIONS_H
#define NN_RUNTIME_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/nn.h"

enum cli_command {
  CLI_TRAIN,
  CLI_EVAL,
  CLI_PREDICT,
  CLI_RUN,
  CLI_BENCH,
  CLI_GRAD,
  CLI_GRAPH,
  CLI_EXPLAIN,
  CLI_INFO,
  CLI_COMMANDS
};

enum cli_mode { CLI_MODE_FORWARD, CLI_MODE_BACKWARD, CLI_MODE_TRAIN };

#define CLI_MAX_FILES 256
#define CLI_MAX_DIMS 64
#define CLI_MAX_VALUES 64

struct cli_options {
  enum cli_command command;
  uint64_t given;     // which options: KEY_BIT of option_checks.h
  const char *model;  // .nnb or .nn; also .safetensors for info
  // data
  const char *data[CLI_MAX_FILES];
  size_t n_data;
  const char *dev;
  nn_data_options reading;
  // the model
  nn_dim_value dims[CLI_MAX_DIMS];
  size_t n_dims;
  const char *import_dirs[CLI_MAX_FILES];  // of a model that is compiled here
  size_t n_import_dirs;
  const char *weights, *init, *entry;
  nn_options running;
  nn_limits limits;
  // training
  int64_t epochs, batch;
  nn_algorithm algorithm;
  double rate, momentum, clip, decay;  // negative: the algorithm's default
  nn_sparse sparse;
  nn_loss_scale scale;
  bool shuffle;
  const char *save, *metrics;
  // measuring and looking
  enum cli_mode mode;
  double seconds;
  const char *out;
  int64_t example;
  bool json, quiet;
  bool allow_failures;                 // examples that fail leave the exit status alone
  bool before;                         // graph: without batches
  bool rows;                           // graph: a box for each row
  bool full;                           // run: whole tensors
  const char *values[CLI_MAX_VALUES];  // run: behind the model
  size_t n_values;
};

// Parses the arguments of a command (argv[0] is the command's name). Ends the program on --help, with status
// 0, and on an error, with status 2.
void cli_options_parse(enum cli_command, int argc, char **argv, struct cli_options *);

const char *cli_command_name(enum cli_command);
const char *cli_command_summary(enum cli_command);

#endif

// nnrun: trains, evaluates and runs models.
#include <stdio.h>
#include <string.h>

#include "runtime/cli/run.h"

static int (*const run[CLI_COMMANDS])(const struct cli_options *) = {
    [CLI_TRAIN] = cli_train, [CLI_EVAL] = cli_eval,   [CLI_PREDICT] = cli_predict, [CLI_BENCH] = cli_bench,
    [CLI_GRAD] = cli_grad,   [CLI_GRAPH] = cli_graph, [CLI_EXPLAIN] = cli_explain, [CLI_INFO] = cli_info,
};

static void usage(FILE *out) {
  fputs("Usage: nnrun COMMAND MODEL [OPTION...]\n\nMODEL is a .nn file or a .nnb file that nnc made of one.\n\n", out);
  for (int i = 0; i < CLI_COMMANDS; i++)
    fprintf(out, "  %-9s %s\n", cli_command_name((enum cli_command)i), cli_command_summary((enum cli_command)i));
  fputs("\n`nnrun COMMAND --help` lists a command's options. Results go to standard output, everything else to standard "
        "error.\n", out);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    usage(stderr);
    return 2;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
    usage(stdout);
    return 0;
  }
  if (!strcmp(argv[1], "--version")) {
    puts("nnrun " NN_VERSION);
    return 0;
  }
  for (int i = 0; i < CLI_COMMANDS; i++) {
    if (strcmp(argv[1], cli_command_name((enum cli_command)i))) continue;
    struct cli_options options;
    cli_options_parse((enum cli_command)i, argc - 1, argv + 1, &options);
    return run[i](&options);
  }
  fprintf(stderr, "nnrun: there is no command `%s`\n\n", argv[1]);
  usage(stderr);
  return 2;
}

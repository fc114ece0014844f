// nnrun: trains, evaluates and runs models.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "compiler/base/nearest.h"
#include "compiler/base/stack.h"
#include "compiler/cli/command_line.h"
#include "compiler/diag/diag.h"
#include "runtime/cli/run.h"

static int (*const run[CLI_COMMANDS])(const struct cli_options *) = {
    [CLI_TRAIN] = cli_train, [CLI_EVAL] = cli_eval,       [CLI_PREDICT] = cli_predict,
    [CLI_RUN] = cli_run_one, [CLI_BENCH] = cli_bench,     [CLI_GRAD] = cli_grad,
    [CLI_GRAPH] = cli_graph, [CLI_EXPLAIN] = cli_explain, [CLI_INFO] = cli_info,
};

static void usage(FILE *out) {
  fputs("Usage: nnrun COMMAND MODEL [OPTION...]\n\n"
        "MODEL is a .nn file or a .nnb file that nnc made of one.\n\n",
        out);
  for (int i = 0; i < CLI_COMMANDS; i++)
    fprintf(out, "  %-9s %s\n", cli_command_name((enum cli_command)i),
            cli_command_summary((enum cli_command)i));
  fputs("\n`nnrun COMMAND --help` lists a command's options. Results go to standard output, everything else "
        "to standard error.\n",
        out);
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c) {
  return !strcmp(text, a) || !strcmp(text, b) || !strcmp(text, c);
}

static void refuse_command(const char *word) {
  static const char *const others[][2] = {{"test", "eval"},     {"evaluate", "eval"},  {"infer", "predict"},
                                          {"fit", "train"},     {"learn", "train"},    {"benchmark", "bench"},
                                          {"profile", "bench"}, {"gradients", "grad"}, {"plot", "graph"},
                                          {"trace", "graph"},   {"show", "info"},      {"inspect", "info"},
                                          {"summary", "info"}};
  const char *names[CLI_COMMANDS], *meant = NULL;
  for (int i = 0; i < CLI_COMMANDS; i++)
    names[i] = cli_command_name((enum cli_command)i);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (!strcmp(others[i][0], word))
      meant = others[i][1];
  if (!meant)
    meant = nearest_name(word, names, CLI_COMMANDS);
  const char *dot = strrchr(word, '.');
  bool is_model = dot && (!strcmp(dot, ".nn") || !strcmp(dot, ".nnb"));
  if (meant)
    fprintf(stderr, "nnrun: there is no command `%s`; did you mean `%s`?\n\n", word, meant);
  else if (is_model)
    fprintf(stderr, "nnrun: the command comes before the model: nnrun train %s ...\n\n", word);
  else if (*word == '-')
    fprintf(stderr, "nnrun: the command comes before the options: nnrun train MODEL %s ...\n\n", word);
  else
    fprintf(stderr, "nnrun: there is no command `%s`\n\n", word);
  usage(stderr);
}

int main(int argc, char **argv) {
  if (!stack_suffices("nnrun"))
    return 1;
  // A file that grows beyond a limit is a failed write, with its message, and no reason to die.
  signal(SIGXFSZ, SIG_IGN);
  command_watch_stdout("nnrun", 1);
  if (argc < 2) {
    usage(stderr);
    return 2;
  }
  if (is_one_of(argv[1], "--help", "-h", "-?") || (!strcmp(argv[1], "help") && argc == 2)) {
    usage(stdout);
    cli_check_stdout();
    return 0;
  }
  if (is_one_of(argv[1], "--version", "-V", "version")) {
    puts("nnrun " NN_VERSION);
    cli_check_stdout();
    return 0;
  }
  // `nnrun help COMMAND` is `nnrun COMMAND --help`.
  static char help[] = "--help";
  if (!strcmp(argv[1], "help"))
    argv[1] = argv[2], argv[2] = help;
  for (int i = 0; i < CLI_COMMANDS; i++) {
    if (strcmp(argv[1], cli_command_name((enum cli_command)i)))
      continue;
    struct cli_options options;
    cli_options_parse((enum cli_command)i, argc - 1, argv + 1, &options);
    int status = run[i](&options);
    cli_check_stdout();
    return status;
  }
  refuse_command(argv[1]);
  return 2;
}

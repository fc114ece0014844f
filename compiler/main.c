/* nnc: the compiler's command. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/base/stack.h"
#include "compiler/command/native.h"
#include "compiler/nnc.h"
#include "compiler/passes/passes.h"
#include "compiler/syntax/ast_print.h"

/* Exit statuses: the program has errors; the command line is wrong or a file cannot be written. */
enum { EXIT_DIAGNOSTICS = 1, EXIT_USAGE = 2 };

enum emit { EMIT_MODULE, EMIT_AST, EMIT_IR, EMIT_BLOCKS, EMIT_LLVM, EMIT_ASM };

static const char *const emit_names[] = {
    [EMIT_MODULE] = "nnb",    [EMIT_AST] = "ast",   [EMIT_IR] = "ir",
    [EMIT_BLOCKS] = "blocks", [EMIT_LLVM] = "llvm", [EMIT_ASM] = "asm",
};

struct command {
  const char *path;
  const char *output;
  enum emit emit;
  bool only_check;
  bool colour;
  const char *dump_after;
  struct nnc_definition *definitions;
  size_t definition_count;
  const char **stdlib_dirs;
  size_t stdlib_dir_count;
};

static _Noreturn void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void usage_error(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("nnc: ", stderr);
  vfprintf(stderr, format, args);
  va_end(args);
  fputs("\nTry `nnc --help`.\n", stderr);
  exit(EXIT_USAGE);
}

static _Noreturn void print_help(void) {
  puts("Usage: nnc [OPTION...] FILE.nn        compile a model to FILE.nnb\n"
       "       nnc check [OPTION...] FILE.nn  only report errors\n"
       "       nnc explain [NN0123]           explain an error code, or list them\n"
       "\n"
       "  -o, --output FILE       write the result to FILE (`-`: standard output)\n"
       "  -D NAME=INT             give the dim NAME another value; may be repeated\n"
       "      --emit=WHAT         ast      the syntax tree, as normalised source\n"
       "                          ir       the module as lowered, before any pass\n"
       "                          blocks   the finished module: blocks and adjoints\n"
       "                          llvm     the generated code of this processor\n"
       "                          asm      the same as assembly\n"
       "      --dump-after=PASS   print the module after a pass (`all`: each) on standard error\n"
       "      --stdlib DIR        look for `import std.x` in DIR first; may be repeated\n"
       "      --color=WHEN        auto, always or never\n"
       "  -h, --help              print this help\n"
       "  -V, --version           print the version\n"
       "\n"
       "Passes, in the order in which they run:");
  for (const struct pass *pass = passes; pass->name; pass++)
    printf("  %-14s %s\n", pass->name, pass->what);
  puts("\nThe standard library is also looked for in $NN_STDLIB. The exit status is 1 when the model has "
       "errors\n"
       "and 2 when something else went wrong.");
  exit(EXIT_SUCCESS);
}

/* ---- Options ------------------------------------------------------------------------------------------------ */

static enum emit parse_emit(const char *text) {
  for (size_t i = 0; i < sizeof emit_names / sizeof *emit_names; i++) {
    if (strcmp(emit_names[i], text) == 0)
      return (enum emit)i;
  }
  usage_error("--emit=%s: it is one of ast, ir, blocks, llvm, asm and nnb", text);
}

static struct nnc_definition parse_definition(char *text) {
  char *equals = strchr(text, '=');
  if (!equals || equals == text || equals[1] == '\0')
    usage_error("-D %s: it has the form NAME=INT", text);
  *equals = '\0';
  char *end;
  errno = 0;
  long long value = strtoll(equals + 1, &end, 10);
  if (*end != '\0' || errno == ERANGE)
    usage_error("-D %s=%s: the value is no integer", text, equals + 1);
  return (struct nnc_definition){text, value};
}

static bool parse_colour(const char *when) {
  if (strcmp(when, "always") == 0)
    return true;
  if (strcmp(when, "never") == 0)
    return false;
  if (strcmp(when, "auto") != 0)
    usage_error("--color=%s: it is auto, always or never", when);
  const char *term = getenv("TERM");
  return isatty(STDERR_FILENO) && !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
}

static const char *parse_pass(const char *name) {
  if (strcmp(name, "all") == 0)
    return name;
  for (const struct pass *pass = passes; pass->name; pass++) {
    if (strcmp(pass->name, name) == 0)
      return name;
  }
  usage_error("--dump-after=%s: there is no such pass", name);
}

static struct command parse_command(int argc, char **argv) {
  enum { OPTION_EMIT = 256, OPTION_DUMP, OPTION_STDLIB, OPTION_COLOR };
  static const struct option options[] = {
      {"output", required_argument, NULL, 'o'},
      {"emit", required_argument, NULL, OPTION_EMIT},
      {"dump-after", required_argument, NULL, OPTION_DUMP},
      {"stdlib", required_argument, NULL, OPTION_STDLIB},
      {"color", required_argument, NULL, OPTION_COLOR},
      {"help", no_argument, NULL, 'h'},
      {"version", no_argument, NULL, 'V'},
      {NULL, 0, NULL, 0},
  };
  struct command command = {.colour = parse_colour("auto")};
  /* Each option takes at least one argument, so there are no more of a kind than arguments. */
  command.definitions = calloc((size_t)argc, sizeof *command.definitions);
  command.stdlib_dirs = calloc((size_t)argc, sizeof *command.stdlib_dirs);
  if (!command.definitions || !command.stdlib_dirs)
    usage_error("out of memory");
  int option;
  while ((option = getopt_long(argc, argv, "o:D:hV", options, NULL)) != -1) {
    switch (option) {
    case 'o': command.output = optarg; break;
    case 'D': command.definitions[command.definition_count++] = parse_definition(optarg); break;
    case OPTION_EMIT: command.emit = parse_emit(optarg); break;
    case OPTION_DUMP: command.dump_after = parse_pass(optarg); break;
    case OPTION_STDLIB: command.stdlib_dirs[command.stdlib_dir_count++] = optarg; break;
    case OPTION_COLOR: command.colour = parse_colour(optarg); break;
    case 'h': print_help();
    case 'V': puts("nnc " NN_VERSION); exit(EXIT_SUCCESS);
    default: fputs("Try `nnc --help`.\n", stderr); exit(EXIT_USAGE);
    }
  }
  if (optind < argc && strcmp(argv[optind], "check") == 0) {
    command.only_check = true;
    optind++;
  }
  if (optind == argc)
    usage_error("which file?");
  if (optind + 1 < argc)
    usage_error("one file at a time: %s", argv[optind + 1]);
  command.path = argv[optind];
  return command;
}

/* ---- explain ------------------------------------------------------------------------------------------------ */

/* In order of number, whatever the order of the table. */
static int list_codes(void) {
  for (int number = 0; number <= 9999; number++) {
    enum diag_code code;
    if (diag_code_from_number(number, &code))
      printf("NN%04d  %s\n", number, diag_code_info(code)->title);
  }
  return EXIT_SUCCESS;
}

static int explain(const char *text) {
  const char *digits = strncasecmp(text, "NN", 2) == 0 ? text + 2 : text;
  char *end;
  long number = strtol(digits, &end, 10);
  enum diag_code code;
  if (*digits == '\0' || *end != '\0' || number < 0 || number > 9999 ||
      !diag_code_from_number((int)number, &code))
    usage_error("there is no error code %s; `nnc explain` lists them", text);
  const struct diag_code_info *info = diag_code_info(code);
  printf("NN%04d: %s\n\n%s", info->number, info->title, info->explanation);
  return EXIT_SUCCESS;
}

/* ---- Output ------------------------------------------------------------------------------------------------- */

/* The output file of the same base name in the current folder: dir/model.nn gives model.nnb. */
static char *default_output(const char *path) {
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  const char *dot = strrchr(base, '.');
  int length = dot && dot > base ? (int)(dot - base) : (int)strlen(base);
  char *output;
  if (asprintf(&output, "%.*s.nnb", length, base) < 0)
    usage_error("out of memory");
  return output;
}

static int write_module(const struct command *command, const struct ir_module *module) {
  char *chosen = command->output ? NULL : default_output(command->path);
  const char *output = command->output ? command->output : chosen;
  char *error = NULL;
  bool ok = ir_module_write(module, output, &error);
  if (!ok)
    fprintf(stderr, "nnc: cannot write %s: %s\n", output, error ? error : "out of memory");
  free(error);
  free(chosen);
  return ok ? EXIT_SUCCESS : EXIT_USAGE;
}

/* false when the text could not be made; then it has been said why. */
static bool print_result(const struct command *command, const struct nnc_result *result, FILE *out) {
  if (command->emit == EMIT_AST) {
    ast_print_file(nnc_main_file(result), out, NULL);
    return true;
  }
  if (command->emit == EMIT_LLVM || command->emit == EMIT_ASM) {
    char *error;
    bool ok = native_print(result->module, command->emit == EMIT_ASM, out, &error);
    if (!ok)
      fprintf(stderr, "nnc: %s\n", error ? error : "out of memory");
    free(error);
    return ok;
  }
  char *text = ir_print(result->module);
  fputs(text ? text : "nnc: out of memory\n", text ? out : stderr);
  free(text);
  return text != NULL;
}

static int write_text(const struct command *command, const struct nnc_result *result) {
  bool to_stdout = !command->output || strcmp(command->output, "-") == 0;
  FILE *out = to_stdout ? stdout : fopen(command->output, "w");
  bool printed = out && print_result(command, result, out);
  /* A full disk is noticed when the last bytes are written. */
  bool written = out && fflush(out) == 0 && !ferror(out);
  int number = errno;
  if (out && !to_stdout && fclose(out) != 0)
    written = false;
  if (!written)
    fprintf(stderr, "nnc: cannot write %s: %s\n", to_stdout ? "the output" : command->output,
            strerror(number));
  return printed && written ? EXIT_SUCCESS : EXIT_USAGE;
}

static enum nnc_stage last_stage(const struct command *command) {
  if (command->only_check)
    return NNC_STAGE_LOWERED;
  if (command->emit == EMIT_AST)
    return NNC_STAGE_PARSED;
  return command->emit == EMIT_IR ? NNC_STAGE_LOWERED : NNC_STAGE_ALL;
}

static int compile(const struct command *command) {
  struct nnc_options options = {
      .path = command->path,
      .stop_after = last_stage(command),
      .definitions = command->definitions,
      .definition_count = command->definition_count,
      .stdlib_dirs = command->stdlib_dirs,
      .stdlib_dir_count = command->stdlib_dir_count,
      .dump_after = command->dump_after,
  };
  struct nnc_result result;
  bool ok = nnc_compile(&options, &result);
  nnc_render(&result, stderr, command->colour);
  int status = EXIT_SUCCESS;
  if (!ok)
    status = result.failure ? EXIT_USAGE : EXIT_DIAGNOSTICS;
  else if (!command->only_check)
    status = command->emit == EMIT_MODULE ? write_module(command, result.module)
                                          : write_text(command, &result);
  nnc_result_free(&result);
  return status;
}

int main(int argc, char **argv) {
  if (!stack_suffices("nnc"))
    return EXIT_FAILURE;
  if (argc >= 2 && strcmp(argv[1], "explain") == 0) {
    if (argc > 3)
      usage_error("one code at a time");
    return argc == 3 ? explain(argv[2]) : list_codes();
  }
  struct command command = parse_command(argc, argv);
  int status = compile(&command);
  free(command.definitions);
  free(command.stdlib_dirs);
  return status;
}

// nnc: the compiler's command.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/nearest.h"
#include "compiler/base/stack.h"
#include "compiler/cli/command_line.h"
#include "compiler/command/command.h"
#include "compiler/command/native.h"
#include "compiler/nnc.h"
#include "compiler/passes/passes.h"
#include "compiler/syntax/ast_print.h"

enum emit { EMIT_MODULE, EMIT_AST, EMIT_IR, EMIT_BLOCKS, EMIT_LLVM, EMIT_ASM };

static const char *const emit_names[] = {
    [EMIT_MODULE] = "nnb",    [EMIT_AST] = "ast",   [EMIT_IR] = "ir",
    [EMIT_BLOCKS] = "blocks", [EMIT_LLVM] = "llvm", [EMIT_ASM] = "asm",
};

struct command {
  const char *path;
  const char *output;
  enum emit emit;
  bool has_emit;
  bool only_check;
  bool explains;  // `path` is a code, or NULL
  const char *dump_after;
  struct source_options source;
};

// ---- Options ------------------------------------------------------------------------------------------------

static enum emit parse_emit(const char *text) {
  for (size_t i = 0; i < sizeof emit_names / sizeof *emit_names; i++) {
    if (strcmp(emit_names[i], text) == 0)
      return (enum emit)i;
  }
  usage_error("--emit=%s: it is one of ast, ir, blocks, llvm, asm and nnb", text);
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

enum { KEY_EMIT = 256, KEY_DUMP };

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "write the result to FILE (`-`: standard output)", 1},
    {"emit", KEY_EMIT, "WHAT", 0,
     "instead of the module: ast, the syntax tree as normalised source; ir, the module as lowered, before "
     "any pass; "
     "blocks, the finished module; llvm or asm, the generated code of this processor",
     1},
    {"dump-after", KEY_DUMP, "PASS", 0, "print the module after a pass (`all`: each) on standard error", 1},
    SOURCE_OPTIONS,
    COMMAND_OPTIONS,
    {0}};

static const struct command_synonym synonyms[] = {
    {"out", "output", NULL},
    {"output-file", "output", NULL},
    {"dim", "define", NULL},
    {"set", "define", NULL},
    {"dump", "dump-after", NULL},
    {"print-after", "dump-after", NULL},
    {"include", "import-path", NULL},
    {"lib", "stdlib", NULL},
    {"library", "stdlib", NULL},
    {"check", NULL, "`nnc check FILE` only reports errors"},
    {"format", NULL, "`nnc fmt FILE` lays it out"},
    {"fmt", NULL, "`nnc fmt FILE` lays it out"},
    {"test", NULL, "`nnc test FILE` runs the tests in it"},
    {"syntax-only", NULL, "`nnc check FILE` only reports errors"},
    {"explain", NULL, "`nnc explain NN0123` explains an error code"},
    {"emit-llvm", NULL, "it is `--emit=llvm`"},
    {"emit-ir", NULL, "it is `--emit=ir`"},
    {"verbose", NULL, "`--dump-after=all` shows what the passes do"},
    {"optimize", NULL, "every module is optimised"},
    {"debug", NULL, "every module knows the lines of its source"},
};

static _Noreturn void refuse_second(const struct command *command, const char *text) {
  static const char *const words[] = {"check", "explain", "fmt", "test"};
  const char *word = nearest_name(command->path, words, sizeof words / sizeof *words);
  if (word && !command->only_check && access(command->path, F_OK) != 0)
    usage_error("there is no command `%s`; did you mean `%s`?", command->path, word);
  usage_error("one %s at a time: %s and %s", command->explains ? "code" : "file", command->path, text);
}

static error_t set_option(int key, char *text, struct argp_state *state) {
  struct command *command = state->input;
  switch (key) {
  case 'o': command->output = text; break;
  case KEY_EMIT:
    command->emit = parse_emit(text);
    command->has_emit = true;
    break;
  case KEY_DUMP: command->dump_after = parse_pass(text); break;
  case ARGP_KEY_ARG:
    if (state->arg_num == 0 && strcmp(text, "check") == 0)
      command->only_check = true;
    else if (state->arg_num == 0 && strcmp(text, "explain") == 0)
      command->explains = true;
    else if (command->path)
      refuse_second(command, text);
    else
      command->path = text;
    break;
  case ARGP_KEY_END:
    if (!command->path && !command->explains)
      usage_error("which file?");
    break;
  default: return source_option(key, text, state, &command->source);
  }
  return 0;
}

// Options that would change nothing are refused rather than ignored.
static void refuse_idle_options(const struct command *command) {
  const char *mode = command->explains ? "explain" : command->only_check ? "check" : NULL;
  const char *idle = NULL;
  if (command->output)
    idle = "--output";
  else if (command->has_emit)
    idle = "--emit";
  else if (command->dump_after)
    idle = "--dump-after";
  else if (command->explains && command->source.definition_count)
    idle = "-D";
  else if (command->explains && command->source.stdlib_dir_count)
    idle = "--stdlib";
  else if (command->explains && command->source.import_dir_count)
    idle = "--import-path";
  if (mode && idle)
    usage_error("%s has no effect with `%s`", idle, mode);
  if (command->dump_after && (command->emit == EMIT_AST || command->emit == EMIT_IR))
    usage_error("--dump-after has no effect with --emit=%s: no pass runs before it",
                emit_names[command->emit]);
}

// The passes, below the options.
static char *add_passes(int key, const char *text, void *input) {
  (void)input;
  if (key != ARGP_KEY_HELP_POST_DOC)
    return (char *)(uintptr_t)text;
  char *all = NULL;
  size_t length;
  FILE *out = open_memstream(&all, &length);
  if (!out)
    return NULL;
  fputs("Passes, in the order in which they run:\n", out);
  for (const struct pass *pass = passes; pass->name; pass++)
    fprintf(out, "  %-14s %s\n", pass->name, pass->what);
  fputs("\nThe standard library is also looked for in $NN_STDLIB, other imports in the folders of "
        "$NN_PATH, with colons between them. The exit status is 1 when the model has errors or a file "
        "cannot be read or written, and 2 for a wrong command line.",
        out);
  return fclose(out) == 0 ? all : NULL;
}

static struct command parse_command(int argc, char **argv) {
  struct command command = {.source = source_options_new(argc)};
  static const struct argp argp = {
      option_table,
      set_option,
      "FILE.nn\ncheck FILE.nn\nexplain [NN0123]\nfmt FILE.nn...\ntest FILE.nn...",
      "Compiles a model to FILE.nnb; `check` only reports its errors, `explain` "
      "tells more about an error code, or "
      "lists them, `fmt` lays files out, `test` runs the tests in them (`nnc fmt --help`, `nnc test "
      "--help`).\v",
      NULL,
      add_passes,
      NULL};
  static char name[] = "nnc";
  argv[0] = name;
  command_check_options(
      argc, argv,
      &(struct command_options){option_table, synonyms, sizeof synonyms / sizeof *synonyms, NULL});
  argp_parse(&argp, argc, argv, 0, NULL, &command);
  refuse_idle_options(&command);
  return command;
}

// ---- explain ------------------------------------------------------------------------------------------------

// In order of number, whatever the order of the table.
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

// ---- Output -------------------------------------------------------------------------------------------------

// The output file of the same base name in the current folder: dir/model.nn gives model.nnb.
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

// Whether writing to the path would replace one of the files that were read, under whatever name: *source is its.
static bool is_source(const struct nnc_result *result, const char *path, const char **source) {
  struct stat output, input;
  if (strcmp(path, "-") == 0 || stat(path, &output) != 0)
    return false;
  for (size_t i = 0; i < result->sources.count; i++) {
    *source = result->sources.items[i]->path;
    if (stat(*source, &input) == 0 && input.st_dev == output.st_dev && input.st_ino == output.st_ino)
      return true;
  }
  return false;
}

static int write_module(const char *output, const struct ir_module *module) {
  char *error = NULL;
  bool to_stdout = strcmp(output, "-") == 0;
  bool ok = to_stdout ? ir_module_write_to(module, STDOUT_FILENO, &error)
                      : ir_module_write(module, output, &error);
  if (!ok)
    fprintf(stderr, "nnc: %s%s\n", to_stdout ? "standard output " : "", error ? error : "out of memory");
  free(error);
  return ok ? EXIT_SUCCESS : EXIT_FAILED;
}

// false when the text could not be made; then it has been said why.
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

static int write_text(const struct command *command, const char *output, const struct nnc_result *result) {
  bool to_stdout = strcmp(output, "-") == 0;
  FILE *out = to_stdout ? stdout : fopen(output, "w");
  bool printed = out && print_result(command, result, out);
  // A full disk is noticed when the last bytes are written.
  bool written = out && (to_stdout ? command_flush_stdout() : fflush(out) == 0 && !ferror(out));
  int number = errno;
  if (out && !to_stdout && fclose(out) != 0)
    written = false;
  if (!written)
    fprintf(stderr, "nnc: %s could not be written: %s\n", to_stdout ? "standard output" : output,
            strerror(number));
  return printed && written ? EXIT_SUCCESS : EXIT_FAILED;
}

// The result under its name, unless that would replace what it was made of.
static int write_result(const struct command *command, const struct nnc_result *result) {
  char *chosen = command->output || command->emit != EMIT_MODULE ? NULL : default_output(command->path);
  const char *output = command->output ? command->output : chosen ? chosen : "-";
  const char *source;
  int status = EXIT_FAILED;
  if (is_source(result, output, &source))
    fprintf(stderr, "nnc: writing %s would replace the source %s; nothing was written\n", output, source);
  else if (command->emit == EMIT_MODULE)
    status = write_module(output, result->module);
  else
    status = write_text(command, output, result);
  free(chosen);
  return status;
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
      .dump_after = command->dump_after,
  };
  source_options_use(&command->source, &options);
  struct nnc_result result;
  bool ok = nnc_compile(&options, &result);
  nnc_render(&result, stderr, command->source.colour);
  int status = EXIT_SUCCESS;
  if (!ok)
    status = EXIT_FAILED;
  else if (!command->only_check)
    status = write_result(command, &result);
  nnc_result_free(&result);
  return status;
}

int main(int argc, char **argv) {
  if (!stack_suffices("nnc"))
    return EXIT_FAILURE;
  command_watch_stdout("nnc", EXIT_FAILED);
  argp_program_version = "nnc " NN_VERSION;
  argp_err_exit_status = EXIT_USAGE;
  static const struct {
    char word[8], name[16];
    int (*run)(int argc, char **argv);
  } commands[] = {{"fmt", "nnc fmt", command_fmt}, {"test", "nnc test", command_test}};
  for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(argv[1], commands[i].word) != 0)
      continue;
    argv[1] = (char *)(uintptr_t)commands[i].name;
    return commands[i].run(argc - 1, argv + 1);
  }
  struct command command = parse_command(argc, argv);
  int status;
  if (command.explains)
    status = command.path ? explain(command.path) : list_codes();
  else
    status = compile(&command);
  source_options_free(&command.source);
  return status;
}

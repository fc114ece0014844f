// nnc fmt: files in the project's layout.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/base/files.h"
#include "compiler/cli/command_line.h"
#include "compiler/command/command.h"
#include "compiler/nnc.h"

struct fmt {
  bool only_check, to_stdout;
  struct source_options source;  // of them --color
  const char **paths;
  size_t count;
};

enum { KEY_CHECK = 256, KEY_STDOUT };

static const struct argp_option option_table[] = {
    {"check", KEY_CHECK, NULL, 0, "change nothing; name the files that would change, and end with 1 if any",
     1},
    {"stdout", KEY_STDOUT, NULL, 0, "change nothing; write the formatted text to standard output", 1},
    COMMAND_OPTIONS,
    {0}};

static const struct command_synonym synonyms[] = {
    {"diff", "check", NULL},
    {"dry-run", "check", NULL},
    {"list", "check", NULL},
    {"write", NULL, "files are written where nothing else is said"},
    {"in-place", NULL, "files are written where nothing else is said"},
    {"indent", NULL, "there is one layout, and nothing to set"},
    {"line-length", NULL, "lines break where the author breaks them"},
};

static error_t set_option(int key, char *text, struct argp_state *state) {
  struct fmt *fmt = state->input;
  switch (key) {
  case KEY_CHECK: fmt->only_check = true; break;
  case KEY_STDOUT: fmt->to_stdout = true; break;
  case ARGP_KEY_ARG: fmt->paths[fmt->count++] = text; break;
  case ARGP_KEY_END:
    if (fmt->count == 0)
      usage_error("fmt: which files? (`-` is standard input)");
    if (fmt->only_check && fmt->to_stdout)
      usage_error("fmt: --check and --stdout exclude each other");
    break;
  default: return source_option(key, text, state, &fmt->source);
  }
  return 0;
}

struct output {
  const char *text;
  size_t length;
};

static bool write_output(const void *context, int file) {
  const struct output *output = context;
  return file_write_all(file, output->text, output->length);
}

// The first line in which two texts differ, from 1; 0: they are equal.
static unsigned first_difference(const char *a, size_t a_length, const char *b, size_t b_length) {
  if (a_length == b_length && memcmp(a, b, a_length) == 0)
    return 0;
  unsigned line = 1;
  for (size_t i = 0; i < a_length && i < b_length && a[i] == b[i]; i++)
    line += a[i] == '\n';
  return line;
}

static int put(const struct fmt *fmt, const char *path, const struct source_file *source,
               const struct output *output) {
  unsigned line = first_difference(source->text, source->length, output->text, output->length);
  struct stat status;
  if (fmt->only_check) {
    if (line > 0)
      printf("%s:%u: this line would change\n", path, line);
    return line > 0 ? EXIT_FAILED : EXIT_SUCCESS;
  }
  if (fmt->to_stdout || strcmp(path, "-") == 0) {
    fwrite(output->text, 1, output->length, stdout);
    return EXIT_SUCCESS;
  }
  if (line == 0)
    return EXIT_SUCCESS;
  if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
    fprintf(stderr, "nnc: %s: it is no regular file; --stdout shows what would be written\n", path);
    return EXIT_FAILED;
  }
  if (file_replace(path, write_output, output))
    return EXIT_SUCCESS;
  fprintf(stderr, "nnc: %s: cannot be written: %s\n", path, strerror(errno));
  return EXIT_FAILED;
}

static int format(const struct fmt *fmt, const char *path) {
  struct nnc_options options = {.path = strcmp(path, "-") == 0 ? "/dev/stdin" : path};
  struct nnc_result result;
  struct output output;
  int status;
  if (nnc_format(&options, &result, &output.text, &output.length)) {
    status = put(fmt, path, result.sources.items[0], &output);
  } else {
    nnc_render(&result, stderr, fmt->source.colour);
    status = EXIT_FAILED;
    if (result.failure && result.sources.count > 0)
      fprintf(stderr, "%s was left as it is; please report this as a bug of `nnc fmt`\n", path);
  }
  nnc_result_free(&result);
  return status;
}

int command_fmt(int argc, char **argv) {
  struct fmt fmt = {.source = source_options_new(argc), .paths = calloc((size_t)argc, sizeof(char *))};
  if (!fmt.paths)
    usage_error("out of memory");
  static const struct argp argp = {
      option_table,
      set_option,
      "FILE.nn...",
      "Lays files out: two columns of indentation, one blank around operators, at most "
      "one empty line. Where "
      "lines break is the author's choice, and comments stay. What a file means never "
      "changes, which is made "
      "sure of before it is written; a file with syntax errors is left alone. `-` reads "
      "standard input and writes "
      "standard output.\vThe exit status is 1 when a file has syntax errors, cannot be "
      "read or written or, with --check, would change, and 2 for a wrong command line.",
      NULL,
      NULL,
      NULL};
  command_check_options(
      argc, argv,
      &(struct command_options){option_table, synonyms, sizeof synonyms / sizeof *synonyms, NULL});
  argp_parse(&argp, argc, argv, 0, NULL, &fmt);
  int status = EXIT_SUCCESS;
  for (size_t i = 0; i < fmt.count; i++) {
    int one = format(&fmt, fmt.paths[i]);
    status = one > status ? one : status;
  }
  free(fmt.paths);
  source_options_free(&fmt.source);
  return status;
}

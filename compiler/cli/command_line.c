#include "compiler/cli/command_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/base/nearest.h"
#include "compiler/diag/diag.h"

// ---- Options that do not exist ------------------------------------------------------------------------------

// argp's own.
static const struct argp_option argp_own[] = {{"help", '?', NULL, 0, NULL, 0},
                                              {"usage", 'u', NULL, 0, NULL, 0},
                                              {"version", 'V', NULL, 0, NULL, 0},
                                              {0}};

static bool is_end(const struct argp_option *option) {
  return !option->name && !option->key && !option->doc && !option->group;
}

// The option of this name, or one that begins so, as getopt takes it; NULL: none.
static const struct argp_option *find_long(const struct argp_option *options, const char *name,
                                           size_t length) {
  for (; !is_end(options); options++)
    if (options->name && strncmp(options->name, name, length) == 0)
      return options;
  return NULL;
}

static const struct argp_option *find_short(const struct argp_option *options, char key) {
  for (; !is_end(options); options++)
    if (options->key == key)
      return options;
  return NULL;
}

static const struct command_synonym *find_synonym(const struct command_options *known, const char *name) {
  for (size_t i = 0; i < known->n_synonyms; i++)
    if (strcmp(known->synonyms[i].name, name) == 0)
      return &known->synonyms[i];
  return NULL;
}

static const char *nearest(const struct command_options *known, const char *name) {
  enum { MOST = 128 };
  const char *names[MOST];
  size_t count = 0;
  for (const struct argp_option *option = known->options; !is_end(option) && count < MOST; option++)
    if (option->name && !(option->flags & OPTION_HIDDEN))
      names[count++] = option->name;
  return nearest_name(name, names, count);
}

static _Noreturn void refuse(const char *program, const struct command_options *known, const char *name) {
  const struct command_synonym *synonym = find_synonym(known, name);
  const char *option = synonym && synonym->option ? synonym->option : name;
  const char *elsewhere = known->elsewhere ? known->elsewhere(option) : NULL;
  bool is_here = synonym && synonym->option && find_long(known->options, option, strlen(option));
  const char *near = nearest(known, name);
  fprintf(stderr, "%s: ", program);
  if (synonym && synonym->advice)
    fprintf(stderr, "there is no option --%s: %s\n", name, synonym->advice);
  else if (is_here)
    fprintf(stderr, "there is no option --%s; it is called --%s\n", name, option);
  else if (elsewhere && option != name)
    fprintf(stderr, "there is no option --%s; it is called --%s, and is an option of %s\n", name, option,
            elsewhere);
  else if (elsewhere)
    fprintf(stderr, "--%s is an option of %s\n", name, elsewhere);
  else if (near)
    fprintf(stderr, "there is no option --%s; did you mean --%s?\n", name, near);
  else
    fprintf(stderr, "there is no option --%s\n", name);
  fprintf(stderr, "Try `%s --help`.\n", program);
  exit(argp_err_exit_status);
}

void command_check_options(int argc, char *const *argv, const struct command_options *known) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *text = argv[i];
    const struct argp_option *option;
    if (text[0] != '-' || text[1] == '\0')
      continue;
    if (text[1] != '-') {
      option = find_short(known->options, text[1]);
      // `-lr 0.1`
      if (!option && text[2] &&
          (find_synonym(known, text + 1) || find_long(known->options, text + 1, strlen(text + 1))))
        fprintf(stderr, "%s: options of more than a letter begin with two dashes\n", argv[0]),
            refuse(argv[0], known, text + 1);
      i += option && option->arg && !text[2];
      continue;
    }
    size_t length = strcspn(text + 2, "=");
    option = find_long(known->options, text + 2, length);
    if (!option && !find_long(argp_own, text + 2, length)) {
      char name[128];
      snprintf(name, sizeof name, "%.*s", (int)length, text + 2);
      refuse(argv[0], known, name);
    }
    i += option && option->arg && !(option->flags & OPTION_ARG_OPTIONAL) && text[2 + length] != '=';
  }
}

// ---- Standard output ----------------------------------------------------------------------------------------

// Of the program, not of a library: exit() gives its handlers no argument.
static struct {
  const char *program;
  int status;
  bool is_lost;  // and that was said
} watched;

bool command_flush_stdout(void) {
  errno = 0;
  bool is_lost = fflush(stdout) != 0 || ferror(stdout);
  if (is_lost && errno == 0)
    errno = EIO;
  watched.is_lost |= is_lost;
  return !is_lost;
}

static void close_stdout(void) {
  if (watched.is_lost)
    return;
  bool written = command_flush_stdout();
  // Some file systems tell of a full disk only now. A standard output that was never open is no failure.
  if (written && fclose(stdout) != 0 && errno != EBADF)
    written = false;
  if (written)
    return;
  fprintf(stderr, "%s: standard output could not be written: %s\n", watched.program, strerror(errno));
  fflush(NULL);
  _exit(watched.status);
}

void command_watch_stdout(const char *program, int status) {
  watched.program = program;
  watched.status = status;
  atexit(close_stdout);
}

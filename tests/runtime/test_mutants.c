// Modules that someone else has written: the IR's text of every example with tokens exchanged, left out, doubled
// or replaced by others of their kind. Each mutant is refused by the parser, the verifier or when it is bound, or
// it is trained for a step and asked for predictions, without a crash, without end, and without a word from a
// sanitizer. Every mutant runs in a process of its own.
//
//   test_mutants                    a few of each example, always the same
//   test_mutants FIRST COUNT        so many of each from this seed on
//   test_mutants EXAMPLE SEED       writes that mutant to standard output
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "runtime/model/model.h"
#include "runtime/nn.h"

static const struct original {
  const char *name, *path, *data;
} originals[] = {
    {"treelstm", "examples/treelstm/treelstm.nn", "examples/treelstm/dev.txt"},
    {"bilstm-tagger", "examples/bilstm-tagger/bilstm-tagger.nn", "examples/bilstm-tagger/dev.tsv"},
    {"greedy-tagger", "examples/greedy-tagger/greedy-tagger.nn", "examples/greedy-tagger/dev.tsv"},
    {"rnnlm", "examples/rnnlm/rnnlm.nn", "examples/rnnlm/dev.txt"},
    {"cbow", "examples/cbow/cbow.nn", "examples/cbow/dev.jsonl"},
    {"pointer", "examples/pointer/pointer.nn", "examples/pointer/dev.jsonl"},
    {"listops", "examples/listops/listops.nn", "examples/listops/dev.jsonl"},
};

enum {
  N_ORIGINALS = sizeof originals / sizeof *originals,
  N_EXAMPLES = 3,
  MOST_TURNS = 20000,
  MOST_SECONDS = 60,  // of one mutant, under a sanitizer on a busy machine
};
#define MOST_BYTES ((rlim_t)8 << 30)

static uint64_t first_seed = 1;
static uint64_t n_mutants = 25;  // of each example: half a minute in all
static char cache[] = "/tmp/nn_mutants_XXXXXX";

// -------------------------------------------------------------------------------------------------- tokens

enum token_kind { VALUE, LABEL, SYMBOL, NUMBER, WORD, SIGN, N_KINDS };

struct token {
  enum token_kind kind;
  size_t begin, length;
};

struct tokens {
  const char *text;
  size_t n;
  struct token *items;
};

static const char word_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.";

static struct token next_token(const char *text, size_t at) {
  const char *from = text + at;
  size_t prefix = strchr("%^@-", *from) ? 1 : 0, n = prefix + strspn(from + prefix, word_letters);
  if (n == prefix)
    return (struct token){SIGN, at, 1};
  enum token_kind kind = *from == '%'                   ? VALUE
                         : *from == '^'                 ? LABEL
                         : *from == '@'                 ? SYMBOL
                         : strchr("-0123456789", *from) ? NUMBER
                                                        : WORD;
  return (struct token){kind, at, n};
}

static struct tokens tokenise(const char *text) {
  size_t length = strlen(text);
  struct tokens tokens = {text, 0, calloc(length + 1, sizeof *tokens.items)};
  for (size_t at = 0; at < length;) {
    if (text[at] == ' ') {
      at++;
      continue;
    }
    struct token token = next_token(text, at);
    tokens.items[tokens.n++] = token;
    at += token.length;
  }
  return tokens;
}

// ----------------------------------------------------------------------------------------------- mutations

struct mutator {
  uint64_t state;
  const struct tokens *tokens;
  size_t *replaced_by;   // [token] whose text stands in its place; itself; n: nothing
  const char **written;  // [token] instead of that, or NULL
  bool *doubled;
};

static size_t pick(struct mutator *m, size_t n) {
  uint64_t z = m->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (size_t)((z ^ z >> 31) % n);
}

// Another token of the same kind, most often one that is near.
static size_t pick_alike(struct mutator *m, size_t token) {
  const struct tokens *tokens = m->tokens;
  size_t span = pick(m, 3) ? 60 : tokens->n;
  for (int tries = 0; tries < 50; tries++) {
    size_t low = token > span ? token - span : 0, high = token + span < tokens->n ? token + span : tokens->n;
    size_t other = low + pick(m, high - low);
    if (other != token && tokens->items[other].kind == tokens->items[token].kind)
      return other;
  }
  return token;
}

// Sizes stay small: a model that wants more memory than there is has been refused for another reason.
static const char *pick_number(struct mutator *m, size_t token) {
  static const char *const small[] = {"0", "1", "2", "3", "-1", "7", "0.5"};
  static const char *const large[] = {
      "4294967295", "2147483648", "9223372036854775807", "-9223372036854775808", "65536", "1e300", "nan"};
  const char *before = m->tokens->text + m->tokens->items[token].begin;
  size_t back = 0;
  while (back < m->tokens->items[token].begin && before[-(ptrdiff_t)back - 1] != '\n')
    back++;
  const char *line = before - back;
  bool is_code = strncmp(line, "  ", 2) == 0 && !memchr(line, '[', back);
  return is_code && pick(m, 2) ? large[pick(m, sizeof large / sizeof *large)]
                               : small[pick(m, sizeof small / sizeof *small)];
}

static void mutate_line(struct mutator *m, size_t token, bool twice) {
  const struct tokens *tokens = m->tokens;
  size_t begin = token, end = token;
  while (begin > 0 && tokens->text[tokens->items[begin - 1].begin] != '\n')
    begin--;
  while (end < tokens->n && tokens->text[tokens->items[end].begin] != '\n')
    end++;
  size_t other = pick(m, tokens->n);
  for (size_t t = begin; t <= end && t < tokens->n; t++)
    m->replaced_by[t] = twice && other + (t - begin) < tokens->n ? other + (t - begin) : tokens->n;
}

static void mutate(struct mutator *m) {
  size_t token = pick(m, m->tokens->n), other = pick_alike(m, token);
  switch (pick(m, 12)) {
  case 0: m->replaced_by[token] = m->tokens->n; break;
  case 1: m->doubled[token] = true; break;
  case 2: mutate_line(m, token, false); break;
  case 3: mutate_line(m, token, true); break;
  case 4:
  case 5:
    for (size_t t = token; t < m->tokens->n; t++)
      if (m->tokens->items[t].kind == NUMBER) {
        m->written[t] = pick_number(m, t);
        break;
      }
    break;
  case 6:
  case 7:
  case 8:
    m->replaced_by[token] = other;
    m->replaced_by[other] = token;
    break;
  default: m->replaced_by[token] = other;
  }
}

static char *make_mutant(const char *text, uint64_t seed) {
  struct tokens tokens = tokenise(text);
  struct mutator m = {seed * 0x2545f4914f6cdd1du, &tokens, calloc(tokens.n + 1, sizeof(size_t)),
                      calloc(tokens.n + 1, sizeof(char *)), calloc(tokens.n + 1, sizeof(bool))};
  for (size_t t = 0; t < tokens.n; t++)
    m.replaced_by[t] = t;
  for (size_t n = 1 + pick(&m, 4) / 3 * (1 + pick(&m, 3)); n > 0; n--)
    mutate(&m);
  char *mutant = NULL;
  size_t length = 0, at = 0;
  FILE *out = open_memstream(&mutant, &length);
  for (size_t t = 0; t < tokens.n; t++) {
    fwrite(text + at, 1, tokens.items[t].begin - at, out);
    at = tokens.items[t].begin + tokens.items[t].length;
    for (int times = m.doubled[t] ? 2 : 1; times > 0; times--) {
      const struct token *by = m.replaced_by[t] < tokens.n ? &tokens.items[m.replaced_by[t]] : NULL;
      if (m.written[t])
        fputs(m.written[t], out);
      else if (by)
        fwrite(text + by->begin, 1, by->length, out);
      if (times > 1)
        fputc(' ', out);
    }
  }
  fclose(out);
  free(tokens.items);
  free(m.replaced_by);
  free(m.written);
  free(m.doubled);
  return mutant;
}

// -------------------------------------------------------------------------------------------- one mutant's run

// How a mutant's process ends when all is well.
enum { REFUSED = 40, UNBOUND, RAN };

static bool refused(nn_status *status) {
  bool is_error = status != NULL;
  nn_status_free(status);
  return is_error;
}

static void run_entries(nn_model *model, nn_session *session, const char *path, size_t loss) {
  const size_t examples[N_EXAMPLES] = {0, 1, 2};
  nn_optimiser_options how = nn_optimiser_default(NN_ADAM);
  nn_optimiser *optimiser = NULL;
  nn_dataset *data = NULL;
  if (!refused(nn_dataset_load(model, path, &loss, 1, NULL, &data)) && nn_dataset_size(data) >= N_EXAMPLES &&
      !refused(nn_session_run(session, loss, data, examples, N_EXAMPLES, NN_GRADIENT)) &&
      !refused(nn_optimiser_new(model, &how, &optimiser)))
    refused(nn_optimiser_step(optimiser, session));
  nn_optimiser_free(optimiser);
  nn_dataset_free(data);
  for (size_t entry = 0; entry < nn_model_entry_count(model); entry++) {
    data = NULL;
    if (!refused(nn_dataset_load(model, path, &entry, 1, NULL, &data)) && nn_dataset_size(data) >= N_EXAMPLES)
      refused(nn_session_run(session, entry, data, examples, N_EXAMPLES, NN_INFER));
    nn_dataset_free(data);
  }
}

static int run_module(struct ir_module *module, const char *path) {
  nn_model *model = NULL;
  nn_session *session = NULL;
  size_t loss = 0;
  int outcome = UNBOUND;
  if (refused(model_from_module(module, &model)))
    return outcome;
  nn_options options = nn_options_default();
  options.threads = 1;
  options.cache_dir = cache;
  if (nn_model_find_entry(model, "loss", &loss) &&
      !refused(nn_model_build_vocabs(model, &path, 1, &loss, 1, NULL)) &&
      !refused(nn_model_bind(model, &options)) && !refused(nn_session_new(model, &session))) {
    nn_limits limits = nn_limits_default();
    limits.turns = MOST_TURNS;
    nn_session_set_limits(session, &limits, NULL);
    run_entries(model, session, path, loss);
    outcome = RAN;
  }
  nn_session_free(session);
  nn_model_free(model);
  return outcome;
}

static int run_mutant(const char *text, const char *path) {
  char *error = NULL;
  struct ir_module *module = ir_parse(text, strlen(text), &error);
  if (module && ir_verify(module, &error))
    return run_module(module, path);
  free(error);
  ir_module_free(module);
  return REFUSED;
}

// ----------------------------------------------------------------------------------------------------- all

static char *print_original(const struct original *original) {
  struct nnc_options how = {.path = original->path};
  struct nnc_result result;
  if (!nnc_compile(&how, &result)) {
    nnc_render(&result, stderr, false);
    fail_msg("%s does not compile", original->path);
  }
  char *text = ir_print(result.module);
  nnc_result_free(&result);
  return text;
}

static void limit_process(void) {
#ifndef __SANITIZE_ADDRESS__
  setrlimit(RLIMIT_AS, &(struct rlimit){MOST_BYTES, MOST_BYTES});
#endif
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  alarm(MOST_SECONDS);
}

static int fork_mutant(const char *mutant, const char *path) {
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    limit_process();
    // What the parent has at hand is no leak of the child.
    _exit(run_mutant(mutant, path));
  }
  int status = 0;
  assert_true(waitpid(child, &status, 0) == child);
  return status;
}

static void mutants_do_no_harm(void **state) {
  const struct original *original = *state;
  char *text = print_original(original);
  unsigned counts[3] = {0};
  for (uint64_t seed = first_seed; seed < first_seed + n_mutants; seed++) {
    char *mutant = make_mutant(text, seed);
    int status = fork_mutant(mutant, original->data);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (code < REFUSED || code > RAN)
      fail_msg("`test_mutants %s %llu` %s%d", original->name, (unsigned long long)seed,
               !WIFSIGNALED(status)          ? "ends with status "
               : WTERMSIG(status) == SIGALRM ? "does not end: signal "
                                             : "dies of signal ",
               WIFSIGNALED(status) ? WTERMSIG(status) : code);
    counts[code - REFUSED]++;
    free(mutant);
  }
  print_message("%-14s %u refused, %u not bound, %u run\n", original->name, counts[0], counts[1], counts[2]);
  free(text);
}

static const struct original *find_original(const char *name) {
  for (size_t i = 0; i < N_ORIGINALS; i++)
    if (strcmp(originals[i].name, name) == 0)
      return &originals[i];
  return NULL;
}

static void remove_cache(void) {
  char *command = NULL;
  if (asprintf(&command, "rm -rf %s", cache) > 0 && system(command) != 0)
    fputs("the cache stays\n", stderr);
  free(command);
}

int main(int argc, char **argv) {
  const struct original *one = argc == 3 ? find_original(argv[1]) : NULL;
  if (one) {
    char *text = print_original(one), *mutant = make_mutant(text, strtoull(argv[2], NULL, 10));
    fputs(mutant, stdout);
    free(mutant);
    free(text);
    return 0;
  }
  if (argc == 3) {
    first_seed = strtoull(argv[1], NULL, 10);
    n_mutants = strtoull(argv[2], NULL, 10);
  }
  if (!mkdtemp(cache))
    return 1;
  struct CMUnitTest tests[N_ORIGINALS];
  for (size_t i = 0; i < N_ORIGINALS; i++)
    tests[i] = (struct CMUnitTest){originals[i].name, mutants_do_no_harm, NULL, NULL, (void *)&originals[i]};
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  remove_cache();
  return failures;
}

// nnc test: the tests that stand in a model's file, each compiled as a module of its own and run as the runtime runs
// models, in f64.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/text.h"
#include "compiler/cli/command_line.h"
#include "compiler/command/command.h"
#include "compiler/nnc.h"
#include "runtime/model/result.h"

struct options {
  const char **paths;
  size_t path_count;
  const char *filter;
  uint64_t seed;
  struct source_options source;
};

enum { KEY_FILTER = 256, KEY_SEED };

static const struct argp_option option_table[] = {
    {"filter", KEY_FILTER, "TEXT", 0, "run only tests in whose names TEXT stands", 1},
    {"seed", KEY_SEED, "N", 0, "of initial values and what is drawn (default 1)", 1},
    SOURCE_OPTIONS,
    COMMAND_OPTIONS,
    {0}};

static const struct command_synonym synonyms[] = {
    {"only", "filter", NULL},
    {"match", "filter", NULL},
    {"name", "filter", NULL},
    {"dim", "define", NULL},
    {"data", NULL, "a test makes its own values; `nnrun eval` runs over data"},
    {"weights", NULL,
     "a test sets parameters by `param W = ...`; `nnrun run` runs a trained model on one example"},
};

static uint64_t parse_seed(const char *text) {
  char *end;
  errno = 0;
  unsigned long long seed = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno == ERANGE)
    usage_error("--seed %s: it is no number", text);
  return seed;
}

static error_t set_option(int key, char *text, struct argp_state *state) {
  struct options *options = state->input;
  switch (key) {
  case KEY_FILTER: options->filter = text; break;
  case KEY_SEED: options->seed = parse_seed(text); break;
  case ARGP_KEY_ARG: options->paths[options->path_count++] = text; break;
  case ARGP_KEY_END:
    if (options->path_count == 0)
      usage_error("test: which file?");
    break;
  default: return source_option(key, text, state, &options->source);
  }
  return 0;
}

static struct options parse_options(int argc, char **argv) {
  struct options options = {
      .seed = 1,
      .source = source_options_new(argc),
      .paths = calloc((size_t)argc, sizeof *options.paths),
  };
  if (!options.paths)
    usage_error("out of memory");
  static const struct argp argp = {option_table,
                                   set_option,
                                   "FILE.nn...",
                                   "Runs the tests that stand in model files, `test NAME { expect a == b }`, "
                                   "in f64 with the parameters' initial "
                                   "values.\vThe exit status is 1 when a test fails or a file has errors "
                                   "or cannot be read, and 2 for a wrong command line.",
                                   NULL,
                                   NULL,
                                   NULL};
  command_check_options(
      argc, argv,
      &(struct command_options){option_table, synonyms, sizeof synonyms / sizeof *synonyms, NULL});
  argp_parse(&argp, argc, argv, 0, NULL, &options);
  return options;
}

// ---- One test -----------------------------------------------------------------------------------------------

struct trial {
  const struct options *options;
  const struct nnc_result *file;
  const struct ast_test *test;
  nn_model *model;
  nn_session *session;
  size_t failures;
};

// Says that the test has failed, once, and where: `model.nn:7:3: ` begins a line.
static void fail_at(struct trial *trial, struct span span) {
  struct source_position position = source_position(&trial->file->sources, span.file, span.lo);
  if (trial->failures++ == 0)
    printf("FAILED  %s\n", trial->test->name.text);
  printf("  %s:%u:%u: ", source_get(&trial->file->sources, span.file)->path, position.line, position.column);
}

static bool check(struct trial *trial, nn_status *status) {
  if (!status)
    return true;
  fail_at(trial, trial->test->name.span);
  printf("%s\n", nn_status_message(status));
  nn_status_free(status);
  return false;
}

static const struct ast_test_vocab *find_vocab(const struct ast_test *test, const char *name) {
  for (size_t i = 0; i < test->vocabs.count; i++)
    if (strcmp(test->vocabs.items[i].name.text, name) == 0)
      return &test->vocabs.items[i];
  return NULL;
}

// The entries that the test gives, behind those that the vocab has in any case. A closed vocab without any gets one: no
// dimension is empty.
static bool fill_vocab(struct trial *trial, struct vocab *vocab, const struct ir_dim *dim) {
  const struct ast_test_vocab *given = find_vocab(trial->test, vocab_name(vocab));
  size_t n_given = given ? given->entries.count : 0, n = 0;
  const char **entries = calloc(n_given + dim->n_members + 1, sizeof *entries);
  if (!entries)
    usage_error("out of memory");
  if (!dim->closed)
    entries[n++] = dim->unknown ? dim->unknown : "<unk>";
  for (uint32_t i = 0; i < dim->n_members; i++)
    entries[n++] = dim->members[i];
  if (n == 0 && n_given == 0)
    entries[n++] = "_";
  for (size_t i = 0; i < n_given; i++)
    entries[n++] = given->entries.items[i].text;
  char *error = NULL;
  bool ok = vocab_set(vocab, entries, n, &error);
  if (!ok) {
    fail_at(trial, given ? given->name.span : trial->test->name.span);
    printf("%s\n", error ? error : "out of memory");
  }
  free(error);
  free(entries);
  return ok;
}

static bool open_model(struct trial *trial, struct ir_module *module) {
  if (!check(trial, model_from_module(module, &trial->model)))
    return false;
  for (uint32_t i = 0; i < module->n_dims; i++)
    if (trial->model->vocabs[i] && !fill_vocab(trial, trial->model->vocabs[i], module->dims[i]))
      return false;
  nn_options how = nn_options_default();
  how.precision = NN_PRECISION_F64;
  how.threads = 1;
  how.seed = trial->options->seed;
  return check(trial, nn_model_bind(trial->model, &how)) &&
         check(trial, nn_session_new(trial->model, &trial->session));
}

// Runs one of the test's functions, whose result is `count` pairs.
static bool run(struct trial *trial, size_t entry) {
  uint32_t line = 1;
  char path[] = "test";
  struct dataset_file file = {path, 0};
  uint64_t no_slots[1] = {0};
  struct nn_dataset no_data = {
      .n_examples = 1, .slots = no_slots, .lines = &line, .n_files = 1, .files = &file};
  size_t example = 0;
  if (!check(trial, nn_session_run(trial->session, entry, &no_data, &example, 1, NN_INFER)))
    return false;
  const char *error = nn_session_error(trial->session, 0);
  if (!error)
    return true;
  if (trial->failures++ == 0)
    printf("FAILED  %s\n", trial->test->name.text);
  printf("  %s\n", error);  // it begins with its position
  return false;
}

struct pair {
  const struct ir_type *type;
  const uint64_t *slots[2];
};

// The i-th of the `count` pairs that the last run gave: a list, or as many in a tuple.
static struct pair pair_at(const struct trial *trial, size_t i, size_t count) {
  const struct ir_type *result = trial->session->entry->result;
  const struct ir_type *type = count == 1 ? result : result->tuple.fields[i].type;
  const struct value_list *list =
      (const struct value_list *)(uintptr_t)trial->session->examples[0].run.results[i];
  uint64_t width = ir_type_width(type->element);
  const uint64_t *slots = list->buffer->slots + list->offset * width;
  return (struct pair){type->element, {slots, slots + width}};
}

// ---- What the test gives the model --------------------------------------------------------------------------

// `stack[0].W` as the parameter is called: stack.0.W.
static void write_path(const struct ast_expr *target, FILE *out) {
  switch (target->kind) {
  case AST_EXPR_FIELD:
    write_path(target->field.base, out);
    fprintf(out, ".%s", target->field.name.text);
    break;
  case AST_EXPR_INDEX:
    write_path(target->index.base, out);
    fprintf(out, ".%" PRId64, target->index.index->integer);
    break;
  default: fputs(target->name.name.text, out); break;
  }
}

static bool find_param(const nn_model *model, const char *name, size_t *param) {
  for (*param = 0; *param < nn_model_param_count(model); ++*param)
    if (strcmp(nn_model_param(model, *param).name, name) == 0)
      return true;
  return false;
}

static bool set_param(struct trial *trial, const struct ast_setting *setting, const double *values) {
  struct text name;
  FILE *out = text_open(&name);
  if (!out)
    usage_error("out of memory");
  write_path(setting->pair->items.items[0], out);
  char *path = text_close(&name);
  if (!path)
    usage_error("out of memory");
  size_t param;
  bool ok = find_param(trial->model, path, &param);
  if (ok) {
    size_t n = nn_model_param(trial->model, param).elements;
    ok = check(trial, nn_model_write_param(trial->model, param, 0, n, values));
  } else {
    fail_at(trial, setting->span);
    printf("there is no parameter %s\n", path);
  }
  free(path);
  return ok;
}

// All values are computed with the initial ones before any is set.
static bool set_params(struct trial *trial) {
  const struct ast_settings *settings = &trial->test->settings;
  size_t count = settings->count;
  if (count == 0)
    return true;
  if (!run(trial, 0))
    return false;
  double **values = calloc(count, sizeof *values);
  if (!values)
    usage_error("out of memory");
  for (size_t i = 0; i < count; i++) {
    struct pair pair = pair_at(trial, i, count);
    size_t n = model_elements(trial->model, pair.type);
    values[i] = calloc(n + 1, sizeof **values);
    if (!values[i])
      usage_error("out of memory");
    for (size_t k = 0; k < n; k++)
      values[i][k] = session_element(trial->session, (uint32_t)pair.slots[1][0], k);
  }
  bool ok = true;
  for (size_t i = 0; i < count; i++) {
    ok = ok && set_param(trial, &settings->items[i], values[i]);
    free(values[i]);
  }
  free(values);
  return ok;
}

// ---- Expectations -------------------------------------------------------------------------------------------

static double number_of(const struct trial *trial, const struct ir_type *type, const uint64_t *slots) {
  double number;
  switch (type->kind) {
  case IR_FLOAT: memcpy(&number, slots, sizeof number); return number;
  case IR_TENSOR: return session_element(trial->session, (uint32_t)slots[0], 0);
  default: return (double)(int64_t)slots[0];
  }
}

// a < b; ints exactly.
static bool is_less(const struct trial *trial, const struct ir_type *type, const uint64_t *a,
                    const uint64_t *b) {
  if (type->kind == IR_INT)
    return (int64_t)a[0] < (int64_t)b[0];
  return number_of(trial, type, a) < number_of(trial, type, b);
}

static double tolerance_of(const struct ast_expr *tolerance) {
  if (!tolerance)
    return 0;
  return tolerance->kind == AST_EXPR_INT ? (double)tolerance->integer : tolerance->floating;
}

static bool holds(const struct trial *trial, const struct ast_expectation *expectation,
                  const struct pair *pair) {
  const uint64_t *a = pair->slots[0], *b = pair->slots[1];
  if (expectation->is_condition)
    return a[0] != 0;
  bool equal = result_equal(trial->session, pair->type, a, b, tolerance_of(expectation->tolerance));
  switch (expectation->op) {
  case AST_BINARY_EQUAL: return equal;
  case AST_BINARY_NOT_EQUAL: return !equal;
  case AST_BINARY_LESS: return is_less(trial, pair->type, a, b);
  case AST_BINARY_GREATER: return is_less(trial, pair->type, b, a);
  case AST_BINARY_LESS_EQUAL: return equal || is_less(trial, pair->type, a, b);
  default: return equal || is_less(trial, pair->type, b, a);
  }
}

static void show_failure(struct trial *trial, const struct ast_expectation *expectation,
                         const struct pair *pair) {
  const struct source_file *source = source_get(&trial->file->sources, expectation->span.file);
  const char *text = source->text + expectation->span.lo;
  int length = (int)(expectation->span.hi - expectation->span.lo), line = (int)strcspn(text, "\r\n");
  fail_at(trial, expectation->span);
  printf("%.*s%s\n", line < length ? line : length, text, line < length ? " ..." : "");
  for (int side = 0; side < (expectation->is_condition ? 1 : 2); side++) {
    fputs(expectation->is_condition ? "    it is  " : side ? "    right  " : "    left   ", stdout);
    result_write(trial->session, pair->type, pair->slots[side], false, stdout);
    putchar('\n');
  }
}

static void run_test(struct trial *trial, struct ir_module *module) {
  const struct ast_expectations *expectations = &trial->test->expectations;
  if (!open_model(trial, module) || !set_params(trial) || !run(trial, trial->test->setup ? 1 : 0))
    return;
  for (size_t i = 0; i < expectations->count; i++) {
    struct pair pair = pair_at(trial, i, expectations->count);
    if (!holds(trial, &expectations->items[i], &pair))
      show_failure(trial, &expectations->items[i], &pair);
  }
}

// ---- Files --------------------------------------------------------------------------------------------------

static struct nnc_options compile_options(const struct options *options, const char *path) {
  struct nnc_options how = {.path = path, .stop_after = NNC_STAGE_LOWERED, .keep_paths = true};
  source_options_use(&options->source, &how);
  return how;
}

// Whether the test passed.
static bool try_test(const struct options *options, const char *path, const struct nnc_result *file,
                     const struct ast_test *test) {
  struct nnc_options how = compile_options(options, path);
  struct nnc_result compiled;
  struct trial trial = {.options = options, .file = file, .test = test};
  how.test = test->name.text;
  how.stop_after = NNC_STAGE_ALL;
  if (nnc_compile(&how, &compiled)) {
    run_test(&trial, nnc_take_module(&compiled));
  } else {
    fail_at(&trial, test->name.span);
    puts("it cannot be compiled");
    nnc_render(&compiled, stderr, options->source.colour);
  }
  nnc_result_free(&compiled);
  nn_session_free(trial.session);
  nn_model_free(trial.model);
  if (trial.failures == 0)
    printf("ok      %s\n", test->name.text);
  fflush(stdout);
  return trial.failures == 0;
}

static int test_file(const struct options *options, const char *path) {
  struct nnc_options how = compile_options(options, path);
  struct nnc_result file;
  bool ok = nnc_compile(&how, &file);
  nnc_render(&file, stderr, options->source.colour);
  int status = ok ? EXIT_SUCCESS : EXIT_FAILED;
  const struct ast_decls *decls = ok ? &nnc_main_file(&file)->decls : &(struct ast_decls){0};
  size_t n = 0, n_run = 0, n_failed = 0;
  for (size_t i = 0; i < decls->count; i++) {
    const struct ast_test *test = decls->items[i]->kind == AST_DECL_FN ? decls->items[i]->fn->test : NULL;
    if (!test || decls->items[i]->fn != test->body)
      continue;
    n++;
    if (options->filter && !strstr(test->name.text, options->filter))
      continue;
    n_run++;
    n_failed += !try_test(options, path, &file, test);
  }
  if (ok && n == 0)
    printf("%s: no tests\n", path);
  else if (ok && n_run == 0)
    printf("%s: none of %zu test%s has a name with `%s` in it\n", path, n, n == 1 ? "" : "s",
           options->filter);
  else if (ok)
    printf("%s: %zu of %zu test%s passed\n", path, n_run - n_failed, n_run, n_run == 1 ? "" : "s");
  bool is_filter_idle = ok && n > 0 && n_run == 0;
  nnc_result_free(&file);
  return n_failed > 0 || is_filter_idle ? EXIT_FAILED : status;
}

int command_test(int argc, char **argv) {
  struct options options = parse_options(argc, argv);
  int status = EXIT_SUCCESS;
  for (size_t i = 0; i < options.path_count; i++) {
    int one = test_file(&options, options.paths[i]);
    status = one > status ? one : status;
  }
  free(options.paths);
  source_options_free(&options.source);
  return status;
}

// Random well-typed programs through the compiler and the runtime, against the interpreter of eval.c: every example's loss, the
// derivative of their sum along a random direction, and the same bits under every policy of batching, batch size and number
// of threads. A program that is wrong is reduced and printed with its seed.
//
// usage: fuzz_programs SECONDS [FIRST-SEED]     one program after the other, 0: only the first
//        fuzz_programs --self-test              a wrong derivative must be found
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compiler/nnc.h"
#include "runtime/model/model.h"
#include "runtime/nn.h"
#include "tests/fuzz/programs/program.h"
#include "tests/runtime/param_values.h"

enum { N_EXAMPLES = 8, REDUCTION_SECONDS = 90 };

const char *const param_names[N_PARAMS] = {"E",         "C",         "D",        "W0",     "W1",
                                           "b0",        "b1",        "cell.W",   "cell.b", "stack.0.W",
                                           "stack.0.b", "stack.1.W", "stack.1.b"};

enum verdict { RIGHT, NO_VERDICT, DOES_NOT_COMPILE, FAILS, WRONG_VALUE, OTHER_BITS, WRONG_DERIVATIVE };

static uint64_t seed;
static char message[4096];
static char folder[] = "/tmp/nn-fuzz-XXXXXX";

static enum verdict say(enum verdict verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

static enum verdict say(enum verdict verdict, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return verdict;
}

// Our own calls are right; what fails here is a fault of the test.
static void check(nn_status *status) {
  if (status == NULL)
    return;
  fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, nn_status_message(status));
  exit(1);
}

// ---- data ----

static uint64_t random_state;

static uint32_t pick(uint32_t n) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ z >> 31) >> 33) % n;
}

// Words are letters here, numbers of the vocabulary later.
static struct tree *make_tree(int depth) {
  struct tree *tree = program_alloc(sizeof *tree);
  tree->word = (int)pick(N_WORDS - 1);
  if (depth > 0 && pick(4)) {
    tree->left = make_tree(depth - 1);
    tree->right = make_tree(depth - 1);
  }
  return tree;
}

static void write_tree(FILE *out, const struct tree *tree) {
  if (tree->left == NULL) {
    fprintf(out, "{\"Leaf\": {\"word\": \"%c\"}}", 'a' + tree->word);
    return;
  }
  fputs("{\"Node\": {\"left\": ", out);
  write_tree(out, tree->left);
  fputs(", \"right\": ", out);
  write_tree(out, tree->right);
  fprintf(out, ", \"word\": \"%c\"}}", 'a' + tree->word);
}

static void make_example(struct fuzz_example *example, int number) {
  *example =
      (struct fuzz_example){.n_words = 1 + (int)pick(5), .tag = (int)pick(N_TAGS), .k = (int)pick(9) - 2};
  for (int i = 0; i < example->n_words; i++)
    example->words[i] = (int)pick(N_WORDS - 1);
  example->words[0] = number % (N_WORDS - 1);  // so that all occur
  example->tree = make_tree((int)pick(4));
}

static void write_example(FILE *out, const struct fuzz_example *example) {
  fputs("{\"words\": [", out);
  for (int i = 0; i < example->n_words; i++)
    fprintf(out, "%s\"%c\"", i > 0 ? ", " : "", 'a' + example->words[i]);
  fprintf(out, "], \"tag\": \"T%d\", \"k\": %" PRId64 ", \"tree\": ", example->tag, example->k);
  write_tree(out, example->tree);
  fputs("}\n", out);
}

static void number_tree(struct tree *tree, const int *numbers) {
  tree->word = numbers[tree->word];
  if (tree->left != NULL) {
    number_tree((struct tree *)(uintptr_t)tree->left, numbers);
    number_tree((struct tree *)(uintptr_t)tree->right, numbers);
  }
}

// ---- one program ----

struct trial {
  const struct program *program;
  char *text;
  char data_path[64];
  struct fuzz_example examples[N_EXAMPLES];
  nn_model *model;
  nn_session *session;
  nn_dataset *data;
  size_t loss, number;
  struct parameters parameters;
  struct number expected[N_EXAMPLES];
  size_t sound[N_EXAMPLES], n_sound;  // examples with a verdict
  double bits[N_EXAMPLES];            // of the first run
  double derivative;
};

static bool compile(struct trial *t, struct ir_module **module) {
  const char *stdlib[] = {"stdlib"};
  struct nnc_options how = {.path = "fuzz.nn",
                            .text = t->text,
                            .text_length = strlen(t->text),
                            .stdlib_dirs = stdlib,
                            .stdlib_dir_count = 1};
  struct nnc_result result;
  bool compiled = nnc_compile(&how, &result);
  if (compiled)
    *module = nnc_take_module(&result);
  else
    nnc_render(&result, stderr, false);
  nnc_result_free(&result);
  return compiled;
}

static bool open_model(struct trial *t, int threads, nn_precision precision) {
  struct ir_module *module;
  if (!compile(t, &module))
    return false;
  check(model_from_module(module, &t->model));
  if (!nn_model_find_entry(t->model, "loss", &t->loss) ||
      !nn_model_find_entry(t->model, "number", &t->number))
    abort();
  check(nn_model_build_vocabs(t->model, (const char *[]){t->data_path}, 1, &t->loss, 1, NULL));
  nn_options options = nn_options_default();
  options.precision = precision;
  options.threads = threads;
  options.seed = seed;
  options.cache_dir = folder;
  check(nn_model_bind(t->model, &options));
  check(nn_session_new(t->model, &t->session));
  check(nn_dataset_load(t->model, t->data_path, &t->loss, 1, NULL, &t->data));
  return true;
}

static void close_model(struct trial *t) {
  nn_dataset_free(t->data);
  nn_session_free(t->session);
  nn_model_free(t->model);
  t->model = NULL;
}

static void write_data(struct trial *t) {
  random_state = seed;
  snprintf(t->data_path, sizeof t->data_path, "%s/data.jsonl", folder);
  FILE *out = fopen(t->data_path, "w");
  if (out == NULL)
    abort();
  for (int i = 0; i < N_EXAMPLES; i++) {
    make_example(&t->examples[i], i);
    write_example(out, &t->examples[i]);
  }
  fclose(out);
}

// Letters to the vocabulary's numbers, which the model is asked for.
static void number_words(struct trial *t) {
  int numbers[N_WORDS];
  for (size_t i = 0; i < N_WORDS - 1; i++) {
    check(nn_session_run(t->session, t->number, t->data, &i, 1, NN_INFER));
    numbers[i] = (int)nn_session_number(t->session, 0);
  }
  for (int i = 0; i < N_EXAMPLES; i++) {
    for (int j = 0; j < t->examples[i].n_words; j++)
      t->examples[i].words[j] = numbers[t->examples[i].words[j]];
    number_tree((struct tree *)(uintptr_t)t->examples[i].tree, numbers);
  }
}

static int param_of(const char *name) {
  for (int i = 0; i < N_PARAMS; i++)
    if (strcmp(param_names[i], name) == 0)
      return i;
  abort();
}

static void read_parameters(struct trial *t) {
  for (size_t p = 0; p < nn_model_param_count(t->model); p++) {
    nn_param_info info = nn_model_param(t->model, p);
    struct number *values = program_alloc(info.elements * sizeof *values);
    double *read = param_values(t->model, p);
    for (size_t i = 0; i < info.elements; i++)
      values[i] = (struct number){read[i], (double)pick(2001) / 1000 - 1};
    free(read);
    t->parameters.values[param_of(info.name)] = values;
  }
}

// Along the direction, of the last backward pass.
static double derivative(const struct trial *t) {
  double sum = 0;
  for (size_t p = 0; p < nn_model_param_count(t->model); p++) {
    nn_param_info info = nn_model_param(t->model, p);
    const struct number *values = t->parameters.values[param_of(info.name)];
    double *gradients = param_gradients(t->model, p);
    for (size_t i = 0; i < info.elements; i++)
      sum += gradients[i] * values[i].d;
    free(gradients);
  }
  return sum;
}

// Runs the sound examples in minibatches and compares. `name` says how.
static enum verdict run(struct trial *t, size_t batch, nn_mode mode, bool is_first, const char *name) {
  double along = 0;
  for (size_t begin = 0; begin < t->n_sound; begin += batch) {
    size_t n = t->n_sound - begin < batch ? t->n_sound - begin : batch;
    check(nn_session_run(t->session, t->loss, t->data, t->sound + begin, n, mode));
    for (size_t i = 0; i < n; i++) {
      size_t e = t->sound[begin + i];
      double got = nn_session_number(t->session, i), want = t->expected[e].v;
      if (nn_session_error(t->session, i) != NULL)
        return say(FAILS, "%s, example %zu: %s", name, e, nn_session_error(t->session, i));
      if (is_first)
        t->bits[e] = got;
      if (!(fabs(got - want) <= 1e-9 * (1 + fabs(want))))
        return say(WRONG_VALUE, "%s, example %zu: %.17g, not %.17g", name, e, got, want);
      if (memcmp(&got, &t->bits[e], sizeof got) != 0)
        return say(OTHER_BITS, "%s, example %zu: %.17g, elsewhere %.17g", name, e, got, t->bits[e]);
    }
    if (mode == NN_GRADIENT) {
      check(nn_session_backward(t->session, 1));
      along += derivative(t);
    }
  }
  if (mode == NN_GRADIENT && !(fabs(along - t->derivative) <= 1e-7 * (1 + fabs(t->derivative))))
    return say(WRONG_DERIVATIVE, "%s: the derivative is %.12g, not %.12g", name, along, t->derivative);
  return RIGHT;
}

static enum verdict run_everywhere(struct trial *t) {
  static const nn_autobatch policies[] = {NN_AUTOBATCH_OFF, NN_AUTOBATCH_DEPTH, NN_AUTOBATCH_AGENDA,
                                          NN_AUTOBATCH_AUTO};
  static const char *const names[] = {"off", "depth", "agenda", "auto"};
  enum verdict verdict = RIGHT;
  for (int p = 0; p < 4; p++)
    for (size_t batch = 1; batch <= N_EXAMPLES && verdict == RIGHT; batch += batch == 1 ? 2 : 5) {
      char name[64];
      snprintf(name, sizeof name, "--autobatch %s --batch %zu", names[p], batch);
      nn_session_set_autobatch(t->session, policies[p]);
      verdict = run(t, batch, NN_GRADIENT, p == 0 && batch == 1, name);
    }
  if (verdict == RIGHT)
    verdict = run(t, N_EXAMPLES, NN_INFER, false, "inference");
  close_model(t);
  if (verdict != RIGHT || !open_model(t, 3, NN_PRECISION_F64))
    return verdict;
  verdict = run(t, N_EXAMPLES, NN_GRADIENT, false, "--threads 3");
  close_model(t);
  return verdict;
}

static enum verdict try_program(const struct program *program) {
  struct trial *t = program_alloc(sizeof *t);
  size_t size;
  t->program = program;
  FILE *out = open_memstream(&t->text, &size);
  program_print(out, program);
  fclose(out);
  write_data(t);
  enum verdict verdict = say(DOES_NOT_COMPILE, "it does not compile");
  if (open_model(t, 1, NN_PRECISION_F64)) {
    number_words(t);
    read_parameters(t);
    for (size_t i = 0; i < N_EXAMPLES; i++)
      if (program_eval(program, &t->parameters, &t->examples[i], &t->expected[i])) {
        t->sound[t->n_sound++] = i;
        t->derivative += t->expected[i].d;
      }
    if (t->n_sound > 0) {
      verdict = run_everywhere(t);
    } else {
      close_model(t);
      verdict = NO_VERDICT;
    }
  }
  free(t->text);
  return verdict;
}

// ---- reduction ----

struct parts {
  struct stmt *stmts[4096];
  struct expr *exprs[16384];
  int n_stmts, n_exprs;
};

static void collect_expr(struct parts *parts, struct expr *e) {
  if (e == NULL || parts->n_exprs == 16384)
    return;
  parts->exprs[parts->n_exprs++] = e;
  for (int i = 0; i < MAX_PARAMETERS; i++)
    collect_expr(parts, e->args[i]);
}

static void collect_body(struct parts *parts, struct stmt *s) {
  for (; s != NULL && parts->n_stmts < 4096; s = s->next) {
    if (s->off)
      continue;
    parts->stmts[parts->n_stmts++] = s;
    collect_expr(parts, s->a);
    collect_expr(parts, s->b);
    collect_expr(parts, s->c);
    collect_body(parts, s->body);
    collect_body(parts, s->other);
    collect_body(parts, s->third);
  }
}

static void collect(struct parts *parts, struct program *program) {
  parts->n_stmts = parts->n_exprs = 0;
  for (int i = program->n_functions - 1; i >= 0; i--) {
    struct function *f = &program->functions[i];
    collect_body(parts, f->body);
    collect_body(parts, f->inner);
    struct expr *all[] = {f->result, f->inner_result, f->down[0], f->down[1]};
    for (int j = 0; j < 4; j++)
      collect_expr(parts, all[j]);
  }
}

// An operand in place of the expression, or b0, or a small number.
static bool replace(struct expr *e, int choice) {
  struct expr old = *e;
  if (choice < MAX_PARAMETERS) {
    if (old.form == VARIABLE || old.args[choice] == NULL || old.args[choice]->type != old.type)
      return false;
    *e = *old.args[choice];
    return true;
  }
  enum form leaf = e->type == VEC   ? VEC_B0
                   : e->type == INT ? INT_CONSTANT
                   : e->type == TAG ? TAG_CONSTANT
                                    : N_FORMS;
  if (leaf == N_FORMS || old.form == leaf || old.form == VARIABLE)
    return false;
  *e = (struct expr){.form = leaf, .type = old.type, .integer = 1};
  return true;
}

// As long as it shows the same fault, the program gets smaller.
static void reduce(struct program *program, enum verdict fault) {
  time_t end = time(NULL) + REDUCTION_SECONDS;
  struct parts *parts = program_alloc(sizeof *parts);
  int saved = dup(2), silence = open("/dev/null", O_WRONLY);  // of programs that do not compile
  dup2(silence, 2);
  for (bool smaller = true; smaller && time(NULL) < end;) {
    smaller = false;
    collect(parts, program);
    for (int i = 0; i < parts->n_stmts && time(NULL) < end; i++) {
      parts->stmts[i]->off = true;
      if (try_program(program) == fault)
        smaller = true;
      else
        parts->stmts[i]->off = false;
    }
    collect(parts, program);
    for (int i = 0; i < parts->n_exprs && time(NULL) < end; i++)
      for (int choice = 0; choice <= MAX_PARAMETERS; choice++) {
        struct expr old = *parts->exprs[i];
        if (!replace(parts->exprs[i], choice))
          continue;
        if (try_program(program) == fault) {
          smaller = true;
          break;
        }
        *parts->exprs[i] = old;
      }
  }
  dup2(saved, 2);
  close(saved);
  close(silence);
}

// ---- the run ----

static void die(int signal_number) {
  char text[96];
  int n = snprintf(text, sizeof text, "seed %" PRIu64 ": signal %d\n", seed, signal_number);
  if (write(2, text, (size_t)n) < 0)
    _exit(3);
  _exit(2);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type, (void)walk;
  return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

static void report(struct program *program, enum verdict verdict) {
  printf("seed %" PRIu64 ": %s\n", seed, message);
  reduce(program, verdict);
  verdict = try_program(program);
  printf("reduced: %s\n", message);
  program_print(stdout, program);
}

// A derivative that is 1 % wrong must be found, whichever it is, and soon.
static bool self_test(void) {
  static const enum form wrong[] = {VEC_TANH, VEC_SIGMOID, VEC_ERF, NUM_SQRT, VEC_SOFTPLUS};
  enum { MOST = 60 };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    program_eval_wrong = wrong[i];
    enum verdict verdict = RIGHT;
    for (seed = 1; seed <= MOST && verdict != WRONG_DERIVATIVE; seed++) {
      verdict = try_program(program_make(seed));
      program_free_all();
    }
    if (verdict != WRONG_DERIVATIVE) {
      printf("a wrong derivative of %s was not found\n", program_form_text(wrong[i]));
      return false;
    }
    printf("%s, by program %" PRIu64 ": %s\n", program_form_text(wrong[i]), seed - 1, message);
  }
  return true;
}

int main(int argc, char **argv) {
  signal(SIGSEGV, die);
  signal(SIGABRT, die);
  signal(SIGFPE, die);
  if (mkdtemp(folder) == NULL)
    return 1;
  atexit(remove_folder);
  if (argc > 1 && strcmp(argv[1], "--self-test") == 0)
    return self_test() ? 0 : 1;
  time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 60);
  uint64_t n = 0, n_without = 0;
  seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  do {
    struct program *program = program_make(seed);
    enum verdict verdict = try_program(program);
    if (verdict > NO_VERDICT) {
      report(program, verdict);
      return 1;
    }
    program_free_all();
    n++;
    n_without += verdict == NO_VERDICT;
    seed++;
  } while (time(NULL) < end);
  printf("%" PRIu64 " programs are right, %" PRIu64 " of them without a verdict\n", n, n_without);
  return n_without * 2 < n + 1 ? 0 : 1;
}

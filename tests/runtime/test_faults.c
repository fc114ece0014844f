// Memory runs out in the runtime: for every N the Nth allocation of a step fails, and the step ends in a status or in
// success, never in an abort, damages no file and leaves no memory behind. Each try runs in a child of its own, from the same state. LLVM's own
// allocations are left alone, because it does not survive it (nn.h).
//
// Linked with --wrap, so that allocations of the library's own code come here. NN_FAULT_STRIDE=k tries every k-th (1 by
// hand; the number of tries is printed).
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/nnc.h"
#include "runtime/base/status.h"
#include "runtime/model/model.h"
#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);

// Allocations until one fails; negative: none does.
static long countdown = -1;

static bool fails_now(void) { return countdown > 0 && --countdown == 0; }

// What was allocated and not freed: nothing may be left in the end. A set of addresses, open addressing.
enum { MOST_HELD = 1 << 20 };
static uintptr_t held[MOST_HELD];
static size_t n_held;

static size_t slot_of(uintptr_t address) {
  size_t slot = (address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 44;
  while (held[slot] && held[slot] != address)
    slot = (slot + 1) % MOST_HELD;
  return slot;
}

static void *note(void *memory) {
  if (!memory)
    return NULL;
  held[slot_of((uintptr_t)memory)] = (uintptr_t)memory;
  if (++n_held > MOST_HELD / 2)
    abort();
  return memory;
}

// Memory of other libraries is freed here, too.
static void forget(void *memory) {
  size_t slot = slot_of((uintptr_t)memory);
  if (!memory || !held[slot])
    return;
  held[slot] = 0;
  n_held--;
  for (size_t next = (slot + 1) % MOST_HELD; held[next]; next = (next + 1) % MOST_HELD) {
    uintptr_t moved = held[next];
    held[next] = 0;
    held[slot_of(moved)] = moved;
  }
}

void *__wrap_malloc(size_t size) { return fails_now() ? NULL : note(__real_malloc(size)); }
void *__wrap_calloc(size_t count, size_t size) {
  return fails_now() ? NULL : note(__real_calloc(count, size));
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  return fails_now() ? NULL : note(__real_aligned_alloc(alignment, size));
}
void *__wrap_realloc(void *old, size_t size) {
  if (fails_now())
    return NULL;
  forget(old);
  return note(__real_realloc(old, size));
}
char *__wrap_strdup(const char *text) { return fails_now() ? NULL : note(__real_strdup(text)); }
char *__wrap_strndup(const char *text, size_t length) {
  return fails_now() ? NULL : note(__real_strndup(text, length));
}
void __wrap_free(void *memory) {
  forget(memory);
  __real_free(memory);
}

static const char source[] =
    "dim D = 4\nvocab Word\nvocab Part(of = s, members = [\"<s>\"])\nenum Tag { B, I }\n"
    "param E: f32[Word, D]\nparam W: f32[D, D]\nparam b: f32[D]\nparam P: f32[Part, D]\n"
    "fn loss(words: [Word], x: float, s: text) -> f32 {\n  var h = b\n  for w in words {\n"
    "    h = tanh(W @ h + E[w])\n  }\n  for p in parts(s + \" <s>\") {\n    h = h + P[p]\n  }\n"
    "  let names = [text(w) for w in words] + [text(B)]\n"
    "  sum(h) * x * len(join(names, s[0..1]))\n}\n"
    "fn parts(s: text) -> [Part] { [Part(nfc(nfd(lower(t)))) for t in split(s, \" \")] }\n";
static const char data[] = "{\"words\": [\"a\", \"b\", \"c\"], \"x\": 1, \"s\": \"a B\"}\n"
                           "{\"words\": [], \"x\": 2, \"s\": \"n\xc3\xa4h\"}\n"
                           "{\"words\": [\"c\", \"a\", \"d\", \"e\"], \"x\": 0.5, \"s\": \"b\"}\n";

struct world {
  char folder[64], data[96], weights[96], module[96];
  nn_model *model;  // bound, or NULL
  nn_model *unbound;
  nn_model *ready;  // to be bound
  nn_model *cold;   // bound, without a kernel
  nn_dataset *set;
  nn_session *session;
  nn_optimiser *optimiser;
};

static void check(nn_status *status) {
  if (status)
    fail_msg("%s", nn_status_message(status));
}

static nn_model *compile(void) {
  struct nnc_options how = {.path = "test.nn", .text = source, .text_length = strlen(source)};
  struct nnc_result result;
  assert_true(nnc_compile(&how, &result));
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  nn_model *model;
  check(model_from_module(module, &model));
  return model;
}

static const size_t entry = 0, examples[] = {0, 1, 2};

static void open_world(struct world *world) {
  strcpy(world->folder, "/tmp/nn-faults-XXXXXX");
  assert_non_null(mkdtemp(world->folder));
  snprintf(world->data, sizeof world->data, "%s/data.jsonl", world->folder);
  snprintf(world->weights, sizeof world->weights, "%s/w.safetensors", world->folder);
  FILE *file = fopen(world->data, "w");
  fputs(data, file);
  fclose(file);
  const char *paths[] = {world->data};
  world->model = compile();
  world->unbound = compile();
  char *error = NULL;
  snprintf(world->module, sizeof world->module, "%s/m.nnb", world->folder);
  assert_true(ir_module_write(world->model->module, world->module, &error));
  check(nn_model_build_vocabs(world->model, paths, 1, &entry, 1, NULL));
  nn_options options = nn_options_default();
  options.threads = 1;
  options.cache_dir = "";
  check(nn_model_bind(world->model, &options));
  world->ready = compile();
  world->cold = compile();
  check(nn_model_build_vocabs(world->ready, paths, 1, &entry, 1, NULL));
  check(nn_model_build_vocabs(world->cold, paths, 1, &entry, 1, NULL));
  check(nn_model_bind(world->cold, &options));
  check(nn_dataset_load(world->model, world->data, &entry, 1, NULL, &world->set));
  check(nn_session_new(world->model, &world->session));
  nn_optimiser_options how = nn_optimiser_default(NN_ADAM);
  check(nn_optimiser_new(world->model, &how, &world->optimiser));
  double loss;
  size_t failed;
  check(nn_session_train(world->session, world->optimiser, entry, world->set, examples, 3, NN_LOSS_MEAN,
                         &loss, &failed));
  check(nn_session_run(world->session, entry, world->set, examples, 3, NN_INFER));
  check(nn_model_save(world->model, world->weights));
}

static void free_world(struct world *world) {
  nn_optimiser_free(world->optimiser);
  nn_session_free(world->session);
  nn_dataset_free(world->set);
  nn_model_free(world->model);
  nn_model_free(world->unbound);
  nn_model_free(world->ready);
  nn_model_free(world->cold);
}

// Also its files.
static void close_world(struct world *world) {
  free_world(world);
  unlink(world->data);
  unlink(world->weights);
  unlink(world->module);
  assert_int_equal(rmdir(world->folder), 0);
}

typedef nn_status *step_fn(struct world *);

static nn_status *open_model(struct world *world) {
  nn_model *model = NULL;
  nn_status *status = nn_model_open(world->module, &model);
  nn_model_free(model);
  return status;
}

static nn_status *open_damaged(struct world *world) {
  nn_model *model = NULL;
  nn_status *status = nn_model_open(world->data, &model);
  if (!status || !strstr(nn_status_message(status), "no compiled model"))
    return status;
  nn_status_free(status);
  return NULL;  // it says what it has to say
}

static nn_status *vocabs(struct world *world) {
  const char *paths[] = {world->data};
  return nn_model_build_vocabs(world->unbound, paths, 1, &entry, 1, NULL);
}

static nn_status *metadata(struct world *world) {
  return nn_model_load_metadata(world->unbound, world->weights);
}

// Sizes, parameters, the code of the control flow; freed, whatever became of it.
static nn_status *bind(struct world *world) {
  nn_options options = nn_options_default();
  options.threads = 1;
  options.cache_dir = "";
  nn_status *status = nn_model_bind(world->ready, &options);
  if (status) {
    nn_model_free(world->ready);
    world->ready = NULL;
  }
  return status;
}

// The first minibatch of a model: its kernels are compiled.
static nn_status *compile_kernels(struct world *world) {
  nn_session *session = NULL;
  nn_dataset *set = NULL;
  nn_status *status = nn_session_new(world->cold, &session);
  if (!status)
    status = nn_dataset_load(world->cold, world->data, &entry, 1, NULL, &set);
  if (!status)
    status = nn_session_run(session, entry, set, examples, 3, NN_TRAIN);
  nn_session_free(session);
  nn_dataset_free(set);
  return status;
}

// What a run did, for reports. Their answers are empty without memory.
static nn_status *view(struct world *world) {
  for (size_t i = 0; i < nn_session_node_count(world->session); i++)
    nn_session_node(world->session, i);
  for (size_t i = 0; i < nn_session_batch_count(world->session); i++)
    nn_session_batch(world->session, i);
  return NULL;
}

static nn_status *write_module(struct world *world) {
  char *error = NULL;
  nn_status *status = ir_module_write(world->model->module, world->module, &error)
                          ? NULL
                          : status_new(NN_IO, "%s", error ? error : "out of memory");
  free(error);
  return status;
}

static nn_status *load_data(struct world *world) {
  nn_dataset *set = NULL;
  nn_status *status = nn_dataset_load(world->model, world->data, &entry, 1, NULL, &set);
  nn_dataset_free(set);
  return status;
}

static nn_status *parse_values(struct world *world) {
  static const char *const texts[][3] = {{"a b", "1", "a text"}, {"[\"a\"]", "0.5", "\"\""}};
  nn_dataset *set = NULL;
  nn_status *status = nn_dataset_parse(world->model, entry, texts[0], 3, &set);
  nn_dataset_free(set);
  set = NULL;
  if (!status)
    status = nn_dataset_parse(world->model, entry, texts[1], 3, &set);
  nn_dataset_free(set);
  return status;
}

static nn_status *append_data(struct world *world) {
  size_t before = nn_dataset_size(world->set);
  nn_status *status = nn_dataset_append(world->model, world->set, world->data, NULL);
  if (nn_dataset_size(world->set) != before + (status ? 0 : 3))
    abort();
  return status;
}

static nn_status *new_session(struct world *world) {
  nn_session *session = NULL;
  nn_status *status = nn_session_new(world->model, &session);
  nn_session_free(session);
  return status;
}

// In a session that is new, so that every array has to grow.
static nn_status *run_in(struct world *world, nn_mode mode, bool backward) {
  nn_session *session = NULL;
  nn_status *status = nn_session_new(world->model, &session);
  if (!status)
    status = nn_session_run(session, entry, world->set, examples, 3, mode);
  if (!status && backward)
    status = nn_session_backward(session, 1);
  for (size_t i = 0; !status && i < 3; i++)
    free(nn_session_json(session, i));
  nn_session_free(session);
  return status;
}

static nn_status *predict(struct world *world) { return run_in(world, NN_INFER, false); }
static nn_status *backward(struct world *world) { return run_in(world, NN_TRAIN, true); }

static nn_status *train(struct world *world) {
  double loss;
  size_t failed;
  return nn_session_train(world->session, world->optimiser, entry, world->set, examples, 3, NN_LOSS_MEAN,
                          &loss, &failed);
}

static nn_status *evaluate(struct world *world) {
  return nn_session_run(world->session, entry, world->set, examples, 3, NN_INFER);
}

static nn_status *save(struct world *world) { return nn_model_save(world->model, world->weights); }

static nn_status *load(struct world *world) { return nn_model_load_weights(world->model, world->weights); }

static nn_status *init(struct world *world) {
  char *report = NULL;
  nn_status *status = nn_model_init_weights(world->model, world->weights, &report);
  free(report);
  return status;
}

enum { SUCCEEDED = 0, REFUSED = 1, NOT_REACHED = 2, NOT_USABLE = 3, LEAKED = 4 };

// What a child does: the step with the fault, then the same again without one, which must work, and whatever happened
// the checkpoint is whole.
static int try_step(struct world *world, step_fn *step, long at) {
  countdown = at;
  nn_status *status = step(world);
  bool reached = countdown == 0;
  countdown = -1;
  if (status && !strstr(nn_status_message(status), "memory"))
    fprintf(stderr, "allocation %ld: %s\n", at, nn_status_message(status));
  bool refused = status != NULL;
  nn_status_free(status);
  bool once_only = step == vocabs || step == metadata || step == bind;
  nn_status *after = nn_model_load_weights(world->model, world->weights);
  if (!after && !once_only)
    after = step(world);
  if (after) {
    fprintf(stderr, "after allocation %ld: %s\n", at, nn_status_message(after));
    return NOT_USABLE;
  }
  free_world(world);
  if (n_held > 0) {
    fprintf(stderr, "allocation %ld: %zu blocks of memory are left\n", at, n_held);
    return LEAKED;
  }
  return !reached ? NOT_REACHED : refused ? REFUSED : SUCCEEDED;
}

static void sweep(struct world *world, const char *name, step_fn *step) {
  const char *text = getenv("NN_FAULT_STRIDE");
  long stride = text && atol(text) > 0 ? atol(text) : 7, tries = 0, refused = 0;
  for (long at = 1; at < 1000000; at += stride, tries++) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
      const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};  // that cmocka catches
      for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
      _exit(try_step(world, step, at));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) > NOT_REACHED)
      fail_msg("%s, allocation %ld: %s %d", name, at,
               WIFSIGNALED(status) ? "signal" : "unusable or leaking, exit status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (WEXITSTATUS(status) == NOT_REACHED)
      break;
    refused += WEXITSTATUS(status) == REFUSED;
  }
  print_message("%s: %ld allocations failed, one in a try; %ld tries gave a status\n", name, tries, refused);
  assert_true(tries > 0);
}

static void every_step(void **state) {
  (void)state;
  static const struct {
    const char *name;
    step_fn *step;
  } steps[] = {{"open", open_model},
               {"open what is no model", open_damaged},
               {"write module", write_module},
               {"vocabularies", vocabs},
               {"metadata", metadata},
               {"data", load_data},
               {"values", parse_values},
               {"append", append_data},
               {"bind", bind},
               {"compile kernels", compile_kernels},
               {"view", view},
               {"session", new_session},
               {"predict", predict},
               {"backward", backward},
               {"train", train},
               {"eval", evaluate},
               {"save", save},
               {"load", load},
               {"init", init}};
  struct world world = {.model = NULL};
  open_world(&world);
  assert_true(n_held > 0);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    sweep(&world, steps[i].name, steps[i].step);
  close_world(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_step)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

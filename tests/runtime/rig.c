// Models with made-up data, ready to run.
#include "tests/runtime/rig.h"

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "runtime/cpu/cpu.h"
#include "runtime/cpu/execute.h"
#include "runtime/data/dataset.h"
#include "runtime/kernel/random.h"
#include "tests/runtime/stand_in.h"

const char rig_tree_model[] =
    "import std.state\n"
    "import std.tree\n"
    "dim D = 5\n"
    "dim H = 6\n"
    "vocab Word\n"
    "vocab Label(closed)\n"
    "data Tree = Leaf(label: Label, word: Word) | Node(label: Label, left: Tree, right: Tree)\n"
    "param E: f32[Word, D] = normal(0.5)\n"
    "param C: f32[Label, H]\n"
    "let cell = BinaryTreeLSTM(D, H)\n"
    "fn encode(t: Tree) -> (State[H], f32) {\n"
    "  match t {\n"
    "    Leaf(label, word) => { let s = cell.leaf(E[word])\n (s, nll(C @ s.h, label)) }\n"
    "    Node(label, left, right) => {\n"
    "      let (a, la) = encode(left)\n"
    "      let (b, lb) = encode(right)\n"
    "      let s = cell.node(a, b)\n"
    "      (s, la + lb + nll(C @ s.h, label))\n"
    "    }\n"
    "  }\n"
    "}\n"
    "fn loss(t: Tree) -> f32 { encode(t).1 }\n"
    "fn scores(t: Tree) -> f32[Label] { C @ encode(t).0.h }\n"
    "fn predict(t: Tree) -> Label { argmax(C @ encode(t).0.h) }\n"
    "metric accuracy(t: Tree) { (predict(t) == t.label, 1) }\n";

const char rig_tagger_model[] =
    "import std.state\n"
    "import std.lstm\n"
    "dim D = 4\n"
    "dim H = 5\n"
    "vocab Word\n"
    "vocab Tag(closed)\n"
    "param E: f32[Word, D] = normal(0.5)\n"
    "param F: f32[Tag, D] = normal(0.5)\n"
    "param first: f32[D] = normal(0.5)\n"
    "param O: f32[Tag, H]\n"
    "param P: f32[Tag, D]\n"
    "let cell = LSTM(D + D, H)\n"
    "fn loss(words: [Word], tags: [Tag]) -> f32 {\n"
    "  var s = cell.start()\n"
    "  var previous = first\n"
    "  var losses: [f32] = []\n"
    "  var seen: [f32[D]] = []\n"
    "  for (word, tag) in zip(words, tags) {\n"
    "    s = cell.step(s, concat(dropout(E[word], 0.3), previous))\n"
    "    let scores = O @ s.h\n"
    "    losses = push(losses, nll(scores, tag))\n"
    "    previous = F[argmax(scores)]\n"
    "    seen = push(seen, E[word] * previous)\n"
    "  }\n"
    "  sum(losses) + nll(P @ mean(seen), tags[0]) + nll(P @ max(seen), last(tags))\n"
    "}\n"
    "fn predict(words: [Word]) -> [Tag] {\n"
    "  var s = cell.start()\n"
    "  var previous = first\n"
    "  var tags: [Tag] = []\n"
    "  for word in words {\n"
    "    s = cell.step(s, concat(E[word], previous))\n"
    "    let tag = argmax(O @ s.h)\n"
    "    tags = push(tags, tag)\n"
    "    previous = F[tag]\n"
    "  }\n"
    "  tags\n"
    "}\n"
    "fn third(words: [Word]) -> Word { words[2] }\n";

const char rig_expert_model[] = "dim H = 4\n"
                                "dim L = 3\n"
                                "vocab Word\n"
                                "layer Expert(N: dim) {\n"
                                "  param W: f32[N, N]\n"
                                "  param b: f32[N] = uniform(0.3)\n"
                                "  fn apply(x: f32[N]) -> f32[N] { tanh(W @ x + b) }\n"
                                "}\n"
                                "param E: f32[Word, H] = normal(0.7)\n"
                                "param o: f32[H] = ones\n"
                                "let experts = [Expert(H) for i in 0..L]\n"
                                "fn loss(words: [Word]) -> f32 {\n"
                                "  var x = zeros[H]\n"
                                "  var i = 0\n"
                                "  for word in words {\n"
                                "    x = experts[i % L].apply(x + E[word])\n"
                                "    i = i + int(word)\n"
                                "  }\n"
                                "  dot(o, x * x)\n"
                                "}\n";

void rig_check(nn_status *status) {
  if (status)
    fail_msg("%s", nn_status_message(status));
}

size_t rig_entry(const struct rig *rig, const char *name) {
  size_t entry = 0;
  assert_true(nn_model_find_entry(rig->model, name, &entry));
  return entry;
}

// ----------------------------------------------------------------------------------------------- random data

struct maker {
  const nn_model *model;
  struct value_arena *arena;
  struct random_stream stream;
};

static uint64_t pick(struct maker *maker, uint64_t bound) { return random_below(&maker->stream, bound); }

static uint64_t make_index(struct maker *maker, const struct ir_type *type) {
  const struct ir_dim *dim = maker->model->module->dims[type->dim];
  return pick(maker,
              dim->atom.kind == SIZE_VOCAB ? vocab_size(maker->model->vocabs[type->dim]) : dim->n_members);
}

static void make_value(struct maker *, const struct ir_type *, int depth, uint64_t *slots);

static uint64_t make_data(struct maker *maker, const struct ir_type *type, int depth) {
  const struct ir_data *data = maker->model->module->datas[type->data];
  // The first constructor ends recursions.
  uint32_t tag = depth <= 0 ? 0 : (uint32_t)pick(maker, data->n_constructors + 1);
  if (tag >= data->n_constructors)
    tag = data->n_constructors - 1;
  const struct ir_constructor *constructor = &data->constructors[tag];
  uint64_t slots[16];
  uint32_t n = 0;
  for (uint32_t i = 0; i < constructor->n_fields; i++) {
    make_value(maker, constructor->fields[i].type, depth - 1, slots + n);
    n += ir_type_width(constructor->fields[i].type);
  }
  return (uint64_t)(uintptr_t)value_data_new(maker->arena, tag, n, slots);
}

static void make_value(struct maker *maker, const struct ir_type *type, int depth, uint64_t *slots) {
  uint64_t elements[64];
  switch (type->kind) {
  case IR_INDEX: *slots = make_index(maker, type); break;
  case IR_LIST:
    // All lists of an example are as long as the depth says, so that they can be zipped.
    for (int i = 0; i < depth; i++)
      make_value(maker, type->element, depth, elements + i);
    *slots = (uint64_t)(uintptr_t)value_list_new(maker->arena, 1, (uint64_t)depth, elements);
    break;
  case IR_DATA: *slots = make_data(maker, type, depth); break;
  default: *slots = pick(maker, 10);
  }
}

static nn_dataset *make_dataset(const nn_model *model, const struct ir_entry *entry, size_t n,
                                uint64_t seed) {
  nn_dataset *data = calloc(1, sizeof *data);
  assert_non_null(data);
  struct maker maker = {.model = model, .arena = value_arena_new()};
  random_open(&maker.stream, seed, "data");
  data->arena = maker.arena;
  data->n_columns = entry->n_params;
  data->columns = calloc(entry->n_params, sizeof *data->columns);
  data->n_examples = n;
  data->files = calloc(1, sizeof *data->files);
  data->files[data->n_files++].path = strdup("made-up");
  data->lines = calloc(n, sizeof *data->lines);
  for (uint32_t c = 0; c < entry->n_params; c++) {
    data->columns[c] = (struct dataset_column){entry->params[c].name, entry->params[c].type, data->width,
                                               ir_type_width(entry->params[c].type), entry};
    data->width += data->columns[c].width;
  }
  data->slots = calloc(n * data->width, sizeof *data->slots);
  for (size_t i = 0; i < n; i++) {
    int depth = 1 + (int)pick(&maker, 5);
    for (uint32_t c = 0; c < entry->n_params; c++)
      make_value(&maker, data->columns[c].type, depth,
                 data->slots + i * data->width + data->columns[c].first_slot);
  }
  return data;
}

// ---------------------------------------------------------------------------------------------------- models

static void set_vocabs(nn_model *model) {
  static const char *const entries[] = {"<unk>", "w1", "w2", "w3", "w4", "w5", "w6", "w7"};
  for (uint32_t i = 0; i < model->module->n_dims; i++) {
    if (!model->vocabs[i])
      continue;
    char *error = NULL;
    size_t skip = model->module->dims[i]->closed ? 1 : 0;
    if (!vocab_set(model->vocabs[i], entries + skip, 8 - skip, &error))
      fail_msg("%s", error);
  }
}

// Compiled code is kept for the time of the process and of those that it starts: the tests bind the same few models
// again and again.
static const char cache_variable[] = "NN_TEST_CACHE";
static char cache_folder[] = "/tmp/nn_test_cache_XXXXXX";

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type, (void)walk;
  return remove(path);
}

static void remove_cache(void) { nftw(cache_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

static const char *cache(void) {
  if (!getenv(cache_variable)) {
    assert_non_null(mkdtemp(cache_folder));
    atexit(remove_cache);
    setenv(cache_variable, cache_folder, 1);
  }
  return getenv(cache_variable);
}

void rig_open(struct rig *rig, const char *source, const char *entry, const struct rig_options *options) {
  *rig = (struct rig){.n = options->n_examples ? options->n_examples : 12};
  struct nnc_options how = {.path = "test.nn", .text = source, .text_length = strlen(source)};
  struct nnc_result result;
  if (!nnc_compile(&how, &result)) {
    nnc_render(&result, stderr, false);
    fail();
  }
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  rig_check(model_from_module(module, &rig->model));
  set_vocabs(rig->model);
  nn_options bound = nn_options_default();
  bound.precision = options->precision;
  bound.autobatch = options->autobatch;
  bound.threads = options->threads ? options->threads : 1;
  bound.seed = 5;
  bound.device = options->stand_in ? "cpu" : options->device;
  bound.cache_dir = cache();
  rig_check(nn_model_bind(rig->model, &bound));
  if (options->stand_in) {
    cpu_of(rig->model->device)->compile = stand_in_compile;
    cpu_of(rig->model->device)->release = stand_in_free;
  }
  rig_check(nn_session_new(rig->model, &rig->session));
  executor_of(rig->session->run)->worth_splitting =
      0;  // these batches are small, and are to be shared out all the same
  executor_of(rig->session->run)->chunk_rows = 1;
  rig->data = make_dataset(rig->model, rig->model->module->entries[rig_entry(rig, entry)], rig->n,
                           options->data_seed);
  rig->examples = calloc(rig->n, sizeof *rig->examples);
  for (size_t i = 0; i < rig->n; i++)
    rig->examples[i] = i;
}

void rig_close(struct rig *rig) {
  nn_session_free(rig->session);
  nn_dataset_free(rig->data);
  nn_model_free(rig->model);
  free(rig->examples);
}

void rig_run(struct rig *rig, const char *entry, nn_mode mode) {
  rig_check(nn_session_run(rig->session, rig_entry(rig, entry), rig->data, rig->examples, rig->n, mode));
}

void rig_set_words(struct rig *rig, size_t example, size_t n, const uint64_t *words) {
  rig->data->slots[example * rig->data->width] = (uint64_t)(uintptr_t)value_list_new(rig->data->arena, 1, n,
                                                                                     words);
}

// ------------------------------------------------------------------------------------------- what every program shall do

void rig_same_bits(const char *program) {
  static const nn_autobatch policies[] = {NN_AUTOBATCH_OFF, NN_AUTOBATCH_DEPTH, NN_AUTOBATCH_AGENDA,
                                          NN_AUTOBATCH_AUTO};
  double expected[20] = {0};
  for (int p = 0; p < 4; p++) {
    struct rig_options options = {.autobatch = policies[p], .threads = p + 1, .n_examples = 20};
    struct rig rig;
    rig_open(&rig, program, "loss", &options);
    for (size_t i = 0; i < rig.n && p == 0; i++) {
      rig_check(nn_session_run(rig.session, rig_entry(&rig, "loss"), rig.data, &i, 1, NN_INFER));
      expected[i] = nn_session_number(rig.session, 0);
    }
    for (int mode = 0; mode < 2; mode++) {
      rig_run(&rig, "loss", mode ? NN_GRADIENT : NN_INFER);
      for (size_t i = 0; i < rig.n; i++) {
        double got = nn_session_number(rig.session, i);
        if (memcmp(&got, &expected[i], sizeof got) != 0)
          fail_msg("example %zu, policy %d: %.17g, alone %.17g\n%s", i, p, got, expected[i], program);
      }
    }
    rig_close(&rig);
  }
}

static double total(struct rig *rig) {
  double sum = 0;
  rig_run(rig, "loss", NN_GRADIENT);
  for (size_t i = 0; i < rig->n; i++)
    sum += nn_session_number(rig->session, i);
  return sum;
}

// max and relu have corners. A difference across one is none, so that one of three steps has to agree.
bool rig_right_gradients(const char *program) {
  struct rig_options options = {.precision = NN_PRECISION_F64, .n_examples = 5};
  struct rig rig;
  rig_open(&rig, program, "loss", &options);
  double sum = total(&rig);
  rig_check(nn_session_backward(rig.session, 1));
  bool tame = fabs(sum) < 1e3;
  for (size_t p = 0; tame && p < nn_model_param_count(rig.model); p++) {
    nn_param_info info = nn_model_param(rig.model, p);
    size_t n = info.elements;
    double *gradients = param_gradients(rig.model, p), numeric = 0;
    for (size_t e = 0; e < n; e += n / 5 + 1) {
      double kept = param_value(rig.model, p, e);
      bool agrees = false;
      for (double h = 1e-4; h > 1e-7 && !agrees; h /= 10) {
        double plus = kept + h, minus = kept - h;
        param_set(rig.model, p, e, 1, &plus);
        double above = total(&rig);
        param_set(rig.model, p, e, 1, &minus);
        numeric = (above - total(&rig)) / (2 * h);
        agrees = fabs(numeric - gradients[e]) <= 2e-6 * (1 + fabs(numeric));
      }
      param_set(rig.model, p, e, 1, &kept);
      if (!agrees)
        fail_msg("%s[%zu]: %.10g, finite differences say %.10g\n%s", info.name, e, gradients[e], numeric,
                 program);
    }
    free(gradients);
  }
  rig_close(&rig);
  return tame;
}

void rig_failed(const struct rig *rig, const char *what, const char *said) {
  for (size_t i = 0; i < rig->n; i++) {
    const char *error = nn_session_error(rig->session, i);
    if (!error || !strstr(error, said))
      fail_msg("%s: `%s` was to say `%s`", what, error ? error : "", said);
  }
}

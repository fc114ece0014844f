// Initial values, checkpoints, vocabularies and data sets of a model, and what is refused.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "tests/runtime/rig.h"
#include "tests/runtime/stand_in.h"

static const char init_model[] = "dim N = 40\n"
                                 "vocab Word(min_count = 2)\n"
                                 "vocab Tag(closed)\n"
                                 "param g: f32[N, 60] = glorot()\n"
                                 "param n: f32[N, N] = normal(2.0)\n"
                                 "param u: f32[N] = uniform(0.25)\n"
                                 "param c: f32 = constant(3)\n"
                                 "param i: f32[4, 4] = identity\n"
                                 "param one: f32[N] = ones\n"
                                 "param E: f32[Word, 3]\n"
                                 "param T: f32[Tag, 3]\n"
                                 "layer Part(K: dim) {\n"
                                 "  param W: f32[K, K]\n"
                                 "  fn apply(x: f32[K]) -> f32[K] { W @ x }\n"
                                 "}\n"
                                 "let parts = [Part(3) for k in 0..2]\n"
                                 "fn loss(words: [Word], tags: [Tag]) -> f32 {\n"
                                 "  sum(parts[0].apply(E[words[0]])) + sum(parts[1].apply(T[tags[0]])) +\n"
                                 "    sum(g) + sum(n) + sum(u) + c + sum(i) + sum(one)\n"
                                 "}\n";

struct workplace {
  char folder[64], data[96], weights[96], other[96];
};

static void write_text(const char *path, const char *text) {
  FILE *out = fopen(path, "w");
  assert_non_null(out);
  fputs(text, out);
  fclose(out);
}

static void open_workplace(struct workplace *place) {
  strcpy(place->folder, "/tmp/nn_test_XXXXXX");
  assert_non_null(mkdtemp(place->folder));
  snprintf(place->data, sizeof place->data, "%s/data.jsonl", place->folder);
  snprintf(place->weights, sizeof place->weights, "%s/w.safetensors", place->folder);
  snprintf(place->other, sizeof place->other, "%s/o.safetensors", place->folder);
  write_text(place->data, "{\"words\": [\"a\", \"b\", \"a\"], \"tags\": [\"X\"]}\n"
                          "{\"words\": [\"c\", \"b\", \"\\u00e9\\\"\"], \"tags\": [\"Y\", \"X\"]}\n");
}

static void close_workplace(struct workplace *place) {
  unlink(place->data);
  unlink(place->weights);
  unlink(place->other);
  assert_int_equal(rmdir(place->folder), 0);
}

static nn_model *compile(const char *source) {
  struct nnc_options how = {.path = "test.nn", .text = source, .text_length = strlen(source)};
  struct nnc_result result;
  if (!nnc_compile(&how, &result)) {
    nnc_render(&result, stderr, false);
    fail();
  }
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  nn_model *model;
  rig_check(model_from_module(module, &model));
  return model;
}

static nn_options options_with(nn_precision precision, uint64_t seed) {
  nn_options options = nn_options_default();
  options.precision = precision;
  options.seed = seed;
  options.cache_dir = "";
  options.threads = 1;
  return options;
}

static nn_model *fresh(const struct workplace *place, nn_precision precision, uint64_t seed) {
  nn_model *model = compile(init_model);
  const char *paths[] = {place->data};
  size_t entry = 0;
  rig_check(nn_model_build_vocabs(model, paths, 1, &entry, 1, NULL));
  nn_options options = options_with(precision, seed);
  rig_check(nn_model_bind(model, &options));
  return model;
}

static nn_param_info param(const nn_model *model, const char *name) {
  for (size_t p = 0; p < nn_model_param_count(model); p++)
    if (strcmp(nn_model_param(model, p).name, name) == 0)
      return nn_model_param(model, p);
  fail_msg("no parameter %s", name);
  return (nn_param_info){0};
}

static size_t size_of(const nn_param_info *info) {
  size_t n = 1;
  for (int i = 0; i < info->rank; i++)
    n *= (size_t)info->sizes[i];
  return n;
}

static void refused(nn_status *status, nn_code code, const char *part) {
  assert_int_equal(nn_status_code(status), code);
  if (!strstr(nn_status_message(status), part))
    fail_msg("'%s' is not in: %s", part, nn_status_message(status));
  nn_status_free(status);
}

static void test_initial_values(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  nn_model *model = fresh(&place, NN_PRECISION_F64, 3), *same = fresh(&place, NN_PRECISION_F64, 3);
  nn_model *other = fresh(&place, NN_PRECISION_F64, 4);
  // Drawn by several threads, or by one.
  struct threads *threads = threads_new(3);
  params_initialise(model_params(same), threads);
  threads_free(threads);
  double bound = sqrt(6.0 / 100), most = 0, squares = 0;
  nn_param_info g = param(model, "g"), n = param(model, "n"), u = param(model, "u"), i = param(model, "i");
  for (size_t e = 0; e < 2400; e++) {
    double value = ((const double *)g.values)[e];
    assert_true(fabs(value) < bound);
    most = fmax(most, fabs(value));
  }
  assert_true(most > 0.98 * bound);
  for (size_t e = 0; e < 1600; e++)
    squares += pow(((const double *)n.values)[e], 2);
  assert_true(fabs(squares / 1600 - 4) < 0.75);  // five standard errors
  for (size_t e = 0; e < 40; e++)
    assert_true(fabs(((const double *)u.values)[e]) < 0.25);
  assert_true(*(const double *)param(model, "c").values == 3);
  for (size_t e = 0; e < 16; e++)
    assert_true(((const double *)i.values)[e] == (e / 4 == e % 4));
  assert_true(((const double *)param(model, "one").values)[39] == 1);
  assert_memory_not_equal(param(model, "parts.0.W").values, param(model, "parts.1.W").values,
                          9 * sizeof(double));
  for (size_t p = 0; p < nn_model_param_count(model); p++) {
    nn_param_info info = nn_model_param(model, p);
    assert_memory_equal(info.values, nn_model_param(same, p).values, size_of(&info) * sizeof(double));
  }
  assert_memory_not_equal(g.values, param(other, "g").values, 2400 * sizeof(double));
  assert_int_equal(nn_model_parameters(model), 2400 + 1600 + 40 + 1 + 16 + 40 + 3 * 3 + 2 * 3 + 18);
  nn_model_free(model);
  nn_model_free(same);
  nn_model_free(other);
  close_workplace(&place);
}

static void test_vocabularies(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  nn_model *model = fresh(&place, NN_PRECISION_F32, 1);
  int64_t value;
  assert_string_equal(nn_model_dim(model, 1, &value), "Word");
  assert_int_equal(value, 3);  // <unk>, a and b; the others are rare
  assert_string_equal(nn_model_dim(model, 2, &value), "Tag");
  assert_int_equal(value, 2);
  size_t entry = 0;
  nn_dataset *data;
  rig_check(nn_dataset_load(model, place.data, &entry, 1, NULL, &data));
  assert_int_equal(nn_dataset_size(data), 2);
  const struct value_list *words = (const struct value_list *)(uintptr_t)data->slots[data->width];
  const uint64_t expected[] = {0, 2, 0};
  assert_memory_equal(words->buffer->slots + words->offset, expected, sizeof expected);
  assert_non_null(strstr(nn_dataset_position(data, 1), "data.jsonl:2"));
  nn_dataset_free(data);
  nn_model_free(model);
  close_workplace(&place);
}

// Saved in one precision, loaded into the other, with other dims and vocabularies than the model would have.
static void test_round_trip(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  nn_model *from = fresh(&place, NN_PRECISION_F32, 11);
  rig_check(nn_model_save(from, place.weights));
  nn_model *to = compile(init_model);
  rig_check(nn_model_load_metadata(to, place.weights));
  assert_true(nn_model_has_vocabs(to));
  nn_options options = options_with(NN_PRECISION_F64, 12);
  rig_check(nn_model_bind(to, &options));
  rig_check(nn_model_load_weights(to, place.weights));
  for (size_t p = 0; p < nn_model_param_count(from); p++) {
    nn_param_info a = nn_model_param(from, p), b = nn_model_param(to, p);
    assert_string_equal(a.name, b.name);
    for (size_t e = 0; e < size_of(&a); e++)
      assert_true((double)((const float *)a.values)[e] == ((const double *)b.values)[e]);
  }
  // And back: nothing is lost.
  rig_check(nn_model_save(to, place.other));
  nn_model *back = fresh(&place, NN_PRECISION_F32, 13);
  rig_check(nn_model_load_weights(back, place.other));
  for (size_t p = 0; p < nn_model_param_count(from); p++) {
    nn_param_info a = nn_model_param(from, p);
    assert_memory_equal(a.values, nn_model_param(back, p).values, size_of(&a) * sizeof(float));
  }
  nn_model_free(from);
  nn_model_free(to);
  nn_model_free(back);
  close_workplace(&place);
}

static void test_dims_of_a_checkpoint(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  nn_model *small = compile(init_model);
  const char *paths[] = {place.data};
  size_t entry = 0;
  rig_check(nn_model_build_vocabs(small, paths, 1, &entry, 1, NULL));
  nn_options options = options_with(NN_PRECISION_F32, 1);
  nn_dim_value seven = {"N", 7};
  options.dims = &seven;
  options.n_dims = 1;
  rig_check(nn_model_bind(small, &options));
  assert_int_equal(param(small, "u").sizes[0], 7);
  rig_check(nn_model_save(small, place.weights));
  options.n_dims = 0;
  nn_model *again = compile(init_model);
  rig_check(nn_model_load_metadata(again, place.weights));
  rig_check(nn_model_bind(again, &options));
  rig_check(nn_model_load_weights(again, place.weights));
  assert_int_equal(param(again, "u").sizes[0], 7);
  // Without the metadata the sizes do not fit.
  nn_model *large = fresh(&place, NN_PRECISION_F32, 1);
  refused(nn_model_load_weights(large, place.weights), NN_DATA, "'g' is [7, 60], but [40, 60] in the model");
  assert_true(*(const float *)param(large, "c").values == 3);  // still has its own
  nn_model_free(small);
  nn_model_free(again);
  nn_model_free(large);
  close_workplace(&place);
}

static void test_refused(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  nn_model *model = compile(init_model);
  nn_session *session;
  nn_optimiser *optimiser;
  nn_dataset *data;
  size_t entry = 0, none = 9;
  refused(nn_session_new(model, &session), NN_INVALID, "not bound");
  refused(nn_optimiser_new(model, NULL, &optimiser), NN_INVALID, "not bound");
  refused(nn_model_save(model, place.weights), NN_INVALID, "not bound");
  refused(nn_model_bind(model, NULL), NN_INVALID, "vocabulary 'Word' is not known");
  refused(nn_dataset_load(model, place.data, &entry, 1, NULL, &data), NN_INVALID, "not known");
  nn_model_free(model);
  model = compile(init_model);
  const char *paths[] = {place.data, "/nonexistent/data.jsonl"};
  refused(nn_model_build_vocabs(model, paths, 2, &entry, 1, NULL), NN_DATA, "/nonexistent/data.jsonl");
  refused(nn_model_build_vocabs(model, paths, 1, &none, 1, NULL), NN_INVALID, "no entry 9");
  rig_check(nn_model_build_vocabs(model, paths, 1, &entry, 1, NULL));
  nn_options options = options_with(NN_PRECISION_F32, 1);
  nn_dim_value wrong = {"M", 3};
  options.dims = &wrong;
  options.n_dims = 1;
  refused(nn_model_bind(model, &options), NN_INVALID, "no dim 'M'");
  wrong = (nn_dim_value){"N", 0};
  refused(nn_model_bind(model, &options), NN_INVALID, "must be positive");
  nn_model_free(model);
  model = fresh(&place, NN_PRECISION_F32, 1);
  refused(nn_model_bind(model, NULL), NN_INVALID, "bound already");
  refused(nn_model_save_gradients(model, place.weights), NN_INVALID, "no backward pass");
  refused(nn_model_load_weights(model, place.data), NN_IO, "data.jsonl");
  refused(nn_model_open("/nonexistent/x.nnb", &model), NN_DATA, "/nonexistent/x.nnb");
  write_text(place.data, "{\"words\": [\"a\"], \"tags\": [\"new\"]}\n");
  refused(nn_dataset_load(model, place.data, &entry, 1, NULL, &data), NN_DATA, "data.jsonl:1:");
  nn_data_options lenient = {.skip_bad = true};
  rig_check(nn_dataset_load(model, place.data, &entry, 1, &lenient, &data));
  assert_int_equal(nn_dataset_size(data), 0);
  assert_int_equal(nn_dataset_skipped(data), 1);
  nn_dataset_free(data);
  nn_model_free(model);
  close_workplace(&place);
}

static void test_schema_texts(void **state) {
  (void)state;
  nn_model *model = compile(rig_tree_model);
  size_t entry;
  assert_true(nn_model_find_entry(model, "loss", &entry));
  assert_string_equal(nn_model_entry_parameters(model, entry), "t: Tree");
  assert_string_equal(nn_model_entry_result(model, entry), "f32");
  assert_true(nn_model_find_entry(model, "scores", &entry));
  assert_string_equal(nn_model_entry_result(model, entry), "f32[Label]");
  assert_false(nn_model_entry_is_metric(model, entry));
  assert_true(nn_model_find_entry(model, "accuracy", &entry));
  assert_true(nn_model_entry_is_metric(model, entry));
  assert_string_equal(nn_model_entry_result(model, entry), "(bool, int)");
  assert_false(nn_model_find_entry(model, "nothing", &entry));
  nn_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_initial_values), cmocka_unit_test(test_vocabularies),
      cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_dims_of_a_checkpoint),
      cmocka_unit_test(test_refused),        cmocka_unit_test(test_schema_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

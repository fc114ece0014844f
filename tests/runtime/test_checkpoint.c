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
#include "runtime/data/safetensors.h"
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

static nn_model *fresh_on(const struct workplace *place, nn_precision precision, uint64_t seed, int threads) {
  nn_model *model = compile(init_model);
  const char *paths[] = {place->data};
  size_t entry = 0;
  rig_check(nn_model_build_vocabs(model, paths, 1, &entry, 1, NULL));
  nn_options options = options_with(precision, seed);
  options.threads = threads;
  rig_check(nn_model_bind(model, &options));
  return model;
}

static nn_model *fresh(const struct workplace *place, nn_precision precision, uint64_t seed) {
  return fresh_on(place, precision, seed, 1);
}

static double element(const nn_model *model, const char *name, size_t i) {
  return param_value(model, param_find(model, name), i);
}

static int64_t first_size(const nn_model *model, const char *name) {
  return nn_model_param(model, param_find(model, name)).sizes[0];
}

// All values are the same, to the bit.
static bool is_equal(const nn_model *a, const char *in_a, const nn_model *b, const char *in_b) {
  size_t n = nn_model_param(a, param_find(a, in_a)).elements;
  double *x = param_values(a, param_find(a, in_a)), *y = param_values(b, param_find(b, in_b));
  bool equal = memcmp(x, y, n * sizeof *x) == 0;
  free(x);
  free(y);
  return equal;
}

static void assert_equal_values(const nn_model *a, const nn_model *b) {
  assert_int_equal(nn_model_param_count(a), nn_model_param_count(b));
  for (size_t p = 0; p < nn_model_param_count(a); p++)
    assert_true(is_equal(a, nn_model_param(a, p).name, b, nn_model_param(b, p).name));
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
  nn_model *model = fresh(&place, NN_PRECISION_F64, 3);
  nn_model *other = fresh(&place, NN_PRECISION_F64, 4);
  nn_model *same = fresh_on(&place, NN_PRECISION_F64, 3, 3);
  double bound = sqrt(6.0 / 100), most = 0, squares = 0;
  for (size_t e = 0; e < 2400; e++) {
    double value = element(model, "g", e);
    assert_true(fabs(value) < bound);
    most = fmax(most, fabs(value));
  }
  assert_true(most > 0.98 * bound);
  for (size_t e = 0; e < 1600; e++)
    squares += pow(element(model, "n", e), 2);
  assert_true(fabs(squares / 1600 - 4) < 0.75);  // five standard errors
  for (size_t e = 0; e < 40; e++)
    assert_true(fabs(element(model, "u", e)) < 0.25);
  assert_true(element(model, "c", 0) == 3);
  for (size_t e = 0; e < 16; e++)
    assert_true(element(model, "i", e) == (e / 4 == e % 4));
  assert_true(element(model, "one", 39) == 1);
  assert_false(is_equal(model, "parts.0.W", model, "parts.1.W"));
  assert_equal_values(model, same);
  assert_false(is_equal(model, "g", other, "g"));
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
  for (size_t p = 0; p < nn_model_param_count(from); p++)
    assert_string_equal(nn_model_param(from, p).name, nn_model_param(to, p).name);
  assert_equal_values(from, to);
  // And back: nothing is lost.
  rig_check(nn_model_save(to, place.other));
  nn_model *back = fresh(&place, NN_PRECISION_F32, 13);
  rig_check(nn_model_load_weights(back, place.other));
  assert_equal_values(from, back);
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
  assert_int_equal(first_size(small, "u"), 7);
  rig_check(nn_model_save(small, place.weights));
  options.n_dims = 0;
  nn_model *again = compile(init_model);
  rig_check(nn_model_load_metadata(again, place.weights));
  rig_check(nn_model_bind(again, &options));
  rig_check(nn_model_load_weights(again, place.weights));
  assert_int_equal(first_size(again, "u"), 7);
  // Without the metadata the sizes do not fit.
  nn_model *large = fresh(&place, NN_PRECISION_F32, 1);
  refused(nn_model_load_weights(large, place.weights), NN_DATA, "`g` is [7, 60], but [40, 60] in the model");
  assert_true(element(large, "c", 0) == 3);  // still has its own
  nn_model_free(small);
  nn_model_free(again);
  nn_model_free(large);
  close_workplace(&place);
}

static const char numbers_model[] = "param a: f32[6]\n"
                                    "fn loss(x: float) -> f32 { sum(a) * x }\n";

// A file with the one parameter `a` of six elements in the given type.
static void write_numbers(const char *path, enum safetensors_type type, const void *data, size_t bytes) {
  struct safetensors_tensor a = {"a", type, 1, {6}, data, bytes};
  struct safetensors_metadata model = {"model", "test"};
  char *error = NULL;
  if (!safetensors_write(path, 1, &a, 1, &model, &error))
    fail_msg("%s", error);
}

static nn_model *numbers(nn_precision precision) {
  nn_model *model = compile(numbers_model);
  nn_options options = options_with(precision, 1);
  rig_check(nn_model_bind(model, &options));
  return model;
}

// Values written out from the formats' definitions: sign, exponent, fraction.
static void test_other_types(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  const uint16_t half[6] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0x3555};
  const double half_values[6] = {1, -2, 1.0 / 16777216, 65504, -0.0, 1365.0 / 4096};
  const uint16_t brain[6] = {0x3f80, 0xc000, 0x0001, 0x7f7f, 0x8000, 0x3eab};
  const double brain_values[6] = {1, -2, ldexp(1, -133), ldexp(255, 120), -0.0, 171.0 / 512};
  for (int wide = 0; wide < 2; wide++)
    for (int type = 0; type < 2; type++) {
      write_numbers(place.weights, type ? SAFETENSORS_BF16 : SAFETENSORS_F16, type ? brain : half,
                    sizeof half);
      nn_model *model = numbers(wide ? NN_PRECISION_F64 : NN_PRECISION_F32);
      rig_check(nn_model_load_weights(model, place.weights));
      for (size_t i = 0; i < 6; i++) {
        double value = element(model, "a", i);
        double expected = (type ? brain_values : half_values)[i];
        assert_true(value == expected && !signbit(value) == !signbit(expected));
      }
      nn_model_free(model);
    }
  close_workplace(&place);
}

static void test_numbers_that_do_not_fit(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  double values[6] = {1, 2, 3, 4, 1e300, 6};
  write_numbers(place.weights, SAFETENSORS_F64, values, sizeof values);
  nn_model *model = numbers(NN_PRECISION_F32);
  double before = element(model, "a", 0);
  refused(nn_model_load_weights(model, place.weights), NN_DATA,
          "`a` is 1e+300 somewhere, more than f32 can hold");
  assert_true(element(model, "a", 0) == before);
  char *report = NULL;
  refused(nn_model_init_weights(model, place.weights, &report), NN_DATA, "nothing for the model");
  nn_model_free(model);
  model = numbers(NN_PRECISION_F64);
  rig_check(nn_model_load_weights(model, place.weights));
  assert_true(element(model, "a", 4) == 1e300);
  nn_model_free(model);
  int64_t integers[6] = {0};
  write_numbers(place.weights, SAFETENSORS_I64, integers, sizeof integers);
  model = numbers(NN_PRECISION_F32);
  refused(nn_model_load_weights(model, place.weights), NN_DATA, "`a` is neither F32, F64, F16 nor BF16");
  nn_model_free(model);
  close_workplace(&place);
}

// Dims that are computed from others are in no checkpoint, whatever their values; every dim is at least 1, and every
// size of a tensor.
static void test_computed_dims(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  const char source[] = "dim A = 3\ndim B = 10 - A\nparam a: f32[B, A]\nparam b: f32[A - 2]\n"
                        "fn loss(x: float) -> f32 { sum(a) * x + sum(b) }\n";
  nn_options options = options_with(NN_PRECISION_F32, 1);
  nn_dim_value given[] = {{"A", 8}};
  options.dims = given;
  options.n_dims = 1;
  nn_model *model = compile(source), *again = compile(source);
  rig_check(nn_model_bind(model, &options));
  rig_check(nn_model_save(model, place.weights));
  options.n_dims = 0;
  rig_check(nn_model_load_metadata(again, place.weights));
  rig_check(nn_model_bind(again, &options));
  rig_check(nn_model_load_weights(again, place.weights));
  assert_int_equal(first_size(again, "a"), 2);
  char *error = NULL;
  struct safetensors *file = safetensors_read(place.weights, &error);
  assert_null(safetensors_metadata_value(file, "dim.B"));
  assert_string_equal(safetensors_metadata_value(file, "dim.A"), "8");
  safetensors_free(file);
  nn_model_free(model);
  static const struct {
    int64_t a;
    const char *says;
  } wrong[] = {
      {10, "dim `B` is 0, it must be at least 1: it is `-A + 10`, with A = 10"},
      {12, "dim `B` is -2, it must be"},
      {2, "parameter `b`: a size is 0, it must be at least 1: it is `A - 2`, with A = 2"},
      {0, "dim `A` is 0: a dim is at least 1"},
      {-3, "dim `A` is -3"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    nn_model *other = compile(source);
    given[0].value = wrong[i].a;
    options.n_dims = 1;
    refused(nn_model_bind(other, &options), NN_INVALID, wrong[i].says);
    nn_model_free(other);
  }
  nn_model_free(again);
  close_workplace(&place);
}

// Rows belong to words: with other words in the same number they are not the rows that the model wants.
static void test_other_vocabulary(void **state) {
  (void)state;
  struct workplace place;
  open_workplace(&place);
  const char source[] = "vocab Word\nparam e: f32[Word, 2]\nparam g: f32[2]\n"
                        "fn loss(w: Word) -> f32 { sum(e[w] * g) }\n";
  nn_options options = options_with(NN_PRECISION_F32, 1);
  nn_model *models[2];
  const char *paths[] = {place.data};
  size_t entry = 0;
  for (int i = 0; i < 2; i++) {
    write_text(place.data, i ? "{\"w\": \"y\"}\n" : "{\"w\": \"x\"}\n");
    models[i] = compile(source);
    rig_check(nn_model_build_vocabs(models[i], paths, 1, &entry, 1, NULL));
    options.seed = (uint64_t)i + 1;
    rig_check(nn_model_bind(models[i], &options));
  }
  rig_check(nn_model_save(models[0], place.weights));
  refused(nn_model_load_weights(models[1], place.weights), NN_DATA, "vocabulary `Word` has other entries");
  double *before = param_values(models[1], param_find(models[1], "e"));
  char *report = NULL;
  rig_check(nn_model_init_weights(models[1], place.weights, &report));
  assert_non_null(strstr(report,
                         "1 of 2 parameters taken; vocabulary `Word` has other entries there; of that "
                         "vocabulary: `e`"));
  free(report);
  double *after = param_values(models[1], param_find(models[1], "e"));
  assert_memory_equal(after, before, 4 * sizeof *before);
  assert_true(is_equal(models[1], "g", models[0], "g"));
  free(before);
  free(after);
  nn_model_free(models[0]);
  nn_model_free(models[1]);
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
  refused(nn_model_bind(model, NULL), NN_INVALID, "vocabulary `Word` is not known");
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
  refused(nn_model_bind(model, &options), NN_INVALID, "no dim `M`");
  wrong = (nn_dim_value){"N", 0};
  refused(nn_model_bind(model, &options), NN_INVALID, "dim `N` is 0: a dim is at least 1");
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
      cmocka_unit_test(test_other_types),    cmocka_unit_test(test_numbers_that_do_not_fit),
      cmocka_unit_test(test_computed_dims),  cmocka_unit_test(test_other_vocabulary),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

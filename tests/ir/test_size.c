// Symbolic sizes: polynomials worked out by hand.
#include "tests/ir/ir_testing.h"

#include "compiler/base/arena.h"

static const struct size_atom atom_h = {"H", SIZE_DIM, 0}, atom_d = {"D", SIZE_DIM, 1},
                              atom_w = {"Word", SIZE_VOCAB, 2};

struct setting {
  struct arena arena;
  const struct size *h, *d, *w;
};

static int set_up(void **state) {
  struct setting *s = calloc(1, sizeof *s);
  arena_init(&s->arena);
  s->h = size_from_atom(&s->arena, &atom_h);
  s->d = size_from_atom(&s->arena, &atom_d);
  s->w = size_from_atom(&s->arena, &atom_w);
  *state = s;
  return 0;
}

static int tear_down(void **state) {
  struct setting *s = *state;
  arena_free(&s->arena);
  free(s);
  return 0;
}

static const struct size *number(struct setting *s, int64_t value) { return size_constant(&s->arena, value); }

static void expect_text(struct setting *s, const struct size *size, const char *text) {
  assert_non_null(size);
  assert_string_equal(size_text(&s->arena, size), text);
}

static void test_canonical_form(void **state) {
  struct setting *s = *state;
  struct arena *a = &s->arena;
  expect_text(s, number(s, 0), "0");
  expect_text(s, number(s, -3), "-3");
  expect_text(s, size_mul(a, number(s, 4), s->h), "4*H");
  expect_text(s, size_add(a, s->d, s->h), "H + D");
  expect_text(s, size_sub(a, s->h, s->h), "0");
  expect_text(s, size_sub(a, number(s, 1), s->h), "-H + 1");
  // (H + D) * (H - D) = H*H - D*D
  const struct size *product = size_mul(a, size_add(a, s->h, s->d), size_sub(a, s->h, s->d));
  expect_text(s, product, "H*H - D*D");
  // (H + 1)^3 = H^3 + 3H^2 + 3H + 1
  const struct size *next = size_add(a, s->h, number(s, 1));
  expect_text(s, size_mul(a, next, size_mul(a, next, next)), "H*H*H + 3*H*H + 3*H + 1");
  // Whatever the order of the steps, the form is one.
  const struct size *left = size_add(a, size_mul(a, s->d, s->h), size_mul(a, number(s, 2), s->w));
  const struct size *right = size_add(a, size_add(a, s->w, size_mul(a, s->h, s->d)), s->w);
  assert_true(size_equal(left, right));
  assert_false(size_equal(left, size_add(a, right, number(s, 1))));
}

static void test_questions(void **state) {
  struct setting *s = *state;
  struct arena *a = &s->arena;
  const struct size *four_h = size_mul(a, number(s, 4), s->h);
  assert_ptr_equal(size_as_atom(s->w), &atom_w);
  assert_null(size_as_atom(four_h));
  assert_null(size_as_atom(size_mul(a, s->h, s->h)));
  assert_null(size_as_atom(number(s, 1)));
  int64_t value = -1;
  assert_true(size_is_constant(number(s, 0), &value));
  assert_int_equal(value, 0);
  assert_true(size_is_constant(size_sub(a, size_add(a, s->h, number(s, 7)), s->h), &value));
  assert_int_equal(value, 7);
  assert_false(size_is_constant(s->h, &value));
  assert_true(size_mentions(size_mul(a, s->h, s->d), &atom_d));
  assert_false(size_mentions(four_h, &atom_d));
  expect_text(s, size_divide(a, four_h, 4), "H");
  expect_text(s, size_divide(a, size_add(a, four_h, number(s, -6)), 2), "2*H - 3");
  assert_null(size_divide(a, four_h, 3));
}

static const struct size *double_h(void *context, const struct size_atom *atom) {
  struct setting *s = context;
  return atom == &atom_h ? size_mul(&s->arena, number(s, 2), s->d) : NULL;
}

static int64_t value_of(void *context, const struct size_atom *atom) {
  (void)context;
  return atom == &atom_h ? 10 : atom == &atom_d ? INT64_C(4000000000) : 7;
}

static void test_substitution_and_value(void **state) {
  struct setting *s = *state;
  struct arena *a = &s->arena;
  // H*H + D + W with H = 2D: 4*D*D + D + W
  const struct size *size = size_add(a, size_add(a, size_mul(a, s->h, s->h), s->d), s->w);
  expect_text(s, size_substitute(a, size, double_h, s), "4*D*D + D + Word");
  int64_t value = 0;
  assert_true(size_evaluate(size_add(a, size_mul(a, s->h, s->h), s->w), value_of, NULL, &value));
  assert_int_equal(value, 107);
  assert_true(size_evaluate(size_mul(a, s->d, number(s, 2)), value_of, NULL, &value));
  assert_int_equal(value, INT64_C(8000000000));
  assert_false(size_evaluate(size_mul(a, s->d, size_mul(a, s->d, s->d)), value_of, NULL, &value));
}

static void test_limits(void **state) {
  struct setting *s = *state;
  struct arena *a = &s->arena;
  const struct size *most = number(s, INT64_MAX), *least = number(s, INT64_MIN);
  assert_null(size_add(a, most, number(s, 1)));
  assert_null(size_sub(a, number(s, 0), least));
  assert_null(size_mul(a, most, number(s, 2)));
  expect_text(s, size_mul(a, least, s->h), "-9223372036854775808*H");
  const struct size *power = s->h;
  for (int i = 0; i < 5; i++)
    power = size_mul(a, power, power);  // H^32
  assert_non_null(size_mul(a, power, power));
  assert_null(size_mul(a, power, size_mul(a, power, s->h)));  // H^65
  // A polynomial of 301 terms: one too many at 257.
  const struct size *sum = number(s, 0), *monomial = number(s, 1);
  struct size_atom *atoms = arena_new_array(a, struct size_atom, 300);
  int terms = 0;
  for (uint32_t i = 0; i < 300 && sum; i++, terms++) {
    atoms[i] = (struct size_atom){"x", SIZE_VARIABLE, i + 3};
    monomial = size_from_atom(a, &atoms[i]);
    sum = size_add(a, sum, monomial);
  }
  assert_null(sum);
  assert_int_equal(terms, 257);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_canonical_form, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_questions, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_substitution_and_value, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

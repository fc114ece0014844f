// Sums over an epoch against sums of integers, which are exact.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/long_sum.h"

static double sum_of(const double *x, size_t n) {
  struct long_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++)
    long_sum_add(&sum, x[i]);
  return long_sum_value(&sum);
}

#define SUM(...) sum_of((const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static void test_small_beside_large(void **state) {
  (void)state;
  assert_true(SUM(1e17, 3, -1e17) == 3);
  assert_true(SUM(3, 1e17, -1e17) == 3);
  assert_true(SUM(-1e17, 3, 1e17, 0.5) == 3.5);
  assert_true(SUM(0) == 0);
}

// Multiples of 2^-40 that differ, of one sign: their sum in units of 2^-40 fits 64 bits.
static void test_many(void **state) {
  (void)state;
  enum { N = 3000000 };
  const double unit = 0x1p-40;
  struct long_sum sum = {0, 0};
  double plain = 0;
  uint64_t exact = 0, random = 1;
  for (int i = 0; i < N; i++) {
    random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t term = random >> 24;
    exact += term;
    plain += (double)term * unit;
    long_sum_add(&sum, (double)term * unit);
  }
  assert_true(plain != (double)exact * unit);  // there is something to lose
  assert_true(long_sum_value(&sum) == (double)exact * unit);
}

static void test_not_finite(void **state) {
  (void)state;
  assert_true(SUM(1, INFINITY, 2) == INFINITY);
  assert_true(SUM(-INFINITY, 1) == -INFINITY);
  assert_true(isnan(SUM(1, NAN, 2)));
  assert_true(isnan(SUM(INFINITY, -INFINITY)));
  assert_true(SUM(0x1.8p1023, 0x1.8p1023) == INFINITY);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_small_beside_large), cmocka_unit_test(test_many),
                                     cmocka_unit_test(test_not_finite)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// The small parts of the runtime: threads, row arenas, random streams, loops, statuses.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/status.h"
#include "runtime/base/threads.h"
#include "runtime/cpu/loops.h"
#include "runtime/cpu/row_arena.h"
#include "runtime/kernel/random.h"

// --------------------------------------------------------------------------------------------------- threads

struct tally {
  atomic_uint taken[1000];
  int count;
};

static void take(void *context, uint32_t item, int thread) {
  struct tally *tally = context;
  // cmocka's assertions belong to the main thread.
  if (thread < 0 || thread >= tally->count)
    abort();
  atomic_fetch_add(&tally->taken[item], 1);
}

static void test_threads(void **state) {
  (void)state;
  for (int count = 1; count <= 5; count++) {
    struct threads *threads = threads_new(count);
    struct tally tally = {.count = threads_count(threads)};
    assert_true(tally.count >= 1 && tally.count <= count);
    for (unsigned round = 1; round <= 300; round++) {
      threads_run(threads, round % 7 ? 1000 : 0, take, &tally);
      threads_run(threads, 1, take, &tally);
    }
    for (int i = 1; i < 1000; i++)
      assert_int_equal(tally.taken[i], 300 - 300 / 7);
    assert_int_equal(tally.taken[0], 300 - 300 / 7 + 300);
    threads_free(threads);
  }
  threads_free(NULL);
  assert_true(threads_cores() >= 1);
}

struct caller {
  struct threads *team;
  struct tally tally;
};

static void *call(void *argument) {
  struct caller *caller = argument;
  for (int round = 0; round < 300; round++)
    threads_run(caller->team, 1000, take, &caller->tally);
  return NULL;
}

// Several callers of one team: each job is done, once.
static void test_threads_shared(void **state) {
  (void)state;
  struct threads *team = threads_new(3);
  struct caller callers[3];
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) {
    callers[i] = (struct caller){.team = team, .tally.count = threads_count(team)};
    assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
  }
  for (int i = 0; i < 3; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (int i = 0; i < 3; i++)
    for (int item = 0; item < 1000; item++)
      assert_int_equal(callers[i].tally.taken[item], 300);
  threads_free(team);
}

// ------------------------------------------------------------------------------------------------- row arena

static void test_row_arena(void **state) {
  (void)state;
  struct row_arena arena;
  uint32_t offset;
  row_arena_init(&arena, 4);
  assert_true(row_arena_alloc(&arena, 3, 2, &offset));
  assert_int_equal(offset, 0);
  memset(row_arena_at(&arena, offset), 7, 3 * 2 * 64);
  // Growing keeps what is there.
  assert_true(row_arena_alloc(&arena, 1 << 16, 1, &offset));
  assert_int_equal(offset, 6);
  for (int i = 0; i < 3 * 2 * 64; i++)
    assert_int_equal(arena.base[i], 7);
  assert_int_equal(*row_arena_at(&arena, offset + 65535), 0);
  assert_false(row_arena_alloc(&arena, UINT32_MAX, 2, &offset));
  assert_false(row_arena_alloc(&arena, UINT64_MAX / 2, 4, &offset));
  row_arena_reset(&arena);
  assert_true(row_arena_alloc(&arena, 1, 1, &offset));
  assert_int_equal(offset, 0);
  row_arena_free(&arena);
}

// ---------------------------------------------------------------------------------------------------- random

static void test_random(void **state) {
  (void)state;
  struct random_stream a, b, c;
  random_open(&a, 1, "x");
  random_open(&b, 1, "x");
  random_open(&c, 2, "x");
  unsigned equal = 0;
  for (int i = 0; i < 1000; i++) {
    uint32_t word = random_word(&a);
    assert_int_equal(word, random_word(&b));
    equal += word == random_word(&c);
  }
  assert_true(equal < 3);
  unsigned seen[5] = {0};
  for (int i = 0; i < 5000; i++)
    seen[random_below(&a, 5)]++;
  for (int i = 0; i < 5; i++)
    assert_true(seen[i] > 880 && seen[i] < 1120);  // four standard deviations
  size_t items[100];
  bool there[100] = {0}, moved = false;
  random_shuffle(&a, 100, items);
  for (size_t i = 0; i < 100; i++) {
    there[items[i]] = true;
    moved |= items[i] != i;
  }
  for (size_t i = 0; i < 100; i++)
    assert_true(there[i]);
  assert_true(moved);
  random_shuffle(&a, 0, items);
}

// Means and variances within five standard errors; 40,000 draws.
static void test_distributions(void **state) {
  (void)state;
  double sums[4] = {0}, draws[4];
  for (uint64_t block = 0; block < 10000; block++) {
    random_uniform4(99, block, draws);
    for (int i = 0; i < 4; i++) {
      assert_true(draws[i] > -1 && draws[i] < 1);
      sums[0] += draws[i];
      sums[1] += draws[i] * draws[i];
    }
    random_normal4(99, block, draws);
    for (int i = 0; i < 4; i++) {
      assert_true(fabs(draws[i]) < 7);
      sums[2] += draws[i];
      sums[3] += draws[i] * draws[i];
    }
  }
  assert_true(fabs(sums[0] / 40000) < 0.015);
  assert_true(fabs(sums[1] / 40000 - 1.0 / 3) < 0.008);
  assert_true(fabs(sums[2] / 40000) < 0.025);
  assert_true(fabs(sums[3] / 40000 - 1) < 0.036);
}

// ----------------------------------------------------------------------------------------------------- loops

// Every family of instructions against plain loops over lengths around the vectors'.
static void check_loops(enum nn_element element, enum cpu_simd simd) {
  const struct loops *loops = loops_for(element, simd);
  enum { N = 150, ROWS = 5, STRIDE = 160 };
  union {
    float f[ROWS * STRIDE];
    double d[ROWS * STRIDE];
  } x, y;
  for (size_t n = 0; n <= N; n += n < 40 ? 1 : 37) {
    double expected[N], squares = 0;
    for (size_t i = 0; i < ROWS * STRIDE; i++) {
      double value = (double)(i * 37 % 101) - 50;
      if (element == NN_F32)
        x.f[i] = (float)value, y.f[i] = (float)(i % 7);
      else
        x.d[i] = value, y.d[i] = (double)(i % 7);
    }
    for (size_t j = 0; j < n; j++) {
      expected[j] = (double)(j % 7);
      for (size_t r = 0; r < ROWS; r++)
        expected[j] += (double)((r * STRIDE + j) * 37 % 101) - 50;
      squares += ((double)(j * 37 % 101) - 50) * ((double)(j * 37 % 101) - 50);
    }
    assert_true(loops->sum_squares(&x, n) == squares);
    loops->sum_rows(&y, 1, &x, ROWS, STRIDE, n);
    for (size_t j = 0; j < N; j++) {
      double got = element == NN_F32 ? (double)y.f[j] : y.d[j];
      assert_true(got == (j < n ? expected[j] : (double)(j % 7)));
    }
    loops->sum_rows(&y, 0, &x, 1, STRIDE, n);
    loops->maximum(&y, element == NN_F32 ? (void *)&x.f[STRIDE] : (void *)&x.d[STRIDE], n);
    loops->add(&y, &x, n);
    loops->scale(&y, 2, n);
    loops->add_scaled(&y, &x, -3, n);
    for (size_t j = 0; j < n; j++) {
      double a = (double)(j * 37 % 101) - 50, b = (double)((STRIDE + j) * 37 % 101) - 50;
      double got = element == NN_F32 ? (double)y.f[j] : y.d[j];
      assert_true(got == 2 * ((a > b ? a : b) + a) - 3 * a);
    }
  }
}

static void test_loops(void **state) {
  (void)state;
  enum cpu_simd here = cpu_features_get(CPU_SIMD_HOST).simd;
  for (enum cpu_simd simd = CPU_SIMD_BASE128; simd <= here; simd++) {
    check_loops(NN_F32, simd);
    check_loops(NN_F64, simd);
  }
}

// ---------------------------------------------------------------------------------------------------- status

static nn_status *passes_on(nn_status *status) {
  STATUS_TRY(status);
  return status_new(NN_COMPILE, "not reached by a failure");
}

static void test_status(void **state) {
  (void)state;
  nn_status *status = passes_on(status_new(NN_IO, "no %s", "file"));
  assert_int_equal(nn_status_code(status), NN_IO);
  assert_string_equal(nn_status_message(status), "no file");
  nn_status_free(status);
  status = passes_on(NULL);
  assert_int_equal(nn_status_code(status), NN_COMPILE);
  nn_status_free(status);
  assert_int_equal(nn_status_code(NULL), NN_OK);
  assert_string_equal(nn_status_message(NULL), "");
  status = status_take(NN_DATA, NULL);
  assert_int_equal(nn_status_code(status), NN_NO_MEMORY);
  nn_status_free(status);
  nn_status_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_threads), cmocka_unit_test(test_threads_shared), cmocka_unit_test(test_row_arena),
      cmocka_unit_test(test_random),  cmocka_unit_test(test_distributions),  cmocka_unit_test(test_loops),
      cmocka_unit_test(test_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// Fibers: order of control, many at once, dropped ones, reuse of stacks, deep recursion up to the limit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/value/fiber.h"

struct log {
  char text[64];
  struct fiber *fiber, *inner;
  struct fiber_pool *pool;
};

static void note(struct log *log, char c) {
  size_t n = strlen(log->text);
  assert_true(n + 1 < sizeof log->text);
  log->text[n] = c;
}

static void three_steps(void *argument) {
  struct log *log = argument;
  note(log, 'a');
  fiber_suspend(log->fiber);
  note(log, 'b');
  fiber_suspend(log->fiber);
  note(log, 'c');
}

static void test_suspend_and_resume(void **state) {
  (void)state;
  struct fiber_pool *pool = fiber_pool_new(NULL);
  struct log log = {.text = ""};
  log.fiber = fiber_new(pool, FIBER_SMALL, three_steps, &log);
  assert_int_equal(fiber_resume(log.fiber), FIBER_SUSPENDED);
  note(&log, '1');
  assert_int_equal(fiber_resume(log.fiber), FIBER_SUSPENDED);
  note(&log, '2');
  assert_int_equal(fiber_resume(log.fiber), FIBER_DONE);
  note(&log, '3');
  assert_string_equal(log.text, "a1b2c3");
  fiber_release(log.fiber);
  fiber_pool_free(pool);
}

static void outer(void *argument) {
  struct log *log = argument;
  note(log, 'o');
  log->fiber = fiber_new(log->pool, FIBER_SMALL, three_steps, log);
  fiber_resume(log->fiber);
  fiber_suspend(log->inner);
  note(log, 'p');
  fiber_resume(log->fiber);
  fiber_resume(log->fiber);
  note(log, 'q');
}

static void test_a_fiber_resumes_another(void **state) {
  (void)state;
  struct fiber_pool *pool = fiber_pool_new(NULL);
  struct log log = {.text = "", .pool = pool};
  struct fiber *fiber = fiber_new(pool, FIBER_SMALL, outer, &log);
  log.inner = fiber;
  assert_int_equal(fiber_resume(fiber), FIBER_SUSPENDED);
  note(&log, '|');
  assert_int_equal(fiber_resume(fiber), FIBER_DONE);
  assert_string_equal(log.text, "oa|pbcq");
  fiber_release(log.fiber);
  fiber_release(fiber);
  fiber_pool_free(pool);
}

struct deep {
  struct fiber *fiber;
  size_t depth, most;
  double sum;
};

// Floating-point state and locals must survive every switch.
static double recurse(struct deep *deep, size_t depth) {
  volatile char frame[100];
  memset((void *)frame, (int)depth, sizeof frame);
  if ((char *)frame < fiber_stack_limit(deep->fiber)) {
    deep->depth = depth;
    fiber_leave(deep->fiber);
  }
  return depth == deep->most ? 0 : recurse(deep, depth + 1) + frame[7];
}

static void run_deep(void *argument) {
  struct deep *deep = argument;
  deep->sum = recurse(deep, 0);
}

static void test_recursion_up_to_the_limit(void **state) {
  (void)state;
  static const enum fiber_size sizes[] = {FIBER_SMALL, FIBER_LARGE};
  for (size_t i = 0; i < 2; i++) {
    struct fiber_pool *pool = fiber_pool_new(
        &(struct fiber_options){.small_bytes = (size_t)256 << 10, .large_bytes = (size_t)48 << 20});
    size_t depth_before = 0;
    for (int round = 0; round < 3; round++) {
      struct deep deep = {.most = SIZE_MAX};
      deep.fiber = fiber_new(pool, sizes[i], run_deep, &deep);
      assert_int_equal(fiber_resume(deep.fiber), FIBER_LEFT);
      fiber_release(deep.fiber);
      // At least a frame of 100 bytes, at most (under a sanitizer) one of 1,000; the same in every round.
      size_t room = i == 0 ? (size_t)256 * 1024 : (size_t)48 << 20;
      assert_true(deep.depth > (room - FIBER_HEADROOM) / 1000 && deep.depth < room / 100);
      assert_true(round == 0 || deep.depth == depth_before);
      depth_before = deep.depth;
    }
    fiber_pool_free(pool);
  }
}

struct counter {
  struct fiber *fiber;
  uint64_t count;
};

static void count_up(void *argument) {
  struct counter *counter = argument;
  uint64_t local = 0;
  double half = 0;
  for (;;) {
    local++;
    half += 0.5;
    fiber_suspend(counter->fiber);
    counter->count = local + (half == 0.5 * (double)local ? 0 : 1000000);
  }
}

// 20,000 examples that wait at once, as a large minibatch with decisions does; then they are dropped.
static void test_many_suspended_at_once(void **state) {
  (void)state;
  enum { N = 20000, ROUNDS = 5 };
  struct fiber_pool *pool = fiber_pool_new(NULL);
  struct counter *counters = calloc(N, sizeof *counters);
  assert_non_null(counters);
  for (int i = 0; i < N; i++) {
    counters[i].fiber = fiber_new(pool, FIBER_SMALL, count_up, &counters[i]);
    assert_non_null(counters[i].fiber);
  }
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < N; i++) {
      if (i % 3 != 0 || round % 2 == 0) {
        assert_int_equal(fiber_resume(counters[i].fiber), FIBER_SUSPENDED);
      }
    }
  }
  for (int i = 0; i < N; i++) {
    assert_int_equal(counters[i].count, i % 3 != 0 ? ROUNDS - 1 : 2);
    fiber_release(counters[i].fiber);
  }
  // The stacks are used again, latest first, and carry nothing over.
  struct counter again = {.count = 77};
  again.fiber = fiber_new(pool, FIBER_SMALL, count_up, &again);
  assert_ptr_equal(again.fiber, counters[N - 1].fiber);
  fiber_resume(again.fiber);
  fiber_resume(again.fiber);
  assert_int_equal(again.count, 1);
  free(counters);
  fiber_pool_free(pool);  // with a fiber still suspended
}

static void leave_at_once(void *argument) { fiber_leave(*(struct fiber **)argument); }

static void test_leave_and_drop(void **state) {
  (void)state;
  struct fiber_pool *pool = fiber_pool_new(NULL);
  struct fiber *first = NULL;
  for (int i = 0; i < 1000; i++) {
    struct fiber *fiber = fiber_new(pool, i % 2 ? FIBER_LARGE : FIBER_SMALL, leave_at_once, &fiber);
    first = i == 0 ? fiber : first;
    assert_true(i % 2 || fiber == first);
    if (i % 7 != 0) {
      assert_int_equal(fiber_resume(fiber), FIBER_LEFT);
    }
    fiber_release(fiber);
  }
  fiber_pool_free(pool);
}

static void test_stacks_do_not_overlap(void **state) {
  (void)state;
  struct fiber_pool *pool = fiber_pool_new(&(struct fiber_options){.small_bytes = 1});
  enum { N = 300 };
  struct fiber *fibers[N];
  for (int i = 0; i < N; i++) {
    fibers[i] = fiber_new(pool, FIBER_SMALL, leave_at_once, NULL);
    assert_true(fiber_stack_bytes(fibers[i]) >= FIBER_HEADROOM);
    assert_true(fiber_stack_limit(fibers[i]) < (char *)fibers[i]);
    for (int j = 0; j < i; j++) {
      assert_true((char *)fibers[i] < fiber_stack_limit(fibers[j]) ||
                  (char *)fibers[j] < fiber_stack_limit(fibers[i]));
    }
  }
  fiber_pool_free(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_suspend_and_resume),
      cmocka_unit_test(test_a_fiber_resumes_another),
      cmocka_unit_test(test_recursion_up_to_the_limit),
      cmocka_unit_test(test_many_suspended_at_once),
      cmocka_unit_test(test_leave_and_drop),
      cmocka_unit_test(test_stacks_do_not_overlap),
  };
  return cmocka_run_group_tests_name("fiber", tests, NULL, NULL);
}

// Compiled host code beyond single calls: depth, length, interruption, many examples at once, the cache, what
// is refused.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host_fixture.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static struct jit *new_jit(const char *cache) {
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = cache}, &error);
  if (!jit)
    fail_msg("%s", error);
  return jit;
}

static struct fixture *new_fixture(const char *text) {
  return fixture_new(new_jit(""), "model", text, strlen(text));
}

static void drop(struct fixture *f) {
  struct jit *jit = f->jit;
  fixture_free(f);
  jit_free(jit);
}

// ------------------------------------------------------------------------------------------- depth

static const char deep_text[] = "module deep\n"
                                "file \"deep.nn\"\n"
                                "data Tree = Leaf() | Node(left: Tree)\n"
                                "entry depth(t: Tree) -> (int, f32) = @depth\n"
                                "entry waits(n: int, x: f32) -> int = @waits\n"
                                "block @leaf() -> (f32) results 1 {\n"
                                "  %0 = constant 0 : f32\n"
                                "  return %0\n"
                                "}\n"
                                "block @node(%0: f32, %1: int) -> (f32) results 1 {\n"
                                "  %2 = square %0 : f32\n"
                                "  return %2\n"
                                "}\n"
                                "host @depth(%0: Tree) -> (int, f32) {\n"
                                "^0:\n"
                                "  %1 = data.tag %0 : int !0:3:5\n"
                                "  %2 = const.int 0 : int\n"
                                "  switch %1 ^1, ^2\n"
                                "^1:\n"
                                "  %3 = emit @leaf : f32\n"
                                "  return %2, %3\n"
                                "^2:\n"
                                "  %4 = data.get Node %0 slot 0 : Tree\n"
                                "  %5, %6 = call @depth %4 : int, f32\n"
                                "  %7 = const.int 1 : int\n"
                                "  %8 = iadd %5, %7 : int\n"
                                "  %9 = emit @node %6, %8 : f32\n"
                                "  return %8, %9\n"
                                "}\n"
                                "host @waits(%0: int, %1: f32) -> (int) {\n"
                                "^0:\n"
                                "  %2 = const.int 0 : int !0:9:2\n"
                                "  %3 = ieq %0, %2 : bool\n"
                                "  brif %3 ^1, ^2\n"
                                "^1:\n"
                                "  %4 = read.index %1 : int\n"
                                "  return %4\n"
                                "^2:\n"
                                "  %5 = const.int 1 : int\n"
                                "  %6 = isub %0, %5 : int\n"
                                "  %7 = call @waits %6, %1 : int\n"
                                "  %8 = iadd %7, %5 : int\n"
                                "  return %8\n"
                                "}\n";

static uint64_t make_chain(struct value_arena *arena, uint32_t depth) {
  uint64_t tree = (uint64_t)(uintptr_t)value_data_new(arena, 0, 0, NULL);
  for (uint32_t i = 0; i < depth; i++)
    tree = (uint64_t)(uintptr_t)value_data_new(arena, 1, 1, &tree);
  return tree;
}

// A tree a million deep is no error; one that does not fit is one, and the next example runs as if nothing
// had been.
static void test_depth(void **state) {
  (void)state;
  struct fixture *f = new_fixture(deep_text);
  f->silent = true;
  uint64_t results[2], chain = make_chain(f->arena, 1000000), short_chain = make_chain(f->arena, 1000);
  if (!SANITIZED) {
    fixture_run_slots(f, "depth", &chain, results);
    assert_int_equal(f->outcome, HOST_DONE);
    assert_int_equal(results[0], 1000000);
    assert_int_equal(f->n_instances, 1000001);
    assert_int_equal(results[1], 100 + 1000000);
  }
  fiber_pool_free(f->pool);
  f->pool = fiber_pool_new(&(struct fiber_options){.large_bytes = (size_t)8 << 20});
  for (int round = 0; round < 3; round++) {
    fixture_run_slots(f, "depth", &chain, results);
    assert_int_equal(f->outcome, HOST_FAILED);
    assert_string_equal(f->error, "0:3:5 recursion too deep: the stack of 8 MiB is full");
    fixture_run_slots(f, "depth", &short_chain, results);
    assert_int_equal(f->outcome, HOST_DONE);
    assert_int_equal(results[0], 1000);
  }
  drop(f);
}

static void test_depth_of_an_example_that_decides(void **state) {
  (void)state;
  struct fixture *f = new_fixture(deep_text);
  f->reads = (double[]){7};
  f->n_reads = 1;
  if (!SANITIZED) {
    fixture_run(f, "waits(100000, %3)");
    assert_string_equal(f->results, "100007");
    fixture_run(f, "waits(100000000, %3)");
    assert_string_equal(f->error, "0:9:2 recursion too deep: the stack of 64 MiB is full");
    fixture_run(f, "waits(100001, %3)");
    assert_string_equal(f->results, "100008");
  }
  fiber_pool_free(f->pool);
  f->pool = fiber_pool_new(&(struct fiber_options){.small_bytes = (size_t)128 << 10});
  fixture_run(f, "waits(1000000, %3)");
  assert_string_equal(f->error, "0:9:2 recursion too deep: the stack of 128 KiB is full");
  fixture_run(f, "waits(1000, %3)");
  assert_string_equal(f->results, "1007");
  drop(f);
}

// ------------------------------------------------------------------------------------------ length

static const char long_text[] =
    "module long\n"
    "file \"long.nn\"\n"
    "entry loop(n: int) -> (f32, [int], f32) = @loop\n"
    "entry forever() -> int = @forever\n"
    "block @step(%0: f32, %1: int) -> (f32) results 1 {\n"
    "  %2 = square %0 : f32\n"
    "  return %2\n"
    "}\n"
    "block @start() -> (f32) results 1 {\n"
    "  %0 = constant 0 : f32\n"
    "  return %0\n"
    "}\n"
    // everything that needs scratch memory, n times: an instance, a push, a term of a sum; then one decision
    "host @loop(%0: int) -> (f32, [int], f32) {\n"
    "^0:\n"
    "  %1 = emit @start : f32\n"
    "  %2 = const.int 0 : int\n"
    "  %3 = list.new count 0 : [int]\n"
    "  %4 = acc.of %1 : acc\n"
    "  br ^1(%2, %1, %3, %4)\n"
    "^1(%5: int, %6: f32, %7: [int], %8: acc):\n"
    "  %9 = ilt %5, %0 : bool\n"
    "  brif %9 ^2, ^3\n"
    "^2:\n"
    "  %10 = emit @step %6, %5 : f32\n"
    "  %11 = list.push %7, %5 : [int]\n"
    "  %12 = acc.of %10 : acc\n"
    "  %13 = acc.add %8, %12 : acc\n"
    "  %14 = const.int 1 : int\n"
    "  %15 = iadd %5, %14 : int\n"
    "  br ^1(%15, %10, %11, %13)\n"
    "^3:\n"
    "  %16 = acc.sum %8 : f32\n"
    "  %17 = read.index %16 : int\n"
    "  %18 = list.push %7, %17 : [int]\n"
    "  return %6, %18, %16\n"
    "}\n"
    "host @forever() -> (int) {\n"
    "^0:\n"
    "  br ^1\n"
    "^1:\n"
    "  br ^1 !0:5:7\n"
    "}\n";

// A million turns on a small stack: loops must not grow it, and lists and sums must be linear in time and
// memory.
static void test_a_million_turns(void **state) {
  (void)state;
  struct fixture *f = new_fixture(long_text);
  f->silent = true;
  f->reads = (double[]){55};
  f->n_reads = 1;
  uint64_t n = 1000000, results[3];
  fixture_run_slots(f, "loop", &n, results);
  assert_int_equal(f->outcome, HOST_DONE);
  assert_int_equal(results[0], 100 + n);
  assert_int_equal(results[2], 100 + n + 1);
  assert_int_equal(f->n_instances, n + 2);
  const struct value_list *list = (const struct value_list *)(uintptr_t)results[1];
  assert_int_equal(list->length, n + 1);
  for (uint64_t i = 0; i < n; i++)
    assert_true(list->buffer->slots[list->offset + i] == i);
  assert_int_equal(list->buffer->slots[list->offset + n], 55);
  // A node of the rope per turn, 32 bytes, and the list's buffer, with the room it has to grow.
  assert_true(f->example.heap.live < n * (32 + 16) + 100000);
  assert_true(f->example.heap.held < n * (32 + 16) * 5 / 4);
  assert_int_equal(f->copied, 0);
  drop(f);
}

static const char hoard_text[] = "module hoard\n"
                                 "entry hoard(n: int) -> [int] = @hoard\n"
                                 "host @hoard(%0: int) -> ([int]) {\n"
                                 "^0:\n"
                                 "  %1 = list.new count 0 : [int]\n"
                                 "  %2 = const.int 0 : int\n"
                                 "  %3 = const.int 1 : int\n"
                                 "  br ^1(%2, %1)\n"
                                 "^1(%4: int, %5: [int]):\n"
                                 "  %6 = ilt %4, %0 : bool\n"
                                 "  brif %6 ^2, ^3\n"
                                 "^2:\n"
                                 "  %7 = list.push %5, %4 : [int]\n"
                                 "  %8 = iadd %4, %3 : int\n"
                                 "  br ^1(%8, %7)\n"
                                 "^3:\n"
                                 "  return %5\n"
                                 "}\n";

// An example that takes all it may fails alone, and gives back what it took: the next ones have theirs, and what
// earlier ones made stays.
static void test_a_failure_frees_its_memory(void **state) {
  (void)state;
  struct fixture *f = new_fixture(hoard_text);
  f->limits.bytes = (uint64_t)10 << 20;
  uint64_t small = 1000, large = 10000000, first, result;
  fixture_run_slots(f, "hoard", &small, &first);
  assert_int_equal(f->outcome, HOST_DONE);
  struct heap kept = f->example.heap;
  f->example.heap = (struct heap){.pool = &f->room.heaps};
  size_t held = f->room.heaps.held;
  for (int round = 0; round < 3; round++) {
    fixture_run_slots(f, "hoard", &large, &result);
    assert_string_equal(f->error, "0:0:0 the example needs more than 10 MiB of memory (--memory)");
    assert_int_equal(f->room.heaps.held, held);
    fixture_run_slots(f, "hoard", &small, &result);
    assert_int_equal(f->outcome, HOST_DONE);
  }
  const struct value_list *list = (const struct value_list *)(uintptr_t)first;
  assert_int_equal(list->length, small);
  for (uint64_t i = 0; i < small; i++)
    assert_true(list->buffer->slots[list->offset + i] == i);
  heap_clear(&kept);
  drop(f);
}

struct interruption {
  volatile int flag;
};

static void *interrupt_soon(void *argument) {
  struct interruption *interruption = argument;
  nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  interruption->flag = 1;
  return NULL;
}

static void test_interruption(void **state) {
  (void)state;
  struct fixture *f = new_fixture(long_text);
  struct interruption interruption = {0};
  f->interrupt = &interruption.flag;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &interruption), 0);
  fixture_run(f, "forever()");
  pthread_join(thread, NULL);
  assert_string_equal(f->error, "0:5:7 interrupted");
  f->interrupt = NULL;
  fixture_run(f, "loop(3)");
  assert_int_equal(f->outcome, HOST_DONE);
  drop(f);
}

// ------------------------------------------------------------------------------------ many at once

// As the scheduler runs a minibatch with decisions: all examples up to their first wait, then round after
// round. Every third one is dropped halfway.
static void test_many_examples_wait(void **state) {
  (void)state;
  enum { N = 20000 };
  struct fixture *f = new_fixture(deep_text);
  f->silent = true;
  struct example *examples = calloc(N, sizeof *examples);
  struct host_run *runs = calloc(N, sizeof *runs);
  uint64_t(*slots)[3] = calloc(N, sizeof *slots);
  assert_true(examples && runs && slots);
  struct fixture_trace *trace = fixture_trace_new(f);
  uint32_t entry = 1;
  assert_string_equal(f->ir->entries[entry]->name, "waits");
  for (uint64_t i = 0; i < N; i++) {
    slots[i][0] = i % 50;
    slots[i][1] = 3;
    examples[i] = (struct example){.trace = (struct trace *)(void *)trace,
                                   .arena = f->arena,
                                   .limits = &f->limits,
                                   .room = &f->room,
                                   .heap.pool = &f->room.heaps};
    runs[i] = (struct host_run){.entry = f->code->entries[f->ir->entries[entry]->function],
                                .example = &examples[i],
                                .args = slots[i],
                                .results = &slots[i][2]};
    assert_int_equal(host_start(f->pool, &runs[i], true), HOST_WAITS);
  }
  for (uint64_t i = 0; i < N; i++) {
    if (i % 3 == 0)
      host_finish(&runs[i]);
  }
  for (uint64_t i = N; i-- > 0;) {
    if (i % 3 == 0) {
      heap_clear(&examples[i].heap);
      continue;
    }
    assert_int_equal(host_continue(&runs[i]), HOST_DONE);
    assert_int_equal(slots[i][2], i % 50);
    host_finish(&runs[i]);
    heap_clear(&examples[i].heap);
  }
  fixture_trace_free(trace);
  free(examples);
  free(runs);
  free(slots);
  drop(f);
}

// --------------------------------------------------------------------------------------- the cache

static const char cache_text[] = "module cached\n"
                                 "dim H = 7\n"
                                 "entry size() -> int = @size\n"
                                 "host @size() -> (int) {\n"
                                 "^0:\n"
                                 "  %0 = size 2*H : int\n"
                                 "  return %0\n"
                                 "}\n";

static void test_cache(void **state) {
  (void)state;
  char folder[] = "/tmp/nn-test-host-XXXXXX", command[64];
  assert_non_null(mkdtemp(folder));
  for (int round = 0; round < 2; round++) {
    struct fixture *f = fixture_new(new_jit(folder), "cached", cache_text, strlen(cache_text));
    fixture_run(f, "size()");
    assert_string_equal(f->results, "14");
    fixture_set_size(f, "H", 5);  // a value of a size is part of the key
    fixture_run(f, "size()");
    assert_string_equal(f->results, "10");
    struct jit_statistics statistics = jit_get_statistics(f->jit);
    assert_int_equal(statistics.compiled, round == 0 ? 2 : 0);
    assert_int_equal(statistics.loaded, round == 0 ? 0 : 2);
    drop(f);
  }
  snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

// --------------------------------------------------------------------------------- what is refused

static void expect_refusal(const char *text, const int64_t *dims, const char *message) {
  struct jit *jit = new_jit("");
  char *error = NULL;
  struct ir_module *ir = ir_parse(text, strlen(text), &error);
  if (!ir)
    fail_msg("%s", error);
  assert_null(host_compile(jit, ir, dims, &error));
  assert_string_equal(error, message);
  free(error);
  ir_module_free(ir);
  jit_free(jit);
}

static void test_refusals(void **state) {
  (void)state;
  expect_refusal("module a\nfile \"a.nn\"\nentry f(x: float) -> f32 = @f\n"
                 "host @f(%0: float) -> (f32) {\n^0:\n  %1 = scalar %0 : f32 !0:3:4\n  return %1\n}\n",
                 NULL, "a.nn:3:4: function f, scalar: a tensor operation outside of a block");
  expect_refusal("module a\nvocab Word\nentry f() -> Word = @f\n"
                 "host @f() -> (Word) {\n^0:\n  %1 = const.index 3 : Word\n  return %1\n}\n",
                 &(int64_t){3}, "function f, const.index: no index of the set");
  int64_t huge = INT64_MAX / 2;
  expect_refusal("module a\ndim H = 3\nentry f() -> int = @f\n"
                 "host @f() -> (int) {\n^0:\n  %1 = size 4*H : int\n  return %1\n}\n",
                 &huge, "function f, size: a size is negative or too large");
  expect_refusal(
      "module a\ndim H = 3\nentry f(xs: [f32[H, H]]) -> f32[H, H] = @f\n"
      "host @f(%0: [f32[H, H]]) -> (f32[H, H]) {\n^0:\n  %1 = list.sum %0 : f32[H, H]\n  return %1\n}\n",
      &(int64_t){70000}, "function f, list.sum: a size is negative or too large");
}

// What nnc --emit shows.
static void test_text(void **state) {
  (void)state;
  struct fixture *f = new_fixture(deep_text);
  char *error = NULL;
  char *ir = host_text(f->jit, f->ir, f->dims, false, &error);
  assert_non_null(ir);
  assert_non_null(strstr(ir, "define internal"));
  assert_non_null(strstr(ir, "host.depth"));
  char *assembly = host_text(f->jit, f->ir, f->dims, true, &error);
  assert_non_null(assembly);
  assert_non_null(strstr(assembly, "trace_emit"));
  free(ir);
  free(assembly);
  drop(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_depth_of_an_example_that_decides),
      cmocka_unit_test(test_a_million_turns),
      cmocka_unit_test(test_a_failure_frees_its_memory),
      cmocka_unit_test(test_interruption),
      cmocka_unit_test(test_many_examples_wait),
      cmocka_unit_test(test_cache),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_text),
  };
  return cmocka_run_group_tests_name("host runs", tests, NULL, NULL);
}

// The trace and its schedules: which rows are one instance, hand-worked schedules for each policy, and properties of
// the schedules of random traces.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/ir/ir.h"
#include "runtime/batch/schedule.h"
#include "runtime/batch/trace.h"
#include "runtime/kernel/random.h"

// Blocks by number: a and b take up to two tensors, `loss` is deferred, `zero` uniform, `member` one of a
// family.
enum { A, B, PAIR, LOSS, ZERO, MEMBER, SOURCE, N_BLOCKS };

static const uint8_t tensor[] = {IR_TENSOR, IR_TENSOR}, index_and_tensor[] = {IR_INT, IR_TENSOR},
                     index_only[] = {IR_INT};
static const uint8_t none[] = {0, 0}, first[] = {1, 0};

struct bench {
  struct trace_block blocks[N_BLOCKS];
  struct trace trace;
  struct schedule schedule;
  struct trace_example example;
  struct example_room room;
};

static void open_bench(struct bench *bench) {
  *bench = (struct bench){0};
  bench->blocks[A] = (struct trace_block){.n_params = 1, .kinds = tensor, .is_member = none, .n_values = 1};
  bench->blocks[B] = bench->blocks[A];
  bench->blocks[PAIR] =
      (struct trace_block){.n_params = 2, .kinds = tensor, .is_member = none, .n_values = 2};
  bench->blocks[LOSS] = bench->blocks[A];
  bench->blocks[LOSS].deferred = true;
  bench->blocks[ZERO] =
      (struct trace_block){.n_params = 0, .kinds = none, .is_member = none, .n_values = 1, .uniform = true};
  bench->blocks[MEMBER] =
      (struct trace_block){.n_params = 2, .kinds = index_and_tensor, .is_member = first, .n_values = 1};
  bench->blocks[SOURCE] =
      (struct trace_block){.n_params = 1, .kinds = index_only, .is_member = none, .n_values = 1};
  for (int i = 0; i < N_BLOCKS; i++)
    assert_true(trace_block_finish(&bench->blocks[i]));
  assert_true(trace_init(&bench->trace, bench->blocks, N_BLOCKS));
  assert_true(schedule_init(&bench->schedule));
  static const struct example_limits any = {0};
  bench->example.host.trace = &bench->trace;
  bench->example.host.limits = &any;
  bench->example.host.room = &bench->room;
}

static void close_bench(struct bench *bench) {
  schedule_free(&bench->schedule);
  trace_free(&bench->trace);
  for (int i = 0; i < N_BLOCKS; i++)
    trace_block_free(&bench->blocks[i]);
}

static uint32_t emit(struct bench *bench, uint32_t block, uint32_t x, uint32_t y) {
  const uint32_t args[] = {x, y};
  return trace_emit(&bench->example.host, block, args, &(struct ir_loc){0});
}

// The batches as text: `a a|b` is a batch of two instances of block a, then one of b.
static const char *text_of(const struct bench *bench, uint32_t from) {
  static char text[4096];
  static const char *const names[] = {"a", "b", "pair", "loss", "zero", "member", "source"};
  char *at = text;
  for (uint32_t b = from; b < bench->schedule.n_batches; b++) {
    const struct batch *batch = &bench->schedule.batches[b];
    if (b > from)
      *at++ = '|';
    const char *name = trace_is_list(batch->block) ? "sum" : names[batch->block];
    at += sprintf(at, "%s*%u", name, batch->count);
  }
  *at = '\0';
  return text;
}

static void expect(struct bench *bench, nn_autobatch policy, const char *expected) {
  schedule_reset(&bench->schedule);
  assert_true(schedule_flush(&bench->schedule, &bench->trace, policy, SCHEDULE_ALL));
  assert_string_equal(text_of(bench, 0), expected);
}

static uint64_t bound_of(struct bench *bench) {
  uint64_t bound = 0;
  assert_true(schedule_lower_bound(&bench->schedule, &bench->trace, &bound));
  return bound;
}

// Two chains of a, of two and of three steps, each with a b on top: by level the two b's do not meet.
static void test_chains(void **state) {
  (void)state;
  struct bench bench;
  open_bench(&bench);
  for (int length = 2; length <= 3; length++) {
    uint32_t value = emit(&bench, SOURCE, 1, 0);
    for (int i = 0; i < length; i++)
      value = emit(&bench, A, value, 0);
    emit(&bench, B, value, 0);
  }
  expect(&bench, NN_AUTOBATCH_OFF, "source*1|a*1|a*1|b*1|source*1|a*1|a*1|a*1|b*1");
  expect(&bench, NN_AUTOBATCH_DEPTH, "source*2|a*2|a*2|a*1|b*1|b*1");
  // Mean levels: a (1+2+1+2+3)/5 = 1.8, b 3.5: a comes first as long as one is ready.
  expect(&bench, NN_AUTOBATCH_AGENDA, "source*2|a*2|a*2|a*1|b*2");
  expect(&bench, NN_AUTOBATCH_AUTO, "source*2|a*2|a*2|a*1|b*2");
  assert_int_equal(bound_of(&bench), 5);
  close_bench(&bench);
}

// Chains a b b and b b a side by side: levels make the b's meet once, waiting for the tops of the longest
// chains twice.
static void test_look_ahead(void **state) {
  (void)state;
  struct bench bench;
  open_bench(&bench);
  uint32_t x = emit(&bench, SOURCE, 0, 0), y = emit(&bench, SOURCE, 0, 0);
  x = emit(&bench, A, x, 0);
  x = emit(&bench, B, x, 0);
  x = emit(&bench, B, x, 0);
  y = emit(&bench, B, y, 0);
  y = emit(&bench, B, y, 0);
  y = emit(&bench, A, y, 0);
  expect(&bench, NN_AUTOBATCH_DEPTH, "source*2|a*1|b*1|b*2|a*1|b*1");
  assert_int_equal(bound_of(&bench),
                   4);  // source 1, a 1, b 2; the two a's cannot meet without another b, though
  expect(&bench, NN_AUTOBATCH_AUTO, "source*2|a*1|b*2|b*2|a*1");
  close_bench(&bench);
}

// Losses of all depths are one batch behind everything else, and what needs them comes behind that.
static void test_phases(void **state) {
  (void)state;
  struct bench bench;
  open_bench(&bench);
  for (int example = 0; example < 2; example++) {
    uint32_t value = emit(&bench, SOURCE, 0, 0), losses[3];
    for (int i = 0; i < 3; i++) {
      value = emit(&bench, A, value, 0);
      losses[i] = emit(&bench, LOSS, value, 0);
    }
    trace_emit_list(&bench.example.host, &(struct ir_loc){0}, TRACE_LIST_SUM, 1, 3, losses);
  }
  // What the examples do alike is one instance: a source, three steps, their losses, the sum.
  assert_int_equal(bench.trace.n_instances, 8);
  assert_int_equal(bench.trace.n_rows, 16);
  expect(&bench, NN_AUTOBATCH_AUTO, "source*2|a*2|a*2|a*2|loss*6|sum*2");
  expect(&bench, NN_AUTOBATCH_DEPTH, "source*2|a*2|a*2|a*2|loss*6|sum*2");
  assert_int_equal(bench.schedule.batches[4].phase, 1);
  assert_int_equal(bench.schedule.batches[5].phase, 2);
  assert_int_equal(bound_of(&bench), 6);
  close_bench(&bench);
}

// A flush takes the phases that were asked for; what is computed no longer counts as depth.
static void test_flushes(void **state) {
  (void)state;
  struct bench bench;
  open_bench(&bench);
  uint32_t value = emit(&bench, A, emit(&bench, A, emit(&bench, SOURCE, 0, 0), 0), 0);
  emit(&bench, LOSS, value, 0);
  assert_true(schedule_flush(&bench.schedule, &bench.trace, NN_AUTOBATCH_AUTO, 0));
  assert_string_equal(text_of(&bench, 0), "source*1|a*1|a*1");
  assert_int_equal(bench.schedule.phases[1].n, 1);
  for (uint32_t v = 0; v < bench.trace.n_values; v++)
    if (bench.trace.value_instance[v] < 3)
      bench.trace.value_row[v] = v;
  uint32_t next = emit(&bench, A, value, 0);
  emit(&bench, LOSS, next, 0);
  assert_int_equal(bench.trace.instances[bench.trace.value_instance[next]].level, 0);
  assert_true(schedule_flush(&bench.schedule, &bench.trace, NN_AUTOBATCH_AUTO, SCHEDULE_ALL));
  assert_string_equal(text_of(&bench, 3), "a*1|loss*2");
  assert_int_equal(bench.schedule.batches[3].flush, 1);
  assert_int_equal(bench.schedule.phases[1].n, 0);
  assert_int_equal(bound_of(&bench), 3 + 2);
  close_bench(&bench);
}

// Uniform blocks are instantiated once a minibatch; members of a family and rows of unequal size do not meet.
static void test_keys(void **state) {
  (void)state;
  struct bench bench;
  open_bench(&bench);
  uint32_t zero = emit(&bench, ZERO, 0, 0);
  assert_int_equal(emit(&bench, ZERO, 0, 0), zero);
  uint32_t members[6];
  for (uint32_t i = 0; i < 6; i++)
    members[i] = emit(&bench, MEMBER, i % 3 == 2 ? 700 : 4, zero);
  trace_emit_list(&bench.example.host, &(struct ir_loc){0}, TRACE_LIST_SUM, 8, 2, members);
  trace_emit_list(&bench.example.host, &(struct ir_loc){0}, TRACE_LIST_SUM, 9, 2, members);
  trace_emit_list(&bench.example.host, &(struct ir_loc){0}, TRACE_LIST_SUM, 8, 3, members);
  expect(&bench, NN_AUTOBATCH_AUTO, "zero*1|member*4|member*2|sum*2|sum*1");
  assert_int_equal(bench.trace.n_rows, 10);
  assert_int_equal(bench.trace.n_instances, 6);  // the sums of eight wait for one member, and for two
  trace_reset(&bench.trace);
  assert_int_equal(emit(&bench, ZERO, 0, 0), 0);
  assert_int_equal(bench.trace.n_instances, 1);
  // Keys are kept, however many there are.
  for (uint32_t i = 0; i < 300; i++)
    emit(&bench, MEMBER, i, 0);
  for (uint32_t i = 0; i < 300; i++)
    emit(&bench, MEMBER, 299 - i, 0);
  assert_int_equal(bench.trace.n_instances, 301);
  for (uint32_t i = 0; i < 300; i++)
    assert_int_equal(bench.trace.rows[1 + i].instance, bench.trace.rows[600 - i].instance);
  close_bench(&bench);
}

static uint32_t instance_of(const struct bench *bench, uint32_t value) {
  return bench->trace.value_instance[value];
}

// A row joins the instance that waits for the same ones, and no other.
static void test_rows(void **state) {
  (void)state;
  struct bench bench;
  open_bench(&bench);
  uint32_t x = emit(&bench, SOURCE, 0, 0), y = emit(&bench, A, x, 0), z = emit(&bench, SOURCE, 1, 0);
  assert_int_equal(instance_of(&bench, x), instance_of(&bench, z));
  uint32_t one = emit(&bench, PAIR, x, y), two = emit(&bench, PAIR, z, y), three = emit(&bench, PAIR, y, x),
           four = emit(&bench, PAIR, y, y), five = emit(&bench, A, z, 0);
  assert_int_equal(instance_of(&bench, one), instance_of(&bench, two));
  assert_int_not_equal(instance_of(&bench, one), instance_of(&bench, four));
  assert_int_not_equal(instance_of(&bench, three), instance_of(&bench, four));
  assert_int_equal(instance_of(&bench, y), instance_of(&bench, five));
  assert_int_equal(bench.trace.instances[instance_of(&bench, one)].n_rows, 2);
  for (uint32_t r = 0; r < bench.trace.n_rows; r++)
    assert_int_equal(trace_row_of(&bench.trace, bench.trace.rows[r].first_value), r);
  assert_int_equal(trace_row_of(&bench.trace, two + 1), trace_row_of(&bench.trace, two));
  // Of a list, it is not the number of its terms that counts.
  const uint32_t terms[] = {x, z, x, y};
  for (uint32_t n = 2; n <= 4; n++)
    one = trace_emit_list(&bench.example.host, &(struct ir_loc){0}, TRACE_LIST_SUM, 8, n, terms);
  assert_int_equal(bench.trace.instances[instance_of(&bench, one - 1)].n_rows, 2);
  assert_int_equal(bench.trace.instances[instance_of(&bench, one)].n_rows, 1);
  // The next example has rows in the same instances, and a flush ends that.
  bench.example.position = 1;
  uint32_t other = emit(&bench, SOURCE, 2, 0);
  assert_int_equal(instance_of(&bench, other), instance_of(&bench, x));
  assert_int_equal(bench.trace.rows[trace_row_of(&bench.trace, other)].example, 1);
  assert_true(schedule_flush(&bench.schedule, &bench.trace, NN_AUTOBATCH_AUTO, 0));
  assert_int_not_equal(instance_of(&bench, emit(&bench, SOURCE, 2, 0)), instance_of(&bench, x));
  close_bench(&bench);
}

// A minibatch of three examples, of which the second is taken back: the third finds what the first left.
static void test_rewind(void **state) {
  (void)state;
  uint32_t n_rows[2], n_instances[2];
  for (int failing = 0; failing < 2; failing++) {
    struct bench bench;
    open_bench(&bench);
    for (uint32_t i = 0; i < 3; i++) {
      if (i == 1 && !failing)
        continue;
      struct trace_mark mark = trace_mark(&bench.trace);
      uint32_t value = emit(&bench, SOURCE, i, 0);
      // Some hundred instances, so that there is more than one in a bucket and tables grow.
      for (uint32_t step = 0; step < 300; step++)
        value = emit(&bench, step % 2 ? A : PAIR, value,
                     i == 1 && step > 100 ? emit(&bench, SOURCE, i, 0) : value);
      if (i == 1)
        trace_rewind(&bench.trace, mark);
    }
    n_rows[failing] = bench.trace.n_rows;
    n_instances[failing] = bench.trace.n_instances;
    for (uint32_t i = 0; i < bench.trace.n_instances; i++)
      assert_int_equal(bench.trace.instances[i].n_rows, 2);
    for (uint32_t r = 0; r < bench.trace.n_rows; r++)
      assert_int_equal(bench.trace.rows[r].instance, r % bench.trace.n_instances);
    close_bench(&bench);
  }
  assert_int_equal(n_rows[0], n_rows[1]);
  assert_int_equal(n_instances[0], n_instances[1]);
}

// --------------------------------------------------------------------------------------------- random traces

static void grow_trace(struct bench *bench, struct random_stream *stream, uint32_t n) {
  uint32_t values[2000], n_values = 0;
  while (bench->trace.n_rows < n) {
    uint32_t kind = (uint32_t)random_below(stream, 8);
    // Mostly near the end, so that chains grow.
    uint32_t reach = n_values < 12 ? n_values : 12;
    uint32_t x = reach ? values[n_values - 1 - random_below(stream, reach)] : 0;
    uint32_t y = reach ? values[random_below(stream, n_values)] : 0;
    if (kind == 7 && reach >= 3) {
      values[n_values] = trace_emit_list(&bench->example.host, &(struct ir_loc){0}, TRACE_LIST_SUM, 8, 3,
                                         values + n_values - 3);
    } else if (kind == MEMBER) {
      values[n_values] = reach ? emit(bench, MEMBER, (uint32_t)random_below(stream, 2), x)
                               : emit(bench, SOURCE, 0, 0);
    } else {
      values[n_values] = reach && kind < ZERO ? emit(bench, kind, x, y)
                                              : emit(bench, kind == ZERO ? ZERO : SOURCE, 0, 0);
    }
    n_values++;
  }
}

// Every row once, in batches of one key, behind all that it needs.
static void check_schedule(const struct bench *bench) {
  const struct trace *trace = &bench->trace;
  const struct schedule *schedule = &bench->schedule;
  bool *done = calloc(trace->n_rows, sizeof *done);
  uint32_t seen = 0;
  for (uint32_t b = 0; b < schedule->n_batches; b++) {
    const struct batch *batch = &schedule->batches[b];
    for (uint32_t i = 0; i < batch->count; i++) {
      uint32_t row = schedule->order[batch->first + i];
      assert_true(i == 0 || row > schedule->order[batch->first + i - 1]);
      const uint32_t *args;
      const uint16_t *map;
      uint32_t n = trace_operands(trace, row, &args, &map);
      assert_int_equal(trace->instances[trace->rows[row].instance].key, batch->key);
      assert_false(done[row]);
      for (uint32_t t = 0; t < n; t++)
        assert_true(done[trace_row_of(trace, args[map ? map[t] : t])]);
    }
    for (uint32_t i = 0; i < batch->count; i++)
      done[schedule->order[batch->first + i]] = true;
    seen += batch->count;
  }
  assert_int_equal(seen, trace->n_rows);
  free(done);
}

// Of rows, as if each were an instance: how many batches there are by level, and what no schedule has fewer than.
static void measure_rows(const struct bench *bench, uint32_t *by_level, uint64_t *bound) {
  const struct trace *trace = &bench->trace;
  enum { MOST_KEYS = 64 };
  assert_true(trace->n_keys <= MOST_KEYS);
  uint32_t n = trace->n_rows;
  uint32_t *phases = calloc(n, sizeof *phases), *levels = calloc(n, sizeof *levels);
  uint32_t(*chains)[MOST_KEYS] = calloc(n, sizeof *chains), longest[MOST_KEYS] = {0};
  *by_level = 0;
  *bound = 0;
  for (uint32_t r = 0; r < n; r++) {
    const struct trace_instance *instance = &trace->instances[trace->rows[r].instance];
    bool deferred = instance->block < N_BLOCKS && bench->blocks[instance->block].deferred;
    const uint32_t *args;
    const uint16_t *map;
    uint32_t n_operands = trace_operands(trace, r, &args, &map);
    phases[r] = deferred;
    for (uint32_t pass = 0; pass < 2; pass++)
      for (uint32_t t = 0; t < n_operands; t++) {
        uint32_t from = trace_row_of(trace, args[map ? map[t] : t]);
        uint32_t phase = deferred ? phases[from] | 1 : (phases[from] + 1) / 2 * 2;
        if (pass == 0 && phase > phases[r])
          phases[r] = phase;
        if (pass == 1 && phases[from] == phases[r] && levels[from] >= levels[r])
          levels[r] = levels[from] + 1;
        for (uint32_t k = 0; k < MOST_KEYS; k++)
          if (chains[from][k] > chains[r][k])
            chains[r][k] = chains[from][k];
      }
    if (++chains[r][instance->key] > longest[instance->key])
      longest[instance->key] = chains[r][instance->key];
    bool is_new = true;
    for (uint32_t s = 0; s < r && is_new; s++)
      is_new = phases[s] != phases[r] || levels[s] != levels[r] ||
               trace->instances[trace->rows[s].instance].key != instance->key;
    *by_level += is_new;
  }
  for (uint32_t k = 0; k < MOST_KEYS; k++)
    *bound += longest[k];
  free(phases);
  free(levels);
  free(chains);
}

static void test_random_traces(void **state) {
  (void)state;
  struct random_stream stream;
  random_open(&stream, 1, "traces");
  uint32_t better = 0, n_joined = 0;
  for (int round = 0; round < 300; round++) {
    struct bench bench;
    open_bench(&bench);
    grow_trace(&bench, &stream, 2 + (uint32_t)random_below(&stream, 400));
    uint32_t batches[4];
    uint64_t bound = 0;
    for (int policy = 0; policy < 4; policy++) {
      schedule_reset(&bench.schedule);
      assert_true(schedule_flush(&bench.schedule, &bench.trace, (nn_autobatch)policy, SCHEDULE_ALL));
      check_schedule(&bench);
      batches[policy] = bench.schedule.n_batches;
      bound = bound_of(&bench);
      assert_true(bound <= batches[policy]);
    }
    assert_true(batches[NN_AUTOBATCH_AUTO] <= batches[NN_AUTOBATCH_DEPTH]);
    assert_true(batches[NN_AUTOBATCH_AUTO] <= batches[NN_AUTOBATCH_AGENDA]);
    assert_int_equal(batches[NN_AUTOBATCH_OFF], bench.trace.n_rows);
    // Nothing is lost by rows that are one instance.
    uint32_t by_level;
    uint64_t bound_of_rows;
    measure_rows(&bench, &by_level, &bound_of_rows);
    assert_int_equal(batches[NN_AUTOBATCH_DEPTH], by_level);
    assert_int_equal(bound, bound_of_rows);
    n_joined += bench.trace.n_rows - bench.trace.n_instances;
    better += batches[NN_AUTOBATCH_AUTO] < batches[NN_AUTOBATCH_DEPTH] &&
              batches[NN_AUTOBATCH_AUTO] < batches[NN_AUTOBATCH_AGENDA];
    close_bench(&bench);
  }
  assert_true(better > 0);  // looking ahead is not for nothing
  assert_true(n_joined > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chains),  cmocka_unit_test(test_look_ahead),    cmocka_unit_test(test_phases),
      cmocka_unit_test(test_flushes), cmocka_unit_test(test_keys),          cmocka_unit_test(test_rows),
      cmocka_unit_test(test_rewind),  cmocka_unit_test(test_random_traces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

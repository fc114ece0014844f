// Lists and data are values, however they are written: random programs compute as native code what the slow
// interpreter computes from the module before any pass, which copies at every write; what they leave behind is their
// result alone; and the usual ways to write copy nothing.
//
// test_list_programs FIRST N runs N programs from a seed on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/nnc.h"
#include "tests/passes/interpret.h"
#include "tests/runtime/host_fixture.h"
#include "tests/runtime/list_program_gen.h"

#define MOST_STEPS 3000000
#define MOST_BYTES ((size_t)512 << 20)

static uint64_t first_seed = 1;
static unsigned n_programs = 30;

static struct jit *jit;

static struct ir_module *compile(const char *text, enum nnc_stage stage) {
  struct nnc_options options = {
      .path = "lists.nn", .text = text, .text_length = strlen(text), .stop_after = stage};
  struct nnc_result result;
  if (!nnc_compile(&options, &result)) {
    nnc_render(&result, stderr, false);
    fail_msg("does not compile:\n%s", text);
  }
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  return module;
}

static struct fixture *native(const char *text) {
  struct ir_module *module = compile(text, NNC_STAGE_ALL);
  char *ir = ir_print(module);
  struct fixture *fixture = fixture_new(jit, "lists", ir, strlen(ir));
  free(ir);
  ir_module_free(module);
  return fixture;
}

// ------------------------------------------------------------------------------------ the interpreter's results

static const struct slot *write_value(FILE *out, const struct ir_module *module, const struct ir_type *type,
                                      const struct slot *slots);

static const struct slot *write_fields(FILE *out, const struct ir_module *module, uint32_t n,
                                       const struct ir_field *fields, const struct slot *slots) {
  for (uint32_t i = 0; i < n; i++) {
    fputs(i ? ", " : "(", out);
    slots = write_value(out, module, fields[i].type, slots);
  }
  fputs(n ? ")" : "", out);
  return slots;
}

static void write_list(FILE *out, const struct ir_module *module, const struct ir_type *element,
                       const struct slot_list *list) {
  const struct slot *slots = list->slots;
  fputc('[', out);
  for (uint32_t i = 0; i < list->n; i++) {
    fputs(i ? ", " : "", out);
    slots = write_value(out, module, element, slots);
  }
  fputc(']', out);
}

// As host_fixture.c writes them. Gives the slots behind those written.
static const struct slot *write_value(FILE *out, const struct ir_module *module, const struct ir_type *type,
                                      const struct slot *slots) {
  switch (type->kind) {
  case IR_LIST: write_list(out, module, type->element, slots->list); return slots + 1;
  case IR_DATA: {
    const struct ir_constructor *constructor =
        &module->datas[type->data]->constructors[slots->data->constructor];
    fputs(constructor->name, out);
    write_fields(out, module, constructor->n_fields, constructor->fields, slots->data->slots);
    return slots + 1;
  }
  case IR_TUPLE: return write_fields(out, module, type->tuple.n, type->tuple.fields, slots);
  default: fprintf(out, "%lld", (long long)slots->integer); return slots + 1;
  }
}

static const struct ir_entry *find_entry(const struct ir_module *module, const char *name) {
  for (uint32_t i = 0; i < module->n_entries; i++)
    if (strcmp(module->entries[i]->name, name) == 0)
      return module->entries[i];
  fail_msg("no entry %s", name);
  return NULL;
}

// ------------------------------------------------------------------------------------------- random programs

// The arguments of every run, as the fixture reads them and as the interpreter does.
#define ARGUMENTS                                                                                            \
  "[5, 6, 7], [[1], [2, 3], []], Pair(Leaf([4, 5], 1), [Leaf([], 2), Leaf([6], 3)]), [([8], 9), ([], 1)]"

static const struct slot_list *ints(struct arena *arena, uint32_t n, const int64_t *values) {
  struct slot_list *list = arena_new(arena, struct slot_list);
  struct slot *slots = arena_new_array(arena, struct slot, n);
  for (uint32_t i = 0; i < n; i++)
    slots[i].integer = values[i];
  *list = (struct slot_list){n, 1, slots};
  return list;
}

static const struct slot_list *slots_list(struct arena *arena, uint32_t n, uint32_t width,
                                          const struct slot *from) {
  struct slot_list *list = arena_new(arena, struct slot_list);
  struct slot *slots = arena_new_array(arena, struct slot, (size_t)n * width);
  memcpy(slots, from, (size_t)n * width * sizeof *slots);
  *list = (struct slot_list){n, width, slots};
  return list;
}

static struct slot box(struct arena *arena, uint32_t constructor, struct slot first, struct slot second) {
  struct slot_data *data = arena_new(arena, struct slot_data);
  struct slot *slots = arena_new_array(arena, struct slot, 2);
  slots[0] = first;
  slots[1] = second;
  *data = (struct slot_data){constructor, slots};
  return (struct slot){.data = data};
}

static void make_arguments(struct arena *arena, int64_t n, struct slot *args) {
  struct slot none = {.list = ints(arena, 0, NULL)};
  args[0].list = ints(arena, 3, (int64_t[]){5, 6, 7});
  struct slot rows[] = {
      {.list = ints(arena, 1, (int64_t[]){1})}, {.list = ints(arena, 2, (int64_t[]){2, 3})}, none};
  args[1].list = slots_list(arena, 3, 1, rows);
  struct slot leaves[] = {
      box(arena, 0, none, (struct slot){.integer = 2}),
      box(arena, 0, (struct slot){.list = ints(arena, 1, (int64_t[]){6})}, (struct slot){.integer = 3})};
  struct slot left = box(arena, 0, (struct slot){.list = ints(arena, 2, (int64_t[]){4, 5})},
                         (struct slot){.integer = 1});
  args[2] = box(arena, 1, left, (struct slot){.list = slots_list(arena, 2, 1, leaves)});
  struct slot pairs[] = {{.list = ints(arena, 1, (int64_t[]){8})}, {.integer = 9}, none, {.integer = 1}};
  args[3].list = slots_list(arena, 2, 2, pairs);
  args[4].integer = n;
}

// NULL when the interpreter gives up.
static char *interpreted(const struct ir_module *module, int64_t n) {
  struct arena arena;
  arena_init(&arena);
  const struct ir_entry *entry = find_entry(module, "predict");
  struct interpreter in = {
      .module = module, .arena = &arena, .steps_left = MOST_STEPS, .most_bytes = MOST_BYTES};
  struct slot args[8], results[32];
  make_arguments(&arena, n, args);
  char *text = NULL;
  size_t length;
  if (interpret(&in, entry->function, args, results)) {
    FILE *out = open_memstream(&text, &length);
    write_value(out, module, entry->result, results);
    fclose(out);
  }
  arena_free(&arena);
  return text;
}

static unsigned check_program(uint64_t seed) {
  char *text = list_program_generate(seed), call[256];
  struct ir_module *module = compile(text, NNC_STAGE_LOWERED);
  struct fixture *fixture = native(text);
  unsigned n_checked = 0;
  for (int64_t n = 0; n < 3; n++) {
    char *wanted = interpreted(module, n);
    if (!wanted)
      continue;
    snprintf(call, sizeof call, "predict(" ARGUMENTS ", %d)", (int)n);
    fixture_run(fixture, call);
    const char *got = fixture->outcome == HOST_DONE ? fixture->results : fixture->error;
    if (strcmp(got, wanted) != 0)
      fail_msg("seed %llu, n %d: got\n%s, not\n%s, of\n%s", (unsigned long long)seed, (int)n, got, wanted,
               text);
    free(wanted);
    n_checked++;
  }
  fixture_free(fixture);
  ir_module_free(module);
  free(text);
  return n_checked;
}

static void test_random_programs(void **state) {
  (void)state;
  unsigned n_checked = 0;
  for (unsigned i = 0; i < n_programs; i++)
    n_checked += check_program(first_seed + i);
  // Most stay within what the interpreter can take.
  assert_true(n_checked > n_programs);
}

// ------------------------------------------------------------------------------------------- what copies

// Writes of all kinds, where nobody else sees the list: nothing is copied, and what is held at the end and on the way is
// a few times the result.
static const struct {
  const char *name, *text;
  uint64_t most_copied;  // elements
} writers[] = {
    {"fill", "fn predict(n: int) -> int { var ys = [0 for i in 0..n]; for i in 0..n { ys[i] = i }; sum(ys) }",
     0},
    {"from the one before",
     "fn predict(n: int) -> int { var ys = [1 for i in 0..n]; for i in 1..n { ys[i] = (ys[i] + ys[i - 1]) % "
     "7 }; ys[n - 1] }",
     0},
    {"push and pop",
     "fn predict(n: int) -> int { var ys = [0]; for i in 0..n { ys = push(push(ys, i), i); ys = pop(ys) }\n"
     "  while len(ys) > 1 { ys = pop(ys) }; ys[0] }",
     0},
    {"queue",
     "fn predict(n: int) -> int { var q = [1, 2, 3]; for i in 0..n { q = push(q, i)[1..len(q) + 1] }; q[0] }",
     100000},
    {"nested",
     "fn predict(n: int) -> int { var g = [[0, 0] for i in 0..n]\n"
     "  for i in 0..n { g[i][1] = i; g[i][0] = g[i][1] + g[(i + 1) % n][0] }; g[n - 1][0] }",
     0},
    {"nested thrice",
     "fn predict(n: int) -> int { var g = [[[0, 0]] for i in 0..n]\n"
     "  for i in 0..n { g[i][0][1] = i }; g[n - 1][0][1] }",
     0},
    {"inboxes",
     "fn predict(n: int) -> int { var inbox = [[0] for i in 0..10]\n"
     "  for i in 0..n { let u = i % 10; inbox[u] = push(inbox[u], i) }; len(inbox[0]) }",
     0},
    {"inboxes, in branches",
     "fn predict(n: int) -> int { var inbox = [[0] for i in 0..10]\n"
     "  for i in 0..n { let u = i % 10; inbox[u] = if i % 2 == 0 { push(inbox[u], i) } else { "
     "pop(push(inbox[u], len(inbox))) } }\n"
     "  len(inbox[0]) }",
     0},
    {"an inbox, several at once",
     "fn predict(n: int) -> int { var inbox = [[0] for i in 0..10]\n"
     "  for i in 0..n { var m = inbox[i % 10]; for k in 0..3 { m = push(m, k) }; inbox[i % 10] = m }; "
     "len(inbox[0]) }",
     0},
    {"in a function",
     "fn with(xs: [int], i: int) -> [int] { var ys = xs; ys[i] = i; ys }\n"
     "fn predict(n: int) -> int { var ys = [0 for i in 0..n]; for i in 0..n { ys = with(ys, i) }; sum(ys) }",
     0},
    {"in a recursion",
     "fn go(xs: [int], n: int) -> [int] { if n == 0 { xs } else { go(push(xs, n), n - 1) } }\n"
     "fn predict(n: int) -> int { var ys = [0]; for i in 0..100 { ys = go(ys, n / 100) }; len(ys) }",
     0},
    {"in a record",
     "data Rec = Rec(items: [int], n: int)\n"
     "fn step(r: Rec, x: int) -> Rec { Rec(push(r.items, x), r.n + 1) }\n"
     "fn predict(n: int) -> int { var r = Rec([], 0); for i in 0..n { r = step(r, i) }; len(r.items) + r.n }",
     0},
    {"in a tuple",
     "fn predict(n: int) -> int { var p = ([0], 0); for i in 0..n { p = (push(p.0, i), p.1 + i) }; len(p.0) "
     "}",
     0},
    {"in data",
     "data Box = Empty | Full(items: [int], n: int)\n"
     "fn add(b: Box, x: int) -> Box { match b { Empty => Full([x], 1), Full(items, n) => Full(push(items, "
     "x), n + 1) } }\n"
     "fn predict(n: int) -> int { var b = Empty; for i in 0..n { b = add(b, i) }\n"
     "  match b { Empty => 0, Full(items, k) => len(items) + k } }",
     0},
    {"in a field read on the way",
     "data Box = Few(items: [int], n: int) | Many(items: [int], n: int)\n"
     "fn add(b: Box, x: int) -> Box { if b.n > 9 { Many(push(b.items, x), b.n + 1) } else { "
     "Few(push(b.items, x), b.n + 1) } }\n"
     "fn predict(n: int) -> int { var b = Few([], 0); for i in 0..n { b = add(b, i) }; len(b.items) }",
     0},
    {"in data in a list",
     "data Box = Empty | Full(items: [int], n: int)\n"
     "fn predict(n: int) -> int { var bs = [Full([0], i) for i in 0..10]\n"
     "  for i in 0..n { bs[i % 10] = match bs[i % 10] { Empty => Empty, Full(items, k) => Full(push(items, "
     "i), k) } }\n"
     "  match bs[0] { Empty => 0, Full(items, k) => len(items) } }",
     0},
    {"in tuples in a list",
     "fn predict(n: int) -> int { var ps = [([0], i) for i in 0..10]\n"
     "  for i in 0..n { let (xs, k) = ps[i % 10]; ps[i % 10] = (push(xs, i), k + 1) }; len(ps[0].0) + "
     "ps[0].1 }",
     0},
    {"a table",
     "fn predict(n: int) -> int { var t = [[0 for j in 0..100] for i in 0..n / 100]\n"
     "  for i in 1..n / 100 { for j in 1..100 { t[i][j] = max(t[i - 1][j], t[i][j - 1]) + 1 } }; t[n / 100 - "
     "1][99] }",
     0},
    {"a table, the other way",
     "fn predict(n: int) -> int { var t = [[0 for j in 0..100] for i in 0..n / 100]\n"
     "  for i in 1..n / 100 { for j in 1..100 { t[i][j] = max(t[i][j - 1], t[i - 1][j]) + 1 } }; t[n / 100 - "
     "1][99] }",
     0},
    {"swaps of elements",
     "fn predict(n: int) -> int { var ys = [i for i in 0..n]\n"
     "  for i in 0..n / 2 { let x = ys[i]; ys[i] = ys[n - 1 - i]; ys[n - 1 - i] = x }; ys[0] }",
     0},
    {"reversed",
     "fn predict(n: int) -> int { var ys = [i for i in 0..100]; for i in 0..n / 100 { ys = reversed(ys) }; "
     "ys[0] }",
     0},
    {"appended",
     "fn predict(n: int) -> int { var ys = [0]; for i in 0..n / 4 { ys = ys + [i, i, i, i] }; len(ys) }", 0},
    // Shared: one copy of what somebody else still sees, at the first write.
    {"a shared start",
     "fn predict(n: int) -> int { let xs = [0 for i in 0..n]; var ys = xs\n"
     "  for i in 0..n { ys[i] = i }; sum(xs) + sum(ys) }",
     100000},
    {"one row in all places",
     "fn predict(n: int) -> int { let row = [0 for i in 0..100]; var g = [row for i in 0..n / 100]\n"
     "  for i in 0..n { g[i / 100][i % 100] = i }; sum(row) + g[1][1] }",
     100000},
    {"older versions kept",
     "fn predict(n: int) -> int { var ys = [0]; var kept = [ys]\n"
     "  for i in 0..n { ys = push(ys, i); if i % 1000 == 0 { kept = push(kept, ys) } }; len(kept) + "
     "len(kept[2]) }",
     200000},
};

static void test_writes_copy_nothing(void **state) {
  (void)state;
  enum { N = 100000 };
  for (size_t w = 0; w < sizeof writers / sizeof *writers; w++) {
    struct fixture *fixture = native(writers[w].text);
    char call[32];
    snprintf(call, sizeof call, "predict(%d)", N);
    fixture_run(fixture, call);
    if (fixture->outcome != HOST_DONE)
      fail_msg("%s: %s", writers[w].name, fixture->error);
    if (fixture->copied > writers[w].most_copied)
      fail_msg("%s: %llu elements are copied", writers[w].name, (unsigned long long)fixture->copied);
    // A list, its buffer while it grows and the smaller ones before it; nested lists have a header and some room each.
    if (fixture->example.heap.held > (size_t)N * 400)
      fail_msg("%s: %zu bytes are held", writers[w].name, fixture->example.heap.held);
    fixture_free(fixture);
  }
}

int main(int argc, char **argv) {
  if (argc == 3) {
    first_seed = strtoull(argv[1], NULL, 10);
    n_programs = (unsigned)strtoul(argv[2], NULL, 10);
  }
  char *error = NULL;
  jit = jit_new(&(struct jit_options){.cache_dir = ""}, &error);
  if (!jit) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_programs),
                                     cmocka_unit_test(test_writes_copy_nothing)};
  int status = cmocka_run_group_tests_name("list programs", tests, NULL, NULL);
  jit_free(jit);
  return status;
}

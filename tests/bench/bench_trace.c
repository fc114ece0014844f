// How long compiled host code takes to leave its trace: nanoseconds per row of a block instance for the recursion of a
// Tree-LSTM over random trees, and milliseconds to compile it, cold and from the disk cache.
//
//   bench_trace [SECONDS]
//
// Checks what it times: every minibatch must give the same number of instances, known from the trees.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/batch/trace.h"
#include "runtime/host/host.h"
#include "runtime/jit/jit.h"
#include "runtime/value/fiber.h"

#define MODEL "tests/ir/corpus/treelstm.ir"
#define TREES 64
#define LEAVES 19  // the Stanford sentiment treebank's mean

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static _Noreturn void stop(const char *why) {
  fprintf(stderr, "bench_trace: %s\n", why);
  exit(1);
}

static struct ir_module *read_model(void) {
  char *error = NULL, *text = NULL;
  FILE *in = fopen(MODEL, "rb");
  if (!in)
    stop("cannot open " MODEL);
  size_t capacity = 0;
  ssize_t length = getdelim(&text, &capacity, '\0', in);
  fclose(in);
  struct ir_module *ir = ir_parse(text, length < 0 ? 0 : (size_t)length, &error);
  free(text);
  if (!ir || !ir_verify(ir, &error))
    stop(error);
  return ir;
}

static struct trace_block *describe_blocks(const struct ir_module *ir) {
  struct trace_block *blocks = calloc(ir->n_blocks, sizeof *blocks);
  for (uint32_t i = 0; i < ir->n_blocks; i++) {
    const struct ir_block *block = ir->blocks[i];
    uint8_t *kinds = calloc(block->n_params + 1, 1), *is_member = calloc(block->n_params + 1, 1);
    for (uint32_t k = 0; k < block->n_params; k++)
      kinds[k] = (uint8_t)block->params[k]->type->kind;
    blocks[i] = (struct trace_block){.n_params = block->n_params,
                                     .kinds = kinds,
                                     .is_member = is_member,
                                     .n_values = block->n_results,
                                     .deferred = block->deferred,
                                     .uniform = block->uniform,
                                     .random = block->random};
    if (!trace_block_finish(&blocks[i]))
      stop("out of memory");
  }
  return blocks;
}

// A random binary tree; constructor 0 is Leaf(label, word), 1 Node(label, left, right).
static uint64_t make_tree(struct value_arena *arena, unsigned leaves, uint64_t *random) {
  *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
  uint64_t choice = *random >> 33;
  uint64_t slots[3] = {choice % 5, choice % 1000};
  if (leaves > 1) {
    unsigned left = 1 + (unsigned)(choice % (leaves - 1));
    slots[1] = make_tree(arena, left, random);
    slots[2] = make_tree(arena, leaves - left, random);
  }
  return (uint64_t)(uintptr_t)value_data_new(arena, leaves > 1, leaves > 1 ? 3 : 2, slots);
}

static struct host_code *compile(const struct ir_module *ir, struct jit **jit, const char *cache,
                                 const char *label) {
  static const struct {
    const char *name;
    int64_t size;
  } sizes[] = {{"Word", 1000}, {"Label", 5}, {"D", 128}, {"H", 128}};
  int64_t dims[16] = {0};
  for (uint32_t i = 0; i < ir->n_dims && i < 16; i++)
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
      if (strcmp(ir->dims[i]->atom.name, sizes[k].name) == 0)
        dims[i] = sizes[k].size;
  char *error = NULL;
  double start = seconds_now();
  *jit = jit_new(&(struct jit_options){.cache_dir = cache}, &error);
  struct host_code *code = *jit ? host_compile(*jit, ir, dims, &error) : NULL;
  if (!code)
    stop(error);
  printf("%-22s %6.1f ms\n", label, 1e3 * (seconds_now() - start));
  return code;
}

static void run_minibatch(struct fiber_pool *pool, host_entry_fn *entry, struct trace *trace,
                          struct value_arena *arena, struct example_room *room, const uint64_t *trees) {
  static const struct example_limits limits = {0};
  trace_reset(trace);
  value_arena_reset(arena);
  for (uint32_t i = 0; i < TREES; i++) {
    struct trace_example example = {.host = {.trace = trace,
                                             .arena = arena,
                                             .limits = &limits,
                                             .room = room,
                                             .heap.pool = &room->heaps,
                                             .number = i},
                                    .position = i};
    uint64_t result;
    struct host_run run = {.entry = entry, .example = &example.host, .args = &trees[i], .results = &result};
    if (host_start(pool, &run, false) != HOST_DONE)
      stop(example.host.error ? example.host.error : "no memory for a stack");
    host_finish(&run);
    heap_clear(&example.host.heap);
  }
}

static void measure(struct host_code *code, uint32_t function, struct trace *trace, double limit) {
  struct value_arena *data = value_arena_new(), *arena = value_arena_new();
  struct fiber_pool *pool = fiber_pool_new(NULL);
  struct example_room room = {0};
  uint64_t random = 1, trees[TREES];
  for (int i = 0; i < TREES; i++)
    trees[i] = make_tree(data, LEAVES, &random);
  // A leaf leaves its cell and its loss, an inner node the same, a tree one sum.
  uint32_t expected = TREES * (2 * LEAVES + 2 * (LEAVES - 1) + 1);
  double best = 1e9, begin = seconds_now();
  do {
    double start = seconds_now();
    for (int i = 0; i < 10; i++) {
      run_minibatch(pool, code->entries[function], trace, arena, &room, trees);
      if (trace->n_rows != expected)
        stop("a wrong number of rows");
    }
    double each = (seconds_now() - start) / 10;
    best = each < best ? each : best;
  } while (seconds_now() - begin < limit);
  printf("%-22s %6.1f ns  (%" PRIu32 " rows of %d trees in %.1f us)\n", "per row", 1e9 * best / expected,
         expected, TREES, 1e6 * best);
  heap_pool_clear(&room.heaps);
  fiber_pool_free(pool);
  value_arena_free(data);
  value_arena_free(arena);
}

int main(int argc, char **argv) {
  double limit = argc > 1 ? atof(argv[1]) : 1;
  struct ir_module *ir = read_model();
  struct trace_block *blocks = describe_blocks(ir);
  struct trace trace;
  if (!trace_init(&trace, blocks, ir->n_blocks))
    stop("out of memory");
  char folder[] = "/tmp/nn-bench-trace-XXXXXX", command[64];
  if (!mkdtemp(folder))
    stop("cannot make a folder for the cache");
  struct jit *jit;
  struct host_code *code = compile(ir, &jit, folder, "compile, cold");
  host_code_free(code);
  jit_free(jit);
  code = compile(ir, &jit, folder, "compile, from the cache");
  measure(code, ir->entries[0]->function, &trace, limit);
  snprintf(command, sizeof command, "rm -r %s", folder);
  if (system(command) != 0)
    stop("cannot remove the cache");
  host_code_free(code);
  jit_free(jit);
  trace_free(&trace);
  for (uint32_t i = 0; i < ir->n_blocks; i++) {
    free((void *)(uintptr_t)blocks[i].kinds);
    free((void *)(uintptr_t)blocks[i].is_member);
    trace_block_free(&blocks[i]);
  }
  free(blocks);
  ir_module_free(ir);
  return 0;
}

// Kernels of large blocks: that their code and its making grow no faster than the block, and that a block whose
// code is cut into several functions computes the same as the slow reference.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/growth/shapes.h"
#include "tests/growth/stages.h"
#include "tests/operations/kernel_check.h"

static struct jit *new_jit(void) {
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = ""}, &error);
  if (jit == NULL)
    fail_msg("%s", error);
  return jit;
}

static struct kernel_counts count(struct jit *jit, const struct shape *shape, uint32_t n) {
  struct stage_times times = {0};
  struct kernel_counts counts = {0};
  char *text = shape->text(n);
  struct ir_module *module = stages_compile(text, &times);
  stages_kernels(jit, module, false, &times, &counts);
  ir_module_free(module);
  free(text);
  return counts;
}

static void assert_linear(const struct shape *shape, const char *what, uint64_t small, uint64_t large) {
  // Four times the size; what does not grow with it makes the factor smaller.
  if (large > small * 9 / 2 + 200)
    fail_msg("%s: %s grow from %llu to %llu while the program grows fourfold", shape->name, what,
             (unsigned long long)small, (unsigned long long)large);
}

// Scratch memory is what the buffers that are in use at one step need, those of each size apart. Where a chain keeps
// nothing for later, it does not grow with its length; gradients that read a chain's values backwards, and work them
// out again forwards, keep one for each link.
static void check_scratch(const struct shape *shape, const struct kernel_counts *small,
                          const struct kernel_counts *large) {
  if (small->unshared_bytes + large->unshared_bytes > 0)
    fail_msg("%s: %llu bytes of scratch memory that might be shared", shape->name,
             (unsigned long long)(small->unshared_bytes + large->unshared_bytes));
  bool keeps_nothing = strcmp(shape->name, "products") == 0 || strcmp(shape->name, "tree") == 0 ||
                       strcmp(shape->name, "parameters") == 0;
  if (keeps_nothing && large->scratch_bytes > small->scratch_bytes * 3 / 2)
    fail_msg("%s: %llu bytes of scratch memory, and %llu at four times the size", shape->name,
             (unsigned long long)small->scratch_bytes, (unsigned long long)large->scratch_bytes);
}

static void code_and_memory_grow_with_the_block(void **state) {
  (void)state;
  struct jit *jit = new_jit();
  for (uint32_t i = 0; i < n_block_shapes; i++) {
    const struct shape *shape = &shapes[i];
    struct kernel_counts small = count(jit, shape, shape->sizes[0]),
                         large = count(jit, shape, shape->sizes[2]);
    assert_linear(shape, "operations", small.operations, large.operations);
    assert_linear(shape, "nodes", small.nodes, large.nodes);
    assert_linear(shape, "steps", small.steps, large.steps);
    assert_linear(shape, "targets", small.targets, large.targets);
    assert_linear(shape, "instructions", small.instructions, large.instructions);
    // The costliest operations take some fifty instructions, for whole vectors and for the rest.
    assert_in_range(large.instructions, large.operations, 120 * large.operations);
    // LLVM's time is superlinear in functions: they are limited, whatever the block.
    assert_in_range(large.largest_function, 0, 8000);
    check_scratch(shape, &small, &large);
  }
  jit_free(jit);
}

static void check_blocks(struct jit *jit, const char *text) {
  struct stage_times times = {0};
  struct ir_module *module = stages_compile(text, &times);
  int64_t dims[64] = {0};
  stages_sizes(module, dims);
  for (uint32_t b = 0; b < module->n_blocks; b++)
    if (module->blocks[b]->kind != IR_BLOCK_ADJOINT)
      kernel_check(&(struct kernel_check){.jit = jit,
                                          .module = module,
                                          .block = module->blocks[b],
                                          .dims = dims,
                                          .low = -0.1,
                                          .high = 0.1,
                                          .rows = 3});
  ir_module_free(module);
}

// Sizes at which the code is in two or more windows, or functions of a tile.
static void large_blocks_agree_with_reference(void **state) {
  (void)state;
  static const uint32_t sizes[] = {70, 230, 30, 12, 60, 40, 9, 60, 90, 45, 40};
  struct jit *jit = new_jit();
  for (uint32_t i = 0; i < n_block_shapes; i++) {
    char *text = shapes[i].text(sizes[i]);
    check_blocks(jit, text);
    free(text);
  }
  jit_free(jit);
}

// What is stored, shared between loops, read at other places and kept in reused memory, in combinations that
// nobody thought of.
static void random_blocks_agree_with_reference(void **state) {
  (void)state;
  struct jit *jit = new_jit();
  const char *given = getenv("NN_SEED");
  uint32_t first = given != NULL ? (uint32_t)atoi(given) : 1;
  for (uint32_t seed = first; seed < first + 12; seed++) {
    char *text = shape_random(4 + seed % 5 * 6, seed);
    check_blocks(jit, text);
    free(text);
  }
  jit_free(jit);
}

// What was exponential would not end.
static void two_thousand_operations_compile(void **state) {
  (void)state;
  static const struct {
    const char *name;
    uint32_t n;
  } rows[] = {{"tanh", 650}, {"square", 1000}, {"dag", 120}, {"parameters", 600}};
  struct jit *jit = new_jit();
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
    for (uint32_t i = 0; i < n_block_shapes; i++) {
      if (strcmp(shapes[i].name, rows[r].name) != 0)
        continue;
      struct stage_times times = {0};
      struct kernel_counts counts = {0};
      char *text = shapes[i].text(rows[r].n);
      struct ir_module *module = stages_compile(text, &times);
      stages_kernels(jit, module, true, &times, &counts);
      assert_true(counts.operations > 2000);
      ir_module_free(module);
      free(text);
    }
  jit_free(jit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(code_and_memory_grow_with_the_block),
      cmocka_unit_test(large_blocks_agree_with_reference),
      cmocka_unit_test(random_blocks_agree_with_reference),
      cmocka_unit_test(two_thousand_operations_compile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

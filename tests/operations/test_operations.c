// Every operation of the table: kernels and their adjoints against the slow reference, for every combination
// of operand shapes that the shape rule accepts, on inputs, on parameters and on values that are still being
// computed. A new row of ops.def is tested without a line here unless its shape is written in the
// instruction.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/ir/ir_builder.h"
#include "compiler/passes/equal.h"
#include "compiler/passes/passes.h"
#include "tests/operations/kernel_check.h"
#include "tests/operations/op_variants.h"

// Sizes N, K and M of the operands: of one element, smaller than any vector, in between, more than a vector
// of 16.
static const int64_t size_sets[][3] = {{1, 1, 1}, {3, 5, 2}, {17, 33, 2}, {48, 16, 3}};
#define N_SETS (int)(sizeof size_sets / sizeof *size_sets)

enum { N_SHAPES = 9, MAX_COMBINATIONS = 120, ROWS = 3 };

struct bench {
  struct ir_module *module;
  struct ir_block *block;
  struct ir_builder build;
  const struct ir_type *shapes[N_SHAPES];
  uint32_t n_outputs;
  struct ir_value *outputs[MAX_COMBINATIONS];
  uint32_t rotation;  // through the sources of operands
  // Variants of an operation take the same operands, so that nothing but their attributes tells them apart.
  bool shares;
  struct ir_value *shared[5];
};

static void add_shapes(struct bench *b, const struct size *const sizes[3]) {
  struct ir_module *m = b->module;
  const struct size *turned[] = {sizes[1], sizes[0]}, *third[] = {sizes[1], sizes[2]},
                    *last[] = {sizes[2], sizes[0]};
  b->shapes[0] = ir_type_tensor(m, 0, NULL);
  b->shapes[1] = ir_type_tensor(m, 1, sizes);
  b->shapes[2] = ir_type_tensor(m, 1, turned);
  b->shapes[3] = ir_type_tensor(m, 2, sizes);
  b->shapes[4] = ir_type_tensor(m, 2, turned);
  b->shapes[5] = ir_type_tensor(m, 2, third);
  b->shapes[6] = ir_type_tensor(m, 2, last);
  b->shapes[7] = ir_type_tensor(m, 3, sizes);
  const struct size *four[] = {size_constant(m->arena, 2), sizes[0], sizes[1], sizes[2]};
  b->shapes[8] = ir_type_tensor(m, 4, four);
}

static struct bench bench_new(const char *name) {
  struct bench b = {.module = ir_module_new(name)};
  const struct size *sizes[3];
  for (int i = 0; i < 3; i++) {
    struct ir_dim *dim = ir_add_dim(b.module, (const char *[]){"N", "K", "M"}[i], SIZE_DIM);
    dim->value = size_constant(b.module->arena, 1);
    sizes[i] = size_from_atom(b.module->arena, &dim->atom);
  }
  add_shapes(&b, sizes);
  b.block = ir_add_block(b.module, name, IR_BLOCK_FORWARD);
  b.build = ir_builder_in_block(b.module, b.block, (struct ir_loc){0});
  b.module->n_sites = 1;
  return b;
}

// In turn: an input, a parameter, an element-wise value that has no memory yet.
static struct ir_value *new_operand(struct bench *b, const struct ir_type *type) {
  uint32_t source = b->rotation++ % 3;
  if (source == 1) {
    char name[16];
    snprintf(name, sizeof name, "P%u", b->module->n_params);
    ir_add_param(b->module, name, type);
    return ir_build_param(&b->build, b->module->n_params - 1, NULL);
  }
  struct ir_value *input = ir_add_block_param(b->module, b->block, type);
  return source == 0 ? input : ir_build_unary(&b->build, IR_OP_ABS, input);
}

// Adds the operation on operands of these shapes to the block; false when they do not suit.
static bool add_operation(struct bench *b, enum ir_op op, uint32_t n, const uint32_t *shapes,
                          uint32_t variant) {
  const struct ir_op_info *info = &ir_op_infos[op];
  struct ir_value stand_ins[4] = {{0}}, *operands[5];
  struct ir_value index = {.type = ir_type_simple(b->module, IR_INT)},
                  number = {.type = ir_type_simple(b->module, IR_FLOAT)};
  for (uint32_t i = 0; i < n; i++) {
    stand_ins[i].type = b->shapes[shapes[i]];
    operands[i] = &stand_ins[i];
  }
  uint32_t total = n;
  if (info->takes_index)
    operands[total++] = &index;
  if (op == IR_OP_SCALAR)
    operands[total++] = &number;
  uint32_t ignored = 0;
  struct ir_instr *trial = ir_instr_new(b->module, op, total, operands, 0, NULL, 0, &ignored);
  op_set_variant(b->module, trial, variant);
  const struct ir_type *chosen = b->shapes[n == 0 ? shapes[0] : 3];
  const struct ir_type *type = ir_shape_is_written(op) ? op_written_shape(b->module, trial, variant, chosen)
                                                       : ir_infer(b->module, trial, NULL);
  if (type == NULL || b->n_outputs == MAX_COMBINATIONS)
    return false;
  for (uint32_t i = 0; i < total; i++) {
    if (!b->shared[i])
      b->shared[i] = i < n ? new_operand(b, b->shapes[shapes[i]])
                           : ir_add_block_param(b->module, b->block, operands[i]->type);
    operands[i] = b->shared[i];
  }
  if (!b->shares)
    memset(b->shared, 0, sizeof b->shared);
  struct ir_instr *instr = ir_build(&b->build, op, total, operands, 1, &type);
  op_set_variant(b->module, instr, variant);
  b->outputs[b->n_outputs++] = instr->results[0];
  b->block->random |= ir_op_infos[op].random;
  return true;
}

static void add_combinations(struct bench *b, enum ir_op op, uint32_t n) {
  uint32_t total = 1;
  for (uint32_t i = 0; i < (n > 0 ? n : 1); i++)
    total *= N_SHAPES;
  for (uint32_t choice = 0; choice < total; choice++) {
    uint32_t shapes[4];
    for (uint32_t i = 0, rest = choice; i < 4; i++, rest /= N_SHAPES)
      shapes[i] = rest % N_SHAPES;
    memset(b->shared, 0, sizeof b->shared);
    for (uint32_t variant = 0; variant < op_variants(op); variant++)
      add_operation(b, op, n, shapes, variant);
  }
}

static void finish(struct bench *b) {
  b->block->outputs = b->outputs;
  b->block->n_outputs = b->block->n_results = b->n_outputs;
  ir_block_renumber(b->block);
  struct arena scratch;
  arena_init(&scratch);
  pass_adjoint(b->module, &scratch);
  arena_free(&scratch);
  char *error = NULL;
  if (!ir_verify(b->module, &error))
    fail_msg("%s: %s\n%s", b->module->name, error, ir_print(b->module));
}

// Logarithms and roots want positive numbers; everything else is tried on both signs.
static bool accepts_negative(enum ir_op op) { return op != IR_OP_LOG && op != IR_OP_SQRT; }

static void check_operation(struct jit *jit, enum ir_op op) {
  const struct ir_op_info *info = &ir_op_infos[op];
  // Several blocks, so that each operand is once an input, once a parameter and once computed; and one more.
  for (uint32_t rotation = 0; rotation < 4; rotation++) {
    struct bench b = bench_new(info->name);
    b.rotation = rotation;
    b.shares = rotation == 3;
    uint32_t least = info->arity < 0 ? 1 : (uint32_t)info->arity, most = info->arity < 0 ? 3 : least;
    for (uint32_t n = least; n <= most; n++)
      add_combinations(&b, op, n);
    if (b.n_outputs == 0)
      fail_msg("no shapes were found for %s", info->name);
    finish(&b);
    // Under the sanitizers, which look at the code that makes kernels, one set of sizes does.
    bool is_quick = getenv("NN_QUICK") != NULL;
    for (int set = (int)rotation; set < (is_quick ? (int)rotation + 1 : N_SETS); set += 3) {
      bool shrinks = op == IR_OP_SLICE || op == IR_OP_WINDOW;  // of one element there is no smaller part
      if (shrinks && set == 0)
        continue;
      kernel_check(&(struct kernel_check){.jit = jit,
                                          .module = b.module,
                                          .block = b.block,
                                          .dims = size_sets[set],
                                          .low = accepts_negative(op) && set % 2 == 0 ? -1.5 : 0.4,
                                          .high = 1.6,
                                          .rows = ROWS});
    }
    ir_module_free(b.module);
  }
}

static void every_operation_agrees_with_reference(void **state) {
  (void)state;
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = ""}, &error);
  for (enum ir_op op = IR_FIRST_TENSOR_OP; op < IR_N_OPS; op++)
    // Parameters are operands of all others; what is stacked is a list, see test_ragged.c.
    if (ir_op_infos[op].class != IR_CLASS_SINK && op != IR_OP_PARAM && op != IR_OP_STACK)
      check_operation(jit, op);
  jit_free(jit);
}

// What is printed of an output's instruction, behind the value.
static void text_of(const char *printed, const struct ir_value *output, char text[static 256]) {
  char start[32];
  snprintf(start, sizeof start, "\n  %%%u = ", output->id);
  const char *line = strstr(printed, start);
  assert_non_null(line);
  line += strlen(start);
  snprintf(text, 256, "%.*s", (int)strcspn(line, "\n"), line);
}

static uint32_t compare_outputs(const struct bench *b) {
  char *printed = ir_print(b->module), texts[2][256];
  uint32_t apart = 0;
  for (uint32_t i = 0; i < b->n_outputs; i++)
    for (uint32_t k = 0; k < b->n_outputs; k++) {
      const struct ir_instr *one = b->outputs[i]->def, *other = b->outputs[k]->def;
      text_of(printed, b->outputs[i], texts[0]);
      text_of(printed, b->outputs[k], texts[1]);
      bool same = strcmp(texts[0], texts[1]) == 0;
      apart += !same;
      if (instrs_equal(one, other) != same || (same && instr_hash(one) != instr_hash(other)))
        fail_msg("%s and %s are %sequal", texts[0], texts[1], same ? "not " : "");
    }
  free(printed);
  return apart;
}

// Instances of two operations that differ in an attribute never join: what makes blocks, and operations, one is
// instrs_equal. Every attribute is printed; that tells which are equal.
static void attributes_tell_operations_apart(void **state) {
  (void)state;
  for (enum ir_op op = IR_FIRST_TENSOR_OP; op < IR_N_OPS; op++) {
    if (ir_op_infos[op].class == IR_CLASS_SINK || op == IR_OP_PARAM || op == IR_OP_STACK)
      continue;
    uint32_t n = ir_op_infos[op].arity < 0 ? 2 : (uint32_t)ir_op_infos[op].arity, apart = 0;
    for (uint32_t shape = 0; shape < N_SHAPES; shape++) {
      struct bench b = bench_new("variants");
      b.shares = true;
      for (uint32_t variant = 0; variant < op_variants(op); variant++)
        add_operation(&b, op, n, (const uint32_t[]){shape, shape, shape, shape}, variant);
      if (b.n_outputs > 0) {
        finish(&b);
        apart += compare_outputs(&b);
      }
      ir_module_free(b.module);
    }
    assert_true(apart > 0 || op_variants(op) == 1 || op == IR_OP_MATMUL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(attributes_tell_operations_apart),
                                     cmocka_unit_test(every_operation_agrees_with_reference)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// Adjoints against finite differences: every operation of the table, with every combination of shapes that
// its shape rule accepts, on inputs and on parameters. A new row of ops.def is tested without a line here,
// unless its shape is written in the instruction. Then blocks of several operations.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/ir/ir_builder.h"
#include "compiler/passes/passes.h"
#include "tests/operations/op_variants.h"
#include "tests/passes/block_check.h"

// N and K: different, and larger than the index 1 that is used throughout.
static const int64_t dims[] = {3, 4};
#define N_SHAPES 7

struct bench {
  struct ir_module *module;
  const struct ir_type *shapes[N_SHAPES];
};

static struct bench bench_new(void) {
  struct bench b = {.module = ir_module_new("ops")};
  struct arena *arena = b.module->arena;
  const struct size *sizes[2];
  for (int i = 0; i < 2; i++) {
    struct ir_dim *dim = ir_add_dim(b.module, i ? "K" : "N", SIZE_DIM);
    dim->value = size_constant(arena, dims[i]);
    sizes[i] = size_from_atom(arena, &dim->atom);
  }
  const struct size *turned[] = {sizes[1], sizes[0]};
  b.shapes[0] = ir_type_tensor(b.module, 0, NULL);
  b.shapes[1] = ir_type_tensor(b.module, 1, sizes);
  b.shapes[2] = ir_type_tensor(b.module, 1, turned);
  b.shapes[3] = ir_type_tensor(b.module, 2, sizes);
  b.shapes[4] = ir_type_tensor(b.module, 2, turned);
  const struct size *three[] = {size_constant(arena, 2), sizes[0], sizes[1]},
                    *last[] = {size_constant(arena, 2), sizes[1], sizes[0]};
  b.shapes[5] = ir_type_tensor(b.module, 3, three);
  b.shapes[6] = ir_type_tensor(b.module, 3, last);
  return b;
}

// One combination: what the operands are, and which variant of the attributes.
struct combination {
  uint32_t n;
  uint32_t shapes[3];
  bool is_param[3];
  uint32_t variant;
};

// The block of one operation, or NULL when the shapes do not suit.
static struct ir_block *make_block(struct bench *b, enum ir_op op, const struct combination *c) {
  struct ir_module *module = b->module;
  struct ir_block *block = ir_add_block(module, "block", IR_BLOCK_FORWARD);
  struct ir_builder build = ir_builder_in_block(module, block, (struct ir_loc){0});
  struct ir_value *operands[4];
  uint32_t n = c->n;
  for (uint32_t i = 0; i < n; i++) {
    const struct ir_type *type = b->shapes[c->shapes[i]];
    char name[] = {'P', (char)('0' + i), 0};
    operands[i] = c->is_param[i]
                      ? ir_build_param(&build, (ir_add_param(module, name, type), module->n_params - 1), NULL)
                      : ir_add_block_param(module, block, type);
  }
  if (ir_op_infos[op].takes_index)
    operands[n++] = ir_add_block_param(module, block, ir_type_simple(module, IR_INT));
  struct ir_instr *trial = ir_instr_new(module, op, n, operands, 0, NULL, 0, &block->n_values);
  op_set_variant(module, trial, c->variant);
  const struct ir_type *type = ir_shape_is_written(op)
                                   ? op_written_shape(module, trial, c->variant, b->shapes[3])
                                   : ir_infer(module, trial, NULL);
  if (!type)
    return NULL;
  struct ir_instr *instr = ir_build(&build, op, n, operands, 1, &type);
  op_set_variant(module, instr, c->variant);
  block->outputs = instr->results;
  block->n_outputs = block->n_results = 1;
  block->random = ir_op_infos[op].random;
  ir_block_renumber(block);
  return block;
}

static void describe(char *out, size_t size, enum ir_op op, const struct combination *c, double low) {
  static const char *const shapes[N_SHAPES] = {"[]",     "[N]",       "[K]",      "[N, K]",
                                               "[K, N]", "[2, N, K]", "[2, K, N]"};
  int n = snprintf(out, size, "%s, variant %u, from %g:", ir_op_infos[op].name, c->variant, low);
  for (uint32_t i = 0; i < c->n; i++)
    n += snprintf(out + n, size - (size_t)n, " %s%s", c->is_param[i] ? "param " : "", shapes[c->shapes[i]]);
}

// Differentiates one combination on positive and on mixed values. 1: compared, 0: shapes or values do not
// suit.
static int check_combination(enum ir_op op, const struct combination *c) {
  struct bench b = bench_new();
  struct ir_block *block = make_block(&b, op, c);
  if (!block) {
    ir_module_free(b.module);
    return 0;
  }
  char *error = NULL;
  if (!ir_verify(b.module, &error))
    fail_msg("%s", error);
  struct arena scratch;
  arena_init(&scratch);
  pass_adjoint(b.module, &scratch);
  arena_free(&scratch);
  if (!ir_verify(b.module, &error))
    fail_msg("%s: %s", ir_op_infos[op].name, error);
  int compared = 0;
  for (int mixed = 0; mixed < 2; mixed++) {
    struct block_check check = {dims, mixed ? -1.5 : 0.4, 1.6, 7 + (uint64_t)mixed, true};
    char *message = NULL, where[200];
    enum block_verdict verdict = block_check(b.module, block, &check, &message);
    if (verdict == BLOCK_WRONG) {
      describe(where, sizeof where, op, c, check.low);
      fail_msg("%s: %s\n%s", where, message, ir_print(b.module));
    }
    compared += verdict == BLOCK_GOOD;
  }
  ir_module_free(b.module);
  return compared > 0;
}

static int check_operands(enum ir_op op, uint32_t n) {
  int compared = 0;
  uint32_t n_shapes = 1;
  for (uint32_t i = 0; i < n; i++)
    n_shapes *= N_SHAPES;
  for (uint32_t choice = 0; choice < n_shapes << n; choice++) {
    struct combination c = {.n = n};
    for (uint32_t i = 0, rest = choice >> n; i < n; i++, rest /= N_SHAPES) {
      c.shapes[i] = rest % N_SHAPES;
      c.is_param[i] = choice >> i & 1;
    }
    for (c.variant = 0; c.variant < op_variants(op); c.variant++)
      compared += check_combination(op, &c);
  }
  return compared;
}

static void every_operation_agrees_with_differences(void **state) {
  (void)state;
  for (enum ir_op op = IR_FIRST_TENSOR_OP; op < IR_N_OPS; op++) {
    const struct ir_op_info *info = &ir_op_infos[op];
    // stop_gradient is meant to differ from its differences; it has a test of its own. So are at_least and at_most in
    // their second operand, a number of the control flow (tests/language/test_numerics.c has their derivatives).
    if (info->class == IR_CLASS_SOURCE || info->class == IR_CLASS_SINK || op == IR_OP_STOP ||
        op == IR_OP_AT_LEAST || op == IR_OP_AT_MOST)
      continue;
    int compared = 0;
    for (uint32_t n = info->arity < 0 ? 1 : (uint32_t)info->arity;
         n <= (info->arity < 0 ? 3 : (uint32_t)info->arity); n++)
      compared += check_operands(op, n);
    if (compared == 0)
      fail_msg("no shapes were found for %s", info->name);
  }
}

static void no_gradient_through_stop(void **state) {
  (void)state;
  struct bench b = bench_new();
  struct combination c = {.n = 1, .shapes = {1}};
  struct ir_block *block = make_block(&b, IR_OP_STOP, &c);
  struct arena scratch;
  arena_init(&scratch);
  pass_adjoint(b.module, &scratch);
  arena_free(&scratch);
  assert_null(block->adjoint);
  assert_int_equal(block->n_outputs, 1);
  ir_module_free(b.module);
}

// -------------------------------------------------------------------------- blocks of several operations

static char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0)
    fail_msg("cannot open %s", path);
  long length = ftell(file);
  rewind(file);
  char *text = calloc((size_t)length + 1, 1);
  assert_int_equal(fread(text, 1, (size_t)length, file), length);
  fclose(file);
  return text;
}

// Every block of a file is differentiated; a comment `; saves N` in the file gives the number of values
// that all of them together shall save.
static void check_file(const char *path) {
  char *text = read_text(path), *error = NULL;
  struct ir_module *module = ir_parse(text, strlen(text), &error);
  if (!module || !ir_verify(module, &error))
    fail_msg("%s:%s", path, error);
  const char *note = strstr(text, "; saves ");
  long wanted = note ? strtol(note + strlen("; saves "), NULL, 10) : -1;
  free(text);
  struct arena scratch;
  arena_init(&scratch);
  pass_adjoint(module, &scratch);
  arena_free(&scratch);
  if (!ir_verify(module, &error))
    fail_msg("%s: %s", path, error);
  int64_t sizes[64];
  for (uint32_t d = 0; d < module->n_dims; d++)
    sizes[d] = 3 + d % 2;
  long saved = 0;
  for (uint32_t b = 0; b < module->n_blocks; b++) {
    const struct ir_block *block = module->blocks[b];
    struct block_check check = {sizes, -1.2, 1.3, 11 + b, true};
    char *message = NULL;
    if (block_check(module, block, &check, &message) != BLOCK_GOOD)
      fail_msg("%s: @%s: %s\n%s", path, block->name, message, ir_print_block(module, block));
    saved += block->n_outputs - block->n_results;
  }
  if (wanted >= 0 && wanted != saved)
    fail_msg("%s: %ld values are saved", path, saved);
  ir_module_free(module);
}

static void blocks_agree_with_differences(void **state) {
  (void)state;
  check_file("tests/passes/adjoints/cells.ir");
  check_file("tests/passes/adjoints/parameters.ir");
  check_file("tests/passes/adjoints/parts.ir");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_operation_agrees_with_differences),
      cmocka_unit_test(no_gradient_through_stop),
      cmocka_unit_test(blocks_agree_with_differences),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

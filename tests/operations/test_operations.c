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
#include "compiler/passes/passes.h"
#include "tests/operations/kernel_check.h"

// Sizes N, K and M of the operands: of one element, smaller than any vector, in between, more than a vector
// of 16.
static const int64_t size_sets[][3] = {{1, 1, 1}, {3, 5, 2}, {17, 33, 2}, {48, 16, 3}};
#define N_SETS (int)(sizeof size_sets / sizeof *size_sets)

enum { N_SHAPES = 8, MAX_COMBINATIONS = 40, ROWS = 3 };

struct bench {
  struct ir_module *module;
  struct ir_block *block;
  struct ir_builder build;
  const struct ir_type *shapes[N_SHAPES];
  uint32_t n_outputs;
  struct ir_value *outputs[MAX_COMBINATIONS];
  uint32_t rotation;  // through the sources of operands
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

// Attributes of operations that have some; variants are tried in turn until one does not suit.
static void set_attributes(struct bench *b, struct ir_instr *instr, uint32_t variant) {
  struct arena *arena = b->module->arena;
  if ((ir_op_infos[instr->op].attributes & IR_ATTR_AXIS))
    instr->axis = variant;
  const struct size *one = size_constant(arena, 1);
  switch (instr->op) {
  case IR_OP_MATMUL:
    instr->transpose_a = variant & 1;
    instr->transpose_b = variant & 2;
    break;
  case IR_OP_SLICE:  // all of it, or all but the first or the last
    instr->size = size_constant(arena, variant == 1);
    instr->length = instr->operands[0]->type->shape.rank > 0 ? instr->operands[0]->type->shape.sizes[0] : one;
    if (variant > 0)
      instr->length = size_sub(arena, instr->length, one);
    break;
  case IR_OP_PAD: instr->size = size_constant(arena, 2 * variant); break;
  case IR_OP_DROPOUT: instr->number = variant == 0 ? 0.4 : 0.9; break;
  case IR_OP_CONSTANT: instr->number = 1.25; break;
  default: break;
  }
}

static uint32_t n_variants(enum ir_op op) {
  switch (op) {
  case IR_OP_MATMUL: return 4;
  case IR_OP_SLICE: return 3;
  case IR_OP_PAD:
  case IR_OP_DROPOUT: return 2;
  default: return (ir_op_infos[op].attributes & IR_ATTR_AXIS) ? IR_MAX_RANK : 1;
  }
}

// The operand with an axis more.
static const struct ir_type *with_axis(struct bench *b, const struct ir_type *a, uint32_t axis) {
  const struct size *sizes[IR_MAX_RANK];
  for (uint32_t i = 0; i <= a->shape.rank; i++)
    sizes[i] = i + 1 == axis ? size_constant(b->module->arena, 3) : a->shape.sizes[i - (i + 1 > axis)];
  return axis <= a->shape.rank + 1 ? ir_type_tensor(b->module, a->shape.rank + 1, sizes) : NULL;
}

// Result types of operations whose shape is written; NULL when the operand does not suit.
static const struct ir_type *written_shape(struct bench *b, const struct ir_instr *instr,
                                           const struct ir_type *chosen) {
  struct arena *arena = b->module->arena;
  const struct ir_type *a = instr->n_operands > 0 ? instr->operands[0]->type : NULL;
  switch (instr->op) {
  case IR_OP_BROADCAST:
    return instr->axis > 0 ? with_axis(b, a, instr->axis) : a->shape.rank == 0 ? chosen : NULL;
  case IR_OP_CONSTANT: return chosen;
  case IR_OP_ONEHOT: return chosen->shape.rank == 1 ? chosen : NULL;
  case IR_OP_PAD: {
    if (a->shape.rank != 1 && a->shape.rank != 2)
      return NULL;
    const struct size *sizes[2] = {size_add(arena, a->shape.sizes[0], size_constant(arena, 3)),
                                   a->shape.sizes[1]};
    return ir_type_tensor(b->module, a->shape.rank, sizes);
  }
  case IR_OP_PUT: {
    const struct size *sizes[2] = {size_constant(arena, 3), a->shape.sizes[0]};
    return a->shape.rank == 1 ? ir_type_tensor(b->module, 2, sizes) : NULL;
  }
  case IR_OP_STACK: return NULL;  // blocks that have it are compared in their own test
  default: fail_msg("%s has a written shape: add a case", ir_op_infos[instr->op].name); return NULL;
  }
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
  set_attributes(b, trial, variant);
  const struct ir_type *chosen = b->shapes[n == 0 ? shapes[0] : 3];
  const struct ir_type *type = ir_shape_is_written(op) ? written_shape(b, trial, chosen)
                                                       : ir_infer(b->module, trial, NULL);
  if (type == NULL || b->n_outputs == MAX_COMBINATIONS)
    return false;
  for (uint32_t i = 0; i < n; i++)
    operands[i] = new_operand(b, b->shapes[shapes[i]]);
  for (uint32_t i = n; i < total; i++)
    operands[i] = ir_add_block_param(b->module, b->block, operands[i]->type);
  struct ir_instr *instr = ir_build(&b->build, op, total, operands, 1, &type);
  set_attributes(b, instr, variant);
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
    for (uint32_t variant = 0; variant < n_variants(op); variant++)
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
  // Several blocks, so that each operand is once an input, once a parameter and once computed.
  for (uint32_t rotation = 0; rotation < 3; rotation++) {
    struct bench b = bench_new(info->name);
    b.rotation = rotation;
    uint32_t least = info->arity < 0 ? 1 : (uint32_t)info->arity, most = info->arity < 0 ? 3 : least;
    for (uint32_t n = least; n <= most; n++)
      add_combinations(&b, op, n);
    if (b.n_outputs == 0)
      fail_msg("no shapes were found for %s", info->name);
    finish(&b);
    for (int set = (int)rotation; set < N_SETS; set += 3) {
      bool shrinks = op == IR_OP_SLICE;  // of one element there is no smaller part
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation_agrees_with_reference)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

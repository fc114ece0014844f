// Appends instructions and knows the types of their results.
#include "compiler/ir/ir_builder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "compiler/base/arena.h"

struct ir_builder ir_builder_at(struct ir_module *module, struct ir_function *function, struct ir_bb *bb,
                                struct ir_loc loc) {
  return (struct ir_builder){.module = module, .function = function, .bb = bb, .loc = loc};
}

struct ir_builder ir_builder_in_block(struct ir_module *module, struct ir_block *block, struct ir_loc loc) {
  return (struct ir_builder){.module = module, .block = block, .loc = loc};
}

static uint32_t *next_id(struct ir_builder *b) {
  return b->bb ? &b->function->n_values : &b->block->n_values;
}

static void insert(struct ir_builder *b, struct ir_instr *instr) {
  instr->loc = b->loc;
  if (b->bb)
    ir_insert_before(b->bb, b->before, instr);
  else
    ir_block_insert_before(b->block, b->before, instr);
}

struct ir_instr *ir_build(struct ir_builder *b, enum ir_op op, uint32_t n_operands,
                          struct ir_value *const *operands, uint32_t n_results,
                          const struct ir_type *const *result_types) {
  struct ir_instr *instr = ir_instr_new(b->module, op, n_operands, operands, n_results, result_types, 0,
                                        next_id(b));
  insert(b, instr);
  return instr;
}

struct ir_value *ir_build_value(struct ir_builder *b, enum ir_op op, uint32_t n_operands,
                                struct ir_value *const *operands, const struct ir_type *result) {
  return ir_build(b, op, n_operands, operands, 1, &result)->results[0];
}

// ------------------------------------------------------------------------------- tensor operations

// Infers the result's shape from an instruction that has its operands and attributes, and appends it.
static struct ir_value *build_inferred(struct ir_builder *b, const struct ir_instr *model) {
  const char *why = NULL;
  const struct ir_type *type = ir_infer(b->module, model, &why);
  if (!type) {
    fprintf(stderr, "internal error: %s\n", why ? why : "an operation without a shape rule");
    abort();
  }
  struct ir_instr *instr = ir_build(b, model->op, model->n_operands, model->operands, 1, &type);
  instr->number = model->number;
  instr->size = model->size;
  instr->length = model->length;
  instr->site = model->site;
  instr->transpose_a = model->transpose_a;
  instr->transpose_b = model->transpose_b;
  instr->axis = model->axis;
  instr->integer = model->integer;
  return instr->results[0];
}

struct ir_value *ir_build_tensor(struct ir_builder *b, enum ir_op op, uint32_t n_operands,
                                 struct ir_value *const *operands) {
  struct ir_instr model = {.op = op, .n_operands = n_operands, .operands = (struct ir_value **)operands};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_unary(struct ir_builder *b, enum ir_op op, struct ir_value *a) {
  return ir_build_tensor(b, op, 1, &a);
}

struct ir_value *ir_build_over(struct ir_builder *b, enum ir_op op, struct ir_value *a, uint32_t axis) {
  struct ir_instr model = {.op = op, .n_operands = 1, .operands = &a, .axis = axis};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_binary(struct ir_builder *b, enum ir_op op, struct ir_value *a,
                                 struct ir_value *other) {
  return ir_build_tensor(b, op, 2, (struct ir_value *[]){a, other});
}

struct ir_value *ir_build_matmul(struct ir_builder *b, struct ir_value *a, bool transpose_a,
                                 struct ir_value *other, bool transpose_b) {
  struct ir_value *operands[] = {a, other};
  struct ir_instr model = {.op = IR_OP_MATMUL,
                           .n_operands = 2,
                           .operands = operands,
                           .transpose_a = transpose_a,
                           .transpose_b = transpose_b};
  return build_inferred(b, &model);
}

// The first axis is not written, so that equal operations look alike.
static uint32_t written_axis(uint32_t axis) { return axis > 0 ? axis + 1 : 0; }

struct ir_value *ir_build_concat(struct ir_builder *b, uint32_t n, struct ir_value *const *parts,
                                 uint32_t axis) {
  struct ir_instr model = {
      .op = IR_OP_CONCAT, .n_operands = n, .operands = (struct ir_value **)parts, .axis = written_axis(axis)};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_slice(struct ir_builder *b, struct ir_value *a, const struct size *offset,
                                const struct size *length, uint32_t axis) {
  struct ir_instr model = {.op = IR_OP_SLICE,
                           .n_operands = 1,
                           .operands = &a,
                           .size = offset,
                           .length = length,
                           .axis = written_axis(axis)};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_permute(struct ir_builder *b, struct ir_value *a, int64_t order) {
  struct ir_instr model = {.op = IR_OP_PERMUTE, .n_operands = 1, .operands = &a, .integer = order};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_reshape(struct ir_builder *b, struct ir_value *a, const struct ir_type *shape) {
  return ir_build_value(b, IR_OP_RESHAPE, 1, &a, shape);
}

struct ir_value *ir_build_dropout(struct ir_builder *b, struct ir_value *a, double p, uint32_t site) {
  struct ir_instr model = {.op = IR_OP_DROPOUT, .n_operands = 1, .operands = &a, .number = p, .site = site};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_draw(struct ir_builder *b, enum ir_op op, struct ir_value *like, uint32_t site) {
  struct ir_instr model = {.op = op, .n_operands = 1, .operands = &like, .site = site};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_pad(struct ir_builder *b, struct ir_value *a, const struct size *offset,
                              const struct ir_type *shape, uint32_t axis) {
  struct ir_value *value = ir_build_value(b, IR_OP_PAD, 1, &a, shape);
  value->def->size = offset;
  value->def->axis = written_axis(axis);
  return value;
}

struct ir_value *ir_build_take(struct ir_builder *b, struct ir_value *a, struct ir_value *index,
                               uint32_t axis) {
  struct ir_value *operands[] = {a, index};
  enum ir_op op = a->type->shape.rank == 1 ? IR_OP_PICK : axis == 0 ? IR_OP_LOOKUP : IR_OP_TAKE;
  struct ir_instr model = {.op = op, .n_operands = 2, .operands = operands, .axis = written_axis(axis)};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_window(struct ir_builder *b, struct ir_value *a, struct ir_value *index,
                                 const struct size *length, uint32_t axis) {
  struct ir_value *operands[] = {a, index};
  struct ir_instr model = {.op = IR_OP_WINDOW,
                           .n_operands = 2,
                           .operands = operands,
                           .length = length,
                           .axis = written_axis(axis)};
  return build_inferred(b, &model);
}

struct ir_value *ir_build_put(struct ir_builder *b, struct ir_value *a, struct ir_value *index,
                              const struct ir_type *shape, uint32_t axis) {
  struct ir_value *value = ir_build_value(b, IR_OP_PUT, 2, (struct ir_value *[]){a, index}, shape);
  value->def->axis = written_axis(axis);
  return value;
}

struct ir_value *ir_build_broadcast(struct ir_builder *b, struct ir_value *a, const struct ir_type *shape,
                                    uint32_t axis) {
  struct ir_value *value = ir_build_value(b, IR_OP_BROADCAST, 1, &a, shape);
  value->def->axis = axis;
  return value;
}

struct ir_value *ir_build_onehot(struct ir_builder *b, struct ir_value *index, const struct ir_type *shape) {
  return ir_build_value(b, IR_OP_ONEHOT, 1, &index, shape);
}

struct ir_value *ir_build_constant(struct ir_builder *b, double value, const struct ir_type *shape) {
  struct ir_value *constant = ir_build_value(b, IR_OP_CONSTANT, 0, NULL, shape);
  constant->def->number = value;
  return constant;
}

struct ir_value *ir_build_scalar_constant(struct ir_builder *b, double value) {
  return ir_build_constant(b, value, ir_type_tensor(b->module, 0, NULL));
}

struct ir_value *ir_build_param(struct ir_builder *b, uint32_t param, struct ir_value *member) {
  assert((member != NULL) == (b->module->params[param]->count != NULL));
  const struct ir_type *type = b->module->params[param]->type;
  struct ir_value *value = ir_build_value(b, IR_OP_PARAM, member ? 1 : 0, &member, type);
  value->def->symbol = param;
  return value;
}

// ------------------------------------------------------------------------------------------- sinks

void ir_build_d_input(struct ir_builder *b, uint32_t input, struct ir_value *gradient) {
  ir_build(b, IR_OP_D_INPUT, 1, &gradient, 0, NULL)->integer = input;
}

// The member of a family, where there is one, is the last operand.
static void build_param_sink(struct ir_builder *b, enum ir_op op, uint32_t param, uint32_t n,
                             struct ir_value **operands, struct ir_value *member) {
  assert((member != NULL) == (b->module->params[param]->count != NULL));
  if (member)
    operands[n++] = member;
  ir_build(b, op, n, operands, 0, NULL)->symbol = param;
}

void ir_build_d_outer(struct ir_builder *b, uint32_t param, struct ir_value *a, struct ir_value *other,
                      struct ir_value *member) {
  build_param_sink(b, IR_OP_D_OUTER, param, 2, (struct ir_value *[3]){a, other}, member);
}

void ir_build_d_param(struct ir_builder *b, uint32_t param, struct ir_value *gradient,
                      struct ir_value *member) {
  build_param_sink(b, IR_OP_D_PARAM, param, 1, (struct ir_value *[2]){gradient}, member);
}

void ir_build_d_row(struct ir_builder *b, uint32_t param, struct ir_value *gradient, struct ir_value *index,
                    struct ir_value *member) {
  build_param_sink(b, IR_OP_D_ROW, param, 2, (struct ir_value *[3]){gradient, index}, member);
}

// --------------------------------------------------------------------------------- host operations

static struct ir_value *build_host_constant(struct ir_builder *b, enum ir_op op, int64_t integer,
                                            const struct ir_type *type) {
  struct ir_value *value = ir_build_value(b, op, 0, NULL, type);
  value->def->integer = integer;
  return value;
}

struct ir_value *ir_build_int(struct ir_builder *b, int64_t value) {
  return build_host_constant(b, IR_CONST_INT, value, ir_type_simple(b->module, IR_INT));
}

struct ir_value *ir_build_bool(struct ir_builder *b, bool value) {
  return build_host_constant(b, IR_CONST_BOOL, value, ir_type_simple(b->module, IR_BOOL));
}

struct ir_value *ir_build_float(struct ir_builder *b, double value) {
  struct ir_value *constant = ir_build_value(b, IR_CONST_FLOAT, 0, NULL, ir_type_simple(b->module, IR_FLOAT));
  constant->def->number = value;
  return constant;
}

struct ir_value *ir_build_index(struct ir_builder *b, uint32_t dim, int64_t value) {
  return build_host_constant(b, IR_CONST_INDEX, value, ir_type_index(b->module, dim));
}

struct ir_value *ir_build_text(struct ir_builder *b, const char *text) {
  struct ir_value *value = ir_build_value(b, IR_CONST_TEXT, 0, NULL, ir_type_simple(b->module, IR_TEXT));
  value->def->text = arena_strdup(b->module->arena, text);
  return value;
}

struct ir_value *ir_build_size(struct ir_builder *b, const struct size *size) {
  struct ir_value *value = ir_build_value(b, IR_SIZE, 0, NULL, ir_type_simple(b->module, IR_INT));
  value->def->size = size;
  return value;
}

static enum ir_type_kind arithmetic_result(enum ir_op op) {
  switch (op) {
  case IR_FADD:
  case IR_FSUB:
  case IR_FMUL:
  case IR_FDIV:
  case IR_FNEG:
  case IR_INT_TO_FLOAT:
#define HOST(ENUM, name, fails, attributes, doc)
#define HOST_MATH(ENUM, name, operands, user, c_name, doc) case IR_##ENUM:
#include "compiler/ir/hostops.def"
#undef HOST
#undef HOST_MATH
  case IR_READ_VALUE: return IR_FLOAT;
  case IR_IEQ:
  case IR_INE:
  case IR_ILT:
  case IR_ILE:
  case IR_FEQ:
  case IR_FNE:
  case IR_FLT:
  case IR_FLE:
  case IR_TEXT_EQ:
  case IR_NOT: return IR_BOOL;
  case IR_TEXT_GET:
  case IR_TEXT_CONCAT:
  case IR_TEXT_JOIN:
  case IR_TEXT_MAP:
  case IR_TEXT_OF: return IR_TEXT;
  default: return IR_INT;
  }
}

struct ir_value *ir_build_host1(struct ir_builder *b, enum ir_op op, struct ir_value *a) {
  return ir_build_value(b, op, 1, &a, ir_type_simple(b->module, arithmetic_result(op)));
}

struct ir_value *ir_build_host2(struct ir_builder *b, enum ir_op op, struct ir_value *a,
                                struct ir_value *other) {
  return ir_build_value(b, op, 2, (struct ir_value *[]){a, other},
                        ir_type_simple(b->module, arithmetic_result(op)));
}

struct ir_value *ir_build_data_new(struct ir_builder *b, uint32_t data, uint32_t constructor,
                                   uint32_t n_slots, struct ir_value *const *slots) {
  struct ir_value *value = ir_build_value(b, IR_DATA_NEW, n_slots, slots, ir_type_data(b->module, data));
  value->def->symbol = data;
  value->def->constructor = constructor;
  return value;
}

struct ir_value *ir_build_data_tag(struct ir_builder *b, struct ir_value *data) {
  assert(data->type->kind == IR_DATA);
  struct ir_value *value = ir_build_host1(b, IR_DATA_TAG, data);
  value->def->symbol = data->type->data;
  return value;
}

struct ir_value *ir_build_data_get(struct ir_builder *b, struct ir_value *data, uint32_t constructor,
                                   uint32_t slot) {
  assert(data->type->kind == IR_DATA);
  assert(constructor < b->module->datas[data->type->data]->n_constructors);
  const struct ir_type *type = ir_constructor_slot(b->module, data->type->data, constructor, slot);
  assert(type);
  struct ir_value *value = ir_build_value(b, IR_DATA_GET, 1, &data, type);
  value->def->symbol = data->type->data;
  value->def->constructor = constructor;
  value->def->integer = slot;
  return value;
}

struct ir_instr *ir_build_list_get(struct ir_builder *b, struct ir_value *list, struct ir_value *index) {
  assert(list->type->kind == IR_LIST);
  uint32_t width = ir_type_width(list->type->element);
  const struct ir_type **types = arena_new_array(b->module->arena, const struct ir_type *, width);
  ir_type_flatten(list->type->element, types);
  return ir_build(b, IR_LIST_GET, 2, (struct ir_value *[]){list, index}, width, types);
}

struct ir_instr *ir_build_call(struct ir_builder *b, uint32_t function, uint32_t n_args,
                               struct ir_value *const *args) {
  const struct ir_function *callee = b->module->functions[function];
  struct ir_instr *instr = ir_build(b, IR_CALL, n_args, args, callee->n_results, callee->results);
  instr->symbol = function;
  return instr;
}

// ------------------------------------------------------------------------------------- terminators

static struct ir_instr *build_terminator(struct ir_builder *b, enum ir_op op, uint32_t n_operands,
                                         struct ir_value *const *operands, uint32_t n_targets) {
  struct ir_instr *instr = ir_instr_new(b->module, op, n_operands, operands, 0, NULL, n_targets, next_id(b));
  insert(b, instr);
  return instr;
}

void ir_build_br(struct ir_builder *b, struct ir_bb *target, uint32_t n_args, struct ir_value *const *args) {
  ir_set_target(b->module, build_terminator(b, IR_BR, 0, NULL, 1), 0, target, n_args, args);
}

void ir_build_return(struct ir_builder *b, uint32_t n, struct ir_value *const *values) {
  build_terminator(b, IR_RETURN, n, values, 0);
}

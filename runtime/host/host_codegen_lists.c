// Instructions of host functions that work on data, lists and sums. Reading is inline; whatever makes a new
// value calls the runtime, with the slots in scratch memory on the stack.
#include <string.h>

#include "runtime/batch/trace.h"
#include "runtime/host/host.h"
#include "runtime/host/host_codegen.h"
#include "runtime/host/host_runtime.h"

// Operands from `from` on, as slots in scratch memory.
static LLVMValueRef build_slots(struct host_function *f, uint32_t from) {
  struct host_codegen *g = f->g;
  uint32_t n = f->instr->n_operands - from;
  if (n == 0)
    return LLVMConstNull(g->ptr);
  for (uint32_t i = 0; i < n; i++)
    host_store_slot(g, host_slot_address(g, f->scratch, 0, i), host_operand(f, from + i));
  return f->scratch;
}

uint32_t host_scratch_slots(const struct ir_instr *instr) {
  switch (instr->op) {
  case IR_DATA_NEW:
  case IR_LIST_NEW:
  case IR_PRINT: return instr->n_operands;
  case IR_LIST_PUSH: return instr->n_operands - 1;
  case IR_LIST_SET: return instr->n_operands - 2;
  default: return 0;
  }
}

// -------------------------------------------------------------------------------------------- data

// A constructor without fields is always the same value: a constant, which is not counted.
static LLVMValueRef build_constant_data(struct host_function *f, LLVMValueRef tag) {
  struct host_codegen *g = f->g;
  LLVMValueRef members[] = {LLVMConstInt(g->i32, 0, 0), tag, LLVMConstNull(g->ptr)};
  LLVMValueRef value = LLVMConstStructInContext(g->context, members, 3, 0);
  LLVMValueRef constant = LLVMAddGlobal(g->module, LLVMTypeOf(value), "constructor");
  LLVMSetInitializer(constant, value);
  LLVMSetGlobalConstant(constant, 1);
  LLVMSetLinkage(constant, LLVMPrivateLinkage);
  LLVMSetAlignment(constant, 16);
  return constant;
}

static LLVMValueRef build_data_new(struct host_function *f) {
  struct host_codegen *g = f->g;
  LLVMValueRef tag = LLVMConstInt(g->i32, f->instr->constructor, 0);
  uint32_t n = f->instr->n_operands;
  if (n == 0)
    return build_constant_data(f, tag);
  const struct ir_type **types = arena_new_array(&g->arena, const struct ir_type *, n);
  for (uint32_t i = 0; i < n; i++)
    types[i] = f->instr->operands[i]->type;
  LLVMValueRef args[] = {tag, host_shape(g, n, types), build_slots(f, 0)};
  return host_call_with_loc(f, HELPER_value_data_make, 3, args);
}

static LLVMValueRef build_print(struct host_function *f) {
  struct host_codegen *g = f->g;
  uint32_t n = f->instr->n_operands;
  const struct ir_type **types = arena_new_array(&g->arena, const struct ir_type *, n);
  for (uint32_t i = 0; i < n; i++)
    types[i] = f->instr->operands[i]->type;
  LLVMValueRef args[] = {LLVMConstInt(g->i32, (uint64_t)f->instr->integer, 0), host_shape(g, n, types),
                         build_slots(f, 0)};
  return host_call_with_loc(f, HELPER_host_print, 3, args);
}

static LLVMValueRef build_data_tag(struct host_function *f) {
  LLVMBuilderRef b = f->g->builder;
  LLVMValueRef index = LLVMConstInt(f->g->i64, offsetof(struct value_data, tag) / sizeof(uint32_t), 0);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(b, f->g->i32, host_operand(f, 0), &index, 1, "");
  return LLVMBuildZExt(b, LLVMBuildLoad2(b, f->g->i32, address, "tag"), f->g->i64, "");
}

static LLVMValueRef build_data_get(struct host_function *f) {
  size_t offset = offsetof(struct value_data, slots);
  LLVMValueRef address = host_slot_address(f->g, host_operand(f, 0), offset, (uint32_t)f->instr->integer);
  return host_load_slot(f->g, f->instr->results[0]->type, address);
}

// ------------------------------------------------------------------------------------------- lists

static LLVMValueRef load_member(struct host_function *f, LLVMValueRef list, size_t offset, LLVMTypeRef type) {
  return LLVMBuildLoad2(f->g->builder, type, host_slot_address(f->g, list, offset, 0), "");
}

static LLVMValueRef load_length(struct host_function *f, LLVMValueRef list) {
  return load_member(f, list, offsetof(struct value_list, length), f->g->i64);
}

static void build_list_get(struct host_function *f) {
  struct host_codegen *g = f->g;
  LLVMValueRef list = host_operand(f, 0), args[] = {host_operand(f, 1), load_length(f, list)};
  LLVMValueRef in_range = LLVMBuildICmp(g->builder, LLVMIntULT, args[0], args[1], "");
  host_require(f, in_range, HELPER_example_fail_subscript, 2, args);
  LLVMValueRef buffer = load_member(f, list, offsetof(struct value_list, buffer), g->ptr);
  LLVMValueRef offset = load_member(f, list, offsetof(struct value_list, offset), g->i64);
  LLVMValueRef place = LLVMBuildAdd(g->builder, offset, args[0], "");
  uint32_t width = f->instr->n_results;
  place = LLVMBuildMul(g->builder, place, host_int(g, width), "");
  LLVMValueRef element = LLVMBuildInBoundsGEP2(g->builder, g->i64, buffer, &place, 1, "");
  for (uint32_t i = 0; i < width; i++) {
    LLVMValueRef address = host_slot_address(g, element, offsetof(struct value_buffer, slots), i);
    host_set_result(f, i, host_load_slot(g, f->instr->results[i]->type, address));
  }
}

// The shape of the elements of the result.
static LLVMValueRef result_shape(struct host_function *f) {
  const struct ir_type *element = f->instr->results[0]->type->element;
  uint32_t width = ir_type_width(element);
  const struct ir_type **types = arena_new_array(&f->g->arena, const struct ir_type *, width);
  ir_type_flatten(element, types);
  return host_shape(f->g, width, types);
}

static LLVMValueRef build_list_new(struct host_function *f) {
  LLVMValueRef args[] = {result_shape(f), host_int(f->g, f->instr->integer), build_slots(f, 0)};
  return host_call_with_loc(f, HELPER_value_list_make, 3, args);
}

static LLVMValueRef build_list_set(struct host_function *f) {
  LLVMValueRef args[] = {result_shape(f), host_operand(f, 0), host_operand(f, 1), build_slots(f, 2)};
  return host_call_with_loc(f, HELPER_value_list_set, 4, args);
}

static LLVMValueRef build_list_push(struct host_function *f) {
  LLVMValueRef args[] = {result_shape(f), host_operand(f, 0), build_slots(f, 1)};
  return host_call_with_loc(f, HELPER_value_list_push, 3, args);
}

// Helpers that take the shape of the result's elements and the operands as they are.
static LLVMValueRef build_with_shape(struct host_function *f, enum host_helper helper) {
  LLVMValueRef args[4] = {result_shape(f)};
  for (uint32_t i = 0; i < f->instr->n_operands; i++)
    args[i + 1] = host_operand(f, i);
  return host_call_with_loc(f, helper, f->instr->n_operands + 1, args);
}

// Helpers that take the operands as they are.
static LLVMValueRef build_direct(struct host_function *f, enum host_helper helper) {
  LLVMValueRef args[4];
  for (uint32_t i = 0; i < f->instr->n_operands; i++)
    args[i] = host_operand(f, i);
  return host_call_with_loc(f, helper, f->instr->n_operands, args);
}

static LLVMValueRef build_list_order(struct host_function *f) {
  LLVMValueRef args[] = {result_shape(f), host_operand(f, 0), host_operand(f, 1),
                         LLVMConstInt(f->g->i32, (uint64_t)f->instr->integer, 0)};
  return host_call_with_loc(
      f, f->instr->op == IR_LIST_ORDER ? HELPER_host_list_order : HELPER_host_list_argmax, 4, args);
}

// The number of elements of a tensor, for each unit of its run-time size when it has one; the verifier sees to it that
// this is the first.
static LLVMValueRef build_read_list(struct host_function *f) {
  struct host_codegen *g = f->g;
  struct ir_type tensor = *f->instr->operands[0]->type;
  bool ragged = ir_type_is_ragged(&tensor);
  if (ragged) {
    memmove(tensor.shape.sizes, tensor.shape.sizes + 1, (tensor.shape.rank - 1) * sizeof *tensor.shape.sizes);
    tensor.shape.rank--;
  }
  const struct ir_type *element = f->instr->results[0]->type->element;
  LLVMValueRef args[] = {result_shape(f), host_operand(f, 0), host_int(g, host_elements(g, &tensor)),
                         LLVMConstInt(g->i32, ragged, 0),
                         host_int(g, element->kind == IR_INDEX ? g->dims[element->dim] : INT64_MAX)};
  return f->instr->op == IR_READ_INDICES ? host_call_with_loc(f, HELPER_host_read_indices, 5, args)
                                         : host_call_with_loc(f, HELPER_host_read_values, 4, args);
}

// -------------------------------------------------------------------------------------------- sums

// Without a result only the check is left.
static LLVMValueRef build_reduction(struct host_function *f, uint32_t kind) {
  struct host_codegen *g = f->g;
  if (f->instr->n_results == 0) {
    LLVMValueRef few[] = {host_operand(f, 0), LLVMConstInt(g->i32, kind, 0)};
    return host_call_with_loc(f, HELPER_host_list_check, 2, few);
  }
  bool runs = ir_type_is_ragged(f->instr->results[0]->type);
  uint32_t elements = runs ? HOST_VECTOR_LENGTH : host_elements(g, f->instr->results[0]->type);
  LLVMValueRef args[] = {host_operand(f, 0), LLVMConstInt(g->i32, kind, 0),
                         LLVMConstInt(g->i32, elements, 0)};
  return host_call_with_loc(f, HELPER_host_list_reduce, 3, args);
}

static LLVMValueRef build_list_tensor(struct host_function *f) {
  struct host_codegen *g = f->g;
  bool stacks = f->instr->op == IR_LIST_STACK;
  bool any = size_is_runtime(f->instr->length);
  LLVMValueRef args[] = {host_operand(f, 0),
                         host_int(g, any ? HOST_ANY_LENGTH : host_size(g, f->instr->length)), NULL};
  if (f->instr->n_results == 0)
    return host_call_with_loc(f, HELPER_host_list_check_length, 2, args);
  args[2] = LLVMConstInt(g->i32, any ? 1 : host_elements(g, f->instr->results[0]->type), 0);
  return stacks ? host_call_with_loc(f, HELPER_host_list_stack, 3, args)
                : host_call_with_loc(f, HELPER_host_list_vector, 2, args);
}

static LLVMValueRef build_acc_of(struct host_function *f) {
  struct host_codegen *g = f->g;
  LLVMValueRef value = LLVMBuildZExt(g->builder, host_operand(f, 0), g->i64, "");
  value = LLVMBuildShl(g->builder, value, host_int(g, 1), "");
  return LLVMBuildOr(g->builder, value, host_int(g, 1), "");
}

static LLVMValueRef build_acc_sum(struct host_function *f) {
  struct host_codegen *g = f->g;
  uint32_t elements = host_elements(g, f->instr->results[0]->type);
  LLVMValueRef args[] = {host_operand(f, 0), LLVMConstInt(g->i32, elements, 0)};
  return host_call_with_loc(f, HELPER_host_acc_sum, 2, args);
}

// ------------------------------------------------------------------------------------ the dispatch

static LLVMValueRef build(struct host_function *f) {
  switch (f->instr->op) {
  case IR_DATA_NEW: return build_data_new(f);
  case IR_DATA_TAG: return build_data_tag(f);
  case IR_PRINT: return build_print(f);
  case IR_DATA_GET: return build_data_get(f);
  case IR_LIST_NEW: return build_list_new(f);
  case IR_LIST_LEN: return load_length(f, host_operand(f, 0));
  case IR_LIST_SET: return build_list_set(f);
  case IR_LIST_PUSH: return build_list_push(f);
  case IR_LIST_POP: return build_direct(f, HELPER_value_list_pop);
  case IR_LIST_SLICE: return build_direct(f, HELPER_value_list_slice);
  case IR_LIST_REVERSE: return build_with_shape(f, HELPER_value_list_reverse);
  case IR_LIST_SPREAD: return build_with_shape(f, HELPER_value_list_spread);
  case IR_LIST_CONCAT: return build_with_shape(f, HELPER_value_list_concat);
  case IR_LIST_ZIP: return build_with_shape(f, HELPER_value_list_zip);
  case IR_LIST_SUM: return build_reduction(f, TRACE_LIST_SUM);
  case IR_LIST_MEAN: return build_reduction(f, TRACE_LIST_MEAN);
  case IR_LIST_MAX: return build_reduction(f, TRACE_LIST_MAX);
  case IR_LIST_VECTOR:
  case IR_LIST_STACK: return build_list_tensor(f);
  case IR_LIST_ARGMAX:
  case IR_LIST_ORDER: return build_list_order(f);
  case IR_RANDOM: return build_direct(f, HELPER_host_random);
  case IR_LIST_SAMPLE: return build_direct(f, HELPER_host_list_sample);
  case IR_LIST_SAMPLES: return build_with_shape(f, HELPER_host_list_samples);
  case IR_READ_INDICES:
  case IR_READ_VALUES: return build_read_list(f);
  case IR_ACC_OF: return build_acc_of(f);
  case IR_ACC_ADD: return build_direct(f, HELPER_host_acc_add);
  case IR_ACC_SUM: return build_acc_sum(f);
  default: return NULL;
  }
}

bool host_build_list_instr(struct host_function *f) {
  if (f->instr->op == IR_LIST_GET) {
    build_list_get(f);
    return true;
  }
  LLVMValueRef result = build(f);
  if (result && f->instr->n_results > 0)
    host_set_result(f, 0, result);
  return result != NULL;
}

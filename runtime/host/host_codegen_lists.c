// Instructions of host functions that work on data, lists and sums. Reading is inline; whatever makes a new
// value calls the runtime, with the slots in scratch memory on the stack.
#include "runtime/batch/trace.h"
#include "runtime/host/host.h"
#include "runtime/host/host_codegen.h"

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
  case IR_LIST_NEW: return instr->n_operands;
  case IR_LIST_PUSH: return instr->n_operands - 1;
  case IR_LIST_SET: return instr->n_operands - 2;
  default: return 0;
  }
}

// -------------------------------------------------------------------------------------------- data

static LLVMValueRef build_data_new(struct host_function *f) {
  struct host_codegen *g = f->g;
  LLVMValueRef tag = host_int(g, f->instr->constructor);
  uint32_t n = f->instr->n_operands;
  if (n == 0) {  // always the same value: a constant
    LLVMValueRef constant = LLVMAddGlobal(g->module, g->i64, "constructor");
    LLVMSetInitializer(constant, tag);
    LLVMSetGlobalConstant(constant, 1);
    LLVMSetLinkage(constant, LLVMPrivateLinkage);
    LLVMSetAlignment(constant, 16);
    return constant;
  }
  LLVMValueRef args[] = {tag, LLVMConstInt(g->i32, n, 0), build_slots(f, 0)};
  return host_call_with_loc(f, HELPER_value_data_make, 3, args);
}

static LLVMValueRef build_data_tag(struct host_function *f) {
  LLVMValueRef address = host_slot_address(f->g, host_operand(f, 0), offsetof(struct value_data, tag), 0);
  return LLVMBuildLoad2(f->g->builder, f->g->i64, address, "tag");
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

static LLVMValueRef build_list_new(struct host_function *f) {
  struct host_codegen *g = f->g;
  uint32_t width = ir_type_width(f->instr->results[0]->type->element);
  LLVMValueRef args[] = {LLVMConstInt(g->i32, width, 0), host_int(g, f->instr->integer), build_slots(f, 0)};
  return host_call_with_loc(f, HELPER_value_list_make, 3, args);
}

static LLVMValueRef build_list_set(struct host_function *f) {
  LLVMValueRef args[] = {host_operand(f, 0), host_operand(f, 1), build_slots(f, 2)};
  return host_call_with_loc(f, HELPER_value_list_set, 3, args);
}

static LLVMValueRef build_list_push(struct host_function *f) {
  LLVMValueRef args[] = {host_operand(f, 0), build_slots(f, 1)};
  return host_call_with_loc(f, HELPER_value_list_push, 2, args);
}

// Helpers that take the operands as they are.
static LLVMValueRef build_direct(struct host_function *f, enum host_helper helper) {
  LLVMValueRef args[4];
  for (uint32_t i = 0; i < f->instr->n_operands; i++)
    args[i] = host_operand(f, i);
  return host_call_with_loc(f, helper, f->instr->n_operands, args);
}

// -------------------------------------------------------------------------------------------- sums

static LLVMValueRef build_reduction(struct host_function *f, uint32_t kind) {
  struct host_codegen *g = f->g;
  uint32_t elements = host_elements(g, f->instr->results[0]->type);
  LLVMValueRef args[] = {host_operand(f, 0), LLVMConstInt(g->i32, kind, 0),
                         LLVMConstInt(g->i32, elements, 0)};
  return host_call_with_loc(f, HELPER_host_list_reduce, 3, args);
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
  case IR_DATA_GET: return build_data_get(f);
  case IR_LIST_NEW: return build_list_new(f);
  case IR_LIST_LEN: return load_length(f, host_operand(f, 0));
  case IR_LIST_SET: return build_list_set(f);
  case IR_LIST_PUSH: return build_list_push(f);
  case IR_LIST_POP: return build_direct(f, HELPER_value_list_pop);
  case IR_LIST_SLICE: return build_direct(f, HELPER_value_list_slice);
  case IR_LIST_REVERSE: return build_direct(f, HELPER_value_list_reverse);
  case IR_LIST_CONCAT: return build_direct(f, HELPER_value_list_concat);
  case IR_LIST_ZIP: return build_direct(f, HELPER_value_list_zip);
  case IR_LIST_SUM: return build_reduction(f, TRACE_REDUCE_SUM);
  case IR_LIST_MEAN: return build_reduction(f, TRACE_REDUCE_MEAN);
  case IR_LIST_MAX: return build_reduction(f, TRACE_REDUCE_MAX);
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
  if (result)
    host_set_result(f, 0, result);
  return result != NULL;
}

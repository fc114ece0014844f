// Instructions of host functions that work on texts. Only the length is read inline.
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/host/host_codegen.h"
#include "runtime/value/value_text.h"

// A text of the program: a constant, which is not counted.
static LLVMValueRef build_constant(struct host_function *f, const char *bytes) {
  struct host_codegen *g = f->g;
  size_t length = strlen(bytes);
  struct value_text *text = arena_alloc(&g->arena, value_text_memory(length));
  value_text_write(text, bytes, length);
  LLVMValueRef members[] = {LLVMConstInt(g->i64, 0, 0), LLVMConstInt(g->i64, text->length, 0),
                            LLVMConstInt(g->i64, text->characters, 0),
                            LLVMConstStringInContext(g->context, bytes, (unsigned)length, 0)};
  LLVMValueRef value = LLVMConstStructInContext(g->context, members, 4, 0);
  LLVMValueRef constant = LLVMAddGlobal(g->module, LLVMTypeOf(value), "text");
  LLVMSetInitializer(constant, value);
  LLVMSetGlobalConstant(constant, 1);
  LLVMSetLinkage(constant, LLVMPrivateLinkage);
  LLVMSetAlignment(constant, 16);
  return constant;
}
_Static_assert(offsetof(struct value_text, length) == 8 && offsetof(struct value_text, characters) == 16 &&
                   offsetof(struct value_text, bytes) == 24,
               "the layout of a constant");

// Helpers that take the operands as they are.
static LLVMValueRef build_direct(struct host_function *f, enum host_helper helper) {
  LLVMValueRef args[3];
  for (uint32_t i = 0; i < f->instr->n_operands; i++)
    args[i] = host_operand(f, i);
  return host_call_with_loc(f, helper, f->instr->n_operands, args);
}

// Those that neither fail nor make a value.
static LLVMValueRef build_question(struct host_function *f, enum host_helper helper) {
  return host_call(f->g, helper, 2, (LLVMValueRef[]){host_operand(f, 0), host_operand(f, 1)});
}

static LLVMValueRef build_of(struct host_function *f) {
  struct host_codegen *g = f->g;
  const struct ir_type *type = f->instr->operands[0]->type;
  LLVMValueRef value = host_operand(f, 0);
  switch (type->kind) {
  case IR_BOOL:
    return LLVMBuildSelect(g->builder, value, build_constant(f, "true"), build_constant(f, "false"), "");
  case IR_FLOAT: return build_direct(f, HELPER_value_text_of_float);
  case IR_INDEX:
    return host_call(g, HELPER_value_text_of_index, 3,
                     (LLVMValueRef[]){f->example, LLVMConstInt(g->i32, type->dim, 0), value});
  default: return build_direct(f, HELPER_value_text_of_int);
  }
}

static LLVMValueRef build_to(struct host_function *f) {
  const struct ir_type *type = f->instr->results[0]->type;
  switch (type->kind) {
  case IR_FLOAT: return build_direct(f, HELPER_value_text_parse_float);
  case IR_INDEX: {
    LLVMValueRef args[] = {host_operand(f, 0), LLVMConstInt(f->g->i32, type->dim, 0)};
    return host_call_with_loc(f, HELPER_value_text_parse_index, 2, args);
  }
  default: return build_direct(f, HELPER_value_text_parse_int);
  }
}

static LLVMValueRef build(struct host_function *f) {
  struct host_codegen *g = f->g;
  switch (f->instr->op) {
  case IR_CONST_TEXT: return build_constant(f, f->instr->text);
  case IR_TEXT_LEN: {
    size_t offset = offsetof(struct value_text, characters);
    return LLVMBuildLoad2(g->builder, g->i64, host_slot_address(g, host_operand(f, 0), offset, 0), "");
  }
  case IR_TEXT_GET: return build_direct(f, HELPER_value_text_get);
  case IR_TEXT_SLICE: return build_direct(f, HELPER_value_text_slice);
  case IR_TEXT_CONCAT: return build_direct(f, HELPER_value_text_concat);
  case IR_TEXT_JOIN: return build_direct(f, HELPER_value_text_join);
  case IR_TEXT_SPLIT: {
    LLVMValueRef args[] = {host_shape(g, 1, &f->instr->results[0]->type->element), host_operand(f, 0),
                           host_operand(f, 1)};
    return host_call_with_loc(f, HELPER_value_text_split, 3, args);
  }
  case IR_TEXT_FIND: return build_question(f, HELPER_value_text_find);
  case IR_TEXT_COMPARE: return build_question(f, HELPER_value_text_compare);
  case IR_TEXT_EQ: {
    LLVMValueRef equal = build_question(f, HELPER_value_text_equal);
    return LLVMBuildICmp(g->builder, LLVMIntNE, equal, host_int(g, 0), "");
  }
  case IR_TEXT_MAP: {
    LLVMValueRef args[] = {host_operand(f, 0), LLVMConstInt(g->i32, (uint64_t)f->instr->integer, 0)};
    return host_call_with_loc(f, HELPER_value_text_map, 2, args);
  }
  case IR_TEXT_OF: return build_of(f);
  case IR_TEXT_TO: return build_to(f);
  default: return NULL;
  }
}

bool host_build_text_instr(struct host_function *f) {
  LLVMValueRef result = build(f);
  if (result && f->instr->n_results > 0)
    host_set_result(f, 0, result);
  return result != NULL;
}

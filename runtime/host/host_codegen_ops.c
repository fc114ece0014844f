// Instructions of host functions to LLVM: constants, arithmetic, calls, instances, decisions.
#include <assert.h>
#include <stdlib.h>

#include "runtime/host/host.h"
#include "runtime/host/host_codegen.h"

// ------------------------------------------------------------------------------------------- tools

LLVMValueRef host_operand(const struct host_function *f, uint32_t i) {
  return f->values[f->instr->operands[i]->id];
}

void host_set_result(struct host_function *f, uint32_t i, LLVMValueRef value) {
  f->values[f->instr->results[i]->id] = value;
}

LLVMValueRef host_call_with_loc(struct host_function *f, enum host_helper helper, unsigned n,
                                const LLVMValueRef *args) {
  LLVMValueRef all[8] = {f->example, host_loc(f->g, f->instr->loc)};
  assert(n + 2 <= sizeof all / sizeof *all);
  for (unsigned i = 0; i < n; i++)
    all[i + 2] = args[i];
  return host_call(f->g, helper, n + 2, all);
}

void host_require(struct host_function *f, LLVMValueRef ok, enum host_helper helper, unsigned n,
                  const LLVMValueRef *args) {
  if (LLVMIsAConstantInt(ok) && LLVMConstIntGetZExtValue(ok))
    return;
  LLVMContextRef context = f->g->context;
  LLVMBasicBlockRef fail = LLVMAppendBasicBlockInContext(context, f->function, "fail");
  LLVMBasicBlockRef go_on = LLVMAppendBasicBlockInContext(context, f->function, "");
  LLVMBuildCondBr(f->g->builder, ok, go_on, fail);
  LLVMPositionBuilderAtEnd(f->g->builder, fail);
  host_call_with_loc(f, helper, n, args);
  LLVMBuildUnreachable(f->g->builder);
  LLVMPositionBuilderAtEnd(f->g->builder, go_on);
}

// 0 <= value < size in one comparison.
static LLVMValueRef build_in_range(struct host_function *f, LLVMValueRef value, LLVMValueRef size) {
  return LLVMBuildICmp(f->g->builder, LLVMIntULT, value, size, "");
}

// -------------------------------------------------------------------------------------- arithmetic

// Truncating division. The most negative int divided by -1 wraps like every other overflow; the processor's
// instruction would trap, so that -1 is replaced and the quotient is a negation.
static LLVMValueRef build_division(struct host_function *f, bool remainder) {
  LLVMBuilderRef b = f->g->builder;
  LLVMValueRef a = host_operand(f, 0), by = host_operand(f, 1);
  LLVMValueRef nonzero = LLVMBuildICmp(b, LLVMIntNE, by, host_int(f->g, 0), "");
  host_require(f, nonzero, HELPER_example_fail_division, 0, NULL);
  LLVMValueRef minus_one = LLVMBuildICmp(b, LLVMIntEQ, by, host_int(f->g, -1), "");
  LLVMValueRef divisor = LLVMBuildSelect(b, minus_one, host_int(f->g, 1), by, "");
  if (remainder)
    return LLVMBuildSRem(b, a, divisor, "");
  return LLVMBuildSelect(b, minus_one, LLVMBuildNeg(b, a, ""), LLVMBuildSDiv(b, a, divisor, ""), "");
}

static LLVMValueRef build_float_to_int(struct host_function *f) {
  struct host_codegen *g = f->g;
  LLVMValueRef value = host_operand(f, 0);
  const double limit = 9223372036854775808.0;  // 2^63; the comparisons are false for what is not a number
  LLVMValueRef above = LLVMBuildFCmp(g->builder, LLVMRealOGE, value, LLVMConstReal(g->f64, -limit), "");
  LLVMValueRef below = LLVMBuildFCmp(g->builder, LLVMRealOLT, value, LLVMConstReal(g->f64, limit), "");
  host_require(f, LLVMBuildAnd(g->builder, above, below, ""), HELPER_example_fail_float, 1, &value);
  return LLVMBuildFPToSI(g->builder, value, g->i64, "");
}

static LLVMValueRef build_int_to_float(struct host_function *f) {
  LLVMValueRef value = host_operand(f, 0);
  bool is_bool = f->instr->operands[0]->type->kind == IR_BOOL;
  return is_bool ? LLVMBuildUIToFP(f->g->builder, value, f->g->f64, "")
                 : LLVMBuildSIToFP(f->g->builder, value, f->g->f64, "");
}

// A constant of the module.
static LLVMValueRef constant_text(struct host_codegen *g, const char *text) {
  return LLVMBuildGlobalStringPtr(g->builder, text, "text");
}

static LLVMValueRef set_name(struct host_codegen *g, uint32_t dim) {
  if (!g->set_names[dim])
    g->set_names[dim] = LLVMBuildGlobalStringPtr(g->builder, g->ir->dims[dim]->atom.name, "set");
  return g->set_names[dim];
}

static LLVMValueRef build_int_to_index(struct host_function *f) {
  uint32_t dim = f->instr->results[0]->type->dim;
  LLVMValueRef value = host_operand(f, 0), size = host_int(f->g, f->g->dims[dim]);
  LLVMValueRef args[] = {value, size, set_name(f->g, dim)};
  host_require(f, build_in_range(f, value, size), HELPER_example_fail_index, 3, args);
  return value;
}

static LLVMValueRef build_check_range(struct host_function *f) {
  LLVMValueRef args[] = {host_operand(f, 0), host_operand(f, 1)};
  // A negative size would look large to the comparison.
  LLVMValueRef size = args[1], zero = host_int(f->g, 0);
  LLVMValueRef negative = LLVMBuildICmp(f->g->builder, LLVMIntSLT, size, zero, "");
  size = LLVMBuildSelect(f->g->builder, negative, zero, size, "");
  host_require(f, build_in_range(f, args[0], size), HELPER_example_fail_range, 2, args);
  return args[0];
}

// The text is an operand of the helper that fails: a constant of the module.
static LLVMValueRef build_require(struct host_function *f) {
  LLVMValueRef condition = host_operand(f, 0), text = constant_text(f->g, f->instr->text);
  host_require(f, condition, HELPER_example_fail_text, 1, &text);
  return condition;
}

// --------------------------------------------------------------------------------------- instances

uint32_t host_emit_words(const struct ir_block *block) {
  uint32_t words = 0;
  if (ir_block_is_ragged(block))
    return 2 * block->n_params;
  for (uint32_t i = 0; i < block->n_params; i++)
    words += block->params[i]->type->kind == IR_FLOAT ? 2 : 1;
  return words;
}

// What an int must be less than where an operation of a block uses it as a position, and where in the source
// that is.
static bool index_bound(const struct host_codegen *g, const struct ir_instr *instr,
                        const struct ir_value *value, int64_t *bound) {
  const struct ir_op_info *info = &ir_op_infos[instr->op];
  if (instr->n_operands == 0 || instr->operands[instr->n_operands - 1] != value)
    return false;
  const struct size *size = NULL;
  if (instr->op == IR_OP_PARAM)
    size = g->ir->params[instr->symbol]->count;
  else if (info->takes_index && instr->n_results == 1)
    size = ir_indexed_size(instr);
  if (!size || size_is_runtime(size))  // what runs is seen by trace_emit_ragged
    return false;
  *bound = host_size(g, size);
  if (info->takes_index && ir_indexed_length(instr))
    *bound -= host_size(g, ir_indexed_length(instr)) - 1;
  return true;
}

// An int is any number, and a kernel reads memory at the place it names. Indices of vocabs and enums need no
// check: their type keeps them in range.
static void build_bounds_check(struct host_function *f, const struct ir_block *block, uint32_t param) {
  const struct ir_instr *emit = f->instr;
  LLVMValueRef value = host_operand(f, param);
  int64_t least = INT64_MAX;
  struct ir_instr at = *emit;
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    int64_t bound;
    if (index_bound(f->g, instr, block->params[param], &bound) && bound < least) {
      least = bound;
      at.loc = instr->loc.line ? instr->loc : emit->loc;
    }
  }
  if (least == INT64_MAX)
    return;
  LLVMValueRef args[] = {value, host_int(f->g, least)};
  f->instr = &at;
  host_require(f, build_in_range(f, value, args[1]), HELPER_example_fail_range, 2, args);
  f->instr = emit;
}

static void build_word(struct host_function *f, uint32_t word, LLVMValueRef value) {
  struct host_codegen *g = f->g;
  LLVMTypeRef type = LLVMTypeOf(value);
  LLVMValueRef index = LLVMConstInt(g->i32, word, 0);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(g->builder, g->i32, f->scratch, &index, 1, "");
  if (type == g->i64)
    value = LLVMBuildTrunc(g->builder, value, g->i32, "");
  else if (type == g->i1)
    value = LLVMBuildZExt(g->builder, value, g->i32, "");
  LLVMSetAlignment(LLVMBuildStore(g->builder, value, address), 4);  // a float takes two words
}

// The operands as slots of 64 bits.
static void build_ragged_args(struct host_function *f, const struct ir_block *block) {
  struct host_codegen *g = f->g;
  for (uint32_t i = 0; i < f->instr->n_operands; i++) {
    if (block->params[i]->type->kind == IR_INT)
      build_bounds_check(f, block, i);
    LLVMValueRef value = host_operand(f, i), index = LLVMConstInt(g->i32, i, 0);
    LLVMTypeRef type = LLVMTypeOf(value);
    if (type == g->i1 || type == g->i32)
      value = LLVMBuildZExt(g->builder, value, g->i64, "");
    LLVMBuildStore(g->builder, value, LLVMBuildInBoundsGEP2(g->builder, g->i64, f->scratch, &index, 1, ""));
  }
}

static void build_emit(struct host_function *f) {
  struct host_codegen *g = f->g;
  const struct ir_instr *instr = f->instr;
  const struct ir_block *block = g->ir->blocks[instr->symbol];
  bool ragged = ir_block_is_ragged(block);
  uint32_t word = 0;
  if (ragged)
    build_ragged_args(f, block);
  for (uint32_t i = 0; !ragged && i < instr->n_operands; i++) {
    if (block->params[i]->type->kind == IR_INT)
      build_bounds_check(f, block, i);
    build_word(f, word, host_operand(f, i));
    word += block->params[i]->type->kind == IR_FLOAT ? 2 : 1;
  }
  LLVMValueRef words = f->scratch ? f->scratch : LLVMConstNull(g->ptr);
  LLVMValueRef args[] = {f->example, LLVMConstInt(g->i32, instr->symbol, 0), words, host_loc(g, instr->loc)};
  LLVMValueRef first = host_call(g, ragged ? HELPER_trace_emit_ragged : HELPER_trace_emit, 4, args);
  for (uint32_t i = 0; i < instr->n_results; i++)
    host_set_result(f, i, LLVMBuildAdd(g->builder, first, LLVMConstInt(g->i32, i, 0), ""));
}

static LLVMValueRef build_read_index(struct host_function *f) {
  const struct ir_type *type = f->instr->results[0]->type;
  int64_t size = type->kind == IR_INDEX ? f->g->dims[type->dim] : INT64_MAX;
  LLVMValueRef args[] = {host_operand(f, 0), host_int(f->g, size)};
  return host_call_with_loc(f, HELPER_host_read_index, 2, args);
}

// ------------------------------------------------------------------------------------------- calls

static void build_call(struct host_function *f) {
  struct host_codegen *g = f->g;
  const struct ir_instr *instr = f->instr;
  LLVMValueRef few[16], *args = few;
  if (instr->n_operands + 1 > sizeof few / sizeof *few)
    args = arena_new_array(&g->arena, LLVMValueRef, (size_t)instr->n_operands + 1);
  args[0] = f->example;
  for (uint32_t i = 0; i < instr->n_operands; i++)
    args[i + 1] = host_operand(f, i);
  LLVMValueRef result = LLVMBuildCall2(g->builder, g->types[instr->symbol], g->functions[instr->symbol], args,
                                       instr->n_operands + 1, "");
  if (instr->n_results == 1)
    host_set_result(f, 0, result);
  for (uint32_t i = 0; instr->n_results > 1 && i < instr->n_results; i++)
    host_set_result(f, i, LLVMBuildExtractValue(g->builder, result, i, ""));
}

// ------------------------------------------------------------------------------------ the dispatch

static LLVMValueRef compare_ints(struct host_function *f, LLVMIntPredicate predicate) {
  return LLVMBuildICmp(f->g->builder, predicate, host_operand(f, 0), host_operand(f, 1), "");
}

static LLVMValueRef compare_floats(struct host_function *f, LLVMRealPredicate predicate) {
  return LLVMBuildFCmp(f->g->builder, predicate, host_operand(f, 0), host_operand(f, 1), "");
}

static LLVMValueRef build_constant(struct host_function *f) {
  struct host_codegen *g = f->g;
  switch (f->instr->op) {
  case IR_CONST_BOOL: return LLVMConstInt(g->i1, f->instr->integer != 0, 0);
  case IR_CONST_FLOAT: return LLVMConstReal(g->f64, f->instr->number);
  case IR_SIZE: return host_int(g, host_size(g, f->instr->size));
  default: return host_int(g, f->instr->integer);
  }
}

// Operations with one result and no way to fail, one case each.
static LLVMValueRef build_simple(struct host_function *f) {
  LLVMBuilderRef b = f->g->builder;
  LLVMValueRef a = f->instr->n_operands > 0 ? host_operand(f, 0) : NULL;
  LLVMValueRef c = f->instr->n_operands > 1 ? host_operand(f, 1) : NULL;
  switch (f->instr->op) {
  case IR_IADD: return LLVMBuildAdd(b, a, c, "");
  case IR_ISUB: return LLVMBuildSub(b, a, c, "");
  case IR_IMUL: return LLVMBuildMul(b, a, c, "");
  case IR_BATCH_LEN:
    return LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntEQ, a, host_int(f->g, 1), ""), c, a, "");
  case IR_INEG: return LLVMBuildNeg(b, a, "");
  case IR_IEQ: return compare_ints(f, LLVMIntEQ);
  case IR_INE: return compare_ints(f, LLVMIntNE);
  case IR_ILT: return compare_ints(f, LLVMIntSLT);
  case IR_ILE: return compare_ints(f, LLVMIntSLE);
  case IR_FADD: return LLVMBuildFAdd(b, a, c, "");
  case IR_FSUB: return LLVMBuildFSub(b, a, c, "");
  case IR_FMUL: return LLVMBuildFMul(b, a, c, "");
  case IR_FDIV: return LLVMBuildFDiv(b, a, c, "");
  case IR_FNEG: return LLVMBuildFNeg(b, a, "");
  case IR_FEQ: return compare_floats(f, LLVMRealOEQ);
  case IR_FNE: return compare_floats(f, LLVMRealUNE);
  case IR_FLT: return compare_floats(f, LLVMRealOLT);
  case IR_FLE: return compare_floats(f, LLVMRealOLE);
  case IR_NOT: return LLVMBuildNot(b, a, "");
  case IR_INDEX_TO_INT: return a;
  default: return NULL;
  }
}

// Functions of one or two floats. The C library has them; sqrt and fabs are instructions of every processor, too, but
// none of these is where time goes.
static LLVMValueRef build_math(struct host_function *f) {
  static const enum host_helper helpers[] = {
#define HOST(ENUM, name, fails, attributes, doc)
#define HOST_MATH(ENUM, name, operands, user, c_name, doc) [IR_##ENUM] = HELPER_host_##c_name,
#include "compiler/ir/hostops.def"
#undef HOST
#undef HOST_MATH
  };
  LLVMValueRef args[2];
  for (uint32_t i = 0; i < f->instr->n_operands; i++)
    args[i] = host_operand(f, i);
  return host_call(f->g, helpers[f->instr->op], f->instr->n_operands, args);
}

// Operations with one result that check, call or convert.
static LLVMValueRef build_checked(struct host_function *f) {
  switch (f->instr->op) {
  case IR_CONST_INT:
  case IR_CONST_BOOL:
  case IR_CONST_FLOAT:
  case IR_CONST_INDEX:
  case IR_SIZE: return build_constant(f);
  case IR_IDIV: return build_division(f, false);
  case IR_IMOD: return build_division(f, true);
#define HOST(ENUM, name, fails, attributes, doc)
#define HOST_MATH(ENUM, name, operands, user, c_name, doc) case IR_##ENUM:
#include "compiler/ir/hostops.def"
#undef HOST
#undef HOST_MATH
    return build_math(f);
  case IR_INT_TO_FLOAT: return build_int_to_float(f);
  case IR_FLOAT_TO_INT: return build_float_to_int(f);
  case IR_INT_TO_INDEX: return build_int_to_index(f);
  case IR_CHECK_RANGE: return build_check_range(f);
  case IR_REQUIRE: return build_require(f);
  case IR_READ_INDEX: return build_read_index(f);
  case IR_READ_VALUE:
    return host_call_with_loc(f, HELPER_trace_read, 1, (LLVMValueRef[]){host_operand(f, 0)});
  default: return NULL;
  }
}

void host_build_instr(struct host_function *f) {
  LLVMValueRef result = build_simple(f);
  if (!result)
    result = build_checked(f);
  if (result) {
    if (f->instr->n_results > 0)
      host_set_result(f, 0, result);
  } else if (f->instr->op == IR_EMIT) {
    build_emit(f);
  } else if (f->instr->op == IR_CALL) {
    build_call(f);
  } else {
    bool known = host_build_list_instr(f) || host_build_text_instr(f);
    assert(known);
    (void)known;
  }
}

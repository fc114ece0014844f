// Host functions of a module to native code: which functions, the cache key, the LLVM module and the entries'
// wrappers.
#include "runtime/host/host_codegen.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/text.h"
#include "runtime/batch/trace.h"
#include "runtime/host/host.h"
#include "runtime/host/host_runtime.h"
#include "runtime/jit/jit.h"
#include "runtime/value/value_text.h"

// Compilation time is part of every cold start. The generator already emits SSA form; the first pass removes
// its empty blocks, the last one what the others made unreachable. instcombine runs once and may leave something
// for a second run; checking that it did not would end the process where it did.
#define PIPELINE "function(simplifycfg,early-cse,instcombine<no-verify-fixpoint>,simplifycfg)"

// Part of the cache key: change it with the generated code or with what the helpers are passed.
#define CODE_VERSION 5

// ------------------------------------------------------------------------------------- checks, key

static bool evaluate(const struct host_codegen *g, const struct size *size, int64_t *value) {
  return size_evaluate_by_id(size, g->dims, value) && *value >= 0;
}

int64_t host_size(const struct host_codegen *g, const struct size *size) {
  int64_t value = 0;
  bool ok = evaluate(g, size, &value);
  assert(ok);
  (void)ok;
  return value;
}

static bool count_elements(const struct host_codegen *g, const struct ir_type *type, int64_t *elements) {
  *elements = 1;
  for (uint32_t i = 0; i < type->shape.rank; i++) {
    int64_t size;
    if (!evaluate(g, type->shape.sizes[i], &size) || __builtin_mul_overflow(*elements, size, elements))
      return false;
  }
  return *elements <= UINT32_MAX;
}

uint32_t host_elements(const struct host_codegen *g, const struct ir_type *type) {
  int64_t elements = 0;
  bool ok = count_elements(g, type, &elements);
  assert(ok);
  (void)ok;
  return (uint32_t)elements;
}

static bool fail_at(const struct host_codegen *g, const struct ir_function *function,
                    const struct ir_instr *instr, const char *what, char **error) {
  bool known = instr->loc.line != 0 && instr->loc.file < g->ir->n_files;
  char at[32] = "";
  if (known)
    snprintf(at, sizeof at, ":%" PRIu32 ":%" PRIu32 ": ", instr->loc.line, instr->loc.column);
  if (asprintf(error, "%s%sfunction %s, %s: %s", known ? g->ir->files[instr->loc.file] : "", at,
               function->name, ir_op_infos[instr->op].name, what) < 0)
    *error = NULL;
  return false;
}

// The sizes by which a block's int operands are checked: the first axis of what they index, counts of
// families.
static bool check_block(const struct host_codegen *g, const struct ir_block *block) {
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    int64_t value;
    const struct size *count = instr->op == IR_OP_PARAM ? g->ir->params[instr->symbol]->count : NULL;
    if (count && !evaluate(g, count, &value))
      return false;
    bool indexes = ir_op_infos[instr->op].takes_index;
    for (uint32_t i = 0; indexes && i < instr->n_operands; i++)
      if (instr->operands[i]->type->kind == IR_TENSOR && !ir_type_is_ragged(instr->operands[i]->type) &&
          !count_elements(g, instr->operands[i]->type, &value))
        return false;
    for (uint32_t i = 0; indexes && i < instr->n_results; i++)
      if (!ir_type_is_ragged(instr->results[i]->type) && !count_elements(g, instr->results[i]->type, &value))
        return false;
  }
  return true;
}

static bool check_instr(const struct host_codegen *g, const struct ir_function *function,
                        const struct ir_instr *instr, char **error) {
  int64_t value;
  if (ir_is_tensor_op(instr->op))
    return fail_at(g, function, instr, "a tensor operation outside of a block", error);
  if (instr->op == IR_CONST_INDEX) {
    bool exists = instr->integer >= 0 && instr->integer < g->dims[instr->results[0]->type->dim];
    return exists || fail_at(g, function, instr, "no index of the set", error);
  }
  bool makes_tensor = instr->n_results > 0 && instr->results[0]->type->kind == IR_TENSOR;
  makes_tensor = makes_tensor && !ir_type_is_ragged(instr->results[0]->type);
  bool ok = !makes_tensor || count_elements(g, instr->results[0]->type, &value);
  ok = ok && (!(ir_op_infos[instr->op].attributes & IR_ATTR_LENGTH) || size_is_runtime(instr->length) ||
              evaluate(g, instr->length, &value));
  ok = ok && (instr->op != IR_SIZE || evaluate(g, instr->size, &value));
  ok = ok && (instr->op != IR_EMIT || check_block(g, g->ir->blocks[instr->symbol]));
  return ok || fail_at(g, function, instr, "a size is negative or too large", error);
}

// Everything that can go wrong goes wrong here, so that the generator need not look. Marks the functions
// reached.
static bool check_functions(struct host_codegen *g, char **error) {
  uint32_t *queue = arena_new_array(&g->arena, uint32_t, g->ir->n_functions), n = 0;
  for (uint32_t i = 0; i < g->ir->n_entries; i++) {
    uint32_t function = g->ir->entries[i]->function;
    if (!g->reachable[function])
      queue[n++] = function;
    g->reachable[function] = true;
  }
  bool ok = true;
  while (ok && n > 0) {
    const struct ir_function *function = g->ir->functions[queue[--n]];
    for (const struct ir_bb *bb = function->entry; ok && bb; bb = bb->next) {
      for (const struct ir_instr *instr = bb->first; ok && instr; instr = instr->next) {
        ok = check_instr(g, function, instr, error);
        if (ok && instr->op == IR_CALL && !g->reachable[instr->symbol]) {
          g->reachable[instr->symbol] = true;
          queue[n++] = instr->symbol;
        }
      }
    }
  }
  return ok;
}

// The module's whole text rather than the parts that matter: numbers of blocks and constructors follow from
// it too.
// NULL without memory.
static char *make_key(const struct host_codegen *g) {
  char *text = ir_print(g->ir);
  struct text key;
  FILE *out = text ? text_open(&key) : NULL;
  if (!out) {
    free(text);
    return NULL;
  }
  fprintf(out, "host %d; layout %zu %zu %zu %zu %zu %zu %zu %zu\n", CODE_VERSION,
          offsetof(struct example, stack_limit), offsetof(struct example, fuel),
          offsetof(struct value_data, tag), offsetof(struct value_data, slots),
          offsetof(struct value_list, buffer), offsetof(struct value_list, offset),
          offsetof(struct value_list, length), offsetof(struct value_buffer, slots));
  for (uint32_t i = 0; i < g->ir->n_dims; i++)
    fprintf(out, "%" PRId64 "\n", g->dims[i]);
  fputs(text, out);
  free(text);
  return text_close(&key);
}

// ------------------------------------------------------------------------- shared by the generator

LLVMTypeRef host_llvm_type(const struct host_codegen *g, const struct ir_type *type) {
  switch (type->kind) {
  case IR_BOOL: return g->i1;
  case IR_FLOAT: return g->f64;
  case IR_TENSOR: return g->i32;
  case IR_LIST:
  case IR_TEXT:
  case IR_DATA: return g->ptr;
  default: assert(type->kind != IR_TUPLE); return g->i64;
  }
}

LLVMValueRef host_int(const struct host_codegen *g, int64_t value) {
  return LLVMConstInt(g->i64, (uint64_t)value, 1);
}

LLVMValueRef host_slot_address(struct host_codegen *g, LLVMValueRef base, uint64_t offset, uint32_t slot) {
  LLVMValueRef index = LLVMConstInt(g->i64, offset / sizeof(uint64_t) + slot, 0);
  assert(offset % sizeof(uint64_t) == 0);
  return LLVMBuildInBoundsGEP2(g->builder, g->i64, base, &index, 1, "");
}

void host_store_slot(struct host_codegen *g, LLVMValueRef address, LLVMValueRef value) {
  LLVMTypeRef type = LLVMTypeOf(value);
  if (type == g->i1 || type == g->i32)
    value = LLVMBuildZExt(g->builder, value, g->i64, "");
  LLVMBuildStore(g->builder, value, address);
}

LLVMValueRef host_load_slot(struct host_codegen *g, const struct ir_type *type, LLVMValueRef address) {
  LLVMTypeRef wanted = host_llvm_type(g, type);
  bool narrow = wanted == g->i1 || wanted == g->i32;
  LLVMValueRef value = LLVMBuildLoad2(g->builder, narrow ? g->i64 : wanted, address, "");
  return narrow ? LLVMBuildTrunc(g->builder, value, wanted, "") : value;
}

LLVMValueRef host_loc(struct host_codegen *g, struct ir_loc loc) {
  bool same = loc.file == g->loc.file && loc.line == g->loc.line && loc.column == g->loc.column;
  if (g->loc_constant && same)
    return g->loc_constant;
  LLVMValueRef members[] = {LLVMConstInt(g->i32, loc.file, 0), LLVMConstInt(g->i32, loc.line, 0),
                            LLVMConstInt(g->i32, loc.column, 0)};
  LLVMValueRef constant = LLVMConstStructInContext(g->context, members, 3, 0);
  LLVMValueRef global = LLVMAddGlobal(g->module, LLVMTypeOf(constant), "at");
  LLVMSetInitializer(global, constant);
  LLVMSetGlobalConstant(global, 1);
  LLVMSetLinkage(global, LLVMPrivateLinkage);
  g->loc = loc;
  g->loc_constant = global;
  return global;
}

// ----------------------------------------------------------------------------------------- helpers

static const struct {
  const char *name, *signature;
} helper_infos[] = {
#define HELPER(name, signature) {#name, signature},
#include "runtime/host/host_helpers.def"
#undef HELPER
};

static bool define_helpers(struct jit *jit, char **error) {
  bool ok = true;
#define HELPER(name, signature) ok = ok && jit_define(jit, #name, (void *)(uintptr_t)name, error);
#include "runtime/host/host_helpers.def"
#undef HELPER
  return ok;
}

static LLVMTypeRef signature_type(const struct host_codegen *g, char c) {
  switch (c) {
  case 'p': return g->ptr;
  case 'i': return g->i32;
  case 'l': return g->i64;
  case 'd': return g->f64;
  default: return g->nothing;
  }
}

static void add_attribute(struct host_codegen *g, LLVMValueRef function, const char *name) {
  unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
  LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                          LLVMCreateEnumAttribute(g->context, kind, 0));
}

static void declare_helper(struct host_codegen *g, enum host_helper helper) {
  const char *name = helper_infos[helper].name, *signature = helper_infos[helper].signature;
  LLVMTypeRef params[8];
  unsigned n = 0;
  for (const char *c = signature + 2; *c; c++)
    params[n++] = signature_type(g, *c);
  g->helper_types[helper] = LLVMFunctionType(signature_type(g, signature[0]), params, n, 0);
  LLVMValueRef function = g->helpers[helper] = LLVMAddFunction(g->module, name, g->helper_types[helper]);
  add_attribute(g, function, "nounwind");
  if (signature[0] == '!')
    add_attribute(g, function, "noreturn");
  if (signature[0] == '!' || helper == HELPER_example_tick)
    add_attribute(g, function, "cold");
}

LLVMValueRef host_call(struct host_codegen *g, enum host_helper helper, unsigned n, LLVMValueRef *args) {
  if (!g->helpers[helper])
    declare_helper(g, helper);
  return LLVMBuildCall2(g->builder, g->helper_types[helper], g->helpers[helper], args, n, "");
}

// -------------------------------------------------------------------------------------- the module

static LLVMTypeRef function_type(struct host_codegen *g, const struct ir_function *function) {
  LLVMTypeRef *params = arena_new_array(&g->arena, LLVMTypeRef, (size_t)function->n_params + 1);
  LLVMTypeRef *results = arena_new_array(&g->arena, LLVMTypeRef, function->n_results);
  params[0] = g->ptr;
  for (uint32_t i = 0; i < function->n_params; i++)
    params[i + 1] = host_llvm_type(g, function->params[i]->type);
  for (uint32_t i = 0; i < function->n_results; i++)
    results[i] = host_llvm_type(g, function->results[i]);
  LLVMTypeRef result = function->n_results == 0 ? g->nothing
                       : function->n_results == 1
                           ? results[0]
                           : LLVMStructTypeInContext(g->context, results, function->n_results, 0);
  return LLVMFunctionType(result, params, function->n_params + 1, 0);
}

static void declare_functions(struct host_codegen *g) {
  for (uint32_t i = 0; i < g->ir->n_functions; i++) {
    if (!g->reachable[i])
      continue;
    char name[256];
    snprintf(name, sizeof name, "host.%s", g->ir->functions[i]->name);
    g->types[i] = function_type(g, g->ir->functions[i]);
    g->functions[i] = LLVMAddFunction(g->module, name, g->types[i]);
    LLVMSetLinkage(g->functions[i], LLVMInternalLinkage);
    jit_set_attributes(g->jit, g->functions[i]);
    g->bodies[i] = g->functions[i];
    if (!g->ir->functions[i]->memo)
      continue;
    snprintf(name, sizeof name, "body.%s", g->ir->functions[i]->name);
    g->bodies[i] = LLVMAddFunction(g->module, name, g->types[i]);
    LLVMSetLinkage(g->bodies[i], LLVMInternalLinkage);
    jit_set_attributes(g->jit, g->bodies[i]);
  }
}

// The results in these slots as the function gives them.
static void build_results(struct host_codegen *g, const struct ir_function *ir, LLVMValueRef slots) {
  if (ir->n_results == 0) {
    LLVMBuildRetVoid(g->builder);
    return;
  }
  LLVMValueRef all = LLVMGetPoison(LLVMGetReturnType(g->types[ir->id]));
  for (uint32_t i = 0; i < ir->n_results; i++) {
    LLVMValueRef value = host_load_slot(g, ir->results[i], host_slot_address(g, slots, 0, i));
    all = ir->n_results == 1 ? value : LLVMBuildInsertValue(g->builder, all, value, i, "");
  }
  LLVMBuildRet(g->builder, all);
}

// The results of a call, into slots.
static void store_results(struct host_codegen *g, const struct ir_function *ir, LLVMValueRef result,
                          LLVMValueRef slots) {
  for (uint32_t i = 0; i < ir->n_results; i++) {
    LLVMValueRef value = ir->n_results == 1 ? result : LLVMBuildExtractValue(g->builder, result, i, "");
    host_store_slot(g, host_slot_address(g, slots, 0, i), value);
  }
}

// Of a memo function: looks for what it gave before, and computes it where there is nothing.
static void build_memo(struct host_codegen *g, const struct ir_function *ir) {
  LLVMValueRef function = g->functions[ir->id];
  LLVMPositionBuilderAtEnd(g->builder, LLVMAppendBasicBlockInContext(g->context, function, "enter"));
  LLVMValueRef args = LLVMBuildAlloca(g->builder, LLVMArrayType(g->i64, ir->n_params + 1), "args");
  LLVMValueRef results = LLVMBuildAlloca(g->builder, LLVMArrayType(g->i64, ir->n_results + 1), "results");
  LLVMValueRef *params = arena_new_array(&g->arena, LLVMValueRef, (size_t)ir->n_params + 1);
  const struct ir_type **types = arena_new_array(&g->arena, const struct ir_type *, ir->n_params);
  for (uint32_t i = 0; i <= ir->n_params; i++)
    params[i] = LLVMGetParam(function, i);
  for (uint32_t i = 0; i < ir->n_params; i++) {
    types[i] = ir->params[i]->type;
    host_store_slot(g, host_slot_address(g, args, 0, i), params[i + 1]);
  }
  LLVMValueRef id = LLVMConstInt(g->i32, ir->id, 0), loc = host_loc(g, ir->entry->first->loc);
  LLVMValueRef shape = host_shape(g, ir->n_params, types), made = host_shape(g, ir->n_results, ir->results);
  LLVMValueRef entry = LLVMBuildAlloca(g->builder, g->ptr, "entry");
  LLVMValueRef known = host_call(g, HELPER_value_memo_find, 7,
                                 (LLVMValueRef[]){params[0], loc, id, shape, args, made, entry});
  LLVMBasicBlockRef hit = LLVMAppendBasicBlockInContext(g->context, function, "known");
  LLVMBasicBlockRef miss = LLVMAppendBasicBlockInContext(g->context, function, "new");
  LLVMBuildCondBr(g->builder, LLVMBuildIsNull(g->builder, known, ""), miss, hit);
  LLVMPositionBuilderAtEnd(g->builder, hit);
  build_results(g, ir, known);
  LLVMPositionBuilderAtEnd(g->builder, miss);
  LLVMValueRef result = LLVMBuildCall2(g->builder, g->types[ir->id], g->bodies[ir->id], params,
                                       ir->n_params + 1, "");
  store_results(g, ir, result, results);
  entry = LLVMBuildLoad2(g->builder, g->ptr, entry, "");
  host_call(g, HELPER_value_memo_keep, 2, (LLVMValueRef[]){entry, results});
  build_results(g, ir, results);
}

static void entry_name(uint32_t function, char name[32]) { snprintf(name, 32, "entry.%" PRIu32, function); }

// host_entry_fn: arguments and results as slots in memory.
static void build_entry(struct host_codegen *g, const struct ir_function *ir) {
  char name[32];
  entry_name(ir->id, name);
  LLVMTypeRef type = LLVMFunctionType(g->nothing, (LLVMTypeRef[]){g->ptr, g->ptr, g->ptr}, 3, 0);
  LLVMValueRef function = LLVMAddFunction(g->module, name, type);
  jit_set_attributes(g->jit, function);
  LLVMPositionBuilderAtEnd(g->builder, LLVMAppendBasicBlockInContext(g->context, function, ""));
  LLVMValueRef *args = arena_new_array(&g->arena, LLVMValueRef, (size_t)ir->n_params + 1);
  args[0] = LLVMGetParam(function, 0);
  for (uint32_t i = 0; i < ir->n_params; i++) {
    LLVMValueRef address = host_slot_address(g, LLVMGetParam(function, 1), 0, i);
    args[i + 1] = host_load_slot(g, ir->params[i]->type, address);
  }
  LLVMValueRef result = LLVMBuildCall2(g->builder, g->types[ir->id], g->functions[ir->id], args,
                                       ir->n_params + 1, "");
  store_results(g, ir, result, LLVMGetParam(function, 2));
  LLVMBuildRetVoid(g->builder);
}

static void build_all(void *context) {
  struct host_codegen *g = context;
  g->i1 = LLVMInt1TypeInContext(g->context);
  g->i32 = LLVMInt32TypeInContext(g->context);
  g->i64 = LLVMInt64TypeInContext(g->context);
  g->f64 = LLVMDoubleTypeInContext(g->context);
  g->ptr = LLVMPointerTypeInContext(g->context, 0);
  g->nothing = LLVMVoidTypeInContext(g->context);
  g->types = arena_new_array(&g->arena, LLVMTypeRef, g->ir->n_functions);
  g->functions = arena_new_array(&g->arena, LLVMValueRef, g->ir->n_functions);
  g->bodies = arena_new_array(&g->arena, LLVMValueRef, g->ir->n_functions);
  g->set_names = arena_new_array(&g->arena, LLVMValueRef, g->ir->n_dims);
  g->shape_index = hash_index_new(&g->arena);
  declare_functions(g);
  g->owned_params = host_owned_params(g->ir, g->reachable);
  if (!g->owned_params)
    arena_out_of_memory(&g->arena);
  for (uint32_t i = 0; i < g->ir->n_functions; i++) {
    if (g->reachable[i])
      host_build_function(g, g->ir->functions[i]);
    if (g->reachable[i] && g->ir->functions[i]->memo)
      build_memo(g, g->ir->functions[i]);
    if (g->is_entry[i])
      build_entry(g, g->ir->functions[i]);
  }
}

static bool build_module(void *context, LLVMModuleRef module, char **error) {
  struct host_codegen *g = context;
  g->module = module;
  g->context = LLVMGetModuleContext(module);
  g->builder = LLVMCreateBuilderInContext(g->context);
  bool ok = arena_attempt(&g->arena, build_all, g);
  LLVMDisposeBuilder(g->builder);
  host_actions_free(&g->actions);
  if (g->owned_params)
    host_owned_params_free(g->ir, g->owned_params);
  if (!ok)
    *error = strdup("out of memory");
  return ok;
}

// ---------------------------------------------------------------------------------------- requests

// The names of the entries' wrappers, one per function that is an entry.
struct symbols {
  uint32_t n;
  uint32_t *functions;
  const char **names;
};

static struct symbols make_symbols(struct host_codegen *g) {
  const struct ir_module *ir = g->ir;
  g->is_entry = arena_new_array(&g->arena, bool, ir->n_functions);
  for (uint32_t i = 0; i < ir->n_entries; i++)
    g->is_entry[ir->entries[i]->function] = true;
  struct symbols symbols = {.functions = arena_new_array(&g->arena, uint32_t, ir->n_functions),
                            .names = arena_new_array(&g->arena, const char *, ir->n_functions)};
  for (uint32_t i = 0; i < ir->n_functions; i++) {
    if (!g->is_entry[i])
      continue;
    char name[32];
    entry_name(i, name);
    symbols.names[symbols.n] = arena_strdup(&g->arena, name);
    symbols.functions[symbols.n++] = i;
  }
  return symbols;
}

// NULL without memory.
static struct host_code *make_code(const struct ir_module *ir, const struct symbols *symbols,
                                   void *const *addresses) {
  struct host_code *code = calloc(1, sizeof *code);
  if (!code)
    return NULL;
  code->entries = calloc((size_t)ir->n_functions + 1, sizeof *code->entries);
  code->decides = calloc((size_t)ir->n_functions + 1, sizeof *code->decides);
  if (!code->entries || !code->decides) {
    host_code_free(code);
    return NULL;
  }
  for (uint32_t i = 0; i < ir->n_functions; i++)
    code->decides[i] = ir->functions[i]->decides;
  for (uint32_t i = 0; i < symbols->n; i++)
    code->entries[symbols->functions[i]] = (host_entry_fn *)(uintptr_t)addresses[i];
  return code;
}

struct host_request {
  struct host_codegen g;
  bool assembly;
  char **error;
  struct host_code *code;  // of compile
  char *text;              // of print
};

static void compile(void *context) {
  struct host_request *request = context;
  struct host_codegen *g = &request->g;
  g->reachable = arena_new_array(&g->arena, bool, g->ir->n_functions);
  struct symbols symbols = make_symbols(g);
  void **addresses = arena_new_array(&g->arena, void *, symbols.n);
  bool ok = check_functions(g, request->error) && define_helpers(g->jit, request->error);
  if (ok && symbols.n > 0) {
    char *key = make_key(g);
    struct jit_request wanted = {.key = key,
                                 .build = build_module,
                                 .context = g,
                                 .pipeline = PIPELINE,
                                 .n_symbols = symbols.n,
                                 .symbols = symbols.names};
    ok = jit_compile(g->jit, &wanted, addresses, request->error);
    free(key);
  }
  request->code = ok ? make_code(g->ir, &symbols, addresses) : NULL;
}

static void print(void *context) {
  struct host_request *request = context;
  struct host_codegen *g = &request->g;
  g->reachable = arena_new_array(&g->arena, bool, g->ir->n_functions);
  struct symbols symbols = make_symbols(g);
  struct jit_request wanted = {.key = "",
                               .build = build_module,
                               .context = g,
                               .pipeline = PIPELINE,
                               .n_symbols = symbols.n,
                               .symbols = symbols.names};
  if (check_functions(g, request->error))
    request->text = jit_text(g->jit, &wanted, request->assembly, request->error);
}

static void carry_out(struct host_request *request, void (*what)(void *)) {
  *request->error = NULL;
  arena_init(&request->g.arena);
  arena_attempt(&request->g.arena, what, request);
  arena_free(&request->g.arena);
}

struct host_code *host_compile(struct jit *jit, const struct ir_module *ir, const int64_t *dims,
                               char **error) {
  struct host_request request = {.g = {.ir = ir, .dims = dims, .jit = jit}, .error = error};
  carry_out(&request, compile);
  return request.code;
}

void host_code_free(struct host_code *code) {
  if (!code)
    return;
  free(code->entries);
  free(code->decides);
  free(code);
}

char *host_text(struct jit *jit, const struct ir_module *ir, const int64_t *dims, bool assembly,
                char **error) {
  struct host_request request = {
      .g = {.ir = ir, .dims = dims, .jit = jit}, .assembly = assembly, .error = error};
  carry_out(&request, print);
  return request.text;
}

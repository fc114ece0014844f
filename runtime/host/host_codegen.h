// Translation of host functions to LLVM; private to the files host_codegen*.c.
//
//   host_codegen.c           the module: what is compiled, the cache key, wrappers of the entries
//   host_codegen_function.c  one function: basic blocks, edges, the checks of stack and fuel
//   host_codegen_ops.c       its instructions
//   host_codegen_lists.c     those that work on data, lists and sums
//   host_codegen_texts.c     those that work on texts
//   host_codegen_counts.c    the counts of data, lists and texts
//
// A value of the IR is an LLVM value of the type that host_llvm_type gives: int, index and acc i64, bool i1,
// float double, tensor i32 (its value id), list, data and text ptr. In memory all are slots of 64 bits.
#ifndef NN_RUNTIME_HOST_HOST_CODEGEN_H
#define NN_RUNTIME_HOST_HOST_CODEGEN_H

#include <llvm-c/Core.h>
#include <stddef.h>

#include "compiler/base/arena.h"
#include "compiler/base/hash_index.h"
#include "compiler/ir/ir.h"
#include "runtime/host/host_ownership.h"

enum host_helper {
#define HELPER(name, signature) HELPER_##name,
#include "runtime/host/host_helpers.def"
#undef HELPER
  N_HOST_HELPERS,
};

struct host_codegen {
  const struct ir_module *ir;
  const int64_t *dims;
  struct jit *jit;
  struct arena arena;   // of the translation; jumps out of it where there is no memory
  bool *reachable;      // [ir_module.functions index]
  bool *is_entry;       // likewise
  bool **owned_params;  // host_owned_params
  // From here on: while the LLVM module is built.
  LLVMContextRef context;
  LLVMModuleRef module;
  LLVMBuilderRef builder;
  LLVMTypeRef i1, i32, i64, f64, ptr, nothing;
  LLVMTypeRef helper_types[N_HOST_HELPERS];
  LLVMValueRef helpers[N_HOST_HELPERS];  // declared when first used
  LLVMTypeRef *types;                    // [function]
  LLVMValueRef *functions;               // [function] that is called
  LLVMValueRef *bodies;                  // [function] the same, but of a memo function what computes it
  LLVMValueRef *set_names;               // [dim], made when first used
  struct hash_index shape_index;
  struct {
    struct host_shape_constant *items;  // made so far
    size_t count, capacity;
  } shapes;
  struct host_actions actions;  // of the function being translated
  LLVMValueRef loc_constant;    // the position used last
  struct ir_loc loc;
};

// One function being translated. The builder stands where the next instruction goes.
struct host_function {
  struct host_codegen *g;
  const struct ir_function *ir;
  LLVMValueRef function, example;
  LLVMValueRef scratch;       // stack memory for what is passed by address; used and forgotten at once
  LLVMValueRef *values;       // [ir_value.id]
  LLVMBasicBlockRef *blocks;  // [ir_bb.id]
  uint32_t *order;            // [ir_bb.id] position in reverse postorder
  uint32_t n_reached;
  const struct ir_bb **reached;  // in that order
  const struct ir_instr *instr;  // being translated
  uint32_t number;               // of that instruction, in order
};

// A constant struct value_shape for n slots of these types.
LLVMValueRef host_shape(struct host_codegen *, uint32_t n, const struct ir_type *const *types);
// Code for the actions (host_ownership.h) of the instruction being translated that have this `when`.
void host_build_actions(struct host_function *, uint32_t when);
bool host_has_actions(const struct host_function *, uint32_t when);
// The value of a size, which the checks before have found to have one.
int64_t host_size(const struct host_codegen *, const struct size *);
// Elements of a tensor of this type.
uint32_t host_elements(const struct host_codegen *, const struct ir_type *);
LLVMTypeRef host_llvm_type(const struct host_codegen *, const struct ir_type *);
// Between a value and the 64-bit slot that holds it in memory.
void host_store_slot(struct host_codegen *, LLVMValueRef address, LLVMValueRef value);
LLVMValueRef host_load_slot(struct host_codegen *, const struct ir_type *, LLVMValueRef address);
LLVMValueRef host_slot_address(struct host_codegen *, LLVMValueRef base, uint64_t offset, uint32_t slot);
LLVMValueRef host_call(struct host_codegen *, enum host_helper, unsigned n, LLVMValueRef *args);
// A constant in memory that holds the position.
LLVMValueRef host_loc(struct host_codegen *, struct ir_loc);
LLVMValueRef host_int(const struct host_codegen *, int64_t value);

// host_codegen_function.c
void host_build_function(struct host_codegen *, const struct ir_function *);

// host_codegen_ops.c: translates f->instr, which is no terminator.
void host_build_instr(struct host_function *);
LLVMValueRef host_operand(const struct host_function *, uint32_t i);
void host_set_result(struct host_function *, uint32_t i, LLVMValueRef);
// Calls a helper with example, position and these arguments.
LLVMValueRef host_call_with_loc(struct host_function *, enum host_helper, unsigned n,
                                const LLVMValueRef *args);
// Goes on where `ok` holds; otherwise calls the helper, which does not return, with example, position and
// these.
void host_require(struct host_function *, LLVMValueRef ok, enum host_helper, unsigned n,
                  const LLVMValueRef *args);
// Words of an instance of a block: what trace_emit is given.
uint32_t host_emit_words(const struct ir_block *);

// host_codegen_lists.c: false when the operation is none of its.
bool host_build_list_instr(struct host_function *);
// host_codegen_texts.c: likewise.
bool host_build_text_instr(struct host_function *);
// Slots of scratch memory that an instruction needs.
uint32_t host_scratch_slots(const struct ir_instr *);

#endif

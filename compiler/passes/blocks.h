// What blocks.c (which operations go together) and outline.c (making the blocks) share.
#ifndef NN_COMPILER_PASSES_BLOCKS_H
#define NN_COMPILER_PASSES_BLOCKS_H

#include "compiler/passes/recurrence.h"

struct arena;

// Operations of one basic block with equal keys may share a block. Along the flow of values `depends` only
// grows and `feeds` only shrinks, so that blocks never wait for each other.
struct block_key {
  recurrence_set depends, feeds;  // of those around the basic block; both empty when it feeds none of them
  bool deferred;                  // feeds no recurrence that goes round it, nor its callers
  bool ragged;                    // reads or makes a tensor whose size is known at run time only
};

struct group {
  struct ir_instr **ops;  // in order
  uint32_t n_ops, capacity;
  struct block_key key;
  struct group *next;     // of the same basic block, in order of their first operations
  struct ir_instr *emit;  // outline.c: what takes its place
};

// What is known of a tensor operation; [id of its result].
struct op_info {
  struct group *group;  // NULL: cheap, and not used by host code
  bool is_cheap;        // repeated in every block that uses it: sources, rows of parameters, and the like
  bool host_use;        // a host instruction uses its value
  bool output;          // used outside its group
  // Calls, decisions, list operations and changes between ragged operations and others that lie between it and the
  // basic block's start.
  uint32_t stage;
  struct block_key key;
  bool has_user, other_users;  // in the same basic block: operations of its own key, anything else
  uint32_t first_user;         // the earliest stage among the former
  struct ir_instr *joined;     // union-find; NULL: a root
};

// Operations that read a value which is made elsewhere.
struct reader {
  struct ir_instr *op;
  struct reader *next;
};

struct former {
  struct ir_module *module;
  struct arena *scratch;
  struct ir_function *function;
  const struct function_flow *flow;
  struct op_info *ops;      // [value id]
  uint32_t *bb_of;          // [value id] id of the defining basic block; function parameters: UINT32_MAX
  uint32_t n_values;        // ids that the arrays have room for
  struct reader **readers;  // [value id]
  struct group **groups;    // [bb id]
  uint32_t n_made;          // blocks made for this function, for their names
};

// runtime_sizes.c: gives the sizes `?` of the block's values their numbers: one for each list and each tensor that comes
// in, and one for those that its operations want to be equal.
void number_runtime_sizes(struct ir_module *, struct arena *scratch, struct ir_block *);

// The operation whose result `value` is, or NULL. `value` must be older than the pass.
static inline struct ir_instr *op_of(const struct ir_value *value) {
  return value->def && ir_is_tensor_op(value->def->op) ? value->def : NULL;
}

static inline struct op_info *info_of(const struct former *former, const struct ir_value *value) {
  return &former->ops[value->id];
}

// Instructions that stay in their order: calls, decisions, draws and what people see.
static inline bool has_effect(const struct ir_instr *instr) {
  return instr->op == IR_CALL || ir_is_read(instr->op) || ir_is_host_draw(instr->op) ||
         instr->op == IR_PRINT || instr->op == IR_REQUIRE;
}

// outline.c: turns the groups into blocks and their operations into emits.
void outline_function(struct former *);

#endif

// State of the verifier, shared by ir_verify.c (tables), ir_verify_code.c (functions, blocks, dominance),
// ir_verify_ops.c (the types of each operation) and ir_verify_tags.c (data values are read as what they are). Private to compiler/ir.
//
// Every check gives true or records what is wrong and gives false; the first failure ends the verification.
#ifndef NN_COMPILER_IR_IR_VERIFIER_H
#define NN_COMPILER_IR_IR_VERIFIER_H

#include "compiler/base/arena.h"
#include "compiler/ir/ir.h"

struct ir_verifier {
  const struct ir_module *module;
  struct ir_module scratch;  // the same tables with an arena of its own: shape inference allocates there
  struct arena arena;        // that arena
  struct arena body_arena;   // what is noted of one function or block at a time
  char *error;               // malloc'd
  // Where we are, for messages; NULL where it does not apply.
  const struct ir_function *function;
  const struct ir_block *block, *forward;  // forward: the block whose adjoint `block` is
  const struct ir_instr *instr;
  const struct ir_instr **prints;  // [number] the first print of it; NULL before there is one
  struct ir_verify_slots **slots;  // per data type; NULL until asked for
  const int64_t *dim_defaults;     // per dim; INT64_MIN where the value is not known before binding
};

bool ir_verify_fail(struct ir_verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *ir_verify_type_text(struct ir_verifier *v, const struct ir_type *type);

// A size over this module's atoms, in range.
bool ir_verify_size(struct ir_verifier *v, const struct size *size);
// A type that is well formed; a tuple only where it is allowed at the top.
bool ir_verify_type(struct ir_verifier *v, const struct ir_type *type, bool tuple_allowed);
// Equal as values at run time: lists whose elements have the same slots agree, whatever their fields are
// called.
bool ir_verify_agree(struct ir_verifier *v, const struct ir_type *a, const struct ir_type *b);

// The reachable basic blocks in preorder of the dominator tree.
struct ir_verify_tree {
  uint32_t n;
  const struct ir_bb **bbs;  // [position]
  const uint32_t *size;      // [position] of the subtree
  const uint32_t *position;  // [bb id]; only of reachable ones
};

// ir_verify_tags.c
// The types of a constructor's flattened slots.
const struct ir_type *const *ir_verify_slots(struct ir_verifier *v, uint32_t data, uint32_t constructor,
                                             uint32_t *n);
// Every data.get finds the constructor that it names. Everything else about the function has been checked.
bool ir_verify_tags(struct ir_verifier *v, const struct ir_verify_tree *tree, uint32_t n_values);

bool ir_verify_function(struct ir_verifier *v, const struct ir_function *function);
bool ir_verify_block(struct ir_verifier *v, const struct ir_block *block);
// Operands, results and attributes of one instruction, whose values have well-formed types.
bool ir_verify_instr(struct ir_verifier *v, const struct ir_instr *instr);

#endif

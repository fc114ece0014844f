// What the three files of the pass `adjoint` share: adjoint.c walks the block backwards, adjoint_rules.c
// knows the operations whose derivative is no formula, adjoint_save.c chooses what the forward block keeps.
#ifndef NN_COMPILER_PASSES_ADJOINT_H
#define NN_COMPILER_PASSES_ADJOINT_H

#include <stdbool.h>

#include "compiler/ir/derivative.h"
#include "compiler/ir/ir.h"

struct arena;

// A gradient that covers a part of a value along an axis: slices give these.
struct gradient_part {
  const struct size *offset, *length;
  uint32_t axis;
  struct ir_value *value;
  bool used;
  struct gradient_part *next;
};

// What is known of a forward value; [id].
struct forward_value {
  struct ir_value *twin;      // its copy in the adjoint, or the adjoint's parameter
  bool varies;                // depends on a parameter or on a tensor input by way of derivatives
  struct ir_value *gradient;  // sum of the whole contributions so far, NULL: none
  struct gradient_part *parts;
};

struct adjoint {
  struct ir_module *module;
  struct arena *scratch;
  const struct derivatives *derivatives;
  const struct ir_block *forward;
  struct ir_builder build;  // at the end of the adjoint block
  struct forward_value *values;
};

static inline struct forward_value *adjoint_value(const struct adjoint *adjoint,
                                                  const struct ir_value *forward) {
  return &adjoint->values[forward->id];
}

// The forward value as the adjoint sees it.
static inline struct ir_value *adjoint_twin(const struct adjoint *adjoint, const struct ir_value *forward) {
  return adjoint_value(adjoint, forward)->twin;
}

// Adds a contribution to a forward value's gradient; NULL is zero.
void adjoint_add(struct adjoint *, const struct ir_value *forward, struct ir_value *contribution);

// adjoint_rules.c: hands the gradient `dy` of a forward instruction on to its operand, for derivatives
// written `@`.
void adjoint_special(struct adjoint *, const struct ir_instr *forward, uint32_t operand, struct ir_value *dy);
// The sum of what slices of the value got, as one value of its shape; NULL when there was none.
struct ir_value *adjoint_join_parts(struct adjoint *, const struct ir_value *forward);

// Pairs of a forward value and its copy in the adjoint.
struct adjoint_copy {
  struct ir_value *forward, *twin;
};

// adjoint_save.c: decides which of the copies become saved values: sets keep[copy]. Those whose instruction
// is no longer in the block are ignored.
void adjoint_choose_saved(const struct ir_module *, struct arena *scratch, struct ir_block *adjoint,
                          uint32_t n_copies, const struct adjoint_copy *copies, bool *keep);
// Elements of a row under the dims' default values: an estimate to compare with.
int64_t adjoint_estimate(const struct ir_module *, const struct size *size);

#endif

// Changes that several passes make to functions.
#ifndef NN_COMPILER_PASSES_REWRITE_H
#define NN_COMPILER_PASSES_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "compiler/ir/ir_builder.h"

struct arena;

// Walks a body in layout order: `for_each_instr (function, bb, instr)`. The current instruction must not be
// unlinked.
#define for_each_instr(function, bb, instr)                                                                  \
  for (struct ir_bb *bb = (function)->entry; bb; bb = bb->next)                                              \
    for (struct ir_instr *instr = bb->first; instr; instr = instr->next)

// Whether two equal instructions give equal results. Draws are pure in this sense, their site being an
// attribute, and so are decisions: a tensor's value never changes. Calls and emits are not, because they
// may draw random numbers, nor are draws of host code, which have no site.
bool instr_is_pure(const struct ir_instr *instr);
// Whether an instruction without uses may go, provided that it cannot fail (failure.h): everything but
// terminators, sinks and draws of host code.
bool instr_is_removable(const struct ir_instr *instr);

// Whether the example may wait here: at a decision, or in a function that has one (ir_analyse_decides).
bool instr_may_wait(const struct ir_module *, const struct ir_instr *);

// The instruction that makes the value, when it is this operation; otherwise NULL.
const struct ir_instr *value_made_by(const struct ir_value *value, enum ir_op op);
// Whether it is a constant int, and which.
bool value_is_int(const struct ir_value *value, int64_t *integer);
// Whether it is the counter plus one; the list with one element more.
bool value_is_next(const struct ir_value *value, const struct ir_value *counter);
bool value_is_pushed(const struct ir_value *value, const struct ir_value *list);

// Replacement of values. value_replace notes that every use of `old` shall become `by`; rewrite_uses
// carries all noted replacements out at once and clears the notes. `by` may be replaced itself, also later.
void value_replace(struct ir_value *old, struct ir_value *by);
struct ir_value *value_resolve(struct ir_value *value);
void rewrite_uses(struct ir_function *function);
void rewrite_block_uses(struct ir_block *block);

// Removes the basic-block parameters for which drop[value id] is set, and the arguments of all edges to them.
void rewrite_drop_params(struct ir_function *function, const bool *drop);

// Removes those that always have one value, besides themselves. true: there were some, and others may have become such.
bool rewrite_drop_constant_params(struct arena *scratch, struct ir_function *function);

// Puts the basic blocks in reverse postorder, so that a value's definition precedes its uses in the text,
// and unlinks those that cannot be reached. Renumbers.
void rewrite_layout(struct arena *scratch, struct ir_function *function);

// Uses per value id, in operands and edges. Ids must be dense (ir_renumber).
uint32_t *count_uses(struct arena *, const struct ir_function *function);

// A copy of an instruction with fresh results, operands as they are, not yet placed. Targets are not copied.
struct ir_instr *instr_clone(struct ir_module *, const struct ir_instr *instr, uint32_t *n_values);

// Copies the body of `from` to the end of `into`. args: what stands for the parameters of `from`. Every
// draw of the copy gets a site of its own when `fresh_sites` is set (a second copy in one function).
// Returns the copy of the entry; the copy still ends in returns. Renumbers `from`.
struct ir_bb *clone_body(struct ir_module *, struct arena *scratch, struct ir_function *from,
                         struct ir_function *into, struct ir_value *const *args, bool fresh_sites);

// Removes the functions that no entry leads to, and renumbers the others.
void rewrite_drop_functions(struct ir_module *, struct arena *scratch);

uint32_t function_size(const struct ir_function *function);  // instructions

// A builder whose instructions go before `at` (NULL: at the end), with its position.
struct ir_builder build_before(struct ir_module *, struct ir_function *, struct ir_bb *, struct ir_instr *at);
struct ir_builder build_before_in_block(struct ir_module *, struct ir_block *, struct ir_instr *at);

#endif

// The passes between lowering and the finished module, as one table in the order in which they run.
//
// Input: host functions with tensor operations standing in them, as lowering leaves them. Output: tensor
// operations stand in blocks only, host functions emit them, and differentiable blocks have adjoints.
// ir_verify accepts the module after every pass.
//
// A pass is one function of (module, scratch). It allocates what stays in the module's arena and everything
// else in `scratch`, which is emptied after it. Value and basic block notes are NULL between passes. No
// pass fails: what it cannot improve it leaves as it is.
#ifndef NN_COMPILER_PASSES_PASSES_H
#define NN_COMPILER_PASSES_PASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct arena;
struct ir_module;

// --------------------------------------------------------------------------------- the passes' contracts
// Each file opens with what its pass requires, preserves and invalidates in detail.

// inline.c: calls of functions outside the caller's recursion are replaced by their bodies, bottom-up,
// while the caller and the module stay of reasonable size. Entries stay.
void pass_inline(struct ir_module *, struct arena *scratch);

// simplify.c: folds host constants and branches, cleans the control-flow graph, simplifies tensor
// expressions, removes common subexpressions.
void pass_simplify(struct ir_module *, struct arena *scratch);

// demand.c: a call that uses only some results of a function calls a variant that computes no others;
// functions that no entry reaches go. Parameters that a function ignores go, too, except those of entries.
void pass_demand(struct ir_module *, struct arena *scratch);

// dce.c: instructions and basic-block parameters without use go, except what may fail (failure.h).
void pass_dce(struct ir_module *, struct arena *scratch);

// fission.c: loops that read a decision in each turn become two, of which the first asks for all of them.
void pass_fission(struct ir_module *, struct arena *scratch);

// accumulate.c: sums along loops and recursions become `acc`, so that their terms leave the recurrence.
void pass_accumulate(struct ir_module *, struct arena *scratch);

// motion.c: loop-invariant tensor work moves out of loops, and other work down to the branch that uses it.
void pass_fuse(struct ir_module *, struct arena *scratch);
void pass_motion(struct ir_module *, struct arena *scratch);

// request.c: what a decision needs is asked for before earlier ones wait, past branches.
void pass_request(struct ir_module *, struct arena *scratch);

// blocks.c: tensor operations become blocks: hoisted, recurrent and deferred parts apart.
void pass_blocks(struct ir_module *, struct arena *scratch);

// share.c: blocks of equal text become one, so that their instances meet in one batch.
void pass_share(struct ir_module *, struct arena *scratch);

// adjoint.c: every differentiable block gets its adjoint and the list of values saved for it.
void pass_adjoint(struct ir_module *, struct arena *scratch);

struct pass {
  const char *name;
  void (*function)(struct ir_module *, struct arena *scratch);
  const char *what;  // one line for --help
};

// The pipeline. A pass may stand in it more than once; the last row has the name NULL.
extern const struct pass passes[];

struct passes_options {
  const char *dump_after;  // name of a pass, or "all"; NULL: none
  FILE *dump;              // where the text goes
  bool verify_each;        // debug builds and tests: ir_verify after every pass
};

// Runs the whole pipeline. `options` may be NULL. false: memory ran out, `dump_after` names no pass, or a
// pass broke the module (a bug); *error says which (malloc'd, the caller frees it), and the module can only
// be freed.
bool passes_run(struct ir_module *, const struct passes_options *options, char **error);

#endif

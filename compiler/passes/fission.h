// What fission.c (which loops are split, and what goes where) and fission_build.c (making the two loops) share.
#ifndef NN_COMPILER_PASSES_FISSION_H
#define NN_COMPILER_PASSES_FISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/base/map.h"
#include "compiler/passes/cfg.h"

// What is known across the loops of a function, by the address of instructions.
struct fission_notes {
  struct map ready;  // decisions whose value has been computed when they are reached: they do not wait
  struct map safe;   // reads of what the first loop kept: they cannot fail
};

// A value of the loop.
struct fission_value {
  bool inside;     // made in the loop
  bool dependent;  // on a decision that may wait
  bool early;      // the first loop makes it
  bool late;       // the second loop makes it
  bool fails;      // its instruction may
  bool outside;    // used behind the loop
  // Made by the first loop for the second one: number of the list that keeps it, + 1.
  uint32_t kept;
};

// A loop to be split. Basic blocks are named by their position in `cfg`.
struct fission {
  struct ir_module *module;
  struct arena *scratch;
  struct ir_function *function;
  struct fission_notes *notes;
  const struct cfg *cfg;
  const uint32_t *at;            // [value id] position of the defining basic block
  uint32_t header, latch, exit;  // `exit`: where the only edge out of the loop begins
  uint32_t n_bbs;
  uint32_t *bbs;  // of the loop, in reverse postorder
  bool *is_in;    // [position]
  uint32_t
      *next;   // [position] the nearest one that every way through the turn passes next; CFG_NONE: its end
  bool *held;  // [position] whether it runs hangs on a decision
  struct fission_value *values;  // [value id]
  // [value id] of a parameter of a basic block that is not held: what it has when it is reached from one that is. NULL:
  // it is not reached so.
  struct ir_value **through;
  uint32_t n_kept;
};

static inline bool fission_is_inside(const struct fission *f, const struct ir_value *value) {
  return f->values[value->id].inside;
}

// Whether what an edge leads to is held, or what it begins in branches on a decision.
static inline bool fission_branches_late(const struct fission *f, const struct ir_instr *end) {
  return end->n_operands > 0 && end->op != IR_RETURN && f->values[end->operands[0]->id].dependent;
}

// Where the first loop goes instead of `at`, which may be held.
static inline uint32_t fission_landing(const struct fission *f, uint32_t at) {
  while (f->held[at])
    at = f->next[at];
  return at;
}

// Of what is made in the loop and used behind it: whether it is the first loop's.
bool fission_leaves_early(const struct fission *, const struct ir_value *);

// fission_build.c: puts the two loops in the place of the one.
void fission_build(struct fission *);

#endif

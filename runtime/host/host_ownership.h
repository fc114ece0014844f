// Who owns the lists and data of a host function: where references to them are made and given up.
//
// Lists and data are counted (struct value_list, struct value_data). This analysis decides, for one function, where
// its code must add to a count and where it must take from it, so that at every point the count of a value is the
// number of references that may still be used. A value whose count is one is nobody else's and is changed in
// place. The scheme is that of Ullrich and de Moura, "Counting Immutable Beans" (IFL 2019), with references given
// up right after their last use as in Reinking et al., "Perceus" (PLDI 2021):
//
//   - every value is owned or borrowed. An owned one is a reference of its own, and is given up exactly once on
//     every path: by an instruction that consumes it, or by HOST_RELEASE. A borrowed one is kept alive by somebody
//     else as long as it is used: a parameter that the function only looks at, and whatever is read out of it;
//   - instructions that make something of a list or data value consume it (list.set, list.push, data.new, return,
//     arguments of edges and of owned parameters, ...); those that look into one borrow it (list.get, list.len,
//     data.get, ...).
//
// What is read out of a list or data value and then changed, `xs[i][j] = e`, has two references: its place in the
// outer value and the one just read. HOST_VACATE gives up the first when nothing can look at that place any more:
// the outer value is only waiting for the list.set that fills it again, or to be given up itself.
//
// Requires a function that ir_verify accepts; changes nothing. The result is not part of a module: what a file
// says cannot make the counts wrong.
#ifndef NN_RUNTIME_HOST_HOST_OWNERSHIP_H
#define NN_RUNTIME_HOST_HOST_OWNERSHIP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "compiler/ir/ir.h"

enum host_action_kind {
  HOST_RETAIN,   // one reference more
  HOST_RELEASE,  // one less
  HOST_VACATE,  // the place that `value` was read from gives up its reference, if the outer value is nobody else's
};

enum { HOST_BEFORE, HOST_AFTER, HOST_ON_EDGE };

struct host_action {
  enum host_action_kind kind;
  uint32_t instr;  // position in the order that was given
  uint32_t when;   // HOST_BEFORE the instruction, HOST_AFTER it, HOST_ON_EDGE + k to its target k
  const struct ir_value *value;
};

// Sorted by instr and when; those of one place are carried out in order.
struct host_actions {
  uint32_t n, capacity;
  struct host_action *items;
};

// [function][parameter] whether it is owned, for all functions of a module that are marked; the others' are NULL.
// Parameters of entries are as the rule says, too: their arguments must be values that are not counted. NULL
// without memory.
bool **host_owned_params(const struct ir_module *, const bool *reachable);
void host_owned_params_free(const struct ir_module *, bool **);

// The actions of a function whose reachable blocks are given in an order in which definitions precede their uses.
// Instructions are numbered through in that order from 0. false without memory.
bool host_ownership(const struct ir_function *, uint32_t n_bbs, const struct ir_bb *const *bbs,
                    bool *const *owned_params, struct host_actions *);
void host_actions_free(struct host_actions *);

// Lists, data and texts are counted; numbers and tensors are not.
static inline bool host_is_counted(const struct ir_type *type) {
  return type->kind == IR_LIST || type->kind == IR_DATA || type->kind == IR_TEXT;
}

#endif

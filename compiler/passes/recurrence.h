// What depends on what over the whole module: which values a recurrence feeds, and which feed a recurrence.
//
// A *recurrence* is a cycle in the flow of values (around a loop, through a recursion, or both) that
// computes tensors on its way: an LSTM's state, a tree's encoding. A loop that only collects values in a
// list is none, and neither is one that only adds to an `acc`.
//
// Values flow from operands to results, along the edges to basic-block parameters, into callees and back.
// Lists and data are followed as a whole: what is put in may come out anywhere.
#ifndef NN_COMPILER_PASSES_RECURRENCE_H
#define NN_COMPILER_PASSES_RECURRENCE_H

#include "compiler/ir/ir.h"

struct arena;

// A set of recurrences. When a recursion has more than there are bits, the last ones share a bit.
typedef uint64_t recurrence_set;

// In `feeds` only: the value is a result with which some caller feeds a recurrence around its call.
#define FEEDS_ELSEWHERE ((recurrence_set)1 << 63)

struct value_flow {
  recurrence_set depends;  // recurrences that the value comes from, or lies on
  recurrence_set feeds;    // those that it goes to, or lies on; an operand of a decision feeds all around it
};

struct function_flow {
  struct value_flow *values;  // [value id]; ids as ir_renumber gave them before
  recurrence_set *around;     // [bb id] the recurrences that go round while this basic block is run
  uint32_t n_values;          // room; values added later have no entry
};

// [function]. Functions must be in reverse postorder (rewrite_layout) and know whether they decide
// (ir_analyse_decides).
struct function_flow *recurrence_analyse(struct ir_module *, struct arena *scratch);

#endif

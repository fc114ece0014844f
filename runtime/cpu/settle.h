// Rows of lookup tables that have steps of the optimiser to make up for (idle.h), and who reads them.
#ifndef NN_RUNTIME_CPU_SETTLE_H
#define NN_RUNTIME_CPU_SETTLE_H

#include "runtime/base/threads.h"
#include "runtime/cpu/cpu.h"

// Lets all rows of all parameters make their steps: before a value is looked at from outside.
void settle_all(struct params *, struct threads *);
// The same for the n rows of one member, and for all of them. Rows out of range are passed over.
nn_status *settle_rows(struct params *, uint32_t param, uint32_t member, const int32_t *rows, uint32_t n,
                       struct threads *);
void settle_member(struct params *, uint32_t param, uint32_t member, struct threads *);

// What a block and its adjoint read of parameters.
struct read {
  uint32_t param;
  int32_t member;  // block parameter that holds the family member, -1: member 0
  bool whole;      // all rows; otherwise:
  int32_t index;   // block parameter that holds the row, -1: `row`
  int32_t row;
};
struct reads {
  uint32_t n;
  struct read list[];
};
// Of all blocks of the module, [block]; each and the array released with free. NULL without memory.
struct reads **reads_find(const struct ir_module *);
void reads_free(struct reads **, uint32_t n_blocks);

#endif

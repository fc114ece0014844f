// A minibatch as integers: what its examples emitted, which instances run together, and where their rows lie.
// A session fills it; a device runs it.
#ifndef NN_RUNTIME_BATCH_MINIBATCH_H
#define NN_RUNTIME_BATCH_MINIBATCH_H

#include "runtime/batch/plan.h"
#include "runtime/batch/schedule.h"
#include "runtime/batch/trace.h"

struct minibatch {
  struct trace trace;
  struct schedule schedule;
  struct plan plan;
};

// After a failure, too, minibatch_free releases what was made; the memory must be zeroed before.
nn_status *minibatch_init(struct minibatch *, const struct trace_block *, uint32_t n_blocks);
void minibatch_free(struct minibatch *);
// Forgets everything; memory and batch keys stay.
void minibatch_reset(struct minibatch *);

#endif

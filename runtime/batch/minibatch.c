// Trace, schedule and plan of a minibatch, together.
#include "runtime/batch/minibatch.h"

#include "runtime/base/status.h"

nn_status *minibatch_init(struct minibatch *minibatch, const struct trace_block *blocks, uint32_t n_blocks) {
  if (!trace_init(&minibatch->trace, blocks, n_blocks))
    return status_no_memory();
  if (!schedule_init(&minibatch->schedule))
    return status_no_memory();
  return plan_init(&minibatch->plan);
}

void minibatch_free(struct minibatch *minibatch) {
  trace_free(&minibatch->trace);
  schedule_free(&minibatch->schedule);
  plan_free(&minibatch->plan);
}

void minibatch_reset(struct minibatch *minibatch) {
  trace_reset(&minibatch->trace);
  schedule_reset(&minibatch->schedule);
  plan_reset(&minibatch->plan);
}

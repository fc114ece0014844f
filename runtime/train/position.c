// The order in which an epoch goes through the data, a function of seed and epoch alone: whoever knows where in
// which epoch training stands knows what comes next.
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/status.h"
#include "runtime/kernel/random.h"
#include "runtime/model/model.h"

nn_status *nn_training_begin_epoch(nn_model *model, uint64_t epoch, size_t n, bool shuffled) {
  struct training_state *state = &model->training;
  if (!model->bound)
    return status_new(NN_INVALID, "the model is not bound");
  if (epoch == 0)
    return status_new(NN_INVALID, "epochs are numbered from 1");
  if (n > SIZE_MAX / sizeof *state->order - 1)
    return status_no_memory();
  size_t *order = realloc(state->order, (n + 1) * sizeof *order);
  if (!order)
    return status_no_memory();
  state->order = order;
  if (shuffled) {
    char name[64];
    snprintf(name, sizeof name, "shuffle %llu", (unsigned long long)epoch);
    struct random_stream stream;
    random_open(&stream, model->options.seed, name);
    random_shuffle(&stream, n, order);
  } else {
    for (size_t i = 0; i < n; i++)
      order[i] = i;
  }
  state->epoch = epoch;
  state->shuffled = shuffled;
  state->n = n;
  state->done = 0;
  return NULL;
}

size_t nn_training_next(nn_model *model, size_t most, const size_t **examples) {
  struct training_state *state = &model->training;
  size_t left = state->n - state->done, size = left < most ? left : most;
  *examples = state->order + state->done;
  state->done += size;
  return size;
}

uint64_t nn_training_epoch(const nn_model *model) { return model->training.epoch; }

// Everything that training changes, in one place: what a run needs to go on with the same bits. A model has one, and
// nothing else keeps a copy.
//
// The arrays lie on the model's device and are read and written there (device.h, for each member of param_shapes.h):
// DEVICE_VALUES and, as far as the optimiser has them, DEVICE_MOMENT_1 and DEVICE_MOMENT_2. To read them lets every
// row of a table make the steps that it has yet to make: a run that has been read goes on with the same bits as one
// that begins with what was read.
//
// To take up what another run left, with a model of equal sizes and seed: `steps` is set, the optimiser is made
// (nn_optimiser_new), the arrays are written; then the epoch is begun (nn_training_begin_epoch) and its first `done`
// examples are passed over (nn_training_next).
//
// What is no state: gradients, which a step uses up; the seed, an option of the model; streams of random numbers, since
// what is drawn is a function of the seed, the epoch and where it is used (runtime/kernel/draws.h, position.c).
#ifndef NN_RUNTIME_MODEL_TRAINING_STATE_H
#define NN_RUNTIME_MODEL_TRAINING_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/nn.h"

struct training_state {
  bool has_optimiser;
  nn_optimiser_options optimiser;  // with the rate of the next step
  uint64_t steps;                  // that the optimiser has made; 0 without one
  // Position in the data.
  uint64_t epoch;  // from 1; 0: none has begun
  bool shuffled;
  size_t done;    // examples of the epoch that were handed out
  size_t n;       // of the epoch
  size_t *order;  // [n] a function of the seed, the epoch, n and shuffled: made anew for each epoch
};

#endif

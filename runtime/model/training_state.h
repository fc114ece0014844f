// Everything that training changes besides the values of the parameters, in one place: what a run needs to go
// on with the same bits. A model has one.
//
// There are no streams of random numbers to keep: what is drawn is a function of the seed, the epoch and where
// it is used (runtime/kernel/draws.h, position.c).
#ifndef NN_RUNTIME_MODEL_TRAINING_STATE_H
#define NN_RUNTIME_MODEL_TRAINING_STATE_H

#include <stddef.h>
#include <stdint.h>

struct training_state {
  // Position in the data.
  uint64_t epoch;  // from 1; 0: none has begun
  size_t done;     // examples of the epoch that were handed out
  size_t n;        // of the epoch
  size_t *order;   // [n] made anew for each epoch
};

#endif

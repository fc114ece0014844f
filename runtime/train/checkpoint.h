// What reading a checkpoint's metadata and reading its weights share.
#ifndef NN_RUNTIME_TRAIN_CHECKPOINT_H
#define NN_RUNTIME_TRAIN_CHECKPOINT_H

#include "runtime/data/safetensors.h"
#include "runtime/nn.h"

// Said when something does not fit: "; it is a checkpoint of model `rnnlm`" unless it is one of this model.
struct checkpoint_origin {
  char text[300];
};
struct checkpoint_origin checkpoint_origin(const nn_model *, const struct safetensors *);

#endif

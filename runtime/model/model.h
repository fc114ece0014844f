// A model within the runtime: the module, what it is bound to, and the code compiled for it.
#ifndef NN_RUNTIME_MODEL_MODEL_H
#define NN_RUNTIME_MODEL_MODEL_H

#include "compiler/ir/ir.h"
#include "runtime/batch/plan.h"
#include "runtime/batch/trace.h"
#include "runtime/host/host.h"
#include "runtime/kernel/device.h"
#include "runtime/model/training_state.h"
#include "runtime/nn.h"
#include "runtime/value/vocab.h"

#define MODEL_NO_DIM INT64_MIN

struct nn_model {
  struct ir_module *module;
  char **entry_parameters, **entry_results;  // schema texts
  struct vocab **vocabs;                     // [dim] NULL where the dim is no vocab
  struct vocab **sets;     // [dim] the same, and the members of enums: of those the model is the owner
  int64_t *metadata_dims;  // [dim] of a checkpoint; MODEL_NO_DIM: not given
  // From here on: after nn_model_bind.
  bool bound;
  nn_options options;  // its pointers are not kept
  enum nn_element element;
  int64_t *dims;               // [dim]
  struct param_shapes params;  // their values are on the device
  struct training_state training;
  struct jit *jit;  // of compiled host code, and of a device that is this processor
  struct host_code *host;
  struct trace_block *trace_blocks;  // [block]
  struct plan_block *blocks;         // [block]
  struct device_model device_model;  // what the device sees of the above
  struct device *device;             // parameters and kernels
};

// A model of a module in memory; takes the module over, also when it fails.
nn_status *model_from_module(struct ir_module *, nn_model **model);

// Whether the dim can be given a value: not if it is computed from others.
bool model_dim_is_free(const struct ir_dim *);
// Gives every dim its value, and refuses values with which something has a size below 1.
nn_status *model_bind_dims(nn_model *model, const nn_options *options);

// The text of a type as a model's author writes it: `[Word]`, `(f32[4*H], int)`. malloc'd, NULL without
// memory.
char *model_type_text(const struct ir_module *, const struct ir_type *);
// Number of elements of a tensor type with the bound sizes; 0 when it overflows.
uint64_t model_elements(const nn_model *, const struct ir_type *tensor);

#endif

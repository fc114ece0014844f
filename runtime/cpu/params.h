// The parameters of a bound model: values, gradients and the packed copies that kernels read.
//
// A *family* (ir_param with a count) has members of equal shape; a plain parameter is a family of one. Values
// are row-major without padding, NN_LANES readable elements behind them.
//
// Gradients. A parameter that adjoint blocks reach through d_row alone is *sparse*: its gradient is a dense
// array that is zero outside the rows listed as touched. Every other gradient is dense, and not even zeroed
// where nothing was added: `written` tells whether it holds anything. params_clear_gradients begins a
// backward pass; params_settle_gradients ends one, after which every allocated gradient may be read whole.
//
// Threads: params_packed and params_initialise may be called by several at once; everything else needs the
// parameters to itself.
#ifndef NN_RUNTIME_CPU_PARAMS_H
#define NN_RUNTIME_CPU_PARAMS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/kernel/kernel.h"
#include "runtime/nn.h"

struct threads;
struct loops;
struct idle;
struct reads;

struct param_packed {
  void *data;                    // NULL: never asked for
  atomic_uint_fast64_t version;  // of the values that it was made from
};

struct param_member {
  char *name;  // "stack.0.W"
  char *values;
  char *gradient;                 // NULL: none yet
  bool written;                   // dense: the gradient holds something
  uint64_t version;               // of the values, from 1
  struct param_packed packed[3];  // [enum kernel_layout]; NATURAL stays empty
  uint32_t *touched;              // sparse: rows with a gradient, in order of first touch
  uint32_t n_touched;
  // The optimiser's: as large as the values; NULL where it has none.
  char *moments[2];
  // Steps of the optimiser that a row has made; fewer than there were means that it has some to make up for
  // (settle.h). NULL: all rows have made all.
  atomic_uint_least32_t *seen;
  uint32_t settled;  // the last step that all rows have made
  uint32_t *slots;   // [row] its position in `touched` + 1; 0: it has no gradient
};

struct param {
  uint32_t rank;
  int64_t sizes[IR_MAX_RANK];
  int64_t rows, columns;  // as a matrix: sizes[0] and the product of the others; a scalar or vector: 1 row
  size_t elements;
  size_t bytes;  // of values, padding and slack included
  bool sparse;
  uint32_t n_members;
  struct param_member *members;
};

struct params {
  const struct ir_module *module;
  enum nn_element element;
  uint64_t seed;
  uint32_t n;
  struct param *list;  // [ir_module.params]
  uint32_t n_members;  // in all
  uint64_t n_elements;
  uint64_t steps;  // of the optimiser
  bool has_optimiser;
  bool decays;           // its weight decay reaches rows without a gradient
  struct idle *idle;     // NULL: no row ever has steps to make up for
  struct reads **reads;  // [block] with `idle`
  atomic_bool initialised;
  pthread_mutex_t lock;
};

// Values are allocated, not filled: params_initialise or params_loaded must follow.
nn_status *params_init(struct params *, const struct ir_module *, enum nn_element, const int64_t *dims,
                       uint64_t seed);
void params_free(struct params *);

// Draws the initial values unless they are there (params_loaded). `threads` may be NULL.
void params_initialise(struct params *, struct threads *threads);
// Zeros, of which only what is written ever becomes real memory. NULL without memory. For
// moments, which params_drop_optimiser gives back.
char *params_map(size_t bytes);
// Forgets all that an optimiser left: moments, steps.
void params_drop_optimiser(struct params *);
// The values have been written by someone else.
void params_loaded(struct params *);

static inline struct param_member *params_member(const struct params *params, uint32_t param,
                                                 uint32_t member) {
  return &params->list[param].members[member];
}

// The member's values in a layout, packed anew where the copy is out of date. NULL without memory.
const void *params_packed(struct params *, uint32_t param, uint32_t member, enum kernel_layout);
// To be called after values were changed.
static inline void params_changed(struct param_member *member) { member->version++; }

void params_clear_gradients(struct params *);
// Allocates a member's gradient if need be. NULL without memory.
char *params_gradient(struct params *, uint32_t param, uint32_t member);
// Marks a row of a sparse parameter, once params_gradient has been called.
static inline void params_touch(struct param_member *member, uint32_t row) {
  if (member->slots[row])
    return;
  member->touched[member->n_touched++] = row;
  member->slots[row] = member->n_touched;
}
// Whether all gradients of the last backward pass are finite.
bool params_gradients_are_finite(const struct params *, const struct loops *);
// Zeroes dense gradients that were not written; allocates the missing ones. false without memory.
bool params_settle_gradients(struct params *);

#endif

// The parameters' memory on the processor: values, gradients, moments and the packed copies that kernels read.
//
// Values have no padding; NN_LANES readable elements lie behind them. Those that nobody wrote are drawn
// (param_shapes.h) when the first of them is needed.
//
// Gradients. That of a sparse parameter is a dense array that is zero outside the rows listed as touched. Every other
// gradient is dense, and not even zeroed where nothing was added: `written` tells whether it holds anything.
// params_clear_gradients begins a backward pass; params_settle_gradients ends one, after which every allocated
// gradient may be read whole.
//
// Threads: params_packed, params_initialise and params_read of values may be called by several at once; everything
// else needs the parameters to itself.
#ifndef NN_RUNTIME_CPU_PARAMS_H
#define NN_RUNTIME_CPU_PARAMS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/kernel/device.h"
#include "runtime/nn.h"

struct threads;
struct idle;
struct reads;

struct param_packed {
  void *data;                    // NULL: never asked for
  atomic_uint_fast64_t version;  // of the values that it was made from
};

struct param_member {
  char *values;
  size_t n_drawn;                 // the elements in front that have their first values, or others
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
  const struct param_shape *shape;
  size_t bytes;                  // of values, slack included
  struct param_member *members;  // [shape.n_members]
};

struct params {
  const struct param_shapes *shapes;
  enum nn_element element;
  uint64_t seed;
  struct param *list;  // [shapes.n]
  bool has_gradients;  // of a backward pass that came to its end, or written
  // Whether rows move that never had a gradient: weight decay reaches them, or their moments were written.
  bool all_move;
  struct idle *idle;     // NULL: no row ever has steps to make up for
  struct reads **reads;  // [block] with `idle`
  atomic_bool initialised;
  pthread_mutex_t lock;
};

// Refuses what does not fit the memory that this process may use: values, gradients as well, or so many moments, too,
// which `arrays` calls by name. Of a table of which only some rows have a gradient moments do not count: only pages that
// are written become real memory.
nn_status *params_check_room(const struct params *, bool gradients, int n_moments, const char *arrays);
// Values are allocated, not filled.
nn_status *params_init(struct params *, const struct device_model *);
void params_free(struct params *);

// Draws the first values of what was not written.
void params_initialise(struct params *, struct threads *threads);
// The same of a member's elements in front of `end`, while there are some: before an element further on is written.
void params_draw_until(struct params *, uint32_t number, size_t end);

// As device.h says (param_access.c).
nn_status *params_read(struct device *, enum device_array, uint32_t number, size_t first, size_t n, void *to);
nn_status *params_write(struct device *, enum device_array, uint32_t number, size_t first, size_t n,
                        const void *from);
nn_status *params_find_not_finite(struct device *, enum device_array, uint32_t *number);

// By its number among all (param_shapes.h).
static inline struct param_member *params_numbered(const struct params *params, uint32_t number) {
  const struct param *param = &params->list[params->shapes->families[number]];
  return &param->members[number - param->shape->first];
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
// Zeroes dense gradients that were not written; allocates the missing ones. false without memory.
bool params_settle_gradients(struct params *);

// Rows are visited all over a large table: small pages would miss the TLB on every one.
void params_use_large_pages(void *memory, size_t bytes);

// Rows of large tables lie in memory that no cache holds: so many rows ahead their values and moments are asked for.
enum { PARAMS_AHEAD = 6 };

static inline void params_ask_for_row(const struct param_member *member, uint32_t row, size_t row_bytes) {
  const char *const arrays[] = {member->values, member->moments[0], member->moments[1]};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
    for (size_t at = 0; arrays[i] && at < row_bytes; at += 64)
      __builtin_prefetch(arrays[i] + row * row_bytes + at, 1);
}

#endif

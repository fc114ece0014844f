// A session: the minibatch that runs or ran last (nn.h).
#ifndef NN_RUNTIME_MODEL_SESSION_H
#define NN_RUNTIME_MODEL_SESSION_H

#include "runtime/data/dataset.h"
#include "runtime/model/model.h"
#include "runtime/value/fiber.h"

enum example_state { EXAMPLE_NEW, EXAMPLE_WAITS, EXAMPLE_DONE, EXAMPLE_FAILED };

struct session_example {
  struct trace_example traced;  // first: trace_read hands back its address
  struct host_run run;
  enum example_state state;
  uint32_t seed;  // value id of the first result, while its part is in memory
  char *error;    // text of nn_session_error, in session.texts
};

// Examples [first, first + n) of the minibatch, that run at once.
struct session_part {
  size_t first, n;
};

struct nn_session {
  nn_model *model;
  struct minibatch minibatch;
  struct device_run *run;  // on the model's device
  nn_autobatch autobatch;
  struct example_limits limits;  // nn_session_set_limits
  const volatile int *interrupt;
  struct fiber_pool *fibers;
  struct example_room room;   // what the part that runs takes
  struct value_arena *arena;  // arguments and results of the examples, messages
  struct session_example *examples;
  size_t n_examples, capacity;
  const struct ir_entry *entry;       // of the last run; NULL: none, or it failed
  const struct ir_type **slot_types;  // [result slot] of the entry's function
  uint32_t n_slots;
  nn_mode mode;
  bool has_gradients;      // a backward pass has run, and no run since
  double scale;            // of that backward pass
  size_t entry_number;     // of the last run
  const nn_dataset *data;  // of the last run
  nn_stats stats;
  double flops_before;  // the run's, at the last reset
  // Parts that the last run was cut into, because all at once would have taken more memory than there is room for. With
  // more than one the results are copies, in which `kept` takes the place of computed rows.
  struct session_part *parts;
  size_t n_parts, parts_capacity;
  size_t in_memory;   // the part whose trace and rows are there
  bool results_kept;  // results are such copies at present
  double **kept;      // [value] elements, in the arena
  size_t n_kept, kept_capacity;
  // Answers of nn_session_node and nn_session_batch.
  struct session_view *view;
};

// The epoch that draws belong to: outside training none.
static inline uint64_t session_epoch(const nn_session *session) {
  return session->mode == NN_TRAIN ? session->model->training.epoch : 0;
}

// "dev.txt:17": where the i-th example of the last run stands in its data.
void session_position(const nn_session *, size_t i, char *text, size_t size);
// An element of a tensor value that a result refers to.
double session_element(const nn_session *, uint32_t value, size_t element);
void session_drop_view(nn_session *);

// printing.c. Writes what the examples of a part, which has just run, have left to print, each its lines together.
nn_status *session_print(const nn_session *, struct session_part);

// parts.c. Runs all prepared examples, as one part or several.
nn_status *session_run_parts(nn_session *, const struct ir_entry *);
// Brings the part of an example back into memory, unless all examples are there: results of its examples then hold
// value ids of the trace, until session_leave_part makes them what they were. *kept is what it needs for that.
nn_status *session_enter_part(nn_session *, size_t part, uint64_t **kept);
void session_leave_part(nn_session *, const uint64_t *kept);
size_t session_part_of(const nn_session *, size_t example);

// session.c, for parts.c. Makes examples of the minibatch new again, those that are done alone when `done_only`.
void session_renew(nn_session *, struct session_part, bool done_only);
// Runs a part that has just been renewed. *crowded_at: SIZE_MAX, or the example that found no room; the part is then
// to be renewed.
nn_status *session_run_part(nn_session *, const struct ir_entry *, struct session_part, size_t *crowded_at);

#endif

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
  char *error;  // text of nn_session_error, in session.texts
};

struct nn_session {
  nn_model *model;
  struct minibatch minibatch;
  struct device_run *run;  // on the model's device
  nn_autobatch autobatch;
  struct example_limits limits;  // nn_session_set_limits
  const volatile int *interrupt;
  struct fiber_pool *fibers;
  struct heap_pool heap_pool;  // of the examples' lists and data
  struct value_arena *arena;   // arguments and results of the examples, messages
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
  // Answers of nn_session_node and nn_session_batch.
  struct session_view *view;
};

// "dev.txt:17": where the i-th example of the last run stands in its data.
void session_position(const nn_session *, size_t i, char *text, size_t size);
// The first element of a tensor value that has been computed.
double session_element(const nn_session *, uint32_t value, size_t element);
void session_drop_view(nn_session *);

#endif

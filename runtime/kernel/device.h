// Devices: where the parameters of a bound model lie and its kernels run. The seam between what is the same for
// all of them (trace, schedule, plan: integers) and what each does in its own way.
//
// A model has one device for its life; a session has one *run* on it, the memory of the minibatch at hand.
// The session traces, schedules and plans; then it asks the device for the batches of a flush, forward, and
// for the backward pass: lists of batches, not one at a time, so that a device may make them one launch. Nothing
// but the functions below reads or writes a value, a gradient or a parameter: they may lie in another memory.
//
// Parameters go by their numbers among all members (param_shapes.h) and in the model's element type. No pointer to
// them leaves the device: they are copied, in pieces of the caller's choice. What is the same for all devices is not
// theirs: names, sizes and first values (param_shapes.h), what settings mean and which rate a step has (train/), how
// many steps there were (training_state.h). A device has the arrays and makes the steps.
//
// Contract of every device, checked by tests/runtime/test_device.c and test_device_params.c:
//   - rows, kernels and their results are as runtime/kernel/kernel.h says: a row's bits depend on nothing but
//     its inputs;
//   - calls on one run come from one thread at a time. Several runs may infer at once in different threads;
//     backward, write and update need the device to themselves;
//   - a call that fails leaves the device usable; what the minibatch computed is lost.
#ifndef NN_RUNTIME_KERNEL_DEVICE_H
#define NN_RUNTIME_KERNEL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/batch/minibatch.h"
#include "runtime/batch/row.h"
#include "runtime/kernel/kernel.h"
#include "runtime/kernel/param_shapes.h"
#include "runtime/nn.h"

struct device;
struct device_run;
struct jit;

// What a device must know of a bound model. It belongs to the model and outlives the device.
struct device_model {
  const struct ir_module *module;
  const int64_t *dims;              // [ir_module.dims]
  const struct plan_block *blocks;  // [ir_module.blocks]
  const struct param_shapes *params;
  enum nn_element element;
  uint64_t seed;    // key of draws and of first values
  int threads;      // of the host that the device may use; 0: all cores
  struct jit *jit;  // code for this processor; compiled host code comes from it too
};

// Work on the kernels of one block, for reports.
struct device_tally {
  uint64_t calls, rows;
  double seconds, flops;  // seconds: only while device_run.profile is set
};

struct device {
  const struct device_ops *ops;
  const struct device_model *model;
};

// One session's memory on a device: the rows of its minibatch. Devices put their own behind it.
struct device_run {
  struct device *device;
  bool profile;                             // measure the time of single batches
  const volatile int *interrupt;            // NULL, or not to wait for kernels when it is not 0
  volatile int compiling;                   // kernels are being compiled
  struct device_tally *forward, *adjoint;   // [block]
  struct device_tally reductions;           // over lists
  double flops;                             // of matrix products, all passes
  double compile_seconds, weights_seconds;  // weights: the gradients of parameters
};

// What a device keeps of each member of a parameter. Gradients are there after the first backward pass, moments while
// there is an optimiser that has them: momentum's velocity and Adagrad's sum of squares are the first, Adam has two.
enum device_array { DEVICE_VALUES, DEVICE_GRADIENTS, DEVICE_MOMENT_1, DEVICE_MOMENT_2 };

// One step of the optimiser. With g the gradient of element w, multiplied by clip / norm where clip > 0 and the global
// norm of the gradients is larger, and t the number of the step:
//   SGD       g += decay w;  w -= rate g
//   MOMENTUM  g += decay w;  m = momentum m + g;  w -= rate m
//   ADAGRAD   g += decay w;  m += g g;  w -= rate g / (sqrt(m) + epsilon)
//   ADAM      m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g g;
//             w -= rate (decay w + m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon))
// A sparse parameter has a gradient in the rows that some result depends on. NN_SPARSE_LAZY: the others do not move.
// NN_SPARSE_EXACT: they move as with a gradient of 0, to rounding, and by the time that they are read.
struct device_step {
  double rate, clip;
  uint64_t number;  // from 1
};

struct device_step_result {
  bool finite;  // every gradient, and their norm if there was need of it; otherwise nothing has changed
  // of the gradients, before clipping, infinite when it overflows; NaN when there was no need of it
  double norm;
};

struct device_ops {
  const char *name;  // as --device has it

  nn_status *(*open)(const struct device_model *, struct device **);
  void (*close)(struct device *);
  // Something of the device that the user should know; NULL when there is nothing to say.
  const char *(*note)(const struct device *, nn_note);

  // Elements [first, first + n) of an array of a member. Reading values or moments lets rows make the steps that they
  // have yet to make. NN_INVALID where there is no such array; gradients can be written where there are none: those
  // that nobody wrote are then 0, and rows of a sparse one that nobody wrote have none.
  nn_status *(*read_param)(struct device *, enum device_array, uint32_t member, size_t first, size_t n,
                           void *to);
  nn_status *(*write_param)(struct device *, enum device_array, uint32_t member, size_t first, size_t n,
                            const void *from);
  // The first member with an element that is infinite or no number; param_shapes.n_members when there is none.
  nn_status *(*find_not_finite)(struct device *, enum device_array, uint32_t *member);

  // Moments of 0, and what else steps of these settings need; `steps` were made before. Its rate and clip are not
  // looked at. Moments that go on from elsewhere are written afterwards.
  nn_status *(*begin_updates)(struct device *, const nn_optimiser_options *, uint64_t steps);
  // Lets all rows make their steps, and forgets the moments.
  void (*end_updates)(struct device *);
  nn_status *(*update)(struct device *, const struct device_step *, struct device_step_result *);

  nn_status *(*run_new)(struct device *, struct device_run **);
  void (*run_free)(struct device_run *);
  // Begins a minibatch: in which mode, and in which epoch (a key of draws).
  void (*begin)(struct device_run *, enum kernel_variant forward, uint64_t epoch);
  // Runs the planned batches [first, end) of the schedule in order, after compiling what they need; in a
  // training mode what their adjoints need, too.
  nn_status *(*forward)(struct device_run *, const struct minibatch *, uint32_t first, uint32_t end);
  // The backward pass of all batches that ran: gradients of `scale` times the sum of the values in `seeds` (value
  // ids), which replace those that the parameters had or, when `adding`, are added to them.
  nn_status *(*backward)(struct device_run *, const struct minibatch *, const uint32_t *seeds,
                         uint32_t n_seeds, double scale, bool adding);
  // Elements [first, first + n) of a computed row, converted; waits for its batch.
  void (*read_row)(const struct device_run *, uint32_t row, size_t first, size_t n, double *to);
};

// The same as read_param, as doubles.
nn_status *device_read_numbers(struct device *, enum device_array, uint32_t member, size_t first, size_t n,
                               double *to);

static inline double device_read_element(const struct device_run *run, uint32_t row, size_t element) {
  double value;
  run->device->ops->read_row(run, row, element, 1, &value);
  return value;
}

#endif

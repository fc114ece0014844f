// Devices: where the parameters of a bound model lie and its kernels run. The seam between what is the same for
// all of them (trace, schedule, plan: integers) and what each does in its own way.
//
// A model has one device for its life; a session has one *run* on it, the memory of the minibatch at hand.
// The session traces, schedules and plans; then it asks the device for the batches of a flush, forward, and
// for the backward pass: lists of batches, not one at a time, so that a device may make them one launch. Nothing
// but the functions below reads or writes a value, a gradient or a parameter: they may lie in another memory.
//
// Contract of every device, checked by tests/runtime/test_device.c:
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
#include "runtime/nn.h"

struct device;
struct device_run;
struct jit;

// What a device must know of a bound model. It belongs to the model and outlives the device.
struct device_model {
  const struct ir_module *module;
  const int64_t *dims;              // [ir_module.dims]
  const struct plan_block *blocks;  // [ir_module.blocks]
  enum nn_element element;
  uint64_t seed;    // key of draws
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
  const volatile int *interrupt;            // NULL, or not to begin a kernel when it is not 0
  volatile int compiling;                   // kernels are being compiled
  struct device_tally *forward, *adjoint;   // [block]
  struct device_tally reductions;           // over lists
  double flops;                             // of matrix products, all passes
  double compile_seconds, weights_seconds;  // weights: the gradients of parameters
};

struct device_ops {
  const char *name;  // as --device has it

  nn_status *(*open)(const struct device_model *, struct device **);
  void (*close)(struct device *);

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

static inline double device_read_element(const struct device_run *run, uint32_t row, size_t element) {
  double value;
  run->device->ops->read_row(run, row, element, 1, &value);
  return value;
}

#endif

// Runs the batches of a plan: forward, and backward in reverse.
//
// Rows of large batches are shared out among the threads. Results do not depend on how: a row's bits depend
// on its inputs alone, and an adjoint batch is shared out only when no two of its rows add to the same
// gradient.
#ifndef NN_RUNTIME_CPU_EXECUTE_H
#define NN_RUNTIME_CPU_EXECUTE_H

#include "runtime/base/threads.h"
#include "runtime/batch/plan.h"
#include "runtime/batch/schedule.h"
#include "runtime/batch/trace.h"
#include "runtime/cpu/cpu.h"
#include "runtime/cpu/row_arena.h"
#include "runtime/kernel/device.h"

struct weight_copy;
struct weight_task;

struct executor {
  struct device_run run;  // first: the address that others know
  struct cpu *cpu;
  const struct minibatch *minibatch;  // of the call that runs
  struct row_arena values, saved;     // offsets are the plan's
  struct row_arena gradients;         // offsets as in values
  struct row_arena sinks;             // rows for weight gradients, over the whole minibatch
  struct value_arena *memory;         // small arrays of the pass that is running
  char **scratch;                     // [thread]
  size_t scratch_bytes;
  // Of weights.c. They live as long as the executor because memory that runs out leaves its frames by a jump.
  struct weight_copy *copies;
  struct weight_task *tasks;
  uint32_t copies_capacity, tasks_capacity;
  uint32_t *marks;  // [offset in the values arena] batch that marked it; to find shared rows
  size_t n_marks;
  uint32_t mark;
  enum kernel_variant variant;  // of the forward pass
  uint64_t epoch;               // key of dropout's draws
  // Batches with less work than this are not shared out, and none in pieces that are no multiple of so many
  // rows. The unit is a multiply-add at 50 a ns, or an element at 2 a ns. Tests make both small.
  double worth_splitting;
  uint32_t chunk_rows;
};

// The device's functions on a run (device.h).
nn_status *execute_new(struct device *, struct device_run **);
void execute_free(struct device_run *);
void execute_begin(struct device_run *, enum kernel_variant, uint64_t epoch);
nn_status *execute_forward(struct device_run *, const struct minibatch *, uint32_t begin, uint32_t end);
nn_status *execute_backward(struct device_run *, const struct minibatch *, const uint32_t *seeds,
                            uint32_t n_seeds, double scale, bool adding);
void execute_read_row(const struct device_run *, uint32_t row, size_t first, size_t n, double *to);

static inline struct executor *executor_of(struct device_run *run) { return (struct executor *)run; }

// --------------------------------------------------------------------------------------- within the executor

// The array of a kernel's parameters for a batch, in executor.memory.
nn_status *execute_params(struct executor *, uint32_t batch, const struct kernel *, const void ***params);
// The member that a batch uses of a family; `member` as in struct kernel_param.
nn_status *execute_member(const struct executor *, uint32_t batch, uint32_t param, int32_t member,
                          uint32_t *which);
// Calls a kernel on rows [begin, end), shared out when that is allowed and worth it.
nn_status *execute_rows(struct executor *, const struct kernel *, const struct kernel_args *, uint32_t begin,
                        uint32_t end, uint32_t elements_per_row, bool may_split, struct device_tally *);
// execute_rows's measure of a block: elements of all its results.
uint32_t execute_row_elements(const struct plan_block *);
struct list_rows;
void execute_describe_list_rows(const struct executor *, uint32_t batch, struct list_rows *);

#endif

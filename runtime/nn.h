// The public interface of the runtime: load a compiled model, run it over minibatches, train it.
//
//   nn_model_open -> nn_model_build_vocabs or nn_model_load_metadata -> nn_model_bind -> nn_session_new ->
//   ...
//
// Ownership. Handles are opaque; `nn_X_free` releases an X and takes NULL. A session and an optimiser keep a
// pointer to their model, which must outlive them; a data set keeps none but its values are those of the
// model it was read for. Strings and arrays that a function returns belong to the handle and live until its
// next call that changes it, unless the comment says otherwise ("malloc'd": the caller calls free).
//
// Errors. A call that can fail returns a status: NULL is success, anything else is owned by the caller, who
// frees it with nn_status_free. Output arguments are written on success only. An example whose own control
// flow fails (index out of range, recursion too deep, ...) is no failure of the call: see nn_session_error.
//
// Memory. A call that finds no memory returns NN_NO_MEMORY (or NN_IO, NN_DATA with "out of memory" where a file was being
// read) and leaves no file half-written; what it was to change is as before, except that a session has no results until
// its next run, and a model that failed to bind can only be freed. What this library cannot promise is what it calls:
// LLVM ends the process where it gets no memory itself, in nn_model_bind and when a kernel is first needed.
//
// Threads. There is no global state. Different models may be used by different threads at once. A bound model
// may be shared by several sessions in different threads as long as all of them only infer (NN_INFER);
// training, loading weights and the optimiser need the model to themselves. One session is used by one thread
// at a time. A bound model has one team of worker threads (nn_options.threads) for all its sessions; a session that
// finds it at work computes on its own thread.
#ifndef NN_RUNTIME_NN_H
#define NN_RUNTIME_NN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NN_MUST_CHECK __attribute__((warn_unused_result))

typedef struct nn_status nn_status;
typedef struct nn_model nn_model;
typedef struct nn_dataset nn_dataset;
typedef struct nn_session nn_session;
typedef struct nn_optimiser nn_optimiser;

// ---------------------------------------------------------------------------------------------------- status

typedef enum nn_code {
  NN_OK,
  NN_INVALID,  // the caller asked for something that does not exist or does not fit
  NN_IO,       // a file cannot be read or written
  NN_DATA,     // a file's contents are not what they should be
  NN_NO_MEMORY,
  NN_COMPILE,      // code generation failed
  NN_EXAMPLE,      // an example's control flow failed, where the call has no result without it
  NN_NOT_FINITE,   // a loss or a gradient is infinite or no number
  NN_INTERRUPTED,  // the flag of nn_session_set_limits was set while kernels compiled
} nn_code;

nn_code nn_status_code(const nn_status *);         // NN_OK for NULL
const char *nn_status_message(const nn_status *);  // one line without newline; "" for NULL
void nn_status_free(nn_status *);

// ----------------------------------------------------------------------------------------------------- model

// Reads a .nnb file.
NN_MUST_CHECK nn_status *nn_model_open(const char *path, nn_model **model);
void nn_model_free(nn_model *);

typedef struct nn_dim_value {
  const char *name;
  int64_t value;
} nn_dim_value;

typedef enum nn_precision { NN_PRECISION_F32, NN_PRECISION_F64 } nn_precision;

// How instances of blocks are put into batches (runtime/batch/schedule.h).
typedef enum nn_autobatch {
  NN_AUTOBATCH_AUTO,
  NN_AUTOBATCH_OFF,
  NN_AUTOBATCH_DEPTH,
  NN_AUTOBATCH_AGENDA
} nn_autobatch;

typedef struct nn_options {
  const nn_dim_value *dims;  // `-D`; dims not named keep the checkpoint's or the module's value
  size_t n_dims;
  nn_precision precision;
  int threads;  // 0: all cores
  nn_autobatch autobatch;
  uint64_t seed;          // of initial parameters, what the model draws, and shuffling
  const char *cache_dir;  // of compiled code; NULL: the user's cache folder; "": no cache
  const char *device;     // a name that nn_device_name gives; NULL: the first
} nn_options;
nn_options nn_options_default(void);

// The devices that this build can compute on: "cpu".
size_t nn_device_count(void);
const char *nn_device_name(size_t device);

// What can be asked before binding.
size_t nn_model_entry_count(const nn_model *);
const char *nn_model_entry_name(const nn_model *, size_t entry);
bool nn_model_entry_is_metric(const nn_model *, size_t entry);
bool nn_model_entry_is_trainable(const nn_model *, size_t entry);  // its result is an f32
// Whether it, or a function that it calls, reads a parameter: otherwise training changes nothing.
bool nn_model_entry_learns(const nn_model *, size_t entry);
// Position of the entry of that name; false when there is none.
bool nn_model_find_entry(const nn_model *, const char *name, size_t *entry);
// Schema of an entry, `t: Tree, n: int` and `f32`. Owned by the model.
const char *nn_model_entry_parameters(const nn_model *, size_t entry);
const char *nn_model_entry_result(const nn_model *, size_t entry);
const char *nn_model_name(const nn_model *);

// Vocabularies must be known before binding: counted in data files (min_count, max_size and closed as the
// model says), or taken from a checkpoint. After binding they are frozen.
typedef struct nn_data_options {
  // "ptb", "jsonl", "text", "tsv", "conll", "conllu"; NULL: guessed from the name. Behind tsv and conll
  // "+header" or "-header" and ":words,_,tags" may follow
  const char *format;
  bool skip_bad;  // bad records are counted instead of ending the read
  size_t limit;   // the data is its first examples, so many of all files; 0: all
} nn_data_options;
NN_MUST_CHECK nn_status *nn_model_build_vocabs(nn_model *, const char *const *paths, size_t n_paths,
                                               const size_t *entries, size_t n_entries,
                                               const nn_data_options *);
// Dims and vocabularies of a checkpoint.
NN_MUST_CHECK nn_status *nn_model_load_metadata(nn_model *, const char *path);
bool nn_model_has_vocabs(const nn_model *);  // every vocab is known (trivially true when there is none)

// Sizes, parameters (initialised from the seed), compiled host code. Once per model: after a failure it can only
// be freed.
NN_MUST_CHECK nn_status *nn_model_bind(nn_model *, const nn_options *);

// What the user should know of a model that works, but not as well as it could.
typedef enum nn_note {
  NN_NOTE_CACHE,  // the cache of compiled code is not used: somebody else could have written to it, or it is not there
  NN_NOTE_THREADS,   // the system allows fewer threads than were asked for
  NN_NOTE_PRODUCTS,  // OpenBLAS cannot be used, so that weight gradients are computed by slower loops
  NN_NOTES
} nn_note;
// NULL when there is nothing to say. After binding; some only appear when kernels or gradients are first needed. Owned
// by the model.
const char *nn_model_note(const nn_model *, nn_note);

// After binding.
size_t nn_model_dim_count(const nn_model *);  // dims, vocabs and enums
const char *nn_model_dim(const nn_model *, size_t dim, int64_t *value);
// Whether a checkpoint's value took the place of the one that the model was written with, which is *written.
bool nn_model_dim_is_replaced(const nn_model *, size_t dim, int64_t *written);
// Whether `dims` gave it another value than the checkpoint's, which is *saved. Loading the weights fails where that
// changes the size of a parameter.
bool nn_model_dim_is_overridden(const nn_model *, size_t dim, int64_t *saved);
typedef struct nn_param_info {
  const char *name;  // path: "cell.W", "stack.0.W"
  int rank;
  int64_t sizes[4];
  size_t elements;
  bool sparse;  // gradients arrive by rows (lookups only)
} nn_param_info;
size_t nn_model_param_count(const nn_model *);  // members of families count one each
nn_param_info nn_model_param(const nn_model *, size_t param);
uint64_t nn_model_parameters(const nn_model *);  // elements in all
// Elements [first, first + n) of a parameter's values, row-major: floats, or doubles under NN_PRECISION_F64. The model's
// device may keep them in a memory of its own, so it is faster to ask for many at a time.
NN_MUST_CHECK nn_status *nn_model_read_param(const nn_model *, size_t param, size_t first, size_t n,
                                             void *to);
NN_MUST_CHECK nn_status *nn_model_write_param(nn_model *, size_t param, size_t first, size_t n,
                                              const void *from);
// The same of the gradient that the last backward pass left; NN_INVALID before the first.
NN_MUST_CHECK nn_status *nn_model_read_gradient(const nn_model *, size_t param, size_t first, size_t n,
                                                void *to);
// NN_NOT_FINITE with the name of the first parameter that has an infinite value or none.
NN_MUST_CHECK nn_status *nn_model_check_finite(const nn_model *);

// Checkpoints are safetensors files: parameters by name, dims and vocabularies in the metadata. Written
// atomically.
NN_MUST_CHECK nn_status *nn_model_save(const nn_model *, const char *path);
// Tensors of F32, F64, F16 and BF16 are converted to the model's precision; a number that it cannot hold is refused.
// A checkpoint of another model is refused with what differs, and nothing is changed then.
NN_MUST_CHECK nn_status *nn_model_load_weights(nn_model *, const char *path);
// To begin training from a part of another model: takes the parameters whose names and sizes, and whose vocabularies'
// entries, are the same, and leaves the others at their initial values. *report (malloc'd, one line) says what was
// taken and what was not and why. It is an error when nothing fits.
NN_MUST_CHECK nn_status *nn_model_init_weights(nn_model *, const char *path, char **report);
// The gradients of the last backward pass under the parameters' names.
NN_MUST_CHECK nn_status *nn_model_save_gradients(const nn_model *, const char *path);

// -------------------------------------------------------------------------------------------------- data set

// Reads a file for the named entries: the columns are the union of their parameters, and every record must give
// all of them.
NN_MUST_CHECK nn_status *nn_dataset_load(nn_model *, const char *path, const size_t *entries,
                                         size_t n_entries, const nn_data_options *, nn_dataset **);
// One example from texts, one for each parameter of the entry in its order, as the data formats write values: JSON; a
// bracketed tree, `(3 (2 It) (4 good))`, for a sum type; a cell of a table for what it can hold, `3`, `cat`, `the cat sat`.
// An error names the parameter and the column.
NN_MUST_CHECK nn_status *nn_dataset_parse(nn_model *, size_t entry, const char *const *values,
                                          size_t n_values, nn_dataset **);
// Reads another file behind the examples that are there, for the same entries. On an error the set is as before.
NN_MUST_CHECK nn_status *nn_dataset_append(nn_model *, nn_dataset *, const char *path,
                                           const nn_data_options *);
void nn_dataset_free(nn_dataset *);
size_t nn_dataset_size(const nn_dataset *);     // examples
size_t nn_dataset_skipped(const nn_dataset *);  // bad records passed over
// What was wrong with the first of them, "dev.txt:17:3: what was expected"; NULL when there is none. Owned by the
// data set.
const char *nn_dataset_first_skipped(const nn_dataset *);
// How its files were taken where that was guessed ("train.tsv: line 1 is taken for the header; ..."), a line each without
// the last newline; NULL when there is nothing to say. Owned by the data set.
const char *nn_dataset_notes(const nn_dataset *);
// Where an example stands in its file, "dev.txt:17". Owned by the data set until the next call.
const char *nn_dataset_position(nn_dataset *, size_t example);

// --------------------------------------------------------------------------------------------------- session

// One place where minibatches run: trace, schedule, memory of the rows.
NN_MUST_CHECK nn_status *nn_session_new(nn_model *, nn_session **);
void nn_session_free(nn_session *);
void nn_session_set_autobatch(nn_session *, nn_autobatch);
// Limits for later runs; 0: any amount. An example that would take more has failed, with an error that says where and
// which limit; whether it does never depends on its minibatch, but that of a value that examples share (one of parameters
// and numbers alone) another may have waited already. A minibatch whose examples take more together than
// `minibatch_memory` is run in parts, with the same results; the gradients of parameters are then summed part by part.
typedef struct nn_limits {
  // Of one example:
  uint64_t turns;      // of its loops and recursion
  uint64_t memory;     // bytes of its lists and data, its trace and its tensors
  uint64_t instances;  // of blocks, as rows: each time that control flow passes one counts
  uint64_t waits;      // for values that decide; reading one that has been computed is none
  // Of all examples that run at once:
  uint64_t minibatch_memory;
} nn_limits;
// 100,000,000 turns, a quarter of the memory that this process may use, 10,000,000 instances, 100,000 waits, half of the
// memory. These hold until others are set.
nn_limits nn_limits_default(void);
// `interrupt`: a flag that ends examples with the error "interrupted" once it is not 0 (NULL: none); a signal handler may
// set it. Examples of a few thousand turns do not look at it. Kernels that are being compiled then are not waited for: the
// call gives NN_INTERRUPTED, and nn_model_free waits for them.
void nn_session_set_limits(nn_session *, const nn_limits *, const volatile int *interrupt);
// A flag that is not 0 while the session's kernels compile; a signal handler may read it.
const volatile int *nn_session_compiling(const nn_session *);

// What a model draws is a function of the seed, the epoch (nn_training_begin_epoch; outside NN_TRAIN none, so that
// what is evaluated after an epoch can be compared with what is after another), the example's number in its data set and
// the place in the example's run: the same in whatever minibatch and order, by any number of threads.
typedef enum nn_mode {
  NN_INFER,     // results only; dropout is the identity
  NN_TRAIN,     // results and what the backward pass needs; dropout active
  NN_GRADIENT,  // as NN_TRAIN, dropout the identity: for gradient checks
} nn_mode;

// Runs an entry over examples of a data set as one minibatch. The results stay until the next run. What the model prints
// goes to standard error.
NN_MUST_CHECK nn_status *nn_session_run(nn_session *, size_t entry, const nn_dataset *,
                                        const size_t *examples, size_t n, nn_mode);
// Error of the i-th example of the last run: NULL when it succeeded, otherwise "file:line:column: message" of
// the model's source. The results of the others stand.
const char *nn_session_error(const nn_session *, size_t i);
// The first result slot as a number (loss, int, bool, index); 0 for an example that failed.
double nn_session_number(const nn_session *, size_t i);
// The whole result as JSON: numbers, strings for indices of vocabs and enums, arrays for lists, tensors and
// tuples, objects for data and records. malloc'd.
char *nn_session_json(const nn_session *, size_t i);

// Whether every number of the i-th result is finite; otherwise the worst there is. An example that failed has none.
typedef enum nn_finiteness { NN_FINITE, NN_INFINITE, NN_NAN } nn_finiteness;
nn_finiteness nn_session_finiteness(const nn_session *, size_t i);
// Where the number that is not finite came from: the first operation that made it, its operands, its place in the
// model and its block: "`log` of -1 at model.nn:4:32 in block loss.1 (model.nn:3)". Slow: evaluates blocks of the
// example anew. malloc'd; NULL when the result is finite, and without memory.
char *nn_session_origin(nn_session *, size_t i);

// The backward pass of the last run (NN_TRAIN or NN_GRADIENT) of an entry whose only result is a scalar
// tensor: gradients of `scale` times the sum of the examples' results, failed examples left out. They replace
// those of the last call.
NN_MUST_CHECK nn_status *nn_session_backward(nn_session *, double scale);

// NULL when the gradients of the last backward pass are finite. Otherwise NN_NOT_FINITE with a message that names the
// first example whose own are not, and the operation; it is found by running the examples again one by one (the
// data set must still be there), after which there is no last run.
NN_MUST_CHECK nn_status *nn_session_check_gradients(nn_session *);

typedef enum nn_loss_scale { NN_LOSS_MEAN, NN_LOSS_SUM } nn_loss_scale;
// run(NN_TRAIN), backward, update. *loss is the sum over the minibatch's examples, *n_failed those left out. When a
// loss or a gradient is not finite, nothing is updated: NN_NOT_FINITE, with a message that names the example and
// the operation that made it so.
NN_MUST_CHECK nn_status *nn_session_train(nn_session *, nn_optimiser *, size_t entry, const nn_dataset *,
                                          const size_t *examples, size_t n, nn_loss_scale, double *loss,
                                          size_t *n_failed);

// Runs a metric and adds its numerator and denominator to *sum and *weight; failed examples are counted and
// left out.
NN_MUST_CHECK nn_status *nn_session_metric(nn_session *, size_t entry, const nn_dataset *,
                                           const size_t *examples, size_t n, double *sum, double *weight,
                                           size_t *n_failed);

// What any metric is made of: its sums over a data set (grammar/LANGUAGE.md, Metrics). They belong to a bound model, and
// are used by its sessions.
typedef struct nn_totals nn_totals;
NN_MUST_CHECK nn_status *nn_totals_new(const nn_model *, size_t entry, nn_totals **);
void nn_totals_free(nn_totals *);
void nn_totals_clear(nn_totals *);
// Adds those of another to them, of the same metric.
NN_MUST_CHECK nn_status *nn_totals_add(nn_totals *, const nn_totals *);
// Runs the metric and adds what it gives; failed examples are counted and left out.
NN_MUST_CHECK nn_status *nn_session_totals(nn_session *, nn_totals *, const nn_dataset *,
                                           const size_t *examples, size_t n, size_t *n_failed);
// The metric: a number, or a table with NaN as its number. `text` has a line for each row, with an empty one in front;
// `json` is an object. Both are NULL where it is no table.
typedef struct nn_metric_value {
  bool is_known;  // false: there was nothing, and the number is NaN
  double number;
  char *text, *json;
} nn_metric_value;
NN_MUST_CHECK nn_status *nn_totals_value(nn_session *, const nn_totals *, nn_metric_value *);
void nn_metric_value_free(nn_metric_value *);

// -------------------------------------------------------------------------------------- position in the data

// Part of the state of training, which belongs to the model. An epoch is one way through examples 0 .. n - 1 of
// the data: in this order, or in one that is a function of the seed and the epoch's number alone (1, 2, ...).
// Whoever chooses the examples himself still begins epochs, so that each draws anew.
NN_MUST_CHECK nn_status *nn_training_begin_epoch(nn_model *, uint64_t epoch, size_t n, bool shuffled);
// The next minibatch: the number of its examples, `most` as long as there are so many, 0 at the end of the epoch.
// *examples lives until the next epoch begins.
size_t nn_training_next(nn_model *, size_t most, const size_t **examples);
uint64_t nn_training_epoch(const nn_model *);  // 0 before the first

// ------------------------------------------------------------------------------------------------- optimiser

typedef enum nn_algorithm { NN_SGD, NN_MOMENTUM, NN_ADAGRAD, NN_ADAM } nn_algorithm;

// Lookup tables: exact updates every row as if the gradient were dense, at the cost of the rows that a minibatch
// touches (the others are brought up to date when they are read); lazy updates the rows that some example's result
// depends on and no others: decay does not reach them and their moments stand still.
typedef enum nn_sparse { NN_SPARSE_EXACT, NN_SPARSE_LAZY } nn_sparse;

typedef struct nn_optimiser_options {
  nn_algorithm algorithm;
  double rate;      // 0: the algorithm's default: sgd 0.1, momentum 0.01, adagrad 0.01, adam 0.001
  double momentum;  // MOMENTUM, default 0.9
  double beta1, beta2, epsilon;  // ADAM: 0.9, 0.999, 1e-8; ADAGRAD: epsilon 1e-10
  double clip;                   // largest global norm of the gradients; 0: none
  // weight decay. ADAM: decoupled (Loshchilov & Hutter 2019); the others: added to the gradient
  double decay;
  nn_sparse sparse;
} nn_optimiser_options;
nn_optimiser_options nn_optimiser_default(nn_algorithm);
bool nn_algorithm_parse(const char *name, nn_algorithm *);  // "sgd", "momentum", "adagrad", "adam"

NN_MUST_CHECK nn_status *nn_optimiser_new(nn_model *, const nn_optimiser_options *, nn_optimiser **);
void nn_optimiser_free(nn_optimiser *);
void nn_optimiser_set_rate(nn_optimiser *, double rate);
double nn_optimiser_rate(const nn_optimiser *);
// One step with the gradients of the last backward pass, which are finite; otherwise as nn_session_check_gradients.
NN_MUST_CHECK nn_status *nn_optimiser_step(nn_optimiser *, nn_session *);
// Global norm of the last step's gradients before clipping; NaN when the step did not need it (clip is 0).
double nn_optimiser_norm(const nn_optimiser *);

// ------------------------------------------------------------------------------------------------ statistics

// Sums since nn_session_reset_stats. Times in seconds of wall clock.
typedef struct nn_stats {
  double trace, schedule, plan, forward, backward, weights, update,
      compile;  // weights: deferred weight gradients
  // nodes: emissions of blocks, each a row of an instance; instances: what was scheduled; batches: kernel calls forward
  uint64_t minibatches, examples, nodes, instances, batches;
  uint64_t flops;  // of matrix products, forward, backward and weight gradients
  uint64_t flushes, decisions;
  uint64_t parts;  // that minibatches ran in: more than minibatches when some did not fit the memory
} nn_stats;
nn_stats nn_session_stats(const nn_session *);
void nn_session_reset_stats(nn_session *);

typedef struct nn_kernel_stats {
  const char *name;  // of the block
  bool adjoint;      // of the block's adjoint
  uint64_t calls, rows;
  double seconds;  // measured only after nn_session_profile(true)
  double flops;
} nn_kernel_stats;
void nn_session_profile(nn_session *, bool on);
size_t nn_session_kernel_count(const nn_session *);
nn_kernel_stats nn_session_kernel(const nn_session *, size_t kernel);

// ------------------------------------------------------------ the last run's trace and schedule

// Of the part that ran last, when the minibatch ran in parts (nn_stats.parts).

// An emission of a block in the last run, which is a row of a batch. Emissions of equal blocks that wait for the same
// instances are one instance (runtime/batch/trace.h), which has as many rows.
typedef struct nn_node {
  const char *name;   // block or reduction
  const char *shape;  // of the results: "{128} {128}"
  uint32_t example;   // position in the minibatch
  uint32_t batch;     // that computed it
  uint32_t instance;  // that it is a row of
  uint32_t level, phase;
  uint32_t n_inputs;
  const uint32_t *inputs;  // nodes, one per tensor operand; valid until the next call of nn_session_node
  bool result;             // the host code returned one of its values
} nn_node;
size_t nn_session_node_count(const nn_session *);
size_t nn_session_instance_count(const nn_session *);
nn_node nn_session_node(nn_session *, size_t node);

typedef struct nn_batch {
  const char *name;
  const char *key;  // block with family members: "stack.step.1 [2]"
  uint32_t rows;
  uint32_t flush;         // in which flush it ran; more than one when entries decide
  uint32_t phase, level;  // level: smallest of its rows
  const char *reason;     // why its rows did not join the previous batch of the same key; "" for the first
  int reason_code;        // number of the kind of reason, 0 for the first
} nn_batch;

// A kind of reason; its number stays the same in later versions.
typedef struct nn_reason {
  int code;
  const char *text;  // as it is said; %u stands for a batch's number
  const char *explanation;
} nn_reason;
size_t nn_reason_count(void);
nn_reason nn_reason_info(size_t reason);
size_t nn_session_batch_count(const nn_session *);
nn_batch nn_session_batch(nn_session *, size_t batch);
// No schedule of this trace has fewer batches: over flushes and keys, the longest chain of instances of one
// key.
size_t nn_session_batch_lower_bound(const nn_session *);

#ifdef __cplusplus
}
#endif
#endif

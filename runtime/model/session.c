// A minibatch from its examples to their results: control flow on fibers, flushes when all of them wait.
#include "runtime/model/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/base/clock.h"
#include "runtime/base/long_sum.h"
#include "runtime/base/machine.h"
#include "runtime/base/status.h"
#include "runtime/host/host_ownership.h"
#include "runtime/kernel/draws.h"

// ------------------------------------------------------------------------------------------------------ life

static void wait_for_value(void *context, struct trace_example *example, uint32_t value) {
  (void)context;
  example->waits_for = value;
  fiber_suspend(example->host.fiber);
}

static void read_row(void *context, uint32_t row, size_t first, size_t n, double *to) {
  const struct device_run *run = context;
  run->device->ops->read_row(run, row, first, n, to);
}

static nn_status *fill_session(nn_session *session) {
  nn_model *model = session->model;
  session->fibers = fiber_pool_new(NULL);
  session->arena = value_arena_new();
  if (!session->fibers || !session->arena)
    return status_no_memory();
  STATUS_TRY(minibatch_init(&session->minibatch, model->trace_blocks, model->module->n_blocks));
  STATUS_TRY(model->device->ops->run_new(model->device, &session->run));
  session->minibatch.trace.wait = wait_for_value;
  session->minibatch.trace.read_row = read_row;
  session->minibatch.trace.context = session->run;
  session->minibatch.trace.element_bytes = (uint32_t)nn_element_bytes(model->device_model.element);
  return NULL;
}

nn_status *nn_session_new(nn_model *model, nn_session **session) {
  if (!model->bound)
    return status_new(NN_INVALID, "the model is not bound");
  nn_session *made = calloc(1, sizeof *made);
  if (!made)
    return status_no_memory();
  made->autobatch = model->options.autobatch;
  nn_limits limits = nn_limits_default();
  nn_session_set_limits(made, &limits, NULL);
  made->model = model;
  nn_status *status = fill_session(made);
  if (status)
    nn_session_free(made);
  else
    *session = made;
  return status;
}

// Forgets what the examples of the last run made.
static void forget_examples(nn_session *session) {
  for (size_t i = 0; i < session->n_examples; i++)
    heap_clear(&session->examples[i].traced.host.heap);
  session->n_examples = 0;
}

void nn_session_free(nn_session *session) {
  if (!session)
    return;
  forget_examples(session);
  heap_pool_clear(&session->room.heaps);
  session_drop_view(session);
  minibatch_free(&session->minibatch);
  if (session->run)
    session->run->device->ops->run_free(session->run);
  if (session->fibers)
    fiber_pool_free(session->fibers);
  if (session->arena)
    value_arena_free(session->arena);
  free(session->examples);
  free(session->slot_types);
  free(session->parts);
  free(session->kept);
  free(session);
}

void nn_session_set_autobatch(nn_session *session, nn_autobatch autobatch) { session->autobatch = autobatch; }

const volatile int *nn_session_compiling(const nn_session *session) { return &session->run->compiling; }

nn_limits nn_limits_default(void) {
  uint64_t memory = machine_memory();
  return (nn_limits){.turns = 100000000,
                     .memory = memory / 4,
                     .instances = 10000000,
                     .waits = 100000,
                     .minibatch_memory = memory / 2};
}

void nn_session_set_limits(nn_session *session, const nn_limits *limits, const volatile int *interrupt) {
  session->limits = (struct example_limits){.turns = limits->turns,
                                            .bytes = limits->memory,
                                            .instances = limits->instances,
                                            .waits = limits->waits};
  session->room.limit = limits->minibatch_memory;
  session->interrupt = interrupt;
}

// ------------------------------------------------------------------------------------------------- arguments

static nn_status *find_column(const struct ir_field *param, const nn_dataset *dataset,
                              const struct dataset_column **column) {
  for (uint32_t c = 0; c < dataset->n_columns; c++) {
    *column = &dataset->columns[c];
    if (strcmp((*column)->name, param->name) != 0)
      continue;
    if (!ir_type_equal((*column)->type, param->type))
      return status_new(NN_INVALID, "`%s` of the data has another type than the entry wants", param->name);
    return NULL;
  }
  return status_new(NN_INVALID, "the data was read without `%s`, which the entry needs", param->name);
}

// The arguments of example i begin at (*args)[i * width].
static nn_status *make_arguments(nn_session *session, const struct ir_entry *entry, const nn_dataset *dataset,
                                 const size_t *examples, size_t n, uint64_t **args, size_t *width) {
  *width = 0;
  for (uint32_t p = 0; p < entry->n_params; p++)
    *width += ir_type_width(entry->params[p].type);
  *args = value_arena_try(session->arena, (n * *width + 1) * sizeof **args);
  if (!*args)
    return status_no_memory();
  size_t at = 0;
  for (uint32_t p = 0; p < entry->n_params; p++) {
    const struct dataset_column *column = NULL;
    STATUS_TRY(find_column(&entry->params[p], dataset, &column));
    for (size_t i = 0; i < n; i++)
      memcpy(*args + i * *width + at, dataset->slots + examples[i] * dataset->width + column->first_slot,
             column->width * sizeof **args);
    at += column->width;
  }
  return NULL;
}

static nn_status *prepare(nn_session *session, const struct ir_entry *entry, const nn_dataset *dataset,
                          const size_t *examples, size_t n) {
  const nn_model *model = session->model;
  const struct ir_function *function = model->module->functions[entry->function];
  for (size_t i = 0; i < n; i++)
    if (examples[i] >= dataset->n_examples)
      return status_new(NN_INVALID, "there is no example %zu: the data has %zu", examples[i],
                        dataset->n_examples);
  if (!array_reserve(&session->examples, sizeof *session->examples, n, &session->capacity))
    return status_no_memory();
  uint64_t *args;
  size_t width;
  STATUS_TRY(make_arguments(session, entry, dataset, examples, n, &args, &width));
  free(session->slot_types);
  session->slot_types = calloc(function->n_results + 1, sizeof *session->slot_types);
  if (!session->slot_types)
    return status_no_memory();
  memcpy(session->slot_types, function->results, function->n_results * sizeof *session->slot_types);
  session->n_slots = function->n_results;
  uint64_t *results = value_arena_try(session->arena, (n * function->n_results + 1) * sizeof *results);
  if (!results)
    return status_no_memory();
  memset(results, 0, n * function->n_results * sizeof *results);
  for (size_t i = 0; i < n; i++) {
    struct session_example *example = &session->examples[i];
    *example = (struct session_example){.state = EXAMPLE_NEW};
    example->traced.host.number = (uint32_t)examples[i];
    example->traced.host.heap.pool = &session->room.heaps;
    example->run.entry = model->host->entries[entry->function];
    example->run.args = args + i * width;
    example->run.results = results + i * function->n_results;
  }
  session->n_examples = n;
  return NULL;
}

void session_renew(nn_session *session, struct session_part part, bool done_only) {
  for (size_t i = part.first; i < part.first + part.n; i++) {
    struct session_example *example = &session->examples[i];
    if (done_only && example->state != EXAMPLE_DONE)
      continue;
    heap_clear(&example->traced.host.heap);
    struct host_run run = example->run;
    uint32_t number = example->traced.host.number;
    *example = (struct session_example){.state = EXAMPLE_NEW};
    example->traced.position = (uint32_t)i;
    example->traced.host =
        (struct example){.trace = &session->minibatch.trace,
                         .arena = session->arena,
                         .number = number,
                         .draws_key = draws_key(session->model->options.seed, session_epoch(session)),
                         .sets = session->model->sets,
                         .limits = &session->limits,
                         .room = &session->room,
                         .heap.pool = &session->room.heaps,
                         .interrupt = session->interrupt};
    example->run = (struct host_run){
        .entry = run.entry, .example = &example->traced.host, .args = run.args, .results = run.results};
  }
}

// ---------------------------------------------------------------------------------------------- control flow

static nn_status *flush(nn_session *session, uint32_t max_phase) {
  nn_stats *stats = &session->stats;
  uint32_t first = session->minibatch.schedule.n_batches;
  double start = clock_seconds(), compile = session->run->compile_seconds;
  if (!schedule_flush(&session->minibatch.schedule, &session->minibatch.trace, session->autobatch, max_phase))
    return status_no_memory();
  double scheduled = clock_seconds();
  STATUS_TRY(plan_extend(&session->minibatch.plan, session->model->blocks, &session->minibatch.trace,
                         &session->minibatch.schedule, session->mode != NN_INFER));
  double planned = clock_seconds();
  STATUS_TRY(session->run->device->ops->forward(session->run, &session->minibatch, first,
                                                session->minibatch.schedule.n_batches));
  double done = clock_seconds();
  compile = session->run->compile_seconds - compile;
  stats->schedule += scheduled - start;
  stats->plan += planned - scheduled;
  stats->forward += done - planned - compile;
  stats->compile += compile;
  stats->flushes++;
  return NULL;
}

static bool has_values(const nn_session *session) {
  for (uint32_t i = 0; i < session->n_slots; i++)
    if (host_is_counted(session->slot_types[i]))
      return true;
  return false;
}

static void end_example(nn_session *session, struct session_example *example, enum host_outcome outcome) {
  example->state = outcome == HOST_DONE ? EXAMPLE_DONE : EXAMPLE_FAILED;
  host_finish(&example->run);
  // The memory of lists, data and texts goes to the examples that follow, unless they are the result.
  if (!has_values(session) && !example->traced.host.prints)
    heap_clear(&example->traced.host.heap);
  else if (outcome == HOST_DONE)
    value_memo_clear(&example->traced.host);
}

// What became of a round over the examples of a part.
struct round {
  size_t n_waiting;   // afterwards
  size_t crowded_at;  // SIZE_MAX, or the example that found no room among others: the round ended there
  bool refused;       // there was no memory for a stack, and none waits
};

// Starts what is new and resumes what waits for a value that is there.
static struct round advance(nn_session *session, struct session_part part, bool decides) {
  struct round round = {.crowded_at = SIZE_MAX};
  for (size_t i = part.first; i < part.first + part.n; i++) {
    struct session_example *example = &session->examples[i];
    enum host_outcome outcome;
    struct trace_mark mark = trace_mark(&session->minibatch.trace);
    uint64_t used = session->room.used;
    if (example->state == EXAMPLE_NEW && !round.refused) {
      outcome = host_start(session->fibers, &example->run, decides);
      // What it emitted is for nobody, when it did so in one go; a decision of another may have run what it shares.
      if (outcome == HOST_FAILED && !decides && !example->traced.host.prints) {
        trace_rewind(&session->minibatch.trace, mark);
        session->room.used = used;
      }
    } else if (example->state == EXAMPLE_WAITS) {
      if (session->minibatch.trace.value_row[example->traced.waits_for] == TRACE_NO_ROW) {
        round.n_waiting++;
        continue;
      }
      outcome = host_continue(&example->run);
    } else {
      continue;
    }
    if (outcome == HOST_NO_MEMORY) {
      round.refused = true;  // the others will make room
    } else if (outcome == HOST_WAITS) {
      example->state = EXAMPLE_WAITS;
      round.n_waiting++;
    } else {
      end_example(session, example, outcome);
      if (example->traced.host.crowded && part.n > 1) {
        round.crowded_at = i;
        break;
      }
    }
  }
  round.refused = round.refused && round.n_waiting == 0;
  return round;
}

static uint32_t lowest_phase_waited_for(const nn_session *session, struct session_part part) {
  const struct trace *trace = &session->minibatch.trace;
  uint32_t lowest = UINT32_MAX;
  for (size_t i = part.first; i < part.first + part.n; i++) {
    if (session->examples[i].state != EXAMPLE_WAITS)
      continue;
    uint32_t phase = trace->instances[trace->value_instance[session->examples[i].traced.waits_for]].phase;
    if (phase < lowest)
      lowest = phase;
  }
  return lowest;
}

static nn_status *run_examples(nn_session *session, const struct ir_entry *entry, struct session_part part,
                               size_t *crowded_at) {
  bool decides = session->model->host->decides[entry->function];
  for (;;) {
    struct round round = advance(session, part, decides);
    *crowded_at = round.crowded_at;
    if (round.crowded_at != SIZE_MAX)
      return NULL;
    if (round.refused)
      return status_new(NN_NO_MEMORY, "out of memory for the stack of an example");
    if (round.n_waiting == 0)
      break;
    // What only feeds losses and outputs stays pending as long as nobody asks for it.
    STATUS_TRY(flush(session, lowest_phase_waited_for(session, part)));
  }
  return flush(session, SCHEDULE_ALL);
}

static enum kernel_variant variant_of(nn_mode mode) {
  return mode == NN_INFER ? KERNEL_INFER : mode == NN_TRAIN ? KERNEL_TRAIN : KERNEL_GRADIENT;
}

nn_status *session_run_part(nn_session *session, const struct ir_entry *entry, struct session_part part,
                            size_t *crowded_at) {
  *crowded_at = SIZE_MAX;
  minibatch_reset(&session->minibatch);
  session->minibatch.trace.trains = session->mode != NN_INFER;
  session->room.used = 0;
  session->run->interrupt = session->interrupt;
  session->run->device->ops->begin(session->run, variant_of(session->mode), session_epoch(session));
  nn_status *status = run_examples(session, entry, part, crowded_at);
  for (size_t i = part.first; i < part.first + part.n; i++) {
    struct session_example *example = &session->examples[i];
    host_finish(&example->run);
    if (example->state == EXAMPLE_DONE && session->n_slots > 0)
      example->seed = (uint32_t)example->run.results[0];
  }
  return status;
}

nn_status *nn_session_run(nn_session *session, size_t entry, const nn_dataset *dataset,
                          const size_t *examples, size_t n, nn_mode mode) {
  const struct ir_module *module = session->model->module;
  if (entry >= module->n_entries)
    return status_new(NN_INVALID, "there is no entry %zu", entry);
  double start = clock_seconds();
  nn_stats before = session->stats;
  session_drop_view(session);
  session->entry = NULL;
  session->has_gradients = false;
  forget_examples(session);
  value_arena_reset(session->arena);
  session->mode = mode;
  session->entry_number = entry;
  session->data = dataset;
  STATUS_TRY(prepare(session, module->entries[entry], dataset, examples, n));
  STATUS_TRY(session_run_parts(session, module->entries[entry]));
  session->entry = module->entries[entry];
  nn_stats *stats = &session->stats;
  double elsewhere = stats->schedule - before.schedule + stats->plan - before.plan + stats->forward -
                     before.forward + stats->compile - before.compile;
  stats->trace += clock_seconds() - start - elsewhere;
  stats->minibatches++;
  stats->examples += n;
  return NULL;
}

// --------------------------------------------------------------------------------------------------- results

double session_element(const nn_session *session, uint32_t value, size_t element) {
  if (session->results_kept)
    return session->kept[value][element];
  return device_read_element(session->run, session->minibatch.trace.value_row[value], element);
}

static double slot_number(const nn_session *session, size_t i, uint32_t slot) {
  if (!session->entry || i >= session->n_examples || slot >= session->n_slots)
    return 0;
  const struct session_example *example = &session->examples[i];
  if (example->state != EXAMPLE_DONE)
    return 0;
  uint64_t bits = example->run.results[slot];
  double number;
  switch (session->slot_types[slot]->kind) {
  case IR_TENSOR: return session_element(session, (uint32_t)bits, 0);
  case IR_FLOAT: memcpy(&number, &bits, sizeof number); return number;
  default: return (double)(int64_t)bits;
  }
}

void session_position(const nn_session *session, size_t i, char *text, size_t size) {
  size_t example = session->examples[i].traced.host.number;
  snprintf(text, size, "%s:%u", dataset_file_of(session->data, example)->path, session->data->lines[example]);
}

double nn_session_number(const nn_session *session, size_t i) { return slot_number(session, i, 0); }

const char *nn_session_error(const nn_session *session, size_t i) {
  if (i >= session->n_examples || session->examples[i].state != EXAMPLE_FAILED)
    return NULL;
  struct session_example *example = &session->examples[i];
  if (example->error)
    return example->error;
  const struct ir_module *module = session->model->module;
  const struct ir_loc *loc = &example->traced.host.error_loc;
  const char *message = example->traced.host.error;
  if (!message)
    message = "failed";
  if (loc->line == 0 || loc->file >= module->n_files)
    return message;
  size_t size = strlen(module->files[loc->file]) + strlen(message) + 64;
  example->error = value_arena_try(session->arena, size);
  if (!example->error)
    return message;
  snprintf(example->error, size, "%s:%u:%u: %s", module->files[loc->file], loc->line, loc->column, message);
  return example->error;
}

// -------------------------------------------------------------------------------------------------- training

// Of a part that is in memory.
static nn_status *backward_of_part(nn_session *session, size_t number, double scale, bool adding) {
  struct session_part part = session->parts[number];
  uint32_t *seeds = value_arena_try(session->arena, (part.n + 1) * sizeof *seeds), n = 0;
  if (!seeds)
    return status_no_memory();
  for (size_t i = part.first; i < part.first + part.n; i++)
    if (session->examples[i].state == EXAMPLE_DONE)
      seeds[n++] = session->examples[i].seed;
  return session->run->device->ops->backward(session->run, &session->minibatch, seeds, n, scale, adding);
}

nn_status *nn_session_backward(nn_session *session, double scale) {
  if (!session->entry || session->mode == NN_INFER)
    return status_new(NN_INVALID, "the backward pass needs a run in training mode before it");
  const struct ir_type *result = session->entry->result;
  if (session->n_slots != 1 || result->kind != IR_TENSOR || result->shape.rank != 0)
    return status_new(NN_INVALID, "`%s` cannot be trained: its result is no f32", session->entry->name);
  double start = clock_seconds(), weights = session->run->weights_seconds;
  session->has_gradients = false;
  // The part that is there comes first: the others have to run once more.
  size_t there = session->in_memory;
  STATUS_TRY(backward_of_part(session, there, scale, false));
  for (size_t part = 0; part < session->n_parts; part++) {
    if (part == there)
      continue;
    uint64_t *kept;
    nn_status *status = session_enter_part(session, part, &kept);
    if (!status)
      status = backward_of_part(session, part, scale, true);
    session_leave_part(session, kept);
    STATUS_TRY(status);
  }
  session->has_gradients = true;
  session->scale = scale;
  weights = session->run->weights_seconds - weights;
  session->stats.weights += weights;
  session->stats.backward += clock_seconds() - start - weights;
  return NULL;
}

static nn_status *loss_not_finite(nn_session *session, size_t i) {
  char position[300], *origin = nn_session_origin(session, i);
  session_position(session, i, position, sizeof position);
  nn_status *status = status_new(NN_NOT_FINITE, "%s: the loss is %s%s%s", position,
                                 nn_session_finiteness(session, i) == NN_NAN ? "nan"
                                 : nn_session_number(session, i) < 0         ? "-inf"
                                                                             : "inf",
                                 origin ? ": " : "", origin ? origin : "");
  free(origin);
  return status;
}

nn_status *nn_session_train(nn_session *session, nn_optimiser *optimiser, size_t entry,
                            const nn_dataset *dataset, const size_t *examples, size_t n, nn_loss_scale scale,
                            double *loss, size_t *n_failed) {
  STATUS_TRY(nn_session_run(session, entry, dataset, examples, n, NN_TRAIN));
  size_t failed = 0;
  struct long_sum sum = {0, 0};
  for (size_t i = 0; i < n; i++) {
    if (session->examples[i].state != EXAMPLE_DONE)
      failed++;
    else if (isfinite(nn_session_number(session, i)))
      long_sum_add(&sum, nn_session_number(session, i));
    else
      return loss_not_finite(session, i);
  }
  // A minibatch in which every example failed changes nothing.
  if (failed < n) {
    STATUS_TRY(nn_session_backward(session, scale == NN_LOSS_MEAN ? 1.0 / (double)(n - failed) : 1));
    STATUS_TRY(nn_optimiser_step(optimiser, session));
  }
  *loss = long_sum_value(&sum);
  *n_failed = failed;
  return NULL;
}

nn_status *nn_session_metric(nn_session *session, size_t entry, const nn_dataset *dataset,
                             const size_t *examples, size_t n, double *sum, double *weight,
                             size_t *n_failed) {
  STATUS_TRY(nn_session_run(session, entry, dataset, examples, n, NN_INFER));
  struct ir_part part;
  bool is_pair = session->n_slots == 2;
  for (uint32_t i = 0; is_pair && i < 2; i++)
    is_pair = ir_metric_part(session->slot_types[i], &part) && part.kind == IR_PART_NUMBER;
  if (!is_pair)
    return status_new(NN_INVALID, "`%s` is no metric: its result is no pair of numbers",
                      session->entry->name);
  *n_failed = 0;
  struct long_sum numerator = {*sum, 0}, denominator = {*weight, 0};
  for (size_t i = 0; i < n; i++) {
    if (session->examples[i].state != EXAMPLE_DONE) {
      ++*n_failed;
      continue;
    }
    long_sum_add(&numerator, slot_number(session, i, 0));
    long_sum_add(&denominator, slot_number(session, i, 1));
  }
  *sum = long_sum_value(&numerator);
  *weight = long_sum_value(&denominator);
  return NULL;
}

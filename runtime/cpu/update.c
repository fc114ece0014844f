// The optimiser's step, in pieces that the threads share.
//
// Lookup tables have sparse gradients: a step costs what the rows cost that have one. Under `exact` the other rows stand
// still until they are read, and then make their steps (idle.h). Under `lazy` they and their moments stand still for
// good, and decay does not reach them, as PyTorch's SparseAdam does it. Adam's bias correction counts steps, not
// touches, in both.
#include "runtime/cpu/update.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "compiler/base/array.h"
#include "runtime/base/status.h"
#include "runtime/base/threads.h"
#include "runtime/cpu/cpu.h"
#include "runtime/cpu/idle.h"
#include "runtime/cpu/settle.h"

// Elements of a dense parameter, and rows of a sparse one, that one thread updates at a time. Fixed, because
// the global norm is summed piece by piece.
enum { PIECE_ELEMENTS = 1 << 14, PIECE_ROWS = 64 };

struct piece {
  const struct param *param;
  struct param_member *member;
  size_t begin, end;  // elements, or positions in the list of touched rows
};

struct updates {
  nn_optimiser_options options;
  uint64_t n_rows;  // of tables whose rows may have steps to make up for
  struct piece *pieces;
  uint32_t n_pieces, capacity;
  double *squares;  // [piece]
  uint32_t squares_capacity;
};

// ----------------------------------------------------------------------------------------------------- life

// Zeros, of which only pages that are written ever become real memory. NULL without memory.
static char *map_zeros(size_t bytes) {
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                      0);
  if (memory == MAP_FAILED)
    return NULL;
  params_use_large_pages(memory, bytes);
  return memory;
}

static bool needs_rows(const struct updates *updates, const struct param *param,
                       const struct idle_rule *rule) {
  return param->shape->sparse && updates->options.sparse == NN_SPARSE_EXACT && !idle_does_nothing(rule);
}

static const int n_moments[] = {[NN_SGD] = 0, [NN_MOMENTUM] = 1, [NN_ADAGRAD] = 1, [NN_ADAM] = 2};

static nn_status *make_state_of(struct updates *updates, const struct param *param,
                                const struct idle_rule *rule, uint32_t steps) {
  for (uint32_t m = 0; m < param->shape->n_members; m++) {
    struct param_member *member = &param->members[m];
    for (int i = 0; i < n_moments[rule->algorithm]; i++)
      if (!(member->moments[i] = map_zeros(param->bytes)))
        return status_no_memory();
    if (!needs_rows(updates, param, rule))
      continue;
    member->seen = calloc((size_t)param->shape->rows, sizeof *member->seen);
    if (!member->seen)
      return status_no_memory();
    for (int64_t row = 0; steps && row < param->shape->rows; row++)
      atomic_init(&member->seen[row], steps);
    member->settled = steps;
  }
  return NULL;
}

static nn_status *make_state(struct cpu *cpu, uint32_t steps) {
  struct params *params = &cpu->params;
  struct updates *updates = cpu->updates;
  const nn_optimiser_options *options = &updates->options;
  const struct idle_rule rule = {.algorithm = options->algorithm,
                                 .element = params->element,
                                 .momentum = options->momentum,
                                 .beta1 = options->beta1,
                                 .beta2 = options->beta2,
                                 .epsilon = options->epsilon,
                                 .decay = options->decay};
  static const char *const arrays[] = {[NN_SGD] = "values and gradients",
                                       [NN_MOMENTUM] = "values, gradients, the moment of momentum",
                                       [NN_ADAGRAD] = "values, gradients, sums of squares of adagrad",
                                       [NN_ADAM] = "values, gradients, two moments of adam"};
  STATUS_TRY(params_check_room(params, true, n_moments[rule.algorithm], arrays[rule.algorithm]));
  size_t columns = 0;
  for (uint32_t i = 0; i < params->shapes->n; i++) {
    const struct param *param = &params->list[i];
    STATUS_TRY(make_state_of(updates, param, &rule, steps));
    if (!needs_rows(updates, param, &rule))
      continue;
    columns = (size_t)param->shape->columns > columns ? (size_t)param->shape->columns : columns;
    updates->n_rows += (uint64_t)param->shape->rows * param->shape->n_members;
  }
  params->all_move = options->decay > 0;
  if (columns == 0)
    return NULL;
  params->reads = reads_find(params->shapes->module);
  params->idle = idle_new(&rule, cpu->loops, columns, steps);
  return params->reads && params->idle ? NULL : status_no_memory();
}

static void drop_state(struct params *params) {
  for (uint32_t i = 0; i < params->shapes->n; i++) {
    for (uint32_t m = 0; m < params->list[i].shape->n_members; m++) {
      struct param_member *member = &params->list[i].members[m];
      for (int k = 0; k < 2; k++)
        if (member->moments[k])
          munmap(member->moments[k], params->list[i].bytes);
      free(member->seen);
      member->moments[0] = member->moments[1] = NULL;
      member->seen = NULL;
      member->settled = 0;
    }
  }
  idle_free(params->idle);
  reads_free(params->reads, params->shapes->module->n_blocks);
  params->idle = NULL;
  params->reads = NULL;
}

nn_status *update_begin(struct device *device, const nn_optimiser_options *options, uint64_t steps) {
  struct cpu *cpu = cpu_of(device);
  if (steps > INT32_MAX / 2)
    return status_new(NN_INVALID, "%llu steps of the optimiser are too many", (unsigned long long)steps);
  cpu->updates = calloc(1, sizeof *cpu->updates);
  if (!cpu->updates)
    return status_no_memory();
  cpu->updates->options = *options;
  nn_status *status = make_state(cpu, (uint32_t)steps);
  if (status)
    update_end(device);
  return status;
}

void update_end(struct device *device) {
  struct cpu *cpu = cpu_of(device);
  if (!cpu->updates)
    return;
  if (cpu->params.reads && cpu->params.idle)
    settle_all(&cpu->params, cpu->threads);
  drop_state(&cpu->params);
  free(cpu->updates->pieces);
  free(cpu->updates->squares);
  free(cpu->updates);
  cpu->updates = NULL;
}

// ---------------------------------------------------------------------------------------------------- pieces

static bool add_pieces(struct updates *updates, struct piece whole, size_t n, size_t step) {
  for (size_t begin = 0; begin < n; begin += step) {
    if (!array_reserve_u32(&updates->pieces, sizeof *updates->pieces, updates->n_pieces + UINT64_C(1),
                           &updates->capacity))
      return false;
    struct piece *piece = &updates->pieces[updates->n_pieces++];
    *piece = whole;
    piece->begin = begin;
    piece->end = begin + step < n ? begin + step : n;
  }
  return true;
}

static bool make_pieces(struct updates *updates, struct params *params) {
  updates->n_pieces = 0;
  for (uint32_t i = 0; i < params->shapes->n; i++) {
    const struct param *param = &params->list[i];
    for (uint32_t m = 0; m < param->shape->n_members; m++) {
      struct piece whole = {.param = param, .member = &param->members[m]};
      bool made = param->shape->sparse ? add_pieces(updates, whole, param->members[m].n_touched, PIECE_ROWS)
                                       : add_pieces(updates, whole, param->shape->elements, PIECE_ELEMENTS);
      if (!made)
        return false;
      params_changed(&param->members[m]);
    }
  }
  return true;
}

struct update {
  const struct updates *updates;
  const struct loops *loops;
  struct loops_step step;
  uint32_t number;  // of the step, from 1
  size_t element_bytes;
  atomic_bool not_finite;
};

static void update_range(const struct update *update, const struct piece *piece, size_t begin, size_t n) {
  size_t at = begin * update->element_bytes;
  char *w = piece->member->values + at;
  char *first = piece->member->moments[0] ? piece->member->moments[0] + at : NULL;
  const char *g = piece->member->gradient + at;
  switch (update->updates->options.algorithm) {
  case NN_SGD: update->loops->sgd(&update->step, w, g, n); break;
  case NN_MOMENTUM: update->loops->momentum(&update->step, w, g, first, n); break;
  case NN_ADAGRAD: update->loops->adagrad(&update->step, w, g, first, n); break;
  case NN_ADAM: update->loops->adam(&update->step, w, g, first, piece->member->moments[1] + at, n); break;
  }
}

static void update_piece(void *context, uint32_t item, int thread) {
  (void)thread;
  const struct update *update = context;
  const struct piece *piece = &update->updates->pieces[item];
  size_t columns = (size_t)piece->param->shape->columns;
  if (!piece->param->shape->sparse)
    update_range(update, piece, piece->begin, piece->end - piece->begin);
  else
    for (size_t t = piece->begin; t < piece->end; t++) {
      uint32_t row = piece->member->touched[t];
      if (t + PARAMS_AHEAD < piece->end)
        params_ask_for_row(piece->member, piece->member->touched[t + PARAMS_AHEAD],
                           columns * update->element_bytes);
      update_range(update, piece, row * columns, columns);
      if (piece->member->seen)
        atomic_store_explicit(&piece->member->seen[row], update->number, memory_order_relaxed);
    }
}

static void square_piece(void *context, uint32_t item, int thread) {
  (void)thread;
  const struct update *update = context;
  const struct piece *piece = &update->updates->pieces[item];
  size_t columns = (size_t)piece->param->shape->columns, size = update->element_bytes;
  const char *g = piece->member->gradient;
  double sum = 0;
  if (!piece->param->shape->sparse)
    sum = update->loops->sum_squares(g + piece->begin * size, piece->end - piece->begin);
  else
    for (size_t t = piece->begin; t < piece->end; t++)
      sum += update->loops->sum_squares(g + piece->member->touched[t] * columns * size, columns);
  update->updates->squares[item] = sum;
}

// A piece whose gradient is not finite ends in a flag; the others' updates must not have begun.
static void check_piece(void *context, uint32_t item, int thread) {
  (void)thread;
  struct update *update = context;
  const struct piece *piece = &update->updates->pieces[item];
  const struct param_member *member = piece->member;
  size_t columns = (size_t)piece->param->shape->columns, size = update->element_bytes;
  bool finite = true;
  if (!piece->param->shape->sparse)
    finite = update->loops->is_finite(member->gradient + piece->begin * size, piece->end - piece->begin);
  else
    for (size_t t = piece->begin; t < piece->end; t++)
      finite &= update->loops->is_finite(member->gradient + member->touched[t] * columns * size, columns) !=
                0;
  if (!finite)
    atomic_store(&update->not_finite, true);
}

// ------------------------------------------------------------------------------------------------------ step

static nn_status *find_norm(struct updates *updates, struct threads *threads, struct update *update,
                            double *norm) {
  if (updates->n_pieces > updates->squares_capacity) {
    free(updates->squares);
    updates->squares = malloc(updates->capacity * sizeof *updates->squares);
    updates->squares_capacity = updates->squares ? updates->capacity : 0;
    if (!updates->squares)
      return status_no_memory();
  }
  threads_run(threads, updates->n_pieces, square_piece, update);
  double sum = 0;
  for (uint32_t i = 0; i < updates->n_pieces; i++)
    sum += updates->squares[i];
  *norm = sqrt(sum);
  return NULL;
}

// Rows with a gradient make the steps that they have yet to make, and the step that is to come is noted.
static nn_status *catch_up(struct cpu *cpu, double rate) {
  struct params *params = &cpu->params;
  if (!params->idle)
    return NULL;
  for (uint32_t i = 0; i < params->shapes->n; i++)
    for (uint32_t m = 0; m < params->list[i].shape->n_members; m++)
      STATUS_TRY(settle_rows(params, i, m, (const int32_t *)params->list[i].members[m].touched,
                             params->list[i].members[m].n_touched, cpu->threads));
  return idle_note_step(params->idle, rate) ? NULL : status_no_memory();
}

// What has to be remembered for rows that nobody reads must not grow for ever.
static void settle_long_history(struct cpu *cpu) {
  struct params *params = &cpu->params;
  if (!params->idle || !idle_is_long(params->idle, cpu->updates->n_rows))
    return;
  settle_all(params, cpu->threads);
  idle_forget(params->idle);
}

nn_status *update_step(struct device *device, const struct device_step *step,
                       struct device_step_result *result) {
  struct cpu *cpu = cpu_of(device);
  struct updates *updates = cpu->updates;
  if (!updates)
    return status_new(NN_INVALID, "there is no optimiser");
  if (!cpu->params.has_gradients)
    return status_new(NN_INVALID, "there was no backward pass");
  params_initialise(&cpu->params, cpu->threads);
  const nn_optimiser_options *options = &updates->options;
  double t = (double)step->number;
  struct update update = {.updates = updates,
                          .number = (uint32_t)step->number,
                          .loops = cpu->loops,
                          .element_bytes = nn_element_bytes(cpu->element),
                          .step = {.rate = step->rate,
                                   .scale = 1,
                                   .decay = options->decay,
                                   .momentum = options->momentum,
                                   .epsilon = options->epsilon,
                                   .beta1 = options->beta1,
                                   .beta2 = options->beta2,
                                   .correction1 = 1 - pow(options->beta1, t),
                                   .correction2 = 1 - pow(options->beta2, t)}};
  if (!make_pieces(updates, &cpu->params))
    return status_no_memory();
  *result = (struct device_step_result){.norm = NAN};
  threads_run(cpu->threads, updates->n_pieces, check_piece, &update);
  if (update.not_finite)
    return NULL;
  if (step->clip > 0) {
    STATUS_TRY(find_norm(updates, cpu->threads, &update, &result->norm));
    if (!isfinite(result->norm))
      return NULL;
    if (result->norm > step->clip)
      update.step.scale = step->clip / result->norm;
  }
  result->finite = true;
  STATUS_TRY(catch_up(cpu, step->rate));
  threads_run(cpu->threads, updates->n_pieces, update_piece, &update);
  settle_long_history(cpu);
  return NULL;
}

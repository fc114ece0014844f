// Optimisers: SGD, momentum, Adagrad, Adam (nn.h tells the options; loops_template.h has the formulas).
//
// Lookup tables have sparse gradients: a step costs what the rows cost that have one. `exact` (the default) is what
// a dense gradient would do: the other rows stand still until they are read, and then make their steps (idle.h).
// Under `lazy` they and their moments stand still for good, and decay does not reach them, as PyTorch's SparseAdam
// does it. Adam's bias correction counts steps, not touches, in both.
//
// Moments and the number of steps belong to the parameters (runtime/cpu/params.h), beside the values that they go
// with; an optimiser holds nothing that a run would have to save.
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/base/clock.h"
#include "runtime/base/status.h"
#include "runtime/base/threads.h"
#include "runtime/cpu/idle.h"
#include "runtime/cpu/loops.h"
#include "runtime/cpu/params.h"
#include "runtime/cpu/settle.h"
#include "runtime/model/session.h"

// Elements of a dense parameter, and rows of a sparse one, that one thread updates at a time. Fixed, because
// the global norm is summed piece by piece.
enum { PIECE_ELEMENTS = 1 << 14, PIECE_ROWS = 64 };

struct piece {
  const struct param *param;
  struct param_member *member;
  size_t begin, end;  // elements, or positions in the list of touched rows
  bool by_rows;
};

struct nn_optimiser {
  nn_model *model;
  nn_optimiser_options options;
  double norm;
  uint64_t n_rows;  // of tables whose rows may have steps to make up for
  struct piece *pieces;
  uint32_t n_pieces, capacity;
  double *squares;  // [piece]
  uint32_t squares_capacity;
};

nn_optimiser_options nn_optimiser_default(nn_algorithm algorithm) {
  static const double rates[] = {
      [NN_SGD] = 0.1, [NN_MOMENTUM] = 0.01, [NN_ADAGRAD] = 0.01, [NN_ADAM] = 0.001};
  return (nn_optimiser_options){.algorithm = algorithm,
                                .rate = rates[algorithm],
                                .momentum = 0.9,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .epsilon = algorithm == NN_ADAGRAD ? 1e-10 : 1e-8};
}

bool nn_algorithm_parse(const char *name, nn_algorithm *algorithm) {
  static const char *const names[] = {"sgd", "momentum", "adagrad", "adam"};
  for (int i = 0; i < 4; i++) {
    if (strcmp(name, names[i]) != 0)
      continue;
    *algorithm = (nn_algorithm)i;
    return true;
  }
  return false;
}

// ----------------------------------------------------------------------------------------------------- life

static nn_status *check_options(const nn_optimiser_options *options) {
  const struct {
    const char *name;
    double value, least, most;
  } ranges[] = {{"learning rate", options->rate, 0, INFINITY}, {"momentum", options->momentum, 0, 1},
                {"beta1", options->beta1, 0, 0.9999999},       {"beta2", options->beta2, 0, 0.9999999},
                {"epsilon", options->epsilon, 0, INFINITY},    {"gradient clip", options->clip, 0, INFINITY},
                {"weight decay", options->decay, 0, INFINITY}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (!(ranges[i].value >= ranges[i].least && ranges[i].value <= ranges[i].most))
      return status_new(NN_INVALID, "the %s %g is out of range", ranges[i].name, ranges[i].value);
  return NULL;
}

static bool needs_rows(const nn_optimiser *optimiser, const struct param *param,
                       const struct idle_rule *rule) {
  return param->sparse && optimiser->options.sparse == NN_SPARSE_EXACT && !idle_does_nothing(rule);
}

static nn_status *make_state_of(nn_optimiser *optimiser, const struct param *param,
                                const struct idle_rule *rule) {
  static const int n_moments[] = {[NN_SGD] = 0, [NN_MOMENTUM] = 1, [NN_ADAGRAD] = 1, [NN_ADAM] = 2};
  for (uint32_t m = 0; m < param->n_members; m++) {
    struct param_member *member = &param->members[m];
    for (int i = 0; i < n_moments[rule->algorithm]; i++)
      if (!(member->moments[i] = params_map(param->bytes)))
        return status_no_memory();
    if (!needs_rows(optimiser, param, rule))
      continue;
    member->seen = calloc((size_t)param->rows, sizeof *member->seen);
    if (!member->seen)
      return status_no_memory();
  }
  return NULL;
}

static nn_status *make_state(nn_optimiser *optimiser) {
  struct params *params = model_params(optimiser->model);
  const nn_optimiser_options *options = &optimiser->options;
  const struct idle_rule rule = {.algorithm = options->algorithm,
                                 .element = params->element,
                                 .momentum = options->momentum,
                                 .beta1 = options->beta1,
                                 .beta2 = options->beta2,
                                 .epsilon = options->epsilon,
                                 .decay = options->decay};
  size_t columns = 0;
  optimiser->n_rows = 0;
  for (uint32_t i = 0; i < params->n; i++) {
    const struct param *param = &params->list[i];
    STATUS_TRY(make_state_of(optimiser, param, &rule));
    if (!needs_rows(optimiser, param, &rule))
      continue;
    columns = (size_t)param->columns > columns ? (size_t)param->columns : columns;
    optimiser->n_rows += (uint64_t)param->rows * param->n_members;
  }
  params->decays = options->decay > 0;
  if (columns == 0)
    return NULL;
  params->reads = reads_find(params->module);
  params->idle = idle_new(&rule, cpu_of(optimiser->model->device)->loops, columns);
  return params->reads && params->idle ? NULL : status_no_memory();
}

nn_status *nn_optimiser_new(nn_model *model, const nn_optimiser_options *options, nn_optimiser **optimiser) {
  if (!model->bound)
    return status_new(NN_INVALID, "the model is not bound");
  nn_optimiser_options chosen = options ? *options : nn_optimiser_default(NN_ADAM);
  if (chosen.rate == 0)
    chosen.rate = nn_optimiser_default(chosen.algorithm).rate;
  STATUS_TRY(check_options(&chosen));
  struct params *params = model_params(model);
  if (params->has_optimiser)
    return status_new(NN_INVALID, "the model has an optimiser already");
  nn_optimiser *made = calloc(1, sizeof *made);
  if (!made)
    return status_no_memory();
  made->model = model;
  made->options = chosen;
  made->norm = NAN;
  params->has_optimiser = true;
  nn_status *status = make_state(made);
  if (status)
    nn_optimiser_free(made);
  else
    *optimiser = made;
  return status;
}

void nn_optimiser_free(nn_optimiser *optimiser) {
  if (!optimiser)
    return;
  struct params *params = model_params(optimiser->model);
  if (params->reads && params->idle)
    settle_all(params, cpu_of(optimiser->model->device)->threads);
  params_drop_optimiser(params);
  free(optimiser->pieces);
  free(optimiser->squares);
  free(optimiser);
}

void nn_optimiser_set_rate(nn_optimiser *optimiser, double rate) { optimiser->options.rate = rate; }
double nn_optimiser_rate(const nn_optimiser *optimiser) { return optimiser->options.rate; }
double nn_optimiser_norm(const nn_optimiser *optimiser) { return optimiser->norm; }

// ---------------------------------------------------------------------------------------------------- pieces

static bool add_pieces(nn_optimiser *optimiser, struct piece whole, size_t n, size_t step) {
  for (size_t begin = 0; begin < n; begin += step) {
    if (!array_reserve_u32(&optimiser->pieces, sizeof *optimiser->pieces, optimiser->n_pieces + UINT64_C(1),
                           &optimiser->capacity))
      return false;
    struct piece *piece = &optimiser->pieces[optimiser->n_pieces++];
    *piece = whole;
    piece->begin = begin;
    piece->end = begin + step < n ? begin + step : n;
  }
  return true;
}

static bool make_pieces(nn_optimiser *optimiser) {
  struct params *params = model_params(optimiser->model);
  optimiser->n_pieces = 0;
  for (uint32_t i = 0; i < params->n; i++) {
    const struct param *param = &params->list[i];
    bool by_rows = param->sparse;
    for (uint32_t m = 0; m < param->n_members; m++) {
      struct piece whole = {.param = param, .member = &param->members[m], .by_rows = by_rows};
      bool made = by_rows ? add_pieces(optimiser, whole, param->members[m].n_touched, PIECE_ROWS)
                          : add_pieces(optimiser, whole, param->elements, PIECE_ELEMENTS);
      if (!made)
        return false;
      params_changed(&param->members[m]);
    }
  }
  return true;
}

struct update {
  const nn_optimiser *optimiser;
  const struct loops *loops;
  struct loops_step step;
  uint64_t number;  // of the step, from 1
  size_t element_bytes;
  atomic_bool not_finite;
};

static void update_range(const struct update *update, const struct piece *piece, size_t begin, size_t n) {
  size_t at = begin * update->element_bytes;
  char *w = piece->member->values + at;
  char *first = piece->member->moments[0] ? piece->member->moments[0] + at : NULL;
  const char *g = piece->member->gradient + at;
  switch (update->optimiser->options.algorithm) {
  case NN_SGD: update->loops->sgd(&update->step, w, g, n); break;
  case NN_MOMENTUM: update->loops->momentum(&update->step, w, g, first, n); break;
  case NN_ADAGRAD: update->loops->adagrad(&update->step, w, g, first, n); break;
  case NN_ADAM: update->loops->adam(&update->step, w, g, first, piece->member->moments[1] + at, n); break;
  }
}

static void update_piece(void *context, uint32_t item, int thread) {
  (void)thread;
  const struct update *update = context;
  const struct piece *piece = &update->optimiser->pieces[item];
  size_t columns = (size_t)piece->param->columns;
  if (!piece->by_rows)
    update_range(update, piece, piece->begin, piece->end - piece->begin);
  else
    for (size_t t = piece->begin; t < piece->end; t++) {
      uint32_t row = piece->member->touched[t];
      update_range(update, piece, row * columns, columns);
      if (piece->member->seen)
        atomic_store_explicit(&piece->member->seen[row], (uint32_t)update->number, memory_order_relaxed);
    }
}

static void square_piece(void *context, uint32_t item, int thread) {
  (void)thread;
  const struct update *update = context;
  const struct piece *piece = &update->optimiser->pieces[item];
  size_t columns = (size_t)piece->param->columns, size = update->element_bytes;
  const char *g = piece->member->gradient;
  double sum = 0;
  if (!piece->by_rows)
    sum = update->loops->sum_squares(g + piece->begin * size, piece->end - piece->begin);
  else
    for (size_t t = piece->begin; t < piece->end; t++)
      sum += update->loops->sum_squares(g + piece->member->touched[t] * columns * size, columns);
  update->optimiser->squares[item] = sum;
}

static nn_status *find_norm(nn_optimiser *optimiser, struct threads *threads, struct update *update) {
  if (optimiser->n_pieces > optimiser->squares_capacity) {
    free(optimiser->squares);
    optimiser->squares = malloc(optimiser->capacity * sizeof *optimiser->squares);
    optimiser->squares_capacity = optimiser->squares ? optimiser->capacity : 0;
    if (!optimiser->squares)
      return status_no_memory();
  }
  threads_run(threads, optimiser->n_pieces, square_piece, update);
  double sum = 0;
  for (uint32_t i = 0; i < optimiser->n_pieces; i++)
    sum += optimiser->squares[i];
  optimiser->norm = sqrt(sum);
  return NULL;
}

// A piece whose gradient is not finite ends in a flag; the others' updates must not have begun.
static void check_piece(void *context, uint32_t item, int thread) {
  (void)thread;
  struct update *update = context;
  const struct piece *piece = &update->optimiser->pieces[item];
  const struct param_member *member = piece->member;
  size_t columns = (size_t)piece->param->columns, size = update->element_bytes;
  bool finite = true;
  if (!piece->param->sparse)
    finite = update->loops->is_finite(member->gradient + piece->begin * size, piece->end - piece->begin);
  else
    for (size_t t = piece->begin; t < piece->end; t++)
      finite &= update->loops->is_finite(member->gradient + member->touched[t] * columns * size, columns) !=
                0;
  if (!finite)
    atomic_store(&update->not_finite, true);
}

static nn_status *find_clipping(nn_optimiser *optimiser, struct threads *threads, struct update *update) {
  STATUS_TRY(find_norm(optimiser, threads, update));
  if (!isfinite(optimiser->norm))
    return status_new(NN_NOT_FINITE, "the norm of the gradients overflows");
  if (optimiser->norm > optimiser->options.clip)
    update->step.scale = optimiser->options.clip / optimiser->norm;
  return NULL;
}

// Rows with a gradient make the steps that they have yet to make, and the step that is to come is noted.
static nn_status *begin_step(nn_optimiser *optimiser) {
  struct params *params = model_params(optimiser->model);
  if (!params->idle)
    return NULL;
  for (uint32_t i = 0; i < params->n; i++)
    for (uint32_t m = 0; m < params->list[i].n_members; m++)
      STATUS_TRY(settle_rows(params, i, m, (const int32_t *)params->list[i].members[m].touched,
                             params->list[i].members[m].n_touched,
                             cpu_of(optimiser->model->device)->threads));
  return idle_note_step(params->idle, optimiser->options.rate) ? NULL : status_no_memory();
}

// What has to be remembered for rows that nobody reads must not grow for ever.
static void settle_long_history(nn_optimiser *optimiser) {
  struct params *params = model_params(optimiser->model);
  if (!params->idle || !idle_is_long(params->idle, optimiser->n_rows))
    return;
  settle_all(params, cpu_of(optimiser->model->device)->threads);
  idle_forget(params->idle);
}

nn_status *nn_optimiser_step(nn_optimiser *optimiser, nn_session *session) {
  if (session->model != optimiser->model)
    return status_new(NN_INVALID, "the optimiser belongs to another model than the session");
  if (!session->has_gradients)
    return status_new(NN_INVALID, "there was no backward pass");
  const nn_optimiser_options *options = &optimiser->options;
  double start = clock_seconds();
  struct params *params = model_params(optimiser->model);
  double t = (double)params->steps + 1;
  struct update update = {.optimiser = optimiser,
                          .number = params->steps + 1,
                          .loops = cpu_of(optimiser->model->device)->loops,
                          .element_bytes = nn_element_bytes(optimiser->model->element),
                          .step = {.rate = options->rate,
                                   .scale = 1,
                                   .decay = options->decay,
                                   .momentum = options->momentum,
                                   .epsilon = options->epsilon,
                                   .beta1 = options->beta1,
                                   .beta2 = options->beta2,
                                   .correction1 = 1 - pow(options->beta1, t),
                                   .correction2 = 1 - pow(options->beta2, t)}};
  if (!make_pieces(optimiser))
    return status_no_memory();
  struct threads *threads = cpu_of(session->model->device)->threads;
  threads_run(threads, optimiser->n_pieces, check_piece, &update);
  if (update.not_finite)
    return nn_session_check_gradients(session);
  optimiser->norm = NAN;
  if (options->clip > 0)
    STATUS_TRY(find_clipping(optimiser, threads, &update));
  STATUS_TRY(begin_step(optimiser));
  threads_run(threads, optimiser->n_pieces, update_piece, &update);
  params->steps++;
  settle_long_history(optimiser);
  session->stats.update += clock_seconds() - start;
  return NULL;
}

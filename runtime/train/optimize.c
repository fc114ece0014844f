// Optimisers: SGD, momentum, Adagrad, Adam (nn.h tells the options; loops_template.h has the formulas).
//
// Lookup tables have sparse gradients. `lazy` (the default) updates the rows that the minibatch touched:
// other rows and their moments stand still, and decay does not reach them, as PyTorch's SparseAdam does it.
// `exact` treats every row as if the gradient were dense. Adam's bias correction counts steps, not touches,
// in both.
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/status.h"
#include "runtime/base/threads.h"
#include "runtime/cpu/loops.h"
#include "runtime/cpu/params.h"
#include "runtime/model/session.h"

// Elements of a dense parameter, and rows of a sparse one, that one thread updates at a time. Fixed, because
// the global norm is summed piece by piece.
enum { PIECE_ELEMENTS = 1 << 14, PIECE_ROWS = 64 };

struct moments {
  char *first, *second;  // as large as the values; NULL where the algorithm has none
};

struct piece {
  const struct param *param;
  struct param_member *member;
  struct moments *moments;
  size_t begin, end;  // elements, or positions in the list of touched rows
  bool by_rows;
};

struct nn_optimiser {
  nn_model *model;
  nn_optimiser_options options;
  uint64_t steps;
  double norm;
  struct moments *moments;  // [member], in the order of params.list
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

static char *zeros(size_t bytes) {
  bytes = (bytes + 63) / 64 * 64;
  char *memory = aligned_alloc(64, bytes);
  if (memory)
    memset(memory, 0, bytes);
  return memory;
}

static nn_status *make_moments(nn_optimiser *optimiser) {
  const struct params *params = model_params(optimiser->model);
  optimiser->moments = calloc((size_t)params->n_members + 1, sizeof *optimiser->moments);
  if (!optimiser->moments)
    return status_no_memory();
  if (optimiser->options.algorithm == NN_SGD)
    return NULL;
  uint32_t at = 0;
  for (uint32_t i = 0; i < params->n; i++) {
    for (uint32_t m = 0; m < params->list[i].n_members; m++, at++) {
      optimiser->moments[at].first = zeros(params->list[i].bytes);
      if (!optimiser->moments[at].first)
        return status_no_memory();
      if (optimiser->options.algorithm != NN_ADAM)
        continue;
      optimiser->moments[at].second = zeros(params->list[i].bytes);
      if (!optimiser->moments[at].second)
        return status_no_memory();
    }
  }
  return NULL;
}

nn_status *nn_optimiser_new(nn_model *model, const nn_optimiser_options *options, nn_optimiser **optimiser) {
  if (!model->bound)
    return status_new(NN_INVALID, "the model is not bound");
  nn_optimiser_options chosen = options ? *options : nn_optimiser_default(NN_ADAM);
  if (chosen.rate == 0)
    chosen.rate = nn_optimiser_default(chosen.algorithm).rate;
  STATUS_TRY(check_options(&chosen));
  nn_optimiser *made = calloc(1, sizeof *made);
  if (!made)
    return status_no_memory();
  made->model = model;
  made->options = chosen;
  made->norm = NAN;
  nn_status *status = make_moments(made);
  if (status)
    nn_optimiser_free(made);
  else
    *optimiser = made;
  return status;
}

void nn_optimiser_free(nn_optimiser *optimiser) {
  if (!optimiser)
    return;
  for (uint32_t i = 0; optimiser->moments && i < model_params(optimiser->model)->n_members; i++) {
    free(optimiser->moments[i].first);
    free(optimiser->moments[i].second);
  }
  free(optimiser->moments);
  free(optimiser->pieces);
  free(optimiser->squares);
  free(optimiser);
}

void nn_optimiser_set_rate(nn_optimiser *optimiser, double rate) { optimiser->options.rate = rate; }
double nn_optimiser_rate(const nn_optimiser *optimiser) { return optimiser->options.rate; }
double nn_optimiser_norm(const nn_optimiser *optimiser) { return optimiser->norm; }

// -----------------------------------------------------------------------------------------------------
// pieces

static bool add_pieces(nn_optimiser *optimiser, struct piece whole, size_t n, size_t step) {
  for (size_t begin = 0; begin < n; begin += step) {
    if (optimiser->n_pieces == optimiser->capacity) {
      uint32_t capacity = optimiser->capacity ? optimiser->capacity * 2 : 64;
      struct piece *grown = realloc(optimiser->pieces, capacity * sizeof *grown);
      if (!grown)
        return false;
      optimiser->pieces = grown;
      optimiser->capacity = capacity;
    }
    struct piece *piece = &optimiser->pieces[optimiser->n_pieces++];
    *piece = whole;
    piece->begin = begin;
    piece->end = begin + step < n ? begin + step : n;
  }
  return true;
}

static bool make_pieces(nn_optimiser *optimiser) {
  struct params *params = model_params(optimiser->model);
  uint32_t at = 0;
  optimiser->n_pieces = 0;
  for (uint32_t i = 0; i < params->n; i++) {
    const struct param *param = &params->list[i];
    bool by_rows = param->sparse && optimiser->options.sparse == NN_SPARSE_LAZY;
    for (uint32_t m = 0; m < param->n_members; m++, at++) {
      struct piece whole = {.param = param,
                            .member = &param->members[m],
                            .moments = &optimiser->moments[at],
                            .by_rows = by_rows};
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
  size_t element_bytes;
  atomic_bool not_finite;
};

static void update_range(const struct update *update, const struct piece *piece, size_t begin, size_t n) {
  size_t at = begin * update->element_bytes;
  char *w = piece->member->values + at;
  char *first = piece->moments->first ? piece->moments->first + at : NULL;
  const char *g = piece->member->gradient + at;
  switch (update->optimiser->options.algorithm) {
  case NN_SGD: update->loops->sgd(&update->step, w, g, n); break;
  case NN_MOMENTUM: update->loops->momentum(&update->step, w, g, first, n); break;
  case NN_ADAGRAD: update->loops->adagrad(&update->step, w, g, first, n); break;
  case NN_ADAM: update->loops->adam(&update->step, w, g, first, piece->moments->second + at, n); break;
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
    for (size_t t = piece->begin; t < piece->end; t++)
      update_range(update, piece, piece->member->touched[t] * columns, columns);
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
  else if (piece->by_rows)
    for (size_t t = piece->begin; t < piece->end; t++)
      finite &= update->loops->is_finite(member->gradient + member->touched[t] * columns * size, columns) !=
                0;
  else if (piece->begin == 0)
    for (size_t t = 0; t < member->n_touched; t++)
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

nn_status *nn_optimiser_step(nn_optimiser *optimiser, nn_session *session) {
  if (session->model != optimiser->model)
    return status_new(NN_INVALID, "the optimiser belongs to another model than the session");
  if (!session->has_gradients)
    return status_new(NN_INVALID, "there was no backward pass");
  const nn_optimiser_options *options = &optimiser->options;
  double start = clock_seconds();
  double t = (double)optimiser->steps + 1;
  struct update update = {.optimiser = optimiser,
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
  threads_run(threads, optimiser->n_pieces, update_piece, &update);
  optimiser->steps++;
  session->stats.update += clock_seconds() - start;
  return NULL;
}

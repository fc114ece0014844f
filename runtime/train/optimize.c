// Optimisers: SGD, momentum, Adagrad, Adam (nn.h tells the options, device.h what a step is). What they mean is here;
// the model's device makes the steps.
//
// Settings and steps are the model's (training_state.h), moments lie on its device: an optimiser holds nothing that a
// run would have to save.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/status.h"
#include "runtime/model/session.h"

struct nn_optimiser {
  nn_model *model;
  double norm;  // of the last step
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

nn_status *nn_optimiser_new(nn_model *model, const nn_optimiser_options *options, nn_optimiser **optimiser) {
  if (!model->bound)
    return status_new(NN_INVALID, "the model is not bound");
  struct training_state *state = &model->training;
  nn_optimiser_options chosen = options ? *options : nn_optimiser_default(NN_ADAM);
  if (chosen.rate == 0)
    chosen.rate = nn_optimiser_default(chosen.algorithm).rate;
  STATUS_TRY(check_options(&chosen));
  if (state->has_optimiser)
    return status_new(NN_INVALID, "the model has an optimiser already");
  nn_optimiser *made = calloc(1, sizeof *made);
  if (!made)
    return status_no_memory();
  *made = (nn_optimiser){model, NAN};
  nn_status *status = model->device->ops->begin_updates(model->device, &chosen, state->steps);
  if (status) {
    free(made);
    return status;
  }
  state->has_optimiser = true;
  state->optimiser = chosen;
  *optimiser = made;
  return NULL;
}

void nn_optimiser_free(nn_optimiser *optimiser) {
  if (!optimiser)
    return;
  nn_model *model = optimiser->model;
  model->device->ops->end_updates(model->device);
  model->training.has_optimiser = false;
  model->training.steps = 0;
  free(optimiser);
}

void nn_optimiser_set_rate(nn_optimiser *optimiser, double rate) {
  optimiser->model->training.optimiser.rate = rate;
}
double nn_optimiser_rate(const nn_optimiser *optimiser) { return optimiser->model->training.optimiser.rate; }
double nn_optimiser_norm(const nn_optimiser *optimiser) { return optimiser->norm; }

// ------------------------------------------------------------------------------------------------------ step

nn_status *nn_optimiser_step(nn_optimiser *optimiser, nn_session *session) {
  nn_model *model = optimiser->model;
  if (session->model != model)
    return status_new(NN_INVALID, "the optimiser belongs to another model than the session");
  if (!session->has_gradients)
    return status_new(NN_INVALID, "there was no backward pass");
  double start = clock_seconds();
  struct training_state *state = &model->training;
  const struct device_step step = {
      .rate = state->optimiser.rate, .clip = state->optimiser.clip, .number = state->steps + 1};
  struct device_step_result result;
  STATUS_TRY(model->device->ops->update(model->device, &step, &result));
  if (!result.finite && isinf(result.norm))
    return status_new(NN_NOT_FINITE, "the norm of the gradients overflows");
  if (!result.finite)
    return nn_session_check_gradients(session);
  optimiser->norm = result.norm;
  state->steps++;
  session->stats.update += clock_seconds() - start;
  return NULL;
}

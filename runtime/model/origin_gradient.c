// Gradients that are not finite although the results are: which example, and which operation of its backward
// pass.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/status.h"
#include "runtime/model/origin.h"

// The backward pass of a session's only example, by the slow reference, down to the first gradient that is not
// finite.
struct pass {
  const nn_session *session;
  double **gradients;  // [value] NULL: none has arrived
  char *text;
  size_t size;
};

static bool add(struct pass *pass, uint32_t value, const double *gradient, double factor) {
  uint32_t n = origin_value_elements(pass->session, value);
  double *to = pass->gradients[value];
  if (!to && !(to = pass->gradients[value] = calloc((size_t)n + 1, sizeof *to)))
    return false;
  for (uint32_t e = 0; e < n; e++) {
    to[e] += factor * gradient[e];
    if (pass->session->model->element == NN_F32)
      to[e] = (float)to[e];
  }
  return true;
}

static bool list_backward(struct pass *pass, const struct trace_row *row) {
  const nn_session *session = pass->session;
  const uint32_t *args = session->minibatch.trace.args + row->args;
  uint32_t kind = session->minibatch.trace.instances[row->instance].block;
  const double *gradient = pass->gradients[row->first_value];
  if (kind == TRACE_LIST_STACK) {
    for (uint32_t t = 0; t < args[0]; t++)
      if (!add(pass, args[2 + t], gradient + args[1] / args[0] * t, 1))
        return false;
    return true;
  }
  if (kind != TRACE_LIST_MAX) {
    double factor = kind == TRACE_LIST_MEAN ? 1.0 / args[0] : 1;
    for (uint32_t t = 0; t < args[0]; t++)
      if (!add(pass, args[2 + t], gradient, factor))
        return false;
    return true;
  }
  // The first of the terms that equal the result gets the gradient.
  double *part = calloc((size_t)args[1] + 1, sizeof *part);
  for (uint32_t t = 0; part && t < args[0]; t++) {
    bool any = false;
    for (uint32_t e = 0; e < args[1]; e++) {
      double largest = session_element(session, row->first_value, e);
      bool taken = session_element(session, args[2 + t], e) != largest;
      for (uint32_t s = 0; s < t && !taken; s++)
        taken = session_element(session, args[2 + s], e) == largest;
      part[e] = taken ? 0 : gradient[e];
      any |= !taken;
    }
    if (any && !add(pass, args[2 + t], part, 1)) {
      free(part);
      return false;
    }
  }
  free(part);
  return part != NULL;
}

// What the adjoint takes beside the forward block's parameters: saved values, gradients of the results.
static bool fill_adjoint(const struct pass *pass, struct origin_run *forward, struct origin_run *adjoint) {
  const struct ir_block *block = forward->block;
  uint32_t n_saved = block->n_outputs - block->n_results;
  for (uint32_t i = 0; i < n_saved + block->n_results; i++) {
    uint32_t param = block->n_params + i, output = i < n_saved ? block->n_results + i : i - n_saved;
    uint64_t n = origin_elements(forward, block, block->outputs[output]);
    double *to = calloc(n + 1, sizeof *to);
    if (!to)
      return false;
    adjoint->tensors[param] = to;
    const double *from = i < n_saved ? forward->outputs[output]
                                     : pass->gradients[forward->row->first_value + output];
    if (from)
      memcpy(to, from, n * sizeof *to);
    adjoint->classes[adjoint->block->params[param]->id] = (uint8_t)origin_worst(to, (int64_t)n);
  }
  return true;
}

// Whether some sink got what is not finite; if so it is explained.
static bool explain_sinks(struct pass *pass, struct origin_run *run) {
  for (const struct ir_instr *sink = run->block->first; sink; sink = sink->next) {
    for (uint32_t i = 0; sink->n_results == 0 && i < sink->n_operands; i++) {
      nn_finiteness found = (nn_finiteness)run->classes[sink->operands[i]->id];
      if (found == NN_FINITE)
        continue;
      uint32_t param;
      const struct ir_instr *instr = origin_instr(run, sink->operands[i], found, &param);
      snprintf(pass->text, pass->size, "%s from ", origin_name(found));
      origin_describe(run, instr ? instr : sink, found, true, pass->text, pass->size);
      const struct ir_value *infinite = instr && found == NN_NAN ? origin_infinite(run, instr) : NULL;
      if (!infinite || !(instr = origin_instr(run, infinite, NN_INFINITE, &param)))
        return true;
      snprintf(pass->text + strlen(pass->text), pass->size - strlen(pass->text), "; the inf is from ");
      origin_describe(run, instr, NN_INFINITE, true, pass->text, pass->size);
      return true;
    }
  }
  return false;
}

static bool pass_on(struct pass *pass, const struct trace_row *row, const struct ir_block *block,
                    double *const *gradients) {
  const struct trace *trace = &pass->session->minibatch.trace;
  uint32_t tensor = 0;
  for (uint32_t i = 0; i < block->n_params; i++) {
    if (!gradients[i])
      continue;
    const uint32_t *values;
    uint32_t n = trace_tensor(trace, (uint32_t)(row - trace->rows), tensor++, &values);
    const double *from = gradients[i];
    for (uint32_t k = 0; k < n; from += origin_value_elements(pass->session, values[k++]))
      if (!add(pass, values[k], from, 1))
        return false;
  }
  return true;
}

// Room for the gradient of each tensor and list that the block is given.
static double **input_gradients(const struct origin_run *run, const struct ir_block *block) {
  double **gradients = calloc((size_t)block->n_params + 1, sizeof *gradients);
  for (uint32_t i = 0; gradients && i < block->n_params; i++) {
    if (block->params[i]->type->kind != IR_TENSOR && block->params[i]->type->kind != IR_LIST)
      continue;
    gradients[i] = calloc(origin_elements(run, block, block->params[i]) + 1, sizeof **gradients);
    if (gradients[i])
      continue;
    while (i-- > 0)
      free(gradients[i]);
    free(gradients);
    return NULL;
  }
  return gradients;
}

static bool block_backward(struct pass *pass, const struct trace_row *row, bool *explained) {
  const struct trace *trace = &pass->session->minibatch.trace;
  const struct ir_block *block = pass->session->model->module->blocks[trace->instances[row->instance].block];
  if (!block->adjoint)
    return true;
  struct origin_run forward = {0}, adjoint = {0};
  bool done = origin_open(&forward, pass->session, row, block);
  double **gradients = done ? input_gradients(&forward, block) : NULL;
  done = gradients != NULL;
  if (done) {
    origin_evaluate(&forward);
    done = origin_open(&adjoint, pass->session, row, block->adjoint) &&
           fill_adjoint(pass, &forward, &adjoint);
  }
  if (done) {
    adjoint.in.input_gradients = gradients;
    origin_evaluate(&adjoint);
    adjoint.in.input_gradients = NULL;
    *explained = explain_sinks(pass, &adjoint);
    done = *explained || pass_on(pass, row, block, gradients);
  }
  for (uint32_t i = 0; gradients && i < block->n_params; i++)
    free(gradients[i]);
  free(gradients);
  if (forward.block)
    origin_close(&forward);
  if (adjoint.block)
    origin_close(&adjoint);
  return done;
}

// Explains the gradient of the session's only example, as far as it can.
static void explain(nn_session *session, double scale, char *text, size_t size) {
  const struct trace *trace = &session->minibatch.trace;
  struct pass pass = {session, calloc((size_t)trace->n_values + 1, sizeof *pass.gradients), text, size};
  bool goes_on = pass.gradients && add(&pass, (uint32_t)session->examples[0].run.results[0], &scale, 1);
  for (uint32_t i = trace->n_rows; goes_on && i-- > 0;) {
    const struct trace_row *row = &trace->rows[i];
    uint32_t block = trace->instances[row->instance].block;
    uint32_t results = trace_is_list(block) ? 1 : session->model->blocks[block].n_results;
    bool reached = false, explained = false;
    for (uint32_t r = 0; r < results; r++)
      reached |= pass.gradients[row->first_value + r] != NULL;
    if (!reached)
      continue;
    goes_on = trace_is_list(block) ? list_backward(&pass, row) : block_backward(&pass, row, &explained);
    goes_on &= !explained;
  }
  for (uint32_t v = 0; pass.gradients && v < trace->n_values; v++)
    free(pass.gradients[v]);
  free(pass.gradients);
  if (!*text)
    snprintf(text, size, "not finite: it overflows where it is added up");
}

static nn_status *gradients_are_finite(const nn_session *session, bool *finite) {
  struct device *device = session->model->device;
  uint32_t member;
  STATUS_TRY(device->ops->find_not_finite(device, DEVICE_GRADIENTS, &member));
  *finite = member == session->model->params.n_members;
  return NULL;
}

nn_status *nn_session_check_gradients(nn_session *session) {
  if (!session->has_gradients)
    return status_new(NN_INVALID, "there was no backward pass");
  bool finite;
  STATUS_TRY(gradients_are_finite(session, &finite));
  if (finite)
    return NULL;
  // Run again one by one: the example that fails alone is the one.
  size_t n = session->n_examples, *examples = malloc((n + 1) * sizeof *examples);
  if (!examples)
    return status_no_memory();
  for (size_t i = 0; i < n; i++)
    examples[i] = session->examples[i].traced.host.number;
  const nn_dataset *data = session->data;
  size_t entry = session->entry_number;
  nn_mode mode = session->mode;
  double scale = session->scale;
  nn_status *status = NULL;
  for (size_t i = 0; i < n && !status; i++) {
    status = nn_session_run(session, entry, data, &examples[i], 1, mode);
    if (status || session->examples[0].state != EXAMPLE_DONE)
      continue;
    status = nn_session_backward(session, scale);
    if (!status)
      status = gradients_are_finite(session, &finite);
    if (status || finite)
      continue;
    char text[2000] = "", position[300];
    explain(session, scale, text, sizeof text);
    session_position(session, 0, position, sizeof position);
    status = status_new(NN_NOT_FINITE, "%s: the gradient is %s", position, text);
  }
  free(examples);
  session->has_gradients = false;
  if (status)
    return status;
  return status_new(NN_NOT_FINITE,
                    "the gradients of a minibatch of %zu are finite one by one, and overflow when "
                    "they are added up",
                    n);
}

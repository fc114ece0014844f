// Minibatches that take more memory than there is room for run in parts, one after the other.
//
// An example computes the same bits in any part (see kernel.h), and draws what it draws anywhere, so nothing but the
// memory depends on where a minibatch is cut. The results of the parts before the last are copied out of the device;
// the backward pass runs them once more, and adds their gradients to those of the last. So only the order differs in
// which the gradients of parameters are summed over the examples: part by part.
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/base/status.h"
#include "runtime/model/session.h"

// As in result.c: what is nested deeper is not read either.
enum { MOST_NESTED = 2000 };

// ------------------------------------------------------------------------------------ copies of results

static bool holds_tensors(const struct ir_module *module, const struct ir_type *type, bool *seen) {
  switch (type->kind) {
  case IR_TENSOR: return true;
  case IR_LIST: return holds_tensors(module, type->element, seen);
  case IR_TUPLE:
    for (uint32_t i = 0; i < type->tuple.n; i++)
      if (holds_tensors(module, type->tuple.fields[i].type, seen))
        return true;
    return false;
  case IR_DATA:
    if (seen[type->data])
      return false;
    seen[type->data] = true;
    for (uint32_t c = 0; c < module->datas[type->data]->n_constructors; c++) {
      const struct ir_constructor *constructor = &module->datas[type->data]->constructors[c];
      for (uint32_t i = 0; i < constructor->n_fields; i++)
        if (holds_tensors(module, constructor->fields[i].type, seen))
          return true;
    }
    return false;
  default: return false;
  }
}

static nn_status *keep_tensor(nn_session *session, const struct ir_type *type, uint64_t *slot) {
  if (!array_reserve(&session->kept, sizeof *session->kept, session->n_kept + 1, &session->kept_capacity))
    return status_no_memory();
  size_t n = (size_t)model_elements(session->model, type);
  double *elements = value_arena_try(session->arena, n * sizeof *elements);
  if (!elements)
    return status_no_memory();
  uint32_t row = session->minibatch.trace.value_row[(uint32_t)*slot];
  session->run->device->ops->read_row(session->run, row, 0, n, elements);
  *slot = session->n_kept;
  session->kept[session->n_kept++] = elements;
  return NULL;
}

static nn_status *keep_values(nn_session *, const struct ir_type *, uint64_t *slots, int depth);

static nn_status *keep_list(nn_session *session, const struct ir_type *element, uint64_t *slot, int depth) {
  const struct value_list *list = (const struct value_list *)(uintptr_t)*slot;
  uint64_t width = ir_type_width(element);
  struct value_list *copy = value_list_new(session->arena, (uint32_t)width, list->length,
                                           list->buffer->slots + list->offset * width);
  *slot = (uintptr_t)copy;
  for (uint64_t i = 0; i < list->length; i++)
    STATUS_TRY(keep_values(session, element, copy->buffer->slots + i * width, depth + 1));
  return NULL;
}

static nn_status *keep_data(nn_session *session, const struct ir_data *data, uint64_t *slot, int depth) {
  const struct value_data *value = (const struct value_data *)(uintptr_t)*slot;
  const struct ir_constructor *constructor = &data->constructors[value->tag];
  uint32_t width = 0;
  for (uint32_t i = 0; i < constructor->n_fields; i++)
    width += ir_type_width(constructor->fields[i].type);
  struct value_data *copy = value_data_new(session->arena, value->tag, width, value->slots);
  *slot = (uintptr_t)copy;
  uint64_t *slots = copy->slots;
  for (uint32_t i = 0; i < constructor->n_fields; i++) {
    STATUS_TRY(keep_values(session, constructor->fields[i].type, slots, depth + 1));
    slots += ir_type_width(constructor->fields[i].type);
  }
  return NULL;
}

// Replaces value ids by numbers of kept tensors, in copies of the lists and data around them.
static nn_status *keep_values(nn_session *session, const struct ir_type *type, uint64_t *slots, int depth) {
  if (depth > MOST_NESTED)
    return NULL;
  switch (type->kind) {
  case IR_TENSOR: return keep_tensor(session, type, slots);
  case IR_LIST: return keep_list(session, type->element, slots, depth);
  case IR_DATA: return keep_data(session, session->model->module->datas[type->data], slots, depth);
  case IR_TUPLE:
    for (uint32_t i = 0; i < type->tuple.n; i++) {
      STATUS_TRY(keep_values(session, type->tuple.fields[i].type, slots, depth));
      slots += ir_type_width(type->tuple.fields[i].type);
    }
    return NULL;
  default: return NULL;
  }
}

static nn_status *keep_results(nn_session *session, struct session_part part) {
  const struct ir_module *module = session->model->module;
  for (uint32_t slot = 0; slot < session->n_slots; slot++) {
    bool *seen = calloc((size_t)module->n_datas + 1, sizeof *seen);
    if (!seen)
      return status_no_memory();
    bool holds = holds_tensors(module, session->slot_types[slot], seen);
    free(seen);
    for (size_t i = part.first; holds && i < part.first + part.n; i++)
      if (session->examples[i].state == EXAMPLE_DONE)
        STATUS_TRY(
            keep_values(session, session->slot_types[slot], &session->examples[i].run.results[slot], 0));
  }
  return NULL;
}

// ------------------------------------------------------------------------------------------------ parts

static nn_status *add_part(nn_session *session, struct session_part part) {
  if (!array_reserve(&session->parts, sizeof *session->parts, session->n_parts + 1, &session->parts_capacity))
    return status_no_memory();
  session->parts[session->n_parts++] = part;
  return NULL;
}

// How many examples to try when these were too many for the memory. Without decisions examples run one after the other,
// and those before the one without room fit.
static size_t fewer(const nn_session *session, const struct ir_entry *entry, struct session_part part,
                    size_t crowded_at) {
  bool decides = session->model->host->decides[entry->function];
  if (crowded_at == SIZE_MAX || decides)
    return part.n / 2;
  return crowded_at > part.first ? crowded_at - part.first : 1;
}

// Runs examples from `first` on: as many of n as there is room for, *part tells.
static nn_status *run_some(nn_session *session, const struct ir_entry *entry, size_t first, size_t n,
                           struct session_part *part) {
  for (;;) {
    size_t crowded_at;
    *part = (struct session_part){first, n};
    session_renew(session, *part, false);
    nn_status *status = session_run_part(session, entry, *part, &crowded_at);
    bool crowded = status ? nn_status_code(status) == NN_NO_MEMORY : crowded_at != SIZE_MAX;
    if (!crowded || n <= 1)
      return status;
    nn_status_free(status);
    n = fewer(session, entry, *part, crowded_at);
  }
}

nn_status *session_run_parts(nn_session *session, const struct ir_entry *entry) {
  const struct trace *trace = &session->minibatch.trace;
  nn_stats *stats = &session->stats;
  size_t n = session->n_examples, first = 0, most = n;
  session->n_parts = session->n_kept = 0;
  session->results_kept = false;
  do {
    struct session_part part;
    STATUS_TRY(run_some(session, entry, first, n - first < most ? n - first : most, &part));
    STATUS_TRY(session_print(session, part));
    if (part.n < n)
      STATUS_TRY(keep_results(session, part));
    // What was too much once would be so again, unless examples tell as they come.
    if (session->model->host->decides[entry->function] && part.n < n - first)
      most = part.n;
    STATUS_TRY(add_part(session, part));
    stats->parts++;
    stats->nodes += trace->n_rows;
    stats->instances += trace->n_instances;
    stats->batches += session->minibatch.schedule.n_batches;
    stats->decisions += trace->n_decisions;
    first += part.n;
  } while (first < n);
  session->in_memory = session->n_parts - 1;
  session->results_kept = session->n_parts > 1;
  return NULL;
}

size_t session_part_of(const nn_session *session, size_t example) {
  size_t part = 0;
  while (part + 1 < session->n_parts && example >= session->parts[part + 1].first)
    part++;
  return part;
}

static nn_status *rerun(nn_session *session, size_t number) {
  struct session_part part = session->parts[number];
  const volatile int *interrupt = session->interrupt;
  size_t crowded_at;
  // It ended before and will again; half of a gradient would be worse than to wait for it.
  session->interrupt = NULL;
  session_renew(session, part, true);
  nn_status *status = session_run_part(session, session->entry, part, &crowded_at);
  session->interrupt = interrupt;
  session->in_memory = number;
  if (!status && crowded_at != SIZE_MAX)
    status = status_new(NN_NO_MEMORY, "out of memory for what there was memory for before");
  return status;
}

// The results of all examples lie one behind the other.
static size_t result_slots(const nn_session *session) { return session->n_examples * session->n_slots; }

nn_status *session_enter_part(nn_session *session, size_t part, uint64_t **kept) {
  *kept = NULL;
  if (!session->results_kept)
    return NULL;
  size_t n = result_slots(session);
  uint64_t *results = value_arena_try(session->arena, (n + 1) * sizeof *results);
  if (!results)
    return status_no_memory();
  memcpy(results, session->examples[0].run.results, n * sizeof *results);
  *kept = results;
  STATUS_TRY(rerun(session, part));
  session->results_kept = false;
  return NULL;
}

void session_leave_part(nn_session *session, const uint64_t *kept) {
  if (!kept)
    return;
  memcpy(session->examples[0].run.results, kept, result_slots(session) * sizeof *kept);
  session->results_kept = true;
}

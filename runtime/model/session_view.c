// What the last run did, for reports: statistics, the nodes of its trace, its batches and why they are not
// fewer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "runtime/model/session.h"

struct session_view {
  struct arena texts;
  uint32_t *row_of;    // [value]
  uint32_t *batch_of;  // [row]
  bool *is_result;     // [row]
  uint32_t *inputs;    // answer of the last nn_session_node
  uint32_t inputs_capacity;
};

// ------------------------------------------------------------------------------------------------ statistics

nn_stats nn_session_stats(const nn_session *session) {
  nn_stats stats = session->stats;
  stats.flops = (uint64_t)(session->run->flops - session->flops_before);
  return stats;
}

void nn_session_reset_stats(nn_session *session) {
  size_t n = session->model->module->n_blocks;
  session->stats = (nn_stats){0};
  session->flops_before = session->run->flops;
  memset(session->run->forward, 0, n * sizeof *session->run->forward);
  memset(session->run->adjoint, 0, n * sizeof *session->run->adjoint);
  session->run->reductions = (struct device_tally){0};
}

void nn_session_profile(nn_session *session, bool on) { session->run->profile = on; }

size_t nn_session_kernel_count(const nn_session *session) {
  return (size_t)session->model->module->n_blocks * 2 + 1;
}

nn_kernel_stats nn_session_kernel(const nn_session *session, size_t number) {
  size_t n = session->model->module->n_blocks;
  const struct device_tally *tally = number < n       ? &session->run->forward[number]
                                     : number < 2 * n ? &session->run->adjoint[number - n]
                                                      : &session->run->reductions;
  const char *name = number < 2 * n ? session->model->module->blocks[number % n]->name : "reductions";
  return (nn_kernel_stats){.name = name,
                           .adjoint = number >= n && number < 2 * n,
                           .calls = tally->calls,
                           .rows = tally->rows,
                           .seconds = tally->seconds,
                           .flops = tally->flops};
}

// -------------------------------------------------------------------------------------------------- the view

void session_drop_view(nn_session *session) {
  if (!session->view)
    return;
  arena_free(&session->view->texts);
  free(session->view->row_of);
  free(session->view->batch_of);
  free(session->view->is_result);
  free(session->view->inputs);
  free(session->view);
  session->view = NULL;
}

static void mark_results(const nn_session *session, struct session_view *view) {
  // results are copies, of all parts
  if (session->n_parts > 1)
    return;
  for (size_t i = 0; i < session->n_examples; i++) {
    if (session->examples[i].state != EXAMPLE_DONE)
      continue;
    for (uint32_t slot = 0; slot < session->n_slots; slot++)
      if (session->slot_types[slot]->kind == IR_TENSOR)
        view->is_result[view->row_of[session->examples[i].run.results[slot]]] = true;
  }
}

// NULL without memory; the callers then answer with nothing.
static struct session_view *get_view(nn_session *session) {
  if (session->view)
    return session->view;
  struct session_view *view = calloc(1, sizeof *view);
  if (!view)
    return NULL;
  session->view = view;
  arena_init(&view->texts);
  const struct trace *trace = &session->minibatch.trace;
  view->row_of = calloc((size_t)trace->n_values + 1, sizeof *view->row_of);
  view->batch_of = calloc((size_t)trace->n_rows + 1, sizeof *view->batch_of);
  view->is_result = calloc((size_t)trace->n_rows + 1, sizeof *view->is_result);
  if (!view->row_of || !view->batch_of || !view->is_result) {
    session_drop_view(session);
    return NULL;
  }
  for (uint32_t v = 0; v < trace->n_values; v++)
    view->row_of[v] = trace_row_of(trace, v);
  for (uint32_t b = 0; b < session->minibatch.schedule.n_batches; b++) {
    const struct batch *batch = &session->minibatch.schedule.batches[b];
    for (uint32_t i = 0; i < batch->count; i++)
      view->batch_of[session->minibatch.schedule.order[batch->first + i]] = b;
  }
  mark_results(session, view);
  return view;
}

static const char *block_name(const nn_model *model, uint32_t block) {
  switch (block) {
  case TRACE_LIST_SUM: return "sum";
  case TRACE_LIST_MEAN: return "mean";
  case TRACE_LIST_MAX: return "max";
  case TRACE_LIST_STACK: return "stack";
  case TRACE_LIST_VECTOR: return "vector";
  default: return model->module->blocks[block]->name;
  }
}

// "{128} {4,128} {1}": the shapes of an instance's results.
static const char *shapes_text(const nn_session *session, struct arena *texts,
                               const struct trace_instance *instance) {
  const nn_model *model = session->model;
  if (trace_is_list(instance->block))
    return arena_printf(texts, "{%u}", session->minibatch.trace.keys[instance->key].elements);
  const struct ir_block *block = model->module->blocks[instance->block];
  const char *text = "";
  for (uint32_t o = 0; o < block->n_results; o++) {
    const struct ir_type *type = block->outputs[o]->type;
    const char *shape = type->shape.rank ? "" : "1";
    for (uint32_t axis = 0; axis < type->shape.rank; axis++) {
      struct ir_type vector = {.kind = IR_TENSOR, .shape = {1, {type->shape.sizes[axis]}}};
      shape = arena_printf(texts, "%s%s%llu", shape, axis ? "," : "",
                           (unsigned long long)model_elements(model, &vector));
    }
    text = arena_printf(texts, "%s%s{%s}", text, o ? " " : "", shape);
  }
  return text;
}

size_t nn_session_node_count(const nn_session *session) {
  return session->entry ? session->minibatch.trace.n_rows : 0;
}

size_t nn_session_instance_count(const nn_session *session) {
  return session->entry ? session->minibatch.trace.n_instances : 0;
}

struct view_request {
  nn_session *session;
  uint32_t number;
  nn_node node;
  nn_batch batch;
};

static void describe_node(void *context) {
  struct view_request *request = context;
  nn_session *session = request->session;
  uint32_t number = request->number;
  const struct trace *trace = &session->minibatch.trace;
  struct session_view *view = session->view;
  const struct trace_row *row = &trace->rows[number];
  const struct trace_instance *instance = &trace->instances[row->instance];
  const uint32_t *args;
  const uint16_t *map;
  uint32_t n = trace_operands(trace, number, &args, &map);
  if (n > view->inputs_capacity) {
    free(view->inputs);
    view->inputs = malloc(n * sizeof *view->inputs);
    view->inputs_capacity = view->inputs ? n : 0;
    if (!view->inputs)
      n = 0;
  }
  for (uint32_t t = 0; t < n; t++)
    view->inputs[t] = view->row_of[args[map ? map[t] : t]];
  request->node = (nn_node){.name = block_name(session->model, instance->block),
                            .shape = shapes_text(session, &view->texts, instance),
                            .example = row->example,
                            .batch = view->batch_of[number],
                            .instance = row->instance,
                            .level = instance->level,
                            .phase = instance->phase,
                            .n_inputs = n,
                            .inputs = view->inputs,
                            .result = view->is_result[number]};
}

nn_node nn_session_node(nn_session *session, size_t number) {
  struct view_request request = {session, (uint32_t)number, .node = {.name = "", .shape = ""}};
  if (number < nn_session_node_count(session) && get_view(session))
    arena_attempt(&session->view->texts, describe_node, &request);
  return request.node;
}

// --------------------------------------------------------------------------------------------------- batches

// Whether a row of `later` needs the result of one of `earlier`, directly or through others.
static bool depends(nn_session *session, uint32_t later, uint32_t earlier) {
  const struct trace *trace = &session->minibatch.trace;
  const struct schedule *schedule = &session->minibatch.schedule;
  // [batch - earlier]: a chain of batches, each after the other, costs no more than its length.
  bool *needed = calloc((size_t)later - earlier + 1, sizeof *needed);
  if (!needed)
    return true;
  // By batches: what a batch needs, all of its rows are taken to need. Between two batches of a key that is
  // exact unless another batch mixes what depends with what does not.
  needed[later - earlier] = true;
  for (uint32_t b = later + 1; b-- > earlier + 1;) {
    if (!needed[b - earlier])
      continue;
    for (uint32_t i = 0; i < schedule->batches[b].count; i++) {
      const uint32_t *args;
      const uint16_t *map;
      uint32_t n = trace_operands(trace, schedule->order[schedule->batches[b].first + i], &args, &map);
      for (uint32_t t = 0; t < n; t++) {
        uint32_t from = session->view->batch_of[session->view->row_of[args[map ? map[t] : t]]];
        if (from >= earlier)
          needed[from - earlier] = true;
      }
    }
  }
  bool found = needed[0];
  free(needed);
  return found;
}

enum reason {
#define REASON(name, number, text, explanation) REASON_##name,
#include "runtime/model/reasons.def"
#undef REASON
  N_REASONS,
};

static const nn_reason reasons[N_REASONS] = {
#define REASON(name, number, text, explanation) {number, text, explanation},
#include "runtime/model/reasons.def"
#undef REASON
};

size_t nn_reason_count(void) { return N_REASONS; }
nn_reason nn_reason_info(size_t reason) {
  return reason < N_REASONS ? reasons[reason] : (nn_reason){0, "", ""};
}

// Why a batch is not one with the batch before of its key.
static enum reason reason_of(nn_session *session, uint32_t number, uint32_t before) {
  const struct batch *batch = &session->minibatch.schedule.batches[number],
                     *previous = &session->minibatch.schedule.batches[before];
  if (session->autobatch == NN_AUTOBATCH_OFF)
    return REASON_OFF;
  if (previous->flush != batch->flush)
    return REASON_DECISION;
  if (previous->phase != batch->phase)
    return REASON_DEFERRED;
  return depends(session, number, before) ? REASON_RESULT : REASON_ORDER;
}

// The text with the batch's number in the place of its `%u`.
static const char *reason_text(struct arena *texts, const char *text, uint32_t before) {
  const char *at = strstr(text, "%u");
  return at ? arena_printf(texts, "%.*s%u%s", (int)(at - text), text, before, at + 2) : text;
}

static void explain_batch(nn_session *session, uint32_t number, nn_batch *to) {
  const struct batch *batches = session->minibatch.schedule.batches;
  uint32_t before = number;
  while (before > 0 && batches[before - 1].key != batches[number].key)
    before--;
  to->reason = "";
  if (before == 0)
    return;
  const nn_reason *reason = &reasons[reason_of(session, number, --before)];
  to->reason_code = reason->code;
  to->reason = reason_text(&session->view->texts, reason->text, before);
}

size_t nn_session_batch_count(const nn_session *session) {
  return session->entry ? session->minibatch.schedule.n_batches : 0;
}

static void describe_batch(void *context) {
  struct view_request *request = context;
  nn_session *session = request->session;
  uint32_t number = request->number;
  struct session_view *view = session->view;
  const struct batch *batch = &session->minibatch.schedule.batches[number];
  const struct trace_key *key = &session->minibatch.trace.keys[batch->key];
  const char *name = block_name(session->model, batch->block), *text = name;
  for (uint32_t m = 0; m < key->n_members; m++)
    text = arena_printf(&view->texts, "%s [%u]", text,
                        session->minibatch.trace.key_members[key->members + m]);
  if (key->elements)
    text = arena_printf(&view->texts, "%s {%u}", text, key->elements);
  nn_batch described = {.name = name,
                        .key = text,
                        .rows = batch->count,
                        .flush = batch->flush,
                        .phase = batch->phase,
                        .level = batch->level};
  explain_batch(session, number, &described);
  request->batch = described;
}

nn_batch nn_session_batch(nn_session *session, size_t number) {
  struct view_request request = {session, (uint32_t)number, .batch = {.name = "", .key = "", .reason = ""}};
  if (number < nn_session_batch_count(session) && get_view(session))
    arena_attempt(&session->view->texts, describe_batch, &request);
  return request.batch;
}

size_t nn_session_batch_lower_bound(const nn_session *session) {
  // The scheduler's scratch memory is used, and nothing else of the session.
  nn_session *own = (nn_session *)session;
  uint64_t bound = 0;
  if (!session->entry || !schedule_lower_bound(&own->minibatch.schedule, &own->minibatch.trace, &bound))
    return 0;
  return bound;
}

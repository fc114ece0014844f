#include "runtime/model/origin.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/status.h"
#include "runtime/value/value.h"

const char *origin_name(nn_finiteness finiteness) { return finiteness == NN_NAN ? "nan" : "inf"; }

static nn_finiteness class_of(double x) { return isnan(x) ? NN_NAN : isinf(x) ? NN_INFINITE : NN_FINITE; }

nn_finiteness origin_worst(const double *x, int64_t n) {
  nn_finiteness worst = NN_FINITE;
  for (int64_t i = 0; i < n; i++)
    if (class_of(x[i]) > worst)
      worst = class_of(x[i]);
  return worst;
}

// --------------------------------------------------------------------------------------- numbers of results

// Deeper than this, results are not looked at: neither does nn_session_json write them.
enum { MOST_NESTED = 2000 };

uint32_t origin_value_elements(const nn_session *session, uint32_t value) {
  const struct trace *trace = &session->minibatch.trace;
  const struct trace_instance *instance = &trace->instances[trace->value_instance[value]];
  if (trace_is_list(instance->block))
    return trace->keys[instance->key].elements;
  const struct plan_block *block = &session->model->blocks[instance->block];
  uint32_t result = value - trace->rows[trace_row_of(trace, value)].first_value;
  return block->elements[result] * (block->sizes[result] ? trace_length(trace, value) : 1);
}

// `n`: elements of the value. One of a result that was kept is not in the trace, so its size is told by its type.
static nn_finiteness value_worst(const nn_session *session, uint32_t value, uint64_t n) {
  nn_finiteness worst = NN_FINITE;
  for (uint64_t e = 0; e < n && worst != NN_NAN; e++) {
    nn_finiteness found = class_of(session_element(session, value, e));
    if (found > worst)
      worst = found;
  }
  return worst;
}

// The worst number of a result and the tensor that holds it.
struct worst {
  nn_finiteness finiteness;
  bool is_tensor;
  uint32_t value;
};

static void note(struct worst *worst, nn_finiteness finiteness, bool is_tensor, uint32_t value) {
  if (finiteness > worst->finiteness)
    *worst = (struct worst){finiteness, is_tensor, value};
}

static void look(const nn_session *, const struct ir_type *, const uint64_t *slots, int depth,
                 struct worst *);

static void look_fields(const nn_session *session, uint32_t n, const struct ir_field *fields,
                        const uint64_t *slots, int depth, struct worst *worst) {
  for (uint32_t i = 0; i < n; i++) {
    look(session, fields[i].type, slots, depth, worst);
    slots += ir_type_width(fields[i].type);
  }
}

static void look_list(const nn_session *session, const struct ir_type *element, const struct value_list *list,
                      int depth, struct worst *worst) {
  uint64_t width = ir_type_width(element);
  for (uint64_t i = 0; i < list->length && worst->finiteness != NN_NAN; i++)
    look(session, element, list->buffer->slots + (list->offset + i) * width, depth, worst);
}

static void look(const nn_session *session, const struct ir_type *type, const uint64_t *slots, int depth,
                 struct worst *worst) {
  if (depth >= MOST_NESTED || worst->finiteness == NN_NAN)
    return;
  double number;
  const struct value_data *data;
  const struct ir_data *described;
  switch (type->kind) {
  case IR_FLOAT:
    memcpy(&number, slots, sizeof number);
    note(worst, class_of(number), false, 0);
    break;
  case IR_TENSOR:
    note(worst, value_worst(session, (uint32_t)slots[0], model_elements(session->model, type)), true,
         (uint32_t)slots[0]);
    break;
  case IR_LIST:
    look_list(session, type->element, (const struct value_list *)(uintptr_t)slots[0], depth + 1, worst);
    break;
  case IR_DATA:
    data = (const struct value_data *)(uintptr_t)slots[0];
    described = session->model->module->datas[type->data];
    if (data->tag < described->n_constructors)
      look_fields(session, described->constructors[data->tag].n_fields,
                  described->constructors[data->tag].fields, data->slots, depth + 1, worst);
    break;
  case IR_TUPLE: look_fields(session, type->tuple.n, type->tuple.fields, slots, depth + 1, worst); break;
  default: break;
  }
}

static struct worst worst_of(const nn_session *session, size_t i) {
  struct worst worst = {NN_FINITE, false, 0};
  if (session->entry && i < session->n_examples && session->examples[i].state == EXAMPLE_DONE)
    look(session, session->entry->result, session->examples[i].run.results, 0, &worst);
  return worst;
}

nn_finiteness nn_session_finiteness(const nn_session *session, size_t i) {
  return worst_of(session, i).finiteness;
}

// ------------------------------------------------------------------------------------- an instance evaluated

static void read_param(void *context, uint32_t param, int64_t member, int64_t first, int64_t n, double *to) {
  const struct origin_run *run = context;
  const nn_model *model = run->session->model;
  const struct param_shape *shape = &model->params.list[param];
  bool is_there = member >= 0 && member < shape->n_members && first >= 0 &&
                  first + n <= (int64_t)shape->elements;
  nn_status *status = is_there
                          ? device_read_numbers(model->device, DEVICE_VALUES, shape->first + (uint32_t)member,
                                                (size_t)first, (size_t)n, to)
                          : NULL;
  if (!is_there || status)
    memset(to, 0, (size_t)n * sizeof *to);
  nn_status_free(status);
}

// What led to the number: the operands at the first element that is not finite, or within a reduction the first
// operand that is not finite itself.
static void sample(struct origin_run *run, const struct ir_instr *instr,
                   const struct reference_value *values) {
  const struct reference_value *y = &values[instr->results[0]->id];
  int64_t at = 0;
  while (at + 1 < y->n && class_of(y->elements[at]) < run->wanted)
    at++;
  run->n_operands = 0;
  for (uint32_t i = 0; i < instr->n_operands && run->n_operands < 2; i++) {
    const struct reference_value *a = &values[instr->operands[i]->id];
    if (a->type->kind != IR_TENSOR || !a->elements)
      continue;
    int64_t from = a->n == 1 ? 0 : at;
    if (ir_op_infos[instr->op].class == IR_CLASS_ELEMENTWISE) {
      from = at % a->n;
    } else if (a->n != 1 && a->n != y->n) {
      for (from = 0; from < a->n && class_of(a->elements[from]) == NN_FINITE;)
        from++;
      if (from == a->n)
        continue;
    }
    run->operands[run->n_operands++] = a->elements[from];
  }
}

static void observe(void *context, const struct ir_instr *instr, const struct reference_value *values) {
  struct origin_run *run = context;
  const struct reference_value *y = &values[instr->results[0]->id];
  if (y->type->kind != IR_TENSOR || !y->elements)
    return;
  run->classes[instr->results[0]->id] = (uint8_t)origin_worst(y->elements, y->n);
  if (instr == run->sampled)
    sample(run, instr, values);
}

// The rows of a tensor or a list, one after the other.
static bool read_tensor(struct origin_run *run, uint32_t param, uint32_t n_values, const uint32_t *values) {
  const nn_session *session = run->session;
  uint64_t n = n_values ? (uint64_t)n_values * origin_value_elements(session, values[0]) : 0;
  double *to = run->tensors[param] = malloc((n + 1) * sizeof *to);
  if (!to)
    return false;
  for (uint32_t i = 0; i < n_values; i++)
    for (uint32_t e = 0, own = origin_value_elements(session, values[i]); e < own; e++)
      *to++ = session_element(session, values[i], e);
  run->classes[run->block->params[param]->id] = (uint8_t)origin_worst(run->tensors[param], (int64_t)n);
  return true;
}

// Words of a row's arguments, in the order of the forward block's parameters.
static bool read_arguments(struct origin_run *run, const struct ir_block *forward) {
  const nn_session *session = run->session;
  const struct trace *trace = &session->minibatch.trace;
  const uint32_t *words = session->minibatch.trace.args + run->row->args;
  uint32_t tensor = 0;
  for (uint32_t i = 0; i < forward->n_params; i++) {
    const struct ir_type *type = forward->params[i]->type;
    if (type->kind == IR_FLOAT) {
      memcpy(&run->numbers[i], words, sizeof run->numbers[i]);
      run->classes[run->block->params[i]->id] = (uint8_t)class_of(run->numbers[i]);
      words += 2;
    } else if (type->kind == IR_TENSOR || type->kind == IR_LIST) {
      const uint32_t *values;
      uint32_t n = trace_tensor(trace, (uint32_t)(run->row - trace->rows), tensor++, &values);
      if (!read_tensor(run, i, n, values))
        return false;
      words++;
    } else {
      run->integers[i] = (int32_t)*words++;
    }
  }
  if (forward->random) {
    run->in.example = words[0];
    run->in.ordinal = words[1];
  }
  return true;
}

uint64_t origin_elements(const struct origin_run *run, const struct ir_block *block,
                         const struct ir_value *value) {
  const nn_model *model = run->session->model;
  int64_t per_unit;
  uint32_t number = kernel_runtime_size(block, value, model->dims, &per_unit);
  return number ? (uint64_t)per_unit * (uint64_t)run->sizes[number - 1]
                : model_elements(model, value->type->kind == IR_LIST ? value->type->element : value->type);
}

bool origin_open(struct origin_run *run, const nn_session *session, const struct trace_row *row,
                 const struct ir_block *block) {
  const nn_model *model = session->model;
  *run = (struct origin_run){.session = session, .row = row, .block = block};
  const struct trace *trace = &session->minibatch.trace;
  const struct trace_ragged *ragged = trace->blocks[trace->instances[row->instance].block].ragged;
  for (uint32_t k = 0; ragged && k < ragged->n_sizes; k++)
    run->sizes[k] = trace_sizes(trace, (uint32_t)(row - trace->rows))[k];
  size_t n = block->n_params + 1;
  run->tensors = calloc(n, sizeof *run->tensors);
  run->integers = calloc(n, sizeof *run->integers);
  run->numbers = calloc(n, sizeof *run->numbers);
  run->outputs = calloc(block->n_outputs + 1, sizeof *run->outputs);
  run->classes = calloc(block->n_values + 1, 1);
  if (!run->tensors || !run->integers || !run->numbers || !run->outputs || !run->classes)
    return false;
  for (uint32_t i = 0; i < block->n_outputs; i++) {
    uint64_t elements = origin_elements(run, block, block->outputs[i]);
    if (!(run->outputs[i] = malloc((elements + 1) * sizeof **run->outputs)))
      return false;
  }
  run->in = (struct reference){.dims = model->dims,
                               .sizes = run->sizes,
                               .tensors = (const double *const *)run->tensors,
                               .integers = run->integers,
                               .numbers = run->numbers,
                               .dropout = session->mode == NN_TRAIN,
                               .seed = model->options.seed,
                               .epoch = session_epoch(session),
                               .outputs = run->outputs,
                               .read_param = read_param,
                               .observe = observe,
                               .context = run,
                               .single = model->element == NN_F32};
  return read_arguments(run, model->module->blocks[trace->instances[row->instance].block]);
}

void origin_close(struct origin_run *run) {
  for (uint32_t i = 0; run->tensors && i < run->block->n_params; i++)
    free(run->tensors[i]);
  for (uint32_t i = 0; run->outputs && i < run->block->n_outputs; i++)
    free(run->outputs[i]);
  free(run->tensors);
  free(run->outputs);
  free(run->integers);
  free(run->numbers);
  free(run->classes);
}

void origin_evaluate(struct origin_run *run) {
  reference_run(run->session->model->module, run->block, &run->in);
}

const struct ir_instr *origin_instr(const struct origin_run *run, const struct ir_value *value,
                                    nn_finiteness wanted, uint32_t *param) {
  for (;;) {
    const struct ir_instr *instr = value->def;
    if (!instr) {
      for (*param = 0; *param < run->block->n_params && run->block->params[*param] != value;)
        ++*param;
      return NULL;
    }
    const struct ir_value *from = NULL;
    for (uint32_t i = 0; i < instr->n_operands && !from; i++)
      if (run->classes[instr->operands[i]->id] == wanted)
        from = instr->operands[i];
    if (!from)
      return instr;
    value = from;
  }
}

const struct ir_value *origin_infinite(const struct origin_run *run, const struct ir_instr *instr) {
  for (uint32_t i = 0; i < instr->n_operands; i++)
    if (run->classes[instr->operands[i]->id] == NN_INFINITE)
      return instr->operands[i];
  return NULL;
}

// ------------------------------------------------------------------------------------------------------ text

static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...) {
  size_t n = strlen(text);
  va_list args;
  va_start(args, format);
  vsnprintf(text + n, size - n, format, args);
  va_end(args);
}

static void append_number(char *text, size_t size, double x) {
  append(text, size, "%s%.6g", isinf(x) && x < 0 ? "-" : "", isnan(x) ? NAN : isinf(x) ? INFINITY : x);
}

static void append_place(char *text, size_t size, const struct ir_module *module, const struct ir_loc *loc,
                         bool column) {
  if (loc->line == 0 || loc->file >= module->n_files)
    append(text, size, "?");
  else if (column)
    append(text, size, "%s:%u:%u", module->files[loc->file], loc->line, loc->column);
  else
    append(text, size, "%s:%u", module->files[loc->file], loc->line);
}

// The parameter that an instruction reads, if that is what it does.
static const struct ir_param *param_of(const struct ir_module *module, const struct ir_instr *instr) {
  if (instr->op == IR_OP_LOOKUP && instr->operands[0]->def)
    instr = instr->operands[0]->def;
  return instr->op == IR_OP_PARAM ? module->params[instr->symbol] : NULL;
}

void origin_describe(struct origin_run *run, const struct ir_instr *instr, nn_finiteness wanted,
                     bool derivative, char *text, size_t size) {
  const struct ir_module *module = run->session->model->module;
  const struct ir_param *param = param_of(module, instr);
  if (param) {
    append(text, size, "parameter `%s` holds %s, read", param->name, origin_name(wanted));
  } else if (instr->op == IR_OP_SCALAR) {
    append(text, size, "a number of the data or the control flow, used");
  } else {
    run->sampled = instr;
    run->wanted = wanted;
    origin_evaluate(run);
    append(text, size, "`%s`", ir_op_infos[instr->op].name);
    for (uint32_t i = 0; i < run->n_operands; i++) {
      append(text, size, i ? " and " : " of ");
      append_number(text, size, run->operands[i]);
    }
    append(text, size, derivative ? " in the derivative" : "");
  }
  append(text, size, " at ");
  append_place(text, size, module, &instr->loc, true);
  append(text, size, " in block %s (", run->block->name);
  append_place(text, size, module, &run->block->loc, false);
  append(text, size, ")");
}

// ---------------------------------------------------------------------------------------------------- search

struct search {
  const nn_session *session;
  uint32_t value;  // to be explained
  nn_finiteness wanted;
  char *text;
  size_t size;
};

static bool is_handed_in(const struct ir_value *param) {
  return param->type->kind == IR_TENSOR || param->type->kind == IR_LIST;
}

// Describes what made the value, or moves on to the operand that handed it in. Another value to be explained, of
// the infinity that a nan was made of, may follow. false: there is nothing more to say.
static bool search_block(struct search *search, const struct trace_row *row) {
  const nn_session *session = search->session;
  const struct trace *trace = &session->minibatch.trace;
  const struct ir_block *block = session->model->module->blocks[trace->instances[row->instance].block];
  struct origin_run run;
  bool goes_on = false;
  uint32_t param = 0;
  if (origin_open(&run, session, row, block)) {
    origin_evaluate(&run);
    const struct ir_value *output = block->outputs[search->value - row->first_value];
    const struct ir_instr *instr = NULL;
    // Kernels round in other places than the reference does; then the block is all that can be said.
    if (run.classes[output->id] != search->wanted)
      append(search->text, search->size, "a value of block %s at ", block->name),
          append_place(search->text, search->size, session->model->module, &block->loc, true);
    else if ((instr = origin_instr(&run, output, search->wanted, &param)))
      origin_describe(&run, instr, search->wanted, false, search->text, search->size);
    else if (param < block->n_params && is_handed_in(block->params[param]))
      goes_on = true;
    else
      append(search->text, search->size, "a number of the data or the control flow");
    const struct ir_value *infinite = instr && search->wanted == NN_NAN ? origin_infinite(&run, instr) : NULL;
    if (infinite) {
      search->wanted = NN_INFINITE;
      append(search->text, search->size, "; the inf is from ");
      if ((instr = origin_instr(&run, infinite, NN_INFINITE, &param)))
        origin_describe(&run, instr, NN_INFINITE, false, search->text, search->size);
      goes_on = !instr && param < block->n_params && is_handed_in(block->params[param]);
    }
  }
  if (goes_on) {  // to the value, or the first element of the list that is as bad
    uint32_t tensor = 0, i = 0;
    for (uint32_t k = 0; k < param; k++)
      tensor += is_handed_in(block->params[k]);
    const uint32_t *values;
    uint32_t n = trace_tensor(trace, (uint32_t)(row - trace->rows), tensor, &values);
    while (i + 1 < n &&
           value_worst(session, values[i], origin_value_elements(session, values[i])) != search->wanted)
      i++;
    search->value = values[i];
  }
  origin_close(&run);
  return goes_on;
}

static bool search_list(struct search *search, const struct trace_row *row) {
  const struct trace *trace = &search->session->minibatch.trace;
  const uint32_t *args = trace->args + row->args, kind = trace->instances[row->instance].block;
  if (kind == TRACE_LIST_VECTOR) {
    append(search->text, search->size, "a number of the data or the control flow");
    return false;
  }
  for (uint32_t t = 0; t < args[0]; t++) {
    if (value_worst(search->session, args[2 + t], origin_value_elements(search->session, args[2 + t])) !=
        search->wanted)
      continue;
    search->value = args[2 + t];
    return true;
  }
  static const char *const names[] = {"sum", "mean", "max", "tensor"};
  append(search->text, search->size, "`%s` of a list of %u at ", names[kind - TRACE_LIST_SUM], args[0]);
  struct ir_loc loc = trace_list_loc(trace, row);
  append_place(search->text, search->size, search->session->model->module, &loc, true);
  return false;
}

// A host number may be the value of a tensor: the first one of the example that is as bad.
static bool find_read(const nn_session *session, size_t i, nn_finiteness wanted, uint32_t *value) {
  const struct trace *trace = &session->minibatch.trace;
  for (*value = 0; *value < trace->n_values; ++*value)
    if (trace->rows[trace_row_of(trace, *value)].example == i &&
        value_worst(session, *value, origin_value_elements(session, *value)) == wanted)
      return true;
  return false;
}

// Of an example whose trace is in memory.
static char *find_origin(const nn_session *session, size_t i) {
  enum { SIZE = 2000 };
  struct worst worst = worst_of(session, i);
  char *text = worst.finiteness == NN_FINITE ? NULL : calloc(1, SIZE);
  if (!text)
    return NULL;
  struct search search = {session, worst.value, worst.finiteness, text, SIZE};
  const struct trace *trace = &session->minibatch.trace;
  bool goes_on = worst.is_tensor || find_read(session, i, worst.finiteness, &search.value);
  if (!goes_on)
    append(text, SIZE, "a number of the data or the control flow");
  while (goes_on) {
    const struct trace_row *row = &trace->rows[trace_row_of(trace, search.value)];
    goes_on = trace_is_list(trace->instances[row->instance].block) ? search_list(&search, row)
                                                                   : search_block(&search, row);
  }
  return text;
}

char *nn_session_origin(nn_session *session, size_t i) {
  if (worst_of(session, i).finiteness == NN_FINITE)
    return NULL;
  uint64_t *kept;
  nn_status *status = session_enter_part(session, session_part_of(session, i), &kept);
  char *text = status ? NULL : find_origin(session, i);
  session_leave_part(session, kept);
  nn_status_free(status);
  return text;
}

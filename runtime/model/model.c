// A model's life: opening, binding to sizes and a device, what it then holds.
#include "runtime/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/status.h"
#include "runtime/cpu/cpu.h"
#include "runtime/jit/jit.h"

// --------------------------------------------------------------------------------------- opening and closing

nn_options nn_options_default(void) { return (nn_options){0}; }

nn_status *nn_model_open(const char *path, nn_model **model) {
  char *error = NULL;
  struct ir_module *module = ir_module_read(path, &error);
  if (!module)
    return status_take(NN_DATA, error);
  return model_from_module(module, model);
}

// What a vocabulary holds in any case.
static bool fix_entries(struct vocab *vocab, const struct ir_dim *dim) {
  const char **entries = calloc((size_t)dim->n_members + 1, sizeof *entries);
  size_t n = 0;
  if (!entries)
    return false;
  if (!dim->closed)
    entries[n++] = dim->unknown ? dim->unknown : "<unk>";
  for (uint32_t i = 0; i < dim->n_members; i++)
    entries[n++] = dim->members[i];
  vocab_normalise(vocab, dim->normal);
  bool ok = vocab_fix(vocab, entries, n);
  free(entries);
  return ok;
}

static bool set_members(struct vocab *set, const struct ir_dim *dim) {
  return vocab_set(set, dim->members, dim->n_members, NULL);
}

static nn_status *make_vocabs(nn_model *model) {
  const struct ir_module *module = model->module;
  for (uint32_t i = 0; i < module->n_dims; i++) {
    const struct ir_dim *dim = module->dims[i];
    model->metadata_dims[i] = MODEL_NO_DIM;
    if (dim->atom.kind == SIZE_DIM)
      continue;
    bool is_enum = dim->atom.kind == SIZE_ENUM;
    model->sets[i] = vocab_new(dim->atom.name, is_enum || dim->closed, dim->min_count, dim->max_size);
    if (!is_enum)
      model->vocabs[i] = model->sets[i];
    if (!model->sets[i] || !(is_enum ? set_members(model->sets[i], dim) : fix_entries(model->sets[i], dim)))
      return status_no_memory();
  }
  return NULL;
}

static char *parameters_text(const struct ir_module *module, const struct ir_entry *entry) {
  const struct ir_type tuple = {.kind = IR_TUPLE, .tuple = {NULL, entry->n_params, entry->params}};
  char *text = model_type_text(module, &tuple);
  if (!text)
    return NULL;
  // Without the parentheses.
  size_t length = strlen(text);
  memmove(text, text + 1, length - 2);
  text[length - 2] = '\0';
  return text;
}

static nn_status *make_entry_texts(nn_model *model) {
  for (uint32_t i = 0; i < model->module->n_entries; i++) {
    const struct ir_entry *entry = model->module->entries[i];
    model->entry_parameters[i] = parameters_text(model->module, entry);
    model->entry_results[i] = model_type_text(model->module, entry->result);
    if (!model->entry_parameters[i] || !model->entry_results[i])
      return status_no_memory();
  }
  return NULL;
}

static nn_status *fill_model(nn_model *model) {
  char *error = NULL;
  if (!ir_verify(model->module, &error))
    return status_take(NN_DATA, error);
  size_t n_dims = model->module->n_dims, n_entries = model->module->n_entries;
  model->vocabs = calloc(n_dims + 1, sizeof(struct vocab *));
  model->sets = calloc(n_dims + 1, sizeof(struct vocab *));
  model->metadata_dims = calloc(n_dims + 1, sizeof *model->metadata_dims);
  model->entry_parameters = calloc(n_entries + 1, sizeof *model->entry_parameters);
  model->entry_results = calloc(n_entries + 1, sizeof *model->entry_results);
  if (!model->vocabs || !model->sets || !model->metadata_dims || !model->entry_parameters ||
      !model->entry_results)
    return status_no_memory();
  STATUS_TRY(make_vocabs(model));
  return make_entry_texts(model);
}

nn_status *model_from_module(struct ir_module *module, nn_model **model) {
  nn_model *made = calloc(1, sizeof *made);
  if (!made) {
    ir_module_free(module);
    return status_no_memory();
  }
  made->module = module;
  nn_status *status = fill_model(made);
  if (status)
    nn_model_free(made);
  else
    *model = made;
  return status;
}

static void free_blocks(nn_model *model) {
  uint32_t n = model->module->n_blocks;
  for (uint32_t i = 0; model->trace_blocks && i < n; i++) {
    free((void *)model->trace_blocks[i].kinds);
    free((void *)model->trace_blocks[i].is_member);
    trace_block_free(&model->trace_blocks[i]);
  }
  for (uint32_t i = 0; model->blocks && i < n; i++) {
    free(model->blocks[i].slots);
    free(model->blocks[i].elements);
    free(model->blocks[i].units);
    free(model->blocks[i].sizes);
  }
  free(model->trace_blocks);
  free(model->blocks);
}

void nn_model_free(nn_model *model) {
  if (!model)
    return;
  for (uint32_t i = 0; model->sets && i < model->module->n_dims; i++)
    vocab_free(model->sets[i]);
  free(model->sets);
  for (uint32_t i = 0; i < model->module->n_entries; i++) {
    if (model->entry_parameters)
      free(model->entry_parameters[i]);
    if (model->entry_results)
      free(model->entry_results[i]);
  }
  free(model->vocabs);
  free(model->metadata_dims);
  free(model->entry_parameters);
  free(model->entry_results);
  if (model->device)
    model->device->ops->close(model->device);
  free_blocks(model);
  param_shapes_free(&model->params);
  free(model->training.order);
  if (model->host)
    host_code_free(model->host);
  if (model->jit)
    jit_free(model->jit);
  free(model->dims);
  ir_module_free(model->module);
  free(model);
}

// --------------------------------------------------------------------------------------------------- entries

size_t nn_model_entry_count(const nn_model *model) { return model->module->n_entries; }

const char *nn_model_entry_name(const nn_model *model, size_t entry) {
  return model->module->entries[entry]->name;
}

bool nn_model_entry_is_metric(const nn_model *model, size_t entry) {
  return model->module->entries[entry]->is_metric;
}

bool nn_model_entry_is_trainable(const nn_model *model, size_t entry) {
  const struct ir_type *result = model->module->entries[entry]->result;
  return result->kind == IR_TENSOR && result->shape.rank == 0;
}

static bool reads_param(const struct ir_block *block) {
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    if (instr->op == IR_OP_PARAM)
      return true;
  return false;
}

bool nn_model_entry_learns(const nn_model *model, size_t entry) {
  const struct ir_module *module = model->module;
  uint32_t n = 0, *met = calloc((size_t)module->n_functions + 1, sizeof *met);
  bool *is_met = calloc((size_t)module->n_functions + 1, sizeof *is_met), found = !met || !is_met;
  if (!found)
    is_met[met[n++] = module->entries[entry]->function] = true;
  for (uint32_t done = 0; !found && done < n; done++)
    for (const struct ir_bb *bb = module->functions[met[done]]->entry; bb; bb = bb->next)
      for (const struct ir_instr *instr = bb->first; instr; instr = instr->next) {
        found |= instr->op == IR_EMIT && reads_param(module->blocks[instr->symbol]);
        if (instr->op == IR_CALL && !is_met[instr->symbol])
          is_met[met[n++] = instr->symbol] = true;
      }
  free(met);
  free(is_met);
  return found;
}

bool nn_model_find_entry(const nn_model *model, const char *name, size_t *entry) {
  for (uint32_t i = 0; i < model->module->n_entries; i++) {
    if (strcmp(model->module->entries[i]->name, name) != 0)
      continue;
    *entry = i;
    return true;
  }
  return false;
}

const char *nn_model_entry_parameters(const nn_model *model, size_t entry) {
  return model->entry_parameters[entry];
}
const char *nn_model_entry_result(const nn_model *model, size_t entry) { return model->entry_results[entry]; }
const char *nn_model_note(const nn_model *model, nn_note note) {
  if (note == NN_NOTE_CACHE)
    return model->jit ? jit_cache_message(model->jit) : NULL;
  return model->device ? model->device->ops->note(model->device, note) : NULL;
}

const char *nn_model_name(const nn_model *model) { return model->module->name; }

// --------------------------------------------------------------------------------------------------- binding

uint64_t model_elements(const nn_model *model, const struct ir_type *tensor) {
  uint64_t elements = 1;
  for (uint32_t i = 0; i < tensor->shape.rank; i++) {
    int64_t size;
    if (!size_evaluate_by_id(tensor->shape.sizes[i], model->dims, &size) || size <= 0)
      return 0;
    if (__builtin_mul_overflow(elements, (uint64_t)size, &elements))
      return 0;
  }
  return elements;
}

// Marks the parameters of a block that select a member of a family.
static void mark_members(const struct ir_block *block, const struct ir_block *code, uint8_t *is_member) {
  for (const struct ir_instr *instr = code->first; instr; instr = instr->next) {
    if (instr->op != IR_OP_PARAM || instr->n_operands == 0)
      continue;
    for (uint32_t i = 0; i < block->n_params; i++)
      if (code->params[i] == instr->operands[0])
        is_member[i] = 1;
  }
}

static nn_status *bind_outputs(nn_model *model, const struct ir_block *block, struct plan_block *bound) {
  for (uint32_t i = 0; i < block->n_outputs; i++) {
    int64_t per_unit;
    bound->sizes[i] = kernel_runtime_size(block, block->outputs[i], model->dims, &per_unit);
    uint64_t elements = bound->sizes[i] ? (uint64_t)per_unit : model_elements(model, block->outputs[i]->type);
    if (elements == 0 || elements > INT32_MAX)
      return status_new(NN_INVALID, "block `%s` has a tensor with a size that is not positive or too large",
                        block->name);
    bound->elements[i] = (uint32_t)elements;
    bound->units[i] = (uint32_t)(nn_row_elements(elements) / NN_LANES);
  }
  return NULL;
}

// The run-time sizes of a block's operands and results.
static nn_status *bind_ragged(nn_model *model, const struct ir_block *block, struct trace_block *traced,
                              struct plan_block *bound) {
  struct trace_ragged *ragged = traced->ragged = calloc(1, sizeof *ragged);
  if (!ragged)
    return status_no_memory();
  ragged->is_list = calloc((size_t)block->n_params + 1, sizeof *ragged->is_list);
  ragged->tensor_sizes = calloc((size_t)block->n_params + 1, sizeof *ragged->tensor_sizes);
  ragged->result_sizes = calloc((size_t)block->n_results + 1, sizeof *ragged->result_sizes);
  ragged->index_sizes = calloc((size_t)block->n_params + 1, sizeof *ragged->index_sizes);
  ragged->bytes = calloc(IR_MAX_RUNTIME, sizeof *ragged->bytes);
  ragged->trained_bytes = calloc(IR_MAX_RUNTIME, sizeof *ragged->trained_bytes);
  if (!ragged->is_list || !ragged->tensor_sizes || !ragged->result_sizes || !ragged->index_sizes ||
      !ragged->bytes || !ragged->trained_bytes)
    return status_no_memory();
  uint32_t tensor = 0;
  for (uint32_t i = 0; i < block->n_params; i++) {
    const struct ir_type *type = block->params[i]->type;
    if (type->kind != IR_LIST && type->kind != IR_TENSOR)
      continue;
    uint32_t number = kernel_runtime_size(block, block->params[i], model->dims, NULL);
    ragged->is_list[tensor] = type->kind == IR_LIST;
    ragged->tensor_sizes[tensor++] = number;
    if (number > ragged->n_sizes)
      ragged->n_sizes = number;
  }
  uint64_t element = nn_element_bytes(model->device_model.element);
  for (uint32_t o = 0; o < block->n_outputs; o++) {
    uint32_t number = bound->sizes[o];
    if (number > ragged->n_sizes)
      return status_new(NN_DATA, "block `%s` makes a tensor of a size that nothing tells it", block->name);
    if (o < block->n_results)
      ragged->result_sizes[o] = number;
    if (number && o < block->n_results)
      ragged->bytes[number - 1] += bound->elements[o] * element;
    if (number)
      ragged->trained_bytes[number - 1] += (o < block->n_results ? 2 : 1) * bound->elements[o] * element;
  }
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    for (uint32_t i = 0; ir_op_infos[instr->op].takes_index && i < block->n_params; i++)
      if (instr->operands[instr->n_operands - 1] == block->params[i] &&
          ir_runtime_number(ir_indexed_size(instr)) > 0)
        ragged->index_sizes[bound->slots[i]] = ir_runtime_number(ir_indexed_size(instr));
  bound->n_sizes = ragged->n_sizes;
  return NULL;
}

static nn_status *bind_block(nn_model *model, uint32_t number) {
  const struct ir_block *block = model->module->blocks[number];
  struct trace_block *traced = &model->trace_blocks[number];
  struct plan_block *bound = &model->blocks[number];
  // Positions of words are held in 16 bits, and a member key on the stack.
  if (block->n_params > 10000)
    return status_new(NN_DATA, "block `%s` has too many parameters", block->name);
  size_t n = block->n_params + 1;
  uint8_t *kinds = calloc(n, 1), *is_member = calloc(n, 1);
  traced->kinds = kinds;
  traced->is_member = is_member;
  bound->slots = calloc(n, sizeof *bound->slots);
  bound->elements = calloc((size_t)block->n_outputs + 1, sizeof *bound->elements);
  bound->units = calloc((size_t)block->n_outputs + 1, sizeof *bound->units);
  bound->sizes = calloc((size_t)block->n_outputs + 1, sizeof *bound->sizes);
  if (!kinds || !is_member || !bound->slots || !bound->elements || !bound->units || !bound->sizes)
    return status_no_memory();
  uint16_t tensors = 0, indices = 0, numbers = 0;
  for (uint32_t i = 0; i < block->n_params; i++) {
    kinds[i] = (uint8_t)block->params[i]->type->kind;
    bound->slots[i] = kinds[i] == IR_TENSOR || kinds[i] == IR_LIST ? tensors++
                      : kinds[i] == IR_FLOAT                       ? numbers++
                                                                   : indices++;
  }
  mark_members(block, block, is_member);
  if (block->adjoint)
    mark_members(block, block->adjoint, is_member);
  traced->n_params = bound->n_params = block->n_params;
  traced->n_values = bound->n_results = block->n_results;
  bound->n_outputs = block->n_outputs;
  traced->deferred = block->deferred;
  traced->uniform = block->uniform;
  traced->random = block->random;
  STATUS_TRY(bind_outputs(model, block, bound));
  uint64_t unit = NN_LANES * nn_element_bytes(model->device_model.element), row = 0, trained = 0;
  for (uint32_t o = 0; o < block->n_outputs; o++) {
    if (bound->sizes[o])
      continue;
    row += o < block->n_results ? bound->units[o] * unit : 0;
    trained += bound->units[o] * unit;  // the gradient of a result, or a saved value
  }
  if (ir_block_is_ragged(block))
    STATUS_TRY(bind_ragged(model, block, traced, bound));
  traced->row_bytes = row;
  traced->training_bytes = trained;
  if (!trace_block_finish(traced))
    return status_no_memory();
  if (traced->n_members > UINT8_MAX)
    return status_new(NN_DATA, "block `%s` has too many members", block->name);
  return NULL;
}

static nn_status *bind_blocks(nn_model *model) {
  uint32_t n = model->module->n_blocks;
  model->trace_blocks = calloc((size_t)n + 1, sizeof *model->trace_blocks);
  model->blocks = calloc((size_t)n + 1, sizeof *model->blocks);
  if (!model->trace_blocks || !model->blocks)
    return status_no_memory();
  for (uint32_t i = 0; i < n; i++)
    STATUS_TRY(bind_block(model, i));
  return NULL;
}

static const struct device_ops *const devices[] = {&cpu_device};
enum { N_DEVICES = sizeof devices / sizeof *devices };

size_t nn_device_count(void) { return N_DEVICES; }
const char *nn_device_name(size_t device) { return device < N_DEVICES ? devices[device]->name : NULL; }

static nn_status *find_device(const char *name, const struct device_ops **device) {
  *device = devices[0];
  if (!name)
    return NULL;
  char list[256] = "";
  for (size_t i = 0; i < N_DEVICES; i++) {
    *device = devices[i];
    if (strcmp(name, devices[i]->name) == 0)
      return NULL;
    size_t n = strlen(list);
    snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", devices[i]->name);
  }
  return status_new(NN_INVALID, "there is no device `%s`; this build has: %s", name, list);
}

static nn_status *bind_device(nn_model *model, const nn_options *options) {
  const struct device_ops *device;
  STATUS_TRY(find_device(options->device, &device));
  char *error = NULL;
  const struct jit_options jit_options = {.cache_dir = options->cache_dir};
  model->jit = jit_new(&jit_options, &error);
  if (!model->jit)
    return status_take(NN_COMPILE, error);
  model->device_model = (struct device_model){.module = model->module,
                                              .dims = model->dims,
                                              .params = &model->params,
                                              .element = model->element,
                                              .seed = options->seed,
                                              .threads = options->threads,
                                              .jit = model->jit};
  return device->open(&model->device_model, &model->device);
}

static nn_status *bind_host(nn_model *model) {
  char *error = NULL;
  model->host = host_compile(model->jit, model->module, model->dims, &error);
  return model->host ? NULL : status_take(NN_COMPILE, error);
}

nn_status *nn_model_bind(nn_model *model, const nn_options *options) {
  if (model->dims)
    return status_new(NN_INVALID, "the model is bound already");
  nn_options defaults = nn_options_default();
  if (!options)
    options = &defaults;
  STATUS_TRY(model_bind_dims(model, options));
  model->options = *options;
  model->options.dims = NULL;
  model->options.cache_dir = NULL;
  model->options.device = NULL;
  model->element = options->precision == NN_PRECISION_F64 ? NN_F64 : NN_F32;
  STATUS_TRY(param_shapes_init(&model->params, model->module, model->dims));
  STATUS_TRY(bind_device(model, options));
  STATUS_TRY(bind_blocks(model));
  model->device_model.blocks = model->blocks;
  STATUS_TRY(bind_host(model));
  model->bound = true;
  return NULL;
}

// --------------------------------------------------------------------------------------------- what is bound

size_t nn_model_dim_count(const nn_model *model) { return model->module->n_dims; }

const char *nn_model_dim(const nn_model *model, size_t dim, int64_t *value) {
  *value = model->dims[dim];
  return model->module->dims[dim]->atom.name;
}

bool nn_model_dim_is_replaced(const nn_model *model, size_t dim, int64_t *written) {
  const struct ir_dim *declared = model->module->dims[dim];
  return model_dim_is_free(declared) && size_is_constant(declared->value, written) &&
         model->metadata_dims[dim] >= 0 && model->dims[dim] == model->metadata_dims[dim] &&
         model->dims[dim] != *written;
}

bool nn_model_dim_is_overridden(const nn_model *model, size_t dim, int64_t *saved) {
  *saved = model->metadata_dims[dim];
  return *saved != MODEL_NO_DIM && model->dims[dim] != *saved;
}

size_t nn_model_param_count(const nn_model *model) { return model->params.n_members; }

uint64_t nn_model_parameters(const nn_model *model) { return model->params.n_elements; }

nn_param_info nn_model_param(const nn_model *model, size_t number) {
  const struct param_shape *shape = param_shapes_of(&model->params, (uint32_t)number);
  nn_param_info info = {.name = model->params.names[number],
                        .rank = (int)shape->rank,
                        .elements = shape->elements,
                        .sparse = shape->sparse};
  memcpy(info.sizes, shape->sizes, sizeof info.sizes);
  return info;
}

// Numbers of parameters have 32 bits within.
static uint32_t narrow(size_t param) { return param < UINT32_MAX ? (uint32_t)param : UINT32_MAX; }

static nn_status *check_bound(const nn_model *model) {
  return model->bound ? NULL : status_new(NN_INVALID, "the model is not bound");
}

nn_status *nn_model_read_param(const nn_model *model, size_t param, size_t first, size_t n, void *to) {
  STATUS_TRY(check_bound(model));
  return model->device->ops->read_param(model->device, DEVICE_VALUES, narrow(param), first, n, to);
}

nn_status *nn_model_write_param(nn_model *model, size_t param, size_t first, size_t n, const void *from) {
  STATUS_TRY(check_bound(model));
  return model->device->ops->write_param(model->device, DEVICE_VALUES, narrow(param), first, n, from);
}

nn_status *nn_model_read_gradient(const nn_model *model, size_t param, size_t first, size_t n, void *to) {
  STATUS_TRY(check_bound(model));
  return model->device->ops->read_param(model->device, DEVICE_GRADIENTS, narrow(param), first, n, to);
}

nn_status *nn_model_check_finite(const nn_model *model) {
  STATUS_TRY(check_bound(model));
  uint32_t number;
  STATUS_TRY(model->device->ops->find_not_finite(model->device, DEVICE_VALUES, &number));
  if (number == model->params.n_members)
    return NULL;
  return status_new(NN_NOT_FINITE, "parameter `%s` is not finite any more", model->params.names[number]);
}

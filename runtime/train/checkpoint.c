// Checkpoints: parameters under their names; in the metadata the model's name ("model"), its dims ("dim.H":
// "128") and its vocabularies ("vocab.Word": a JSON array of strings, in order).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/text.h"
#include "runtime/base/status.h"
#include "runtime/data/json_text.h"
#include "runtime/data/safetensors.h"
#include "runtime/model/model.h"
#include "runtime/train/checkpoint.h"

// --------------------------------------------------------------------------------------------------- writing

static char *vocab_json(const struct vocab *vocab) {
  struct text text;
  FILE *out = text_open(&text);
  if (!out)
    return NULL;
  fputc('[', out);
  for (size_t i = 0; i < vocab_size(vocab); i++) {
    fputs(i ? "," : "", out);
    json_write_string(out, vocab_entry(vocab, (int64_t)i));
  }
  fputc(']', out);
  return text_close(&text);
}

static bool make_pair(struct safetensors_metadata *pair, const char *prefix, const char *name, char *value) {
  char *key = NULL;
  if (asprintf(&key, "%s%s", prefix, name) < 0)
    key = NULL;
  *pair = (struct safetensors_metadata){key, value};
  return key && value;
}

static bool make_metadata(const nn_model *model, struct safetensors_metadata *pairs, size_t *n) {
  *n = 0;
  if (!make_pair(&pairs[(*n)++], "", "model", strdup(model->module->name)))
    return false;
  for (uint32_t i = 0; i < model->module->n_dims; i++) {
    const struct ir_dim *dim = model->module->dims[i];
    char *value = NULL;
    if (dim->atom.kind == SIZE_VOCAB) {
      if (!make_pair(&pairs[(*n)++], "vocab.", dim->atom.name, vocab_json(model->vocabs[i])))
        return false;
    } else if (model_dim_is_free(dim)) {  // what is computed from others follows them
      if (asprintf(&value, "%lld", (long long)model->dims[i]) < 0)
        value = NULL;
      if (!make_pair(&pairs[(*n)++], "dim.", dim->atom.name, value))
        return false;
    }
  }
  return true;
}

static void list_tensors(const nn_model *model, struct safetensors_tensor *tensors) {
  for (size_t i = 0; i < nn_model_param_count(model); i++) {
    nn_param_info info = nn_model_param(model, i);
    struct safetensors_tensor *tensor = &tensors[i];
    *tensor = (struct safetensors_tensor){.name = info.name,
                                          .type = model->element == NN_F32 ? SAFETENSORS_F32
                                                                           : SAFETENSORS_F64,
                                          .rank = (uint32_t)info.rank,
                                          .bytes = info.elements * nn_element_bytes(model->element)};
    for (int axis = 0; axis < info.rank; axis++)
      tensor->shape[axis] = info.sizes[axis];
  }
}

struct reading {
  const nn_model *model;
  enum device_array array;
  nn_status *status;
};

static bool read_tensor(void *context, size_t tensor, size_t first, size_t n, void *to) {
  struct reading *reading = context;
  struct device *device = reading->model->device;
  size_t size = nn_element_bytes(reading->model->element);
  reading->status = device->ops->read_param(device, reading->array, (uint32_t)tensor, first / size, n / size,
                                            to);
  return !reading->status;
}

static nn_status *write_file(const nn_model *model, const char *path, enum device_array array) {
  if (!model->bound)
    return status_new(NN_INVALID, "the model is not bound");
  struct safetensors_tensor *tensors = calloc(nn_model_param_count(model) + 1, sizeof *tensors);
  struct safetensors_metadata *pairs = calloc((size_t)model->module->n_dims + 1, sizeof *pairs);
  size_t n_pairs = 0;
  nn_status *status = NULL;
  if (!tensors || !pairs || !make_metadata(model, pairs, &n_pairs)) {
    status = status_no_memory();
  } else {
    char *error = NULL;
    struct reading reading = {model, array, NULL};
    const struct safetensors_source source = {read_tensor, &reading};
    list_tensors(model, tensors);
    if (!safetensors_write_from(path, nn_model_param_count(model), tensors, n_pairs, pairs, &source, &error))
      status = reading.status ? reading.status : status_take(NN_IO, error);
  }
  for (size_t i = 0; i < n_pairs; i++) {
    free((char *)pairs[i].key);
    free((char *)pairs[i].value);
  }
  free(pairs);
  free(tensors);
  return status;
}

nn_status *nn_model_save(const nn_model *model, const char *path) {
  return write_file(model, path, DEVICE_VALUES);
}

nn_status *nn_model_save_gradients(const nn_model *model, const char *path) {
  return write_file(model, path, DEVICE_GRADIENTS);
}

// --------------------------------------------------------------------------------------------------- reading

static nn_status *set_vocab(struct vocab *vocab, const char *path, const char *text) {
  struct json_strings entries;
  bool no_memory;
  if (!json_strings_read(text, &entries, &no_memory))
    return no_memory
               ? status_no_memory()
               : status_new(NN_DATA, "%s: vocabulary `%s` is no list of strings", path, vocab_name(vocab));
  char *error = NULL;
  nn_status *status = vocab_set(vocab, entries.items, entries.n, &error) ? NULL : status_take(NN_DATA, error);
  json_strings_free(&entries);
  return status;
}

static nn_status *set_dim(nn_model *model, uint32_t number, const char *path, const char *text) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end || errno || value > INT32_MAX || value < 1)
    return status_new(NN_DATA, "%s: `%s` is no value of dim `%s`: an integer from 1 to %d", path, text,
                      model->module->dims[number]->atom.name, INT32_MAX);
  model->metadata_dims[number] = value;
  return NULL;
}

static nn_status *use_metadata(nn_model *model, const char *path, const struct safetensors *file) {
  for (uint32_t i = 0; i < model->module->n_dims; i++) {
    const struct ir_dim *dim = model->module->dims[i];
    char *key = NULL;
    if (dim->atom.kind != SIZE_VOCAB && !model_dim_is_free(dim))
      continue;
    if (asprintf(&key, "%s%s", dim->atom.kind == SIZE_VOCAB ? "vocab." : "dim.", dim->atom.name) < 0)
      return status_no_memory();
    const char *value = safetensors_metadata_value(file, key);
    free(key);
    if (dim->atom.kind == SIZE_DIM) {
      if (value)
        STATUS_TRY(set_dim(model, i, path, value));
    } else if (!vocab_is_frozen(model->vocabs[i])) {
      if (!value)
        return status_new(NN_DATA, "%s has no vocabulary `%s`%s", path, dim->atom.name,
                          checkpoint_origin(model, file).text);
      STATUS_TRY(set_vocab(model->vocabs[i], path, value));
    }
  }
  return NULL;
}

nn_status *nn_model_load_metadata(nn_model *model, const char *path) {
  if (model->dims)
    return status_new(NN_INVALID, "the model is bound already");
  char *error = NULL;
  struct safetensors *file = safetensors_read(path, &error);
  if (!file)
    return status_take(NN_IO, error);
  nn_status *status = use_metadata(model, path, file);
  safetensors_free(file);
  return status;
}

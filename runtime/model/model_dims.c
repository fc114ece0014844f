// The dims of a model get their values: from the file, a checkpoint and -D, in this order.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "runtime/base/status.h"
#include "runtime/model/model.h"

bool model_dim_is_free(const struct ir_dim *dim) {
  int64_t value;
  return dim->atom.kind == SIZE_DIM && size_is_constant(dim->value, &value);
}

struct size_texts {
  const nn_model *model;
  const struct size *size;
  struct arena arena;
  const char *text, *values;
};

static void write_texts(void *context) {
  struct size_texts *texts = context;
  texts->text = size_text(&texts->arena, texts->size);
  texts->values = ir_size_values(texts->model->module, &texts->arena, texts->size, texts->model->dims);
}

// What the format names is said to have this size, which is below 1.
__attribute__((format(printf, 4, 5))) static nn_status *
small_size(const nn_model *model, const struct size *size, int64_t value, const char *format, ...) {
  struct size_texts texts = {.model = model, .size = size};
  char what[400];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  arena_init(&texts.arena);
  nn_status *status;
  if (!arena_attempt(&texts.arena, write_texts, &texts))
    status = status_no_memory();
  else if (*texts.values)
    status = status_new(NN_INVALID, "%s is %lld, it must be at least 1: it is `%s`, with %s", what,
                        (long long)value, texts.text, texts.values);
  else
    status = status_new(NN_INVALID, "%s is %lld, it must be at least 1", what, (long long)value);
  arena_free(&texts.arena);
  return status;
}

// What is computed from other dims follows them; nothing else gives it a value.
static nn_status *bind_computed(nn_model *model, uint32_t i, int64_t *value) {
  const struct ir_dim *dim = model->module->dims[i];
  if (!size_evaluate_by_id(dim->value, model->dims, value))
    return status_new(NN_INVALID, "the value of dim `%s` is too large", dim->atom.name);
  return *value < 1 ? small_size(model, dim->value, *value, "dim `%s`", dim->atom.name) : NULL;
}

static nn_status *bind_dim(nn_model *model, const nn_options *options, uint32_t i) {
  const struct ir_dim *dim = model->module->dims[i];
  const char *name = dim->atom.name;
  int64_t value = 0;
  if (dim->atom.kind == SIZE_VOCAB) {
    if (!vocab_is_frozen(model->vocabs[i]))
      return status_new(
          NN_INVALID, "vocabulary `%s` is not known yet: it comes from training data or a checkpoint", name);
    value = (int64_t)vocab_size(model->vocabs[i]);
    if (value == 0)
      return status_new(NN_DATA, "vocabulary `%s` is empty", name);
  } else if (dim->atom.kind == SIZE_ENUM) {
    value = dim->n_members;
  } else {
    STATUS_TRY(bind_computed(model, i, &value));
    if (model->metadata_dims[i] != MODEL_NO_DIM && model_dim_is_free(dim))
      value = model->metadata_dims[i];
    for (size_t k = 0; k < options->n_dims; k++)
      if (strcmp(options->dims[k].name, name) == 0)
        value = options->dims[k].value;
  }
  if (value < 1 && dim->atom.kind == SIZE_DIM)
    return status_new(NN_INVALID, "dim `%s` is %lld: a dim is at least 1", name, (long long)value);
  if (value > INT32_MAX)
    return status_new(NN_INVALID, "dim `%s` is %lld: more than 2147483647 is not supported", name,
                      (long long)value);
  model->dims[i] = value;
  return NULL;
}

// A name that -D may not give a value to.
static nn_status *no_dim(const struct ir_module *module, const char *name) {
  char list[512] = "";
  for (uint32_t i = 0; i < module->n_dims; i++) {
    const struct size_atom *atom = &module->dims[i]->atom;
    if (strcmp(atom->name, name) == 0)
      return status_new(NN_INVALID, "`%s` is %s: -D cannot set it", name,
                        atom->kind == SIZE_VOCAB  ? "a vocabulary"
                        : atom->kind == SIZE_ENUM ? "an enum"
                                                  : "computed from other dims");
    size_t n = strlen(list);
    if (model_dim_is_free(module->dims[i]))
      snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "; it has ", atom->name);
  }
  return status_new(NN_INVALID, "the model has no dim `%s`%s", name, list);
}

// Everything of the model has a positive size, whether it is ever computed or not.
static nn_status *check_sizes(const nn_model *model) {
  const struct ir_module *module = model->module;
  struct ir_small_size found;
  if (!ir_find_small_size(module, model->dims, &found))
    return NULL;
  if (found.param)
    return small_size(model, found.size, found.value, "parameter `%s`: a size", found.param->name);
  if (found.loc.line)
    return small_size(model, found.size, found.value, "%s:%u:%u: a size", module->files[found.loc.file],
                      found.loc.line, found.loc.column);
  return small_size(model, found.size, found.value, "a size");
}

nn_status *model_bind_dims(nn_model *model, const nn_options *options) {
  const struct ir_module *module = model->module;
  for (size_t k = 0; k < options->n_dims; k++) {
    bool found = false;
    for (uint32_t i = 0; i < module->n_dims && !found; i++)
      found = model_dim_is_free(module->dims[i]) &&
              strcmp(module->dims[i]->atom.name, options->dims[k].name) == 0;
    if (!found)
      return no_dim(module, options->dims[k].name);
  }
  model->dims = calloc((size_t)module->n_dims + 1, sizeof *model->dims);
  if (!model->dims)
    return status_no_memory();
  for (uint32_t i = 0; i < module->n_dims; i++)
    STATUS_TRY(bind_dim(model, options, i));
  return check_sizes(model);
}

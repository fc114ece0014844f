// Vocabularies and data sets of a model.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/model/model.h"

// The columns of a data set for these entries: the union of their parameters.
struct columns {
  struct dataset_column *list;  // malloc'd
  uint32_t n;
};

static nn_status *add_column(struct columns *columns, const struct ir_entry *entry,
                             const struct ir_field *param) {
  for (uint32_t c = 0; c < columns->n; c++) {
    if (strcmp(columns->list[c].name, param->name) != 0)
      continue;
    if (ir_type_equal(columns->list[c].type, param->type))
      return NULL;
    return status_new(NN_INVALID, "parameter `%s` of `%s` has another type than in the other entries",
                      param->name, entry->name);
  }
  struct dataset_column *grown = realloc(columns->list, (columns->n + 1) * sizeof *grown);
  if (!grown)
    return status_no_memory();
  columns->list = grown;
  const struct dataset_column *last = columns->n ? &grown[columns->n - 1] : NULL;
  grown[columns->n++] = (struct dataset_column){.name = param->name,
                                                .type = param->type,
                                                .first_slot = last ? last->first_slot + last->width : 0,
                                                .width = ir_type_width(param->type),
                                                .entry = entry};
  return NULL;
}

static nn_status *find_columns(const nn_model *model, const size_t *entries, size_t n_entries,
                               struct columns *columns) {
  for (size_t i = 0; i < n_entries; i++) {
    if (entries[i] >= model->module->n_entries)
      return status_new(NN_INVALID, "there is no entry %zu", entries[i]);
    const struct ir_entry *entry = model->module->entries[entries[i]];
    for (uint32_t p = 0; p < entry->n_params; p++)
      STATUS_TRY(add_column(columns, entry, &entry->params[p]));
  }
  return NULL;
}

static struct dataset_request make_request(const nn_model *model, const char *path,
                                           const struct columns *columns, const nn_data_options *options) {
  return (struct dataset_request){.module = model->module,
                                  .vocabs = model->vocabs,
                                  .n_columns = columns->n,
                                  .columns = columns->list,
                                  .path = path,
                                  .format = options ? options->format : NULL,
                                  .skip_bad = options && options->skip_bad,
                                  .limit = options ? options->limit : 0,
                                  .dims = model->dims};
}

// Whether values of a type hold indices of a dim. `seen`, [data], are the sum types that were looked at.
static bool mentions(const struct ir_module *module, const struct ir_type *type, uint32_t dim, bool *seen) {
  switch (type->kind) {
  case IR_INDEX: return type->dim == dim;
  case IR_LIST: return mentions(module, type->element, dim, seen);
  case IR_TUPLE:
    for (uint32_t i = 0; i < type->tuple.n; i++)
      if (mentions(module, type->tuple.fields[i].type, dim, seen))
        return true;
    return false;
  case IR_DATA: {
    const struct ir_data *data = module->datas[type->data];
    if (seen[type->data])
      return false;
    seen[type->data] = true;
    for (uint32_t c = 0; c < data->n_constructors; c++)
      for (uint32_t i = 0; i < data->constructors[c].n_fields; i++)
        if (mentions(module, data->constructors[c].fields[i].type, dim, seen))
          return true;
    return false;
  }
  default: return false;
  }
}

static bool is_source(const struct ir_dim *dim, const char *param) {
  for (uint32_t i = 0; i < dim->n_sources; i++)
    if (strcmp(dim->sources[i], param) == 0)
      return true;
  return false;
}

// Whether what is read for a parameter is counted in a vocabulary.
static bool gives(const struct ir_module *module, const struct ir_type *type, const char *param,
                  uint32_t dim) {
  bool *seen = calloc(module->n_datas + 1, sizeof *seen);
  bool found = is_source(module->dims[dim], param) || (seen && mentions(module, type, dim, seen));
  free(seen);
  return found;
}

static void add_to_list(char *list, size_t size, const char *name) {
  size_t at = strlen(list);
  snprintf(list + at, size - at, "%s`%s`", at ? ", " : "", name);
}

// Why a vocabulary got no value: the records have none, or nothing that is read could give one.
static nn_status *no_values(const nn_model *model, const struct columns *columns, uint32_t dim,
                            size_t n_examples, const char *path) {
  const struct ir_module *module = model->module;
  const char *name = vocab_name(model->vocabs[dim]);
  char parameters[300] = "", entries[300] = "";
  for (uint32_t c = 0; c < columns->n; c++)
    if (gives(module, columns->list[c].type, columns->list[c].name, dim))
      add_to_list(parameters, sizeof parameters, columns->list[c].name);
  if (*parameters)
    return status_new(NN_DATA,
                      "%s: vocabulary `%s` would be empty: of %zu example%s none has a value of it in %s",
                      path, name, n_examples, n_examples == 1 ? "" : "s", parameters);
  for (uint32_t e = 0; e < module->n_entries; e++) {
    const struct ir_entry *entry = module->entries[e];
    uint32_t p = 0;
    while (p < entry->n_params && !gives(module, entry->params[p].type, entry->params[p].name, dim))
      p++;
    if (p < entry->n_params)
      add_to_list(entries, sizeof entries, entry->name);
  }
  return status_new(NN_INVALID,
                    "vocabulary `%s` would be empty: no parameter of what runs takes its values%s%s", name,
                    *entries ? "; there are some of " : "", entries);
}

static nn_status *freeze_vocabs(nn_model *model, const struct columns *columns, size_t n_examples,
                                const char *path) {
  for (uint32_t i = 0; i < model->module->n_dims; i++) {
    struct vocab *vocab = model->vocabs[i];
    if (!vocab || vocab_is_frozen(vocab))
      continue;
    if (!vocab_freeze(vocab))
      return status_no_memory();
    if (vocab_size(vocab) == 0)
      return no_values(model, columns, i, n_examples, path);
  }
  return NULL;
}

nn_status *nn_model_build_vocabs(nn_model *model, const char *const *paths, size_t n_paths,
                                 const size_t *entries, size_t n_entries, const nn_data_options *options) {
  struct columns columns = {0};
  nn_status *status = find_columns(model, entries, n_entries, &columns);
  size_t n_examples = 0, limit = options && options->limit ? options->limit : SIZE_MAX;
  for (size_t i = 0; i < n_paths && !status && !nn_model_has_vocabs(model) && n_examples < limit; i++) {
    struct dataset_request request = make_request(model, paths[i], &columns, options);
    char *error = NULL;
    size_t n = 0;
    if (request.limit)
      request.limit -= n_examples;
    if (!dataset_count(&request, &n, &error))
      status = status_take(NN_DATA, error);
    n_examples += n;
  }
  const char *first = n_paths ? paths[0] : "the data";
  if (!status && !nn_model_has_vocabs(model))
    status = n_examples ? freeze_vocabs(model, &columns, n_examples, first)
                        : status_new(NN_DATA, "%s: no examples", first);
  free(columns.list);
  return status;
}

bool nn_model_has_vocabs(const nn_model *model) {
  for (uint32_t i = 0; i < model->module->n_dims; i++)
    if (model->vocabs[i] && !vocab_is_frozen(model->vocabs[i]))
      return false;
  return true;
}

nn_status *nn_dataset_load(nn_model *model, const char *path, const size_t *entries, size_t n_entries,
                           const nn_data_options *options, nn_dataset **dataset) {
  if (!nn_model_has_vocabs(model))
    return status_new(NN_INVALID, "the vocabularies are not known yet");
  struct columns columns = {0};
  nn_status *status = find_columns(model, entries, n_entries, &columns);
  if (!status) {
    struct dataset_request request = make_request(model, path, &columns, options);
    char *error = NULL;
    nn_dataset *made = dataset_read(&request, &error);
    if (made)
      *dataset = made;
    else
      status = status_take(NN_DATA, error);
  }
  free(columns.list);
  return status;
}

nn_status *nn_dataset_append(nn_model *model, nn_dataset *dataset, const char *path,
                             const nn_data_options *options) {
  const struct columns columns = {dataset->columns, dataset->n_columns};
  struct dataset_request request = make_request(model, path, &columns, options);
  if (request.limit && dataset->n_examples >= request.limit)
    return NULL;
  if (request.limit)
    request.limit -= dataset->n_examples;
  char *error = NULL;
  return dataset_append(dataset, &request, &error) ? NULL : status_take(NN_DATA, error);
}

void nn_dataset_free(nn_dataset *dataset) {
  if (dataset)
    dataset_free(dataset);
}

size_t nn_dataset_size(const nn_dataset *dataset) { return dataset->n_examples; }
size_t nn_dataset_skipped(const nn_dataset *dataset) { return dataset->n_skipped; }
const char *nn_dataset_first_skipped(const nn_dataset *dataset) { return dataset->first_skipped; }

const char *nn_dataset_notes(const nn_dataset *dataset) { return dataset->notes; }

const char *nn_dataset_position(nn_dataset *dataset, size_t example) {
  const char *path = dataset_file_of(dataset, example)->path;
  if (example >= dataset->n_examples)
    return path;
  snprintf(dataset->position, sizeof dataset->position, "%s:%u", path, dataset->lines[example]);
  return dataset->position;
}

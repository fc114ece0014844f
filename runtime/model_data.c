// Vocabularies and data sets of a model.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/dataset.h"
#include "runtime/model.h"
#include "runtime/status.h"

// The columns of a data set for these entries: the union of their parameters.
struct columns {
  struct dataset_column *list;  // malloc'd
  uint32_t n;
};

static nn_status *add_column(struct columns *columns, const struct ir_entry *entry,
                             const struct ir_field *param) {
  for (uint32_t c = 0; c < columns->n; c++) {
    if (strcmp(columns->list[c].name, param->name) != 0) continue;
    if (ir_type_equal(columns->list[c].type, param->type)) return NULL;
    return status_new(NN_INVALID, "parameter '%s' of '%s' has another type than in the other entries",
                      param->name, entry->name);
  }
  struct dataset_column *grown = realloc(columns->list, (columns->n + 1) * sizeof *grown);
  if (!grown) return status_no_memory();
  columns->list = grown;
  const struct dataset_column *last = columns->n ? &grown[columns->n - 1] : NULL;
  grown[columns->n++] = (struct dataset_column){.name = param->name,
                                                .type = param->type,
                                                .first_slot = last ? last->first_slot + last->width : 0,
                                                .width = ir_type_width(param->type)};
  return NULL;
}

static nn_status *find_columns(const nn_model *model, const size_t *entries, size_t n_entries,
                               struct columns *columns) {
  for (size_t i = 0; i < n_entries; i++) {
    if (entries[i] >= model->module->n_entries)
      return status_new(NN_INVALID, "there is no entry %zu", entries[i]);
    const struct ir_entry *entry = model->module->entries[entries[i]];
    for (uint32_t p = 0; p < entry->n_params; p++) STATUS_TRY(add_column(columns, entry, &entry->params[p]));
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
                                  .skip_bad = options && options->skip_bad};
}

// Checkpoints hold vocabularies as JSON, which is UTF-8. Better to say so before training than after.
static bool is_utf8(const char *text) {
  for (const unsigned char *c = (const unsigned char *)text; *c;) {
    int more = *c < 0x80                 ? 0
               : *c >= 0xc2 && *c < 0xe0 ? 1
               : *c >= 0xe0 && *c < 0xf0 ? 2
               : *c >= 0xf0 && *c < 0xf5 ? 3
                                         : -1;
    if (more < 0) return false;
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) || (*c == 0xf0 && c[1] < 0x90) ||
        (*c == 0xf4 && c[1] > 0x8f))
      return false;
    c++;
    for (; more > 0; more--, c++)
      if ((*c & 0xc0) != 0x80) return false;
  }
  return true;
}

static nn_status *freeze_vocabs(nn_model *model) {
  for (uint32_t i = 0; i < model->module->n_dims; i++) {
    struct vocab *vocab = model->vocabs[i];
    if (!vocab || vocab_is_frozen(vocab)) continue;
    vocab_freeze(vocab);
    for (size_t k = 0; k < vocab_size(vocab); k++)
      if (!is_utf8(vocab_entry(vocab, (int64_t)k)))
        return status_new(NN_DATA, "vocabulary '%s': the data is not UTF-8", vocab_name(vocab));
  }
  return NULL;
}

nn_status *nn_model_build_vocabs(nn_model *model, const char *const *paths, size_t n_paths,
                                 const size_t *entries, size_t n_entries, const nn_data_options *options) {
  struct columns columns = {0};
  nn_status *status = find_columns(model, entries, n_entries, &columns);
  for (size_t i = 0; i < n_paths && !status && !nn_model_has_vocabs(model); i++) {
    struct dataset_request request = make_request(model, paths[i], &columns, options);
    char *error = NULL;
    if (!dataset_count(&request, &error)) status = status_take(NN_DATA, error);
  }
  free(columns.list);
  return status ? status : freeze_vocabs(model);
}

bool nn_model_has_vocabs(const nn_model *model) {
  for (uint32_t i = 0; i < model->module->n_dims; i++)
    if (model->vocabs[i] && !vocab_is_frozen(model->vocabs[i])) return false;
  return true;
}

nn_status *nn_dataset_load(nn_model *model, const char *path, const size_t *entries, size_t n_entries,
                           const nn_data_options *options, nn_dataset **dataset) {
  if (!nn_model_has_vocabs(model)) return status_new(NN_INVALID, "the vocabularies are not known yet");
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

void nn_dataset_free(nn_dataset *dataset) {
  if (dataset) dataset_free(dataset);
}

size_t nn_dataset_size(const nn_dataset *dataset) { return dataset->n_examples; }
size_t nn_dataset_skipped(const nn_dataset *dataset) { return dataset->n_skipped; }

const char *nn_dataset_position(nn_dataset *dataset, size_t example) {
  if (example >= dataset->n_examples) return dataset->path;
  snprintf(dataset->position, sizeof dataset->position, "%s:%u", dataset->path, dataset->lines[example]);
  return dataset->position;
}

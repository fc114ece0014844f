// An example from texts, each read as a record of one parameter by the reader of the data format that it is written in.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/data/json_text.h"
#include "runtime/data/reader.h"
#include "runtime/model/model.h"

// What the reader is given, so that the value is all of a line, and columns in messages are its own.
struct input {
  char *text;  // malloc'd
  const char *format;
  unsigned lines_before;
};

static bool begins_with(const char *value, const char *any_of) {
  value += strspn(value, " \t\r\n");
  return *value && strchr(any_of, *value);
}

static bool is_blank(const char *value) { return value[strspn(value, " \t\r\n")] == 0; }

static bool choose_format(const struct ir_module *module, const struct ir_field *param, const char *value,
                          struct input *input) {
  bool is_tokens = reader_is_token_list(module, param->type);
  bool is_cell = is_tokens || reader_is_token(module, param->type) || param->type->kind == IR_TENSOR;
  bool is_json = begins_with(value, param->type->kind == IR_TUPLE ? "[\"{" : "[\"");
  int n;
  *input = (struct input){0};
  if (param->type->kind == IR_DATA && begins_with(value, "(")) {
    input->format = "ptb";
    n = asprintf(&input->text, "%s\n", value);
  } else if (is_cell && !is_blank(value) && !is_json) {
    input->format = is_tokens ? "text" : "tsv-header";
    n = asprintf(&input->text, "%s\n", value);
  } else {
    bool is_no_element = param->type->kind == IR_LIST && is_blank(value);
    input->format = "jsonl";
    input->lines_before = 1;
    n = asprintf(&input->text, "{\"%s\":\n%s\n}\n", param->name, is_no_element ? "[]" : value);
  }
  if (n < 0)
    input->text = NULL;
  return n >= 0;
}

// "NAME:2:7: message" of the reader, about the value.
static nn_status *read_error(const char *name, const struct input *input, char *error) {
  unsigned line, column;
  int begin = 0;
  size_t length = strlen(name);
  if (!error)
    return status_no_memory();
  bool has_place = strncmp(error, name, length) == 0 &&
                   sscanf(error + length, ":%u:%u: %n", &line, &column, &begin) == 2 && begin > 0;
  nn_status *status;
  if (!has_place)
    status = status_new(NN_DATA, "%s", error);
  else if (line <= input->lines_before + 1)
    status = status_new(NN_DATA, "%s, column %u: %s", name, column, error + length + begin);
  else
    status = status_new(NN_DATA, "%s, line %u, column %u: %s", name, line - input->lines_before, column,
                        error + length + begin);
  free(error);
  return status;
}

// Behind a value of a record more of the record could follow; behind this one nothing does.
static nn_status *check_end(const char *name, const struct input *input, const char *value) {
  bool no_memory;
  if (input->lines_before == 0 || is_blank(value))
    return NULL;
  if (json_is_one_value(value, &no_memory))
    return NULL;
  return no_memory ? status_no_memory()
                   : status_new(NN_DATA, "%s: expected one value, found more behind it", name);
}

static nn_status *read_value(const nn_model *model, const struct ir_entry *entry, uint32_t param,
                             const char *name, const char *value, nn_dataset **part) {
  struct input input;
  if (is_blank(value) && entry->params[param].type->kind != IR_LIST)
    return status_new(NN_DATA, "%s: expected a value, found nothing", name);
  if (!choose_format(model->module, &entry->params[param], value, &input))
    return status_no_memory();
  struct dataset_column column = {.name = entry->params[param].name,
                                  .type = entry->params[param].type,
                                  .width = ir_type_width(entry->params[param].type),
                                  .entry = entry};
  struct dataset_request request = {.module = model->module,
                                    .vocabs = model->vocabs,
                                    .dims = model->dims,
                                    .n_columns = 1,
                                    .columns = &column,
                                    .path = name,
                                    .text = input.text,
                                    .format = input.format};
  char *error = NULL;
  *part = dataset_read(&request, &error);
  nn_status *status = NULL;
  if (!*part)
    status = read_error(name, &input, error);
  else if ((*part)->n_examples != 1)
    status = status_new(NN_DATA, "%s: expected one value, found %s", name,
                        (*part)->n_examples ? "several" : "none");
  else
    status = check_end(name, &input, value);
  free(input.text);
  if (status && *part)
    dataset_free(*part);
  return status;
}

// The part's column behind those of the set, which has room for it, and the part's values with it.
static void add_column(nn_dataset *set, nn_dataset *part) {
  struct dataset_column column = part->columns[0];
  column.first_slot = set->width;
  memcpy(set->slots + set->width, part->slots, part->width * sizeof *set->slots);
  set->width += part->width;
  set->columns[set->n_columns++] = column;
  part->also = set->also;
  set->also = part;
}

// One example of no parameter, with room for those of the entry.
static nn_status *empty_set(const nn_model *model, const struct ir_entry *entry, nn_dataset **set) {
  struct dataset_request request = {.module = model->module,
                                    .vocabs = model->vocabs,
                                    .dims = model->dims,
                                    .path = "the values",
                                    .text = "{}\n",
                                    .format = "jsonl"};
  char *error = NULL;
  nn_dataset *made = dataset_read(&request, &error);
  if (!made)
    return status_take(NN_DATA, error);
  uint32_t width = 0;
  for (uint32_t i = 0; i < entry->n_params; i++)
    width += ir_type_width(entry->params[i].type);
  free(made->columns);
  free(made->slots);
  made->columns = calloc(entry->n_params + 1, sizeof *made->columns);
  made->slots = calloc(width + 1, sizeof *made->slots);
  if (!made->columns || !made->slots) {
    dataset_free(made);
    return status_no_memory();
  }
  *set = made;
  return NULL;
}

static nn_status *parse_values(nn_model *model, const struct ir_entry *entry, const char *const *values,
                               nn_dataset *set) {
  for (uint32_t i = 0; i < entry->n_params; i++) {
    nn_dataset *part = NULL;
    char *type = model_type_text(model->module, entry->params[i].type), *name;
    int n = type ? asprintf(&name, "`%s: %s`", entry->params[i].name, type) : -1;
    free(type);
    if (n < 0)
      return status_no_memory();
    nn_status *status = read_value(model, entry, i, name, values[i], &part);
    free(name);
    if (status)
      return status;
    add_column(set, part);
  }
  return NULL;
}

nn_status *nn_dataset_parse(nn_model *model, size_t number, const char *const *values, size_t n_values,
                            nn_dataset **dataset) {
  if (number >= model->module->n_entries)
    return status_new(NN_INVALID, "there is no entry %zu", number);
  if (!nn_model_has_vocabs(model))
    return status_new(NN_INVALID, "the vocabularies are not known yet");
  const struct ir_entry *entry = model->module->entries[number];
  if (n_values != entry->n_params)
    return status_new(NN_INVALID, "`%s` takes %u value%s%s%s%s, and %zu %s given", entry->name,
                      entry->n_params, entry->n_params == 1 ? "" : "s", entry->n_params ? " (" : "",
                      entry->n_params ? nn_model_entry_parameters(model, number) : "",
                      entry->n_params ? ")" : "", n_values, n_values == 1 ? "is" : "are");
  nn_dataset *set = NULL;
  STATUS_TRY(empty_set(model, entry, &set));
  nn_status *status = parse_values(model, entry, values, set);
  if (status)
    dataset_free(set);
  else
    *dataset = set;
  return status;
}

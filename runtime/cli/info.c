#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/run.h"
#include "runtime/data/safetensors.h"

static const char *type_name(enum safetensors_type type) {
  return type == SAFETENSORS_F32 ? "f32" : type == SAFETENSORS_F64 ? "f64" : type == SAFETENSORS_I64 ? "i64" : "other";
}

static int checkpoint_info(const struct cli_options *options) {
  char *error = NULL;
  struct safetensors *file = safetensors_read(options->model, &error);
  if (!file) cli_fail("%s", error);
  json_t *tensors = json_object(), *metadata = json_object();
  for (size_t i = 0; i < file->n_tensors; i++) {
    json_t *shape = json_array();
    for (uint32_t k = 0; k < file->tensors[i].rank; k++) json_array_append_new(shape, json_integer(file->tensors[i].shape[k]));
    char *text = json_dumps(shape, 0);
    if (!options->json) printf("%-32s %s%s\n", file->tensors[i].name, type_name(file->tensors[i].type), text);
    free(text);
    json_object_set_new(tensors, file->tensors[i].name, shape);
  }
  for (size_t i = 0; i < file->n_metadata; i++) {
    const char *value = file->metadata[i].value;
    size_t length = strlen(value);
    if (!options->json) printf("%s: %.60s%s\n", file->metadata[i].key, value, length > 60 ? "..." : "");
    json_object_set_new(metadata, file->metadata[i].key, json_string(value));
  }
  if (options->json) {
    json_t *out = json_pack("{s:O, s:O}", "tensors", tensors, "metadata", metadata);
    json_dumpf(out, stdout, 0);
    putchar('\n');
    json_decref(out);
  }
  json_decref(tensors);
  json_decref(metadata);
  safetensors_free(file);
  return 0;
}

static json_t *entries_json(const nn_model *model) {
  json_t *entries = json_array();
  for (size_t i = 0; i < nn_model_entry_count(model); i++)
    json_array_append_new(entries, json_pack("{s:s, s:b, s:s, s:s}", "name", nn_model_entry_name(model, i), "metric",
                                             nn_model_entry_is_metric(model, i), "parameters", nn_model_entry_parameters(model, i),
                                             "result", nn_model_entry_result(model, i)));
  return entries;
}

static json_t *params_json(const nn_model *model) {
  json_t *params = json_array();
  for (size_t i = 0; i < nn_model_param_count(model); i++) {
    nn_param_info info = nn_model_param(model, i);
    json_t *shape = json_array();
    for (int k = 0; k < info.rank; k++) json_array_append_new(shape, json_integer(info.sizes[k]));
    json_array_append_new(params, json_pack("{s:s, s:o}", "name", info.name, "shape", shape));
  }
  return params;
}

static json_t *dims_json(const nn_model *model) {
  json_t *dims = json_object();
  for (size_t i = 0; i < nn_model_dim_count(model); i++) {
    int64_t value;
    const char *name = nn_model_dim(model, i, &value);
    json_object_set_new(dims, name, json_integer(value));
  }
  return dims;
}

static void print_text(const json_t *info) {
  size_t i;
  const char *name;
  json_t *item;
  printf("model %s\n", json_string_value(json_object_get(info, "model")));
  json_array_foreach(json_object_get(info, "entries"), i, item)
    printf("%s %s(%s) -> %s\n", json_is_true(json_object_get(item, "metric")) ? "metric" : "entry ",
           json_string_value(json_object_get(item, "name")), json_string_value(json_object_get(item, "parameters")),
           json_string_value(json_object_get(item, "result")));
  json_object_foreach(json_object_get(info, "dims"), name, item) printf("dim    %s = %lld\n", name, (long long)json_integer_value(item));
  json_array_foreach(json_object_get(info, "parameters"), i, item) {
    char *shape = json_dumps(json_object_get(item, "shape"), 0);
    printf("param  %-32s %s\n", json_string_value(json_object_get(item, "name")), shape);
    free(shape);
  }
  if (json_object_get(info, "parameter_count"))
    printf("%lld parameters in all\n", (long long)json_integer_value(json_object_get(info, "parameter_count")));
  else
    puts("sizes and parameters depend on the vocabularies: give --weights to see them");
}

int cli_info(const struct cli_options *options) {
  size_t length = strlen(options->model);
  if (length > 12 && !strcmp(options->model + length - 12, ".safetensors")) return checkpoint_info(options);
  nn_model *model = cli_open_model(options);
  json_t *info = json_pack("{s:s, s:o}", "model", nn_model_name(model), "entries", entries_json(model));
  if (options->weights) cli_check(nn_model_load_metadata(model, options->weights));
  if (nn_model_has_vocabs(model)) {
    cli_check(nn_model_bind(model, &options->running));
    if (options->weights) cli_check(nn_model_load_weights(model, options->weights));
    json_object_set_new(info, "dims", dims_json(model));
    json_object_set_new(info, "parameters", params_json(model));
    json_object_set_new(info, "parameter_count", json_integer((json_int_t)nn_model_parameters(model)));
  }
  if (options->json) {
    json_dumpf(info, stdout, 0);
    putchar('\n');
  } else {
    print_text(info);
  }
  json_decref(info);
  nn_model_free(model);
  return 0;
}

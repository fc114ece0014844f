// nnrun info: what a model or a checkpoint holds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/base/arena.h"
#include "compiler/base/files.h"
#include "runtime/cli/run.h"
#include "runtime/data/safetensors.h"
#include "runtime/model/model.h"

// ------------------------------------------------------------------------------------- checkpoints

// By the name or by what it holds: eight bytes of length, then the header's bracket.
static bool is_checkpoint(const char *path) {
  static const char suffix[] = ".safetensors";
  size_t length = strlen(path);
  if (length >= sizeof suffix && !strcmp(path + length - (sizeof suffix - 1), suffix))
    return true;
  char head[9] = "";
  const char *problem;
  int file = file_open(path, FILE_REGULAR_ONLY, &problem);
  bool ours = file >= 0 && read(file, head, 9) == 9 && head[8] == '{' && !head[5] && !head[6] && !head[7];
  if (file >= 0)
    close(file);
  return ours;
}

static const char *type_name(enum safetensors_type type) {
  return type == SAFETENSORS_F32    ? "f32"
         : type == SAFETENSORS_F64  ? "f64"
         : type == SAFETENSORS_F16  ? "f16"
         : type == SAFETENSORS_BF16 ? "bf16"
         : type == SAFETENSORS_I64  ? "i64"
                                    : "other";
}

static json_t *tensors_json(const struct safetensors *file) {
  json_t *tensors = json_array();
  for (size_t i = 0; i < file->n_tensors; i++) {
    const struct safetensors_tensor *tensor = &file->tensors[i];
    json_t *shape = json_array();
    for (uint32_t k = 0; k < tensor->rank; k++)
      json_array_append_new(shape, json_integer(tensor->shape[k]));
    json_array_append_new(tensors, json_pack("{s:s, s:s, s:o}", "name", tensor->name, "type",
                                             type_name(tensor->type), "shape", shape));
  }
  return tensors;
}

static json_t *metadata_json(const struct safetensors *file) {
  json_t *metadata = json_object();
  for (size_t i = 0; i < file->n_metadata; i++)
    json_object_set_new(metadata, file->metadata[i].key, json_string(file->metadata[i].value));
  return metadata;
}

static void print_checkpoint(const json_t *info) {
  size_t i;
  const char *key;
  json_t *item;
  json_object_foreach(json_object_get(info, "metadata"), key, item) {
    const char *value = json_string_value(item);
    printf("%-14s %.70s%s\n", key, value, strlen(value) > 70 ? "..." : "");
  }
  json_array_foreach(json_object_get(info, "tensors"), i, item) {
    char *shape = json_dumps(json_object_get(item, "shape"), 0);
    printf("param  %-32s %s %s\n", json_string_value(json_object_get(item, "name")),
           json_string_value(json_object_get(item, "type")), shape ? shape : "");
    free(shape);
  }
}

static int checkpoint_info(const struct cli_options *options) {
  char *error = NULL;
  struct safetensors *file = safetensors_read(options->model, &error);
  if (!file)
    cli_fail("%s", error);
  json_t *info = json_pack("{s:o, s:o}", "metadata", metadata_json(file), "tensors", tensors_json(file));
  safetensors_free(file);
  if (options->json) {
    cli_print_json(info);
    return 0;
  }
  print_checkpoint(info);
  json_decref(info);
  return 0;
}

// ------------------------------------------------------------------------------------------ models

static json_t *entries_json(const nn_model *model) {
  json_t *entries = json_array();
  for (size_t i = 0; i < nn_model_entry_count(model); i++)
    json_array_append_new(entries, json_pack("{s:s, s:b, s:s, s:s}", "name", nn_model_entry_name(model, i),
                                             "metric", nn_model_entry_is_metric(model, i), "parameters",
                                             nn_model_entry_parameters(model, i), "result",
                                             nn_model_entry_result(model, i)));
  return entries;
}

// The options that are words, as the language writes them.
static json_t *option_names(const struct ir_dim *dim) {
  json_t *names = json_array();
  if (dim->closed)
    json_array_append_new(names, json_string("closed"));
  if (dim->characters)
    json_array_append_new(names, json_string("characters"));
  if (dim->normal & (IR_NORMAL_NFC | IR_NORMAL_NFKC))
    json_array_append_new(names, json_string(dim->normal & IR_NORMAL_NFC ? "nfc" : "nfkc"));
  if (dim->normal & IR_NORMAL_LOWER)
    json_array_append_new(names, json_string("lower"));
  for (uint32_t i = 0; i < dim->n_sources; i++)
    json_array_append_new(names, json_sprintf("of %s", dim->sources[i]));
  return names;
}

static json_t *vocab_json(const struct ir_dim *dim, const struct vocab *vocab) {
  json_t *out = json_pack("{s:b, s:I, s:I}", "closed", dim->closed, "min_count", (json_int_t)dim->min_count,
                          "max_size", (json_int_t)dim->max_size);
  json_object_set_new(out, "options", option_names(dim));
  if (!vocab_is_frozen(vocab))
    return out;
  json_t *entries = json_array();
  for (size_t i = 0; i < vocab_size(vocab); i++)
    json_array_append_new(entries, json_string(vocab_entry(vocab, (int64_t)i)));
  json_object_set_new(out, "entries", entries);
  return out;
}

// Sizes: their values once the model is bound, before that how they are written.
static void add_sizes(json_t *info, const nn_model *model) {
  struct arena texts;
  arena_init(&texts);
  json_t *dims = json_object(), *vocabs = json_object(), *enums = json_object();
  for (uint32_t i = 0; i < model->module->n_dims; i++) {
    const struct ir_dim *dim = model->module->dims[i];
    json_t *members = json_array();
    for (uint32_t k = 0; k < dim->n_members; k++)
      json_array_append_new(members, json_string(dim->members[k]));
    if (dim->atom.kind == SIZE_ENUM)
      json_object_set(enums, dim->atom.name, members);
    else if (dim->atom.kind == SIZE_VOCAB)
      json_object_set_new(vocabs, dim->atom.name, vocab_json(dim, model->vocabs[i]));
    else
      json_object_set_new(dims, dim->atom.name,
                          model->bound ? json_integer((json_int_t)model->dims[i])
                                       : json_string(size_text(&texts, dim->value)));
    json_decref(members);
  }
  json_object_set_new(info, "dims", dims);
  json_object_set_new(info, "vocabs", vocabs);
  json_object_set_new(info, "enums", enums);
  arena_free(&texts);
}

static void add_bound_params(json_t *info, const nn_model *model) {
  json_t *params = json_array();
  for (size_t i = 0; i < nn_model_param_count(model); i++) {
    nn_param_info param = nn_model_param(model, i);
    json_t *shape = json_array();
    for (int k = 0; k < param.rank; k++)
      json_array_append_new(shape, json_integer(param.sizes[k]));
    json_array_append_new(params, json_pack("{s:s, s:o}", "name", param.name, "shape", shape));
  }
  json_object_set_new(info, "parameters", params);
  json_object_set_new(info, "parameter_count", json_integer((json_int_t)nn_model_parameters(model)));
}

static void add_params(json_t *info, const nn_model *model) {
  json_t *params = json_array();
  for (uint32_t i = 0; i < model->module->n_params; i++) {
    const struct ir_param *param = model->module->params[i];
    char *type = model_type_text(model->module, param->type);
    json_array_append_new(params, json_pack("{s:s, s:s}", "name", param->name, "type", type ? type : ""));
    free(type);
  }
  json_object_set_new(info, "parameters", params);
}

static void print_list(const json_t *list) {
  size_t i;
  json_t *item;
  json_array_foreach(list, i, item) {
    if (i == 8) {
      fputs(", ...", stdout);
      break;
    }
    printf("%s%s", i ? ", " : "", json_string_value(item));
  }
}

static void print_vocab(const char *name, const json_t *vocab) {
  const json_t *entries = json_object_get(vocab, "entries");
  json_int_t min_count = json_integer_value(json_object_get(vocab, "min_count")),
             max_size = json_integer_value(json_object_get(vocab, "max_size"));
  printf("vocab  %s", name);
  size_t i;
  json_t *option;
  json_array_foreach(json_object_get(vocab, "options"), i, option) printf(", %s", json_string_value(option));
  if (min_count > 1)
    printf(", min_count %lld", (long long)min_count);
  if (max_size)
    printf(", max_size %lld", (long long)max_size);
  if (entries)
    printf(", %zu: ", json_array_size(entries));
  print_list(entries);
  putchar('\n');
}

static void print_sizes(const json_t *info) {
  const char *name;
  json_t *item;
  json_object_foreach(json_object_get(info, "dims"), name, item) {
    if (json_is_string(item))
      printf("dim    %s = %s\n", name, json_string_value(item));
    else
      printf("dim    %s = %lld\n", name, (long long)json_integer_value(item));
  }
  json_object_foreach(json_object_get(info, "enums"), name, item) {
    printf("enum   %s, %zu: ", name, json_array_size(item));
    print_list(item);
    putchar('\n');
  }
  json_object_foreach(json_object_get(info, "vocabs"), name, item) print_vocab(name, item);
}

static void print_model(const json_t *info) {
  size_t i;
  json_t *item;
  printf("model  %s\n", json_string_value(json_object_get(info, "model")));
  json_array_foreach(json_object_get(info, "entries"), i, item) {
    printf("%s %s(%s) -> %s\n", json_is_true(json_object_get(item, "metric")) ? "metric" : "entry ",
           json_string_value(json_object_get(item, "name")),
           json_string_value(json_object_get(item, "parameters")),
           json_string_value(json_object_get(item, "result")));
  }
  print_sizes(info);
  json_array_foreach(json_object_get(info, "parameters"), i, item) {
    const char *type = json_string_value(json_object_get(item, "type"));
    char *shape = type ? NULL : json_dumps(json_object_get(item, "shape"), 0);
    printf("param  %-32s %s\n", json_string_value(json_object_get(item, "name")),
           type    ? type
           : shape ? shape
                   : "");
    free(shape);
  }
  if (json_object_get(info, "parameter_count"))
    printf("%lld parameters in all\n",
           (long long)json_integer_value(json_object_get(info, "parameter_count")));
  else
    puts("their number depends on the vocabularies: give --weights to see it");
}

int cli_info(const struct cli_options *options) {
  if (is_checkpoint(options->model))
    return checkpoint_info(options);
  nn_model *model = cli_open_model(options);
  json_t *info = json_pack("{s:s, s:o}", "model", nn_model_name(model), "entries", entries_json(model));
  if (options->weights)
    cli_check(nn_model_load_metadata(model, options->weights));
  bool known = nn_model_has_vocabs(model);
  if (known)
    cli_bind(model, options);
  add_sizes(info, model);
  if (known)
    add_bound_params(info, model);
  else
    add_params(info, model);
  nn_model_free(model);
  if (options->json) {
    cli_print_json(info);
    return 0;
  }
  print_model(info);
  json_decref(info);
  return 0;
}

// Reading parameters from a checkpoint: all of them, or those that fit, with what differs said in one line.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/text.h"
#include "runtime/base/status.h"
#include "runtime/data/json_text.h"
#include "runtime/model/model.h"
#include "runtime/train/checkpoint.h"

// Names that a message lists before it says "and 7 more".
enum { MOST_NAMES = 5 };

struct checkpoint_origin checkpoint_origin(const nn_model *model, const struct safetensors *file) {
  struct checkpoint_origin origin = {""};
  const char *name = safetensors_metadata_value(file, "model");
  if (!name)
    snprintf(origin.text, sizeof origin.text, "; it is no checkpoint that nnrun wrote");
  else if (strcmp(name, model->module->name) != 0)
    snprintf(origin.text, sizeof origin.text, "; it is a checkpoint of model `%.200s`", name);
  return origin;
}

// ------------------------------------------------------------------------------------------ numbers

static size_t element_bytes(enum safetensors_type type) {
  return type == SAFETENSORS_F64 ? 8 : type == SAFETENSORS_F32 ? 4 : 2;
}

static double half_value(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                 : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                : ldexp(fraction, -24);
  return bits >> 15 ? -value : value;
}

// Data in a file need not be aligned.
static double element_at(const struct safetensors_tensor *tensor, size_t i) {
  const char *from = (const char *)tensor->data + i * element_bytes(tensor->type);
  float single;
  double wide;
  uint16_t half;
  uint32_t bits;
  switch (tensor->type) {
  case SAFETENSORS_F64: memcpy(&wide, from, sizeof wide); return wide;
  case SAFETENSORS_F32: memcpy(&single, from, sizeof single); return single;
  case SAFETENSORS_F16: memcpy(&half, from, sizeof half); return half_value(half);
  default:
    memcpy(&half, from, sizeof half);
    bits = (uint32_t)half << 16;
    memcpy(&single, &bits, sizeof single);
    return single;
  }
}

static size_t element_count(const struct safetensors_tensor *tensor) {
  return tensor->bytes / element_bytes(tensor->type);
}

// Whether each number can be held; otherwise *wrong is one that cannot.
static bool fits(const struct safetensors_tensor *tensor, enum nn_element element, double *wrong) {
  for (size_t i = 0; element == NN_F32 && tensor->type == SAFETENSORS_F64 && i < element_count(tensor); i++) {
    *wrong = element_at(tensor, i);
    if (isfinite(*wrong) && !isfinite((float)*wrong))
      return false;
  }
  return true;
}

// Elements converted at once.
enum { PIECE = 1 << 12 };

union piece {
  float f32[PIECE];
  double f64[PIECE];
};

static void convert(const struct safetensors_tensor *tensor, enum nn_element element, size_t first, size_t n,
                    union piece *to) {
  for (size_t i = 0; i < n; i++) {
    if (element == NN_F32)
      to->f32[i] = (float)element_at(tensor, first + i);
    else
      to->f64[i] = element_at(tensor, first + i);
  }
}

static nn_status *write_values(nn_model *model, size_t param, const struct safetensors_tensor *tensor) {
  union piece piece;
  size_t elements = element_count(tensor);
  if (tensor->type == (model->element == NN_F32 ? SAFETENSORS_F32 : SAFETENSORS_F64))
    return nn_model_write_param(model, param, 0, elements, tensor->data);
  for (size_t at = 0, n; at < elements; at += n) {
    n = elements - at < PIECE ? elements - at : PIECE;
    convert(tensor, model->element, at, n, &piece);
    STATUS_TRY(nn_model_write_param(model, param, at, n, &piece));
  }
  return NULL;
}

// ---------------------------------------------------------------------------------------- comparing

// Where the n-th part of a message begins.
static void begin_part(FILE *out, size_t *n) { fputs((*n)++ ? "; " : "", out); }

// One of a list of which MOST_NAMES are named.
static void list_name(FILE *out, size_t i, const char *name) {
  if (i < MOST_NAMES)
    fprintf(out, "%s`%s`", i ? ", " : " ", name);
}

static void end_list(FILE *out, size_t n) {
  if (n > MOST_NAMES)
    fprintf(out, " and %zu more", n - MOST_NAMES);
}

static void print_shape(FILE *out, uint32_t rank, const int64_t *sizes) {
  fputc('[', out);
  for (uint32_t i = 0; i < rank; i++)
    fprintf(out, "%s%lld", i ? ", " : "", (long long)sizes[i]);
  fputc(']', out);
}

static const char *metadata_of(const struct safetensors *file, const char *prefix, const char *name) {
  for (size_t i = 0; i < file->n_metadata; i++)
    if (!strncmp(file->metadata[i].key, prefix, strlen(prefix)) &&
        !strcmp(file->metadata[i].key + strlen(prefix), name))
      return file->metadata[i].value;
  return NULL;
}

// What the checkpoint says of a vocabulary: whether it differs from the model's, and its size. False without memory.
static bool compare_vocab(const struct vocab *vocab, const char *text, bool *differs, size_t *n_there) {
  struct json_strings entries = {0};
  bool no_memory = false, is_list = text && json_strings_read(text, &entries, &no_memory);
  *n_there = entries.n;
  *differs = text && (!is_list || entries.n != vocab_size(vocab));
  for (size_t i = 0; !*differs && i < entries.n; i++)
    *differs = strcmp(entries.items[i], vocab_entry(vocab, (int64_t)i)) != 0;
  json_strings_free(&entries);
  return !no_memory;
}

// Parts about sizes: why shapes differ, and what shapes alone do not show. `differs`: [dim], vocabularies that do. False
// without memory.
static bool compare_dims(const nn_model *model, const struct safetensors *file, bool *differs, FILE *out,
                         size_t *n) {
  for (uint32_t i = 0; i < model->module->n_dims; i++) {
    const struct ir_dim *dim = model->module->dims[i];
    const char *name = dim->atom.name, *value;
    size_t n_there;
    if (dim->atom.kind == SIZE_VOCAB) {
      if (!compare_vocab(model->vocabs[i], metadata_of(file, "vocab.", name), &differs[i], &n_there))
        return false;
      if (!differs[i])
        continue;
      begin_part(out, n);
      if (n_there == vocab_size(model->vocabs[i]))
        fprintf(out, "vocabulary `%s` has other entries there", name);
      else
        fprintf(out, "vocabulary `%s` has %zu entries, but %zu in the model", name, n_there,
                vocab_size(model->vocabs[i]));
    } else if (model_dim_is_free(dim) && (value = metadata_of(file, "dim.", name)) &&
               strtoll(value, NULL, 10) != (long long)model->dims[i]) {
      begin_part(out, n);
      fprintf(out, "dim `%s` is %.20s, but %lld in the model", name, value, (long long)model->dims[i]);
    }
  }
  return true;
}

// Whether rows or columns of the parameter belong to entries of a vocabulary that differs.
static bool has_other_entries(const nn_model *model, size_t number, const bool *differs) {
  const struct ir_type *type = model->module->params[model->params.families[number]]->type;
  for (uint32_t axis = 0; axis < type->shape.rank; axis++)
    for (uint32_t i = 0; i < model->module->n_dims; i++)
      if (differs[i] && size_mentions(type->shape.sizes[axis], &model->module->dims[i]->atom))
        return true;
  return false;
}

enum match { TAKEN, MISSING, OTHER_SHAPE, OTHER_TYPE, TOO_LARGE, OTHER_ENTRIES };

struct comparison {
  enum match *matches;  // [parameter]
  bool *known;          // [tensor of the file] the model has one of that name
  size_t n_taken;
  char *text;  // what differs; "" when nothing does
};

static enum match match_of(const nn_model *model, size_t i, const struct safetensors *file,
                           const bool *differs, double *wrong) {
  nn_param_info info = nn_model_param(model, i);
  const struct safetensors_tensor *tensor = safetensors_find(file, info.name);
  if (!tensor)
    return MISSING;
  if (tensor->type == SAFETENSORS_I64 || tensor->type == SAFETENSORS_OTHER)
    return OTHER_TYPE;
  bool same = tensor->rank == (uint32_t)info.rank;
  for (int axis = 0; same && axis < info.rank; axis++)
    same = tensor->shape[axis] == info.sizes[axis];
  if (!same)
    return OTHER_SHAPE;
  if (has_other_entries(model, i, differs))
    return OTHER_ENTRIES;
  return fits(tensor, model->element, wrong) ? TAKEN : TOO_LARGE;
}

static void print_parameter(const nn_model *model, size_t i, enum match match, const struct safetensors *file,
                            double wrong, FILE *out) {
  nn_param_info info = nn_model_param(model, i);
  const struct safetensors_tensor *tensor = safetensors_find(file, info.name);
  fprintf(out, "`%s` is ", info.name);
  if (match == OTHER_TYPE) {
    fputs("neither F32, F64, F16 nor BF16", out);
  } else if (match == TOO_LARGE) {
    fprintf(out, "%g somewhere, more than f32 can hold (--precision f64 can)", wrong);
  } else {
    print_shape(out, tensor->rank, tensor->shape);
    fputs(", but ", out);
    print_shape(out, (uint32_t)info.rank, info.sizes);
    fputs(" in the model with the given dims", out);
  }
}

// Parts about parameters, those that are in both first.
static void compare_params(const nn_model *model, const struct safetensors *file, const bool *differs,
                           struct comparison *comparison, FILE *out, size_t *n) {
  size_t n_params = nn_model_param_count(model), counts[OTHER_ENTRIES + 1] = {0}, n_printed = 0,
         n_unknown = 0;
  for (size_t i = 0; i < n_params; i++) {
    double wrong = 0;
    enum match match = comparison->matches[i] = match_of(model, i, file, differs, &wrong);
    const struct safetensors_tensor *tensor = safetensors_find(file, nn_model_param(model, i).name);
    if (tensor)
      comparison->known[tensor - file->tensors] = true;
    counts[match]++;
    if (match == TAKEN || match == MISSING || match == OTHER_ENTRIES || ++n_printed > MOST_NAMES)
      continue;
    begin_part(out, n);
    print_parameter(model, i, match, file, wrong, out);
  }
  end_list(out, n_printed);
  comparison->n_taken = counts[TAKEN];
  static const struct {
    enum match match;
    const char *what;
  } lists[] = {{OTHER_ENTRIES, "of that vocabulary:"}, {MISSING, "it has no parameter"}};
  for (size_t k = 0; k < 2; k++) {
    if (!counts[lists[k].match])
      continue;
    begin_part(out, n);
    fputs(lists[k].what, out);
    for (size_t i = 0, listed = 0; i < n_params; i++)
      if (comparison->matches[i] == lists[k].match)
        list_name(out, listed++, nn_model_param(model, i).name);
    end_list(out, counts[lists[k].match]);
  }
  for (size_t t = 0; t < file->n_tensors; t++) {
    if (comparison->known[t])
      continue;
    if (n_unknown == 0) {
      begin_part(out, n);
      fputs("the model has no parameter", out);
    }
    list_name(out, n_unknown++, file->tensors[t].name);
  }
  end_list(out, n_unknown);
}

static void comparison_free(struct comparison *comparison) {
  free(comparison->matches);
  free(comparison->known);
  free(comparison->text);
}

static nn_status *compare(const nn_model *model, const struct safetensors *file,
                          struct comparison *comparison) {
  *comparison = (struct comparison){.matches = calloc(nn_model_param_count(model) + 1, sizeof(enum match)),
                                    .known = calloc(file->n_tensors + 1, sizeof(bool))};
  bool *differs = calloc((size_t)model->module->n_dims + 1, sizeof *differs);
  struct text text;
  FILE *out = comparison->matches && comparison->known && differs ? text_open(&text) : NULL;
  if (out) {
    size_t n = 0;
    bool known = compare_dims(model, file, differs, out, &n);
    if (known)
      compare_params(model, file, differs, comparison, out, &n);
    comparison->text = text_close(&text);
    if (!known) {
      free(comparison->text);
      comparison->text = NULL;
    }
  }
  free(differs);
  if (comparison->text)
    return NULL;
  comparison_free(comparison);
  return status_no_memory();
}

static nn_status *take(nn_model *model, const struct safetensors *file, const struct comparison *comparison) {
  for (size_t i = 0; i < nn_model_param_count(model); i++)
    if (comparison->matches[i] == TAKEN)
      STATUS_TRY(write_values(model, i, safetensors_find(file, nn_model_param(model, i).name)));
  return NULL;
}

// ------------------------------------------------------------------------------------------ loading

static nn_status *load_all(nn_model *model, const char *path, const struct safetensors *file) {
  struct comparison comparison;
  STATUS_TRY(compare(model, file, &comparison));
  nn_status *status;
  // A dim may differ that no parameter depends on.
  bool whole = comparison.n_taken == nn_model_param_count(model) && comparison.n_taken == file->n_tensors;
  if (whole)
    status = take(model, file, &comparison);
  else
    status = status_new(NN_DATA, "%s does not fit the model: %s%s", path, comparison.text,
                        checkpoint_origin(model, file).text);
  comparison_free(&comparison);
  return status;
}

static nn_status *load_fitting(nn_model *model, const char *path, const struct safetensors *file,
                               char **report) {
  struct comparison comparison;
  STATUS_TRY(compare(model, file, &comparison));
  nn_status *status = NULL;
  char *text = NULL;
  if (comparison.n_taken == 0)
    status = status_new(NN_DATA, "%s has nothing for the model: %s%s", path, comparison.text,
                        checkpoint_origin(model, file).text);
  else if (asprintf(&text, "%s: %zu of %zu parameters taken%s%s", path, comparison.n_taken,
                    nn_model_param_count(model), *comparison.text ? "; " : "", comparison.text) < 0)
    status = status_no_memory();
  if (!status)
    status = take(model, file, &comparison);
  if (status)
    free(text);
  else
    *report = text;
  comparison_free(&comparison);
  return status;
}

static nn_status *read_file(const nn_model *model, const char *path, struct safetensors **file) {
  if (!model->bound)
    return status_new(NN_INVALID, "the model is not bound");
  char *error = NULL;
  *file = safetensors_read(path, &error);
  return *file ? NULL : status_take(NN_IO, error);
}

nn_status *nn_model_load_weights(nn_model *model, const char *path) {
  struct safetensors *file;
  STATUS_TRY(read_file(model, path, &file));
  nn_status *status = load_all(model, path, file);
  safetensors_free(file);
  return status;
}

nn_status *nn_model_init_weights(nn_model *model, const char *path, char **report) {
  struct safetensors *file;
  STATUS_TRY(read_file(model, path, &file));
  nn_status *status = load_fitting(model, path, file, report);
  safetensors_free(file);
  return status;
}

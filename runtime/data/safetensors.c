// Reads and writes safetensors files.
#include "runtime/data/safetensors.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/files.h"
#include "compiler/base/text.h"
#include "runtime/data/message.h"

// The reference implementation's own limit; a larger header is damage or an attack.
#define MAX_HEADER_BYTES 100000000u

struct safetensors_file {
  json_t *header;  // owns every string
  char *bytes;     // owns the data
};

static const struct {
  const char *name;
  enum safetensors_type type;
  size_t bytes;
} types[] = {{"F32", SAFETENSORS_F32, 4},   {"F64", SAFETENSORS_F64, 8},   {"I64", SAFETENSORS_I64, 8},
             {"F16", SAFETENSORS_F16, 2},   {"BF16", SAFETENSORS_BF16, 2}, {"I32", SAFETENSORS_OTHER, 4},
             {"I16", SAFETENSORS_OTHER, 2}, {"I8", SAFETENSORS_OTHER, 1},  {"U64", SAFETENSORS_OTHER, 8},
             {"U32", SAFETENSORS_OTHER, 4}, {"U16", SAFETENSORS_OTHER, 2}, {"U8", SAFETENSORS_OTHER, 1},
             {"BOOL", SAFETENSORS_OTHER, 1}};
#define N_TYPES (sizeof types / sizeof *types)

static uint64_t read_u64(const char *bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--)
    value = value << 8 | (unsigned char)bytes[i];
  return value;
}

// ----------------------------------------------------------------------------------------- reading

// One entry of the header; NULL when it is right, otherwise what is wrong with it.
static const char *decode_tensor(const json_t *entry, const char *data, size_t data_bytes,
                                 struct safetensors_tensor *out) {
  const char *type = json_string_value(json_object_get(entry, "dtype"));
  const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
  if (!type || !json_is_array(shape) || json_array_size(offsets) != 2)
    return "lacks dtype, shape or data_offsets";
  size_t t = 0;
  while (t < N_TYPES && strcmp(types[t].name, type))
    t++;
  if (t == N_TYPES)
    return "has an unknown dtype";
  if (json_array_size(shape) > SAFETENSORS_MAX_RANK)
    return "has more than 8 dimensions";
  out->type = types[t].type;
  out->rank = (uint32_t)json_array_size(shape);
  size_t bytes = types[t].bytes;
  for (uint32_t i = 0; i < out->rank; i++) {
    const json_t *extent = json_array_get(shape, i);
    out->shape[i] = json_integer_value(extent);
    if (!json_is_integer(extent) || out->shape[i] < 0)
      return "has a bad shape";
    if (__builtin_mul_overflow(bytes, (size_t)out->shape[i], &bytes))
      return "is too large";
  }
  const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
  if (!json_is_integer(from) || !json_is_integer(to))
    return "has bad data_offsets";
  json_int_t low = json_integer_value(from), high = json_integer_value(to);
  if (low < 0 || high < low || (uint64_t)high > data_bytes)
    return "lies outside the file";
  if ((uint64_t)(high - low) != bytes)
    return "has data_offsets that do not match its shape";
  out->data = data + low;
  out->bytes = bytes;
  return NULL;
}

// NULL when it is right, otherwise what is wrong.
static const char *decode_metadata(const json_t *entry, struct safetensors *out) {
  static const char no_strings[] = "damaged checkpoint: __metadata__ is not an object of strings";
  if (!json_is_object(entry))
    return no_strings;
  out->metadata = calloc(json_object_size(entry) + 1, sizeof *out->metadata);
  if (!out->metadata)
    return "out of memory";
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)entry, key, value) {
    if (!json_is_string(value))
      return no_strings;
    out->metadata[out->n_metadata++] = (struct safetensors_metadata){key, json_string_value(value)};
  }
  return NULL;
}

static bool decode_header(const char *name, const json_t *header, const char *data, size_t data_bytes,
                          struct safetensors *out, char **error) {
  out->tensors = calloc(json_object_size(header) + 1, sizeof *out->tensors);
  if (!out->tensors)
    return message_set(error, "%s: out of memory", name);
  const char *key;
  json_t *entry;
  json_object_foreach((json_t *)header, key, entry) {
    if (!strcmp(key, "__metadata__")) {
      const char *wrong = decode_metadata(entry, out);
      if (wrong)
        return message_set(error, "%s: %s", name, wrong);
      continue;
    }
    struct safetensors_tensor *tensor = &out->tensors[out->n_tensors];
    tensor->name = key;
    const char *wrong = decode_tensor(entry, data, data_bytes, tensor);
    if (wrong)
      return message_set(error, "%s: damaged checkpoint: tensor `%s` %s", name, key, wrong);
    out->n_tensors++;
  }
  return true;
}

static int compare_places(const void *a, const void *b) {
  const struct safetensors_tensor *x = *(const struct safetensors_tensor *const *)a,
                                  *y = *(const struct safetensors_tensor *const *)b;
  const char *from_x = x->data, *from_y = y->data;
  // An empty tensor stands before the one that begins where it does.
  return from_x != from_y ? (from_x < from_y ? -1 : 1) : x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

// The format wants the tensors to fill the data, each byte once: what overlaps or is left over is damage, or hides
// something.
static bool check_places(const char *name, const struct safetensors *out, const char *data, size_t data_bytes,
                         char **error) {
  const struct safetensors_tensor **order = calloc(out->n_tensors + 1, sizeof *order);
  if (!order)
    return message_set(error, "%s: out of memory", name);
  for (size_t i = 0; i < out->n_tensors; i++)
    order[i] = &out->tensors[i];
  qsort(order, out->n_tensors, sizeof *order, compare_places);
  const char *end = data;
  bool ok = true;
  for (size_t i = 0; ok && i < out->n_tensors; i++) {
    const char *from = order[i]->data;
    if (from < end)
      ok = message_set(error, "%s: damaged checkpoint: tensors `%s` and `%s` overlap", name,
                       i ? order[i - 1]->name : "", order[i]->name);
    else if (from > end)
      ok = message_set(error, "%s: damaged checkpoint: %zu bytes before tensor `%s` belong to no tensor",
                       name, (size_t)(from - end), order[i]->name);
    end = from + order[i]->bytes;
  }
  if (ok && end < data + data_bytes)
    ok = message_set(error, "%s: damaged checkpoint: %zu bytes at its end belong to no tensor", name,
                     (size_t)(data + data_bytes - end));
  free(order);
  return ok;
}

// Takes over `bytes`, which is freed on an error too.
static struct safetensors *decode(const char *name, char *bytes, size_t length, char **error) {
  struct safetensors *out = calloc(1, sizeof *out);
  struct safetensors_file *file = calloc(1, sizeof *file);
  if (!out || !file) {
    free(out), free(file), free(bytes);
    message_set(error, "%s: out of memory", name);
    return NULL;
  }
  out->file = file;
  file->bytes = bytes;
  uint64_t header_bytes = length >= 8 ? read_u64(bytes) : 0;
  if (length < 8 || header_bytes > MAX_HEADER_BYTES || header_bytes > length - 8) {
    message_set(error, "%s: not a safetensors file, or a truncated one", name);
    safetensors_free(out);
    return NULL;
  }
  json_error_t why;
  file->header = json_loadb(bytes + 8, (size_t)header_bytes, JSON_REJECT_DUPLICATES, &why);
  if (!json_is_object(file->header)) {
    if (!file->header && json_error_code(&why) == json_error_out_of_memory)
      message_set(error, "%s: out of memory", name);
    else
      message_set(error, "%s: not a safetensors file: its header is no JSON object", name);
    safetensors_free(out);
    return NULL;
  }
  const char *data = bytes + 8 + header_bytes;
  size_t data_bytes = length - 8 - (size_t)header_bytes;
  if (!decode_header(name, file->header, data, data_bytes, out, error) ||
      !check_places(name, out, data, data_bytes, error)) {
    safetensors_free(out);
    return NULL;
  }
  return out;
}

// The whole of an open file, malloc'd; NULL with *problem, a string that is not to be freed.
static char *read_bytes(int file, size_t *length, const char **problem) {
  struct stat info;
  if (fstat(file, &info) != 0) {
    *problem = strerror(errno);
    return NULL;
  }
  *length = (size_t)info.st_size;
  char *bytes = malloc(*length + 1);
  ssize_t got = 1;
  for (size_t at = 0; bytes && got && at < *length;) {
    got = read(file, bytes + at, *length - at);
    at += got > 0 ? (size_t)got : 0;
    if (got > 0 || (got < 0 && errno == EINTR))
      continue;
    *problem = got < 0 ? strerror(errno) : "it became shorter while it was read";
    free(bytes);
    return NULL;
  }
  if (!bytes)
    *problem = "out of memory";
  return bytes;
}

struct safetensors *safetensors_read(const char *path, char **error) {
  const char *problem = NULL;
  size_t length = 0;
  int file = file_open(path, FILE_REGULAR_ONLY, &problem);
  char *bytes = file >= 0 ? read_bytes(file, &length, &problem) : NULL;
  if (file >= 0)
    close(file);
  if (!bytes) {
    message_set(error, "%s: %s", path, problem);
    return NULL;
  }
  return decode(path, bytes, length, error);
}

void safetensors_free(struct safetensors *checkpoint) {
  if (!checkpoint)
    return;
  if (checkpoint->file) {
    json_decref(checkpoint->file->header);
    free(checkpoint->file->bytes);
    free(checkpoint->file);
  }
  free(checkpoint->tensors);
  free(checkpoint->metadata);
  free(checkpoint);
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *checkpoint, const char *name) {
  for (size_t i = 0; i < checkpoint->n_tensors; i++)
    if (!strcmp(checkpoint->tensors[i].name, name))
      return &checkpoint->tensors[i];
  return NULL;
}

const char *safetensors_metadata_value(const struct safetensors *checkpoint, const char *key) {
  for (size_t i = 0; i < checkpoint->n_metadata; i++)
    if (!strcmp(checkpoint->metadata[i].key, key))
      return checkpoint->metadata[i].value;
  return NULL;
}

// ----------------------------------------------------------------------------------------- writing

static bool add_tensor(json_t *header, const struct safetensors_tensor *tensor, json_int_t at) {
  json_t *shape = json_array();
  bool ok = shape != NULL;
  for (uint32_t k = 0; ok && k < tensor->rank; k++)
    ok = json_array_append_new(shape, json_integer(tensor->shape[k])) == 0;
  size_t t = 0;
  while (types[t].type != tensor->type)
    t++;
  json_t *entry = ok ? json_pack("{s:s, s:O, s:[I, I]}", "dtype", types[t].name, "shape", shape,
                                 "data_offsets", at, at + (json_int_t)tensor->bytes)
                     : NULL;
  json_decref(shape);
  return entry && json_object_set_new(header, tensor->name, entry) == 0;
}

static int append(const char *bytes, size_t length, void *context) {
  const struct text *text = context;
  return fwrite(bytes, 1, length, text->out) == length ? 0 : -1;
}

// The header's text, padded with blanks so that the data begins at a multiple of eight; NULL when memory runs
// out: a header that lacks a tensor must not replace a good one.
static char *header_text(size_t n_tensors, const struct safetensors_tensor *tensors, size_t n_metadata,
                         const struct safetensors_metadata *metadata) {
  json_t *header = json_object(), *strings = json_object();
  bool ok = header && strings;
  for (size_t i = 0; ok && i < n_metadata; i++)
    ok = json_object_set_new(strings, metadata[i].key, json_string(metadata[i].value)) == 0;
  if (ok && n_metadata)
    ok = json_object_set(header, "__metadata__", strings) == 0;
  json_int_t at = 0;
  for (size_t i = 0; ok && i < n_tensors; i++) {
    ok = add_tensor(header, &tensors[i], at);
    at += (json_int_t)tensors[i].bytes;
  }
  struct text written;
  char *text = NULL, *padded = NULL;
  if (ok && text_open(&written)) {
    // Not json_dumps: without memory it may give a text that lacks a part (jansson 2.14).
    ok = json_dump_callback(header, append, &written, JSON_COMPACT) == 0;
    text = text_close(&written);
    if (!ok) {
      free(text);
      text = NULL;
    }
  }
  json_decref(strings);
  json_decref(header);
  if (text && asprintf(&padded, "%s%*s", text, (int)((8 - strlen(text) % 8) % 8), "") < 0)
    padded = NULL;
  free(text);
  return padded;
}

struct contents {
  const char *header;
  size_t n_tensors;
  const struct safetensors_tensor *tensors;
  const struct safetensors_source *source;  // NULL: the tensors' own data
  char *piece;                              // [SAFETENSORS_PIECE] with a source
  bool *source_ended;
};

static bool write_tensor(const struct contents *contents, size_t number, int file) {
  const struct safetensors_tensor *tensor = &contents->tensors[number];
  if (!contents->source)
    return file_write_all(file, tensor->data, tensor->bytes);
  for (size_t at = 0, n; at < tensor->bytes; at += n) {
    n = tensor->bytes - at < SAFETENSORS_PIECE ? tensor->bytes - at : SAFETENSORS_PIECE;
    *contents->source_ended = !contents->source->read(contents->source->context, number, at, n,
                                                      contents->piece);
    if (*contents->source_ended || !file_write_all(file, contents->piece, n))
      return false;
  }
  return true;
}

static bool write_contents(const void *context, int file) {
  const struct contents *contents = context;
  char length[8];
  for (int i = 0; i < 8; i++)
    length[i] = (char)((uint64_t)strlen(contents->header) >> (8 * i));
  bool ok = file_write_all(file, length, 8) &&
            file_write_all(file, contents->header, strlen(contents->header));
  for (size_t i = 0; ok && i < contents->n_tensors; i++)
    ok = write_tensor(contents, i, file);
  return ok;
}

bool safetensors_write_from(const char *path, size_t n_tensors, const struct safetensors_tensor *tensors,
                            size_t n_metadata, const struct safetensors_metadata *metadata,
                            const struct safetensors_source *source, char **error) {
  bool source_ended = false;
  char *header = header_text(n_tensors, tensors, n_metadata, metadata);
  char *piece = source ? malloc(SAFETENSORS_PIECE) : NULL;
  const struct contents contents = {header, n_tensors, tensors, source, piece, &source_ended};
  bool ok = header && (piece || !source);
  if (!ok)
    message_set(error, "%s: out of memory", path);
  else if (!(ok = file_replace(path, write_contents, &contents)) && source_ended)
    *error = NULL;
  else if (!ok)
    message_set(error, "%s: the checkpoint could not be written: %s", path, strerror(errno));
  free(piece);
  free(header);
  return ok;
}

bool safetensors_write(const char *path, size_t n_tensors, const struct safetensors_tensor *tensors,
                       size_t n_metadata, const struct safetensors_metadata *metadata, char **error) {
  return safetensors_write_from(path, n_tensors, tensors, n_metadata, metadata, NULL, error);
}

// Reads and writes safetensors files.
#include "runtime/data/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
} types[] = {{"F32", SAFETENSORS_F32, 4},   {"F64", SAFETENSORS_F64, 8},    {"I64", SAFETENSORS_I64, 8},
             {"F16", SAFETENSORS_OTHER, 2}, {"BF16", SAFETENSORS_OTHER, 2}, {"I32", SAFETENSORS_OTHER, 4},
             {"I16", SAFETENSORS_OTHER, 2}, {"I8", SAFETENSORS_OTHER, 1},   {"U64", SAFETENSORS_OTHER, 8},
             {"U32", SAFETENSORS_OTHER, 4}, {"U16", SAFETENSORS_OTHER, 2},  {"U8", SAFETENSORS_OTHER, 1},
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

static bool decode_metadata(const json_t *entry, struct safetensors *out) {
  if (!json_is_object(entry))
    return false;
  out->metadata = calloc(json_object_size(entry) + 1, sizeof *out->metadata);
  if (!out->metadata)
    return false;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)entry, key, value) {
    if (!json_is_string(value))
      return false;
    out->metadata[out->n_metadata++] = (struct safetensors_metadata){key, json_string_value(value)};
  }
  return true;
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
      if (!decode_metadata(entry, out))
        return message_set(error, "%s: damaged checkpoint: __metadata__ is not an object of strings", name);
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
    message_set(error, "%s: not a safetensors file: its header is no JSON object", name);
    safetensors_free(out);
    return NULL;
  }
  const char *data = bytes + 8 + header_bytes;
  if (!decode_header(name, file->header, data, length - 8 - (size_t)header_bytes, out, error)) {
    safetensors_free(out);
    return NULL;
  }
  return out;
}

struct safetensors *safetensors_decode(const char *name, const void *bytes, size_t length, char **error) {
  char *copy = malloc(length + 1);
  if (!copy) {
    message_set(error, "%s: out of memory", name);
    return NULL;
  }
  memcpy(copy, bytes, length);
  return decode(name, copy, length, error);
}

struct safetensors *safetensors_read(const char *path, char **error) {
  FILE *file = fopen(path, "rb");
  struct stat info;
  if (!file || fstat(fileno(file), &info)) {
    message_set(error, "%s: %s", path, strerror(errno));
    if (file)
      fclose(file);
    return NULL;
  }
  if (!S_ISREG(info.st_mode)) {
    message_set(error, "%s: not a regular file", path);
    fclose(file);
    return NULL;
  }
  size_t length = (size_t)info.st_size;
  char *bytes = malloc(length + 1);
  if (!bytes || fread(bytes, 1, length, file) != length) {
    message_set(error, "%s: %s", path, bytes ? "it could not be read whole" : "out of memory");
    free(bytes);
    fclose(file);
    return NULL;
  }
  fclose(file);
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

// The header's text, padded with blanks so that the data begins at a multiple of eight; NULL when memory runs
// out.
static char *header_text(size_t n_tensors, const struct safetensors_tensor *tensors, size_t n_metadata,
                         const struct safetensors_metadata *metadata) {
  json_t *header = json_object(), *strings = json_object();
  for (size_t i = 0; i < n_metadata; i++)
    json_object_set_new(strings, metadata[i].key, json_string(metadata[i].value));
  if (n_metadata)
    json_object_set(header, "__metadata__", strings);
  json_decref(strings);
  json_int_t at = 0;
  for (size_t i = 0; i < n_tensors; i++) {
    json_t *shape = json_array();
    for (uint32_t k = 0; k < tensors[i].rank; k++)
      json_array_append_new(shape, json_integer(tensors[i].shape[k]));
    size_t t = 0;
    while (types[t].type != tensors[i].type)
      t++;
    json_int_t end = at + (json_int_t)tensors[i].bytes;
    json_object_set_new(
        header, tensors[i].name,
        json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[t].name, "shape", shape, "data_offsets", at, end));
    at = end;
  }
  char *text = json_dumps(header, JSON_COMPACT), *padded = NULL;
  json_decref(header);
  if (text && asprintf(&padded, "%s%*s", text, (int)((8 - strlen(text) % 8) % 8), "") < 0)
    padded = NULL;
  free(text);
  return padded;
}

static bool write_all(FILE *file, const char *header, size_t n_tensors,
                      const struct safetensors_tensor *tensors) {
  char length[8];
  for (int i = 0; i < 8; i++)
    length[i] = (char)((uint64_t)strlen(header) >> (8 * i));
  if (fwrite(length, 1, 8, file) != 8 || fputs(header, file) < 0)
    return false;
  for (size_t i = 0; i < n_tensors; i++)
    if (tensors[i].bytes && fwrite(tensors[i].data, 1, tensors[i].bytes, file) != tensors[i].bytes)
      return false;
  return fflush(file) == 0;
}

// The rename itself reaches the disk with the folder.
static void sync_folder(const char *path) {
  char *folder = strdup(path);
  if (!folder)
    return;
  char *slash = strrchr(folder, '/');
  if (slash)
    slash[slash == folder] = 0;
  int descriptor = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    fsync(descriptor);
    close(descriptor);
  }
  free(folder);
}

// Writes into a new file beside the target and renames it over it. `mode`: of the file that is replaced, or
// 0.
static bool replace(const char *path, mode_t mode, const char *header, size_t n_tensors,
                    const struct safetensors_tensor *tensors) {
  char *temporary = NULL;
  // Unique among processes by the process, among a process's threads by an address on the stack.
  if (asprintf(&temporary, "%s.tmp.%ld.%zx", path, (long)getpid(), (size_t)&temporary) < 0)
    return false;
  int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  FILE *file = descriptor >= 0 ? fdopen(descriptor, "wb") : NULL;
  bool ok = file != NULL && (mode == 0 || fchmod(descriptor, mode) == 0);
  ok = ok && write_all(file, header, n_tensors, tensors) && fsync(descriptor) == 0;
  int why = errno;
  if (file && fclose(file) != 0 && ok)
    ok = false, why = errno;
  if (ok && rename(temporary, path) != 0)
    ok = false, why = errno;
  if (ok)
    sync_folder(path);
  else if (descriptor >= 0)
    unlink(temporary);
  free(temporary);
  errno = why;
  return ok;
}

// A device or a pipe is no file that could be replaced.
static bool write_through(const char *path, const char *header, size_t n_tensors,
                          const struct safetensors_tensor *tensors) {
  FILE *file = fopen(path, "wb");
  if (!file)
    return false;
  bool ok = write_all(file, header, n_tensors, tensors);
  int why = errno;
  if (fclose(file) != 0 && ok)
    return false;
  errno = why;
  return ok;
}

bool safetensors_write(const char *path, size_t n_tensors, const struct safetensors_tensor *tensors,
                       size_t n_metadata, const struct safetensors_metadata *metadata, char **error) {
  char *header = header_text(n_tensors, tensors, n_metadata, metadata);
  if (!header)
    return message_set(error, "%s: out of memory", path);
  struct stat old;
  bool exists = stat(path, &old) == 0, ok;
  if (exists && !S_ISREG(old.st_mode)) {
    ok = write_through(path, header, n_tensors, tensors);
  } else {
    // Where a link points, not the link, is replaced.
    char *target = exists ? realpath(path, NULL) : NULL;
    ok = replace(target ? target : path, exists ? old.st_mode & 0777 : 0, header, n_tensors, tensors);
    int why = errno;
    free(target);
    errno = why;
  }
  free(header);
  return ok || message_set(error, "%s: the checkpoint could not be written: %s", path, strerror(errno));
}

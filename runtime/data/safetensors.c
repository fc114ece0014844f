// Reads and writes safetensors files.
#include "runtime/data/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/array.h"
#include "compiler/base/files.h"
#include "compiler/base/text.h"
#include "runtime/base/message.h"
#include "runtime/data/json_text.h"

// The reference implementation's own limit; a larger header is damage or an attack.
#define MAX_HEADER_BYTES 100000000u

struct safetensors_file {
  char *strings;  // names, keys and values, one behind the other
  char *bytes;    // owns the data
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

static bool is_text(const struct json_token *token, const char *text) {
  return token->length == strlen(text) && !memcmp(token->text, text, token->length);
}

// ----------------------------------------------------------------------------------------- reading

// The header while it is read.
struct header {
  struct json_text json;
  struct safetensors *out;
  size_t data_bytes;
  char *free_text;  // where the next string goes
  size_t tensor_capacity, metadata_capacity;
  const char *wrong;  // of the file as a whole, or of `tensor`
  const char *tensor;
};

static bool refuse(struct header *header, const char *wrong) {
  header->wrong = wrong;
  return false;
}

// A string that stays with the file. All of them together are no longer than the header.
static const char *keep_text(struct header *header, const struct json_token *string) {
  char *text = header->free_text;
  memcpy(text, string->text, string->length);
  text[string->length] = 0;
  header->free_text += string->length + 1;
  return text;
}

// An array of integers that are not negative; more of them than there is room for are counted.
struct extents {
  bool is_array, is_sound;
  size_t n;
  int64_t values[SAFETENSORS_MAX_RANK];
};

static bool read_extents(struct json_lex *lex, const struct json_token *open, struct extents *out) {
  *out = (struct extents){.is_array = open->kind == JSON_LEX_OPEN_ARRAY, .is_sound = true};
  if (!out->is_array)
    return json_skip(lex, open);
  struct json_items items = json_items_of(lex, open);
  struct json_token token;
  int more;
  while ((more = json_next_item(lex, &items, &token)) > 0) {
    errno = 0;
    int64_t value = token.kind == JSON_LEX_INTEGER ? strtoll(token.text, NULL, 10) : -1;
    out->is_sound &= value >= 0 && !errno;
    if (out->n < SAFETENSORS_MAX_RANK)
      out->values[out->n] = value;
    out->n++;
    if (!json_skip(lex, &token))
      return false;
  }
  return more == 0;
}

// A tensor as it is described, which nothing is checked of yet.
struct description {
  bool has_type;
  size_t type;  // in `types`; N_TYPES: an unknown one
  struct extents shape, offsets;
};

static bool read_description(struct json_lex *lex, const struct json_token *open, struct description *out) {
  *out = (struct description){.has_type = false};
  if (open->kind != JSON_LEX_OPEN_OBJECT)
    return json_skip(lex, open);
  struct json_items items = json_items_of(lex, open);
  struct json_token token;
  int more;
  while ((more = json_next_item(lex, &items, &token)) > 0) {
    struct extents *extents = is_text(&token, "shape")          ? &out->shape
                              : is_text(&token, "data_offsets") ? &out->offsets
                                                                : NULL;
    bool is_type = is_text(&token, "dtype");
    token = json_next(lex);
    if (is_type && token.kind == JSON_LEX_STRING) {
      out->has_type = true;
      while (out->type < N_TYPES && !is_text(&token, types[out->type].name))
        out->type++;
    } else if (!(extents ? read_extents(lex, &token, extents) : json_skip(lex, &token))) {
      return false;
    }
  }
  return more == 0;
}

// NULL when it is right, otherwise what is wrong with it.
static const char *check_description(const struct description *from, const char *data, size_t data_bytes,
                                     struct safetensors_tensor *out) {
  if (!from->has_type || !from->shape.is_array || from->offsets.n != 2)
    return "lacks dtype, shape or data_offsets";
  if (from->type == N_TYPES)
    return "has an unknown dtype";
  if (from->shape.n > SAFETENSORS_MAX_RANK)
    return "has more than 8 dimensions";
  if (!from->shape.is_sound)
    return "has a bad shape";
  out->type = types[from->type].type;
  out->rank = (uint32_t)from->shape.n;
  size_t bytes = types[from->type].bytes;
  for (uint32_t i = 0; i < out->rank; i++) {
    out->shape[i] = from->shape.values[i];
    if (__builtin_mul_overflow(bytes, (size_t)out->shape[i], &bytes))
      return "is too large";
  }
  if (!from->offsets.is_sound)
    return "has bad data_offsets";
  uint64_t low = (uint64_t)from->offsets.values[0], high = (uint64_t)from->offsets.values[1];
  if (high < low || high > data_bytes)
    return "lies outside the file";
  if (high - low != bytes)
    return "has data_offsets that do not match its shape";
  out->data = data + low;
  out->bytes = bytes;
  return NULL;
}

static bool read_tensor(struct header *header, const struct json_token *key, const char *data) {
  struct safetensors *out = header->out;
  struct description description;
  if (!array_reserve(&out->tensors, sizeof *out->tensors, out->n_tensors + 1, &header->tensor_capacity))
    return refuse(header, "out of memory");
  struct safetensors_tensor *tensor = &out->tensors[out->n_tensors];
  *tensor = (struct safetensors_tensor){.name = keep_text(header, key)};
  struct json_token token = json_next(&header->json.lex);
  if (!read_description(&header->json.lex, &token, &description))
    return false;
  const char *wrong = check_description(&description, data, header->data_bytes, tensor);
  if (wrong) {
    header->tensor = tensor->name;
    return refuse(header, wrong);
  }
  out->n_tensors++;
  return true;
}

static bool read_metadata(struct header *header) {
  static const char no_strings[] = "damaged checkpoint: __metadata__ is not an object of strings";
  struct safetensors *out = header->out;
  struct json_lex *lex = &header->json.lex;
  struct json_token token = json_next(lex);
  if (token.kind != JSON_LEX_OPEN_OBJECT)
    return json_skip(lex, &token) && refuse(header, no_strings);
  struct json_items items = json_items_of(lex, &token);
  int more;
  while ((more = json_next_item(lex, &items, &token)) > 0) {
    if (!array_reserve(&out->metadata, sizeof *out->metadata, out->n_metadata + 1,
                       &header->metadata_capacity))
      return refuse(header, "out of memory");
    struct safetensors_metadata *pair = &out->metadata[out->n_metadata];
    pair->key = keep_text(header, &token);
    token = json_next(lex);
    if (token.kind != JSON_LEX_STRING)
      return json_skip(lex, &token) && refuse(header, no_strings);
    pair->value = keep_text(header, &token);
    out->n_metadata++;
  }
  return more == 0;
}

// Whether the whole header was read. Otherwise header->wrong says why, or it is no JSON object.
static bool read_header(struct header *header, const char *data) {
  struct json_lex *lex = &header->json.lex;
  struct json_token token = json_next(lex);
  if (token.kind != JSON_LEX_OPEN_OBJECT)
    return false;
  struct json_items items = json_items_of(lex, &token);
  int more;
  while ((more = json_next_item(lex, &items, &token)) > 0)
    if (!(is_text(&token, "__metadata__") ? read_metadata(header) : read_tensor(header, &token, data)))
      return false;
  return more == 0 && json_next(lex).kind == JSON_LEX_END;
}

static bool decode_header(const char *name, struct safetensors *out, const char *text, size_t length,
                          const char *data, size_t data_bytes, char **error) {
  struct header header = {.out = out, .data_bytes = data_bytes, .free_text = out->file->strings};
  json_text_open(&header.json, "header", text, length);
  bool ok = read_header(&header, data);
  const char *problem = header.json.reader.error;
  if (header.json.reader.is_fatal)
    message_set(error, "%s: out of memory", name);
  else if (!ok && header.tensor)
    message_set(error, "%s: damaged checkpoint: tensor `%s` %s", name, header.tensor, header.wrong);
  else if (!ok && header.wrong)
    message_set(error, "%s: %s", name, header.wrong);
  else if (!ok)
    message_set(error, "%s: not a safetensors file: its header is no JSON object%s%s%s", name,
                problem ? " (" : "", problem ? problem : "", problem ? ")" : "");
  json_text_close(&header.json);
  return ok;
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
  const char *data = bytes + 8 + header_bytes;
  size_t data_bytes = length - 8 - (size_t)header_bytes;
  if (!(file->strings = malloc((size_t)header_bytes + 1)))
    message_set(error, "%s: out of memory", name);
  if (!file->strings || !decode_header(name, out, bytes + 8, (size_t)header_bytes, data, data_bytes, error) ||
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
    free(checkpoint->file->strings);
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

static void print_tensor(const struct safetensors_tensor *tensor, size_t at, FILE *out) {
  size_t t = 0;
  while (types[t].type != tensor->type)
    t++;
  json_write_string(out, tensor->name);
  fprintf(out, ":{\"dtype\":\"%s\",\"shape\":[", types[t].name);
  for (uint32_t k = 0; k < tensor->rank; k++)
    fprintf(out, "%s%" PRId64, k ? "," : "", tensor->shape[k]);
  fprintf(out, "],\"data_offsets\":[%zu,%zu]}", at, at + tensor->bytes);
}

static void print_metadata(size_t n, const struct safetensors_metadata *metadata, FILE *out) {
  fputs("\"__metadata__\":{", out);
  for (size_t i = 0; i < n; i++) {
    fputs(i ? "," : "", out);
    json_write_string(out, metadata[i].key);
    fputc(':', out);
    json_write_string(out, metadata[i].value);
  }
  fputc('}', out);
}

// The header's text, padded with blanks so that the data begins at a multiple of eight; NULL when memory runs
// out: a header that lacks a tensor must not replace a good one.
static char *header_text(size_t n_tensors, const struct safetensors_tensor *tensors, size_t n_metadata,
                         const struct safetensors_metadata *metadata) {
  struct text text;
  FILE *out = text_open(&text);
  if (!out)
    return NULL;
  fputc('{', out);
  if (n_metadata)
    print_metadata(n_metadata, metadata, out);
  for (size_t i = 0, at = 0; i < n_tensors; at += tensors[i++].bytes) {
    fputs(i || n_metadata ? "," : "", out);
    print_tensor(&tensors[i], at, out);
  }
  fputc('}', out);
  char *written = text_close(&text), *padded = NULL;
  if (written && asprintf(&padded, "%s%*s", written, (int)((8 - strlen(written) % 8) % 8), "") < 0)
    padded = NULL;
  free(written);
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

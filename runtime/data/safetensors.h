// Checkpoint files in the safetensors format (https://github.com/huggingface/safetensors, "Format"): eight
// bytes of header length, a JSON header with each tensor's type, shape and place, then the tensors,
// row-major, little-endian.
//
// Reading trusts nothing: lengths, offsets, types and shapes are checked against the file before anything is
// used, and each byte of the data belongs to exactly one tensor. Writing is atomic: a temporary file beside the target, flushed to disk, then renamed over it, so that
// a crash at any instant leaves the old file or the new one; devices and pipes are written to as they are.
// Errors are malloc'd messages that name the file; the caller frees them.
#ifndef NN_RUNTIME_DATA_SAFETENSORS_H
#define NN_RUNTIME_DATA_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_MAX_RANK 8

enum safetensors_type {
  SAFETENSORS_F32,
  SAFETENSORS_F64,
  SAFETENSORS_F16,   // IEEE's half precision
  SAFETENSORS_BF16,  // the upper half of an F32
  SAFETENSORS_I64,
  SAFETENSORS_OTHER
};

struct safetensors_tensor {
  const char *name;
  enum safetensors_type type;
  uint32_t rank;
  int64_t shape[SAFETENSORS_MAX_RANK];
  // row-major; aligned to 8 bytes in files that this module wrote, not necessarily in others
  const void *data;
  size_t bytes;
};

struct safetensors_metadata {
  const char *key, *value;
};

struct safetensors {
  size_t n_tensors;
  struct safetensors_tensor *tensors;  // in the order of the file
  size_t n_metadata;
  struct safetensors_metadata *metadata;
  struct safetensors_file *file;  // private: owns the strings and the data
};

// NULL with *error when the file cannot be read or is not a well-formed safetensors file.
struct safetensors *safetensors_read(const char *path, char **error);
void safetensors_free(struct safetensors *);

const struct safetensors_tensor *safetensors_find(const struct safetensors *, const char *name);
// The value of a metadata key, or NULL.
const char *safetensors_metadata_value(const struct safetensors *, const char *key);

// Tensors are written in the given order; types F32, F64 and I64.
bool safetensors_write(const char *path, size_t n_tensors, const struct safetensors_tensor *tensors,
                       size_t n_metadata, const struct safetensors_metadata *metadata, char **error);

// Where tensors come from that do not lie in this memory: bytes [first, first + n) of the given one, in pieces of
// SAFETENSORS_PIECE bytes, in order. false ends the writing.
#define SAFETENSORS_PIECE ((size_t)1 << 20)
struct safetensors_source {
  bool (*read)(void *context, size_t tensor, size_t first, size_t n, void *to);
  void *context;
};
// The same with the tensors' data from there. *error is NULL when the source ended it.
bool safetensors_write_from(const char *path, size_t n_tensors, const struct safetensors_tensor *tensors,
                            size_t n_metadata, const struct safetensors_metadata *metadata,
                            const struct safetensors_source *source, char **error);

#endif

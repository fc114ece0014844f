// A checkpoint file that lies in memory, for tests and fuzzing.
#ifndef NN_TESTS_DATA_DECODE_H
#define NN_TESTS_DATA_DECODE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/data/safetensors.h"

static inline struct safetensors *decode(const void *bytes, size_t length, char **error) {
  char path[64];
  int file = memfd_create("checkpoint", MFD_CLOEXEC);
  if (file < 0 || write(file, bytes, length) != (ssize_t)length) {
    perror("memfd");
    abort();
  }
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  struct safetensors *checkpoint = safetensors_read(path, error);
  close(file);
  return checkpoint;
}

#endif

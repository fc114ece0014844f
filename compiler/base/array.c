#include "compiler/base/array.h"

#include <stdlib.h>
#include <string.h>

// The first allocation is not smaller than this, in bytes: small arrays grow once.
#define FIRST_BYTES 512

bool array_reserve(void *array, size_t size, size_t wanted, size_t *capacity) {
  if (wanted <= *capacity)
    return true;
  size_t grown = *capacity ? *capacity : size < FIRST_BYTES ? FIRST_BYTES / size : 1;
  while (grown < wanted)
    grown = grown > SIZE_MAX / 2 ? wanted : 2 * grown;
  if (grown > SIZE_MAX / size)
    return false;
  void *old;
  memcpy(&old, array, sizeof old);  // the pointer's type is the caller's
  void *new = realloc(old, grown * size);
  if (!new)
    return false;
  memcpy(array, &new, sizeof new);
  *capacity = grown;
  return true;
}

bool array_reserve_u32(void *array, size_t size, uint64_t wanted, uint32_t *capacity) {
  if (wanted <= *capacity)
    return true;
  size_t grown = *capacity;
  if (wanted > UINT32_MAX || !array_reserve(array, size, (size_t)wanted, &grown))
    return false;
  *capacity = grown > UINT32_MAX ? UINT32_MAX : (uint32_t)grown;
  return true;
}

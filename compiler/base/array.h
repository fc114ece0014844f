// Growable arrays on the heap. (Those in an arena grow by arena_push.)
#ifndef NN_COMPILER_BASE_ARRAY_H
#define NN_COMPILER_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Makes room for `wanted` elements of `size` bytes in *array, a `T **`, by doubling: appending is O(1) amortised. What it
// holds stays, what is new is not set. False when there is no memory; then nothing has changed.
bool array_reserve(void *array, size_t size, size_t wanted, size_t *capacity);
// The same where counts have 32 bits.
bool array_reserve_u32(void *array, size_t size, uint64_t wanted, uint32_t *capacity);

#endif

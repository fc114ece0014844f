// Suggestions for misspelt names.
#ifndef NN_COMPILER_BASE_NEAREST_H
#define NN_COMPILER_BASE_NEAREST_H

#include <stddef.h>

// The candidate nearest to `name` by edit distance, for "did you mean"; NULL when none is near.
const char *nearest_name(const char *name, const char *const *candidates, size_t count);

#endif

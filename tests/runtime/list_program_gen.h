// Random programs that write to lists and data in every way the language has: elements, elements of elements, pushes
// and pops, slices, lists in tuples, data and other lists, aliases of all of them, in loops, branches and calls. None
// fails, whatever it is given.
#ifndef NN_TESTS_RUNTIME_LIST_PROGRAM_GEN_H
#define NN_TESTS_RUNTIME_LIST_PROGRAM_GEN_H

#include <stdint.h>

// The entry is `predict(a0: [int], g0: [[int]], t0: Box, p0: [([int], int)], n: int)`. malloc'd; the same seed gives the
// same text. NULL without memory.
char *list_program_generate(uint64_t seed);

#endif

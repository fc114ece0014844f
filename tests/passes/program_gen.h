// Random programs in the language: loops, branches, recursion over trees, lists, decisions, sums, all over
// vectors of one size, so that whatever comes out is well typed. The same seed gives the same text.
#ifndef NN_TESTS_PASSES_PROGRAM_GEN_H
#define NN_TESTS_PASSES_PROGRAM_GEN_H

#include <stdint.h>

// The text is malloc'd.
char *program_generate(uint64_t seed);

#endif

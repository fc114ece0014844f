// Programs of a given size and shape, for tests and measurements of how compilation grows.
#ifndef NN_TESTS_GROWTH_SHAPES_H
#define NN_TESTS_GROWTH_SHAPES_H

#include <stdint.h>

struct shape {
  const char *name, *what;
  // The program's text (malloc'd) with n of what the shape repeats. It has an entry loss(a: int).
  char *(*text)(uint32_t n);
  uint32_t sizes[3];  // n that tests and the table use, ascending
};

// Ends with the name NULL. Those up to shapes + N_BLOCK_SHAPES make one large block of each program.
extern const struct shape shapes[];
extern const uint32_t n_block_shapes;

// A program of 3 n values of three sizes, each of one to three earlier ones, as the seed has it (malloc'd).
char *shape_random(uint32_t n, uint32_t seed);

#endif

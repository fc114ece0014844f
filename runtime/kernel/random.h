// Streams of counter-based random numbers (Philox4x32-10, runtime/kernel/draws.h) for what is not drawn within
// kernels: initial values of parameters, shuffling. A draw is a function of seed, name and position alone.
#ifndef NN_RUNTIME_KERNEL_RANDOM_H
#define NN_RUNTIME_KERNEL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random_stream {
  uint64_t key;
  uint64_t block;  // next block of four words
  uint32_t words[4];
  uint32_t left;  // words of the last block that are not used yet
};
void random_open(struct random_stream *, uint64_t seed, const char *name);
uint32_t random_word(struct random_stream *);
uint64_t random_below(struct random_stream *, uint64_t bound);  // [0, bound), without bias; bound > 0

// Four draws at once, number 4 * block to 4 * block + 3 of a stream, so that an array can be filled in any
// order.
void random_uniform4(uint64_t key, uint64_t block, double out[4]);  // within (-1, 1)
void random_normal4(uint64_t key, uint64_t block, double out[4]);  // standard deviation 1 (Box & Muller 1958)

// A permutation of 0 .. n - 1 (Fisher & Yates), the same for the same stream.
void random_shuffle(struct random_stream *, size_t n, size_t *items);

#endif

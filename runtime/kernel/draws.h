// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as
// easy as 1, 2, 3"). A draw is a function of its counter and key alone, so that it is the same whatever the
// batching, the threads or the device. The generated kernels contain the same arithmetic; tests compare the
// two.
#ifndef NN_RUNTIME_KERNEL_DRAWS_H
#define NN_RUNTIME_KERNEL_DRAWS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define PHILOX_ROUNDS 10
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

static inline void draws_philox(const uint32_t counter[4], uint64_t key, uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < PHILOX_ROUNDS; round++) {
    uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += PHILOX_W0;
    k1 += PHILOX_W1;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

// The key of an epoch: the seed and the epoch's number, mixed by the finaliser of splitmix64 (Steele,
// Lea & Flood 2014) so that neighbouring seeds share nothing.
static inline uint64_t draws_key(uint64_t seed, uint64_t epoch) {
  uint64_t z = seed * 0x9E3779B97F4A7C15u + epoch + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// What a draw depends on beside the key: the example's number, how many instances it had before, and the place in the
// program.
struct draws_at {
  uint64_t key;
  uint32_t example, ordinal, site;
};

// Elements are numbered so that one call of Philox in each of 16 vector lanes serves 64 neighbouring elements: four
// vectors of 16.
static inline void draws_words(const struct draws_at *at, uint32_t element, uint32_t out[4]) {
  const uint32_t counter[4] = {element / 64 * 16 + element % 16, at->site, at->ordinal, at->example};
  draws_philox(counter, at->key, out);
}

// The 32-bit draw for one element.
static inline uint32_t draws_word(const struct draws_at *at, uint32_t element) {
  uint32_t out[4];
  draws_words(at, element, out);
  return out[element % 64 / 16];
}

// Within (0, 1): neither end is ever drawn, so that there is a logarithm of it and of what it leaves of 1.
static inline double draws_unit(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

static inline double draws_uniform(const struct draws_at *at, uint32_t element) {
  return draws_unit(draws_word(at, element));
}

// Box & Muller 1958. Two neighbouring vectors of 16 share their words: one tells the distance from the origin, the other
// the angle.
static inline double draws_normal(const struct draws_at *at, uint32_t element) {
  uint32_t out[4], part = element % 64 / 16;
  draws_words(at, element, out);
  double radius = sqrt(-2 * log(draws_unit(out[part & 2]))),
         angle = 2 * 3.14159265358979323846 * draws_unit(out[part | 1]);
  return radius * (part & 1 ? sin(angle) : cos(angle));
}

// Draws of host code: number `draw` of an example. One may consist of several numbers. Blocks have no such site.
#define DRAWS_HOST_SITE UINT32_MAX

// 53 bits: all that a double of [0, 1) holds.
static inline uint64_t draws_host_bits(uint64_t key, uint32_t example, uint32_t draw, uint32_t number) {
  const uint32_t counter[4] = {number, DRAWS_HOST_SITE, draw, example};
  uint32_t out[4];
  draws_philox(counter, key, out);
  return ((uint64_t)out[0] << 32 | out[1]) >> 11;
}

// An element is kept when its draw is not below this; the probability of dropping it is p to within 2^-33.
static inline uint64_t draws_dropout_threshold(double p) {
  return p <= 0 ? 0 : p >= 1 ? (uint64_t)1 << 32 : (uint64_t)(p * 4294967296.0 + 0.5);
}

static inline bool draws_dropout_keeps(const struct draws_at *at, uint32_t element, double p) {
  return draws_word(at, element) >= draws_dropout_threshold(p);
}

#endif

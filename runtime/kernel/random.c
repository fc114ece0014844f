// Random numbers outside kernels.
#include "runtime/kernel/random.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/kernel/draws.h"

static void draw(uint64_t key, uint64_t block, uint32_t out[4]) {
  const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0};
  draws_philox(counter, key, out);
}

void random_open(struct random_stream *stream, uint64_t seed, const char *name) {
  *stream = (struct random_stream){.key = XXH64(name, strlen(name), seed)};
}

uint32_t random_word(struct random_stream *stream) {
  if (stream->left == 0) {
    draw(stream->key, stream->block++, stream->words);
    stream->left = 4;
  }
  return stream->words[4 - stream->left--];
}

uint64_t random_below(struct random_stream *stream, uint64_t bound) {
  // The first 2^64 mod bound values would come once too often.
  uint64_t reject = -bound % bound;
  for (;;) {
    uint64_t low = random_word(stream);
    uint64_t word = low | (uint64_t)random_word(stream) << 32;
    if (word >= reject)
      return word % bound;
  }
}

void random_uniform4(uint64_t key, uint64_t block, double out[4]) {
  uint32_t words[4];
  draw(key, block, words);
  for (int i = 0; i < 4; i++)
    out[i] = ((double)words[i] + 0.5) * 0x1p-31 - 1;
}

void random_normal4(uint64_t key, uint64_t block, double out[4]) {
  uint32_t words[4];
  draw(key, block, words);
  for (int i = 0; i < 4; i += 2) {
    double radius = sqrt(-2 * log(((double)words[i] + 0.5) * 0x1p-32));
    double angle = 2 * M_PI * ((double)words[i + 1] * 0x1p-32);
    out[i] = radius * cos(angle);
    out[i + 1] = radius * sin(angle);
  }
}

void random_shuffle(struct random_stream *stream, size_t n, size_t *items) {
  for (size_t i = 0; i < n; i++)
    items[i] = i;
  for (size_t i = n; i > 1; i--) {
    size_t j = random_below(stream, i);
    size_t swapped = items[i - 1];
    items[i - 1] = items[j];
    items[j] = swapped;
  }
}

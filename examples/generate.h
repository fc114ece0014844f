// Shared by the example data's generators: a small seeded generator of pseudo-random numbers (xorshift64*, Vigna 2016),
// so that every machine writes the same files.
#ifndef NN_EXAMPLES_GENERATE_H
#define NN_EXAMPLES_GENERATE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct random_state {
  uint64_t state;
};

static inline int random_below(struct random_state *random, int n) {
  random->state ^= random->state >> 12;
  random->state ^= random->state << 25;
  random->state ^= random->state >> 27;
  return (int)((random->state * 0x2545F4914F6CDD1Dull >> 33) % (uint64_t)n);
}

#define random_item(random, items) ((items)[random_below((random), (int)(sizeof(items) / sizeof(*(items))))])

// FOLDER/NAME for writing; ends the program when that fails.
static inline FILE *open_output(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  if (!file) {
    perror(path);
    exit(1);
  }
  return file;
}

#endif

// Shared by the example data's generators: a small seeded generator of pseudo-random numbers (xorshift64*, Vigna 2016),
// so that every machine writes the same files.
#ifndef NN_EXAMPLES_GENERATE_H
#define NN_EXAMPLES_GENERATE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

// A word of a sentence that is tagged.
struct tagged {
  const char *word, *tag;
};

// train.tsv, dev.tsv and new.txt: so many sentences each, of at most 64 words, as `sentence` makes them.
static inline int write_tagged(const char *folder, struct random_state *random, const int counts[3],
                               int sentence(struct random_state *, struct tagged *)) {
  static const char *const names[] = {"train.tsv", "dev.tsv", "new.txt"};
  for (int i = 0; i < 3; i++) {
    FILE *file = open_output(folder, names[i]);
    int plain = !strcmp(names[i], "new.txt");
    if (!plain)
      fprintf(file, "words\ttags\n");
    for (int k = 0; k < counts[i]; k++) {
      struct tagged words[64];
      int n = sentence(random, words);
      for (int j = 0; j < n; j++) {
        if (plain)
          fprintf(file, "%s%s", j ? " " : "", words[j].word);
        else
          fprintf(file, "%s\t%s\n", words[j].word, words[j].tag);
      }
      fprintf(file, "\n");
    }
    if (fclose(file))
      return perror(names[i]), 1;
  }
  return 0;
}

// A file of a generator, and how many examples it has.
struct generated {
  const char *name;
  int count;
};

// The main program of a generator: `usage: generate FOLDER`. `write` writes an example, with what is to be predicted unless
// the file is new.jsonl. Gives the exit status.
static inline int generate_files(int argc, char **argv, uint64_t seed, size_t n,
                                 const struct generated *files,
                                 void (*write)(FILE *, struct random_state *, int with_answer)) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {seed};
  for (size_t i = 0; i < n; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    for (int k = 0; k < files[i].count; k++)
      write(file, &random, strcmp(files[i].name, "new.jsonl") != 0);
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

#endif

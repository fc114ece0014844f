// Writes train.tsv, dev.tsv and new.txt: sentences of 4 to 10 letters, one a line, and its tag, which is the letter that
// stands there when the sentence is in alphabetical order.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

static const char *const letters[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
enum { LETTERS = sizeof letters / sizeof *letters };

static int sentence(struct random_state *random, struct tagged *out) {
  int n = 4 + random_below(random, 7), counts[LETTERS] = {0}, at = 0;
  for (int i = 0; i < n; i++) {
    int letter = random_below(random, LETTERS);
    counts[letter]++;
    out[i].word = letters[letter];
  }
  for (int letter = 0; letter < LETTERS; letter++)
    for (int k = 0; k < counts[letter]; k++)
      out[at++].tag = letters[letter];
  return n;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20170612};
  return write_tagged(argv[1], &random, (const int[]){1000, 200, 5}, sentence);
}

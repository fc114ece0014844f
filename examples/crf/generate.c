// Writes train.tsv, dev.tsv and new.txt: sentences in which persons and places are named, one word and its tag a line.
// The same names serve both: a phrase is a person's or a place's by a word before it, or by the word behind it, up to
// three names later. So no name tells by itself what it is, and the tags of a phrase must agree.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

static const char *const names[] = {"Aldo", "Berta", "Ciro", "Dina", "Elmo",
                                    "Fara", "Gino",  "Hela", "Ivo",  "Jana"};
static const char *const titles[][3] = {{"don", "sra", "dok"}, {"in", "urb", "mont"}};
static const char *const behind[][3] = {{"diras", "vidas", "kantas"}, {"kusas", "brilas", "dormas"}};
static const char *const fillers[] = {"kaj", "sed", "nun", "ofte", "bone",
                                      "tre", "jam", "plu", "eble", "hodie"};
static const char *const tags[][2] = {{"B-PER", "I-PER"}, {"B-LOC", "I-LOC"}};

static int phrase(struct random_state *random, struct tagged *out) {
  int kind = random_below(random, 2), n = 0, before = random_below(random, 2);
  if (before)
    out[n++] = (struct tagged){random_item(random, titles[kind]), "O"};
  for (int i = 0, k = 1 + random_below(random, 3); i < k; i++)
    out[n++] = (struct tagged){random_item(random, names), tags[kind][i > 0]};
  if (!before)
    out[n++] = (struct tagged){random_item(random, behind[kind]), "O"};
  return n;
}

static int sentence(struct random_state *random, struct tagged *out) {
  int n = 0;
  for (int k = 2 + random_below(random, 3); k > 0; k--) {
    for (int i = random_below(random, 3); i > 0; i--)
      out[n++] = (struct tagged){random_item(random, fillers), "O"};
    n += phrase(random, out + n);
  }
  return n;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20261128};
  return write_tagged(argv[1], &random, (const int[]){1000, 200, 5}, sentence);
}

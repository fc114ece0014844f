// Writes train.jsonl, dev.jsonl and new.jsonl: minibatches of eight sentences of a small grammar, a line each. Somebody gives
// something to somebody, and then has or no longer has it: "mia gives the ring to noah : mia has no ring .". So the end of a
// sentence is known to who remembers its beginning.
//
//   cc -I.. generate.c -o generate && ./generate .
#include <string.h>

#include "../generate.h"

static const char *const people[] = {"mia", "noah", "lena", "omar", "ruth", "yuki"};
static const char *const things[] = {"ring", "book", "lamp", "coat", "boat"};
static const char *const colours[] = {"red", "old", "blue", "small"};

// Quoted words with commas between them; only the beginning of the sentence where `is_cut`.
static void sentence(struct random_state *random, FILE *file, int is_cut) {
  const char *thing = random_item(random, things), *giver = random_item(random, people),
             *taker = random_item(random, people);
  fprintf(file, "[\"%s\", \"gives\", \"the\"", giver);
  for (int k = random_below(random, 3); k > 0; k--)
    fprintf(file, ", \"%s\"", random_item(random, colours));
  fprintf(file, ", \"%s\", \"to\", \"%s\", \":\"", thing, taker);
  int is_giver = random_below(random, 2);
  fprintf(file, ", \"%s\", \"has\"", is_giver ? giver : taker);
  if (is_cut)
    fprintf(file, "]");
  else if (is_giver && strcmp(giver, taker) != 0)
    fprintf(file, ", \"no\", \"%s\", \".\"]", thing);
  else
    fprintf(file, ", \"the\", \"%s\", \".\"]", thing);
}

static int write_file(struct random_state *random, const char *folder, const char *name, int n, int is_cut) {
  FILE *file = open_output(folder, name);
  for (int i = 0; i < n; i++) {
    fputs("{\"rows\": [", file);
    for (int k = 0; k < 8; k++) {
      fputs(k ? ", " : "", file);
      sentence(random, file, is_cut);
    }
    fputs("]}\n", file);
  }
  return fclose(file);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20261128};
  if (write_file(&random, argv[1], "train.jsonl", 250, 0) ||
      write_file(&random, argv[1], "dev.jsonl", 60, 0) || write_file(&random, argv[1], "new.jsonl", 2, 1))
    return perror(argv[1]), 1;
  return 0;
}

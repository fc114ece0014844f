// Writes train.txt, dev.txt and new.txt: sentences of a small grammar, a line each. A verb agrees with its subject in
// number even across a phrase of the other number ("the keys near the door are lost"), so a bigram model is wrong about
// half of those verbs.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

static const char *const singular[] = {"the key",   "the boat", "the dog", "the lamp",
                                       "the child", "the door", "the tree"};
static const char *const plural[] = {"the keys",     "the boats", "the dogs", "the lamps",
                                     "the children", "the doors", "the trees"};
static const char *const places[] = {"near", "behind", "beside", "above"};
static const char *const verbs[][2] = {{"is", "are"}, {"was", "were"}, {"has been", "have been"}};
static const char *const states[] = {"lost", "old", "found", "quiet", "bright", "gone"};

static void noun(struct random_state *random, FILE *file, int is_plural) {
  fputs(is_plural ? random_item(random, plural) : random_item(random, singular), file);
}

static void sentence(struct random_state *random, FILE *file) {
  int is_plural = random_below(random, 2);
  noun(random, file, is_plural);
  for (int k = random_below(random, 3); k > 0; k--) {
    fprintf(file, " %s ", random_item(random, places));
    noun(random, file, random_below(random, 2));
  }
  fprintf(file, " %s %s .\n", verbs[random_below(random, 3)][is_plural], random_item(random, states));
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20250304};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.txt", 1500}, {"dev.txt", 300}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    for (int k = 0; k < files[i].count; k++)
      sentence(&random, file);
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  FILE *file = open_output(argv[1], "new.txt");
  fputs("the keys near the door\nthe key near the doors\nthe children behind\nthe dog\n", file);
  return fclose(file) ? 1 : 0;
}

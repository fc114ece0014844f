// Writes train.tsv, dev.tsv and new.tsv: words, and the same from back to front with every vowel twice, "kalo" and "oolaak".
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

static const char vowels[] = "aeiou", consonants[] = "klmnprst";

static void write_example(FILE *file, struct random_state *random, int with_target) {
  char word[32], other[64];
  int n = 3 + random_below(random, 6), m = 0;
  for (int i = 0; i < n; i++)
    word[i] = random_below(random, 5) < 2 ? vowels[random_below(random, sizeof vowels - 1)]
                                          : consonants[random_below(random, sizeof consonants - 1)];
  for (int i = n - 1; i >= 0; i--) {
    other[m++] = word[i];
    if (strchr(vowels, word[i]))
      other[m++] = word[i];
  }
  fprintf(file, "%.*s", n, word);
  if (with_target)
    fprintf(file, "\t%.*s", m, other);
  fprintf(file, "\n");
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20140901};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.tsv", 1500}, {"dev.tsv", 200}, {"new.tsv", 5}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    int with_target = strcmp(files[i].name, "new.tsv") != 0;
    fprintf(file, with_target ? "source\ttarget\n" : "source\n");
    for (int k = 0; k < files[i].count; k++)
      write_example(file, &random, with_target);
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

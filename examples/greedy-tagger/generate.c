// Writes train.tsv, dev.tsv and new.txt: sentences with quotations, one word and its tag a line. The same mark opens
// and closes a quotation, and what a word is called depends on whether it stands inside one: OUT, OPEN, IN, CLOSE; after
// a quotation closes, the next word outside is its SPEAKER. Only the tags before a word tell, so a tagger that reads its
// own decisions can be right everywhere, and one that sees the word alone cannot.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

#include <string.h>

static const char *const words[] = {"red",  "blue",  "stone", "river", "walks", "sings", "old",
                                    "new",  "house", "bird",  "sees",  "finds", "slow",  "green",
                                    "road", "night", "runs",  "falls", "tree",  "cold"};

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20250303};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.tsv", 800}, {"dev.tsv", 200}, {"new.txt", 5}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    int plain = !strcmp(files[i].name, "new.txt");
    if (!plain)
      fprintf(file, "words\ttags\n");
    for (int k = 0; k < files[i].count; k++) {
      int length = 10 + random_below(&random, 11), inside = 0, speaker = 0;
      for (int j = 0; j < length; j++) {
        const char *word, *tag;
        if (random_below(&random, 5) == 0) {
          word = "''";
          tag = inside ? "CLOSE" : "OPEN";
          speaker = inside;
          inside = !inside;
        } else {
          word = random_item(&random, words);
          tag = inside ? "IN" : speaker ? "SPEAKER" : "OUT";
          speaker = 0;
        }
        if (plain)
          fprintf(file, "%s%s", j ? " " : "", word);
        else
          fprintf(file, "%s\t%s\n", word, tag);
      }
      fprintf(file, "\n");
    }
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

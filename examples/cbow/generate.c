// Writes train.jsonl, dev.jsonl and new.jsonl: short texts with a topic, {"words": [...], "label": "..."}. A text draws
// a third of its words from its topic, one or two from another, the rest from words common to all.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

#include <string.h>

enum { TOPICS = 5, TOPIC_WORDS = 12 };
static const char *const topics[TOPICS] = {"music", "garden", "kitchen", "sea", "law"};
static const char *const own[TOPICS][TOPIC_WORDS] = {
    {"violin", "chord", "tempo", "melody", "drum", "choir", "opera", "rhythm", "tune", "flute", "concert",
     "singer"},
    {"seed", "soil", "rose", "prune", "hedge", "bloom", "lawn", "spade", "compost", "weed", "orchard",
     "bulb"},
    {"oven", "flour", "simmer", "knife", "sauce", "bake", "pan", "pepper", "dough", "recipe", "butter",
     "grill"},
    {"wave", "harbour", "sail", "anchor", "tide", "reef", "captain", "mast", "shore", "whale", "storm",
     "deck"},
    {"court", "judge", "appeal", "clause", "verdict", "witness", "statute", "lawyer", "oath", "claim", "jury",
     "trial"}};
static const char *const common[] = {"the",  "a",    "and",  "of",   "in",   "to",   "was",
                                     "with", "new",  "old",  "very", "day",  "many", "made",
                                     "saw",  "then", "from", "good", "some", "time"};

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20250305};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.jsonl", 800}, {"dev.jsonl", 200}, {"new.jsonl", 5}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    for (int k = 0; k < files[i].count; k++) {
      int topic = random_below(&random, TOPICS), other = random_below(&random, TOPICS),
          length = 8 + random_below(&random, 12);
      int strange = 1 + random_below(&random, 2);
      fprintf(file, "{\"words\": [");
      for (int j = 0; j < length; j++) {
        const char *word = j < length / 3             ? own[topic][random_below(&random, TOPIC_WORDS)]
                           : j < length / 3 + strange ? own[other][random_below(&random, TOPIC_WORDS)]
                                                      : random_item(&random, common);
        fprintf(file, "%s\"%s\"", j ? ", " : "", word);
      }
      if (strcmp(files[i].name, "new.jsonl"))
        fprintf(file, "], \"label\": \"%s\"}\n", topics[topic]);
      else
        fprintf(file, "]}\n");
    }
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

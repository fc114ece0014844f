// Writes train.jsonl, dev.jsonl and new.jsonl: texts in which people have things, a thing, and the place of the one who
// has it: {"words": ["well", "ann", "lamp", ...], "thing": "lamp", "place": 1}. Other people have other things.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

static const char *const people[] = {"ann",  "bob",  "carl", "dora", "emil", "fred", "gina", "hugo",
                                     "ines", "jack", "kate", "lena", "mike", "nora", "otto", "paul"};
static const char *const things[] = {"lamp", "spoon", "rope", "clock", "book", "chair", "kite", "drum",
                                     "coat", "ring",  "map",  "bell",  "cup",  "key",   "boat", "fan"};
static const char *const others[] = {"well", "then", "and", "so", "today", "later", "perhaps", "again"};
enum { THINGS = sizeof things / sizeof *things, MOST = 5 };

static void write_example(FILE *file, struct random_state *random, int with_answer) {
  int chosen[MOST], n = 2 + random_below(random, MOST - 1), asked = random_below(random, n), place = 0,
                    at = 0;
  fprintf(file, "{\"words\": [");
  for (int i = 0; i < n; i++) {
    int is_new;
    do {
      chosen[i] = random_below(random, THINGS);
      is_new = 1;
      for (int k = 0; k < i; k++)
        is_new = is_new && chosen[k] != chosen[i];
    } while (!is_new);
    for (int fill = random_below(random, 4); fill > 0; fill--, at++)
      fprintf(file, "%s\"%s\"", at ? ", " : "", random_item(random, others));
    if (i == asked)
      place = at;
    fprintf(file, "%s\"%s\", \"%s\"", at ? ", " : "", random_item(random, people), things[chosen[i]]);
    at += 2;
  }
  fprintf(file, "], \"thing\": \"%s\"", things[chosen[asked]]);
  if (with_answer)
    fprintf(file, ", \"place\": %d", place);
  fprintf(file, "}\n");
}

int main(int argc, char **argv) {
  static const struct generated files[] = {{"train.jsonl", 1000}, {"dev.jsonl", 200}, {"new.jsonl", 5}};
  return generate_files(argc, argv, 20261128, sizeof files / sizeof *files, files, write_example);
}

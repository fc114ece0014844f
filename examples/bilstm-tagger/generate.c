// Writes train.tsv, dev.tsv and new.txt: sentences of an invented language, one word and its tag a line. Half of the
// words are ambiguous: "ripo" is a noun after an article and a verb otherwise; an adjective and an adverb differ only by
// the word that follows. So a tag needs the words on both sides, and the best guess from the word alone is right for
// about three words in four.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

static const char *const articles[] = {"le", "un", "sa", "mo"};
static const char *const names[] = {"Aldo", "Berta", "Ciro", "Dina", "Elmo", "Fara", "Gino", "Hela"};
static const char *const both[] = {"ripo", "tasu", "velo", "moka", "duri",
                                   "sano", "piko", "gela", "nuvo", "bari"};
static const char *const qualities[] = {"lenta", "forta", "klara", "dolka", "vita", "rapa", "sola", "mira"};
static const char *const links[] = {"ke", "ma", "do"};

// article (quality)* noun | name
static int noun_phrase(struct random_state *random, struct tagged *out) {
  int n = 0;
  if (random_below(random, 3) == 0) {
    out[n++] = (struct tagged){random_item(random, names), "NAME"};
    return n;
  }
  out[n++] = (struct tagged){random_item(random, articles), "ART"};
  for (int k = random_below(random, 3); k > 0; k--)
    out[n++] = (struct tagged){random_item(random, qualities), "ADJ"};
  out[n++] = (struct tagged){random_item(random, both), "NOUN"};
  return n;
}

// noun phrase, adverb?, verb, noun phrase?
static int clause(struct random_state *random, struct tagged *out) {
  int n = noun_phrase(random, out);
  if (random_below(random, 2))
    out[n++] = (struct tagged){random_item(random, qualities), "ADV"};
  out[n++] = (struct tagged){random_item(random, both), "VERB"};
  if (random_below(random, 2))
    n += noun_phrase(random, out + n);
  return n;
}

static int sentence(struct random_state *random, struct tagged *out) {
  int n = clause(random, out);
  for (int k = random_below(random, 3); k > 0; k--) {
    out[n++] = (struct tagged){random_item(random, links), "LINK"};
    n += clause(random, out + n);
  }
  return n;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20250302};
  return write_tagged(argv[1], &random, (const int[]){800, 200, 5}, sentence);
}

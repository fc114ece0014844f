// Writes train.conllu and dev.conllu, CoNLL-U with the columns that are not used left open, and new.txt: sentences of an
// invented language with endings. Nouns, verbs, adjectives and adverbs are made of a stem and an ending; stems are drawn
// from more than a million, so that most words of dev.conllu stand nowhere in train.conllu. What the ending leaves open the
// sentence decides: after `ne` a word in -as is a noun, and otherwise a verb. The first word of a sentence is written
// with a capital letter, and so is every name, which ends as a noun does.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

#include <string.h>

static const char *const onsets[] = {"b", "ĉ", "d", "f", "g", "ĝ", "k", "l",
                                     "m", "n", "p", "r", "s", "ŝ", "t", "v"};
static const char *const vowels[] = {"a", "e", "i", "o", "u", "ŭ"};
static const char *const capitals[] = {"B", "Ĉ", "D", "F", "G", "Ĝ", "K", "L",
                                       "M", "N", "P", "R", "S", "Ŝ", "T", "V"};
static const char *const articles[] = {"la", "unu"};
static const char *const links[] = {"kaj", "sed", "aŭ"};
static const char *const places[] = {"en", "sur", "apud"};

struct tagged {
  char word[64];
  const char *tag;
};

static void put(struct tagged *out, const char *word, const char *tag) {
  snprintf(out->word, sizeof out->word, "%s", word);
  out->tag = tag;
}

// Three or four syllables and the ending.
static void put_made(struct random_state *random, struct tagged *out, const char *ending, const char *tag) {
  out->word[0] = 0;
  out->tag = tag;
  for (int k = 3 + random_below(random, 2); k > 0; k--) {
    strcat(out->word, random_item(random, onsets));
    strcat(out->word, random_item(random, vowels));
  }
  strcat(out->word, random_item(random, onsets));
  strcat(out->word, ending);
}

// With its first letter as a capital, where it begins with a consonant.
static void capitalise(struct tagged *out) {
  for (size_t i = 0; i < sizeof onsets / sizeof *onsets; i++) {
    size_t length = strlen(onsets[i]);
    if (strncmp(out->word, onsets[i], length))
      continue;
    char rest[sizeof out->word];
    snprintf(rest, sizeof rest, "%s", out->word + length);
    snprintf(out->word, sizeof out->word, "%s%s", capitals[i], rest);
    return;
  }
}

// name | article? adjective* noun | `ne` noun in -as
static int noun_phrase(struct random_state *random, struct tagged *out) {
  int n = 0;
  if (random_below(random, 4) == 0) {
    put_made(random, &out[n], "o", "PROPN");
    capitalise(&out[n++]);
    return n;
  }
  if (random_below(random, 4) == 0) {
    put(&out[n++], "ne", "DET");
    put_made(random, &out[n++], "as", "NOUN");
    return n;
  }
  if (random_below(random, 2))
    put(&out[n++], random_item(random, articles), "DET");
  const char *plural = random_below(random, 2) ? "j" : "";
  char ending[4];
  for (int k = random_below(random, 3); k > 0; k--) {
    snprintf(ending, sizeof ending, "a%s", plural);
    put_made(random, &out[n++], ending, "ADJ");
  }
  snprintf(ending, sizeof ending, "o%s", plural);
  put_made(random, &out[n++], ending, "NOUN");
  return n;
}

// noun phrase, adverb?, verb, (noun phrase | place noun phrase)?
static int clause(struct random_state *random, struct tagged *out) {
  static const char *const endings[] = {"as", "is", "os"};
  int n = noun_phrase(random, out);
  if (random_below(random, 3) == 0)
    put_made(random, &out[n++], "e", "ADV");
  put_made(random, &out[n++], random_item(random, endings), "VERB");
  int object = random_below(random, 3);
  if (object == 1)
    put(&out[n++], random_item(random, places), "ADP");
  return object ? n + noun_phrase(random, out + n) : n;
}

static int sentence(struct random_state *random, struct tagged *out) {
  int n = clause(random, out);
  if (random_below(random, 2)) {
    put(&out[n++], random_item(random, links), "CCONJ");
    n += clause(random, out + n);
  }
  put(&out[n++], ".", "PUNCT");
  capitalise(&out[0]);
  return n;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20261128};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.conllu", 500}, {"dev.conllu", 150}, {"new.txt", 5}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    int plain = !strcmp(files[i].name, "new.txt");
    for (int k = 0; k < files[i].count; k++) {
      struct tagged words[64];
      int n = sentence(&random, words);
      if (!plain)
        fprintf(file, "# sent_id = %d\n", k + 1);
      for (int j = 0; j < n; j++) {
        if (plain)
          fprintf(file, "%s%s", j ? " " : "", words[j].word);
        else
          fprintf(file, "%d\t%s\t_\t%s\t_\t_\t_\t_\t_\t_\n", j + 1, words[j].word, words[j].tag);
      }
      fprintf(file, "\n");
    }
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

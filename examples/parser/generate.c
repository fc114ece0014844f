// Writes train.jsonl, dev.jsonl and new.jsonl: sentences of an invented language with the head of each word (its place,
// -1 for the root). Articles and qualities hang on the noun behind them, nouns on the verb; what `de` begins hangs on the
// noun before it, what `per` begins on the verb. So a parser must wait with a noun until it has seen what follows.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

static const char *const articles[] = {"le", "un", "sa", "mo"};
static const char *const nouns[] = {"hundo", "kato",  "domo",  "arbo",  "viro",
                                    "rivo",  "monto", "floro", "birdo", "luno"};
static const char *const verbs[] = {"vidas", "amas", "portas", "sekvas", "trovas", "havas"};
static const char *const qualities[] = {"granda", "bela", "nova", "longa", "verda", "nigra"};

enum { MOST = 64 };

struct parsed {
  const char *words[MOST];
  int heads[MOST], n;
};

static int add(struct parsed *s, const char *word, int head) {
  s->words[s->n] = word;
  s->heads[s->n] = head;
  return s->n++;
}

// article? quality* noun (de noun phrase)?; the noun's place. Its head is set later.
static int noun_phrase(struct random_state *random, struct parsed *s, int depth) {
  int first = s->n;
  if (random_below(random, 3))
    add(s, random_item(random, articles), -1);
  for (int k = random_below(random, 3); k > 0; k--)
    add(s, random_item(random, qualities), -1);
  int noun = add(s, random_item(random, nouns), -1);
  for (int i = first; i < noun; i++)
    s->heads[i] = noun;
  if (depth < 2 && random_below(random, 4) == 0) {
    int link = add(s, "de", noun);
    s->heads[noun_phrase(random, s, depth + 1)] = link;
  }
  return noun;
}

// noun phrase, verb, noun phrase, (per noun phrase)*
static void sentence(struct random_state *random, struct parsed *s) {
  s->n = 0;
  int subject = noun_phrase(random, s, 0), verb = add(s, random_item(random, verbs), -1);
  s->heads[subject] = verb;
  s->heads[noun_phrase(random, s, 0)] = verb;
  for (int k = random_below(random, 3); k > 0; k--) {
    int link = add(s, "per", verb);
    s->heads[noun_phrase(random, s, 1)] = link;
  }
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20261129};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.jsonl", 800}, {"dev.jsonl", 200}, {"new.jsonl", 5}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    for (int k = 0; k < files[i].count; k++) {
      struct parsed s;
      sentence(&random, &s);
      fprintf(file, "{\"words\": [");
      for (int j = 0; j < s.n; j++)
        fprintf(file, "%s\"%s\"", j ? ", " : "", s.words[j]);
      fprintf(file, "]");
      for (int j = 0; i < 2 && j < s.n; j++)
        fprintf(file, "%s%d", j ? ", " : ", \"heads\": [", s.heads[j]);
      fprintf(file, "%s}\n", i < 2 ? "]" : "");
    }
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

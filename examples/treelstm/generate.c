// Writes train.txt, dev.txt and new.txt: binary sentiment trees in the Stanford Sentiment Treebank's form. Every node's
// label, 0 (very negative) to 4 (very positive), follows from its parts by rules a reader can check: "very" strengthens,
// "not" turns round and weakens, after "but" the second clause decides. A bag of words cannot follow them.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

struct phrase {
  char text[2048];
  int score;  // -2..2
};

static int clamp(int score) { return score < -2 ? -2 : score > 2 ? 2 : score; }

static struct phrase word(const char *text, int score) {
  struct phrase result;
  result.score = score;
  snprintf(result.text, sizeof result.text, "(%d %s)", score + 2, text);
  return result;
}

static struct phrase join(struct phrase a, struct phrase b, int score) {
  struct phrase result;
  result.score = clamp(score);
  int n = snprintf(result.text, sizeof result.text, "(%d ", result.score + 2);
  snprintf(result.text + n, sizeof result.text - (size_t)n, "%s %s)", a.text, b.text);
  return result;
}

static const char *const good[] = {"good",  "warm",   "clever", "charming",
                                   "funny", "bright", "honest", "lively"};
static const char *const great[] = {"superb", "brilliant", "dazzling", "masterly", "unforgettable"};
static const char *const bad[] = {"bad", "dull", "clumsy", "slow", "flat", "stale", "noisy", "thin"};
static const char *const awful[] = {"dreadful", "unbearable", "hopeless", "lifeless", "insulting"};
static const char *const plain[] = {"long",   "short", "quiet",  "modern",
                                    "french", "early", "recent", "animated"};
static const char *const nouns[] = {"film",  "story", "plot",   "cast",   "script",
                                    "scene", "score", "ending", "comedy", "drama"};
static const char *const determiners[] = {"the", "a", "this", "that", "every"};
static const char *const verbs[] = {"is", "seems", "remains", "feels", "becomes"};
static const char *const intensifiers[] = {"very", "truly", "deeply"};

static struct phrase adjective(struct random_state *random) {
  switch (random_below(random, 5)) {
  case 0: return word(random_item(random, good), 1);
  case 1: return word(random_item(random, bad), -1);
  case 2: return word(random_item(random, great), 2);
  case 3: return word(random_item(random, awful), -2);
  default: return word(random_item(random, plain), 0);
  }
}

// An adjective, perhaps strengthened, perhaps negated.
static struct phrase quality(struct random_state *random) {
  struct phrase a = adjective(random);
  if (random_below(random, 3) == 0)
    a = join(word(random_item(random, intensifiers), 0), a, 2 * a.score);
  if (random_below(random, 3) == 0) {
    int turned = a.score > 0 ? -1 : a.score < 0 ? 1 : 0;
    a = join(word("not", 0), a, turned);
  }
  return a;
}

static struct phrase noun_phrase(struct random_state *random) {
  struct phrase n = word(random_item(random, nouns), 0);
  if (random_below(random, 2)) {
    struct phrase a = adjective(random);
    n = join(a, n, a.score);
  }
  return join(word(random_item(random, determiners), 0), n, n.score);
}

static struct phrase clause(struct random_state *random) {
  struct phrase subject = noun_phrase(random), predicate = quality(random);
  struct phrase verb = join(word(random_item(random, verbs), 0), predicate, predicate.score);
  return join(subject, verb, subject.score + predicate.score);
}

static struct phrase sentence(struct random_state *random) {
  struct phrase first = clause(random);
  switch (random_below(random, 3)) {
  case 0: {
    struct phrase second = clause(random);
    return join(first, join(word("but", 0), second, second.score), second.score);
  }
  case 1: {
    struct phrase second = clause(random);
    return join(first, join(word("and", 0), second, second.score), first.score + second.score);
  }
  default: return first;
  }
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20250301};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.txt", 1500}, {"dev.txt", 300}, {"new.txt", 8}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    for (int k = 0; k < files[i].count; k++)
      fprintf(file, "%s\n", sentence(&random).text);
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

// Writes train.jsonl, dev.jsonl and new.jsonl: graphs of 6 to 14 nodes, the kind of each, the edges between them, and
// which of the nodes have one that is a well no further away than two edges:
// {"kinds": ["hut", "well", "inn"], "edges": [[0, 1], [2, 0]], "near": [true, true, true]}.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

static const char *const kinds[] = {"well", "hut", "inn", "mill", "oak"};
enum { MOST = 14, OTHERS = sizeof kinds / sizeof *kinds - 1, RARE = 9 };

static void write_example(FILE *file, struct random_state *random, int with_answer) {
  int n = 6 + random_below(random, MOST - 5), wells[MOST], linked[MOST][MOST] = {0};
  fprintf(file, "{\"kinds\": [");
  for (int i = 0; i < n; i++) {
    wells[i] = random_below(random, RARE) == 0;
    fprintf(file, "%s\"%s\"", i ? ", " : "", wells[i] ? kinds[0] : kinds[1 + random_below(random, OTHERS)]);
  }
  fprintf(file, "], \"edges\": [");
  for (int k = 0, wanted = n - 1 + random_below(random, 3), first = 1; k < wanted; k++) {
    int a = random_below(random, n), b = random_below(random, n);
    if (a == b || linked[a][b])
      continue;
    linked[a][b] = linked[b][a] = 1;
    fprintf(file, "%s[%d, %d]", first ? "" : ", ", a, b);
    first = 0;
  }
  fprintf(file, "]");
  for (int i = 0; with_answer && i < n; i++) {
    int near = wells[i];
    for (int j = 0; j < n; j++) {
      near = near || (linked[i][j] && wells[j]);
      for (int k = 0; k < n; k++)
        near = near || (linked[i][j] && linked[j][k] && wells[k]);
    }
    fprintf(file, "%s%s%s", i ? ", " : ", \"near\": [", near ? "true" : "false", i + 1 == n ? "]" : "");
  }
  fprintf(file, "}\n");
}

int main(int argc, char **argv) {
  static const struct generated files[] = {{"train.jsonl", 260}, {"dev.jsonl", 100}, {"new.jsonl", 5}};
  return generate_files(argc, argv, 20170404, sizeof files / sizeof *files, files, write_example);
}

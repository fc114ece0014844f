// Writes train.jsonl, dev.jsonl and new.jsonl: circuits, a line each, with the bit that each gate gives. Gates read any
// gates before them, late ones more likely, so that circuits are deep and share much.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

enum { MOST = 24 };

static void circuit(struct random_state *random, FILE *file, int with_bits) {
  static const char *const names[] = {"Zero", "One", "Not", "And", "Or", "Xor"};
  int bits[MOST], n = 8 + random_below(random, MOST - 7);
  fputs("{\"gates\": [", file);
  for (int i = 0; i < n; i++) {
    int op = i < 2 ? i : 2 + random_below(random, 4), back = i < 6 ? i : 6;
    int a = i < 2 ? 0 : i - 1 - random_below(random, back),
        b = i < 2 ? 0 : i - 1 - random_below(random, back);
    fprintf(file, "%s{\"op\": \"%s\", \"inputs\": [", i ? ", " : "", names[op]);
    if (op >= 2)
      fprintf(file, "%d", a);
    if (op > 2)
      fprintf(file, ", %d", b);
    fputs("]}", file);
    bits[i] = op < 2    ? op
              : op == 2 ? !bits[a]
              : op == 3 ? bits[a] && bits[b]
              : op == 4 ? bits[a] || bits[b]
                        : bits[a] != bits[b];
  }
  fputs("]", file);
  for (int i = 0; i < n && with_bits; i++)
    fprintf(file, "%s\"%s\"%s", i ? ", " : ", \"bits\": [", bits[i] ? "High" : "Low", i + 1 < n ? "" : "]");
  fputs("}\n", file);
}

static int write_file(struct random_state *random, const char *folder, const char *name, int n,
                      int with_bits) {
  FILE *file = open_output(folder, name);
  for (int i = 0; i < n; i++)
    circuit(random, file, with_bits);
  return fclose(file);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {8128};
  if (write_file(&random, argv[1], "train.jsonl", 150, 1) ||
      write_file(&random, argv[1], "dev.jsonl", 60, 1) || write_file(&random, argv[1], "new.jsonl", 4, 0))
    return perror(argv[1]), 1;
  return 0;
}

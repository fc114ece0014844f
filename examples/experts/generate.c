// Writes train.jsonl, dev.jsonl and new.jsonl: groups of 16 points and a label for each. The signs of a point's first two
// numbers say by which of four rules the other four are read: the label is the place of the largest, of the smallest, the
// place behind the largest, or the one two behind the smallest: {"xs": [[0.7, -1.2, 0.1, 0.4, -0.9, 0.2]], "labels": ["b"]}.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

enum { POINTS = 16, NUMBERS = 4 };

// Numbers have one digit behind the point.
static void write_number(FILE *file, const char *before, int tenths) {
  fprintf(file, "%s%s%d.%d", before, tenths < 0 ? "-" : "", abs(tenths) / 10, abs(tenths) % 10);
}

// The point, and the place that is its label.
static int write_point(FILE *file, struct random_state *random) {
  int first = random_below(random, 2), second = random_below(random, 2), numbers[NUMBERS], low = 0, high = 0;
  write_number(file, "[", (first ? 1 : -1) * (10 + random_below(random, 11)));
  write_number(file, ", ", (second ? 1 : -1) * (10 + random_below(random, 11)));
  for (int i = 0; i < NUMBERS; i++) {
    int is_new;
    do {
      numbers[i] = random_below(random, 21) - 10;
      is_new = 1;
      for (int k = 0; k < i; k++)
        is_new = is_new && numbers[k] != numbers[i];
    } while (!is_new);
    if (numbers[i] < numbers[low])
      low = i;
    if (numbers[i] > numbers[high])
      high = i;
    write_number(file, ", ", numbers[i]);
  }
  fprintf(file, "]");
  return first ? second ? high : low : second ? (high + 1) % NUMBERS : (low + 2) % NUMBERS;
}

static void write_example(FILE *file, struct random_state *random, int with_labels) {
  int labels[POINTS];
  fprintf(file, "{\"xs\": [");
  for (int i = 0; i < POINTS; i++) {
    fprintf(file, "%s", i ? ", " : "");
    labels[i] = write_point(file, random);
  }
  fprintf(file, "]");
  for (int i = 0; with_labels && i < POINTS; i++)
    fprintf(file, "%s\"%c\"%s", i ? ", " : ", \"labels\": [", 'a' + labels[i], i + 1 == POINTS ? "]" : "");
  fprintf(file, "}\n");
}

int main(int argc, char **argv) {
  static const struct generated files[] = {{"train.jsonl", 90}, {"dev.jsonl", 48}, {"new.jsonl", 3}};
  return generate_files(argc, argv, 20170123, sizeof files / sizeof *files, files, write_example);
}

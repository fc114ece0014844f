// Writes train.jsonl, dev.jsonl and new.jsonl: nested expressions over digits with their exact values, in the manner of
// ListOps (Nangia & Bowman 2018): Max, Min, First, Last and SumMod (sum modulo 10) of two to five arguments.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

#include <string.h>

static const char *const operators[] = {"Max", "Min", "First", "Last", "SumMod"};

static int apply(int operator, const int * values, int n) {
  int result = operator== 4 ? 0 : values[0];
  for (int i = 0; i < n; i++) {
    if (operator== 0 && values[i]> result)
      result = values[i];
    if (operator== 1 && values[i]<result)
      result = values[i];
    if (operator== 3)
      result = values[i];
    if (operator== 4)
      result = (result + values[i]) % 10;
  }
  return result;
}

// Writes the expression and returns its value.
static int expression(struct random_state *random, FILE *file, int depth) {
  if (depth == 0 || random_below(random, 3) == 0) {
    int digit = random_below(random, 10);
    fprintf(file, "{\"Number\": [\"%d\"]}", digit);
    return digit;
  }
  int operator= random_below(random, 10) == 0 ? 4 : random_below(random, 4), n = 2 + random_below(random, 3),
      values[8];
  fprintf(file, "{\"Apply\": [\"%s\", [", operators[operator]);
  for (int i = 0; i < n; i++) {
    if (i)
      fputs(", ", file);
    values[i] = expression(random, file, depth - 1);
  }
  fputs("]]}", file);
  return apply(operator, values, n);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20250306};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.jsonl", 6000}, {"dev.jsonl", 400}, {"new.jsonl", 5}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    for (int k = 0; k < files[i].count; k++) {
      fputs("{\"e\": ", file);
      int value = expression(&random, file, 2);
      if (strcmp(files[i].name, "new.jsonl"))
        fprintf(file, ", \"value\": \"%d\"}\n", value);
      else
        fputs("}\n", file);
    }
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

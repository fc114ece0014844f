// Writes train.jsonl, dev.jsonl and new.jsonl: images of 8 by 8 black and white pixels, {"x": [0, 1, ...]}, row by row. Each
// shows a square, a cross or a saltire at one of 16 places, 48 images; then every pixel is turned with a probability of 2 %.
//
//   cc -I.. generate.c -o generate && ./generate .
#include "../generate.h"

enum { SIZE = 8, SHAPE = 5, KINDS = 3 };
static const char *const shapes[KINDS][SHAPE] = {
    {"#####", "#...#", "#...#", "#...#", "#####"},
    {"..#..", "..#..", "#####", "..#..", "..#.."},
    {"#...#", ".#.#.", "..#..", ".#.#.", "#...#"},
};

static void write_image(struct random_state *random, FILE *file) {
  int kind = random_below(random, KINDS), top = random_below(random, SIZE - SHAPE + 1),
      left = random_below(random, SIZE - SHAPE + 1);
  fprintf(file, "{\"x\": [");
  for (int i = 0; i < SIZE * SIZE; i++) {
    int row = i / SIZE - top, column = i % SIZE - left;
    int inside = row >= 0 && row < SHAPE && column >= 0 && column < SHAPE;
    int pixel = inside && shapes[kind][row][column] == '#', turned = random_below(random, 100) < 2;
    fprintf(file, "%s%d", i ? ", " : "", pixel ^ turned);
  }
  fprintf(file, "]}\n");
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct random_state random = {20250308};
  static const struct {
    const char *name;
    int count;
  } files[] = {{"train.jsonl", 1200}, {"dev.jsonl", 300}, {"new.jsonl", 5}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    FILE *file = open_output(argv[1], files[i].name);
    for (int k = 0; k < files[i].count; k++)
      write_image(&random, file);
    if (fclose(file))
      return perror(files[i].name), 1;
  }
  return 0;
}

// Random recursive programs over random trees: the same bits under every policy and with several threads, and
// gradients against finite differences. `test_programs SEED COUNT` goes on where the test stops.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/kernel/random.h"
#include "tests/runtime/rig.h"

static uint64_t first_seed = 1;
static int n_programs = 12;

// ---------------------------------------------------------------------------------------------- the programs

struct writer {
  struct random_stream stream;
  FILE *out;
};

static uint32_t pick(struct writer *writer, uint32_t bound) {
  return (uint32_t)random_below(&writer->stream, bound);
}

// A vector of size H over the vectors `names`.
static void write_vector(struct writer *writer, int depth, const char *const *names, uint32_t n_names) {
  static const char *const functions[] = {"tanh", "sigmoid", "softmax", "square", "relu", "log_softmax"};
  static const char *const matrices[] = {"M", "N"};
  static const char *const operators[] = {"+", "-", "*"};
  if (depth == 0) {
    fputs(names[pick(writer, n_names)], writer->out);
    return;
  }
  switch (pick(writer, 6)) {
  case 0:
  case 1:
    fprintf(writer->out, "%s(", functions[pick(writer, 6)]);
    write_vector(writer, depth - 1, names, n_names);
    fputc(')', writer->out);
    break;
  case 2:
    fprintf(writer->out, "tanh(%s @ (", matrices[pick(writer, 2)]);
    write_vector(writer, depth - 1, names, n_names);
    fputs("))", writer->out);
    break;
  case 3:
    fputs("(dot(", writer->out);
    write_vector(writer, depth - 1, names, n_names);
    fputs(", v) * ", writer->out);
    write_vector(writer, depth - 1, names, n_names);
    fputc(')', writer->out);
    break;
  default:
    fputc('(', writer->out);
    write_vector(writer, depth - 1, names, n_names);
    fprintf(writer->out, " %s ", operators[pick(writer, 3)]);
    write_vector(writer, depth - 1, names, n_names);
    fputc(')', writer->out);
  }
}

static void write_let(struct writer *writer, const char *name, const char *const *names, uint32_t n_names) {
  fprintf(writer->out, "      let %s = ", name);
  write_vector(writer, 1 + (int)pick(writer, 3), names, n_names);
  fputc('\n', writer->out);
}

static void write_loss(struct writer *writer) {
  static const char *const losses[] = {"nll(C @ h, label)", "logsumexp(h * v)", "square(dot(h, g) - 1)",
                                       "sum(max(h, g)) * 0.1", "pick(C @ tanh(g), label)"};
  fputs(losses[pick(writer, 5)], writer->out);
}

// Two results and a sum of losses climb a tree; the label decides which formula a node takes.
static char *make_program(uint64_t seed) {
  static const char *const at_leaf[] = {"E[word]", "v", "F[label]"};
  static const char *const at_node[] = {"a", "b", "c", "d", "F[label]", "a", "b"};
  static const char *const with_h[] = {"h", "a", "d", "v"};
  char *text = NULL;
  size_t size = 0;
  struct writer writer = {.out = open_memstream(&text, &size)};
  random_open(&writer.stream, seed, "program");
  static const int sizes[] = {1, 3, 5, 16, 19, 40};
  fprintf(writer.out, "dim H = %d\n", sizes[pick(&writer, 6)]);
  fputs("vocab Word\nvocab Label(closed)\n"
        "data Tree = Leaf(label: Label, word: Word) | Node(label: Label, left: Tree, right: Tree)\n"
        "param E: f32[Word, H] = normal(0.6)\nparam F: f32[Label, H] = normal(0.6)\n"
        "param M: f32[H, H]\nparam N: f32[H, H]\nparam C: f32[Label, H]\nparam v: f32[H] = uniform(0.8)\n"
        "fn walk(t: Tree) -> (f32[H], f32[H], f32) {\n  match t {\n    Leaf(label, word) => {\n",
        writer.out);
  write_let(&writer, "h", at_leaf, 3);
  write_let(&writer, "g", at_leaf, 3);
  fputs("      (h, g, ", writer.out);
  write_loss(&writer);
  fputs(")\n    }\n    Node(label, left, right) => {\n"
        "      let (a, c, x) = walk(left)\n      let (b, d, y) = walk(right)\n",
        writer.out);
  if (pick(&writer, 2)) {
    fputs("      var h = a\n      if int(label) > 2 {\n        h = ", writer.out);
    write_vector(&writer, 2, at_node, 7);
    fputs("\n      } else {\n        h = ", writer.out);
    write_vector(&writer, 2, at_node, 7);
    fputs("\n      }\n", writer.out);
  } else {
    write_let(&writer, "h", at_node, 7);
  }
  write_let(&writer, "g", with_h, 4);
  fputs("      (h, g, x + y + ", writer.out);
  write_loss(&writer);
  fputs(")\n    }\n  }\n}\nfn loss(t: Tree) -> f32 {\n  let (h, g, sum) = walk(t)\n  sum + dot(h, g)\n}\n",
        writer.out);
  fclose(writer.out);
  return text;
}

// ------------------------------------------------------------------------------------------------- the tests

static void test_programs(void **state) {
  (void)state;
  int n_tame = 0;
  for (int i = 0; i < n_programs; i++) {
    char *program = make_program(first_seed + (uint64_t)i);
    rig_same_bits(program);
    n_tame += rig_right_gradients(program);
    free(program);
  }
  assert_true(n_tame * 2 > n_programs);
}

int main(int argc, char **argv) {
  if (argc > 1)
    first_seed = strtoull(argv[1], NULL, 10);
  if (argc > 2)
    n_programs = atoi(argv[2]);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_programs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

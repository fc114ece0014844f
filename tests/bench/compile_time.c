// Run by hand: how compilation grows with programs of several shapes, stage by stage, in CPU milliseconds.
//   compile_time [SHAPE-OR-KIND [N]]
// `ratio` is the total against the line before, whose size is half: 2.0 is linear.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/growth/kinds.h"
#include "tests/growth/shapes.h"
#include "tests/growth/stages.h"

static double measure(const struct shape *shape, uint32_t n, double before) {
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = ""}, &error);
  if (jit == NULL) {
    fprintf(stderr, "%s\n", error);
    exit(1);
  }
  struct stage_times t = {.slowest_name = ""};
  struct kernel_counts counts = {0};
  char *text = shape->text(n);
  struct ir_module *module = stages_compile(text, &t);
  stages_kernels(jit, module, true, &t, &counts);
  double total = t.front + t.passes + t.graph + t.plan + t.emit + t.llvm;
  printf("%-12s %6u %8llu %7.1f %7.1f %7.1f %-10s %6.1f %6.1f %7.1f %8.1f %9.1f", shape->name, n,
         (unsigned long long)counts.operations, t.front * 1e3, t.passes * 1e3, t.slowest_pass * 1e3,
         t.slowest_name, t.graph * 1e3, t.plan * 1e3, t.emit * 1e3, t.llvm * 1e3, total * 1e3);
  if (before > 0)
    printf(" %5.1f", total / before);
  printf("\n");
  fflush(stdout);
  ir_module_free(module);
  jit_free(jit);
  free(text);
  return total;
}

// Programs of the kinds of growth/kinds.h: what nnc does.
static double measure_kind(const struct program_kind *kind, int n, double before) {
  struct stage_times t = {.slowest_name = ""};
  char *text = program_kind_text(kind, n);
  struct ir_module *module = stages_compile(text, &t);
  double total = t.front + t.passes;
  printf("%-24s %6d %8.1f %8.1f %8.1f %-10s %9.1f", kind->name, n, t.front * 1e3, t.passes * 1e3,
         t.slowest_pass * 1e3, t.slowest_name, total * 1e3);
  if (before > 0)
    printf(" %5.1f", total / before);
  printf("\n");
  fflush(stdout);
  ir_module_free(module);
  free(text);
  return total;
}

int main(int argc, char **argv) {
  printf("%-12s %6s %8s %7s %7s %18s %6s %6s %7s %8s %9s %5s\n", "shape", "n", "ops", "front", "passes",
         "slowest pass      ", "graph", "plan", "emit", "LLVM", "total ms", "ratio");
  for (const struct shape *shape = shapes; shape->name; shape++) {
    if (argc > 1 && strcmp(argv[1], shape->name) != 0)
      continue;
    double before = 0;
    for (int i = 0; i < (argc > 2 ? 1 : 3); i++)
      before = measure(shape, argc > 2 ? (uint32_t)atoi(argv[2]) : shape->sizes[i], before);
  }
  printf("\n%-24s %6s %8s %8s %19s %9s %5s\n", "kind", "n", "front", "passes", "slowest pass       ",
         "total ms", "ratio");
  for (const struct program_kind *kind = program_kinds; kind->name; kind++) {
    if (argc > 1 && strcmp(argv[1], kind->name) != 0)
      continue;
    double before = 0;
    for (int i = 0; i < (argc > 2 ? 1 : 3); i++)
      before = measure_kind(kind, argc > 2 ? atoi(argv[2]) : 1000 << i, before);
  }
  return 0;
}

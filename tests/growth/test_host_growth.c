// Who owns the lists and data of host functions (runtime/host/host_ownership.h): the work of the analysis grows in
// proportion to the program, counted as that of the compiler is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/nnc.h"
#include "compiler/passes/cfg.h"
#include "runtime/host/host_ownership.h"
#include "tests/growth/work.h"

enum { SMALL = 500, TIMES = 4 };

// See test_compile_growth.c.
#define MOST_GROWTH 6.0

static void lists_in_loops(FILE *out, int n) {
  fputs("fn loss(ks: [int]) -> f32 {\n  var t = 0\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  var x%d = [%d]\n  for k in ks { x%d = push(x%d, k) }\n  t = t + len(x%d)\n", i, i, i, i,
            i);
  fputs("  t\n}\n", out);
}

static void branches(FILE *out, int n) {
  fputs("fn loss(ks: [int]) -> f32 {\n  var xs = ks\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  if len(xs) %% %d == 0 { xs = push(xs, %d) } else { xs[0] = %d }\n", i + 2, i, i);
  fputs("  len(xs)\n}\n", out);
}

static void calls(FILE *out, int n) {
  fputs("fn g0(xs: [int]) -> [int] { push(xs, 0) }\n", out);
  for (int i = 1; i < n; i++)
    fprintf(out, "fn g%d(xs: [int]) -> [int] { if len(xs) > %d { g%d(xs) } else { push(g%d(xs), %d) } }\n", i,
            i, i - 1, i / 2, i);
  fprintf(out, "fn loss(ks: [int]) -> f32 { len(g%d(ks)) }\n", n - 1);
}

// A recursive function is not inlined.
static void params(FILE *out, int size) {
  int n = size / 4;
  fputs("fn f(k: int", out);
  for (int i = 0; i < n; i++)
    fprintf(out, ", x%d: [int]", i);
  fputs(") -> int {\n  var t = k\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  let y%d = push(x%d, t)\n  t = t + len(y%d) * y%d[0]\n", i, i, i, i);
  fputs("  if t > 100 { t } else { f(t", out);
  for (int i = 0; i < n; i++)
    fprintf(out, ", x%d", i);
  fputs(") }\n}\nfn loss(ks: [int]) -> f32 { f(0", out);
  for (int i = 0; i < n; i++)
    fputs(", ks", out);
  fputs(") }\n", out);
}

static void list_of_lists(FILE *out, int n) {
  fputs("fn loss(ks: [int]) -> f32 {\n  let xs = [ks", out);
  for (int i = 1; i < n; i++)
    fprintf(out, i % 2 ? ",\n    [%d]" : ", ks", i);
  fputs("]\n  len(xs[len(ks)])\n}\n", out);
}

static void nested_writes(FILE *out, int n) {
  fputs("fn loss(ks: [int]) -> f32 {\n  var xs = [ks, ks]\n", out);
  for (int i = 0; i < n; i++)
    fprintf(out, "  xs[%d][%d] = len(xs[%d]) + %d\n", i % 2, i % 3, (i + 1) % 2, i);
  fputs("  len(xs)\n}\n", out);
}

static const struct kind {
  const char *name;
  void (*write)(FILE *out, int n);
} kinds[] = {
    {"lists_in_loops", lists_in_loops},
    {"branches", branches},
    {"calls", calls},
    {"params", params},
    {"list_of_lists", list_of_lists},
    {"nested_writes", nested_writes},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static struct ir_module *compile(const struct kind *kind, int n) {
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  fputs("param p: f32\nfn _unused() -> f32 { p }\n", out);
  kind->write(out, n);
  fclose(out);
  struct nnc_options options = {.path = "growth.nn", .text = text, .text_length = length};
  struct nnc_result result;
  if (!nnc_compile(&options, &result)) {
    nnc_render(&result, stderr, false);
    fail_msg("%s of size %d does not compile", kind->name, n);
  }
  struct ir_module *module = nnc_take_module(&result);
  nnc_result_free(&result);
  free(text);
  return module;
}

static struct work analyse(const struct kind *kind, int n, uint32_t *n_actions) {
  struct ir_module *module = compile(kind, n);
  struct arena arena;
  arena_init(&arena);
  bool *reachable = arena_new_array(&arena, bool, module->n_functions);
  memset(reachable, 1, module->n_functions);
  const struct cfg **cfgs = arena_new_array(&arena, const struct cfg *, module->n_functions);
  for (uint32_t f = 0; f < module->n_functions; f++)
    cfgs[f] = cfg_build(&arena, module->functions[f]);
  work_begin();
  bool **owned = host_owned_params(module, reachable);
  assert_non_null(owned);
  *n_actions = 0;
  for (uint32_t f = 0; f < module->n_functions; f++) {
    struct host_actions actions;
    assert_true(host_ownership(module->functions[f], cfgs[f]->n, (const struct ir_bb *const *)cfgs[f]->bbs,
                               owned, &actions));
    *n_actions += actions.n;
    host_actions_free(&actions);
  }
  host_owned_params_free(module, owned);
  struct work work = work_end();
  arena_free(&arena);
  ir_module_free(module);
  return work;
}

static void grows_with_the_program(void **state) {
  const struct kind *kind = *state;
  uint32_t n_small, n_large;
  struct work small = analyse(kind, SMALL, &n_small), large = analyse(kind, TIMES * SMALL, &n_large);
  double steps = (double)large.steps / (double)small.steps, bytes = (double)large.bytes / (double)small.bytes;
  print_message("%-16s %9llu steps x %4.2f %9llu bytes x %4.2f %6u actions, %u\n", kind->name,
                (unsigned long long)small.steps, steps, (unsigned long long)small.bytes, bytes, n_small,
                n_large);
  if (steps > MOST_GROWTH || bytes > MOST_GROWTH)
    fail_msg("%s: %d times the program takes %.1f times the steps, %.1f times the bytes", kind->name, TIMES,
             steps, bytes);
}

int main(void) {
  struct CMUnitTest tests[N_KINDS];
  for (size_t i = 0; i < N_KINDS; i++)
    tests[i] = (struct CMUnitTest){kinds[i].name, grows_with_the_program, NULL, NULL,
                                   (void *)(uintptr_t)&kinds[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

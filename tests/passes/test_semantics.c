// What a program computes does not change: every entry of the examples, of the language's test programs and
// of random programs gives the same results after each pass as before all of them.
#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "compiler/passes/passes.h"
#include "runtime/kernel/reference.h"
#include "tests/passes/block_check.h"
#include "tests/passes/interpret.h"
#include "tests/passes/program_gen.h"

#define N_TRIALS 4
#define MOST_STEPS 200000
#define TOLERANCE 1e-9

struct world {
  struct ir_module *module;
  const char *name;
  struct arena arena;
  uint64_t state;
  int64_t *dims;
  double **params;
  uint32_t list_length;  // of lists among the arguments: zip wants equal ones
};

// The outcome of one run.
struct outcome {
  bool failed;
  bool exhausted;  // of what it was given to run with; nothing follows from it
  struct slot *results;
};

static uint32_t pick(struct world *w, uint32_t n) {
  uint64_t z = w->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ z >> 31) >> 33) % n;
}

static double *random_row(struct world *w, int64_t n) {
  double *row = arena_new_array(&w->arena, double, (size_t)n);
  for (int64_t i = 0; i < n; i++)
    row[i] = (double)pick(w, 1 << 30) / (1 << 30) - 0.5;
  return row;
}

// Small sizes, whatever the program says; dims that are computed from others stay so.
static void bind(struct world *w) {
  const struct ir_module *module = w->module;
  w->dims = arena_new_array(&w->arena, int64_t, module->n_dims);
  for (uint32_t d = 0; d < module->n_dims; d++) {
    const struct ir_dim *dim = module->dims[d];
    int64_t constant;
    if (dim->atom.kind == SIZE_VOCAB)
      w->dims[d] = 5;
    else if (dim->atom.kind == SIZE_ENUM)
      w->dims[d] = dim->n_members;
    else if (size_is_constant(dim->value, &constant))
      w->dims[d] = constant < 4 ? constant : 3 + d % 2;
    else
      w->dims[d] = reference_size(dim->value, w->dims);
  }
  w->params = arena_new_array(&w->arena, double *, module->n_params);
  for (uint32_t p = 0; p < module->n_params; p++) {
    const struct ir_param *param = module->params[p];
    int64_t n = reference_elements(param->type, w->dims) *
                (param->count ? reference_size(param->count, w->dims) : 1);
    w->params[p] = random_row(w, n);
  }
}

// --------------------------------------------------------------------------------------------- arguments

static struct slot random_slot(struct world *w, const struct ir_type *type, int depth);

static void random_fields(struct world *w, const struct ir_type *type, int depth, struct slot *out) {
  const struct ir_type **types = arena_new_array(&w->arena, const struct ir_type *, ir_type_width(type));
  ir_type_flatten(type, types);
  for (uint32_t i = 0; i < ir_type_width(type); i++)
    out[i] = random_slot(w, types[i], depth);
}

static struct slot random_list(struct world *w, const struct ir_type *type, int depth) {
  struct slot_list *list = arena_new(&w->arena, struct slot_list);
  list->width = ir_type_width(type->element);
  list->n = depth > 3 ? 0 : w->list_length;
  list->slots = arena_new_array(&w->arena, struct slot, (size_t)list->n * list->width);
  for (uint32_t k = 0; k < list->n; k++)
    random_fields(w, type->element, depth + 1, &list->slots[(size_t)k * list->width]);
  return (struct slot){.list = list};
}

static bool holds_data(const struct ir_type *type) {
  if (type->kind == IR_LIST)
    return holds_data(type->element);
  for (uint32_t i = 0; type->kind == IR_TUPLE && i < type->tuple.n; i++)
    if (holds_data(type->tuple.fields[i].type))
      return true;
  return type->kind == IR_DATA;
}

static struct slot random_data(struct world *w, const struct ir_type *type, int depth) {
  const struct ir_data *data = w->module->datas[type->data];
  struct slot_data *made = arena_new(&w->arena, struct slot_data);
  made->constructor = pick(w, data->n_constructors);
  for (uint32_t k = 0; depth > 4 && k < data->n_constructors; k++) {
    bool flat = true;
    for (uint32_t i = 0; i < data->constructors[k].n_fields; i++)
      flat = flat && !holds_data(data->constructors[k].fields[i].type);
    if (flat)
      made->constructor = k;
  }
  const struct ir_constructor *constructor = &data->constructors[made->constructor];
  const struct ir_type *fields = ir_type_tuple(w->module, NULL, constructor->n_fields, constructor->fields);
  made->slots = arena_new_array(&w->arena, struct slot, ir_type_width(fields));
  random_fields(w, fields, depth + 1, made->slots);
  return (struct slot){.data = made};
}

static struct slot random_slot(struct world *w, const struct ir_type *type, int depth) {
  switch (type->kind) {
  case IR_INT: return (struct slot){.integer = pick(w, 4)};
  case IR_BOOL: return (struct slot){.integer = pick(w, 2)};
  case IR_FLOAT: return (struct slot){.number = pick(w, 100) * 0.01};
  case IR_INDEX: return (struct slot){.integer = pick(w, (uint32_t)w->dims[type->dim])};
  case IR_TEXT: {
    static const char *const texts[] = {"", "a", "ab", "w1", "n\xc3\xa4h", "12", "Verb", "b a"};
    return (struct slot){.text = texts[pick(w, sizeof texts / sizeof *texts)]};
  }
  case IR_TENSOR: return (struct slot){.tensor = random_row(w, reference_elements(type, w->dims))};
  case IR_LIST: return random_list(w, type, depth);
  case IR_DATA: return random_data(w, type, depth);
  default: fail_msg("no values of this type"); return (struct slot){0};
  }
}

// -------------------------------------------------------------------------------------------- comparison

static bool numbers_equal(double a, double b) {
  return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= TOLERANCE * (1 + fabs(a));
}

static bool slots_equal(struct world *w, const struct ir_type *type, struct slot a, struct slot b);

static bool fields_equal(struct world *w, const struct ir_type *type, const struct slot *a,
                         const struct slot *b) {
  const struct ir_type **types = arena_new_array(&w->arena, const struct ir_type *, ir_type_width(type));
  ir_type_flatten(type, types);
  for (uint32_t i = 0; i < ir_type_width(type); i++)
    if (!slots_equal(w, types[i], a[i], b[i]))
      return false;
  return true;
}

static bool slots_equal(struct world *w, const struct ir_type *type, struct slot a, struct slot b) {
  switch (type->kind) {
  case IR_FLOAT: return numbers_equal(a.number, b.number);
  case IR_TEXT: return strcmp(a.text, b.text) == 0;
  case IR_TENSOR:
    for (int64_t i = 0; i < reference_elements(type, w->dims); i++)
      if (!numbers_equal(a.tensor[i], b.tensor[i]))
        return false;
    return true;
  case IR_LIST:
    if (a.list->n != b.list->n)
      return false;
    for (uint32_t k = 0; k < a.list->n; k++)
      if (!fields_equal(w, type->element, &a.list->slots[(size_t)k * a.list->width],
                        &b.list->slots[(size_t)k * b.list->width]))
        return false;
    return true;
  case IR_DATA: {
    if (a.data->constructor != b.data->constructor)
      return false;
    const struct ir_constructor *c = &w->module->datas[type->data]->constructors[a.data->constructor];
    const struct ir_type *fields = ir_type_tuple(w->module, NULL, c->n_fields, c->fields);
    return fields_equal(w, fields, a.data->slots, b.data->slots);
  }
  default: return a.integer == b.integer;
  }
}

// -------------------------------------------------------------------------------------------------- runs

static struct outcome run_entry(struct world *w, struct arena *arena, const struct ir_entry *entry,
                                const struct slot *args) {
  const struct ir_function *function = w->module->functions[entry->function];
  struct interpreter in = {.module = w->module,
                           .arena = arena,
                           .dims = w->dims,
                           .params = (const double *const *)w->params,
                           .steps_left = MOST_STEPS};
  struct outcome outcome = {.results = arena_new_array(arena, struct slot, function->n_results)};
  outcome.failed = !interpret(&in, entry->function, args, outcome.results);
  outcome.exhausted = in.exhausted;
  return outcome;
}

static void compare(struct world *w, const struct pass *pass, const struct ir_entry *entry, int trial,
                    const struct slot *args, const struct outcome *before) {
  if (before->exhausted)
    return;
  struct arena arena;
  arena_init(&arena);
  struct outcome after = run_entry(w, &arena, entry, args);
  const struct ir_function *function = w->module->functions[entry->function];
  bool equal = after.failed == before->failed && !after.exhausted;
  for (uint32_t i = 0; equal && !after.failed && i < function->n_results; i++)
    equal = slots_equal(w, function->results[i], before->results[i], after.results[i]);
  if (!equal)
    fail_msg("%s: after the pass %s, entry %s, trial %d: the results differ%s", w->name, pass->name,
             entry->name, trial,
             after.failed == before->failed ? ""
             : after.failed                 ? " (it fails)"
                                            : " (it does not fail)");
  arena_free(&arena);
}

// stop_gradient is meant to differ from its differences.
static bool stops_gradients(const struct ir_block *block) {
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    if (instr->op == IR_OP_STOP)
      return true;
  return false;
}

static void check_adjoints(struct world *w) {
  for (uint32_t b = 0; b < w->module->n_blocks; b++) {
    if (stops_gradients(w->module->blocks[b]))
      continue;
    struct block_check check = {w->dims, -0.7, 0.8, 5 + b, true};
    char *message = NULL;
    // Where the largest of equals lies, or a step of the difference crosses an edge, the two may differ:
    // none is met.
    if (block_check(w->module, w->module->blocks[b], &check, &message) == BLOCK_WRONG)
      fail_msg("%s: @%s: %s\n%s", w->name, w->module->blocks[b]->name, message,
               ir_print_block(w->module, w->module->blocks[b]));
  }
}

static void check_module(struct world *w, bool differentiable) {
  arena_init(&w->arena);
  bind(w);
  uint32_t n = w->module->n_entries;
  struct slot **args = arena_new_array(&w->arena, struct slot *, (size_t)n * N_TRIALS);
  struct outcome *before = arena_new_array(&w->arena, struct outcome, (size_t)n * N_TRIALS);
  for (uint32_t e = 0; e < n; e++) {
    const struct ir_function *function = w->module->functions[w->module->entries[e]->function];
    for (uint32_t t = 0; t < N_TRIALS; t++) {
      uint32_t k = e * N_TRIALS + t;
      w->list_length = t;
      args[k] = arena_new_array(&w->arena, struct slot, function->n_params);
      for (uint32_t i = 0; i < function->n_params; i++)
        args[k][i] = random_slot(w, function->params[i]->type, 0);
      before[k] = run_entry(w, &w->arena, w->module->entries[e], args[k]);
    }
  }
  for (const struct pass *pass = passes; pass->name; pass++) {
    struct arena scratch;
    arena_init(&scratch);
    pass->function(w->module, &scratch);
    arena_free(&scratch);
    char *error = NULL;
    if (!ir_verify(w->module, &error))
      fail_msg("%s: after the pass %s: %s\n%s", w->name, pass->name, error, ir_print(w->module));
    for (uint32_t k = 0; k < n * N_TRIALS; k++)
      compare(w, pass, w->module->entries[k / N_TRIALS], (int)(k % N_TRIALS), args[k], &before[k]);
  }
  if (differentiable)
    check_adjoints(w);
  arena_free(&w->arena);
}

// false: the program does not compile.
static bool check_program(const char *name, const char *text, bool differentiable) {
  struct nnc_options options = {
      .path = name, .text = text, .text_length = text ? strlen(text) : 0, .stop_after = NNC_STAGE_LOWERED};
  struct nnc_result result;
  bool compiled = nnc_compile(&options, &result);
  if (!compiled && text)
    nnc_render(&result, stderr, false);
  if (compiled) {
    struct world w = {.module = nnc_take_module(&result), .name = name, .state = 17};
    check_module(&w, differentiable);
    ir_module_free(w.module);
  }
  nnc_result_free(&result);
  return compiled;
}

// A module in text form.
static void check_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    fail_msg("cannot open %s", path);
  char *text = NULL, *error = NULL;
  size_t length = 0;
  FILE *copy = open_memstream(&text, &length);
  for (int byte; (byte = getc(file)) != EOF;)
    putc(byte, copy);
  fclose(copy);
  fclose(file);
  struct world w = {.module = ir_parse(text, length, &error), .name = path, .state = 23};
  if (!w.module || !ir_verify(w.module, &error))
    fail_msg("%s:%s", path, error);
  check_module(&w, true);
  ir_module_free(w.module);
  free(text);
}

static int check_files(const char *pattern) {
  glob_t found;
  int compiled = 0;
  if (glob(pattern, 0, NULL, &found) != 0)
    fail_msg("no files %s", pattern);
  for (size_t i = 0; i < found.gl_pathc; i++)
    compiled += check_program(found.gl_pathv[i], NULL, true);
  globfree(&found);
  return compiled;
}

static void examples_keep_their_meaning(void **state) {
  (void)state;
  assert_true(check_files("examples/*/*.nn") >= 6);
}

static void test_programs_keep_their_meaning(void **state) {
  (void)state;
  assert_true(check_files("tests/language/programs/*.nn") >= 1);
  assert_true(check_files("tests/language/lowering/*.nn") >= 1);
}

// Control flow that the front end does not make: irreducible loops, loops with several ways in and out.
static void modules_by_hand_keep_their_meaning(void **state) {
  (void)state;
  check_text("tests/passes/cases/host.ir");
  check_text("tests/passes/modules/flow.ir");
  check_text("tests/passes/modules/sums.ir");
}

// Zeros that meet what is infinite or no number: nothing may be said of such a product beforehand. An infinite
// value has no difference to compare an adjoint with.
static void infinities_keep_their_meaning(void **state) {
  (void)state;
  static const char declarations[] =
      "dim H = 3\ndim D = 2\nparam w: f32[H] = uniform(1)\nparam W: f32[H, D]\n"
      "fn infinite() -> f32 { 1 / (sum(w) - sum(w)) }\n"
      "fn nothing() -> f32 { infinite() - infinite() }\n";
  static const char *const formulas[] = {
      "0 * x",
      "x * 0",
      "0 * sum(w * x)",
      "sum(zeros[H] * (w * x))",
      "sum((w * x) * zeros[H])",
      "x * sum(zeros[H])",
      "dot(zeros[H], w * x)",
      "dot(w * x, zeros[H])",
      "sum((W * x) @ zeros[D])",
      "sum(zeros[H] @ (W * x))",
      "sum(zeros[D, H] @ (W * x))",
      "sum((W * x) @ zeros[D, H])",
      "sum(transpose(zeros[H, D]) @ (transpose(W) * x)[0])",
      "max(zeros[H] * x)",
      "mean(zeros[H] * x)",
      "x - x",
      "x / x",
      "x * 1 + 0 * x",
      "0 / x + x / 0",
      "(0 - x) + x",
      "square(0 * x)",
      "0 * (0 * x)",
      "sum(concat(zeros[H] * x, w)[0..H])",
      "sum(slice(zeros[H] * x, 0, 2))",
      "dot(zeros[H], transpose(W * x)[1])",
  };
  for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
    char *text = NULL;
    assert_true(asprintf(&text,
                         "%sfn f(x: f32) -> f32 { %s }\nfn a(n: int) -> f32 { f(infinite()) }\n"
                         "fn b(n: int) -> f32 { f(-infinite()) }\nfn c(n: int) -> f32 { f(nothing()) }\n"
                         "fn d(n: int) -> f32 { f(0) }\nfn e(n: int) -> f32 { f(sum(w)) }\n",
                         declarations, formulas[i]) > 0);
    if (!check_program(formulas[i], text, false))
      fail_msg("%s does not compile", formulas[i]);
    free(text);
  }
}

static void random_programs_keep_their_meaning(void **state) {
  (void)state;
  const char *wanted = getenv("NN_SEEDS");
  uint64_t n = wanted ? strtoull(wanted, NULL, 10) : 150;
  for (uint64_t seed = 1; seed <= n; seed++) {
    char name[40], *text = program_generate(seed);
    snprintf(name, sizeof name, "random program %llu", (unsigned long long)seed);
    if (!check_program(name, text, true))
      fail_msg("%s does not compile:\n%s", name, text);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples_keep_their_meaning),
      cmocka_unit_test(test_programs_keep_their_meaning),
      cmocka_unit_test(modules_by_hand_keep_their_meaning),
      cmocka_unit_test(infinities_keep_their_meaning),
      cmocka_unit_test(random_programs_keep_their_meaning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

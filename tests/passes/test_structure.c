// What the passes make of a model. Each file under structure/ says in comments which blocks there shall be
// in the end:
//
//   // block hoisted: lookup matmul +9 saves 4
//
// names a block by its flags, its operations in order (without sources and slices; `+9`: nine element-wise
// ones) and the number of values it saves for its adjoint; `no adjoint` instead when it has none. The lines
// must match the blocks of the finished module one to one, in any order. `// sums 1` gives the number of
// acc.sum in all functions, `// functions 3` the number of functions that are left.
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/nnc.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

#define MOST_LINES 40

struct lines {
  char *text[MOST_LINES];
  int n;
};

static void add(struct lines *lines, char *text) {
  if (lines->n == MOST_LINES)
    fail_msg("too many lines");
  lines->text[lines->n++] = text;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void sort_lines(struct lines *lines) {
  qsort(lines->text, (size_t)lines->n, sizeof *lines->text, by_text);
}

static void free_lines(struct lines *lines) {
  for (int i = 0; i < lines->n; i++)
    free(lines->text[i]);
}

// ---------------------------------------------------------------------------------------------- as it is

static char *describe_block(const struct ir_block *block) {
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  fputs("block", out);
  fputs(block->hoisted ? " hoisted" : "", out);
  fputs(block->deferred ? " deferred" : "", out);
  fputs(block->uniform ? " uniform" : "", out);
  fputs(block->random ? " random" : "", out);
  fputc(':', out);
  int elementwise = 0;
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    enum ir_class class = ir_op_infos[instr->op].class;
    if (class == IR_CLASS_ELEMENTWISE && instr->op != IR_OP_DROPOUT)
      elementwise++;
    else if (class != IR_CLASS_SOURCE && instr->op != IR_OP_SLICE)
      fprintf(out, " %s", ir_op_infos[instr->op].name);
  }
  if (elementwise)
    fprintf(out, " +%d", elementwise);
  if (!block->adjoint)
    fputs(" no adjoint", out);
  else
    fprintf(out, " saves %u", block->n_outputs - block->n_results);
  fclose(out);
  return text;
}

static char *describe_count(const char *what, unsigned n) {
  char *text = NULL;
  if (asprintf(&text, "%s %u", what, n) < 0)
    abort();
  return text;
}

static struct lines describe(const struct ir_module *module) {
  struct lines lines = {.n = 0};
  unsigned sums = 0;
  for (uint32_t f = 0; f < module->n_functions; f++)
    for_each_instr (module->functions[f], bb, instr)
      sums += instr->op == IR_ACC_SUM;
  for (uint32_t b = 0; b < module->n_blocks; b++)
    add(&lines, describe_block(module->blocks[b]));
  add(&lines, describe_count("sums", sums));
  add(&lines, describe_count("functions", module->n_functions));
  sort_lines(&lines);
  return lines;
}

// ------------------------------------------------------------------------------------------- as it shall

static struct lines read_expectation(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file)
    fail_msg("cannot open %s", path);
  struct lines lines = {.n = 0};
  char *text = NULL;
  size_t size = 0;
  while (getline(&text, &size, file) > 0) {
    text[strcspn(text, "\n")] = 0;
    const char *rest = text + strspn(text, " ");
    rest = strncmp(rest, "// ", 3) == 0 ? rest + 3 : "";
    if (strncmp(rest, "block", 5) == 0 || strncmp(rest, "sums ", 5) == 0 ||
        strncmp(rest, "functions ", 10) == 0)
      add(&lines, strdup(rest));
  }
  free(text);
  fclose(file);
  sort_lines(&lines);
  return lines;
}

static bool check_file(const char *path) {
  struct nnc_options options = {.path = path, .stop_after = NNC_STAGE_LOWERED};
  struct nnc_result result;
  if (!nnc_compile(&options, &result)) {
    nnc_render(&result, stderr, false);
    fail_msg("%s does not compile", path);
  }
  struct ir_module *module = nnc_take_module(&result);
  struct passes_options how = {.verify_each = true};
  char *error = NULL;
  if (!passes_run(module, &how, &error))
    fail_msg("%s: %s", path, error);
  struct lines is = describe(module), wanted = read_expectation(path);
  bool equal = is.n == wanted.n;
  for (int i = 0; equal && i < is.n; i++)
    equal = strcmp(is.text[i], wanted.text[i]) == 0;
  if (!equal) {
    fprintf(stderr, "%s has become\n", path);
    for (int i = 0; i < is.n; i++)
      fprintf(stderr, "// %s\n", is.text[i]);
  }
  free_lines(&is);
  free_lines(&wanted);
  ir_module_free(module);
  nnc_result_free(&result);
  return equal;
}

static void models_have_their_structure(void **state) {
  (void)state;
  glob_t found;
  if (glob("tests/passes/structure/*.nn", 0, NULL, &found) != 0)
    fail_msg("no models");
  bool good = true;
  for (size_t i = 0; i < found.gl_pathc; i++)
    good = check_file(found.gl_pathv[i]) && good;
  globfree(&found);
  assert_true(good);
}

static void an_unknown_pass_is_refused(void **state) {
  (void)state;
  struct ir_module *module = ir_module_new("empty");
  struct passes_options options = {.dump_after = "nonsense", .dump = stderr};
  char *error = NULL;
  assert_false(passes_run(module, &options, &error));
  assert_string_equal(error, "there is no pass named `nonsense`");
  free(error);
  ir_module_free(module);
}

static void dumps_are_modules(void **state) {
  (void)state;
  struct nnc_options options = {.path = "tests/passes/structure/treelstm.nn",
                                .stop_after = NNC_STAGE_LOWERED};
  struct nnc_result result;
  assert_true(nnc_compile(&options, &result));
  struct ir_module *module = nnc_take_module(&result);
  char *text = NULL, *error = NULL;
  size_t length = 0;
  struct passes_options how = {.dump_after = "accumulate", .dump = open_memstream(&text, &length)};
  assert_true(passes_run(module, &how, &error));
  fclose(how.dump);
  struct ir_module *again = ir_parse(text, length, &error);
  if (!again || !ir_verify(again, &error))
    fail_msg("%s", error);
  assert_non_null(strstr(text, "acc.add"));
  assert_null(strstr(text, "emit"));
  ir_module_free(again);
  free(text);
  ir_module_free(module);
  nnc_result_free(&result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(models_have_their_structure),
      cmocka_unit_test(an_unknown_pass_is_refused),
      cmocka_unit_test(dumps_are_modules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

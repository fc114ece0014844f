// Compiled host code: the files of tests/runtime/host/, which state calls and what must come of them.
//
// A file is an IR module with directives in comments:
//
//   ; run f(1, 2) = 3              the entry's arguments and result
//   ; run f(1, 0) ! 0:12:9 text    it fails with this message at file:line:column
//   ; log emit b(%1) -> %100       what the run above left in the trace, a line each; none: nothing
//   ; size Word 7                  from here on; also `steps N`, `reads 1 2.5 ...`, `memory BYTES`
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host_fixture.h"

#define FOLDER "tests/runtime/host"
#define MOST_READS 16

static char *read_file(const char *path, size_t *length) {
  FILE *in = fopen(path, "rb");
  if (!in)
    fail_msg("cannot open %s", path);
  fseek(in, 0, SEEK_END);
  long size = ftell(in);
  rewind(in);
  char *text = malloc((size_t)size + 1);
  assert_non_null(text);
  *length = fread(text, 1, (size_t)size, in);
  text[*length] = '\0';
  fclose(in);
  return text;
}

// --------------------------------------------------------------------------------------- the files

struct script {
  const char *path;
  struct fixture *fixture;
  unsigned line;
  double reads[MOST_READS];
  unsigned run_line;  // of the run whose log is being collected; 0: none
  char log[4096];     // expected
  unsigned n_runs;
};

static void check_log(struct script *s) {
  if (s->run_line && strcmp(s->fixture->log, s->log) != 0)
    fail_msg("%s:%u: the trace is\n%snot\n%s", s->path, s->run_line, s->fixture->log, s->log);
  s->run_line = 0;
  s->log[0] = '\0';
}

static void check_run(struct script *s, char *text) {
  char *want_result = strstr(text, " = "), *want_error = strstr(text, " ! ");
  char *end = want_result ? want_result : want_error;
  if (!end)
    fail_msg("%s:%u: a run without ` = ` or ` ! `", s->path, s->line);
  *end = '\0';
  const char *want = end + 3;
  fixture_run(s->fixture, text);
  const char *got = s->fixture->outcome == HOST_DONE ? s->fixture->results : s->fixture->error;
  bool kind_fits = (s->fixture->outcome == HOST_DONE) == (want_result != NULL);
  if (!kind_fits || strcmp(got, want) != 0)
    fail_msg("%s:%u: %s gives %s, not %s", s->path, s->line, text, got, want);
  s->run_line = s->line;
  s->n_runs++;
}

static void obey(struct script *s, char *line) {
  char name[64];
  long long number;
  size_t length = strlen(line);
  if (strncmp(line, "; log ", 6) == 0) {
    size_t used = strlen(s->log);
    assert_true(used + length < sizeof s->log);
    snprintf(s->log + used, sizeof s->log - used, "%s\n", line + 6);
    return;
  }
  if (strncmp(line, "; run ", 6) == 0) {
    check_log(s);
    check_run(s, line + 6);
  } else if (sscanf(line, "; size %63s %lld", name, &number) == 2) {
    check_log(s);
    fixture_set_size(s->fixture, name, number);
  } else if (sscanf(line, "; steps %lld", &number) == 1) {
    s->fixture->limits.turns = (uint64_t)number;
  } else if (sscanf(line, "; memory %lld", &number) == 1) {
    s->fixture->limits.bytes = (uint64_t)number;
  } else if (strncmp(line, "; reads ", 8) == 0) {
    char *at = line + 8, *end;
    size_t n = 0;
    for (double value = strtod(at, &end); end != at && n < MOST_READS; value = strtod(at = end, &end))
      s->reads[n++] = value;
    s->fixture->reads = s->reads;
    s->fixture->n_reads = n;
  }
}

static void count_operations(const struct ir_module *ir, unsigned *counts) {
  for (uint32_t i = 0; i < ir->n_functions; i++)
    for (const struct ir_bb *bb = ir->functions[i]->entry; bb; bb = bb->next)
      for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
        counts[instr->op]++;
}

static void check_file(struct jit *jit, const char *path, unsigned *counts) {
  size_t length;
  char *text = read_file(path, &length);
  struct script s = {.path = path, .fixture = fixture_new(jit, path, text, length)};
  count_operations(s.fixture->ir, counts);
  for (char *line = text, *next; line; line = next) {
    next = strchr(line, '\n');
    if (next)
      *next++ = '\0';
    s.line++;
    if (line[0] == ';')
      obey(&s, line);
  }
  check_log(&s);
  if (s.n_runs == 0)
    fail_msg("%s runs nothing", path);
  fixture_free(s.fixture);
  free(text);
}

static struct jit *new_jit(const char *cache) {
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = cache}, &error);
  if (!jit)
    fail_msg("%s", error);
  return jit;
}

static void test_files(void **state) {
  (void)state;
  unsigned counts[IR_N_OPS] = {0}, n = 0;
  struct jit *jit = new_jit("");
  DIR *folder = opendir(FOLDER);
  assert_non_null(folder);
  for (struct dirent *file; (file = readdir(folder));) {
    const char *dot = strrchr(file->d_name, '.');
    if (!dot || strcmp(dot, ".ir") != 0)
      continue;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", FOLDER, file->d_name);
    check_file(jit, path, counts);
    n++;
  }
  closedir(folder);
  jit_free(jit);
  assert_true(n >= 8);
  for (int op = 0; op < IR_FIRST_TENSOR_OP; op++)
    if (counts[op] == 0)
      fail_msg("no file of " FOLDER " runs %s", ir_op_infos[op].name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_files),
  };
  return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}

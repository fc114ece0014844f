// The text form: what is printed is what was read, for a corpus that has every operation.
#include "tests/ir/ir_testing.h"

#define CORPUS "tests/ir/corpus"

// The file without comments, trailing blanks and empty lines: what the printer must give, since the files of
// the corpus are written in its order.
static char *without_comments(const char *text) {
  char *result = calloc(1, strlen(text) + 2), *to = result;
  while (*text) {
    size_t length = strcspn(text, "\n"), keep = strcspn(text, ";\n");
    while (keep > 0 && text[keep - 1] == ' ')
      keep--;
    memcpy(to, text, keep);
    to += keep;
    if (keep)
      *to++ = '\n';
    text += length + (text[length] == '\n');
  }
  return result;
}

static void check_round_trip(const char *path) {
  char *text = read_text(path), *expected = without_comments(text);
  struct ir_module *module = parse_text(path, text);
  char *printed = ir_print(module), *stripped = without_comments(printed);
  assert_string_equal(stripped, expected);

  struct ir_module *again = parse_text(path, printed);
  char *reprinted = ir_print(again);
  assert_string_equal(reprinted, printed);

  char *error = NULL;
  if (!ir_verify(module, &error))
    fail_msg("%s: %s", path, error);
  ir_module_free(module);
  ir_module_free(again);
  free(text);
  free(expected);
  free(printed);
  free(stripped);
  free(reprinted);
}

static void test_corpus_round_trip(void **state) {
  (void)state;
  assert_true(for_each_file(CORPUS, ".ir", check_round_trip) >= 3);
}

static bool seen[IR_N_OPS];  // of this test program alone

static void mark(const struct ir_instr *instr) {
  for (; instr; instr = instr->next)
    seen[instr->op] = true;
}

static void collect_operations(const char *path) {
  char *text = read_text(path);
  struct ir_module *module = parse_text(path, text);
  for (uint32_t f = 0; f < module->n_functions; f++)
    for (const struct ir_bb *bb = module->functions[f]->entry; bb; bb = bb->next)
      mark(bb->first);
  for (uint32_t b = 0; b < module->n_blocks; b++) {
    mark(module->blocks[b]->first);
    if (module->blocks[b]->adjoint)
      mark(module->blocks[b]->adjoint->first);
  }
  ir_module_free(module);
  free(text);
}

static void test_corpus_has_every_operation(void **state) {
  (void)state;
  for_each_file(CORPUS, ".ir", collect_operations);
  for (int op = 0; op < IR_N_OPS; op++)
    if (!seen[op])
      fail_msg("no file of " CORPUS " has the operation %s", ir_op_infos[op].name);
}

// Text that the parser must refuse, and what it says.
static const struct {
  const char *text, *error;
} refused[] = {
    {"", "1:1: expected `module`, found the end"},
    {"modul x", "1:1: expected `module`, found `modul`"},
    {"module x\nfrobnicate", "2:1: expected a declaration, found `frobnicate`"},
    {"module x\ndim D = E", "2:9: there is no size `E`"},
    {"module x\ndim D = D", "2:9: there is no size `D`"},
    {"module x\ndim D = 1\nvocab D", "3:7: `D` is defined twice"},
    {"module x\ndim D = 9223372036854775808", "2:9: `9223372036854775808` is out of range"},
    {"module x\ndim D = 9223372036854775807*2", "2:30: the size is out of range"},
    {"module x\ndata T = A(x: f32[Q])", "2:19: there is no size `Q`"},
    {"module x\ndata T = A(x: U)", "2:15: there is no type `U`"},
    {"module x\ndata T = A(x: f32[1, 2, 3, 4, 5])", "2:31: more than 4 sizes"},
    {"module x\nparam @p : f32 = magic", "2:18: expected an initialiser, found `magic`"},
    {"module x\nparam @p : f32 = normal 1e999", "2:25: `1e999` is out of range"},
    {"module x\nparam @p : f32 = zeros\nparam @p : f32 = zeros", "3:7: `p` is defined twice"},
    {"module x\nentry e() -> int = @f", "2:20: there is no function @f"},
    {"module \"a", "1:8: a quoted name has no end"},
    {"module \"\\q\"", "1:8: an escape that is not \\\", \\\\ or \\xHH"},
    {"module x\nhost @f() -> () {\n^0:\n  %0 = nonsense : int\n}", "4:8: expected an operation"},
    {"module x\nhost @f() -> () {\n^0:\n  %0 = ineg %1 : int\n  return\n}", "4:13: %1 is not defined"},
    {"module x\nhost @f() -> () {\n^0:\n  br ^7\n}", "4:6: ^7 is not defined"},
    {"module x\nhost @f() -> () {\n^0:\n  br ^0\n^0:\n  return\n}", "5:1: ^0 is defined twice"},
    {"module x\nhost @f(%0: int) -> () {\n^0:\n  %0 = ineg %0 : int\n}", "4:3: %0 is defined twice"},
    {"module x\nhost @f(%4194304: int) -> () {\n", "2:9: numbers go up to 4194303"},
    {"module x\nhost @f() -> () {\n^0:\n  call @g\n}", "4:8: there is no function @g"},
    {"module x\nhost @f() -> () {\n^0:\n  return !0:1:1\n}", "4:11: there is no file 0"},
    {"module x\nhost @f() -> () {\n^0:\n  return", "4:9: expected an instruction or `}`, found the end"},
    {"module x\nhost @f() -> () {\n}\nhost @f() -> () {\n}", "4:6: `f` is defined twice"},
    {"module x\nhost @f(%0: int) -> () {\n^0:\n  %1 = data.tag %0 : int\n  return\n}",
     "4:17: data.tag needs a data value"},
    {"module x\ndata T = A()\nhost @f(%0: T) -> () {\n^0:\n  %1 = data.new B : T\n  return\n}",
     "5:17: T has no constructor `B`"},
    {"module x\nblock @b(%0: f32) -> (f32[3]) {\n  return %0\n}",
     "2:7: the types of block @b are not those of what it returns"},
    {"module x\nblock @b(%0: f32) -> (f32) results 2 {\n  return %0\n}",
     "2:7: block @b has more results than outputs"},
    {"module x\nadjoint @b() saved () grad () {\n}", "2:9: there is no block @b"},
    {"module x\nblock @b() -> () {\n}\nadjoint @b() saved () grad () {\n}\nadjoint @b() saved () grad () "
     "{\n}",
     "6:9: block @b has two adjoints"},
};

static void test_parser_messages(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    char *error = NULL;
    struct ir_module *module = ir_parse(refused[i].text, strlen(refused[i].text), &error);
    if (module)
      fail_msg("accepted: %s", refused[i].text);
    assert_string_equal(error, refused[i].error);
    free(error);
  }
}

static void test_nesting_is_limited(void **state) {
  (void)state;
  enum { DEPTH = 200000 };
  char *text = malloc(DEPTH + 64);
  int n = sprintf(text, "module x\ndata T = A(x: ");
  memset(text + n, '[', DEPTH);
  char *error = NULL;
  assert_null(ir_parse(text, (size_t)n + DEPTH, &error));
  assert_non_null(strstr(error, "the type is nested too deep"));
  free(error);
  free(text);
}

// Cuts every file of the corpus at every byte, and changes every byte: the parser must survive, and whatever
// it accepts must print and parse back and not crash the verifier.
static void survive(const char *text, size_t length) {
  char *error = NULL;
  struct ir_module *module = ir_parse(text, length, &error);
  if (!module) {
    assert_non_null(error);
    free(error);
    return;
  }
  if (!ir_verify(module, &error))
    free(error);
  char *printed = ir_print(module);
  struct ir_module *again = parse_text("reprinted", printed);
  char *reprinted = ir_print(again);
  assert_string_equal(reprinted, printed);
  free(printed);
  free(reprinted);
  ir_module_free(module);
  ir_module_free(again);
}

static void damage(const char *path) {
  static const char replacements[] = "%^@0(\n ";
  char *text = read_text(path);
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i += 3) {
    survive(text, i);
    char old = text[i];
    text[i] = replacements[i % (sizeof replacements - 1)];
    survive(text, length);
    text[i] = old;
  }
  free(text);
}

static void test_damaged_text(void **state) {
  (void)state;
  for_each_file(CORPUS, ".ir", damage);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_corpus_round_trip), cmocka_unit_test(test_corpus_has_every_operation),
      cmocka_unit_test(test_parser_messages),   cmocka_unit_test(test_nesting_is_limited),
      cmocka_unit_test(test_damaged_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

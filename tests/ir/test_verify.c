// The verifier: one module per rule that breaks this rule only, and what is said about it.
#include "tests/ir/ir_testing.h"

#include "compiler/base/arena.h"
#include "compiler/ir/ir_builder.h"

static const char prelude[] = "module m\n"
                              "dim N = 4\n"
                              "dim K = 3\n"
                              "vocab Word\n"
                              "enum Act Go Stop\n"
                              "data Tree = Leaf(word: Word) | Node(left: Tree, (int, f32[N]))\n"
                              "data Other = Other(x: int)\n"
                              "param @W : f32[N, K] = glorot\n"
                              "param @E : f32[Word, K] = glorot\n"
                              "param @F.* : f32[N, K] count 2 = glorot\n";

struct rejection {
  const char *text, *error;
};

static void expect_rejections(const char *before, const char *after, const struct rejection *cases,
                              size_t n) {
  for (size_t i = 0; i < n; i++) {
    char *text = NULL, *error = NULL;
    assert_true(asprintf(&text, "%s%s%s%s", prelude, before, cases[i].text, after) > 0);
    struct ir_module *module = parse_text(cases[i].text, text);
    if (ir_verify(module, &error))
      fail_msg("accepted, instead of `%s`:\n%s", cases[i].error, cases[i].text);
    if (!strstr(error, cases[i].error))
      fail_msg("`%s` was to say `%s`", error, cases[i].error);
    free(error);
    ir_module_free(module);
    free(text);
  }
}

#define EXPECT_REJECTIONS(before, after, cases)                                                              \
  expect_rejections((before), (after), (cases), sizeof(cases) / sizeof *(cases))

// ------------------------------------------------------------------------------------------ tables

static void test_tables(void **state) {
  (void)state;
  static const struct rejection cases[] = {
      {"dim A = 9223372036854775807\ndim B = 2*A\n", "size 2*A does not fit 64 bits"},
      {"dim A = K - N\n", "dim A: its value -1 is below 1"},
      {"dim A = 0\n", "dim A: its value 0 is below 1"},
      {"param @p : f32[0] = zeros\n", "the size 0 is below 1"},
      {"param @p : f32[-1] = zeros\n", "the size -1 is below 1"},
      {"param @p : int = zeros\n", "param @p: int is no tensor"},
      {"param @p : f32[N] = identity\n", "param @p: only a matrix can be the identity"},
      {"param @p.* : f32[N] = zeros\n", "param @p.*: 1 `*` in the name, but 0 counts"},
      {"param @p : f32[N] count 2 = zeros\n", "param @p: 0 `*` in the name, but 1 counts"},
      {"data D = A() | A(x: int)\n", "two constructors of D are called `A`"},
      {"data D = A(x: N)\n", "an index of something that is no vocab or enum"},
      {"host @f(%0: (int, int)) -> () {\n^0:\n  return\n}\n", "the tuple (int, int) is not flattened"},
      {"host @f() -> ((int)) {\n^0:\n  return\n}\n", "the tuple (int) is not flattened"},
      {"host @f(%0: int, %1: bool) -> () {\n^0:\n  print %0 0 \"\\x01\"\n  print %1 0 \"\\x01\"\n  "
       "return\n}\n",
       "another print has the number 0"},
      {"host @f(%0: int) -> () {\n^0:\n  print %0 0 \"no place\"\n  return\n}\n",
       "its text has 0 values and not 1"},
  };
  EXPECT_REJECTIONS("", "", cases);
}

static void test_entries(void **state) {
  (void)state;
  static const struct rejection cases[] = {
      {"entry e(x: int) -> int = @f\n", "entry e: its parameters are not those of @f"},
      {"entry e(x: int, y: Word, z: int) -> int = @f\n", "entry e: its parameters are not those of @f"},
      {"entry e(int, y: Word) -> int = @f\n", "entry e: a parameter has no name"},
      {"entry e(x: int, y: Word) -> bool = @f\n", "entry e: its result is not that of @f"},
      {"entry e(p: (int, f32)) -> f32 = @t\n", "entry e: its parameters are not those of @t"},
      {"metric e(x: int, y: Word) -> int = @f\n", "metric e gives no numerator and denominator"},
      {"entry e(x: int, y: Word) -> int = @f\nmetric e(x: int, y: Word) -> int = @f\n",
       "two entries are called `e`"},
  };
  EXPECT_REJECTIONS("host @f(%0: int, %1: Word) -> (int) {\n^0:\n  return %0\n}\n"
                    "host @t(%0: int, %1: f32) -> (f32) {\n^0:\n  return %1\n}\n",
                    "", cases);
}

// --------------------------------------------------------------------------------------- functions

static void test_structure(void **state) {
  (void)state;
  static const struct rejection cases[] = {
      {"", "host @f: it has no basic block"},
      {"^0(%1: int):\n  return %0\n", "the entry ^0 has parameters"},
      {"^0:\n  %1 = ineg %0 : int\n", "^0 does not end in a terminator"},
      {"^0:\n  br ^1\n^1:\n", "^1 does not end in a terminator"},
      {"^0:\n  return %0\n  return %0\n", "a terminator within ^0"},
      {"^0:\n  br ^1\n^1:\n  br ^0\n", "the entry ^0 is no target"},
      {"^0:\n  br ^1(%0)\n^1:\n  return %0\n", "^1 takes 0 values, not 1"},
      {"^0:\n  br ^1(%0)\n^1(%1: float):\n  return %0\n", "%0 is int, but ^1 takes float"},
      {"^0:\n  br ^1, ^1\n^1:\n  return %0\n", "br cannot have 2 targets"},
      {"^0:\n  %1 = const.bool 1 : bool\n  brif %1 ^1\n^1:\n  return %0\n", "brif cannot have 1 targets"},
      {"^0:\n  switch %0\n", "switch cannot have 0 targets"},
      {"^0:\n  return %0 ^1\n^1:\n  return %0\n", "return cannot have 1 targets"},
      {"^0:\n  %1 = ineg %0 ^1 : int\n  return %0\n^1:\n  return %0\n", "ineg cannot have 1 targets"},
  };
  EXPECT_REJECTIONS("host @f(%0: int) -> (int) {\n", "}\n", cases);
}

static void test_dominance(void **state) {
  (void)state;
  static const struct rejection cases[] = {
      {"^0:\n  %2 = ineg %3 : int\n  %3 = ineg %0 : int\n  return %2\n",
       "`%2 = ineg %3 : int`: %3 does not reach"},
      {"^0:\n  %2 = iadd %2, %0 : int\n  return %2\n", "%2 does not reach this use"},
      // a value of one branch, used after the join and in the other branch
      {"^0:\n  brif %1 ^1, ^2\n^1:\n  %2 = ineg %0 : int\n  br ^3\n^2:\n  br ^3\n^3:\n  return %2\n",
       "`return %2`: %2 does not reach this use"},
      {"^0:\n  brif %1 ^1, ^2\n^1:\n  %2 = ineg %0 : int\n  return %2\n^2:\n  return %2\n",
       "%2 does not reach"},
      {"^0:\n  brif %1 ^1, ^2\n^1:\n  br ^3(%0)\n^2:\n  br ^4\n^3(%2: int):\n  br ^4\n^4:\n  return %2\n",
       "%2 does not reach"},
      // the body of a loop does not dominate what follows it
      {"^0:\n  br ^1\n^1:\n  brif %1 ^2, ^3\n^2:\n  %2 = ineg %0 : int\n  br ^1\n^3:\n  return %2\n",
       "%2 does not reach"},
      // an argument of an edge is a use at the edge's source
      {"^0:\n  brif %1 ^1, ^2(%2)\n^1:\n  %2 = ineg %0 : int\n  br ^2(%2)\n^2(%3: int):\n  return %3\n",
       "%2 does not reach"},
      // defined where control never comes
      {"^0:\n  return %2\n^1:\n  %2 = ineg %0 : int\n  br ^1\n", "%2 does not reach"},
  };
  EXPECT_REJECTIONS("host @f(%0: int, %1: bool) -> (int) {\n", "}\n", cases);

  // The same shapes used rightly; what is not reachable may use anything.
  static const char *const accepted[] = {
      "^0:\n  %2 = ineg %0 : int\n  brif %1 ^1, ^2\n^2:\n  br ^3(%2)\n^1:\n  br ^3(%0)\n^3(%3: int):\n  %4 = "
      "iadd %2, %3 : int\n"
      "  return %4\n",
      "^0:\n  br ^1(%0)\n^1(%2: int):\n  %3 = ineg %2 : int\n  brif %1 ^2, ^3\n^3:\n  return %3\n^2:\n  br "
      "^1(%3)\n",
      "^0:\n  br ^2\n^1:\n  return %2\n^2:\n  %2 = ineg %0 : int\n  br ^1\n",
      "^0:\n  return %0\n^1:\n  %2 = ineg %3 : int\n  br ^2\n^2:\n  %3 = ineg %2 : int\n  br ^1\n",
      // irreducible: two entries into a loop
      "^0:\n  %2 = ineg %0 : int\n  brif %1 ^1, ^2\n^1:\n  brif %1 ^2, ^3\n^2:\n  brif %1 ^1, ^3\n^3:\n  "
      "return %2\n",
  };
  for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
    char *text = NULL, *error = NULL;
    assert_true(asprintf(&text, "module m\nhost @f(%%0: int, %%1: bool) -> (int) {\n%s}\n", accepted[i]) > 0);
    struct ir_module *module = parse_text(accepted[i], text);
    if (!ir_verify(module, &error))
      fail_msg("%s\n%s", error, accepted[i]);
    ir_module_free(module);
    free(text);
  }
}

// Reading a value of a data type as one of its constructors. @f reads what `cases` say of %0, @g is alike for
// a type whose constructors share their first slot.
static void test_tags(void **state) {
  (void)state;
#define TAG "  %2 = data.tag %0 : int\n"
#define WORD "  %3 = data.get Leaf %0 slot 0 : Word\n  return %3\n"
#define INT "  %4 = data.get Node %0 slot 1 : int\n"
#define OWN "  return %1\n"
  static const char unproven[] = "no branch on the tag of %0 shows that it is a Leaf";
  static const struct rejection cases[] = {
      {"^0:\n" WORD, unproven},
      // the targets exchanged
      {"^0:\n" TAG "  switch %2 ^2, ^1\n^1:\n" WORD "^2:\n" OWN, unproven},
      {"^0:\n" TAG "  switch %2 ^1, ^2\n^1:\n" INT OWN "^2:\n" OWN, "shows that it is a Node"},
      // the only target, and one that both take
      {"^0:\n" TAG "  switch %2 ^1\n^1:\n" WORD, unproven},
      {"^0:\n" TAG "  switch %2 ^1, ^1\n^1:\n" WORD, unproven},
      // another way in: from elsewhere, round a loop, by a branch on the tag of another value
      {"^0:\n" TAG "  switch %2 ^1, ^2\n^1:\n" WORD "^2:\n  br ^1\n", unproven},
      {"^0:\n" TAG "  switch %2 ^3, ^2\n^3:\n  br ^1\n^1:\n" WORD "^2:\n  br ^1\n", unproven},
      {"^0:\n  %6 = call @make : Tree\n  %2 = data.tag %6 : int\n  switch %2 ^1, ^2\n^1:\n" WORD "^2:\n" OWN,
       unproven},
      // a switch on something else than the tag
      {"^0:\n" TAG "  %5 = ineg %2 : int\n  switch %5 ^1, ^2\n^1:\n" WORD "^2:\n" OWN, unproven},
      // made as another one
      {"^0:\n  %6 = data.new Leaf %1 : Tree\n  %4 = data.get Node %6 slot 1 : int\n" OWN,
       "no branch on the tag of %6 shows that it is a Node"},
      // proven of one parameter of a basic block, read from the next one
      {"^0:\n" TAG "  switch %2 ^1(%0), ^2\n^1(%6: Tree):\n  %3 = data.get Leaf %6 slot 0 : Word\n"
       "  return %3\n^2:\n" OWN,
       "no branch on the tag of %6"},
  };
  static const char after[] = "}\nhost @make() -> (Tree) {\n^0:\n  %0 = call @make : Tree\n  return %0\n}\n";
  EXPECT_REJECTIONS("host @f(%0: Tree, %1: Word) -> (Word) {\n", after, cases);

  static const char *const accepted[] = {
      "^0:\n" TAG "  switch %2 ^1, ^2\n^1:\n" WORD "^2:\n" INT OWN,
      // deeper, with a join and a loop below the branch
      "^0:\n" TAG "  switch %2 ^1, ^2\n^2:\n" OWN "^1:\n  %5 = const.bool 1 : bool\n  brif %5 ^3, ^4\n^3:\n"
      "  br ^4\n^4:\n  brif %5 ^3, ^5\n^5:\n" WORD,
      // one data type, two branches on it; the second is never reached with another tag
      "^0:\n" TAG "  switch %2 ^1, ^2\n^2:\n" OWN
      "^1:\n  %5 = data.tag %0 : int\n  switch %5 ^3, ^4\n^3:\n" WORD "^4:\n" OWN,
      // targets that no value takes say nothing
      "^0:\n" TAG "  switch %2 ^1, ^2, ^1\n^1:\n" WORD "^2:\n" INT OWN,
      // made here
      "^0:\n  %6 = data.new Leaf %1 : Tree\n  %3 = data.get Leaf %6 slot 0 : Word\n  return %3\n",
      // the only constructor
      "^0:\n  %5 = const.int 1 : int\n  %6 = call @other : Other\n  %3 = data.get Other %6 slot 0 : "
      "int\n" OWN,
      // not reachable
      "^0:\n" OWN "^1:\n" WORD,
  };
  for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
    char *text = NULL, *error = NULL;
    assert_true(asprintf(&text,
                         "%shost @f(%%0: Tree, %%1: Word) -> (Word) {\n%s%shost @other() -> (Other) {\n^0:\n"
                         "  %%0 = call @other : Other\n  return %%0\n}\n",
                         prelude, accepted[i], after) > 0);
    struct ir_module *module = parse_text(accepted[i], text);
    if (!ir_verify(module, &error))
      fail_msg("%s\n%s", error, accepted[i]);
    ir_module_free(module);
    free(text);
  }
#undef TAG
#undef WORD
#undef INT
#undef OWN
}

// A slot that every constructor has, with one type, can be read without a branch; any other cannot.
static void test_common_slots(void **state) {
  (void)state;
  static const struct {
    const char *get;
    bool accepted;
  } cases[] = {
      {"%1 = data.get A %0 slot 0 : int", true},
      {"%1 = data.get B %0 slot 0 : int", true},
      {"%1 = data.get C %0 slot 2 : int", true},
      {"%1 = data.get A %0 slot 3 : int", false},   // C has no fourth slot
      {"%2 = data.get A %0 slot 1 : Word", false},  // B has an int there
      {"%1 = data.get B %0 slot 1 : int", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *text = NULL, *error = NULL;
    assert_true(asprintf(&text,
                         "module m\nvocab Word\n"
                         "data D = A(int, Word, int, int) | B((int, int), int, int) | C(int, Word, int)\n"
                         "host @f(%%0: D) -> () {\n^0:\n  %s\n  return\n}\n",
                         cases[i].get) > 0);
    struct ir_module *module = parse_text(cases[i].get, text);
    bool valid = ir_verify(module, &error);
    if (valid != cases[i].accepted)
      fail_msg("%s: %s", cases[i].get, valid ? "accepted" : error);
    free(error);
    ir_module_free(module);
    free(text);
  }
}

// --------------------------------------------------------------------------------- host operations

static void test_host_operations(void **state) {
  (void)state;
  static const struct rejection cases[] = {
      {"%20 = iadd %0 : int", "2 operands, not 1"},
      {"%20 = iadd %0, %1 : int", "operand 1 cannot be bool"},
      {"%20 = iadd %0, %0 : float", "result 0 cannot be float"},
      {"iadd %0, %0", "1 results, not 0"},
      {"%20 = fadd %0, %0 : float", "operand 0 cannot be int"},
      {"%20 = ieq %0, %1 : bool", "int and bool should be the same"},
      {"%20 = ieq %3, %4 : bool", "Word and Act should be the same"},
      {"%20 = ilt %3, %3 : bool", "operand 0 cannot be Word"},
      {"%20 = const.bool 2 : bool", "a bool is 0 or 1"},
      {"%20 = const.index 2 : Act", "Act has no member 2"},
      {"%20 = const.index -1 : Word", "Word has no member -1"},
      {"%20 = const.index 0 : int", "result 0 cannot be int"},
      {"%20 = index_to_int %0 : int", "operand 0 cannot be int"},
      {"%20 = data.new Leaf %4 : Tree", "operand 0 is Word, not Act"},
      {"%20 = data.new Node %5, %0 : Tree", "3 operands, not 2"},
      {"%20 = data.get Leaf %5 slot 1 : Word", "Leaf has no slot 1"},
      {"%20 = data.get Node %5 slot 1 : f32[N]", "result 0 is int, not f32[N]"},
      {"%20 = data.get Node %5 slot 2 : f32[K]", "result 0 is f32[N], not f32[K]"},
      {"%20 = list.new %0, %0 count 1 : [int]", "1 elements of 1 slots are not 2 operands"},
      {"%20 = list.new %0, %1 count 2 : [int]", "operand 0 is int, not bool"},
      {"%20 = list.get %6, %1 : int", "operand 1 cannot be bool"},
      {"%20 = list.get %6, %0 : float", "result 0 is int, not float"},
      {"%20 = list.get %7, %0 : int", "2 results, not 1"},
      {"%20 = list.set %6, %0, %2 : [int]", "element's slot 0 is int, not float"},
      {"%20 = list.push %6 : [int]", "1 element's slots, not 0"},
      {"%20 = list.push %6, %0 : [float]", "[int] and [float] should be the same"},
      {"%20 = list.pop %6 : [float]", "[int] and [float] should be the same"},
      {"%20 = text.len %1 : int", "operand 0 cannot be "},
      {"%20 = const.text \"a\" : int", "result 0 cannot be int"},
      {"%20 = const.text \"a\" : text\n  %21 = text.map %20 6 : text", "there is no map 6"},
      {"%20 = const.text \"a\" : text\n  %21 = text.join %6, %20 : text", "[int] is no list of texts"},
      {"%20 = const.text \"a\" : text\n  %21 = text.split %20, %20 : [int]", "[int] is no list of texts"},
      {"%20 = const.text \"a\" : text\n  %21 = text.to %20 : bool", "result 0 cannot be bool"},
      {"%20 = text.of %6 : text", "operand 0 cannot be [int]"},
      {"%20 = list.concat %6, %7 : [int]", "[int] and [(int, Word)] should be the same"},
      {"%20 = list.zip %6, %6 : [(int, bool)]", "[(int, int)] and [(int, bool)] should be the same"},
      {"%20 = list.sum %6 : f32", "int and f32 should be the same"},
      {"list.mean %6", "int is no tensor"},
      {"%20 = list.sum %9 : f32[K]", "f32[N] and f32[K] should be the same"},
      {"%20 = list.vector %6 length 3 : f32[3]", "a list of int cannot be made a tensor"},
      {"%20 = list.stack %6 length 3 : f32[3]", "a list of int cannot be made a tensor"},
      {"%20 = list.stack %9 length 3 : f32[3]", "result 0 cannot be f32[3]"},
      {"%20 = list.stack %9 length 3 : f32[3, K]", "f32[3, K] is no stack of f32[N]"},
      {"%20 = list.stack %9 length 3 : f32[4, N]", "the length does not agree with f32[4, N]"},
      {"%19 = list.new %2 count 1 : [float]\n  %20 = list.vector %19 length 2 : f32[2, N]",
       "the length does not agree with f32[2, N]"},
      {"%19 = list.new %2 count 1 : [float]\n  %20 = list.vector %19 length 1 : f32",
       "result 0 cannot be f32"},
      {"%20 = acc.of %8 : acc[K]", "the shapes of f32[N] and acc[K] differ"},
      {"%20 = acc.sum %8 : f32[N]", "operand 0 cannot be f32[N]"},
      {"%20 = read.value %8 : float", "operand 0 cannot be f32[N]"},
      {"%20 = call @g %1 : int", "operand 0 is int, not bool"},
      {"%20 = call @g : int", "1 operands, not 0"},
      {"%20 = call @g %0 : bool", "result 0 is int, not bool"},
      {"call @g %0", "1 results, not 0"},
      {"%20 = emit @b %0 : f32[N]", "operand 0 is f32[N], not int"},
      {"%20, %21 = emit @b %8 : f32[N], f32", "1 results, not 2"},
      {"return %1\n^5:", "result 0 is int, not bool"},
      {"return\n^5:", "1 results, not 0"},
  };
  EXPECT_REJECTIONS(
      "block @b(%0: f32[N]) -> (f32[N], f32) results 1 {\n  %1 = sum %0 : f32\n  return %0, %1\n}\n"
      "host @g(%0: int) -> (int) {\n^0:\n  return %0\n}\n"
      "host @f(%0: int, %1: bool, %2: float, %3: Word, %4: Act, %5: Tree, %6: [int], %7: [(int, Word)], "
      "%8: f32[N], %9: [f32[N]]) -> (int) {\n^0:\n  br ^1\n^1:\n  ",
      "\n  br ^2\n^2:\n  return %0\n}\n", cases);
}

// ------------------------------------------------------------------------------- tensor operations

static void test_tensor_operations(void **state) {
  (void)state;
  static const struct rejection cases[] = {
      {"%20 = add %0, %1 : f32[N]", "add: shapes f32[N] and f32[K] differ"},
      {"%20 = add %0, %2 : f32[N, K]", "add: shapes f32[N] and f32[N, K] differ"},
      {"%20 = add %0, %3 : f32", "the result is f32[N]"},
      {"%20 = add %0 : f32[N]", "2 operands, not 1"},
      {"%20 = add %0, %5 : f32[N]", "operand 1 is no tensor"},
      {"%20 = exp %0 : int", "the result is one tensor"},
      {"exp %0", "the result is one tensor"},
      {"%20 = matmul %2, %0 : f32[N]", "matmul: inner sizes of f32[N, K] and f32[N] differ: K and N"},
      {"%20 = matmul %2, %2 : f32[N, K]", "inner sizes of f32[N, K] and f32[N, K] differ"},
      {"%20 = matmul %2, %0 transpose_a : f32[N]", "the result is f32[K]"},
      {"%20 = matmul %0, %0 : f32", "one side must be a matrix"},
      {"%20 = matmul %0, %2 transpose_a : f32[K]", "a vector is never transposed"},
      {"%20 = sum %2 dim 2 : f32[N]", "sum: f32[N, K] has no dim 2"},
      {"%20 = sum %2 dim 1 : f32[K]", "the result is f32[N]"},
      {"%20 = softmax %2 : f32[N, K]", "softmax: a vector is needed, not f32[N, K]"},
      {"%20 = broadcast %0 dim 0 : f32[N, K]", "f32[N] does not go with f32[N, K]"},
      {"%20 = outer %0, %2 : f32[N, K]", "outer: a vector is needed, not f32[N, K]"},
      {"%20 = dot %0, %1 : f32", "dot: shapes f32[N] and f32[K] differ"},
      {"%20 = pick %2, %5 : f32", "pick: a vector is needed, not f32[N, K]"},
      {"%20 = argmax %3 : f32", "argmax: a vector is needed, not f32"},
      {"%20 = softmax %2 : f32[N, K]", "softmax: a vector is needed"},
      {"%20 = concat %3 : f32", "a tensor with dimensions is needed, not f32"},
      {"%20 = concat %0, %2 : f32[N]", "f32[N] and f32[N, K] cannot be joined"},
      {"%20 = concat : f32[N]", "1 operands, not 0"},
      {"%20 = slice %0 offset N length 1 : f32[1]", "offset N, length 1 do not lie in f32[N]"},
      {"%20 = slice %0 offset -1 length 1 : f32[1]", "offset -1, length 1 do not lie in f32[N]"},
      {"%20 = slice %3 offset 0 length 1 : f32[1]", "a tensor with dimensions is needed, not f32"},
      {"%20 = slice %2 offset 0 length 1 dim 2 : f32[N, 1]", "f32[N, K] has no dim 2"},
      {"%20 = concat %2, %2 dim 2 : f32[N, K]", "f32[N, K] has no dim 2"},
      {"%20 = concat %2, %2 dim 1 : f32[2*N, K]", "the result is f32[N, 2*K]"},
      {"%20 = pad %2 offset 1 dim 1 : f32[N, K]", "f32[N, K] at 1 does not lie in f32[N, K]"},
      {"%20 = pad %2 offset 1 dim 1 : f32[2*N, K]", "f32[N, K] does not go with f32[2*N, K]"},
      {"%20 = pad %2 offset 1 dim 3 : f32[N, K]", "f32[N, K] does not go with f32[N, K]"},
      {"%20 = broadcast %2 dim 0 : f32[2, N, K]\n  %21 = matmul %20, %2 : f32[2, N, K]",
       "inner sizes of f32[2, N, K] and f32[N, K] differ: K and N"},
      {"%20 = broadcast %2 dim 0 : f32[2, N, K]\n  %21 = broadcast %2 dim 0 : f32[3, N, K]\n"
       "  %22 = matmul %20, %21 transpose_b : f32[2, N, N]",
       "leading sizes 2 and 3 differ"},
      {"%20 = broadcast %2 dim 0 : f32[2, N, K]\n  %21 = matmul %20, %2 transpose_b : f32[2, N, K]",
       "the result is f32[2, N, N]"},
      {"%20 = broadcast %2 dim 0 : f32[2, N, K]\n  %21 = matmul %20, %1 : f32[2, N]", "one side must be"},
      {"%20 = permute %2 order 0 0 : f32[N, N]", "the order is none of the dimensions of f32[N, K]"},
      {"%20 = permute %2 order 1 2 : f32[K, N]", "the order is none of the dimensions of f32[N, K]"},
      {"%20 = permute %2 order 1 : f32[K, N]", "the order is none of the dimensions of f32[N, K]"},
      {"%20 = permute %2 order 0 1 2 : f32[N, K]", "the order is none of the dimensions of f32[N, K]"},
      {"%20 = permute %2 order 1 0 : f32[N, K]", "the result is f32[K, N]"},
      {"%20 = reshape %2 : f32[N, N]", "f32[N, K] does not go with f32[N, N]"},
      {"%20 = add %2, %0 : f32[N, K]", "shapes f32[N, K] and f32[N] differ"},
      {"%20 = transpose %0 : f32[N]", "transpose: a matrix is needed, not f32[N]"},
      {"%20 = lookup %0, %5 : f32", "lookup: a tensor of two dimensions or more is needed, not f32[N]"},
      {"%20 = broadcast %0 : f32[N, K]", "f32[N] is no scalar"},
      {"%20 = pad %0 offset 0 : f32[N, K]", "f32[N] does not go with f32[N, K]"},
      {"%20 = pad %0 offset 1 : f32[N]", "f32[N] at 1 does not lie in f32[N]"},
      {"%20 = take %0, %5 : f32", "take: a tensor of two dimensions or more is needed"},
      {"%20 = take %2, %5 dim 1 : f32[K]", "the result is f32[N]"},
      {"%20 = take %2, %5 dim 2 : f32[N]", "f32[N, K] has no dim 2"},
      {"%20 = window %2, %5 length 2 dim 1 : f32[N, K]", "the result is f32[N, 2]"},
      {"%20 = window %2, %5 length N + 1 : f32[N + 1, K]", "length N + 1 does not lie in f32[N, K]"},
      {"%20 = put %0, %5 dim 2 : f32[N, K]", "f32[N] does not go with f32[N, K]"},
      {"%20 = put %0, %5 : f32[N, K]", "f32[N] does not go with f32[N, K]"},
      {"%20 = param @W : f32[K, N]", "f32[N, K] and f32[K, N] should be the same"},
      {"%20 = param @W %5 : f32[N, K]", "0 operands, not 1"},
      {"%20 = param @F.* : f32[N, K]", "1 operands, not 0"},
      {"%20 = param @F.* %6 : f32[N, K]", "the member of the family @F.* is no int"},
      {"%20 = scalar %5 : f32", "operand 0 is no float"},
      {"%20 = onehot %5 : f32[N, K]", "the result is no vector"},
      {"%20 = onehot %5 : f32", "the result is no vector"},
      {"%20 = dropout %0 p 1 site 0 : f32[N]", "p lies in [0, 1)"},
      {"%20 = dropout %0 p nan site 0 : f32[N]", "p lies in [0, 1)"},
      // the index is of the set that the size is, otherwise an int
      {"%20 = pick %0, %6 : f32", "the index is int, not Word"},
      {"%20 = nll %4, %5 : f32", "the index is Word, not int"},
      {"%20 = onehot %7 : f32[Word]", "the index is Word, not Act"},
      {"%20 = onehot %6 : f32[2*Word]", "the index is int, not Word"},
      {"%20 = pick %0, %3 : f32", "the index is int, not f32"},
      // only in an adjoint
      {"d_param @W %2", "only an adjoint hands on gradients"},
      {"%20 = ineg %5 : int", "a host operation in a block"},
      {"%20 = exp %21 : f32[N]\n  %21 = exp %0 : f32[N]", "%21 does not reach this use"},
      {"%20 = exp %20 : f32[N]", "%20 does not reach this use"},
  };
  EXPECT_REJECTIONS("block @b(%0: f32[N], %1: f32[K], %2: f32[N, K], %3: f32, %4: f32[Word], %5: int, %6: "
                    "Word, %7: Act) -> () {\n"
                    "  ",
                    "\n}\n", cases);
}

static void test_blocks(void **state) {
  (void)state;
  static const struct rejection cases[] = {
      {"block @b(%0: Tree) -> () {\n}\n",
       "a block takes tensors, lists of them, indices, ints and floats, not Tree"},
      {"block @b(%0: bool) -> () {\n}\n",
       "a block takes tensors, lists of them, indices, ints and floats, not bool"},
      {"block @b(%0: [[f32[N]]]) -> () {\n}\n", "a block takes tensors, lists of them, indices"},
      {"block @b(%0: [f32[N]]) -> (f32[N, N]) {\n  %1 = stack %0 : f32[N, N]\n  return %1\n}\n",
       "f32[N, N] is no stack of f32[N]"},
      {"block @b(%0: [f32[N]]) -> (f32[?1]) {\n  %1 = stack %0 : f32[?1]\n  return %1\n}\n",
       "f32[?1] is no stack of f32[N]"},
      {"block @b(%0: f32[N]) -> (f32[?1, N]) {\n  %1 = stack %0 : f32[?1, N]\n  return %1\n}\n",
       "operand 0 is no list"},
      {"block @b(%0: f32[?]) -> (f32[?]) {\n  return %0\n}\n", "size ? is of host functions only"},
      {"block @b(%0: f32[?1 + N]) -> (f32[?1 + N]) {\n  return %0\n}\n",
       "is computed from one that is known at run time only"},
      {"block @b(%0: f32[?1], %1: f32[?2]) -> (f32[?1]) {\n  %2 = add %0, %1 : f32[?1]\n  return %2\n}\n",
       "shapes f32[?1] and f32[?2] differ"},
      {"host @f(%0: f32[?1]) -> () {\n^0:\n  return\n}\n", "size ?1 is of blocks only"},
      {"param @p : f32[?] = zeros\n", "size ? is known at run time only"},
      {"block @b(%0: int) -> (int) {\n  return %0\n}\n", "output 0 is no tensor"},
      {"block @b(%0: f32[N]) -> () {\n  %1 = dropout %0 p 0.5 site 0 : f32[N]\n}\n", "not marked random"},
      {"block @b(%0: f32[N]) -> () random {\n}\n", "it is marked random but does not draw"},
      {"block @b(%0: f32[N]) -> (f32[N]) {\n  return %0\n}\nadjoint @b(%0: f32[N]) saved () grad () {\n}\n",
       "adjoint @b: it takes 1 values; the block's 1 parameters, 0 saved and 1 gradients are needed"},
      {"block @b(%0: f32[N]) -> (f32[N]) {\n  return %0\n}\nadjoint @b(%0: f32[N]) saved () grad (%1: "
       "f32[K]) {\n}\n",
       "adjoint @b: parameter 1 is not f32[N] as in the block"},
      {"block @b(%0: f32[N]) -> (f32[N], f32) results 1 {\n  %1 = sum %0 : f32\n  return %0, %1\n}\n"
       "adjoint @b(%0: f32[N]) saved (%1: f32[N]) grad (%2: f32[N]) {\n}\n",
       "adjoint @b: parameter 1 is not f32 as in the block"},
  };
  EXPECT_REJECTIONS("", "", cases);
}

static void test_sinks(void **state) {
  (void)state;
  static const struct rejection cases[] = {
      {"d_input %1 input 4", "the block has no input 4"},
      {"d_input %1 input 0", "f32[N] and f32[K] should be the same"},
      {"d_input %0 input 2", "Word and f32[N] should be the same"},
      {"%20 = d_input %0 input 0 : f32[N]", "0 results, not 1"},
      {"d_outer @W %1, %0", "f32[K] does not go with f32[N, K]"},
      {"d_outer @W %0, %1, %3", "2 operands, not 3"},
      {"d_outer @F.* %0, %1", "3 operands, not 2"},
      {"d_param @W %0", "f32[N, K] and f32[N] should be the same"},
      {"d_row @E %0, %2", "f32[N] does not go with f32[Word, K]"},
      {"d_row @E %1, %3", "the index is Word, not int"},
      {"d_row @W %1, %2", "the index is int, not Word"},
  };
  EXPECT_REJECTIONS("block @b(%0: f32[N], %1: f32[K], %2: Word, %3: int) -> () {\n}\n"
                    "adjoint @b(%0: f32[N], %1: f32[K], %2: Word, %3: int) saved () grad () {\n  ",
                    "\n}\n", cases);
}

// --------------------------------------------------------------- what the text form cannot express

static void expect_invalid(struct ir_module *module, const char *expected) {
  char *error = NULL;
  assert_false(ir_verify(module, &error));
  if (!strstr(error, expected))
    fail_msg("`%s` was to say `%s`", error, expected);
  free(error);
}

static void test_broken_structures(void **state) {
  (void)state;
  struct ir_module *m = parse_text("text", "module m\nparam @p.* : f32 count 2 = zeros\ndata D = A() | B()\n"
                                           "host @f(%0: int, %1: D) -> (int) {\n^0:\n  %2 = ineg %0 : int\n"
                                           "  %3 = data.tag %1 : int\n  return %2\n}\n"
                                           "host @g(%0: int) -> (int) {\n^0:\n  return %0\n}\n");
  char *error = NULL;
  assert_true(ir_verify(m, &error));
  struct ir_function *f = m->functions[0], *g = m->functions[1];
  struct ir_instr *negation = f->entry->first, *tag = negation->next;
  struct ir_value *own = negation->operands[0];

  negation->operands[0] = g->params[0];
  expect_invalid(m, "an operand is not of this function");
  negation->operands[0] = NULL;
  expect_invalid(m, "an operand is not of this function");
  negation->operands[0] = own;

  negation->results[0]->id = own->id;
  expect_invalid(m, "%0 is defined twice");
  negation->results[0]->id = 9;
  expect_invalid(m, "%9 is not below the number of values, 4");
  negation->results[0]->id = 2;

  negation->results[0]->def = tag;
  expect_invalid(m, "%2 does not know its instruction");
  negation->results[0]->def = negation;

  negation->results[0]->type = NULL;
  expect_invalid(m, "a type is missing");
  negation->results[0]->type = own->type;

  tag->symbol = 7;
  expect_invalid(m, "its data type is not D");
  tag->symbol = 0;

  m->params[0]->count = size_constant(m->arena, 3);
  expect_invalid(m, "param @p.*: its count is not the product of its lists");
  m->params[0]->count = m->params[0]->lists[0];

  struct size_atom stranger = {"S", SIZE_DIM, 0};
  const struct ir_type *type = m->params[0]->type;
  const struct size *size = size_from_atom(m->arena, &stranger);
  m->params[0]->type = ir_type_tensor(m, 1, &size);
  expect_invalid(m, "size `S` is not of this module");
  m->params[0]->type = type;

  struct ir_dim *dim = ir_add_dim(m, "Z", SIZE_DIM);
  expect_invalid(m, "dim Z: its value is missing");
  dim->value = size_from_atom(m->arena, &dim->atom);
  expect_invalid(m, "dim Z: its value depends on Z, which does not come before it");
  dim->value = size_constant(m->arena, 1);
  dim->atom.id = 3;
  expect_invalid(m, "size Z: its number is 3, not 0");
  dim->atom.id = 0;

  g->id = 0;
  expect_invalid(m, "its number is 0, not 1");
  g->id = 1;
  assert_true(ir_verify(m, &error));
  ir_module_free(m);
}

static struct ir_value *build_emit(struct ir_builder *b, const struct ir_block *block,
                                   struct ir_value *argument) {
  struct ir_instr *instr = ir_build(b, IR_EMIT, 1, &argument, 1, &block->outputs[0]->type);
  instr->symbol = block->id;
  return instr->results[0];
}

static void build_brif(struct ir_builder *b, struct ir_value *condition, struct ir_bb *yes,
                       struct ir_bb *no) {
  struct ir_instr *instr = ir_instr_new(b->module, IR_BRIF, 1, &condition, 0, NULL, 2, 0);
  ir_append(b->bb, instr);
  ir_set_target(b->module, instr, 0, yes, 0, NULL);
  ir_set_target(b->module, instr, 1, no, 0, NULL);
}

// A function put together by the builder verifies and reads back.
static void test_builder(void **state) {
  (void)state;
  struct ir_module *m = ir_module_new("built");
  struct ir_dim *dim = ir_add_dim(m, "H", SIZE_DIM);
  dim->value = size_constant(m->arena, 8);
  const struct size *h = size_from_atom(m->arena, &dim->atom), *sizes[2] = {h, h};
  const struct ir_type *vector = ir_type_tensor(m, 1, &h), *integer = ir_type_simple(m, IR_INT);
  ir_add_param(m, "W", ir_type_tensor(m, 2, sizes));
  struct ir_block *block = ir_add_block(m, "step", IR_BLOCK_FORWARD);
  struct ir_value *x = ir_add_block_param(m, block, vector);
  struct ir_builder b = ir_builder_in_block(m, block, (struct ir_loc){0});
  struct ir_value *output = ir_build_unary(&b, IR_OP_TANH,
                                           ir_build_matmul(&b, ir_build_param(&b, 0, NULL), true, x, false));
  block->outputs = &output;
  block->n_outputs = block->n_results = 1;

  struct ir_function *f = ir_add_function(m, "f");
  struct ir_value *n = ir_add_function_param(m, f, integer), *s = ir_add_function_param(m, f, vector);
  f->results = &vector;
  f->n_results = 1;
  struct ir_bb *entry = ir_add_bb(m, f), *head = ir_add_bb(m, f), *body = ir_add_bb(m, f),
               *end = ir_add_bb(m, f);
  struct ir_value *i = ir_add_bb_param(m, f, head, integer), *state_in = ir_add_bb_param(m, f, head, vector);
  b = ir_builder_at(m, f, entry, (struct ir_loc){0});
  ir_build_br(&b, head, 2, (struct ir_value *[]){ir_build_int(&b, 0), s});
  b.bb = head;
  build_brif(&b, ir_build_host2(&b, IR_ILT, i, n), body, end);
  b.bb = body;
  struct ir_value *next = ir_build_host2(&b, IR_IADD, i, ir_build_int(&b, 1));
  ir_build_br(&b, head, 2, (struct ir_value *[]){next, build_emit(&b, m->blocks[0], state_in)});
  b.bb = end;
  ir_build_return(&b, 1, &state_in);
  char *error = NULL;
  if (!ir_verify(m, &error))
    fail_msg("%s", error);
  ir_renumber(f);
  char *text = ir_print(m);
  const char *expected = "host @f(%0: int, %1: f32[H]) -> (f32[H]) {\n"
                         "^0:\n  %2 = const.int 0 : int\n  br ^1(%2, %1)\n"
                         "^1(%3: int, %4: f32[H]):\n  %5 = ilt %3, %0 : bool\n  brif %5 ^2, ^3\n"
                         "^2:\n  %6 = const.int 1 : int\n  %7 = iadd %3, %6 : int\n"
                         "  %8 = emit @step %4 : f32[H]\n  br ^1(%7, %8)\n"
                         "^3:\n  return %4\n}\n";
  if (!strstr(text, expected))
    fail_msg("the function is not printed as\n%sbut in\n%s", expected, text);
  free(text);
  assert_true(ir_verify(m, &error));
  ir_module_free(m);
}

static void test_decides(void **state) {
  (void)state;
  struct ir_module *m = parse_text(
      "text", "module m\n"
              "host @a() -> () {\n^0:\n  call @b\n  return\n}\n"
              "host @b() -> () {\n^0:\n  call @a\n  call @c\n  return\n}\n"
              "host @c() -> () {\n^0:\n  %0 = constant 1 : f32\n  %1 = read.value %0 : float\n  return\n}\n"
              "host @d() -> () {\n^0:\n  call @d\n  return\n}\n");
  static const bool expected[] = {true, true, true, false};
  for (int i = 0; i < 4; i++)
    assert_int_equal(m->functions[i]->decides, expected[i]);
  ir_module_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tables),
      cmocka_unit_test(test_entries),
      cmocka_unit_test(test_structure),
      cmocka_unit_test(test_dominance),
      cmocka_unit_test(test_tags),
      cmocka_unit_test(test_common_slots),
      cmocka_unit_test(test_host_operations),
      cmocka_unit_test(test_tensor_operations),
      cmocka_unit_test(test_blocks),
      cmocka_unit_test(test_sinks),
      cmocka_unit_test(test_broken_structures),
      cmocka_unit_test(test_builder),
      cmocka_unit_test(test_decides),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

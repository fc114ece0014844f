// Random well-typed programs of the language as trees: made, printed, and evaluated by an interpreter of their own, in double
// and with forward-mode derivatives. It shares nothing with the compiler, so that it can say what a program must give.
//
// A new feature of the language is a row of FORMS and a case of the interpreter, or a kind of statement.
#ifndef NN_TESTS_FUZZ_PROGRAM_H
#define NN_TESTS_FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_SLOTS = 160, MAX_FUNCTIONS = 8, MAX_PARAMETERS = 4, N_WORDS = 6, N_TAGS = 3 };

enum fuzz_type {
  INT,
  BOOL,
  NUM,
  VEC,
  WORD,
  TAG,
  LVEC,
  LINT,
  LWORD,
  LLINT,
  LREC,
  TEXT,
  LTEXT,
  PAIR,
  REC,
  TREE,
  N_TYPES,
  NONE
};

// F(NAME, result, first, second, third operand, text): $0 to $2 are operands, $v the variable `slot`, $i the integer.
// Subscripts are brought into the list's range.
#define FORMS(F)                                                                                             \
  F(INT_CONSTANT, INT, NONE, NONE, NONE, "$i")                                                               \
  F(INT_ADD, INT, INT, INT, NONE, "($0 + $1)")                                                               \
  F(INT_SUB, INT, INT, INT, NONE, "($0 - $1)")                                                               \
  F(INT_MUL, INT, INT, INT, NONE, "($0 * $1 % 11)")                                                          \
  F(INT_DIV, INT, INT, NONE, NONE, "($0 / 3)")                                                               \
  F(INT_MAX, INT, INT, INT, NONE, "max($0, $1)")                                                             \
  F(INT_MIN, INT, INT, INT, NONE, "min($0, $1)")                                                             \
  F(INT_OF_WORD, INT, WORD, NONE, NONE, "int($0)")                                                           \
  F(INT_OF_TAG, INT, TAG, NONE, NONE, "int($0)")                                                             \
  F(INT_OF_BOOL, INT, BOOL, NONE, NONE, "int($0)")                                                           \
  F(INT_LEN_LVEC, INT, LVEC, NONE, NONE, "len($0)")                                                          \
  F(INT_LEN_LINT, INT, LINT, NONE, NONE, "len($0)")                                                          \
  F(INT_SUM, INT, LINT, NONE, NONE, "(sum($0) % 13)")                                                        \
  F(INT_ARGMAX, INT, VEC, NONE, NONE, "argmax($0)")                                                          \
  F(INT_ABOVE, INT, VEC, NONE, NONE, "count(values($0), fn(x) { x > 0.25 })")                                \
  F(INT_TOPK, INT, VEC, NONE, NONE, "last(topk($0, H)).0")                                                   \
  F(INT_AT, INT, INT, NONE, NONE, "$v[($0 % len($v) + len($v)) % len($v)]")                                  \
  F(INT_OF_REC, INT, REC, NONE, NONE, "$0.n")                                                                \
  F(INT_IF, INT, BOOL, INT, INT, "(if $0 { $1 } else { $2 })")                                               \
  F(INT_LARGEST, INT, LINT, NONE, NONE, "max($0)")                                                           \
  F(INT_SMALLEST, INT, LINT, NONE, NONE, "min($0)")                                                          \
  F(INT_PLACE_OF_LARGEST, INT, LINT, NONE, NONE, "argmax($0)")                                               \
  F(INT_PLACE_OF_SMALLEST, INT, LINT, NONE, NONE, "argmin($0)")                                              \
  F(INT_INDEX_OF, INT, LINT, INT, NONE, "index_of($0, $1)")                                                  \
  F(INT_FOLD, INT, LINT, INT, NONE, "fold($0, $1, max)")                                                     \
  F(INT_SPREAD, INT, LINT, NONE, NONE, "spread($0)")                                                         \
  F(INT_ZIP, INT, LINT, NONE, NONE, "(sum([i - k * n for (i, k, n) in zip($0, reversed($0), $0)]) % 17)")    \
  F(INT_ROOT, INT, INT, NONE, NONE, "int(floor(sqrt(float(abs($0 % 50)))))")                                 \
  F(INT_POWER, INT, INT, NONE, NONE, "int(round(pow(float($0 % 5), 2)))")                                    \
  F(INT_ASSERTED, INT, INT, NONE, NONE, "asserted($0)")                                                      \
  F(INT_CHOSEN, INT, INT, NONE, NONE, "chosen($0)")                                                          \
  F(INT_SAMPLED, INT, INT, NONE, NONE, "($0 + sample([0.5, 0]))")                                            \
  F(BOOL_LESS, BOOL, INT, INT, NONE, "($0 < $1)")                                                            \
  F(BOOL_EQUAL, BOOL, INT, INT, NONE, "($0 % 3 == $1 % 3)")                                                  \
  F(BOOL_TAGS, BOOL, TAG, TAG, NONE, "($0 == $1)")                                                           \
  F(BOOL_WORDS, BOOL, WORD, WORD, NONE, "($0 != $1)")                                                        \
  F(BOOL_VALUE, BOOL, NUM, NONE, NONE, "(value($0) > 0.25)")                                                 \
  F(BOOL_NOT, BOOL, BOOL, NONE, NONE, "(!$0)")                                                               \
  F(BOOL_RANDOM, BOOL, BOOL, NONE, NONE, "($0 && random() < 1)")                                             \
  F(BOOL_AND, BOOL, BOOL, BOOL, NONE, "($0 && $1)")                                                          \
  F(BOOL_OR, BOOL, BOOL, BOOL, NONE, "($0 || $1)")                                                           \
  F(BOOL_LINTS, BOOL, LINT, LINT, NONE, "($0 == $1)")                                                        \
  F(BOOL_LWORDS, BOOL, LWORD, LWORD, NONE, "($0 != $1)")                                                     \
  F(BOOL_LLINTS, BOOL, LLINT, LLINT, NONE, "($0 == $1)")                                                     \
  F(BOOL_TREES, BOOL, TREE, TREE, NONE, "($0 == $1)")                                                        \
  F(BOOL_TUPLES, BOOL, INT, INT, TAG, "(($0, ($1, $2)) == ($1, ($0, $2)))")                                  \
  F(BOOL_CONTAINS, BOOL, LINT, INT, NONE, "contains($0, $1)")                                                \
  F(BOOL_ANY, BOOL, LINT, INT, NONE, "any($0, fn(x) { x > $1 })")                                            \
  F(NUM_OF_INT, NUM, INT, NUM, NONE, "(float($0 % 5) * $1)")                                                 \
  F(NUM_ADD, NUM, NUM, NUM, NONE, "($0 + $1)")                                                               \
  F(NUM_SUB, NUM, NUM, NUM, NONE, "($0 - $1)")                                                               \
  F(NUM_MUL, NUM, NUM, NUM, NONE, "($0 * $1)")                                                               \
  F(NUM_DIV, NUM, NUM, NUM, NONE, "($0 / (square($1) + 1))")                                                 \
  F(NUM_MAX, NUM, NUM, NUM, NONE, "max($0, $1)")                                                             \
  F(NUM_AT_LEAST, NUM, NUM, NONE, NONE, "max($0, 0.125)")                                                    \
  F(NUM_TANH, NUM, NUM, NONE, NONE, "tanh($0)")                                                              \
  F(NUM_SIGMOID, NUM, NUM, NONE, NONE, "sigmoid($0)")                                                        \
  F(NUM_SQRT, NUM, NUM, NONE, NONE, "sqrt(square($0) + 0.5)")                                                \
  F(NUM_LOG, NUM, NUM, NONE, NONE, "log(abs($0) + 0.5)")                                                     \
  F(NUM_LOG1P, NUM, NUM, NONE, NONE, "log1p(square($0))")                                                    \
  F(NUM_NEG, NUM, NUM, NONE, NONE, "(-$0)")                                                                  \
  F(NUM_HALF, NUM, NUM, NONE, NONE, "(0.5 * $0)")                                                            \
  F(NUM_DOT, NUM, VEC, VEC, NONE, "dot($0, $1)")                                                             \
  F(NUM_SUM, NUM, VEC, NONE, NONE, "sum($0)")                                                                \
  F(NUM_MEAN, NUM, VEC, NONE, NONE, "mean($0)")                                                              \
  F(NUM_LARGEST, NUM, VEC, NONE, NONE, "max($0)")                                                            \
  F(NUM_LOGSUMEXP, NUM, VEC, NONE, NONE, "logsumexp($0)")                                                    \
  F(NUM_NLL_WORD, NUM, VEC, WORD, NONE, "nll(C @ $0, $1)")                                                   \
  F(NUM_NLL_TAG, NUM, VEC, TAG, NONE, "nll(D @ $0, $1)")                                                     \
  F(NUM_PICK, NUM, VEC, INT, NONE, "$0[($1 % H + H) % H]")                                                   \
  F(NUM_SUM_DOTS, NUM, LVEC, VEC, NONE, "sum([dot(it, $1) for it in $0])")                                   \
  F(NUM_VECTOR, NUM, NUM, NUM, NONE, "dot(tensor($0, $1, 2), tensor(3, $1, 1))")                             \
  F(NUM_STACK, NUM, VEC, VEC, NONE, "sum(tensor([$0, $1, $0]) @ $1)")                                        \
  F(NUM_FOLD, NUM, LVEC, NUM, NONE, "fold($0, $1, fn(so_far, x) { so_far + dot(x, b1) })")                   \
  F(NUM_HOST, NUM, INT, NUM, NONE, "(exp(tanh(float($0 % 3))) * $1)")                                        \
  F(NUM_CELL, NUM, INT, INT, NONE, "W1[($0 % H + H) % H, ($1 % H + H) % H]")                                 \
  F(NUM_OF_REC, NUM, REC, NONE, NONE, "$0.s")                                                                \
  F(NUM_OF_PAIR, NUM, PAIR, NONE, NONE, "$0.1")                                                              \
  F(NUM_IF, NUM, BOOL, NUM, NUM, "(if $0 { $1 } else { $2 })")                                               \
  F(VEC_B0, VEC, NONE, NONE, NONE, "b0")                                                                     \
  F(VEC_B1, VEC, NONE, NONE, NONE, "b1")                                                                     \
  F(VEC_ZEROS, VEC, NONE, NONE, NONE, "zeros[H]")                                                            \
  F(VEC_WORD, VEC, WORD, NONE, NONE, "E[$0]")                                                                \
  F(VEC_TAG, VEC, TAG, NONE, NONE, "D[$0]")                                                                  \
  F(VEC_TANH, VEC, VEC, NONE, NONE, "tanh($0)")                                                              \
  F(VEC_SIGMOID, VEC, VEC, NONE, NONE, "sigmoid($0)")                                                        \
  F(VEC_RELU, VEC, VEC, NONE, NONE, "relu($0)")                                                              \
  F(VEC_ABS, VEC, VEC, NONE, NONE, "abs($0)")                                                                \
  F(VEC_EXP, VEC, VEC, NONE, NONE, "exp(tanh($0))")                                                          \
  F(VEC_EXPM1, VEC, VEC, NONE, NONE, "expm1(sigmoid($0))")                                                   \
  F(VEC_ERF, VEC, VEC, NONE, NONE, "erf($0)")                                                                \
  F(VEC_SOFTPLUS, VEC, VEC, NONE, NONE, "softplus($0)")                                                      \
  F(VEC_SOFTMAX, VEC, VEC, NONE, NONE, "softmax($0)")                                                        \
  F(VEC_LOG_SOFTMAX, VEC, VEC, NONE, NONE, "log_softmax($0)")                                                \
  F(VEC_COLUMN_SUMS, VEC, NUM, NONE, NONE, "sum(tanh($0 * W0), dim: 0)")                                     \
  F(VEC_SOFTMAX_MEANS, VEC, NUM, NONE, NONE, "mean(softmax($0 * W0, dim: 0), dim: 1)")                       \
  F(VEC_ROW_LOGSUMEXPS, VEC, NUM, NONE, NONE, "logsumexp($0 * W0, dim: 1)")                                  \
  F(VEC_COLUMN_MAXIMA, VEC, NUM, NONE, NONE, "max($0 * W0, dim: 0)")                                         \
  F(VEC_REPEATED, VEC, VEC, NONE, NONE, "sum(tanh(W0 + $0), dim: 1)")                                        \
  F(VEC_REPEATED_ALONG, VEC, VEC, NONE, NONE, "sum(W1 * broadcast($0, W1, dim: 1), dim: 0)")                 \
  F(VEC_PARTS, VEC, VEC, VEC, NONE, "(slice(concat(W0 + $0, W1 * $1, dim: 1), 1, H, dim: 1) @ b0)")          \
  F(VEC_TURNED, VEC, VEC, NONE, NONE, "(reshape(permute(reshape(W0 * $0, H, 1, H), 2, 0, 1), H, H) @ b1)")   \
  F(VEC_MANY, VEC, VEC, NONE, NONE, "sum(tensor([W0, W1]) @ $0, dim: 0)")                                    \
  F(VEC_COLUMN, VEC, VEC, INT, NONE, "(W0 + $0)[.., ($1 % H + H) % H]")                                      \
  F(VEC_WINDOW, VEC, VEC, INT, NONE, "slice(concat($0, $0), ($1 % H + H) % H, H)")                           \
  F(VEC_W0, VEC, VEC, NONE, NONE, "(W0 @ $0)")                                                               \
  F(VEC_W1, VEC, VEC, NONE, NONE, "($0 @ W1)")                                                               \
  F(VEC_LAYER, VEC, VEC, NONE, NONE, "cell.apply($0)")                                                       \
  F(VEC_MEMBER, VEC, INT, VEC, NONE, "stack[($0 % 2 + 2) % 2].apply($1)")                                    \
  F(VEC_GENERIC, VEC, VEC, VEC, NONE, "mixed($0, $1)")                                                       \
  F(VEC_GENERIC_WIDE, VEC, VEC, VEC, NONE, "mixed(concat($0, $1), concat($1, $0))[1..H + 1]")                \
  F(VEC_ADD, VEC, VEC, VEC, NONE, "($0 + $1)")                                                               \
  F(VEC_SUB, VEC, VEC, VEC, NONE, "($0 - $1)")                                                               \
  F(VEC_MUL, VEC, VEC, VEC, NONE, "($0 * $1)")                                                               \
  F(VEC_MAX, VEC, VEC, VEC, NONE, "max($0, $1)")                                                             \
  F(VEC_MIN, VEC, VEC, VEC, NONE, "min($0, $1)")                                                             \
  F(VEC_SCALED, VEC, NUM, VEC, NONE, "($0 * $1)")                                                            \
  F(VEC_SLICE, VEC, VEC, VEC, NONE, "concat($0, $1)[1..H + 1]")                                              \
  F(VEC_SPLIT, VEC, VEC, VEC, NONE, "split(concat($0, $1), 2).1")                                            \
  F(VEC_STOP, VEC, VEC, NONE, NONE, "stop_gradient($0)")                                                     \
  F(VEC_NOISY, VEC, VEC, NONE, NONE, "noisy($0)")                                                            \
  F(VEC_KEPT, VEC, VEC, NONE, NONE, "($0 * bernoulli(ones[H]))")                                             \
  F(VEC_STACK, VEC, NUM, NUM, NONE, "of_size(tensor([$0 + it * $1 for it in 0..H]))")                        \
  F(VEC_VECTOR, VEC, INT, VEC, NONE, "(of_size(tensor([float($0 % 5 + it) for it in 0..H])) * $1)")          \
  F(VEC_LIST_SUM, VEC, LVEC, NONE, NONE, "sum($0)")                                                          \
  F(VEC_LIST_MEAN, VEC, LVEC, NONE, NONE, "mean($0)")                                                        \
  F(VEC_LIST_MAX, VEC, LVEC, NONE, NONE, "max($0)")                                                          \
  F(VEC_LAST, VEC, LVEC, NONE, NONE, "last($0)")                                                             \
  F(VEC_AT, VEC, INT, NONE, NONE, "$v[($0 % len($v) + len($v)) % len($v)]")                                  \
  F(VEC_OF_REC, VEC, REC, NONE, NONE, "$0.h")                                                                \
  F(VEC_OF_PAIR, VEC, PAIR, NONE, NONE, "$0.0")                                                              \
  F(VEC_IF, VEC, BOOL, VEC, VEC, "(if $0 { $1 } else { $2 })")                                               \
  F(WORD_ARGMAX, WORD, VEC, NONE, NONE, "argmax(C @ $0)")                                                    \
  F(WORD_AT, WORD, INT, NONE, NONE, "$v[($0 % len($v) + len($v)) % len($v)]")                                \
  F(TAG_CONSTANT, TAG, NONE, NONE, NONE, "T$i")                                                              \
  F(TAG_ARGMAX, TAG, VEC, NONE, NONE, "argmax(D @ $0)")                                                      \
  F(LVEC_NEW, LVEC, VEC, VEC, NONE, "[$0, $1]")                                                              \
  F(LVEC_PUSH, LVEC, LVEC, VEC, NONE, "push($0, $1)")                                                        \
  F(LVEC_JOIN, LVEC, LVEC, LVEC, NONE, "($0 + $1)")                                                          \
  F(LVEC_REVERSED, LVEC, LVEC, NONE, NONE, "reversed($0)")                                                   \
  F(LVEC_MAP, LVEC, LVEC, VEC, NONE, "[tanh(it + $1) for it in $0]")                                         \
  F(LVEC_LAYERS, LVEC, LVEC, NONE, NONE, "map($0, cell.apply)")                                              \
  F(LVEC_OF_WORDS, LVEC, LWORD, NONE, NONE, "[E[it] for it in $0]")                                          \
  F(LINT_NEW, LINT, INT, INT, NONE, "[$0, $1]")                                                              \
  F(LINT_PUSH, LINT, LINT, INT, NONE, "push($0, $1)")                                                        \
  F(LINT_REVERSED, LINT, LINT, NONE, NONE, "reversed($0)")                                                   \
  F(LINT_MAP, LINT, LINT, NONE, NONE, "[it * 2 - 1 for it in $0]")                                           \
  F(LINT_ARGSORT, LINT, VEC, NONE, NONE, "argsort($0)")                                                      \
  F(LINT_DECISIONS, LINT, LVEC, NONE, NONE, "[argmax(it) for it in $0]")                                     \
  F(LINT_EACH, LINT, LVEC, NONE, NONE, "argmax($0)")                                                         \
  F(LINT_LINES, LINT, NUM, NONE, NONE, "argmax($0 * W0, dim: 1)")                                            \
  F(LINT_SORTED, LINT, LINT, NONE, NONE, "sort($0)")                                                         \
  F(LINT_SHUFFLED, LINT, LINT, NONE, NONE, "sort(shuffled($0))")                                             \
  F(LINT_RANGE, LINT, INT, INT, NONE, "([$0] + range($1 % 7, -3, -2))")                                      \
  F(LINT_HIGHER, LINT, LINT, INT, NONE, "map($0, fn(x) { x - $1 })")                                         \
  F(LINT_AT, LINT, INT, NONE, NONE, "$v[($0 % len($v) + len($v)) % len($v)]")                                \
  F(LWORD_PUSH, LWORD, LWORD, WORD, NONE, "push($0, $1)")                                                    \
  F(LWORD_REVERSED, LWORD, LWORD, NONE, NONE, "reversed($0)")                                                \
  F(LLINT_NEW, LLINT, LINT, LINT, NONE, "[$0, $1]")                                                          \
  F(LLINT_PUSH, LLINT, LLINT, LINT, NONE, "push($0, $1)")                                                    \
  F(LREC_NEW, LREC, REC, NONE, NONE, "[$0]")                                                                 \
  F(LREC_PUSH, LREC, LREC, REC, NONE, "push($0, $1)")                                                        \
  F(INT_LEN_TEXT, INT, TEXT, NONE, NONE, "len($0)")                                                          \
  F(INT_LEN_LTEXT, INT, LTEXT, NONE, NONE, "len($0)")                                                        \
  F(INT_FIND, INT, TEXT, TEXT, NONE, "find_text($0, $1)")                                                    \
  F(INT_OF_TEXT, INT, INT, NONE, NONE, "int(text($0))")                                                      \
  F(INT_WORDS, INT, INT, NONE, NONE, "($0 + len(Word) - len(Tag))")                                          \
  F(BOOL_TEXTS, BOOL, TEXT, TEXT, NONE, "($0 == $1)")                                                        \
  F(BOOL_LTEXTS, BOOL, LTEXT, LTEXT, NONE, "($0 != $1)")                                                     \
  F(BOOL_TEXT_LESS, BOOL, TEXT, TEXT, NONE, "($0 < $1)")                                                     \
  F(BOOL_TEXT_AT_LEAST, BOOL, TEXT, TEXT, NONE, "($0 >= $1)")                                                \
  F(BOOL_UNKNOWN, BOOL, WORD, NONE, NONE, "is_unknown($0)")                                                  \
  F(WORD_OF_TEXT, WORD, WORD, NONE, NONE, "Word(text($0))")                                                  \
  F(WORD_UNKNOWN, WORD, INT, NONE, NONE, "Word(text($0))")                                                   \
  F(TAG_OF_TEXT, TAG, TAG, NONE, NONE, "Tag(text($0))")                                                      \
  F(TEXT_ASCII, TEXT, NONE, NONE, NONE, "\"ab a\"")                                                          \
  F(TEXT_WIDE, TEXT, NONE, NONE, NONE, "\"näh\"")                                                            \
  F(TEXT_OF_INT, TEXT, INT, NONE, NONE, "text($0)")                                                          \
  F(TEXT_OF_BOOL, TEXT, BOOL, NONE, NONE, "text($0)")                                                        \
  F(TEXT_OF_TAG, TEXT, TAG, NONE, NONE, "text($0)")                                                          \
  F(TEXT_ADD, TEXT, TEXT, TEXT, NONE, "($0 + $1)")                                                           \
  F(TEXT_UPPER, TEXT, TEXT, NONE, NONE, "upper($0)")                                                         \
  F(TEXT_NFC, TEXT, TEXT, NONE, NONE, "nfc(nfd($0))")                                                        \
  F(TEXT_TURNED, TEXT, TEXT, INT, NONE, "turned($0, $1)")                                                    \
  F(TEXT_FIRST, TEXT, TEXT, NONE, NONE, "first($0)")                                                         \
  F(TEXT_JOIN, TEXT, LTEXT, TEXT, NONE, "join($0, $1)")                                                      \
  F(TEXT_BACKWARDS, TEXT, TEXT, NONE, NONE, "join(reversed([it for it in $0]), \"\")")                       \
  F(TEXT_IF, TEXT, BOOL, TEXT, TEXT, "(if $0 { $1 } else { $2 })")                                           \
  F(LTEXT_NEW, LTEXT, TEXT, TEXT, NONE, "[$0, $1]")                                                          \
  F(LTEXT_PUSH, LTEXT, LTEXT, TEXT, NONE, "push($0, $1)")                                                    \
  F(LTEXT_CHARS, LTEXT, TEXT, NONE, NONE, "chars($0)")                                                       \
  F(LTEXT_SPLIT, LTEXT, TEXT, TEXT, NONE, "split($0, $1)")                                                   \
  F(LTEXT_SORTED, LTEXT, LTEXT, NONE, NONE, "sort($0)")                                                      \
  F(LTEXT_MAP, LTEXT, LTEXT, TEXT, NONE, "map($0, fn(x) { x + $1 })")                                        \
  F(PAIR_NEW, PAIR, VEC, NUM, NONE, "($0, $1)")                                                              \
  F(REC_NEW, REC, VEC, INT, NUM, "State($0, $1, $2)")                                                        \
  F(REC_AT, REC, INT, NONE, NONE, "$v[($0 % len($v) + len($v)) % len($v)]")

enum form {
#define FORM(name, result, a, b, c, text) name,
  FORMS(FORM)
#undef FORM
      VARIABLE,
  CALL,
  N_FORMS
};

struct expr {
  enum form form;
  enum fuzz_type type;
  int slot;         // variable; CALL: number of the function
  int64_t integer;  // constant
  struct expr *args[MAX_PARAMETERS];
};

enum stmt_kind {
  LET,  // slot = a
  VAR,
  SET,
  SET_AT,     // slot[a] = b
  SET_AT_AT,  // slot[a][b] = c
  POP,        // where something remains
  LET_PAIR,   // (slot, second) = a
  FOR_RANGE,  // slot in 0 .. integer
  FOR_LIST,   // slot in the list a
  FOR_ZIP,    // (slot, second) in zip(a, reversed(a))
  FOR_TAG,    // slot over all
  WHILE,      // slot counts to integer while b holds
  IF,         // a: body, otherwise other
  MATCH_TAG,  // slot: body, other, third
  MATCH_INT,  // a % 3: body for 0, other for 1, third
  BREAK_IF,   // a
  CONTINUE_IF,
  RETURN_IF,  // a: return b
};

struct stmt {
  enum stmt_kind kind;
  int slot, second;
  int64_t integer;
  struct expr *a, *b, *c;
  struct stmt *body, *other, *third;  // first statements
  struct stmt *next;
  bool off;  // left out, when a program is reduced
};

enum function_kind {
  PLAIN,
  TREE_WALK,  // (Tree, VEC) -> PAIR: body at a leaf, `inner` at a node, after both calls of itself
  COUNTDOWN,  // (INT, VEC) -> PAIR: `result` at 0, otherwise `inner`, a call of the partner with one less, and `body`
};

struct function {
  enum function_kind kind;
  int n_params;
  enum fuzz_type params[MAX_PARAMETERS], result_type;  // parameters are slots 0, 1, ...
  enum fuzz_type types[MAX_SLOTS];                     // [slot]
  int n_slots;
  struct stmt *body, *inner;
  struct expr *result, *inner_result, *down[2];  // what recursive calls are given
  // TREE_WALK: slots of the word, the subtrees, and the pairs that come back. COUNTDOWN: the pair, in left.
  int word, left, right, left_pair[2], right_pair[2];
  int partner;
};

struct program {
  int h;
  int n_functions;
  struct function functions[MAX_FUNCTIONS];  // the last is `loss`: (words, tag, k, tree)
};

// Everything of a program lives until program_free_all.
struct program *program_make(uint64_t seed);
void program_free_all(void);
void *program_alloc(size_t);
const char *program_form_text(enum form);
void program_print(FILE *, const struct program *);
extern const char *const type_names[N_TYPES];

// ---- evaluation ----

struct number {
  double v, d;  // value, derivative along the direction
};

struct tree {
  int word;
  const struct tree *left, *right;  // NULL at a leaf
};

struct fuzz_example {
  int n_words, words[8], tag;
  int64_t k;
  const struct tree *tree;
};

enum fuzz_param {
  PARAM_E,
  PARAM_C,
  PARAM_D,
  PARAM_W0,
  PARAM_W1,
  PARAM_B0,
  PARAM_B1,
  PARAM_CELL_W,
  PARAM_CELL_B,
  PARAM_STACK_0_W,
  PARAM_STACK_0_B,
  PARAM_STACK_1_W,
  PARAM_STACK_1_B,
  N_PARAMS
};
extern const char *const param_names[N_PARAMS];

// [param][element], row-major; words count from 0 in the order of the vocab.
struct parameters {
  struct number *values[N_PARAMS];
};

// The loss of an example. false: no verdict, because a decision or a kink is too near, or numbers, lists or work too large.
bool program_eval(const struct program *, const struct parameters *, const struct fuzz_example *,
                  struct number *loss);

// For the test of the test: an operation of one operand whose derivative the interpreter takes 1 % too large.
extern enum form program_eval_wrong;

#endif

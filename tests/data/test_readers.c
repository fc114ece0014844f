// The readers of data files: for each, text in and the values it must become, written out by hand; and every kind of bad
// record with its message.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/data/dataset.h"

static const char module_text[] =
    "module test\n"
    "vocab Word\n"
    "vocab Label closed\n"
    "enum Operator Max Min\n"
    "data Tree = Leaf(label: Label, word: Word) | Node(label: Label, left: Tree, right: Tree)\n"
    "data Phrase = Token(word: Word) | Phrase(label: Label, parts: [Phrase])\n"
    "data Expr = Number(value: int) | Apply(operator: Operator, args: [Expr]) | Nothing()\n"
    "data Bush = Node(word: Word, children: [Bush])\n"
    "data Wrap = Wrap(Wrap: int)\n";

struct fixture {
  struct ir_module *module;
  struct vocab *vocabs[3];
  char folder[64], path[128];
};

static const struct ir_type *type_of(struct ir_module *m, const char *name) {
  if (*name == '[') {
    char inner[32];
    snprintf(inner, sizeof inner, "%.*s", (int)strlen(name) - 2, name + 1);
    return ir_type_list(m, type_of(m, inner));
  }
  if (*name == '(') {
    const struct ir_field fields[2] = {{NULL, type_of(m, "int")}, {NULL, type_of(m, "Word")}};
    return ir_type_tuple(m, NULL, 2, fields);
  }
  if (!strcmp(name, "Code")) {
    const struct ir_field fields[2] = {{"op", type_of(m, "Word")}, {"arg", type_of(m, "int")}};
    return ir_type_tuple(m, "Op", 2, fields);
  }
  if (!strcmp(name, "int"))
    return ir_type_simple(m, IR_INT);
  if (!strcmp(name, "float"))
    return ir_type_simple(m, IR_FLOAT);
  if (!strcmp(name, "bool"))
    return ir_type_simple(m, IR_BOOL);
  for (uint32_t i = 0; i < m->n_dims; i++)
    if (!strcmp(m->dims[i]->atom.name, name))
      return ir_type_index(m, i);
  for (uint32_t i = 0; i < m->n_datas; i++)
    if (!strcmp(m->datas[i]->name, name))
      return ir_type_data(m, i);
  fail_msg("no type %s", name);
  return NULL;
}

// Values as text: indices by their strings, data as Constructor(...), lists as [...].
static void dump(const struct fixture *f, const struct ir_type *type, const uint64_t **slots, char *out) {
  char *end = out + strlen(out);
  switch (type->kind) {
  case IR_INT: sprintf(end, "%lld", (long long)*(*slots)++); break;
  case IR_BOOL: strcat(out, *(*slots)++ ? "true" : "false"); break;
  case IR_FLOAT: {
    double value;
    memcpy(&value, (*slots)++, sizeof value);
    sprintf(end, "%g", value);
    break;
  }
  case IR_INDEX: {
    const struct ir_dim *dim = f->module->dims[type->dim];
    uint64_t i = *(*slots)++;
    strcat(out,
           dim->atom.kind == SIZE_ENUM ? dim->members[i] : vocab_entry(f->vocabs[type->dim], (int64_t)i));
    break;
  }
  case IR_TUPLE:
    strcat(out, "(");
    for (uint32_t i = 0; i < type->tuple.n; i++) {
      if (i)
        strcat(out, ",");
      dump(f, type->tuple.fields[i].type, slots, out);
    }
    strcat(out, ")");
    break;
  case IR_LIST: {
    const struct value_list *list = (const struct value_list *)(uintptr_t) * (*slots)++;
    const uint64_t *at = list->length ? list->buffer->slots + list->offset * list->buffer->width : NULL;
    strcat(out, "[");
    for (uint64_t i = 0; i < list->length; i++) {
      if (i)
        strcat(out, " ");
      dump(f, type->element, &at, out);
    }
    strcat(out, "]");
    break;
  }
  default: {
    const struct value_data *data = (const struct value_data *)(uintptr_t) * (*slots)++;
    const struct ir_constructor *constructor = &f->module->datas[type->data]->constructors[data->tag];
    const uint64_t *at = data->slots;
    strcat(out, constructor->name);
    for (uint32_t i = 0; i < constructor->n_fields; i++) {
      strcat(out, i ? "," : "(");
      dump(f, constructor->fields[i].type, &at, out);
    }
    if (constructor->n_fields)
      strcat(out, ")");
  }
  }
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  char *error = NULL;
  f->module = ir_parse(module_text, strlen(module_text), &error);
  if (!f->module)
    fail_msg("%s", error);
  static const char *const labels[] = {"0", "1", "2", "3", "4", "N", "V"};
  f->vocabs[0] = vocab_new("Word", false, 1, 0);
  f->vocabs[1] = vocab_new("Label", true, 1, 0);
  vocab_set(f->vocabs[1], labels, 7, &error);
  strcpy(f->folder, "/tmp/nn-readers-XXXXXX");
  if (!mkdtemp(f->folder))
    return 1;
  snprintf(f->path, sizeof f->path, "%s/data", f->folder);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  unlink(f->path);
  rmdir(f->folder);
  vocab_free(f->vocabs[0]);
  vocab_free(f->vocabs[1]);
  ir_module_free(f->module);
  free(f);
  return 0;
}

// `schema`: "name:type name:type". Reads `text` twice, counting and reading, and gives the examples as text, each ended
// by a newline; or the error without its path.
static const char *read_text(struct fixture *f, const char *format, const char *schema, const char *text,
                             size_t length, bool skip_bad, char *out) {
  struct dataset_column columns[8];
  char copy[256], *rest = copy;
  struct dataset_request request = {f->module, f->vocabs, 0, columns, f->path, format, skip_bad};
  uint32_t slot = 0;
  snprintf(copy, sizeof copy, "%s", schema);
  for (char *part; (part = strsep(&rest, " "));) {
    char *colon = strchr(part, ':');
    *colon = 0;
    struct dataset_column *column = &columns[request.n_columns++];
    *column =
        (struct dataset_column){.name = part, .type = type_of(f->module, colon + 1), .first_slot = slot};
    slot += column->width = ir_type_width(column->type);
  }
  FILE *file = fopen(f->path, "wb");
  fwrite(text, 1, length, file);
  fclose(file);
  vocab_free(f->vocabs[0]);
  f->vocabs[0] = vocab_new("Word", false, 1, 0);
  char *error = NULL;
  struct nn_dataset *set = NULL;
  *out = 0;
  size_t n_counted;
  if (dataset_count(&request, &n_counted, &error)) {
    vocab_freeze(f->vocabs[0]);
    set = dataset_read(&request, &error);
  }
  assert_true((set != NULL) != (error != NULL));
  if (error) {
    assert_int_equal(strncmp(error, f->path, strlen(f->path)), 0);
    strcpy(out, error + strlen(f->path));
    free(error);
    return out;
  }
  for (size_t i = 0; i < set->n_examples; i++) {
    const uint64_t *at = set->slots + i * set->width;
    for (uint32_t c = 0; c < set->n_columns; c++) {
      if (c)
        strcat(out, " ");
      if (set->columns[c].present)
        dump(f, set->columns[c].type, &at, out);
      else
        strcat(out, "-"), at += set->columns[c].width;
    }
    strcat(out, "\n");
  }
  if (set->n_skipped)
    sprintf(out + strlen(out), "skipped %zu\n", set->n_skipped);
  dataset_free(set);
  return out;
}

struct row {
  const char *format, *schema, *text, *expected;
};

static void run_rows(void **state, const struct row *rows, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char out[4096];
    assert_string_equal(
        read_text(*state, rows[i].format, rows[i].schema, rows[i].text, strlen(rows[i].text), false, out),
        rows[i].expected);
  }
}
#define RUN(rows) run_rows(state, rows, sizeof(rows) / sizeof *(rows))

static void bracketed_trees(void **state) {
  static const struct row rows[] = {
      {"ptb", "t:Tree", "(3 (2 It) (4 good))\n(1 no)", "Node(3,Leaf(2,It),Leaf(4,good))\nLeaf(1,no)\n"},
      {"ptb", "t:Tree", "\xef\xbb\xbf(3\r\n  (2 a)\r\n\t(2 b)\r\n)\r\n\r\n(1 c) (2 d)\n",
       "Node(3,Leaf(2,a),Leaf(2,b))\nLeaf(1,c)\nLeaf(2,d)\n"},
      {"ptb", "t:Tree", "(2 (2 -LRB-) (2 a\\/b))", "Node(2,Leaf(2,(),Leaf(2,a/b))\n"},
      {"ptb", "t:Tree", "( (3 (2 x) (2 y)) )", "Node(3,Leaf(2,x),Leaf(2,y))\n"},
      {"ptb", "p:Phrase", "(N the (V old cat) sat)",
       "Phrase(N,[Token(the) Phrase(V,[Token(old) Token(cat)]) Token(sat)])\n"},
      {"ptb", "p:Phrase", "(N (XX word) (V a b))", "Phrase(N,[Token(word) Phrase(V,[Token(a) Token(b)])])\n"},
      {"ptb", "t:Tree", "", ""},
  };
  RUN(rows);
}

static void bad_trees(void **state) {
  static const struct row rows[] = {
      {"ptb", "t:Tree", "(3 (2 a) (2 b)\n(1 c)\n",
       ":1:1: this bracket is never closed: the next tree begins at line 2"},
      {"ptb", "t:Tree", "(3 (2 a) (2 b)", ":1:1: this bracket is never closed"},
      {"ptb", "t:Tree", "(3 (2 a))", ":1:1: Tree has no constructor with 1 subtree"},
      {"ptb", "t:Tree", "\n(3 (2 a) (2 b) (2 c))", ":2:1: Tree has no constructor with 3 subtrees"},
      {"ptb", "t:Tree", "(3 a b)", ":1:4: Tree has no constructor for a bare word"},
      {"ptb", "t:Tree", "(3 (9 a) (2 b))",
       ":1:5: `9` is not in the closed vocabulary Label: it does not occur in the training data"},
      {"ptb", "t:Tree", ")", ":1:1: a closing bracket without an opening one"},
      {"ptb", "t:Tree", "hello", ":1:1: expected a tree, which begins with `(`"},
      {"ptb", "t:Tree", "(3 (2 a) ())", ":1:10: a bracket with nothing in it"},
      {"ptb", "w:[Word]", "(3 a)",
       ":1:1: bracketed trees fill a parameter that is a sum type, and the entry has none; give the "
       "format with --format"},
  };
  RUN(rows);
}

static void json_lines(void **state) {
  static const struct row rows[] = {
      {"jsonl", "w:[Word] l:Label",
       "{\"w\": [\"a\", \"b\", 3], \"l\": 2}\n\n{\"l\": \"N\", \"w\": [], \"more\": null}\n",
       "[a b 3] 2\n[] N\n"},
      {"jsonl", "i:int f:float b:bool",
       "{\"i\": -7, \"f\": 0.5, \"b\": true}\n{\"i\": 1, \"f\": 2, \"b\": false}",
       "-7 0.5 true\n1 2 false\n"},
      {"jsonl", "e:Expr",
       "{\"e\": {\"Apply\": {\"operator\": \"Min\", \"args\": [{\"Number\": [4]}, \"Nothing\"]}}}",
       "Apply(Min,[Number(4) Nothing])\n"},
      {"jsonl", "p:[()]", "{\"p\": [[1, \"a\"], [2, \"b\"]]}", "[(1,a) (2,b)]\n"},
      {"jsonl", "c:[Code]",
       "{\"c\": [{\"op\": \"a\", \"arg\": 1}, [\"b\", 2], {\"Op\": [\"c\", 3]}, {\"Op\": {\"arg\": 4, "
       "\"op\": \"d\"}}]}",
       "[(a,1) (b,2) (c,3) (d,4)]\n"},
      {"jsonl", "b:Bush", "{\"b\": {\"word\": \"a\", \"children\": [{\"Node\": [\"b\", []]}, [\"c\", []]]}}",
       "Node(a,[Node(b,[]) Node(c,[])])\n"},
      {"jsonl", "w:Wrap", "{\"w\": {\"Wrap\": 3}}\n{\"w\": {\"Wrap\": {\"Wrap\": 4}}}",
       ":2:1: at `w.Wrap`: expected an integer, found an object"},
      {"jsonl", "i:int absent:int", "{\"i\": 1}", "1 -\n"},
  };
  RUN(rows);
}

static void bad_json(void **state) {
  static const struct row rows[] = {
      {"jsonl", "i:int", "{\"i\": 1}\n{\"i\": \"x\"}", ":2:1: at `i`: expected an integer, found a string"},
      {"jsonl", "i:int", "{\"i\": 1.5}", ":1:1: at `i`: expected an integer, found a number with a fraction"},
      {"jsonl", "i:int", "[1]", ":1:1: expected an object with a key per parameter, found an array"},
      {"jsonl", "i:int j:int", "{\"i\": 1, \"j\": 2}\n{\"i\": 1}",
       ":2:1: this record has no `j`, as those before it have"},
      {"jsonl", "e:Expr", "{\"e\": {\"Apply\": {\"operator\": \"Sum\", \"args\": []}}}",
       ":1:1: `Sum` is no member of enum Operator"},
      {"jsonl", "e:Expr", "{\"e\": {\"Apply\": {\"operator\": \"Max\", \"args\": [{\"Number\": {}}]}}}",
       ":1:1: at `e.Apply.args[0].Number`: lacks the field value"},
      {"jsonl", "e:Expr", "{\"e\": {\"Number\": [1, 2]}}",
       ":1:1: at `e.Number`: has more fields than its type"},
      {"jsonl", "e:Expr", "{\"e\": {\"Numbre\": [1]}}", ":1:1: at `e`: Expr has no constructor named Numbre"},
      {"jsonl", "e:Expr", "{\"e\": 4}",
       ":1:1: at `e`: expected an Expr, which is {\"Number\": ...}, {\"Apply\": ...} or \"Nothing\", found "
       "an integer"},
      {"jsonl", "e:Expr", "{\"e\": {\"operator\": \"Max\", \"args\": []}}",
       ":1:1: at `e`: expected an Expr, which is {\"Number\": ...}, {\"Apply\": ...} or \"Nothing\", found "
       "an object with 2 keys"},
      {"jsonl", "b:Bush", "{\"b\": {\"word\": \"a\"}}", ":1:1: at `b`: lacks the field children"},
      {"jsonl", "c:[Code]", "{\"c\": [{\"Op\": 3}]}", ":1:1: at `c[0]`: lacks the field op"},
  };
  RUN(rows);
  char out[4096];
  assert_non_null(
      strstr(read_text(*state, "jsonl", "i:int", "{\"i\": 1", 7, false, out), ":1:7: not JSON: "));
}

static void plain_text(void **state) {
  static const struct row rows[] = {
      {"text", "w:[Word]", "the  cat\tsat\r\n\n  on it \n", "[the cat sat]\n[on it]\n"},
      {"text", "n:int w:[int]", "1 2 -3\n", "- [1 2 -3]\n"},
      {"text", "w:[int]", "1 2 x\n", ":1:5: expected an integer, found `x`"},
      {"text", "w:int", "1\n",
       ":1:1: plain text fills a parameter that is a list of tokens, such as `words: [Word]`, and the "
       "entry has none; give the format with --format"},
  };
  RUN(rows);
}

static void columns(void **state) {
  static const struct row rows[] = {
      {"tsv", "words:[Word] tags:[Label]", "words\ttags\na\tN\nb\tV\n\n\nc\tN\n", "[a b] [N V]\n[c] [N]\n"},
      {"tsv", "words:[Word] tags:[Label]", "tags\tother\twords\nN\tx\ta\n", "[a] [N]\n"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\nb\tV\n", "[a b] [N V]\n"},
      {"tsv:_,tags,words", "words:[Word] tags:[Label]", "x\tN\ta\n", "[a] [N]\n"},
      {"tsv:words,tags", "words:[Word] tags:[Label]", "words\ttags\na\tN\n", "[a] [N]\n"},
      {"tsv:words", "words:[Word] tags:[Label]", "words\ttags\na\tN\n", "[a] -\n"},
      {"tsv:_,words", "words:[Word]", "words\ttags\na\tN\n", "[tags N]\n"},
      {"tsv", "l:Label words:[Word]", "N\tthe cat\nV\tsits\n", "N [the cat]\nV [sits]\n"},
      {"conllu", "words:[Word] heads:[int]",
       "# text = a "
       "b\n1-2\tab\t_\t_\t_\t_\t_\t_\t_\t_\n1\ta\ta\tN\t_\t_\t2\tx\t_\t_\n2\tb\tb\tV\t_\t_\t0\troot\t_\t_\n2."
       "1\tc\tc\tV\t_\t_\t0\tr\t_\t_\n\n",
       "[a b] [2 0]\n"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\nb\n", ":2:2: this line has 1 column; `tags` is column 2"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\n\nb\tQ\n",
       ":3:3: `Q` is not in the closed vocabulary Label: it does not occur in the training data"},
      {"tsv", "t:Tree", "a\n", ":1:1: columns cannot give parameter `t`, a Tree; use jsonl"},
      {"conllu", "n:int", "1\ta\n", ":1:1: CoNLL-U has a token a line, so every parameter must be a list"},
  };
  RUN(rows);
}

static void bad_records_can_be_skipped(void **state) {
  char out[4096];
  const char *trees = "(3 (2 a) (2 b)\n(1 c)\n(9 d)\n(2 e)\n";
  assert_string_equal(read_text(*state, "ptb", "t:Tree", trees, strlen(trees), true, out),
                      "Leaf(1,c)\nLeaf(2,e)\nskipped 2\n");
  const char *json = "{\"i\": 1}\nnonsense\n{\"i\": 2}\n";
  assert_string_equal(read_text(*state, "jsonl", "i:int", json, strlen(json), true, out),
                      "1\n2\nskipped 1\n");
  const char *tsv = "a\tN\nb\n\nc\tV\n";
  assert_string_equal(read_text(*state, "tsv", "w:[Word] t:[Label]", tsv, strlen(tsv), true, out),
                      "[c] [V]\nskipped 1\n");
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

// What a bad record has said before it goes wrong is not counted.
static void skipped_records_leave_no_tokens(void **state) {
  char out[4096];
  struct fixture *f = *state;
  const char *text = "{\"w\": [\"a\", \"ghost\"], \"i\": \"x\"}\n{\"w\": [\"b\"], \"i\": 1}\n";
  assert_string_equal(read_text(f, "jsonl", "w:[Word] i:int", text, strlen(text), true, out),
                      "[b] 1\nskipped 1\n");
  assert_int_equal(vocab_size(f->vocabs[0]), 2);
  assert_string_equal(vocab_entry(f->vocabs[0], 1), "b");
}

static void files_are_appended(void **state) {
  struct fixture *f = *state;
  struct dataset_column columns[] = {{"w", type_of(f->module, "[Word]"), 0, 1, false},
                                     {"i", type_of(f->module, "int"), 1, 1, false}};
  struct dataset_request request = {f->module, f->vocabs, 2, columns, f->path, "jsonl", false};
  char *error = NULL;
  vocab_freeze(f->vocabs[0]);
  write_file(f->path, "\n{\"w\": [\"a\"], \"i\": 1}\n{\"w\": [], \"i\": 2}\n");
  struct nn_dataset *set = dataset_read(&request, &error);
  assert_non_null(set);
  // A file that breaks off adds nothing.
  char second[300];
  snprintf(second, sizeof second, "%s.more", f->path);
  request.path = second;
  write_file(second, "{\"w\": [], \"i\": 3}\n{\"w\": 4}\n");
  assert_false(dataset_append(set, &request, &error));
  assert_non_null(strstr(error, ".more:2:1: at `w`: expected a list"));
  free(error);
  error = NULL;
  assert_int_equal(set->n_examples, 2);
  assert_int_equal(set->n_files, 1);
  // Nor one that lacks a column that the first has.
  write_file(second, "{\"w\": []}\n");
  assert_false(dataset_append(set, &request, &error));
  assert_non_null(strstr(error, ".more:1:1: this record has no `i`"));
  free(error);
  error = NULL;
  write_file(second, "");
  assert_true(dataset_append(set, &request, &error));
  write_file(second, "{\"w\": [], \"i\": 5}\n\n{\"i\": 6, \"w\": []}\n");
  assert_true(dataset_append(set, &request, &error));
  assert_int_equal(set->n_examples, 4);
  static const struct {
    uint64_t i;
    bool second;
    uint32_t line;
  } expected[] = {{1, false, 2}, {2, false, 3}, {5, true, 1}, {6, true, 3}};
  for (size_t e = 0; e < 4; e++) {
    assert_int_equal(set->slots[e * set->width + 1], expected[e].i);
    assert_string_equal(dataset_file_of(set, e)->path, expected[e].second ? second : f->path);
    assert_int_equal(set->lines[e], expected[e].line);
  }
  dataset_free(set);
  unlink(second);
}

static void text_that_is_not_utf8_is_refused(void **state) {
  char out[4096];
  static const char *const wrong[] = {"b\xe9", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "a\xc3", "\x80"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char text[32];
    snprintf(text, sizeof text, "ok %s\n", wrong[i]);
    assert_string_equal(read_text(*state, "text", "w:[Word]", text, strlen(text), false, out),
                        ":1:4: this is not UTF-8");
  }
  const char *right = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb2\n";
  assert_string_equal(read_text(*state, "text", "w:[Word]", right, strlen(right), false, out),
                      "[\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb2]\n");
}

static void nul_bytes_are_refused(void **state) {
  char out[4096];
  assert_string_equal(read_text(*state, "text", "w:[Word]", "a b\0c\n", 6, false, out),
                      ":1:4: a NUL byte in a text");
  assert_string_equal(read_text(*state, "ptb", "t:Tree", "(2 \0a)\n", 7, false, out),
                      ":1:4: a NUL byte in a tree");
}

static void deep_trees_are_read(void **state) {
  enum { DEPTH = 200000 };
  char *text = malloc(DEPTH * 16), *at = text, *out = malloc(64);
  for (int i = 0; i < DEPTH; i++)
    at += sprintf(at, "(3 (2 a) ");
  at += sprintf(at, "(2 b)");
  for (int i = 0; i < DEPTH; i++)
    *at++ = ')';
  *at++ = '\n';
  struct fixture *f = *state;
  struct dataset_column column = {"t", type_of(f->module, "Tree"), 0, 1, false};
  struct dataset_request request = {f->module, f->vocabs, 1, &column, f->path, "ptb", false};
  FILE *file = fopen(f->path, "wb");
  fwrite(text, 1, (size_t)(at - text), file);
  fclose(file);
  char *error = NULL;
  vocab_freeze(f->vocabs[0]);
  struct nn_dataset *set = dataset_read(&request, &error);
  assert_non_null(set);
  assert_int_equal(set->n_examples, 1);
  dataset_free(set);
  free(text);
  free(out);
}

static void vocabularies(void **state) {
  (void)state;
  struct vocab *v = vocab_new("V", false, 2, 4);
  static const char *const tokens[] = {"a", "b", "b", "c", "c", "c", "d", "d", "e", "e", "<unk>", "<unk>"};
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
    vocab_count(v, tokens[i], strlen(tokens[i]));
  vocab_freeze(v);
  // Room for three beside <unk>: c (3), then of b, d, e (2 each) the first two. a is rarer than min_count.
  assert_int_equal(vocab_size(v), 4);
  assert_string_equal(vocab_entry(v, 0), "<unk>");
  assert_string_equal(vocab_entry(v, 1), "b");
  assert_string_equal(vocab_entry(v, 2), "c");
  assert_string_equal(vocab_entry(v, 3), "d");
  assert_int_equal(vocab_find(v, "e", 1), 0);
  assert_int_equal(vocab_find(v, "<unk>", 5), 0);
  vocab_free(v);
  char *error = NULL;
  v = vocab_new("V", true, 1, 0);
  assert_false(vocab_set(v, (const char *const[]){"x", "y", "x"}, 3, &error));
  assert_non_null(strstr(error, "`x` is in it twice"));
  free(error);
  error = NULL;
  assert_true(vocab_set(v, (const char *const[]){"x", "y"}, 2, &error));
  assert_int_equal(vocab_find(v, "y", 1), 1);
  assert_int_equal(vocab_find(v, "z", 1), -1);
  vocab_free(v);
}

static void formats_are_guessed_or_refused(void **state) {
  char out[4096];
  struct fixture *f = *state;
  struct dataset_column column = {"w", type_of(f->module, "[Word]"), 0, 1, false};
  struct dataset_request request = {f->module, f->vocabs, 1, &column, f->path, NULL, false};
  read_text(f, "text", "w:[Word]", "a\n", 2, false, out);
  char *error = NULL;
  assert_null(dataset_read(&request, &error));
  assert_non_null(strstr(error, "cannot be told from the name"));
  free(error);
  error = NULL;
  request.format = "xml";
  assert_null(dataset_read(&request, &error));
  assert_string_equal(error, "unknown data format `xml`; there are ptb, jsonl, text, tsv and conllu");
  free(error);
  error = NULL;
  // A .txt file with trees, for a model that takes nothing else, whatever it begins with; for one that also takes words
  // the first character decides.
  struct dataset_column both[] = {{"t", type_of(f->module, "Tree"), 0, 1, false},
                                  {"w", type_of(f->module, "[Word]"), 1, 1, false}};
  char text[300];
  snprintf(text, sizeof text, "%s.txt", f->path);
  struct dataset_request guess = {f->module, f->vocabs, 1, both, text, NULL, false};
  write_file(text, "word");
  assert_null(dataset_read(&guess, &error));
  assert_non_null(strstr(error, "expected a tree"));
  free(error);
  error = NULL;
  guess.n_columns = 2;
  struct nn_dataset *set = dataset_read(&guess, &error);
  assert_non_null(set);
  assert_true(set->columns[1].present && !set->columns[0].present);
  dataset_free(set);
  write_file(text, " \n(2 a)\n");
  set = dataset_read(&guess, &error);
  assert_non_null(set);
  assert_true(set->columns[0].present && !set->columns[1].present);
  dataset_free(set);
  unlink(text);
  request.path = "/nonexistent.txt";
  assert_null(dataset_read(&request, &error));
  assert_string_equal(error, "/nonexistent.txt: No such file or directory");
  free(error);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(bracketed_trees, setup, teardown),
      cmocka_unit_test_setup_teardown(bad_trees, setup, teardown),
      cmocka_unit_test_setup_teardown(json_lines, setup, teardown),
      cmocka_unit_test_setup_teardown(bad_json, setup, teardown),
      cmocka_unit_test_setup_teardown(plain_text, setup, teardown),
      cmocka_unit_test_setup_teardown(columns, setup, teardown),
      cmocka_unit_test_setup_teardown(bad_records_can_be_skipped, setup, teardown),
      cmocka_unit_test_setup_teardown(skipped_records_leave_no_tokens, setup, teardown),
      cmocka_unit_test_setup_teardown(files_are_appended, setup, teardown),
      cmocka_unit_test_setup_teardown(text_that_is_not_utf8_is_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(nul_bytes_are_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(deep_trees_are_read, setup, teardown),
      cmocka_unit_test_setup_teardown(formats_are_guessed_or_refused, setup, teardown),
      cmocka_unit_test(vocabularies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

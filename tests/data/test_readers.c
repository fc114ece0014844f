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
#include "runtime/value/value_text.h"

static const char module_text[] =
    "module test\n"
    "vocab Word\n"
    "vocab Label closed\n"
    "enum Operator Max Min\n"
    "vocab Char characters\n"
    "vocab Letter characters of s, ss\n"
    "vocab Piece of ss, t\n"
    "data Tree = Leaf(label: Label, word: Word) | Node(label: Label, left: Tree, right: Tree)\n"
    "data Phrase = Token(word: Word) | Phrase(label: Label, parts: [Phrase])\n"
    "data Expr = Number(value: int) | Apply(operator: Operator, args: [Expr]) | Nothing()\n"
    "data Bush = Node(word: Word, children: [Bush])\n"
    "data Wrap = Wrap(Wrap: int)\n"
    "data Twig = Twig(label: Label, mark: Mark(form: text, word: Word, chars: [Char])) | Fork(label: Label, "
    "left: "
    "Twig, right: Twig)\n";
enum { CHAR = 3, LETTER, PIECE, N_VOCABS };

struct fixture {
  struct ir_module *module;
  struct vocab *vocabs[N_VOCABS];
  char folder[64], path[128];
};

static const struct ir_type *type_of(struct ir_module *m, const char *name) {
  if (*name == '[') {
    char inner[32];
    snprintf(inner, sizeof inner, "%.*s", (int)strlen(name) - 2, name + 1);
    return ir_type_list(m, type_of(m, inner));
  }
  if (!strcmp(name, "(text)")) {
    const struct ir_field fields[2] = {{NULL, type_of(m, "text")}, {NULL, type_of(m, "int")}};
    return ir_type_tuple(m, NULL, 2, fields);
  }
  if (*name == '(') {
    const struct ir_field fields[2] = {{NULL, type_of(m, "int")}, {NULL, type_of(m, "Word")}};
    return ir_type_tuple(m, NULL, 2, fields);
  }
  if (!strcmp(name, "Code")) {
    const struct ir_field fields[2] = {{"op", type_of(m, "Word")}, {"arg", type_of(m, "int")}};
    return ir_type_tuple(m, "Op", 2, fields);
  }
  if (!strcmp(name, "Mark"))
    return m->datas[m->n_datas - 1]->constructors[0].fields[1].type;
  if (!strcmp(name, "text"))
    return ir_type_simple(m, IR_TEXT);
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
  case IR_TEXT: {
    const struct value_text *text = (const struct value_text *)(uintptr_t) * (*slots)++;
    assert_int_equal(strlen(text->bytes), text->length);
    sprintf(end, "\"%s\"", text->bytes);
    break;
  }
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
  for (size_t i = 0; i < N_VOCABS; i++)
    vocab_free(f->vocabs[i]);
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
  struct dataset_request request = {f->module, f->vocabs, 0,        columns, f->path,
                                    NULL,      format,    skip_bad, 0,       NULL};
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
  for (size_t i = CHAR; i < N_VOCABS; i++) {
    vocab_free(f->vocabs[i]);
    f->vocabs[i] = vocab_new(f->module->dims[i]->atom.name, false, 1, 0);
  }
  char *error = NULL;
  struct nn_dataset *set = NULL;
  *out = 0;
  size_t n_counted;
  if (dataset_count(&request, &n_counted, &error)) {
    for (size_t i = 0; i < N_VOCABS; i++)
      if (f->vocabs[i])
        vocab_freeze(f->vocabs[i]);
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
      dump(f, set->columns[c].type, &at, out);
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
    read_text(*state, rows[i].format, rows[i].schema, rows[i].text, strlen(rows[i].text), false, out);
    assert_string_equal(out, rows[i].expected);
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
       ":1:5: `9` is not in the closed vocabulary Label: it does not occur in the training data; that has "
       "`0`, `1`, `2`, `3`, `4`, `N`, `V`"},
      {"ptb", "t:Tree", ")", ":1:1: a closing bracket without an opening one"},
      {"ptb", "t:Tree", "hello", ":1:1: expected a tree, which begins with `(`"},
      {"ptb", "t:Tree", "(3 (2 a) ())", ":1:10: a bracket with nothing in it"},
      {"ptb", "t:Tree", "(3 (2 a) (4))",
       ":1:10: a bracket with a label and neither a word nor a subtree behind it"},
      {"ptb", "w:[Word]", "(3 a)",
       ": bracketed trees fill a parameter that is a sum type, and the entry has none; give the "
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
       ":2:16: at `w.Wrap`: expected an integer, found an object"},
      {"jsonl", "i:int absent:int", "{\"i\": 1, \"absnt\": 2}",
       ":1:1: this record has no `absent`; did you mean `absnt`? it has `i`, `absnt`"},
  };
  RUN(rows);
}

static void bad_json(void **state) {
  static const struct row rows[] = {
      {"jsonl", "i:int", "{\"i\": 1}\n{\"i\": \"x\"}", ":2:7: at `i`: expected an integer, found a string"},
      {"jsonl", "i:int", "{\"i\": 1.5}", ":1:7: at `i`: expected an integer, found a number with a fraction"},
      {"jsonl", "i:int", "[1]", ":1:2: expected an object with a key per parameter, found an integer"},
      {"jsonl", "i:int j:int", "{\"i\": 1, \"j\": 2}\n{\"i\": 1}",
       ":2:1: this record has no `j`; it has `i`"},
      {"jsonl", "e:Expr", "{\"e\": {\"Apply\": {\"operator\": \"Sum\", \"args\": []}}}",
       ":1:30: at `e.Apply.operator`: `Sum` is no member of enum Operator; it has `Max`, `Min`"},
      {"jsonl", "e:Expr", "{\"e\": {\"Apply\": {\"operator\": \"Max\", \"args\": [{\"Number\": {}}]}}}",
       ":1:57: at `e.Apply.args[0].Number`: lacks the field value"},
      {"jsonl", "e:Expr", "{\"e\": {\"Number\": [1, 2]}}",
       ":1:22: at `e.Number`: value 2 is one too many for 1 field: `value`"},
      {"jsonl", "e:Expr", "{\"e\": {\"Numbre\": [1]}}",
       ":1:8: at `e`: `Numbre` is no constructor of Expr, which is {\"Number\": ...}, {\"Apply\": ...} or "
       "\"Nothing\"; did you mean `Number`?"},
      {"jsonl", "e:Expr", "{\"e\": 4}",
       ":1:7: at `e`: expected an Expr, which is {\"Number\": ...}, {\"Apply\": ...} or \"Nothing\", found "
       "an integer"},
      {"jsonl", "e:Expr", "{\"e\": {\"operator\": \"Max\", \"args\": []}}",
       ":1:8: at `e`: `operator` is no constructor of Expr, which is {\"Number\": ...}, {\"Apply\": ...} or "
       "\"Nothing\""},
      {"jsonl", "b:Bush", "{\"b\": {\"word\": \"a\"}}", ":1:7: at `b`: lacks the field children"},
      {"jsonl", "c:[Code]", "{\"c\": [{\"Op\": 3}]}",
       ":1:15: at `c[0].Op`: expected its fields as an object or an array, found an integer"},
  };
  RUN(rows);
  char out[4096];
  assert_non_null(strstr(read_text(*state, "jsonl", "i:int", "{\"i\": 1", 7, false, out),
                         ":1:1: not JSON: this object is never closed"));
}

static void plain_text(void **state) {
  static const struct row rows[] = {
      {"text", "w:[Word]", "the  cat\tsat\r\n\n  on it \n", "[the cat sat]\n[on it]\n"},
      {"text", "w:[int]", "1 2 -3\n", "[1 2 -3]\n"},
      {"text", "n:int w:[int]", "1 2 -3\n",
       ": plain text fills one parameter, `w`, and there is `n`, too; use jsonl or tsv"},
      {"text", "w:[int]", "1 2 x\n", ":1:5: expected an integer, found `x`"},
      {"text", "w:int", "1\n",
       ": plain text fills a parameter that is a list of tokens, such as `words: [Word]`, and the "
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
      {"tsv:words", "words:[Word] tags:[Label]", "words\ttags\na\tN\n", ": --format names no column `tags`"},
      {"tsv:_,words", "words:[Word]", "words\ttags\na\tN\n", "[tags N]\n"},
      {"tsv", "l:Label words:[Word]", "N\tthe cat\nV\tsits\n", "N [the cat]\nV [sits]\n"},
      {"conllu", "words:[Word] heads:[int]",
       "# text = a "
       "b\n1-2\tab\t_\t_\t_\t_\t_\t_\t_\t_\n1\ta\ta\tN\t_\t_\t2\tx\t_\t_\n2\tb\tb\tV\t_\t_\t0\troot\t_\t_\n2."
       "1\tc\tc\tV\t_\t_\t0\tr\t_\t_\n\n",
       "[a b] [2 0]\n"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\nb\n", ":2:2: this line has 1 column, and line 1 has 2"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\n\nb\tQ\n",
       ":3:3: `Q` is not in the closed vocabulary Label: it does not occur in the training data; that has "
       "`0`, `1`, `2`, `3`, `4`, `N`, `V`"},
      {"tsv", "t:Tree", "a\n", ": columns cannot give parameter `t`, a Tree; use jsonl"},
      {"conllu", "n:int", "1\ta\n", ": CoNLL-U has a token a line, so every parameter must be a list"},
  };
  RUN(rows);
}

static void texts(void **state) {
  static const struct row rows[] = {
      {"jsonl", "s:text n:int", "{\"s\": \"a \\u00e9\\n\", \"n\": 1}\n{\"n\": 2, \"s\": \"\"}\n",
       "\"a \xc3\xa9\n\" 1\n\"\" 2\n"},
      {"jsonl", "s:text", "{\"s\": 3}", ":1:7: at `s`: expected a text, found an integer"},
      {"jsonl", "w:[text]", "{\"w\": [\"a\", \"\"]}", "[\"a\" \"\"]\n"},
      {"jsonl", "c:[Char]", "{\"c\": \"na\xc3\xafv\"}\n{\"c\": [\"n\", \"a\"]}\n{\"c\": \"\"}\n",
       "[n a \xc3\xaf v]\n[n a]\n[]\n"},
      {"jsonl", "m:[Mark]",
       "{\"m\": [\"it\", {\"form\": \"x\", \"word\": \"y\", \"chars\": \"zy\"}, [\"a\", \"b\", [\"c\"]]]}",
       "[(\"it\",it,[i t]) (\"x\",y,[z y]) (\"a\",b,[c])]\n"},
      {"jsonl", "p:()", "{\"p\": \"3\"}", ":1:7: at `p`: expected a tuple of 2, found a string"},
      {"tsv", "p:() l:Label", "p\tl\n3\tN\n", ": columns cannot give parameter `p`, a tuple of 2; use jsonl"},
      {"jsonl", "w:[Word]", "{\"w\": \"ab\"}",
       ":1:7: at `w`: expected a list (each element a Word), found a string"},
      {"text", "w:[text]", "the  cat\n\nit\n", "[\"the\" \"cat\"]\n[\"it\"]\n"},
      {"text", "m:[Mark]", "to \xc3\xa9\n", "[(\"to\",to,[t o]) (\"\xc3\xa9\",\xc3\xa9,[\xc3\xa9])]\n"},
      {"text", "s:text", "the  cat \n", "\"the  cat \"\n"},
      {"text", "c:[Char]", "a b\n", "[a   b]\n"},
      {"text", "c:[[Char]]", "ab b\n", "[[a b] [b]]\n"},
      {"tsv", "words:[Mark] tags:[Label]", "words\ttags\nab\tN\nc\tV\n\nb\tN\n",
       "[(\"ab\",ab,[a b]) (\"c\",c,[c])] [N V]\n[(\"b\",b,[b])] [N]\n"},
      {"tsv", "tags:[Label] words:[Mark] n:[int]", "tags\twords\tn\nN\tab\t1\nV\tc\t2\n",
       "[N V] [(\"ab\",ab,[a b]) (\"c\",c,[c])] [1 2]\n"},
      {"tsv", "words:[text] chars:[[Char]]", "x\tab\n\tc\n", "[\"x\" \"\"] [[a b] [c]]\n"},
      {"tsv", "s:text c:[Char] l:Label", "s\tc\tl\na b\tx y\tN\n\t\tV\n", "\"a b\" [x   y] N\n\"\" [] V\n"},
      {"tsv", "m:Mark l:Label", "m\tl\nab\tN\n", "(\"ab\",ab,[a b]) N\n"},
      {"tsv", "m:Mark l:Label", "m\tl\n\tN\n", ":2:1: column 1, `m`, is empty"},
      {"tsv", "w:[text] l:Label", "w\tl\na b\tN\n", "[\"a\" \"b\"] N\n"},
      {"conll", "words:[Mark] tags:[Label]", "ab N\nc V\n", "[(\"ab\",ab,[a b]) (\"c\",c,[c])] [N V]\n"},
      {"conllu", "words:[Mark] tags:[text]",
       "1\tab\t_\tN\t_\t_\t0\troot\t_\t_\n2\tc\t_\tV\t_\t_\t1\tx\t_\t_\n",
       "[(\"ab\",ab,[a b]) (\"c\",c,[c])] [\"N\" \"V\"]\n"},
      {"ptb", "t:Twig", "(3 (2 It) (4 (1 -LRB-) (2 x)))",
       "Fork(3,Twig(2,(\"It\",It,[I t])),Fork(4,Twig(1,(\"(\",(,[(])),Twig(2,(\"x\",x,[x]))))\n"},
  };
  RUN(rows);
}

static void expect_entries(const struct vocab *vocab, const char *expected) {
  char out[200] = "";
  for (size_t i = 0; i < vocab_size(vocab); i++)
    snprintf(out + strlen(out), sizeof out - strlen(out), "%s ", vocab_entry(vocab, (int64_t)i));
  assert_string_equal(out, expected);
}

// Vocabularies that are of a parameter's texts are counted in these, wherever they stand in it.
static void texts_are_counted(void **state) {
  struct fixture *f = *state;
  char out[4096];
  const char *data =
      "{\"ss\": [[\"ab\", 1], [\"b\", 2]], \"t\": \"ab\"}\n{\"ss\": [[\"bad\", 1], [3, 2]], \"t\": \"x\"}\n"
      "{\"ss\": [], \"t\": \"\"}\n";
  assert_string_equal(read_text(f, "jsonl", "ss:[(text)] t:text", data, strlen(data), true, out),
                      "[(\"ab\",1) (\"b\",2)] \"ab\"\n[] \"\"\nskipped 1\n");
  expect_entries(f->vocabs[PIECE], "<unk> ab b ");
  expect_entries(f->vocabs[LETTER], "<unk> a b ");
  read_text(f, "text", "s:text", "a\xc3\xa9 a\n", 6, false, out);
  expect_entries(f->vocabs[LETTER], "<unk> a \xc3\xa9   ");
  expect_entries(f->vocabs[PIECE], "<unk> ");
  read_text(f, "tsv", "ss:[text] t:[text]", "ss\tt\nx\ty\nz\tx\n", 13, false, out);
  expect_entries(f->vocabs[PIECE], "<unk> x y z ");
  read_text(f, "text", "ss:[text]", "k l\n", 4, false, out);
  expect_entries(f->vocabs[PIECE], "<unk> k l ");
}

// What is always there comes first, however often the data has it.
static void entries_are_fixed(void **state) {
  (void)state;
  struct vocab *v = vocab_new("V", false, 2, 4);
  assert_true(vocab_fix(v, (const char *const[]){"UNK", "<s>"}, 2));
  static const char *const tokens[] = {"a", "<s>", "b", "a", "UNK", "<s>", "c", "b", "c", "c", "d"};
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
    vocab_count(v, tokens[i], strlen(tokens[i]));
  assert_true(vocab_freeze(v));
  expect_entries(v, "UNK <s> a c ");
  assert_int_equal(vocab_find(v, "d", 1), 0);
  assert_int_equal(vocab_find(v, "UNK", 3), 0);
  assert_string_equal(vocab_text(v, 3)->bytes, "c");
  char *error = NULL;
  assert_false(vocab_set(v, (const char *const[]){"UNK", "a"}, 2, &error));
  assert_string_equal(error, "vocabulary V: its entry 2 is not <s>");
  free(error);
  vocab_free(v);
  v = vocab_new("W", true, 1, 0);
  assert_true(vocab_fix(v, (const char *const[]){"O"}, 1));
  vocab_count(v, "B", 1);
  assert_true(vocab_freeze(v));
  expect_entries(v, "O B ");
  assert_int_equal(vocab_find(v, "I", 1), -1);
  vocab_free(v);
}

// What strings become before they are counted or looked for.
static void entries_are_normal(void **state) {
  (void)state;
  struct vocab *v = vocab_new("V", false, 1, 0);
  vocab_normalise(v, IR_NORMAL_LOWER | IR_NORMAL_NFC);
  assert_true(vocab_fix(v, (const char *const[]){"<unk>", "EOS"}, 2));
  static const char *const tokens[] = {"The", "the", "EOS", "E\xcc\x81T\xc3\x89"};
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
    vocab_count(v, tokens[i], strlen(tokens[i]));
  assert_true(vocab_freeze(v));
  expect_entries(v, "<unk> EOS the \xc3\xa9t\xc3\xa9 ");
  assert_int_equal(vocab_find(v, "THE", 3), 2);
  assert_int_equal(vocab_find(v, "EOS", 3), 1);
  assert_int_equal(vocab_find(v, "eos", 3), 0);
  assert_int_equal(vocab_find(v, "\xc3\x89te\xcc\x81", 6), 3);
  vocab_free(v);
  v = vocab_new("W", true, 1, 0);
  vocab_normalise(v, IR_NORMAL_NFKC);
  vocab_count(v, "\xef\xac\x81", 3);  // the ligature of f and i
  assert_true(vocab_freeze(v));
  expect_entries(v, "fi ");
  assert_int_equal(vocab_find(v, "\xef\xac\x81", 3), 0);
  assert_int_equal(vocab_find(v, "FI", 2), -1);
  vocab_free(v);
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
  struct dataset_column columns[] = {{"w", type_of(f->module, "[Word]"), 0, 1, NULL},
                                     {"i", type_of(f->module, "int"), 1, 1, NULL}};
  struct dataset_request request = {f->module, f->vocabs, 2, columns, f->path, NULL, "jsonl", false, 0, NULL};
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
  assert_non_null(strstr(error, ".more:2:7: at `w`: expected a list"));
  free(error);
  error = NULL;
  assert_int_equal(set->n_examples, 2);
  assert_int_equal(set->n_files, 1);
  // Nor one that lacks a column that the first has.
  write_file(second, "{\"w\": []}\n");
  assert_false(dataset_append(set, &request, &error));
  assert_non_null(strstr(error, ".more:1:1: this record has no `i`; it has `w`"));
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

// Which line is a header, and which column is which.
static void headers(void **state) {
  const char *const schema = "words:[Word] tags:[Label]";
  const struct row rows[] = {
      // All names; names and what else there is; no name.
      {"tsv", schema, "tags\twords\nN\ta\n", "[a] [N]\n"},
      {"tsv", schema, "id\ttags\twords\n1\tN\ta\n", "[a] [N]\n"},
      {"tsv", schema, "a\tN\n", "[a] [N]\n"},
      // What may be either is not guessed.
      {"tsv", schema, "words\tN\nb\tV\n",
       ":1:1: the header has no column `tags`; it has `words`, `N` (if this line is data: --format "
       "tsv-header)"},
      {"tsv-header", schema, "words\tN\nb\tV\n", "[words b] [N V]\n"},
      {"tsv", schema, "words\ttag\nb\tV\n",
       ":1:1: the header has no column `tags`; did you mean `tag`? it has `words`, `tag` (if this line is "
       "data: "
       "--format tsv-header)"},
      {"tsv", schema, "word\ttag\nb\tV\n",
       ":1:1: the header has no column `words`; did you mean `word`? it has `word`, `tag` (if this line is "
       "data: "
       "--format tsv-header)"},
      {"tsv", "words:[Word]", "words\tN\nb\tV\n",
       ":1:1: line 1 may be a header or data: give --format tsv+header or tsv-header"},
      {"tsv+header", "words:[Word]", "words\tN\nb\tV\n", "[b]\n"},
      {"tsv-header:words", "words:[Word]", "words\tN\nb\tV\n", "[words b]\n"},
      {"tsv", "words:[Word]", "words\nb\n", "[b]\n"},
      {"tsv-header", "words:[Word]", "words\nb\n", "[words b]\n"},
      {"tsv+header", schema, "a\tN\n",
       ":1:1: the header has no column `words`; it has `a`, `N` (if this line is "
       "data: --format tsv-header)"},
      {"tsv+header:words,tags", schema, "a\tN\nb\tV\n", "[b] [V]\n"},
      {"tsv", schema, "words\ttags\twords\na\tN\tb\n", ":1:1: two columns are named `words`"},
      // Without a header there is one column a parameter.
      {"tsv", "words:[Word]", "a\tN\n",
       ":1:1: 2 columns without a header for 1 parameter: say which is which, such as --format tsv:words,_"},
      {"tsv:words", "words:[Word]", "a\tN\n", "[a]\n"},
      {"tsv", schema, "a\nb\n", ":1:2: this line has 1 column, and none is `tags`"},
      {"tsv", schema, "a N\n",
       ":1:4: this line has 1 column, and none is `tags`. Columns are separated by tabs, and this line has "
       "blanks; "
       "--format conll takes blanks"},
      {"tsv", "words:[Word]", "New York\n",
       ":1:1: one token a line, and this line has blanks: give --format conll if they separate columns, "
       "--format "
       "tsv:words if they are part of the token, --format text for a sentence a line"},
      {"tsv:words", "words:[Word]", "New York\n", "[New York]\n"},
      // Names given with the format.
      {"tsv:wrods,tags", schema, "a\tN\n",
       ": --format names a column `wrods`, which is no parameter of an entry; did you mean `words`? there "
       "are `words`, "
       "`tags`"},
      {"tsv:words,words", schema, "a\tN\n", ": --format names two columns `words`"},
      {"tsv:words,,tags", schema, "a\tN\n", ": --format gives column 2 no name; `_` passes over one"},
      {"tsv:words,_,tags", schema, "a\tN\n", ":1:1: this line has 2 columns; `tags` is column 3"},
  };
  RUN(rows);
}

static void ragged_and_empty_columns(void **state) {
  static const struct row rows[] = {
      {"tsv:words", "words:[Word]", "a\tN\nb\n", ":2:2: this line has 1 column, and line 1 has 2"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\nb\tV\tx\n",
       ":2:6: this line has 3 columns, and line 1 has 2"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\nb V\n",
       ":2:4: this line has 1 column, and line 1 has 2; columns are separated by tabs"},
      {"tsv", "l:Label words:[Word]", "N\ta b\nV\n", ":2:2: this line has 1 column, and line 1 has 2"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\n\tV\n", ":2:1: column 1, `words`, is empty"},
      {"tsv", "words:[Word] tags:[Label]", "a\tN\nb\t\n", ":2:3: column 2, `tags`, is empty"},
      // A list may be empty, and quotes mean themselves.
      {"tsv", "l:Label words:[Word]", "N\t\nV\t\"a\" b\"\n", "N []\nV [\"a\" b\"]\n"},
      {"tsv", "i:int f:float b:bool", "-7\t1e3\t1\n0012\t.5\tfalse\n", "-7 1000 true\n12 0.5 false\n"},
      {"tsv", "i:int f:float", "9223372036854775807\t1e-400\n", "9223372036854775807 0\n"},
      {"tsv", "i:int f:float", "9223372036854775808\t1\n",
       ":1:1: expected an integer, found `9223372036854775808`, which does not fit 64 bits"},
      {"tsv", "i:int f:float", "1\t1e400\n", ":1:3: expected a number, found `1e400`"},
      {"tsv", "i:int f:float", "1.0\t1\n", ":1:1: expected an integer, found `1.0`"},
  };
  RUN(rows);
}

static void conll_columns(void **state) {
  static const struct row rows[] = {
      {"conll:words,_,tags", "words:[Word] tags:[Label]",
       "-DOCSTART- -X- N\n\nEU  NNP   N\nrejects VBZ V \n\n-DOCSTART- -X- N\n\nGerman JJ N\n",
       "[EU rejects] [N V]\n[German] [N]\n"},
      {"conll", "words:[Word] tags:[Label]", "EU N\nx V\n-DOCSTART- N\ny N\n", "[EU x] [N V]\n[y] [N]\n"},
      {"conll", "words:[Word] tags:[Label]", "New York\tN\n", "[New York] [N]\n"},
      {"conll", "words:[Word] tags:[Label]", "words tags\nEU N\n", "[EU] [N]\n"},
      {"conll", "words:[Word] tags:[Label]", "EU NNP N\n",
       ":1:1: 3 columns without a header for 2 parameters: say which is which, such as --format "
       "conll:words,tags,_"},
      {"conll", "words:[Word] tags:[Label]", "EU N\nrejects VBZ V\n",
       ":2:14: this line has 3 columns, and line 1 has 2"},
      {"conll", "l:Label words:[Word]", "N a\n",
       ": conll has a token a line, so every parameter must be a list; use tsv or jsonl"},
      {"conllu", "words:[Word]", "1\ta\n",
       ":1:4: this line has 2 columns, and CoNLL-U has 10, separated by tabs; for others give --format "
       "tsv:... or "
       "conll:... with their names"},
      {"conllu", "words:[Word]", "x\ta\t_\t_\t_\t_\t_\t_\t_\t_\n",
       ":1:1: expected a number of a word (ID), found `x`"},
      {"conllu", "words:[Word]", "1-\ta\t_\t_\t_\t_\t_\t_\t_\t_\n",
       ":1:1: expected a number of a word (ID), found `1-`"},
      {"conllu", "words:[Word]", "1\ta\t_\t_\t_\t_\t_\t_\t_\t_\n1\tb\t_\t_\t_\t_\t_\t_\t_\t_\n",
       ":2:1: expected word 2 of the sentence, found 1: sentences are separated by a blank line"},
      {"conllu", "words:[Word] tgas:[Label]", "",
       ": CoNLL-U has no column for `tgas`; did you mean `tags`? It has words, lemmas, tags, xtags, "
       "features, heads, "
       "relations, deps and misc; --format tsv:... names columns freely"},
  };
  RUN(rows);
}

static void json_of_any_layout(void **state) {
  static const struct row rows[] = {
      {"jsonl", "i:int", "[{\"i\": 1}, {\"i\": 2},\n{\"i\": 3}]\n", "1\n2\n3\n"},
      {"jsonl", "i:int", "[\n  {\n    \"i\": 1\n  },\n  {\n    \"i\":\n 2\n  }\n]\n", "1\n2\n"},
      {"jsonl", "i:int", "{\n  \"i\":\n  1,\n  \"other\": [\n    {}\n  ]\n}\n{\n\"i\"\n:\n2\n}\n", "1\n2\n"},
      {"jsonl", "i:int", "[]\n[{\"i\": 1}]\n", "1\n"},
      {"jsonl", "i:int", "[{\"i\": 1}", ":1:1: not JSON: this array is never closed"},
      {"jsonl", "i:int", "[{\"i\": 1},]",
       ":1:11: not JSON: expected a value behind the comma in an array, found `]`"},
      {"jsonl", "i:int", "{\"i\": 1},\n{\"i\": 2}\n",
       ":1:9: not JSON: expected the end of the line behind the record, found `,` (commas separate records "
       "in an array "
       "only)"},
      {"jsonl", "i:int", "{\"i\": 1\n{\"i\": 2}\n", ":1:1: not JSON: this object is never closed"},
      {"jsonl", "i:int", "{\"i\": 1}\n{\"i\":\n2}\n", ":2:6: not JSON: the line ends within a record"},
      {"jsonl", "i:int", "{\n\"i\": 1\n{\"i\": 2}\n", ":1:1: not JSON: this object is never closed"},
  };
  RUN(rows);
}

static void json_is_checked_throughout(void **state) {
  static const struct row rows[] = {
      // Numbers under keys that nobody reads are numbers of any size.
      {"jsonl", "i:int", "{\"id\": 123456789012345678901234567890, \"x\": 1e999, \"i\": 1}", "1\n"},
      {"jsonl", "i:int", "{\"i\": 123456789012345678901}",
       ":1:7: at `i`: expected an integer, found `123456789012345678901`, which does not fit 64 bits"},
      {"jsonl", "f:float", "{\"f\": 1e999}", ":1:7: at `f`: the number `1e999` is too large"},
      {"jsonl", "f:float", "{\"f\": -1E-999}", "-0\n"},
      {"jsonl", "w:[Word]", "{\"w\": [12345678901234567890123]}", "[12345678901234567890123]\n"},
      // Every key is looked at, so that each entry has the same verdict.
      {"jsonl", "i:int", "{\"i\": 1, \"i\": 2}", ":1:10: not JSON: the key `i` occurs twice in an object"},
      {"jsonl", "i:int", "{\"a\": 1, \"i\": 1, \"\\u0061\": 2}",
       ":1:18: not JSON: the key `a` occurs twice in an object"},
      {"jsonl", "i:int", "{\"i\": 1, \"o\": [{\"k\": 1, \"k\": 2}]}",
       ":1:25: not JSON: the key `k` occurs twice in an object"},
      {"jsonl", "i:int", "{\"i\": 1, \"o\": [{\"k\": 1}, {\"k\": 2}]}", "1\n"},
      {"jsonl", "i:int", "{\"i\": 1, \"o\": tru}",
       ":1:15: not JSON: `tru` is no value; a string stands between `\"`"},
      {"jsonl", "i:int", "{\"i\": True}", ":1:7: not JSON: write `true`"},
      {"jsonl", "i:int", "{'i': 1}", ":1:2: not JSON: a string stands between `\"`, not `'`"},
      {"jsonl", "i:int", "{\"i\": NaN}", ":1:7: not JSON: JSON has no NaN"},
      {"jsonl", "i:int", "{\"i\": -Infinity}", ":1:7: not JSON: JSON has no Infinity"},
      {"jsonl", "i:int", "{\"i\": 01}", ":1:7: not JSON: a number does not begin with 0"},
      {"jsonl", "i:int", "{\"i\": 1,}", ":1:9: not JSON: expected a key in an object, found `}`"},
      {"jsonl", "i:int", "{\"i\" 1}",
       ":1:6: not JSON: expected `:` behind a key in an object, found an integer"},
      {"jsonl", "i:int", "{\"i\": 1 \"j\": 2}",
       ":1:9: not JSON: expected `,` or `}` in an object, found a string"},
      {"jsonl", "i:int", "{\"i\": }", ":1:7: not JSON: expected a value, found `}`"},
      {"jsonl", "w:[Word]", "{\"w\": [\"a\" \"b\"]}",
       ":1:12: not JSON: expected `,` or `]` in an array, found a string"},
      {"jsonl", "w:[Word]", "{\"w\": [\"a]}\n", ":1:8: not JSON: this string is not closed in its line"},
      {"jsonl", "w:[Word]", "{\"w\": [\"a\\x\"]}\n", ":1:10: not JSON: there is no such escape"},
      {"jsonl", "w:[Word]", "{\"w\": [\"\\u0000\"]}\n", ":1:9: not JSON: a NUL character in a string"},
      {"jsonl", "w:[Word]", "{\"w\": [\"\\ud83c\"]}\n", ":1:9: not JSON: half of a surrogate pair"},
      {"jsonl", "w:[Word]", "{\"w\": [\"\\uDC00\"]}\n", ":1:9: not JSON: half of a surrogate pair"},
      {"jsonl", "w:[Word]", "{\"w\": [\"\\u12g4\"]}\n",
       ":1:9: not JSON: `\\u` takes four hexadecimal digits"},
      {"jsonl", "w:[Word]", "{\"w\": [\"\\\"\\\\\\/\\u20AC\"]}\n", "[\"\\/\xe2\x82\xac]\n"},
      {"jsonl", "w:[Word]", "{\"w\": [\"a\tb\"]}\n", ":1:10: not JSON: a tab in a string: write `\\t`"},
  };
  RUN(rows);
  // Beyond the keys that are compared as they come.
  char text[2048], out[4096], *at = text;
  at += sprintf(at, "{\"i\": 1");
  for (int i = 0; i < 60; i++)
    at += sprintf(at, ", \"k%d\": %d", i, i);
  sprintf(at, "}\n");
  assert_string_equal(read_text(*state, "jsonl", "i:int", text, strlen(text), false, out), "1\n");
  sprintf(at, ", \"k50\": 0}\n");
  assert_string_equal(read_text(*state, "jsonl", "i:int", text, strlen(text), false, out),
                      ":1:1: not JSON: a key occurs twice in this object");
  // 2048 levels, and one more.
  char *deep = malloc(8192);
  for (int depth = 2047; depth < 2049; depth++) {
    at = deep + sprintf(deep, "{\"i\": 1, \"o\": ");
    memset(at, '[', (size_t)depth);
    memset(at + depth, ']', (size_t)depth);
    strcpy(at + 2 * depth, "}\n");
    assert_string_equal(read_text(*state, "jsonl", "i:int", deep, strlen(deep), false, out),
                        depth == 2047 ? "1\n" : ":1:2062: not JSON: objects and arrays more than 2048 deep");
  }
  free(deep);
}

static void json_paths_and_names(void **state) {
  static const struct row rows[] = {
      {"jsonl", "e:Expr", "{\"e\": {\"Apply\": {\"operator\": \"Max\", \"arg\": []}}}",
       ":1:37: at `e.Apply`: there is no field `arg`; did you mean `args`? there are `operator`, `args`"},
      {"jsonl", "e:Expr", "{\"e\": {\"Number\": [1], \"Apply\": []}}",
       ":1:23: at `e`: only `Number` may stand in this object, and there is `Apply`, too"},
      {"jsonl", "b:Bush", "{\"b\": {\"Node\": [\"a\", []], \"more\": 1}}",
       ":1:27: at `b`: only `Node` may stand in this object, and there is `more`, too"},
      {"jsonl", "e:Expr", "{\"e\": {\"Apply\": {\"operator\": \"Maxx\", \"args\": []}}}",
       ":1:30: at `e.Apply.operator`: `Maxx` is no member of enum Operator; did you mean `Max`? it has "
       "`Max`, `Min`"},
      {"jsonl", "l:[Label]", "{\"l\": [\"N\",\n \"Q\"]}",
       ":2:2: at `l[1]`: `Q` is not in the closed vocabulary Label: it does not occur in the training data; "
       "that has "
       "`0`, `1`, `2`, `3`, `4`, `N`, `V`"},
      {"jsonl", "p:[()]", "{\"p\": [[1, \"a\", 3]]}",
       ":1:17: at `p[0]`: value 3 is one too many for 2 fields"},
      {"jsonl", "p:[()]", "{\"p\": [[1]]}", ":1:8: at `p[0]`: lacks the field behind the last one"},
      {"jsonl", "e:Expr", "{\"e\": \"Number\"}", ":1:7: at `e.Number`: lacks its fields"},
      {"jsonl", "words:[Word] label:Label", "{\"words\": [], \"lable\": \"N\"}",
       ":1:1: this record has no `label`; did you mean `lable`? it has `words`, `lable`"},
      {"jsonl", "c:[Code]", "{\"c\": [{\"arg\": 1, \"op\": \"x\"}, {\"Op\": {\"op\": \"y\", \"arg\": 2}}]}",
       "[(x,1) (y,2)]\n"},
  };
  RUN(rows);
}

static void bad_records_can_be_skipped_wherever_they_are(void **state) {
  static const struct row rows[] = {
      {"jsonl", "i:int", "{\"j\": 1}\n{\"i\": 2}\n", "2\nskipped 1\n"},
      {"jsonl", "i:int", "nonsense\n{\"i\": 2}\n", "2\nskipped 1\n"},
      {"jsonl", "i:int", "[( (2", "skipped 1\n"},
      {"jsonl", "i:int", "[[] 2", "skipped 3\n"},
      {"jsonl", "i:int", "[\n {\"i\": 1},\n tru,\n {\"i\": 3}\n]\n", "1\n3\nskipped 1\n"},
      {"jsonl", "i:int", "{\"i\": 1\n{\"i\": 2}\n{\"i\": 3\n{\"i\": 4}\n", "2\n4\nskipped 2\n"},
      {"jsonl", "i:int", "{\"i\": \"x\", \"j\": [\n{\"i\": 2}\n", "2\nskipped 1\n"},
      {"jsonl", "i:int", "{\n \"i\": \"x\"\n}\n{\n \"i\": 2\n}\n", "2\nskipped 1\n"},
      {"jsonl", "i:int", "[{\"i\": \"x\", \"o\": {\"i\": 7}}, {\"i\": 2}, 3, {\"i\": 4}]\n",
       "2\n4\nskipped 2\n"},
      {"jsonl", "i:int", "[\n {\"i\": 1},\n {\"i\": tru},\n {\"i\": 3}\n]\n", "1\n3\nskipped 1\n"},
      {"jsonl", "i:int", "{\"i\": 1}\n{\"i\": 2, \"\xff\": 1}\n{\"i\": 3}\n", "1\n3\nskipped 1\n"},
      {"jsonl", "i:int", "\xff\n{\"i\": 3}\n", "3\nskipped 1\n"},
      {"text", "w:[Word]", "a\n\x01\nb\n", "[a]\n[b]\nskipped 1\n"},
      {"ptb", "t:Tree", "(2 \xff)\n(2 a)\n(3 (2 b)\n \xff (2 c))\n(2 d)\n",
       "Leaf(2,a)\nLeaf(2,d)\nskipped 2\n"},
      {"tsv", "words:[Word] tags:[Label]", "a\tQ\n\nb\tN\nc\t\xff\n\nd\tV\n", "[d] [V]\nskipped 2\n"},
      {"conllu", "words:[Word]", "1\ta\n\n1\tb\t_\t_\t_\t_\t_\t_\t_\t_\n", "[b]\nskipped 1\n"},
      // What the first line decides holds for all of them, so it cannot be passed over.
      {"tsv", "words:[Word] tags:[Label]", "words\t\xff\na\tN\n",
       ":1:7: this is not UTF-8 (byte 0xff); convert the file: iconv -f latin1 -t UTF-8, or from what it is"},
      {"tsv", "words:[Word] tags:[Label]", "a\nb\tN\n", ":1:2: this line has 1 column, and none is `tags`"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char out[4096];
    assert_string_equal(
        read_text(*state, rows[i].format, rows[i].schema, rows[i].text, strlen(rows[i].text), true, out),
        rows[i].expected);
  }
}

// Entries that bad records alone have leave no trace, nor do counts of others.
static void vocabularies_take_back(void **state) {
  (void)state;
  struct vocab *v = vocab_new("V", true, 2, 0);
  char token[16];
  for (int i = 0; i < 100; i++)
    for (int k = 0; k < 2; k++)
      vocab_count(v, token, (size_t)sprintf(token, "t%d", i));
  for (int round = 0; round < 3; round++) {
    vocab_mark(v);
    // Old ones, and so many new ones that the table grows.
    for (int i = 50; i < 1000; i++)
      vocab_count(v, token, (size_t)sprintf(token, "t%d", i));
    vocab_take_back(v);
  }
  vocab_mark(v);
  vocab_count(v, "t999", 4);
  vocab_mark(v);
  vocab_count(v, "t999", 4);
  vocab_count(v, "t0", 2);
  vocab_take_back(v);
  vocab_count(v, "late", 4);
  vocab_count(v, "late", 4);
  vocab_freeze(v);
  // t999 was counted once, which is too rare.
  assert_int_equal(vocab_size(v), 101);
  for (int i = 0; i < 100; i++)
    assert_int_equal(vocab_find(v, token, (size_t)sprintf(token, "t%d", i)), i);
  assert_int_equal(vocab_find(v, "late", 4), 100);
  assert_int_equal(vocab_find(v, "t999", 4), -1);
  vocab_free(v);
}

static void a_limit_ends_the_reading(void **state) {
  struct fixture *f = *state;
  struct dataset_column column = {"w", type_of(f->module, "[Word]"), 0, 1, NULL};
  struct dataset_request request = {f->module, f->vocabs, 1, &column, f->path, NULL, "text", false, 2, NULL};
  char *error = NULL;
  size_t n;
  // What is behind it is not looked at.
  write_file(f->path, "a b\na c\n\xff\nd\n");
  assert_true(dataset_count(&request, &n, &error));
  assert_int_equal(n, 2);
  vocab_freeze(f->vocabs[0]);
  assert_int_equal(vocab_size(f->vocabs[0]), 4);
  assert_int_equal(vocab_find(f->vocabs[0], "d", 1), 0);
  struct nn_dataset *set = dataset_read(&request, &error);
  assert_non_null(set);
  assert_int_equal(set->n_examples, 2);
  // Of each file.
  request.limit = 1;
  assert_true(dataset_append(set, &request, &error));
  assert_int_equal(set->n_examples, 3);
  dataset_free(set);
}

// How a file was taken is said where it was a guess.
static void guesses_are_noted(void **state) {
  struct fixture *f = *state;
  struct dataset_column columns[] = {{"w", type_of(f->module, "[Word]"), 0, 1, NULL},
                                     {"l", type_of(f->module, "[Label]"), 1, 1, NULL}};
  static const struct {
    const char *format, *text, *note;
  } cases[] = {
      {"tsv", "w\tl\na\tN\n", ": line 1 is taken for the header; if it is data, give --format tsv-header"},
      {"tsv", "\na\tN\n",
       ": no header in line 2, so the columns are w,l; else give --format tsv+header or "
       "tsv:..."},
      {"tsv+header", "w\tl\na\tN\n", NULL},
      {"tsv-header", "a\tN\n", NULL},
      {"tsv:w,l", "a\tN\n", NULL},
      {"conll", "a N\n",
       ": no header in line 1, so the columns are w,l; else give --format conll+header or "
       "conll:..."}};
  vocab_freeze(f->vocabs[0]);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct dataset_request request = {f->module, f->vocabs,       2,     columns, f->path,
                                      NULL,      cases[i].format, false, 0,       NULL};
    char *error = NULL;
    write_file(f->path, cases[i].text);
    struct nn_dataset *set = dataset_read(&request, &error);
    assert_non_null(set);
    if (cases[i].note)
      assert_string_equal(set->notes + strlen(f->path), cases[i].note);
    else
      assert_null(set->notes);
    dataset_free(set);
  }
}

// The same bytes get the same verdict in every format, in a field that is read and in one that is not.
static void bytes_that_are_no_text_are_refused(void **state) {
  static const struct {
    const char *bytes;
    size_t length;
    const char *verdict;
  } wrong[] = {{"b\xe9", 2, "2: this is not UTF-8 (byte 0xe9); convert the file"},
               {"\xff", 1, "1: this is not UTF-8 (byte 0xff)"},
               {"\xc0\xaf", 2, "1: this is not UTF-8 (byte 0xc0)"},
               {"\xed\xa0\x80", 3, "1: this is not UTF-8 (byte 0xed)"},
               {"\xf4\x90\x80\x80", 4, "1: this is not UTF-8 (byte 0xf4)"},
               {"0123456789\xc3", 11, "11: this is not UTF-8 (byte 0xc3)"},
               {"\x80", 1, "1: this is not UTF-8 (byte 0x80)"},
               {"12345678\0a", 10, "9: a NUL byte"},
               {"a\x01", 2, "2: a control character (byte 0x01)"},
               {"\x1b[31m", 5, "1: a control character (byte 0x1b)"},
               {"a\rb", 3, "2: a carriage return within a line"},
               {"\x0c", 1, "1: a control character (byte 0x0c)"}};
  // Where the bytes go, which is column `column` of line `line`.
  static const struct {
    const char *format, *schema, *before, *after;
    unsigned line, column;
  } places[] = {{"text", "w:[Word]", "ok ", " ok\n", 1, 4},
                {"ptb", "t:Tree", "(2 a)\n(2 ", ")\n", 2, 4},
                {"tsv:words,_,tags", "words:[Word] tags:[Label]", "a\tx\tN\nb\t", "\tN\n", 2, 3},
                {"tsv", "l:Label words:[Word]", "N\ta b\nN\ta ", " b\n", 2, 5},
                {"conll", "words:[Word] tags:[Label]", "a N\nb ", "N\n", 2, 3},
                {"conllu", "words:[Word]", "# text = ", "\n1\ta\t_\t_\t_\t_\t_\t_\t_\t_\n", 1, 10},
                {"jsonl", "i:int", "{\"i\": 1, \"other\": \"", "\"}\n", 1, 20},
                {"jsonl", "i:int", "{\"i\": 1}\n{\"i\": 1, \"", "\": 1}\n", 2, 11}};
  for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
      char text[256], out[4096], expected[256];
      size_t n = strlen(places[p].before);
      memcpy(text, places[p].before, n);
      memcpy(text + n, wrong[i].bytes, wrong[i].length);
      strcpy(text + n + wrong[i].length, places[p].after);
      snprintf(expected, sizeof expected, ":%u:%u:%s", places[p].line,
               places[p].column + (unsigned)strtoul(wrong[i].verdict, NULL, 10) - 1,
               strchr(wrong[i].verdict, ':') + 1);
      read_text(*state, places[p].format, places[p].schema, text,
                n + wrong[i].length + strlen(places[p].after), false, out);
      if (strncmp(out, expected, strlen(expected)))
        fail_msg("%s, bytes %zu: %s, not %s", places[p].format, i, out, expected);
    }
  }
}

static void text_is_utf8(void **state) {
  char out[4096];
  const char *right = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb2 a\x7f\xc2\x80 12345678\xef\xbf\xbf\n";
  assert_string_equal(read_text(*state, "text", "w:[Word]", right, strlen(right), false, out),
                      "[\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb2 a\x7f\xc2\x80 12345678\xef\xbf\xbf]\n");
  static const struct row rows[] = {
      {"text", "w:[Word]",
       "\xef\xbb\xbf"
       "a\r\nb\r\n",
       "[a]\n[b]\n"},
      {"text", "w:[Word]",
       "a\n\xef\xbb\xbf"
       "b\n",
       ":2:1: a byte order mark that is not at the beginning of the file (joined files keep theirs): remove "
       "it"},
      {"text", "w:[Word]",
       "\xff\xfe"
       "a\n",
       ":1:1: this is UTF-16; convert the file: iconv -f UTF-16 -t UTF-8"},
      {"jsonl", "w:[Word]", "\xef\xbb\xbf{\"w\": [\"\\ud83c\\udf32\\u00e9\\t\"]}\r\n",
       "[\xf0\x9f\x8c\xb2\xc3\xa9\t]\n"},
  };
  RUN(rows);
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
  struct dataset_column column = {"t", type_of(f->module, "Tree"), 0, 1, NULL};
  struct dataset_request request = {f->module, f->vocabs, 1, &column, f->path, NULL, "ptb", false, 0, NULL};
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
  struct dataset_column column = {"w", type_of(f->module, "[Word]"), 0, 1, NULL};
  struct dataset_request request = {f->module, f->vocabs, 1, &column, f->path, NULL, NULL, false, 0, NULL};
  read_text(f, "text", "w:[Word]", "a\n", 2, false, out);
  char *error = NULL;
  assert_null(dataset_read(&request, &error));
  assert_non_null(strstr(error, "cannot be told from the name"));
  free(error);
  error = NULL;
  request.format = "xml";
  assert_null(dataset_read(&request, &error));
  assert_string_equal(error, "unknown data format `xml`; there are ptb, jsonl, text, tsv, conll and conllu");
  free(error);
  error = NULL;
  // A .txt file with trees, for a model that takes nothing else, whatever it begins with; for one that also takes words
  // the first character decides.
  struct dataset_column both[] = {{"t", type_of(f->module, "Tree"), 0, 1, NULL},
                                  {"w", type_of(f->module, "[Word]"), 1, 1, NULL}};
  char text[300];
  snprintf(text, sizeof text, "%s.txt", f->path);
  struct dataset_request guess = {f->module, f->vocabs, 1, both, text, NULL, NULL, false, 0, NULL};
  write_file(text, "word");
  assert_null(dataset_read(&guess, &error));
  assert_non_null(strstr(error, "expected a tree"));
  free(error);
  error = NULL;
  guess.n_columns = 2;
  assert_null(dataset_read(&guess, &error));
  assert_non_null(strstr(error, ": plain text fills one parameter, `w`, and there is `t`, too"));
  free(error);
  error = NULL;
  write_file(text, " \n(2 a)\n");
  assert_null(dataset_read(&guess, &error));
  assert_non_null(strstr(error, ": bracketed trees fill one parameter, `t`, and there is `w`, too"));
  free(error);
  error = NULL;
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
      cmocka_unit_test_setup_teardown(texts, setup, teardown),
      cmocka_unit_test_setup_teardown(texts_are_counted, setup, teardown),
      cmocka_unit_test(entries_are_fixed),
      cmocka_unit_test(entries_are_normal),
      cmocka_unit_test_setup_teardown(bad_records_can_be_skipped, setup, teardown),
      cmocka_unit_test_setup_teardown(skipped_records_leave_no_tokens, setup, teardown),
      cmocka_unit_test_setup_teardown(files_are_appended, setup, teardown),
      cmocka_unit_test_setup_teardown(bytes_that_are_no_text_are_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(text_is_utf8, setup, teardown),
      cmocka_unit_test_setup_teardown(deep_trees_are_read, setup, teardown),
      cmocka_unit_test_setup_teardown(formats_are_guessed_or_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(headers, setup, teardown),
      cmocka_unit_test_setup_teardown(ragged_and_empty_columns, setup, teardown),
      cmocka_unit_test_setup_teardown(conll_columns, setup, teardown),
      cmocka_unit_test_setup_teardown(json_of_any_layout, setup, teardown),
      cmocka_unit_test_setup_teardown(json_is_checked_throughout, setup, teardown),
      cmocka_unit_test_setup_teardown(json_paths_and_names, setup, teardown),
      cmocka_unit_test_setup_teardown(bad_records_can_be_skipped_wherever_they_are, setup, teardown),
      cmocka_unit_test_setup_teardown(a_limit_ends_the_reading, setup, teardown),
      cmocka_unit_test_setup_teardown(guesses_are_noted, setup, teardown),
      cmocka_unit_test(vocabularies_take_back),
      cmocka_unit_test(vocabularies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

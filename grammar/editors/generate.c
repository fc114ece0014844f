// Writes the editors' grammars from the compiler's own tables, so that a new keyword or operation is coloured without a
// second list: vscode/syntaxes/nn.tmLanguage.json and vim/syntax/nn.vim under the folder given. The files are in the
// repository, since an editor's user has no build; a test checks that they are what this program writes.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { CONTROL, DECLARATION, CONSTANT, OPERATION, N_KINDS };

struct words {
  const char *items[256];
  size_t n;
};

static const struct {
  const char *text, *roles;
} keywords[] = {
#define KEYWORD(token, text, roles) {text, roles},
#include "compiler/syntax/keywords.def"
#undef KEYWORD
};

static void add(struct words *words, const char *word) {
  for (size_t i = 0; i < words->n; i++)
    if (!strcmp(words->items[i], word))
      return;
  words->items[words->n++] = word;
}

static void collect(struct words words[N_KINDS]) {
  memset(words, 0, N_KINDS * sizeof *words);
  for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
    const char *roles = keywords[i].roles;
    enum kind kind = strchr(roles, 'V')                                         ? CONSTANT
                     : strpbrk(roles, "DM") || !strcmp(keywords[i].text, "var") ? DECLARATION
                                                                                : CONTROL;
    add(&words[kind], keywords[i].text);
  }
#define BUILTIN(ENUM, name, arg_count, op, usage, doc) add(&words[OPERATION], name);
#include "compiler/check/builtins.def"
#undef BUILTIN
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  if (user)                                                                                                  \
    add(&words[OPERATION], name);
#include "compiler/ir/ops.def"
#undef OP
#define FILL(ENUM, name) add(&words[OPERATION], name);
#include "compiler/syntax/fills.def"
#undef FILL
}

static FILE *create(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  if (!file) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(1);
  }
  return file;
}

static void join(FILE *out, const struct words *words, const char *separator) {
  for (size_t i = 0; i < words->n; i++)
    fprintf(out, "%s%s", i ? separator : "", words->items[i]);
}

// One rule of a TextMate grammar. `match` is JSON text already.
static void rule(FILE *out, const char *scope, const char *match, const char *end) {
  fprintf(out, "    { \"name\": \"%s\", \"match\": \"%s\" }%s\n", scope, match, end);
}

static void word_rule(FILE *out, const char *scope, const struct words *words, const char *behind) {
  fprintf(out, "    { \"name\": \"%s\", \"match\": \"\\\\b(?:", scope);
  join(out, words, "|");
  fprintf(out, ")\\\\b%s\" },\n", behind);
}

static void write_textmate(FILE *out, const struct words words[N_KINDS]) {
  fputs("{\n  \"name\": \"nn\",\n  \"scopeName\": \"source.nn\",\n  \"fileTypes\": [\"nn\"],\n  "
        "\"patterns\": [\n",
        out);
  rule(out, "string.quoted.double.nn", "\\\"(?:[^\\\"\\\\\\\\]|\\\\\\\\.)*\\\"", ",");
  rule(out, "comment.line.double-slash.nn", "//.*$", ",");
  fputs("    { \"match\": \"\\\\b(fn|metric)\\\\s+([A-Za-z_]\\\\w*)\", \"captures\": { \"1\": { \"name\": "
        "\"storage.type.nn\" }, "
        "\"2\": { \"name\": \"entity.name.function.nn\" } } },\n",
        out);
  fputs("    { \"match\": \"\\\\b(layer|data|enum|vocab)\\\\s+([A-Za-z_]\\\\w*)\", \"captures\": { \"1\": { "
        "\"name\": "
        "\"storage.type.nn\" }, \"2\": { \"name\": \"entity.name.type.nn\" } } },\n",
        out);
  fputs("    { \"match\": \"\\\\b(import)\\\\s+([A-Za-z_][\\\\w.]*)(?:\\\\s+(as)\\\\s+([A-Za-z_]\\\\w*))?\", "
        "\"captures\": { "
        "\"1\": { \"name\": \"storage.type.nn\" }, \"2\": { \"name\": \"entity.name.namespace.nn\" }, "
        "\"3\": { \"name\": \"storage.type.nn\" }, \"4\": { \"name\": \"entity.name.namespace.nn\" } } },\n",
        out);
  word_rule(out, "keyword.control.nn", &words[CONTROL], "");
  word_rule(out, "storage.type.nn", &words[DECLARATION], "");
  word_rule(out, "constant.language.nn", &words[CONSTANT], "");
  rule(out, "constant.numeric.nn", "\\\\b\\\\d[\\\\d_]*(?:\\\\.(?!\\\\.)\\\\d*)?(?:[eE][+-]?\\\\d+)?", ",");
  rule(out, "storage.type.primitive.nn", "\\\\b(?:f32|int|bool|float)\\\\b(?!\\\\s*\\\\()", ",");
  word_rule(out, "support.function.nn", &words[OPERATION], "(?=\\\\s*[\\\\(\\\\[])");
  rule(out, "entity.name.function.call.nn", "\\\\b[a-z_]\\\\w*(?=\\\\()", ",");
  rule(out, "entity.name.type.nn", "\\\\b[A-Z]\\\\w*\\\\b", ",");
  rule(out, "keyword.operator.nn", "=>|->|==|!=|<=|>=|&&|\\\\|\\\\||\\\\.\\\\.|[-+*/%@<>=!|]", "");
  fputs("  ]\n}\n", out);
}

static void vim_keywords(FILE *out, const char *group, const struct words *words) {
  fprintf(out, "syn keyword %s ", group);
  join(out, words, " ");
  fputc('\n', out);
}

static void write_vim(FILE *out, const struct words words[N_KINDS]) {
  fputs("\" Syntax of .nn files. Written by grammar/editors/generate.c; do not edit.\n"
        "if exists(\"b:current_syntax\")\n  finish\nendif\n\n",
        out);
  vim_keywords(out, "nnControl", &words[CONTROL]);
  vim_keywords(out, "nnDeclaration", &words[DECLARATION]);
  vim_keywords(out, "nnConstant", &words[CONSTANT]);
  fputs("syn keyword nnPrimitive f32 int bool float\n", out);
  fputs("syn match nnOperation /\\<\\%(", out);
  join(out, &words[OPERATION], "\\|");
  fputs(
      "\\)\\>\\ze\\s*[(\\[]/\n"
      "syn match nnType /\\<[A-Z]\\w*\\>/\n"
      "syn match nnNumber /\\<\\d[0-9_]*\\%(\\.\\%(\\.\\)\\@!\\d*\\)\\?\\%([eE][+-]\\?\\d\\+\\)\\?/\n"
      "syn match nnFunction /\\%(\\<\\%(fn\\|metric\\)\\s\\+\\)\\@<=\\h\\w*/\n"
      "syn match nnImportAs /\\%(^\\s*import\\s.*\\)\\@<=\\<as\\>/\n"
      "syn match nnOperator /=>\\|->\\|==\\|!=\\|<=\\|>=\\|&&\\|||\\|\\.\\.\\|[-+*\\/%@<>=!|]/\n"
      "syn match nnComment /\\/\\/.*$/ contains=@Spell\n"
      "syn region nnText start=/\"/ skip=/\\\\./ end=/\"/ oneline contains=@Spell\n\n"
      "hi def link nnControl Conditional\nhi def link nnDeclaration Keyword\nhi def link nnConstant Boolean\n"
      "hi def link nnPrimitive Type\nhi def link nnOperation Function\nhi def link nnType Type\n"
      "hi def link nnNumber Number\nhi def link nnFunction Identifier\nhi def link nnOperator Operator\n"
      "hi def link nnImportAs Keyword\nhi def link nnComment Comment\nhi def link nnText String\n\nlet "
      "b:current_syntax = \"nn\"\n",
      out);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return fprintf(stderr, "usage: generate FOLDER\n"), 2;
  struct words words[N_KINDS];
  collect(words);
  FILE *textmate = create(argv[1], "vscode/syntaxes/nn.tmLanguage.json"),
       *vim = create(argv[1], "vim/syntax/nn.vim");
  write_textmate(textmate, words);
  write_vim(vim, words);
  return fclose(textmate) || fclose(vim);
}

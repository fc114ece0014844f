/* What a syntax error says. bison gives the list of all symbols that could stand at the offending token; here it is
 * boiled down to what a person would say ("an expression", "an operator"), and common slips get advice.
 */
#include <string.h>

#include "compiler/syntax/parser.h"
#include "nn.tab.h"

#define EXPECTED_SHOWN 6

struct expectation {
  const char **names;
  size_t count;
};

/* Groups of symbols that have one name together, NULL-terminated. The order matters: a group is taken out of the list
 * before the next one is looked for, and a statement begins with everything that an expression begins with. */
static const char *const expression_start[] = {"a name", "an integer", "a number", "true", "false", "(",
                                               "[",      "-",          "!",        "if",   "match", NULL};
static const char *const statement_start[] = {"let",    "var",   "for",      "while",
                                              "return", "break", "continue", NULL};
static const char *const declaration_start[] = {"import", "dim", "vocab",  "enum", "data", "param",
                                                "layer",  "fn",  "metric", "let",  NULL};
static const char *const member_start[] = {"param", "let", "fn", NULL};
static const char *const pattern_start[] = {"_", "a name", "an integer", "-", "true", "false", "(", NULL};
static const char *const type_start[] = {"a name", "[", "(", NULL};
static const char *const operators[] = {"||", "&&", "+", "-", "*", "/", "%", "@", NULL};
/* Present after an expression unless it cannot be followed by them; they go with the operators. */
static const char *const weak_operators[] = {
    "==", "!=", "<", "<=", ">", ">=", "..", "(", "[", ".", ".0", NULL};
static const char *const separators[] = {"end of line", "end of file", NULL};
static const char *const assignment[] = {"=", NULL};

static bool expects(const struct expectation *e, const char *name) {
  for (size_t i = 0; i < e->count; i++) {
    if (strcmp(e->names[i], name) == 0)
      return true;
  }
  return false;
}

static bool expects_all(const struct expectation *e, const char *const *group) {
  for (; *group; group++) {
    if (!expects(e, *group))
      return false;
  }
  return true;
}

static void drop(struct expectation *e, const char *const *group) {
  for (; *group; group++) {
    for (size_t i = 0; i < e->count; i++) {
      if (strcmp(e->names[i], *group) == 0) {
        memmove(&e->names[i], &e->names[i + 1], (e->count - i - 1) * sizeof *e->names);
        e->count--;
        break;
      }
    }
  }
}

/* Replaces groups by their names. There is room: a group has more than one member. */
static void condense(struct expectation *e) {
  const char *group_name = NULL;
  if (expects_all(e, declaration_start)) {
    drop(e, declaration_start);
    drop(e, separators);
    group_name = "a declaration";
  } else if (expects_all(e, statement_start)) {
    drop(e, statement_start);
    drop(e, expression_start);
    drop(e, separators);
    group_name = "a statement";
  } else if (expects_all(e, expression_start)) {
    drop(e, expression_start);
    group_name = "an expression";
  } else if (expects_all(e, pattern_start)) {
    drop(e, pattern_start);
    group_name = "a pattern";
  } else if (expects_all(e, member_start)) {
    drop(e, member_start);
    drop(e, separators);
    group_name = "a `param`, `let` or `fn`";
  } else if (expects_all(e, operators)) {
    drop(e, operators);
    drop(e, weak_operators);
    /* Any expression statement could have been the left side of an assignment. */
    if (expects(e, "end of line"))
      drop(e, assignment);
    group_name = "an operator";
  } else if (expects_all(e, type_start)) {
    drop(e, type_start);
    group_name = "a type";
  }
  if (group_name)
    e->names[e->count++] = group_name;
}

static const char *quoted(struct parser *parser, const char *name) {
  bool is_phrase = strchr(name, ' ') != NULL;
  return is_phrase ? name : arena_printf(parser->arena, "`%s`", name);
}

/* "`a`, `b` or an operator"; NULL when there are too many to be of help. */
static const char *describe(struct parser *parser, const struct expectation *e) {
  if (e->count == 0 || e->count > EXPECTED_SHOWN)
    return NULL;
  const char *text = quoted(parser, e->names[0]);
  for (size_t i = 1; i < e->count; i++) {
    const char *joint = i + 1 == e->count ? " or " : ", ";
    text = arena_printf(parser->arena, "%s%s%s", text, joint, quoted(parser, e->names[i]));
  }
  return text;
}

/* ---- Advice ------------------------------------------------------------------------------------------------- */

struct habit {
  const char *word;
  const char *advice;
};

/* Words of other languages, where a declaration should begin. */
static const struct habit declaration_habits[] = {
    {"def", "functions are declared with `fn`"},
    {"func", "functions are declared with `fn`"},
    {"fun", "functions are declared with `fn`"},
    {"function", "functions are declared with `fn`"},
    {"class", "types are declared with `data`, layers with `layer`"},
    {"struct", "types are declared with `data`"},
    {"type", "types are declared with `data`"},
    {"record", "types are declared with `data`"},
    {"module", "layers are declared with `layer`"},
    {"const", "sizes are declared with `dim`"},
    {"from", "files are imported with `import std.name` or `import name`"},
    {"use", "files are imported with `import std.name` or `import name`"},
    {"include", "files are imported with `import std.name` or `import name`"},
};

/* ... and where an operator or the end of a statement should be; by the offending word or the one before it. */
static const struct habit operator_habits[] = {
    {"and", "logical and is `&&`"},
    {"or", "logical or is `||`"},
    {"not", "logical not is `!`"},
    {"elif", "write `else if`"},
    {"elseif", "write `else if`"},
    {"then", "the branches of `if` stand in braces: `if c { a } else { b }`"},
    {"do", "the body of a loop stands in braces"},
    {"case", "the arms of a match are `pattern => expression`"},
    {"def", "functions are declared at top level, with `fn`"},
    {"print", "there is no output from inside a model"},
};

/* ... and after the word that was taken for a name. */
static const struct habit binding_habits[] = {
    {"mut", "a variable that changes is declared with `var`"},
    {"const", "names are bound with `let`"},
    {"var", "`let` binds a name, `var` declares a variable; not both"},
};

static const char *habit_advice(const struct habit *habits, size_t count, const struct token *token) {
  if (token->kind != IDENTIFIER)
    return NULL;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(habits[i].word, token->value.text) == 0)
      return habits[i].advice;
  }
  return NULL;
}

#define HABIT_ADVICE(table, token) habit_advice(table, sizeof(table) / sizeof *(table), token)

static const char *misspelled_keyword(struct parser *parser, const struct token *token) {
  static const char *const words[] = {"import", "dim",   "vocab", "enum",   "data",
                                      "param",  "layer", "fn",    "metric", "let"};
  const char *word = diag_nearest(token->value.text, words, sizeof words / sizeof *words);
  return word ? arena_printf(parser->arena, "did you mean `%s`?", word) : NULL;
}

static bool is_compound_assignment(const struct parser *parser, const struct token *found) {
  if (found->kind != ASSIGN || parser->previous.span.hi != found->span.lo)
    return false;
  int kind = parser->previous.kind;
  return kind == PLUS || kind == MINUS || kind == STAR || kind == SLASH || kind == PERCENT || kind == AT;
}

static bool is_binary_operator(int kind) { return (kind >= OR && kind <= AT) && kind != RANGE; }

static const struct bracket *innermost(const struct parser *parser) {
  const struct bracket_stack *open = &parser->brackets_before;
  return open->count ? &open->items[open->count - 1] : NULL;
}

static bool is_doubled(const struct parser *parser, const struct token *found, int kind) {
  return found->kind == kind && parser->previous.kind == kind && parser->previous.span.hi == found->span.lo;
}

/* Signs that mean something elsewhere. */
static const char *sign_advice(const struct parser *parser, const struct token *found,
                               const struct expectation *e) {
  if (is_doubled(parser, found, PLUS))
    return "there is no `++`; write `x = x + 1`";
  if (is_doubled(parser, found, STAR))
    return "there is no power operator; use `square` or a product";
  if (found->kind == BAR && expects(e, "an expression"))
    return "functions are no values; declare one at top level with `fn` and call it";
  if (found->kind == COLON && expects(e, "->"))
    return "the result's type stands behind `->`";
  if (found->kind == COLON && expects(e, "{"))
    return "a body stands in braces: `{ ... }`";
  if (found->kind == LPAREN && parser->previous.kind == IDENTIFIER && expects(e, "}") && expects(e, ",") &&
      !expects(e, "an operator"))
    return "members of an enum have no fields; `data` types have constructors with fields";
  return NULL;
}

static bool looks_like_type(const char *word) {
  static const char *const types[] = {"int", "bool", "float", "f32"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(word, types[i]) == 0)
      return true;
  return word[0] >= 'A' && word[0] <= 'Z';
}

/* `fn f(int a)`, `fn f(a int)`, `fn f(a)` */
static const char *parameter_advice(struct parser *parser, const struct token *found,
                                    const struct expectation *e) {
  bool in_parentheses = innermost(parser) && innermost(parser)->kind == LPAREN;
  if (!in_parentheses || !expects(e, ":") || e->count != 1 || parser->previous.kind != IDENTIFIER)
    return NULL;
  const char *first = parser->previous.value.text;
  if (found->kind == IDENTIFIER && looks_like_type(first) && !looks_like_type(found->value.text))
    return arena_printf(parser->arena, "the name comes first: `%s: %s`", found->value.text, first);
  if (found->kind == IDENTIFIER)
    return arena_printf(parser->arena, "a colon stands between name and type: `%s: %s`", first,
                        found->value.text);
  return arena_printf(parser->arena, "every parameter has a type: `%s: T`", parser->previous.value.text);
}

static const char *advice(struct parser *parser, const struct token *found, const struct expectation *e) {
  const char *text = sign_advice(parser, found, e);
  if (!text)
    text = parameter_advice(parser, found, e);
  if (text)
    return text;
  bool is_newline = found->kind == SEPARATOR && parser->source->text[found->span.lo] != ';';
  if (expects(e, "a declaration")) {
    text = HABIT_ADVICE(declaration_habits, found);
    if (!text && found->kind == IDENTIFIER)
      text = misspelled_keyword(parser, found);
  } else if (expects(e, "an operator")) {
    text = HABIT_ADVICE(operator_habits, found);
    if (!text)
      text = HABIT_ADVICE(operator_habits, &parser->previous);
    if (!text && found->kind == ASSIGN)
      text = "`==` compares; an assignment is a statement of its own";
  } else if (expects(e, "a statement") && found->starts_line && is_binary_operator(found->kind)) {
    text = "a line that begins with an operator does not continue the one before;\n"
           "end that line with the operator, or put the whole in parentheses";
  }
  if (!text)
    text = HABIT_ADVICE(binding_habits, &parser->previous);
  if (!text && is_compound_assignment(parser, found))
    text = "there are no compound assignments; write `x = x + e`";
  if (!text && is_newline && expects(e, "{"))
    text = "the `{` stands on the same line";
  if (!text && found->starts_line && token_has_role(found->kind, 'S') && expects(e, "a pattern"))
    text = "the arms of a match are `pattern => expression`; statements stand in braces after `=>`";
  if (!text && found->kind == VAR && parser->previous.kind == LPAREN && expects(e, "a pattern"))
    text = "`for` runs over a list or a range: `for i in 0..n { ... }`";
  if (!text && parser->previous.kind == RPAREN && expects(e, "{") && expects(e, "an operator"))
    text = "bodies and branches stand in braces, conditions need no parentheses: `if c { a } else { b }`";
  if (!text && token_is_keyword(found->kind) && (expects(e, "a name") || expects(e, "a pattern")))
    text = arena_printf(parser->arena, "%s is a keyword and cannot be a name",
                        parser_token_text(parser, found));
  return text;
}

/* ---- Brackets ----------------------------------------------------------------------------------------------- */

static bool is_closer(int kind) { return kind == RPAREN || kind == RBRACKET || kind == RBRACE; }

static void report_unclosed(struct parser *parser, const struct bracket *opener, const struct token *found) {
  struct diag *diag = diag_error(parser->sink, DIAG_UNCLOSED_BRACKET, opener->span,
                                 "this `%s` is never closed", token_bracket_text(opener->kind));
  if (found->kind != END)
    diag_label(diag, found->span, "expected `%s` before this",
               token_bracket_text(token_closer_of(opener->kind)));
}

/* Whether the error is a bracket that was forgotten; reports it then. */
static bool report_brackets(struct parser *parser, const struct token *found, const struct expectation *e) {
  const struct bracket *open = innermost(parser);
  if (!open) {
    if (!is_closer(found->kind))
      return false;
    diag_error(parser->sink, DIAG_SYNTAX, found->span, "unmatched `%s`", token_bracket_text(found->kind));
    return true;
  }
  if (found->kind == FN && found->starts_line && open->kind == LBRACE && !open->is_layer &&
      parser->line_indent > open->indent && expects(e, "}")) {
    struct diag *diag = diag_error(parser->sink, DIAG_SYNTAX, found->span, "a function inside a function");
    diag_label(diag, open->span, "this block is open");
    diag_help(diag, "declare it at top level, or close the block before it");
    parser->last.is_restart = true; /* not where to resume: its body is skipped with it */
    return true;
  }
  bool begins_declaration = found->starts_line && token_has_role(found->kind, 'D') &&
                            (!token_has_role(found->kind, 'S') || open->kind != LBRACE);
  bool wants_closer = expects(e, token_bracket_text(token_closer_of(open->kind)));
  if (found->kind == END || (begins_declaration && wants_closer)) {
    report_unclosed(parser, parser->misindented.kind ? &parser->misindented : open, found);
    return true;
  }
  bool begins_statement = found->starts_line && token_has_role(found->kind, 'S') && open->kind != LBRACE;
  if (wants_closer && (begins_statement || is_closer(found->kind))) {
    report_unclosed(parser, open, found);
    return true;
  }
  return false;
}

static bool is_comparison(int kind) {
  return kind == EQUAL || kind == NOT_EQUAL || kind == LESS || kind == LESS_EQUAL || kind == GREATER ||
         kind == GREATER_EQUAL;
}

/* Two lines or one? Nothing is said of a line on which the lexer found fault already. */
static bool follows_lexical_error(const struct parser *parser, const struct token *found) {
  struct span error = parser->last_lexical_error;
  if (error.file == 0 || found->span.lo < error.lo)
    return error.file != 0;
  return memchr(parser->source->text + error.lo, '\n', found->span.lo - error.lo) == NULL;
}

void parser_report_syntax_error(struct parser *parser, const char **names, size_t count) {
  const struct token *found = &parser->last;
  parser->failed = true;
  if (parser->is_too_deep || found->is_synthetic || follows_lexical_error(parser, found))
    return;
  struct expectation expected = {names, count};
  if (report_brackets(parser, found, &expected))
    return;
  if (is_comparison(found->kind) && expects(&expected, "&&")) {
    struct diag *diag = diag_error(parser->sink, DIAG_CHAINED_COMPARISON, found->span,
                                   "comparisons do not chain");
    diag_help(diag, "join two comparisons with `&&`, or put one in parentheses");
    return;
  }
  condense(&expected);
  const char *what = describe(parser, &expected);
  const char *text = parser_token_text(parser, found);
  struct diag *diag = what ? diag_error(parser->sink, DIAG_SYNTAX, found->span, "expected %s, found %s", what,
                                        text)
                           : diag_error(parser->sink, DIAG_SYNTAX, found->span, "unexpected %s", text);
  const struct bracket *open = innermost(parser);
  if (open && open->kind != LBRACE && found->starts_line)
    diag_label(diag, open->span, "inside the brackets opened here");
  const char *help = advice(parser, found, &expected);
  if (help)
    diag_help(diag, "%s", help);
}

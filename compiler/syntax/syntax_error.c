// What a syntax error says. bison gives the list of all symbols that could stand at the offending token; here it is
// boiled down to what a person would say ("an expression", "an operator"). syntax_advice.c adds what may have been meant.
#include <string.h>

#include "compiler/syntax/syntax_advice.h"
#include "nn.tab.h"

#define EXPECTED_SHOWN 6

// Groups of symbols that have one name together, NULL-terminated. The order matters: a group is taken out of the list
// before the next one is looked for, and a statement begins with everything that an expression begins with.
static const char *const expression_start[] = {
    "a name", "an integer", "a number", "a text", "true", "false", "(", "[", "-", "!", "if", "match", NULL};
static const char *const statement_start[] = {"let",    "var",   "for",      "while",
                                              "return", "break", "continue", NULL};
// In a test these go with the statements.
static const char *const test_statement_start[] = {"vocab", "param", "expect", NULL};
static const char *const declaration_start[] = {"import", "dim",  "vocab",  "enum", "data", "param", "layer",
                                                "fn",     "memo", "metric", "let",  "test", NULL};
static const char *const member_start[] = {"param", "let", "fn", "memo", NULL};
static const char *const pattern_start[] = {"_", "a name", "an integer", "-", "true", "false", "(", NULL};
static const char *const type_start[] = {"a name", "[", "(", NULL};
static const char *const operators[] = {"||", "&&", "+", "-", "*", "/", "%", "@", NULL};
// Present after an expression unless it cannot be followed by them; they go with the operators.
static const char *const weak_operators[] = {
    "==", "!=", "<", "<=", ">", ">=", "..", "(", "[", ".", ".0", NULL};
// Goes with expressions and with types.
static const char *const function_start[] = {"fn (", NULL};
static const char *const separators[] = {"end of line", "end of file", NULL};
static const char *const assignment[] = {"=", NULL};
// Any name may be a path; that is hardly what is missing where something else could stand.
static const char *const path[] = {".", NULL};

bool expectation_has(const struct expectation *e, const char *name) {
  for (size_t i = 0; i < e->count; i++) {
    if (strcmp(e->names[i], name) == 0)
      return true;
  }
  return false;
}

static bool expects_all(const struct expectation *e, const char *const *group) {
  for (; *group; group++) {
    if (!expectation_has(e, *group))
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

// Replaces groups by their names. There is room: a group has more than one member.
static void condense(struct expectation *e) {
  const char *group_name = NULL;
  drop(e, function_start);
  if (expects_all(e, declaration_start)) {
    drop(e, declaration_start);
    drop(e, separators);
    group_name = "a declaration";
  } else if (expects_all(e, statement_start)) {
    drop(e, statement_start);
    drop(e, test_statement_start);
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
    // Any expression statement could have been the left side of an assignment.
    if (expectation_has(e, "end of line"))
      drop(e, assignment);
    group_name = "an operator";
  } else if (expects_all(e, type_start)) {
    drop(e, type_start);
    group_name = "a type";
  }
  if (e->count > 1)
    drop(e, path);
  if (group_name)
    e->names[e->count++] = group_name;
}

static const char *quoted(struct parser *parser, const char *name) {
  bool is_phrase = strchr(name, ' ') != NULL;
  return is_phrase ? name : arena_printf(parser->arena, "`%s`", name);
}

// "`a`, `b` or an operator"; NULL when there are too many to be of help.
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

// ---- Brackets -----------------------------------------------------------------------------------------------

const struct bracket *parser_innermost_bracket(const struct parser *parser) {
  const struct bracket_stack *open = &parser->brackets_before;
  return open->count ? &open->items[open->count - 1] : NULL;
}

static bool is_closer(int kind) { return kind == RPAREN || kind == RBRACKET || kind == RBRACE; }

static void report_unclosed(struct parser *parser, const struct bracket *opener, const struct token *found) {
  struct diag *diag = diag_error(parser->sink, DIAG_UNCLOSED_BRACKET, opener->span,
                                 "this `%s` is never closed", token_bracket_text(opener->kind));
  if (found->kind != END)
    diag_label(diag, found->span, "expected `%s` before this",
               token_bracket_text(token_closer_of(opener->kind)));
}

// Whether the error is a bracket that was forgotten; reports it then.
static bool report_brackets(struct parser *parser, const struct token *found, const struct expectation *e) {
  const struct bracket *open = parser_innermost_bracket(parser);
  if (!open) {
    if (!is_closer(found->kind))
      return false;
    diag_error(parser->sink, DIAG_SYNTAX, found->span, "unmatched `%s`", token_bracket_text(found->kind));
    return true;
  }
  if (found->kind == EXPECT && open->kind == LBRACE) {
    struct diag *diag = diag_error(parser->sink, DIAG_SYNTAX, found->span,
                                   "an expectation stands directly in a `test`, in no other block");
    diag_help(diag, "compare what several turns give at once: `expect [f(x) for x in xs] == [1, 2]`");
    return true;
  }
  bool begins_declaration = found->starts_line && token_has_role(found->kind, 'D') &&
                            (!token_has_role(found->kind, 'S') || open->kind != LBRACE);
  if (begins_declaration && open->kind == LBRACE && parser->line_indent > open->indent &&
      (!open->is_layer || !token_has_role(found->kind, 'M')) && expectation_has(e, "}")) {
    const char *inside = open->is_layer ? "layer" : parser->last_declaration == TEST ? "test" : "function";
    struct diag *diag =
        found->kind == FN ? diag_error(parser->sink, DIAG_SYNTAX, found->span, "a function inside a function")
                          : diag_error(parser->sink, DIAG_SYNTAX, found->span, "%s inside a %s",
                                       parser_token_text(parser, found), inside);
    diag_label(diag, open->span, open->is_layer ? "this layer is open" : "this block is open");
    if (found->kind == DIM && open->is_layer)
      diag_help(diag, "a size of the layer is a parameter, `layer L(H: dim)`, or is written out: `f32[2*H]`");
    else if (found->kind == DIM)
      diag_help(diag, "a number of the function is bound by `let n = e`; a `dim` is declared at top level");
    else if (found->kind == PARAM && parser->last_declaration == TEST)
      diag_help(diag, "what a test gives the model stands before its statements");
    else if (found->kind == PARAM)
      diag_help(diag, "a parameter exists once: declare it at top level, or in a `layer`");
    else
      diag_help(diag, "declare it at top level, or close the block before it");
    parser->last.is_restart = true;  // not where to resume: its body is skipped with it
    return true;
  }
  bool wants_closer = expectation_has(e, token_bracket_text(token_closer_of(open->kind)));
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

// Two lines or one? Nothing is said of a line on which the lexer found fault already.
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
  if (is_comparison(found->kind) && expectation_has(&expected, "&&")) {
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
  const struct bracket *open = parser_innermost_bracket(parser);
  if (open && open->kind != LBRACE && found->starts_line)
    diag_label(diag, open->span, "inside the brackets opened here");
  const char *help = syntax_advice(parser, &expected);
  if (help)
    diag_help(diag, "%s", help);
}

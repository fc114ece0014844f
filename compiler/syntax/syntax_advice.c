// Advice for syntax errors: signs that mean something in other languages (a table here), words that do (habits.def),
// misspelt keywords, and slips that need a closer look.
#include "compiler/syntax/syntax_advice.h"

#include <string.h>

#include "compiler/base/nearest.h"
#include "compiler/diag/habits.h"
#include "nn.tab.h"

#define ARMS "the arms of a match are `pattern => expression`"
#define BITS "there are no operations on the bits of an int"
#define LAMBDA "functions are no values; declare one at top level with `fn` and call it"
#define ONE_SLICE                                                                                            \
  "a slice is written with both its ends, the second not included: `xs[1..len(xs)]`, `x[0..H]`"
#define UNEQUAL "unequal is `!=`"

// ---- Signs --------------------------------------------------------------------------------------------------

// What must be so for a row to fit; 0 and NULL stand for anything.
struct sign {
  int found;             // the token that was not expected
  int before;            // the token before it ...
  bool is_glued;         // ... which it follows without a blank
  char after;            // the character behind it
  int inside;            // the innermost bracket
  const char *expected;  // what could stand there instead
  const char *advice;
};

// The first row that fits is taken.
static const struct sign signs[] = {
    // Operators of other languages.
    {PLUS, PLUS, true, 0, 0, NULL, "there is no `++`; write `x = x + 1`"},
    {STAR, STAR, true, 0, 0, NULL,
     "there is no power operator: it is `pow(x, y)` of host numbers; of tensors use `square` or a product"},
    {LESS, LESS, true, 0, 0, NULL, BITS},
    {GREATER, GREATER, true, 0, 0, NULL, BITS},
    {GREATER, LESS, true, 0, 0, NULL, UNEQUAL},
    {ASSIGN, NOT_EQUAL, true, 0, 0, NULL, UNEQUAL},
    {ASSIGN, EQUAL, true, 0, 0, NULL, "`==` compares; there is no other sign for it"},
    {ASSIGN, RANGE, true, 0, 0, NULL, "`a..b` does not include b: write `a..b + 1`"},
    {PROJECTION, RANGE, true, 0, 0, NULL, "a range is `a..b`, and does not include b"},
    {DOT, RANGE, true, 0, 0, NULL, "a range is `a..b`, and does not include b"},
    {COLON, 0, false, ':', 0, NULL,
     "a member is written by itself, `Shift`, or behind its type and a dot, `Action.Shift`"},
    {DOT, IDENTIFIER, false, 0, 0, "=>",
     "a member of an enum or a constructor is written by itself: `Shift`, not `Action.Shift`"},
    {BAR, 0, false, 0, 0, "an expression", LAMBDA},
    {FN, 0, false, 0, 0, "an expression", LAMBDA},
    {FAT_ARROW, 0, false, 0, 0, "an operator", LAMBDA},
    {ARROW, 0, false, 0, 0, "an operator", LAMBDA},
    {COMMA, 0, false, 0, 0, "=>", "each pattern has an arm of its own"},
    {BAR, 0, false, 0, 0, "=>", "each pattern has an arm of its own"},
    {BAR, 0, false, 0, 0, "an operator", "logical or is `||`"},
    {AT, 0, false, 0, 0, "a declaration", "functions have no decorators"},
    {STAR, 0, false, 0, 0, "an expression", "there are no pointers, and no lists of arguments"},
    // Statements and expressions.
    {IF, 0, false, 0, 0, "an operator", "a conditional is `if c { a } else { b }`"},
    {ELSE, 0, false, 0, 0, "]", "choose in the element: `[if c { a } else { b } for x in xs]`"},
    {ARROW, 0, false, 0, 0, "=>", ARMS},
    {COLON, 0, false, 0, 0, "=>", ARMS},
    {COLON, 0, false, 0, 0, "->", "the result's type stands behind `->`"},
    {COLON, 0, false, 0, 0, "{", "a body stands in braces: `{ ... }`"},
    {COLON, 0, false, 0, LBRACKET, "]", ONE_SLICE},
    {COLON, 0, false, 0, LBRACKET, "an expression", ONE_SLICE},
    {RBRACKET, RANGE, false, 0, LBRACKET, "an expression", ONE_SLICE},
    {RANGE, 0, false, 0, LBRACKET, "an expression", ONE_SLICE},
    {VAR, LET, false, 0, 0, NULL, "`let` binds a name, `var` declares a variable; not both"},
    {COLON, 0, false, '=', 0, NULL, "a name is bound by `let x = e`, a variable declared by `var x = e`"},
    {COLON, IDENTIFIER, false, 0, LBRACE, "an operator",
     "a name is bound by `let x: T = e`, a variable declared by `var x: T = e`"},
    {COMMA, 0, false, 0, 0, "in",
     "several names stand in parentheses: `for (a, b) in zip(xs, ys)`; positions are counted by `for i in "
     "0..len(xs)`"},
    {COLON, 0, false, 0, 0, "in", "write `for x in xs`"},
    {ASSIGN, 0, false, 0, 0, "in", "`for` runs over a list or a range: `for i in 0..n { ... }`"},
    {IDENTIFIER, 0, false, 0, 0, "in", "write `for x in xs`"},
    {COMMA, IDENTIFIER, false, 0, LBRACE, "(",
     "several values are taken apart in parentheses: `let (a, b) = e`"},
    {COMMA, IDENTIFIER, false, 0, LBRACE, "=",
     "a `var` declares one variable; `let (a, b) = e` takes a tuple apart"},
    {COMMA, 0, false, 0, LBRACE, "an operator", "several values are a tuple, in parentheses: `(a, b)`"},
    {LBRACE, 0, false, 0, 0, "an expression",
     "braces hold statements; a list is `[a, b]`, a record a `data` type"},
    // Arguments, types, numbers.
    {ASSIGN, IDENTIFIER, false, 0, LPAREN, ":",
     "a named argument is written `name: value`; of a builtin function only `dim: 1`, which dimension it "
     "goes over"},
    {ASSIGN, IDENTIFIER, false, 0, LPAREN, "(", "`for` runs over a list or a range: `for i in 0..n { ... }`"},
    {RANGE, 0, false, 0, LBRACKET, "]", "a slice has no step"},
    {RANGE, 0, false, 0, 0, "{", "a range counts by one; other steps are computed: `2 * i`"},
    {ASSIGN, DIM, false, 0, LPAREN, ":", "the dimension that a reduction goes over is written `dim: 1`"},
    {LESS, IDENTIFIER, false, 0, 0, "[", "sizes stand in brackets, `State[H]`; a list of T is `[T]`"},
    {RBRACKET, LBRACKET, false, 0, LBRACKET, "an expression",
     "an index or a size stands in the brackets; a scalar is `f32`"},
};

// A statement may be an expression.
static bool can_stand(const struct expectation *e, const char *name) {
  return expectation_has(e, name) ||
         (strcmp(name, "an expression") == 0 && expectation_has(e, "a statement"));
}

static bool fits(const struct parser *parser, const struct sign *sign, const struct expectation *e) {
  const struct token *found = &parser->last, *before = &parser->previous;
  const struct bracket *open = parser_innermost_bracket(parser);
  return sign->found == found->kind && (!sign->before || sign->before == before->kind) &&
         (!sign->is_glued || before->span.hi == found->span.lo) &&
         (!sign->after || sign->after == parser->source->text[found->span.hi]) &&
         (!sign->inside || (open && open->kind == sign->inside)) &&
         (!sign->expected || can_stand(e, sign->expected));
}

static const char *sign_advice(struct parser *parser, const struct expectation *e) {
  const struct token *found = &parser->last;
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (fits(parser, &signs[i], e))
      return signs[i].advice;
  if (found->kind == PROJECTION && can_stand(e, "an expression"))
    return arena_printf(parser->arena, "a number begins with a digit: `0%.*s`",
                        (int)(found->span.hi - found->span.lo), parser->source->text + found->span.lo);
  const struct bracket *open = parser_innermost_bracket(parser);
  if (found->kind == SEPARATOR && parser->source->text[found->span.lo] == ';' && open &&
      open->kind == LBRACKET)
    return "elements and sizes are separated by commas";
  if (found->kind == LPAREN && parser->previous.kind == IDENTIFIER && expectation_has(e, "}") &&
      expectation_has(e, ",") && !expectation_has(e, "an operator"))
    return "members of an enum have no fields; `data` types have constructors with fields";
  return NULL;
}

// ---- Words --------------------------------------------------------------------------------------------------

static const char *word_advice(enum habit_place place, const struct token *token) {
  return token->kind == IDENTIFIER ? habit_advice(place, token->value.text) : NULL;
}

static const char *misspelt(struct parser *parser, const struct token *token, const char *const *words,
                            size_t count) {
  const char *word = token->kind == IDENTIFIER ? nearest_name(token->value.text, words, count) : NULL;
  return word ? arena_printf(parser->arena, "did you mean `%s`?", word) : NULL;
}

#define MISSPELT(parser, token, words) misspelt(parser, token, words, sizeof words / sizeof *words)

static const char *declaration_advice(struct parser *parser) {
  static const char *const words[] = {"import", "dim",   "vocab", "enum",   "data",
                                      "param",  "layer", "fn",    "metric", "let"};
  const char *text = word_advice(HABIT_DECLARATIONS, &parser->last);
  return text ? text : MISSPELT(parser, &parser->last, words);
}

static bool begins_value(int kind) {
  return kind == IDENTIFIER || kind == INTEGER || kind == FLOAT || kind == TEXT || kind == TRUE ||
         kind == FALSE;
}

// `(int) x`: the source has the text, the parser only the last two tokens.
static bool is_cast(const struct parser *parser) {
  static const char *const casts[] = {"(int)", "(float)", "(double)", "(f32)"};
  if (parser->previous.kind != RPAREN)
    return false;
  for (size_t i = 0; i < sizeof casts / sizeof *casts; i++) {
    uint32_t length = (uint32_t)strlen(casts[i]), end = parser->previous.span.hi;
    if (end >= length && memcmp(parser->source->text + end - length, casts[i], length) == 0)
      return true;
  }
  return false;
}

// Where an operator or the end of the statement should be.
static const char *operator_advice(struct parser *parser, const struct expectation *e) {
  static const char *const statements[] = {"let",   "var",    "for",   "while",   "if",
                                           "match", "return", "break", "continue"};
  static const char *const others[] = {"else"};
  const struct token *found = &parser->last, *before = &parser->previous;
  const char *text = word_advice(HABIT_STATEMENTS, found);
  if (!text)
    text = word_advice(HABIT_STATEMENTS, before);
  if (!text && before->starts_line && found->kind == IDENTIFIER)
    text = word_advice(HABIT_TYPED, before);
  if (!text && before->starts_line)
    text = MISSPELT(parser, before, statements);
  if (!text && expectation_has(e, "else"))
    text = MISSPELT(parser, found, others);
  if (!text && found->kind == ASSIGN)
    text = "`==` compares; an assignment is a statement of its own";
  if (!text && begins_value(found->kind) && is_cast(parser))
    text = "values are converted by functions: `float(n)`, `int(x)`";
  if (!text && begins_value(found->kind) && before->kind == IDENTIFIER)
    text = arena_printf(
        parser->arena, "a call has parentheses, `%s(%s)`; other names are joined by an operator",
        before->value.text, strtok(arena_strdup(parser->arena, parser_token_text(parser, found)), "`"));
  return text;
}

static bool looks_like_type(const char *word) {
  static const char *const types[] = {"int", "bool", "float", "f32"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(word, types[i]) == 0)
      return true;
  return word[0] >= 'A' && word[0] <= 'Z';
}

// `fn f(int a)`, `fn f(a int)`, `fn f(a)`, `fn f(self, a: int)`
static const char *parameter_advice(struct parser *parser, const struct expectation *e) {
  const struct token *found = &parser->last;
  const struct bracket *open = parser_innermost_bracket(parser);
  if (!open || open->kind != LPAREN || !expectation_has(e, ":") || e->count != 1 ||
      parser->previous.kind != IDENTIFIER)
    return NULL;
  const char *first = parser->previous.value.text;
  if (strcmp(first, "self") == 0 || strcmp(first, "this") == 0)
    return arena_printf(parser->arena, "leave `%s` out: a layer's functions name its members directly",
                        first);
  if (found->kind == IDENTIFIER && looks_like_type(first) && !looks_like_type(found->value.text))
    return arena_printf(parser->arena, "the name comes first: `%s: %s`", found->value.text, first);
  if (found->kind == IDENTIFIER)
    return arena_printf(parser->arena, "a colon stands between name and type: `%s: %s`", first,
                        found->value.text);
  return arena_printf(parser->arena, "every parameter has a type: `%s: T`", parser->previous.value.text);
}

// ---- All ----------------------------------------------------------------------------------------------------

static bool is_compound_assignment(const struct parser *parser) {
  int kind = parser->previous.kind;
  return parser->last.kind == ASSIGN && parser->previous.span.hi == parser->last.span.lo &&
         (kind == PLUS || kind == MINUS || kind == STAR || kind == SLASH || kind == PERCENT || kind == AT);
}

static bool is_binary_operator(int kind) { return (kind >= OR && kind <= AT) && kind != RANGE; }

// How bodies, arms and the lines of an expression are laid out.
static const char *layout_advice(const struct parser *parser, const struct expectation *e) {
  const struct token *found = &parser->last;
  bool is_newline = found->kind == SEPARATOR && parser->source->text[found->span.lo] != ';';
  if (is_newline && expectation_has(e, "{"))
    return "the `{` stands on the same line";
  if (is_newline && expectation_has(e, "=") && parser->previous.kind == IDENTIFIER)
    return "a name is bound to its value at once: `let x = e`, `var x = e`";
  if (found->starts_line && token_has_role(found->kind, 'S') && expectation_has(e, "a pattern"))
    return ARMS "; statements stand in braces after `=>`";
  if (found->kind == VAR && parser->previous.kind == LPAREN && expectation_has(e, "a pattern"))
    return "`for` runs over a list or a range: `for i in 0..n { ... }`";
  if (parser->previous.kind == RPAREN && expectation_has(e, "{") && expectation_has(e, "an operator"))
    return "bodies and branches stand in braces, conditions need no parentheses: `if c { a } else { b }`";
  return NULL;
}

const char *syntax_advice(struct parser *parser, const struct expectation *e) {
  const struct token *found = &parser->last;
  const char *text = is_compound_assignment(parser) ? "there are no compound assignments; write `x = x + e`"
                                                    : NULL;
  if (expectation_has(e, "a statement") && found->starts_line && is_binary_operator(found->kind))
    text = "a line that begins with an operator does not continue the one before;\n"
           "end that line with the operator, or put the whole in parentheses";
  if (!text)
    text = sign_advice(parser, e);
  if (!text)
    text = parameter_advice(parser, e);
  if (!text && (expectation_has(e, "a declaration") || expectation_has(e, "a `param`, `let` or `fn`")))
    text = declaration_advice(parser);
  if (!text && expectation_has(e, "an operator"))
    text = operator_advice(parser, e);
  if (!text)
    text = word_advice(HABIT_BINDINGS, &parser->previous);
  if (!text)
    text = layout_advice(parser, e);
  if (!text && found->kind == TEXT)
    text = "texts stand in `print(...)` and `assert(c, \"...\")` alone; everything else has names";
  if (!text && token_is_keyword(found->kind) &&
      (expectation_has(e, "a name") || expectation_has(e, "a pattern")))
    text = arena_printf(parser->arena, "%s is a keyword and cannot be a name",
                        parser_token_text(parser, found));
  return text;
}

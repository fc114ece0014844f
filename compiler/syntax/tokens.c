// Between the lexer and the parser: newlines become separators where a statement can end, brackets are matched, and
// after a syntax error the rest of the statement or declaration is skipped, so that one mistake gives one message.
//
// Recovery works together with the `error` productions of nn.y. When bison reports an error it goes back to the
// innermost list of statements, match arms, members or declarations and waits for a separator or the closing
// brace. parser_begin_recovery notes how many brackets are open around that list; tokens are dropped until
// a separator or brace at that depth. A keyword that can only begin a statement or declaration, first on its line,
// ends the skipping too: brackets that it cannot stand in are taken to be forgotten and are closed for it.
#include <assert.h>
#include <string.h>

#include "compiler/syntax/parser.h"
#include "nn.tab.h"

static const struct {
  int kind;
  const char *roles;
} keyword_roles[] = {
#define KEYWORD(token, text, roles) {token, roles},
#include "compiler/syntax/keywords.def"
#undef KEYWORD
};

bool token_is_keyword(int kind) {
  for (size_t i = 0; i < sizeof keyword_roles / sizeof *keyword_roles; i++) {
    if (keyword_roles[i].kind == kind)
      return true;
  }
  return false;
}

bool token_has_role(int kind, char role) {
  for (size_t i = 0; i < sizeof keyword_roles / sizeof *keyword_roles; i++) {
    if (keyword_roles[i].kind == kind)
      return strchr(keyword_roles[i].roles, role) != NULL;
  }
  return false;
}

// A keyword that stands at top level and nowhere else.
static bool is_toplevel_only(int kind) {
  return token_has_role(kind, 'D') && !token_has_role(kind, 'M') && !token_has_role(kind, 'S');
}

int token_closer_of(int opener) {
  switch (opener) {
  case LPAREN: return RPAREN;
  case LBRACKET: return RBRACKET;
  default: assert(opener == LBRACE); return RBRACE;
  }
}

const char *token_bracket_text(int kind) {
  switch (kind) {
  case LPAREN: return "(";
  case RPAREN: return ")";
  case LBRACKET: return "[";
  case RBRACKET: return "]";
  case LBRACE: return "{";
  default: assert(kind == RBRACE); return "}";
  }
}

const char *parser_token_text(struct parser *parser, const struct token *token) {
  if (token->kind == END)
    return "end of file";
  const char *text = parser->source->text + token->span.lo;
  size_t length = token->span.hi - token->span.lo;
  if (token->kind == SEPARATOR && (length == 0 || *text != ';'))
    return "end of line";
  return arena_printf(parser->arena, "`%.*s`", length > 40 ? 40 : (int)length, text);
}

struct diag *parser_error(struct parser *parser, enum diag_code code, struct span span, const char *format,
                          ...) {
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(parser->arena, format, args);
  va_end(args);
  parser->failed = true;
  parser->last_lexical_error = span;
  return diag_error(parser->sink, code, span, "%s", message);
}

void parser_refuse_depth(struct parser *parser, struct span span) {
  if (parser->is_too_deep)
    return;
  parser->is_too_deep = true;
  parser->failed = true;
  struct diag *diag = diag_error(parser->sink, DIAG_NESTING_TOO_DEEP, span, "this is nested too deeply");
  diag_note(
      diag,
      "brackets may be nested %d deep, expressions and blocks %d deep; the rest of the file was not read",
      PARSE_BRACKET_LIMIT, PARSE_DEPTH_LIMIT);
}

// ---- Newlines -----------------------------------------------------------------------------------------------

static struct token end_token(struct parser *parser) {
  uint32_t end = parser->source->length;
  return (struct token){.kind = END, .span = {parser->source->id, end, end}};
}

// The next raw token, from the queue or the file.
static struct token take(struct parser *parser) {
  if (parser->queued.count)
    return parser->queued.items[--parser->queued.count];
  if (parser->is_at_end)
    return end_token(parser);
  struct token token = {0};
  lexer_scan(parser, &token);
  if (token.kind == NEWLINE) {
    parser->at_line_start = true;
    parser->line_start = token.span.hi;
    return token;
  }
  token.starts_line = parser->at_line_start;
  parser->at_line_start = false;
  if (token.starts_line)
    parser->line_indent = token.span.lo - parser->line_start;
  parser->is_at_end = token.kind == END;
  return token;
}

static void put_back(struct parser *parser, struct token token) {
  arena_push(parser->arena, &parser->queued, token);
}

bool token_ends(int kind, char role) {
  switch (kind) {
  case IDENTIFIER:
  case INTEGER:
  case FLOAT:
  case TEXT:
  case PROJECTION:
  case RPAREN:
  case RBRACKET:
  case RBRACE:
  case UNDERSCORE: return true;
  default: return token_has_role(kind, role);
  }
}

// A line that begins so continues the one before.
static bool continues_line(int kind) {
  return kind == BAR || kind == OR || kind == ELSE || kind == DOT || kind == PROJECTION || kind == RANGE;
}

static bool newlines_matter(const struct parser *parser) {
  size_t count = parser->brackets.count;
  return count == 0 || parser->brackets.items[count - 1].kind == LBRACE;
}

// The next token, with newlines turned into separators or dropped.
static struct token next_significant(struct parser *parser) {
  struct token token = take(parser);
  if (token.kind != NEWLINE)
    return token;
  struct token separator = token;
  separator.kind = SEPARATOR;
  while (token.kind == NEWLINE)
    token = take(parser);
  if (!newlines_matter(parser) || !token_ends(parser->last.kind, 'E') || continues_line(token.kind))
    return token;
  put_back(parser, token);
  return separator;
}

// ---- Brackets -----------------------------------------------------------------------------------------------

static void open_bracket(struct parser *parser, const struct token *token) {
  if (parser->brackets.count == PARSE_BRACKET_LIMIT) {
    parser_refuse_depth(parser, token->span);
    return;
  }
  bool is_layer = token->kind == LBRACE && parser->brackets.count == 0 && parser->last_declaration == LAYER;
  struct bracket bracket = {token->kind, token->span, parser->line_indent, is_layer};
  arena_push(parser->arena, &parser->brackets, bracket);
}

// Pops to the bracket that is closed here. Parentheses never reach out of the braces they stand in; a closing brace
// ends whatever was left open inside.
static void close_bracket(struct parser *parser, const struct token *token) {
  struct bracket_stack *stack = &parser->brackets;
  size_t at = stack->count;
  while (at > 0 && token_closer_of(stack->items[at - 1].kind) != token->kind) {
    if (token->kind != RBRACE && stack->items[at - 1].kind == LBRACE)
      return;
    at--;
  }
  if (at == 0)
    return;
  const struct bracket *opener = &stack->items[at - 1];
  if (token->starts_line && opener->indent > parser->line_indent && parser->misindented.kind == 0)
    parser->misindented = *opener;
  stack->count = at - 1;
}

// Takes note of a token that is about to be handed out or skipped.
static void accept(struct parser *parser, const struct token *token) {
  parser->brackets_before = parser->brackets;
  parser->previous = parser->last;
  parser->last = *token;
  if (parser->brackets.count == 0)
    parser->misindented.kind = 0;  // whatever it was, it was closed or given up
  switch (token->kind) {
  case LPAREN:
  case LBRACKET:
  case LBRACE: open_bracket(parser, token); break;
  case RPAREN:
  case RBRACKET:
  case RBRACE: close_bracket(parser, token); break;
  default:
    if (parser->brackets.count == 0 && token_has_role(token->kind, 'D'))
      parser->last_declaration = token->kind;
    break;
  }
}

// How many brackets are open around and including the innermost brace.
static size_t brace_depth(const struct bracket_stack *brackets) {
  size_t depth = brackets->count;
  while (depth > 0 && brackets->items[depth - 1].kind != LBRACE)
    depth--;
  return depth;
}

// ---- Recovery -----------------------------------------------------------------------------------------------

static struct token synthetic(int kind, struct span place) {
  return (struct token){.kind = kind, .span = span_before(place), .is_synthetic = true};
}

// At how many open brackets a declaration of this kind can stand here: in the layer that is open, or at top level.
static size_t declaration_depth(const struct parser *parser, int keyword) {
  const struct bracket_stack *brackets = &parser->brackets;
  bool in_layer = brackets->count && brackets->items[0].is_layer;
  return in_layer && parser->line_indent > 0 && token_has_role(keyword, 'M') ? 1 : 0;
}

// Whether parsing can resume with this token although brackets are open that should not be; if so *depth is the
// number of brackets that stay open.
static bool can_restart_at(const struct parser *parser, const struct token *token, size_t *depth) {
  if (!token->starts_line || token->is_synthetic || token->is_restart)
    return false;
  size_t innermost = brace_depth(&parser->brackets);
  if (is_toplevel_only(token->kind) || token->kind == FN || token->kind == MEMO) {
    *depth = declaration_depth(parser, token->kind);
    // Inside braces that are being skipped an indented `fn` belongs to what is skipped.
    return innermost <= parser->skip_depth || parser->line_indent == 0;
  }
  *depth = parser->skip_depth;
  if (innermost > parser->skip_depth)
    return false;
  if (parser->skip_depth == 0)
    return token_has_role(token->kind, 'D');
  bool among_members = parser->skip_depth == 1 && parser->brackets.items[0].is_layer;
  return token_has_role(token->kind, among_members ? 'M' : 'S');
}

// Closes all brackets but `depth` of them, gives a separator, and goes on with the token. Brackets inside the
// innermost brace are forgotten: bison has dropped them already.
static void restart_at(struct parser *parser, struct token token, size_t depth) {
  parser->is_skipping = false;
  parser->brackets.count = brace_depth(&parser->brackets);
  if (depth > parser->brackets.count)
    depth = parser->brackets.count;
  token.is_restart = true;
  put_back(parser, token);
  put_back(parser, synthetic(SEPARATOR, token.span));
  for (size_t i = depth; i < parser->brackets.count; i++)
    put_back(parser, synthetic(token_closer_of(parser->brackets.items[i].kind), token.span));
}

// The brackets that the skipped text opened are not those that bison knows; only the latter get closers.
static void forget_skipped_brackets(struct parser *parser) {
  if (parser->brackets.count > parser->skip_depth)
    parser->brackets.count = parser->skip_depth;
}

void parser_begin_recovery(struct parser *parser) {
  const struct token token = parser->last;
  if (token.kind == END || token.is_synthetic)
    return;
  parser->skip_depth = brace_depth(&parser->brackets_before);
  bool closes_block = token.kind == RBRACE && parser->brackets.count < parser->skip_depth;
  bool ends_statement = token.kind == SEPARATOR && parser->skip_depth > 0;
  parser->is_skipping = !closes_block && !ends_statement;
  size_t depth;
  if (parser->is_skipping && can_restart_at(parser, &token, &depth)) {
    forget_skipped_brackets(parser);
    restart_at(parser, token, depth);
  }
}

// Whether bison can take up the token after an error.
static bool ends_skipping(const struct parser *parser, const struct token *token) {
  size_t open = parser->brackets.count;
  switch (token->kind) {
  case END: return true;
  case SEPARATOR: return parser->skip_depth > 0 && open == parser->skip_depth;
  case RBRACE: return open < parser->skip_depth;
  default: return false;
  }
}

// `as` is a word of imports only, so that it remains a name elsewhere: behind the path, `import a.b as c`.
static bool is_as(const struct parser *parser, const struct token *token) {
  return token->kind == IDENTIFIER && parser->last.kind == IDENTIFIER && parser->last_declaration == IMPORT &&
         parser->brackets.count == 0 && strcmp(token->value.text, "as") == 0;
}

struct token parser_next_token(struct parser *parser) {
  for (;;) {
    struct token token = next_significant(parser);
    if (is_as(parser, &token))
      token.kind = AS;
    accept(parser, &token);
    if (parser->is_too_deep)
      return end_token(parser);
    if (!parser->is_skipping)
      return token;
    size_t depth;
    if (ends_skipping(parser, &token)) {
      parser->is_skipping = false;
      return token;
    }
    if (can_restart_at(parser, &token, &depth)) {
      forget_skipped_brackets(parser);
      restart_at(parser, token, depth);
    }
  }
}

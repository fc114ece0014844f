// Tokens of the IR's text form.
#include "compiler/ir/ir_lex.h"

#include <string.h>

void ir_lexer_init(struct ir_lexer *lexer, const char *text, size_t length) {
  if (length == 0)
    text = "";  // may be NULL
  *lexer = (struct ir_lexer){.next = text, .end = text + length, .line_start = text, .line = 1};
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// The character at an offset from the next one, or NUL behind the end.
static char ahead(const struct ir_lexer *lexer, size_t offset) {
  return (size_t)(lexer->end - lexer->next) > offset ? lexer->next[offset] : '\0';
}

static void skip_digits(struct ir_lexer *lexer) {
  while (is_digit(ahead(lexer, 0)))
    lexer->next++;
}

static struct ir_token bad(struct ir_lexer *lexer, struct ir_token token, const char *why) {
  lexer->error = why;
  token.kind = IR_TOKEN_BAD;
  return token;
}

static void skip_blanks(struct ir_lexer *lexer) {
  for (;;) {
    char c = ahead(lexer, 0);
    if (lexer->next == lexer->end) {
      return;
    } else if (c == ';') {
      while (lexer->next < lexer->end && *lexer->next != '\n')
        lexer->next++;
    } else if (c == '\n' && lexer->depth > 0) {
      lexer->line_start = ++lexer->next;
      lexer->line++;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      lexer->next++;
    } else {
      return;
    }
  }
}

// The lexer stands behind the opening quote.
static struct ir_token lex_quoted(struct ir_lexer *lexer, struct ir_token token) {
  token.text = lexer->next;
  token.quoted = true;
  while (lexer->next < lexer->end && *lexer->next != '"' && *lexer->next != '\n')
    lexer->next += *lexer->next == '\\' && lexer->end - lexer->next > 1 ? 2 : 1;
  if (ahead(lexer, 0) != '"')
    return bad(lexer, token, "a quoted name has no end");
  token.length = (size_t)(lexer->next++ - token.text);
  return token;
}

static struct ir_token lex_name(struct ir_lexer *lexer, struct ir_token token) {
  token.kind = IR_TOKEN_NAME;
  while (is_letter(ahead(lexer, 0)) || is_digit(ahead(lexer, 0)) ||
         (ahead(lexer, 0) == '.' && (is_letter(ahead(lexer, 1)) || is_digit(ahead(lexer, 1)))))
    lexer->next++;
  token.length = (size_t)(lexer->next - token.text);
  return token;
}

static struct ir_token lex_symbol(struct ir_lexer *lexer, struct ir_token token) {
  token.kind = IR_TOKEN_SYMBOL;
  token.text = ++lexer->next;
  if (ahead(lexer, 0) == '"') {
    lexer->next++;
    return lex_quoted(lexer, token);
  }
  while (is_letter(ahead(lexer, 0)) || is_digit(ahead(lexer, 0)) || ahead(lexer, 0) == '.' ||
         ahead(lexer, 0) == '*')
    lexer->next++;
  token.length = (size_t)(lexer->next - token.text);
  return token.length ? token : bad(lexer, token, "a name is missing after @");
}

static struct ir_token lex_id(struct ir_lexer *lexer, struct ir_token token, enum ir_token_kind kind) {
  token.kind = kind;
  token.text = ++lexer->next;
  skip_digits(lexer);
  token.length = (size_t)(lexer->next - token.text);
  return token.length ? token : bad(lexer, token, "a number is missing after % or ^");
}

static struct ir_token lex_number(struct ir_lexer *lexer, struct ir_token token) {
  token.kind = IR_TOKEN_NUMBER;
  skip_digits(lexer);
  if (ahead(lexer, 0) == '.') {
    lexer->next++;
    skip_digits(lexer);
  }
  bool sign = ahead(lexer, 1) == '+' || ahead(lexer, 1) == '-';
  if (ahead(lexer, 0) == 'e' && is_digit(ahead(lexer, sign ? 2 : 1))) {
    lexer->next += sign ? 2 : 1;
    skip_digits(lexer);
  }
  token.length = (size_t)(lexer->next - token.text);
  return is_letter(ahead(lexer, 0)) ? bad(lexer, token, "a number runs into a name") : token;
}

static struct ir_token lex_mark(struct ir_lexer *lexer, struct ir_token token) {
  char c = *lexer->next;
  if (c == '\0' || !strchr("()[]{},:=|+-*!?", c))
    return bad(lexer, token, "a character that has no meaning here");
  lexer->next++;
  token.length = 1;
  if (c == '-' && ahead(lexer, 0) == '>') {
    lexer->next++;
    token.length = 2;
    token.kind = IR_TOKEN_ARROW;
    return token;
  }
  if (c == '(' || c == '[')
    lexer->depth++;
  else if ((c == ')' || c == ']') && lexer->depth > 0)
    lexer->depth--;
  token.kind = IR_TOKEN_MARK;
  token.mark = c;
  return token;
}

struct ir_token ir_lex(struct ir_lexer *lexer) {
  skip_blanks(lexer);
  struct ir_token token = {.kind = IR_TOKEN_END,
                           .text = lexer->next,
                           .line = lexer->line,
                           .column = (uint32_t)(lexer->next - lexer->line_start) + 1};
  if (lexer->next == lexer->end)
    return token;
  char c = *lexer->next;
  if (c == '\n') {
    token.kind = IR_TOKEN_NEWLINE;
    lexer->line_start = ++lexer->next;
    lexer->line++;
    return token;
  }
  if (is_letter(c))
    return lex_name(lexer, token);
  if (is_digit(c))
    return lex_number(lexer, token);
  switch (c) {
  case '"':
    lexer->next++;
    token.kind = IR_TOKEN_STRING;
    return lex_quoted(lexer, token);
  case '@': return lex_symbol(lexer, token);
  case '%': return lex_id(lexer, token, IR_TOKEN_VALUE);
  case '^': return lex_id(lexer, token, IR_TOKEN_LABEL);
  default: return lex_mark(lexer, token);
  }
}

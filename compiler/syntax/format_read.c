// A file as lines of tokens and comments, and what the tokens' neighbours say about them.
#include <string.h>

#include "compiler/syntax/format_layout.h"
#include "compiler/syntax/parser.h"
#include "nn.tab.h"

// Where a tab leads to: the columns of what the author saw matter only where comments stand below each other.
#define TAB_WIDTH 8

struct reader {
  struct format_layout *layout;
  const char *text;
  uint32_t offset;              // read so far ...
  unsigned column;              // ... and its column
  struct format_line line;      // being read
  bool is_separated;            // since the last token
  bool saw_semicolon;           // on this line
  bool has_semicolon;           // a `;` that is written if something follows it on its line
  struct bracket_stack opened;  // `span` holds the piece's number
};

static struct format_piece *last_piece(const struct reader *r) {
  struct format_pieces *pieces = &r->layout->pieces;
  return pieces->count ? &pieces->items[pieces->count - 1] : NULL;
}

static void end_line(struct reader *r) {
  bool is_empty = r->line.count == 0 && !r->line.comment;
  bool follows_blank = is_empty && (r->line.follows_blank || !r->saw_semicolon);
  if (!is_empty)
    arena_push(r->layout->arena, &r->layout->lines, r->line);
  r->line = (struct format_line){.first = r->layout->pieces.count, .follows_blank = follows_blank};
  r->column = 0;
  r->saw_semicolon = r->has_semicolon = false;
}

static void advance(struct reader *r, uint32_t to) {
  for (; r->offset < to; r->offset++) {
    unsigned char byte = (unsigned char)r->text[r->offset];
    if (byte == '\t')
      r->column += TAB_WIDTH - r->column % TAB_WIDTH;
    else
      r->column += (byte & 0xC0) != 0x80;
  }
}

static void read_comment(struct reader *r) {
  const char *begin = r->text + r->offset;
  uint32_t length = (uint32_t)strcspn(begin, "\n");
  r->line.comment_at = r->column;
  if (r->line.count == 0)
    r->line.indent = r->column;
  advance(r, r->offset + length);
  while (length > 0 && strchr(" \t\r\f", begin[length - 1]))
    length--;
  r->line.comment = begin;
  r->line.comment_length = length;
}

// What stands between two tokens: blanks, newlines, comments.
static void read_gap(struct reader *r, uint32_t end) {
  while (r->offset < end) {
    if (r->text[r->offset] == '\n') {
      r->offset++;
      end_line(r);
    } else if (r->text[r->offset] == '/') {
      read_comment(r);
    } else {
      advance(r, r->offset + 1);
    }
  }
}

static void push_piece(struct reader *r, int kind, const char *text, uint32_t length) {
  const struct format_piece *last = last_piece(r);
  bool begins = r->is_separated || (last && last->kind == LBRACE);
  struct format_piece piece = {.kind = kind, .text = text, .length = length, .begins = begins};
  arena_push(r->layout->arena, &r->layout->pieces, piece);
  r->line.count++;
  r->is_separated = false;
}

static void note_bracket(struct reader *r, int kind) {
  struct format_pieces *pieces = &r->layout->pieces;
  size_t here = pieces->count - 1;
  if (kind == LPAREN || kind == LBRACKET || kind == LBRACE) {
    struct bracket bracket = {.kind = kind, .span.lo = (uint32_t)here};
    arena_push(r->layout->arena, &r->opened, bracket);
  } else if (kind == RPAREN || kind == RBRACKET || kind == RBRACE) {
    size_t opener = r->opened.items[--r->opened.count].span.lo;
    pieces->items[opener].partner = here;
    pieces->items[here].partner = opener;
  }
}

static bool stands_among_statements(const struct reader *r) {
  return r->opened.count == 0 || r->opened.items[r->opened.count - 1].kind == LBRACE;
}

// A `;` between statements says what a newline says, too: only one with statements on both sides of it is kept.
static void read_separator(struct reader *r, const struct token *token) {
  bool is_newline = r->text[token->span.lo] != ';';
  if (!is_newline) {
    read_gap(r, token->span.lo);
    advance(r, token->span.hi);
    r->saw_semicolon = true;
    if (!stands_among_statements(r))
      push_piece(r, SEPARATOR, r->text + token->span.lo, 1);
    else
      r->has_semicolon = r->line.count > 0 && last_piece(r)->kind != LBRACE;
  }
  r->is_separated = true;
}

static void read_token(struct reader *r, const struct token *token) {
  read_gap(r, token->span.lo);
  if (r->has_semicolon && token->kind != RBRACE) {
    push_piece(r, SEPARATOR, ";", 1);
    r->is_separated = true;
  }
  r->has_semicolon = false;
  if (r->line.count == 0)
    r->line.indent = r->column;
  push_piece(r, token->kind, r->text + token->span.lo, token->span.hi - token->span.lo);
  note_bracket(r, token->kind);
  advance(r, token->span.hi);
  r->line.code_end = r->column;
}

// ---- Operators ----------------------------------------------------------------------------------------------

static bool is_arithmetic(int kind) {
  return kind == PLUS || kind == MINUS || kind == STAR || kind == SLASH || kind == PERCENT || kind == AT;
}

// What binds more strongly than `..`, brackets apart.
static bool is_of_range_operand(int kind) {
  return is_arithmetic(kind) || kind == NOT || kind == DOT || (kind != RBRACE && token_ends(kind, 'V'));
}

static void tighten(struct format_pieces *pieces, size_t at) {
  struct format_piece *piece = &pieces->items[at];
  bool meets_sign = at + 1 < pieces->count && pieces->items[at + 1].is_unary;
  piece->is_tight |= is_arithmetic(piece->kind) && !piece->is_unary && !meets_sign;
}

// `0..L-1`: what a `..` stands between holds together more closely than the `..` does.
static void tighten_range(struct format_pieces *pieces, size_t range) {
  struct format_piece *items = pieces->items;
  for (size_t i = range; i-- > 0 && !items[i + 1].begins && is_of_range_operand(items[i].kind);) {
    tighten(pieces, i);
    if (items[i].kind == RPAREN || items[i].kind == RBRACKET)
      i = items[i].partner;
  }
  for (size_t i = range + 1; i < pieces->count && !items[i].begins; i++) {
    bool is_closer = items[i].kind == RPAREN || items[i].kind == RBRACKET;
    if (items[i].kind == LPAREN || items[i].kind == LBRACKET)
      i = items[i].partner;
    else if (is_closer || !is_of_range_operand(items[i].kind))
      break;
    tighten(pieces, i);
  }
}

static void read_operators(struct format_layout *layout) {
  struct format_pieces *pieces = &layout->pieces;
  for (size_t i = 0; i < pieces->count; i++) {
    struct format_piece *piece = &pieces->items[i];
    piece->is_unary = piece->kind == MINUS &&
                      (piece->begins || i == 0 || !token_ends(pieces->items[i - 1].kind, 'V'));
  }
  for (size_t i = 0; i < pieces->count; i++) {
    if (pieces->items[i].kind == RANGE)
      tighten_range(pieces, i);
  }
}

struct format_layout format_read(struct arena *arena, struct source_file *source) {
  struct format_layout layout = {.arena = arena};
  struct diag_sink sink;
  diag_sink_init(&sink, arena, NULL);
  struct parser parser = {.arena = arena, .sink = &sink, .source = source, .at_line_start = true};
  lexer_begin(&parser);
  struct reader r = {.layout = &layout, .text = source->text, .offset = parser.offset, .is_separated = true};
  for (;;) {
    struct token token = parser_next_token(&parser);
    if (token.kind == END)
      break;
    if (token.kind == SEPARATOR)
      read_separator(&r, &token);
    else
      read_token(&r, &token);
  }
  read_gap(&r, source->length);
  end_line(&r);
  read_operators(&layout);
  return layout;
}

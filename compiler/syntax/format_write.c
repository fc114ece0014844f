// Lines of tokens as text. One walk over the tokens keeps the open brackets; from these, and from where a statement or
// an item begins, follows how far a line is indented:
//
//   statements and items    two columns further than the line that opened their bracket
//   what goes on            two columns further than what it belongs to; four in the head of a block, which its
//                           statements then stand out from
//   `|` of a data type      below the `=`, when that stands on the first line
//   `else`, closing bracket as the line that opened
#include <string.h>

#include "compiler/syntax/format_layout.h"
#include "compiler/syntax/parser.h"
#include "nn.tab.h"

#define INDENT 2

// What is open around a token: the file, or a bracket.
struct level {
  int kind;               // of the opening bracket; 0: the file
  unsigned base;          // the indentation that its closing bracket gets
  bool is_layer;          // the braces of a layer
  bool in_declaration;    // of a dim or an instance: what is computed there is sizes
  bool is_size;           // so are products directly in it
  bool hangs_in_head;     // its first item stands on its line, in the head of a block
  bool is_comprehension;  // its `for` was seen
  bool item_leads_line;   // the item being written stands first on its line
  int head;               // the keyword of a block whose `{` is to come; 0: none
  unsigned head_base;
  bool in_data;  // a data declaration
  unsigned bar;  // the column for its `|`; 0: none
};

AST_LIST(levels, struct level);

struct writer {
  struct format_layout *layout;
  struct levels levels;
  unsigned base;    // what a bracket that opens now goes back to
  unsigned closed;  // the base of the last brace that closed
  char *code;       // of the line being written
  size_t used;
};

static struct level *innermost(struct writer *w) { return &w->levels.items[w->levels.count - 1]; }

static bool is_opener(int kind) { return kind == LPAREN || kind == LBRACKET || kind == LBRACE; }
static bool is_closer(int kind) { return kind == RPAREN || kind == RBRACKET || kind == RBRACE; }

static const struct format_piece *piece_at(const struct writer *w, size_t i) {
  return &w->layout->pieces.items[i];
}

// ---- Indentation --------------------------------------------------------------------------------------------

static unsigned inside(const struct level *level) {
  if (level->kind == 0)
    return 0;
  return level->base + (level->hangs_in_head ? 2 * INDENT : INDENT);
}

static bool begins_item(const struct level *level, const struct format_piece *piece,
                        const struct format_piece *previous) {
  if (!previous || is_opener(previous->kind) || previous->kind == COMMA || previous->kind == SEPARATOR)
    return true;
  if (level->kind == 0 || level->kind == LBRACE)
    return piece->begins;
  return level->kind == LBRACKET && (piece->kind == FOR || (piece->kind == IF && level->is_comprehension));
}

// Of the piece that is the first of its line.
static unsigned indent_of(struct writer *w, size_t at, size_t line_end) {
  const struct level *level = innermost(w);
  const struct format_piece *piece = piece_at(w, at);
  if (is_closer(piece->kind)) {
    size_t depth = w->levels.count;
    for (; at < line_end && is_closer(piece_at(w, at)->kind); at++)
      depth--;
    return w->levels.items[depth].base;
  }
  if (piece->kind == ELSE)
    return w->closed;
  if (begins_item(level, piece, at ? piece_at(w, at - 1) : NULL))
    return inside(level);
  if (level->in_data && piece->kind == BAR && level->bar)
    return level->bar;
  if (level->kind == LPAREN || level->kind == LBRACKET)
    return inside(level) + (level->item_leads_line ? INDENT : 0);
  return inside(level) + (level->head ? 2 * INDENT : INDENT);
}

// A comment of its own stands as what follows it, and what ends a block belongs to the block.
static unsigned comment_indent(struct writer *w, size_t next) {
  if (next == w->layout->pieces.count || is_closer(piece_at(w, next)->kind))
    return inside(innermost(w));
  return indent_of(w, next, next + 1);
}

// ---- Blanks between tokens ----------------------------------------------------------------------------------

static bool is_number(int kind) { return kind == INTEGER || kind == FLOAT; }

// What a call's or subscript's bracket follows.
static bool is_callee(int kind) {
  return kind == FUNCTION || kind == IDENTIFIER || kind == RPAREN || kind == RBRACKET || kind == PROJECTION;
}

static bool is_spaced(const struct format_piece *left, const struct format_piece *right) {
  // `1 .0` and `2. ..3` would be other tokens.
  if (is_number(left->kind) && (right->kind == DOT || right->kind == PROJECTION))
    return true;
  if (right->kind == RANGE)
    return left->text[left->length - 1] == '.';
  switch (left->kind) {
  case LPAREN:
  case LBRACKET:
  case DOT:
  case RANGE:
  case NOT: return false;
  case LBRACE: return right->kind != RBRACE;
  default: break;
  }
  if (left->is_unary || left->is_tight || right->is_tight)
    return false;
  switch (right->kind) {
  case RPAREN:
  case RBRACKET:
  case COMMA:
  case COLON:
  case SEPARATOR:
  case DOT:
  case PROJECTION: return false;
  case LPAREN:
  case LBRACKET: return !is_callee(left->kind);
  default: return true;
  }
}

// ---- The walk -----------------------------------------------------------------------------------------------

static void open_level(struct writer *w, size_t at, bool is_last) {
  const struct format_piece *piece = piece_at(w, at);
  bool follows_callee = at > 0 && !piece->begins && is_callee(piece_at(w, at - 1)->kind);
  struct level *around = innermost(w);
  struct level level = {.kind = piece->kind, .base = w->base};
  if (piece->kind == LBRACE) {
    level.base = around->head ? around->head_base : w->base;
    level.is_layer = around->head == LAYER;
    around->head = 0;
  } else {
    level.in_declaration = around->in_declaration;
    level.is_size = level.in_declaration || (follows_callee ? piece->kind == LBRACKET : around->is_size);
    level.hangs_in_head = around->head && !is_last;
  }
  arena_push(w->layout->arena, &w->levels, level);
}

static void close_level(struct writer *w, size_t at, size_t line_first) {
  const struct level *level = innermost(w);
  if (piece_at(w, at)->partner < line_first)
    w->base = level->base;
  if (level->kind == LBRACE)
    w->closed = level->base;
  w->levels.count--;
}

// `fn(A, B) -> C`, where no braces come.
static bool is_type(const struct writer *w, size_t at) {
  size_t count = w->layout->pieces.count;
  size_t closer = piece_at(w, at + 1)->partner;
  return closer + 1 == count || piece_at(w, closer + 1)->kind != LBRACE;
}

// The keywords whose braces are to come, and what kind of statement begins.
static void note_keyword(struct writer *w, size_t at) {
  const struct format_piece *piece = piece_at(w, at);
  struct level *level = innermost(w);
  bool is_outside = level->kind == 0 || level->is_layer;
  if (is_outside && piece->begins) {
    level->in_declaration = piece->kind == DIM || piece->kind == LET;
    level->is_size = level->in_declaration;
    level->in_data = piece->kind == DATA;
    level->bar = 0;
  }
  switch (piece->kind) {
  case FOR:
  case IF:
    if (level->kind == LBRACKET && (piece->kind == FOR || level->is_comprehension)) {
      level->is_comprehension = true;
      break;
    }
    // fall through
  case WHILE:
  case MATCH:
  case FN:
  case FUNCTION:
    if (piece->kind == FUNCTION && is_type(w, at))
      break;
    // fall through
  case METRIC:
  case LAYER:
    level->head = piece->kind;
    level->head_base = w->base;
    break;
  default: break;
  }
}

static void write_piece(struct writer *w, const struct format_line *line, size_t at) {
  struct format_piece *piece = &w->layout->pieces.items[at];
  const struct format_piece *previous = at ? piece_at(w, at - 1) : NULL;
  struct level *level = innermost(w);
  if (!previous || begins_item(level, piece, previous))
    level->item_leads_line = at == line->first;
  if (piece->kind == STAR && level->is_size)
    piece->is_tight = true;
  note_keyword(w, at);
  if (at > line->first && is_spaced(previous, piece))
    w->code[w->used++] = ' ';
  bool is_last = at + 1 == line->first + line->count;
  if (piece->kind == ASSIGN && level->in_data && piece_at(w, line->first)->kind == DATA && !is_last)
    level->bar = line->new_indent + (unsigned)w->used;
  memcpy(w->code + w->used, piece->text, piece->length);
  w->used += piece->length;
  if (is_opener(piece->kind))
    open_level(w, at, is_last);
  else if (is_closer(piece->kind))
    close_level(w, at, line->first);
}

static void write_line(struct writer *w, struct format_line *line) {
  if (line->count == 0) {
    line->new_indent = comment_indent(w, line->first);
    line->new_end = line->new_indent;
    return;
  }
  size_t room = 0;
  for (size_t i = 0; i < line->count; i++)
    room += piece_at(w, line->first + i)->length + 1;
  w->code = arena_alloc(w->layout->arena, room);
  w->used = 0;
  line->new_indent = indent_of(w, line->first, line->first + line->count);
  w->base = line->new_indent;
  for (size_t i = 0; i < line->count; i++)
    write_piece(w, line, line->first + i);
  line->code = w->code;
  line->code_length = w->used;
  line->new_end = line->new_indent;
  for (size_t i = 0; i < w->used; i++)
    line->new_end += ((unsigned char)w->code[i] & 0xC0) != 0x80;
}

// Empty lines stand between things, not at the ends of what brackets hold.
static bool keeps_blank(const struct writer *w, size_t at) {
  const struct format_line *line = &w->layout->lines.items[at];
  if (at == 0 || !line->follows_blank)
    return false;
  const struct format_line *before = line - 1;
  if (before->count && is_opener(piece_at(w, before->first + before->count - 1)->kind))
    return false;
  return line->count == 0 || !is_closer(piece_at(w, line->first)->kind);
}

void format_indent(struct format_layout *layout) {
  struct writer w = {.layout = layout};
  struct level file = {0};
  arena_push(layout->arena, &w.levels, file);
  for (size_t i = 0; i < layout->lines.count; i++)
    write_line(&w, &layout->lines.items[i]);
  for (size_t i = layout->lines.count; i-- > 0;)
    layout->lines.items[i].follows_blank = keeps_blank(&w, i);
}

// ---- Comments behind code -----------------------------------------------------------------------------------

static bool is_trailing(const struct format_line *line) { return line->count && line->comment; }

static unsigned largest(unsigned a, unsigned b) { return a > b ? a : b; }

// Comments that stand below each other keep doing so, at their column or as far right as the code needs; one that stands
// close to its code stays so. Gives how many lines from `first` on belong together.
static size_t place_comments(struct format_line *first, size_t left) {
  size_t count = 1;
  while (count < left && is_trailing(&first[count]) && !first[count].follows_blank &&
         first[count].comment_at == first->comment_at)
    count++;
  unsigned gap = first->comment_at - first->code_end;
  unsigned column = 0;
  for (size_t i = 0; i < count; i++) {
    unsigned moved = first[i].comment_at - first[i].indent + first[i].new_indent;
    column = largest(column, largest(moved, first[i].new_end + 1));
  }
  if (count == 1 && gap <= 2)
    column = first->new_end + largest(gap, 1);
  for (size_t i = 0; i < count; i++)
    first[i].comment_at = column;
  return count;
}

const char *format_write(struct format_layout *layout, size_t *length) {
  struct format_line *lines = layout->lines.items;
  size_t room = 1;
  for (size_t i = 0; i < layout->lines.count;)
    i += is_trailing(&lines[i]) ? place_comments(&lines[i], layout->lines.count - i) : 1;
  for (size_t i = 0; i < layout->lines.count; i++) {
    if (!is_trailing(&lines[i]))
      lines[i].comment_at = lines[i].new_indent;
    room += (size_t)largest(lines[i].comment_at, lines[i].new_end) + lines[i].code_length +
            lines[i].comment_length + 2;
  }
  char *text = arena_alloc(layout->arena, room), *to = text;
  for (size_t i = 0; i < layout->lines.count; i++) {
    const struct format_line *line = &lines[i];
    if (line->follows_blank)
      *to++ = '\n';
    memset(to, ' ', line->new_indent);
    to += line->new_indent;
    if (line->count)
      memcpy(to, line->code, line->code_length);
    to += line->code_length;
    if (line->comment) {
      unsigned gap = line->comment_at - line->new_end;
      memset(to, ' ', gap);
      to += gap;
      memcpy(to, line->comment, line->comment_length);
      to += line->comment_length;
    }
    *to++ = '\n';
  }
  *to = '\0';
  *length = (size_t)(to - text);
  return text;
}

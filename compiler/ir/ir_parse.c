// Reads the text form (grammar: IR.md): recursive descent over one token. This file has the parser's small
// tools, sizes, types and the declarations; functions and blocks are in ir_parse_body.c.
//
// Data types, functions and blocks may be used before they are defined: a first pass over the tokens declares
// them.
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/ir/ir_parser.h"
#include "compiler/ir/ir_text.h"

#define MAX_TYPE_DEPTH 64  // bounds recursion here and in everything that walks types

// ------------------------------------------------------------------------------------------ errors

static void record(struct ir_parser *p, uint32_t line, uint32_t column, const char *format, va_list args) {
  if (p->error)
    return;
  char *what = NULL;
  if (vasprintf(&what, format, args) >= 0) {
    p->error = ir_text_message("%" PRIu32 ":%" PRIu32 ": %s", line, column, what);
    free(what);
  }
  if (!p->error)
    arena_out_of_memory(p->module->arena);  // to parse_guarded
  p->token.kind = IR_TOKEN_END;
}

void ir_parse_fail(struct ir_parser *p, const char *format, ...) {
  va_list args;
  va_start(args, format);
  record(p, p->token.line, p->token.column, format, args);
  va_end(args);
}

void ir_parse_fail_at(struct ir_parser *p, uint32_t line, uint32_t column, const char *format, ...) {
  va_list args;
  va_start(args, format);
  record(p, line, column, format, args);
  va_end(args);
}

// How a message shows the current token, at most 40 bytes of it.
static const char *shown(struct ir_parser *p) {
  if (p->token.kind == IR_TOKEN_END)
    return "the end";
  if (p->token.kind == IR_TOKEN_NEWLINE)
    return "the end of the line";
  int length = p->token.length < 40 ? (int)p->token.length : 40;
  return arena_printf(p->module->arena, "`%.*s`", length, p->token.text);
}

// ------------------------------------------------------------------------------------------ tokens

void ir_parse_advance(struct ir_parser *p) {
  if (p->error)
    return;
  p->token = ir_lex(&p->lexer);
  if (p->token.kind == IR_TOKEN_BAD)
    ir_parse_fail(p, "%s", p->lexer.error);
}

bool ir_parse_at_mark(const struct ir_parser *p, char mark) {
  return p->token.kind == IR_TOKEN_MARK && p->token.mark == mark;
}

static bool spells(const struct ir_token *token, const char *word) {
  return token->kind == IR_TOKEN_NAME && token->length == strlen(word) &&
         memcmp(token->text, word, token->length) == 0;
}

static bool at_word(const struct ir_parser *p, const char *word) { return spells(&p->token, word); }

bool ir_parse_accept_mark(struct ir_parser *p, char mark) {
  bool there = ir_parse_at_mark(p, mark);
  if (there)
    ir_parse_advance(p);
  return there;
}

bool ir_parse_accept_word(struct ir_parser *p, const char *word) {
  bool there = at_word(p, word);
  if (there)
    ir_parse_advance(p);
  return there;
}

void ir_parse_expect_mark(struct ir_parser *p, char mark) {
  if (!ir_parse_accept_mark(p, mark))
    ir_parse_fail(p, "expected `%c`, found %s", mark, shown(p));
}

static void expect_arrow(struct ir_parser *p) {
  if (p->token.kind != IR_TOKEN_ARROW)
    ir_parse_fail(p, "expected `->`, found %s", shown(p));
  ir_parse_advance(p);
}

void ir_parse_expect_newline(struct ir_parser *p) {
  if (p->token.kind != IR_TOKEN_NEWLINE && p->token.kind != IR_TOKEN_END)
    ir_parse_fail(p, "expected the end of the line, found %s", shown(p));
  ir_parse_advance(p);
}

static int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

// The text of a token with escapes undone: \" \\ \xHH.
static const char *unescaped(struct ir_parser *p, const struct ir_token *token) {
  char *text = arena_strndup(p->module->arena, token->text, token->length), *to = text;
  if (memchr(text, 0, token->length))
    ir_parse_fail(p, "a name holds a null byte");
  for (const char *from = text; token->quoted && *from;) {
    if (*from != '\\') {
      *to++ = *from++;
    } else if (from[1] == '"' || from[1] == '\\') {
      *to++ = from[1];
      from += 2;
    } else if (from[1] == 'x' && hex_digit(from[2]) >= 0 && hex_digit(from[3]) >= 0 &&
               (from[2] != '0' || from[3] != '0')) {
      *to++ = (char)(hex_digit(from[2]) * 16 + hex_digit(from[3]));
      from += 4;
    } else {
      ir_parse_fail(p, "an escape that is not \\\", \\\\ or \\xHH");
      break;
    }
  }
  if (token->quoted)
    *to = '\0';
  return text;
}

const char *ir_parse_name(struct ir_parser *p, const char *what) {
  if (p->token.kind != IR_TOKEN_NAME && p->token.kind != IR_TOKEN_STRING) {
    ir_parse_fail(p, "expected %s, found %s", what, shown(p));
    return "";
  }
  const char *name = unescaped(p, &p->token);
  ir_parse_advance(p);
  return name;
}

const char *ir_parse_symbol(struct ir_parser *p, const char *what) {
  if (p->token.kind != IR_TOKEN_SYMBOL) {
    ir_parse_fail(p, "expected @ and the name of a %s, found %s", what, shown(p));
    return "";
  }
  const char *name = unescaped(p, &p->token);
  ir_parse_advance(p);
  return name;
}

// The digits of a number token that is an integer, up to `most`.
static uint64_t magnitude(struct ir_parser *p, uint64_t most) {
  uint64_t value = 0;
  if (p->token.kind != IR_TOKEN_NUMBER) {
    ir_parse_fail(p, "expected an integer, found %s", shown(p));
    return 0;
  }
  for (size_t i = 0; i < p->token.length; i++) {
    char c = p->token.text[i];
    if (c < '0' || c > '9') {
      ir_parse_fail(p, "expected an integer, found %s", shown(p));
      return 0;
    }
    if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(c - '0'), &value) || value > most) {
      ir_parse_fail(p, "%s is out of range", shown(p));
      return 0;
    }
  }
  ir_parse_advance(p);
  return value;
}

int64_t ir_parse_integer(struct ir_parser *p, int64_t least, int64_t most) {
  struct ir_token start = p->token;
  bool negative = ir_parse_accept_mark(p, '-');
  uint64_t digits = magnitude(p, negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX);
  int64_t value = (int64_t)(negative ? -digits : digits);
  if (value < least || value > most) {
    ir_parse_fail_at(p, start.line, start.column, "%" PRId64 " is out of range", value);
    return least;
  }
  return value;
}

double ir_parse_double(struct ir_parser *p) {
  bool negative = ir_parse_accept_mark(p, '-');
  double value = 0;
  if (at_word(p, "inf") || at_word(p, "nan")) {
    value = at_word(p, "inf") ? (double)INFINITY : (double)NAN;
  } else if (p->token.kind != IR_TOKEN_NUMBER) {
    ir_parse_fail(p, "expected a number, found %s", shown(p));
  } else {
    value = strtod(arena_strndup(p->module->arena, p->token.text, p->token.length), NULL);
    if (isinf(value))
      ir_parse_fail(p, "%s is out of range", shown(p));
  }
  ir_parse_advance(p);
  return negative ? -value : value;
}

struct ir_loc ir_parse_location(struct ir_parser *p) {
  struct ir_loc loc = {0};
  if (!ir_parse_accept_mark(p, '!'))
    return loc;
  struct ir_token start = p->token;
  loc.file = (uint32_t)ir_parse_integer(p, 0, UINT32_MAX);
  if (loc.file >= p->module->n_files)
    ir_parse_fail_at(p, start.line, start.column, "there is no file %" PRIu32, loc.file);
  ir_parse_expect_mark(p, ':');
  loc.line = (uint32_t)ir_parse_integer(p, 1, UINT32_MAX);
  ir_parse_expect_mark(p, ':');
  loc.column = (uint32_t)ir_parse_integer(p, 0, UINT32_MAX);
  return loc;
}

// ------------------------------------------------------------------------------------------- names

// Values are kept one higher, so that none is NULL.
bool ir_names_find(const struct map *names, const char *name, uint32_t *value) {
  const void *found = map_get_text(names, name);
  if (!found)
    return false;
  *value = (uint32_t)((uintptr_t)found - 1);
  return true;
}

// An error at `at` when the name is there already.
static void declare(struct ir_parser *p, struct map *names, struct ir_token at, const char *name,
                    uint32_t value) {
  if (map_get_text(names, name))
    ir_parse_fail_at(p, at.line, at.column, "`%s` is defined twice", name);
  else
    map_put_text(p->module->arena, names, name, (void *)((uintptr_t)value + 1));
}

static void declare_data(struct ir_parser *p) {
  struct ir_token at = p->token;
  const char *name = ir_parse_name(p, "a name");
  uint32_t id = p->module->n_datas;
  declare(p, &p->types, at, ir_add_data(p->module, name)->name, id * 2 + 1);
}

static void declare_function(struct ir_parser *p) {
  bool memo = ir_parse_accept_word(p, "memo");
  struct ir_token at = p->token;
  struct ir_function *function = ir_add_function(p->module, ir_parse_symbol(p, "function"));
  function->memo = memo;
  declare(p, &p->functions, at, function->name, function->id);
}

static void declare_block(struct ir_parser *p) {
  struct ir_token at = p->token;
  struct ir_block *block = ir_add_block(p->module, ir_parse_symbol(p, "block"), IR_BLOCK_FORWARD);
  declare(p, &p->blocks, at, block->name, block->id);
}

// The first pass: whatever stands at the beginning of a line and is called data, host or block.
static void declare_all(struct ir_parser *p) {
  bool line_start = true;
  while (p->token.kind != IR_TOKEN_END) {
    bool was_start = line_start;
    line_start = p->token.kind == IR_TOKEN_NEWLINE;
    if (was_start && ir_parse_accept_word(p, "data"))
      declare_data(p);
    else if (was_start && ir_parse_accept_word(p, "host"))
      declare_function(p);
    else if (was_start && ir_parse_accept_word(p, "block"))
      declare_block(p);
    else
      ir_parse_advance(p);
  }
}

// --------------------------------------------------------------------------------- sizes and types

// `?`, `?1`
static const struct size *parse_runtime_size(struct ir_parser *p) {
  uint32_t number = 0;
  if (p->token.kind == IR_TOKEN_NUMBER)
    number = (uint32_t)ir_parse_integer(p, 1, IR_MAX_RUNTIME);
  return ir_runtime_size(p->module, p->error ? 0 : number);
}

static const struct size *parse_factor(struct ir_parser *p) {
  struct arena *arena = p->module->arena;
  if (ir_parse_accept_mark(p, '?'))
    return parse_runtime_size(p);
  if (p->token.kind == IR_TOKEN_NUMBER)
    return size_constant(arena, (int64_t)magnitude(p, INT64_MAX));
  struct ir_token at = p->token;
  const char *name = ir_parse_name(p, "a size");
  uint32_t value;
  if (p->error || !ir_names_find(&p->types, name, &value) || value % 2 != 0) {
    ir_parse_fail_at(p, at.line, at.column, "there is no size `%s`", name);
    return size_constant(arena, 0);
  }
  return size_from_atom(arena, &p->module->dims[value / 2]->atom);
}

static const struct size *in_range(struct ir_parser *p, const struct size *size) {
  if (size)
    return size;
  ir_parse_fail(p, "the size is out of range");
  return size_constant(p->module->arena, 0);
}

static const struct size *parse_term(struct ir_parser *p, bool negative) {
  struct arena *arena = p->module->arena;
  const struct size *product;
  if (negative && p->token.kind == IR_TOKEN_NUMBER)  // so that the smallest integer can be read
    product = size_constant(arena, (int64_t)-magnitude(p, (uint64_t)INT64_MAX + 1));
  else
    product = negative ? in_range(p, size_mul(arena, size_constant(arena, -1), parse_factor(p)))
                       : parse_factor(p);
  while (ir_parse_accept_mark(p, '*'))
    product = in_range(p, size_mul(arena, product, parse_factor(p)));
  return product;
}

const struct size *ir_parse_size(struct ir_parser *p) {
  const struct size *sum = parse_term(p, ir_parse_accept_mark(p, '-'));
  while (ir_parse_at_mark(p, '+') || ir_parse_at_mark(p, '-')) {
    bool negative = ir_parse_at_mark(p, '-');
    ir_parse_advance(p);
    sum = in_range(p, size_add(p->module->arena, sum, parse_term(p, negative)));
  }
  return sum;
}

static const struct ir_type *parse_type(struct ir_parser *p, int depth);

struct field_list {
  struct ir_field *items;
  size_t count, capacity;
};

// `(name: type, type, ...)`
static struct field_list parse_fields(struct ir_parser *p, int depth) {
  struct field_list fields = {0};
  ir_parse_expect_mark(p, '(');
  while (!p->error && !ir_parse_at_mark(p, ')')) {
    struct ir_field field = {0};
    struct ir_lexer lookahead = p->lexer;
    struct ir_token next = ir_lex(&lookahead);
    if (next.kind == IR_TOKEN_MARK && next.mark == ':') {
      field.name = ir_parse_name(p, "a field's name");
      ir_parse_advance(p);
    }
    field.type = parse_type(p, depth);
    arena_push(p->module->arena, &fields, field);
    if (!ir_parse_accept_mark(p, ','))
      break;
  }
  ir_parse_expect_mark(p, ')');
  return fields;
}

static const struct ir_type *parse_tuple(struct ir_parser *p, const char *name, int depth) {
  struct field_list fields = parse_fields(p, depth);
  return ir_type_tuple(p->module, name, (uint32_t)fields.count, fields.items);
}

static const struct ir_type *parse_shape(struct ir_parser *p, bool acc) {
  const struct size *sizes[IR_MAX_RANK];
  uint32_t rank = 0;
  if (ir_parse_accept_mark(p, '[')) {
    while (!p->error && !ir_parse_at_mark(p, ']')) {
      if (rank == IR_MAX_RANK) {
        ir_parse_fail(p, "more than %d sizes", IR_MAX_RANK);
        break;
      }
      sizes[rank++] = ir_parse_size(p);
      if (!ir_parse_accept_mark(p, ','))
        break;
    }
    ir_parse_expect_mark(p, ']');
  }
  const struct ir_type *tensor = ir_type_tensor(p->module, rank, sizes);
  return acc ? ir_type_acc(p->module, tensor) : tensor;
}

// An index set, a data type, or a record with its fields.
static const struct ir_type *parse_named_type(struct ir_parser *p, int depth) {
  struct ir_token at = p->token;
  const char *name = ir_parse_name(p, "a type");
  if (ir_parse_at_mark(p, '('))
    return parse_tuple(p, name, depth);
  uint32_t value;
  if (ir_names_find(&p->types, name, &value))
    return value % 2 ? ir_type_data(p->module, value / 2) : ir_type_index(p->module, value / 2);
  ir_parse_fail_at(p, at.line, at.column, "there is no type `%s`", name);
  return ir_type_simple(p->module, IR_INT);
}

static const struct ir_type *parse_type(struct ir_parser *p, int depth) {
  if (depth == MAX_TYPE_DEPTH)
    ir_parse_fail(p, "the type is nested too deep");
  if (p->error)
    return ir_type_simple(p->module, IR_INT);
  if (ir_parse_accept_word(p, "int"))
    return ir_type_simple(p->module, IR_INT);
  if (ir_parse_accept_word(p, "bool"))
    return ir_type_simple(p->module, IR_BOOL);
  if (ir_parse_accept_word(p, "float"))
    return ir_type_simple(p->module, IR_FLOAT);
  if (ir_parse_accept_word(p, "text"))
    return ir_type_simple(p->module, IR_TEXT);
  if (ir_parse_accept_word(p, "f32"))
    return parse_shape(p, false);
  if (ir_parse_accept_word(p, "acc"))
    return parse_shape(p, true);
  if (ir_parse_at_mark(p, '('))
    return parse_tuple(p, NULL, depth + 1);
  if (ir_parse_accept_mark(p, '[')) {
    const struct ir_type *element = parse_type(p, depth + 1);
    ir_parse_expect_mark(p, ']');
    return ir_type_list(p->module, element);
  }
  return parse_named_type(p, depth + 1);
}

const struct ir_type *ir_parse_type(struct ir_parser *p) { return parse_type(p, 0); }

// ------------------------------------------------------------------------------------ declarations

static struct ir_dim *add_dim(struct ir_parser *p, enum size_atom_kind kind, struct ir_token at,
                              const char *name) {
  struct ir_dim *dim = ir_add_dim(p->module, name, kind);
  declare(p, &p->types, at, dim->atom.name, dim->atom.id * 2);
  return dim;
}

static void parse_file(struct ir_parser *p) { ir_add_file(p->module, ir_parse_name(p, "a file's name")); }

static void parse_dim(struct ir_parser *p) {
  struct ir_token at = p->token;
  const char *name = ir_parse_name(p, "a name");
  ir_parse_expect_mark(p, '=');
  const struct size *value = ir_parse_size(p);  // before the name is declared: over earlier ones only
  add_dim(p, SIZE_DIM, at, name)->value = value;
}

// Names up to the end of the line.
static void parse_members(struct ir_parser *p, struct ir_dim *dim) {
  struct {
    const char **items;
    size_t count, capacity;
  } members = {0};
  while (p->token.kind == IR_TOKEN_NAME || p->token.kind == IR_TOKEN_STRING)
    arena_push(p->module->arena, &members, ir_parse_name(p, "a member"));
  dim->n_members = (uint32_t)members.count;
  dim->members = members.items;
}

static void parse_sources(struct ir_parser *p, struct ir_dim *dim) {
  struct {
    const char **items;
    size_t count, capacity;
  } sources = {0};
  do
    arena_push(p->module->arena, &sources, ir_parse_name(p, "a parameter"));
  while (ir_parse_accept_mark(p, ','));
  dim->n_sources = (uint32_t)sources.count;
  dim->sources = sources.items;
}

static void parse_vocab(struct ir_parser *p) {
  struct ir_token at = p->token;
  struct ir_dim *dim = add_dim(p, SIZE_VOCAB, at, ir_parse_name(p, "a name"));
  dim->closed = ir_parse_accept_word(p, "closed");
  if (ir_parse_accept_word(p, "min_count"))
    dim->min_count = ir_parse_integer(p, 0, INT64_MAX);
  if (ir_parse_accept_word(p, "max_size"))
    dim->max_size = ir_parse_integer(p, 0, INT64_MAX);
  dim->characters = ir_parse_accept_word(p, "characters");
  if (ir_parse_accept_word(p, "nfc"))
    dim->normal |= IR_NORMAL_NFC;
  else if (ir_parse_accept_word(p, "nfkc"))
    dim->normal |= IR_NORMAL_NFKC;
  if (ir_parse_accept_word(p, "lower"))
    dim->normal |= IR_NORMAL_LOWER;
  if (ir_parse_accept_word(p, "unknown"))
    dim->unknown = ir_parse_name(p, "a text in quotes");
  if (ir_parse_accept_word(p, "of"))
    parse_sources(p, dim);
  if (ir_parse_accept_word(p, "members"))
    parse_members(p, dim);
}

static void parse_enum(struct ir_parser *p) {
  struct ir_token at = p->token;
  struct ir_dim *dim = add_dim(p, SIZE_ENUM, at, ir_parse_name(p, "a name"));
  parse_members(p, dim);
  dim->value = size_constant(p->module->arena, dim->n_members);
}

static void parse_data(struct ir_parser *p) {
  ir_parse_name(p, "a name");
  struct {
    struct ir_constructor *items;
    size_t count, capacity;
  } constructors = {0};
  ir_parse_expect_mark(p, '=');
  while (!p->error) {
    struct ir_constructor constructor = {.name = ir_parse_name(p, "a constructor")};
    struct field_list fields = parse_fields(p, 0);
    constructor.n_fields = (uint32_t)fields.count;
    constructor.fields = fields.items;
    arena_push(p->module->arena, &constructors, constructor);
    if (!ir_parse_accept_mark(p, '|'))
      break;
  }
  if (p->error)
    return;
  assert(p->next_data < p->module->n_datas);  // both passes see the same tokens
  struct ir_data *data = p->module->datas[p->next_data++];
  data->n_constructors = (uint32_t)constructors.count;
  data->constructors = constructors.items;
}

static enum ir_init parse_init(struct ir_parser *p) {
  for (int init = IR_INIT_GLOROT; init <= IR_INIT_IDENTITY; init++)
    if (ir_parse_accept_word(p, ir_init_names[init]))
      return (enum ir_init)init;
  ir_parse_fail(p, "expected an initialiser, found %s", shown(p));
  return IR_INIT_GLOROT;
}

// `count A, B`: the lengths of the static lists that make a family.
static void parse_counts(struct ir_parser *p, struct ir_param *param) {
  do {
    if (param->n_lists == IR_MAX_RANK) {
      ir_parse_fail(p, "more than %d lists", IR_MAX_RANK);
      return;
    }
    const struct size *list = ir_parse_size(p);
    param->lists[param->n_lists++] = list;
    param->count = param->count ? in_range(p, size_mul(p->module->arena, param->count, list)) : list;
  } while (ir_parse_accept_mark(p, ','));
}

static void parse_param(struct ir_parser *p) {
  struct ir_token at = p->token;
  const char *name = ir_parse_symbol(p, "parameter");
  ir_parse_expect_mark(p, ':');
  uint32_t id = p->module->n_params;
  struct ir_param *param = ir_add_param(p->module, name, ir_parse_type(p));
  declare(p, &p->params, at, param->name, id);
  if (ir_parse_accept_word(p, "count"))
    parse_counts(p, param);
  ir_parse_expect_mark(p, '=');
  param->init = parse_init(p);
  if (ir_init_has_argument(param->init))
    param->init_argument = ir_parse_double(p);
}

static void parse_entry_or_metric(struct ir_parser *p, bool is_metric) {
  struct ir_entry *entry = ir_add_entry(p->module, ir_parse_name(p, "a name"));
  entry->is_metric = is_metric;
  struct field_list fields = parse_fields(p, 0);
  entry->n_params = (uint32_t)fields.count;
  entry->params = fields.items;
  expect_arrow(p);
  entry->result = ir_parse_type(p);
  ir_parse_expect_mark(p, '=');
  struct ir_token at = p->token;
  const char *function = ir_parse_symbol(p, "function");
  if (!ir_names_find(&p->functions, function, &entry->function))
    ir_parse_fail_at(p, at.line, at.column, "there is no function @%s", function);
}

static void parse_entry(struct ir_parser *p) { parse_entry_or_metric(p, false); }

static void parse_metric(struct ir_parser *p) { parse_entry_or_metric(p, true); }

static const struct {
  const char *word;
  void (*parse)(struct ir_parser *p);
} declarations[] = {
    {"file", parse_file},          {"dim", parse_dim},
    {"vocab", parse_vocab},        {"enum", parse_enum},
    {"data", parse_data},          {"param", parse_param},
    {"entry", parse_entry},        {"metric", parse_metric},
    {"host", ir_parse_function},   {"block", ir_parse_forward},
    {"adjoint", ir_parse_adjoint},
};

static void parse_declaration(struct ir_parser *p) {
  for (size_t i = 0; i < sizeof declarations / sizeof *declarations; i++) {
    if (ir_parse_accept_word(p, declarations[i].word)) {
      declarations[i].parse(p);
      ir_parse_expect_newline(p);
      return;
    }
  }
  ir_parse_fail(p, "expected a declaration, found %s", shown(p));
}

static void skip_newlines(struct ir_parser *p) {
  while (p->token.kind == IR_TOKEN_NEWLINE)
    ir_parse_advance(p);
}

static void parse_module(struct ir_parser *p) {
  skip_newlines(p);
  if (!ir_parse_accept_word(p, "module"))
    ir_parse_fail(p, "expected `module`, found %s", shown(p));
  p->module->name = ir_parse_name(p, "the module's name");
  ir_parse_expect_newline(p);
  for (skip_newlines(p); p->token.kind != IR_TOKEN_END; skip_newlines(p))
    parse_declaration(p);
  if (!p->error)
    ir_analyse_decides(p->module, p->module->arena);
}

static void free_ids(struct ir_ids *ids) {
  free(ids->items);
  free(ids->met);
}

// A function of its own: nothing that lives across the longjmp is changed between setjmp and it.
static void parse_guarded(struct ir_parser *p, const char *text, size_t length) {
  jmp_buf exhausted;
  if (setjmp(exhausted) != 0) {
    p->module->arena->on_out_of_memory = NULL;
    free(p->error);
    p->exhausted = true;
    p->error = ir_text_message("out of memory");
    return;
  }
  p->module->arena->on_out_of_memory = &exhausted;
  ir_lexer_init(&p->lexer, text, length);
  ir_parse_advance(p);
  declare_all(p);
  ir_lexer_init(&p->lexer, text, length);
  ir_parse_advance(p);
  parse_module(p);
  p->module->arena->on_out_of_memory = NULL;
}

struct ir_module *ir_parse(const char *text, size_t length, char **error) {
  struct ir_parser p = {.module = ir_module_new("")};
  if (!p.module) {
    *error = ir_text_message("out of memory");
    return NULL;
  }
  locale_t old_locale = ir_text_enter_c_locale();
  parse_guarded(&p, text, length);
  free_ids(&p.values);
  free_ids(&p.labels);
  ir_text_leave_c_locale(old_locale);
  *error = p.error;
  if (!p.error && !p.exhausted)
    return p.module;
  ir_module_free(p.module);
  return NULL;
}

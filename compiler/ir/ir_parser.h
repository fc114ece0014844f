// State of the text parser, shared by ir_parse.c (the header of a module) and ir_parse_body.c (functions and
// blocks). Private to compiler/ir.
//
// Errors are sticky: the first one is recorded, and from then on the current token is END, so that every loop
// ends and nothing more is recorded. Functions that give a pointer give a valid one even then.
#ifndef NN_COMPILER_IR_IR_PARSER_H
#define NN_COMPILER_IR_IR_PARSER_H

#include "compiler/base/map.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/ir_lex.h"

// Values or basic blocks of the function at hand by the number that the text gives them. Reused for every
// function.
struct ir_ids {
  void **items;  // capacity of them, malloc'd, NULL where the number has not been met
  uint32_t capacity;
  uint32_t *met;  // malloc'd
  uint32_t n_met, met_capacity;
};

struct ir_parser {
  struct ir_lexer lexer;
  struct ir_token token;  // the current one
  struct ir_module *module;
  char *error;       // the first one, malloc'd
  bool exhausted;    // memory ran out, perhaps for `error` as well
  struct map types;  // dims and data: index * 2 + (is data)
  struct map params, functions, blocks;
  uint32_t next_data, next_function, next_block;  // declared before the main pass, defined in the same order
  struct ir_ids values, labels;
};

void ir_parse_fail(struct ir_parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ir_parse_fail_at(struct ir_parser *p, uint32_t line, uint32_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void ir_parse_advance(struct ir_parser *p);
bool ir_parse_at_mark(const struct ir_parser *p, char mark);
bool ir_parse_accept_mark(struct ir_parser *p, char mark);  // true and past it, or false
bool ir_parse_accept_word(struct ir_parser *p, const char *word);
void ir_parse_expect_mark(struct ir_parser *p, char mark);
void ir_parse_expect_newline(struct ir_parser *p);  // or the end
const char *ir_parse_name(struct ir_parser *p, const char *what);
const char *ir_parse_symbol(struct ir_parser *p, const char *what);
int64_t ir_parse_integer(struct ir_parser *p, int64_t least, int64_t most);
double ir_parse_double(struct ir_parser *p);
const struct size *ir_parse_size(struct ir_parser *p);
const struct ir_type *ir_parse_type(struct ir_parser *p);
struct ir_loc ir_parse_location(struct ir_parser *p);  // optional

bool ir_names_find(const struct map *names, const char *name, uint32_t *value);

// ir_parse_body.c: from behind the keyword to behind the closing brace's line.
void ir_parse_function(struct ir_parser *p);
void ir_parse_forward(struct ir_parser *p);
void ir_parse_adjoint(struct ir_parser *p);

#endif

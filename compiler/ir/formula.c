// Formulas of ops.def, by recursive descent.
#include "compiler/ir/formula.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/ir/ir_text.h"

#define MAX_ARGS 2
#define MAX_WORD 32

struct parser {
  const struct formula_reader *reader;
  enum ir_op row;
  const char *text, *next;
};

_Noreturn void formula_mistake(enum ir_op row, const char *text, const char *why, const char *at) {
  fprintf(stderr, "ops.def, %s: `%s`: %s at `%s`\n", ir_op_infos[row].name, text, why, at);
  abort();
}

static _Noreturn void mistake(const struct parser *p, const char *why) {
  formula_mistake(p->row, p->text, why, p->next);
}

static void skip_blanks(struct parser *p) {
  while (*p->next == ' ')
    p->next++;
}

static bool accept(struct parser *p, char c) {
  skip_blanks(p);
  if (*p->next != c)
    return false;
  p->next++;
  return true;
}

static void expect(struct parser *p, char c) {
  if (!accept(p, c))
    mistake(p, "something else expected");
}

static void *operation(struct parser *p, enum ir_op op, uint32_t n, void *const *args) {
  void *made = p->reader->call(p->reader->context, op, n, args);
  if (made == NULL)
    mistake(p, "no such operation here, or not of so many arguments,");
  return made;
}

static void *parse_sum(struct parser *p);

static void *parse_call(struct parser *p, const char *word) {
  enum ir_op op = ir_op_find(word);
  if (!ir_is_tensor_op(op))
    mistake(p, "no such operation");
  void *args[MAX_ARGS];
  uint32_t n = 0;
  do {
    if (n == MAX_ARGS)
      mistake(p, "too many arguments");
    args[n++] = parse_sum(p);
  } while (accept(p, ','));
  expect(p, ')');
  return operation(p, op, n, args);
}

static void *parse_primary(struct parser *p) {
  skip_blanks(p);
  if (accept(p, '(')) {
    void *inner = parse_sum(p);
    expect(p, ')');
    return inner;
  }
  if (*p->next >= '0' && *p->next <= '9') {
    locale_t old_locale = ir_text_enter_c_locale();
    char *end;
    double number = strtod(p->next, &end);
    ir_text_leave_c_locale(old_locale);
    p->next = end;
    return p->reader->number(p->reader->context, number);
  }
  char word[MAX_WORD];
  size_t length = strspn(p->next, "abcdefghijklmnopqrstuvwxyz_0123456789");
  if (length == 0 || length >= sizeof word)
    mistake(p, "a value expected");
  memcpy(word, p->next, length);
  word[length] = '\0';
  p->next += length;
  if (accept(p, '('))
    return parse_call(p, word);
  void *made = p->reader->name(p->reader->context, word);
  if (made == NULL)
    mistake(p, "no such name before");
  return made;
}

static void *parse_unary(struct parser *p) {
  return accept(p, '-') ? operation(p, IR_OP_NEG, 1, (void *[]){parse_unary(p)}) : parse_primary(p);
}

// `left` and what follows it: operands and operators in the order in which they stand.
static void *parse_chain(struct parser *p, void *(*part)(struct parser *), const char *signs,
                         const enum ir_op *ops) {
  void *left = part(p);
  for (;;) {
    int i = accept(p, signs[0]) ? 0 : accept(p, signs[1]) ? 1 : -1;
    if (i < 0)
      return left;
    left = operation(p, ops[i], 2, (void *[]){left, part(p)});
  }
}

static void *parse_product(struct parser *p) {
  return parse_chain(p, parse_unary, "*/", (const enum ir_op[]){IR_OP_MUL, IR_OP_DIV});
}

static void *parse_sum(struct parser *p) {
  return parse_chain(p, parse_product, "+-", (const enum ir_op[]){IR_OP_ADD, IR_OP_SUB});
}

void *formula_read(enum ir_op row, const char *text, const char **end, const struct formula_reader *reader) {
  struct parser p = {reader, row, text, text};
  void *made = parse_sum(&p);
  skip_blanks(&p);
  if (*p.next != '\0' && *p.next != ';')
    mistake(&p, "the end expected");
  *end = p.next;
  return made;
}

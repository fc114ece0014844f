// Texts in the interpreter.
#include "tests/passes/interpret_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/arena.h"

static bool begins_character(char c) { return ((unsigned char)c & 0xc0) != 0x80; }

static int64_t length(const char *text) {
  int64_t n = 0;
  for (; *text; text++)
    n += begins_character(*text);
  return n;
}

// Where character i begins, or the end.
static const char *at(const char *text, int64_t i) {
  while (*text && (i > 0 || !begins_character(*text)))
    i -= begins_character(*text++) && i > 0;
  while (!begins_character(*text))
    text++;
  return text;
}

static const char *part(struct arena *arena, const char *from, const char *to) {
  return arena_strndup(arena, from, (size_t)(to - from));
}

static const char *join(struct arena *arena, const struct slot_list *list, const char *separator) {
  const char *joined = "";
  for (uint32_t i = 0; i < list->n; i++)
    joined = arena_printf(arena, "%s%s%s", joined, i ? separator : "", list->slots[i].text);
  return joined;
}

static const struct slot_list *split(struct arena *arena, const char *text, const char *separator) {
  struct slot_list *list = arena_new(arena, struct slot_list);
  list->width = 1;
  list->slots = arena_new_array(arena, struct slot, strlen(text) + 1);
  if (!*separator)
    for (const char *next; *text; text = next) {
      next = at(text, 1);
      list->slots[list->n++].text = part(arena, text, next);
    }
  for (const char *next; *separator; text = next + strlen(separator)) {
    next = strstr(text, separator);
    list->slots[list->n++].text = next ? part(arena, text, next) : text;
    if (!next)
      break;
  }
  return list;
}

static const char *map(struct arena *arena, const char *text, int64_t which) {
  char *mapped = arena_strdup(arena, text);
  for (char *c = mapped; *c && which <= IR_TEXT_UPPER; c++)
    if ((unsigned char)*c < 0x80)
      *c = (char)(which == IR_TEXT_LOWER ? tolower(*c) : toupper(*c));
  return mapped;
}

static const char *of(const struct interpreter *in, const struct ir_type *type, struct slot value) {
  const struct ir_dim *dim = type->kind == IR_INDEX ? in->module->dims[type->dim] : NULL;
  if (dim && dim->atom.kind == SIZE_ENUM)
    return dim->members[value.integer];
  if (type->kind == IR_BOOL)
    return value.integer ? "true" : "false";
  return type->kind == IR_FLOAT ? arena_printf(in->arena, "%.17g", value.number)
                                : arena_printf(in->arena, "%s%lld", dim ? "w" : "", (long long)value.integer);
}

static bool to(const struct interpreter *in, const struct ir_type *type, const char *text,
               struct slot *result) {
  char *end;
  if (type->kind == IR_INT || type->kind == IR_FLOAT) {
    if (type->kind == IR_INT)
      result->integer = strtoll(text, &end, 10);
    else
      result->number = strtod(text, &end);
    return end != text && !*end && !isspace((unsigned char)*text);
  }
  const struct ir_dim *dim = in->module->dims[type->dim];
  for (int64_t i = 0; i < in->dims[type->dim]; i++)
    if (strcmp(of(in, type, (struct slot){.integer = i}), text) == 0) {
      result->integer = i;
      return true;
    }
  result->integer = 0;
  return dim->atom.kind == SIZE_VOCAB && !dim->closed;
}

bool interpret_text(const struct interpreter *in, const struct ir_instr *instr, const struct slot *operands,
                    struct slot *result) {
  const char *a = operands[0].text, *b = operands[1].text;
  int64_t i = operands[1].integer, j = operands[2].integer;
  switch (instr->op) {
  case IR_CONST_TEXT: result->text = instr->text; return true;
  case IR_TEXT_LEN: result->integer = length(a); return true;
  case IR_TEXT_GET:
    if (i < 0 || i >= length(a))
      return false;
    result->text = part(in->arena, at(a, i), at(a, i + 1));
    return true;
  case IR_TEXT_SLICE:
    if (i < 0 || i > j || j > length(a))
      return false;
    result->text = part(in->arena, at(a, i), at(a, j));
    return true;
  case IR_TEXT_CONCAT: result->text = arena_printf(in->arena, "%s%s", a, b); return true;
  case IR_TEXT_JOIN: result->text = join(in->arena, operands[0].list, b); return true;
  case IR_TEXT_SPLIT: result->list = split(in->arena, a, b); return true;
  case IR_TEXT_FIND: {
    const char *found = strstr(a, b);
    result->integer = found ? length(part(in->arena, a, found)) : -1;
    return true;
  }
  case IR_TEXT_COMPARE: result->integer = strcmp(a, b) < 0 ? -1 : strcmp(a, b) > 0; return true;
  case IR_TEXT_EQ: result->integer = strcmp(a, b) == 0; return true;
  case IR_TEXT_MAP: result->text = map(in->arena, a, instr->integer); return true;
  case IR_TEXT_OF: result->text = of(in, instr->operands[0]->type, operands[0]); return true;
  case IR_TEXT_TO: return to(in, instr->results[0]->type, a, result);
  default: return false;
  }
}

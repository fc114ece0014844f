// The builtin functions as a table, from ops.def and builtins.def.
#include "compiler/check/builtins.h"

#include <string.h>

#include "compiler/syntax/ast.h"

// Arguments in source that are not operands of the operation: the index, dropout's p, slice's bounds; and how
// a call is written when `name(a)` or `name(a, b)` would not show it.
static const struct {
  enum ir_op op;
  size_t extra_args;
  const char *usage;
} special_ops[] = {
    {IR_OP_PICK, 1, "pick(a, i)"},      {IR_OP_NLL, 1, "nll(a, i)"},
    {IR_OP_LOOKUP, 1, "lookup(E, i)"},  {IR_OP_DROPOUT, 1, "dropout(a, p)"},
    {IR_OP_SLICE, 2, "slice(a, i, n)"}, {IR_OP_CONCAT, 0, "concat(a, b, ...)"},
};

#define LITERAL_USAGE(name, arity) ((arity) == 1 ? name "(a)" : (arity) == 2 ? name "(a, b)" : name "(...)")

#define IS_VARIADIC(kind)                                                                                    \
  ((kind) == BUILTIN_TENSOR || (kind) == BUILTIN_ZIP || (kind) == BUILTIN_PRINT ||                           \
   (kind) == BUILTIN_ASSERT || (kind) == BUILTIN_RESHAPE || (kind) == BUILTIN_PERMUTE ||                     \
   (kind) == BUILTIN_CONCAT_TO_BATCH)

// Rows without a name are operations that only the compiler makes.
static const struct builtin rows[] = {
#define BUILTIN(ENUM, name, arg_count, op, usage, doc)                                                       \
  {BUILTIN_##ENUM, name, op, arg_count, IS_VARIADIC(BUILTIN_##ENUM), usage, doc},
#include "compiler/check/builtins.def"
#undef BUILTIN
#define OP(ENUM, name, arity, class, cost, flags, attributes, shape, value, derivatives, user, doc)          \
  {BUILTIN_OP,  (user) ? name : NULL,       IR_OP_##ENUM, (arity) < 0 ? 1 : (arity),                         \
   (arity) < 0, LITERAL_USAGE(name, arity), doc},
#include "compiler/ir/ops.def"
#undef OP
#define HOST(ENUM, name, fails, attributes, doc)
#define HOST_MATH(ENUM, name, operands, user, c_name, doc)                                                   \
  {BUILTIN_HOST_MATH, user, IR_##ENUM, operands, false, LITERAL_USAGE(user, operands), doc},
#include "compiler/ir/hostops.def"
#undef HOST
#undef HOST_MATH
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

size_t builtin_count(void) { return ROW_COUNT; }

const struct builtin *builtin_at(size_t i) { return &rows[i]; }

static const struct builtin *find_from(size_t first, const char *name) {
  for (size_t i = first; i < ROW_COUNT; i++)
    if (rows[i].name && strcmp(rows[i].name, name) == 0)
      return &rows[i];
  return NULL;
}

const struct builtin *builtin_find(const char *name) { return find_from(0, name); }

const struct builtin *builtin_next(const struct builtin *builtin) {
  return find_from((size_t)(builtin - rows) + 1, builtin->name);
}

size_t builtin_arg_count(const struct builtin *builtin) {
  for (size_t i = 0; i < sizeof special_ops / sizeof special_ops[0]; i++)
    if (builtin->kind == BUILTIN_OP && special_ops[i].op == builtin->op)
      return builtin->arg_count + special_ops[i].extra_args;
  return builtin->arg_count;
}

const char *builtin_usage(const struct builtin *builtin) {
  for (size_t i = 0; i < sizeof special_ops / sizeof special_ops[0]; i++)
    if (builtin->kind == BUILTIN_OP && special_ops[i].op == builtin->op)
      return special_ops[i].usage;
  return builtin->usage;
}

bool builtin_takes_sizes(const struct builtin *builtin) {
  return builtin->kind == BUILTIN_RESHAPE || builtin->kind == BUILTIN_PERMUTE ||
         (builtin->kind == BUILTIN_OP && builtin->op == IR_OP_SLICE);
}

const char *const builtin_types[] = {"int", "bool", "float", "text", "f32", NULL};

bool builtin_is_type(const char *name) {
  for (size_t i = 0; builtin_types[i]; i++)
    if (strcmp(name, builtin_types[i]) == 0)
      return true;
  return false;
}

bool builtin_is_fill(const char *name) { return ast_fill_find(name) != AST_FILL_COUNT; }

/* The language's builtin functions. Tensor operations are the rows of compiler/ir/ops.def with user == 1; the others
 * are the rows of builtins.def. Several meanings may share a name (`max`): the checker chooses the row by the types of
 * the arguments, and lowering sees the chosen row only.
 */
#ifndef NN_COMPILER_BUILTINS_H
#define NN_COMPILER_BUILTINS_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/ir/ir.h"

enum builtin_kind {
  BUILTIN_OP, /* the tensor operation `op`; see check.h for the arguments */
#define BUILTIN(ENUM, name, min_args, max_args, op, usage, doc) BUILTIN_##ENUM,
#include "compiler/builtins.def"
#undef BUILTIN
  BUILTIN_KIND_COUNT
};

struct builtin {
  enum builtin_kind kind;
  const char *name;
  enum ir_op op;      /* the operation that it becomes; IR_N_OPS when there is not exactly one */
  size_t min_args;
  size_t max_args;    /* SIZE_MAX: any number */
  const char *usage;  /* `push(xs, x)`, for messages and documentation */
  const char *doc;
};

/* All rows: those of builtins.def, then the operations. */
size_t builtin_count(void);
const struct builtin *builtin_at(size_t i);
/* The row of a kind of builtins.def. */
const struct builtin *builtin_of_kind(enum builtin_kind kind);
/* The row of a tensor operation; NULL when the operation is not for users. */
const struct builtin *builtin_of_op(enum ir_op op);
/* Some row of that name (the first), or NULL. */
const struct builtin *builtin_find(const char *name);

#endif

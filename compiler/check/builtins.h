// The language's builtin functions. Tensor operations are the rows of compiler/ir/ops.def with user == 1; the
// others are the rows of builtins.def. Several meanings may share a name (`max`): the checker chooses the row
// by the types of the arguments, and lowering sees the chosen row only.
#ifndef NN_COMPILER_CHECK_BUILTINS_H
#define NN_COMPILER_CHECK_BUILTINS_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/ir/ir.h"

enum builtin_kind {
  BUILTIN_OP,         // the tensor operation `op`; see check.h for the arguments
  BUILTIN_HOST_MATH,  // the instruction `op` on floats; ints are converted
#define BUILTIN(ENUM, name, arg_count, op, usage, doc) BUILTIN_##ENUM,
#include "compiler/check/builtins.def"
#undef BUILTIN
  BUILTIN_KIND_COUNT
};

struct builtin {
  enum builtin_kind kind;
  const char *name;
  enum ir_op op;     // the operation that it becomes; IR_N_OPS when there is not exactly one
  size_t arg_count;  // private: see builtin_arg_count
  bool is_variadic;
  const char *usage;  // private: see builtin_usage
  const char *doc;
};

// All rows: those of builtins.def, then the operations, then mathematics of host numbers; `name` is NULL for those that are not for users (for
// lists of names: editors, "did you mean").
size_t builtin_count(void);
const struct builtin *builtin_at(size_t i);
// The next row of the same name, or NULL.
const struct builtin *builtin_next(const struct builtin *builtin);
// Arguments in source; when `is_variadic`, at least so many.
size_t builtin_arg_count(const struct builtin *builtin);
// `push(xs, x)`, for messages and documentation.
const char *builtin_usage(const struct builtin *builtin);
// Its arguments but for the first are sizes, or say which dimensions, and no values.
bool builtin_takes_sizes(const struct builtin *builtin);
// Some row of that name (the first), or NULL.
const struct builtin *builtin_find(const char *name);
// int, bool, float, text, f32; then NULL.
extern const char *const builtin_types[];
bool builtin_is_type(const char *name);
// zeros, ones, normal, ...: what takes sizes in brackets.
bool builtin_is_fill(const char *name);

#endif

// The front end's side of symbolic sizes: what an atom of a size polynomial (compiler/ir/size.h) was declared
// as, and what size variables stand for at one use.
//
// Every atom that the checker makes is the first member of a `struct size_symbol`; lowering gets from an atom
// to its declaration by size_symbol_of. Symbols and bindings live in the compilation's arena.
#ifndef NN_COMPILER_CHECK_SIZES_H
#define NN_COMPILER_CHECK_SIZES_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/ir/size.h"
#include "compiler/syntax/ast.h"

struct type;

// One named size. Compared by address.
struct size_symbol {
  // first, so that an atom can be cast back; kind VARIABLE for SIZE_VAR and LAYER_PARAM
  struct size_atom atom;
  // of the length of a list (SIZE_RUNTIME): none; DIM, VOCAB, ENUM, SIZE_VAR or LAYER_PARAM (of kind dim or
  // index)
  struct ast_ref ref;
  struct span declared;
  bool is_index;  // a vocab, an enum or a layer parameter of kind index: also a type
};

static inline const struct size_symbol *size_symbol_of(const struct size_atom *atom) {
  return (const struct size_symbol *)(const void *)atom;
}

// What one size variable of a function, method or data type, one type variable of a function, or one parameter of a
// layer, stands for at one use.
struct size_binding {
  // what is bound; NULL for a type variable and a layer parameter of kind int, float or bool
  const struct size_symbol *symbol;
  const struct size *size;   // over the symbols visible at the use; NULL when `symbol` is
  const struct type *index;  // layer parameter of kind index: the index type; otherwise NULL
  struct ast_expr *value;    // layer parameter of kind int, float or bool: a constant expression (check.h)
  const struct ast_type_var *type_var;  // or this is bound ...
  const struct type *type;              // ... to this type
  struct span origin;                   // where it was determined: the argument
};

// The size with every bound symbol replaced, all at once. NULL on overflow.
const struct size *sizes_substitute(struct arena *arena, const struct size *size,
                                    const struct size_binding *bindings, size_t count);

// The symbol when the size is exactly one vocab, enum or layer parameter of kind index: an index dimension.
const struct size_symbol *sizes_as_index(const struct size *size);

// Solves `pattern == actual` for the single symbol of `unknown` that occurs in `pattern` and is not bound
// yet, where `pattern` is linear in it with an integer coefficient (`n`, `n + 1`, `2*n`).
enum sizes_solution {
  SIZES_SOLVED,     // bindings[i] has been filled
  SIZES_EQUAL,      // nothing unknown, and both sides are equal
  SIZES_DIFFERENT,  // nothing unknown, and they differ; or no integer polynomial solves it
  SIZES_POSTPONED,  // several unknowns, or not linear: try again when others are solved
};
enum sizes_solution sizes_solve(struct arena *arena, const struct size *pattern, const struct size *actual,
                                struct size_binding *bindings, size_t count, struct span origin);

// The binding that sizes_solve would fill from this pattern; NULL when nothing, or too much, is unknown in
// it.
struct size_binding *sizes_determined(struct arena *arena, const struct size *pattern,
                                      struct size_binding *bindings, size_t count);

#endif

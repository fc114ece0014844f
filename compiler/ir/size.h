// Symbolic sizes: integer polynomials over size atoms, in a canonical form.
//
// Used by the checker (equality of tensor shapes), by the IR (shapes of values) and by the runtime (evaluation once
// dims and vocabularies are bound). Sizes are immutable and live in the arena they were made in; two sizes are equal as
// polynomials exactly when size_equal says so, because every constructor normalises: monomials sorted, no zero terms.
#ifndef NN_COMPILER_IR_SIZE_H
#define NN_COMPILER_IR_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum size_atom_kind {
  SIZE_DIM,       // `dim H = 128`
  SIZE_VOCAB,     // number of entries of a vocab
  SIZE_ENUM,      // number of members of an enum
  SIZE_VARIABLE,  // front end only: implicit size of a function, parameter of a layer, existential
  SIZE_RUNTIME,   // IR only: known for each example as it runs, see ir_runtime_size
};

// An atom is identified by its address. `id` orders the atoms of a monomial; it is unique among the atoms that can meet
// in one polynomial (in an IR module: the index in ir_module.dims).
struct size_atom {
  const char *name;
  enum size_atom_kind kind;
  uint32_t id;
};

struct size_term {
  int64_t coefficient;             // never 0
  uint32_t degree;                 // number of atoms, with repetition; 0 for the constant term
  const struct size_atom **atoms;  // sorted by id
};

struct size {
  uint32_t n_terms;               // 0: the size 0
  const struct size_term *terms;  // sorted: higher degree first, then by atom ids
};

const struct size *size_constant(struct arena *arena, int64_t value);
const struct size *size_from_atom(struct arena *arena, const struct size_atom *atom);
// The three return NULL on overflow of a coefficient or when the result has more than 256 terms.
const struct size *size_add(struct arena *arena, const struct size *a, const struct size *b);
const struct size *size_sub(struct arena *arena, const struct size *a, const struct size *b);
const struct size *size_mul(struct arena *arena, const struct size *a, const struct size *b);
bool size_equal(const struct size *a, const struct size *b);
uint64_t size_hash(const struct size *);  // the same for equal sizes
// a == k * b for an integer constant k: true and *k; the way `split` finds the part's size is size_divide.
// Exact division by a positive integer: NULL when some coefficient is not divisible.
const struct size *size_divide(struct arena *arena, const struct size *a, int64_t by);
bool size_is_constant(const struct size *a, int64_t *value);
// The atom when the size is exactly one atom with coefficient 1, otherwise NULL.
const struct size_atom *size_as_atom(const struct size *a);
bool size_mentions(const struct size *a, const struct size_atom *atom);
bool size_is_runtime(const struct size *a);  // mentions an atom of kind SIZE_RUNTIME

// Replaces atoms: `map` returns the size for an atom, or NULL to keep it. NULL on overflow.
typedef const struct size *size_map_fn(void *context, const struct size_atom *atom);
const struct size *size_substitute(struct arena *arena, const struct size *a, size_map_fn *map,
                                   void *context);

// Value of a polynomial: `lookup` gives an atom's value. false on overflow of int64.
typedef int64_t size_value_fn(void *context, const struct size_atom *atom);
bool size_evaluate(const struct size *a, size_value_fn *lookup, void *context, int64_t *value);
// The same where `values` has the value of each atom, by its id; false for a size that is known at run time only.
bool size_evaluate_by_id(const struct size *a, const int64_t *values, int64_t *value);

// `4*H`, `In + H`, `2*H*H - 1`. The result lives in the arena.
const char *size_text(struct arena *arena, const struct size *a);

#endif

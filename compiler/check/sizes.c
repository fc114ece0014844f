// Symbols of sizes, and what size variables stand for at one use.
#include "compiler/check/sizes.h"

#include "compiler/base/arena.h"

struct substitution {
  const struct size_binding *bindings;
  size_t count;
};

static const struct size *bound_size(void *context, const struct size_atom *atom) {
  const struct substitution *substitution = context;
  for (size_t i = 0; i < substitution->count; i++)
    if (substitution->bindings[i].symbol && &substitution->bindings[i].symbol->atom == atom)
      return substitution->bindings[i].size;
  return NULL;
}

const struct size *sizes_substitute(struct arena *arena, const struct size *size,
                                    const struct size_binding *bindings, size_t count) {
  if (count == 0)
    return size;
  struct substitution substitution = {bindings, count};
  return size_substitute(arena, size, bound_size, &substitution);
}

const struct size_symbol *sizes_as_index(const struct size *size) {
  const struct size_atom *atom = size_as_atom(size);
  return atom && size_symbol_of(atom)->is_index ? size_symbol_of(atom) : NULL;
}

// The binding of an atom that still has no size; NULL when the atom is bound or is not to be bound at all.
static struct size_binding *unknown(const struct size_atom *atom, struct size_binding *bindings,
                                    size_t count) {
  for (size_t i = 0; i < count; i++)
    if (bindings[i].symbol && &bindings[i].symbol->atom == atom)
      return bindings[i].size ? NULL : &bindings[i];
  return NULL;
}

// What a pattern is made of, seen from the unknowns: coefficient * target + the terms without unknowns.
struct linear_form {
  struct size_binding *target;  // NULL when nothing is unknown
  int64_t coefficient;
  struct size known;  // not substituted yet
};

// False when there are several unknowns or one is not linear. The atoms of a pattern may be the very atoms of
// the actual size (a recursive call), so unknowns are looked for in the pattern alone.
static bool split_pattern(struct arena *arena, const struct size *pattern, struct size_binding *bindings,
                          size_t count, struct linear_form *form) {
  struct size_term *known = arena_new_array(arena, struct size_term, pattern->n_terms);
  *form = (struct linear_form){NULL, 0, {0, known}};
  for (uint32_t i = 0; i < pattern->n_terms; i++) {
    const struct size_term *term = &pattern->terms[i];
    struct size_binding *found = NULL;
    for (uint32_t k = 0; k < term->degree && !found; k++)
      found = unknown(term->atoms[k], bindings, count);
    if (!found) {
      known[form->known.n_terms++] = *term;
      continue;
    }
    if (form->target || term->degree != 1)
      return false;
    form->target = found;
    form->coefficient = term->coefficient;
  }
  return true;
}

enum sizes_solution sizes_solve(struct arena *arena, const struct size *pattern, const struct size *actual,
                                struct size_binding *bindings, size_t count, struct span origin) {
  struct linear_form form;
  if (!split_pattern(arena, pattern, bindings, count, &form))
    return SIZES_POSTPONED;
  const struct size *known = sizes_substitute(arena, &form.known, bindings, count);
  const struct size *rest = known ? size_sub(arena, actual, known) : NULL;
  if (!rest)
    return SIZES_DIFFERENT;
  if (!form.target)
    return rest->n_terms == 0 ? SIZES_EQUAL : SIZES_DIFFERENT;

  int64_t coefficient = form.coefficient;
  if (coefficient < 0) {
    rest = size_sub(arena, size_constant(arena, 0), rest);
    if (!rest || coefficient == INT64_MIN)
      return SIZES_DIFFERENT;
    coefficient = -coefficient;
  }
  const struct size *solution = size_divide(arena, rest, coefficient);
  if (!solution)
    return SIZES_DIFFERENT;
  form.target->size = solution;
  form.target->origin = origin;
  return SIZES_SOLVED;
}

struct size_binding *sizes_determined(struct arena *arena, const struct size *pattern,
                                      struct size_binding *bindings, size_t count) {
  struct linear_form form;
  return split_pattern(arena, pattern, bindings, count, &form) ? form.target : NULL;
}

// Polynomials in canonical form: terms sorted (higher degree first, then by atom ids), no zero coefficients.
#include "compiler/ir/size.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/base/hash_index.h"

// Far beyond any model; they bound the work that a hostile IR text can cause.
#define MAX_TERMS 256
#define MAX_DEGREE 64

static const struct size zero = {0, NULL};

static int compare_monomials(const struct size_term *a, const struct size_term *b) {
  if (a->degree != b->degree)
    return a->degree > b->degree ? -1 : 1;
  for (uint32_t i = 0; i < a->degree; i++)
    if (a->atoms[i]->id != b->atoms[i]->id)
      return a->atoms[i]->id < b->atoms[i]->id ? -1 : 1;
  return 0;
}

static const struct size *single_term(struct arena *arena, struct size_term term) {
  if (term.coefficient == 0)
    return &zero;
  struct size_term *terms = arena_new(arena, struct size_term);
  *terms = term;
  struct size *size = arena_new(arena, struct size);
  *size = (struct size){1, terms};
  return size;
}

const struct size *size_constant(struct arena *arena, int64_t value) {
  return single_term(arena, (struct size_term){value, 0, NULL});
}

const struct size *size_from_atom(struct arena *arena, const struct size_atom *atom) {
  const struct size_atom **atoms = arena_new_array(arena, const struct size_atom *, 1);
  atoms[0] = atom;
  return single_term(arena, (struct size_term){1, 1, atoms});
}

// a + sign * b, by merging the two sorted lists of terms.
static const struct size *combine(struct arena *arena, const struct size *a, const struct size *b,
                                  int64_t sign) {
  struct size_term *terms = arena_new_array(arena, struct size_term, a->n_terms + b->n_terms);
  uint32_t n = 0, i = 0, j = 0;
  while (i < a->n_terms || j < b->n_terms) {
    int order = i == a->n_terms ? 1 : j == b->n_terms ? -1 : compare_monomials(&a->terms[i], &b->terms[j]);
    struct size_term term = {0};
    if (order <= 0)
      term = a->terms[i++];
    if (order >= 0) {
      const struct size_term *other = &b->terms[j++];
      int64_t addend;
      if (__builtin_mul_overflow(other->coefficient, sign, &addend) ||
          __builtin_add_overflow(term.coefficient, addend, &addend))
        return NULL;
      term = *other;
      term.coefficient = addend;
    }
    if (term.coefficient != 0)
      terms[n++] = term;
  }
  if (n > MAX_TERMS)
    return NULL;
  struct size *sum = arena_new(arena, struct size);
  *sum = (struct size){n, terms};
  return sum;
}

const struct size *size_add(struct arena *arena, const struct size *a, const struct size *b) {
  return combine(arena, a, b, 1);
}

const struct size *size_sub(struct arena *arena, const struct size *a, const struct size *b) {
  return combine(arena, a, b, -1);
}

// The product of two terms; false on overflow.
static bool multiply_terms(struct arena *arena, const struct size_term *a, const struct size_term *b,
                           struct size_term *product) {
  uint32_t degree = a->degree + b->degree;
  if (degree > MAX_DEGREE || __builtin_mul_overflow(a->coefficient, b->coefficient, &product->coefficient))
    return false;
  const struct size_atom **atoms = arena_new_array(arena, const struct size_atom *, degree);
  for (uint32_t n = 0, i = 0, j = 0; n < degree; n++) {
    bool from_a = j == b->degree || (i < a->degree && a->atoms[i]->id <= b->atoms[j]->id);
    atoms[n] = from_a ? a->atoms[i++] : b->atoms[j++];
  }
  product->degree = degree;
  product->atoms = atoms;
  return true;
}

const struct size *size_mul(struct arena *arena, const struct size *a, const struct size *b) {
  const struct size *sum = &zero;
  for (uint32_t i = 0; i < a->n_terms; i++) {
    // One term times b keeps b's order: graded lexicographic order is a monomial order.
    struct size_term *terms = arena_new_array(arena, struct size_term, b->n_terms);
    for (uint32_t j = 0; j < b->n_terms; j++)
      if (!multiply_terms(arena, &a->terms[i], &b->terms[j], &terms[j]))
        return NULL;
    const struct size row = {b->n_terms, terms};
    sum = size_add(arena, sum, &row);
    if (!sum)
      return NULL;
  }
  return sum;
}

bool size_equal(const struct size *a, const struct size *b) {
  if (a == b)
    return true;
  if (a->n_terms != b->n_terms)
    return false;
  for (uint32_t i = 0; i < a->n_terms; i++) {
    if (a->terms[i].coefficient != b->terms[i].coefficient || a->terms[i].degree != b->terms[i].degree)
      return false;
    for (uint32_t k = 0; k < a->terms[i].degree; k++)
      if (a->terms[i].atoms[k] != b->terms[i].atoms[k])
        return false;
  }
  return true;
}

uint64_t size_hash(const struct size *size) {
  uint64_t hash = size->n_terms;
  for (uint32_t i = 0; i < size->n_terms; i++) {
    const struct size_term *term = &size->terms[i];
    hash = hash_mix(hash, (uint64_t)term->coefficient);
    for (uint32_t k = 0; k < term->degree; k++)
      hash = hash_mix(hash, term->atoms[k]->id);
  }
  return hash;
}

const struct size *size_divide(struct arena *arena, const struct size *a, int64_t by) {
  assert(by > 0);
  struct size_term *terms = arena_new_array(arena, struct size_term, a->n_terms);
  for (uint32_t i = 0; i < a->n_terms; i++) {
    if (a->terms[i].coefficient % by != 0)
      return NULL;
    terms[i] = a->terms[i];
    terms[i].coefficient /= by;
  }
  struct size *quotient = arena_new(arena, struct size);
  *quotient = (struct size){a->n_terms, terms};
  return quotient;
}

bool size_is_constant(const struct size *a, int64_t *value) {
  if (a->n_terms > 1 || (a->n_terms == 1 && a->terms[0].degree > 0))
    return false;
  *value = a->n_terms == 0 ? 0 : a->terms[0].coefficient;
  return true;
}

const struct size_atom *size_as_atom(const struct size *a) {
  bool atom = a->n_terms == 1 && a->terms[0].degree == 1 && a->terms[0].coefficient == 1;
  return atom ? a->terms[0].atoms[0] : NULL;
}

bool size_mentions(const struct size *a, const struct size_atom *atom) {
  for (uint32_t i = 0; i < a->n_terms; i++)
    for (uint32_t k = 0; k < a->terms[i].degree; k++)
      if (a->terms[i].atoms[k] == atom)
        return true;
  return false;
}

const struct size *size_substitute(struct arena *arena, const struct size *a, size_map_fn *map,
                                   void *context) {
  const struct size *sum = &zero;
  for (uint32_t i = 0; i < a->n_terms; i++) {
    const struct size *product = size_constant(arena, a->terms[i].coefficient);
    for (uint32_t k = 0; k < a->terms[i].degree && product; k++) {
      const struct size *factor = map(context, a->terms[i].atoms[k]);
      product = size_mul(arena, product, factor ? factor : size_from_atom(arena, a->terms[i].atoms[k]));
    }
    sum = product ? size_add(arena, sum, product) : NULL;
    if (!sum)
      return NULL;
  }
  return sum;
}

bool size_is_runtime(const struct size *a) {
  for (uint32_t i = 0; i < a->n_terms; i++)
    for (uint32_t k = 0; k < a->terms[i].degree; k++)
      if (a->terms[i].atoms[k]->kind == SIZE_RUNTIME)
        return true;
  return false;
}

bool size_evaluate(const struct size *a, size_value_fn *lookup, void *context, int64_t *value) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < a->n_terms; i++) {
    int64_t product = a->terms[i].coefficient;
    for (uint32_t k = 0; k < a->terms[i].degree; k++)
      if (__builtin_mul_overflow(product, lookup(context, a->terms[i].atoms[k]), &product))
        return false;
    if (__builtin_add_overflow(sum, product, &sum))
      return false;
  }
  *value = sum;
  return true;
}

static int64_t value_by_id(void *values, const struct size_atom *atom) {
  return ((const int64_t *)values)[atom->id];
}

bool size_evaluate_by_id(const struct size *a, const int64_t *values, int64_t *value) {
  return !size_is_runtime(a) && size_evaluate(a, value_by_id, (void *)(uintptr_t)values, value);
}

static const char *term_text(struct arena *arena, const struct size_term *term, uint64_t magnitude) {
  const char *text = NULL;
  if (magnitude != 1 || term->degree == 0)
    text = arena_printf(arena, "%" PRIu64, magnitude);
  for (uint32_t k = 0; k < term->degree; k++)
    text = text ? arena_printf(arena, "%s*%s", text, term->atoms[k]->name) : term->atoms[k]->name;
  return text;
}

const char *size_text(struct arena *arena, const struct size *a) {
  if (a->n_terms == 0)
    return "0";
  const char *text = NULL;
  for (uint32_t i = 0; i < a->n_terms; i++) {
    int64_t coefficient = a->terms[i].coefficient;
    // Negated as unsigned: -INT64_MIN does not fit int64.
    uint64_t magnitude = coefficient < 0 ? -(uint64_t)coefficient : (uint64_t)coefficient;
    const char *term = term_text(arena, &a->terms[i], magnitude);
    if (text)
      text = arena_printf(arena, "%s %c %s", text, coefficient < 0 ? '-' : '+', term);
    else
      text = coefficient < 0 ? arena_printf(arena, "-%s", term) : term;
  }
  return text;
}

// Values that a run left behind, compared and as text for people. Slots are as runtime/host/host.h says; a tensor's is
// looked up in the session, whose last run they are of.
#ifndef NN_RUNTIME_MODEL_RESULT_H
#define NN_RUNTIME_MODEL_RESULT_H

#include <stdbool.h>
#include <stdio.h>

#include "runtime/model/session.h"

// Writes a value as the language writes it: `Node(Leaf(B), Leaf(O))`, `[1, 2]`; an index as its entry, a tensor with its
// shape, of which only a few elements are shown unless `full`.
void result_write(const nn_session *, const struct ir_type *, const uint64_t *slots, bool full, FILE *);

// The same of a value of a data set (runtime/data/dataset.h).
void result_write_argument(const nn_session *, const struct ir_type *, const uint64_t *slots, bool full,
                           FILE *);

// Whether two values are equal: numbers exactly, or when |a - b| <= tolerance * max(1, |a|, |b|). NaN equals nothing.
// Values nested deeper than RESULT_MOST_NESTED are not equal.
#define RESULT_MOST_NESTED 10000
bool result_equal(const nn_session *, const struct ir_type *, const uint64_t *a, const uint64_t *b,
                  double tolerance);

#endif

// What the steps of an optimiser do to a row that has no gradient in them, all at once.
//
// Under `exact` every row of a lookup table moves in every step: decay shrinks it, momentum and Adam's first moment
// carry it on. Making all these steps costs the table's size each time. So a row stands still until it is read, and
// then makes its idle steps together, to rounding as if one by one:
//   SGD       w shrinks by a factor each step: a power.
//   momentum  (m, w) is multiplied by a matrix each step: a power of it.
//   Adagrad   without decay nothing happens; with decay the steps are made one by one.
//   Adam      step j moves w by a_j m / (sqrt(v) d_j + epsilon), with numbers a_j and d_j that depend on the step alone;
//             a_j dies away like beta1^j. The sum over j is a function of sqrt(v), the same for all elements, and d_j
//             varies little: it is expanded about the mean of d over the steps, weighted by a, in few terms (more
//             means where one does not do). Elements cost the same for ten steps and for ten million.
// Few steps, and whatever these forms do not cover, are made one by one.
#ifndef NN_RUNTIME_CPU_IDLE_H
#define NN_RUNTIME_CPU_IDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/cpu/loops.h"
#include "runtime/nn.h"

struct idle_rule {
  nn_algorithm algorithm;
  enum nn_element element;
  double momentum, beta1, beta2, epsilon, decay;
};

// The steps made so far, as far as a row may have to make them yet.
struct idle;

// Whether a row without a gradient stays as it is.
bool idle_does_nothing(const struct idle_rule *);
// For rows of at most `columns` elements, which have all made `steps` steps. NULL without memory.
struct idle *idle_new(const struct idle_rule *, const struct loops *, size_t columns, uint32_t steps);
void idle_free(struct idle *);

// One more step has been made, with this learning rate. false without memory.
bool idle_note_step(struct idle *, double rate);
uint32_t idle_now(const struct idle *);  // steps made
// So many steps are remembered that all rows had better make theirs; after that idle_forget.
bool idle_is_long(const struct idle *, uint64_t rows);
void idle_forget(struct idle *);

// Makes the steps after step `from` with a row of n elements; m and v are its moments where the algorithm has them.
// Several threads may do so with different rows.
void idle_catch_up(const struct idle *, uint32_t from, void *w, void *m, void *v, size_t n);

#endif

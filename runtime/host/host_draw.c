// Draws of compiled host code.
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "runtime/host/host_runtime.h"
#include "runtime/kernel/draws.h"

double host_random(struct example *example, const struct ir_loc *loc) {
  (void)loc;
  return (double)draws_host_bits(example->draws_key, example->number, example->n_draws++, 0) * 0x1p-53;
}

static double weight_at(const struct value_list *weights, uint64_t i) {
  double weight;
  memcpy(&weight, &weights->buffer->slots[weights->offset + i], sizeof weight);
  return weight;
}

// The sum of the weights, and how many are above 0.
static double add_weights(struct example *example, const struct ir_loc *loc, const struct value_list *weights,
                          uint64_t *n_above) {
  double sum = 0;
  *n_above = 0;
  for (uint64_t i = 0; i < weights->length; i++) {
    double weight = weight_at(weights, i);
    if (!(weight >= 0 && weight <= DBL_MAX))
      example_fail(example, loc,
                   "the weight at position %" PRIu64
                   " is %g: what is drawn takes finite weights of at least 0",
                   i, weight);
    sum += weight;
    *n_above += weight > 0;
  }
  if (weights->length == 0)
    example_fail(example, loc, "there is nothing to draw from: no weights");
  if (*n_above == 0)
    example_fail(example, loc, "there is nothing to draw: all %" PRIu64 " weights are 0", weights->length);
  if (sum > DBL_MAX)
    example_fail(example, loc, "the sum of the weights is infinite");
  return sum;
}

int64_t host_list_sample(struct example *example, const struct ir_loc *loc,
                         const struct value_list *weights) {
  uint64_t n_above, last = 0;
  double sum = add_weights(example, loc, weights, &n_above), left = host_random(example, loc) * sum;
  for (uint64_t i = 0; i < weights->length; i++) {
    double weight = weight_at(weights, i);
    if (weight == 0)
      continue;
    last = i;
    left -= weight;
    if (left < 0)
      break;
  }
  return (int64_t)last;  // what rounding leaves belongs to the last one
}

// Exponential numbers whose rates are the weights: the smallest is that of each element with the probability of its
// weight's share, and so are the following among those that are left (Efraimidis & Spirakis 2006).
struct value_list *host_list_samples(struct example *example, const struct ir_loc *loc,
                                     const struct value_shape *shape, const struct value_list *weights,
                                     int64_t n) {
  uint64_t n_above = 0;
  if (n != 0)
    add_weights(example, loc, weights, &n_above);
  if (n < 0 || (uint64_t)n > n_above)
    example_fail(example, loc, "%" PRId64 " different elements are drawn where %" PRIu64 " %s above 0", n,
                 n_above, n_above == 1 ? "weight is" : "weights are");
  struct value_list *keys = value_list_room(example, loc, shape, weights->length);
  uint32_t draw = example->n_draws++;
  for (uint64_t i = 0; i < weights->length; i++) {
    double u = ((double)draws_host_bits(example->draws_key, example->number, draw, (uint32_t)i) + 0.5) *
               0x1p-53;
    double weight = weight_at(weights, i), key = weight > 0 ? fmin(-log(u) / weight, DBL_MAX) : INFINITY;
    memcpy(&keys->buffer->slots[i], &key, sizeof key);
  }
  struct value_list *drawn = host_list_order(example, loc, shape, keys, n, 0);
  value_release_list(example, keys);
  return drawn;
}

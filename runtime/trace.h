// The trace of a minibatch: the block instances that the examples' control flow left behind, in the order of emission.
//
// Compiled host code appends through trace_emit and friends; nothing is allocated per instance, all arrays grow by
// themselves and are kept from minibatch to minibatch. A tensor reference is a *value id*: the position of its row in
// `value_row`. Results of one instance have consecutive ids.
#ifndef NN_RUNTIME_TRACE_H
#define NN_RUNTIME_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct example;
struct ir_module;

#define TRACE_NO_ROW UINT32_MAX          // in value_row: not computed yet

// Instances of list reductions are not of a block of the module; they have these pseudo block numbers. Their batches
// are keyed by the row size too.
enum { TRACE_REDUCE_SUM = 0x80000000u, TRACE_REDUCE_MEAN, TRACE_REDUCE_MAX };

struct trace_instance {
  uint32_t block;                        // into ir_module.blocks, or TRACE_REDUCE_*
  uint32_t key;                          // hash-consed batch key: block, family members, reduction's row size
  uint32_t level;                        // depth within its phase; see schedule.h
  uint32_t phase;                        // 2 * number of deferred stages before it, + 1 when itself deferred
  uint32_t first_value;
  uint32_t args;                         // into trace.args: a word per tensor (value id) and per index or int, two per
                                         // float (bits of the double), then for random blocks example and ordinal. A
                                         // reduction: number of terms, elements of a row, then the value ids
  uint32_t example;                      // position in the minibatch
};

// What trace_emit must know of a block, in a table made when a model is bound.
struct trace_block {
  uint32_t n_args;                       // words
  uint32_t n_params;
  const uint8_t *kinds;                  // [param] enum ir_type_kind
  const uint8_t *is_member;              // [param] an int that selects a member of a parameter family: part of the key
  uint32_t n_values;                     // results (and saved values when training get rows of their batch, no ids)
  bool deferred, uniform, random;
};

struct trace;
// Appends an instance; returns the value id of its first result. A uniform block is instantiated once per minibatch and
// set of arguments; later calls return the same ids. `args` in the order of the block's parameters, words as above.
uint32_t trace_emit(struct example *, uint32_t block, const uint32_t *args);
// A reduction over n value ids.
uint32_t trace_emit_reduce(struct example *, uint32_t kind, uint32_t elements, uint32_t n, const uint32_t *values);
// Waits until the value has been computed (suspends the example's fiber) and gives its first element.
double trace_read(struct example *, uint32_t value);

#endif

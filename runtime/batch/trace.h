// The trace of a minibatch: the block instances that the examples' control flow left behind, in the order of
// emission.
//
// Each emission is a *row*, with arguments and results of its own. An *instance* has one row or several, which run
// together whatever the policy, so that what the scheduler looks at is as large as what differs: the 144 products of
// queries and keys of an attention over twelve words are one instance. A row joins an instance of the same key when
// both wait for results of the same instances, which gives them the same phase and level. The instance must be open,
// which it is until a flush; whose example it is does not matter.
//
// Why nothing goes in circles: a row that joins waits for instances that the first row waited for, and these were there
// before it. So instances depend on such of lower numbers alone, and their order is a topological one.
//
// Why nothing is lost: an instance depends on another exactly if each of its rows has an operand among the other's rows.
// Then a path of instances is one of rows, back from any row of its last one, so that levels, chains and the lower bound
// are those of the rows. And where a schedule runs two rows of an instance in different batches, both were ready for the
// earlier one: the second can move there, what needs it waits no longer, and there are no more batches than before.
//
// Compiled host code appends through trace_emit and friends; nothing is allocated per instance, all arrays
// grow by themselves and are kept from minibatch to minibatch. A tensor reference is a *value id*: the
// position of its row in `value_row`. Results of one instance have consecutive ids.
#ifndef NN_RUNTIME_BATCH_TRACE_H
#define NN_RUNTIME_BATCH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/value/example.h"

struct ir_module;

#define TRACE_NO_ROW UINT32_MAX  // in value_row: not computed yet
#define TRACE_NONE UINT32_MAX    // no instance

// Instances that make one row of a list are not of a block of the module; they have these pseudo block numbers. Their
// batches are keyed by the row size too. A stack has its terms one behind the other; a vector has no terms but the
// numbers themselves.
enum { TRACE_LIST_SUM = 0x80000000u, TRACE_LIST_MEAN, TRACE_LIST_MAX, TRACE_LIST_STACK, TRACE_LIST_VECTOR };

struct trace_instance {
  uint32_t block;  // into ir_module.blocks, or TRACE_LIST_*
  uint32_t key;    // hash-consed batch key: block, family members, size of a list's row
  uint32_t level;  // depth within its phase; see schedule.h
  uint32_t phase;  // 2 * number of deferred stages before it, + 1 when itself deferred
  uint32_t chain;  // pending instances of its key and phase one behind the other as operands, up to itself:
                   // no more than the longest chain within the phase, and often equal to it
  uint32_t n_rows;
  uint32_t first_wait,
      n_waits;  // in trace.waits: the instances whose results each of its rows waits for, as they come
                // among the operands; those that follow themselves once
  uint32_t hash,
      next;  // among the open instances: of key and waits; the next one of its bucket, or TRACE_NONE
};

// One emission of a block.
struct trace_row {
  uint32_t instance;
  uint32_t first_value;
  uint32_t args;     // into trace.args: a word per tensor (value id) and per index or int, two per
                     // float (bits of the double), then for random blocks example and ordinal. Of a
                     // list: number of terms, elements of a row, the value ids, its struct ir_loc; of
                     // a vector: 0, elements, where in trace.data they begin. Of a ragged block, behind what
                     // every block has, where a list's word tells its first place among the operands: the
                     // run-time sizes, the number of operands, and their value ids, lists laid out
  uint32_t example;  // position in the minibatch
};

// What a block with run-time sizes has besides (runtime/kernel/kernel.h: ragged blocks). Numbers of sizes begin at 1.
struct trace_ragged {
  uint32_t n_sizes;
  uint8_t *is_list;        // [tensor] an operand that is a list of rows
  uint32_t *tensor_sizes;  // [tensor] number of its run-time size; of a list that of its length. 0: none
  uint32_t *result_sizes;  // [result] likewise
  // [index or int] number of the one that it must be less than, 0: it is looked at elsewhere
  uint32_t *index_sizes;
  uint64_t *bytes;  // [number - 1] of rows of results, for each unit of the size
  uint64_t *trained_bytes;
};

// What trace_emit must know of a block, in a table made when a model is bound.
struct trace_block {
  uint32_t n_args;  // words
  uint32_t n_params;
  const uint8_t *kinds;      // [param] enum ir_type_kind
  const uint8_t *is_member;  // [param] an int that selects a member of a parameter family: part of the key
  uint32_t n_values;         // results (and saved values when training get rows of their batch, no ids)
  bool deferred, uniform, random;
  uint64_t row_bytes;       // of a row of each result
  uint64_t training_bytes;  // of what training needs besides: rows of saved values and gradients
  // What follows is derived from the above by trace_block_finish.
  uint64_t instance_bytes, trained_instance_bytes;  // of an instance: without and with training
  uint32_t n_tensors, n_indices, n_numbers, n_members;
  uint16_t *tensor_words;  // position among the words of each tensor, index or int, float, member
  uint16_t *index_words;
  uint16_t *number_words;
  uint16_t *member_words;
  uint16_t *member_indices;     // [member] its position among the indices
  struct trace_ragged *ragged;  // NULL: no run-time sizes
};

// A batch key: instances with the same one may share a batch.
struct trace_key {
  uint32_t block;
  uint32_t elements;  // of rows made of lists: elements of one; otherwise 0
  uint32_t n_members;
  uint32_t members;  // first of them in trace.key_members
  uint32_t recent;   // instance that a row joined last; what stands here may be out of date
};

// An example as the runtime sees it; compiled code knows the first part only.
struct trace_example {
  struct example host;  // first: compiled code hands on its address
  uint32_t position;    // in the minibatch
  uint32_t waits_for;   // value id, while the example is suspended
};

// Numbers of rows, argument words and values have 32 bits; beyond this many a minibatch is too large for an
// example that asks for more, whatever memory there is.
#define TRACE_LIMIT (UINT32_C(1) << 26)

struct trace {
  const struct trace_block *blocks;  // [n_blocks], the model's
  uint32_t n_blocks;
  struct trace_instance *instances;
  uint32_t n_instances, instances_capacity;
  uint32_t n_closed;       // instances from here on are open
  uint32_t *buckets;       // of open instances by their hash: the last one, or TRACE_NONE
  uint32_t bucket_mask;    // their number, a power of two, less 1
  struct trace_row *rows;  // in the order of emission
  uint32_t n_rows, rows_capacity;
  uint32_t *waits;
  uint32_t n_waits, waits_capacity;
  uint32_t *args;
  uint32_t n_args, args_capacity;
  uint32_t *value_row;       // [value] offset in the values arena, or TRACE_NO_ROW
  uint32_t *value_instance;  // [value] instance that it is a result of
  uint32_t n_values, values_capacity;
  void *data;  // elements of vectors, in the type of tensors
  uint32_t n_data, data_capacity;
  // Keys live as long as the trace; key k < n_blocks is block k without members.
  struct trace_key *keys;
  uint32_t n_keys, keys_capacity;
  uint32_t *key_members;
  uint32_t n_key_members, key_members_capacity;
  uint32_t *key_table;  // open addressing: key + 1, 0 is empty
  uint32_t key_table_size;
  // Instances of uniform blocks in this minibatch: by block when there are no arguments, else in a table.
  uint32_t *uniform_value;  // [block] first value, TRACE_NO_ROW
  uint32_t *uniform_table;  // open addressing: row + 1
  uint32_t uniform_table_size, n_uniform;
  uint32_t n_decisions;
  // Set by the owner.
  bool trains;             // rows are kept for a backward pass
  uint32_t element_bytes;  // of a tensor: 4 or 8
  // Called by trace_read for a value that has no row yet; returns when it has one.
  void (*wait)(void *context, struct trace_example *, uint32_t value);
  // Elements [first, first + n) of a computed row.
  void (*read_row)(void *context, uint32_t row, size_t first, size_t n, double *to);
  void *context;
};

// Fills the derived members of a block's record; kinds, is_member, n_params, n_values, the bytes and the flags are
// set, n_args is set here. false without memory. trace_block_free releases what it made.
bool trace_block_finish(struct trace_block *);
void trace_block_free(struct trace_block *);

// false without memory.
bool trace_init(struct trace *, const struct trace_block *blocks, uint32_t n_blocks);
void trace_free(struct trace *);
// Forgets the minibatch; memory and keys stay.
void trace_reset(struct trace *);

// A place to go back to: what was emitted since is forgotten. Only what is pending may be.
struct trace_mark {
  uint32_t n_instances, n_rows, n_waits, n_args, n_values, n_data;
};
static inline struct trace_mark trace_mark(const struct trace *trace) {
  return (struct trace_mark){trace->n_instances, trace->n_rows,   trace->n_waits,
                             trace->n_args,      trace->n_values, trace->n_data};
}
void trace_rewind(struct trace *, struct trace_mark);
// No row joins an instance of before: they are being scheduled.
void trace_close(struct trace *);

static inline bool trace_is_list(uint32_t block) { return block >= TRACE_LIST_SUM; }
// Where in the model's source a row made of a list stands.
struct ir_loc trace_list_loc(const struct trace *, const struct trace_row *);
// The row that a value is a result of. It is searched for: what runs for every value keeps it.
uint32_t trace_row_of(const struct trace *, uint32_t value);
// Number of tensor operands of a row, and the value ids: operand i is words[map ? map[i] : i].
static inline uint32_t trace_operands(const struct trace *trace, uint32_t row, const uint32_t **words,
                                      const uint16_t **map) {
  const uint32_t *args = trace->args + trace->rows[row].args;
  uint32_t number = trace->instances[trace->rows[row].instance].block;
  if (trace_is_list(number)) {
    *words = args + 2;
    *map = NULL;
    return args[0];
  }
  const struct trace_block *block = &trace->blocks[number];
  if (block->ragged) {
    args += block->n_args + block->ragged->n_sizes;
    *words = args + 1;
    *map = NULL;
    return args[0];
  }
  *words = args;
  *map = block->tensor_words;
  return block->n_tensors;
}
// The run-time sizes of a row of a ragged block: [number - 1].
static inline const uint32_t *trace_sizes(const struct trace *trace, uint32_t row) {
  const struct trace_row *its = &trace->rows[row];
  return trace->args + its->args + trace->blocks[trace->instances[its->instance].block].n_args;
}
// The value ids of tensor operand `tensor` of a row of a block; their number: 1, or a list's length.
static inline uint32_t trace_tensor(const struct trace *trace, uint32_t row, uint32_t tensor,
                                    const uint32_t **values) {
  const struct trace_row *its = &trace->rows[row];
  const struct trace_block *block = &trace->blocks[trace->instances[its->instance].block];
  const uint32_t *args = trace->args + its->args;
  *values = args + block->tensor_words[tensor];
  if (!block->ragged || !block->ragged->is_list[tensor])
    return 1;
  const uint32_t *sizes = args + block->n_args;
  *values = sizes + block->ragged->n_sizes + 1 + **values;
  return sizes[block->ragged->tensor_sizes[tensor] - 1];
}
// The run-time size of a value that has one.
uint32_t trace_length(const struct trace *, uint32_t value);

// Appends a row; returns the value id of its first result. A uniform block is instantiated once per
// minibatch and set of arguments; later calls return the same ids. `args` in the order of the block's
// parameters, words as above.
uint32_t trace_emit(struct example *, uint32_t block, const uint32_t *args, const struct ir_loc *);
// The length of vectors of run-time size; fails the example where they differ.
uint32_t trace_common_length(struct example *, const struct ir_loc *, uint32_t n, const uint32_t *values);
// The same for a ragged block: a slot (runtime/value/value.h) for each parameter.
uint32_t trace_emit_ragged(struct example *, uint32_t block, const uint64_t *slots, const struct ir_loc *);
// A row made of n value ids: their sum, mean, maximum or stack. `elements`: of the row.
uint32_t trace_emit_list(struct example *, const struct ir_loc *, uint32_t kind, uint32_t elements,
                         uint32_t n, const uint32_t *values);
// A row of numbers that are given as the bits of doubles. It needs no computing and takes no gradient.
uint32_t trace_emit_vector(struct example *, const struct ir_loc *, uint32_t elements,
                           const uint64_t *numbers);
// A decision. Where the value has not been computed yet, it suspends the example's fiber until it has, which counts
// against the example's waits.
void trace_await(struct example *, const struct ir_loc *, uint32_t value);
// Elements [first, first + n) of a value that has been awaited.
void trace_elements(struct example *, uint32_t value, size_t first, size_t n, double *to);
// Awaits the value and gives its first element.
double trace_read(struct example *, const struct ir_loc *, uint32_t value);

#endif

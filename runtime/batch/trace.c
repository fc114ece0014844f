// Appends rows to instances: levels, batch keys, which instance a row joins, what is shared.
#include "runtime/batch/trace.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "compiler/ir/ir.h"
#include "runtime/batch/row.h"
#include "runtime/value/value.h"

// --------------------------------------------------------------------------------------- the table of blocks

// What a row takes of the minibatch's memory, where it joins no instance: what else is in the minibatch is not for an
// example to count.
static inline uint64_t instance_bytes(uint64_t words, uint64_t values, uint64_t row_bytes) {
  return sizeof(struct trace_instance) + sizeof(struct trace_row) + words * sizeof(uint32_t) +
         values * 2 * sizeof(uint32_t) + row_bytes;
}

bool trace_block_finish(struct trace_block *block) {
  uint16_t *positions = calloc((size_t)block->n_params * 3 + 1, sizeof *positions);
  uint16_t *members = calloc((size_t)block->n_params * 2 + 1, sizeof *members);
  if (!positions || !members) {
    free(positions);
    free(members);
    return false;
  }
  block->tensor_words = positions;
  block->index_words = positions + block->n_params;
  block->number_words = positions + 2 * (size_t)block->n_params;
  block->member_words = members;
  block->member_indices = members + block->n_params;
  block->n_tensors = block->n_indices = block->n_numbers = block->n_members = 0;
  uint32_t word = 0;
  for (uint32_t i = 0; i < block->n_params; i++) {
    switch ((enum ir_type_kind)block->kinds[i]) {
    case IR_LIST:
    case IR_TENSOR: block->tensor_words[block->n_tensors++] = (uint16_t)word++; break;
    case IR_FLOAT:
      block->number_words[block->n_numbers++] = (uint16_t)word;
      word += 2;
      break;
    default:
      if (block->is_member[i]) {
        block->member_words[block->n_members] = (uint16_t)word;
        block->member_indices[block->n_members++] = (uint16_t)block->n_indices;
      }
      block->index_words[block->n_indices++] = (uint16_t)word++;
    }
  }
  block->n_args = word + (block->random ? 2 : 0);
  block->instance_bytes = instance_bytes(block->n_args, block->n_values, block->row_bytes);
  block->trained_instance_bytes = block->instance_bytes + block->training_bytes;
  return true;
}

void trace_block_free(struct trace_block *block) {
  free(block->tensor_words);
  free(block->member_words);
  block->tensor_words = block->member_words = NULL;
  if (block->ragged) {
    free(block->ragged->is_list);
    free(block->ragged->tensor_sizes);
    free(block->ragged->result_sizes);
    free(block->ragged->index_sizes);
    free(block->ragged->bytes);
    free(block->ragged->trained_bytes);
  }
  free(block->ragged);
  block->ragged = NULL;
}

// ------------------------------------------------------------------------------------------- life and growth

bool trace_init(struct trace *trace, const struct trace_block *blocks, uint32_t n_blocks) {
  *trace = (struct trace){.blocks = blocks, .n_blocks = n_blocks};
  trace->keys_capacity = n_blocks + 16;
  trace->keys = calloc(trace->keys_capacity, sizeof *trace->keys);
  trace->key_table_size = 64;
  trace->key_table = calloc(trace->key_table_size, sizeof *trace->key_table);
  trace->uniform_value = malloc(((size_t)n_blocks + 1) * sizeof *trace->uniform_value);
  trace->uniform_table_size = 64;
  trace->uniform_table = calloc(trace->uniform_table_size, sizeof *trace->uniform_table);
  if (!trace->keys || !trace->key_table || !trace->uniform_value || !trace->uniform_table) {
    trace_free(trace);
    return false;
  }
  for (uint32_t i = 0; i < n_blocks; i++)
    trace->keys[i] = (struct trace_key){.block = i};
  trace->n_keys = n_blocks;
  trace_reset(trace);
  return true;
}

void trace_free(struct trace *trace) {
  free(trace->instances);
  free(trace->buckets);
  free(trace->rows);
  free(trace->waits);
  free(trace->args);
  free(trace->data);
  free(trace->value_row);
  free(trace->value_instance);
  free(trace->keys);
  free(trace->key_members);
  free(trace->key_table);
  free(trace->uniform_value);
  free(trace->uniform_table);
  *trace = (struct trace){0};
}

void trace_close(struct trace *trace) {
  for (uint32_t i = trace->n_closed; i < trace->n_instances; i++)
    trace->buckets[trace->instances[i].hash & trace->bucket_mask] = TRACE_NONE;
  trace->n_closed = trace->n_instances;
}

void trace_reset(struct trace *trace) {
  trace_close(trace);
  trace->n_instances = trace->n_closed = trace->n_rows = trace->n_waits = 0;
  trace->n_args = trace->n_values = trace->n_data = 0;
  trace->n_decisions = 0;
  memset(trace->uniform_value, 0xff, trace->n_blocks * sizeof *trace->uniform_value);
  if (trace->n_uniform)
    memset(trace->uniform_table, 0, trace->uniform_table_size * sizeof *trace->uniform_table);
  trace->n_uniform = 0;
}

_Noreturn static void fail(struct example *example, const char *message) {
  example_fail_crowded(example, &(struct ir_loc){0}, message);
}

static const char too_large[] = "the example has more than 67108864 block instances, arguments or values";
static const char exhausted[] = "out of memory while tracing";

// Room for `more` elements behind `count`; leaves the example when there is none.
static void grow(struct example *example, void *array, size_t element, uint64_t count, uint64_t more,
                 uint32_t *capacity) {
  if (count + more <= *capacity)
    return;
  if (count + more > TRACE_LIMIT)
    fail(example, too_large);
  if (!array_reserve_u32(array, element, count + more, capacity))
    fail(example, exhausted);
}

static inline void put_in_bucket(struct trace *trace, uint32_t number) {
  struct trace_instance *instance = &trace->instances[number];
  uint32_t *bucket = &trace->buckets[instance->hash & trace->bucket_mask];
  instance->next = *bucket;
  *bucket = number;
}

// There are as many buckets as instances have room.
static void grow_instances(struct example *example, struct trace *trace) {
  if (trace->n_instances < trace->instances_capacity)
    return;
  grow(example, &trace->instances, sizeof *trace->instances, trace->n_instances, 1,
       &trace->instances_capacity);
  uint32_t n = trace->bucket_mask + 1;
  while (n < trace->instances_capacity)
    n *= 2;
  uint32_t *buckets = malloc(n * sizeof *buckets);
  if (!buckets) {
    trace->instances_capacity = trace->n_instances;  // comes here again
    fail(example, exhausted);
  }
  memset(buckets, 0xff, n * sizeof *buckets);
  free(trace->buckets);
  trace->buckets = buckets;
  trace->bucket_mask = n - 1;
  for (uint32_t i = trace->n_closed; i < trace->n_instances; i++)
    put_in_bucket(trace, i);
}

__attribute__((noinline)) static void reserve_slow(struct example *example, struct trace *trace,
                                                   uint64_t words, uint32_t values) {
  grow_instances(example, trace);
  grow(example, &trace->rows, sizeof *trace->rows, trace->n_rows, 1, &trace->rows_capacity);
  grow(example, &trace->waits, sizeof *trace->waits, trace->n_waits, words, &trace->waits_capacity);
  grow(example, &trace->args, sizeof *trace->args, trace->n_args, words, &trace->args_capacity);
  uint32_t capacity = trace->values_capacity;
  grow(example, &trace->value_row, sizeof *trace->value_row, trace->n_values, values, &capacity);
  grow(example, &trace->value_instance, sizeof *trace->value_instance, trace->n_values, values,
       &trace->values_capacity);
}

static inline void reserve(struct example *example, struct trace *trace, uint64_t words, uint32_t values) {
  if (trace->n_instances < trace->instances_capacity && trace->n_rows < trace->rows_capacity &&
      trace->n_waits + words <= trace->waits_capacity && trace->n_args + words <= trace->args_capacity &&
      trace->n_values + (uint64_t)values <= trace->values_capacity)
    return;
  reserve_slow(example, trace, words, values);
}

// ------------------------------------------------------------------------------------------------------ keys

static uint32_t hash_words(uint32_t seed, const uint32_t *words, uint32_t n) {
  uint64_t hash = seed * UINT64_C(0x9E3779B97F4A7C15);
  for (uint32_t i = 0; i < n; i++)
    hash = (hash ^ words[i]) * UINT64_C(0xD6E8FEB86659FD93) + (hash >> 29);
  return (uint32_t)(hash >> 32);
}

static bool key_matches(const struct trace *trace, const struct trace_key *key, uint32_t block,
                        uint32_t elements, uint32_t n_members, const uint32_t *members) {
  return key->block == block && key->elements == elements && key->n_members == n_members &&
         (n_members == 0 ||
          memcmp(trace->key_members + key->members, members, n_members * sizeof *members) == 0);
}

static uint32_t key_hash(uint32_t block, uint32_t elements, uint32_t n_members, const uint32_t *members) {
  return hash_words(block * 31 + elements, members, n_members);
}

static void grow_key_table(struct example *example, struct trace *trace) {
  uint32_t size = trace->key_table_size * 2;
  uint32_t *table = calloc(size, sizeof *table);
  if (!table)
    fail(example, exhausted);
  for (uint32_t i = trace->n_blocks; i < trace->n_keys; i++) {
    const struct trace_key *key = &trace->keys[i];
    uint32_t at = key_hash(key->block, key->elements, key->n_members, trace->key_members + key->members);
    for (at &= size - 1; table[at]; at = (at + 1) & (size - 1)) {
    }
    table[at] = i + 1;
  }
  free(trace->key_table);
  trace->key_table = table;
  trace->key_table_size = size;
}

static uint32_t find_key(struct example *example, struct trace *trace, uint32_t block, uint32_t elements,
                         uint32_t n_members, const uint32_t *members) {
  uint32_t mask = trace->key_table_size - 1;
  uint32_t at = key_hash(block, elements, n_members, members) & mask;
  for (; trace->key_table[at]; at = (at + 1) & mask) {
    uint32_t key = trace->key_table[at] - 1;
    if (key_matches(trace, &trace->keys[key], block, elements, n_members, members))
      return key;
  }
  if ((trace->n_keys - trace->n_blocks + 1) * 2 > trace->key_table_size) {
    grow_key_table(example, trace);
    mask = trace->key_table_size - 1;
    at = key_hash(block, elements, n_members, members) & mask;
    while (trace->key_table[at])
      at = (at + 1) & mask;
  }
  grow(example, &trace->keys, sizeof *trace->keys, trace->n_keys, 1, &trace->keys_capacity);
  grow(example, &trace->key_members, sizeof *trace->key_members, trace->n_key_members, n_members + 1,
       &trace->key_members_capacity);
  if (n_members)
    memcpy(trace->key_members + trace->n_key_members, members, n_members * sizeof *members);
  trace->keys[trace->n_keys] = (struct trace_key){
      .block = block, .elements = elements, .n_members = n_members, .members = trace->n_key_members};
  trace->n_key_members += n_members;
  trace->key_table[at] = ++trace->n_keys;
  return trace->n_keys - 1;
}

static uint32_t block_key(struct example *example, struct trace *trace, uint32_t number,
                          const struct trace_block *block, const uint32_t *args) {
  uint32_t members[UINT8_MAX];
  assert(block->n_members <= UINT8_MAX);
  for (uint32_t i = 0; i < block->n_members; i++)
    members[i] = args[block->member_words[i]];
  return find_key(example, trace, number, 0, block->n_members, members);
}

// -------------------------------------------------------------------------------------------------- emission

// What a row waits for: the words behind those of the instances, and a hash of the key and these.
struct waits {
  uint32_t n, hash;
};

static inline uint32_t hash_on(uint32_t hash, uint32_t number) {
  return (hash ^ number) * UINT32_C(0x9E3779B1) ^ hash >> 15;
}

static inline struct waits collect_waits(struct trace *trace, uint32_t key, const uint32_t *words,
                                         const uint16_t *map, uint32_t n) {
  uint32_t *to = trace->waits + trace->n_waits, last = TRACE_NONE;
  struct waits waits = {0, hash_on(0, key)};
  for (uint32_t i = 0; i < n; i++) {
    uint32_t value = words[map ? map[i] : i], number = trace->value_instance[value];
    if (number == last || trace->value_row[value] != TRACE_NO_ROW)
      continue;
    to[waits.n++] = last = number;
    waits.hash = hash_on(waits.hash, number);
  }
  return waits;
}

// The open instance of the same key and waits, or TRACE_NONE.
static inline uint32_t find_open(const struct trace *trace, uint32_t key, struct waits waits) {
  const uint32_t *own = trace->waits + trace->n_waits;
  uint32_t number = trace->buckets[waits.hash & trace->bucket_mask];
  for (; number != TRACE_NONE; number = trace->instances[number].next) {
    const struct trace_instance *instance = &trace->instances[number];
    if (instance->hash != waits.hash || instance->key != key || instance->n_waits != waits.n)
      continue;
    const uint32_t *its = trace->waits + instance->first_wait;
    uint32_t same = 0;
    while (same < waits.n && own[same] == its[same])
      same++;
    if (same == waits.n)
      return number;
  }
  return TRACE_NONE;
}

// Raises an instance above one that it waits for. See trace.h on phases: what is deferred has an odd phase, and what is
// not deferred but waits for something that is comes in the even phase behind it.
static inline void place_after(struct trace_instance *instance, bool deferred,
                               const struct trace_instance *from) {
  uint32_t phase = deferred ? from->phase | 1 : from->phase + (from->phase & 1);
  if (phase > instance->phase) {
    instance->phase = phase;
    instance->level = 0;
    instance->chain = 1;
  }
  if (from->phase != instance->phase)
    return;
  if (from->level >= instance->level)
    instance->level = from->level + 1;
  if (from->key == instance->key && from->chain >= instance->chain)
    instance->chain = from->chain + 1;
}

static uint32_t open_instance(struct trace *trace, uint32_t block, uint32_t key, bool deferred,
                              struct waits waits) {
  uint32_t number = trace->n_instances++;
  struct trace_instance *instance = &trace->instances[number];
  *instance = (struct trace_instance){
      .block = block,
      .key = key,
      .phase = deferred,
      .chain = 1,
      .first_wait = trace->n_waits,
      .n_waits = waits.n,
      .hash = waits.hash,
  };
  for (uint32_t i = 0; i < waits.n; i++)
    place_after(instance, deferred, &trace->instances[trace->waits[trace->n_waits + i]]);
  trace->n_waits += waits.n;
  put_in_bucket(trace, number);
  return number;
}

// Whether a row waits for the same instances as another one's rows: its operands are walked along their waits.
static inline bool waits_for_same(const struct trace *trace, const struct trace_instance *instance,
                                  const uint32_t *words, const uint16_t *map, uint32_t n) {
  const uint32_t *waits = trace->waits + instance->first_wait;
  uint32_t last = TRACE_NONE, at = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t value = words[map ? map[i] : i], number = trace->value_instance[value];
    if (number == last || trace->value_row[value] != TRACE_NO_ROW)
      continue;
    if (at == instance->n_waits || waits[at++] != number)
      return false;
    last = number;
  }
  return at == instance->n_waits;
}

// The instance of a row with n operands. Rows that come one after the other often are of the same, which is tried first.
__attribute__((always_inline)) static inline uint32_t join_instance(struct trace *trace, uint32_t block,
                                                                    uint32_t key, bool deferred,
                                                                    const uint32_t *words,
                                                                    const uint16_t *map, uint32_t n) {
  uint32_t number = trace->keys[key].recent;
  if (number >= trace->n_closed && number < trace->n_instances && trace->instances[number].key == key &&
      waits_for_same(trace, &trace->instances[number], words, map, n))
    return number;
  struct waits waits = collect_waits(trace, key, words, map, n);
  number = find_open(trace, key, waits);
  if (number == TRACE_NONE)
    number = open_instance(trace, block, key, deferred, waits);
  return trace->keys[key].recent = number;
}

// A row whose words of arguments lie behind the others already.
static inline uint32_t append_row(struct trace *trace, struct example *example, uint32_t instance,
                                  uint32_t n_words, uint32_t values) {
  trace->instances[instance].n_rows++;
  uint32_t first = trace->n_values;
  trace->rows[trace->n_rows++] = (struct trace_row){
      .instance = instance,
      .first_value = first,
      .args = trace->n_args,
      .example = ((const struct trace_example *)example)->position,
  };
  for (uint32_t i = 0; i < values; i++) {
    trace->value_row[first + i] = TRACE_NO_ROW;
    trace->value_instance[first + i] = instance;
  }
  trace->n_args += n_words;
  trace->n_values = first + values;
  return first;
}

// The slot of the uniform table that holds a row with this block and these arguments, or the empty one
// for it.
static uint32_t uniform_slot(const struct trace *trace, uint32_t number, uint32_t n_words,
                             const uint32_t *args) {
  uint32_t mask = trace->uniform_table_size - 1;
  uint32_t at = hash_words(number, args, n_words) & mask;
  for (; trace->uniform_table[at]; at = (at + 1) & mask) {
    const struct trace_row *row = &trace->rows[trace->uniform_table[at] - 1];
    if (trace->instances[row->instance].block == number &&
        memcmp(trace->args + row->args, args, n_words * sizeof *args) == 0)
      break;
  }
  return at;
}

// Puts a row that is not there into the uniform table.
static void add_uniform(struct trace *trace, uint32_t number) {
  const struct trace_row *row = &trace->rows[number];
  uint32_t block = trace->instances[row->instance].block;
  trace->uniform_table[uniform_slot(trace, block, trace->blocks[block].n_args, trace->args + row->args)] =
      number + 1;
}

__attribute__((noinline)) static void grow_uniform_table(struct example *example, struct trace *trace) {
  uint32_t old_size = trace->uniform_table_size, *old = trace->uniform_table;
  uint32_t *table = calloc((size_t)old_size * 2, sizeof *table);
  if (!table)
    fail(example, exhausted);
  trace->uniform_table = table;
  trace->uniform_table_size = old_size * 2;
  for (uint32_t i = 0; i < old_size; i++)
    if (old[i])
      add_uniform(trace, old[i] - 1);
  free(old);
}

// A limit of 0 is none: less 1 it is the largest there is.
static inline bool within(uint64_t limit, uint64_t used) { return used - 1 <= limit - 1; }

__attribute__((noinline, cold)) static void refuse(struct example *example, const struct ir_loc *loc,
                                                   uint64_t bytes) {
  const struct example_limits *limits = example->limits;
  if (!within(limits->instances, example->instances + 1))
    example_fail(example, loc,
                 "more than %" PRIu64 " block instances: is there a loop without an end? (--instances)",
                 limits->instances);
  example_charge(example, loc, bytes);
}

// Counts an instance against the example's limits and the minibatch's room. `bytes` is not 0.
static inline void charge(struct example *example, const struct ir_loc *loc, uint64_t bytes) {
  const struct example_limits *limits = example->limits;
  struct example_room *room = example->room;
  uint64_t instances = example->instances + 1, own = example->bytes + bytes, all = room->used + bytes;
  if (!within(limits->instances, instances) | !within(limits->bytes, own + example->heap.held) |
      !within(room->limit, all + room->heaps.held))
    refuse(example, loc, bytes);
  example->instances = instances;
  example->bytes = own;
  room->used = all;
}

static uint32_t emit_row(struct example *example, struct trace *trace, uint32_t number,
                         const uint32_t *args) {
  const struct trace_block *block = &trace->blocks[number];
  uint32_t key = block->n_members ? block_key(example, trace, number, block, args) : number;
  reserve(example, trace, block->n_args, block->n_values);
  uint32_t own = block->n_args - (block->random ? 2 : 0);
  uint32_t *words = trace->args + trace->n_args;
  for (uint32_t i = 0; i < own; i++)
    words[i] = args[i];
  if (block->random) {
    words[own] = example->number;
    words[own + 1] = example->ordinal;
  }
  uint32_t instance = join_instance(trace, number, key, block->deferred, words, block->tensor_words,
                                    block->n_tensors);
  return append_row(trace, example, instance, block->n_args, block->n_values);
}

// Not inlined: an instance that is not shared pays for no registers of this one.
__attribute__((noinline)) static uint32_t emit_uniform(struct example *example, struct trace *trace,
                                                       uint32_t number, const uint32_t *args) {
  const struct trace_block *block = &trace->blocks[number];
  if (block->n_args == 0) {
    if (trace->uniform_value[number] == TRACE_NO_ROW)
      trace->uniform_value[number] = emit_row(example, trace, number, args);
    return trace->uniform_value[number];
  }
  if ((trace->n_uniform + 1) * 2 > trace->uniform_table_size)
    grow_uniform_table(example, trace);
  uint32_t at = uniform_slot(trace, number, block->n_args, args);
  if (trace->uniform_table[at])
    return trace->rows[trace->uniform_table[at] - 1].first_value;
  uint32_t value = emit_row(example, trace, number, args);
  trace->uniform_table[at] = trace->n_rows;
  trace->n_uniform++;
  return value;
}

// Takes rows from their instances again, and instances from their buckets, the last ones first.
static void drop_rows(struct trace *trace, struct trace_mark mark) {
  assert(mark.n_instances >= trace->n_closed);
  while (trace->n_rows > mark.n_rows)
    trace->instances[trace->rows[--trace->n_rows].instance].n_rows--;
  while (trace->n_instances > mark.n_instances) {
    const struct trace_instance *instance = &trace->instances[--trace->n_instances];
    trace->buckets[instance->hash & trace->bucket_mask] = instance->next;
  }
}

void trace_rewind(struct trace *trace, struct trace_mark mark) {
  for (uint32_t b = 0; b < trace->n_blocks; b++)
    if (trace->uniform_value[b] != TRACE_NO_ROW && trace->uniform_value[b] >= mark.n_values)
      trace->uniform_value[b] = TRACE_NO_ROW;
  // Entries of an open table cannot be taken out one by one: those that stay are put into an empty one.
  uint32_t n = 0, size = trace->uniform_table_size;
  for (uint32_t i = 0; i < size; i++)
    n += trace->uniform_table[i] > mark.n_rows;
  uint32_t *old = n ? malloc(size * sizeof *old) : NULL;
  // what was emitted stays, and is computed for nobody
  if (n && !old)
    return;
  if (n) {
    memcpy(old, trace->uniform_table, size * sizeof *old);
    memset(trace->uniform_table, 0, size * sizeof *old);
    for (uint32_t i = 0; i < size; i++)
      if (old[i] != 0 && old[i] <= mark.n_rows)
        add_uniform(trace, old[i] - 1);
    trace->n_uniform -= n;
    free(old);
  }
  drop_rows(trace, mark);
  trace->n_waits = mark.n_waits;
  trace->n_args = mark.n_args;
  trace->n_values = mark.n_values;
  trace->n_data = mark.n_data;
}

uint32_t trace_emit(struct example *example, uint32_t number, const uint32_t *args,
                    const struct ir_loc *loc) {
  struct trace *trace = example->trace;
  const struct trace_block *block = &trace->blocks[number];
  bool is_shared = block->uniform && !block->random;
  if (!is_shared)
    charge(example, loc, trace->trains ? block->trained_instance_bytes : block->instance_bytes);
  uint32_t value = is_shared ? emit_uniform(example, trace, number, args)
                             : emit_row(example, trace, number, args);
  example->ordinal++;
  return value;
}

// ------------------------------------------------------------------------------------------------- ragged blocks

uint32_t trace_length(const struct trace *trace, uint32_t value) {
  uint32_t row = trace_row_of(trace, value);
  uint32_t number = trace->instances[trace->rows[row].instance].block;
  if (trace_is_list(number))  // of scalars
    return trace->args[trace->rows[row].args + 1];
  uint32_t result = value - trace->rows[row].first_value;
  return trace_sizes(trace, row)[trace->blocks[number].ragged->result_sizes[result] - 1];
}

// The list or the value of the block's tensor operand, which parameter `param` is.
struct ragged_operand {
  const struct value_list *list;  // NULL: a value
  uint64_t value, length;         // values: 1
};

static struct ragged_operand ragged_operand(const struct trace_block *block, uint32_t tensor, uint64_t slot) {
  if (!block->ragged->is_list[tensor])
    return (struct ragged_operand){NULL, slot, 1};
  const struct value_list *list = (const struct value_list *)(uintptr_t)slot;
  return (struct ragged_operand){list, 0, list->length};
}

static void agree_on_size(struct example *example, const struct ir_loc *loc, uint32_t *size, uint64_t own) {
  if (own == 0)
    example_fail(example, loc, "a list without elements is made a tensor");
  if (own > INT32_MAX)
    fail(example, too_large);
  if (*size != 0 && *size != own)
    example_fail(example, loc, "%" PRIu32 " rows meet %" PRIu64 ": they must be equally many", *size, own);
  *size = (uint32_t)own;
}

uint32_t trace_common_length(struct example *example, const struct ir_loc *loc, uint32_t n,
                             const uint32_t *values) {
  uint32_t length = 0;
  for (uint32_t i = 0; i < n; i++)
    agree_on_size(example, loc, &length, trace_length(example->trace, values[i]));
  return length;
}

// Finds the run-time sizes, and gives the number of operands, lists laid out.
static uint64_t measure(struct example *example, const struct trace *trace, const struct trace_block *block,
                        const uint64_t *slots, const struct ir_loc *loc, uint32_t *sizes) {
  uint64_t n = 0;
  memset(sizes, 0, block->ragged->n_sizes * sizeof *sizes);
  for (uint32_t i = 0, tensor = 0; i < block->n_params; i++) {
    if (block->kinds[i] != IR_TENSOR && block->kinds[i] != IR_LIST)
      continue;
    struct ragged_operand operand = ragged_operand(block, tensor, slots[i]);
    uint32_t number = block->ragged->tensor_sizes[tensor++];
    n += operand.length;
    if (number)
      agree_on_size(example, loc, &sizes[number - 1],
                    operand.list ? operand.length : trace_length(trace, (uint32_t)operand.value));
  }
  return n;
}

// A kernel reads memory at the place that an int names.
static void check_indices(struct example *example, const struct trace_block *block, const uint64_t *slots,
                          const struct ir_loc *loc, const uint32_t *sizes) {
  for (uint32_t i = 0, index = 0; i < block->n_params; i++) {
    enum ir_type_kind kind = (enum ir_type_kind)block->kinds[i];
    if (kind == IR_TENSOR || kind == IR_LIST || kind == IR_FLOAT)
      continue;
    uint32_t number = block->ragged->index_sizes[index++];
    if (number && slots[i] >= sizes[number - 1])
      example_fail_range(example, loc, (int64_t)slots[i], sizes[number - 1]);
  }
}

// Writes the words of a row whose sizes stand behind the fixed ones already.
static void write_ragged(struct example *example, const struct trace_block *block, const uint64_t *slots,
                         uint32_t *words, uint32_t *operands) {
  uint32_t word = 0, n = 0;
  for (uint32_t i = 0, tensor = 0; i < block->n_params; i++) {
    switch ((enum ir_type_kind)block->kinds[i]) {
    case IR_LIST:
    case IR_TENSOR: {
      struct ragged_operand operand = ragged_operand(block, tensor++, slots[i]);
      words[word++] = operand.list ? n : (uint32_t)operand.value;
      for (uint64_t k = 0; k < operand.length; k++)
        operands[n++] = (uint32_t)(operand.list ? operand.list->buffer->slots[operand.list->offset + k]
                                                : operand.value);
      break;
    }
    case IR_FLOAT:
      memcpy(words + word, &slots[i], sizeof slots[i]);
      word += 2;
      break;
    default: words[word++] = (uint32_t)slots[i];
    }
  }
  if (block->random) {
    words[word++] = example->number;
    words[word] = example->ordinal;
  }
}

uint32_t trace_emit_ragged(struct example *example, uint32_t number, const uint64_t *slots,
                           const struct ir_loc *loc) {
  struct trace *trace = example->trace;
  const struct trace_block *block = &trace->blocks[number];
  const struct trace_ragged *ragged = block->ragged;
  reserve(example, trace, block->n_args + ragged->n_sizes, block->n_values);
  uint64_t n = measure(example, trace, block, slots, loc, trace->args + trace->n_args + block->n_args);
  check_indices(example, block, slots, loc, trace->args + trace->n_args + block->n_args);
  uint64_t n_words = block->n_args + ragged->n_sizes + 1 + n;
  uint64_t bytes = (trace->trains ? block->trained_instance_bytes : block->instance_bytes) +
                   n * sizeof(uint32_t);
  const uint64_t *more = trace->trains ? ragged->trained_bytes : ragged->bytes;
  for (uint32_t k = 0; k < ragged->n_sizes; k++)
    bytes += trace->args[trace->n_args + block->n_args + k] * more[k];
  charge(example, loc, bytes);
  reserve(example, trace, n_words, block->n_values);
  uint32_t *words = trace->args + trace->n_args, *count = words + block->n_args + ragged->n_sizes;
  *count = (uint32_t)n;
  write_ragged(example, block, slots, words, count + 1);
  uint32_t key = block->n_members ? block_key(example, trace, number, block, words) : number;
  uint32_t instance = join_instance(trace, number, key, block->deferred, count + 1, NULL, (uint32_t)n);
  example->ordinal++;
  return append_row(trace, example, instance, (uint32_t)n_words, block->n_values);
}

uint32_t trace_emit_list(struct example *example, const struct ir_loc *loc, uint32_t kind, uint32_t elements,
                         uint32_t n, const uint32_t *values) {
  struct trace *trace = example->trace;
  uint64_t row = nn_row_elements(elements) * trace->element_bytes;
  const uint64_t n_words = (uint64_t)n + 2 + sizeof *loc / sizeof(uint32_t);
  charge(example, loc, instance_bytes(n_words, 1, trace->trains ? 2 * row : row));
  uint32_t key = find_key(example, trace, kind, elements, 0, NULL);
  reserve(example, trace, n_words, 1);
  uint32_t *words = trace->args + trace->n_args;
  words[0] = n;
  words[1] = elements;
  for (uint32_t i = 0; i < n; i++)
    words[i + 2] = values[i];
  memcpy(words + 2 + n, loc, sizeof *loc);
  example->ordinal++;
  uint32_t instance = join_instance(trace, kind, key, false, values, NULL, n);
  return append_row(trace, example, instance, (uint32_t)n_words, 1);
}

struct ir_loc trace_list_loc(const struct trace *trace, const struct trace_row *row) {
  const uint32_t *words = trace->args + row->args;
  struct ir_loc loc;
  memcpy(&loc, words + 2 + words[0], sizeof loc);
  return loc;
}

// Appends numbers to the data; gives where they begin.
static uint32_t append_data(struct example *example, struct trace *trace, uint32_t n,
                            const uint64_t *numbers) {
  grow(example, &trace->data, trace->element_bytes, trace->n_data, n, &trace->data_capacity);
  uint32_t first = trace->n_data;
  if (n && trace->element_bytes == sizeof(double)) {
    memcpy((double *)trace->data + first, numbers, n * sizeof(double));
  } else {
    float *to = (float *)trace->data + first;
    for (uint32_t i = 0; i < n; i++) {
      double number;
      memcpy(&number, &numbers[i], sizeof number);
      to[i] = (float)number;
    }
  }
  trace->n_data += n;
  return first;
}

uint32_t trace_emit_vector(struct example *example, const struct ir_loc *loc, uint32_t elements,
                           const uint64_t *numbers) {
  enum { N_WORDS = 3 };
  struct trace *trace = example->trace;
  uint64_t row = nn_row_elements(elements) * trace->element_bytes;
  uint64_t data = (uint64_t)elements * trace->element_bytes;
  charge(example, loc, instance_bytes(N_WORDS, 1, (trace->trains ? 2 * row : row) + data));
  uint32_t key = find_key(example, trace, TRACE_LIST_VECTOR, elements, 0, NULL);
  reserve(example, trace, N_WORDS, 1);
  uint32_t first = append_data(example, trace, elements, numbers);
  uint32_t *words = trace->args + trace->n_args;
  words[0] = 0;
  words[1] = elements;
  words[2] = first;
  example->ordinal++;
  uint32_t instance = join_instance(trace, TRACE_LIST_VECTOR, key, false, NULL, NULL, 0);
  return append_row(trace, example, instance, N_WORDS, 1);
}

uint32_t trace_row_of(const struct trace *trace, uint32_t value) {
  // The last row whose results begin no later.
  uint32_t low = 0, high = trace->n_rows;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (trace->rows[middle].first_value <= value)
      low = middle;
    else
      high = middle;
  }
  return low;
}

void trace_await(struct example *example, const struct ir_loc *loc, uint32_t value) {
  struct trace *trace = example->trace;
  trace->n_decisions++;
  if (trace->value_row[value] != TRACE_NO_ROW)
    return;
  const struct example_limits *limits = example->limits;
  if (limits->waits && example->waits >= limits->waits)
    example_fail(example, loc,
                 "more than %" PRIu64
                 " waits for values that decide: does the one that ends them never come? (--waits)",
                 limits->waits);
  example->waits++;
  trace->wait(trace->context, (struct trace_example *)example, value);
}

void trace_elements(struct example *example, uint32_t value, size_t first, size_t n, double *to) {
  const struct trace *trace = example->trace;
  trace->read_row(trace->context, trace->value_row[value], first, n, to);
}

double trace_read(struct example *example, const struct ir_loc *loc, uint32_t value) {
  trace_await(example, loc, value);
  double element;
  trace_elements(example, value, 0, 1, &element);
  return element;
}

// What functions declared `memo` gave, by their arguments: a hash table in the example's heap, of chains. It goes with the
// heap. Arguments and results that are counted have a reference from here, so that nobody changes them in place.
#include <string.h>
#include <xxhash.h>

#include "compiler/base/hash_index.h"
#include "runtime/value/example.h"
#include "runtime/value/value_text.h"

struct memo_entry {
  struct memo_entry *next;
  uint64_t hash;
  uint32_t function;
  bool is_done;  // false: it is being computed
  const struct value_shape *shape, *result_shape;
  uint64_t slots[];  // arguments, then results
};

static uint64_t *results_of(struct memo_entry *entry) { return entry->slots + entry->shape->width; }

struct value_memo {
  uint64_t n_entries, n_chains;  // chains: a power of 2
  struct memo_entry *chains[];
};

enum { FIRST_CHAINS = 64 };

static bool is_text(const struct value_shape *shape, uint32_t *next, uint32_t slot) {
  while (*next < shape->n_counted && VALUE_COUNTED_SLOT(shape->counted[*next]) < slot)
    ++*next;
  return *next < shape->n_counted && VALUE_COUNTED_SLOT(shape->counted[*next]) == slot &&
         VALUE_COUNTED_KIND(shape->counted[*next]) == VALUE_TEXT;
}

static const struct value_text *text_of(uint64_t slot) { return (const struct value_text *)(uintptr_t)slot; }

static uint64_t hash_of(uint32_t function, const struct value_shape *shape, const uint64_t *args) {
  uint64_t hash = hash_mix(1, function);
  uint32_t next = 0;
  for (uint32_t i = 0; i < shape->width; i++)
    hash = is_text(shape, &next, i) ? XXH64(text_of(args[i])->bytes, text_of(args[i])->length, hash)
                                    : hash_mix(hash, args[i]);
  return hash;
}

// Numbers, indices and tensors by their slots; texts by what they say; lists and data when they are the same in memory.
static bool are_equal(const struct value_shape *shape, const uint64_t *a, const uint64_t *b) {
  uint32_t next = 0;
  for (uint32_t i = 0; i < shape->width; i++) {
    if (a[i] == b[i])
      continue;
    if (!is_text(shape, &next, i) || text_of(a[i])->length != text_of(b[i])->length ||
        memcmp(text_of(a[i])->bytes, text_of(b[i])->bytes, text_of(a[i])->length) != 0)
      return false;
  }
  return true;
}

static struct memo_entry *find(const struct value_memo *memo, uint64_t hash, uint32_t function,
                               const struct value_shape *shape, const uint64_t *args) {
  struct memo_entry *entry = memo ? memo->chains[hash & (memo->n_chains - 1)] : NULL;
  while (entry &&
         !(entry->hash == hash && entry->function == function && are_equal(shape, entry->slots, args)))
    entry = entry->next;
  return entry;
}

static void retain_all(const struct value_shape *shape, const uint64_t *slots) {
  for (uint32_t i = 0; i < shape->n_counted; i++)
    value_retain((void *)(uintptr_t)slots[VALUE_COUNTED_SLOT(shape->counted[i])]);
}

static size_t bytes_of(uint64_t n_chains) {
  return sizeof(struct value_memo) + n_chains * sizeof(struct memo_entry *);
}

// Room for one entry more.
static void grow(struct example *example, const struct ir_loc *loc) {
  struct value_memo *old = example->memo;
  if (old && old->n_entries < old->n_chains)
    return;
  uint64_t n = old ? 2 * old->n_chains : FIRST_CHAINS;
  struct value_memo *memo = example_alloc(example, loc, bytes_of(n));
  memset(memo, 0, bytes_of(n));
  memo->n_chains = n;
  for (uint64_t c = 0; old && c < old->n_chains; c++) {
    for (struct memo_entry *entry = old->chains[c], *next; entry; entry = next) {
      next = entry->next;
      entry->next = memo->chains[entry->hash & (n - 1)];
      memo->chains[entry->hash & (n - 1)] = entry;
    }
  }
  if (old) {
    memo->n_entries = old->n_entries;
    heap_free(&example->heap, old, bytes_of(old->n_chains));
  }
  example->memo = memo;
}

const uint64_t *value_memo_find(struct example *example, const struct ir_loc *loc, uint32_t function,
                                const struct value_shape *shape, const uint64_t *args,
                                const struct value_shape *result_shape, struct memo_entry **made) {
  uint64_t hash = hash_of(function, shape, args);
  struct memo_entry *entry = find(example->memo, hash, function, shape, args);
  if (entry && entry->is_done) {
    retain_all(result_shape, results_of(entry));
    return results_of(entry);
  }
  if (entry)
    example_fail(example, loc,
                 "a memo function needs its own result: it is called with the arguments that it "
                 "is being computed for");
  grow(example, loc);
  entry = example_alloc(example, loc,
                        sizeof *entry + ((size_t)shape->width + result_shape->width) * sizeof *entry->slots);
  struct memo_entry **chain = &example->memo->chains[hash & (example->memo->n_chains - 1)];
  *entry = (struct memo_entry){
      .next = *chain, .hash = hash, .function = function, .shape = shape, .result_shape = result_shape};
  memcpy(entry->slots, args, shape->width * sizeof *args);
  retain_all(shape, args);
  *chain = entry;
  example->memo->n_entries++;
  *made = entry;
  return NULL;
}

void value_memo_keep(struct memo_entry *entry, const uint64_t *results) {
  memcpy(results_of(entry), results, entry->result_shape->width * sizeof *results);
  retain_all(entry->result_shape, results);
  entry->is_done = true;
}

static void release_all(struct example *example, const struct value_shape *shape, const uint64_t *slots) {
  for (uint32_t i = 0; i < shape->n_counted; i++)
    value_release_slot(example, slots[VALUE_COUNTED_SLOT(shape->counted[i])],
                       VALUE_COUNTED_KIND(shape->counted[i]));
}

void value_memo_clear(struct example *example) {
  struct value_memo *memo = example->memo;
  example->memo = NULL;
  for (uint64_t c = 0; memo && c < memo->n_chains; c++) {
    for (struct memo_entry *entry = memo->chains[c], *next; entry; entry = next) {
      next = entry->next;
      release_all(example, entry->shape, entry->slots);
      if (entry->is_done)
        release_all(example, entry->result_shape, results_of(entry));
      uint64_t slots = (uint64_t)entry->shape->width + entry->result_shape->width;
      heap_free(&example->heap, entry, sizeof *entry + slots * sizeof *entry->slots);
    }
  }
  if (memo)
    heap_free(&example->heap, memo, bytes_of(memo->n_chains));
}

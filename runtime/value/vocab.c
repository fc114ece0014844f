// Vocabularies: counting, freezing, looking up.
#include "runtime/value/vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "compiler/base/arena.h"
#include "compiler/base/array.h"
#include "compiler/base/hash_index.h"
#include "runtime/base/message.h"
#include "runtime/value/value_text.h"

struct entry {
  struct value_text *text;
  int64_t count;
};

struct vocab {
  char *name;
  bool closed, frozen;
  int64_t min_count, max_size;
  uint32_t normal;
  size_t n_fixed;
  char **fixed;
  size_t n, capacity;
  struct entry *entries;
  struct hash_index index;  // of `entries`
  struct arena tables;      // of the index
  bool out_of_memory;       // something was not counted
  bool marked;  // since the mark: entries from n_marked on are new, and these older ones were counted
  size_t n_marked, n_journal, journal_capacity;
  uint32_t *journal;
};

struct vocab *vocab_new(const char *name, bool closed, int64_t min_count, int64_t max_size) {
  struct vocab *vocab = calloc(1, sizeof *vocab);
  char *copy = strdup(name);
  if (!vocab || !copy) {
    free(vocab);
    free(copy);
    return NULL;
  }
  vocab->name = copy;
  vocab->closed = closed;
  vocab->min_count = min_count;
  vocab->max_size = max_size;
  arena_init(&vocab->tables);
  vocab->index = hash_index_new(&vocab->tables);
  if (closed || vocab_fix(vocab, (const char *const[]){"<unk>"}, 1))
    return vocab;
  vocab_free(vocab);
  return NULL;
}

static void free_fixed(struct vocab *vocab) {
  for (size_t i = 0; i < vocab->n_fixed; i++)
    free(vocab->fixed[i]);
  free(vocab->fixed);
  vocab->fixed = NULL;
  vocab->n_fixed = 0;
}

bool vocab_fix(struct vocab *vocab, const char *const *entries, size_t n) {
  free_fixed(vocab);
  vocab->fixed = calloc(n + 1, sizeof *vocab->fixed);
  while (vocab->fixed && vocab->n_fixed < n &&
         (vocab->fixed[vocab->n_fixed] = strdup(entries[vocab->n_fixed])))
    vocab->n_fixed++;
  return vocab->fixed && vocab->n_fixed == n;
}

void vocab_normalise(struct vocab *vocab, uint32_t normal) { vocab->normal = normal; }

// Whether the string is an entry that is there in any case.
static bool is_fixed(const struct vocab *vocab, const char *token, size_t length) {
  for (size_t i = 0; i < vocab->n_fixed; i++)
    if (!strncmp(vocab->fixed[i], token, length) && !vocab->fixed[i][length])
      return true;
  return false;
}

// The index forgets what it held; its tables are few and large, so that they go, too.
static void clear_index(struct vocab *vocab) {
  arena_free(&vocab->tables);
  vocab->index = hash_index_new(&vocab->tables);
}

static void clear(struct vocab *vocab) {
  for (size_t i = 0; i < vocab->n; i++)
    free(vocab->entries[i].text);
  free(vocab->entries);
  vocab->entries = NULL;
  vocab->n = vocab->capacity = 0;
  clear_index(vocab);
}

void vocab_free(struct vocab *vocab) {
  if (!vocab)
    return;
  clear(vocab);
  free_fixed(vocab);
  free(vocab->journal);
  free(vocab->name);
  free(vocab);
}

struct wanted {
  const struct vocab *vocab;
  const char *token;
  size_t length;
};

static bool is_wanted(const void *context, uint32_t item) {
  const struct wanted *wanted = context;
  const struct entry *entry = &wanted->vocab->entries[item];
  return entry->text->length == wanted->length && !memcmp(entry->text->bytes, wanted->token, wanted->length);
}

// The number of the entry, or HASH_INDEX_NONE.
static uint32_t find(const struct vocab *vocab, uint64_t hash, const char *token, size_t length) {
  return hash_index_find(&vocab->index, hash, is_wanted, &(struct wanted){vocab, token, length});
}

// NULL without memory, which is remembered.
static struct entry *find_or_add(struct vocab *vocab, const char *token, size_t length) {
  uint64_t hash = XXH3_64bits(token, length);
  uint32_t found = find(vocab, hash, token, length);
  if (found != HASH_INDEX_NONE)
    return &vocab->entries[found];
  bool has_room = vocab->n < HASH_INDEX_NONE && hash_index_reserve(&vocab->index) &&
                  array_reserve(&vocab->entries, sizeof *vocab->entries, vocab->n + 1, &vocab->capacity);
  struct value_text *text = has_room ? malloc(value_text_memory(length)) : NULL;
  if (!text) {
    vocab->out_of_memory = true;
    return NULL;
  }
  value_text_write(text, token, length);
  struct entry *entry = &vocab->entries[vocab->n];
  *entry = (struct entry){text, 0};
  hash_index_add(&vocab->index, hash, (uint32_t)vocab->n++);
  return entry;
}

void vocab_count(struct vocab *vocab, const char *token, size_t length) {
  char *normal = NULL;
  if (vocab->frozen)
    return;
  if (vocab->normal && !is_fixed(vocab, token, length)) {
    token = normal = value_text_normal(token, length, vocab->normal, &length);
    vocab->out_of_memory |= !normal;
  }
  struct entry *entry = token ? find_or_add(vocab, token, length) : NULL;
  free(normal);
  if (!entry)
    return;
  entry->count++;
  size_t i = (size_t)(entry - vocab->entries);
  if (!vocab->marked || i >= vocab->n_marked)
    return;
  if (!array_reserve(&vocab->journal, sizeof *vocab->journal, vocab->n_journal + 1,
                     &vocab->journal_capacity)) {
    entry->count--;
    vocab->out_of_memory = true;
    return;
  }
  vocab->journal[vocab->n_journal++] = (uint32_t)i;
}

void vocab_mark(struct vocab *vocab) {
  vocab->marked = true;
  vocab->n_marked = vocab->n;
  vocab->n_journal = 0;
}

void vocab_take_back(struct vocab *vocab) {
  while (vocab->n_journal)
    vocab->entries[vocab->journal[--vocab->n_journal]].count--;
  while (vocab->n > vocab->n_marked) {
    struct entry *entry = &vocab->entries[--vocab->n];
    hash_index_remove(&vocab->index, XXH3_64bits(entry->text->bytes, (size_t)entry->text->length),
                      (uint32_t)vocab->n);
    free(entry->text);
  }
}

// Largest first.
static int by_count(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x < y) - (x > y);
}

static void keep(struct vocab *vocab, const struct entry *old) {
  struct entry *entry = find_or_add(vocab, old->text->bytes, (size_t)old->text->length);
  if (entry)
    entry->count = old->count;
}

bool vocab_freeze(struct vocab *vocab) {
  if (vocab->frozen || vocab->out_of_memory)
    return vocab->frozen;
  // Those that are there in any case take part no more: they are rarer than any other.
  for (size_t i = 0; i < vocab->n_fixed; i++) {
    size_t length = strlen(vocab->fixed[i]);
    uint32_t found = find(vocab, XXH3_64bits(vocab->fixed[i], length), vocab->fixed[i], length);
    if (found != HASH_INDEX_NONE)
      vocab->entries[found].count = INT64_MIN;
  }
  // With max_size: everything more frequent than `last` is kept, and of what is exactly as frequent the first
  // `ties`.
  size_t most = (size_t)vocab->max_size, room = SIZE_MAX, above = 0;
  if (most > 0)
    room = most > vocab->n_fixed ? most - vocab->n_fixed : 0;
  int64_t threshold = vocab->min_count > 1 ? vocab->min_count : 1, last = INT64_MIN;
  if (room < vocab->n) {
    int64_t *counts = calloc(vocab->n, sizeof *counts);
    if (!counts)
      return false;
    for (size_t i = 0; i < vocab->n; i++)
      counts[i] = vocab->entries[i].count;
    qsort(counts, vocab->n, sizeof *counts, by_count);
    last = counts[room];  // the first that does not fit: entries above it all do
    while (above < room && counts[above] > last)
      above++;
    free(counts);
  }
  struct entry *old = vocab->entries;
  size_t n = vocab->n, ties = room == SIZE_MAX ? SIZE_MAX : room - above;
  vocab->entries = NULL;
  vocab->n = vocab->capacity = 0;
  clear_index(vocab);
  for (size_t i = 0; i < vocab->n_fixed; i++)
    find_or_add(vocab, vocab->fixed[i], strlen(vocab->fixed[i]));
  for (size_t i = 0; i < n; i++) {
    bool fits = old[i].count > last || (old[i].count == last && ties > 0);
    if (old[i].count == last && fits)
      ties--;
    if (fits && old[i].count >= threshold)
      keep(vocab, &old[i]);
    free(old[i].text);
  }
  free(old);
  vocab->frozen = !vocab->out_of_memory;
  return vocab->frozen;
}

bool vocab_set(struct vocab *vocab, const char *const *entries, size_t n, char **error) {
  clear(vocab);
  for (size_t i = 0; i < vocab->n_fixed; i++)
    if (i >= n || strcmp(entries[i], vocab->fixed[i]))
      return message_set(error, "vocabulary %s: its entry %zu is not %s", vocab->name, i + 1,
                         vocab->fixed[i]);
  for (size_t i = 0; i < n; i++) {
    size_t before = vocab->n;
    if (!find_or_add(vocab, entries[i], strlen(entries[i])))
      return message_set(error, "vocabulary %s: out of memory", vocab->name);
    if (vocab->n == before)
      return message_set(error, "vocabulary %s: `%s` is in it twice", vocab->name, entries[i]);
  }
  vocab->frozen = true;
  return true;
}

bool vocab_is_frozen(const struct vocab *vocab) { return vocab->frozen; }
size_t vocab_size(const struct vocab *vocab) { return vocab->n; }
const char *vocab_name(const struct vocab *vocab) { return vocab->name; }
const char *vocab_entry(const struct vocab *vocab, int64_t index) {
  return vocab->entries[index].text->bytes;
}

const struct value_text *vocab_text(const struct vocab *vocab, int64_t index) {
  return vocab->entries[index].text;
}

int64_t vocab_find(const struct vocab *vocab, const char *token, size_t length) {
  uint32_t found = find(vocab, XXH3_64bits(token, length), token, length);
  if (found == HASH_INDEX_NONE && vocab->normal) {
    char *normal = value_text_normal(token, length, vocab->normal, &length);
    if (!normal)
      return VOCAB_NO_MEMORY;
    found = find(vocab, XXH3_64bits(normal, length), normal, length);
    free(normal);
  }
  if (found != HASH_INDEX_NONE)
    return found;
  return vocab->closed ? -1 : 0;
}

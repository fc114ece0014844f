// Vocabularies: counting, freezing, looking up.
#include "runtime/data/vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/data/message.h"

struct entry {
  char *text;
  size_t length;
  int64_t count;
};

struct vocab {
  char *name;
  bool closed, frozen;
  int64_t min_count, max_size;
  size_t n, capacity;
  struct entry *entries;
  size_t n_slots;      // power of two, at least twice n
  uint32_t *slots;     // entry + 1; 0: free
  bool out_of_memory;  // something was not counted
  bool marked;         // since the mark: entries from n_marked on are new, and these older ones were counted
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
  return vocab;
}

static void clear(struct vocab *vocab) {
  for (size_t i = 0; i < vocab->n; i++)
    free(vocab->entries[i].text);
  free(vocab->entries);
  free(vocab->slots);
  vocab->entries = NULL;
  vocab->slots = NULL;
  vocab->n = vocab->capacity = vocab->n_slots = 0;
}

void vocab_free(struct vocab *vocab) {
  if (!vocab)
    return;
  clear(vocab);
  free(vocab->journal);
  free(vocab->name);
  free(vocab);
}

// The slot that holds the token, or the free slot where it belongs.
static size_t probe(const struct vocab *vocab, const char *token, size_t length) {
  size_t mask = vocab->n_slots - 1, at = XXH3_64bits(token, length) & mask;
  for (;; at = (at + 1) & mask) {
    uint32_t slot = vocab->slots[at];
    if (!slot)
      return at;
    const struct entry *entry = &vocab->entries[slot - 1];
    if (entry->length == length && !memcmp(entry->text, token, length))
      return at;
  }
}

// false without memory, which is remembered.
static bool rehash(struct vocab *vocab, size_t n_slots) {
  uint32_t *slots = calloc(n_slots, sizeof *slots);
  if (!slots) {
    vocab->out_of_memory = true;
    return false;
  }
  free(vocab->slots);
  vocab->n_slots = n_slots;
  vocab->slots = slots;
  for (size_t i = 0; i < vocab->n; i++)
    vocab->slots[probe(vocab, vocab->entries[i].text, vocab->entries[i].length)] = (uint32_t)i + 1;
  return true;
}

// NULL without memory, which is remembered.
static struct entry *find_or_add(struct vocab *vocab, const char *token, size_t length) {
  if (vocab->n_slots < 2 * (vocab->n + 1) && !rehash(vocab, vocab->n_slots ? 2 * vocab->n_slots : 64))
    return NULL;
  size_t at = probe(vocab, token, length);
  if (vocab->slots[at])
    return &vocab->entries[vocab->slots[at] - 1];
  if (vocab->n == vocab->capacity) {
    size_t capacity = vocab->capacity ? 2 * vocab->capacity : 32;
    struct entry *grown = realloc(vocab->entries, capacity * sizeof *grown);
    if (!grown) {
      vocab->out_of_memory = true;
      return NULL;
    }
    vocab->entries = grown;
    vocab->capacity = capacity;
  }
  char *text = strndup(token, length);
  if (!text) {
    vocab->out_of_memory = true;
    return NULL;
  }
  struct entry *entry = &vocab->entries[vocab->n++];
  *entry = (struct entry){text, length, 0};
  vocab->slots[at] = (uint32_t)vocab->n;
  return entry;
}

void vocab_count(struct vocab *vocab, const char *token, size_t length) {
  if (vocab->frozen)
    return;
  struct entry *entry = find_or_add(vocab, token, length);
  if (!entry)
    return;
  entry->count++;
  size_t i = (size_t)(entry - vocab->entries);
  if (!vocab->marked || i >= vocab->n_marked)
    return;
  if (vocab->n_journal == vocab->journal_capacity) {
    size_t capacity = vocab->journal_capacity ? 2 * vocab->journal_capacity : 256;
    uint32_t *grown = realloc(vocab->journal, capacity * sizeof *grown);
    if (!grown) {
      entry->count--;
      vocab->out_of_memory = true;
      return;
    }
    vocab->journal = grown;
    vocab->journal_capacity = capacity;
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
  // Entries leave in the reverse of the order in which they came, so no probe has gone past the slot that
  // becomes free.
  while (vocab->n > vocab->n_marked) {
    struct entry *entry = &vocab->entries[vocab->n - 1];
    vocab->slots[probe(vocab, entry->text, entry->length)] = 0;
    free(entry->text);
    vocab->n--;
  }
}

static bool is_unk(const struct entry *entry) { return !strcmp(entry->text, "<unk>"); }

// Largest first.
static int by_count(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x < y) - (x > y);
}

static void keep(struct vocab *vocab, const struct entry *old) {
  struct entry *entry = find_or_add(vocab, old->text, old->length);
  if (entry)
    entry->count = old->count;
}

bool vocab_freeze(struct vocab *vocab) {
  if (vocab->frozen || vocab->out_of_memory)
    return vocab->frozen;
  // With max_size: everything more frequent than `last` is kept, and of what is exactly as frequent the first
  // `ties`.
  size_t room = vocab->max_size > 0 ? (size_t)vocab->max_size - !vocab->closed : SIZE_MAX, above = 0;
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
  vocab->n_slots = 0;
  if (!vocab->closed)
    find_or_add(vocab, "<unk>", 5);
  for (size_t i = 0; i < n; i++) {
    bool fits = old[i].count > last || (old[i].count == last && ties > 0);
    if (old[i].count == last && fits)
      ties--;
    if (fits && old[i].count >= threshold && !(is_unk(&old[i]) && !vocab->closed))
      keep(vocab, &old[i]);
    free(old[i].text);
  }
  free(old);
  if (!vocab->n_slots)
    rehash(vocab, 64);
  vocab->frozen = !vocab->out_of_memory;
  return vocab->frozen;
}

bool vocab_set(struct vocab *vocab, const char *const *entries, size_t n, char **error) {
  clear(vocab);
  if (!vocab->closed && (n == 0 || strcmp(entries[0], "<unk>")))
    return message_set(error, "vocabulary %s: its first entry is not <unk>", vocab->name);
  for (size_t i = 0; i < n; i++) {
    size_t before = vocab->n;
    if (!find_or_add(vocab, entries[i], strlen(entries[i])))
      return message_set(error, "vocabulary %s: out of memory", vocab->name);
    if (vocab->n == before)
      return message_set(error, "vocabulary %s: `%s` is in it twice", vocab->name, entries[i]);
  }
  if (!vocab->n_slots && !rehash(vocab, 64))
    return message_set(error, "vocabulary %s: out of memory", vocab->name);
  vocab->frozen = true;
  return true;
}

bool vocab_is_frozen(const struct vocab *vocab) { return vocab->frozen; }
size_t vocab_size(const struct vocab *vocab) { return vocab->n; }
const char *vocab_name(const struct vocab *vocab) { return vocab->name; }
const char *vocab_entry(const struct vocab *vocab, int64_t index) { return vocab->entries[index].text; }

int64_t vocab_find(const struct vocab *vocab, const char *token, size_t length) {
  uint32_t slot = vocab->n_slots ? vocab->slots[probe(vocab, token, length)] : 0;
  if (slot)
    return slot - 1;
  return vocab->closed ? -1 : 0;
}

// Vocabularies: strings of the training data, numbered.
//
// Life: vocab_new; vocab_count for every token of the training data; vocab_freeze. Or vocab_new and vocab_set
// with the strings of a checkpoint. Lookups only after that; a frozen vocabulary never changes, so threads
// may share it.
#ifndef NN_RUNTIME_VALUE_VOCAB_H
#define NN_RUNTIME_VALUE_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vocab;
struct value_text;

// closed: no <unk>. Otherwise index 0 is "<unk>". max_size 0: no limit (the limit counts <unk>, too).
// NULL without memory.
struct vocab *vocab_new(const char *name, bool closed, int64_t min_count, int64_t max_size);
void vocab_free(struct vocab *);
// Entries that are there in any case, in front and in this order: of a vocabulary that is not closed the first is what
// unknown strings become, and is "<unk>" unless this says otherwise. false without memory.
bool vocab_fix(struct vocab *, const char *const *entries, size_t n);
// What strings become before they are counted or looked for: bits of enum ir_normal. One that is exactly an entry which is
// there in any case stays that.
void vocab_normalise(struct vocab *, uint32_t normal);
void vocab_count(struct vocab *, const char *token, size_t length);
// What is counted from now on can be taken back, as if it had never been there. Costs four bytes a token.
void vocab_mark(struct vocab *);
// Forgets what was counted since the mark, which stays.
void vocab_take_back(struct vocab *);
// Drops what is rarer than min_count or beyond max_size (rarest first, ties: later first). Indices are in
// order of first occurrence. false when memory ran out, now or while tokens were counted.
bool vocab_freeze(struct vocab *);
// All entries in order, <unk> included; freezes. false with *error (malloc'd) when an entry is twice there
// or the first are not those that vocab_fix says.
bool vocab_set(struct vocab *, const char *const *entries, size_t n, char **error);
bool vocab_is_frozen(const struct vocab *);
size_t vocab_size(const struct vocab *);
const char *vocab_name(const struct vocab *);
// -1: not there and the vocabulary is closed. VOCAB_NO_MEMORY: to normalise it.
#define VOCAB_NO_MEMORY (-2)
int64_t vocab_find(const struct vocab *, const char *token, size_t length);
// NUL-terminated; index < vocab_size.
const char *vocab_entry(const struct vocab *, int64_t index);
// The same as a value that is not counted.
const struct value_text *vocab_text(const struct vocab *, int64_t index);

#endif

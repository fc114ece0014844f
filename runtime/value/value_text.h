// Texts: UTF-8, never changed once they are made. What an author counts in is code points. Comparing, joining and
// searching work on the bytes, whose order is that of the code points.
//
// A text is one block of memory, and what is taken out of it is copied. In a text of ASCII alone code point i is byte i;
// in any other it is looked for from the front.
#ifndef NN_RUNTIME_VALUE_VALUE_TEXT_H
#define NN_RUNTIME_VALUE_VALUE_TEXT_H

#include <stdbool.h>

#include "runtime/value/example.h"

// The bytes that are given are valid UTF-8 without a null byte. Where a damaged file gives others characters are wrong,
// and nothing is read or written outside of a text.

// Memory of a text of that many bytes, and such a text written into it, which is not counted.
size_t value_text_memory(size_t length);
void value_text_write(struct value_text *, const char *bytes, size_t length);
// One that is not counted, in an arena; NULL without memory.
struct value_text *value_text_new(struct value_arena *, const char *bytes, size_t length);

// The length of the character that begins here, of the `left` bytes there are.
size_t value_text_step(const char *bytes, size_t left);

// The string as bits of enum ir_normal say, malloc'd; NULL without memory.
char *value_text_normal(const char *bytes, size_t length, uint32_t normal, size_t *new_length);

// Decimal digits with a sign; a number as C writes it, or `inf` or `nan`. false: the text is none, or it is too large.
bool value_text_to_int(const char *bytes, size_t length, int64_t *value);
bool value_text_to_float(const char *bytes, size_t length, double *value);

// ------------------------------------------------------------------------------- called by compiled code
// All borrow their operands. Results are references of the caller's.

struct value_text *value_text_get(struct example *, const struct ir_loc *, const struct value_text *,
                                  int64_t index);
struct value_text *value_text_slice(struct example *, const struct ir_loc *, struct value_text *,
                                    int64_t from, int64_t to);
struct value_text *value_text_concat(struct example *, const struct ir_loc *, struct value_text *,
                                     struct value_text *);
struct value_text *value_text_join(struct example *, const struct ir_loc *, const struct value_list *,
                                   const struct value_text *separator);
// The characters where the separator is empty. The shape is that of the list's elements.
struct value_list *value_text_split(struct example *, const struct ir_loc *, const struct value_shape *,
                                    const struct value_text *, const struct value_text *separator);
int64_t value_text_find(const struct value_text *, const struct value_text *wanted);  // -1: not there
int64_t value_text_compare(const struct value_text *, const struct value_text *);     // -1, 0 or 1
int64_t value_text_equal(const struct value_text *, const struct value_text *);       // 0 or 1
// `map`: enum ir_text_map
struct value_text *value_text_map(struct example *, const struct ir_loc *, struct value_text *, uint32_t map);
struct value_text *value_text_of_int(struct example *, const struct ir_loc *, int64_t);
struct value_text *value_text_of_float(struct example *, const struct ir_loc *, double);
// Of an entry of a vocab, or a member of an enum.
struct value_text *value_text_of_index(struct example *, uint32_t dim, int64_t index);
int64_t value_text_parse_int(struct example *, const struct ir_loc *, const struct value_text *);
double value_text_parse_float(struct example *, const struct ir_loc *, const struct value_text *);
int64_t value_text_parse_index(struct example *, const struct ir_loc *, const struct value_text *,
                               uint32_t dim);

#endif

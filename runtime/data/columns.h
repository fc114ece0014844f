// What the formats with a line of fields share: fields, which of them is which parameter, values from them.
#ifndef NN_RUNTIME_DATA_COLUMNS_H
#define NN_RUNTIME_DATA_COLUMNS_H

#include "runtime/data/reader.h"

enum { MAX_COLUMNS = 256 };

struct field {
  size_t at, length;  // in the reader's line
};

// The state of such a reader; a format that needs more begins its own with this.
struct columns {
  int32_t *source;      // [column of the request] field of the line, -1: not known yet
  bool by_token;        // every parameter is a list: a token a line, sentences separated by blank lines
  bool is_bound;        // the first line has been seen, and `source` is known
  bool blanks;          // fields are separated by blanks and tabs, any number of them; otherwise by one tab
  size_t n_fields;      // of every line
  uint32_t first_line;  // that said so
};

// Allocates the state, of `size` bytes, and checks the types. False with the error set.
bool columns_begin(struct reader *, size_t size);
void columns_end(struct reader *);

// The fields of the current line; more than MAX_COLUMNS: MAX_COLUMNS + 1, with the error set.
size_t columns_split(struct reader *, struct field *out);

// Which field is which parameter: as `--format tsv:a,_,b` says, before a line is read.
bool columns_bind_given(struct reader *);
// By the first line. *header: it is no data. False with the error set, which is the file's.
bool columns_bind(struct reader *, const struct field *, size_t n, bool *header);

// The slots of one token, pushed; the lists of the tokens that were pushed since the stack was empty.
bool columns_token(struct reader *, const struct field *);
bool columns_finish_sentence(struct reader *);
// Passes over what is left of a bad sentence.
enum reader_result columns_skip_sentence(struct reader *);

#endif

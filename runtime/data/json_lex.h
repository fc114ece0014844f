// JSON (RFC 8259) from the lines of a reader, token by token and without a tree: what a record takes while it is
// read is what its values take.
//
// Errors are set in the reader with line and column, and begin with "not JSON: ". Keys of an object differ. No token
// crosses a line's end, so tokens of an object over many lines are read like those of one.
#ifndef NN_RUNTIME_DATA_JSON_LEX_H
#define NN_RUNTIME_DATA_JSON_LEX_H

#include "runtime/data/reader.h"

// Objects and arrays within each other.
#define JSON_MOST_DEPTH 2048

enum json_kind {
  JSON_LEX_END,  // of the file
  JSON_LEX_BAD,  // with the error set
  JSON_LEX_OPEN_OBJECT,
  JSON_LEX_CLOSE_OBJECT,
  JSON_LEX_OPEN_ARRAY,
  JSON_LEX_CLOSE_ARRAY,
  JSON_LEX_COMMA,
  JSON_LEX_COLON,
  JSON_LEX_STRING,
  JSON_LEX_INTEGER,
  JSON_LEX_REAL,  // with a fraction or an exponent
  JSON_LEX_TRUE,
  JSON_LEX_FALSE,
  JSON_LEX_NULL
};

struct json_token {
  enum json_kind kind;
  uint32_t line;
  size_t column;
  // of a string: unescaped; of anything else: as it is written. Not NUL-terminated; valid until the next
  // token
  const char *text;
  size_t length;
};

struct json_lex {
  struct reader *reader;
  size_t at;       // in the reader's line
  bool in_line;    // a line is being read
  bool one_line;   // a record ends with its line
  bool is_stuck;   // the last token was JSON_LEX_BAD or JSON_LEX_END: it is still there
  uint32_t depth;  // objects and arrays that are open
  char *text;      // of a string with escapes
  size_t text_capacity;
  uint64_t *keys;  // hashes of the keys of the objects that are open
  size_t n_keys, keys_capacity;
};

void json_lex_end(struct json_lex *);

struct json_token json_next(struct json_lex *);
// A token in words, for messages: "an integer", "`]`".
const char *json_token_text(const struct json_token *, char *buffer, size_t size);

// The members of an object or the elements of an array whose opening token was read.
struct json_items {
  enum json_kind open;
  uint32_t line;
  size_t column;
  size_t n;          // read so far
  size_t first_key;  // in lex->keys
};
struct json_items json_items_of(const struct json_lex *, const struct json_token *open);
// 1: there is another one, and its key or its value is *token (behind a key, json_next gives the value); 0: the end
// was read; -1: bad, with the error set.
int json_next_item(struct json_lex *, struct json_items *, struct json_token *token);

// Reads to the end of the value that begins with the token. False with the error set.
bool json_skip(struct json_lex *, const struct json_token *);
// Behind an error: reads until only `depth` objects and arrays are open. False when what follows is no JSON, or the last
// token was none, or the end.
bool json_close(struct json_lex *, uint32_t depth);

#endif

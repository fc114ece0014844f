// JSON that lies in memory: headers of checkpoints and the vocabularies in them. Read token by token like a file's
// (json_lex.h), and strings written. Memory that runs out is an error like any other.
#ifndef NN_RUNTIME_DATA_JSON_TEXT_H
#define NN_RUNTIME_DATA_JSON_TEXT_H

#include <stdio.h>

#include "runtime/data/json_lex.h"

struct json_text {
  struct dataset_request request;  // of the reader: nothing but its name
  struct reader reader;            // its error, if there is one; is_fatal: memory ran out
  struct json_lex lex;
};

// The struct stays where it is until json_text_close, and so do the text and its name, which errors begin with.
void json_text_open(struct json_text *, const char *name, const char *text, size_t length);
void json_text_close(struct json_text *);

// Whether the text is one value and nothing else; *no_memory where that is why it is not.
bool json_is_one_value(const char *text, bool *no_memory);

// The text is an array of strings and nothing else. Those are copied and end with a NUL.
struct json_strings {
  size_t n;
  const char **items;
  char *bytes;  // private
};
// False: it is none, or *no_memory.
bool json_strings_read(const char *text, struct json_strings *, bool *no_memory);
void json_strings_free(struct json_strings *);

// A string with its quotes. Bytes that are no UTF-8 become U+FFFD.
void json_write_string(FILE *out, const char *text);

#endif

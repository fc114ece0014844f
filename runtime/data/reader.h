// What the readers of the data formats share: lines, positions, and turning text into slots.
//
// A format reads one record at a time into `row`. A bad record sets `error` through reader_fail, and the next
// call goes on behind it, so that bad records can be skipped. While counting, tokens go to the vocabularies
// that are not frozen and indices come out as 0.
#ifndef NN_RUNTIME_DATA_READER_H
#define NN_RUNTIME_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/data/dataset.h"

enum reader_result { READER_RECORD, READER_END, READER_BAD };

struct reader {
  const struct dataset_request *request;
  struct value_arena *arena;  // of the values
  bool counting;
  const char *columns;  // what followed the format's name in `--format tsv:words,tags`; NULL: nothing

  FILE *file;
  char *line;  // the current line, without its end
  size_t length, line_capacity;
  uint32_t line_number;  // of `line`, from 1
  bool line_pending;     // `line` was put back

  uint64_t *row;  // slots of the record
  bool *present;  // [column] set by the format for the record
  uint32_t record_line;
  char *error;  // "file:line:column: message"

  char *tokens;  // of the record being counted; they count when the whole record is good
  size_t n_tokens, tokens_capacity;

  uint64_t *stack;  // slots of lists and nodes under construction
  size_t n_stack, stack_capacity;
  void *state;  // of the format; malloc'd, freed by the driver
};

struct reader_format {
  const char *name;
  const char *suffixes;  // blank-separated
  // Checks that the columns can come from this format and finds its state; false with reader->error.
  bool (*begin)(struct reader *);
  enum reader_result (*next)(struct reader *);
  void (*end)(struct reader *);  // frees what the state owns; may be NULL
};
extern const struct reader_format reader_ptb, reader_jsonl, reader_text, reader_tsv, reader_conllu;

// Grows an array of `size`-byte elements to hold `needed` of them.
void *reader_grow(void *array, size_t *capacity, size_t needed, size_t size);

// The next line, without "\n", "\r\n" or a byte order mark. False at the end of the file.
bool reader_line(struct reader *);
// A blank line: nothing but blanks and tabs.
bool reader_line_is_blank(const struct reader *);

// Sets the error at column `column` (bytes from 1) of line `line`. Returns READER_BAD.
enum reader_result reader_fail(struct reader *, uint32_t line, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// A token as a value of a scalar type (index, int, float, bool). False with the error set; `column` is the
// token's.
bool reader_scalar(struct reader *, const struct ir_type *, const char *token, size_t length, uint32_t line,
                   size_t column, uint64_t *slot);
// Index, int, float or bool; a list of such.
bool reader_is_scalar(const struct ir_type *);
bool reader_is_scalar_list(const struct ir_type *);
// A type in words, for messages: "a Word", "a list of int".
const char *reader_type_text(const struct reader *, const struct ir_type *, char *buffer, size_t size);

// Counting: the tokens of the record that was just read go to their vocabularies, or are forgotten.
void reader_count_tokens(struct reader *);
void reader_discard_tokens(struct reader *);

void reader_push(struct reader *, uint64_t slot);
// A list of the slots pushed since `base`, which are popped.
uint64_t reader_list(struct reader *, const struct ir_type *element, size_t base);

#endif

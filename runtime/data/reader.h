// What the readers of the data formats share: lines, positions, and turning text into slots.
//
// A format reads one record at a time into `row`. A bad record sets `error` through reader_fail, and the next
// call goes on behind it, so that bad records can be skipped; an error that says that the file as a whole is
// misread is set through reader_refuse, and ends the reading. While counting, tokens go to the vocabularies
// that are not frozen, indices come out as 0, and no value is built.
//
// Every byte of a file is looked at before any format sees its line (reader_line), so that the same bytes get
// the same verdict whatever reads them and whoever asks.
#ifndef NN_RUNTIME_DATA_READER_H
#define NN_RUNTIME_DATA_READER_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/data/dataset.h"

enum reader_result { READER_RECORD, READER_END, READER_BAD };
enum reader_line { LINE_TEXT, LINE_END, LINE_BAD };

// Where in a record a value stands, for messages: `e.Apply.args[2]`. Links live on the stack of a recursion.
struct reader_place {
  const struct reader_place *parent;
  const char *name;  // NULL: an element
  size_t index;
};

struct reader {
  const struct dataset_request *request;
  struct value_arena *arena;  // of the values
  bool counting;
  const char *columns;  // what followed the format's name in `--format tsv:words,tags`; NULL: nothing
  int header;           // `--format tsv+header`: 1, `tsv-header`: -1, neither: 0
  locale_t locale;      // "C", in which numbers are written

  FILE *file;
  const char *text, *text_end;  // what is left to read where there is no file but memory
  char *line;                   // the current line, without its end; NUL-terminated, and no NUL within
  size_t length, line_capacity;
  uint32_t line_number;  // of `line`, from 1
  bool line_pending;     // `line` was put back

  const struct dataset_column *column;  // whose value is read: vocabularies can be of its texts
  uint64_t *row;                        // slots of the record; a format fills all of them
  uint32_t record_line;
  // of the value that is read, which errors name; NULL: the line says it all
  const struct reader_place *place;
  char *error;    // "file:line:column: message"
  bool is_fatal;  // the error is none of the record alone
  char *note;     // how the file is taken, where that was guessed; NULL: nothing to say

  uint64_t *stack;  // slots of lists and nodes under construction
  size_t n_stack, stack_capacity;
  void *state;  // of the format; malloc'd, freed by the driver
};

struct reader_format {
  const char *name;
  const char *suffixes;  // blank-separated
  bool has_columns;      // may be followed by +header, -header and :columns
  // Checks that the columns can come from this format and finds its state; false with reader->error.
  bool (*begin)(struct reader *);
  enum reader_result (*next)(struct reader *);
  void (*end)(struct reader *);  // frees what the state owns; may be NULL
};
extern const struct reader_format reader_ptb, reader_jsonl, reader_text, reader_tsv, reader_conll,
    reader_conllu;

// Grows *array, of `size`-byte elements, to hold `needed` of them. False with the error set.
bool reader_reserve(struct reader *, void *array, size_t *capacity, size_t needed, size_t size);

// The next line, without "\n" or "\r\n", and the first without a byte order mark (columns count from behind
// it). LINE_BAD with the error set: it holds bytes that no text has (line_check.h).
enum reader_line reader_line(struct reader *);
// A blank line: nothing but blanks and tabs.
bool reader_line_is_blank(const struct reader *);

// Sets the error at column `column` (bytes from 1) of line `line`, unless one is set. Returns READER_BAD.
enum reader_result reader_fail(struct reader *, uint32_t line, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// Sets an error that skipping records does not mend; line 0: of the file. Returns false.
bool reader_refuse(struct reader *, uint32_t line, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// A token as a value of a scalar type (index, int, float, bool, text). False with the error set; `column` is the
// token's.
bool reader_scalar(struct reader *, const struct ir_type *, const char *token, size_t length, uint32_t line,
                   size_t column, uint64_t *slot);
// A number's text (as strtod takes it, decimal point a point) as a double. False when there is more in it, or
// when it is too large.
bool reader_number(const struct reader *, const char *token, size_t length, double *value);
// The size of a tensor's dimension, or -1 while it is not known.
int64_t reader_size(const struct reader *, const struct size *);
// Index, int, float, bool or text.
bool reader_is_scalar(const struct ir_type *);

// What one token gives: a scalar; a list of a vocabulary of characters, which are the token's; and a record whose
// fields are such, each made of the whole token: `Token(word: Word, chars: [Char])`.
bool reader_is_token(const struct ir_module *, const struct ir_type *);
// Pushes the slots of the value that a token gives. False with the error set.
bool reader_token(struct reader *, const struct ir_type *, const char *token, size_t length, uint32_t line,
                  size_t column);
// What a line as a whole can give: a text, or characters.
bool reader_is_line(const struct ir_module *, const struct ir_type *);
// A list that is written token by token: its elements are what a token gives, and it is not itself.
bool reader_is_token_list(const struct ir_module *, const struct ir_type *);

bool reader_push(struct reader *, uint64_t slot);
// A list of the slots pushed since `base`, which are popped; a value of a sum type. False with the error set.
bool reader_list(struct reader *, const struct ir_type *element, size_t base, uint64_t *slot);
bool reader_data(struct reader *, uint64_t tag, uint32_t n_slots, const uint64_t *slots, uint64_t *slot);

// ----------------------------------------------------------------------------- for messages (reader_text.c)

// The path of a place.
void reader_print_place(const struct reader_place *, char *out, size_t size);
// A type in words: "a Word", "a list (each element an integer)".
const char *reader_type_text(const struct reader *, const struct ir_type *, char *buffer, size_t size);
// Bytes of a token that a message shows: not all of a megabyte, and no half character.
int reader_shown(const char *token, size_t length);
// What could have been meant: "; did you mean `a`?" where a name is near, then "; %s `a`, `b`, ..." of those
// there are.
const char *reader_choices(const char *name, const char *title, const char *const *names, size_t n,
                           char *buffer, size_t size);
// Whose parameter a column is: "which `loss` needs", "which metric `accuracy` needs".
const char *reader_wanted(const struct dataset_column *, char *buffer, size_t size);
// All columns of the request but one are beyond a format that fills one: refuses the file when there are some.
bool reader_fills_one(struct reader *, uint32_t column, const char *what);

#endif

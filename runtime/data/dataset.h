// A data set in memory: examples whose values are ready-made arguments of compiled host code.
//
// The columns are the parameters, by name, of the entries that will run over the data. An example is one row
// of slots: its columns' flattened slots, one column after the other. Slots are as runtime/host/host.h says
// (int, float's bits, bool, index, value_list and value_data in the data set's arena); a tensor of a column's type is a
// value_list of floats, row by row. Every record gives every column.
#ifndef NN_RUNTIME_DATA_DATASET_H
#define NN_RUNTIME_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"
#include "runtime/value/value.h"
#include "runtime/value/vocab.h"

struct dataset_column {
  const char *name;  // owned by the module
  const struct ir_type *type;
  uint32_t first_slot, width;
  const struct ir_entry *entry;  // that needs it, for messages; may be NULL
};

// A file that examples came from.
struct dataset_file {
  char *path;
  size_t first;  // example
};

struct nn_dataset {
  struct value_arena *arena;  // owns the values
  uint32_t n_columns;
  struct dataset_column *columns;
  uint32_t width;  // slots of an example
  size_t n_examples;
  uint64_t *slots;  // [example][width]
  uint32_t *lines;  // [example] first line of its record, from 1
  size_t slots_capacity, lines_capacity;
  size_t n_files;
  struct dataset_file *files;
  size_t n_skipped;     // bad records passed over
  char *first_skipped;  // what was wrong with the first of them; NULL: there is none
  char *notes;          // how files were taken where that was guessed, a line each; NULL: nothing to say
  char position[4096];  // nn_dataset_position's answer
  // one whose arena holds values of this one, too, and which goes with it; NULL: none
  struct nn_dataset *also;
};

// What a reader is asked for.
struct dataset_request {
  const struct ir_module *module;
  struct vocab *const *vocabs;  // [ir_module.dims index]; NULL where the dim is no vocab
  uint32_t n_columns;
  const struct dataset_column *columns;  // name, type, first_slot and width are filled
  const char *path;
  // what is read instead of the file; then the path is only its name in messages. NULL: the file
  const char *text;
  const char *format;  // NULL: guessed from the path
  bool skip_bad;
  size_t limit;         // the reading ends with this many examples of the file; 0: with the file
  const int64_t *dims;  // [ir_module.dims index] of a bound model, for the shapes of tensors; NULL: any
};

// Counts the tokens of a file's good records into the vocabularies that are not frozen yet, and builds
// nothing else; *n_examples is the number of those records. false with *error (malloc'd: "file:line:column:
// what was expected").
bool dataset_count(const struct dataset_request *, size_t *n_examples, char **error);
// Reads a file; every vocabulary that a column mentions is frozen. NULL with *error as above. An index of a
// vocabulary or enum is checked here; a closed vocabulary's unseen token is an error of the record.
struct nn_dataset *dataset_read(const struct dataset_request *, char **error);
// Reads another file behind the examples that are there; its columns must be those the set was read with (the
// request's are not looked at). On an error the set is as before.
bool dataset_append(struct nn_dataset *, const struct dataset_request *, char **error);
void dataset_free(struct nn_dataset *);
// The file of an example.
const struct dataset_file *dataset_file_of(const struct nn_dataset *, size_t example);

#endif

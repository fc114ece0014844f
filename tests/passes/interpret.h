// A slow and obvious interpreter of host functions, with tensor operations standing in them or emitted as
// blocks. Tests of the passes run a module with it before and after.
#ifndef NN_TESTS_PASSES_INTERPRET_H
#define NN_TESTS_PASSES_INTERPRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/ir/ir.h"

struct arena;

struct slot;

struct slot_list {
  uint32_t n, width;  // elements, slots of each
  struct slot *slots;
};

struct slot_data {
  uint32_t constructor;
  struct slot *slots;
};

struct slot_sum {  // a sum still to be taken
  const double *term;
  const struct slot_sum *left, *right;
};

// One SSA value; the type tells which member.
struct slot {
  union {
    int64_t integer;  // int, bool, index
    double number;
    const double *tensor;
    const struct slot_sum *sum;
    const struct slot_list *list;
    const struct slot_data *data;
    const char *text;
  };
  const struct ir_type *actual;  // of a tensor whose type has run-time sizes: with their values
};

struct interpreter {
  const struct ir_module *module;
  struct arena *arena;          // owns everything that is made
  const int64_t *dims;          // [ir_module.dims]
  const double *const *params;  // [ir_module.params]
  bool exhausted;  // it was stopped by a limit of the interpreter, not by an error of the program
  uint64_t steps_left;
  size_t most_bytes;  // of the arena; 0: 32 MiB
  uint64_t n_emits;   // emits so far
  const char *error;  // what went wrong at run time, or NULL
};

// Runs a function; false with interpreter->error set on a run-time error.
bool interpret(struct interpreter *, uint32_t function, const struct slot *args, struct slot *results);

// The number of elements of a tensor type under the interpreter's dims.
int64_t interpret_elements(const struct interpreter *, const struct ir_type *type);

#endif

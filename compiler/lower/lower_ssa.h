// Building one host function in SSA form.
//
// The language's control flow is structured, so every place where paths meet is known in advance: a *label*.
// Jumps to a label are recorded with the values that the mutable variables have there, and ssa_enter gives
// the label's basic block one parameter for each variable whose values differ. A loop's head is entered
// before the jumps that go back to it are known and so gets a parameter for every variable that the loop
// assigns to; ssa_finish removes the ones that turn out to be superfluous. The result is minimal and pruned SSA
// with basic-block parameters.
//
// A function with many variables has many jumps, and each assigns to few of them. So the values are a tree that
// jumps share: what is common to two of them costs nothing, neither to record nor to compare.
//
// Only variables that are assigned to take part; every other binding is simply its values.
//
// Code after a jump is unreachable until a label is entered. It can be built like any other (`reachable`
// tells) and is dropped.
#ifndef NN_COMPILER_LOWER_LOWER_SSA_H
#define NN_COMPILER_LOWER_LOWER_SSA_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/base/arena.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/ir_builder.h"

// The slots of one source value (ir_type_width of them).
struct ssa_values {
  uint32_t n;
  struct ir_value **items;
};

// The variables' values: a radix tree by the variable's number, which is changed by copying once it has been
// shared.
struct ssa_state {
  struct ssa_state_node *root;
  uint32_t height;  // of the tree, in levels
};

struct ssa_edge {
  struct ir_instr *jump;
  uint32_t which;          // of the jump's targets
  struct ssa_values args;  // given to ssa_jump
  struct ssa_state state;  // at the jump; has at least the label's variables
};

// Slots of variables, by number.
struct ssa_slots {
  uint32_t *items;
  size_t count, capacity;
};

struct ssa_label {
  struct ir_bb *bb;
  uint32_t n_variables;       // in scope at the label
  bool is_loop;               // entered already, and jumps may still come
  struct ssa_slots assigned;  // in the loop: the head has parameters for these
  struct {
    struct ssa_edge *items;
    size_t count, capacity;
  } edges;
};

struct ssa {
  struct arena *scratch;
  struct ir_builder build;  // where instructions go, and the position that they are given
  struct ir_bb *last_bb;    // of the layout so far
  bool reachable;
  struct ssa_state state;  // current values of the mutable variables' slots
  uint32_t n_variables;    // slots in scope, innermost last
  uint32_t time;           // counts the jumps: what is older than the last one is shared
};

void ssa_init(struct ssa *ssa, struct arena *scratch, struct ir_module *module, struct ir_function *function);
// Removes unreachable code and superfluous parameters, joins blocks that follow each other, renumbers.
void ssa_finish(struct ssa *ssa);

// A value that nothing defines, for unreachable code.
struct ir_value *ssa_undefined(struct ssa *ssa, const struct ir_type *type);

// A new variable of `values.n` slots; gives the number of its first slot. Leaving its scope is
// `ssa->n_variables = <the number before>`.
uint32_t ssa_declare(struct ssa *ssa, struct ssa_values values);
struct ssa_values ssa_read(struct ssa *ssa, uint32_t first, uint32_t n);
void ssa_write(struct ssa *ssa, uint32_t first, struct ssa_values values);

struct ssa_label *ssa_label(struct ssa *ssa);
// The three end the current basic block. The arguments become the label's parameters; all jumps to one label
// give equally many.
void ssa_jump(struct ssa *ssa, struct ssa_label *label, struct ssa_values args);
void ssa_branch(struct ssa *ssa, struct ir_value *condition, struct ssa_label *yes, struct ssa_label *no);
void ssa_switch(struct ssa *ssa, struct ir_value *value, uint32_t n, struct ssa_label *const *labels);
void ssa_return(struct ssa *ssa, struct ssa_values values);

// Goes on at the label; every jump to it has been made. Gives the label's parameters, of these types.
struct ssa_values ssa_enter(struct ssa *ssa, struct ssa_label *label, uint32_t n,
                            const struct ir_type *const *types);
// Jumps to a new label with these arguments and goes on there; further jumps may follow. `assigned` has every slot
// in scope that is assigned to before the last of them, once.
struct ssa_label *ssa_enter_loop(struct ssa *ssa, struct ssa_values args, struct ssa_slots assigned,
                                 struct ssa_values *params);

#endif

// What the files of the lowering share. See lower.h for what it does as a whole.
//
//   lower.c          the program; functions instantiated on demand
//   lower_module.c   dims, parameters, layer instances
//   lower_entry.c    entry points
//   lower_types.c    sizes, types, data
//   lower_const.c    constant expressions
//   lower_fn.c       bodies: statements, bindings, scopes
//   lower_loop.c     `for`, `while`, comprehensions
//   lower_expr.c     expressions on host values
//   lower_call.c     calls, constructors, builtins
//   lower_equal.c    `==` of lists, tuples and data
//   lower_function.c functions as arguments
//   lower_tensor.c   tensor operations, parameters
//   lower_match.c    patterns
//   lower_ssa.[hc]   SSA form and control flow
#ifndef NN_COMPILER_LOWER_LOWER_INTERNAL_H
#define NN_COMPILER_LOWER_LOWER_INTERNAL_H

#include <setjmp.h>

#include "compiler/base/hash_index.h"
#include "compiler/base/map.h"
#include "compiler/check/builtins.h"
#include "compiler/check/types.h"
#include "compiler/diag/diag.h"
#include "compiler/ir/ir.h"
#include "compiler/ir/ir_builder.h"
#include "compiler/lower/lower_ssa.h"
#include "compiler/syntax/ast.h"

// ---- The whole program --------------------------------------------------------------------------------

struct lower {
  struct arena *arena;  // scratch and diagnostics
  struct diag_sink *sink;
  const struct ast_program *program;
  struct ir_module *module;
  jmp_buf failed;                  // after a diagnostic
  const struct size **atom_sizes;  // by the id of a dim's, vocab's or enum's atom: the same in the module
  uint32_t *atom_dims;             // and its index in module->dims
  uint32_t n_atoms;
  struct span where;     // what is being lowered, for errors that have no place of their own
  uint32_t *files;       // by source file id: index in module->files + 1, or 0
  struct map params;     // top-level ast_param -> uint32_t
  struct map nodes;      // top-level ast_instance -> struct lower_node
  struct map layouts;    // ast_data -> struct lower_layout
  struct map functions;  // what is called by it -> first struct lower_function
  struct map bodies;     // lower_function written in place -> struct lower_instance
  uint32_t n_nodes, n_instances;
  struct hash_index data_index, instance_index;  // of the two arrays, by what they are instances of
  struct {
    struct span *items;
    size_t count, capacity;
  } param_spans;  // by the number of the parameter in the module
  struct {
    struct lower_data **items;
    size_t count, capacity;
  } datas;
  struct {
    struct lower_instance **items;
    size_t count, capacity;
  } instances;
  struct {
    struct lower_equality {
      const struct ir_type *type;  // a list or data
      struct ir_function *function;
      struct ir_loc loc;  // of the first use
    } * items;
    size_t count, capacity;
  } equalities;
  size_t n_equal_bodies;                    // of `equalities` that have been built
  struct hash_index equality_index;         // of `equalities`, by type
  struct lower_instance *open, **open_end;  // instances whose bodies are still to be lowered
};

// Limits. Each is far above what models need and keeps a mistake from filling the memory.
enum {
  LOWER_MAX_NODES = 20000,          // layer instances
  LOWER_MAX_INSTANCES = 20000,      // of functions
  LOWER_MAX_DATAS = 2000,           // of generic data types
  LOWER_MAX_RECORD_WIDTH = 64,      // slots; a wider record is a data value of its own
  LOWER_MAX_RECORD_DEPTH = 32,      // records inside records
  LOWER_MAX_DECISIONS = 5000,       // tests of one `match`
  LOWER_MAX_DECISIONS_AN_ARM = 10,  // and so many more for each of its arms
};

// Gives up; the caller has reported a diagnostic.
_Noreturn void lower_fail(struct lower *lower);
// For results of size arithmetic: NULL is an overflow, which is reported.
const struct size *lower_checked_size(struct lower *lower, const struct size *size);

// ---- Constants (lower_const.c) ------------------------------------------------------------------------

struct lower_constant {
  enum type_kind kind;  // TYPE_INT, TYPE_BOOL, TYPE_FLOAT
  int64_t integer;      // also of a bool
  double number;
};

struct lower_node;

// The value of a constant expression inside the layer `self` (NULL: none). False when it has none: not
// constant, or a division by zero or overflow that only a run could report.
bool lower_constant(const struct lower_node *self, const struct ast_expr *expr, struct lower_constant *value);
// The same where a constant is required: reports.
struct lower_constant lower_required_constant(struct lower *lower, const struct lower_node *self,
                                              const struct ast_expr *expr);
double lower_constant_number(struct lower_constant value);

// ---- Layer instances (lower_module.c) -----------------------------------------------------------------

struct lower_arg {              // of a layer parameter
  const struct size *size;      // kinds dim and index, over the module's dims
  uint32_t dim;                 // kind index
  struct lower_constant value;  // kinds int, float, bool
};

// A layer instance, or a list of instances that differ only in their parameters' values.
struct lower_node {
  const char *path;                       // "enc.fwd"; "stack.*" for what is in a list
  uint32_t n_lists;                       // lists around it, outermost first
  const struct size *lists[IR_MAX_RANK];  // their lengths
  struct lower_node *element;             // of a list; then the members below are unset
  const struct ast_layer *layer;
  struct lower_arg *args;        // by parameter of the layer
  uint32_t *params;              // by ast_param of the layer: index in module->params
  struct lower_node **children;  // by ast_instance of the layer
};

void lower_declarations(struct lower *lower);
const struct lower_node *lower_child(const struct lower_node *node, const struct ast_instance *instance);

struct lower_function;
struct lower_instance;

// ---- Sizes and types (lower_types.c) ------------------------------------------------------------------

// What layer parameters, the variables in brackets and parameters that are functions stand for.
struct lower_env {
  const struct lower_node *self;       // NULL outside layers
  const struct size *const *sizes;     // by index of the function's or data type's size variables
  const struct ir_type *const *types;  // by index of the function's type variables
  // by parameter of the function; NULL for one that is a value
  const struct lower_function *const *functions;
};

const struct size *lower_size(struct lower *lower, const struct lower_env *env, const struct size *size);
const struct ir_type *lower_type(struct lower *lower, const struct lower_env *env, const struct type *type);
// Index in module->dims of an index type.
uint32_t lower_index_dim(const struct lower *lower, const struct lower_env *env, const struct type *type);
bool lower_same_sizes(size_t n, const struct size *const *a, const struct size *const *b);
uint64_t lower_hash_sizes(uint64_t hash, size_t n, const struct size *const *sizes);
uint64_t lower_hash_type(uint64_t hash, const struct ir_type *type);
// The slots' types; their number is ir_type_width.
const struct ir_type **lower_flatten(struct lower *lower, const struct ir_type *type);
// Whether values of this data type are flattened: one constructor, not recursive, not too large.
bool lower_is_record(struct lower *lower, const struct ast_data *data);

// ---- Function instances (lower.c) ---------------------------------------------------------------------

struct lower_instance {
  const struct ast_fn *fn;
  struct lower_env env;
  // parameters: one int per list around env.self, what came along with a function written in place, then the
  // flattened ones; those of one that is a function are what comes along with it
  struct ir_function *function;
  // the instance is the body of this, written in place in `fn`; otherwise NULL
  const struct lower_function *own;
  struct span use;                    // the call that it was made for
  const struct lower_instance *user;  // ... in this one; NULL for entry points
  struct lower_instance *next_open;
};

// The instance of fn for these sizes, types and functions, made when it does not exist. `use` is where, in `user`.
struct lower_instance *lower_instantiate(struct lower *lower, const struct ast_fn *fn,
                                         const struct lower_env *env, const struct lower_instance *user,
                                         struct span use);
// The same for the body of a function written in place.
struct lower_instance *lower_instantiate_own(struct lower *lower, const struct lower_function *own,
                                             const struct lower_instance *user, struct span use);

// Not flattened; a metric's scalars are floats.
const struct ir_type *lower_result_type(struct lower *lower, const struct ast_fn *fn,
                                        const struct lower_env *env);

// lower_entry.c
void lower_entries(struct lower *lower);

// ---- One function -------------------------------------------------------------------------------------

// A layer instance in the course of a function: which one of its family, where it is in lists.
struct lower_ref {
  const struct lower_node *node;
  uint32_t n_indices;                     // = node->n_lists
  struct ir_value *indices[IR_MAX_RANK];  // ints, known to be in range
};

enum lower_local_kind { LOCAL_VALUES, LOCAL_VARIABLE, LOCAL_LAYER, LOCAL_FUNCTION };

// A binding that goes along with a function written in place.
struct lower_captured {
  enum lower_local_kind kind;
  uint32_t n;                             // slots
  const struct lower_node *node;          // LOCAL_LAYER
  const struct lower_function *function;  // LOCAL_FUNCTION
};

// An argument that is a function. One of them stands for all that are the same.
struct lower_function {
  const struct ast_expr *arg;
  const struct lower_instance *around;  // where it is written
  const struct lower_node *self;  // of the method, or around a function written in place; otherwise NULL
  const struct ir_type **types;   // of its parameters, then of its result; not flattened
  size_t n_types;
  const struct ir_type **slots;  // what comes along: the place of `self` in lists, then what is captured
  uint32_t n_slots;
  struct lower_captured *captured;  // by ast_expr.fn.captures
  struct lower_function *next_same;
};

struct lower_closure {
  const struct lower_function *which;
  struct ssa_values captured;
};

struct lower_local {
  enum lower_local_kind kind;
  union {
    struct ssa_values values;
    struct {
      uint32_t first, n;  // ssa variables
      uint32_t loop;      // the last whose head has parameters for it
    } variable;
    struct lower_ref ref;
    struct lower_closure function;
  };
};

struct lower_loop {
  struct ssa_label *next;  // `continue`
  struct ssa_label *exit;  // `break`
  struct lower_loop *outer;
};

struct lower_fn {
  struct lower *lower;
  struct arena *arena;  // the lowering's
  const struct lower_instance *instance;
  struct lower_env env;
  struct ssa ssa;
  struct lower_ref self;        // node NULL outside layers
  struct lower_local *locals;   // by ast_local.index
  struct lower_loop *loop;      // innermost
  const struct ast_expr *left;  // the left side of the operator being lowered, which has been; or NULL
  struct ssa_values left_values;
  uint32_t n_loops;                  // entered so far
  struct ir_value *turn;             // of the loop of a LIFT that is being lowered
  struct map prepared;               // ast_expr -> struct lower_prepared: inside of a LIFT; lower_batch.c
  uint32_t n_decisions;              // of the current match
  const struct binding **bindings;   // by ast_local.index: scratch of lower_match.c
  const struct lower_ref *receiver;  // of the method that is called as an argument; otherwise NULL
};

#define LOWER_NONE ((struct ssa_values){0, NULL})

// lower_fn.c
void lower_body(struct lower *lower, const struct lower_instance *instance);
struct ssa_values lower_block(struct lower_fn *fn, const struct ast_block *block);
void lower_bind(struct lower_fn *fn, const struct ast_local *local, struct ssa_values values);
void lower_bind_layer(struct lower_fn *fn, const struct ast_local *local, struct lower_ref ref);
// Sets the position of the instructions that follow.
void lower_at(struct lower_fn *fn, struct span span);

// lower_loop.c
// The name of a vocab or enum, which runs through its members and has a length.
bool lower_is_set(const struct ast_expr *expr);
struct ir_value *lower_set_size(struct lower_fn *fn, const struct ast_expr *set);
void lower_for(struct lower_fn *fn, const struct ast_stmt *stmt);
void lower_while(struct lower_fn *fn, const struct ast_stmt *stmt);
// A loop that counts from 0. What it collects, if anything, goes round with the counter.
struct lower_counted {
  struct ssa_label *head, *next, *exit;
  struct ir_value *i;
  struct ssa_values collected;  // so far; behind the loop, all of it
  uint32_t scope;
};
// Begins the body of a loop of n turns.
void lower_begin_counted(struct lower_fn *fn, struct ir_value *n, struct ssa_values collected,
                         struct lower_counted *loop);
// Ends the body with what was collected so far. Goes on after the loop.
void lower_end_counted(struct lower_fn *fn, struct lower_counted *loop, struct ssa_values collected);
struct ir_value *lower_push(struct lower_fn *fn, struct ir_value *list, struct ssa_values element);
struct ssa_values lower_comprehension(struct lower_fn *fn, const struct ast_expr *expr);
// The rows of `n` elements that a list of floats consists of one behind the other, as a list of type `type`.
struct ir_value *lower_rows(struct lower_fn *fn, struct ir_value *list, struct ir_value *n,
                            const struct ir_type *type);
// The list of what `make` gives for the slots of each element of `list`; `type` is its type.
struct ir_value *lower_map_list(struct lower_fn *fn, struct ir_value *list, const struct ir_type *type,
                                struct ssa_values (*make)(struct lower_fn *, struct ssa_values element,
                                                          const void *context),
                                const void *context);
struct ssa_values lower_sum_of_numbers(struct lower_fn *fn, const struct ast_expr *expr);
// The smallest or the largest number of a list, or where it is.
struct ssa_values lower_best_of_numbers(struct lower_fn *fn, const struct ast_expr *expr, bool largest,
                                        bool place);

// lower_expr.c
struct ssa_values lower_expr(struct lower_fn *fn, const struct ast_expr *expr);
// An expression of one slot.
struct ir_value *lower_scalar(struct lower_fn *fn, const struct ast_expr *expr);
// All expressions' slots, in order.
struct ssa_values lower_exprs(struct lower_fn *fn, struct ast_expr *const *exprs, size_t count);
// Values that nothing defines: what an expression gives when it is never reached.
struct ssa_values lower_undefined(struct lower_fn *fn, const struct type *type);
struct ssa_values lower_one(struct lower_fn *fn, struct ir_value *value);
// The expression as a layer instance or list of them.
struct lower_ref lower_layer_ref(struct lower_fn *fn, const struct ast_expr *expr);
const struct ir_type *lower_type_here(struct lower_fn *fn, const struct type *type);
struct ir_value *lower_size_value(struct lower_fn *fn, const struct size *size);
// Reports that the value of a size is wanted which is known at run time only.
_Noreturn void lower_runtime_size(struct lower_fn *fn, struct span span);
// The element `index` of a list of layers; the index is known to be in range.
struct lower_ref lower_element_ref(struct lower_ref list, struct ir_value *index);
// Whether the expression stands for a layer instance or a list of them.
bool lower_is_layer(const struct ast_expr *expr);

// lower_batch.c: what is done to each element of a batch, which is a list.
struct ssa_values lower_lift(struct lower_fn *fn, const struct ast_expr *expr);
struct ssa_values lower_element(struct lower_fn *fn, const struct ast_expr *expr);
// What the expression, a part of a LIFT, was evaluated to before its loop; NULL: it was not.
const struct ssa_values *lower_prepared(const struct lower_fn *fn, const struct ast_expr *expr);
struct ssa_values lower_batch_call(struct lower_fn *fn, const struct ast_expr *expr);

// lower_call.c
// The list of a text's characters.
struct ir_value *lower_chars(struct lower_fn *fn, struct ir_value *text);
struct ssa_values lower_call(struct lower_fn *fn, const struct ast_expr *expr);
// Branches on which of two numbers is the smaller or the larger: of equals, the first; NaN where either is NaN.
void lower_choose(struct lower_fn *fn, struct ir_value *a, struct ir_value *b, bool larger,
                  struct ssa_label **first, struct ssa_label **second);
// The tensor that list.vector or list.stack makes of a list.
struct ir_value *lower_list_tensor(struct lower_fn *fn, enum ir_op op, struct ir_value *list,
                                   const struct ir_type *type);

// lower_equal.c
// Whether two values of this type, which is not flattened and has no tensors, are equal.
struct ir_value *lower_equal(struct lower *lower, struct ssa *ssa, const struct ir_type *type,
                             struct ir_value *const *a, struct ir_value *const *b);
// The bodies of the functions that this has called for so far.
void lower_equal_bodies(struct lower *lower);

// lower_function.c
struct lower_closure lower_closure(struct lower_fn *fn, const struct ast_expr *arg);
struct ssa_values lower_value_call(struct lower_fn *fn, const struct ast_expr *expr);
uint32_t lower_bind_captured(struct lower_fn *fn, const struct lower_function *function);
const char *lower_function_name(struct lower *lower, const struct lower_function *function);

// lower_tensor.c
struct ir_value *lower_param(struct lower_fn *fn, uint32_t param, const struct lower_ref *ref);
struct ir_value *lower_to_scalar(struct lower_fn *fn, struct ir_value *host);
// A range of a dimension; `start`: where it begins, unless that is a size.
struct ir_value *lower_range(struct lower_fn *, struct ir_value *a, const struct ast_range_sizes *,
                             struct ir_value *start, uint32_t axis);
struct ssa_values lower_part(struct lower_fn *, const struct ast_expr *expr);
// An element of a dimension, which is gone.
struct ir_value *lower_take(struct lower_fn *, struct ir_value *a, struct ir_value *index, uint32_t axis);
struct ssa_values lower_tensor_call(struct lower_fn *fn, const struct ast_expr *expr);
struct ir_value *lower_product(struct lower_fn *, struct ir_value *a, struct ir_value *b);
struct ssa_values lower_smallest(struct lower_fn *, const struct ast_expr *);
struct ssa_values lower_reshape(struct lower_fn *, const struct ast_expr *);
struct ssa_values lower_permute(struct lower_fn *, const struct ast_expr *);
struct ssa_values lower_broadcast(struct lower_fn *, const struct ast_expr *);
struct ssa_values lower_split(struct lower_fn *fn, const struct ast_expr *expr);
// `index` as a position in a dimension of `indexed`.
struct ir_value *lower_position(struct lower_fn *fn, const struct ir_value *indexed, struct ir_value *index,
                                uint32_t axis);
struct ir_value *lower_fill(struct lower_fn *fn, const struct ast_expr *expr);
struct ssa_values lower_draw(struct lower_fn *fn, const struct ast_expr *expr);

// lower_match.c
struct ssa_values lower_match(struct lower_fn *fn, const struct ast_expr *expr);
// Binds a pattern that always matches.
void lower_bind_pattern(struct lower_fn *fn, const struct ast_pattern *pattern, struct ssa_values values);
// The first slot of a constructor's field, counted over its flattened fields.
uint32_t lower_field_slot(struct lower_fn *fn, const struct type *data,
                          const struct ast_constructor *constructor, size_t field);
// A field of a value that is known to have this constructor: part of the value's slots, or got from it.
struct ssa_values lower_field(struct lower_fn *fn, const struct type *data,
                              const struct ast_constructor *constructor, size_t field,
                              struct ssa_values value);

#endif

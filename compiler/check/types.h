// Types of expressions. Immutable after checking, in the compilation's arena, compared with type_equal (they
// are not unique by address).
#ifndef NN_COMPILER_CHECK_TYPES_H
#define NN_COMPILER_CHECK_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/check/sizes.h"
#include "compiler/syntax/ast.h"

enum type_kind {
  TYPE_ERROR,  // an error was reported; agrees with everything. Never seen after a successful check
  TYPE_NEVER,  // of an expression that never finishes: every path returns, breaks or continues
  TYPE_INT,
  TYPE_BOOL,
  TYPE_FLOAT,
  TYPE_TEXT,
  TYPE_TENSOR,  // f32[...]
  TYPE_INDEX,   // of a vocab, an enum or a layer parameter of kind index
  TYPE_LIST,
  TYPE_BATCH,  // f32[D; n], State[H; n]: what operations are done to element by element
  TYPE_TUPLE,  // without items: ()
  TYPE_DATA,
  TYPE_LAYER,     // an instance of a layer
  TYPE_FN,        // only of a function's parameter
  TYPE_GENERIC,   // a type variable, inside the function that has it: a type of its own
  TYPE_VARIABLE,  // inference only: the element of `[]`. Never seen after a successful check
};

// More dimensions than IR_MAX_RANK are an error.
#define TYPE_MAX_RANK 4

// What a layer parameter stands for in an instance's type. Parameters of kind int, float and bool are not
// part of the type (both members NULL): their values are in the LAYER call that makes the instance.
struct type_layer_arg {
  const struct size *size;   // kinds dim and index
  const struct type *index;  // kind index: a TYPE_INDEX
};

// Types of more parts than this are refused where they would be made, so that recursion over a type is cheap.
#define TYPE_MAX_WEIGHT 1024

struct type {
  enum type_kind kind;
  uint32_t weight;  // number of parts, itself included; TYPE_MAX_WEIGHT + 1: more
  union {
    struct {
      size_t rank;  // 0: a scalar
      const struct size *sizes[TYPE_MAX_RANK];
    } tensor;
    const struct size_symbol *index;  // its size is size_from_atom(&index->atom)
    struct {
      const struct type *element;
      const struct size *length;  // static lists of layers only; otherwise NULL
    } list;
    struct {
      const struct type *element;  // no int, bool, float or index: of these it is a list
      const struct size *size;
    } batch;
    struct {
      size_t count;
      const struct type *const *items;
    } tuple;
    struct {
      struct ast_data *decl;
      const struct size *const *sizes;  // one per size variable of `decl`
    } data;
    struct {
      struct ast_layer *decl;
      const struct type_layer_arg *args;  // one per parameter of `decl`
    } layer;
    struct {
      size_t count;
      const struct type *const *params;
      const struct type *result;
    } fn;
    const struct ast_type_var *generic;
    struct {
      const struct type *bound;  // NULL while unknown
      struct span origin;        // the `[]`
    } variable;
  };
};

// Constructors. The simple ones are shared constants.
extern const struct type type_error, type_never, type_int, type_bool, type_float, type_string, type_unit,
    type_scalar;
const struct type *type_tensor(struct arena *arena, size_t rank, const struct size *const *sizes);
const struct type *type_index(struct arena *arena, const struct size_symbol *symbol);
const struct type *type_list(struct arena *arena, const struct type *element, const struct size *length);
const struct type *type_batch(struct arena *arena, const struct type *element, const struct size *size);
const struct type *type_tuple(struct arena *arena, size_t count, const struct type *const *items);
const struct type *type_data(struct arena *arena, struct ast_data *decl, const struct size *const *sizes);
const struct type *type_layer(struct arena *arena, struct ast_layer *decl, const struct type_layer_arg *args);
const struct type *type_fn(struct arena *arena, size_t count, const struct type *const *params,
                           const struct type *result);
const struct type *type_generic(struct arena *arena, const struct ast_type_var *var);
struct type *type_variable(struct arena *arena, struct span origin);

// Follows bound variables at the top: never gives a bound TYPE_VARIABLE.
const struct type *type_resolve(const struct type *type);
// The same type without bound variables anywhere inside.
const struct type *type_zonk(struct arena *arena, const struct type *type);
bool type_has_variables(const struct type *type);
bool type_is_unit(const struct type *type);
bool type_is_scalar(const struct type *type);       // a tensor of rank 0
bool type_is_host_number(const struct type *type);  // int or float
bool type_is_number(const struct type *type);  // the same, or a type variable that stands for one of them
bool type_is_ordered(
    const struct type *type);  // a number or a text, or a type variable that stands for one of them
bool type_has_error(const struct type *type);  // TYPE_ERROR occurs in it
// Whether a layer instance occurs in it.
bool type_has_layer(const struct type *type);

// The size of what an operation makes of batches of these sizes: 1 goes with every other, and so may what is known for
// each example only. NULL: they do not go together.
const struct size *type_common_batch(const struct size *a, const struct size *b);

// Structural equality; sizes as polynomials, those of batches as far as they go together. TYPE_ERROR equals everything.
bool type_equal(const struct type *a, const struct type *b);
// Equality that binds variables of both sides. TYPE_ERROR agrees with everything.
bool type_unify(const struct type *a, const struct type *b);

// Replaces size variables, type variables and layer parameters inside. NULL on overflow of a size.
const struct type *type_substitute(struct arena *arena, const struct type *type,
                                   const struct size_binding *bindings, size_t count);
// The bindings of a layer's parameters that an instance's type stands for: one per parameter, as
// type_substitute takes them; value parameters have no symbol.
const struct size_binding *type_layer_bindings(struct arena *arena, const struct type *layer, size_t *count);
// The type of a constructor's field in a value of this data type.
const struct type *type_field(struct arena *arena, const struct type *data,
                              const struct ast_constructor *constructor, size_t field);

// As written in the language: `f32[4*H, Word]`, `[Tree]`, `(int, State[H])`, `LSTM(D, H)`.
const char *type_text(struct arena *arena, const struct type *type);

#endif

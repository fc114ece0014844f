// The syntax tree of a program, as the parser builds it and the checker completes it.
//
// Every node lies in the compilation's arena and knows its span. Each kind is a tagged union: read only the member
// that belongs to `kind`. The parser fills everything except what stands under a `checker:` comment; the checker
// fills those, so that lowering never resolves a name again: a binding is a `struct ast_local *`, a function a
// `struct ast_fn *`, and so on, compared by address. Nothing else of the tree changes after parsing.
//
// What can be declared at top level has a `unique` name: the name that it has in the module, unlike that of any other
// declaration. It is its own name, with the file's before it where another file declares the same.
//
// Trees that reach the checker have no holes: when a file has syntax errors only diagnostics come out of it.
// Names are NUL-terminated, in the arena and not interned: compare with strcmp, or the resolutions by address.
// A qualified name is one name with its dots, `std.lstm.State`; in expressions it is parsed as a FIELD, and the checker
// makes the node a NAME.
#ifndef NN_COMPILER_SYNTAX_AST_H
#define NN_COMPILER_SYNTAX_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/base/arena.h"
#include "compiler/base/map.h"
#include "compiler/diag/source.h"
#include "compiler/syntax/stdlib_index.h"

// Owned by the checker: compiler/check/types.h, compiler/check/sizes.h and its table of builtin functions.
struct type;
struct size;
struct builtin;
struct size_binding;  // what one size variable, type variable or layer parameter stands for at one use

struct ast_expr;
struct ast_pattern;
struct ast_block;
struct ast_fn;
struct ast_layer;
struct ast_data;
struct ast_function;

// An array in the arena; append with arena_push. A zeroed one is empty.
#define AST_LIST(name, type)                                                                                 \
  struct name {                                                                                              \
    type *items;                                                                                             \
    size_t count;                                                                                            \
    size_t capacity;                                                                                         \
  }

struct ast_name {
  const char *text;
  struct span span;
};

AST_LIST(ast_names, struct ast_name);
AST_LIST(ast_exprs, struct ast_expr *);
AST_LIST(ast_patterns, struct ast_pattern *);
AST_LIST(ast_locals, struct ast_local *);

// ---- What a name stands for -------------------------------------------------------------------------------

enum ast_ref_kind {
  AST_REF_NONE,   // not resolved (yet)
  AST_REF_LOCAL,  // let, var, for, match, comprehension, function parameter
  AST_REF_DIM,
  AST_REF_SIZE_VAR,     // `n` of `fn f[n]` or `data State[n]`
  AST_REF_TYPE_VAR,     // `T` of `fn f[T: type]`
  AST_REF_LAYER_PARAM,  // `In` of `layer Dense(In: dim)`: a size, an index set or a host value
  AST_REF_VOCAB,
  AST_REF_ENUM,
  AST_REF_ENUM_MEMBER,
  AST_REF_DATA,
  AST_REF_CONSTRUCTOR,
  AST_REF_PARAM,     // a top-level parameter or, inside a layer, its own
  AST_REF_INSTANCE,  // `let cell = ...` at top level or in a layer
  AST_REF_LAYER,
  AST_REF_FN,  // a top-level function, or inside a layer one of its own
  AST_REF_BUILTIN,
};

struct ast_ref {
  enum ast_ref_kind kind;
  union {
    struct ast_local *local;
    struct ast_dim *dim;
    struct ast_size_var *size_var;
    struct ast_type_var *type_var;
    struct ast_layer_param *layer_param;
    struct ast_vocab *vocab;
    struct ast_enum *enumeration;
    struct ast_enum_member *enum_member;
    struct ast_data *data;
    struct ast_constructor *constructor;
    struct ast_param *param;
    struct ast_instance *instance;
    struct ast_layer *layer;
    struct ast_fn *fn;
    const struct builtin *builtin;
  };
};

// ---- Sizes and types ----------------------------------------------------------------------------------------

enum ast_size_kind {
  AST_SIZE_INT,
  AST_SIZE_NAME,
  AST_SIZE_NEGATE,  // uses `left`
  AST_SIZE_ADD,
  AST_SIZE_SUBTRACT,
  AST_SIZE_MULTIPLY,
  AST_SIZE_DIVIDE,  // division and remainder only in the value of a `dim`
  AST_SIZE_REMAINDER,
};

struct ast_size {
  enum ast_size_kind kind;
  // the operation whose left side this is, so that chains need no recursion; else NULL
  struct ast_size *outer;
  struct span span;
  union {
    int64_t integer;
    struct {
      struct ast_name name;
      struct ast_ref ref;  // checker: dim, size variable, layer parameter, vocab or enum
    } name;
    struct {
      struct ast_size *left;
      struct ast_size *right;  // NULL for NEGATE
    } op;
  };
  const struct size *size;  // checker
};

AST_LIST(ast_sizes, struct ast_size *);

AST_LIST(ast_types, struct ast_type *);

enum ast_type_kind {
  AST_TYPE_NAMED,  // int, bool, float, f32, f32[A, B], Word, Action, Tree, State[H]
  AST_TYPE_LIST,   // [T]
  AST_TYPE_TUPLE,  // (A, B); () has no items. (A) is A itself
  AST_TYPE_FN,     // fn(A, B) -> C, only as the type of a function's parameter
};

struct ast_type {
  enum ast_type_kind kind;
  struct span span;
  union {
    struct {
      struct ast_name name;
      struct ast_sizes sizes;  // empty without brackets; empty brackets are a syntax error
      // With a batch axis, f32[D; n]: has_batch, and its size, NULL where that is `_`, known for each example.
      struct ast_size *batch;
      bool has_batch;
      // checker: vocab, enum, data, type variable or layer parameter of kind index; none for the built-in
      // names
      struct ast_ref ref;
    } named;
    struct ast_type *element;
    struct ast_types items;
    struct {
      struct ast_types params;
      struct ast_type *result;  // NULL: ()
    } fn;
  };
  const struct type *type;  // checker
};

// ---- Bindings -----------------------------------------------------------------------------------------------

enum ast_local_kind {
  AST_LOCAL_PARAMETER,
  AST_LOCAL_LET,
  AST_LOCAL_VAR,
  AST_LOCAL_FOR,  // bound by a `for` or a comprehension
  AST_LOCAL_MATCH,
};

// One binding. Its address is its identity; `index` numbers the bindings of one function (or instance) densely
// from 0, parameters first, then in order of text.
struct ast_local {
  enum ast_local_kind kind;
  struct ast_name name;
  unsigned index;
  const struct type *type;  // checker
  bool is_assigned;         // checker: some statement assigns to it after its definition
  bool is_used;             // checker
};

// checker: a range of the function's `assigned`: the assignments inside a loop.
struct ast_assigned {
  size_t first, count;
};

// ---- Patterns -----------------------------------------------------------------------------------------------

enum ast_pattern_kind {
  AST_PATTERN_WILDCARD,
  AST_PATTERN_NAME,         // binds, or is a constructor without fields or an enum member: see `ref`
  AST_PATTERN_CONSTRUCTOR,  // Node(a, _, b)
  AST_PATTERN_INT,          // also negative
  AST_PATTERN_BOOL,
  AST_PATTERN_TUPLE,  // (p, q), also ()
};

struct ast_pattern {
  enum ast_pattern_kind kind;
  struct span span;
  union {
    struct {
      struct ast_name name;
      struct ast_local *local;  // made by the parser for the case that the name binds
      struct ast_ref ref;       // checker: LOCAL (the same local), CONSTRUCTOR or ENUM_MEMBER
    } name;
    struct {
      struct ast_name name;
      struct ast_patterns args;
      struct ast_ref ref;  // checker: CONSTRUCTOR
    } constructor;
    int64_t integer;
    bool boolean;
    struct ast_patterns items;
  };
  const struct type *type;  // checker
};

// ---- Expressions --------------------------------------------------------------------------------------------

enum ast_expr_kind {
  AST_EXPR_INT,
  AST_EXPR_FLOAT,
  AST_EXPR_BOOL,
  AST_EXPR_TEXT,
  AST_EXPR_NAME,
  AST_EXPR_UNARY,
  AST_EXPR_BINARY,
  AST_EXPR_RANGE,  // a..b, as the sequence of a `for` or comprehension
  AST_EXPR_CALL,
  AST_EXPR_INDEX,          // base[i]
  AST_EXPR_SLICE,          // base[i..j]
  AST_EXPR_PART,           // base[i, .., j..k]
  AST_EXPR_FIELD,          // base.name: record field, or parameter / sub-layer of an instance
  AST_EXPR_PROJECT,        // base.0
  AST_EXPR_FILL,           // zeros[H], normal[H, D]
  AST_EXPR_TUPLE,          // (a, b), also ()
  AST_EXPR_LIST,           // [a, b], also []
  AST_EXPR_COMPREHENSION,  // [e for p in xs if c]
  AST_EXPR_IF,
  AST_EXPR_MATCH,
  AST_EXPR_BLOCK,  // only as a branch of `if`, the body of a match arm or of an FN
  AST_EXPR_FN,     // fn(x, y) { ... }, only as an argument
  // Made by the checker around what the parser built (check_batch.c); never seen before it.
  AST_EXPR_LIFT,     // its operation for each element of a batch: `of` has operands that are an ELEMENT
  AST_EXPR_ELEMENT,  // the element of a batch, `of`, that the LIFT around it is at
};

enum ast_fill {
#define FILL(ENUM, name) AST_FILL_##ENUM,
#include "compiler/syntax/fills.def"
#undef FILL
  AST_FILL_COUNT
};

enum ast_unary_op { AST_UNARY_NEGATE, AST_UNARY_NOT };

enum ast_binary_op {
  AST_BINARY_OR,  // lazy, as is AND
  AST_BINARY_AND,
  AST_BINARY_EQUAL,
  AST_BINARY_NOT_EQUAL,
  AST_BINARY_LESS,
  AST_BINARY_LESS_EQUAL,
  AST_BINARY_GREATER,
  AST_BINARY_GREATER_EQUAL,
  AST_BINARY_ADD,
  AST_BINARY_SUBTRACT,
  AST_BINARY_MULTIPLY,
  AST_BINARY_DIVIDE,
  AST_BINARY_REMAINDER,
  AST_BINARY_MATMUL,
};

struct ast_arg {
  struct ast_name name;  // text is NULL for a positional argument; named ones come last
  struct ast_expr *value;
};

AST_LIST(ast_args, struct ast_arg);

struct ast_match_arm {
  struct ast_pattern *pattern;
  struct ast_expr *body;  // may be an AST_EXPR_BLOCK
  struct span span;
};

AST_LIST(ast_match_arms, struct ast_match_arm);

// What a call does.
enum ast_call_kind {
  AST_CALL_NONE,
  AST_CALL_BUILTIN,      // target.builtin
  AST_CALL_CONSTRUCTOR,  // target.constructor
  AST_CALL_FN,           // target.fn, a top-level function
  AST_CALL_VALUE,        // target.local, a parameter that is a function
  AST_CALL_METHOD,       // target.fn of a layer; on `receiver`, or on the current instance when that is NULL
  AST_CALL_SET,          // target.vocab, .enumeration or .layer_param: the index of a text or int
  AST_CALL_LAYER,  // target.layer: makes an instance (only in the value of `let` at top level or in a layer)
};

// checker: how a call was resolved.
struct ast_call {
  enum ast_call_kind kind;
  struct ast_ref target;
  struct ast_expr *receiver;  // for METHOD: the instance expression, or NULL
  struct ast_expr **args;     // in the order of the target's parameters or fields
  size_t arg_count;
  uint32_t axis;  // of a builtin, which is not among its args: 1 + `dim`, 0 without
  // for FN, METHOD, CONSTRUCTOR: one per size variable of the target, then one per type
  struct size_binding *bindings;
  size_t binding_count;  // variable; for LAYER: one per layer parameter. The struct is the checker's
};

// checker: a conversion applied to a value after it is computed (LANGUAGE.md, "mixed with a tensor").
enum ast_conversion {
  AST_CONVERT_NONE,
  AST_CONVERT_TO_SCALAR,        // a host int or float becomes a scalar tensor; `type` is the host type
  AST_CONVERT_TO_BATCH,         // a value becomes a batch of this one element; `type` is the value's
  AST_CONVERT_TO_SCALAR_BATCH,  // a host number the batch of one scalar
};

// checker: a range of a tensor's dimension. It begins at a size that is known before any example is, or at an int.
struct ast_range_sizes {
  const struct size *low;  // NULL: the int
  const struct size *length;
};

// checker: what `base.name` means.
enum ast_field_kind {
  AST_FIELD_NONE,
  AST_FIELD_DATA,  // `data_fields[k]` is the field's position in constructor k of the base's data type
  // `ref` is a PARAM, INSTANCE or LAYER_PARAM of the base's layer; a FN only as the callee of a call
  AST_FIELD_MEMBER,
};

struct ast_fn_param {
  struct ast_local *local;
  struct ast_type *type;  // NULL only for a parameter of an AST_EXPR_FN
  struct span span;
};

AST_LIST(ast_fn_params, struct ast_fn_param);

struct ast_expr {
  enum ast_expr_kind kind;
  // Of the tree below, at most PARSE_DEPTH_LIMIT: recursion over it is safe where it goes along a chain of binary
  // operators, each the left side of the next, in a loop (ast_first_of_chain, `outer`).
  unsigned depth;
  struct ast_expr *outer;  // the binary operator whose left side this is; else NULL
  struct span span;
  union {
    int64_t integer;
    double floating;
    const char *text;  // TEXT: as it is meant, without quotes and escapes
    bool boolean;
    struct {
      struct ast_name name;
      struct ast_ref ref;  // checker
    } name;
    struct {
      enum ast_unary_op op;
      struct ast_expr *operand;
    } unary;
    struct {
      enum ast_binary_op op;
      struct span op_span;
      struct ast_expr *left;
      struct ast_expr *right;
    } binary;
    struct {
      struct ast_expr *low;
      struct ast_expr *high;  // exclusive
    } range;
    struct {
      struct ast_expr *callee;  // NAME, or FIELD for `instance.f(...)`
      struct ast_args args;
      struct ast_call resolved;  // checker
    } call;
    struct {
      struct ast_expr *base;
      struct ast_expr *index;
    } index;
    struct {
      struct ast_expr *base;
      struct ast_exprs items;          // RANGE; of a whole dimension with neither bound
      struct ast_range_sizes *ranges;  // checker: [item]
    } part;
    struct {
      struct ast_expr *base;
      struct ast_expr *low;
      struct ast_expr *high;         // exclusive
      struct ast_range_sizes sizes;  // checker: for tensors
    } slice;
    struct {
      struct ast_expr *base;
      struct ast_name name;
      enum ast_field_kind kind;  // checker
      struct ast_ref ref;        // checker
      unsigned *data_fields;     // checker
    } field;
    struct {
      struct ast_expr *base;
      unsigned index;
      struct span index_span;
    } project;
    struct {
      enum ast_fill kind;
      struct ast_sizes sizes;
    } fill;
    struct ast_exprs items;  // TUPLE, LIST
    struct {
      struct ast_expr *element;
      struct ast_pattern *pattern;
      struct ast_expr *sequence;
      struct ast_expr *condition;  // NULL without `if`
      struct ast_assigned assigned;
    } comprehension;
    struct {
      struct ast_expr *condition;
      struct ast_block *then_block;
      struct ast_expr *else_branch;  // NULL, an AST_EXPR_BLOCK, or an AST_EXPR_IF for `else if`
    } conditional;
    struct {
      struct ast_expr *scrutinee;
      struct ast_match_arms arms;
    } match;
    struct ast_block *block;
    struct {
      struct ast_expr *of;
      const struct size *size;  // LIFT: of the batch that it gives
      unsigned nesting;         // LIFT: of those inside of it that are done in one go with it
    } lift;                     // LIFT, ELEMENT
    struct {
      struct ast_fn_params params;
      struct ast_expr *body;       // a BLOCK
      struct ast_locals captures;  // checker: bindings from outside that the body, or one in it, reads
    } fn;
  };
  struct ast_function *function;   // checker: of an argument that is a function; otherwise NULL
  const struct type *type;         // checker
  enum ast_conversion conversion;  // checker
};

// checker: an argument that is a function, as it is called with what its parameter's type says.
struct ast_function {
  struct ast_locals params;  // indices from 0; of an FN expression they are its own parameters
  struct ast_expr *call;  // of the named function with `params` as arguments; NULL for an FN expression ...
  struct ast_local *handed;  // ... and for a parameter that is handed on: this one
};

// ---- Statements ---------------------------------------------------------------------------------------------

enum ast_stmt_kind {
  AST_STMT_LET,
  AST_STMT_VAR,
  AST_STMT_ASSIGN,
  AST_STMT_FOR,
  AST_STMT_WHILE,
  AST_STMT_RETURN,
  AST_STMT_BREAK,
  AST_STMT_CONTINUE,
  AST_STMT_EXPR,
};

struct ast_stmt {
  enum ast_stmt_kind kind;
  unsigned depth;
  struct span span;
  union {
    struct {
      struct ast_pattern *pattern;  // with an annotation always an AST_PATTERN_NAME
      struct ast_type *annotation;  // may be NULL
      struct ast_expr *value;
      const struct ast_expectation *expectation;  // that binds its pair here; NULL: it is a `let`
    } let;
    struct {
      struct ast_local *local;
      struct ast_type *annotation;  // may be NULL
      struct ast_expr *value;
    } var;
    struct {
      struct ast_expr *target;  // a NAME, or INDEX of such a target
      struct ast_expr *value;
    } assign;
    struct {
      struct ast_pattern *pattern;
      struct ast_expr *sequence;  // a RANGE or a list
      struct ast_block *body;
      struct ast_assigned assigned;
    } for_loop;
    struct {
      struct ast_expr *condition;
      struct ast_block *body;
      struct ast_assigned assigned;  // also in the condition
    } while_loop;
    struct ast_expr *value;       // RETURN: NULL for a bare one
    struct ast_expr *expression;  // EXPR
  };
};

AST_LIST(ast_stmts, struct ast_stmt *);

// `{ ... }`. A last expression is not among the statements but is the value; without one the block gives ().
struct ast_block {
  struct span span;
  unsigned depth;
  struct ast_stmts stmts;
  struct ast_expr *value;  // may be NULL
};

// ---- Declarations -------------------------------------------------------------------------------------------

// A name in the braces of an import.
struct ast_listed {
  struct ast_name name;
  bool is_used;  // checker
};

AST_LIST(ast_listed_names, struct ast_listed);

// `import std.lstm`, `import std.lstm as rec`, `import std.lstm { LSTM, State }`
struct ast_import {
  struct span span;
  struct ast_names path;  // std, lstm
  struct ast_name alias;  // text is NULL without `as`
  bool is_listed;         // it has braces
  struct ast_listed_names listed;
  struct ast_file *file;  // the imported file; filled by parse_program
  bool is_used;           // checker
};

struct ast_dim {
  struct ast_name name;
  const char *unique;  // checker
  struct ast_size *value;
  const struct size *size;  // checker: an atom, or a polynomial over earlier dims
  int64_t default_value;    // checker: its value when no dim is rebound
};

struct ast_vocab_option {
  struct ast_name name;    // closed, min_count, max_size, characters, default, members, of
  struct ast_expr *value;  // NULL for a bare word
};

AST_LIST(ast_vocab_options, struct ast_vocab_option);

struct ast_vocab {
  struct ast_name name;
  const char *unique;  // checker
  struct ast_vocab_options options;
  const struct type *type;  // checker: of its indices
  const struct size *size;  // checker: its cardinality
  bool closed;              // checker: the options' meaning
  int64_t min_count;
  int64_t max_size;  // 0: unlimited
  bool characters;
  bool nfc, nfkc, lower;
  const char *unknown;       // the text of `default`; NULL: <unk>
  struct ast_exprs fixed;    // `members`: TEXTs
  struct ast_names sources;  // `of`
};

struct ast_enum_member {
  struct ast_name name;
  struct ast_enum *parent;
  unsigned index;  // its value
};

AST_LIST(ast_enum_members, struct ast_enum_member *);

struct ast_enum {
  struct ast_name name;
  const char *unique;  // checker
  struct ast_enum_members members;
  struct map by_name;       // text -> struct ast_enum_member; of equal names the first
  const struct type *type;  // checker
  const struct size *size;  // checker
};

// A size variable of a function, method or data type.
struct ast_size_var {
  struct ast_name name;
  unsigned index;           // position in the brackets
  const struct size *size;  // checker
  bool is_undetermined;     // checker: no argument tells it, which was reported
};

AST_LIST(ast_size_vars, struct ast_size_var *);

// What the types that a type variable stands for have in common, the wider first.
enum ast_type_bound {
  AST_BOUND_TYPE,     // nothing: values of any type
  AST_BOUND_EQUAL,    // `==` and `!=`
  AST_BOUND_ORDERED,  // int, float or text
  AST_BOUND_NUMBER,   // int or float
};
const char *ast_type_bound_text(enum ast_type_bound bound);  // as it is written

// A type variable of a function or method.
struct ast_type_var {
  struct ast_name name;
  enum ast_type_bound bound;
  unsigned index;        // among the type variables
  bool is_undetermined;  // checker: no argument tells it, which was reported
};

AST_LIST(ast_type_vars, struct ast_type_var *);

// What stands in the brackets of a function: `n`, or `T: type`.
struct ast_var {
  struct ast_name name;
  struct ast_name kind;  // text is NULL for a size
};

AST_LIST(ast_vars, struct ast_var);

struct ast_data_field {
  struct ast_name name;
  struct ast_type *type;
};

AST_LIST(ast_data_fields, struct ast_data_field);

struct ast_constructor {
  struct ast_name name;
  struct ast_data *parent;
  unsigned index;  // its tag
  struct ast_data_fields fields;
  struct span span;
};

AST_LIST(ast_constructors, struct ast_constructor *);

struct ast_data {
  struct ast_name name;
  const char *unique;  // checker
  struct ast_size_vars size_vars;
  struct ast_constructors constructors;  // at least one
  struct map by_name;                    // text -> struct ast_constructor; of equal names the first
  const struct type *type;               // checker
};

// `normal(0.1)`, `zeros`: the name and the arguments, not resolved.
struct ast_initialiser {
  struct ast_name name;
  struct ast_exprs args;
  struct span span;
  unsigned kind;  // checker: enum ir_init of compiler/ir/ir.h
};

struct ast_param {
  struct ast_name name;
  const char *unique;  // checker
  struct ast_type *type;
  struct ast_initialiser *initialiser;  // NULL: glorot()
  struct ast_layer *layer;              // NULL at top level
};

// `let cell = LSTM(D, H)`. The value is a CALL of a layer, a LIST of such values or a COMPREHENSION over them.
struct ast_instance {
  struct ast_name name;
  const char *unique;  // checker
  struct ast_expr *value;
  struct ast_layer *layer;   // the layer it stands in; NULL at top level
  struct ast_locals locals;  // of comprehensions in `value`
  const struct type *type;   // checker: a layer type, or list of
};

enum ast_layer_param_kind {
  AST_LAYER_PARAM_DIM,
  AST_LAYER_PARAM_INDEX,  // a vocab or enum: a type and a size
  AST_LAYER_PARAM_INT,
  AST_LAYER_PARAM_FLOAT,
  AST_LAYER_PARAM_BOOL,
};

struct ast_layer_param {
  struct ast_name name;
  enum ast_layer_param_kind kind;
  struct span kind_span;
  struct ast_layer *layer;
  unsigned index;
  const struct type *type;  // checker: INDEX: of its indices; otherwise the host type of its value
  const struct size *size;  // checker: DIM and INDEX
};

AST_LIST(ast_layer_params, struct ast_layer_param *);
AST_LIST(ast_params, struct ast_param *);
AST_LIST(ast_instances, struct ast_instance *);
AST_LIST(ast_fns, struct ast_fn *);
AST_LIST(ast_decls, struct ast_decl *);

// A layer's members by kind, each in order of text, and `members` in order of text over all kinds.
struct ast_layer {
  struct ast_name name;
  const char *unique;  // checker
  struct ast_layer_params layer_params;
  struct ast_params params;
  struct ast_instances instances;
  struct ast_fns fns;
  struct ast_decls members;  // of kinds PARAM, INSTANCE, FN
  const struct type *type;   // checker
};

// `expect a == b within 1e-6`. Both sides are computed as one list, so that they are of one type; without a comparison
// there is one side, a condition.
struct ast_expectation {
  struct span span;
  enum ast_binary_op op;
  bool is_condition;           // no comparison was written
  struct ast_expr *pair;       // a LIST of two, or of the condition
  struct ast_expr *tolerance;  // an INT or FLOAT; NULL: they are equal exactly
};

// `param cell.W = 2 * ones[H]` in a test
struct ast_setting {
  struct span span;
  struct ast_expr *pair;  // a LIST: the parameter and its value for the test
};

// `vocab Word { the, cat }` in a test: all entries, `<unk>` apart. They are names of the test.
struct ast_test_vocab {
  struct ast_name name;
  struct ast_names entries;
};

AST_LIST(ast_expectations, struct ast_expectation);
AST_LIST(ast_settings, struct ast_setting);
AST_LIST(ast_test_vocabs, struct ast_test_vocab);

// A test: two functions without parameters, which are no part of the model. `setup` gives the pairs of the settings
// and `body` those of the expectations: one as it is, several as a tuple, none as ().
struct ast_test {
  struct ast_name name;
  struct ast_test_vocabs vocabs;
  struct ast_settings settings;
  struct ast_expectations expectations;
  struct ast_fn *setup;  // NULL without settings
  struct ast_fn *body;
  struct ast_stmts stmts;  // of the body, as they are written
};

struct ast_fn {
  struct ast_name name;
  const char *unique;  // checker
  bool is_metric;
  bool is_memo;          // memo fn
  struct ast_fn *total;  // of a metric: what it is made of its sums; NULL: their quotient, or a table
  const struct ast_fn *total_of;  // the metric of which it is that; its parameters and result have no types
  struct ast_test *test;          // that it is a function of; NULL: it belongs to the model
  struct ast_size_vars size_vars;
  struct ast_type_vars type_vars;
  struct ast_fn_params params;
  struct ast_type *result;  // NULL: () for a function, inferred for a metric and a test
  struct ast_block *body;
  struct ast_layer *layer;         // NULL at top level
  struct ast_locals locals;        // every binding of the function; locals.items[i]->index == i
  struct ast_locals assigned;      // checker: the variable of every assignment, in the order of the text
  bool is_called;                  // checker: by another function
  bool is_entry;                   // checker: the main file sees it by its own name, and it is no library's
  bool names_param;                // checker: a parameter stands in its body
  bool is_met;                     // checker: scratch of walks over calls
  const struct type *result_type;  // checker
};

enum ast_decl_kind {
  AST_DECL_DIM,
  AST_DECL_VOCAB,
  AST_DECL_ENUM,
  AST_DECL_DATA,
  AST_DECL_PARAM,
  AST_DECL_INSTANCE,
  AST_DECL_LAYER,
  AST_DECL_FN,  // also metrics
};

struct ast_decl {
  enum ast_decl_kind kind;
  struct span span;
  union {
    struct ast_dim *dim;
    struct ast_vocab *vocab;
    struct ast_enum *enumeration;
    struct ast_data *data;
    struct ast_param *param;
    struct ast_instance *instance;
    struct ast_layer *layer;
    struct ast_fn *fn;
  };
};

AST_LIST(ast_imports, struct ast_import *);

// ---- Files --------------------------------------------------------------------------------------------------

struct ast_file {
  struct source_file *source;
  struct ast_imports imports;
  struct ast_decls decls;
  bool is_stdlib;
  // how an import would name it, seen from the main file: std.lstm. The main file's is its name
  const char *module;
};

AST_LIST(ast_files, struct ast_file *);

// A file and all that it imports, each once, imported files before their importers: the last is the main file.
struct ast_program {
  struct ast_files files;
  struct stdlib_dirs stdlib;  // for messages about what was not imported
  // of the main file, whose functions are lowered instead of the model's; NULL: the model's
  const char *test;
};

// ---- Helpers (ast.c) ----------------------------------------------------------------------------------------

struct diag_sink;

struct ast_name ast_decl_name(const struct ast_decl *decl);
// "dim", "local variable", ...: for messages.
const char *ast_ref_kind_name(enum ast_ref_kind kind);
// "+", "==", ...
const char *ast_binary_op_text(enum ast_binary_op op);
extern const char *const ast_fill_names[AST_FILL_COUNT];
// AST_FILL_COUNT: no fill has this name.
enum ast_fill ast_fill_find(const char *name);
static inline bool ast_fill_draws(enum ast_fill fill) { return fill >= AST_FILL_NORMAL; }
const char *ast_unary_op_text(enum ast_unary_op op);
// The same expression as a size, for layer arguments and slice bounds: integers, names, + - * / % and unary minus.
// A qualified name is a FIELD there and one name in the size. NULL when it is none, and then *culprit (if not NULL) is
// the part that is not. No diagnostics.
struct ast_size *ast_size_from_expr(struct arena *arena, const struct ast_expr *expr,
                                    const struct ast_expr **culprit);
// The innermost operator of the chain `a + b - c ...` that ends with this binary operator: the others are reached
// from it by `outer`.
struct ast_expr *ast_first_of_chain(struct ast_expr *expr);
// a.b.c of names with nothing but dots between them, a NAME or FIELD of such; NULL for any other expression.
const char *ast_dotted_text(struct arena *arena, const struct ast_expr *expr);
// The resolution of a NAME expression; NULL for any other expression and before it is resolved.
const struct ast_ref *ast_expr_ref(const struct ast_expr *expr);

#endif

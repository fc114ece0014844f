// Private to the checker (check*.c): its state and what its parts offer each other.
//
// Errors never cascade: what could not be made sense of gets type_error (a size: NULL), everything agrees
// with it, and whoever meets it says nothing.
#ifndef NN_COMPILER_CHECK_CHECKER_H
#define NN_COMPILER_CHECK_CHECKER_H

#include "compiler/check/builtins.h"
#include "compiler/check/check.h"
#include "compiler/check/names.h"
#include "compiler/check/sizes.h"
#include "compiler/check/types.h"
#include "compiler/diag/diag.h"
#include "compiler/ir/shape_rule.h"
#include "compiler/syntax/ast.h"

// A call of one function in another, or a data type in a field of another, for the check of recursion.
struct use_edge {
  const void *user;  // a struct ast_fn or ast_data; compared by address only
  const void *used;
  struct ast_fn *fn;  // the same, when it is a function
  const struct ast_size_vars *user_vars;
  const struct ast_size_vars *used_vars;
  const struct size *const *sizes;  // what used_vars stand for, over user_vars; NULL after an error
  const struct ast_fn *user_fn;     // the user, when it is a function
  const struct ast_call *call;      // of `fn`: what it gives for type variables and functions
  struct span span;
};

// What is done to each element of batches while an operation is checked (check_batch.c).
struct check_lift {
  const struct size *size;  // of the batch that the operation gives; NULL: none of its operands is a batch
  const struct ast_expr *first;  // the operand that made it so
  bool has_lists;                // lists of host values may stand for their elements, too
  unsigned nesting;
  size_t edges;  // in checker.edges before the operation
  struct check_lift *outer;
};

struct checker {
  struct arena *arena;
  struct diag_sink *sink;
  struct ast_program *program;
  struct names names;
  struct map let_lists;  // ast_local that `let` binds to a list -> ast_expr of that
  uint32_t atom_count;   // ids handed out to size symbols
  // ast_local that is a list -> struct size_symbol of its length, where it was made a tensor
  struct map lengths;

  // Where we are.
  struct ast_layer *layer;
  struct ast_fn *fn;            // NULL outside function bodies
  const struct ast_expr *pair;  // the list that a test's expectation or setting is (check_test.c)
  bool in_dim;                  // only earlier dims are visible
  unsigned loop_depth;
  bool loop_has_break;  // of the innermost loop
  // the left side of the operator being checked, which has been; or NULL
  const struct ast_expr *checked_left;
  struct check_lift *lift;              // of the operation being checked
  struct open_function *open_function;  // the innermost function written in place; check_function.c

  // Of the current function: places that hold types with variables, rewritten at its end, and all its `[]`.
  struct {
    const struct type ***items;
    size_t count, capacity;
  } open_slots;
  struct {
    const struct type **items;
    size_t count, capacity;
  } variables;

  struct {
    struct use_edge *items;
    size_t count, capacity;
  } edges;
};

// ---- check.c: small things that all parts need ---------------------------------------------------------

const char *check_text(struct checker *checker, const struct type *type);
// Stores a type at its place in the tree; remembers the place while the type is not fully known.
void check_set_type(struct checker *checker, const struct type **slot, const struct type *type);
const struct size_symbol *check_new_symbol(struct checker *checker, enum size_atom_kind kind,
                                           struct ast_ref ref, struct ast_name name, bool is_index);
// A size of its own that is known for each example only.
const struct size *check_runtime_size(struct checker *checker, const char *text, struct span span);
const struct size *check_symbol_size(struct checker *checker, const struct size_symbol *symbol);
// For size_evaluate: a dim's value as declared, the members of an enum.
int64_t check_default_of_atom(void *context, const struct size_atom *atom);
// The value of a size of dims and enums alone, when no dim is rebound; false: it has none.
bool check_default_of_size(const struct size *size, int64_t *value);
// Labels that say where the sizes in which two shapes differ come from. Either may be NULL.
void check_label_sizes(struct checker *checker, struct diag *diag, const struct size *a,
                       const struct size *b);
// The same for all dimensions of two types; and one type alone when the other is NULL.
void check_label_type_sizes(struct checker *checker, struct diag *diag, const struct type *a,
                            const struct type *b);
// "`x` is f32[D]" at the declaration when the expression is a local variable or a parameter.
void check_label_operand(struct checker *checker, struct diag *diag, const struct ast_expr *expr);
// The same type, or type_error with a report when it has too many parts.
const struct type *check_weight(struct checker *checker, const struct type *type, struct span span);
// "1 size", "3 sizes", "no sizes".
const char *check_count_text(struct checker *checker, size_t count, const char *noun);
// "`a`, `b`, `c`"; the first few of many.
const char *check_names_text(struct checker *checker, const char *const *names, size_t count);
// "a dim", "an enum": what a name stands for.
const char *check_ref_text(struct checker *checker, const struct ast_ref *ref);
// Calls `visit` for every declaration and every member of a layer, in the order of files and text, where its
// file and its layer have been entered.
void check_each_decl(struct checker *checker, void (*visit)(struct checker *, struct ast_decl *));
// Follows next[] (SIZE_MAX: end) from everywhere and gives every cycle once, by one member.
void check_each_cycle(struct checker *checker, size_t count, const size_t *next,
                      void (*visit)(struct checker *, void *context, size_t member), void *context);

// ---- check_type.c: sizes and types as written ----------------------------------------------------------

// NULL when there was an error.
const struct size *check_size(struct checker *checker, struct ast_size *size);
// The size that an expression means (layer arguments, bounds of slices); NULL with a report when it is none.
const struct size *check_size_expr(struct checker *checker, const struct ast_expr *expr, const char *what);
const struct type *check_type(struct checker *checker, struct ast_type *type);
// The same for a parameter of a function, which may itself be a function.
const struct type *check_param_type(struct checker *checker, struct ast_type *type);
// zeros[A, B], f32[A, B]: the tensor type of these dimensions.
const struct type *check_tensor_type(struct checker *checker, const struct ast_sizes *sizes,
                                     struct span span);

// ---- check_decl.c, check_data.c, check_layer.c: declarations -------------------------------------------

// Dims, vocabs, enums; symbols of size variables and layer parameters.
void check_dims_and_sets(struct checker *checker);
void check_data_types(struct checker *checker);  // fields; every data type has a finite value
void check_params(struct checker *checker);      // parameters and initialisers, top level and in layers
void check_signatures(struct checker *checker);  // functions' parameters and results
void check_instances(struct checker *checker);   // `let` at top level and in layers; no layer contains itself
void check_entry_points(struct checker *checker);  // loss, metrics

// ---- check_test.c --------------------------------------------------------------------------------------

// What is left of tests: their functions are checked as others are.
void check_tests(struct checker *checker);
// Whether the `let` stands for an expectation or a setting, whose value is a list of its two sides; and what these are.
bool check_is_pair(const struct checker *checker, const struct ast_stmt *let);
const char *check_pair_text(const struct checker *checker);

// ---- check_equal.c --------------------------------------------------------------------------------------

// What is in the type that `==` does not compare, a tensor or a type variable; NULL: nothing. `where` is its place, "the
// field `h` of `State`", or NULL where it is in no data.
const struct type *check_incomparable(struct checker *checker, const struct type *type, const char **where);
void check_help_incomparable(struct checker *checker, struct diag *d, const struct type *found);
// Whether the type variable may stand for the type; reports where not. `callee` has the variable.
bool check_bound(struct checker *checker, const struct ast_type_var *var, const struct type *type,
                 struct span span, const char *callee);

// ---- check_metric.c -------------------------------------------------------------------------------------

// A result of the metric, or of its total, that is being checked: the first one decides its type.
void check_metric_result(struct checker *checker, struct ast_expr *value, const struct type *type);
void check_total_result(struct checker *checker, struct ast_expr *value, const struct type *type);
// Gives the parameters of a total the types of its metric's sums.
void check_metric_total(struct checker *checker, struct ast_fn *total);

// ---- check_fn.c: bodies and statements -----------------------------------------------------------------

void check_bodies(struct checker *checker);
// A block in a scope of its own. Its value has been checked with the hint; gives TYPE_NEVER when its end is
// not reached.
const struct type *check_block(struct checker *checker, struct ast_block *block, const struct type *hint);
// Around the checks of what a loop repeats: gives the assignments in between.
struct ast_assigned check_begin_assigned(const struct checker *checker);
struct ast_assigned check_end_assigned(const struct checker *checker, struct ast_assigned begun);
// Reports a value that nothing is done with; whether what follows is reached.
bool check_unused(struct checker *checker, const struct ast_expr *expr, const struct type *type);
// check_training.c: for each declaration; warns of a `loss` that uses no parameter.
void check_training(struct checker *checker, struct ast_decl *decl);
// check_recursion.c: nothing generic uses itself with ever other sizes.
void check_recursion(struct checker *checker);

// ---- check_expr.c: expressions -------------------------------------------------------------------------

// Makes `std.lstm.LSTM` and `Action.Shift`, which are parsed as fields, one name where they mean something; false where
// they do not.
bool check_qualify(struct checker *checker, struct ast_expr *expr);
// Reports a path that begins like a name of another file or type and is none; false when it may be a field.
bool check_report_path(struct checker *checker, const struct ast_expr *expr);
// What a bare name means where a value of this type (NULL: any) is wanted.
struct ast_ref check_find_case(struct checker *checker, const char *text, const struct type *type);

// Any expression. `hint` is the type wanted, if known; it only helps where the expression alone does not tell
// (`[]`, a constructor whose sizes nothing determines). Sets and returns its type; may be TYPE_NEVER.
const struct type *check_expr(struct checker *checker, struct ast_expr *expr, const struct type *hint);
// An expression whose value is used: never TYPE_NEVER, never (a list of) layer instances, resolved at the
// top.
const struct type *check_value(struct checker *checker, struct ast_expr *expr, const struct type *hint);
// The second half of it, for an expression that check_expr has seen.
const struct type *check_used(struct checker *checker, struct ast_expr *expr);
// The members of a vocab or enum, by its name, which gets a list of them as its type; NULL when the expression is none.
const struct type *check_members(struct checker *checker, struct ast_expr *expr);
// What a `for` or comprehension runs over: the type of an element. Ranges, lists, static lists of layers, vocabs and
// enums by their names.
const struct type *check_sequence(struct checker *checker, struct ast_expr *expr);
// The same where a layer instance may stand.
const struct type *check_receiver(struct checker *checker, struct ast_expr *expr);
// check_value whose type must be known at the top: an unbound variable is reported.
const struct type *check_known(struct checker *checker, struct ast_expr *expr, const struct type *hint);

// What wants a value of a certain type, for the message when another comes.
struct check_wanted {
  const char *what;      // "argument 2 of `step`", "the condition of `if`"
  struct span declared;  // where that was decided; may be SPAN_NONE
  const char *declared_text;
};

// Checks the expression against a type, converting a host number where `f32` is wanted. False after an error.
bool check_against(struct checker *checker, struct ast_expr *expr, const struct type *wanted,
                   const struct check_wanted *why);
// The second half of it, for an expression checked before.
bool check_fits(struct checker *checker, struct ast_expr *expr, const struct type *wanted,
                const struct check_wanted *why);

// Several expressions that must have one type: branches, arms, elements. Either `expr` or `block` is set.
struct check_branch {
  struct ast_expr *expr;
  struct ast_block *block;
  const struct type *type;
  struct span span;
};
const struct type *check_join(struct checker *checker, struct check_branch *branches, size_t count,
                              const struct type *hint, const char *what);

// A constant expression (see check.h) of type int, float or bool; false after a report.
bool check_constant(struct checker *checker, struct ast_expr *expr, const struct type *wanted,
                    const char *what);
// What turns a value of one type into the other, for a help line; NULL when nothing does.
const char *check_suggest_conversion(struct checker *checker, const struct ast_expr *expr,
                                     const struct type *wanted);
// How a quotient of ints is written as one of floats, for a help line; NULL when this is none.
// For a product element by element where the matrix product has the type that is wanted; otherwise NULL.
const char *check_suggest_product(struct checker *checker, const struct ast_expr *expr,
                                  const struct type *wanted);
const char *check_suggest_float_quotient(struct checker *checker, const struct ast_expr *expr);

// ---- check_batch.c: the batch axis ---------------------------------------------------------------------

// Around the check of one operation.
void check_open_lift(struct checker *checker, struct check_lift *lift);
// Ends it. Where an operand became the element of a batch, the expression becomes a LIFT; gives the type of its value.
const struct type *check_close_lift(struct checker *checker, struct check_lift *lift, struct ast_expr *expr,
                                    const struct type *type);
// Makes an operand that is a batch its element. Gives the operand's type, which other operands keep.
const struct type *check_element(struct checker *checker, struct ast_expr *operand);
// The same of a list of host values: as many as the batch has. `expr` must be a list.
const struct type *check_list_element(struct checker *checker, struct ast_expr *list);
// Makes a value a batch of one where a batch is wanted and its element fits. Whether it is one now.
bool check_to_batch(struct checker *checker, struct ast_expr *expr, const struct type *wanted);
const struct type *check_batch_call(struct checker *checker, const struct ast_expr *expr,
                                    const struct builtin *builtin);
// check_builtin.c: reports an argument of a wrong type or rank.
const struct type *check_wrong_argument(struct checker *checker, const struct builtin *builtin,
                                        const struct ast_expr *arg, const char *wanted);
const struct type *check_wrong_rank(struct checker *checker, const struct builtin *builtin,
                                    const struct ast_expr *arg, const char *wanted);
// The size that stands for the length of a list; see check_builtin.c.
const struct size *check_length_of(struct checker *checker, const struct ast_expr *list);

// ---- check_function.c: arguments that are functions ----------------------------------------------------

// Checks an argument that is called with values of these types. Gives the type of what the call gives. `what` is how
// messages call it: "`f` of `map`".
const struct type *check_function_argument(struct checker *checker, struct ast_expr *arg, size_t count,
                                           const struct type *const *types, const struct type *hint,
                                           const char *what);
// What it gives, which was `actual`, converted to what is wanted, as check_convert does.
const struct type *check_function_result(struct checker *checker, struct ast_expr *arg,
                                         const struct type *wanted, const struct type *actual);
// Notes that a binding is read here: functions written in place around this take it along.
void check_note_local(struct checker *checker, struct ast_local *local);
// The innermost function written in place around here when the binding is not one of its own; otherwise NULL.
const struct ast_expr *check_captor(const struct checker *checker, const struct ast_local *local);

// ---- check_convert.c: numbers as what is wanted --------------------------------------------------------

// Host numbers become scalar tensors and integer literals floats where `wanted` has those, also inside of lists, tuples,
// branches and blocks that are written here. Gives the value's type, which may still not be what is wanted.
const struct type *check_convert(struct checker *checker, struct ast_expr *expr, const struct type *wanted);
// The type that values of both types are converted to where they stand side by side: the first one's, but a scalar
// tensor before a host number and a float before an int, part by part.
const struct type *check_common(struct checker *checker, const struct type *a, const struct type *b);

// ---- check_operator.c, check_index.c, check_call.c, check_tensor.c -------------------------------------

const struct type *check_unary(struct checker *checker, struct ast_expr *expr);
const struct type *check_binary(struct checker *checker, struct ast_expr *expr, const struct type *hint);
const struct type *check_index(struct checker *checker, struct ast_expr *expr);
const struct type *check_slice(struct checker *checker, struct ast_expr *expr);
const struct type *check_field(struct checker *checker, struct ast_expr *expr);
const struct type *check_project(struct checker *checker, struct ast_expr *expr);
// Whether the expression is an integer literal, also with a sign, and which.
bool check_is_literal(const struct ast_expr *expr, int64_t *value);
// Reports a literal index that is out of range whatever the sizes are; the base is a list or a tensor.
void check_literal_index(struct checker *checker, const struct ast_expr *index, const struct ast_expr *base,
                         size_t axis);
// Whether the expression hangs on what is known only when an example runs, so that it is no size.
bool check_mentions_local(struct checker *checker, const struct ast_expr *expr);
// `length` elements of dimension `axis` from the int `start` on: the length; NULL when something is wrong.
const struct size *check_window(struct checker *checker, const struct ast_expr *expr, struct ast_expr *start,
                                const struct ast_expr *length, const struct ast_expr *base, size_t axis);
const struct type *check_part(struct checker *checker, struct ast_expr *expr);
// Reports bounds of a tensor's slice that are wrong whatever values the sizes have.
bool check_slice_bounds(struct checker *checker, const struct ast_expr *expr, const struct ast_expr *base,
                        const struct type *tensor, size_t axis, const struct size *low,
                        const struct size *high);
// A parameter, instance, function or parameter of the layer; kind NONE when it has no such member.
struct ast_ref check_find_member(const struct ast_layer *layer, const char *name);
void check_report_no_member(struct checker *checker, const struct ast_name *name, const struct type *layer);
const struct type *check_call(struct checker *checker, struct ast_expr *expr, const struct type *hint);
// A constructor without fields, as an expression.
const struct type *check_nullary(struct checker *checker, struct ast_expr *expr, const struct type *hint);
// Notes that the current function names a parameter.
void check_note_param(struct checker *checker);
// Orders the arguments of a call by the target's parameters; false after an error.
bool check_arrange_args(struct checker *checker, struct ast_expr *call, const char *target,
                        struct span declared, const struct ast_name *const *params, size_t count);
// Checks the arguments so that no name in them stays unresolved, after the call itself failed.
void check_args_anyway(struct checker *checker, struct ast_expr *call);
const struct type *check_builtin_call(struct checker *checker, struct ast_expr *expr,
                                      const struct builtin *builtin, const struct type *hint);
// Element-wise combination of two operands already checked; converts host numbers. `text` is how it is
// written.
// What the one rule of a tensor operation's shape gives for these types; NULL, and *fault, where it refuses them.
const struct type *check_shape(struct checker *checker, enum ir_op op, size_t count,
                               const struct type *const *types, uint32_t axis, struct shape_fault *fault);
const struct type *check_elementwise(struct checker *checker, struct ast_expr *left, struct ast_expr *right,
                                     struct span span, const char *text);
// The type of an index into this dimension.
const struct type *check_index_type(struct checker *checker, const struct size *dimension);
// Checks an index into the first dimension of `base`.
bool check_index_into(struct checker *checker, struct ast_expr *index, const struct ast_expr *base,
                      const struct type *tensor, size_t axis);

// ---- check_foreign.c: habits of other languages around a dot -------------------------------------------

// Reports `torch.tanh` and `Word.the`; false when the base is nothing of this kind.
bool check_foreign_field(struct checker *checker, const struct ast_expr *base, const struct ast_name *member);
// Advice for a member that the type has in other languages; NULL: none.
const char *check_member_habit(const struct type *type, const char *member);

// ---- check_pattern.c, check_match.c --------------------------------------------------------------------

// Checks a pattern against the type of what it takes apart and binds its names in the current scope. False
// after an error; names are bound anyway.
bool check_pattern(struct checker *checker, struct ast_pattern *pattern, const struct type *type);
// A pattern of `let` or `for`: reports one that does not always match.
void check_irrefutable(struct checker *checker, struct ast_pattern *pattern, const char *what);
const struct type *check_match(struct checker *checker, struct ast_expr *expr, const struct type *hint);

// check_usefulness.c. The patterns of a `match` on a value of this type; they have been checked without an
// error.
struct match_matrix *match_matrix(struct arena *arena, const struct type *type,
                                  const struct ast_pattern *const *patterns, size_t count);
enum match_answer { MATCH_YES, MATCH_NO, MATCH_TOO_COMPLEX };
// Whether every value of the type matches one of the patterns; if NO, *example is one that does not.
enum match_answer match_is_exhaustive(const struct match_matrix *matrix, const char **example);
// Whether the pattern matches some value that no earlier one does.
enum match_answer match_is_reachable(const struct match_matrix *matrix, size_t arm);

#endif

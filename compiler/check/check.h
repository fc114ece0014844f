// The checker: resolves names, infers and checks types, sizes, patterns and control flow, and completes the
// syntax tree (every `checker:` member of compiler/syntax/ast.h).
//
// check_program reports everything it finds to the sink, never twice and never as a consequence of another
// error. It returns true when there was no error. Then, and only then, lowering may rely on this:
//
// Names. Every ast_ref is resolved. The ref of a NAME expression in value position is one of LOCAL, DIM,
//   SIZE_VAR, LAYER_PARAM (kinds dim, int, float, bool; a dim is an int), ENUM_MEMBER, CONSTRUCTOR (one
//   without fields; its sizes are in the expression's type), PARAM, INSTANCE; as the sequence of a `for` or
//   comprehension also VOCAB, ENUM and a LAYER_PARAM of kind index, whose type is the list of its members.
//   `ast_local.is_assigned` and `is_used` are final.
//
// Types. Every expression in value position has a type without TYPE_ERROR and TYPE_VARIABLE; so have all
//   patterns, locals, function results, fields, parameters and instances. Exceptions, whose type is NULL:
//   the callee of a call, and a layer argument that names a size or an index set. A RANGE has type [int] and
//   stands only as the sequence of a `for` or comprehension. An expression of TYPE_NEVER never finishes (all
//   its branches return, break or continue); nothing follows it in its block. A branch that never finishes
//   has no part in the type of its `if` or `match`. Inside a generic function, data type or layer, sizes
//   mention its size variables and layer parameters; lowering replaces them (sizes_substitute,
//   type_substitute).
//
// Sizes. ast_dim.size is an atom of its own when its value is a constant (`dim D = 128`: can be rebound),
//   otherwise the polynomial over earlier dims (`dim G = 4*D` is 4*D everywhere and cannot be rebound by
//   itself). ast_dim.default_value is its value when nothing is rebound. From an atom to its declaration:
//   size_symbol_of.
//
// Conversions. `conversion == AST_CONVERT_TO_SCALAR` on an expression of type int or float: its user sees a
//   scalar tensor. This happens to an operand of `+ - * /`, max, min beside a tensor, and wherever exactly
//   `f32` is expected (argument, field, annotated binding, assignment, result, element, branch of an `if` or
//   `match` whose type is f32). An integer literal where a float is wanted, or beside one, has become a
//   FLOAT node. There are no other conversions: in a binary operation both operands are ints, both floats
//   or, after conversions, both tensors.
//
// Operators. `+` with lists concatenates; with tensors the shapes are equal or one side is a scalar. `==`
//   and `!=` compare ints, floats, bools and indices; `< <= > >=` ints and floats; `%` ints. `!`, `&&`, `||`
//   bools. `@` as in LANGUAGE.md.
//
// Indexing. INDEX: on a list, its element (index int); on a static list of layers, an instance (index int);
//   on a vector PICK, on a matrix LOOKUP (index of the first dimension's index type, or int where it is no
//   index dimension). SLICE: on a list, bounds are ints; on a tensor, `sizes` are set
//   (first axis).
//
// Calls. `resolved.args` holds every argument, named ones too, in the order of the target's parameters or
//   fields.
//   VALUE         the parameter `target.local`, whose type is a TYPE_FN.
//   FN, METHOD    bindings: one per size variable of the function, then one per type variable, in order; what
//                 they stand for may mention the variables of the function around. A METHOD's layer parameters are
//                 found in its receiver's type (type_layer_bindings), or are the current instance's when
//                 receiver is NULL.
//   CONSTRUCTOR   bindings: one per size variable of the data type (also in the expression's type).
//   LAYER         only in ast_instance.value. bindings: one per layer parameter; see struct size_binding.
//                 args are the expressions in parameter order.
//   BUILTIN       target.builtin is the row chosen by the argument types (builtins.h). BUILTIN_OP: args are
//                 the tensor operands, then the index operand where ir_op_info.takes_index, or the constant
//                 p of dropout. `slice`: bindings[0].size is the offset and bindings[1].size the length.
//                 `split`: the number of parts is the result tuple's count. HOST_MAX, HOST_MIN: both int or
//                 both float. LIST_SUM, LIST_MAX: also of a list of ints or of floats, LIST_MIN, LIST_ARGMAX and LIST_ARGMIN only of such. INT: the argument is an index, an int, a float or a bool.
//
// Functions as arguments. `function` of an argument is set when its parameter is a function, and only then: the
//   expression is a NAME, a FIELD or an FN, its type the TYPE_FN that the call wants, without variables of the
//   target. A name has a CALL in `function->call` whose arguments are NAMEs of `function->params`; it gives what
//   the type says, conversion included. So does an FN's body; its `captures` are bindings of the function around it
//   (not its own, and none that it assigns to), those of FN expressions inside included. No binding but a
//   parameter has a TYPE_FN, and no TYPE_FN has one inside. A TYPE_GENERIC is a type of its own.
//
// Layers. An expression of TYPE_LAYER (or a list of such) is a NAME (INSTANCE, or a LOCAL bound by a `for`
//   or comprehension over a static list), a FIELD with kind MEMBER and ref INSTANCE, or an INDEX. It stands
//   only as the receiver of a method call, the base of a field or index, the argument of len, or the
//   sequence of a `for` or comprehension whose pattern is a single name or `_`. `instance.W` is a FIELD with
//   kind MEMBER and ref PARAM; `instance.H` of a layer parameter one with ref LAYER_PARAM (kinds dim, int,
//   float, bool). ast_instance.value is a LAYER call, a LIST of such values of equal type (at least one), or
//   a COMPREHENSION without condition over `a..b`, both sizes; nested as deep as the type's lists, whose
//   `length` is the number of elements. No layer contains itself; instances of a layer only depend on its
//   parameters. Arguments of kind int, float and bool are constant expressions: literals, layer parameters
//   of these kinds, unary and binary operators, float() and int(). So are the arguments of initialisers and
//   the p of dropout.
//
// Fields. FIELD with kind DATA: data_fields[k] is the position in constructor k, for every constructor.
//
// Patterns. A match is exhaustive and every arm is reachable: the last arm of a decision needs no test.
//   `let` and `for` patterns always match. Integer patterns only on ints.
//
// Functions. result_type is set, for a metric to what check_metric.c lists, a part or a tuple of them; scalar tensors only
//   (bool counts as 0 or 1). A body either never reaches its end or its value has the result type (up to
//   conversion). Sizes, types and functions in recursive calls are such that a program has finitely many instances
//   of each generic function. `loss`, if present, gives f32.
//
// Declarations. A param's type is a tensor of rank 0 to TYPE_MAX_RANK; its initialiser's `kind` is set and
//   has its arguments. Vocab options are set. Every data type has a finite value.
#ifndef NN_COMPILER_CHECK_CHECK_H
#define NN_COMPILER_CHECK_CHECK_H

#include <stdbool.h>

#include "compiler/base/arena.h"
#include "compiler/check/types.h"
#include "compiler/diag/diag.h"
#include "compiler/syntax/ast.h"

bool check_program(struct arena *arena, struct diag_sink *sink, struct ast_program *program);

#endif

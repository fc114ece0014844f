// Names where they are used: what one stands for in a file, a layer and the scopes of local bindings.
//
// A layer's members hide names at top level, which are those of modules.h; local bindings hide everything, in inner
// scopes also each other. A name with dots is one of an imported file, `std.lstm.LSTM`, or of a type's members,
// `Action.Shift`.
#ifndef NN_COMPILER_CHECK_NAMES_H
#define NN_COMPILER_CHECK_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/base/map.h"
#include "compiler/check/modules.h"
#include "compiler/diag/diag.h"
#include "compiler/syntax/ast.h"

struct local_binding {
  struct ast_local *local;
  struct local_binding *hidden;  // the binding of the same name that is visible again when this scope ends
  size_t depth;
};

// A local name that hides something.
struct shadow {
  struct ast_name name;
  struct span hidden;
  const char *what;
};

struct names {
  struct arena *arena;
  struct diag_sink *sink;
  const struct ast_program *program;
  struct modules modules;

  // Where names are being looked up.
  size_t file;
  struct map members;                     // of the current layer, to struct declared; empty outside layers
  const struct ast_size_vars *size_vars;  // of the current function or data type; may be NULL
  const struct ast_type_vars *type_vars;  // of the current function; may be NULL
  struct map locals;                      // to the innermost struct local_binding
  struct {
    struct local_binding **items;
    size_t count, capacity;
  } bound;  // in order of binding
  size_t scope_depth;
  struct {
    struct shadow *items;
    size_t count, capacity;
  } shadows;                // of all functions ...
  struct map shadowed;      // ... by what they hide
  struct map reported;      // unknown names already complained about in this function
  struct map reported_for;  // ... and the `size_vars` of the function, whose signature and body come apart
};

// Enters every declaration of the program; reports names declared twice or reserved, and listed imports that do not
// exist.
void names_init(struct names *names, struct arena *arena, struct diag_sink *sink,
                const struct ast_program *program);

void names_enter_file(struct names *names, size_t file);
// Makes the parameters and members of a layer visible; NULL: top level. Reports members of one name.
void names_enter_layer(struct names *names, const struct ast_layer *layer);
// Begins a function (or data type) with these size and type variables (either may be NULL) and no locals.
void names_enter_body(struct names *names, const struct ast_size_vars *size_vars,
                      const struct ast_type_vars *type_vars);

void names_open_scope(struct names *names);
void names_close_scope(struct names *names);
// Binds in the current scope; reports a second binding of the name in this scope.
void names_bind(struct names *names, struct ast_local *local);

// What a name means where we are, data types last; kind NONE when nothing visible has it, or more than one thing. What
// it was imported by counts as used.
struct ast_ref names_find(struct names *names, const char *text);
// The same among data types only.
struct ast_ref names_find_data(struct names *names, const char *text);
// names_find where a value of this enum or data type is wanted (an ENUM or DATA; otherwise NONE): a member of it before
// other members of the same name.
struct ast_ref names_find_case(struct names *names, const char *text, const struct ast_ref *type);
// Whether a.b.c may be one name: `a` is nothing that has fields.
bool names_is_path(struct names *names, const char *path);
// Whether a bare name means more than one thing.
bool names_is_ambiguous(struct names *names, const char *text);
// Where it was declared; SPAN_NONE for builtin functions.
struct span names_declared_at(const struct ast_ref *ref);

enum names_wanted {
  NAMES_VALUES,  // anything that can stand in an expression
  NAMES_TYPES,
  NAMES_SIZES,
  NAMES_CONSTRUCTORS,
};

// Warns of local names that hide something.
void names_warn_shadows(struct names *names);

// "`x` is not declared", once per function, with the nearest name of the wanted sort. NULL when it was said before.
struct diag *names_report_unknown(struct names *names, const struct ast_name *name, enum names_wanted wanted);

#endif

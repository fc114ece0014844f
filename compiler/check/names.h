/* Names: what is declared, what a file may see of it, and the scopes of local bindings.
 *
 * All files of a program share two name spaces, one for data types and one for everything else, so that
 * `data State[n] = State(...)` may name its only constructor like itself. A file sees its own declarations
 * and those of all files that it imports, directly or not; two declarations of one name are an error even
 * where no file sees both. A layer's members hide names at top level; local bindings hide everything, in
 * inner scopes also each other.
 */
#ifndef NN_COMPILER_CHECK_NAMES_H
#define NN_COMPILER_CHECK_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/base/map.h"
#include "compiler/diag/diag.h"
#include "compiler/syntax/ast.h"

/* A declaration that has a name in the program. */
struct declared {
  struct ast_ref ref;
  struct ast_name name;
  size_t file; /* index in the program */
};

struct local_binding;

struct names {
  struct arena *arena;
  struct diag_sink *sink;
  const struct ast_program *program;
  struct map values; /* to struct declared: all but data types */
  struct map datas;
  bool *sees; /* sees[i * files + k]: file i sees the declarations of file k */

  /* Where names are being looked up. */
  size_t file;
  struct map members;                    /* of the current layer, to struct declared; empty outside layers */
  const struct ast_size_vars *size_vars; /* of the current function or data type; may be NULL */
  const struct ast_type_vars *type_vars; /* of the current function; may be NULL */
  struct map locals;                     /* to the innermost struct local_binding */
  struct {
    struct local_binding **items;
    size_t count, capacity;
  } bound; /* in order of binding */
  size_t scope_depth;
  struct map reported;     /* unknown names already complained about in this function */
  struct map reported_for; /* ... and the `size_vars` of the function, whose signature and body come apart */
};

/* Enters every declaration of the program; reports names declared twice or reserved. */
void names_init(struct names *names, struct arena *arena, struct diag_sink *sink,
                const struct ast_program *program);

void names_enter_file(struct names *names, size_t file);
/* Makes the parameters and members of a layer visible; NULL: top level. Reports members of one name. */
void names_enter_layer(struct names *names, const struct ast_layer *layer);
/* Begins a function (or data type) with these size and type variables (either may be NULL) and no locals. */
void names_enter_body(struct names *names, const struct ast_size_vars *size_vars,
                      const struct ast_type_vars *type_vars);

void names_open_scope(struct names *names);
void names_close_scope(struct names *names);
/* Binds in the current scope; reports a second binding of the name in this scope. */
void names_bind(struct names *names, struct ast_local *local);

/* What a name means where we are, data types last; kind NONE when nothing visible has it. */
struct ast_ref names_find(const struct names *names, const char *text);
/* The same among data types only. */
struct ast_ref names_find_data(const struct names *names, const char *text);
/* Where it was declared; SPAN_NONE for builtin functions. */
struct span names_declared_at(const struct ast_ref *ref);

enum names_wanted {
  NAMES_VALUES, /* anything that can stand in an expression */
  NAMES_TYPES,
  NAMES_SIZES,
  NAMES_CONSTRUCTORS,
};

/* "`x` is not declared", once per function, with the nearest name of the wanted sort. NULL when it was said before. */
struct diag *names_report_unknown(struct names *names, const struct ast_name *name, enum names_wanted wanted);

#endif

// Modules: what each file declares at top level, and what it sees of the files that it imports.
//
// A file has two name spaces, one for data types and one for everything else, so that `data State[n] = State(...)` may
// name its only constructor like itself; all that a file declares under one name is one entry. Members of enums and
// constructors may share a name, and which is meant depends on the type that is wanted.
//
// A name is looked up in the file itself, then in the files that it imports, then in what those pass on: the nearest
// entry is meant, and two equally near ones of different files are ambiguous. `import a.b` brings in every name of a.b,
// `import a.b { X }` the listed ones, `import a.b as c` none; a file passes on what its imports bring in. Behind `b.`,
// `a.b.` or `c.` stand all names of the file. What begins with `_` belongs to its file alone.
#ifndef NN_COMPILER_CHECK_MODULES_H
#define NN_COMPILER_CHECK_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/base/map.h"
#include "compiler/diag/diag.h"
#include "compiler/syntax/ast.h"

// A declaration that has a name in a file.
struct declared {
  struct ast_ref ref;
  struct ast_name name;
  struct declared *next;  // a member of another enum or data type of the same file, with the same name
};

// All that one file declares under one name. At least one of the two is there.
struct entry {
  size_t file;                  // index in the program
  const struct declared *data;  // a data type
  struct declared *value;       // anything else
  bool is_used;
};

// What a name means in a file.
struct meaning {
  struct entry *entry;        // NULL: nothing
  struct entry *other;        // as near, of another file; NULL: the name is unambiguous
  struct ast_import *import;  // the first that brought in the entry; NULL: the file's own
  struct ast_import *other_import;
};

struct modules {
  struct arena *arena;
  struct diag_sink *sink;
  const struct ast_program *program;
  struct map *tables;  // of each file: text to struct entry
  struct map *found;   // of each file: text to struct meaning, for those looked up
  struct map files;    // struct ast_file to struct file_number
};

// Enters every declaration and gives it its unique name; reports names declared twice or reserved.
void modules_init(struct modules *modules, struct arena *arena, struct diag_sink *sink,
                  const struct ast_program *program);

// A name without dots in a file; never NULL.
const struct meaning *modules_find(struct modules *modules, size_t file, const char *text);
// The file's own entry of a name; NULL: none.
struct entry *modules_own(const struct modules *modules, size_t file, const char *text);
// Notes that the file uses what the name means, and the import that brought it in.
void modules_use(struct modules *modules, size_t file, const char *text);

// What a path says that begins with the name of an import.
struct qualified {
  struct ast_import *import;  // NULL: it does not begin so
  struct ast_import *other;   // another import of the same name
  const char *module;         // the beginning
  const char *rest;           // "X", or "X.Y"; "" when the path is only the name of a module
};
struct qualified modules_split(const struct modules *modules, size_t file, const char *path);
// The imported file's number.
size_t modules_file_of(const struct modules *modules, const struct ast_import *import);
// The shortest name by which the file can qualify what this import offers.
const char *modules_qualifier(const struct modules *modules, size_t file, const struct ast_import *import);

// The member of an enum, or the constructor of a data type; kind NONE when it has no such.
struct ast_ref modules_member(const struct ast_ref *type, const char *name);

// Reports a member that the imported file does not offer.
struct diag *modules_report_not_in(struct modules *modules, const struct ast_import *import,
                                   const struct ast_name *name, const char *member);
// Reports listed names that are not there.
void modules_check_listed(struct modules *modules);
// Warns of imports that nothing was used of, and of private declarations that their file does not use.
void modules_warn_unused(struct modules *modules);

#endif

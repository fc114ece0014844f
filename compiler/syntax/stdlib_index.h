// What the standard library offers, for messages: read from its folders when an import or a name is missing, never
// otherwise. Folders and files that cannot be read offer nothing.
#ifndef NN_COMPILER_SYNTAX_STDLIB_INDEX_H
#define NN_COMPILER_SYNTAX_STDLIB_INDEX_H

#include <stddef.h>

#include "compiler/base/arena.h"

// Where `import std.x` looks, in order.
struct stdlib_dirs {
  const char *const *items;
  size_t count;
};

// The modules that can be imported, `lstm` of std.lstm, sorted.
struct stdlib_modules {
  const char **items;
  size_t count, capacity;
};
struct stdlib_modules stdlib_modules(struct arena *arena, struct stdlib_dirs dirs);

// The module that declares a function, layer or data type of this name; NULL: none.
const char *stdlib_module_of(struct arena *arena, struct stdlib_dirs dirs, const char *name);

#endif

// A file and everything it imports: finds the files, parses each once, refuses circles.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/base/nearest.h"
#include "compiler/diag/habits.h"
#include "compiler/syntax/parse.h"

// Imports within imports. A chain this long is a mistake, and the loader recurses along it.
#define IMPORT_DEPTH_LIMIT 100

// A file being parsed or done; one per real path, so that `a.b` and a link to it are one file.
struct loaded {
  const char *real_path;
  struct source_file *source;
  struct ast_file *file;  // NULL while its imports are being loaded, and when it has errors
  bool is_open;           // its imports are being loaded: importing it now is a circle
  struct span imported_at;
};

AST_LIST(loaded_list, struct loaded *);

struct loader {
  struct arena *arena;
  struct diag_sink *sink;
  struct source_set *sources;
  const struct parse_options *options;
  struct loaded_list loaded;
  struct ast_program *program;
  bool failed;
  size_t depth;
};

static const char *real_path_of(struct arena *arena, const char *path) {
  char buffer[PATH_MAX];
  // Text that never was a file (standard input, a test) has no real path.
  return arena_strdup(arena, realpath(path, buffer) ? buffer : path);
}

static bool is_file(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

// The directory of a path, with its slash; "" for the current one.
static const char *directory_of(struct arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : "";
}

// a.b.c from name `first` on, as a/b/c.nn
static const char *relative_path(struct arena *arena, const struct ast_names *names, size_t first) {
  const char *path = names->items[first].text;
  for (size_t i = first + 1; i < names->count; i++)
    path = arena_printf(arena, "%s/%s", path, names->items[i].text);
  return arena_printf(arena, "%s.nn", path);
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool is_standard(const struct ast_import *import) {
  return import->path.count > 1 && strcmp(import->path.items[0].text, "std") == 0;
}

static const char *dotted(struct arena *arena, const struct ast_names *names) {
  const char *text = names->items[0].text;
  for (size_t i = 1; i < names->count; i++)
    text = arena_printf(arena, "%s.%s", text, names->items[i].text);
  return text;
}

// An imported file: where it is, and what modules call it: std/tree.nn, layers/cell.nn as seen from the main file's
// folder or from that of the search path. The name is the same on every machine.
struct found {
  const char *path;  // NULL: nowhere
  const char *name;
};

// std.tree of std/tree.nn
static const char *module_of(struct arena *arena, const char *name) {
  const char *suffix = strrchr(name, '.');
  char *module = arena_strndup(arena, name, suffix && suffix > name ? (size_t)(suffix - name) : strlen(name));
  for (char *c = module; *c; c++)
    if (*c == '/')
      *c = '.';
  return module;
}

static struct stdlib_dirs stdlib_of(const struct parse_options *options) {
  return options ? (struct stdlib_dirs){options->stdlib_dirs, options->stdlib_dir_count}
                 : (struct stdlib_dirs){0};
}

// The module of the standard library whose name is the import's last word, or near it.
static const char *similar_module(struct loader *loader, const struct ast_import *import) {
  struct stdlib_modules modules = stdlib_modules(loader->arena, stdlib_of(loader->options));
  return nearest_name(import->path.items[import->path.count - 1].text, modules.items, modules.count);
}

static void report_not_found(struct loader *loader, const struct ast_import *import, const char *const *tried,
                             size_t tried_count) {
  struct diag *diag = diag_error(loader->sink, DIAG_IMPORT_NOT_FOUND, import->span, "cannot find `%s`",
                                 dotted(loader->arena, &import->path));
  for (size_t i = 0; i < tried_count; i++)
    diag_note(diag, "there is no %s", tried[i]);
  const char *similar = similar_module(loader, import);
  const char *library = habit_advice(HABIT_LIBRARIES, import->path.items[0].text);
  if (library)
    diag_help(diag, "%s; tensors and their operations are builtin", library);
  else if (similar)
    diag_help(diag, "did you mean `import std.%s`?", similar);
  else if (is_standard(import))
    diag_help(diag, "the standard library is found with `--stdlib DIR` or $NN_STDLIB");
  else
    diag_help(diag, "other folders are searched with `-I DIR` or $NN_PATH");
}

// Looks beside the importing file and in the folders of the search path, or in those of the standard library.
static struct found find_import(struct loader *loader, const struct source_file *importer,
                                const struct ast_import *import) {
  static const struct parse_options none;
  struct arena *arena = loader->arena;
  const struct parse_options *options = loader->options ? loader->options : &none;
  bool is_std = is_standard(import);
  const char *const *dirs = is_std ? options->stdlib_dirs : options->import_dirs;
  size_t dir_count = is_std ? options->stdlib_dir_count : options->import_dir_count;
  const char *name = relative_path(arena, &import->path, 0);
  const char *relative = is_std ? relative_path(arena, &import->path, 1) : name;
  const char **tried = arena_new_array(arena, const char *, dir_count + 1);
  size_t count = 0;
  if (!is_std) {
    const char *beside = arena_printf(arena, "%s%s", directory_of(arena, importer->path), relative);
    if (is_file(beside))
      return (struct found){beside, arena_printf(arena, "%s%s", directory_of(arena, importer->name), name)};
    tried[count++] = beside;
  }
  for (size_t i = 0; i < dir_count; i++) {
    const char *path = arena_printf(arena, "%s/%s", dirs[i], relative);
    if (is_file(path))
      return (struct found){path, name};
    tried[count++] = path;
  }
  report_not_found(loader, import, tried, count);
  return (struct found){NULL, NULL};
}

static struct loaded *find_loaded(struct loader *loader, const char *real_path) {
  for (size_t i = 0; i < loader->loaded.count; i++) {
    if (strcmp(loader->loaded.items[i]->real_path, real_path) == 0)
      return loader->loaded.items[i];
  }
  return NULL;
}

static struct loaded *load(struct loader *loader, struct source_file *source, const char *real_path,
                           struct span imported_at, bool is_stdlib);

static void report_cycle(struct loader *loader, const struct ast_import *import,
                         const struct loaded *target) {
  struct diag *diag = diag_error(loader->sink, DIAG_IMPORT_CYCLE, import->span,
                                 "`%s` is imported by a file that it imports itself",
                                 dotted(loader->arena, &import->path));
  const char *circle = module_of(loader->arena, target->source->name);
  bool in_circle = false;
  for (size_t i = 0; i < loader->loaded.count; i++) {
    const struct loaded *open = loader->loaded.items[i];
    if (in_circle && open->is_open) {
      diag_label(diag, open->imported_at, "which is imported here");
      circle = arena_printf(loader->arena, "%s -> %s", circle, module_of(loader->arena, open->source->name));
    }
    in_circle = in_circle || open == target;
  }
  diag_note(diag, "the circle: %s -> %s", circle, module_of(loader->arena, target->source->name));
}

static struct ast_file *load_import(struct loader *loader, const struct source_file *importer,
                                    const struct ast_import *import, bool importer_is_stdlib) {
  struct found found = find_import(loader, importer, import);
  const char *path = found.path;
  if (!path)
    return NULL;
  const char *real_path = real_path_of(loader->arena, path);
  struct loaded *known = find_loaded(loader, real_path);
  if (known && known->is_open) {
    report_cycle(loader, import, known);
    return NULL;
  }
  if (known)
    return known->file;
  if (loader->depth == IMPORT_DEPTH_LIMIT) {
    diag_error(loader->sink, DIAG_IMPORT_CYCLE, import->span, "imports are nested more than %d deep",
               IMPORT_DEPTH_LIMIT);
    return NULL;
  }
  const char *error;
  struct source_file *source = source_load(loader->sources, path, FILE_REGULAR_ONLY, &error);
  if (!source) {
    diag_error(loader->sink, DIAG_FILE_UNREADABLE, import->span, "cannot read %s: %s", path, error);
    return NULL;
  }
  source->name = found.name;
  return load(loader, source, real_path, import->span, is_standard(import) || importer_is_stdlib)->file;
}

// Parses a file, then its imports; appends it to the program after them.
static struct loaded *load(struct loader *loader, struct source_file *source, const char *real_path,
                           struct span imported_at, bool is_stdlib) {
  struct loaded *entry = arena_new(loader->arena, struct loaded);
  *entry = (struct loaded){real_path, source, NULL, true, imported_at};
  arena_push(loader->arena, &loader->loaded, entry);
  struct ast_file *file = parse_file(loader->arena, loader->sink, source);
  if (file) {
    file->is_stdlib = is_stdlib;
    file->module = module_of(loader->arena, source->name);
    loader->depth++;
    for (size_t i = 0; i < file->imports.count; i++) {
      struct ast_import *import = file->imports.items[i];
      import->file = load_import(loader, source, import, is_stdlib);
      loader->failed = loader->failed || !import->file;
    }
    loader->depth--;
    arena_push(loader->arena, &loader->program->files, file);
  }
  loader->failed = loader->failed || !file;
  entry->file = file;
  entry->is_open = false;
  return entry;
}

struct ast_program *parse_program(struct arena *arena, struct diag_sink *sink, struct source_set *sources,
                                  struct source_file *main_file, const struct parse_options *options) {
  struct loader loader = {.arena = arena, .sink = sink, .sources = sources, .options = options};
  loader.program = arena_new(arena, struct ast_program);
  loader.program->stdlib = stdlib_of(options);
  main_file->name = base_name(main_file->path);
  load(&loader, main_file, real_path_of(arena, main_file->path), SPAN_NONE, false);
  return loader.failed ? NULL : loader.program;
}

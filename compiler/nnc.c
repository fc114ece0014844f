// The stages of the compiler, one after the other, as a library.
#include "compiler/nnc.h"

#include <limits.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/base/nearest.h"
#include "compiler/check/check.h"
#include "compiler/lower/lower.h"
#include "compiler/passes/passes.h"
#include "compiler/syntax/format.h"
#include "compiler/syntax/parse.h"

// Directories of the standard library besides those that the caller gives: $NN_STDLIB, installed beside the
// program, in the source tree, and where the build was configured to install it.
#define BUILTIN_STDLIB_DIRS 4

#ifndef NDEBUG
#define VERIFY_EACH_PASS true
#else
#define VERIFY_EACH_PASS false
#endif

AST_LIST(text_list, const char *);

// The library of the installation that this program runs from; NULL when that cannot be found out.
static const char *installed_beside_program(struct arena *arena) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0)
    return NULL;
  path[length] = '\0';
  char *slash = strrchr(path, '/');
  if (!slash)
    return NULL;
  *slash = '\0';
  return arena_printf(arena, "%s/" NN_STDLIB_BESIDE, path);
}

// The folders of $NN_PATH, with colons between them, after those of the options.
static void find_import_dirs(struct arena *arena, const struct nnc_options *options,
                             struct parse_options *how) {
  struct text_list dirs = {0};
  for (size_t i = 0; i < options->import_dir_count; i++)
    arena_push(arena, &dirs, options->import_dirs[i]);
  for (const char *rest = getenv("NN_PATH"); rest && *rest;) {
    size_t length = strcspn(rest, ":");
    if (length > 0)
      arena_push(arena, &dirs, arena_strndup(arena, rest, length));
    rest += length + (rest[length] == ':');
  }
  how->import_dirs = dirs.items;
  how->import_dir_count = dirs.count;
}

static struct parse_options find_stdlib(struct arena *arena, const struct nnc_options *options) {
  size_t count = 0;
  const char **dirs = arena_new_array(arena, const char *, options->stdlib_dir_count + BUILTIN_STDLIB_DIRS);
  for (size_t i = 0; i < options->stdlib_dir_count; i++)
    dirs[count++] = options->stdlib_dirs[i];
  if (options->only_these_stdlibs)
    return (struct parse_options){.stdlib_dirs = dirs, .stdlib_dir_count = count};
  const char *const builtin[BUILTIN_STDLIB_DIRS] = {
      getenv("NN_STDLIB"),
      installed_beside_program(arena),
      NN_SOURCE_STDLIB,
      NN_INSTALLED_STDLIB,
  };
  for (size_t i = 0; i < BUILTIN_STDLIB_DIRS; i++) {
    // A directory that does not exist would only lengthen the message about a missing import.
    if (builtin[i] && *builtin[i] && access(builtin[i], F_OK) == 0)
      dirs[count++] = builtin[i];
  }
  return (struct parse_options){.stdlib_dirs = dirs, .stdlib_dir_count = count};
}

// ---- Definitions --------------------------------------------------------------------------------------------

static bool mentions_names(const struct ast_size *size) {
  for (; size->kind != AST_SIZE_INT && size->kind != AST_SIZE_NAME; size = size->op.left)
    if (size->op.right && mentions_names(size->op.right))
      return true;
  return size->kind == AST_SIZE_NAME;
}

// The dim that `-D NAME` means. `H` is the main file's, or that of the only file that has one, and `lib.H` that of lib.
// When several files have one, all are in *matches.
static struct ast_dim *find_dim(struct nnc_result *result, const char *name, struct text_list *others,
                                struct text_list *matches) {
  struct arena *arena = &result->arena;
  const struct ast_files *files = &result->program->files;
  struct ast_dim *found = NULL;
  for (size_t i = files->count; i-- > 0;) {
    const struct ast_decls *decls = &files->items[i]->decls;
    for (size_t k = 0; k < decls->count; k++) {
      if (decls->items[k]->kind != AST_DECL_DIM)
        continue;
      struct ast_dim *dim = decls->items[k]->dim;
      const char *qualified = arena_printf(arena, "%s.%s", files->items[i]->module, dim->name.text);
      bool has_name = strcmp(dim->name.text, name) == 0;
      if (strcmp(qualified, name) == 0 || (has_name && i + 1 == files->count)) {
        matches->count = 0;
        return dim;
      }
      arena_push(arena, others, dim->name.text);
      if (has_name) {
        arena_push(arena, matches, qualified);
        found = dim;
      }
    }
  }
  return found;
}

// `-D NAME=VALUE` is as if the file said `dim NAME = VALUE`.
static void define(struct nnc_result *result, const struct nnc_definition *definition) {
  struct arena *arena = &result->arena;
  struct text_list others = {0}, matches = {0};
  struct ast_dim *dim = find_dim(result, definition->name, &others, &matches);
  if (!dim) {
    struct diag *diag = diag_error(&result->sink, DIAG_UNKNOWN_DEFINITION, SPAN_NONE,
                                   "`-D %s`: the program has no dim of this name", definition->name);
    const char *nearest = nearest_name(definition->name, others.items, others.count);
    if (nearest)
      diag_help(diag, "did you mean `%s`?", nearest);
    return;
  }
  if (matches.count > 1) {
    struct diag *diag = diag_error(&result->sink, DIAG_AMBIGUOUS_NAME, SPAN_NONE,
                                   "`-D %s`: several files have a dim of this name", definition->name);
    diag_help(diag, "write `-D %s=...` or `-D %s=...`", matches.items[0], matches.items[1]);
    return;
  }
  if (mentions_names(dim->value)) {
    struct diag *diag = diag_error(&result->sink, DIAG_COMPUTED_DEFINITION, dim->value->span,
                                   "`-D %s`: this dim is computed from others", definition->name);
    diag_help(diag, "give values to those instead");
    return;
  }
  if (definition->value < 1) {
    diag_error(&result->sink, DIAG_SIZE_NOT_POSITIVE, SPAN_NONE, "`-D %s=%lld`: a dim is at least 1",
               definition->name, (long long)definition->value);
    return;
  }
  struct ast_size *value = arena_new(arena, struct ast_size);
  value->kind = AST_SIZE_INT;
  value->span = dim->value->span;
  value->integer = definition->value;
  dim->value = value;
}

// ---- Stages -------------------------------------------------------------------------------------------------

// The file that is named; NULL with a failure.
static struct source_file *load(const struct nnc_options *options, struct nnc_result *result) {
  struct arena *arena = &result->arena;
  if (options->text && options->text_length > SOURCE_LENGTH_LIMIT) {
    result->failure = "the text is larger than 64 MiB";
    return NULL;
  }
  if (options->text)
    return source_add_text(&result->sources, options->path, options->text, options->text_length);
  const char *error;
  struct source_file *file = source_load(&result->sources, options->path, FILE_OR_STREAM, &error);
  if (!file)
    result->failure = arena_printf(arena, "cannot read %s: %s", options->path, error);
  return file;
}

static bool parse(const struct nnc_options *options, struct nnc_result *result) {
  struct arena *arena = &result->arena;
  struct source_file *file = load(options, result);
  if (!file)
    return false;
  struct parse_options how = find_stdlib(arena, options);
  find_import_dirs(arena, options, &how);
  result->program = parse_program(arena, &result->sink, &result->sources, file, &how);
  if (!result->program)
    return false;
  for (size_t i = 0; i < options->definition_count; i++)
    define(result, &options->definitions[i]);
  return !diag_has_errors(&result->sink);
}

// treelstm of some/where/treelstm.nn
static const char *module_name(struct arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  const char *dot = strrchr(base, '.');
  return arena_strndup(arena, base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

static bool run_passes(const struct nnc_options *options, struct nnc_result *result) {
  struct passes_options how = {
      .dump_after = options->dump_after,
      .dump = options->dump ? options->dump : stderr,
      .verify_each = VERIFY_EACH_PASS,
  };
  char *error = NULL;
  if (passes_run(result->module, &how, &error))
    return true;
  result->failure = arena_strdup(&result->arena, error ? error : "out of memory");
  free(error);
  return false;
}

static bool compile(const struct nnc_options *options, struct nnc_result *result) {
  struct arena *arena = &result->arena;
  if (!parse(options, result))
    return false;
  if (options->stop_after == NNC_STAGE_PARSED)
    return true;
  if (!check_program(arena, &result->sink, result->program))
    return false;
  if (options->stop_after == NNC_STAGE_CHECKED)
    return true;
  const char *name = module_name(arena, options->path);
  if (options->keep_paths) {
    for (size_t i = 0; i < result->sources.count; i++)
      result->sources.items[i]->name = result->sources.items[i]->path;
  }
  result->program->test = options->test;
  result->module = lower_program(arena, &result->sink, result->program, name);
  if (!result->module)
    return false;
  return options->stop_after == NNC_STAGE_LOWERED || run_passes(options, result);
}

static void begin(struct nnc_result *result) {
  *result = (struct nnc_result){0};
  arena_init(&result->arena);
  source_set_init(&result->sources, &result->arena);
  diag_sink_init(&result->sink, &result->arena, &result->sources);
}

bool nnc_compile(const struct nnc_options *options, struct nnc_result *result) {
  begin(result);
  jmp_buf out_of_memory;
  volatile bool ok = false;
  if (setjmp(out_of_memory) == 0) {
    result->arena.on_out_of_memory = &out_of_memory;
    ok = compile(options, result);
  } else {
    result->failure = "out of memory";
  }
  result->arena.on_out_of_memory = NULL;
  if (!ok && result->module) {
    ir_module_free(result->module);
    result->module = NULL;
  }
  return ok;
}

bool nnc_format(const struct nnc_options *options, struct nnc_result *result, const char **text,
                size_t *length) {
  begin(result);
  *text = NULL;
  jmp_buf out_of_memory;
  if (setjmp(out_of_memory) == 0) {
    result->arena.on_out_of_memory = &out_of_memory;
    struct source_file *file = load(options, result);
    if (file)
      *text = format_file(&result->arena, &result->sink, file, length, &result->failure);
  } else {
    result->failure = "out of memory";
    *text = NULL;
  }
  result->arena.on_out_of_memory = NULL;
  return *text != NULL;
}

void nnc_result_free(struct nnc_result *result) {
  if (result->module)
    ir_module_free(result->module);
  arena_free(&result->arena);
  *result = (struct nnc_result){0};
}

struct ir_module *nnc_take_module(struct nnc_result *result) {
  struct ir_module *module = result->module;
  result->module = NULL;
  return module;
}

const struct ast_file *nnc_main_file(const struct nnc_result *result) {
  const struct ast_program *program = result->program;
  return program && program->files.count ? program->files.items[program->files.count - 1] : NULL;
}

void nnc_render(const struct nnc_result *result, FILE *out, bool colour) {
  diag_render_all(&result->sink, out, colour);
  if (result->failure)
    fprintf(out, "%serror:%s %s\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "", result->failure);
}

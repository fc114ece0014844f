// Looks through the folders of the standard library, for messages.
#include "compiler/syntax/stdlib_index.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/base/files.h"

static const char suffix[] = ".nn";

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct stdlib_modules stdlib_modules(struct arena *arena, struct stdlib_dirs dirs) {
  struct stdlib_modules modules = {0};
  for (size_t i = 0; i < dirs.count; i++) {
    DIR *folder = opendir(dirs.items[i]);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
      size_t length = strlen(entry->d_name);
      if (length > sizeof suffix - 1 && strcmp(entry->d_name + length - (sizeof suffix - 1), suffix) == 0)
        arena_push(arena, &modules, arena_strndup(arena, entry->d_name, length - (sizeof suffix - 1)));
    }
    if (folder)
      closedir(folder);
  }
  if (modules.count > 1)
    qsort(modules.items, modules.count, sizeof *modules.items, compare_names);
  return modules;
}

// Declarations at top level begin at the margin: `layer NAME`, `fn NAME`, `data NAME`.
static bool declares(const char *line, const char *name) {
  static const char *const keywords[] = {"layer ", "fn ", "data "};
  for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
    size_t skipped = strlen(keywords[i]), length = strlen(name);
    if (strncmp(line, keywords[i], skipped) == 0 && strncmp(line + skipped, name, length) == 0)
      return !isalnum((unsigned char)line[skipped + length]) && line[skipped + length] != '_';
  }
  return false;
}

static bool file_declares(const char *path, const char *name) {
  const char *problem;
  int descriptor = file_open(path, FILE_REGULAR_ONLY, &problem);
  FILE *file = descriptor >= 0 ? fdopen(descriptor, "r") : NULL;
  char line[256];  // the rest of a longer one is no line of its own that begins so
  bool found = false;
  while (file && !found && fgets(line, sizeof line, file))
    found = declares(line, name);
  if (file)
    fclose(file);
  else if (descriptor >= 0)
    close(descriptor);
  return found;
}

const char *stdlib_module_of(struct arena *arena, struct stdlib_dirs dirs, const char *name) {
  struct stdlib_modules modules = stdlib_modules(arena, dirs);
  for (size_t i = 0; i < modules.count; i++)
    for (size_t k = 0; k < dirs.count; k++)
      if (file_declares(arena_printf(arena, "%s/%s%s", dirs.items[k], modules.items[i], suffix), name))
        return modules.items[i];
  return NULL;
}

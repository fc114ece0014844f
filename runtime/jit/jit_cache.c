// Files of compiled objects: reading, checking, writing.
#include "runtime/jit/jit_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "compiler/base/array.h"
#include "compiler/base/files.h"

#define DEFAULT_LIMIT (256u << 20)
#define MAX_OBJECT (64u << 20)
#define SUFFIX ".nnobj"
#define NEW_PREFIX ".new-"  // of entries in the making

// What stands before the object in a file. A copy on another machine or a half-written one does not pass
// `checksum`.
struct header {
  char magic[8];
  struct jit_key key;
  uint64_t bytes;
  uint64_t checksum;
};
static const char magic[8] = "nnobj\0\0\1";

// -------------------------------------------------------------------------------------------------- the folder

static bool make_folders(char *path) {
  for (char *at = path + 1; *at; at++)
    if (*at == '/') {
      *at = 0;
      int failed = mkdir(path, 0755) != 0 && errno != EEXIST;
      *at = '/';
      if (failed)
        return false;
    }
  return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static char *joined(const char *a, const char *b) {
  char *path = NULL;
  return asprintf(&path, "%s%s", a, b) < 0 ? NULL : path;
}

static char *default_folder(void) {
  const char *value = getenv("NN_CACHE_DIR");
  if (value != NULL)
    return *value ? strdup(value) : NULL;
  value = getenv("XDG_CACHE_HOME");
  if (value != NULL && *value == '/')
    return joined(value, "/nn");
  value = getenv("HOME");
  return value != NULL && *value == '/' ? joined(value, "/.cache/nn") : NULL;
}

// Why what is found there may be another's doing, or NULL. Code that is loaded runs with all rights of the user.
static const char *distrust(const struct stat *status) {
  if (status->st_uid != geteuid())
    return "it belongs to another user";
  if (status->st_mode & (S_IWGRP | S_IWOTH))
    return "others may write to it";
  return NULL;
}

// Keeps the first of several problems.
__attribute__((format(printf, 2, 3))) static void note_problem(struct jit_cache *cache, const char *format,
                                                               ...) {
  int none = 0;
  if (!atomic_compare_exchange_strong(&cache->problem_state, &none, 1))
    return;
  va_list args;
  va_start(args, format);
  vsnprintf(cache->problem, sizeof cache->problem, format, args);
  va_end(args);
  atomic_store(&cache->problem_state, 2);
}

const char *jit_cache_problem(const struct jit_cache *cache) {
  return atomic_load(&cache->problem_state) == 2 ? cache->problem : NULL;
}

// Opens the folder, so that what is checked is what is used. Nothing is said of a folder that nobody asked for and
// that is just not there.
static int open_folder(struct jit_cache *cache, char *path, bool asked_for) {
  if (!make_folders(path)) {
    if (asked_for)
      note_problem(cache, "%s: compiled code cannot be kept there: %s", path, strerror(errno));
    return -1;
  }
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat status;
  if (folder < 0 || fstat(folder, &status) != 0) {
    if (errno == ELOOP || errno == ENOTDIR)
      note_problem(cache, "%s: compiled code cannot be kept there: it is no folder, or a link to one", path);
    else if (asked_for)
      note_problem(cache, "%s: compiled code cannot be kept there: %s", path, strerror(errno));
    if (folder >= 0)
      close(folder);
    return -1;
  }
  const char *why = distrust(&status);
  if (why != NULL) {
    note_problem(cache,
                 "%s: compiled code is not kept there, because %s (give --cache-dir, or mend its rights)",
                 path, why);
    close(folder);
    return -1;
  }
  if (asked_for && faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) != 0)
    note_problem(cache, "%s: compiled code cannot be kept there: %s", path, strerror(errno));
  return folder;
}

void jit_cache_init(struct jit_cache *cache, const char *folder, uint64_t limit) {
  *cache = (struct jit_cache){.folder = -1, .limit = limit ? limit : DEFAULT_LIMIT};
  bool asked_for = folder != NULL || getenv("NN_CACHE_DIR") != NULL;
  char *path = folder == NULL ? default_folder() : *folder ? strdup(folder) : NULL;
  if (path != NULL)
    cache->folder = open_folder(cache, path, asked_for);
  free(path);
}

void jit_cache_disable(struct jit_cache *cache, const char *why) {
  if (cache->folder < 0)
    return;
  note_problem(cache, "compiled code is not kept: %s", why);
  jit_cache_free(cache);
}

void jit_cache_free(struct jit_cache *cache) {
  if (cache->folder >= 0)
    close(cache->folder);
  cache->folder = -1;
}

// ---------------------------------------------------------------------------------------------------- entries

#define NAME_BYTES (32 + sizeof SUFFIX)

static void entry_name(struct jit_key key, char name[static NAME_BYTES]) {
  snprintf(name, NAME_BYTES, "%016" PRIx64 "%016" PRIx64 SUFFIX, key.high, key.low);
}

static bool read_all(int fd, void *buffer, size_t bytes) {
  for (size_t at = 0; at < bytes;) {
    ssize_t n = read(fd, (char *)buffer + at, bytes - at);
    if (n <= 0) {
      if (n < 0 && errno == EINTR)
        continue;
      return false;
    }
    at += (size_t)n;
  }
  return true;
}

static void *read_entry(int fd, struct jit_key key, size_t *bytes) {
  struct header header;
  if (!read_all(fd, &header, sizeof header) || memcmp(header.magic, magic, sizeof magic) != 0 ||
      header.key.low != key.low || header.key.high != key.high || header.bytes == 0 ||
      header.bytes > MAX_OBJECT)
    return NULL;
  void *object = malloc(header.bytes);
  if (object == NULL)
    return NULL;
  if (!read_all(fd, object, header.bytes) || XXH3_64bits(object, header.bytes) != header.checksum) {
    free(object);
    return NULL;
  }
  *bytes = header.bytes;
  return object;
}

// A descriptor of an entry that nobody else can have written, or -1.
static int open_entry(struct jit_cache *cache, const char *name) {
  int fd = openat(cache->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return -1;
  const char *why = "it is no regular file";
  struct stat status;
  if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    why = distrust(&status);
    if (why == NULL)
      return fd;
  }
  note_problem(cache, "%s, in the cache of compiled code: not used, because %s", name, why);
  if (fd >= 0)
    close(fd);
  return -1;
}

void *jit_cache_read(struct jit_cache *cache, struct jit_key key, size_t *bytes) {
  if (cache->folder < 0)
    return NULL;
  char name[NAME_BYTES];
  entry_name(key, name);
  int fd = open_entry(cache, name);
  if (fd < 0)
    return NULL;
  void *object = read_entry(fd, key, bytes);
  // The time of modification is the time of the last use, which trimming goes by; an hour is exact enough.
  struct stat status;
  if (object != NULL && fstat(fd, &status) == 0 && time(NULL) - status.st_mtime > 3600)
    futimens(fd, NULL);
  close(fd);
  return object;
}

void jit_cache_write(struct jit_cache *cache, struct jit_key key, const void *object, size_t bytes) {
  if (cache->folder < 0 || bytes > MAX_OBJECT)
    return;
  struct header header = {.key = key, .bytes = bytes, .checksum = XXH3_64bits(object, bytes)};
  memcpy(header.magic, magic, sizeof magic);
  char name[NAME_BYTES], temporary[sizeof NEW_PREFIX + FILE_NEW_NAME];
  entry_name(key, name);
  int fd = file_new(cache->folder, NEW_PREFIX, 0600, temporary, sizeof temporary);
  if (fd < 0)
    return;
  if (!file_write_all(fd, &header, sizeof header) || !file_write_all(fd, object, bytes) ||
      renameat(cache->folder, temporary, cache->folder, name) != 0)
    unlinkat(cache->folder, temporary, 0);
  close(fd);
}

// --------------------------------------------------------------------------------------------------- trimming

struct entry {
  char name[NAME_BYTES];
  int64_t used;
  uint64_t bytes;
};

static int compare_age(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return x->used < y->used ? -1 : x->used > y->used;
}

static bool is_entry(const char *name) {
  return strlen(name) == NAME_BYTES - 1 && strcmp(name + 32, SUFFIX) == 0;
}

static struct entry *list_entries(DIR *dir, size_t *count, uint64_t *total) {
  struct entry *entries = NULL;
  size_t capacity = 0;
  *count = 0;
  *total = 0;
  for (struct dirent *item; (item = readdir(dir)) != NULL;) {
    struct stat status;
    if (!is_entry(item->d_name) || fstatat(dirfd(dir), item->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (!array_reserve(&entries, sizeof *entries, *count + 1, &capacity))
      break;
    struct entry *entry = &entries[(*count)++];
    strcpy(entry->name, item->d_name);
    entry->used = status.st_mtime;
    entry->bytes = (uint64_t)status.st_size;
    *total += entry->bytes;
  }
  return entries;
}

void jit_cache_trim(const struct jit_cache *cache) {
  if (cache->folder < 0)
    return;
  file_sweep(cache->folder, NEW_PREFIX);
  int again = openat(cache->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = again >= 0 ? fdopendir(again) : NULL;
  if (dir == NULL) {
    if (again >= 0)
      close(again);
    return;
  }
  size_t count;
  uint64_t total;
  struct entry *entries = list_entries(dir, &count, &total);
  if (total > cache->limit) {
    qsort(entries, count, sizeof *entries, compare_age);
    for (size_t i = 0; i < count && total > cache->limit / 4 * 3; i++)
      if (unlinkat(dirfd(dir), entries[i].name, 0) == 0)
        total -= entries[i].bytes;
  }
  free(entries);
  closedir(dir);
}

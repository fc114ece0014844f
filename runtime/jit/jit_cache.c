// Files of compiled objects: reading, checking, writing.
#include "runtime/jit/jit_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define DEFAULT_LIMIT (256u << 20)
#define MAX_OBJECT (64u << 20)
#define SUFFIX ".nnobj"

// What stands before the object in a file. A copy on another machine or a half-written one does not pass
// `checksum`.
struct header {
  char magic[8];
  struct jit_key key;
  uint64_t bytes;
  uint64_t checksum;
};
static const char magic[8] = "nnobj\0\0\1";

static bool make_folders(char *path) {
  for (char *at = path + 1; *at; at++)
    if (*at == '/') {
      *at = 0;
      int failed = mkdir(path, 0755) != 0 && errno != EEXIST;
      *at = '/';
      if (failed)
        return false;
    }
  return mkdir(path, 0755) == 0 || errno == EEXIST;
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

void jit_cache_init(struct jit_cache *cache, const char *folder, uint64_t limit) {
  cache->limit = limit ? limit : DEFAULT_LIMIT;
  cache->folder = folder == NULL ? default_folder() : *folder ? strdup(folder) : NULL;
  if (cache->folder != NULL && !make_folders(cache->folder)) {
    free(cache->folder);
    cache->folder = NULL;
  }
}

void jit_cache_free(struct jit_cache *cache) {
  free(cache->folder);
  cache->folder = NULL;
}

static char *entry_path(const struct jit_cache *cache, struct jit_key key) {
  char *path = NULL;
  int n = asprintf(&path, "%s/%016" PRIx64 "%016" PRIx64 SUFFIX, cache->folder, key.high, key.low);
  return n < 0 ? NULL : path;
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

void *jit_cache_read(const struct jit_cache *cache, struct jit_key key, size_t *bytes) {
  if (cache->folder == NULL)
    return NULL;
  char *path = entry_path(cache, key);
  if (path == NULL)
    return NULL;
  void *object = NULL;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    object = read_entry(fd, key, bytes);
    // The time of modification is the time of the last use, which trimming goes by; an hour is exact enough.
    struct stat status;
    if (object != NULL && fstat(fd, &status) == 0 && time(NULL) - status.st_mtime > 3600)
      futimens(fd, NULL);
    close(fd);
  }
  free(path);
  return object;
}

static bool write_all(int fd, const void *buffer, size_t bytes) {
  for (size_t at = 0; at < bytes;) {
    ssize_t n = write(fd, (const char *)buffer + at, bytes - at);
    if (n < 0) {
      if (errno == EINTR)
        continue;
      return false;
    }
    at += (size_t)n;
  }
  return true;
}

void jit_cache_write(const struct jit_cache *cache, struct jit_key key, const void *object, size_t bytes) {
  if (cache->folder == NULL || bytes > MAX_OBJECT)
    return;
  struct header header = {.key = key, .bytes = bytes, .checksum = XXH3_64bits(object, bytes)};
  memcpy(header.magic, magic, sizeof magic);
  char *path = entry_path(cache, key);
  char *temporary = joined(cache->folder, "/.new-XXXXXX");
  int fd = path != NULL && temporary != NULL ? mkostemp(temporary, O_CLOEXEC) : -1;
  if (fd >= 0) {
    bool written = write_all(fd, &header, sizeof header) && write_all(fd, object, bytes);
    written = close(fd) == 0 && written;
    if (!written || rename(temporary, path) != 0)
      unlink(temporary);
  }
  free(temporary);
  free(path);
}

struct entry {
  char name[64];
  int64_t used;
  uint64_t bytes;
};

static int compare_age(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return x->used < y->used ? -1 : x->used > y->used;
}

static bool is_ours(const char *name) {
  size_t length = strlen(name), suffix = strlen(SUFFIX);
  return length < sizeof((struct entry *)0)->name &&
         (strncmp(name, ".new-", 5) == 0 || (length == 32 + suffix && strcmp(name + 32, SUFFIX) == 0));
}

static struct entry *list_entries(DIR *dir, size_t *count, uint64_t *total) {
  struct entry *entries = NULL;
  size_t capacity = 0;
  *count = 0;
  *total = 0;
  for (struct dirent *item; (item = readdir(dir)) != NULL;) {
    struct stat status;
    if (!is_ours(item->d_name) || fstatat(dirfd(dir), item->d_name, &status, 0) != 0)
      continue;
    if (*count == capacity) {
      capacity = capacity ? capacity * 2 : 64;
      struct entry *grown = realloc(entries, capacity * sizeof *entries);
      if (grown == NULL)
        break;
      entries = grown;
    }
    struct entry *entry = &entries[(*count)++];
    strcpy(entry->name, item->d_name);
    entry->used = status.st_mtime;
    entry->bytes = (uint64_t)status.st_size;
    *total += entry->bytes;
  }
  return entries;
}

void jit_cache_trim(const struct jit_cache *cache) {
  DIR *dir = cache->folder != NULL ? opendir(cache->folder) : NULL;
  if (dir == NULL)
    return;
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

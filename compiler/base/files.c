#include "compiler/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

// ------------------------------------------------------------------------------------------------ reading

static const char *kind_of(mode_t mode) {
  return S_ISDIR(mode)    ? "it is a folder, not a file"
         : S_ISFIFO(mode) ? "it is a pipe (FIFO), not a regular file"
         : S_ISSOCK(mode) ? "it is a socket, not a regular file"
                          : "it is a device, not a regular file";
}

int file_open(const char *path, enum file_accepted accepted, const char **problem) {
  // Without O_NONBLOCK a FIFO that nobody writes to, or some devices, would wait here for ever.
  int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) {
    *problem = errno == ENXIO ? "it is a socket, not a regular file" : strerror(errno);
    if (file >= 0)
      close(file);
    return -1;
  }
  mode_t mode = status.st_mode;
  bool is_stream = S_ISFIFO(mode) || (S_ISCHR(mode) && isatty(file));
  if (S_ISREG(mode) || (accepted == FILE_OR_STREAM && is_stream)) {
    int flags = fcntl(file, F_GETFL);
    if (flags >= 0 && fcntl(file, F_SETFL, flags & ~O_NONBLOCK) == 0)
      return file;
    *problem = strerror(errno);
  } else {
    *problem = kind_of(mode);
  }
  close(file);
  return -1;
}

// ------------------------------------------------------------------------------------------------ new files

static atomic_uint next_number;  // tells apart the new files of this process's threads

static bool is_number(const char **text, const char *digits) {
  size_t length = strspn(*text, digits);
  *text += length;
  return length > 0;
}

// "PREFIX" "123.ab": see file_new.
static bool is_new_name(const char *name, const char *prefix) {
  size_t length = strlen(prefix);
  if (strncmp(name, prefix, length) != 0)
    return false;
  const char *rest = name + length;
  return is_number(&rest, "0123456789") && *rest++ == '.' && is_number(&rest, "0123456789abcdef") &&
         *rest == 0;
}

int file_new(int folder, const char *prefix, mode_t mode, char *name, size_t size) {
  for (int attempt = 0; attempt < 100; attempt++) {
    unsigned number = atomic_fetch_add(&next_number, 1);
    int n = snprintf(name, size, "%s%ld.%x", prefix, (long)getpid(), number);
    if (n < 0 || (size_t)n >= size) {
      errno = ENAMETOOLONG;
      return -1;
    }
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    // of a process that had this number before, or lives in another container
    if (file < 0 && errno == EEXIST)
      continue;
    if (file < 0)
      return -1;
    // A file system without locks keeps the files that a killed process leaves: file_sweep gets no lock either.
    while (flock(file, LOCK_EX) != 0 && errno == EINTR)
      ;
    struct stat status;
    if (fstat(file, &status) == 0 && status.st_nlink > 0)
      return file;
    close(file);  // somebody swept it away before it was locked
  }
  errno = EEXIST;
  return -1;
}

// The lock is given up with the process that held it, however it ended.
static void remove_if_abandoned(int folder, const char *name) {
  int file = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0)
    return;
  struct stat status;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && flock(file, LOCK_EX | LOCK_NB) == 0)
    unlinkat(folder, name, 0);
  close(file);
}

void file_sweep(int folder, const char *prefix) {
  int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = again >= 0 ? fdopendir(again) : NULL;
  if (!entries) {
    if (again >= 0)
      close(again);
    return;
  }
  for (const struct dirent *entry; (entry = readdir(entries));)
    if (is_new_name(entry->d_name, prefix))
      remove_if_abandoned(folder, entry->d_name);
  closedir(entries);
}

// ------------------------------------------------------------------------------------------------ replacing

bool file_write_all(int file, const void *bytes, size_t length) {
  const char *next = bytes;
  while (length > 0) {
    ssize_t written = write(file, next, length);
    if (written < 0 && errno != EINTR)
      return false;
    if (written > 0) {
      next += written;
      length -= (size_t)written;
    }
  }
  return true;
}

// Closes the file and keeps the errno of what failed first.
static bool closed(int file, bool ok) {
  int why = errno;
  if (close(file) != 0 && ok)
    return false;
  errno = why;
  return ok;
}

static bool write_through(const char *path, file_write_fn *write, const void *context) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  return file >= 0 && closed(file, write(context, file));
}

// `mode`: of the file that is replaced, or 0.
static bool replace_in(int folder, const char *name, mode_t mode, file_write_fn *write, const void *context) {
  char prefix[NAME_MAX + 8], temporary[NAME_MAX + 8 + FILE_NEW_NAME];
  int n = snprintf(prefix, sizeof prefix, "%s.tmp.", name);
  if (n < 0 || (size_t)n >= sizeof prefix) {
    errno = ENAMETOOLONG;
    return false;
  }
  file_sweep(folder, prefix);
  int file = file_new(folder, prefix, 0666, temporary, sizeof temporary);
  if (file < 0)
    return false;
  bool ok = (mode == 0 || fchmod(file, mode) == 0) && write(context, file) && fsync(file) == 0;
  // Renamed while it is locked: nobody takes it for abandoned.
  ok = ok && renameat(folder, temporary, folder, name) == 0;
  int why = errno;
  if (ok)
    fsync(folder);  // the rename itself reaches the disk with the folder
  else
    unlinkat(folder, temporary, 0);
  close(file);
  errno = why;
  return ok;
}

bool file_replace(const char *path, file_write_fn *write, const void *context) {
  struct stat old;
  bool exists = stat(path, &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    if (!S_ISDIR(old.st_mode))
      return write_through(path, write, context);
    errno = EISDIR;
    return false;
  }
  // Where a link points, not the link, is replaced.
  char *target = exists ? realpath(path, NULL) : strdup(path);
  if (!target)
    return false;
  char *slash = strrchr(target, '/');
  const char *name = slash ? slash + 1 : target, *where = ".";
  if (slash)
    where = slash == target ? "/" : target;
  if (slash && slash != target)
    *slash = 0;
  int folder = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 && errno == EACCES)  // one that lets itself be written but not listed
    folder = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
  bool ok = folder >= 0 && replace_in(folder, name, exists ? old.st_mode & 0777 : 0, write, context);
  int why = errno;
  if (folder >= 0)
    close(folder);
  free(target);
  errno = why;
  return ok;
}

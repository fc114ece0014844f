// Files that others may have touched: opened without ever waiting, replaced without ever being half there.
#ifndef NN_COMPILER_BASE_FILES_H
#define NN_COMPILER_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum file_accepted {
  FILE_REGULAR_ONLY,
  // A pipe or a terminal as well, for what a user may write as `<(command)` or /dev/stdin. A FIFO that has no writer
  // reads as empty; opening it does not wait for one.
  FILE_OR_STREAM,
};

// A descriptor for reading, or -1 with the reason, which is not to be freed. Neither a FIFO nor a device makes it wait.
int file_open(const char *path, enum file_accepted, const char **problem);

// Writes a file's contents: false with errno. `context` as given to file_replace.
typedef bool file_write_fn(const void *context, int descriptor);

// Writes `path` so that it holds its old contents or the new ones, whenever the process or the machine stops: a new
// file in the same folder, flushed to the disk, is renamed over it. The access rights of a file that is replaced stay;
// of a symbolic link the file that it points to is replaced; a device or a pipe is written to as it is. New files
// beside the target that another process was killed over are removed. False with errno, the old contents untouched.
bool file_replace(const char *path, file_write_fn *write, const void *context);
bool file_write_all(int descriptor, const void *bytes, size_t length);  // false with errno

// A new file in the folder, named `prefix` and two numbers, and locked (flock) until it is closed: by the lock
// file_sweep tells files in the making from those whose writer is gone. -1 with errno. `name` has room for
// FILE_NEW_NAME bytes beyond the prefix.
#define FILE_NEW_NAME 48
int file_new(int folder, const char *prefix, mode_t mode, char *name, size_t size);
// Removes the files in the folder that file_new made with that prefix and whose writers are gone.
void file_sweep(int folder, const char *prefix);

#endif

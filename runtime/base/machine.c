// What the machine offers: memory, also where a control group limits it.
#include "runtime/base/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// The number in a file of the kernel's; UINT64_MAX when there is none ("max") or no such file.
static uint64_t read_limit(const char *path) {
  uint64_t limit = UINT64_MAX;
  FILE *file = fopen(path, "re");
  if (!file)
    return limit;
  if (fscanf(file, "%" SCNu64, &limit) != 1)
    limit = UINT64_MAX;
  fclose(file);
  return limit;
}

static uint64_t lesser(uint64_t a, uint64_t b) { return a < b ? a : b; }

// The least limit of a control group and those around it, as far as they are mounted here: a container sees its own as
// the root. `group` is cut short on the way.
static uint64_t limit_of_group(const char *mount, char *group, const char *file) {
  uint64_t limit = UINT64_MAX;
  for (;;) {
    char path[700];
    snprintf(path, sizeof path, "%s%s/%s", mount, group, file);
    limit = lesser(limit, read_limit(path));
    char *last = strrchr(group, '/');
    if (!last)
      return limit;
    *last = '\0';
  }
}

static uint64_t group_limit(void) {
  uint64_t limit = UINT64_MAX;
  char line[512];
  FILE *file = fopen("/proc/self/cgroup", "re");
  while (file && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = '\0';
    char *old = strstr(line, ":memory:");
    if (strncmp(line, "0::", 3) == 0)
      limit = lesser(limit, limit_of_group("/sys/fs/cgroup", line + 3, "memory.max"));
    else if (old)
      limit = lesser(limit, limit_of_group("/sys/fs/cgroup/memory", old + 8, "memory.limit_in_bytes"));
  }
  if (file)
    fclose(file);
  return limit;
}

uint64_t machine_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : (uint64_t)4 << 30;
  struct rlimit space;
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
    bytes = lesser(bytes, space.rlim_cur);
  return lesser(bytes, group_limit());
}

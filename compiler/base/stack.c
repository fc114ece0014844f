#include "compiler/base/stack.h"

#include <stdio.h>
#include <sys/resource.h>

#define USUAL ((rlim_t)8 << 20)
#define LEAST ((rlim_t)1 << 20)

bool stack_suffices(const char *program) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= USUAL)
    return true;
  // The kernel looks at the limit whenever the stack grows, so raising it helps this process at once.
  rlim_t wanted = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > USUAL ? USUAL : limit.rlim_max;
  if (wanted > limit.rlim_cur && setrlimit(RLIMIT_STACK, &(struct rlimit){wanted, limit.rlim_max}) == 0)
    limit.rlim_cur = wanted;
  if (limit.rlim_cur >= LEAST)
    return true;
  fprintf(stderr,
          "%s: the stack is limited to %llu KiB, and 1024 are needed: raise the limit (ulimit -s 8192)\n",
          program, (unsigned long long)(limit.rlim_cur >> 10));
  return false;
}

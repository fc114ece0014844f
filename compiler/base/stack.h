// The stack of the main thread: the compiler's passes and LLVM recurse over what they are given.
#ifndef NN_COMPILER_BASE_STACK_H
#define NN_COMPILER_BASE_STACK_H

#include <stdbool.h>

// Call first in main. Raises a limit (`ulimit -s`) below the usual 8 MiB as far as the system lets it. False with
// a message on standard error when less than 1 MiB is to be had: the program would end in a segmentation fault.
bool stack_suffices(const char *program);

#endif

// What this machine has.
#ifndef NN_RUNTIME_BASE_MACHINE_H
#define NN_RUNTIME_BASE_MACHINE_H

#include <stdint.h>

// Bytes of memory that this process may use: the machine's, or less where a control group or `ulimit -v` says so.
uint64_t machine_memory(void);

#endif

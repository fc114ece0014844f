// What the program does, counted: the same on every machine, however busy it is.
//
// The code whose work is counted is compiled with -fsanitize-coverage=trace-pc, which calls a function at the start of
// every stretch of straight-line code, and linked with --wrap of the functions that take memory or walk over it.
// No loop of that code escapes: what it calls in other libraries is counted by the bytes that it is given.
#ifndef NN_TESTS_GROWTH_WORK_H
#define NN_TESTS_GROWTH_WORK_H

#include <stdint.h>

struct work {
  uint64_t steps;  // stretches of code run, and 16 bytes each of what memcpy, strlen and others walk over
  uint64_t bytes;  // allocated in all
  uint64_t peak_bytes;  // held at once
};

void work_begin(void);
struct work work_end(void);  // since work_begin

#endif

// Host functions given as IR text, compiled and run with a trace that only writes down what it is asked.
//
// Every instance in the log is a line `emit block(args) -> %id`, `sum|mean|max[elements](ids) -> %id` or
// `read %id`. Ids of results count from %100 in every run. A read suspends the example, which is then
// continued, and gives the next of the fixture's `reads`.
#ifndef NN_TESTS_RUNTIME_HOST_FIXTURE_H
#define NN_TESTS_RUNTIME_HOST_FIXTURE_H

#include <stdio.h>

#include "compiler/ir/ir.h"
#include "runtime/host/host.h"
#include "runtime/jit/jit.h"
#include "runtime/value/fiber.h"

struct fixture {
  struct jit *jit;
  struct ir_module *ir;
  struct host_code *code;
  struct fiber_pool *pool;
  struct value_arena *arena;  // arguments
  struct example_room room;
  struct example example;  // that ran last: the results of fixture_run_slots lie in its heap
  int64_t *dims;
  struct vocab **sets;  // [dim]; entry i of a vocab is "wi"
  // Set before fixture_run.
  struct example_limits limits;
  const volatile int *interrupt;
  const double *reads;
  size_t n_reads;
  bool silent;
  // What the last run did.
  enum host_outcome outcome;
  char *results;  // text of the entry's result
  char *log;
  char *error;  // "file:line:column message", NULL when it succeeded
  uint64_t n_instances, n_waits, steps, copied;
};

// Parses, verifies and compiles; a failure fails the test and names the module. A vocab has 5 entries unless
// fixture_set_size says otherwise.
struct fixture *fixture_new(struct jit *, const char *name, const char *text, size_t length);
void fixture_free(struct fixture *);
// Changes a dim or vocab and compiles again.
void fixture_set_size(struct fixture *, const char *name, int64_t value);
// `call` is an entry and its arguments: `f(1, [%2, %3], Node(Leaf, Leaf))`. What was allocated and is no part of the
// result must have been given back.
void fixture_run(struct fixture *, const char *call);
// The same with arguments as slots; NULL for none. The results go to slots and not to text.
void fixture_run_slots(struct fixture *, const char *entry, const uint64_t *args, uint64_t *results);

// The stand-in for struct trace, silent, for tests that run examples themselves.
struct fixture_trace;
struct fixture_trace *fixture_trace_new(const struct fixture *);
void fixture_trace_free(struct fixture_trace *);

#endif

// A team of worker threads that shares out the items of one job at a time.
#ifndef NN_RUNTIME_BASE_THREADS_H
#define NN_RUNTIME_BASE_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct threads;

// `count` threads work on a job, the caller among them. When the system refuses threads the team is smaller.
// NULL only without memory. A team works on one job at a time: a caller who finds it at
// work does his job alone.
struct threads *threads_new(int count);
void threads_free(struct threads *);
int threads_count(const struct threads *);
// A thread of its own for work that is no team's, with a stack that suffices. false: the system refuses.
bool threads_start(pthread_t *, void *(*work)(void *context), void *context);
// Cores this process may run on.
int threads_cores(void);

// Calls work(context, item, thread) for every item in [0, n_items), thread in [0, threads_count). Returns
// when all are done. Which thread takes which item is arbitrary: results must not depend on it. Thread numbers are
// those of the call: two callers at once both have a thread 0, and what belongs to a thread belongs to a caller, too.
typedef void threads_fn(void *context, uint32_t item, int thread);
void threads_run(struct threads *, uint32_t n_items, threads_fn *work, void *context);

#endif

// A team of worker threads that shares out the items of one job at a time.
#ifndef NN_RUNTIME_BASE_THREADS_H
#define NN_RUNTIME_BASE_THREADS_H

#include <stdint.h>

struct threads;

// `count` threads work on a job, the caller among them. When the system refuses threads the team is smaller.
// NULL only without memory. A team is used by one caller at a time.
struct threads *threads_new(int count);
void threads_free(struct threads *);
int threads_count(const struct threads *);
// Cores this process may run on.
int threads_cores(void);

// Calls work(context, item, thread) for every item in [0, n_items), thread in [0, threads_count). Returns
// when all are done. Which thread takes which item is arbitrary: results must not depend on it.
typedef void threads_fn(void *context, uint32_t item, int thread);
void threads_run(struct threads *, uint32_t n_items, threads_fn *work, void *context);

#endif

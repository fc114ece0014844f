// A team of worker threads that polls for a while and then sleeps.
#include "runtime/base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

// Jobs of a minibatch follow each other within microseconds: a worker polls this often before it sleeps.
enum { SPINS = 2000 };
// Bytes: kernels and OpenBLAS need a few KiB.
enum { LEAST_STACK = 1 << 20 };
// Then it lets others run so often, some milliseconds, before it sleeps: kernels that compile take seconds.
enum { YIELDS = 2000 };

struct worker {
  struct threads *team;
  pthread_t thread;
  int number;
};

struct threads {
  int count;               // with the caller
  struct worker *workers;  // [count - 1]
  threads_fn *work;
  void *context;
  uint32_t n_items;
  atomic_uint next;  // item to be taken
  atomic_uint job;   // number of the job, from 0; a change wakes the workers
  atomic_int busy;   // workers that have not finished the job
  atomic_bool stop;
  atomic_flag taken;  // a caller's job is at work
  atomic_int sleepers;
  atomic_bool caller_sleeps;  // until the last worker has finished
  pthread_mutex_t mutex;
  pthread_cond_t wake, done;
};

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  sched_yield();
#endif
}

int threads_cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    int n = CPU_COUNT(&set);
    if (n > 0)
      return n;
  }
  return 1;
}

static void take_items(struct threads *team, int thread) {
  for (;;) {
    uint32_t item = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
    if (item >= team->n_items)
      return;
    team->work(team->context, item, thread);
  }
}

static void wait_for_job(struct threads *team, unsigned seen) {
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load_explicit(&team->job, memory_order_acquire) != seen)
      return;
    relax();
  }
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add(&team->sleepers, 1);
  while (atomic_load(&team->job) == seen)
    pthread_cond_wait(&team->wake, &team->mutex);
  atomic_fetch_sub(&team->sleepers, 1);
  pthread_mutex_unlock(&team->mutex);
}

static void *worker_main(void *argument) {
  struct worker *worker = argument;
  struct threads *team = worker->team;
  unsigned seen = 0;
  for (;;) {
    wait_for_job(team, seen);
    seen++;
    if (atomic_load_explicit(&team->stop, memory_order_acquire))
      return NULL;
    take_items(team, worker->number);
    // As in start_job: the caller either sees that nobody is busy before it sleeps or is found sleeping here.
    if (atomic_fetch_sub(&team->busy, 1) == 1 && atomic_load(&team->caller_sleeps)) {
      pthread_mutex_lock(&team->mutex);
      pthread_cond_signal(&team->done);
      pthread_mutex_unlock(&team->mutex);
    }
  }
}

static void start_job(struct threads *team) {
  atomic_fetch_add(&team->job, 1);
  // A worker either sees the new number before it sleeps or is counted here: both are sequentially
  // consistent.
  if (atomic_load(&team->sleepers) > 0) {
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
  }
}

bool threads_start(pthread_t *thread, void *(*work)(void *), void *context) {
  pthread_attr_t attributes;
  bool has_attributes = pthread_attr_init(&attributes) == 0;
  size_t stack = 0;
  // By default a thread's stack is as large as the limit of the main thread's (ulimit -s), however small that is.
  if (has_attributes && (pthread_attr_getstacksize(&attributes, &stack) != 0 || stack < LEAST_STACK))
    pthread_attr_setstacksize(&attributes, LEAST_STACK);
  bool started = pthread_create(thread, has_attributes ? &attributes : NULL, work, context) == 0;
  if (has_attributes)
    pthread_attr_destroy(&attributes);
  return started;
}

struct threads *threads_new(int count) {
  if (count < 1)
    count = 1;
  struct threads *team = calloc(1, sizeof *team);
  if (!team)
    return NULL;
  team->workers = calloc((size_t)count, sizeof *team->workers);
  if (!team->workers) {
    free(team);
    return NULL;
  }
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->wake, NULL);
  pthread_cond_init(&team->done, NULL);
  team->count = 1;
  while (team->count < count) {
    struct worker *worker = &team->workers[team->count - 1];
    *worker = (struct worker){.team = team, .number = team->count};
    if (!threads_start(&worker->thread, worker_main, worker))
      break;
    team->count++;
  }
  return team;
}

void threads_free(struct threads *team) {
  if (!team)
    return;
  atomic_store(&team->stop, true);
  start_job(team);
  for (int i = 0; i < team->count - 1; i++)
    pthread_join(team->workers[i].thread, NULL);
  pthread_cond_destroy(&team->wake);
  pthread_cond_destroy(&team->done);
  pthread_mutex_destroy(&team->mutex);
  free(team->workers);
  free(team);
}

static void sleep_until_done(struct threads *team) {
  pthread_mutex_lock(&team->mutex);
  atomic_store(&team->caller_sleeps, true);
  while (atomic_load(&team->busy) > 0)
    pthread_cond_wait(&team->done, &team->mutex);
  atomic_store(&team->caller_sleeps, false);
  pthread_mutex_unlock(&team->mutex);
}

int threads_count(const struct threads *team) { return team->count; }

void threads_run(struct threads *team, uint32_t n_items, threads_fn *work, void *context) {
  // Another caller's job is not waited for: that would take as long as doing this one alone, or longer.
  if (team->count == 1 || n_items <= 1 ||
      atomic_flag_test_and_set_explicit(&team->taken, memory_order_acquire)) {
    for (uint32_t i = 0; i < n_items; i++)
      work(context, i, 0);
    return;
  }
  team->work = work;
  team->context = context;
  team->n_items = n_items;
  atomic_store_explicit(&team->next, 0, memory_order_relaxed);
  atomic_store_explicit(&team->busy, team->count - 1, memory_order_relaxed);
  start_job(team);
  take_items(team, 0);
  for (int spins = 0; atomic_load_explicit(&team->busy, memory_order_acquire) > 0; spins++) {
    // With more threads than free cores the worker we wait for may need this one.
    if (spins < SPINS)
      relax();
    else if (spins < SPINS + YIELDS)
      sched_yield();
    else
      sleep_until_done(team);
  }
}

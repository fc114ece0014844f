#include "runtime/cpu/compile.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/status.h"

// How often a caller who waits looks at the flag: a signal handler can set it, but wake nobody.
enum { LOOK_MILLISECONDS = 20 };

// Of the caller and, once there is one, of the thread that does the work.
struct compile_job {
  struct cpu *cpu;
  atomic_bool stop;  // begin no further kernel
  pthread_t thread;
  struct compile_job *next;  // among those left behind
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;  // guarded by the lock
  uint32_t n;
  struct outcome {
    struct compile_item item;
    nn_status *status;
  } outcomes[];
};

static void compile_one(void *context, uint32_t number, int thread) {
  (void)thread;
  struct compile_job *job = context;
  struct outcome *outcome = &job->outcomes[number];
  outcome->status = atomic_load(&job->stop)
                        ? status_new(NN_INTERRUPTED, "interrupted while kernels compiled")
                        : cpu_compile_kernel(job->cpu, outcome->item.block, outcome->item.variant);
}

static void compile_all(struct compile_job *job) { threads_run(job->cpu->threads, job->n, compile_one, job); }

static void *thread_main(void *context) {
  struct compile_job *job = context;
  compile_all(job);
  pthread_mutex_lock(&job->lock);
  job->done = true;
  pthread_cond_signal(&job->changed);
  pthread_mutex_unlock(&job->lock);
  return NULL;
}

// Returns whether the job was done before the flag was set.
static bool wait_for(struct compile_job *job, const volatile int *interrupt) {
  pthread_mutex_lock(&job->lock);
  while (!job->done && !*interrupt) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MILLISECONDS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
      until.tv_nsec -= 1000000000L;
      until.tv_sec++;
    }
    pthread_cond_timedwait(&job->changed, &job->lock, &until);
  }
  bool done = job->done;
  pthread_mutex_unlock(&job->lock);
  return done;
}

static struct compile_job *job_new(struct cpu *cpu, const struct compile_item *items, uint32_t n) {
  struct compile_job *job = calloc(1, sizeof *job + n * sizeof *job->outcomes);
  if (!job)
    return NULL;
  job->cpu = cpu;
  job->n = n;
  for (uint32_t i = 0; i < n; i++)
    job->outcomes[i].item = items[i];
  pthread_mutex_init(&job->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&job->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  return job;
}

// Gives the first item's failure, if there was one.
static nn_status *job_free(struct compile_job *job) {
  nn_status *first = NULL;
  for (uint32_t i = 0; i < job->n; i++) {
    if (!first)
      first = job->outcomes[i].status;
    else
      nn_status_free(job->outcomes[i].status);
  }
  pthread_cond_destroy(&job->changed);
  pthread_mutex_destroy(&job->lock);
  free(job);
  return first;
}

nn_status *compile_kernels(struct cpu *cpu, const struct compile_item *items, uint32_t n,
                           const volatile int *interrupt) {
  struct compile_job *job = job_new(cpu, items, n);
  if (!job)
    return status_no_memory();
  // Without a thread to spare the caller works himself, and a flag counts between kernels only where it was set before.
  if (!interrupt || !threads_start(&job->thread, thread_main, job)) {
    atomic_store(&job->stop, interrupt && *interrupt);
    compile_all(job);
    return job_free(job);
  }
  if (wait_for(job, interrupt)) {
    pthread_join(job->thread, NULL);
    return job_free(job);
  }
  atomic_store(&job->stop, true);
  pthread_mutex_lock(&cpu->left_lock);
  job->next = cpu->left_behind;
  cpu->left_behind = job;
  pthread_mutex_unlock(&cpu->left_lock);
  return status_new(NN_INTERRUPTED, "interrupted while kernels compiled");
}

void compile_wait(struct cpu *cpu) {
  while (cpu->left_behind) {
    struct compile_job *job = cpu->left_behind;
    cpu->left_behind = job->next;
    pthread_join(job->thread, NULL);
    nn_status_free(job_free(job));
  }
}

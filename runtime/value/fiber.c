// Fibers and the pool of their stacks. The contract is in fiber.h.
#include "runtime/value/fiber.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(NN_FIBER_UCONTEXT) || !(defined(__x86_64__) || defined(__aarch64__))
#define FIBER_BY_UCONTEXT 1
#include <ucontext.h>
typedef ucontext_t fiber_context;
#else
typedef void *fiber_context;  // stack pointer; the registers lie there
#endif

#define SMALL_BYTES_SCARCE ((size_t)256 << 10)
#define LARGE_BYTES_SCARCE ((size_t)64 << 20)
#ifdef FIBER_ASAN
// AddressSanitizer writes an eighth of what is mapped, and cleans no stack deeper than 64 MiB when a function
// does not return.
#define SMALL_BYTES SMALL_BYTES_SCARCE
#define LARGE_BYTES LARGE_BYTES_SCARCE
#else
#define SMALL_BYTES ((size_t)64 << 20)
#define LARGE_BYTES ((size_t)1 << 30)
#endif
#define LARGE_BYTES_MIN ((size_t)8 << 20)
// A stack that has been used deeper than this gives its pages back to the system: a small one when it is
// released, a large one some releases later, because touching a GiB anew takes a second and deep examples
// come together.
#define SMALL_BYTES_KEPT ((size_t)128 << 10)
#define LARGE_BYTES_KEPT ((size_t)16 << 20)
#define LARGE_RELEASES 16
// Stacks are mapped in slabs, the first of them small, so that a process with few fibers stays small.
#define SLAB_STACKS_FIRST 64
#define SLAB_STACKS_MOST 1024
// Stack i begins (i % 29) * 64 bytes below its end, so that the first frames of many stacks do not all fall
// into the same sets of the caches.
#define STAGGER_STEPS 29
#define STAGGER_BYTES 64
// For the same reason stacks are not a power of two apart: the entries of their pages in the page tables
// would meet in a few sets. 36 KiB more move an entry by a cache line and 8 bytes. (64 fibers with 64 MiB
// each: 40 ns a switch without, 16 ns with.)
#define STRIDE_EXTRA(small_bytes) ((small_bytes) / 16 + (36 << 10))

// Lies at the upper end of its own stack.
struct fiber {
  fiber_context context;  // valid while it does not run
  fiber_context caller;   // valid while it runs
  fiber_fn *function;
  void *argument;
  struct fiber_pool *pool;
  struct fiber *next_free;
  char *stack;         // lowest address
  size_t stack_bytes;  // up to the upper end of the mapping
  enum fiber_state state;
  enum fiber_size size;
  unsigned deep_releases;  // in a row, with more pages than are kept
#ifdef FIBER_ASAN
  void *fake_stack, *caller_fake_stack;
  const void *caller_stack;
  size_t caller_stack_bytes;
  char *deepest;  // frame of the last switch out
#endif
};

struct slab {
  struct slab *next;
  char *memory;
  size_t bytes;
};

struct fiber_pool {
  size_t small_bytes, large_bytes;
  struct slab *slabs;
  size_t slab_stacks;     // of the next slab
  struct fiber *free[2];  // [enum fiber_size]
};

// -------------------------------------------------------------------------------------- the switch

static void run(struct fiber *fiber);

#ifdef FIBER_BY_UCONTEXT

// makecontext passes int arguments only.
static void boot(unsigned high, unsigned low) {
  run((struct fiber *)(uintptr_t)((uint64_t)high << 32 | low));
}

static void context_make(struct fiber *fiber) {
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = (size_t)((char *)fiber - fiber->stack);
  fiber->context.uc_link = NULL;
  uint64_t address = (uint64_t)(uintptr_t)fiber;
  makecontext(&fiber->context, (void (*)(void))boot, 2, (unsigned)(address >> 32), (unsigned)address);
}

static void context_switch(fiber_context *from, fiber_context *to) { swapcontext(from, to); }

#else

void fiber_switch(void **save_sp, void *to_sp);
void fiber_boot(void);

static void run_argument(void *fiber) { run(fiber); }

// The frame that fiber_switch pops for the first time. fiber_boot begins with the stack 16-byte aligned.
static void context_make(struct fiber *fiber) {
  void **sp = (void **)((uintptr_t)fiber & ~(uintptr_t)63);
#if defined(__x86_64__)
  sp -= 2;  // end of the chain of frames, for debuggers
  sp[0] = sp[1] = NULL;
  *--sp = (void *)(uintptr_t)fiber_boot;
  sp -= 6;  // r15 r14 r13 r12 rbx rbp
  memset(sp, 0, 6 * sizeof *sp);
  sp[2] = fiber;
  sp[3] = (void *)(uintptr_t)run_argument;
#else
  sp -= 20;  // x29 x30 x19 ... x28 d8 ... d15
  memset(sp, 0, 20 * sizeof *sp);
  sp[1] = (void *)(uintptr_t)fiber_boot;
  sp[2] = (void *)(uintptr_t)run_argument;
  sp[3] = fiber;
#endif
  fiber->context = sp;
}

static void context_switch(fiber_context *from, fiber_context *to) { fiber_switch(from, *to); }

#endif

// Into the fiber, and back when it suspends or ends.
static void switch_in(struct fiber *fiber) {
#ifdef FIBER_ASAN
  __sanitizer_start_switch_fiber(&fiber->caller_fake_stack, fiber->stack, fiber->stack_bytes);
#endif
  context_switch(&fiber->caller, &fiber->context);
#ifdef FIBER_ASAN
  __sanitizer_finish_switch_fiber(fiber->caller_fake_stack, NULL, NULL);
#endif
}

// Out of the fiber; comes back when it is resumed, never where the fiber has ended.
static void switch_out(struct fiber *fiber) {
#ifdef FIBER_ASAN
  fiber->deepest = __builtin_frame_address(0);
  bool ended = fiber->state != FIBER_SUSPENDED;
  __sanitizer_start_switch_fiber(ended ? NULL : &fiber->fake_stack, fiber->caller_stack,
                                 fiber->caller_stack_bytes);
#endif
  context_switch(&fiber->context, &fiber->caller);
#ifdef FIBER_ASAN
  __sanitizer_finish_switch_fiber(fiber->fake_stack, &fiber->caller_stack, &fiber->caller_stack_bytes);
#endif
}

static void run(struct fiber *fiber) {
#ifdef FIBER_ASAN
  __sanitizer_finish_switch_fiber(NULL, &fiber->caller_stack, &fiber->caller_stack_bytes);
#endif
  fiber->function(fiber->argument);
  fiber->state = FIBER_DONE;
  switch_out(fiber);
  abort();  // an ended fiber was resumed
}

enum fiber_state fiber_resume(struct fiber *fiber) {
  assert(fiber->state == FIBER_READY || fiber->state == FIBER_SUSPENDED);
  fiber->state = FIBER_RUNNING;
  switch_in(fiber);
  return fiber->state;
}

void fiber_suspend(struct fiber *self) {
  assert(self->state == FIBER_RUNNING);
  self->state = FIBER_SUSPENDED;
  switch_out(self);
}

_Noreturn void fiber_leave(struct fiber *self) {
  assert(self->state == FIBER_RUNNING);
  self->state = FIBER_LEFT;
  switch_out(self);
  abort();  // an ended fiber was resumed
}

// ---------------------------------------------------------------------------------------- the pool

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// Whether address space is rationed, so that reserving much of it would starve the rest of the process.
static bool address_space_is_scarce(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    return true;
  FILE *setting = fopen("/proc/sys/vm/overcommit_memory", "r");
  int mode = setting ? fgetc(setting) : EOF;
  if (setting)
    fclose(setting);
  return mode == '2';  // every mapping counts, MAP_NORESERVE or not
}

struct fiber_pool *fiber_pool_new(const struct fiber_options *options) {
  struct fiber_pool *pool = calloc(1, sizeof *pool);
  if (!pool)
    return NULL;
  size_t page = page_bytes();
  size_t least = 2 * FIBER_HEADROOM;
  bool scarce = address_space_is_scarce();
  pool->small_bytes = scarce ? SMALL_BYTES_SCARCE : SMALL_BYTES;
  pool->large_bytes = scarce ? LARGE_BYTES_SCARCE : LARGE_BYTES;
  if (options && options->small_bytes)
    pool->small_bytes = options->small_bytes;
  if (options && options->large_bytes)
    pool->large_bytes = options->large_bytes;
  pool->small_bytes = round_up(pool->small_bytes < least ? least : pool->small_bytes, page);
  pool->large_bytes = round_up(pool->large_bytes < least ? least : pool->large_bytes, page);
  pool->slab_stacks = SLAB_STACKS_FIRST;
  return pool;
}

void fiber_pool_free(struct fiber_pool *pool) {
  if (!pool)
    return;
  for (struct slab *slab = pool->slabs; slab;) {
    struct slab *next = slab->next;
#ifdef FIBER_ASAN
    __asan_unpoison_memory_region(slab->memory, slab->bytes);
#endif
    munmap(slab->memory, slab->bytes);
    free(slab);
    slab = next;
  }
  free(pool);
}

// Address space that costs memory only where it is touched. Below `bytes` of it lies a page as a guard.
static struct slab *slab_map(struct fiber_pool *pool, size_t bytes) {
  size_t guard = page_bytes();
  bytes += guard;
  struct slab *slab = malloc(sizeof *slab);
  if (!slab)
    return NULL;
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                      0);
  if (memory == MAP_FAILED) {
    free(slab);
    return NULL;
  }
  // Huge pages would make every stack resident at once. Both calls are refinements; neither is needed.
  (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
  (void)mprotect(memory, guard, PROT_NONE);
  *slab = (struct slab){.next = pool->slabs, .memory = memory, .bytes = bytes};
  pool->slabs = slab;
  return slab;
}

static void add_stack(struct fiber_pool *pool, enum fiber_size size, char *stack, size_t bytes,
                      size_t stagger) {
  uintptr_t top = (uintptr_t)stack + bytes - stagger - sizeof(struct fiber);
  struct fiber *fiber = (struct fiber *)(top & ~(uintptr_t)63);
  *fiber = (struct fiber){.pool = pool, .stack = stack, .stack_bytes = bytes, .size = size};
  fiber->next_free = pool->free[size];
  pool->free[size] = fiber;
}

static bool add_small_stacks(struct fiber_pool *pool) {
  size_t n = pool->slab_stacks, stride;
  struct slab *slab = NULL;
  for (;;) {
    stride = round_up(pool->small_bytes + STRIDE_EXTRA(pool->small_bytes), page_bytes());
    slab = slab_map(pool, n * stride);
    if (slab)
      break;
    if (n > 1) {
      n /= 2;
    } else if (pool->small_bytes > SMALL_BYTES_SCARCE) {
      n = SLAB_STACKS_FIRST;
      pool->small_bytes = round_up(pool->small_bytes / 2, page_bytes());
    } else {
      return false;
    }
  }
  pool->slab_stacks = n < SLAB_STACKS_MOST ? 2 * n : n;
  char *stacks = slab->memory + page_bytes();
  for (size_t i = n; i-- > 0;)
    add_stack(pool, FIBER_SMALL, stacks + i * stride, pool->small_bytes, i % STAGGER_STEPS * STAGGER_BYTES);
  return true;
}

static bool add_large_stack(struct fiber_pool *pool) {
  size_t bytes = pool->large_bytes;
  struct slab *slab = NULL;
  while (!(slab = slab_map(pool, bytes))) {
    if (bytes / 2 < LARGE_BYTES_MIN)
      return false;
    bytes = round_up(bytes / 2, page_bytes());
  }
  add_stack(pool, FIBER_LARGE, slab->memory + page_bytes(), bytes, 0);
  return true;
}

struct fiber *fiber_new(struct fiber_pool *pool, enum fiber_size size, fiber_fn *function, void *argument) {
  if (!pool->free[size] && !(size == FIBER_LARGE ? add_large_stack(pool) : add_small_stacks(pool)))
    return NULL;
  struct fiber *fiber = pool->free[size];
  pool->free[size] = fiber->next_free;
  fiber->next_free = NULL;
  fiber->function = function;
  fiber->argument = argument;
  fiber->state = FIBER_READY;
  context_make(fiber);
  return fiber;
}

// One deep example must not keep its pages for the rest of the run. Asks for a single page, so that the usual
// case, where nothing is to be done, costs one system call.
static void give_back_pages(struct fiber *fiber) {
  size_t kept = fiber->size == FIBER_LARGE ? LARGE_BYTES_KEPT : SMALL_BYTES_KEPT;
  if (fiber->stack_bytes <= 2 * kept)
    return;
  size_t page = page_bytes();
  size_t unwanted = (fiber->stack_bytes - kept) / page * page;
  unsigned char resident = 0;
  bool deep = mincore(fiber->stack + unwanted - page, page, &resident) == 0 && (resident & 1);
  if (deep && ++fiber->deep_releases >= (fiber->size == FIBER_LARGE ? LARGE_RELEASES : 1)) {
    (void)madvise(fiber->stack, unwanted, MADV_DONTNEED);
    fiber->deep_releases = 0;
  }
}

void fiber_release(struct fiber *fiber) {
  assert(fiber->state != FIBER_RUNNING && !fiber->next_free);
  struct fiber_pool *pool = fiber->pool;
#ifdef FIBER_ASAN
  // Frames that were dropped have left their marks; the functions called to switch away lie just below
  // `deepest`.
  if (fiber->state == FIBER_LEFT || fiber->state == FIBER_SUSPENDED) {
    char *from = fiber->deepest - fiber->stack > 4096 ? fiber->deepest - 4096 : fiber->stack;
    __asan_unpoison_memory_region(from, (size_t)((char *)fiber - from));
  }
#endif
  give_back_pages(fiber);
  fiber->next_free = pool->free[fiber->size];
  pool->free[fiber->size] = fiber;
}

char *fiber_stack_limit(const struct fiber *fiber) { return fiber->stack + FIBER_HEADROOM; }

size_t fiber_stack_bytes(const struct fiber *fiber) { return fiber->stack_bytes; }

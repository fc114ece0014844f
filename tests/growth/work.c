#include "tests/growth/work.h"

#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct work work;
static uint64_t held_bytes;

void work_begin(void) {
  work = (struct work){0};
  held_bytes = 0;
}

struct work work_end(void) {
  return work;
}

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) { work.steps++; }

// ------------------------------------------------------------------------------------------------------ memory

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *memory);

static void give(void *memory) {
  size_t n = memory != NULL ? malloc_usable_size(memory) : 0;
  held_bytes = held_bytes > n ? held_bytes - n : 0;  // some is from before work_begin
}

static void *take(void *memory) {
  size_t n = memory != NULL ? malloc_usable_size(memory) : 0;
  work.bytes += n;
  held_bytes += n;
  if (held_bytes > work.peak_bytes)
    work.peak_bytes = held_bytes;
  return memory;
}

void *__wrap_malloc(size_t size) { return take(__real_malloc(size)); }

void *__wrap_calloc(size_t count, size_t size) { return take(__real_calloc(count, size)); }

void *__wrap_realloc(void *old, size_t size) {
  give(old);
  return take(__real_realloc(old, size));
}

void __wrap_free(void *memory) {
  give(memory);
  __real_free(memory);
}

// --------------------------------------------------------------------------------------- loops of the C library

void *__real_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *to, int byte, size_t n);
int __real_memcmp(const void *a, const void *b, size_t n);
size_t __real_strlen(const char *text);
int __real_strcmp(const char *a, const char *b);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memset(void *to, int byte, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n);
size_t __wrap_strlen(const char *text);
int __wrap_strcmp(const char *a, const char *b);

static void walk(size_t n) { work.steps += n / 16; }

void *__wrap_memcpy(void *to, const void *from, size_t n) {
  walk(n);
  return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n) {
  walk(n);
  return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int byte, size_t n) {
  walk(n);
  return __real_memset(to, byte, n);
}

int __wrap_memcmp(const void *a, const void *b, size_t n) {
  walk(n);
  return __real_memcmp(a, b, n);
}

size_t __wrap_strlen(const char *text) {
  size_t n = __real_strlen(text);
  walk(n);
  return n;
}

int __wrap_strcmp(const char *a, const char *b) {
  walk(__real_strlen(a));
  return __real_strcmp(a, b);
}

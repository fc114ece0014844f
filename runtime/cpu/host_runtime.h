// What compiled host code calls besides trace.h, and what these functions share. Private to host*.c.
//
// Every function that can fail takes the position of the operation in the model's source; it ends the example
// by host_fail. Slots, lists and data are described in host.h.
#ifndef NN_RUNTIME_CPU_HOST_RUNTIME_H
#define NN_RUNTIME_CPU_HOST_RUNTIME_H

#include "runtime/cpu/host.h"

struct chunk;

// host_arena.c: NULL when memory is exhausted; no limit applies.
void *host_arena_try(struct host_arena *, size_t bytes);
size_t host_arena_limit(const struct host_arena *);
// Gives the latest allocation back; when something was allocated since, it stays until the reset.
void host_arena_untake(struct host_arena *, void *memory, size_t bytes);
// A place to go back to: everything allocated since is forgotten.
struct host_arena_mark {
  struct chunk *chunk;
  char *next;
  size_t before;
};
struct host_arena_mark host_arena_mark(const struct host_arena *);
void host_arena_rewind(struct host_arena *, struct host_arena_mark);

// host.c: memory that counts against the arena's limit. Never NULL: fails the example.
void *host_alloc(struct example *, const struct ir_loc *, size_t bytes);
// The same for an array; `count` may be any number.
void *host_alloc_array(struct example *, const struct ir_loc *, uint64_t count, size_t size);

// host.c: called by compiled code.
void host_tick(struct example *, const struct ir_loc *);
_Noreturn void host_fail_depth(struct example *, const struct ir_loc *);
_Noreturn void host_fail_division(struct example *, const struct ir_loc *);
_Noreturn void host_fail_float(struct example *, const struct ir_loc *, double value);
// `set` is the name of a vocab or enum.
_Noreturn void host_fail_index(struct example *, const struct ir_loc *, int64_t value, int64_t size,
                               const char *set);
_Noreturn void host_fail_range(struct example *, const struct ir_loc *, int64_t value, int64_t size);
_Noreturn void host_fail_subscript(struct example *, const struct ir_loc *, int64_t value, int64_t length);
struct host_data *host_data_make(struct example *, const struct ir_loc *, uint64_t tag, uint32_t n_slots,
                                 const uint64_t *slots);
// The position that an argmax gave; `size` of the set, or INT64_MAX for a plain int.
int64_t host_read_index(struct example *, const struct ir_loc *, uint32_t value, int64_t size);

// host_lists.c
struct host_list *host_list_make(struct example *, const struct ir_loc *, uint32_t width, uint64_t length,
                                 const uint64_t *slots);
struct host_list *host_list_set(struct example *, const struct ir_loc *, const struct host_list *,
                                int64_t index, const uint64_t *element);
const struct host_list *host_list_push(struct example *, const struct ir_loc *, const struct host_list *,
                                       const uint64_t *element);
struct host_list *host_list_pop(struct example *, const struct ir_loc *, const struct host_list *);
const struct host_list *host_list_slice(struct example *, const struct ir_loc *, const struct host_list *,
                                        int64_t from, int64_t to);
const struct host_list *host_list_reverse(struct example *, const struct ir_loc *, const struct host_list *);
const struct host_list *host_list_concat(struct example *, const struct ir_loc *, const struct host_list *,
                                         const struct host_list *);
struct host_list *host_list_zip(struct example *, const struct ir_loc *, const struct host_list *,
                                const struct host_list *);

// host_sums.c. An acc is a rope: 2 * value id + 1 for a single term, otherwise the address of a node.
uint64_t host_acc_add(struct example *, const struct ir_loc *, uint64_t left, uint64_t right);
uint32_t host_acc_sum(struct example *, const struct ir_loc *, uint64_t acc, uint32_t elements);
uint32_t host_list_reduce(struct example *, const struct ir_loc *, const struct host_list *, uint32_t kind,
                          uint32_t elements);

#endif

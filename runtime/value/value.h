// Host values that the readers of data, compiled host code and results share: data, lists, and the arena they
// lie in.
//
// Slots are 64 bits: int and float as they are, bool 0/1, index as its position, tensor as a value id (struct
// trace), acc, list and data as pointers.
#ifndef NN_RUNTIME_VALUE_VALUE_H
#define NN_RUNTIME_VALUE_VALUE_H

#include <stddef.h>
#include <stdint.h>

struct value_arena;

// Data and lists as compiled code and the data readers build them.
struct value_data {
  uint64_t tag;      // number of the constructor
  uint64_t slots[];  // its flattened fields
};
// An immutable view of a buffer. Appending writes in place when the view ends where the buffer's used part
// ends, so that a loop of pushes is linear; older views never see it.
struct value_list {
  struct value_buffer *buffer;
  uint64_t offset, length;  // in elements
};
struct value_buffer {
  uint64_t used, capacity;  // in elements
  uint64_t width;           // slots of an element
  uint64_t slots[];
};

// Values made outside of examples, by the readers of data. The slots are copied.
struct value_data *value_data_new(struct value_arena *, uint64_t tag, uint32_t n_slots,
                                  const uint64_t *slots);
struct value_list *value_list_new(struct value_arena *, uint32_t width, uint64_t length,
                                  const uint64_t *slots);

// Arena of host values: bump allocation, grows by itself, reset keeps the memory.
struct value_arena *value_arena_new(void);
// 16-byte aligned, never NULL: ends the process with a message when memory is exhausted.
void *value_arena_alloc(struct value_arena *, size_t bytes);
// NULL when memory is exhausted; no limit applies.
void *value_arena_try(struct value_arena *, size_t bytes);
void value_arena_reset(struct value_arena *);
void value_arena_free(struct value_arena *);
// The most that running examples may take from it before one of them fails with an error that says so;
// value_arena_alloc itself goes beyond. 0: the default, 4 GiB or half of the machine's memory, the lesser.
void value_arena_set_limit(struct value_arena *, size_t bytes);
size_t value_arena_limit(const struct value_arena *);
// Handed out since the last reset.
size_t value_arena_bytes(const struct value_arena *);
// Gives the latest allocation back; when something was allocated since, it stays until the reset.
void value_arena_untake(struct value_arena *, void *memory, size_t bytes);

// A place to go back to: everything allocated since is forgotten.
struct value_arena_mark {
  struct chunk *chunk;
  char *next;
  size_t before;
};
struct value_arena_mark value_arena_mark(const struct value_arena *);
void value_arena_rewind(struct value_arena *, struct value_arena_mark);

#endif

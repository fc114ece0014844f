// Host values that the readers of data, compiled host code and results share: data, lists, and the arena they
// lie in.
//
// Slots are 64 bits: int and float as they are, bool 0/1, index as its position, tensor as a value id (struct
// trace), acc, list, data and text as pointers.
#ifndef NN_RUNTIME_VALUE_VALUE_H
#define NN_RUNTIME_VALUE_VALUE_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

struct value_arena;

// Data, lists and texts as compiled code and the data readers build them. Values are never changed while anybody else can
// see them. Each counts the references to it that may still be used, in other values and in running code
// (runtime/host/host_ownership.h); 0: not counted, and never changed or given back: values of the data set and constructors
// without fields, entries of vocabularies and texts of the program.
enum value_kind { VALUE_DATA, VALUE_LIST, VALUE_TEXT };

// Which slots of a constructor or of an element of a list are counted.
struct value_shape {
  uint32_t width;  // slots
  uint32_t n_counted;
  uint32_t counted[];  // VALUE_COUNTED
};
#define VALUE_COUNTED(slot, kind) (4 * (slot) + (uint32_t)(kind))
#define VALUE_COUNTED_SLOT(counted) ((counted) >> 2)
#define VALUE_COUNTED_KIND(counted) ((enum value_kind)((counted)&3))

struct value_data {
  int32_t count;
  uint32_t tag;                     // number of the constructor
  const struct value_shape *shape;  // NULL when not counted
  uint64_t slots[];                 // its flattened fields
};
// A view of a buffer.
struct value_list {
  int32_t count;
  struct value_buffer *buffer;
  uint64_t offset, length;  // in elements
};
struct value_buffer {
  int32_t count;                    // of views
  uint32_t width;                   // slots of an element
  const struct value_shape *shape;  // NULL when not counted
  uint64_t used, capacity;          // in elements
  uint64_t slots[];
};

// UTF-8; see value_text.h.
struct value_text {
  int32_t count;
  uint64_t length;      // bytes
  uint64_t characters;  // code points
  char bytes[];         // and a 0 behind them
};

// Values made outside of examples, by the readers of data: not counted. The slots are copied, and refer to
// values of this kind only.
// NULL without memory.
struct value_data *value_data_new(struct value_arena *, uint64_t tag, uint32_t n_slots,
                                  const uint64_t *slots);
struct value_list *value_list_new(struct value_arena *, uint32_t width, uint64_t length,
                                  const uint64_t *slots);

// Arena of values that are not counted: bump allocation, grows by itself, reset keeps the memory.
struct value_arena *value_arena_new(void);
// 16-byte aligned, never NULL: when memory is exhausted it goes to where value_arena_catch says.
void *value_arena_alloc(struct value_arena *, size_t bytes);
// The same, but NULL when memory is exhausted.
void *value_arena_try(struct value_arena *, size_t bytes);
// Where value_arena_alloc goes when memory is exhausted: set by the functions that give a status for it, and reset to
// NULL before they return. Nothing is owned by the frames that the jump leaves.
void value_arena_catch(struct value_arena *, jmp_buf *on_out_of_memory);
void value_arena_reset(struct value_arena *);
void value_arena_free(struct value_arena *);
// Handed out since the last reset.
size_t value_arena_bytes(const struct value_arena *);
#endif

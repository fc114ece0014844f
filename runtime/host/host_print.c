// What `print` leaves behind: values cannot be written at once, because tensors have none yet.
#include "runtime/host/host_runtime.h"

void host_print(struct example *example, const struct ir_loc *loc, uint32_t number,
                const struct value_shape *shape, const uint64_t *slots) {
  uint32_t n = shape->width;
  struct example_print *print = example_alloc(example, loc, sizeof *print + n * sizeof *slots);
  *print = (struct example_print){.number = number, .loc = *loc, .shape = shape};
  for (uint32_t i = 0; i < n; i++)
    print->slots[i] = slots[i];
  for (uint32_t i = 0; i < shape->n_counted; i++)
    value_retain((void *)(uintptr_t)slots[VALUE_COUNTED_SLOT(shape->counted[i])]);
  if (example->last_print)
    example->last_print->next = print;
  else
    example->prints = print;
  example->last_print = print;
}

void host_forget_prints(struct example *example) {
  for (struct example_print *print = example->prints, *next; print; print = next) {
    next = print->next;
    for (uint32_t i = 0; i < print->shape->n_counted; i++) {
      uint32_t counted = print->shape->counted[i];
      value_release_slot(example, print->slots[VALUE_COUNTED_SLOT(counted)], VALUE_COUNTED_KIND(counted));
    }
    heap_free(&example->heap, print, sizeof *print + print->shape->width * sizeof *print->slots);
  }
  example->prints = example->last_print = NULL;
}

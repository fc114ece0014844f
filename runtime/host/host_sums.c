// Lists as tensors, and sums over many of them: ropes of terms (acc) and lists. Each becomes one instance in the trace.
#include <inttypes.h>

#include "runtime/batch/trace.h"
#include "runtime/host/host_runtime.h"

// A concatenation. Its parts are ropes; see host_runtime.h.
struct node {
  uint64_t left, right;
  uint64_t terms;
};

static bool is_term(uint64_t acc) { return acc & 1; }
static uint32_t term_value(uint64_t acc) { return (uint32_t)(acc >> 1); }
static const struct node *node_of(uint64_t acc) { return (const struct node *)(uintptr_t)acc; }
static uint64_t count_terms(uint64_t acc) { return is_term(acc) ? 1 : node_of(acc)->terms; }

uint64_t host_acc_add(struct example *example, const struct ir_loc *loc, uint64_t left, uint64_t right) {
  // Adding an acc to itself doubles it without needing memory, so the number has a limit of its own.
  uint64_t terms = count_terms(left) + count_terms(right);
  if (terms > UINT32_MAX)
    example_fail(example, loc, "a sum of more than %" PRIu32 " terms", UINT32_MAX);
  struct node *node = example_alloc(example, loc, sizeof *node);
  *node = (struct node){left, right, terms};
  return (uint64_t)(uintptr_t)node;
}

// Writes the terms in order. Every subtree's place is known from the counts, so that they may be visited in
// any order: the smaller part first keeps the number of postponed ones below log2 of the terms, however
// lopsided the rope is.
static void flatten(uint64_t acc, uint32_t *values) {
  struct {
    uint64_t acc;
    uint32_t *values;
  } postponed[33];
  int n = 0;
  for (;;) {
    while (!is_term(acc)) {
      const struct node *node = node_of(acc);
      uint64_t left_terms = count_terms(node->left);
      uint32_t *right_values = values + left_terms;
      if (left_terms <= node->terms / 2) {
        postponed[n].acc = node->right;
        postponed[n++].values = right_values;
        acc = node->left;
      } else {
        postponed[n].acc = node->left;
        postponed[n++].values = values;
        acc = node->right;
        values = right_values;
      }
    }
    *values = term_value(acc);
    if (n == 0)
      return;
    acc = postponed[--n].acc;
    values = postponed[n].values;
  }
}

uint32_t host_acc_sum(struct example *example, const struct ir_loc *loc, uint64_t acc, uint32_t elements) {
  if (is_term(acc))
    return term_value(acc);
  uint32_t n = (uint32_t)node_of(acc)->terms;
  uint32_t *values = example_alloc(example, loc, n * sizeof *values);
  flatten(acc, values);
  uint32_t sum = trace_emit_list(example, loc, TRACE_LIST_SUM, elements, n, values);
  heap_free(&example->heap, values, n * sizeof *values);
  return sum;
}

void host_list_check(struct example *example, const struct ir_loc *loc, const struct value_list *list,
                     uint32_t kind) {
  if (list->length == 0)
    example_fail(example, loc, "%s of an empty list",
                 kind == TRACE_LIST_SUM    ? "sum"
                 : kind == TRACE_LIST_MEAN ? "mean"
                                           : "max");
  if (list->length > UINT32_MAX)
    example_fail(example, loc, "a reduction of more than %" PRIu32 " terms", UINT32_MAX);
}

// The value ids of a list of tensors, in the order of the list.
static uint32_t *list_values(struct example *example, const struct ir_loc *loc,
                             const struct value_list *list) {
  const uint64_t *slots = list->buffer->slots + list->offset;
  uint32_t *values = example_alloc(example, loc, (list->length + 1) * sizeof *values);
  for (uint64_t i = 0; i < list->length; i++)
    values[i] = (uint32_t)slots[i];
  return values;
}

static void free_values(struct example *example, const struct value_list *list, uint32_t *values) {
  heap_free(&example->heap, values, (list->length + 1) * sizeof *values);
}

uint32_t host_list_reduce(struct example *example, const struct ir_loc *loc, const struct value_list *list,
                          uint32_t kind, uint32_t elements) {
  host_list_check(example, loc, list, kind);
  uint32_t n = (uint32_t)list->length;
  if (n == 1)
    return (uint32_t)list->buffer->slots[list->offset];
  uint32_t *values = list_values(example, loc, list);
  if (elements == HOST_VECTOR_LENGTH)
    elements = trace_common_length(example, loc, n, values);
  uint32_t result = trace_emit_list(example, loc, kind, elements, n, values);
  free_values(example, list, values);
  return result;
}

void host_list_check_length(struct example *example, const struct ir_loc *loc, const struct value_list *list,
                            int64_t length) {
  if (length == HOST_ANY_LENGTH && list->length == 0)
    example_fail(example, loc, "a list without elements is made a tensor");
  if (length != HOST_ANY_LENGTH && (int64_t)list->length != length)
    example_fail(example, loc, "a list of %" PRIu64 " elements where %" PRId64 " are wanted", list->length,
                 length);
}

uint32_t host_list_vector(struct example *example, const struct ir_loc *loc, const struct value_list *list,
                          int64_t length) {
  host_list_check_length(example, loc, list, length);
  const uint64_t *numbers = list->length ? list->buffer->slots + list->offset : NULL;
  return trace_emit_vector(example, loc, (uint32_t)list->length, numbers);
}

uint32_t host_list_stack(struct example *example, const struct ir_loc *loc, const struct value_list *list,
                         int64_t length, uint32_t elements) {
  host_list_check_length(example, loc, list, length);
  uint32_t *values = list_values(example, loc, list);
  if (length == HOST_ANY_LENGTH)
    elements = (uint32_t)list->length;
  uint32_t result = trace_emit_list(example, loc, TRACE_LIST_STACK, elements, (uint32_t)list->length, values);
  free_values(example, list, values);
  return result;
}

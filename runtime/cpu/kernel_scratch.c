// Where in the scratch memory the planned steps keep what they compute.
//
// A buffer is a row for every row of the tile when steps of several segments use it, otherwise a single row.
// Buffers of equal size whose steps do not overlap share their memory.
#include <string.h>

#include "runtime/cpu/kernel_plan.h"

// Weights are streamed once per tile, and what a tile produces must stay in the second-level cache beside
// them: measured for a Tree-LSTM node of 128 and 256 units, anything from 56 to 168 rows does.
#define TILE_ROWS 112
#define MAX_TILE_BYTES ((size_t)1 << 20)

static int64_t padded(int64_t elements) { return (int64_t)nn_row_elements((size_t)elements); }

struct place plan_buffer(struct graph *graph, size_t bytes, int64_t extent) {
  if (graph->n_buffers == graph->buffers_capacity) {
    uint32_t capacity = graph->buffers_capacity ? graph->buffers_capacity * 2 : 8;
    graph->buffers = arena_grow_array(graph->arena, graph->buffers, graph->n_buffers, capacity,
                                      sizeof *graph->buffers);
    graph->buffers_capacity = capacity;
  }
  graph->buffers[graph->n_buffers] = (struct buffer){.row_bytes = (bytes + 63) / 64 * 64};
  return (struct place){.kind = PLACE_BUFFER, .index = graph->n_buffers++, .extent = extent};
}

struct place plan_element_buffer(struct graph *graph, int64_t elements) {
  return plan_buffer(graph, (size_t)padded(elements) * nn_element_bytes(graph->element), padded(elements));
}

// ------------------------------------------------------------------------------------------------------- users

static void use_buffer(struct graph *graph, struct place place, uint32_t number) {
  if (place.kind != PLACE_BUFFER)
    return;
  struct buffer *buffer = &graph->buffers[place.index];
  uint32_t segment = graph->steps[number]->segment;
  if (buffer->segment == 0)
    buffer->first = number;
  buffer->last = number;
  buffer->per_row |= buffer->segment != 0 && buffer->segment != segment;
  buffer->segment = segment;
}

static void use_operands(struct graph *graph, struct node *node, uint32_t number);

// What step `number` reads of an expression.
static void use_expression(struct graph *graph, struct node *node, uint32_t number) {
  if (node->visited == number + 1)
    return;
  node->visited = number + 1;
  if (node->memory && node->step < number)
    use_buffer(graph, node->place, number);
  else
    use_operands(graph, node, number);
}

static void use_operands(struct graph *graph, struct node *node, uint32_t number) {
  for (uint32_t i = 0; i < node->n_operands; i++)
    use_expression(graph, node->operands[i], number);
}

static void use_buffers(struct graph *graph, uint32_t number) {
  const struct step *step = graph->steps[number];
  if (step->node != NULL) {
    use_buffer(graph, step->node->place, number);
    if (step->kind != STEP_UNPAD)
      use_operands(graph, step->node, number);
  }
  use_buffer(graph, step->result, number);
  for (uint32_t i = 0; i < step->n_targets; i++) {
    use_buffer(graph, step->targets[i].place, number);
    use_expression(graph, step->targets[i].node, number);
  }
}

// Numbers the segments: a product is one of its own, so that what it reads and writes is kept for the whole
// tile.
static void set_segments(struct graph *graph) {
  for (uint32_t i = 0; i < graph->n_steps; i++) {
    bool product = graph->steps[i]->kind == STEP_PRODUCT;
    bool fresh = i == 0 || product || graph->steps[i - 1]->kind == STEP_PRODUCT;
    graph->n_segments += fresh;
    graph->steps[i]->segment = graph->n_segments;
    use_buffers(graph, i);
  }
}

// ------------------------------------------------------------------------------------------------------- slots

// A piece of scratch memory that serves one buffer after another.
struct slot {
  size_t row_bytes;
  bool per_row;
  size_t offset;
  uint32_t next;  // free one of the same kind, or HASH_INDEX_NONE
};

// Slots that are free, by kind.
struct slot_kind {
  size_t row_bytes;
  bool per_row;
  uint32_t free;
};

struct slots {
  struct graph *graph;
  uint32_t n, n_kinds;
  struct slot *all;         // [buffer]: there are no more slots than buffers
  struct slot_kind *kinds;  // likewise
  struct hash_index index;  // of the kinds
  uint32_t *slot_of;        // [buffer]
};

struct kind_key {
  const struct slots *slots;
  const struct buffer *buffer;
};

static bool is_kind(const void *context, uint32_t item) {
  const struct kind_key *key = context;
  const struct slot_kind *kind = &key->slots->kinds[item];
  return kind->row_bytes == key->buffer->row_bytes && kind->per_row == key->buffer->per_row;
}

static struct slot_kind *kind_of(struct slots *slots, const struct buffer *buffer) {
  uint64_t hash = hash_mix(buffer->row_bytes, buffer->per_row);
  uint32_t found = hash_index_find(&slots->index, hash, is_kind, &(struct kind_key){slots, buffer});
  if (found != HASH_INDEX_NONE)
    return &slots->kinds[found];
  hash_index_add(&slots->index, hash, slots->n_kinds);
  struct slot_kind *kind = &slots->kinds[slots->n_kinds++];
  *kind = (struct slot_kind){buffer->row_bytes, buffer->per_row, HASH_INDEX_NONE};
  return kind;
}

static void take_slot(struct slots *slots, uint32_t number) {
  const struct buffer *buffer = &slots->graph->buffers[number];
  struct slot_kind *kind = kind_of(slots, buffer);
  uint32_t slot = kind->free;
  if (slot == HASH_INDEX_NONE) {
    slot = slots->n++;
    slots->all[slot] = (struct slot){.row_bytes = buffer->row_bytes, .per_row = buffer->per_row};
  } else {
    kind->free = slots->all[slot].next;
  }
  slots->slot_of[number] = slot;
}

static void give_slot_back(struct slots *slots, uint32_t number) {
  struct slot_kind *kind = kind_of(slots, &slots->graph->buffers[number]);
  uint32_t slot = slots->slot_of[number];
  slots->all[slot].next = kind->free;
  kind->free = slot;
}

// Buffers by a step: a list each, through next[buffer].
struct lists {
  uint32_t *first;  // [step] buffer, or HASH_INDEX_NONE
  uint32_t *next;
};

static struct lists new_lists(struct graph *graph) {
  struct lists lists = {arena_new_array(graph->arena, uint32_t, graph->n_steps),
                        arena_new_array(graph->arena, uint32_t, graph->n_buffers)};
  memset(lists.first, 0xff, graph->n_steps * sizeof *lists.first);
  return lists;
}

static void add_to_list(struct lists *lists, uint32_t step, uint32_t buffer) {
  lists->next[buffer] = lists->first[step];
  lists->first[step] = buffer;
}

// A step's own buffers are taken before those are given back that it reads last.
static struct slots assign_slots(struct graph *graph) {
  struct slots slots = {.graph = graph, .index = hash_index_new(graph->arena)};
  slots.all = arena_new_array(graph->arena, struct slot, graph->n_buffers);
  slots.kinds = arena_new_array(graph->arena, struct slot_kind, graph->n_buffers);
  slots.slot_of = arena_new_array(graph->arena, uint32_t, graph->n_buffers);
  struct lists begins = new_lists(graph), ends = new_lists(graph);
  for (uint32_t i = graph->n_buffers; i-- > 0;)
    if (graph->buffers[i].segment != 0) {
      add_to_list(&begins, graph->buffers[i].first, i);
      add_to_list(&ends, graph->buffers[i].last, i);
    }
  for (uint32_t step = 0; step < graph->n_steps; step++) {
    for (uint32_t i = begins.first[step]; i != HASH_INDEX_NONE; i = begins.next[i])
      take_slot(&slots, i);
    for (uint32_t i = ends.first[step]; i != HASH_INDEX_NONE; i = ends.next[i])
      give_slot_back(&slots, i);
  }
  return slots;
}

// ------------------------------------------------------------------------------------------------------ layout

static void set_tile_rows(struct graph *graph, size_t row_bytes) {
  graph->tile_rows = TILE_ROWS;
  if (row_bytes > MAX_TILE_BYTES / TILE_ROWS)
    graph->tile_rows = (int64_t)(MAX_TILE_BYTES / row_bytes);
  if (graph->tile_rows == 0)
    graph->tile_rows = 1;
}

void plan_scratch(struct graph *graph) {
  set_segments(graph);
  struct slots slots = assign_slots(graph);
  size_t tile_bytes = 0, pointers = 0;
  for (uint32_t i = 0; i < slots.n; i++)
    tile_bytes += slots.all[i].per_row ? slots.all[i].row_bytes : 0;
  for (uint32_t i = 0; i < graph->n_steps; i++)
    if (graph->steps[i]->kind == STEP_PRODUCT) {
      size_t wanted = (size_t)graph->steps[i]->rows * sizeof(void *);
      pointers = wanted > pointers ? wanted : pointers;
    }
  if (pointers > 0)
    set_tile_rows(graph, tile_bytes + pointers);
  graph->scratch_bytes = (pointers * (size_t)graph->tile_rows + 63) / 64 * 64;
  for (uint32_t i = 0; i < slots.n; i++) {
    slots.all[i].offset = graph->scratch_bytes;
    graph->scratch_bytes += slots.all[i].row_bytes * (slots.all[i].per_row ? (size_t)graph->tile_rows : 1);
  }
  for (uint32_t i = 0; i < graph->n_buffers; i++)
    if (graph->buffers[i].segment != 0)
      graph->buffers[i].offset = slots.all[slots.slot_of[i]].offset;
}

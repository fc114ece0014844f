// Numbers, addresses and vectors of a kernel.
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/cpu/kernel_emit.h"

// ------------------------------------------------------------------------------------------------- addresses

void emit_begin_row(struct emission *e, LLVMValueRef row, LLVMValueRef local) {
  e->row = row;
  e->local = local;
  e->row_round++;
  e->n_bases = 0;
  hash_index_clear(&e->base_index);
}

static LLVMValueRef word(struct emission *e, int64_t value) { return codegen_word(&e->cg, value); }

static int64_t element_bytes(const struct emission *e) { return (int64_t)nn_element_bytes(e->cg.element); }

LLVMValueRef emit_index(struct emission *e, struct node_index index, int64_t limit) {
  struct codegen *cg = &e->cg;
  if (index.input < 0)
    return word(e, index.constant < 0 ? 0 : index.constant >= limit ? limit - 1 : index.constant);
  LLVMValueRef value = codegen_load(
      cg, cg->int32,
      codegen_at(cg, cg->int32, emit_array_element(e, EMIT_INDICES, (uint32_t)index.input), e->row));
  // Host code has checked it. Should it ever fail to, a wrong number is better than a wild address.
  value = LLVMBuildZExt(cg->builder, value, cg->int64, "");
  LLVMValueRef last = word(e, limit - 1);
  LLVMValueRef inside = LLVMBuildICmp(cg->builder, LLVMIntULT, value, last, "");
  return LLVMBuildSelect(cg->builder, inside, value, last, "");
}

// `rows` rows of `stride` elements after `pointer`.
static LLVMValueRef skip_rows(struct emission *e, LLVMValueRef pointer, LLVMValueRef rows,
                              int64_t stride_bytes) {
  return codegen_at_byte(&e->cg, pointer, LLVMBuildMul(e->cg.builder, rows, word(e, stride_bytes), ""));
}

static LLVMValueRef row_by_offset(struct emission *e, LLVMValueRef arena, uint32_t input) {
  struct codegen *cg = &e->cg;
  LLVMValueRef offset =
      codegen_load(cg, cg->int32, codegen_at(cg, cg->int32, emit_array_element(e, EMIT_ROWS, input), e->row));
  return skip_rows(e, arena, LLVMBuildZExt(cg->builder, offset, cg->int64, ""), NN_LANES * element_bytes(e));
}

static LLVMValueRef new_base(struct emission *e, const struct place *place) {
  int64_t stride_bytes = place->stride * element_bytes(e);
  switch (place->kind) {
  case PLACE_INPUT: return row_by_offset(e, emit_values_base(e), place->index);
  case PLACE_INPUT_GRADIENT: return row_by_offset(e, emit_gradients_base(e), place->index);
  case PLACE_SAVED:
  case PLACE_OUTPUT:
    return skip_rows(e, emit_array_element(e, EMIT_OUTPUTS, place->index), e->row, stride_bytes);
  case PLACE_GRADIENT:
    return skip_rows(e, emit_array_element(e, EMIT_OUTPUT_GRADIENTS, place->index), e->row, stride_bytes);
  case PLACE_SINK: return skip_rows(e, emit_array_element(e, EMIT_SINKS, place->index), e->row, stride_bytes);
  case PLACE_PARAM: return emit_array_element(e, EMIT_PARAMS, place->index);
  case PLACE_BUFFER: {
    const struct buffer *buffer = &e->graph->buffers[place->index];
    LLVMValueRef base = codegen_at_byte(&e->cg, e->scratch, word(e, (int64_t)buffer->offset));
    return buffer->per_row ? skip_rows(e, base, e->local, (int64_t)buffer->row_bytes) : base;
  }
  default: assert(!"a place without a base"); return NULL;
  }
}

static bool same_base(const struct place *a, const struct place *b) {
  return a->kind == b->kind && a->index == b->index && a->indexed == b->indexed &&
         (!a->indexed || (a->at.input == b->at.input && a->at.constant == b->at.constant &&
                          a->at_stride == b->at_stride && a->at_limit == b->at_limit));
}

struct base_key {
  const struct emission *e;
  const struct place *place;
};

static bool is_base(const void *context, uint32_t item) {
  const struct base_key *key = context;
  return same_base(&key->e->bases[item].place, key->place);
}

static uint64_t hash_base(const struct place *place) {
  uint64_t hash = hash_mix(place->kind, place->index);
  if (place->indexed)
    hash = hash_mix(hash_mix(hash, (uint32_t)place->at.input), (uint64_t)place->at.constant);
  return hash;
}

LLVMValueRef emit_base(struct emission *e, struct place place) {
  uint64_t hash = hash_base(&place);
  uint32_t found = hash_index_find(&e->base_index, hash, is_base, &(struct base_key){e, &place});
  if (found != HASH_INDEX_NONE)
    return e->bases[found].address;
  assert(!e->in_chunk && "the base was not prepared");
  LLVMValueRef base = new_base(e, &place);
  if (place.indexed)
    base = skip_rows(e, base, emit_index(e, place.at, place.at_limit), place.at_stride * element_bytes(e));
  if (e->n_bases == e->bases_capacity) {
    uint32_t capacity = e->bases_capacity ? e->bases_capacity * 2 : 16;
    e->bases = arena_grow_array(e->graph->arena, e->bases, e->n_bases, capacity, sizeof *e->bases);
    e->bases_capacity = capacity;
  }
  hash_index_add(&e->base_index, hash, e->n_bases);
  e->bases[e->n_bases++] = (struct known_base){place, base};
  return base;
}

static LLVMValueRef at_bytes(struct emission *e, LLVMValueRef base, int64_t bytes) {
  return bytes == 0 ? base : codegen_at_byte(&e->cg, base, word(e, bytes));
}

LLVMValueRef emit_address(struct emission *e, struct place place, LLVMValueRef element) {
  LLVMValueRef base = at_bytes(e, emit_base(e, place), place.offset * element_bytes(e));
  return codegen_at(&e->cg, e->cg.real, base, element);
}

// ------------------------------------------------------------------------------------------------ operations

static LLVMValueRef zero_like(struct emission *e, LLVMValueRef a) { return codegen_real_like(&e->cg, a, 0); }

// a / (1 - p) where the word is not below the threshold, otherwise 0: see draws.h.
static LLVMValueRef dropout(struct emission *e, const struct node *node, LLVMValueRef a, LLVMValueRef words) {
  struct codegen *cg = &e->cg;
  if (node->number >= 1)
    return zero_like(e, a);
  uint64_t threshold = (uint64_t)(node->number * 4294967296.0 + 0.5);
  if (threshold > UINT32_MAX)
    return zero_like(e, a);
  LLVMValueRef least = codegen_int_constant(LLVMTypeOf(words), (int64_t)threshold);
  LLVMValueRef keep = LLVMBuildICmp(cg->builder, LLVMIntUGE, words, least, "");
  LLVMValueRef scaled = LLVMBuildFMul(cg->builder, a, codegen_real_like(cg, a, 1 / (1 - node->number)), "");
  return LLVMBuildSelect(cg->builder, keep, scaled, zero_like(e, a), "");
}

static LLVMValueRef words_at(struct emission *e, const struct node *draws, LLVMValueRef element,
                             unsigned lanes) {
  LLVMValueRef address = codegen_at(&e->cg, e->cg.int32, emit_base(e, draws->place), element);
  return codegen_load(&e->cg, codegen_lanes(&e->cg, e->cg.int32, lanes), address);
}

// ------------------------------------------------------------------------------------------ numbers of a row

static LLVMValueRef host_number(struct emission *e, const struct node *node) {
  struct codegen *cg = &e->cg;
  if (node->integer) {
    LLVMValueRef address = codegen_at(cg, cg->int32, emit_array_element(e, EMIT_INDICES, node->index),
                                      e->row);
    return LLVMBuildSIToFP(cg->builder, codegen_load(cg, cg->int32, address), cg->real, "");
  }
  LLVMTypeRef wide = LLVMDoubleTypeInContext(cg->context);
  LLVMValueRef number = LLVMBuildLoad2(
      cg->builder, wide, codegen_at(cg, wide, emit_array_element(e, EMIT_NUMBERS, node->index), e->row), "");
  return cg->element == NN_F32 ? LLVMBuildFPTrunc(cg->builder, number, cg->real, "") : number;
}

static LLVMValueRef load_scalar(struct emission *e, struct place place, LLVMValueRef element) {
  return codegen_load(&e->cg, e->cg.real, emit_address(e, place, element));
}

LLVMValueRef emit_computed_scalar(struct emission *e, struct node *node) {
  switch (node->op) {
  case IR_OP_CONSTANT: return codegen_real(&e->cg, 1, node->number);
  case NODE_HOST: return host_number(e, node);
  case IR_OP_PICK: {
    struct node *from = node->operands[0];
    return load_scalar(e, graph_place(e->graph, from), emit_index(e, node->at, from->n));
  }
  case IR_OP_BROADCAST: return emit_scalar(e, node->operands[0]);
  case IR_OP_DROPOUT:
    return dropout(e, node, emit_scalar(e, node->operands[0]), words_at(e, node->operands[1], word(e, 0), 1));
  default: break;
  }
  if (!node_is_elementwise(node))
    return load_scalar(e, graph_place(e->graph, node), word(e, 0));
  LLVMValueRef a = emit_scalar(e, node->operands[0]);
  LLVMValueRef b = node->n_operands > 1 ? emit_scalar(e, node->operands[1]) : NULL;
  return emit_value(&e->cg, node->op, a, b);
}

bool emit_is_read(const struct emission *e, const struct node *node) {
  return node->memory && node->step < e->step;
}

LLVMValueRef emit_scalar(struct emission *e, struct node *node) {
  struct known *known = &e->scalars[node->id];
  if (known->round == e->row_round)
    return known->value;
  assert(!e->in_chunk && "the number was not prepared");
  LLVMValueRef value = emit_is_read(e, node) ? load_scalar(e, node->place, word(e, 0))
                                             : emit_computed_scalar(e, node);
  *known = (struct known){value, e->row_round};
  return value;
}

// ----------------------------------------------------------------------------------------------------- vectors

void emit_prepare(struct emission *e, struct node *node) {
  if (e->prepared[node->id] == e->step + 1)
    return;
  e->prepared[node->id] = e->step + 1;
  if (node_is_scalar(node)) {
    emit_scalar(e, node);
    return;
  }
  if (emit_is_read(e, node)) {
    emit_base(e, node->place);
    return;
  }
  struct place place = node->memory ? (struct place){.kind = PLACE_NONE} : graph_place(e->graph, node);
  if (place.kind != PLACE_NONE) {
    emit_base(e, place);
    return;
  }
  for (uint32_t i = 0; i < node->n_operands; i++)
    emit_prepare(e, node->operands[i]);
}

// Lanes' distance from a position that is the same for all: position - shift - index, as int32.
static LLVMValueRef one_at(struct emission *e, LLVMValueRef position, int64_t shift) {
  struct codegen *cg = &e->cg;
  LLVMValueRef first = LLVMBuildAdd(cg->builder, e->index, word(e, shift), "");
  LLVMValueRef distance = LLVMBuildTrunc(cg->builder, LLVMBuildSub(cg->builder, position, first, ""),
                                         cg->int32, "");
  LLVMValueRef here = LLVMBuildICmp(cg->builder, LLVMIntEQ, codegen_splat(cg, distance, cg->lanes),
                                    codegen_iota(cg, cg->lanes), "");
  return LLVMBuildSelect(cg->builder, here, codegen_real(cg, cg->lanes, 1), codegen_real(cg, cg->lanes, 0),
                         "");
}

LLVMValueRef emit_load_chunk(struct emission *e, struct place place, int64_t shift) {
  struct codegen *cg = &e->cg;
  LLVMTypeRef vector = codegen_lanes(cg, cg->real, cg->lanes);
  LLVMValueRef base = at_bytes(e, emit_base(e, place), (place.offset + shift) * element_bytes(e));
  LLVMValueRef address = codegen_at(cg, cg->real, base, e->index);
  bool inside = e->valid == cg->lanes ||
                e->known_index + place.offset + shift + (int64_t)cg->lanes <= place.extent;
  return codegen_load_prefix(cg, vector, address, inside ? cg->lanes : e->valid);
}

void emit_store_chunk(struct emission *e, struct place place, LLVMValueRef value, bool may_fill_padding) {
  struct codegen *cg = &e->cg;
  bool whole = may_fill_padding && e->known_index >= 0 && e->known_index + (int64_t)cg->lanes <= place.extent;
  codegen_store_prefix(cg, value, emit_address(e, place, e->index), whole ? cg->lanes : e->valid);
}

// The last part of a concatenation that begins at `at` or before.
static uint32_t part_at(const struct node *node, int64_t at) {
  uint32_t low = 0, high = node->n_operands;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    *(node->part_begin[middle] <= at ? &low : &high) = middle;
  }
  return low;
}

// The part of a concatenation that the whole region reads.
static LLVMValueRef joined_vector(struct emission *e, struct node *node, int64_t shift) {
  uint32_t part = part_at(node, e->region_begin + shift);
  return emit_vector(e, node->operands[part], shift - node->part_begin[part]);
}

static LLVMValueRef padded_vector(struct emission *e, struct node *node, int64_t shift) {
  struct node *part = node->operands[0];
  int64_t from = e->region_begin + shift - node->offset;
  return from >= 0 && from < part->n ? emit_vector(e, part, shift - node->offset)
                                     : codegen_real(&e->cg, e->cg.lanes, 0);
}

LLVMValueRef emit_computed_vector(struct emission *e, struct node *node, int64_t shift) {
  struct codegen *cg = &e->cg;
  switch (node->op) {
  case IR_OP_CONSTANT: return codegen_real(cg, cg->lanes, node->number);
  case IR_OP_ONEHOT: return one_at(e, emit_index(e, node->at, node->n), shift);
  case IR_OP_SLICE: return emit_vector(e, node->operands[0], shift + node->offset);
  case IR_OP_CONCAT: return joined_vector(e, node, shift);
  case IR_OP_PAD: return padded_vector(e, node, shift);
  case IR_OP_BROADCAST: return emit_vector(e, node->operands[0], 0);
  case IR_OP_DROPOUT: {
    LLVMValueRef a = emit_vector(e, node->operands[0], shift);
    LLVMValueRef element = LLVMBuildAdd(cg->builder, e->index, word(e, shift), "");
    return dropout(e, node, a, words_at(e, node->operands[1], element, cg->lanes));
  }
  default: break;
  }
  if (!node_is_elementwise(node))
    return emit_load_chunk(e, graph_place(e->graph, node), shift);
  LLVMValueRef a = emit_vector(e, node->operands[0], shift);
  LLVMValueRef b = node->n_operands > 1 ? emit_vector(e, node->operands[1], shift) : NULL;
  return emit_value(&e->cg, node->op, a, b);
}

struct vector_key {
  const struct emission *e;
  const struct node *node;
  int64_t shift;
};

static bool is_vector(const void *context, uint32_t item) {
  const struct vector_key *key = context;
  const struct known_vector *known = &key->e->vectors[item];
  return known->node == key->node && known->shift == key->shift;
}

static void remember_vector(struct emission *e, uint64_t hash, struct known_vector known) {
  if (e->n_vectors == e->vectors_capacity) {
    uint32_t capacity = e->vectors_capacity ? e->vectors_capacity * 2 : 32;
    e->vectors = arena_grow_array(e->graph->arena, e->vectors, e->n_vectors, capacity, sizeof *e->vectors);
    e->vectors_capacity = capacity;
  }
  hash_index_add(&e->vector_index, hash, e->n_vectors);
  e->vectors[e->n_vectors++] = known;
}

LLVMValueRef emit_vector(struct emission *e, struct node *node, int64_t shift) {
  if (node_is_scalar(node))
    return codegen_splat(&e->cg, emit_scalar(e, node), e->cg.lanes);
  uint64_t hash = hash_mix(node->id, (uint64_t)shift);
  uint32_t found = hash_index_find(&e->vector_index, hash, is_vector, &(struct vector_key){e, node, shift});
  if (found != HASH_INDEX_NONE)
    return e->vectors[found].value;
  LLVMValueRef value = emit_is_read(e, node) ? emit_load_chunk(e, node->place, shift)
                                             : emit_computed_vector(e, node, shift);
  remember_vector(e, hash, (struct known_vector){node, shift, value});
  return value;
}

// ----------------------------------------------------------------------------------------- loops over elements

// Where a loop is cut: in any order, with repetitions, until sorted.
struct cuts {
  struct emission *e;
  uint32_t n, capacity;
  int64_t *at;
};

static void cut(struct cuts *cuts, int64_t at) {
  if (cuts->n == cuts->capacity) {
    uint32_t capacity = cuts->capacity ? cuts->capacity * 2 : 16;
    cuts->at = arena_grow_array(cuts->e->graph->arena, cuts->at, cuts->n, capacity, sizeof *cuts->at);
    cuts->capacity = capacity;
  }
  cuts->at[cuts->n++] = at;
}

static int by_position(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void sort_cuts(struct cuts *cuts) {
  qsort(cuts->at, cuts->n, sizeof *cuts->at, by_position);
  uint32_t n = 0;
  for (uint32_t i = 0; i < cuts->n; i++)
    if (n == 0 || cuts->at[n - 1] != cuts->at[i])
      cuts->at[n++] = cuts->at[i];
  cuts->n = n;
}

struct cuts_key {
  const struct emission *e;
  struct known_cuts wanted;
};

static bool is_looked_at(const void *context, uint32_t item) {
  const struct cuts_key *key = context;
  const struct known_cuts *known = &key->e->cuts_known[item], *wanted = &key->wanted;
  return known->node == wanted->node && known->shift == wanted->shift && known->begin == wanted->begin &&
         known->end == wanted->end;
}

// Whether [begin, end) of a node has been looked at; from now on it has.
static bool has_been_looked_at(struct emission *e, struct known_cuts wanted) {
  uint64_t hash = hash_mix(hash_mix(wanted.node->id, (uint64_t)wanted.shift), (uint64_t)wanted.begin);
  hash = hash_mix(hash, (uint64_t)wanted.end);
  if (hash_index_find(&e->cuts_index, hash, is_looked_at, &(struct cuts_key){e, wanted}) != HASH_INDEX_NONE)
    return true;
  if (e->n_cuts_known == e->cuts_capacity) {
    uint32_t capacity = e->cuts_capacity ? e->cuts_capacity * 2 : 32;
    e->cuts_known = arena_grow_array(e->graph->arena, e->cuts_known, e->n_cuts_known, capacity,
                                     sizeof *e->cuts_known);
    e->cuts_capacity = capacity;
  }
  hash_index_add(&e->cuts_index, hash, e->n_cuts_known);
  e->cuts_known[e->n_cuts_known++] = wanted;
  return false;
}

// Cuts [begin, end) where what `node` reads changes.
static void find_cuts(struct cuts *cuts, struct node *node, int64_t shift, int64_t begin, int64_t end) {
  if (node->cuts == 0 || node_is_scalar(node) || emit_is_read(cuts->e, node) ||
      has_been_looked_at(cuts->e, (struct known_cuts){node, shift, begin, end}))
    return;
  if (node->op != IR_OP_CONCAT && node->op != IR_OP_PAD) {
    shift += node->op == IR_OP_SLICE ? node->offset : 0;
    for (uint32_t i = 0; i < node->n_operands; i++)
      find_cuts(cuts, node->operands[i], shift, begin, end);
    return;
  }
  for (uint32_t i = 0; i < node->n_operands; i++) {
    int64_t part_begin = (node->op == IR_OP_PAD ? node->offset : node->part_begin[i]) - shift;
    int64_t part_end = part_begin + node->operands[i]->n;
    int64_t from = part_begin > begin ? part_begin : begin, to = part_end < end ? part_end : end;
    if (from < to) {
      cut(cuts, from);
      cut(cuts, to);
      find_cuts(cuts, node->operands[i], -part_begin, from, to);
    }
  }
}

struct chunk_body {
  emit_body_fn *body;
  void *context;
  LLVMValueRef *carried;
};

static void emit_chunk(struct emission *e, const struct chunk_body *b, LLVMValueRef index, int64_t known,
                       unsigned valid) {
  e->index = index;
  e->known_index = known;
  e->valid = valid;
  e->n_vectors = 0;
  hash_index_clear(&e->vector_index);
  e->in_chunk = true;
  b->body(e, b->context, b->carried);
  e->in_chunk = false;
}

static void emit_region(struct emission *e, const struct chunk_body *b, unsigned n_carried) {
  int64_t lanes = e->cg.lanes, begin = e->region_begin, whole = (e->region_end - begin) / lanes * lanes;
  if (whole == lanes) {
    emit_chunk(e, b, word(e, begin), begin, e->cg.lanes);
  } else if (whole > 0) {
    struct codegen_loop loop;
    codegen_loop_begin(&e->cg, &loop, word(e, begin), word(e, begin + whole), word(e, lanes), n_carried,
                       b->carried);
    for (unsigned i = 0; i < n_carried; i++)
      b->carried[i] = loop.carried[i];
    emit_chunk(e, b, loop.index, -1, e->cg.lanes);
    codegen_loop_end(&e->cg, &loop, b->carried);
    for (unsigned i = 0; i < n_carried; i++)
      b->carried[i] = loop.carried[i];
  }
  if (begin + whole < e->region_end)
    emit_chunk(e, b, word(e, begin + whole), begin + whole, (unsigned)(e->region_end - begin - whole));
}

void emit_elements(struct emission *e, int64_t n, uint32_t n_nodes, struct node *const *nodes,
                   unsigned n_carried, LLVMValueRef *carried, emit_body_fn *body, void *context) {
  struct cuts cuts = {.e = e};
  cut(&cuts, 0);
  cut(&cuts, n);
  e->n_cuts_known = 0;
  hash_index_clear(&e->cuts_index);
  for (uint32_t i = 0; i < n_nodes; i++)
    find_cuts(&cuts, nodes[i], 0, 0, n);
  sort_cuts(&cuts);
  struct chunk_body b = {body, context, carried};
  for (uint32_t i = 0; i + 1 < cuts.n; i++) {
    e->region_begin = cuts.at[i];
    e->region_end = cuts.at[i + 1];
    emit_region(e, &b, n_carried);
  }
}

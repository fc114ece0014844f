// Numbers, addresses and vectors of a kernel.
#include <assert.h>
#include <math.h>

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
  if (index.input < 0)
    return word(e, index.constant < 0 ? 0 : index.constant >= limit ? limit - 1 : index.constant);
  return emit_index_below(e, index, word(e, limit));
}

LLVMValueRef emit_index_below(struct emission *e, struct node_index index, LLVMValueRef limit) {
  struct codegen *cg = &e->cg;
  LLVMValueRef value = word(e, index.constant);
  if (index.input >= 0) {
    value = codegen_load(
        cg, cg->int32,
        codegen_at(cg, cg->int32, emit_array_element(e, EMIT_INDICES, (uint32_t)index.input), e->row));
    value = LLVMBuildZExt(cg->builder, value, cg->int64, "");
  }
  // Host code has checked it. Should it ever fail to, a wrong number is better than a wild address.
  LLVMValueRef last = LLVMBuildSub(cg->builder, limit, word(e, 1), "");
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
  bool same = a->kind == b->kind && a->index == b->index && a->n_at == b->n_at;
  for (uint32_t i = 0; i < a->n_at && same; i++)
    same = a->at[i].at.input == b->at[i].at.input && a->at[i].at.constant == b->at[i].at.constant &&
           a->at[i].stride == b->at[i].stride && a->at[i].limit == b->at[i].limit;
  return same;
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
  for (uint32_t i = 0; i < place->n_at; i++)
    hash = hash_mix(hash_mix(hash, (uint32_t)place->at[i].at.input), (uint64_t)place->at[i].at.constant);
  return hash;
}

LLVMValueRef emit_base(struct emission *e, struct place place) {
  uint64_t hash = hash_base(&place);
  uint32_t found = hash_index_find(&e->base_index, hash, is_base, &(struct base_key){e, &place});
  if (found != HASH_INDEX_NONE)
    return e->bases[found].address;
  assert(!e->in_chunk && "the base was not prepared");
  LLVMValueRef base = new_base(e, &place);
  for (uint32_t i = 0; i < place.n_at; i++)
    base = skip_rows(e, base, emit_index(e, place.at[i].at, place.at[i].limit),
                     place.at[i].stride * element_bytes(e));
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
LLVMValueRef emit_dropout(struct emission *e, const struct node *node, LLVMValueRef a, LLVMValueRef words) {
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

static LLVMValueRef first_word(struct emission *e, const struct node *draws) {
  return codegen_load(&e->cg, e->cg.int32, emit_base(e, draws->place));
}

// ------------------------------------------------------------------------------------------ numbers of a row

LLVMValueRef emit_host_number(struct emission *e, const struct node *node) {
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

static LLVMValueRef computed_scalar(struct emission *e, struct node *node) {
  switch (node->op) {
  case IR_OP_CONSTANT: return codegen_real(&e->cg, 1, node->number);
  case NODE_HOST: return emit_host_number(e, node);
  case IR_OP_PICK: {
    struct node *from = node->operands[0];
    return load_scalar(e, graph_place(e->graph, from), emit_index(e, node->at, from->n));
  }
  case IR_OP_DROPOUT:
    return emit_dropout(e, node, emit_scalar(e, node->operands[0]), first_word(e, node->operands[1]));
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
                                             : computed_scalar(e, node);
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

// How the chunk's elements lie in a value: offset + position + lane * step.
struct chunk_access {
  int64_t offset, step;
  LLVMValueRef position;  // what the loops around the chunk's add; NULL: nothing
};

static struct chunk_access access_of(struct emission *e, const struct index_map *map,
                                     const struct index_shape *value) {
  const struct emit_frame *frame = &e->frame;
  struct index_strides strides = index_map_strides(map, &frame->space, value);
  struct chunk_access access = {.offset = strides.offset};
  for (uint32_t i = 0; i < frame->groups.n; i++) {
    int64_t step = index_group_stride(&strides, &frame->groups, frame->space.rank, i);
    if (i == e->inner) {
      access.step = step;
    } else if (step != 0) {
      LLVMValueRef part = LLVMBuildMul(e->cg.builder, e->at[i], word(e, step), "");
      access.position = access.position == NULL ? part
                                                : LLVMBuildAdd(e->cg.builder, access.position, part, "");
    }
  }
  return access;
}

// Where the chunk's first element lies, which is `offset` elements from there already.
static LLVMValueRef chunk_address(struct emission *e, LLVMTypeRef item, LLVMValueRef base,
                                  const struct chunk_access *access) {
  struct codegen *cg = &e->cg;
  if (access->position != NULL)
    base = codegen_at(cg, item, base, access->position);
  if (access->step == 0)
    return base;
  LLVMValueRef index = e->index;
  if (access->step != 1)
    index = LLVMBuildMul(cg->builder, index, word(e, access->step), "");
  return codegen_at(cg, item, base, index);
}

// Elements that do not lie side by side.
static LLVMValueRef load_scattered(struct emission *e, LLVMTypeRef item, LLVMValueRef address, int64_t step) {
  struct codegen *cg = &e->cg;
  LLVMValueRef vector = LLVMConstNull(codegen_lanes(cg, item, cg->lanes));
  for (unsigned i = 0; i < e->valid; i++) {
    LLVMValueRef x = codegen_load(cg, item, codegen_at(cg, item, address, word(e, step * (int64_t)i)));
    vector = LLVMBuildInsertElement(cg->builder, vector, x, LLVMConstInt(cg->int32, i, 0), "");
  }
  return vector;
}

// Loads the first `lanes` that lie side by side, however many are wanted otherwise.
static LLVMValueRef load_lanes(struct emission *e, LLVMTypeRef item, LLVMValueRef base,
                               const struct chunk_access *access, unsigned lanes) {
  struct codegen *cg = &e->cg;
  LLVMValueRef address = chunk_address(e, item, base, access);
  if (access->step == 0)
    return codegen_splat(cg, codegen_load(cg, item, address), cg->lanes);
  if (access->step != 1)
    return load_scattered(e, item, address, access->step);
  return codegen_load_prefix(cg, codegen_lanes(cg, item, cg->lanes), address, lanes);
}

// One of the lanes, or none, is the element at a position of the value: 1 there, 0 elsewhere.
static LLVMValueRef one_at(struct emission *e, LLVMValueRef position, const struct index_map *map,
                           const struct index_shape *value) {
  struct codegen *cg = &e->cg;
  struct chunk_access access = access_of(e, map, value);
  LLVMValueRef first = access.position, lanes = codegen_iota(cg, cg->lanes);
  if (access.step != 0)
    first = access.step == 1 ? e->index : LLVMBuildMul(cg->builder, e->index, word(e, access.step), "");
  if (access.step != 0 && access.position != NULL)
    first = LLVMBuildAdd(cg->builder, first, access.position, "");
  first = first == NULL ? word(e, access.offset)
                        : LLVMBuildAdd(cg->builder, first, word(e, access.offset), "");
  LLVMValueRef distance = LLVMBuildTrunc(cg->builder, LLVMBuildSub(cg->builder, position, first, ""),
                                         cg->int32, "");
  if (access.step != 1)
    lanes = LLVMBuildMul(cg->builder, lanes, codegen_int_constant(LLVMTypeOf(lanes), access.step), "");
  LLVMValueRef here = LLVMBuildICmp(cg->builder, LLVMIntEQ, codegen_splat(cg, distance, cg->lanes), lanes,
                                    "");
  return LLVMBuildSelect(cg->builder, here, codegen_real(cg, cg->lanes, 1), codegen_real(cg, cg->lanes, 0),
                         "");
}

LLVMValueRef emit_load_chunk(struct emission *e, struct place place, const struct index_map *map,
                             const struct index_shape *value) {
  struct codegen *cg = &e->cg;
  struct chunk_access access = access_of(e, map, value);
  LLVMValueRef base = at_bytes(e, emit_base(e, place), (place.offset + access.offset) * element_bytes(e));
  // What a whole vector reads behind the valid lanes must be there.
  int64_t begin = e->known_index + place.offset + access.offset;
  bool inside = e->valid == cg->lanes ||
                (access.position == NULL && begin + (int64_t)cg->lanes <= place.extent);
  return load_lanes(e, cg->real, base, &access, inside ? cg->lanes : e->valid);
}

void emit_store_chunk(struct emission *e, struct place place, const struct index_map *map,
                      const struct index_shape *value_shape, LLVMValueRef value, bool may_fill_padding) {
  struct codegen *cg = &e->cg;
  struct chunk_access access = access_of(e, map, value_shape);
  bool whole = may_fill_padding && access.position == NULL && e->known_index >= 0 &&
               e->known_index + (int64_t)cg->lanes <= place.extent;
  LLVMValueRef base = at_bytes(e, emit_base(e, place), (place.offset + access.offset) * element_bytes(e));
  codegen_store_prefix(cg, value, chunk_address(e, cg->real, base, &access), whole ? cg->lanes : e->valid);
}

LLVMValueRef emit_point(struct emission *e, struct place place, const struct index_map *map,
                        const struct index_shape *value) {
  struct chunk_access access = access_of(e, map, value);
  access.step = 0;
  LLVMValueRef base = at_bytes(e, emit_base(e, place), (place.offset + access.offset) * element_bytes(e));
  return chunk_address(e, e->cg.real, base, &access);
}

// Where the box begins along an axis of a node that is cut, which is the outermost of its group.
static int64_t box_begin(const struct emission *e, const struct index_map *map, uint32_t axis) {
  int64_t begin = map->begin[axis];
  int follows = map->axis[axis];
  int group = follows == INDEX_FIXED ? INDEX_FIXED : e->frame.groups.group[follows];
  return group == INDEX_FIXED ? begin : begin + e->box.begin[group] / e->frame.groups.inner[follows];
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

static LLVMValueRef operand_vector(struct emission *e, struct node *node, uint32_t operand,
                                   const struct index_map *map) {
  struct index_map own = node_map(node, operand), whole = index_map_compose(map, &own);
  return emit_vector(e, node->operands[operand], &whole);
}

static LLVMValueRef padded_vector(struct emission *e, struct node *node, const struct index_map *map) {
  const struct node *part = node->operands[0];
  for (uint32_t i = 0; i < node->rank; i++) {
    int64_t from = box_begin(e, map, i) + node->map.begin[i];
    if (part->size[i] < node->size[i] && (from < 0 || from >= part->size[i]))
      return codegen_real(&e->cg, e->cg.lanes, 0);
  }
  return operand_vector(e, node, 0, map);
}

// Words of a dropout's draws, whole vectors of them: there are more than elements.
static LLVMValueRef words_at(struct emission *e, const struct node *draws, const struct index_map *map) {
  struct index_shape shape = node_shape(draws);
  struct chunk_access access = access_of(e, map, &shape);
  LLVMValueRef base = at_bytes(e, emit_base(e, draws->place), access.offset * 4);
  return load_lanes(e, e->cg.int32, base, &access, e->cg.lanes);
}

static LLVMValueRef computed_vector(struct emission *e, struct node *node, const struct index_map *map) {
  struct codegen *cg = &e->cg;
  struct index_shape shape = node_shape(node);
  switch (node->op) {
  case IR_OP_CONSTANT: return codegen_real(cg, cg->lanes, node->number);
  case IR_OP_ONEHOT: return one_at(e, emit_index(e, node->at, node->n), map, &shape);
  case NODE_VIEW: return operand_vector(e, node, 0, map);
  case IR_OP_CONCAT: return operand_vector(e, node, part_at(node, box_begin(e, map, node->axis)), map);
  case IR_OP_PAD: return padded_vector(e, node, map);
  case IR_OP_DROPOUT: {
    LLVMValueRef a = operand_vector(e, node, 0, map);
    return emit_dropout(e, node, a, words_at(e, node->operands[1], map));
  }
  default: break;
  }
  if (!node_is_elementwise(node))
    return emit_load_chunk(e, graph_place(e->graph, node), map, &shape);
  LLVMValueRef a = operand_vector(e, node, 0, map);
  LLVMValueRef b = node->n_operands > 1 ? operand_vector(e, node, 1, map) : NULL;
  return emit_value(&e->cg, node->op, a, b);
}

struct vector_key {
  const struct emission *e;
  const struct node *node;
  const struct index_map *map;
};

static bool is_vector(const void *context, uint32_t item) {
  const struct vector_key *key = context;
  const struct known_vector *known = &key->e->vectors[item];
  return known->node == key->node && index_map_equal(&known->map, key->map);
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

LLVMValueRef emit_vector(struct emission *e, struct node *node, const struct index_map *map) {
  if (node_is_scalar(node))
    return codegen_splat(&e->cg, emit_scalar(e, node), e->cg.lanes);
  uint64_t hash = index_map_hash(node->id, map);
  uint32_t found = hash_index_find(&e->vector_index, hash, is_vector, &(struct vector_key){e, node, map});
  if (found != HASH_INDEX_NONE)
    return e->vectors[found].value;
  struct index_shape shape = node_shape(node);
  LLVMValueRef value = emit_is_read(e, node) ? emit_load_chunk(e, node->place, map, &shape)
                                             : computed_vector(e, node, map);
  remember_vector(e, hash, (struct known_vector){node, *map, value});
  return value;
}

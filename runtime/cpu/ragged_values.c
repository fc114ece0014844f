// Ragged blocks: elements of values, read or computed.
#include <assert.h>

#include "runtime/cpu/ragged.h"

static LLVMValueRef word(const struct ragged *r, int64_t value) { return codegen_word(&r->e.cg, value); }

LLVMValueRef ragged_size(const struct ragged *r, int64_t size) {
  return size < 0 ? r->sizes[-size] : word(r, size);
}

LLVMValueRef ragged_elements(const struct ragged *r, const struct node *node) {
  LLVMValueRef n = word(r, node->n);
  for (uint32_t i = 0; i < node->rank; i++)
    if (node->size[i] < 0)
      n = LLVMBuildMul(r->e.cg.builder, n, ragged_size(r, node->size[i]), "");
  return n;
}

LLVMValueRef ragged_wide(const struct ragged *r, LLVMValueRef value) {
  const struct codegen *cg = &r->e.cg;
  return codegen_lanes_of(value) == cg->lanes ? value : codegen_splat(cg, value, cg->lanes);
}

// ------------------------------------------------------------------------------------------------------- memory

LLVMValueRef ragged_position(const struct ragged *r, const struct node *node,
                             const struct ragged_point *point, uint32_t first) {
  LLVMBuilderRef b = r->e.cg.builder;
  LLVMValueRef position = word(r, 0), step = word(r, 1);
  for (uint32_t i = node->rank; i-- > first;) {
    position = LLVMBuildAdd(b, position, LLVMBuildMul(b, point->at[i], step, ""), "");
    step = LLVMBuildMul(b, step, ragged_size(r, node->size[i]), "");
  }
  return position;
}

// How far it is from one element along the axis to the next.
static LLVMValueRef step_along(const struct ragged *r, const struct node *node, uint32_t axis) {
  LLVMValueRef step = word(r, 1);
  for (uint32_t i = axis + 1; i < node->rank; i++)
    step = LLVMBuildMul(r->e.cg.builder, step, ragged_size(r, node->size[i]), "");
  return step;
}

// Row offsets, one or a vector of them, as elements from the base of an arena.
static LLVMValueRef as_elements(const struct ragged *r, LLVMValueRef offsets) {
  const struct codegen *cg = &r->e.cg;
  LLVMTypeRef type = codegen_lanes(cg, cg->int64, codegen_lanes_of(offsets));
  LLVMValueRef wide = LLVMBuildZExt(cg->builder, offsets, type, "");
  return LLVMBuildMul(cg->builder, wide, codegen_int_constant(type, NN_LANES), "");
}

LLVMValueRef ragged_list_row(struct ragged *r, LLVMValueRef arena, LLVMValueRef offsets, LLVMValueRef term) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef offset = codegen_load(cg, cg->int32, codegen_at(cg, cg->int32, offsets, term));
  return codegen_at(cg, cg->real, arena, as_elements(r, offset));
}

static LLVMValueRef load_vector(struct ragged *r, LLVMTypeRef item, LLVMValueRef address) {
  struct codegen *cg = &r->e.cg;
  LLVMTypeRef vector = codegen_lanes(cg, item, cg->lanes);
  return r->mask ? codegen_load_masked(cg, vector, address, r->mask) : codegen_load(cg, vector, address);
}

LLVMValueRef ragged_load(struct ragged *r, LLVMValueRef address) {
  return load_vector(r, r->e.cg.real, address);
}

void ragged_store(struct ragged *r, LLVMValueRef value, LLVMValueRef address) {
  if (r->mask)
    codegen_store_masked(&r->e.cg, value, address, r->mask);
  else
    codegen_store(&r->e.cg, value, address);
}

// The lanes' elements, each at its distance from the address.
static LLVMValueRef load_apart(struct ragged *r, LLVMTypeRef item, LLVMValueRef address,
                               LLVMValueRef distances) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef addresses = codegen_at(cg, item, address, distances);
  LLVMValueRef mask = r->mask ? r->mask : codegen_prefix_mask(cg, cg->lanes, cg->lanes);
  return codegen_gather(cg, codegen_lanes(cg, item, cg->lanes), addresses, mask);
}

static LLVMValueRef in_steps_of(struct ragged *r, LLVMValueRef step) {
  struct codegen *cg = &r->e.cg;
  LLVMTypeRef wide = codegen_lanes(cg, cg->int64, cg->lanes);
  LLVMValueRef lanes = LLVMBuildZExt(cg->builder, codegen_iota(cg, cg->lanes), wide, "");
  return LLVMBuildMul(cg->builder, lanes, codegen_splat(cg, step, cg->lanes), "");
}

// The same element of neighbouring rows of a list.
static LLVMValueRef load_across_rows(struct ragged *r, const struct node *list, const struct node *as,
                                     const struct ragged_point *point) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef first = codegen_at(cg, cg->int32, ragged_of(r, list)->base, point->at[0]);
  LLVMValueRef rows = as_elements(r, load_vector(r, cg->int32, first));
  LLVMValueRef within = ragged_position(r, as, point, 1);
  return load_apart(r, cg->real, codegen_at(cg, cg->real, emit_values_base(&r->e), within), rows);
}

// `as`: the shape in which the point is given, whose elements are the node's in their order.
static LLVMValueRef load_as(struct ragged *r, LLVMTypeRef item, const struct node *node,
                            const struct node *as, const struct ragged_point *point) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef base = ragged_of(r, node)->base;
  if (node->list && point->lane == 0)
    return load_across_rows(r, node, as, point);
  if (node->list)
    base = ragged_list_row(r, emit_values_base(&r->e), base, point->at[0]);
  LLVMValueRef address = codegen_at(cg, item, base, ragged_position(r, as, point, node->list));
  if (point->lane < 0)
    return codegen_load(cg, item, address);
  if (point->lane + 1 == (int)as->rank)
    return load_vector(r, item, address);
  return load_apart(r, item, address, in_steps_of(r, step_along(r, as, (uint32_t)point->lane)));
}

static LLVMValueRef load_at(struct ragged *r, LLVMTypeRef item, const struct node *node,
                            const struct ragged_point *point) {
  return load_as(r, item, node, node, point);
}

// The operand lies in memory. Of a list, whose rows lie apart, the first axis is the same.
static LLVMValueRef reshaped(struct ragged *r, const struct node *node, const struct ragged_point *point) {
  return load_as(r, r->e.cg.real, node->operands[0], node, point);
}

// -------------------------------------------------------------------------------------------------- computation

static struct ragged_point through_view(struct ragged *r, const struct node *view,
                                        const struct ragged_point *point) {
  struct ragged_point inner = {.lane = -1};
  for (uint32_t k = 0; k < view->map.rank; k++) {
    int axis = view->map.axis[k];
    inner.at[k] = word(r, view->map.begin[k]);
    if (axis == INDEX_FIXED)
      continue;
    inner.at[k] = LLVMBuildAdd(r->e.cg.builder, inner.at[k], point->at[axis], "");
    if (axis == point->lane)
      inner.lane = (int)k;
  }
  return inner;
}

static LLVMValueRef shifted(struct ragged *r, const struct node *node, const struct ragged_point *point) {
  struct ragged_point inner = *point;
  inner.at[node->axis] = LLVMBuildAdd(r->e.cg.builder, inner.at[node->axis], ragged_of(r, node)->index, "");
  return ragged_element(r, node->operands[0], &inner);
}

static LLVMValueRef picked(struct ragged *r, const struct node *node) {
  struct ragged_point inner = {.at = {ragged_of(r, node)->index}, .lane = -1};
  return ragged_element(r, node->operands[0], &inner);
}

static LLVMValueRef one_at_index(struct ragged *r, const struct node *node,
                                 const struct ragged_point *point) {
  struct codegen *cg = &r->e.cg;
  unsigned lanes = point->lane < 0 ? 1 : cg->lanes;
  LLVMValueRef distance = LLVMBuildSub(cg->builder, ragged_of(r, node)->index, point->at[0], "");
  LLVMValueRef at = codegen_splat(cg, LLVMBuildTrunc(cg->builder, distance, cg->int32, ""), lanes);
  LLVMValueRef here = LLVMBuildICmp(cg->builder, LLVMIntEQ, at, codegen_iota(cg, lanes), "");
  return LLVMBuildSelect(cg->builder, here, codegen_real(cg, lanes, 1), codegen_real(cg, lanes, 0), "");
}

static LLVMValueRef product_of_vectors(struct ragged *r, const struct node *node,
                                       const struct ragged_point *point, LLVMValueRef *second) {
  struct ragged_point a = {.at = {point->at[0]}, .lane = point->lane == 0 ? 0 : -1};
  struct ragged_point b = {.at = {point->at[1]}, .lane = point->lane == 1 ? 0 : -1};
  *second = ragged_element(r, node->operands[1], &b);
  return ragged_element(r, node->operands[0], &a);
}

static LLVMValueRef count_of(struct ragged *r, const struct node *node) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef n = word(r, (int64_t)node->number);
  for (uint32_t i = 0; i < node->map.rank; i++)
    n = LLVMBuildMul(cg->builder, n, ragged_size(r, -node->map.begin[i]), "");
  return LLVMBuildSIToFP(cg->builder, n, cg->real, "");
}

static void alike(struct ragged *r, LLVMValueRef *a, LLVMValueRef *b) {
  if (*b && codegen_lanes_of(*a) != codegen_lanes_of(*b)) {
    *a = ragged_wide(r, *a);
    *b = ragged_wide(r, *b);
  }
}

LLVMValueRef ragged_computed(struct ragged *r, const struct node *node, const struct ragged_point *point) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef a, b = NULL;
  switch (node->op) {
  case IR_OP_CONSTANT: return codegen_real(cg, 1, node->number);
  case NODE_HOST: return emit_host_number(&r->e, node);
  case NODE_COUNT: return count_of(r, node);
  case IR_OP_PICK: return picked(r, node);
  case IR_OP_RESHAPE: return reshaped(r, node, point);
  case NODE_SHIFTED: return shifted(r, node, point);
  case IR_OP_ONEHOT: return one_at_index(r, node, point);
  case NODE_VIEW: {
    struct ragged_point inner = through_view(r, node, point);
    return ragged_element(r, node->operands[0], &inner);
  }
  case IR_OP_OUTER:
    a = product_of_vectors(r, node, point, &b);
    alike(r, &a, &b);
    return emit_value(cg, IR_OP_MUL, a, b);
  case IR_OP_DROPOUT: {
    LLVMValueRef words = load_at(r, cg->int32, node->operands[1], point);
    a = ragged_element(r, node->operands[0], point);
    return emit_dropout(&r->e, node, point->lane < 0 ? a : ragged_wide(r, a), words);
  }
  default: break;
  }
  assert(node_is_elementwise(node));
  a = ragged_element(r, node->operands[0], point);
  if (node->n_operands > 1)
    b = ragged_element(r, node->operands[1], point);
  alike(r, &a, &b);
  return emit_value(cg, node->op, a, b);
}

LLVMValueRef ragged_element(struct ragged *r, const struct node *node, const struct ragged_point *point) {
  const struct ragged_value *value = ragged_of(r, node);
  if (node_is_scalar(node))
    return value->number;
  if (value->home == RAGGED_LEAF || value->home == RAGGED_STORED)
    return load_at(r, r->e.cg.real, node, point);
  return ragged_computed(r, node, point);
}

// The steps of a kernel: loops over a row's elements, and packed products over a tile's rows.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "runtime/cpu/gemm.h"
#include "runtime/cpu/kernel_emit.h"

static LLVMValueRef word(struct emission *e, int64_t value) { return codegen_word(&e->cg, value); }

static int64_t element_bytes(const struct emission *e) { return (int64_t)nn_element_bytes(e->cg.element); }

static LLVMTypeRef vector_type(const struct emission *e) {
  return codegen_lanes(&e->cg, e->cg.real, e->cg.lanes);
}

// ------------------------------------------------------------------------------------------------- long sums

// sums[0] += x, and what rounding loses goes to sums[1] (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B).
static void add_kept(struct codegen *cg, LLVMValueRef x, LLVMValueRef *sums) {
  LLVMBuilderRef b = cg->builder;
  LLVMValueRef sum = sums[0];
  LLVMValueRef total = LLVMBuildFAdd(b, sum, x, ""), part = LLVMBuildFSub(b, total, sum, "");
  LLVMValueRef of_sum = LLVMBuildFSub(b, sum, LLVMBuildFSub(b, total, part, ""), "");
  LLVMValueRef lost = LLVMBuildFAdd(b, of_sum, LLVMBuildFSub(b, x, part, ""), "");
  sums[0] = total;
  sums[1] = LLVMBuildFAdd(b, sums[1], lost, "");
}

// What was lost of an infinite sum is no number.
static LLVMValueRef sum_with_lost(struct codegen *cg, LLVMValueRef total, LLVMValueRef lost) {
  LLVMValueRef zero = LLVMBuildFSub(cg->builder, lost, lost, "");
  LLVMValueRef finite = LLVMBuildFCmp(cg->builder, LLVMRealOEQ, zero, codegen_real_like(cg, total, 0), "");
  return LLVMBuildSelect(cg->builder, finite, LLVMBuildFAdd(cg->builder, total, lost, ""), total, "");
}

// ---------------------------------------------------------------------------------------------------- groups

struct group {
  const struct step *step;
  const struct emit_frame *frames;  // [target]
};

// All values first: a store may change what a load of the same row's gradients would find, and nothing else.
static void group_chunk(struct emission *e, void *context, LLVMValueRef *carried) {
  (void)carried;
  const struct group *group = context;
  struct codegen *cg = &e->cg;
  for (uint32_t i = 0; i < group->step->n_targets; i++) {
    struct index_map map = index_map_identity(group->frames[i].space.rank);
    e->frame = group->frames[i];
    emit_vector(e, group->step->targets[i].node, &map);
  }
  for (uint32_t i = 0; i < group->step->n_targets; i++) {
    const struct target *target = &group->step->targets[i];
    const struct emit_frame *frame = &group->frames[i];
    struct index_map map = index_map_identity(frame->space.rank);
    e->frame = *frame;
    LLVMValueRef value = emit_vector(e, target->node, &map);
    bool add = target->kind == TARGET_ADD;
    if (add)
      value = LLVMBuildFAdd(cg->builder, emit_load_chunk(e, target->place, &map, &frame->space), value, "");
    bool is_last = frame->groups.n == 1 && e->box.end[0] == frame->groups.size[0];
    emit_store_chunk(e, target->place, &map, &frame->space, value, !add && is_last);
  }
}

static void emit_group(struct emission *e, const struct step *step) {
  struct node **nodes = arena_new_array(e->graph->arena, struct node *, step->n_targets);
  struct emit_frame *frames = arena_new_array(e->graph->arena, struct emit_frame, step->n_targets);
  for (uint32_t i = 0; i < step->n_targets; i++) {
    nodes[i] = step->targets[i].node;
    frames[i].space = node_shape(nodes[i]);
    frames[i].groups = index_group_like(&frames[i].space, &step->groups);
    emit_prepare(e, nodes[i]);
    emit_base(e, step->targets[i].place);
  }
  struct emit_cuts cuts;
  emit_find_cuts(e, step->n_targets, nodes, frames, &cuts);
  uint32_t groups[IR_MAX_RANK];
  for (uint32_t i = 0; i < step->groups.n; i++)
    groups[i] = i;
  struct group group = {step, frames};
  emit_loops(e, &cuts, step->groups.n, groups, EMIT_CHUNKS, group_chunk, &group);
}

static void emit_scalar_group(struct emission *e, const struct step *step) {
  for (uint32_t i = 0; i < step->n_targets; i++)
    emit_scalar(e, step->targets[i].node);
  for (uint32_t i = 0; i < step->n_targets; i++) {
    const struct target *target = &step->targets[i];
    LLVMValueRef value = emit_scalar(e, target->node), address = emit_address(e, target->place, word(e, 0));
    if (target->kind == TARGET_ADD)
      value = LLVMBuildFAdd(e->cg.builder, codegen_load(&e->cg, e->cg.real, address), value, "");
    codegen_store(&e->cg, value, address);
  }
}

// ------------------------------------------------------------------------------------------------ reductions

// A reduction runs over the operand's elements; the axis that it goes over, or all as one, is a loop that carries
// vectors. Along the lanes of a chunk where that axis is the last one, so that the lanes are put together in the end;
// otherwise an element of the chunk after it is a result of its own.
enum { REDUCER_CARRIED = 3 };

struct reducer {
  struct node *node, *operand;
  emit_body_fn *chunk;  // takes the chunk's elements
  unsigned n_carried;
  LLVMValueRef first[REDUCER_CARRIED];
  bool keeps;  // what rounding loses, as there are so many terms
  bool along_lanes;
  uint32_t group;  // that it goes over
  struct emit_cuts cuts;
};

// The chunk's elements, with `filler` in the lanes that are none.
static LLVMValueRef elements_or(struct emission *e, const struct reducer *r, double filler) {
  struct codegen *cg = &e->cg;
  struct index_map map = index_map_identity(r->operand->rank);
  LLVMValueRef x = emit_vector(e, r->operand, &map);
  if (e->valid == cg->lanes || !r->along_lanes)
    return x;
  return LLVMBuildSelect(cg->builder, codegen_prefix_mask(cg, cg->lanes, e->valid), x,
                         codegen_real(cg, cg->lanes, filler), "");
}

static LLVMValueRef summed(struct codegen *cg, const struct reducer *r, LLVMValueRef x) {
  return r->along_lanes ? codegen_sum_lanes(cg, x) : x;
}

static void sum_chunk(struct emission *e, void *context, LLVMValueRef *carried) {
  carried[0] = LLVMBuildFAdd(e->cg.builder, carried[0], elements_or(e, context, 0), "");
}

// One term after the other; more than that many at one place are summed up so that nothing is lost.
#define LONG_SUM 128

static void kept_chunk(struct emission *e, void *context, LLVMValueRef *carried) {
  add_kept(&e->cg, elements_or(e, context, 0), carried);
}

// Elements of at least 1 are summed apart, in carried[2]. Only the others, which may be many and small, lose digits.
static void sum_but_one_chunk(struct emission *e, void *context, LLVMValueRef *carried) {
  struct codegen *cg = &e->cg;
  const struct reducer *r = context;
  LLVMValueRef x = elements_or(e, r, 0), zero = codegen_real(cg, cg->lanes, 0);
  LLVMValueRef large = LLVMBuildFCmp(cg->builder, LLVMRealOGE, x, codegen_real(cg, cg->lanes, 1), "");
  LLVMValueRef small = LLVMBuildSelect(cg->builder, large, zero, x, "");
  carried[2] = LLVMBuildFAdd(cg->builder, carried[2], LLVMBuildSelect(cg->builder, large, x, zero, ""), "");
  if (r->keeps)
    add_kept(cg, small, carried);
  else
    carried[0] = LLVMBuildFAdd(cg->builder, carried[0], small, "");
}

static LLVMValueRef whole_sum(struct codegen *cg, const struct reducer *r, LLVMValueRef *carried) {
  LLVMValueRef total = summed(cg, r, carried[0]);
  return r->keeps ? sum_with_lost(cg, total, summed(cg, r, carried[1])) : total;
}

static LLVMValueRef sum_but_one(struct codegen *cg, const struct reducer *r, LLVMValueRef *carried) {
  LLVMValueRef large = summed(cg, r, carried[2]);
  LLVMValueRef rest = LLVMBuildFSub(cg->builder, large, codegen_real_like(cg, large, 1), "");
  return LLVMBuildFAdd(cg->builder, rest, whole_sum(cg, r, carried), "");
}

static void largest_chunk(struct emission *e, void *context, LLVMValueRef *carried) {
  carried[0] = codegen_maximum(&e->cg, carried[0], elements_or(e, context, -INFINITY));
}

// carried[1] are the positions of the largest elements in each lane, as int32.
static void position_chunk(struct emission *e, void *context, LLVMValueRef *carried) {
  struct codegen *cg = &e->cg;
  LLVMValueRef x = elements_or(e, context, -INFINITY);
  LLVMValueRef first = LLVMBuildTrunc(cg->builder, e->index, cg->int32, "");
  LLVMValueRef positions = LLVMBuildAdd(cg->builder, codegen_splat(cg, first, cg->lanes),
                                        codegen_iota(cg, cg->lanes), "");
  // Larger, or the lane's first NaN.
  LLVMValueRef larger = LLVMBuildAnd(cg->builder, LLVMBuildFCmp(cg->builder, LLVMRealUGT, x, carried[0], ""),
                                     LLVMBuildFCmp(cg->builder, LLVMRealORD, carried[0], carried[0], ""), "");
  carried[0] = LLVMBuildSelect(cg->builder, larger, x, carried[0], "");
  carried[1] = LLVMBuildSelect(cg->builder, larger, positions, carried[1], "");
}

// The smallest position among the lanes that hold the largest element, or a NaN where there is one.
static LLVMValueRef first_position(struct codegen *cg, LLVMValueRef largest, LLVMValueRef positions) {
  LLVMValueRef top = codegen_splat(cg, codegen_max_lanes(cg, largest), cg->lanes);
  LLVMValueRef is_top = LLVMBuildOr(cg->builder, LLVMBuildFCmp(cg->builder, LLVMRealOEQ, largest, top, ""),
                                    LLVMBuildFCmp(cg->builder, LLVMRealUNO, largest, largest, ""), "");
  LLVMValueRef none = codegen_int_constant(LLVMTypeOf(positions), INT32_MAX);
  LLVMValueRef first = codegen_min_lanes_int(cg, LLVMBuildSelect(cg->builder, is_top, positions, none, ""));
  return LLVMBuildSIToFP(cg->builder, first, cg->real, "");
}

static void choose_reducer(struct emission *e, struct reducer *r, int64_t terms) {
  struct codegen *cg = &e->cg;
  LLVMValueRef zero = codegen_real(cg, cg->lanes, 0), least = codegen_real(cg, cg->lanes, -INFINITY);
  r->n_carried = 2;
  r->first[0] = r->first[1] = r->first[2] = zero;
  r->keeps = (r->along_lanes ? terms / cg->lanes : terms) > LONG_SUM;
  switch (r->node->op) {
  case IR_OP_SUM:
    r->chunk = r->keeps ? kept_chunk : sum_chunk;
    r->n_carried = r->keeps ? 2 : 1;
    break;
  case NODE_SUM_BUT_ONE:
    r->chunk = sum_but_one_chunk;
    r->n_carried = 3;
    break;
  case IR_OP_AMAX:
    r->chunk = largest_chunk;
    r->n_carried = 1;
    r->first[0] = least;
    break;
  default:
    assert(r->node->op == IR_OP_ARGMAX && r->along_lanes);
    r->chunk = position_chunk;
    r->first[0] = least;
    r->first[1] = LLVMConstNull(codegen_lanes(cg, cg->int32, cg->lanes));
  }
}

// What the carried vectors come to.
static LLVMValueRef reduced(struct emission *e, const struct reducer *r, LLVMValueRef *carried) {
  struct codegen *cg = &e->cg;
  switch (r->node->op) {
  case IR_OP_SUM: return whole_sum(cg, r, carried);
  case NODE_SUM_BUT_ONE: return sum_but_one(cg, r, carried);
  case IR_OP_AMAX: return r->along_lanes ? codegen_max_lanes(cg, carried[0]) : carried[0];
  default: return first_position(cg, carried[0], carried[1]);
  }
}

// The result, or a chunk of results, where the other loops are.
static void reduce_here(struct emission *e, void *context, LLVMValueRef *unused) {
  struct reducer *r = context;
  (void)unused;
  LLVMValueRef carried[REDUCER_CARRIED];
  memcpy(carried, r->first, sizeof carried);
  struct index_map map = node_result_map(r->node);
  struct index_shape shape = node_shape(r->node);
  emit_loop(e, &r->cuts, r->group, r->along_lanes ? EMIT_CHUNKS : EMIT_SINGLY, r->n_carried, carried,
            r->chunk, r);
  LLVMValueRef result = reduced(e, r, carried);
  if (!r->along_lanes) {
    emit_store_chunk(e, r->node->place, &map, &shape, result, false);
    return;
  }
  codegen_store(&e->cg, result, emit_point(e, r->node->place, &map, &shape));
  if (node_is_scalar(r->node))
    e->scalars[r->node->id] = (struct known){result, e->row_round};
}

// The axis that is reduced is a group of its own; of a whole value there is one group.
static struct emit_frame reduction_frame(const struct reducer *r) {
  struct emit_frame frame = {.space = node_space(r->node)};
  uint8_t mergeable = r->operand->mergeable;
  if (!node_is_scalar(r->node))
    mergeable = index_apart(&frame.space, mergeable, r->node->axis);
  frame.groups = index_group(&frame.space, mergeable);
  return frame;
}

static void emit_reduction(struct emission *e, const struct step *step) {
  struct node *operand = step->node->operands[0];
  struct reducer r = {.node = step->node, .operand = operand};
  emit_prepare(e, operand);
  emit_base(e, r.node->place);
  e->frame = reduction_frame(&r);
  const struct index_groups *groups = &e->frame.groups;
  r.group = node_is_scalar(r.node) ? 0 : (uint32_t)groups->group[r.node->axis];
  r.along_lanes = r.group + 1 == groups->n;
  choose_reducer(e, &r, groups->size[r.group]);
  emit_find_cuts(e, 1, &operand, &e->frame, &r.cuts);
  uint32_t others[IR_MAX_RANK], n = 0;
  for (uint32_t i = 0; i < groups->n; i++)
    if (i != r.group)
      others[n++] = i;
  e->inner = r.group;
  emit_loops(e, &r.cuts, n, others, r.along_lanes ? EMIT_SINGLY : EMIT_CHUNKS, reduce_here, &r);
}

// ---------------------------------------------------------------------------------------------- random draws

static void emit_draws(struct emission *e, const struct step *step) {
  const struct node *node = step->node;
  emit_draw_groups(e, node, word(e, (node->n + DRAWS_GROUP - 1) / DRAWS_GROUP), emit_base(e, node->place));
}

// -------------------------------------------------------------------------------- movement that needs memory

// A row of `n` elements, in chunks: `body` gets the first element and how many lanes count.
typedef void row_chunk_fn(struct emission *e, void *context, LLVMValueRef element, unsigned valid);

static void over_row(struct emission *e, int64_t n, row_chunk_fn *body, void *context) {
  int64_t lanes = e->cg.lanes, whole = n / lanes * lanes;
  if (whole > 0) {
    struct codegen_loop loop;
    codegen_loop_begin(&e->cg, &loop, word(e, 0), word(e, whole), word(e, lanes), 0, NULL);
    body(e, context, loop.index, e->cg.lanes);
    codegen_loop_end(&e->cg, &loop, NULL);
  }
  if (whole < n)
    body(e, context, word(e, whole), (unsigned)(n - whole));
}

struct copy {
  LLVMValueRef from, to;  // `from` NULL: `value`
  LLVMValueRef value;     // a scalar factor, or what is stored
};

static void copy_chunk(struct emission *e, void *context, LLVMValueRef element, unsigned valid) {
  const struct copy *copy = context;
  struct codegen *cg = &e->cg;
  LLVMValueRef x = copy->value != NULL ? codegen_splat(cg, copy->value, cg->lanes) : NULL;
  if (copy->from != NULL) {
    LLVMValueRef loaded = codegen_load_prefix(cg, vector_type(e),
                                              codegen_at(cg, cg->real, copy->from, element), valid);
    x = x == NULL ? loaded : LLVMBuildFMul(cg->builder, x, loaded, "");
  }
  codegen_store_prefix(cg, x, codegen_at(cg, cg->real, copy->to, element), valid);
}

static LLVMValueRef start_of(struct emission *e, struct node *node) {
  return emit_address(e, graph_place(e->graph, node), word(e, 0));
}

static LLVMValueRef after(struct emission *e, LLVMValueRef base, LLVMValueRef count, int64_t elements) {
  LLVMValueRef element = LLVMBuildMul(e->cg.builder, count, word(e, elements), "");
  return codegen_at(&e->cg, e->cg.real, base, element);
}

static void begin_loop(struct emission *e, struct codegen_loop *loop, int64_t n) {
  codegen_loop_begin(&e->cg, loop, word(e, 0), word(e, n), word(e, 1), 0, NULL);
}

static void emit_outer(struct emission *e, const struct step *step) {
  struct node *node = step->node;
  LLVMValueRef a = start_of(e, node->operands[0]), b = start_of(e, node->operands[1]), y = start_of(e, node);
  int64_t columns = node->operands[1]->n;
  struct codegen_loop loop;
  begin_loop(e, &loop, node->operands[0]->n);
  LLVMValueRef factor = codegen_load(&e->cg, e->cg.real, codegen_at(&e->cg, e->cg.real, a, loop.index));
  struct copy copy = {b, after(e, y, loop.index, columns), factor};
  over_row(e, columns, copy_chunk, &copy);
  codegen_loop_end(&e->cg, &loop, NULL);
}

static void emit_put(struct emission *e, const struct step *step) {
  struct node *node = step->node, *part = node->operands[0];
  LLVMValueRef y = start_of(e, node), from = start_of(e, part);
  LLVMValueRef at = emit_index(e, node->at, node->size[node->axis] - node->length + 1);
  struct copy clear = {NULL, y, codegen_real(&e->cg, 1, 0)};
  over_row(e, node->n, copy_chunk, &clear);
  int64_t outer = 1, inner = 1;
  for (uint32_t i = 0; i < node->rank; i++)
    *(i < node->axis ? &outer : &inner) *= i == node->axis ? 1 : node->size[i];
  struct codegen_loop loop;
  begin_loop(e, &loop, outer);
  LLVMValueRef to = after(e, after(e, y, loop.index, node->size[node->axis] * inner), at, inner);
  struct copy copy = {after(e, from, loop.index, node->length * inner), to, NULL};
  over_row(e, node->length * inner, copy_chunk, &copy);
  codegen_loop_end(&e->cg, &loop, NULL);
}

static void emit_unpad(struct emission *e, const struct step *step) {
  LLVMValueRef from = emit_address(e, step->result, word(e, 0)), y = start_of(e, step->node);
  struct codegen_loop loop;
  begin_loop(e, &loop, step->rows);
  struct copy copy = {after(e, from, loop.index, (int64_t)nn_row_elements((size_t)step->columns)),
                      after(e, y, loop.index, step->columns), NULL};
  over_row(e, step->columns, copy_chunk, &copy);
  codegen_loop_end(&e->cg, &loop, NULL);
}

// --------------------------------------------------------------------------- products without packed weights

// C[i, j] = sum over k of A[i, k] B[k, j], by strides; C is dense.
struct matmul {
  LLVMValueRef a, b, c;
  int64_t rows, inner, columns;
  int64_t a_row, a_inner, b_inner, b_column;
  LLVMValueRef a_at, c_at;  // of the current row
};

static struct matmul describe_matmul(struct emission *e, struct node *node) {
  struct node *a = node->operands[0], *b = node->operands[1];
  struct matmul m = {.a = start_of(e, a), .b = start_of(e, b), .c = start_of(e, node)};
  int64_t a_columns = a->size[a->rank - 1], b_columns = b->rank == 1 ? 1 : b->size[b->rank - 1];
  m.a_row = node->transpose_a ? 1 : a_columns;
  m.a_inner = node->transpose_a ? a_columns : 1;
  m.b_inner = node->transpose_b ? 1 : b_columns;
  m.b_column = node->transpose_b ? b_columns : 1;
  m.inner = a->size[a->rank - 1 - node->transpose_a];
  m.rows = a->rank == 1 ? 1 : a->size[a->rank - 2 + node->transpose_a];
  m.columns = b->rank == 1 ? 1 : b->size[b->rank - 1 - node->transpose_b];
  if (b->rank == 1)  // a column: its transpose times the transpose of A
    m = (struct matmul){.a = m.b,
                        .b = m.a,
                        .c = m.c,
                        .rows = 1,
                        .inner = m.inner,
                        .columns = m.rows,
                        .a_row = 0,
                        .a_inner = 1,
                        .b_inner = m.a_inner,
                        .b_column = m.a_row};
  return m;
}

static LLVMValueRef element_of(struct emission *e, LLVMValueRef base, LLVMValueRef i, int64_t stride) {
  return codegen_load(&e->cg, e->cg.real, after(e, base, i, stride));
}

// One step along k: adds its terms to the sum. `valid` lanes of a vector of terms count.
typedef LLVMValueRef product_step_fn(struct emission *e, const struct matmul *m, LLVMValueRef b,
                                     LLVMValueRef k, unsigned valid, LLVMValueRef sum);

// How an element of C, or a chunk of its row, is summed up.
struct product_sum {
  const struct matmul *m;
  LLVMValueRef b, zero;
  product_step_fn *step;
  int64_t stride;        // of a step
  unsigned valid, rest;  // of whole steps, and of the last one, which may be 0
};

static LLVMValueRef sum_steps(struct emission *e, const struct product_sum *p, LLVMValueRef from,
                              LLVMValueRef to) {
  struct codegen_loop loop;
  codegen_loop_begin(&e->cg, &loop, from, to, word(e, p->stride), 1, &p->zero);
  LLVMValueRef next = p->step(e, p->m, p->b, loop.index, p->valid, loop.carried[0]);
  codegen_loop_end(&e->cg, &loop, &next);
  return loop.carried[0];
}

// Stretches of LONG_SUM steps are summed up so that nothing is lost.
static void sum_stretches(struct emission *e, const struct product_sum *p, int64_t whole,
                          LLVMValueRef *sums) {
  LLVMBuilderRef builder = e->cg.builder;
  LLVMValueRef end = word(e, whole), length = word(e, LONG_SUM * p->stride);
  struct codegen_loop loop;
  codegen_loop_begin(&e->cg, &loop, word(e, 0), end, length, 2, sums);
  LLVMValueRef to = LLVMBuildNSWAdd(builder, loop.index, length, "");
  to = LLVMBuildSelect(builder, LLVMBuildICmp(builder, LLVMIntSLT, to, end, ""), to, end, "");
  LLVMValueRef next[] = {loop.carried[0], loop.carried[1]};
  add_kept(&e->cg, sum_steps(e, p, loop.index, to), next);
  codegen_loop_end(&e->cg, &loop, next);
  for (int i = 0; i < 2; i++)
    sums[i] = loop.carried[i];
}

// `along`: the lanes of the sum are parts of it.
static LLVMValueRef sum_product(struct emission *e, const struct product_sum *p, bool along) {
  struct codegen *cg = &e->cg;
  int64_t whole = p->m->inner / p->stride * p->stride;
  bool is_long = whole > LONG_SUM * p->stride;
  LLVMValueRef sums[] = {p->zero, p->zero};
  if (is_long)
    sum_stretches(e, p, whole, sums);
  else if (whole > 0)
    sums[0] = sum_steps(e, p, word(e, 0), word(e, whole));
  if (p->rest > 0 && is_long)
    add_kept(cg, p->step(e, p->m, p->b, word(e, whole), p->rest, p->zero), sums);
  else if (p->rest > 0)
    sums[0] = p->step(e, p->m, p->b, word(e, whole), p->rest, sums[0]);
  for (int i = 0; along && i < 1 + is_long; i++)
    sums[i] = codegen_sum_lanes(cg, sums[i]);
  return is_long ? sum_with_lost(cg, sums[0], sums[1]) : sums[0];
}

static LLVMValueRef column_step(struct emission *e, const struct matmul *m, LLVMValueRef b, LLVMValueRef k,
                                unsigned valid, LLVMValueRef sum) {
  struct codegen *cg = &e->cg;
  LLVMValueRef x = codegen_splat(cg, element_of(e, m->a_at, k, m->a_inner), cg->lanes);
  return codegen_fma(cg, x, codegen_load_prefix(cg, vector_type(e), after(e, b, k, m->b_inner), valid), sum);
}

// A chunk of C's row: the columns of B lie side by side.
static void matmul_columns(struct emission *e, void *context, LLVMValueRef element, unsigned valid) {
  const struct matmul *m = context;
  struct codegen *cg = &e->cg;
  const struct product_sum p = {.m = m,
                                .b = codegen_at(cg, cg->real, m->b, element),
                                .zero = LLVMConstNull(vector_type(e)),
                                .step = column_step,
                                .stride = 1,
                                .valid = valid};
  codegen_store_prefix(cg, sum_product(e, &p, false), codegen_at(cg, cg->real, m->c_at, element), valid);
}

static LLVMValueRef along_step(struct emission *e, const struct matmul *m, LLVMValueRef b, LLVMValueRef k,
                               unsigned valid, LLVMValueRef sum) {
  struct codegen *cg = &e->cg;
  LLVMValueRef x = codegen_load_prefix(cg, vector_type(e), codegen_at(cg, cg->real, m->a_at, k), valid);
  LLVMValueRef y = codegen_load_prefix(cg, vector_type(e), codegen_at(cg, cg->real, b, k), valid);
  return codegen_fma(cg, x, y, sum);
}

// One element of C: both operands lie along k.
static LLVMValueRef dot_along_inner(struct emission *e, const struct matmul *m, LLVMValueRef b) {
  unsigned lanes = e->cg.lanes;
  const struct product_sum p = {.m = m,
                                .b = b,
                                .zero = LLVMConstNull(vector_type(e)),
                                .step = along_step,
                                .stride = lanes,
                                .valid = lanes,
                                .rest = (unsigned)(m->inner % lanes)};
  return sum_product(e, &p, true);
}

static LLVMValueRef stride_step(struct emission *e, const struct matmul *m, LLVMValueRef b, LLVMValueRef k,
                                unsigned valid, LLVMValueRef sum) {
  (void)valid;
  return codegen_fma(&e->cg, element_of(e, m->a_at, k, m->a_inner), element_of(e, b, k, m->b_inner), sum);
}

static LLVMValueRef dot_by_strides(struct emission *e, const struct matmul *m, LLVMValueRef b) {
  const struct product_sum p = {
      .m = m, .b = b, .zero = codegen_real(&e->cg, 1, 0), .step = stride_step, .stride = 1, .valid = 1};
  return sum_product(e, &p, false);
}

static void one_product(struct emission *e, struct matmul m) {
  struct codegen *cg = &e->cg;
  struct codegen_loop rows;
  begin_loop(e, &rows, m.rows);
  m.a_at = after(e, m.a, rows.index, m.a_row);
  m.c_at = after(e, m.c, rows.index, m.columns);
  if (m.b_column == 1) {
    over_row(e, m.columns, matmul_columns, &m);
  } else {
    struct codegen_loop columns;
    begin_loop(e, &columns, m.columns);
    LLVMValueRef b = after(e, m.b, columns.index, m.b_column);
    bool along = m.a_inner == 1 && m.b_inner == 1;
    LLVMValueRef sum = along ? dot_along_inner(e, &m, b) : dot_by_strides(e, &m, b);
    codegen_store(cg, sum, codegen_at(cg, cg->real, m.c_at, columns.index));
    codegen_loop_end(cg, &columns, NULL);
  }
  codegen_loop_end(cg, &rows, NULL);
}

// The operand's matrix for one of the products: it may have fewer of them than there are products.
static LLVMValueRef matrix_at(struct emission *e, LLVMValueRef base, int64_t n, int64_t elements,
                              int64_t products, LLVMValueRef product) {
  if (n < products)
    product = LLVMBuildURem(e->cg.builder, product, word(e, n), "");
  return n == 1 ? base : after(e, base, product, elements);
}

static void emit_matmul(struct emission *e, const struct step *step) {
  struct matmul m = describe_matmul(e, step->node);
  int64_t products = step->node->n / (m.rows * m.columns);
  if (products == 1) {
    one_product(e, m);
    return;
  }
  int64_t a_elements = m.rows * m.inner, b_elements = m.inner * m.columns;
  struct codegen_loop loop;
  begin_loop(e, &loop, products);
  struct matmul one = m;
  one.a = matrix_at(e, m.a, step->node->operands[0]->n / a_elements, a_elements, products, loop.index);
  one.b = matrix_at(e, m.b, step->node->operands[1]->n / b_elements, b_elements, products, loop.index);
  one.c = after(e, m.c, loop.index, m.rows * m.columns);
  one_product(e, one);
  codegen_loop_end(&e->cg, &loop, NULL);
}

// ------------------------------------------------------------------------------------------- packed products

// One pointer for each of the tile's rows of x.
static LLVMValueRef gather_pointers(struct emission *e, const struct step *step) {
  struct codegen *cg = &e->cg;
  LLVMValueRef pointers = codegen_at_byte(cg, e->scratch, word(e, (int64_t)e->graph->pointers_offset));
  struct codegen_loop loop;
  codegen_loop_begin(cg, &loop, word(e, 0), e->tile_rows, word(e, 1), 0, NULL);
  emit_begin_row(e, LLVMBuildAdd(cg->builder, e->tile, loop.index, ""), loop.index);
  LLVMValueRef x = start_of(e, step->x),
               slot = LLVMBuildMul(cg->builder, loop.index, word(e, step->rows), "");
  if (step->rows == 1) {
    LLVMBuildStore(cg->builder, x, codegen_at(cg, cg->pointer, pointers, slot));
  } else {
    struct codegen_loop rows;
    begin_loop(e, &rows, step->rows);
    LLVMValueRef at = LLVMBuildAdd(cg->builder, slot, rows.index, "");
    LLVMBuildStore(cg->builder, after(e, x, rows.index, step->inner),
                   codegen_at(cg, cg->pointer, pointers, at));
    codegen_loop_end(cg, &rows, NULL);
  }
  codegen_loop_end(cg, &loop, NULL);
  return pointers;
}

static LLVMValueRef external_function(struct codegen *cg, const char *name, LLVMTypeRef type) {
  LLVMValueRef function = LLVMGetNamedFunction(cg->module, name);
  return function != NULL ? function : LLVMAddFunction(cg->module, name, type);
}

static LLVMValueRef external_table(struct codegen *cg) {
  const char *name = cg->element == NN_F32 ? "nn_gemm_table_f32" : "nn_gemm_table_f64";
  LLVMValueRef table = LLVMGetNamedGlobal(cg->module, name);
  return table != NULL ? table : LLVMAddGlobal(cg->module, LLVMInt8TypeInContext(cg->context), name);
}

void emit_product(struct emission *e, const struct step *step) {
  struct codegen *cg = &e->cg;
  LLVMValueRef pointers = gather_pointers(e, step);
  emit_begin_row(e, e->tile, word(e, 0));
  LLVMValueRef c = emit_address(e, step->result, word(e, 0));
  int64_t row_elements = (int64_t)nn_row_elements((size_t)step->columns);
  LLVMTypeRef types[] = {cg->pointer, cg->pointer, cg->int64,   cg->int64,
                         cg->int64,   cg->pointer, cg->pointer, cg->int64};
  LLVMTypeRef type = LLVMFunctionType(cg->void_type, types, 8, 0);
  LLVMValueRef arguments[] = {
      external_table(cg),
      pointers,
      LLVMBuildMul(cg->builder, e->tile_rows, word(e, step->rows), ""),
      word(e, step->inner),
      word(e, step->columns),
      emit_array_element(e, EMIT_PARAMS, step->weights),
      c,
      word(e, row_elements * element_bytes(e)),
  };
  LLVMBuildCall2(cg->builder, type, external_function(cg, "nn_gemm_run", type), arguments, 8, "");
}

void emit_row_step(struct emission *e, const struct step *step) {
  switch (step->kind) {
  case STEP_GROUP: step->scalar ? emit_scalar_group(e, step) : emit_group(e, step); break;
  case STEP_REDUCE: emit_reduction(e, step); break;
  case STEP_DRAWS: emit_draws(e, step); break;
  case STEP_OUTER: emit_outer(e, step); break;
  case STEP_PUT: emit_put(e, step); break;
  case STEP_MATMUL: emit_matmul(e, step); break;
  case STEP_UNPAD: emit_unpad(e, step); break;
  case STEP_PRODUCT: assert(!"a product is no step of a row"); break;
  }
}

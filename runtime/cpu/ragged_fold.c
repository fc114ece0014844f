// Ragged blocks: sums, largest elements and products.
//
// A tile of results is worked on at once: several rows (the last axis but one of the result) and several columns (the last
// axis), each with sums of its own that go over the terms together, so that what they share is read once and the latency
// of one addition is hidden behind the others. Lanes go along the columns, or along the terms where that reads
// memory as it lies; then a result's lanes are put together in the end.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "runtime/cpu/ragged.h"

// Terms, or vectors of them, in one chain.
#define STRETCH 128
enum { MAX_CELLS = 16, MAX_STATE = 2 };

struct fold {
  const struct node *node;
  struct node *x[2];  // one operand, or two whose products are summed
  bool product;       // MATMUL: indices differ
  bool chains;        // a sum: rounded
  bool along;         // lanes go along the terms
  uint32_t axis;      // of the operand, that the terms lie on; not of a MATMUL
  int64_t terms;      // size of that
  unsigned n_state;
  LLVMValueRef first[MAX_STATE];
};

struct cells {
  unsigned n;
  LLVMValueRef at[MAX_CELLS]
                 [IR_MAX_RANK];  // of the result, or, of a number, of the operand's axes before the last
  LLVMValueRef state[MAX_CELLS * MAX_STATE];
};

static LLVMValueRef word(struct ragged *r, int64_t value) { return codegen_word(&r->e.cg, value); }

// -------------------------------------------------------------------------------------------------------- terms

// Where a product's operand is read: `at` are the result's coordinates, the last of which before its matrix are the
// operand's, too; `other` is that of its rows or columns.
static struct ragged_point matrix_point(const struct fold *f, const struct node *matrix, bool transposed,
                                        uint32_t terms_axis, LLVMValueRef const *at, LLVMValueRef other,
                                        LLVMValueRef k, bool other_in_lanes) {
  struct ragged_point point = {.at = {k}, .lane = f->along ? 0 : -1};
  if (matrix->rank == 1)
    return point;
  uint32_t lead = matrix->rank - 2;
  for (uint32_t i = 0; i < lead; i++)
    point.at[i] = at[f->node->rank - 2 - lead + i];
  uint32_t terms = lead + (transposed ? 1 - terms_axis : terms_axis), others = 2 * lead + 1 - terms;
  point.at[terms] = k;
  point.at[others] = other;
  point.lane = f->along ? (int)terms : other_in_lanes ? (int)others : -1;
  return point;
}

// The elements of the operands for one cell and term.
static void points_of(const struct fold *f, LLVMValueRef const *at, LLVMValueRef k,
                      struct ragged_point points[2]) {
  const struct node *node = f->node;
  if (f->product) {
    const struct node *a = f->x[0], *b = f->x[1];
    bool both = a->rank >= 2 && b->rank >= 2;
    LLVMValueRef row = at[both ? node->rank - 2 : 0], column = at[node->rank - 1];
    points[0] = matrix_point(f, a, node->transpose_a, 1, at, row, k, !both);
    points[1] = matrix_point(f, b, node->transpose_b, 0, at, column, k, true);
    return;
  }
  const struct node *x = f->x[0];
  for (uint32_t i = 0, o = 0; i < x->rank; i++)
    points[0].at[i] = i == f->axis ? k : at[o++];
  points[0].lane = f->along ? (int)f->axis : (int)x->rank - 1;
  points[1] = points[0];
}

static LLVMValueRef *state_of(const struct fold *f, struct cells *cells, unsigned cell) {
  return cells->state + cell * f->n_state;
}

static void add_term(struct ragged *r, const struct fold *f, const LLVMValueRef x[2], LLVMValueRef *state) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef zero = codegen_real_like(cg, x[0], 0);
  switch (f->node->op) {
  case IR_OP_AMAX: state[0] = codegen_maximum(cg, state[0], x[0]); break;
  case NODE_SUM_BUT_ONE: {
    // Elements of at least 1 apart: only the others, which may be many and small, lose digits.
    LLVMValueRef large = LLVMBuildFCmp(cg->builder, LLVMRealOGE, x[0], codegen_real_like(cg, x[0], 1), "");
    LLVMValueRef rest = LLVMBuildSelect(cg->builder, large, zero, x[0], "");
    LLVMValueRef above = LLVMBuildSelect(cg->builder, large, x[0], zero, "");
    state[0] = LLVMBuildFAdd(cg->builder, state[0], rest, "");
    state[1] = LLVMBuildFAdd(cg->builder, state[1], above, "");
    break;
  }
  default:
    state[0] = f->x[1] ? codegen_fma(cg, x[0], x[1], state[0])
                       : LLVMBuildFAdd(cg->builder, state[0], x[0], "");
  }
}

static void add_terms(struct ragged *r, const struct fold *f, struct cells *cells, LLVMValueRef k,
                      LLVMValueRef mask) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef outer = r->mask;
  if (f->along)
    r->mask = mask;
  for (unsigned c = 0; c < cells->n; c++) {
    struct ragged_point points[2];
    points_of(f, cells->at[c], k, points);
    LLVMValueRef x[2] = {NULL, NULL}, *state = state_of(f, cells, c), next[MAX_STATE];
    for (int i = 0; i < 2 && f->x[i]; i++)
      x[i] = ragged_wide(r, ragged_element(r, f->x[i], &points[i]));
    memcpy(next, state, f->n_state * sizeof *next);
    add_term(r, f, x, next);
    for (unsigned i = 0; i < f->n_state; i++)
      state[i] = mask ? LLVMBuildSelect(cg->builder, mask, next[i], state[i], "") : next[i];
  }
  r->mask = outer;
}

static void begin_chains(const struct fold *f, struct cells *cells) {
  for (unsigned c = 0; c < cells->n; c++)
    memcpy(state_of(f, cells, c), f->first, f->n_state * sizeof *f->first);
}

static void run_chain(struct ragged *r, const struct fold *f, struct cells *cells, LLVMValueRef from,
                      LLVMValueRef to, int64_t step, bool masked) {
  struct codegen *cg = &r->e.cg;
  struct codegen_loop loop;
  unsigned n = cells->n * f->n_state;
  codegen_loop_begin_guarded(cg, &loop, from, to, word(r, step), n, cells->state);
  memcpy(cells->state, loop.carried, n * sizeof *cells->state);
  LLVMValueRef mask = NULL;
  if (masked) {
    LLVMValueRef left = LLVMBuildTrunc(cg->builder, LLVMBuildSub(cg->builder, to, loop.index, ""), cg->int32,
                                       "");
    mask = LLVMBuildICmp(cg->builder, LLVMIntSLT, codegen_iota(cg, cg->lanes),
                         codegen_splat(cg, left, cg->lanes), "");
  }
  add_terms(r, f, cells, loop.index, mask);
  codegen_loop_end(cg, &loop, cells->state);
  memcpy(cells->state, loop.carried, n * sizeof *cells->state);
}

// Chains of the terms before `to`, and what is before that of the stretches: one sum.
static void run_stretches(struct ragged *r, const struct fold *f, struct cells *cells, LLVMValueRef to,
                          int64_t step) {
  struct codegen *cg = &r->e.cg;
  struct codegen_loop loop;
  unsigned n = cells->n * f->n_state;
  LLVMValueRef length = word(r, STRETCH * step);
  codegen_loop_begin_guarded(cg, &loop, word(r, 0), to, length, n, cells->state);
  begin_chains(f, cells);
  LLVMValueRef end = LLVMBuildAdd(cg->builder, loop.index, length, "");
  end = LLVMBuildSelect(cg->builder, LLVMBuildICmp(cg->builder, LLVMIntSLT, end, to, ""), end, to, "");
  run_chain(r, f, cells, loop.index, end, step, false);
  for (unsigned i = 0; i < n; i++)
    cells->state[i] = LLVMBuildFAdd(cg->builder, loop.carried[i], cells->state[i], "");
  codegen_loop_end(cg, &loop, cells->state);
  memcpy(cells->state, loop.carried, n * sizeof *cells->state);
}

// All terms of some results: into the cells' states.
static void run_terms(struct ragged *r, const struct fold *f, struct cells *cells) {
  LLVMBuilderRef b = r->e.cg.builder;
  int64_t unit = f->along ? r->e.cg.lanes : 1;
  LLVMValueRef n = ragged_size(r, f->terms);
  LLVMValueRef whole = LLVMBuildMul(b, LLVMBuildUDiv(b, n, word(r, unit), ""), word(r, unit), "");
  begin_chains(f, cells);
  if (f->chains && (f->terms < 0 || f->terms > STRETCH * unit))
    run_stretches(r, f, cells, whole, unit);
  else if (f->terms < 0 || f->terms >= unit)
    run_chain(r, f, cells, word(r, 0), whole, unit, false);
  if (f->terms < 0 ? unit > 1 : f->terms % unit > 0)
    run_chain(r, f, cells, whole, n, unit, true);
}

// ------------------------------------------------------------------------------------------------------ results

static LLVMValueRef together(struct ragged *r, const struct fold *f, LLVMValueRef state) {
  if (!f->along)
    return state;
  return f->node->op == IR_OP_AMAX ? codegen_max_lanes(&r->e.cg, state) : codegen_sum_lanes(&r->e.cg, state);
}

static LLVMValueRef result_of(struct ragged *r, const struct fold *f, LLVMValueRef *state) {
  struct codegen *cg = &r->e.cg;
  LLVMValueRef result = together(r, f, state[0]);
  if (f->node->op != NODE_SUM_BUT_ONE)
    return result;
  LLVMValueRef large = together(r, f, state[1]);
  large = LLVMBuildFSub(cg->builder, large, codegen_real_like(cg, large, 1), "");
  return LLVMBuildFAdd(cg->builder, large, result, "");
}

struct tile {
  const struct fold *f;
  unsigned rows, columns;  // at most
  unsigned height;         // rows of this one
  LLVMValueRef at[IR_MAX_RANK];
};

static LLVMValueRef cell_address(struct ragged *r, const struct fold *f, const struct cells *cells,
                                 unsigned c) {
  struct ragged_point point = {.lane = -1};
  memcpy(point.at, cells->at[c], sizeof point.at);
  LLVMValueRef position = ragged_position(r, f->node, &point, 0);
  return codegen_at(&r->e.cg, r->e.cg.real, ragged_of(r, f->node)->base, position);
}

// `width`: the cells of a row.
static void store_tile(struct ragged *r, const struct fold *f, struct cells *cells, unsigned width) {
  struct codegen *cg = &r->e.cg;
  bool sums = f->along && f->chains && f->n_state == 1;
  if (sums && width > 1 && (width & (width - 1)) == 0 && width <= cg->lanes) {
    for (unsigned c = 0; c < cells->n; c += width)
      codegen_store(cg, codegen_sum_lanes_of(cg, cells->state + c, width), cell_address(r, f, cells, c));
    return;
  }
  for (unsigned c = 0; c < cells->n; c++) {
    LLVMValueRef address = cell_address(r, f, cells, c);
    LLVMValueRef result = result_of(r, f, state_of(f, cells, c));
    if (f->along)
      codegen_store(cg, result, address);
    else
      ragged_store(r, result, address);
  }
}

static void fold_columns(struct ragged *r, void *context, LLVMValueRef first, unsigned width) {
  const struct tile *tile = context;
  struct cells cells = {.n = 0};
  uint32_t last = tile->f->node->rank - 1;
  int64_t unit = tile->f->along ? 1 : r->e.cg.lanes;
  for (unsigned i = 0; i < tile->height; i++)
    for (unsigned j = 0; j < width; j++) {
      LLVMValueRef *at = cells.at[cells.n++];
      memcpy(at, tile->at, sizeof tile->at);
      at[last] = LLVMBuildAdd(r->e.cg.builder, first, word(r, unit * j), "");
      if (last > 0)
        at[last - 1] = LLVMBuildAdd(r->e.cg.builder, at[last - 1], word(r, i), "");
    }
  run_terms(r, tile->f, &cells);
  store_tile(r, tile->f, &cells, width);
}

static void fold_rows(struct ragged *r, void *context, LLVMValueRef first, unsigned width) {
  struct tile tile = *(const struct tile *)context;
  uint32_t last = tile.f->node->rank - 1;
  if (last > 0)
    tile.at[last - 1] = first;
  tile.height = width;
  ragged_blocks(r, tile.f->node->size[last], !tile.f->along, tile.columns, fold_columns, &tile);
}

// The result's axes before its last two, one by one.
static void fold_outer(struct ragged *r, struct tile *tile, uint32_t axis) {
  uint32_t rank = tile->f->node->rank;
  if (rank == 1) {
    fold_rows(r, tile, NULL, 1);
  } else if (axis + 2 == rank) {
    ragged_blocks(r, tile->f->node->size[axis], false, tile->rows, fold_rows, tile);
  } else {
    struct codegen_loop loop;
    codegen_loop_begin_guarded(&r->e.cg, &loop, word(r, 0), ragged_size(r, tile->f->node->size[axis]),
                               word(r, 1), 0, NULL);
    tile->at[axis] = loop.index;
    fold_outer(r, tile, axis + 1);
    codegen_loop_end(&r->e.cg, &loop, NULL);
  }
}

// A number: of the elements of all axes. The rows of the last axis are summed up one after the other.
static void fold_number(struct ragged *r, const struct fold *f, uint32_t axis, LLVMValueRef *at,
                        LLVMValueRef *state) {
  struct codegen *cg = &r->e.cg;
  if (axis == f->axis) {
    struct cells cells = {.n = 1};
    memcpy(cells.at[0], at, sizeof cells.at[0]);
    run_terms(r, f, &cells);
    for (unsigned i = 0; i < f->n_state; i++) {
      if (axis == 0)
        state[i] = cells.state[i];
      else
        state[i] = f->chains ? LLVMBuildFAdd(cg->builder, state[i], cells.state[i], "")
                             : codegen_maximum(cg, state[i], cells.state[i]);
    }
    return;
  }
  struct codegen_loop loop;
  codegen_loop_begin_guarded(cg, &loop, word(r, 0), ragged_size(r, f->x[0]->size[axis]), word(r, 1),
                             f->n_state, state);
  memcpy(state, loop.carried, f->n_state * sizeof *state);
  at[axis] = loop.index;
  fold_number(r, f, axis + 1, at, state);
  codegen_loop_end(cg, &loop, state);
  memcpy(state, loop.carried, f->n_state * sizeof *state);
}

// ------------------------------------------------------------------------------------------------------- choice

static void choose_terms(struct fold *f) {
  const struct node *node = f->node, *x = f->x[0];
  f->axis = node_is_scalar(node) ? x->rank - 1 : node->axis;
  if (f->product)
    f->axis = x->rank - 1 - node->transpose_a;
  f->terms = x->size[f->axis];
}

// Whether lanes go along the terms: where else more would have to be gathered, or there is no column.
static bool goes_along(struct ragged *r, const struct fold *f) {
  const struct node *node = f->node, *a = f->x[0], *b = f->x[1];
  if (node_is_scalar(node))
    return true;
  unsigned along = ragged_apart(r, a, (int)f->axis), across;
  if (f->product) {
    along += ragged_apart(r, b, b->rank == 1 ? 0 : (int)b->rank - 2 + node->transpose_b);
    across = b->rank >= 2 ? ragged_apart(r, b, (int)b->rank - 1 - node->transpose_b)
                          : ragged_apart(r, a, node->transpose_a ? 1 : 0);
  } else {
    along += b ? ragged_apart(r, b, (int)f->axis) : 0;
    if (f->axis + 1 == a->rank)  // the results are no run of what is read
      return true;
    across = ragged_apart(r, a, (int)a->rank - 1) + (b ? ragged_apart(r, b, (int)b->rank - 1) : 0);
  }
  int64_t columns = node->size[node->rank - 1];
  bool few = columns > 0 && columns < r->e.cg.lanes / 2;
  return along < across || (along == across && few);
}

static void choose_state(struct ragged *r, struct fold *f) {
  struct codegen *cg = &r->e.cg;
  f->chains = f->node->op != IR_OP_AMAX;
  f->n_state = f->node->op == NODE_SUM_BUT_ONE ? 2 : 1;
  f->first[0] = f->first[1] = codegen_real(cg, cg->lanes, f->chains ? 0 : -INFINITY);
}

// ----------------------------------------------------------------------------------------------------- position

// The first NaN, else the first largest: one element after the other.
static LLVMValueRef position_of_largest(struct ragged *r, const struct node *x) {
  struct codegen *cg = &r->e.cg;
  LLVMBuilderRef b = cg->builder;
  struct ragged_point point = {.at = {word(r, 0)}, .lane = -1};
  LLVMValueRef first[] = {ragged_element(r, x, &point), word(r, 0)};
  struct codegen_loop loop;
  codegen_loop_begin_guarded(cg, &loop, word(r, 1), ragged_size(r, x->size[0]), word(r, 1), 2, first);
  point.at[0] = loop.index;
  LLVMValueRef element = ragged_element(r, x, &point), best = loop.carried[0];
  LLVMValueRef larger = LLVMBuildAnd(b, LLVMBuildFCmp(b, LLVMRealUGT, element, best, ""),
                                     LLVMBuildFCmp(b, LLVMRealORD, best, best, ""), "");
  LLVMValueRef next[] = {LLVMBuildSelect(b, larger, element, best, ""),
                         LLVMBuildSelect(b, larger, loop.index, loop.carried[1], "")};
  codegen_loop_end(cg, &loop, next);
  return LLVMBuildSIToFP(b, loop.carried[1], cg->real, "");
}

void ragged_fold(struct ragged *r, const struct node *node) {
  struct ragged_value *value = ragged_of(r, node);
  struct fold f = {.node = node, .product = node->op == IR_OP_MATMUL};
  ragged_factors(node, f.x);
  if (node->op == IR_OP_ARGMAX) {
    value->number = position_of_largest(r, f.x[0]);
    return;
  }
  choose_terms(&f);
  f.along = goes_along(r, &f);
  choose_state(r, &f);
  if (node_is_scalar(node)) {
    LLVMValueRef at[IR_MAX_RANK] = {NULL}, state[MAX_STATE] = {f.first[0], f.first[1]};
    fold_number(r, &f, 0, at, state);
    value->number = result_of(r, &f, state);
    return;
  }
  // As many sums at a time as there are registers for.
  unsigned many = r->e.cg.cpu.vector_bytes == 64 ? 4 : 2;
  struct tile tile = {.f = &f, .rows = 1, .columns = 4};
  if (f.product && node->rank >= 2) {
    tile.rows = 4;
    tile.columns = many;
  }
  fold_outer(r, &tile, 0);
}

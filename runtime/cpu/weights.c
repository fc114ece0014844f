// Gradients of parameters, over all rows of a minibatch.
#include "runtime/cpu/weights.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/base/array.h"
#include "runtime/base/status.h"
#include "runtime/cpu/blas.h"
#include "runtime/value/value.h"

// Output rows of a product that one thread computes at a time; fixed, because it decides how BLAS cuts the
// product.
enum { PANEL = 512 };
// Rows that are copied, and columns that are summed, by one thread at a time.
enum { COPY_ROWS = 512, SUM_COLUMNS = 64 };
// Rows of a lookup table that one thread sums up at a time.
enum { TABLE_ROWS = 64 };
// A product over more rows than STRETCH_ROWS is taken in stretches of nearly equal length, each added to those before
// it, and PRODUCT_ROWS are one part; parts are added up so that nothing is lost. So an element is off by at most
// STRETCH_ROWS + PRODUCT_ROWS / STRETCH_ROWS units in the last place of the sum of its terms' magnitudes, however many
// rows there are and whatever kernel BLAS picks: some add up all rows in one chain. STRETCH_ROWS is what most of
// OpenBLAS's kernels for large products cut the rows into themselves, so that it costs nothing there.
enum { STRETCH_ROWS = 384, PRODUCT_ROWS = 4096 };

// Rows of a group that lie together.
struct operand {
  const struct row_arena *arena;
  uint32_t offset, units;
};

// One sink of one group, with its operands found.
struct contribution {
  uint32_t param, member;
  uint32_t sequence;  // ties of the sort: the order of groups and sinks
  const struct sink_group *group;
  const struct kernel_sink *sink;
  struct operand a, b;
};

// Rows of one batch that must be copied together with those of the others.
struct weight_copy {
  const struct row_arena *from;
  const uint32_t *rows;  // offsets, or NULL: contiguous from `first`
  uint32_t first, to, units, count;
};

// The uses of a lookup table by row: terms[first[s], first[s + 1]) are the gradients that row rows[s] got.
struct uses {
  uint32_t n;
  uint32_t earlier;  // of them have a gradient already
  uint32_t *rows, *first;
  const void **terms;
};

// All contributions to a part of a parameter: rows [begin, end) of a product, columns of a sum, or rows in use of a
// table.
struct weight_task {
  const struct contribution *first;
  uint32_t n;
  const struct uses *uses;  // NULL: no contribution is to rows alone
  size_t begin, end;
  bool fresh;  // the gradient holds nothing yet
};

struct weights {
  struct executor *executor;
  const uint64_t *results;  // [row] which of its results have a gradient
  struct contribution *contributions;
  uint32_t n_contributions;
  uint32_t n_copies, n_tasks;  // in the executor's arrays
};

// -------------------------------------------------------------------------------------------------- operands

// Where the rows of one batch lie: their offsets, or NULL and the first of contiguous ones.
static const uint32_t *batch_rows(const struct executor *executor, const struct sink_group *group,
                                  uint32_t batch, const struct kernel_row *row, uint32_t *first) {
  const struct plan_batch *plan = &executor->minibatch->plan.batches[batch];
  const struct plan_block *block = &executor->cpu->model->blocks[group->block];
  switch (row->place) {
  case KERNEL_PLACE_INPUT: *first = plan->rows[row->index][0]; return plan->rows[row->index];
  case KERNEL_PLACE_SAVED: *first = plan->outputs[block->n_results + row->index]; return NULL;
  default: *first = plan->outputs[row->index]; return NULL;
  }
}

static const struct row_arena *place_arena(const struct executor *executor, enum kernel_place place) {
  switch (place) {
  case KERNEL_PLACE_SINK: return &executor->sinks;
  case KERNEL_PLACE_INPUT: return &executor->values;
  case KERNEL_PLACE_SAVED: return &executor->saved;
  default: return &executor->gradients;
  }
}

// Whether all rows of the group lie one behind the other already.
static bool lies_together(const struct executor *executor, const struct sink_group *group,
                          const struct kernel_row *row, uint32_t units, uint32_t *start) {
  uint64_t next = 0;
  for (uint32_t b = 0; b < group->n_batches; b++) {
    uint32_t first, count = executor->minibatch->schedule.batches[group->batches[b]].count;
    const uint32_t *rows = batch_rows(executor, group, group->batches[b], row, &first);
    if (b == 0) {
      *start = first;
      next = first;
    }
    if (first != next)
      return false;
    for (uint32_t r = 1; rows && r < count; r++)
      if (rows[r] != first + (uint64_t)r * units)
        return false;
    next += (uint64_t)count * units;
  }
  return true;
}

static nn_status *copy_together(struct weights *weights, const struct sink_group *group,
                                const struct kernel_row *row, struct operand *operand) {
  struct executor *executor = weights->executor;
  if (!row_arena_alloc(&executor->sinks, group->n_rows, operand->units, &operand->offset))
    return status_no_memory();
  uint32_t to = operand->offset;
  for (uint32_t b = 0; b < group->n_batches; b++) {
    uint32_t first, left = executor->minibatch->schedule.batches[group->batches[b]].count;
    const uint32_t *rows = batch_rows(executor, group, group->batches[b], row, &first);
    while (left > 0) {
      uint32_t count = left < COPY_ROWS ? left : COPY_ROWS;
      if (!array_reserve_u32(&executor->copies, sizeof *executor->copies, weights->n_copies + UINT64_C(1),
                             &executor->copies_capacity))
        return status_no_memory();
      executor->copies[weights->n_copies++] = (struct weight_copy){operand->arena, rows, first, to,
                                                                   operand->units, count};
      if (rows)
        rows += count;
      else
        first += count * operand->units;
      to += count * operand->units;
      left -= count;
    }
  }
  operand->arena = &executor->sinks;
  return NULL;
}

static nn_status *find_operand(struct weights *weights, const struct sink_group *group,
                               const struct kernel_row *row, struct operand *operand) {
  struct executor *executor = weights->executor;
  operand->units = (uint32_t)(nn_row_elements(row->elements) / NN_LANES);
  operand->arena = place_arena(executor, row->place);
  if (row->place == KERNEL_PLACE_SINK) {
    operand->offset = group->buffers[row->index];
    return NULL;
  }
  if (lies_together(executor, group, row, operand->units, &operand->offset))
    return NULL;
  // Several sinks of a kernel often have an operand in common.
  for (uint32_t i = weights->n_contributions; i-- > 0 && weights->contributions[i].group == group;) {
    const struct contribution *other = &weights->contributions[i];
    const struct kernel_row *a = &other->sink->a, *b = &other->sink->b;
    bool as_a = a->place == row->place && a->index == row->index;
    bool as_b = other->sink->kind == KERNEL_SINK_OUTER && b->place == row->place && b->index == row->index;
    if (!as_a && !as_b)
      continue;
    *operand = as_a ? other->a : other->b;
    return NULL;
  }
  return copy_together(weights, group, row, operand);
}

static void run_copy(void *context, uint32_t item, int thread) {
  (void)thread;
  const struct weights *weights = context;
  const struct weight_copy *copy = &weights->executor->copies[item];
  const struct row_arena *sinks = &weights->executor->sinks;
  size_t bytes = copy->units * sinks->unit;
  char *to = row_arena_at(sinks, copy->to);
  if (!copy->rows)
    memcpy(to, row_arena_at(copy->from, copy->first), bytes * copy->count);
  else
    for (uint32_t r = 0; r < copy->count; r++, to += bytes)
      memcpy(to, row_arena_at(copy->from, copy->rows[r]), bytes);
}

// --------------------------------------------------------------------------------------------- contributions

static nn_status *collect(struct weights *weights, const struct sink_group *groups, uint32_t n_groups) {
  uint32_t n = 0;
  for (uint32_t g = 0; g < n_groups; g++)
    n += groups[g].kernel->n_sinks;
  weights->contributions = value_arena_alloc(weights->executor->memory,
                                             (n + 1) * sizeof *weights->contributions);
  for (uint32_t g = 0; g < n_groups; g++) {
    const struct sink_group *group = &groups[g];
    for (uint32_t s = 0; s < group->kernel->n_sinks; s++) {
      const struct kernel_sink *sink = &group->kernel->sinks[s];
      struct contribution *made = &weights->contributions[weights->n_contributions];
      *made = (struct contribution){
          .param = sink->param, .sequence = weights->n_contributions, .group = group, .sink = sink};
      STATUS_TRY(
          execute_member(weights->executor, group->batches[0], sink->param, sink->member, &made->member));
      STATUS_TRY(find_operand(weights, group, &sink->a, &made->a));
      if (sink->kind == KERNEL_SINK_OUTER)
        STATUS_TRY(find_operand(weights, group, &sink->b, &made->b));
      weights->n_contributions++;
    }
  }
  return NULL;
}

static int compare_contributions(const void *x, const void *y) {
  const struct contribution *a = x, *b = y;
  if (a->param != b->param)
    return a->param < b->param ? -1 : 1;
  if (a->member != b->member)
    return a->member < b->member ? -1 : 1;
  return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

// Calls `visit` for every use of a row in contributions [first, end) that has a gradient, in their order.
struct use {
  uint32_t row;
  const void *gradient;
};
typedef void use_fn(void *context, struct use use);

static nn_status *each_use(const struct weights *weights, uint32_t first, uint32_t end, use_fn *visit,
                           void *context) {
  const struct executor *executor = weights->executor;
  const struct minibatch *minibatch = executor->minibatch;
  for (uint32_t i = first; i < end; i++) {
    const struct contribution *c = &weights->contributions[i];
    if (c->sink->kind != KERNEL_SINK_ROW)
      continue;
    const struct sink_group *group = c->group;
    const struct param *param = &executor->cpu->params.list[c->param];
    uint64_t wanted = group->flow->sinks[c->sink - group->kernel->sinks];
    uint16_t slot = executor->cpu->model->blocks[group->block].slots[c->sink->index];
    const char *from = row_arena_at(c->a.arena, c->a.offset);
    size_t stride = c->a.units * c->a.arena->unit;
    for (uint32_t b = 0; b < group->n_batches; b++) {
      const struct batch *batch = &minibatch->schedule.batches[group->batches[b]];
      const int32_t *rows = minibatch->plan.batches[group->batches[b]].indices[slot];
      const uint32_t *order = minibatch->schedule.order + batch->first;
      for (uint32_t r = 0; r < batch->count; r++, from += stride) {
        if (rows[r] < 0 || rows[r] >= param->shape->rows)
          return status_new(NN_DATA, "row %d of `%s` was looked up, which has %lld", rows[r],
                            executor->cpu->model->params->names[param->shape->first + c->member],
                            (long long)param->shape->rows);
        if (weights->results[order[r]] & wanted)
          visit(context, (struct use){(uint32_t)rows[r], from});
      }
    }
  }
  return NULL;
}

// Uses are counted by row, then put where they belong: a counting sort, which keeps their order.
struct sorting {
  struct uses *uses;
  uint32_t *slots;               // [row] its position in uses.rows + 1
  struct param_member *touched;  // NULL: the parameter is dense
};

static void count_use(void *context, struct use use) {
  struct sorting *sorting = context;
  struct uses *uses = sorting->uses;
  if (sorting->touched)
    params_touch(sorting->touched, use.row);
  else if (!sorting->slots[use.row])
    sorting->slots[use.row] = uses->n + 1;
  uint32_t slot = sorting->slots[use.row];
  if (slot > uses->n) {
    uses->rows[uses->n++] = use.row;
    uses->first[slot] = 0;
  }
  uses->first[slot]++;
}

static void place_use(void *context, struct use use) {
  struct sorting *sorting = context;
  struct uses *uses = sorting->uses;
  uses->terms[uses->first[sorting->slots[use.row] - 1]++] = use.gradient;
}

static nn_status *sort_uses(struct weights *weights, uint32_t first, uint32_t end, struct uses **made) {
  const struct contribution *head = &weights->contributions[first];
  struct value_arena *memory = weights->executor->memory;
  const struct param *param = &weights->executor->cpu->params.list[head->param];
  struct param_member *member = &param->members[head->member];
  size_t most = 0;
  for (uint32_t i = first; i < end; i++)
    if (weights->contributions[i].sink->kind == KERNEL_SINK_ROW)
      most += weights->contributions[i].group->n_rows;
  // The backward pass of another part of the minibatch may have touched rows: they keep their places.
  uint32_t earlier = param->shape->sparse ? member->n_touched : 0;
  size_t most_rows = most + earlier < (size_t)param->shape->rows ? most + earlier
                                                                 : (size_t)param->shape->rows;
  struct uses *uses = value_arena_alloc(memory, sizeof *uses);
  *uses = (struct uses){.n = earlier,
                        .earlier = earlier,
                        .rows = value_arena_alloc(memory, (most_rows + 1) * sizeof *uses->rows),
                        .first = value_arena_alloc(memory, (most_rows + 2) * sizeof *uses->first),
                        .terms = value_arena_alloc(memory, (most + 1) * sizeof *uses->terms)};
  if (earlier)
    memcpy(uses->rows, member->touched, earlier * sizeof *uses->rows);
  memset(uses->first, 0, (earlier + (size_t)1) * sizeof *uses->first);
  struct sorting sorting = {uses, member->slots, param->shape->sparse ? member : NULL};
  if (!param->shape->sparse) {
    sorting.slots = value_arena_alloc(memory, (size_t)param->shape->rows * sizeof *sorting.slots);
    memset(sorting.slots, 0, (size_t)param->shape->rows * sizeof *sorting.slots);
  }
  STATUS_TRY(each_use(weights, first, end, count_use, &sorting));
  // first[s]: where the next use of row s goes; afterwards, where those of row s + 1 begin.
  uint32_t at = 0;
  for (uint32_t s = 0; s < uses->n; s++) {
    uint32_t count = uses->first[s + 1];
    uses->first[s] = at;
    at += count;
  }
  STATUS_TRY(each_use(weights, first, end, place_use, &sorting));
  memmove(uses->first + 1, uses->first, uses->n * sizeof *uses->first);
  uses->first[0] = 0;
  *made = uses;
  return NULL;
}

// Contributions [first, end) go to one parameter.
static nn_status *make_tasks(struct weights *weights, uint32_t first, uint32_t end) {
  const struct contribution *head = &weights->contributions[first];
  struct executor *executor = weights->executor;
  struct params *params = &executor->cpu->params;
  const struct param *param = &params->list[head->param];
  struct param_member *member = &param->members[head->member];
  if (!params_gradient(params, head->param, head->member))
    return status_no_memory();
  bool alike = true, by_row = false;
  for (uint32_t i = first; i < end; i++) {
    by_row |= weights->contributions[i].sink->kind == KERNEL_SINK_ROW;
    alike &= weights->contributions[i].sink->kind == head->sink->kind;
  }
  struct uses *uses = NULL;
  if (by_row)
    STATUS_TRY(sort_uses(weights, first, end, &uses));
  // Rows are added to a dense gradient after it has been zeroed as a whole.
  if (head->sink->kind == KERNEL_SINK_ROW && !param->shape->sparse)
    alike = false;
  // Rows of a product, columns of a sum. A parameter with contributions of several kinds is one task.
  size_t extent = 1, step = 1;
  if (alike && head->sink->kind == KERNEL_SINK_OUTER)
    extent = (size_t)param->shape->rows, step = PANEL;
  if (alike && head->sink->kind == KERNEL_SINK_PARAM)
    extent = param->shape->elements, step = SUM_COLUMNS * 4;
  if (alike && head->sink->kind == KERNEL_SINK_ROW)
    extent = uses->n, step = TABLE_ROWS;
  if (threads_count(executor->cpu->threads) == 1 && head->sink->kind != KERNEL_SINK_OUTER)
    step = extent ? extent : 1;
  for (size_t begin = 0; begin < extent; begin += step) {
    if (!array_reserve_u32(&executor->tasks, sizeof *executor->tasks, weights->n_tasks + UINT64_C(1),
                           &executor->tasks_capacity))
      return status_no_memory();
    struct weight_task *task = &executor->tasks[weights->n_tasks++];
    *task = (struct weight_task){.first = head,
                                 .n = end - first,
                                 .uses = uses,
                                 .begin = begin,
                                 .fresh = !param->shape->sparse && !member->written};
    task->end = !alike ? SIZE_MAX : begin + step < extent ? begin + step : extent;
  }
  member->written = true;
  return NULL;
}

// ----------------------------------------------------------------------------------------------------- tasks

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

// Rows [begin, end) of the product over n rows of both operands, from row `first` on.
static void multiply(const struct executor *executor, const struct contribution *c,
                     const struct weight_task *task, uint32_t first, uint32_t n, bool add, char *to) {
  const struct param *param = &executor->cpu->params.list[c->param];
  size_t end = least(task->end, (size_t)param->shape->rows), size = nn_element_bytes(executor->cpu->element);
  size_t columns = (size_t)param->shape->columns;
  uint32_t stretches = (n + STRETCH_ROWS - 1) / STRETCH_ROWS;
  for (uint32_t s = 0, left = n; s < stretches; s++) {
    uint32_t count = left / (stretches - s);
    blas_product(executor->cpu->blas, executor->cpu->element, add || s > 0, end - task->begin, columns, count,
                 row_arena_at(c->a.arena, c->a.offset + first * c->a.units) + task->begin * size,
                 (size_t)c->a.units * NN_LANES, row_arena_at(c->b.arena, c->b.offset + first * c->b.units),
                 (size_t)c->b.units * NN_LANES, to, columns);
    first += count;
    left -= count;
  }
}

static void add_product(const struct executor *executor, const struct contribution *c, char *gradient,
                        const struct weight_task *task, bool fresh) {
  const struct param *param = &executor->cpu->params.list[c->param];
  size_t end = least(task->end, (size_t)param->shape->rows), columns = (size_t)param->shape->columns,
         n = (end - task->begin) * columns, bytes = n * nn_element_bytes(executor->cpu->element);
  char *to = gradient + task->begin * columns * nn_element_bytes(executor->cpu->element);
  uint32_t rows = c->group->n_rows;
  char *lost = rows > PRODUCT_ROWS ? calloc(2, bytes) : NULL, *part = lost ? lost + bytes : NULL;
  if (!lost) {  // few rows, or no memory
    multiply(executor, c, task, 0, rows, !fresh, to);
    return;
  }
  const struct loops *loops = executor->cpu->loops;
  for (uint32_t first = 0; first < rows; first += PRODUCT_ROWS) {
    uint32_t count = rows - first < PRODUCT_ROWS ? rows - first : PRODUCT_ROWS;
    bool begins = fresh && first == 0;
    multiply(executor, c, task, first, count, false, begins ? to : part);
    if (!begins)
      loops->add_kept(to, lost, part, n);
  }
  loops->keep_lost(to, lost, n);
  free(lost);
}

// Rows in use [begin, end) of a table.
static void add_rows(const struct executor *executor, const struct weight_task *task, bool add) {
  const struct contribution *c = task->first;
  const struct param *param = &executor->cpu->params.list[c->param];
  const struct uses *uses = task->uses;
  char *gradient = param->members[c->member].gradient;
  size_t columns = (size_t)param->shape->columns, bytes = columns * nn_element_bytes(executor->cpu->element);
  size_t end = least(task->end, uses->n);
  for (size_t s = task->begin; s < end; s++) {
    uint32_t n = uses->first[s + 1] - uses->first[s];
    if (n)
      executor->cpu->loops->sum_terms(gradient + uses->rows[s] * bytes, add || s < uses->earlier,
                                      uses->terms + uses->first[s], n, columns);
  }
}

static void run_task(void *context, uint32_t item, int thread) {
  (void)thread;
  const struct weights *weights = context;
  const struct executor *executor = weights->executor;
  const struct weight_task *task = &executor->tasks[item];
  const struct param *param = &executor->cpu->params.list[task->first->param];
  char *gradient = param->members[task->first->member].gradient;
  size_t size = nn_element_bytes(executor->cpu->element);
  bool fresh = task->fresh;
  for (uint32_t i = 0; i < task->n; i++) {
    const struct contribution *c = &task->first[i];
    if (c->sink->kind == KERNEL_SINK_ROW)
      continue;
    if (c->sink->kind == KERNEL_SINK_OUTER)
      add_product(executor, c, gradient, task, fresh);
    else
      executor->cpu->loops->sum_rows(gradient + task->begin * size, !fresh,
                                     row_arena_at(c->a.arena, c->a.offset) + task->begin * size,
                                     c->group->n_rows, (size_t)c->a.units * NN_LANES,
                                     least(task->end, param->shape->elements) - task->begin);
    fresh = false;
  }
  if (!task->uses)
    return;
  if (fresh)
    memset(gradient, 0, param->bytes);
  // A sparse gradient holds zeros where nothing was added yet.
  add_rows(executor, task, !param->shape->sparse);
}

static void count_flops(struct executor *executor, const struct weights *weights) {
  for (uint32_t i = 0; i < weights->n_contributions; i++) {
    const struct contribution *c = &weights->contributions[i];
    if (c->sink->kind == KERNEL_SINK_OUTER)
      executor->run.flops += 2.0 * c->group->n_rows *
                             (double)executor->cpu->params.list[c->param].shape->elements;
  }
}

static nn_status *accumulate(struct weights *weights, const struct sink_group *groups, uint32_t n_groups) {
  STATUS_TRY(collect(weights, groups, n_groups));
  threads_run(weights->executor->cpu->threads, weights->n_copies, run_copy, weights);
  qsort(weights->contributions, weights->n_contributions, sizeof *weights->contributions,
        compare_contributions);
  for (uint32_t i = 0, end; i < weights->n_contributions; i = end) {
    const struct contribution *head = &weights->contributions[i];
    for (end = i + 1; end < weights->n_contributions; end++)
      if (weights->contributions[end].param != head->param ||
          weights->contributions[end].member != head->member)
        break;
    STATUS_TRY(make_tasks(weights, i, end));
  }
  threads_run(weights->executor->cpu->threads, weights->n_tasks, run_task, weights);
  count_flops(weights->executor, weights);
  return NULL;
}

nn_status *weights_accumulate(struct executor *executor, const struct sink_group *groups, uint32_t n_groups,
                              const uint64_t *results) {
  struct weights weights = {.executor = executor, .results = results};
  // On first use: a process that only infers need not load the library. A backward pass has the model to itself.
  if (!executor->cpu->blas)
    executor->cpu->blas = blas_open(threads_count(executor->cpu->threads));
  return accumulate(&weights, groups, n_groups);
}

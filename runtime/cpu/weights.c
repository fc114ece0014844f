// Gradients of parameters, over all rows of a minibatch.
#include "runtime/cpu/weights.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/status.h"
#include "runtime/cpu/blas.h"
#include "runtime/value/value.h"

// Output rows of a product that one thread computes at a time; fixed, because it decides how BLAS cuts the
// product.
enum { PANEL = 512 };
// Rows that are copied, and columns that are summed, by one thread at a time.
enum { COPY_ROWS = 512, SUM_COLUMNS = 64 };

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
struct copy {
  const struct row_arena *from;
  const uint32_t *rows;  // offsets, or NULL: contiguous from `first`
  uint32_t first, to, units, count;
};

// All contributions to a part of a parameter: rows [begin, end) of a product, otherwise columns.
struct task {
  const struct contribution *first;
  uint32_t n;
  size_t begin, end;
  bool fresh;  // the gradient holds nothing yet
};

struct weights {
  struct executor *executor;
  struct contribution *contributions;
  uint32_t n_contributions;
  struct copy *copies;
  uint32_t n_copies, copies_capacity;
  struct task *tasks;
  uint32_t n_tasks, tasks_capacity;
};

static bool grow(void *array, size_t element, uint32_t count, uint32_t *capacity) {
  if (count < *capacity)
    return true;
  uint32_t grown = *capacity ? *capacity * 2 : 64;
  void *old;
  memcpy(&old, array, sizeof old);
  void *new = realloc(old, grown * element);
  if (!new)
    return false;
  memcpy(array, &new, sizeof new);
  *capacity = grown;
  return true;
}

// ------------------------------------------------------------------------------------------------------
// operands

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
      if (!grow(&weights->copies, sizeof *weights->copies, weights->n_copies, &weights->copies_capacity))
        return status_no_memory();
      weights->copies[weights->n_copies++] = (struct copy){operand->arena, rows, first, to,
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
  const struct copy *copy = &weights->copies[item];
  const struct row_arena *sinks = &weights->executor->sinks;
  size_t bytes = copy->units * sinks->unit;
  char *to = row_arena_at(sinks, copy->to);
  if (!copy->rows)
    memcpy(to, row_arena_at(copy->from, copy->first), bytes * copy->count);
  else
    for (uint32_t r = 0; r < copy->count; r++, to += bytes)
      memcpy(to, row_arena_at(copy->from, copy->rows[r]), bytes);
}

// -------------------------------------------------------------------------------------------------
// contributions

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

static nn_status *touch_rows(const struct weights *weights, const struct contribution *contribution) {
  const struct executor *executor = weights->executor;
  const struct sink_group *group = contribution->group;
  const struct param *param = &executor->cpu->params.list[contribution->param];
  uint16_t slot = executor->cpu->model->blocks[group->block].slots[contribution->sink->index];
  for (uint32_t b = 0; b < group->n_batches; b++) {
    const int32_t *rows = executor->minibatch->plan.batches[group->batches[b]].indices[slot];
    uint32_t count = executor->minibatch->schedule.batches[group->batches[b]].count;
    for (uint32_t r = 0; r < count; r++) {
      if (rows[r] < 0 || rows[r] >= param->rows)
        return status_new(NN_DATA, "row %d of '%s' was looked up, which has %lld", rows[r],
                          param->members[contribution->member].name, (long long)param->rows);
      if (param->sparse)
        params_touch(&param->members[contribution->member], (uint32_t)rows[r]);
    }
  }
  return NULL;
}

// Contributions [first, end) go to one parameter.
static nn_status *make_tasks(struct weights *weights, uint32_t first, uint32_t end) {
  const struct contribution *head = &weights->contributions[first];
  struct params *params = &weights->executor->cpu->params;
  const struct param *param = &params->list[head->param];
  struct param_member *member = &param->members[head->member];
  if (!params_gradient(params, head->param, head->member))
    return status_no_memory();
  bool alike = true;
  for (uint32_t i = first; i < end; i++) {
    if (weights->contributions[i].sink->kind == KERNEL_SINK_ROW)
      STATUS_TRY(touch_rows(weights, &weights->contributions[i]));
    if (weights->contributions[i].sink->kind != head->sink->kind)
      alike = false;
  }
  // Rows are added to a dense gradient after it has been zeroed as a whole.
  if (head->sink->kind == KERNEL_SINK_ROW && !param->sparse)
    alike = false;
  // Rows of a product, columns of a sum. A parameter with contributions of several kinds is one task.
  size_t extent = 1, step = 1;
  if (alike && head->sink->kind == KERNEL_SINK_OUTER)
    extent = (size_t)param->rows, step = PANEL;
  if (alike && head->sink->kind == KERNEL_SINK_PARAM)
    extent = param->elements, step = SUM_COLUMNS * 4;
  if (alike && head->sink->kind == KERNEL_SINK_ROW)
    extent = (size_t)param->columns, step = SUM_COLUMNS;
  if (threads_count(weights->executor->cpu->threads) == 1 && head->sink->kind != KERNEL_SINK_OUTER)
    step = extent;
  for (size_t begin = 0; begin < extent; begin += step) {
    if (!grow(&weights->tasks, sizeof *weights->tasks, weights->n_tasks, &weights->tasks_capacity))
      return status_no_memory();
    struct task *task = &weights->tasks[weights->n_tasks++];
    *task = (struct task){
        .first = head, .n = end - first, .begin = begin, .fresh = !param->sparse && !member->written};
    task->end = !alike ? SIZE_MAX : begin + step < extent ? begin + step : extent;
  }
  member->written = true;
  return NULL;
}

// ---------------------------------------------------------------------------------------------------------
// tasks

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void add_product(const struct executor *executor, const struct contribution *c, char *gradient,
                        const struct task *task, bool fresh) {
  const struct param *param = &executor->cpu->params.list[c->param];
  size_t end = least(task->end, (size_t)param->rows), size = nn_element_bytes(executor->cpu->element);
  size_t columns = (size_t)param->columns;
  blas_product(executor->cpu->blas, executor->cpu->element, !fresh, end - task->begin, columns,
               c->group->n_rows, row_arena_at(c->a.arena, c->a.offset) + task->begin * size,
               (size_t)c->a.units * NN_LANES, row_arena_at(c->b.arena, c->b.offset),
               (size_t)c->b.units * NN_LANES, gradient + task->begin * columns * size, columns);
}

static void add_rows(const struct executor *executor, const struct contribution *c, char *gradient,
                     const struct task *task) {
  const struct param *param = &executor->cpu->params.list[c->param];
  const struct sink_group *group = c->group;
  size_t size = nn_element_bytes(executor->cpu->element), columns = (size_t)param->columns;
  size_t end = least(task->end, columns), stride = c->a.units * c->a.arena->unit;
  uint16_t slot = executor->cpu->model->blocks[group->block].slots[c->sink->index];
  const char *from = row_arena_at(c->a.arena, c->a.offset) + task->begin * size;
  char *to = gradient + task->begin * size;
  for (uint32_t b = 0; b < group->n_batches; b++) {
    const int32_t *rows = executor->minibatch->plan.batches[group->batches[b]].indices[slot];
    uint32_t count = executor->minibatch->schedule.batches[group->batches[b]].count;
    for (uint32_t r = 0; r < count; r++, from += stride)
      executor->cpu->loops->add(to + (size_t)rows[r] * columns * size, from, end - task->begin);
  }
}

static void run_task(void *context, uint32_t item, int thread) {
  (void)thread;
  const struct weights *weights = context;
  const struct executor *executor = weights->executor;
  const struct task *task = &weights->tasks[item];
  size_t size = nn_element_bytes(executor->cpu->element);
  bool fresh = task->fresh;
  for (uint32_t i = 0; i < task->n; i++) {
    const struct contribution *c = &task->first[i];
    const struct param *param = &executor->cpu->params.list[c->param];
    char *gradient = param->members[c->member].gradient;
    switch (c->sink->kind) {
    case KERNEL_SINK_OUTER: add_product(executor, c, gradient, task, fresh); break;
    case KERNEL_SINK_PARAM:
      executor->cpu->loops->sum_rows(
          gradient + task->begin * size, !fresh, row_arena_at(c->a.arena, c->a.offset) + task->begin * size,
          c->group->n_rows, (size_t)c->a.units * NN_LANES, least(task->end, param->elements) - task->begin);
      break;
    case KERNEL_SINK_ROW:
      if (fresh)
        memset(gradient, 0, param->bytes);
      add_rows(executor, c, gradient, task);
      break;
    }
    fresh = false;
  }
}

static void count_flops(struct executor *executor, const struct weights *weights) {
  for (uint32_t i = 0; i < weights->n_contributions; i++) {
    const struct contribution *c = &weights->contributions[i];
    if (c->sink->kind == KERNEL_SINK_OUTER)
      executor->run.flops += 2.0 * c->group->n_rows * (double)executor->cpu->params.list[c->param].elements;
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

nn_status *weights_accumulate(struct executor *executor, const struct sink_group *groups, uint32_t n_groups) {
  struct weights weights = {.executor = executor};
  // On first use: a process that only infers need not load the library. A backward pass has the model to itself.
  if (!executor->cpu->blas)
    executor->cpu->blas = blas_open(threads_count(executor->cpu->threads));
  nn_status *status = accumulate(&weights, groups, n_groups);
  free(weights.copies);
  free(weights.tasks);
  return status;
}

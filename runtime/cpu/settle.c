#include "runtime/cpu/settle.h"

#include <stdlib.h>

#include "runtime/base/status.h"
#include "runtime/cpu/idle.h"

// Rows that one thread takes at a time, and the elements from which on that is worth it.
enum { PIECE_ROWS = 256, WORTH_SHARING = 1 << 14 };

// In `seen`, while a list of rows is made: the row is in it.
#define QUEUED UINT32_C(0x80000000)
static bool is_stale(const struct params *params, const struct param_member *member, uint32_t row) {
  uint32_t seen = atomic_load_explicit(&member->seen[row], memory_order_acquire);
  // A row that never had a gradient has no moments: decay alone moves it.
  return seen != idle_now(params->idle) && (seen > 0 || params->all_move);
}

static void catch_up(const struct params *params, const struct param *param, struct param_member *member,
                     uint32_t row) {
  size_t columns = (size_t)param->shape->columns, at = row * columns * nn_element_bytes(params->element);
  uint32_t seen = atomic_load_explicit(&member->seen[row], memory_order_relaxed) & ~QUEUED;
  char *first = member->moments[0], *second = member->moments[1];
  idle_catch_up(params->idle, seen, member->values + at, first ? first + at : NULL,
                second ? second + at : NULL, columns);
}

struct job {
  const struct params *params;
  const struct param *param;
  struct param_member *member;
  const uint32_t *rows;  // NULL: all
  uint32_t n;
};

static void run_piece(void *context, uint32_t item, int thread) {
  (void)thread;
  const struct job *job = context;
  uint32_t begin = item * PIECE_ROWS, end = job->n - begin < PIECE_ROWS ? job->n : begin + PIECE_ROWS;
  for (uint32_t i = begin; i < end; i++) {
    if (job->rows && i + PARAMS_AHEAD < end)
      params_ask_for_row(job->member, job->rows[i + PARAMS_AHEAD],
                         (size_t)job->param->shape->columns * nn_element_bytes(job->params->element));
    if (job->rows || is_stale(job->params, job->member, i))
      catch_up(job->params, job->param, job->member, job->rows ? job->rows[i] : i);
  }
}

static void run(struct job *job, struct threads *threads) {
  uint32_t pieces = (job->n + PIECE_ROWS - 1) / PIECE_ROWS;
  if (threads && (uint64_t)job->n * (uint64_t)job->param->shape->columns >= WORTH_SHARING)
    threads_run(threads, pieces, run_piece, job);
  else
    for (uint32_t i = 0; i < pieces; i++)
      run_piece(job, i, 0);
}

static void publish(const struct params *params, struct param_member *member, uint32_t row) {
  atomic_store_explicit(&member->seen[row], idle_now(params->idle), memory_order_release);
}

void settle_member(struct params *params, uint32_t number, uint32_t which, struct threads *threads) {
  struct param *param = &params->list[number];
  struct param_member *member = &param->members[which];
  if (!params->idle || !member->seen)
    return;
  pthread_mutex_lock(&params->lock);
  if (member->settled != idle_now(params->idle)) {
    struct job job = {params, param, member, NULL, (uint32_t)param->shape->rows};
    run(&job, threads);
    for (uint32_t row = 0; row < job.n; row++)
      if (is_stale(params, member, row))
        publish(params, member, row);
    params_changed(member);
    member->settled = idle_now(params->idle);
  }
  pthread_mutex_unlock(&params->lock);
}

void settle_all(struct params *params, struct threads *threads) {
  for (uint32_t i = 0; params->idle && i < params->shapes->n; i++)
    for (uint32_t m = 0; m < params->list[i].shape->n_members; m++)
      settle_member(params, i, m, threads);
}

static void settle_stale(struct params *params, const struct param *param, struct param_member *member,
                         const int32_t *rows, uint32_t n, uint32_t *stale, struct threads *threads) {
  struct job job = {params, param, member, stale, 0};
  for (uint32_t r = 0; r < n; r++) {
    uint32_t row = (uint32_t)rows[r];
    if (r + PARAMS_AHEAD < n && rows[r + PARAMS_AHEAD] >= 0 && rows[r + PARAMS_AHEAD] < param->shape->rows)
      __builtin_prefetch(&member->seen[rows[r + PARAMS_AHEAD]], 1);
    if (rows[r] < 0 || rows[r] >= param->shape->rows || !is_stale(params, member, row))
      continue;
    uint32_t seen = atomic_load_explicit(&member->seen[row], memory_order_relaxed);
    if (seen & QUEUED)
      continue;
    atomic_store_explicit(&member->seen[row], seen | QUEUED, memory_order_relaxed);
    stale[job.n++] = row;
  }
  run(&job, threads);
  for (uint32_t i = 0; i < job.n; i++)
    publish(params, member, stale[i]);
}

nn_status *settle_rows(struct params *params, uint32_t number, uint32_t which, const int32_t *rows,
                       uint32_t n, struct threads *threads) {
  const struct param *param = &params->list[number];
  struct param_member *member = &param->members[which];
  if (!params->idle || !member->seen)
    return NULL;
  uint32_t first = 0;
  while (first < n && (rows[first] < 0 || rows[first] >= param->shape->rows ||
                       !is_stale(params, member, (uint32_t)rows[first])))
    first++;
  if (first == n)
    return NULL;
  uint32_t *stale = malloc((size_t)(n - first) * sizeof *stale);
  if (!stale)
    return status_no_memory();
  pthread_mutex_lock(&params->lock);
  settle_stale(params, param, member, rows + first, n - first, stale, threads);
  pthread_mutex_unlock(&params->lock);
  free(stale);
  return NULL;
}

// ------------------------------------------------------------------------------------------------ who reads what

static int32_t param_of(const struct ir_block *block, const struct ir_value *value) {
  for (uint32_t i = 0; i < block->n_params; i++)
    if (block->params[i] == value)
      return (int32_t)i;
  return -1;
}

static uint32_t count_reads(const struct ir_block *block) {
  uint32_t n = 0;
  for (const struct ir_instr *instr = block ? block->first : NULL; instr; instr = instr->next)
    n += instr->op == IR_OP_PARAM || instr->op == IR_OP_LOOKUP;
  return n;
}

// Lookups of a parameter are reads of a row; whatever else uses it, also as an operand of another kind, reads it whole.
static void add_reads(struct reads *reads, const struct ir_block *block) {
  for (const struct ir_instr *param = block ? block->first : NULL; param; param = param->next) {
    if (param->op != IR_OP_PARAM)
      continue;
    struct read all = {.param = param->symbol,
                       .member = param->n_operands ? param_of(block, param->operands[0]) : -1,
                       .whole = param_of(block, param->results[0]) >= 0};
    for (uint32_t i = 0; i < block->n_outputs; i++)
      all.whole |= block->outputs[i] == param->results[0];
    for (const struct ir_instr *user = param->next; user; user = user->next) {
      for (uint32_t i = 0; i < user->n_operands; i++) {
        if (user->operands[i] != param->results[0])
          continue;
        struct read read = all;
        const struct ir_instr *index = i == 0 && user->op == IR_OP_LOOKUP ? user->operands[1]->def : NULL;
        read.index = user->op == IR_OP_LOOKUP ? param_of(block, user->operands[1]) : -1;
        bool constant = index && (index->op == IR_CONST_INT || index->op == IR_CONST_INDEX);
        if (read.index < 0 && !constant) {
          all.whole = true;
          continue;
        }
        read.row = constant ? (int32_t)index->integer : 0;
        reads->list[reads->n++] = read;
      }
    }
    if (all.whole)
      reads->list[reads->n++] = all;
  }
}

struct reads **reads_find(const struct ir_module *module) {
  struct reads **all = calloc((size_t)module->n_blocks + 1, sizeof *all);
  for (uint32_t b = 0; all && b < module->n_blocks; b++) {
    const struct ir_block *block = module->blocks[b];
    size_t most = count_reads(block) + (size_t)count_reads(block->adjoint);
    all[b] = calloc(1, sizeof **all + most * sizeof *all[b]->list);
    if (!all[b]) {
      reads_free(all, b);
      return NULL;
    }
    add_reads(all[b], block);
    add_reads(all[b], block->adjoint);
  }
  return all;
}

void reads_free(struct reads **reads, uint32_t n_blocks) {
  for (uint32_t b = 0; reads && b < n_blocks; b++)
    free(reads[b]);
  free(reads);
}

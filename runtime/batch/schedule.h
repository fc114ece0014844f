// Which instances of a trace run together, and in what order. A batch consists of all rows of its instances.
//
// A *flush* schedules the pending instances up to a phase; when entries decide there are several per
// minibatch, otherwise one takes all. Within a flush the phases run one after the other (trace.h: what only
// feeds losses and outputs is put off to odd phases, where its instances from all depths meet). Within a
// phase, by policy:
//
//   off      every row alone, in the order of the trace
//   depth    a batch for each level and key (Looks, Herreshoff, Hutchins & Norvig 2017, TensorFlow Fold)
//   agenda   ready sets per key; next comes the key whose rows have the lowest mean level (Neubig,
//   Goldberg & Dyer
//            2017, DyNet)
//   auto     `depth` where it meets the lower bound. Otherwise ready sets, where the key that comes next is
//   one whose
//            ready instances are all that stands at the top of a longest chain of that key (no schedule can
//            then do better by waiting; after the sufficient condition of ED-Batch, Chen et al. 2023); then
//            the best of these and `agenda`.
//
// Lower bound. Instances of one key on a path cannot share a batch, so a key needs as many batches as its
// longest chain, and no batch serves two keys: no schedule of a flush has fewer batches than the sum of the
// chains over the keys.
#ifndef NN_RUNTIME_BATCH_SCHEDULE_H
#define NN_RUNTIME_BATCH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/batch/trace.h"
#include "runtime/nn.h"

struct batch {
  uint32_t block;  // into ir_module.blocks, or TRACE_LIST_*
  uint32_t key;
  uint32_t first, count;  // its rows: schedule.order[first, first + count), in the order of the trace
  uint32_t phase, level;  // level: lowest of its instances
  uint32_t flush;
};

struct schedule {
  uint32_t *order;  // rows
  uint32_t n_order, order_capacity;
  struct batch *batches;
  uint32_t n_batches, batches_capacity;
  uint32_t n_flushes;
  struct schedule_pending {
    uint32_t *instances;  // that no flush has taken, in the order of the trace
    uint32_t n, capacity;
    uint32_t *rows;  // of these instances, in the order of the trace
    uint32_t n_rows, rows_capacity;
  } * phases;  // [phase]
  uint32_t n_phases, phases_capacity;
  uint32_t n_seen, n_rows_seen;  // instances and rows of the trace that were pending at some time
  struct value_arena *scratch;
  uint32_t *local;  // [instance] position in the graph at hand; valid where the graph agrees
  uint32_t local_capacity;
};

// false without memory, all of them.
bool schedule_init(struct schedule *);
void schedule_free(struct schedule *);
void schedule_reset(struct schedule *);
#define SCHEDULE_ALL UINT32_MAX
// Appends the batches of a flush of all pending instances whose phase is at most max_phase, and closes the trace.
bool schedule_flush(struct schedule *, struct trace *, nn_autobatch policy, uint32_t max_phase);

// Sum over flushes and keys of the longest chains.
bool schedule_lower_bound(struct schedule *, const struct trace *, uint64_t *bound);

// ---------------------------------------------------------------- within the scheduler: the graph of a phase

// Instances that are scheduled together, numbered from 0 in the order of the trace, which is a topological
// one.
struct schedule_graph {
  uint32_t n;
  const uint32_t *instances;  // [node]
  uint32_t n_keys;
  uint32_t *keys;        // [node] dense number of its key
  uint32_t *levels;      // [node]
  uint32_t *n_rows;      // [node]
  uint32_t *n_waits;     // [node] those from within the graph
  uint32_t *first_user;  // [n + 1] into users
  uint32_t *users;       // nodes that have a result of this one as an operand, with repetition
};

// A schedule of a graph: nodes in order, and where each batch begins.
struct schedule_order {
  uint32_t *nodes;   // [n]
  uint32_t *starts;  // [n_batches + 1]
  uint32_t n_batches;
};

void schedule_graph_make(struct schedule *, const struct trace *, uint32_t n, const uint32_t *instances,
                         struct schedule_graph *);
// Fills n_waits, first_user and users; the functions below need them, schedule_by_depth excepted.
void schedule_graph_link(struct schedule *, const struct trace *, struct schedule_graph *);
// Length of the longest chain of nodes of the node's own key that starts at it, itself counted. false when
// there are too many keys for that to be cheap; heights are then not filled.
bool schedule_graph_heights(struct schedule *, const struct schedule_graph *, uint32_t *heights);
uint64_t schedule_graph_bound(struct schedule *, const struct schedule_graph *, const uint32_t *heights);
// The two policies with ready sets. heights NULL: agenda.
void schedule_ready_sets(struct schedule *, const struct schedule_graph *, const uint32_t *heights,
                         struct schedule_order *);
void schedule_by_depth(struct schedule *, const struct schedule_graph *, struct schedule_order *);

#endif

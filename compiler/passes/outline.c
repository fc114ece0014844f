// The second half of the pass `blocks`: every group of operations becomes a block, and an emit takes its
// place.
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/passes/blocks.h"
#include "compiler/passes/rewrite.h"

// ---------------------------------------------------------------------------------------- making a block

// What stands for a host function's value inside the block being made.
struct inside {
  const struct group *group;  // the block it was made for; entries of earlier blocks are stale
  struct ir_value *value;
};

// An operation that is being copied.
struct copying {
  const struct ir_instr *op;
  struct ir_instr *copy;
  uint32_t n_operands;  // so many have been
};

struct outliner {
  struct former *former;
  struct inside *inside;  // [value id]
  const struct group *group;
  struct ir_block *block;
  struct ir_value **args;  // of the emit, one per parameter
  uint32_t args_capacity;
  struct {
    struct copying *items;
    size_t count, capacity;
  } copying;  // innermost last
};

static struct ir_value *remember(struct outliner *o, const struct ir_value *value, struct ir_value *copy) {
  o->inside[value->id] = (struct inside){o->group, copy};
  return copy;
}

static struct ir_value *add_param(struct outliner *o, struct ir_value *value) {
  uint32_t n = o->block->n_params;
  if (n == o->args_capacity) {
    uint32_t grown = n ? 2 * n : 8;
    o->args = arena_grow_array(o->former->scratch, o->args, n, grown, sizeof *o->args);
    o->args_capacity = grown;
  }
  o->args[n] = value;
  return remember(o, value, ir_add_block_param(o->former->module, o->block, value->type));
}

static void begin_copy(struct outliner *o, const struct ir_instr *op) {
  struct copying copying = {op, instr_clone(o->former->module, op, &o->block->n_values), 0};
  arena_push(o->former->scratch, &o->copying, copying);
}

// Cheap operations are repeated here; everything else from outside the group comes in as a parameter. NULL for a cheap
// one whose copy has been begun.
static struct ir_value *value_inside(struct outliner *o, struct ir_value *value) {
  if (o->inside[value->id].group == o->group)
    return o->inside[value->id].value;
  const struct ir_instr *op = op_of(value);
  if (!op || !info_of(o->former, value)->is_cheap)
    return add_param(o, value);
  begin_copy(o, op);
  return NULL;
}

// After the cheap operands that it needs, which may be as many as the function has operations: a chain.
static void copy_op(struct outliner *o, const struct ir_instr *op) {
  begin_copy(o, op);
  while (o->copying.count > 0) {
    struct copying *last = &o->copying.items[o->copying.count - 1];
    struct ir_instr *copy = last->copy;
    uint32_t i = last->n_operands;
    if (i == copy->n_operands) {
      ir_block_append(o->block, copy);
      remember(o, last->op->results[0], copy->results[0]);
      o->copying.count--;
      continue;
    }
    struct ir_value *operand = value_inside(o, last->op->operands[i]);
    if (operand) {
      copy->operands[i] = operand;
      last->n_operands++;
    }
  }
}

static bool has_tensor_param(const struct ir_block *block) {
  for (uint32_t i = 0; i < block->n_params; i++)
    if (block->params[i]->type->kind == IR_TENSOR || block->params[i]->type->kind == IR_LIST)
      return true;
  return false;
}

// Whether a parameter only chooses members of parameter families.
static bool is_member_only(const struct ir_block *block, const struct ir_value *param) {
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    for (uint32_t i = 0; i < instr->n_operands; i++)
      if (instr->operands[i] == param && instr->op != IR_OP_PARAM)
        return false;
  return true;
}

static void set_flags(struct ir_block *block, const struct group *group) {
  block->uniform = true;
  for (uint32_t i = 0; i < block->n_params; i++)
    block->uniform = block->uniform && is_member_only(block, block->params[i]);
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    block->random = block->random || ir_op_infos[instr->op].random;
    if (block->loc.line == 0)
      block->loc = instr->loc;
  }
  block->uniform = block->uniform && !block->random;
  bool reads_tensors = has_tensor_param(block);
  block->hoisted = !reads_tensors && !block->uniform;
  block->deferred = reads_tensors && group->key.deferred;
}

static void make_block(struct outliner *o, struct group *group) {
  struct former *former = o->former;
  const char *name = arena_printf(former->scratch, "%s.%u", former->function->name, ++former->n_made);
  o->group = group;
  o->block = ir_add_block(former->module, name, IR_BLOCK_FORWARD);
  for (uint32_t i = 0; i < group->n_ops; i++)
    if (o->inside[group->ops[i]->results[0]->id].group != group)
      copy_op(o, group->ops[i]);
  uint32_t n = 0;
  o->block->outputs = arena_new_array(former->module->arena, struct ir_value *, group->n_ops);
  struct ir_value **replaced = arena_new_array(former->scratch, struct ir_value *, group->n_ops);
  const struct ir_type **types = arena_new_array(former->scratch, const struct ir_type *, group->n_ops);
  for (uint32_t i = 0; i < group->n_ops; i++) {
    struct ir_value *result = group->ops[i]->results[0];
    if (!info_of(former, result)->output)
      continue;
    replaced[n] = result;
    types[n] = result->type;
    o->block->outputs[n++] = o->inside[result->id].value;
  }
  o->block->n_outputs = o->block->n_results = n;
  ir_block_renumber(o->block);
  if (group->key.ragged)
    number_runtime_sizes(former->module, former->scratch, o->block);
  set_flags(o->block, group);
  group->emit = ir_instr_new(former->module, IR_EMIT, o->block->n_params, o->args, n, types, 0,
                             &former->function->n_values);
  group->emit->symbol = o->block->id;
  group->emit->loc = o->block->loc;
  for (uint32_t i = 0; i < n; i++)
    value_replace(replaced[i], group->emit->results[i]);
}

// ----------------------------------------------------------------------------------------------- outputs

static void mark_outputs(struct former *former, uint32_t n, struct ir_value *const *values,
                         const struct ir_instr *user) {
  const struct group *home = ir_is_tensor_op(user->op) ? info_of(former, user->results[0])->group : NULL;
  bool repeats = ir_is_tensor_op(user->op) && !home;
  for (uint32_t i = 0; i < n; i++) {
    if (!op_of(values[i]) || repeats)
      continue;
    struct op_info *info = info_of(former, values[i]);
    bool is_repeated = info->is_cheap && ir_is_tensor_op(user->op);
    if (info->group && info->group != home && !is_repeated)
      info->output = true;
  }
}

static void find_outputs(struct former *former) {
  for_each_instr (former->function, bb, instr) {
    mark_outputs(former, instr->n_operands, instr->operands, instr);
    for (uint32_t t = 0; t < instr->n_targets; t++)
      mark_outputs(former, instr->targets[t].n_args, instr->targets[t].args, instr);
  }
}

// --------------------------------------------------------------------------------------------- new order

// What a basic block will consist of: its host instructions and its groups. Instructions are put out as
// soon as what they need is there, in their old order; groups come before host instructions that are ready
// at the same time, and decisions after everything else that is ready, so that whatever can join the
// batches before a decision does.
struct item {
  struct ir_instr *instr;  // host instruction, or a group's emit
  uint32_t rank;           // ready items are put out by rising rank
  uint32_t n_waits;
  struct wait *waiting;  // items that need this one
};

struct wait {
  struct item *item;
  struct wait *next;
};

struct order {
  struct former *former;
  struct item *items;
  uint32_t n_items;
  struct item **made_by;  // [value id] item of this basic block that makes a value, by its old id
  struct item **heap;
  uint32_t n_heap;
};

static void heap_push(struct order *order, struct item *item) {
  uint32_t at = order->n_heap++;
  for (uint32_t up; at > 0 && order->heap[up = (at - 1) / 2]->rank > item->rank; at = up)
    order->heap[at] = order->heap[up];
  order->heap[at] = item;
}

static struct item *heap_pop(struct order *order) {
  struct item *top = order->heap[0], *last = order->heap[--order->n_heap];
  uint32_t at = 0;
  for (uint32_t down; (down = 2 * at + 1) < order->n_heap; at = down) {
    if (down + 1 < order->n_heap && order->heap[down + 1]->rank < order->heap[down]->rank)
      down++;
    if (order->heap[down]->rank >= last->rank)
      break;
    order->heap[at] = order->heap[down];
  }
  order->heap[at] = last;
  return top;
}

static void wait_for(struct order *order, struct item *item, struct item *needed) {
  if (!needed || needed == item)
    return;
  struct wait *wait = arena_new(order->former->scratch, struct wait);
  *wait = (struct wait){item, needed->waiting};
  needed->waiting = wait;
  item->n_waits++;
}

static struct item *add_item(struct order *order, struct ir_instr *instr, uint32_t rank) {
  struct item *item = &order->items[order->n_items++];
  *item = (struct item){instr, rank, 0, NULL};
  return item;
}

// Takes the body apart: groups, host instructions. Tensor operations are dropped. The terminator stays.
static void collect_items(struct order *order, struct ir_bb *bb, uint32_t n_groups) {
  struct former *former = order->former;
  for (struct group *group = former->groups[bb->id]; group; group = group->next) {
    struct item *item = add_item(order, group->emit, order->n_items);
    for (uint32_t i = 0; i < group->n_ops; i++)
      order->made_by[group->ops[i]->results[0]->id] = item;
  }
  uint32_t n = n_groups;
  for (struct ir_instr *instr = bb->first, *next; instr != bb->last; instr = next) {
    next = instr->next;
    ir_remove(bb, instr);
    n++;
    if (ir_is_tensor_op(instr->op))
      continue;
    struct item *item = add_item(order, instr,
                                 instr_may_wait(former->module, instr) ? UINT32_MAX / 2 + n : n);
    for (uint32_t r = 0; r < instr->n_results; r++)
      order->made_by[instr->results[r]->id] = item;
  }
}

// Operands of emits and host instructions still name the old values here.
static void connect_items(struct order *order) {
  struct item *effect = NULL;
  for (uint32_t i = 0; i < order->n_items; i++) {
    struct item *item = &order->items[i];
    for (uint32_t k = 0; k < item->instr->n_operands; k++)
      wait_for(order, item, order->made_by[item->instr->operands[k]->id]);
    if (has_effect(item->instr)) {
      wait_for(order, item, effect);
      effect = item;
    }
  }
}

// The table serves the next basic block.
static void forget_items(struct order *order, const struct ir_bb *bb) {
  const struct former *former = order->former;
  for (const struct group *group = former->groups[bb->id]; group; group = group->next)
    for (uint32_t i = 0; i < group->n_ops; i++)
      order->made_by[group->ops[i]->results[0]->id] = NULL;
  for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
    for (uint32_t r = 0; r < instr->n_results; r++)
      if (instr->results[r]->id < former->n_values)
        order->made_by[instr->results[r]->id] = NULL;
}

static void reorder(struct former *former, struct ir_bb *bb, struct item **made_by) {
  uint32_t n_groups = 0, n_instrs = 0;
  for (const struct group *group = former->groups[bb->id]; group; group = group->next)
    n_groups++;
  for (const struct ir_instr *instr = bb->first; instr; instr = instr->next)
    n_instrs++;
  struct order order = {.former = former, .made_by = made_by};
  order.items = arena_new_array(former->scratch, struct item, (size_t)n_groups + n_instrs);
  order.heap = arena_new_array(former->scratch, struct item *, (size_t)n_groups + n_instrs);
  collect_items(&order, bb, n_groups);
  connect_items(&order);
  for (uint32_t i = 0; i < order.n_items; i++)
    if (order.items[i].n_waits == 0)
      heap_push(&order, &order.items[i]);
  while (order.n_heap > 0) {
    struct item *item = heap_pop(&order);
    ir_insert_before(bb, bb->last, item->instr);
    for (struct wait *wait = item->waiting; wait; wait = wait->next)
      if (--wait->item->n_waits == 0)
        heap_push(&order, wait->item);
  }
  forget_items(&order, bb);
}

void outline_function(struct former *former) {
  struct outliner o = {.former = former};
  o.inside = arena_new_array(former->scratch, struct inside, former->n_values);
  struct item **made_by = arena_new_array(former->scratch, struct item *, former->n_values);
  find_outputs(former);
  for (struct ir_bb *bb = former->function->entry; bb; bb = bb->next)
    for (struct group *group = former->groups[bb->id]; group; group = group->next)
      make_block(&o, group);
  for (struct ir_bb *bb = former->function->entry; bb; bb = bb->next)
    reorder(former, bb, made_by);
  rewrite_uses(former->function);
  ir_renumber(former->function);
}

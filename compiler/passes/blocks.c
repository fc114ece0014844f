// Blocks.
//
// Requires   verified host functions with tensor operations in them, simplified, without dead code.
// Does       groups the tensor operations of each basic block and makes every group a block (outline.c).
//            Three classes are kept apart (recurrence.h tells them):
//              hoisted    feeds a recurrence without depending on one: its instances all run at the start
//              recurrent  lies between
//              deferred   feeds no recurrence around it, nor a decision there: its instances run when what
//                         came before is done, all in one batch
//            so that of `W @ x + U @ h` the first product is taken over whole sequences, and the
//            classifiers of all nodes of all trees are one product.
// Preserves  values, up to the order in which the terms of a sum are added.
// Leaves     tensor operations in blocks only. Equal blocks are still separate; `share` joins them.
//
// Operations on tensors whose sizes are known at run time only have blocks of their own (ragged), so that products with
// parameters stay what all rows of a batch share; their sizes are numbered in runtime_sizes.c.
//
// Where nothing is gained by splitting, operations stay together: what neither lies on a recurrence nor
// feeds one has one instance per example anyway.
#include "compiler/passes/blocks.h"

#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/passes/cfg.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

// ----------------------------------------------------------------------------------------- what is cheap

static bool is_ragged(const struct ir_instr *op) {
  bool ragged = ir_type_is_ragged(op->results[0]->type);
  for (uint32_t i = 0; i < op->n_operands; i++)
    ragged = ragged || ir_type_is_ragged(op->operands[i]->type);
  return ragged;
}

// Whether repeating the operation costs less than a block instance whose only purpose is to hand on its
// result: nothing is computed from what examples computed, and little at all. A row of a parameter is read
// where it lies.
static bool is_cheap(const struct former *former, const struct ir_instr *instr) {
  const struct ir_op_info *op = &ir_op_infos[instr->op];
  if (op->class == IR_CLASS_SOURCE)
    return true;
  // What it is made of would be ragged in a block that is not.
  if (is_ragged(instr) && !ir_type_is_ragged(instr->results[0]->type))
    return false;
  for (uint32_t i = 0; i < instr->n_operands; i++)
    if (instr->operands[i]->type->kind == IR_TENSOR &&
        !(op_of(instr->operands[i]) && info_of(former, instr->operands[i])->is_cheap))
      return false;
  // Slices and the like are read where they lie; else a vector's worth of simple arithmetic on parameters and
  // constants.
  if (op->class == IR_CLASS_ELEMENTWISE)
    return op->cost == 0 || (op->cost <= 1 && instr->results[0]->type->shape.rank <= 1);
  return op->class == IR_CLASS_MOVE && op->cost == 0;
}

static void mark_host_uses(struct former *former, uint32_t n, struct ir_value *const *values) {
  for (uint32_t i = 0; i < n; i++)
    if (op_of(values[i]))
      info_of(former, values[i])->host_use = true;
}

static void describe_ops(struct former *former) {
  for_each_instr (former->function, bb, instr) {
    for (uint32_t r = 0; r < instr->n_results; r++)
      former->bb_of[instr->results[r]->id] = bb->id;
    if (ir_is_tensor_op(instr->op)) {
      info_of(former, instr->results[0])->is_cheap = is_cheap(former, instr);
      continue;
    }
    mark_host_uses(former, instr->n_operands, instr->operands);
    for (uint32_t t = 0; t < instr->n_targets; t++)
      mark_host_uses(former, instr->targets[t].n_args, instr->targets[t].args);
  }
  for (const struct ir_bb *bb = former->function->entry; bb; bb = bb->next)
    for (uint32_t i = 0; i < bb->n_params; i++)
      former->bb_of[bb->params[i]->id] = bb->id;
}

// -------------------------------------------------------------------------------------------------- keys

static struct block_key key_of(const struct former *former, const struct ir_bb *bb,
                               const struct ir_value *value) {
  const struct value_flow *flow = &former->flow->values[value->id];
  recurrence_set around = former->flow->around[bb->id];
  bool ragged = op_of(value) && is_ragged(op_of(value));
  if ((flow->feeds & around) == 0)
    return (struct block_key){0, 0, !(flow->feeds & FEEDS_ELSEWHERE), ragged};
  return (struct block_key){flow->depends & around, flow->feeds & around, false, ragged};
}

static bool keys_equal(const struct block_key *a, const struct block_key *b) {
  return a->depends == b->depends && a->feeds == b->feeds && a->deferred == b->deferred &&
         a->ragged == b->ragged;
}

// -------------------------------------------------------------------------------------------------- sums

// Terms of `a + b + c`, and the additions that make it, last one first.
struct sum {
  struct ir_value **terms;
  struct ir_instr **adds;
  uint32_t n_terms, n_adds;
};

static bool is_plain_add(const struct ir_instr *instr) {
  return instr->op == IR_OP_ADD && ir_type_equal(instr->operands[0]->type, instr->results[0]->type) &&
         ir_type_equal(instr->operands[1]->type, instr->results[0]->type);
}

static bool is_inner_add(const struct former *former, const struct ir_bb *bb, const struct ir_value *value,
                         const uint32_t *uses) {
  const struct ir_instr *op = op_of(value);
  return op && is_plain_add(op) && uses[value->id] == 1 && former->bb_of[value->id] == bb->id &&
         !info_of(former, value)->is_cheap;
}

static struct sum collect_sum(struct former *former, const struct ir_bb *bb, struct ir_instr *root,
                              const uint32_t *uses, uint32_t most) {
  struct sum sum = {arena_new_array(former->scratch, struct ir_value *, most),
                    arena_new_array(former->scratch, struct ir_instr *, most), 0, 0};
  sum.adds[sum.n_adds++] = root;
  for (uint32_t next = 0; next < sum.n_adds; next++) {
    for (uint32_t i = 0; i < 2; i++) {
      struct ir_value *term = sum.adds[next]->operands[i];
      if (sum.n_adds + sum.n_terms + 2 < most && is_inner_add(former, bb, term, uses))
        sum.adds[sum.n_adds++] = term->def;
      else
        sum.terms[sum.n_terms++] = term;
    }
  }
  return sum;
}

// Whether a term is of an earlier class than the sum: 1 when it is, 2 when it is cheap and can go along.
static int is_early(struct former *former, const struct ir_bb *bb, const struct ir_value *term,
                    const struct block_key *key) {
  if (!op_of(term) || former->bb_of[term->id] != bb->id)
    return op_of(term) && info_of(former, term)->is_cheap ? 2 : 0;
  if (info_of(former, term)->is_cheap)
    return 2;
  struct block_key own = key_of(former, bb, term);
  return keys_equal(&own, key);
}

// Terms of the chosen earlier class first, then the cheap ones that go along with them, then the rest.
static uint32_t sort_terms(struct former *former, const struct ir_bb *bb, struct sum *sum,
                           const struct block_key *early) {
  struct ir_value **sorted = arena_new_array(former->scratch, struct ir_value *, sum->n_terms);
  uint32_t n = 0, n_early = 0;
  for (int class = 1; class <= 3; class ++) {
    for (uint32_t i = 0; i < sum->n_terms; i++) {
      int own = is_early(former, bb, sum->terms[i], early);
      if ((own == 0 ? 3 : own) == class)
        sorted[n++] = sum->terms[i];
    }
    n_early = class == 2 ? n : n_early;
  }
  sum->terms = sorted;
  return n_early;
}

static struct value_flow *flow_of(struct former *former, const struct ir_value *value) {
  return &former->flow->values[value->id];
}

// Adds the sorted terms from left to right with the same instructions, which move to right before the root.
static void rebuild_sum(struct former *former, struct ir_bb *bb, struct sum *sum) {
  struct ir_instr *root = sum->adds[0];
  struct ir_value *left = sum->terms[0];
  for (uint32_t i = 1; i < sum->n_terms; i++) {
    struct ir_instr *add = sum->adds[sum->n_adds - i];
    add->operands[0] = left;
    add->operands[1] = sum->terms[i];
    if (add != root) {
      ir_remove(bb, add);
      ir_insert_before(bb, root, add);
    }
    struct value_flow *flow = flow_of(former, add->results[0]);
    flow->depends = flow_of(former, left)->depends | flow_of(former, sum->terms[i])->depends;
    flow->feeds = flow_of(former, root->results[0])->feeds;
    left = add->results[0];
  }
}

// In `W @ x + U @ h + b` on a recurrence, W @ x and b are added first: their sum can be hoisted.
static void split_sum(struct former *former, struct ir_bb *bb, struct ir_instr *root, const uint32_t *uses) {
  struct block_key key = key_of(former, bb, root->results[0]);
  if (key.feeds == 0)
    return;
  struct sum sum = collect_sum(former, bb, root, uses, 64);
  for (uint32_t i = 0; i < sum.n_terms; i++) {
    if (!op_of(sum.terms[i]) || former->bb_of[sum.terms[i]->id] != bb->id ||
        info_of(former, sum.terms[i])->is_cheap)
      continue;
    struct block_key early = key_of(former, bb, sum.terms[i]);
    if (keys_equal(&early, &key))
      continue;
    uint32_t n_early = sort_terms(former, bb, &sum, &early);
    if (n_early > 1 && n_early < sum.n_terms)
      rebuild_sum(former, bb, &sum);
    return;
  }
}

static bool is_root_add(const struct former *former, const struct ir_bb *bb, const struct ir_instr *instr,
                        const struct ir_instr *const *only_user, const uint32_t *uses) {
  if (instr->op != IR_OP_ADD || !is_plain_add(instr))
    return false;
  const struct ir_instr *user = only_user[instr->results[0]->id];
  return !(is_inner_add(former, bb, instr->results[0], uses) && user && is_plain_add(user));
}

static void split_sums(struct former *former) {
  const uint32_t *uses = count_uses(former->scratch, former->function);
  const struct ir_instr **user = arena_new_array(former->scratch, const struct ir_instr *, former->n_values);
  for_each_instr (former->function, bb, instr)
    for (uint32_t i = 0; i < instr->n_operands; i++)
      user[instr->operands[i]->id] = instr->op == IR_OP_ADD ? instr : NULL;
  for_each_instr (former->function, bb, instr)
    if (is_root_add(former, bb, instr, user, uses))
      split_sum(former, bb, instr, uses);
}

// ------------------------------------------------------------------------------------------------ stages

static bool is_here(const struct former *former, const struct ir_bb *bb, const struct ir_value *value) {
  return former->bb_of[value->id] == bb->id;
}

// An operation may share a block with another one only if no host instruction, nor an operation of a block of the other
// kind, needs one of them and is needed by the other. The stage counts these on the longest way to an operation; calls and decisions stay in order, so each counts from the one before it.
static void find_stages(struct former *former, const struct ir_bb *bb) {
  uint32_t effects = 0;
  for (const struct ir_instr *instr = bb->first; instr; instr = instr->next) {
    bool is_op = ir_is_tensor_op(instr->op);
    uint32_t stage = 0;
    for (uint32_t i = 0; i < instr->n_operands; i++) {
      const struct ir_value *operand = instr->operands[i];
      if (!is_here(former, bb, operand))
        continue;
      bool turns = op_of(operand) && (!is_op || (!info_of(former, operand)->is_cheap &&
                                                 is_ragged(instr) != is_ragged(operand->def)));
      uint32_t after = info_of(former, operand)->stage + turns;
      stage = after > stage ? after : stage;
    }
    if (has_effect(instr))
      stage = effects = stage > effects ? stage : effects;
    for (uint32_t r = 0; r < instr->n_results; r++)
      info_of(former, instr->results[r])->stage = stage;
  }
}

// Operations that only later ones of their own class use wait for these: one block instead of two.
static void delay_ops(struct former *former, const struct ir_bb *bb) {
  for (const struct ir_instr *instr = bb->last; instr; instr = instr->prev) {
    struct op_info *info = ir_is_tensor_op(instr->op) ? info_of(former, instr->results[0]) : NULL;
    if (info && !info->is_cheap && !info->host_use && !info->other_users && info->has_user)
      info->stage = info->first_user;
    for (uint32_t i = 0; i < instr->n_operands; i++) {
      if (!op_of(instr->operands[i]) || !is_here(former, bb, instr->operands[i]))
        continue;
      struct op_info *operand = info_of(former, instr->operands[i]);
      if (!info || info->is_cheap || !keys_equal(&info->key, &operand->key)) {
        operand->other_users = true;
      } else if (!operand->has_user || info->stage < operand->first_user) {
        operand->has_user = true;
        operand->first_user = info->stage;
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------ groups

static struct ir_instr *root_of(struct former *former, struct ir_instr *op) {
  struct ir_instr *root = op;
  while (info_of(former, root->results[0])->joined)
    root = info_of(former, root->results[0])->joined;
  while (op != root) {
    struct op_info *info = info_of(former, op->results[0]);
    op = info->joined;
    info->joined = root;
  }
  return root;
}

static void join(struct former *former, struct ir_instr *a, struct ir_instr *b) {
  a = root_of(former, a);
  b = root_of(former, b);
  if (a != b)
    info_of(former, b->results[0])->joined = a;
}

static bool may_join(const struct former *former, const struct ir_instr *a, const struct ir_instr *b) {
  const struct op_info *x = info_of(former, a->results[0]), *y = info_of(former, b->results[0]);
  return !x->is_cheap && !y->is_cheap && x->stage == y->stage && keys_equal(&x->key, &y->key);
}

static void join_with_readers(struct former *former, const struct ir_bb *bb, struct ir_instr *op,
                              const struct ir_value *operand) {
  for (struct reader *reader = former->readers[operand->id]; reader; reader = reader->next) {
    if (is_here(former, bb, reader->op->results[0]) && may_join(former, reader->op, op)) {
      join(former, reader->op, op);
      return;
    }
  }
  struct reader *reader = arena_new(former->scratch, struct reader);
  *reader = (struct reader){op, former->readers[operand->id]};
  former->readers[operand->id] = reader;
}

// Connected operations of one key and stage belong together; so do those that read the same value.
static void join_ops(struct former *former, const struct ir_bb *bb) {
  for (struct ir_instr *op = bb->first; op; op = op->next) {
    if (!ir_is_tensor_op(op->op) || info_of(former, op->results[0])->is_cheap)
      continue;
    for (uint32_t i = 0; i < op->n_operands; i++) {
      struct ir_value *operand = op->operands[i];
      struct ir_instr *made = op_of(operand);
      if (operand->type->kind != IR_TENSOR || (made && info_of(former, operand)->is_cheap))
        continue;
      if (made && is_here(former, bb, operand) && may_join(former, made, op))
        join(former, made, op);
      else
        join_with_readers(former, bb, op, operand);
    }
  }
}

static void add_to_group(struct former *former, struct group *group, struct ir_instr *op) {
  if (group->n_ops == group->capacity) {
    uint32_t grown = group->capacity ? 2 * group->capacity : 4;
    group->ops = arena_grow_array(former->scratch, group->ops, group->n_ops, grown, sizeof *group->ops);
    group->capacity = grown;
  }
  group->ops[group->n_ops++] = op;
}

static void collect_groups(struct former *former, const struct ir_bb *bb) {
  struct group **link = &former->groups[bb->id];
  for (struct ir_instr *op = bb->first; op; op = op->next) {
    if (!ir_is_tensor_op(op->op))
      continue;
    struct op_info *info = info_of(former, op->results[0]);
    if (info->is_cheap && !info->host_use)
      continue;
    struct op_info *root = info_of(former, root_of(former, op)->results[0]);
    if (!root->group) {
      root->group = arena_new(former->scratch, struct group);
      root->group->key = info->key;
      *link = root->group;
      link = &root->group->next;
    }
    info->group = root->group;
    add_to_group(former, info->group, op);
  }
}

static void form_groups(struct former *former, const struct ir_bb *bb) {
  for (const struct ir_instr *op = bb->first; op; op = op->next)
    if (ir_is_tensor_op(op->op))
      info_of(former, op->results[0])->key = key_of(former, bb, op->results[0]);
  find_stages(former, bb);
  delay_ops(former, bb);
  join_ops(former, bb);
  collect_groups(former, bb);
}

// ------------------------------------------------------------------------------------------------ driver

static void form_blocks(struct ir_module *module, struct arena *scratch, struct ir_function *function,
                        const struct function_flow *flow) {
  uint32_t n = flow->n_values;
  struct former former = {
      .module = module, .scratch = scratch, .function = function, .flow = flow, .n_values = n};
  former.ops = arena_new_array(scratch, struct op_info, n);
  former.bb_of = arena_new_array(scratch, uint32_t, n);
  memset(former.bb_of, 0xff, n * sizeof *former.bb_of);
  former.readers = arena_new_array(scratch, struct reader *, n);
  former.groups = arena_new_array(scratch, struct group *, function->n_bbs);
  describe_ops(&former);
  split_sums(&former);
  for (const struct ir_bb *bb = function->entry; bb; bb = bb->next)
    form_groups(&former, bb);
  outline_function(&former);
}

void pass_blocks(struct ir_module *module, struct arena *scratch) {
  ir_analyse_decides(module, scratch);
  for (uint32_t f = 0; f < module->n_functions; f++)
    rewrite_layout(scratch, module->functions[f]);
  const struct function_flow *flows = recurrence_analyse(module, scratch);
  for (uint32_t f = 0; f < module->n_functions; f++)
    form_blocks(module, scratch, module->functions[f], &flows[f]);
}

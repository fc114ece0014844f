// The numbers of a block's run-time sizes. In a function each is `?`: what is equal is found from what comes in and from
// what the operations want, which for a program that was checked is what its author said.
//
// Every size that comes in begins with a number of its own. The shapes are then inferred in the order of the block; where
// an operation wants two of its operands' sizes to be equal, their numbers become one, and the inference begins anew. That
// is at most as often as there are numbers.
#include <assert.h>

#include "compiler/base/arena.h"
#include "compiler/ir/shape_rule.h"
#include "compiler/passes/blocks.h"

struct numbering {
  struct ir_module *module;
  struct ir_block *block;
  uint32_t same_as[IR_MAX_RUNTIME + 1];  // union-find over numbers
  uint32_t n_given;
  const struct ir_type **given;  // [value id] the type as the function has it
  uint32_t *list_number;         // [value id of a list]
  uint32_t dense[IR_MAX_RUNTIME + 1];
  uint32_t n_dense;
};

static uint32_t find(const struct numbering *n, uint32_t number) {
  while (n->same_as[number] != number)
    number = n->same_as[number];
  return number;
}

static uint32_t fresh(struct numbering *n) {
  uint32_t number = ++n->n_given;
  if (number > IR_MAX_RUNTIME)
    number = IR_MAX_RUNTIME;  // one number for the rest: they are then wanted to be equal
  if (n->same_as[number] == 0)
    n->same_as[number] = number;
  number = find(n, number);
  if (n->dense[number] == 0)
    n->dense[number] = ++n->n_dense;
  return number;
}

static const struct size *size_of(struct numbering *n, uint32_t number) {
  return ir_runtime_size(n->module, n->dense[find(n, number)]);
}

// The type with a fresh number for each run-time size; of a stack the first one is the list's.
static const struct ir_type *with_numbers(struct numbering *n, const struct ir_type *type, uint32_t first) {
  if (!ir_type_is_ragged(type))
    return type;
  const struct size *sizes[IR_MAX_RANK];
  for (uint32_t i = 0; i < type->shape.rank; i++) {
    bool runs = size_is_runtime(type->shape.sizes[i]);
    sizes[i] = runs ? size_of(n, i == 0 && first ? first : fresh(n)) : type->shape.sizes[i];
  }
  return ir_type_tensor(n->module, type->shape.rank, sizes);
}

// Dense numbers stand in the types; which one it was given first.
static uint32_t undense(const struct numbering *n, uint32_t dense) {
  for (uint32_t i = 1; i <= IR_MAX_RUNTIME; i++)
    if (n->same_as[i] == i && n->dense[i] == dense)
      return i;
  return 0;
}

static bool unite(struct numbering *n, const struct size *a, const struct size *b) {
  uint32_t x = undense(n, ir_runtime_number(a)), y = undense(n, ir_runtime_number(b));
  if (!x || !y || x == y)
    return false;
  n->same_as[x > y ? x : y] = x > y ? y : x;
  return true;
}

// Makes equal what the operation wants to be.
static bool heed(struct numbering *n, const struct ir_instr *instr, const struct shape_fault *fault) {
  if (fault->kind == SHAPE_INNER || fault->kind == SHAPE_LEAD)
    return unite(n, fault->inner[0], fault->inner[1]);
  const struct ir_shape *a = &instr->operands[fault->operand]->type->shape;
  const struct ir_shape *b = &instr->operands[fault->other]->type->shape;
  bool joins = instr->op == IR_OP_CONCAT;  // but for the sizes that are added
  for (uint32_t i = 1; i <= a->rank && i <= b->rank; i++)
    if (!(joins && a->rank - i == ir_axis(instr)) && unite(n, a->sizes[a->rank - i], b->sizes[b->rank - i]))
      return true;
  return false;
}

// The shape is written; sizes known at run time are the operand's, in their order.
static const struct ir_type *moved_type(struct numbering *n, const struct ir_instr *instr,
                                        const struct ir_type *type) {
  const struct ir_shape *a = &instr->operands[0]->type->shape;
  const struct size *sizes[IR_MAX_RANK];
  for (uint32_t i = 0, k = 0; i < type->shape.rank; i++) {
    sizes[i] = type->shape.sizes[i];
    if (instr->op == IR_OP_BROADCAST && i + 1 == instr->axis && size_is_runtime(sizes[i])) {
      sizes[i] = size_of(n, fresh(n));
      continue;
    }
    while (size_is_runtime(sizes[i]) && k < a->rank && !size_is_runtime(a->sizes[k]))
      k++;
    if (size_is_runtime(sizes[i]) && k < a->rank)
      sizes[i] = a->sizes[k++];
  }
  return ir_type_tensor(n->module, type->shape.rank, sizes);
}

// false: two numbers have become one.
static bool infer(struct numbering *n) {
  n->n_given = n->n_dense = 0;
  for (uint32_t i = 0; i <= IR_MAX_RUNTIME; i++)
    n->dense[i] = 0;
  for (uint32_t i = 0; i < n->block->n_params; i++) {
    struct ir_value *param = n->block->params[i];
    if (param->type->kind == IR_LIST)
      n->list_number[param->id] = fresh(n);
    else
      param->type = with_numbers(n, n->given[param->id], 0);
  }
  for (struct ir_instr *instr = n->block->first; instr; instr = instr->next) {
    struct ir_value *result = instr->results[0];
    if (instr->op == IR_OP_BROADCAST || instr->op == IR_OP_RESHAPE) {
      result->type = moved_type(n, instr, n->given[result->id]);
      continue;
    }
    if (ir_shape_is_written(instr->op)) {
      uint32_t list = instr->op == IR_OP_STACK ? n->list_number[instr->operands[0]->id] : 0;
      result->type = with_numbers(n, n->given[result->id], list);
      continue;
    }
    struct shape_fault fault;
    const struct ir_type *type = ir_infer_or_fault(n->module, instr, NULL, &fault);
    if (!type && heed(n, instr, &fault))
      return false;
    assert(type);  // the function was verified
    result->type = type;
  }
  return true;
}

void number_runtime_sizes(struct ir_module *module, struct arena *scratch, struct ir_block *block) {
  struct numbering *n = arena_new(scratch, struct numbering);
  *n = (struct numbering){.module = module, .block = block};
  n->given = arena_new_array(scratch, const struct ir_type *, block->n_values);
  n->list_number = arena_new_array(scratch, uint32_t, block->n_values);
  for (uint32_t i = 0; i < block->n_params; i++)
    n->given[block->params[i]->id] = block->params[i]->type;
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
    n->given[instr->results[0]->id] = instr->results[0]->type;
  while (!infer(n)) {
  }
}

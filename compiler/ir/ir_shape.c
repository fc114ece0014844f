// Shapes of instructions by the one rule, and what is wrong with one in words.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "compiler/ir/shape_rule.h"

struct inference {
  struct ir_module *module;
  const struct ir_instr *instr;
  const char *why;
};

static void mismatch(struct inference *in, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Says what is wrong, after the operation's name.
static void mismatch(struct inference *in, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *what = arena_vprintf(in->module->arena, format, args);
  va_end(args);
  in->why = arena_printf(in->module->arena, "%s: %s", ir_op_infos[in->instr->op].name, what);
}

static const struct ir_type *operand(const struct inference *in, uint32_t i) {
  return in->instr->operands[i]->type;
}

static const char *text(struct inference *in, uint32_t i) {
  return ir_type_text(in->module, in->module->arena, operand(in, i));
}

static const char *wanted(const struct shape_fault *fault) {
  if (fault->most > 2)
    return fault->least > 1 ? "a tensor of two dimensions or more"
           : fault->least   ? "a tensor with dimensions"
                            : "a tensor";
  return fault->least == 2 ? "a matrix" : fault->most == 1 ? "a vector" : "a vector or a matrix";
}

static void explain(struct inference *in, const struct shape_fault *fault) {
  const struct ir_instr *instr = in->instr;
  struct arena *arena = in->module->arena;
  uint32_t i = fault->operand;
  switch (fault->kind) {
  case SHAPE_RANK: mismatch(in, "%s is needed, not %s", wanted(fault), text(in, i)); break;
  case SHAPE_AXIS: mismatch(in, "%s has no dim %" PRIu32, text(in, i), instr->axis - 1); break;
  case SHAPE_DIFFERS: mismatch(in, "shapes %s and %s differ", text(in, fault->other), text(in, i)); break;
  case SHAPE_JOIN: mismatch(in, "%s and %s cannot be joined", text(in, fault->other), text(in, i)); break;
  case SHAPE_PRODUCT:
    mismatch(in, "%s @ %s: one side must be a matrix, the other a matrix or vector", text(in, 0),
             text(in, 1));
    break;
  case SHAPE_LEAD:
    mismatch(in, "%s @ %s: leading sizes %s and %s differ", text(in, 0), text(in, 1),
             size_text(arena, fault->inner[0]), size_text(arena, fault->inner[1]));
    break;
  case SHAPE_TURNED: mismatch(in, "a vector is never transposed: %s @ %s", text(in, 0), text(in, 1)); break;
  case SHAPE_INNER:
    mismatch(in, "inner sizes of %s%s and %s%s differ: %s and %s", text(in, 0),
             instr->transpose_a ? " (transposed)" : "", text(in, 1),
             instr->transpose_b ? " (transposed)" : "", size_text(arena, fault->inner[0]),
             size_text(arena, fault->inner[1]));
    break;
  case SHAPE_TOO_LARGE: mismatch(in, "a size of the result is out of range"); break;
  case SHAPE_BOUNDS:
    if (instr->op == IR_OP_WINDOW)
      mismatch(in, "length %s does not lie in %s", size_text(arena, instr->length), text(in, i));
    else
      mismatch(in, "offset %s, length %s do not lie in %s", size_text(arena, instr->size),
               size_text(arena, instr->length), text(in, i));
    break;
  case SHAPE_ORDER: mismatch(in, "the order is none of the dimensions of %s", text(in, i)); break;
  case SHAPE_NO_BOUNDS: mismatch(in, "offset or length is missing"); break;
  }
}

bool ir_broadcasts(const struct ir_type *a, const struct ir_type *result, uint32_t axis) {
  if (axis == 0)
    return a->shape.rank == 0;
  bool fits = axis <= result->shape.rank && result->shape.rank == a->shape.rank + 1;
  for (uint32_t i = 0; i < a->shape.rank && fits; i++)
    fits = size_equal(a->shape.sizes[i], result->shape.sizes[i + (i + 1 >= axis)]);
  return fits;
}

// The operands' shapes; NULL when one is missing or no tensor.
static const struct ir_shape **tensors(struct inference *in, uint32_t *n) {
  const struct ir_instr *instr = in->instr;
  int arity = ir_op_infos[instr->op].arity;
  *n = arity < 0 ? instr->n_operands : (uint32_t)arity;
  if (instr->n_operands < *n || (arity < 0 && *n == 0)) {
    mismatch(in, "an operand is missing");
    return NULL;
  }
  const struct ir_shape **shapes = arena_new_array(in->module->arena, const struct ir_shape *, *n + 1);
  for (uint32_t i = 0; i < *n; i++) {
    shapes[i] = &operand(in, i)->shape;
    if (operand(in, i)->kind != IR_TENSOR) {
      mismatch(in, "a tensor is needed, not %s", text(in, i));
      return NULL;
    }
  }
  return shapes;
}

const struct ir_type *ir_infer(struct ir_module *module, const struct ir_instr *instr, const char **why) {
  struct shape_fault fault;
  return ir_infer_or_fault(module, instr, why, &fault);
}

const struct ir_type *ir_infer_or_fault(struct ir_module *module, const struct ir_instr *instr,
                                        const char **why, struct shape_fault *fault) {
  struct inference in = {module, instr, NULL};
  struct shape_question question = {.arena = module->arena,
                                    .op = instr->op,
                                    .axis = instr->axis,
                                    .transpose_a = instr->transpose_a,
                                    .transpose_b = instr->transpose_b,
                                    .offset = instr->size,
                                    .order = instr->integer,
                                    .length = instr->length};
  const struct ir_type *type = NULL;
  struct ir_shape shape;
  *fault = (struct shape_fault){0};
  bool has_rule = ir_is_tensor_op(instr->op) && !ir_shape_is_written(instr->op) &&
                  ir_op_infos[instr->op].class != IR_CLASS_SINK;
  question.operands = has_rule ? tensors(&in, &question.n) : NULL;
  if (question.operands != NULL && shape_of_result(&question, &shape, fault))
    type = ir_type_tensor(module, shape.rank, shape.sizes);
  else if (question.operands != NULL)
    explain(&in, fault);
  if (why)
    *why = in.why;
  return type;
}

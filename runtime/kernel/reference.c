// Evaluates a block slowly, operation by operation.
#include "runtime/kernel/reference.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/ir/op_value.h"
#include "runtime/kernel/draws.h"

struct run {
  const struct ir_module *module;
  const struct ir_block *block;
  const struct reference *in;
  struct reference_value *values;  // [value id]
};

int64_t reference_size(const struct size *size, const int64_t *dims) {
  int64_t value = 0;
  bool fits = size_evaluate_by_id(size, dims, &value);
  assert(fits);
  (void)fits;
  return value;
}

int64_t reference_elements(const struct ir_type *tensor, const int64_t *dims) {
  int64_t n = 1;
  for (uint32_t i = 0; i < tensor->shape.rank; i++)
    n *= reference_size(tensor->shape.sizes[i], dims);
  return n;
}

static int64_t size_value(const struct run *run, const struct size *size) {
  const struct size_atom *atom = size_as_atom(size);
  if (atom && atom->kind == SIZE_RUNTIME)
    return run->in->sizes[atom->id - IR_RUNTIME_ID - 1];
  return reference_size(size, run->in->dims);
}

static int64_t axis(const struct run *run, const struct ir_type *type, uint32_t i) {
  return i < type->shape.rank ? size_value(run, type->shape.sizes[i]) : 1;
}

static int64_t elements_of(const struct run *run, const struct ir_type *tensor) {
  int64_t n = 1;
  for (uint32_t i = 0; i < tensor->shape.rank; i++)
    n *= axis(run, tensor, i);
  return n;
}

static struct reference_value *operand(const struct run *run, const struct ir_instr *instr, uint32_t i) {
  return &run->values[instr->operands[i]->id];
}

// Element i of an operand, which may lack the first dimensions of the result.
static double element(const struct reference_value *v, int64_t i) { return v->elements[i % v->n]; }

// ---------------------------------------------------------------------------------------------- element-wise

static struct draws_at draws_of(const struct run *run, const struct ir_instr *instr) {
  const struct reference *in = run->in;
  return (struct draws_at){draws_key(in->seed, in->epoch), in->example, in->ordinal,
                           in->same_draws ? 0 : instr->site};
}

static void run_elementwise(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  const struct reference_value *a = operand(run, instr, 0);
  const struct draws_at at = draws_of(run, instr);
  for (int64_t i = 0; i < y->n; i++)
    if (instr->op == IR_OP_DROPOUT && run->in->dropout)
      y->elements[i] = draws_dropout_keeps(&at, (uint32_t)i, instr->number)
                           ? a->elements[i] / (1 - instr->number)
                           : 0;
    else
      y->elements[i] = op_value(instr->op, element(a, i),
                                ir_op_infos[instr->op].arity > 1 ? element(operand(run, instr, 1), i) : 0);
}

static void run_draws(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  const struct draws_at at = draws_of(run, instr);
  for (int64_t i = 0; i < y->n; i++)
    y->elements[i] = instr->op == IR_OP_NORMAL_LIKE ? draws_normal(&at, (uint32_t)i)
                                                    : draws_uniform(&at, (uint32_t)i);
}

// -------------------------------------------------------------------------------------------------- products

static void run_matmul(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  const struct reference_value *a = operand(run, instr, 0), *b = operand(run, instr, 1);
  uint32_t ra = a->type->shape.rank, rb = b->type->shape.rank;
  // A vector is a matrix of one row on the left and of one column on the right.
  int64_t a0 = ra == 1 ? 1 : axis(run, a->type, ra - 2), a1 = axis(run, a->type, ra - 1);
  int64_t b0 = axis(run, b->type, rb == 1 ? 0 : rb - 2), b1 = rb == 1 ? 1 : axis(run, b->type, rb - 1);
  int64_t n = instr->transpose_a ? a1 : a0, inner = instr->transpose_a ? a0 : a1,
          m = instr->transpose_b ? b0 : b1;
  for (int64_t at = 0; at < y->n; at += n * m) {
    const double *x = a->elements + at / (n * m) * a0 * a1 % a->n;
    const double *z = b->elements + at / (n * m) * b0 * b1 % b->n;
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < m; j++) {
        double sum = 0;
        for (int64_t k = 0; k < inner; k++)
          sum += x[instr->transpose_a ? k * a1 + i : i * a1 + k] *
                 z[instr->transpose_b ? j * b1 + k : k * b1 + j];
        y->elements[at + i * m + j] = sum;
      }
  }
}

static void run_outer(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  const struct reference_value *a = operand(run, instr, 0), *b = operand(run, instr, 1);
  for (int64_t i = 0; i < a->n; i++)
    for (int64_t j = 0; j < b->n; j++)
      y->elements[i * b->n + j] = a->elements[i] * b->elements[j];
}

// ------------------------------------------------------------------------------------------------ reductions

// A NaN is larger than any number.
static int64_t first_largest(const struct reference_value *a) {
  int64_t best = 0;
  for (int64_t i = 1; i < a->n && !isnan(a->elements[best]); i++)
    if (a->elements[i] > a->elements[best] || isnan(a->elements[i]))
      best = i;
  return best;
}

static double sum_of(const struct reference_value *a) {
  double sum = 0;
  for (int64_t i = 0; i < a->n; i++)
    sum += a->elements[i];
  return sum;
}

// log_sum_exp(a) - max(a), exactly also where it is small.
static double log_sum_above_largest(const struct reference_value *a) {
  int64_t first = first_largest(a);
  double others = 0;
  if (isinf(a->elements[first]))
    return 0;
  for (int64_t i = 0; i < a->n; i++)
    others += i == first ? 0 : exp(a->elements[i] - a->elements[first]);
  return log1p(others);
}

static double log_sum_exp(const struct reference_value *a) {
  return a->elements[first_largest(a)] + log_sum_above_largest(a);
}

static double dot_of(const struct reference_value *a, const struct reference_value *b) {
  double sum = 0;
  for (int64_t i = 0; i < a->n; i++)
    sum += a->elements[i] * b->elements[i];
  return sum;
}

static double reduced(const struct run *run, const struct ir_instr *instr, const struct reference_value *a) {
  switch (instr->op) {
  case IR_OP_DOT: return dot_of(a, operand(run, instr, 1));
  case IR_OP_SUM: return sum_of(a);
  case IR_OP_MEAN: return sum_of(a) / (double)a->n;
  case IR_OP_AMAX: return a->elements[first_largest(a)];
  case IR_OP_LOGSUMEXP: return log_sum_exp(a);
  case IR_OP_ARGMAX: return (double)first_largest(a);
  case IR_OP_PICK: return a->elements[operand(run, instr, 1)->integer];
  case IR_OP_NLL: {
    double largest = a->elements[first_largest(a)];
    return log_sum_above_largest(a) + (largest - a->elements[operand(run, instr, 1)->integer]);
  }
  default: assert(!"reduction without a reference"); return NAN;
  }
}

static void share_among_largest(const struct reference_value *a, struct reference_value *y) {
  double largest = a->elements[first_largest(a)], n = 0;
  for (int64_t i = 0; i < a->n; i++)
    n += a->elements[i] == largest;
  for (int64_t i = 0; i < a->n; i++)
    y->elements[i] = isnan(largest) ? NAN : (a->elements[i] == largest) / n;
}

static void normalised(const struct ir_instr *instr, const struct reference_value *a,
                       struct reference_value *y) {
  if (instr->op == IR_OP_MAX_SHARE) {
    share_among_largest(a, y);
    return;
  }
  double largest = a->elements[first_largest(a)], log_sum = log_sum_above_largest(a);
  largest = isinf(largest) ? 0 : largest;
  for (int64_t i = 0; i < y->n; i++) {
    double log_probability = a->elements[i] - largest - log_sum;
    assert(instr->op == IR_OP_SOFTMAX || instr->op == IR_OP_LOG_SOFTMAX);
    y->elements[i] = instr->op == IR_OP_SOFTMAX ? exp(log_probability) : log_probability;
  }
}

// What goes over one axis: line after line, each as a vector of its own.
static void run_over_axis(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  const struct reference_value *a = operand(run, instr, 0);
  int64_t length = a->n, step = 1;
  for (uint32_t i = instr->axis; instr->axis > 0 && i < a->type->shape.rank; i++)
    step *= axis(run, a->type, i);
  if (instr->axis > 0)
    length = axis(run, a->type, instr->axis - 1);
  struct reference_value from = {.n = length}, to = {.n = length};
  from.elements = calloc((size_t)length, sizeof(double));
  to.elements = calloc((size_t)length, sizeof(double));
  for (int64_t line = 0; line < a->n / length; line++) {
    int64_t first = line / step * step * length + line % step;
    for (int64_t i = 0; i < length; i++)
      from.elements[i] = a->elements[first + i * step];
    if (ir_op_infos[instr->op].class == IR_CLASS_REDUCE) {
      y->elements[line] = reduced(run, instr, &from);
      continue;
    }
    normalised(instr, &from, &to);
    for (int64_t i = 0; i < length; i++)
      y->elements[first + i * step] = to.elements[i];
  }
  free(from.elements);
  free(to.elements);
}

// -------------------------------------------------------------------------------------------------- movement

static void read_param(const struct run *run, const struct ir_instr *param, int64_t first,
                       struct reference_value *y) {
  int64_t member = param->n_operands > 0 ? operand(run, param, 0)->integer : 0;
  run->in->read_param(run->in->context, param->symbol, member, first, y->n, y->elements);
}

// A part of a tensor along an axis, which it may lack, from or to where it begins there.
static void move_part(const struct run *run, const struct ir_type *whole, double *of_whole,
                      const struct ir_type *part, double *of_part, uint32_t along, int64_t begin, bool take) {
  int64_t outer = 1, inner = 1, all = axis(run, whole, along);
  int64_t some = part->shape.rank == whole->shape.rank ? axis(run, part, along) : 1;
  for (uint32_t i = 0; i < whole->shape.rank; i++)
    *(i < along ? &outer : &inner) *= i == along ? 1 : axis(run, whole, i);
  for (int64_t i = 0; i < outer; i++) {
    double *there = of_whole + (i * all + begin) * inner, *here = of_part + i * some * inner;
    memcpy(take ? here : there, take ? there : here, (size_t)(some * inner) * sizeof(double));
  }
}

static void run_permute(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  const struct reference_value *a = operand(run, instr, 0);
  uint32_t rank = y->type->shape.rank;
  for (int64_t i = 0; i < y->n; i++) {
    int64_t at[IR_MAX_RANK], from = 0, rest = i;
    for (uint32_t k = rank; k-- > 0; rest /= axis(run, y->type, k))
      at[ir_order(instr->integer, k)] = rest % axis(run, y->type, k);
    for (uint32_t k = 0; k < rank; k++)
      from = from * axis(run, a->type, k) + at[k];
    y->elements[i] = a->elements[from];
  }
}

static void run_move(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  const struct reference_value *a = operand(run, instr, 0);
  const int64_t *dims = run->in->dims;
  switch (instr->op) {
  case IR_OP_CONCAT:
    for (int64_t i = 0, at = 0; i < instr->n_operands; i++) {
      const struct reference_value *part = operand(run, instr, (uint32_t)i);
      move_part(run, y->type, y->elements, part->type, part->elements, ir_axis(instr), at, false);
      at += axis(run, part->type, ir_axis(instr));
    }
    break;
  case IR_OP_SLICE:
    move_part(run, a->type, a->elements, y->type, y->elements, ir_axis(instr),
              reference_size(instr->size, dims), true);
    break;
  case IR_OP_PERMUTE: run_permute(run, instr, y); break;
  case IR_OP_RESHAPE: memcpy(y->elements, a->elements, (size_t)y->n * sizeof(double)); break;
  case IR_OP_TRANSPOSE:
    for (int64_t i = 0; i < axis(run, y->type, 0); i++)
      for (int64_t j = 0; j < axis(run, y->type, 1); j++)
        y->elements[i * axis(run, y->type, 1) + j] = a->elements[j * axis(run, a->type, 1) + i];
    break;
  case IR_OP_BROADCAST: {
    int64_t step = 1, length = y->n;
    for (uint32_t i = instr->axis; instr->axis > 0 && i < y->type->shape.rank; i++)
      step *= axis(run, y->type, i);
    if (instr->axis > 0)
      length = axis(run, y->type, instr->axis - 1);
    for (int64_t i = 0; i < y->n; i++)
      y->elements[i] = a->elements[i / (step * length) * step + i % step];
    break;
  }
  case IR_OP_LOOKUP:
    if (!a->elements) {
      read_param(run, instr->operands[0]->def, operand(run, instr, 1)->integer * y->n, y);
      break;
    }
    memcpy(y->elements, a->elements + operand(run, instr, 1)->integer * y->n, (size_t)y->n * sizeof(double));
    break;
  case IR_OP_PAD:
    move_part(run, y->type, y->elements, a->type, a->elements, ir_axis(instr),
              reference_size(instr->size, dims), false);
    break;
  case IR_OP_TAKE:
  case IR_OP_WINDOW:
    move_part(run, a->type, a->elements, y->type, y->elements, ir_axis(instr),
              operand(run, instr, 1)->integer, true);
    break;
  case IR_OP_PUT:
    move_part(run, y->type, y->elements, a->type, a->elements, ir_axis(instr),
              operand(run, instr, 1)->integer, false);
    break;
  default: assert(!"movement without a reference");
  }
}

// ----------------------------------------------------------------------------------------- sources and sinks

static const double *param_member(const struct run *run, const struct ir_instr *instr,
                                  const struct ir_type *type, uint32_t member_operand) {
  int64_t member = instr->n_operands > member_operand ? operand(run, instr, member_operand)->integer : 0;
  return run->in->params[instr->symbol] + member * reference_elements(type, run->in->dims);
}

// Whether the block needs a parameter for its rows alone.
static bool is_table(const struct run *run, const struct ir_instr *param) {
  for (const struct ir_instr *instr = run->block->first; instr; instr = instr->next)
    for (uint32_t i = 0; i < instr->n_operands; i++)
      if (instr->operands[i] == param->results[0] && instr->op != IR_OP_LOOKUP)
        return false;
  for (uint32_t i = 0; i < run->block->n_outputs; i++)
    if (run->block->outputs[i] == param->results[0])
      return false;
  return true;
}

static void run_param(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  if (!run->in->read_param) {
    memcpy(y->elements, param_member(run, instr, y->type, 0), (size_t)y->n * sizeof(double));
  } else if (y->elements) {
    read_param(run, instr, 0, y);
  }
}

static void run_source(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  switch (instr->op) {
  case IR_OP_PARAM: run_param(run, instr, y); break;
  case IR_OP_CONSTANT:
    for (int64_t i = 0; i < y->n; i++)
      y->elements[i] = instr->number;
    break;
  case IR_OP_SCALAR: {
    const struct reference_value *a = operand(run, instr, 0);
    y->elements[0] = a->type->kind == IR_FLOAT ? a->number : (double)a->integer;
    break;
  }
  case IR_OP_STACK:
    memcpy(y->elements, operand(run, instr, 0)->elements, (size_t)y->n * sizeof(double));
    break;
  case IR_OP_ONEHOT: y->elements[operand(run, instr, 0)->integer] = 1; break;
  default: assert(!"source without a reference");
  }
}

// The value operands come first, then the index, then the member of a family.
static double *param_gradient(const struct run *run, const struct ir_instr *instr, uint32_t member_operand,
                              int64_t elements) {
  int64_t member = instr->n_operands > member_operand ? operand(run, instr, member_operand)->integer : 0;
  return run->in->param_gradients[instr->symbol] + member * elements;
}

static void add(double *to, const struct reference_value *a) {
  for (int64_t i = 0; i < a->n; i++)
    to[i] += a->elements[i];
}

static void run_row_sink(const struct run *run, const struct ir_instr *instr,
                         const struct reference_value *a) {
  int64_t table = reference_elements(run->module->params[instr->symbol]->type, run->in->dims);
  add(param_gradient(run, instr, 2, table) + operand(run, instr, 1)->integer * a->n, a);
}

static void run_sink(const struct run *run, const struct ir_instr *instr) {
  const struct reference_value *a = operand(run, instr, 0);
  if (instr->op == IR_OP_D_INPUT ? !run->in->input_gradients : !run->in->param_gradients)
    return;
  switch (instr->op) {
  case IR_OP_D_INPUT: add(run->in->input_gradients[instr->integer], a); break;
  case IR_OP_D_PARAM: add(param_gradient(run, instr, 1, a->n), a); break;
  case IR_OP_D_ROW: run_row_sink(run, instr, a); break;
  case IR_OP_D_OUTER: {
    const struct reference_value *b = operand(run, instr, 1);
    double *to = param_gradient(run, instr, 2, a->n * b->n);
    for (int64_t i = 0; i < a->n; i++)
      for (int64_t j = 0; j < b->n; j++)
        to[i * b->n + j] += a->elements[i] * b->elements[j];
    break;
  }
  default: assert(!"sink without a reference");
  }
}

// ---------------------------------------------------------------------------------------------------- blocks

static void run_host(const struct run *run, const struct ir_instr *instr, struct reference_value *y) {
  switch (instr->op) {
  case IR_CONST_INT:
  case IR_CONST_INDEX:
  case IR_CONST_BOOL: y->integer = instr->integer; break;
  case IR_CONST_FLOAT: y->number = instr->number; break;
  case IR_SIZE: y->integer = reference_size(instr->size, run->in->dims); break;
  default: assert(!"host operation in a block");
  }
}

static void run_instr(struct run *run, const struct ir_instr *instr) {
  if (instr->n_results == 0) {
    run_sink(run, instr);
    return;
  }
  struct reference_value *y = &run->values[instr->results[0]->id];
  y->type = instr->results[0]->type;
  if (y->type->kind == IR_TENSOR) {
    y->n = elements_of(run, y->type);
    bool is_unread = instr->op == IR_OP_PARAM && run->in->read_param && is_table(run, instr);
    y->elements = is_unread ? NULL : calloc((size_t)y->n, sizeof(double));
  }
  switch (ir_op_infos[instr->op].class) {
  case IR_CLASS_HOST: run_host(run, instr, y); break;
  case IR_CLASS_ELEMENTWISE: run_elementwise(run, instr, y); break;
  case IR_CLASS_PRODUCT:
    instr->op == IR_OP_MATMUL ? run_matmul(run, instr, y) : run_outer(run, instr, y);
    break;
  case IR_CLASS_REDUCE:
  case IR_CLASS_ROWWISE:
    ir_op_infos[instr->op].random ? run_draws(run, instr, y) : run_over_axis(run, instr, y);
    break;
  case IR_CLASS_MOVE: run_move(run, instr, y); break;
  case IR_CLASS_SOURCE: run_source(run, instr, y); break;
  case IR_CLASS_SINK: break;
  }
  for (int64_t i = 0; run->in->single && y->elements && i < y->n; i++)
    y->elements[i] = (float)y->elements[i];
  if (run->in->observe)
    run->in->observe(run->in->context, instr, run->values);
}

static void bind_params(struct run *run) {
  const struct reference *in = run->in;
  for (uint32_t i = 0; i < run->block->n_params; i++) {
    const struct ir_type *type = run->block->params[i]->type;
    struct reference_value *v = &run->values[run->block->params[i]->id];
    v->type = type;
    v->borrowed = true;
    if (type->kind == IR_TENSOR) {
      v->n = elements_of(run, type);
      v->elements = (double *)(uintptr_t)in->tensors[i];
    } else if (type->kind == IR_LIST) {
      v->elements = (double *)(uintptr_t)in->tensors[i];
    } else if (type->kind == IR_FLOAT) {
      v->number = in->numbers[i];
    } else {
      v->integer = in->integers[i];
    }
  }
}

void reference_run(const struct ir_module *module, const struct ir_block *block, const struct reference *in) {
  struct run run = {module, block, in, calloc(block->n_values + 1, sizeof(struct reference_value))};
  bind_params(&run);
  for (const struct ir_instr *instr = block->first; instr != NULL; instr = instr->next)
    run_instr(&run, instr);
  for (uint32_t i = 0; i < block->n_outputs; i++) {
    const struct reference_value *y = &run.values[block->outputs[i]->id];
    memcpy(in->outputs[i], y->elements, (size_t)y->n * sizeof(double));
  }
  for (uint32_t i = 0; i < block->n_values; i++)
    if (!run.values[i].borrowed)
      free(run.values[i].elements);
  free(run.values);
}

// Derivatives of blocks against finite differences, in the slow reference.
#include "tests/passes/block_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/kernel/reference.h"

#define STEP 1e-6
// Central differences with that step are good to about 1e-9 for values around one.
#define TOLERANCE 2e-7

// Random numbers: splitmix64.
static double draw(uint64_t *state, double low, double high) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return low + (high - low) * (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

struct state {
  const struct ir_module *module;
  const struct ir_block *block;
  const struct block_check *check;
  double **tensors;  // [param of the adjoint] values of tensors; those beyond the forward's are filled later
  int64_t *integers;
  double *numbers;
  double **params;   // [ir_module.params]
  double **outputs;  // [output]
  double **weights;  // [result] of the objective
  double **input_gradients, **param_gradients;
};

static int64_t members(const struct state *s, const struct ir_param *param) {
  return param->count ? reference_size(param->count, s->check->dims) : 1;
}

static int64_t param_elements(const struct state *s, uint32_t p) {
  return reference_elements(s->module->params[p]->type, s->check->dims) * members(s, s->module->params[p]);
}

// Run-time sizes are all of this value, so that `?1` and `?2` may be what meets.
#define RUNTIME_SIZE 3

// Of a tensor, or of a list as it is stacked.
static int64_t value_elements(const struct state *s, const struct ir_value *value) {
  const struct ir_type *type = value->type->kind == IR_LIST ? value->type->element : value->type;
  int64_t n = value->type->kind == IR_LIST ? RUNTIME_SIZE : 1;
  for (uint32_t i = 0; i < type->shape.rank; i++)
    n *= size_is_runtime(type->shape.sizes[i]) ? RUNTIME_SIZE
                                               : reference_size(type->shape.sizes[i], s->check->dims);
  return n;
}

static double *random_array(struct state *s, int64_t n, uint64_t *seed, double low, double high) {
  (void)s;
  double *array = calloc((size_t)n, sizeof *array);
  for (int64_t i = 0; i < n; i++)
    array[i] = draw(seed, low, high);
  return array;
}

static double **zero_arrays(uint32_t n) { return calloc((size_t)n + 1, sizeof(double *)); }

// 1, or 0 where the parameter is a position in a dimension of one element, or of several from it on.
static int64_t largest_index(const struct state *s, const struct ir_value *param) {
  for (const struct ir_instr *instr = s->block->first; instr; instr = instr->next) {
    if (!ir_op_infos[instr->op].takes_index || instr->n_results == 0 ||
        instr->operands[instr->n_operands - 1] != param)
      continue;
    const struct size *size = ir_indexed_size(instr), *length = ir_indexed_length(instr);
    int64_t n = !size ? 1 : size_is_runtime(size) ? RUNTIME_SIZE : reference_size(size, s->check->dims);
    if (n - (length ? reference_size(length, s->check->dims) : 1) < 1)
      return 0;
  }
  return 1;
}

static void set_up(struct state *s) {
  const struct block_check *check = s->check;
  const struct ir_block *block = s->block;
  uint64_t seed = check->seed;
  uint32_t n = block->n_params + block->n_outputs;  // enough for the adjoint's, too
  s->tensors = zero_arrays(n);
  s->input_gradients = zero_arrays(n);
  s->integers = calloc((size_t)n + 1, sizeof *s->integers);
  s->numbers = calloc((size_t)n + 1, sizeof *s->numbers);
  for (uint32_t i = 0; i < block->n_params; i++) {
    const struct ir_type *type = block->params[i]->type;
    if (type->kind == IR_TENSOR || type->kind == IR_LIST) {
      int64_t elements = value_elements(s, block->params[i]);
      s->tensors[i] = random_array(s, elements, &seed, check->low, check->high);
      s->input_gradients[i] = calloc((size_t)elements, sizeof(double));
    }
    s->integers[i] = largest_index(s, block->params[i]);
    s->numbers[i] = draw(&seed, 0.5, 1.5);
  }
  s->params = zero_arrays(s->module->n_params);
  s->param_gradients = zero_arrays(s->module->n_params);
  for (uint32_t p = 0; p < s->module->n_params; p++) {
    s->params[p] = random_array(s, param_elements(s, p), &seed, check->low, check->high);
    s->param_gradients[p] = calloc((size_t)param_elements(s, p), sizeof(double));
  }
  s->outputs = zero_arrays(block->n_outputs);
  s->weights = zero_arrays(block->n_results);
  for (uint32_t i = 0; i < block->n_outputs; i++) {
    int64_t elements = value_elements(s, block->outputs[i]);
    s->outputs[i] = calloc((size_t)elements, sizeof(double));
    if (i < block->n_results)
      s->weights[i] = random_array(s, elements, &seed, 0.5, 1.5);
  }
}

static void free_arrays(double **arrays, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    free(arrays[i]);
  free(arrays);
}

static void tear_down(struct state *s) {
  free_arrays(s->tensors, s->block->n_params);
  free_arrays(s->input_gradients, s->block->n_params);
  free(s->integers);
  free(s->numbers);
  free_arrays(s->params, s->module->n_params);
  free_arrays(s->param_gradients, s->module->n_params);
  free_arrays(s->outputs, s->block->n_outputs);
  free_arrays(s->weights, s->block->n_results);
}

static struct reference reference_of(const struct state *s) {
  static int64_t sizes[IR_MAX_RUNTIME];
  for (uint32_t i = 0; i < IR_MAX_RUNTIME; i++)
    sizes[i] = RUNTIME_SIZE;
  return (struct reference){.dims = s->check->dims,
                            .sizes = sizes,
                            .tensors = (const double *const *)s->tensors,
                            .integers = s->integers,
                            .numbers = s->numbers,
                            .params = (const double *const *)s->params,
                            .dropout = s->check->dropout,
                            .seed = 1,
                            .epoch = 2,
                            .example = 3,
                            .ordinal = 4,
                            .outputs = s->outputs,
                            .input_gradients = s->input_gradients,
                            .param_gradients = s->param_gradients};
}

static double objective(const struct state *s) {
  struct reference run = reference_of(s);
  reference_run(s->module, s->block, &run);
  double sum = 0;
  for (uint32_t i = 0; i < s->block->n_results; i++)
    for (int64_t k = 0; k < value_elements(s, s->block->outputs[i]); k++)
      sum += s->weights[i][k] * s->outputs[i][k];
  return sum;
}

// Fills the gradients. The objective was computed at this very point, so the saved values are there.
static void run_adjoint(struct state *s) {
  const struct ir_block *block = s->block;
  uint32_t n_saved = block->n_outputs - block->n_results;
  for (uint32_t i = 0; i < n_saved; i++)
    s->tensors[block->n_params + i] = s->outputs[block->n_results + i];
  for (uint32_t i = 0; i < block->n_results; i++)
    s->tensors[block->n_params + n_saved + i] = s->weights[i];
  struct reference run = reference_of(s);
  reference_run(s->module, block->adjoint, &run);
}

static bool close_enough(double expected, double got) {
  return fabs(expected - got) <= TOLERANCE * (1 + fabs(expected));
}

static bool compare(struct state *s, const char *what, uint32_t which, double *values,
                    const double *gradients, int64_t n, char **message) {
  for (int64_t i = 0; i < n; i++) {
    double kept = values[i];
    values[i] = kept + STEP;
    double above = objective(s);
    values[i] = kept - STEP;
    double below = objective(s);
    values[i] = kept;
    double expected = (above - below) / (2 * STEP);
    if (close_enough(expected, gradients[i]))
      continue;
    if (asprintf(message, "%s %u, element %lld: the difference quotient is %.9g, the adjoint gives %.9g",
                 what, which, (long long)i, expected, gradients[i]) < 0)
      abort();
    return false;
  }
  return true;
}

enum block_verdict block_check(const struct ir_module *module, const struct ir_block *block,
                               const struct block_check *check, char **message) {
  struct state s = {.module = module, .block = block, .check = check};
  set_up(&s);
  enum block_verdict verdict = BLOCK_GOOD;
  if (!isfinite(objective(&s))) {
    verdict = BLOCK_OUT_OF_DOMAIN;
  } else {
    if (block->adjoint)
      run_adjoint(&s);
    for (uint32_t i = 0; i < block->n_params && verdict == BLOCK_GOOD; i++)
      if (s.tensors[i] && !compare(&s, "input", i, s.tensors[i], s.input_gradients[i],
                                   value_elements(&s, block->params[i]), message))
        verdict = BLOCK_WRONG;
    for (uint32_t p = 0; p < module->n_params && verdict == BLOCK_GOOD; p++)
      if (!compare(&s, "parameter", p, s.params[p], s.param_gradients[p], param_elements(&s, p), message))
        verdict = BLOCK_WRONG;
  }
  tear_down(&s);
  return verdict;
}

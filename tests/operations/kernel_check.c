// Compares a compiled kernel with the slow reference.
#include "tests/operations/kernel_check.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler/base/arena.h"
#include "compiler/passes/passes.h"
#include "runtime/kernel/reference.h"
#include "tests/ir/ir_testing.h"

enum { SEED = 5, EPOCH = 3, FIRST_EXAMPLE = 1000, MAX_BLOCKS_OF_MEMORY = 16384 };

// ---------------------------------------------------------------------------------------------------- memory

// Blocks that end at an unmapped page, all released together.
struct memory {
  size_t n;
  struct {
    char *start;
    size_t bytes;
  } blocks[MAX_BLOCKS_OF_MEMORY];
};

static void *guarded(struct memory *memory, size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (bytes + 63) / 64 * 64;
  size_t mapped = (used + page - 1) / page * page + page;
  char *start = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(start != MAP_FAILED && memory->n < MAX_BLOCKS_OF_MEMORY);
  assert_int_equal(mprotect(start + mapped - page, page, PROT_NONE), 0);
  memory->blocks[memory->n].start = start;
  memory->blocks[memory->n++].bytes = mapped;
  memset(start, 0xff, mapped - page);  // NaN in both precisions
  return start + mapped - page - used;
}

static void release(struct memory *memory) {
  for (size_t i = 0; i < memory->n; i++)
    munmap(memory->blocks[i].start, memory->blocks[i].bytes);
  memory->n = 0;
}

static double get(const void *data, enum nn_element element, size_t i) {
  return element == NN_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void put(void *data, enum nn_element element, size_t i, double value) {
  if (element == NN_F32)
    ((float *)data)[i] = (float)value;
  else
    ((double *)data)[i] = value;
}

static double *widened(struct memory *memory, const void *data, enum nn_element element, size_t n) {
  double *wide = guarded(memory, n * sizeof(double));
  for (size_t i = 0; i < n; i++)
    wide[i] = get(data, element, i);
  return wide;
}

// ------------------------------------------------------------------------------------------------------ case

#define MAX_PARAMS 1024

// One block in one precision with random data for a batch of rows.
struct rig {
  const struct kernel_check *check;
  const struct ir_module *module;
  enum nn_element element;
  size_t element_bytes;
  int64_t rows;
  struct memory memory;
  uint64_t random;
  // Parameters of the block, by their number; the arrays of kernel_args by their position.
  size_t elements[MAX_PARAMS];     // of a ragged tensor: per unit of its run-time size; of a list: of a row
  uint32_t runtime[MAX_PARAMS];    // number of the run-time size, 0: none
  uint32_t *offsets[MAX_PARAMS];   // tensors; lists: [term]
  uint32_t *terms[MAX_PARAMS];     // lists: [row] first term
  int32_t *sizes[IR_MAX_RUNTIME];  // [number - 1][row]
  int32_t *integers[MAX_PARAMS];
  double *numbers[MAX_PARAMS];
  void *params[MAX_PARAMS];  // [ir_module.params], all members
  double *wide_params[MAX_PARAMS];
  char *values, *gradients;
  size_t arena_units;
  uint32_t *examples, *ordinals;
  // From the forward kernel: [output]
  void *outputs[MAX_PARAMS];
};

static int64_t times_runtime(const struct rig *rig, size_t elements, uint32_t number, int64_t row) {
  return (int64_t)elements * (number > 0 ? rig->sizes[number - 1][row] : 1);
}

// Elements of a tensor parameter, of all rows of a list.
static size_t param_elements(const struct rig *rig, uint32_t i, int64_t row) {
  return (size_t)times_runtime(rig, rig->elements[i], rig->runtime[i], row);
}

// The rows that a tensor parameter consists of in an instance: those of a list, or one.
static uint32_t first_row(const struct rig *rig, uint32_t i, int64_t row) {
  return rig->terms[i] != NULL ? rig->terms[i][row] : (uint32_t)row;
}
static uint32_t n_rows(const struct rig *rig, uint32_t i, int64_t row) {
  return rig->terms[i] != NULL ? (uint32_t)rig->sizes[rig->runtime[i] - 1][row] : 1;
}

static uint32_t output_runtime(const struct rig *rig, uint32_t o) {
  const struct ir_block *block = rig->check->block;
  return kernel_runtime_size(block, block->outputs[o], rig->check->dims, NULL);
}

static size_t output_elements(const struct rig *rig, uint32_t o, int64_t row) {
  const struct ir_block *block = rig->check->block;
  int64_t elements;
  uint32_t number = kernel_runtime_size(block, block->outputs[o], rig->check->dims, &elements);
  return (size_t)times_runtime(rig, (size_t)elements, number, row);
}

// Where the rows of an output begin, from that of `first` on, in units of NN_LANES elements; then their end.
static uint32_t *output_starts(struct rig *rig, uint32_t o, int64_t first) {
  uint32_t *starts = guarded(&rig->memory, (size_t)(rig->rows + 1 - first) * sizeof *starts);
  starts[0] = 0;
  for (int64_t r = first; r < rig->rows; r++)
    starts[r - first + 1] = starts[r - first] +
                            (uint32_t)(nn_row_elements(output_elements(rig, o, r)) / NN_LANES);
  return starts;
}

static double draw(struct rig *rig) {
  rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
  double u = (double)(rig->random >> 11) * 0x1p-53;
  return rig->check->low + u * (rig->check->high - rig->check->low);
}

static uint32_t below(struct rig *rig, uint32_t bound) {
  rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((rig->random >> 33) % bound);
}

static int64_t member_count(const struct rig *rig, const struct ir_param *param) {
  return param->count != NULL ? reference_size(param->count, rig->check->dims) : 1;
}

static void make_params(struct rig *rig) {
  for (uint32_t i = 0; i < rig->module->n_params; i++) {
    const struct ir_param *param = rig->module->params[i];
    size_t n = (size_t)(reference_elements(param->type, rig->check->dims) * member_count(rig, param));
    rig->params[i] = guarded(&rig->memory, (n + NN_LANES) * rig->element_bytes);
    for (size_t j = 0; j < n; j++)
      put(rig->params[i], rig->element, j, draw(rig));
    rig->wide_params[i] = widened(&rig->memory, rig->params[i], rig->element, n);
  }
}

static int64_t any_size(const struct rig *rig, const struct size *size, int64_t row) {
  uint32_t number = ir_runtime_number(size);
  return number > 0 ? rig->sizes[number - 1][row] : reference_size(size, rig->check->dims);
}

// The axis that an index parameter of the block chooses from, taken from where it is used.
static int64_t index_limit(const struct rig *rig, const struct ir_block *block, const struct ir_value *index,
                           int64_t row) {
  int64_t limit = INT32_MAX;
  for (const struct ir_instr *instr = block->first; instr != NULL; instr = instr->next)
    for (uint32_t i = 0; i < instr->n_operands; i++) {
      if (instr->operands[i] != index)
        continue;
      int64_t here = 2;
      bool is_member = instr->op == IR_OP_PARAM || i > (uint32_t)ir_op_infos[instr->op].arity;
      if (is_member)
        here = member_count(rig, rig->module->params[instr->symbol]);
      else if (ir_op_infos[instr->op].takes_index && instr->n_results == 1)
        here = any_size(rig, ir_indexed_size(instr), row);
      if (ir_op_infos[instr->op].takes_index && instr->n_results == 1 && ir_indexed_length(instr))
        here -= any_size(rig, ir_indexed_length(instr), row) - 1;
      limit = here < limit ? here : limit;
    }
  return limit == INT32_MAX ? 2 : limit;
}

static bool chooses_member(const struct ir_block *block, const struct ir_value *index) {
  for (const struct ir_instr *instr = block->first; instr != NULL; instr = instr->next)
    if (instr->op == IR_OP_PARAM && instr->n_operands > 0 && instr->operands[0] == index)
      return true;
  return false;
}

// Lengths of all kinds in one batch; those of another number differ.
static void make_sizes(struct rig *rig) {
  static const int32_t lengths[] = {17, 1, 33, 16, 2, 100, 15, 300};
  for (uint32_t k = 0; k + 1 < rig->module->n_runtimes; k++) {
    rig->sizes[k] = guarded(&rig->memory, (size_t)rig->rows * sizeof(int32_t));
    for (int64_t r = 0; r < rig->rows; r++)
      rig->sizes[k][r] = lengths[(size_t)(r + 3 * k) % (sizeof lengths / sizeof *lengths)];
  }
}

static size_t row_units(const struct rig *rig, uint32_t i, int64_t row) {
  size_t n = rig->terms[i] != NULL ? rig->elements[i] : param_elements(rig, i, row);
  return nn_row_elements(n) / NN_LANES;
}

// The rows of a list come one after the other in the batch but not in the arena; some are also those of another place.
static size_t place_list(struct rig *rig, uint32_t i, size_t next) {
  uint32_t n = 0;
  rig->terms[i] = guarded(&rig->memory, (size_t)rig->rows * sizeof(uint32_t));
  for (int64_t r = 0; r < rig->rows; r++) {
    rig->terms[i][r] = n;
    n += (uint32_t)rig->sizes[rig->runtime[i] - 1][r];
  }
  rig->offsets[i] = guarded(&rig->memory, n * sizeof(uint32_t));
  size_t units = row_units(rig, i, 0);
  for (uint32_t t = 0; t < n; t++)
    rig->offsets[i][t] = (uint32_t)(next + (n - 1 - t) * units);
  for (uint32_t t = 0; t < n; t++)
    for (size_t j = 0; j < rig->elements[i]; j++)
      put(rig->values, rig->element, rig->offsets[i][t] * (size_t)NN_LANES + j, draw(rig));
  for (uint32_t t = 1; t < n; t++)
    if (below(rig, 6) == 0)
      rig->offsets[i][t] = rig->offsets[i][below(rig, t)];
  return next + units * n;
}

// Rows lie in a random order; now and then a row of one input is also that of another row or input.
static void place_rows(struct rig *rig, const struct ir_block *block) {
  size_t units = 0, next = 0;
  for (uint32_t i = 0; i < block->n_params; i++)
    for (int64_t r = 0; r < rig->rows; r++)
      units += block->params[i]->type->kind == IR_LIST
                   ? nn_row_elements(rig->elements[i]) / NN_LANES * (size_t)rig->sizes[rig->runtime[i] - 1][r]
                   : row_units(rig, i, r);
  rig->arena_units = units;
  rig->values = guarded(&rig->memory, units * NN_LANES * rig->element_bytes);
  for (uint32_t i = 0; i < block->n_params; i++) {
    if (block->params[i]->type->kind == IR_LIST)
      next = place_list(rig, i, next);
    if (block->params[i]->type->kind != IR_TENSOR)
      continue;
    rig->offsets[i] = guarded(&rig->memory, (size_t)rig->rows * sizeof(uint32_t));
    for (int64_t r = rig->rows; r-- > 0; next += row_units(rig, i, r))
      rig->offsets[i][r] = (uint32_t)next;
    for (int64_t r = 0; r < rig->rows; r++)
      for (size_t j = 0; j < param_elements(rig, i, r); j++)
        put(rig->values, rig->element, rig->offsets[i][r] * (size_t)NN_LANES + j, draw(rig));
    for (int64_t r = 1; r < rig->rows; r++) {
      int64_t other = below(rig, 6) == 0 ? below(rig, (uint32_t)r) : r;
      if (param_elements(rig, i, other) == param_elements(rig, i, r))
        rig->offsets[i][r] = rig->offsets[i][other];
    }
    for (uint32_t j = 0; j < i; j++)
      if (rig->offsets[j] != NULL && rig->elements[j] == rig->elements[i] && !rig->runtime[i] &&
          !rig->runtime[j])
        rig->offsets[i][below(rig, (uint32_t)rig->rows)] = rig->offsets[j][below(rig, (uint32_t)rig->rows)];
  }
}

static void make_inputs(struct rig *rig, const struct ir_block *block) {
  make_sizes(rig);
  for (uint32_t i = 0; i < block->n_params; i++) {
    const struct ir_type *type = block->params[i]->type;
    if (type->kind == IR_TENSOR || type->kind == IR_LIST) {
      int64_t elements;
      rig->runtime[i] = kernel_runtime_size(block, block->params[i], rig->check->dims, &elements);
      rig->elements[i] = (size_t)elements;
    } else if (type->kind == IR_FLOAT) {
      rig->numbers[i] = guarded(&rig->memory, (size_t)rig->rows * sizeof(double));
      for (int64_t r = 0; r < rig->rows; r++)
        rig->numbers[i][r] = (double)(float)draw(rig);
    } else {
      rig->integers[i] = guarded(&rig->memory, (size_t)rig->rows * sizeof(int32_t));
      bool member = chooses_member(block, block->params[i]);  // one for the whole batch
      for (int64_t r = 0; r < rig->rows; r++) {
        int64_t limit = index_limit(rig, block, block->params[i], r);
        rig->integers[i][r] = member ? (int32_t)(limit - 1) : (int32_t)below(rig, (uint32_t)limit);
      }
    }
  }
  place_rows(rig, block);
  rig->examples = guarded(&rig->memory, (size_t)rig->rows * sizeof(uint32_t));
  rig->ordinals = guarded(&rig->memory, (size_t)rig->rows * sizeof(uint32_t));
  for (int64_t r = 0; r < rig->rows; r++) {
    rig->examples[r] = FIRST_EXAMPLE + (uint32_t)r;
    rig->ordinals[r] = (uint32_t)(7 * r);
  }
}

// ---------------------------------------------------------------------------------------------- kernel calls

struct call {
  struct kernel *kernel;
  struct kernel_args args;
  const uint32_t *rows[MAX_PARAMS];
  const int32_t *indices[MAX_PARAMS];
  const double *numbers[MAX_PARAMS];
  const void *params[MAX_PARAMS];
  void *outputs[MAX_PARAMS];
  const void *output_gradients[MAX_PARAMS];
  void *sinks[MAX_PARAMS];
  const uint32_t *terms[MAX_PARAMS];
  const int32_t *sizes[IR_MAX_RUNTIME];
  uint32_t *starts[MAX_PARAMS];  // of the outputs
  const uint32_t *output_rows[MAX_PARAMS], *gradient_rows[MAX_PARAMS];
  void *scratch;
};

static const void *laid_out(struct rig *rig, const struct kernel_param *use) {
  const struct ir_param *param = rig->module->params[use->param];
  const int64_t *dims = rig->check->dims;
  int64_t n = reference_elements(param->type, dims);
  int64_t member = use->member >= 0 ? rig->integers[use->member][0] : 0;
  const char *natural = (const char *)rig->params[use->param] + (size_t)(member * n) * rig->element_bytes;
  if (use->layout == KERNEL_NATURAL)
    return natural;
  int64_t rows = reference_size(param->type->shape.sizes[0], dims), columns = n / rows;
  void *packed = guarded(&rig->memory, kernel_packed_bytes(use->layout, rig->element, rows, columns));
  kernel_pack(use->layout, rig->element, rows, columns, natural, packed);
  return packed;
}

static size_t scratch_bytes(const struct rig *rig, const struct kernel *kernel) {
  int32_t largest[IR_MAX_RUNTIME] = {0};
  for (uint32_t k = 0; k + 1 < rig->module->n_runtimes; k++)
    for (int64_t r = 0; r < rig->rows; r++)
      if (rig->sizes[k][r] > largest[k])
        largest[k] = rig->sizes[k][r];
  return kernel_scratch(kernel, largest);
}

static size_t output_at(const struct call *call, uint32_t o, int64_t row) {
  return (size_t)call->starts[o][row] * NN_LANES;
}

// A call of the forward block's or its adjoint's kernel with rows from `first` on.
static void make_call(struct rig *rig, struct call *call, enum kernel_variant variant, int64_t first) {
  memset(call, 0, sizeof *call);
  char *error = NULL;
  const struct kernel_sizes sizes = {rig->check->dims};
  const struct ir_block *block = rig->check->block;
  call->kernel = kernel_compile(rig->check->jit, rig->module, block, variant, rig->element, &sizes, &error);
  if (call->kernel == NULL)
    fail_msg("%s: %s", block->name, error);
  uint32_t tensors = 0, indices = 0, numbers = 0;
  for (uint32_t i = 0; i < block->n_params; i++) {
    if (rig->terms[i] != NULL) {
      call->terms[tensors] = rig->terms[i] + first;
      call->rows[tensors++] = rig->offsets[i];
    } else if (rig->offsets[i] != NULL)
      call->rows[tensors++] = rig->offsets[i] + first;
    else if (rig->integers[i] != NULL)
      call->indices[indices++] = rig->integers[i] + first;
    else
      call->numbers[numbers++] = rig->numbers[i] + first;
  }
  for (uint32_t i = 0; i < call->kernel->n_params; i++)
    call->params[i] = laid_out(rig, &call->kernel->params[i]);
  for (uint32_t k = 0; k + 1 < rig->module->n_runtimes; k++)
    call->sizes[k] = rig->sizes[k] + first;
  for (uint32_t i = 0; i < call->kernel->n_outputs; i++) {
    call->starts[i] = output_starts(rig, i, first);
    call->output_rows[i] = output_runtime(rig, i) > 0 ? call->starts[i] : NULL;
    call->outputs[i] = guarded(&rig->memory, output_at(call, i, rig->rows - first) * rig->element_bytes);
  }
  for (uint32_t i = 0; i < call->kernel->n_sink_buffers; i++)
    call->sinks[i] = guarded(&rig->memory, nn_row_elements(call->kernel->sink_elements[i]) *
                                               (size_t)rig->rows * rig->element_bytes);
  call->scratch = guarded(&rig->memory, scratch_bytes(rig, call->kernel));
  call->args = (struct kernel_args){
      .values = rig->values,
      .gradients = rig->gradients,
      .rows = call->rows,
      .terms = call->terms,
      .sizes = call->sizes,
      .output_rows = call->output_rows,
      .gradient_rows = call->gradient_rows,
      .indices = call->indices,
      .numbers = call->numbers,
      .params = call->params,
      .outputs = call->outputs,
      .output_gradients = call->output_gradients,
      .sinks = call->sinks,
      .examples = rig->examples + first,
      .ordinals = rig->ordinals + first,
      .seed = SEED,
      .epoch = EPOCH,
  };
}

static void run(struct call *call, int64_t begin, int64_t end) {
  call->kernel->run(&call->args, begin, end, call->scratch);
}

// ------------------------------------------------------------------------------------------------ comparison

static void compare(struct rig *rig, const char *what, uint32_t number, int64_t row, const void *actual,
                    size_t first, const double *expected, size_t n, double scale) {
  // Sums cancel: an element is as exact as the largest ones of its row.
  double largest = 1;
  for (size_t i = 0; i < n; i++)
    if (isfinite(expected[i]) && fabs(expected[i]) > largest)
      largest = fabs(expected[i]);
  double tolerance = (rig->element == NN_F32 ? 2e-5 : 2e-13) * scale * largest;
  for (size_t i = 0; i < n; i++) {
    double a = get(actual, rig->element, first + i), b = expected[i];
    bool same = fabs(a - b) <= tolerance || (isnan(a) && isnan(b)) || a == b;
    if (!same)
      fail_msg("block %s, f%d, %s %u, row %" PRId64 ", element %zu of %zu: %.17g instead of %.17g\n%s",
               rig->check->block->name, rig->element == NN_F32 ? 32 : 64, what, number, row, i, n, a, b,
               ir_print(rig->module));
  }
}

// The reference's inputs for one row. Arrays are [block parameter].
struct row_inputs {
  const double *tensors[2 * MAX_PARAMS];
  int64_t integers[2 * MAX_PARAMS];
  double numbers[2 * MAX_PARAMS];
  int64_t sizes[IR_MAX_RUNTIME];
};

static double *stacked(struct rig *rig, struct memory *memory, uint32_t i, int64_t row) {
  size_t n = rig->elements[i];
  double *wide = guarded(memory, n_rows(rig, i, row) * n * sizeof(double));
  for (uint32_t t = 0; t < n_rows(rig, i, row); t++)
    for (size_t j = 0; j < n; j++)
      wide[t * n + j] = get(rig->values, rig->element,
                            (size_t)rig->offsets[i][first_row(rig, i, row) + t] * NN_LANES + j);
  return wide;
}

static void row_inputs(struct rig *rig, struct memory *memory, int64_t row, struct row_inputs *in) {
  const struct ir_block *block = rig->check->block;
  for (uint32_t k = 0; k + 1 < rig->module->n_runtimes; k++)
    in->sizes[k] = rig->sizes[k][row];
  for (uint32_t i = 0; i < block->n_params; i++) {
    if (rig->terms[i] != NULL)
      in->tensors[i] = stacked(rig, memory, i, row);
    else if (rig->offsets[i] != NULL)
      in->tensors[i] = widened(memory,
                               rig->values + (size_t)rig->offsets[i][row] * NN_LANES * rig->element_bytes,
                               rig->element, param_elements(rig, i, row));
    else if (rig->integers[i] != NULL)
      in->integers[i] = rig->integers[i][row];
    else
      in->numbers[i] = rig->numbers[i][row];
  }
}

static struct reference reference_for(struct rig *rig, const struct row_inputs *in, int64_t row,
                                      bool dropout) {
  return (struct reference){
      .dims = rig->check->dims,
      .sizes = in->sizes,
      .tensors = in->tensors,
      .integers = in->integers,
      .numbers = in->numbers,
      .params = (const double *const *)rig->wide_params,
      .dropout = dropout,
      .seed = SEED,
      .epoch = EPOCH,
      .example = rig->examples[row],
      .ordinal = rig->ordinals[row],
  };
}

static void compare_forward(struct rig *rig, const struct call *call, bool dropout) {
  const struct ir_block *block = rig->check->block;
  for (int64_t row = 0; row < rig->rows; row++) {
    struct memory memory = {0};
    struct row_inputs in = {0};
    row_inputs(rig, &memory, row, &in);
    double *expected[MAX_PARAMS];
    for (uint32_t o = 0; o < block->n_outputs; o++)
      expected[o] = guarded(&memory, output_elements(rig, o, row) * sizeof(double));
    struct reference reference = reference_for(rig, &in, row, dropout);
    reference.outputs = expected;
    reference_run(rig->module, block, &reference);
    for (uint32_t o = 0; o < call->kernel->n_outputs; o++)
      compare(rig, "output", o, row, call->outputs[o], output_at(call, o, row), expected[o],
              output_elements(rig, o, row), 1);
    release(&memory);
  }
}

// Rows computed together, alone, and in another split of the range have the same bits.
static void compare_bits(struct rig *rig, const struct call *whole, enum kernel_variant variant) {
  struct call split, alone;
  make_call(rig, &split, variant, 0);
  int64_t middle = rig->rows / 3;
  run(&split, middle, rig->rows);
  run(&split, 0, middle);
  for (int64_t row = 0; row<rig->rows; row += rig->rows> 8 ? 5 : 1) {
    make_call(rig, &alone, variant, row);
    run(&alone, 0, 1);
    for (uint32_t o = 0; o < whole->kernel->n_outputs; o++) {
      size_t bytes = output_elements(rig, o, row) * rig->element_bytes;
      size_t at = output_at(whole, o, row) * rig->element_bytes;
      if (memcmp((char *)whole->outputs[o] + at, alone.outputs[o], bytes) != 0 ||
          memcmp((char *)whole->outputs[o] + at, (char *)split.outputs[o] + at, bytes) != 0)
        fail_msg("block %s, f%d: output %u of row %" PRId64 " of %" PRId64
                 " has other bits alone or in a split range",
                 rig->check->block->name, rig->element == NN_F32 ? 32 : 64, o, row, rig->rows);
    }
    kernel_free(alone.kernel);
  }
  kernel_free(split.kernel);
}

// Results have the bits that inference gave them, whatever else this variant computes.
static void compare_with_inference(struct rig *rig, const struct call *call) {
  for (uint32_t o = 0; o < rig->check->block->n_results; o++)
    for (int64_t row = 0; row < rig->rows; row++) {
      size_t bytes = output_elements(rig, o, row) * rig->element_bytes;
      size_t at = output_at(call, o, row) * rig->element_bytes;
      if (memcmp((char *)rig->outputs[o] + at, (char *)call->outputs[o] + at, bytes) != 0)
        fail_msg("block %s, f%d: output %u of row %" PRId64 " has other bits when more is computed",
                 rig->check->block->name, rig->element == NN_F32 ? 32 : 64, o, row);
    }
}

static void check_forward(struct rig *rig, enum kernel_variant variant) {
  struct call call;
  make_call(rig, &call, variant, 0);
  run(&call, 0, rig->rows);
  run(&call, rig->rows, rig->rows);  // an empty range does nothing
  if (!rig->check->only_bits)
    compare_forward(rig, &call, variant == KERNEL_TRAIN);
  compare_bits(rig, &call, variant);
  if (variant == KERNEL_GRADIENT || (variant == KERNEL_TRAIN && !rig->check->block->random))
    compare_with_inference(rig, &call);
  for (uint32_t o = 0; o < call.kernel->n_outputs; o++)
    rig->outputs[o] = call.outputs[o];
  kernel_free(call.kernel);
}

// --------------------------------------------------------------------------------------------------- adjoint

// What the sinks of a row stand for is added to `gradients`, as the executor would.
static void collect_sinks(struct rig *rig, const struct call *call, int64_t row, double *const *gradients) {
  for (uint32_t s = 0; s < call->kernel->n_sinks; s++) {
    const struct kernel_sink *sink = &call->kernel->sinks[s];
    const struct kernel_row *rows[2] = {&sink->a, &sink->b};
    const char *at[2] = {NULL, NULL};
    for (int i = 0; i < (sink->kind == KERNEL_SINK_OUTER ? 2 : 1); i++) {
      size_t stride = nn_row_elements(rows[i]->elements) * rig->element_bytes * (size_t)row;
      switch (rows[i]->place) {
      case KERNEL_PLACE_SINK: at[i] = (char *)call->sinks[rows[i]->index] + stride; break;
      case KERNEL_PLACE_SAVED: at[i] = (char *)call->outputs[rows[i]->index] + stride; break;
      case KERNEL_PLACE_GRADIENT:
        at[i] = (const char *)call->output_gradients[rows[i]->index] + stride;
        break;
      case KERNEL_PLACE_INPUT:
        at[i] = rig->values + (size_t)call->rows[rows[i]->index][row] * NN_LANES * rig->element_bytes;
        break;
      }
    }
    int64_t param_elements = reference_elements(rig->module->params[sink->param]->type, rig->check->dims);
    double *to = gradients[sink->param] +
                 (sink->member >= 0 ? rig->integers[sink->member][row] * param_elements : 0);
    if (sink->kind == KERNEL_SINK_ROW)
      to += (size_t)rig->integers[sink->index][row] * sink->a.elements;
    for (size_t i = 0; i < sink->a.elements; i++)
      for (size_t j = 0; j < (at[1] != NULL ? sink->b.elements : 1); j++)
        to[at[1] != NULL ? i * sink->b.elements + j : i] += get(at[0], rig->element, i) *
                                                            (at[1] != NULL ? get(at[1], rig->element, j) : 1);
  }
}

static double **new_param_gradients(struct rig *rig, struct memory *memory) {
  double **gradients = guarded(memory, (rig->module->n_params + 1) * sizeof *gradients);
  for (uint32_t i = 0; i < rig->module->n_params; i++) {
    const struct ir_param *param = rig->module->params[i];
    size_t n = (size_t)(reference_elements(param->type, rig->check->dims) * member_count(rig, param));
    gradients[i] = guarded(memory, n * sizeof(double));
    memset(gradients[i], 0, n * sizeof(double));
  }
  return gradients;
}

// The adjoint block's inputs follow the forward block's: saved values, then gradients of the results.
static void adjoint_inputs(struct rig *rig, struct memory *memory, const struct call *call, int64_t row,
                           struct row_inputs *in) {
  const struct ir_block *block = rig->check->block, *adjoint = block->adjoint;
  uint32_t n_saved = block->n_outputs - block->n_results;
  for (uint32_t i = 0; block->n_params + i < adjoint->n_params; i++) {
    bool saved = i < n_saved;
    uint32_t o = saved ? block->n_results + i : i - n_saved;
    const char *data = saved ? call->outputs[i] : call->output_gradients[i - n_saved];
    in->tensors[block->n_params + i] = widened(memory, data + output_at(call, o, row) * rig->element_bytes,
                                               rig->element, output_elements(rig, o, row));
  }
}

static void fill_gradients(struct rig *rig, struct call *call) {
  const struct ir_block *block = rig->check->block;
  for (uint32_t o = 0; o < block->n_outputs; o++)
    call->starts[o] = output_starts(rig, o, 0);
  for (uint32_t i = 0; block->n_results + i < block->n_outputs; i++) {
    uint32_t o = block->n_results + i;
    call->outputs[i] = rig->outputs[o];
    call->output_rows[i] = output_runtime(rig, o) > 0 ? call->starts[o] : NULL;
  }
  for (uint32_t i = 0; i < block->n_results; i++) {
    char *rows = guarded(&rig->memory, output_at(call, i, rig->rows) * rig->element_bytes);
    for (int64_t r = 0; r < rig->rows; r++)
      for (size_t j = 0; j < output_elements(rig, i, r); j++)
        put(rows, rig->element, output_at(call, i, r) + j, draw(rig));
    call->output_gradients[i] = rows;
    call->gradient_rows[i] = output_runtime(rig, i) > 0 ? call->starts[i] : NULL;
  }
}

// The gradients of an instance's inputs: where they are expected, or, of a list, apart until they are put there.
static void begin_gradients(struct rig *rig, struct memory *memory, int64_t row, double *expected,
                            double **gradients) {
  for (uint32_t i = 0; i < rig->check->block->n_params; i++) {
    size_t bytes = param_elements(rig, i, row) * sizeof(double);
    if (rig->terms[i] != NULL)
      gradients[i] = memset(guarded(memory, bytes), 0, bytes);
    else if (rig->offsets[i] != NULL)
      gradients[i] = expected + (size_t)rig->offsets[i][row] * NN_LANES;
  }
}

static void end_gradients(struct rig *rig, int64_t row, double *expected, double *const *gradients) {
  for (uint32_t i = 0; i < rig->check->block->n_params; i++)
    for (uint32_t t = 0; rig->terms[i] != NULL && t < n_rows(rig, i, row); t++)
      for (size_t j = 0; j < rig->elements[i]; j++)
        expected[(size_t)rig->offsets[i][first_row(rig, i, row) + t] * NN_LANES + j] +=
            gradients[i][t * rig->elements[i] + j];
}

static void compare_gradients(struct rig *rig, uint32_t i, int64_t row, const double *expected) {
  for (uint32_t t = 0; t < n_rows(rig, i, row); t++) {
    size_t at = (size_t)rig->offsets[i][first_row(rig, i, row) + t] * NN_LANES;
    size_t n = rig->terms[i] != NULL ? rig->elements[i] : param_elements(rig, i, row);
    compare(rig, "gradient of input", i, row, rig->gradients, at, expected + at, n, 4);
  }
}

static void check_adjoint(struct rig *rig, enum kernel_variant variant) {
  const struct ir_block *block = rig->check->block, *adjoint = block->adjoint;
  struct memory memory = {0};
  size_t arena_elements = rig->arena_units * NN_LANES;
  rig->gradients = guarded(&rig->memory, arena_elements * rig->element_bytes);
  for (size_t i = 0; i < arena_elements; i++)
    put(rig->gradients, rig->element, i, draw(rig));
  double *expected = widened(&memory, rig->gradients, rig->element, arena_elements);
  struct call call;
  make_call(rig, &call, variant, 0);
  fill_gradients(rig, &call);
  run(&call, 0, rig->rows);
  double **params = new_param_gradients(rig, &memory), **sunk = new_param_gradients(rig, &memory);
  for (int64_t row = 0; row < rig->rows; row++) {
    struct memory row_memory = {0};
    struct row_inputs in = {0};
    row_inputs(rig, &row_memory, row, &in);
    adjoint_inputs(rig, &row_memory, &call, row, &in);
    double *input_gradients[MAX_PARAMS] = {0};
    begin_gradients(rig, &row_memory, row, expected, input_gradients);
    struct reference reference = reference_for(rig, &in, row, variant == KERNEL_ADJOINT);
    reference.input_gradients = input_gradients;
    reference.param_gradients = params;
    reference_run(rig->module, adjoint, &reference);
    end_gradients(rig, row, expected, input_gradients);
    collect_sinks(rig, &call, row, sunk);
    release(&row_memory);
  }
  for (uint32_t i = 0; i < block->n_params; i++)
    for (int64_t row = 0; rig->offsets[i] != NULL && row < rig->rows; row++)
      compare_gradients(rig, i, row, expected);
  // Sinks are summed in double here; only the rows themselves have the kernel's precision.
  for (uint32_t i = 0; i < rig->module->n_params; i++) {
    const struct ir_param *param = rig->module->params[i];
    int64_t n = reference_elements(param->type, rig->check->dims) * member_count(rig, param);
    double tolerance = (rig->element == NN_F32 ? 1e-4 : 5e-12) * (1 + (double)rig->rows / 4);
    for (int64_t j = 0; j < n; j++)
      if (!(fabs(params[i][j] - sunk[i][j]) <= tolerance * (1 + fabs(params[i][j])) || isnan(params[i][j])))
        fail_msg("block %s, f%d, gradient of @%s, element %" PRId64 ": %.17g instead of %.17g\n%s",
                 block->name, rig->element == NN_F32 ? 32 : 64, param->name, j, sunk[i][j], params[i][j],
                 ir_print(rig->module));
  }
  kernel_free(call.kernel);
  release(&memory);
}

void kernel_check(const struct kernel_check *check) {
  for (int element = NN_F32; element <= NN_F64; element++) {
    struct rig rig = {.check = check,
                      .module = check->module,
                      .element = (enum nn_element)element,
                      .element_bytes = nn_element_bytes((enum nn_element)element),
                      .rows = check->rows,
                      .random = 17 + (uint64_t)check->rows};
    make_params(&rig);
    make_inputs(&rig, check->block);
    check_forward(&rig, KERNEL_INFER);
    bool adjoint = check->block->adjoint != NULL && !check->only_bits;
    if (check->block->random) {
      check_forward(&rig, KERNEL_GRADIENT);
      if (adjoint)
        check_adjoint(&rig, KERNEL_ADJOINT_GRADIENT);
    }
    check_forward(&rig, KERNEL_TRAIN);
    if (adjoint)
      check_adjoint(&rig, KERNEL_ADJOINT);
    release(&rig.memory);
  }
}

struct jit *kernel_check_jit(enum cpu_simd simd) {
  char *error = NULL;
  struct jit *jit = jit_new(&(struct jit_options){.cache_dir = "", .simd = simd}, &error);
  if (jit == NULL)
    fail_msg("%s", error);
  return jit;
}

struct ir_module *kernel_check_module(const char *path) {
  char *text = read_text(path), *error = NULL;
  struct ir_module *module = parse_text(path, text);
  free(text);
  struct arena scratch;
  arena_init(&scratch);
  pass_adjoint(module, &scratch);
  arena_free(&scratch);
  if (!ir_verify(module, &error))
    fail_msg("%s: %s", path, error);
  return module;
}

// Kernels by the slow reference.
#include "tests/runtime/stand_in.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/kernel/reference.h"

struct stand_in {
  struct kernel kernel;  // first
  const struct ir_module *module;
  const struct ir_block *forward, *code;  // code: the block or its adjoint
  const int64_t *dims;
  enum nn_element element;
  bool adjoint, dropout;
  int64_t *param_elements;  // [ir_module.params], of all members
  uint32_t *use;            // [ir_module.params] position in kernel.params, UINT32_MAX
};

static void *zeros(size_t n, size_t size) {
  void *memory = calloc(n ? n : 1, size);
  if (!memory)
    abort();
  return memory;
}

// Which block parameter holds the member of a family that an instruction uses; -1: none.
static int32_t member_of(const struct ir_block *code, const struct ir_instr *instr, uint32_t operand) {
  if (operand >= instr->n_operands)
    return -1;
  for (uint32_t i = 0; i < code->n_params; i++)
    if (code->params[i] == instr->operands[operand])
      return (int32_t)i;
  abort();
}

static void add_use(struct stand_in *made, const struct ir_instr *instr) {
  if (made->use[instr->symbol] != UINT32_MAX)
    return;
  made->use[instr->symbol] = made->kernel.n_params;
  made->kernel.params[made->kernel.n_params++] =
      (struct kernel_param){instr->symbol, member_of(made->code, instr, 0), KERNEL_NATURAL};
}

static void add_sink(struct stand_in *made, const struct ir_instr *instr) {
  struct kernel *kernel = &made->kernel;
  const struct ir_type *type = made->module->params[instr->symbol]->type;
  int64_t elements = reference_elements(type, made->dims);
  uint32_t values = instr->op == IR_OP_D_OUTER ? 2 : 1;
  struct kernel_sink sink = {.kind = KERNEL_SINK_PARAM, .param = instr->symbol, .index = -1};
  if (instr->op == IR_OP_D_ROW) {
    sink.kind = KERNEL_SINK_ROW;
    sink.index = member_of(made->code, instr, values++);
    elements /= reference_size(type->shape.sizes[0], made->dims);
  }
  sink.member = member_of(made->code, instr, values);
  // What the reference adds to a parameter is taken once, with the parameter's first sink.
  for (uint32_t i = 0; i < kernel->n_sinks; i++)
    if (kernel->sinks[i].param == sink.param && kernel->sinks[i].kind == sink.kind &&
        kernel->sinks[i].index == sink.index)
      return;
  kernel->sink_elements[kernel->n_sink_buffers] = (uint32_t)elements;
  sink.a = (struct kernel_row){KERNEL_PLACE_SINK, kernel->n_sink_buffers++, (uint32_t)elements};
  kernel->sinks[kernel->n_sinks++] = sink;
}

// The row of one operand as doubles.
static double *load(const struct stand_in *made, const struct ir_type *type, const void *row) {
  int64_t n = reference_elements(type, made->dims);
  double *values = zeros((size_t)n, sizeof *values);
  for (int64_t i = 0; i < n; i++)
    values[i] = made->element == NN_F32 ? (double)((const float *)row)[i] : ((const double *)row)[i];
  return values;
}

static void store(const struct stand_in *made, void *row, const double *values, int64_t n, bool add) {
  for (int64_t i = 0; i < n; i++) {
    if (made->element == NN_F32)
      ((float *)row)[i] = (float)values[i] + (add ? ((float *)row)[i] : 0);
    else
      ((double *)row)[i] = values[i] + (add ? ((double *)row)[i] : 0);
  }
}

static const char *at(const struct stand_in *made, const void *base, uint64_t offset) {
  return (const char *)base + offset * NN_LANES * nn_element_bytes(made->element);
}

static uint64_t units(const struct stand_in *made, const struct ir_type *type) {
  return nn_row_elements((size_t)reference_elements(type, made->dims)) / NN_LANES;
}

// Everything one row needs in the reference's terms; freed by free_row.
struct row {
  struct reference reference;
  double **tensors, **gradients, **outputs, **params, **param_gradients;
  int64_t *integers;
  double *numbers;
};

static void load_params(const struct stand_in *made, const struct kernel_args *args, struct row *row) {
  uint32_t n = made->module->n_params;
  row->params = zeros(n, sizeof *row->params);
  row->param_gradients = zeros(n, sizeof *row->param_gradients);
  for (uint32_t p = 0; p < n; p++) {
    // The kernel was given one member: it stands in member 0's place, and the reference is told to use that
    // one.
    row->params[p] = zeros((size_t)made->param_elements[p], sizeof **row->params);
    row->param_gradients[p] = zeros((size_t)made->param_elements[p], sizeof **row->params);
    if (made->use[p] == UINT32_MAX)
      continue;
    free(row->params[p]);
    row->params[p] = load(made, made->module->params[p]->type, args->params[made->use[p]]);
  }
}

static bool is_member(const struct stand_in *made, uint32_t param) {
  for (const struct ir_instr *i = made->code->first; i; i = i->next) {
    uint32_t operand = i->op == IR_OP_PARAM ? 0 : i->op == IR_OP_D_OUTER ? 2 : i->op == IR_OP_D_PARAM ? 1 : 2;
    if (i->op != IR_OP_PARAM && i->op != IR_OP_D_OUTER && i->op != IR_OP_D_PARAM && i->op != IR_OP_D_ROW)
      continue;
    if (operand < i->n_operands && made->code->params[param] == i->operands[operand])
      return true;
  }
  return false;
}

static void load_row(const struct stand_in *made, const struct kernel_args *args, int64_t r,
                     struct row *row) {
  const struct ir_block *code = made->code;
  uint32_t tensors = 0, indices = 0, numbers = 0, n = code->n_params;
  row->tensors = zeros(n, sizeof *row->tensors);
  row->gradients = zeros(n, sizeof *row->gradients);
  row->integers = zeros(n, sizeof *row->integers);
  row->numbers = zeros(n, sizeof *row->numbers);
  uint32_t saved = made->forward->n_outputs - made->forward->n_results;
  for (uint32_t p = 0; p < n; p++) {
    const struct ir_type *type = code->params[p]->type;
    if (type->kind == IR_FLOAT) {
      row->numbers[p] = args->numbers[numbers++][r];
    } else if (type->kind != IR_TENSOR) {
      row->integers[p] = args->indices[indices++][r];
      if (is_member(made, p))
        row->integers[p] = 0;
    } else {
      const void *source;
      uint64_t offset = (uint64_t)r * units(made, type);
      if (p < made->forward->n_params)
        source = at(made, args->values, args->rows[tensors++][r]);
      else if (p < made->forward->n_params + saved)
        source = at(made, args->outputs[p - made->forward->n_params], offset);
      else
        source = at(made, args->output_gradients[p - made->forward->n_params - saved], offset);
      row->tensors[p] = load(made, type, source);
      row->gradients[p] = zeros((size_t)reference_elements(type, made->dims), sizeof **row->gradients);
    }
  }
  row->outputs = zeros(code->n_outputs, sizeof *row->outputs);
  for (uint32_t o = 0; o < code->n_outputs; o++)
    row->outputs[o] = zeros((size_t)reference_elements(code->outputs[o]->type, made->dims),
                            sizeof **row->outputs);
  load_params(made, args, row);
  row->reference = (struct reference){.dims = made->dims,
                                      .tensors = (const double *const *)row->tensors,
                                      .integers = row->integers,
                                      .numbers = row->numbers,
                                      .params = (const double *const *)row->params,
                                      .dropout = made->dropout,
                                      .seed = args->seed,
                                      .epoch = args->epoch,
                                      .example = args->examples ? args->examples[r] : 0,
                                      .ordinal = args->ordinals ? args->ordinals[r] : 0,
                                      .outputs = row->outputs,
                                      .input_gradients = row->gradients,
                                      .param_gradients = row->param_gradients};
}

static void free_row(const struct stand_in *made, struct row *row) {
  for (uint32_t p = 0; p < made->code->n_params; p++)
    free(row->tensors[p]), free(row->gradients[p]);
  for (uint32_t o = 0; o < made->code->n_outputs; o++)
    free(row->outputs[o]);
  for (uint32_t p = 0; p < made->module->n_params; p++)
    free(row->params[p]), free(row->param_gradients[p]);
  free(row->tensors);
  free(row->gradients);
  free(row->outputs);
  free(row->params);
  free(row->param_gradients);
  free(row->integers);
  free(row->numbers);
}

static void store_adjoint(const struct stand_in *made, const struct kernel_args *args, int64_t r,
                          struct row *row) {
  uint32_t tensors = 0;
  for (uint32_t p = 0; p < made->forward->n_params; p++) {
    const struct ir_type *type = made->code->params[p]->type;
    if (type->kind != IR_TENSOR)
      continue;
    char *to = (char *)at(made, args->gradients, args->rows[tensors++][r]);
    store(made, to, row->gradients[p], reference_elements(type, made->dims), true);
  }
  for (uint32_t s = 0; s < made->kernel.n_sinks; s++) {
    const struct kernel_sink *sink = &made->kernel.sinks[s];
    int64_t n = made->kernel.sink_elements[sink->a.index];
    double *from = row->param_gradients[sink->param];
    if (sink->kind == KERNEL_SINK_ROW)
      from += n * row->integers[sink->index];
    char *to = (char *)args->sinks[sink->a.index];
    to += (size_t)r * nn_row_elements((size_t)n) * nn_element_bytes(made->element);
    store(made, to, from, n, false);
    memset(from, 0, (size_t)n * sizeof *from);  // taken
  }
}

static void run(const struct kernel_args *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const struct stand_in *made = (const struct stand_in *)args->kernel;
  for (int64_t r = begin; r < end; r++) {
    struct row row;
    load_row(made, args, r, &row);
    reference_run(made->module, made->code, &row.reference);
    for (uint32_t o = 0; !made->adjoint && o < made->kernel.n_outputs; o++) {
      const struct ir_type *type = made->code->outputs[o]->type;
      char *to = (char *)at(made, args->outputs[o], (uint64_t)r * units(made, type));
      store(made, to, row.outputs[o], reference_elements(type, made->dims), false);
    }
    if (made->adjoint)
      store_adjoint(made, args, r, &row);
    free_row(made, &row);
  }
}

static int64_t count_of(const struct ir_param *param, const int64_t *dims) {
  return reference_elements(param->type, dims) * (param->count ? reference_size(param->count, dims) : 1);
}

struct kernel *stand_in_compile(struct jit *jit, const struct ir_module *module, const struct ir_block *block,
                                enum kernel_variant variant, enum nn_element element,
                                const struct kernel_sizes *sizes, char **error) {
  (void)jit;
  (void)error;
  struct stand_in *made = zeros(1, sizeof *made);
  made->module = module;
  made->forward = block;
  made->adjoint = variant == KERNEL_ADJOINT || variant == KERNEL_ADJOINT_GRADIENT;
  made->code = made->adjoint ? block->adjoint : block;
  made->dims = sizes->dims;
  made->element = element;
  made->dropout = variant == KERNEL_TRAIN || variant == KERNEL_ADJOINT;
  made->param_elements = zeros(module->n_params, sizeof *made->param_elements);
  made->use = zeros(module->n_params, sizeof *made->use);
  memset(made->use, 0xff, module->n_params * sizeof *made->use);
  size_t n = 0;
  for (const struct ir_instr *i = made->code->first; i; i = i->next)
    n++;
  made->kernel.params = zeros(n, sizeof *made->kernel.params);
  made->kernel.sinks = zeros(n, sizeof *made->kernel.sinks);
  made->kernel.sink_elements = zeros(n, sizeof *made->kernel.sink_elements);
  for (uint32_t p = 0; p < module->n_params; p++)
    made->param_elements[p] = count_of(module->params[p], sizes->dims);
  for (const struct ir_instr *i = made->code->first; i; i = i->next) {
    if (i->op == IR_OP_PARAM)
      add_use(made, i);
    if (i->op == IR_OP_D_OUTER || i->op == IR_OP_D_PARAM || i->op == IR_OP_D_ROW)
      add_sink(made, i);
  }
  if (!made->adjoint)
    made->kernel.n_outputs = variant == KERNEL_INFER ? block->n_results : block->n_outputs;
  made->kernel.run = run;
  return &made->kernel;
}

void stand_in_free(struct kernel *kernel) {
  struct stand_in *made = (struct stand_in *)kernel;
  free(made->param_elements);
  free(made->use);
  free(kernel->params);
  free(kernel->sinks);
  free(kernel->sink_elements);
  free(made);
}

// Runs host functions of the IR one instruction at a time.
#include "tests/passes/interpret.h"

#include <assert.h>
#include <math.h>
#include <setjmp.h>
#include <string.h>

#include "compiler/base/arena.h"
#include "runtime/kernel/reference.h"
#include "tests/passes/interpret_text.h"

#define DEEPEST_CALL 400
#define MOST_BYTES ((size_t)32 << 20)

struct run {
  struct interpreter *in;
  size_t most_bytes;  // of the arena
  uint32_t n_draws;   // of host code, so far
  jmp_buf failed;
};

struct frame {
  struct run *run;
  const struct ir_function *function;
  struct slot *slots;  // [value id]
};

static void call(struct run *run, uint32_t depth, const struct ir_function *function, const struct slot *args,
                 struct slot *results);

static _Noreturn void stop(struct run *run, const char *why) {
  run->in->error = why;
  longjmp(run->failed, 1);
}

static void require(const struct frame *f, bool condition, const char *why) {
  if (!condition)
    stop(f->run, why);
}

// A limit of the interpreter's own.
static void afford(const struct frame *f, bool condition, const char *why) {
  f->run->in->exhausted = !condition;
  require(f, condition, why);
}

int64_t interpret_elements(const struct interpreter *in, const struct ir_type *type) {
  return reference_elements(type, in->dims);
}

static struct slot get(const struct frame *f, const struct ir_instr *instr, uint32_t operand) {
  return f->slots[instr->operands[operand]->id];
}

static void set(const struct frame *f, const struct ir_instr *instr, struct slot slot) {
  f->slots[instr->results[0]->id] = slot;
}

static void set_int(const struct frame *f, const struct ir_instr *instr, int64_t integer) {
  set(f, instr, (struct slot){.integer = integer});
}

static void set_number(const struct frame *f, const struct ir_instr *instr, double number) {
  set(f, instr, (struct slot){.number = number});
}

// ------------------------------------------------------------------------------------------------ blocks

// Run-time sizes of a block, by number - 1, as its arguments tell them.
static void find_sizes(struct run *run, const struct ir_block *block, const struct slot *args,
                       int64_t *sizes) {
  for (uint32_t i = 0; i < block->n_params; i++) {
    const struct ir_type *type = block->params[i]->type;
    if (type->kind == IR_LIST) {
      for (const struct ir_instr *instr = block->first; instr; instr = instr->next)
        if (instr->op == IR_OP_STACK && instr->operands[0] == block->params[i] &&
            size_is_runtime(instr->results[0]->type->shape.sizes[0]))
          sizes[size_as_atom(instr->results[0]->type->shape.sizes[0])->id - IR_RUNTIME_ID - 1] =
              args[i].list->n;
    } else if (ir_type_is_ragged(type)) {
      for (uint32_t k = 0; k < type->shape.rank; k++)
        if (size_is_runtime(type->shape.sizes[k]))
          size_evaluate_by_id(args[i].actual->shape.sizes[k], run->in->dims,
                              &sizes[size_as_atom(type->shape.sizes[k])->id - IR_RUNTIME_ID - 1]);
    }
  }
}

// Where the value of a run-time size stands: `?` of functions goes by the first.
static uint32_t size_number(const struct size *size) {
  uint32_t number = size_as_atom(size)->id - IR_RUNTIME_ID;
  return number ? number - 1 : 0;
}

// The type with the values of its run-time sizes.
static const struct ir_type *with_sizes(struct run *run, const struct ir_type *type, const int64_t *sizes) {
  struct arena *arena = run->in->arena;
  struct ir_type *actual = arena_new(arena, struct ir_type);
  *actual = *type;
  for (uint32_t k = 0; k < type->shape.rank; k++)
    if (size_is_runtime(type->shape.sizes[k]))
      actual->shape.sizes[k] = size_constant(arena, sizes[size_number(type->shape.sizes[k])]);
  return actual;
}

// The rows of a list, one behind the other.
static const double *stacked(struct run *run, const struct ir_type *list, const struct slot_list *rows) {
  int64_t n = interpret_elements(run->in, list->element);
  double *all = arena_new_array(run->in->arena, double, (size_t)n * rows->n + 1);
  for (uint32_t i = 0; i < rows->n; i++)
    memcpy(all + i * n, rows->slots[i].tensor, (size_t)n * sizeof *all);
  return all;
}

// An index into a tensor of run-time size is looked at when the block is emitted, the others before.
static void check_indices(struct run *run, const struct ir_block *block, const struct slot *args,
                          const int64_t *sizes) {
  for (const struct ir_instr *instr = block->first; instr; instr = instr->next) {
    if (!ir_op_infos[instr->op].takes_index)
      continue;
    const struct size *size = ir_indexed_size(instr);
    int64_t n;
    if (size_is_runtime(size))
      n = sizes[size_number(size)];
    else
      size_evaluate_by_id(size, run->in->dims, &n);
    if (ir_indexed_length(instr))
      n -= reference_size(ir_indexed_length(instr), run->in->dims) - 1;
    for (uint32_t i = 0; i < block->n_params; i++)
      if (instr->operands[ir_op_infos[instr->op].arity] == block->params[i] &&
          (args[i].integer < 0 || args[i].integer >= n))
        stop(run, "an index out of range");
  }
}

// `args` are given in the order of the block's parameters.
static void run_block(struct run *run, const struct ir_block *block, const struct slot *args,
                      struct slot *outputs) {
  struct arena *arena = run->in->arena;
  const double **tensors = arena_new_array(arena, const double *, block->n_params);
  int64_t *integers = arena_new_array(arena, int64_t, block->n_params);
  double *numbers = arena_new_array(arena, double, block->n_params);
  for (uint32_t i = 0; i < block->n_params; i++) {
    bool is_list = block->params[i]->type->kind == IR_LIST;
    tensors[i] = is_list ? stacked(run, block->params[i]->type, args[i].list) : args[i].tensor;
    integers[i] = args[i].integer;
    numbers[i] = args[i].number;
  }
  int64_t sizes[IR_MAX_RUNTIME] = {0};
  find_sizes(run, block, args, sizes);
  check_indices(run, block, args, sizes);
  double **rows = arena_new_array(arena, double *, block->n_outputs);
  for (uint32_t i = 0; i < block->n_outputs; i++) {
    const struct ir_type *actual = with_sizes(run, block->outputs[i]->type, sizes);
    rows[i] = arena_new_array(arena, double, (size_t)interpret_elements(run->in, actual));
    if (i < block->n_results)
      outputs[i] = (struct slot){.tensor = rows[i], .actual = actual};
  }
  struct reference reference = {.dims = run->in->dims,
                                .sizes = sizes,
                                .tensors = tensors,
                                .integers = integers,
                                .numbers = numbers,
                                .params = run->in->params,
                                .same_draws = true,
                                .outputs = rows};
  reference_run(run->in->module, block, &reference);
}

// A tensor operation in a host function is run as a block of its own.
static void run_op(const struct frame *f, const struct ir_instr *instr) {
  struct arena *arena = f->run->in->arena;
  uint32_t n = instr->n_operands;
  struct ir_value *params = arena_new_array(arena, struct ir_value, (size_t)n + 1);
  struct ir_value **operands = arena_new_array(arena, struct ir_value *, n);
  struct slot *args = arena_new_array(arena, struct slot, n);
  for (uint32_t i = 0; i < n; i++) {
    args[i] = get(f, instr, i);
    const struct ir_type *type = instr->operands[i]->type;
    params[i] = (struct ir_value){.id = i, .type = ir_type_is_ragged(type) ? args[i].actual : type};
    operands[i] = &params[i];
  }
  struct ir_instr copy = *instr;
  struct ir_value *result = &params[n];
  *result = (struct ir_value){.id = n, .type = instr->results[0]->type, .def = &copy};
  copy.operands = operands;
  if (instr->op == IR_OP_STACK) {
    require(f, args[0].list->n > 0, "a stack of an empty list");
    result->type = with_sizes(f->run, result->type, (int64_t[]){args[0].list->n});
  } else if (ir_type_is_ragged(result->type) && instr->op == IR_OP_BROADCAST) {
    struct ir_type *actual = arena_new(arena, struct ir_type);
    *actual = *result->type;
    for (uint32_t i = 0, k = 0; i < actual->shape.rank; i++)
      if (i + 1 != instr->axis)
        actual->shape.sizes[i] = operands[0]->type->shape.sizes[k++];
    result->type = actual;
  } else if (ir_type_is_ragged(result->type) && instr->op == IR_OP_RESHAPE) {
    // One size is known at run time; the other ones say how many elements go with each of its steps.
    int64_t step = interpret_elements(f->run->in, with_sizes(f->run, result->type, (int64_t[]){1}));
    int64_t all = interpret_elements(f->run->in, operands[0]->type);
    result->type = with_sizes(f->run, result->type, (int64_t[]){all / step});
  } else if (ir_type_is_ragged(result->type)) {
    result->type = ir_infer((struct ir_module *)(uintptr_t)f->run->in->module, &copy, NULL);
    require(f, result->type != NULL, "sizes that differ at run time");
  }
  copy.results = &result;
  copy.prev = copy.next = NULL;
  struct ir_block block = {.name = "op",
                           .n_params = n,
                           .params = operands,
                           .first = &copy,
                           .last = &copy,
                           .n_outputs = 1,
                           .outputs = &result,
                           .n_results = 1,
                           .n_values = n + 1};
  run_block(f->run, &block, args, &f->slots[instr->results[0]->id]);
}

static void run_emit(const struct frame *f, const struct ir_instr *instr) {
  struct arena *arena = f->run->in->arena;
  const struct ir_block *block = f->run->in->module->blocks[instr->symbol];
  struct slot *args = arena_new_array(arena, struct slot, instr->n_operands);
  struct slot *outputs = arena_new_array(arena, struct slot, instr->n_results);
  for (uint32_t i = 0; i < instr->n_operands; i++)
    args[i] = get(f, instr, i);
  run_block(f->run, block, args, outputs);
  for (uint32_t i = 0; i < instr->n_results; i++)
    f->slots[instr->results[i]->id] = outputs[i];
  f->run->in->n_emits++;
}

// ------------------------------------------------------------------------------------ sums and decisions

static void add_row(double *sum, const double *row, int64_t n, enum ir_op op, bool first) {
  for (int64_t i = 0; i < n; i++)
    sum[i] = first ? row[i] : op == IR_LIST_MAX ? fmax(sum[i], row[i]) : sum[i] + row[i];
}

static void run_list_reduction(const struct frame *f, const struct ir_instr *instr) {
  const struct slot_list *list = get(f, instr, 0).list;
  require(f, list->n > 0, "reduction of an empty list");
  if (instr->n_results == 0)
    return;
  bool runs = ir_type_is_ragged(instr->results[0]->type);
  const struct ir_type *actual = runs ? list->slots[0].actual : instr->results[0]->type;
  int64_t n = interpret_elements(f->run->in, actual);
  double *sum = arena_new_array(f->run->in->arena, double, (size_t)n);
  for (uint32_t k = 0; k < list->n; k++)
    add_row(sum, list->slots[k].tensor, n, instr->op, k == 0);
  for (int64_t i = 0; i < n && instr->op == IR_LIST_MEAN; i++)
    sum[i] /= list->n;
  set(f, instr, (struct slot){.tensor = sum, .actual = actual});
}

static void run_list_tensor(const struct frame *f, const struct ir_instr *instr) {
  const struct slot_list *list = get(f, instr, 0).list;
  bool runs = size_is_runtime(instr->length);
  require(f, runs ? list->n > 0 : list->n == reference_size(instr->length, f->run->in->dims),
          "a list of the wrong length");
  if (instr->n_results == 0)
    return;
  const struct ir_type *actual = with_sizes(f->run, instr->results[0]->type, (int64_t[]){list->n});
  int64_t n = interpret_elements(f->run->in, actual);
  double *row = arena_new_array(f->run->in->arena, double, (size_t)n + 1);
  for (uint32_t k = 0; k < list->n; k++) {
    if (instr->op == IR_LIST_VECTOR)
      row[k] = list->slots[k].number;
    else
      memcpy(row + n / list->n * k, list->slots[k].tensor, (size_t)(n / list->n) * sizeof *row);
  }
  set(f, instr, (struct slot){.tensor = row, .actual = actual});
}

static void add_terms(double *sum, const struct slot_sum *terms, int64_t n) {
  if (terms->term) {
    add_row(sum, terms->term, n, IR_ACC_SUM, false);
    return;
  }
  add_terms(sum, terms->left, n);
  add_terms(sum, terms->right, n);
}

static void run_sum(const struct frame *f, const struct ir_instr *instr) {
  struct arena *arena = f->run->in->arena;
  struct slot_sum *sum = arena_new(arena, struct slot_sum);
  if (instr->op == IR_ACC_SUM) {
    int64_t n = interpret_elements(f->run->in, instr->results[0]->type);
    double *row = arena_new_array(arena, double, (size_t)n);
    add_terms(row, get(f, instr, 0).sum, n);
    set(f, instr, (struct slot){.tensor = row});
    return;
  }
  if (instr->op == IR_ACC_OF)
    sum->term = get(f, instr, 0).tensor;
  else
    *sum = (struct slot_sum){NULL, get(f, instr, 0).sum, get(f, instr, 1).sum};
  set(f, instr, (struct slot){.sum = sum});
}

// ---------------------------------------------------------------------------------------- lists and data

static struct slot_list *list_new(const struct frame *f, uint32_t n, uint32_t width) {
  struct slot_list *list = arena_new(f->run->in->arena, struct slot_list);
  *list = (struct slot_list){n, width, arena_new_array(f->run->in->arena, struct slot, (size_t)n * width)};
  return list;
}

static void copy_elements(struct slot_list *to, uint32_t at, const struct slot_list *from, uint32_t first,
                          uint32_t n) {
  if (n)
    memcpy(&to->slots[(size_t)at * to->width], &from->slots[(size_t)first * from->width],
           (size_t)n * to->width * sizeof *to->slots);
}

static void put_element(const struct frame *f, struct slot_list *list, uint32_t at,
                        const struct ir_instr *instr, uint32_t first_operand) {
  for (uint32_t i = 0; i < list->width; i++)
    list->slots[(size_t)at * list->width + i] = get(f, instr, first_operand + i);
}

static struct slot_list *zip(const struct frame *f, const struct slot_list *a, const struct slot_list *b) {
  require(f, a->n == b->n, "lists of different lengths");
  struct slot_list *made = list_new(f, a->n, a->width + b->width);
  for (uint32_t k = 0; k < a->n; k++) {
    memcpy(&made->slots[(size_t)k * made->width], &a->slots[(size_t)k * a->width],
           a->width * sizeof *a->slots);
    memcpy(&made->slots[(size_t)k * made->width + a->width], &b->slots[(size_t)k * b->width],
           b->width * sizeof *b->slots);
  }
  return made;
}

static struct slot_list *make_list(const struct frame *f, const struct ir_instr *instr) {
  uint32_t width = ir_type_width(instr->results[0]->type->element);
  if (instr->op == IR_LIST_NEW) {
    struct slot_list *made = list_new(f, (uint32_t)instr->integer, width);
    for (uint32_t k = 0; k < made->n; k++)
      put_element(f, made, k, instr, k * width);
    return made;
  }
  const struct slot_list *a = get(f, instr, 0).list;
  struct slot_list *made = NULL;
  switch (instr->op) {
  case IR_LIST_PUSH:
    made = list_new(f, a->n + 1, width);
    copy_elements(made, 0, a, 0, a->n);
    put_element(f, made, a->n, instr, 1);
    return made;
  case IR_LIST_SET: {
    int64_t at = get(f, instr, 1).integer;
    require(f, at >= 0 && at < a->n, "subscript out of range");
    made = list_new(f, a->n, width);
    copy_elements(made, 0, a, 0, a->n);
    put_element(f, made, (uint32_t)at, instr, 2);
    return made;
  }
  case IR_LIST_POP:
    require(f, a->n > 0, "pop of an empty list");
    made = list_new(f, a->n - 1, width);
    copy_elements(made, 0, a, 0, a->n - 1);
    return made;
  case IR_LIST_SLICE: {
    int64_t from = get(f, instr, 1).integer, to = get(f, instr, 2).integer;
    require(f, from >= 0 && from <= to && to <= a->n, "slice out of range");
    made = list_new(f, (uint32_t)(to - from), width);
    copy_elements(made, 0, a, (uint32_t)from, made->n);
    return made;
  }
  case IR_LIST_REVERSE:
    made = list_new(f, a->n, width);
    for (uint32_t k = 0; k < a->n; k++)
      copy_elements(made, k, a, a->n - 1 - k, 1);
    return made;
  case IR_LIST_CONCAT: {
    const struct slot_list *b = get(f, instr, 1).list;
    made = list_new(f, a->n + b->n, width);
    copy_elements(made, 0, a, 0, a->n);
    copy_elements(made, a->n, b, 0, b->n);
    return made;
  }
  case IR_LIST_SPREAD: {
    int64_t n = get(f, instr, 1).integer;
    if (n < 0 || a->n == n)
      n = a->n;
    else
      require(f, a->n == 1, "batches do not go together");
    made = list_new(f, (uint32_t)n, width);
    for (uint32_t k = 0; k < made->n; k++)
      copy_elements(made, k, a, a->n == 1 ? 0 : k, 1);
    return made;
  }
  case IR_LIST_ZIP: return zip(f, a, get(f, instr, 1).list);
  default: assert(!"a list operation"); return NULL;
  }
}

static void run_read_list(const struct frame *f, const struct ir_instr *instr) {
  struct slot tensor = get(f, instr, 0);
  const struct ir_type *type = instr->operands[0]->type;
  int64_t n = interpret_elements(f->run->in, ir_type_is_ragged(type) ? tensor.actual : type);
  struct slot_list *list = list_new(f, (uint32_t)n, 1);
  for (int64_t i = 0; i < n; i++) {
    if (instr->op == IR_READ_VALUES)
      list->slots[i].number = tensor.tensor[i];
    else
      list->slots[i].integer = (int64_t)tensor.tensor[i];
  }
  set(f, instr, (struct slot){.list = list});
}

// Whether element a comes before element b; of equals the first.
static bool comes_before(const struct slot_list *list, bool largest, int64_t a, int64_t b) {
  double x = list->slots[a].number, y = list->slots[b].number;
  if (isnan(x) || isnan(y))
    return isnan(x) && (!isnan(y) || a < b);
  return x == y ? a < b : largest ? x > y : x < y;
}

// How many come before it is the place of each.
static void run_list_order(const struct frame *f, const struct ir_instr *instr) {
  const struct slot_list *list = get(f, instr, 0).list;
  int64_t k = get(f, instr, 1).integer;
  require(f, k >= 0 && k <= list->n, "order of too few elements");
  struct slot_list *made = list_new(f, (uint32_t)k, 1);
  for (int64_t i = 0; i < list->n; i++) {
    int64_t before = 0;
    for (int64_t other = 0; other < list->n; other++)
      before += comes_before(list, instr->integer != 0, other, i);
    if (before < k)
      made->slots[before].integer = i;
  }
  set(f, instr, (struct slot){.list = made});
}

// Any function of how many draws there were: what is compared are runs of the same program.
static double next_draw(const struct frame *f) {
  return (double)(++f->run->n_draws * 2654435761u >> 8) * 0x1p-24;
}

static int64_t sample(const struct frame *f, const double *weights, uint32_t n) {
  double sum = 0, below = 0, target;
  int64_t last = -1;
  for (uint32_t i = 0; i < n; i++) {
    require(f, weights[i] >= 0 && weights[i] < INFINITY, "a weight");
    sum += weights[i];
  }
  require(f, sum > 0, "nothing to draw");
  target = next_draw(f) * sum;
  for (uint32_t i = 0; i < n && (last < 0 || below <= target); i++) {
    below += weights[i];
    last = weights[i] > 0 ? (int64_t)i : last;
  }
  return last;
}

// Without replacement one after the other.
static void run_sample(const struct frame *f, const struct ir_instr *instr) {
  const struct slot_list *list = get(f, instr, 0).list;
  double *weights = arena_new_array(f->run->in->arena, double, list->n + 1);
  for (uint32_t i = 0; i < list->n; i++)
    weights[i] = list->slots[i].number;
  if (instr->op == IR_LIST_SAMPLE) {
    set_int(f, instr, sample(f, weights, list->n));
    return;
  }
  int64_t n = get(f, instr, 1).integer;
  require(f, n >= 0 && n <= list->n, "a sample of too few elements");
  struct slot_list *made = list_new(f, (uint32_t)n, 1);
  for (int64_t i = 0; i < n; i++) {
    made->slots[i].integer = sample(f, weights, list->n);
    weights[made->slots[i].integer] = 0;
  }
  set(f, instr, (struct slot){.list = made});
}

static void run_list_argmax(const struct frame *f, const struct ir_instr *instr) {
  const struct slot_list *list = get(f, instr, 0).list;
  int64_t columns = get(f, instr, 1).integer, rows = list->n / columns;
  struct slot_list *made = list_new(f, (uint32_t)(instr->integer ? columns : rows), 1);
  for (int64_t k = 0; k < list->n; k++) {
    int64_t line = instr->integer ? k % columns : k / columns,
            at = instr->integer ? k / columns : k % columns;
    int64_t best = instr->integer ? made->slots[line].integer * columns + line
                                  : line * columns + made->slots[line].integer;
    if (at == 0 || comes_before(list, true, k, best))
      made->slots[line].integer = at;
  }
  set(f, instr, (struct slot){.list = made});
}

static void run_list_get(const struct frame *f, const struct ir_instr *instr) {
  const struct slot_list *list = get(f, instr, 0).list;
  int64_t at = get(f, instr, 1).integer;
  require(f, at >= 0 && at < list->n, "subscript out of range");
  for (uint32_t r = 0; r < instr->n_results; r++)
    f->slots[instr->results[r]->id] = list->slots[(size_t)at * list->width + r];
}

static void run_data(const struct frame *f, const struct ir_instr *instr) {
  if (instr->op == IR_DATA_NEW) {
    struct slot_data *made = arena_new(f->run->in->arena, struct slot_data);
    made->constructor = instr->constructor;
    made->slots = arena_new_array(f->run->in->arena, struct slot, instr->n_operands);
    for (uint32_t i = 0; i < instr->n_operands; i++)
      made->slots[i] = get(f, instr, i);
    set(f, instr, (struct slot){.data = made});
    return;
  }
  const struct slot_data *data = get(f, instr, 0).data;
  if (instr->op == IR_DATA_TAG) {
    set_int(f, instr, data->constructor);
    return;
  }
  set(f, instr, data->slots[instr->integer]);
}

// ----------------------------------------------------------------------------------------------- numbers

static void run_int(const struct frame *f, const struct ir_instr *instr) {
  uint64_t a = (uint64_t)get(f, instr, 0).integer;
  uint64_t b = instr->n_operands > 1 ? (uint64_t)get(f, instr, 1).integer : 0;
  int64_t x = (int64_t)a, y = (int64_t)b;
  switch (instr->op) {
  case IR_IADD: set_int(f, instr, (int64_t)(a + b)); return;
  case IR_ISUB: set_int(f, instr, (int64_t)(a - b)); return;
  case IR_IMUL: set_int(f, instr, (int64_t)(a * b)); return;
  case IR_INEG: set_int(f, instr, (int64_t)(0 - a)); return;
  case IR_IDIV:
  case IR_IMOD:
    require(f, y != 0, "division by zero");
    set_int(f, instr,
            y == -1                ? (instr->op == IR_IDIV ? (int64_t)(0 - a) : 0)
            : instr->op == IR_IDIV ? x / y
                                   : x % y);
    return;
  case IR_IEQ: set_int(f, instr, x == y); return;
  case IR_INE: set_int(f, instr, x != y); return;
  case IR_ILT: set_int(f, instr, x < y); return;
  case IR_ILE: set_int(f, instr, x <= y); return;
  case IR_BATCH_LEN: set_int(f, instr, x == 1 ? y : x); return;
  case IR_NOT: set_int(f, instr, !x); return;
  case IR_INDEX_TO_INT: set_int(f, instr, x); return;
  case IR_INT_TO_INDEX:
    require(f, x >= 0 && x < f->run->in->dims[instr->results[0]->type->dim], "index out of range");
    set_int(f, instr, x);
    return;
  case IR_CHECK_RANGE:
    require(f, x >= 0 && x < y, "subscript out of range");
    set_int(f, instr, x);
    return;
  case IR_REQUIRE: require(f, x, instr->text); return;
  case IR_INT_TO_FLOAT: set_number(f, instr, (double)x); return;
  default: assert(!"an operation on integers");
  }
}

static void run_float(const struct frame *f, const struct ir_instr *instr) {
  double a = get(f, instr, 0).number, b = instr->n_operands > 1 ? get(f, instr, 1).number : 0;
  switch (instr->op) {
  case IR_FADD: set_number(f, instr, a + b); return;
  case IR_FSUB: set_number(f, instr, a - b); return;
  case IR_FMUL: set_number(f, instr, a * b); return;
  case IR_FDIV: set_number(f, instr, a / b); return;
  case IR_FNEG: set_number(f, instr, -a); return;
#define CALL_1(f, a, b) f(a)
#define CALL_2(f, a, b) f(a, b)
#define HOST(ENUM, name, fails, attributes, doc)
#define HOST_MATH(ENUM, name, operands, user, c_name, doc)                                                   \
  case IR_##ENUM:                                                                                            \
    set_number(f, instr, CALL_##operands(c_name, a, b));                                                     \
    return;
#include "compiler/ir/hostops.def"
#undef HOST
#undef HOST_MATH
  case IR_FEQ: set_int(f, instr, a == b); return;
  case IR_FNE: set_int(f, instr, a != b); return;
  case IR_FLT: set_int(f, instr, a < b); return;
  case IR_FLE: set_int(f, instr, a <= b); return;
  case IR_FLOAT_TO_INT:
    require(f, fabs(a) < 9e18, "not an int");
    set_int(f, instr, (int64_t)a);
    return;
  default: assert(!"an operation on floats");
  }
}

static void run_text(const struct frame *f, const struct ir_instr *instr) {
  struct slot operands[3], result;
  memset(operands, 0, sizeof operands);
  memset(&result, 0, sizeof result);
  for (uint32_t i = 0; i < instr->n_operands; i++)
    operands[i] = get(f, instr, i);
  require(f, interpret_text(f->run->in, instr, operands, &result), "a text is wrong");
  set(f, instr, result);
}

// ------------------------------------------------------------------------------------------ instructions

static void run_call(const struct frame *f, uint32_t depth, const struct ir_instr *instr) {
  struct arena *arena = f->run->in->arena;
  struct slot *args = arena_new_array(arena, struct slot, instr->n_operands);
  struct slot *results = arena_new_array(arena, struct slot, instr->n_results);
  for (uint32_t i = 0; i < instr->n_operands; i++)
    args[i] = get(f, instr, i);
  call(f->run, depth + 1, f->run->in->module->functions[instr->symbol], args, results);
  for (uint32_t i = 0; i < instr->n_results; i++)
    f->slots[instr->results[i]->id] = results[i];
}

static void run_instr(const struct frame *f, uint32_t depth, const struct ir_instr *instr) {
  if (ir_is_tensor_op(instr->op)) {
    run_op(f, instr);
    return;
  }
  switch (instr->op) {
  case IR_CONST_INT:
  case IR_CONST_BOOL:
  case IR_CONST_INDEX: set_int(f, instr, instr->integer); return;
  case IR_CONST_FLOAT: set_number(f, instr, instr->number); return;
  case IR_SIZE: set_int(f, instr, reference_size(instr->size, f->run->in->dims)); return;
  case IR_DATA_NEW:
  case IR_DATA_TAG:
  case IR_DATA_GET: run_data(f, instr); return;
  case IR_LIST_LEN: set_int(f, instr, get(f, instr, 0).list->n); return;
  case IR_LIST_GET: run_list_get(f, instr); return;
  case IR_PRINT: return;
  case IR_CONST_TEXT:
  case IR_TEXT_LEN:
  case IR_TEXT_GET:
  case IR_TEXT_SLICE:
  case IR_TEXT_CONCAT:
  case IR_TEXT_JOIN:
  case IR_TEXT_SPLIT:
  case IR_TEXT_FIND:
  case IR_TEXT_COMPARE:
  case IR_TEXT_EQ:
  case IR_TEXT_MAP:
  case IR_TEXT_OF:
  case IR_TEXT_TO: run_text(f, instr); return;
  case IR_CALL: run_call(f, depth, instr); return;
  case IR_EMIT: run_emit(f, instr); return;
  case IR_LIST_SUM:
  case IR_LIST_MEAN:
  case IR_LIST_MAX: run_list_reduction(f, instr); return;
  case IR_LIST_VECTOR:
  case IR_LIST_STACK: run_list_tensor(f, instr); return;
  case IR_ACC_OF:
  case IR_ACC_ADD:
  case IR_ACC_SUM: run_sum(f, instr); return;
  case IR_READ_INDEX: set_int(f, instr, (int64_t)get(f, instr, 0).tensor[0]); return;
  case IR_READ_VALUE: set_number(f, instr, get(f, instr, 0).tensor[0]); return;
  case IR_READ_INDICES:
  case IR_READ_VALUES: run_read_list(f, instr); return;
  case IR_LIST_ORDER: run_list_order(f, instr); return;
  case IR_LIST_ARGMAX: run_list_argmax(f, instr); return;
  case IR_RANDOM: set_number(f, instr, next_draw(f)); return;
  case IR_LIST_SAMPLE:
  case IR_LIST_SAMPLES: run_sample(f, instr); return;
  default: break;
  }
  if (instr->op >= IR_LIST_NEW && instr->op <= IR_LIST_SPREAD)
    set(f, instr, (struct slot){.list = make_list(f, instr)});
  else if (instr->operands[0]->type->kind == IR_FLOAT)
    run_float(f, instr);
  else
    run_int(f, instr);
}

static const struct ir_target *choose(const struct frame *f, const struct ir_instr *end) {
  if (end->op == IR_BR)
    return &end->targets[0];
  int64_t value = get(f, end, 0).integer;
  if (end->op == IR_BRIF)
    return &end->targets[value ? 0 : 1];
  uint32_t last = end->n_targets - 1;
  return &end->targets[value >= 0 && value < last ? (uint32_t)value : last];
}

static const struct ir_bb *follow(const struct frame *f, const struct ir_target *target) {
  // All arguments are read before any parameter is written.
  struct slot *args = arena_new_array(f->run->in->arena, struct slot, target->n_args);
  for (uint32_t i = 0; i < target->n_args; i++)
    args[i] = f->slots[target->args[i]->id];
  for (uint32_t i = 0; i < target->n_args; i++)
    f->slots[target->bb->params[i]->id] = args[i];
  return target->bb;
}

static void call(struct run *run, uint32_t depth, const struct ir_function *function, const struct slot *args,
                 struct slot *results) {
  struct frame frame = {run, function, arena_new_array(run->in->arena, struct slot, function->n_values)};
  afford(&frame, depth < DEEPEST_CALL, "recursion too deep");
  for (uint32_t i = 0; i < function->n_params; i++)
    frame.slots[function->params[i]->id] = args[i];
  const struct ir_instr *instr = function->entry->first;
  while (instr->op != IR_RETURN) {
    afford(&frame, run->in->steps_left-- > 0, "too many steps");
    afford(&frame, run->in->arena->total_bytes < run->most_bytes, "too much memory");
    if (ir_is_terminator(instr->op)) {
      instr = follow(&frame, choose(&frame, instr))->first;
    } else {
      run_instr(&frame, depth, instr);
      instr = instr->next;
    }
  }
  for (uint32_t i = 0; i < instr->n_operands; i++)
    results[i] = get(&frame, instr, i);
}

bool interpret(struct interpreter *in, uint32_t function, const struct slot *args, struct slot *results) {
  struct run run = {.in = in,
                    .most_bytes = in->arena->total_bytes + (in->most_bytes ? in->most_bytes : MOST_BYTES)};
  in->error = NULL;
  if (setjmp(run.failed) != 0)
    return false;
  call(&run, 0, in->module->functions[function], args, results);
  return true;
}

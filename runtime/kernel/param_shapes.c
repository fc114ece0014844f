// Parameters' names, sizes and first values.
#include "runtime/kernel/param_shapes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "compiler/base/arena.h"
#include "runtime/base/status.h"
#include "runtime/kernel/random.h"

// Larger models than this do not fit a row number into 32 bits, or overflow a size somewhere.
#define MAX_ELEMENTS ((int64_t)1 << 40)

// ------------------------------------------------------------------------------------------------- shapes

struct written_size {
  struct arena texts;
  const struct size *size;
  const char *text;
};

static void write_size(void *context) {
  struct written_size *written = context;
  written->text = size_text(&written->texts, written->size);
}

static nn_status *evaluate(const char *name, const struct size *size, const int64_t *dims, int64_t *value) {
  bool known = size_evaluate_by_id(size, dims, value);
  if (known && *value > 0 && *value <= MAX_ELEMENTS)
    return NULL;
  struct written_size written = {.size = size};
  arena_init(&written.texts);
  nn_status *status;
  if (!arena_attempt(&written.texts, write_size, &written))
    status = status_no_memory();
  else if (known && *value <= 0)
    status = status_new(NN_INVALID, "parameter `%s`: its size %s is %lld, but must be positive", name,
                        written.text, (long long)*value);
  else
    status = status_new(NN_INVALID, "parameter `%s`: its size %s is too large", name, written.text);
  arena_free(&written.texts);
  return status;
}

// "stack.*.W" and member (i, j, ...) to "stack.0.W".
static char *member_name(const struct ir_param *source, const int64_t *lists, uint64_t member) {
  uint64_t position[IR_MAX_RANK] = {0};
  for (uint32_t i = source->n_lists; i-- > 0; member /= (uint64_t)lists[i])
    position[i] = member % (uint64_t)lists[i];
  size_t size = strlen(source->name) + source->n_lists * 20 + 1;
  char *name = malloc(size), *to = name;
  if (!name)
    return NULL;
  uint32_t list = 0;
  for (const char *from = source->name; *from; from++) {
    if (*from == '*' && list < source->n_lists)
      to += sprintf(to, "%llu", (unsigned long long)position[list++]);
    else
      *to++ = *from;
  }
  *to = '\0';
  return name;
}

static nn_status *add_members(struct param_shapes *shapes, uint32_t number, const int64_t *lists) {
  struct param_shape *shape = &shapes->list[number];
  size_t n = (size_t)shapes->n_members + shape->n_members;
  char **names = realloc(shapes->names, n * sizeof *names);
  if (names)
    shapes->names = names;
  uint32_t *families = realloc(shapes->families, n * sizeof *families);
  if (families)
    shapes->families = families;
  if (!names || !families)
    return status_no_memory();
  shape->first = shapes->n_members;
  for (uint32_t m = 0; m < shape->n_members; m++) {
    char *name = member_name(shapes->module->params[number], lists, m);
    if (!name)
      return status_no_memory();
    families[shapes->n_members] = number;
    names[shapes->n_members++] = name;
  }
  return NULL;
}

static nn_status *too_many(const char *name, const int64_t *factors, uint32_t n) {
  char sizes[32 * (IR_MAX_RANK + 1)] = "";
  for (size_t i = 0, at = 0; i < n; i++)
    at += (size_t)snprintf(sizes + at, sizeof sizes - at, "%s%" PRId64, i ? " x " : "", factors[i]);
  return status_new(NN_INVALID,
                    "parameter `%s` is too large: with its %s elements there are more than %" PRId64, name,
                    sizes, MAX_ELEMENTS);
}

static nn_status *add_family(struct param_shapes *shapes, uint32_t number, const int64_t *dims) {
  const struct ir_param *source = shapes->module->params[number];
  const struct ir_type *type = source->type;
  struct param_shape *shape = &shapes->list[number];
  int64_t elements = 1, lists[IR_MAX_RANK] = {0}, count = 1;
  shape->rank = type->shape.rank;
  for (uint32_t i = 0; i < shape->rank; i++) {
    STATUS_TRY(evaluate(source->name, type->shape.sizes[i], dims, &shape->sizes[i]));
    if (__builtin_mul_overflow(elements, shape->sizes[i], &elements) || elements > MAX_ELEMENTS)
      return too_many(source->name, shape->sizes, i + 1);
  }
  shape->elements = (size_t)elements;
  shape->rows = shape->rank >= 2 ? shape->sizes[0] : 1;
  shape->columns = elements / shape->rows;
  if (shape->rows > UINT32_MAX)
    return status_new(NN_INVALID, "parameter `%s` has too many rows", source->name);
  if (source->count) {
    STATUS_TRY(evaluate(source->name, source->count, dims, &count));
    for (uint32_t i = 0; i < source->n_lists; i++)
      STATUS_TRY(evaluate(source->name, source->lists[i], dims, &lists[i]));
  }
  if (count > UINT16_MAX)
    return status_new(NN_INVALID, "parameter `%s` has %" PRId64 " members: there may be %d", source->name,
                      count, UINT16_MAX);
  if ((int64_t)shapes->n_elements + elements * count > MAX_ELEMENTS) {
    int64_t factors[IR_MAX_RANK + 1] = {count};
    memcpy(factors + 1, shape->sizes, shape->rank * sizeof *factors);
    bool single = count == 1 && shape->rank > 0;
    return too_many(source->name, factors + single, shape->rank + !single);
  }
  shape->n_members = (uint32_t)count;
  shapes->n_elements += shape->elements * (uint64_t)count;
  return add_members(shapes, number, lists);
}

// What adjoint blocks reach by rows alone.
static nn_status *find_sparse(struct param_shapes *shapes) {
  bool *by_row = calloc((size_t)shapes->n * 2 + 1, sizeof *by_row), *whole = by_row + shapes->n;
  if (!by_row)
    return status_no_memory();
  for (uint32_t b = 0; b < shapes->module->n_blocks; b++) {
    const struct ir_block *adjoint = shapes->module->blocks[b]->adjoint;
    for (const struct ir_instr *instr = adjoint ? adjoint->first : NULL; instr; instr = instr->next) {
      if (instr->op == IR_OP_D_ROW)
        by_row[instr->symbol] = true;
      if (instr->op == IR_OP_D_OUTER || instr->op == IR_OP_D_PARAM)
        whole[instr->symbol] = true;
    }
  }
  for (uint32_t i = 0; i < shapes->n; i++)
    shapes->list[i].sparse = shapes->list[i].rank >= 2 && by_row[i] && !whole[i];
  free(by_row);
  return NULL;
}

nn_status *param_shapes_init(struct param_shapes *shapes, const struct ir_module *module,
                             const int64_t *dims) {
  *shapes = (struct param_shapes){.module = module, .n = module->n_params};
  shapes->list = calloc((size_t)module->n_params + 1, sizeof *shapes->list);
  if (!shapes->list)
    return status_no_memory();
  for (uint32_t i = 0; i < module->n_params; i++)
    STATUS_TRY(add_family(shapes, i, dims));
  return find_sparse(shapes);
}

void param_shapes_free(struct param_shapes *shapes) {
  for (uint32_t m = 0; m < shapes->n_members; m++)
    free(shapes->names[m]);
  free(shapes->names);
  free(shapes->families);
  free(shapes->list);
}

// ------------------------------------------------------------------------------------------- first values

// Glorot & Bengio 2010: uniform within sqrt(6 / (inputs + outputs)). A vector is a matrix of one column.
static double glorot_bound(const struct param_shape *shape) {
  double rows = shape->rank >= 1 ? (double)shape->sizes[0] : 1;
  double columns = shape->rank >= 1 ? (double)shape->elements / rows : 1;
  return sqrt(6 / (rows + columns));
}

static void draw(uint64_t key, bool normal, double factor, size_t begin, size_t n, double *to) {
  for (size_t block = begin / 4, end = begin + n; block * 4 < end; block++) {
    double draws[4];
    if (normal)
      random_normal4(key, block, draws);
    else
      random_uniform4(key, block, draws);
    for (size_t i = block * 4; i < block * 4 + 4 && i < end; i++)
      if (i >= begin)
        to[i - begin] = factor * draws[i % 4];
  }
}

void param_shapes_draw(const struct param_shapes *shapes, uint64_t seed, uint32_t member, size_t first,
                       size_t n, double *to) {
  const struct param_shape *shape = param_shapes_of(shapes, member);
  const struct ir_param *source = shapes->module->params[shapes->families[member]];
  const char *name = shapes->names[member];
  uint64_t key = XXH64(name, strlen(name), seed);
  size_t columns = (size_t)shape->columns;
  switch (source->init) {
  case IR_INIT_GLOROT: draw(key, false, glorot_bound(shape), first, n, to); return;
  case IR_INIT_NORMAL: draw(key, true, source->init_argument, first, n, to); return;
  case IR_INIT_UNIFORM: draw(key, false, source->init_argument, first, n, to); return;
  case IR_INIT_CONSTANT:
  case IR_INIT_ZEROS:
  case IR_INIT_ONES: {
    double value = source->init == IR_INIT_CONSTANT ? source->init_argument : source->init == IR_INIT_ONES;
    for (size_t i = 0; i < n; i++)
      to[i] = value;
    return;
  }
  case IR_INIT_IDENTITY:
    for (size_t i = first; i < first + n; i++)
      to[i - first] = i / columns == i % columns ? 1 : 0;
    return;
  }
}

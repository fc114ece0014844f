// Parameters: memory, initial values, packed copies, gradients.
#include "runtime/cpu/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

#include "compiler/base/arena.h"
#include "runtime/base/status.h"
#include "runtime/base/threads.h"
#include "runtime/cpu/idle.h"
#include "runtime/cpu/loops.h"
#include "runtime/cpu/settle.h"
#include "runtime/kernel/random.h"

enum { ALIGNMENT = 64 };

// Larger models than this do not fit a row number into 32 bits, or overflow a size somewhere.
#define MAX_ELEMENTS ((int64_t)1 << 40)

static void *allocate(size_t bytes) {
  bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
}

// -------------------------------------------------------------------------------------------------- life

struct dims_lookup {
  const int64_t *dims;
};

static int64_t dim_value(void *context, const struct size_atom *atom) {
  return ((const struct dims_lookup *)context)->dims[atom->id];
}

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
  struct dims_lookup lookup = {dims};
  bool known = size_evaluate(size, dim_value, &lookup, value);
  if (known && *value > 0 && *value <= MAX_ELEMENTS)
    return NULL;
  struct written_size written = {.size = size};
  arena_init(&written.texts);
  nn_status *status;
  if (!arena_attempt(&written.texts, write_size, &written))
    status = status_no_memory();
  else if (known && *value <= 0)
    status = status_new(NN_INVALID, "parameter '%s': its size %s is %lld, but must be positive", name,
                        written.text, (long long)*value);
  else
    status = status_new(NN_INVALID, "parameter '%s': its size %s is too large", name, written.text);
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

static nn_status *init_param(struct params *params, const struct ir_param *source, const int64_t *dims,
                             struct param *param) {
  const struct ir_type *type = source->type;
  int64_t elements = 1, lists[IR_MAX_RANK] = {0}, count = 1;
  param->rank = type->shape.rank;
  for (uint32_t i = 0; i < param->rank; i++) {
    STATUS_TRY(evaluate(source->name, type->shape.sizes[i], dims, &param->sizes[i]));
    if (__builtin_mul_overflow(elements, param->sizes[i], &elements) || elements > MAX_ELEMENTS)
      return status_new(NN_INVALID, "parameter '%s' is too large", source->name);
  }
  param->elements = (size_t)elements;
  param->rows = param->rank >= 2 ? param->sizes[0] : 1;
  param->columns = elements / param->rows;
  param->bytes = (nn_row_elements(param->elements) + NN_LANES) * nn_element_bytes(params->element);
  if (param->rows > UINT32_MAX)
    return status_new(NN_INVALID, "parameter '%s' has too many rows", source->name);
  if (source->count) {
    STATUS_TRY(evaluate(source->name, source->count, dims, &count));
    for (uint32_t i = 0; i < source->n_lists; i++)
      STATUS_TRY(evaluate(source->name, source->lists[i], dims, &lists[i]));
  }
  if (count > UINT16_MAX || (int64_t)params->n_elements + elements * count > MAX_ELEMENTS)
    return status_new(NN_INVALID, "parameter '%s' is too large", source->name);
  param->members = calloc((size_t)count, sizeof *param->members);
  if (!param->members)
    return status_no_memory();
  param->n_members = (uint32_t)count;
  for (uint32_t m = 0; m < param->n_members; m++) {
    struct param_member *member = &param->members[m];
    member->name = member_name(source, lists, m);
    member->values = allocate(param->bytes);
    member->version = 1;
    if (!member->name || !member->values)
      return status_no_memory();
    size_t used = param->elements * nn_element_bytes(params->element);
    memset(member->values + used, 0, param->bytes - used);
  }
  params->n_members += param->n_members;
  params->n_elements += param->elements * (uint64_t)count;
  return NULL;
}

// What adjoint blocks reach by rows alone.
static void find_sparse(struct params *params) {
  for (uint32_t i = 0; i < params->n; i++)
    params->list[i].sparse = false;
  bool *by_row = calloc((size_t)params->n * 2 + 1, sizeof *by_row), *whole = by_row + params->n;
  if (!by_row)
    return;  // all dense: slower, but right
  for (uint32_t b = 0; b < params->module->n_blocks; b++) {
    const struct ir_block *adjoint = params->module->blocks[b]->adjoint;
    for (const struct ir_instr *instr = adjoint ? adjoint->first : NULL; instr; instr = instr->next) {
      if (instr->op == IR_OP_D_ROW)
        by_row[instr->symbol] = true;
      if (instr->op == IR_OP_D_OUTER || instr->op == IR_OP_D_PARAM)
        whole[instr->symbol] = true;
    }
  }
  for (uint32_t i = 0; i < params->n; i++)
    params->list[i].sparse = params->list[i].rank >= 2 && by_row[i] && !whole[i];
  free(by_row);
}

nn_status *params_init(struct params *params, const struct ir_module *module, enum nn_element element,
                       const int64_t *dims, uint64_t seed) {
  *params = (struct params){.module = module, .element = element, .seed = seed, .n = module->n_params};
  pthread_mutex_init(&params->lock, NULL);
  params->list = calloc((size_t)module->n_params + 1, sizeof *params->list);
  if (!params->list)
    return status_no_memory();
  for (uint32_t i = 0; i < module->n_params; i++)
    STATUS_TRY(init_param(params, module->params[i], dims, &params->list[i]));
  find_sparse(params);
  return NULL;
}

char *params_map(size_t bytes) {
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                      0);
  return memory == MAP_FAILED ? NULL : memory;
}

void params_drop_optimiser(struct params *params) {
  for (uint32_t i = 0; i < params->n; i++) {
    for (uint32_t m = 0; m < params->list[i].n_members; m++) {
      struct param_member *member = &params->list[i].members[m];
      for (int k = 0; k < 2; k++)
        if (member->moments[k])
          munmap(member->moments[k], params->list[i].bytes);
      free(member->seen);
      member->moments[0] = member->moments[1] = NULL;
      member->seen = NULL;
      member->settled = 0;
    }
  }
  idle_free(params->idle);
  reads_free(params->reads, params->module->n_blocks);
  params->idle = NULL;
  params->reads = NULL;
  params->steps = 0;
  params->has_optimiser = false;
}

void params_free(struct params *params) {
  if (!params->list)
    return;
  params_drop_optimiser(params);
  for (uint32_t i = 0; i < params->n; i++) {
    struct param *param = &params->list[i];
    for (uint32_t m = 0; m < param->n_members; m++) {
      struct param_member *member = &param->members[m];
      free(member->name);
      free(member->values);
      free(member->gradient);
      free(member->touched);
      free(member->slots);
      for (int layout = 0; layout < 3; layout++)
        free(member->packed[layout].data);
    }
    free(param->members);
  }
  free(params->list);
  params->list = NULL;
  pthread_mutex_destroy(&params->lock);
}

// -------------------------------------------------------------------------------------------- initial values

enum { CHUNK = 1 << 14 };  // elements that one thread fills at a time

struct fill {
  const struct param *param;
  const struct ir_param *source;
  struct param_member *member;
  enum nn_element element;
  uint64_t key;
};

static void store(const struct fill *fill, size_t at, double value) {
  if (fill->element == NN_F32)
    ((float *)fill->member->values)[at] = (float)value;
  else
    ((double *)fill->member->values)[at] = value;
}

// Glorot & Bengio 2010: uniform within sqrt(6 / (inputs + outputs)). A vector is a matrix of one column.
static double glorot_bound(const struct param *param) {
  double rows = param->rank >= 1 ? (double)param->sizes[0] : 1;
  double columns = param->rank >= 1 ? (double)param->elements / rows : 1;
  return sqrt(6 / (rows + columns));
}

static void fill_drawn(const struct fill *fill, size_t begin, size_t end) {
  bool normal = fill->source->init == IR_INIT_NORMAL;
  double factor = fill->source->init == IR_INIT_GLOROT ? glorot_bound(fill->param)
                                                       : fill->source->init_argument;
  for (size_t block = begin / 4; block * 4 < end; block++) {
    double draws[4];
    if (normal)
      random_normal4(fill->key, block, draws);
    else
      random_uniform4(fill->key, block, draws);
    for (size_t i = block * 4; i < block * 4 + 4 && i < end; i++)
      store(fill, i, factor * draws[i % 4]);
  }
}

static void fill_chunk(void *context, uint32_t chunk, int thread) {
  (void)thread;
  const struct fill *fill = context;
  size_t begin = (size_t)chunk * CHUNK, end = begin + CHUNK;
  if (end > fill->param->elements)
    end = fill->param->elements;
  size_t columns = (size_t)fill->param->columns;
  switch (fill->source->init) {
  case IR_INIT_GLOROT:
  case IR_INIT_NORMAL:
  case IR_INIT_UNIFORM: fill_drawn(fill, begin, end); break;
  case IR_INIT_CONSTANT:
    for (size_t i = begin; i < end; i++)
      store(fill, i, fill->source->init_argument);
    break;
  case IR_INIT_ZEROS:
    for (size_t i = begin; i < end; i++)
      store(fill, i, 0);
    break;
  case IR_INIT_ONES:
    for (size_t i = begin; i < end; i++)
      store(fill, i, 1);
    break;
  case IR_INIT_IDENTITY:
    for (size_t i = begin; i < end; i++)
      store(fill, i, i / columns == i % columns ? 1 : 0);
    break;
  }
}

static void initialise_all(struct params *params, struct threads *threads) {
  for (uint32_t i = 0; i < params->n; i++) {
    struct param *param = &params->list[i];
    for (uint32_t m = 0; m < param->n_members; m++) {
      struct param_member *member = &param->members[m];
      struct fill fill = {param, params->module->params[i], member, params->element,
                          XXH64(member->name, strlen(member->name), params->seed)};
      uint32_t chunks = (uint32_t)((param->elements + CHUNK - 1) / CHUNK);
      if (threads)
        threads_run(threads, chunks, fill_chunk, &fill);
      else
        for (uint32_t c = 0; c < chunks; c++)
          fill_chunk(&fill, c, 0);
    }
  }
}

void params_initialise(struct params *params, struct threads *threads) {
  if (atomic_load_explicit(&params->initialised, memory_order_acquire))
    return;
  pthread_mutex_lock(&params->lock);
  if (!atomic_load(&params->initialised)) {
    initialise_all(params, threads);
    atomic_store_explicit(&params->initialised, true, memory_order_release);
  }
  pthread_mutex_unlock(&params->lock);
}

static void loaded(const struct params *params, const struct param *param, struct param_member *member) {
  params_changed(member);
  // The new values are those of now.
  for (int64_t row = 0; params->idle && member->seen && row < param->rows; row++)
    atomic_store(&member->seen[row], idle_now(params->idle));
}

void params_loaded(struct params *params) {
  for (uint32_t i = 0; i < params->n; i++)
    for (uint32_t m = 0; m < params->list[i].n_members; m++)
      loaded(params, &params->list[i], &params->list[i].members[m]);
  atomic_store(&params->initialised, true);
}

// --------------------------------------------------------------------------------------------- packed copies

const void *params_packed(struct params *params, uint32_t number, uint32_t which, enum kernel_layout layout) {
  struct param *param = &params->list[number];
  struct param_member *member = &param->members[which];
  if (layout == KERNEL_NATURAL)
    return member->values;
  struct param_packed *packed = &member->packed[layout];
  if (atomic_load_explicit(&packed->version, memory_order_acquire) == member->version)
    return packed->data;
  pthread_mutex_lock(&params->lock);
  if (atomic_load(&packed->version) != member->version) {
    if (!packed->data)
      packed->data = allocate(kernel_packed_bytes(layout, params->element, param->rows, param->columns));
    if (packed->data) {
      kernel_pack(layout, params->element, param->rows, param->columns, member->values, packed->data);
      atomic_store_explicit(&packed->version, member->version, memory_order_release);
    }
  }
  pthread_mutex_unlock(&params->lock);
  return packed->data;
}

// ------------------------------------------------------------------------------------------------- gradients

void params_clear_gradients(struct params *params) {
  for (uint32_t i = 0; i < params->n; i++) {
    struct param *param = &params->list[i];
    size_t row_bytes = (size_t)param->columns * nn_element_bytes(params->element);
    for (uint32_t m = 0; m < param->n_members; m++) {
      struct param_member *member = &param->members[m];
      member->written = false;
      for (uint32_t t = 0; t < member->n_touched; t++) {
        memset(member->gradient + member->touched[t] * row_bytes, 0, row_bytes);
        member->slots[member->touched[t]] = 0;
      }
      member->n_touched = 0;
    }
  }
}

char *params_gradient(struct params *params, uint32_t number, uint32_t which) {
  struct param *param = &params->list[number];
  struct param_member *member = &param->members[which];
  if (param->sparse) {
    if (!member->touched)
      member->touched = malloc((size_t)param->rows * sizeof *member->touched);
    if (!member->slots)
      member->slots = calloc((size_t)param->rows, sizeof *member->slots);
    if (!member->touched || !member->slots)
      return NULL;
  }
  if (!member->gradient) {
    member->gradient = allocate(param->bytes);
    if (member->gradient)
      memset(member->gradient, 0, param->bytes);
  }
  return member->gradient;
}

bool params_settle_gradients(struct params *params) {
  for (uint32_t i = 0; i < params->n; i++) {
    for (uint32_t m = 0; m < params->list[i].n_members; m++) {
      struct param_member *member = &params->list[i].members[m];
      bool fresh = !member->gradient;
      if (!params_gradient(params, i, m))
        return false;
      if (!params->list[i].sparse && !member->written && !fresh)
        memset(member->gradient, 0, params->list[i].bytes);
      member->written = true;
    }
  }
  return true;
}

bool params_gradients_are_finite(const struct params *params, const struct loops *loops) {
  for (uint32_t i = 0; i < params->n; i++) {
    const struct param *param = &params->list[i];
    size_t columns = (size_t)param->columns, row_bytes = columns * nn_element_bytes(params->element);
    for (uint32_t m = 0; m < param->n_members; m++) {
      const struct param_member *member = &param->members[m];
      if (!member->written || !member->gradient)
        continue;
      if (!param->sparse && !loops->is_finite(member->gradient, param->elements))
        return false;
      for (uint32_t t = 0; param->sparse && t < member->n_touched; t++)
        if (!loops->is_finite(member->gradient + member->touched[t] * row_bytes, columns))
          return false;
    }
  }
  return true;
}

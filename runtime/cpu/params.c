// The parameters' memory: values, packed copies, gradients.
#include "runtime/cpu/params.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/machine.h"
#include "runtime/base/status.h"
#include "runtime/base/threads.h"

enum { ALIGNMENT = 64 };

// Less than this is left as it is.
#define LARGE_BYTES (UINT64_C(4) << 20)

void params_use_large_pages(void *memory, size_t bytes) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)memory + page - 1) / page * page,
            end = ((uintptr_t)memory + bytes) / page * page;
  if (bytes >= LARGE_BYTES)
    madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

static void *allocate(size_t bytes) {
  bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  void *memory = aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
  if (memory)
    params_use_large_pages(memory, bytes);
  return memory;
}

// -------------------------------------------------------------------------------------------------- life

nn_status *params_check_room(const struct params *params, bool gradients, int n_moments, const char *arrays) {
  const struct param_shapes *shapes = params->shapes;
  const struct param_shape *largest = NULL;
  // No more than 2^40 elements: param_shapes_init.
  uint64_t needed = 0, there = machine_memory(), most = 0;
  for (uint32_t i = 0; i < shapes->n; i++) {
    const struct param_shape *shape = &shapes->list[i];
    uint64_t n_arrays = 1 + (uint64_t)gradients + (shape->sparse ? 0 : (uint64_t)n_moments);
    uint64_t bytes = shape->elements * nn_element_bytes(params->element) * n_arrays * shape->n_members;
    needed += bytes;
    if (bytes > most) {
      most = bytes;
      largest = shape;
    }
  }
  if (needed <= there || !largest)
    return NULL;
  char sizes[32 * IR_MAX_RANK] = "a number";
  for (uint32_t i = 0, at = 0; i < largest->rank; i++)
    at += (uint32_t)snprintf(sizes + at, sizeof sizes - at, "%s%" PRId64, i ? " x " : "", largest->sizes[i]);
  return status_new(NN_NO_MEMORY, "parameters need %.3g GB (%s), %.3g GB are there: the largest is `%s`, %s",
                    (double)needed / 1e9, arrays, (double)there / 1e9, shapes->names[largest->first], sizes);
}

static nn_status *init_param(struct params *params, struct param *param) {
  size_t used = param->shape->elements * nn_element_bytes(params->element);
  param->bytes = (nn_row_elements(param->shape->elements) + NN_LANES) * nn_element_bytes(params->element);
  param->members = calloc(param->shape->n_members, sizeof *param->members);
  if (!param->members)
    return status_no_memory();
  for (uint32_t m = 0; m < param->shape->n_members; m++) {
    struct param_member *member = &param->members[m];
    member->values = allocate(param->bytes);
    member->version = 1;
    if (!member->values)
      return status_no_memory();
    memset(member->values + used, 0, param->bytes - used);
  }
  return NULL;
}

nn_status *params_init(struct params *params, const struct device_model *model) {
  *params = (struct params){.shapes = model->params, .element = model->element, .seed = model->seed};
  pthread_mutex_init(&params->lock, NULL);
  STATUS_TRY(params_check_room(params, false, 0, "values"));
  params->list = calloc((size_t)params->shapes->n + 1, sizeof *params->list);
  if (!params->list)
    return status_no_memory();
  for (uint32_t i = 0; i < params->shapes->n; i++)
    params->list[i].shape = &params->shapes->list[i];
  for (uint32_t i = 0; i < params->shapes->n; i++)
    STATUS_TRY(init_param(params, &params->list[i]));
  return NULL;
}

void params_free(struct params *params) {
  if (!params->list)
    return;
  for (uint32_t i = 0; i < params->shapes->n; i++) {
    struct param *param = &params->list[i];
    for (uint32_t m = 0; param->members && m < param->shape->n_members; m++) {
      struct param_member *member = &param->members[m];
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

// Elements that one thread fills at a time, and that are drawn at once.
enum { CHUNK = 1 << 14, DRAWN = 512 };

struct fill {
  const struct params *params;
  uint32_t number;
  void *values;
  size_t begin, end;
};

static void fill_chunk(void *context, uint32_t chunk, int thread) {
  (void)thread;
  const struct fill *fill = context;
  size_t begin = fill->begin + (size_t)chunk * CHUNK;
  size_t end = fill->end - begin < CHUNK ? fill->end : begin + CHUNK;
  double drawn[DRAWN];
  for (size_t at = begin, n; at < end; at += n) {
    n = end - at < DRAWN ? end - at : DRAWN;
    param_shapes_draw(fill->params->shapes, fill->params->seed, fill->number, at, n, drawn);
    for (size_t i = 0; i < n; i++) {
      if (fill->params->element == NN_F32)
        ((float *)fill->values)[at + i] = (float)drawn[i];
      else
        ((double *)fill->values)[at + i] = drawn[i];
    }
  }
}

static void draw_until(struct params *params, struct threads *threads, uint32_t number, size_t end) {
  struct param_member *member = params_numbered(params, number);
  if (member->n_drawn >= end)
    return;
  struct fill fill = {params, number, member->values, member->n_drawn, end};
  uint32_t chunks = (uint32_t)((end - member->n_drawn + CHUNK - 1) / CHUNK);
  if (threads)
    threads_run(threads, chunks, fill_chunk, &fill);
  else
    for (uint32_t c = 0; c < chunks; c++)
      fill_chunk(&fill, c, 0);
  member->n_drawn = end;
}

void params_draw_until(struct params *params, uint32_t number, size_t end) {
  draw_until(params, NULL, number, end);
}

void params_initialise(struct params *params, struct threads *threads) {
  if (atomic_load_explicit(&params->initialised, memory_order_acquire))
    return;
  pthread_mutex_lock(&params->lock);
  if (!atomic_load(&params->initialised)) {
    for (uint32_t i = 0; i < params->shapes->n_members; i++)
      draw_until(params, threads, i, param_shapes_of(params->shapes, i)->elements);
    atomic_store_explicit(&params->initialised, true, memory_order_release);
  }
  pthread_mutex_unlock(&params->lock);
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
      packed->data =
          allocate(kernel_packed_bytes(layout, params->element, param->shape->rows, param->shape->columns));
    if (packed->data) {
      kernel_pack(layout, params->element, param->shape->rows, param->shape->columns, member->values,
                  packed->data);
      atomic_store_explicit(&packed->version, member->version, memory_order_release);
    }
  }
  pthread_mutex_unlock(&params->lock);
  return packed->data;
}

// ------------------------------------------------------------------------------------------------- gradients

void params_clear_gradients(struct params *params) {
  params->has_gradients = false;
  for (uint32_t i = 0; i < params->shapes->n; i++) {
    struct param *param = &params->list[i];
    size_t row_bytes = (size_t)param->shape->columns * nn_element_bytes(params->element);
    for (uint32_t m = 0; m < param->shape->n_members; m++) {
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
  if (param->shape->sparse) {
    if (!member->touched)
      member->touched = malloc((size_t)param->shape->rows * sizeof *member->touched);
    if (!member->slots)
      member->slots = calloc((size_t)param->shape->rows, sizeof *member->slots);
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
  for (uint32_t i = 0; i < params->shapes->n; i++) {
    for (uint32_t m = 0; m < params->list[i].shape->n_members; m++) {
      struct param_member *member = &params->list[i].members[m];
      bool fresh = !member->gradient;
      if (!params_gradient(params, i, m))
        return false;
      if (!params->list[i].shape->sparse && !member->written && !fresh)
        memset(member->gradient, 0, params->list[i].bytes);
      member->written = true;
    }
  }
  params->has_gradients = true;
  return true;
}

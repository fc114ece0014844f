// Copies of parameters' arrays from outside and to there, and whether they are finite.
#include <stdlib.h>
#include <string.h>

#include "runtime/base/status.h"
#include "runtime/cpu/cpu.h"
#include "runtime/cpu/idle.h"
#include "runtime/cpu/settle.h"

// A member of a parameter.
struct place {
  uint32_t param, member;
};

static struct place place_of(const struct params *params, uint32_t number) {
  uint32_t param = params->shapes->families[number];
  return (struct place){param, number - params->shapes->list[param].first};
}

static const char *name_of(const struct params *params, uint32_t number) {
  return params->shapes->names[number];
}

// The array, up to date in all rows.
static nn_status *find_array(struct cpu *cpu, enum device_array array, uint32_t number, char **found) {
  struct params *params = &cpu->params;
  struct place place = place_of(params, number);
  struct param_member *member = params_numbered(params, number);
  if (array == DEVICE_VALUES)
    params_initialise(params, cpu->threads);
  if (array != DEVICE_GRADIENTS)
    settle_member(params, place.param, place.member, cpu->threads);
  switch (array) {
  case DEVICE_VALUES: *found = member->values; break;
  case DEVICE_GRADIENTS: *found = params->has_gradients ? member->gradient : NULL; break;
  default: *found = member->moments[array - DEVICE_MOMENT_1];
  }
  if (*found)
    return NULL;
  if (array == DEVICE_GRADIENTS)
    return status_new(NN_INVALID, "there was no backward pass");
  return status_new(NN_INVALID, "there is no optimiser that keeps such moments of `%s`",
                    name_of(params, number));
}

static nn_status *check_range(const struct params *params, uint32_t number, size_t first, size_t n) {
  if (number >= params->shapes->n_members)
    return status_new(NN_INVALID, "there is no parameter %u: the model has %u", number,
                      params->shapes->n_members);
  size_t elements = param_shapes_of(params->shapes, number)->elements;
  if (first > elements || n > elements - first)
    return status_new(NN_INVALID, "parameter `%s` has %zu elements", name_of(params, number), elements);
  return NULL;
}

nn_status *params_read(struct device *device, enum device_array array, uint32_t number, size_t first,
                       size_t n, void *to) {
  struct cpu *cpu = cpu_of(device);
  size_t size = nn_element_bytes(cpu->element);
  char *from;
  STATUS_TRY(check_range(&cpu->params, number, first, n));
  STATUS_TRY(find_array(cpu, array, number, &from));
  if (n)
    memcpy(to, from + first * size, n * size);
  return NULL;
}

// ------------------------------------------------------------------------------------------------- writing

// Values that nobody wrote yet need not be drawn where all of them are written, piece after piece.
static void before_values(struct cpu *cpu, uint32_t number, size_t first, size_t n) {
  struct params *params = &cpu->params;
  struct param_member *member = params_numbered(params, number);
  if (atomic_load(&params->initialised))
    return;
  pthread_mutex_lock(&params->lock);
  params_draw_until(params, number, first);
  if (member->n_drawn < first + n)
    member->n_drawn = first + n;
  pthread_mutex_unlock(&params->lock);
}

static nn_status *before_gradients(struct params *params, uint32_t number, size_t first, size_t n) {
  const struct param_shape *shape = param_shapes_of(params->shapes, number);
  if (!params->has_gradients) {
    params_clear_gradients(params);
    if (!params_settle_gradients(params))
      return status_no_memory();
  }
  size_t columns = (size_t)shape->columns;
  for (size_t row = first / columns; shape->sparse && n && row <= (first + n - 1) / columns; row++)
    params_touch(params_numbered(params, number), (uint32_t)row);
  return NULL;
}

nn_status *params_write(struct device *device, enum device_array array, uint32_t number, size_t first,
                        size_t n, const void *from) {
  struct cpu *cpu = cpu_of(device);
  struct params *params = &cpu->params;
  size_t size = nn_element_bytes(cpu->element);
  STATUS_TRY(check_range(params, number, first, n));
  struct place place = place_of(params, number);
  struct param_member *member = params_numbered(params, number);
  char *to = member->values;
  if (array == DEVICE_VALUES) {
    settle_member(params, place.param, place.member, cpu->threads);
    before_values(cpu, number, first, n);
    params_changed(member);
  } else {
    if (array == DEVICE_GRADIENTS)
      STATUS_TRY(before_gradients(params, number, first, n));
    else
      params->all_move = true;
    STATUS_TRY(find_array(cpu, array, number, &to));
  }
  if (n)
    memcpy(to + first * size, from, n * size);
  return NULL;
}

// ------------------------------------------------------------------------------------------------- finite

enum { PIECE = 1 << 16 };

struct search {
  const struct cpu *cpu;
  const char *array;
  size_t elements;
  atomic_bool found;
};

static void search_piece(void *context, uint32_t item, int thread) {
  (void)thread;
  struct search *search = context;
  size_t begin = (size_t)item * PIECE, size = nn_element_bytes(search->cpu->element);
  size_t n = search->elements - begin < PIECE ? search->elements - begin : PIECE;
  if (!search->cpu->loops->is_finite(search->array + begin * size, n))
    atomic_store(&search->found, true);
}

static bool rows_are_finite(const struct cpu *cpu, const struct param_member *member, size_t columns) {
  size_t row_bytes = columns * nn_element_bytes(cpu->element);
  for (uint32_t t = 0; t < member->n_touched; t++)
    if (!cpu->loops->is_finite(member->gradient + member->touched[t] * row_bytes, columns))
      return false;
  return true;
}

nn_status *params_find_not_finite(struct device *device, enum device_array array, uint32_t *number) {
  struct cpu *cpu = cpu_of(device);
  const struct param_shapes *shapes = cpu->params.shapes;
  for (*number = 0; *number < shapes->n_members; ++*number) {
    const struct param_shape *shape = param_shapes_of(shapes, *number);
    char *from;
    STATUS_TRY(find_array(cpu, array, *number, &from));
    struct search search = {cpu, from, shape->elements, false};
    if (array == DEVICE_GRADIENTS && shape->sparse)
      search.found = !rows_are_finite(cpu, params_numbered(&cpu->params, *number), (size_t)shape->columns);
    else
      threads_run(cpu->threads, (uint32_t)((shape->elements + PIECE - 1) / PIECE), search_piece, &search);
    if (search.found)
      return NULL;
  }
  return NULL;
}

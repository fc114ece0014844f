// Parameters of a model as doubles.
#include "tests/runtime/param_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/model.h"

static void check(nn_status *status) {
  if (!status)
    return;
  fprintf(stderr, "%s\n", nn_status_message(status));
  abort();
}

size_t param_find(const nn_model *model, const char *name) {
  for (size_t i = 0; i < nn_model_param_count(model); i++)
    if (strcmp(nn_model_param(model, i).name, name) == 0)
      return i;
  fprintf(stderr, "there is no parameter '%s'\n", name);
  abort();
}

typedef nn_status *read_fn(const nn_model *, size_t param, size_t first, size_t n, void *to);

static double *read_all(const nn_model *model, size_t param, size_t first, size_t n, read_fn *read) {
  double *numbers = malloc((n + 1) * sizeof *numbers);
  if (model->element == NN_F64) {
    check(read(model, param, first, n, numbers));
    return numbers;
  }
  float *narrow = malloc((n + 1) * sizeof *narrow);
  check(read(model, param, first, n, narrow));
  for (size_t i = 0; i < n; i++)
    numbers[i] = narrow[i];
  free(narrow);
  return numbers;
}

double *param_values(const nn_model *model, size_t param) {
  return read_all(model, param, 0, nn_model_param(model, param).elements, nn_model_read_param);
}

double *param_gradients(const nn_model *model, size_t param) {
  return read_all(model, param, 0, nn_model_param(model, param).elements, nn_model_read_gradient);
}

double param_value(const nn_model *model, size_t param, size_t element) {
  double *one = read_all(model, param, element, 1, nn_model_read_param), value = *one;
  free(one);
  return value;
}

void param_set(nn_model *model, size_t param, size_t first, size_t n, const double *values) {
  if (model->element == NN_F64) {
    check(nn_model_write_param(model, param, first, n, values));
    return;
  }
  float *narrow = malloc((n + 1) * sizeof *narrow);
  for (size_t i = 0; i < n; i++)
    narrow[i] = (float)values[i];
  check(nn_model_write_param(model, param, first, n, narrow));
  free(narrow);
}

// Parameters and their gradients as doubles, through the public interface. Whatever goes wrong ends the program.
#ifndef NN_TESTS_RUNTIME_PARAM_VALUES_H
#define NN_TESTS_RUNTIME_PARAM_VALUES_H

#include <stddef.h>

#include "runtime/nn.h"

// The number of the parameter of that name.
size_t param_find(const nn_model *, const char *name);
// All elements; malloc'd.
double *param_values(const nn_model *, size_t param);
double *param_gradients(const nn_model *, size_t param);
double param_value(const nn_model *, size_t param, size_t element);
// Elements [first, first + n), rounded to the model's precision.
void param_set(nn_model *, size_t param, size_t first, size_t n, const double *values);

#endif

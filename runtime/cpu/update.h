// Steps of an optimiser on the processor (device.h says what a step is).
#ifndef NN_RUNTIME_CPU_UPDATE_H
#define NN_RUNTIME_CPU_UPDATE_H

#include "runtime/kernel/device.h"

nn_status *update_begin(struct device *, const nn_optimiser_options *, uint64_t steps);
void update_end(struct device *);
nn_status *update_step(struct device *, const struct device_step *, struct device_step_result *);

#endif

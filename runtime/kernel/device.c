// What reads a device's memory the same way whatever the device.
#include "runtime/kernel/device.h"

#include "runtime/base/status.h"

// Elements converted at once.
enum { PIECE = 512 };

nn_status *device_read_numbers(struct device *device, enum device_array array, uint32_t member, size_t first,
                               size_t n, double *to) {
  if (device->model->element == NN_F64)
    return device->ops->read_param(device, array, member, first, n, to);
  float piece[PIECE];
  for (size_t at = 0, size; at < n; at += size) {
    size = n - at < PIECE ? n - at : PIECE;
    STATUS_TRY(device->ops->read_param(device, array, member, first + at, size, piece));
    for (size_t i = 0; i < size; i++)
      to[at + i] = piece[i];
  }
  return NULL;
}

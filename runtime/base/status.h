// How the runtime's functions report failure: a status, NULL for success (nn.h).
#ifndef NN_RUNTIME_BASE_STATUS_H
#define NN_RUNTIME_BASE_STATUS_H

#include "runtime/nn.h"

// Never NULL: when not even the status can be allocated, a static one that says so (nn_status_free knows it).
nn_status *status_new(nn_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
// From a message that another library malloc'd; takes it over. NULL stands for exhausted memory.
nn_status *status_take(nn_code code, char *message);
nn_status *status_no_memory(void);

// `STATUS_TRY(call());` returns the status to the caller's caller when there is one.
#define STATUS_TRY(call)                                                                                     \
  do {                                                                                                       \
    nn_status *status_ = (call);                                                                             \
    if (status_)                                                                                             \
      return status_;                                                                                        \
  } while (0)

#endif

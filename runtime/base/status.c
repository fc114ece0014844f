// Statuses and their messages.
#include "runtime/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct nn_status {
  nn_code code;
  char *message;
};

static const struct nn_status no_memory = {NN_NO_MEMORY, (char *)"out of memory"};

nn_status *status_no_memory(void) { return (nn_status *)&no_memory; }

nn_status *status_take(nn_code code, char *message) {
  if (!message)
    return status_no_memory();
  nn_status *status = malloc(sizeof *status);
  if (!status) {
    free(message);
    return status_no_memory();
  }
  *status = (nn_status){code, message};
  return status;
}

nn_status *status_new(nn_code code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *message = NULL;
  if (vasprintf(&message, format, args) < 0)
    message = NULL;
  va_end(args);
  return status_take(code, message);
}

nn_code nn_status_code(const nn_status *status) { return status ? status->code : NN_OK; }

const char *nn_status_message(const nn_status *status) { return status ? status->message : ""; }

void nn_status_free(nn_status *status) {
  if (!status || status == &no_memory)
    return;
  free(status->message);
  free(status);
}

// Error messages as malloc'd text, handed up through a `char **error`.
#ifndef NN_RUNTIME_BASE_MESSAGE_H
#define NN_RUNTIME_BASE_MESSAGE_H

#include <stdbool.h>

// Sets *error (when error is not NULL and nothing is set yet) and returns false, so that callers can
// `return message_set(...)`.
bool message_set(char **error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

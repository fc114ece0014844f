// The C library's mathematics under names of the runtime's own: compiled host code finds what it calls by its name.
#include <math.h>

#include "runtime/host/host_runtime.h"

#define CALL_1(f) f(a)
#define CALL_2(f) f(a, b)
#define HOST(ENUM, name, fails, attributes, doc)
#define HOST_MATH(ENUM, name, operands, user, c_name, doc)                                                   \
  double host_##c_name(HOST_PARAMS_##operands) { return CALL_##operands(c_name); }
#include "compiler/ir/hostops.def"
#undef HOST
#undef HOST_MATH
